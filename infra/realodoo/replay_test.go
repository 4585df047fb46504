package realodoo_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/realodoo"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

//go:embed testdata/exchanges.txt
var exchanges string

// exchange is a request, and the replies of single lines of Odoo that differ from
// the simulator's.
type exchange struct {
	number  int // of its line in the file
	kind    string
	rest    string
	differs map[string]string
}

type section struct {
	name      string
	exchanges []*exchange
}

func sections(t *testing.T) (list []*section) {
	var last *exchange
	for i, text := range strings.Split(exchanges, "\n") {
		word, rest, _ := strings.Cut(strings.TrimLeft(text, " "), " ")
		switch {
		case text == "" || word == "#" || text == "#":
		case word == "=":
			list = append(list, &section{name: rest})
		case text[0] == ' ':
			last.differs[word] = rest
		default:
			last = &exchange{i + 1, word, rest, map[string]string{}}
			s := list[len(list)-1]
			s.exchanges = append(s.exchanges, last)
		}
	}
	if len(list) == 0 {
		t.Fatal("no exchanges")
	}
	return list
}

// The simulator is like Odoo 14. A difference is a mistake of the simulator, unless
// it is noted in the file; differences of Odoo 19 are noted there.
func TestSimulatorRepliesAlike(t *testing.T) {
	onEach(t, func(t *testing.T, s *realodoo.Server) {
		count, different := 0, 0
		for _, section := range sections(t) {
			simulated, real := simulate(t), reset(t, s)
			for _, e := range section.exchanges {
				count++
				got, want := real.ask(e), simulated.ask(e)
				if noted, found := e.differs[s.Line]; found {
					different++
					want = noted
				}
				if got != want {
					t.Errorf("%s, line %d: %s %s\n real      %s\n should be %s", section.name, e.number, e.kind, e.rest, got, want)
					if file := os.Getenv("MTSC_REPLAY_DIFFERENCES"); file != "" {
						f, _ := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
						fmt.Fprintf(f, "%d\t%s\t%s\n", e.number, s.Line, got)
						_ = f.Close()
					}
				}
			}
		}
		note("* Odoo %s: %d requests with the simulator's replies, but for %d noted in testdata/exchanges.txt: %s",
			s.Line, count, different, verdict(t))
	})
}

// registry is the real one or the simulated one, with six registrants.
type registry struct {
	client
	users              map[string]int64
	person, identifier int64 // the ids before the first registrant and the first identifier
	ordinary           int   // the code of an ordinary error
	cookie             string
}

// Ids begin far from counts, and from each other.
const (
	beforePersons     = 3000
	beforeIdentifiers = 6000
	maxIDs            = 500 // more than a section makes
)

