package jq_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

// document is the input of programs.
const document = `{"a":1,"b":"text","n":null,"f":false,"t":true,"x":1.5,"s":"María José, 12 Calle","list":[3,1,2],"o":{"k":"v","z":[1,{"y":2}]},
		"many2one":[7,"Manila"],"ids":[1,2,3],"words":["b","a","c","a"],"date":"1990-11-02","phone":"+63 917-123 4567","people":[{"name":"B","age":3},{"name":"A","age":3},{"name":"C","age":1}]}`

// programs are ones whose results are known from another implementation.
var programs = []string{
	`a`, `b`, `n`, `missing`, `a.b`, `a?`, `a.b?`, `list[0]`, `list[-1]`, `list[9]`, `list[1:]`, `list[:-1]`, `list[1:2]`, `s[1:4]`, `s[-5:]`, `list[]`, `o[]`, `o.z[1].y`,
	`missing | @base64d | explode`, `a.b.c?`, `b.x.y?`, `b[].x?`, `list[].x?`, `list.x[]?`, `a[]?`, `a.b?.c`, `a.b?.c?`, `a.b??`, `b.x.y??`, `b.x[]??`, `b.x.y??.z`, `o.k.x?`, `o.z[0].x?`, `o.z[0][]?`, `s[1:].x?`, `missing.x.y?`, `|[.a.b?, .a.b.c?]`, `list["x"][0]?`, `o[.k].x?`, `o[("k", "z")].x?`,
	`n[.n]`, `n[.t]`, `n["x"]`, `n[3]`, `b[. ]`, `list[{}]`, `list | .[{start: 1, end: null}]`,
	`missing | has("x")`, `missing | has(0)`, `list | has(-0.5)`, `t | has("x")`, `missing[[1]]`, `missing | getpath([[1]])?`, `list | .[{start: 1, end: 2}]`, `list | [][.]`, `list[.list]`, `|[foreach [] as $x (0; $x[$x])]`,
	`list | del(.[0], .[-3])`, `list | del(.[0], .[0])`, `list | del(.[0:2], .[1])`, `list | del(.[-1])`, `list | del(.[{start: 1}])?`, `list[nan]`, `b[nan]`, `list[-0.5]`, `b | .[:-0.5]`, `list[0.5] = 9 | .list`, `list | del(.[0.5])`, `list | has(nan)`, `a | nan == nan, nan < nan`, `|[nan, nan] | unique | length`, `list | flatten(nan)?`, `o | del(.z[0], .z[0].x?, .k)`, `n | del(.a, .[1])`, `list | delpaths([[[1]]])?`, `b | delpaths([[0, 1]])?`,
	`|"\(.ids[])\(.list[])"`, `|@json "a\(.ids[])b\(.words[])c"`, `|{"\("a", "b")\("c", "d")": (1, 2)} | tojson`, `|[{a: (1, 2), b: (3, 4), c: (5, 6)}]`, `|[.list[(0, 1):(2, 3)]]`, `|[.list[0, 1], .o["k", "z"]]`, `|[.o[("k", "z")][0]?]`, `|[(1, 2) as $x | (3, 4) as $y | [$x, $y]]`, `|[if (true, false) then (1, 2) else (3, 4) end]`, `|[(true, false) and (true, false)]`, `|[(true, false) or (true, false)]`, `|[(null, 1, false, 2) // (3, 4)]`, `|[(null, false) // (3, 4)]`,
	`|[.list | has(0, 9)]`, `|[.s | test("a", "J"; null, "i")]`, `|[.s | split("a", "e"; null, "i")]`, `|[.s | sub("a", "e"; "x", "y")]`, `|[.s | sub("a", "e"; "x", "y"; "", "g")]`, `|[.s | ltrimstr("M", "Ma")]`, `|[pow(2, 3; 1, 2)]`, `|[.list | setpath([0], [1]; 8, 9)]`, `|[getpath(["a"], ["o", "k"])]`, `|[.o | getpath(["z", (0, 1)])]`, `|[.list | limit(1, 2; .[])]`, `|[limit(1, 2; 5, 6, 7)]`, `|[range(0, 1; 2, 3)]`, `|[range(0, 1; 3, 4; 1, 2)]`, `|[.list | index(1, 2)]`, `|[.list | .[0, 1] = (7, 8)]`, `|[.list | .[0, 1] |= (7, 8)]`, `|[.list | .[0, 1] += (7, 8)]`, `|[.list | .[0] -= (1, 2)]`, `|[.list | path(.[(0, 1)], first)]`, `|[[[1, 2], [3, 4]] | .[] as [$a, $b] | {a: $a, b: $b}]`, `|[. as {a: $x, (("b", "n")): $y} | [$x, $y]]`, `|[reduce (1, 2) as $x (0, 10; . + $x)]`, `|[foreach (1, 2) as $x (0, 10; . + $x, . * $x; [., $x])]`, `|[reduce (1, 2) as $x (0; . + $x, . * 5)]`, `|def f($a; $b; $c): [$a, $b, $c]; [f(1, 2; 3, 4; 5, 6)]`, `|def f(g; $c): [g, $c]; [f(1, 2; 5, 6)]`, `|[-(1, 2)]`, `|[{(("a", "b")): 1}]`, `|[.a, .x | (1, 2) + .]`, `|[first(range(3, 4; 6))]`, `|[.words | join("-", "+")]`, `|[.list | flatten(0, 1)]`, `|[.o | to_entries[] | .key, .value]`, `|[.words | contains(["a"], ["z"])]`, `|[splits("a", "b")?]`, `|[.s | splits("a", "e")]`, `|[.s | scan("a", "e")]`, `|[.s | [match("a", "e"; "g", null).offset]]`, `|[try error(1, 2) catch .]`, `|[.list | del(.[0], .[1]), del(.[(0, 1)])]`, `|[.list | with_entries(.value += (1, 2))?]`, `|[.o | with_entries(.key += ("a", "b"))]`, `|[.list[] |= empty]`, `|[.list | (.[] | select(. > 1)) |= empty]`, `|[.list | (.[0], .[0]) |= . + 1]`, `|[.o | .z[] |= 1]`, `|[.o | (.k, .z[0]) = 5]`, `|[.date | strptime("%Y-%m-%d", "%Y") | mktime]?`, `|[nth(0, 1; 5, 6)]`, `|[.list | nth(0, 1)]`, `|[until(.a > 0; .), while(false; .)]`, `|[label $f | (1, 2) | ., break $f]`, `|[(1, 2) | ., (3, 4) * .]`,
	`words | join(null)`, `words | join(1)?`, `b | sub("x"; null)`, `b | sub("x"; 1)?`, `o | flatten`, `o | flatten(0)`, `t | contains(true), contains(.)`, `t | contains(false)?`, `b | indices("")`, `|[.[] | finites]`, `|[.[] | normals]`,
	`a | [limit(-1; 1, 2)]`, `a | [limit(null; 1, 2)]`, `a | [skip(-1; 1)]?`, `a | [nth(-1; 1)]?`, `list | with_entries(.)?`, `list | from_entries?`, `o | to_entries | from_entries`, `a | [limit(3; repeat(. + 1))]`, `b * 0.5`, `a * "x"`, `b | . *= 2`, `list[.missing]?`, `list[.a, .n]?`, `list[.a:.missing]?`, `b | scan(["x"])?`, `b | split("x"; "gi")`, `|[last(empty)]`, `n | reverse`, `b | abs?`, `|[.a.x]?`, `[.a.x]?`, `["k", (.a | error)]?`, `a[.a.x]?`, `[.a.x]??`, `[.a.x:]?`, `"\(.a.x)"?`, `o."\(.a.x)"?`, `|{x: .a.x}?`, `|"\(.a.x)"?`,
	`["a"]`, `"a"`, `a, .b`, `list | .[0], .[1]`, `a as $x | $x`, `a as $x | .b as $y | [$x, $y]`, `list as [$p, $q] | $p + $q`, `o as {k: $v} | $v`, `o as {$k, z: [$one, {$y}]} | [$k, $one, $y]`,
	`o as {"k": $v} | $v`, `b as $n | {"k": 1} | . as {("k"): $v} | $v`,
	`n // "d"`, `f // "d"`, `t // "d"`, `|(.n, .a) // "d"`, `missing[0] // .b`, `a.b // "d"`, `list | (.[] | select(. > 1)) // 9`,
	`a + 1`, `a - 1`, `a * 2`, `a / 2`, `x * 2`, `a % 1`, `7 % 3`, `a | 7 % 3`, `a | -7 % 3`, `a | 7 / 2`, `a | 1 / 0`, `a | 1 % 0`, `a | 10 / 5`, `b + "x"`, `n + 1`, `a + .n`, `a + "x"`, `list + [4]`, `list - [1]`, `o + {k: 1}`,
	`o * {z: 1}`, `o * {k: {a: 1}}`, `b * 2`, `b / "x"`, `s / ", "`, `a | 9007199254740993 + 0`, `a | 0.1 + 0.2`, `a | 1e3`, `a | 100000000000000000000`, `a | -(1)`, `-(.a)`,
	`a == 1`, `a == 1.0`, `a != 1`, `a < 2`, `b > 1`, `n < false`, `list == [3,1,2]`, `list < [4]`, `o < {}`, `o == {k:"v", z:[1,{y:2}]}`, `a and .f`, `a or .f`, `f and error`, `f or .n`, `t and (.t, .f)`, `a | not`,
	`a | if . == 1 then "one" else "other" end`, `a | if . > 1 then "x" elif . == 1 then "y" else "z" end`, `a | if false then 1 end`, `list | if .[] > 2 then "big" else "small" end`,
	`b | "\(.) and \(1 + 1)"`, `list | "x\(.[])y"`, `s | @json`, `list | @csv`, `words | @csv`, `words | @tsv`, `b | @base64`, `b | @base64 | @base64d`, `s | @uri`, `words | @sh`, `s | @text "\(.)"`, `s | @uri "q=\(.)"`, `list | @json "x\(.)"`,
	`[.a, .b]`, `list | map(. + 1)`, `list | [.[] | . * 2]`, `a | {a: ., b: (. + 1)}`, `|{a, b}`, `|{"a"}`, `|{(.b): 1}`, `o as {"\("k")": $v} | $v`, `o | {"k"}`, `a as $x | {"z": $x, "\($x)": 1}`, `|. as $r | {(.b, "q"): $r.a}`, `|{a: .b, c: .s} | to_entries | map(.value)`, `|.[.b, "a"]`, `|.["a", "b"]`, `|[.["a", "b"]]`, `|if .f then .a elif .t then .b else .s end`, `|.list as [$x, {y: $z}] | $x`, `|try error(.b) catch .`, `|try error(.o) catch .k`, `|reduce .list[] as $x (.a; . + $x)`, `|foreach .list[] as $x (.a; . + $x; [., $x])`, `|label $f | .a, break $f`, `|try error catch .s`, `|.x = .b | .a`, `|. = 1`, `|. |= 1`, `b | .[9]`, `b | .[.[1:] | length]`, `|.a as $v | def f: $v; f`, `|def f(g): g; f(.a, .b)`, `|def f($v): .b + $v; f(.s)`, `|limit(2; .a, .b, .s)`, `|[.a, .b] | .[1]`, `|.o.z[1]["y"]`, `|.s[.a:]`, `|.list[.a]`, `|first(.n, .a)`, `|until(.a > 0; .)`, `|del(.a) | .b`, `|.a = .b | .a`, `|.new = .b | .new`, `|.a |= . + 1 | .a`, `|path(.a.b)?`, `|getpath(["o", "k"])`, `|.words | sub("x"; .[0])?`, `|.s | sub("(?<q>M)"; .q + "x")`, `|.s as $s | "a" | sub("a"; $s)`, `|.b as $re | .s | test($re)`, `|[.list[] | select(. > 1)]`, `|.a // .b`, `|(.n // empty), .b`, `|.. | numbers`, `|{"x\(.a)": 2}`, `a as $v | {$v}`, `|{a: (1, 2), b: (3, 4)}`, `|{(.words[]): 1}`,
	`list | reduce .[] as $i (0; . + $i)`, `list | reduce .[] as [$i] (0; . + 1)`, `list | [foreach .[] as $i (0; . + $i)]`, `list | [foreach .[] as $i (0; . + $i; [$i, .])]`, `list | reduce empty as $i (5; . + 1)`,
	`list | label $out | .[] | if . == 1 then ., break $out else . end`, `list | first(.[])`, `list | last(.[])`, `list | [limit(2; .[])]`, `list | [limit(0; .[])]`, `list | nth(1)`, `list | nth(1; .[])`, `list | first, last`, `list | [skip(1; .[])]`,
	`a | try error("x") catch .`, `a | try error catch .`, `a | (error("x"))?`, `list | [.[] | try (if . == 1 then error("e") else . end) catch "c"]`, `list | [.[] | (if . == 1 then error("e") else . end)?]`, `a | try (try error("x") catch error("y")) catch .`, `b | [.[]?]`,
	`a | [(1, error("x"), 3)?]`, `a, error`, `b | error`, `a | try (1, error("x")) catch 9`, `list | [.[] as $x | try error($x) catch .]`, `a | error(null)?`,
	`a | def f: . + 1; f | f`, `a | def f(g): g + g; f(. + 1)`, `a | def f($v): $v + v; f(3)`, `a | def f(g; $v): g + $v; f(. * 10; 5)`, `a | def fac: if . <= 1 then 1 else . * (. - 1 | fac) end; 5 | fac`, `a | def f: def g: 3; g; f`, `a | def f(g): def h: g; h; f(7)`,
	`a | def f($a; $b): $a + $b; [f(1, 2; 10, 20)]`, `a | [range(3)]`, `a | [range(1; 3)]`, `a | [range(0; 10; 3)]`, `a | [range(5; 0; -2)]`, `a | [range(0, 1; 3, 4)]`, `a | [(1, 2) + (10, 20)]`, `a | [(1, 2) < (1, 2)]`,
	`b | length`, `s | length`, `list | length`, `n | length`, `o | length`, `s | utf8bytelength`, `o | keys`, `list | keys`, `o | has("k")`, `list | has(1)`, `o | to_entries`, `o | with_entries(.key |= ascii_upcase)`, `o | to_entries | from_entries`, `people | map({key: .name, value: .age}) | from_entries`,
	`list | sort`, `people | sort_by(.age)`, `people | sort_by(.age, .name) | map(.name)`, `people | group_by(.age) | length`, `words | unique`, `people | unique_by(.age) | map(.name)`, `list | min`, `list | max`, `people | min_by(.age).name`, `people | max_by(.age).name`, `words | reverse`, `list | add`, `words | add`, `o | [.[]] | length`, `people | map(.age) | add`, `a | [] | add`,
	`list | any(. > 2)`, `list | all(. > 2)`, `list | map(. > 0) | all`, `list | any`, `list | isempty(.[])`, `a | isempty(empty)`, `list | contains([1])`, `s | contains("José")`, `o | contains({k: "v"})`, `list | inside([1,2,3,4])`, `b | inside("a text here")`, `list | index(1)`, `s | index("a")`, `s | indices("a")`, `s | rindex("a")`, `list | indices([1,2])`, `list | .[[1]]`, `b | test("x")`,
	`s | startswith("Mar")`, `s | endswith("Calle")`, `s | ltrimstr("María ")`, `s | rtrimstr(" Calle")`, `s | explode | implode`, `b | explode`, `s | split(", ")`, `s | split(" ")[1]`, `s | split("")`, `words | join("-")`, `list | join("-")`, `a | [1, null, "x", true] | join(",")`, `a | [] | join(",")`, `s | ascii_downcase`, `s | ascii_upcase`, `a | tostring`, `list | tostring`, `x | tojson`, `o | tojson | fromjson`, `b | tonumber`, `a | "12" | tonumber`, `a | "1.5" | tonumber`, `a | " 12" | tonumber`, `a | "0x1" | tonumber`, `a | [1,[2,[3]]] | flatten`, `a | [1,[2,[3]]] | flatten(1)`,
	`a | type`, `[.[] | type]`, `x | floor`, `x | ceil`, `x | round`, `x | sqrt`, `a | pow(2; 10)`, `a | infinite | isinfinite`, `a | nan | isnan`, `x | fabs`, `a | -1 | abs`,
	`date | strptime("%Y-%m-%d") | strftime("%Y/%m/%d")`, `date | strptime("%Y-%m-%d") | mktime`, `date | strptime("%d/%m/%Y")`, `date + "T00:00:00Z" | fromdateiso8601`, `a | 0 | todate`, `a | 1425599621 | gmtime | mktime`, `a | 86399.5 | strftime("%H:%M")`,
	`phone | gsub("[^0-9]"; "")`, `phone | sub("\\+63 "; "0")`, `s | gsub("\\s+"; " ")`, `s | gsub("(?<v>[aeiou])"; "<\(.v)>")`, `s | sub("(?<a>[a-z]+)"; "\(.a|ascii_upcase)")`, `s | gsub("^"; ">")`, `s | gsub("";"-")`, `s | gsub("$"; "<")`, `words | join(" ") | gsub("a"; "b", "c")`, `s | sub("nothing"; "x")`, `s | gsub("a|e"; "")`, `s | gsub("[[:digit:]]+"; "#")`,
	`s | test("jos"; "i")`, `s | test(["JOS", "i"])`, `s | match("[0-9]+")`, `s | [match("a"; "g").offset]`, `s | [match("(?<l>[A-Z])([a-z]*)"; "g")]`, `date | capture("(?<y>[0-9]{4})-(?<m>[0-9]{2})")`, `date | capture("(?<y>\\d+)").y`, `s | [scan("[A-Z]")]`, `s | [scan("([A-Z])([a-z])")]`, `s | [splits(", *")]`, `s | split(" +"; null)`, `s | split("a"; "g")`, `s | [match("x*"; "g").offset]`, `a | "aXbxc" | [splits("x"; "i")]`, `s | match("(z)?M").captures`, `s | [match("";"g").offset] | length`, `a | "aab" | [match("a*?"; "g") | [.offset, .length]]`, `a | "foo bar foo" | [match("\\bfoo\\b"; "g").offset]`,
	`list |= map(. + 1) | .list`, `a |= . + 1 | .a`, `a = 5 | .a`, `a += 1 | .a`, `b += "!" | .b`, `n //= 3 | .n`, `list[0] = 9 | .list`, `list[1:] = [9] | .list`, `list[] += 1 | .list`, `new.deep = 1 | .new`, `o.z[1].y |= 5 | .o`, `list |= (.[0] | select(. > 5)) | .list`, `|del(.a) | has("a")`, `list | del(.[0, 2])`, `list | del(.[1:])`, `o | del(.z[1].y)`, `o | [paths]`, `o | [paths(type == "number")]`, `o | getpath(["z", 0])`, `o | [path(..)]`, `o | path(.z[1].y)`, `o | [path(.k, .z[])]`, `o | setpath(["z", 0]; 7)`, `a | null | setpath([2]; 1)`, `o | delpaths([["k"], ["z", 0]])`, `o | map_values(length)`, `list | map_values(empty)`, `o | walk(if type == "number" then . + 1 else . end)`, `o | [..]`, `o | [.. | numbers]`, `o | pick(.z[1].y)`, `list | [.[] | select(. != 2)]`, `o | path(first(.z[]))`, `o | [path(.z | select(length > 1))]`, `o | path(getpath(["z", 1, "y"]))`, `o | path(if .k then .z else .k end)`, `o | path(.q // .k)`, `list | to_entries | map(.key)`,
	`words | INDEX(.) | keys`, `a | IN(1, 2)`, `list | .[] | IN(2, 3)`, `list | map(in([0, 1]))`, `a | [while(. < 20; . * 2)]`, `a | until(. > 100; . * 2)`, `a | [recurse(if . < 3 then . + 1 else empty end)]`, `a | [recurse(. + 1; . < 4)]`, `list | combinations?`, `a | [[1,2],[3,4]] | [combinations]`, `a | [0,1] | [combinations(2)]`, `a | [[1,2],[3]] | transpose`, `s | ascii_downcase | test("maría")`, `people | map(select(.age == 3).name)`, `people[] | select(.name == "A") | .age`, `many2one[1]`, `many2one | .[1] // ""`, `a | "a\tb" | @tsv "\([.])"`, `a as [$x] | $x`, `n as [$x] | $x`, `a | .. `, `a | ("x", "y") as $z | $z`, `a | @html "<\("<&>")>"`,
	`s | trim`, `a | "  x " | trim, ltrim, rtrim`, `list | @sh`, `a | [1, [2]] | @csv`, `people | map(.name) | join(" ")`, `o | to_entries[] | select(.value | type == "string") | .key`, `a | [.[]?]`, `b | .[0:2]`, `n | .[0:2]`, `n | .[]?`, `n[0]`, `a | splits("x")`, `list | .[1.7]`, `list[1.2:2.5]`, `o | .k, .k?`, `list | limit(1; .[] | select(. > 5))`, `s as $x | [$x | splits(" ")] | length`, `a | {a: 1} | .a as $q | {b: $q}`, `a | [1,2,3] | .[1:] | .[0]`, `a | "abc" | .[1:2]`, `a | "x" | ascii_downcase, ascii_upcase`, `a | [3,[1]] | sort`, `a | [{}, [], "s", 1, true, false, null] | sort`, `a | "1,2" | split(",") | map(tonumber) | add`, `a | limit(3; range(100))`, `a | first(range(10; 0; -1))`, `a | tojson`, `a | [.] | tojson`, `a | "\u00e9" | length`, `a | "x" as $x | "y" as $y | $x + $y`, `list | .[0] as $first | .[1:] | map(. + $first)`,
}

