package seeding_test

import (
	"slices"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// A list is cut into parts that are stored one by one, and comes back as it was.
func TestPartsOfAList(t *testing.T) {
	for _, n := range []int{0, 1, seeding.MaxListedPart, seeding.MaxListedPart + 1, seeding.MaxListed} {
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = int64(7 * i)
		}
		var back []int64
		parts := seeding.PartsOf(ids)
		for i, part := range parts {
			if len(part.Entries) > seeding.MaxListedPart || part.Last != (i == len(parts)-1) {
				t.Errorf("part %d of %d: %d entries, last %v", i, len(parts), len(part.Entries), part.Last)
			}
			unpacked, err := seeding.UnpackListed(seeding.PackListed(part.Entries))
			if err != nil || !slices.Equal(unpacked, part.Entries) {
				t.Fatalf("%v: %v", err, unpacked)
			}
			for _, entry := range unpacked {
				back = append(back, entry.Registrant)
			}
		}
		if !slices.Equal(back, ids) {
			t.Errorf("%d registrants: %v", n, back)
		}
	}
}

// Ten parts, a run and an order fit into a transaction (100 items of 4 MB), and a
// part into the few kilobytes that each page writes.
func TestAPartOfAListIsSmall(t *testing.T) {
	list := make([]seeding.Listed, seeding.MaxListedPart)
	for i := range list {
		list[i] = seeding.Listed{Registrant: int64(200_000 * i), Identifier: int64(1_900_000_000 - 1_700_000*i), Unsent: seeding.UnsentNotFound}
	}
	if size := len(seeding.PackListed(list)); size > 9<<10 {
		t.Errorf("%d bytes", size)
	}
}

func FuzzUnpackListed(f *testing.F) {
	f.Add(seeding.PackListed([]seeding.Listed{{Registrant: 7, Identifier: 70}, {Registrant: 9, Unsent: seeding.UnsentNoVID}}))
	f.Add(seeding.PackMembers([]seeding.Member{{Registrant: 7, Identifier: 70}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packed []byte) {
		list, err := seeding.UnpackListed(packed)
		if err != nil {
			return
		}
		again, err := seeding.UnpackListed(seeding.PackListed(list))
		if err != nil || !slices.Equal(again, list) {
			t.Errorf("%v %v, then %v", err, list, again)
		}
	})
}
