package connectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// InquirySecrets keeps what an inquiry needs that must not be in a table. The API
// cannot read the secrets of drafts.
type InquirySecrets interface {
	// KeepGiven stores the secrets of a draft, by the names of their fields.
	KeepGiven(ctx context.Context, inquiry string, values map[string]string) error
	// MakeKey makes the key of a preview, and Key returns it; seeding.ErrNotFound if it
	// is deleted.
	MakeKey(ctx context.Context, inquiry string) error
	Key(ctx context.Context, inquiry string) (seeding.Key, error)
	ForgetGiven(ctx context.Context, inquiry string) error
	ForgetKey(ctx context.Context, inquiry string) error
}

// secretsWithin is until when the secrets of an inquiry are stored after it was asked:
// before submit may begin it without them, and end it.
const secretsWithin = 15 * time.Second

var (
	manyInquiries = api.ProblemType{Name: "many_inquiries", Status: http.StatusConflict, Title: "Too many are open"}
	// noName: what one person asked for would be shown to all whom no token tells apart.
	noName = api.ProblemType{Name: "no_name", Status: http.StatusForbidden, Title: "The token names nobody"}
)

// inquiryBody is what is asked about: a connector as it is stored, or a draft.
type inquiryBody struct {
	draftBody
	previewBody
}

type previewBody struct {
	Count       int     `json:"count"`
	Registrants []int64 `json:"registrants"`
}

// ofSource refuses registrants of a connector that takes submissions.
func (p previewBody) ofSource(c seeding.Connector, wrong *api.FieldErrors) {
	checkSource(c, wrong, map[string]bool{"/registrants": p.Registrants != nil}, nil)
}

// usualCount is how many registrants a preview shows unless it is told.
const usualCount = 10

// inquiry reads a request about a stored connector or a draft. Whoever asks about a
// draft, and so about addresses of their own, must be an administrator.
func (s *service) inquiry(w http.ResponseWriter, r *http.Request, kind seeding.InquiryKind) (q seeding.Inquiry, given map[string]string, err error) {
	body := inquiryBody{previewBody: previewBody{Count: usualCount}}
	wrong, err := openapi.Read(w, r, &body)
	if err != nil {
		return q, nil, err
	}
	if body.Configuration != nil {
		if err := s.needs(r, Administrator); err != nil {
			return q, nil, err
		}
	} else if body.Connector == "" && !wrong.Touch("/connector") && !wrong.Touch("/configuration") {
		wrong.Add("/connector", api.Flaw{Code: "required", Detail: "is required, or a configuration"})
	}
	if err := wrong.Err(); err != nil {
		return q, nil, err
	}
	q = s.asked(r, kind, body.Connector, body.previewBody)
	before, err := s.before(r, body.Connector)
	if err != nil {
		return q, nil, err
	}
	if body.Configuration == nil {
		body.ofSource(*before, &wrong)
		return q, nil, wrong.Err()
	}
	d, err := s.draftOf(body.Configuration, before)
	if err != nil {
		return q, nil, err
	}
	left := s.mended(d.wrong)
	body.ofSource(d.connector, &left)
	if err := left.Err(); err != nil {
		return q, nil, err
	}
	if d.wrong.Touch("/mts_url") {
		d.connector.MTS.URL = ""
	}
	for _, member := range []string{"/registry/url", "/registry/database", "/registry/username"} {
		if d.wrong.Touch(member) { // then there is no registry to ask
			d.connector.Registry.URL = ""
		}
	}
	for _, member := range []string{"/odk/base_url", "/odk/odata_url", "/odk/email"} {
		if d.wrong.Touch(member) {
			d.connector.ODK.BaseURL = ""
		}
	}
	d.connector.Secrets = nil // whether stored ones may be used is decided when it is worked off
	given = map[string]string{}
	for _, name := range []string{seeding.RegistryPassword, seeding.ODKPassword} {
		if value := d.secrets[name]; value != "" {
			given[name] = value
		}
	}
	q.Draft, q.Given = &d.connector, len(given) > 0
	return q, given, nil
}

// asked is an inquiry of whoever makes the request.
func (s *service) asked(r *http.Request, kind seeding.InquiryKind, connector string, p previewBody) seeding.Inquiry {
	q := seeding.Inquiry{ID: s.NewID(), Kind: kind, Connector: connector, Asker: s.asker(r), Asked: s.Now().UTC()}
	if kind == seeding.PreviewInquiry {
		q.Count, q.Registrants = p.Count, p.Registrants
	}
	return q
}

// asker is who makes a request, and may fetch the preview that it asks for; "" if the
// token does not say who that is.
func (s *service) asker(r *http.Request) string {
	caller := s.Caller(r)
	if caller.Name == "" {
		return ""
	}
	return caller.Claim + " " + caller.Name
}

// missing are the codes of what is only missing.
var missing = []string{"required", "password_required", "password_again", "auth_required", "auth_who", "required_with", "secret_again", "odk_required"}

// mended are the errors of a draft that keep it from being looked at: what is only
// missing does not, because a form can be checked while it is filled in.
func (s *service) mended(wrong api.FieldErrors) (left api.FieldErrors) {
	for _, e := range wrong {
		if !slices.Contains(missing, e.Code) {
			left.Add("/configuration"+*e.Pointer, e.Flaw)
		}
	}
	return left
}

