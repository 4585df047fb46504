package dynamo

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// CreateConnector implements seeding.Administration.
func (s *Store) CreateConnector(ctx context.Context, c seeding.Connector) error {
	config, err := encodeConnector(c)
	if err != nil {
		return err
	}
	return conflict(s.transact(ctx,
		s.putting(change{key: configKey(c.ID), item: config, when: "attribute_not_exists(#pk)"}),
		s.putting(change{key: stateKey(c.ID), item: newState(c), when: "attribute_not_exists(#pk)"}),
	))
}

// ListConnectors implements seeding.Administration.
func (s *Store) ListConnectors(ctx context.Context, after string, limit int) ([]seeding.Connector, string, error) {
	list, more, err := page(ctx, s,
		span{table: s.connectors, pk: configs, from: after, limit: limit + 2}, limit,
		func(it item) bool { return sortKey(it) != after }, decodeConnector)
	if err != nil || !more {
		return list, "", err
	}
	return list, list[len(list)-1].ID, nil
}

// ReplaceConnector implements seeding.Administration.
func (s *Store) ReplaceConnector(ctx context.Context, c seeding.Connector, now time.Time) error {
	config, err := encodeConnector(c)
	if err != nil {
		return err
	}
	read := item{":read": number(c.Version - 1)}
	return s.administer(ctx, c.ID, c.Version-1, func(state seeding.State) ([]types.TransactWriteItem, error) {
		changes := []types.TransactWriteItem{
			s.putting(change{key: configKey(c.ID), item: config, when: "#version = :read", values: read}),
			s.updating(change{
				key: stateKey(c.ID),
				update: "SET #version = :version, #registry = :registry, #mts = :mts," +
					" #problems = :none, #nudge = :now, #moved = :now",
				when: "#version = :read",
				values: item{
					":read": read[":read"], ":version": number(c.Version),
					":registry": text(c.RegistryKey()), ":mts": text(c.MTSKey()),
					":none": noProblems(), ":now": instant(now),
				},
			}),
		}
		if state.Registry == c.RegistryKey() {
			return changes, nil
		}
		guard, err := s.noOpenBatches(ctx, state.Registry, c.ID)
		return append(changes, guard), err
	})
}

// DeleteConnector implements seeding.Administration. Runs, closed batches and
// rejections stay.
func (s *Store) DeleteConnector(ctx context.Context, id string, version int, now time.Time) error {
	values := item{":read": number(version), ":now": instant(now)}
	return s.administer(ctx, id, version, func(state seeding.State) ([]types.TransactWriteItem, error) {
		if state.Lease.Live(now) {
			return nil, seeding.ErrOpenBatches
		}
		guard, err := s.noOpenBatches(ctx, state.Registry, id)
		return []types.TransactWriteItem{
			s.deleting(change{key: configKey(id), when: "#version = :read", values: values}),
			s.deleting(change{key: stateKey(id), when: "#version = :read AND " + leaseFree, values: values}),
			guard,
		}, err
	})
}

// administer makes the changes that a state of the read version allows. When
// they are refused it looks again why: a version that moved is a conflict,
// another connector's claim in the same registry is none.
func (s *Store) administer(ctx context.Context, id string, version int, changes func(seeding.State) ([]types.TransactWriteItem, error)) error {
	for range collisions {
		state, err := s.State(ctx, id)
		if err != nil {
			return err
		}
		if state.Version != version {
			return seeding.ErrConflict
		}
		list, err := changes(state)
		if err != nil {
			return err
		}
		err = s.transact(ctx, list...)
		if _, again := errors.AsType[*refused](err); !again {
			return err
		}
	}
	return seeding.ErrConflict
}

// SetStatus implements seeding.Administration. To start what runs already is
// how a person says "try again now". A stop is looked at now as well, because
// submit ends the open run.
func (s *Store) SetStatus(ctx context.Context, id string, status seeding.Status, now time.Time) error {
	update := "SET #status = :status, #nudge = :now"
	if status == seeding.Running {
		update += ", #problems = :none, #moved = :now"
	}
	_, err := s.update(ctx, change{
		key: stateKey(id), update: update, when: "attribute_exists(#pk)",
		values: item{":status": text(string(status)), ":now": instant(now), ":none": noProblems()},
	})
	return settle(err, seeding.ErrNotFound, nil)
}

// TryAgain implements seeding.Administration with one write, however many
// rejections there are: each compares its own time with it.
func (s *Store) TryAgain(ctx context.Context, id string, kind seeding.RejectionKind, now time.Time) error {
	_, err := s.update(ctx, change{
		key: stateKey(id), update: "SET #nudge = :now, #" + againOf(kind) + " = :now", when: "attribute_exists(#pk)",
		values: item{":now": instant(now)},
	})
	return settle(err, seeding.ErrNotFound, nil)
}

// TryAgainOf implements seeding.Administration.
func (s *Store) TryAgainOf(ctx context.Context, registry, id string, identifiers []int64, now time.Time) (found int, err error) {
	var count atomic.Int64
	err = parallel(ctx, identifiers, func(ctx context.Context, identifier int64) error {
		_, err := s.update(ctx, change{
			key:    rejectionKey(seeding.Rejection{Registry: registry, Identifier: identifier, Connector: id}),
			update: "SET #next = :now ADD #version :one", when: "attribute_exists(#pk)",
			values: item{":now": instant(now), ":one": number(1)},
		})
		err = settle(err, seeding.ErrNotFound, nil)
		if errors.Is(err, seeding.ErrNotFound) {
			return nil
		}
		count.Add(1)
		return err
	})
	if err != nil || count.Load() == 0 {
		return int(count.Load()), err
	}
	_, err = s.update(ctx, change{
		key: stateKey(id), update: "SET #nudge = :now", when: "attribute_exists(#pk)", values: item{":now": instant(now)},
	})
	return int(count.Load()), settle(err, seeding.ErrNotFound, nil)
}

// ListRuns implements seeding.Administration.
func (s *Store) ListRuns(ctx context.Context, connector, before string, limit int) ([]seeding.Run, string, error) {
	sp := span{
		table: s.connectors, pk: runs(connector), backward: true, limit: limit + 2,
		from: runPrefix, to: "run$", // '$' follows '#'
	}
	if before != "" {
		sp.to = runPrefix + before
	}
	list, more, err := page(ctx, s, sp, limit,
		func(it item) bool { return before == "" || sortKey(it) != sp.to }, decodeRun)
	if err != nil || !more {
		return list, "", err
	}
	return list, list[len(list)-1].ID, nil
}
