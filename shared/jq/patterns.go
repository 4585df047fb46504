package jq

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// Limits of a regular expression, because {1,1000} and groups in it make a long
// program of a short text.
const (
	maxInstructions = 2_000
	maxGroups       = 30
	maxClasses      = 40_000 // borders in the tables of its classes; \w has 1,600
	maxPattern      = 1_000  // bytes
)

type patternKey struct{ text, flags string }

// pattern is a regular expression. Go's engine needs a time that grows with the
// text alone. In exchange it has no looking around and no back references, which
// MTS's jq has (Oniguruma).
type pattern struct {
	all, empty bool              // every match; also those without a character
	first      *regexp.Regexp    // finds the first match
	next       *regexp.Regexp    // finds the first match behind one character, as group 1
	inUnits    [2]*regexp.Regexp // first and next for a text in units, each as group 1; nil where there is no need
	cost       int               // in units of work, of each character that is read
	made       int               // in units, of compiling it
	names      []any             // of the groups, nil where there is none
}

// compilePattern returns what is wrong with a regular expression, in words for
// the user that follow its name.
func compilePattern(key patternKey) (*pattern, string) {
	if len(key.text) > maxPattern {
		return nil, fmt.Sprintf("is longer than %d bytes", maxPattern)
	}
	p := &pattern{empty: true}
	flags, longest := "", false
	for _, flag := range key.flags {
		switch flag {
		case 'g':
			p.all = true
		case 'i':
			flags += "i"
		case 'n':
			p.empty = false
		case 'l':
			longest = true
		case 'p', 'm':
			flags += "s"
		case 's':
		case 'x':
			return nil, "has the flag x, which is not available here; leave out the blanks and comments instead"
		default:
			return nil, fmt.Sprintf("has an unknown flag: %q", flag)
		}
	}
	text := unicodeClasses(key.text)
	if len(text) > 2*maxPattern {
		return nil, "has too many classes such as \\w"
	}
	if _, err := syntax.Parse(text, syntax.Perl); err != nil { // alone: ")(" is valid within a group
		return nil, notAvailable(key.text, err)
	}
	text = "(?" + flags + ":" + text + ")"
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, notAvailable(key.text, err)
	}
	instructions, groups, borders := sizeOf(parsed), parsed.MaxCap(), bordersOf(parsed)
	switch {
	case instructions > maxInstructions:
		return nil, "repeats too much"
	case groups > maxGroups:
		return nil, fmt.Sprintf("has more than %d groups", maxGroups)
	case borders > maxClasses:
		return nil, "has too many classes such as \\w"
	}
	if p.first, err = regexp.Compile(text); err == nil {
		p.next, err = regexp.Compile(`\A(?s:.)(?s:.*?)(` + text + `)`)
	}
	if err != nil {
		return nil, notAvailable(key.text, err)
	}
	if units := inUnits(parsed); units != nil && sizeOf(units) <= maxInstructions && bordersOf(units) <= maxClasses {
		instructions, borders = max(instructions, sizeOf(units)), borders+bordersOf(units)
		for i, before := range []string{``, unit} {
			if p.inUnits[i], err = regexp.Compile(`\A` + before + unit + `*?(` + units.String() + `)`); err != nil {
				return nil, notAvailable(key.text, err)
			}
		}
	}
	if longest {
		for _, re := range []*regexp.Regexp{p.first, p.next, p.inUnits[0], p.inUnits[1]} {
			if re != nil {
				re.Longest()
			}
		}
	}
	p.cost, p.made = 1+instructions*(1+groups)/16, 10*instructions+borders/2
	p.names = make([]any, groups)
	for i, name := range p.first.SubexpNames()[1:] {
		if name != "" {
			p.names[i] = name
		}
	}
	return p, ""
}

