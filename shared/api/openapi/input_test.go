package openapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
)

// small is the document of an API with one operation.
const small = `{"openapi": "3.1.0", "paths": {"/": {"post": {
	"parameters": [
		{"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
		{"$ref": "#/components/parameters/Full"},
		{"name": "id", "in": "path", "schema": {"type": "string"}}],
	"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}}}}},
	"components": {
		"parameters": {"Full": {"name": "full", "in": "query", "schema": {"type": "boolean"}}},
		"schemas": {
			"Body": {"type": "object", "additionalProperties": false, "properties": {
				"name": {}, "fields": {}, "mandatory_fields": {}, "interval_minutes": {}, "registry": {}, "token_shape": {},
				"batch_maximum": {}, "remove_vids": {},
				"text": {"type": "string", "format": "line", "minLength": 2, "maxLength": 5},
				"whole": {"type": "integer", "minimum": 1, "maximum": 9},
				"least": {"type": "integer", "minimum": 1},
				"boolean": {"type": "boolean"},
				"texts": {"type": "array", "maxItems": 3, "uniqueItems": true, "items": {"type": "string"}},
				"few": {"type": "array", "minItems": 1, "maxItems": 2},
				"some": {"type": "array", "x-null": "refused", "items": {"type": "object", "properties": {"which": {"type": "string", "x-null": "refused"}}}},
				"one": {"enum": ["this"], "x-refused": {"other": "must be \"this\": the other comes later"}},
				"two": {"enum": ["a", "b"]},
				"three": {"enum": ["a", "b", "c"]},
				"code": {"type": "string", "pattern": "^[a-z]+$", "x-says": {"pattern": {"code": "letters", "text": "must be letters"}}},
				"when": {"type": "string", "format": "date-time"},
				"either": {"oneOf": [{"type": "string"}, {"type": "integer"}], "x-says": {"oneOf": {"code": "either", "text": "must be this or that"}}},
				"headers": {"type": "object", "propertyNames": {"pattern": "^x-"}, "additionalProperties": {"type": "string"},
					"x-says": {"propertyNames": {"code": "header", "text": "has a name that does not begin with x-"}}},
				"in/ner": {"type": "object", "additionalProperties": false, "required": ["must"], "properties": {"must": {"type": "string", "minLength": 1}}}
			}}}}}`

// values are over what read puts a body.
type values struct {
	Text    string   `json:"text"`
	Whole   int      `json:"whole"`
	Boolean bool     `json:"boolean"`
	Texts   []string `json:"texts"`
	Inner   struct {
		Must string `json:"must"`
	} `json:"in/ner"`
}

// read reads a body as an endpoint does, and returns the problem with it.
func read(t *testing.T, body string) *api.Problem {
	problem, _ := readValues(t, body)
	return problem
}

func readValues(t *testing.T, body string) (*api.Problem, values) {
	t.Helper()
	v := values{Text: "fallback", Whole: 7, Boolean: true, Texts: []string{"x"}}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r, err := openapi.NewDocument([]byte(small)).Check(r, "/")
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := openapi.Read(httptest.NewRecorder(), r, &v)
	if err == nil {
		err = wrong.Err()
	}
	problem, ok := errors.AsType[*api.Problem](err)
	if err != nil && !ok {
		t.Fatalf("%T %v", err, err)
	}
	return problem, v
}

