package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"openg2p.org/mts-connector/shared/api"
)

// session has the calls below /console/session.
type session struct {
	Options
	page    string // address of the page
	cookies cookies
	issuer  *issuer
}

// Codes of problems, and the reasons with which the page is told that a sign-in failed.
const (
	codeSignedOut = "not_signed_in"
	codeEnded     = "session_ended" // the issuer refuses the refresh token
	codeNotSetUp  = "not_set_up"
	codeAway      = "issuer_away"
	codeCrossSite = "cross_site"
	codeTooLong   = "too_long"
	codeFailed    = "failed"

	reasonState   = "state"   // the reply of the issuer is not to this browser's question
	reasonExpired = "expired" // signing in took too long
	reasonRefused = "refused" // the issuer refuses
)

// refusal is a problem that a program tells by its code.
type refusal struct {
	*api.Problem
	Code  string `json:"code"`
	Label string `json:"label,omitempty"`
	// What the issuer must be told of the console: where it sends people who have signed
	// in, and who have signed out.
	Redirect  string `json:"redirect,omitempty"`
	SignedOut string `json:"signed_out,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
}

// refuse replies with a refusal, and logs those that somebody should look at.
func (s *session) refuse(w http.ResponseWriter, r *http.Request, code string, cause error) {
	problem := func(status int, title, detail string) *api.Problem {
		return api.NewProblem(api.ProblemType{Status: status, Title: title}, detail)
	}
	reply := refusal{Code: code, Label: s.Label}
	switch code {
	case codeSignedOut:
		reply.Problem = problem(http.StatusUnauthorized, "Not signed in", "There is no session, or it has ended. Sign in.")
	case codeEnded:
		reply.Problem = problem(http.StatusUnauthorized, "The session has ended", "The issuer has ended the session, or another page has renewed it at the same time. Try once more, then sign in.")
	case codeNotSetUp:
		reply.Redirect, reply.SignedOut, reply.Issuer = s.callbackAddress(), s.signedOutAddress(), s.Issuer
		// Not 5xx: anybody can ask, and an alarm counts those.
		reply.Problem = problem(http.StatusConflict, "Sign-in is not set up", "The deployment has no client secret for the console. Make a confidential client at the issuer with this redirect address, and deploy with ConsoleClientId and ConsoleClientSecret.")
		if errors.Is(cause, errClient) {
			reply.Detail = "The issuer refuses the console's client. Deploy with the ConsoleClientId and the ConsoleClientSecret that it has at the issuer."
		}
	case codeAway:
		reply.Problem = problem(http.StatusBadGateway, "The issuer does not answer", "The server that signs people in does not answer, or not as expected. Try again in a moment.")
	case codeCrossSite:
		reply.Problem = problem(http.StatusForbidden, "From another site", "Only the console itself may call this: the header X-Console must be 1.")
	case codeTooLong:
		reply.Problem = problem(http.StatusBadGateway, "Too long for a cookie", "This issuer's refresh token is too long: with its name it must fit into a cookie of 4,096 bytes.")
	default:
		reply.Problem = failed()
	}
	if reply.Status >= http.StatusInternalServerError || errors.Is(cause, errClient) {
		s.Log.ErrorContext(r.Context(), "session failed", "route", r.Pattern, "why", code, "fault", fault(cause))
	}
	if reply.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Session")
	}
	api.Reply(w, reply.Status, reply)
}

// fault names a cause without its text, which may repeat what was sent.
func fault(err error) string {
	if coded, ok := errors.AsType[interface {
		error
		Code() string
	}](err); ok {
		return coded.Code()
	}
	if reply, ok := errors.AsType[*oauth2.RetrieveError](err); ok && oauthCode.MatchString(reply.ErrorCode) {
		return reply.ErrorCode
	}
	return api.Kind(err)
}

// oauthCode is the form of the codes of RFC 6749.
var oauthCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// code is the code for an error.
func code(err error) string {
	switch {
	case errors.Is(err, errAway):
		return codeAway
	case errors.Is(err, errClient), errors.Is(err, errNoSecret):
		return codeNotSetUp
	case errors.Is(err, errSignedOut):
		return codeSignedOut
	case errors.Is(err, errTooLong):
		return codeTooLong
	case errors.Is(err, errRefused):
		return reasonRefused
	}
	return codeFailed
}

var (
	errNoSecret  = errors.New("there is no client secret")
	errSignedOut = errors.New("there is no session")
)

func (s *session) callbackAddress() string { return s.page + "/session/callback" }

func (s *session) signedOutAddress() string { return s.page + "/session/signed-out" }

// secret is the client secret, or errNoSecret. Without one there are no keys either.
func (s *session) secret(ctx context.Context) (string, error) {
	secret, err := s.Secret(ctx)
	if err == nil && secret == "" {
		err = errNoSecret
	}
	return secret, err
}

// config is what oauth2 needs of the client and of the issuer's endpoints.
func (s *session) config(ctx context.Context) (*endpoints, oauth2.Config, error) {
	secret, err := s.secret(ctx)
	if err != nil {
		return nil, oauth2.Config{}, err
	}
	found, err := s.issuer.discover(ctx)
	if err != nil {
		return nil, oauth2.Config{}, err
	}
	return found, oauth2.Config{
		ClientID: s.ClientID, ClientSecret: secret, Endpoint: found.oauth,
		RedirectURL: s.callbackAddress(), Scopes: append([]string{"openid"}, s.Scopes...),
	}, nil
}

// login sends the browser to the issuer. Of its parameters to is where the page goes on
// afterwards, and lang the language in which the issuer shall speak.
func (s *session) login(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	defer cancel()
	_, config, err := s.config(ctx)
	if err != nil {
		s.signIn(w, r, code(err), err)
		return nil
	}
	state := loginState{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Target: target(r.URL.Query().Get("to")), Until: s.Clock.Now().Add(loginLife).Unix(),
	}
	if err := s.cookies.set(ctx, w, forLogin, state); err != nil {
		s.signIn(w, r, code(err), err)
		return nil
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(state.Verifier), oauth2.SetAuthURLParam("nonce", state.Nonce)}
	if lang := r.URL.Query().Get("lang"); language.MatchString(lang) {
		options = append(options, oauth2.SetAuthURLParam("ui_locales", lang))
	}
	redirect(w, config.AuthCodeURL(state.State, options...))
	return nil
}

// language is the form of a language tag.
var language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$`)

