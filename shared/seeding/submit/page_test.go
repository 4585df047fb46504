package submit

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// vidsOf gives each of the registrants a VID, with identifiers from 11 in their
// order.
func vidsOf(registrants ...int64) (vids []seeding.Identifier) {
	for i, registrant := range registrants {
		vids = append(vids, seeding.Identifier{ID: int64(11 + i), Registrant: registrant, Value: fmt.Sprintf("V%d", registrant)})
	}
	return vids
}

// pageOf is a page on which all registrants can be sent.
func pageOf(last bool, registrants ...int64) page {
	p := page{vids: vidsOf(registrants...), last: last, records: map[int64]seeding.Record{}}
	for _, registrant := range registrants {
		p.records[registrant] = joRecord()
	}
	return p
}

func identifiersOf(chosen []candidate) (identifiers []int64) {
	for _, c := range chosen {
		identifiers = append(identifiers, c.member.Identifier)
	}
	return identifiers
}

// A page is decided about from its beginning until the batch is full; the run
// moves past what was looked at, and no further.
func TestHowFarAPageIsLookedAt(t *testing.T) {
	type registrants = []int64
	for name, c := range map[string]struct {
		page     page
		taken    registrants
		room     int
		chosen   []int64 // identifiers
		cursor   int64
		looked   int
		passOver bool
	}{
		"a page in the middle of the list is chosen whole":          {page: pageOf(false, 1, 2, 3), room: 9, chosen: []int64{11, 12, 13}, cursor: 13, looked: 3},
		"the last page ends the pass":                               {page: pageOf(true, 1, 2, 3), room: 9, chosen: []int64{11, 12, 13}, cursor: 13, looked: 3, passOver: true},
		"a full batch leaves the rest of the page":                  {page: pageOf(false, 1, 2, 3), room: 2, chosen: []int64{11, 12}, cursor: 12, looked: 2},
		"a full batch leaves the rest of the last page to the pass": {page: pageOf(true, 1, 2, 3), room: 2, chosen: []int64{11, 12}, cursor: 12, looked: 2},
		"a batch full with the last VID ends the pass":              {page: pageOf(true, 1, 2), room: 2, chosen: []int64{11, 12}, cursor: 12, looked: 2, passOver: true},
		"who is under way takes no room":                            {page: pageOf(false, 1, 2, 3), taken: registrants{1}, room: 1, chosen: []int64{12}, cursor: 12, looked: 2},
		"of two VIDs of one registrant the first is chosen":         {page: pageOf(true, 1, 1, 2), room: 9, chosen: []int64{11, 13}, cursor: 13, looked: 3, passOver: true},
		"an empty last page ends the pass where it is":              {page: pageOf(true), room: 9, cursor: 10, passOver: true},
		"without room nothing is looked at":                         {page: pageOf(true, 1), room: 0, cursor: 10},
	} {
		t.Run(name, func(t *testing.T) {
			taken := map[int64]bool{}
			for _, registrant := range c.taken {
				taken[registrant] = true
			}
			run := seeding.Run{ID: "run", Cursor: 10, Tally: seeding.Tally{Looked: 100, Invalid: 5, Removed: 7}}
			plan := testRules().decidePage(c.page, run, taken, room{c.room, maxPosted}, now)

			if got := identifiersOf(plan.chosen); !slices.Equal(got, c.chosen) {
				t.Errorf("chosen %d, want %d", got, c.chosen)
			}
			want := run
			want.Cursor, want.PassOver, want.Tally.Looked, want.Tally.InBatch = c.cursor, c.passOver, 100+c.looked, c.looked-len(c.chosen)
			if !reflect.DeepEqual(plan.run, want) {
				t.Errorf("run %+v, want %+v", plan.run, want)
			}
			for _, chosen := range plan.chosen {
				if !taken[chosen.member.Registrant] {
					t.Errorf("registrant %d could be chosen again from another page", chosen.member.Registrant)
				}
			}
		})
	}
}

// The registrants of a page on which there is one of every kind.
const (
	plain int64 = 1 + iota
	unselected
	unselectedRejected
	holding
	holdingRejected
	inConflict
	emptyHeld
	invalid
	waits
	duplicateWaits
	duplicateFreed
	underWay
	notReached
)

