package jq

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/seeding"
)

// program is a compiled expression.
type program struct {
	query    *gojq.Query
	patterns map[patternKey]*pattern // its regular expressions that are literals
	doubts   []seeding.Flaw          // what in it is probably not meant
}

// maxProgram bounds an expression, in bytes, and with that the depth of its
// syntax tree.
const maxProgram = 1000

// compile returns the program of "."+text. Its error says in words for the user
// what is wrong.
func compile(text string) (*program, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, wrong("expression_empty", nil, "is empty, which would be the whole record; name a field")
	case len(text) > maxProgram:
		return nil, wrong("expression_too_long", params{"most": maxProgram}, "is longer than %d bytes", maxProgram)
	case strings.HasPrefix(strings.TrimSpace(text), "."):
		return nil, wrong("expression_dot", nil, "begins with a dot, but a dot is put in front anyway; leave it out")
	case strings.Contains(text, nul):
		return nil, wrong("control_character", nil, "holds a NUL character")
	}
	query, err := gojq.Parse("." + text)
	if err != nil {
		return nil, notValid(text, err)
	}
	c := checker{text: text, patterns: map[patternKey]*pattern{}, sees: "the record"}
	c.query(query, nil)
	switch {
	case c.wrong != nil && plainKey().MatchString(text): // read as a subtraction, for instance
		return nil, notValid(text, c.wrong)
	case c.wrong != nil:
		return nil, c.wrong
	}
	return &program{query, c.patterns, c.doubts}, nil
}

// check15 returns why jq 1.5 does not take an expression.
func (p *program) check15(text string) error {
	c := checker{text: text, patterns: map[patternKey]*pattern{}, sees: "the record", only15: true}
	if c.query(p.query, nil); c.wrong != nil {
		return c.wrong
	}
	return readAs15("."+text, 1)
}

// params are what a text names.
type params = map[string]any

// wrong is a flaw of an expression.
func wrong(code string, p params, format string, args ...any) error {
	return seeding.NewFlaw(code, p, format, args...)
}

