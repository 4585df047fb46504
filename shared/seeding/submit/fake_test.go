package submit

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// fake is one connector with its stores, its registry and its MTS, in memory.
// It refuses what the real ones refuse, and notes every call. Time passes only
// while somebody sleeps, or as a test wants.
type fake struct {
	now   time.Time
	calls []string

	// during has what happens when a call begins. An error is that of the call,
	// which then does nothing.
	during map[string]func() error

	state      seeding.State
	nudge      time.Time // a due time that somebody else wants; zero for none
	connector  seeding.Connector
	opened     seeding.Connector // as its registry was opened last
	runs       map[string]seeding.Run
	lists      map[string][]seeding.ListedPart // of imports
	open       []seeding.Batch
	closed     []seeding.Batch
	answered   map[string]bool // batches that have an answer
	answers    []seeding.BatchRef
	damaged    *seeding.DamagedAnswer // before the others; nil for none
	rejections []seeding.Rejection
	counted    *seeding.RejectionCount // with the run that completed last
	registry   seeding.RegistryState
	mts        seeding.MTSState

	vids       []seeding.Identifier
	records    map[int64]seeding.Record
	unseen     map[int64]seeding.Nobody // of registrants that have no record
	tokens     []seeding.Identifier
	posts      []seeding.Request
	holds      bool            // POSTs are held until a test lets them go
	held       []chan struct{} // those that are, in the order in which they began
	turn       chan struct{}   // from a POST that ends or is held
	handedOver atomic.Int64
	status     seeding.MTSStatus // what MTS says of any request
	measured   map[string]float64

	central    *central // of a connector of ODK
	coverage   seeding.Coverage
	settled    map[string]bool           // submissions that are held
	registered []seeding.Identifier      // ids of submissions, by who holds them
	refused    []string                  // submissions that MOSIP refuses
	pulled     [][]seeding.SubmissionRef // what MTS read, by request
	nextID     int                       // of another submitter
	idStep     int

	beat     func() // what is called at every interval
	interval time.Duration
	nextBeat time.Time
}

// newFake has a running connector of version 3 that is due, without a run, and
// nobody in its registry. It sends one batch at a time.
func newFake() *fake {
	connector := seeding.Connector{
		ID: "c", Version: 3, MTS: seeding.MTSAccess{URL: "http://mts", BatchMaximum: 1000, WidthMaximum: 1}, Registry: seeding.RegistryAccess{URL: "http://registry"},
		Schedule: seeding.Schedule{Interval: 15 * time.Minute}, Output: seeding.Output{RemoveVIDs: true},
	}
	return &fake{
		now: now, connector: connector, during: map[string]func() error{},
		state:    seeding.State{Connector: "c", Status: seeding.Running, Version: 3, Due: now, Problems: map[seeding.Source]seeding.Problem{}},
		runs:     map[string]seeding.Run{},
		lists:    map[string][]seeding.ListedPart{},
		answered: map[string]bool{}, records: map[int64]seeding.Record{}, measured: map[string]float64{}, turn: make(chan struct{}),
		registry: seeding.RegistryState{Key: connector.RegistryKey(), Counter: 40},
		mts:      seeding.MTSState{Key: connector.MTSKey()},
	}
}

// submitter is one that works on the fake.
func (f *fake) submitter() *Submitter {
	ids := f.nextID
	return &Submitter{
		Store: f, Registries: f, MTS: f, Mappings: f, Forms: f, Meter: f, Clock: f,
		VIDField:       func(seeding.Connector) string { return "vid" },
		Reads:          func(seeding.Mapping) ([]string, bool) { return []string{"vid"}, true },
		CapabilityKeys: seedingtest.Keyring{seedingtest.Key("capability")}, RowKeys: seedingtest.Keyring{seedingtest.Key("row")},
		FingerprintKeys: seedingtest.Keyring{formerKey, currentKey},
		Times:           seeding.DefaultTimes(), CallbackBase: "http://callback/", Log: slog.New(slog.DiscardHandler),
		NewID: func() string { ids++; f.nextID += f.idStep; return fmt.Sprintf("id%d", ids) }, Go: f.beside, Every: f.every,
	}
}

