package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestProgressWithoutTerminalShowsOnlyChanges(t *testing.T) {
	var out bytes.Buffer
	show := newProgress(&out)
	show.start()
	for _, text := range []string{"one", "one", "two", "two"} { // all within a moment
		show.show(text, false)
	}
	show.show("end", true)
	show.say("after")
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimPrefix(strings.TrimSpace(line), "0s "))
	}
	if !slices.Equal(lines, []string{"one", "end", "after"}) {
		t.Errorf("%q", lines)
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 50000: "50,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("%d is written as %s", n, got)
		}
	}
}
