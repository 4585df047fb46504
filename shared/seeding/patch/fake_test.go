package patch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// errStorage is a failure of the storage.
var errStorage = errors.New("storage")

// fake is one connector with its batches and answers, the stores and the
// registry, in memory. It refuses what the real ones refuse, and notes every
// call. Time passes only as a test wants.
type fake struct {
	now   time.Time
	calls []string

	// during has what happens when a call begins. An error is that of the call,
	// which then does nothing.
	during map[string]func() error
	// after has what happens when a call that writes has taken effect. An error
	// is that of the call: its reply was lost.
	after map[string]func() error

	connector  seeding.Connector
	state      seeding.State
	batches    map[string]seeding.Batch
	answers    map[string][]seeding.AnswerPart // by batch
	rejections []seeding.Rejection
	lease      seeding.RegistryState
	mts        seeding.MTSState
	registry   *registry
	form       []seeding.Submission
	measured   map[string]float64
	watch      func() // is called with every call, if it is set
}

// newFake has a running connector with two registrants, of whom batch b1 was
// made a second ago, and the answer to it: a token for each.
func newFake() *fake {
	f := &fake{
		now: now, during: map[string]func() error{}, after: map[string]func() error{},
		connector: seeding.Connector{ID: "c", Version: 3, Registry: access, MTS: seeding.MTSAccess{URL: "http://mts", BatchMaximum: 1000}, Output: seeding.Output{RemoveVIDs: true, TokenShape: shortTokens}},
		state:     seeding.State{Connector: "c", Registry: registryKey, Status: seeding.Running, Version: 3, Problems: map[seeding.Source]seeding.Problem{}},
		batches:   map[string]seeding.Batch{}, answers: map[string][]seeding.AnswerPart{},
		lease: seeding.RegistryState{Key: registryKey}, mts: seeding.MTSState{Key: "m", Pace: seeding.Pace{Size: 2}},
		registry: &registry{vids: identifiers{sentVID(1), sentVID(2)}}, measured: map[string]float64{},
	}
	for i := range f.registry.vids {
		f.registry.vids[i].Created = now.Add(-time.Hour)
	}
	f.registry.begin, f.registry.end = f.begin, f.end
	f.sent(1, 2)
	f.answered(part("x", 1, 1), withToken(1, "A"), withToken(2, "B"))
	return f
}

// sent makes batch b1 of registrants.
func (f *fake) sent(registrants ...int64) {
	b := seeding.Batch{
		Ref:   seeding.BatchRef{Registry: registryKey, Connector: "c", Run: "run", Batch: batch},
		State: seeding.Submitted, MTS: "m", Size: len(registrants), InLine: len(registrants), Count: len(registrants),
		Claimed: now.Add(-time.Second), Submitted: now.Add(-time.Second), Deadline: now.Add(time.Minute),
		RequestID: "request", RowKey: key.ID, FingerprintKey: fingerprintKey,
	}
	for _, id := range registrants {
		b.Members = append(b.Members, sentRow(id).Member)
	}
	f.batches[batch] = b
}

// answered adds a part to the answer to batch b1.
func (f *fake) answered(p seeding.AnswerPart, rows ...seeding.Row) {
	p.Ref, p.Received, p.Packed = f.batches[batch].Ref, now, seeding.PackRows(rows)
	f.answers[batch] = append(f.answers[batch], p)
}

// says replaces the answer to batch b1.
func (f *fake) says(rows ...seeding.Row) {
	delete(f.answers, batch)
	f.answered(part("x", 1, 1), rows...)
}

// patch patches the registry of the fake.
func (f *fake) patch(t *testing.T) {
	t.Helper()
	if err := f.patcher().Patch(t.Context(), registryKey); err != nil {
		t.Fatal(err)
	}
}

func (f *fake) patcher() *Patcher {
	return &Patcher{
		Store: f, Registries: f, Forms: f, RowKeys: keyring{f}, Expressions: jq.Mappings{}, Meter: f, Clock: f,
		Times: seeding.DefaultTimes(), NewID: func() string { return "me" }, Log: slog.New(slog.DiscardHandler),
	}
}

