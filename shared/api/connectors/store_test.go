package connectors_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// store is connectors.Store in memory, with the conditions of the real one. fail
// makes one call of a method fail, before or after it took effect.
type store struct {
	mu         sync.Mutex
	connectors map[string]seeding.Connector
	states     map[string]seeding.State
	runs       map[string]seeding.Run
	batches    []seeding.Batch
	rejections []seeding.Rejection
	mts        map[string]seeding.MTSState
	registries map[string]seeding.RegistryState
	fail       map[string]failure
	calls      int
}

type failure struct {
	err     error
	applied bool
}

func newStore() *store {
	return &store{connectors: map[string]seeding.Connector{}, states: map[string]seeding.State{},
		runs: map[string]seeding.Run{}, fail: map[string]failure{}}
}

// write runs a change under the lock, unless the method is to fail.
func (s *store) write(method string, change func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	failing, fails := s.fail[method]
	delete(s.fail, method)
	if fails && !failing.applied {
		return failing.err
	}
	if err := change(); err != nil {
		return err
	}
	return failing.err
}

func read[T any](s *store, method string, items map[string]T, key string) (item T, err error) {
	err = s.write(method, func() error {
		found, there := items[key]
		if !there {
			return seeding.ErrNotFound
		}
		item = found
		return nil
	})
	return item, err
}

func (s *store) Connector(_ context.Context, id string) (seeding.Connector, error) {
	return read(s, "Connector", s.connectors, id)
}

func (s *store) State(_ context.Context, id string) (seeding.State, error) {
	return read(s, "State", s.states, id)
}

func (s *store) CreateConnector(_ context.Context, c seeding.Connector) error {
	return s.write("CreateConnector", func() error {
		if _, taken := s.connectors[c.ID]; taken {
			return seeding.ErrConflict
		}
		s.connectors[c.ID] = c
		s.states[c.ID] = seeding.State{Connector: c.ID, Registry: c.RegistryKey(), MTS: c.MTSKey(), Version: c.Version, Status: seeding.Stopped}
		return nil
	})
}

func (s *store) ListConnectors(_ context.Context, after string, limit int) (list []seeding.Connector, next string, err error) {
	err = s.write("ListConnectors", func() error {
		for _, c := range s.connectors {
			if c.ID > after {
				list = append(list, c)
			}
		}
		slices.SortFunc(list, func(a, b seeding.Connector) int { return strings.Compare(a.ID, b.ID) })
		if len(list) > limit {
			list, next = list[:limit], list[limit-1].ID
		}
		return nil
	})
	return list, next, err
}

func (s *store) open(id string) bool {
	return slices.ContainsFunc(s.batches, func(b seeding.Batch) bool { return b.Ref.Connector == id && b.State.Open() })
}

func (s *store) ReplaceConnector(_ context.Context, c seeding.Connector, now time.Time) error {
	return s.write("ReplaceConnector", func() error {
		former, there := s.connectors[c.ID]
		switch {
		case !there || former.Version != c.Version-1:
			return seeding.ErrConflict
		case former.RegistryKey() != c.RegistryKey() && s.open(c.ID):
			return seeding.ErrOpenBatches
		}
		state := s.states[c.ID]
		state.Version, state.Registry, state.MTS, state.Problems = c.Version, c.RegistryKey(), c.MTSKey(), nil
		if state.Status == seeding.Running {
			state.Due = now
		}
		s.connectors[c.ID], s.states[c.ID] = c, state
		return nil
	})
}

func (s *store) DeleteConnector(_ context.Context, id string, version int, now time.Time) error {
	return s.write("DeleteConnector", func() error {
		c, there := s.connectors[id]
		switch {
		case !there || c.Version != version:
			return seeding.ErrConflict
		case s.open(id) || s.states[id].Lease.Live(now):
			return seeding.ErrOpenBatches
		}
		delete(s.connectors, id)
		delete(s.states, id)
		return nil
	})
}

func (s *store) SetStatus(_ context.Context, id string, status seeding.Status, now time.Time) error {
	return s.write("SetStatus", func() error {
		state, there := s.states[id]
		if !there {
			return seeding.ErrNotFound
		}
		state.Status = status
		if status == seeding.Running {
			state.Problems, state.Due = nil, now
		}
		s.states[id] = state
		return nil
	})
}

