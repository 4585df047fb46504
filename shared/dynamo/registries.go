package dynamo

import (
	"context"
	"errors"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// RegistryState implements seeding.RegistryStates.
func (s *Store) RegistryState(ctx context.Context, id string) (seeding.RegistryState, error) {
	it, err := s.get(ctx, registryKey(id))
	if errors.Is(err, seeding.ErrNotFound) {
		return seeding.RegistryState{Key: id}, nil
	}
	if err != nil {
		return seeding.RegistryState{}, err
	}
	return decodeRegistry(it)
}

// RegistryStates implements seeding.RegistryStates.
func (s *Store) RegistryStates(ctx context.Context) ([]seeding.RegistryState, error) {
	return all(ctx, s, span{table: s.connectors, pk: registries}, decodeRegistry)
}

// TakePatch implements seeding.RegistryStates.
func (s *Store) TakePatch(ctx context.Context, id, owner string, now, until time.Time) (seeding.RegistryState, error) {
	it, err := s.update(ctx, change{
		key:    registryKey(id),
		update: "SET #owner = :owner, #until = :until ADD #fence :one",
		when:   leaseMine + " OR " + leaseFree,
		values: item{":owner": text(owner), ":until": instant(until), ":now": instant(now), ":one": number(1)},
	})
	if err != nil {
		return seeding.RegistryState{}, held(settle(err, seeding.ErrConflict, nil))
	}
	return decodeRegistry(it)
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
	_, err := s.update(ctx, change{
		key:    registryKey(state.Key),
		update: update + remove,
		when:   "#fence = :fence",
		values: item{
			":owner": text(state.Patch.Owner), ":until": instant(state.Patch.Until), ":fence": number(state.Patch.Fence),
			":outage": instant(state.OutageUntil), ":outageTries": number(state.OutageTries),
			":create": duration(state.Create), ":alike": number(state.RefusedAlike), ":alikeCode": text(state.RefusedCode),
		},
	})
	return settle(err, seeding.ErrConflict, nil)
}

// NoteOutage implements seeding.RegistryStates. It states a fact that its
// caller just met, so it asks for no condition: the last to know is right.
func (s *Store) NoteOutage(ctx context.Context, id string, until time.Time, tries int) error {
	_, err := s.update(ctx, change{
		key:    registryKey(id),
		update: "SET #outage = :outage, #outageTries = :outageTries",
		values: item{":outage": instant(until), ":outageTries": number(tries)},
	})
	return err
}

func decodeRegistry(it item) (seeding.RegistryState, error) {
	r := &reader{item: it}
	return decoded(r, seeding.RegistryState{
		Key:          sortKey(it),
		Counter:      r.number("counter"),
		Patch:        decodeLease(r),
		OutageUntil:  r.instant("outage"),
		OutageTries:  r.count("outageTries"),
		Create:       r.duration("create"),
		RefusedAlike: r.count("alike"),
		RefusedCode:  r.text("alikeCode"),
	})
}
