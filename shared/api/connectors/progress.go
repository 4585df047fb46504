package connectors

import (
	"context"
	"net/http"
	"regexp"
	"slices"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

func (s *service) runs(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "runs of "+c.ID, 100)
	if err != nil {
		return err
	}
	found, next, err := s.Store.ListRuns(r.Context(), c.ID, page.Mark, page.Limit)
	if err != nil {
		return err
	}
	list := []runDocument{}
	for _, run := range found {
		document, err := s.describe(r.Context(), c, run)
		if err != nil {
			return err
		}
		list = append(list, document)
	}
	api.Reply(w, http.StatusOK, struct {
		Runs []runDocument `json:"runs"`
		Next string        `json:"next,omitempty"`
	}{list, page.Cursor(next)})
	return nil
}

func (s *service) run(w http.ResponseWriter, r *http.Request) error {
	c, run, err := s.loadRun(r)
	if err != nil {
		return err
	}
	document, err := s.describe(r.Context(), c, run)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusOK, document)
	return nil
}

var runID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

func (s *service) loadRun(r *http.Request) (seeding.Connector, seeding.Run, error) {
	c, err := s.load(r)
	if err != nil {
		return c, seeding.Run{}, err
	}
	if !runID.MatchString(r.PathValue("run")) {
		return c, seeding.Run{}, seeding.ErrNotFound
	}
	run, err := s.Store.Run(r.Context(), c.ID, r.PathValue("run"))
	return c, run, err
}

// describe returns the document of a run. The totals of an open run are those of
// its batches, because its own are written when it completes.
func (s *service) describe(ctx context.Context, c seeding.Connector, run seeding.Run) (runDocument, error) {
	if !run.Completed.IsZero() {
		return newRunDocument(run, 0, seeding.Progress{}), nil
	}
	state, err := s.Store.State(ctx, c.ID)
	if err != nil {
		return runDocument{}, err
	}
	batches, err := s.Store.RunBatches(ctx, c.RegistryKey(), c.ID, run.ID)
	if err != nil {
		return runDocument{}, err
	}
	open := 0
	run.Totals = seeding.Totals{}
	for _, b := range batches {
		if b.State.Open() {
			open++
		}
		run.Totals = run.Totals.Plus(b.SoFar())
	}
	blocked, _ := state.Blocked()
	halted := blocked || state.Status != seeding.Running || run.Version != c.Version
	return newRunDocument(run, open, seeding.ProgressOf(run, batches, halted, s.Now())), nil
}

func (s *service) batches(w http.ResponseWriter, r *http.Request) error {
	c, run, err := s.loadRun(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "batches of "+c.ID+" "+run.ID, 100)
	if err != nil {
		return err
	}
	all, err := s.Store.RunBatches(r.Context(), c.RegistryKey(), c.ID, run.ID)
	if err != nil {
		return err
	}
	if page.Mark != "" {
		last := slices.IndexFunc(all, func(b seeding.Batch) bool { return b.Ref.Batch == page.Mark })
		if last < 0 {
			return api.BadCursor()
		}
		all = all[last+1:]
	}
	next := ""
	if len(all) > page.Limit {
		all = all[:page.Limit]
		next = all[page.Limit-1].Ref.Batch
	}
	list := []batchDocument{}
	for _, b := range all {
		list = append(list, newBatchDocument(b))
	}
	api.Reply(w, http.StatusOK, struct {
		Batches []batchDocument `json:"batches"`
		Next    string          `json:"next,omitempty"`
	}{list, page.Cursor(next)})
	return nil
}

func (s *service) rejections(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "rejections of "+c.ID, 500)
	if err != nil {
		return err
	}
	found, next, err := s.Store.ListRejections(r.Context(), c.RegistryKey(), c.ID, page.Mark, page.Limit)
	if err != nil {
		return err
	}
	state, err := s.Store.State(r.Context(), c.ID)
	if err != nil {
		return err
	}
	attempts := seeding.Attempts{State: state, Now: s.Now(), Times: seeding.DefaultTimes()}
	list := []rejectionDocument{}
	for _, x := range found {
		list = append(list, newRejectionDocument(x, c, attempts))
	}
	api.Reply(w, http.StatusOK, struct {
		Rejections []rejectionDocument `json:"rejections"`
		Next       string              `json:"next,omitempty"`
	}{list, page.Cursor(next)})
	return nil
}
