package seeding

import (
	"context"
	"time"
)

// The stores. Reads are strongly consistent. Every write is conditional on the
// state that its caller read; ErrConflict says that it has changed since. An
// error that is not of this package is a failure of the storage, and a write that
// ended in one may have taken effect.

// Connectors keeps configurations and the state of each connector.
type Connectors interface {
	Connector(ctx context.Context, id string) (Connector, error)
	State(ctx context.Context, id string) (State, error)
	// States returns the state of every connector. With ErrDamaged it returns
	// those that can be read: one damaged item must not stop the others.
	States(ctx context.Context) ([]State, error)
	// TakeRun takes the run lease for owner until the given time and returns
	// the state with the new fence. It writes moved, unless that is zero.
	// ErrLeaseHeld if somebody else has the lease.
	TakeRun(ctx context.Context, id, owner string, now, until, moved time.Time) (State, error)
	// KeepRun makes the run lease last until the given time; ErrConflict if it was
	// given back, or taken anew. The fence stays.
	KeepRun(ctx context.Context, id string, fence int64, until time.Time) error
	// LeaveRun gives the run lease back and sets the due time, unless somebody
	// made it earlier meanwhile. The connector was served until the given time, and
	// nothing is left of Unreturned and of the problem ProblemDied; all of them stay
	// after a failure, when served is zero.
	// It writes moved, unless that is zero.
	LeaveRun(ctx context.Context, id string, fence int64, served, due, moved time.Time) error
	// NoteInvoked writes that submit is invoked for the connector of the state that
	// was read: it is served now, and Unreturned grows by one. It sets the problem
	// ProblemDied to died, unless that is zero. ErrConflict if it was invoked, or its
	// lease taken, since.
	NoteInvoked(ctx context.Context, read State, now time.Time, died Problem) error
	// RaiseProblem sets the problem of a source.
	RaiseProblem(ctx context.Context, id string, source Source, p Problem) error
	// ClearProblems removes problems and, if there was one of them, sets Moved to
	// now and makes the connector due, if one of the sources delays it. Without
	// sources it writes nothing.
	ClearProblems(ctx context.Context, id string, sources []Source, now time.Time) error
}

// Runs keeps the runs of connectors.
type Runs interface {
	Run(ctx context.Context, connector, id string) (Run, error)
	// OpenRun writes a new run and adds it to the state, whose version must be
	// the run's. For a recurring run the connector must be running, without an
	// open one, and the fence the run's; an import needs no lease.
	OpenRun(ctx context.Context, r Run) error
	// FinishJob makes a running connector of the version that was read, without an
	// open recurring run, completed: its schedule has no run to come. Under the run
	// lease.
	FinishJob(ctx context.Context, id string, version int, fence int64) error
	// ListedPart returns the part of the list of an import that holds the first
	// registrant after the given one; found is false if there is none.
	ListedPart(ctx context.Context, connector, run string, after int64) (part ListedPart, found bool, err error)
	// SaveListed writes what a run found of the registrants of a part, under the
	// fence of the run lease.
	SaveListed(ctx context.Context, connector, run string, part ListedPart, fence int64) error
	// SaveRun writes cursor, passes and tally of an open run.
	SaveRun(ctx context.Context, r Run) error
	// CompleteRun writes the run's end with its reason, and its totals, removes it from the state, and
	// writes its figures there; ErrConflict also if a late answer was counted since
	// the run was read. rejections are those of the connector, if they were counted;
	// else nil, and the count of before stays.
	CompleteRun(ctx context.Context, r Run, rejections *RejectionCount) error
}

// Batches keeps open batches by registry and closed ones by run.
type Batches interface {
	// OpenBatches and ClosedBatches return those that can be read; ErrDamaged as
	// for States.
	OpenBatches(ctx context.Context, registry string) ([]Batch, error)
	ClosedBatches(ctx context.Context, connector, run string) ([]Batch, error)
	// Batch returns a batch, open or closed.
	Batch(ctx context.Context, ref BatchRef) (Batch, error)
	// Claim is the one transaction before a POST. It takes a slot at the MTS, ends
	// the connector's waiting, and removes what others left there. The run counts the
	// batch, and its records as sent.
	Claim(ctx context.Context, c Claim) error
	// MarkSubmitted writes MTS's request identifier, and when it came, to a
	// claimed batch.
	MarkSubmitted(ctx context.Context, ref BatchRef, requestID string, now time.Time) error
	// CountParts adds totals (Batch.Fresh) and parts to a batch, open or closed; ErrConflict
	// if one of the parts is counted already. What comes for a closed batch is added
	// to its run, too, and to the figures of the connector if the run is completed.
	CountParts(ctx context.Context, b Batch, parts []string, add Totals) error
	// Postpone writes the attempts to process the answer of a batch, open or
	// closed, and the time of the next one. With the attempts that b has it only
	// makes that time later.
	Postpone(ctx context.Context, b Batch, attempts int, notBefore time.Time) error
	// Track writes what is known of the delivery of an open direct batch, on
	// condition that nobody wrote since b was read: ErrConflict, or ErrNotFound if it
	// is closed. Quiet stays as it was claimed.
	Track(ctx context.Context, b Batch, next Tracking) error
	// Close moves an open batch to its run, with the state, totals and parts of
	// b, and frees its slot. The records of a patched batch count as delivered. The
	// totals are added to the run; what does not count as sent is subtracted.
	Close(ctx context.Context, b Batch) error
}

