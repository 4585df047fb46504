// Package jq evaluates a connector's mapping as MTS would (facts/mts.md 2.3 and
// 2.4), without what makes jq in MTS dangerous (facts/mts.md W11): an
// expression here sees the record and nothing else, and it cannot run for ever.
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
	var faults []error
	compile := func(field, text string) *gojq.Code {
		code, problem := compile(text)
		if problem != "" {
			faults = append(faults, &seeding.MappingError{Field: field, Text: problem})
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
	made := mapper{
		vid:         compile("vid", m.VID),
		name:        list("name", m.Name),
		gender:      compile("gender", m.Gender),
		dob:         compile("dob", m.DOB),
		phoneNumber: compile("phoneNumber", m.PhoneNumber),
		emailID:     compile("emailId", m.EmailID),
		fullAddress: list("fullAddress", m.FullAddress),
	}
	switch len(faults) {
	case 0:
		return made, nil
	case 1:
		return nil, faults[0]
	default:
		return nil, errors.Join(faults...)
	}
}

// compile returns the program of "."+text, or what is wrong with it.
func compile(text string) (*gojq.Code, string) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, "is empty, which would mean the whole record; name a field"
	case len(text) > maxProgram:
		return nil, fmt.Sprintf("is longer than %d bytes", maxProgram)
	case strings.HasPrefix(strings.TrimSpace(text), "."):
		return nil, "begins with a dot, but a dot is put in front anyway; leave it out"
	}
	query, err := gojq.Parse("." + text)
	if err != nil {
		return nil, invalid(text, err)
	}
	if name := outside(reflect.ValueOf(query)); name != "" {
		return nil, name + " is not available: an expression may only look at the record"
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, invalid(text, err)
	}
	return code, ""
}

// plainKey is what somebody writes who means the name of one field.
var plainKey = regexp.MustCompile(`^[\pL\pN_$@:/ -]+$`)

func invalid(text string, err error) string {
	if plainKey.MatchString(text) {
		return "is not a jq path; a field name that has other characters than a-z, 0-9 and _, or begins with a digit, " +
			`stands in quotes: "` + text + `"`
	}
	return "is not valid jq after its leading dot: " + err.Error()
}

// closed are the functions that look beyond the record, at the clock, the
// machine, the environment or further input, or that write to the log.
// (A mapping has to give the same for the same record: fingerprints stand on it.)
var closed = map[string]bool{
	"env": true, "$ENV": true, "input": true, "inputs": true, "input_filename": true, "input_line_number": true,
	"now": true, "localtime": true, "strflocaltime": true, "debug": true, "stderr": true,
	"halt": true, "halt_error": true, "get_search_list": true, "modulemeta": true, "import": true,
}

// outside walks a syntax tree and returns the first thing in it that looks
// beyond the record.
func outside(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		switch node := v.Interface().(type) {
		case *gojq.Import:
			return "import"
		case *gojq.Func:
			if closed[node.Name] {
				return node.Name
			}
		case *gojq.ObjectKeyVal: // {$ENV} is short for {ENV: $ENV}
			if closed[node.Key] && strings.HasPrefix(node.Key, "$") {
				return node.Key
			}
		}
		return outside(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if name := outside(v.Field(i)); name != "" {
				return name
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if name := outside(v.Index(i)); name != "" {
				return name
			}
		}
	}
	return ""
}
