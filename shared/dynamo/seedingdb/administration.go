package seedingdb

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// CreateConnector implements the store of the connectors API.
func (s *Store) CreateConnector(ctx context.Context, c seeding.Connector) error {
	config, err := encodeConnector(c)
	if err != nil {
		return err
	}
	return conflict(dynamo.Transact(ctx, s.client,
		s.connectors.ToPut(dynamo.Change{Key: configKey(c.ID), Item: config, Condition: dynamo.Absent}),
		s.connectors.ToPut(dynamo.Change{Key: stateKey(c.ID), Item: newState(c), Condition: dynamo.Absent}),
	))
}

// ListConnectors implements the store of the connectors API.
func (s *Store) ListConnectors(ctx context.Context, after string, limit int) ([]seeding.Connector, string, error) {
	list, more, err := dynamo.Page(ctx, s.connectors,
		dynamo.Span{Partition: configs, From: after, Limit: limit + 2}, limit,
		func(it dynamo.Item) bool { return dynamo.SortKey(it) != after }, decodeConnector)
	if err != nil || !more {
		return list, "", err
	}
	return list, list[len(list)-1].ID, nil
}

// ReplaceConnector implements the store of the connectors API.
func (s *Store) ReplaceConnector(ctx context.Context, c seeding.Connector, now time.Time) error {
	config, err := encodeConnector(c)
	if err != nil {
		return err
	}
	read := dynamo.Number(c.Version - 1)
	return s.administer(ctx, c.ID, c.Version-1, func(state seeding.State) ([]dynamo.Write, error) {
		writes := []dynamo.Write{
			s.connectors.ToPut(dynamo.Change{
				Key: configKey(c.ID), Item: config,
				Condition: "#version = :read", Values: dynamo.Item{":read": read},
			}),
			s.connectors.ToUpdate(dynamo.Change{
				Key: stateKey(c.ID),
				Update: "SET #version = :version, #registry = :registry, #mts = :mts," +
					" #problems = :none, #nudge = :now, #moved = :now, #since = :now REMOVE #begun, #unreturned" + removeShown(),
				Condition: "#version = :read",
				Values: dynamo.Item{
					":read": read, ":version": dynamo.Number(c.Version),
					":registry": dynamo.Text(c.RegistryKey()), ":mts": dynamo.Text(c.MTSKey()),
					":none": noProblems(), ":now": dynamo.Instant(now),
				},
			}),
		}
		if state.Registry == c.RegistryKey() {
			return writes, nil
		}
		check, err := s.noOpenBatches(ctx, state.Registry, c.ID)
		return append(writes, check), err
	})
}

// DeleteConnector implements the store of the connectors API. It leaves runs,
// closed batches and rejections.
func (s *Store) DeleteConnector(ctx context.Context, id string, version int, now time.Time) error {
	values := dynamo.Item{":read": dynamo.Number(version), ":now": dynamo.Instant(now)}
	return s.administer(ctx, id, version, func(state seeding.State) ([]dynamo.Write, error) {
		if state.Lease.Live(now) {
			return nil, seeding.ErrOpenBatches
		}
		check, err := s.noOpenBatches(ctx, state.Registry, id)
		return []dynamo.Write{
			s.connectors.ToDelete(dynamo.Change{Key: configKey(id), Condition: "#version = :read", Values: values}),
			s.connectors.ToDelete(dynamo.Change{Key: stateKey(id), Condition: "#version = :read AND " + dynamo.LeaseFree, Values: values}),
			check,
		}, err
	})
}

// administer makes the writes that are allowed for a state of the given version.
// If they are refused it reads the state again: another version is a conflict,
// but another connector's claim in the same registry is not.
func (s *Store) administer(ctx context.Context, id string, version int, writes func(seeding.State) ([]dynamo.Write, error)) error {
	return conflict(dynamo.RetryRefused(func() error {
		state, err := s.State(ctx, id)
		if err != nil {
			return err
		}
		if state.Version != version {
			return seeding.ErrConflict
		}
		list, err := writes(state)
		if err != nil {
			return err
		}
		return dynamo.Transact(ctx, s.client, list...)
	}))
}

