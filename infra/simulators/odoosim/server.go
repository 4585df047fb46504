// Package odoosim is an OpenG2P registry for tests, benchmarks and
// demonstrations: the wire of Odoo 14 with the models of OpenG2P's
// 15.0-develop line, as facts/odoo.md and facts/odoo-recorded.md have them,
// over a store in memory.
//
// It is never more lenient than what was measured there. Where there is a choice
// (the order of equal rows, the cost of parallel calls) it takes the worse.
//
// Server is an http.Handler. Tests and `make run` control it by its Go methods, or
// by HTTP below /_simulator/ (admin.go).
//
// The error texts are Odoo's own where infra/realodoo compares them with a real
// Odoo; elsewhere only the class of an error is faithful.
package odoosim

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options of a server; the zero value is one database "g2p" without delays.
type Options struct {
	// Databases are their names; the first has the data that the Go methods
	// work on. Several make Odoo hide errors from callers without a session
	// (facts/odoo.md A1.4).
	Databases []string
	// Status adds the fields status and description that later lines have.
	Status bool
	// Submissions adds the identifier type under which registrants keep the id of the
	// submission that they came of.
	Submissions bool
	// Encrypted is a registry with the module g2p_registry_encryption, which
	// shows a placeholder in place of names and addresses wherever not exactly
	// one registrant is read.
	Encrypted bool

	// Odoo is the generation whose operators domains may have: from 17 on "any"
	// and "not any", from 19 on "not =like" and "not =ilike" too, and a "!" before
	// a path negates it as a whole (facts/odoo.md E). All else is as in Odoo 14.
	Odoo int
	// REST is the line of g2p_registry_rest_api that is installed: REST15 or REST17;
	// none by default.
	REST string
	// MTS is a registry with the modules mts_connector and g2p_mts: Odoo's own
	// connectors.
	MTS bool
	// JSON2 adds Odoo 19's JSON-2, for users with an API key.
	JSON2 bool
	// NoIndex leaves g2p_reg_id without indexes on partner_id and value, as the
	// module is shipped: look-ups read the whole table (facts/odoo.md B3).
	NoIndex bool
	// HashRows is the size of g2p_reg_id from which a domain that looks into
	// reg_ids reads the table once per registrant (facts/odoo.md B3): 0 is
	// 260000, as with PostgreSQL's default work_mem; negative is never.
	HashRows int
	// Pace scales Latency: 0 answers at once, 1 takes the time of the real one.
	Pace float64
	// Latency defaults to Measured.
	Latency Latency
	// TimeLimit is Odoo's limit_time_real, 120 s by default: a call that would
	// take longer (at pace 1) reloads the server. Not at pace 0.
	TimeLimit time.Duration
	// Window is the least time between the checks of a write and its commit, in
	// which parallel writes pass each other's checks (facts/odoo.md A6): 1 ms
	// by default, negative is none.
	Window time.Duration
	// Workers is how many calls the server works on at once, at a pace above 0;
	// 1 by default, and the real one gains little from more (facts/odoo.md B4).
	Workers int
	// Now is the server's clock; time.Now by default.
	Now func() time.Time
	// Sleep waits; time.Sleep by default.
	Sleep func(time.Duration)
}

// Server is the simulated registry. Its methods may be called at any time,
// also while calls are under way.
type Server struct {
	options   Options
	databases map[string]*database
	main      *database
	workers   chan struct{}
	admin     http.Handler

	mu       sync.Mutex
	sessions map[string]session
	failures map[string]failures // by the caller's address
	front    http.Handler
	faults   []*activeFault
	late     []func() bool // commits that are still to come
	denied   map[string]bool
	locked   bool // an encrypted registry does not decrypt at all
	tallies  map[string]*Tally
	hooks    map[Moment][]*hook
	health   health
	rate     rate
	requests int64
	inFlight int
	most     int
	persons  int64
	kinds    map[int64]Kind
}

