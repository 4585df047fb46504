package seedingdb

import (
	"context"
	"slices"
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
	return readable(ctx, s, dynamo.Span{Partition: states}, decodeState)
}

// The due time is the earlier of two attributes: "due", set by whoever leaves
// the run lease, and "nudge", set by everybody who wants submit to look earlier.
// So a nudge is not overlooked by the holder of the lease, and no further write
// is needed. Taking the lease makes the nudge the due time, so that it is not
// lost if the holder dies. Leaving it keeps a nudge that came since.
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

// KeepRun implements seeding.Connectors.
func (s *Store) KeepRun(ctx context.Context, id string, fence int64, until time.Time) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       stateKey(id),
		Update:    "SET #until = :until",
		Condition: "#fence = :fence AND attribute_exists(#owner)",
		Values:    dynamo.Item{":until": dynamo.Instant(until), ":fence": dynamo.Number(fence)},
	})
	return notFoundOrConflict(err)
}

// NoteInvoked implements seeding.Connectors. Two ticks at once invoke a connector
// once: the second one finds that it was served since.
func (s *Store) NoteInvoked(ctx context.Context, read seeding.State, now time.Time, died seeding.Problem) error {
	c := dynamo.Change{
		Key:       stateKey(read.Connector),
		Update:    "SET #served = :now ADD #unreturned :one",
		Condition: "#fence = :fence AND #served = :served",
		Values: dynamo.Item{
			":now": dynamo.Instant(now), ":one": dynamo.Number(1),
			":fence": dynamo.Number(read.Lease.Fence), ":served": dynamo.Instant(read.Served),
		},
	}
	if read.Served.IsZero() {
		c.Condition = "#fence = :fence AND attribute_not_exists(#served)"
	}
	if died != (seeding.Problem{}) {
		c.Update = "SET #served = :now, " + problemPath(seeding.ProblemDied) + " = :died ADD #unreturned :one"
		c.Values[":died"] = encodeProblem(died)
	}
	_, err := s.connectors.Update(ctx, c)
	noted := func(old dynamo.Item) bool { return dynamo.NewReader(old).Instant("served").Equal(now) }
	return notFoundOrConflict(dynamo.Already(err, noted))
}

// LeaveRun implements seeding.Connectors.
func (s *Store) LeaveRun(ctx context.Context, id string, fence int64, served, due, moved time.Time) error {
	values := dynamo.Item{":due": dynamo.Instant(due), ":fence": dynamo.Number(fence)}
	set, remove := "SET #due = :due"+setMoved(moved, values), " REMOVE #owner, #until"
	if !served.IsZero() {
		values[":served"] = dynamo.Instant(served)
		set, remove = set+", #served = :served", remove+", #unreturned, "+problemPath(seeding.ProblemDied)
	}
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key: stateKey(id), Update: set + remove, Condition: "#fence = :fence", Values: values,
	})
	return notFoundOrConflict(err)
}

// setMoved continues a SET with the time at which the run moved last, if any.
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

// ClearProblems implements seeding.Connectors. If none of the sources has a
// problem it writes nothing; otherwise every success would make its connector
// due.
func (s *Store) ClearProblems(ctx context.Context, id string, sources []seeding.Source, now time.Time) error {
	if len(sources) == 0 {
		return nil
	}
	var paths, raised []string
	for _, source := range sources {
		path := problemPath(source)
		paths = append(paths, path)
		raised = append(raised, "attribute_exists("+path+")")
	}
	set := "SET #moved = :now"
	if slices.ContainsFunc(sources, seeding.Source.Delays) {
		set += ", #nudge = :now"
	}
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       stateKey(id),
		Update:    set + " REMOVE " + strings.Join(paths, ", "),
		Condition: strings.Join(raised, " OR "),
		Values:    dynamo.Item{":now": dynamo.Instant(now)},
	})
	none := func(dynamo.Item) bool { return true }
	return notFoundOrConflict(dynamo.Already(err, none))
}

// problemPath is the path of a problem in a state.
func problemPath(source seeding.Source) string {
	if name, has := shownName(source); has {
		return "#" + name
	}
	return "#problems.#" + string(source)
}

// shownName is the attribute of a problem that is only shown. The version before
// knows of these "unlink" and "policy" alone. It would take any other in the map of
// problems for one that blocks, and send probes for ever, which nothing clears.
func shownName(source seeding.Source) (name string, has bool) {
	if source.Blocks() || source == seeding.ProblemUnlink || source == seeding.ProblemPolicy {
		return "", false
	}
	return "shown_" + string(source), true
}

// removeShown continues a REMOVE with the problems that are not in the map.
func removeShown() string {
	var list strings.Builder
	for _, source := range seeding.OnlyShown {
		if name, has := shownName(source); has {
			list.WriteString(", #" + name)
		}
	}
	return list.String()
}