// work lets the connector work for as long as one invocation may.
func (f *fake) work(t *testing.T) error {
	t.Helper()
	return f.submitter().Work(t.Context(), "c", f.now.Add(15*time.Minute))
}

// oneStep lets the connector make one step.
func (f *fake) oneStep(t *testing.T) error {
	t.Helper()
	s := f.submitter()
	return s.Work(t.Context(), "c", f.now.Add(s.stepLimit()))
}

// add adds registrants that can be sent.
func (f *fake) add(registrants ...int64) {
	for _, id := range registrants {
		f.vids = append(f.vids, seeding.Identifier{ID: 10 + id, Registrant: id, Value: fmt.Sprintf("V%d", id)})
		f.records[id] = joRecord()
		f.records[id]["name"] = fmt.Sprintf("Jo %d", id)
	}
}

// openImport opens a run beside the recurring one.
func (f *fake) openImport(id string) {
	f.runs[id] = seeding.Run{ID: id, Connector: "c", Kind: seeding.Import, Registry: f.connector.RegistryKey(), Version: 3, Started: f.now, Passes: 1, PassStarted: f.now}
	f.state.Imports = append(f.state.Imports, id)
}

// openList opens an import of registrants that a person listed, in parts.
func (f *fake) openList(id string, parts ...[]int64) {
	f.openImport(id)
	run := f.runs[id]
	for i, ids := range parts {
		part := seeding.ListedPart{Last: i == len(parts)-1}
		for _, registrant := range ids {
			part.Entries = append(part.Entries, seeding.Listed{Registrant: registrant})
		}
		f.lists[id] = append(f.lists[id], part)
		run.Selection.Listed += len(ids)
	}
	f.runs[id] = run
}

// unsent is why registrants of a list are not sent; those who are, or were not
// looked at, are left out.
func (f *fake) unsent(id string) map[int64]seeding.Unsent {
	why := map[int64]seeding.Unsent{}
	for _, part := range f.lists[id] {
		for _, entry := range part.Entries {
			if entry.Unsent != "" {
				why[entry.Registrant] = entry.Unsent
			}
		}
	}
	return why
}

// once fails the first call of a name.
func (f *fake) once(call string, err error) {
	f.during[call] = func() error { delete(f.during, call); return err }
}

func (f *fake) begin(call string, of ...string) error {
	name := call
	for _, what := range of {
		name += " " + what
	}
	f.calls = append(f.calls, name)
	if happens := f.during[call]; happens != nil {
		return happens()
	}
	return nil
}

// called are the calls that were made of some names, in their order.
func (f *fake) called(names ...string) (calls []string) {
	for _, call := range f.calls {
		if slices.ContainsFunc(names, func(name string) bool { return call == name || len(call) > len(name) && call[:len(name)+1] == name+" " }) {
			calls = append(calls, call)
		}
	}
	return calls
}

func (f *fake) Now() time.Time { return f.now }

func (f *fake) Sleep(ctx context.Context, d time.Duration) error {
	for until := f.now.Add(d); f.now.Before(until); {
		if f.beat == nil || f.nextBeat.After(until) {
			f.now = until
			break
		}
		f.now = f.nextBeat
		f.nextBeat = f.now.Add(f.interval)
		f.beat()
	}
	return ctx.Err()
}

// every is called by who sleeps.
func (f *fake) every(interval time.Duration, do func()) (stop func()) {
	f.beat, f.interval, f.nextBeat = do, interval, f.now.Add(interval)
	return func() {
		f.handOver() // a probe's step waits for its POST, which may have been let go by a test
		f.beat = nil
	}
}

func (f *fake) Measure(m seeding.Metric, value float64, kind string) { f.measured[m+kind] += value }

// The connector.

