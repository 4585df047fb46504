package seeding

import (
	"cmp"
	"slices"
	"time"
)

// BatchState is claimed, then submitted, then closed as patched, lost or failed.
// There is no state "answered": the answers table says so, which also covers a
// callback that comes before the reply to its POST.
type BatchState string

const (
	Claimed   BatchState = "claimed"   // written before the POST
	Submitted BatchState = "submitted" // MTS gave a request identifier
	Patched   BatchState = "patched"   // its answer is in the registry
	Lost      BatchState = "lost"      // no answer came in time
	Failed    BatchState = "failed"    // MTS surely did not take it, or its answer could not be processed
)

// Open reports whether no other batch may take the registrants of this one.
func (s BatchState) Open() bool { return s == Claimed || s == Submitted }

// BatchRef names a batch and what it belongs to. Capabilities and answers hold
// it, so that a late answer finds its batch open or closed.
type BatchRef struct {
	Registry  string // RegistryKey
	Connector string
	Run       string
	Batch     string
}

// Batch is one request to MTS. Open batches are stored by registry, closed ones
// by run and without members.
type Batch struct {
	Ref    BatchRef
	State  BatchState
	MTS    string // MTSKey
	MTSURL string

	Size           int       // the batch size of the MTS when this was claimed
	InLine         int       // records up to its last one at its worker of MTS, as far as could be told
	Beside         int       // batches that MTS may have had then, overdue or not
	Ahead          int       // records of these
	Full           bool      // as many were under way as should be, or this one took the last free slot
	Number         int64     // of its claim at the MTS
	Delivered      int64     // MTSState.Delivered then
	Since          time.Time // when that was reached, or MTS got work again
	Claimed        time.Time
	Submitted      time.Time // when the reply to the POST came; zero until then
	Overdue        time.Time // from then on MTS is asked, and its slot holds up nobody
	Deadline       time.Time
	Answered       time.Time // when the first part of its answer came; known when it is closed
	RequestID      string    // of MTS; "" until it is known
	RowKey         string    // id of the key of its rows
	FingerprintKey string    // id of the key of its fingerprints
	Members        []Member  // of a batch of registrants
	Window         Window    // of a batch of submissions: when Central received them
	Submissions    []string  // their ids, of one that has not all of its window
	Count          int       // of records; stays when the batch is closed and its members are dropped
	Parts          []string
	Totals         Totals
	Direct         bool          // its callbacks go to an address of the connector's own
	Fingerprints   []Fingerprint // of the members of a direct batch, in their order, while it is open
	Tracking       Tracking      // of a direct batch
	Attempts       int           // attempts to process its answer that failed for an unknown reason
	NotBefore      time.Time     // of the next such attempt
	Closed         time.Time
}

// Member is a registrant of a batch, with the identifier that holds its VID.
type Member struct{ Registrant, Identifier int64 }

// Subject is whom a row of an answer, or a rejection, is about: a registrant of
// the registry, or a submission of ODK by its id; the other one is zero.
type Subject struct {
	Member
	Submission string
}

// Key is the subject as rejections are stored by it: a registrant by the identifier that
// holds its VID, which another registrant may hold by now.
func (s Subject) Key() Subject {
	s.Registrant = 0
	return s
}

// Subject is the member as a subject.
func (m Member) Subject() Subject { return Subject{Member: m} }

// Alone is whom a batch of one record is about; ok is false of any other.
func (b Batch) Alone() (who Subject, ok bool) {
	switch {
	case len(b.Members) == 1:
		return b.Members[0].Subject(), true
	case len(b.Submissions) == 1:
		return Subject{Submission: b.Submissions[0]}, true
	}
	return Subject{}, false
}

// ReceivedAlone is when Central received the submission of a batch of one; zero of any
// other.
func (b Batch) ReceivedAlone() time.Time {
	if len(b.Submissions) == 1 {
		return b.Window.From
	}
	return time.Time{}
}

// Window is the content of a batch that MTS fetches from ODK itself: everything
// submitted from From on and before To. Such a batch has no members.
type Window struct{ From, To time.Time }

// Bounds are the two moments as MTS and ODK Central take them. They count to the
// millisecond, as Central stores when it received a submission (facts/odk.md 5.5).
func (w Window) Bounds() (from, to string) {
	const layout = "2006-01-02T15:04:05.000Z"
	return w.From.UTC().Format(layout), w.To.UTC().Format(layout)
}

// HasPart reports whether the totals count this part of an answer.
func (b Batch) HasPart(id string) bool { return slices.Contains(b.Parts, id) }

// HasParts reports whether the totals count all of these parts. Their tokens and
// rejections were written before that.
func (b Batch) HasParts(parts []AnswerPart) bool {
	return !slices.ContainsFunc(parts, func(p AnswerPart) bool { return !b.HasPart(p.ID()) })
}

