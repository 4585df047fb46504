package jq_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

// samples are values of every type, as they are written in a program.
var samples = []string{
	`null`, `false`, `true`, `0`, `2`, `-1`, `1.5`, `-0.5`, `1e19`, `nan`, `""`, `" "`, `"axbx"`, `[]`, `[1]`, `[7, "x"]`, `["x", null, [0]]`, `{}`, `{"a": 1}`, `{"start": 1, "end": null}`,
}

// endless are samples of which something may need more work than there is.
var endless = []string{`1e19`, `nan`}

// forms are programs with one sample, V, or two, V and W.
var forms = slices.Concat(
	// Looking into a value.
	strings.Split(`V | .[]~V | .[]?~V | ..~V | .x~V | .x?~V | ."a"?~V | .[0]~V | .[0]?~V | .[-1]~V | .[1:]~V | .[:1]~V | .[1:]?~V | [.[]?]`, `~`),
	strings.Split(`V | .[W]~V as $v | $v[W]~V as $v | [$v[W]?]~V | .[W:]~V | .[:W]~V | [.[W:]?]~V | .[W:1]~W as $w | V | path(.[$w])?`, `~`),
	strings.Split(`V as [$a, $b] | [$a, $b]~V as {a: $a} | $a~V as {$a} | $a~V as [[$a]] | $a`, `~`),
	// Operators.
	strings.Split(`V + W~V - W~V * W~V / W~V % W~V == W~V != W~V < W~V <= W~V > W~V >= W~V and W~V or W~V // W~V | not~-(V)~[V, W]~[V, W] | sort~[V, W] | unique~[V, W] | add~[V, W] | min, max`, `~`),
	strings.Split(`if V then 1 else 2 end~{a: V}~{(V): W}~"\(V)-"~[V, W] | index(W)~reduce V as $x (W; $x)~reduce (V, W) as $x (null; . + $x)~foreach V as $x (W; $x; [., $x])~first(V, W)~try error(V) catch .~[V | (W, error)?]~V | (.a, .b) = W~V | .[0] |= W~V | .[W] = 1~V | .[W] |= 1~V | .[W] += 1~V | .[W] //= 1~V | .[W:] = [9]~V | .[]? = W~V | .[]? += W~V | del(.[W])~V | del(.[W:])~V | del(.[0], .[W])`, `~`),
	// Both samples as arguments, and inside of others.
	strings.Split(`[limit(V; W)]~[limit(V; 1, W)]~[nth(V; W, 1)]~[limit(3; range(V; W))]~[limit(3; range(V; W; 2))]~[1, 2, 3] | .[V:W]~"axbxc" | .[V:W]~[1, 2, 3] | .[V:W] = [9]~[1, 2, 3] | .[V:W] |= map(0)~[1, 2, 3] | del(.[V], .[W])~[1, [2], 3] | del(.[V:W])~[1, 2, 3] | del(.[V:], .[W])~[[1], [2]] | delpaths([[V, W], [W]])~"axbxc" | sub(V; W)~"axbxc" | gsub("(?<a>x)"; V, W)~"axbxc" | [match(V; W)]~[1, 2] | setpath([V]; W)~null | setpath([V, W]; 1)~{a: [1, null]} | getpath(["a", V, W])~{a: [1, null]} | .a[V]?~[1, [2]] | .[V][W]?~[1, [2]] | [.[V][W]?]~pow(V; W)`, `~`),
	strings.Split(`[V, W] | join("-")~[V, W] | join(W)~[V, W] | sort_by(.)~[V, W] | group_by(.)~[V, W] | from_entries~[{key: V, value: W}] | from_entries~[{name: V, "Value": W}] | from_entries~[V, W] | flatten~[V, W] | flatten(1)~[V, W] | transpose~[V, W] | @csv~[V, W] | @tsv~[V, W] | @sh~[V, W] | implode~[V, W] | mktime~[2020, 1, 2, 3, 4, V, W, 0] | mktime~[V, W] | paths~[V, W] | map(.a?)~[V, W] | combinations~[V, W] | any, all~[V, W] | reverse | .[0]~{a: V} * {a: W}~{a: V} + {a: W}~[V] | contains([W])~{a: V} | contains({a: W})~[V, W] - [W]~{a: V} == {a: W}~[V] < [W]~[V, W] | max_by(.)~[V, W] | unique_by(type)~[V, W] | add | tojson~{a: V, b: W} | to_entries~{a: V, b: W} | map_values(. // empty)~{a: V} | with_entries(.key = W)~[V, W] | .[-1:] += [1]~[V, [W]] | [..]~"\(V)\(W)" | length~[V, W] as [$a, [$b]] | $b~{a: V} as {a: [$a]} | $a~try error({a: V}) catch .a~[V | if . then W else . end]~[V, W] | first(.[] | select(.))~[V, W] | last(.[] | values)~label $out | V, break $out, W`, `~`),
)

