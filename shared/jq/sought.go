package jq

import (
	"reflect"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/seeding"
)

// Try evaluates an expression on records and returns its result for each, nil where
// it gives none; ok is false if the expression cannot be used, or if all of them
// together need more work than one record may.
func (Mappings) Try(expression string, records []seeding.Record) (results []any, ok bool) {
	p, err := compile(expression)
	if err != nil {
		return nil, false
	}
	e := &evaluation{left: maxTried}
	for _, record := range records {
		results = append(results, e.first(p, plain(map[string]any(record))))
	}
	return results, !e.spent
}

// maxTried is in units of work: many small records take less than one large one may.
const maxTried = 4 * maxWork

// Sought returns what an expression looks for in a record: texts that fit what it
// compares and its regular expressions, separators and forms of time, the names that
// it looks up in objects, and the numbers that it knows. Each list is bounded.
func (Mappings) Sought(expression string) (s seeding.Sought) {
	p, err := compile(expression)
	if err != nil {
		return s
	}
	var texts []string
	walk(reflect.ValueOf(p.query), &texts, &s)
	s.Names = distinct(append(s.Names, texts...))
	fit := make([][]string, len(texts))
	for i, text := range texts {
		fit[i] = fitting(text)
	}
	for n := 0; len(s.Texts) < maxSought && slices.ContainsFunc(fit, func(list []string) bool { return n < len(list) }); n++ {
		for _, list := range fit { // what fits best of each comes first
			if n < len(list) {
				s.Texts = append(s.Texts, list[n])
			}
		}
	}
	s.Texts = append(s.Texts[:min(len(s.Texts), maxSought/2)], orders(texts)...)
	s.Texts = distinct(s.Texts)
	s.Numbers = s.Numbers[:min(len(s.Numbers), maxSought)]
	return s
}

// orders are a few constants together, in each order: one text may have to begin with
// one of them, end with another and contain a third.
func orders(constants []string) (list []string) {
	if len(constants) < 2 || len(constants) > 4 {
		return nil
	}
	for i, first := range constants {
		rest := slices.Delete(slices.Clone(constants), i, i+1)
		if len(rest) == 1 {
			list = append(list, first+rest[0])
		}
		for _, text := range orders(rest) {
			list = append(list, first+text)
		}
	}
	return slices.DeleteFunc(list, func(text string) bool { return len(text) > maxShort })
}

// distinct are the first different ones of a list.
func distinct(list []string) []string {
	var once []string
	for _, text := range list[:min(len(list), maxSought)] {
		if !slices.Contains(once, text) {
			once = append(once, text)
		}
	}
	return once
}

const maxSought = 150

// walk collects texts, names and numbers of a syntax tree.
func walk(v reflect.Value, texts *[]string, s *seeding.Sought) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || !v.CanInterface() {
			return
		}
		switch node := v.Interface().(type) {
		case *gojq.String:
			if node.Queries == nil {
				*texts = append(*texts, node.Str)
			}
		case *gojq.Index:
			if node.Name != "" {
				s.Names = append(s.Names, node.Name)
			}
		case *gojq.ObjectKeyVal:
			if node.Key != "" {
				*texts = append(*texts, strings.TrimPrefix(node.Key, "$")) // compared with a text, as in {male: "Male"}[.]
			}
		case *gojq.Term:
			if n, err := strconv.ParseFloat(node.Number, 64); err == nil && node.Number != "" {
				s.Numbers = append(s.Numbers, n)
			}
		}
		walk(v.Elem(), texts, s)
	case reflect.Struct:
		for _, field := range v.Fields() {
			walk(field, texts, s)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), texts, s)
		}
	}
}

// fitting are texts that a constant of an expression may be looking for, whatever
// function it is for.
func fitting(constant string) []string {
	if constant == "" || len(constant) > maxPattern {
		return nil
	}
	list := []string{constant, strings.ToLower(constant), strings.ToUpper(constant)}
	if len(constant) > 1 {
		list = append(list, strings.ToUpper(constant[:1])+strings.ToLower(constant[1:]))
	}
	if strings.Contains(constant, "%") {
		list = append(list, times[0].Replace(constant), times[1].Replace(constant))
	}
	if re, err := syntax.Parse(constant, syntax.Perl); err == nil && re.Op != syntax.OpLiteral {
		for more := range 3 {
			var b strings.Builder
			example(re, more, &b)
			list = append(list, b.String(), "Ana "+b.String()+" Cruz", "1"+b.String()+"2")
		}
	}
	parts := [][]string{{"Ana", "Maria", "Cruz", "Luz"}, {"02", "11", "1990", "16"}, {"1990", "11", "02", "16"}}
	for _, words := range parts {
		list = append(list, strings.Join(words, constant), words[0]+constant, constant+words[0])
	}
	return slices.DeleteFunc(list, func(text string) bool { return len(text) > maxShort })
}

// times write forms of time with two dates.
var times = []*strings.Replacer{
	strings.NewReplacer("%Y", "1990", "%y", "90", "%m", "11", "%d", "02", "%e", "2", "%H", "16", "%I", "04", "%p", "PM", "%M", "05", "%S", "30",
		"%B", "November", "%b", "Nov", "%h", "Nov", "%A", "Friday", "%a", "Fri", "%j", "306", "%Z", "UTC", "%z", "+0000", "%T", "16:05:30",
		"%F", "1990-11-02", "%D", "11/02/90", "%R", "16:05", "%n", "\n", "%t", "\t", "%%", "%"),
	strings.NewReplacer("%Y", "1987", "%y", "87", "%m", "03", "%d", "25", "%e", "25", "%H", "06", "%I", "06", "%p", "AM", "%M", "45", "%S", "00",
		"%B", "March", "%b", "Mar", "%h", "Mar", "%A", "Wednesday", "%a", "Wed", "%j", "084", "%Z", "UTC", "%z", "+0000", "%T", "06:45:00",
		"%F", "1987-03-25", "%D", "03/25/87", "%R", "06:45", "%n", "\n", "%t", "\t", "%%", "%"),
}

// example writes a text that a regular expression matches, with more repetitions and
// other alternatives the greater more is.
func example(re *syntax.Regexp, more int, b *strings.Builder) {
	if b.Len() > maxShort {
		return
	}
	repeat := func(least, most int) {
		n := least + more
		if most >= 0 {
			n = min(n, most)
		}
		for range min(n, maxShort) {
			example(re.Sub[0], more, b)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(inClass(re.Rune, more))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("a1B"[more%3])
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(re.Min, re.Max)
	case syntax.OpAlternate:
		example(re.Sub[more%len(re.Sub)], more, b)
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			example(sub, more, b)
		}
	}
}

// inClass chooses a usual character of a class.
func inClass(ranges []rune, more int) rune {
	usual := []rune("aA17 zZ-/.,")
	for i := range usual {
		c := usual[(i+more)%len(usual)]
		for r := 0; r+1 < len(ranges); r += 2 {
			if ranges[r] <= c && c <= ranges[r+1] {
				return c
			}
		}
	}
	if len(ranges) == 0 {
		return 'a'
	}
	return ranges[0]
}
