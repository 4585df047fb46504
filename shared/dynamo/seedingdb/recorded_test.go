package seedingdb_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb/seedingdbtest"
	"openg2p.org/mts-connector/shared/seeding"
)

// Items that a deployment of an earlier commit has written must stay readable:
// testdata holds one of each kind, as the store of that commit wrote them. When
// a form is added, record what the store writes then:
//
//	go test ./shared/dynamo/seedingdb -run TestRecordedItems/today -record testdata/recorded-v2.json
//
// and add the file to TestRecordedItems. Recorded files never change
// (infra/decisions.md, "How a stored form changes").
var record = flag.String("record", "", "write the items of today's store to this file")

// t0 is when the example begins.
var t0 = time.UnixMilli(1_790_000_000_123).UTC()

func after(d time.Duration) time.Time { return t0.Add(d) }

// contents is what the recorded items hold, one or more values of each kind.
type contents struct {
	Connector   seeding.Connector
	State       seeding.State // with everything that a state can have
	FreshState  seeding.State // of a connector that was only created
	Ended       seeding.Run
	Open        seeding.Run
	OpenBatches []seeding.Batch
	Closed      []seeding.Batch // of the run that ended
	Rejections  []seeding.Rejection
	Registry    seeding.RegistryState
	MTS         seeding.MTSState
	Parts       []seeding.AnswerPart
	Rows        [][]seeding.Row // of the parts
}

// TestRecordedItems reads, through today's store, what the stores of earlier
// commits wrote and what today's own store writes.
func TestRecordedItems(t *testing.T) {
	t.Run("today", func(t *testing.T) {
		tables := newTables(t)
		store := seedingdb.New(tables.Client, tables.Connectors, tables.Answers)
		want := example()
		write(t, store, seedingdb.NewInbox(tables.Client, tables.Answers), want)
		compare(t, read(t, store), want)
		if *record != "" {
			dump(t, tables, *record)
		}
	})
	for _, test := range []struct {
		file string
		want contents
	}{
		{"testdata/recorded-v0.json", beforeSlots(example())}, // every kind in its first form
		{"testdata/recorded-v1.json", beforeSlots(example())}, // configurations in their second
	} {
		t.Run(test.file, func(t *testing.T) {
			tables := newTables(t)
			load(t, tables, test.file)
			compare(t, read(t, seedingdb.New(tables.Client, tables.Connectors, tables.Answers)), test.want)
		})
	}
}

