package local_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"openg2p.org/mts-connector/infra/local"
)

// console is where people are sent back to; nobody listens there.
const console = "http://127.0.0.1:9"

func issuer(t *testing.T) *local.Issuer {
	t.Helper()
	i, err := local.StartIssuer(t.Context(), local.IssuerOptions{Audience: local.Audience, Console: console})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Stop)
	return i
}

// fetch reads a JSON document.
func fetch(t *testing.T, address string, into any) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", address, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
}

// verify checks a token as a relying party does: by discovery and key set.
func verify(t *testing.T, i *local.Issuer, token string) (claims jwt.Claims, scope string) {
	t.Helper()
	var discovery struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	fetch(t, i.Address()+"/.well-known/openid-configuration", &discovery)
	if discovery.Issuer != i.Address() {
		t.Errorf("discovery is of %q, not of %q", discovery.Issuer, i.Address())
	}
	var keys jose.JSONWebKeySet
	fetch(t, discovery.Keys, &keys)
	for _, key := range keys.Keys {
		if !key.IsPublic() {
			t.Fatal("a private key is published")
		}
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var scopes struct {
		Scope string `json:"scope"`
	}
	if err := parsed.Claims(&keys, &claims, &scopes); err != nil {
		t.Fatal(err)
	}
	if err := claims.Validate(jwt.Expected{
		Issuer: i.Address(), AnyAudience: jwt.Audience{local.Audience}, Time: time.Now(),
	}); err != nil {
		t.Error(err)
	}
	return claims, scopes.Scope
}

func TestTokensCanBeVerifiedByDiscovery(t *testing.T) {
	i := issuer(t)
	claims, scope := verify(t, i, i.Token("somebody", []string{"viewer"}, "read", "write"))
	if claims.Subject != "somebody" || scope != "read write" {
		t.Errorf("token of %q for %q", claims.Subject, scope)
	}
}

func TestTokenEndpoint(t *testing.T) {
	i := issuer(t)
	id, secret := i.Client()
	form := func(pairs ...string) url.Values {
		v := url.Values{}
		for pair := range slices.Chunk(pairs, 2) {
			v.Set(pair[0], pair[1])
		}
		return v
	}
	for name, c := range map[string]struct {
		form   url.Values
		basic  string // secret
		status int
		error  string
	}{
		"by form":        {form("grant_type", "client_credentials", "client_id", id, "client_secret", secret, "scope", "a b"), "", 200, ""},
		"by header":      {form("grant_type", "client_credentials", "scope", "a b"), secret, 200, ""},
		"wrong secret":   {form("grant_type", "client_credentials"), "guess", 401, "invalid_client"},
		"no credentials": {form("grant_type", "client_credentials"), "", 401, "invalid_client"},
		"other grant":    {form("grant_type", "password"), secret, 400, "unsupported_grant_type"},
		"a role":         {form("grant_type", "client_credentials", "scope", "a b", "role", "viewer"), secret, 200, ""},
		"no such role":   {form("grant_type", "client_credentials", "role", "king"), secret, 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.Address()+"/token", strings.NewReader(c.form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if c.basic != "" {
				request.SetBasicAuth(id, c.basic)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			var got struct {
				Token   string `json:"access_token"`
				Type    string `json:"token_type"`
				Expires int    `json:"expires_in"`
				Error   string `json:"error"`
			}
			if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != c.status || got.Error != c.error {
				t.Fatalf("got %d %q, want %d %q", response.StatusCode, got.Error, c.status, c.error)
			}
			if c.status != http.StatusOK {
				return
			}
			if got.Type != "Bearer" || got.Expires != 3600 {
				t.Errorf("a %s token for %d s", got.Type, got.Expires)
			}
			if claims, scope := verify(t, i, got.Token); claims.Subject != id || scope != "a b" {
				t.Errorf("token of %q for %q", claims.Subject, scope)
			}
		})
	}
}
