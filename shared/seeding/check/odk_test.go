package check_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/check"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

const (
	reader         = "reader@example.org"
	readerPassword = "hunter2 of the reader"
)

// odkWorld is a world with a simulated Central, whose form "reg" the stored connector
// takes submissions of.
type odkWorld struct {
	*world
	central *centralsim.Server
	project int
	form    *centralsim.Form
	draft   seeding.Connector
}

func newODKWorld(t *testing.T) *odkWorld {
	w := &odkWorld{world: newWorld(t, odoosim.Options{Submissions: true})}
	w.central = centralsim.New(centralsim.Options{Now: w.Now})
	w.project = w.central.AddProject("Registration")
	w.central.AddUser(reader, readerPassword)
	w.central.Assign(reader, w.project, centralsim.Viewer)
	w.form = w.central.AddForm(w.project, centralsim.Definition{ID: "reg", Fields: centralsim.Registration()})
	url := w.serve(w.central)
	calls := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	rules := setup.Rules{Mappings: jq.Mappings{}}
	w.checker.FormPaths = rules.FormPaths
	w.checker.OpenODK = func(c seeding.Connector, password string) (check.Central, error) {
		return odk.Examine(calls, c, password, w.Now)
	}
	w.checker.ODKPassword = func(context.Context, seeding.Connector) (string, error) { return readerPassword, nil }
	c := w.connector
	base, odata, err := odk.Addresses(url, url+"/v1/projects/1/forms/reg.svc")
	if err != nil {
		t.Fatal(err)
	}
	c.ID = "odk"
	c.ODK = seeding.ODKSource{BaseURL: base, ODataURL: odata, Email: reader}
	c.Registry.SubmissionType = "ODK SUBMISSION"
	c.Source.Domain, c.Source.Fields = "", nil
	c.Source.Mapping = seeding.Mapping{VID: "vid", Name: []string{"person.name"}, Gender: "person.gender", DOB: `person | .dob | sub("-"; "/")`, PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"where.address"}}
	c.Secrets = map[string]string{seeding.RegistryPassword: "v1", seeding.ODKPassword: "v1"}
	if err := w.store.CreateConnector(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.draft = c
	w.form.Submit(centralsim.Submission{Answers: map[string]string{"vid": "1111222233334444", "person/name": "REYES, ANA"}})
	return w
}

func (w *odkWorld) stored() map[string]seeding.Line {
	return w.check(seeding.Inquiry{Connector: "odk"}, nil)
}

func TestAConnectorOfODKThatWorks(t *testing.T) {
	w := newODKWorld(t)
	lines := w.stored()
	w.want(lines, map[string]string{
		"mts": "ok reached", "odk_reach": "ok reached", "odk_sign_in": "ok signed_in", "odk_form": "ok readable", "odk_fields": "ok known", "odk_clock": "ok right",
		"registry": "ok reached", "sign_in": "ok signed_in", "version": "ok known", "database": "ok alone", "types": "ok all_found",
		"create": "ok allowed", "registrants": "ok allowed", "index_registrant": "ok fast", "index_value": "ok fast",
	})
	if len(lines) != 15 {
		t.Errorf("%d lines", len(lines))
	}
	if n := lines["odk_form"].Params["submissions"]; n != 1 {
		t.Errorf("%v submissions", n)
	}
	if paths := lines["odk_fields"].Params["fields"].([]any); !slices.Equal(paths, []any{"person.dob", "person.gender", "person.name", "vid", "where.address"}) {
		t.Errorf("%v", paths)
	}
	// The time from which submissions count, counts here too.
	c := w.draft
	c.ODK.Received = w.now.Add(time.Hour)
	received := w.check(seeding.Inquiry{Connector: "odk", Draft: &c}, nil)
	w.want(received, map[string]string{"odk_form": "ok readable"})
	if n := received["odk_form"].Params["submissions"]; n != 0 {
		t.Errorf("%v submissions", n)
	}
}

