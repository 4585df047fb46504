// Package centralsim simulates ODK Central 2026.2 on the wire, and by an option
// older releases: sessions, users and their roles, projects, forms, and the OData of
// submissions with its windows, counts, pages and errors. The rules are those of
// facts/odk.md 1 to 12 and 14. Where the facts are silent the stricter reading is
// taken.
//
// Server is an http.Handler. Tests and programs control it by its Go methods, or by
// HTTP below /_simulator/ (admin.go). What goes wrong is set with SetFaults.
//
// Left out: cookies as credentials, app users but for their refusal, the uploading of
// submissions (Table.Submit stands for it), their XML, attachments but for their
// counts, entity lists (404) and the choice of columns in repeat tables.
package centralsim

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say how the simulator behaves from the start. The zero value is Central
// 2026.2 behind its nginx, without users and projects.
type Options struct {
	// Release is the year and number of a release, such as "2023.3"; "" is 2026.2.
	Release string
	// Domain is the one that Central is configured with: it stands in every address
	// that Central gives, whatever host it was asked by. "" is https://odk.test:8443.
	Domain string
	// Now is the clock of the database, which stamps submissions and sessions;
	// time.Now by default. Faults.DateAheadMS sets the clock of the Date header apart.
	Now func() time.Time
	// Zone is the time zone of the database's sessions, by which days are counted; UTC
	// by default.
	Zone *time.Location
	// SessionLife is how long a session lasts; 24 hours by default.
	SessionLife time.Duration
	// Bare is Central's backend without nginx before it: no compression, no
	// /client-config.json, no /version.txt, and another reply to a long address.
	Bare bool
	// Sleep waits; time.Sleep by default.
	Sleep func(time.Duration)
}

// Server is the simulated Central. Its methods may be called at any time, also while
// requests are under way.
type Server struct {
	options Options
	release release
	admin   http.Handler

	mu           sync.Mutex // guards what follows, and projects, forms and tables
	random       *rand.Rand // the same sequence in every run
	singleSignOn bool
	users        map[string]*user // by e-mail address, in small letters
	sessions     map[string]*session
	projects     []*project
	numbers      int64 // of submissions, and of events
	faults       Faults
	counters     Counters
	people       int64 // that Populate has made
}

// New makes a Central without users and projects.
func New(o Options) *Server {
	if o.Release == "" {
		o.Release = "2026.2"
	}
	if o.Domain == "" {
		o.Domain = "https://odk.test:8443"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.SessionLife == 0 {
		o.SessionLife = 24 * time.Hour
	}
	if o.Sleep == nil {
		o.Sleep = time.Sleep
	}
	s := &Server{
		options:  o,
		release:  parseRelease(o.Release),
		random:   rand.New(rand.NewPCG(1, 2)),
		users:    map[string]*user{},
		sessions: map[string]*session{},
	}
	s.admin = s.adminRoutes()
	return s
}

// release is a year times ten and a number: 20262 is 2026.2.
type release int

// Releases from which something is there (facts/odk.md 16).
const (
	withSelect       release = 20223
	withMilliseconds release = 20231 // before, microseconds were stored and milliseconds shown
	withIDFilter     release = 20233
	withSkipToken    release = 20234 // before, a nextLink had $skip
	withOrderBy      release = 20241
	withDeletion     release = 20243 // submissions can be deleted; now() is broken
	withETags        release = 20261
)

// parseRelease takes 2026.2 for whatever is no release.
func parseRelease(text string) release {
	year, number, _ := strings.Cut(text, ".")
	digits := year + number
	if len(digits) != 5 || strings.Trim(digits, "0123456789") != "" {
		return 20262
	}
	n := release(0)
	for _, d := range digits {
		n = n*10 + release(d-'0')
	}
	return n
}

// micros is the clock of the database, in microseconds since 1970.
func (s *Server) micros() int64 { return s.stored(s.options.Now()) }

// stored is a moment as the database keeps it: rounded to milliseconds, or in older
// releases to microseconds.
func (s *Server) stored(t time.Time) int64 {
	if s.release < withMilliseconds {
		return t.Round(time.Microsecond).UnixMicro()
	}
	return t.Round(time.Millisecond).UnixMicro()
}

// shown is a moment as Central prints it.
func shown(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000Z")
}

// shownOrNull is nil for no moment.
func shownOrNull(micros int64) any {
	if micros == 0 {
		return nil
	}
	return shown(micros)
}

// next is the next number of a submission or an event. The caller holds mu.
func (s *Server) next() int64 {
	s.numbers++
	return s.numbers
}
