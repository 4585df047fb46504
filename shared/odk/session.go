package odk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"sync"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// session is one account signed in to one Central. It lives as long as the process, so
// that a warm function need not sign in again: that costs Central a third of a second
// of work, and sessions cannot be prolonged (facts/odk.md 2).
type session struct {
	client   *http.Client
	account  account
	password string
	silence  time.Duration
	now      func() time.Time

	signIn sync.Mutex // held while signing in, so that concurrent calls do it once
	mu     sync.Mutex // guards the fields below
	token  string
	clock  Clock            // as the last sign-in has shown it
	fields map[string]known // by the addresses of forms
	// noSelect is set once Central has shown that it cannot choose columns.
	noSelect bool
}

// get asks for something below Central and has the reply used. A session that has ended
// is begun again once; nothing signs in twice for one call, whatever is answered.
func (s *session) get(ctx context.Context, address string, header http.Header, use func(*http.Response) error) error {
	token, fresh, err := s.open(ctx, "")
	if err != nil {
		return err
	}
	for {
		refused, err := s.try(ctx, address, token, header, use)
		switch {
		case err != nil:
			return err
		case !refused:
			return nil
		case fresh:
			return fault(seeding.RefusedSignIn, SessionRefused)
		}
		if token, _, err = s.open(ctx, token); err != nil {
			return err
		}
		fresh = true
	}
}

// try reports whether the session was refused.
func (s *session) try(ctx context.Context, address, token string, header http.Header, use func(*http.Response) error) (refused bool, err error) {
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Authorization", "Bearer "+token)
	err = s.exchange(ctx, http.MethodGet, address, h, nil, func(resp *http.Response) error {
		if resp.StatusCode == http.StatusUnauthorized {
			refused = true
			return nil
		}
		return use(resp)
	})
	return refused, err
}

// open returns a token other than the stale one, and whether it was made now.
func (s *session) open(ctx context.Context, stale string) (token string, fresh bool, err error) {
	s.signIn.Lock()
	defer s.signIn.Unlock()
	s.mu.Lock()
	token = s.token
	s.mu.Unlock()
	if token != "" && token != stale {
		return token, false, nil
	}
	token, clock, err := s.begin(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
	if err == nil {
		s.clock = clock
	}
	return token, true, err
}

var tokenPattern = regexp.MustCompile(`^[A-Za-z0-9!$]+$`)

// isToken counts for itself: with the bounds in the pattern, compiling it took 0.38 ms
// of each cold start.
func isToken(text string) bool {
	return len(text) >= 16 && len(text) <= 256 && tokenPattern.MatchString(text)
}

// begin signs in. Its request may be repeated: it makes one session more.
func (s *session) begin(ctx context.Context) (token string, clock Clock, err error) {
	body, err := json.Marshal(map[string]string{"email": s.account.email, "password": s.password})
	if err != nil {
		return "", Clock{}, fault(seeding.RefusedRequest, "Encoding")
	}
	header := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {}} // net/http's mark; it is not sent
	before := s.now()
	err = s.exchange(ctx, http.MethodPost, s.account.base+"/v1/sessions", header, body, func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return readRefusal(resp).ofSignIn()
		}
		var reply struct {
			Token   string    `json:"token"`
			Created time.Time `json:"createdAt"`
		}
		clock = Clock{Before: before, After: s.now()}
		err := json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&reply)
		if err == nil && !isToken(reply.Token) {
			err = errors.New("no token")
		}
		if err != nil {
			if f := noReply(err); f.Code != BadAnswer && f.Code != BrokenReply {
				return f
			}
			return fault(seeding.RefusedRequest, NotCentral)
		}
		token, clock.Database = reply.Token, reply.Created
		clock.Server, _ = http.ParseTime(resp.Header.Get("Date"))
		return nil
	})
	return token, clock, err
}

// exchange makes one request and has its reply used. Both end when Central is silent
// for too long.
func (s *session) exchange(ctx context.Context, method, address string, header http.Header, body []byte, use func(*http.Response) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := &watch{ctx: ctx, limit: s.silence}
	watch.timer = time.AfterFunc(s.silence, func() { cancel(errSilent) })
	defer watch.timer.Stop()

	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fault(seeding.RefusedRequest, "BadAddress")
	}
	if body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return noReply(watch.explained(err))
	}
	watch.timer.Stop()
	defer func() { _ = resp.Body.Close() }()
	resp.Body = struct {
		io.Reader
		io.Closer
	}{&watched{resp.Body, watch}, resp.Body}
	return use(resp)
}

var errSilent = errors.New("silent for too long")

// watch ends a request after a time without a byte.
type watch struct {
	ctx   context.Context
	limit time.Duration
	timer *time.Timer
}

// explained is the error, or that Central was silent.
func (w *watch) explained(err error) error {
	if err != nil && errors.Is(context.Cause(w.ctx), errSilent) {
		return &seeding.Fault{Kind: seeding.Unreachable, Code: Silent, Cause: err}
	}
	return err
}

// watched is a body whose reads are watched. The time between them is the reader's own.
type watched struct {
	io.Reader
	watch *watch
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.timer.Reset(w.watch.limit)
	n, err := w.Reader.Read(p)
	w.watch.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = w.watch.explained(err)
	}
	return n, err
}
