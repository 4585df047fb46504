// Package mtssim simulates MOSIP Token Seeder 1.1.0 (branch develop) on the
// wire: POST /authtoken/json and /authtoken/odk, GET /authtoken/status/{id} and GET /ping, its
// replicas and their workers, its callbacks, its speed and its failures. The rules
// are those of facts/mts.md; where the facts are silent the stricter reading is taken, so
// that a client which works here is not surprised by the real one. Texts that
// Python itself words (about malformed JSON or a wrong type) are not reproduced.
//
// Left out: /authtoken/csv, /authtoken/file, /authtoken/authfields and sync mode (all 404). A request for a download is
// processed but cannot be fetched. Requests with csv output are validated and
// processed, and then end as error_making_callback_request.
//
// The identity system behind it is simulated too: Rules says how the digits of a
// VID decide its answer. Faults are set with SetFaults, or by POST to
// /_simulator/faults; see Faults.
package mtssim

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say how the simulator behaves from the start. The zero value answers
// as fast as it can and forgets requests after six hours.
type Options struct {
	// Pace scales the CPU time of a real MTS: 1 is its measured speed
	// (16 ms per record in the POST, 12 ms per record in the thread, both on
	// one processor), 0.1 ten times faster, 0 no waiting at all.
	Pace float64

	// Workers are those of each replica; MTS's container has 4. Each has a queue,
	// a thread that processes it and an event loop that a POST blocks; they share
	// the table of statuses. Zero means one.
	Workers int

	// Replicas are containers behind one address, which share nothing. Zero means one.
	Replicas int

	// Processors are those that the workers of one replica share. A worker never
	// uses more than one. Zero means one.
	Processors int

	// MaxRequests is how many HTTP requests of any kind a worker handles before it
	// ends, loses its queue and is replaced; MTS's container has 10,000. Zero
	// means no limit.
	MaxRequests int

	// IdentityLatency is what the identity system takes per record. It is not
	// scaled and does not use a processor.
	IdentityLatency time.Duration

	// Expiry is the age at which clean-up deletes a request, whatever its
	// state; CleanupInterval is how often clean-up looks. Zero means six hours,
	// the default of the configuration file (Helm: 20 s and 20 s).
	Expiry, CleanupInterval time.Duration

	// Mandatory names the fields whose absence makes a record invalid, out of
	// name, gender, dob, phoneNumber, emailId, fullAddress. nil means the
	// default: name, gender, dob, fullAddress. The VID always is.
	Mandatory []string

	// Identify is the identity system; nil means Rules. The workers call it at the
	// same time; its context ends with the worker that asks, so that
	// an Identify which blocks is what facts/mts.md W2 describes and a restart
	// ends it.
	Identify func(context.Context, Applicant) Verdict

	// Dial connects to the receiver of callbacks; nil means the network. A test in
	// virtual time cannot use the network, because waiting for it stops the clock.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Server is the simulated token seeder: an http.Handler with replicas behind it.
// Close it before the httptest.Server around it, which otherwise waits for the
// requests that a fault leaves unanswered.
type Server struct {
	options Options
	stop    context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup

	mu          sync.Mutex // guards what follows, and the replicas and workers
	size        Size
	replicas    []*replica
	connections map[net.Conn]*connection // of attached HTTP servers
	random      *rand.Rand               // the same sequence in every run
	faults      Faults
	calls       int // callbacks since LoseEvery was set
	counters    Counters
	attempts    map[string]int // by VID
	tokens      map[string]int // by VID
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
		options:     options,
		connections: map[net.Conn]*connection{},
		random:      rand.New(rand.NewPCG(1, 2)),
		attempts:    map[string]int{},
		tokens:      map[string]int{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.SetSize(Size{options.Workers, options.Replicas, options.Processors, options.MaxRequests})
	s.running.Go(s.cleanUp)
	return s
}

// Close ends everything at once, as a kill does, and waits for it.
func (s *Server) Close() {
	s.mu.Lock()
	s.stop()
	for _, r := range s.replicas {
		r.end()
	}
	s.mu.Unlock()
	s.running.Wait()
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
