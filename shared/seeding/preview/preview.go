// Package preview shows what a configuration would send, stored or a draft: the first
// registrants as MTS would get them, what would be refused and why, and how often each
// part of the mapping gives nothing. It sends nothing. Its answer holds data of persons:
// whoever stores it seals it (infra/protocol.md, "Inquiries").
package preview

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Store is what a preview calls of the stores.
type Store interface {
	Connector(ctx context.Context, id string) (seeding.Connector, error)
}

// Previewer answers previews.
type Previewer struct {
	Store Store
	// Stored opens the registry of a stored configuration as runs do.
	Stored func(ctx context.Context, c seeding.Connector) (seeding.Registry, error)
	// Open opens the registry of a draft with a password.
	Open func(c seeding.Connector, password string) (seeding.Registry, error)
	// Password returns the stored password that a configuration names.
	Password func(ctx context.Context, c seeding.Connector) (string, error)
	// OpenForm opens the form of a configuration with a password. It makes no call.
	OpenForm func(c seeding.Connector, password string) (seeding.Form, error)
	// ODKPassword is Password, of ODK Central.
	ODKPassword func(ctx context.Context, c seeding.Connector) (string, error)
	// VIDField is the path of the field of a form that a mapping takes VIDs from, or "".
	VIDField    func(c seeding.Connector) string
	Submissions SubmissionStore
	Now         func() time.Time
	Foreseer    seeding.Foreseer
	Mappings    seeding.Mappings
	Outputs     seeding.Outputs
}

// sample is how many VIDs are looked at.
const sample = 200

// readLimit is how long reading may take; the desk's limit of an answer is longer.
const readLimit = 100 * time.Second

