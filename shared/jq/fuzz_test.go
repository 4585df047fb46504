package jq_test

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

// Whatever is written: a program is refused, needs too much work, or gives what another
// implementation gives; and what is foreseen of it is never too little.
func FuzzLikeAnotherJq(f *testing.F) {
	for _, text := range slices.Concat(programs, conditions) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var value map[string]any
		if err := json.Unmarshal([]byte(document), &value); err != nil {
			t.Fatal(err)
		}
		got, failed, spent, err := jq.Results(text, value)
		if err != nil || spent {
			return
		}
		if o, err := (jq.Mappings{}).Foresee(text, ofAnyType(value)); err == nil {
			for _, v := range got {
				if typeOf(v)&o.Gives == 0 {
					t.Errorf("%s: gives %v, foreseen were the types %b", text, v, o.Gives)
				}
			}
			if other, ok := ofWhatIsRead(text, value, o); ok && asText(t, other) != asText(t, got) {
				t.Errorf("%s: depends on others than %v", text, o.Reads)
			}
			if o.Same && (failed || len(got) != 1) {
				t.Errorf("%s: is not the same for every record", text)
			}
		}
		if differsByIntent(text) || changes.MatchString(text) {
			return
		}
		want, wantFailed, ok := boundedGojq(text, value)
		if !ok {
			return
		}
		a, errA := gojq.Marshal(got)
		b, errB := gojq.Marshal(want)
		if errA != nil || errB != nil {
			t.Fatalf("%s: %v, %v", text, errA, errB)
		}
		if failed && wantFailed {
			return // what came before the error is used by nobody
		}
		if !alike(read(t, a), read(t, b)) || failed != wantFailed {
			t.Errorf("%s:\n got %.300s, failed %t\nwant %.300s, failed %t", text, a, failed, b, wantFailed)
		}
	})
}

// ofWhatIsRead are the results for a record that has only the fields which a program
// reads, if that is foreseen.
func ofWhatIsRead(text string, record map[string]any, o seeding.Outcome) (results []any, ok bool) {
	if o.ReadsAny {
		return nil, false
	}
	fields := map[string]any{"unknown": 1}
	for name, v := range record {
		if slices.Contains(o.Reads, name) {
			fields[name] = v
		}
	}
	results, _, spent, err := jq.Results(text, fields)
	return results, err == nil && !spent
}

func read(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// alike reports whether values are the same, but for digits that a float64 does not
// hold: gojq's numbers have any size.
func alike(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && (a == b || math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a), math.Abs(b)))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, alike)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, alike)
	}
	return reflect.DeepEqual(a, b)
}

func ofAnyType(record map[string]any) map[string]seeding.Types {
	types := map[string]seeding.Types{}
	for name := range record {
		types[name] = seeding.AnyType
	}
	return types
}

// differsByIntent reports whether a program has what like15 does not make alike: the
// words of an error, which catch sees, and are each implementation's own; and the key of
// a pattern, which may be a list that null has nothing at. gojq has no @base32,
// and another form of an apostrophe in @html. And where several arguments of a call
// give several results each, theirs come in another order.
func differsByIntent(text string) bool {
	return strings.Contains(text, "catch") || strings.Contains(text, "@base32") || strings.Contains(text, "html") || keyOfPattern.MatchString(text) ||
		strings.Contains(text, ";") && several.MatchString(text) || large.MatchString(text)
}

// large are numbers that a float64 does not hold.
var large = regexp.MustCompile(`\d{16}|\d[eE]`)

// several is what gives several results.
var several = regexp.MustCompile(`,|\[\s*\]|\.\.|range|recurse|repeat|while|until|paths|splits|scan|match|limit|skip|combinations|values|scalars|capture`)

var keyOfPattern = regexp.MustCompile(`as\s*[\[{][^|]*\(`)

// changes is what a program has in which something is changed: tables compare these.
// gojq takes .a + 0 for .a, which can be changed; jq does not. And it looks at keys by
// which something is deleted from null, which has nothing.
var changes = regexp.MustCompile(`[^=!<>]=[^=]|path|del|pick|map_values|walk`)

// boundedGojq is ofGojq for programs that may be of no use to gojq, or take it long.
func boundedGojq(text string, in any) (all []any, failed, ok bool) {
	code, differs, err := like15("." + text)
	if err != nil {
		return nil, false, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	results := code.RunWithContext(ctx, in)
	for range 100_000 {
		v, more := results.Next()
		if ctx.Err() != nil || *differs {
			return nil, false, false
		}
		if !more {
			return all, false, true
		}
		if _, isError := v.(error); isError {
			return all, true, true
		}
		all = append(all, v)
	}
	return nil, false, false
}