// ofNone and ofOne are functions with no and one argument.
var (
	ofNone = strings.Fields(`length utf8bytelength keys to_entries from_entries reverse sort unique min max add any all flatten floor sqrt fabs round ceil trunc exp log2
		tostring tojson tonumber toboolean fromjson ascii_downcase ascii_upcase explode implode type not first last infinite|isinfinite nan|isnan isnormal isinfinite isnan
		values nulls arrays objects iterables scalars booleans numbers strings finites normals transpose toarray abs trim ltrim rtrim paths leaf_paths recurse combinations
		ascii todate fromdate gmtime mktime error recurse_down @text @json @html @uri @csv @tsv @sh @base64 @base64d map(.) map_values(.) with_entries(.) walk(.)
		select(.) isvalid(.) isempty(.) sort_by(.) group_by(.) unique_by(.) min_by(.) max_by(.) sort_by(.a) map(.a) map_values(empty) any(.) all(.) path(..) first(.[]) last(.[]) splits("x") [limit(1;.[])] [skip(1;.[])]
		strftime("%Y") strptime("%Y") INDEX(.) [while(.;null)] until(.;1) [paths(.)] pick(.a) pick(.[0]) add(.[]) del(.) del(.[]) tojson|fromjson ascii_downcase? length? to_entries?`)
	ofOne = strings.Fields(`has contains inside in index rindex indices getpath startswith endswith ltrimstr rtrimstr trimstr split join flatten test match capture scan splits delpaths nth
		combinations format error strptime strftime range [limit(2;repeat(W))] IN sub("x";W) sub(W;"y") gsub("x";W) gsub(W;"y") split(W;null) split("x";W) test("X";W) test(W;"gx") [scan(W;"i")] test(W;"i") test(W;null) match(W;"g") [match("x";W).offset]
		setpath(W;1) setpath([W];1) setpath([0];W) setpath(["a"];W) setpath([W,W];1) getpath([W]) getpath([W,W]) getpath(["a",W]) delpaths([W]) delpaths([[W]]) delpaths([[W,0]]) path(getpath([W])) paths(.==W) [limit(W;1,2)] [skip(W;1,2)] [nth(W;1,2)] first(W) map(.==W) map(W) map_values(W) select(W) select(.==W) any(.==W) all(.==W) any(W;.) [range(W;2)] [range(0;W)] [range(0;2;W)] pow(W;2) pow(2;W) with_entries(.value=W) sort_by(W) group_by(W) walk(W) isempty(W) INDEX(W) [.[W]?] [limit(3;recurse(W))] add(W) ltrimstr(W)? dateadd("seconds";W)`)
)

