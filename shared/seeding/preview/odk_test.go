package preview_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// The newest submissions are shown as MTS would get them, with what a run would do with
// each, and the VID of nobody.
func TestPreviewOfSubmissions(t *testing.T) {
	w := newWorld(t, odoosim.Options{Submissions: true})
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	central := centralsim.New(centralsim.Options{Now: func() time.Time { return now }})
	project := central.AddProject("Registration")
	central.AddUser("reader@example.org", "hunter2")
	central.Assign("reader@example.org", project, centralsim.Viewer)
	form := central.AddForm(project, centralsim.Definition{ID: "reg", Fields: centralsim.Registration()})
	server := httptest.NewServer(central)
	t.Cleanup(server.Close)
	calls := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	w.previewer.Now = func() time.Time { return now }
	w.previewer.Submissions, w.previewer.VIDField = w.store, setup.Rules{Mappings: jq.Mappings{}}.VIDField
	w.previewer.ODKPassword = func(context.Context, seeding.Connector) (string, error) { return "hunter2", nil }
	w.previewer.OpenForm = func(c seeding.Connector, password string) (seeding.Form, error) {
		return odk.Examine(calls, c, password, func() time.Time { return now })
	}
	base, odata, err := odk.Addresses(server.URL, server.URL+"/v1/projects/1/forms/reg.svc")
	if err != nil {
		t.Fatal(err)
	}
	c := w.connector
	c.ID, c.Registry.SubmissionType = "odk", "ODK SUBMISSION"
	c.Secrets = map[string]string{seeding.RegistryPassword: "v1", seeding.ODKPassword: "v1"}
	c.ODK = seeding.ODKSource{BaseURL: base, ODataURL: odata, Email: "reader@example.org", Received: now.Add(-30 * time.Minute)}
	c.Source.Domain, c.Source.Fields = "", nil
	c.Source.Mapping = seeding.Mapping{VID: "vid", Name: []string{"person.name"}, Gender: "person.gender", DOB: "person.dob", PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"where.address"}}
	c.Output.Format = `{name: .input.person.name, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`
	if err := w.store.CreateConnector(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	begin := now
	submit := func(minute int, person string, change map[string]string) string {
		now = begin.Add(time.Duration(minute) * time.Minute)
		answers := map[string]string{"vid": odoosim.DemoVID(int64(minute+100), 1, odoosim.Normal), "person/name": person, "person/gender": "Female", "person/dob": "1990-11-02", "where/address": "1 Rizal St"}
		for name, value := range change {
			answers[name] = value
		}
		return form.Submit(centralsim.Submission{Answers: answers})
	}
	submit(-40, "Older", nil)
	done := submit(-5, "Done", nil)
	rejected := submit(-4, "Rejected", nil)
	edited := submit(-3, "Edited", nil)
	invalid := submit(-2, "Invalid", map[string]string{"person/dob": ""})
	sent := submit(-1, "Ana", nil)
	now = begin
	registrant := w.registry.AddRegistrant(odoosim.Registrant{Name: "Done"})
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: registrant, Type: odoosim.SubmissionType, Value: done})
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: registrant, Type: odoosim.TokenType, Value: strings.Repeat("123456789", 4)})
	reject := func(id string) seeding.Rejection {
		return seeding.Cause{Kind: seeding.Refused, Code: "IDA-MLC-004", Fingerprint: seeding.EditsFingerprint(0)}.
			Reject(c.RegistryKey(), c.ID, seeding.Subject{Submission: id}, c.Version, seeding.Rejection{}, now, seeding.DefaultTimes())
	}
	for _, id := range []string{rejected, edited} {
		if _, err := w.store.PutRejections(t.Context(), []seeding.Rejection{reject(id)}); err != nil {
			t.Fatal(err)
		}
	}
	form.Edit(edited, map[string]string{"vid": odoosim.DemoVID(7, 1, odoosim.Normal), "person/name": "Edited", "person/gender": "Female", "person/dob": "1990-11-02", "where/address": "1 Rizal St"})

	a, lines := w.ask(seeding.Inquiry{Connector: "odk"}, nil)
	if len(lines) != 0 {
		t.Fatalf("%+v", lines)
	}
	fates := map[string]seeding.Fate{}
	for _, row := range a.Rows {
		fates[row.Submission] = row.Fate
		if row.Received.IsZero() || row.Registrant != 0 {
			t.Errorf("%+v", row)
		}
	}
	want := map[string]seeding.Fate{done: seeding.HoldsToken, rejected: seeding.StaysRejected, edited: seeding.WouldBeSent, invalid: seeding.WouldBeInvalid, sent: seeding.WouldBeSent}
	if fmt.Sprint(fates) != fmt.Sprint(want) || a.Rows[0].Submission != sent || a.VIDs != 5 || a.Sampled != 5 {
		t.Errorf("%v, want %v: %+v", fates, want, a)
	}
	if fields := a.Rows[0].Fields; fields["name"].Text != "Ana" || fields["fullAddress"].Text != "1 Rizal St" {
		t.Errorf("%+v", fields)
	}
	if a.Output == nil || a.Output.Shape != "individual" || a.Output.Wrong != "" || !strings.Contains(a.Output.Result, `"name":"Ana"`) {
		t.Errorf("%+v", a.Output)
	}
	text, _ := json.Marshal(a)
	for _, vid := range []string{odoosim.DemoVID(99, 1, odoosim.Normal), odoosim.DemoVID(7, 1, odoosim.Normal)} {
		if strings.Contains(string(text), vid) {
			t.Errorf("the VID %s is shown", vid)
		}
	}
	if few, _ := w.ask(seeding.Inquiry{Connector: "odk", Count: 2}, nil); len(few.Rows) != 2 || few.Rows[0].Submission != sent {
		t.Errorf("%+v", few.Rows)
	}
	// A number is not sent as a VID.
	number := c
	number.Source.Mapping.VID = "person.big"
	if a, lines := w.ask(seeding.Inquiry{Connector: "odk", Draft: &number}, nil); len(a.Rows) != 0 || len(lines) != 1 || lines[0].Name != "odk_form" || lines[0].Code != "numeric_field" {
		t.Errorf("%+v, %+v", a.Rows, lines)
	}
	// A form that cannot be read, and a password that must not be sent.
	central.Assign("reader@example.org", project, centralsim.Collector)
	if _, lines := w.ask(seeding.Inquiry{Connector: "odk"}, nil); len(lines) != 1 || lines[0].Name != "odk_form" || lines[0].Code != "no_right" {
		t.Errorf("%+v", lines)
	}
	w.previewer.ODKPassword = func(context.Context, seeding.Connector) (string, error) { return "another", nil }
	if _, lines := w.ask(seeding.Inquiry{Connector: "odk"}, nil); len(lines) != 1 || lines[0].Name != "odk_sign_in" || lines[0].Field != "odk_password" || lines[0].Code != "wrong_password" {
		t.Errorf("%+v", lines)
	}
	other := c
	other.ODK.Email = "other@example.org"
	if _, lines := w.ask(seeding.Inquiry{Connector: "odk", Draft: &other}, map[string]string{}); len(lines) != 1 || lines[0].Code != "another_account" {
		t.Errorf("%+v", lines)
	}
}
