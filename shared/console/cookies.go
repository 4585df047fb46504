package console

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"openg2p.org/mts-connector/shared/seeding"
)

// loginState is what is remembered from the way to the issuer until the way back.
type loginState struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE
	Target   string `json:"target"`   // in the page: "#/…"
	Until    int64  `json:"until"`    // seconds since 1970
}

// sessionState is the session.
type sessionState struct {
	Refresh string `json:"refresh"`          // the refresh token
	Person  string `json:"person,omitempty"` // the subject of the ID token
}

// accessState is an access token that a page may have as long as it is valid. So a page
// that is loaded again uses no refresh token, which would end the session if two pages
// did so at once.
type accessState struct {
	Token   string `json:"token"`
	Expires int64  `json:"expires"` // seconds since 1970
	Person  string `json:"person,omitempty"`
}

const (
	// loginLife is how long somebody may take to sign in.
	loginLife = 10 * time.Minute
	// longestCookie is what browsers keep of a cookie, with its name and attributes
	// (RFC 6265, 6.1).
	longestCookie = 4096
	// longestAccess is what is kept of an access token. It goes with every call of the API
	// beside the session and the bearer, and API Gateway takes 10,240 bytes of headers.
	longestAccess = 2500
)

// errTooLong says that what has to be kept does not fit into a cookie.
var errTooLong = errors.New("longer than a cookie can be")

// errNotSealed says that a text was not sealed by this deployment for this purpose, or
// with a key that it does not have any more.
var errNotSealed = errors.New("not sealed here")

// sealer encrypts and authenticates texts for one purpose: JWE with direct encryption by
// AES-256-GCM, with the id of the key as kid.
type sealer struct{ keys seeding.Keyring }

// cipher is the key of a purpose. What is sealed for one purpose opens for no other.
func cipher(key seeding.Key, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, key.Secret, nil, "console "+purpose, 32)
}

func (s sealer) seal(ctx context.Context, purpose string, v any) (string, error) {
	key, err := s.keys.Current(ctx)
	if err != nil {
		return "", err
	}
	secret, err := cipher(key, purpose)
	if err != nil {
		return "", err
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: secret, KeyID: key.ID}, nil)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	sealed, err := encrypter.Encrypt(plain)
	if err != nil {
		return "", err
	}
	return sealed.CompactSerialize()
}

// open returns errNotSealed for anything that seal did not make for the purpose.
func (s sealer) open(ctx context.Context, purpose, text string, v any) error {
	sealed, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return errNotSealed
	}
	key, err := s.keys.ByID(ctx, sealed.Header.KeyID)
	switch {
	case errors.Is(err, seeding.ErrNotFound):
		return errNotSealed
	case err != nil:
		return err
	}
	secret, err := cipher(key, purpose)
	if err != nil {
		return err
	}
	plain, err := sealed.Decrypt(secret)
	if err != nil || json.Unmarshal(plain, v) != nil {
		return errNotSealed
	}
	return nil
}

// cookies keeps sealed values in cookies. Their prefix makes browsers take them from
// this host alone, by https, for the whole host. Deployments below several base paths
// of one host have names of their own.
type cookies struct {
	sealer
	suffix string
}

func newCookies(base string, s sealer) cookies {
	address, err := url.Parse(base)
	if err != nil {
		return cookies{s, ""}
	}
	return cookies{s, strings.ReplaceAll(strings.TrimSuffix(address.Path, "/"), "/", "-")}
}

// The purposes, which are in the names of the cookies.
const (
	forLogin   = "login"
	forSession = "session"
	forAccess  = "access"
)

func (c cookies) name(purpose string) string { return "__Host-" + purpose + c.suffix }

// set seals a value into a cookie. It returns errTooLong if browsers would not keep it.
func (c cookies) set(ctx context.Context, w http.ResponseWriter, purpose string, v any) error {
	text, err := c.seal(ctx, purpose, v)
	if err != nil {
		return err
	}
	cookie, longest := c.cookie(purpose, text), longestCookie
	if purpose == forAccess {
		longest = longestAccess
	}
	if len(cookie.String()) > longest {
		return errTooLong
	}
	http.SetCookie(w, cookie)
	return nil
}

// drop lets the browser forget a cookie.
func (c cookies) drop(w http.ResponseWriter, purpose string) {
	http.SetCookie(w, c.cookie(purpose, ""))
}

// cookie is a cookie with a value; without one it is over. That of a session has no
// lifetime: it ends with the browser, if the issuer does not end it before. The way back
// from the issuer comes from another site, which Strict would leave without a cookie.
func (c cookies) cookie(purpose, value string) *http.Cookie {
	site, life := http.SameSiteStrictMode, 0
	if purpose == forLogin {
		site, life = http.SameSiteLaxMode, int(loginLife.Seconds())
	}
	if value == "" {
		life = -1
	}
	//nolint:gosec // site is one of two, which it does not see
	return &http.Cookie{Name: c.name(purpose), Value: value, Path: "/", MaxAge: life, Secure: true, HttpOnly: true, SameSite: site}
}

// get opens a cookie. It returns http.ErrNoCookie if there is none, errNotSealed for one
// that is not ours.
func (c cookies) get(ctx context.Context, r *http.Request, purpose string, v any) error {
	cookie, err := r.Cookie(c.name(purpose))
	if err != nil || cookie.Value == "" {
		return http.ErrNoCookie
	}
	return c.open(ctx, purpose, cookie.Value, v)
}
