package patch

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// fingerprintKey is the id of the key of the batch's fingerprints.
const fingerprintKey = "f1"

var now = seedingtest.Now

// rejects is a rejection of registrant 1 with the fingerprint of its row, at the
// identifier that was sent or at another one.
func rejects(f seeding.Cause, at int64) []rejected {
	who := sentRow(1).Subject
	who.Identifier = at
	f.Fingerprint, f.FingerprintKey = sentRow(1).Fingerprint, fingerprintKey
	return []rejected{{who: who, cause: f}}
}

// What a verdict of each kind comes to. The identifier that was sent is 101, the
// one that a registrar entered since is 201.
func TestWhatAVerdictComesTo(t *testing.T) {
	const sent, replacement = 101, 201
	var (
		tokenised  = seeding.Totals{Tokenised: 1}
		oneRefused = seeding.Totals{Refused: 1}
		conflict   = seeding.Totals{Conflict: 1}
		oneTwice   = seeding.Totals{Duplicate: 1}
	)
	rowOf := func(status seeding.RowStatus, token, code string) seeding.Row {
		return says(sentRow(1), status, token, code)
	}
	gotToken, noToken := rowOf(seeding.RowProcessed, "A", ""), rowOf(seeding.RowProcessed, "", "")
	byMOSIP, byMTS := rowOf(seeding.RowError, "", "IDA-MLC-004"), rowOf(seeding.RowInvalid, "", "ATS-REQ-012")

	type outcome struct {
		totals   seeding.Totals
		measured bool // the time from the VID's entry to the token
		remove   bool // the VID that was sent
		resolved bool // its rejection, if there is one, is over
		missing  bool // it is not there any more
		answered bool // it shows that MOSIP answers
		systemic bool // it waits for the decision about all such rows
		unread   bool // its token says nothing of the shape of tokens any more
		rejected []rejected
	}
	cases := []struct {
		name    string
		verdict verdict
		want    outcome
	}{
		{"nothing: it stays pending", verdict{row: gotToken, kind: pending}, outcome{}},
		{"not there any more: it stays pending, and its rejection is over", verdict{row: gotToken, kind: gone}, outcome{missing: true, unread: true}},
		{"tokenised before, and the VID is left to remove", verdict{row: gotToken, kind: held},
			outcome{totals: tokenised, measured: true, remove: true, resolved: true, answered: true}},
		{"done before: it was counted then", verdict{row: gotToken, kind: done},
			outcome{resolved: true, answered: true}},
		{"holds the token and another VID, of a closed batch: nothing", verdict{row: gotToken, kind: replaced},
			outcome{answered: true}},
		{"holds the token and another VID, of an open batch: a conflict on that VID", verdict{row: gotToken, kind: vidReplaced, at: replacement},
			outcome{totals: conflict, answered: true, rejected: rejects(seeding.Cause{Kind: seeding.Conflict, Code: seeding.CodeVIDChanged}, replacement)}},
		{"holds another token: a conflict", verdict{row: gotToken, kind: otherToken},
			outcome{totals: conflict, rejected: rejects(seeding.Cause{Kind: seeding.Conflict, Code: seeding.CodeOtherToken}, sent)}},
		{"holds what is no token: a conflict that says so", verdict{row: gotToken, kind: notToken, code: seeding.CodeNotToken},
			outcome{totals: conflict, rejected: rejects(seeding.Cause{Kind: seeding.Conflict, Code: seeding.CodeNotToken}, sent)}},
		{"another registrant holds the token: a duplicate that names it", verdict{row: gotToken, kind: duplicate, holder: 2},
			outcome{totals: oneTwice, answered: true, rejected: rejects(seeding.Cause{Kind: seeding.Duplicate, Code: seeding.CodeHeldByOther, Holder: 2}, sent)}},
		{"a lower registrant is to get the token: to be decided after the create", verdict{row: gotToken, kind: twin},
			outcome{answered: true}},
		{"the token is to be created: to be decided after the create", verdict{row: gotToken, kind: create},
			outcome{answered: true}},
		{"processed without a token: refused", verdict{row: noToken, kind: emptyToken},
			outcome{totals: oneRefused, answered: true, rejected: rejects(seeding.Cause{Kind: seeding.Refused, Code: seeding.CodeEmptyToken}, sent)}},
		{"refused by MOSIP, which so answered", verdict{row: byMOSIP, kind: refused},
			outcome{totals: oneRefused, answered: true, rejected: rejects(seeding.Cause{Kind: seeding.Refused, Code: "IDA-MLC-004"}, sent)}},
		{"refused by MTS, which asked nobody", verdict{row: byMTS, kind: refused},
			outcome{totals: oneRefused, rejected: rejects(seeding.Cause{Kind: seeding.Refused, Code: "ATS-REQ-012"}, sent)}},
		{"a code that blames the system: to be decided with the others", verdict{row: rowOf(seeding.RowError, "", "IDA-MPA-005"), kind: systemic},
			outcome{systemic: true}},

		{"the Output Format gives nothing for it that can be written: refused with its code", verdict{row: gotToken, kind: unusable, code: "MTSC-OUTPUT-VALUE:gender"},
			outcome{totals: oneRefused, answered: true, rejected: rejects(seeding.Cause{Kind: seeding.Refused, Code: "MTSC-OUTPUT-VALUE:gender"}, sent)}},

		{"written, and the VID is to be removed", verdict{row: gotToken, kind: written},
			outcome{totals: tokenised, measured: true, remove: true, resolved: true}},
		{"written, and the VID is gone", verdict{row: gotToken, kind: writtenVIDGone},
			outcome{totals: tokenised, measured: true}},
		{"written, and the VID is another one: tokenised, with a conflict on that VID", verdict{row: gotToken, kind: writtenReplaced, at: replacement},
			outcome{totals: tokenised, measured: true, rejected: rejects(seeding.Cause{Kind: seeding.Conflict, Code: seeding.CodeVIDChanged}, replacement)}},
		{"written, and so was another token: tokenised, with a conflict", verdict{row: gotToken, kind: contested, at: sent},
			outcome{totals: tokenised, measured: true, rejected: rejects(seeding.Cause{Kind: seeding.Conflict, Code: seeding.CodeOtherToken}, sent)}},
		{"the registry refused the token: refused with its code", verdict{row: gotToken, kind: notWritten, code: "ValidationError"},
			outcome{totals: oneRefused, rejected: rejects(seeding.Cause{Kind: seeding.Refused, Code: "ODOO-ValidationError"}, sent)}},
		{"the registry refused what the Output Format sets besides: refused with its code", verdict{row: gotToken, kind: notSet, code: "ValidationError"},
			outcome{totals: oneRefused, rejected: rejects(seeding.Cause{Kind: seeding.Refused, Code: "MTSC-OUTPUT-REFUSED:ValidationError"}, sent)}},
		{"the lower registrant got the token: a duplicate that names it", verdict{row: gotToken, kind: twinOfWritten, holder: 2},
			outcome{totals: oneTwice, rejected: rejects(seeding.Cause{Kind: seeding.Duplicate, Code: seeding.CodeHeldByOther, Holder: 2}, sent)}},
	}
	entered := now.Add(-time.Hour)
	h := newHoldings(identifiers{{ID: sent, Registrant: 1, Created: entered}}, nil, nil)
	resultOf := func(v verdict, o outcome) result {
		r := result{totals: o.totals, answered: o.answered, rejected: o.rejected}
		if o.measured {
			r.entered = []time.Time{entered}
		}
		if o.remove {
			r.remove = []int64{sent}
		}
		if o.resolved {
			r.resolved = []seeding.Subject{v.row.Subject}
		}
		if o.missing {
			r.missing = []seeding.Subject{v.row.Subject}
		}
		if o.systemic {
			r.systemic = []verdict{v}
		}
		if v.kind == notToken && !o.unread {
			r.notTokens = 1
		}
		r.shaped = !o.unread && v.kind != pending && v.row.Token != ""
		return r
	}
	seen := map[kind]bool{}
	for _, c := range cases {
		seen[c.verdict.kind] = true
		t.Run(c.name, func(t *testing.T) {
			got, want := sum([]verdict{c.verdict}, h, fingerprintKey, false), resultOf(c.verdict, c.want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
		// Its parts are counted already. What the look-up decided was written
		// then; only what is left at the registry is done. What is written now
		// was not counted.
		t.Run("counted before: "+c.name, func(t *testing.T) {
			want := resultOf(c.verdict, outcome{remove: c.want.remove, resolved: c.want.resolved, unread: true})
			if c.verdict.kind >= written {
				want = resultOf(c.verdict, c.want)
			}
			if got := sum([]verdict{c.verdict}, h, fingerprintKey, true); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	for k := range twinOfWritten + 1 {
		if !seen[k] {
			t.Errorf("the table has no case of %s", k)
		}
	}
}

// The verdicts of an answer are added up, in their order.
func TestVerdictsAreAddedUp(t *testing.T) {
	verdicts := []verdict{
		{row: withToken(1, "A"), kind: held},
		{row: withError(2, "IDA-MLC-004"), kind: refused},
		{row: withToken(3, "C"), kind: create},
		{row: withToken(4, "D"), kind: pending},
		{row: withError(5, "IDA-MPA-005"), kind: systemic},
		{row: withToken(6, "F"), kind: done},
		{row: withToken(3, "C"), kind: written},
	}
	early := now.Add(-time.Hour)
	got := sum(verdicts, newHoldings(identifiers{
		{ID: sentVID(1).ID, Created: early},
		{ID: sentVID(2).ID, Created: early}, // who is refused is not measured
		{ID: sentVID(3).ID},                 // nor whose VID's entry is not known
	}, nil, nil), fingerprintKey, false)
	if want := (seeding.Totals{Tokenised: 2, Refused: 1}); got.totals != want {
		t.Errorf("totals %+v, want %+v", got.totals, want)
	}
	if !slices.Equal(got.entered, []time.Time{early}) {
		t.Errorf("measured from %v", got.entered)
	}
	if !slices.Equal(got.remove, []int64{sentVID(1).ID, sentVID(3).ID}) {
		t.Errorf("removes %v", got.remove)
	}
	if len(got.rejected) != 1 || len(got.systemic) != 1 || !got.answered {
		t.Errorf("%d rejected, %d systemic, answered %v", len(got.rejected), len(got.systemic), got.answered)
	}
	// Rejections are read of all who may have one, or get one.
	var ids []int64
	for _, who := range got.subjects() {
		ids = append(ids, who.Identifier)
	}
	if slices.Sort(ids); !slices.Equal(ids, []int64{101, 102, 103, 105, 106}) {
		t.Errorf("reads the rejections of %v", ids)
	}
	if empty := sum(nil, newHoldings(nil, nil, nil), fingerprintKey, false); !reflect.DeepEqual(empty, result{}) || empty.subjects() != nil {
		t.Errorf("no verdicts come to %+v", empty)
	}
}

// Codes of the system: of these registrants while others are answered, of the
// system where nobody is (infra/protocol.md, "Patch" 6).
func TestCodesOfTheSystem(t *testing.T) {
	before := func(registrants ...int64) map[seeding.Subject]seeding.Rejection { // met such a code before, while others were answered
		m := map[seeding.Subject]seeding.Rejection{}
		for _, r := range registrants {
			m[subjectOf(sentVID(r).ID)] = seeding.Rejection{Kind: seeding.Refused, Code: "AUT_BAS_001"}
		}
		return m
	}
	refusedForData := map[seeding.Subject]seeding.Rejection{subjectOf(sentVID(1).ID): {Kind: seeding.Refused, Code: "IDA-MLC-004"}}
	for _, c := range []struct {
		name        string
		registrants []int64 // with a code of the system in this answer
		answered    bool    // another row shows that MOSIP answers
		before      map[seeding.Subject]seeding.Rejection
		raised      bool // the problem "identity"
		rejected    bool // all of them
		counted     int  // as refused; the others stay pending
		problem     bool
	}{
		{"no such code", nil, true, nil, false, false, 0, false},
		{"no such code, and nobody was answered", nil, false, nil, false, false, 0, false},
		{"no such code, and nobody was answered, while there is the problem", nil, false, nil, true, false, 0, false},

		{"one, for the first time, and others were answered: rejected, still pending", []int64{1}, true, nil, false, true, 0, false},
		{"one, for the second time, and others were answered: rejected and counted", []int64{1}, true, before(1), false, true, 1, false},
		{"one who was refused for its data before: this is the first time", []int64{1}, true, refusedForData, false, true, 0, false},
		{"two, one of them for the second time, and others were answered", []int64{1, 2}, true, before(2), false, true, 1, false},
		{"three, and others were answered", []int64{1, 2, 3}, true, nil, false, true, 0, false},
		{"one, and others were answered, while there is the problem: it is over", []int64{1}, true, nil, true, true, 0, false},

		{"one for the first time, and nobody was answered: the problem", []int64{1}, false, nil, false, false, 0, true},
		{"one who was refused for its data before, and nobody was answered: the problem", []int64{1}, false, refusedForData, false, false, 0, true},
		{"one who comes back, and nobody was answered: it speaks of this one", []int64{1}, false, before(1), false, true, 1, false},
		{"two who come back, and nobody was answered: it speaks of these", []int64{1, 2}, false, before(1, 2), false, true, 2, false},
		{"two, one of them for the first time, and nobody was answered: the problem", []int64{1, 2}, false, before(1), false, false, 0, true},
		{"three who come back, and nobody was answered: the problem", []int64{1, 2, 3}, false, before(1, 2, 3), false, false, 0, true},

		{"a probe for the first time while there is the problem: it stays", []int64{1}, false, nil, true, false, 0, true},
		{"a probe of one who comes back while there is the problem: rejected, and it stays", []int64{1}, false, before(1), true, true, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := result{answered: c.answered, totals: seeding.Totals{Refused: 5}}
			var want []rejected
			for _, registrant := range c.registrants {
				row := withError(registrant, fmt.Sprintf("IDA-MPA-00%d", registrant))
				r.systemic = append(r.systemic, verdict{row: row, kind: systemic})
				if c.rejected {
					want = append(want, rejected{who: row.Subject, cause: seeding.Cause{
						Kind: seeding.Refused, Code: row.Code, Fingerprint: row.Fingerprint, FingerprintKey: fingerprintKey,
					}})
				}
			}
			got, problem := decideSystemic(r, c.before, c.raised, fingerprintKey)
			if !slices.Equal(got.rejected, want) || got.totals.Refused != 5+c.counted || problem != c.problem {
				t.Errorf("rejected %v, %d more counted, problem %v; want %v, %d, %v",
					got.rejected, got.totals.Refused-5, problem, want, c.counted, c.problem)
			}
		})
	}
}

// subjectOf is whom a rejection at an identifier is about, as it is looked up.
func subjectOf(identifier int64) seeding.Subject {
	return seeding.Member{Identifier: identifier}.Subject()
}

// part is part n of an answer of so many parts.
func part(content string, n, of int) seeding.AnswerPart {
	return seeding.AnswerPart{Content: content, Part: n, Of: of}
}

// A batch is closed when all parts of one callback are there, or were counted.
func TestWhenAnAnswerIsComplete(t *testing.T) {
	first, second, third := part("x", 1, 3), part("x", 2, 3), part("x", 3, 3)
	for _, c := range []struct {
		name    string
		parts   []seeding.AnswerPart
		counted []string
		want    bool
	}{
		{"nothing is there", nil, nil, false},
		{"the only part", []seeding.AnswerPart{part("x", 1, 1)}, nil, true},
		{"all parts, in whatever order", []seeding.AnswerPart{third, first, second}, nil, true},
		{"one is missing", []seeding.AnswerPart{first, third}, nil, false},
		{"the missing one was counted before", []seeding.AnswerPart{first, third}, []string{second.ID()}, true},
		{"all others were counted before", []seeding.AnswerPart{third}, []string{first.ID(), second.ID()}, true},
		{"all were counted before, and one is there again", []seeding.AnswerPart{first}, []string{first.ID(), second.ID(), third.ID()}, true},
		{"the missing one is there of another callback", []seeding.AnswerPart{first, part("y", 2, 3), third}, nil, false},
		{"the missing one was counted of another callback", []seeding.AnswerPart{first, third}, []string{part("y", 2, 3).ID()}, false},
		{"two callbacks, the second of them whole", []seeding.AnswerPart{first, part("y", 1, 2), part("y", 2, 2)}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := complete(c.parts, c.counted); got != c.want {
				t.Errorf("complete %v", got)
			}
		})
	}
}

// Each part is counted once.
func TestWhichPartsAreCounted(t *testing.T) {
	first, second := part("x", 1, 2), part("x", 2, 2)
	for _, c := range []struct {
		name    string
		counted []string
		parts   []seeding.AnswerPart
		want    []string
	}{
		{"none was counted", nil, []seeding.AnswerPart{first, second}, []string{first.ID(), second.ID()}},
		{"one was counted", []string{first.ID()}, []seeding.AnswerPart{first, second}, []string{second.ID()}},
		{"all were counted", []string{first.ID(), second.ID()}, []seeding.AnswerPart{first, second}, nil},
		{"the same number of another callback was counted", []string{part("y", 1, 2).ID()}, []seeding.AnswerPart{first}, []string{first.ID()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := seeding.Batch{Parts: c.counted}
			if got := freshParts(b, c.parts); !slices.Equal(got, c.want) || b.HasParts(c.parts) != (len(c.want) == 0) {
				t.Errorf("counts %q, all counted %v; want %q", got, b.HasParts(c.parts), c.want)
			}
		})
	}
}

// What an answer proves to be over (infra/protocol.md, "Problems").
func TestProblemsThatAnAnswerEnds(t *testing.T) {
	read := []seeding.Source{seeding.ProblemRegistry, seeding.ProblemSignIn, seeding.ProblemRead, seeding.ProblemTypes, seeding.ProblemConfig, seeding.ProblemCallback, seeding.ProblemReply}
	for _, c := range []struct {
		name          string
		r             result
		wrote, closed bool
		more          []seeding.Source
	}{
		{"it was processed: the registry can be read", result{}, false, false, nil},
		{"its batch was closed: answers come", result{}, false, true, []seeding.Source{seeding.ProblemAnswers}},
		{"MOSIP answered", result{answered: true}, false, false, []seeding.Source{seeding.ProblemIdentity}},
		{"a token was written, and no registrant holds another one", result{}, true, false, []seeding.Source{seeding.ProblemWrite, seeding.ProblemPolicy}},
		{"a token was written, and a registrant holds another one", result{totals: seeding.Totals{Conflict: 1}}, true, false, []seeding.Source{seeding.ProblemWrite}},
		{"all at once", result{answered: true}, true, true,
			[]seeding.Source{seeding.ProblemWrite, seeding.ProblemAnswers, seeding.ProblemIdentity, seeding.ProblemPolicy}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, want := problemsOver(c.r, nil, c.wrote, c.closed), slices.Concat(read, c.more)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("ends %v, want %v", got, want)
			}
		})
	}
}

// Of an MTS that sends what is no token nothing but tokens shows that MOSIP answers:
// otherwise everybody would be sent again on its word.
func TestRefusalOfWhoSendsRubbishEndsNoIdentityProblem(t *testing.T) {
	refusal, token := result{answered: true}, result{answered: true, shaped: true}
	both := token
	both.rubbish = seeding.CodeTokenShape
	for _, c := range []struct {
		name    string
		r       result
		rubbish bool // the problem "token_shape" is there
		over    bool
	}{
		{"a refusal", refusal, false, true},
		{"a refusal, after rubbish", refusal, true, false},
		{"a refusal beside rubbish", result{answered: true, rubbish: seeding.CodeTokenShape}, false, false},
		{"a token, after rubbish", token, true, true},
		{"a token beside rubbish", both, false, false},
		{"nothing that MOSIP said", result{}, false, false},
	} {
		raised := map[seeding.Source]seeding.Problem{seeding.ProblemIdentity: {}}
		if c.rubbish {
			raised[seeding.ProblemTokens] = seeding.Problem{}
		}
		if over := slices.Contains(problemsOver(c.r, raised, false, false), seeding.ProblemIdentity); over != c.over {
			t.Errorf("%s: over %v", c.name, over)
		}
	}
}

// Several conflicts, and more than tokens, come from a policy that gives
// another token each time.
func TestWhenThePolicyIsSuspicious(t *testing.T) {
	for _, c := range []struct {
		conflicts, tokenised int
		want                 bool
	}{
		{0, 0, false}, {2, 0, false}, {3, 0, true}, {3, 2, true}, {3, 3, false}, {4, 3, true}, {400, 600, false}, {600, 400, true},
	} {
		if got := policySuspicious(seeding.Totals{Conflict: c.conflicts, Tokenised: c.tokenised}, 0); got != c.want {
			t.Errorf("%d conflicts and %d tokenised: suspicious %v", c.conflicts, c.tokenised, got)
		}
	}
}

// When an answer is left alone (infra/protocol.md, "Patch" 2).
func TestWhenAnAnswerWaits(t *testing.T) {
	raised := func(sources ...seeding.Source) map[seeding.Source]seeding.Problem {
		m := map[seeding.Source]seeding.Problem{}
		for _, s := range sources {
			m[s] = seeding.Problem{}
		}
		return m
	}
	later := now.Add(time.Second)
	nextProbe := func(at time.Time, source seeding.Source) map[seeding.Source]seeding.Problem {
		return map[seeding.Source]seeding.Problem{source: {Next: at}}
	}
	type row struct {
		name      string
		notBefore time.Time
		attempts  int
		counted   bool // all its parts, so that only an unlink is left
		problems  map[seeding.Source]seeding.Problem
		want      bool
	}
	cases := []row{
		{"it is new", time.Time{}, 0, false, nil, false},
		{"it is new, and a problem blocks: it shows whether the problem is over", time.Time{}, 0, false, raised(seeding.ProblemWrite), false},
		{"its time has come, and the problem is there", now, 0, false, raised(seeding.ProblemWrite), false},
		{"its time has come, after a failure", now, 3, false, nil, false},
		{"its time has not come, and the problem is there", later, 0, false, raised(seeding.ProblemWrite), true},
		{"its time has not come, and the problem is over", later, 0, false, nil, false},
		{"its time has not come, and it failed for an unknown reason", later, 1, false, nil, true},
		{"its time has not come, and there is only a suspicious policy", later, 0, true, raised(seeding.ProblemPolicy), false},
		{"its time has not come, unlinking is refused, and it has more to do", later, 0, false, raised(seeding.ProblemUnlink), false},
		{"its time has not come, unlinking is refused, and nothing else is left", later, 0, true, raised(seeding.ProblemUnlink), true},
		{"its time has not come, and nothing but an unlink is left, which is not refused any more", later, 0, true, nil, false},
		{"its time has come, unlinking is refused, and nothing else is left", now, 0, true, raised(seeding.ProblemUnlink), false},
		{"it is new, and the next probe of two problems is due for one of them", time.Time{}, 0, false, map[seeding.Source]seeding.Problem{
			seeding.ProblemSignIn: {Next: now}, seeding.ProblemConfig: {Next: later},
		}, true},
	}
	for source, refusesAll := range map[seeding.Source]bool{
		seeding.ProblemSignIn: true, seeding.ProblemRead: true, seeding.ProblemTypes: true, seeding.ProblemConfig: true,
		seeding.ProblemRegistry: false, seeding.ProblemWrite: false, seeding.ProblemMTS: false, seeding.ProblemAnswers: false,
		seeding.ProblemIdentity: false, seeding.ProblemUnlink: false, seeding.ProblemPolicy: false,
	} {
		cases = append(cases,
			row{"it is new, and the next probe of " + string(source) + " is not due", time.Time{}, 0, false, nextProbe(later, source), refusesAll},
			row{"its time has come, and the next probe of " + string(source) + " is not due", now, 0, false, nextProbe(later, source), refusesAll},
			row{"it is new, and the next probe of " + string(source) + " is due", time.Time{}, 0, false, nextProbe(now, source), false})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := answer{parts: []seeding.AnswerPart{part("x", 1, 1)}, state: seeding.State{Problems: c.problems}}
			a.batch = seeding.Batch{NotBefore: c.notBefore, Attempts: c.attempts}
			if c.counted {
				a.batch.Parts = []string{a.parts[0].ID()}
			}
			if got := a.waits(now, false) != noneWaits; got != c.want {
				t.Errorf("waits %v", got)
			}
		})
	}
}

