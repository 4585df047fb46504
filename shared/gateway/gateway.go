// Package gateway lets an http.Handler serve the events of an API Gateway HTTP
// API, payload format 2.0 (facts/aws.md 1).
package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// Function is what lambda.Start takes. It never returns an error, because the
// caller would see that as a failure of the gateway.
type Function func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

type claimsKey struct{}

type requestKey struct{}

// RequestID is the id that the gateway gave the request, which is in its access log
// too. "" elsewhere.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// Claims of the token that the gateway's JWT authorizer accepted, as texts;
// nil on a public route.
func Claims(ctx context.Context) map[string]string {
	claims, _ := ctx.Value(claimsKey{}).(map[string]string)
	return claims
}

// Caller is who made a request with an accepted token, and the claim that says so:
// the subject, or the client where a token has no subject. "" if neither is there.
func Caller(ctx context.Context) (name, claim string) {
	claims := Claims(ctx)
	for _, claim := range []string{"sub", "client_id", "azp"} {
		if name := claims[claim]; name != "" {
			return name, claim
		}
	}
	return "", ""
}

// Handler makes a function of a handler. It answers a body of more than limit
// bytes with 413, a panic of the handler with 500 and no details, and a path that
// is not in its shortest form ("//a", "/a/../b", "/a/") with 404. Every error is a
// problem (RFC 9457), whatever the handler wrote: http.ServeMux answers such paths, and
// unknown ones, with HTML or plain text, or with a redirect. The one redirect that is
// let through is 302 without a body, which only a handler means.
//
// The path of a request begins where that of the route does: the gateway leaves the
// base path of a custom domain in it (facts/aws.md 1).
func Handler(handler http.Handler, limit int, log *slog.Logger) Function {
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (response events.APIGatewayV2HTTPResponse, _ error) {
		ctx = context.WithValue(ctx, requestKey{}, event.RequestContext.RequestID)
		request, refusal := newRequest(ctx, event, limit)
		if refusal != 0 {
			return problem(refusal), nil
		}
		defer func() {
			if cause := recover(); cause != nil {
				// The value may be personal; its type and place are not.
				log.ErrorContext(ctx, "panic", "kind", fmt.Sprintf("%T at %s", cause, place()))
				response = problem(http.StatusInternalServerError)
			}
		}()
		w := &writer{header: http.Header{}}
		handler.ServeHTTP(w, request)
		return w.response(), nil
	}
}

// WithHeader adds a header to every reply of a function that does not have it, those
// included that no handler saw.
func WithHeader(function Function, header http.Header) Function {
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		response, err := function(ctx, event)
		for name, values := range header {
			if name = strings.ToLower(name); response.Headers[name] == "" {
				response.Headers[name] = strings.Join(values, ", ")
			}
		}
		return response, err
	}
}

// newRequest returns a request, or the status with which it is refused.
func newRequest(ctx context.Context, event events.APIGatewayV2HTTPRequest, limit int) (*http.Request, int) {
	if len(event.Body) > limit && (!event.IsBase64Encoded || base64.StdEncoding.DecodedLen(len(event.Body))-2 > limit) {
		return nil, http.StatusRequestEntityTooLarge // before it is copied; padding is two bytes at most
	}
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			return nil, http.StatusBadRequest
		}
		body = decoded
	}
	if len(body) > limit {
		return nil, http.StatusRequestEntityTooLarge
	}
	rc := event.RequestContext
	raw := event.RawPath
	if rc.Stage != "" && rc.Stage != "$default" {
		raw = strings.TrimPrefix(raw, "/"+rc.Stage)
	}
	if whole := asAddress(raw).Path; whole != path.Clean(whole) || !path.IsAbs(whole) {
		return nil, http.StatusNotFound
	}
	address := asAddress(below(raw, event.RouteKey))
	address.RawQuery = event.RawQueryString
	if rc.Authorizer != nil && rc.Authorizer.JWT != nil {
		ctx = context.WithValue(ctx, claimsKey{}, rc.Authorizer.JWT.Claims)
		ctx = context.WithValue(ctx, tokenKey{}, accepted(event, rc.Authorizer.JWT.Claims))
	}
	request, err := http.NewRequestWithContext(ctx, rc.HTTP.Method, "/", bytes.NewReader(body))
	if err != nil { // only for a method that HTTP does not allow
		return nil, http.StatusBadRequest
	}
	request.URL, request.RequestURI = address, address.RequestURI()
	request.RemoteAddr, request.Host = rc.HTTP.SourceIP, rc.DomainName
	for name, value := range event.Headers { // several values come joined by commas
		request.Header.Set(name, value)
	}
	if len(event.Cookies) > 0 {
		request.Header.Set("Cookie", strings.Join(event.Cookies, "; "))
	}
	return request, 0
}

