package odoosim

import (
	"maps"
	"slices"
	"time"
)

// Faults: what can go wrong between a client and its registry.

// Point is the point of a call at which a fault happens.
type Point string

const (
	Arrival Point = "arrival" // before anything is read
	Commit  Point = "commit"  // everything is checked, nothing written; the default
	Reply   Point = "reply"   // written, and the answer not sent
)

// Outcome is how a call with a fault ends.
type Outcome string

const (
	Pass          Outcome = ""              // as usual, after the delay
	Closed        Outcome = "closed"        // the connection is closed without an answer
	HTML500       Outcome = "html500"       // HTTP 500 text/html
	Serialization Outcome = "serialization" // psycopg2.errors.SerializationFailure
	Denied        Outcome = "denied"        // AccessError
	Expired       Outcome = "expired"       // error code 100
	Raised        Outcome = "raised"        // the exception in Name and Message
	// Late closes the connection too; what has passed the checks is written when
	// CommitLate is called (facts/odoo.md A6: Odoo commits what its client
	// gave up on).
	Late Outcome = "late"
)

// Fault makes calls fail. The server does not notice that a client has given up:
// with a delay at Commit, the commit comes after the client's time limit.
type Fault struct {
	Model   string        `json:"model"`  // "": any; logins have "common" and "session"
	Method  string        `json:"method"` // "": any
	Skip    int           `json:"skip"`   // calls that still pass
	Times   int           `json:"times"`  // calls that fail; 0: all, until it is lifted
	Point   Point         `json:"point"`
	Delay   time.Duration `json:"delay"` // nanoseconds in JSON
	Outcome Outcome       `json:"outcome"`
	Name    string        `json:"name"`    // for Raised, such as odoo.exceptions.UserError
	Message string        `json:"message"` // for Raised
	Struck  func()        `json:"-"`       // called for each call that meets it, without any lock
}

type activeFault struct {
	Fault
	skipped, applied int
}

// Inject adds a fault; lift removes it.
func (s *Server) Inject(f Fault) (lift func()) {
	if f.Point == "" {
		f.Point = Commit
	}
	it := &activeFault{Fault: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, it)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(x *activeFault) bool { return x == it })
	}
}

// LiftAll removes all faults and the throttle, and gives denied rights back.
func (s *Server) LiftAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.denied, s.rate = nil, map[string]bool{}, rate{}
}

// faultsOf are the faults that a call meets.
func (s *Server) faultsOf(model, method string) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var met []Fault
	for _, f := range s.faults {
		if f.Model != "" && f.Model != model || f.Method != "" && f.Method != method || f.Times > 0 && f.applied == f.Times {
			continue
		}
		if f.skipped < f.Skip {
			f.skipped++
			continue
		}
		f.applied++
		met = append(met, f.Fault)
	}
	return met
}

func (s *Server) applyFaults(faults []Fault, at Point) error {
	for _, f := range faults {
		if f.Point != at {
			continue
		}
		if f.Struck != nil {
			f.Struck()
		}
		if f.Delay > 0 {
			s.options.Sleep(f.Delay)
		}
		switch f.Outcome {
		case Closed:
			return errClosed
		case Late:
			return errLate
		case HTML500:
			return internal()
		case Serialization:
			return serializationFailure()
		case Denied:
			return raise("odoo.exceptions.AccessError", "You are not allowed to access '%s' (%s) records.\n\n"+
				"No group currently allows this operation.\n\nContact your administrator to request access if necessary.", f.Model, f.Model)
		case Expired:
			return sessionExpired()
		case Raised:
			return raise(f.Name, "%s", f.Message)
		}
	}
	return nil
}

// CommitLate writes what Late faults have kept back, and returns the number of
// these calls. The rules were checked at the call, and are not checked again.
func (s *Server) CommitLate() (calls int) {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	for _, write := range late {
		if write() {
			calls++
		}
	}
	return calls
}

func (s *Server) keepLate(write func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, write)
}

// Deny takes a right away from all users: operation is read, write, create or
// unlink. It also holds for domains that look into the model and for commands
// on reg_ids.
func (s *Server) Deny(model, operation string) { s.setDenied(model, operation, true) }

// Allow gives it back to the users who had it.
func (s *Server) Allow(model, operation string) { s.setDenied(model, operation, false) }

func (s *Server) setDenied(model, operation string, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.denied) // calls under way keep the map that they have
	next[model+" "+operation] = denied
	s.denied = next
}

func (s *Server) deniedNow() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.denied
}

// health is the state of the whole server.
type health struct {
	down, databaseDown       bool
	restarts, databaseLosses int
}

func (s *Server) healthNow() health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

func (s *Server) isDown() bool       { return s.healthNow().down }
func (s *Server) databaseDown() bool { return s.healthNow().databaseDown }

// SetDown stops the server as SIGTERM does: calls under way are finished, and
// the connections of new ones are closed at once.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.down = down
}

// Restart kills the server and starts it again: calls under way end without an
// answer and without a commit, sessions survive (facts/odoo.md A6).
func (s *Server) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.restarts++
}

// SetDatabaseDown stops PostgreSQL: calls under way fail, new ones get HTTP 500
// text/html, and sessions that are used meanwhile are lost (facts/odoo.md A4,
// A6).
func (s *Server) SetDatabaseDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.health.databaseDown = down; down {
		s.health.databaseLosses++
	}
}

// interrupted is the error of a call that was under way when the server or the
// database ended; nil if neither did.
func (s *Server) interrupted(started health) error {
	switch now := s.healthNow(); {
	case now.restarts != started.restarts:
		return errClosed
	case now.databaseLosses != started.databaseLosses:
		return raise("psycopg2.InterfaceError", "connection already closed")
	}
	return nil
}

// LoseSessions ends all sessions: the next calls get code 100.
func (s *Server) LoseSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = map[string]session{}
}

// rate is a limit of requests per second, as a reverse proxy sets it; the
// answer beyond it is 429 with Retry-After (Odoo itself has none; not recorded).
type rate struct {
	perSecond, seen int
	second          int64
}

// Throttle sets the limit; 0 is none.
func (s *Server) Throttle(perSecond int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = rate{perSecond: perSecond}
}

func (s *Server) throttled() bool {
	now := s.options.Now().Unix()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate.perSecond == 0 {
		return false
	}
	if s.rate.second != now {
		s.rate.second, s.rate.seen = now, 0
	}
	s.rate.seen++
	return s.rate.seen > s.rate.perSecond
}

// Moment is when a hook is called.
type Moment int

const (
	Before  Moment = iota // a call has arrived, and nothing was read yet
	Checked               // a write is checked and not yet committed
	After                 // a call is done, and its answer is not sent yet
)

// Hook calls f at a moment of every call, without any lock: f may use the
// methods of Server, as a second writer would. remove removes it.
func (s *Server) Hook(at Moment, f func(model, method string)) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &hook{f}
	s.hooks[at] = append(s.hooks[at], h)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hooks[at] = slices.DeleteFunc(slices.Clone(s.hooks[at]), func(x *hook) bool { return x == h })
	}
}

type hook struct{ call func(model, method string) }

func (s *Server) fire(at Moment, c call) {
	s.mu.Lock()
	hooks := slices.Clone(s.hooks[at])
	s.mu.Unlock()
	for _, h := range hooks {
		h.call(c.model, c.method)
	}
}
