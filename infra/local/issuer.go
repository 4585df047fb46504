package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Lifetime is how long a token of the issuer is valid.
const Lifetime = time.Hour

// Issuer is an OpenID Connect issuer on loopback, with a new key at every start.
// It serves discovery, the key set, a token endpoint for the client credentials of one
// client, and sign-in of people to the console.
type Issuer struct {
	server   *http.Server
	address  string
	audience string
	secret   string
	keys     jose.JSONWebKeySet
	signer   jose.Signer
	signIns  *signIns
}

// IssuerOptions say whose tokens an issuer makes.
type IssuerOptions struct {
	// Audience of the access tokens.
	Audience string
	// Console is the base address of the API whose console people may sign in to.
	// Default: none.
	Console string
	// SessionLifetime is how long their access tokens are valid. Default:
	// SessionLifetime.
	SessionLifetime time.Duration
	// Reuse is how often a refresh token may be used again before the next one was used:
	// its reply may have been lost. Default: never.
	Reuse int
}

// The id of the client for programs.
const client = "developer"

const administrator = "administrator"

// StartIssuer starts an issuer on a free port.
func StartIssuer(ctx context.Context, o IssuerOptions) (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	private := jose.JSONWebKey{Key: key, KeyID: rand.Text(), Algorithm: string(jose.RS256), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: private}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &Issuer{
		address:  "http://" + listener.Addr().String(),
		audience: o.Audience,
		secret:   rand.Text(),
		keys:     jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}},
		signer:   signer,
		signIns:  newSignIns(o),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, i.keys) })
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /authorize", i.authorize)
	mux.HandleFunc("POST /revoke", i.revoke)
	mux.HandleFunc("GET /end-session", i.endSession)
	i.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = i.server.Serve(listener) }()
	return i, nil
}

// Address is the issuer as its tokens name it.
func (i *Issuer) Address() string { return i.address }

// Client is the id and the secret of the client for programs, which the token endpoint,
// /token at the issuer's address, asks for.
func (i *Issuer) Client() (id, secret string) { return client, i.secret }

// Token is an access token for the audience, valid for an hour, with roles as Keycloak
// writes them.
func (i *Issuer) Token(subject string, roles []string, scopes ...string) string {
	return i.access(subject, subject, roles, scopes, Lifetime, nil)
}

func (i *Issuer) access(subject, client string, roles, scopes []string, lifetime time.Duration, more map[string]any) string {
	now := time.Now()
	claims := map[string]any{
		"iss":       i.address,
		"aud":       i.audience,
		"sub":       subject,
		"client_id": client,
		"scope":     strings.Join(scopes, " "),
		"typ":       "Bearer",
		"realm_access": map[string]any{
			"roles": append([]string{"offline_access"}, roles...),
		},
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(lifetime).Unix(),
	}
	maps.Copy(claims, more)
	return i.Sign(claims)
}

// Sign is a token with exactly these claims, which may be wrong ones.
func (i *Issuer) Sign(claims map[string]any) string {
	token, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	if err != nil {
		panic(fmt.Sprintf("local: claims that are not JSON: %v", err)) // nothing else can fail
	}
	return token
}

// Stop ends the issuer.
func (i *Issuer) Stop() { _ = i.server.Close() }

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"issuer":                           i.address,
		"jwks_uri":                         i.address + "/keys",
		"token_endpoint":                   i.address + "/token",
		"authorization_endpoint":           i.address + "/authorize",
		"revocation_endpoint":              i.address + "/revoke",
		"end_session_endpoint":             i.address + "/end-session",
		"grant_types_supported":            []string{"client_credentials", "authorization_code", "refresh_token"},
		"code_challenge_methods_supported": []string{"S256"},
		"scopes_supported":                 []string{"openid", "profile"},
		"authorization_response_iss_parameter_supported": true,
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic", "client_secret_post"},
		"response_types_supported":                       []string{"code"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []jose.SignatureAlgorithm{jose.RS256},
	})
}

// Roles are those of the API, with the names that the template gives them.
var Roles = []string{"viewer", "operator", administrator}

// clientOf are the credentials of a client (RFC 6749, 2.3.1). ok is false if the request was
// answered, because it cannot be read.
func clientOf(w http.ResponseWriter, r *http.Request) (id, secret string, ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request")
		return "", "", false
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	return id, secret, true
}

// token is the client credentials grant (RFC 6749, 4.4), and for the console's client
// the grants of people. The form's role, which no standard knows, is the one that a
// token of a program has; administrator if it has none.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := clientOf(w, r)
	if !ok {
		return
	}
	role := cmp.Or(r.PostForm.Get("role"), administrator)
	switch {
	case i.signIns.knows(id, secret):
		i.redeem(w, r.PostForm)
	case id != client || subtle.ConstantTimeCompare([]byte(secret), []byte(i.secret)) == 0:
		w.Header().Set("WWW-Authenticate", "Basic")
		refuse(w, http.StatusUnauthorized, "invalid_client")
	case r.PostForm.Get("grant_type") != "client_credentials":
		refuse(w, http.StatusBadRequest, "unsupported_grant_type")
	case !slices.Contains(Roles, role):
		refuse(w, http.StatusBadRequest, "invalid_request")
	default:
		scopes := strings.Fields(r.PostForm.Get("scope"))
		w.Header().Set("Cache-Control", "no-store")
		reply(w, http.StatusOK, map[string]any{
			"access_token": i.Token(id, []string{role}, scopes...),
			"token_type":   "Bearer",
			"expires_in":   int(Lifetime.Seconds()),
			"scope":        strings.Join(scopes, " "),
		})
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	reply(w, status, map[string]string{"error": code})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away
}
