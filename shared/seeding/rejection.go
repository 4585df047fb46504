package seeding

import (
	"context"
	"slices"
	"time"
)

// RejectionKind says why a registrant is not going to get a token now.
type RejectionKind string

const (
	Invalid   RejectionKind = "invalid"   // MTS would not take it; never sent
	Refused   RejectionKind = "refused"   // MOSIP, or the registry, refused its data
	Duplicate RejectionKind = "duplicate" // another registrant holds its token
	Conflict  RejectionKind = "conflict"  // it holds another token, or its VID changed while the token was written
	NoToken   RejectionKind = "no_token"  // sent alone, and no answer came
	SetAside  RejectionKind = "set_aside" // its answer could not be worked off
)

// Rejection is one registrant that waits for its data to change or for its
// next attempt. It holds nothing of the registrant but ids.
type Rejection struct {
	Registry   string
	Identifier int64 // that holds the VID
	Connector  string
	Registrant int64
	Kind       RejectionKind
	Code       string // of MTS, MOSIP or the registry: "ATS-REQ-012", "IDA-MLC-009", "ValidationError"
	Holder     int64  // of a duplicate: who holds the token
	Print      Print  // of the data that was rejected; empty when it is not known
	PrintKey   string
	Configured int // version of the configuration under which it was rejected
	Attempts   int
	Next       time.Time // next attempt though nothing changed; zero for never
	Since      time.Time // of this rejection; an attempt that ends alike renews it
	Version    int       // of the item; a write names the one it read, 0 for none
}

// RejectionKinds are all kinds.
var RejectionKinds = []RejectionKind{Invalid, Refused, Duplicate, Conflict, NoToken, SetAside}

// Due tells whether the registrant is to be tried again: the time has come, its
// data changed, the configuration did, or somebody said so. An empty print fits
// everything. again is when somebody said "try again" of a kind; the kind "" is
// all of them.
func (r Rejection) Due(now time.Time, today Print, version int, again map[RejectionKind]time.Time) bool {
	return !r.Next.IsZero() && !r.Next.After(now) ||
		r.Print != Print{} && r.Print != today ||
		r.Configured != version ||
		again[r.Kind].After(r.Since) || again[""].After(r.Since)
}

// standing are the rejections that the connector of a batch has of identifiers,
// at least one, and maybe of others between them.
func standing(ctx context.Context, store Rejections, ref BatchRef, identifiers []int64) (map[int64]Rejection, error) {
	list, err := store.Rejections(ctx, ref.Registry, slices.Min(identifiers), slices.Max(identifiers))
	if err != nil {
		return nil, err
	}
	mine := map[int64]Rejection{}
	for _, r := range list {
		if r.Connector == ref.Connector {
			mine[r.Identifier] = r
		}
	}
	return mine, nil
}

// troubled: it met a code that speaks of the system while others were answered.
func (r Rejection) troubled() bool { return r.Kind == Refused && blameOf(r.Code) == blameSystem }

// troubledAgain is the next attempt of such a rejection: mostly it is passing
// trouble, so the first is due at once.
func troubledAgain(attempts int, now time.Time, times Times) time.Time {
	if attempts <= 1 {
		return now
	}
	return now.Add(backOff(times.ProbeMax, times.RejectedAgain, attempts-2))
}

// nextAttempt is when a rejection is tried again though nothing changed. Time
// mends no invalid data, no duplicate and no conflict. attempts counts from 1.
func nextAttempt(kind RejectionKind, attempts int, now time.Time, times Times) time.Time {
	switch kind {
	case Refused:
		return now.Add(times.RejectedAgain)
	case NoToken, SetAside:
		return now.Add(backOff(times.ProbeMax, times.RejectedAgain, attempts-1))
	default:
		return time.Time{}
	}
}
