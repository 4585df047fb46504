//go:build race

package system_test

// The race detector makes the failures at all points take half an hour. With it each
// point is tried in one mode; `make test` tries all modes without it.
const raceDetector = true