// What MTS cannot tell apart is told apart here, each with the field to blame.
func TestWhatIsWrongWithAForm(t *testing.T) {
	type world = odkWorld
	field := func(path, kind string) []centralsim.Field {
		return append(centralsim.Registration(), centralsim.Field{Path: path, Type: kind})
	}
	other := func(w *world, d centralsim.Definition) {
		w.central.AddForm(w.project, d)
		w.draft.ODK.ODataURL = strings.Replace(w.draft.ODK.ODataURL, "/reg.svc", "/"+d.ID+".svc", 1)
	}
	for name, c := range map[string]struct {
		break_  func(w *world)
		want    map[string]string
		line    string // whose field it is
		blame   string
		secrets map[string]string
	}{
		"a wrong password": {func(w *world) { w.central.SetPassword(reader, "another") },
			map[string]string{"odk_reach": "ok reached", "odk_sign_in": "failure wrong_password", "odk_form": "not_tried odk_not_signed_in", "odk_clock": "not_tried odk_not_signed_in", "types": "ok all_found"}, "odk_sign_in", "odk_password", nil},
		"a given wrong password": {func(*world) {},
			map[string]string{"odk_sign_in": "failure wrong_password"}, "odk_sign_in", "odk_password", map[string]string{seeding.ODKPassword: "hunter2"}},
		"single sign-on": {func(w *world) { w.central.SetSingleSignOn(true) },
			map[string]string{"odk_reach": "ok reached", "odk_sign_in": "failure single_sign_on", "odk_form": "not_tried odk_not_signed_in"}, "odk_sign_in", "odk_base_url", nil},
		"no right": {func(w *world) { w.central.Assign(reader, w.project, centralsim.Collector) },
			map[string]string{"odk_sign_in": "ok signed_in", "odk_form": "failure no_right", "odk_fields": "not_tried form_not_read", "odk_clock": "ok right"}, "odk_form", "odk_email", nil},
		"no form": {func(w *world) {
			w.draft.ODK.ODataURL = strings.Replace(w.draft.ODK.ODataURL, "/reg.svc", "/Reg.svc", 1)
		},
			map[string]string{"odk_form": "failure no_form"}, "odk_form", "odk_odata_url", nil},
		"an unpublished form": {func(w *world) {
			other(w, centralsim.Definition{ID: "new", Fields: centralsim.Registration(), Unpublished: true})
		},
			map[string]string{"odk_form": "failure no_form"}, "odk_form", "odk_odata_url", nil},
		"a closed form": {func(w *world) { w.form.SetState(centralsim.Closed) },
			map[string]string{"odk_form": "ok closed", "odk_fields": "ok known"}, "", "", nil},
		"an encrypted form": {func(w *world) {
			other(w, centralsim.Definition{ID: "secret", Fields: centralsim.Registration(), Encrypted: true})
		},
			map[string]string{"odk_form": "failure encrypted_form"}, "odk_form", "odk_odata_url", nil},
		"a VID as a number": {func(w *world) {
			other(w, centralsim.Definition{ID: "int", Fields: field("/number", "int")})
			w.draft.Source.Mapping.VID = "number"
		}, map[string]string{"odk_form": "ok readable", "odk_fields": "failure numeric_field"}, "odk_fields", "mapping/vid", nil},
		"a VID in a repeat": {func(w *world) { w.draft.Source.Mapping.VID = "child.name" },
			map[string]string{"odk_fields": "failure no_text_field"}, "odk_fields", "mapping/vid", nil},
		"no VID": {func(w *world) { w.draft.Source.Mapping.VID = "VID" },
			map[string]string{"odk_fields": "failure no_field"}, "odk_fields", "mapping/vid", nil},
		"no other field": {func(w *world) { w.draft.Source.Mapping.Gender = "person.sex" },
			map[string]string{"odk_fields": "failure no_such_field"}, "odk_fields", "mapping", nil},
		"a name in quotes": {func(w *world) { w.draft.Source.Mapping.Gender = `person."given name"` },
			map[string]string{"odk_fields": "failure no_such_field"}, "odk_fields", "mapping", nil},
		"a VID in quotes": {func(w *world) { w.draft.Source.Mapping.VID = `["VID"]` },
			map[string]string{"odk_fields": "failure no_field"}, "odk_fields", "mapping/vid", nil},
		"a VID as a number, in quotes": {func(w *world) {
			other(w, centralsim.Definition{ID: "int", Fields: field("/number", "int")})
			w.draft.Source.Mapping.VID = `"number"`
		}, map[string]string{"odk_fields": "failure numeric_field"}, "odk_fields", "mapping/vid", nil},
		"a column that the form has not": {func(w *world) {
			w.draft.ODK.ODataURL += "?$select=__id,vid,person,where,sex"
		}, map[string]string{"odk_form": "ok readable", "odk_fields": "failure no_such_column"}, "odk_fields", "odk_odata_url", nil},
		"a column of a repeat": {func(w *world) {
			w.draft.ODK.ODataURL += "?$select=__id,vid,person,where,child/name"
		}, map[string]string{"odk_form": "ok readable", "odk_fields": "failure odk_400.24"}, "odk_fields", "odk_odata_url", nil},
		"a column of the system that Central has not": {func(w *world) {
			w.draft.ODK.ODataURL += "?$select=__id,vid,person,where,__system/none"
		}, map[string]string{"odk_fields": "failure odk_400.23"}, "odk_fields", "odk_odata_url", nil},
		"columns that it has": {func(w *world) {
			w.draft.ODK.ODataURL += "?$select=__id,vid,person/name,person/gender,where"
		}, map[string]string{"odk_form": "ok readable", "odk_fields": "ok known"}, "", "", nil},
		"a clock that is apart": {func(w *world) {
			w.central.SetFaults(centralsim.Faults{DateAheadMS: int((20 * time.Minute).Milliseconds())})
		}, map[string]string{"odk_form": "ok readable", "odk_clock": "warning clock_apart"}, "odk_clock", "odk_base_url", nil},
		"nothing answers": {func(w *world) { w.central.SetFaults(centralsim.Faults{Page: 502}) },
			map[string]string{"odk_reach": "failure http_502", "odk_sign_in": "not_tried odk_not_reached", "odk_fields": "not_tried odk_not_reached", "types": "ok all_found"}, "odk_reach", "odk_base_url", nil},
		"another Central": {func(w *world) { w.draft.ODK.BaseURL = "http://127.0.0.1:1" },
			map[string]string{"odk_reach": "failure connection_refused"}, "odk_reach", "odk_base_url", nil},
		"no address": {func(w *world) { w.draft.ODK.BaseURL = "" },
			map[string]string{"odk_reach": "not_tried missing", "odk_form": "not_tried odk_not_reached"}, "odk_reach", "odk_base_url", nil},
		"another account": {func(w *world) { w.draft.ODK.Email = "other@example.org" },
			map[string]string{"odk_reach": "ok reached", "odk_sign_in": "not_tried another_account"}, "odk_sign_in", "odk_password", nil},
		"no submission type": {func(w *world) { w.draft.Registry.SubmissionType = "FORM" },
			map[string]string{"odk_form": "ok readable", "types": "failure no_such_type", "create": "not_tried no_types", "registrants": "not_tried no_types"}, "types", "submission_type", nil},
		"no right to registrants": {func(w *world) { w.registry.Deny("res.partner", "create") },
			map[string]string{"create": "ok allowed", "registrants": "failure denied"}, "registrants", "registry_username", nil},
		"no right to registrants, with an Output Format": {func(w *world) {
			w.draft.Output.Format = `{name: .input.person.name, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`
			w.registry.Deny("res.partner", "create")
		}, map[string]string{"registrants": "failure denied", "write": "not_tried no_registrants"}, "registrants", "registry_username", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newODKWorld(t)
			c.break_(w)
			if w.draft.ODK.BaseURL == "http://127.0.0.1:1" { // its password would not be sent there
				c.secrets = map[string]string{seeding.ODKPassword: readerPassword}
				w.draft.ODK.ODataURL = "http://127.0.0.1:1/v1/projects/1/forms/reg.svc/Submissions"
			}
			lines := w.check(seeding.Inquiry{Connector: "odk", Draft: &w.draft, Given: c.secrets != nil}, c.secrets)
			w.want(lines, c.want)
			if c.line != "" && lines[c.line].Field != c.blame {
				t.Errorf("%s blames %q, want %q", c.line, lines[c.line].Field, c.blame)
			}
			text, _ := json.Marshal(lines)
			if strings.Contains(string(text), reader) || strings.Contains(string(text), "1111222233334444") {
				t.Errorf("%s", text)
			}
		})
	}
}