func simulate(t *testing.T) *registry {
	sim := odoosim.New(odoosim.Options{Window: -1})
	for id := int64(0); id < beforePersons; {
		id = sim.AddRegistrant(odoosim.Registrant{Name: "x"})
		sim.DeleteRegistrant(id)
	}
	for id := int64(0); id < beforeIdentifiers; {
		id = sim.AddIdentifier(odoosim.Identifier{Registrant: 1, Type: 1})
		sim.DeleteIdentifier(id)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	return populated(client{t, server.URL}, 200)
}

func reset(t *testing.T, s *realodoo.Server) *registry {
	empty(t, s)
	if _, err := s.SQL(t.Context(), "DELETE FROM g2p_id_type WHERE id > 3",
		"SELECT setval('g2p_id_type_id_seq', 3)",
		fmt.Sprintf("SELECT setval('res_partner_id_seq', %d)", beforePersons),
		fmt.Sprintf("SELECT setval('g2p_reg_id_id_seq', %d)", beforeIdentifiers)); err != nil {
		t.Fatal(err)
	}
	return populated(client{t, s.URL}, map[string]int{"14": 200, "19": 0}[s.Line])
}

func populated(c client, ordinary int) *registry {
	r := &registry{client: c, ordinary: ordinary, users: map[string]int64{
		"clerk":     c.uid(realodoo.Clerk, realodoo.ClerkPassword),
		"registrar": c.uid(realodoo.Registrar, realodoo.RegistrarPassword),
	}}
	people := []any{}
	for _, name := range []string{"none", "vid", "tok", "vid+tok", "vid+nat", "vid+emptytok"} {
		one := map[string]any{"name": name, "is_registrant": true}
		switch name {
		case "none":
			one["email"] = "none@example.org"
		case "vid":
			for field, value := range map[string]any{"given_name": "Amina", "family_name": "Ñúñez", "birthdate": "1990-11-02", "gender": "Male",
				"address": "0 Rizal St\nBrgy 0\nQuezon City", "email": "vid@example.org", "phone": "+639170000000"} {
				one[field] = value
			}
		}
		people = append(people, one)
	}
	var ids []int64
	c.call(&ids, "res.partner", "create", []any{people}, nil)
	r.person = ids[0] - 1
	identifiers := []any{}
	for _, i := range []struct {
		owner, kind int
		value       any
	}{{2, 1, "1111111111111111"}, {3, 2, "t1"}, {4, 1, "2222222222222222"}, {4, 2, "t2"}, {5, 1, "3333333333333333"}, {5, 3, "n"}, {6, 1, "4444444444444444"}, {6, 2, false}} {
		identifiers = append(identifiers, map[string]any{"partner_id": ids[i.owner-1], "id_type": i.kind, "value": i.value})
	}
	c.call(&ids, "g2p.reg.id", "create", []any{identifiers}, nil)
	r.identifier = ids[0] - 1
	return r
}

// ask makes the request and returns the outcome, with this registry's ids and
// times replaced.
func (r *registry) ask(e *exchange) string {
	r.t.Helper()
	text := r.local(e.rest)
	execute := func(login string) reply { return r.rpc("object", "execute_kw", `["g2p", `+login+`, `+text+`]`) }
	path, body, _ := strings.Cut(text, " ")
	var a reply
	switch e.kind {
	case "admin":
		a = execute(`2, "admin"`)
	case "wrong":
		a = execute(`2, "wrong"`)
	case "clerk":
		a = execute(fmt.Sprintf(`%d, %q`, r.users["clerk"], realodoo.ClerkPassword))
	case "registrar":
		a = execute(fmt.Sprintf(`%d, %q`, r.users["registrar"], realodoo.RegistrarPassword))
	case "find":
		text = `"res.partner", "search", [[["is_registrant", "=", true], ` + text + `]], {"order": "id"}`
		a = execute(`2, "admin"`)
	case "get":
		a = r.send(http.MethodGet, path, nil, map[string]string{"Content-Type": ""})
	case "post":
		a = r.send(http.MethodPost, path, []byte(body), nil)
	case "as":
		kind := path
		path, body, _ = strings.Cut(body, " ")
		a = r.send(http.MethodPost, path, []byte(body), map[string]string{"Content-Type": kind})
	case "stale":
		a = r.send(http.MethodPost, path, []byte(body), map[string]string{"Cookie": "session_id=0123456789abcdef0123456789abcdef01234567"})
	case "session":
		if r.cookie == "" {
			r.cookie = r.signIn()
		}
		a = r.send(http.MethodPost, path, []byte(body), map[string]string{"Cookie": r.cookie})
	default:
		r.t.Fatalf("line %d: there is no kind %s", e.number, e.kind)
	}
	return r.general(a.outcome(r.ordinary))
}

func (r *registry) signIn() string {
	r.t.Helper()
	a := r.send(http.MethodPost, "/web/session/authenticate", []byte(`{"params": {"db": "g2p", "login": "admin", "password": "admin"}}`), nil)
	var info struct {
		UID int64 `json:"uid"`
	}
	a.result(r.t, &info)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if info.UID != 2 || !strings.HasPrefix(cookie, "session_id=") {
		r.t.Fatalf("no session: user %d, cookie %q", info.UID, cookie)
	}
	return cookie
}

var mark = regexp.MustCompile(`<([pi])(\d+)>`)

// local replaces marks by ids.
func (r *registry) local(text string) string {
	return mark.ReplaceAllStringFunc(text, func(m string) string {
		found := mark.FindStringSubmatch(m)
		n, _ := strconv.ParseInt(found[2], 10, 64)
		return strconv.FormatInt(n+map[string]int64{"p": r.person, "i": r.identifier}[found[1]], 10)
	})
}

var (
	number  = regexp.MustCompile(`\b\d{4}\b`)
	moment  = regexp.MustCompile(`\b2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d\b`)
	address = regexp.MustCompile(`0x[0-9a-f]{8,}`)
	excerpt = regexp.MustCompile(`(?s)\nLINE 1: .*|\n$`) // of the SQL
	socket  = regexp.MustCompile(`connection to server on socket "[^"]*" failed: `)
)

// general replaces ids by marks, and every time and memory address by a word.
func (r *registry) general(text string) string {
	var compact any // in one form, with keys in order
	if decoder := json.NewDecoder(strings.NewReader(text)); !strings.HasPrefix(text, "!") {
		decoder.UseNumber()
		if decoder.Decode(&compact) == nil && !decoder.More() {
			if again, err := json.Marshal(compact); err == nil {
				text = string(again)
			}
		}
	}
	text = socket.ReplaceAllString(excerpt.ReplaceAllString(text, ""), "")
	text = strings.ReplaceAll(text, "\n", `\n`)
	text = moment.ReplaceAllString(text, "<now>")
	text = address.ReplaceAllString(text, "0x")
	return number.ReplaceAllStringFunc(text, func(digits string) string {
		n, _ := strconv.ParseInt(digits, 10, 64)
		switch {
		case n > r.person && n <= r.person+maxIDs:
			return fmt.Sprintf("<p%d>", n-r.person)
		case n > r.identifier && n <= r.identifier+maxIDs:
			return fmt.Sprintf("<i%d>", n-r.identifier)
		}
		return digits
	})
}
