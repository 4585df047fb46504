package seedingtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// LinesAreListed checks lines by a list of them (check.Lines, for instance): a line whose
// name and code are listed has the result and the parameters of one there, and all that
// stand in braces in the text there. Codes that are not listed are those of problems.
func LinesAreListed(t *testing.T, lines, listed []seeding.Line) {
	t.Helper()
	for _, l := range lines {
		known, same := false, false
		for _, one := range listed {
			if one.Name == l.Name && one.Code == l.Code {
				known, same = true, same || one.Result == l.Result && hasParamsOf(l, one)
			}
		}
		if known && !same {
			t.Errorf("%s %s, a %s with the parameters %v, is not listed so", l.Name, l.Code, l.Result, slices.Sorted(maps.Keys(l.Params)))
		}
	}
}

func hasParamsOf(l, listed seeding.Line) bool {
	says := fmt.Sprint(listed.Text, listed.Remedy)
	for name := range l.Params {
		if _, there := listed.Params[name]; !there && !strings.Contains(says, "{"+name+"}") {
			return false
		}
	}
	for i, part := range strings.Split(says, "{") {
		name, _, isParam := strings.Cut(part, "}")
		if i > 0 && isParam && l.Params[name] == nil {
			return false
		}
	}
	return true
}