// keyring has the key of the fake's rows.
type keyring struct{ *fake }

func (r keyring) Current(context.Context) (seeding.Key, error) { return key, nil }

func (r keyring) ByID(ctx context.Context, id string) (seeding.Key, error) {
	if err := r.begin("ByID"); err != nil {
		return seeding.Key{}, err
	}
	return seedingtest.Keyring{key}.ByID(ctx, id)
}

// once is an error of the first call only.
func once(err error) func() error {
	return func() error { defer func() { err = nil }(); return err }
}

func (f *fake) begin(call string) error {
	f.calls = append(f.calls, call)
	if f.watch != nil {
		f.watch()
	}
	if happens := f.during[call]; happens != nil {
		return happens()
	}
	return nil
}

func (f *fake) end(call string) error {
	if happens := f.after[call]; happens != nil {
		return happens()
	}
	return nil
}

// called counts the calls of a name.
func (f *fake) called(name string) (n int) {
	for _, call := range f.calls {
		if call == name {
			n++
		}
	}
	return n
}

func (f *fake) Now() time.Time { return f.now }

func (f *fake) Sleep(ctx context.Context, d time.Duration) error {
	f.now = f.now.Add(d)
	return ctx.Err()
}

func (f *fake) Measure(m seeding.Metric, value float64, kind string) { f.measured[m+kind] += value }

func (f *fake) Open(context.Context, seeding.Connector) (seeding.Registry, error) {
	return f.registry, f.begin("Open")
}

func (f *fake) OpenForm(context.Context, seeding.Connector) (seeding.Form, error) {
	return fakeForm{fake: f}, f.begin("OpenForm")
}

// fakeForm reads the submissions of the fake.
type fakeForm struct {
	seeding.Form
	fake *fake
}

func (r fakeForm) Read(_ context.Context, w seeding.Window, each func(seeding.Submission) error) error {
	return r.read("Read", each, func(s seeding.Submission) bool { return w.Has(s.Received) })
}

func (r fakeForm) ReadSome(_ context.Context, ids []string, each func(seeding.Submission) error) error {
	return r.read("ReadSome", each, func(s seeding.Submission) bool { return slices.Contains(ids, s.ID) })
}

