package seedingdbtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// lostReplies: every write whose first reply is lost, and which the client then
// repeats, ends as if nothing had happened, and takes effect once.
func (s *suite) lostReplies() {
	c, run := s.running("c")
	lease := func() int64 {
		state, err := s.store.State(s.ctx, c.ID)
		s.ok(err, "state")
		return state.Lease.Fence
	}
	claim := s.aClaim(c, run, "claimed")
	counted, closing := s.claimed(c, run, "counted"), s.claimed(c, run, "closing")
	submitted, postponed := s.claimed(c, run, "submitted"), s.claimed(c, run, "postponed")
	claim.Counter += 4
	claim.Claims += 4
	closing.State, closing.Closed, closing.Totals = seeding.Patched, t0, seeding.Totals{Sent: 2, Tokenised: 2}
	mts, registry := s.id("mts"), s.id("registry")
	part := s.part("b", "hash", 1, 1)
	rejection := seeding.Rejection{Registry: registry, Connector: "c", Subject: seeding.Member{Identifier: 1}.Subject(), Kind: seeding.Invalid, Since: t0, LastAttempt: t0}
	fresh := c
	fresh.ID = s.id("fresh")
	replaced := c
	replaced.Version = 2

	for _, step := range []struct {
		name string
		do   func(store *seedingdb.Store, inbox *seedingdb.Inbox) error
		want error
	}{
		{"CreateConnector", func(d *seedingdb.Store, _ *seedingdb.Inbox) error { return d.CreateConnector(s.ctx, fresh) }, nil},
		{"DeleteConnector", func(d *seedingdb.Store, _ *seedingdb.Inbox) error { return d.DeleteConnector(s.ctx, fresh.ID, 1, t0) }, nil},
		{"SetStatus", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.SetStatus(s.ctx, c.ID, seeding.Running, t0)
		}, nil},
		{"RaiseProblem", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.RaiseProblem(s.ctx, c.ID, seeding.ProblemMTS, seeding.Problem{Text: "x"})
		}, nil},
		{"ClearProblems", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.ClearProblems(s.ctx, c.ID, []seeding.Source{seeding.ProblemMTS}, t0)
		}, nil},
		{"Claim", func(d *seedingdb.Store, _ *seedingdb.Inbox) error { return d.Claim(s.ctx, claim) }, nil},
		{"MarkSubmitted", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.MarkSubmitted(s.ctx, submitted.Ref, "x", after(time.Second))
		}, nil},
		{"Postpone", func(d *seedingdb.Store, _ *seedingdb.Inbox) error { return d.Postpone(s.ctx, postponed, 1, t0) }, nil},
		// That the part is counted is true, and all that its caller must know.
		{"CountParts", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.CountParts(s.ctx, counted, []string{"x.1.1"}, seeding.Totals{Tokenised: 1})
		}, seeding.ErrConflict},
		{"Close", func(d *seedingdb.Store, _ *seedingdb.Inbox) error { return d.Close(s.ctx, closing) }, nil},
		{"TakeRun", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			state, err := d.TakeRun(s.ctx, c.ID, "other", after(time.Minute), after(2*time.Minute), time.Time{})
			if err == nil && state.Lease.Fence != lease() {
				return fmt.Errorf("fence %d, stored %d", state.Lease.Fence, lease())
			}
			return err
		}, nil},
		{"KeepRun", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.KeepRun(s.ctx, c.ID, lease(), after(3*time.Minute))
		}, nil},
		{"NoteInvoked", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			state, err := d.State(s.ctx, c.ID)
			return errors.Join(err, d.NoteInvoked(s.ctx, state, t0, seeding.Problem{}))
		}, nil},
		{"SaveRun", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			run.Fence = lease()
			return d.SaveRun(s.ctx, run)
		}, nil},
		{"CompleteRun", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			run.Completed = t0
			return d.CompleteRun(s.ctx, run, nil)
		}, nil},
		{"OpenRun", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.OpenRun(s.ctx, seeding.Run{ID: "next", Connector: c.ID, Kind: seeding.Recurring, Version: 1, Started: t0, Fence: lease()})
		}, nil},
		{"LeaveRun", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.LeaveRun(s.ctx, c.ID, lease(), t0, t0, time.Time{})
		}, nil},
		{"ReplaceConnector", func(d *seedingdb.Store, _ *seedingdb.Inbox) error { return d.ReplaceConnector(s.ctx, replaced, t0) }, nil},
		{"TakePatch", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			_, err := d.TakePatch(s.ctx, registry, "a", t0, after(time.Minute))
			return err
		}, nil},
		{"NoteOutage", func(d *seedingdb.Store, _ *seedingdb.Inbox) error { return d.NoteOutage(s.ctx, registry, t0, 1) }, nil},
		{"HoldPatch", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			state, err := d.RegistryState(s.ctx, registry)
			return errors.Join(err, d.HoldPatch(s.ctx, registry, state.Patch.Fence, after(time.Hour)))
		}, nil},
		{"LeavePatch", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			state, err := d.RegistryState(s.ctx, registry)
			return errors.Join(err, d.LeavePatch(s.ctx, state))
		}, nil},
		{"WaitForMTS", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.WaitForMTS(s.ctx, mts, seeding.Waiting{Connector: "c", Since: t0, Until: after(time.Minute)})
		}, nil},
		{"SavePace", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.SavePace(s.ctx, mts, seeding.Pace{}, seeding.Pace{Size: 50})
		}, nil},
		{"NoteMTS", func(d *seedingdb.Store, _ *seedingdb.Inbox) error { return d.NoteMTS(s.ctx, mts, t0, 1) }, nil},
		{"PutRejections", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			conflicts, err := d.PutRejections(s.ctx, []seeding.Rejection{rejection})
			if conflicts > 0 {
				return seeding.ErrConflict
			}
			return err
		}, nil},
		{"DeleteRejections", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			rejection.Version = 1
			return d.DeleteRejections(s.ctx, []seeding.Rejection{rejection})
		}, nil},
		{"PutPart", func(_ *seedingdb.Store, i *seedingdb.Inbox) error { return i.PutPart(s.ctx, part) }, nil},
		{"DeleteParts", func(d *seedingdb.Store, _ *seedingdb.Inbox) error {
			return d.DeleteParts(s.ctx, []seeding.AnswerPart{part})
		}, nil},
	} {
		reply := &dynamotest.LostReply{}
		client := dynamodb.New(s.tables.Client.Options(), reply.Options, dynamotest.WithoutPauses)
		store := seedingdb.New(client, s.tables.Connectors, s.tables.Answers)
		s.fails(step.do(store, seedingdb.NewInbox(client, s.tables.Answers)), step.want, step.name)
		if !reply.Lost() {
			s.Errorf("%s lost no reply", step.name)
		}
	}

	got, err := s.store.Batch(s.ctx, counted.Ref)
	s.ok(err, "batch")
	s.same(got.Totals.Tokenised, 1, "counted once")
	state, err := s.store.RegistryState(s.ctx, c.RegistryKey())
	s.ok(err, "registry")
	s.same(state.Counter, claim.Counter+1, "claimed once")
	list, err := s.store.ClosedBatches(s.ctx, c.ID, run.ID)
	s.ok(err, "closed batches")
	s.same(len(list), 1, "closed batches")
	m := s.mtsState(c)
	s.same(m.Claims, claim.Claims+1, "claims of the MTS")
	s.same(m.Delivered, int64(closing.Count), "delivered once")
	s.same(len(m.Slots), 4, "slots of the batches that are open")
	ended, err := s.store.Run(s.ctx, c.ID, run.ID)
	s.ok(err, "run")
	s.same([]int{ended.Batches, ended.Closed}, []int{5, 1}, "batches of the run")
}
