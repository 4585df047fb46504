package seeding

import (
	"cmp"
	"slices"
	"time"
)

// Figures are what people are shown of a connector at a glance. They are written with
// the end of each run, in the transaction that ends it.
type Figures struct {
	Tokenised int       // records of all runs that are over
	Rejected  int       // rejections of the connector, when they were counted last
	Counted   time.Time // when; zero before the first pass is over
	Last      LastRun   // the recurring run that ended last
}

// OpenRun is how far an open recurring run was when it last claimed a batch, as lists
// show it.
type OpenRun struct {
	ID       string
	At       time.Time
	Looked   int // Tally.Looked
	Expected int // Run.Expected
	Totals   Totals
	Progress Progress // of then
}

// OpenRun is how far the run is with the claim.
func (c Claim) OpenRun() OpenRun {
	r := c.Run
	return OpenRun{
		ID: r.ID, At: c.Batch.Claimed, Looked: r.Tally.Looked, Expected: r.Expected, Totals: r.Totals,
		Progress: ProgressOf(r, false, c.Batch.Claimed),
	}
}

// LastRun is what is kept of a run in the figures of its connector.
type LastRun struct {
	ID                 string
	Started, Completed time.Time
	Totals             Totals
	Again              int // Run.Again
}

// GroupCount is how many rejections of a group a connector has. Without a code it is
// the rest of a kind: of several codes, too rare to be listed.
type GroupCount struct {
	Group
	Count          int
	Oldest, Newest time.Time // Rejection.Since
	// Rejection.LastAttempt, the earliest and the latest.
	FirstTried, LastTried time.Time
	Next                  time.Time // the earliest next attempt by time; zero if none has one
	Registrants           []int64   // the first of them, up to five
	Submissions           []string  // instead, of a connector of ODK: their ids
}

const (
	maxExamples = 5
	maxGroups   = 24 // so that all are read with one unit, those with ids of submissions with a few
)

// RejectionCount counts the rejections of a connector by their groups.
type RejectionCount struct {
	At     time.Time // when it was made
	Total  int
	groups map[Group]GroupCount
}

// CountOf makes the count again that Groups gave.
func CountOf(at time.Time, total int, groups []GroupCount) RejectionCount {
	c := RejectionCount{At: at, Total: total, groups: map[Group]GroupCount{}}
	for _, g := range groups {
		c.groups[g.Group] = g
	}
	return c
}

// Add counts a rejection.
func (c *RejectionCount) Add(r Rejection) {
	one := GroupCount{
		Group: r.Group(), Count: 1, Oldest: r.Since, Newest: r.Since, FirstTried: r.LastAttempt, LastTried: r.LastAttempt,
		Next: r.Next,
	}
	if r.Submission != "" {
		one.Submissions = []string{r.Submission}
	} else {
		one.Registrants = []int64{r.Registrant}
	}
	if c.groups == nil {
		c.groups = map[Group]GroupCount{}
	}
	c.Total++
	c.groups[one.Group] = c.groups[one.Group].plus(one)
}

// plus is the sum of two counts of a group.
func (g GroupCount) plus(more GroupCount) GroupCount {
	if g.Count == 0 {
		return more
	}
	g.Count += more.Count
	g.Oldest, g.Newest = earlier(g.Oldest, more.Oldest), later(g.Newest, more.Newest)
	g.FirstTried, g.LastTried = earlier(g.FirstTried, more.FirstTried), later(g.LastTried, more.LastTried)
	if g.Next.IsZero() || !more.Next.IsZero() && more.Next.Before(g.Next) {
		g.Next = more.Next
	}
	g.Registrants, g.Submissions = examples(g.Registrants, more.Registrants), examples(g.Submissions, more.Submissions)
	return g
}

// examples are the first of two lists.
func examples[T any](list, more []T) []T {
	room := max(0, maxExamples-len(list))
	return append(slices.Clip(list), more[:min(room, len(more))]...)
}

// Groups are the counts, the largest first. Beyond two dozen groups the smallest of
// each kind are one, without a code.
func (c RejectionCount) Groups() []GroupCount {
	var list []GroupCount
	for _, g := range c.groups {
		list = append(list, g)
	}
	largestFirst := func(a, b GroupCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Code, b.Code))
	}
	slices.SortFunc(list, largestFirst)
	most := maxGroups - len(RejectionKinds)
	if len(list) <= most {
		return list
	}
	rest := map[RejectionKind]GroupCount{}
	for _, g := range list[most:] {
		g.Code = ""
		rest[g.Kind] = rest[g.Kind].plus(g)
	}
	list = list[:most]
	for _, kind := range RejectionKinds {
		if g, some := rest[kind]; some {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, largestFirst)
	return list
}

// HasRest reports whether codes of a kind are counted together, or some have none.
func (c RejectionCount) HasRest(kind RejectionKind) bool {
	return c.groups[Group{Kind: kind}].Count > 0
}

// Of is how many rejections of a group were counted.
func (c RejectionCount) Of(g Group) (count int) {
	for _, one := range c.groups {
		if (g.Kind == "" || g.Kind == one.Kind) && (g.Code == "" || g.Code == one.Code) {
			count += one.Count
		}
	}
	return count
}
