package setup

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"openg2p.org/mts-connector/shared/seeding"
)

// What is counted as apart is what the whole table of distances gives.
func TestDistanceIsThatOfTheWholeTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ab_]{0,9}`)
		a, b, most := name.Draw(t, "a"), name.Draw(t, "b"), rapid.IntRange(0, 12).Draw(t, "most")
		if got, want := distance(a, b, most), min(wholeTable(a, b), most+1); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

func wholeTable(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// The hints of a configuration compare a bounded number of letters, however many
// and however long the names are.
func TestComparisonsOfNamesAreBounded(t *testing.T) {
	for _, length := range []int{3, 9, 32, 63, 64, 65, 984} {
		name := func(letter string, i int) string {
			return strings.Repeat(letter, max(0, length-4)) + fmt.Sprintf("%04d", i)[4-min(4, length):]
		}
		known := map[string]seeding.Types{}
		for i := range 200 {
			known[name("x", i)] = seeding.AnyType
		}
		names := newSpelling(known)
		for i := range 45_000 / length { // letters of all expressions
			names.nearest(name("y", i))
		}
		if names.compared > 2_000_000 || length > 64 && names.compared > 0 {
			t.Errorf("names of %d letters: %d comparisons", length, names.compared)
		}
	}
}

// The largest configuration that anybody has gets a hint for each of its
// expressions.
func TestEveryExpressionOfALargeConfigurationGetsItsHint(t *testing.T) {
	known := map[string]seeding.Types{}
	for i := range 200 {
		known[fmt.Sprintf("x_studio_number_%03d", i)] = seeding.AnyType
	}
	names := newSpelling(known)
	for i := range 45 {
		if got, want := names.nearest(fmt.Sprintf("x_stduio_number_%03d", i)), fmt.Sprintf("x_studio_number_%03d", i); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	longest := strings.Repeat("y", 63)
	names = newSpelling(map[string]seeding.Types{longest: seeding.AnyType})
	for _, name := range []string{longest[1:], longest + "y", longest[2:], "z" + longest[1:]} {
		if names.nearest(name) != longest {
			t.Errorf("%s: no hint", name)
		}
	}
	if got := names.nearest("y"); got != "" {
		t.Errorf("%q", got)
	}
}
