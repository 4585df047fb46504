// Package seedingdbtest is the contract of the stores of package seedingdb, as
// tests that run on any DynamoDB: AWS's own local one, which has exact conditions
// and units, the one in memory, and the emulator of the local stack.
package seedingdbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// Tables is where a contract runs.
type Tables struct {
	Client     *dynamodb.Client
	Connectors string
	Answers    string
	// Sizing is for a dynamotest.Meter on DynamoDB Local, which miscounts
	// transactions.
	Sizing bool
}

// RunContract runs the whole contract. It uses unique ids, so the tables may hold
// other items; open is called once per part of the contract and may return the
// same tables each time.
func RunContract(t *testing.T, open func(t *testing.T) Tables) {
	for _, part := range []struct {
		name string
		run  func(*suite)
	}{
		{"configurations", (*suite).configurations},
		{"replacing", (*suite).replacing},
		{"deleting", (*suite).deleting},
		{"unknown connector", (*suite).unknownConnector},
		{"run lease", (*suite).runLease},
		{"due time", (*suite).dueTime},
		{"schedule", (*suite).schedule},
		{"moving", (*suite).moving},
		{"keeping the lease", (*suite).keeping},
		{"serving", (*suite).serving},
		{"problems", (*suite).problems},
		{"problems that are only shown", (*suite).shownProblems},
		{"runs", (*suite).runs},
		{"created again", (*suite).createdAgain},
		{"run pages", (*suite).runPages},
		{"claim", (*suite).claim},
		{"claim refused", (*suite).claimRefused},
		{"claim raced", (*suite).claimRaced},
		{"submitted", (*suite).submitted},
		{"counting parts", (*suite).countingParts},
		{"counting many parts", (*suite).countingManyParts},
		{"postponing", (*suite).postponing},
		{"closing", (*suite).closing},
		{"closing raced", (*suite).closingRaced},
		{"tracking", (*suite).tracking},
		{"batches of a run", (*suite).batchesOfRun},
		{"imports", (*suite).imports},
		{"orders of imports", (*suite).orders},
		{"lists of imports", (*suite).lists},
		{"cancelling", (*suite).cancelling},
		{"imports and stops", (*suite).importsAndStops},
		{"submissions", (*suite).submissions},
		{"coverage", (*suite).coverage},
		{"rejections of submissions", (*suite).ofSubmissions},
		{"counted runs", (*suite).countedRuns},
		{"periods", (*suite).periods},
		{"open runs", (*suite).openRuns},
		{"whereabouts", (*suite).whereabouts},
		{"changes", (*suite).changes},
		{"changes of runs", (*suite).changesOfRuns},
		{"retrying groups", (*suite).retryingGroups},
		{"rejections", (*suite).rejections},
		{"rejection pages", (*suite).rejectionPages},
		{"rejection filters", (*suite).rejectionFilters},
		{"retrying", (*suite).retrying},
		{"registries", (*suite).registries},
		{"MTS", (*suite).mts},
		{"slots", (*suite).slots},
		{"slots raced", (*suite).slotsRaced},
		{"waiting", (*suite).waiting},
		{"left behind", (*suite).leftBehind},
		{"pace", (*suite).pace},
		{"answers", (*suite).answers},
		{"big answers", (*suite).bigAnswers},
		{"inquiries", (*suite).inquiries},
		{"places of inquiries", (*suite).inquiryPlaces},
		{"inquiries raced", (*suite).inquiriesRaced},
		{"previews are fetched once", (*suite).fetching},
		{"what was found", (*suite).found},
		{"between read and write", (*suite).between},
		{"lost replies", (*suite).lostReplies},
		{"units", (*suite).units},
	} {
		t.Run(part.name, func(t *testing.T) {
			part.run(newSuite(t, open(t)))
		})
	}
}

// suite is one part of the contract with a store and ids of its own.
type suite struct {
	*testing.T
	ctx    context.Context
	tables Tables
	store  *seedingdb.Store
	inbox  *seedingdb.Inbox
	prefix string
}

func newSuite(t *testing.T, tables Tables) *suite {
	t.Helper()
	return &suite{
		T: t, ctx: t.Context(), tables: tables,
		store:  seedingdb.New(tables.Client, tables.Connectors, tables.Answers),
		inbox:  seedingdb.NewInbox(tables.Client, tables.Answers),
		prefix: strings.ToLower(rand.Text()[:10]),
	}
}

// id is unique to the part of the contract, and sorts by name.
func (s *suite) id(name string) string { return s.prefix + "-" + name }

// with returns the store over a client with other options.
func (s *suite) with(options ...func(*dynamodb.Options)) *seedingdb.Store {
	client := dynamodb.New(s.tables.Client.Options(), options...)
	return seedingdb.New(client, s.tables.Connectors, s.tables.Answers)
}

