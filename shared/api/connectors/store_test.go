package connectors_test

import (
	"context"
	"errors"
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
	orders     map[string]seeding.Order        // by key
	lists      map[string][]seeding.ListedPart // by run
	batches    []seeding.Batch
	rejections []seeding.Rejection
	counted    map[string]seeding.RejectionCount
	changes    []seeding.Change // newest last
	mts        map[string]seeding.MTSState
	registries map[string]seeding.RegistryState
	inquiries  map[string]seeding.Inquiry
	found      map[string]seeding.RegistryFound
	coverages  map[string]seeding.Coverage
	fail       map[string]failure
	calls      int
	mostRead   int // rejections for a page; 0 is all
}

type failure struct {
	err     error
	applied bool
}

func newStore() *store {
	return &store{connectors: map[string]seeding.Connector{}, states: map[string]seeding.State{},
		runs: map[string]seeding.Run{}, orders: map[string]seeding.Order{}, lists: map[string][]seeding.ListedPart{}, inquiries: map[string]seeding.Inquiry{}, fail: map[string]failure{}}
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

func (s *store) CreateConnector(_ context.Context, c seeding.Connector, changes ...seeding.Change) error {
	return s.write("CreateConnector", func() error {
		if _, taken := s.connectors[c.ID]; taken {
			return seeding.ErrConflict
		}
		s.connectors[c.ID] = c
		s.states[c.ID] = seeding.State{Connector: c.ID, Registry: c.RegistryKey(), MTS: c.MTSKey(), Version: c.Version, Status: seeding.Stopped,
			Name: c.Name, MTSHost: seeding.Origin(c.MTS.URL), RegistryHost: seeding.Origin(c.Registry.URL),
			ODKHost: seeding.Origin(c.ODK.BaseURL), ODKForm: c.ODK.FormID()}
		return s.note(changes)
	})
}

func (s *store) ListStates(_ context.Context, after string, limit int) (list []seeding.State, next string, err error) {
	err = s.write("ListStates", func() error {
		for _, state := range s.states {
			if state.Connector > after {
				list = append(list, state)
			}
		}
		slices.SortFunc(list, func(a, b seeding.State) int { return strings.Compare(a.Connector, b.Connector) })
		if len(list) > limit {
			list, next = list[:limit], list[limit-1].Connector
		}
		return nil
	})
	return list, next, err
}

// note keeps changes, newest last, with the write that they tell of.
func (s *store) note(changes []seeding.Change) error {
	s.changes = append(s.changes, changes...)
	return nil
}

func (s *store) ListChanges(_ context.Context, connector, before string, limit int) (list []seeding.Change, next string, err error) {
	err = s.write("ListChanges", func() error {
		for i := len(s.changes) - 1; i >= 0; i-- {
			if mark := fmt.Sprintf("%06d", i); s.changes[i].Connector == connector && (before == "" || mark < before) {
				if len(list) == limit {
					break
				}
				list, next = append(list, s.changes[i]), mark
			}
		}
		if len(list) < limit || next == "000000" {
			next = ""
		}
		return nil
	})
	return list, next, err
}

func (s *store) open(id string) bool {
	return slices.ContainsFunc(s.batches, func(b seeding.Batch) bool { return b.Ref.Connector == id && b.State.Open() })
}

func (s *store) ReplaceConnector(_ context.Context, c seeding.Connector, now time.Time, changes ...seeding.Change) error {
	return s.write("ReplaceConnector", func() error {
		former, there := s.connectors[c.ID]
		switch {
		case !there || former.Version != c.Version-1:
			return seeding.ErrConflict
		case c.EndsBatchesOf(former) && s.open(c.ID):
			return seeding.ErrOpenBatches
		}
		state := s.states[c.ID]
		state.Version, state.Registry, state.MTS, state.Problems = c.Version, c.RegistryKey(), c.MTSKey(), nil
		if state.Status == seeding.Running {
			state.Due = now
		}
		state.Name, state.MTSHost, state.RegistryHost = c.Name, seeding.Origin(c.MTS.URL), seeding.Origin(c.Registry.URL)
		state.ODKHost, state.ODKForm = seeding.Origin(c.ODK.BaseURL), c.ODK.FormID()
		s.connectors[c.ID], s.states[c.ID] = c, state
		return s.note(changes)
	})
}

func (s *store) DeleteConnector(_ context.Context, id string, version int, now time.Time, changes ...seeding.Change) error {
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
		return s.note(changes)
	})
}

func (s *store) SetStatus(_ context.Context, id string, status seeding.Status, now time.Time, changes ...seeding.Change) error {
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
		return s.note(changes)
	})
}

