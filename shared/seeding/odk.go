package seeding

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ODKSource takes the submissions to one form of an ODK Central. MTS fetches them
// itself, by windows of the time at which Central received them (facts/mts.md 2.6).
type ODKSource struct {
	BaseURL  string // of Central
	ODataURL string // of the form's submissions, in the form in which it is compared and stored
	Email    string // of the account that reads them
	// Received leaves out what Central received before; zero leaves out nothing.
	Received time.Time
}

// FromODK reports whether registrants come of submissions to a form, and not from
// the registry. A draft may still lack the address of Central.
func (c Connector) FromODK() bool { return c.ODK.BaseURL != "" || c.Registry.SubmissionType != "" }

// SameODKAccount reports whether the password of ODK Central that is stored for one
// connector goes nowhere else with another: to the same account of the same Central, and
// by the same MTS, which gets it with every request.
func SameODKAccount(stored, c Connector) bool {
	_, wrong := ParseAddress(c.ODK.BaseURL)
	return wrong == nil && normalAddress(stored.ODK.BaseURL) == normalAddress(c.ODK.BaseURL) &&
		stored.ODK.Email == c.ODK.Email && stored.MTSKey() == c.MTSKey()
}

// FormID is the id of the form, which people know it by.
func (o ODKSource) FormID() string {
	_, text, _ := strings.Cut(o.ODataURL, "/forms/")
	text, _, _ = strings.Cut(text, ".svc")
	if id, err := url.PathUnescape(text); err == nil {
		return id
	}
	return text
}

// FormKey identifies the form of the connector; "" if its registrants come from the
// registry.
func (c Connector) FormKey() string {
	if !c.FromODK() {
		return ""
	}
	sum := sha256.Sum256([]byte(c.ODK.ODataURL))
	return "f" + hex.EncodeToString(sum[:10])
}

// Forms opens the form of a connector. It may read the connector's secrets, but makes
// no call to Central.
type Forms interface {
	OpenForm(ctx context.Context, c Connector) (Form, error)
}

// Form is what the functions call of a form at ODK Central. Every error is a *Fault,
// but for those of the functions that are given submissions.
type Form interface {
	// CheckVID is a fault if the field at a path such as person/vid cannot hold VIDs; ""
	// is a field that is not known.
	CheckVID(ctx context.Context, path string) error
	// Now is what the clock shows that stamps submissions, at the earliest.
	Now(ctx context.Context) (time.Time, error)
	// Count is how many submissions a window has.
	Count(ctx context.Context, w Window) (int, error)
	// Mark is a text that changes with what a window holds; known is one from before, or
	// "". same reports that it did not change. Where Central has no tags for lists it is
	// made of the count.
	Mark(ctx context.Context, w Window, known string) (mark string, same bool, err error)
	// Page returns the newest submissions of a window, at most so many, and whether
	// there are others.
	Page(ctx context.Context, w Window, most int) (list []SubmissionRef, more bool, err error)
	// Read gives each submission of a window to a function, with all of its fields.
	Read(ctx context.Context, w Window, each func(Submission) error) error
	// ReadSome does the same for submissions with these ids. Those that are not given
	// are not there any more.
	ReadSome(ctx context.Context, ids []string, each func(Submission) error) error
}

// CountMark begins a mark that is made of a count.
const CountMark = "n:"

// SubmissionRef is a submission without its fields.
type SubmissionRef struct {
	ID       string    // the same for all its versions
	Received time.Time // by Central, to the millisecond
	Edits    int
}

// Submission is a submission with all of its fields, as MTS sees it. Numbers are
// json.Number.
type Submission struct {
	SubmissionRef
	Record Record
}

// String has nothing of the record.
func (s Submission) String() string { return fmt.Sprintf("submission with %d members", len(s.Record)) }

// Askable reports whether a filter of ODK Central can name the id of a submission. Forms
// may send others (facts/odk.md 5.8, 9).
func Askable(id string) bool {
	return IsSubmissionID(id) && !strings.Contains(id, "'") && !strings.ContainsFunc(id, unicode.IsControl)
}

// IsSubmissionID reports whether a text may be the id of a submission of Central. A form
// may send line breaks, too; NUL is in no XML.
func IsSubmissionID(id string) bool {
	return id != "" && utf8.RuneCountInString(id) <= MaxSubmissionID && utf8.ValidString(id) && !strings.ContainsRune(id, 0)
}

