package seedingdbtest

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// units logs the capacity units of a batch of 1,000 registrants, and fails if a
// step needs more than planned.
func (s *suite) units() {
	s.Run("neighbours", func(t *testing.T) { newSuite(t, s.tables).batchOfThousand(4) })
	s.Run("scattered", func(t *testing.T) { newSuite(t, s.tables).batchOfThousand(1000) })
	for _, beside := range []int{0, 7, seeding.DefaultWidth - 1} {
		s.Run(fmt.Sprintf("%d beside it", beside), func(t *testing.T) { newSuite(t, s.tables).batchBeside(beside) })
	}
}

// metered makes the store report to the meter that is returned.
func (s *suite) metered() *dynamotest.Meter {
	meter := &dynamotest.Meter{}
	if s.tables.Sizing {
		meter.Sizing = s.tables.Client
	}
	s.store = s.with(meter.Options)
	return meter
}

// batchBeside measures a batch of 10 beside others at its MTS, of which every write
// of the MTS carries the slots.
func (s *suite) batchBeside(others int) {
	c, run := s.running("c")
	for i := range others {
		s.claimed(c, run, fmt.Sprintf("beside-%08d", i)) // as long as an id of a batch
	}
	claim := s.aClaim(c, run, "measured-000000")
	claim.Batch.Members = make([]seeding.Member, 10)
	pace, moved := filled[seeding.Pace](), filled[seeding.Pace]()
	moved.Size++
	s.ok(s.store.SavePace(s.ctx, c.MTSKey(), seeding.Pace{}, pace), "save a pace")
	kilobytes := math.Ceil(0.5 + float64(others+1)*0.15) // of the MTS's item, at most
	meter := s.metered()
	for _, step := range []struct {
		name string
		most float64
		do   func() error
	}{
		{"wait for MTS", kilobytes, func() error {
			return s.store.WaitForMTS(s.ctx, c.MTSKey(), seeding.Waiting{Connector: c.ID, Since: t0, Until: after(time.Minute)})
		}},
		{"claim", 8 + 2*kilobytes, func() error { return s.store.Claim(s.ctx, claim) }},
		{"close", 6 + 2*kilobytes, func() error {
			closed := claim.Batch
			closed.State, closed.Closed, closed.Totals = seeding.Patched, t0, seeding.Totals{Sent: 10, Tokenised: 10}
			return s.store.Close(s.ctx, closed)
		}},
		{"save pace", kilobytes, func() error { return s.store.SavePace(s.ctx, c.MTSKey(), pace, moved) }},
		{"note MTS", kilobytes, func() error { return s.store.NoteMTS(s.ctx, c.MTSKey(), time.Time{}, 0) }},
	} {
		before := meter.Total().Writes
		s.ok(step.do(), step.name)
		writes := meter.Total().Writes - before
		s.Logf("%-15s %3g write units", step.name, writes)
		if writes > step.most {
			s.Errorf("%s costs %g write units, planned were %g at most", step.name, writes, step.most)
		}
	}
}

