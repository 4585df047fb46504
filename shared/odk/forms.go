package odk

import (
	"context"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Forms opens the forms of connectors.
type Forms struct {
	Client   *Client
	Password func(ctx context.Context, c seeding.Connector) (string, error)
}

var _ seeding.Forms = Forms{}

// OpenForm implements seeding.Forms.
func (f Forms) OpenForm(ctx context.Context, c seeding.Connector) (seeding.Form, error) {
	central, err := f.open(ctx, c)
	if err != nil {
		return nil, err
	}
	return central, nil
}

func (f Forms) open(ctx context.Context, c seeding.Connector) (*Central, error) {
	address, err := ParseAddress(c.ODK.BaseURL, c.ODK.ODataURL)
	if err != nil {
		return nil, err
	}
	password, err := f.Password(ctx, c)
	if err != nil {
		return nil, err
	}
	return f.Client.Open(address, c.ODK.Email, password), nil
}

// Pull is the request by which MTS fetches the submissions of a batch. reads are the
// fields of the form that the mapping reads by their names; MTS, which keeps what it
// gets, gets no others (facts/mts.md W9, W21). nil is all of them. What the connector's
// address chooses stays. An error of Central, which is asked for the fields of the form
// now and then, is a *seeding.Fault.
func (f Forms) Pull(ctx context.Context, c seeding.Connector, b seeding.Batch, reads []string) (seeding.Pull, error) {
	central, err := f.open(ctx, c)
	if err != nil {
		return seeding.Pull{}, err
	}
	columns := central.address.columns()
	if columns == "" && reads != nil && central.session.selects() {
		if columns, err = central.columnsOf(ctx, reads); err != nil {
			return seeding.Pull{}, err
		}
	}
	pull := seeding.Pull{
		BaseURL: central.address.Base.String(), Email: c.ODK.Email, Password: central.session.password,
		Window: b.Window, Mapping: c.Source.Mapping, Submissions: b.Named(),
	}
	if len(pull.Submissions) > 0 {
		pull.Window = seeding.Window{} // MTS would add it as a second filter
	}
	pull.ODataURL, err = central.address.pulled(columns, pull.Submissions)
	return pull, err
}

// pulled is the address that MTS is given of submissions with some ids, or of those of
// a window without any. Columns that it has no room for are left to Central.
func (a Address) pulled(columns string, ids []string) (string, error) {
	var parameters []string
	if len(ids) > 0 {
		conditions := make([]string, len(ids))
		for i, id := range ids {
			if !seeding.Askable(id) {
				return "", fault(seeding.RefusedData, NotAskable)
			}
			conditions[i] = named(id)
		}
		parameters = append(parameters, "$filter="+strings.Join(conditions, or))
	}
	with := func(parameters []string) string {
		if len(parameters) == 0 {
			return a.submissions()
		}
		return a.submissions() + "?" + strings.Join(parameters, "&")
	}
	if columns != "" {
		if full := with(append(slices.Clone(parameters), columns)); len(full) <= maxAddress {
			return full, nil
		}
	}
	address := with(parameters)
	if len(address) > maxAddress {
		return "", fault(seeding.RefusedRequest, seeding.CodeTooLarge)
	}
	return address, nil
}

// columnsOf chooses those of the fields at the top of the form that are named, with what
// answers are matched by. One that the form has not would be an error of Central, and so
// "no submissions" of MTS.
func (c *Central) columnsOf(ctx context.Context, names []string) (string, error) {
	fields, err := c.fields(ctx)
	if err != nil {
		return "", err
	}
	columns := []string{"__id", "__system"}
	for _, name := range names {
		// $select cannot show a repeat.
		there := slices.ContainsFunc(fields, func(f Field) bool { return f.Path == "/"+name && f.Type != "repeat" })
		if there && column().MatchString(name) && !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	return "$select=" + escapeColumns(columns), nil
}

// fieldsLife is how long the fields of a form count that were read. A form that is
// published anew meanwhile may lose one; then MTS reads nothing for a while, and the
// submissions are sent again.
const fieldsLife = 5 * time.Minute

// known are the fields of a form.
type known struct {
	at     time.Time
	fields []Field
}

// CheckVID implements seeding.Form.
func (c *Central) CheckVID(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	fields, err := c.fields(ctx)
	if err != nil {
		return err
	}
	if flaw := (Form{Published: true, Readable: true, Fields: fields}).Flaw(path); flaw != nil {
		return flaw
	}
	return nil
}

func (c *Central) fields(ctx context.Context) (fields []Field, err error) {
	s, form := c.session, c.address.form()
	s.mu.Lock()
	k, met := s.fields[form]
	s.mu.Unlock()
	if met && s.now().Sub(k.at) < fieldsLife {
		return k.fields, nil
	}
	if err := c.metadata(ctx, form+"/fields?odata=true", nil, &fields); err != nil {
		return nil, err
	}
	if len(fields) > maxFields {
		return nil, fault(seeding.RefusedRequest, BadAnswer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fields == nil {
		s.fields = map[string]known{}
	}
	s.fields[form] = known{s.now(), fields}
	return fields, nil
}
