package odoosim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// The wire: the routes, and how answers and errors are wrapped.

// exchange is one request.
type exchange struct {
	server   *Server
	host     string
	source   string         // the caller's address
	request  map[string]any // the JSON request
	id       any            // of the JSON request, echoed
	params   map[string]any // of the JSON request
	sid      string         // of the session to answer with
	carried  bool           // the session id came in a header or in the address
	live     bool           // sid is a session's
	session  session
	database string // the request's database: the session's, or the only one there is
}

func (s *Server) answer(r *http.Request, body []byte) *reply {
	if wait := s.throttled(); wait {
		answer := page(http.StatusTooManyRequests, "Too Many Requests", "Slow down.")
		answer.header = append(answer.header, [2]string{"Retry-After", "1"})
		return answer
	}
	x := &exchange{server: s, host: r.Host, source: sourceOf(r)}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isJSON := media == "application/json" || media == "application/json-rpc"
	isREST := s.options.REST != "" && strings.HasPrefix(r.URL.Path, restRoot+"/")
	if isJSON && !isREST {
		if answer := x.parse(body); answer != nil {
			return answer
		}
	}
	x.sid, x.carried = sessionOf(r)
	if x.session, x.live = s.session(x.sid); !x.live {
		x.sid = newSID()
	}
	if x.database = x.session.db; x.database == "" && len(s.options.Databases) == 1 {
		x.database = s.options.Databases[0]
	}
	if s.databaseDown() {
		// The session does not outlive it (facts/odoo.md A4).
		if x.live && isJSON {
			x.sid = s.replaceSession(x.sid, nil)
			return x.withCookie(x.failed(notFound()))
		}
		return internal()
	}
	path := r.URL.Path
	switch {
	case isREST:
		return x.rest(r, body)
	case path == "/jsonrpc":
		if !isJSON {
			return notJSON(r.Method, "RPC.jsonrpc", path)
		}
		return x.wrap(x.jsonrpc())
	case isJSON && s.options.JSON2 && r.Method == http.MethodPost && strings.HasPrefix(path, "/json/2/"):
		model, method, _ := strings.Cut(strings.TrimPrefix(path, "/json/2/"), "/")
		return x.json2(r, model, method)
	case path == "/web" && !isJSON:
		return x.withCookie(x.selectDatabase(r))
	case path == "/web/session/authenticate":
		if !isJSON {
			return notJSON(r.Method, "Session.authenticate", path)
		}
		return x.withCookie(x.wrap(x.authenticate()))
	case path == "/web/session/logout":
		if !isJSON {
			return x.withCookie(x.logout())
		}
		err := raise("werkzeug.exceptions.BadRequest", "400 Bad Request: <function Session.logout at 0x7f737f3bc700>, %s: "+
			"Function declared as capable of handling request of type 'http' but called with a request of type 'json'", path)
		err.args = []any{}
		return x.withCookie(x.wrap(nil, err))
	case path == "/web/dataset/call_kw" || strings.HasPrefix(path, "/web/dataset/call_kw/"),
		path == "/web/session/destroy", path == "/web/session/check", path == "/web/session/get_session_info":
		if !isJSON {
			return notJSON(r.Method, "DataSet.call_kw", path)
		}
		return x.withCookie(x.withSession(path))
	}
	if isJSON {
		return x.withCookie(x.failed(notFound()))
	}
	return x.withCookie(page(http.StatusNotFound, "Not Found", notFoundText))
}

// decode reads a body that is one JSON value and nothing else.
func decode(body []byte) (v any, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	err := decoder.Decode(&v)
	if err == nil {
		_, err = decoder.Token() // More() is false before a surplus bracket
	}
	return v, errors.Is(err, io.EOF)
}

// parse reads the JSON request. The reply is HTML, and nil if it can be read.
func (x *exchange) parse(body []byte) *reply {
	request, ok := decode(body)
	if !ok {
		// The page repeats the whole body (facts/odoo.md A1.5).
		echo := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(python.Repr(string(body)))
		return badRequest("Invalid JSON data: " + echo)
	}
	fields, ok := request.(map[string]any)
	if !ok {
		return internal() // a batch, too
	}
	x.request = fields
	x.id = fields["id"]
	x.params = map[string]any{}
	if params, given := fields["params"]; given {
		if x.params, ok = params.(map[string]any); !ok {
			return internal()
		}
	}
	return nil
}

