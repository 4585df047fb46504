package mtssim

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// The states of a record (facts/mts.md 4.2).
const (
	recordSubmitted = "submitted"
	recordInvalid   = "invalid"
	recordError     = "error"
	recordProcessed = "processed"
)

// record is one element of authdata on its way to the callback.
type record struct {
	received  map[string]any
	applicant Applicant

	vid     any // as reported
	status  string
	token   string
	code    string
	message string
}

func (r *record) apply(v Verdict) {
	if v.ErrorCode != "" {
		r.status, r.code, r.message = recordError, v.ErrorCode, v.ErrorMessage
		return
	}
	r.status, r.token = recordProcessed, v.Token
}

// orNull is null for an empty text.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// output is the "output" of the document that outputFormat sees, in the order in
// which MTS prints it.
func (r *record) output() python.Dict {
	return python.Dict{
		{"vid", r.vid},
		{"status", r.status},
		{"token", orNull(r.token)},
		{"errorCode", orNull(r.code)},
		{"errorMessage", orNull(r.message)},
	}
}

type mappingTexts struct {
	vid, gender, dob, phoneNumber, emailID string
	name, fullAddress                      []string
}

// mapping holds one jq program per path. A path that does not compile is one
// that is always absent.
type mapping struct {
	vid, gender, dob, phoneNumber, emailID program
	name, fullAddress                      []program
}

func newMapping(t mappingTexts) mapping {
	path := func(text string) program {
		p, _ := compile("." + text)
		return p
	}
	paths := func(texts []string) []program {
		programs := make([]program, len(texts))
		for i, text := range texts {
			programs[i] = path(text)
		}
		return programs
	}
	return mapping{
		vid:         path(t.vid),
		name:        paths(t.name),
		gender:      path(t.gender),
		dob:         path(t.dob),
		phoneNumber: path(t.phoneNumber),
		emailID:     path(t.emailID),
		fullAddress: paths(t.fullAddress),
	}
}

// invalidRecord is a record code with its text: the record is delivered as it is.
type invalidRecord struct{ code, message string }

func (e *invalidRecord) Error() string { return e.code }

// errWrongType is a value of a JSON type that MTS trips over: the whole batch
// ends as HTTP 500 (facts/mts.md W12). The facts do not give the texts.
var errWrongType = errors.New("wrong type of a field")

var (
	errNoVID        = &invalidRecord{"ATS-REQ-009", "vid or its mapping not present"}
	errNoName       = &invalidRecord{"ATS-REQ-010", "name or its mapping not present"}
	errNoGender     = &invalidRecord{"ATS-REQ-011", "gender or its mapping not present"}
	errNoDOB        = &invalidRecord{"ATS-REQ-012", "dateOfBirth or its mapping not present"}
	errNoPhone      = &invalidRecord{"ATS-REQ-013", "phoneNumber or its mapping not present"}
	errNoEmail      = &invalidRecord{"ATS-REQ-014", "emailId or its mapping not present"}
	errNoAddress    = &invalidRecord{"ATS-REQ-015", "fullAddress or its mapping not present"}
	errEmptyName    = &invalidRecord{"ATS-REQ-003", "name is not provided"}
	errEmptyGender  = &invalidRecord{"ATS-REQ-004", "gender is empty"}
	errEmptyDOB     = &invalidRecord{"ATS-REQ-006", "date of birth is empty"}
	errEmptyAddress = &invalidRecord{"ATS-REQ-008", "address is empty"}
)

// reader maps the records of one submission.
type reader struct {
	ctx       context.Context
	mapping   mapping
	language  string
	mandatory []string
}

// read maps and validates one record. Checks stop at the first that fails. An
// error is errWrongType or errCrashed: an invalid record is none.
func (r *reader) read(received map[string]any) (*record, error) {
	received, _ = asJQNumbers(received).(map[string]any)
	rec := &record{received: received, status: recordSubmitted}
	a, err := r.applicant(received)
	if invalid, ok := errors.AsType[*invalidRecord](err); ok {
		rec.status, rec.code, rec.message = recordInvalid, invalid.code, invalid.message
		rec.vid = received["vid"] // literally, whatever the mapping
		return rec, nil
	}
	rec.applicant = a
	rec.vid = a.VID
	return rec, err
}

