package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/infra/world/waiting"
	"openg2p.org/mts-connector/shared/seeding"
)

// order is an import that a trial asks for beside the recurring run.
type order struct {
	body map[string]any
	// listed are the registrants that it names, sorted; nil if a domain selects them.
	listed []int64
	run    string // that it became
}

// nobody are ids that no registrant has.
var nobody = []int64{2_000_000_001, 2_000_000_002, 2_000_000_003}

// orders are one import of each kind: a list of a quarter of all registrants and of ids
// that nobody has, a domain of its own, and everybody; in a random order.
func orders(random *rand.Rand, registrants []int64) []order {
	var listed []int64
	for _, id := range registrants {
		if random.IntN(4) == 0 {
			listed = append(listed, id)
		}
	}
	listed = append(listed, nobody...)
	list := []order{
		{body: map[string]any{"registrants": listed}, listed: listed},
		{body: map[string]any{"domain": []any{[]any{"is_registrant", "=", true}, []any{"gender", "=", "Female"}}}},
		{body: map[string]any{}},
	}
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// order begins imports at random moments, each by a request that is repeated, until ctx
// ends. A repetition must find the import that the first request began.
func (r *runner) order(ctx context.Context, t trial, connector *deployed.Connector, registrants []int64) (list []order, err error) {
	random := rand.New(rand.NewPCG(uint64(t.seed), 3))
	for i, o := range orders(random, registrants) {
		if !waiting.Pause(ctx, time.Duration(random.Int64N(int64(2*t.spacing)))) {
			return list, ctx.Err()
		}
		for range 2 {
			reply, err := r.API.Ask(ctx, http.MethodPost, connector.Path("/imports"), o.body, fmt.Sprintf("Idempotency-Key: %s-%d", connector.ID, i))
			if err != nil {
				return list, err
			}
			var run deployed.RunDocument
			if reply.Status != http.StatusAccepted || json.Unmarshal(reply.Body, &run) != nil {
				return list, fmt.Errorf("an import is answered with %d %.300s", reply.Status, reply.Body)
			}
			if o.run != "" && o.run != run.ID {
				return list, fmt.Errorf("a repeated request opened %s beside %s", run.ID, o.run)
			}
			o.run = run.ID
		}
		list = append(list, o)
	}
	return list, nil
}

// accounts lists what is wrong with the accounts of the runs of a connector, recurring
// ones and imports, once nothing is under way.
func (c *check) accounts(ctx context.Context, api deployed.Client, connector *deployed.Connector, list []order) (violations []string, err error) {
	runs, _, err := c.store.ListRuns(ctx, c.connector.ID, "", 100)
	if err != nil {
		return nil, err
	}
	imports := map[string]bool{}
	for _, run := range runs {
		batches, err := c.store.ClosedBatches(ctx, c.connector.ID, run.ID)
		if err != nil {
			return nil, err
		}
		for _, wrong := range account(run, batches) {
			violations = append(violations, fmt.Sprintf("%s run %s: %s", run.Kind, run.ID, wrong))
		}
		if run.Kind == seeding.Import {
			imports[run.ID] = true
		}
	}
	if len(imports) != len(list) {
		violations = append(violations, fmt.Sprintf("%d imports instead of %d", len(imports), len(list)))
	}
	rejections, err := c.store.Rejections(ctx, c.connector.RegistryKey(), 0, maxID)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		if o.listed == nil {
			continue
		}
		told, err := deployed.Pages[outcome](ctx, api, connector.Path("/runs/"+o.run+"/registrants"), "registrants", 100)
		if err != nil {
			return nil, err
		}
		for _, wrong := range c.untrue(o.listed, told, rejections) {
			violations = append(violations, fmt.Sprintf("import %s: %s", o.run, wrong))
		}
	}
	return violations, nil
}

// account lists what is wrong with the account of a run whose batches are closed: it is
// over, it counts what its batches count, and everybody whom it looked at was sent, or
// is counted among those who were not.
func account(run seeding.Run, batches []seeding.Batch) (wrong []string) {
	if run.Completed.IsZero() || run.Ending != seeding.Finished {
		wrong = append(wrong, fmt.Sprintf("it is not completed, or ended by %q", run.Ending))
	}
	var sum seeding.Totals
	for _, b := range batches {
		sum = sum.Plus(b.Totals)
		if b.Totals.Sent != b.Count {
			wrong = append(wrong, fmt.Sprintf("batch %s has %d records and counts %d", b.Ref.Batch, b.Count, b.Totals.Sent))
		}
	}
	if run.Totals != sum {
		wrong = append(wrong, fmt.Sprintf("it counts %+v, its batches %+v", run.Totals, sum))
	}
	if run.Batches != len(batches) || run.Closed != len(batches) {
		wrong = append(wrong, fmt.Sprintf("%d batches, of which %d were closed, instead of %d", run.Batches, run.Closed, len(batches)))
	}
	t := run.Tally
	sent, unsent := run.Totals.Sent, t.NotSelected+t.InBatch+t.Holding+t.Rejected+t.NotFound+t.NoVID+t.Invalid
	once := t.Looked - unsent // who was sent
	if run.Selection.Listed > 0 {
		if t.Looked != run.Selection.Listed {
			wrong = append(wrong, fmt.Sprintf("it looked at %d of %d that were listed", t.Looked, run.Selection.Listed))
		}
		sent = max(0, min(sent, once)) // later passes send again who was sent, and count nobody
	}
	if once != sent {
		wrong = append(wrong, fmt.Sprintf("it looked at %d, sent %d and did not send %d: %+v", t.Looked, run.Totals.Sent, unsent, t))
	}
	return wrong
}

// outcome is what the API says became of a registrant that was listed.
type outcome struct {
	Registrant int64  `json:"registrant"`
	Outcome    string `json:"outcome"`
}

// untrue lists what the API says of listed registrants and is not so, or does not say.
func (c *check) untrue(listed []int64, told []outcome, rejections []seeding.Rejection) (wrong []string) {
	now, rejected := c.now(), map[int64]bool{}
	for _, r := range rejections {
		rejected[r.Registrant] = true
	}
	said := map[int64]bool{}
	for _, o := range told {
		said[o.Registrant] = true
		if !isTrue(o.Outcome, o.Registrant, now, rejected, invariants.WhyUntouched(c.expected.Kinds[o.Registrant]) != "") {
			wrong = append(wrong, fmt.Sprintf("registrant %d is said to be %s", o.Registrant, o.Outcome))
		}
	}
	if got := slices.Sorted(maps.Keys(said)); len(told) != len(listed) || !slices.Equal(got, listed) {
		wrong = append(wrong, fmt.Sprintf("it tells of %d registrants, of %d that were listed", len(told), len(listed)))
	}
	return wrong
}

// isTrue reports whether an outcome of an import can be so, by how the registrant ended.
// After the import another run may have sent it.
func isTrue(outcome string, registrant int64, now invariants.Registry, rejected map[int64]bool, untouched bool) bool {
	holding, there := now[registrant]
	hasToken := len(holding.Tokens) > 0
	switch outcome {
	case "tokenised", "holding":
		return hasToken
	case "rejected", "sent", "in_batch":
		return hasToken || rejected[registrant]
	case "not_selected": // the connector's domain does not select who holds a token
		return there && (hasToken || untouched)
	case "archived", "no_vid":
		return there && untouched
	case string(seeding.UnsentNotFound):
		return !there
	}
	return false // the import is over, and has come to everybody
}
