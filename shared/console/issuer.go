package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// What a call of the issuer may end in, besides success.
var (
	// errAway: the issuer does not answer, or not as an issuer does. The same call may
	// succeed later.
	errAway = errors.New("the issuer does not answer")
	// errClient: the issuer refuses the console's credentials.
	errClient = errors.New("the issuer refuses the client")
	// errRefused: the issuer refuses this sign-in, or the session is over.
	errRefused = errors.New("the issuer refuses")
)

// callLimit bounds each call of the issuer, and all calls of a request.
const callLimit = 8 * time.Second

// discoveryFresh is how long a discovery document counts; after discoveryAgain it is
// asked for again if it could not be read.
const (
	discoveryFresh = time.Hour
	discoveryAgain = time.Minute
)

// issuer finds the endpoints of an OpenID Connect issuer when they are needed first.
type issuer struct {
	address string
	http    *http.Client
	now     func() time.Time

	mu   sync.Mutex
	last *endpoints
	read time.Time
}

// endpoints are those of a discovery document (OpenID Connect Discovery 1.0, 3; RFC
// 8414; OpenID Connect RP-Initiated Logout 1.0, 2.1). endSession and revocation may be
// "".
type endpoints struct {
	provider   *oidc.Provider
	oauth      oauth2.Endpoint
	endSession string
	revocation string
}

// client returns a context by which go-oidc and oauth2 call the issuer.
func (i *issuer) client(ctx context.Context) context.Context { return oidc.ClientContext(ctx, i.http) }

// discover returns the endpoints, or errAway. While the issuer does not answer, those
// that were found before count.
func (i *issuer) discover(ctx context.Context) (*endpoints, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	if i.last != nil && now.Sub(i.read) < discoveryFresh {
		return i.last, nil
	}
	found, err := i.fetch(ctx)
	if err != nil {
		if i.last != nil {
			i.read = now.Add(discoveryAgain - discoveryFresh)
			return i.last, nil
		}
		return nil, errors.Join(errAway, err)
	}
	i.last, i.read = found, now
	return found, nil
}

func (i *issuer) fetch(ctx context.Context) (*endpoints, error) {
	provider, err := oidc.NewProvider(i.client(ctx), i.address)
	if err != nil {
		return nil, err
	}
	var document struct {
		EndSession string   `json:"end_session_endpoint"`
		Revocation string   `json:"revocation_endpoint"`
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&document); err != nil {
		return nil, err
	}
	found := &endpoints{provider: provider, oauth: provider.Endpoint(), endSession: document.EndSession, revocation: document.Revocation}
	if !i.trusts(found.oauth.AuthURL) || !i.trusts(found.oauth.TokenURL) {
		return nil, errors.New("the discovery document has no usable endpoints")
	}
	if !i.trusts(found.endSession) {
		found.endSession = ""
	}
	if !i.trusts(found.revocation) {
		found.revocation = ""
	}
	// Basic is the default where none is listed (Discovery 1.0, 3). It is not found out
	// by trial: a second attempt would use a code or a refresh token twice.
	found.oauth.AuthStyle = oauth2.AuthStyleInHeader
	if len(document.Methods) > 0 && !slices.Contains(document.Methods, "client_secret_basic") {
		found.oauth.AuthStyle = oauth2.AuthStyleInParams
	}
	return found, nil
}

// trusts reports whether an address may be opened: https, or the scheme of the issuer
// itself on the local stack.
func (i *issuer) trusts(address string) bool {
	u, err := url.Parse(address)
	scheme, _, _ := strings.Cut(i.address, "://")
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == scheme && scheme == "http")
}

// granted is a reply of the token endpoint.
type granted struct {
	access, refresh string
	expires         time.Time
	person          string // the subject of the ID token that was verified
}

// state is what is kept of the access token.
func (g granted) state() accessState { return accessState{g.access, g.expires.Unix(), g.person} }

