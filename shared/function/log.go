package function

import (
	"context"
	"io"
	"log/slog"
)

// logged are the only attributes that reach a log: ids, counts and kinds. Any
// other is dropped, so that no log line can leak a record.
var logged = map[string]bool{
	"connector": true, "registry": true, "run": true, "batch": true,
	"count": true, "rows": true, "sent": true, "tokenised": true, "rejected": true, "pending": true, "passes": true,
	"fault": true, "problem": true, "finding": true, "kind": true,
	"method": true, "route": true, "status": true, "milliseconds": true,
}

// Log writes JSON lines with listed attributes only.
func Log(w io.Writer) *slog.Logger {
	return slog.New(listed{slog.NewJSONHandler(w, nil)})
}

// listed is a handler that drops all other attributes.
type listed struct{ slog.Handler }

func (h listed) Handle(ctx context.Context, r slog.Record) error {
	kept := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if logged[a.Key] {
			kept.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, kept)
}

func (h listed) WithAttrs(attrs []slog.Attr) slog.Handler {
	var kept []slog.Attr
	for _, a := range attrs {
		if logged[a.Key] {
			kept = append(kept, a)
		}
	}
	return listed{h.Handler.WithAttrs(kept)}
}

func (h listed) WithGroup(name string) slog.Handler { return listed{h.Handler.WithGroup(name)} }
