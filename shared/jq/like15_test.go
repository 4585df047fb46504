package jq_test

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/itchyny/gojq"
)

// in15 is what jq 1.5 has in another way than gojq, which follows newer ones, found by
// running it (jq-1.5 of pyjq 2.6.0, which is MTS's). The second group are ours: later
// functions that gojq has in another way, or not. The third marks what cannot be
// compared, because gojq's regular expressions are Go's and have the flags g, i and m.
const in15 = `
	def _at($key): if . == null and ($key | type) == "array" then error else .[$key] end;
	def _times($r; $l): if ($l | type) == "string" and ($r | type) == "number" then $l | _repeated($r)
		elif ($l | type) == "number" and ($r | type) == "string" then $r | _repeated($l) else $l * $r end;
	def _bound($n): if ($n | type) == "number" and ($n | isnan) then _differs | $n else $n end;
	def _modulo($r; $l): if [$l, $r | numbers | isnan] | any then _differs else $l % $r end;
	def getpath($path): def _walk($keys): if $keys == [] then . else _at($keys[0]) | _walk($keys[1:]) end;
		if ($path | type) == "array" then _walk($path) else error end;
	def nth($n): _at($n);
	def _delpaths($paths): delpaths($paths);
	def _ofParts: any(arrays[]; any(arrays | .[:-1][]; type == "object"));
	def delpaths($paths): if $paths | _ofParts then _differs elif . == null and ($paths | type) == "array"
		then reduce $paths[] as $p (.; if ($p | type) == "array" then if ($p | length) > 1 then [_at($p[0])] | null else . end else error end) else _delpaths($paths) end;
	def del(f): delpaths([path(f)]);
	def _limit($n; f): limit($n; f);
	def limit($n; f): if $n > 0 then _limit($n; f) elif $n == 0 then empty else f end;
	def last(f): reduce f as $x (null; $x);
	def combinations($n): . as $v | [range($n) | $v] | combinations;
	def _texts($arg): type == "string" and ($arg | type) == "string";
	def _ltrimstr($arg): ltrimstr($arg);
	def ltrimstr($arg): if _texts($arg) then _ltrimstr($arg) else . end;
	def _rtrimstr($arg): rtrimstr($arg);
	def rtrimstr($arg): if _texts($arg) then _rtrimstr($arg) else . end;
	def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
	def fromdate: fromdateiso8601;
	def finites: select(isfinite);
	def _time: if type == "array" and (length < 8 or any(.[:8][]; type != "number")) then error else . end;
	def _mktime: mktime;
	def mktime: _time | _mktime | floor;
	def _strftime($format): strftime($format);
	def strftime($format): _time | _strftime($format);
	def todateiso8601: strftime("%Y-%m-%dT%H:%M:%SZ");
	def todate: todateiso8601;

	def _trimstr($arg): trimstr($arg);
	def trimstr($arg): if _texts($arg) then _trimstr($arg) else . end;
	def _reverse: reverse;
	def reverse: if . == null then [] elif type == "string" then explode | _reverse | implode else _reverse end;
	def abs: if type == "number" then (if . < 0 then -. else . end) else error end;
	def from_entries: map({(.key // .k // .name // .Name // .Key // .K): (if has("value") then .value elif has("v") then .v else .Value end)}) | add // {};
	def with_entries(f): to_entries | map(f) | from_entries;

	def _go($re; $flags): if ([$re | strings | test("\\\\|\\[:|[$]|[(][?]|&&|[+*?}][+]")] | any) or ([$flags | strings | test("[^gim]")] | any) then _differs else . end;
	def _match($re; $flags): match($re; $flags);
	def match($re; $flags): _go($re; $flags) | _match($re; $flags);
	def match($re): if $re | type == "array" then match($re[0]; $re[1]) else match($re; null) end;
	def _test($re; $flags): test($re; $flags);
	def test($re; $flags): _go($re; $flags) | _test($re; $flags);
	def test($re): if $re | type == "array" then test($re[0]; $re[1]) else test($re; null) end;
	def _capture($re; $flags): capture($re; $flags);
	def capture($re; $flags): _go($re; $flags) | _capture($re; $flags);
	def capture($re): if $re | type == "array" then capture($re[0]; $re[1]) else capture($re; null) end;
	def _scan($re; $flags): scan($re; $flags);
	def scan($re; $flags): _go($re; $flags) | _scan($re; $flags);
	def scan($re): scan($re; null);
	def _split($re; $flags): split($re; $flags);
	def split($re; $flags): _go($re; $flags) | _split($re; $flags);
	def splits($re; $flags): split($re; $flags)[];
	def splits($re): splits($re; null);
	def _sub($re; text; $flags): sub($re; text; $flags);
	def sub($re; text; $flags): _go($re; $flags) | _sub($re; text; $flags);
	def sub($re; text): sub($re; text; null);
	def gsub($re; text; $flags): sub($re; text; $flags + "g");
	def gsub($re; text): sub($re; text; "g");
`

