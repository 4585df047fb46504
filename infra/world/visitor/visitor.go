// Package visitor visits the console by plain HTTP, as a browser without script does:
// it keeps cookies by host, follows no redirect by itself, and calls the session as the
// page calls it.
package visitor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Visitor is one browser. It is not safe for concurrent use.
type Visitor struct {
	Console string // address of the console

	http    *http.Client
	cookies map[string]map[string]*http.Cookie // by host and name
}

// New returns a visitor without cookies.
func New(console string) *Visitor {
	return &Visitor{
		Console: console,
		http: &http.Client{
			Timeout:       time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		cookies: map[string]map[string]*http.Cookie{},
	}
}

// Reply is what came.
type Reply struct {
	Status  int
	Header  http.Header
	Cookies []*http.Cookie // that it set
	Body    string
}

// Cookie is a cookie of the console's host, which the caller may change, or nil.
func (v *Visitor) Cookie(name string) *http.Cookie {
	address, err := url.Parse(v.Console)
	if err != nil {
		return nil
	}
	return v.cookies[address.Host][name]
}

// Keep takes over a cookie of the console's host, as somebody does who has copied it.
func (v *Visitor) Keep(cookie *http.Cookie) {
	address, err := url.Parse(v.Console)
	if err != nil {
		return
	}
	if v.cookies[address.Host] == nil {
		v.cookies[address.Host] = map[string]*http.Cookie{}
	}
	v.cookies[address.Host][cookie.Name] = cookie
}

// Get asks for a page. A path is below the console.
func (v *Visitor) Get(ctx context.Context, address string, headers ...string) (Reply, error) {
	return v.ask(ctx, http.MethodGet, address, "", headers)
}

// Submit sends a form.
func (v *Visitor) Submit(ctx context.Context, address string, form url.Values) (Reply, error) {
	return v.ask(ctx, http.MethodPost, address, form.Encode(), []string{"Content-Type: application/x-www-form-urlencoded"})
}

// Fresh is the call of the session by which a page gets an access token that it cannot
// have yet.
const Fresh = "token?after=9999-12-31T23:59:59Z"

// Post makes a call of the session as the page does, with further headers.
func (v *Visitor) Post(ctx context.Context, call string, headers ...string) (Reply, error) {
	return v.ask(ctx, http.MethodPost, "/session/"+call, "", append([]string{"X-Console: 1", "Sec-Fetch-Site: same-origin"}, headers...))
}

// Forge makes such a call without what only the page can send.
func (v *Visitor) Forge(ctx context.Context, call string, headers ...string) (Reply, error) {
	return v.ask(ctx, http.MethodPost, "/session/"+call, "", headers)
}

func (v *Visitor) ask(ctx context.Context, method, address, body string, headers []string) (Reply, error) {
	if strings.HasPrefix(address, "/") {
		address = v.Console + address
	}
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	kept := v.cookies[request.URL.Host]
	for _, cookie := range kept {
		if cookie.Path == "" || strings.HasPrefix(request.URL.Path, cookie.Path) {
			request.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
		}
	}
	response, err := v.http.Do(request)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return Reply{}, err
	}
	if kept == nil {
		kept = map[string]*http.Cookie{}
		v.cookies[request.URL.Host] = kept
	}
	for _, cookie := range response.Cookies() {
		if kept[cookie.Name] = cookie; cookie.MaxAge < 0 || cookie.Value == "" {
			delete(kept, cookie.Name)
		}
	}
	return Reply{response.StatusCode, response.Header, response.Cookies(), string(text)}, nil
}

// SignIn signs in: it goes to the issuer, lets pass do there what a person does, which
// returns the address that the issuer sends the browser back to, and goes there. Where
// the page goes on is to. It returns where it went on.
func (v *Visitor) SignIn(ctx context.Context, to string, pass func(address string) (back string, err error)) (string, error) {
	begun, err := v.Get(ctx, "/session/login?"+url.Values{"to": {to}, "lang": {"en"}}.Encode())
	if err != nil {
		return "", err
	}
	if begun.Status != http.StatusFound {
		return "", fmt.Errorf("login: %d %s", begun.Status, begun.Body)
	}
	back, err := pass(begun.Header.Get("Location"))
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(back, v.Console+"/session/callback?") {
		return "", fmt.Errorf("the issuer sends to %s", back)
	}
	done, err := v.Get(ctx, back)
	if err != nil {
		return "", err
	}
	if done.Status != http.StatusFound {
		return "", fmt.Errorf("callback: %d %s", done.Status, done.Body)
	}
	return done.Header.Get("Location"), nil
}

// PressButton does at the local issuer what a person of a role does.
func (v *Visitor) PressButton(ctx context.Context, role string) func(string) (string, error) {
	return func(address string) (string, error) {
		pressed, err := v.Submit(ctx, address, url.Values{"role": {role}})
		if err != nil {
			return "", err
		}
		if pressed.Status != http.StatusFound {
			return "", fmt.Errorf("issuer: %d %s", pressed.Status, pressed.Body)
		}
		return pressed.Header.Get("Location"), nil
	}
}

// Session is a reply of the session's calls.
type Session struct {
	Token   string
	Expires time.Time
	Label   string
	Address string
	Code    string
}

// Session reads such a reply.
func (r Reply) Session() (s Session, err error) {
	err = json.Unmarshal([]byte(r.Body), &s)
	return s, err
}
