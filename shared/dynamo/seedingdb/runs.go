package seedingdb

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

const runPrefix = "run#"

func runs(connector string) string { return "C#" + connector }

func runKey(connector, run string) dynamo.Key {
	return dynamo.Key{Partition: runs(connector), Sort: runPrefix + run}
}

// Run implements seeding.Runs and the store of the connectors API.
func (s *Store) Run(ctx context.Context, connector, id string) (seeding.Run, error) {
	if id == "" {
		return seeding.Run{}, seeding.ErrNotFound
	}
	return get(ctx, s, runKey(connector, id), decodeRun)
}

// OpenRun implements seeding.Runs.
func (s *Store) OpenRun(ctx context.Context, r seeding.Run) error {
	return conflict(dynamo.Transact(ctx, s.client, s.toOpen(r)...))
}

// toOpen are the writes that open a run.
func (s *Store) toOpen(r seeding.Run) []dynamo.Write {
	enter := dynamo.Change{
		Key:       stateKey(r.Connector),
		Update:    "SET #run = :run, #moved = :started, #begun = :due",
		Condition: "#status = :running AND #version = :version AND #fence = :fence AND attribute_not_exists(#run)",
		Values: dynamo.Item{
			":run": dynamo.Text(r.ID), ":runs": dynamo.Set([]string{r.ID}), ":started": dynamo.Instant(r.Started), ":due": dynamo.Instant(r.Due),
			":running": dynamo.Text(string(seeding.Running)), ":version": dynamo.Number(r.Version), ":fence": dynamo.Number(r.Fence),
			":most": dynamo.Number(seeding.MaxImports),
		},
	}
	if r.Kind == seeding.Import {
		enter.Update = "SET #moved = :started ADD #imports :runs"
		enter.Condition = "#version = :version AND (attribute_not_exists(#imports) OR NOT contains(#imports, :run) AND size(#imports) < :most)"
	}
	return []dynamo.Write{
		s.connectors.ToPut(dynamo.Change{Key: runKey(r.Connector, r.ID), Item: encodeNewRun(r), Condition: dynamo.Absent}),
		s.connectors.ToUpdate(enter),
	}
}

// FinishJob implements seeding.Runs.
func (s *Store) FinishJob(ctx context.Context, id string, version int, fence int64) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       stateKey(id),
		Update:    "SET #status = :completed",
		Condition: "#status = :running AND #version = :version AND #fence = :fence AND attribute_not_exists(#run)",
		Values: dynamo.Item{
			":completed": dynamo.Text(string(seeding.Completed)), ":running": dynamo.Text(string(seeding.Running)),
			":version": dynamo.Number(version), ":fence": dynamo.Number(fence),
		},
	})
	finished := func(old dynamo.Item) bool { return dynamo.NewReader(old).Text("status") == string(seeding.Completed) }
	return notFoundOrConflict(dynamo.Already(err, finished))
}

// isOpen is the condition on a state that the run :run is open.
func isOpen(r seeding.Run) string {
	if r.Kind == seeding.Import {
		return "contains(#imports, :run)"
	}
	return "#run = :run"
}

// mayClaim is the condition on a state that a run may make a batch: it is open, and
// nobody cancelled it or stopped the connector. An import that was opened since then
// runs on a connector that is stopped.
func mayClaim(r seeding.Run) string {
	may := "#version = :version AND #fence = :fence AND NOT contains(#cancelled, :run) AND " + isOpen(r)
	if r.Kind == seeding.Import {
		return may + " AND (attribute_not_exists(#halted) OR #halted < :started)"
	}
	return may + " AND #status = :running"
}

// SaveRun implements seeding.Runs.
func (s *Store) SaveRun(ctx context.Context, r seeding.Run) error {
	_, err := s.connectors.Update(ctx, runProgress(r))
	return notFoundOrConflict(err)
}

// CompleteRun implements seeding.Runs.
func (s *Store) CompleteRun(ctx context.Context, r seeding.Run, rejections *seeding.RejectionCount) error {
	end := runProgress(r)
	set, remove, _ := strings.Cut(end.Update, " REMOVE ")
	end.Update = set + ", #completed = :completed"
	end.Values[":completed"] = dynamo.Instant(r.Completed)
	if r.Ending != seeding.Finished {
		end.Update += ", #ending = :ending"
		end.Values[":ending"] = dynamo.Text(string(r.Ending))
	}
	for name, n := range totals(r.Totals) {
		end.Update += ", #" + name + " = :" + name
		end.Values[":"+name] = dynamo.Number(n)
	}
	if remove != "" {
		end.Update += " REMOVE " + remove
	}
	end.Condition += " AND " + stillLate(r, end.Values)
	figures := addFigures(r, rejections)
	leave := dynamo.Change{
		Key:       stateKey(r.Connector),
		Update:    figures.Update + " REMOVE #run, #open DELETE #cancelled :runs",
		Condition: isOpen(r) + " AND #fence = :fence",
		Values:    figures.Values,
	}
	leave.Values[":run"], leave.Values[":runs"] = dynamo.Text(r.ID), dynamo.Set([]string{r.ID})
	leave.Values[":fence"] = dynamo.Number(r.Fence)
	if r.Kind == seeding.Import {
		leave.Update = figures.Update + " DELETE #imports :runs, #cancelled :runs"
	}
	writes := []dynamo.Write{s.connectors.ToUpdate(end), s.connectors.ToUpdate(leave)}
	if rejections != nil {
		count, err := encodeCount(*rejections)
		if err != nil {
			return err
		}
		writes = append(writes, s.connectors.ToPut(dynamo.Change{Key: countKey(r.Connector), Item: count}))
	}
	return conflict(dynamo.Transact(ctx, s.client, writes...))
}

