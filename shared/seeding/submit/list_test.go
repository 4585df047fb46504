package submit

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// rejected is a rejection of a registrant of the fake that is not due.
func (f *fake) rejected(registrant int64, kind seeding.RejectionKind, since time.Time) {
	r := seeding.Rejection{Connector: "c", Subject: seeding.Member{Registrant: registrant, Identifier: 10 + registrant}.Subject(), Kind: kind, Configured: 3, Since: since, LastAttempt: since, Version: 1}
	f.rejections = append(f.rejections, r)
}

// holding gives registrant 7 something of the token type.
func (f *fake) holding(value string) {
	f.tokens = append(f.tokens, seeding.Identifier{ID: 700, Registrant: 7, Value: value})
}

// Of each registrant that was listed the import says why it is not sent, and the
// tally counts them.
func TestWhatBecomesOfAListedRegistrant(t *testing.T) {
	const sent = seeding.Unsent("")
	for name, c := range map[string]struct {
		prepare func(*fake)
		want    seeding.Unsent
		tally   seeding.Tally
	}{
		"it can be sent":                  {nil, sent, seeding.Tally{}},
		"it is not there":                 {func(f *fake) { f.vids, f.records = nil, nil }, seeding.UnsentNotFound, seeding.Tally{NotFound: 1}},
		"the domain does not select it":   {func(f *fake) { f.records = nil; f.unseen = map[int64]seeding.Nobody{7: seeding.NotSelected} }, seeding.UnsentNotSelected, seeding.Tally{NotSelected: 1}},
		"it is archived":                  {func(f *fake) { f.records = nil; f.unseen = map[int64]seeding.Nobody{7: seeding.Archived} }, seeding.UnsentArchived, seeding.Tally{NotSelected: 1}},
		"it has no VID":                   {func(f *fake) { f.vids = nil }, seeding.UnsentNoVID, seeding.Tally{NoVID: 1}},
		"it holds a token":                {func(f *fake) { f.holding(aToken) }, seeding.UnsentHolding, seeding.Tally{Holding: 1, Removed: 1}},
		"it holds a token and has no VID": {func(f *fake) { f.vids = nil; f.holding(aToken) }, seeding.UnsentHolding, seeding.Tally{Holding: 1}},
		"what it holds is no token":       {func(f *fake) { f.holding("no") }, seeding.UnsentRejected, seeding.Tally{Rejected: 1}},
		"it is in an open batch": {func(f *fake) {
			f.open = []seeding.Batch{{Ref: seeding.BatchRef{Connector: "d"}, Members: []seeding.Member{{Registrant: 7}}}}
		}, seeding.UnsentInBatch, seeding.Tally{InBatch: 1}},
		"its data are not enough":            {func(f *fake) { delete(f.records[7], "name"); f.connector.Source.Mandatory = []string{"name"} }, seeding.UnsentRejected, seeding.Tally{Invalid: 1}},
		"it was rejected before, and is due": {func(f *fake) { f.rejected(7, seeding.Refused, earlier) }, sent, seeding.Tally{}},
		"it was rejected since":              {func(f *fake) { f.rejected(7, seeding.Refused, f.now) }, seeding.UnsentRejected, seeding.Tally{Rejected: 1}},
		"it was rejected by this import":     {func(f *fake) { f.rejected(7, seeding.Invalid, f.now) }, seeding.UnsentRejected, seeding.Tally{Invalid: 1}},
		"of two VIDs one can be sent": {func(f *fake) {
			f.vids = append(f.vids, seeding.Identifier{ID: 18, Registrant: 7, Value: "V8"})
			f.rejected(7, seeding.Refused, f.now)
		}, sent, seeding.Tally{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.state.Due = later
			f.add(7)
			f.openList("import", []int64{7})
			if c.prepare != nil {
				c.prepare(f)
			}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if got := f.unsent("import")[7]; got != c.want {
				t.Errorf("unsent: %q, want %q", got, c.want)
			}
			if got := len(f.posts) == 1; got != (c.want == sent) {
				t.Errorf("%d POSTs", len(f.posts))
			}
			c.tally.Looked = 1
			if got := f.runs["import"].Tally; got != c.tally {
				t.Errorf("tally %+v, want %+v", got, c.tally)
			}
			why := map[seeding.Unsent]seeding.Nobody{seeding.UnsentArchived: seeding.Archived, seeding.UnsentNotSelected: seeding.NotSelected}
			if run := f.runs["import"]; why[c.want] != "" && run.WhyNobody() != why[c.want] {
				t.Errorf("nobody is sent: %q", run.WhyNobody())
			}
			if calls := f.called("VIDs", "Rejections", "CountVIDs"); len(calls) > 0 {
				t.Errorf("pages all VIDs: %q", calls)
			}
		})
	}
}

