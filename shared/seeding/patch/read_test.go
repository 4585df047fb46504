package patch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// packed are the parts of one answer with these rows.
func packed(parts ...[]seeding.Row) (list []seeding.AnswerPart) {
	for i, rows := range parts {
		p := part("x", i+1, len(parts))
		p.Packed = seeding.PackRows(rows)
		list = append(list, p)
	}
	return list
}

// Of several rows for one registrant and VID one counts: whoever forges a row with a
// token beats no genuine one, in whatever order they come.
func TestForgedRowWithATokenBeatsNoGenuineOne(t *testing.T) {
	second := withToken(1, "C") // of another VID of registrant 1
	second.Identifier = newVID(1).ID
	second.MAC = seeding.RowMACOf(key, batch, second.Member, newVID(1).Value, second.Fingerprint)
	forged := func(token string) seeding.Row {
		r := withToken(1, token)
		r.MAC[0]++
		return r
	}
	for _, c := range []struct {
		name  string
		parts [][]seeding.Row
		want  []seeding.Row
	}{
		{"no part", nil, nil},
		{"one part, in whatever order", [][]seeding.Row{{withToken(3, "C"), withToken(1, "A"), withToken(2, "B")}},
			[]seeding.Row{withToken(1, "A"), withToken(2, "B"), withToken(3, "C")}},
		{"two parts", [][]seeding.Row{{withToken(2, "B")}, {withToken(1, "A")}},
			[]seeding.Row{withToken(1, "A"), withToken(2, "B")}},
		{"the same row twice", [][]seeding.Row{{withToken(1, "A")}, {withToken(1, "A")}},
			[]seeding.Row{withToken(1, "A")}},
		{"a token after a refusal", [][]seeding.Row{{withError(1, "IDA-MLC-007")}, {withToken(1, "A")}},
			[]seeding.Row{withToken(1, "A")}},
		{"a token before a refusal", [][]seeding.Row{{withToken(1, "A")}, {withError(1, "IDA-MLC-007")}},
			[]seeding.Row{withToken(1, "A")}},
		{"a token and a refusal in one part", [][]seeding.Row{{withError(1, "IDA-MLC-007"), withToken(1, "A")}},
			[]seeding.Row{withToken(1, "A")}},
		{"two refusals: the first that was read", [][]seeding.Row{{withError(1, "IDA-MLC-007")}, {withError(1, "IDA-MLC-004")}},
			[]seeding.Row{withError(1, "IDA-MLC-007")}},
		{"two tokens: the first that was read", [][]seeding.Row{{withToken(1, "A")}, {withToken(1, "B")}},
			[]seeding.Row{withToken(1, "A")}},
		{"two VIDs of one registrant: both, in the order of identifiers", [][]seeding.Row{{second, withToken(1, "A")}},
			[]seeding.Row{withToken(1, "A"), second}},
		{"a forged token before a genuine one", [][]seeding.Row{{forged("X"), withToken(1, "A")}}, []seeding.Row{withToken(1, "A")}},
		{"a forged token behind a genuine one", [][]seeding.Row{{withToken(1, "A")}, {forged("X")}}, []seeding.Row{withToken(1, "A")}},
		{"a forged token before a genuine refusal", [][]seeding.Row{{forged("X"), withError(1, "IDA-MLC-004")}}, []seeding.Row{withError(1, "IDA-MLC-004")}},
		{"a forged token behind a genuine refusal", [][]seeding.Row{{withError(1, "IDA-MLC-004"), forged("X")}}, []seeding.Row{withError(1, "IDA-MLC-004")}},
		{"many forged ones on both sides", [][]seeding.Row{{forged("X"), forged("Y"), forged("Z")}, {withToken(1, "A")}, {forged("V"), forged("W")}},
			[]seeding.Row{withToken(1, "A")}},
		{"a forged row with the token that is held", [][]seeding.Row{{forged("H"), withError(4, "IDA-MLC-004")}}, []seeding.Row{withError(4, "IDA-MLC-004")}},
		{"nothing but forged ones", [][]seeding.Row{{forged("X")}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &registry{vids: identifiers{sentVID(1), newVID(1), sentVID(2), sentVID(3), sentVID(4)}, tokens: identifiers{holds(2, "H")}}
			parts := packed(c.parts...)
			subjects, err := subjectsOf(parts, seeding.Batch{State: seeding.Lost, Count: 5})
			if err != nil {
				t.Fatal(err)
			}
			vids, tokens, err := readerOf(r).look(t.Context(), registrantsOf(subjects))
			if err != nil {
				t.Fatal(err)
			}
			got, err := genuine(parts, subjects, newHoldings(vids, tokens, nil), proof{key: key, batch: batch}, shortTokens)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
	broken := append(packed([]seeding.Row{withToken(1, "A")}), seeding.AnswerPart{Packed: []byte("no rows")})
	if _, err := subjectsOf(broken, seeding.Batch{State: seeding.Lost, Count: 5}); !errors.Is(err, seeding.ErrDamaged) {
		t.Errorf("a damaged part gives the error %v", err)
	}
}

// An earlier attempt may have removed the VID that the MAC needs; then a row counts
// whose token is held. One that fits comes first.
func TestRowOfATokenThatIsHeldCountsWithoutItsVID(t *testing.T) {
	r := &registry{tokens: identifiers{holds(1, "A")}}
	other := withToken(1, "B")
	parts := packed([]seeding.Row{other, withToken(1, "A")})
	subjects := subjectSet([]seeding.Row{other})
	vids, tokens, _ := readerOf(r).look(t.Context(), registrantsOf(subjects))
	got, err := genuine(parts, subjects, newHoldings(vids, tokens, nil), proof{key: key, batch: batch}, shortTokens)
	if want := []seeding.Row{withToken(1, "A")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// Whom an answer may be about at all: members of an open batch; at a closed one as
// many as it had records.
func TestRowsOfNoMemberAreDroppedBeforeAnyCall(t *testing.T) {
	forged := make([]seeding.Row, 1500)
	for i := range forged {
		forged[i] = withToken(int64(1000+i), "X")
	}
	for _, c := range []struct {
		name   string
		state  seeding.BatchState
		parts  [][]seeding.Row
		looked int
	}{
		{"open: the members", seeding.Submitted, [][]seeding.Row{{withToken(1, "A"), withToken(2, "B")}}, 2},
		{"open: a member among 1,500 others", seeding.Submitted, [][]seeding.Row{forged, {withToken(2, "B")}, forged}, 1},
		{"open: nobody", seeding.Submitted, [][]seeding.Row{forged, forged}, 0},
		{"open: a member's registrant with another identifier", seeding.Submitted, [][]seeding.Row{{rowMade(key, batch, seeding.Member{Registrant: 1, Identifier: 9}, "v")}}, 0},
		{"closed: as many as it had", seeding.Lost, [][]seeding.Row{{withToken(8, "A"), withToken(9, "B")}, {withToken(8, "C")}}, 2},
		{"closed: more than it had", seeding.Lost, [][]seeding.Row{{withToken(7, "A"), withToken(8, "A")}, {withToken(9, "B")}}, 0},
		{"closed: many more than it had", seeding.Patched, [][]seeding.Row{forged, forged}, 0},
	} {
		f := newFake()
		b := f.batches[batch]
		b.State = c.state
		if !c.state.Open() {
			b.Members = nil
		}
		f.batches[batch] = b
		delete(f.answers, batch)
		for i, rows := range c.parts {
			f.answered(part("x", i+1, len(c.parts)), rows...)
		}
		looked := 0
		f.registry.looked = func(registrants []int64) { looked += len(registrants) }
		f.patch(t)
		if b := f.batches[batch]; looked < c.looked || c.looked == 0 && looked > 0 || len(f.answers) > 0 || c.looked == 0 && b.State != c.state {
			t.Errorf("%s: %d looked up, want %d; %d answers left, the batch is %s", c.name, looked, c.looked, len(f.answers), b.State)
		}
	}
}

// Thousands of answers to one batch, whoever sent them, keep those of other batches
// waiting for no more than one of them.
func TestManyAnswersToOneBatchKeepNoOtherWaiting(t *testing.T) {
	f := newFake()
	other := f.batches[batch]
	other.Ref.Batch = "b2"
	f.batches["b2"] = other
	f.answers["b2"] = f.answers[batch]
	delete(f.answers, batch)
	late := f.batches[batch]
	late.State, late.Members = seeding.Lost, nil
	f.batches[batch] = late
	for i := range 500 {
		f.answered(part(fmt.Sprintf("x%03d", i), 1, 1), withToken(int64(10+i), "X"))
	}
	f.answers["b2"][0].Ref = other.Ref
	f.answers["b2"][0].Packed = seeding.PackRows([]seeding.Row{
		says(rowMade(key, "b2", sentRow(1).Member, sentVID(1).Value), seeding.RowProcessed, "A", ""),
	})
	calls := 0
	f.during["Create"] = func() error { calls = len(f.calls); return nil }
	f.patch(t)
	if len(f.registry.tokens) != 1 || calls > 25 {
		t.Errorf("%d tokens, the first after %d calls", len(f.registry.tokens), calls)
	}
	if len(f.answers) > 0 {
		t.Errorf("%d batches have answers left", len(f.answers))
	}
}

// A reply that is too large is asked for in smaller calls; a registrant whose
// identifiers nobody can read stays pending and is in nobody's way.
func TestReplyThatIsTooLargeIsAskedForInHalves(t *testing.T) {
	f := newFake()
	var calls []int
	tooLarge := &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.CodeTooLarge}
	f.registry.refuses = func(registrants []int64) error {
		calls = append(calls, len(registrants))
		if slices.Contains(registrants, 2) {
			return tooLarge
		}
		return nil
	}
	f.patch(t)
	if b := f.batches[batch]; b.State != seeding.Patched || b.Totals != (seeding.Totals{Sent: 2, Tokenised: 1}) || len(f.state.Problems) > 0 {
		t.Errorf("%s with %+v, problems %v", b.State, b.Totals, f.state.Problems)
	}
	if !slices.Equal(calls, []int{2, 1, 1, 1}) { // the last one looks again
		t.Errorf("calls of %v", calls)
	}
}

// The worst that one capability could store, of the form before: answers of 5 MB,
// whose 30,000 rows hold as much text as rows may, about strangers and members, and
// none of which fits; 15 of them piled up for one batch, and one that is genuine. What patch allocates at a time stays below 60 % of the
// memory that the template gives it; 100 MB of that are for what a registry
// replies (shared/odoo).
func TestMemoryOfTheWorstAnswers(t *testing.T) {
	template, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)\n  Patch:\n.*?MemorySize: (\d+)`).FindSubmatch(template)
	if found == nil {
		t.Fatal("the template gives patch no memory")
	}
	megabytes, _ := strconv.Atoi(string(found[1]))
	limit := uint64(megabytes)*6/10<<20 - 100<<20

	f := newFake()
	members := make([]int64, 1000)
	for i := range members {
		members[i] = int64(i + 1)
		f.registry.vids = append(f.registry.vids, sentVID(members[i]))
	}
	f.sent(members...)
	genuineRow := f.answers[batch]
	random := rand.New(rand.NewPCG(1, 2))
	var answer []seeding.AnswerPart
	for n := range 20 {
		rows := make([]seeding.Row, 1500)
		for i := range rows {
			r := &rows[i]
			r.Member = seeding.Member{Registrant: int64(10_000 + 1500*n + i), Identifier: int64(10_000 + 1500*n + i)}
			if i%10 == 0 {
				r.Member = sentRow(members[random.IntN(len(members))]).Member
			}
			for j := range r.MAC {
				r.MAC[j] = byte(random.Uint32())
			}
			r.Status, r.Token = seeding.RowProcessed, fmt.Sprintf("%090d", random.Uint64())
		}
		answer = append(answer, seeding.AnswerPart{Ref: f.batches[batch].Ref, Received: now, Packed: seeding.PackRows(rows)})
	}
	delete(f.answers, batch)
	for i := range 15 {
		for k, p := range answer {
			p.Content, p.Part, p.Of = fmt.Sprintf("x%02d", i), k+1, len(answer)
			f.answers[batch] = append(f.answers[batch], p)
		}
	}
	genuineRow[0].Content = "y"
	f.answers[batch] = append(f.answers[batch], genuineRow...)

	defer debug.SetGCPercent(debug.SetGCPercent(50))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var most uint64
	f.watch = func() {
		runtime.ReadMemStats(&after)
		most = max(most, after.HeapAlloc-min(before.HeapAlloc, after.HeapAlloc))
	}
	f.patch(t)
	t.Logf("at most %d MB of %d", most>>20, limit>>20)
	if most > limit {
		t.Errorf("%d MB at a time, more than %d", most>>20, limit>>20)
	}
	if b := f.batches[batch]; b.Totals.Tokenised != 2 || len(f.answers) > 0 || len(f.state.Problems) > 0 {
		t.Errorf("%+v, %d answers left, problems %v", b.Totals, len(f.answers), f.state.Problems)
	}
}

// A look-up in slices takes longer than the lease of who reads: it is renewed between
// them. Who lost it makes no further call.
func TestLookUpInSlicesKeepsTheLease(t *testing.T) {
	registrants := make([]int64, 4*mostLooked)
	for i := range registrants {
		registrants[i] = int64(i + 1)
	}
	for _, lost := range []bool{false, true} {
		f := newFake()
		p, looked := f.patcher(), 0
		f.lease.Patch = seeding.Lease{Owner: "me", Until: now.Add(p.Times.PatchLease), Fence: 1}
		f.registry.looked = func([]int64) {
			if left := f.lease.Patch.Until.Sub(f.now); left < p.readLimit() {
				t.Errorf("call %d begins with a lease of %v", looked+1, left)
			}
			looked++
			f.now = f.now.Add(25 * time.Second)
			if lost && looked == 2 {
				f.lease.Patch = seeding.Lease{Owner: "another", Until: f.now.Add(time.Hour), Fence: 2}
			}
		}
		_, _, err := reader{p, &turn{registry: f.lease}, f.registry}.look(t.Context(), registrants)
		if lost && (looked != 2 || !errors.Is(err, errLeaseLost)) || !lost && (looked != 4 || err != nil) {
			t.Errorf("lost %v: %d calls, %v", lost, looked, err)
		}
	}
}

// A batch counts at most so many parts. What comes beyond them is deleted unread; what
// was counted is completed.
func TestPartsBeyondTheMostAreDropped(t *testing.T) {
	for counted, opened := range map[bool]int{false: 0, true: 1} {
		f := newFake()
		b := f.batches[batch]
		for i := range mostCounted {
			b.Parts = append(b.Parts, part("other", i+1, mostCounted).ID())
		}
		if counted {
			b.Parts[0] = f.answers[batch][0].ID()
		}
		f.batches[batch] = b
		f.patch(t)
		if n := f.called("Open"); n != opened || len(f.answers) > 0 {
			t.Errorf("counted %v: the registry is opened %d times, %d answers left", counted, n, len(f.answers))
		}
	}
}
