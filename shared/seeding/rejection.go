package seeding

import (
	"context"
	"slices"
	"strings"
	"time"
)

// RejectionKind is why a registrant does not get a token now.
type RejectionKind string

const (
	Invalid   RejectionKind = "invalid"   // MTS would not take it; never sent
	Refused   RejectionKind = "refused"   // MOSIP, or the registry, refused its data
	Duplicate RejectionKind = "duplicate" // another registrant holds its token
	Conflict  RejectionKind = "conflict"  // it holds another token, or its VID changed while the token was written
	NoToken   RejectionKind = "no_token"  // sent alone, and no answer came; or no token arrived by a direct callback
	SetAside  RejectionKind = "set_aside" // its answer could not be processed
)

// Rejection is a registrant, or a submission, that waits for its data to change
// or for its next attempt. It holds nothing of a person but ids.
type Rejection struct {
	Registry  string
	Connector string
	Subject             // the identifier is the one that holds the VID
	Received  time.Time // of a submission: when Central received it

	Kind           RejectionKind
	Code           string      // of MTS, MOSIP or the registry: "ATS-REQ-012", "IDA-MLC-009", "ValidationError"
	Holder         int64       // of a duplicate: who holds the token
	Fingerprint    Fingerprint // of the rejected data; empty if it is not known
	FingerprintKey string
	Configured     int // version of the configuration under which it was rejected
	Attempts       int
	Next           time.Time // next attempt even if nothing changed; zero for never
	Since          time.Time // since when it has been rejected of this kind, without a break
	LastAttempt    time.Time // when it was rejected last
	Version        int       // of the item that was read; 0 for none
}

// Group is what rejections are counted, and asked for again, by: their kind and
// their codes as Rejection.Codes shows them. An empty one is any.
type Group struct {
	Kind RejectionKind
	Code string
}

// Group is the group of the rejection.
func (r Rejection) Group() Group { return Group{r.Kind, r.Codes()} }

// Codes are the codes without the fields that they name, joined by commas.
func (r Rejection) Codes() string {
	var codes []string
	for code := range SplitCodes(r.Code) {
		codes = append(codes, code)
	}
	return strings.Join(codes, ",")
}

// Has reports whether a rejection is of the group.
func (g Group) Has(r Rejection) bool {
	return (g.Kind == "" || g.Kind == r.Kind) && (g.Code == "" || g.Code == r.Codes())
}

// Subjects tells rejections of registrants from those of submissions. The zero Subjects
// is both.
type Subjects string

const (
	Registrants Subjects = "registrants"
	Submissions Subjects = "submissions"
)

// subjects are whom a connector sends.
func subjects(fromODK bool) Subjects {
	if fromODK {
		return Submissions
	}
	return Registrants
}

// Subjects are whom the connector sends. Rejections of the others are of its source
// before.
func (c Connector) Subjects() Subjects { return subjects(c.FromODK()) }

// Subjects are those of the connector.
func (s State) Subjects() Subjects { return subjects(s.ODKHost != "") }

// Others are those of the other source.
func (s Subjects) Others() Subjects { return subjects(s == Registrants) }

// Has reports whether a rejection is of one of them.
func (s Subjects) Has(r Rejection) bool { return s == "" || s == subjects(r.Submission != "") }

// RejectionFilter selects rejections. A zero member selects all.
type RejectionFilter struct {
	Subjects
	Group
	Since       time.Time // rejected, and of its kind, since then or later
	Registrants []int64   // of one of these
	Submission  string    // of this one
}

// Has reports whether the filter selects a rejection.
func (f RejectionFilter) Has(r Rejection) bool {
	return f.Subjects.Has(r) && f.Group.Has(r) && !r.Since.Before(f.Since) &&
		(len(f.Registrants) == 0 || slices.Contains(f.Registrants, r.Registrant)) && (f.Submission == "" || f.Submission == r.Submission)
}

// Retried is when somebody last asked for another attempt at the rejections of a
// group.
type Retried map[Group]time.Time

// maxCodes bounds the groups with a code: the state, which holds them, is written
// with every step of a run. One that was asked for so long ago that every run since
// has met it makes room.
const (
	maxCodes     = 16
	codesRemoved = 30 * 24 * time.Hour
)

// Plus returns what was asked for once somebody asks for a group, too. Asking for a
// kind asks for its codes, and asking for all asks for every kind. It is ErrTooMany
// if there is no room for another code.
func (a Retried) Plus(g Group, now time.Time) (Retried, error) {
	next, codes, oldest := Retried{g: now}, 0, Group{}
	for asked, at := range a {
		if asked == g || g.Code == "" && asked.Code != "" && (g.Kind == "" || g.Kind == asked.Kind) {
			continue
		}
		next[asked] = at
		if asked.Code == "" {
			continue
		}
		codes++
		if oldest == (Group{}) || at.Before(a[oldest]) {
			oldest = asked
		}
	}
	switch {
	case g.Code == "" || codes < maxCodes:
		return next, nil
	case now.Sub(a[oldest]) < codesRemoved:
		return nil, ErrTooMany
	}
	delete(next, oldest)
	return next, nil
}

