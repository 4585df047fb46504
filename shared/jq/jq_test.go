package jq_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"sync"
	"testing"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
)

// canonical is MTS's own default mapping.
func canonical() seeding.Mapping {
	return seeding.Mapping{VID: "vid", Name: []string{"name"}, Gender: "gender", DOB: "dob",
		PhoneNumber: "phoneNumber", EmailID: "emailId", FullAddress: []string{"fullAddress"}}
}

func compile(t testing.TB, m seeding.Mapping) seeding.Mapper {
	t.Helper()
	mapper, err := jq.Mappings{}.Compile(m)
	if err != nil {
		t.Fatal(err)
	}
	return mapper
}

// record reads JSON as the registry client does: numbers stay as written.
func record(t testing.TB, text string) seeding.Record {
	t.Helper()
	var r seeding.Record
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	absent  = seeding.Value{}
	notText = seeding.Value{Present: true, NotText: true}
)

func has(text string) seeding.Value { return seeding.Value{Text: text, Present: true} }

// The table of facts/mts.md 2.3, by the example of one field.
func TestPaths(t *testing.T) {
	const in = `{"vid":"6104","q":[{"vid":"first"},{"vid":"second"}],"__system":{"x":"deep"},"my-vid":"dashed",
		"my vid":"spaced","nothing":null,"text":"abc","number":7,"MiXed":"AbC","many2one":[7,"Manila"],"lat":"ñ"}`
	for path, want := range map[string]seeding.Value{
		`vid`:                             has("6104"),
		`q[0].vid`:                        has("first"),
		`q[-1].vid`:                       has("second"),
		`q[].vid`:                         has("first"), // all computed, the first used
		`__system.x`:                      has("deep"),
		`missing`:                         absent,
		`missing.deeper`:                  absent,
		`nothing`:                         absent,
		`nothing.deeper`:                  absent,
		`text.deeper`:                     absent,
		`number.deeper`:                   absent,
		`"my-vid"`:                        has("dashed"),
		`["my-vid"]`:                      has("dashed"),
		`"my vid"`:                        has("spaced"),
		`missing // .vid`:                 has("6104"),
		`MiXed|ascii_downcase`:            has("abc"),
		`number|tostring`:                 has("7"),
		`many2one[1]`:                     has("Manila"),
		`vid, error`:                      absent, // fails after a first result
		`text | empty`:                    absent,
		`nothing, .vid`:                   absent, // the first result is null
		`vid | error("x")`:                absent,
		`lat`:                             has("ñ"),
		`text | "[\"x\"]" | fromjson[0]`:  has("x"),
		`text | "[\"x\"]]" | fromjson[0]`: absent, // no JSON, with a bracket too many
		`text | "[\"x\"]}" | fromjson[0]`: absent,
		`text | . as $x | $x + $x`:        has("abcabc"),
		`vid | test("^6") | if . then "six" else "other" end`: has("six"),
	} {
		m := canonical()
		m.EmailID = path
		if got := compile(t, m).Map(record(t, in)).EmailID; got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

// What each field makes of each kind of value (facts/mts.md 2.4, W12, W13).
func TestValues(t *testing.T) {
	for _, c := range []struct {
		value                       string
		vid, textOnly, textOrNumber seeding.Value
		piece                       seeding.Value
	}{
		{`null`, absent, absent, absent, absent},
		{`"x"`, has("x"), has("x"), has("x"), has("x")},
		{`" "`, has(" "), has(" "), has(" "), has(" ")},
		{`""`, has(""), has(""), has(""), has("")},
		{`[]`, has(""), has(""), has(""), has("")},
		{`{}`, has(""), has(""), has(""), has("")},
		{`0`, has(""), notText, has("0"), has("")},
		{`-0.0`, has(""), notText, has("0"), has("")},
		{`false`, has(""), notText, has(""), has("")},
		{`true`, notText, notText, notText, notText},
		{`7`, has("7"), notText, has("7"), notText},
		{`2014391641351279`, has("2014391641351279"), notText, has("2014391641351279"), notText},
		{`12345678901234567890123`, has("12345678901234567890123"), notText, has("12345678901234567890123"), notText},
		{`639171234567.0`, has("639171234567"), notText, has("639171234567"), notText},
		{`0.10`, has("0.1"), notText, has("0.1"), notText},
		{`-1.5e3`, has("-1500"), notText, has("-1500"), notText},
		{`1e999999999`, notText, notText, notText, notText},
		{`[1,"Manila"]`, notText, notText, notText, notText},
		{`{"a":1}`, notText, notText, notText, notText},
		{`[""]`, notText, notText, notText, notText},
		{`"` + strings.Repeat("a", 9000) + `"`, notText, notText, notText, notText},
	} {
		m := canonical()
		m.VID, m.Gender, m.DOB, m.PhoneNumber, m.EmailID = "v", "v", "v", "v", "v"
		m.Name, m.FullAddress = []string{"v"}, []string{"v"}
		d := compile(t, m).Map(record(t, `{"v":`+c.value+`}`))
		want := seeding.Demographics{VID: c.vid, Name: c.piece, Gender: c.textOnly, DOB: c.textOnly,
			PhoneNumber: c.textOrNumber, EmailID: c.textOrNumber, FullAddress: c.piece}
		if d != want {
			t.Errorf("%.40s:\n got %+v\nwant %+v", c.value, d, want)
		}
	}
}

// What MTS evaluates itself it must take, whatever a record holds: the mapping that it
// is given has texts or nothing for every field (facts/mts.md W12).
func TestTextsOnly(t *testing.T) {
	const in = `{"text":" 6104 ","empty":"","int":35,"big":639171234567,"decimal":12.5,"zero":0,"true":true,"false":false,"list":["a"],"none":[],"object":{"a":"b"},"nothing":null}`
	for path, want := range map[string]seeding.Value{
		"text": has(" 6104 "), "empty": has(""), "int": has("35"), "big": has("639171234567"), "decimal": has("12.5"), "zero": has("0"),
		"true": absent, "false": absent, "list": absent, "none": absent, "object": absent, "nothing": absent, "missing": absent,
		"text, .int": has(" 6104 "), "nothing, .int": absent, "missing // .int": has("35"), "int # of somebody": has("35"),
		"text | ascii_downcase": has(" 6104 "), "int as $x | $x+1": has("36"), "text.below": absent,
	} {
		m := seeding.Mapping{VID: path, Name: []string{path}, Gender: path, DOB: path, PhoneNumber: path, EmailID: path, FullAddress: []string{path}}
		d := compile(t, m.Texts()).Map(record(t, in))
		for i, got := range []seeding.Value{d.VID, d.Name, d.Gender, d.DOB, d.PhoneNumber, d.EmailID, d.FullAddress} {
			if got != want {
				t.Errorf("%s of %s: %+v", seeding.MTSFields[i], path, got)
			}
		}
	}
}

func TestNumbersOfGo(t *testing.T) {
	m := canonical()
	m.PhoneNumber = "p"
	for _, c := range []struct {
		in   any
		want seeding.Value
	}{
		{7, has("7")}, {int64(639171234567), has("639171234567")}, {639171234567.0, has("639171234567")},
		{1e22, has("10000000000000000000000")}, {math.Inf(1), notText}, {math.NaN(), notText},
		{struct{}{}, absent},
	} {
		if got := compile(t, m).Map(seeding.Record{"p": c.in}).PhoneNumber; got != c.want {
			t.Errorf("%v: %+v, want %+v", c.in, got, c.want)
		}
	}
}

// What is longer than any name or address is no text for MTS: a mapping could make
// more of it than there is memory.
func TestTextsAreNoLongerThanWhatTheyAreFor(t *testing.T) {
	for field, most := range map[string]int{"name": 1024, "fullAddress": 1024, "vid": 256, "gender": 256, "dob": 256, "phoneNumber": 256, "emailId": 256} {
		for length, want := range map[int]seeding.Value{most: has(strings.Repeat("<", most)), most + 1: notText} {
			m := canonical()
			expression := fmt.Sprintf(`text[:%d]`, length)
			switch field {
			case "name":
				m.Name = []string{expression}
			case "fullAddress":
				m.FullAddress = []string{expression}
			default:
				*map[string]*string{"vid": &m.VID, "gender": &m.Gender, "dob": &m.DOB, "phoneNumber": &m.PhoneNumber, "emailId": &m.EmailID}[field] = expression
			}
			d := compile(t, m).Map(seeding.Record{"text": strings.Repeat("<", 8000)})
			got := map[string]seeding.Value{
				"name": d.Name, "fullAddress": d.FullAddress, "vid": d.VID, "gender": d.Gender, "dob": d.DOB, "phoneNumber": d.PhoneNumber, "emailId": d.EmailID,
			}[field]
			if got != want {
				t.Errorf("%s of %d bytes: %.60v", field, length, got)
			}
		}
	}
}

// A registry may hold a phone or identity number as a number of any length.
func TestIntegersBeyondSixtyFourBitsKeepTheirDigits(t *testing.T) {
	huge, _ := new(big.Int).SetString("12345678901234567890", 10)
	negative := new(big.Int).Neg(huge)
	endless := new(big.Int).Exp(big.NewInt(10), big.NewInt(500), nil)
	m := canonical()
	m.VID, m.Gender, m.PhoneNumber, m.EmailID = "n", "n", "list[0]", "object.n"
	for _, c := range []struct {
		in   *big.Int
		want seeding.Value
	}{
		{huge, has("12345678901234567890")}, {negative, has("-12345678901234567890")}, {big.NewInt(7), has("7")}, {endless, notText},
	} {
		r := seeding.Record{"n": c.in, "list": []any{c.in}, "object": map[string]any{"n": c.in}}
		d := compile(t, m).Map(r)
		if d.VID != c.want || d.PhoneNumber != c.want || d.EmailID != c.want || d.Gender != notText {
			t.Errorf("%v: %+v", c.in, d)
		}
		if r["list"].([]any)[0] != c.in {
			t.Error("the record was changed")
		}
	}
	m.PhoneNumber = `n | tostring | .[-4:]`
	if got := compile(t, m).Map(seeding.Record{"n": huge}).PhoneNumber; got != has("7890") {
		t.Errorf("its last digits: %+v", got)
	}
}

func TestLists(t *testing.T) {
	m := canonical()
	m.Name = []string{"given", "middle", "family"}
	m.FullAddress = []string{"street", "city[1]", "zip"}
	for _, c := range []struct {
		in            string
		name, address seeding.Value
	}{
		{`{"given":"Ana","middle":"B","family":"Cruz","street":"1 Rizal","city":[3,"Manila"],"zip":"1000"}`,
			has("Ana B Cruz"), has("1 Rizal, Manila, 1000")},
		{`{"given":"Ana","middle":"","family":"Cruz","street":false,"city":[3,"Manila"]}`, has("Ana Cruz"), has("Manila")},
		{`{"family":"Cruz","zip":0,"street":[]}`, has("Cruz"), has("")},
		{`{"given":"","street":""}`, has(""), has("")},
		{`{}`, absent, absent},
		{`{"given":"Ana","middle":5,"street":"x","zip":1000}`, notText, notText},
	} {
		d := compile(t, m).Map(record(t, c.in))
		if d.Name != c.name || d.FullAddress != c.address {
			t.Errorf("%s: %+v %+v", c.in, d.Name, d.FullAddress)
		}
	}
	m.Name = nil
	if d := compile(t, m).Map(record(t, `{"given":"Ana"}`)); d.Name != absent {
		t.Errorf("no path at all: %+v", d.Name)
	}
}

func TestEveryBadExpressionIsNamed(t *testing.T) {
	m := seeding.Mapping{VID: ".vid", Name: []string{"ok", "my-vid", "1vid"}, Gender: "", DOB: "a b",
		PhoneNumber: "a |", EmailID: "x|now|todate", FullAddress: []string{"x|$ENV.HOME"}}
	_, err := jq.Mappings{}.Compile(m)
	want := map[string]string{
		"vid": "leave it out", "name/1": `"my-vid"`, "name/2": `"1vid"`, "gender": "empty", "dob": `"a b"`,
		"phoneNumber": "not valid jq", "emailId": "now is not available", "fullAddress/0": "$ENV is not available",
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T %v", err, err)
	}
	for _, err := range joined.Unwrap() {
		e, ok := errors.AsType[*seeding.MappingError](err)
		if !ok || !strings.Contains(e.Text, want[e.Field]) || want[e.Field] == "" {
			t.Errorf("%v", err)
			continue
		}
		delete(want, e.Field)
	}
	if len(want) > 0 {
		t.Errorf("not reported: %v", want)
	}

	m = canonical()
	m.DOB = ".dob"
	_, err = jq.Mappings{}.Compile(m)
	if e, ok := errors.AsType[*seeding.MappingError](err); !ok || e.Field != "dob" {
		t.Errorf("a single error is a *MappingError: %T %v", err, err)
	}
}

// Nothing beyond the record can be seen (facts/mts.md W11).
func TestForbiddenFunctions(t *testing.T) {
	t.Setenv("SECRET_OF_THE_PROCESS", "leaked")
	for _, path := range []string{
		`x // env.SECRET_OF_THE_PROCESS`, `x // $ENV.SECRET_OF_THE_PROCESS`, `x | {$ENV}`, `x | "\(env)"`,
		`x | [.[] | {a: {b: [input]}}]`, `x | try inputs catch .`, `x as [$a] | if $a then input else 1 end`,
		`x | reduce range(3) as $i (0; . + now)`, `x | def f: input; f`, `x | debug`, `x | halt`, `x | halt_error`,
		`x | input_filename`, `x | localtime`, `x | @text "\(now)"`, `x | $__prog_args`, `x | get_search_list`,
		`x | label $out | foreach .[] as $i (0; now; .)`, `x | -now`, `x[now]`, `x[1:now]`, `x | getpath([now])`,
	} {
		m := canonical()
		m.VID = path
		mapper, err := jq.Mappings{}.Compile(m)
		if err == nil {
			t.Errorf("%s: compiled; %+v", path, mapper.Map(seeding.Record{"x": []any{"1"}}).VID)
		} else if strings.Contains(err.Error(), "leaked") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := (jq.Mappings{}).Compile(seeding.Mapping{VID: `x | import "a" as a; .`}); err == nil {
		t.Error("import compiled")
	}
}

func TestConcurrentAndPure(t *testing.T) {
	m := canonical()
	m.Name = []string{"given", `family | ascii_downcase`}
	m.VID = `ids | sort | .[0]`
	mapper := compile(t, m)
	shared := record(t, `{"given":"Ana","family":"CRUZ","ids":["9","1","5"]}`)
	before := fmt.Sprint(shared)
	want := mapper.Map(shared)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if got := mapper.Map(shared); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			}
		})
	}
	all.Wait()
	if after := fmt.Sprint(shared); after != before {
		t.Errorf("the record was changed: %s", after)
	}
	if want.Name != has("Ana cruz") || want.VID != has("1") {
		t.Errorf("%+v", want)
	}
}

