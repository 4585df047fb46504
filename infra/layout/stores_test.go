package layout_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

// sources are the files of packages, without tests, by their path relative to
// the module.
type sources map[string][]*ast.File

// declaration returns the interface of a name and the file that declares it.
func (s sources) declaration(pkg, name string) (contract *ast.InterfaceType, in *ast.File, ok bool) {
	for _, file := range s[pkg] {
		for _, declaration := range file.Decls {
			types, isGeneral := declaration.(*ast.GenDecl)
			if !isGeneral {
				continue
			}
			for _, spec := range types.Specs {
				declared, isType := spec.(*ast.TypeSpec)
				if !isType || declared.Name.Name != name {
					continue
				}
				contract, ok = declared.Type.(*ast.InterfaceType)
				return contract, file, ok
			}
		}
	}
	return nil, nil, false
}

// methods returns the names of the methods of an interface, those of embedded
// interfaces included.
func (s sources) methods(pkg, name string) (all []string, err error) {
	contract, file, ok := s.declaration(pkg, name)
	if !ok {
		return nil, fmt.Errorf("%q has no interface %s", pkg, name)
	}
	for _, field := range contract.Methods.List {
		for _, method := range field.Names {
			all = append(all, method.Name)
		}
		from, embedded := pkg, ""
		switch e := field.Type.(type) {
		case *ast.FuncType:
			continue
		case *ast.Ident:
			embedded = e.Name
		case *ast.SelectorExpr:
			from, embedded = imports(file)[e.X.(*ast.Ident).Name], e.Sel.Name
		}
		more, err := s.methods(from, embedded)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// imports returns the packages of the module that a file imports, by their name
// in it.
func imports(file *ast.File) map[string]string {
	all := map[string]string{}
	for _, spec := range file.Imports {
		to, _ := strconv.Unquote(spec.Path.Value)
		inner, own := strings.CutPrefix(to, module)
		if !own {
			continue
		}
		name := path.Base(inner)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		all[name] = inner
	}
	return all
}

// called returns the names of the methods that a package calls, directly or by
// handing its store to a function of another package of the module that asks for
// an interface, as seeding.MovePace asks for a seeding.PaceStore.
func (s sources) called(pkg string) map[string]bool {
	all := map[string]bool{}
	for _, file := range s[pkg] {
		imported := imports(file)
		ast.Inspect(file, func(n ast.Node) bool {
			call, isCall := n.(*ast.CallExpr)
			if !isCall {
				return true
			}
			selector, isSelector := call.Fun.(*ast.SelectorExpr)
			if !isSelector {
				return true
			}
			all[selector.Sel.Name] = true
			if of, ok := selector.X.(*ast.Ident); ok && imported[of.Name] != "" {
				for _, method := range s.asked(imported[of.Name], selector.Sel.Name) {
					all[method] = true
				}
			}
			return true
		})
	}
	return all
}

// asked returns the methods of the interfaces of its own package that a function
// takes.
func (s sources) asked(pkg, function string) (all []string) {
	for _, file := range s[pkg] {
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Name.Name != function {
				continue
			}
			for _, parameter := range f.Type.Params.List {
				if named, ok := parameter.Type.(*ast.Ident); ok {
					methods, _ := s.methods(pkg, named.Name) // none of what is no interface
					all = append(all, methods...)
				}
			}
		}
	}
	return all
}

// uncalled returns the methods of the package's interface Store that the
// package does not call.
func (s sources) uncalled(pkg string) ([]string, error) {
	called := s.called(pkg)
	methods, err := s.methods(pkg, "Store")
	return slices.DeleteFunc(methods, func(name string) bool { return called[name] }), err
}

// Each use case declares the store that it needs: what it does not call is not
// in there, so that a test or another store need not provide it.
func TestStoresAskForNoMoreThanIsCalled(t *testing.T) {
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "shared/*/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob(filepath.Join(root, "shared/*/*/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	s := sources{}
	for _, name := range slices.Concat(files, deeper) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		pkg, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		s[filepath.ToSlash(pkg)] = append(s[filepath.ToSlash(pkg)], file)
	}
	checked := 0
	for pkg := range s {
		r, _, _ := ruleOf(pkg)
		if r.place != "shared/{domain}/{room}" && r.place != "shared/api/{area}" {
			continue
		}
		if _, _, ok := s.declaration(pkg, "Store"); !ok {
			continue
		}
		checked++
		methods, err := s.uncalled(pkg)
		if err != nil {
			t.Error(err)
		}
		for _, method := range methods {
			t.Errorf("%s: its Store has %s, which the package never calls", pkg, method)
		}
	}
	if checked == 0 {
		t.Error("no package declares a Store")
	}
}

func TestUncalled(t *testing.T) {
	const (
		contracts = `package seeding
			type Leases interface { Renew(); Release() }
			type Holder struct{}
			func Renewed(n int, leases Leases) {}
			func Held(h Holder) {}`
		imported = `import words "openg2p.org/mts-connector/shared/seeding"`
	)
	for _, c := range []struct{ name, source, want string }{
		{"all called", `type Store interface { Get(); Put() }; func f(s Store) { s.Get(); defer s.Put() }`, ""},
		{"called through fields", `type Store interface { Get() }; func f(w work) { w.in.store.Get() }`, ""},
		{"one not called", `type Store interface { Get(); Put() }; func f(s Store) { s.Get() }`, "Put"},
		{"a function of this name is no method", `type Store interface { Get() }; func f() { Get() }`, "Get"},
		{"embedded", imported + `; type Store interface { words.Leases; Get() }; func f(s Store) { s.Get(); s.Renew() }`, "Release"},
		{"embedded of the same package", `type Reader interface { Get() }; type Store interface { Reader }`, "Get"},
		{"called by a function of the domain", imported + `; type Store interface { Renew(); Release() }; func f(s Store) { words.Renewed(1, s) }`, ""},
		{"not called by a function of the domain", imported + `; type Store interface { Renew() }; func f(s Store) { words.Held(nil) }`, "Renew"},
		{"no Store", `type Clock interface { Now() }`, `"shared/seeding/submit" has no interface Store`},
		{"embedded that does not exist", imported + `; type Store interface { words.Locks }`, `"shared/seeding" has no interface Locks`},
		{"embedded that is no interface", imported + `; type Store interface { words.Holder }`, `"shared/seeding" has no interface Holder`},
		{"embedded of another module", `import "io"; type Store interface { io.Reader }`, `"" has no interface Reader`},
	} {
		s := sources{}
		for pkg, source := range map[string]string{"shared/seeding": contracts, "shared/seeding/submit": "package submit; " + c.source} {
			file, err := parser.ParseFile(token.NewFileSet(), pkg+".go", source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			s[pkg] = []*ast.File{file}
		}
		methods, err := s.uncalled("shared/seeding/submit")
		got := strings.Join(methods, " ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
