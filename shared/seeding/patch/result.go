package patch

import (
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// result is what the verdicts on an answer come to.
type result struct {
	totals   seeding.Totals
	entered  []time.Time       // when the VIDs of those counted as tokenised were entered
	remove   []int64           // VIDs
	resolved []seeding.Subject // their rejection is over
	rejected []rejected
	systemic []seeding.Row // their codes blame the system; still to be decided
	answered bool          // MOSIP answered for a registrant, so licence and service are well
}

// rejected is a subject with the finding against it.
type rejected struct {
	who     seeding.Subject
	finding seeding.Cause
}

// sum adds up verdicts. Of a batch whose totals count the answer already, what
// the look-up decided counts no more: its rejections were written, and people
// may have said "try again" since. Only VIDs may be left.
func sum(verdicts []verdict, h holdings, printKey string, counted bool) result {
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
		r.answered = r.answered || v.answered()
		if v.kind == systemic {
			r.systemic = append(r.systemic, v.row)
		}
		r.totals = r.totals.Plus(v.totals())
		if entered := h.vids[v.row.Identifier].Created; v.totals().Tokenised > 0 && !entered.IsZero() {
			r.entered = append(r.entered, entered)
		}
		if finding, found := v.finding(printKey); found {
			who := v.row.Subject
			if v.at != 0 {
				who.Identifier = v.at
			}
			r.rejected = append(r.rejected, rejected{who, finding})
		}
	}
	return r
}

// answered tells whether MOSIP spoke of the registrant.
func (v verdict) answered() bool {
	switch v.kind {
	case held, done, replaced, vidReplaced, duplicate, twin, create, emptyToken:
		return true
	case refused:
		return v.row.Status == seeding.RowError
	}
	return false
}

// totals is what the verdict counts as.
func (v verdict) totals() seeding.Totals {
	switch v.kind {
	case held, written, writtenVIDGone, writtenReplaced, contested:
		return seeding.Totals{Tokenised: 1}
	case vidReplaced, otherToken:
		return seeding.Totals{Conflict: 1}
	case duplicate, twinOfWritten:
		return seeding.Totals{Duplicate: 1}
	case emptyToken, refused, notWritten:
		return seeding.Totals{Refused: 1}
	}
	return seeding.Totals{}
}

// finding is why the row's subject is rejected, if it is.
func (v verdict) finding(printKey string) (seeding.Cause, bool) {
	f := seeding.Cause{Fingerprint: v.row.Fingerprint, FingerprintKey: printKey}
	switch v.kind {
	case vidReplaced, writtenReplaced:
		f.Kind, f.Code = seeding.Conflict, seeding.CodeVIDChanged
	case otherToken, contested:
		f.Kind, f.Code = seeding.Conflict, seeding.CodeOtherToken
	case duplicate, twinOfWritten:
		f.Kind, f.Code, f.Holder = seeding.Duplicate, seeding.CodeHeldByOther, v.holder
	case emptyToken:
		f.Kind, f.Code = seeding.Refused, seeding.CodeEmptyToken
	case refused, systemic:
		f.Kind, f.Code = seeding.Refused, v.row.Code
	case notWritten:
		f.Kind, f.Code = seeding.Refused, "ODOO-"+v.code
	default:
		return f, false
	}
	return f, v.kind != systemic // that one is decided with the others of its kind
}

// decideSystemic decides what codes that blame the system mean. While others of
// the answer were answered, licence and service are well, so they speak of this
// registrant, or of trouble that passes: it is rejected, tried once more at
// once, and then ever more seldom. Where nobody was answered it is the
// connector's problem, and nobody is rejected; unless only one or two come back
// who met it before while others were answered.
//
// before are the rejections that stand, by identifier; stands tells whether the
// problem "identity" does. problem tells whether it is to be raised.
func decideSystemic(r result, before map[int64]seeding.Rejection, stands bool, printKey string) (_ result, problem bool) {
	known := func(row seeding.Row) bool { return before[row.Identifier].Systemic() }
	unknown := func(row seeding.Row) bool { return !known(row) }
	own := r.answered || len(r.systemic) < alikeLimit && !slices.ContainsFunc(r.systemic, unknown)
	if own {
		for _, row := range r.systemic {
			finding, _ := verdict{row: row, kind: systemic}.finding(printKey)
			r.rejected = append(r.rejected, rejected{row.Subject, finding})
			if known(row) {
				r.totals.Refused++ // else it stays pending, and so is sent with the next pass
			}
		}
	}
	// A probe is one registrant, and says nothing more of others than before.
	return r, len(r.systemic) > 0 && !r.answered && (stands || !own)
}

// identifiers of all whose rejections are to be read.
func (r result) identifiers() (ids []int64) {
	for _, x := range r.rejected {
		ids = append(ids, x.who.Identifier)
	}
	for _, who := range r.resolved {
		ids = append(ids, who.Identifier)
	}
	for _, row := range r.systemic {
		ids = append(ids, row.Identifier)
	}
	return ids
}

// complete tells whether all parts of one callback are there, or were counted.
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

// problemsOver are the problems which an answer proves to be over: it was read,
// so the registry is there and configured well; wrote tells whether a token was
// written, closed whether the batch was closed by it.
func problemsOver(r result, wrote, closed bool) []seeding.Source {
	over := []seeding.Source{seeding.ProblemRegistry, seeding.ProblemSignIn, seeding.ProblemRead, seeding.ProblemTypes, seeding.ProblemConfig}
	if wrote {
		over = append(over, seeding.ProblemWrite)
	}
	if closed {
		over = append(over, seeding.ProblemAnswers)
	}
	if r.answered {
		over = append(over, seeding.ProblemIdentity)
	}
	if wrote && r.totals.Conflict == 0 {
		over = append(over, seeding.ProblemPolicy)
	}
	return over
}

// policySuspicious: with a token type that gives another token each time, most
// registrants hold another one.
func policySuspicious(t seeding.Totals) bool { return t.Conflict >= 3 && t.Conflict > t.Tokenised }
