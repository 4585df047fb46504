package seedingdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// CreateConnector implements the store of the connectors API.
func (s *Store) CreateConnector(ctx context.Context, c seeding.Connector, changes ...seeding.Change) error {
	config, err := encodeConnector(c)
	if err != nil {
		return err
	}
	return conflict(s.transact(ctx, changes,
		s.connectors.ToPut(dynamo.Change{Key: configKey(c.ID), Item: config, Condition: dynamo.Absent}),
		s.connectors.ToPut(dynamo.Change{Key: stateKey(c.ID), Item: newState(c), Condition: dynamo.Absent}),
	))
}

// ListStates implements the store of the connectors API.
func (s *Store) ListStates(ctx context.Context, after string, limit int) ([]seeding.State, string, error) {
	list, more, err := dynamo.Page(ctx, s.connectors,
		dynamo.Span{Partition: states, From: after, Limit: limit + 2}, limit,
		func(it dynamo.Item) bool { return dynamo.SortKey(it) != after }, decodeState)
	if err != nil || !more {
		return list, "", err
	}
	return list, list[len(list)-1].Connector, nil
}

// ReplaceConnector implements the store of the connectors API.
func (s *Store) ReplaceConnector(ctx context.Context, c seeding.Connector, now time.Time, changes ...seeding.Change) error {
	config, err := encodeConnector(c)
	if err != nil {
		return err
	}
	read := dynamo.Number(c.Version - 1)
	return s.administer(ctx, c.ID, c.Version-1, changes, func(state seeding.State) ([]dynamo.Write, error) {
		former, err := s.Connector(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		moved := dynamo.Change{
			Key: stateKey(c.ID),
			Update: "SET #version = :version, #registry = :registry, #mts = :mts," +
				" #name = :name, #mtsHost = :mtsHost, #registryHost = :registryHost, #odkHost = :odkHost, #odkForm = :odkForm," +
				" #problems = :none, #nudge = :now, #moved = :now",
			Condition: "#version = :read",
			Values: dynamo.Item{
				":read": read, ":version": dynamo.Number(c.Version),
				":registry": dynamo.Text(c.RegistryKey()), ":mts": dynamo.Text(c.MTSKey()), ":name": dynamo.Text(c.Name),
				":mtsHost": dynamo.Text(seeding.Origin(c.MTS.URL)), ":registryHost": dynamo.Text(seeding.Origin(c.Registry.URL)),
				":odkHost": dynamo.Text(seeding.Origin(c.ODK.BaseURL)), ":odkForm": dynamo.Text(c.ODK.FormID()),
				":none": noProblems(), ":now": dynamo.Instant(now),
			},
		}
		switch remove := " REMOVE #unreturned" + removeShown(); {
		case !former.Schedule.Equal(c.Schedule):
			moved.Update += ", #since = :now" + remove + ", #begun"
		case state.Run != "": // the change ends it, and another follows at once
			moved.Update += remove + ", #begun"
			moved.Condition += " AND attribute_exists(#run)"
		default:
			moved.Update += remove
			moved.Condition += " AND attribute_not_exists(#run)"
		}
		writes := []dynamo.Write{
			s.connectors.ToPut(dynamo.Change{
				Key: configKey(c.ID), Item: config,
				Condition: "#version = :read", Values: dynamo.Item{":read": read},
			}),
			s.connectors.ToUpdate(moved),
		}
		if !c.EndsBatchesOf(former) {
			return writes, nil
		}
		// Those who are rejected in the former registry, or of the former source, are nobody's any more.
		if state.Registry != c.RegistryKey() || former.FromODK() != c.FromODK() {
			moved.Update += ", #rejected, #counted"
			writes[1] = s.connectors.ToUpdate(moved)
		}
		check, err := s.noOpenBatches(ctx, state.Registry, c.ID)
		return append(writes, check), err
	})
}

// DeleteConnector implements the store of the connectors API. It leaves runs,
// closed batches and rejections.
func (s *Store) DeleteConnector(ctx context.Context, id string, version int, now time.Time, changes ...seeding.Change) error {
	values := dynamo.Item{":read": dynamo.Number(version), ":now": dynamo.Instant(now)}
	return s.administer(ctx, id, version, changes, func(state seeding.State) ([]dynamo.Write, error) {
		if state.Lease.Live(now) {
			return nil, seeding.ErrOpenBatches
		}
		check, err := s.noOpenBatches(ctx, state.Registry, id)
		return []dynamo.Write{
			s.connectors.ToDelete(dynamo.Change{Key: configKey(id), Condition: "#version = :read", Values: values}),
			s.connectors.ToDelete(dynamo.Change{Key: stateKey(id), Condition: "#version = :read AND " + dynamo.LeaseFree, Values: values}),
			s.connectors.ToDelete(dynamo.Change{Key: coverageKey(id)}),
			check,
		}, err
	})
}

// administer makes the writes that are allowed for a state of the given version.
// If they are refused it reads the state again: another version is a conflict,
// but another connector's claim in the same registry is not.
func (s *Store) administer(ctx context.Context, id string, version int, changes []seeding.Change, writes func(seeding.State) ([]dynamo.Write, error)) error {
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
		return s.transact(ctx, changes, list...)
	}))
}

