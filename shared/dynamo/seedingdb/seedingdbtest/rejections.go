package seedingdbtest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) rejections() {
	registry := s.id("registry")
	put := func(want int, list ...seeding.Rejection) {
		s.Helper()
		conflicts, err := s.store.PutRejections(s.ctx, list)
		s.ok(err, "put")
		s.same(conflicts, want, "conflicts")
	}
	read := func(from, to int64) []seeding.Rejection {
		s.Helper()
		list, err := s.store.Rejections(s.ctx, registry, from, to)
		s.ok(err, "read")
		return list
	}
	full := filled[seeding.Rejection]()
	full.Registry, full.Connector, full.Version = registry, "c", 0
	full.Subject = seeding.Member{Registrant: 6, Identifier: 9}.Subject()
	stored := full
	stored.Version = 1
	put(0, full)
	s.same(read(9, 9), []seeding.Rejection{stored}, "rejection")
	put(0, full) // as after a lost reply
	again := full
	again.Attempts++
	put(1, again)
	again.Version = 1
	put(0, again)
	put(1, stored)
	s.same(read(9, 9)[0].Attempts, again.Attempts, "attempts")
	s.same(read(9, 9)[0].Version, 2, "version")

	bare := func(id int64, connector string) seeding.Rejection {
		return seeding.Rejection{Registry: registry, Connector: connector, Subject: seeding.Member{Registrant: id, Identifier: id}.Subject(), Kind: seeding.Invalid}
	}
	put(0, bare(10, "c"), bare(10, "d"), bare(100, "c"), bare(2_000_000_000, "c"))
	ids := func(list []seeding.Rejection) (ids []int64) {
		for _, r := range list {
			ids = append(ids, r.Identifier)
		}
		return ids
	}
	for _, span := range []struct {
		from, to int64
		want     []int64
	}{
		{1, 8, nil},
		{1, 9, []int64{9}},
		{9, 10, []int64{9, 10, 10}},
		{10, 10, []int64{10, 10}},
		{10, 99, []int64{10, 10}},
		{11, math.MaxInt64, []int64{100, 2_000_000_000}},
		{0, math.MaxInt64, []int64{9, 10, 10, 100, 2_000_000_000}},
		{-5, 9, []int64{9}},
		{10, 9, nil},
	} {
		s.same(ids(read(span.from, span.to)), span.want, "identifiers from one to the other")
	}

	for _, at := range [][2][]int64{
		{{10, 100}, {10, 10, 100}},
		{{2_000_000_000, 10}, {10, 10, 2_000_000_000}},
		{{11, 500}, nil},
		{{}, nil},
	} {
		list, err := s.store.RejectionsAt(s.ctx, registry, at[0])
		s.ok(err, "read at identifiers")
		var found []int64
		for _, r := range list {
			if slices.Contains(at[0], r.Identifier) {
				found = append(found, r.Identifier)
			}
		}
		s.same(found, at[1], "rejections at identifiers")
	}

	d10 := bare(10, "d")
	d10.Version = 1
	stale := bare(100, "c")
	stale.Version = 7
	gone := bare(77, "c")
	gone.Version = 1
	s.ok(s.store.DeleteRejections(s.ctx, []seeding.Rejection{d10, stale, gone}), "delete")
	s.same(ids(read(10, 100)), []int64{10, 100}, "after deleting; one was written anew")
	s.same(read(10, 10)[0].Connector, "c", "the other connector's rejection")
}

func (s *suite) rejectionPages() {
	registry := s.id("registry")
	var list []seeding.Rejection
	for i := range int64(60) {
		connector := "c"
		if i%2 == 1 {
			connector = "other"
		}
		list = append(list, seeding.Rejection{
			Registry: registry, Connector: connector, Subject: seeding.Member{Registrant: i, Identifier: 2 * i}.Subject(), Kind: seeding.Refused,
			Code: "IDA-MLC-009", Next: after(time.Hour), Since: t0, LastAttempt: after(time.Minute), FingerprintKey: "k", Fingerprint: seeding.Fingerprint{1, 2, 3, 4},
		})
	}
	conflicts, err := s.store.PutRejections(s.ctx, list)
	s.ok(err, "put")
	s.same(conflicts, 0, "conflicts")
	var seen []int64
	mark := ""
	for page := range 3 {
		got, next, err := s.store.ListRejections(s.ctx, registry, "c", seeding.RejectionFilter{}, mark, 10)
		s.ok(err, "list")
		for _, r := range got {
			if r.Connector != "c" {
				s.Errorf("a rejection of %q", r.Connector)
			}
			seen = append(seen, r.Identifier)
		}
		if (next == "") != (page == 2) {
			s.Fatalf("next %q on page %d", next, page)
		}
		mark = next
	}
	s.same(len(seen), 30, "rejections of the connector")
	for i := range seen {
		s.same(seen[i], int64(4*i), "order")
	}
	for _, mark := range []string{"garbage", "\uffff"} {
		got, next, err := s.store.ListRejections(s.ctx, registry, "c", seeding.RejectionFilter{}, mark, 10)
		s.ok(err, "list from "+mark)
		if len(got) != 0 || next != "" {
			s.Errorf("from %q: %d rejections, next %q", mark, len(got), next)
		}
	}
}

