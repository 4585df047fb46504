package seedingdbtest

import (
	"fmt"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// coverage: whoever has read an older one writes nothing.
func (s *suite) coverage() {
	c := s.id("c")
	read, err := s.store.Coverage(s.ctx, c)
	s.ok(err, "coverage of a connector that looked at nothing")
	s.same(read, seeding.Coverage{Connector: c}, "coverage of a connector that looked at nothing")

	full := filled[seeding.Coverage]()
	full.Connector, full.Version = c, 0
	s.ok(s.store.SaveCoverage(s.ctx, full), "save")
	s.ok(s.store.SaveCoverage(s.ctx, full), "save again, as after a lost reply")
	got, err := s.store.Coverage(s.ctx, c)
	full.Version = 1
	s.ok(err, "coverage")
	s.same(got, full, "a coverage with every field")

	older := seeding.Coverage{Connector: c, Form: "another"}
	s.fails(s.store.SaveCoverage(s.ctx, older), seeding.ErrConflict, "save what was read before")
	full.Spans[1].To = full.Spans[1].To.Add(time.Hour)
	s.ok(s.store.SaveCoverage(s.ctx, full), "save what was read")

	gone := s.connector("gone")
	s.ok(s.store.SaveCoverage(s.ctx, seeding.Coverage{Connector: gone.ID, Form: "form"}), "save that of a connector")
	s.ok(s.store.DeleteConnector(s.ctx, gone.ID, 1, after(time.Hour)), "delete the connector")
	read, err = s.store.Coverage(s.ctx, gone.ID)
	s.ok(err, "coverage of a deleted connector")
	s.same(read, seeding.Coverage{Connector: gone.ID}, "coverage of a deleted connector")
}

// ofSubmissions: rejections of submissions are found by their ids.
func (s *suite) ofSubmissions() {
	registry, mine, other := s.id("r"), s.id("mine"), s.id("other")
	rejection := func(connector, id string) seeding.Rejection {
		return seeding.Cause{Kind: seeding.Refused, Code: "IDA-MLC-009"}.Reject(registry, connector, seeding.Subject{Submission: id}, 1, seeding.Rejection{}, t0, seeding.DefaultTimes())
	}
	odd := "a/b'c#ü " // ids that forms may send
	first, second := rejection(mine, "uuid:1"), rejection(mine, odd)
	second.Received = after(time.Minute)
	conflicts, err := s.store.PutRejections(s.ctx, []seeding.Rejection{first, second, rejection(other, "uuid:1"), rejection(mine, "uuid:2")})
	s.ok(err, "put")
	s.same(conflicts, 0, "conflicts")
	list, err := s.store.RejectionsOfSubmissions(s.ctx, registry, mine, []string{"uuid:1", odd, "uuid:none"})
	s.ok(err, "rejections of submissions")
	first.Version, second.Version = 1, 1
	s.same(list, []seeding.Rejection{second, first}, "rejections of submissions")

	var others []seeding.Rejection
	for i := range 12 { // more between the two than one query reads
		others = append(others, rejection(mine, fmt.Sprintf("s%02d", i)))
	}
	_, err = s.store.PutRejections(s.ctx, others)
	s.ok(err, "put others")
	long := strings.Repeat("x", 2000)
	list, err = s.store.RejectionsOfSubmissions(s.ctx, registry, mine, []string{"uuid:1", odd, "uuid:1", "s99", long})
	s.ok(err, "rejections of submissions among others")
	s.same(list, []seeding.Rejection{second, first}, "rejections of submissions among others")
	list, err = s.store.RejectionsOfSubmissions(s.ctx, registry, mine, nil)
	s.ok(err, "rejections of no submissions")
	s.same(len(list), 0, "rejections of no submissions")
}
