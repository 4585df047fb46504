package connectors_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

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
		`{"kind": "refused", "identifiers": [1]}`:               "/identifiers",
		`{"registrants": [1]}`:                                  "/registrants",
		`{"identifiers": [` + strings.Repeat("1,", 100) + `1]}`: "/identifiers",
	} {
		a := s.want(http.StatusUnprocessableEntity, "POST", path, body)
		if got := strings.Join(slices.Sorted(maps.Keys(a.fieldErrors())), " "); got != pointers {
			t.Errorf("%s: %s, want %s", body, got, pointers)
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
