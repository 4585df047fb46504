package seedingdb

import (
	"context"
	"errors"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

const registries = "registries"

func registryKey(id string) dynamo.Key { return dynamo.Key{Partition: registries, Sort: id} }

// RegistryState implements seeding.RegistryStates.
func (s *Store) RegistryState(ctx context.Context, id string) (seeding.RegistryState, error) {
	state, err := get(ctx, s, registryKey(id), decodeRegistry)
	if errors.Is(err, seeding.ErrNotFound) {
		return seeding.RegistryState{Key: id}, nil
	}
	return state, err
}

// RegistryStates implements seeding.RegistryStates.
func (s *Store) RegistryStates(ctx context.Context) ([]seeding.RegistryState, error) {
	return readable(ctx, s, dynamo.Span{Partition: registries}, decodeRegistry)
}

// unmovedCounter is the condition that no batch of the registry was claimed
// since its counter was read.
func unmovedCounter(registry string, read int64) dynamo.Change {
	c := dynamo.Change{
		Key:       registryKey(registry),
		Condition: "#counter = :counter",
		Values:    dynamo.Item{":counter": dynamo.Number(read)},
	}
	if read == 0 {
		c.Condition = "attribute_not_exists(#counter)"
	}
	return c
}

// TakePatch implements seeding.RegistryStates.
func (s *Store) TakePatch(ctx context.Context, id, owner string, now, until time.Time) (seeding.RegistryState, error) {
	it, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       registryKey(id),
		Update:    "SET " + dynamo.LeaseSet + " ADD " + dynamo.LeaseAdd,
		Condition: dynamo.LeaseMine + " OR " + dynamo.LeaseFree,
		Values:    dynamo.LeaseValues(owner, now, until),
	})
	if err != nil {
		return seeding.RegistryState{}, dynamo.Explain(err, seeding.ErrLeaseHeld, seeding.ErrLeaseHeld)
	}
	return decodeRegistry(it)
}

// HoldPatch implements seeding.RegistryStates.
func (s *Store) HoldPatch(ctx context.Context, id string, fence int64, until time.Time) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key: registryKey(id), Update: "SET #until = :until", Condition: "#fence = :fence",
		Values: dynamo.Item{":until": dynamo.Instant(until), ":fence": dynamo.Number(fence)},
	})
	return conflict(err)
}

// LeavePatch implements seeding.RegistryStates.
func (s *Store) LeavePatch(ctx context.Context, state seeding.RegistryState) error {
	update, remove := "SET #until = :until, #outage = :outage, #outageTries = :outageTries,"+
		" #create = :create, #alike = :alike, #alikeCode = :alikeCode", ""
	if state.Patch.Owner != "" {
		update += ", #owner = :owner"
	} else {
		remove = " REMOVE #owner"
	}
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       registryKey(state.Key),
		Update:    update + remove,
		Condition: "#fence = :fence",
		Values: dynamo.Item{
			":owner": dynamo.Text(state.Patch.Owner), ":until": dynamo.Instant(state.Patch.Until), ":fence": dynamo.Number(state.Patch.Fence),
			":outage": dynamo.Instant(state.OutageUntil), ":outageTries": dynamo.Number(state.OutageAttempts),
			":create": dynamo.Duration(state.Create), ":alike": dynamo.Number(state.RefusedAlike), ":alikeCode": dynamo.Text(state.RefusedCode),
		},
	})
	return conflict(err)
}

// NoteOutage implements seeding.RegistryStates. It has no condition, because the
// latest call to the registry is right.
func (s *Store) NoteOutage(ctx context.Context, id string, until time.Time, attempts int) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:    registryKey(id),
		Update: "SET #outage = :outage, #outageTries = :outageTries",
		Values: dynamo.Item{":outage": dynamo.Instant(until), ":outageTries": dynamo.Number(attempts)},
	})
	return err
}

func decodeRegistry(it dynamo.Item) (seeding.RegistryState, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	return dynamo.Decoded(r, seeding.RegistryState{
		Key:            r.Key().Sort,
		Counter:        r.Number("counter"),
		Patch:          seeding.Lease(r.Lease()),
		OutageUntil:    r.Instant("outage"),
		OutageAttempts: r.Int("outageTries"),
		Create:         r.Duration("create"),
		RefusedAlike:   r.Int("alike"),
		RefusedCode:    r.Text("alikeCode"),
	})
}
