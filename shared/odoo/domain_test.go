package odoo_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"openg2p.org/mts-connector/shared/odoo"
)

const (
	vidType   = "MOSIP VID"
	tokenType = "MOSIP UIN TOKEN"

	submissionType = "ODK SUBMISSION"
	usual          = `[["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`
)

func TestParseDomain(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{usual, ""},
		{`[["a","=",1]]`, ""},
		{`["&",["a","=",1],"|",["b.c","in",[1,2.5,"x",null,false]],"!",["d","=ilike","%x"]]`, ""},
		{`["!","!",["a","=",1]]`, ""},
		{`[["a","IN",[]]]`, ""},
		{`[["a","in",true]]`, ""},
		{`[[1,"=",1]]`, ""},
		{`[[0,"=",1]]`, ""},
		{`[["reg_ids","any",[["value","=","x"]]]]`, ""},
		{`[["reg_ids","not any",[]]]`, ""},
		{` [ ["a" , "child_of" , 7] ] `, ""},

		{``, "domain: not complete JSON"},
		{`[["a","=",1]`, "domain: not complete JSON"},
		{`[["a","=",Tru]]`, "domain: not JSON at byte 11"},
		{`[("a","=",1]`, `domain: at byte 12: a comma or ")" must follow; nothing is computed here`},
		{`{"a":1}`, "domain: must be a list of terms"},
		{`"x"`, "domain: must be a list of terms"},
		{`null`, "domain: must be a list of terms"},
		{`None`, "domain: must be a list of terms"},
		{`[["a","=",1]]]`, "domain: there is more after the list, at byte 14"},
		{`[["a","=",1]]}`, "domain: there is more after the list, at byte 14"},
		{`[["a","=",1]] []`, "domain: there is more after the list, at byte 16"},
		{`[["a","=",1]],`, "domain: there is more after the list, at byte 14"},
		{`[["a","=",1],"&",["b","=",1]]`, `domain, term 2: "&" needs 2 term(s) after it and has 1`},
		{`["|"]`, `domain, term 1: "|" needs 2 term(s) after it and has 0`},
		{`[["a","=",1],"!"]`, `domain, term 2: "!" needs 1 term(s) after it and has 0`},
		{`["!","&",["a","=",1]]`, `domain, term 2: "&" needs 2 term(s) after it and has 1`},
		{`[["a","=",1],"and",["b","=",1]]`, `domain, term 2: must be "&", "|", "!" or a list of field, operator and value`},
		{`["a","=",1]`, `domain, term 3: must be a list of field, operator and value`},
		{`[["a","=",1],{"b":1}]`, `domain, term 2: must be a list of field, operator and value`},
		{`[["a","=",1],[]]`, `domain, term 2: must have field, operator and value, and has 0 part(s)`},
		{`[["a","="]]`, `domain, term 1: must have field, operator and value, and has 2 part(s)`},
		{`[["a","is",1]]`, `domain, term 1: Odoo has no such operator`},
		{`[["a",5,1]]`, `domain, term 1: Odoo has no such operator`},
		{`[["a","=",1],["","=",1]]`, `domain, term 2: the field must be a name or a path of names such as "reg_ids.id_type"`},
		{`[["a..b","=",1]]`, `domain, term 1: the field must be a name or a path of names such as "reg_ids.id_type"`},
		{`[[1,"=",2]]`, `domain, term 1: the field must be a name or a path of names such as "reg_ids.id_type"`},
		{`[["a","in","x"]]`, `domain, term 1: the value must be a list`},
		{`[["a","in",[[1]]]]`, `domain, term 1: the list of values must hold texts, numbers, true, false or null`},
		{`[["a","=",{"x":1}]]`, `domain, term 1: the value must be a text, a number, true, false, null or a list`},
		{`[["reg_ids","any",["!"]]]`, `domain, term 1: its own domain is wrong: term 1: "!" needs 1 term(s) after it and has 0`},
		{`["` + strings.Repeat("a", 64<<10) + `"]`, `domain: longer than 65536 bytes`},
	} {
		_, err := odoo.ParseDomain(test.text)
		got := ""
		if err != nil {
			got = err.Error()
			if _, ok := errors.AsType[*odoo.DomainError](err); !ok {
				t.Errorf("%.60s: %T", test.text, err)
			}
		}
		if got != test.want {
			t.Errorf("%.60s: %s", test.text, got)
		}
	}
}

