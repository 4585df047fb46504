package submit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// central is a form of ODK Central in memory. Its submissions are in Central's order,
// the newest first.
type central struct {
	fake *fake
	list []seeding.SubmissionRef
	// marksCount: Central has no tags for lists.
	marksCount bool
	ahead      time.Duration // of its clock
}

// receive adds submissions that Central received at a time.
func (c *central) receive(at time.Time, ids ...string) {
	for _, id := range ids {
		c.list = append(c.list, seeding.SubmissionRef{ID: id, Received: at.Truncate(time.Millisecond)})
	}
	slices.SortStableFunc(c.list, func(a, b seeding.SubmissionRef) int { return b.Received.Compare(a.Received) })
}

// edit makes another version of a submission.
func (c *central) edit(id string) {
	for i := range c.list {
		if c.list[i].ID == id {
			c.list[i].Edits++
		}
	}
}

// remove deletes submissions, and returns them, so that they can be restored.
func (c *central) remove(ids ...string) (removed []seeding.SubmissionRef) {
	c.list = slices.DeleteFunc(c.list, func(s seeding.SubmissionRef) bool {
		gone := slices.Contains(ids, s.ID)
		if gone {
			removed = append(removed, s)
		}
		return gone
	})
	return removed
}

func (c *central) restore(list []seeding.SubmissionRef) {
	for _, s := range list {
		c.receive(s.Received, s.ID)
	}
}

// in are the submissions of a window.
func (c *central) in(w seeding.Window) (list []seeding.SubmissionRef) {
	for _, s := range c.list {
		if w.Has(s.Received) {
			list = append(list, s)
		}
	}
	return list
}

func shown(w seeding.Window) string {
	return fmt.Sprintf("%d-%d", w.From.Sub(dawn).Milliseconds(), w.To.Sub(dawn).Milliseconds())
}

func (c *central) CheckVID(context.Context, string) error { return c.fake.begin("Form.CheckVID") }

func (c *central) Now(context.Context) (time.Time, error) {
	return c.fake.now.Add(c.ahead), c.fake.begin("Form.Now")
}

func (c *central) Count(_ context.Context, w seeding.Window) (int, error) {
	return len(c.in(w)), c.fake.begin("Form.Count")
}

func (c *central) Mark(_ context.Context, w seeding.Window, known string) (mark string, same bool, err error) {
	mark = "tag:" + fmt.Sprint(c.in(w))
	if c.marksCount {
		mark = fmt.Sprint(seeding.CountMark, len(c.in(w)))
	}
	return mark, mark == known, c.fake.begin("Form.Mark")
}

func (c *central) Page(_ context.Context, w seeding.Window, most int) (list []seeding.SubmissionRef, more bool, err error) {
	list = c.in(w)
	if more = len(list) > most; more {
		list = list[:most]
	}
	return slices.Clone(list), more, c.fake.begin("Form.Page", shown(w), fmt.Sprint(most))
}

func (c *central) Read(_ context.Context, w seeding.Window, each func(seeding.Submission) error) error {
	if err := c.fake.begin("Form.Read", shown(w)); err != nil {
		return err
	}
	for _, s := range c.in(w) {
		if err := each(seeding.Submission{SubmissionRef: s}); err != nil {
			return err
		}
	}
	return nil
}

func (c *central) ReadSome(_ context.Context, ids []string, each func(seeding.Submission) error) error {
	if err := c.fake.begin("Form.ReadSome"); err != nil {
		return err
	}
	for _, s := range c.list {
		if slices.Contains(ids, s.ID) {
			if err := each(seeding.Submission{SubmissionRef: s}); err != nil {
				return err
			}
		}
	}
	return nil
}

// OpenForm implements Forms.
func (f *fake) OpenForm(context.Context, seeding.Connector) (seeding.Form, error) {
	return f.central, f.begin("OpenForm")
}

