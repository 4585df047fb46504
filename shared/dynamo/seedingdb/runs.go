package seedingdb

import (
	"context"
	"strings"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

const runPrefix = "run#"

// afterRuns sorts behind all runs.
var afterRuns = dynamo.AfterAll("run")

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
	return conflict(dynamo.Transact(ctx, s.client,
		s.connectors.ToPut(dynamo.Change{Key: runKey(r.Connector, r.ID), Item: encodeNewRun(r), Condition: dynamo.Absent}),
		s.connectors.ToUpdate(dynamo.Change{
			Key:       stateKey(r.Connector),
			Update:    "SET #run = :run, #moved = :started",
			Condition: "#status = :running AND #version = :version AND #fence = :fence AND attribute_not_exists(#run)",
			Values: dynamo.Item{
				":run": dynamo.Text(r.ID), ":started": dynamo.Instant(r.Started), ":running": dynamo.Text(string(seeding.Running)),
				":version": dynamo.Number(r.Version), ":fence": dynamo.Number(r.Fence),
			},
		}),
	))
}

// SaveRun implements seeding.Runs.
func (s *Store) SaveRun(ctx context.Context, r seeding.Run) error {
	_, err := s.connectors.Update(ctx, runProgress(r))
	return notFoundOrConflict(err)
}

// CompleteRun implements seeding.Runs.
func (s *Store) CompleteRun(ctx context.Context, r seeding.Run) error {
	end := runProgress(r)
	end.Update += ", #completed = :completed"
	end.Values[":completed"] = dynamo.Instant(r.Completed)
	for name, n := range totals(r.Totals) {
		if n != 0 {
			end.Update += ", #" + name + " = :" + name
			end.Values[":"+name] = dynamo.Number(n)
		}
	}
	return conflict(dynamo.Transact(ctx, s.client,
		s.connectors.ToUpdate(end),
		s.connectors.ToUpdate(dynamo.Change{
			Key:       stateKey(r.Connector),
			Update:    "REMOVE #run",
			Condition: "#run = :run AND #fence = :fence",
			Values:    dynamo.Item{":run": dynamo.Text(r.ID), ":fence": dynamo.Number(r.Fence)},
		}),
	))
}

// runProgress writes what moves in an open run.
func runProgress(r seeding.Run) dynamo.Change {
	return dynamo.Change{
		Key: runKey(r.Connector, r.ID),
		Update: "SET #cursor = :cursor, #over = :over, #passes = :passes, #pass = :pass," +
			" #looked = :looked, #invalid = :invalid, #removed = :removed, #fence = :fence",
		Condition: dynamo.Exists + " AND attribute_not_exists(#completed) AND #fence <= :fence",
		Values: dynamo.Item{
			":cursor": dynamo.Number(r.Cursor), ":over": dynamo.Flag(r.PassOver),
			":passes": dynamo.Number(r.Passes), ":pass": dynamo.Instant(r.PassStarted),
			":looked": dynamo.Number(r.Tally.Looked), ":invalid": dynamo.Number(r.Tally.Invalid), ":removed": dynamo.Number(r.Tally.Removed),
			":fence": dynamo.Number(r.Fence),
		},
	}
}

func encodeNewRun(r seeding.Run) dynamo.Item {
	return dynamo.OmitZero(dynamo.Item{
		"version": dynamo.Number(r.Version), "started": dynamo.Instant(r.Started), "cursor": dynamo.Number(r.Cursor),
		"over": dynamo.Flag(r.PassOver), "passes": dynamo.Number(r.Passes), "pass": dynamo.Instant(r.PassStarted),
		"looked": dynamo.Number(r.Tally.Looked), "invalid": dynamo.Number(r.Tally.Invalid), "removed": dynamo.Number(r.Tally.Removed),
		"fence": dynamo.Number(r.Fence),
	})
}

func decodeRun(it dynamo.Item) (seeding.Run, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	key := r.Key()
	if key.Partition == "" {
		r.Damaged("pk")
	}
	return dynamo.Decoded(r, seeding.Run{
		ID:          strings.TrimPrefix(key.Sort, runPrefix),
		Connector:   strings.TrimPrefix(key.Partition, runs("")),
		Version:     r.Int("version"),
		Started:     r.Instant("started"),
		Cursor:      r.Number("cursor"),
		PassOver:    r.Flag("over"),
		Passes:      r.Int("passes"),
		PassStarted: r.Instant("pass"),
		Completed:   r.Instant("completed"),
		Tally:       seeding.Tally{Looked: r.Int("looked"), Invalid: r.Int("invalid"), Removed: r.Int("removed")},
		Totals:      decodeTotals(r),
		Fence:       r.Number("fence"),
	})
}