func TestAmong(t *testing.T) {
	for _, test := range []struct{ name, domain, want string }{
		{"usual", usual, `["&",["is_registrant","=",true],["id","in",[7,8]]]`},
		{"joined by &", `["&","&",["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`,
			`["&",["is_registrant","=",true],["id","in",[7,8]]]`},
		{"only what is decided here", `[["reg_ids.id_type","=like","MOSIP VID"]]`, `[["id","in",[7,8]]]`},
		{"names exchanged", `[["reg_ids.id_type","=like","MOSIP UIN TOKEN"],"!",["reg_ids.id_type","=like","MOSIP VID"]]`,
			`["&","&",["reg_ids.id_type","=like","MOSIP UIN TOKEN"],"!",["reg_ids.id_type","=like","MOSIP VID"],["id","in",[7,8]]]`},
		{"other operator", `[["reg_ids.id_type","=","MOSIP VID"]]`, `["&",["reg_ids.id_type","=","MOSIP VID"],["id","in",[7,8]]]`},
		{"other case", `[["reg_ids.id_type","=like","mosip vid"]]`, `["&",["reg_ids.id_type","=like","mosip vid"],["id","in",[7,8]]]`},
		{"wildcard", `[["reg_ids.id_type","=like","MOSIP%"]]`, `["&",["reg_ids.id_type","=like","MOSIP%"],["id","in",[7,8]]]`},
		{"inside an or", `["|",["reg_ids.id_type","=like","MOSIP VID"],["a","=",1]]`,
			`["&","|",["reg_ids.id_type","=like","MOSIP VID"],["a","=",1],["id","in",[7,8]]]`},
		{"inside a not", `["!","&",["a","=",1],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`,
			`["&","!","&",["a","=",1],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"],["id","in",[7,8]]]`},
		{"numbers as they came", `[["income",">",12345678901234567890.10]]`, `["&",["income",">",12345678901234567890.10],["id","in",[7,8]]]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			domain, err := odoo.ParseDomain(test.domain)
			if err != nil {
				t.Fatal(err)
			}
			if got := encoded(domain.Among([]int64{7, 8}, vidType, tokenType)); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
	wild, err := odoo.ParseDomain(`[["reg_ids.id_type","=like","A_B"]]`)
	if err != nil {
		t.Fatal(err)
	}
	if got := encoded(wild.Among([]int64{1}, "A_B", "T")); got != `["&",["reg_ids.id_type","=like","A_B"],["id","in",[1]]]` {
		t.Errorf("a type name with a wildcard matches more than itself: %s", got)
	}
}

// encoded is JSON without the escapes for HTML.
func encoded(value any) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(out.String())
}

// person is a registrant as the evaluator below sees one.
type person struct {
	a, b  bool
	types []string
	id    int64
}

// Of registrants with a VID and no token, a domain selects the same ones before
// and after it was narrowed.
func TestAmongKeepsItsMeaning(t *testing.T) {
	leaves := []string{`["a","=",true]`, `["b","=",true]`, `["reg_ids.id_type","=like","MOSIP VID"]`,
		`["reg_ids.id_type","=like","MOSIP UIN TOKEN"]`, `["reg_ids.id_type","=like","MOSIP%"]`, `["reg_ids.id_type","=like","NATIONAL ID"]`}
	rapid.Check(t, func(t *rapid.T) {
		var condition func(depth int) []string
		condition = func(depth int) []string {
			operator := ""
			if depth > 0 {
				operator = rapid.SampledFrom([]string{"", "&", "|", "!"}).Draw(t, "operator")
			}
			switch operator {
			case "":
				return []string{rapid.SampledFrom(leaves).Draw(t, "leaf")}
			case "!":
				return append([]string{`"!"`}, condition(depth-1)...)
			}
			return slices.Concat([]string{`"` + operator + `"`}, condition(depth-1), condition(depth-1))
		}
		var terms []string
		for range rapid.IntRange(1, 4).Draw(t, "conditions") {
			terms = append(terms, condition(3)...)
		}
		text := "[" + strings.Join(terms, ",") + "]"
		domain, err := odoo.ParseDomain(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		narrowed := encoded(domain.Among([]int64{1, 2}, vidType, tokenType))
		for _, p := range []person{
			{true, true, []string{vidType}, 1}, {true, false, []string{vidType}, 1}, {false, true, []string{vidType}, 1},
			{false, false, []string{vidType}, 2}, {true, false, []string{"NATIONAL ID", vidType}, 2},
		} {
			if before, after := evaluate(t, text, p), evaluate(t, narrowed, p); before != after {
				t.Fatalf("%s became %s: %v, then %v", text, narrowed, before, after)
			}
		}
		if evaluate(t, narrowed, person{true, true, []string{vidType}, 3}) {
			t.Fatalf("%s became %s, which selects others", text, narrowed)
		}
	})
}

// evaluate reads a domain as Odoo does: conditions without an operator between
// them are joined by "&".
func evaluate(t *rapid.T, text string, p person) bool {
	var list []any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	at := 0
	var condition func() bool
	condition = func() bool {
		term := list[at]
		at++
		switch term {
		case "!":
			return !condition()
		case "&":
			left, right := condition(), condition()
			return left && right
		case "|":
			left, right := condition(), condition()
			return left || right
		}
		leaf := term.([]any)
		switch leaf[0] {
		case "a":
			return p.a
		case "b":
			return p.b
		case "id":
			return slices.Contains(leaf[2].([]any), any(float64(p.id)))
		}
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(leaf[2].(string), "%", ".*") + "$")
		return slices.ContainsFunc(p.types, pattern.MatchString)
	}
	all := true
	for at < len(list) {
		one := condition()
		all = all && one
	}
	return all
}

// refused compares why a domain is refused; "" if it is read.
func refused(t *testing.T, text, want string) (d odoo.Domain, read bool) {
	t.Helper()
	d, err := odoo.ParseDomain(text)
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%.80s: %s", text, got)
	}
	return d, err == nil && want == ""
}

// A domain is refused before its depth or its length costs anything.
func TestDomainsTooDeepOrTooLong(t *testing.T) {
	repeat := strings.Repeat
	leaf := `["a","=",1]`
	for _, test := range []struct{ name, text, want string }{
		{"1,200 negations", "[" + repeat(`"!",`, 1200) + leaf + "]", "domain: has more than 500 terms"},
		{"400 negations", "[" + repeat(`"!",`, 400) + leaf + "]", "domain, term 350: more than 50 operators are within each other"},
		{"operators that change", "[" + repeat(`"|",`+leaf+`,"&",`+leaf+`,`, 60) + leaf + "]", "domain, term 139: more than 50 operators are within each other"},
		{"domains in 1,200 domains", repeat(`[["a","any",`, 1200) + "[]" + repeat("]]", 1200), "domain: has more than 23 lists within each other"},
		{"domains in 12 domains", repeat(`[["a","any",`, 12) + "[]" + repeat("]]", 12), "domain: has more than 23 lists within each other"},
		{"lists in 30,000 lists", repeat("[", 30_000), "domain: has more than 23 lists within each other"},
		{"the same in Python", repeat("(", 30_000), "domain: at byte 24: more than 23 lists are within each other"},
		{"the same behind a quote", `[('a', '=', '"'), ` + repeat("[", 30_000), "domain: at byte 41: more than 23 lists are within each other"},
		{"a text in many lists", repeat("[", 300) + `"` + repeat("]", 300), "domain: has more than 23 lists within each other"},
		{"501 terms", "[" + repeat(leaf+",", 500) + leaf + "]", "domain: has more than 500 terms"},
		{"501 terms, some inside", `[["b","any",[` + repeat(leaf+",", 499) + leaf + "]]," + leaf + "]", "domain, term 1: its own domain is wrong: has more than 500 terms"},
		{"a long path", `[["a` + repeat(".a", 10) + `","=",1]]`, "domain, term 1: the path has more than 10 names"},

		{"250 choices", "[" + repeat(`"|",`, 249) + repeat(leaf+",", 249) + leaf + "]", ""},
		{"domains in 10 domains", repeat(`[["a","any",`, 10) + "[]" + repeat("]]", 10), ""},
		{"a list of values", `[["a","in",[` + repeat("1,", 9000) + `1]]]`, ""},
	} {
		t.Run(test.name, func(t *testing.T) { refused(t, test.text, test.want) })
	}
}

// Every operator of Odoo 14 to 19 is sent in the spelling that all of them take.
func TestOperatorsOfEveryOdoo(t *testing.T) {
	for _, test := range []struct{ term, sent, want string }{
		{`["a","=",1]`, `["a","=",1]`, ""},
		{`["a","==",1]`, `["a","=",1]`, ""},
		{`["a","<>",1]`, `["a","!=",1]`, ""},
		{`["a","=?",false]`, `["a","=?",false]`, ""},
		{`["a","NOT  ILIKE","x"]`, `["a","not ilike","x"]`, ""},
		{`["a","not =like","x%"]`, `["a","not =like","x%"]`, ""},
		{`["a","not =ilike","x%"]`, `["a","not =ilike","x%"]`, ""},
		{`["a","child_of",[1,2]]`, `["a","child_of",[1,2]]`, ""},
		{`["a","parent_of","x"]`, `["a","parent_of","x"]`, ""},
		{`["reg_ids","any",["|",["value","==","x"],["id_type.name","IN",["y"]]]]`, `["reg_ids","any",["|",["value","=","x"],["id_type.name","in",["y"]]]]`, ""},
		{`["reg_ids","not any",[]]`, `["reg_ids","not any",[]]`, ""},
		{`["properties.3adf37f3258cfe40","=",1]`, `["properties.3adf37f3258cfe40","=",1]`, ""},
		{`["birthdate.month_number","=",4]`, `["birthdate.month_number","=",4]`, ""},

		{`["reg_ids","any!",[]]`, "", `domain, term 1: Odoo keeps the operator "any!" for itself and refuses it from outside; write "any"`},
		{`["reg_ids","not any!",[]]`, "", `domain, term 1: Odoo keeps the operator "not any!" for itself and refuses it from outside; write "not any"`},
		{`["reg_ids","any",true]`, "", `domain, term 1: the value must be a domain of its own, a list`},
		{`["reg_ids","any",[["a","is",1]]]`, "", `domain, term 1: its own domain is wrong: term 1: Odoo has no such operator`},
		{`["a","inselect",["SELECT 1",[]]]`, "", `domain, term 1: Odoo has no such operator`},
	} {
		domain, read := refused(t, "["+test.term+"]", test.want)
		if !read {
			continue
		}
		if got := encoded(domain.Among([]int64{7}, vidType, tokenType)); got != `["&",`+test.sent+`,["id","in",[7]]]` {
			t.Errorf("%s: sent %s", test.term, got)
		}
	}
}

func TestAnEmptyDomainIsEveryRegistrant(t *testing.T) {
	for _, text := range []string{`[]`, ` [ ] `, `()`} {
		domain, _ := refused(t, text, "")
		if got := encoded(domain.Among([]int64{7, 8}, vidType, tokenType)); got != `[["id","in",[7,8]]]` {
			t.Errorf("%s: sent %s", text, got)
		}
	}
}

// Domains are read as Odoo's screens show them.
func TestDomainsWrittenInPython(t *testing.T) {
	for _, test := range []struct{ text, sent, want string }{
		{`[('is_registrant', '=', True), ('reg_ids.id_type', '=like', 'MOSIP VID'), '!', ('reg_ids.id_type', '=like', 'MOSIP UIN TOKEN')]`,
			`["&",["is_registrant","=",true],["id","in",[7]]]`, ""},
		{`['|', ('a', '!=', False), ('b', 'in', (1, 2,))]`, `["&","|",["a","!=",false],["b","in",[1,2]],["id","in",[7]]]`, ""},
		{"[\n  ('a', '=', None),\n]", `["&",["a","=",null],["id","in",[7]]]`, ""},
		{`(('a', '=', -1.50),)`, `["&",["a","=",-1.50],["id","in",[7]]]`, ""},
		{`[(u'a', u'=', u'x')]`, `["&",["a","=","x"],["id","in",[7]]]`, ""},
		{`[('a', '=', 'D\'Souza "x" \u00d1 \d')]`, `["&",["a","=","D'Souza \"x\" Ñ \\d"],["id","in",[7]]]`, ""},
		{`[('a', 'ilike', 'Ñandú')]`, `["&",["a","ilike","Ñandú"],["id","in",[7]]]`, ""},
		{`[("a", '=', ("x"))]`, `["&",["a","=","x"],["id","in",[7]]]`, ""},
		{`[["a","=",True]]`, `["&",["a","=",true],["id","in",[7]]]`, ""},

		{`[('user_id', '=', uid)]`, "", `domain: at byte 19: "uid" has a value in Odoo's own screens only; write the value itself`},
		{`[["user_id","=",uid]]`, "", `domain: at byte 17: "uid" has a value in Odoo's own screens only; write the value itself`},
		{`[('a', '>=', context_today().strftime('%Y-%m-%d'))]`, "", `domain: at byte 14: "context_today" has a value in Odoo's own screens only; write the value itself`},
		{`[('a', '=', 4000000000000001x)]`, "", `domain: at byte 29: a comma or ")" must follow; nothing is computed here`},
		{`[('a', '=', secret)]`, "", `domain: at byte 13: a word without quotes; write texts in quotes`},
		{`[('a', '=', 'secret)]`, "", `domain: at byte 22: the text breaks off`},
		{`[('a', '=', '\ud800')]`, "", `domain: at byte 16: no character has this number`},
		{`[('a', '=', 1)`, "", `domain: at byte 15: the text breaks off`},
		{`[('a', '=', 1)] + x`, "", `domain: at byte 17: there is more after the list`},
		{`('a', '=', 1)`, "", `domain, term 3: must be a list of field, operator and value`},
		{`[('a', '=', {})]`, "", `domain: at byte 13: not a list, a text in quotes, a number, True, False or None`},
	} {
		domain, read := refused(t, test.text, test.want)
		if !read {
			continue
		}
		if got := encoded(domain.Among([]int64{7}, vidType, tokenType)); got != test.sent {
			t.Errorf("%s: sent %s", test.text, got)
		}
	}
}

// No text makes the reader fail in another way than by its error, and what it
// takes is a domain when it is sent.
func FuzzParseDomain(f *testing.F) {
	for _, text := range []string{usual, `[('a','=',True)]`, `[["a","any",[["b","in",[1]]]]]`, `('a',)`, `[u'`, `["!"`, `'\x`, `[[1,"=",1]]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		domain, err := odoo.ParseDomain(text)
		if err != nil {
			if _, ok := errors.AsType[*odoo.DomainError](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		var sent []any
		if err := json.Unmarshal([]byte(encoded(domain.Among([]int64{1}, vidType, tokenType))), &sent); err != nil {
			t.Fatal(err)
		}
	})
}

// A number is no longer than the largest of a field, wherever it stands.
func TestNumbersOfADomainAreBounded(t *testing.T) {
	const long = "a number has more than 400 digits"
	const large = "a number is larger than any that a field holds"
	for number, why := range map[string]string{
		strings.Repeat("9", 19_000):        long,
		"-" + strings.Repeat("9", 4_000):   long,
		"1." + strings.Repeat("0", 4_000):  long,
		"1e" + strings.Repeat("0", 4_000):  long,
		"1e-" + strings.Repeat("9", 4_000): long,
		strings.Repeat("9", 401):           long,
		strings.Repeat("9", 310):           large,
		"-1e400":                           large,
		"1e999999999":                      large,
		strings.Repeat("9", 300):           "",
		"12345678901234567890.10":          "",
		"-1.5e3":                           "",
	} {
		for text, want := range map[string]string{
			`[["a","=",` + number + `]]`:                        "domain, term 1: " + why,
			`[["b","=",1],["a","in",[1,` + number + `]]]`:       "domain, term 2: " + why,
			`[["r","any",[["a",">",` + number + `]]]]`:          "domain, term 1: its own domain is wrong: term 1: " + why,
			`[('a', '=', ` + number + `)]`:                      "domain, term 1: " + why,
			`[('b', '=', 'x'), ('a', 'in', (` + number + `,))]`: "domain, term 2: " + why,
		} {
			if why == "" {
				want = ""
			}
			refused(t, text, want)
		}
	}
	// A text of digits is no number.
	refused(t, `[["a","=","`+strings.Repeat("9", 4_000)+`"]]`, "")
}
