package jq

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// fieldPaths are the fields of a record that a program reads, as seeding.Outcome has
// them: of each as many names as are written in the program.
func (p *program) fieldPaths(top []string) []string {
	f := &finder{}
	f.query(p.query, []string{""}, maxForesight)
	for _, name := range top { // those that are read in another way, such as by a variable
		path := under("", name)
		if !slices.ContainsFunc(f.paths, func(other string) bool { return isWithin(other, path) }) {
			f.paths = append(f.paths, path)
		}
	}
	all := slices.Clone(f.paths)
	return slices.DeleteFunc(f.paths, func(path string) bool {
		return slices.ContainsFunc(all, func(other string) bool { return other != path && isWithin(other, path) })
	})
}

// finder follows a program from the record. Where values come from elsewhere, such as a
// variable, it does not follow them.
type finder struct{ paths []string }

func isWithin(path, group string) bool {
	rest, is := strings.CutPrefix(path, group)
	return is && (rest == "" || rest[0] == '.')
}

var plainName = regexp.MustCompile(`^[A-Za-z_]\w*$`)

func under(path, name string) string {
	if !plainName.MatchString(name) {
		quoted, err := json.Marshal(name)
		if err != nil {
			return path
		}
		name = string(quoted)
	}
	return strings.TrimPrefix(path+"."+name, ".")
}

// query returns where its results are in the record, if it is given what is at some
// places of it.
func (f *finder) query(q *gojq.Query, at []string, left int) []string {
	switch {
	case q == nil || left == 0 || len(at) == 0 || len(q.FuncDefs) > 0:
		return nil
	case q.Term != nil:
		return f.term(q.Term, len(q.Term.SuffixList), at, left-1)
	case q.Op == gojq.OpPipe && len(q.Patterns) > 0:
		f.query(q.Left, at, left-1)
		return f.query(q.Right, at, left-1)
	case q.Op == gojq.OpPipe:
		return f.query(q.Right, f.query(q.Left, at, left-1), left-1)
	}
	both := f.both(at, left, q.Left, q.Right)
	if q.Op == gojq.OpAlt || q.Op == gojq.OpComma {
		return both
	}
	return nil
}

func (f *finder) both(at []string, left int, queries ...*gojq.Query) (all []string) {
	for _, q := range queries {
		for _, path := range f.query(q, at, left-1) {
			if !slices.Contains(all, path) {
				all = append(all, path)
			}
		}
	}
	return all
}

// term looks at a term with so many of its suffixes.
func (f *finder) term(t *gojq.Term, n int, at []string, left int) []string {
	if n > 0 {
		before := f.term(t, n-1, at, left)
		if suffix := t.SuffixList[n-1]; suffix.Index != nil {
			return f.index(suffix.Index, before, at, left)
		}
		return before
	}
	switch t.Type {
	case gojq.TermTypeIdentity:
		return at
	case gojq.TermTypeIndex:
		return f.index(t.Index, at, at, left)
	case gojq.TermTypeQuery:
		return f.query(t.Query, at, left)
	case gojq.TermTypeIf:
		f.query(t.If.Cond, at, left)
		branches := []*gojq.Query{t.If.Then, t.If.Else}
		for _, more := range t.If.Elif {
			f.query(more.Cond, at, left)
			branches = append(branches, more.Then)
		}
		return f.both(at, left, branches...)
	case gojq.TermTypeTry:
		return f.query(t.Try.Body, at, left)
	case gojq.TermTypeArray:
		f.query(t.Array.Query, at, left)
	case gojq.TermTypeUnary:
		f.term(t.Unary.Term, len(t.Unary.Term.SuffixList), at, left)
	case gojq.TermTypeString:
		f.both(at, left, t.Str.Queries...)
	case gojq.TermTypeFunc:
		f.both(at, left, t.Func.Args...)
		if t.Func.Name == "select" {
			return at
		}
	}
	return nil
}

// index is what is below some places; the key is computed of what is at others.
func (f *finder) index(i *gojq.Index, below, at []string, left int) (paths []string) {
	name, named := i.Name, i.Name != ""
	switch {
	case i.Str != nil && i.Str.Queries == nil:
		name, named = i.Str.Str, true
	case i.Str != nil:
		f.both(at, left, i.Str.Queries...)
		return nil
	case i.Start != nil && !i.IsSlice:
		if name, named = literalText(i.Start); !named {
			f.query(i.Start, at, left)
		}
	}
	if !named { // of a list, whose elements have the names that are below it
		return below
	}
	for _, path := range below {
		path = under(path, name)
		if !slices.Contains(f.paths, path) {
			f.paths = append(f.paths, path)
		}
		paths = append(paths, path)
	}
	return paths
}