// New makes a server with the three identifier types and no registrants.
func New(o Options) *Server {
	if len(o.Databases) == 0 {
		o.Databases = []string{"g2p"}
	}
	if o.HashRows == 0 {
		o.HashRows = 260_000
	}
	if o.Latency == (Latency{}) {
		o.Latency = Measured()
	}
	if o.TimeLimit == 0 {
		o.TimeLimit = 120 * time.Second
	}
	if o.Window == 0 {
		o.Window = time.Millisecond
	}
	if o.Workers == 0 {
		o.Workers = 1
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = time.Sleep
	}
	s := &Server{
		options:   o,
		databases: map[string]*database{},
		workers:   make(chan struct{}, o.Workers),
		sessions:  map[string]session{},
		failures:  map[string]failures{},
		denied:    map[string]bool{},
		tallies:   map[string]*Tally{},
		hooks:     map[Moment][]*hook{},
		kinds:     map[int64]Kind{},
	}
	for _, name := range o.Databases {
		db := newDatabase(name, o)
		db.seedSystem(s.clock(), s.options.Submissions)
		s.databases[name] = db
		if s.main == nil {
			s.main = db
		}
	}
	s.admin = s.adminRoutes()
	return s
}

func (s *Server) clock() stamp { return stamp(s.options.Now().UnixMicro()) }

// reply is an HTTP reply; a nil reply closes the connection without an answer.
type reply struct {
	status int
	header [][2]string
	body   []byte
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_simulator/") {
		s.admin.ServeHTTP(w, r)
		return
	}
	if front := s.frontNow(); front != nil {
		front.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body) // no limit, as there (facts/odoo.md A5); never unpacked
	if err != nil || s.isDown() {
		hangUp(w)
		return
	}
	s.mu.Lock()
	s.requests++
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	s.mu.Unlock()
	answer := s.answer(r, body)
	s.mu.Lock()
	s.inFlight--
	s.mu.Unlock()
	if answer == nil {
		hangUp(w)
		return
	}
	s.send(w, answer)
}

// send writes an HTTP/1.0 answer and closes the connection: no keep-alive, no
// compression (facts/odoo.md A5). Without a connection to take over it comes
// near to that.
func (s *Server) send(w http.ResponseWriter, answer *reply) {
	header := append(answer.header,
		[2]string{"Content-Length", fmt.Sprint(len(answer.body))},
		[2]string{"Server", "Werkzeug/1.0.1 Python/3.9.2"},
		[2]string{"Date", s.options.Now().UTC().Format(http.TimeFormat)})
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		for _, h := range header {
			w.Header().Set(h[0], h[1])
		}
		w.Header().Set("Connection", "close")
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body)
		return
	}
	defer conn.Close()
	fmt.Fprintf(buffered, "HTTP/1.0 %d %s\r\n", answer.status, strings.ToUpper(http.StatusText(answer.status)))
	for _, h := range header {
		fmt.Fprintf(buffered, "%s: %s\r\n", h[0], h[1])
	}
	_, _ = buffered.WriteString("\r\n")
	_, _ = buffered.Write(answer.body)
	_ = buffered.Flush()
}

func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	conn.Close()
}

// page is one of Werkzeug's error pages.
func page(status int, title, text string) *reply {
	return &reply{status: status, header: [][2]string{{"Content-Type", "text/html; charset=utf-8"}},
		body: fmt.Appendf(nil, "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<title>%d %s</title>\n<h1>%s</h1>\n<p>%s</p>\n",
			status, title, title, text)}
}

func badRequest(text string) *reply { return page(http.StatusBadRequest, "Bad Request", text) }

// internal is what is left of an error when the server does not know the
// database of the request, or cannot reach it (facts/odoo.md A1.4, A6).
func internal() *reply {
	return page(http.StatusInternalServerError, "Internal Server Error", "The server encountered an internal error and was unable "+
		"to complete your request. Either the server is overloaded or there is an error in the application.")
}