func (s *store) OpenImport(_ context.Context, o seeding.Order, now time.Time, changes ...seeding.Change) error {
	return s.write("OpenImport", func() error {
		state, there := s.states[o.Run.Connector]
		before, used := s.orders[o.Key]
		switch {
		case !there:
			return seeding.ErrNotFound
		case state.Version != o.Run.Version, len(state.Imports) >= seeding.MaxImports, used && o.Key != "" && before.Expires.After(now):
			return seeding.ErrConflict
		}
		state.Imports = append(slices.Clone(state.Imports), o.Run.ID)
		s.states[o.Run.Connector], s.orders[o.Key], s.lists[o.Run.ID] = state, o, seeding.PartsOf(o.Registrants)
		s.runs[o.Run.ID] = o.Run
		return s.note(changes)
	})
}

func (s *store) OrderedImport(_ context.Context, connector, key string, now time.Time) (run, digest string, err error) {
	err = s.write("OrderedImport", func() error {
		o, used := s.orders[key]
		if !used || o.Run.Connector != connector || !o.Expires.After(now) {
			return seeding.ErrNotFound
		}
		run, digest = o.Run.ID, o.Digest
		return nil
	})
	return run, digest, err
}

func (s *store) CancelRun(_ context.Context, r seeding.Run, _ time.Time, changes ...seeding.Change) error {
	return s.write("CancelRun", func() error {
		state := s.states[r.Connector]
		if state.Run != r.ID && !slices.Contains(state.Imports, r.ID) {
			return seeding.ErrConflict
		}
		state.Cancelled = append(state.Cancelled, r.ID)
		s.states[r.Connector] = state
		return s.note(changes)
	})
}

func (s *store) ListedPart(_ context.Context, _, run string, after int64) (part seeding.ListedPart, found bool, err error) {
	err = s.write("ListedPart", func() error {
		for _, part = range s.lists[run] {
			if found = part.Entries[len(part.Entries)-1].Registrant > after; found {
				return nil
			}
		}
		return nil
	})
	return part, found, err
}

