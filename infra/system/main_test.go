package system_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// Worlds are short-lived, and collecting garbage takes a quarter of their time if the
// heap may only double.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
