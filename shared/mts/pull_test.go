package mts_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/seeding"
)

const texts = `\n|if type==\"string\" then . elif type==\"number\" then tostring else null end`

// What MTS gets in place of records. It is told the window only where there is one.
func TestEnvelopeOfAPull(t *testing.T) {
	window := seeding.Window{From: time.Date(2026, 1, 4, 9, 0, 0, 7e6, time.FixedZone("Manila", 8*3600)), To: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}
	for name, c := range map[string]struct {
		window       seeding.Window
		address      string
		start, ended string
	}{
		"a window": {window, "https://c.example.org/v1/projects/1/forms/reg.svc/Submissions?$select=__id,vid",
			`,"startdate":"2026-01-04T01:00:00.007Z"`, `,"enddate":"2026-01-05T00:00:00.000Z"`},
		"some ids": {seeding.Window{}, "https://c.example.org/v1/projects/1/forms/reg.svc/Submissions?$filter=__id%20eq%20'a'", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			var path string
			s := server(t, func(w http.ResponseWriter, r *http.Request) {
				path = r.URL.Path
				got, _ = io.ReadAll(r.Body)
				_, _ = io.WriteString(w, `{"response":{"request_identifier":"00c0"}}`)
			})
			sent := submission
			sent.MTSURL, sent.Records = s.URL, nil
			sent.OutputFormat = seeding.WindowFormat("sealed")
			sent.Pull = &seeding.Pull{BaseURL: "https://c.example.org", ODataURL: c.address, Email: "r@example.org", Password: `p"<`, Window: c.window,
				Mapping: seeding.Mapping{VID: "vid", Name: []string{"person.first", "person.last"}, Gender: "sex", DOB: "born", PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"where"}}}
			if _, err := client().Submit(t.Context(), sent); err != nil {
				t.Fatal(err)
			}
			want := `{"id":"mosip.token.seeder","version":"1.0","metadata":"","requesttime":"2026-01-05T09:30:00.123Z","request":{
				"output":"json","deliverytype":"callback",
				"mapping":{"vid":"vid` + texts + `","name":["person.first` + texts + `","person.last` + texts + `"],"gender":"sex` + texts + `","dob":"born` + texts +
				`","phoneNumber":"phone` + texts + `","emailId":"email` + texts + `","fullAddress":["where` + texts + `"]},
				"lang":"eng","outputFormat":"[\"sealed\",.input.__id,(.input.__system.edits|tostring),.output.status,.output.token,.output.errorCode,.output.errorMessage]",
				"callbackProperties":{"url":"https://connector.example.org/callback/b1","httpMethod":"POST","timeoutSeconds":30,
					"callInBulk":true,"authType":"staticBearer","authStaticBearer":{"token":"capability"}},
				"odkconfig":{"baseurl":"https://c.example.org","email":"r@example.org","password":"p\"<","odataurl":"` + c.address + `"` + c.start + c.ended + `}}}`
			var compact bytes.Buffer
			if err := json.Compact(&compact, []byte(want)); err != nil {
				t.Fatal(err)
			}
			if path != "/authtoken/odk" || strings.TrimSpace(string(got)) != compact.String() {
				t.Errorf("%s was sent\n%s\nnot\n%s", path, got, compact.String())
			}
		})
	}
}

// central is a simulated Central with a form, and a pull of everything in it.
func central(t *testing.T) (sim *centralsim.Server, form *centralsim.Form, everything *seeding.Pull) {
	t.Helper()
	sim = centralsim.New(centralsim.Options{})
	e := sim.Populate(0, 1)
	url := server(t, sim.ServeHTTP).URL
	return sim, sim.Form(1, centralsim.DemoForm), &seeding.Pull{
		BaseURL: url, ODataURL: url + "/v1/projects/1/forms/reg.svc/Submissions", Email: centralsim.DemoUser, Password: centralsim.DemoPassword,
		Window: seeding.Window{From: e.To.Add(-time.Hour), To: e.To.Add(time.Hour)},
		Mapping: seeding.Mapping{VID: "vid", Name: []string{"person.name"}, Gender: "person.gender", DOB: "person.dob",
			PhoneNumber: "person.big", EmailID: "person.email", FullAddress: []string{"where.address"}},
	}
}