// The work that a version without slots left goes on: the pace that it stored can
// be moved, its open batches, which have no slot, can be closed, and the next
// claim is the first.
func TestWorkBeforeSlotsGoesOn(t *testing.T) {
	for _, file := range []string{"testdata/recorded-v0.json", "testdata/recorded-v1.json"} {
		t.Run(file, func(t *testing.T) {
			tables := newTables(t)
			load(t, tables, file)
			store := seedingdb.New(tables.Client, tables.Connectors, tables.Answers)
			stored := read(t, store)
			ctx := t.Context()
			done := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			want := stored.MTS
			want.Size, want.Single, want.Interval = 120, 200*time.Millisecond, 60*time.Millisecond
			done(store.SavePace(ctx, want.Key, stored.MTS.Pace, want.Pace))
			if err := store.SavePace(ctx, want.Key, stored.MTS.Pace, seeding.Pace{}); !errors.Is(err, seeding.ErrConflict) {
				t.Errorf("from the pace of before once more: %v", err)
			}

			patched, lost := stored.OpenBatches[0], stored.OpenBatches[1]
			patched.State, patched.Answered, patched.Closed = seeding.Patched, after(2*time.Hour), after(3*time.Hour)
			lost.State, lost.Closed = seeding.Lost, after(3*time.Hour)
			done(store.Close(ctx, patched))
			done(store.Close(ctx, lost))
			open, err := store.OpenBatches(ctx, stored.Registry.Key)
			done(err)
			if len(open) > 0 {
				t.Errorf("open: %+v", open)
			}
			want.Delivered, want.Heard = int64(patched.Count), patched.Closed

			next := lost
			next.Ref.Batch, next.State, next.Closed = "1790003604-s", seeding.Claimed, time.Time{}
			next.Number, next.Overdue = 1, after(4*time.Hour)
			run := stored.Open
			run.Fence = stored.State.Lease.Fence
			done(store.SaveRun(ctx, run))
			done(store.Claim(ctx, seeding.Claim{
				Batch: next, Counter: stored.Registry.Counter, Run: run, Version: stored.Connector.Version, Fence: run.Fence,
			}))
			want.Claims = 1
			want.Slots = []seeding.Slot{{
				Batch: next.Ref.Batch, Connector: next.Ref.Connector, Registry: next.Ref.Registry,
				Count: next.Count, Claimed: next.Claimed, Overdue: next.Overdue, Ends: next.GiveUpAt(),
			}}
			got, err := store.MTSState(ctx, want.Key)
			done(err)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("MTS:\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

// During a deployment, and after it is rolled back, the version before moves the
// pace too. It compares all of the attribute pace with what it knows of it, and
// tries for as long as that differs.
func TestVersionBeforeMovesThePace(t *testing.T) {
	tables := newTables(t)
	store := seedingdb.New(tables.Client, tables.Connectors, tables.Answers)
	ctx, key := t.Context(), "m1"
	saved := example().MTS.Pace
	if err := store.SavePace(ctx, key, seeding.Pace{}, saved); err != nil {
		t.Fatal(err)
	}
	before := func(p seeding.Pace) types.AttributeValue {
		number := func(n int64) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }
		return &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"size": number(int64(p.Size)), "ceiling": number(int64(p.Ceiling)), "timely": number(int64(p.Timely)),
			"proved": number(int64(p.Proved)), "suspect": number(int64(p.Suspect)), "losses": number(int64(p.Losses)),
			"perRecord": number(p.PerRecord.Microseconds()),
		}}
	}
	moved := saved
	moved.Size, moved.Timely = 30, 0
	_, err := tables.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                &tables.Connectors,
		Key:                      map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "seeders"}, "sk": &types.AttributeValueMemberS{Value: key}},
		UpdateExpression:         aws.String("SET #pace = :next"),
		ConditionExpression:      aws.String("#pace = :read"),
		ExpressionAttributeNames: map[string]string{"#pace": "pace"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":read": before(saved), ":next": before(moved),
		},
	})
	if err != nil {
		t.Fatalf("the version before: %v", err)
	}
	if err := store.SavePace(ctx, key, saved, seeding.Pace{}); !errors.Is(err, seeding.ErrConflict) {
		t.Errorf("from a pace that it moved: %v", err)
	}
	got, err := store.MTSState(ctx, key)
	if err != nil || got.Pace != moved {
		t.Errorf("pace %+v %v\nwant %+v", got.Pace, err, moved)
	}
	if err := store.SavePace(ctx, key, moved, saved); err != nil {
		t.Errorf("on from there: %v", err)
	}
}

// The version before takes every problem of the map for one that blocks, but for
// "unlink" and "policy", and would send probes until it is cleared. After a
// roll-back nothing clears what it does not know.
func TestVersionBeforeIsNotBlockedByWhatIsOnlyShown(t *testing.T) {
	tables := inMemory(t)
	store := seedingdb.New(tables.Client, tables.Connectors, tables.Answers)
	ctx, c := t.Context(), example().Connector
	c.Version = 1
	if err := store.CreateConnector(ctx, c); err != nil {
		t.Fatal(err)
	}
	for _, source := range seeding.OnlyShown {
		if err := store.RaiseProblem(ctx, c.ID, source, seeding.Problem{Text: "shown", Since: t0}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := tables.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &tables.Connectors,
		Key:       map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "states"}, "sk": &types.AttributeValueMemberS{Value: c.ID}},
	})
	if err != nil {
		t.Fatal(err)
	}
	problems, isMap := got.Item["problems"].(*types.AttributeValueMemberM)
	if !isMap {
		t.Fatalf("problems: %T", got.Item["problems"])
	}
	if names := slices.Sorted(maps.Keys(problems.Value)); !slices.Equal(names, []string{"policy", "unlink"}) {
		t.Errorf("the version before reads %q", names)
	}
}

