package centralsim

import "time"

// Faults are what goes wrong, until they are set again. The zero value is a healthy
// Central. In the fields named ...Next a positive number counts down to 0 and a negative
// one means all.
type Faults struct {
	// DelayMS is added, in milliseconds, before each request is looked at.
	DelayMS int `json:"delayMs"`
	// Down closes every connection unanswered.
	Down bool `json:"down"`
	// Page is the status of the page of nginx that every request gets: 413, 414, 421,
	// 502, 504. 0 is none.
	Page int `json:"page"`
	// DatabaseDown answers 500 without a code to all that has credentials, sign-in too.
	DatabaseDown bool `json:"databaseDown"`
	// FailNext requests get that 500.
	FailNext int `json:"failNext"`
	// PoolMS is the same after so many milliseconds, as when all connections to the
	// database are in use; 0 is none.
	PoolMS int `json:"poolMs"`
	// StopNext lists stop after StopAfter records, with status 200, in the way of Stop.
	StopNext  int  `json:"stopNext"`
	StopAfter int  `json:"stopAfter"`
	Stop      Stop `json:"stop"`
	// SilenceMS is how long Silence lasts; the real one two minutes, until the list ends
	// as by Ended. 0 is until the client hangs up.
	SilenceMS int `json:"silenceMs"`
	// SlowMS is added before each record of a list.
	SlowMS int `json:"slowMs"`
	// PadBytes makes each record larger.
	PadBytes int `json:"padBytes"`
	// DateAheadMS is by how much the clock of the Date header is ahead of the one that
	// stamps submissions.
	DateAheadMS int `json:"dateAheadMs"`
}

// Stop is how a list ends that does not come to its end.
type Stop string

const (
	Silence Stop = "silence" // nothing more for a while
	Cut     Stop = "cut"     // the connection is closed in the middle of the body
	Ended   Stop = "ended"   // the body ends as if it were whole, and its JSON is not
)

// Faults returns the present faults, with what is left of the counts.
func (s *Server) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// SetFaults replaces all faults.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// take uses up one of n.
func take(n *int) bool {
	if *n > 0 {
		*n--
		return true
	}
	return *n < 0
}

// failing reports whether a request gets a 500 without a code, and waits for it.
func (s *Server) failing() bool {
	s.mu.Lock()
	fail := s.faults.DatabaseDown || take(&s.faults.FailNext)
	wait := s.faults.PoolMS
	s.mu.Unlock()
	if wait > 0 {
		s.options.Sleep(millis(wait))
	}
	return fail || wait > 0
}

// stopping says how the next list stops, if it does, and after how many records.
func (s *Server) stopping() (how Stop, after int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.Stop == "" || !take(&s.faults.StopNext) {
		return "", 0
	}
	return s.faults.Stop, s.faults.StopAfter
}

// Counters say what the simulator has seen since it was made.
type Counters struct {
	Requests       int `json:"requests"`
	SignIns        int `json:"signIns"` // with a body that can be read
	WrongPasswords int `json:"wrongPasswords"`
	Counts         int `json:"counts"` // lists with $top=0
	Lists          int `json:"lists"`
	NotModified    int `json:"notModified"`
}

// Counters returns a copy of what was counted so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters
}

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }
