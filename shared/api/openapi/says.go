package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"openg2p.org/mts-connector/shared/api"
)

// mistake is what is wrong with a value of a request.
type mistake struct {
	at   []string // names and numbers on the way to it
	flaw api.Flaw
	rank int // which of several mistakes of a value is said: the lowest
}

// speaker says in our words what a schema found. What the library says of a value
// holds the value, which may be a password, so nothing of it is used.
type speaker struct {
	contents
	value any // what was checked
	found []mistake
}

// walk goes to the leaves of an error: the other levels say only that something is
// wrong below.
func (s *speaker) walk(e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Contains, *kind.MinContains, *kind.PropertyNames:
		// A choice between schemas, or a name: said as a whole.
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				s.walk(cause)
			}
			return
		}
	}
	s.say(e)
}

func (s *speaker) add(at []string, rank int, flaw api.Flaw) {
	s.found = append(s.found, mistake{slices.Clone(at), flaw, rank})
}

// say adds the mistakes of a leaf. The document may have other words for a keyword,
// beside it.
func (s *speaker) say(e *jsonschema.ValidationError) {
	_, fragment, _ := strings.Cut(e.SchemaURL, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	at := e.InstanceLocation
	if name, ok := e.ErrorKind.(*kind.PropertyNames); ok {
		fragment, at = strings.TrimSuffix(fragment, "/propertyNames"), append(slices.Clone(at), name.Property)
	}
	schema, _ := lookUp(s.tree, fragment).(map[string]any)
	own := func(keyword string, otherwise api.Flaw) api.Flaw {
		said := member(schema["x-says"], keyword)
		if text, ok := member(said, "text").(string); ok {
			otherwise.Detail = text
			otherwise.Code, _ = member(said, "code").(string)
		}
		return otherwise
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			s.add(append(slices.Clone(at), name), 0, api.Flaw{Code: "required", Detail: "is required"})
		}
		s.missingBelow(at, schema, k.Missing)
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		for i, name := range k.Properties {
			s.add(append(slices.Clone(at), name), 0, s.unknown(name, schema, i < api.MostErrors))
		}
	case *kind.Type:
		s.add(at, 0, own("type", wantedType(k, schema)))
	case *kind.Enum:
		s.add(at, 1, s.notAllowed(k.Got, k.Want, schema))
	case *kind.Const:
		s.add(at, 1, s.notAllowed(k.Got, []any{k.Want}, schema))
	case *kind.Format:
		flaw, ok := k.Err.(*api.Flaw) //nolint:errorlint // as a Format returned it
		if !ok {
			flaw = &api.Flaw{Code: "format", Params: api.Params{"format": k.Want}, Detail: formats[k.Want]}
			if flaw.Detail == "" {
				flaw.Detail = "has not the form " + k.Want
			}
		}
		s.add(at, 2, own("format", *flaw))
	case *kind.MinLength:
		if k.Want == 1 {
			s.add(at, 1, own("minLength", api.Flaw{Code: "empty", Detail: "must not be empty"}))
			break
		}
		s.add(at, 1, own("minLength", api.Flaw{Code: "too_short", Params: api.Params{"least": k.Want}, Detail: fmt.Sprintf("is shorter than %d characters", k.Want)}))
	case *kind.MaxLength:
		s.add(at, 1, own("maxLength", api.Flaw{Code: "too_long", Params: api.Params{"most": k.Want}, Detail: fmt.Sprintf("is longer than %d characters", k.Want)}))
	case *kind.MinItems:
		s.add(at, 1, own("minItems", s.entries(schema, api.Flaw{Code: "too_few", Params: api.Params{"least": k.Want}, Detail: fmt.Sprintf("has fewer than %d entries", k.Want)})))
	case *kind.MaxItems:
		s.add(at, 1, own("maxItems", s.entries(schema, api.Flaw{Code: "too_many", Params: api.Params{"most": k.Want}, Detail: fmt.Sprintf("has more than %d entries", k.Want)})))
	case *kind.UniqueItems:
		s.twice(at, own("uniqueItems", api.Flaw{Code: "twice", Detail: "is in the list twice"}))
	case *kind.Minimum, *kind.Maximum, *kind.ExclusiveMinimum, *kind.ExclusiveMaximum:
		s.add(at, 1, own(keywordOf(e), wantedRange(schema)))
	default: // pattern, not, oneOf and others, which need words of their own
		s.add(at, 3, own(keywordOf(e), api.Flaw{Code: "schema", Detail: "is not what the document of the API says"}))
	}
}