func BenchmarkMap1000(b *testing.B) {
	mapper := compile(b, seeding.Mapping{VID: "vid", Name: []string{"given_name", "family_name"}, Gender: "gender", DOB: "birthdate",
		PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"address"}})
	r := record(b, `{"id":17,"vid":"2014391641351279","given_name":"Ana","family_name":"Cruz","gender":"Female",
		"birthdate":"1990-11-02","phone":"639171234567","email":"ana@example.org","address":"1 Rizal Ave, Manila"}`)
	b.ReportAllocs()
	for b.Loop() {
		for range 1000 {
			mapper.Map(r)
		}
	}
}

// What is stopped is not taken for a value that is missing, and what comes after
// it is not known either.
func TestStoppedExpressionIsNotAnEmptyOne(t *testing.T) {
	m := canonical()
	m.Name, m.DOB = []string{"given", `given | "a" * 2e9`}, `dob | try last(repeat(1)) catch "caught"`
	spent := seeding.Value{Spent: true}
	got := compile(t, m).Map(record(t, `{"vid":"6104","given":"Ana","gender":"Female","dob":"1990-11-02"}`))
	want := seeding.Demographics{VID: has("6104"), Name: spent, Gender: spent, DOB: spent, PhoneNumber: spent, EmailID: spent, FullAddress: spent}
	if got != want {
		t.Errorf("%+v", got)
	}
	if code := got.Invalid([]string{"name"}); code != seeding.CodeTooMuchWork {
		t.Errorf("%s", code)
	}
}