// example is what is recorded. All of it is invented.
func example() contents {
	c := seeding.Connector{ // recorded with members that are no longer read
		ID: "c-district", Version: 3, Name: "District office",
		MTS: seeding.MTSAccess{URL: "https://mts.example/mts", Language: "eng", BatchMaximum: 500, WidthMaximum: 6},
		Registry: seeding.RegistryAccess{
			URL: "https://registry.example", Database: "g2p", Username: "connector", VIDType: "MOSIP VID", TokenType: "MOSIP UIN TOKEN",
		},
		Source: seeding.RegistrySource{
			Domain: `[["is_registrant","=",true]]`, Fields: []string{"name", "gender"},
			Mapping: seeding.Mapping{
				VID: ".vid", Name: []string{".given_name", ".family_name"}, Gender: ".gender", DOB: ".birthdate",
				PhoneNumber: ".phone", EmailID: ".email", FullAddress: []string{".address"},
			},
			Mandatory: []string{"name", "gender"},
		},
		Delivery: seeding.Delivery{TimeoutSeconds: 30},
		Schedule: seeding.Schedule{Interval: 90 * time.Minute},
		Output:   seeding.Output{RemoveVIDs: true},
		Secrets:  map[string]string{seeding.RegistryPassword: "version-1"},
		Created:  after(-48 * time.Hour), Updated: after(-time.Hour),
	}
	ended := seeding.Run{
		ID: "1790000000-a", Connector: c.ID, Kind: seeding.Recurring, Version: 3, Started: after(time.Second), Cursor: 940, PassOver: true, Passes: 2,
		PassStarted: after(20 * time.Second), Completed: after(50 * time.Second), Fence: 1,
		Tally:  seeding.Tally{Looked: 12, Invalid: 2, Removed: 1},
		Totals: seeding.Totals{Sent: 9, Tokenised: 4, Refused: 2, Duplicate: 1, Conflict: 1, NoToken: 1}, Batches: 1, Closed: 1,
		Lately: map[int64]seeding.Patches{seeding.Period(after(40 * time.Second)): {Records: 9, Claimed: after(2 * time.Second), Closed: after(40 * time.Second)}},
	}
	open := seeding.Run{
		ID: "1790003600-b", Connector: c.ID, Kind: seeding.Recurring, Version: 3, Started: after(time.Hour), Cursor: 512, Passes: 1,
		PassStarted: after(time.Hour), Fence: 2, Tally: seeding.Tally{Looked: 5, Invalid: 1, Removed: 2}, Batches: 2, Totals: seeding.Totals{Sent: 5},
	}
	batch := func(run, id string) seeding.Batch {
		return seeding.Batch{
			Ref:   seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: run, Batch: id},
			State: seeding.Claimed, MTS: c.MTSKey(), MTSURL: c.MTS.URL, RowKey: "rows-1", FingerprintKey: "prints-1",
		}
	}
	closed := batch(ended.ID, "1790000002-p")
	closed.State, closed.Size, closed.InLine, closed.Count = seeding.Patched, 50, 9, 9
	closed.Claimed, closed.Submitted, closed.Deadline = after(2*time.Second), after(3*time.Second), after(2*time.Minute)
	closed.RequestID, closed.Closed = "request-1", after(40*time.Second)
	closed.Parts, closed.Totals = []string{"c0ffee.1.2", "c0ffee.2.2"}, ended.Totals
	closed.Attempts, closed.NotBefore = 1, after(30*time.Second)
	closed.Number, closed.Since, closed.Overdue, closed.Answered = 1, closed.Claimed, after(time.Minute), after(35*time.Second)

	submitted := batch(open.ID, "1790003602-q")
	submitted.State, submitted.Size, submitted.InLine, submitted.Count = seeding.Submitted, 60, 7, 3
	submitted.Claimed, submitted.Submitted = after(time.Hour+2*time.Second), after(time.Hour+3*time.Second)
	submitted.Deadline, submitted.RequestID = after(time.Hour+2*time.Minute), "request-2"
	submitted.Members = []seeding.Member{{Registrant: 7, Identifier: 70}, {Registrant: 9, Identifier: 12}, {Registrant: 2_000_000_000, Identifier: 512}}
	submitted.Parts, submitted.Totals = []string{"beef.1.3"}, seeding.Totals{Tokenised: 1, Refused: 1}
	submitted.Attempts, submitted.NotBefore = 2, after(2*time.Hour)
	submitted.Number, submitted.Delivered, submitted.Since, submitted.Overdue = 2, 9, submitted.Claimed, after(time.Hour+time.Minute)

	claimed := batch(open.ID, "1790003603-r")
	claimed.Size, claimed.InLine, claimed.Count, claimed.Members = 60, 9, 2, []seeding.Member{{Registrant: 21, Identifier: 513}, {Registrant: 22, Identifier: 514}}
	claimed.Claimed, claimed.Deadline = after(time.Hour+4*time.Second), after(time.Hour+3*time.Minute)
	claimed.Number, claimed.Delivered, claimed.Since, claimed.Overdue = 3, 9, submitted.Claimed, after(time.Hour+2*time.Minute)
	claimed.Beside, claimed.Ahead, claimed.Full = 1, 3, true
	slot := func(b seeding.Batch) seeding.Slot {
		return seeding.Slot{
			Batch: b.Ref.Batch, Connector: c.ID, Registry: c.RegistryKey(), Count: b.Count,
			Claimed: b.Claimed, Overdue: b.Overdue, Ends: b.GiveUpAt(),
		}
	}

	rejection := func(identifier int64, kind seeding.RejectionKind, code string) seeding.Rejection {
		return seeding.Rejection{
			Registry: c.RegistryKey(), Connector: c.ID, Subject: seeding.Member{Registrant: identifier + 1000, Identifier: identifier}.Subject(), Kind: kind, Code: code,
			Fingerprint: seeding.Fingerprint{0xde, 0xad, 0xbe, 0xef}, FingerprintKey: "prints-1", Configured: 3, Attempts: 2,
			Next: after(24 * time.Hour), Since: after(35 * time.Second), LastAttempt: after(35 * time.Second), Version: 1,
		}
	}
	rejections := []seeding.Rejection{
		rejection(14, seeding.Invalid, "ATS-REQ-012"),
		rejection(15, seeding.Refused, "IDA-MLC-009"),
		rejection(16, seeding.Duplicate, ""),
		rejection(17, seeding.Conflict, ""),
		rejection(18, seeding.NoToken, ""),
		rejection(1_900_000_000, seeding.SetAside, ""),
	}
	rejections[2].Holder = 2017
	rejections[3].Fingerprint, rejections[3].FingerprintKey, rejections[3].Next = seeding.Fingerprint{}, "", time.Time{}

	parts, rows := make([]seeding.AnswerPart, 2), [][]seeding.Row{
		{
			{Subject: submitted.Members[0].Subject(), MAC: seeding.RowMAC{1, 2, 3, 4, 5, 6, 7, 8}, Fingerprint: seeding.Fingerprint{1, 2, 3, 4}, Status: seeding.RowProcessed, Token: "TOKEN-MADE-UP-1"},
			{Subject: submitted.Members[1].Subject(), MAC: seeding.RowMAC{2, 3, 4, 5, 6, 7, 8, 9}, Fingerprint: seeding.Fingerprint{2, 3, 4, 5}, Status: seeding.RowError, Code: "IDA-MLC-009"},
		},
		{{Subject: submitted.Members[2].Subject(), MAC: seeding.RowMAC{9, 8}, Fingerprint: seeding.Fingerprint{9}, Status: seeding.RowInvalid, Code: "ATS-REQ-012"}},
	}
	for i := range parts {
		parts[i] = seeding.AnswerPart{
			Ref: submitted.Ref, Content: "beef", Part: i + 1, Of: len(parts), Received: after(time.Hour + time.Minute),
			Expires: time.Unix(1_800_000_000, 0).UTC(), Packed: seeding.PackRows(rows[i]),
		}
	}
	return contents{
		Connector: c,
		State: seeding.State{
			Connector: c.ID, Registry: c.RegistryKey(), MTS: c.MTSKey(), Version: 3, Status: seeding.Running,
			Due: after(70 * time.Minute), Since: t0, Run: open.ID, Open: seeding.OpenRun{ID: open.ID, At: claimed.Claimed, Looked: open.Tally.Looked}, Moved: after(65 * time.Minute),
			Lease: seeding.Lease{Owner: "submit-2", Until: after(75 * time.Minute), Fence: 3},
			Problems: map[seeding.Source]seeding.Problem{
				seeding.ProblemMTS:  {Text: "MTS cannot be reached.", Remedy: "Start it.", Since: after(time.Minute), Attempts: 3, Next: after(66 * time.Minute)},
				seeding.ProblemRead: {Text: "A field is unknown.", Remedy: "Correct the fields.", Since: after(time.Minute)},
			},
			Figures: seeding.Figures{Tokenised: 4, Last: seeding.LastRun{ID: ended.ID, Started: ended.Started, Completed: ended.Completed, Totals: ended.Totals}},
			Name:    c.Name, MTSHost: "https://mts.example:443", RegistryHost: "https://registry.example:443",
			Retried: seeding.Retried{{}: after(70 * time.Minute), {Kind: seeding.Duplicate}: after(71 * time.Minute)},
		},
		FreshState: seeding.State{
			Connector: "c-fresh", Name: c.Name, MTSHost: "https://mts.example:443", RegistryHost: "https://registry.example:443", Registry: c.RegistryKey(), MTS: c.MTSKey(), Version: 1, Status: seeding.Stopped,
			Problems: map[seeding.Source]seeding.Problem{},
		},
		Ended: ended, Open: open,
		OpenBatches: []seeding.Batch{submitted, claimed}, Closed: []seeding.Batch{closed},
		Rejections: rejections,
		Registry: seeding.RegistryState{
			Key: c.RegistryKey(), Counter: 3, Patch: seeding.Lease{Owner: "patch-1", Until: after(2 * time.Hour), Fence: 1},
			OutageUntil: after(3 * time.Hour), OutageAttempts: 2, Create: 31 * time.Millisecond, RefusedAlike: 4, RefusedCode: "ValidationError",
		},
		MTS: seeding.MTSState{
			Key: c.MTSKey(), Claims: 3, Slots: []seeding.Slot{slot(submitted), slot(claimed)},
			Waiting:   []seeding.Waiting{{Connector: "c-other", Since: after(time.Hour), Until: after(76 * time.Minute)}},
			Delivered: 9, Heard: closed.Closed,
			Pace: seeding.Pace{
				Size: 60, Proved: 50, Ceiling: 100, Timely: 5, Suspect: 40, Losses: 1, PerRecord: 250 * time.Millisecond,
				Single: 200 * time.Millisecond, Interval: 60 * time.Millisecond, Limit: 5, Raising: 2, LimitedAt: 1,
			},
			NotBefore: after(61 * time.Minute), Attempts: 2,
		},
		Parts: parts, Rows: rows,
	}
}