// rejectionFilters: what a filter selects is found, however many it does not.
func (s *suite) rejectionFilters() {
	registry := s.id("registry")
	var list []seeding.Rejection
	for i := range int64(300) {
		r := seeding.Rejection{
			Registry: registry, Connector: "c", Subject: seeding.Member{Registrant: 1000 - i/2, Identifier: i}.Subject(), Kind: seeding.RejectionKinds[i%3],
			Code: []string{"A", "B:dob", "A:dob,B"}[i%3], Since: after(time.Duration(i) * time.Second), LastAttempt: after(time.Duration(i+i%2*1000) * time.Second),
		}
		if i%7 == 0 {
			r.Connector = "other"
		}
		list = append(list, r)
	}
	_, err := s.store.PutRejections(s.ctx, list)
	s.ok(err, "put")
	for name, filter := range map[string]seeding.RejectionFilter{
		"none":              {},
		"a kind":            {Group: seeding.Group{Kind: seeding.Refused}},
		"a code":            {Group: seeding.Group{Code: "A,B"}},
		"a code of one":     {Group: seeding.Group{Code: "A"}},
		"a kind and a code": {Group: seeding.Group{Kind: seeding.Refused, Code: "B"}},
		"of nobody":         {Group: seeding.Group{Kind: seeding.SetAside}},
		"a time":            {Since: after(290 * time.Second)},
		"a registrant":      {Registrants: []int64{900}},
		"some registrants":  {Registrants: []int64{900, 851, 3}},
		"all together":      {Group: seeding.Group{Kind: seeding.Duplicate, Code: "A,B"}, Since: after(time.Minute), Registrants: []int64{900, 901, 902, 903}},
	} {
		var want []int64
		for _, r := range list {
			if r.Connector == "c" && filter.Has(r) {
				want = append(want, r.Identifier)
			}
		}
		for _, limit := range []int{1, 7, 1000} {
			var got []int64
			for mark := ""; ; {
				page, next, err := s.store.ListRejections(s.ctx, registry, "c", filter, mark, limit)
				s.ok(err, "list")
				if len(page) > limit {
					s.Errorf("%s: %d on a page of %d", name, len(page), limit)
				}
				for _, r := range page {
					got = append(got, r.Identifier)
				}
				if mark = next; mark == "" {
					break
				}
			}
			s.same(got, want, fmt.Sprintf("%s, by %d", name, limit))
		}
	}
	if _, _, err := s.store.ListRejections(s.ctx, registry, "c", seeding.RejectionFilter{Registrants: make([]int64, 100)}, "", 10); err != nil {
		s.Errorf("a hundred registrants: %v", err)
	}
}

func (s *suite) retrying() {
	c, _ := s.running("c")
	registry := c.RegistryKey()
	for _, kind := range append([]seeding.RejectionKind{""}, seeding.RejectionKinds...) {
		s.ok(s.store.Retry(s.ctx, c.ID, seeding.Group{Kind: kind}, after(time.Minute)), "retry "+string(kind))
	}
	state, err := s.store.State(s.ctx, c.ID)
	s.ok(err, "state")
	s.same(len(state.Retried), 1+len(seeding.RejectionKinds), "kinds")
	for group, at := range state.Retried {
		s.same(at, after(time.Minute), "time of "+string(group.Kind))
	}
	s.same(state.Due.After(after(time.Minute)), false, "due")

	_, err = s.store.PutRejections(s.ctx, []seeding.Rejection{
		{Registry: registry, Connector: c.ID, Subject: seeding.Member{Identifier: 1}.Subject(), Kind: seeding.Duplicate},
		{Registry: registry, Connector: c.ID, Subject: seeding.Member{Identifier: 2}.Subject(), Kind: seeding.Duplicate},
		{Registry: registry, Connector: "other", Subject: seeding.Member{Identifier: 1}.Subject(), Kind: seeding.Duplicate},
	})
	s.ok(err, "put")
	asked := func(identifiers ...int64) (list []seeding.Rejection) {
		for _, identifier := range identifiers {
			list = append(list, seeding.Rejection{Registry: registry, Connector: c.ID, Subject: seeding.Member{Identifier: identifier}.Subject()})
		}
		return list
	}
	change := s.change(c.ID, seeding.ChangeRetry, after(time.Hour))
	found, err := s.store.RetryRejections(s.ctx, asked(1, 3), after(time.Hour), change)
	s.ok(err, "retry some")
	s.same(found, 1, "found")
	change.Count = 1
	changes, _, err := s.store.ListChanges(s.ctx, c.ID, "", 10)
	s.ok(err, "changes")
	s.same(changes, []seeding.Change{change}, "what is noted")
	list, err := s.store.Rejections(s.ctx, registry, 1, 2)
	s.ok(err, "read")
	for _, r := range list {
		asked := r.Identifier == 1 && r.Connector == c.ID
		s.same(r.Next.Equal(after(time.Hour)), asked, "next attempt")
		s.same(r.Version == 2, asked, "a new version")
	}
	found, err = s.store.RetryRejections(s.ctx, asked(99), after(time.Hour), change)
	s.ok(err, "retry nobody")
	s.same(found, 0, "found nobody")

	var many []seeding.Rejection
	var ids []int64
	for i := range int64(300) { // more than fit into three transactions
		ids = append(ids, 1000+i)
	}
	for _, r := range asked(ids...) {
		r.Kind = seeding.Invalid
		many = append(many, r)
	}
	_, err = s.store.PutRejections(s.ctx, many)
	s.ok(err, "put many")
	change = s.change(c.ID, seeding.ChangeRetry, after(2*time.Hour))
	found, err = s.store.RetryRejections(s.ctx, many, after(2*time.Hour), change)
	s.ok(err, "retry many")
	s.same(found, 300, "found")
	changes, _, err = s.store.ListChanges(s.ctx, c.ID, "", 10)
	s.ok(err, "changes")
	sum := 0
	for _, one := range changes {
		sum += one.Count
	}
	s.same(sum, 301, "noted")
}
