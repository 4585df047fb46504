package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/world/deployed"
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

// A line fits into a terminal of 80 columns, with the time before it.
func TestLineOfASnapshot(t *testing.T) {
	for want, s := range map[string]snapshot{
		"waiting       0 tokenised   2,000 VIDs   0/8 batches": {phase: "waiting", pending: 2000, width: 8},
		"pass 1    1,024 tokenised     976 VIDs   6/8 batches  17.2/s 57s left": {
			phase: "pass 1", tokenised: 1024, pending: 976, width: 8, underWay: 6, timeLeft: 56*time.Second + 700*time.Millisecond,
			run: deployed.RunDocument{RecordsPerSecond: 17.24},
		},
		"pass 3  900,000 tokenised 100,000 VIDs 64/64 batches 123.5/s 1h2m3s left": {
			phase: "pass 3", tokenised: 900_000, pending: 100_000, width: 64, underWay: 64, timeLeft: time.Hour + 2*time.Minute + 3*time.Second,
			run: deployed.RunDocument{RecordsPerSecond: 123.46},
		},
	} {
		if got := s.line(); got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		} else if line := fmt.Sprintf("%5s %s", "59m59s", got); len(line) > 79 {
			t.Errorf("%d characters", len(line))
		}
	}
}

// What is only an estimate does not keep a demo waiting that does not get on.
func TestEstimatesAreNoChange(t *testing.T) {
	s := snapshot{phase: "pass 1", tokenised: 7, timeLeft: time.Minute, run: deployed.RunDocument{RecordsPerSecond: 3}}
	later := s
	later.timeLeft, later.run.RecordsPerSecond, later.width, later.underWay = time.Hour, 0.1, 8, 2
	if s.state() != later.state() {
		t.Error("an estimate changed the state")
	}
	if later.tokenised++; s.state() == later.state() {
		t.Error("a token did not change the state")
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 50000: "50,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("%d is written as %s", n, got)
		}
	}
}
