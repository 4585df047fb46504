package connectors

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
)

// retryBody says which rejections are meant; with nothing, all of them.
type retryBody struct {
	Kind        seeding.RejectionKind `json:"kind"`
	Code        string                `json:"code"`
	Identifiers []int64               `json:"identifiers"`
	Registrants []int64               `json:"registrants"`
	Submissions []string              `json:"submissions"`
	DryRun      bool                  `json:"dry_run"`
}

func (b retryBody) group() seeding.Group { return seeding.Group{Kind: b.Kind, Code: b.Code} }

// retryDocument is what is tried again, or would be.
type retryDocument struct {
	Kind        *seeding.RejectionKind `json:"retry,omitempty"` // "": of every kind
	Code        string                 `json:"code,omitempty"`
	Identifiers *int                   `json:"identifiers,omitempty"` // of those that were named, how many are rejected
	Registrants *int                   `json:"registrants,omitempty"`
	Submissions *int                   `json:"submissions,omitempty"`
	Count       *int                   `json:"count,omitempty"`    // of a dry run: how many rejections these are
	Counted     *time.Time             `json:"counted,omitempty"`  // when they were, if not just now
	Complete    *bool                  `json:"complete,omitempty"` // of a dry run, false: there may be more
	departureDocument
}

// departureDocument says when what is asked for again goes out.
type departureDocument struct {
	Status  seeding.Status `json:"status"`
	GoesOut sayingDocument `json:"goes_out"` // whose code is a seeding.Resending
	NextRun *time.Time     `json:"next_run,omitempty"`
}

// nobodyGoes: what was named has no rejection.
const nobodyGoes seeding.Resending = "nobody"

// departures are the texts of goes_out.
var departures = map[seeding.Resending]string{
	seeding.ResentNow:     "They go out with a run that begins within a minute.",
	seeding.ResentInRun:   "Those whom the open run has not come to go out with it, the others with the next run.",
	seeding.ResentLater:   "They go out with the next run. A retry does not begin it early; an import that takes them sends them now.",
	seeding.ResentUnblock: "They go out when the problem is over that keeps the connector from sending; the connector shows it, and what to do.",
	seeding.ResentNoRun:   "No run is to come, so they do not go out by themselves. An import that takes them sends them now.",
	seeding.ResentStarted: "The connector is {status}, so they go out once it is started. An import that takes them sends them now.",
	nobodyGoes:            "None of them is rejected, so nobody is sent again.",
}

func (s *service) departure(ctx context.Context, c seeding.Connector) (departureDocument, error) {
	state, err := s.Store.State(ctx, c.ID)
	if err != nil {
		return departureDocument{}, err
	}
	when, next := state.Resent(c.Schedule, s.Now())
	d := departureDocument{Status: state.Status, GoesOut: sayingDocument{Code: string(when), Text: departures[when]}, NextRun: moment(next)}
	if when == seeding.ResentStarted {
		d.GoesOut.Params = map[string]any{"status": state.Status}
		d.GoesOut.Text = strings.ReplaceAll(d.GoesOut.Text, "{status}", string(state.Status))
	}
	return d, nil
}

// retry makes rejections due now: those of the given identifiers, registrants or
// submissions, those of a kind, or of a kind and its codes, or, with {}, all of them. Who was
// rejected for its data is rejected again if they did not change. A dry run only
// counts them.
func (s *service) retry(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	var body retryBody
	wrong, err := openapi.Read(w, r, &body)
	if err != nil {
		return err
	}
	checkSource(c, &wrong, map[string]bool{"/identifiers": body.Identifiers != nil, "/registrants": body.Registrants != nil}, map[string]bool{"/submissions": body.Submissions != nil})
	together := func(name, with string, both bool) {
		if both && !wrong.Touch("/"+name) {
			wrong.Add("/"+name, api.Flaw{Code: "together", Params: api.Params{"with": with}, Detail: "cannot be given together with " + with})
		}
	}
	together("identifiers", "kind", body.Identifiers != nil && body.Kind != "")
	together("registrants", "kind", body.Registrants != nil && body.Kind != "")
	together("registrants", "identifiers", body.Registrants != nil && body.Identifiers != nil)
	together("submissions", "kind", body.Submissions != nil && body.Kind != "")
	together("submissions", "identifiers", body.Submissions != nil && body.Identifiers != nil)
	together("submissions", "registrants", body.Submissions != nil && body.Registrants != nil)
	if body.Code != "" && body.Kind == "" && !wrong.Touch("/kind") {
		wrong.Add("/code", api.Flaw{Code: "needs", Params: api.Params{"member": "kind"}, Detail: "needs kind beside it; the groups of rejections show both"})
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	departs, err := s.departure(r.Context(), c)
	switch {
	case err != nil:
		return err
	case body.Identifiers != nil || body.Registrants != nil || body.Submissions != nil:
		return s.retrySome(w, r, c, body, departs)
	case body.DryRun:
		return s.countRetried(w, r, c, body.group(), departs)
	}
	change := s.change(r, seeding.ChangeRetry, c)
	change.Again = body.group()
	err = s.Store.Retry(r.Context(), c.ID, change.Again, s.Now().UTC(), change)
	if errors.Is(err, seeding.ErrTooMany) {
		return api.NewProblem(tooManyCodes, "Too many different codes have been asked for again of late. Leave the code out: that asks for the whole kind.")
	}
	what := "all"
	if body.Kind != "" {
		what = strings.TrimSpace(string(body.Kind) + " " + body.Code)
	}
	s.changed(r, "retry", c, err, "rejections", what)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusAccepted, retryDocument{Kind: &body.Kind, Code: body.Code, departureDocument: departs})
	return nil
}

