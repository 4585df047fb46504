package jq

import (
	"maps"
	"slices"

	"github.com/itchyny/gojq"
)

// paths is path(f): how the results of f are reached.
func (e *evaluation) paths(args []*gojq.Query, s *scope, in item, out yield) error {
	return e.pathsOf(args[0], s, in, func(keys []any) error { return out(in.made(keys)) })
}

func (e *evaluation) pathsOf(q *gojq.Query, s *scope, in item, use func([]any) error) error {
	return e.query(q, s, item{in.value, origin}, func(x item) error {
		if x.path == nowhere {
			return fail("what is looked for is no part of the value")
		}
		keys := x.path.keys()
		if err := e.spend(len(keys)); err != nil {
			return err
		}
		return use(keys)
	})
}

// getPath is getpath(p), which is a path itself.
func (e *evaluation) getPath(args []*gojq.Query, s *scope, in item, out yield) error {
	return e.query(args[0], s, in.alone(), func(x item) error {
		keys, ok := x.value.([]any)
		if !ok {
			return fail("a path is a list")
		}
		at := in
		for _, key := range keys {
			if err := e.spend(1); err != nil {
				return err
			}
			v, err := e.at(at.value, key)
			if err != nil {
				return err
			}
			at = at.part(v, key)
		}
		return out(at)
	})
}

// update is l = r, l |= r, l += r and so on.
func (e *evaluation) update(q *gojq.Query, s *scope, in item, out yield) error {
	paths := []any{}
	collect := func() error {
		return e.pathsOf(q.Left, s, in, func(keys []any) error {
			paths = append(paths, keys)
			return e.spend(1)
		})
	}
	if q.Op == gojq.OpModify {
		if err := collect(); err != nil {
			return err
		}
		v, err := e.modify(in.value, paths, func(v any) (any, bool, error) {
			return e.firstOf(q.Right, s, item{value: v})
		})
		if err != nil {
			return err
		}
		return out(in.made(v))
	}
	return e.query(q.Right, s, in.alone(), func(r item) error {
		paths = paths[:0]
		if err := collect(); err != nil {
			return err
		}
		v, err := e.modify(in.value, paths, func(v any) (any, bool, error) {
			if q.Op == gojq.OpAssign {
				return r.value, true, nil
			}
			v, err := e.binary(q.Op, v, r.value)
			return v, true, err
		})
		if err != nil {
			return err
		}
		return out(in.made(v))
	})
}

// firstOf returns the first result of q, if there is one.
func (e *evaluation) firstOf(q *gojq.Query, s *scope, in item) (v any, found bool, err error) {
	done := &leave{&scope{}}
	err = e.query(q, s, in, func(x item) error {
		v, found = x.value, true
		return done
	})
	if found {
		return v, true, nil
	}
	return nil, false, err
}

// modify changes what is at each path, and deletes it where there is no new
// value.
func (e *evaluation) modify(v any, paths []any, change func(any) (any, bool, error)) (any, error) {
	var gone []any
	for _, path := range paths {
		keys := path.([]any)
		before := v
		for _, key := range keys {
			var err error
			if before, err = e.at(before, key); err != nil {
				return nil, err
			}
		}
		after, found, err := change(before)
		if err != nil {
			return nil, err
		}
		if !found {
			gone = append(gone, path)
			continue
		}
		if v, err = e.set(v, keys, after); err != nil {
			return nil, err
		}
	}
	return e.deletePaths(v, gone)
}

// set is a copy of v in which another value is at a path.
func (e *evaluation) set(v any, keys []any, value any) (any, error) {
	if len(keys) == 0 {
		return value, nil
	}
	before, err := e.at(v, keys[0])
	if err != nil {
		return nil, err
	}
	after, err := e.set(before, keys[1:], value)
	if err != nil {
		return nil, err
	}
	switch key := keys[0].(type) {
	case string:
		object, ok := v.(map[string]any)
		if !ok && v != nil {
			return nil, fail("%s has no members", kind(v))
		}
		if err := e.spend(2 * (1 + len(object))); err != nil {
			return nil, err
		}
		copied := make(map[string]any, len(object)+1)
		maps.Copy(copied, object)
		copied[key] = after
		return copied, nil
	case map[string]any:
		list, ok := v.([]any)
		part, okPart := after.([]any)
		if !ok && v != nil || !okPart {
			return nil, fail("a slice is set to a list in a list")
		}
		from, to, err := bounds(key, len(list))
		if err != nil {
			return nil, err
		}
		if err := e.spend(len(list) + len(part)); err != nil {
			return nil, err
		}
		return slices.Concat(list[:from], part, list[to:]), nil
	}
	list, ok := v.([]any)
	x, okNumber := float(keys[0])
	if !ok && v != nil || !okNumber {
		return nil, fail("%s has no element at a key of the type %s", kind(v), kind(keys[0]))
	}
	i := position(x, len(list))
	switch {
	case i < 0:
		return nil, fail("the list does not reach so far")
	case i >= maxWork:
		return nil, e.spend(e.left + 1)
	}
	length := max(len(list), i+1)
	if err := e.spend(length); err != nil {
		return nil, err
	}
	copied := make([]any, length)
	copy(copied, list)
	copied[i] = after
	return copied, nil
}