// sizeOf is about how many instructions Go's engine needs. A class is one,
// however large; its table is there once.
func sizeOf(re *syntax.Regexp) int {
	size := 1
	if re.Op == syntax.OpLiteral {
		size = len(re.Rune)
	}
	for _, sub := range re.Sub {
		size += sizeOf(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(1, re.Min, re.Max)
	}
	return min(size, 100*maxInstructions)
}

// bordersOf counts what the tables of its classes hold.
func bordersOf(re *syntax.Regexp) int {
	n := len(re.Rune)
	for _, sub := range re.Sub {
		n += bordersOf(sub)
	}
	return n
}

// lacking are constructs of Oniguruma that Go's engine has not.
var lacking = []struct{ text, name string }{
	{"(?=", "lookahead (?=…)"}, {"(?!", "lookahead (?!…)"}, {"(?<=", "lookbehind (?<=…)"}, {"(?<!", "lookbehind (?<!…)"},
	{"(?>", "an atomic group (?>…)"}, {"(?#", "a comment (?#…)"}, {"(?~", "an absent operator (?~…)"},
	{`\k`, `a back reference \k`}, {`\g`, `a call of a group \g`}, {`\K`, `\K`}, {`\G`, `\G`},
	{`\Z`, `\Z (in its place: $)`}, {`\h`, `\h (in its place: [0-9a-fA-F])`}, {`\H`, `\H`}, {`\R`, `\R (in its place: \r?\n)`}, {`\X`, `\X`},
	{"++", "a possessive repetition such as ++"}, {"*+", "a possessive repetition such as *+"}, {"?+", "a possessive repetition such as ?+"},
	{"&&", "an intersection of classes &&"},
}

func notAvailable(text string, err error) string {
	for _, l := range lacking {
		if strings.Contains(text, l.text) {
			return "has " + l.name + ", which is not available here, though MTS's jq has it; write it in another way"
		}
	}
	if backReference.MatchString(text) {
		return `has a back reference such as \1, which is not available here, though MTS's jq has it; write it in another way`
	}
	reason := "it cannot be compiled"
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		reason = e.Code.String() + ": " + e.Expr
	}
	return "is not valid: " + reason
}

var backReference = regexp.MustCompile(`\\[1-9]`)

// classes are those that mean more in Oniguruma than in Go: \w is any letter
// there, ñ too.
var classes = map[string]string{
	`\w`: `\p{L}\p{M}\p{N}\p{Pc}`, `\d`: `\p{Nd}`, `\s`: `\s\v\x{85}\p{Z}`,
	"[:alpha:]": `\p{L}\p{M}`, "[:alnum:]": `\p{L}\p{M}\p{N}`, "[:word:]": `\p{L}\p{M}\p{N}\p{Pc}`, "[:digit:]": `\p{Nd}`,
	"[:upper:]": `\p{Lu}`, "[:lower:]": `\p{Ll}`, "[:space:]": `\s\v\x{85}\p{Z}`, "[:punct:]": `\p{P}\p{S}`,
}

// unicodeClasses writes the classes of a regular expression for Go.
func unicodeClasses(text string) string {
	var out strings.Builder
	inClass := false
	for i := 0; i < len(text); {
		rest := text[i:]
		length := 1
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			length = 2
			class, negated := classes[rest[:2]], classes[strings.ToLower(rest[:2])]
			switch {
			case class != "" && inClass:
				out.WriteString(class)
			case class != "":
				out.WriteString("[" + class + "]")
			case negated != "" && !inClass:
				out.WriteString("[^" + negated + "]")
			default:
				out.WriteString(rest[:2])
			}
			i += length
			continue
		case inClass && strings.HasPrefix(rest, "[:"):
			if end := strings.Index(rest, ":]"); end > 0 && classes[rest[:end+2]] != "" {
				out.WriteString(classes[rest[:end+2]])
				i += end + 2
				continue
			} else if end > 0 {
				length = end + 2
			}
		case rest[0] == '[' && !inClass:
			inClass = true
			if strings.HasPrefix(rest, "[^") {
				length++
			}
			if strings.HasPrefix(rest[length:], "]") { // a literal ] stands first
				length++
			}
		case rest[0] == ']':
			inClass = false
		}
		out.WriteString(rest[:length])
		i += length
	}
	return out.String()
}

