package main

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/check"
	"openg2p.org/mts-connector/shared/seeding/inquire"
	"openg2p.org/mts-connector/shared/seeding/registrant"
)

// A said is what a code says. What stands in braces is a parameter.
type said struct {
	Sources []seeding.Source   `json:"sources,omitempty"` // of a problem
	Result  seeding.LineResult `json:"result,omitempty"`  // of a line
	Text    string             `json:"text"`
	Of      string             `json:"text_of_fields,omitempty"` // the text if the fields are known
	Remedy  string             `json:"remedy,omitempty"`
	Params  []string           `json:"params,omitempty"`
}

// Codes are the lists of codes that replies have beside a sentence, by the names that
// they have in the document of the API. They come from the tables of the code.
func Codes() map[string]any {
	return map[string]any{
		"x-problem-codes":   problemCodes(),
		"x-line-codes":      lineCodes(slices.Concat(seeding.Lines(), check.Lines(), inquire.Lines(), registrant.Lines())),
		"x-rejection-codes": rejectionCodes(),
		"x-note-codes":      sayings(connectors.Notes()),
	}
}

var braces = regexp.MustCompile(`\{(\w+)\}`)

// named are the parameters that texts name.
func named(texts ...string) (names []string) {
	for _, match := range braces.FindAllStringSubmatch(strings.Join(texts, " "), -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// problemCodes are texts and remedies by code, with the sources that have them.
func problemCodes() map[string][]said {
	all := map[string][]said{}
	for _, r := range seeding.Problems() {
		list := all[r.Code]
		i := slices.IndexFunc(list, func(s said) bool { return s.Text == r.Text && s.Remedy == r.Remedy })
		if i < 0 {
			i, list = len(list), append(list, said{Text: r.Text, Remedy: r.Remedy, Params: named(r.Text, r.Remedy)})
		}
		list[i].Sources = append(list[i].Sources, r.Source)
		slices.Sort(list[i].Sources)
		all[r.Code] = list
	}
	for _, list := range all {
		slices.SortFunc(list, func(a, b said) int { return cmp.Compare(a.Sources[0], b.Sources[0]) })
	}
	return all
}

// lineCodes are texts and remedies by the name of a line and its code.
func lineCodes(lines []seeding.Line) map[string]map[string][]said {
	all := map[string]map[string][]said{}
	for _, l := range lines {
		text, remedy := bracedLine(l)
		params := slices.Sorted(maps.Keys(l.Params))
		params = append(params, named(text, remedy)...)
		slices.Sort(params)
		one := said{Result: l.Result, Text: text, Remedy: remedy, Params: slices.Compact(params)}
		if all[l.Name] == nil {
			all[l.Name] = map[string][]said{}
		}
		if !slices.ContainsFunc(all[l.Name][l.Code], func(s said) bool { return reflect.DeepEqual(s, one) }) {
			all[l.Name][l.Code] = append(all[l.Name][l.Code], one)
		}
	}
	return all
}

// bracedLine are text and remedy of a line with its parameters in braces.
func bracedLine(l seeding.Line) (text, remedy string) {
	text, remedy = l.Text, l.Remedy
	for _, name := range slices.Sorted(maps.Keys(l.Params)) {
		value := fmt.Sprint(l.Params[name])
		switch v := l.Params[name].(type) {
		case int, string:
		case []any:
			if len(v) != 1 {
				continue
			}
			if value = fmt.Sprintf("%q", fmt.Sprint(v[0])); !strings.Contains(text, value) {
				continue
			}
		default:
			continue
		}
		word := regexp.MustCompile(`(^|[^\w{])` + regexp.QuoteMeta(value) + `($|[^\w}])`)
		if value != "" && value != "0" {
			text, remedy = word.ReplaceAllString(text, "${1}{"+name+"}${2}"), word.ReplaceAllString(remedy, "${1}{"+name+"}${2}")
		}
	}
	return text, remedy
}

func rejectionCodes() map[string]said {
	all := sayings(connectors.Reasons())
	for code, m := range seeding.Meanings() {
		all[code] = said{Text: m.Text, Of: m.Of, Params: named(m.Of)}
	}
	return all
}

func sayings(texts map[string]string) map[string]said {
	all := map[string]said{}
	for code, text := range texts {
		all[code] = said{Text: text, Params: named(text)}
	}
	return all
}