// newState is the first state of a connector. The map of problems must exist
// before a problem can be written into it.
func newState(c seeding.Connector) dynamo.Item {
	return dynamo.Item{
		"registry": dynamo.Text(c.RegistryKey()), "mts": dynamo.Text(c.MTSKey()),
		"version": dynamo.Number(c.Version), "status": dynamo.Text(string(seeding.Stopped)),
		"due": dynamo.Number(0), "fence": dynamo.Number(0), "problems": noProblems(),
		"name": dynamo.Text(c.Name), "mtsHost": dynamo.Text(seeding.Origin(c.MTS.URL)), "registryHost": dynamo.Text(seeding.Origin(c.Registry.URL)),
		"odkHost": dynamo.Text(seeding.Origin(c.ODK.BaseURL)), "odkForm": dynamo.Text(c.ODK.FormID()),
	}
}

func noProblems() types.AttributeValue { return dynamo.Map(dynamo.Item{}) }

func decodeState(it dynamo.Item) (seeding.State, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	state := seeding.State{
		Connector:  r.Key().Sort,
		Registry:   r.Text("registry"),
		MTS:        r.Text("mts"),
		Version:    r.Int("version"),
		Status:     seeding.Status(r.Text("status")),
		Due:        r.Instant("due"),
		Since:      r.Instant("since"),
		Begun:      r.Instant("begun"),
		Run:        r.Text("run"),
		Open:       decodeOpenRun(r),
		Imports:    r.Set("imports"),
		Cancelled:  r.Set("cancelled"),
		Halted:     r.Instant("halted"),
		Moved:      r.Instant("moved"),
		Lease:      seeding.Lease(r.Lease()),
		Served:     r.Instant("served"),
		Unreturned: r.Int("unreturned"),
		Problems:   map[seeding.Source]seeding.Problem{},
		Retried:    decodeRetried(r),
		Figures:    decodeFigures(r),
		Name:       r.Text("name"),
		MTSHost:    r.Text("mtsHost"), RegistryHost: r.Text("registryHost"),
		ODKHost: r.Text("odkHost"), ODKForm: r.Text("odkForm"),
	}
	if nudge := r.Instant("nudge"); !nudge.IsZero() && nudge.Before(state.Due) {
		state.Due = nudge
	}
	r.Map("problems", func(r *dynamo.Reader) {
		for _, source := range r.Names() {
			r.Map(source, func(r *dynamo.Reader) { state.Problems[seeding.Source(source)] = decodeProblem(r) })
		}
	})
	for _, source := range seeding.OnlyShown {
		if name, has := shownName(source); has {
			r.Map(name, func(r *dynamo.Reader) { state.Problems[source] = decodeProblem(r) })
		}
	}
	return dynamo.Decoded(r, state)
}

// retriedName is the attribute with the time of the last retry of a kind.
func retriedName(kind seeding.RejectionKind) string { return "again_" + string(kind) }

// retriedCodes is the attribute with the times of groups with a code: a map by kind
// and code, with a space between them. It is replaced as a whole.
const retriedCodes = "againCodes"

func encodeRetriedCodes(a seeding.Retried) dynamo.Item {
	codes := dynamo.Item{}
	for g, at := range a {
		if g.Code != "" {
			codes[string(g.Kind)+" "+g.Code] = dynamo.Instant(at)
		}
	}
	return codes
}

// decodeRetried is nil if nothing was ever retried.
func decodeRetried(r *dynamo.Reader) seeding.Retried {
	retried := seeding.Retried{}
	for _, kind := range append([]seeding.RejectionKind{""}, seeding.RejectionKinds...) {
		if at := r.Instant(retriedName(kind)); !at.IsZero() {
			retried[seeding.Group{Kind: kind}] = at
		}
	}
	r.Map(retriedCodes, func(r *dynamo.Reader) {
		for _, name := range r.Names() {
			kind, code, _ := strings.Cut(name, " ")
			retried[seeding.Group{Kind: seeding.RejectionKind(kind), Code: code}] = r.Instant(name)
		}
	})
	if len(retried) == 0 {
		return nil
	}
	return retried
}

func encodeProblem(p seeding.Problem) types.AttributeValue {
	return dynamo.Map(dynamo.OmitZero(dynamo.Item{
		"text": dynamo.Text(p.Text), "remedy": dynamo.Text(p.Remedy), "code": dynamo.Text(p.Code),
		"fault": dynamo.Text(p.Named.Fault), "field": dynamo.Text(p.Named.Field), "server": dynamo.Text(p.Named.Server),
		"address": dynamo.Text(p.Named.Address), "count": dynamo.Number(p.Named.Count),
		"since": dynamo.Instant(p.Since), "tries": dynamo.Number(p.Attempts), "next": dynamo.Instant(p.Next),
	}))
}

func decodeProblem(r *dynamo.Reader) seeding.Problem {
	return seeding.Problem{
		Code: r.Text("code"), Text: r.Text("text"), Remedy: r.Text("remedy"),
		Named: seeding.Named{Fault: r.Text("fault"), Field: r.Text("field"), Server: r.Text("server"), Address: r.Text("address"), Count: r.Int("count")},
		Since: r.Instant("since"), Attempts: r.Int("tries"), Next: r.Instant("next"),
	}
}