// One code on every row of a larger answer is shown, whatever it blames; anything
// else in an answer shows that the cause is gone.
func TestOneCodeOnEveryRowOfALargerAnswer(t *testing.T) {
	refusals := func(n int, code string) (all []verdict) {
		for i := range n {
			all = append(all, verdict{row: withError(int64(i+1), code), kind: refused})
		}
		return all
	}
	empty := verdict{row: withToken(99, ""), kind: emptyToken}
	for _, c := range []struct {
		name     string
		verdicts []verdict
		alike    string
		unalike  bool
	}{
		{"nothing", nil, "", false},
		{"ten alike", refusals(10, "IDA-DEA-001:gender"), "IDA-DEA-001:gender", false},
		{"nine alike", refusals(9, "IDA-DEA-001:gender"), "", false},
		{"a token among them", append(refusals(10, "IDA-DEA-001"), verdict{row: withToken(99, "A"), kind: create}), "", true},
		{"a token alone", []verdict{{row: withToken(1, "A"), kind: held}}, "", true},
		{"another code among them", append(refusals(10, "IDA-DEA-001"), refusals(1, "IDA-MLC-004")...), "", true},
		{"two codes, few rows", append(refusals(1, "IDA-DEA-001"), refusals(1, "IDA-MLC-004")...), "", true},
		{"a row that fits nobody among them", append(refusals(10, "ATS-REQ-013"), verdict{row: withError(99, "IDA-MLC-004"), kind: pending}), "ATS-REQ-013", false},
		{"one code in common, with other fields", append(refusals(5, "IDA-DEA-001:dob+gender"), refusals(5, "IDA-DEA-001:gender+name,IDA-MLC-004")...), "IDA-DEA-001:gender", false},
		{"one code in common, no field", append(refusals(5, "IDA-DEA-001:dob"), refusals(5, "IDA-DEA-001:gender")...), "IDA-DEA-001", false},
		{"no code at all", refusals(10, ""), "", true},
		{"no tokens for anybody", slices.Repeat([]verdict{empty}, 10), seeding.CodeEmptyToken, false},
		{"of the system", slices.Repeat([]verdict{{row: withError(1, "IDA-MLC-025"), kind: systemic}}, 10), "IDA-MLC-025", false},
	} {
		if alike, unalike := commonCode(c.verdicts); alike != c.alike || unalike != c.unalike {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, alike, unalike, c.alike, c.unalike)
		}
	}
}

