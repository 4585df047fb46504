package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

func (a *api) runs(w http.ResponseWriter, r *http.Request) error {
	c, err := a.load(r)
	if err != nil {
		return err
	}
	page, err := readPage(r, "runs", 100)
	if err != nil {
		return err
	}
	found, next, err := a.Store.ListRuns(r.Context(), c.ID, page.mark, page.limit)
	if err != nil {
		return err
	}
	list := []runReply{}
	for _, run := range found {
		told, err := a.tellRun(r.Context(), c, run)
		if err != nil {
			return err
		}
		list = append(list, told)
	}
	reply(w, http.StatusOK, struct {
		Runs []runReply `json:"runs"`
		Next string     `json:"next,omitempty"`
	}{list, page.cursor(next)})
	return nil
}

func (a *api) run(w http.ResponseWriter, r *http.Request) error {
	c, run, err := a.loadRun(r)
	if err != nil {
		return err
	}
	told, err := a.tellRun(r.Context(), c, run)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, told)
	return nil
}

var runID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

func (a *api) loadRun(r *http.Request) (seeding.Connector, seeding.Run, error) {
	c, err := a.load(r)
	if err != nil {
		return c, seeding.Run{}, err
	}
	if !runID.MatchString(r.PathValue("run")) {
		return c, seeding.Run{}, seeding.ErrNotFound
	}
	run, err := a.Store.Run(r.Context(), c.ID, r.PathValue("run"))
	return c, run, err
}

// tellRun adds up the batches of a run that is not completed: its own totals
// are made when it is.
func (a *api) tellRun(ctx context.Context, c seeding.Connector, run seeding.Run) (runReply, error) {
	open := 0
	if run.Completed.IsZero() {
		batches, err := a.Store.RunBatches(ctx, c.RegistryKey(), c.ID, run.ID)
		if err != nil {
			return runReply{}, err
		}
		run.Totals = seeding.Totals{}
		for _, b := range batches {
			if b.State.Open() {
				open++
			}
			run.Totals = run.Totals.Plus(totalsOf(b))
		}
	}
	return newRunReply(run, open), nil
}

// totalsOf a batch; what was sent counts as sent before the batch is closed.
func totalsOf(b seeding.Batch) seeding.Totals {
	t := b.Totals
	t.Sent = max(t.Sent, b.Count)
	return t
}

func (a *api) batches(w http.ResponseWriter, r *http.Request) error {
	c, run, err := a.loadRun(r)
	if err != nil {
		return err
	}
	page, err := readPage(r, "batches", 100)
	if err != nil {
		return err
	}
	all, err := a.Store.RunBatches(r.Context(), c.RegistryKey(), c.ID, run.ID)
	if err != nil {
		return err
	}
	if page.mark != "" {
		last := slices.IndexFunc(all, func(b seeding.Batch) bool { return b.Ref.Batch == page.mark })
		if last < 0 {
			return badCursor()
		}
		all = all[last+1:]
	}
	next := ""
	if len(all) > page.limit {
		all = all[:page.limit]
		next = all[page.limit-1].Ref.Batch
	}
	list := []batchReply{}
	for _, b := range all {
		list = append(list, newBatchReply(b))
	}
	reply(w, http.StatusOK, struct {
		Batches []batchReply `json:"batches"`
		Next    string       `json:"next,omitempty"`
	}{list, page.cursor(next)})
	return nil
}

func (a *api) rejections(w http.ResponseWriter, r *http.Request) error {
	c, err := a.load(r)
	if err != nil {
		return err
	}
	page, err := readPage(r, "rejections", 500)
	if err != nil {
		return err
	}
	found, next, err := a.Store.ListRejections(r.Context(), c.RegistryKey(), c.ID, page.mark, page.limit)
	if err != nil {
		return err
	}
	list := []rejectionReply{}
	for _, x := range found {
		list = append(list, newRejectionReply(x))
	}
	reply(w, http.StatusOK, struct {
		Rejections []rejectionReply `json:"rejections"`
		Next       string           `json:"next,omitempty"`
	}{list, page.cursor(next)})
	return nil
}

// page is what a request asks of a list: up to limit entries behind a mark. The
// mark is the store's; outside it is an opaque cursor.
type page struct {
	of    string
	mark  string
	limit int
}

const defaultLimit = 50

func readPage(r *http.Request, of string, most int) (page, error) {
	p := page{of: of, limit: defaultLimit}
	query := r.URL.Query()
	if text := query.Get("limit"); query.Has("limit") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return p, problem(http.StatusBadRequest, "The page cannot be given.",
				Fault{Parameter: "limit", Detail: fmt.Sprintf("must be from 1 to %d", most)})
		}
		p.limit = n
	}
	if text := query.Get("cursor"); text != "" {
		plain, err := base64.RawURLEncoding.Strict().DecodeString(text)
		list, mark, found := strings.Cut(string(plain), ":")
		if err != nil || !found || list != of || mark == "" || len(mark) > 1000 {
			return p, badCursor()
		}
		p.mark = mark
	}
	return p, nil
}

func badCursor() *Problem {
	return problem(http.StatusBadRequest, "The page cannot be given.",
		Fault{Parameter: "cursor", Detail: "is not the next of a reply to this list; begin without a cursor"})
}

func (p page) cursor(next string) string {
	if next == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(p.of + ":" + next))
}
