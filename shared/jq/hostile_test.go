package jq_test

import (
	"runtime"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

// hostile are expressions that would fill the memory, or run for minutes, in an
// interpreter whose steps are not bounded.
func hostile() []string {
	deep := func(open, inner, closing string) string {
		n := (maxProgram - len(inner) - 2) / (len(open) + len(closing))
		return "x|" + strings.Repeat(open, n) + inner + strings.Repeat(closing, n)
	}
	return []string{
		// One step makes a large value.
		`x | "a" * 2e9`, `x | 2e9 * "a"`, `x | "a" * 1e308`, `x | "ab" * infinite`, `x | setpath([60000000]; 1)`, `x | null | setpath([500000000]; 1)`, `x | [] | .[6e7] = 1`, `x | [] | .[49999] = 1`,
		`x | [[]] | .[0][60000000] |= 1`, `x | [limit(1e9; repeat(1))]`, `x | [range(1e9)]`, `x | [range(0; 1; 1e-9)]`, `x | [range(0; infinite; 0)]`, `x | [range(1e5)] | implode`, `x | [.] * 1000000`, `x | ("a" * 40000) * 40000`,
		`x | [range(3000)] | [combinations(5)]`, `x | [range(200)] | [., .] | [combinations]`, `x | strptime("%Y") | strftime("%1023Y" * 100)`, `x | 0 | strftime("%1000Y" * 5000)`, `x | 0 | strftime("%99999999Y")`, `x | [range(300)] | transpose?`, `x | [range(200) | [range(200)]] | transpose`,
		// Numbers that grow, and texts that become numbers.
		`x | 9 | until(false; . * .)`, `x | reduce range(40000) as $i (9; . * .)`, `x | 1e1000000000`, `x | ("9" * 100000) | tonumber`, `x | ("[" * 100000) | fromjson`, `x | ("{}," * 30000) | "[" + . + "1]" | fromjson`, `x | "1e999999999" | tonumber | tostring`, `x | -1e308 * 1e308 | floor`, `x | pow(10; 400)`,
		// Doubling.
		`x | reduce range(100) as $i ("a"; . + .)`, `x | reduce range(100) as $i ([1]; . + .)`, `x | reduce range(100) as $i (1; [., .]) | tojson`, `x | reduce range(100) as $i (1; [., .]) | flatten`, `x | reduce range(100) as $i (1; [., .]) | . == .`, `x | reduce range(100) as $i (1; {a: ., b: .}) | tostring`,
		`x | reduce range(100) as $i (1; [., .]) | [paths] | length`, `x | reduce range(100) as $i (1; [., .]) | [..] | length`, `x | reduce range(100) as $i (1; [., .]) | walk(.)`, `x | reduce range(100) as $i (1; [., .]) | unique`, `x | reduce range(100) as $i (1; [., .]) | contains(.)`, `x | reduce range(100) as $i (1; [., .]) as $d | $d | [$d] - [$d]`, `x | reduce range(100) as $i ({}; . * {a: ., b: .})`, `x | reduce range(60) as $i (.; "\(.)\(.)")`, `x | reduce range(60) as $i (.; @base64)`, `x | reduce range(60) as $i (.; tojson)`, `x | reduce range(60) as $i (.; [.] | tojson)`, `x | reduce range(60) as $i (.; @html)`, `x | reduce range(60) as $i ("&"; @html)`, `x | reduce range(60) as $i ("é"; @uri)`,
		"x" + strings.Repeat("|.+.", 240), "x" + strings.Repeat(`|"\(.)\(.)"`, 80), "x" + strings.Repeat(`|[.,.]`, 150) + "|tojson", "x" + strings.Repeat(`|(.,.)`, 150), "x" + strings.Repeat(`|. as $x|$x+$x`, 70), "x" + strings.Repeat("//.y", 240) + ",(1|repeat(.))",
		// Work on long texts.
		`long | [match(""; "g")]`, `long | [match("a*"; "g")] | length`, `long | gsub("a"; "bb")`, `long | gsub(""; "x")`, `long | gsub("(a)"; .)`, `long | test("(a*)*b")`, `long | test("(a|aa)+$")`, `long | test("(.*)(.*)(.*)(.*)(.*)x")`, `long | [match("a.*b|a"; "g")] | length`, `long | test(".{1000}{2}")`, `long | test("(((a{30}){30}){30}){30}")`, `long | test("a{1000}")`, `long | test("\\pL{1000}")`, `long | test("(?i)[\\pL\\pN\\pM]{999}")`, "long | test(\"" + strings.Repeat("(a?)", 29) + "a{900}\")", "long | test(\"" + strings.Repeat("()", 400) + "\")",
		`long | [splits("")] | length`, `long | [scan(".")] | length`, `long | explode | map([., .]) | tojson`, `long | ascii_downcase`, `long | [.[range(8000):]] | add`, `long | reduce range(10000) as $i (.; ltrimstr("a"))`, `long | reduce range(10000) as $i (0; . + 1 | tostring | tonumber)`, `long | indices("a")`, `long | explode | indices(97)`, `long | explode | . - .`, `long | explode | combinations`, `long | [range(5000)] | map(tostring) | join("-")`, `long | [splits("a"; "g") | splits("b")] | length`, `long | test("a" * 900)`, `long | [range(50) | test("\\w" * 20)]`, `long | [range(50) | test("(?i)\\pL" * 30)]`, `long | [range(50) | test("[[:alnum:]]{30}{30}")]`, `long | [range(500) | test("(a{9}){9}{9}" + tostring)]`, `long | [range(50) | test("\\w" * 200)]`, `long | [range(50) | test("\\pL" * 300)]`, `long | reduce range(2000) as $i (.; test("a\($i)") | "x")`, `big | @base64`, `big | explode`, `big | test("b")`, `big + .big`, `big[1:]`, `big | tojson`,
		`many | map(tojson) | add`, `many | sort`, `many | [.[] as $x | .[] | select(. == $x)]`, `many | group_by(.) | length`, `many | map(. as $x | [range($x)])`, `many | to_entries`, `many | [.[:-1], .[1:]] | transpose`, `many | . - .`, `many | any(.[]; . == -1)`,
		`x | reduce range(9000) as $i (0; [.]) | tojson`, `x | reduce range(9000) as $i (0; [.]) | . == [.]`, `x | reduce range(9000) as $i (0; [.]) | flatten`, `x | reduce range(9000) as $i (0; {a: .}) | [paths] | length`, `x | ("a" * 40000) | indices("a" * 20000)`, `x | ("a" * 40000) | index("a" * 20000)`, `x | ("ab" * 9000) | [splits("a|b")]`, `x | [range(2000)] | sort_by(-.) | reverse`, `x | reduce range(3000) as $i ({}; .["k\($i)"] = $i)`, `x | reduce range(3000) as $i ({}; . + {"k\($i)": $i})`, `x | [limit(3000; repeat("a"))] | join("b" * 3000)`, `x | ("\u0001" * 9000) | tojson | tojson | tojson`, `x | [range(300)] | map([range(300)])`, `x | [range(2000)] | .[1000:] |= .`, `x | [range(500)] | .[] += 1`, `x | [range(500)] | del(.[range(500)])`,
		// Loops and recursion.
		`x | def f: ("a" * 40000) == "a"; def g: f,f,f,f,f,f,f; def h: g,g,g,g,g,g,g; def i: h,h,h,h,h,h,h; def j: i,i,i,i,i,i,i; j,j,j,j,j,j,j`, `x | repeat(.)`, `x | def f: f; f`, `x | def f: 1 + f; f`, `x | def f: [f]; f`, `x | def f: f, f; f`, `x | def f: f | f; f`, `x | def f(g): f(g | g); f(.)`, `x | def f(g): g | f(g); f([.])`, `x | until(false; .)`, `x | while(true; .)`, `x, (range(1e9) | empty)`, `x | [recurse(.)]`, `x | recurse([.])`, `x | last(repeat(1))`, `x | first(range(1e9) | select(. < 0))`, `x | label $a | repeat(1)`, `x | try repeat(1) catch .`, `x | (repeat(1))?`, `x | [.[]?, (repeat(1) | error)?]`, `x | reduce repeat(1) as $i (0; . + 1)`, `x | foreach repeat(1) as $i (0; . + 1; empty)`, `x | isempty(repeat(empty))`, `x | all(repeat(1); . == 1)`, `x | limit(1e9; repeat(1))`, `x | error([range(40000)])`, `x | try error([range(40000)]) catch (. + .)`, `x | walk(repeat(.))`, `x | def w: [w, w]?; w`, `x | [paths(repeat(true))]`, `x | path(repeat(.))`, `x | range(1e9) as $a | range(1e9) as $b | empty`, `x | {a: range(1e9)} | empty`, `x | [range(1e9)?] // 1`,
		// Nesting and growth while the expression is read.
		deep("(", ".", ")"), deep("[", ".", "]"), deep("{a:", "1", "}"), deep("-", "1", ""), deep("(.|", "1", ")"), deep("-(", "1", ")"), deep(`"\(`, ".", `)"`), deep("try ", ".", ""), deep("if . then ", ". ", "else 1 end "),
		deep(".//", ".", ""), deep(".x", "", ""), ("x" + strings.Repeat("[]", 490)), ("x" + strings.Repeat("?", 990)), deep("..|", ".", ""), deep("first(", ".", ")"), deep(". as [$a]|", ".", ""), deep("[.x", ".", "]"), deep(".[.", "", "]"), deep("map(", ".", ")"), deep("[..]|", ".", ""), deep("reduce . as $a (1;", ".", ")"), deep("label $a|", ".", ""), deep("def f:", ".", ";."), deep("path(", ".", ")"), deep("(.[]=", "1", ")"), deep(".a|=(", "1", ")"),
		deep("((.,.)|", ".", ")"), deep("sub(\"\";", ".", ")"), deep("recurse(", ".", ")"), deep("walk(", ".", ")"), deep("select(", ".", ")"), deep("(.and", ".", ")"), "x | test(\"" + strings.Repeat("(", 900) + "\")", "x | test(\"" + strings.Repeat("(?:", 300) + strings.Repeat(")*", 300) + "\")", "x | test(\"" + strings.Repeat("[a", 400) + "\")", "x | test(\"" + strings.Repeat("(?i:\\\\pL)", 80) + "\")", "x | test(\"" + strings.Repeat("\\\\w", 240) + "\")",
		"x|" + doubled("def f%d: f%e|f%e;", "def f0: .;", 40), "x|" + doubled("def f%d(g): f%e(g|g);", "def f0(g): g;", 35), "x|" + doubled("def f%d: f%e,f%e;", "def f0: .;", 40), "x|" + doubled("def f%d: f%e+f%e;", "def f0: .;", 40),
	}
}

const maxProgram = 1000

// doubled are functions of which each calls the one before twice.
func doubled(def, first string, n int) string {
	digits := func(i int) string { return string(rune('a'+i/26)) + string(rune('a'+i%26)) }
	text := strings.ReplaceAll(first, "f0", "f"+digits(0))
	for i := 1; i <= n; i++ {
		next := text + strings.ReplaceAll(strings.ReplaceAll(def, "f%d", "f"+digits(i)), "f%e", "f"+digits(i-1))
		if len(next) > maxProgram-20 {
			return text + "f" + digits(i-1) + arguments(def)
		}
		text = next
	}
	return text + "f" + digits(n) + arguments(def)
}

func arguments(def string) string {
	if strings.Contains(def, "(g)") {
		return "(.)"
	}
	return ""
}

func hostileRecord() seeding.Record {
	many := make([]any, 2000)
	for i := range many {
		many[i] = i
	}
	return seeding.Record{"x": strings.Repeat("a", 10), "long": strings.Repeat("a", 8000), "big": strings.Repeat("b", 5<<20), "many": many}
}

// Every hostile expression is refused, or ends within the memory that one record
// may take: with the same result every time.
func TestMemoryOfOneExpressionIsBounded(t *testing.T) {
	const most = 24 << 20 // bytes that are allocated for a record in all, not at once
	record := hostileRecord()
	var worst, worstCompile uint64
	for _, text := range hostile() {
		if len(text) > maxProgram {
			text = text[:maxProgram]
		}
		m := canonical()
		m.VID = text
		var mapper seeding.Mapper
		allocated := allocating(func() { mapper, _ = jq.Mappings{}.Compile(m) })
		allocated += allocating(func() { _, _ = jq.Mappings{}.Foresee(text, map[string]seeding.Types{"x": seeding.AnyType}) })
		worstCompile = max(worstCompile, allocated)
		if allocated > most {
			t.Errorf("%.80s: reading it allocates %d KB", text, allocated>>10)
		}
		if mapper == nil {
			continue
		}
		var got seeding.Demographics
		allocated = allocating(func() { got = mapper.Map(record) })
		worst = max(worst, allocated)
		if allocated > most {
			t.Errorf("%.80s: allocates %d KB", text, allocated>>10)
		}
		if again := mapper.Map(record); again != got {
			t.Errorf("%.80s: %+v, then %+v", text, got.VID, again.VID)
		}
	}
	t.Logf("at most %d KB for a record, %d KB to read an expression", worst>>10, worstCompile>>10)
}

func allocating(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A page of records with the worst expressions needs little memory at once, Go's
// stack included.
func TestMemoryOfAPageIsBounded(t *testing.T) {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, record, most := canonical(), hostileRecord(), uint64(0)
	for _, text := range []string{`x | reduce range(100) as $i ([1]; . + .)`, `long | gsub(""; "x")`, `x | def f: [f]; f`, `many | to_entries`, `x | reduce range(100) as $i (1; [., .]) | walk(.)`} {
		m.VID = text
		mapper := compile(t, m)
		for range 10 {
			mapper.Map(record)
			runtime.ReadMemStats(&now)
			most = max(most, now.Sys)
		}
	}
	if more := int64(most) - int64(before.Sys); more > 64<<20 {
		t.Errorf("%d MB more", more>>20)
	} else {
		t.Logf("%d MB more", more>>20)
	}
}