func (f *fake) Connector(context.Context, string) (seeding.Connector, error) { return f.connector, nil }

func (f *fake) States(context.Context) ([]seeding.State, error) { return []seeding.State{f.state}, nil }

func (f *fake) State(_ context.Context, id string) (seeding.State, error) {
	err := f.begin("State", id)
	if err == nil && id == "deleted" {
		err = seeding.ErrNotFound
	}
	state := seeding.State{Connector: id, Registry: f.connector.RegistryKey()}
	if id == "moved" {
		state.Registry = "another"
	}
	if id == "odk" {
		state.ODKHost = "https://central"
	}
	return state, err
}

func (f *fake) TakeRun(_ context.Context, _, owner string, at, until, moved time.Time) (seeding.State, error) {
	if err := f.begin("TakeRun"); err != nil {
		return seeding.State{}, err
	}
	if f.state.Lease.Live(at) && f.state.Lease.Owner != owner {
		return seeding.State{}, seeding.ErrLeaseHeld
	}
	f.state.Lease = seeding.Lease{Owner: owner, Until: until, Fence: f.state.Lease.Fence + 1}
	if !f.nudge.IsZero() {
		f.state.Due, f.nudge = f.nudge, time.Time{}
	}
	f.noteMoved(moved)
	taken := f.state
	taken.Problems, taken.Imports = maps.Clone(f.state.Problems), slices.Clone(f.state.Imports)
	return taken, nil
}

func (f *fake) KeepRun(_ context.Context, _ string, fence int64, until time.Time) error {
	if err := f.begin("KeepRun"); err != nil {
		return err
	}
	if fence != f.state.Lease.Fence || f.state.Lease.Owner == "" {
		return seeding.ErrConflict
	}
	f.state.Lease.Until = until
	return nil
}

func (f *fake) NoteInvoked(_ context.Context, read seeding.State, at time.Time, died seeding.Problem) error {
	if err := f.begin("NoteInvoked", read.Connector); err != nil {
		return err
	}
	if read.Connector == f.state.Connector {
		f.state.Served, f.state.Unreturned = at, f.state.Unreturned+1
		if died != (seeding.Problem{}) {
			f.state.Problems[seeding.ProblemDied] = died
		}
	}
	return nil
}

func (f *fake) LeaveRun(_ context.Context, _ string, fence int64, served, due, moved time.Time) error {
	defer f.handOver() // Work waits for its POSTs next
	if err := f.begin("LeaveRun"); err != nil {
		return err
	}
	if fence != f.state.Lease.Fence {
		return seeding.ErrConflict
	}
	f.noteMoved(moved)
	f.state.Due, f.state.Lease.Owner = due, ""
	if !served.IsZero() {
		f.state.Served, f.state.Unreturned = served, 0
		delete(f.state.Problems, seeding.ProblemDied)
	}
	return nil
}

func (f *fake) noteMoved(moved time.Time) {
	if !moved.IsZero() {
		f.state.Moved = moved
	}
}

func (f *fake) RaiseProblem(_ context.Context, _ string, source seeding.Source, p seeding.Problem) error {
	if err := f.begin("RaiseProblem", string(source)); err != nil {
		return err
	}
	f.state.Problems[source] = p
	return nil
}

func (f *fake) ClearProblems(_ context.Context, _ string, sources []seeding.Source, at time.Time) error {
	if err := f.begin("ClearProblems"); err != nil {
		return err
	}
	for _, source := range sources {
		if _, raised := f.state.Problems[source]; raised {
			delete(f.state.Problems, source)
			if source.Delays() {
				f.nudge = at
			}
		}
	}
	return nil
}

// Its runs.

func (f *fake) Run(_ context.Context, _, id string) (seeding.Run, error) {
	return f.runs[id], f.begin("Run", id)
}

