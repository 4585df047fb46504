package jq

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MTS has jq 1.5 (facts/mts.md 3.4). gojq reads newer programs too, so an Output
// Format is also read here, by the grammar of 1.5 (its parser.y). Nothing is built:
// it is found out whether 1.5 reads the program, and where it does not.

// notIn15 is where jq 1.5 stops reading a program.
type notIn15 struct {
	at   int // byte
	code string
	text string
}

// readAs15 returns why jq 1.5 does not read a program that gojq reads; the error
// says where. The user has not written so many bytes before it.
func readAs15(text string, added int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stop, ok := r.(notIn15)
			if !ok {
				panic(r)
			}
			at := 1 + utf8.RuneCountInString(text[min(added, stop.at):stop.at])
			err = wrong(stop.code, params{"at": at}, "%s (at character %d)", stop.text, at)
		}
	}()
	g := &grammar{text: text}
	g.tokens = g.lex()
	if g.is("def") && g.onlyDefinitions() {
		g.stop("jq 1.5, which MTS has, wants an expression after the definitions")
	}
	g.expression()
	if !g.is("") {
		g.refuse()
	}
	return nil
}

// token is a piece of a program. Its kind is the piece itself for words of the
// language and operators; otherwise one of the names below, or "" at the end.
type token struct {
	kind string
	text string
	at   int
}

const (
	aName    = "name"
	aField   = "field" // .name
	aNumber  = "number"
	aFormat  = "format" // @name
	openText = "text"   // the quote that begins a text
	inText   = "literal"
	openExpr = `\(`
	endText  = "end of text"
)

// keywords of jq 1.5. Later ones, such as "elif" with its meaning, are the same.
var keywords = []string{"as", "def", "module", "import", "include", "if", "then", "else", "elif", "end", "and", "or", "reduce", "foreach", "try", "catch", "label", "break", "__loc__"}

// punctuation of jq 1.5, of pieces that begin alike the longest first.
var punctuation = []string{
	"?//=", "?//", "//=", "//", "!=", "==", "|=", "+=", "-=", "*=", "/=", "%=", "<=", ">=", "..",
	".", "?", "=", ";", ",", ":", "|", "+", "*", "/", "%", "$", "<", ">", "(", ")", "[", "]", "{", "}", "-",
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// run is the length of the bytes at the beginning of a text that something holds for.
func run(text string, holds func(byte) bool) (n int) {
	for n < len(text) && holds(text[n]) {
		n++
	}
	return n
}

func inName(c byte) bool { return isLetter(c) || isDigit(c) }

// fieldAt, numberAt, formatAt and nameAt are the lengths of such a token at the beginning
// of a text, 0 for none.
func fieldAt(text string) int {
	if len(text) > 1 && text[0] == '.' && isLetter(text[1]) {
		return 1 + run(text[1:], inName)
	}
	return 0
}

func numberAt(text string) int {
	n := run(text, func(c byte) bool { return c == '.' || isDigit(c) })
	if dots := strings.Trim(text[:n], ".") == ""; n == 0 || dots && n < 3 {
		return 0
	}
	if rest := text[n:]; rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		sign := 1
		if len(rest) > 1 && (rest[1] == '+' || rest[1] == '-') {
			sign = 2
		}
		if digits := run(rest[sign:], isDigit); digits > 0 {
			n += sign + digits
		}
	}
	return n
}

func formatAt(text string) int {
	if text[0] == '@' {
		if n := run(text[1:], inName); n > 0 {
			return 1 + n
		}
	}
	return 0
}

func nameAt(text string) (n int) {
	for n < len(text) && isLetter(text[n]) {
		n += run(text[n:], inName)
		if !strings.HasPrefix(text[n:], "::") || n+2 == len(text) || !isLetter(text[n+2]) {
			return n
		}
		n += 2
	}
	return n
}

func punctuationAt(text string) int {
	for _, piece := range punctuation {
		if strings.HasPrefix(text, piece) {
			return len(piece)
		}
	}
	return 0
}