// Each mistake has its place, its code and a sentence, and the members without one
// are read over their defaults.
func TestEveryMistakeIsSaid(t *testing.T) {
	for body, want := range map[string]struct{ values, wrong string }{
		`{"in/ner": {"must": "y"}}`: {"fallback 7 true [x] y", ""},
		`{"in/ner": {"must": "y"}, "text": null, "whole": null, "few": null}`:                                 {"fallback 7 true [x] y", ""},
		`{"in/ner": {"must": "y"}, "text": "éé", "whole": 9.0, "boolean": false, "texts": [], "one": "this"}`: {"éé 9 false [] y", ""},
		`{"some": null, "text": null, "in/ner": {"must": null}}`:                                              {"fallback 7 true [x] ", "/some null: must not be null; leave it out if you mean it so; /in~1ner/must required"},
		`{"some": [{"which": "a"}, {"which": null}]}`:                                                         {"fallback 7 true [x] ", "/some/1/which null: must not be null; leave it out if you mean it so"},
		`{"whole": 1e0}`:                {"fallback 1 true [x] ", ""},
		`{"in/ner": {"m~re": 1}}`:       {"fallback 7 true [x] ", "/in~1ner/must required; /in~1ner/m~0re unknown_member"},
		`{"in/ner": {"must": null}}`:    {"fallback 7 true [x] ", "/in~1ner/must required"},
		`{"in/ner": []}`:                {"fallback 7 true [x] ", "/in~1ner type: must be an object, in { }"},
		`[]`:                            {"fallback 7 true [x] ", " type: must be an object, in { }"},
		`{"text": 5}`:                   {"fallback 7 true [x] ", "/text type: must be a text, in quotes"},
		`{"text": "x"}`:                 {"fallback 7 true [x] ", "/text too_short: is shorter than 2 characters"},
		`{"text": "longer"}`:            {"fallback 7 true [x] ", "/text too_long: is longer than 5 characters"},
		`{"text": " ab"}`:               {"fallback 7 true [x] ", "/text space_around: begins or ends with a space"},
		`{"text": "a\nb"}`:              {"fallback 7 true [x] ", "/text control_character: holds a line break or another control character"},
		`{"text": "a\u200bb"}`:          {"fallback 7 true [x] ", "/text unseen_character: holds a character that cannot be seen (U+200B)"},
		`{"whole": "5"}`:                {"fallback 7 true [x] ", "/whole type: must be a number, without quotes"},
		`{"whole": 5.5}`:                {"fallback 7 true [x] ", "/whole whole: must be a whole number"},
		`{"whole": 10}`:                 {"fallback 7 true [x] ", "/whole range: must be from 1 to 9"},
		`{"whole": 1e300}`:              {"fallback 7 true [x] ", "/whole range: must be from 1 to 9"},
		`{"whole": 1e400}`:              {"fallback 7 true [x] ", "/whole number: is a number that is too large, or has too many digits"},
		`{"whole": 1e-400}`:             {"fallback 7 true [x] ", "/whole number: is a number that is too close to 0"},
		`{"whole": -0.0e-5}`:            {"fallback 7 true [x] ", "/whole range: must be from 1 to 9"},
		`{"text": "a\u0000b"}`:          {"fallback 7 true [x] ", "/text control_character: holds a NUL character"},
		`{"text": "\ud83d\ude00b"}`:     {"😀b 7 true [x] ", ""},
		`{"least": 0}`:                  {"fallback 7 true [x] ", "/least range: must be at least 1"},
		`{"boolean": "true"}`:           {"fallback 7 true [x] ", "/boolean type: must be true or false, without quotes"},
		`{"texts": "a"}`:                {"fallback 7 true [x] ", `/texts type: must be a list of texts, such as ["id", "name"]`},
		`{"texts": ["a", "b", "a", 1]}`: {"fallback 7 true [x] ", "/texts too_many: has more than 3 entries; /texts/2 twice: is in the list twice; /texts/3 type: must be a text, in quotes"},
		`{"few": []}`:                   {"fallback 7 true [x] ", "/few too_few: must be a list of 1 to 2 entries"},
		`{"one": "other"}`:              {"fallback 7 true [x] ", `/one value_refused: must be "this": the other comes later`},
		`{"one": "any"}`:                {"fallback 7 true [x] ", `/one value: must be "this"`},
		`{"two": "c"}`:                  {"fallback 7 true [x] ", `/two value: must be "a" or "b"`},
		`{"three": "d"}`:                {"fallback 7 true [x] ", "/three value: must be one of a, b, c"},
		`{"three": 1}`:                  {"fallback 7 true [x] ", "/three value: must be a text, in quotes: a, b, c"},
		`{"code": "1"}`:                 {"fallback 7 true [x] ", "/code letters: must be letters"},
		`{"when": "now"}`:               {"fallback 7 true [x] ", "/when format: must be a time with its offset, such as 2026-11-28T09:00:00Z"},
		`{"either": true}`:              {"fallback 7 true [x] ", "/either either: must be this or that"},
		`{"headers": {"a": "b"}}`:       {"fallback 7 true [x] ", "/headers/a header: has a name that does not begin with x-"},
		`{"headers": {"x-a": 1}}`:       {"fallback 7 true [x] ", "/headers/x-a type: must be a text, in quotes"},
		`{"x": 1, "boolean": false, "whole": "hunter2", "text": true}`: {"fallback 7 false [x] ",
			"/text type: must be a text, in quotes; /whole type: must be a number, without quotes; /x unknown_member: is not a field of this request"},
	} {
		problem, v := readValues(t, body)
		var said []string
		if problem != nil {
			for _, e := range problem.Errors {
				text := *e.Pointer + " " + e.Code
				if e.Code != "required" && e.Params["meant"] == nil && !strings.Contains(*e.Pointer, "~0") {
					text += ": " + e.Detail
				}
				said = append(said, text)
			}
		}
		got := fmt.Sprintf("%s %d %t %v %s", v.Text, v.Whole, v.Boolean, v.Texts, v.Inner.Must)
		if wrong := strings.Join(said, "; "); wrong != want.wrong || got != want.values {
			t.Errorf("%s:\n got %s; %s\nwant %s; %s", body, got, wrong, want.values, want.wrong)
		}
	}
}