// Pull implements Forms.
func (f *fake) Pull(_ context.Context, c seeding.Connector, b seeding.Batch, reads []string) (seeding.Pull, error) {
	if len(b.Submissions) > 0 {
		b.Window = seeding.Window{}
	}
	return seeding.Pull{BaseURL: c.ODK.BaseURL, ODataURL: "select=" + strings.Join(reads, ","), Password: "secret", Window: b.Window, Submissions: b.Submissions},
		f.begin("Pull")
}

func (f *fake) Coverage(_ context.Context, connector string) (seeding.Coverage, error) {
	c := f.coverage
	c.Connector = connector
	return c, f.begin("Coverage")
}

func (f *fake) SaveCoverage(_ context.Context, c seeding.Coverage) error {
	if err := f.begin("SaveCoverage"); err != nil {
		return err
	}
	if c.Version != f.coverage.Version {
		return seeding.ErrConflict
	}
	c.Version++
	f.coverage = c
	return nil
}

func (f *fake) RejectionsOfSubmissions(_ context.Context, _, connector string, ids []string) (found []seeding.Rejection, err error) {
	for _, r := range f.rejections {
		if r.Connector == connector && r.Submission != "" && slices.Contains(ids, r.Submission) {
			found = append(found, r)
		}
	}
	return found, f.begin("RejectionsOfSubmissions")
}

func setOf[T comparable](list []T) map[T]bool {
	set := map[T]bool{}
	for _, one := range list {
		set[one] = true
	}
	return set
}

func (r fakeRegistry) Submissions(_ context.Context, ids []string) (held []seeding.Identifier, err error) {
	wanted := setOf(ids)
	for _, id := range r.fake.registered {
		if wanted[id.Value] {
			held = append(held, id)
		}
	}
	return held, r.fake.begin("Submissions", fmt.Sprint(len(ids)))
}

// dawn is when Central received the first submissions.
var dawn = now.Add(-6 * time.Hour)

// newODK is a fake whose connector takes submissions. MTS takes many at once.
func newODK() *fake {
	f := newFake()
	f.central, f.settled = &central{fake: f}, map[string]bool{}
	f.connector.ODK = seeding.ODKSource{BaseURL: "https://central", ODataURL: "https://central/v1/projects/1/forms/reg.svc/Submissions", Email: "a@b.example"}
	f.connector.Registry.SubmissionType = "ODK SUBMISSION"
	f.idStep = 1
	f.mts.Pace = seeding.Pace{Size: 1000, Proved: 1000}
	return f
}

// fill has Central receive n submissions, so far apart, from the dawn on.
func (f *fake) fill(n int, apart time.Duration) {
	for i := range n {
		f.central.list = append(f.central.list, seeding.SubmissionRef{ID: fmt.Sprintf("uuid:%06d", i), Received: dawn.Add(time.Duration(i) * apart).Truncate(time.Millisecond)})
	}
	slices.Reverse(f.central.list)
}

