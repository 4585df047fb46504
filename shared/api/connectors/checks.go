package connectors

import (
	"net/http"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// askCheck begins a check of a stored connector or of a draft.
func (s *service) askCheck(w http.ResponseWriter, r *http.Request) error {
	q, password, err := s.inquiry(w, r, seeding.CheckInquiry)
	if err != nil {
		return err
	}
	return s.beginCheck(w, r, q, password)
}

// checkConnector begins a check of the connector that the path names.
func (s *service) checkConnector(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	return s.beginCheck(w, r, s.asked(r, seeding.CheckInquiry, c.ID, previewBody{}), "")
}

func (s *service) beginCheck(w http.ResponseWriter, r *http.Request, q seeding.Inquiry, password string) error {
	q, err := s.ask(w, r, q, password)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusAccepted, newCheckDocument(q))
	return nil
}

// showCheck shows a check while its lines come, and for a day.
func (s *service) showCheck(w http.ResponseWriter, r *http.Request) error {
	q, err := s.loadInquiry(r, seeding.CheckInquiry)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusOK, newCheckDocument(q))
	return nil
}

func newCheckDocument(q seeding.Inquiry) inquiryDocument {
	return newInquiryDocument(q, map[seeding.InquiryState]string{
		seeding.InquiryWaiting: "waiting", seeding.InquiryWorking: "working", seeding.InquiryAnswered: "answered", seeding.InquiryDropped: "failed",
	}[q.State])
}