// SetStatus implements the store of the connectors API. Starting a running
// connector is how a person asks for an attempt now; its schedule goes on. A stop
// makes the connector due too, so that submit ends the open run, and the imports that
// are open.
func (s *Store) SetStatus(ctx context.Context, id string, status seeding.Status, now time.Time, changes ...seeding.Change) error {
	change := func(update, condition string) error {
		return notFoundOrConflict(s.update(ctx, changes, dynamo.Change{
			Key: stateKey(id), Update: "SET #status = :status, #nudge = :now" + update, Condition: condition,
			Values: dynamo.Item{
				":status": dynamo.Text(string(status)), ":now": dynamo.Instant(now),
				":none": noProblems(), ":running": dynamo.Text(string(seeding.Running)),
			},
		}))
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
func (s *Store) Retry(ctx context.Context, id string, group seeding.Group, now time.Time, changes ...seeding.Change) error {
	return conflict(dynamo.RetryRefused(func() error {
		state, err := s.State(ctx, id)
		if err != nil {
			return err
		}
		next, err := state.Retried.Plus(group, now)
		if err != nil {
			return err
		}
		read, codes := encodeRetriedCodes(state.Retried), encodeRetriedCodes(next)
		c := dynamo.Change{
			Key: stateKey(id), Update: "SET #nudge = :now", Condition: dynamo.Exists,
			Values: dynamo.Item{":now": dynamo.Instant(now), ":codes": dynamo.Map(codes), ":read": dynamo.Map(read)},
		}
		if group.Code == "" {
			c.Update += ", #" + retriedName(group.Kind) + " = :now"
		}
		if len(read) > 0 || len(codes) > 0 {
			c.Update += ", #" + retriedCodes + " = :codes"
			c.Condition += " AND #" + retriedCodes + " = :read"
			if len(read) == 0 {
				c.Condition = dynamo.Exists + " AND (attribute_not_exists(#" + retriedCodes + ") OR #" + retriedCodes + " = :read)"
			}
		}
		return s.update(ctx, changes, c)
	}))
}

// RetryRejections implements the store of the connectors API. Those that are gone,
// or were written anew, are asked for again only if they are there.
func (s *Store) RetryRejections(ctx context.Context, list []seeding.Rejection, now time.Time, change seeding.Change) (found int, err error) {
	id, parts := change.ID, 0
	for part := range slices.Chunk(list, mostRetried) {
		if parts++; parts > 1 { // each is a change of its own
			change.ID = fmt.Sprintf("%s-%02d", id, parts)
		}
		n, err := s.retrySome(ctx, part, now, change)
		if err != nil {
			return found, err
		}
		found += n
	}
	return found, nil
}

// mostRetried fit into a transaction, which takes 100 writes, beside the state and
// the change.
const mostRetried = 98

func (s *Store) retrySome(ctx context.Context, list []seeding.Rejection, now time.Time, change seeding.Change) (found int, err error) {
	err = dynamo.RetryRefused(func() error {
		there, err := s.there(ctx, list)
		if err != nil {
			return err
		}
		var writes []dynamo.Write
		for _, key := range there {
			writes = append(writes, s.connectors.ToUpdate(dynamo.Change{
				Key: key, Update: "SET #next = :now ADD #version :one", Condition: dynamo.Exists,
				Values: dynamo.Item{":now": dynamo.Instant(now), ":one": dynamo.Number(1)},
			}))
		}
		if found = len(writes); found == 0 {
			return nil
		}
		noted := change
		noted.Count = found
		return s.transact(ctx, []seeding.Change{noted}, append(writes, s.connectors.ToUpdate(dynamo.Change{
			Key: stateKey(change.Connector), Update: "SET #nudge = :now", Condition: dynamo.Exists, Values: dynamo.Item{":now": dynamo.Instant(now)},
		}))...)
	})
	return found, conflict(err)
}

// CountRejections implements the store of the connectors API.
func (s *Store) CountRejections(ctx context.Context, list []seeding.Rejection) (int, error) {
	keys, err := s.there(ctx, list)
	return len(keys), err
}

// there are the keys of the rejections that exist.
func (s *Store) there(ctx context.Context, list []seeding.Rejection) (keys []dynamo.Key, err error) {
	var mu sync.Mutex
	err = dynamo.Parallel(ctx, list, func(ctx context.Context, r seeding.Rejection) error {
		_, err := s.connectors.Get(ctx, rejectionKey(r))
		if errors.Is(err, dynamo.ErrNotFound) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, rejectionKey(r))
		return err
	})
	return keys, err
}

// ListRuns implements the store of the connectors API.
func (s *Store) ListRuns(ctx context.Context, connector, before string, limit int) ([]seeding.Run, string, error) {
	return newestFirst(ctx, s, connector, runPrefix, before, limit, decodeRun, func(r seeding.Run) dynamo.Key { return runKey(connector, r.ID) })
}

// newestFirst is a page of the items of a connector whose sort keys begin with a
// prefix, which ends in "#". A page mark is the sort key of the last one of the page,
// without its prefix.
func newestFirst[T any](ctx context.Context, s *Store, connector, prefix, before string, limit int, decode func(dynamo.Item) (T, error), key func(T) dynamo.Key) ([]T, string, error) {
	span := dynamo.Span{Partition: runs(connector), From: prefix, To: dynamo.AfterAll(strings.TrimSuffix(prefix, "#")), Backward: true, Limit: limit + 2}
	if before != "" {
		span.To = prefix + before
	}
	list, more, err := dynamo.Page(ctx, s.connectors, span, limit,
		func(it dynamo.Item) bool { return before == "" || dynamo.SortKey(it) != span.To }, decode)
	if err != nil || !more {
		return list, "", err
	}
	return list, key(list[len(list)-1]).Sort[len(prefix):], nil
}

// ListBatches implements the store of the connectors API. It reads open ones first,
// as RunBatches does. Ids sort by the time of the claim.
func (s *Store) ListBatches(ctx context.Context, registry, connector, run, after string, limit int) (list []seeding.Batch, next string, err error) {
	var open []seeding.Batch
	if registry != "" {
		open, err = s.OpenBatches(ctx, registry)
		if seeding.IgnoreDamaged(err) != nil {
			return nil, "", err
		}
	}
	list, more, err := dynamo.Page(ctx, s.connectors,
		dynamo.Span{Partition: closedBatches(connector, run), From: after, Limit: limit + 2}, limit,
		func(it dynamo.Item) bool { return dynamo.SortKey(it) != after }, decodeBatch(seeding.BatchRef{Connector: connector, Run: run}))
	if err != nil {
		return nil, "", err
	}
	seen := map[string]bool{}
	last := ""
	for _, b := range list {
		seen[b.Ref.Batch], last = true, b.Ref.Batch
	}
	for _, b := range open {
		if b.Ref.Connector == connector && b.Ref.Run == run && b.Ref.Batch > after && !seen[b.Ref.Batch] && (!more || b.Ref.Batch < last) {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b seeding.Batch) int { return strings.Compare(a.Ref.Batch, b.Ref.Batch) })
	if len(list) > limit {
		list, more = list[:limit], true
	}
	if more && len(list) > 0 {
		next = list[len(list)-1].Ref.Batch
	}
	return list, next, nil
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
