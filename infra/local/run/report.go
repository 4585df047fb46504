package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// account is what became of the demo: of every registrant, of the registry as
// a whole, and what it took.
type account struct {
	lines     []counted
	reasons   map[line]string
	misplaced int
	registry  []figure // must be as they should
	batches   []figure // what batches saw, beside the truth; may miss after faults
	under     []figure // what should not be under way any more
	problems  []string

	expected  odoosim.Expectation
	last      snapshot
	states    map[string]int // batches by how they were closed
	startedIn time.Duration
	took      time.Duration
}

// account collects the evidence and draws up the account.
func (d *demo) account(ctx context.Context, last snapshot, changed change, took time.Duration) (*account, error) {
	e := evidence{before: d.before, changed: changed}
	if err := d.registry.call(ctx, http.MethodGet, "/_simulator/registrants", nil, &e.after); err != nil {
		return nil, err
	}
	path := "/connectors/" + d.connector
	var err error
	if e.rejections, err = pages[rejection](ctx, d.api, path+"/rejections", "rejections", 500); err != nil {
		return nil, err
	}
	batches, err := pages[batch](ctx, d.api, path+"/runs/"+last.run.ID+"/batches", "batches", 100)
	if err != nil {
		return nil, err
	}
	a := &account{
		expected: d.expected, last: last, startedIn: d.startedIn, took: took,
		reasons: e.reasons(), states: map[string]int{},
	}
	for _, b := range batches {
		a.states[b.State]++
	}
	for _, p := range last.problems {
		a.problems = append(a.problems, p.Text)
	}
	a.lines, a.misplaced = e.registrants()
	a.registry = e.registry(last.registry, d.expected)
	a.batches = e.batches(last, d.expected)
	a.under = []figure{
		{"open batches", last.run.OpenBatches, 0},
		{"answers in the table", last.answers, 0},
		{"problems of the connector", len(last.problems), 0},
	}
	return a, nil
}

// batches are the totals of the run beside what the two servers know.
func (e evidence) batches(last snapshot, expected odoosim.Expectation) []figure {
	lines, _ := e.registrants()
	count := func(o outcome, kind string) (n int) {
		for _, l := range lines {
			if l.outcome == o && (kind == "" || l.kind == kind) {
				n += l.is
			}
		}
		return n
	}
	saw, received := last.run.Totals, last.mts.Counters.RecordsReceived
	return []figure{
		{"records sent; received by MTS", saw.Sent, received},
		{"left undecided by their batch; sent again", saw.Pending, received - expected.Submitted},
		{"tokenised", saw.Tokenised, count(tokenised, "") + count(tokenisedAnew, "")},
		{"refused by MOSIP or the registry", saw.Refused, count(rejected, "refused")},
		{"duplicates", saw.Duplicate, count(rejected, "duplicate")},
		{"conflicts", saw.Conflict, count(rejected, "conflict")},
		{"no answer though sent alone", saw.NoToken, count(rejected, "no_token")},
		{"rejected unsent", last.run.Tally.Invalid, count(rejected, "invalid")},
		{"VIDs of token holders removed", last.run.Tally.Removed, count(relieved, "")},
	}
}

// verdict is nil if every registrant is accounted for and the registry holds
// exactly what it should; otherwise it says what differs.
func (a *account) verdict() error {
	var differs []string
	if a.misplaced > 0 {
		var where []string
		for _, l := range a.lines {
			if l.is != l.should {
				where = append(where, fmt.Sprintf("%s instead of %s %s", number(l.is), number(l.should), l.text(a.reasons)))
			}
		}
		differs = append(differs, fmt.Sprintf("%s registrants are not where they should be (%s)", number(a.misplaced), strings.Join(where, "; ")))
	}
	for _, f := range slices.Concat(a.registry, a.under) {
		if f.is != f.should {
			differs = append(differs, fmt.Sprintf("%s: %s instead of %s", f.what, number(f.is), number(f.should)))
		}
	}
	if a.sum() != a.expected.Registrants {
		differs = append(differs, fmt.Sprintf("the account has %s registrants of %s", number(a.sum()), number(a.expected.Registrants)))
	}
	if !a.last.settled {
		differs = append(differs, fmt.Sprintf("the run was not over when nothing had moved for %s", patience))
	}
	if len(differs) == 0 {
		return nil
	}
	return errors.New("the account is not as it should be: " + strings.Join(differs, "; "))
}

func (a *account) sum() (n int) {
	for _, l := range a.lines {
		n += l.is
	}
	return n
}

// print writes counts and reasons, and nothing of any registrant.
func (a *account) print(out io.Writer) {
	head := func(title, is, should string) { fmt.Fprintf(out, "\n%s\n%11s %11s\n", title, is, should) }
	wrong := "WRONG"
	row := func(is, should int, text string) {
		mark := "ok"
		if is != should {
			mark = wrong
		}
		fmt.Fprintf(out, "%11s %11s  %-7s %s\n", number(is), number(should), mark, text)
	}
	head("What became of every registrant", "registrants", "should be")
	for _, l := range a.lines {
		row(l.is, l.should, l.text(a.reasons))
	}
	row(a.sum(), a.expected.Registrants, "in all, each in one line")

	head("The registry now", "is", "should be")
	for _, f := range slices.Concat(a.registry, a.under) {
		row(f.is, f.should, f.what)
	}

	head("What the batches saw, beside the truth", "batches", "truth")
	wrong = "differs" // they can miss after faults (protocol, "Patch" 5)
	for _, f := range a.batches {
		row(f.is, f.should, f.what)
	}
	a.printEffort(out)
	for _, p := range a.problems {
		fmt.Fprintf(out, "the connector has a problem: %s\n", p)
	}
	fmt.Fprintln(out)
}

// printEffort writes what it took.
func (a *account) printEffort(out io.Writer) {
	c, calls := a.last.mts.Counters, a.last.registry.Calls
	closed := make([]string, 0, len(a.states))
	for _, state := range slices.Sorted(maps.Keys(a.states)) {
		closed = append(closed, fmt.Sprintf("%s %s", number(a.states[state]), state))
	}
	fmt.Fprintf(out, "\nWhat it took\n")
	fmt.Fprintf(out, "  time      %s to build and start everything, %s from the start of the connector to the end\n",
		a.startedIn.Round(100*time.Millisecond), a.took.Round(100*time.Millisecond))
	fmt.Fprintf(out, "  batches   %s, in %d passes\n", strings.Join(closed, ", "), a.last.run.Passes)
	fmt.Fprintf(out, "  MTS       %s POSTs with %s records, %.3f per registrant worth sending; %s questions for a status\n",
		number(c.Posts), number(c.RecordsReceived), float64(c.RecordsReceived)/float64(max(a.expected.Submitted, 1)), number(c.StatusRequests))
	fmt.Fprintf(out, "  registry  %s calls, %.1f per 1,000 tokenised, log-in included\n",
		number(a.last.registry.Total.Calls), 1000*float64(a.last.registry.Total.Calls)/float64(max(a.last.tokenised, 1)))
	for _, method := range slices.Sorted(maps.Keys(calls)) {
		t := calls[method]
		fmt.Fprintf(out, "            %6s  %s%s\n", number(t.Calls), method, failures(t))
	}
}

func failures(t odoosim.Tally) string {
	if t.Failed == 0 {
		return ""
	}
	return fmt.Sprintf(", %s of them failed", number(t.Failed))
}
