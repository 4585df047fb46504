package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"openg2p.org/mts-connector/shared/api"
)

// MaxBody is the largest request body, in bytes.
const MaxBody = 256 << 10

// Read reads the body of a request, checks it by the schema of its operation, and
// puts it over the values of into: pointers to structs that hold the defaults. A
// member that is wrong, or null, leaves its default; one that is null although its
// schema says "x-null: refused" is wrong.
//
// What is wrong with members is returned, so that whoever knows more rules can add to
// it; nothing may be done before its Err() is nil. err is a *Problem where no member
// can be judged.
func Read(w http.ResponseWriter, r *http.Request, into ...any) (wrong api.FieldErrors, err error) {
	operation, _ := r.Context().Value(operationKey{}).(*operation)
	if operation == nil || operation.body == "" {
		return nil, fmt.Errorf("the document has no body for %s %s", r.Method, r.Pattern)
	}
	body, err := readJSON(w, r)
	if problem, ok := errors.AsType[*api.Problem](err); ok {
		operation.document.discreetErrors(problem.Errors)
	}
	if err != nil {
		return nil, err
	}
	return operation.document.over(operation.body, body, into)
}

// ReadPart does with a part of a body what Read does with the whole: it checks it by
// the schema of this name among the components of the document. Pointers of what is
// wrong begin at the part.
func (d *Document) ReadPart(schema string, part json.RawMessage, into ...any) (wrong api.FieldErrors, err error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(part))
	if err != nil {
		return nil, err // Read has checked that it is JSON
	}
	return d.over("/components/schemas/"+schema, v, into)
}

// over checks a value by a schema and puts it over the values of into.
func (d *Document) over(location string, v any, into []any) (wrong api.FieldErrors, err error) {
	c, err := d.read()
	if err != nil {
		return nil, err
	}
	v, mistakes := c.withoutNull(v, lookUp(c.tree, location), nil)
	found, err := d.validate(location, v)
	if err != nil {
		return nil, err
	}
	for _, m := range append(mistakes, found...) {
		wrong.Add(pointerTo(d.discreet(m.at), wrong.Full()), m.flaw)
		v = without(v, m.at)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	for _, target := range into {
		if err := json.Unmarshal(text, target); err != nil {
			return nil, err // the struct does not fit to the schema
		}
	}
	return wrong, nil
}

// pointerTo is the JSON pointer of a place. It is not made where it is only counted.
func pointerTo(at []string, counted bool) string {
	if counted {
		return ""
	}
	var pointer strings.Builder
	for _, name := range at {
		pointer.WriteString("/" + escaped(name))
	}
	return pointer.String()
}

// withoutNull removes members that are null: that is the same as leaving them out.
// Where leaving a member out means more than any value of it (everybody, instead of
// some), null is a mistake: it is what a variable gives that was never set.
func (c contents) withoutNull(v, schema any, at []string) (left any, wrong []mistake) {
	said, _ := c.resolved(schema)
	if said["additionalProperties"] == true { // a part with a schema of its own, see ReadPart
		return v, nil
	}
	inside := func(name string, value, schema any) any {
		switch value.(type) {
		case map[string]any, []any:
			value, found := c.withoutNull(value, schema, append(slices.Clone(at), name))
			wrong = append(wrong, found...)
			return value
		}
		return value
	}
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			of := member(said["properties"], name)
			if ref, _ := member(of, "$ref").(string); strings.HasSuffix(ref, "/Ignored") { // of any type, and of no effect
				delete(v, name)
				continue
			}
			if v[name] = inside(name, value, of); value != nil {
				continue
			}
			if delete(v, name); member(of, "x-null") == "refused" {
				wrong = append(wrong, mistake{append(slices.Clone(at), name), noNull, 0})
			}
		}
	case []any:
		for i, value := range v {
			v[i] = inside(strconv.Itoa(i), value, said["items"])
		}
	}
	slices.SortFunc(wrong, func(a, b mistake) int { return slices.Compare(a.at, b.at) })
	return v, wrong
}

var noNull = api.Flaw{Code: "null", Detail: "must not be null; leave it out if you mean it so"}