// allForms are the forms and all functions, with V as their input and W as an argument.
func allForms() []string {
	all := slices.Clone(forms)
	for _, f := range ofNone {
		all = append(all, "V | "+f)
	}
	for _, f := range ofOne {
		if !strings.Contains(f, "W") {
			name, rest, _ := strings.Cut(f, "|")
			if f = name + "(W)"; rest != "" {
				f += " | " + rest
			}
		}
		all = append(all, "V | "+f)
	}
	return all
}

// Every operator, index and function gives what it gives in jq 1.5 for values of every
// type, and what is foreseen of it is never too little.
func TestEveryFunctionWithEveryType(t *testing.T) {
	var values []any
	for _, text := range samples {
		var v any
		if text == "nan" {
			values = append(values, math.NaN())
			continue
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	compared := 0
	for _, form := range allForms() {
		text := "|.v as $v | .w as $w | " + strings.NewReplacer("\"Value\"", "\"Value\"", "V", "$v", "W", "$w").Replace(form)
		code, differs, err := like15("." + text)
		foresights := map[string]seeding.Types{} // of programs and types of their fields
		for i, v := range values {
			for j, w := range values {
				if j > 0 && !strings.Contains(form, "W") {
					break
				}
				record := map[string]any{"v": v, "w": w}
				got, failed, spent, errOfOurs := jq.Results(text, record)
				if spent && (slices.Contains(endless, samples[i]) || slices.Contains(endless, samples[j])) {
					continue
				}
				if errOfOurs != nil || spent {
					t.Errorf("%s: %v, spent %t", text, errOfOurs, spent)
					break
				}
				foreseen(t, text, record, got, foresights)
				written := "|" + strings.NewReplacer("\"Value\"", "\"Value\"", "V", samples[i], "W", samples[j]).Replace(form)
				if results, _, spent, err := jq.Results(written, record); err == nil && !spent {
					foreseen(t, written, nil, results, foresights)
				}
				if err != nil { // a function that gojq has not
					continue
				}
				*differs = false
				want, wantFailed := resultsOf(code, record)
				if *differs {
					continue
				}
				compared++
				a, b := asText(t, got), asText(t, want)
				if !alike(read(t, []byte(a)), read(t, []byte(b))) || failed != wantFailed {
					t.Errorf("%s with %s:\n got %s, failed %t\nwant %s, failed %t", form, asText(t, []any{v, w}), a, failed, b, wantFailed)
				}
			}
		}
	}
	t.Logf("%d results compared", compared)
}

// foreseen checks what is foreseen of a program, with fields of a known and of any type.
func foreseen(t *testing.T, text string, record map[string]any, results []any, known map[string]seeding.Types) {
	t.Helper()
	types := map[string]seeding.Types{}
	for name, v := range record {
		types[name] = onlyType(v)
	}
	for _, fields := range []map[string]seeding.Types{types, ofAnyType(record)} {
		key := fmt.Sprint(text, fields)
		gives, ok := known[key]
		if !ok {
			gives = seeding.AnyType
			if o, err := (jq.Mappings{}).Foresee(text, fields); err == nil {
				gives = o.Gives
			}
			known[key] = gives
		}
		for _, v := range results {
			if typeOf(v)&gives == 0 {
				t.Errorf("%s with %s: gives %v, foreseen were the types %b", text, asText(t, []any{record}), v, gives)
			}
		}
	}
}

// onlyType is the narrowest type that v has.
func onlyType(v any) seeding.Types {
	switch v := v.(type) {
	case string:
		if strings.TrimSpace(v) == "" {
			return seeding.Blank
		}
		return seeding.Text
	case []any:
		kinds := make([]seeding.Types, len(v))
		for i, element := range v {
			kinds[i] = onlyType(element)
		}
		switch {
		case len(v) == 0:
			return seeding.Empty
		case slices.Equal(kinds, []seeding.Types{seeding.Number}):
			return seeding.Numbers
		case slices.Equal(kinds, []seeding.Types{seeding.Number, seeding.Text}):
			return seeding.Pair
		}
		return seeding.List
	}
	return typeOf(v)
}
