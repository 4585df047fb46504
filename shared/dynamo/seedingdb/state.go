package seedingdb

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

const states = "states"

func stateKey(id string) dynamo.Key { return dynamo.Key{Partition: states, Sort: id} }

// State implements seeding.Connectors and the store of the connectors API.
func (s *Store) State(ctx context.Context, id string) (seeding.State, error) {
	return get(ctx, s, stateKey(id), decodeState)
}

// States implements seeding.Connectors.
func (s *Store) States(ctx context.Context) ([]seeding.State, error) {
	return dynamo.All(ctx, s.connectors, dynamo.Span{Partition: states}, decodeState)
}

// The due time is two attributes, so that nobody who wants submit to look
// earlier is overlooked by a holder of the run lease, and neither needs a write
// more: "due" is set by whoever leaves the lease, "nudge" by everybody else.
// What counts is the earlier of the two. Taking the lease makes the nudge the
// due time, so it outlives a taker who dies; leaving leaves a nudge alone that
// came since.
const foldNudge = "#due = if_not_exists(#nudge, #due)"

// TakeRun implements seeding.Connectors.
func (s *Store) TakeRun(ctx context.Context, id, owner string, now, until, moved time.Time) (seeding.State, error) {
	values := dynamo.LeaseValues(owner, now, until)
	it, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       stateKey(id),
		Update:    "SET " + dynamo.LeaseSet + ", " + foldNudge + setMoved(moved, values) + " REMOVE #nudge ADD " + dynamo.LeaseAdd,
		Condition: dynamo.Exists + " AND (" + dynamo.LeaseMine + " OR " + dynamo.LeaseFree + ")",
		Values:    values,
	})
	if err != nil {
		return seeding.State{}, dynamo.Explain(err, seeding.ErrNotFound, seeding.ErrLeaseHeld)
	}
	return decodeState(it)
}

// LeaveRun implements seeding.Connectors.
func (s *Store) LeaveRun(ctx context.Context, id string, fence int64, due, moved time.Time) error {
	values := dynamo.Item{":due": dynamo.Instant(due), ":fence": dynamo.Number(fence)}
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       stateKey(id),
		Update:    "SET #due = :due" + setMoved(moved, values) + " REMOVE #owner, #until",
		Condition: "#fence = :fence",
		Values:    values,
	})
	return notFoundOrConflict(err)
}

// setMoved continues a SET with when the run moved last, if it did.
func setMoved(moved time.Time, values dynamo.Item) string {
	if moved.IsZero() {
		return ""
	}
	values[":moved"] = dynamo.Instant(moved)
	return ", #moved = :moved"
}

// RaiseProblem implements seeding.Connectors.
func (s *Store) RaiseProblem(ctx context.Context, id string, source seeding.Source, p seeding.Problem) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       stateKey(id),
		Update:    "SET " + problemPath(source) + " = :problem",
		Condition: dynamo.Exists,
		Values:    dynamo.Item{":problem": encodeProblem(p)},
	})
	return notFoundOrConflict(err)
}

// ClearProblems implements seeding.Connectors. Where none of the sources has a
// problem there is nothing to look at earlier either: else every success would
// make its connector due.
func (s *Store) ClearProblems(ctx context.Context, id string, sources []seeding.Source, now time.Time) error {
	if len(sources) == 0 {
		return nil
	}
	var paths, standing []string
	for _, source := range sources {
		path := problemPath(source)
		paths = append(paths, path)
		standing = append(standing, "attribute_exists("+path+")")
	}
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       stateKey(id),
		Update:    "SET #nudge = :now, #moved = :now REMOVE " + strings.Join(paths, ", "),
		Condition: strings.Join(standing, " OR "),
		Values:    dynamo.Item{":now": dynamo.Instant(now)},
	})
	none := func(dynamo.Item) bool { return true }
	return notFoundOrConflict(dynamo.Already(err, none))
}

// problemPath is where a problem stands; sources are words of our own.
func problemPath(source seeding.Source) string { return "#problems.#" + string(source) }

// newState is the state that a connector begins with. The map of problems must
// exist before one can be put into it.
func newState(c seeding.Connector) dynamo.Item {
	return dynamo.Item{
		"registry": dynamo.Text(c.RegistryKey()), "mts": dynamo.Text(c.MTSKey()),
		"version": dynamo.Number(c.Version), "status": dynamo.Text(string(seeding.Stopped)),
		"due": dynamo.Number(0), "fence": dynamo.Number(0), "problems": noProblems(),
	}
}

func noProblems() types.AttributeValue { return dynamo.Map(dynamo.Item{}) }

func decodeState(it dynamo.Item) (seeding.State, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	state := seeding.State{
		Connector: r.Key().Sort,
		Registry:  r.Text("registry"),
		MTS:       r.Text("mts"),
		Version:   r.Int("version"),
		Status:    seeding.Status(r.Text("status")),
		Due:       r.Instant("due"),
		Run:       r.Text("run"),
		Imports:   r.Set("imports"),
		Moved:     r.Instant("moved"),
		Lease:     seeding.Lease(r.Lease()),
		Problems:  map[seeding.Source]seeding.Problem{},
		Retried:   decodeAgain(r),
	}
	if nudge := r.Instant("nudge"); !nudge.IsZero() && nudge.Before(state.Due) {
		state.Due = nudge
	}
	r.Map("problems", func(r *dynamo.Reader) {
		for _, source := range r.Names() {
			r.Map(source, func(r *dynamo.Reader) { state.Problems[seeding.Source(source)] = decodeProblem(r) })
		}
	})
	return dynamo.Decoded(r, state)
}

// againOf is the attribute with the time of "try again" of a kind.
func againOf(kind seeding.RejectionKind) string { return "again_" + string(kind) }

// decodeAgain is nil when nobody ever said "try again".
func decodeAgain(r *dynamo.Reader) (again map[seeding.RejectionKind]time.Time) {
	for _, kind := range append([]seeding.RejectionKind{""}, seeding.RejectionKinds...) {
		if at := r.Instant(againOf(kind)); !at.IsZero() {
			if again == nil {
				again = map[seeding.RejectionKind]time.Time{}
			}
			again[kind] = at
		}
	}
	return again
}

func encodeProblem(p seeding.Problem) types.AttributeValue {
	return dynamo.Map(dynamo.OmitZero(dynamo.Item{
		"text": dynamo.Text(p.Text), "remedy": dynamo.Text(p.Remedy),
		"since": dynamo.Instant(p.Since), "tries": dynamo.Number(p.Attempts), "next": dynamo.Instant(p.Next),
	}))
}

func decodeProblem(r *dynamo.Reader) seeding.Problem {
	return seeding.Problem{
		Text: r.Text("text"), Remedy: r.Text("remedy"),
		Since: r.Instant("since"), Attempts: r.Int("tries"), Next: r.Instant("next"),
	}
}
