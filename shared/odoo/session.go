package odoo

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"sync"

	"openg2p.org/mts-connector/shared/seeding"
)

// session is one user signed in to one database, with its schema. It lives as
// long as the process, so that a warm Lambda need not sign in again.
type session struct {
	client   *http.Client
	base     string // without a slash at the end
	access   seeding.RegistryAccess
	password string
	signed   func(way string) // told of every sign-in

	signIn sync.Mutex // held while signing in, so that concurrent calls do it once
	mu     sync.Mutex // guards the fields below
	way    way        // nil: not signed in
	schema *schema
	kinds  *knownKinds
}

// request is one method call on a model, with the one positional argument that
// every method has which is called here.
type request struct {
	model, method string
	arg           any
	kwargs        map[string]any
	writes        bool
}

// call makes the request and decodes its result into result, a pointer. If the
// sign-in is lost it signs in and repeats the call once. That is safe for a
// write too, because a call of nobody is not executed.
func (s *session) call(ctx context.Context, r request, result any) error {
	var stale way
	for {
		way, err := s.freshWay(ctx, stale)
		if err != nil {
			return err
		}
		reply, err := way.call(ctx, s, r, result)
		switch {
		case err != nil:
			if absent(err) {
				s.drop(way) // the next call finds another one
			}
			return err
		case reply.err == nil:
			s.renew(way, reply.cookie)
			return nil
		case reply.err.refusedKey(way):
			s.drop(way) // the next call finds out why
			return refusedSignIn(way.refusal())
		case !reply.err.lostSession() || stale != nil:
			if reply.err.missesModel(r.model) {
				return &seeding.Fault{Kind: seeding.RefusedSchema, Code: seeding.NoSuchModel, Field: r.model}
			}
			return reply.err.fault(r.writes)
		}
		stale = way
	}
}

// freshWay returns a way other than the stale one, by signing in if need be.
func (s *session) freshWay(ctx context.Context, stale way) (way, error) {
	s.signIn.Lock()
	defer s.signIn.Unlock()
	if way := s.current(); way != nil && way != stale {
		return way, nil
	}
	found, err := s.findWay(ctx)
	if err != nil {
		return nil, err
	}
	s.signed(found.name())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way = found
	return found, nil
}

func (s *session) current() way {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.way
}

// renew stores the new cookie that Odoo may give a session in use.
func (s *session) renew(used way, given string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, isCookie := used.(*cookieWay); isCookie && given != "" && s.way == used {
		s.way = &cookieWay{given}
	}
}

// drop makes the next call sign in.
func (s *session) drop(used way) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.way == used {
		s.way = nil
	}
}

// reply is a reply of Odoo.
type reply struct {
	err    *rpcError
	cookie string
}

// posting is what is sent to Odoo.
type posting struct {
	path   string
	header http.Header // besides the type of the content
	body   any
	writes bool
	plain  bool // JSON-2: the result, or the error, is the whole body
}

// rpc makes one JSON-RPC call.
func (s *session) rpc(ctx context.Context, path, cookie string, writes bool, params, result any) (reply, error) {
	p := posting{path: path, writes: writes, body: map[string]any{"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}}
	if cookie != "" {
		p.header = http.Header{"Cookie": {sessionCookie + "=" + cookie}}
	}
	return s.exchange(ctx, p, result)
}

// exchange makes one call. Its error says that there is no reply of Odoo; an
// error of Odoo is in the reply. result stays as it is if Odoo sent none.
// What is read of a reply is bounded (reply.go).
func (s *session) exchange(ctx context.Context, p posting, result any) (reply, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // domains are full of & and >
	if err := encoder.Encode(p.body); err != nil {
		return reply{}, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "Encoding", Cause: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+p.path, &body)
	if err != nil {
		return reply{}, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAddress", Cause: err}
	}
	for name, values := range p.header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	if !p.writes {
		req.Header["Idempotency-Key"] = []string{} // net/http's mark; it is not sent
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return reply{}, noReply(p.writes, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" {
		return reply{}, notOdoo(p.writes, resp)
	}
	refusal, err := p.read(resp, result)
	switch {
	case resp.StatusCode != http.StatusOK && refusal == nil:
		return reply{}, notOdoo(p.writes, resp)
	case err != nil:
		return reply{}, noReply(p.writes, err)
	}
	return reply{err: refusal, cookie: givenCookie(resp)}, nil
}

// read decodes the result, or the error of Odoo.
func (p posting) read(resp *http.Response, result any) (*rpcError, error) {
	message := message{result: result}
	switch {
	case !p.plain:
		err := message.read(resp.Body)
		return message.err, err
	case resp.StatusCode == http.StatusOK:
		return nil, message.readResult(resp.Body)
	}
	message.err = &rpcError{status: resp.StatusCode}
	err := message.readError(resp.Body)
	if err != nil || message.err.Data.Name == "" {
		return nil, err
	}
	return message.err, nil
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
