package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"openg2p.org/mts-connector/shared/gateway"
)

func compact(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".c2ln"
}

// token is what a handler sees of a request with a header and accepted claims.
func token(t *testing.T, header string, claims map[string]string) (token gateway.Token) {
	t.Helper()
	e := event(t, "get-bare")
	if claims != nil {
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims}}
	}
	e.Headers = map[string]string{"authorization": header}
	serve(t, func(_ http.ResponseWriter, r *http.Request) { token = gateway.TokenOf(r.Context()) }, e)
	return token
}

func TestClaimsAreThoseOfTheAcceptedToken(t *testing.T) {
	claims := map[string]any{"iss": "https://sso", "sub": "u", "exp": 1764320400, "realm_access": map[string]any{"roles": []string{"viewer"}}}
	good := compact(claims)
	claims["realm_access"] = map[string]any{"roles": []string{"administrator"}}
	claims["sub"] = "other"
	forged := compact(claims)
	accepted := map[string]string{"iss": "https://sso", "sub": "u", "exp": "1764320400", "realm_access": "map[roles:[viewer]]"}
	for name, c := range map[string]struct {
		header   string
		accepted map[string]string
		found    bool
	}{
		"a bearer":               {"Bearer " + good, accepted, true},
		"small letters":          {"bearer  " + good, accepted, true},
		"bare":                   {good, accepted, true},
		"number with exponent":   {"Bearer " + good, map[string]string{"iss": "https://sso", "exp": "1.7643204E9"}, true},
		"public route":           {"Bearer " + good, nil, false},
		"none":                   {"", accepted, false},
		"two headers":            {"Bearer " + good + ",Bearer " + forged, accepted, false},
		"two in one":             {"Bearer " + good + " " + forged, accepted, false},
		"another one":            {"Bearer " + forged, accepted, false},
		"another issuer":         {"Bearer " + good, map[string]string{"iss": "https://elsewhere"}, false},
		"nothing to compare":     {"Bearer " + good, map[string]string{}, false},
		"another time":           {"Bearer " + good, map[string]string{"iss": "https://sso", "exp": "1764320401"}, false},
		"no JSON":                {"Bearer e30.eA.c2ln", accepted, false},
		"not base64url":          {"Bearer e30.ab=c.c2ln", accepted, false},
		"another scheme":         {"Basic " + good, accepted, false},
		"four parts":             {"Bearer " + good + ".x", accepted, false},
		"a line break in it":     {"Bearer " + good + "\n", accepted, true}, // no gateway lets it pass
		"padding of another one": {"Bearer  " + strings.Replace(good, "e30.", "e30=.", 1), accepted, false},
	} {
		got := token(t, c.header, c.accepted)
		if (got != nil) != c.found || c.found && fmt.Sprint(got.Texts("realm_access.roles")) != "[viewer]" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRolesAreFoundWhereverAnIssuerHasThem(t *testing.T) {
	token := gateway.Token{
		"realm_access":              map[string]any{"roles": []any{"a", 7., "b"}},
		"resource_access":           map[string]any{"mts.connector": map[string]any{"roles": []any{"c"}}},
		"cognito:groups":            []any{"d"},
		"https://example.org/roles": []any{"e"},
		"scope":                     "f g",
		"roles":                     "h,i",
		"number":                    5.,
		"a":                         map[string]any{"b": "x"},
		"a.b":                       []any{"y"},
	}
	for path, want := range map[string]string{
		"realm_access.roles": "[a b]", "resource_access.mts.connector.roles": "[c]", "cognito:groups": "[d]", "https://example.org/roles": "[e]",
		"scope": "[f g]", "roles": "[h i]", "number": "[]", "realm_access": "[]", "none": "[]", "realm_access.none": "[]", "": "[]", ".": "[]", "a.b": "[y]",
	} {
		if got := fmt.Sprint(token.Texts(path)); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	if got := gateway.Token(nil).Texts("realm_access.roles"); got != nil {
		t.Error(got)
	}
}

func TestTokensForOthersAreRecognised(t *testing.T) {
	for name, c := range map[string]struct {
		claims  map[string]any
		misused bool
	}{
		"Keycloak, access":              {map[string]any{"typ": "Bearer", "azp": "console", "scope": "openid"}, false},
		"Keycloak, older, access":       {map[string]any{"typ": "Bearer", "nonce": "x"}, false},
		"Keycloak, ID":                  {map[string]any{"typ": "ID", "azp": "console"}, true},
		"Keycloak, refresh":             {map[string]any{"typ": "Refresh"}, true},
		"Keycloak, offline":             {map[string]any{"typ": "Offline"}, true},
		"Cognito, access":               {map[string]any{"token_use": "access", "client_id": "x"}, false},
		"Cognito, ID":                   {map[string]any{"token_use": "id", "nonce": "x"}, true},
		"any, ID with nonce":            {map[string]any{"nonce": "x"}, true},
		"any, ID of the code flow":      {map[string]any{"at_hash": "x"}, true},
		"any, access":                   {map[string]any{"azp": "x", "scope": "a"}, false},
		"RFC 9068, with typ in payload": {map[string]any{"typ": "at+jwt"}, false},
		"none":                          {nil, false},
	} {
		if got := gateway.Token(c.claims).Misused(); got != c.misused {
			t.Errorf("%s: %t", name, got)
		}
	}
}
