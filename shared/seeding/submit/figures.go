package submit

import (
	"context"

	"openg2p.org/mts-connector/shared/seeding"
)

// passRead counts the rejections that the last pass of an invocation has read. A pass
// reads all of them, so one that this invocation made as a whole, and that sent
// nobody, has counted them.
type passRead struct {
	run     string
	started int64 // the pass, in milliseconds, as stores keep them
	cursor  int64 // up to which they are counted
	count   seeding.RejectionCount
}

// add counts the rejections between the cursors of a run before a page was decided
// and after it.
func (p *passRead) add(before, after seeding.Run, staying []seeding.Rejection) {
	if before.Cursor == 0 {
		*p = passRead{run: before.ID, started: before.PassStarted.UnixMilli()}
	}
	if !p.whole(before) { // another invocation made a part of it
		*p = passRead{}
		return
	}
	for _, r := range staying {
		p.count.Add(r)
	}
	p.cursor = after.Cursor
}

// goesOn moves what a plan has counted along with the cursor of its run.
func (p *passRead) goesOn(before, after seeding.Run) {
	if p.whole(before) {
		p.cursor = after.Cursor
	}
}

// whole reports whether everything up to the cursor of the run is counted.
func (p *passRead) whole(r seeding.Run) bool {
	return p.run == r.ID && p.started == r.PassStarted.UnixMilli() && p.cursor == r.Cursor
}

// staying are the rejections of the connector that a page leaves as they were, or
// writes, up to the last VID that was looked at.
func (p page) staying(plan pagePlan) (list []seeding.Rejection) {
	over := map[int64]bool{}
	for _, r := range plan.forgotten {
		over[r.Identifier] = true
	}
	for _, r := range plan.rejected {
		over[r.Identifier] = true
		list = append(list, r)
	}
	for identifier, r := range p.mine {
		if !over[identifier] && (identifier <= plan.run.Cursor || plan.run.PassOver) {
			list = append(list, r)
		}
	}
	return list
}

// countRejections counts the rejections of the connector at the end of a run. What was
// read in its last pass is the count, if nobody was sent, who may be rejected since.
func (s *Submitter) countRejections(ctx context.Context, v view, sent bool) (*seeding.RejectionCount, error) {
	if v.run.Kind == seeding.Import { // it may have looked at some only
		return nil, nil
	}
	count := v.posts.read.count
	if sent || !v.posts.read.whole(*v.run) {
		count = seeding.RejectionCount{}
		if err := s.eachRejection(ctx, v.connector, count.Add); err != nil {
			return nil, err
		}
	}
	count.At = s.Clock.Now()
	return &count, nil
}

// rejectionsAtOnce, and one more to see whether others follow, are a request of the store.
const rejectionsAtOnce = 990

// eachRejection gives the rejections of a connector to a function, page after page; those
// of its source before are left out.
func (s *Submitter) eachRejection(ctx context.Context, c seeding.Connector, each func(seeding.Rejection)) error {
	for after := ""; ; {
		list, next, err := s.Store.ListRejections(ctx, c.RegistryKey(), c.ID, seeding.RejectionFilter{Subjects: c.Subjects()}, after, rejectionsAtOnce)
		if err != nil {
			return err
		}
		for _, r := range list {
			each(r)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// forgetOthers deletes the rejections that a change of the source left: no run sends
// them any more. It deletes some; more may be left.
func (s *Submitter) forgetOthers(ctx context.Context, c seeding.Connector) (more bool, err error) {
	others := seeding.RejectionFilter{Subjects: c.Subjects().Others()}
	for after := ""; ; {
		list, next, err := s.Store.ListRejections(ctx, c.RegistryKey(), c.ID, others, after, rejectionsAtOnce)
		if err == nil && len(list) > 0 {
			err = s.Store.DeleteRejections(ctx, list)
		}
		if err != nil {
			return false, err
		}
		if after = next; after == "" || len(list) > 0 {
			return after != "", nil
		}
	}
}
