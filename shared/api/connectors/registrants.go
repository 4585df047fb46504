package connectors

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// What one request looks at for the history of a registrant.
const (
	mostBatches = 300
	mostRuns    = 100
)

// registrantDocument is what the tables know of a registrant now.
type registrantDocument struct {
	Registrant  int64               `json:"registrant"`
	Rejections  []rejectionDocument `json:"rejections"`   // of this connector, one for each VID
	OpenBatches []openDocument      `json:"open_batches"` // that hold the registrant, of any connector of the registry
	// Registry is what the registry says of the registrant: it was not asked, because
	// this function has no password of it; a check of the registrant asks it.
	Registry string `json:"registry"`
	// Complete is false if not all rejections of the registry were looked at: the pages
	// that follow go on with them.
	Complete bool `json:"complete"`
	// Next is the cursor with which the same request goes on, and searches the closed
	// batches.
	Next string `json:"next,omitempty"`
}

// openDocument is an open batch that holds the registrant.
type openDocument struct {
	Connector  string             `json:"connector"`
	Run        string             `json:"run"`
	Batch      string             `json:"batch"`
	Identifier int64              `json:"identifier"` // that holds the VID which was sent
	State      seeding.BatchState `json:"state"`
	Claimed    time.Time          `json:"claimed"`
	Deadline   time.Time          `json:"deadline"`
}

// pastDocument is a closed batch that held the registrant.
type pastDocument struct {
	Run     string             `json:"run"`
	Batch   string             `json:"batch"`
	State   seeding.BatchState `json:"state"`
	Claimed time.Time          `json:"claimed"`
	Closed  time.Time          `json:"closed"`
	// Outcome is tokenised, rejected or pending where all of the batch came to the
	// same; else it is not known of one of them.
	Outcome string `json:"outcome,omitempty"`
}

// registrantOf is the registrant that the path names.
func registrantOf(r *http.Request) (int64, error) {
	given := r.PathValue("registrant")
	id, err := strconv.ParseInt(given, 10, 32) // as Odoo counts
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != given {
		return 0, api.NewProblem(api.NotFound, "A registrant is a number, as the registry counts them: /registrants/4711.")
	}
	return id, nil
}

// registrant replies what is known of a registrant: its rejections and the open
// batches that hold it, and with a cursor a page of the closed batches that held it.
func (s *service) registrant(w http.ResponseWriter, r *http.Request) error {
	id, err := registrantOf(r)
	if err != nil {
		return err
	}
	c, err := s.load(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "batches of registrant "+r.PathValue("registrant")+" of "+c.ID, 1)
	if err != nil {
		return err
	}
	if mark, more := strings.CutPrefix(page.Mark, moreRejections); more {
		return s.rejectionsOf(w, r, c, id, page, mark)
	}
	if page.Mark != "" {
		return s.history(w, r, c, id, page)
	}
	document := registrantDocument{Registrant: id, OpenBatches: []openDocument{}, Registry: "not_asked"}
	var rejections []seeding.Rejection
	var next string
	var open []seeding.Batch
	var attempts seeding.Attempts
	// All at once. Who was answered in between is shown in both, or in neither if its
	// token was written.
	all, ctx := errgroup.WithContext(r.Context())
	all.Go(func() (err error) { attempts, err = s.attemptsOf(ctx, c.ID); return err })
	all.Go(func() (err error) {
		rejections, next, err = s.listRejections(ctx, c.RegistryKey(), c.ID, of(c, id), "", mostRejections, callsOfPage)
		return err
	})
	all.Go(func() (err error) {
		open, err = s.Store.OpenBatches(ctx, c.RegistryKey())
		return seeding.IgnoreDamaged(err)
	})
	if err := all.Wait(); err != nil {
		return err
	}
	document.Rejections, document.Complete, document.Next = newRejectionDocuments(rejections, c, attempts), next == "", page.Cursor(markAfter(next))
	for _, b := range open {
		for _, m := range b.Members {
			if m.Registrant == id {
				document.OpenBatches = append(document.OpenBatches, openDocument{
					b.Ref.Connector, b.Ref.Run, b.Ref.Batch, m.Identifier, b.State, b.Claimed, b.Deadline,
				})
			}
		}
	}
	api.Reply(w, http.StatusOK, document)
	return nil
}

