package connectors_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestBodies(t *testing.T) {
	s := newService(t)
	for name, c := range map[string]struct {
		body, kind string
		status     int
		detail     string
	}{
		"no JSON":       {`{"name": "x",` + "\n" + ` "mts_url": hunter2}`, "application/json", 400, "line 2, column 13"},
		"cut off":       {`{"name": "é`, "application/json", 400, "line 1"},
		"two values":    {`{} {}`, "application/json", 400, "line 1, column 4"},
		"empty":         {``, "application/json", 400, "not JSON"},
		"no UTF-8":      {"{\"name\": \"\xff\"}", "application/json", 400, "UTF-8"},
		"form":          {`name=x`, "application/x-www-form-urlencoded", 415, "application/json"},
		"no type":       {`{}`, "", 415, "application/json"},
		"too large":     {`{"name":"` + strings.Repeat("x", 256<<10) + `"}`, "application/json", 413, "262144"},
		"a list":        {`[]`, "application/json; charset=utf-8", 422, "One field"},
		"nothing in it": {`null`, "application/json", 422, "6 fields"},
	} {
		r := httptest.NewRequest("POST", "/connectors", strings.NewReader(c.body))
		if c.kind != "" {
			r.Header.Set("Content-Type", c.kind)
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.detail) || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestPathsAndMethods(t *testing.T) {
	s := newService(t)
	path := s.create()
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"DELETE", "/connectors", 405, "GET, POST"},
		{"PATCH", path, 405, "DELETE, GET, PUT"},
		{"GET", path + "/start", 405, "POST"},
		{"POST", path + "/runs", 405, "GET"},
		{"GET", "/", 404, ""},
		{"GET", "/connectors/", 404, ""},
		{"GET", path + "/nothing", 404, ""},
		{"GET", "/connectors/short", 404, ""},
		{"GET", "/connectors/C0000000000000000000000099", 404, ""},
		{"POST", "/connectors/C0000000000000000000000099/start", 404, ""},
		{"GET", "/connectors/" + strings.Repeat("%23", 26), 404, ""},
		{"GET", path + "/runs/none", 404, ""},
		{"GET", path + "/runs/a%23b/batches", 404, ""},
	} {
		a := s.do(c.method, c.path, "")
		if a.Code != c.status || a.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q", c.method, c.path, a.Code, a.Header().Get("Allow"))
		}
	}
}

func TestErrorTable(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{seeding.ErrNotFound, 404}, {seeding.ErrConflict, 409}, {seeding.ErrLeaseHeld, 409}, {seeding.ErrOpenBatches, 409},
		{fmt.Errorf("wrapped: %w", seeding.ErrLeaseHeld), 409}, {errors.New(password), 500},
	} {
		s := newService(t)
		path := s.create()
		s.store.fail["SetStatus"] = failure{err: c.err}
		s.want(c.status, "POST", path+"/stop", "")
		if logged := strings.Contains(s.log.String(), "request failed"); logged != (c.status == 500) {
			t.Errorf("%v: %s", c.err, s.log.String())
		}
		if c.status == 500 && !strings.Contains(s.log.String(), `"route":"/connectors/{id}/stop"`) {
			t.Errorf("%s", s.log.String())
		}
	}
}