// countRetried replies how many rejections a group has.
func (s *service) countRetried(w http.ResponseWriter, r *http.Request, c seeding.Connector, g seeding.Group, departs departureDocument) error {
	state, err := s.Store.State(r.Context(), c.ID)
	if err != nil {
		return err
	}
	count, complete, err := s.count(r.Context(), state)
	if err != nil {
		return err
	}
	n := count.Of(g)
	if g.Code != "" && n == 0 && count.HasRest(g.Kind) {
		complete = false // it may be among those that are too rare to be listed
	}
	api.Reply(w, http.StatusOK, retryDocument{Kind: &g.Kind, Code: g.Code, Count: &n, Counted: moment(count.At), Complete: &complete, departureDocument: departs})
	return nil
}

// retrySome is for identifiers, registrants or submissions that are named.
func (s *service) retrySome(w http.ResponseWriter, r *http.Request, c seeding.Connector, body retryBody, departs departureDocument) (err error) {
	var list []seeding.Rejection
	complete := true
	if body.Registrants != nil {
		const most = 1000 // of whom each has few
		var next string
		filter := seeding.RejectionFilter{Registrants: distinct(body.Registrants)}
		if list, next, err = s.listRejections(r.Context(), c.RegistryKey(), c.ID, filter, "", most, callsOfRetry); err != nil {
			return err
		}
		if complete = next == ""; !complete && !body.DryRun {
			return api.NewProblem(tooManyToFind, "There are so many rejections in this registry that those of registrants cannot be found within one request. Nothing was asked for again. "+
				"GET /connectors/"+c.ID+"/rejections?registrant={registrant} finds them page by page; name them here as identifiers.")
		}
	}
	for _, id := range distinct(body.Identifiers) {
		list = append(list, seeding.Rejection{Registry: c.RegistryKey(), Connector: c.ID, Subject: seeding.Member{Identifier: id}.Subject()})
	}
	for _, id := range distinct(body.Submissions) {
		list = append(list, seeding.Rejection{Registry: c.RegistryKey(), Connector: c.ID, Subject: seeding.Subject{Submission: id}})
	}
	document := retryDocument{departureDocument: departs}
	var found int
	status := http.StatusAccepted
	if body.DryRun {
		found, err = s.Store.CountRejections(r.Context(), list)
		document.Count, document.Complete, status = &found, &complete, http.StatusOK
	} else {
		found, err = s.Store.RetryRejections(r.Context(), list, s.Now().UTC(), s.change(r, seeding.ChangeRetry, c))
		s.changed(r, "retry", c, err, "rejections", "some", "count", found)
	}
	if err != nil {
		return err
	}
	if found == 0 && complete {
		document.GoesOut, document.NextRun = sayingDocument{Code: string(nobodyGoes), Text: departures[nobodyGoes]}, nil
	}
	switch {
	case body.Registrants != nil:
		document.Registrants = &found
	case body.Submissions != nil:
		document.Submissions = &found
	default:
		document.Identifiers = &found
	}
	api.Reply(w, status, document)
	return nil
}

func distinct[ID cmp.Ordered](ids []ID) []ID {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}
