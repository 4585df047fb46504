package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// addForm starts an ODK Central with submissions that came since a moment, of which each
// fifth is refused. It returns its address.
func (w *world) addForm(n int, since time.Time) (url string, form *centralsim.Form) {
	central := centralsim.New(centralsim.Options{Now: w.clock.Now})
	central.Populate(0, 1)
	form = central.Form(1, centralsim.DemoForm)
	for i := range n {
		ending := odoosim.Normal
		if i%5 == 4 {
			ending = 90
		}
		form.Submit(centralsim.Submission{ID: fmt.Sprintf("uuid:%04d", i), At: since.Add(time.Duration(i) * time.Second), Answers: map[string]string{
			"vid": odoosim.DemoVID(int64(4000+i), 1, ending), "person/name": fmt.Sprintf("Ana %d", i), "person/gender": "Female", "person/dob": "1990-01-31", "where/address": "1 Long Street",
		}})
	}
	return serve(w.T, central), form
}

// pullOdoos does what a run of Odoo's connector does with ODK (facts/mts.md 5.3), from
// its end_datetime to now, and returns the tokens that MTS makes of it, by submission. A
// receiver takes them in place of callback_url.
func (w *world) pullOdoos(id int64) map[string]string {
	w.Helper()
	var found []record
	w.rpc(&found, "mts.connector", "read", []any{[]int64{id}}, map[string]any{})
	c := found[0]
	from, err := time.Parse(time.DateTime, c.text("end_datetime"))
	if err != nil {
		w.Fatal(err)
	}
	calls := make(chan []byte, 1)
	receiver := serve(w.T, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- body
	}))
	const layout = "2006-01-02T15:04:05.000Z"
	request, err := json.Marshal(map[string]any{
		"id": "string", "version": "string", "metadata": "string", "requesttime": "2026-11-28T09:00:00.000Z",
		"request": map[string]any{
			"output": c.text("output_type"), "deliverytype": c.text("delivery_type"), "mapping": json.RawMessage(c.text("mapping")), "lang": c.text("lang_code"),
			"outputFormat":       "[.input.__id, .output.token]",
			"callbackProperties": map[string]any{"url": receiver, "httpMethod": "POST", "callInBulk": true, "authType": "none"},
			"odkconfig": map[string]any{
				"baseurl": c.text("odk_base_url"), "odataurl": c.text("odk_odata_url"), "email": c.text("odk_email"), "password": c.text("odk_password"),
				"startdate": from.Format(layout), "enddate": w.clock.Now().UTC().Format(layout),
			},
		},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.post(strings.TrimRight(c.text("mts_url"), "/")+"/authtoken/odk", request)
	var rows [][2]*string
	select {
	case body := <-calls:
		if err := json.Unmarshal(body, &rows); err != nil {
			w.Fatal(err)
		}
	case <-w.Context().Done():
		w.Fatal("MTS does not call")
	}
	tokens := map[string]string{}
	for _, row := range rows {
		if row[1] != nil {
			tokens[*row[0]] = *row[1]
		}
	}
	return tokens
}

// submissionTokens are the tokens of who came of submissions.
func (w *world) submissionTokens() map[string]string {
	tokens := map[string]string{}
	for registrant, identifiers := range w.odoo.Snapshot() {
		for _, i := range identifiers {
			if i.Type != odoosim.SubmissionType {
				continue
			}
			if tokens[i.Value] != "" {
				w.Errorf("submission %s made two registrants", i.Value)
			}
			tokens[i.Value] = w.tokens()[registrant]
		}
	}
	return tokens
}

// A connector of ODK of each line is migrated, and after its run a registrant has come
// of every submission of which Odoo's connector would have had a token delivered, with
// that token; MOSIP is asked the same.
func TestAConnectorOfODKIsMigratedAndGivesTheSameTokens(t *testing.T) {
	for line := range lines {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, line)
			last := w.clock.Now().Add(-time.Hour).Truncate(time.Second)
			url, form := w.addForm(20, last)
			form.Submit(centralsim.Submission{ID: "uuid:old", At: last.Add(-time.Millisecond), Answers: map[string]string{"vid": odoosim.DemoVID(9, 1, odoosim.Normal)}})
			mapping, err := json.Marshal(map[string]any{"vid": "vid", "name": []string{"person.name"}, "gender": "person.gender", "dob": "person.dob",
				"phoneNumber": "person.phone", "emailId": "person.email", "fullAddress": []string{"where.address"}})
			if err != nil {
				t.Fatal(err)
			}
			id := w.addConnector(line, map[string]any{
				"input_type": "odk", "odk_base_url": url, "odk_odata_url": url + "/v1/projects/1/forms/" + centralsim.DemoForm + ".svc/Submissions",
				"odk_email": centralsim.DemoUser, "odk_password": centralsim.DemoPassword, "mapping": string(mapping), "output_format": nil,
				"end_datetime": last.UTC().Format(time.DateTime), "is_recurring": "recurring", "interval_minutes": int64(5), "job_status": "running",
			})
			want := w.pullOdoos(id)
			if len(want) != 16 {
				t.Fatalf("Odoo's connector gave %d tokens", len(want))
			}
			printed, err := w.migrate(nil, "-create", "-stop-old", "-start")
			if err != nil || strings.Contains(printed, centralsim.DemoPassword) {
				t.Fatalf("%v\n%s", err, printed)
			}
			all := w.connectors()
			c := all[recorded(t, line)[0].text("name")]
			if len(all) != 1 || c == nil || c["status"] != "running" || len(c["problems"].(map[string]any)) > 0 {
				t.Fatalf("connectors: %v\n%s", all, printed)
			}
			for range 30 {
				w.tick()
			}
			if got := w.submissionTokens(); !maps.Equal(got, want) {
				t.Errorf("%d submissions led to registrants with tokens, want %d: %v", len(got), len(want), slices.Sorted(maps.Keys(got)))
			}
			for vid, asked := range w.applicants {
				if len(asked) != 2 || asked[0] != asked[1] {
					t.Errorf("MOSIP was asked %d times, or for others, for the VID that ends in %s", len(asked), vid[len(vid)-2:])
				}
			}
		})
	}
}
