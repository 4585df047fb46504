package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxBody is the largest request body, in bytes.
const MaxBody = 256 << 10

// ReadJSON reads a body that is a JSON object, numbers as they are written. A
// byte order mark before it, which some editors write, is skipped. A member that
// is there twice is refused, because programs disagree which of them counts, and
// so is a value within more than 32 lists and objects. Errors are *Problem.
func ReadJSON(w http.ResponseWriter, r *http.Request) (any, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, NewProblem(http.StatusUnsupportedMediaType, "Send the request as JSON, with Content-Type: application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, NewProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit))
	}
	if err != nil {
		return nil, NewProblem(http.StatusBadRequest, "The body ended too early. Send the request again.")
	}
	if !utf8.Valid(body) {
		return nil, NewProblem(http.StatusBadRequest, "The body is not UTF-8.")
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, NewProblem(http.StatusBadRequest, "The body is empty, so it is not JSON. Send an object, at least {}.")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, NewProblem(http.StatusBadRequest, "The body is not JSON"+position(body, err)+".")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var wrong FieldErrors
	v, err := decode(decoder, nil, &wrong)
	if problem, ok := errors.AsType[*Problem](err); ok {
		return nil, problem
	}
	if err != nil {
		return nil, NewProblem(http.StatusBadRequest, "The body is not JSON.")
	}
	if v == nil {
		wrong.Add("", "must be an object, in { }, and not null")
	}
	return v, wrong.Err()
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
func decode(d *json.Decoder, at *place, wrong *FieldErrors) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delimiter, opens := token.(json.Delim)
	if !opens {
		return token, nil
	}
	if at.nesting() == maxNesting {
		wrong.Add(at.pointer(), fmt.Sprintf("is within %d lists and objects; no more may be within each other", maxNesting))
		return nil, wrong.Err()
	}
	if delimiter == '{' {
		return decodeMembers(d, at, wrong)
	}
	return decodeEntries(d, at, wrong)
}

func decodeMembers(d *json.Decoder, at *place, wrong *FieldErrors) (any, error) {
	members := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		below := at.member(key)
		if _, twice := members[key]; twice {
			pointer := "" // only counted
			if !wrong.full() {
				pointer = below.pointer()
			}
			wrong.Add(pointer, "is there twice")
		}
		if members[key], err = decode(d, below, wrong); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return members, err
}

func decodeEntries(d *json.Decoder, at *place, wrong *FieldErrors) (any, error) {
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
	before := body[:min(max(syntax.Offset-1, 0), int64(len(body)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf(": it breaks off, or goes wrong, at line %d, column %d", line, column)
}

// Object reads the members of a JSON object one by one. A member that is absent
// or null reads as its fallback; one that is not what it should be is added to
// the errors.
type Object struct {
	errors  *FieldErrors
	pointer string
	members map[string]any
	broken  bool // not an object; then no member is reported as missing
	read    map[string]bool
	inner   map[string]*Object
}

// NewObject reads v, which is at a pointer of the body, and adds to errors what
// is wrong with it.
func NewObject(errors *FieldErrors, pointer string, v any) *Object {
	members, ok := v.(map[string]any)
	broken := !ok && v != nil
	if broken {
		errors.Add(pointer, "must be an object, in { }")
	}
	return &Object{errors: errors, pointer: pointer, members: members, broken: broken, read: map[string]bool{}}
}

// Pointer is the JSON pointer of a member.
func (o *Object) Pointer(name string) string {
	return o.pointer + "/" + escaped(name)
}

// Add notes what is wrong with a member.
func (o *Object) Add(name, detail string) { o.errors.Add(o.Pointer(name), detail) }

// AddEntry notes what is wrong with an entry of a member that is a list.
func (o *Object) AddEntry(name string, i int, detail string) {
	o.errors.Add(o.Pointer(name)+"/"+strconv.Itoa(i), detail)
}

// Take returns a member; given is false where it is absent or null.
func (o *Object) Take(name string) (v any, given bool) {
	o.read[name] = true
	v = o.members[name]
	return v, v != nil
}

// Object reads a member that is an object itself.
func (o *Object) Object(name string) *Object {
	v, _ := o.Take(name)
	inner := NewObject(o.errors, o.Pointer(name), v)
	inner.broken = inner.broken || o.broken
	if o.inner == nil {
		o.inner = map[string]*Object{}
	}
	o.inner[name] = inner
	return inner
}

// Required is the fallback of a text that must be given.
const Required = "\x00required"

// Check returns what is wrong with a text, or "".
type Check func(string) string

// Text reads a text of one line that is not empty, of up to most characters.
func (o *Object) Text(name, fallback string, most int, checks ...Check) string {
	v, given := o.Take(name)
	if !given {
		if fallback == Required {
			if !o.broken {
				o.Add(name, "is required")
			}
			return ""
		}
		return fallback
	}
	text, wrong := checked(v, most, checks)
	if wrong != "" {
		o.Add(name, wrong)
		return ""
	}
	return text
}

// checked returns a text, or what is wrong with it.
func checked(v any, most int, checks []Check) (text, wrong string) {
	text, wrong = oneLine(v, most)
	if wrong == "" && text == "" {
		wrong = "must not be empty"
	}
	for _, check := range checks {
		if wrong == "" {
			wrong = check(text)
		}
	}
	return text, wrong
}

// oneLine checks what every text must be.
func oneLine(v any, most int) (text, wrong string) {
	text, ok := v.(string)
	switch {
	case !ok:
		return "", "must be a text, in quotes"
	case utf8.RuneCountInString(text) > most:
		return "", fmt.Sprintf("is longer than %d characters", most)
	case unseen(text) != "":
		return "", unseen(text)
	case strings.TrimSpace(text) != text:
		return "", "begins or ends with a space"
	}
	return text, ""
}

// Empty is for a member that must be empty if it is given; why says the reason.
func (o *Object) Empty(name, why string) {
	v, given := o.Take(name)
	text, ok := v.(string)
	switch {
	case given && !ok:
		o.Add(name, "must be a text, in quotes")
	case text != "":
		o.Add(name, why)
	}
}

// Only is for a member with one allowed value. Others that people know from
// elsewhere are refused with the reason, everything else with the value that is
// allowed.
func (o *Object) Only(name, allowed, reason string, others ...string) {
	o.Text(name, allowed, 50, func(text string) string {
		switch {
		case text == allowed:
			return ""
		case slices.Contains(others, text):
			return `must be "` + allowed + `": ` + reason
		}
		return `must be "` + allowed + `"`
	})
}

// Whole reads a whole number within limits.
func (o *Object) Whole(name string, fallback, least, most int) int {
	v, given := o.Take(name)
	if !given {
		return fallback
	}
	number, ok := v.(json.Number)
	n, err := strconv.Atoi(number.String())
	switch {
	case !ok:
		o.Add(name, "must be a number, without quotes")
	case err != nil && !errors.Is(err, strconv.ErrRange):
		o.Add(name, "must be a whole number")
	case err != nil || n < least || n > most:
		o.Add(name, fmt.Sprintf("must be from %d to %d", least, most))
	default:
		return n
	}
	return fallback
}

// Boolean reads true or false.
func (o *Object) Boolean(name string, fallback bool) bool {
	v, given := o.Take(name)
	if !given {
		return fallback
	}
	b, ok := v.(bool)
	if !ok {
		o.Add(name, "must be true or false, without quotes")
	}
	return b
}

// Texts reads a list of texts, none of them twice.
func (o *Object) Texts(name string, fallback []string, most int, checks ...Check) []string {
	v, given := o.Take(name)
	if !given {
		return slices.Clone(fallback)
	}
	list, ok := v.([]any)
	if !ok {
		o.Add(name, `must be a list of texts, such as ["id", "name"]`)
		return nil
	}
	if len(list) > most {
		o.Add(name, fmt.Sprintf("has more than %d entries", most))
		return nil
	}
	texts := []string{}
	once := func(text string) string {
		if slices.Contains(texts, text) {
			return "is in the list twice"
		}
		return ""
	}
	for i, entry := range list {
		text, wrong := checked(entry, 1000, append([]Check{once}, checks...))
		if wrong != "" {
			o.AddEntry(name, i, wrong)
			continue
		}
		texts = append(texts, text)
	}
	return texts
}

// Ignore accepts members that a request may repeat from a reply.
func (o *Object) Ignore(names ...string) {
	for _, name := range names {
		o.read[name] = true
	}
}

// Rest refuses every member that was not read, and names the one that was
// probably meant.
func (o *Object) Rest() {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !o.read[name] {
			o.Add(name, "is not a field of this request"+o.hint(name))
		}
	}
}

func (o *Object) hint(name string) string {
	if o.errors.full() {
		return "" // not shown, and a body can have thousands
	}
	if meant := likely(name, o.names()); meant != "" {
		return `; do you mean "` + meant + `"?`
	}
	for _, in := range slices.Sorted(maps.Keys(o.inner)) {
		switch meant := likely(name, o.inner[in].names()); {
		case meant == "":
		case bare(meant) == bare(name):
			return `; it belongs into "` + in + `"`
		case firstWord(meant) == strings.ToLower(name):
			return `; do you mean "` + meant + `" in "` + in + `"?`
		}
	}
	if meant := kindred(name, o.names()); meant != "" {
		return `; do you mean "` + meant + `"?`
	}
	return ""
}

// names are those that were read.
func (o *Object) names() []string { return slices.Sorted(maps.Keys(o.read)) }