// stillLate is the condition that no late answer was counted since a run was read.
func stillLate(r seeding.Run, values dynamo.Item) string {
	if r.Late == 0 {
		return "attribute_not_exists(#late)"
	}
	values[":late"] = dynamo.Number(r.Late)
	return "#late = :late"
}

// runProgress writes what moves in an open run.
func runProgress(r seeding.Run) dynamo.Change {
	c := dynamo.Change{
		Key: runKey(r.Connector, r.ID),
		Update: "SET #cursor = :cursor, #over = :over, #passes = :passes, #pass = :pass," +
			" #expected = :expected, #looked = :looked, #invalid = :invalid, #removed = :removed, #unselected = :unselected, #in_batch = :in_batch, #holding = :holding, #stayed = :stayed, #not_found = :not_found, #no_vid = :no_vid, #unseen = :unseen, #fence = :fence," +
			" #before = :before, #again = :again",
		Condition: dynamo.Exists + " AND attribute_not_exists(#completed) AND #fence <= :fence",
		Values: dynamo.Item{
			":cursor": dynamo.Number(r.Cursor), ":over": dynamo.Flag(r.PassOver),
			":passes": dynamo.Number(r.Passes), ":pass": dynamo.Instant(r.PassStarted),
			":expected": dynamo.Number(r.Expected), ":looked": dynamo.Number(r.Tally.Looked), ":invalid": dynamo.Number(r.Tally.Invalid), ":removed": dynamo.Number(r.Tally.Removed),
			":unselected": dynamo.Number(r.Tally.NotSelected), ":in_batch": dynamo.Number(r.Tally.InBatch),
			":holding": dynamo.Number(r.Tally.Holding), ":stayed": dynamo.Number(r.Tally.Rejected),
			":not_found": dynamo.Number(r.Tally.NotFound), ":no_vid": dynamo.Number(r.Tally.NoVID), ":unseen": dynamo.Text(string(r.Unseen)),
			":fence": dynamo.Number(r.Fence), ":before": dynamo.Number(r.SentBefore), ":again": dynamo.Number(r.Again),
		},
	}
	if r.Looks.Planned {
		c.Update += ", #looks = :looks"
		c.Values[":looks"] = encodeLooks(r.Looks)
	}
	var over []string
	for _, number := range r.Outdated() {
		for _, name := range namesOf(number) {
			over = append(over, "#"+name)
		}
	}
	if len(over) > 0 {
		c.Update += " REMOVE " + strings.Join(over, ", ")
	}
	return c
}

// namesOf are the attributes of a period of Run.Lately: its records, when the first
// of its batches was claimed, and when the last was closed.
func namesOf(number int64) [3]string {
	n := strconv.FormatInt(number, 10)
	return [3]string{"n_" + n, "c_" + n, "e_" + n}
}

// countBatch is the change by which a claim counts its batch, beside the progress of
// the run.
func countBatch(progress dynamo.Change, b seeding.Batch) dynamo.Change {
	progress.Update += " ADD #batches :one, #sent :count"
	progress.Values[":one"], progress.Values[":count"] = dynamo.Number(1), dynamo.Number(b.Count)
	return progress
}

// countClosed is the change by which closing a batch adds it to its run. It has no
// condition: nothing of a run may keep a batch, and its slot, from being closed.
func countClosed(b seeding.Batch) dynamo.Change {
	add := b.Totals
	add.Sent -= b.Count // as which it counts since its claim
	c := addTotals(b.Ref, add)
	c.Condition = ""
	c.Update += ", #closedBatches :one"
	if b.State == seeding.Patched {
		names := namesOf(seeding.Period(b.Closed))
		c.Update = fmt.Sprintf("SET #%s = if_not_exists(#%s, :claimed), #%s = :closed ", names[1], names[1], names[2]) +
			c.Update + ", #" + names[0] + " :count"
		c.Values[":count"], c.Values[":claimed"], c.Values[":closed"] = dynamo.Number(b.Count), dynamo.Instant(b.Claimed), dynamo.Instant(b.Closed)
	}
	return c
}

