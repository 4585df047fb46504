package dynamo

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestValuesAreReadAsTheyWereWritten(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_123).UTC()
	r := NewReader(Item{
		"pk": Text("p"), "sk": Text("s"),
		"text": Text("x"), "number": Number(-7), "instant": Instant(at), "duration": Duration(3 * time.Microsecond),
		"flag": Flag(true), "binary": Binary([]byte{1, 2}), "set": Set([]string{"b", "a"}),
		"map":   Map(Item{"inner": Map(Item{"text": Text("y")})}),
		"owner": Text("o"), "until": Instant(at), "fence": Number(4),
	})
	var inner string
	r.Map("map", func(r *Reader) { r.Map("inner", func(r *Reader) { inner = r.Text("text") }) })
	got := []any{
		r.Key(), r.Text("text"), r.Int("number"), r.Number("number"), r.Instant("instant"), r.Duration("duration"),
		r.Flag("flag"), r.Binary("binary"), r.Set("set"), inner, r.Lease(),
	}
	want := []any{
		Key{"p", "s"}, "x", -7, int64(-7), at, 3 * time.Microsecond,
		true, []byte{1, 2}, []string{"a", "b"}, "y", Lease{Owner: "o", Until: at, Fence: 4},
	}
	if _, err := Decoded(r, 0); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read\n     %v %v\nwant %v", got, err, want)
	}
}

// read reads one attribute in every way.
var read = map[string]func(r *Reader, name string) (zero bool){
	"text":     func(r *Reader, name string) bool { return r.Text(name) == "" },
	"number":   func(r *Reader, name string) bool { return r.Number(name) == 0 },
	"instant":  func(r *Reader, name string) bool { return r.Instant(name).IsZero() },
	"duration": func(r *Reader, name string) bool { return r.Duration(name) == 0 },
	"flag":     func(r *Reader, name string) bool { return !r.Flag(name) },
	"binary":   func(r *Reader, name string) bool { return r.Binary(name) == nil },
	"set":      func(r *Reader, name string) bool { return r.Set(name) == nil },
	"map": func(r *Reader, name string) bool {
		called := false
		r.Map(name, func(*Reader) { called = true })
		return !called
	},
}

func TestAbsentIsZeroAndAnotherTypeIsDamage(t *testing.T) {
	list := &types.AttributeValueMemberL{}
	for kind, zero := range read {
		absent := NewReader(Item{})
		if !zero(absent, "x") {
			t.Errorf("an absent %s is not zero", kind)
		}
		if _, err := Decoded(absent, 0); err != nil {
			t.Errorf("an absent %s: %v", kind, err)
		}
		damaged := NewReader(Item{"x": list, "y": Text("later")})
		zero(damaged, "x")
		damaged.Damaged("y")
		v, err := Decoded(damaged, 7)
		if err == nil || !strings.Contains(err.Error(), `"x"`) || v != 0 {
			t.Errorf("%s of another type: %d, %v", kind, v, err)
		}
	}
	inner := NewReader(Item{"map": Map(Item{"x": list})})
	inner.Map("map", func(r *Reader) { r.Text("x") })
	if _, err := Decoded(inner, 0); err == nil || !strings.Contains(err.Error(), `"map"`) {
		t.Errorf("damage in a map: %v", err)
	}
}

func TestForm(t *testing.T) {
	for _, test := range []struct {
		name   string
		it     Item
		newest int
		want   int
		ok     bool
	}{
		{"absent", Item{}, 1, 1, true},
		{"absent, and there is a newer one", Item{}, 3, 1, true},
		{"the newest", Item{"form": Number(3)}, 3, 3, true},
		{"the one before", Item{"form": Number(2)}, 3, 2, true},
		{"of a later program", Item{"form": Number(4)}, 3, 4, false},
		{"no number", Item{"form": Text("2")}, 3, 1, false},
	} {
		r := NewReader(test.it)
		got := r.Form(test.newest)
		if _, err := Decoded(r, 0); got != test.want || (err == nil) != test.ok {
			t.Errorf("%s: form %d, %v", test.name, got, err)
		}
	}
}

func TestOmitZero(t *testing.T) {
	it := OmitZero(Item{
		"zero": Number(0), "empty": Text(""), "false": Flag(false), "no bytes": Binary(nil), "no members": Set(nil), "never": Instant(time.Time{}),
		"number": Number(1), "text": Text("0"), "flag": Flag(true), "bytes": Binary([]byte{0}), "set": Set([]string{""}), "map": Map(Item{}),
	})
	want := []string{"bytes", "flag", "map", "number", "set", "text"}
	if got := slices.Sorted(maps.Keys(it)); !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
}

func TestPaddedSortsAsNumbersDo(t *testing.T) {
	ids := []int64{-1 << 40, -1, 0, 1, 9, 10, 99, 100, 2_000_000_000, 9_999_999_999_999_999, 1 << 62}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = Padded(id)
		if len(texts[i]) != 16 {
			t.Errorf("%d is %q", id, texts[i])
		}
	}
	if !slices.IsSorted(texts) {
		t.Errorf("not sorted: %v", texts)
	}
}

func TestChangeNamesWhatItsExpressionsUse(t *testing.T) {
	for _, test := range []struct {
		name          string
		change        Change
		names, values []string
	}{
		{"a put without a condition", Change{Item: Item{"a": Number(1)}}, nil, nil},
		{"a put that must be new", Change{Condition: Absent}, []string{"#pk"}, nil},
		{
			"an update",
			Change{
				Update: "SET #a = :a REMOVE #problems.#mts", Condition: "#b < :b OR " + LeaseFree,
				Values: Item{":a": Number(1), ":b": Number(2), ":now": Number(3), ":unused": Number(4)},
			},
			[]string{"#a", "#b", "#mts", "#owner", "#problems", "#until"}, []string{":a", ":b", ":now"},
		},
	} {
		if got := slices.Sorted(maps.Keys(test.change.names())); !slices.Equal(got, test.names) {
			t.Errorf("%s: names %v, want %v", test.name, got, test.names)
		}
		if got := slices.Sorted(maps.Keys(test.change.values())); !slices.Equal(got, test.values) {
			t.Errorf("%s: values %v, want %v", test.name, got, test.values)
		}
		if test.names == nil && (test.change.names() != nil || test.change.values() != nil || test.change.condition() != nil) {
			t.Errorf("%s: DynamoDB refuses empty maps and conditions", test.name)
		}
	}
}

func TestChangeNamesAttributesThatNoExpressionHolds(t *testing.T) {
	c := Change{
		Update: "SET #slot = :slot, #b = :b", Condition: "#b < :b",
		Names: map[string]string{"#slot": "slot_a-1#2", "#unused": "u-1"},
	}
	if got, want := c.names(), map[string]string{"#slot": "slot_a-1#2", "#b": "b"}; !maps.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
}
