// Package jq evaluates a connector's mapping as MTS would (facts/mts.md 2.3 and
// 2.4), but safely (facts/mts.md W11): an expression sees the record and nothing
// else, and it cannot run for ever.
package jq

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/seeding"
)

// Mappings implements seeding.Mappings.
type Mappings struct{}

// maxProgram bounds an expression, in bytes.
const maxProgram = 1000

// Compile compiles all expressions of m. Its error joins a
// *seeding.MappingError per expression that cannot be used.
func (Mappings) Compile(m seeding.Mapping) (seeding.Mapper, error) {
	var invalid []error
	compile := func(field, text string) *gojq.Code {
		code, wrong := compile(text)
		if wrong != "" {
			invalid = append(invalid, &seeding.MappingError{Field: field, Text: wrong})
		}
		return code
	}
	list := func(field string, texts []string) []*gojq.Code {
		codes := make([]*gojq.Code, len(texts))
		for i, text := range texts {
			codes[i] = compile(field+"/"+strconv.Itoa(i), text)
		}
		return codes
	}
	compiled := mapper{
		vid:         compile("vid", m.VID),
		name:        list("name", m.Name),
		gender:      compile("gender", m.Gender),
		dob:         compile("dob", m.DOB),
		phoneNumber: compile("phoneNumber", m.PhoneNumber),
		emailID:     compile("emailId", m.EmailID),
		fullAddress: list("fullAddress", m.FullAddress),
	}
	switch len(invalid) {
	case 0:
		return compiled, nil
	case 1:
		return nil, invalid[0]
	default:
		return nil, errors.Join(invalid...)
	}
}

// compile returns the program of "."+text, or what is wrong with it.
func compile(text string) (*gojq.Code, string) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, "is empty, which would be the whole record; name a field"
	case len(text) > maxProgram:
		return nil, fmt.Sprintf("is longer than %d bytes", maxProgram)
	case strings.HasPrefix(strings.TrimSpace(text), "."):
		return nil, "begins with a dot, but a dot is put in front anyway; leave it out"
	}
	query, err := gojq.Parse("." + text)
	if err != nil {
		return nil, notValid(text, err)
	}
	if name := findForbidden(reflect.ValueOf(query)); name != "" {
		return nil, name + " is not available: an expression may only look at the record"
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, notValid(text, err)
	}
	return code, ""
}

// plainKey matches the name of one field, even where jq wants it in quotes.
var plainKey = regexp.MustCompile(`^[\pL\pN_$@:/ -]+$`)

func notValid(text string, err error) string {
	if plainKey.MatchString(text) {
		return "is not a jq path; a field name that has other characters than a-z, 0-9 and _, or begins with a digit, " +
			`must be in quotes: "` + text + `"`
	}
	return "is not valid jq after its leading dot: " + err.Error()
}

// forbidden are the functions that read the clock, the machine, the environment
// or further input, or that write to the log. For the same record a mapping must
// give the same result, because fingerprints depend on it.
var forbidden = map[string]bool{
	"env": true, "$ENV": true, "input": true, "inputs": true, "input_filename": true, "input_line_number": true,
	"now": true, "localtime": true, "strflocaltime": true, "debug": true, "stderr": true,
	"halt": true, "halt_error": true, "get_search_list": true, "modulemeta": true, "import": true,
}

// findForbidden walks a syntax tree and returns the name of the first forbidden
// function, or "".
func findForbidden(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		switch node := v.Interface().(type) {
		case *gojq.Import:
			return "import"
		case *gojq.Func:
			if forbidden[node.Name] {
				return node.Name
			}
		case *gojq.ObjectKeyVal: // {$ENV} is short for {ENV: $ENV}
			if forbidden[node.Key] && strings.HasPrefix(node.Key, "$") {
				return node.Key
			}
		}
		return findForbidden(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if name := findForbidden(v.Field(i)); name != "" {
				return name
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if name := findForbidden(v.Index(i)); name != "" {
				return name
			}
		}
	}
	return ""
}
