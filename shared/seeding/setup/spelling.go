package setup

import (
	"maps"
	"slices"

	"openg2p.org/mts-connector/shared/seeding"
)

const (
	maxName     = 64        // bytes; longer names are not compared: Odoo's have 63 at most
	maxApart    = 2         // letters between a name and what is taken for its misspelling
	maxCompared = 2_000_000 // pairs of letters, for all hints of a configuration
)

// spelling finds the known name of which another is a misspelling. Its work is
// bounded: a configuration has hundreds of fields and of expressions.
type spelling struct {
	distance func(a, b string, most int) int // Rules.Distance
	known    []string                        // sorted
	compared int                             // pairs of letters; maxCompared at most
}

func newSpelling(known map[string]seeding.Types, distance func(a, b string, most int) int) *spelling {
	return &spelling{distance: distance, known: slices.Sorted(maps.Keys(known))}
}

// unknown are those of the names that are not known.
func (s *spelling) unknown(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, found := slices.BinarySearch(s.known, name)
		return found
	})
}

// nearest returns the known name of which another is likely a misspelling, or "":
// also if finding it would be too much work.
func (s *spelling) nearest(name string) string {
	best, least := "", 1+min(maxApart, len(name)/3)
	if len(name) > maxName {
		return ""
	}
	for _, candidate := range s.known {
		if len(candidate) > maxName || max(len(name)-len(candidate), len(candidate)-len(name)) > maxApart {
			continue
		}
		cost := len(name) * (2*maxApart + 1)
		if s.compared+cost > maxCompared {
			return ""
		}
		s.compared += cost
		if d := s.distance(name, candidate, maxApart); d < least {
			best, least = candidate, d
		}
	}
	return best
}