// beforeSlots is what is read of contents that were written when one POST at a
// time went to an MTS, under a lease: of the lease, and of who waited for it,
// nothing.
func beforeSlots(s contents) contents {
	s.Connector.MTS.WidthMaximum = seeding.DefaultWidth
	s.State.Since = time.Time{}
	for _, batches := range [][]seeding.Batch{s.OpenBatches, s.Closed} {
		for i := range batches {
			b := &batches[i]
			b.Beside, b.Ahead, b.Full, b.Number, b.Delivered = 0, 0, false, 0, 0
			b.Since, b.Overdue, b.Answered = time.Time{}, time.Time{}, time.Time{}
		}
	}
	for _, run := range []*seeding.Run{&s.Ended, &s.Open} {
		run.Batches, run.Closed, run.Lately, run.Uncounted = 0, 0, nil, true
	}
	s.Open.Totals = seeding.Totals{}
	for _, state := range []*seeding.State{&s.State, &s.FreshState} {
		state.Open, state.Figures, state.Name, state.MTSHost, state.RegistryHost = seeding.OpenRun{}, seeding.Figures{}, "", "", ""
	}
	m := &s.MTS
	m.Claims, m.Slots, m.Waiting, m.Delivered, m.Heard = 0, nil, nil, 0, time.Time{}
	m.Single, m.Interval, m.Limit, m.Raising, m.LimitedAt = 0, 0, 0, 0, 0
	return s
}

