package mtssim

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// signIn is what authOdoo or authOauth ask for (facts/mts.md 1.1.1).
type signIn struct {
	url          string // "" fails at delivery
	database     string
	username     string
	password     string
	clientID     string
	clientSecret string
	extraHeaders map[string]any
}

// authorized is a delivery that has signed in.
type authorized struct {
	worker *worker
	*callback
	cookies string
	bearer  string
}

// authorize is the auth step (facts/mts.md 3.2). It has no time limit.
func (w *worker) authorize(c *callback) (a *authorized, err error) {
	a = &authorized{worker: w, callback: c}
	switch c.authType {
	case authBearer:
		a.bearer = c.bearer
	case authOdoo:
		a.cookies, err = w.odooSession(c.signIn)
	case authOauth:
		a.bearer, err = w.accessToken(c.signIn)
	}
	return a, err
}

// odooSession signs in by a GET with a body. Whatever the reply says, only the cookies
// of the last one are taken; without any the callbacks have no session.
func (w *worker) odooSession(s signIn) (cookies string, err error) {
	body := python.AppendJSON(nil, python.Dict{
		{Key: "jsonrpc", Value: "2.0"},
		{Key: "params", Value: python.Dict{{Key: "db", Value: s.database}, {Key: "login", Value: s.username}, {Key: "password", Value: s.password}}},
	})
	answer, err := send(w.ctx, w.sim.options.Dial, outgoing{method: "get", url: s.url, extra: s.extraHeaders, contentType: "application/json"}, noLimit, body)
	if err != nil {
		return "", err
	}
	var list []string
	for _, c := range answer.cookies() {
		list = append(list, c.Name+"="+c.Value)
	}
	return strings.Join(list, "; "), nil
}

// accessToken asks the token endpoint, once more if it answers with a refusal
// (facts/mts.md 3.2).
func (w *worker) accessToken(s signIn) (string, error) {
	form := url.Values{}
	for name, value := range map[string]string{
		"username": s.username, "password": s.password, "client_id": s.clientID, "client_secret": s.clientSecret,
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	switch {
	case s.username != "":
		form.Set("grant_type", "password")
	case s.clientID != "":
		form.Set("grant_type", "client_credentials")
	}
	var answer *httpAnswer
	for range 2 {
		var err error
		answer, err = send(w.ctx, w.sim.options.Dial, outgoing{
			method: "post", url: s.url, extra: s.extraHeaders, contentType: "application/x-www-form-urlencoded",
		}, noLimit, []byte(form.Encode()))
		if err != nil {
			return "", err
		}
		if answer.status < http.StatusBadRequest {
			break
		}
	}
	var reply struct {
		AccessToken string `json:"access_token"`
	}
	if answer.status >= http.StatusBadRequest || json.Unmarshal(answer.body, &reply) != nil || reply.AccessToken == "" {
		return "", errors.New("'access_token'")
	}
	return reply.AccessToken, nil
}

// current is the bearer of the next callback. Of an access token the second part is
// decoded without padding, and must hold when the token ends; an expired one is
// replaced for one callback only (facts/mts.md 3.2).
func (a *authorized) current() (string, error) {
	if a.authType != authOauth {
		return a.bearer, nil
	}
	parts := strings.Split(a.bearer, ".")
	if len(parts) < 2 {
		return "", errors.New("list index out of range")
	}
	if len(parts[1])%4 != 0 {
		return "", errors.New("incorrect padding")
	}
	payload, err := base64.URLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		Expires *float64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", err
	}
	if claims.Expires == nil {
		return "", errors.New("'exp'")
	}
	if float64(time.Now().Unix()) < *claims.Expires {
		return a.bearer, nil
	}
	return a.worker.accessToken(a.signIn)
}

// logOut ends an Odoo session (facts/mts.md 3.7). It has no time limit either.
func (a *authorized) logOut() error {
	if a.authType != authOdoo {
		return nil
	}
	at, err := url.Parse(a.signIn.url)
	if err != nil {
		return err
	}
	at.Path = path.Dir(strings.TrimSuffix(at.Path, "/")) + "/logout"
	_, err = send(a.worker.ctx, a.worker.sim.options.Dial, outgoing{
		method: "get", url: at.String(), extra: a.signIn.extraHeaders, cookies: a.cookies,
	}, noLimit, nil)
	return err
}

// call is one callback.
func (a *authorized) call(body []byte) error {
	if a.timeoutSeconds <= 0 {
		return errors.New("attempted to set a timeout to a value less than or equal to 0")
	}
	bearer, err := a.current()
	if err != nil {
		return err
	}
	if !slices.Contains(clientFunctions, strings.ToLower(a.method)) {
		return errors.New("module 'requests' has no such attribute")
	}
	_, err = send(a.worker.ctx, a.worker.sim.options.Dial, outgoing{
		method: a.method, url: a.url, extra: a.extraHeaders, bearer: bearer, cookies: a.cookies,
	}, time.Duration(a.timeoutSeconds)*time.Second, body)
	return err
}
