package connectors

import (
	"context"
	"errors"
	"net/http"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// figuresDocument is what is known of a connector at a glance, as of the end of its
// last run.
type figuresDocument struct {
	Tokenised int              `json:"tokenised"`          // in all runs that are over
	Rejected  *int             `json:"rejected,omitempty"` // absent before the first pass is over
	Counted   *time.Time       `json:"counted,omitempty"`  // when the rejections were
	LastRun   *lastRunDocument `json:"last_run,omitempty"` // of the recurring ones
}

type lastRunDocument struct {
	ID        string         `json:"id"`
	Started   time.Time      `json:"started"`
	Completed time.Time      `json:"completed"`
	Totals    totalsDocument `json:"totals"` // pending: whom its last pass left
}

func newFiguresDocument(f seeding.Figures) figuresDocument {
	document := figuresDocument{Tokenised: f.Tokenised, Counted: moment(f.Counted)}
	if !f.Counted.IsZero() {
		document.Rejected = &f.Rejected
	}
	if last := f.Last; last.ID != "" {
		document.LastRun = &lastRunDocument{
			last.ID, last.Started, last.Completed, newTotalsDocument(last.Totals, last.Again),
		}
	}
	return document
}

// summaryDocument is a connector in the list: what people look at every day.
type summaryDocument struct {
	ID           string                             `json:"id"`
	Version      int                                `json:"version"`
	Name         string                             `json:"name"`
	Status       seeding.Status                     `json:"status"`
	Problems     map[seeding.Source]problemDocument `json:"problems"`
	Due          *time.Time                         `json:"due,omitempty"`
	Served       *time.Time                         `json:"served,omitempty"`
	Run          string                             `json:"run,omitempty"` // the open recurring run
	OpenRun      *openRunDocument                   `json:"open_run,omitempty"`
	MTSHost      string                             `json:"mts_host"` // scheme, host and port
	RegistryHost string                             `json:"registry_host"`
	ODKHost      string                             `json:"odk_host,omitempty"` // of a connector of ODK
	ODKForm      string                             `json:"odk_form,omitempty"` // the id of its form
	Figures      figuresDocument                    `json:"figures"`
}

// openRunDocument is how far the open recurring run was when it last claimed a batch.
type openRunDocument struct {
	AsOf             time.Time  `json:"as_of"`
	Looked           int        `json:"looked"`
	Expected         int        `json:"expected,omitempty"` // VIDs that the pass looks at; absent if nobody knows
	Tokenised        int        `json:"tokenised"`
	Rejected         int        `json:"rejected"`
	RecordsPerSecond float64    `json:"records_per_second,omitempty"`
	ExpectedEnd      *time.Time `json:"expected_end,omitempty"`
}

// openRunOf is nil if no recurring run is open, or it has claimed nothing yet.
func openRunOf(state seeding.State) *openRunDocument {
	open := state.Open
	if open.ID == "" || open.ID != state.Run {
		return nil
	}
	document := openRunDocument{
		AsOf: open.At.UTC(), Looked: open.Looked, Expected: open.Expected,
		Tokenised: open.Totals.Tokenised, Rejected: open.Totals.Rejected(),
	}
	blocked, _ := state.Blocked()
	if !blocked && state.Status == seeding.Running && !state.Cancels(open.ID) {
		document.RecordsPerSecond, document.ExpectedEnd = thousandths(open.Progress.PerSecond), wholeSecond(open.Progress.End)
	}
	return &document
}

// list replies with a page of connectors. It reads their states alone, which are
// small and lie together; of their MTSs and registries only those that say when a
// problem is probed.
func (s *service) list(w http.ResponseWriter, r *http.Request) error {
	page, err := api.ReadPage(r, "connectors", 100)
	if err != nil {
		return err
	}
	found, next, err := s.Store.ListStates(r.Context(), page.Mark, page.Limit)
	if err != nil {
		return err
	}
	list := []summaryDocument{}
	known := known{map[string]seeding.MTSState{}, map[string]seeding.RegistryState{}}
	for _, state := range found {
		document, err := s.summary(r.Context(), state, known)
		if errors.Is(err, seeding.ErrNotFound) {
			continue // deleted a moment ago
		}
		if err != nil {
			return err
		}
		list = append(list, document)
	}
	api.Reply(w, http.StatusOK, struct {
		Connectors []summaryDocument `json:"connectors"`
		Next       string            `json:"next,omitempty"`
	}{list, page.Cursor(next)})
	return nil
}

func (s *service) summary(ctx context.Context, state seeding.State, known known) (summaryDocument, error) {
	if state.MTSHost == "" { // saved by a version that did not keep it there
		c, err := s.Store.Connector(ctx, state.Connector)
		if err != nil {
			return summaryDocument{}, err
		}
		state.Name, state.MTSHost, state.RegistryHost = c.Name, seeding.Origin(c.MTS.URL), seeding.Origin(c.Registry.URL)
	}
	a := s.attemptsNow(state)
	if len(state.Problems) > 0 {
		var err error
		if a, err = s.attempts(ctx, state, known); err != nil {
			return summaryDocument{}, err
		}
	}
	return summaryDocument{
		ID: state.Connector, Version: state.Version, Name: state.Name, Status: state.Status, Problems: newProblemDocuments(a),
		Due: lookOf(a), Served: moment(state.Served), Run: state.Run, OpenRun: openRunOf(state), MTSHost: state.MTSHost, RegistryHost: state.RegistryHost,
		ODKHost: state.ODKHost, ODKForm: state.ODKForm,
		Figures: newFiguresDocument(state.Figures),
	}, nil
}

// openRun reads the open recurring run of a connector, for its document; nil if there
// is none.
func (s *service) openRun(ctx context.Context, state seeding.State) (*runDocument, error) {
	if state.Run == "" {
		return nil, nil
	}
	run, err := s.Store.Run(ctx, state.Connector, state.Run)
	if errors.Is(err, seeding.ErrNotFound) {
		return nil, nil // it cannot be shown, and nothing else is wrong
	}
	if err != nil {
		return nil, err
	}
	document, err := s.describe(ctx, state, run)
	return &document, err
}

// lookOf is when submit looks at a connector next, as the document of the connector has
// it, up to its schedule; nil if nothing of a run is left to do.
func lookOf(a seeding.Attempts) *time.Time {
	if a.State.Status != seeding.Running && a.State.Run == "" {
		return nil
	}
	return moment(a.Look())
}
