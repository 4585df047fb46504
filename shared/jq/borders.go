package jq

import (
	"io"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// For Go's engine only ASCII makes words (\b stands beside the é of José), and $
// is not before a newline at the end, other than for MTS's jq. Where a pattern and
// a text have them, the engine is given the text in units that it judges as jq does:
//
//	_é_   for a letter, digit or mark that is not in ASCII, and for _
//	‹\n   for a newline that is not the last character
//
// and others as they are. The pattern is written for these units.
const inner = '\uFDD0' // ‹, which is no character

// unit matches one unit.
const unit = `(?:_(?s:.)_|\x{FDD0}\n|[^_\x{FDD0}])`

// inUnits writes a pattern for units. It returns nil if it has no borders, or ones
// that are not known here.
func inUnits(re *syntax.Regexp) *syntax.Regexp {
	borders, known := false, true
	var walk func(*syntax.Regexp) *syntax.Regexp
	walk = func(re *syntax.Regexp) *syntax.Regexp {
		switch re.Op {
		case syntax.OpLiteral:
			characters := &syntax.Regexp{Op: syntax.OpConcat}
			for _, r := range re.Rune {
				set := []rune{r, r}
				for f := unicode.SimpleFold(r); re.Flags&syntax.FoldCase != 0 && f != r; f = unicode.SimpleFold(f) {
					set = append(set, f, f)
				}
				characters.Sub = append(characters.Sub, unitsOfClass(set))
			}
			return characters
		case syntax.OpCharClass:
			return unitsOfClass(re.Rune)
		case syntax.OpAnyChar:
			return unitsOfClass([]rune{0, unicode.MaxRune})
		case syntax.OpAnyCharNotNL:
			return unitsOfClass([]rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune})
		case syntax.OpWordBoundary, syntax.OpNoWordBoundary:
			borders = true
		case syntax.OpEndText:
			if re.Flags&syntax.WasDollar != 0 {
				borders = true
				return &syntax.Regexp{Op: syntax.OpEndLine}
			}
		case syntax.OpBeginLine, syntax.OpEndLine:
			known = false
		}
		written := *re
		written.Sub = make([]*syntax.Regexp, len(re.Sub))
		for i, sub := range re.Sub {
			written.Sub[i] = walk(sub)
		}
		return &written
	}
	if written := walk(re); borders && known {
		return written
	}
	return nil
}

// unitsOfClass are the units of the characters of a class.
func unitsOfClass(class []rune) *syntax.Regexp {
	var marked, plain []rune
	newline := false
	add := func(to []rune, from, until rune) []rune {
		if from <= until {
			to = append(to, from, until)
		}
		return to
	}
	for bounds := range slices.Chunk(class, 2) {
		from, until := bounds[0], bounds[len(bounds)-1]
		newline = newline || from <= '\n' && '\n' <= until
		if from <= '_' && '_' <= until {
			marked = add(marked, '_', '_')
		}
		marked = add(marked, max(from, utf8.RuneSelf), until)
		plain = add(plain, from, min(until, '_'-1))
		plain = add(plain, max(from, '_'+1), min(until, inner-1))
		plain = add(plain, max(from, inner+1), until)
	}
	some := func(runes []rune) *syntax.Regexp {
		if len(runes) == 0 {
			return &syntax.Regexp{Op: syntax.OpNoMatch}
		}
		return &syntax.Regexp{Op: syntax.OpCharClass, Rune: runes}
	}
	one := func(r rune) *syntax.Regexp { return &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{r}} }
	units := &syntax.Regexp{Op: syntax.OpAlternate, Sub: []*syntax.Regexp{some(plain)}}
	if len(marked) > 0 {
		units.Sub = append(units.Sub, &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{one('_'), some(marked), one('_')}})
	}
	if newline {
		units.Sub = append(units.Sub, &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{one(inner), one('\n')}})
	}
	return units
}

// hasUnits reports whether a text is not the same in units for a border.
func hasUnits(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r == '\n' || r >= utf8.RuneSelf }) >= 0
}

// unitReader reads a text in units, of which each character counts 1. It keeps
// where in the text they are, in bytes.
type unitReader struct {
	spending
	at      []int // of each character read; behind them where the next begins
	pending []rune
}

func readUnits(text string, cost int, e *evaluation) *unitReader {
	return &unitReader{spending: spending{text, cost, e}, at: []int{0}}
}

func (r *unitReader) ReadRune() (rune, int, error) {
	last := len(r.at) - 1
	if len(r.pending) > 0 {
		next := r.pending[0]
		if r.pending = r.pending[1:]; r.e.spend(r.cost) != nil {
			return 0, 0, io.EOF
		}
		r.at = append(r.at, r.at[last])
		return next, 1, nil
	}
	next, size, err := r.spending.ReadRune()
	if err != nil {
		return 0, 0, err
	}
	switch {
	case next == '_' || next >= utf8.RuneSelf && unicode.In(next, unicode.L, unicode.M, unicode.N, unicode.Pc):
		r.pending, next = []rune{next, '_'}, '_'
	case next == '\n' && r.text != "":
		r.pending, next = []rune{'\n'}, inner
	case next == inner:
		next = utf8.RuneError
	}
	// Where the inside of a unit is, nobody asks for.
	r.at = append(r.at, r.at[last]+size)
	return next, 1, nil
}
