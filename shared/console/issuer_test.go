package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	clientID     = "mts-console"
	clientSecret = "secret of the client/+"
)

// fakeIssuer is an issuer with state: codes and refresh tokens count once.
type fakeIssuer struct {
	t      *testing.T
	server *httptest.Server
	now    func() time.Time
	signer jose.Signer
	keys   jose.JSONWebKeySet

	mu       sync.Mutex
	calls    map[string]int        // by path
	codes    map[string]url.Values // of authorization requests
	refresh  map[string]bool       // valid ones
	issued   int
	document map[string]any // changes of the discovery document
	claims   map[string]any // changes of ID tokens
	reply    map[string]any // changes of the token endpoint's reply
	status   map[string]int // by path: answered with this status instead
	error    string         // of the token endpoint
}

func newIssuer(t *testing.T, now func() time.Time) *fakeIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: string(jose.ES256), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &fakeIssuer{
		t: t, now: now, signer: signer, keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}},
		calls: map[string]int{}, codes: map[string]url.Values{}, refresh: map[string]bool{}, status: map[string]int{},
	}
	i.server = httptest.NewServer(i)
	t.Cleanup(i.server.Close)
	return i
}

func (i *fakeIssuer) address() string { return i.server.URL + "/realms/r" }

func (i *fakeIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/realms/r")
	i.calls[path]++
	if status := i.status[path]; status != 0 {
		w.WriteHeader(status)
		return
	}
	switch path {
	case "/.well-known/openid-configuration":
		document := map[string]any{
			"issuer": i.address(), "jwks_uri": i.address() + "/keys", "authorization_endpoint": i.address() + "/auth",
			"token_endpoint": i.address() + "/token", "end_session_endpoint": i.address() + "/end?theme=x", "revocation_endpoint": i.address() + "/revoke",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		}
		for name, value := range i.document {
			document[name] = value
		}
		i.answer(w, http.StatusOK, document)
	case "/keys":
		i.answer(w, http.StatusOK, i.keys)
	case "/token":
		i.token(w, r)
	case "/revoke":
		delete(i.refresh, r.PostFormValue("token"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (i *fakeIssuer) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// authenticated checks the client as RFC 6749, 2.3.1 says.
func (i *fakeIssuer) authenticated(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	if !basic {
		return r.PostFormValue("client_id") == clientID && r.PostFormValue("client_secret") == clientSecret
	}
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	return err1 == nil && err2 == nil && id == clientID && secret == clientSecret
}

func (i *fakeIssuer) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(code string) {
		i.answer(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": "Vera Viewer"})
	}
	if i.error != "" {
		refuse(i.error)
		return
	}
	if !i.authenticated(r) {
		refuse("invalid_client")
		return
	}
	nonce := ""
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		asked, there := i.codes[r.PostFormValue("code")]
		delete(i.codes, r.PostFormValue("code"))
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if !there || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") {
			refuse("invalid_grant")
			return
		}
		nonce = asked.Get("nonce")
	case "refresh_token":
		old := r.PostFormValue("refresh_token")
		if !i.refresh[old] {
			refuse("invalid_grant")
			return
		}
		delete(i.refresh, old)
	}
	i.issued++
	refresh := fmt.Sprintf("refresh-%d", i.issued)
	i.refresh[refresh] = true
	claims := map[string]any{"iss": i.address(), "aud": clientID, "sub": "u1", "exp": i.now().Add(time.Minute).Unix(), "iat": i.now().Unix(), "nonce": nonce}
	for name, value := range i.claims {
		claims[name] = value
	}
	id, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Error(err)
	}
	reply := map[string]any{"access_token": fmt.Sprintf("access-%d", i.issued), "token_type": "Bearer", "expires_in": 300, "refresh_token": refresh, "id_token": id}
	for name, value := range i.reply {
		reply[name] = value
		if value == nil {
			delete(reply, name)
		}
		if text, ok := value.(string); ok && name == "refresh_token" {
			i.refresh[text] = true
		}
	}
	i.answer(w, http.StatusOK, reply)
}

// authorize is what the browser does at the authorization endpoint: it returns a code
// for the request that the address makes.
func (i *fakeIssuer) authorize(address string) (code string, asked url.Values) {
	i.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !strings.HasPrefix(address, i.address()+"/auth?") {
		i.t.Fatalf("sent to %s", address)
	}
	code = rand.Text()
	i.codes[code] = u.Query()
	return code, u.Query()
}
