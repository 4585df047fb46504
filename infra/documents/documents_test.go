// Package documents_test holds the documents of the repository together: every
// reference of a Go, Markdown or YAML file, of the Makefile or of .ci/run, to a document, or to a heading or row
// of one, must lead somewhere.
//
// A reference names its document, as reference_test.go lists; "W12" alone does
// not say where to look, and is an error. Only a facts file refers to its own
// rows and sections without its name, and the protocol to its own rules.
package documents_test

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// library is the files of a repository and its documents, by path from the root.
type library struct {
	files     []string
	documents map[string]document
}

// fault says what is wrong with a reference, or is "".
func (l library) fault(r reference) string {
	if r.document == "" {
		return "names no document"
	}
	d, isDocument := l.documents[r.document]
	switch {
	case !isDocument && (r.label != "" || r.title != "" || r.anchor != "" || !l.has(r.document)):
		return "there is no " + r.document
	case r.label != "" && !d.labels[r.label]:
		return r.document + " has no heading or row " + r.label
	case r.title != "" && !slices.ContainsFunc(d.titles, func(title string) bool { return strings.HasPrefix(title, r.title) }):
		return r.document + " has no heading that begins with " + r.title
	case r.anchor != "" && !d.anchors[r.anchor]:
		return r.document + " has no heading with the anchor #" + r.anchor
	}
	return ""
}

// has reports whether there is a file, or a folder with files.
func (l library) has(name string) bool {
	name = strings.TrimSuffix(name, "/")
	return slices.ContainsFunc(l.files, func(file string) bool { return file == name || strings.HasPrefix(file, name+"/") })
}

func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	root := repository(t)
	l := read(t, root)
	found := 0
	for _, name := range l.files {
		if strings.HasPrefix(name, "infra/documents/") {
			continue // this folder's own tests are full of bad references
		}
		for _, r := range references(name, content(t, root, name), l.documents[name]) {
			found++
			if fault := l.fault(r); fault != "" {
				t.Errorf("%s:%d: %s: %s", name, r.line, r.text, fault)
			}
		}
	}
	if found < 300 {
		t.Errorf("found %d references; there are more", found)
	}
}

// The last column of the glossary's tables names a file, a folder, or a folder
// and what is declared there.
func TestTheGlossaryNamesWhatThereIs(t *testing.T) {
	root := repository(t)
	l := read(t, root)
	place := regexp.MustCompile("(?m)^\\| [^|]+ \\| [^|]+ \\| `([^`]+)` \\|$")
	places := place.FindAllStringSubmatch(content(t, root, "infra/glossary.md"), -1)
	if len(places) < 25 {
		t.Fatalf("the glossary has %d words", len(places))
	}
	for _, p := range places {
		if l.has(p[1]) {
			continue
		}
		folder, name, _ := strings.Cut(p[1], ".")
		if !declares(t, filepath.Join(root, folder), name) {
			t.Errorf("infra/glossary.md: there is no %s", p[1])
		}
	}
}

// declares reports whether a package declares a name at its top level.
func declares(t *testing.T, folder, name string) bool {
	t.Helper()
	sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if file.Scope.Lookup(name) != nil {
			return true
		}
	}
	return false
}

