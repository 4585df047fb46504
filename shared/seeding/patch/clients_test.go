package patch

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

// withClients is newForm with the clients of Central and Odoo, on their simulators, in
// the places of the fakes.
type withClients struct {
	*fake
	central *centralsim.Form
	odoo    *odoosim.Server
	patches *Patcher
}

func newClients(t *testing.T, n int) *withClients {
	t.Helper()
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(s.Close)
		return s.URL
	}
	w := &withClients{fake: newForm(n), odoo: odoosim.New(odoosim.Options{})}
	central := centralsim.New(centralsim.Options{Now: func() time.Time { return w.now }})
	project := central.AddProject("Registration")
	central.AddUser("reader@odk.example", "a password")
	central.Assign("reader@odk.example", project, centralsim.Viewer)
	w.central = central.AddForm(project, centralsim.Definition{ID: "reg", Fields: centralsim.Registration()})
	for i := range n {
		w.central.Submit(centralsim.Submission{ID: idOf(i + 1), At: receivedOf(i + 1), Answers: map[string]string{
			"vid": fmt.Sprintf("612345678901%04d", i+1), "person/name": fmt.Sprintf("Ñandú %d", i+1), "person/gender": "F", "person/dob": "1990-11-02", "person/phone": "+639171",
			"person/age": "36", "person/income": "12.50",
		}})
	}
	w.connector.ODK.BaseURL = serve(central)
	w.connector.ODK.ODataURL = w.connector.ODK.BaseURL + "/v1/projects/1/forms/reg.svc/Submissions"
	w.connector.Registry = seeding.RegistryAccess{URL: serve(w.odoo), Database: "g2p", Username: "admin", VIDType: "MOSIP VID", TokenType: "MOSIP UIN TOKEN", SubmissionType: "NATIONAL ID"}
	w.lease.Key, w.state.Registry = w.connector.RegistryKey(), w.connector.RegistryKey()
	w.asked()
	b := w.batches[batch]
	b.Ref.Registry = w.connector.RegistryKey()
	w.batches[batch] = b
	var rows []seeding.Row
	for i := range n {
		rows = append(rows, w.tokenFor(i+1))
	}
	w.says(rows...)
	client := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	password := func(password string) func(context.Context, seeding.Connector) (string, error) {
		return func(context.Context, seeding.Connector) (string, error) { return password, nil }
	}
	w.patches = w.patcher()
	w.patches.Registries = odoo.New(client, password("admin"), func() time.Time { return w.now })
	w.patches.Forms = odk.Forms{Client: odk.New(client, func() time.Time { return w.now }), Password: password("a password")}
	return w
}

func (w *withClients) patch(t *testing.T) {
	t.Helper()
	if err := w.patches.Patch(t.Context(), w.connector.RegistryKey()); err != nil {
		t.Fatal(err)
	}
}

// people are the registrants of the registry by the ids of their submissions, with names
// and tokens.
func (w *withClients) people(t *testing.T) (people map[string]string, total int) {
	t.Helper()
	registry, err := w.patches.Registries.Open(t.Context(), w.connector)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 50 {
		ids = append(ids, idOf(i))
	}
	kept, err := registry.Submissions(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	people = map[string]string{}
	for _, i := range kept {
		fields, phones := w.odoo.Registrant(i.Registrant)
		text := fields["name"] + " " + fields["gender"] + " " + fields["birthdate"] + fmt.Sprint(phones)
		for _, held := range w.odoo.Identifiers(i.Registrant) {
			if held.Value != i.Value {
				text += " " + held.Value
			}
		}
		people[i.Value] += text
	}
	return people, len(kept)
}

// The whole way with the real clients: each submission becomes a registrant, once, even
// if Odoo's reply is lost.
func TestSubmissionsByTheClients(t *testing.T) {
	for name, format := range map[string]string{
		"mapped fields": "",
		"an Output Format": `{name: .input.person.name, gender: .input.person.gender, birthdate: .input.person.dob, phone_numbers: [{phone_no: .input.person.phone}],
			ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]} | if .name == null then error("x") else . end`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newClients(t, 7)
			w.connector.Output.Format = format
			w.central.Delete(idOf(2))
			w.central.Edit(idOf(3), map[string]string{"vid": "6123456789019999", "person/name": "Ñandú 3"})
			w.odoo.Inject(odoosim.Fault{Method: "create", Times: 1, Point: odoosim.Reply, Outcome: odoosim.Closed})
			w.patch(t)
			if _, raised := w.state.Problems[seeding.ProblemRegistry]; !raised || len(w.answers) != 1 {
				t.Fatalf("problems %v, %d answers", w.state.Problems, len(w.answers))
			}
			w.now = w.now.Add(time.Hour)
			w.patch(t)
			people, total := w.people(t)
			if total != 5 || len(people) != 5 || people[idOf(1)] != "Ñandú 1 Female 1990-11-02[+639171] T1" {
				t.Errorf("%d registrants: %q", total, people)
			}
			if got := w.batches[batch]; got.State != seeding.Patched || got.Totals != (seeding.Totals{Sent: 6, Tokenised: 5}) || len(w.answers) > 0 || len(w.state.Problems) > 0 {
				t.Errorf("%s, %+v, problems %v", got.State, got.Totals, w.state.Problems)
			}

			// The edited one is sent again, alone.
			w.asked(idOf(3))
			row := w.tokenFor(3)
			row.Fingerprint = seeding.EditsFingerprint(1)
			b := w.batches[batch]
			b.Ref.Registry = w.connector.RegistryKey()
			w.batches[batch] = b
			w.says(row)
			w.patch(t)
			if people, total := w.people(t); total != 6 || people[idOf(3)] == "" {
				t.Errorf("%d registrants: %q; %+v", total, people, w.batches[batch].Totals)
			}
		})
	}
}

// At Central passwords change, rights are taken, and the form is deleted: the answer
// waits, and nobody is rejected.
func TestCentralRefusesByTheClients(t *testing.T) {
	w := newClients(t, 2)
	w.patches.Forms = odk.Forms{Client: odk.New(outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true}), time.Now),
		Password: func(context.Context, seeding.Connector) (string, error) { return "another", nil }}
	w.patch(t)
	if problem := w.state.Problems[seeding.ProblemODK]; problem.Code == "" || len(w.rejections) > 0 || len(w.answers) != 1 {
		t.Errorf("problems %v, %d rejections", w.state.Problems, len(w.rejections))
	}
	if slices.Contains(w.calls, "Close") {
		t.Error("the batch was closed")
	}
}