func (f *fake) OpenRun(_ context.Context, r seeding.Run) error {
	if err := f.begin("OpenRun", r.ID); err != nil {
		return err
	}
	if f.state.Run != "" || r.Fence != f.state.Lease.Fence {
		return seeding.ErrConflict
	}
	r.Started, r.PassStarted = r.Started.Truncate(time.Millisecond), r.PassStarted.Truncate(time.Millisecond) // as stores keep them
	f.runs[r.ID], f.state.Run, f.state.Begun = r, r.ID, r.Due
	return nil
}

func (f *fake) FinishJob(_ context.Context, _ string, version int, fence int64) error {
	if err := f.begin("FinishJob"); err != nil {
		return err
	}
	if f.state.Status != seeding.Running || f.state.Run != "" || version != f.state.Version || fence != f.state.Lease.Fence {
		return seeding.ErrConflict
	}
	f.state.Status = seeding.Completed
	return nil
}

func (f *fake) ListedPart(_ context.Context, _, run string, after int64) (seeding.ListedPart, bool, error) {
	err := f.begin("ListedPart", run)
	for _, part := range f.lists[run] {
		if part.Entries[len(part.Entries)-1].Registrant > after {
			part.Entries = slices.Clone(part.Entries)
			return part, true, err
		}
	}
	return seeding.ListedPart{}, false, err
}

func (f *fake) SaveListed(_ context.Context, _, run string, part seeding.ListedPart, fence int64) error {
	if err := f.begin("SaveListed", run); err != nil {
		return err
	}
	if fence != f.state.Lease.Fence {
		return seeding.ErrConflict
	}
	for i, before := range f.lists[run] {
		if before.Entries[0].Registrant == part.Entries[0].Registrant {
			f.lists[run][i] = part
		}
	}
	return nil
}

func (f *fake) SaveRun(_ context.Context, r seeding.Run) error {
	if err := f.begin("SaveRun", r.ID); err != nil {
		return err
	}
	if r.Fence != f.state.Lease.Fence {
		return seeding.ErrConflict
	}
	f.progress(r)
	return nil
}

// progress writes what moves in an open run, and not what its batches count.
func (f *fake) progress(r seeding.Run) {
	stored := f.runs[r.ID]
	r.Totals, r.Batches, r.Closed, r.Lately, r.Late = stored.Totals, stored.Batches, stored.Closed, stored.Lately, stored.Late
	r.PassStarted = r.PassStarted.Truncate(time.Millisecond) // as stores keep it
	f.runs[r.ID] = r
}

func (f *fake) CompleteRun(_ context.Context, r seeding.Run, rejections *seeding.RejectionCount) error {
	if err := f.begin("CompleteRun", r.ID); err != nil {
		return err
	}
	if r.Fence != f.state.Lease.Fence {
		return seeding.ErrConflict
	}
	f.runs[r.ID] = r
	if f.state.Run == r.ID {
		f.state.Run = ""
	}
	if rejections != nil {
		f.counted = rejections
	}
	f.state.Imports = slices.DeleteFunc(f.state.Imports, func(id string) bool { return id == r.ID })
	return nil
}

// Their batches.

func (f *fake) OpenBatches(context.Context, string) ([]seeding.Batch, error) {
	err := f.begin("OpenBatches")
	return slices.Clone(f.open), err
}

func (f *fake) ClosedBatches(_ context.Context, _, run string) (closed []seeding.Batch, err error) {
	for _, b := range f.closed {
		if b.Ref.Run == run {
			closed = append(closed, b)
		}
	}
	return closed, f.begin("ClosedBatches")
}

// mayClaim reports whether nobody keeps a run from making batches.
func (f *fake) mayClaim(run seeding.Run) bool {
	if run.Kind == seeding.Import {
		return !f.state.Cancels(run.ID) && run.Started.After(f.state.Halted)
	}
	return !f.state.Cancels(run.ID) && f.state.Status == seeding.Running
}