// sent are the ids of submissions that MTS was asked to make tokens for, in their order,
// each as often as it was.
func (f *fake) sent() (ids []string) {
	for _, r := range f.pulled {
		for _, s := range r {
			ids = append(ids, s.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// pull is what MTS reads of Central for a request.
func (f *fake) pull(p *seeding.Pull) []seeding.SubmissionRef {
	var list []seeding.SubmissionRef
	wanted := setOf(p.Submissions)
	for _, s := range f.central.list {
		if p.Window.Has(s.Received) || wanted[s.ID] {
			list = append(list, s)
		}
	}
	return list
}

// answered has patch make registrants of all that MTS has pulled: all that are there and
// as they were get one, but for those whom a test rejects.
func (f *fake) patchAll(rejects ...string) {
	edits := map[string]int{}
	for _, s := range f.central.list {
		edits[s.ID] = s.Edits
	}
	for len(f.open) > 0 {
		b := f.open[0]
		totals := seeding.Totals{}
		for _, s := range f.pulledFor(b) {
			now, there := edits[s.ID]
			switch {
			case !there: // forgotten
				f.rejections = slices.DeleteFunc(f.rejections, func(r seeding.Rejection) bool { return r.Submission == s.ID })
			case now != s.Edits: // a later pass sends it again
				totals.Sent++
			case slices.Contains(rejects, s.ID):
				totals.Sent, totals.Refused = totals.Sent+1, totals.Refused+1
				f.reject(s)
			default:
				totals.Sent, totals.Tokenised = totals.Sent+1, totals.Tokenised+1
				f.hold(s.ID)
			}
		}
		b.State, b.Answered, b.Closed, b.Totals = seeding.Patched, f.now, f.now, totals
		f.mts.Delivered, f.mts.Heard = f.mts.Delivered+int64(b.Count), b.Answered
		_ = f.Close(context.Background(), b)
	}
}

// pulledFor is what MTS pulled for a batch that is open.
func (f *fake) pulledFor(b seeding.Batch) []seeding.SubmissionRef {
	for i, r := range f.posts {
		if strings.HasSuffix(r.CallbackURL, "/"+b.Ref.Batch) {
			return f.pulled[i]
		}
	}
	return nil
}

// hold has a registrant hold the id of a submission and a token.
func (f *fake) hold(id string) {
	if f.settled[id] {
		return
	}
	f.settled[id] = true
	n := int64(len(f.registered) + 1)
	f.registered = append(f.registered, seeding.Identifier{ID: n, Registrant: n, Value: id})
	f.tokens = append(f.tokens, seeding.Identifier{ID: 100_000 + n, Registrant: n, Value: fmt.Sprintf("%036d", n)})
	f.rejections = slices.DeleteFunc(f.rejections, func(r seeding.Rejection) bool { return r.Submission == id })
}

// reject has a submission refused by MOSIP.
func (f *fake) reject(s seeding.SubmissionRef) {
	var before seeding.Rejection
	f.rejections = slices.DeleteFunc(f.rejections, func(r seeding.Rejection) bool {
		if r.Submission == s.ID {
			before = r
		}
		return r.Submission == s.ID
	})
	cause := seeding.Cause{Kind: seeding.Refused, Code: "IDA-MLC-009", Fingerprint: s.Fingerprint()}
	r := cause.Reject(f.connector.RegistryKey(), "c", seeding.Subject{Submission: s.ID}, 3, before, f.now, seeding.DefaultTimes())
	r.Received = s.Received
	f.rejections = append(f.rejections, r)
}

// holders counts the registrants by the submissions that they hold.
func (f *fake) holders() map[string]int {
	m := map[string]int{}
	for _, i := range f.registered {
		m[i.Value]++
	}
	return m
}

// run lets the connector work until its run is over, with patch at work beside it, and
// returns the run.
func (f *fake) finishes(t testingT) seeding.Run {
	t.Helper()
	f.state.Due = f.now
	before := len(f.runs)
	for range 200 {
		if err := f.submitter().Work(context.Background(), "c", f.now.Add(15*time.Minute)); err != nil {
			t.Fatal(err)
		}
		f.patchAll(f.refused...)
		if len(f.runs) > before && f.state.Run == "" && len(f.state.Imports) == 0 {
			return f.last()
		}
		f.now = f.now.Add(time.Minute)
		if p, raised := f.state.Problems[seeding.ProblemODK]; raised && p.Next.After(f.now) {
			f.now = p.Next
		}
	}
	t.Fatal("the run does not end")
	return seeding.Run{}
}

type testingT interface {
	Helper()
	Fatal(args ...any)
}

// last is the run that was completed last.
func (f *fake) last() (last seeding.Run) {
	for _, r := range f.runs {
		if cmp.Or(r.Completed.Compare(last.Completed), r.Started.Compare(last.Started)) > 0 {
			last = r
		}
	}
	return last
}
