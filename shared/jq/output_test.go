package jq_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

// What jq 1.5 reads and what it does not, by running it (jq-1.5 of pyjq 2.6.0, which
// is MTS's): want is a part of the refusal, or "" for what it reads.
func TestAnOutputFormatIsAProgramOfJq15(t *testing.T) {
	for text, want := range map[string]string{
		// What configurations have.
		`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`:                                          "",
		`[{updateId: .input.vid, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token, status: "valid"}]}]`:               "",
		`if .output.status == "processed" then {partner_id: .input.id, id_type: "T", value: .output.token} else empty end`:   "",
		`select(.output.status == "processed") | {partner_id: (.input.id | tonumber), id_type: "T", value: .output.token}`:   "",
		`.input as $i | .output as {token: $t} | {partner_id: $i.id, id_type: "T", value: $t}`:                               "",
		`{name: (.input.given_name + " " + .input.family_name | ascii_upcase), ids: [{id_type: "T", value: .output.token}]}`: "",
		"# comment\n{partner_id: .input.id, # more\n id_type: \"T\", value: .output.token}":                                  "",
		`{"partner_id": .input["id"], "id_type": "T", "value": .output."token", expiry_date: (now | strftime("%Y-%m-%d"))}`:  "now is not available",
		`def token: {id_type: "T", value: .output.token}; {updateId: .input.vid, ids: [token]}`:                              "",
		`{a: -1|floor, "b": .a?, (.input.x): 2, $__loc__}`:                                                                   `does not take "__loc__" here`,
		`{birthdate: (.input.birthdate | gsub("/"; "-")), ids: []}`:                                                          "",
		`try .input.x catch "y"`: "",
		`.output | to_entries | map(select(.value != null)) | from_entries`: "",
		`reduce .input.x[] as [$a, {b: $b}] (0; . + 1)`:                     "",
		`foreach .input.x[] as $a (0; . + 1)`:                               "",
		`[.input.x[] | {a: .b.c[0], d}]`:                                    "",
		`{if: 1, and: .and}`:                                                "",
		`"\(.input.id): \(.output | tojson)" | @json`:                       "",
		`.. | numbers`:                               "",
		`label $f | .input, break $f`:                "",
		`.input.x[1:]?, .input.x[:2], .input.x[1:2]`: "",
		`(.input.x | tonumber)?`:                     "",
		`.input.id // .output.vid // "x"`:            "",
		`-.input.id + 1`:                             "",
		`@base64 "x\(.input.id)y"`:                   "",
		`. as $x | [$x[]]`:                           "",

		// What came later.
		`{a: 1 + 2}`:                       "the value of a must stand in round brackets",
		`{value: .output.token // ""}`:     "the value of value must stand in round brackets",
		`{a: (.input.id | tonumber)?}`:     "the value of a must stand in round brackets",
		`{a: if .x then 1 else 2 end}`:     "the value of a must stand in round brackets",
		`{a: .b | .c + 1}`:                 "the value of a must stand in round brackets",
		`{"a b": 1 == 2}`:                  "the value of this member must stand in round brackets",
		`{(.x): 1, b: 2 * 3}`:              "the value of b must stand in round brackets",
		`if .output.token then .input end`: "if without else is not in jq 1.5",
		`if .a then 1 elif .b then 2 end`:  "elif without else is not in jq 1.5",
		`.input.x.[0]`:                     "a dot before [ is not in jq 1.5",
		`{if}`:                             "write {if: .if}",
		`. as {$a: [$b]} | $b`:             "$name: in a pattern",
		`. as [$a] ?// $a | $a`:            "?// is not in jq 1.5",
		`if . then 1 else 2 end | if . then 3 else 4 end.a`: `does not take ".a" here`,
		`reduce (if . then 1 else 2 end) as $x (0; .)`:      "",
		`if . then 1 else 2 end as $x | $x`:                 `does not take "as" here`,
		`(.a)?.b`:                                           `does not take ".b" here`,
		"{a:\r\n1}":                                         `does not take the character "\r" here (at character 4)`,
		`walk(.)`:                                           "walk with 1 arguments is not in jq 1.5",
		`[.input.x[] | trim]`:                               "trim with 0 arguments is not in jq 1.5",
		`isempty(.a)`:                                       "isempty with 1 arguments is not in jq 1.5",
		`.input.x | @base64d`:                               "the format @base64d is not in jq 1.5",
		`.input.x | IN(1, 2)`:                               "IN with 1 arguments is not in jq 1.5",
		`$ENV.PATH`:                                         "$ENV is not available",
		`env.PATH`:                                          "env is not available: an expression may only look at .input and .output (at character 1)",
		`input`:                                             "input is not available",
		`import "a" as a; .`:                                `does not take "import" here`,
		``:                                                  "is empty",
		"#\x00\n.input":                                     "holds a NUL character",
		".input\x00 | env":                                  "holds a NUL character",
		"# nothing":                                         "expects more at the end",
		"#\\\n0":                                            `leave out the \ at its end (at character 2)`,
		"0 # a\\\n| 1":                                      `leave out the \ at its end`,
		`"# a\\"`:                                           "",
		"def f: 1;":                                         "wants an expression",
		`{partner_id: .input.id`:                            "is not valid jq",
		`.input | nosuch`:                                   "there is no function nosuch",
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000):       "is nested too deep",
		strings.Repeat("(", 1500) + "." + strings.Repeat(")", 1500): "is nested too deep",
		`"` + strings.Repeat("x", 10_000) + `"`:                     "is longer than 10000 bytes",
	} {
		_, err := jq.Mappings{}.CompileOutput(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

// The place that a refusal names is where it is, in characters.
func TestWhereAnOutputFormatIsRefused(t *testing.T) {
	for text, at := range map[string]int{
		`{é: 1, a: 1 + 2}`:                          -1, // gojq reads no such key
		`{"é": 1, a: 1 + 2}`:                        15,
		`if .a then 1 else 2 end, if .b then 1 end`: 26,
		`[1] | .[0], .input.x.[0]`:                  21,
		`"if" | if . then 1 end`:                    8,
		"\n\n. | walk(.)":                           7,
	} {
		_, err := jq.Mappings{}.CompileOutput(text)
		if err == nil || at >= 0 && !strings.HasSuffix(err.Error(), fmt.Sprintf("(at character %d)", at)) {
			t.Errorf("%q: %v, want at %d", text, err, at)
		}
	}
}

// The document is MTS's (facts/mts.md 3.4), and of the results the first counts; an
// error, even a later one, leaves none (3.5).
func TestWhatAnOutputFormatSeesAndGives(t *testing.T) {
	document := seeding.OutputDocument{
		Input: seeding.Record{"id": 17, "vid": "6104", "name": "Ana"}, VID: "6104", Status: "processed", Token: "987",
	}
	for _, c := range []struct {
		text string
		want any
		err  error
	}{
		{`.`, map[string]any{
			"input":  map[string]any{"id": 17, "vid": "6104", "name": "Ana"},
			"output": map[string]any{"vid": "6104", "status": "processed", "token": "987", "errorCode": nil, "errorMessage": nil},
		}, nil},
		{`.input.id, .output.token`, 17, nil},
		{`empty`, nil, nil},
		{`null`, nil, nil},
		{`.missing`, nil, nil},
		{`false`, false, nil},
		{`.input.id, error("x")`, nil, seeding.ErrOutputFailed},
		{`.input.id | .x`, nil, seeding.ErrOutputFailed},
		{`[.input.id, .output.errorCode]`, []any{17, nil}, nil},
		{`def f: f; f`, nil, seeding.ErrOutputSpent},
		{`[range(100000)]`, nil, seeding.ErrOutputSpent},
		{`reduce range(60) as $i (1; [., .])`, nil, seeding.ErrOutputSpent}, // small, as long as nobody walks through it
		{`"a" * 1000000`, nil, seeding.ErrOutputSpent},
	} {
		p, err := jq.Mappings{}.CompileOutput(c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		got, err := p.Evaluate(document)
		if !reflect.DeepEqual(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v; want %v, %v", c.text, got, err, c.want, c.err)
		}
	}
}

// What of .input an Output Format reads is known before it is run, and never too
// little: by that is decided whether the registry is read.
func TestWhatAnOutputFormatReads(t *testing.T) {
	fields := map[string]seeding.Types{"id": seeding.Number, "vid": seeding.Text, "name": seeding.AnyType}
	for text, want := range map[string]struct {
		reads []string
		needs bool
	}{
		`{partner_id: .input.id, value: .output.token}`:       {[]string{"id"}, false},
		`[{updateId: .input.vid, v: .output}]`:                {[]string{"vid"}, false},
		`.output`:                                             {nil, false},
		`.input["id"]`:                                        {[]string{"id"}, false},
		`.input | .id`:                                        {[]string{"id"}, false},
		`.input as {id: $i} | $i`:                             {[]string{"id"}, false},
		`. as {input: {vid: $v}} | $v`:                        {[]string{"vid"}, false},
		`getpath(["input", "id"])`:                            {[]string{"id"}, false},
		`getpath([])`:                                         {nil, true},
		`getpath([.output.status][:0])`:                       {nil, true},
		`if .output.token then .input.id else .input.vid end`: {[]string{"id", "vid"}, false},
		`.input.name`:                                         {[]string{"name"}, true},
		`.input.other`:                                        {[]string{"other"}, true},
		`.`:                                                   {nil, true},
		`.input`:                                              {nil, true},
		`.[]`:                                                 {nil, true},
		`..`:                                                  {nil, true},
		`.input[]`:                                            {nil, true},
		`.input | keys`:                                       {nil, true},
		`to_entries`:                                          {nil, true},
		`tojson`:                                              {nil, true},
		`.[.output.status]`:                                   {nil, true},
		`.input[.output.status]`:                              {nil, true},
		`. as $d | [$d]`:                                      {nil, true},
		`{input}`:                                             {nil, true},
		`path(..)`:                                            {nil, true},
		`.input = 1 | .output`:                                {nil, true},
		`del(.input) | .output`:                               {nil, true},
		`[.input, .output] | .[0].name`:                       {nil, true},
		`def f: .name; .input | f`:                            {[]string{"name"}, true},
		`def f(g): g; f(.input.name)`:                         {[]string{"name"}, true},
		`map(.name)`:                                          {nil, true},
	} {
		p, err := jq.Mappings{}.CompileOutput(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		o := p.Foresee(fields)
		slices.Sort(o.Reads)
		if seeding.NeedsRecord(o) != want.needs || !o.ReadsAny && !slices.Equal(o.Reads, want.reads) {
			t.Errorf("%s: reads %q, others %t", text, o.Reads, o.ReadsAny)
		}
	}
}

// Whatever is written, compiling and evaluating ends, and never panics.
func FuzzOutputFormat(f *testing.F) {
	for _, text := range []string{
		`{partner_id: .input.id, id_type: "T", value: .output.token}`, `[{updateId: .input.vid, ids: [{id_type: "T", value: .output.token}]}]`,
		`if .a then 1 end`, `"\(1)"`, `. as [$a, {b: $c}] | $a`, `def f(g; $x): g; f(.; 1)`, `.a.[0]`, `@json "x\(.)"`, `{a: 1 + 2}`, `try error("x") catch .`, "# x\n1", `reduce .[] as $x (0; 1)`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := jq.Mappings{}.CompileOutput(text)
		if err != nil {
			return
		}
		p.Foresee(nil)
		result, err := p.Evaluate(seeding.OutputDocument{Input: seeding.Record{"id": 1, "vid": "2"}, VID: "2", Status: "processed", Token: "3"})
		if err == nil {
			_, _ = seeding.ReadUpdate(result)
		}
	})
}
