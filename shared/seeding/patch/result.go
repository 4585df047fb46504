package patch

import (
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// result is the sum of the verdicts on an answer.
type result struct {
	totals   seeding.Totals
	entered  []time.Time       // when the VIDs of those counted as tokenised were entered, or their submissions received
	form     bool              // the form was read
	gone     int               // submissions of the batch that are not there any more
	remove   []int64           // VIDs
	resolved []seeding.Subject // their rejection is over
	missing  []seeding.Subject // not there any more, as far as the batch tells
	rejected []rejected
	systemic []verdict // their codes blame the system; not decided yet
	answered bool      // MOSIP answered for a registrant, so its licence and service work

	notTokens int    // conflicts with what is no token
	shaped    bool   // a token came
	rubbish   string // code of something that came as a token and is none; one of several

	alike   string // code text that all rows of a larger answer have in common
	unalike bool   // the rows have no code in common
}

// rejected is a subject with the cause of its rejection.
type rejected struct {
	who      seeding.Subject
	cause    seeding.Cause
	received time.Time // of a submission
}

// sum adds up verdicts. If the totals of the batch count the answer already,
// verdicts of the look-up are left out: their rejections were written before, and
// somebody may have retried them since. Only VIDs may be left to remove.
func sum(verdicts []verdict, h holdings, fingerprintKey string, counted bool) result {
	var r result
	for _, v := range verdicts {
		if v.kind == held || v.kind == done || v.kind == written {
			r.resolved = append(r.resolved, v.row.Subject)
		}
		if v.kind == held || v.kind == written {
			r.remove = append(r.remove, v.row.Identifier)
		}
		if counted && v.kind < written {
			continue
		}
		if v.kind == gone {
			r.missing = append(r.missing, v.row.Subject)
		}
		r.answered = r.answered || v.answered()
		if v.kind == systemic {
			r.systemic = append(r.systemic, v)
			if seeding.IsRubbish(v.row.Code) {
				r.rubbish = v.row.Code
			}
		}
		r.shaped = r.shaped || v.kind != pending && v.kind != gone && v.row.Token != ""
		r.totals = r.totals.Plus(v.totals())
		if v.kind == notToken {
			r.notTokens++
		}
		if entered := h.vids[v.row.Identifier].Created; v.totals().Tokenised > 0 && !entered.IsZero() {
			r.entered = append(r.entered, entered)
		}
		if v.totals().Tokenised > 0 && !v.received.IsZero() {
			r.entered = append(r.entered, v.received)
		}
		if cause, found := v.cause(fingerprintKey); found {
			who := v.row.Subject
			if v.at != 0 {
				who.Identifier = v.at
			}
			r.rejected = append(r.rejected, rejected{who, cause, v.received})
		}
	}
	return r
}

// answered reports whether MOSIP answered for the registrant.
func (v verdict) answered() bool {
	switch v.kind {
	case held, done, replaced, vidReplaced, duplicate, twin, create, emptyToken, unusable:
		return true
	case refused:
		return v.row.Status == seeding.RowError
	}
	return false
}

// totals is how the verdict counts.
func (v verdict) totals() seeding.Totals {
	switch v.kind {
	case held, written, writtenVIDGone, writtenReplaced, contested:
		return seeding.Totals{Tokenised: 1}
	case vidReplaced, otherToken, notToken:
		return seeding.Totals{Conflict: 1}
	case duplicate, twinOfWritten:
		return seeding.Totals{Duplicate: 1}
	case emptyToken, refused, notWritten, notSet, unusable:
		return seeding.Totals{Refused: 1}
	}
	return seeding.Totals{}
}

// cause is why the row's subject is rejected, if it is.
func (v verdict) cause(fingerprintKey string) (seeding.Cause, bool) {
	c := seeding.Cause{Fingerprint: v.row.Fingerprint, FingerprintKey: fingerprintKey}
	switch v.kind {
	case vidReplaced, writtenReplaced:
		c.Kind, c.Code = seeding.Conflict, seeding.CodeVIDChanged
	case otherToken, contested:
		c.Kind, c.Code = seeding.Conflict, seeding.CodeOtherToken
	case notToken:
		c.Kind, c.Code = seeding.Conflict, v.code
	case duplicate, twinOfWritten:
		c.Kind, c.Code, c.Holder = seeding.Duplicate, seeding.CodeHeldByOther, v.holder
	case emptyToken:
		c.Kind, c.Code = seeding.Refused, seeding.CodeEmptyToken
	case refused, systemic:
		c.Kind, c.Code = seeding.Refused, v.row.Code
		if v.row.Submission != "" && v.row.Status == seeding.RowInvalid { // MTS read it, and MOSIP was not asked
			c.Kind = seeding.Invalid
		}
	case notWritten:
		c.Kind, c.Code = seeding.Refused, "ODOO-"+v.code
	case notSet:
		c.Kind, c.Code = seeding.Refused, (&seeding.OutputError{Code: seeding.CodeOutputRefused, Member: v.code}).CodeText()
	case unusable:
		c.Kind, c.Code = seeding.Refused, v.code
	default:
		return c, false
	}
	return c, v.kind != systemic // decided by decideSystemic
}

// decideSystemic decides about codes that blame the system. If MOSIP answered for
// others of the same answer, its licence and service work, so the code is about
// this registrant, or its cause will pass: the registrant is rejected, due at
// once the first time and later each time after. If MOSIP answered for nobody it
// is the connector's problem and nobody is rejected, unless the answer has only
// one or two such rows, whose registrants met such a code before while others
// were answered. Where rubbish came for a token only a token counts as an answer: who
// sends rubbish may also refuse somebody.
//
// before are the present rejections by subject (seeding.RejectionsOf); raised says whether there is
// the problem "identity". problem says whether to raise it.
func decideSystemic(r result, before map[seeding.Subject]seeding.Rejection, raised bool, fingerprintKey string) (_ result, problem bool) {
	known := func(v verdict) bool { return before[v.row.Subject.Key()].Systemic() }
	unknown := func(v verdict) bool { return !known(v) }
	few := len(r.systemic) < alikeLimit && !slices.ContainsFunc(r.systemic, unknown)
	for _, v := range r.systemic {
		answered := r.answered
		if seeding.IsRubbish(v.row.Code) {
			answered = r.shaped
		}
		// A probe is one registrant; it does not show that the problem is over.
		problem = problem || !answered && (raised || !few)
		if !answered && !few {
			continue
		}
		cause, _ := v.cause(fingerprintKey)
		r.rejected = append(r.rejected, rejected{v.row.Subject, cause, v.received})
		if known(v) {
			r.totals.Refused++ // otherwise it stays pending, and the next pass sends it
		}
	}
	return r, problem
}

// largerAnswer is from how many rows on one code for all of them is shown.
const largerAnswer = 10

// repeated reports whether everybody was rejected for the same before the batch was
// made, under the configuration that the connector has. Their codes are no news, although
// a person who tries a group again gives all of a batch one code.
func repeated(now []rejected, before map[seeding.Subject]seeding.Rejection, claimed time.Time, configured int) bool {
	for _, x := range now {
		last := before[x.who.Key()]
		if last.Kind != x.cause.Kind || last.Code != x.cause.Code || last.Configured != configured || !last.LastAttempt.Before(claimed) {
			return false
		}
	}
	return len(now) > 0
}

// commonCode is the code that every row of a larger answer has, with the fields
// that every row names with it; unalike says that the rows, however few, have none
// in common. A wrong mapping or language looks so, whatever the code blames.
func commonCode(verdicts []verdict) (text string, unalike bool) {
	rows, codes := 0, map[string]int{}
	for _, v := range verdicts {
		if v.kind == pending || v.kind == gone { // it fits nobody
			continue
		}
		rows++
		said := v.row.Code
		switch v.kind {
		case refused, systemic:
		case emptyToken:
			said = seeding.CodeEmptyToken
		case unusable:
			said = v.code
		default:
			return "", true
		}
		// A code that is said of a field counts with the field, and without.
		once := map[string]bool{}
		for code, fields := range seeding.SplitCodes(said) {
			once[code] = true
			for _, field := range fields {
				once[code+":"+field] = true
			}
		}
		for code := range once {
			codes[code]++
		}
	}
	common := map[string][]string{}
	for text, n := range codes {
		code, field, named := strings.Cut(text, ":")
		if n < rows || code == "" {
			continue
		}
		fields := common[code]
		if named {
			fields = append(fields, field)
		}
		common[code] = fields
	}
	if rows > 0 && len(common) == 0 {
		return "", true
	}
	if rows < largerAnswer {
		return "", false
	}
	return seeding.JoinCodes(common), false
}

// subjects are all whose rejections are to be read.
func (r result) subjects() (list []seeding.Subject) {
	for _, x := range r.rejected {
		list = append(list, x.who)
	}
	list = append(append(list, r.resolved...), r.missing...)
	for _, v := range r.systemic {
		list = append(list, v.row.Subject)
	}
	return list
}

// complete reports whether all parts of one callback are there, or were counted.
func complete(parts []seeding.AnswerPart, counted []string) bool {
	have := slices.Clone(counted)
	for _, part := range parts {
		have = append(have, part.ID())
	}
	for _, part := range parts {
		all := true
		for k := range part.Of {
			id := seeding.AnswerPart{Content: part.Content, Part: k + 1, Of: part.Of}.ID()
			all = all && slices.Contains(have, id)
		}
		if all {
			return true
		}
	}
	return false
}

// freshParts are the ids of parts that the totals of the batch do not count.
func freshParts(b seeding.Batch, parts []seeding.AnswerPart) (fresh []string) {
	for _, part := range parts {
		if !b.HasPart(part.ID()) {
			fresh = append(fresh, part.ID())
		}
	}
	return fresh
}

// problemsOver are the problems that an answer proves to be over. It was read, so
// the registry can be reached and is configured correctly, and MTS reaches us; wrote
// says that a token was written, closed that the answer closed its batch. Of an MTS
// that sends what is no token only tokens count as MOSIP's answer.
func problemsOver(r result, raised map[seeding.Source]seeding.Problem, wrote, closed bool) []seeding.Source {
	over := slices.Concat(seeding.OfRegistry, []seeding.Source{seeding.ProblemCallback, seeding.ProblemReply})
	shaped, answered := r.shaped && r.rubbish == "", r.answered
	if _, rubbish := raised[seeding.ProblemTokens]; rubbish || r.rubbish != "" {
		answered = shaped
	}
	if r.form {
		over = append(over, seeding.ProblemODK)
	}
	if wrote {
		over = append(over, seeding.ProblemWrite)
	}
	if closed {
		over = append(over, seeding.ProblemAnswers)
	}
	if answered {
		over = append(over, seeding.ProblemIdentity)
	}
	if r.unalike {
		over = append(over, seeding.ProblemAlike)
	}
	if shaped {
		over = append(over, seeding.ProblemTokens)
	}
	if wrote && r.totals.Conflict == 0 {
		over = append(over, seeding.ProblemPolicy)
	}
	return over
}

// policySuspicious: if MOSIP gives another token each time, most registrants hold
// another one.
func policySuspicious(t seeding.Totals, notTokens int) bool {
	differ := t.Conflict - notTokens // of what is no token the policy says nothing
	return differ >= 3 && differ > t.Tokenised
}
