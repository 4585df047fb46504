package seedingdb_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"openg2p.org/mts-connector/shared/seeding"
)

var serial atomic.Int64

// Whatever the order of events, a batch is claimed, then submitted, then closed
// once and for ever, and each part is counted once.
func TestBatchStates(t *testing.T) {
	store := newStore(t)
	base := time.UnixMilli(1_800_000_000_000).UTC()
	rapid.Check(t, func(t *rapid.T) {
		id := fmt.Sprintf("c%d", serial.Add(1))
		ctx := t.Context()
		must := func(err error) {
			if err != nil {
				t.Fatalf("%v", err)
			}
		}
		c := seeding.Connector{ID: id, Version: 1, MTS: seeding.MTSAccess{URL: "http://mts/" + id}, Registry: seeding.RegistryAccess{URL: "http://" + id, Database: "d"}}
		must(store.CreateConnector(ctx, c))
		must(store.SetStatus(ctx, id, seeding.Running, base))
		state, err := store.TakeRun(ctx, id, "me", base, base.Add(time.Hour), time.Time{})
		must(err)
		run := seeding.Run{ID: "run", Connector: id, Kind: seeding.Recurring, Version: 1, Started: base, Passes: 1, Fence: state.Lease.Fence}
		must(store.OpenRun(ctx, run))
		ref := seeding.BatchRef{Registry: c.RegistryKey(), Connector: id, Run: "run", Batch: "b"}
		batch := seeding.Batch{
			Ref: ref, State: seeding.Claimed, MTS: c.MTSKey(), Claimed: base, Deadline: base.Add(time.Minute), Count: 2,
			Members: []seeding.Member{{Registrant: 1, Identifier: 2}, {Registrant: 3, Identifier: 4}},
		}
		claim := seeding.Claim{Batch: batch, Run: run, Version: 1, Fence: state.Lease.Fence}

		// The model.
		claimed, submitted := false, false
		closed := seeding.BatchState("")
		counted := map[string]bool{}
		tokenised := 0
		read := func() seeding.Batch {
			b, err := store.Batch(ctx, ref)
			must(err)
			return b
		}
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(t *rapid.T) {
				err := store.Claim(ctx, claim)
				switch {
				case !claimed && err == nil:
					claimed = true
				case !claimed || err == nil || !errors.Is(err, seeding.ErrConflict):
					t.Fatalf("claim when claimed=%v: %v", claimed, err)
				}
			},
			"submitted": func(t *rapid.T) {
				err := store.MarkSubmitted(ctx, ref, "request", time.Unix(1, 0))
				if allowed := claimed && closed == ""; (err == nil) != allowed {
					t.Fatalf("submitted when claimed=%v closed=%q: %v", claimed, closed, err)
				}
				submitted = submitted || err == nil
			},
			"count": func(t *rapid.T) {
				if !claimed {
					t.Skip()
				}
				part := rapid.SampledFrom([]string{"x.1.2", "x.2.2", "y.1.1"}).Draw(t, "part")
				err := store.CountParts(ctx, read(), []string{part}, seeding.Totals{Tokenised: 1})
				if (err == nil) == counted[part] {
					t.Fatalf("part %s counted=%v: %v", part, counted[part], err)
				}
				if err == nil {
					counted[part] = true
					tokenised++
				}
			},
			"close": func(t *rapid.T) {
				if !claimed {
					t.Skip()
				}
				b := read()
				b.State = rapid.SampledFrom([]seeding.BatchState{seeding.Patched, seeding.Lost, seeding.Failed}).Draw(t, "as")
				b.Closed = base.Add(time.Minute)
				err := store.Close(ctx, b)
				if closed == "" {
					must(err)
					closed = b.State
				} else if err == nil && b.State != closed {
					t.Fatalf("closed as %s, and then as %s", closed, b.State)
				}
			},
			"postpone": func(t *rapid.T) {
				if !claimed {
					t.Skip()
				}
				if err := store.Postpone(ctx, read(), 1, base); err != nil && !errors.Is(err, seeding.ErrConflict) {
					t.Fatalf("%v", err)
				}
			},
			"": func(t *rapid.T) {
				open, err := store.OpenBatches(ctx, ref.Registry)
				must(err)
				ended, err := store.ClosedBatches(ctx, id, "run")
				must(err)
				if want := claimed && closed == ""; (len(open) == 1) != want || (len(ended) == 1) != (closed != "") {
					t.Fatalf("claimed=%v closed=%q: %d open, %d closed", claimed, closed, len(open), len(ended))
				}
				if !claimed {
					return
				}
				want := seeding.Claimed
				if submitted {
					want = seeding.Submitted
				}
				if closed != "" {
					want = closed
				}
				if b := read(); b.State != want || b.Totals.Tokenised != tokenised || len(b.Parts) != len(counted) {
					t.Fatalf("%s with %d tokenised and %d parts; want %s, %d, %d", b.State, b.Totals.Tokenised, len(b.Parts), want, tokenised, len(counted))
				}
			},
		})
	})
}

// At any time a lease has at most one holder, its fence only grows, and nobody
// can write under an earlier fence.
func TestLeaseStates(t *testing.T) {
	store := newStore(t)
	rapid.Check(t, func(t *rapid.T) {
		ctx := t.Context()
		key := fmt.Sprintf("r%d", serial.Add(1))
		now := time.UnixMilli(1_800_000_000_000).UTC()
		var holder string
		var until time.Time
		var fence int64
		held := map[string]seeding.RegistryState{}
		owner := rapid.SampledFrom([]string{"a", "b", "c"})
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				who := owner.Draw(t, "who")
				end := now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
				s, err := store.TakePatch(ctx, key, who, now, end)
				if free := holder == "" || holder == who || !until.After(now); free != (err == nil) {
					t.Fatalf("%s takes from %q until %v at %v: %v", who, holder, until, now, err)
				}
				if err != nil {
					return
				}
				if s.Patch.Fence <= fence {
					t.Fatalf("fence %d after %d", s.Patch.Fence, fence)
				}
				holder, until, fence, held[who] = who, end, s.Patch.Fence, s
			},
			"leave": func(t *rapid.T) {
				who := owner.Draw(t, "who")
				s, had := held[who]
				if !had {
					t.Skip()
				}
				s.Patch.Until = now
				err := store.LeavePatch(ctx, s)
				if last := s.Patch.Fence == fence; last != (err == nil) {
					t.Fatalf("%s leaves with fence %d of %d: %v", who, s.Patch.Fence, fence, err)
				}
				if err == nil {
					holder, until = "", now
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "seconds")) * time.Second)
			},
		})
	})
}