// lex splits the program. What is in a text is looked at where an expression is.
func (g *grammar) lex() []token {
	var list []token
	var open []byte // brackets; a quote is a text
	text := g.text
	for at := 0; at < len(text); {
		rest := text[at:]
		add := func(kind, piece string) {
			list = append(list, token{kind, piece, at})
			at += len(piece)
		}
		if n := len(open); n > 0 && open[n-1] == '"' {
			switch {
			case rest[0] == '"':
				open = open[:n-1]
				add(endText, `"`)
			case strings.HasPrefix(rest, `\(`):
				open = append(open, 's')
				add(openExpr, `\(`)
			case rest[0] == '\\' && len(rest) > 1:
				add(inText, rest[:2])
			default:
				add(inText, rest[:1])
			}
			continue
		}
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\n':
			at++
		case c == '#':
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			if at += end; text[at-1] == '\\' {
				panic(notIn15{at - 1, "expression_later_jq", `newer versions of jq take the next line for a part of this comment; leave out the \ at its end`})
			}
		case c == '"':
			open = append(open, '"')
			add(openText, `"`)
		case fieldAt(rest) > 0:
			add(aField, rest[:fieldAt(rest)])
		case numberAt(rest) > 0:
			digits := rest[:numberAt(rest)]
			if strings.Count(digits, ".") > 1 {
				panic(notIn15{at, "expression_later_jq", fmt.Sprintf("jq 1.5, which MTS has, takes %s for a number", digits)})
			}
			add(aNumber, digits)
		case formatAt(rest) > 0:
			add(aFormat, rest[:formatAt(rest)])
		case nameAt(rest) > 0:
			name := rest[:nameAt(rest)]
			if slices.Contains(keywords, name) {
				add(name, name)
			} else {
				add(aName, name)
			}
		case punctuationAt(rest) > 0:
			piece := rest[:punctuationAt(rest)]
			switch piece {
			case "(", "[", "{":
				open = append(open, piece[0])
			case ")", "]", "}":
				if n := len(open); n > 0 {
					open = open[:n-1]
				}
			}
			add(piece, piece)
		default:
			panic(notIn15{at, "expression_later_jq", fmt.Sprintf("jq 1.5, which MTS has, does not take the character %q here", firstRune(rest))})
		}
	}
	return append(list, token{at: len(text)})
}

func firstRune(text string) string {
	_, n := utf8.DecodeRuneInString(text)
	return text[:n]
}

// grammar reads tokens by the rules of parser.y, each method one of them.
type grammar struct {
	text   string
	tokens []token
	next   int
	depth  int
}

func (g *grammar) peek() token { return g.tokens[g.next] }

func (g *grammar) is(kinds ...string) bool { return slices.Contains(kinds, g.peek().kind) }

// take goes on behind a token of this kind, if it is the next one.
func (g *grammar) take(kind string) bool {
	if !g.is(kind) {
		return false
	}
	g.next++
	return true
}

func (g *grammar) want(kind string) {
	if !g.take(kind) {
		g.refuse()
	}
}

// list reads one or more of something, what stands between them, and the end.
func (g *grammar) list(one func(), between, end string) {
	one()
	for g.take(between) {
		one()
	}
	g.want(end)
}

func (g *grammar) stop(format string, args ...any) {
	panic(notIn15{g.peek().at, "expression_later_jq", fmt.Sprintf(format, args...)})
}

func (g *grammar) refuse() {
	if g.is("") {
		g.stop("jq 1.5, which MTS has, expects more at the end")
	}
	g.stop("jq 1.5, which MTS has, does not take %q here", g.peek().text)
}

// onlyDefinitions reports whether nothing follows definitions, which is a library.
func (g *grammar) onlyDefinitions() bool {
	before := g.next
	for g.is("def") {
		g.definition()
	}
	end := g.is("")
	g.next = before
	return end
}

var operators = []string{"=", "or", "and", "//", "//=", "|=", "|", ",", "+", "+=", "-", "-=", "*", "*=", "/", "%", "/=", "%=", "==", "!=", "<", ">", "<=", ">="}

// expression is Exp.
func (g *grammar) expression() {
	if g.depth++; g.depth > maxProgramNesting {
		panic(notIn15{g.peek().at, "expression_nested", "is nested too deep"})
	}
	defer func() { g.depth-- }()
	for {
		g.operand()
		if !g.is(operators...) {
			return
		}
		g.next++
	}
}

// maxProgramNesting bounds how deep a program is nested, and with that Go's stack.
const maxProgramNesting = 1000

// operand is Exp without a binary operator, with the question marks behind it.
func (g *grammar) operand() {
	g.attempted()
	for g.take("?") {
		continue
	}
}

