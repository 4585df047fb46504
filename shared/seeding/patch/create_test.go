package patch

import (
	"fmt"
	"math/bits"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
	"pgregory.net/rapid"
)

// clock is moved by what takes time.
type clock struct {
	seedingtest.Clock
	passed time.Duration
}

func (c *clock) Now() time.Time { return c.Clock.Now().Add(c.passed) }

// creation is a create under test: a patcher at the beginning of its working
// time, and the sizes of the calls that it made.
type creation struct {
	*Patcher
	clock *clock
	turn  *turn
	calls []int
}

func newCreation() *creation {
	c := &clock{Clock: seedingtest.Clock{Time: now}}
	times := seeding.DefaultTimes()
	noted := seeding.Lease{Until: now.Add(times.PatchWork + times.CommitGrace)} // that writes follow
	return &creation{
		Patcher: &Patcher{Clock: c, Times: times}, clock: c,
		turn: &turn{until: now.Add(times.PatchWork), registry: seeding.RegistryState{Patch: noted}},
	}
}

// registry is one that answers each call as answer says, after perRecord for
// each token.
func (c *creation) registry(perRecord time.Duration, answer func(tokens []seeding.NewToken) error) *registry {
	return &registry{create: func(tokens []seeding.NewToken) error {
		c.calls = append(c.calls, len(tokens))
		c.clock.passed += perRecord * time.Duration(len(tokens))
		return answer(tokens)
	}}
}

func accepts([]seeding.NewToken) error { return nil }

// refuses is a registry that refuses every call with a token of these
// registrants, by the code of the first of them.
func refuses(codes map[int64]string) func([]seeding.NewToken) error {
	return func(tokens []seeding.NewToken) error {
		for _, t := range tokens {
			if code, refused := codes[t.Registrant]; refused {
				return &seeding.Fault{Kind: seeding.RefusedData, Code: code}
			}
		}
		return nil
	}
}

// rowsTo are rows with tokens of registrants 1 to n.
func rowsTo(n int) (rows []seeding.Row) {
	for i := range n {
		rows = append(rows, withToken(int64(i+1), fmt.Sprintf("T%d", i+1)))
	}
	return rows
}

