package connectors

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
)

// askPreview begins a preview of a stored connector or of a draft.
func (s *service) askPreview(w http.ResponseWriter, r *http.Request) error {
	q, given, err := s.inquiry(w, r, seeding.PreviewInquiry)
	if err != nil {
		return err
	}
	return s.beginPreview(w, r, q, given)
}

// previewConnector begins a preview of the connector that the path names.
func (s *service) previewConnector(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	body := previewBody{Count: usualCount}
	wrong, err := openapi.Read(w, r, &body)
	if err == nil {
		body.ofSource(c, &wrong)
		err = wrong.Err()
	}
	if err != nil {
		return err
	}
	return s.beginPreview(w, r, s.asked(r, seeding.PreviewInquiry, c.ID, body), nil)
}

func (s *service) beginPreview(w http.ResponseWriter, r *http.Request, q seeding.Inquiry, given map[string]string) error {
	if q.Asker == "" {
		return api.NewProblem(noName, "A preview shows data of registrants, so only who asked for it gets it, and the token does not say who that is. "+
			"The issuer of the tokens has to give them the claim sub (of a person), or client_id or azp (of a program).")
	}
	q, err := s.ask(w, r, q, given)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusAccepted, newPreviewDocument(q, s.Now()))
	return nil
}

// showPreview shows how far a preview is, and delivers it once, to who asked for it.
// The key is deleted first, then the answer, on condition that it is there: whatever
// fails, nobody gets it twice, and no copy of the table can be read.
func (s *service) showPreview(w http.ResponseWriter, r *http.Request) error {
	q, err := s.loadInquiry(r, "preview", seeding.PreviewInquiry)
	if err != nil {
		return err
	}
	if asker := s.asker(r); asker == "" || asker != q.Asker {
		return api.NewProblem(api.NotFound, "There is no such preview of yours. It shows data of registrants, so only who asked for it gets it.")
	}
	if q.State != seeding.InquiryAnswered || len(q.Sealed) == 0 || !q.FetchUpTo.After(s.Now()) {
		api.Reply(w, http.StatusOK, newPreviewDocument(q, s.Now()))
		return nil
	}
	answer, err := s.fetch(r, q)
	if errors.Is(err, seeding.ErrConflict) || errors.Is(err, seeding.ErrNotFound) { // somebody was faster, or an attempt before ended half-way
		q.State = seeding.InquiryFetched
		api.Reply(w, http.StatusOK, newPreviewDocument(q, s.Now()))
		return nil
	}
	if err != nil {
		return err
	}
	r.Header.Del("If-None-Match") // what is delivered once is never what the client has already
	q.State, q.FetchedAt = seeding.InquiryFetched, s.Now()
	d := newPreviewDocument(q, s.Now())
	d.State = previewReady
	d.Preview = newPreviewAnswer(answer, s.configured(r, q))
	api.Reply(w, http.StatusOK, d)
	return nil
}

// fetch opens the answer of a preview, and deletes key and answer.
func (s *service) fetch(r *http.Request, q seeding.Inquiry) (a seeding.PreviewAnswer, err error) {
	key, err := s.InquirySecrets.Key(r.Context(), q.ID)
	if err != nil {
		return a, err
	}
	text, err := seeding.OpenAnswer(key, q.ID, q.Sealed)
	if err != nil {
		return a, err
	}
	if json.Unmarshal(text, &a) != nil { // its error would quote the answer
		return seeding.PreviewAnswer{}, seeding.ErrSealed
	}
	if err := s.InquirySecrets.ForgetKey(r.Context(), q.ID); err != nil {
		return seeding.PreviewAnswer{}, err
	}
	return a, s.Store.FetchInquiry(r.Context(), q, seeding.InquiryFetched, s.Now())
}

// configured is the configuration that a preview was made with, as far as it is known:
// reasons name what its mapping reads.
func (s *service) configured(r *http.Request, q seeding.Inquiry) seeding.Connector {
	if q.Draft != nil {
		return *q.Draft
	}
	c, err := s.Store.Connector(r.Context(), q.Connector)
	if err != nil {
		return seeding.Connector{}
	}
	return c
}

// States of a preview as they are shown.
const (
	previewReady     = "delivered_now"
	previewDelivered = "delivered"
	previewGone      = "not_fetched"
	previewFailed    = "failed"
)

