// Package api is a kit for HTTP APIs that speak JSON: routes and methods,
// problem replies (RFC 9457), pages of lists, and ETags. It knows no domain.
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// API is what one handler serves.
type API struct {
	// Routes are the paths, as http.ServeMux writes them, without a method.
	Routes map[string]Methods
	// Document has every route. Requests are checked by it before an endpoint sees
	// them. nil: they are not checked.
	Document Document
	// Elsewhere is the detail of the reply at every other path.
	Elsewhere string
	// Translate turns an error of an endpoint into a problem.
	Translate func(*http.Request, error) *Problem
	// Log takes the requests that failed with a status of 500 and above: the
	// kind of their error, and their Attributes.
	Log        *slog.Logger
	Attributes func(*http.Request) []any
}

// Document says what a request may have.
type Document interface {
	// Check returns the request as its endpoint sees it, or a *Problem.
	Check(r *http.Request, path string) (*http.Request, error)
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
				if r.Method == http.MethodGet {
					w = &tagging{w, r}
				}
				if a.Document != nil {
					checked, err := a.Document.Check(r, path)
					if err != nil {
						return err
					}
					r = checked
				}
				return endpoint(w, r)
			}
			allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
			w.Header().Set("Allow", allowed)
			return NewProblem(OtherMethod, "This path takes "+allowed+".")
		}))
	}
	mux.Handle("/", a.serve(func(http.ResponseWriter, *http.Request) error {
		return NewProblem(NoSuchPath, a.Elsewhere)
	}))
	return mux
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
		if problem.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750, 3
		}
		if problem.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(problem.RetryAfter))
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