func (s *store) RejectionsAt(_ context.Context, registry string, identifiers []int64) (list []seeding.Rejection, err error) {
	err = s.write("RejectionsAt", func() error {
		for _, r := range s.rejections {
			if r.Registry == registry && slices.Contains(identifiers, r.Identifier) {
				list = append(list, r)
			}
		}
		return nil
	})
	return list, err
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

func (s *store) Found(_ context.Context, registry string) (seeding.RegistryFound, error) {
	return read(s, "Found", s.found, registry)
}

func (s *store) Coverage(_ context.Context, connector string) (seeding.Coverage, error) {
	c, err := read(s, "Coverage", s.coverages, connector)
	if errors.Is(err, seeding.ErrNotFound) {
		return seeding.Coverage{Connector: connector}, nil
	}
	return c, err
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

// identifierMark is the mark of a rejection, as the real store has one.
func identifierMark(r seeding.Rejection) string { return fmt.Sprintf("%012d", r.Identifier) }

// ListRejections reads some for a page and no more, as the real one does.
func (s *store) ListRejections(_ context.Context, registry, connector string, filter seeding.RejectionFilter, after string, limit int) (list []seeding.Rejection, next string, err error) {
	most := s.mostRead
	if most == 0 {
		most = 1 << 30
	}
	err = s.write("ListRejections", func() error {
		all := slices.Clone(s.rejections)
		slices.SortFunc(all, func(a, b seeding.Rejection) int { return int(a.Identifier - b.Identifier) })
		for _, r := range all {
			if r.Registry != registry || identifierMark(r) <= after {
				continue
			}
			if len(list) == limit || most == 0 {
				return nil
			}
			next, most = identifierMark(r), most-1
			if r.Connector == connector && filter.Has(r) {
				list = append(list, r)
			}
		}
		next = ""
		return nil
	})
	return list, next, err
}

func (s *store) CountedRejections(_ context.Context, connector string) (c seeding.RejectionCount, err error) {
	err = s.write("CountedRejections", func() error { c = s.counted[connector]; return nil })
	return c, err
}

func (s *store) CountRejections(_ context.Context, list []seeding.Rejection) (found int, err error) {
	err = s.write("CountRejections", func() error {
		for _, r := range list {
			if s.rejection(r) != nil {
				found++
			}
		}
		return nil
	})
	return found, err
}

// rejection is the stored one of that registry, connector and subject, or nil.
func (s *store) rejection(r seeding.Rejection) *seeding.Rejection {
	i := slices.IndexFunc(s.rejections, func(x seeding.Rejection) bool {
		return x.Registry == r.Registry && x.Connector == r.Connector && x.Identifier == r.Identifier && x.Submission == r.Submission
	})
	if i < 0 {
		return nil
	}
	return &s.rejections[i]
}

func (s *store) OpenBatches(_ context.Context, registry string) (list []seeding.Batch, err error) {
	err = s.write("OpenBatches", func() error {
		for _, b := range s.batches {
			if b.Ref.Registry == registry && b.State.Open() {
				list = append(list, b)
			}
		}
		return nil
	})
	return list, err
}

func (s *store) ListBatches(_ context.Context, registry, connector, run, after string, limit int) (list []seeding.Batch, next string, err error) {
	err = s.write("ListBatches", func() error {
		for _, b := range s.batches {
			if b.Ref.Connector == connector && b.Ref.Run == run && (b.Ref.Registry == registry || !b.State.Open()) && b.Ref.Batch > after {
				list = append(list, b)
			}
		}
		slices.SortFunc(list, func(a, b seeding.Batch) int { return strings.Compare(a.Ref.Batch, b.Ref.Batch) })
		if len(list) > limit {
			list, next = list[:limit], list[limit-1].Ref.Batch
		}
		return nil
	})
	return list, next, err
}

func (s *store) BatchesWith(_ context.Context, connector, run string, registrant int64, before string, limit int) (list []seeding.Batch, next string, err error) {
	err = s.write("BatchesWith", func() error {
		all := slices.Clone(s.batches)
		slices.SortFunc(all, func(a, b seeding.Batch) int { return strings.Compare(b.Ref.Batch, a.Ref.Batch) })
		for _, b := range all {
			if b.Ref.Connector != connector || b.Ref.Run != run || b.State.Open() || before != "" && b.Ref.Batch >= before {
				continue
			}
			if limit == 0 {
				return nil
			}
			next, limit = b.Ref.Batch, limit-1
			if slices.ContainsFunc(b.Members, func(m seeding.Member) bool { return m.Registrant == registrant }) {
				list = append(list, b)
			}
		}
		next = ""
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

func (s *secretStore) Put(_ context.Context, connectorID, field, value, _ string) (string, error) {
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

// invoker remembers the connectors and inquiries for which submit was invoked.
type invoker struct {
	invoked []string
	asked   []string
	err     error
}

func (i *invoker) InvokeInquiry(_ context.Context, id string) error {
	i.asked = append(i.asked, id)
	return i.err
}

func (i *invoker) InvokeSubmit(_ context.Context, connector string) error {
	i.invoked = append(i.invoked, connector)
	return i.err
}

func (s *store) Retry(_ context.Context, id string, group seeding.Group, now time.Time, changes ...seeding.Change) error {
	return s.write("Retry", func() error {
		state, there := s.states[id]
		if !there {
			return seeding.ErrNotFound
		}
		next, err := state.Retried.Plus(group, now)
		if err != nil {
			return err
		}
		state.Retried, state.Due = next, now
		s.states[id] = state
		return s.note(changes)
	})
}

func (s *store) RetryRejections(_ context.Context, list []seeding.Rejection, now time.Time, change seeding.Change) (found int, err error) {
	err = s.write("RetryRejections", func() error {
		for _, r := range list {
			if stored := s.rejection(r); stored != nil {
				stored.Next = now
				found++
			}
		}
		if change.Count = found; found == 0 {
			return nil
		}
		return s.note([]seeding.Change{change})
	})
	return found, err
}

func (s *store) Ask(_ context.Context, q seeding.Inquiry) (seeding.Inquiry, error) {
	q.State = seeding.InquiryWaiting
	return q, s.write("Ask", func() error {
		taken := map[int]bool{}
		for _, other := range s.inquiries {
			if open := !other.Over() || len(other.Sealed) > 0; open && other.Subject() == q.Subject() {
				taken[other.Place] = true
			}
		}
		for q.Place = 1; taken[q.Place]; q.Place++ {
		}
		if q.Place > seeding.InquiryPlaces {
			return seeding.ErrManyInquiries
		}
		s.inquiries[q.ID] = q
		return nil
	})
}

func (s *store) Inquiry(_ context.Context, id string, now time.Time) (seeding.Inquiry, error) {
	q, err := read(s, "Inquiry", s.inquiries, id)
	if err == nil && !q.Expires().After(now) {
		err = seeding.ErrNotFound
	}
	return q, err
}

func (s *store) FetchInquiry(_ context.Context, q seeding.Inquiry, state seeding.InquiryState, now time.Time) error {
	return s.write("FetchInquiry", func() error {
		stored := s.inquiries[q.ID]
		if stored.State != seeding.InquiryAnswered || len(stored.Sealed) == 0 {
			return seeding.ErrConflict
		}
		stored.State, stored.Sealed, stored.FetchedAt = state, nil, now
		s.inquiries[q.ID] = stored
		return nil
	})
}