// Everything happens around t0. Stores keep milliseconds.
var t0 = time.UnixMilli(1_790_000_000_123).UTC()

func after(d time.Duration) time.Time { return t0.Add(d) }

func (s *suite) ok(err error, what string) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v (%v)", what, err, errors.Unwrap(err))
	}
}

func (s *suite) fails(err, want error, what string) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (s *suite) same(got, want any, what string) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// racers is the number of calls in a race.
const racers = 24

// race makes all calls at once and counts the errors in which they ended.
func (s *suite) race(run func(racer int) error) map[error]int {
	s.Helper()
	start := make(chan struct{})
	errs := make([]error, racers)
	var all sync.WaitGroup
	for i := range racers {
		all.Go(func() {
			<-start
			errs[i] = run(i)
		})
	}
	close(start)
	all.Wait()
	outcomes := map[error]int{}
	for _, err := range errs {
		outcomes[err]++
	}
	return outcomes
}

// connector creates a connector and returns it; it is stopped.
func (s *suite) connector(name string) seeding.Connector {
	s.Helper()
	c := seeding.Connector{
		ID: s.id(name), Version: 1, Name: name, MTS: seeding.MTSAccess{URL: "https://mts.example/" + s.prefix, BatchMaximum: 1000, WidthMaximum: 4},
		Schedule: seeding.Schedule{Interval: time.Hour}, Created: t0, Updated: t0,
		Registry: seeding.RegistryAccess{URL: "https://registry.example/" + s.prefix, Database: "g2p"},
	}
	s.ok(s.store.CreateConnector(s.ctx, c), "create connector")
	return c
}

// running creates a connector that is running with an open run under a lease.
func (s *suite) running(name string) (seeding.Connector, seeding.Run) {
	s.Helper()
	c := s.connector(name)
	s.ok(s.store.SetStatus(s.ctx, c.ID, seeding.Running, t0), "start")
	state, err := s.store.TakeRun(s.ctx, c.ID, "submitter", t0, after(time.Minute), time.Time{})
	s.ok(err, "take run")
	run := seeding.Run{ID: c.ID + "-run", Connector: c.ID, Kind: seeding.Recurring, Version: 1, Started: t0, Passes: 1, PassStarted: t0, Fence: state.Lease.Fence}
	s.ok(s.store.OpenRun(s.ctx, run), "open run")
	return c, run
}

// mtsState is the state of the connector's MTS. All connectors of a part of the
// contract use the same one.
func (s *suite) mtsState(c seeding.Connector) seeding.MTSState {
	s.Helper()
	m, err := s.store.MTSState(s.ctx, c.MTSKey())
	s.ok(err, "MTS")
	return m
}

// aClaim is a claim that succeeds.
func (s *suite) aClaim(c seeding.Connector, run seeding.Run, batch string) seeding.Claim {
	s.Helper()
	registry, err := s.store.RegistryState(s.ctx, c.RegistryKey())
	s.ok(err, "registry state")
	run.Cursor, run.Tally.Looked = run.Cursor+17, run.Tally.Looked+2
	return seeding.Claim{
		Batch: seeding.Batch{
			Ref:   seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: run.ID, Batch: s.id(batch)},
			State: seeding.Claimed, MTS: c.MTSKey(), MTSURL: c.MTS.URL, Size: 50, InLine: 2,
			Claimed: t0, Overdue: after(time.Minute), Deadline: after(2 * time.Minute),
			RowKey: "row-key", FingerprintKey: "print-key",
			Members: []seeding.Member{{Registrant: 7, Identifier: 70}, {Registrant: 9, Identifier: 12}}, Count: 2,
		},
		Counter: registry.Counter, Run: run, Version: c.Version, Fence: run.Fence, Claims: s.mtsState(c).Claims, Width: claimWidth,
	}
}

// claimed claims a batch.
func (s *suite) claimed(c seeding.Connector, run seeding.Run, batch string) seeding.Batch {
	s.Helper()
	claim := s.aClaim(c, run, batch)
	s.ok(s.store.Claim(s.ctx, claim), "claim")
	return claim.Batch
}

// fill sets every exported field below v to a value of its own, so that a
// field which a store forgets is missed.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(after(time.Duration(*n) * time.Second)))
		return
	case time.Duration:
		v.SetInt(int64(time.Duration(*n) * time.Millisecond))
		return
	case seeding.MTSStatus:
		v.SetInt(int64(seeding.StatusPartly))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("s%04d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 250)) //nolint:gosec // small
	default:
		panic("fill: " + v.Kind().String())
	}
}

// filled is a value without an empty field.
func filled[T any]() (v T) {
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}
