package seeding

import (
	"cmp"
	"time"
)

// RunKind is what began a run.
type RunKind string

const (
	Recurring RunKind = "recurring" // the schedule; a connector has one open at a time
	Import    RunKind = "import"    // a person; any number may be open beside the recurring one
)

// Run is one processing of a connector's registrants: up to three passes over
// the VIDs of the registry, from the lowest identifier to the highest.
type Run struct {
	ID        string
	Connector string
	Kind      RunKind
	Registry  string    // RegistryKey of the connector, of an import; "" of a recurring run
	Selection Selection // of an import
	Looks     Looks     // of a run of a connector of ODK
	Version   int       // of the configuration that it runs under
	Due       time.Time // of a recurring run: when it was to begin; zero if a version before opened it
	Started   time.Time
	// Cursor is the last identifier looked at in this pass. Of a connector of ODK it is
	// the moment down to which its spans were looked at, in milliseconds since 1970.
	Cursor      int64
	PassOver    bool // the pass has seen the last identifier
	Passes      int  // passes begun, without those of probes
	PassStarted time.Time
	Expected    int // VIDs, or submissions, of the registry when the first pass began; those that a later one is to send; 0: not known
	Completed   time.Time
	Ending      Ending // of a completed run
	Tally       Tally  // what submit counted; batches have totals of their own
	Unseen      Nobody // why the registry showed next to no registrant of a page; "" if none was such
	Fence       int64  // of the run lease under which it was written last

	// Its batches are counted as they are claimed and closed.
	Totals     Totals            // of all; a record counts as sent from its claim on
	Batches    int               // that were claimed
	Closed     int               // of these
	Late       int               // answers to closed batches that were counted while the run was open
	SentBefore int               // Totals.Sent when this pass began
	Again      int               // records that earlier passes sent and left pending; this one sends them again
	Lately     map[int64]Patches // patched lately, by Period
	Uncounted  bool              // a version before opened it: nothing of this is known until it completes
}

// Patches are the batches that were patched in a period.
type Patches struct {
	Records int
	Claimed time.Time // of the first
	Closed  time.Time // of the last
}

// Period is the number of the two minutes of a time, since 1970.
func Period(t time.Time) int64 { return t.Unix() / int64(period/time.Second) }

const period = 2 * time.Minute

// Open is how many batches of the run are open.
func (r Run) Open() int { return max(0, r.Batches-r.Closed) }

// Pending is how many records wait for their answer, or were left without one by the
// last pass.
func (r Run) Pending() int { return max(0, r.Totals.Pending()-r.Again) }

// CountedBy is the run with its batches counted from themselves, as for one that a
// version before opened.
func (r Run) CountedBy(batches []Batch) Run {
	r.Totals, r.Batches, r.Closed, r.SentBefore, r.Again, r.Lately = Totals{}, len(batches), 0, 0, 0, map[int64]Patches{}
	for _, b := range batches {
		t := b.SoFar()
		r.Totals = r.Totals.Plus(t)
		if !b.State.Open() {
			r.Closed++
		}
		if b.Claimed.Before(r.PassStarted) {
			r.SentBefore, r.Again = r.SentBefore+t.Sent, r.Again+t.Pending()
		}
		if b.State == Patched {
			in := r.Lately[Period(b.Closed)]
			if in.Records == 0 || b.Claimed.Before(in.Claimed) {
				in.Claimed = b.Claimed
			}
			in.Records, in.Closed = in.Records+b.Count, later(in.Closed, b.Closed)
			r.Lately[Period(b.Closed)] = in
		}
	}
	return r
}

// NextPass is the run with the pass that begins now. Its records are those that are
// pending.
func (r Run) NextPass(pending int, now time.Time) Run {
	r.Cursor, r.PassOver, r.PassStarted, r.Expected = 0, false, now, pending
	r.SentBefore, r.Again = r.Totals.Sent, r.Totals.Pending()
	return r
}

// FirstPass reports whether the run is in its first pass. Later ones are for those
// who are pending.
func (r Run) FirstPass() bool { return r.PassStarted.Equal(r.Started) }

// Ending is why a run is completed.
type Ending string

const (
	Finished       Ending = ""          // it has looked at everybody whom it was to look at
	EndedByCancel  Ending = "cancelled" // a person cancelled it
	EndedByStop    Ending = "stopped"   // a person stopped the connector
	EndedByChange  Ending = "changed"   // the configuration of the connector was changed
	EndedByItsTime Ending = "over"      // the end of a one-time job came
)

// Tally counts what a run did without MTS. Who was looked at and is in none of
// NotSelected, InBatch, Holding, Rejected and Invalid was sent.
type Tally struct {
	Looked      int // VIDs looked at, in all passes
	NotSelected int // of these, VIDs of registrants that the registry did not show through the domain
	InBatch     int // in an open batch already, of any connector of the registry
	Holding     int // that hold something of the token type
	Rejected    int // that stay rejected
	NotFound    int // of registrants that a person listed: those that the registry does not show
	NoVID       int // of these, those that have no VID that is valid, and no token
	Invalid     int // rejected unsent
	Removed     int // VIDs removed because their registrant holds a token
}