// deletePaths is v without what is at the paths, which all mean v as it is. Only what is
// deleted from a part of a list moves what others name in the list, as in jq 1.5.
func (e *evaluation) deletePaths(v any, paths []any) (any, error) {
	weight, err := e.weighed(paths)
	if err == nil {
		err = e.spend(weight * 4)
	}
	if err != nil {
		return nil, err
	}
	sorted := make([][]any, len(paths))
	for i, path := range paths {
		keys, ok := path.([]any)
		if !ok {
			return nil, fail("a path is a list")
		}
		sorted[i] = keys
	}
	slices.SortFunc(sorted, func(a, b []any) int { return compare(a, b) })
	switch {
	case len(sorted) == 0:
		return v, nil
	case len(sorted[0]) == 0:
		return nil, nil
	}
	return e.without(v, sorted)
}

// without is v without what is at paths, which are in order and not empty.
func (e *evaluation) without(v any, paths [][]any) (any, error) {
	switch v.(type) {
	case nil, map[string]any, []any:
	default:
		return nil, fail("nothing can be deleted from %s", kind(v))
	}
	var gone []any // keys of v itself
	for len(paths) > 0 {
		key, n := paths[0][0], 1
		for n < len(paths) && compare(paths[n][0], key) == 0 {
			n++
		}
		below := paths[:n]
		paths = paths[n:]
		if len(below[0]) == 1 {
			gone = append(gone, key)
			continue
		}
		before, err := e.at(v, key)
		if err != nil {
			return nil, err
		}
		if before == nil {
			continue
		}
		rest := make([][]any, n)
		for i := range below {
			rest[i] = below[i][1:]
		}
		after, err := e.without(before, rest)
		if err != nil {
			return nil, err
		}
		if v, err = e.set(v, []any{key}, after); err != nil {
			return nil, err
		}
	}
	return e.withoutKeys(v, gone)
}

// withoutKeys is v without its members or elements at keys.
func (e *evaluation) withoutKeys(v any, keys []any) (any, error) {
	if len(keys) == 0 {
		return v, nil
	}
	switch container := v.(type) {
	case map[string]any:
		if err := e.spend(2 * len(container)); err != nil {
			return nil, err
		}
		copied := maps.Clone(container)
		for _, k := range keys {
			key, ok := k.(string)
			if !ok {
				return nil, fail("an object has no element at a key of the type %s", kind(k))
			}
			delete(copied, key)
		}
		return copied, nil
	case []any:
		if err := e.spend(2 * len(container)); err != nil {
			return nil, err
		}
		gone := make([]bool, len(container))
		for _, k := range keys {
			from, to, err := reach(k, len(container))
			if err == nil {
				err = e.spend(1 + to - from)
			}
			if err != nil {
				return nil, err
			}
			for i := from; i < to; i++ {
				gone[i] = true
			}
		}
		left := []any{}
		for i, element := range container {
			if !gone[i] {
				left = append(left, element)
			}
		}
		return left, nil
	}
	return nil, nil
}

// reach returns from which to before which element of a list a key goes.
func reach(key any, length int) (from, to int, err error) {
	if slice, ok := key.(map[string]any); ok {
		return bounds(slice, length)
	}
	x, ok := float(key)
	if !ok {
		return 0, 0, fail("a list has no element at a key of the type %s", kind(key))
	}
	if i := position(x, length); i >= 0 && i < length {
		return i, i + 1, nil
	}
	return 0, 0, nil
}
