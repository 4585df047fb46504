package preview_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"slices"
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
	"openg2p.org/mts-connector/shared/seeding/preview"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
	"openg2p.org/mts-connector/shared/seeding/submit"
)

// world is a previewer and a simulated registry.
type world struct {
	*testing.T
	registry  *odoosim.Server
	store     *seedingdb.Store
	previewer *preview.Previewer
	connector seeding.Connector // stored
	people    int64
}

func newWorld(t *testing.T, options odoosim.Options) *world {
	w := &world{T: t}
	client := memory.New()
	names := inprocess.TablesFor(t, client)
	w.store = seedingdb.New(client, names.Connectors, names.Answers)
	w.registry = odoosim.New(options)
	server := httptest.NewServer(w.registry)
	t.Cleanup(server.Close)
	calls := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	password := func(context.Context, seeding.Connector) (string, error) { return "admin", nil }
	registries := odoo.New(calls, password, time.Now)
	clock := seedingtest.Clock{Time: time.Now()}
	w.previewer = &preview.Previewer{
		Store: w.store,
		Stored: func(ctx context.Context, c seeding.Connector) (seeding.Registry, error) {
			return registries.Known(ctx, c)
		},
		Open: func(c seeding.Connector, password string) (seeding.Registry, error) {
			return odoo.Examine(calls, c, password, time.Now)
		},
		Password: password, Mappings: jq.Mappings{}, Outputs: jq.Mappings{},
		Foreseer: &submit.Submitter{
			Store: w.store, Registries: registries, Mappings: jq.Mappings{}, FingerprintKeys: inprocess.Keyring("fingerprint"),
			Clock: clock, Times: seeding.DefaultTimes(), Log: slog.New(slog.DiscardHandler),
		},
	}
	w.connector = inprocess.Connector("stored", "https://mts.example", server.URL, clock.Time)
	if err := w.store.CreateConnector(t.Context(), w.connector); err != nil {
		t.Fatal(err)
	}
	return w
}

// person adds a registrant with a VID; change may take something away.
func (w *world) person(change func(*odoosim.Registrant)) (registrant, identifier int64, vid string) {
	w.people++
	r := odoosim.Registrant{Name: "REYES, ANA", GivenName: fmt.Sprintf("Ana%d", w.people), FamilyName: "Reyes", Birthdate: "1990-11-02", Gender: "Female", Address: "1 Rizal St"}
	if change != nil {
		change(&r)
	}
	registrant = w.registry.AddRegistrant(r)
	vid = odoosim.DemoVID(w.people, 1, odoosim.Normal)
	return registrant, w.registry.AddIdentifier(odoosim.Identifier{Registrant: registrant, Type: odoosim.VIDType, Value: vid}), vid
}

// ask asks for a preview of ten, unless the inquiry says otherwise.
func (w *world) ask(q seeding.Inquiry, secrets map[string]string) (a seeding.PreviewAnswer, lines []seeding.Line) {
	w.Helper()
	q.Kind, q.ID = seeding.PreviewInquiry, "i1"
	if q.Count == 0 {
		q.Count = 10
	}
	before := w.registry.Snapshot()
	lines, text, err := w.previewer.Answer(w.Context(), q, secrets, nil)
	if err != nil {
		w.Fatal(err)
	}
	if after := w.registry.Snapshot(); fmt.Sprint(before) != fmt.Sprint(after) {
		w.Error("the registry changed")
	}
	if text == nil {
		return a, lines
	}
	if err := json.Unmarshal(text, &a); err != nil {
		w.Fatal(err)
	}
	for _, identifiers := range before {
		for _, i := range identifiers {
			if i.Type == odoosim.VIDType && strings.Contains(string(text), i.Value) {
				w.Errorf("a whole VID is in the answer: %s", i.Value)
			}
		}
	}
	return a, lines
}

