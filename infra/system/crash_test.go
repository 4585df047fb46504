package system_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// Crash points: every remote write of every function fails once before and once
// after it took effect, as an error and as the death of the function. The list
// of points is what a whole run was seen to write, so a new one cannot be
// forgotten.

// mode of a failure.
type mode struct {
	after bool // the write took effect
	kill  bool // the function ends there: nothing that it does later happens
}

func (m mode) String() string {
	return map[bool]string{false: "before", true: "after"}[m.after] + map[bool]string{false: "", true: ", killed"}[m.kill]
}

var modes = []mode{{false, false}, {true, false}, {false, true}, {true, true}}

var errCrash = errors.New("crash point")

// invocation is one call of a function; once dead it reaches nothing any more.
type invocation struct {
	function string
	mu       sync.Mutex
	dead     bool
}

type invocationKey struct{}

// newInvocation makes the context of one call of a function.
func newInvocation(ctx context.Context, function string) context.Context {
	return context.WithValue(ctx, invocationKey{}, &invocation{function: function})
}

func invocationOf(ctx context.Context) *invocation {
	i, _ := ctx.Value(invocationKey{}).(*invocation)
	return i
}

func (i *invocation) isDead() bool {
	if i == nil {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.dead
}

func (i *invocation) die() {
	if i != nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.dead = true
	}
}

// faults decides about every remote write of a world.
type faults struct {
	mu    sync.Mutex
	seen  map[string]int  // writes by point: the function, and what it writes
	armed map[string]mode // what is to fail, once each
}

func newFaults() *faults { return &faults{seen: map[string]int{}, armed: map[string]mode{}} }

// checkAllCame fails the test if a crash that was armed never came: it would prove
// nothing.
func (f *faults) checkAllCame(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for point := range f.armed {
		t.Errorf("no crash came at %s", point)
	}
}

// around carries out a write at a point, or lets it fail.
func (f *faults) around(ctx context.Context, point string, write func() error) error {
	who := invocationOf(ctx)
	if who == nil {
		return write() // a person, through the test
	}
	if who.isDead() {
		return errCrash
	}
	point = who.function + ": " + point
	f.mu.Lock()
	f.seen[point]++
	m, comes := f.armed[point]
	delete(f.armed, point)
	f.mu.Unlock()
	if !comes {
		return write()
	}
	if m.after {
		if err := write(); err != nil {
			return err
		}
	}
	if m.kill {
		who.die()
	}
	return errCrash
}

// crashingDatabase is the store's client with crash points, named after the store's
// method that writes.
type crashingDatabase struct {
	dynamo.Client
	faults *faults
}

func crash[In, Out any](ctx context.Context, c crashingDatabase, in *In, call func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error), opts []func(*dynamodb.Options)) (out *Out, err error) {
	failed := c.faults.around(ctx, "dynamodb "+storeMethod(), func() error {
		out, err = call(ctx, in, opts...)
		return nil
	})
	if failed != nil {
		return nil, failed
	}
	return out, err
}

func (c crashingDatabase) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return crash(ctx, c, in, c.Client.PutItem, o)
}

func (c crashingDatabase) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return crash(ctx, c, in, c.Client.UpdateItem, o)
}

func (c crashingDatabase) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return crash(ctx, c, in, c.Client.DeleteItem, o)
}

func (c crashingDatabase) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return crash(ctx, c, in, c.Client.TransactWriteItems, o)
}

func (c crashingDatabase) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if invocationOf(ctx).isDead() {
		return nil, errCrash
	}
	return c.Client.GetItem(ctx, in, o...)
}

func (c crashingDatabase) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if invocationOf(ctx).isDead() {
		return nil, errCrash
	}
	return c.Client.Query(ctx, in, o...)
}

// crashingNetwork is the network with crash points: the POST to MTS, and what writes into
// the registry.
type crashingNetwork struct {
	http.RoundTripper
	faults *faults
}

var registryWrite = regexp.MustCompile(`"method": ?"(create|unlink|write|load)"`)