// MTS fetches the submissions of a window, or those with some ids, and calls back with
// a row of each, by its id.
func TestMTSFetchesSubmissions(t *testing.T) {
	_, url, calls, address := simulator(t)
	_, form, pull := central(t)
	person := func(id, vid, name string) {
		form.Submit(centralsim.Submission{ID: id, Answers: map[string]string{
			"vid": vid, "person/name": name, "person/gender": "Female", "person/dob": "1990-11-02", "where/address": "1 Rizal St"}})
	}
	person("uuid:a", "4000000001000100", "Ana Ñúñez")
	person("uuid:b", "4000000002000190", "Ben")
	person("uuid:c", "4000000003000100", "")
	form.Edit("uuid:a", map[string]string{"vid": "4000000004000100", "person/name": "Ana", "person/gender": "Female", "person/dob": "1990-11-02", "where/address": "1"})
	want := [][4]string{{"uuid:a", "1", "processed", mtssim.Token("4000000004000100")}, {"uuid:b", "0", "error", "IDA-MLC-009"}, {"uuid:c", "0", "invalid", "ATS-REQ-010"}}
	for name, some := range map[string]bool{"a window": false, "some ids": true} {
		t.Run(name, func(t *testing.T) {
			sent, asked := submission, *pull
			if some {
				asked.Window = seeding.Window{}
				asked.ODataURL += "?$select=__id,vid,person,where,__system&$filter=__id%20eq%20'uuid%3Aa'%20or%20__id%20eq%20'uuid%3Ab'%20or%20__id%20eq%20'uuid%3Ac'"
			}
			sent.MTSURL, sent.CallbackURL, sent.Records, sent.Pull = url, address, nil, &asked
			sent.OutputFormat = seeding.WindowFormat("v1.c2VhbGVk")
			if _, err := client().Submit(t.Context(), sent); err != nil {
				t.Fatal(err)
			}
			var got [][4]string
			for _, row := range wait(t, calls).rows {
				if len(row) != 7 || *row[0] != "v1.c2VhbGVk" {
					t.Fatalf("%d cells", len(row))
				}
				result := row[4]
				if result == nil {
					result = row[5]
				}
				got = append(got, [4]string{*row[1], *row[2], *row[3], *result})
			}
			slices.SortFunc(got, func(a, b [4]string) int { return strings.Compare(a[0], b[0]) })
			if !slices.Equal(got, want) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// One number where MTS wants a text would fail a whole window (facts/mts.md W12). The
// mapping that it is given makes texts of them, and nothing of what cannot be one.
func TestOneWrongTypeDoesNotFailAWindow(t *testing.T) {
	_, url, calls, address := simulator(t)
	_, form, pull := central(t)
	pull.Mapping.Gender = "person.age # a comment"
	pull.Mapping.DOB = "person"
	pull.Mapping.Name = []string{"person.income", "person.name"}
	form.Submit(centralsim.Submission{ID: "uuid:a", Answers: map[string]string{
		"vid": "4000000001000100", "person/name": "Ana", "person/age": "35", "person/income": "12.5", "person/big": "639171234567", "where/address": "1 Rizal St"}})
	sent := submission
	sent.MTSURL, sent.CallbackURL, sent.Records, sent.Pull = url, address, nil, pull
	sent.OutputFormat = seeding.WindowFormat("sealed")
	if _, err := client().Submit(t.Context(), sent); err != nil {
		t.Fatal("the window failed:", err)
	}
	if rows := wait(t, calls).rows; len(rows) != 1 || rows[0][5] == nil || *rows[0][5] != "ATS-REQ-012" {
		t.Errorf("an object for the date of birth is none, and all before it are texts: %v", rows)
	}
}

// What MTS answers when it fetched nothing: with ATS-REQ-23 there is no request, so
// nothing was taken. After a 500 nobody knows (facts/odk.md 15.2). No error repeats an
// account, which the server knows and could send back.
func TestFailedPulls(t *testing.T) {
	_, url, _, address := simulator(t)
	for name, test := range map[string]struct {
		prepare func(*centralsim.Server, *seeding.Pull)
		kind    seeding.FaultKind
		code    string
	}{
		"an empty window": {func(_ *centralsim.Server, p *seeding.Pull) {
			p.Window = seeding.Window{From: p.Window.From.AddDate(-1, 0, 0), To: p.Window.From}
		}, seeding.RefusedRequest, "ATS-REQ-23"},
		"no right": {func(c *centralsim.Server, _ *seeding.Pull) {
			c.Assign(centralsim.DemoUser, 1, centralsim.Collector)
		}, seeding.RefusedRequest, "ATS-REQ-23"},
		"no form": {func(_ *centralsim.Server, p *seeding.Pull) {
			p.ODataURL = strings.Replace(p.ODataURL, "reg", "none", 1)
		}, seeding.RefusedRequest, "ATS-REQ-23"},
		"no e-mail":      {func(_ *centralsim.Server, p *seeding.Pull) { p.Email = "" }, seeding.RefusedRequest, "ATS-REQ-19"},
		"no password":    {func(_ *centralsim.Server, p *seeding.Pull) { p.Password = "" }, seeding.RefusedRequest, "ATS-REQ-20"},
		"wrong password": {func(_ *centralsim.Server, p *seeding.Pull) { p.Password += "secret" }, seeding.Unknown, "ATS-REQ-100"},
		"single sign-on": {func(c *centralsim.Server, _ *seeding.Pull) { c.SetSingleSignOn(true) }, seeding.Unknown, "ATS-REQ-100"},
		"a proxy alone":  {func(c *centralsim.Server, _ *seeding.Pull) { c.SetFaults(centralsim.Faults{Page: 502}) }, seeding.Unknown, "ATS-REQ-100"},
		"nothing there":  {func(_ *centralsim.Server, p *seeding.Pull) { p.BaseURL = "http://127.0.0.1:1" }, seeding.Unknown, "ATS-REQ-100"},
	} {
		t.Run(name, func(t *testing.T) {
			sim, form, pull := central(t)
			form.Submit(centralsim.Submission{ID: "uuid:a", Answers: map[string]string{"vid": "4000000001000100"}})
			test.prepare(sim, pull)
			sent := submission
			sent.MTSURL, sent.CallbackURL, sent.Records, sent.Pull = url, address, nil, pull
			_, err := client().Submit(t.Context(), sent)
			check(t, err, false, test.kind, test.code)
			for _, secret := range []string{"secret", centralsim.DemoPassword, centralsim.DemoUser} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s", err)
				}
			}
		})
	}
	// A server that sends the account back, as an error code too.
	_, _, pull := central(t)
	for _, status := range []int{200, 400, 500} {
		c := mts.New(&http.Client{Transport: answering{status, `{"errors":[{"errorCode":"` + pull.Password + `","errorMessage":"` + pull.Password + `"}]}`}}, func() time.Time { return now })
		sent := submission
		sent.MTSURL, sent.Pull = "https://mts.example.org", pull
		if _, err := c.Submit(t.Context(), sent); err == nil || strings.Contains(err.Error(), pull.Password) {
			t.Errorf("%d: %v", status, err)
		}
	}
}
