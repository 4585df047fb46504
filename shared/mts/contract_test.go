package mts_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/seeding"
)

// callback is what the simulator delivered.
type callback struct {
	bearer string
	rows   [][]*string // key, status, token, error code, error message
}

func simulator(t *testing.T) (sim *mtssim.Server, url string, delivered <-chan callback, address string) {
	t.Helper()
	calls := make(chan callback, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c := callback{bearer: r.Header.Get("Authorization")}
		if err := json.Unmarshal(body, &c.rows); err != nil || r.Method != http.MethodPost || r.URL.Path != "/callback/b1" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		calls <- c
	}))
	t.Cleanup(receiver.Close)
	sim = mtssim.New(mtssim.Options{})
	s := server(t, sim.ServeHTTP)
	t.Cleanup(sim.Close) // before the server around it
	return sim, s.URL, calls, receiver.URL + "/callback/b1"
}

func wait(t *testing.T, calls <-chan callback) callback {
	t.Helper()
	select {
	case c := <-calls:
		return c
	case <-time.After(time.Minute):
		t.Fatal("no callback")
		return callback{}
	}
}

// MTS takes a submission, processes it and calls back with its rows.
func TestMTSTakesSubmissions(t *testing.T) {
	_, url, calls, address := simulator(t)
	person := func(vid, key string) seeding.RequestRecord {
		return seeding.RequestRecord{VID: vid, Name: "Ana Ñúñez", Gender: "Female", DOB: "1990-11-02", FullAddress: "1 Rizal St", Key: key}
	}
	nameless := person("4000000001000100", "c")
	nameless.Name = ""
	sent := submission
	sent.MTSURL, sent.CallbackURL = url, address
	sent.Records = []seeding.RequestRecord{person("4000000001000100", "a"), person("4000000002000190", "b"), nameless}
	id, err := client().Submit(t.Context(), sent)
	if err != nil {
		t.Fatal(err)
	}
	got := wait(t, calls)
	if got.bearer != "Bearer capability" {
		t.Errorf("bearer %q", got.bearer)
	}
	want := [][3]string{{"a", "processed", mtssim.Token("4000000001000100")}, {"b", "error", "IDA-MLC-009"}, {"c", "invalid", "ATS-REQ-010"}}
	for i, row := range got.rows {
		result := row[2]
		if result == nil {
			result = row[3]
		}
		if got := [3]string{*row[0], *row[1], *result}; len(row) != 5 || got != want[i] {
			t.Errorf("row %d: %v", i, got)
		}
	}
	if len(got.rows) != len(want) {
		t.Errorf("%d rows", len(got.rows))
	}
	if status, err := client().Status(t.Context(), url, id); err != nil || status != seeding.StatusPartly {
		t.Errorf("status %s, %v", status, err)
	}
}

func TestMTSTakesABatchWithoutAValidRecord(t *testing.T) {
	_, url, calls, address := simulator(t)
	sent := submission
	sent.MTSURL, sent.CallbackURL, sent.Records = url, address, []seeding.RequestRecord{{VID: "4000000001000100", Key: "a"}}
	if id, err := client().Submit(t.Context(), sent); err != nil || id == "" {
		t.Fatalf("%q, %v", id, err)
	}
	if got := wait(t, calls); len(got.rows) != 1 || *got.rows[0][1] != "invalid" {
		t.Errorf("%v", got.rows)
	}
}

func TestMTSFailures(t *testing.T) {
	sim, url, calls, address := simulator(t)
	sent := submission
	sent.MTSURL, sent.CallbackURL = url, address
	submit := func() (string, error) { return client().Submit(t.Context(), sent) }

	sim.SetFaults(mtssim.Faults{FailNext: 1})
	_, err := submit()
	check(t, err, false, seeding.Unknown, "ATS-REQ-100")
	wait(t, calls) // it was taken nevertheless

	sim.SetFaults(mtssim.Faults{Down: true})
	_, err = submit()
	check(t, err, false, seeding.Unknown, "ConnectionLost")
	_, err = client().Status(t.Context(), url, id)
	check(t, err, false, seeding.Unknown, "ConnectionLost")

	sim.SetFaults(mtssim.Faults{})
	bad := sent
	bad.OutputFormat = "[."
	_, err = client().Submit(t.Context(), bad)
	check(t, err, false, seeding.RefusedRequest, "ATS-REQ-103")
	bad = sent
	bad.CallbackURL = "nowhere"
	_, err = client().Submit(t.Context(), bad)
	check(t, err, false, seeding.RefusedRequest, "ATS-REQ-102")
	bad = sent
	bad.Records = nil
	_, err = client().Submit(t.Context(), bad)
	check(t, err, false, seeding.RefusedRequest, "ATS-REQ-102")
	bad = sent
	bad.MTSURL += "/elsewhere"
	_, err = client().Submit(t.Context(), bad)
	check(t, err, false, seeding.RefusedRequest, "HTTP-404")

	given, err := submit()
	if err != nil {
		t.Fatal(err)
	}
	wait(t, calls)
	sim.Forget()
	if status, err := client().Status(t.Context(), url, given); err != nil || status != seeding.StatusUnknown {
		t.Errorf("forgotten: %s, %v", status, err)
	}
}