// without is a body without the member at a place, or the one that holds it if that
// is a list: of a list that is wrong nothing counts.
func without(v any, at []string) any {
	members, ok := v.(map[string]any)
	if !ok || len(at) == 0 {
		return nil
	}
	if inner := without(members[at[0]], at[1:]); inner != nil {
		members[at[0]] = inner
	} else {
		delete(members, at[0])
	}
	return members
}

// readJSON reads a body that is a JSON object, numbers as they are written. A
// byte order mark before it, which some editors write, is skipped. A member that
// is there twice is refused, because programs disagree which of them counts, and
// so is a value within more than 32 lists and objects. Errors are *Problem.
func readJSON(w http.ResponseWriter, r *http.Request) (any, error) {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); {
	case err != nil || kind != "application/json":
		return nil, api.NewProblem(api.NoJSON, "Send the request as JSON, with Content-Type: application/json.")
	case charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii":
		return nil, api.NewProblem(api.NoJSON, "Send the request in UTF-8: JSON has no other encoding.")
	case coding != "" && coding != "identity":
		return nil, api.NewProblem(api.NoJSON, "Send the body as it is, without a Content-Encoding.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, api.NewProblem(api.TooLarge, fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit))
	}
	if err != nil {
		return nil, api.NewProblem(api.Unreadable, "The body ended too early. Send the request again.")
	}
	if !utf8.Valid(body) {
		return nil, api.NewProblem(api.Unreadable, "The body is not UTF-8.")
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, api.NewProblem(api.Unreadable, "The body is empty, so it is not JSON. Send an object, at least {}.")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, api.NewProblem(api.Unreadable, "The body is not JSON"+position(body, err)+".")
	}
	if at := halfCharacter(body); at >= 0 {
		return nil, api.NewProblem(api.Unreadable, "The body holds half a character, one of the two \\ud800 to \\udfff that make one, at "+lineOf(body, at)+".")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var wrong api.FieldErrors
	v, err := decode(decoder, nil, &wrong)
	if problem, ok := errors.AsType[*api.Problem](err); ok {
		return nil, problem
	}
	if err != nil {
		return nil, api.NewProblem(api.Unreadable, "The body is not JSON.")
	}
	if v == nil {
		wrong.Add("", api.Flaw{Code: "type", Params: api.Params{"want": []string{"object"}}, Detail: "must be an object, in { }, and not null"})
	}
	return v, wrong.Err()
}

// plain is a number as Go reads it into an integer if it is one: 60 for 60.0 and 6e1.
// One that no float64 holds, that would become 0, or that is written with very many digits, is refused:
// calculating with it could take all the time and memory there is.
func plain(number json.Number, at *place, wrong *api.FieldErrors) json.Number {
	text := number.String()
	value, err := number.Float64()
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	switch {
	case err != nil || len(text) > 100:
		wrong.Add(at.pointer(), api.Flaw{Code: "number", Detail: "is a number that is too large, or has too many digits"})
		return "0"
	case value == 0 && strings.ContainsAny(mantissa, "123456789"):
		wrong.Add(at.pointer(), api.Flaw{Code: "number", Detail: "is a number that is too close to 0"})
		return "0"
	case strings.ContainsAny(text, ".eE") && value == math.Trunc(value) && math.Abs(value) < 1<<53:
		return json.Number(strconv.FormatInt(int64(value), 10))
	}
	return number
}

// noNUL refuses a text with a NUL character: PostgreSQL, which is behind every
// registry, cannot hold one, and other programs take it for the end.
func noNUL(text string, at *place, wrong *api.FieldErrors) {
	if !strings.Contains(text, "\x00") {
		return
	}
	pointer := "" // only counted
	if !wrong.Full() {
		pointer = at.pointer()
	}
	wrong.Add(pointer, api.Flaw{Code: "control_character", Detail: "holds a NUL character"})
}

// maxNesting is how many lists and objects may be within each other. The deepest
// that anybody means is a domain.
const maxNesting = 32

// place is where a value is in a body. Its pointer is built when an error needs
// it, because names can be long and values many.
type place struct {
	above *place // nil for a member or entry of the body itself
	name  string // of a member
	index int    // of an entry of a list; -1 for a member
	depth int    // lists and objects around it
}

func (p *place) member(name string) *place {
	return &place{above: p, name: name, index: -1, depth: p.nesting() + 1}
}

func (p *place) entry(index int) *place {
	return &place{above: p, index: index, depth: p.nesting() + 1}
}

// nesting is 0 for the body, whose place is nil.
func (p *place) nesting() int {
	if p == nil {
		return 0
	}
	return p.depth
}

// pointer is the JSON pointer, "" for the body.
func (p *place) pointer() string {
	elements := make([]string, 1+p.nesting()) // the first is empty
	for ; p != nil; p = p.above {
		if p.index < 0 {
			elements[p.depth] = escaped(p.name)
		} else {
			elements[p.depth] = strconv.Itoa(p.index)
		}
	}
	return strings.Join(elements, "/")
}

// decode reads one value of a text that is known to be JSON, and adds to wrong
// the members that are there twice. It ends with a *Problem at a value that is
// nested too deep.
func decode(d *json.Decoder, at *place, wrong *api.FieldErrors) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delimiter, opens := token.(json.Delim)
	switch token := token.(type) {
	case json.Number:
		return plain(token, at, wrong), nil
	case string:
		noNUL(token, at, wrong)
	}
	if !opens {
		return token, nil
	}
	if at.nesting() == maxNesting {
		wrong.Add(at.pointer(), api.Flaw{Code: "nested", Params: api.Params{"most": maxNesting},
			Detail: fmt.Sprintf("is within %d lists and objects; no more may be within each other", maxNesting)})
		return nil, wrong.Err()
	}
	if delimiter == '{' {
		return decodeMembers(d, at, wrong)
	}
	return decodeEntries(d, at, wrong)
}