// pattern finds the compiled form of a regular expression. One that is computed
// is compiled each time.
func (e *evaluation) pattern(re, flags any) (*pattern, error) {
	key := patternKey{}
	var ok, okFlags bool
	key.text, ok = re.(string)
	key.flags, okFlags = flags.(string)
	if !ok || !okFlags && flags != nil {
		return nil, fail("a regular expression and its flags are texts")
	}
	if p := e.patterns[key]; p != nil {
		return p, nil
	}
	if err := e.spend(100 + 20*min(len(key.text), maxWork)); err != nil {
		return nil, err
	}
	p, wrong := compilePattern(key)
	if wrong != "" {
		return nil, &failure{"the regular expression " + wrong}
	}
	return p, e.spend(p.made)
}

// spending reads the characters of a text, and spends units for each.
type spending struct {
	text string
	cost int
	e    *evaluation
}

// ReadRune returns the end of the text also when the work is spent.
func (s *spending) ReadRune() (rune, int, error) {
	if s.text == "" || s.e.spend(s.cost) != nil {
		return 0, 0, io.EOF
	}
	r, size := utf8.DecodeRuneInString(s.text)
	s.text = s.text[size:]
	return r, size, nil
}

// find passes the matches of p in a text: pairs of where the match and its groups
// begin and end, in bytes. It reads a character at a time, because how much a
// search reads is what it costs.
func (e *evaluation) find(p *pattern, text string, all bool, use func([]int) error) error {
	units := false
	if p.inUnits[0] != nil {
		if err := e.spend(unitsOf(text)); err != nil {
			return err
		}
		units = hasUnits(text)
	}
	found := p.search(e, text, false, units)
	for {
		switch {
		case e.spent:
			return errSpent
		case len(found) == 0:
			return nil
		}
		if p.empty || found[0] < found[1] {
			if err := e.spend(4 + len(found)); err != nil {
				return err
			}
			if err := use(found); err != nil {
				return err
			}
			if !all {
				return nil
			}
		}
		// The search goes on behind the match, and behind one character more if
		// that was empty. It sees the character before, for \b and the like.
		from := found[1]
		if found[0] == found[1] {
			if from == len(text) {
				return nil
			}
			_, size := utf8.DecodeRuneInString(text[from:])
			from += size
		}
		_, back := utf8.DecodeLastRuneInString(text[:from])
		from -= back
		found = slices.Clone(p.search(e, text[from:], true, units))
		for i := range found {
			if found[i] >= 0 {
				found[i] += from
			}
		}
	}
}

// search returns where the first match and its groups are, in bytes; behind one
// character if next.
func (p *pattern) search(e *evaluation, text string, next, units bool) []int {
	if !units {
		if !next {
			return p.first.FindReaderSubmatchIndex(&spending{text, p.cost, e})
		}
		found := p.next.FindReaderSubmatchIndex(&spending{text, p.cost, e})
		return found[min(2, len(found)):]
	}
	re := p.inUnits[0]
	if next {
		re = p.inUnits[1]
	}
	reader := readUnits(text, p.cost, e)
	found := re.FindReaderSubmatchIndex(reader)
	found = found[min(2, len(found)):]
	for i := range found {
		if found[i] >= 0 {
			found[i] = reader.at[found[i]]
		}
	}
	return found
}

// test is test(re; flags).
func (e *evaluation) test(in any, args []any) (any, error) {
	text, p, err := e.matching(in, args)
	if err != nil {
		return nil, err
	}
	matches := false
	err = e.find(p, text, false, func([]int) error {
		matches = true
		return nil
	})
	return matches, err
}