func (s *store) ListRuns(_ context.Context, connector, before string, limit int) (list []seeding.Run, next string, err error) {
	err = s.write("ListRuns", func() error {
		for _, r := range s.runs {
			if r.Connector == connector && (before == "" || r.ID < before) {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b seeding.Run) int { return strings.Compare(b.ID, a.ID) })
		if len(list) > limit {
			list, next = list[:limit], list[limit-1].ID
		}
		return nil
	})
	return list, next, err
}

func (s *store) Run(_ context.Context, connector, id string) (seeding.Run, error) {
	run, err := read(s, "Run", s.runs, id)
	if err == nil && run.Connector != connector {
		return seeding.Run{}, seeding.ErrNotFound
	}
	return run, err
}

func (s *store) RunBatches(_ context.Context, registry, connector, run string) (list []seeding.Batch, err error) {
	err = s.write("RunBatches", func() error {
		for _, b := range s.batches {
			if b.Ref.Connector == connector && b.Ref.Run == run && (b.Ref.Registry == registry || !b.State.Open()) {
				list = append(list, b)
			}
		}
		return nil
	})
	return list, err
}

func (s *store) MTSState(_ context.Context, key string) (m seeding.MTSState, err error) {
	err = s.write("MTSState", func() error {
		m = s.mts[key]
		m.Key = key
		return nil
	})
	return m, err
}

func (s *store) RegistryState(_ context.Context, key string) (r seeding.RegistryState, err error) {
	err = s.write("RegistryState", func() error {
		r = s.registries[key]
		r.Key = key
		return nil
	})
	return r, err
}

func (s *store) ListRejections(_ context.Context, registry, connector, after string, limit int) (list []seeding.Rejection, next string, err error) {
	mark := func(r seeding.Rejection) string { return fmt.Sprintf("%012d", r.Identifier) }
	err = s.write("ListRejections", func() error {
		for _, r := range s.rejections {
			if r.Registry == registry && r.Connector == connector && mark(r) > after {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b seeding.Rejection) int { return int(a.Identifier - b.Identifier) })
		if len(list) > limit {
			list = list[:limit]
			next = mark(list[limit-1])
		}
		return nil
	})
	return list, next, err
}

// secretStore keeps all versions of its secrets.
type secretStore struct {
	mu     sync.Mutex
	values map[string][]string // by connector/field; the version is the place
	fail   map[string]error
}

func (s *secretStore) failing(method string) error {
	err := s.fail[method]
	delete(s.fail, method)
	return err
}

func (s *secretStore) Put(_ context.Context, connectorID, field, value string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("Put"); err != nil {
		return "", err
	}
	name := connectorID + "/" + field
	s.values[name] = append(s.values[name], value)
	return fmt.Sprintf("version-%d", len(s.values[name])), nil
}

func (s *secretStore) Delete(_ context.Context, connectorID, field string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("Delete"); err != nil {
		return err
	}
	delete(s.values, connectorID+"/"+field)
	return nil
}

func (s *secretStore) stored(connectorID string) []string {
	return s.values[connectorID+"/"+seeding.RegistryPassword]
}

// invoker remembers the connectors for which submit was invoked.
type invoker struct {
	invoked []string
	err     error
}

func (i *invoker) InvokeSubmit(_ context.Context, connector string) error {
	i.invoked = append(i.invoked, connector)
	return i.err
}

func (s *store) Retry(_ context.Context, id string, kind seeding.RejectionKind, now time.Time) error {
	return s.write("Retry", func() error {
		state, there := s.states[id]
		if !there {
			return seeding.ErrNotFound
		}
		if state.Retried == nil {
			state.Retried = map[seeding.RejectionKind]time.Time{}
		}
		state.Retried[kind], state.Due = now, now
		s.states[id] = state
		return nil
	})
}

func (s *store) RetryIdentifiers(_ context.Context, registry, id string, identifiers []int64, now time.Time) (found int, err error) {
	err = s.write("RetryIdentifiers", func() error {
		for i, r := range s.rejections {
			if r.Registry == registry && r.Connector == id && slices.Contains(identifiers, r.Identifier) {
				s.rejections[i].Next = now
				found++
			}
		}
		return nil
	})
	return found, err
}
