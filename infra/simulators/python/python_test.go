package python_test

import (
	"encoding/json"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// What is wanted is what python3 printed.
func TestWritten(t *testing.T) {
	for _, each := range []struct {
		value      any
		repr, json string
	}{
		{nil, `None`, `null`},
		{true, `True`, `true`},
		{false, `False`, `false`},
		{0, `0`, `0`},
		{int64(-7), `-7`, `-7`},
		{json.Number("12345678901234567890.10"), `12345678901234567890.10`, `12345678901234567890.10`}, // as it came, unlike Python

		{0.0, `0.0`, `0.0`},
		{-2.5, `-2.5`, `-2.5`},
		{1e6, `1000000.0`, `1000000.0`},
		{1234567.8, `1234567.8`, `1234567.8`},
		{2014391641351279.0, `2014391641351279.0`, `2014391641351279.0`},
		{1e16, `1e+16`, `1e+16`},
		{12345678901234568.0, `1.2345678901234568e+16`, `1.2345678901234568e+16`},
		{0.0001, `0.0001`, `0.0001`},
		{0.00001, `1e-05`, `1e-05`},
		{1e100, `1e+100`, `1e+100`},

		{``, `''`, `""`},
		{`it's`, `"it's"`, `"it's"`},
		{`say "it"`, `'say "it"'`, `"say \"it\""`},
		{`"it's"`, `'"it\'s"'`, `"\"it's\""`},
		{`a\b/c`, `'a\\b/c'`, `"a\\b/c"`},
		{"\n\r\t", `'\n\r\t'`, `"\n\r\t"`},
		{"\b\f\x00\x1f\x7f", "'\b\f\x00\x1f\x7f'", `"\b\f\u0000\u001f\u007f"`},
		{"é😀", `'é😀'`, `"\u00e9\ud83d\ude00"`},
		{"\u0085\u00a0\u00ad\U000e0001", "'\u0085\u00a0\u00ad\U000e0001'", `"\u0085\u00a0\u00ad\udb40\udc01"`},
		{"\u200b\u2028", "'\u200b\u2028'", `"\u200b\u2028"`},

		{[]any{}, `[]`, `[]`},
		{[]any{1, "a", []any{nil}}, `[1, 'a', [None]]`, `[1, "a", [null]]`},
		{[]int64{}, `[]`, `[]`},
		{[]int64{7, 8}, `[7, 8]`, `[7, 8]`},
		{map[string]any{}, `{}`, `{}`},
		{map[string]any{"b": true, "a'": map[string]any{"é": 1.0}}, `{"a'": {'é': 1.0}, 'b': True}`, `{"a'": {"\u00e9": 1.0}, "b": true}`},
		{python.Dict{}, `{}`, `{}`},
		{python.Dict{{"b", 1}, {"a", python.Dict{{"c", nil}}}}, `{'b': 1, 'a': {'c': None}}`, `{"b": 1, "a": {"c": null}}`},
	} {
		if got := python.Repr(each.value); got != each.repr {
			t.Errorf("repr of %#v: %s, want %s", each.value, got, each.repr)
		}
		if got := string(python.AppendJSON([]byte("> "), each.value)); got != "> "+each.json {
			t.Errorf("JSON of %#v: %s, want > %s", each.value, got, each.json)
		}
		want := each.repr
		if s, ok := each.value.(string); ok {
			want = s
		}
		if got := python.Str(each.value); got != want {
			t.Errorf("str of %#v: %s, want %s", each.value, got, want)
		}
	}
}

func TestReprTuple(t *testing.T) {
	for want, elements := range map[string][]any{
		`()`:                {},
		`('name',)`:         {"name"},
		`('id', 'in', [7])`: {"id", "in", []any{7}},
	} {
		if got := python.ReprTuple(elements); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got, want := python.ReprTuple([]int64{5, 6}), `(5, 6)`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTruthAndType(t *testing.T) {
	for _, each := range []struct {
		value  any
		truthy bool
		name   string
	}{
		{nil, false, "NoneType"},
		{false, false, "bool"},
		{true, true, "bool"},
		{"", false, "str"},
		{"False", true, "str"},
		{0, false, "int"},
		{-1, true, "int"},
		{0.0, false, "float"},
		{0.1, true, "float"},
		{json.Number("0"), false, "int"},
		{json.Number("-12"), true, "int"},
		{json.Number("0.0"), false, "float"},
		{json.Number("1e3"), true, "float"},
		{json.Number("1E999"), true, "float"},
		{[]any{}, false, "list"},
		{[]any{nil}, true, "list"},
		{map[string]any{}, false, "dict"},
		{map[string]any{"": nil}, true, "dict"},
	} {
		if got := python.Truthy(each.value); got != each.truthy {
			t.Errorf("%#v is %t", each.value, got)
		}
		if got := python.TypeName(each.value); got != each.name {
			t.Errorf("%#v is of type %s, want %s", each.value, got, each.name)
		}
	}
}
