// Package odk is a client of ODK Central: it reads the submissions to one form by
// windows of the time at which they were received, counts them, and says what of a
// form or an account keeps a connector from its work (facts/odk.md).
//
// MTS reads the same windows by itself, from the address that Address.String gives, and
// with the same filter. It cannot tell a window without submissions from one that it could not
// read, so a Count goes before.
//
// All errors of calls are *seeding.Fault without any text of the server, and hold no
// value of a record, no e-mail address and no password.
package odk

import (
	"net/http"
	"sync"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Client opens forms. It keeps a session for each account, for the life of the process.
type Client struct {
	// Limits may be set before the first call.
	Limits Limits

	http *http.Client
	now  func() time.Time

	mu       sync.Mutex
	sessions map[account]*session
}

// Limits bound what a reply costs. A Central is not trusted: it may be broken, taken
// over, or not Central at all.
type Limits struct {
	// PageRows is how many submissions are asked for at once, PageBytes how large such
	// a reply may be, and RecordBytes one submission. Smaller pages are asked for where
	// a page is too large.
	PageRows    int
	PageBytes   int64
	RecordBytes int64
	// Silence is how long Central may send nothing. A list whose database connection
	// was lost is silent for two minutes and then ends (facts/odk.md 14).
	Silence time.Duration
}

// DefaultLimits are those of a new Client. A submission has about 1 KB.
var DefaultLimits = Limits{PageRows: 1000, PageBytes: 8 << 20, RecordBytes: 1 << 20, Silence: 45 * time.Second}

// New returns a client on an HTTP client that bounds response bodies and repeats
// requests that may be repeated. Contexts limit the time.
func New(client *http.Client, now func() time.Time) *Client {
	return &Client{Limits: DefaultLimits, http: client, now: now, sessions: map[account]*session{}}
}

// account is who signs in where.
type account struct{ base, email string }

// Open makes no call. Another password than before is another session.
func (c *Client) Open(form Address, email, password string) *Central {
	c.mu.Lock()
	defer c.mu.Unlock()
	who := account{form.Base.String(), email}
	s := c.sessions[who]
	if s == nil || s.password != password {
		s = &session{client: c.http, account: who, password: password, silence: c.Limits.Silence, now: c.now}
		c.sessions[who] = s
	}
	return &Central{session: s, address: form, limits: c.Limits}
}

// Central is one form of an ODK Central, as one account sees it. It is safe for
// concurrent use, but Central itself suffers from many readers (facts/odk.md 13).
type Central struct {
	session *session
	address Address
	limits  Limits
}

// filterOf is the text by which MTS filters, with blanks encoded as it does
// (facts/mts.md 2.6).
func filterOf(w seeding.Window) string {
	from, to := w.Bounds()
	return "__system/submissionDate%20ge%20" + from + "%20and%20__system/submissionDate%20lt%20" + to
}
