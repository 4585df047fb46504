package mtssim

import "time"

// Faults are what goes wrong, until they are set again. The zero value is a healthy
// token seeder. In the fields named ...Next a positive number counts
// down to 0 and a negative one means all.
type Faults struct {
	// DelayMS is added, in milliseconds, before each request is looked at.
	DelayMS int `json:"delayMs"`
	// Down closes every connection unanswered. The worker goes on.
	Down bool `json:"down"`
	// FailNext POSTs are accepted, queued and answered 500.
	FailNext int `json:"failNext"`
	// MuteNext POSTs are accepted, queued and never answered.
	MuteNext int `json:"muteNext"`
	// CallbackFirst holds back the answer of a POST until its callbacks are over.
	CallbackFirst bool `json:"callbackFirst"`

	// LoseNext callbacks are never delivered; the request ends as processed.
	LoseNext int `json:"loseNext"`
	// LoseEvery n-th callback is never delivered, counted since this was set; 0 is none.
	LoseEvery int `json:"loseEvery"`
	// Copies is how often each callback is made; 0 is once.
	Copies int `json:"copies"`
	// Parallel makes the copies at the same time rather than in turn.
	Parallel bool `json:"parallel"`

	// Refusal is what the identity system answers for every record while it is
	// set, for example AUT_BAS_001 or IDA-MPA-005.
	Refusal *Refusal `json:"refusal"`
}

// Refusal is an error of the identity system. An empty message is null on the
// wire.
type Refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

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
	if f.LoseEvery != s.faults.LoseEvery {
		s.calls = 0
	}
	s.faults = f
}

func (s *Server) refusal() *Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.faults.Refusal
	if r == nil {
		return nil
	}
	return &Verdict{ErrorCode: r.Code, ErrorMessage: r.Message}
}

func (s *Server) delay() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.faults.DelayMS) * time.Millisecond
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.Down
}

// take uses up one of n.
func take(n *int) bool {
	if *n > 0 {
		*n--
		return true
	}
	return *n < 0
}

// planCall decides what becomes of the next callback: how often it is made.
func (s *Server) planCall() (copies int, parallel bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if n := s.faults.LoseEvery; take(&s.faults.LoseNext) || n > 0 && s.calls%n == 0 {
		s.counters.CallbacksLost++
		return 0, false
	}
	return max(s.faults.Copies, 1), s.faults.Parallel
}

// answerPlan is how the answer to an accepted POST goes wrong.
type answerPlan struct{ fail, mute, callbackFirst bool }

func (s *Server) planAnswer() answerPlan {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := answerPlan{callbackFirst: s.faults.CallbackFirst}
	p.mute = take(&s.faults.MuteNext)
	p.fail = !p.mute && take(&s.faults.FailNext)
	return p
}
