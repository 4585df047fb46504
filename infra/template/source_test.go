package template_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

// constants returns the string constants of a type of shared/seeding by their
// names, read from its source: the tests ask for what belongs to each, so that a
// new constant is not forgotten.
func constants(t *testing.T, kind string) map[string]string {
	t.Helper()
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "shared/seeding/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			named, hasType := spec.Type.(*ast.Ident)
			literal, isLiteral := spec.Values[0].(*ast.BasicLit)
			if hasType && isLiteral && named.Name == kind {
				if found[spec.Names[0].Name], err = strconv.Unquote(literal.Value); err != nil {
					t.Fatal(err)
				}
			}
			return false
		})
	}
	if len(found) == 0 {
		t.Fatalf("shared/seeding has no constants of the type %s", kind)
	}
	return found
}
