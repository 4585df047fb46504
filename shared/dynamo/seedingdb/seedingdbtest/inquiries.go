package seedingdbtest

import (
	"slices"
	"strconv"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// ask stores an inquiry about a connector of this part of the contract.
func (s *suite) ask(name string, q seeding.Inquiry) seeding.Inquiry {
	s.Helper()
	q.ID = s.id(name)
	if q.Connector == "" {
		q.Connector = s.id("connector")
	}
	if q.Asked.IsZero() {
		q.Asked = t0
	}
	asked, err := s.store.Ask(s.ctx, q)
	s.ok(err, "ask")
	return asked
}

// openOf is what is open of a connector of this part of the contract.
func (s *suite) openOf(subject string) (list []seeding.OpenInquiry) {
	s.Helper()
	all, err := s.store.OpenInquiries(s.ctx)
	s.ok(err, "open inquiries")
	for _, o := range all {
		if o.Subject == subject {
			list = append(list, o)
		}
	}
	return list
}

var aLine = seeding.Line{
	Name: "types", Result: seeding.LineFailure, Code: "vid_type", Params: map[string]any{"types": 3.0, "name": "MOSIP VID"},
	Description: seeding.Description{Text: "Not there.", Remedy: "Write it."}, Field: "vid_type",
}

func (s *suite) inquiries() {
	draft := s.connector("configured")
	draft.ID, draft.Version, draft.Secrets = "", 0, nil
	q := s.ask("full", seeding.Inquiry{
		Kind: seeding.CheckInquiry, Draft: &draft, Given: true, Asker: "sub somebody", Count: 7, Registrants: []int64{4711, 12},
	})
	s.same(q.Place, 1, "place")
	s.same(q.State, seeding.InquiryWaiting, "state")
	got, err := s.store.Inquiry(s.ctx, q.ID, t0)
	s.ok(err, "read")
	s.same(got, q, "what was asked")
	_, err = s.store.Inquiry(s.ctx, q.ID, t0.Add(seeding.InquiryLife))
	s.fails(err, seeding.ErrNotFound, "an inquiry that has expired, whether or not TTL was there")
	for _, unknown := range []string{"", s.id("unknown")} {
		_, err = s.store.Inquiry(s.ctx, unknown, t0)
		s.fails(err, seeding.ErrNotFound, "no inquiry")
	}
	open := seeding.OpenInquiry{ID: q.ID, Kind: q.Kind, Subject: q.Connector, Place: 1, Given: true, Asked: t0}
	s.same(s.openOf(q.Connector), []seeding.OpenInquiry{open}, "open")

	first, err := s.store.TakeInquiry(s.ctx, q, "a", t0, after(20*time.Second))
	s.ok(err, "take")
	open.Lease, open.Begun = seeding.Lease{Owner: "a", Until: after(20 * time.Second), Fence: 1}, 1
	s.same(first, open, "taken")
	_, err = s.store.TakeInquiry(s.ctx, q, "b", after(19*time.Second), after(time.Hour))
	s.fails(err, seeding.ErrLeaseHeld, "a held lease")
	s.ok(s.store.KeepInquiry(s.ctx, first, after(30*time.Second)), "keep")
	_, err = s.store.TakeInquiry(s.ctx, q, "b", after(29*time.Second), after(time.Hour))
	s.fails(err, seeding.ErrLeaseHeld, "a lease that is kept")

	q.State, q.Lines, q.Fence = seeding.InquiryWorking, []seeding.Line{aLine}, first.Lease.Fence
	s.ok(s.store.SaveLines(s.ctx, q), "lines")
	got, err = s.store.Inquiry(s.ctx, q.ID, t0)
	s.ok(err, "read")
	s.same(got, q, "with a line")

	second, err := s.store.TakeInquiry(s.ctx, q, "b", after(30*time.Second), after(time.Minute))
	s.ok(err, "a lease that is over")
	s.same(second.Begun, 2, "begins")
	s.fails(s.store.KeepInquiry(s.ctx, first, after(time.Hour)), seeding.ErrConflict, "keep by a holder thought dead")
	later := q
	later.Fence, later.Lines = second.Lease.Fence, []seeding.Line{aLine, aLine}
	s.ok(s.store.SaveLines(s.ctx, later), "lines of the later holder")
	s.fails(s.store.SaveLines(s.ctx, q), seeding.ErrConflict, "lines by a holder thought dead")
	q.State, q.Ended = seeding.InquiryAnswered, after(time.Minute)
	s.fails(s.store.EndInquiry(s.ctx, q), seeding.ErrConflict, "end by a holder thought dead")
	later.State, later.Ended = q.State, q.Ended
	s.ok(s.store.EndInquiry(s.ctx, later), "end")
	got, err = s.store.Inquiry(s.ctx, q.ID, t0)
	s.ok(err, "read")
	s.same(got, later, "the answer")
	s.same(len(s.openOf(q.Connector)), 0, "open inquiries afterwards")
	s.fails(s.store.SaveLines(s.ctx, later), seeding.ErrConflict, "lines after the end")
	s.fails(s.store.EndInquiry(s.ctx, later), seeding.ErrConflict, "end twice")
	_, err = s.store.TakeInquiry(s.ctx, later, "c", after(time.Hour), after(2*time.Hour))
	s.fails(err, seeding.ErrNotFound, "take what is answered")
	s.fails(s.store.FetchInquiry(s.ctx, later, seeding.InquiryFetched, t0), seeding.ErrConflict, "fetch a check")
}

// A place is taken once, and free again when its inquiry is over.
func (s *suite) inquiryPlaces() {
	of := seeding.Inquiry{Kind: seeding.CheckInquiry}
	var list []seeding.Inquiry
	for i := range seeding.InquiryPlaces {
		list = append(list, s.ask("q"+strconv.Itoa(i), of))
	}
	q := seeding.Inquiry{ID: s.id("one more"), Kind: seeding.PreviewInquiry, Connector: s.id("connector"), Asked: t0}
	_, err := s.store.Ask(s.ctx, q)
	s.fails(err, seeding.ErrManyInquiries, "one more")
	s.ask("of another", seeding.Inquiry{Kind: seeding.CheckInquiry, Connector: s.id("another")})

	taken, err := s.store.TakeInquiry(s.ctx, list[1], "a", t0, after(time.Minute))
	s.ok(err, "take")
	list[1].Fence, list[1].State = taken.Lease.Fence, seeding.InquiryAnswered
	s.ok(s.store.EndInquiry(s.ctx, list[1]), "end")
	again, err := s.store.Ask(s.ctx, q)
	s.ok(err, "one more")
	s.same(again.Place, 2, "the place that is free")
	_, err = s.store.TakeInquiry(s.ctx, list[1], "a", t0, after(time.Minute))
	s.fails(err, seeding.ErrNotFound, "take an inquiry whose place has another one")

	_, err = s.store.TakeInquiry(s.ctx, again, "a", t0, after(time.Minute))
	s.ok(err, "take the other one")
}

func (s *suite) inquiriesRaced() {
	outcomes := s.race(func(i int) error {
		_, err := s.store.Ask(s.ctx, seeding.Inquiry{ID: s.id("raced" + strconv.Itoa(i)), Kind: seeding.CheckInquiry, Connector: s.id("connector"), Asked: t0})
		return err
	})
	open := s.openOf(s.id("connector"))
	if outcomes[nil] == 0 || outcomes[nil] > seeding.InquiryPlaces || len(open) != outcomes[nil] {
		s.Errorf("%v, %d open", outcomes, len(open))
	}
	q := s.ask("taken", seeding.Inquiry{Kind: seeding.CheckInquiry, Connector: s.id("raced")})
	taken := s.race(func(i int) error {
		_, err := s.store.TakeInquiry(s.ctx, q, strconv.Itoa(i), t0, after(time.Minute))
		return err
	})
	s.same(taken, map[error]int{nil: 1, seeding.ErrLeaseHeld: racers - 1}, "race for the lease of an inquiry")
}

// The sealed answer of a preview is given once, and gone then.
func (s *suite) fetching() {
	answer := func(name string) seeding.Inquiry {
		q := s.ask(name, seeding.Inquiry{Kind: seeding.PreviewInquiry, Asker: "sub somebody"})
		taken, err := s.store.TakeInquiry(s.ctx, q, "a", t0, after(time.Minute))
		s.ok(err, "take")
		q.Fence, q.State, q.Ended = taken.Lease.Fence, seeding.InquiryAnswered, after(time.Second)
		q.Sealed, q.FetchUpTo = []byte{1, 2, 3}, after(10*time.Minute)
		s.ok(s.store.EndInquiry(s.ctx, q), "end")
		return q
	}
	q := answer("fetched")
	got, err := s.store.Inquiry(s.ctx, q.ID, t0)
	s.ok(err, "read")
	s.same(got, q, "a sealed answer")
	open := s.openOf(q.Connector)
	if len(open) != 1 || open[0].Lease.Owner != "" || !open[0].FetchUpTo.Equal(q.FetchUpTo) || open[0].Uncollected(after(10*time.Minute-1)) || !open[0].Uncollected(after(10*time.Minute)) {
		s.Errorf("%+v", open)
	}
	_, err = s.store.TakeInquiry(s.ctx, q, "b", after(time.Hour), after(2*time.Hour))
	s.fails(err, seeding.ErrNotFound, "take what is answered")
	outcomes := s.race(func(int) error { return s.store.FetchInquiry(s.ctx, q, seeding.InquiryFetched, after(time.Minute)) })
	s.same(outcomes, map[error]int{nil: 1, seeding.ErrConflict: racers - 1}, "race for an answer")
	got, err = s.store.Inquiry(s.ctx, q.ID, t0)
	s.ok(err, "read")
	q.State, q.Sealed, q.FetchedAt = seeding.InquiryFetched, nil, after(time.Minute)
	s.same(got, q, "after it was fetched")
	s.same(len(s.openOf(q.Connector)), 0, "open inquiries afterwards")
}

func (s *suite) found() {
	f := filled[seeding.RegistryFound]()
	f.Registry = s.id("registry")
	_, err := s.store.Found(s.ctx, f.Registry)
	s.fails(err, seeding.ErrNotFound, "what nobody found out")
	s.ok(s.store.NoteFound(s.ctx, seeding.RegistryFound{Registry: f.Registry, Identity: "before"}), "note")
	s.ok(s.store.NoteFound(s.ctx, f), "note again")
	all, err := s.store.AllFound(s.ctx)
	s.ok(err, "all")
	i := slices.IndexFunc(all, func(one seeding.RegistryFound) bool { return one.Registry == f.Registry })
	if i < 0 {
		s.Fatalf("not among %d", len(all))
	}
	s.same(all[i], f, "what was found last")
	one, err := s.store.Found(s.ctx, f.Registry)
	s.ok(err, "one")
	s.same(one, f, "what was found last of one")
}
