package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api"
)

// read reads a body as an endpoint does, every member unknown, and returns the
// problem with it.
func read(t *testing.T, body string) *api.Problem {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	v, err := api.ReadJSON(httptest.NewRecorder(), r)
	if err == nil {
		var wrong api.FieldErrors
		o := api.NewObject(&wrong, "", v)
		for _, name := range []string{"name", "fields", "mandatory_fields", "interval_minutes", "registry", "token_shape", "batch_maximum", "remove_vids"} {
			o.Take(name)
		}
		o.Rest()
		err = wrong.Err()
	}
	problem, ok := errors.AsType[*api.Problem](err)
	if err != nil && !ok {
		t.Fatalf("%T", err)
	}
	return problem
}

// Whatever a body of the largest size holds, reading it takes a fraction of the
// 256 MB of the function, and the reply fits into the 6 MB of Lambda.
func TestMemoryOfAHostileBodyIsBounded(t *testing.T) {
	const limit, reply = 64 << 20, 5 << 20
	fill := func(begin, part, end string) string {
		return begin + strings.Repeat(part, (api.MaxBody-len(begin)-len(end))/len(part)) + end
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