// Answer implements inquire.Answerer.
func (p *Previewer) Answer(ctx context.Context, q seeding.Inquiry, secrets map[string]string, _ func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	c, passwords, err := seeding.AskedAbout(ctx, p.Store, q, secrets)
	if seeding.IsNotFound(err) {
		return []seeding.Line{seeding.ConnectorGone}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if c.Registry.URL == "" {
		return []seeding.Line{seeding.NoRegistry}, nil, nil
	}
	registry, line, err := p.open(ctx, q, c, passwords.Registry, secrets)
	if line != nil || err != nil {
		return lines(line), nil, err
	}
	var answer seeding.PreviewAnswer
	if c.FromODK() {
		form, line := p.form(ctx, c, passwords.ODK, secrets)
		if line != nil {
			return lines(line), nil, nil
		}
		var failed error
		answer, failed, err = p.lookAtForm(ctx, q, c, form, registry)
		if line := formFailure(failed); line != nil {
			return lines(line), nil, nil
		}
	} else {
		answer, err = p.look(ctx, q, c, registry)
	}
	if line := failure(err); line != nil {
		return lines(line), nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(answer)
	return nil, text, err
}

func lines(line *seeding.Line) []seeding.Line {
	if line == nil {
		return nil
	}
	return []seeding.Line{*line}
}

// open opens the registry, or returns a line that says why it cannot be.
func (p *Previewer) open(ctx context.Context, q seeding.Inquiry, c seeding.Connector, source seeding.PasswordSource, secrets map[string]string) (seeding.Registry, *seeding.Line, error) {
	var registry seeding.Registry
	var err error
	if q.Draft == nil {
		registry, err = p.Stored(ctx, c)
	} else {
		password, unread := secrets[seeding.RegistryPassword], error(nil)
		if source == seeding.PasswordStored {
			password, unread = p.Password(ctx, c)
		}
		if line, tried := source.Line(unread); !tried {
			return nil, &line, nil
		}
		registry, err = p.Open(c, password)
	}
	if err != nil {
		line := seeding.RegistryUnusable(err).Line("registry", "registry_url")
		return nil, &line, nil
	}
	return registry, nil, nil
}

// failure is the line of what keeps registrants from being previewed; nil for success
// and for a failure of the storage.
func failure(err error) *seeding.Line {
	if fault, ok := errors.AsType[*seeding.Fault](err); ok {
		line := seeding.RegistryLine("read", err, seeding.ProblemRead, seeding.FieldOf(fault))
		return &line
	}
	if u, ok := errors.AsType[*seeding.Unusable](err); ok {
		line := u.Line("read", "mapping")
		return &line
	}
	return nil
}

// look reads VIDs and decides about them.
func (p *Previewer) look(ctx context.Context, q seeding.Inquiry, c seeding.Connector, registry seeding.Registry) (a seeding.PreviewAnswer, err error) {
	var vids []seeding.Identifier
	if len(q.Registrants) > 0 {
		vids, err = registry.VIDsOf(ctx, q.Registrants)
		slices.SortFunc(vids, func(a, b seeding.Identifier) int {
			return slices.Index(q.Registrants, a.Registrant) - slices.Index(q.Registrants, b.Registrant)
		})
	} else {
		limit := sample
		if c.Source.OneByOne { // each is a call
			limit = q.Count
		}
		// Not 0, with which a pass begins: what is known of the registry stays.
		vids, err = registry.VIDs(ctx, -1, limit)
	}
	if err != nil {
		return a, err
	}
	foreseen, err := p.Foreseer.Foresee(ctx, c, q.Draft != nil, registry, vids)
	if err != nil {
		return a, err
	}
	a.VIDs, a.Fates = len(vids), map[seeding.Fate]int{}
	var records []seeding.Record
	for _, f := range foreseen {
		a.Fates[f.Fate]++
		if f.Record != nil {
			records = append(records, f.Record)
		}
		if f.Fate == seeding.WouldBeSent && a.Output == nil {
			if a.Output, err = p.output(ctx, c, registry, f); err != nil {
				return a, err
			}
		}
	}
	a.Rows = rows(foreseen, q)
	a.Sampled = len(records)
	a.Parts, err = p.parts(c.Source.Mapping, records)
	return a, err
}

// rows are those that are shown: of given registrants all, also who has no VID;
// otherwise the first whom the domain selects.
func rows(foreseen []seeding.Foreseen, q seeding.Inquiry) (list []seeding.PreviewRow) {
	seen := map[int64]bool{}
	for _, f := range foreseen {
		seen[f.Registrant] = true
		if len(q.Registrants) == 0 && (f.Record == nil || len(list) == q.Count) {
			continue
		}
		list = append(list, row(f))
	}
	for _, id := range q.Registrants {
		if !seen[id] {
			list = append(list, seeding.PreviewRow{Registrant: id, Fate: seeding.HasNoVID})
		}
	}
	return list
}

// row is a registrant as MTS would get it, with the VID masked wherever it stands.
func row(f seeding.Foreseen) seeding.PreviewRow {
	vid, d := seeding.CleanVID(f.Value), f.Demographics
	mask := func(v seeding.Value) seeding.PreviewField {
		text := v.Text
		for _, secret := range []string{vid, d.VID.Text} { // the mapping may take it from elsewhere
			if len(secret) >= 4 {
				text = strings.ReplaceAll(text, secret, seeding.MaskVID(secret))
			}
		}
		return seeding.PreviewField{Text: text, Present: v.Present, NotText: v.NotText || v.Spent}
	}
	r := seeding.PreviewRow{
		Registrant: f.Registrant, Identifier: f.ID, Fate: f.Fate, VID: seeding.MaskVID(vid),
		Kind: f.Rejection.Kind, Code: f.Rejection.Code, Holder: f.Rejection.Holder, Next: f.Rejection.Next,
	}
	if f.Record == nil {
		return r
	}
	if d.VID.Text != vid {
		r.VID = ""
		if d.VID.Text != "" {
			r.VID = seeding.MaskVID(d.VID.Text)
		}
	}
	r.Fields = map[string]seeding.PreviewField{
		"name": mask(d.Name), "gender": mask(d.Gender), "dob": mask(d.DOB), "phoneNumber": mask(d.PhoneNumber),
		"emailId": mask(d.EmailID), "fullAddress": mask(d.FullAddress),
	}
	return r
}

// parts counts for each expression of the mapping, evaluated alone, how often it
// gives nothing.
func (p *Previewer) parts(m seeding.Mapping, records []seeding.Record) (list []seeding.PartEmpty, err error) {
	count := func(part string, alone seeding.Mapping, of func(seeding.Demographics) seeding.Value) {
		if err != nil {
			return
		}
		var mapper seeding.Mapper
		if mapper, err = p.Mappings.Compile(alone); err != nil {
			err = seeding.MappingUnusable(err)
			return
		}
		c := seeding.PartEmpty{Part: part}
		for _, record := range records {
			switch v := of(mapper.Map(record)); {
			case v.Spent:
				c.Failed++
			case v.NotText:
				c.NotText++
			case v.Text == "":
				c.Empty++
			}
		}
		list = append(list, c)
	}
	name := func(d seeding.Demographics) seeding.Value { return d.Name }
	nothing := seeding.Mapping{VID: "null", Gender: "null", DOB: "null", PhoneNumber: "null", EmailID: "null"}
	// A part of the name is evaluated as a name, and one of the address as one too:
	// both may be of any length that the field may have.
	alone := func(change func(*seeding.Mapping)) seeding.Mapping {
		m := nothing
		change(&m)
		return m
	}
	count("vid", alone(func(x *seeding.Mapping) { x.VID = m.VID }), func(d seeding.Demographics) seeding.Value { return d.VID })
	for i, text := range m.Name {
		count("name/"+strconv.Itoa(i), alone(func(x *seeding.Mapping) { x.Name = []string{text} }), name)
	}
	count("gender", alone(func(x *seeding.Mapping) { x.Gender = m.Gender }), func(d seeding.Demographics) seeding.Value { return d.Gender })
	count("dob", alone(func(x *seeding.Mapping) { x.DOB = m.DOB }), func(d seeding.Demographics) seeding.Value { return d.DOB })
	count("phoneNumber", alone(func(x *seeding.Mapping) { x.PhoneNumber = m.PhoneNumber }), func(d seeding.Demographics) seeding.Value { return d.PhoneNumber })
	count("emailId", alone(func(x *seeding.Mapping) { x.EmailID = m.EmailID }), func(d seeding.Demographics) seeding.Value { return d.EmailID })
	for i, text := range m.FullAddress {
		count("fullAddress/"+strconv.Itoa(i), alone(func(x *seeding.Mapping) { x.FullAddress = []string{text} }), func(d seeding.Demographics) seeding.Value { return d.FullAddress })
	}
	return list, err
}
