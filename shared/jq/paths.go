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
		from, to, err := bounds(key["start"], key["end"], len(list))
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
	if x < 0 {
		x += float64(len(list))
	}
	switch {
	case !(x >= 0):
		return nil, fail("the list does not reach so far")
	case x >= maxWork:
		return nil, e.spend(e.left + 1)
	}
	i := int(x)
	length := max(len(list), i+1)
	if err := e.spend(length); err != nil {
		return nil, err
	}
	copied := make([]any, length)
	copy(copied, list)
	copied[i] = after
	return copied, nil
}

// deletePaths is v without what is at the paths. The last are deleted first, so
// that what is deleted moves nothing that others name.
func (e *evaluation) deletePaths(v any, paths []any) (any, error) {
	weight, err := e.weighed(paths)
	if err == nil {
		err = e.spend(weight * 4)
	}
	if err != nil {
		return nil, err
	}
	paths = slices.SortedFunc(slices.Values(paths), func(a, b any) int { return compare(b, a) })
	for _, path := range paths {
		keys, ok := path.([]any)
		if !ok {
			return nil, fail("a path is a list")
		}
		if v, err = e.deletePath(v, keys); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (e *evaluation) deletePath(v any, keys []any) (any, error) {
	if len(keys) == 0 || v == nil {
		return nil, nil
	}
	if len(keys) > 1 {
		before, err := e.at(v, keys[0])
		if err != nil || before == nil {
			return v, err
		}
		after, err := e.deletePath(before, keys[1:])
		if err != nil {
			return nil, err
		}
		return e.set(v, keys[:1], after)
	}
	switch container := v.(type) {
	case map[string]any:
		if key, ok := keys[0].(string); ok {
			if err := e.spend(2 * len(container)); err != nil {
				return nil, err
			}
			copied := maps.Clone(container)
			delete(copied, key)
			return copied, nil
		}
	case []any:
		var from, to int
		if key, ok := keys[0].(map[string]any); ok {
			var err error
			if from, to, err = bounds(key["start"], key["end"], len(container)); err != nil {
				return nil, err
			}
		} else if x, ok := float(keys[0]); ok {
			if x < 0 {
				x += float64(len(container))
			}
			if !(x >= 0 && x < float64(len(container))) {
				return v, nil
			}
			from, to = int(x), int(x)+1
		} else {
			break
		}
		if err := e.spend(len(container)); err != nil {
			return nil, err
		}
		return slices.Concat(container[:from], container[to:]), nil
	}
	return nil, fail("%s has no element at a key of the type %s", kind(v), kind(keys[0]))
}
