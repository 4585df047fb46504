package submit

import (
	"fmt"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// The first run after a change of the source forgets whom the source before rejected,
// however many they are, and no one else.
func TestRejectionsOfTheSourceBeforeAreForgotten(t *testing.T) {
	ofRegistrant := func(i int) seeding.Subject {
		return seeding.Member{Registrant: int64(5000 + i), Identifier: int64(90_000 + i)}.Subject()
	}
	ofSubmission := func(i int) seeding.Subject { return seeding.Subject{Submission: fmt.Sprintf("uuid:x%06d", i)} }
	for name, c := range map[string]struct {
		fake   func() *fake
		before func(int) seeding.Subject
		own    func(*fake) seeding.Subject // stays rejected
	}{
		"registrants": {newODK, ofRegistrant, func(f *fake) seeding.Subject {
			f.fill(1, time.Minute)
			f.refused = []string{f.central.list[0].ID}
			return seeding.Subject{Submission: f.central.list[0].ID}
		}},
		"submissions": {newFake, ofSubmission, func(f *fake) seeding.Subject {
			f.add(1)
			return seeding.Member{Registrant: 1, Identifier: 11}.Subject()
		}},
	} {
		for _, n := range []int{0, 1, rejectionsAtOnce, 2*rejectionsAtOnce + 1} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				f := c.fake()
				own := c.own(f)
				rejected := func(connector string, subject seeding.Subject) {
					f.rejections = append(f.rejections, seeding.Rejection{
						Registry: f.connector.RegistryKey(), Connector: connector, Subject: subject, Received: dawn,
						Kind: seeding.NoToken, Configured: 3, Attempts: 1, Since: earlier, Next: f.now.Add(24 * time.Hour), Version: 1,
					})
				}
				for i := range n {
					rejected("c", c.before(i))
				}
				rejected("c", own)
				rejected("d", c.before(n))
				f.state.Due = f.now
				if err := f.work(t); err != nil {
					t.Fatal(err)
				}
				of := map[seeding.Subject]string{}
				for _, r := range f.rejections {
					of[r.Subject] = r.Connector
				}
				if len(of) != 2 || of[own] != "c" || of[c.before(n)] != "d" {
					t.Errorf("%d are left: %v", len(of), of)
				}
				if len(f.runs) != 1 || f.counted == nil || f.counted.Total != 1 {
					t.Errorf("%d runs, counted %+v", len(f.runs), f.counted)
				}
			})
		}
	}
}

// What cannot be deleted is not forgotten by a run that begins without it.
func TestARunBeginsOnceTheSourceBeforeIsForgotten(t *testing.T) {
	f := newFake()
	f.add(1)
	f.state.Due = f.now
	f.rejections = []seeding.Rejection{{Registry: f.connector.RegistryKey(), Connector: "c", Subject: seeding.Subject{Submission: "uuid:1"}, Kind: seeding.Refused, Version: 1}}
	f.during["ListRejections"] = func() error { return fmt.Errorf("storage failed") }
	if err := f.work(t); err == nil || len(f.runs) != 0 {
		t.Errorf("%v, %d runs", err, len(f.runs))
	}
	delete(f.during, "ListRejections")
	f.now = f.now.Add(time.Hour)
	if err := f.work(t); err != nil || len(f.runs) == 0 || len(f.rejections) != 0 {
		t.Errorf("%v, %d runs, %v", err, len(f.runs), f.rejections)
	}
}