// Rejections keeps rejections by registry and identifier.
type Rejections interface {
	// Rejections returns those of identifiers from one to the other, both
	// included, of all connectors; ErrDamaged as for States.
	Rejections(ctx context.Context, registry string, from, to int64) ([]Rejection, error)
	// RejectionsAt returns those of the identifiers, of all connectors, and maybe of
	// others between them; ErrDamaged as for States.
	RejectionsAt(ctx context.Context, registry string, identifiers []int64) ([]Rejection, error)
	// PutRejections writes each on condition that the stored Version is still
	// the same. conflicts counts those for which it is not.
	PutRejections(ctx context.Context, rejections []Rejection) (conflicts int, err error)
	// DeleteRejections deletes each on the same condition.
	DeleteRejections(ctx context.Context, rejections []Rejection) error
	// ListRejections returns up to limit rejections of a connector that the filter
	// selects, in the order of their identifiers, submissions last, after the given page
	// mark; next is the next mark, or "" at the end. It reads about ten thousand for a page and no
	// more, so a page may have fewer, or none, although others follow.
	ListRejections(ctx context.Context, registry, connector string, filter RejectionFilter, after string, limit int) (list []Rejection, next string, err error)
}

// RegistryStates keeps the state of registries.
type RegistryStates interface {
	// RegistryState of a registry that was never used has only its key.
	RegistryState(ctx context.Context, key string) (RegistryState, error)
	// RegistryStates returns all; ErrDamaged as for States.
	RegistryStates(ctx context.Context) ([]RegistryState, error)
	// TakePatch takes the patch lease; ErrLeaseHeld if somebody else has it.
	TakePatch(ctx context.Context, key, owner string, now, until time.Time) (RegistryState, error)
	// HoldPatch sets the end of the patch lease, under the fence of its holder:
	// ErrConflict if somebody else took it since, even if it had ended.
	HoldPatch(ctx context.Context, key string, fence int64, until time.Time) error
	// LeavePatch writes everything but the counter, also the end of the lease,
	// under the fence of s.
	LeavePatch(ctx context.Context, s RegistryState) error
	// NoteOutage sets the end of an outage and the number of failed attempts; a
	// zero time ends the outage.
	NoteOutage(ctx context.Context, key string, until time.Time, attempts int) error
}

// MTSStates keeps the state of each MTS.
type MTSStates interface {
	// MTSState of an MTS that was never used has only its key.
	MTSState(ctx context.Context, key string) (MTSState, error)
	// WaitForMTS writes that a connector waits for a slot, or that it still does.
	WaitForMTS(ctx context.Context, key string, w Waiting) error
	// NoteMTS writes when the next POST may be, and how many in a row were
	// surely not taken.
	NoteMTS(ctx context.Context, key string, notBefore time.Time, attempts int) error
	// SavePace writes next if the pace is still read.
	SavePace(ctx context.Context, key string, read, next Pace) error
}

// Answers reads and deletes what the callback stored. What of it cannot be read is
// passed over, because others must not wait for it; then the error is a
// *DamagedAnswer, beside what was found.
type Answers interface {
	// NextAnswer returns the first batch of the registry with an answer, or a
	// part of one, after the given batch in the order of ids.
	NextAnswer(ctx context.Context, registry, after string) (ref BatchRef, found bool, err error)
	// HasAnswer reports whether a batch has an answer that can be read.
	HasAnswer(ctx context.Context, registry, batch string) (bool, error)
	// AnswerParts returns the parts of one answer to a batch: the first one after
	// the given content, in the order of contents; "" is before all. more reports
	// whether another one follows. Several answers together may be large.
	AnswerParts(ctx context.Context, registry, batch, after string) (parts []AnswerPart, more bool, err error)
	DeleteParts(ctx context.Context, parts []AnswerPart) error
}

// AnswerInbox is all that the public function may do.
type AnswerInbox interface {
	// PutPart stores a part. If it is stored already it is a success.
	PutPart(ctx context.Context, part AnswerPart) error
}

// Clock is the clock of the functions.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error if that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}
