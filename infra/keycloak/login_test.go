package keycloak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
	"openg2p.org/mts-connector/infra/console/signin"
	"openg2p.org/mts-connector/infra/keycloak"
	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/visitor"
	"openg2p.org/mts-connector/infra/world/waiting"
)

// These tests need Java, half a gigabyte and minutes, so they are no part of `make test`.
const asked = "MTSC_KEYCLOAK"

var (
	issuer *keycloak.Server
	stack  *local.Stack
)

func TestMain(m *testing.M) {
	if os.Getenv(asked) == "" {
		fmt.Println("sign-in with a real Keycloak is tested by make test-login")
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := started(ctx, m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// started starts Keycloak, which must know where the console is, and then the stack
// there, which reads Keycloak's keys.
func started(ctx context.Context, m *testing.M) (code int, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	at := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return 0, err
	}
	began := time.Now()
	if issuer, err = keycloak.Start(ctx, "http://"+at); err != nil {
		return 0, err
	}
	defer issuer.Stop()
	fmt.Fprintln(os.Stderr, "Keycloak started in", time.Since(began).Round(time.Second))
	stack, err = local.Start(ctx, local.Options{
		Name: "login", Listen: at, Issuer: &local.OtherIssuer{Address: issuer.Issuer(), ClientID: keycloak.Client, ClientSecret: issuer.Secret},
	})
	if err != nil {
		return 0, err
	}
	defer stack.Stop()
	if stack.APIURL() != "http://"+at {
		return 0, fmt.Errorf("somebody else took %s meanwhile", at)
	}
	return m.Run(), nil
}

// api calls the API with an access token.
func api(t *testing.T, method, path, token string) (status int, body string) {
	t.Helper()
	client := deployed.Client{Name: "the API", Address: stack.APIURL(), Token: func() string { return token }}
	reply, err := client.Ask(t.Context(), method, path, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	return reply.Status, string(reply.Body)
}

func signedIn(t *testing.T, role string) *visitor.Visitor {
	t.Helper()
	v := visitor.New(stack.ConsoleURL())
	went, err := v.SignIn(t.Context(), "#/connectors", issuer.Enter(t.Context(), v, role, func(string) {}))
	if err != nil {
		t.Fatal(err)
	}
	if want := stack.ConsoleURL() + "#/connectors"; went != want {
		t.Fatalf("went on at %s, want %s", went, want)
	}
	return v
}

const sessionCookie = "__Host-session"

// token asks for an access token; the status of the reply must be the wanted one.
func token(t *testing.T, v *visitor.Visitor, status int) visitor.Session {
	t.Helper()
	reply, err := v.Post(t.Context(), visitor.Fresh)
	if err != nil {
		t.Fatal(err)
	}
	s, err := reply.Session()
	if err != nil || reply.Status != status {
		t.Fatalf("%d %s, want %d", reply.Status, reply.Body, status)
	}
	return s
}

// Of each role: the realm gives access tokens that the API accepts, with the audience, the
// role and the name, for five minutes, and refresh tokens that fit into a cookie.
func TestSignInOfEachRole(t *testing.T) {
	for role, status := range map[string]int{"viewer": 403, "operator": 403, "administrator": 422} {
		v := signedIn(t, role)
		cookie := v.Cookie(sessionCookie)
		t.Logf("%s: the cookie has %d bytes", role, len(cookie.String()))
		before := cookie.Value
		s := token(t, v, http.StatusOK)
		if left := time.Until(s.Expires); left > 5*time.Minute || left < 3*time.Minute {
			t.Errorf("%s: the token ends in %s", role, left)
		}
		if v.Cookie(sessionCookie).Value == before {
			t.Errorf("%s: the refresh token is not rotated", role)
		}
		got, body := api(t, "GET", "/me", s.Token)
		var me struct {
			Roles []string `json:"roles"`
		}
		if err := json.Unmarshal([]byte(body), &me); err != nil || got != http.StatusOK || !strings.Contains(strings.Join(me.Roles, " "), role) {
			t.Errorf("%s: %d %s", role, got, body)
		}
		if got, body := api(t, "GET", "/connectors", s.Token); got != http.StatusOK {
			t.Errorf("%s: %d %s", role, got, body)
		}
		if got, body := api(t, "POST", "/connectors", s.Token); got != status {
			t.Errorf("%s: %d %s, want %d", role, got, body, status)
		}
	}
}

// A refresh token that comes after the next one was used ends the session: whoever
// copied a cookie and who owns it have to sign in again.
func TestACopiedSessionEnds(t *testing.T) {
	v := signedIn(t, "viewer")
	copied := v.Cookie(sessionCookie).Value
	token(t, v, http.StatusOK)
	token(t, v, http.StatusOK)
	owned := v.Cookie(sessionCookie).Value
	thief := signedIn(t, "viewer") // another browser, whose own session goes on
	own := *thief.Cookie(sessionCookie)
	// Keycloak compares times in seconds: within the same one it takes the former token
	// for a repetition, which it allows some times.
	refused := false
	for range realmReuse + 2 {
		thief.Cookie(sessionCookie).Value = copied
		reply, err := thief.Post(t.Context(), visitor.Fresh)
		if err != nil {
			t.Fatal(err)
		}
		refused = refused || reply.Status == http.StatusUnauthorized
	}
	if !refused {
		t.Error("a copied session goes on")
	}
	v.Cookie(sessionCookie).Value = owned
	token(t, v, http.StatusUnauthorized)
	again := visitor.New(stack.ConsoleURL())
	again.Keep(&own)
	token(t, again, http.StatusOK)
}

// realmReuse is refreshTokenMaxReuse of the realm, which the local issuer has too.
const realmReuse = local.Reuse

var form = regexp.MustCompile(`(?s)<form[^>]* action="([^"]+)"(.*?)</form>`)
var hidden = regexp.MustCompile(`<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"`)

// Signing out revokes the refresh token, by which Keycloak ends its session if no other
// client has it, and leads to Keycloak's page, which asks if one has, and leads back to
// the console.
func TestSigningOut(t *testing.T) {
	v := signedIn(t, "operator")
	kept := *v.Cookie(sessionCookie)
	reply, err := v.Post(t.Context(), "logout")
	if err != nil {
		t.Fatal(err)
	}
	s, err := reply.Session()
	if err != nil || reply.Status != http.StatusOK || !strings.HasPrefix(s.Address, issuer.Issuer()) || v.Cookie(sessionCookie) != nil {
		t.Fatalf("%d %s", reply.Status, reply.Body)
	}
	thief := visitor.New(stack.ConsoleURL())
	thief.Keep(&kept)
	token(t, thief, http.StatusUnauthorized)

	page, err := v.Get(t.Context(), s.Address)
	if err != nil {
		t.Fatal(err)
	}
	back := page.Header.Get("Location")
	if found := form.FindStringSubmatch(page.Body); found != nil {
		values := url.Values{}
		for _, input := range hidden.FindAllStringSubmatch(found[2], -1) {
			values.Set(input[1], html.UnescapeString(input[2]))
		}
		address := html.UnescapeString(found[1])
		if strings.HasPrefix(address, "/") {
			address = strings.TrimSuffix(issuer.Issuer(), "/realms/"+keycloak.Realm) + address
		}
		confirmed, err := v.Submit(t.Context(), address, values)
		if err != nil {
			t.Fatal(err)
		}
		if back = confirmed.Header.Get("Location"); back == "" && strings.Contains(confirmed.Body, stack.ConsoleURL()+"/session/signed-out") {
			back = stack.ConsoleURL() + "/session/signed-out" // a page with a link
		}
		page = confirmed
	}
	if back != stack.ConsoleURL()+"/session/signed-out" {
		t.Errorf("leads to %q: %d %s", back, page.Status, page.Body)
	}
	// Nobody is signed in any more: the next sign-in asks again.
	asked := false
	if _, err := v.SignIn(t.Context(), "#/", issuer.Enter(t.Context(), v, "operator", func(string) { asked = true })); err != nil || !asked {
		t.Errorf("asked %v, %v", asked, err)
	}
}

// Keycloak's page speaks the language of the console's.
func TestLanguageOfTheSignInPage(t *testing.T) {
	v := visitor.New(stack.ConsoleURL())
	begun, err := v.Get(t.Context(), "/session/login?lang=ar")
	if err != nil {
		t.Fatal(err)
	}
	page, err := v.Get(t.Context(), begun.Header.Get("Location"))
	if err != nil || !strings.Contains(page.Body, `lang="ar"`) {
		t.Errorf("%v %d %.400s", err, page.Status, page.Body)
	}
}

// In a browser, as with the local issuer.
func TestSignInInABrowser(t *testing.T) {
	const lifespan = "ssoSessionMaxLifespan" // s
	aged := false
	signin.Issuer{
		Start: func(ctx context.Context, base string, bearer time.Duration) (console.Issuer, error) {
			err := issuer.Serve(ctx, base)
			return realm{issuer}, errors.Join(err, issuer.Set(ctx, map[string]any{"accessTokenLifespan": int(bearer.Seconds())}))
		},
		Enter: func(page *browser.Page, as console.Person) {
			page.See(browser.Field("Username or email"))
			if aged {
				if err := issuer.Set(t.Context(), map[string]any{lifespan: 36000}); err != nil {
					t.Error(err)
				}
				aged = false
			}
			name, password := issuer.Credentials(strings.ToLower(as.Button))
			page.Fill(browser.Field("Username or email"), name)
			page.Fill(browser.Field("Password"), password)
			page.Click(browser.Button("Sign In"))
		},
		Asks: browser.Field("Username or email"),
		Age: func(ctx context.Context) error {
			aged = true
			err := issuer.Set(ctx, map[string]any{lifespan: 1})
			waiting.Pause(ctx, 3*time.Second) // by Keycloak's clock, which has whole seconds
			return err
		},
		Reuse: realmReuse,
	}.Test(t)
}

// realm is the issuer of the worlds; Keycloak outlives them.
type realm struct{ *keycloak.Server }

func (r realm) Address() string              { return r.Issuer() }
func (r realm) Console() (id, secret string) { return keycloak.Client, r.Secret }
func (realm) Stop()                          {}
