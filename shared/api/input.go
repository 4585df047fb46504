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

// readJSON reads a body as JSON, numbers as written.
func readJSON(w http.ResponseWriter, r *http.Request) (any, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, problem(http.StatusUnsupportedMediaType, "Send the request as JSON, with Content-Type: application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if tooLarge, is := errors.AsType[*http.MaxBytesError](err); is {
		return nil, problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit))
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "The body ended too early. Send the request again.")
	}
	if !utf8.Valid(body) {
		return nil, problem(http.StatusBadRequest, "The body is not UTF-8.")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, problem(http.StatusBadRequest, "The body is not JSON"+position(body, err)+".")
	}
	var v any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return nil, problem(http.StatusBadRequest, "The body is not JSON.")
	}
	return v, nil
}

// position says where JSON is broken, without repeating what stands there.
func position(body []byte, err error) string {
	broken, is := errors.AsType[*json.SyntaxError](err)
	if !is {
		return ""
	}
	before := body[:min(max(broken.Offset-1, 0), int64(len(body)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf(": it breaks off, or goes wrong, at line %d, column %d", line, column)
}

// faults collects everything that is wrong with a body.
type faults []Fault

func (f *faults) add(pointer, detail string) {
	*f = append(*f, Fault{Pointer: &pointer, Detail: detail})
}

// at tells whether something is wrong at a pointer or below it.
func (f *faults) at(pointer string) bool {
	return slices.ContainsFunc(*f, func(x Fault) bool {
		return *x.Pointer == pointer || strings.HasPrefix(*x.Pointer, pointer+"/")
	})
}

// object reads the members of a JSON object one by one. Every reading method
// returns its fallback where the member is absent or null, and adds a fault
// where it is not what it should be.
type object struct {
	faults  *faults
	pointer string
	members map[string]any
	broken  bool // was no object at all: its members are not missed
	read    map[string]bool
}

func newObject(f *faults, pointer string, v any) *object {
	members, is := v.(map[string]any)
	if !is && v != nil {
		f.add(pointer, "must be an object, in { }")
	}
	return &object{faults: f, pointer: pointer, members: members, broken: !is && v != nil, read: map[string]bool{}}
}

func (o *object) at(name string) string {
	return o.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// take returns a member that is there and not null.
func (o *object) take(name string) (any, bool) {
	o.read[name] = true
	v := o.members[name]
	return v, v != nil
}

func (o *object) object(name string) *object {
	v, _ := o.take(name)
	inner := newObject(o.faults, o.at(name), v)
	inner.broken = inner.broken || o.broken
	return inner
}

// required is the fallback of a text that must be given.
const required = "\x00required"

// check returns what is wrong with a text, or "".
type check func(string) string

// text reads a text that is not empty.
func (o *object) text(name, fallback string, most int, checks ...check) string {
	v, given := o.take(name)
	if !given {
		if fallback == required {
			if !o.broken {
				o.faults.add(o.at(name), "is required")
			}
			return ""
		}
		return fallback
	}
	s, wrong := oneLine(v, most)
	if wrong == "" && s == "" {
		wrong = "must not be empty"
	}
	for _, wrongWith := range checks {
		if wrong == "" {
			wrong = wrongWith(s)
		}
	}
	if wrong != "" {
		o.faults.add(o.at(name), wrong)
		return ""
	}
	return s
}

// oneLine is what a text has to be everywhere.
func oneLine(v any, most int) (s, wrong string) {
	s, is := v.(string)
	switch {
	case !is:
		return "", "must be a text, in quotes"
	case utf8.RuneCountInString(s) > most:
		return "", fmt.Sprintf("is longer than %d characters", most)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", "holds a line break or another control character"
	case strings.TrimSpace(s) != s:
		return "", "begins or ends with a space"
	}
	return s, ""
}

// none is for members that may be given empty only, and says why.
func (o *object) none(name, why string) {
	v, given := o.take(name)
	if s, is := v.(string); given && !is {
		o.faults.add(o.at(name), "must be a text, in quotes")
	} else if s != "" {
		o.faults.add(o.at(name), why)
	}
}

func (o *object) whole(name string, fallback, least, most int) int {
	v, given := o.take(name)
	if !given {
		return fallback
	}
	number, is := v.(json.Number)
	n, err := strconv.Atoi(number.String())
	switch {
	case !is:
		o.faults.add(o.at(name), "must be a number, without quotes")
	case err != nil && !errors.Is(err, strconv.ErrRange):
		o.faults.add(o.at(name), "must be a whole number")
	case err != nil || n < least || n > most:
		o.faults.add(o.at(name), fmt.Sprintf("must be from %d to %d", least, most))
	default:
		return n
	}
	return fallback
}

func (o *object) boolean(name string, fallback bool) bool {
	v, given := o.take(name)
	if !given {
		return fallback
	}
	b, is := v.(bool)
	if !is {
		o.faults.add(o.at(name), "must be true or false, without quotes")
	}
	return b
}

// texts reads a list of texts, none of them twice.
func (o *object) texts(name string, fallback []string, most int, checks ...check) []string {
	v, given := o.take(name)
	if !given {
		return slices.Clone(fallback)
	}
	list, is := v.([]any)
	if !is {
		o.faults.add(o.at(name), `must be a list of texts, such as ["id", "name"]`)
		return nil
	}
	if len(list) > most {
		o.faults.add(o.at(name), fmt.Sprintf("has more than %d entries", most))
		return nil
	}
	out := []string{}
	seen := map[string]bool{}
	for i, entry := range list {
		s, wrong := oneLine(entry, 1000)
		if wrong == "" && s == "" {
			wrong = "must not be empty"
		}
		if wrong == "" && seen[s] {
			wrong = "stands in the list twice"
		}
		for _, wrongWith := range checks {
			if wrong == "" {
				wrong = wrongWith(s)
			}
		}
		if wrong != "" {
			o.faults.add(o.at(name)+"/"+strconv.Itoa(i), wrong)
			continue
		}
		seen[s] = true
		out = append(out, s)
	}
	return out
}

// ignore passes over members that a reply holds and a request need not take out.
func (o *object) ignore(names ...string) {
	for _, name := range names {
		o.read[name] = true
	}
}

// rest refuses every member that nobody asked for.
func (o *object) rest() {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !o.read[name] {
			o.faults.add(o.at(name), "is not a field of this request")
		}
	}
}