// A create has as many records as should take the aim by the measured time per
// record, and 50 at a registry that was never measured.
func TestSizeOfACreate(t *testing.T) {
	const aim = 5 * time.Second
	for _, c := range []struct {
		name      string
		perRecord time.Duration
		want      int
	}{
		{"never measured", 0, 50},
		{"10 ms each", 10 * time.Millisecond, 500},
		{"100 ms each, without an index", 100 * time.Millisecond, 50},
		{"just below the most", 5001 * time.Microsecond, 999},
		{"very fast: 1,000 at most", time.Microsecond, 1000},
		{"as slow as the aim: one at a time", aim, 1},
		{"slower than the aim: one at a time", time.Minute, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := createSize(c.perRecord, aim); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

// After a call of unknown outcome the next one is at most half as large.
func TestSizeAfterAnUnknownOutcome(t *testing.T) {
	const aim = 5 * time.Second
	for _, c := range []struct {
		name    string
		before  time.Duration // per record
		records int           // of the call that failed
		next    int           // records in the next call
	}{
		{"never measured", 0, 50, 25},
		{"never measured, a small call", 0, 3, 1},
		{"measured", 10 * time.Millisecond, 500, 250},
		{"measured, and the call was smaller than it could be", 10 * time.Millisecond, 100, 50},
		{"two records", 2500 * time.Millisecond, 2, 1},
		{"a single record: a smaller call there is not", 5 * time.Second, 1, 1},
		{"a single record at a registry that was never measured", 0, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := slowDown(c.before, aim, c.records)
			if got := createSize(after, aim); got != c.next || after > aim {
				t.Errorf("the next call has %d records at %v each, want %d", got, after, c.next)
			}
		})
	}
	// However slow the registry becomes: unknown outcomes do not add up.
	perRecord := time.Duration(0)
	for range 100 {
		perRecord = slowDown(perRecord, aim, createSize(perRecord, aim))
	}
	if perRecord != aim {
		t.Errorf("after 100 unknown outcomes %v per record", perRecord)
	}
}

// Single records count as refused alike while their codes are the same.
func TestRefusedAlike(t *testing.T) {
	var s seeding.RegistryState
	for i, c := range []struct {
		code string
		want int
	}{
		{"ValidationError", 1}, {"ValidationError", 2}, {"UserError", 1}, {"ValidationError", 1}, {"ValidationError", 2}, {"ValidationError", 3},
	} {
		if s = countRefusedAlike(s, c.code); s.RefusedAlike != c.want || s.RefusedCode != c.code {
			t.Fatalf("refusal %d: %d of %q, want %d of %q", i+1, s.RefusedAlike, s.RefusedCode, c.want, c.code)
		}
	}
}

// What a registry that takes some tokens, none, or too long makes of a create
// (infra/protocol.md, "Patch" 7).
func TestCreate(t *testing.T) {
	const validation, user = "ValidationError", "UserError"
	type codes = map[int64]string
	unknown := func([]seeding.NewToken) error { return &seeding.Fault{Kind: seeding.Unknown} }
	faulty := func(k seeding.FaultKind) func([]seeding.NewToken) error {
		return func([]seeding.NewToken) error { return &seeding.Fault{Kind: k, Code: "X"} }
	}
	for _, c := range []struct {
		name         string
		rows         int
		registry     func([]seeding.NewToken) error
		perRecord    time.Duration         // that the registry takes
		before       seeding.RegistryState // what is known of the registry
		writeRefused bool                  // the problem "write" is there
		spent        time.Duration         // of the working time

		calls   []int         // sizes
		created int           // rows
		refused codes         // rows with a verdict, by registrant
		alike   int           // single records refused alike, afterwards
		known   time.Duration // time per record, afterwards
		fault   error         // that ended it
	}{
		{name: "nothing to create: no call", registry: accepts},
		{name: "all are taken in one call, which measures the registry", rows: 40, registry: accepts, perRecord: 10 * time.Millisecond,
			calls: []int{40}, created: 40, known: 10 * time.Millisecond},
		{name: "never measured: the first 50 show how large the next calls may be", rows: 1000, registry: accepts, perRecord: 10 * time.Millisecond,
			calls: []int{50, 500, 450}, created: 1000, known: 10 * time.Millisecond},
		{name: "slower than it was known to be: the calls become smaller", rows: 1000, registry: accepts, perRecord: 50 * time.Millisecond,
			before: seeding.RegistryState{Create: 10 * time.Millisecond},
			calls:  []int{500, 250, 181, 69}, created: 1000, known: 37343750 * time.Nanosecond},
		{name: "a token that is taken ends the count of those refused alike", rows: 1, registry: accepts, perRecord: 10 * time.Millisecond,
			before: seeding.RegistryState{RefusedAlike: 2, RefusedCode: validation},
			calls:  []int{1}, created: 1, known: 10 * time.Millisecond},

		{name: "one of eight is refused: halved until it is alone", rows: 8, registry: refuses(codes{6: validation}), perRecord: time.Millisecond,
			calls: []int{8, 4, 4, 2, 1, 1, 2}, created: 7, refused: codes{6: validation}, known: time.Millisecond},
		{name: "the first and the last of five are refused", rows: 5, registry: refuses(codes{1: validation, 5: user}), perRecord: time.Millisecond,
			calls: []int{5, 2, 1, 1, 3, 1, 2, 1, 1}, created: 3, refused: codes{1: validation, 5: user}, alike: 1, known: time.Millisecond},
		{name: "one of the first 50 at a registry that was never measured: the others go as fast as it proves to be", rows: 200,
			registry: refuses(codes{1: validation}), perRecord: time.Millisecond,
			calls: []int{50, 25, 12, 6, 3, 1, 2, 3, 6, 13, 25, 150}, created: 199, refused: codes{1: validation}, known: time.Millisecond},
		{name: "one alone is refused", rows: 1, registry: refuses(codes{1: validation}),
			calls: []int{1}, refused: codes{1: validation}, alike: 1},
		{name: "two are refused alike: still accidents of their data", rows: 2, registry: refuses(codes{1: validation, 2: validation}),
			calls: []int{2, 1, 1}, refused: codes{1: validation, 2: validation}, alike: 2},
		{name: "three are refused, not alike: accidents of their data", rows: 3, registry: refuses(codes{1: validation, 2: user, 3: validation}),
			calls: []int{3, 1, 2, 1, 1}, refused: codes{1: validation, 2: user, 3: validation}, alike: 1},
		{name: "three are refused alike, and one is taken between them: accidents of their data", rows: 4,
			registry: refuses(codes{1: validation, 2: validation, 4: validation}), perRecord: time.Millisecond,
			calls: []int{4, 2, 1, 1, 2, 1, 1}, created: 1, refused: codes{1: validation, 2: validation, 4: validation}, alike: 1, known: time.Millisecond},

		{name: "three are refused alike: the problem \"write\", and nobody is rejected", rows: 3,
			registry: refuses(codes{1: validation, 2: validation, 3: validation}),
			calls:    []int{3, 1, 2, 1, 1}, alike: 3, fault: &refusesAll{&seeding.Fault{Kind: seeding.RefusedData, Code: validation}}},
		{name: "two of the batches before and one of this one are refused alike: the problem \"write\"", rows: 1,
			registry: refuses(codes{1: validation}), before: seeding.RegistryState{RefusedAlike: 2, RefusedCode: validation},
			calls: []int{1}, alike: 3, fault: &refusesAll{&seeding.Fault{Kind: seeding.RefusedData, Code: validation}}},
		{name: "two of the batches before and one of this one, not alike: an accident of its data", rows: 1,
			registry: refuses(codes{1: user}), before: seeding.RegistryState{RefusedAlike: 2, RefusedCode: validation},
			calls: []int{1}, refused: codes{1: user}, alike: 1},
		{name: "there is the problem \"write\": one refusal is enough", rows: 1,
			registry: refuses(codes{1: validation}), writeRefused: true,
			calls: []int{1}, alike: 1, fault: &refusesAll{&seeding.Fault{Kind: seeding.RefusedData, Code: validation}}},
		{name: "there is the problem \"write\", and the token is taken", rows: 1, registry: accepts, perRecord: time.Millisecond, writeRefused: true,
			calls: []int{1}, created: 1, known: time.Millisecond},

		{name: "the outcome is unknown: no more calls, and the next one is half as large", rows: 100, registry: unknown,
			calls: []int{50}, known: 200 * time.Millisecond, fault: &seeding.Fault{Kind: seeding.Unknown}},
		{name: "the registry is unreachable: no more calls", rows: 100, registry: faulty(seeding.Unreachable),
			calls: []int{50}, fault: &seeding.Fault{Kind: seeding.Unreachable, Code: "X"}},
		{name: "the user may not write: no more calls, none halved", rows: 100, registry: faulty(seeding.RefusedRights),
			calls: []int{50}, fault: &seeding.Fault{Kind: seeding.RefusedRights, Code: "X"}},
		{name: "the sign-in is refused: no more calls, none halved", rows: 100, registry: faulty(seeding.RefusedSignIn),
			calls: []int{50}, fault: &seeding.Fault{Kind: seeding.RefusedSignIn, Code: "X"}},

		{name: "three quarters of the working time are gone: one more call", rows: 1, registry: accepts, perRecord: time.Millisecond, spent: 90 * time.Second,
			calls: []int{1}, created: 1, known: time.Millisecond},
		{name: "more than that is gone: no call", rows: 1, registry: accepts, spent: 90*time.Second + 1, fault: errTimeUp},
		{name: "the working time ends between two calls", rows: 100, registry: accepts, perRecord: time.Second, spent: 45 * time.Second,
			calls: []int{50}, known: time.Second, fault: errTimeUp},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newCreation()
			noted := w.turn.registry.Patch
			w.turn.registry, w.clock.passed = c.before, c.spent
			w.turn.registry.Patch = noted
			state := seeding.State{Problems: map[seeding.Source]seeding.Problem{}}
			if c.writeRefused {
				state.Problems[seeding.ProblemWrite] = seeding.Problem{}
			}
			rows := rowsTo(c.rows)
			created, refusals, err := w.create(t.Context(), w.turn, w.registry(c.perRecord, c.registry), state, plansOf(rows))
			if c.fault == nil && err != nil || c.fault != nil && (err == nil || err.Error() != c.fault.Error() || fmt.Sprintf("%T", err) != fmt.Sprintf("%T", c.fault)) {
				t.Fatalf("ended by %v, want %v", err, c.fault)
			}
			if !slices.Equal(w.calls, c.calls) {
				t.Errorf("calls of %v, want %v", w.calls, c.calls)
			}
			if len(created) != c.created || len(refusals) != len(c.refused) {
				t.Errorf("%d created and %d refused, want %d and %d", len(created), len(refusals), c.created, len(c.refused))
			}
			for _, v := range refusals {
				if want := (verdict{row: rows[v.row.Registrant-1], kind: notWritten, code: c.refused[v.row.Registrant]}); v != want {
					t.Errorf("got %v, want %v", v, want)
				}
			}
			if got := w.turn.registry; got.RefusedAlike != c.alike || got.Create != c.known {
				t.Errorf("afterwards %d are refused alike, and a record takes %v; want %d, %v", got.RefusedAlike, got.Create, c.alike, c.known)
			}
		})
	}
}

