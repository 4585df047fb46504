package layout_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Lambda's image has no time zones, so a function that looks for one brings them, 0.4 MB;
// no other function does.
func TestFunctionsThatUseTimeZonesBringThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-tags=lambda.norpc", "-o", dir+string(filepath.Separator), "./functions/...")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	functions, err := os.ReadDir(dir)
	if err != nil || len(functions) == 0 {
		t.Fatalf("%v: %d functions", err, len(functions))
	}
	users := 0
	for _, function := range functions {
		symbols, err := exec.CommandContext(t.Context(), "go", "tool", "nm", filepath.Join(dir, function.Name())).Output()
		if err != nil {
			t.Fatal(err)
		}
		uses, brings := strings.Contains(string(symbols), " time.LoadLocation\n"), strings.Contains(string(symbols), " time/tzdata.")
		if uses != brings {
			t.Errorf("%s uses time zones: %v, brings them: %v", function.Name(), uses, brings)
		}
		if uses {
			users++
		}
	}
	if users == 0 {
		t.Error("no function uses time zones, although schedules have them")
	}
}
