package function

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// logged are the only attributes that reach a log: ids, counts and kinds. Any
// other is dropped, so that no log line can leak a record.
var logged = map[string]bool{
	"connector": true, "registry": true, "run": true, "batch": true, "inquiry": true,
	"count": true, "rows": true, "parts": true, "sent": true, "tokenised": true, "rejected": true, "pending": true, "passes": true, "spans": true, "expected": true,
	"fault": true, "problem": true, "finding": true, "kind": true, "way": true, "why": true,
	"method": true, "route": true, "status": true, "milliseconds": true,
	"request": true, "invocation": true, // ids that are in the access log of the API too
	"change": true, "version": true, "fields": true, "rejections": true, "mts_host": true, "registry_host": true, "callback_host": true, "callback_auth_host": true,
	"caller": true, "caller_claim": true, // of a change: who is responsible, not whom it is about
}

// Log writes JSON lines with listed attributes only.
func Log(w io.Writer) *slog.Logger {
	return slog.New(listed{slog.NewJSONHandler(w, nil), nil})
}

// RequestLog is a Log for a function behind the API: lines that are written with
// the context of a request have its id, which request returns, and that of the
// invocation.
func RequestLog(w io.Writer, request func(context.Context) string) *slog.Logger {
	return slog.New(listed{slog.NewJSONHandler(w, nil), request})
}

// Invocation is the log of one invocation: every line has its id.
func Invocation(ctx context.Context, log *slog.Logger) *slog.Logger {
	if id := invocation(ctx); id != "" {
		return log.With("invocation", id)
	}
	return log
}

func invocation(ctx context.Context) string {
	if of, there := lambdacontext.FromContext(ctx); there {
		return of.AwsRequestID
	}
	return ""
}

// listed is a handler that drops all other attributes.
type listed struct {
	slog.Handler
	request func(context.Context) string // nil if there are no requests
}

func (h listed) Handle(ctx context.Context, r slog.Record) error {
	kept := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if logged[a.Key] {
			kept.AddAttrs(a)
		}
		return true
	})
	if h.request != nil {
		kept.AddAttrs(slog.String("request", h.request(ctx)), slog.String("invocation", invocation(ctx)))
	}
	return h.Handler.Handle(ctx, kept)
}

func (h listed) WithAttrs(attrs []slog.Attr) slog.Handler {
	var kept []slog.Attr
	for _, a := range attrs {
		if logged[a.Key] {
			kept = append(kept, a)
		}
	}
	return listed{h.Handler.WithAttrs(kept), h.request}
}

func (h listed) WithGroup(name string) slog.Handler {
	return listed{h.Handler.WithGroup(name), h.request}
}
