package seeding

import (
	"slices"
	"time"
)

// Source is what a problem is about. A problem is cleared when its source works
// again, never by time.
type Source string

const (
	ProblemRegistry Source = "registry"    // the registry cannot be reached
	ProblemSignIn   Source = "sign_in"     // the registry refuses user or password
	ProblemRead     Source = "read"        // it refuses reading: rights, an unknown field
	ProblemTypes    Source = "types"       // an identifier type of the configuration does not exist
	ProblemWrite    Source = "write"       // it refuses to create tokens, whoever they are for
	ProblemUnlink   Source = "unlink"      // it refuses to remove VIDs
	ProblemODK      Source = "odk"         // ODK Central cannot be reached, or refuses that the form is read
	ProblemMTS      Source = "mts"         // MTS cannot be reached or refuses our requests
	ProblemReply    Source = "mts_reply"   // MTS does not say that it took a request, and may have taken it
	ProblemAnswers  Source = "answers"     // MTS takes requests and never answers
	ProblemCallback Source = "callback"    // MTS takes batches, and no answer arrives at our address
	ProblemDelivery Source = "delivery"    // of a direct callback: MTS cannot call the address, or nothing comes of it
	ProblemArrival  Source = "arrival"     // of a direct callback: no token of a whole batch arrived
	ProblemIdentity Source = "identity"    // MOSIP refuses everybody: licence, partner, policy, service down
	ProblemPolicy   Source = "policy"      // MOSIP gives a registrant another token each time
	ProblemAlike    Source = "alike"       // a whole batch was refused with one code
	ProblemTokens   Source = "token_shape" // MTS gives tokens that have not the shape of one
	ProblemSetAside Source = "set_aside"   // a stored answer, or its batch, cannot be read or processed
	ProblemDied     Source = "invocation"  // invocations of submit for the connector end without a result
	ProblemConfig   Source = "config"      // our own secrets or keys cannot be read, or the configuration cannot be run
)

// Problem is shown on the connector. Text and Remedy come from a Description.
type Problem struct {
	Code     string // of a description; empty of a problem that was stored before there were codes
	Named    Named
	Text     string
	Remedy   string
	Since    time.Time
	Attempts int       // probes since then
	Next     time.Time // of the next probe; zero if nobody makes one
}

// OnlyShown are the sources of problems that keep nobody from being sent.
var OnlyShown = []Source{
	ProblemUnlink, ProblemPolicy, ProblemTokens, ProblemAlike, ProblemSetAside, ProblemCallback, ProblemReply, ProblemDied, ProblemArrival,
}

// OfRegistry are the sources of problems that are over once the registry was read.
var OfRegistry = []Source{ProblemRegistry, ProblemSignIn, ProblemRead, ProblemTypes, ProblemConfig}

// Blocks reports whether only probes are sent while there is such a problem.
// The others are only shown.
func (s Source) Blocks() bool { return !slices.Contains(OnlyShown, s) }

// Delays reports whether something is done later, or by probes, while there is such
// a problem. The end of any other changes nothing that submit would do.
func (s Source) Delays() bool { return s.Blocks() || s == ProblemUnlink }

// Blocked reports whether one of the problems blocks, and when the next probe is
// due.
func (s State) Blocked() (blocked bool, next time.Time) {
	for source, p := range s.Problems {
		if source.Blocks() {
			blocked = true
			if p.Next.After(next) {
				next = p.Next
			}
		}
	}
	return blocked, next
}

// Raise is the problem of a source after one more failure. One that delays nothing
// has no next probe, because nobody makes one.
func (s State) Raise(source Source, now time.Time, d Description, times Times) Problem {
	before, was := s.Problems[source]
	p := Problem{Code: d.Code, Named: d.Named, Text: d.Text, Remedy: d.Remedy, Since: now, Attempts: before.Attempts + 1}
	if was {
		p.Since = before.Since
	}
	if source.Delays() {
		p.Next = now.Add(BackOff(times.ProbeFirst, times.ProbeMax, before.Attempts))
	}
	return p
}

// diedLimit is after how many invocations in a row that died a connector shows it.
// One is lost now and then, with a server of Lambda for instance.
const diedLimit = 2

// Died is the problem of a connector that is to be invoked once more, with nobody at
// work on it; the zero Problem if its invocations end well.
func (s State) Died(now time.Time, times Times) Problem {
	if s.Unreturned < diedLimit {
		return Problem{}
	}
	return s.Raise(ProblemDied, now, InvocationsDied(s.Unreturned), times)
}

// Raised returns those of the sources that have a problem.
func (s State) Raised(sources ...Source) []Source {
	var found []Source
	for _, source := range sources {
		if _, ok := s.Problems[source]; ok {
			found = append(found, source)
		}
	}
	return found
}