func (r *reader) applicant(received map[string]any) (a Applicant, err error) {
	a.Language = r.language
	for _, step := range []func() error{
		func() error { a.VID, err = r.vid(received); return err },
		func() error {
			a.Name, err = r.joined(r.mapping.name, received, " ", "name", errNoName, errEmptyName)
			return err
		},
		func() error {
			a.Gender, err = r.single(r.mapping.gender, received, "gender", errNoGender, errEmptyGender)
			return err
		},
		func() error {
			a.DOB, err = r.single(r.mapping.dob, received, "dob", errNoDOB, errEmptyDOB)
			a.DOB = normalDate(a.DOB)
			return err
		},
		func() error {
			a.PhoneNumber, err = r.contact(r.mapping.phoneNumber, received, "phoneNumber", errNoPhone)
			return err
		},
		func() error {
			a.EmailID, err = r.contact(r.mapping.emailID, received, "emailId", errNoEmail)
			return err
		},
		func() error {
			a.FullAddress, err = r.joined(r.mapping.fullAddress, received, ", ", "fullAddress", errNoAddress, errEmptyAddress)
			return err
		},
	} {
		if err := step(); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (r *reader) vid(received map[string]any) (string, error) {
	v, err := r.mapping.vid.first(r.ctx, received)
	if err != nil {
		return "", err
	}
	if !python.Truthy(v) {
		return "", errNoVID
	}
	return plain(v)
}

// plain is a text, number or boolean as text; anything else is a wrong type.
func plain(v any) (string, error) {
	text, ok := asText(asJQNumbers(v))
	if !ok {
		return "", errWrongType
	}
	return text, nil
}

// joined reads a list of paths: falsy parts are dropped, one usable part is
// enough. An empty value is refused even where the field is not mandatory: the
// facts do not say, and this is the strict reading.
func (r *reader) joined(paths []program, received map[string]any, delimiter, field string, absent, empty error) (string, error) {
	var parts []string
	present := false
	for _, path := range paths {
		v, err := path.first(r.ctx, received)
		if err != nil {
			return "", err
		}
		present = present || v != nil
		if !python.Truthy(v) {
			continue
		}
		text, ok := v.(string)
		if !ok {
			return "", errWrongType
		}
		parts = append(parts, text)
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, delimiter), nil
	case present:
		return "", empty
	case r.isMandatory(field):
		return "", absent
	}
	return "", nil
}

// single reads gender and dob, where numbers and booleans are wrong types.
func (r *reader) single(path program, received map[string]any, field string, absent, empty error) (string, error) {
	v, err := path.first(r.ctx, received)
	if err != nil {
		return "", err
	}
	text, isText := v.(string)
	switch {
	case v == nil && r.isMandatory(field):
		return "", absent
	case v == nil:
		return "", nil
	case isText && text != "":
		return text, nil
	case isText, isEmptyCollection(v):
		return "", empty
	}
	return "", errWrongType
}

// contact reads phoneNumber and emailId, which are never empty, only absent.
func (r *reader) contact(path program, received map[string]any, field string, absent error) (string, error) {
	v, err := path.first(r.ctx, received)
	switch {
	case err != nil:
		return "", err
	case v == nil && r.isMandatory(field):
		return "", absent
	case v == nil, isEmptyCollection(v):
		return "", nil
	}
	return plain(v)
}

func (r *reader) isMandatory(field string) bool { return slices.Contains(r.mandatory, field) }

func isEmptyCollection(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

var yearFirst = regexp.MustCompile(`^(\d{4})([/-])(\d{1,2})([/-])(\d{1,2})$`)

// normalDate writes Y/M/D and Y-M-D as YYYY/MM/DD, years below 1000 without
// their leading zero; any other text passes as it is.
func normalDate(text string) string {
	m := yearFirst.FindStringSubmatch(text)
	if m == nil || m[2] != m[4] || !isDate(m[1], m[3], m[5]) {
		return text
	}
	pad := func(s string) string { return strings.Repeat("0", 2-len(s)) + s }
	return strings.TrimLeft(m[1], "0") + "/" + pad(m[3]) + "/" + pad(m[5])
}
