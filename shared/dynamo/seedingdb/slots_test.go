package seedingdb_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb/seedingdbtest"
	"openg2p.org/mts-connector/shared/seeding"
)

// Whatever the order of claims, marks and ends at one MTS, of whatever
// connectors, repeated or not and with replies that get lost: each open batch has
// one slot and no other batch has, each number of claims is used once, and the
// records of each patched batch are delivered once.
func TestSlotStates(t *testing.T) {
	tables := inMemory(t)
	base := time.UnixMilli(1_800_000_000_000).UTC()
	rapid.Check(t, func(t *rapid.T) {
		w := newSlotWorld(t, tables, base)
		of := func(t *rapid.T) *slotUser { return w.users[rapid.IntRange(0, len(w.users)-1).Draw(t, "connector")] }
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				u := of(t)
				mark := seeding.Waiting{Connector: u.connector.ID, Since: base, Until: w.tick()}
				w.must(w.store(t).WaitForMTS(w.ctx, w.mts.Key, mark))
				w.waiting[u.connector.ID] = mark
			},
			"claim": func(t *rapid.T) {
				read, err := w.plain.MTSState(w.ctx, w.mts.Key)
				w.must(err)
				read.Claims = max(0, read.Claims-rapid.Int64Range(0, 2).Draw(t, "claims since it was read"))
				w.claim(t, of(t), read.Claims)
			},
			"claim again": func(t *rapid.T) {
				if len(w.claims) == 0 {
					t.Skip()
				}
				claim := rapid.SampledFrom(w.claims).Draw(t, "claim")
				if err := w.store(t).Claim(w.ctx, claim); !errors.Is(err, seeding.ErrConflict) {
					t.Fatalf("claimed again: %v", err)
				}
			},
			"close": func(t *rapid.T) {
				if len(w.claims) == 0 {
					t.Skip()
				}
				w.close(t, rapid.SampledFrom(w.claims).Draw(t, "claim").Batch)
			},
			"": func(t *rapid.T) { w.check(t) },
		})
	})
}

// slotWorld is one MTS, the connectors at it, and what its state should be.
type slotWorld struct {
	*rapid.T
	ctx     context.Context
	tables  seedingdbtest.Tables
	plain   *seedingdb.Store
	users   []*slotUser
	now     time.Time
	claims  []seeding.Claim // that succeeded
	closed  map[string]seeding.BatchState
	mts     seeding.MTSState
	waiting map[string]seeding.Waiting
}

type slotUser struct {
	connector seeding.Connector
	run       seeding.Run
}

func newSlotWorld(t *rapid.T, tables seedingdbtest.Tables, base time.Time) *slotWorld {
	w := &slotWorld{
		T: t, ctx: t.Context(), tables: tables, now: base,
		plain:  seedingdb.New(tables.Client, tables.Connectors, tables.Answers),
		closed: map[string]seeding.BatchState{}, waiting: map[string]seeding.Waiting{},
	}
	world := fmt.Sprintf("w%d", serial.Add(1))
	for i, id := range []string{"-a", "#a", "_a"} {
		c := seeding.Connector{
			ID: world + id, Version: 1, MTS: seeding.MTSAccess{URL: "http://mts/" + world},
			Registry: seeding.RegistryAccess{URL: "http://" + world, Database: fmt.Sprint(i / 2)}, // two share one
		}
		w.must(w.plain.CreateConnector(w.ctx, c))
		w.must(w.plain.SetStatus(w.ctx, c.ID, seeding.Running, base))
		state, err := w.plain.TakeRun(w.ctx, c.ID, "me", base, base.Add(time.Hour), time.Time{})
		w.must(err)
		run := seeding.Run{ID: "run", Connector: c.ID, Kind: seeding.Recurring, Version: 1, Started: base, Passes: 1, Fence: state.Lease.Fence}
		w.must(w.plain.OpenRun(w.ctx, run))
		w.users = append(w.users, &slotUser{c, run})
	}
	w.mts.Key = w.users[0].connector.MTSKey()
	return w
}

func (w *slotWorld) must(err error) {
	if err != nil {
		w.Fatalf("%v", err)
	}
}

