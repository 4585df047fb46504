package connectors_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestRetry(t *testing.T) {
	s := newService(t)
	created := s.want(http.StatusCreated, "POST", "/connectors", with())
	id := created.body["id"].(string)
	registry := s.store.connectors[id].RegistryKey()
	for i := range int64(3) {
		s.store.rejections = append(s.store.rejections, seeding.Rejection{
			Registry: registry, Connector: id, Subject: seeding.Member{Registrant: i + 10, Identifier: i + 1}.Subject(), Kind: seeding.Duplicate})
	}
	path := "/connectors/" + id + "/rejections/retry"

	a := s.want(http.StatusAccepted, "POST", path, `{"identifiers": [1, 3, 77]}`)
	if a.body["identifiers"] != 2.0 || !s.store.rejections[0].Next.Equal(s.now) || !s.store.rejections[1].Next.IsZero() {
		t.Errorf("%v %+v", a.body, s.store.rejections)
	}
	s.want(http.StatusAccepted, "POST", path, `{"kind": "duplicate"}`)
	s.want(http.StatusAccepted, "POST", path, `{}`)
	again := s.store.states[id].Retried
	if !again[seeding.Group{Kind: seeding.Duplicate}].Equal(s.now) || !again[seeding.Group{}].Equal(s.now) || len(again) != 2 {
		t.Errorf("%v", again)
	}
	s.want(http.StatusNotFound, "POST", "/connectors/unknown/rejections/retry", `{}`)
	for body, pointers := range map[string]string{
		`{"kind": "sad"}`:                                       "/kind",
		`{"identifiers": []}`:                                   "/identifiers",
		`{"identifiers": ["1", 0, 2.5]}`:                        "/identifiers/0 /identifiers/1 /identifiers/2",
		`{"kind": "refused", "registrants": [1]}`:               "/registrants",
		`{"registrants": [1], "identifiers": [1]}`:              "/registrants",
		`{"registrants": [-1, 7, "x"]}`:                         "/registrants/0 /registrants/2",
		`{"code": "IDA-MLC-009"}`:                               "/code",
		`{"submissions": ["a"], "kind": "refused"}`:             "/submissions",
		`{"submissions": ["a"], "identifiers": [1]}`:            "/submissions",
		`{"submissions": ["a"], "registrants": [1]}`:            "/submissions",
		`{"submissions": ["", 1]}`:                              "/submissions/0 /submissions/1",
		`{"kind": "refused", "code": "IDA MLC"}`:                "/code",
		`{"kind": "sad", "code": "IDA-MLC"}`:                    "/kind",
		`{"dry_run": 1}`:                                        "/dry_run",
		`{"kind": "refused", "identifiers": [1]}`:               "/identifiers",
		`{"identifiers": [` + strings.Repeat("1,", 100) + `1]}`: "/identifiers",
	} {
		a := s.want(http.StatusUnprocessableEntity, "POST", path, body)
		if got := strings.Join(slices.Sorted(maps.Keys(a.fieldErrors())), " "); got != pointers {
			t.Errorf("%s: %s, want %s", body, got, pointers)
		}
	}
}

// Rejections are named by what those of the connector's source have.
func TestRetryOfSubmissions(t *testing.T) {
	s := newService(t)
	ofRegistry, path := s.create(), s.want(201, "POST", "/connectors", withODK()).Header().Get("Location")
	s.store.rejections = []seeding.Rejection{{
		Registry: s.store.connectors[idOf(path)].RegistryKey(), Connector: idOf(path), Subject: seeding.Subject{Submission: "uuid:1"}, Kind: seeding.Refused}}
	a := s.want(202, "POST", path+"/rejections/retry", `{"submissions": ["uuid:2", "uuid:1", "uuid:1"]}`)
	if a.body["submissions"] != 1.0 || a.body["identifiers"] != nil || !s.store.rejections[0].Next.Equal(s.now) {
		t.Errorf("%v %+v", a.body, s.store.rejections)
	}
	changes := len(s.store.changes)
	for _, c := range []struct{ path, body, pointer string }{
		{path, `{"registrants": [1]}`, "/registrants"},
		{path, `{"identifiers": [1], "dry_run": true}`, "/identifiers"},
		{ofRegistry, `{"submissions": ["uuid:1"]}`, "/submissions"},
		{ofRegistry, `{"submissions": ["uuid:1"], "dry_run": true}`, "/submissions"},
	} {
		got := s.want(422, "POST", c.path+"/rejections/retry", c.body).fieldErrors()
		if !strings.HasPrefix(got[c.pointer], "cannot be given to a connector of input_type") || len(got) != 1 {
			t.Errorf("%s: %v", c.body, got)
		}
	}
	if len(s.store.changes) != changes {
		t.Error("a retry that was refused changed something")
	}
}