type previewDocument struct {
	inquiryDocument
	FetchUntil *time.Time             `json:"fetch_until,omitempty"`
	Delivered  *time.Time             `json:"delivered,omitempty"`
	Preview    *previewAnswerDocument `json:"preview,omitempty"`
}

func newPreviewDocument(q seeding.Inquiry, now time.Time) previewDocument {
	state := string(q.State)
	d := previewDocument{}
	switch {
	case q.State == seeding.InquiryFetched:
		state, d.Delivered = previewDelivered, moment(q.FetchedAt)
	case q.Over() && len(q.Lines) > 0:
		state = previewFailed
	case q.State == seeding.InquiryDropped, q.State == seeding.InquiryAnswered && !q.FetchUpTo.After(now):
		state = previewGone
	case q.State == seeding.InquiryAnswered:
		d.FetchUntil = moment(q.FetchUpTo)
	}
	d.inquiryDocument = newInquiryDocument(q, state)
	return d
}

type previewAnswerDocument struct {
	Registrants []previewRowDocument  `json:"registrants"`
	Outcomes    map[seeding.Fate]int  `json:"outcomes"` // of the VIDs that were looked at
	Looked      int                   `json:"looked"`
	Sampled     int                   `json:"sampled"`
	Mapping     []partDocument        `json:"mapping"`
	Output      *outputSampleDocument `json:"output,omitempty"`
}

type previewRowDocument struct {
	Registrant int64                 `json:"registrant,omitempty"`
	Identifier int64                 `json:"identifier,omitempty"`
	Submission string                `json:"submission,omitempty"` // of a connector of ODK, in place of both
	Received   *time.Time            `json:"received,omitempty"`
	Outcome    seeding.Fate          `json:"outcome"`
	Kind       seeding.RejectionKind `json:"kind,omitempty"`
	Code       string                `json:"code,omitempty"`
	Holder     int64                 `json:"holder,omitempty"`
	Next       *time.Time            `json:"next_attempt,omitempty"`
	Record     map[string]string     `json:"record,omitempty"`   // by MTS's names, without what is not sent
	Unusable   []string              `json:"unusable,omitempty"` // fields that hold what MTS cannot take

	reasonsDocument
}

// partDocument is how often a part of the mapping gave nothing.
type partDocument struct {
	Pointer     string `json:"pointer"`
	Empty       int    `json:"empty"`
	Unusable    int    `json:"unusable"`
	TooMuchWork int    `json:"too_much_work"`
}

type outputSampleDocument struct {
	Shape  string          `json:"shape,omitempty"`
	Result string          `json:"result,omitempty"`
	Wrong  *sayingDocument `json:"wrong,omitempty"`
}

func newPreviewAnswer(a seeding.PreviewAnswer, c seeding.Connector) *previewAnswerDocument {
	d := &previewAnswerDocument{Registrants: []previewRowDocument{}, Outcomes: a.Fates, Looked: a.VIDs, Sampled: a.Sampled, Mapping: []partDocument{}}
	for _, row := range a.Rows {
		r := previewRowDocument{
			Registrant: row.Registrant, Identifier: row.Identifier, Submission: row.Submission, Received: moment(row.Received), Outcome: row.Fate, Kind: row.Kind, Code: row.Code, Holder: row.Holder, Next: moment(row.Next),
		}
		if row.Kind != "" {
			r.reasonsDocument = reasonsOf(seeding.Rejection{Kind: row.Kind, Code: row.Code, Holder: row.Holder, Configured: c.Version}, c)
		}
		if row.Fields != nil {
			r.Record = map[string]string{"vid": row.VID}
		}
		for name, field := range row.Fields {
			switch {
			case field.NotText:
				r.Unusable = append(r.Unusable, name)
			case field.Present:
				r.Record[name] = field.Text
			}
		}
		slices.Sort(r.Unusable)
		d.Registrants = append(d.Registrants, r)
	}
	for _, p := range a.Parts {
		d.Mapping = append(d.Mapping, partDocument{"/mapping/" + p.Part, p.Empty, p.NotText, p.Failed})
	}
	if a.Output != nil {
		d.Output = &outputSampleDocument{Shape: a.Output.Shape, Result: a.Output.Result}
		if w := a.Output.Wrong; w != "" {
			d.Output.Wrong = &sayingDocument{cmp.Or(a.Output.Code, "output_refused"), a.Output.Params, w} // sealed by a version before, it has no code
		}
	}
	return d
}