// Nobody is why a run finds nobody to send.
type Nobody string

// The registry shows no registrant for VIDs that it lists.
const (
	NotSelected Nobody = "not_selected" // the domain does not select them
	Archived    Nobody = "archived"     // they are archived, and are not read therefore
	NotVisible  Nobody = "not_visible"  // record rules, or a right that is missing, hide them from the user
	UnseenCause Nobody = "unknown"      // the registry did not say
)

// It shows them, or lists no VID; or ODK Central has no submission to look at.
const (
	NoVID        Nobody = "no_vid"
	NothingNew   Nobody = "nothing_new"   // none is new or was changed since the run before
	NoneReceived Nobody = "none_received" // none was received in the time of an import
	InBatch      Nobody = "in_batch"      // next to all are in an open batch
	Holding      Nobody = "holding"       // next to all hold something of the token type
	Rejected     Nobody = "rejected"      // next to all stay rejected
	AllInvalid   Nobody = "invalid"       // next to all were rejected unsent
	NotFound     Nobody = "not_found"     // next to all that were listed are not in the registry
	NoneListed   Nobody = "none_listed"   // next to all that were listed have no VID
	PassedOver   Nobody = "passed_over"   // several of these, and none of them alone
	EndedEarly   Nobody = "ended_early"   // the run ended before all VIDs were looked at
)

// UnseenOf is the cause for most of a number of registrants that were not shown,
// of which the registry shows some without the domain, in use or archived.
func UnseenOf(all, inUse, archived int) Nobody {
	switch hidden := all - inUse - archived; {
	case hidden >= inUse && hidden >= archived:
		return NotVisible
	case archived > inUse:
		return Archived
	}
	return NotSelected
}

// FindsNobody reports whether next to no VID has a registrant that the registry
// shows: fewer than one in twenty.
func FindsNobody(looked, notSelected int) bool { return nextToAll(notSelected, looked) }

func nextToAll(some, all int) bool { return all > 0 && 20*some > 19*all }

// WhyNobody is why a run sends nobody, of which the totals are known; "" if it sends
// somebody, or may still do so, or a version before left out what it passed over. A
// run to which the registry shows next to nobody has a reason at once, and if it
// sends the few, too.
func (r Run) WhyNobody() Nobody {
	t := r.Tally
	switch {
	case FindsNobody(t.Looked, t.NotSelected) && r.Selection.Listed > 0:
		return cmp.Or(r.Unseen, NotSelected)
	case FindsNobody(t.Looked, t.NotSelected):
		return r.Unseen
	case r.Totals.Sent > 0:
		return ""
	case !r.PassOver && !r.Completed.IsZero():
		return EndedEarly
	case !r.PassOver:
		return ""
	case t.Looked == 0 && r.Looks.Planned && r.Kind == Import:
		return NoneReceived
	case t.Looked == 0 && r.Looks.Planned:
		return NothingNew
	case t.Looked == 0:
		return NoVID
	case nextToAll(t.InBatch, t.Looked):
		return InBatch
	case nextToAll(t.Holding, t.Looked):
		return Holding
	case nextToAll(t.Rejected, t.Looked):
		return Rejected
	case nextToAll(t.NotFound, t.Looked):
		return NotFound
	case nextToAll(t.NoVID, t.Looked):
		return NoneListed
	case nextToAll(t.Invalid, t.Looked):
		return AllInvalid
	case t.NotSelected+t.InBatch+t.Holding+t.Rejected+t.Invalid >= t.Looked:
		return PassedOver
	}
	return ""
}

// Totals count what became of the records of a batch, or of the batches of a run.
// A record that is in none of the others is pending; a later pass finds it. After
// failures totals can be wrong by a fraction of a percent; the registry is right.
type Totals struct {
	Sent      int
	Tokenised int
	Refused   int // by MOSIP, or by the registry when the token was created
	Duplicate int // the token is held by another registrant
	Conflict  int // the registrant holds another token, or its VID changed while the token was written
	NoToken   int // sent alone and lost
}

// Pending is what was sent and not decided.
func (t Totals) Pending() int {
	return max(0, t.Sent-t.Tokenised-t.Refused-t.Duplicate-t.Conflict-t.NoToken)
}

// Plus is the sum of both.
func (t Totals) Plus(u Totals) Totals {
	return Totals{
		Sent: t.Sent + u.Sent, Tokenised: t.Tokenised + u.Tokenised, Refused: t.Refused + u.Refused,
		Duplicate: t.Duplicate + u.Duplicate, Conflict: t.Conflict + u.Conflict, NoToken: t.NoToken + u.NoToken,
	}
}

// Rejected is the number of rejected records, of all kinds.
func (t Totals) Rejected() int { return t.Refused + t.Duplicate + t.Conflict + t.NoToken }