// Large values of the record are read by nobody who does not use them.
func TestLargeFieldsCostOnlyWhoUsesThem(t *testing.T) {
	m := canonical()
	m.Name = []string{"given"}
	r := record(t, `{"vid":"6104","given":"Ana"}`)
	r["image"], r["ids"] = strings.Repeat("x", 5<<20), make([]any, 100_000)
	if got := compile(t, m).Map(r); got.Name != has("Ana") {
		t.Errorf("%+v", got)
	}
	m.Name = []string{`image | ascii_upcase`}
	if got := compile(t, m).Map(r); !got.Name.Spent {
		t.Errorf("%+v", got.Name.Present)
	}
}

// Classes of letters hold those of every language, as in MTS's jq.
func TestClassesOfRegularExpressions(t *testing.T) {
	for expression, want := range map[string]string{
		`n | capture("(?<a>\\w+)").a`: "José", `n | gsub("\\W"; "")`: "JoséNúñez23", `n | gsub("[^\\w ]"; "")`: "José Núñez 23", `n | [scan("[[:alpha:]]+")] | join("|")`: "José|Núñez",
		`n | gsub("\\d"; "#")`: "José Núñez, ##", `n | test("^[[:upper:]][[:lower:]]+\\s") | tostring`: "true", `n | sub("\\bN"; "M")`: "José Múñez, 23", `n | sub("[]é]"; "e")`: "Jose Núñez, 23", `n | [match("z"; "gn").offset] | tojson`: "[9]",
		`n | gsub("(?i)JOSÉ"; "x")`: "x Núñez, 23", `n | sub("josé"; "x"; "i")`: "x Núñez, 23", `n | [match("o|os|osé"; "l").string][0]`: "osé",
	} {
		m := canonical()
		m.EmailID = expression
		if got := compile(t, m).Map(seeding.Record{"n": "José Núñez, 23"}).EmailID; got != has(want) {
			t.Errorf("%s: %+v, want %q", expression, got, want)
		}
	}
}