func (f *fake) Claim(_ context.Context, c seeding.Claim) error {
	if err := f.begin("Claim", c.Batch.Ref.Run); err != nil {
		return err
	}
	if c.Counter != f.registry.Counter || c.Fence != f.state.Lease.Fence || c.Version != f.state.Version || !f.mayClaim(c.Run) || c.Claims != f.mts.Claims {
		return seeding.ErrConflict
	}
	f.registry.Counter++
	f.mts.Claims++
	b := c.Batch
	for _, connector := range append(c.LeftMarks, b.Ref.Connector) {
		f.endWaiting(connector)
	}
	f.mts.Slots = slices.DeleteFunc(f.mts.Slots, func(s seeding.Slot) bool { return slices.Contains(c.LeftSlots, s.Batch) })
	f.mts.Slots = append(f.mts.Slots, seeding.Slot{
		Batch: b.Ref.Batch, Connector: b.Ref.Connector, Registry: b.Ref.Registry, Count: b.Count, Claimed: b.Claimed, Overdue: b.Overdue, Ends: b.GiveUpAt(),
	})
	f.open = append(f.open, c.Batch)
	f.progress(c.Run)
	run := f.runs[c.Run.ID]
	run.Batches, run.Totals.Sent = run.Batches+1, run.Totals.Sent+b.Count
	f.runs[c.Run.ID] = run
	return nil
}

func (f *fake) MarkSubmitted(_ context.Context, ref seeding.BatchRef, requestID string, at time.Time) error {
	if err := f.begin("MarkSubmitted", ref.Batch); err != nil {
		return err
	}
	for i := range f.open {
		if f.open[i].Ref == ref {
			f.open[i].State, f.open[i].RequestID, f.open[i].Submitted = seeding.Submitted, requestID, at
			return nil
		}
	}
	return seeding.ErrConflict
}

func (f *fake) Close(_ context.Context, b seeding.Batch) error {
	if err := f.begin("Close", b.Ref.Batch); err != nil {
		return err
	}
	open := len(f.open)
	f.open = slices.DeleteFunc(f.open, func(open seeding.Batch) bool { return open.Ref == b.Ref })
	if len(f.open) == open {
		return seeding.ErrConflict
	}
	f.closed = append(f.closed, b)
	run, add := f.runs[b.Ref.Run], b.Totals
	add.Sent -= b.Count
	run.Closed, run.Totals = run.Closed+1, run.Totals.Plus(add)
	f.runs[b.Ref.Run] = run
	f.mts.Slots = slices.DeleteFunc(f.mts.Slots, func(s seeding.Slot) bool { return s.Batch == b.Ref.Batch })
	return nil
}

func (f *fake) NextAnswer(_ context.Context, _, after string) (seeding.BatchRef, bool, error) {
	var err error
	if after == "" && f.damaged != nil {
		err = f.damaged
	}
	for _, ref := range f.answers {
		if ref.Batch > after {
			return ref, true, err
		}
	}
	return seeding.BatchRef{}, false, err
}

func (f *fake) HasAnswer(_ context.Context, _, batch string) (bool, error) {
	return f.answered[batch], f.begin("HasAnswer", batch)
}

// Rejections.

func (f *fake) Rejections(_ context.Context, _ string, from, to int64) (found []seeding.Rejection, err error) {
	for _, r := range f.rejections {
		if from <= r.Identifier && r.Identifier <= to {
			found = append(found, r)
		}
	}
	return found, f.begin("Rejections")
}

func (f *fake) RejectionsAt(_ context.Context, _ string, identifiers []int64) (found []seeding.Rejection, err error) {
	for _, r := range f.rejections {
		if slices.Contains(identifiers, r.Identifier) {
			found = append(found, r)
		}
	}
	return found, f.begin("RejectionsAt")
}

func (f *fake) PutRejections(_ context.Context, rejections []seeding.Rejection) (int, error) {
	for _, r := range rejections {
		f.rejections = slices.DeleteFunc(f.rejections, func(old seeding.Rejection) bool {
			return old.Connector == r.Connector && old.Subject == r.Subject
		})
	}
	f.rejections = append(f.rejections, rejections...)
	return 0, f.begin("PutRejections")
}