// For each kind of registrant the page finds what belongs to it.
func TestWhatAPageComesTo(t *testing.T) {
	rejection := func(registrant, identifier int64, kind seeding.RejectionKind) seeding.Rejection {
		return seeding.Rejection{
			Registry: "r", Connector: "c", Subject: seeding.Member{Registrant: registrant, Identifier: identifier}.Subject(),
			Kind: kind, Configured: 3, Attempts: 2, Since: earlier, LastAttempt: earlier, Version: 4,
		}
	}
	duplicateOf := func(holder, registrant, identifier int64) seeding.Rejection {
		r := rejection(registrant, identifier, seeding.Duplicate)
		r.Holder = holder
		return r
	}
	formerConfiguration := rejection(invalid, 18, seeding.Refused)
	formerConfiguration.Configured = 2
	p := page{
		vids: vidsOf(plain, unselected, unselectedRejected, holding, holdingRejected, inConflict,
			emptyHeld, invalid, waits, duplicateWaits, duplicateFreed, underWay, notReached),
		records: map[int64]seeding.Record{},
		tokens: map[int64][]seeding.Identifier{
			holding: joToken, holdingRejected: joToken, inConflict: joToken, emptyHeld: emptyToken,
		},
		holders: map[int64][]seeding.Identifier{98: joToken},
		mine: map[int64]seeding.Rejection{
			13: rejection(unselectedRejected, 13, seeding.Refused),
			15: rejection(holdingRejected, 15, seeding.NoToken),
			18: formerConfiguration,
			19: rejection(waits, 19, seeding.Refused),
			20: duplicateOf(98, duplicateWaits, 20),
			21: duplicateOf(99, duplicateFreed, 21),
			23: rejection(notReached, 23, seeding.Refused),
		},
		conflicts: map[int64]bool{16: true},
		gone:      []seeding.Rejection{rejection(50, 5, seeding.Refused)},
	}
	for _, registrant := range []int64{plain, holding, holdingRejected, inConflict, emptyHeld, waits, duplicateWaits, duplicateFreed, underWay} {
		p.records[registrant] = joRecord()
	}
	p.records[invalid] = seeding.Record{"name": "Jo"}
	mineBefore := maps.Clone(p.mine)

	r := testRules()
	plan := r.decidePage(p, seeding.Run{PassStarted: now, Tally: seeding.Tally{Invalid: 1}}, map[int64]bool{underWay: true}, room{2, maxPosted}, now)

	if got := identifiersOf(plan.chosen); !slices.Equal(got, []int64{11, 21}) {
		t.Errorf("chosen %d", got)
	}
	if want := []int64{14, 15}; !slices.Equal(plan.remove, want) {
		t.Errorf("VIDs to be removed %d, want %d", plan.remove, want)
	}
	if want := []seeding.Rejection{p.gone[0], mineBefore[13], mineBefore[15]}; !reflect.DeepEqual(plan.forgotten, want) {
		t.Errorf("forgotten %+v, want %+v", plan.forgotten, want)
	}
	data := fieldMapper{}.Map(seeding.Record{"name": "Jo", "vid": "V8"})
	want := []seeding.Rejection{{
		Registry: "r", Connector: "c", Subject: seeding.Member{Registrant: emptyHeld, Identifier: 17}.Subject(),
		Kind: seeding.Conflict, Code: seeding.CodeEmptyHeld, FingerprintKey: currentKey.ID,
		Configured: 3, Attempts: 1, Since: now, LastAttempt: now,
	}, {
		Registry: "r", Connector: "c", Subject: seeding.Member{Registrant: invalid, Identifier: 18}.Subject(),
		Kind: seeding.Invalid, Code: "ATS-REQ-012", Fingerprint: seeding.FingerprintOf(currentKey, data), FingerprintKey: currentKey.ID,
		Configured: 3, Attempts: 3, Since: now, LastAttempt: now, Version: 4,
	}}
	if !reflect.DeepEqual(plan.rejected, want) {
		t.Errorf("rejected %+v, want %+v", plan.rejected, want)
	}
	if want := (seeding.Run{Cursor: 21, PassStarted: now, Tally: seeding.Tally{Looked: 11, NotSelected: 2, Holding: 4, Rejected: 2, Invalid: 2}}); !reflect.DeepEqual(plan.run, want) {
		t.Errorf("run %+v, want %+v", plan.run, want)
	}
	if !reflect.DeepEqual(p.mine, mineBefore) {
		t.Error("the rejections of the page are changed")
	}
}