// A retry says when it goes out, in earnest and dry.
func TestARetrySaysWhenItGoesOut(t *testing.T) {
	for name, c := range map[string]struct {
		changes []any
		status  seeding.Status
		run     string
		body    string
		want    string // status, goes_out, next_run, and a part of the note
	}{
		"running":               {nil, seeding.Running, "", `{}`, "running now 2026-11-21T09:00:00Z within a minute"},
		"running, dry":          {nil, seeding.Running, "", `{"dry_run":true}`, "running now 2026-11-21T09:00:00Z within a minute"},
		"a run is open":         {nil, seeding.Running, "r", `{"kind":"refused"}`, "running open_run 2026-11-21T09:00:00Z has not come to"},
		"daily":                 {[]any{"daily_at", "02:30"}, seeding.Running, "", `{"identifiers":[1]}`, "running next_run 2026-11-22T02:30:00Z does not begin it early"},
		"stopped":               {nil, seeding.Stopped, "", `{}`, "stopped not_running <nil> once it is started"},
		"stopped, dry, some":    {nil, seeding.Stopped, "", `{"registrants":[1000],"dry_run":true}`, "stopped not_running <nil> once it is started"},
		"completed":             {[]any{"job_type", "one_time"}, seeding.Completed, "", `{}`, "completed not_running <nil> once it is started"},
		"nobody of the numbers": {nil, seeding.Running, "", `{"registrants":[77]}`, "running nobody <nil> None of them is rejected"},
		"nobody at all, dry":    {nil, seeding.Running, "", `{"identifiers":[77],"dry_run":true}`, "running nobody <nil> None of them is rejected"},
	} {
		s := newService(t)
		path := s.create(c.changes...)
		s.rejected(path, 3)
		state := s.store.states[idOf(path)]
		state.Status, state.Run, state.Due, state.Since = c.status, c.run, s.now.Add(10*time.Minute), s.now.Add(-time.Hour)
		s.store.states[idOf(path)] = state
		a := s.do("POST", path+"/rejections/retry", c.body)
		goesOut, _ := a.body["goes_out"].(map[string]any)
		got := fmt.Sprint(a.body["status"], " ", goesOut["code"], " ", a.body["next_run"], " ", goesOut["text"])
		head, part := strings.Join(strings.Fields(c.want)[:3], " "), strings.Join(strings.Fields(c.want)[3:], " ")
		if a.Code > 202 || !strings.HasPrefix(got, head+" ") || !strings.Contains(got, part) {
			t.Errorf("%s: %s, want %s", name, a.Body, c.want)
		}
	}
}

func TestKindsOfARetryAreListedAsWords(t *testing.T) {
	s := newService(t)
	id := s.want(http.StatusCreated, "POST", "/connectors", with()).body["id"].(string)
	a := s.want(422, "POST", "/connectors/"+id+"/rejections/retry", `{"kind": "sad"}`)
	if detail := a.fieldErrors()["/kind"]; !strings.HasPrefix(detail, "must be one of invalid, refused, ") {
		t.Errorf("%q", detail)
	}
}

