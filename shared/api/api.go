// Package api is the HTTP API of connectors:
//
//	GET, POST         /connectors
//	GET, PUT, DELETE  /connectors/{id}
//	POST              /connectors/{id}/start, /connectors/{id}/stop
//	GET               /connectors/{id}/runs, …/runs/{run}, …/runs/{run}/batches
//	GET               /connectors/{id}/rejections
//
// Who may call is decided in front of it. A request is answered with JSON, a
// refused one with a problem (RFC 9457) that says what to do. Secrets go in
// and never come out.
package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Secrets keeps the secret fields of connectors. The API cannot read them.
type Secrets interface {
	// Put stores a value and returns its version.
	Put(ctx context.Context, connectorID, field, value string) (version string, err error)
	// Delete removes all versions; what is gone already is no error.
	Delete(ctx context.Context, connectorID, field string) error
}

// Options are what the API stands on. Now, NewID and Log have defaults.
type Options struct {
	Store    seeding.Administration
	Secrets  Secrets
	Mappings seeding.Mappings
	// CheckDomain tells, in words for the user, why a domain (a JSON array as
	// text) cannot be used.
	CheckDomain func(domain string) error
	Invoker     seeding.Invoker
	Now         func() time.Time
	NewID       func() string // 26 letters and digits that nobody can guess
	Log         *slog.Logger
}

type api struct{ Options }

// MaxBody is the largest request body, in bytes.
const MaxBody = 256 << 10

// New returns the handler.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = rand.Text
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{o}
	mux := http.NewServeMux()
	for path, methods := range map[string]map[string]endpoint{
		"/connectors":                         {"GET": a.list, "POST": a.create},
		"/connectors/{id}":                    {"GET": a.show, "PUT": a.replace, "DELETE": a.remove},
		"/connectors/{id}/start":              {"POST": a.start},
		"/connectors/{id}/stop":               {"POST": a.stop},
		"/connectors/{id}/runs":               {"GET": a.runs},
		"/connectors/{id}/runs/{run}":         {"GET": a.run},
		"/connectors/{id}/runs/{run}/batches": {"GET": a.batches},
		"/connectors/{id}/rejections":         {"GET": a.rejections},
		"/connectors/{id}/rejections/retry":   {"POST": a.retry},
	} {
		mux.Handle(path, a.serve(methods))
	}
	mux.Handle("/", a.serve(nil))
	return mux
}

// endpoint answers a request, or returns the error that answers it.
type endpoint func(http.ResponseWriter, *http.Request) error

func (a *api) serve(methods map[string]endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := methods[r.Method]
		var err error
		switch {
		case methods == nil:
			err = problem(http.StatusNotFound, "There is nothing at this path. The API begins at /connectors.")
		case !known:
			allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
			w.Header().Set("Allow", allow)
			err = problem(http.StatusMethodNotAllowed, "This path takes "+allow+".")
		default:
			err = answer(w, r)
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	})
}

// refuse is the one place where an error becomes a reply. An error that is not
// in the table is a fault of ours: its kind is logged, and nothing of it shown.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	told, is := errors.AsType[*Problem](err)
	if !is {
		told = problemOf(r.Method, err)
	}
	if told.Status >= http.StatusInternalServerError {
		a.Log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "method", r.Method,
			"connector", r.PathValue("id"), "kind", kindOf(err))
	}
	reply(w, told.Status, told)
}

func problemOf(method string, err error) *Problem {
	switch {
	case errors.Is(err, seeding.ErrNotFound):
		return problem(http.StatusNotFound, "There is no such connector, or run of it.")
	case errors.Is(err, seeding.ErrConflict) && (method == http.MethodPut || method == http.MethodDelete):
		return stale()
	case errors.Is(err, seeding.ErrConflict):
		return problem(http.StatusConflict, "The connector was changed at the same moment. Send the request again.")
	case errors.Is(err, seeding.ErrOpenBatches) && method == http.MethodDelete:
		return problem(http.StatusConflict, "Batches of this connector are under way, and their answers are still to be written. "+
			"Stop the connector, wait until no batch of its last run is open, then delete it.")
	case errors.Is(err, seeding.ErrOpenBatches):
		return problem(http.StatusConflict, "Batches of this connector are under way, and their answers belong to the registry as it is configured now. "+
			"Stop the connector, wait until no batch of its last run is open, then change address or database of the registry.")
	case errors.Is(err, seeding.ErrHeld):
		return problem(http.StatusConflict, "The connector is being worked on. Try again in a minute.")
	}
	return problem(http.StatusInternalServerError, "Something went wrong here, and it is not known whether the request took effect. "+
		"Look at the connector, then try again; if it stays, tell the operator.")
}

func stale() *Problem {
	return problem(http.StatusPreconditionFailed, "The connector was changed since you read it. Read it again, and send your change with its new ETag in If-Match.")
}

// kindOf names the types of an error and of what it wraps. Texts are left out:
// they may hold anything.
func kindOf(err error) string {
	var kinds []string
	for ; err != nil && len(kinds) < 6; err = errors.Unwrap(err) {
		kinds = append(kinds, fmt.Sprintf("%T", err))
	}
	return strings.Join(kinds, " ")
}
