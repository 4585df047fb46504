package setup

import (
	"fmt"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
)

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
		names := newSpelling(known, openapi.Distance)
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
	names := newSpelling(known, openapi.Distance)
	for i := range 45 {
		if got, want := names.nearest(fmt.Sprintf("x_stduio_number_%03d", i)), fmt.Sprintf("x_studio_number_%03d", i); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	longest := strings.Repeat("y", 63)
	names = newSpelling(map[string]seeding.Types{longest: seeding.AnyType}, openapi.Distance)
	for _, name := range []string{longest[1:], longest + "y", longest[2:], "z" + longest[1:]} {
		if names.nearest(name) != longest {
			t.Errorf("%s: no hint", name)
		}
	}
	if got := names.nearest("y"); got != "" {
		t.Errorf("%q", got)
	}
}