func decodeMembers(d *json.Decoder, at *place, wrong *api.FieldErrors) (any, error) {
	members := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		below := at.member(key)
		noNUL(key, below, wrong)
		if _, twice := members[key]; twice {
			pointer := "" // only counted
			if !wrong.Full() {
				pointer = below.pointer()
			}
			wrong.Add(pointer, api.Flaw{Code: "twice", Detail: "is there twice"})
		}
		if members[key], err = decode(d, below, wrong); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return members, err
}

func decodeEntries(d *json.Decoder, at *place, wrong *api.FieldErrors) (any, error) {
	list := []any{}
	for d.More() {
		entry, err := decode(d, at.entry(len(list)), wrong)
		if err != nil {
			return nil, err
		}
		list = append(list, entry)
	}
	_, err := d.Token()
	return list, err
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escaped is a name as an element of a JSON pointer.
func escaped(name string) string { return pointerEscapes.Replace(visible(name)) }

// position says where the JSON is broken, without repeating any of it.
func position(body []byte, err error) string {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return ""
	}
	return ": it breaks off, or goes wrong, at " + lineOf(body, int(min(max(syntax.Offset-1, 0), int64(len(body)))))
}

// lineOf is a place in a body in words.
func lineOf(body []byte, at int) string {
	before := body[:at]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("line %d, column %d", line, column)
}

// halfCharacter is where valid JSON has one half of a surrogate pair without the
// other, or -1. Go reads it as U+FFFD, which nobody sent.
func halfCharacter(body []byte) int {
	for i := 0; i < len(body); {
		next := bytes.IndexByte(body[i:], '\\')
		if next < 0 {
			return -1
		}
		i += next
		r, ok := unit(body[i:])
		switch {
		case !ok:
			i += len(`\n`)
		case !utf16.IsSurrogate(r):
			i += len(`\u0000`)
		default:
			second, _ := unit(body[i+len(`\u0000`):])
			if utf16.DecodeRune(r, second) == utf8.RuneError {
				return i
			}
			i += 2 * len(`\u0000`)
		}
	}
	return -1
}

// unit is the \u escape that a text of JSON begins with.
func unit(text []byte) (rune, bool) {
	if len(text) < len(`\u0000`) || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}
