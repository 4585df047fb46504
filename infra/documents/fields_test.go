package documents_test

import (
	"regexp"
	"strings"
	"testing"
)

var (
	fieldOfASeed = regexp.MustCompile(`(?m)^\**([A-Z][\w ]+?)\** ?: `)
	rowOfAField  = regexp.MustCompile("(?m)^\\| \\d+ \\| ([^|]+) \\| ([^|]+) \\| `([^`]+)` \\| .* \\| `(Test\\w+)/([^`]+)` \\|$")
)

// The README's table has each field that a seed lists, by the seed's own name, and each
// test that it names exists.
func TestTheReadmeHasEveryFieldOfTheSeeds(t *testing.T) {
	root := repository(t)
	_, readme, _ := strings.Cut(content(t, root, "README.md"), "<!-- fields:")
	readme, _, _ = strings.Cut(readme, "<!-- end of fields -->")
	defined := tests(t, testDefinition)
	inReadme := map[string]bool{} // seed and field
	rows := rowOfAField.FindAllStringSubmatch(readme, -1)
	for _, row := range rows {
		field, seeds, member, test, part := row[1], row[2], row[3], row[4], row[5]
		for seed := range strings.SplitSeq(seeds, ", ") {
			inReadme[seed+" "+field] = true
		}
		if member != part || len(defined[test]) != 1 {
			t.Errorf("%s: %s/%s is no test of it", field, test, part)
		}
	}
	if len(rows) != 23 || len(inReadme) != 19+19+21 {
		t.Errorf("the table has %d fields, %d with their seeds", len(rows), len(inReadme))
	}
	for seed, n := range map[string]int{"000": 19, "001": 19, "002": 21} {
		fields := fieldOfASeed.FindAllStringSubmatch(content(t, root, "infra/documents/testdata/seed-"+seed+".txt"), -1)
		if len(fields) != n {
			t.Errorf("seed %s has %d fields", seed, len(fields))
		}
		for _, field := range fields {
			if !inReadme[seed+" "+field[1]] {
				t.Errorf("README.md: no %q of seed %s", field[1], seed)
			}
		}
	}
}