// longestTarget is what is kept of where the page goes on.
const longestTarget = 1000

// target is a place in the page, "#/…", and "#/" for anything else. So no address leads
// out of the console.
func target(to string) string {
	const home = "#/"
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, home) || u.Scheme != "" || u.Host != "" || u.Path != "" || u.RawQuery != "" {
		return home
	}
	if to = "#" + u.EscapedFragment(); len(to) > longestTarget || !strings.HasPrefix(to, home) {
		return home
	}
	return to
}

// callback takes the reply of the issuer.
func (s *session) callback(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	defer cancel()
	query := r.URL.Query()
	s.cookies.drop(w, forLogin) // a reply counts once
	var login loginState
	_, err := s.secret(ctx)
	if err == nil {
		err = s.cookies.get(ctx, r, forLogin, &login)
	}
	switch {
	case errors.Is(err, http.ErrNoCookie):
		s.signIn(w, r, reasonExpired, nil) // browsers drop it at its end
		return nil
	case errors.Is(err, errNotSealed):
		s.signIn(w, r, reasonState, nil)
		return nil
	case err != nil:
		s.signIn(w, r, code(err), err)
		return nil
	case s.Clock.Now().Unix() >= login.Until:
		s.signIn(w, r, reasonExpired, nil)
		return nil
	case login.State == "" || !same(query.Get("state"), login.State):
		s.signIn(w, r, reasonState, nil)
		return nil
	case query.Has("iss") && query.Get("iss") != s.Issuer: // RFC 9207: the reply of another issuer
		s.signIn(w, r, reasonState, nil)
		return nil
	}
	if refused := query.Get("error"); refused != "" || query.Get("code") == "" {
		reason := reasonRefused
		if refused == "temporarily_unavailable" || refused == "server_error" {
			reason = codeAway
		}
		s.signIn(w, r, reason, nil)
		return nil
	}
	found, config, err := s.config(ctx)
	if err == nil {
		var got granted
		if got, err = s.issuer.exchange(ctx, found, config, query.Get("code"), login); err == nil {
			err = s.keep(ctx, w, got)
		}
	}
	if err != nil {
		s.signIn(w, r, code(err), err)
		return nil
	}
	s.Log.InfoContext(r.Context(), "signed in")
	redirect(w, s.page+target(login.Target))
	return nil
}

// signIn sends the browser to the page, which says why the sign-in failed.
func (s *session) signIn(w http.ResponseWriter, r *http.Request, reason string, cause error) {
	if cause != nil {
		s.Log.WarnContext(r.Context(), "sign-in failed", "why", reason, "fault", fault(cause))
	}
	redirect(w, s.page+"#/sign-in?reason="+reason)
}

// redirect sends the browser to an address of the issuer, or of the page. It is the one
// status of a redirect that package gateway lets through.
func redirect(w http.ResponseWriter, address string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusFound)
}

// own reports whether a request is of the page itself: a header that no form can send,
// and where the browser says from where it comes, from there.
func own(r *http.Request) bool {
	from := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("X-Console") == "1" && (from == "" || from == "same-origin")
}

// leastLeft is for how long an access token must still be valid to be handed out again.
const leastLeft = 10 * time.Second