// write writes the contents through a store, in the order in which they came about.
func write(t *testing.T, store *seedingdb.Store, inbox *seedingdb.Inbox, s contents) {
	t.Helper()
	ctx := t.Context()
	c, state := s.Connector, s.State
	done := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fresh := c
	fresh.ID, fresh.Version = s.FreshState.Connector, s.FreshState.Version
	done(store.CreateConnector(ctx, fresh))
	done(store.CreateConnector(ctx, c))
	done(store.SetStatus(ctx, c.ID, seeding.Running, t0))
	_, err := store.TakeRun(ctx, c.ID, "submit-1", t0, after(time.Minute), time.Time{})
	done(err)

	claim := func(b seeding.Batch, run seeding.Run, counter int64) {
		t.Helper()
		b.State, b.RequestID, b.Submitted, b.Closed = seeding.Claimed, "", time.Time{}, time.Time{}
		b.Parts, b.Totals, b.Attempts, b.NotBefore, b.Answered = nil, seeding.Totals{}, 0, time.Time{}, time.Time{}
		run.Completed, run.Totals, run.Lately = time.Time{}, seeding.Totals{}, nil
		done(store.Claim(ctx, seeding.Claim{
			Batch: b, Counter: counter, Run: run, Version: c.Version, Fence: run.Fence, Claims: b.Number - 1,
		}))
	}
	opened := s.Ended
	opened.Completed, opened.Totals = time.Time{}, seeding.Totals{}
	done(store.OpenRun(ctx, opened))
	closed := s.Closed[0]
	claim(closed, s.Ended, 0)
	done(store.MarkSubmitted(ctx, closed.Ref, closed.RequestID, closed.Submitted))
	open := closed
	open.State = seeding.Submitted
	done(store.CountParts(ctx, open, closed.Parts, seeding.Totals{}))
	done(store.Close(ctx, closed))
	done(store.CompleteRun(ctx, s.Ended, nil))
	done(store.LeaveRun(ctx, c.ID, s.Ended.Fence, time.Time{}, after(2*time.Hour), time.Time{}))

	_, err = store.TakeRun(ctx, c.ID, state.Lease.Owner, after(time.Hour), state.Lease.Until, time.Time{})
	done(err)
	done(store.OpenRun(ctx, s.Open))
	submitted := s.OpenBatches[0]
	claim(submitted, s.Open, 1)
	done(store.MarkSubmitted(ctx, submitted.Ref, submitted.RequestID, submitted.Submitted))
	done(store.CountParts(ctx, submitted, submitted.Parts, submitted.Totals))
	done(store.Postpone(ctx, submitted, submitted.Attempts, submitted.NotBefore))
	claim(s.OpenBatches[1], s.Open, 2)
	done(store.LeaveRun(ctx, c.ID, s.Open.Fence, time.Time{}, after(2*time.Hour), state.Moved))
	_, err = store.TakeRun(ctx, c.ID, "submit-2", after(time.Hour), state.Lease.Until, time.Time{})
	done(err)
	for source, problem := range state.Problems {
		done(store.RaiseProblem(ctx, c.ID, source, problem))
	}
	done(store.Retry(ctx, c.ID, seeding.Group{Kind: seeding.Duplicate}, state.Retried[seeding.Group{Kind: seeding.Duplicate}]))
	done(store.Retry(ctx, c.ID, seeding.Group{}, state.Retried[seeding.Group{}]))

	_, err = store.TakePatch(ctx, s.Registry.Key, s.Registry.Patch.Owner, t0, s.Registry.Patch.Until)
	done(err)
	done(store.LeavePatch(ctx, s.Registry))

	done(store.SavePace(ctx, s.MTS.Key, seeding.Pace{}, s.MTS.Pace))
	done(store.NoteMTS(ctx, s.MTS.Key, s.MTS.NotBefore, s.MTS.Attempts))
	for _, w := range s.MTS.Waiting {
		done(store.WaitForMTS(ctx, s.MTS.Key, w))
	}

	unwritten := slices.Clone(s.Rejections)
	for i := range unwritten {
		unwritten[i].Version = 0
	}
	_, err = store.PutRejections(ctx, unwritten)
	done(err)
	for _, part := range s.Parts {
		done(inbox.PutPart(ctx, part))
	}
}

