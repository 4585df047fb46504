package dynamo

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// Run implements seeding.Runs and seeding.Administration.
func (s *Store) Run(ctx context.Context, connector, id string) (seeding.Run, error) {
	if id == "" {
		return seeding.Run{}, seeding.ErrNotFound
	}
	it, err := s.get(ctx, runKey(connector, id))
	if err != nil {
		return seeding.Run{}, err
	}
	return decodeRun(it)
}

// OpenRun implements seeding.Runs.
func (s *Store) OpenRun(ctx context.Context, r seeding.Run) error {
	run := lean(item{
		"version": number(r.Version), "started": instant(r.Started), "cursor": number(r.Cursor),
		"over": flag(r.PassOver), "passes": number(r.Passes), "pass": instant(r.PassStarted),
		"looked": number(r.Tally.Looked), "invalid": number(r.Tally.Invalid), "removed": number(r.Tally.Removed),
		"fence": number(r.Fence),
	})
	err := s.transact(ctx,
		s.putting(change{key: runKey(r.Connector, r.ID), item: run, when: "attribute_not_exists(#pk)"}),
		s.updating(change{
			key:    stateKey(r.Connector),
			update: "SET #run = :run, #moved = :started",
			when:   "#status = :running AND #version = :version AND #fence = :fence AND attribute_not_exists(#run)",
			values: item{
				":run": text(r.ID), ":started": instant(r.Started), ":running": text(string(seeding.Running)),
				":version": number(r.Version), ":fence": number(r.Fence),
			},
		}),
	)
	return conflict(err)
}

// SaveRun implements seeding.Runs.
func (s *Store) SaveRun(ctx context.Context, r seeding.Run) error {
	_, err := s.update(ctx, runProgress(r))
	return settle(err, seeding.ErrNotFound, nil)
}

// CompleteRun implements seeding.Runs.
func (s *Store) CompleteRun(ctx context.Context, r seeding.Run) error {
	end := runProgress(r)
	end.update += ", #completed = :completed"
	end.values[":completed"] = instant(r.Completed)
	for name, n := range totals(r.Totals) {
		if n != 0 {
			end.update += ", #" + name + " = :" + name
			end.values[":"+name] = number(n)
		}
	}
	err := s.transact(ctx, s.updating(end), s.updating(change{
		key:    stateKey(r.Connector),
		update: "REMOVE #run",
		when:   "#run = :run AND #fence = :fence",
		values: item{":run": text(r.ID), ":fence": number(r.Fence)},
	}))
	return conflict(err)
}

// runProgress writes what moves in an open run.
func runProgress(r seeding.Run) change {
	return change{
		key: runKey(r.Connector, r.ID),
		update: "SET #cursor = :cursor, #over = :over, #passes = :passes, #pass = :pass," +
			" #looked = :looked, #invalid = :invalid, #removed = :removed, #fence = :fence",
		when: "attribute_exists(#pk) AND attribute_not_exists(#completed) AND #fence <= :fence",
		values: item{
			":cursor": number(r.Cursor), ":over": flag(r.PassOver), ":passes": number(r.Passes), ":pass": instant(r.PassStarted),
			":looked": number(r.Tally.Looked), ":invalid": number(r.Tally.Invalid), ":removed": number(r.Tally.Removed),
			":fence": number(r.Fence),
		},
	}
}

// conflict translates a refused transaction: whatever it was that did not
// hold, the caller had read it.
func conflict(err error) error {
	if _, ok := errors.AsType[*refused](err); ok {
		return seeding.ErrConflict
	}
	return err
}

// totals by the attributes that hold them.
func totals(t seeding.Totals) map[string]int {
	return map[string]int{
		"sent": t.Sent, "tokenised": t.Tokenised, "refused": t.Refused,
		"duplicate": t.Duplicate, "conflict": t.Conflict, "noToken": t.NoToken,
	}
}

func decodeTotals(r *reader) seeding.Totals {
	return seeding.Totals{
		Sent: r.count("sent"), Tokenised: r.count("tokenised"), Refused: r.count("refused"),
		Duplicate: r.count("duplicate"), Conflict: r.count("conflict"), NoToken: r.count("noToken"),
	}
}

func decodeRun(it item) (seeding.Run, error) {
	r := &reader{item: it}
	connector, _ := it["pk"].(*types.AttributeValueMemberS)
	if connector == nil {
		r.damaged("pk")
		connector = &types.AttributeValueMemberS{}
	}
	return decoded(r, seeding.Run{
		ID:          strings.TrimPrefix(sortKey(it), runPrefix),
		Connector:   strings.TrimPrefix(connector.Value, runs("")),
		Version:     r.count("version"),
		Started:     r.instant("started"),
		Cursor:      r.number("cursor"),
		PassOver:    r.flag("over"),
		Passes:      r.count("passes"),
		PassStarted: r.instant("pass"),
		Completed:   r.instant("completed"),
		Tally:       seeding.Tally{Looked: r.count("looked"), Invalid: r.count("invalid"), Removed: r.count("removed")},
		Totals:      decodeTotals(r),
		Fence:       r.number("fence"),
	})
}