func (n crashingNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	if invocationOf(r.Context()).isDead() {
		return nil, errCrash
	}
	point := ""
	switch {
	case strings.HasSuffix(r.URL.Path, "/authtoken/json"), strings.HasSuffix(r.URL.Path, "/authtoken/odk"):
		point = "MTS POST"
	default:
		if method := registryCall(r); method != "" {
			point = "registry " + method
		}
	}
	if point == "" {
		return n.RoundTripper.RoundTrip(r)
	}
	var response *http.Response
	var err error
	failed := n.faults.around(r.Context(), point, func() error {
		response, err = n.RoundTripper.RoundTrip(r)
		return nil
	})
	if failed != nil {
		if response != nil {
			_ = response.Body.Close()
		}
		return nil, failed
	}
	return response, err
}

// registryCall is the method of a request that writes into the registry.
func registryCall(r *http.Request) (method string) {
	if r.Method != http.MethodPost || r.Body == nil {
		return ""
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	if m := registryWrite.FindSubmatch(text); m != nil {
		method = string(m[1])
	}
	return method
}

// eventful makes a world in which a run writes all that a run can write:
// tokens, rejections of every kind, VIDs of others, lost and late batches,
// problems, an outage, and a slot that another connector holds.
func eventful(t *testing.T, local bool, change ...func(*seeding.Connector)) (*world, seeding.Connector, invariants.Registry) {
	w := newWorld(t, options{faults: newFaults(), local: local})
	w.kinds = w.registry.Populate(90, 7).Kinds
	w.addRegistrants(40)
	id := w.registry.AddRegistrant(odoosim.Registrant{Name: "T", GivenName: "T", Gender: "Male"})
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(660000, 1, odoosim.Normal)})
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: strings.Repeat("6", 36)})
	before := w.now()
	w.mts.SetFaults(mtssim.Faults{LoseEvery: 3, Copies: 2})
	w.registry.Inject(odoosim.Fault{Model: "g2p.reg.id", Method: "create", Times: 1, Outcome: odoosim.Denied})
	w.registry.Inject(odoosim.Fault{Model: "res.partner", Method: "search_read", Skip: 2, Times: 9, Point: odoosim.Arrival, Outcome: odoosim.Closed})
	var refused atomic.Bool
	w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
		if w.mts.Counters().Posts == 12 { // enough are lost
			w.mts.SetFaults(mtssim.Faults{Copies: 2})
		}
		if r.Method != http.MethodPost || w.mts.Counters().Posts < 2 || !refused.CompareAndSwap(false, true) {
			return false
		}
		http.NotFound(rw, r)
		return true
	}
	c := w.connector(func(c *seeding.Connector) {
		c.MTS.BatchMaximum = 40
		for _, more := range change {
			more(c)
		}
	})
	w.occupyMTS(c, 2*time.Minute) // so the first step waits for a slot
	return w, c, before
}

// finishAndCheck lets a world with its faults run until nothing is under way, and
// once more with everything due, and checks it. It returns how every registrant
// ended.
func (w *world) finishAndCheck(c seeding.Connector, before invariants.Registry) map[int64]string {
	w.Helper()
	w.finish(120, c)
	w.mts.SetFaults(mtssim.Faults{})
	for id, kind := range w.kinds {
		if kind == odoosim.NoBirthdate { // somebody corrects what was rejected
			w.registry.SetRegistrant(id, map[string]any{"birthdate": "1980-01-01"})
		}
	}
	w.repeatLast()
	w.clock.Advance(25 * time.Hour)
	w.finishNextRun(120, c)
	w.forgetFailures() // functions were made to fail
	w.checkInvariants(c, before)
	for source, p := range w.problems(c) {
		w.Errorf("the problem %s is still shown, and its cause is removed: %s", source, p.Text)
	}
	_, rejected := w.rejections(c)
	for _, v := range invariants.Rejections(w.now(), slices.Collect(maps.Values(rejected)), w.kinds) {
		w.Error(v)
	}
	observed := invariants.Observe(w.now(), before, nil, 0, 0)
	expect(w.T, "tokenised, by the totals and at the registry", w.totals(c).Tokenised, observed.Tokenised)
	ends := map[int64]string{}
	for id := range w.now() {
		if w.kinds[id] != odoosim.SharedPerson { // either of the two may be the duplicate
			ends[id] = fmt.Sprintf("token %t, %s %s", w.tokenOf(id) != "", rejected[id].Kind, rejected[id].Code)
		}
	}
	return ends
}