// Borders of words and ends of texts are those of MTS's jq: é is part of a word, and
// $ is before a newline at the end too. The results are those of jq 1.6.
func TestBordersOfWordsAndTexts(t *testing.T) {
	for _, c := range []struct{ text, expression, want string }{
		{"josé maría", `n | gsub("\\b(?<c>[a-z])"; .c | ascii_upcase)`, "José María"},
		{"josé maría", `n | [match("\\b[a-z]"; "g").offset] | tojson`, "[0,5]"},
		{"élan José", `n | [match("\\b\\w"; "g").string] | join("|")`, "é|J"},
		{"élan aé", `n | [match("\\B\\w"; "g").string] | join("|")`, "l|a|n|é"},
		{"علي محمد حسن", `n | match("\\bمحمد\\b").string`, "محمد"},
		{"aé a a", `n | [match("a\\b"; "g").offset] | tojson`, "[3,5]"},
		{"Ñandú d’Été naïve_x 2é", `n | [match("\\b\\w+\\b"; "g").string] | join("|")`, "Ñandú|d|Été|naïve_x|2é"},
		{"é_x y", `n | [scan("\\b(_|.)")[0]] | join("|")`, "é| |y"},
		{"ÉLAN é", `n | sub("\\bé\\b"; "x"; "i")`, "ÉLAN x"},
		{"José \uFDD0 a", `n | sub("\\ba"; "b")`, "José \uFDD0 b"},
		{"23\n", `n | test("23$") | tostring`, "true"}, {"23\n\n", `n | test("23$") | tostring`, "false"}, {"23\n", `n | test("23\\z") | tostring`, "false"},
		{"2\n3", `n | test("2$") | tostring`, "false"}, {"2\n3", `n | test("^3$") | tostring`, "false"}, {"2\n3", `n | test("2.3$") | tostring`, "false"}, {"2\n3", `n | test("2\\s3$") | tostring`, "true"}, {"2\n3", `n | test("2[^x]3$") | tostring`, "true"},
		{"ab\n", `n | sub("$"; "!")`, "ab!\n"}, {"ab\n", `n | match("\\n$").offset | tostring`, "2"}, {"ab\n", `n | test("^[^\\n]+$") | tostring`, "true"}, {"ab\n", `n | match(".*$").string`, "ab"}, {"12 Calle\nSan José  \n", `n | gsub("\\s+$"; "")`, "12 Calle\nSan José"},
	} {
		m := canonical()
		m.FullAddress = []string{c.expression}
		if got := compile(t, m).Map(seeding.Record{"n": c.text}).FullAddress; got != has(c.want) {
			t.Errorf("%q: %s: %+v, want %q", c.text, c.expression, got, c.want)
		}
	}
}