// keywordOf is the keyword that found an error.
func keywordOf(e *jsonschema.ValidationError) string {
	if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
		return path[0]
	}
	return "not" // the one whose error has none
}

// missingBelow names what is required of objects that are missing themselves, so that
// whoever leaves out "registry" reads at once what belongs into it.
func (s *speaker) missingBelow(at []string, schema map[string]any, missing []string) {
	for _, name := range missing {
		inner, _ := s.resolved(member(schema["properties"], name))
		required, _ := inner["required"].([]any)
		var names []string
		for _, one := range required {
			if text, ok := one.(string); ok {
				names = append(names, text)
			}
		}
		if len(names) == 0 {
			continue
		}
		below := append(slices.Clone(at), name)
		s.found = slices.DeleteFunc(s.found, func(m mistake) bool { return slices.Equal(m.at, below) })
		for _, inner := range names {
			s.add(append(slices.Clone(below), inner), 0, api.Flaw{Code: "required", Detail: "is required"})
		}
	}
}

// unknown says that a member is not one of the request, and which one was probably
// meant if there is a use for it.
func (s *speaker) unknown(name string, schema map[string]any, hint bool) api.Flaw {
	flaw := api.Flaw{Code: "unknown_member", Detail: "is not a field of this request"}
	if !hint {
		return flaw // not shown, and a body can have thousands
	}
	properties, _ := schema["properties"].(map[string]any)
	known := slices.Sorted(maps.Keys(properties))
	meant, in := likely(name, known), ""
	if meant == "" || bare(meant) != bare(name) {
		// A member of this very name elsewhere is meant rather than one that is like it.
		if inner, outer := s.within(name, schema, properties); inner != "" && (meant == "" || bare(inner) == bare(name)) {
			meant, in = inner, outer
		}
	}
	if meant == "" {
		meant = kindred(name, known)
	}
	switch {
	case meant == "":
	case in == "":
		flaw.Params, flaw.Detail = api.Params{"meant": meant}, flaw.Detail+`; do you mean "`+meant+`"?`
	case bare(meant) == bare(name):
		flaw.Params, flaw.Detail = api.Params{"meant": meant, "in": in}, flaw.Detail+`; it belongs into "`+in+`"`
	default:
		flaw.Params, flaw.Detail = api.Params{"meant": meant, "in": in}, flaw.Detail+`; do you mean "`+meant+`" in "`+in+`"?`
	}
	return flaw
}