// notJSON is the reply of a JSON route to another content type.
func notJSON(httpMethod, function, path string) *reply {
	if httpMethod != http.MethodGet && httpMethod != http.MethodHead {
		return badRequest("Session expired (invalid CSRF token)")
	}
	return badRequest("&lt;function " + function + " at 0x7f73801ca940&gt;, " + path +
		": Function declared as capable of handling request of type 'json' but called with a request of type 'http'")
}

// wrap makes the JSON answer of a call.
func (x *exchange) wrap(result any, err error) *reply {
	var raised *exception
	var whole *reply
	switch {
	case err == nil:
		return x.done(result)
	case errors.As(err, &raised) && x.database == "":
		return internal()
	case raised != nil:
		return x.failed(raised)
	case errors.As(err, &whole):
		return whole
	}
	return nil // the connection is closed
}

// Error makes a whole reply an error.
func (r *reply) Error() string { return "HTTP status " + strconv.Itoa(r.status) }

func (x *exchange) done(result any) *reply {
	doc := python.Dict{{"jsonrpc", "2.0"}, {"id", x.id}}
	if _, none := result.(nothing); !none {
		doc = append(doc, python.Item{"result", result})
	}
	return jsonReply(http.StatusOK, doc)
}

func (x *exchange) failed(err *exception) *reply {
	status := http.StatusOK
	if err.code == http.StatusNotFound {
		status = http.StatusNotFound
	}
	return jsonReply(status, python.Dict{{"jsonrpc", "2.0"}, {"id", x.id}, {"error", err.document()}})
}

func jsonReply(status int, doc python.Dict) *reply {
	return &reply{status: status, header: [][2]string{{"Content-Type", "application/json"}}, body: python.AppendJSON(nil, doc)}
}

// withCookie adds the session cookie, unless the session id was carried otherwise.
func (x *exchange) withCookie(answer *reply) *reply {
	if answer != nil && !x.carried {
		answer.header = append(answer.header, x.server.cookie(x.sid))
	}
	return answer
}

// withSession is the routes for users who are logged in.
func (x *exchange) withSession(path string) *reply {
	if x.database == "" {
		return x.failed(notFound()) // the route does not exist without a database
	}
	u := x.server.holder(x.session)
	if u == nil {
		x.sid = x.server.replaceSession(x.sid, nil)
		return x.failed(sessionExpired())
	}
	switch path {
	case "/web/session/destroy":
		x.sid = x.server.replaceSession(x.sid, nil)
		return x.done(nothing{})
	case "/web/session/check":
		return x.done(nothing{})
	case "/web/session/get_session_info":
		return x.done(x.info(x.session.db, u))
	}
	if err := missing("call_kw", []string{"model", "method", "args", "kwargs"}, x.params); err != nil {
		return x.failed(err)
	}
	return x.wrap(x.server.execute(request{
		db: x.server.databases[x.session.db], user: u, cookie: true, strictModel: true,
		model: python.Str(x.params["model"]), method: python.Str(x.params["method"]),
		args: x.params["args"], kwargs: x.params["kwargs"],
	}))
}

// selectDatabase is the page /web, which puts the database of its address into the
// session of nobody (facts/odoo.md F4).
func (x *exchange) selectDatabase(r *http.Request) *reply {
	to := "/web/login"
	switch wanted := r.URL.Query().Get("db"); {
	case x.server.databases[wanted] != nil && x.session.db != wanted:
		x.sid = x.server.replaceSession(x.sid, &session{db: wanted})
		to = "/web?db=" + wanted
	case x.database == "":
		to = "/web/database/selector"
	}
	return &reply{status: http.StatusSeeOther,
		header: [][2]string{{"Content-Type", "text/html; charset=utf-8"}, {"Location", "http://" + x.host + to}},
		body:   []byte("<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<title>Redirecting...</title>\n")}
}