// exchange redeems a code (RFC 6749, 4.1.3; OpenID Connect Core 1.0, 3.1.3). The ID
// token must be of the issuer, for the client, and have the nonce.
func (i *issuer) exchange(ctx context.Context, e *endpoints, config oauth2.Config, code string, login loginState) (granted, error) {
	token, err := config.Exchange(i.client(ctx), code, oauth2.VerifierOption(login.Verifier))
	if err != nil {
		return granted{}, classify(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verifier := e.provider.Verifier(&oidc.Config{ClientID: config.ClientID, Now: i.now})
	id, err := verifier.Verify(i.client(ctx), raw)
	if err != nil {
		if unreachable(err) {
			return granted{}, errors.Join(errAway, err)
		}
		return granted{}, errors.Join(errRefused, err)
	}
	if id.Nonce == "" || !same(id.Nonce, login.Nonce) {
		return granted{}, errors.Join(errRefused, errors.New("another nonce"))
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return granted{}, errors.Join(errRefused, err)
		}
	}
	if token.RefreshToken == "" {
		return granted{}, errors.Join(errRefused, errors.New("no refresh token"))
	}
	got := i.granted(token)
	got.person = id.Subject
	return got, nil
}

// refresh redeems a refresh token (RFC 6749, 6). The one that it returns is the same
// unless the issuer rotates.
func (i *issuer) refresh(ctx context.Context, config oauth2.Config, refresh string) (granted, error) {
	token, err := config.TokenSource(i.client(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return granted{}, classify(err)
	}
	return i.granted(token), nil
}

// revoke lets the issuer forget a refresh token (RFC 7009).
func (i *issuer) revoke(ctx context.Context, e *endpoints, config oauth2.Config, refresh string) error {
	form := url.Values{"token": {refresh}, "token_type_hint": {"refresh_token"}}
	if e.oauth.AuthStyle == oauth2.AuthStyleInParams {
		form.Set("client_id", config.ClientID)
		form.Set("client_secret", config.ClientSecret)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if e.oauth.AuthStyle == oauth2.AuthStyleInHeader {
		request.SetBasicAuth(url.QueryEscape(config.ClientID), url.QueryEscape(config.ClientSecret))
	}
	reply, err := i.http.Do(request)
	if err != nil {
		return errors.Join(errAway, err)
	}
	defer func() { _ = reply.Body.Close() }()
	if reply.StatusCode != http.StatusOK {
		return errRefused
	}
	return nil
}

// unknownLife is assumed of an access token that does not say when it ends.
const unknownLife = time.Minute

func (i *issuer) granted(token *oauth2.Token) granted {
	now := i.now()
	expires := now.Add(unknownLife)
	if token.ExpiresIn > 0 {
		expires = now.Add(time.Duration(token.ExpiresIn) * time.Second)
	} else if end, found := expiry(token.AccessToken); found {
		expires = end
	}
	return granted{access: token.AccessToken, refresh: token.RefreshToken, expires: expires}
}

// expiry is the claim exp of an access token that is a JWT. Nothing is decided by it.
func expiry(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Exp), 0), true
}

// classify says what an error of the token endpoint means (RFC 6749, 5.2). Its text may
// repeat what was sent, and is never shown.
func classify(err error) error {
	reply, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return errors.Join(errAway, err)
	}
	status := reply.Response.StatusCode
	switch code := reply.ErrorCode; {
	case code == "invalid_client", code == "unauthorized_client":
		return errors.Join(errClient, err)
	case code == "invalid_grant":
		return errors.Join(errRefused, err)
	case status >= 500, status == http.StatusTooManyRequests, code == "temporarily_unavailable", code == "server_error", code == "":
		return errors.Join(errAway, err)
	}
	return errors.Join(errRefused, err)
}

// unreachable reports whether a verification failed because the issuer's keys could not
// be read, not because of the token.
func unreachable(err error) bool {
	return strings.HasPrefix(err.Error(), "failed to verify signature: fetching keys")
}