func (e *evaluation) matching(in any, args []any) (string, *pattern, error) {
	text, ok := in.(string)
	if !ok {
		return "", nil, fail("%s is not a text", kind(in))
	}
	p, err := e.pattern(args[0], args[1])
	return text, p, err
}

// matches is match(re; flags), as a list.
func (e *evaluation) matches(in any, args []any) (any, error) {
	text, p, err := e.matching(in, args)
	if err != nil {
		return nil, err
	}
	list := []any{}
	characters, bytes := 0, 0 // how far was counted
	err = e.find(p, text, p.all, func(found []int) error {
		if err := e.spend(unitsOf(text[bytes:found[1]]) + 8*len(p.names)); err != nil {
			return err
		}
		characters += utf8.RuneCountInString(text[bytes:found[0]])
		bytes = found[0]
		list = append(list, p.match(text, found, characters))
		return nil
	})
	return list, err
}

// match is the object that jq makes of a match, which begins at a character.
func (p *pattern) match(text string, found []int, at int) map[string]any {
	part := func(i int) map[string]any {
		from, to := found[2*i], found[2*i+1]
		if from < 0 {
			return map[string]any{"offset": -1, "length": 0, "string": nil}
		}
		return map[string]any{
			"offset": at + utf8.RuneCountInString(text[found[0]:from]),
			"length": utf8.RuneCountInString(text[from:to]), "string": text[from:to],
		}
	}
	groups := make([]any, len(p.names))
	for i, name := range p.names {
		group := part(i + 1)
		group["name"] = name
		groups[i] = group
	}
	match := part(0)
	match["captures"] = groups
	return match
}

// captured is the object of the named groups of a match.
func captured(groups []any) map[string]any {
	named := map[string]any{}
	for _, g := range groups {
		group := g.(map[string]any)
		if name, ok := group["name"].(string); ok {
			named[name] = group["string"]
		}
	}
	return named
}

// splitBy is split(re; flags).
func (e *evaluation) splitBy(in any, args []any) (any, error) {
	text, p, err := e.matching(in, args)
	if err != nil {
		return nil, err
	}
	list, end := []any{}, 0
	err = e.find(p, text, true, func(found []int) error {
		list = append(list, text[end:found[0]])
		end = found[1]
		return e.spend(1)
	})
	return append(list, text[end:]), err
}

// substitute is sub(re; text; flags). Where the new text has several results,
// there are as many texts.
func (e *evaluation) substitute(args []*gojq.Query, s *scope, in item, out yield) error {
	return e.product([]*gojq.Query{args[2], args[0]}, s, in, make([]any, 2), func(values []any) error {
		text, p, err := e.matching(in.value, []any{values[1], values[0]})
		if err != nil {
			return err
		}
		var texts []*strings.Builder
		end := 0
		err = e.find(p, text, p.all, func(found []int) error {
			groups := captured(p.match(text, found, 0)["captures"].([]any))
			i := 0
			err := e.query(args[1], s, item{value: groups}, func(x item) error {
				piece, ok := x.value.(string)
				if !ok && x.value != nil {
					return fail("%s is not a text", kind(x.value))
				}
				if i == len(texts) {
					texts = append(texts, &strings.Builder{})
				}
				if err := e.spend(unitsOf(piece) + unitsOf(text[end:found[0]])); err != nil {
					return err
				}
				texts[i].WriteString(text[end:found[0]])
				texts[i].WriteString(piece)
				i++
				return nil
			})
			end = found[1]
			return err
		})
		if err != nil {
			return err
		}
		if end == 0 && texts == nil {
			return out(in.made(text))
		}
		for _, t := range texts {
			if err := e.spend(unitsOf(text[end:])); err != nil {
				return err
			}
			if err := out(in.made(t.String() + text[end:])); err != nil {
				return err
			}
		}
		return nil
	})
}