// Everybody is shown with what would become of them.
func TestFates(t *testing.T) {
	w := newWorld(t, odoosim.Options{})
	sent, _, vid := w.person(nil)
	nameless, _, _ := w.person(func(r *odoosim.Registrant) { r.GivenName, r.FamilyName = "", "" })
	rejected, rejectedID, _ := w.person(nil)
	underWay, underWayID, _ := w.person(nil)
	holds, _, _ := w.person(nil)
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: holds, Type: odoosim.TokenType, Value: strings.Repeat("7", 36)})
	group, _, _ := w.person(func(r *odoosim.Registrant) { r.Gender = "Male" })
	noVID := w.registry.AddRegistrant(odoosim.Registrant{Name: "SANTOS, BEN"})
	expired, expiredID, _ := w.person(nil)
	w.registry.SetExpiry(expiredID, "2001-01-01")

	c := w.connector
	c.ID, c.Source.Domain = "other", `[["gender","=","Female"]]`
	if err := w.store.CreateConnector(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	rejection := seeding.Rejection{
		Registry: c.RegistryKey(), Connector: c.ID, Subject: seeding.Member{Registrant: rejected, Identifier: rejectedID}.Subject(),
		Kind: seeding.Refused, Code: "IDA-MLC-018", Configured: 1, Next: time.Now().Add(time.Hour), Since: time.Now(),
	}
	if n, err := w.store.PutRejections(t.Context(), []seeding.Rejection{rejection}); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	w.batchOf(c, seeding.Member{Registrant: underWay, Identifier: underWayID})

	a, lines := w.ask(seeding.Inquiry{Connector: c.ID}, nil)
	if len(lines) > 0 {
		t.Fatalf("%+v", lines)
	}
	want := []struct {
		registrant int64
		fate       seeding.Fate
		code       string
	}{
		{sent, seeding.WouldBeSent, ""}, {nameless, seeding.WouldBeInvalid, "ATS-REQ-010"}, {rejected, seeding.StaysRejected, "IDA-MLC-018"},
		{underWay, seeding.IsInBatch, ""}, {holds, seeding.HoldsToken, ""},
	}
	if len(a.Rows) != len(want) {
		t.Fatalf("%+v", a.Rows)
	}
	for i, r := range a.Rows {
		if r.Registrant != want[i].registrant || r.Fate != want[i].fate || r.Code != want[i].code {
			t.Errorf("row %d: %+v, want %+v", i, r, want[i])
		}
	}
	first := a.Rows[0]
	if first.VID != "••••••"+vid[len(vid)-4:] {
		t.Errorf("VID %q", first.VID)
	}
	for field, text := range map[string]string{"name": "Ana1 Reyes", "gender": "Female", "dob": "1990-11-02", "fullAddress": "1 Rizal St"} {
		if got := first.Fields[field]; got.Text != text || !got.Present {
			t.Errorf("%s: %+v", field, got)
		}
	}
	if a.VIDs != 6 || a.Fates[seeding.NotSelectedNow] != 1 || a.Sampled != 5 {
		t.Errorf("%+v", a)
	}

	ids := []int64{group, noVID, sent, expired}
	a, _ = w.ask(seeding.Inquiry{Connector: c.ID, Registrants: ids}, nil)
	var fates []string
	for _, r := range a.Rows {
		fates = append(fates, fmt.Sprint(r.Registrant, " ", r.Fate))
	}
	slices.Sort(fates)
	given := []string{fmt.Sprint(group, " not_selected"), fmt.Sprint(noVID, " no_vid"), fmt.Sprint(sent, " sent"), fmt.Sprint(expired, " no_vid")}
	slices.Sort(given)
	if !slices.Equal(fates, given) {
		t.Errorf("given ones: %v, want %v", fates, given)
	}

	// Saving a draft makes everybody who is rejected due.
	draft := c
	draft.Secrets = nil
	a, _ = w.ask(seeding.Inquiry{Connector: c.ID, Draft: &draft}, nil)
	if a.Rows[2].Fate != seeding.WouldBeSent || a.Rows[2].Code != "" {
		t.Errorf("of a draft: %+v", a.Rows[2])
	}
}

// batchOf claims a batch of some registrants.
func (w *world) batchOf(c seeding.Connector, members ...seeding.Member) {
	w.Helper()
	must := func(err error) {
		if err != nil {
			w.Helper()
			w.Fatal(err)
		}
	}
	now := time.Now()
	must(w.store.SetStatus(w.Context(), c.ID, seeding.Running, now))
	state, err := w.store.TakeRun(w.Context(), c.ID, "owner", now, now.Add(time.Minute), time.Time{})
	must(err)
	run := seeding.Run{ID: "run", Connector: c.ID, Kind: seeding.Recurring, Version: 1, Started: now, Passes: 1, PassStarted: now, Fence: state.Lease.Fence}
	must(w.store.OpenRun(w.Context(), run))
	must(w.store.Claim(w.Context(), seeding.Claim{
		Batch: seeding.Batch{
			Ref:   seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: run.ID, Batch: "batch"},
			State: seeding.Claimed, MTS: c.MTSKey(), MTSURL: c.MTS.URL, Size: 50, InLine: 1, Claimed: now, Overdue: now.Add(time.Minute), Deadline: now.Add(time.Hour),
			RowKey: "row", FingerprintKey: "print", Members: members, Count: len(members),
		}, Run: run, Version: 1, Fence: run.Fence, Width: 4,
	}))
}