// conditions are programs in which types decide what is reached.
var conditions = []string{
	`|[.[] | select(. == null)]`, `|[.[] | select(. != null)]`, `|[.[] | select(. == false)]`, `|[.[] | select(true == .)]`, `|[.[] | select(. == "text")]`, `|[.[] | select(. == 1)]`, `|[.[] | select(. == [1, 2, 3])]`, `|[.[] | select(type == "array")]`, `|[.[] | select("string" != type)]`, `|[.[] | arrays]`, `|[.[] | scalars]`, `|[.[] | iterables]`, `|[.[] | nulls, booleans]`, `|[.[] | select(not)]`, `|[.[] | select(. and true)]`, `|[.[] | select(. == null or type == "object")]`, `|[.[] | select((. == null or . == false) | not)]`,
	`|.[] | if . == null then "null" elif . == false then "false" elif type == "number" then . else "other" end`, `|.[] | if . then "yes" else . end`, `|.[] | if not then . else empty end`, `|.[] | if (type | . == "string" or . == "array") then . else 0 end`, `|.[] | if type == "object" then .k else null end`, `|.[] | . == null and . == false`, `|.[] | . == null or . == false`, `|.[] | select((true, false))`, `|.[] | def f(g): if g then . else "no" end; f(. == null)`, `|.[] | def not: true; if not then . else 1 end`, `|.[] | def type: "number"; if type == "number" then . else 1 end`,
	`ids[0]`, `ids | join("-")`, `ids | tostring`, `ids | add`, `ids | sort | reverse`, `ids | map(. + 1)`, `ids | implode`, `ids | max`, `ids[1:]`, `ids[] | tostring`, `ids | [.[] | .x?] | join("")`, `many2one | .[0], .[1], .[-1], .[5]`, `many2one | join(" ")`, `many2one | reverse | .[0]`, `many2one[1:]`, `many2one | .[] | strings`, `many2one | tojson`, `many2one as [$i, $name] | $name`, `many2one as [$i] | .many2one[$i]`, `|"\(.ids)\(.many2one)"`, `|"\(.ids) \(.b)"`, `f | tostring`, `f // .many2one | tostring`, `b | [.[]?] | join(",")`, `a | [] | add, join(","), first, length`, `a | reduce empty as $x ("s"; 1)`, `list | reduce .[] as $x ("s"; $x)`, `list | last(.[])`, `b + " "`, `b | "" + " "`, `b | ltrimstr("text")`, `b | ascii_downcase | .[1:]`, `b | "\("")"`, `b | @json "\("")"`, `b | .[]? |= 1`, `b | "" // "x"`, `n | false // "x"`, `b | false or . == "text"`,
}

