package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/seeding"
)

// inquiry is a check or a preview as the API shows it.
type inquiry struct {
	ID    string
	State string
	Lines []struct{ Line, Result, Code, Text string }
	// Preview is read without being recorded: it holds the data of registrants, which
	// no other reply may.
	Preview *struct {
		Registrants []struct {
			Registrant int64
			Outcome    string
			Record     map[string]string
		}
		Looked int
	}
}

// poll reads an inquiry until it is over.
func (w *world) poll(at string) (q inquiry) {
	w.Helper()
	unrecorded := stack.API
	unrecorded.HTTP = web
	w.until(at+" is answered", func() bool {
		q = inquiry{}
		got, err := unrecorded.Ask(context.WithoutCancel(w.Context()), "GET", at, nil)
		if err != nil || got.Status != http.StatusOK || json.Unmarshal(got.Body, &q) != nil {
			w.Fatalf("%d, %v", got.Status, err)
		}
		return q.State != "waiting" && q.State != "working"
	})
	return q
}

func (q inquiry) results() map[string]string {
	found := map[string]string{}
	for _, l := range q.Lines {
		found[l.Line] = l.Result + " " + l.Code
	}
	return found
}

// A check of a stored connector, and one of a draft with a password of its own, which
// is gone afterwards.
func TestChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	registrants := w.addRegistrants(3)
	c := w.create()
	asked := call(t, "POST", c.path("/check"), nil)
	asked.into(t, http.StatusAccepted, nil)
	results := w.poll(asked.Header.Get("Location")).results()
	for _, line := range []string{"mts", "registry", "sign_in", "version", "database", "types", "modules", "fields", "read", "selects", "create", "remove", "index_registrant", "index_value"} {
		if !strings.HasPrefix(results[line], "ok ") {
			t.Errorf("%s: %q", line, results[line])
		}
	}

	// The connector shows what was found, and one registrant is asked about.
	var shown struct {
		Version struct{ Odoo, OpenG2P string } `json:"registry_version"`
	}
	call(t, "GET", c.path(""), nil).into(t, http.StatusOK, &shown)
	if shown.Version.Odoo == "" || shown.Version.OpenG2P == "" {
		t.Errorf("the connector shows %+v", shown.Version)
	}
	asked = call(t, "POST", c.path(fmt.Sprintf("/registrants/%d/check", registrants[0])), nil)
	asked.into(t, http.StatusAccepted, nil)
	results = w.poll(asked.Header.Get("Location")).results()
	for line, want := range map[string]string{
		"registrant": "ok found", "selected": "ok selected", "vid": "ok valid", "token": "ok none", "data": "ok complete", "next_pass": "warning not_running",
	} {
		expect(t, line+" of a registrant", results[line], want)
	}

	// Where MTS signs in for a direct callback is reached or not; no secret goes there.
	signInAt := func(address string) func(map[string]any) {
		w.forbid("callback password", "Callback-"+w.Name())
		return with("callback", map[string]any{
			"url": w.registryURL + "/api/v1/registry/individual/updateIdentification", "http_method": "PATCH", "auth_type": "odoo",
			"auth_url": address, "auth_database": w.database, "auth_username": "admin", "auth_password": "Callback-" + w.Name(),
		})
	}
	direct := w.create(signInAt(w.registryURL+"/web/session/authenticate"),
		with("output_format", `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`))
	asked = call(t, "POST", direct.path("/check"), nil)
	asked.into(t, http.StatusAccepted, nil)
	expect(t, "token endpoint", w.poll(asked.Header.Get("Location")).results()["token_endpoint"], "ok reached")

	draft := w.body(withRegistry("vid_type", "No such type"), with("mts_url", "http://127.0.0.1:1"), signInAt("http://127.0.0.1:1/authenticate"))
	asked = call(t, "POST", "/checks", map[string]any{"configuration": draft})
	asked.into(t, http.StatusAccepted, nil)
	q := w.poll(asked.Header.Get("Location"))
	results = q.results()
	expect(t, "MTS", results["mts"], "failure connection_refused")
	expect(t, "token endpoint of the draft", results["token_endpoint"], "warning connection_refused")
	expect(t, "sign-in with the draft's password", results["sign_in"], "ok signed_in")
	expect(t, "types", results["types"], "failure no_such_type")

	withoutPassword := w.body(withRegistry("url", strings.Replace(w.registryURL, "127.0.0.1", "localhost", 1)))
	delete(withoutPassword["registry"].(map[string]any), "password")
	asked = call(t, "POST", "/checks", map[string]any{"connector": c.id, "configuration": withoutPassword})
	asked.into(t, http.StatusAccepted, nil)
	expect(t, "sign-in at another host", w.poll(asked.Header.Get("Location")).results()["sign_in"], "not_tried another_registry")
	w.until("no secret of an inquiry is left", func() bool { return len(inquirySecrets(t, q.ID)) == 0 })
}

// inquirySecrets are the names of the secrets of an inquiry.
func inquirySecrets(t *testing.T, id string) (names []string) {
	t.Helper()
	out, err := secretsmanager.NewFromConfig(stack.AWS()).ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{
		Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{"inquiries/" + id}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.SecretList {
		if name := aws.ToString(s.Name); strings.Contains(name, "inquiries/"+id) {
			names = append(names, name)
		}
	}
	return names
}

// A preview shows registrants as they would be sent, once.
func TestPreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	people := w.addRegistrants(3)
	c := w.create()
	asked := call(t, "POST", c.path("/preview"), map[string]any{"count": 2})
	asked.into(t, http.StatusAccepted, nil)
	at := asked.Header.Get("Location")
	q := w.poll(at) // answered means that this GET would have delivered it
	if q.State != "delivered_now" || q.Preview == nil {
		t.Fatalf("state %s, %+v", q.State, q.Lines)
	}
	expect(t, "registrants", len(q.Preview.Registrants), 2)
	expect(t, "VIDs", q.Preview.Looked, 3)
	for i, r := range q.Preview.Registrants {
		vid := w.vid(people[i])
		if r.Registrant != people[i] || r.Outcome != "sent" || r.Record["vid"] != "••••••"+vid[len(vid)-4:] || r.Record["name"] == "" || r.Record["dob"] == "" {
			t.Errorf("registrant %d has the outcome %s", r.Registrant, r.Outcome)
		}
	}
	expect(t, "state afterwards", w.poll(at).State, "delivered")
	if left := inquirySecrets(t, q.ID); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if got := w.mts.Counters(); got.Posts != 0 {
		t.Errorf("MTS got %d requests", got.Posts)
	}
	// An inquiry whose invocation is lost is found by a tick.
	lost, err := store.Ask(t.Context(), seeding.Inquiry{ID: function.NewID(), Kind: seeding.CheckInquiry, Connector: c.id, Asked: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	expect(t, "state of a check that nobody was invoked for", w.poll("/checks/"+lost.ID).State, "answered")
	t.Logf("found by a tick after %v", time.Since(begun).Round(time.Second))
}