// token is an access token for the API: the one that was handed out last, if it is still
// valid and younger than the one that the page has; else a new one. A page says by the
// parameter after when its own one ends.
func (s *session) token(w http.ResponseWriter, r *http.Request) error {
	if !own(r) {
		s.refuse(w, r, codeCrossSite, nil)
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	defer cancel()
	kept, err := s.kept(ctx, w, r)
	if err != nil {
		s.refuse(w, r, code(err), err)
		return nil
	}
	var held accessState
	if s.cookies.get(ctx, r, forAccess, &held) == nil && held.Person == kept.Person {
		expires := time.Unix(held.Expires, 0)
		after, _ := time.Parse(time.RFC3339, r.URL.Query().Get("after")) // else long ago
		if expires.Sub(s.Clock.Now()) >= leastLeft && expires.After(after) {
			s.handOut(w, held)
			return nil
		}
	}
	_, config, err := s.config(ctx)
	if err != nil {
		s.refuse(w, r, code(err), err)
		return nil
	}
	got, err := s.issuer.refresh(ctx, config, kept.Refresh)
	if err == nil {
		got.person = kept.Person
		err = s.keep(ctx, w, got)
	}
	switch reason := code(err); {
	case err == nil:
		s.handOut(w, got.state())
	case reason == reasonRefused:
		// The cookie stays: a page that used the refresh token at the same time may have
		// put the next one there meanwhile.
		s.refuse(w, r, codeEnded, nil)
	default:
		s.refuse(w, r, reason, err)
	}
	return nil
}

// handOut replies with an access token, and whose it is.
func (s *session) handOut(w http.ResponseWriter, held accessState) {
	api.Reply(w, http.StatusOK, map[string]string{
		"token": held.Token, "expires": time.Unix(held.Expires, 0).UTC().Format(time.RFC3339), "person": held.Person, "label": s.Label,
	})
}

// keep seals what the issuer has granted into the cookies. An access token that is too
// long for one is asked for each time.
func (s *session) keep(ctx context.Context, w http.ResponseWriter, got granted) error {
	if err := s.cookies.set(ctx, w, forSession, sessionState{got.refresh, got.person}); err != nil {
		return err
	}
	err := s.cookies.set(ctx, w, forAccess, got.state())
	if errors.Is(err, errTooLong) {
		s.cookies.drop(w, forAccess)
		return nil
	}
	return err
}

// kept is the session of a request: errNoSecret where nobody can have one, errSignedOut
// if there is none. A cookie that is none of ours is dropped.
func (s *session) kept(ctx context.Context, w http.ResponseWriter, r *http.Request) (kept sessionState, err error) {
	if _, err := s.secret(ctx); err != nil {
		return kept, err
	}
	switch err := s.cookies.get(ctx, r, forSession, &kept); {
	case errors.Is(err, errNotSealed):
		s.cookies.drop(w, forSession)
		return kept, errSignedOut
	case errors.Is(err, http.ErrNoCookie):
		return kept, errSignedOut
	default:
		return kept, err
	}
}

// logout drops the session here and at the issuer, and returns the address at which the
// issuer ends its own. An issuer that does not answer keeps nobody signed in here.
func (s *session) logout(w http.ResponseWriter, r *http.Request) error {
	if !own(r) {
		s.refuse(w, r, codeCrossSite, nil)
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	defer cancel()
	s.cookies.drop(w, forSession)
	s.cookies.drop(w, forAccess)
	address := ""
	if found, config, err := s.config(ctx); err == nil {
		var kept sessionState
		held := s.cookies.get(ctx, r, forSession, &kept) == nil
		if found.endSession != "" {
			address = s.endSession(found.endSession, r.URL.Query().Get("lang"))
		}
		if held && found.revocation != "" {
			if err := s.issuer.revoke(ctx, found, config, kept.Refresh); err != nil {
				s.Log.WarnContext(r.Context(), "refresh token not revoked", "fault", fault(err))
			}
		}
	}
	api.Reply(w, http.StatusOK, map[string]string{"address": address})
	return nil
}

// endSession is where the browser goes to end the session at the issuer (OpenID Connect
// RP-Initiated Logout 1.0, 2). It names the client and not the ID token, because an
// address is kept by browsers and logs; some issuers ask the person then, in a language.
func (s *session) endSession(endpoint, lang string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	query := u.Query()
	query.Set("client_id", s.ClientID)
	query.Set("post_logout_redirect_uri", s.signedOutAddress())
	if language.MatchString(lang) {
		query.Set("ui_locales", lang)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// signedOut is where the issuer sends the browser after that. It ends nothing, because
// every page can send a browser here.
func (s *session) signedOut(w http.ResponseWriter, _ *http.Request) error {
	redirect(w, s.page+"#/signed-out")
	return nil
}

// same compares secrets in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