// Each part of the mapping is counted alone, over a sample.
func TestEmptyParts(t *testing.T) {
	w := newWorld(t, odoosim.Options{})
	for i := range 230 {
		w.person(func(r *odoosim.Registrant) {
			if i%2 == 0 {
				r.FamilyName = ""
			}
			if i%10 == 0 {
				r.Address = ""
			}
		})
	}
	c := w.connector
	c.Source.Mapping.Gender = `gender|if . == "Female" then [1] else . end`
	c.Secrets = nil
	a, _ := w.ask(seeding.Inquiry{Connector: w.connector.ID, Draft: &c}, nil)
	if len(a.Rows) != 10 || a.Sampled != 200 || a.VIDs != 200 {
		t.Errorf("%d rows, %d sampled of %d", len(a.Rows), a.Sampled, a.VIDs)
	}
	got := map[string]seeding.PartEmpty{}
	for _, p := range a.Parts {
		got[p.Part] = p
	}
	for part, want := range map[string]seeding.PartEmpty{
		"vid": {}, "name/0": {}, "name/1": {Empty: 100}, "gender": {NotText: 200}, "dob": {}, "phoneNumber": {Empty: 200}, "emailId": {Empty: 200}, "fullAddress/0": {Empty: 20},
	} {
		want.Part = part
		if got[part] != want {
			t.Errorf("%+v, want %+v", got[part], want)
		}
	}
	if len(a.Parts) != 8 {
		t.Errorf("%d parts", len(a.Parts))
	}
	if r := a.Rows[0]; r.Fate != seeding.WouldBeInvalid || r.Code != seeding.CodeNotText || !r.Fields["gender"].NotText {
		t.Errorf("%+v", r)
	}
}

// The VID is masked wherever the mapping puts it.
func TestVIDIsMaskedInEveryField(t *testing.T) {
	w := newWorld(t, odoosim.Options{})
	w.person(func(r *odoosim.Registrant) { r.Address = "behind " + odoosim.DemoVID(1, 1, odoosim.Normal) })
	c := w.connector
	c.Secrets = nil
	c.Source.Mapping.Name, c.Source.Mapping.PhoneNumber = []string{"given_name", "vid"}, "vid"
	a, _ := w.ask(seeding.Inquiry{Connector: w.connector.ID, Draft: &c}, nil) // which looks for the whole VID
	if len(a.Rows) != 1 || !strings.HasPrefix(a.Rows[0].Fields["name"].Text, "Ana1 ••••••") {
		t.Errorf("%+v", a.Rows)
	}
}

// What keeps registrants from being read is one line, and there is no answer.
func TestWhatKeepsAPreviewFromBeingMade(t *testing.T) {
	for name, test := range map[string]struct {
		options odoosim.Options
		change  func(w *world, c *seeding.Connector)
		want    string // code and field
	}{
		"the registry is down":   {odoosim.Options{}, func(_ *world, c *seeding.Connector) { c.Registry.URL = "http://127.0.0.1:1" }, "another_registry registry_password"},
		"no registry yet":        {odoosim.Options{}, func(_ *world, c *seeding.Connector) { c.Registry.URL = "" }, "missing registry_url"},
		"the password changed":   {odoosim.Options{}, func(w *world, _ *seeding.Connector) { w.registry.SetPassword("admin", "x") }, "access_denied registry_password"},
		"an unknown field":       {odoosim.Options{}, func(_ *world, c *seeding.Connector) { c.Source.Fields = []string{"no_such"} }, "no_such_field fields"},
		"a field of the domain":  {odoosim.Options{}, func(_ *world, c *seeding.Connector) { c.Source.Domain = `[["no_such","=",1]]` }, "no_such_domain_field domain"},
		"no such type":           {odoosim.Options{}, func(_ *world, c *seeding.Connector) { c.Registry.VIDType = "x" }, "no_such_type vid_type"},
		"names are hidden":       {odoosim.Options{Encrypted: true}, func(*world, *seeding.Connector) {}, "encrypted read_one_by_one"},
		"an expression is wrong": {odoosim.Options{}, func(_ *world, c *seeding.Connector) { c.Source.Mapping.DOB = "((" }, "mapping_unusable mapping"},
	} {
		w := newWorld(t, test.options)
		w.person(nil)
		c := w.connector
		c.Secrets = nil
		test.change(w, &c)
		a, lines := w.ask(seeding.Inquiry{Connector: w.connector.ID, Draft: &c}, nil)
		if len(lines) != 1 || lines[0].Code+" "+lines[0].Field != test.want || lines[0].Text == "" || len(a.Rows) > 0 {
			t.Errorf("%s: %+v, %d rows", name, lines, len(a.Rows))
		}
	}
	w := newWorld(t, odoosim.Options{})
	if _, lines := w.ask(seeding.Inquiry{Connector: "gone"}, nil); len(lines) != 1 || lines[0].Code != "no_connector" {
		t.Errorf("%+v", lines)
	}
}

