package odk_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Each code of a fault is told people in words of its own, with what they can do. The
// codes are read from the source, so that none is left out.
func TestEachCodeHasADescriptionOfItsOwn(t *testing.T) {
	codes := map[string]bool{seeding.NoSubmissions: true, seeding.CodeTooLarge: true}
	file, err := parser.ParseFile(token.NewFileSet(), "fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && ast.IsExported(spec.Names[0].Name) {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes[code] = true
		}
		return true
	})
	if len(codes) < 17 {
		t.Fatalf("%d codes", len(codes))
	}
	general := seeding.ODKProblem(&seeding.Fault{Kind: seeding.RefusedRequest})
	texts := map[string]string{general.Text: "no code"}
	for code := range codes {
		for _, kind := range []seeding.FaultKind{seeding.Unreachable, seeding.RefusedRequest} {
			d := seeding.ODKProblem(&seeding.Fault{Kind: kind, Code: code, Field: "person/vid"})
			if before, known := texts[d.Text]; known && before != code {
				t.Errorf("%s has the text of %s: %q", code, before, d.Text)
			}
			texts[d.Text] = code
			if d.Code == "" || d.Remedy == "" || strings.ContainsAny(d.Text+d.Remedy, "{}") || d.Named.Fault != code || d.Named.Server != "odk" {
				t.Errorf("%s: %+v", code, d)
			}
		}
	}
}
