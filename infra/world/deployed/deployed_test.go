package deployed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/local"
)

func TestErrorsOfATick(t *testing.T) {
	killed := &local.FunctionError{Function: "submit", Type: "Runtime.ExitError"}
	early := &local.FunctionError{Function: "submit", Type: "Runtime.Unknown", Message: "bootstrap exited during init with code -9"}
	failed := &local.FunctionError{Function: "reconcile", Type: "errorString", Message: "no"}
	ended := &local.FunctionError{Function: "reconcile", Type: "Sandbox.Timedout", Message: "Task timed out after 50.00 seconds"}
	late := &local.FunctionError{Function: "reconcile", Type: "joinError", Message: "dynamo: query: out of time\ndynamo: query: out of time"}
	lateAndMore := &local.FunctionError{Function: "reconcile", Type: "joinError", Message: "dynamo: put: no reply\ndynamo: query: out of time"}
	dropped := errors.New("the emulator dropped an answer")
	for name, c := range map[string]struct {
		err        error
		failed     int
		onlyKilled bool
	}{
		"none":                     {nil, 0, true},
		"killed":                   {errors.Join(killed), 0, true},
		"killed, one by one":       {killed, 0, true},
		"killed before its start":  {errors.Join(early, nil), 0, true},
		"failed":                   {errors.Join(failed), 1, false},
		"one killed, one failed":   {errors.Join(killed, failed), 1, false},
		"killed, and a lost reply": {errors.Join(killed, dropped), 0, false},
		"ended by its time limit":  {ended, 0, false},
		"out of time":              {late, 0, false},
		"out of time, and another": {lateAndMore, 1, false},
		"wrapped":                  {fmt.Errorf("tick: %w", failed), 1, false},
	} {
		if got := FunctionErrors(c.err); len(got) != c.failed {
			t.Errorf("%s: %v", name, got)
		}
		if got := OnlyKilled(c.err); got != c.onlyKilled {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// served is a server that answers with these pages by cursor.
func served(t *testing.T, pages map[string]string) Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t" || r.URL.Query().Get("limit") != "2" {
			http.Error(w, "Jo Doe", http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(pages[r.URL.Query().Get("cursor")]))
	}))
	t.Cleanup(server.Close)
	return Client{Name: "the server", Address: server.URL, Token: func() string { return "t" }}
}

func TestPages(t *testing.T) {
	for name, c := range map[string]struct {
		pages map[string]string
		want  []int // nil: an error
	}{
		"none":               {map[string]string{"": `{"list":[]}`}, []int{}},
		"several":            {map[string]string{"": `{"list":[1,2],"next":"a"}`, "a": `{"list":[3]}`}, []int{1, 2, 3}},
		"too many on a page": {map[string]string{"": `{"list":[1,2,3]}`}, nil},
		"an empty page":      {map[string]string{"": `{"list":[],"next":"a"}`, "a": `{"list":[3]}`}, nil},
		"an empty cursor":    {map[string]string{"": `{"list":[1],"next":""}`}, nil},
		"another member":     {map[string]string{"": `{"others":[1]}`}, nil},
	} {
		got, err := Pages[int](t.Context(), served(t, c.pages), "/x", "list", 2)
		if (err == nil) != (c.want != nil) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestErrorsHaveTheTextOfTheAPIAndNoOther(t *testing.T) {
	client := served(t, nil)
	err := client.Call(t.Context(), http.MethodGet, "/x", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "403 Forbidden") || strings.Contains(err.Error(), "Jo Doe") {
		t.Errorf("%v", err)
	}
	problem := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(map[string]any{"detail": "Wrong.", "errors": []any{map[string]string{"pointer": "/name", "detail": "is empty"}}})
	}))
	defer problem.Close()
	err = Client{Name: "the API", Address: problem.URL}.Call(context.Background(), http.MethodPost, "/x", map[string]int{}, nil)
	if err == nil || !strings.HasSuffix(err.Error(), ": Wrong. /name is empty.") {
		t.Errorf("%v", err)
	}
}