// SetStatus implements the store of the connectors API. Starting a running
// connector is how a person asks for an attempt now; its schedule goes on. A stop
// makes the connector due too, so that submit ends the open run, and the imports that
// are open.
func (s *Store) SetStatus(ctx context.Context, id string, status seeding.Status, now time.Time) error {
	change := func(update, condition string) error {
		_, err := s.connectors.Update(ctx, dynamo.Change{
			Key: stateKey(id), Update: "SET #status = :status, #nudge = :now" + update, Condition: condition,
			Values: dynamo.Item{
				":status": dynamo.Text(string(status)), ":now": dynamo.Instant(now),
				":none": noProblems(), ":running": dynamo.Text(string(seeding.Running)),
			},
		})
		return notFoundOrConflict(err)
	}
	if status != seeding.Running {
		return change(", #halted = :now", dynamo.Exists)
	}
	const attempt = ", #problems = :none, #moved = :now"
	err := change(attempt+", #since = :now REMOVE #begun, #unreturned"+removeShown(), dynamo.Exists+" AND #status <> :running")
	if errors.Is(err, seeding.ErrConflict) {
		err = change(attempt+" REMOVE #unreturned"+removeShown(), dynamo.Exists)
	}
	return err
}

// Retry implements the store of the connectors API. It is one write, however
// many rejections there are: each compares its own time with this one.
func (s *Store) Retry(ctx context.Context, id string, kind seeding.RejectionKind, now time.Time) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key: stateKey(id), Update: "SET #nudge = :now, #" + retriedName(kind) + " = :now", Condition: dynamo.Exists,
		Values: dynamo.Item{":now": dynamo.Instant(now)},
	})
	return notFoundOrConflict(err)
}

// RetryIdentifiers implements the store of the connectors API.
func (s *Store) RetryIdentifiers(ctx context.Context, registry, id string, identifiers []int64, now time.Time) (found int, err error) {
	var count atomic.Int64
	err = dynamo.Parallel(ctx, identifiers, func(ctx context.Context, identifier int64) error {
		_, err := s.connectors.Update(ctx, dynamo.Change{
			Key:    rejectionKey(seeding.Rejection{Registry: registry, Connector: id, Subject: seeding.Member{Identifier: identifier}.Subject()}),
			Update: "SET #next = :now ADD #version :one", Condition: dynamo.Exists,
			Values: dynamo.Item{":now": dynamo.Instant(now), ":one": dynamo.Number(1)},
		})
		if err == nil {
			count.Add(1)
		}
		return dynamo.Explain(err, nil, nil) // it has no rejection
	})
	found = int(count.Load())
	if err != nil || found == 0 {
		return found, err
	}
	_, err = s.connectors.Update(ctx, dynamo.Change{
		Key: stateKey(id), Update: "SET #nudge = :now", Condition: dynamo.Exists, Values: dynamo.Item{":now": dynamo.Instant(now)},
	})
	return found, notFoundOrConflict(err)
}

// ListRuns implements the store of the connectors API.
func (s *Store) ListRuns(ctx context.Context, connector, before string, limit int) ([]seeding.Run, string, error) {
	span := dynamo.Span{Partition: runs(connector), From: runPrefix, To: afterRuns, Backward: true, Limit: limit + 2}
	if before != "" {
		span.To = runPrefix + before
	}
	list, more, err := dynamo.Page(ctx, s.connectors, span, limit,
		func(it dynamo.Item) bool { return before == "" || dynamo.SortKey(it) != span.To }, decodeRun)
	if err != nil || !more {
		return list, "", err
	}
	return list, list[len(list)-1].ID, nil
}

// RunBatches implements the store of the connectors API. It reads open ones
// first: one that is closed in between is then seen twice and not missed.
func (s *Store) RunBatches(ctx context.Context, registry, connector, run string) ([]seeding.Batch, error) {
	open, err := s.OpenBatches(ctx, registry)
	if seeding.IgnoreDamaged(err) != nil {
		return nil, err
	}
	list, err := s.ClosedBatches(ctx, connector, run)
	if seeding.IgnoreDamaged(err) != nil {
		return nil, err
	}
	closed := map[string]bool{}
	for _, b := range list {
		closed[b.Ref.Batch] = true
	}
	for _, b := range open {
		if b.Ref.Connector == connector && b.Ref.Run == run && !closed[b.Ref.Batch] {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b seeding.Batch) int {
		return cmp.Or(a.Claimed.Compare(b.Claimed), strings.Compare(a.Ref.Batch, b.Ref.Batch))
	})
	return list, nil
}
