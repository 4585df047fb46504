package main

import (
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/world/invariants"
)

func TestVerdict(t *testing.T) {
	good := func() *report {
		return &report{
			account: account{
				who: "registrants", all: 10,
				lines:    []counted{{line{outcome: tokenised}, 9, 9}, {line{rejected, "invalid", "ATS-REQ-012"}, 1, 1}},
				registry: []invariants.Figure{{What: "tokens", Actual: 9, Expected: 9}},
				totals:   []invariants.Figure{{What: "tokenised", Actual: 8, Expected: 9}}, // may differ
			},
			open: []invariants.Figure{{What: "open batches", Actual: 0, Expected: 0}},
			last: snapshot{finished: true},
		}
	}
	if err := good().verdict(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*report){
		"2 registrants are not where they should be (8 instead of 9 tokenised": func(r *report) {
			r.misplaced = 2
			r.lines[0].actual, r.lines[1].actual = 8, 2
		},
		"tokens: 8 instead of 9":            func(r *report) { r.registry[0].Actual = 8 },
		"open batches: 1 instead of 0":      func(r *report) { r.open[0].Actual = 1 },
		"the report has 9 registrants":      func(r *report) { r.lines = r.lines[:1] },
		"nothing had changed for 15m0s":     func(r *report) { r.last.finished = false },
		"not as it should be: open batches": func(r *report) { r.open[0].Actual = 1 },
	} {
		r := good()
		spoil(r)
		if err := r.verdict(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
