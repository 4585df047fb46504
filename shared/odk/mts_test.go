package odk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/seeding"
)

// seeder is a simulated MTS that reads from a simulated Central.
type seeder struct {
	*mtssim.Server
	url       string
	callbacks chan []byte
}

func newSeeder(t *testing.T) *seeder {
	t.Helper()
	s := &seeder{Server: mtssim.New(mtssim.Options{}), callbacks: make(chan []byte, 1)}
	receiver := http.NewServeMux()
	receiver.HandleFunc("POST /answers", func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		s.callbacks <- body.Bytes()
	})
	receiver.Handle("/", s.Server)
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	s.url = server.URL
	return s
}

// pull has MTS read a window. The answer is its code, or "accepted".
func (s *seeder) pull(t *testing.T, baseURL, odataURL, password string, w seeding.Window) string {
	t.Helper()
	from, to := w.Bounds()
	body, err := json.Marshal(map[string]any{
		"id": "x", "version": "1", "metadata": "x", "requesttime": "2026-11-27T12:00:00.000Z",
		"request": map[string]any{
			"output": "json", "deliverytype": "callback",
			"mapping":            map[string]any{"vid": "vid", "name": []string{"person.name"}, "gender": "person.gender", "dob": "person.dob", "fullAddress": []string{"where.address"}},
			"outputFormat":       "[.input.__id, .output.status, .output.token, .output.errorCode]",
			"callbackProperties": map[string]any{"url": s.url + "/answers", "callInBulk": true},
			"odkconfig": map[string]any{"baseurl": baseURL, "odataurl": odataURL, "email": reader, "password": password,
				"startdate": from, "enddate": to},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.url+"/authtoken/odk", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var reply struct {
		Errors []struct {
			Code    string `json:"errorCode"`
			Message string `json:"errorMessage"`
		} `json:"errors"`
		Response *struct{} `json:"response"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		t.Fatal(err)
	}
	switch {
	case len(reply.Errors) == 0 && reply.Response != nil:
		return "accepted"
	case reply.Errors[0].Code == "ATS-REQ-100":
		return reply.Errors[0].Message
	}
	return reply.Errors[0].Code
}

// answers waits for the callback and returns its rows by the submission's id.
func (s *seeder) answers(t *testing.T) map[string][]any {
	t.Helper()
	var list [][]any
	if err := json.Unmarshal(<-s.callbacks, &list); err != nil {
		t.Fatal(err)
	}
	rows := map[string][]any{}
	for _, row := range list {
		rows[fmt.Sprint(row[0])] = row
	}
	if len(rows) != len(list) {
		t.Errorf("%d rows for %d submissions", len(list), len(rows))
	}
	return rows
}

// MTS and the client read the same submissions of a window, and what MTS says of each
// is what the demonstration expects.
func TestMTSReadsTheSame(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	mts := newSeeder(t)
	e := c.Populate(300, 3)
	c.Assign(reader, 1, centralsim.Viewer)
	w := seeding.Window{From: e.From.Add(50 * time.Second), To: e.To}
	var ids []string
	vids := map[string]string{}
	err := c.at.Read(t.Context(), w, func(s seeding.Submission) error {
		ids = append(ids, s.ID)
		vids[s.ID], _ = s.Record["vid"].(string)
		return nil
	})
	n, errCount := c.at.Count(t.Context(), w)
	if err != nil || errCount != nil || n != len(ids) || n < 200 || n >= 300 {
		t.Fatal(len(ids), n, err, errCount)
	}
	address, err := odk.ParseAddress(c.http.URL, c.http.URL+"/v1/projects/1/forms/reg.svc/")
	if err != nil {
		t.Fatal(err)
	}
	if got := mts.pull(t, address.Base.String(), address.String(), password, w); got != "accepted" {
		t.Fatal(got)
	}
	rows := mts.answers(t)
	if len(rows) != len(ids) || slices.ContainsFunc(ids, func(id string) bool { return rows[id] == nil }) {
		t.Fatalf("%d rows for %d submissions", len(rows), len(ids))
	}
	codes := map[centralsim.Kind]any{centralsim.RefusedVID: "IDA-MLC-009", centralsim.GoneUIN: "IDA-MLC-002", centralsim.ManyErrors: "ATS-REQ-103",
		centralsim.EmptyToken: nil, centralsim.NoVID: "ATS-REQ-009", centralsim.NoName: "ATS-REQ-010", centralsim.NoGender: "ATS-REQ-011",
		centralsim.NoBirthdate: "ATS-REQ-012", centralsim.NoAddress: "ATS-REQ-015"}
	for id, row := range rows {
		kind := e.Kinds[id]
		code, special := codes[kind]
		if row[3] != code || !special && row[2] != mtssim.Token(vids[id]) {
			t.Errorf("%s: %v", kind, row)
		}
	}
}

// What MTS cannot tell apart, the client does: the table of facts/odk.md 15.2.
func TestWhatMTSCannotTell(t *testing.T) {
	nothing := "ATS-REQ-23"
	for name, test := range map[string]struct {
		prepare func(*central) (odataURL, password string)
		mts     string
		client  string
	}{
		"nothing there": {func(c *central) (string, string) { c.form.Delete("s0"); return "", "" }, nothing, ""},
		"no right":      {func(c *central) (string, string) { c.Assign(reader, 1, centralsim.Collector); return "", "" }, nothing, odk.NoRight},
		"no form": {func(c *central) (string, string) {
			c.open("none", password)
			return "/v1/projects/1/forms/none.svc/Submissions", ""
		}, nothing, odk.NoForm},
		"wrong password": {func(c *central) (string, string) { c.open("reg", "wrong"); return "", "wrong" }, "'token'", odk.WrongPassword},
		"single sign-on": {func(c *central) (string, string) { c.SetSingleSignOn(true); return "", "" }, "'token'", odk.SingleSignOn},
		"database down":  {func(c *central) (string, string) { c.SetFaults(centralsim.Faults{DatabaseDown: true}); return "", "" }, "'token'", "HTTP-500"},
		"fails when read": {func(c *central) (string, string) {
			c.hook(func(r *http.Request) {
				if r.Method == http.MethodGet {
					c.SetFaults(centralsim.Faults{FailNext: 1})
				}
			})
			return "", ""
		}, nothing, "HTTP-500"},
		"nginx alone": {func(c *central) (string, string) { c.SetFaults(centralsim.Faults{Page: 502}); return "", "" }, "Expecting value: line 1 column 1 (char 0)", "HTTP-502"},
		"cut":         {func(c *central) (string, string) { c.stop(centralsim.Ended); return "", "" }, "Expecting ',' delimiter", odk.BrokenReply},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t, centralsim.Options{})
			c.submit(1)
			if name == "cut" {
				c.submit(5)
			}
			odataURL, given := test.prepare(c)
			if odataURL == "" {
				odataURL = "/v1/projects/1/forms/reg.svc/Submissions"
			}
			if given == "" {
				given = password
			}
			if got := newSeeder(t).pull(t, c.http.URL, c.http.URL+odataURL, given, everything); !strings.HasPrefix(got, test.mts) {
				t.Errorf("MTS: %s, want %s", got, test.mts)
			}
			_, err := c.at.Count(t.Context(), everything)
			if name == "cut" {
				_, err = c.read(everything)
			}
			if codeOf(err) != test.client {
				t.Errorf("client: %v, want %q", err, test.client)
			}
		})
	}
	// A service document and an encrypted form are a success to MTS, with records that
	// are none.
	c := newCentral(t, centralsim.Options{})
	c.submit(1)
	mts := newSeeder(t)
	if got := mts.pull(t, c.http.URL, c.http.URL+"/v1/projects/1/forms/reg.svc", password, everything); got != "ATS-REQ-101" {
		t.Error("a service document:", got)
	}
}
