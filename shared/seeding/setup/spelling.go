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
	known    []string // sorted
	compared int      // pairs of letters; maxCompared at most
}

func newSpelling(known map[string]seeding.Types) *spelling {
	return &spelling{known: slices.Sorted(maps.Keys(known))}
}

func (s *spelling) knows(name string) bool {
	_, found := slices.BinarySearch(s.known, name)
	return found
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
		if d := distance(name, candidate, maxApart); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is how many letters of a are to be changed, put in, left out or
// exchanged with the next one to make b: most+1 if more than most. Neither may be
// longer than maxName. It looks at (2 * most + 1) pairs for each letter of a.
func distance(a, b string, most int) int {
	if max(len(a)-len(b), len(b)-len(a)) > most {
		return most + 1
	}
	var before, last, row [maxName + 1]int // three rows of the table; row[j] is for b[:j]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		first, end := max(1, i-most), min(len(b), i+most)
		row[first-1] = most + 1 // left of the pairs that count
		if first == 1 {
			row[0] = i
		}
		for j := first; j <= end; j++ {
			row[j] = min(last[j-1]+1, row[j-1]+1)
			if a[i-1] == b[j-1] {
				row[j] = min(row[j], last[j-1])
			}
			if j < i+most { // else above the pairs that count
				row[j] = min(row[j], last[j]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return min(last[len(b)], most+1)
}
