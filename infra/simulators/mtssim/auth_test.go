package mtssim_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// facts/mts.md 3.2, 3.7: a GET with a body, whose cookies go along, and a GET at its
// sibling at the end.
func TestOdooSignIn(t *testing.T) {
	for name, c := range map[string]struct {
		path    string
		refused bool
		failsAt int // call that closes the connection; 0 for none
		want    []string
		status  string
	}{
		"one by one": {"/web/session/authenticate", false, 0,
			[]string{"GET /web/session/authenticate", "POST /in session_id=s1", "POST /in session_id=s1", "GET /web/session/logout session_id=s1"}, "processed"},
		"slash at the end": {"/web/session/authenticate/", false, 0,
			[]string{"GET /web/session/authenticate/", "POST /in session_id=s1", "POST /in session_id=s1", "GET /web/session/logout session_id=s1"}, "processed"},
		"refused, and called all the same": {"/web/session/authenticate", true, 0,
			[]string{"GET /web/session/authenticate", "POST /in", "POST /in", "GET /web/session/logout"}, "processed"},
		"no logout after a failure": {"/web/session/authenticate", false, 2,
			[]string{"GET /web/session/authenticate", "POST /in session_id=s1"}, "error_making_callback_request"},
		"logout fails": {"/web/session/authenticate", false, 4,
			[]string{"GET /web/session/authenticate", "POST /in session_id=s1", "POST /in session_id=s1", "GET /web/session/logout session_id=s1"}, "error_making_callback_request"},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			to := receive(t, func(w http.ResponseWriter, r *http.Request) {
				if int(calls.Add(1)) == c.failsAt {
					panic(http.ErrAbortHandler)
				}
				if strings.HasPrefix(r.URL.Path, "/web/session/auth") && !c.refused {
					http.SetCookie(w, &http.Cookie{Name: "session_id", Value: "s1", Path: "/", HttpOnly: true})
				}
			})
			status := deliver(t, object{"url": to.url + "/in", "authType": "odoo", "authOdoo": object{
				"authUrl": to.url + c.path, "database": "g2p", "username": "mts", "password": "secret",
			}}, nil, valid(ann), valid(ben))
			var got []string
			for _, call := range to.got() {
				got = append(got, strings.TrimSpace(call.method+" "+call.path+" "+call.header.Get("Cookie")))
			}
			if !slices.Equal(got, c.want) || status != c.status {
				t.Errorf("%s: %q", status, got)
			}
			first := to.got()[0]
			if first.body != `{"jsonrpc": "2.0", "params": {"db": "g2p", "login": "mts", "password": "secret"}}` || first.header.Get("Content-Type") != "application/json" {
				t.Errorf("signed in with %s", first.body)
			}
		})
	}
}

// accessToken is a JWT whose payload has a length that is a multiple of three bytes,
// or not.
func accessToken(expires time.Time, padded bool) string {
	payload := fmt.Sprintf(`{"exp":%d}`, expires.Unix())
	for len(payload)%3 != 0 {
		payload += " "
	}
	if !padded {
		payload += " "
	}
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestOAuthSignIn(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		auth   object
		token  string
		status int // of the token endpoint
		form   string
		tokens int // how often it is called
		calls  int
		failed bool
	}{
		"client":          {object{"clientId": "c", "clientSecret": "s"}, accessToken(later, true), 200, "client_id=c&client_secret=s&grant_type=client_credentials", 1, 2, false},
		"user":            {object{"username": "u", "password": "p", "clientId": "c"}, accessToken(later, true), 200, "client_id=c&grant_type=password&password=p&username=u", 1, 2, false},
		"nobody":          {object{}, accessToken(later, true), 200, "", 1, 2, false},
		"not padded":      {object{"clientId": "c"}, accessToken(later, false), 200, "client_id=c&grant_type=client_credentials", 1, 0, true},
		"opaque":          {object{"clientId": "c"}, "opaque", 200, "client_id=c&grant_type=client_credentials", 1, 0, true},
		"without an end":  {object{"clientId": "c"}, "e30.e30g.c2ln", 200, "client_id=c&grant_type=client_credentials", 1, 0, true},
		"expired":         {object{"clientId": "c"}, accessToken(time.Now().Add(-time.Hour), true), 200, "client_id=c&grant_type=client_credentials", 3, 2, false},
		"token refused":   {object{"clientId": "c"}, "", 401, "client_id=c&grant_type=client_credentials", 2, 0, true},
		"no token at all": {object{"clientId": "c"}, "", 200, "client_id=c&grant_type=client_credentials", 1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			tokens := receive(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_ = json.NewEncoder(w).Encode(object{"access_token": c.token})
			})
			to := receive(t, nil)
			c.auth["authUrl"] = tokens.url
			status := deliver(t, object{"url": to.url, "httpMethod": "put", "authType": "oauth", "authOauth": c.auth}, nil, valid(ann), valid(ben))
			if (status == "error_making_callback_request") != c.failed || len(tokens.got()) != c.tokens || len(to.got()) != c.calls {
				t.Fatalf("%s: %d tokens, %d calls", status, len(tokens.got()), len(to.got()))
			}
			asked := tokens.got()[0]
			if asked.body != c.form || asked.header.Get("Content-Type") != "application/x-www-form-urlencoded" || asked.method != "POST" {
				t.Errorf("asked %s", asked.body)
			}
			if c.calls > 0 && (to.got()[0].header.Get("Authorization") != "Bearer "+c.token || to.got()[0].method != "PUT") {
				t.Errorf("called with %q", to.got()[0].header.Get("Authorization"))
			}
		})
	}
}
