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
// cannot have: it has no window that could be advanced, and compares no time of its own
// with one of ODK's. Their one test is of a connector of ODK.
var ofODK = []int{4, 7}

var (
	testOfADefect  = regexp.MustCompile(`(?m)^func (Test(?:ODK)?D(\d+)[A-Z]\w*)\(t \*testing\.T\)`)
	rowOfADefect   = regexp.MustCompile(`(?m)^\| D(\d+) \|(.*)$`)
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
// to TestD30. One that speaks of ODK has another, TestODKD05 for instance, unless it is
// ODK's alone.
func TestEachDefectHasItsTest(t *testing.T) {
	var rows []int
	speaksOfODK := map[int]bool{}
	for _, m := range rowOfADefect.FindAllStringSubmatch(content(t, repository(t), "infra/facts/mts.md"), -1) {
		number, _ := strconv.Atoi(m[1])
		rows = append(rows, number)
		speaksOfODK[number] = strings.Contains(strings.ToLower(m[2]), "odk") && !slices.Contains(ofODK, number)
	}
	if len(rows) != 30 {
		t.Errorf("facts/mts.md has %d defects", len(rows))
	}
	named, again := map[int][]string{}, map[int][]string{} // again are those of ODK
	for test, files := range tests(t, testOfADefect) {
		digits := testOfADefect.FindStringSubmatch("func " + test + "(t *testing.T)")[2]
		number, _ := strconv.Atoi(digits)
		if digits != fmt.Sprintf("%02d", number) || !slices.Contains(rows, number) {
			t.Errorf("%s in %v has the number of no defect", test, files)
		}
		list := named
		if strings.HasPrefix(test, "TestODK") {
			list = again
		}
		for _, file := range files {
			list[number] = append(list[number], file+" "+test)
		}
	}
	for _, number := range rows {
		if got := named[number]; len(got) != 1 {
			t.Errorf("D%d has %d tests %v", number, len(got), got)
		}
		if got := again[number]; len(got) > 1 || speaksOfODK[number] != (len(got) == 1) {
			t.Errorf("D%d has %d tests with ODK %v", number, len(got), got)
		}
	}
}
