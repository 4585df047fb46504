package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// Token are the claims of the bearer that the JWT authorizer accepted, as the issuer
// wrote them: the authorizer itself gives lists and objects as text in a form that is
// not documented, and not that of the emulator. nil: there is none, or it is not sure
// that the header holds just the accepted one.
type Token map[string]any

type tokenKey struct{}

// TokenOf is the accepted token of a request.
func TokenOf(ctx context.Context) Token {
	token, _ := ctx.Value(tokenKey{}).(Token)
	return token
}

// One token in its compact form, as the authorizer takes it. Headers that were sent
// twice come joined by a comma.
var bearer = regexp.MustCompile(`^(?:(?i:bearer) +)?[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$`)

// identity are the claims that tell one token from another. They are compared with
// what the authorizer read, so that a gateway that reads another header than we do
// is noticed. How it writes any other claim is not known.
var identity = []string{"iss", "sub", "exp", "iat", "jti", "client_id"}

// accepted is the token of an event whose authorizer has accepted these claims.
func accepted(event events.APIGatewayV2HTTPRequest, claims map[string]string) Token {
	header := ""
	for name, value := range event.Headers {
		if strings.EqualFold(name, "Authorization") {
			header = value
		}
	}
	parts := bearer.FindStringSubmatch(strings.TrimSpace(header))
	if parts == nil {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var token Token
	if json.Unmarshal(payload, &token) != nil || token["iss"] == nil || claims["iss"] == "" {
		return nil
	}
	for _, name := range identity {
		if claim, there := claims[name]; there && !same(token[name], claim) {
			return nil
		}
	}
	return token
}

// same reports whether a claim is the one that the authorizer gave as text. Only texts
// and numbers can be compared.
func same(value any, claim string) bool {
	switch v := value.(type) {
	case string:
		return v == claim
	case float64:
		number, err := strconv.ParseFloat(claim, 64)
		return err == nil && number == v
	}
	return false
}

// Text is a claim that is a text, or "".
func (t Token) Text(name string) string {
	text, _ := t[name].(string)
	return text
}

// Texts are the texts at a path such as "realm_access.roles": a list, or one text with
// spaces or commas between. Names of claims may hold dots themselves.
func (t Token) Texts(path string) []string {
	switch v := find(t, path).(type) {
	case string:
		return strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' })
	case []any:
		var texts []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}

func find(claims map[string]any, path string) any {
	if v, found := claims[path]; found {
		return v
	}
	for i, r := range path {
		if r != '.' {
			continue
		}
		if inner, ok := claims[path[:i]].(map[string]any); ok {
			if v := find(inner, path[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

// Misused reports whether the token is surely no access token. It is then for another
// program, which shows it to whomever it likes: an ID token says who signed in
// (OpenID Connect Core 2: nonce, at_hash), a refresh token is for the issuer. The
// authorizer cannot tell them apart. Keycloak names the kind in typ, Cognito in
// token_use; older access tokens of Keycloak have a nonce too.
func (t Token) Misused() bool {
	switch kind := strings.ToLower(t.Text("typ")); kind {
	case "bearer", "at+jwt", "dpop":
		return false
	case "id", "refresh", "offline", "logout", "serialized-id":
		return true
	}
	if use := t.Text("token_use"); use != "" {
		return use != "access"
	}
	return t["nonce"] != nil || t["at_hash"] != nil || t["c_hash"] != nil
}