// A body that is no text is refused as a whole, and a text that Go would change.
func TestBodiesThatAreNoTextAreRefused(t *testing.T) {
	for body, want := range map[string]string{
		"{\"text\": \"a\xff\"}":          "not UTF-8",
		`{"text": "a\ud83d"}`:            "half a character, one of the two \\ud800 to \\udfff that make one, at line 1, column 12",
		"{\n\"text\": \"\\ude00a\"}":     "at line 2, column 10",
		`{"text": "\ude00\ud83d"}`:       "at line 1, column 11",
		`{"text": "\ud83d\ud83d\ude00"}`: "at line 1, column 11",
		`{"text": "\ud83dx"}`:            "at line 1, column 11",
		`{"text": "\ud83d\n"}`:           "at line 1, column 11",
		`{"\udbff": 1}`:                  "at line 1, column 3",
		`{"text": "\\ud83d"}`:            "",
		`{"text": "\\\\"}`:               "",
		`{"text": "\uD83D\uDE00\u00e9"}`: "",
		`{"text": "\"\/\b\f\n\r\t\u0041`: "it breaks off",
	} {
		problem := read(t, body)
		if said := problem != nil && problem.Status == http.StatusBadRequest; said != (want != "") || said && !strings.Contains(problem.Detail, want) {
			t.Errorf("%s: %+v, want %q", body, problem, want)
		}
	}
}

// What is sent in another way than as JSON in UTF-8 is refused before it is read.
func TestOtherEncodingsAreRefused(t *testing.T) {
	for _, c := range []struct {
		contentType, contentEncoding string
		status                       int
	}{
		{"application/json", "", 0}, {"application/json; charset=utf-8", "", 0}, {"application/json; charset=\"UTF-8\"", "identity", 0}, {"application/json", "IDENTITY ", 0},
		{"application/json; charset=utf-16", "", 415}, {"application/json; charset=latin1", "", 415}, {"application/json", "gzip", 415}, {"application/json", "identity, gzip", 415},
		{"text/json", "", 415}, {"", "", 415}, {"application/json; charset", "", 415},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", c.contentType)
		r.Header.Set("Content-Encoding", c.contentEncoding)
		r, err := openapi.NewDocument([]byte(small)).Check(r, "/")
		if err != nil {
			t.Fatal(err)
		}
		_, err = openapi.Read(httptest.NewRecorder(), r, &values{})
		problem, refused := errors.AsType[*api.Problem](err)
		if refused != (c.status > 0) || refused && problem.Status != c.status {
			t.Errorf("%q %q: %v", c.contentType, c.contentEncoding, err)
		}
	}
}

