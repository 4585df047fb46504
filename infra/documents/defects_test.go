package documents_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ofODK are the defects of Odoo's connector (facts/mts.md 5.6) that a registry connector
// cannot have, with the reason. They get a test with the connector of ODK.
var ofODK = map[int]string{
	4: "a registry connector has no window that could be advanced: what is not tokenised is its work list",
	7: "it compares no time of its own with a time of ODK's",
}

var (
	testOfADefect  = regexp.MustCompile(`(?m)^func (TestD(\d+)[A-Z]\w*)\(t \*testing\.T\)`)
	rowOfADefect   = regexp.MustCompile(`(?m)^\| D(\d+) \|`)
	testDefinition = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
)

// tests are all Go tests of the repository whose declaration an expression finds, with
// the files that declare them.
func tests(t *testing.T, declaration *regexp.Regexp) (found map[string][]string) {
	t.Helper()
	root := repository(t)
	found = map[string][]string{}
	for _, name := range read(t, root).files {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range declaration.FindAllStringSubmatch(content(t, root, name), -1) {
				found[m[1]] = append(found[m[1]], name)
			}
		}
	}
	return found
}

// Each defect of Odoo's connector has exactly one test that is named after it, TestD01
// to TestD30, unless it is ODK's alone.
func TestEachDefectHasItsTest(t *testing.T) {
	var rows []int
	for _, m := range rowOfADefect.FindAllStringSubmatch(content(t, repository(t), "infra/facts/mts.md"), -1) {
		number, _ := strconv.Atoi(m[1])
		rows = append(rows, number)
	}
	if len(rows) != 30 {
		t.Errorf("facts/mts.md has %d defects", len(rows))
	}
	named := map[int][]string{}
	for test, files := range tests(t, testOfADefect) {
		digits := testOfADefect.FindStringSubmatch("func " + test + "(t *testing.T)")[2]
		number, _ := strconv.Atoi(digits)
		if digits != fmt.Sprintf("%02d", number) || !slices.Contains(rows, number) {
			t.Errorf("%s in %v has the number of no defect", test, files)
		}
		for _, file := range files {
			named[number] = append(named[number], file+" "+test)
		}
	}
	for _, number := range rows {
		want := 1
		if ofODK[number] != "" {
			want = 0
		}
		if got := named[number]; len(got) != want {
			t.Errorf("D%d has %d tests %v, want %d", number, len(got), got, want)
		}
	}
}
