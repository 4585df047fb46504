// Package mtssim simulates MOSIP Token Seeder 1.1.0 (branch develop) on the
// wire: POST /authtoken/json, GET /authtoken/status/{id} and GET /ping, its one
// worker, its callbacks, its speed and its failures. The rules are those of
// facts/mts.md; where the facts are silent the stricter reading is taken, so
// that a client which works here is not surprised by the real one. Texts that
// Python itself words (about malformed JSON or a wrong type) are not reproduced.
//
// Left out: /authtoken/csv, /authtoken/odk, /authtoken/file,
// /authtoken/authfields and sync mode (all 404). A request for a download is
// processed but cannot be fetched. Requests with csv output, or with odoo or
// oauth authentication, are validated and processed, and then end as
// error_making_callback_request.
//
// The identity system behind it is simulated too: Rules says how the digits of a
// VID decide its answer. Faults are set with SetFaults, or by POST to
// /_simulator/faults; see Faults.
package mtssim

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say how the simulator behaves from the start. The zero value answers
// as fast as it can and forgets requests after six hours.
type Options struct {
	// Pace scales the CPU time of a real MTS: 1 is its measured speed
	// (16 ms per record in the POST, 12 ms per record in the worker, both on
	// one core), 0.1 ten times faster, 0 no waiting at all.
	Pace float64

	// IdentityLatency is what the identity system takes per record. It is not
	// scaled and does not use the core.
	IdentityLatency time.Duration

	// Expiry is the age at which clean-up deletes a request, whatever its
	// state; CleanupInterval is how often clean-up looks. Zero means six hours,
	// the default of the configuration file (Helm: 20 s and 20 s).
	Expiry, CleanupInterval time.Duration

	// Mandatory names the fields whose absence makes a record invalid, out of
	// name, gender, dob, phoneNumber, emailId, fullAddress. nil means the
	// default: name, gender, dob, fullAddress. The VID always is.
	Mandatory []string

	// Identify is the identity system; nil means Rules. It is called by one
	// goroutine at a time; its context ends with the process that asks, so that
	// an Identify which blocks is what facts/mts.md W2 describes and a restart
	// ends it.
	Identify func(context.Context, Applicant) Verdict

	// Dial connects to the receiver of callbacks; nil means the network. A test in
	// virtual time cannot use the network, because waiting for it stops the clock.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Server is the simulated token seeder: an http.Handler with a worker behind
// it. Close it before the httptest.Server around it, which otherwise waits for
// the requests that a fault leaves unanswered.
type Server struct {
	options Options
	stop    context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup

	mu       sync.Mutex // guards what follows
	process  *process
	requests map[string]*request // the database: it survives a restart
	faults   Faults
	calls    int // callbacks since LoseEvery was set
	counters Counters
	attempts map[string]int // by VID
	tokens   map[string]int // by VID
}

// New starts a token seeder.
func New(options Options) *Server {
	if options.Expiry == 0 {
		options.Expiry = 6 * time.Hour
	}
	if options.CleanupInterval == 0 {
		options.CleanupInterval = 6 * time.Hour
	}
	if options.Mandatory == nil {
		options.Mandatory = []string{"name", "gender", "dob", "fullAddress"}
	}
	if options.Identify == nil {
		options.Identify = Rules
	}
	if options.Dial == nil {
		options.Dial = new(net.Dialer).DialContext
	}
	s := &Server{
		options:  options,
		requests: map[string]*request{},
		attempts: map[string]int{},
		tokens:   map[string]int{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.process = s.newProcess()
	s.running.Go(s.cleanUp)
	return s
}

// Close ends everything at once, as a kill does, and waits for it.
func (s *Server) Close() {
	s.stop()
	s.running.Wait()
}

// Restart is SIGKILL and a start on the same database: connections are closed,
// the POST being handled leaves nothing behind, what was queued or running is
// lost and keeps its status until clean-up (facts/mts.md W1).
func (s *Server) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restart()
}

func (s *Server) restart() {
	if s.ctx.Err() != nil {
		return
	}
	s.process.kill()
	s.process = s.newProcess()
	s.counters.Restarts++
}

// crash is the end of one process by its own doing (facts/mts.md W11). It does
// nothing if that process is no longer the one that runs.
func (s *Server) crash(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == p {
		s.restart()
	}
}

// Forget deletes every request, as a container with a new database does
// (facts/mts.md W9).
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.requests)
}

// ServeHTTP answers as the token seeder does; below /_simulator/ it is the
// simulator's own administration.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isAdministration(r) {
		s.serveAdministration(w, r)
		return
	}
	s.serve(w, r)
}