// Asked reports whether somebody asked for another attempt since a rejection.
func (a Retried) Asked(r Rejection) bool {
	for g, at := range a {
		if at.After(r.LastAttempt) && g.Has(r) {
			return true
		}
	}
	return false
}

// RejectionKinds are all kinds.
var RejectionKinds = []RejectionKind{Invalid, Refused, Duplicate, Conflict, NoToken, SetAside}

// Due reports whether it is time for another attempt: the time has come, the data
// or the configuration changed, or somebody asked for it. An empty fingerprint
// never counts as changed. retried is State.Retried.
func (r Rejection) Due(now time.Time, today Fingerprint, version int, retried Retried) bool {
	return !r.Next.IsZero() && !r.Next.After(now) ||
		r.Fingerprint != Fingerprint{} && r.Fingerprint != today ||
		r.Configured != version || retried.Asked(r)
}

// Systemic reports whether the code blames the system, though others of the same
// answer were answered.
func (r Rejection) Systemic() bool { return r.Kind == Refused && BlameOf(r.Code) == BlameSystem }

// Cause is why a subject is rejected.
type Cause struct {
	Kind           RejectionKind
	Code           string
	Holder         int64       // of a duplicate: who holds the token
	Fingerprint    Fingerprint // of the rejected data; zero if they are not known
	FingerprintKey string
}

// Reject makes the rejection of a subject; all rejections are made here. before
// is the one that it replaces, or the zero Rejection. configured is the version
// of the connector's configuration.
func (c Cause) Reject(registry, connector string, who Subject, configured int, before Rejection, now time.Time, times Times) Rejection {
	r := Rejection{
		Registry: registry, Connector: connector, Subject: who,
		Kind: c.Kind, Code: c.Code, Holder: c.Holder, Fingerprint: c.Fingerprint, FingerprintKey: c.FingerprintKey,
		Configured: configured, Since: now, LastAttempt: now, Version: before.Version,
	}
	if before.Kind == r.Kind {
		r.Since = before.Since
	}
	r.Attempts = countAttempts(r, before)
	r.Next = nextAttempt(r, times)
	return r
}

// countAttempts counts this attempt and those before it. Where the wait grows
// with the attempts, only attempts that ended in the same way count.
func countAttempts(r, before Rejection) int {
	alike := true
	switch {
	case r.Kind == NoToken, r.Kind == SetAside:
		alike = before.Kind == r.Kind
	case r.Systemic():
		alike = before.Systemic()
	}
	if !alike {
		return 1
	}
	return before.Attempts + 1
}

// LostAloneLimit is how often a registrant may be sent alone and lost before it
// is rejected: one record can hang MTS (facts/mts.md W2).
const LostAloneLimit = 2

// nextAttempt is when there is another attempt even if nothing changed; zero is
// never. Invalid data, duplicates and conflicts do not end by time.
func nextAttempt(r Rejection, times Times) time.Time {
	switch {
	case r.Code == CodeNotArrived: // MOSIP may have refused it, and who is asked for a reason is not known
		return r.LastAttempt.Add(BackOff(times.ProbeMax, times.RejectedAgain, r.Attempts-1))
	case r.Kind == NoToken || r.Systemic():
		if r.Attempts < LostAloneLimit { // the cause is often over soon
			return r.LastAttempt
		}
		return r.LastAttempt.Add(BackOff(times.ProbeMax, times.RejectedAgain, r.Attempts-LostAloneLimit))
	case r.Kind == SetAside:
		return r.LastAttempt.Add(BackOff(times.ProbeMax, times.RejectedAgain, r.Attempts-1))
	case r.Kind == Refused:
		return r.LastAttempt.Add(times.RejectedAgain)
	}
	return time.Time{}
}

// RejectionReader is what RejectionsOf calls of Rejections.
type RejectionReader interface {
	Rejections(ctx context.Context, registry string, from, to int64) ([]Rejection, error)
	RejectionsOfSubmissions
}

// RejectionsOf returns the rejections that the connector of a batch has of subjects, by
// their keys (Subject.Key), and maybe of others.
func RejectionsOf(ctx context.Context, store RejectionReader, ref BatchRef, subjects []Subject) (map[Subject]Rejection, error) {
	var identifiers []int64
	var submissions []string
	for _, who := range subjects {
		if who.Submission != "" {
			submissions = append(submissions, who.Submission)
		} else {
			identifiers = append(identifiers, who.Identifier)
		}
	}
	var list []Rejection
	if len(identifiers) > 0 {
		found, err := store.Rejections(ctx, ref.Registry, slices.Min(identifiers), slices.Max(identifiers))
		if IgnoreDamaged(err) != nil {
			return nil, err
		}
		list = found
	}
	if len(submissions) > 0 {
		found, err := store.RejectionsOfSubmissions(ctx, ref.Registry, ref.Connector, submissions)
		if IgnoreDamaged(err) != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	mine := map[Subject]Rejection{}
	for _, r := range list {
		if r.Connector == ref.Connector {
			mine[r.Key()] = r
		}
	}
	return mine, nil
}