// ask stores an inquiry, then what it needs in secret, and invokes submit for it. In
// this order nothing is left over, whatever ends on the way: submit ends an inquiry
// that lacks its secrets, and deletes those that are there. A lost invocation is made
// up for by the next tick.
func (s *service) ask(w http.ResponseWriter, r *http.Request, q seeding.Inquiry, given map[string]string) (seeding.Inquiry, error) {
	ctx := r.Context()
	q, err := s.Store.Ask(ctx, q)
	if errors.Is(err, seeding.ErrManyInquiries) {
		return q, manyAreOpen(q)
	}
	if err != nil {
		return q, err
	}
	if q, err = s.keepSecrets(ctx, q, given); err != nil {
		return q, err
	}
	if err := s.Invoker.InvokeInquiry(ctx, q.ID); err != nil {
		s.Log.WarnContext(ctx, "submit was not invoked", "inquiry", q.ID, "kind", api.Kind(err))
	}
	caller := s.Caller(r)
	s.Log.InfoContext(ctx, "inquiry asked", "inquiry", q.ID, "kind", string(q.Kind), "connector", q.Connector,
		"caller", legible(caller.Name), "caller_claim", caller.Claim)
	w.Header().Set("Location", inquiryPaths[q.Kind]+q.ID)
	return q, nil
}

// keepSecrets stores what an inquiry needs in secret, and deletes it again if the inquiry
// is over by then: nobody else would.
func (s *service) keepSecrets(ctx context.Context, q seeding.Inquiry, given map[string]string) (seeding.Inquiry, error) {
	makesKey := q.Kind == seeding.PreviewInquiry
	if !makesKey && !q.Given {
		return q, nil
	}
	storing, cancel := context.WithTimeout(ctx, q.Asked.Add(secretsWithin).Sub(s.Now()))
	defer cancel()
	if makesKey {
		if err := s.InquirySecrets.MakeKey(storing, q.ID); err != nil {
			return q, err
		}
	}
	if q.Given {
		if err := s.InquirySecrets.KeepGiven(storing, q.ID, given); err != nil {
			return q, err
		}
	}
	now, err := s.Store.Inquiry(ctx, q.ID, s.Now())
	if err != nil && !errors.Is(err, seeding.ErrNotFound) || err == nil && !now.Over() {
		return q, err
	}
	if err == nil {
		q = now
	}
	return q, errors.Join(s.InquirySecrets.ForgetGiven(ctx, q.ID), s.InquirySecrets.ForgetKey(ctx, q.ID))
}

// manyAreOpen says what takes the places of an inquiry, and what frees one.
func manyAreOpen(q seeding.Inquiry) *api.Problem {
	of := "this connector"
	if q.Connector == "" {
		of = "new connectors, of all administrators together,"
	}
	return api.NewProblem(manyInquiries, fmt.Sprintf("%d checks and previews of %s are open, which is the most: under way, or previews that wait to be fetched, each by who asked for it. "+
		"Fetch yours, or wait: a check is over within minutes, and a preview that nobody fetches %d minutes after it is answered.", seeding.InquiryPlaces, of, int(seeding.PreviewLife.Minutes())))
}

// inquiryPaths are where inquiries are read, before their ids.
var inquiryPaths = map[seeding.InquiryKind]string{
	seeding.CheckInquiry: "/checks/", seeding.RegistrantInquiry: "/checks/", seeding.PreviewInquiry: "/previews/",
}

// loadInquiry reads the inquiry that a part of the path names, of one of some kinds.
func (s *service) loadInquiry(r *http.Request, name string, kinds ...seeding.InquiryKind) (seeding.Inquiry, error) {
	id := r.PathValue(name)
	noSuch := api.NewProblem(api.NotFound, "There is no such "+name+". It is kept for a day.")
	if !connectorID.MatchString(id) {
		return seeding.Inquiry{}, noSuch
	}
	q, err := s.Store.Inquiry(r.Context(), id, s.Now())
	if errors.Is(err, seeding.ErrNotFound) || err == nil && !slices.Contains(kinds, q.Kind) {
		return seeding.Inquiry{}, noSuch
	}
	return q, err
}

// inquiryDocument is what checks and previews have in common.
type inquiryDocument struct {
	ID        string `json:"id"`
	Connector string `json:"connector,omitempty"`
	// Registrant that a check is about; 0 if it is about the connector.
	Registrant int64          `json:"registrant,omitempty"`
	Draft      bool           `json:"draft"`
	State      string         `json:"state"`
	Asked      time.Time      `json:"asked"`
	Ended      *time.Time     `json:"ended,omitempty"`
	Lines      []lineDocument `json:"lines"`
}

type lineDocument struct {
	Line    string             `json:"line"`
	Result  seeding.LineResult `json:"result"`
	Code    string             `json:"code"`
	Params  map[string]any     `json:"params,omitempty"`
	Text    string             `json:"text"`
	Remedy  string             `json:"remedy,omitempty"`
	Pointer string             `json:"pointer,omitempty"` // into the configuration
}

// linePointers are members of a configuration that no rule of setup is about.
var linePointers = map[string]string{
	"read_one_by_one":   "/registry/read_one_by_one",
	"callback_auth_url": "/callback/auth_url",
}

func newInquiryDocument(q seeding.Inquiry, state string) inquiryDocument {
	d := inquiryDocument{ID: q.ID, Connector: q.Connector, Draft: q.Draft != nil, State: state, Asked: q.Asked, Ended: moment(q.Ended), Lines: []lineDocument{}}
	for _, l := range q.Lines {
		at := cmp.Or(linePointers[l.Field], pointer(setup.Field(l.Field)))
		d.Lines = append(d.Lines, lineDocument{l.Name, l.Result, l.Code, l.Params, l.Text, l.Remedy, at})
	}
	return d
}