func (f *fake) DeleteRejections(_ context.Context, rejections []seeding.Rejection) error {
	f.rejections = slices.DeleteFunc(f.rejections, func(r seeding.Rejection) bool { return slices.Contains(rejections, r) })
	return f.begin("DeleteRejections")
}

func (f *fake) ListRejections(_ context.Context, _, connector string, filter seeding.RejectionFilter, after string, limit int) (list []seeding.Rejection, next string, err error) {
	if err := f.begin("ListRejections"); err != nil {
		return nil, "", err
	}
	mark := func(r seeding.Rejection) string { return fmt.Sprintf("%012d%s", r.Identifier, r.Submission) }
	for _, r := range f.rejections {
		if r.Connector == connector && filter.Has(r) && mark(r) > after {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b seeding.Rejection) int { return strings.Compare(mark(a), mark(b)) })
	if len(list) > limit {
		list, next = list[:limit], mark(list[limit-1])
	}
	return list, next, nil
}

// The registry and its state.

func (f *fake) RegistryState(context.Context, string) (seeding.RegistryState, error) {
	return f.registry, f.begin("RegistryState")
}

func (f *fake) NoteOutage(_ context.Context, _ string, until time.Time, attempts int) error {
	f.registry.OutageUntil, f.registry.OutageAttempts = until, attempts
	return f.begin("NoteOutage")
}

func (f *fake) Open(_ context.Context, c seeding.Connector) (seeding.Registry, error) {
	f.opened = c
	return fakeRegistry{fake: f}, f.begin("Open")
}

func (f *fake) Compile(seeding.Mapping) (seeding.Mapper, error) {
	return fieldMapper{}, f.begin("Compile")
}

// fakeRegistry has what submit calls of a registry.
type fakeRegistry struct {
	seeding.Registry
	fake *fake
}

func (r fakeRegistry) VIDs(_ context.Context, after int64, limit int) (vids []seeding.Identifier, err error) {
	for _, vid := range r.fake.vids {
		if vid.ID > after && len(vids) < limit {
			vids = append(vids, vid)
		}
	}
	return vids, r.fake.begin("VIDs", fmt.Sprint(after), fmt.Sprint(limit))
}

func (r fakeRegistry) CountVIDs(_ context.Context, after int64) (count int, err error) {
	for _, vid := range r.fake.vids {
		if vid.ID > after {
			count++
		}
	}
	return count, r.fake.begin("CountVIDs", fmt.Sprint(after))
}

func (r fakeRegistry) Registrants(_ context.Context, ids []int64) (map[int64]seeding.Record, error) {
	records := map[int64]seeding.Record{}
	for _, id := range ids {
		if record, selected := r.fake.records[id]; selected {
			records[id] = record
		}
	}
	return records, r.fake.begin("Registrants")
}

func (r fakeRegistry) Kinds(context.Context) (map[string]seeding.FieldKind, error) {
	return map[string]seeding.FieldKind{"birthdate": {Type: "date"}, "state_id": {Type: "many2one", Relation: "res.country.state"}}, r.fake.begin("Kinds")
}

func (r fakeRegistry) VIDsOf(_ context.Context, registrants []int64) (vids []seeding.Identifier, err error) {
	for _, vid := range r.fake.vids {
		if slices.Contains(registrants, vid.Registrant) {
			vids = append(vids, vid)
		}
	}
	return vids, r.fake.begin("VIDsOf", fmt.Sprint(len(registrants)))
}

func (r fakeRegistry) Visible(_ context.Context, ids []int64) (inUse, archived []int64, err error) {
	for _, id := range ids {
		switch r.fake.unseen[id] {
		case seeding.NotSelected:
			inUse = append(inUse, id)
		case seeding.Archived:
			archived = append(archived, id)
		}
	}
	return inUse, archived, r.fake.begin("Visible", fmt.Sprint(len(ids)))
}