// attempted is the same without these question marks.
func (g *grammar) attempted() {
	switch {
	case g.is("def"):
		g.definition()
		g.expression()
	case g.take("reduce"):
		g.term()
		g.want("as")
		g.pattern()
		g.want("(")
		g.expression()
		g.want(";")
		g.expression()
		g.want(")")
	case g.take("foreach"):
		g.term()
		g.want("as")
		g.pattern()
		g.want("(")
		g.expression()
		g.want(";")
		g.expression()
		if g.take(";") {
			g.expression()
		}
		g.want(")")
	case g.take("if"):
		g.condition()
	case g.take("try"):
		g.attempted()
		if g.take("catch") {
			g.attempted()
		}
	case g.take("label"):
		g.want("$")
		g.want(aName)
		g.want("|")
		g.expression()
	case g.take("-"):
		g.operand()
	default:
		g.term()
		if g.take("as") {
			g.pattern()
			if g.is("?//") {
				g.stop("?// is not in jq 1.5, which MTS has")
			}
			g.want("|")
			g.expression()
		}
	}
}

// condition is what follows "if" and "elif".
func (g *grammar) condition() {
	begin := g.next - 1
	g.expression()
	g.want("then")
	g.expression()
	switch {
	case g.take("elif"):
		g.condition()
	case g.take("else"):
		g.expression()
		g.want("end")
	case g.is("end"):
		g.next = begin
		g.stop("%s without else is not in jq 1.5, which MTS has: end it with \"else . end\", \"else null end\" or \"else empty end\", as you mean it", g.peek().text)
	default:
		g.refuse()
	}
}

// definition is FuncDef.
func (g *grammar) definition() {
	g.want("def")
	g.want(aName)
	if g.take("(") {
		g.list(func() {
			g.take("$")
			g.want(aName)
		}, ";", ")")
	}
	g.want(":")
	g.expression()
	g.want(";")
}

// term is Term.
func (g *grammar) term() {
	switch {
	case g.take("."):
		if g.is(openText, aFormat) {
			g.string()
			g.take("?")
		} else if g.is(aName) {
			g.refuse()
		}
	case g.take(".."), g.take(aNumber):
	case g.take(aField):
		g.take("?")
	case g.take("break"):
		g.want("$")
		g.want(aName)
	case g.is(openText):
		g.string()
	case g.take(aFormat):
		if g.is(openText) {
			g.string()
		}
	case g.take("("):
		g.expression()
		g.want(")")
	case g.take("["):
		if !g.take("]") {
			g.expression()
			g.want("]")
		}
	case g.take("{"):
		g.object()
	case g.take("$"):
		if !g.take("__loc__") {
			g.want(aName)
		}
	case g.take(aName):
		if g.take("(") {
			g.list(g.expression, ";", ")")
		}
	default:
		g.refuse()
	}
	for g.suffix() {
		continue
	}
}

// suffix is what can follow in a Term.
func (g *grammar) suffix() bool {
	switch {
	case g.take(aField):
	case g.is(".") && slices.Contains([]string{openText, aFormat}, g.tokens[g.next+1].kind):
		g.next++
		g.string()
	case g.is(".") && g.tokens[g.next+1].kind == "[":
		g.stop("a dot before [ is not in jq 1.5, which MTS has: write .a[0] for .a.[0]")
	case g.take("["):
		switch {
		case g.take("]"):
		case g.take(":"):
			g.expression()
			g.want("]")
		default:
			g.expression()
			if g.take(":") && !g.is("]") {
				g.expression()
			}
			g.want("]")
		}
	default:
		return false
	}
	g.take("?")
	return true
}

func (g *grammar) string() {
	g.take(aFormat)
	g.want(openText)
	for !g.take(endText) {
		switch {
		case g.take(inText):
		case g.take(openExpr):
			g.expression()
			g.want(")")
		default:
			g.refuse()
		}
	}
}

// object is MkDict.
func (g *grammar) object() {
	for !g.take("}") {
		g.member()
		if !g.take(",") {
			g.want("}")
			return
		}
	}
}

