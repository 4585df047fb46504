package odoosim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// client speaks to a simulator the way a browser's developer tools would show it.
type client struct {
	t   testing.TB
	sim *odoosim.Server
	url string
}

// answer is one reply; header and body as they came.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// noon is the clock of tests that do not need a running one.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 123456000, time.UTC)

func serve(t testing.TB, o odoosim.Options) *client {
	t.Helper()
	if o.Window == 0 {
		o.Window = -1
	}
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	sim := odoosim.New(o)
	web := httptest.NewServer(sim)
	t.Cleanup(web.Close)
	return &client{t: t, sim: sim, url: web.URL}
}

func (c *client) send(method, path, body string, header ...string) answer {
	c.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, c.url+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer{err: err}
	}
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	return answer{w.StatusCode, w.Header, string(b), err}
}

// rpc calls execute_kw as admin; args is what follows the password, in JSON.
func (c *client) rpc(args string) answer {
	c.t.Helper()
	return c.send("POST", "/jsonrpc", execute(`2, "admin"`, args))
}

func execute(login, args string) string {
	return `{"jsonrpc": "2.0", "method": "call", "params": {"service": "object", "method": "execute_kw", "args": ["g2p", ` + login + `, ` + args + `]}, "id": 1}`
}

var debug = regexp.MustCompile(`"debug": "(?:[^"\\]|\\.)*", `)

// outcome is the result's JSON, or "!class|message", or "HTTP status".
func (a answer) outcome() string {
	if a.err != nil {
		return "closed"
	}
	var doc struct {
		Result json.RawMessage
		Error  *struct {
			Code int
			Data struct{ Name, Message string }
		}
	}
	if json.Unmarshal([]byte(a.body), &doc) != nil {
		return fmt.Sprintf("HTTP %d", a.status)
	}
	if doc.Error != nil {
		return "!" + doc.Error.Data.Name + "|" + doc.Error.Data.Message
	}
	if doc.Result == nil {
		return "none"
	}
	return string(doc.Result)
}

// want checks the outcome of a call by admin; a want that ends in … is a beginning.
func (c *client) want(args, want string) {
	c.t.Helper()
	if got := c.rpc(args).outcome(); !fits(got, want) {
		c.t.Errorf("%s\n got %s\nwant %s", args, got, want)
	}
}

func fits(outcome, want string) bool {
	begin, cut := strings.CutSuffix(want, "…")
	return outcome == want || cut && strings.HasPrefix(outcome, begin)
}

// login opens a session and returns its cookie header.
func (c *client) login(login, password string) string {
	c.t.Helper()
	a := c.send("POST", "/web/session/authenticate", `{"params": {"db": "g2p", "login": "`+login+`", "password": "`+password+`"}}`)
	if !strings.Contains(a.body, `"uid": `) {
		c.t.Fatalf("no login: %s", a.body)
	}
	return strings.Split(a.header.Get("Set-Cookie"), ";")[0]
}

// callKW is a call with a session; call is "model method", args and kwargs JSON.
func (c *client) callKW(cookie, call, args, kwargs string) answer {
	c.t.Helper()
	model, method, _ := strings.Cut(call, " ")
	return c.send("POST", "/web/dataset/call_kw", `{"id": 1, "params": {"model": "`+model+`", "method": "`+method+`", "args": `+args+`, "kwargs": `+kwargs+`}}`,
		"Cookie", cookie)
}

// amina is a complete registrant; the first one has id 7.
func amina() odoosim.Registrant {
	return odoosim.Registrant{Name: "MENDOZA, AMINA", GivenName: "Amina", FamilyName: "Mendoza", Birthdate: "1990-11-02", Gender: "Male",
		Address: "0 Rizal St\nBrgy 0\nQuezon City", Email: "r00000@example.org", Phone: "+639170000000"}
}

// registry has three registrants, 7 to 9, with a VID each, identifiers 1 to 3,
// and a tenth without.
func registry(t testing.TB, o odoosim.Options) *client {
	c := serve(t, o)
	c.sim.AddRegistrant(amina())
	c.sim.AddRegistrant(odoosim.Registrant{Name: "ÑÚÑEZ, ANA", GivenName: "Ana", FamilyName: "Ñúñez"})
	c.sim.AddRegistrant(odoosim.Registrant{Name: "REYES, JOSÉ"})
	c.sim.AddRegistrant(odoosim.Registrant{Name: "S10-1"})
	for id := int64(7); id < 10; id++ {
		c.sim.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: fmt.Sprintf("400000000158380%d", id)})
	}
	return c
}

// dial sends a call and does not wait for its answer.
func dial(t *testing.T, c *client, body string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return conn
}
