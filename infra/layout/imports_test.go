package layout_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

const module = "openg2p.org/mts-connector/"

// match matches a path with a pattern of the rules, and returns the elements by
// name. Names in bound stand for the elements that they have matched already.
func match(pattern, path string, bound map[string]string) (elements map[string]string, ok bool) {
	var text strings.Builder
	var names []string // of the groups
	for pattern != "" {
		literal, rest, found := strings.Cut(pattern, "{")
		text.WriteString(regexp.QuoteMeta(literal))
		if !found {
			break
		}
		var name string
		name, pattern, _ = strings.Cut(rest, "}")
		name, long := strings.CutSuffix(name, "...")
		element, isBound := bound[name]
		switch words := vocabulary[name]; {
		case isBound:
			text.WriteString(regexp.QuoteMeta(element))
			continue
		case long:
			text.WriteString("(.+)")
		case words != nil:
			text.WriteString("(" + strings.Join(words, "|") + ")")
		default:
			text.WriteString("([^/]+)")
		}
		names = append(names, name)
	}
	groups := regexp.MustCompile("^" + text.String() + "$").FindStringSubmatch(path)
	if groups == nil {
		return nil, false
	}
	elements = map[string]string{}
	for i, name := range names {
		group := groups[i+1]
		before, again := elements[name]
		switch {
		case !again:
			elements[name] = group
		case group != before[strings.LastIndex(before, "/")+1:]:
			return nil, false
		}
	}
	return elements, true
}

// ruleOf returns the rule of a package, and the elements that its place matched
// by name.
func ruleOf(path string) (r rule, bound map[string]string, ok bool) {
	for _, r := range rules {
		if bound, ok := match(r.place, path, nil); ok {
			return r, bound, true
		}
	}
	return rule{}, nil, false
}

// check returns an error if the package from, a path relative to the module,
// must not import the package to, a path as it is in the source.
func check(from, to string, test bool) error {
	r, bound, ok := ruleOf(from)
	if !ok {
		return errors.New(from + ": no rule of infra/layout knows this place")
	}
	inner, own := strings.CutPrefix(to, module)
	first, _, _ := strings.Cut(to, "/")
	switch {
	case test && !r.tests, own && inner == from:
		return nil
	case !own:
		if r.modules || !strings.Contains(first, ".") {
			return nil
		}
	default:
		allowed := false
		for _, pattern := range r.imports {
			pattern, forbidden := strings.CutPrefix(pattern, "!")
			if _, ok := match(pattern, inner, bound); ok {
				allowed = !forbidden
			}
		}
		if allowed {
			return nil
		}
	}
	return fmt.Errorf("%s must not import %s: %s", from, to, r.reason)
}

// imported is a package as `go list -json` describes it.
type imported struct {
	Dir          string
	ImportPath   string
	GoFiles      []string
	CgoFiles     []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// tagOfBuild is the build tag of the functions that are deployed (Makefile).
const tagOfBuild = "lambda.norpc"

// packages returns all packages of the module in root: as they are in tests, and
// as they are deployed. So a package may be there twice.
func packages(t *testing.T, root string) []imported {
	t.Helper()
	return slices.Concat(listed(t, root), listed(t, root, "-tags", tagOfBuild))
}

func listed(t *testing.T, root string, flags ...string) (all []imported) {
	t.Helper()
	fields := "-json=Dir,ImportPath,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"
	list := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"list"}, flags, []string{fields, "./..."})...)
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(output))); ; {
		var p imported
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("go list knows no package")
	}
	return all
}

