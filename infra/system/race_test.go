package system_test

import (
	"runtime/debug"
	"slices"
)

// The race detector makes the failures at all points take half an hour. With it each
// point is tried in one mode; `make test` tries all modes without it.
var raceDetector = func() bool {
	info, known := debug.ReadBuildInfo()
	return known && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}()
