package odoo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"sync"

	"openg2p.org/mts-connector/shared/seeding"
)

// session is one user signed in to one database, with its schema. It lives as
// long as the process, so that a warm Lambda need not sign in again. It keeps the
// cookie itself, because all sessions share the HTTP client.
type session struct {
	client   *http.Client
	base     string // without a slash at the end
	access   seeding.RegistryAccess
	password string

	signIn sync.Mutex // held while signing in, so that concurrent calls do it once
	mu     sync.Mutex // guards the fields below
	cookie string
	schema *schema

	encrypts *bool // the module that encrypts registrants is installed; nil: not known
}

// request is one method call on a model.
type request struct {
	Model  string         `json:"model"`
	Method string         `json:"method"`
	Args   []any          `json:"args"`
	Kwargs map[string]any `json:"kwargs"` // Odoo demands it even if it is empty (facts/odoo.md A4)
	writes bool
}

// call makes the request and decodes its result into result, a pointer. If the
// session is lost it signs in and repeats the call once. That is safe for a
// write too, because a call without a session is not executed.
func (s *session) call(ctx context.Context, r request, result any) error {
	if r.Kwargs == nil {
		r.Kwargs = map[string]any{}
	}
	stale := ""
	for {
		cookie, err := s.freshCookie(ctx, stale)
		if err != nil {
			return err
		}
		response, err := s.exchange(ctx, "/web/dataset/call_kw", cookie, r.writes, r, result)
		switch {
		case err != nil:
			return err
		case response.err == nil:
			s.renew(cookie, response.cookie)
			return nil
		case !response.err.lostSession() || stale != "":
			return response.err.fault(r.writes)
		}
		stale = cookie
	}
}

// freshCookie returns the cookie of a session other than the stale one.
func (s *session) freshCookie(ctx context.Context, stale string) (string, error) {
	s.signIn.Lock()
	defer s.signIn.Unlock()
	if cookie := s.current(); cookie != stale {
		return cookie, nil
	}
	// The call goes without the old cookie: with it Odoo would end the old
	// session, which another function may be using.
	var info struct {
		UID any `json:"uid"` // a number, or false, or null if a second factor is missing
	}
	response, err := s.exchange(ctx, "/web/session/authenticate", "", false,
		map[string]string{"db": s.access.Database, "login": s.access.Username, "password": s.password}, &info)
	if fault, ok := errors.AsType[*seeding.Fault](err); ok && fault.Code == httpCode(http.StatusInternalServerError) {
		return "", s.explain(ctx, fault)
	}
	if err != nil {
		return "", err
	}
	if response.err != nil {
		return "", response.err.signInFault(s.access.Database)
	}
	// A failed sign-in sets a cookie too; only the uid shows that it succeeded
	// (facts/odoo.md A4).
	if uid, ok := info.UID.(json.Number); !ok || uid == "0" {
		return "", &seeding.Fault{Kind: seeding.RefusedSignIn}
	}
	if response.cookie == "" {
		return "", &seeding.Fault{Kind: seeding.RefusedRequest, Code: "NoSession"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cookie = response.cookie
	return s.cookie, nil
}

// explain finds out why a sign-in ended in an error page. An Odoo with several
// databases sends it for a wrong password and an unknown database too
// (facts/odoo.md A1.4), but its common.login returns false, and it lists its
// databases.
func (s *session) explain(ctx context.Context, page *seeding.Fault) error {
	service := func(name, method string, args []any, result any) error {
		response, err := s.exchange(ctx, "/jsonrpc", "", false, map[string]any{"service": name, "method": method, "args": args}, result)
		if err == nil && response.err != nil {
			return response.err.fault(false)
		}
		return err
	}
	var uid any
	if service("common", "login", []any{s.access.Database, s.access.Username, s.password}, &uid) == nil && uid == false {
		return &seeding.Fault{Kind: seeding.RefusedSignIn, Code: "AccessDenied"}
	}
	var databases []string
	if service("db", "list", []any{}, &databases) == nil && len(databases) > 0 && !slices.Contains(databases, s.access.Database) {
		return noDatabase()
	}
	return page
}

func (s *session) current() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cookie
}

// renew stores the new cookie that Odoo may give a session in use.
func (s *session) renew(used, given string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if given != "" && s.cookie == used {
		s.cookie = given
	}
}

// reply is a JSON-RPC reply of Odoo.
type reply struct {
	err    *rpcError
	cookie string
}

// exchange makes one JSON-RPC call. Its error says that there is no reply of
// Odoo; an error of Odoo is in the reply. result stays as it is if Odoo sent
// none. What is read of a reply is bounded (reply.go).
func (s *session) exchange(ctx context.Context, path, cookie string, writes bool, params, result any) (reply, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // domains are full of & and >
	if err := encoder.Encode(map[string]any{"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}); err != nil {
		return reply{}, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "Encoding", Cause: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path, &body)
	if err != nil {
		return reply{}, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAddress", Cause: err}
	}
	req.Header.Set("Content-Type", "application/json")
	if cookie != "" {
		req.Header.Set("Cookie", sessionCookie+"="+cookie)
	}
	if !writes {
		req.Header["Idempotency-Key"] = []string{} // net/http's mark; it is not sent
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return reply{}, noReply(writes, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" {
		return reply{}, notOdoo(writes, resp.StatusCode)
	}
	message := message{result: result}
	err = message.read(resp.Body)
	switch {
	case resp.StatusCode != http.StatusOK && message.err == nil:
		return reply{}, notOdoo(writes, resp.StatusCode)
	case err != nil:
		return reply{}, noReply(writes, err)
	}
	return reply{err: message.err, cookie: givenCookie(resp)}, nil
}

const sessionCookie = "session_id"

func givenCookie(resp *http.Response) string {
	for _, c := range resp.Cookies() {
		if c.Name == sessionCookie {
			return c.Value
		}
	}
	return ""
}