// Where MTS's jq 1.5 differs from newer ones, it is followed.
func TestOlderJq(t *testing.T) {
	for expression, want := range map[string]string{
		`n | ltrimstr("x") | tostring`: "7", `n | rtrimstr("x") | tostring`: "7", `t * 0 | tostring`: "null", `t | @html "\("'")"`: "&#39;", `|[leaf_paths] | length | tostring`: "2", `n | [limit(3; repeat(. * 2))] | tojson`: "[14,14,14]",
	} {
		m := canonical()
		m.EmailID = expression
		if got := compile(t, m).Map(seeding.Record{"n": 7, "t": "text"}).EmailID; got != has(want) {
			t.Errorf("%s: %+v, want %q", expression, got, want)
		}
	}
}

// What people do with a long address, many fields or many numbers is far from the
// limit.
func TestOrdinaryWorkIsAllowed(t *testing.T) {
	r := seeding.Record{"name": "Ana", "address": strings.Repeat("Barangay San José, 12 ", 45)}
	ids := make([]any, 500)
	for i := range ids {
		ids[i] = i
		if i < 200 {
			r[fmt.Sprint("field_", i)] = "a value"
		}
	}
	r["ids"] = ids
	for _, expression := range []string{
		`address | gsub("\\s+"; " ") | .[:900]`, `address | [splits(", *")] | join("; ") | .[:900]`, `address | explode | map(select(. != 44)) | implode`,
		`ids | map(tostring) | join(",") | .[:1000]`, `|with_entries(.value |= tostring) | .name`, `|to_entries | map(select(.key | test("^field_1")).value) | join(" ")`,
	} {
		m := canonical()
		m.FullAddress = []string{expression}
		if got := compile(t, m).Map(r).FullAddress; !got.Present || got.NotText || got.Spent {
			t.Errorf("%s: %+v", expression, got)
		}
	}
}

// A regular expression is valid by itself, not only within what is put around it.
func TestRegularExpressionsAreValidAlone(t *testing.T) {
	for _, pattern := range []string{`)(`, `)`, `(`, `a)|(b`, `[`} {
		m := canonical()
		m.VID = fmt.Sprintf("vid | sub(%q; \"\")", pattern)
		if _, err := (jq.Mappings{}).Compile(m); err == nil {
			t.Errorf("%s: compiled", pattern)
		}
	}
}
