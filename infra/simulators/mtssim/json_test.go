package mtssim

import (
	"reflect"
	"testing"
)

func TestMalformedJSON(t *testing.T) {
	for _, text := range []string{
		"", " nul", "{a", `{"a" 1}`, "{\"é\":1\n 2}", `{"a":1,}`, "[1,]", "[1 2]", `"a`, "\"a\nb\"", `"a\xb"`, `"\u12g4"`, "01", "NaN",
	} {
		if v, err := decodeJSON([]byte(text)); err == nil {
			t.Errorf("%q was read as %#v", text, v)
		}
	}
}

func TestValues(t *testing.T) {
	got, err := decodeJSON([]byte(` {"a": [1, -2.50, 1e2, true, false, null], "b": {"\u00e9\ud83d\ude00\/": "\n\\"}, "c": 123456789012345678901 } `))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"a": []any{1, -2.5, 100, true, false, nil},
		"b": map[string]any{"é😀/": "\n\\"},
		"c": 1.2345678901234568e+20,
	}
	if got = asJQNumbers(got); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}
