package mtssim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

const (
	deliverDownload = "download"
	deliverCallback = "callback"
	outputJSON      = "json"
	outputCSV       = "csv"
	defaultLanguage = "eng"
)

// submission is what an acceptable body of a POST asks for.
type submission struct {
	output   string
	delivery string
	mapping  mapping
	language string
	format   *program // nil: the output as it is
	callback callback
	authdata []map[string]any
	odk      odkConfig // instead of authdata
}

// errorReply is a reply without a request identifier.
type errorReply struct {
	status int
	errors []wireError
}

func refused(status int, code, message string) *errorReply {
	return &errorReply{status, []wireError{{code, &message}}}
}

func internal(message string) *errorReply {
	return refused(http.StatusInternalServerError, "ATS-REQ-100", message)
}

// form collects the errors of a body. All schema errors are reported together
// (422); an error that MTS words itself (400) or that it fails on (500) is final,
// and is reported in their place.
// Checks run in the order of facts/mts.md 1.0, so the first final one counts.
type form struct {
	problems []string
	final    *errorReply
}

func (f *form) problem(message string) { f.problems = append(f.problems, message) }

func (f *form) refuse(code, message string) {
	if f.final == nil {
		f.final = refused(http.StatusBadRequest, code, message)
	}
}

func (f *form) invalid(message string) { f.refuse("ATS-REQ-102", "invalid input. "+message) }

func (f *form) fail(message string) {
	if f.final == nil {
		f.final = internal(message)
	}
}

// outcome is nil when nothing is wrong.
func (f *form) outcome() *errorReply {
	if f.final != nil || len(f.problems) == 0 {
		return f.final
	}
	out := &errorReply{status: http.StatusUnprocessableEntity}
	for _, p := range f.problems {
		message := "Invalid Input. " + p
		out.errors = append(out.errors, wireError{"ATS-REQ-102", &message})
	}
	return out
}

const (
	fieldRequired = "field required"
	noneRefused   = "none is not an allowed value"
	notText       = "str type expected"
	notJSON       = "malformed JSON" // stands for what Python's parser says
	notObject     = "value is not a valid dict"
	notList       = "value is not a valid list"
	notInteger    = "value is not a valid integer"
	notBoolean    = "value could not be parsed to a boolean"
)

// given finds a field that may not be null. A missing one is a problem only
// when it is required.
func (f *form) given(object map[string]any, key string, required bool) (any, bool) {
	v, ok := object[key]
	switch {
	case !ok && required:
		f.problem(fieldRequired)
	case ok && v == nil:
		f.problem(noneRefused)
	}
	return v, ok && v != nil
}

func (f *form) text(object map[string]any, key string, required bool, fallback string) string {
	v, ok := f.given(object, key, required)
	if !ok {
		return fallback
	}
	return f.asText(v)
}

func (f *form) asText(v any) string {
	text, ok := asText(v)
	if !ok {
		f.problem(notText)
	}
	return text
}

// asText is str(v) where pydantic allows it: texts, numbers and booleans.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string, bool, int, float64:
		return python.Str(v), true
	case json.Number:
		if isWhole(v) {
			return v.String(), true
		}
		return python.Str(asFloat(v)), true
	}
	return "", false
}

func (f *form) texts(object map[string]any, key string, fallback []string) []string {
	v, ok := f.given(object, key, false)
	if !ok {
		return fallback
	}
	list, ok := v.([]any)
	if !ok {
		f.problem(notList)
		return nil
	}
	texts := make([]string, 0, len(list))
	for _, e := range list {
		if e == nil {
			f.problem(noneRefused)
			continue
		}
		texts = append(texts, f.asText(e))
	}
	return texts
}

func (f *form) object(object map[string]any, key string, required bool) (map[string]any, bool) {
	v, ok := f.given(object, key, required)
	if !ok {
		return nil, false
	}
	o, ok := v.(map[string]any)
	if !ok {
		f.problem(notObject)
	}
	return o, ok
}