// checkEnds fails the test for everybody who ended in another way.
func (w *world) checkEnds(want, ends map[int64]string) {
	w.Helper()
	for id, end := range ends {
		if end != want[id] {
			w.Errorf("registrant %d (%s): %s; without a crash %s", id, w.kinds[id], end, want[id])
		}
	}
}

// writes are the methods of the store that write, for a run. A method is a read
// if it is named after what it returns.
func writes() (names []string) {
	reads := []string{"Connector", "State", "States", "Run", "OpenBatches", "ClosedBatches", "Batch", "Rejections", "RejectionsAt", "ListRejections", "ListedPart",
		"RegistryState", "RegistryStates", "MTSState", "NextAnswer", "HasAnswer", "AnswerParts"}
	for _, port := range []reflect.Type{
		reflect.TypeFor[seeding.Connectors](), reflect.TypeFor[seeding.Runs](), reflect.TypeFor[seeding.Batches](),
		reflect.TypeFor[seeding.Rejections](), reflect.TypeFor[seeding.RegistryStates](), reflect.TypeFor[seeding.MTSStates](),
		reflect.TypeFor[seeding.Answers](), reflect.TypeFor[seeding.AnswerInbox](),
	} {
		for i := range port.NumMethod() {
			if name := port.Method(i).Name; !slices.Contains(reads, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// checkTried checks that there is a crash point at methods of the store.
func checkTried(t *testing.T, points []string, methods ...string) {
	t.Helper()
	for _, method := range methods {
		if !slices.ContainsFunc(points, func(point string) bool { return strings.HasSuffix(point, ": dynamodb "+method) }) {
			t.Errorf("the run never calls %s, so no crash is tried there", method)
		}
	}
}

// eachCrash tries each point in each mode.
func eachCrash(t *testing.T, points []string, try func(t *testing.T, point string, m mode)) {
	for _, point := range points {
		for _, m := range modes {
			t.Run(fmt.Sprintf("%s/%s", point, m), func(t *testing.T) {
				t.Parallel()
				try(t, point, m)
			})
		}
	}
}

// eachPair tries pairs of points, which the seed chooses.
func eachPair(t *testing.T, points []string, seed uint64, pairs int, try func(t *testing.T, pair int, arm func(*faults))) {
	random := rand.New(rand.NewPCG(2026, seed))
	for i := range pairs {
		a, b := points[random.IntN(len(points))], points[random.IntN(len(points))]
		ma, mb := modes[random.IntN(len(modes))], modes[random.IntN(len(modes))]
		t.Run(fmt.Sprintf("pair %d: %s %s, %s %s", i, a, ma, b, mb), func(t *testing.T) {
			t.Parallel()
			try(t, i, func(f *faults) { f.armed[a], f.armed[b] = ma, mb })
		})
	}
}

func TestCrashPoints(t *testing.T) {
	t.Parallel()
	w, c, before := eventful(t, true) // so everything below ends as it does on DynamoDB Local
	want := w.finishAndCheck(c, before)
	points := slices.Sorted(maps.Keys(w.faults.seen))
	for _, method := range writes() {
		if slices.Contains(ofImports, method) || method == "Track" {
			continue // TestCrashPointsOfImports, TestCrashPointsOfDirectCallbacks
		}
		checkTried(t, points, method)
	}
	t.Logf("%d points: %s", len(points), strings.Join(points, ", "))
	eachCrash(t, points, func(t *testing.T, point string, m mode) {
		w, c, before := eventful(t, false)
		w.faults.armed[point] = m
		w.checkEnds(want, w.finishAndCheck(c, before))
		w.faults.checkAllCame(t)
	})
	eachPair(t, points, 11, 24, func(t *testing.T, pair int, arm func(*faults)) {
		w, c, before := eventful(t, pair < 2)
		arm(w.faults)
		w.checkEnds(want, w.finishAndCheck(c, before))
	})
}