// addTotals is the change by which totals are added to a run.
func addTotals(ref seeding.BatchRef, add seeding.Totals) dynamo.Change {
	c := dynamo.Change{
		Key: runKey(ref.Connector, ref.Run), Update: "ADD ", Condition: dynamo.Exists, Values: dynamo.Item{":one": dynamo.Number(1)},
	}
	for _, name := range slices.Sorted(maps.Keys(totals(add))) {
		if c.Update != "ADD " {
			c.Update += ", "
		}
		c.Update += "#" + name + " :" + name
		c.Values[":"+name] = dynamo.Number(totals(add)[name])
	}
	return c
}

// encodeNewRun leaves the kind out of a recurring run, as before there were
// other kinds. It writes the fence even if it is 0, as for an import opened
// without the run lease, because conditions compare it.
func encodeNewRun(r seeding.Run) dynamo.Item {
	kind := r.Kind
	if kind == seeding.Recurring {
		kind = ""
	}
	it := dynamo.OmitZero(dynamo.Item{
		"kind": dynamo.Text(string(kind)), "registry": dynamo.Text(r.Registry),
		"listed": dynamo.Number(r.Selection.Listed), "domain": dynamo.Text(r.Selection.Domain),
		"from": dynamo.Instant(r.Selection.Window.From), "to": dynamo.Instant(r.Selection.Window.To),
		"version": dynamo.Number(r.Version), "started": dynamo.Instant(r.Started), "cursor": dynamo.Number(r.Cursor),
		"over": dynamo.Flag(r.PassOver), "passes": dynamo.Number(r.Passes), "pass": dynamo.Instant(r.PassStarted), "due": dynamo.Instant(r.Due),
		"expected": dynamo.Number(r.Expected),
		"looked":   dynamo.Number(r.Tally.Looked), "invalid": dynamo.Number(r.Tally.Invalid), "removed": dynamo.Number(r.Tally.Removed),
		"unselected": dynamo.Number(r.Tally.NotSelected), "in_batch": dynamo.Number(r.Tally.InBatch),
		"holding": dynamo.Number(r.Tally.Holding), "stayed": dynamo.Number(r.Tally.Rejected),
		"not_found": dynamo.Number(r.Tally.NotFound), "no_vid": dynamo.Number(r.Tally.NoVID), "unseen": dynamo.Text(string(r.Unseen)),
	})
	if r.Looks.Planned {
		it["looks"] = encodeLooks(r.Looks)
	}
	it["fence"] = dynamo.Number(r.Fence)
	it["counted"] = dynamo.Flag(true) // a version before did not count batches in their run
	return it
}

// importedWindow is the window of an import of submissions; the zero Window if it has
// none. From 1970 on is stored as 0.
func importedWindow(r *dynamo.Reader) seeding.Window {
	to := r.Instant("to")
	if to.IsZero() {
		return seeding.Window{}
	}
	return seeding.Window{From: time.UnixMilli(r.Number("from")).UTC(), To: to}
}

func decodeRun(it dynamo.Item) (seeding.Run, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	key := r.Key()
	if key.Partition == "" {
		r.Damaged("pk")
	}
	run := seeding.Run{
		ID:          strings.TrimPrefix(key.Sort, runPrefix),
		Connector:   strings.TrimPrefix(key.Partition, runs("")),
		Kind:        cmp.Or(seeding.RunKind(r.Text("kind")), seeding.Recurring),
		Registry:    r.Text("registry"),
		Selection:   seeding.Selection{Listed: r.Int("listed"), Domain: r.Text("domain"), Window: importedWindow(r)},
		Version:     r.Int("version"),
		Due:         r.Instant("due"),
		Started:     r.Instant("started"),
		Cursor:      r.Number("cursor"),
		PassOver:    r.Flag("over"),
		Passes:      r.Int("passes"),
		PassStarted: r.Instant("pass"),
		Expected:    r.Int("expected"),
		Completed:   r.Instant("completed"),
		Ending:      seeding.Ending(r.Text("ending")),
		Tally: seeding.Tally{
			Looked: r.Int("looked"), NotSelected: r.Int("unselected"), InBatch: r.Int("in_batch"), Holding: r.Int("holding"),
			Rejected: r.Int("stayed"), NotFound: r.Int("not_found"), NoVID: r.Int("no_vid"), Invalid: r.Int("invalid"), Removed: r.Int("removed"),
		},
		Unseen:     seeding.Nobody(r.Text("unseen")),
		Totals:     decodeTotals(r),
		Fence:      r.Number("fence"),
		Batches:    r.Int("batches"),
		Closed:     r.Int("closedBatches"),
		Late:       r.Int("late"),
		SentBefore: r.Int("before"),
		Again:      r.Int("again"),
		Uncounted:  !r.Flag("counted"),
		Looks:      decodeLooks(r),
	}
	for _, name := range r.Names() {
		text, ok := strings.CutPrefix(name, "n_")
		number, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil {
			continue
		}
		if run.Lately == nil {
			run.Lately = map[int64]seeding.Patches{}
		}
		names := namesOf(number)
		run.Lately[number] = seeding.Patches{Records: r.Int(names[0]), Claimed: r.Instant(names[1]), Closed: r.Instant(names[2])}
	}
	return dynamo.Decoded(r, run)
}