// read gives the newest first, as Central does. What happens during "half" happens
// between two of them.
func (r fakeForm) read(call string, each func(seeding.Submission) error, of func(seeding.Submission) bool) error {
	if err := r.fake.begin(call); err != nil {
		return err
	}
	for _, s := range slices.Backward(r.fake.form) {
		if !of(s) {
			continue
		}
		if err := each(s); err != nil {
			return err
		}
		if happens := r.fake.during["half"]; happens != nil {
			if err := happens(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fake) Connector(_ context.Context, id string) (seeding.Connector, error) {
	if err := f.begin("Connector"); err != nil {
		return seeding.Connector{}, err
	}
	if id != f.connector.ID {
		return seeding.Connector{}, seeding.ErrNotFound
	}
	return f.connector, nil
}

func (f *fake) State(context.Context, string) (seeding.State, error) {
	if err := f.begin("State"); err != nil {
		return seeding.State{}, err
	}
	s := f.state
	s.Problems = maps.Clone(s.Problems)
	return s, nil
}

func (f *fake) RaiseProblem(_ context.Context, _ string, source seeding.Source, p seeding.Problem) error {
	if err := f.begin("RaiseProblem"); err != nil {
		return err
	}
	f.state.Problems[source] = p
	return f.end("RaiseProblem")
}

func (f *fake) ClearProblems(_ context.Context, _ string, sources []seeding.Source, _ time.Time) error {
	if len(sources) == 0 {
		return nil
	}
	if err := f.begin("ClearProblems"); err != nil {
		return err
	}
	for _, source := range sources {
		delete(f.state.Problems, source)
	}
	return f.end("ClearProblems")
}

func (f *fake) OpenBatches(_ context.Context, registry string) (open []seeding.Batch, err error) {
	if err := f.begin("OpenBatches"); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(f.batches)) {
		if b := f.batches[id]; b.State.Open() && b.Ref.Registry == registry {
			open = append(open, b)
		}
	}
	return open, nil
}

// Track refuses when somebody tracked the batch since it was read.
func (f *fake) Track(_ context.Context, b seeding.Batch, next seeding.Tracking) error {
	if err := f.begin("Track"); err != nil {
		return err
	}
	now := f.batches[b.Ref.Batch]
	switch {
	case !now.State.Open():
		return seeding.ErrNotFound
	case !now.Tracking.Done.Equal(b.Tracking.Done) || !now.Tracking.Looked.Equal(b.Tracking.Looked):
		return seeding.ErrConflict
	}
	now.Tracking = next
	f.batches[b.Ref.Batch] = now
	return f.end("Track")
}

func (f *fake) Batch(_ context.Context, ref seeding.BatchRef) (seeding.Batch, error) {
	if err := f.begin("Batch"); err != nil {
		return seeding.Batch{}, err
	}
	b, there := f.batches[ref.Batch]
	if !there {
		return b, seeding.ErrNotFound
	}
	return b, nil
}

// CountParts adds to the batch wherever it is now, and refuses when one of the
// parts is counted.
func (f *fake) CountParts(_ context.Context, b seeding.Batch, parts []string, add seeding.Totals) error {
	if err := f.begin("CountParts"); err != nil {
		return err
	}
	now := f.batches[b.Ref.Batch]
	if slices.ContainsFunc(parts, now.HasPart) {
		return seeding.ErrConflict
	}
	now.Parts, now.Totals = slices.Concat(now.Parts, parts), now.Totals.Plus(add)
	f.batches[b.Ref.Batch] = now
	return f.end("CountParts")
}

// Postpone refuses fewer attempts than are stored, and a shorter wait with as many.
func (f *fake) Postpone(_ context.Context, b seeding.Batch, attempts int, notBefore time.Time) error {
	if err := f.begin("Postpone"); err != nil {
		return err
	}
	now := f.batches[b.Ref.Batch]
	if now.Attempts > attempts || now.Attempts == attempts && !now.NotBefore.Before(notBefore) {
		return seeding.ErrConflict
	}
	now.Attempts, now.NotBefore = attempts, notBefore
	f.batches[b.Ref.Batch] = now
	return f.end("Postpone")
}

// Close refuses when the batch is closed or another part was counted meanwhile. The
// records of a patched batch count as delivered.
func (f *fake) Close(_ context.Context, b seeding.Batch) error {
	if err := f.begin("Close"); err != nil {
		return err
	}
	before := f.batches[b.Ref.Batch]
	if !before.State.Open() || slices.ContainsFunc(before.Parts, func(id string) bool { return !b.HasPart(id) }) {
		return seeding.ErrConflict
	}
	b.Members = nil
	f.batches[b.Ref.Batch] = b
	if b.State == seeding.Patched {
		f.mts.Delivered, f.mts.Heard = f.mts.Delivered+int64(b.Count), b.Closed
	}
	return f.end("Close")
}

func (f *fake) Rejections(_ context.Context, _ string, from, to int64) ([]seeding.Rejection, error) {
	if err := f.begin("Rejections"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(f.rejections), func(r seeding.Rejection) bool {
		return r.Submission != "" || r.Identifier < from || r.Identifier > to
	}), nil
}

func (f *fake) RejectionsOfSubmissions(_ context.Context, _, connector string, ids []string) ([]seeding.Rejection, error) {
	if err := f.begin("RejectionsOfSubmissions"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(f.rejections), func(r seeding.Rejection) bool {
		return r.Connector != connector || !slices.Contains(ids, r.Submission)
	}), nil
}

func (f *fake) PutRejections(_ context.Context, rejections []seeding.Rejection) (int, error) {
	if len(rejections) == 0 {
		return 0, nil
	}
	if err := f.begin("PutRejections"); err != nil {
		return 0, err
	}
	for _, r := range rejections {
		f.forget(r)
		r.Version++
		f.rejections = append(f.rejections, r)
	}
	return 0, f.end("PutRejections")
}

func (f *fake) DeleteRejections(_ context.Context, rejections []seeding.Rejection) error {
	if len(rejections) == 0 {
		return nil
	}
	if err := f.begin("DeleteRejections"); err != nil {
		return err
	}
	for _, r := range rejections {
		f.forget(r)
	}
	return f.end("DeleteRejections")
}

func (f *fake) forget(r seeding.Rejection) {
	f.rejections = slices.DeleteFunc(f.rejections, func(x seeding.Rejection) bool { return x.Key() == r.Key() })
}

func (f *fake) TakePatch(_ context.Context, _, owner string, at, until time.Time) (seeding.RegistryState, error) {
	if err := f.begin("TakePatch"); err != nil {
		return seeding.RegistryState{}, err
	}
	if f.lease.Patch.Live(at) {
		return seeding.RegistryState{}, seeding.ErrLeaseHeld
	}
	f.lease.Patch = seeding.Lease{Owner: owner, Until: until, Fence: f.lease.Patch.Fence + 1}
	return f.lease, f.end("TakePatch")
}

func (f *fake) HoldPatch(_ context.Context, _ string, fence int64, until time.Time) error {
	if err := f.begin("HoldPatch"); err != nil {
		return err
	}
	if fence != f.lease.Patch.Fence {
		return seeding.ErrConflict
	}
	f.lease.Patch.Until = until
	return f.end("HoldPatch")
}

func (f *fake) LeavePatch(_ context.Context, s seeding.RegistryState) error {
	if err := f.begin("LeavePatch"); err != nil {
		return err
	}
	if s.Patch.Fence != f.lease.Patch.Fence {
		return seeding.ErrConflict
	}
	f.lease = s
	return f.end("LeavePatch")
}

func (f *fake) MTSState(_ context.Context, key string) (seeding.MTSState, error) {
	if key != "m" {
		return seeding.MTSState{}, fmt.Errorf("no MTS %s", key)
	}
	if err := f.begin("MTSState"); err != nil {
		return seeding.MTSState{}, err
	}
	return f.mts, nil
}

func (f *fake) SavePace(_ context.Context, _ string, read, next seeding.Pace) error {
	if err := f.begin("SavePace"); err != nil {
		return err
	}
	if f.mts.Pace != read {
		return seeding.ErrConflict
	}
	f.mts.Pace = next
	return f.end("SavePace")
}

func (f *fake) NextAnswer(_ context.Context, registry, after string) (ref seeding.BatchRef, found bool, err error) {
	if err := f.begin("NextAnswer"); err != nil {
		return ref, false, err
	}
	for _, b := range slices.Sorted(maps.Keys(f.answers)) {
		if b > after {
			return seeding.BatchRef{Registry: registry, Batch: b}, true, nil
		}
	}
	return ref, false, nil
}

func (f *fake) AnswerParts(_ context.Context, _, batch, after string) (parts []seeding.AnswerPart, more bool, err error) {
	if err := f.begin("AnswerParts"); err != nil {
		return nil, false, err
	}
	all := slices.Clone(f.answers[batch])
	slices.SortStableFunc(all, func(x, y seeding.AnswerPart) int { return strings.Compare(x.Content, y.Content) })
	for _, p := range all {
		switch {
		case p.Content <= after:
		case len(parts) > 0 && p.Content != parts[0].Content:
			return parts, true, nil
		default:
			parts = append(parts, p)
		}
	}
	return parts, false, nil
}

func (f *fake) DeleteParts(_ context.Context, parts []seeding.AnswerPart) error {
	if err := f.begin("DeleteParts"); err != nil {
		return err
	}
	for _, p := range parts {
		left := slices.DeleteFunc(f.answers[p.Ref.Batch], func(x seeding.AnswerPart) bool { return x.ID() == p.ID() })
		if f.answers[p.Ref.Batch] = left; len(left) == 0 {
			delete(f.answers, p.Ref.Batch)
		}
	}
	return f.end("DeleteParts")
}
