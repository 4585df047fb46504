package seeding

import (
	"context"
	"time"
)

// The stores. Reads are strongly consistent. Every write is conditional on the
// state that its caller read: ErrConflict means that state is gone. ErrHeld and
// ErrNotFound are as their names say; every other error is of the storage, and
// a write that ended in one may have taken effect.

// Connectors keeps configurations and what is shared about each connector.
type Connectors interface {
	Connector(ctx context.Context, id string) (Connector, error)
	State(ctx context.Context, id string) (State, error)
	// States returns the state of every connector.
	States(ctx context.Context) ([]State, error)
	// TakeRun takes the run lease for owner until the given time and returns
	// the state with the new fence. It notes when the run moved last; a zero
	// time leaves what is noted.
	TakeRun(ctx context.Context, id, owner string, now, until, moved time.Time) (State, error)
	// LeaveRun gives the run lease back and sets the due time, unless the due
	// time was moved meanwhile by somebody who wants submit to look earlier. It
	// notes when the run moved last, as TakeRun does.
	LeaveRun(ctx context.Context, id string, fence int64, due, moved time.Time) error
	// RaiseProblem sets the problem of a source.
	RaiseProblem(ctx context.Context, id string, source Source, p Problem) error
	// ClearProblems removes problems and, if one of them stood, makes the
	// connector due now. From now on its run may move again. No sources are no
	// write.
	ClearProblems(ctx context.Context, id string, sources []Source, now time.Time) error
}

// Runs keeps the runs of connectors.
type Runs interface {
	Run(ctx context.Context, connector, id string) (Run, error)
	// OpenRun writes a new run and enters it in the state, which must be at the
	// run's version. For a recurring run it must be running, without an open
	// one, under the run's fence; an import may be opened by anybody.
	OpenRun(ctx context.Context, r Run) error
	// SaveRun writes cursor, passes and tally of an open run.
	SaveRun(ctx context.Context, r Run) error
	// CompleteRun writes the run's end and takes it out of the state.
	CompleteRun(ctx context.Context, r Run) error
}

// Batches keeps open batches by registry and closed ones by run.
type Batches interface {
	OpenBatches(ctx context.Context, registry string) ([]Batch, error)
	ClosedBatches(ctx context.Context, connector, run string) ([]Batch, error)
	// Batch finds a batch, open or closed.
	Batch(ctx context.Context, ref BatchRef) (Batch, error)
	// Claim is the one transaction before a POST.
	Claim(ctx context.Context, c Claim) error
	// MarkSubmitted notes MTS's request identifier on a claimed batch, and when
	// it came.
	MarkSubmitted(ctx context.Context, ref BatchRef, requestID string, now time.Time) error
	// CountParts adds totals and parts to a batch, open or closed; ErrConflict
	// when one of the parts is counted already.
	CountParts(ctx context.Context, b Batch, parts []string, add Totals) error
	// Postpone notes a failed attempt to work the answer of a batch off, be it
	// open or closed. With the attempts that b has already it only waits, and
	// never for a shorter time.
	Postpone(ctx context.Context, b Batch, attempts int, notBefore time.Time) error
	// Close moves an open batch to its run in the state, with the totals and
	// parts, that b holds.
	Close(ctx context.Context, b Batch) error
}

// Rejections keeps who waits, by registry and identifier.
type Rejections interface {
	// Rejections returns those of identifiers in [from, to], of all connectors.
	Rejections(ctx context.Context, registry string, from, to int64) ([]Rejection, error)
	// PutRejections writes each on condition that its Version is still what
	// the item has, and returns how many could not be written for that.
	PutRejections(ctx context.Context, rejections []Rejection) (conflicts int, err error)
	// DeleteRejections deletes each on the same condition.
	DeleteRejections(ctx context.Context, rejections []Rejection) error
}

// RegistryStates keeps what is shared about registries.
type RegistryStates interface {
	// RegistryState of a registry that nobody used yet is zero but for its key.
	RegistryState(ctx context.Context, key string) (RegistryState, error)
	RegistryStates(ctx context.Context) ([]RegistryState, error)
	// TakePatch takes the patch lease.
	TakePatch(ctx context.Context, key, owner string, now, until time.Time) (RegistryState, error)
	// LeavePatch writes everything but the counter, the end of the lease
	// included, under the fence of s.
	LeavePatch(ctx context.Context, s RegistryState) error
	// NoteOutage sets the end of an outage and how often in a row it was
	// tried; a zero time ends the outage.
	NoteOutage(ctx context.Context, key string, until time.Time, attempts int) error
}

// MTSStates keeps what is shared about each MTS.
type MTSStates interface {
	// MTSState of a key that nobody used yet is zero but for its key.
	MTSState(ctx context.Context, key string) (MTSState, error)
	// TakeMTS takes the POST lease. ErrHeld when it is held, or when somebody
	// else has waited for it longer; whoever meets ErrHeld is marked as
	// waiting until waitUntil if nobody else is.
	TakeMTS(ctx context.Context, key, owner string, now, until, waitUntil time.Time) (MTSState, error)
	// LeaveMTS gives the lease back and notes when the next POST may be.
	LeaveMTS(ctx context.Context, key string, fence int64, notBefore time.Time, attempts int) error
	// SavePace writes next if the pace is still the one that was read.
	SavePace(ctx context.Context, key string, read, next Pace) error
}

// Answers reads and deletes what the callback stored.
type Answers interface {
	// NextAnswer returns the first batch of the registry, after the given one
	// in the order of batch ids, that has a part of an answer.
	NextAnswer(ctx context.Context, registry, after string) (ref BatchRef, found bool, err error)
	HasAnswer(ctx context.Context, registry, batch string) (bool, error)
	AnswerParts(ctx context.Context, registry, batch string) ([]AnswerPart, error)
	DeleteParts(ctx context.Context, parts []AnswerPart) error
}

// AnswerInbox is all that the public function may do.
type AnswerInbox interface {
	// PutPart stores a part; one that is there already is a success.
	PutPart(ctx context.Context, part AnswerPart) error
}

// Clock is the time as the functions see it.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error when that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}
