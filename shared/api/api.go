// Package api is a kit for HTTP APIs that speak JSON: routes and methods,
// problem replies (RFC 9457), reading of bodies, pages of lists, and ETags. It
// knows no domain.
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// API is what one handler serves.
type API struct {
	// Routes are the paths, as http.ServeMux writes them, without a method.
	Routes map[string]Methods
	// Parameters are those that GET takes in the query of its address, by path. A
	// request with another one is refused. nil: they are not checked.
	Parameters map[string][]string
	// Elsewhere is the detail of the reply at every other path.
	Elsewhere string
	// Translate turns an error of an endpoint into a problem.
	Translate func(*http.Request, error) *Problem
	// Log takes the requests that failed with a status of 500 and above: the
	// kind of their error, and their Attributes.
	Log        *slog.Logger
	Attributes func(*http.Request) []any
}

// Methods are the endpoints of one path, by HTTP method.
type Methods map[string]Endpoint

// Endpoint answers a request, or returns the error that answers it.
type Endpoint func(http.ResponseWriter, *http.Request) error

// Handler serves the routes. It answers a method that a path does not take with
// 405 and the list of those that it takes.
func (a API) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, methods := range a.Routes {
		mux.Handle(path, a.serve(func(w http.ResponseWriter, r *http.Request) error {
			if endpoint, found := methods[r.Method]; found {
				if err := a.checkQuery(r, path); err != nil {
					return err
				}
				return endpoint(w, r)
			}
			allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
			w.Header().Set("Allow", allowed)
			return NewProblem(http.StatusMethodNotAllowed, "This path takes "+allowed+".")
		}))
	}
	mux.Handle("/", a.serve(func(http.ResponseWriter, *http.Request) error {
		return NewProblem(http.StatusNotFound, a.Elsewhere)
	}))
	return mux
}

// checkQuery refuses a parameter that the path does not take, or that is given
// twice: left aside, a misspelt "limit" would seem to work.
func (a API) checkQuery(r *http.Request, path string) error {
	if a.Parameters == nil {
		return nil
	}
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return NewProblem(http.StatusBadRequest, "What follows ? in the address cannot be read.")
	}
	var known []string
	if r.Method == http.MethodGet {
		known = a.Parameters[path]
	}
	var wrong FieldErrors
	for _, name := range slices.Sorted(maps.Keys(given)) {
		var detail string
		switch meant := likely(name, known); {
		case slices.Contains(known, name) && len(given[name]) > 1:
			detail = "is given twice"
		case slices.Contains(known, name):
			continue
		case meant != "":
			detail = `is not a parameter of this request; do you mean "` + meant + `"?`
		default:
			detail = "is not a parameter of this request"
		}
		wrong = append(wrong, FieldError{Parameter: visible(name), Detail: detail})
	}
	if len(wrong) > 0 {
		return NewProblem(http.StatusBadRequest, "The address has parameters that this request does not take.", wrong...)
	}
	return nil
}

// serve is the one place where an error becomes a reply.
func (a API) serve(endpoint Endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := endpoint(w, r)
		if err == nil {
			return
		}
		problem, ok := errors.AsType[*Problem](err)
		if !ok {
			problem = a.Translate(r, err)
		}
		if problem.Status >= http.StatusInternalServerError {
			a.Log.With(a.Attributes(r)...).ErrorContext(r.Context(), "request failed",
				"route", r.Pattern, "method", r.Method, "kind", Kind(err))
		}
		Reply(w, problem.Status, problem)
	})
}

// Kind names the types of an error and of the errors that it wraps, for a log.
// It leaves out their texts, which may hold anything.
func Kind(err error) string {
	var kinds []string
	for ; err != nil && len(kinds) < 6; err = errors.Unwrap(err) {
		kinds = append(kinds, fmt.Sprintf("%T", err))
	}
	return strings.Join(kinds, " ")
}
