package registrant_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/registrant"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
	"openg2p.org/mts-connector/shared/seeding/submit"
)

// world is a checker and a simulated registry.
type world struct {
	*testing.T
	registry  *odoosim.Server
	store     *seedingdb.Store
	checker   *registrant.Checker
	connector seeding.Connector
	state     seeding.State // that the checker is told; the store's, if it has no status
}

// State implements registrant.Store.
func (w *world) State(ctx context.Context, connector string) (seeding.State, error) {
	if w.state.Status == "" {
		return w.store.State(ctx, connector)
	}
	return w.state, nil
}

func (w *world) Connector(ctx context.Context, id string) (seeding.Connector, error) {
	return w.store.Connector(ctx, id)
}

func newWorld(t *testing.T, change func(*seeding.Connector)) *world {
	w := &world{T: t, registry: odoosim.New(odoosim.Options{}), state: seeding.State{Status: seeding.Running}}
	client := memory.New()
	names := inprocess.TablesFor(t, client)
	w.store = seedingdb.New(client, names.Connectors, names.Answers)
	server := httptest.NewServer(w.registry)
	t.Cleanup(server.Close)
	calls := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	password := func(context.Context, seeding.Connector) (string, error) { return "admin", nil }
	registries := odoo.New(calls, password, time.Now)
	w.checker = &registrant.Checker{
		Store: w,
		Open: func(ctx context.Context, c seeding.Connector) (registrant.Registry, error) {
			return registries.Known(ctx, c)
		},
		Foreseer: &submit.Submitter{
			Store: w.store, Registries: registries, Mappings: jq.Mappings{}, FingerprintKeys: inprocess.Keyring("fingerprint"),
			Clock: seedingtest.Clock{Time: time.Now()}, Times: seeding.DefaultTimes(), Log: slog.New(slog.DiscardHandler),
		},
	}
	w.connector = inprocess.Connector("stored", "https://mts.example", server.URL, time.Now())
	if change != nil {
		change(&w.connector)
	}
	if err := w.store.CreateConnector(t.Context(), w.connector); err != nil {
		t.Fatal(err)
	}
	return w
}

const (
	someVID   = "6104203947251938"
	someToken = "777777777777777777777777777777777777"
)

// person adds a registrant.
func (w *world) person(change func(*odoosim.Registrant)) int64 {
	r := odoosim.Registrant{Name: "REYES, ANA", GivenName: "Anastasia", FamilyName: "Reyes", Birthdate: "1990-11-02", Gender: "Female", Address: "1 Rizal St"}
	if change != nil {
		change(&r)
	}
	return w.registry.AddRegistrant(r)
}

func (w *world) holds(person, kind int64, value string) int64 {
	return w.registry.AddIdentifier(odoosim.Identifier{Registrant: person, Type: kind, Value: value})
}

// ask returns the lines about a registrant by their names.
func (w *world) ask(person int64) map[string]seeding.Line {
	w.Helper()
	before := fmt.Sprint(w.registry.Snapshot())
	q := seeding.Inquiry{ID: "i1", Kind: seeding.RegistrantInquiry, Connector: w.connector.ID, Registrants: []int64{person}}
	lines, answer, err := w.checker.Answer(w.Context(), q, nil, nil)
	if err != nil || answer != nil {
		w.Fatal(err)
	}
	if fmt.Sprint(w.registry.Snapshot()) != before {
		w.Error("the registry changed")
	}
	seedingtest.LinesAreListed(w.T, lines, registrant.Lines())
	found := map[string]seeding.Line{}
	for _, l := range lines {
		found[l.Name] = l
		if l.Text == "" || l.Result == seeding.LineFailure && l.Remedy == "" {
			w.Errorf("%+v", l)
		}
	}
	for _, value := range []string{someVID, someToken, "Anastasia", "1990", "Rizal"} {
		if strings.Contains(fmt.Sprint(lines), value) {
			w.Errorf("%s is in %+v", value, lines)
		}
	}
	return found
}

// want checks results and codes: "registrant ok found".
func (w *world) want(name string, person int64, want ...string) map[string]seeding.Line {
	w.Helper()
	lines := w.ask(person)
	for _, one := range want {
		words := strings.Fields(one)
		if l := lines[words[0]]; string(l.Result) != words[1] || l.Code != words[2] {
			w.Errorf("%s: %s is %s %s (%s), want %s", name, words[0], l.Result, l.Code, l.Text, one)
		}
	}
	return lines
}

