// Package connectors is the HTTP API of connectors:
//
//	GET, POST         /connectors
//	POST              /connectors/validate
//	GET, PUT, DELETE  /connectors/{id}
//	POST              /connectors/{id}/start, /connectors/{id}/stop
//	GET               /connectors/{id}/runs, …/runs/{run}, …/runs/{run}/batches
//	GET               /connectors/{id}/rejections, …/rejections/groups
//	POST              /connectors/{id}/rejections/retry
//	GET               /connectors/{id}/duplicates, …/registrants/{registrant}, …/changes
//	GET               /me
//	GET               /openapi.json
//
// openapi.yaml beside this folder is the document of the API: what may be sent, what
// a reply has, and which role an operation needs. API Gateway decides whose tokens are
// accepted. Every reply is JSON; a refusal is a
// problem that says what to do. No reply holds a secret.
package connectors

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// Options are what the API uses. Now, NewID, Log and Caller have defaults.
type Options struct {
	Store   Store
	Secrets Secrets
	// InquirySecrets keeps what checks and previews need.
	InquirySecrets InquirySecrets
	Mappings       setup.Expressions
	// CheckDomain returns why a domain (a JSON array as text) cannot be used,
	// in words for the user.
	CheckDomain func(domain string) error
	// Conditions returns those of a domain that can be used. nil: which identifier
	// types it names is not looked at.
	Conditions func(domain string) []seeding.Condition
	// CheckAddress returns why MTS or a registry must not be called at an
	// address, in words for the user. nil: any may be called.
	CheckAddress func(seeding.Address) error
	// FormAddress is setup.Rules.FormAddress.
	FormAddress func(base, odata string) (baseURL, odataURL string, err error)
	Invoker     Invoker
	Now         func() time.Time
	NewID       func() string // 26 letters and digits that nobody can guess
	Log         *slog.Logger
	// Caller is who made a request, and what they may do. By default nobody may
	// anything.
	Caller     func(*http.Request) Caller
	RoleNames  RoleNames // what the issuer calls the roles, to be named in refusals
	Deployment Deployment
}

type service struct{ Options }

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
	if o.Caller == nil {
		o.Caller = func(*http.Request) Caller { return Caller{} }
	}
	s := &service{o}
	return api.API{
		Routes:     s.routes(),
		Document:   guarded{Document(), s},
		Elsewhere:  "There is nothing at this path. The API begins at /connectors.",
		Translate:  translate,
		Log:        o.Log,
		Attributes: func(r *http.Request) []any { return []any{"connector", r.PathValue("id")} },
	}.Handler()
}

// routes by path, as the document has them.
func (s *service) routes() map[string]api.Methods {
	return map[string]api.Methods{
		"/connectors":                             {"GET": s.list, "POST": s.create},
		"/connectors/validate":                    {"POST": s.validate},
		"/connectors/{id}":                        {"GET": s.show, "PUT": s.replace, "DELETE": s.remove},
		"/connectors/{id}/start":                  {"POST": s.start},
		"/connectors/{id}/stop":                   {"POST": s.stop},
		"/connectors/{id}/runs":                   {"GET": s.runs},
		"/connectors/{id}/runs/{run}":             {"GET": s.run},
		"/connectors/{id}/runs/{run}/batches":     {"GET": s.batches},
		"/connectors/{id}/runs/{run}/cancel":      {"POST": s.cancel},
		"/connectors/{id}/imports":                {"GET": s.imports, "POST": s.openImport},
		"/connectors/{id}/runs/{run}/registrants": {"GET": s.listed},
		"/connectors/{id}/rejections":             {"GET": s.rejections},
		"/connectors/{id}/rejections/groups":      {"GET": s.groups},
		"/connectors/{id}/duplicates":             {"GET": s.duplicates},
		"/connectors/{id}/changes":                {"GET": s.listChanges},

		"/connectors/{id}/registrants/{registrant}":       {"GET": s.registrant},
		"/connectors/{id}/registrants/{registrant}/check": {"POST": s.checkRegistrant},

		"/connectors/{id}/rejections/retry": {"POST": s.retry},
		"/connectors/{id}/check":            {"POST": s.checkConnector},
		"/connectors/{id}/preview":          {"POST": s.previewConnector},
		"/checks":                           {"POST": s.askCheck},
		"/checks/{check}":                   {"GET": s.showCheck},
		"/previews":                         {"POST": s.askPreview},
		"/previews/{preview}":               {"GET": s.showPreview},
		"/me":                               {"GET": s.me},
		"/openapi.json":                     {"GET": Document().Serve},
	}
}

