package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// apiKey returns the password without what is copied with it (spaces, line breaks,
// marks that nobody sees, quotes, "Bearer") if that has the form of an Odoo API key,
// which is 20 random bytes, else "" (facts/odoo.md F1).
func apiKey(password string) string {
	key := strings.Trim(seeding.CleanToken(strings.Join(strings.Fields(password), "")), keyQuotes)
	if len(key) > len(bearer) && strings.EqualFold(key[:len(bearer)], bearer) {
		key = strings.TrimLeft(key[len(bearer):], keyQuotes)
	}
	if keyForm.MatchString(key) {
		return key
	}
	return ""
}

const (
	bearer    = "Bearer"
	keyQuotes = "\"'`“”‘’«»,;:"
)

var (
	keyForm  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	idNumber = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)
)

// findWay signs in. After ten failed attempts Odoo refuses everybody at the same
// address for a minute, with the right password too, so at most one of the calls
// here counts as a failed attempt (facts/odoo.md F2):
//
//   - What has no form of an API key is a password: a session. Only where a
//     firewall or proxy keeps sessions away, so that nobody tried the password,
//     execute_kw.
//   - A key: JSON-2, where failures do not count. An Odoo without JSON-2 takes keys
//     and passwords by execute_kw. One that has it and refuses the key may be meant
//     a password of that form: a session.
func (s *session) findWay(ctx context.Context) (way, error) {
	key := apiKey(s.password)
	if key == "" {
		found, err := s.byPassword(ctx)
		if !absent(err) {
			return found, err
		}
		if other, errOther := s.byExecute(ctx, s.password, false); !absent(errOther) {
			return other, errOther
		}
		return nil, err
	}
	found, err := s.byKey(ctx, key)
	switch {
	case refused(err, keyRefused):
		found, errPassword := s.byPassword(ctx)
		if refused(errPassword, accessDenied) || absent(errPassword) {
			return nil, err
		}
		return found, errPassword
	case !absent(err):
		return found, err
	}
	if found, err = s.byExecute(ctx, key, true); !absent(err) {
		return found, err
	}
	return s.byPassword(ctx)
}

// absent reports whether nobody looked at the password, because a page of this
// kind is not there or is kept away.
func absent(err error) bool {
	fault, ok := errors.AsType[*seeding.Fault](err)
	return ok && fault.Kind == seeding.RefusedRequest &&
		slices.Contains([]string{seeding.HTTPCode(http.StatusForbidden), seeding.HTTPCode(http.StatusNotFound), seeding.HTTPCode(http.StatusMethodNotAllowed)}, fault.Code)
}

func refused(err error, code string) bool {
	fault, ok := errors.AsType[*seeding.Fault](err)
	return ok && fault.Kind == seeding.RefusedSignIn && fault.Code == code
}

// byPassword opens a session.
func (s *session) byPassword(ctx context.Context) (way, error) {
	// The call goes without the old cookie: with it Odoo would end the old
	// session, which another function may be using.
	var info struct {
		UID json.RawMessage `json:"uid"`
	}
	response, err := s.rpc(ctx, "/web/session/authenticate", "", false,
		map[string]string{"db": s.access.Database, "login": s.access.Username, "password": s.password}, &info)
	if fault, ok := errors.AsType[*seeding.Fault](err); ok && fault.Code == seeding.HTTPCode(http.StatusInternalServerError) {
		return nil, s.explain(ctx, fault)
	}
	if err != nil {
		return nil, err
	}
	if response.err != nil {
		return nil, s.refusal(ctx, response.err)
	}
	// A failed sign-in sets a cookie too; only the uid shows that it succeeded
	// (facts/odoo.md A4). It is null for a user with the right password whose
	// second factor is missing (facts/odoo.md F3).
	switch uid := string(info.UID); {
	case uid == "null":
		return nil, refusedSignIn(secondFactor)
	case uid == "false" || uid == "0":
		return nil, refusedSignIn(accessDenied)
	case !idNumber.MatchString(uid):
		return nil, unanswered(false, notRPC, nil)
	}
	if response.cookie == "" {
		return nil, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "NoSession"}
	}
	return &cookieWay{response.cookie}, nil
}