// Who is refused again for the same tells nothing new of the connector.
func TestRepeatedRejectionsAreNoNews(t *testing.T) {
	claimed := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	const code = "IDA-DEA-001:dob"
	of := func(identifier int64) rejected {
		return rejected{who: subjectOf(identifier), cause: seeding.Cause{Kind: seeding.Refused, Code: code}}
	}
	last := func(change func(*seeding.Rejection)) seeding.Rejection {
		r := seeding.Rejection{Kind: seeding.Refused, Code: code, Configured: 4, LastAttempt: claimed.Add(-time.Hour)}
		change(&r)
		return r
	}
	same := last(func(*seeding.Rejection) {})
	for _, c := range []struct {
		name   string
		before map[seeding.Subject]seeding.Rejection
		want   bool
	}{
		{"all of them, for the same", map[seeding.Subject]seeding.Rejection{subjectOf(1): same, subjectOf(2): same}, true},
		{"one for the first time", map[seeding.Subject]seeding.Rejection{subjectOf(1): same}, false},
		{"one for another code", map[seeding.Subject]seeding.Rejection{subjectOf(1): same, subjectOf(2): last(func(r *seeding.Rejection) { r.Code = "IDA-DEA-001:name" })}, false},
		{"one of another kind", map[seeding.Subject]seeding.Rejection{subjectOf(1): same, subjectOf(2): last(func(r *seeding.Rejection) { r.Kind = seeding.Invalid })}, false},
		{"the configuration was changed, and did not help", map[seeding.Subject]seeding.Rejection{subjectOf(1): same, subjectOf(2): last(func(r *seeding.Rejection) { r.Configured = 3 })}, false},
		{"by this very answer, which is applied again", map[seeding.Subject]seeding.Rejection{subjectOf(1): same, subjectOf(2): last(func(r *seeding.Rejection) { r.LastAttempt = claimed })}, false},
	} {
		if got := repeated([]rejected{of(1), of(2)}, c.before, claimed, 4); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if repeated(nil, nil, claimed, 4) {
		t.Error("nobody was rejected")
	}
}
