package odk

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Form is what Central says of a form.
type Form struct {
	Name, Version string
	// Open is false for one that takes no new submissions, or will take none soon. Its
	// submissions can be read all the same.
	Open      bool
	Encrypted bool
	Published bool
	// Readable is whether the account may read submissions.
	Readable    bool
	Submissions int       // that are not deleted
	Last        time.Time // when the last one was received; zero for none
	Fields      []Field
}

// Field is one of a form.
type Field struct {
	Path string `json:"path"` // "/person/name"
	Type string `json:"type"` // string, int, decimal, date, …; structure and repeat hold others
}

const (
	maxMetadata = 4 << 20 // bytes; a field has about 100
	maxFields   = 20_000
)

// Form asks for the form, its fields and what the account may do: three calls.
func (c *Central) Form(ctx context.Context) (Form, error) {
	extended := http.Header{"X-Extended-Metadata": {"true"}}
	var project struct {
		Verbs []string `json:"verbs"`
	}
	var form struct {
		Name        string     `json:"name"`
		Version     string     `json:"version"`
		State       string     `json:"state"`
		KeyID       *int       `json:"keyId"`
		PublishedAt *time.Time `json:"publishedAt"`
		Submissions int        `json:"submissions"`
		Last        *time.Time `json:"lastSubmission"`
	}
	var fields []Field
	for _, ask := range []struct {
		address string
		into    any
	}{{c.address.form(), &form}, {c.address.project(), &project}, {c.address.form() + "/fields?odata=true", &fields}} {
		if err := c.metadata(ctx, ask.address, extended, ask.into); err != nil {
			return Form{}, err
		}
	}
	if len(fields) > maxFields || form.State == "" {
		return Form{}, fault(seeding.RefusedRequest, BadAnswer)
	}
	f := Form{
		Name: form.Name, Version: form.Version, Open: form.State == "open", Encrypted: form.KeyID != nil, Published: form.PublishedAt != nil,
		Readable: slices.Contains(project.Verbs, "submission.read"), Submissions: form.Submissions, Fields: fields,
	}
	if form.Last != nil {
		f.Last = *form.Last
	}
	return f, nil
}

func (c *Central) metadata(ctx context.Context, address string, header http.Header, into any) error {
	return c.session.get(ctx, address, header, func(resp *http.Response) error {
		switch {
		case resp.StatusCode != http.StatusOK:
			return readRefusal(resp).ofData()
		case !isJSON(resp):
			return fault(seeding.RefusedRequest, NotCentral)
		}
		if err := json.NewDecoder(&budget{resp.Body, maxMetadata, maxMetadata, maxMetadata}).Decode(into); err != nil {
			return noReply(err)
		}
		return nil
	})
}

// Flaw is what keeps VIDs from being read out of a field, by its path such as
// "person/vid"; nil is nothing.
func (f Form) Flaw(path string) *seeding.Fault {
	flaw := func(kind seeding.FaultKind, code string) *seeding.Fault {
		return &seeding.Fault{Kind: kind, Code: code, Field: path}
	}
	switch {
	case !f.Published:
		return fault(seeding.RefusedSchema, NoForm)
	case !f.Readable:
		return fault(seeding.RefusedRights, NoRight)
	case f.Encrypted:
		return fault(seeding.RefusedSchema, EncryptedForm)
	}
	full := "/" + strings.Trim(path, "/")
	i := slices.IndexFunc(f.Fields, func(field Field) bool { return field.Path == full })
	if i < 0 {
		return flaw(seeding.RefusedSchema, NoField)
	}
	for _, around := range f.Fields {
		if around.Type == "repeat" && strings.HasPrefix(full, around.Path+"/") {
			return flaw(seeding.RefusedSchema, NoTextField)
		}
	}
	switch f.Fields[i].Type {
	case "int", "decimal": // 16 digits come out as others, silently (facts/odk.md 8)
		return flaw(seeding.RefusedSchema, NumericField)
	case "structure", "repeat", "binary", "geopoint", "geotrace", "geoshape":
		return flaw(seeding.RefusedSchema, NoTextField)
	}
	return nil
}

// without are those of some fields that the form has not.
func (f Form) without(paths []string) (missing []string) {
	for _, path := range paths {
		if !slices.ContainsFunc(f.Fields, func(field Field) bool { return field.Path == "/"+path }) {
			missing = append(missing, path)
		}
	}
	return missing
}

// Clock is what a sign-in shows of Central's clocks. Submissions are stamped by that of
// its database (facts/odk.md 12).
type Clock struct {
	Database time.Time // to the millisecond
	Server   time.Time // to the second; zero if it was not said
	// Before and After are between what the database's was read, by this machine's.
	Before, After time.Time
}

// Ahead is by how much the database's clock is ahead of this machine's, and by how much
// that may be wrong.
func (c Clock) Ahead() (ahead, doubt time.Duration) {
	doubt = c.After.Sub(c.Before) / 2
	return c.Database.Sub(c.Before.Add(doubt)), doubt
}

// Now is what the database's clock shows at a moment of this machine's, at the earliest.
func (c Clock) Now(here time.Time) time.Time {
	ahead, doubt := c.Ahead()
	return here.Add(ahead - doubt)
}

// Apart is a fault if the database's clock is surely further from this machine's, or
// from Central's own, than it may be.
func (c Clock) Apart(most time.Duration) *seeding.Fault {
	ahead, doubt := c.Ahead()
	if ahead.Abs()-doubt > most {
		return fault(seeding.RefusedRequest, ClockApart)
	}
	if !c.Server.IsZero() && c.Server.Sub(c.Database).Abs()-2*doubt-time.Second > most {
		return fault(seeding.RefusedRequest, ClockApart)
	}
	return nil
}

// clockLife is how long a clock that was read counts: clocks drift by less than a
// second meanwhile.
const clockLife = 10 * time.Minute

// Clock is what the last sign-in has shown, or one that is made for it.
func (c *Central) Clock(ctx context.Context) (Clock, error) {
	s := c.session
	read := func() (Clock, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.clock, s.token
	}
	clock, token := read()
	if token == "" || clock.Database.IsZero() || s.now().Sub(clock.After) > clockLife {
		if _, _, err := s.open(ctx, token); err != nil {
			return Clock{}, err
		}
		clock, _ = read()
	}
	if clock.Database.IsZero() {
		return Clock{}, fault(seeding.RefusedRequest, BadAnswer)
	}
	return clock, nil
}

// SingleSignOn asks, without signing in, whether this Central lets nobody sign in with a
// password. known is false where nothing tells.
func (c *Central) SingleSignOn(ctx context.Context) (on, known bool, err error) {
	err = c.session.exchange(ctx, http.MethodGet, c.session.account.base+"/client-config.json", nil, nil, func(resp *http.Response) error {
		var config struct {
			OIDC *bool `json:"oidcEnabled"`
		}
		if resp.StatusCode >= 500 {
			return readRefusal(resp).fault()
		}
		if resp.StatusCode == http.StatusOK && json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&config) == nil && config.OIDC != nil {
			on, known = *config.OIDC, true
		}
		return nil
	})
	return on, known, err
}