// Names within a secret may be the secret, so no reply repeats them.
func TestAPlaceEndsAtASecret(t *testing.T) {
	const document = `{"openapi": "3.1.0", "paths": {"/": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}}}}},
		"components": {"schemas": {"Secret": {"type": "string", "maxLength": 5, "writeOnly": true}, "Body": {"type": "object", "additionalProperties": false, "properties": {
			"password": {"$ref": "#/components/schemas/Secret"}, "other": {"type": "object", "additionalProperties": false, "properties": {"password": {"$ref": "#/components/schemas/Secret"}}},
			"headers": {"type": "object", "writeOnly": true, "additionalProperties": {"type": "string", "maxLength": 3}}}}}}}`
	for body, want := range map[string]string{
		`{"password": {"hunter2": 1}}`:                                                      "/password",
		`{"password": [{"hunter2": {"hunter2": 1, "hunter2": 2}}]}`:                         "/password",
		`{"password": {"hunter2": 1e400}}`:                                                  "/password",
		`{"password": {"hunter2\u0000": 1}}`:                                                "/password",
		`{"password": ` + strings.Repeat(`{"hunter2":`, 40) + "1" + strings.Repeat("}", 41): "/password",
		`{"other": {"password": "hunter2"}}`:                                                "/other/password",
		`{"headers": {"X-Key": "hunter2"}}`:                                                 "/headers/X-Key",
		`{"headers": {"X-Key": {"hunter2": {"hunter2": 1e400}}}}`:                           "/headers/X-Key",
		`{"headers": {"Authorization: hunter2": 5}}`:                                        "/headers",
		`{"headers": ["hunter2", {"hunter2": -1e400}]}`:                                     "/headers",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r, err := openapi.NewDocument([]byte(document)).Check(r, "/")
		if err != nil {
			t.Fatal(err)
		}
		wrong, err := openapi.Read(httptest.NewRecorder(), r, &struct{}{})
		if problem, refused := errors.AsType[*api.Problem](err); refused {
			wrong = problem.Errors
		} else if err != nil {
			t.Fatal(err)
		}
		if len(wrong) == 0 || *wrong[0].Pointer != want {
			t.Errorf("%s: %+v", body, wrong)
		}
		for _, e := range wrong {
			if strings.Contains(*e.Pointer+e.Detail, "hunter2") {
				t.Errorf("%s: %s %s", body, *e.Pointer, e.Detail)
			}
		}
	}
}

