package odoosim

import (
	"fmt"
	"slices"
	"strings"
)

// How Python calls a method, and its errors for wrong arguments.

// signature is the parameter list of a method after self.
type signature struct {
	required []string
	optional []string
}

// bind maps positional and keyword arguments to names, with Python's own
// errors when they do not fit.
func (s signature) bind(method string, args []any, kwargs map[string]any) (map[string]any, *exception) {
	names := slices.Concat(s.required, s.optional)
	if len(args) > len(names) {
		takes := fmt.Sprintf("%d positional argument%s", len(names)+1, plural(len(names)+1))
		if len(s.optional) > 0 {
			takes = fmt.Sprintf("from %d to %d positional arguments", len(s.required)+1, len(names)+1)
		}
		return nil, raise("builtins.TypeError", "%s() takes %s but %d were given", method, takes, len(args)+1)
	}
	bound := make(map[string]any, len(names))
	for i, a := range args {
		bound[names[i]] = a
	}
	for k, v := range kwargs {
		if !slices.Contains(names, k) {
			return nil, raise("builtins.TypeError", "%s() got an unexpected keyword argument '%s'", method, k)
		}
		if _, twice := bound[k]; twice {
			return nil, raise("builtins.TypeError", "%s() got multiple values for argument '%s'", method, k)
		}
		bound[k] = v
	}
	if err := missing(method, s.required, bound); err != nil {
		return nil, err
	}
	return bound, nil
}

// missing names the required parameters that were not given.
func missing(method string, required []string, given map[string]any) *exception {
	var absent []string
	for _, name := range required {
		if _, ok := given[name]; !ok {
			absent = append(absent, "'"+name+"'")
		}
	}
	var list string
	switch n := len(absent); n {
	case 0:
		return nil
	case 1:
		list = absent[0]
	case 2:
		list = absent[0] + " and " + absent[1]
	default:
		list = strings.Join(absent[:n-1], ", ") + ", and " + absent[n-1]
	}
	return raise("builtins.TypeError", "%s() missing %d required positional argument%s: %s",
		method, len(absent), plural(len(absent)), list)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