// byKey tries JSON-2, which knows the user by the key alone. A key of another user
// than the configured one is refused, as every other way does.
func (s *session) byKey(ctx context.Context, key string) (way, error) {
	w := &bearerWay{key}
	ask := func(r request, result any) error {
		response, err := w.call(ctx, s, r, result)
		switch {
		case err != nil:
			return err
		case response.err == nil:
			return nil
		case response.err.refusedKey(w):
			return refusedSignIn(keyRefused)
		case response.err.class() == "NotFound": // an older Odoo may say so in JSON
			return &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.HTTPCode(http.StatusNotFound)}
		}
		return response.err.signInFault(s.access.Database)
	}
	var holder struct {
		UID int64 `json:"uid"`
	}
	if err := ask(request{model: "res.users", method: "context_get"}, &holder); err != nil {
		return nil, err
	}
	if holder.UID == 0 {
		return w, nil
	}
	var users []struct {
		Login text `json:"login"`
	}
	err := ask(request{model: "res.users", method: "read", arg: []int64{holder.UID}, kwargs: map[string]any{"fields": []string{"login"}}}, &users)
	if err != nil && seeding.FaultOf(err).Kind == seeding.Unreachable {
		return nil, err
	}
	if len(users) == 1 && !strings.EqualFold(string(users[0].Login), s.access.Username) {
		return nil, refusedSignIn(keyOfAnother)
	}
	return w, nil
}

// byExecute finds the user's id, which execute_kw wants with every call.
func (s *session) byExecute(ctx context.Context, secret string, key bool) (way, error) {
	w := &executeWay{secret: secret, key: key, cookie: s.databaseCookie(ctx)}
	var uid any
	response, err := s.service(ctx, "common", "login", w.cookie, false, []any{s.access.Database, s.access.Username, secret}, &uid)
	if fault, ok := errors.AsType[*seeding.Fault](err); ok && fault.Code == seeding.HTTPCode(http.StatusInternalServerError) && s.missesDatabase(ctx) {
		return nil, noDatabase()
	}
	if err != nil {
		return nil, err
	}
	if response.err != nil {
		return nil, s.refusal(ctx, response.err)
	}
	switch id := uid.(type) {
	case json.Number:
		if w.uid, err = id.Int64(); err == nil && w.uid > 0 {
			return w, nil
		}
	case bool:
		return nil, refusedSignIn(w.refusal())
	}
	return nil, unanswered(false, notRPC, nil)
}

// databaseCookie returns the cookie of a session of nobody that names the
// database, or "". A server with several databases sends an error page instead of
// any error to calls without it (facts/odoo.md A1.4, F4).
func (s *session) databaseCookie(ctx context.Context) string {
	page := s.base + "/web?" + url.Values{"db": {s.access.Database}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return ""
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	return givenCookie(resp)
}

// explain finds out why a sign-in ended in an error page. An Odoo with several
// databases sends it for a wrong password and an unknown database too
// (facts/odoo.md A1.4), but its common.login returns false, and it lists its
// databases.
func (s *session) explain(ctx context.Context, page *seeding.Fault) error {
	if s.missesDatabase(ctx) {
		return noDatabase()
	}
	var uid any
	response, err := s.service(ctx, "common", "login", "", false, []any{s.access.Database, s.access.Username, s.password}, &uid)
	if err == nil && response.err == nil && uid == false {
		return refusedSignIn(accessDenied)
	}
	return page
}

// refusal is the meaning of an error of the sign-in. PostgreSQL says in its own
// language that a database does not exist, so the list of databases is asked too.
func (s *session) refusal(ctx context.Context, e *rpcError) error {
	fault := e.signInFault(s.access.Database)
	if fault.Code == "OperationalError" && s.missesDatabase(ctx) {
		return noDatabase()
	}
	return fault
}

// missesDatabase reports whether the server lists its databases, and the
// configured one is not among them.
func (s *session) missesDatabase(ctx context.Context) bool {
	var databases []string
	response, err := s.service(ctx, "db", "list", "", false, []any{}, &databases)
	return err == nil && response.err == nil && len(databases) > 0 && !slices.Contains(databases, s.access.Database)
}