// like15 compiles a program for gojq that gives what it gives in jq 1.5, but where it
// tells that it may not.
func like15(text string) (code *gojq.Code, differs *bool, err error) {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	rewrite(reflect.ValueOf(query))
	defs, err := definitions()
	if err != nil {
		return nil, nil, err
	}
	// All of them take gojq long to compile.
	uses := query.String()
	for _, def := range slices.Backward(defs) {
		if strings.Contains(uses, def.Name) {
			uses += def.String()
			query.FuncDefs = append([]*gojq.FuncDef{def}, query.FuncDefs...)
		}
	}
	differs = new(bool)
	code, err = gojq.Compile(query, gojq.WithFunction("_differs", 0, 0, func(in any, _ []any) any {
		*differs = true
		return in
	}))
	return code, differs, err
}

// definitions are those of in15, in their order.
var definitions = sync.OnceValues(func() ([]*gojq.FuncDef, error) {
	query, err := gojq.Parse(repeated + in15 + ".")
	if err != nil {
		return nil, err
	}
	return query.FuncDefs, nil
})

// repeated is a text times a number: below 1 it is there once, and not at all at 0.
const repeated = `def _repeated($n): if $n > 0 then . * ([1, $n] | max) else null end;`

// rewrite puts functions of in15 in the place of what has no name.
func rewrite(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		rewrite(v.Elem())
		switch node := v.Interface().(type) {
		case *gojq.Query:
			switch {
			case node.Term != nil:
			case node.Op == gojq.OpMul:
				*node = *called("_times", node.Right, node.Left)
			case node.Op == gojq.OpMod:
				*node = *called("_modulo", node.Right, node.Left)
			case node.Op == gojq.OpUpdateMul:
				identity := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}}
				*node = *bound(node.Right, "$_factor", &gojq.Query{Left: node.Left, Op: gojq.OpModify, Right: called("_times", called("$_factor"), identity)})
			}
		case *gojq.Term:
			rewriteTerm(node)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			rewrite(field)
		}
	case reflect.Slice:
		for i := range v.Len() {
			rewrite(v.Index(i))
		}
	}
}

func called(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

// rewriteTerm makes "f as $key | .a | _at($key)" of .a[f], so that the key is computed
// from the input also where the index is optional, which gojq does not; and "try [f]" of
// [f]?, where gojq has the errors of f.
func rewriteTerm(t *gojq.Term) {
	suffixes := t.SuffixList
	t.SuffixList = nil
	if t.Type == gojq.TermTypeIndex && isComputed(t.Index) {
		suffixes = append([]*gojq.Suffix{{Index: t.Index}}, suffixes...)
		*t = gojq.Term{Type: gojq.TermTypeIdentity}
	}
	for i := 0; i < len(suffixes); i++ {
		if suffixes[i].Optional && len(t.SuffixList) == 0 && t.Type != gojq.TermTypeIndex {
			before := *t
			body := &gojq.Query{Term: &before}
			*t = gojq.Term{Type: gojq.TermTypeQuery, Query: &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeTry, Try: &gojq.Try{Body: body}}}}
			continue
		}
		index := suffixes[i].Index
		if index == nil || !isComputed(index) {
			t.SuffixList = append(t.SuffixList, suffixes[i])
			continue
		}
		look := called("_at", called("$_key"))
		if index.IsSlice {
			look = &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIndex, Index: &gojq.Index{IsSlice: true}}}
			if index.Start != nil {
				look.Term.Index.Start = called("_bound", called("$_key"))
			}
			if index.End != nil {
				look.Term.Index.End = called("_bound", called("$_end"))
			}
		}
		if i+1 < len(suffixes) && suffixes[i+1].Optional {
			look.Term.SuffixList = []*gojq.Suffix{suffixes[i+1]}
			i++
		}
		before := *t
		all := &gojq.Query{Left: &gojq.Query{Term: &before}, Op: gojq.OpPipe, Right: look}
		all = bound(index.Start, "$_key", all)
		*t = gojq.Term{Type: gojq.TermTypeQuery, Query: bound(index.End, "$_end", all)}
	}
}

// isComputed reports whether an index has a key that is computed. It makes a query of
// one that is a text.
func isComputed(index *gojq.Index) bool {
	if index.Str != nil && index.Str.Queries != nil {
		*index = gojq.Index{Start: &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: index.Str}}}
	}
	return index.Start != nil || index.End != nil
}

func bound(key *gojq.Query, name string, then *gojq.Query) *gojq.Query {
	if key == nil {
		return then
	}
	in := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeQuery, Query: key}}
	return &gojq.Query{Left: in, Op: gojq.OpPipe, Patterns: []*gojq.Pattern{{Name: name}}, Right: then}
}