// A preview of ten costs as many calls as a page, whatever is in the registry: VIDs,
// registrants and tokens. A process that does not know the registry signs in, and reads
// the identifier types, their model and the fields. An Output Format costs none.
func TestRegistryCallsOfAPreview(t *testing.T) {
	for _, format := range []string{"", `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`} {
		for _, registrants := range [][]int64{nil, {7, 8, 9}} {
			w := newWorld(t, odoosim.Options{})
			for range 300 {
				w.person(nil)
			}
			c := w.connector
			c.Version, c.Output.Format = 2, format
			if err := w.store.ReplaceConnector(t.Context(), c, time.Now()); err != nil {
				t.Fatal(err)
			}
			for _, calls := range []int64{7, 3} {
				w.registry.ResetTallies()
				a, _ := w.ask(seeding.Inquiry{Connector: c.ID, Registrants: registrants}, nil)
				if got := w.registry.State().Total.Calls; got != calls {
					t.Errorf("%d calls instead of %d: %v", got, calls, w.registry.State().Calls)
				}
				if (a.Output != nil) != (format != "") {
					t.Errorf("Output Format %q: %+v", format, a.Output)
				}
			}
		}
	}
}

// An Output Format is applied to a made answer about the first who would be sent.
func TestOutputFormat(t *testing.T) {
	for name, test := range map[string]struct {
		format        string
		direct        bool
		shape, result string // of the result, a part
		wrong         string // a part
	}{
		"none":                   {},
		"an identifier":          {format: `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`, shape: "identifier", result: `"id_type":"MOSIP UIN TOKEN"`},
		"an individual by a VID": {format: `{updateId: .input.vid, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}], name: .input.given_name}`, shape: "individual_by_identifier", result: `"name":"Ana1"`},
		"somebody else":          {format: `{partner_id: 1, id_type: "MOSIP UIN TOKEN", value: .output.token}`, shape: "identifier", result: `"partner_id":1`, wrong: "another registrant"},
		"nothing":                {format: `empty`, result: `null`, wrong: "."},
		"it fails":               {format: `.input.id|keys`, wrong: "."},
		"for MTS":                {format: `{who: .input.given_name, what: .output.token}`, direct: true, result: `"who":"Ana1"`},
		"a relation, for MTS":    {format: `{who: .input.given_name, at: .input.company_id, day: .input.birthdate}`, direct: true, result: `"at":"res.company(1,)","day":"1990/11/02"`},
	} {
		w := newWorld(t, odoosim.Options{})
		w.person(func(r *odoosim.Registrant) { r.Birthdate = "" }) // not sent
		w.person(nil)
		c := w.connector
		c.Secrets, c.Output.Format = nil, test.format
		c.Source.Mandatory = []string{"name", "dob"}
		c.Source.Fields = append(slices.Clone(c.Source.Fields), "company_id")
		if test.direct {
			c.Delivery.Direct = &seeding.DirectDelivery{URL: "https://registry.example/api", Method: "POST"}
		}
		a, lines := w.ask(seeding.Inquiry{Connector: w.connector.ID, Draft: &c}, nil)
		if len(lines) > 0 {
			t.Fatalf("%s: %+v", name, lines)
		}
		if test.format == "" {
			if a.Output != nil {
				t.Errorf("%s: %+v", name, a.Output)
			}
			continue
		}
		result := strings.ReplaceAll(test.result, "Ana1", "Ana2")
		if o := a.Output; o == nil || o.Shape != test.shape || !strings.Contains(o.Result, result) || (o.Wrong != "") != (test.wrong != "") || !strings.Contains(o.Wrong, test.wrong) {
			t.Errorf("%s: %+v", name, a.Output)
		}
	}
}