// busySeconds is when to come again after the tables were too busy: DynamoDB makes
// room within seconds.
const busySeconds = 5

// Types of problems that only this API has.
var (
	openBatches = api.ProblemType{Name: "open_batches", Status: http.StatusConflict, Title: "Batches are under way"}
	over        = api.ProblemType{Name: "over", Status: http.StatusConflict, Title: "The schedule is over"}
	inUse       = api.ProblemType{Name: "in_use", Status: http.StatusConflict, Title: "In use"}
	// tooManyCodes: the state of a connector has no room for another one.
	tooManyCodes = api.ProblemType{Name: "too_many_codes", Status: http.StatusConflict, Title: "Too many codes"}
	// tooManyToFind: the registry has so many rejections that one request cannot look
	// through them.
	tooManyToFind = api.ProblemType{Name: "too_many_to_find", Status: http.StatusConflict, Title: "Too many rejections to look through"}
	manyImports   = api.ProblemType{Name: "many_imports", Status: http.StatusConflict, Title: "Too many imports are open"}
	otherRequest  = api.ProblemType{Name: "other_request", Status: http.StatusConflict, Title: "The key belongs to another request"}
	runOver       = api.ProblemType{Name: "run_over", Status: http.StatusConflict, Title: "The run is completed"}
	secretLeft    = api.ProblemType{Name: "secret_left", Status: http.StatusInternalServerError, Title: "A password is left over"}
)

// untilNoneIsOpen is what to do before something that open batches keep from being done.
const untilNoneIsOpen = "Stop the connector, which ends its imports too, wait until open_batches is 0 in all of its runs (GET /connectors/{id}/runs has the imports as well), then "

var connectorID = regexp.MustCompile(`^[0-9A-Za-z]{26}$`)

// load reads the connector that the path names.
func (s *service) load(r *http.Request) (seeding.Connector, error) {
	id := r.PathValue("id")
	if !connectorID.MatchString(id) {
		return seeding.Connector{}, seeding.ErrNotFound
	}
	return s.Store.Connector(r.Context(), id)
}

// translate turns an error of the store into a reply. An error that is not in
// the table is a failure of ours; nothing of it is shown.
func translate(r *http.Request, err error) *api.Problem {
	switch {
	case errors.Is(err, seeding.ErrNotFound):
		return api.NewProblem(api.NotFound, "There is no such connector, or run of it.")
	case errors.Is(err, seeding.ErrConflict) && (r.Method == http.MethodPut || r.Method == http.MethodDelete):
		return outdated()
	case errors.Is(err, seeding.ErrConflict):
		return api.NewProblem(api.Changed, "The connector was changed at the same moment. Send the request again.")
	case errors.Is(err, seeding.ErrOpenBatches) && r.Method == http.MethodDelete:
		return api.NewProblem(openBatches, "Batches of this connector are under way, or submit is at work on it, and answers are still to be written. "+untilNoneIsOpen+"delete it.")
	case errors.Is(err, seeding.ErrOpenBatches):
		return api.NewProblem(openBatches, "Batches of this connector are under way, and their answers belong to the registry, the form and the callback as they are configured now. "+untilNoneIsOpen+"change address or database of the registry, or the form of ODK Central, or to or from a direct callback.")
	case errors.Is(err, seeding.ErrLeaseHeld):
		return api.NewProblem(inUse, "The connector is in use by a run. Try again in a minute.")
	}
	if throttled, ok := errors.AsType[interface {
		error
		Throttled() bool
	}](err); ok && throttled.Throttled() {
		problem := api.NewProblem(api.Busy, "This deployment has too much to do, or still deletes a secret that was removed a moment ago. Send the request again in a few seconds.")
		problem.RetryAfter = busySeconds
		return problem
	}
	return api.NewProblem(api.Failed, "Something went wrong here, and it is not known whether the request took effect. "+
		"Read the connector, then try again; if it fails again, tell the operator.")
}

func outdated() *api.Problem {
	return api.NewProblem(api.Outdated, "The connector was changed since you read it. Read it again, and send your change with its new ETag in If-Match, as it is: a number in quotes.")
}