// read reads all that write wrote.
func read(t *testing.T, store *seedingdb.Store) (got contents) {
	t.Helper()
	ctx := t.Context()
	want := example()
	var errs [11]error
	got.Connector, errs[0] = store.Connector(ctx, want.Connector.ID)
	got.State, errs[1] = store.State(ctx, want.State.Connector)
	got.FreshState, errs[2] = store.State(ctx, want.FreshState.Connector)
	got.Ended, errs[3] = store.Run(ctx, want.Ended.Connector, want.Ended.ID)
	got.Open, errs[4] = store.Run(ctx, want.Open.Connector, want.Open.ID)
	got.OpenBatches, errs[5] = store.OpenBatches(ctx, want.Registry.Key)
	got.Closed, errs[6] = store.ClosedBatches(ctx, want.Connector.ID, want.Ended.ID)
	got.Rejections, errs[7] = store.Rejections(ctx, want.Registry.Key, 1, 2_000_000_000)
	got.Registry, errs[8] = store.RegistryState(ctx, want.Registry.Key)
	got.MTS, errs[9] = store.MTSState(ctx, want.MTS.Key)
	got.Parts, _, errs[10] = store.AnswerParts(ctx, want.Registry.Key, want.OpenBatches[0].Ref.Batch, "")
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", reflect.TypeFor[contents]().Field(i).Name, err)
		}
	}
	for _, part := range got.Parts {
		rows, err := seeding.UnpackRows(part.Packed)
		if err != nil {
			t.Errorf("rows of part %d: %v", part.Part, err)
		}
		got.Rows = append(got.Rows, rows)
	}
	return got
}