func (r fakeRegistry) Tokens(_ context.Context, registrants []int64) (tokens []seeding.Identifier, err error) {
	wanted := setOf(registrants)
	for _, token := range r.fake.tokens {
		if wanted[token.Registrant] {
			tokens = append(tokens, token)
		}
	}
	return tokens, r.fake.begin("Tokens")
}

func (r fakeRegistry) UsualHolders(_ context.Context, tokens []string) (holders []seeding.Identifier, err error) {
	for _, token := range r.fake.tokens {
		if slices.Contains(tokens, token.Value) {
			holders = append(holders, token)
		}
	}
	return holders, r.fake.begin("UsualHolders", fmt.Sprint(len(tokens)))
}

func (r fakeRegistry) Remove(_ context.Context, identifiers []int64) error {
	if err := r.fake.begin("Remove", fmt.Sprint(identifiers)); err != nil {
		return err
	}
	r.fake.vids = slices.DeleteFunc(r.fake.vids, func(vid seeding.Identifier) bool { return slices.Contains(identifiers, vid.ID) })
	return nil
}

// MTS and its state.

func (f *fake) MTSState(context.Context, string) (seeding.MTSState, error) {
	err := f.begin("MTSState")
	read := f.mts
	read.Slots, read.Waiting = slices.Clone(f.mts.Slots), slices.Clone(f.mts.Waiting)
	return read, err
}

func (f *fake) WaitForMTS(_ context.Context, _ string, w seeding.Waiting) error {
	if err := f.begin("WaitForMTS"); err != nil {
		return err
	}
	f.endWaiting(w.Connector)
	f.mts.Waiting = append(f.mts.Waiting, w)
	return nil
}

func (f *fake) endWaiting(connector string) {
	f.mts.Waiting = slices.DeleteFunc(f.mts.Waiting, func(w seeding.Waiting) bool { return w.Connector == connector })
}

func (f *fake) NoteMTS(_ context.Context, _ string, notBefore time.Time, attempts int) error {
	if err := f.begin("NoteMTS"); err != nil {
		return err
	}
	f.mts.NotBefore, f.mts.Attempts = notBefore, attempts
	return nil
}

func (f *fake) SavePace(_ context.Context, _ string, read, next seeding.Pace) error {
	if err := f.begin("SavePace"); err != nil {
		return err
	}
	if read != f.mts.Pace {
		return seeding.ErrConflict
	}
	f.mts.Pace = next
	return nil
}

func (f *fake) Submit(_ context.Context, r seeding.Request) (string, error) {
	f.posts = append(f.posts, r)
	err := f.begin("Submit")
	if r.Pull != nil {
		pulled := f.pull(r.Pull)
		if err == nil && len(pulled) == 0 {
			err = &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.CodeNothingPulled}
		}
		if fault := seeding.FaultOf(err); err != nil && fault.Kind != seeding.Unknown {
			pulled = nil
		}
		f.pulled = append(f.pulled, pulled)
	}
	if f.holds {
		held := make(chan struct{})
		f.held = append(f.held, held)
		f.turn <- struct{}{}
		<-held
	}
	return "request", err
}

// beside runs a POST until it ends or is held, so that one goroutine at a time is
// at work on the fake.
func (f *fake) beside(post func()) {
	go func() {
		post()
		f.turn <- struct{}{}
	}()
	<-f.turn
	f.handOver()
}

// handOver lets the next goroutine that calls it see what this one wrote. It is for
// the race detector, which does not know that synctest.Wait waits for who waits for
// a sync.WaitGroup.
func (f *fake) handOver() { f.handedOver.Add(1) }

// letGo ends a POST that is held, by its place in the order in which they began.
func (f *fake) letGo(place int) {
	held := f.held[place]
	f.held = slices.Delete(f.held, place, place+1)
	close(held)
	<-f.turn
}

func (f *fake) Status(context.Context, string, string) (seeding.MTSStatus, error) {
	return f.status, f.begin("Status")
}