// of is the filter for the rejections of a registrant.
func of(c seeding.Connector, registrant int64) seeding.RejectionFilter {
	return seeding.RejectionFilter{Subjects: c.Subjects(), Registrants: []int64{registrant}}
}

// moreRejections begins the marks of pages that go on with the rejections, before that
// of the store.
const moreRejections = "\n"

// markAfter is the mark of the page that follows rejections, which ended at a mark of
// the store.
func markAfter(next string) string {
	if next == "" {
		return fromNewest
	}
	return moreRejections + next
}

// rejectionsOf goes on with the rejections of a registrant.
func (s *service) rejectionsOf(w http.ResponseWriter, r *http.Request, c seeding.Connector, registrant int64, page api.Page, mark string) error {
	list, next, err := s.rejectionDocuments(r.Context(), c, of(c, registrant), mark, mostRejections)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusOK, struct {
		Registrant int64               `json:"registrant"`
		Rejections []rejectionDocument `json:"rejections"`
		Complete   bool                `json:"complete"`
		Next       string              `json:"next"`
	}{registrant, list, next == "", page.Cursor(markAfter(next))})
	return nil
}

// A mark of the history is a run, and the batch of it that was looked at last: "run
// batch", "run " before its first one. fromNewest is before all runs.
const fromNewest = " "

// history replies the batches that held a registrant, newest first, of as many as one
// request looks at. Whoever had its number in a former registry of the connector is
// somebody else.
func (s *service) history(w http.ResponseWriter, r *http.Request, c seeding.Connector, registrant int64, page api.Page) error {
	run, batch, ok := strings.Cut(page.Mark, " ")
	if !ok {
		return api.BadCursor()
	}
	list, next, err := s.search(r.Context(), c.ID, registrant, run, batch)
	if err != nil {
		return err
	}
	documents := []pastDocument{}
	for _, b := range list {
		if b.Ref.Registry != c.RegistryKey() {
			continue
		}
		documents = append(documents, pastDocument{b.Ref.Run, b.Ref.Batch, b.State, b.Claimed, b.Closed, outcome(b)})
	}
	api.Reply(w, http.StatusOK, struct {
		Registrant int64          `json:"registrant"`
		Batches    []pastDocument `json:"batches"`
		Next       string         `json:"next,omitempty"`
	}{registrant, documents, page.Cursor(next)})
	return nil
}

// search looks at a bounded number of closed batches, from a batch of a run on. next is
// the mark of where it ended, "" at the end.
func (s *service) search(ctx context.Context, connector string, registrant int64, run, batch string) (list []seeding.Batch, next string, err error) {
	left := mostBatches
	look := func(run, batch string) (end string, err error) {
		for left > 0 {
			const atOnce = 100
			found, end, err := s.Store.BatchesWith(ctx, connector, run, registrant, batch, atOnce)
			if list = append(list, found...); err != nil || end == "" {
				return "", err
			}
			batch, left = end, left-atOnce
		}
		return batch, nil
	}
	if batch != "" {
		end, err := look(run, batch)
		if err != nil || end != "" {
			return list, run + " " + end, err
		}
	}
	runs, more, err := s.Store.ListRuns(ctx, connector, run, mostRuns)
	if err != nil {
		return nil, "", err
	}
	for _, r := range runs {
		if left <= 0 {
			return list, run + " ", nil
		}
		if run = r.ID; r.Batches == 0 && !r.Uncounted {
			continue
		}
		end, err := look(run, "")
		if err != nil || end != "" {
			return list, run + " " + end, err
		}
		left -= min(max(1, r.Batches), mostBatches/10) // a query takes as much as a few batches
	}
	if more == "" {
		return list, "", nil
	}
	return list, run + " ", nil
}

// outcome is what a batch came to for each of its registrants, if it was the same for
// all.
func outcome(b seeding.Batch) string {
	switch t := b.Totals; {
	case t.Tokenised == b.Count:
		return "tokenised"
	case t.Rejected() == b.Count:
		return "rejected"
	case t.Tokenised+t.Rejected() == 0:
		return "pending"
	}
	return ""
}