// Parameters are checked by their schemas as well.
func TestParametersAreChecked(t *testing.T) {
	for query, want := range map[string]string{
		"":                "",
		"limit=5":         "",
		"limit=0":         "limit range: must be from 1 to 100",
		"limit=101":       "limit range: must be from 1 to 100",
		"limit=x":         "limit range: must be from 1 to 100",
		"limit=":          "limit range: must be from 1 to 100",
		"limit=1e1":       "limit range: must be from 1 to 100",
		"limit=1&limit=2": "limit twice: is given twice",
		"full=true":       "",
		"full=yes":        "full type: must be true or false, without quotes",
		"limits=1":        `limits unknown_parameter: is not a parameter of this request; do you mean "limit"?`,
		"id=1":            "id unknown_parameter: is not a parameter of this request",
		"=5":              "(without a name) unknown_parameter: is not a parameter of this request",
		"a=1&limit=0":     "a unknown_parameter: is not a parameter of this request; limit range: must be from 1 to 100",
	} {
		_, err := openapi.NewDocument([]byte(small)).Check(httptest.NewRequest(http.MethodPost, "/?"+query, nil), "/")
		var said []string
		if problem, ok := errors.AsType[*api.Problem](err); ok {
			for _, e := range problem.Errors {
				said = append(said, e.Parameter+" "+e.Code+": "+e.Detail)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(said, "; "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// Whatever a body of the largest size holds, reading it takes a fraction of the
// 256 MB of the function, and the reply fits into the 6 MB of Lambda.
func TestMemoryOfAHostileBodyIsBounded(t *testing.T) {
	const limit, reply = 64 << 20, 5 << 20
	fill := func(begin, part, end string) string {
		return begin + strings.Repeat(part, (openapi.MaxBody-len(begin)-len(end))/len(part)) + end
	}
	nested := func(open, end string, depth int) string {
		return strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth)
	}
	long := strings.Repeat("\U000e0001", 100) // each is shown as ten characters
	within := strings.Repeat(`{"`+long+`":`, 31)
	for name, body := range map[string]string{
		"objects of long names":        nested(`{"kkkkkkkkkkkkkkkkkkkk":`, "}", 9900),
		"lists":                        nested("[", "]", 9900),
		"lists and objects":            nested(`[{"k":`, "}]", 4900),
		"deeper than the decoder goes": nested("[", "]", 130_000),
		"entries below long names":     fill(within+"[", "1,", "1]"+strings.Repeat("}", 31)),
		"lists below long names":       fill(within+"[", "[],", "1]"+strings.Repeat("}", 31)),
		"one name below long names":    fill(within+"{", `"a":1,`, `"a":1}`+strings.Repeat("}", 31)),
		"one long name often":          fill("{", `"`+long+`":1,`, `"a":1}`),
		"one name often":               fill("{", `"":1,`, `"a":1}`),
		"objects":                      fill("[", `{"":1},`, "1]"),
		"empty objects":                fill("[", `{},`, "1]"),
		"numbers":                      fill("[", `1,`, "1]"),
		"one number":                   fill(`{"a":`, "9", "}"),
		"a text of escapes":            fill(`{"`, `\u0001`, `":1}`),
		"unknown names":                "{" + strings.Join(numbered(20_000), ",") + "}",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			problem := read(t, body)
			runtime.ReadMemStats(&after)
			took := after.TotalAlloc - before.TotalAlloc
			if took > limit {
				t.Errorf("%d MB", took>>20)
			}
			w := httptest.NewRecorder()
			if problem == nil {
				t.Fatal("it is no request")
			}
			api.Reply(w, problem.Status, problem)
			if w.Body.Len() > reply {
				t.Errorf("a reply of %d bytes", w.Body.Len())
			}
			t.Logf("%d KB, %d: %.120s", took>>10, problem.Status, problem.Detail)
		})
	}
}

func numbered(n int) (members []string) {
	for i := range n {
		members = append(members, fmt.Sprintf(`"%d":1`, i))
	}
	return members
}

// The place is named, and what is nested less is read.
func TestBodyNestedTooDeepIsRefusedWithItsPlace(t *testing.T) {
	for open, want := range map[string]string{
		`{"a":`: strings.Repeat("/a", 32),
		`[`:     strings.Repeat("/0", 32),
		`[1,`:   strings.Repeat("/1", 32),
	} {
		end := map[byte]string{'{': "}", '[': "]"}[open[0]]
		body := strings.Repeat(open, 33) + "1" + strings.Repeat(end, 33)
		problem := read(t, body)
		if problem == nil || problem.Status != 422 || len(problem.Errors) != 1 || *problem.Errors[0].Pointer != want ||
			!strings.Contains(problem.Errors[0].Detail, "32 lists and objects") {
			t.Errorf("%s: %+v", open, problem)
		}
		body = `{"name":` + strings.Repeat(open, 31) + "1" + strings.Repeat(end, 31) + "}"
		if problem := read(t, body); problem != nil {
			t.Errorf("32 times %s: %+v", open, problem)
		}
	}
}

// A pointer names members and entries on the way, escaped.
func TestMemberThatIsThereTwiceIsNamedByItsPointer(t *testing.T) {
	problem := read(t, `{"name":[1,{"x/y":{"":{"a~":1,"b":2,"a~":3}}}]}`)
	if problem == nil || len(problem.Errors) != 1 || *problem.Errors[0].Pointer != "/name/1/x~1y//a~0" {
		t.Errorf("%+v", problem)
	}
}

// A hint costs no more where names are long, and is given where it helps.
func TestHintForAMisspeltMember(t *testing.T) {
	for name, want := range map[string]string{
		"interval":                         "interval_minutes",
		"intervall_minutes":                "interval_minutes",
		"feilds":                           "fields",
		"Batch-Maximum":                    "batch_maximum",
		"removevids":                       "remove_vids",
		"token":                            "token_shape",
		"colour":                           "",
		"nam" + strings.Repeat("e", 61):    "name",
		"name" + strings.Repeat("e", 2000): "",
	} {
		problem := read(t, `{"`+name+`":1}`)
		if problem == nil || len(problem.Errors) != 1 {
			t.Fatalf("%s: %+v", name, problem)
		}
		detail := problem.Errors[0].Detail
		if want != "" && !strings.Contains(detail, `"`+want+`"`) || want == "" && strings.Contains(detail, "mean") {
			t.Errorf("%.40s: %s", name, detail)
		}
	}
}

// Comparing long names takes no memory: there is no table of all pairs.
func TestHintsForManyLongNamesAreBounded(t *testing.T) {
	var members []string
	for i := range 600 {
		members = append(members, fmt.Sprintf(`"%s%03d":1`, strings.Repeat("\u00e9", 97), i))
	}
	body := "{" + strings.Join(members, ",") + "}"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	problem := read(t, body)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("%d MB", took>>20)
	}
	if problem == nil || len(problem.Errors) != 200 {
		t.Errorf("%+v", problem)
	}
}