// batchOfThousand measures a batch whose ids are up to gap apart.
func (s *suite) batchOfThousand(gap int64) {
	meter := s.metered()
	members := make([]seeding.Member, 1000)
	rows := make([]seeding.Row, len(members))
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // test data that is the same every time
	member := seeding.Member{Registrant: 400_000, Identifier: 1_200_000}
	for i := range rows {
		member.Registrant += 1 + random.Int64N(gap)
		member.Identifier += 1 + random.Int64N(2*gap)
		members[i] = member
		rows[i] = seeding.Row{Subject: member.Subject(), Status: seeding.RowProcessed, Token: digits(random, 36)}
		binary.BigEndian.PutUint64(rows[i].MAC[:], random.Uint64())
		binary.BigEndian.PutUint32(rows[i].Fingerprint[:], random.Uint32())
	}
	c, run := s.running("c")
	claim := s.aClaim(c, run, "01980f5e-7c1e-7000-8000-0123456789ab")
	b := &claim.Batch
	b.Members, b.Count, b.Size = members, len(members), len(members)
	b.RowKey, b.FingerprintKey = "a3c5f1d2-0b6e-4f6a-9d1c-7e8f90a1b2c3", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
	part := seeding.AnswerPart{
		Ref: b.Ref, Content: "0123456789abcdef0123456789abcdef", Part: 1, Of: 1,
		Received: t0, Expires: after(14 * 24 * time.Hour), Packed: seeding.PackRows(rows),
	}
	meter.Reset()

	inbox := s.meteredInbox(meter)
	for _, step := range []struct {
		name string
		most float64
		do   func() error
	}{
		{"take run", 1, func() error {
			_, err := s.store.TakeRun(s.ctx, c.ID, "submitter", t0, after(time.Minute), time.Time{})
			return err
		}},
		{"wait for MTS", 1, func() error {
			return s.store.WaitForMTS(s.ctx, c.MTSKey(), seeding.Waiting{Connector: c.ID, Since: t0, Until: after(time.Minute)})
		}},
		{"claim", 16, func() error {
			claim.Run.Fence++
			claim.Fence++
			return s.store.Claim(s.ctx, claim)
		}},
		{"mark submitted", 4, func() error {
			return s.store.MarkSubmitted(s.ctx, b.Ref, "01980f5e-7c1e-7000-8000-0123456789ab", after(time.Second))
		}},
		{"note MTS", 1, func() error { return s.store.NoteMTS(s.ctx, c.MTSKey(), time.Time{}, 0) }},
		{"put answer", 38, func() error { return inbox.PutPart(s.ctx, part) }},
		{"put it again", 38, func() error { return inbox.PutPart(s.ctx, part) }},
		{"take patch", 1, func() error {
			_, err := s.store.TakePatch(s.ctx, c.RegistryKey(), "x", t0, after(time.Minute))
			return err
		}},
		{"read answer", 0, func() error { _, _, err := s.store.AnswerParts(s.ctx, c.RegistryKey(), b.Ref.Batch, ""); return err }},
		{"hold patch", 1, func() error {
			state, err := s.store.RegistryState(s.ctx, c.RegistryKey())
			s.ok(err, "state")
			return s.store.HoldPatch(s.ctx, c.RegistryKey(), state.Patch.Fence, after(6*time.Minute))
		}},
		{"close", 16, func() error {
			closed := *b
			closed.State, closed.Closed, closed.Parts = seeding.Patched, t0, []string{part.ID()}
			closed.Totals = seeding.Totals{Sent: 1000, Tokenised: 1000}
			return s.store.Close(s.ctx, closed)
		}},
		{"save pace", 1, func() error { return s.store.SavePace(s.ctx, c.MTSKey(), seeding.Pace{}, seeding.Pace{Size: 1000}) }},
		{"delete answer", 38, func() error { return s.store.DeleteParts(s.ctx, []seeding.AnswerPart{part}) }},
		{"leave patch", 1, func() error {
			state, err := s.store.RegistryState(s.ctx, c.RegistryKey())
			s.ok(err, "state")
			return s.store.LeavePatch(s.ctx, state)
		}},
		{"leave run", 1, func() error { return s.store.LeaveRun(s.ctx, c.ID, claim.Fence, t0, t0, time.Time{}) }},
	} {
		before := meter.Total()
		s.ok(step.do(), step.name)
		total := meter.Total()
		writes, reads := total.Writes-before.Writes, total.Reads-before.Reads
		s.Logf("%-15s %3g write units, %4g read units", step.name, writes, reads)
		if writes > step.most {
			s.Errorf("%s costs %g write units, planned were %g at most", step.name, writes, step.most)
		}
	}
	total := meter.Total()
	s.Logf("%-15s %3g write units, %4g read units; answer %d bytes packed, members %d", "1,000 in all",
		total.Writes, total.Reads, len(part.Packed), len(seeding.PackMembers(members)))
}

func digits(random *rand.Rand, n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = "0123456789"[random.IntN(10)]
	}
	return string(text)
}

// meteredInbox is an inbox whose client reports to the meter.
func (s *suite) meteredInbox(meter *dynamotest.Meter) *seedingdb.Inbox {
	return seedingdb.NewInbox(dynamodb.New(s.tables.Client.Options(), meter.Options), s.tables.Answers)
}