// What a rejection in the range of a page means for it. The page holds
// identifier 11; identifier 12 is not there.
func TestRejectionsOfAPageAreSorted(t *testing.T) {
	began := now
	for name, c := range map[string]struct {
		connector  string // ours is "c"; "deleted" is no more
		kind       seeding.RejectionKind
		identifier int64
		afterwards bool // written after the reading of the page began
		mine       bool
		conflict   bool
		gone       bool
		orphan     bool
	}{
		"ours of a VID that is there":                    {connector: "c", kind: seeding.Refused, identifier: 11, mine: true},
		"ours is a conflict":                             {connector: "c", kind: seeding.Conflict, identifier: 11, mine: true, conflict: true},
		"ours of a VID that is gone":                     {connector: "c", kind: seeding.Refused, identifier: 12, mine: true, gone: true},
		"ours is a conflict over a VID that is gone":     {connector: "c", kind: seeding.Conflict, identifier: 12, mine: true, conflict: true, gone: true},
		"ours is newer than the page, as its VID may be": {connector: "c", kind: seeding.Refused, identifier: 12, afterwards: true, mine: true},
		"another connector's says nothing":               {connector: "d", kind: seeding.Refused, identifier: 11},
		"another connector's conflict keeps the VID":     {connector: "d", kind: seeding.Conflict, identifier: 11, conflict: true},
		"another connector's is never ours to forget":    {connector: "d", kind: seeding.Refused, identifier: 12},
		"a deleted connector's is an orphan":             {connector: "deleted", kind: seeding.Refused, identifier: 11, orphan: true},
		"a deleted connector's conflict keeps no VID":    {connector: "deleted", kind: seeding.Conflict, identifier: 11, orphan: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := seeding.Rejection{
				Connector: c.connector, Kind: c.kind, LastAttempt: began,
				Subject: seeding.Member{Registrant: 1, Identifier: c.identifier}.Subject(),
			}
			if c.afterwards {
				r.LastAttempt = later
			}
			p := page{vids: vidsOf(1)}
			p.addRejections([]seeding.Rejection{r}, "c", map[string]bool{"deleted": true, "d": false}, began)

			_, mine := p.mine[c.identifier]
			for what, pair := range map[string][2]bool{
				"ours":     {mine, c.mine},
				"conflict": {p.conflicts[c.identifier], c.conflict},
				"gone":     {slices.Contains(p.gone, r), c.gone},
				"orphan":   {slices.Contains(p.orphans, r), c.orphan},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
				}
			}
		})
	}
}

// Of one identifier every connector may have a rejection.
func TestRejectionsOfOneIdentifierStandSideBySide(t *testing.T) {
	of := func(connector string, kind seeding.RejectionKind) seeding.Rejection {
		return seeding.Rejection{Connector: connector, Kind: kind, Subject: seeding.Member{Registrant: 1, Identifier: 11}.Subject()}
	}
	ours := of("c", seeding.Refused)
	p := page{vids: vidsOf(1)}
	p.addRejections([]seeding.Rejection{of("b", seeding.Conflict), ours, of("d", seeding.Invalid)}, "c", map[string]bool{}, now)
	if p.mine[11] != ours || len(p.mine) != 1 || !p.conflicts[11] {
		t.Errorf("ours %+v, conflicts %v", p.mine, p.conflicts)
	}
}

// Tokens are asked for of those whom duplicates of this page name.
func TestHoldersThatDuplicatesName(t *testing.T) {
	p := page{vids: vidsOf(1, 2, 3, 4), mine: map[int64]seeding.Rejection{
		11: {Kind: seeding.Duplicate, Holder: 91},
		12: {Kind: seeding.Refused},
		13: {Kind: seeding.Duplicate, Holder: 93},
		99: {Kind: seeding.Duplicate, Holder: 99}, // its VID is gone
	}}
	if got := p.duplicateHolders(); !slices.Equal(got, []int64{91, 93}) {
		t.Errorf("holders %d", got)
	}
	if got := (page{vids: vidsOf(1)}).duplicateHolders(); len(got) != 0 {
		t.Errorf("holders %d of a page without rejections", got)
	}
}

func TestRegistrantsOf(t *testing.T) {
	a, b, c := seeding.Identifier{ID: 1, Registrant: 7}, seeding.Identifier{ID: 2, Registrant: 5}, seeding.Identifier{ID: 3, Registrant: 7}
	if got := registrantsOf(nil); len(got) != 0 {
		t.Errorf("of none: %v", got)
	}
	// Once each, in the order in which they are met.
	if got := registrantsOf([]seeding.Identifier{a, b, c}); !slices.Equal(got, []int64{7, 5}) {
		t.Errorf("two of one registrant, one of another: %v", got)
	}
}
