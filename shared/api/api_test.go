package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api"
)

var errGone = errors.New("gone")

func TestRoutesAndErrors(t *testing.T) {
	var log bytes.Buffer
	fails := func(err error) api.Endpoint {
		return func(http.ResponseWriter, *http.Request) error { return err }
	}
	handler := api.API{
		Routes: map[string]api.Methods{
			"/things": {"GET": func(w http.ResponseWriter, _ *http.Request) error {
				api.Reply(w, http.StatusOK, map[string]string{"sign": "<&>"})
				return nil
			}, "POST": fails(api.NewProblem(api.Blank(http.StatusTeapot), "Not here."))},
			"/things/{id}":     {"DELETE": fails(fmt.Errorf("wrapped: %w", errGone)), "PUT": fails(errors.New("a secret"))},
			"/things/{id}/sub": {"GET": fails(fmt.Errorf("wrapped: %w", api.NewProblem(api.Changed, "Later.")))},
		},
		Elsewhere: "Nothing here.",
		Translate: func(r *http.Request, err error) *api.Problem {
			if errors.Is(err, errGone) && r.Method == http.MethodDelete {
				return api.NewProblem(api.NotFound, "It is gone.")
			}
			return api.NewProblem(api.Failed, "Ours.")
		},
		Log:        slog.New(slog.NewJSONHandler(&log, nil)),
		Attributes: func(r *http.Request) []any { return []any{"thing", r.PathValue("id")} },
	}.Handler()
	for _, c := range []struct {
		method, path string
		status       int
		kind         string
		body         string
		allow        string
	}{
		{"GET", "/things", 200, "application/json", `{"sign":"<&>"}`, ""},
		{"POST", "/things", 418, "application/problem+json", `{"type":"about:blank","title":"I'm a teapot","status":418,"detail":"Not here."}`, ""},
		{"PATCH", "/things", 405, "application/problem+json", "This path takes GET, POST.", "GET, POST"},
		{"GET", "/else", 404, "application/problem+json", "Nothing here.", ""},
		{"DELETE", "/things/7", 404, "application/problem+json", "It is gone.", ""},
		{"PUT", "/things/7", 500, "application/problem+json", "Ours.", ""},
		{"GET", "/things/7/sub", 409, "application/problem+json", "Later.", ""},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind || w.Header().Get("Cache-Control") != "no-store" ||
			!strings.Contains(w.Body.String(), c.body) || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, w.Code, w.Header(), w.Body)
		}
	}
	// Only what failed for a reason of ours is logged, and of its error the kind.
	if text := log.String(); strings.Count(text, "\n") != 1 || strings.Contains(text, "a secret") ||
		!strings.Contains(text, `"thing":"7","route":"/things/{id}","method":"PUT","kind":"*errors.errorString"`) {
		t.Errorf("%s", text)
	}
}

func TestWeakAndUnquotedTagsMatch(t *testing.T) {
	tag := api.ETag(3)
	for _, c := range []struct {
		headers        []string
		given, matches bool
	}{
		{nil, false, false},
		{[]string{" "}, false, false},
		{[]string{`"3"`}, true, true},
		{[]string{`"2", "3"`}, true, true},
		{[]string{`"2"`, `"3"`}, true, true},
		{[]string{`*`}, true, true},
		{[]string{`"2"`}, true, false},
		{[]string{`W/"3"`}, true, true}, // behind a proxy that compresses
		{[]string{`w/"3"`}, true, true},
		{[]string{`W/3`}, true, true},
		{[]string{`3`}, true, true},
		{[]string{`"3-gzip"`}, true, true},
		{[]string{`"3;gzip"`}, true, true},
		{[]string{`"3--gzip"`}, true, true},
		{[]string{`"3-GZIP"`}, true, true},
		{[]string{`"3/gzip"`}, true, true},
		{[]string{`W/"3:zstd"`}, true, true},
		{[]string{`W/"3-br"`}, true, true},
		{[]string{`"3-x-gzip"`}, true, true},
		{[]string{`"3-lz4"`}, true, true},
		{[]string{`"3-df"`}, true, true},
		{[]string{`W/"3--x-compress"`}, true, true},
		{[]string{`"3-pack200-gzip"`}, true, true},
		{[]string{`"3-br-gzip"`}, true, true}, // two proxies
		{[]string{`"3;snappy"`}, true, true},
		{[]string{`"2-lz4"`}, true, false},
		{[]string{`"3-4"`}, true, false},
		{[]string{`"3-4gz"`}, true, false},
		{[]string{`"3-gzip-4"`}, true, false},
		{[]string{`W/"2", W/"3"`}, true, true},
		{[]string{`2, 3`}, true, true},
		{[]string{`"2", *`}, true, true},
		{[]string{`W/"2"`}, true, false},
		{[]string{`2`}, true, false},
		{[]string{`33`}, true, false},
		{[]string{`"13"`}, true, false},
		{[]string{`"3`}, true, false},
		{[]string{`3"`}, true, false},
		{[]string{`"3gzip"`}, true, false},
		{[]string{`"3-x"`}, true, false},
		{[]string{`"-gzip"`}, true, false},
		{[]string{`""`}, true, false},
		{[]string{`W/`}, true, false},
		{[]string{`03`}, true, false},
		{[]string{`,`}, true, false},
	} {
		r := httptest.NewRequest("PUT", "/", nil)
		for _, header := range c.headers {
			r.Header.Add("If-Match", header)
		}
		if given, matches := api.IfMatch(r, tag); given != c.given || matches != c.matches {
			t.Errorf("%q: %t %t", c.headers, given, matches)
		}
	}
}