// overlooked returns the Go files of the module in root that are in none of the
// packages, because of a build constraint or of their name. Their imports are
// unknown here.
//
// It looks at every file, also because `go test` repeats a cached result until a
// file changes that this process has looked at, and `go list` is another one.
func overlooked(t *testing.T, root string, all []imported) (files []string) {
	t.Helper()
	known := map[string]bool{}
	for _, p := range all {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles) {
			known[filepath.Join(p.Dir, name)] = true
		}
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && otherCode(path):
			return fs.SkipDir
		case !entry.IsDir() && filepath.Ext(path) == ".go" && !known[path]:
			file, err := filepath.Rel(root, path)
			files = append(files, filepath.ToSlash(file))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// otherCode reports whether Go takes a folder for none of the module's.
func otherCode(folder string) bool {
	name := filepath.Base(folder)
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// mistakes returns the packages without a place, and the imports against the
// rules.
func mistakes(all []imported) (found []string) {
	for _, p := range all {
		from := strings.TrimPrefix(p.ImportPath, module)
		report := func(to string, test bool) {
			if err := check(from, to, test); err != nil {
				found = append(found, err.Error())
			}
		}
		if _, _, ok := ruleOf(from); !ok {
			report("", false)
			continue
		}
		for _, to := range p.Imports {
			report(to, false)
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			report(to, true)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestImportsFollowTheRules(t *testing.T) {
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	all := packages(t, root)
	for _, mistake := range mistakes(all) {
		t.Error(mistake)
	}
	for _, file := range overlooked(t, root, all) {
		t.Errorf("%s: a build constraint hides its imports from this test", file)
	}
}

// A module of its own, whose files have build constraints.
func TestFilesBehindConstraints(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod":                       "module openg2p.org/mts-connector\n\ngo 1.26\n",
		"shared/odoo/odoo.go":          "package odoo\n",
		"shared/odoo/deployed.go":      "//go:build lambda.norpc\n\npackage odoo\n\nimport _ \"openg2p.org/mts-connector/shared/mts\"\n",
		"shared/mts/tested.go":         "//go:build !lambda.norpc\n\npackage mts\n\nimport _ \"openg2p.org/mts-connector/shared/odoo/parts\"\n",
		"shared/mts/mts.go":            "package mts\n",
		"shared/odoo/parts/parts.go":   "package parts\n",
		"shared/odoo/odoo_plan9.go":    "package odoo\n",
		"shared/hidden/hidden.go":      "//go:build other\n\npackage hidden\n",
		"shared/mts/other_test.go":     "//go:build other\n\npackage mts\n",
		"shared/mts/testdata/x.go":     "package x\n",
		"infra/tools/go.mod":           "module tools\n",
		"infra/tools/tools.go":         "package tools\n",
		".cache/fetched/fetched.go":    "package fetched\n",
		"shared/odoo/_draft/sketch.go": "package sketch\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	all := packages(t, root)
	want := []string{"shared/hidden/hidden.go", "shared/mts/other_test.go", "shared/odoo/odoo_plan9.go"}
	if files := overlooked(t, root, all); !slices.Equal(files, want) {
		t.Errorf("overlooked: %q, want %q", files, want)
	}
	found := mistakes(all)
	for _, want := range []string{
		"shared/odoo must not import " + module + "shared/mts: ",
		"shared/mts must not import " + module + "shared/odoo/parts: ",
	} {
		if !slices.ContainsFunc(found, func(mistake string) bool { return strings.HasPrefix(mistake, want) }) {
			t.Errorf("mistakes: %q, want one more: %s", found, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name string
		p    imported
		want string
	}{
		{
			"import against a rule",
			imported{ImportPath: module + "shared/odoo", Imports: []string{"fmt", module + "shared/mts"}},
			"shared/odoo must not import " + module + "shared/mts: ",
		},
		{
			"import in a test",
			imported{ImportPath: module + "shared/mts", TestImports: []string{module + "infra/simulators/mtssim"}},
			"",
		},
		{
			"import in a test of a simulator",
			imported{ImportPath: module + "infra/simulators/mtssim", XTestImports: []string{module + "shared/mts"}},
			"infra/simulators/mtssim must not import " + module + "shared/mts: ",
		},
		{"place without a rule", imported{ImportPath: module + "tools/x"}, "tools/x: no rule"},
		{"root of the module", imported{ImportPath: strings.TrimSuffix(module, "/")}, "no rule"},
	} {
		found := strings.Join(mistakes([]imported{c.p}), "\n")
		if c.want == "" && found != "" || !strings.Contains(found, c.want) {
			t.Errorf("%s: %q, want %q", c.name, found, c.want)
		}
	}
}

func TestRules(t *testing.T) {
	const (
		no   = "no"
		yes  = "yes"
		test = "in tests only"
	)
	for _, c := range []struct{ from, to, may string }{
		// Domains and use cases.
		{"shared/seeding", "crypto/hmac", yes},
		{"shared/seeding", "golang.org/x/sync/errgroup", test},
		{"shared/seeding", module + "shared/partnering", test},
		{"shared/seeding", module + "shared/seeding/submit", test},
		{"shared/seeding", module + "shared/dynamo", test},
		{"shared/partnering", module + "shared/seeding", test},
		{"shared/seeding/submit", "time", yes},
		{"shared/seeding/submit", module + "shared/seeding", yes},
		{"shared/seeding/submit", module + "shared/seeding/patch", test},
		{"shared/seeding/submit", module + "shared/partnering", test},
		{"shared/seeding/submit", module + "shared/outgoing", test},
		{"shared/seeding/submit", "github.com/itchyny/gojq", test},
		{"shared/partnering/approve", module + "shared/partnering", yes},
		{"shared/partnering/approve", module + "shared/seeding", test},

		// Kits and the packages on them.
		{"shared/dynamo", "github.com/aws/aws-sdk-go-v2/aws", yes},
		{"shared/dynamo", module + "shared/seeding", test},
		{"shared/dynamo", module + "shared/dynamo/seedingdb", test},
		{"shared/function", module + "shared/gateway", test},
		{"shared/gateway", module + "shared/api", test},
		{"shared/dynamo/seedingdb", module + "shared/dynamo", yes},
		{"shared/dynamo/seedingdb", module + "shared/seeding", yes},
		{"shared/dynamo/seedingdb", module + "shared/seeding/submit", test},
		{"shared/dynamo/seedingdb", module + "shared/partnering", test},
		{"shared/dynamo/seedingdb", module + "shared/dynamo/partneringdb", test},
		{"shared/dynamo/partneringdb", module + "shared/partnering", yes},
		{"shared/dynamo/lease", module + "shared/dynamo", yes},
		{"shared/dynamo/lease", module + "shared/seeding", test},
		{"shared/api/connectors", module + "shared/api", yes},
		{"shared/api/connectors", module + "shared/seeding", yes},
		{"shared/api/connectors", module + "shared/seeding/setup", yes},
		{"shared/api/connectors", module + "shared/seeding/submit", test},
		{"shared/api/connectors", module + "shared/api/partners", test},
		{"shared/api/connectors", module + "shared/dynamo/seedingdb", test},
		{"shared/api/connectors", module + "shared/gateway", test},

		// Adapters.
		{"shared/callback", module + "shared/seeding", yes},
		{"shared/callback", module + "shared/seeding/receive", yes},
		{"shared/callback", module + "shared/seeding/patch", test},
		{"shared/console", module + "shared/api", yes},
		{"shared/console", module + "shared/api/connectors", test},
		{"shared/console", module + "shared/secrets", test},
		{"shared/odoo", module + "shared/seeding", yes},
		{"shared/odoo", module + "shared/seeding/patch", test},
		{"shared/odoo", module + "shared/outgoing", test},
		{"shared/odoo", module + "shared/mts", test},
		{"shared/odoo", module + "infra/simulators/odoosim", test},
		{"shared/odk", module + "shared/partnering", yes}, // a place that no rule names
		{"shared/odk", module + "shared/odoo", test},
		{"shared/odk/forms", module + "shared/odk", yes},
		{"shared/odk/forms", module + "shared/jq", test},

		// What tests share.
		{"shared/odoo/odootest", module + "shared/odoo", yes},
		{"shared/dynamo/seedingdb/seedingdbtest", module + "shared/dynamo/seedingdb", yes},
		{"shared/dynamo/seedingdb/seedingdbtest", module + "shared/dynamo", yes},
		{"shared/dynamo/seedingdb/seedingdbtest", module + "shared/dynamo/dynamotest", yes},
		{"shared/dynamo/dynamotest", module + "shared/dynamo/memory", yes},
		{"shared/dynamo/seedingdb", module + "shared/dynamo/memory", test},
		{"shared/dynamo/memory", module + "shared/dynamo", test},
		{"shared/odoo/odootest", module + "shared/mts", test},
		{"shared/odoo", module + "shared/odoo/odootest", test},
		{"shared/jq", module + "shared/odoo/odootest", test},
		{"shared/seeding/seedingtest", module + "shared/seeding", yes},
		{"shared/seeding/attest", module + "shared/seeding", yes}, // a use case: its name only ends like that
		{"shared/seeding/attest", module + "shared/dynamo", test},
		{"shared/seeding/attest", "github.com/itchyny/gojq", test},
		{"shared/dynamo/odootest", module + "shared/seeding", test},
		{"functions/submit", module + "shared/seeding/attest", yes},

		// Functions.
		{"functions/submit", module + "shared/odoo", yes},
		{"functions/submit", module + "shared/seeding/submit", yes},
		{"functions/submit", module + "shared/odoo/odootest", test},
		{"functions/submit", module + "shared/dynamo/seedingdb/seedingdbtest", test},
		{"functions/submit", module + "shared/dynamo/memory", test},
		{"functions/submit", module + "functions/patch", test},
		{"functions/submit", module + "infra/template", test},

		// Simulators: their tests follow the rule as well.
		{"infra/simulators/mtssim", module + "infra/simulators/python", yes},
		{"infra/simulators/mtssim", module + "infra/simulators/mtssim", yes},
		{"infra/simulators/mtssim", module + "infra/simulators/odoosim", no},
		{"infra/simulators/mtssim", module + "shared/mts", no},
		{"infra/simulators/mtssim", module + "shared/seeding", no},
		{"infra/simulators/odksim", module + "shared/odk", no},
		{"infra/simulators/python", module + "infra/simulators/mtssim", no},
		{"infra/simulators/python", "github.com/itchyny/gojq", no},
		{"infra/simulators/cmd/mtssim", module + "infra/simulators/mtssim", yes},
		{"infra/simulators/cmd/mtssim", module + "infra/local", no},
		{"infra/simulators/mtssim/rows", module + "infra/simulators/python", yes},
		{"infra/simulators/mtssim/rows", module + "shared/mts", no},
		{"infra/simulators/mtssim/rows/wire", module + "shared/mts", no},
		{"infra/simulators/mtssim/mtssimtest", module + "shared/mts", no},
		{"infra/simulators/python/inner", module + "shared/mts", no},
		{"infra/simulators/cmd/mtssim/flags", module + "shared/mts", no},

		// The rest of infra wires what it likes but functions.
		{"infra/world/inprocess", module + "shared/odoo", yes},
		{"infra/local/run", module + "infra/simulators/mtssim", yes},
		{"infra/world/inprocess", module + "functions/submit", test},

		// Places without a rule.
		{"cmd/tool", "fmt", no},
		{"shared", "fmt", no},
		{"shared/mts/v2/client", "fmt", no},
		{"functions/submit/steps", "fmt", no},
	} {
		may := no
		switch {
		case check(c.from, c.to, false) == nil:
			may = yes
		case check(c.from, c.to, true) == nil:
			may = test
		}
		if may != c.may {
			t.Errorf("%s may import %s: %s, want %s", c.from, c.to, may, c.may)
		}
	}
}