func TestWhatTheRegistrySaysOfARegistrant(t *testing.T) {
	w := newWorld(t, func(c *seeding.Connector) {
		c.Source.Domain = `[["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"],["gender","=","Female"],"|",["name","ilike","reyes"],["name","ilike","cruz"]]`
	})
	ready := w.person(nil)
	w.holds(ready, odoosim.VIDType, someVID)
	w.want("ready", ready, "registrant ok found", "selected ok selected", "vid ok valid", "token ok none", "data ok complete", "next_pass ok sent")

	w.want("nobody", 99_999, "registrant failure not_found", "selected not_tried no_registrant", "next_pass not_tried no_registrant")

	archived := w.person(func(r *odoosim.Registrant) { r.Archived = true })
	w.holds(archived, odoosim.VIDType, someVID+"1")
	w.want("archived", archived, "registrant warning archived", "selected warning archived", "data not_tried not_selected", "next_pass warning not_selected")

	elsewhere := w.person(func(r *odoosim.Registrant) { r.Gender, r.Name = "Male", "SANTOS, BEN" })
	w.holds(elsewhere, odoosim.VIDType, someVID+"2")
	lines := w.want("not selected", elsewhere, "registrant ok found", "selected warning not_selected", "vid ok valid", "next_pass warning not_selected")
	if got := fmt.Sprint(lines["selected"].Params); got != "map[unmet:[map[condition:4 path:gender] map[condition:5 path:]]]" {
		t.Errorf("%s: %s", got, lines["selected"].Text)
	}
	if text := lines["selected"].Text; !strings.Contains(text, "condition 4 (gender), condition 5") {
		t.Error(text)
	}

	none := w.person(nil)
	w.want("no VID", none, "selected ok selected", "vid warning missing", "data not_tried no_vid", "next_pass warning no_vid")

	expired := w.person(nil)
	w.registry.SetExpiry(w.holds(expired, odoosim.VIDType, someVID+"3"), "2001-01-01")
	w.want("expired", expired, "vid warning not_valid", "next_pass warning no_vid")

	done := w.person(nil)
	w.holds(done, odoosim.TokenType, someToken)
	w.want("done", done, "vid ok none", "token ok held", "next_pass ok holding")
	w.holds(done, odoosim.VIDType, someVID+"4")
	w.want("done, with a VID", done, "vid ok valid", "token ok held", "next_pass ok holding")

	rubbish := w.person(nil)
	w.holds(rubbish, odoosim.VIDType, someVID+"5")
	w.holds(rubbish, odoosim.TokenType, "pending")
	w.want("no token", rubbish, "token failure no_token", "next_pass failure invalid")

	lacking := w.person(func(r *odoosim.Registrant) { r.Birthdate, r.Address = "", "" })
	w.holds(lacking, odoosim.VIDType, someVID+"6")
	lines = w.want("lacking", lacking, "data failure invalid", "next_pass failure invalid")
	if got := fmt.Sprint(lines["data"].Params); got != "map[codes:[ATS-REQ-012 ATS-REQ-015]]" || lines["data"].Field != "mapping" {
		t.Errorf("%+v", lines["data"])
	}

	// What the connector itself is in the way of.
	w.state.Status = seeding.Stopped
	w.want("stopped", ready, "next_pass warning not_running")
	w.state = seeding.State{Status: seeding.Running, Problems: map[seeding.Source]seeding.Problem{seeding.ProblemMTS: {Attempts: 1}}}
	w.want("blocked", ready, "next_pass warning blocked")
	w.state = seeding.State{Status: seeding.Running}

	rejected := w.person(nil)
	rejection := seeding.Rejection{
		Registry: w.connector.RegistryKey(), Connector: w.connector.ID, Kind: seeding.Refused, Code: "IDA-MLC-018", Configured: 1,
		Subject: seeding.Member{Registrant: rejected, Identifier: w.holds(rejected, odoosim.VIDType, someVID+"7")}.Subject(),
		Next:    time.Now().Add(time.Hour), Since: time.Now(),
	}
	if n, err := w.store.PutRejections(t.Context(), []seeding.Rejection{rejection}); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	lines = w.want("rejected", rejected, "data ok complete", "next_pass warning rejected_until")
	if p := lines["next_pass"].Params; p["kind"] != "refused" || p["code"] != "IDA-MLC-018" || p["next_attempt"] == nil {
		t.Errorf("%v", p)
	}
	w.state.Status = ""
}

// What fails is said in a line; only a failure of the storage is an error.
func TestWhatCannotBeAsked(t *testing.T) {
	w := newWorld(t, nil)
	person := w.person(nil)
	w.holds(person, odoosim.VIDType, someVID)

	renamed := w.connector
	renamed.ID, renamed.Registry.VIDType = "renamed", "NO SUCH TYPE"
	unmapped := w.connector
	unmapped.ID, unmapped.Source.Mapping.Gender = "unmapped", "(("
	for _, c := range []seeding.Connector{renamed, unmapped} {
		if err := w.store.CreateConnector(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]string{
		"gone": "work failure no_connector", "renamed": "registrant failure no_such_type", "unmapped": "data failure mapping_unusable",
	} {
		w.connector.ID = id
		lines := w.want(id, person, want)
		if id == "unmapped" && lines["next_pass"].Result != seeding.LineNotTried {
			t.Errorf("%+v", lines)
		}
	}
	broken := errors.New("broken")
	w.checker.Store = failing{broken}
	if _, _, err := w.checker.Answer(t.Context(), seeding.Inquiry{Registrants: []int64{person}}, nil, nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

type failing struct{ error }

func (f failing) Connector(context.Context, string) (seeding.Connector, error) {
	return seeding.Connector{}, f.error
}

func (f failing) State(context.Context, string) (seeding.State, error) {
	return seeding.State{}, f.error
}
