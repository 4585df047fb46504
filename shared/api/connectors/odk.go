package connectors

import (
	"context"
	"maps"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// odkDocument is the form of a connector of ODK.
type odkDocument struct {
	BaseURL        string     `json:"base_url"`
	ODataURL       string     `json:"odata_url"`
	Email          string     `json:"email"`
	SubmissionType string     `json:"submission_type"`
	ReceivedFrom   string     `json:"received_from,omitempty"`
	PasswordSet    bool       `json:"password_set"`
	DoneUntil      *time.Time `json:"done_until,omitempty"`
}

func newODKDocument(c seeding.Connector) *odkDocument {
	return &odkDocument{
		BaseURL: c.ODK.BaseURL, ODataURL: c.ODK.ODataURL, Email: c.ODK.Email, SubmissionType: c.Registry.SubmissionType,
		ReceivedFrom: timeText(c.ODK.Received), PasswordSet: c.Secrets[seeding.ODKPassword] != "",
	}
}

// withODK adds the form to a connector that is being read, and takes away what does not
// count with it. It adds to what is wrong what a schema cannot hold.
func (body configurationBody) withODK(c seeding.Connector, given bool, before *seeding.Connector, wrong *api.FieldErrors) seeding.Connector {
	if wrong.Touch("/input_type") {
		return c
	}
	if body.InputType != fromODK {
		if given {
			wrong.Add("/odk", api.Flaw{Code: "odk_other", Detail: "belongs to input_type odk; leave it out"})
		}
		return c
	}
	if !given && !wrong.Touch("/odk") {
		wrong.Add("/odk", api.Flaw{Code: "odk_required", Detail: "is required with input_type odk: base_url, odata_url, email and password"})
	}
	c.ODK = seeding.ODKSource{BaseURL: body.ODK.BaseURL, ODataURL: body.ODK.ODataURL, Email: body.ODK.Email}
	c.Registry.SubmissionType = body.ODK.SubmissionType
	c.ODK.Received = readReceived("/odk/received_from", body.ODK.ReceivedFrom, wrong)
	if usualDomain(c, before) {
		c.Source.Domain = ""
	}
	if slices.Equal(c.Source.Fields, setup.Defaults().Source.Fields) {
		c.Source.Fields = nil
	}
	return c
}

// usualDomain reports whether the domain is one that a document of the connector shows
// although it does not count: it is sent back as it was read.
func usualDomain(c seeding.Connector, before *seeding.Connector) bool {
	d := c.Source.Domain
	return d == setup.DefaultDomain(c.Registry) || before != nil && before.FromODK() && d == setup.DefaultDomain(before.Registry)
}

// doneUntil is until when all submissions of a form are done; nil before a run has ended.
func (s *service) doneUntil(ctx context.Context, c seeding.Connector) (*time.Time, error) {
	coverage, err := s.Store.Coverage(ctx, c.ID)
	if err != nil || coverage.Form != c.FormKey() {
		return nil, seeding.IgnoreDamaged(err)
	}
	return moment(coverage.Whole().To), nil
}

// otherSource is wrong with what only connectors of the other source have.
func otherSource(c seeding.Connector) api.Flaw {
	of := fromRegistry
	if c.FromODK() {
		of = fromODK
	}
	return api.Flaw{Code: "other_source", Params: api.Params{"input_type": of}, Detail: "cannot be given to a connector of input_type " + of}
}

// checkSource refuses the members of a body that are of the other source: those of the
// registry, or those of ODK, by their pointers, that are given.
func checkSource(c seeding.Connector, wrong *api.FieldErrors, ofRegistry, ofODK map[string]bool) {
	refused := ofODK
	if c.FromODK() {
		refused = ofRegistry
	}
	for _, pointer := range slices.Sorted(maps.Keys(refused)) {
		if refused[pointer] && !wrong.Touch(pointer) {
			wrong.Add(pointer, otherSource(c))
		}
	}
}

// windowDocument is a time, without its end.
type windowDocument struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// newWindowDocument is nil for the zero Window.
func newWindowDocument(w seeding.Window) *windowDocument {
	if w == (seeding.Window{}) {
		return nil
	}
	return &windowDocument{w.From.UTC(), w.To.UTC()}
}

// looksDocument is what a run looks at.
type looksDocument struct {
	Until time.Time      `json:"until"`
	Spans []spanDocument `json:"spans"`
}

type spanDocument struct {
	windowDocument

	Count int `json:"count"`
}

// newLooksDocument is nil for a run that is not planned.
func newLooksDocument(l seeding.Looks) *looksDocument {
	if !l.Planned {
		return nil
	}
	d := &looksDocument{Until: l.Until.UTC(), Spans: []spanDocument{}}
	for _, span := range l.Spans {
		d.Spans = append(d.Spans, spanDocument{windowDocument{span.From.UTC(), span.To.UTC()}, span.Count})
	}
	return d
}

// windowBody is the window of an import.
type windowBody struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// readReceived reads a time of Central to the millisecond, as Central's times are. It may
// be any that is stored and shown: of the years 1970 to 9999 of UTC. It is zero if it is
// left out or wrong.
func readReceived(pointer, text string, wrong *api.FieldErrors) time.Time {
	if text == "" || wrong.Touch(pointer) {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if at = at.UTC().Truncate(time.Millisecond); err != nil || at.UnixMilli() < 0 || at.Year() > 9999 {
		wrong.Add(pointer, api.Flaw{Code: "time_received", Detail: receivedWanted})
		return time.Time{}
	}
	return at
}

const receivedWanted = `must be a date and time with its offset, in the years 1970 to 9999 of UTC, such as "2026-12-01T06:00:00Z" or "2026-12-01T09:00:00+03:00"`

// read reads the window of an import; the zero Window if none is given.
func (b *windowBody) read(wrong *api.FieldErrors) seeding.Window {
	if b == nil {
		return seeding.Window{}
	}
	w := seeding.Window{
		From: readReceived("/window/from", b.From, wrong),
		To:   readReceived("/window/to", b.To, wrong),
	}
	if w.Empty() && !wrong.Touch("/window") {
		wrong.Add("/window/to", api.Flaw{Code: "window_ends", Detail: "must be after from"})
	}
	return w
}
