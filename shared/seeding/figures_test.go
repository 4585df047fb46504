package seeding_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Groups are bounded, so that one unit reads them, and nobody is lost in them.
func TestGroupsOfManyCodes(t *testing.T) {
	var c seeding.RejectionCount
	total := 0
	for code := range 100 {
		for n := range code + 1 {
			kind := seeding.RejectionKinds[code%2]
			c.Add(seeding.Rejection{
				Subject: seeding.Member{Registrant: int64(1000*code + n)}.Subject(), Kind: kind, Code: fmt.Sprintf("C%d:dob", code),
				Since: now.Add(time.Duration(n) * time.Second), Next: now.Add(time.Duration(code-50) * time.Hour),
			})
			total++
		}
	}
	groups := c.Groups()
	if len(groups) > 24 || groups[0].Code != "" || groups[2].Code != "C99" || groups[2].Count != 100 {
		t.Errorf("%d groups: %+v", len(groups), groups[:3])
	}
	sum := 0
	for _, g := range groups {
		sum += g.Count
		if g.Count > 1 && !g.Oldest.Before(g.Newest) || len(g.Registrants) > 5 {
			t.Errorf("%+v", g)
		}
	}
	if sum != total || c.Total != total {
		t.Errorf("%d in groups, %d counted, %d rejections", sum, c.Total, total)
	}
	again := seeding.CountOf(now, total, groups)
	if got := again.Of(seeding.Group{Kind: seeding.RejectionKinds[0]}) + again.Of(seeding.Group{Kind: seeding.RejectionKinds[1]}); got != total {
		t.Errorf("%d of both kinds", got)
	}
	if got := again.Of(seeding.Group{Kind: seeding.RejectionKinds[1], Code: "C99"}); got != 100 {
		t.Errorf("%d", got)
	}
}

// What people asked for is bounded, and what includes another wish replaces it.
func TestWishesForAnotherAttempt(t *testing.T) {
	group := func(n int) seeding.Group {
		return seeding.Group{Kind: seeding.RejectionKinds[n%2], Code: fmt.Sprint("C", n)}
	}
	var asked seeding.Retried
	for n := range 16 {
		var err error
		if asked, err = asked.Plus(group(n), now.Add(time.Duration(n)*time.Minute)); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if _, err := asked.Plus(group(16), now.Add(time.Hour)); !errors.Is(err, seeding.ErrTooMany) {
		t.Errorf("a seventeenth: %v", err)
	}
	if again, err := asked.Plus(group(3), now.Add(time.Hour)); err != nil || len(again) != 16 || !again[group(3)].Equal(now.Add(time.Hour)) {
		t.Errorf("one of them again: %v", err)
	}
	later := now.Add(31 * 24 * time.Hour)
	if next, err := asked.Plus(group(16), later); err != nil || len(next) != 16 || !next[group(0)].IsZero() {
		t.Errorf("a month later: %v, %v", err, next)
	}
	if next, _ := asked.Plus(seeding.Group{Kind: seeding.RejectionKinds[0]}, later); len(next) != 9 {
		t.Errorf("a kind replaces its codes: %v", slices.Collect(maps.Keys(next)))
	}
	if next, _ := asked.Plus(seeding.Group{}, later); len(next) != 1 {
		t.Errorf("all replaces them: %v", next)
	}
	if len(asked) != 16 {
		t.Error("what was read was changed")
	}
}

// A pass that sends again whom the one before left pending leaves nobody pending twice.
func TestPendingIsThatOfTheLastPass(t *testing.T) {
	r := seeding.Run{Started: now, PassStarted: now, Totals: seeding.Totals{Sent: 100, Tokenised: 70, Refused: 10}}
	r = r.NextPass(20, now.Add(time.Minute))
	if r.Pending() != 0 || r.Expected != 20 {
		t.Errorf("at its beginning: %d", r.Pending())
	}
	r.Totals.Sent += 20
	if r.Pending() != 20 {
		t.Errorf("once they are sent: %d", r.Pending())
	}
	r.Totals.Tokenised += 15
	if r.Pending() != 5 || r.Again != 20 {
		t.Errorf("at its end: %d", r.Pending())
	}
	r.Totals.Tokenised += 30 // late answers, also to batches of the first pass
	if r.Pending() != 0 {
		t.Errorf("after late answers: %d", r.Pending())
	}
}

// A group of submissions has the ids of the first of them as examples, and no registrants.
func TestGroupsHaveUpToFiveExamples(t *testing.T) {
	var people, submissions seeding.RejectionCount
	for n := range 7 {
		people.Add(seeding.Rejection{Subject: seeding.Member{Registrant: int64(n + 1)}.Subject(), Kind: seeding.Refused})
		submissions.Add(seeding.Rejection{Subject: seeding.Subject{Submission: fmt.Sprint("uuid:", n+1)}, Kind: seeding.Refused})
	}
	if g := people.Groups()[0]; fmt.Sprint(g.Registrants) != "[1 2 3 4 5]" || len(g.Submissions) > 0 {
		t.Errorf("%+v", g)
	}
	if g := submissions.Groups()[0]; fmt.Sprint(g.Submissions) != "[uuid:1 uuid:2 uuid:3 uuid:4 uuid:5]" || len(g.Registrants) > 0 {
		t.Errorf("%+v", g)
	}
}
