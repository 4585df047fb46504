package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/infra/world/waiting"
)

// people are who the demo processes: registrants of the registry, or who filled in
// submissions at ODK Central.
type people interface {
	// populate makes so many.
	populate(ctx context.Context, n int) error
	// configuration of the connector that processes them.
	configuration() map[string]any
	// disturb changes one of them while it is under way, until ctx ends.
	disturb(ctx context.Context) error
	// tokenised says how many have got a token since the start, and pending how many
	// VIDs are still to be removed.
	tokenised(now odoosim.State) int
	pending(now odoosim.State) int
	// account says what became of everyone.
	account(ctx context.Context, rejections []deployed.RejectionDocument, run deployed.RunDocument, received int) (account, error)
}

// account is what became of everyone.
type account struct {
	who       string // registrants, or submissions
	all       int
	toSend    int // how many MTS has to receive
	lines     []counted
	misplaced int
	reasons   map[line]string
	registry  []invariants.Figure // must be as expected
	totals    []invariants.Figure // of the run beside the truth; after faults they may differ
	effort    []string            // what else it took
}

// registrants are those of the registry.
type registrants struct {
	mts, registry       deployed.Client // of the simulators' administration
	mtsURL, registryURL string

	expected odoosim.Expectation
	before   []odoosim.Entry
	changed  change
}

func (r *registrants) populate(ctx context.Context, n int) error {
	order := map[string]int{"registrants": n, "seed": seed}
	if err := r.registry.Call(ctx, http.MethodPost, "/_simulator/populate", order, &r.expected); err != nil {
		return err
	}
	return r.registry.Call(ctx, http.MethodGet, "/_simulator/registrants", nil, &r.before)
}

// configuration has its default in everything else.
func (r *registrants) configuration() map[string]any {
	return deployed.Configuration("Demo", r.mtsURL, r.registryURL, "g2p", "admin")
}

func (r *registrants) tokenised(now odoosim.State) int {
	return now.Tokens - (r.expected.Tokens - r.expected.NewTokens)
}

func (r *registrants) pending(now odoosim.State) int { return max(0, now.VIDs-r.expected.VIDsLeft) }

// disturb gives one registrant another person's VID after it was sent and before it is
// answered. The lowest VIDs are sent first, so the registrant with the lowest VID that
// can get a token is in the first batch; and that batch is claimed before MTS receives
// its first POST.
func (r *registrants) disturb(ctx context.Context) error {
	c := change{vid: odoosim.DemoVID(9_999_999_999, 1, odoosim.Normal)}
	lowest := int64(0)
	for _, entry := range r.before {
		for _, i := range entry.Identifiers {
			if entry.Kind == odoosim.Plain && i.Type == odoosim.VIDType && (lowest == 0 || i.ID < lowest) {
				lowest, c.registrant = i.ID, entry.Registrant
			}
		}
	}
	if c.registrant == 0 || !firstPost(ctx, r.mts) {
		return nil
	}
	r.changed = c
	path := fmt.Sprintf("/_simulator/registrants/%d/vid", c.registrant)
	return r.registry.Call(ctx, http.MethodPost, path, map[string]string{"value": c.vid}, nil)
}

// firstPost waits until MTS receives a POST; false means that ctx ended before.
func firstPost(ctx context.Context, mts deployed.Client) bool {
	for ctx.Err() == nil {
		var state mtssim.State
		if err := mts.Call(ctx, http.MethodGet, "/_simulator/state", nil, &state); err == nil && state.Counters.Posts > 0 {
			return true
		}
		waiting.Pause(ctx, 5*time.Millisecond)
	}
	return false
}

func (r *registrants) account(ctx context.Context, rejections []deployed.RejectionDocument, run deployed.RunDocument, received int) (account, error) {
	e := evidence{before: r.before, changed: r.changed, rejections: rejections}
	if err := r.registry.Call(ctx, http.MethodGet, "/_simulator/registrants", nil, &e.after); err != nil {
		return account{}, err
	}
	a := account{who: "registrants", all: r.expected.Registrants, toSend: r.expected.Submitted, reasons: reasons(rejections)}
	a.lines, a.misplaced = e.registrants()
	a.registry = e.registry(r.expected)
	a.totals = e.totals(run, received, r.expected)
	return a, nil
}