// MaxSubmissionID is how many characters an id has at most that Central stores
// (facts/odk.md 9). The registry keeps no more than 100.
const MaxSubmissionID = 64

// Fingerprint shows whether a submission was edited. It is no secret, and never zero.
func (s SubmissionRef) Fingerprint() Fingerprint { return EditsFingerprint(s.Edits) }

// EditsFingerprint is the fingerprint of a submission that was edited so often.
func EditsFingerprint(edits int) (p Fingerprint) {
	binary.BigEndian.PutUint32(p[:], uint32(min(max(edits, 0), 1<<31-2))+1)
	return p
}

// Pull is a request to MTS that fetches submissions itself: those of a window, or
// those with some ids.
type Pull struct {
	BaseURL     string
	ODataURL    string // with what it selects; of submissions with some ids also with their filter
	Email       string
	Password    string
	Window      Window // zero of submissions with some ids
	Mapping     Mapping
	Submissions []string
}

// Span is a window of which a run looks at every submission, or of which one did.
type Span struct {
	Window
	Mark  string // Form.Mark before it was looked at
	Count int    // of its submissions then
}

// Coverage is what of a form was looked at, and is done: each of its submissions has a
// registrant with a token, or a rejection. Its spans follow one another.
type Coverage struct {
	Connector string
	Form      string // FormKey; of another form nothing was looked at yet
	Mark      string // of all spans together
	Spans     []Span
	Version   int // of the item that was read; 0 for none
}

// MaxSpans is how many spans a coverage, or a run, has at most. Neighbours are joined
// before there are more.
const MaxSpans = 40

// Whole is the window of all spans.
func (c Coverage) Whole() Window {
	if len(c.Spans) == 0 {
		return Window{}
	}
	return Window{c.Spans[0].From, c.Spans[len(c.Spans)-1].To}
}

// Looks is what a run of a connector of ODK looks at.
type Looks struct {
	Planned bool
	Until   time.Time // of Central's clock: what it received since is left to the next run
	Mark    string    // of everything until then, before it was looked at; "" of an import
	Spans   []Span    // in their order
}

// Has reports whether a moment is in the window.
func (w Window) Has(at time.Time) bool { return !at.Before(w.From) && at.Before(w.To) }

// Empty reports whether no moment is in the window.
func (w Window) Empty() bool { return !w.From.Before(w.To) }

// Named are the ids by which the submissions of a batch are fetched; none if they are
// fetched by its window, as is one that no filter can name and that is alone there.
func (b Batch) Named() []string {
	if len(b.Submissions) == 1 && !b.Window.Empty() && !Askable(b.Submissions[0]) {
		return nil
	}
	return b.Submissions
}

// Takes reports whether an open batch of submissions takes this one.
func (b Batch) Takes(s SubmissionRef) bool {
	if len(b.Submissions) > 0 {
		return slices.Contains(b.Submissions, s.ID)
	}
	return b.Window.Has(s.Received)
}

// RejectionsOfSubmissions is what ODK adds to Rejections.
type RejectionsOfSubmissions interface {
	// RejectionsOfSubmissions returns those that a connector has of submissions, by
	// their ids; ErrDamaged as for States.
	RejectionsOfSubmissions(ctx context.Context, registry, connector string, ids []string) ([]Rejection, error)
}

// Coverages keeps what of their forms connectors of ODK have looked at.
type Coverages interface {
	// Coverage of a connector that has looked at nothing has only its name.
	Coverage(ctx context.Context, connector string) (Coverage, error)
	// SaveCoverage writes it if the stored Version is still the same.
	SaveCoverage(ctx context.Context, c Coverage) error
}

// FieldPath is the path of a field as ODK Central writes it, person/name of person.name.
// Of a name in quotes a dot belongs to the name.
func FieldPath(path string) string {
	return pathPart.ReplaceAllStringFunc(path, func(part string) string {
		var name string
		switch {
		case part == ".":
			return "/"
		case json.Unmarshal([]byte(part), &name) != nil || strings.Contains(name, "/"):
			return part // no field has such a name
		}
		return name
	})
}

var pathPart = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\.`)

// FormFound is what a check finds of a form.
type FormFound struct {
	Open        bool // it takes new submissions
	Submissions int  // that can be read
	// VID is what keeps VIDs from being read out of their field, and Missing are fields
	// that the form has not.
	VID     *Fault
	Missing []string
	// Select is what Central says of the columns that the address chooses, and
	// NoColumns are those that the form has not.
	Select    *Fault
	NoColumns []string
}
