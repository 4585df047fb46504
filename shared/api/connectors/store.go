package connectors

import (
	"context"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Store is what the API calls of the store of connectors. Reads are strongly
// consistent. Every write is conditional on the state that its caller read;
// seeding.ErrConflict means that the state has changed since. Errors other than
// those of seeding are failures of the storage, and a write that ended in one
// may have taken effect.
type Store interface {
	Connector(ctx context.Context, id string) (seeding.Connector, error)
	State(ctx context.Context, id string) (seeding.State, error)
	// ListStates returns up to limit states of connectors with id > after, ordered
	// by id. next is the next after, or "" at the end.
	ListStates(ctx context.Context, after string, limit int) (list []seeding.State, next string, err error)

	// The changes that a write is given are written with it, or not at all.

	// CreateConnector writes configuration and state, stopped; ErrConflict when the id is taken.
	CreateConnector(ctx context.Context, c seeding.Connector, changes ...seeding.Change) error
	// ReplaceConnector writes c, whose Version is the read one plus one, clears
	// the problems and makes a running connector due now. ErrOpenBatches when
	// the registry would change while batches of the connector are open.
	ReplaceConnector(ctx context.Context, c seeding.Connector, now time.Time, changes ...seeding.Change) error
	// DeleteConnector deletes configuration and state of the read version.
	// Another connector of the registry deletes its rejections when a pass of
	// its own meets them. ErrOpenBatches while batches are open or submit is at
	// work.
	DeleteConnector(ctx context.Context, id string, version int, now time.Time, changes ...seeding.Change) error
	// SetStatus starts or stops a connector; doing so twice is a success.
	// Starting clears the problems and makes the connector due now.
	SetStatus(ctx context.Context, id string, status seeding.Status, now time.Time, changes ...seeding.Change) error
	// Retry makes the rejections of a group due, and the connector due now.
	// ErrTooMany: no other group with a code can be asked for.
	Retry(ctx context.Context, id string, group seeding.Group, now time.Time, changes ...seeding.Change) error
	// RetryRejections makes some rejections due, by their registry, connector and
	// identifier, and the connector due now. It returns how many there were. The
	// change gets their number; without any there is none.
	RetryRejections(ctx context.Context, list []seeding.Rejection, now time.Time, change seeding.Change) (found int, err error)
	// CountRejections returns how many of some rejections there are.
	CountRejections(ctx context.Context, list []seeding.Rejection) (found int, err error)
	// ListChanges returns up to limit changes of a connector, newest first, after the
	// given page mark, also of one that was deleted.
	ListChanges(ctx context.Context, connector, before string, limit int) (list []seeding.Change, next string, err error)
	// ListRuns returns up to limit runs, newest first, with ids below before ("" for all).
	ListRuns(ctx context.Context, connector, before string, limit int) (list []seeding.Run, next string, err error)
	Run(ctx context.Context, connector, id string) (seeding.Run, error)
	// OpenImport opens an import, with its list and its key; ErrConflict if the
	// connector has another version, seeding.MaxImports are open, or the key was used.
	OpenImport(ctx context.Context, o seeding.Order, now time.Time, changes ...seeding.Change) error
	// OrderedImport returns the import that a request with a key opened, and the
	// digest of the request; ErrNotFound if there is none, or it has expired.
	OrderedImport(ctx context.Context, connector, key string, now time.Time) (run, digest string, err error)
	// CancelRun notes that an open run is to end; ErrConflict if it is not open.
	CancelRun(ctx context.Context, r seeding.Run, now time.Time, changes ...seeding.Change) error
	// ListedPart returns the part of the list of an import that holds the first
	// registrant after the given one; found is false if there is none.
	ListedPart(ctx context.Context, connector, run string, after int64) (part seeding.ListedPart, found bool, err error)
	// RejectionsAt returns those of the identifiers, of all connectors, and maybe of
	// others between them.
	RejectionsAt(ctx context.Context, registry string, identifiers []int64) ([]seeding.Rejection, error)
	// RunBatches returns all batches of a run, open and closed, oldest first.
	RunBatches(ctx context.Context, registry, connector, run string) ([]seeding.Batch, error)
	// ListBatches returns up to limit batches of a run, oldest first, after the given
	// one. Open ones are looked for if registry is not "".
	ListBatches(ctx context.Context, registry, connector, run, after string, limit int) (list []seeding.Batch, next string, err error)
	// BatchesWith looks at up to limit closed batches of a run, newest first, before
	// the given one ("" for all), and returns those that held a registrant. next is
	// the last that was looked at, or "" at the end.
	BatchesWith(ctx context.Context, connector, run string, registrant int64, before string, limit int) (list []seeding.Batch, next string, err error)
	// OpenBatches returns those of a registry that can be read; ErrDamaged if there
	// are others.
	OpenBatches(ctx context.Context, registry string) ([]seeding.Batch, error)
	// MTSState of an MTS that was never used has only its key.
	MTSState(ctx context.Context, key string) (seeding.MTSState, error)
	// RegistryState of a registry that was never used has only its key.
	RegistryState(ctx context.Context, key string) (seeding.RegistryState, error)
	// ListRejections is seeding.Rejections': a page may have fewer, or none, although
	// others follow.
	ListRejections(ctx context.Context, registry, connector string, filter seeding.RejectionFilter, after string, limit int) (list []seeding.Rejection, next string, err error)
	// CountedRejections are those of a connector as they were counted at the end of
	// its last run; zero before the first is over.
	CountedRejections(ctx context.Context, connector string) (seeding.RejectionCount, error)

	// Ask, Inquiry, FetchInquiry and Found are those of seeding.Inquiries.
	Ask(ctx context.Context, q seeding.Inquiry) (seeding.Inquiry, error)
	Inquiry(ctx context.Context, id string, now time.Time) (seeding.Inquiry, error)
	FetchInquiry(ctx context.Context, q seeding.Inquiry, state seeding.InquiryState, now time.Time) error
	Found(ctx context.Context, registry string) (seeding.RegistryFound, error)
	// Coverage of a connector of ODK is what of its form is done.
	Coverage(ctx context.Context, connector string) (seeding.Coverage, error)
}

// Secrets keeps the secret fields of connectors. The API cannot read them.
type Secrets interface {
	// Put stores a value and returns its version. inUse is the version that the
	// configuration names now, which stays readable; if it names none, something that no
	// other configuration of the connector has.
	Put(ctx context.Context, connectorID, field, value, inUse string) (version string, err error)
	// Delete removes all versions. Without any it is a success.
	Delete(ctx context.Context, connectorID, field string) error
}

// Invoker starts submit for a connector and does not wait for it. An invocation
// may be lost: the next tick finds the connector due.
type Invoker interface {
	InvokeSubmit(ctx context.Context, connector string) error
	// InvokeInquiry starts submit for an inquiry.
	InvokeInquiry(ctx context.Context, id string) error
}
