package connectors

import (
	"context"
	"net/http"
	"regexp"

	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

func (s *service) runs(w http.ResponseWriter, r *http.Request) error {
	state, err := s.loadState(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "runs of "+state.Connector, 100)
	if err != nil {
		return err
	}
	found, next, err := s.Store.ListRuns(r.Context(), state.Connector, page.Mark, page.Limit)
	if err != nil {
		return err
	}
	list := []runDocument{}
	for _, run := range found {
		document, err := s.describe(r.Context(), state, run)
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
	state, run, err := s.loadRun(r)
	if err != nil {
		return err
	}
	document, err := s.describe(r.Context(), state, run)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusOK, document)
	return nil
}

// loadState reads the state of the connector that the path names.
func (s *service) loadState(r *http.Request) (seeding.State, error) {
	if !connectorID.MatchString(r.PathValue("id")) {
		return seeding.State{}, seeding.ErrNotFound
	}
	return s.Store.State(r.Context(), r.PathValue("id"))
}

var runID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// loadRun reads the run that the path names, and the state of its connector.
func (s *service) loadRun(r *http.Request) (state seeding.State, run seeding.Run, err error) {
	id, runName := r.PathValue("id"), r.PathValue("run")
	if !connectorID.MatchString(id) || !runID.MatchString(runName) {
		return state, run, seeding.ErrNotFound
	}
	both, ctx := errgroup.WithContext(r.Context())
	both.Go(func() (err error) { state, err = s.Store.State(ctx, id); return err })
	both.Go(func() (err error) { run, err = s.Store.Run(ctx, id, runName); return err })
	return state, run, both.Wait()
}

// describe returns the document of a run, which has counted its batches itself.
func (s *service) describe(ctx context.Context, state seeding.State, run seeding.Run) (runDocument, error) {
	if !run.Completed.IsZero() {
		return newRunDocument(run, seeding.Progress{}), nil
	}
	if run.Uncounted { // by a version before
		batches, err := s.Store.RunBatches(ctx, state.Registry, run.Connector, run.ID)
		if err != nil {
			return runDocument{}, err
		}
		run = run.CountedBy(batches)
	}
	blocked, _ := state.Blocked()
	cancelled := state.Cancels(run.ID)
	halted := blocked || cancelled || run.Kind != seeding.Import && (state.Status != seeding.Running || run.Version != state.Version)
	document := newRunDocument(run, seeding.ProgressOf(run, halted, s.Now()))
	document.Cancelled = cancelled
	return document, nil
}

func (s *service) batches(w http.ResponseWriter, r *http.Request) error {
	state, run, err := s.loadRun(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "batches of "+run.Connector+" "+run.ID, 100)
	if err != nil {
		return err
	}
	registry := state.Registry
	if !run.Completed.IsZero() {
		registry = "" // no batch of it is open
	}
	found, next, err := s.Store.ListBatches(r.Context(), registry, run.Connector, run.ID, page.Mark, page.Limit)
	if err != nil {
		return err
	}
	list := []batchDocument{}
	for _, b := range found {
		list = append(list, newBatchDocument(b))
	}
	api.Reply(w, http.StatusOK, struct {
		Batches []batchDocument `json:"batches"`
		Next    string          `json:"next,omitempty"`
	}{list, page.Cursor(next)})
	return nil
}