// A refused call does not say which record it was. Halving finds exactly the
// records that are refused, and writes each other one once, in a number of calls
// that grows with the logarithm of the size.
func TestHalvingFindsWhatIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newCreation()
		w.turn.registry.Create = time.Millisecond // known to be fast: one call for all
		rows := rowsTo(rapid.IntRange(1, 1000).Draw(t, "rows"))
		codes := map[int64]string{}
		for i := range rapid.IntRange(0, 5).Draw(t, "refused") {
			codes[rapid.Int64Range(1, int64(len(rows))).Draw(t, "registrant")] = fmt.Sprintf("Error%d", i) // never two alike
		}
		r := w.registry(time.Millisecond, refuses(codes))
		created, refusals, err := w.create(t.Context(), w.turn, r, seeding.State{}, plansOf(rows))
		if err != nil {
			t.Fatal(err)
		}
		if len(created)+len(refusals) != len(rows) || len(refusals) != len(codes) || len(r.tokens) != len(created) {
			t.Fatalf("of %d rows %d are created and %d refused, and the registry has %d tokens", len(rows), len(created), len(refusals), len(r.tokens))
		}
		for _, v := range refusals {
			if v.code != codes[v.row.Registrant] {
				t.Fatalf("registrant %d is refused with %q", v.row.Registrant, v.code)
			}
		}
		for i, row := range created {
			if _, refused := codes[row.Registrant]; refused || holds(row.Registrant, row.Token) != r.tokens[i] {
				t.Fatalf("registrant %d got %v", row.Registrant, r.tokens[i])
			}
		}
		if most := 1 + 2*len(codes)*bits.Len(uint(len(rows)-1)); len(w.calls) > most {
			t.Fatalf("%d calls for %d refused of %d, want at most %d", len(w.calls), len(codes), len(rows), most)
		}
	})
}