// The language is jq's: gojq, another implementation, gives the same results.
func TestSameResultsAsAnotherJq(t *testing.T) {
	for _, text := range slices.Concat(programs, conditions) {
		var value any
		if err := json.Unmarshal([]byte(document), &value); err != nil {
			t.Fatal(err)
		}
		got, failed, spent, err := jq.Results(text, value)
		if err != nil || spent {
			t.Errorf("%s: %v, spent %t", text, err, spent)
			continue
		}
		want, wantFailed := ofGojq(t, text, value)
		a, b := asText(t, got), asText(t, want)
		if a != b || failed != wantFailed {
			t.Errorf("%s:\n got %s, failed %t\nwant %s, failed %t", text, a, failed, b, wantFailed)
		}
	}
}

func ofGojq(t *testing.T, text string, in any) (all []any, failed bool) {
	t.Helper()
	code, _, err := like15("." + text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return resultsOf(code, in)
}

func resultsOf(code *gojq.Code, in any) (all []any, failed bool) {
	for results := code.Run(in); ; {
		v, more := results.Next()
		if !more {
			return all, false
		}
		if _, ok := v.(error); ok {
			return all, true
		}
		all = append(all, v)
	}
}

func asText(t *testing.T, v []any) string {
	t.Helper()
	text, err := gojq.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is foreseen of a program is never too little: each result has a type that
// was foreseen, and no field matters that it does not read.
func TestForesightIsNeverTooLittle(t *testing.T) {
	var value map[string]any
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatal(err)
	}
	unknown, known := map[string]seeding.Types{}, map[string]seeding.Types{}
	for name, v := range value {
		unknown[name] = seeding.AnyType
		known[name] = typeOf(v) & seeding.AnyType
	}
	known["ids"], known["many2one"] = seeding.Numbers, seeding.Pair
	for _, text := range slices.Concat(programs, conditions, hostile()) {
		results, _, _, _ := jq.Results(text, value)
		for _, fields := range []map[string]seeding.Types{unknown, known} {
			o, err := jq.Mappings{}.Foresee(text, fields)
			if err != nil {
				continue
			}
			for _, v := range results {
				if typeOf(v)&o.Gives == 0 {
					t.Errorf("%.80s: gives %v, foreseen were the types %b", text, v, o.Gives)
				}
			}
			if other, ok := ofWhatIsRead(text, value, o); ok && asText(t, other) != asText(t, results) {
				t.Errorf("%.80s: depends on others than %v", text, o.Reads)
			}
			if o.Same && len(results) != 1 {
				t.Errorf("%.80s: not the same for every record", text)
			}
		}
	}
}

// typeOf returns all types that v has.
func typeOf(v any) seeding.Types {
	switch v := v.(type) {
	case nil:
		return seeding.Null
	case bool:
		if v {
			return seeding.True
		}
		return seeding.False
	case string:
		if strings.TrimSpace(v) == "" {
			return seeding.AnyText
		}
		return seeding.Text | seeding.Written
	case []any:
		if len(v) == 0 {
			return seeding.AnyList
		}
		return seeding.List | seeding.Numbers | seeding.Pair
	case map[string]any:
		return seeding.Object
	default:
		return seeding.Number
	}
}