func (f *form) integer(object map[string]any, key string, fallback int) int {
	v, ok := f.given(object, key, false)
	if !ok {
		return fallback
	}
	switch v := v.(type) {
	case json.Number:
		return int(asFloat(v))
	case bool:
		if v {
			return 1
		}
		return 0
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	f.problem(notInteger)
	return fallback
}

var booleanWords = map[string]bool{
	"1": true, "on": true, "t": true, "true": true, "y": true, "yes": true,
	"0": false, "off": false, "f": false, "false": false, "n": false, "no": false,
}

func (f *form) boolean(object map[string]any, key string) bool {
	v, ok := f.given(object, key, false)
	if !ok {
		return false
	}
	switch v := v.(type) {
	case bool:
		return v
	case json.Number:
		if n := asFloat(v); n == 0 || n == 1 {
			return n == 1
		}
	case string:
		if b, ok := booleanWords[strings.ToLower(v)]; ok {
			return b
		}
	}
	f.problem(notBoolean)
	return false
}

// readSubmission checks the body of POST /authtoken/json or /authtoken/odk, in the order
// in which MTS does.
func readSubmission(envelope map[string]any, odk bool) (*submission, *errorReply) {
	f := &form{}
	f.text(envelope, "id", true, "")
	f.text(envelope, "version", true, "")
	f.text(envelope, "metadata", true, "")
	f.requestTime(envelope)
	s := &submission{}
	if request, ok := f.object(envelope, "request", true); ok {
		f.request(s, request)
		if odk {
			s.odk = f.odkConfig(request)
		} else {
			s.authdata = f.authdata(request)
		}
	}
	if out := f.outcome(); out != nil {
		return nil, out
	}
	return s, nil
}

var requestTime = regexp.MustCompile(`(?i)^(\d{4})-(1[0-2]|0?[1-9])-(3[01]|[12]\d|0?[1-9])` +
	`T(?:2[0-3]|[01]?\d):[0-5]?\d:[0-5]?\d\.\d{1,6}Z$`)

func (f *form) requestTime(envelope map[string]any) {
	v, ok := envelope["requesttime"]
	if !ok {
		f.problem(fieldRequired)
		return
	}
	text, _ := v.(string)
	parts := requestTime.FindStringSubmatch(text)
	if parts == nil || !isDate(parts[1], parts[2], parts[3]) {
		f.invalid("requesttime is not in valid format")
	}
}

// isDate reports whether three texts of digits are a day of the calendar.
func isDate(year, month, day string) bool {
	y, _ := strconv.Atoi(year)
	m, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(day)
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return y >= 1 && t.Year() == y && int(t.Month()) == m && t.Day() == d
}

func (f *form) request(s *submission, request map[string]any) {
	s.output = f.choice(request, "output", "output type", outputJSON, outputCSV)
	s.delivery = f.choice(request, "deliverytype", "delivery type", deliverDownload, deliverCallback)
	s.mapping = f.mapping(request)
	s.language = f.language(request)
	s.format = f.outputFormat(request)
	f.callbackProperties(s, request)
}

// choice reads output and deliverytype. A missing one is a schema error here,
// and a failure as soon as callbackProperties asks for it.
func (f *form) choice(request map[string]any, key, name string, choices ...string) string {
	v, ok := request[key]
	if !ok {
		f.problem(fieldRequired)
		return ""
	}
	if !python.Truthy(v) {
		f.invalid(name + " is not mentioned")
		return ""
	}
	for _, c := range choices {
		if v == c {
			return c
		}
	}
	f.invalid(name + " is not supported")
	return ""
}

func (f *form) mapping(request map[string]any) mapping {
	object := map[string]any{}
	if _, ok := request["mapping"]; ok {
		object, _ = f.object(request, "mapping", false)
	}
	return newMapping(mappingTexts{
		vid:         f.text(object, "vid", false, "vid"),
		name:        f.texts(object, "name", []string{"name"}),
		gender:      f.text(object, "gender", false, "gender"),
		dob:         f.text(object, "dob", false, "dob"),
		phoneNumber: f.text(object, "phoneNumber", false, "phoneNumber"),
		emailID:     f.text(object, "emailId", false, "emailId"),
		fullAddress: f.texts(object, "fullAddress", []string{"fullAddress"}),
	})
}

func (f *form) language(request map[string]any) string {
	v := request["lang"]
	if v == nil {
		return defaultLanguage
	}
	if text := f.asText(v); text != "" {
		return text
	}
	return defaultLanguage
}

// outputFormat is only compiled here. A falsy value that is not a text skips
// even that and is stored as text: JSON false becomes the program "False",
// which fails for every record (facts/mts.md 3.5).
func (f *form) outputFormat(request map[string]any) *program {
	v := request["outputFormat"]
	if v == nil || v == "" {
		return nil
	}
	if python.Truthy(v) {
		text, _ := v.(string)
		p, err := compile(text)
		if text == "" || err != nil {
			f.refuse("ATS-REQ-103", "outputFormat is not a valid jq expression")
		}
		return &p
	}
	text := f.asText(v)
	p, _ := compile(text)
	return &p
}

func (f *form) authdata(request map[string]any) []map[string]any {
	v := request["authdata"]
	if !python.Truthy(v) {
		f.invalid("authdata missing")
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		f.problem(notList)
		return nil
	}
	records := make([]map[string]any, 0, len(list))
	for _, e := range list {
		record, ok := e.(map[string]any)
		switch {
		case ok:
			records = append(records, record)
		case e == nil:
			f.problem(noneRefused)
		default:
			f.problem(notObject)
		}
	}
	return records
}