// within finds the member of a member that was meant: one of this very name, else one
// that begins with it. Members that must be there come first.
func (s *speaker) within(name string, schema, properties map[string]any) (meant, in string) {
	required, _ := schema["required"].([]any)
	outer := slices.SortedFunc(maps.Keys(properties), func(a, b string) int {
		if isA, isB := slices.Contains(required, any(a)), slices.Contains(required, any(b)); isA != isB {
			if isA {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, member := range outer {
		inner, _ := s.resolved(properties[member])
		below, _ := inner["properties"].(map[string]any)
		switch found := likely(name, slices.Sorted(maps.Keys(below))); {
		case found == "":
		case bare(found) == bare(name):
			return found, member
		case meant == "" && firstWord(found) == strings.ToLower(name):
			meant, in = found, member
		}
	}
	return meant, in
}

// wantedType says which types a value may have.
func wantedType(k *kind.Type, schema map[string]any) api.Flaw {
	flaw := api.Flaw{Code: "type", Params: api.Params{"want": k.Want}}
	switch want := k.Want[0]; {
	case slices.Contains(k.Want, "string"):
		flaw.Detail = "must be a text, in quotes"
	case want == "integer" && k.Got == "number":
		flaw.Code, flaw.Params, flaw.Detail = "whole", nil, "must be a whole number"
	case want == "integer" || want == "number":
		flaw.Detail = "must be a number, without quotes"
	case want == "boolean":
		flaw.Detail = "must be true or false, without quotes"
	case want == "object":
		flaw.Detail = "must be an object, in { }"
	case member(schema["items"], "type") == "string" || member(schema["items"], "enum") != nil:
		flaw.Detail = `must be a list of texts, such as ["id", "name"]`
	default:
		flaw.Detail = "must be a list, in [ ]"
	}
	return flaw
}

// notAllowed names the allowed values. A refused value that the document knows has a
// reason there.
func (s *speaker) notAllowed(got any, want []any, schema map[string]any) api.Flaw {
	allowed := make([]string, len(want))
	for i, one := range want {
		allowed[i] = fmt.Sprint(one)
	}
	if value, ok := got.(string); ok {
		if reason, ok := member(schema["x-refused"], value).(string); ok {
			return api.Flaw{Code: "value_refused", Params: api.Params{"allowed": allowed, "value": value}, Detail: reason}
		}
	}
	flaw := api.Flaw{Code: "value", Params: api.Params{"allowed": allowed}}
	switch _, isText := got.(string); {
	case !isText && len(want) > 0:
		flaw.Detail = "must be a text, in quotes: " + strings.Join(allowed, ", ")
	case len(allowed) == 1:
		flaw.Detail = `must be "` + allowed[0] + `"`
	case len(allowed) == 2:
		flaw.Detail = `must be "` + allowed[0] + `" or "` + allowed[1] + `"`
	default:
		flaw.Detail = "must be one of " + strings.Join(allowed, ", ")
	}
	return flaw
}

// entries says how many entries a list may have where both limits are known.
func (s *speaker) entries(schema map[string]any, otherwise api.Flaw) api.Flaw {
	least, most := limit(schema, "minItems"), limit(schema, "maxItems")
	if least != "" && most != "" {
		otherwise.Params = api.Params{"least": json.Number(least), "most": json.Number(most)}
		otherwise.Detail = "must be a list of " + least + " to " + most + " entries"
	}
	return otherwise
}

// twice adds a mistake for each entry of a list that an earlier one equals.
func (s *speaker) twice(at []string, flaw api.Flaw) {
	v := s.value
	for _, name := range at {
		v = inside(v, name)
	}
	list, _ := v.([]any)
	seen := map[any]bool{}
	for i, entry := range list[:min(len(list), MostEntries)] {
		switch entry.(type) {
		case map[string]any, []any:
			continue // of no schema of ours
		}
		if seen[entry] {
			s.add(append(slices.Clone(at), strconv.Itoa(i)), 4, flaw)
		}
		seen[entry] = true
	}
}

// wantedRange says between which numbers a value must be.
func wantedRange(schema map[string]any) api.Flaw {
	least, most := limit(schema, "minimum"), limit(schema, "maximum")
	flaw := api.Flaw{Code: "range", Params: api.Params{}}
	if least != "" {
		flaw.Params["least"] = json.Number(least)
		flaw.Detail = "must be at least " + least
	}
	if most != "" {
		flaw.Params["most"] = json.Number(most)
		flaw.Detail = "must be at most " + most
	}
	if least != "" && most != "" {
		flaw.Detail = "must be from " + least + " to " + most
	}
	return flaw
}

// limit is a number of a schema as it is written, or "".
func limit(schema map[string]any, keyword string) string {
	switch n := schema[keyword].(type) {
	case json.Number:
		return n.String()
	case *big.Rat:
		return n.RatString()
	}
	return ""
}

// formats are sentences for formats of JSON Schema.
var formats = map[string]string{
	"date-time": "must be a time with its offset, such as 2026-11-28T09:00:00Z",
	"date":      "must be a date, such as 2026-11-28",
	"uuid":      "must be a UUID",
}

// CheckLine is the format "line": what every text of one line must be.
func CheckLine(text string) error {
	if flaw := unseen(text); flaw != nil {
		return flaw
	}
	if strings.TrimFunc(text, unicode.IsSpace) != text {
		return &api.Flaw{Code: "space_around", Detail: "begins or ends with a space"}
	}
	return nil
}