// tick is a time after all before.
func (w *slotWorld) tick() time.Time {
	w.now = w.now.Add(time.Second)
	return w.now
}

// store is a store whose first reply is lost or not.
func (w *slotWorld) store(t *rapid.T) *seedingdb.Store {
	if !rapid.Bool().Draw(t, "the reply is lost") {
		return w.plain
	}
	client := dynamodb.New(w.tables.Client.Options(), new(dynamotest.LostReply).Options, dynamotest.WithoutPauses)
	return seedingdb.New(client, w.tables.Connectors, w.tables.Answers)
}

func (w *slotWorld) claim(t *rapid.T, u *slotUser, claims int64) {
	registry, err := w.plain.RegistryState(w.ctx, u.connector.RegistryKey())
	w.must(err)
	claim := seeding.Claim{Counter: registry.Counter, Run: u.run, Version: 1, Fence: u.run.Fence, Claims: claims}
	claim.Batch = seeding.Batch{
		Ref: seeding.BatchRef{
			Registry: u.connector.RegistryKey(), Connector: u.connector.ID, Run: u.run.ID,
			Batch: fmt.Sprintf("%02d%s", w.mts.Claims/2, []string{"#", "-"}[w.mts.Claims%2]), // pairs differ in a sign only
		},
		State: seeding.Claimed, MTS: w.mts.Key, Number: claims + 1, Claimed: w.tick(), Overdue: w.now.Add(time.Minute), Deadline: w.now.Add(2 * time.Minute),
		Count: rapid.IntRange(1, 9).Draw(t, "records"),
	}
	err = w.store(t).Claim(w.ctx, claim)
	if claims != w.mts.Claims {
		if !errors.Is(err, seeding.ErrConflict) {
			t.Fatalf("claim number %d after %d claims: %v", claims+1, w.mts.Claims, err)
		}
		return
	}
	w.must(err)
	w.claims = append(w.claims, claim)
	w.mts.Claims++
	delete(w.waiting, u.connector.ID)
}

func (w *slotWorld) close(t *rapid.T, b seeding.Batch) {
	b.State = rapid.SampledFrom([]seeding.BatchState{seeding.Patched, seeding.Lost, seeding.Failed}).Draw(t, "as")
	b.Closed = w.tick()
	err := w.store(t).Close(w.ctx, b)
	if as, before := w.closed[b.Ref.Batch]; before {
		if (err == nil) != (as == b.State) {
			t.Fatalf("closed as %s, and then as %s: %v", as, b.State, err)
		}
		return
	}
	w.must(err)
	w.closed[b.Ref.Batch] = b.State
	if b.State == seeding.Patched {
		w.mts.Delivered += int64(b.Count)
		w.mts.Heard = b.Closed
	}
}

// check compares the stored state with the one that should be, and the slots with
// the open batches of all registries.
func (w *slotWorld) check(t *rapid.T) {
	want := w.mts
	for _, claim := range w.claims {
		if b := claim.Batch; w.closed[b.Ref.Batch] == "" {
			want.Slots = append(want.Slots, seeding.Slot{
				Batch: b.Ref.Batch, Connector: b.Ref.Connector, Registry: b.Ref.Registry, Count: b.Count, Claimed: b.Claimed, Overdue: b.Overdue, Ends: b.GiveUpAt(),
			})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.waiting)) {
		want.Waiting = append(want.Waiting, w.waiting[id])
	}
	got, err := w.plain.MTSState(w.ctx, w.mts.Key)
	w.must(err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("MTS:\n got %+v\nwant %+v", got, want)
	}
	var open, slots []string
	for _, u := range w.users[1:] { // the first one shares the registry of the second
		batches, err := w.plain.OpenBatches(w.ctx, u.connector.RegistryKey())
		w.must(err)
		for _, b := range batches {
			open = append(open, b.Ref.Batch)
		}
	}
	for _, slot := range got.Slots {
		slots = append(slots, slot.Batch)
	}
	slices.Sort(open)
	if !slices.Equal(open, slots) {
		t.Fatalf("open are %s, slots have %s", strings.Join(open, " "), strings.Join(slots, " "))
	}
}