// Fresh is what another answer adds to the totals, so that no record counts twice. A
// token counts in place of what was said before; anything else counts only of as many as
// nothing was said of yet.
func (b Batch) Fresh(said Totals) (add Totals) {
	t := b.Totals
	t.Sent = cmp.Or(t.Sent, b.Count) // an open batch has none yet
	undecided := t.Pending()
	take := func(n int) int {
		n = min(n, undecided)
		undecided -= n
		return n
	}
	add.Tokenised = max(0, min(said.Tokenised, t.Sent-t.Tokenised))
	replaced := add.Tokenised - take(add.Tokenised)
	for _, kind := range []struct {
		add          *int
		before, said int
	}{
		{&add.NoToken, t.NoToken, said.NoToken}, {&add.Refused, t.Refused, said.Refused},
		{&add.Conflict, t.Conflict, said.Conflict}, {&add.Duplicate, t.Duplicate, said.Duplicate},
	} {
		out := min(replaced, kind.before)
		replaced -= out
		*kind.add = take(kind.said) - out
	}
	return add
}

// Wait is the time from claim to deadline.
func (b Batch) Wait() time.Duration { return b.Deadline.Sub(b.Claimed) }

// MaxWaits is how many times Wait a batch gets while MTS is working or silent:
// during a POST it replies to nothing (facts/mts.md 9).
const MaxWaits = 3

// GiveUpAt is when a batch is closed as lost even if MTS still works on it.
func (b Batch) GiveUpAt() time.Time { return b.Claimed.Add(MaxWaits * b.Wait()) }

// AskAt is when to ask MTS about the batch, if it has no answer by then.
func (b Batch) AskAt() time.Time {
	if b.Overdue.IsZero() { // claimed by a version that had no such time
		return b.Deadline
	}
	return b.Overdue
}

// timePerRecord is what MTS needed for each record, from the claim to the answer.
func (b Batch) timePerRecord() time.Duration {
	took := b.Answered.Sub(b.Claimed) / time.Duration(max(b.Count, 1))
	return max(took.Truncate(time.Microsecond), time.Microsecond)
}

// Deadline of a batch claimed now: a fixed time plus four times what the
// records in line should need.
func Deadline(now time.Time, perRecord time.Duration, inLine int, times Times) time.Time {
	return now.Add(times.DeadlineBase + 4*perRecord*time.Duration(inLine))
}

// Overdue is when a batch claimed now should have been answered: a fixed time plus
// twice what the records in line should need.
func Overdue(now time.Time, perRecord time.Duration, inLine int, times Times) time.Time {
	return now.Add(times.OverdueBase + 2*perRecord*time.Duration(inLine))
}

// directGrace is how much later a direct batch is overdue: nobody says when it is
// done, a tick asks.
const directGrace = time.Minute

// Claim is all that one transaction checks and writes before a POST, so that no
// registrant is in two open batches.
type Claim struct {
	Batch   Batch
	Counter int64 // of the registry, as read before its open batches were read
	Run     Run   // with the cursor moved past the batch
	Version int   // of the configuration; the state must still have it
	Fence   int64 // of the run lease
	Claims  int64 // of the MTS, as read before it was decided that it takes the batch
	Width   int   // the most that the connector may have under way

	LeftSlots []string // at the MTS, by batch: the claim removes them
	LeftMarks []string // of who waited for it, by connector: the same
}

// At returns the claim with what follows from the state of the MTS: its slot, its
// deadline, and what its pace is measured by. width is the connector's.
func (c Claim) At(m MTSState, now time.Time, width int, times Times) Claim {
	live, inLine := m.UnderWay(now)
	perRecord := m.PerRecord
	if perRecord == 0 {
		perRecord = times.RecordFirst
	}
	b := &c.Batch
	c.Claims, c.Width = m.Claims, width
	c.LeftSlots, c.LeftMarks = m.leftBehind(now)
	b.Number, b.Delivered = m.Claims+1, m.Delivered
	b.Beside, b.Ahead = m.Open(now)
	b.Since = m.busySince(now)
	b.Full = live+1 >= min(m.WidthNow(now, width), m.Round()+1)
	b.InLine = b.Count + int(float64(inLine)/m.Workers())
	b.Claimed = now
	b.Deadline = Deadline(now, perRecord, b.InLine, times)
	b.Overdue = Overdue(now, perRecord, b.InLine, times)
	if b.Direct {
		b.Deadline, b.Overdue = b.Deadline.Add(directGrace+b.Tracking.Quiet), b.Overdue.Add(directGrace+b.Tracking.Quiet)
	}
	if b.Overdue.After(b.Deadline) {
		b.Overdue = b.Deadline
	}
	return c
}
