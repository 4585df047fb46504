package odoo

import (
	"context"
	"maps"
	"net/http"
)

// way is how a user who is signed in calls methods. A way never changes; another
// one takes its place.
type way interface {
	call(ctx context.Context, s *session, r request, result any) (reply, error)
	name() string
	// refusal is the code of the fault when the way's password is refused.
	refusal() string
}

// cookieWay is the session of a browser, for a user with a password. Odoo refuses
// API keys here, in every line.
type cookieWay struct{ cookie string }

func (w *cookieWay) name() string    { return "session" }
func (w *cookieWay) refusal() string { return "AccessDenied" }

func (w *cookieWay) call(ctx context.Context, s *session, r request, result any) (reply, error) {
	kwargs := r.kwargs
	if kwargs == nil {
		kwargs = map[string]any{} // Odoo demands them even if they are empty (facts/odoo.md A4)
	}
	return s.rpc(ctx, "/web/dataset/call_kw", w.cookie, r.writes,
		map[string]any{"model": r.model, "method": r.method, "args": []any{r.arg}, "kwargs": kwargs}, result)
}

// executeWay sends password or API key with every call: Odoo 14 and later, as long
// as it has /jsonrpc.
type executeWay struct {
	uid    int64
	secret string
	key    bool   // the secret has the form of an API key
	cookie string // tells a server with several databases which is meant; of nobody's session
}

func (w *executeWay) name() string { return "execute_kw" }

func (w *executeWay) refusal() string {
	if w.key {
		return "KeyRefused"
	}
	return "AccessDenied"
}

func (w *executeWay) call(ctx context.Context, s *session, r request, result any) (reply, error) {
	kwargs := r.kwargs
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	return s.service(ctx, "object", "execute_kw", w.cookie, r.writes,
		[]any{s.access.Database, w.uid, w.secret, r.model, r.method, []any{r.arg}, kwargs}, result)
}

// service calls a service of /jsonrpc.
func (s *session) service(ctx context.Context, name, method, cookie string, writes bool, args []any, result any) (reply, error) {
	return s.rpc(ctx, "/jsonrpc", cookie, writes, map[string]any{"service": name, "method": method, "args": args}, result)
}

// bearerWay is JSON-2 with an API key: Odoo 19 and later.
type bearerWay struct{ key string }

func (w *bearerWay) name() string    { return "json2" }
func (w *bearerWay) refusal() string { return "KeyRefused" }

// arguments names the positional argument of each method, because JSON-2 takes
// named ones only.
var arguments = map[string]string{
	"search_read": "domain", "search_count": "domain", "fields_get": "allfields", "create": "vals_list", "unlink": "ids", "read": "ids",
	accessRights: "operation", accessRule: "ids", newAccess: "ids", "get_param": "key",
	"write": "ids", "load": "fields",
}

func (w *bearerWay) call(ctx context.Context, s *session, r request, result any) (reply, error) {
	body := map[string]any{}
	maps.Copy(body, r.kwargs)
	name, known := arguments[r.method]
	switch {
	case name != "":
		body[name] = r.arg
	case !known && r.arg != nil: // a method of a model's own, which takes records
		body["ids"] = r.arg
	}
	return s.exchange(ctx, posting{
		path:   "/json/2/" + r.model + "/" + r.method,
		header: http.Header{"Authorization": {"bearer " + w.key}, "X-Odoo-Database": {s.access.Database}},
		body:   body, writes: r.writes, plain: true,
	}, result)
}