// compare what was read with what is wanted. Packed rows are compared as rows:
// they are packed in the form of their time.
func compare(t *testing.T, got, want contents) {
	t.Helper()
	for _, parts := range [][]seeding.AnswerPart{got.Parts, want.Parts} {
		for i := range parts {
			parts[i].Packed = nil
		}
	}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if got, want := g.Field(i).Interface(), w.Field(i).Interface(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", g.Type().Field(i).Name, got, want)
		}
	}
}

// recording is a recorded file: the items of each table, in the order of their
// keys, as DynamoDB's own JSON has them.
type recording struct {
	Connectors []map[string]any `json:"connectors"`
	Answers    []map[string]any `json:"answers"`
}

func dump(t *testing.T, tables seedingdbtest.Tables, file string) {
	t.Helper()
	all := func(table string) (list []map[string]any) {
		out, err := tables.Client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range out.Items {
			list = append(list, toJSON(t, it))
		}
		slices.SortFunc(list, func(a, b map[string]any) int {
			return cmp.Compare(fmt.Sprint(a["pk"], a["sk"]), fmt.Sprint(b["pk"], b["sk"]))
		})
		return list
	}
	text, err := json.MarshalIndent(recording{Connectors: all(tables.Connectors), Answers: all(tables.Answers)}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, tables seedingdbtest.Tables, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var items struct{ Connectors, Answers []map[string]attribute }
	if err := json.Unmarshal(text, &items); err != nil {
		t.Fatal(err)
	}
	for table, list := range map[string][]map[string]attribute{tables.Connectors: items.Connectors, tables.Answers: items.Answers} {
		for _, it := range list {
			if _, err := tables.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: fromJSON(it)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// attribute is a value in DynamoDB's own JSON.
type attribute struct {
	S    *string
	N    *string
	B    []byte
	BOOL *bool
	SS   []string
	M    map[string]attribute
}

func fromJSON(it map[string]attribute) map[string]types.AttributeValue {
	out := map[string]types.AttributeValue{}
	for name, a := range it {
		switch {
		case a.S != nil:
			out[name] = &types.AttributeValueMemberS{Value: *a.S}
		case a.N != nil:
			out[name] = &types.AttributeValueMemberN{Value: *a.N}
		case a.BOOL != nil:
			out[name] = &types.AttributeValueMemberBOOL{Value: *a.BOOL}
		case a.B != nil:
			out[name] = &types.AttributeValueMemberB{Value: a.B}
		case a.SS != nil:
			out[name] = &types.AttributeValueMemberSS{Value: a.SS}
		default:
			out[name] = &types.AttributeValueMemberM{Value: fromJSON(a.M)}
		}
	}
	return out
}

func toJSON(t *testing.T, it map[string]types.AttributeValue) map[string]any {
	t.Helper()
	out := map[string]any{}
	for name, value := range it {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			out[name] = map[string]any{"S": v.Value}
		case *types.AttributeValueMemberN:
			out[name] = map[string]any{"N": v.Value}
		case *types.AttributeValueMemberBOOL:
			out[name] = map[string]any{"BOOL": v.Value}
		case *types.AttributeValueMemberB:
			out[name] = map[string]any{"B": v.Value}
		case *types.AttributeValueMemberSS:
			out[name] = map[string]any{"SS": slices.Sorted(slices.Values(v.Value))}
		case *types.AttributeValueMemberM:
			out[name] = map[string]any{"M": toJSON(t, v.Value)}
		default:
			t.Fatalf("attribute %q is a %T", name, value)
		}
	}
	return out
}