// A list is looked at part by part, in batches of any size; what was found in the
// first pass stays, and later passes are for those who were sent and are pending.
func TestAListIsLookedAtToItsEnd(t *testing.T) {
	for name, lost := range map[string]bool{"all are answered": false, "the first batch is lost": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.state.Due = later
			f.connector.MTS.BatchMaximum = 2
			f.add(2, 3, 5, 8, 9)
			f.openList("import", []int64{1, 2, 3, 4}, []int64{5, 6, 7}, []int64{8, 9})
			f.unseen = map[int64]seeding.Nobody{4: seeding.NotSelected}
			var sent []int64
			f.during["MarkSubmitted"] = func() error {
				batch := f.open[len(f.open)-1]
				var members []int64
				for _, m := range batch.Members {
					members = append(members, m.Registrant)
				}
				first := len(sent) == 0
				sent = append(sent, members...)
				batch.State, batch.Totals = seeding.Patched, seeding.Totals{Sent: batch.Count, Tokenised: batch.Count}
				if lost && first {
					batch.State, batch.Totals.Tokenised = seeding.Lost, 0
				} else {
					for _, id := range members {
						f.tokens = append(f.tokens, seeding.Identifier{ID: 700 + id, Registrant: id, Value: aToken})
						f.vids = slices.DeleteFunc(f.vids, func(v seeding.Identifier) bool { return v.Registrant == id })
					}
				}
				f.open, f.closed, f.mts.Slots = nil, append(f.closed, batch), nil
				return nil
			}
			for i := 0; len(f.state.Imports) > 0; i++ {
				if err := f.oneStep(t); err != nil || i > 30 {
					t.Fatal(i, err)
				}
			}
			want := []int64{2, 3, 5, 8, 9}
			if lost {
				want = append(want, 2)
			}
			if !slices.Equal(sent, want) {
				t.Errorf("sent %v, want %v", sent, want)
			}
			unsent := map[int64]seeding.Unsent{1: seeding.UnsentNotFound, 4: seeding.UnsentNotSelected, 6: seeding.UnsentNotFound, 7: seeding.UnsentNotFound}
			if got := f.unsent("import"); !maps.Equal(got, unsent) {
				t.Errorf("unsent %v, want %v", got, unsent)
			}
			for _, part := range f.lists["import"] {
				for _, entry := range part.Entries {
					if _, left := unsent[entry.Registrant]; !left && entry.Identifier != 10+entry.Registrant {
						t.Errorf("%+v has no VID", entry)
					}
				}
			}
			run := f.runs["import"]
			if want := (seeding.Tally{Looked: 9, NotSelected: 1, NotFound: 3}); run.Tally != want || run.Ending != seeding.Finished {
				t.Errorf("%+v %q, want %+v", run.Tally, run.Ending, want)
			}
		})
	}
}

// Who was chosen and could not be claimed is looked at again, and counted once.
func TestAListedRegistrantThatWasNotClaimedIsLookedAtAgain(t *testing.T) {
	f := newFake()
	f.state.Due = later
	f.add(7, 8)
	f.connector.Source.Mandatory = []string{"name"}
	delete(f.records[7], "name")
	f.openList("import", []int64{6, 7, 8})
	f.once("Claim", seeding.ErrConflict)
	for range 3 {
		if err := f.oneStep(t); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := f.runs["import"].Tally, (seeding.Tally{Looked: 3, NotFound: 1, Invalid: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if len(f.posts) != 1 || len(f.called("PutRejections")) == 0 {
		t.Errorf("%d POSTs, calls %s", len(f.posts), strings.Join(f.calls, ", "))
	}
}

// An import with a domain of its own leaves the rejections of those whom only the
// connector's domain selects.
func TestAnImportWithItsOwnDomainForgetsNobody(t *testing.T) {
	f := newFake()
	f.state.Due = later
	f.add(7, 8)
	f.rejected(7, seeding.Refused, earlier)
	delete(f.records, 7)
	f.openImport("import")
	run := f.runs["import"]
	run.Selection.Domain = `[["is_registrant","=",true]]`
	f.runs["import"] = run
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	if len(f.rejections) != 1 || len(f.posts) != 1 || f.opened.Source.Domain != run.Selection.Domain {
		t.Errorf("%d rejections, %d POSTs, domain %q", len(f.rejections), len(f.posts), f.opened.Source.Domain)
	}
}
