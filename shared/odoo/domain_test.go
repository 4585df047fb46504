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
	usual     = `[["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],"!",["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`
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
		{`[["a","=",True]]`, "domain: not JSON at byte 11"},
		{`[('a','=',1)]`, "domain: not JSON at byte 2"},
		{`{"a":1}`, "domain: must be a list of terms"},
		{`"x"`, "domain: must be a list of terms"},
		{`[]`, "domain: must have at least one term"},
		{`null`, "domain: must have at least one term"},
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
		{`[["a","==",1]]`, `domain, term 1: Odoo has no such operator`},
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