// plainKey matches the name of one field, even where jq wants it in quotes. It is
// compiled when it is needed, because classes of all letters would take a part of
// each start of a function.
var plainKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\pL\pN_$@:/ -]+$`) })

func notValid(text string, err error) error {
	if plainKey().MatchString(text) {
		return wrong("expression_name", params{"name": text}, "is not a jq path; a field name that has other characters than a-z, 0-9 and _, or begins with a digit, "+
			`must be in quotes: "%s"`, text)
	}
	place, p := "", params{}
	if e, ok := err.(*gojq.ParseError); ok && e.Offset > 1 { //nolint:errorlint // Parse returns nothing that wraps it
		before := text[:min(e.Offset-1, len(text))]
		p["after"] = utf8.RuneCountInString(before)
		place = fmt.Sprintf(", after character %d", p["after"])
	}
	return wrong("expression_syntax", p, "is not valid jq after its leading dot: %v%s", err, place)
}

// notValidOutput says where a whole program cannot be read.
func notValidOutput(text string, err error) error {
	e, ok := err.(*gojq.ParseError) //nolint:errorlint // Parse returns nothing that wraps it
	if !ok || e.Offset < 1 {
		return wrong("expression_syntax", nil, "is not valid jq: %v", err)
	}
	after := utf8.RuneCountInString(text[:min(e.Offset, len(text))])
	return wrong("expression_syntax", params{"after": after}, "is not valid jq: %v, after character %d", err, after)
}

// forbidden are the functions of jq that read the clock, the machine, the
// environment or further input, or that write to the log. For the same record a
// mapping must give the same result, because fingerprints depend on it.
var forbidden = []string{
	"env", "$ENV", "input", "inputs", "input_filename", "input_line_number", "now", "localtime", "strflocaltime", "debug", "stderr",
	"halt", "halt_error", "get_search_list", "modulemeta", "$__prog_args", "$__loc__", "builtins",
}

// checker finds what cannot be evaluated: names that nothing has, and regular
// expressions that are literals and do not compile. Only the first is kept.
type checker struct {
	text     string
	patterns map[patternKey]*pattern
	sees     string // what the program may look at
	only15   bool   // it must be a program of jq 1.5
	wrong    error
	doubts   []seeding.Flaw
}

// refuse says what is wrong, and where the word is in the expression.
func (c *checker) refuse(code, word, format string, args ...any) {
	if c.wrong == nil {
		text := c.placed(word, fmt.Sprintf(format, args...))
		c.wrong = wrong(code, params{"word": word}, "%s", text)
	}
}

// placed is a text with the place of a word in the expression.
func (c *checker) placed(word, text string) string {
	at := regexp.MustCompile(`(?:^|[^\w$])(` + regexp.QuoteMeta(word) + `)`).FindStringSubmatchIndex(c.text)
	if at != nil {
		text = fmt.Sprintf("%s (at character %d)", text, 1+utf8.RuneCountInString(c.text[:at[2]]))
	}
	return text
}

func (c *checker) queries(s *scope, queries ...*gojq.Query) {
	for _, q := range queries {
		if q != nil {
			c.query(q, s)
		}
	}
}

func (c *checker) query(q *gojq.Query, s *scope) {
	if len(q.Imports) > 0 || q.Meta != nil {
		c.refuse("expression_forbidden", "import", "import is not available: an expression may only look at %s", c.sees)
	}
	for _, def := range q.FuncDefs {
		s = &scope{before: s, name: def.Name, arity: len(def.Args), def: def}
		inner := s
		for _, arg := range def.Args {
			if name, ok := strings.CutPrefix(arg, "$"); ok {
				inner = inner.bind(arg, nil)
				arg = name
			}
			inner = &scope{before: inner, name: arg, body: def.Body}
		}
		c.query(def.Body, inner)
	}
	switch {
	case q.Term != nil:
		c.term(q.Term, s)
	case len(q.Patterns) > 0:
		c.query(q.Left, s)
		c.query(q.Right, c.bind(q.Patterns, s))
	default:
		c.queries(s, q.Left, q.Right)
	}
}

// bind adds the names of a pattern.
func (c *checker) bind(patterns []*gojq.Pattern, s *scope) *scope {
	if len(patterns) > 1 {
		c.refuse("expression_later_jq", "?//", "?// is not available here: MTS's jq (1.5) does not have it")
	}
	return c.names(patterns[0], s, s)
}

func (c *checker) names(p *gojq.Pattern, at, s *scope) *scope {
	if p.Name != "" {
		return s.bind(p.Name, nil)
	}
	for _, element := range p.Array {
		s = c.names(element, at, s)
	}
	for _, member := range p.Object {
		c.string(member.KeyString, at)
		c.queries(at, member.KeyQuery)
		if strings.HasPrefix(member.Key, "$") {
			s = s.bind(member.Key, nil)
		}
		if member.Val != nil {
			s = c.names(member.Val, at, s)
		}
	}
	return s
}

func (c *checker) string(t *gojq.String, s *scope) {
	if t != nil {
		c.queries(s, t.Queries...)
	}
}

func (c *checker) index(i *gojq.Index, s *scope) {
	if i != nil {
		c.string(i.Str, s)
		c.queries(s, i.Start, i.End)
	}
}

func (c *checker) term(t *gojq.Term, s *scope) {
	c.index(t.Index, s)
	c.string(t.Str, s)
	for _, suffix := range t.SuffixList {
		c.index(suffix.Index, s)
	}
	if t.Format != "" && !slices.Contains(formats, t.Format[1:]) {
		c.refuse("expression_unknown", t.Format, "there is no format %s", t.Format)
	}
	if t.Format != "" && c.only15 && !slices.Contains(formats15, t.Format[1:]) {
		c.refuse("expression_later_jq", t.Format, "the format %s is not in jq 1.5, which MTS has", t.Format)
	}
	switch t.Type {
	case gojq.TermTypeFunc:
		c.call(t.Func, s)
	case gojq.TermTypeObject:
		for _, member := range t.Object.KeyVals {
			c.string(member.KeyString, s)
			c.queries(s, member.KeyQuery, member.Val)
			if strings.HasPrefix(member.Key, "$") {
				c.call(&gojq.Func{Name: member.Key}, s)
			}
		}
	case gojq.TermTypeArray:
		c.queries(s, t.Array.Query)
	case gojq.TermTypeUnary:
		c.term(t.Unary.Term, s)
	case gojq.TermTypeIf:
		c.queries(s, t.If.Cond, t.If.Then, t.If.Else)
		for _, more := range t.If.Elif {
			c.queries(s, more.Cond, more.Then)
		}
	case gojq.TermTypeTry:
		c.queries(s, t.Try.Body, t.Try.Catch)
	case gojq.TermTypeReduce:
		c.queries(s, t.Reduce.Query, t.Reduce.Start)
		c.query(t.Reduce.Update, c.bind(t.Reduce.Patterns, s))
	case gojq.TermTypeForeach:
		c.queries(s, t.Foreach.Query, t.Foreach.Start)
		c.queries(c.bind(t.Foreach.Patterns, s), t.Foreach.Update, t.Foreach.Extract)
	case gojq.TermTypeLabel:
		c.query(t.Label.Body, s.bind("*"+t.Label.Ident, nil))
	case gojq.TermTypeBreak:
		if s.variable("*"+t.Break) == nil {
			c.refuse("expression_unknown", t.Break, "there is no label %s", t.Break)
		}
	case gojq.TermTypeQuery:
		c.query(t.Query, s)
	}
}

func (c *checker) call(f *gojq.Func, s *scope) {
	c.queries(s, f.Args...)
	switch {
	case f.Name[0] == '$' && s.variable(f.Name) != nil:
		return
	case f.Name[0] != '$' && s.function(f.Name, len(f.Args)) != nil:
		return
	case slices.Contains(forbidden, f.Name):
		c.refuse("expression_forbidden", f.Name, "%s is not available: an expression may only look at %s", f.Name, c.sees)
		return
	case f.Name[0] == '$':
		c.refuse("expression_unknown", f.Name, "there is no variable %s", f.Name)
		return
	}
	if _, known := functions[signature{f.Name, len(f.Args)}]; !known || f.Name[0] == '_' {
		c.refuse("expression_unknown", f.Name, "%s", unknown(f))
		return
	}
	if c.only15 && !functions15[signature{f.Name, len(f.Args)}] {
		c.refuse("expression_later_jq", f.Name, "%s with %d arguments is not in jq 1.5, which MTS has", f.Name, len(f.Args))
		return
	}
	c.literals(f)
}

func unknown(f *gojq.Func) string {
	for arity := range 5 {
		if _, ok := functions[signature{f.Name, arity}]; ok && f.Name[0] != '_' {
			return fmt.Sprintf("%s takes another number of arguments than %d", f.Name, len(f.Args))
		}
	}
	if len(f.Args) == 0 {
		return fmt.Sprintf("there is no function %s here; a field of the record has a dot in front: .%s", f.Name, f.Name)
	}
	return fmt.Sprintf("there is no function %s with %d arguments here", f.Name, len(f.Args))
}

// literals checks the regular expressions and time formats that are written in
// the program.
func (c *checker) literals(f *gojq.Func) {
	var flagsAt int // which argument has the flags
	added := ""
	switch f.Name {
	case "strptime", "strftime":
		if text, ok := literalText(f.Args[0]); ok {
			c.timeFormat(f.Name, text)
		}
		return
	case "split":
		if len(f.Args) == 1 { // by a plain text
			return
		}
		flagsAt = 1
	case "test", "match", "capture", "splits":
		flagsAt = 1
	case "scan":
		flagsAt, added = 1, "g"
	case "sub":
		flagsAt = 2
		c.replacement(f)
	case "gsub":
		flagsAt, added = 2, "g"
		c.replacement(f)
	default:
		return
	}
	expression, ok := literalText(f.Args[0])
	flags := ""
	if len(f.Args) > flagsAt {
		flags, _ = literalText(f.Args[flagsAt])
	} else if pair := literalList(f.Args[0]); len(pair) > 0 && flagsAt == 1 {
		expression, ok = literalText(pair[0])
		if len(pair) > 1 {
			flags, _ = literalText(pair[1])
		}
	}
	if !ok {
		return
	}
	key := patternKey{expression, flags + added}
	if c.patterns[key] != nil {
		return
	}
	p, bad := compilePattern(key)
	if bad != "" {
		c.refuse("expression_regex", f.Name, "the regular expression of %s %s", f.Name, bad)
		return
	}
	c.patterns[key] = p
}

// reference matches how other languages write a group of a regular expression in
// what replaces it, and groupName the name of one where it begins.
var (
	reference = regexp.MustCompile(`\$[0-9&]|\$\{\w+\}|\\[0-9]|\\[gk]<\w+>`)
	groupName = regexp.MustCompile(`\(\?P?<(\w+)>`)
	// An & or a percent sign is usual in a text, but not where it stands for a group.
	hasGroup   = regexp.MustCompile(`(?:^|[^\\])\((?:[^?]|\?P?<\w)`)
	wholeMatch = regexp.MustCompile(`^&|&$|%[0-9]\b`)
)

// replacement doubts what replaces a match if it names a group as other languages do.
func (c *checker) replacement(f *gojq.Func) {
	expression, _ := literalText(f.Args[0])
	for _, text := range literalTexts(f.Args[1]) {
		found := reference.FindString(text)
		for _, name := range groupName.FindAllStringSubmatch(expression, -1) {
			if found == "" && strings.Contains(text, "$"+name[1]) {
				found = "$" + name[1]
			}
		}
		if found == "" && hasGroup.MatchString(expression) {
			found = wholeMatch.FindString(text)
		}
		if found != "" {
			text := "writes " + found + ` as it stands, because jq has no such references to a group: give the group a name and write that, as in ` + f.Name + `("(?<a>[0-9]+)"; "\(.a)")`
			c.doubts = append(c.doubts, seeding.Flaw{Code: "expression_group", Params: params{"written": found, "function": f.Name}, Text: c.placed(f.Name, text)})
			return
		}
	}
}

// timeFormat refuses a format with which no text can be read or written.
func (c *checker) timeFormat(name, format string) {
	_, after, found := strings.Cut(format, "%")
	if !found {
		c.refuse("expression_time_format", name, "the format of %s has no directive such as %%Y, %%m and %%d", name)
	}
	for found && c.wrong == nil {
		directive := strings.TrimLeft(after, "-_0^#:123456789")
		if directive == "" || !strings.ContainsRune("aAbBcCdDeFfgGhHIjklmMnpPrRsStTuUvVwWxXyYzZ%+", rune(directive[0])) {
			c.refuse("expression_time_format", name, "the format of %s has an unknown directive", name)
			return
		}
		_, after, found = strings.Cut(directive[1:], "%")
	}
}

// literalText returns the text that a query is, if it is one.
func literalText(q *gojq.Query) (string, bool) {
	t := q.Term
	switch {
	case t == nil || len(t.SuffixList) > 0 || len(q.FuncDefs) > 0:
	case t.Type == gojq.TermTypeQuery:
		return literalText(t.Query)
	case t.Type == gojq.TermTypeString && t.Str.Queries == nil:
		return t.Str.Str, true
	}
	return "", false
}

// literalTexts returns the texts that a query is made of, as far as they are
// written in it.
func literalTexts(q *gojq.Query) []string {
	switch t := q.Term; {
	case t == nil && q.Op == gojq.OpAdd:
		return append(literalTexts(q.Left), literalTexts(q.Right)...)
	case t == nil:
	case t.Type == gojq.TermTypeQuery:
		return literalTexts(t.Query)
	case t.Type == gojq.TermTypeString:
		texts := []string{t.Str.Str}
		for _, piece := range t.Str.Queries {
			texts = append(texts, literalTexts(piece)...)
		}
		return texts
	}
	return nil
}

// literalList returns the elements of a list that is written in a program.
func literalList(q *gojq.Query) []*gojq.Query {
	if q.Term == nil || q.Term.Type != gojq.TermTypeArray || len(q.Term.SuffixList) > 0 || q.Term.Array.Query == nil {
		return nil
	}
	var elements []*gojq.Query
	for q = q.Term.Array.Query; q.Term == nil && q.Op == gojq.OpComma; q = q.Left {
		elements = append(elements, q.Right)
	}
	elements = append(elements, q)
	slices.Reverse(elements)
	return elements
}
