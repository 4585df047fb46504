package connectors

import (
	"net/http"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// askCheck begins a check of a stored connector or of a draft.
func (s *service) askCheck(w http.ResponseWriter, r *http.Request) error {
	q, given, err := s.inquiry(w, r, seeding.CheckInquiry)
	if err != nil {
		return err
	}
	return s.beginCheck(w, r, q, given)
}

// checkConnector begins a check of the connector that the path names.
func (s *service) checkConnector(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	return s.beginCheck(w, r, s.asked(r, seeding.CheckInquiry, c.ID, previewBody{}), nil)
}

// checkRegistrant begins a look at what the registry says of a registrant now. It is a
// check of its own kind.
func (s *service) checkRegistrant(w http.ResponseWriter, r *http.Request) error {
	registrant, err := registrantOf(r)
	if err != nil {
		return err
	}
	c, err := s.load(r)
	if err != nil {
		return err
	}
	q := s.asked(r, seeding.RegistrantInquiry, c.ID, previewBody{})
	q.Registrants = []int64{registrant}
	return s.beginCheck(w, r, q, nil)
}

func (s *service) beginCheck(w http.ResponseWriter, r *http.Request, q seeding.Inquiry, given map[string]string) error {
	q, err := s.ask(w, r, q, given)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusAccepted, newCheckDocument(q))
	return nil
}

// showCheck shows a check while its lines come, and for a day.
func (s *service) showCheck(w http.ResponseWriter, r *http.Request) error {
	q, err := s.loadInquiry(r, "check", seeding.CheckInquiry, seeding.RegistrantInquiry)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusOK, newCheckDocument(q))
	return nil
}

func newCheckDocument(q seeding.Inquiry) inquiryDocument {
	d := newInquiryDocument(q, map[seeding.InquiryState]string{
		seeding.InquiryWaiting: "waiting", seeding.InquiryWorking: "working", seeding.InquiryAnswered: "answered", seeding.InquiryDropped: "failed",
	}[q.State])
	if q.Kind == seeding.RegistrantInquiry {
		d.Registrant = q.Registrants[0]
	}
	return d
}