// What looks like the name of a compression may be a part of the tag itself.
func TestTagWithAWordInItMatches(t *testing.T) {
	const tag = `"loDQ-aohbjpJ8NZk"`
	for header, want := range map[string]bool{tag: true, "W/" + tag: true, `"loDQ-aohbjpJ8NZk-gzip"`: true, `"loDQ"`: false, `"loDQ-gzip"`: false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("If-None-Match", header)
		if _, same := api.IfNoneMatch(r, tag); same != want {
			t.Errorf("%s: %t", header, same)
		}
	}
}

func TestPage(t *testing.T) {
	next := api.Page{List: "runs"}.Cursor("a:b")
	for query, want := range map[string]string{
		"":                                    "runs:50",
		"limit=1":                             "runs:1",
		"limit=100&cursor=":                   "runs:100",
		"cursor=" + next:                      "runs:a:b:50",
		"cursor=" + next[1:]:                  "?cursor",
		"cursor=" + next[:len(next)-1]:        "?cursor",
		"cursor=cnVuczphOmI":                  "?cursor", // runs:a:b
		"cursor=AAAAAAAAYTpi":                 "?cursor",
		"cursor=" + strings.Repeat("A", 4000): "?cursor",
		"limit=0":                             "?limit",
		"limit=101":                           "?limit",
		"limit=":                              "?limit",
		"limit=x":                             "?limit",
		"cursor=%25":                          "?cursor",
		"cursor=" + next + "%3D":              "?cursor",
		"cursor=" + cursorOf("batches", ""):   "?cursor",
	} {
		p, err := api.ReadPage(httptest.NewRequest("GET", "/?"+query, nil), "runs", 100)
		got := strings.Join(strings.FieldsFunc(fmt.Sprint(p.List, ":", p.Mark, ":", p.Limit), func(r rune) bool { return r == ':' }), ":")
		if problem, ok := errors.AsType[*api.Problem](err); ok {
			got = "?" + problem.Errors[0].Parameter
		}
		if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if end := (api.Page{List: "runs"}).Cursor(""); end != "" {
		t.Errorf("a cursor after the end: %s", end)
	}
}

func cursorOf(list, mark string) string { return api.Page{List: list}.Cursor(mark + "x") }

func TestTouch(t *testing.T) {
	var wrong api.FieldErrors
	wrong.Add("/a/b", api.Flaw{})
	for pointer, want := range map[string]bool{"/a/b": true, "/a": true, "": true, "/a/b/c": true, "/a/bc": false, "/a/c": false, "/b": false} {
		if wrong.Touch(pointer) != want {
			t.Errorf("%q: want %t", pointer, want)
		}
	}
	wrong = nil
	wrong.Add("", api.Flaw{})
	if !wrong.Touch("/a") {
		t.Error("what is wrong with the whole body is wrong with every member")
	}
}