func asAddress(raw string) *url.URL {
	if decoded, err := url.PathUnescape(raw); err == nil {
		return &url.URL{Path: decoded, RawPath: raw}
	}
	return &url.URL{Path: raw} // the gateway has decoded it already
}

// below is a path without what comes before that of its route ("ANY /connectors/{proxy+}").
func below(raw, route string) string {
	_, path, _ := strings.Cut(route, " ")
	literal, _, _ := strings.Cut(path, "{")
	if at := strings.Index(raw, literal); literal != "" && at > 0 {
		return raw[at:]
	}
	return raw
}

// writer collects what the handler writes.
type writer struct {
	header, sent http.Header // sent is the header when the status was written
	status       int
	body         bytes.Buffer
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // informational replies do not reach the client
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *writer) response() events.APIGatewayV2HTTPResponse {
	w.WriteHeader(http.StatusOK)
	w.onlyProblems()
	response := events.APIGatewayV2HTTPResponse{StatusCode: w.status, Headers: map[string]string{}, Cookies: w.sent["Set-Cookie"]}
	for name, values := range w.sent {
		if name != "Set-Cookie" {
			response.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if body := w.body.Bytes(); utf8.Valid(body) {
		response.Body = string(body)
	} else {
		response.Body, response.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return response
}

// onlyProblems makes a problem of an error that is none, and of a redirect that no
// handler means. Other headers, such as Allow, stay.
func (w *writer) onlyProblems() {
	meant := w.status == http.StatusFound && w.body.Len() == 0
	redirect := w.status >= 300 && w.status < 400 && w.sent.Get("Location") != "" && !meant
	if !redirect && (w.status < 400 || w.sent.Get("Content-Type") == problemType) {
		return
	}
	if redirect {
		w.status = http.StatusNotFound
		w.sent.Del("Location")
	}
	w.sent.Set("Content-Type", problemType)
	w.sent.Del("Content-Length")
	w.body.Reset()
	w.body.WriteString(problem(w.status).Body)
}

const problemType = "application/problem+json"

// problem is an RFC 9457 reply without details.
func problem(status int) events.APIGatewayV2HTTPResponse {
	detail := map[int]string{
		http.StatusBadRequest:            "The request cannot be read.",
		http.StatusNotFound:              "There is nothing at this path. A path has no empty, \".\" or \"..\" element, and no slash at its end.",
		http.StatusMethodNotAllowed:      "This path does not take this method; the header Allow lists those that it takes.",
		http.StatusRequestEntityTooLarge: "The body is larger than this service takes.",
		http.StatusInternalServerError:   "Something went wrong here. Try again; if it fails again, tell the operator.",
	}[status]
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"content-type": problemType, "cache-control": "no-store"},
		Body:       fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":%q}`, http.StatusText(status), status, detail),
	}
}

// place is where the panic began: the first frame outside the runtime.
func place() string {
	var counters [32]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters[:])])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") || !more {
			return fmt.Sprintf("%s:%d", frame.Function, frame.Line)
		}
	}
}