// People ask again for one group, and are told before how many that is.
func TestRetryOfAGroupAndItsDryRun(t *testing.T) {
	s := newService(t)
	path := s.create()
	id, registry := idOf(path), s.store.connectors[idOf(path)].RegistryKey()
	for i := range int64(6) {
		s.store.rejections = append(s.store.rejections, seeding.Rejection{
			Registry: registry, Connector: id, Subject: seeding.Member{Registrant: i/2 + 10, Identifier: i + 1}.Subject(), LastAttempt: s.now.Add(-time.Hour),
			Kind: []seeding.RejectionKind{seeding.Invalid, seeding.Refused}[i%2], Code: []string{"A", "B:dob", "A", "C", "A,B", "C"}[i],
		})
	}
	for body, want := range map[string]float64{
		`{"dry_run": true}`:                                      6,
		`{"dry_run": true, "kind": "invalid"}`:                   3,
		`{"dry_run": true, "kind": "invalid", "code": "A"}`:      2,
		`{"dry_run": true, "kind": "invalid", "code": "A,B"}`:    1,
		`{"dry_run": true, "kind": "refused", "code": "B"}`:      1,
		`{"dry_run": true, "kind": "conflict"}`:                  0,
		`{"dry_run": true, "identifiers": [1, 1, 2, 99]}`:        2,
		`{"dry_run": true, "registrants": [11, 12, 11, 4711]}`:   4,
		`{"dry_run": true, "kind": "invalid", "code": "ABSENT"}`: 0,
	} {
		if a := s.want(200, "POST", path+"/rejections/retry", body); a.body["count"] != want {
			t.Errorf("%s: %s, want %v", body, a.Body, want)
		}
	}
	if len(s.store.changes) != 1 || s.store.states[id].Retried != nil {
		t.Error("a dry run changed something")
	}
	s.want(202, "POST", path+"/rejections/retry", `{"kind": "invalid", "code": "A"}`)
	group := seeding.Group{Kind: seeding.Invalid, Code: "A"}
	if got := s.store.states[id].Retried; len(got) != 1 || !got[group].Equal(s.now) {
		t.Errorf("%v", got)
	}
	if a := s.want(202, "POST", path+"/rejections/retry", `{"registrants": [11]}`); a.body["registrants"] != 2.0 {
		t.Errorf("%s", a.Body)
	}
	if change := s.store.changes[len(s.store.changes)-1]; change.Count != 2 || change.Kind != seeding.ChangeRetry {
		t.Errorf("%+v", change)
	}
	for i := range 30 {
		if a := s.do("POST", path+"/rejections/retry", fmt.Sprintf(`{"kind": "refused", "code": "N%d"}`, i)); a.Code == 409 && i > 10 {
			s.want(202, "POST", path+"/rejections/retry", `{"kind": "refused"}`)
			return
		}
	}
	t.Error("there is room for any number of codes")
}

// A code that is too rare to be listed among very many is not said to be nowhere.
func TestDryRunOfARareCode(t *testing.T) {
	s := newService(t)
	path := s.create()
	id, at := idOf(path), s.now.Add(-time.Hour)
	s.store.counted = map[string]seeding.RejectionCount{id: seeding.CountOf(at, 300_000, []seeding.GroupCount{
		{Group: seeding.Group{Kind: seeding.Refused, Code: "A"}, Count: 299_990}, {Group: seeding.Group{Kind: seeding.Refused}, Count: 10},
	})}
	state := s.store.states[id]
	state.Figures = seeding.Figures{Rejected: 300_000, Counted: at}
	s.store.states[id] = state
	for body, want := range map[string][2]any{
		`{"dry_run": true, "kind": "refused", "code": "A"}`:    {299_990.0, true},
		`{"dry_run": true, "kind": "refused", "code": "RARE"}`: {0.0, false},
		`{"dry_run": true, "kind": "refused"}`:                 {300_000.0, true},
		`{"dry_run": true, "kind": "invalid", "code": "A"}`:    {0.0, true},
	} {
		if a := s.want(200, "POST", path+"/rejections/retry", body); a.body["count"] != want[0] || a.body["complete"] != want[1] {
			t.Errorf("%s: %s", body, a.Body)
		}
	}
}