func (g *grammar) member() {
	named := g.peek().text
	switch {
	case g.is(openText, aFormat):
		g.string()
		named = "this member"
	case g.take("$"):
		if g.is("__loc__") {
			g.refuse()
		}
		g.want(aName)
		if g.is(":") {
			g.refuse()
		}
		return
	case g.take("("):
		g.expression()
		g.want(")")
		named = "this member"
		if !g.is(":") {
			g.refuse()
		}
	case g.take(aName):
	case g.is(keywords...):
		g.next++
		if !g.is(":") {
			g.stop("%s is a word of jq: write {%s: .%s}, because {%s} alone is not in jq 1.5, which MTS has", named, named, named, named)
		}
	default:
		g.refuse()
	}
	if g.take(":") {
		g.value(named)
	}
}

// value is ExpD: what an object takes without brackets around it.
func (g *grammar) value(member string) {
	for g.take("-") {
		continue
	}
	inBrackets := func() {
		g.stop("the value of %s must stand in round brackets: in an object, jq 1.5, which MTS has, takes what is computed in brackets only, such as {a: (.b // \"c\")}", member)
	}
	if g.is("if", "reduce", "foreach", "try", "label", "def") {
		inBrackets()
	}
	g.term()
	switch {
	case g.take("|"):
		g.value(member)
	case g.is("?", "as"), !g.is("|", ",") && g.is(operators...):
		inBrackets()
	}
}

func (g *grammar) pattern() {
	switch {
	case g.take("$"):
		g.want(aName)
	case g.take("["):
		g.list(g.pattern, ",", "]")
	case g.take("{"):
		g.list(g.patternMember, ",", "}")
	default:
		g.refuse()
	}
}

func (g *grammar) patternMember() {
	switch {
	case g.take("$"):
		g.want(aName)
		if g.is(":") {
			g.stop("$name: in a pattern is not in jq 1.5, which MTS has")
		}
		return
	case g.take(aName):
	case g.is(keywords...):
		g.next++
	case g.is(openText, aFormat):
		g.string()
	case g.take("("):
		g.expression()
		g.want(")")
	default:
		g.refuse()
	}
	g.want(":")
	g.pattern()
}

// formats15 are the formats of jq 1.5, which fails at any other when it runs.
var formats15 = []string{"text", "json", "csv", "tsv", "html", "uri", "sh", "base64"}

// functions15 are the functions of jq 1.5 that there are here too, with the numbers
// of their arguments: those of jq 1.5's builtin.c.
var functions15 = numbersOf(`
	add/0 all/0 all/1 all/2 any/0 any/1 any/2 arrays/0 ascii_downcase/0 ascii_upcase/0 booleans/0 capture/1 capture/2
	combinations/0 combinations/1 contains/1 del/1 delpaths/1 empty/0 endswith/1 error/0 error/1 exp/0 exp2/0 explode/0 finites/0
	first/0 first/1 flatten/0 flatten/1 floor/0 format/1 from_entries/0 fromdate/0 fromdateiso8601/0 fromjson/0 getpath/1 gmtime/0
	group_by/1 gsub/2 gsub/3 has/1 implode/0 in/1 index/1 indices/1 infinite/0 inside/1 isfinite/0 isinfinite/0 isnan/0 isnormal/0
	iterables/0 join/1 keys/0 keys_unsorted/0 last/0 last/1 leaf_paths/0 length/0 limit/2 log/0 log10/0 log2/0 ltrimstr/1 map/1
	map_values/1 match/1 match/2 max/0 max_by/1 min/0 min_by/1 mktime/0 nan/0 normals/0 not/0 nth/1 nth/2 nulls/0 numbers/0
	objects/0 path/1 paths/0 paths/1 pow/2 range/1 range/2 range/3 recurse/0 recurse/1 recurse/2 recurse_down/0 repeat/1 reverse/0
	rindex/1 rtrimstr/1 scalars/0 scan/1 select/1 setpath/2 sort/0 sort_by/1 split/1 split/2 splits/1 splits/2 sqrt/0 startswith/1
	strftime/1 strings/0 strptime/1 sub/2 sub/3 test/1 test/2 to_entries/0 todate/0 todateiso8601/0 tojson/0 tonumber/0 tostring/0
	transpose/0 type/0 unique/0 unique_by/1 until/2 values/0 while/2 with_entries/1`)

func numbersOf(list string) map[signature]bool {
	known := map[signature]bool{}
	for entry := range strings.FieldsSeq(list) {
		name, arity, _ := strings.Cut(entry, "/")
		known[signature{name, int(arity[0] - '0')}] = true
	}
	return known
}