func TestFaultsOfReferences(t *testing.T) {
	facts := `# Facts
## A. What to know
### A1. Errors
1. First.
2. Second.
## 2. Requests
### 2.3 Mapping
` + "```\n## 9. Code, no heading\n```" + `
| W12 | a row |
| no row |
C15 · a correction
`
	l := library{
		files: []string{"README.md", "infra/protocol.md", "infra/runbook.md", "infra/facts/odoo.md", "infra/facts/mts.md", "infra/tools/fetch"},
		documents: map[string]document{
			"README.md":           parse("# Us"),
			"infra/protocol.md":   parse("# The protocol\n## Submit\n1. One.\n2. Two, see Submit 1 and rule 2.\n## Batch size\n1. One.\n"),
			"infra/runbook.md":    parse("# Runbook\n### SubmitFailing, PatchFailing\n## What *to* do, `now`?\n## Twice\n## Twice\n## 2026-11-27 Whole runs are tested\n"),
			"infra/facts/odoo.md": parse(facts),
			"infra/facts/mts.md":  parse(facts),
		},
	}
	cases := map[string]struct {
		file, text string
		want       []string // "line: text: fault", in the order of lines
	}{
		"headings, rows and items": {"a.go", "// (facts/odoo.md A1.2), facts/mts.md 2.3, and facts/mts.md W12; infra/facts/mts.md A, facts/odoo.md.", nil},
		"a list":                   {"a.go", "// see facts/mts.md 2, 2.3, W12 and A1 to A1.2, and more", nil},
		"no such row":              {"a.go", "package a\n\n// x\n// see facts/mts.md W13.", []string{"4: facts/mts.md W13: infra/facts/mts.md has no heading or row W13"}},
		"no such item":             {"a.go", "// facts/odoo.md A1.3", []string{"1: facts/odoo.md A1.3: infra/facts/odoo.md has no heading or row A1.3"}},
		"a heading in code":        {"a.go", "// facts/odoo.md 9", []string{"1: facts/odoo.md 9: infra/facts/odoo.md has no heading or row 9"}},
		"one of a list":            {"a.go", "// facts/mts.md 2.3, 2.4 and W12", []string{"1: facts/mts.md 2.4: infra/facts/mts.md has no heading or row 2.4"}},
		"over a line break":        {"a.go", "x := 1 // facts/mts.md\n\t// 2.3 and\n\t// 2.9", []string{"1: facts/mts.md 2.9: infra/facts/mts.md has no heading or row 2.9"}},
		"no such document":         {"a.go", "// facts/mtx.md 2.3", []string{"1: facts/mtx.md 2.3: there is no infra/facts/mtx.md"}},
		"a name without a folder":  {"a.go", "// see runbook.md", []string{"1: runbook.md: there is no runbook.md"}},
		"in a string":              {"a.go", "const s = \"see infra/runbook.md, Missing\" + \"W99\"", nil},
		"an alarm in a string":     {"a.go", "const s = \"see infra/runbook.md, PatchMissing.\"", []string{"1: infra/runbook.md, PatchMissing: infra/runbook.md has no heading or row PatchMissing"}},
		"bare in a comment":        {"a.go", "var w = `W12`\n\n// MTS forgets (W12).", []string{"3: W12: names no document"}},
		"bare beside a named one":  {"a.go", "// facts/mts.md 2.3, which W12 says", []string{"1: W12: names no document"}},
		"codes are no rows":        {"a.go", "// ATS-REQ-101, /v1/A1, S3, %C3, U2 and 16 A", nil},
		"protocol":                 {"a.go", "// (protocol, \"Submit\"), protocol,\n// \"Submit\" 2 and protocol, \"Batch size\" 1", nil},
		"no such rule": {"a.go", "// protocol, \"Submit\" 3; protocol, \"Totals\"", []string{
			"1: protocol, \"Submit\" 3: infra/protocol.md has no heading or row Submit.3",
			"1: protocol, \"Totals\": infra/protocol.md has no heading or row Totals"}},
		"the protocol's own rules": {"infra/protocol.md", "## Submit\n1. See Batch size 1, rule 2 and Odoo 14.\n2. See Submit 3.\n\n## Batch size\n1. See rule 2",
			[]string{"3: Submit 3: infra/protocol.md has no heading or row Submit.3", "6: rule 2: infra/protocol.md has no heading or row Batch size.2"}},
		"YAML": {"a.yaml", "# see infra/runbook.md,\n# SubmitFailing\nText: See infra/runbook.md, PatchFailing. # W1", []string{"3: W1: names no document"}},
		"facts of their own": {"infra/facts/mts.md", "Weak (W12), see A1.1 and section 2.3; TK guide.md, S3\n- sections 2 and 2.4, W1",
			[]string{"2: W1: infra/facts/mts.md has no heading or row W1", "2: sections 2 and 2.4: infra/facts/mts.md has no heading or row 2.4"}},
		"links": {"infra/x.md", "[a](runbook.md#submitfailing-patchfailing) [b](../README.md) [c](#mine) [d](https://example.org/a.md) [e](tools)\n# Mine",
			nil},
		"bad links": {"infra/runbook.md", "[a](protocol.md#submitting)\n[b](../LICENSE)\n[c](#now)\n[d](#what-to-do-now) [e](#twice-1)",
			[]string{
				"1: [a](protocol.md#submitting): infra/protocol.md has no heading with the anchor #submitting",
				"2: [b](../LICENSE): there is no LICENSE",
				"3: [c](#now): infra/runbook.md has no heading with the anchor #now"}},
		"a title": {"a.go", "// (infra/runbook.md, \"Whole runs\"), infra/runbook.md,\n// \"Twice\" and `infra/runbook.md`, \"Twice\"", nil},
		"no such title": {"README.md", "See infra/runbook.md, \"Runs\".", []string{
			"1: infra/runbook.md, \"Runs\": infra/runbook.md has no heading that begins with Runs"}},
		"several rules": {"a.go", "// protocol, \"Submit\" 2 and 99, protocol, \"Submit\" 1, 2 and 3", []string{
			"1: protocol, \"Submit\" 99: infra/protocol.md has no heading or row Submit.99",
			"1: protocol, \"Submit\" 3: infra/protocol.md has no heading or row Submit.3"}},
		"a link with a title":        {"README.md", "[a](infra/none.md \"what\") [b](infra/runbook.md 'what')", []string{"1: [a](infra/none.md \"what\"): there is no infra/none.md"}},
		"targets of reference links": {"README.md", "See [a][b].\n\n[b]: infra/none.md\n[c]: infra/runbook.md#twice \"what\"\n[d]: https://example.org/x", []string{"3: [b]: infra/none.md: there is no infra/none.md"}},
		"paths": {"README.md", "`infra/tools`, `infra/tools/fetch`, `infra/toolz`, `infra/*/main.go`, `functions/<name>`, `infra/{a,b}` and `infra/…`",
			[]string{"1: `infra/toolz`: there is no infra/toolz"}},
		"a path with its Go name": {"README.md", "`infra/tools.Fetch` and `infra/toolz.Fetch`", []string{"1: `infra/toolz.Fetch`: there is no infra/toolz"}},
		"names after one prefix":  {"README.md", "| `infra/facts tools none` |", []string{"1: `infra/facts tools none`: there is no infra/none"}},
		"a command with a path":   {"README.md", "`infra/tools/fetch go -x`", nil},
		"Makefile":                {"Makefile", "# see infra/runbook.md, Missing\nrun: # infra/none.md", []string{"2: infra/none.md: there is no infra/none.md"}},
		"a script":                {".ci/run", "# see infra/none.md", []string{"1: infra/none.md: there is no infra/none.md"}},
		"an anchor in prose":      {"README.md", "See `infra/runbook.md#twice` and infra/runbook.md#thrice.", []string{"1: infra/runbook.md#thrice: infra/runbook.md has no heading with the anchor #thrice"}},
		"code blocks":             {"README.md", "```\nW12 facts/none.md [a](b)\n```", nil},
		"a list below a name":     {"README.md", "1. Read `infra/facts/mts.md`\n9. and more", nil},
		"a figure behind a comma": {"README.md", "in `infra/facts/mts.md`, 198 KB", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			own := l.documents[c.file]
			if path.Ext(c.file) == ".md" && c.file != "infra/facts/mts.md" && c.file != "infra/runbook.md" {
				own = parse(c.text)
				l.documents[c.file] = own
			}
			var got []string
			for _, r := range references(c.file, c.text, own) {
				if fault := l.fault(r); fault != "" {
					got = append(got, strings.Join([]string{strconv.Itoa(r.line), r.text, fault}, ": "))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// read finds all files: those that Git knows or would add, and where there is
// no Git those that are not hidden.
func read(t *testing.T, root string) library {
	t.Helper()
	l := library{documents: map[string]document{}}
	var ok bool
	if l.files, ok = listed(t, root); !ok {
		l.files = walk(t, root)
	}
	for _, name := range l.files {
		if path.Ext(name) == ".md" {
			l.documents[name] = parse(content(t, root, name))
		}
	}
	return l
}

// listed is false where there is no Git.
func listed(t *testing.T, root string) (files []string, ok bool) {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list, err := git.Output()
	if err != nil {
		return nil, false
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil { // else deleted, and not yet committed
			files = append(files, name)
		}
	}
	return files, true
}

func TestWithoutGitTheSameFilesAreRead(t *testing.T) {
	root := repository(t)
	files, ok := listed(t, root)
	if !ok {
		t.Skip("there is no Git to compare with")
	}
	walked := walk(t, root)
	for _, name := range files {
		hidden := strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
		if !hidden && !slices.Contains(walked, name) {
			t.Errorf("%s is not found without Git", name)
		}
	}
}

func walk(t *testing.T, root string) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		hidden := name != "." && strings.HasPrefix(path.Base(name), ".")
		switch {
		case err != nil:
			return err
		case hidden && entry.IsDir():
			return fs.SkipDir
		case !entry.IsDir() && !hidden:
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func content(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// The documents name the problems that keep nobody from being sent, all of them.
func TestDocumentsNameTheProblemsThatAreOnlyShown(t *testing.T) {
	root := repository(t)
	names := make([]string, 0, len(seeding.OnlyShown))
	for _, source := range seeding.OnlyShown {
		names = append(names, string(source))
	}
	slices.Sort(names)
	for _, place := range []struct{ document, pattern string }{
		{"infra/runbook.md", `All but (.*?) keep the connector from sending`},
		{"infra/runbook.md", `does harm until somebody acts: (.*?)\.\n`},
		{"infra/states.md", `a problem that blocks \(all but (.*?)\)`},
		{"infra/states.md", `(?m)^- (.*?) stop nobody; they are shown`},
		{"infra/protocol.md", `what to do\. All but (.*?) block: `},
	} {
		match := regexp.MustCompile(place.pattern).FindStringSubmatch(content(t, root, place.document))
		if match == nil {
			t.Errorf("%s does not say %s", place.document, place.pattern)
			continue
		}
		var named []string
		for _, one := range regexp.MustCompile("[`\\[]([a-z_]+)[`\\]]").FindAllStringSubmatch(match[1], -1) {
			named = append(named, one[1])
		}
		slices.Sort(named)
		if !slices.Equal(named, names) {
			t.Errorf("%s, %s: %v, want %v", place.document, place.pattern, named, names)
		}
	}
}