// jsonrpc is /jsonrpc: a service, a method and its arguments.
func (x *exchange) jsonrpc() (any, error) {
	if err := missing("jsonrpc", []string{"service", "method", "args"}, x.params); err != nil {
		return nil, err
	}
	service, name := python.Str(x.params["service"]), python.Str(x.params["method"])
	args, _ := x.params["args"].([]any)
	switch service {
	case "common":
		return x.common(name, args)
	case "object":
		return x.object(name, args)
	case "db":
		if name == "list" {
			names := []any{}
			for _, n := range x.server.options.Databases {
				names = append(names, n)
			}
			return names, nil
		}
		return nil, raise("builtins.KeyError", "Method not found: %s", name)
	}
	return nil, raise("builtins.UnboundLocalError", "local variable 'dispatch' referenced before assignment")
}

func (x *exchange) common(name string, args []any) (any, error) {
	parameters, known := map[string][]string{
		"version":      {},
		"login":        {"db", "login", "password"},
		"authenticate": {"db", "login", "password", "user_agent_env"},
	}[name]
	if !known {
		return nil, raise("builtins.Exception", "Method not found: %s", name)
	}
	if len(args) > len(parameters) {
		return nil, raise("builtins.TypeError", "exp_%s() takes %d positional arguments", name, len(parameters))
	}
	given := map[string]any{}
	for i, a := range args {
		given[parameters[i]] = a
	}
	if err := missing("exp_"+name, parameters, given); err != nil {
		return nil, err
	}
	fixed := x.server.options.Latency.Login
	if name == "version" {
		fixed = x.server.options.Latency.Session
	}
	return x.server.perform(call{model: "common", method: name, fixed: fixed}, func(*work) (any, *tx, *exception) {
		if name == "version" {
			return python.Dict{{"server_version", "14.0"}, {"server_version_info", versionInfo},
				{"server_serie", "14.0"}, {"protocol_version", 1}}, nil, nil
		}
		db := x.server.databases[python.Str(args[0])]
		if db == nil {
			return nil, nil, noDatabase(python.Str(args[0]))
		}
		u := db.byLogin(python.Str(args[1]))
		accepts := func() bool { return u != nil && u.accepts(python.Str(args[2]), x.server.options.Now()) }
		if x.server.attempt(x.source, accepts) == nil {
			return u.id, nil, nil
		}
		return false, nil, nil // not an error (facts/odoo.md A1.6)
	})
}

func (x *exchange) object(name string, args []any) (any, error) {
	if name != "execute" && name != "execute_kw" {
		return nil, raise("builtins.NameError", "Method not available %s", name)
	}
	if len(args) < 3 {
		return nil, raise("builtins.IndexError", "list index out of range")
	}
	uid, failure := asInt(args[1])
	if failure != nil {
		return nil, failure
	}
	db := x.server.databases[python.Str(args[0])]
	if db == nil {
		return nil, noDatabase(python.Str(args[0]))
	}
	db.mu.RLock()
	u := db.user(uid)
	db.mu.RUnlock()
	switch {
	case !python.Truthy(args[2]):
		return nil, accessDenied()
	case u == nil:
		return nil, missingRecord(userModel, uid, uid)
	}
	// What was accepted before is kept, and counts no more.
	if !u.accepts(python.Str(args[2]), x.server.options.Now()) {
		return nil, x.server.attempt(x.source, func() bool { return false })
	}
	rest := args[3:]
	given := map[string]any{}
	names := []string{"obj", "method", "args", "kw"}
	if name == "execute" {
		names = names[:2]
	}
	for i, n := range names {
		if i < len(rest) {
			given[n] = rest[i]
		}
	}
	if err := missing(name, names[:min(len(names), 3)], given); err != nil {
		return nil, err
	}
	call := request{db: db, user: u, cookie: x.live && x.session.user != 0, model: python.Str(given["obj"]), method: python.Str(given["method"])}
	if name == "execute" {
		call.args = rest[2:]
	} else {
		call.args, call.kwargs = given["args"], given["kw"]
	}
	return x.server.execute(call)
}

func asInt(v any) (int64, *exception) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case json.Number:
		f, _ := v.Float64()
		return int64(f), nil
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n, nil
		}
		return 0, valueError("invalid literal for int()")
	}
	return 0, raise("builtins.TypeError", "int() argument must be a string or a number")
}
