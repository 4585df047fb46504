package local_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/template"
)

func TestBuildFunctions(t *testing.T) {
	first, err := local.BuildFunctions(t.Context(), "testdata/functions")
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 1 || first["hello"] == nil {
		t.Fatalf("built %d functions, want only hello", len(first))
	}
	archive, err := zip.NewReader(bytes.NewReader(first["hello"]), int64(len(first["hello"])))
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode() != 0o755 {
		t.Errorf("contains %v, want only an executable bootstrap", archive.File)
	}
	second, err := local.BuildFunctions(t.Context(), "testdata/functions")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first["hello"], second["hello"]) {
		t.Error("the same source gave other bytes")
	}
}

func TestBuildFunctionsNamesWhatIsWrong(t *testing.T) {
	if _, err := local.BuildFunctions(t.Context(), t.TempDir()); err == nil {
		t.Error("no error for a folder without functions")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "bad"), 0o750); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"go.mod": "module bad\n", "bad/main.go": "package main\nfunc main() { nonsense() }\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := local.BuildFunctions(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "undefined: nonsense") {
		t.Errorf("got %v, want the error of the compiler", err)
	}
}

// The stack must run the same binaries as a deployment.
func TestFlagsAreThoseOfMakeBuild(t *testing.T) {
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	want := `CGO_ENABLED=0 GOFLAGS='`
	for n, flag := range local.BuildFlags {
		if n > 0 {
			want += " "
		}
		if strings.Contains(flag, " ") {
			flag = `"` + flag + `"`
		}
		want += flag
	}
	if want += "'"; !strings.Contains(string(makefile), want) {
		t.Errorf("make build does not build with %s", want)
	}
}
