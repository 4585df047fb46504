package submit

import (
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// What a pass has read is the count of rejections at its end, unless it sent somebody:
// then they are counted anew, because answers came meanwhile.
func TestRejectionsAreCountedByThePassThatReadsThem(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fake)
		total  int
		anew   bool
	}{
		"nobody is rejected": {func(f *fake) { f.vids, f.rejections = nil, nil }, 0, false},
		"all stay rejected":  {func(*fake) {}, 2500, false},
		"one is gone, one is another's": {func(f *fake) {
			f.vids = f.vids[1:]
			another := f.rejections[5]
			another.Connector = "d"
			f.rejections = append(f.rejections, another)
		}, 2499, false},
		"one has its token now": {func(f *fake) {
			f.tokens = []seeding.Identifier{{ID: 9, Registrant: 3, Value: "1234567890123456789012345"}}
		}, 2499, false},
		"one lacks what MTS demands": {func(f *fake) {
			f.connector.Source.Mandatory, f.rejections = []string{"name"}, f.rejections[1:]
			delete(f.records[1], "name")
		}, 2500, false},
		"somebody is sent, and is answered": {func(f *fake) { f.add(9000) }, 2500, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.now = now.Add(123 * time.Microsecond) // which no store keeps
			f.state.Due = f.now
			for i := range int64(2500) {
				f.add(i + 1)
				f.rejections = append(f.rejections, seeding.Rejection{
					Registry: f.connector.RegistryKey(), Connector: "c", Subject: seeding.Member{Registrant: i + 1, Identifier: 11 + i}.Subject(),
					Kind: seeding.NoToken, Configured: 3, Attempts: 1, Since: earlier, Next: now.Add(24 * time.Hour), Version: 1,
				})
			}
			c.change(f)
			var sent []seeding.Batch
			f.during["HasAnswer"] = func() error { return nil }
			f.during["OpenBatches"] = func() error { // answered at once
				for _, b := range f.open {
					if b.State == seeding.Submitted {
						b.State, b.Closed, b.Totals = seeding.Patched, f.now, seeding.Totals{Sent: b.Count, Tokenised: b.Count}
						sent = append(sent, b)
						return f.Close(t.Context(), b)
					}
				}
				return nil
			}
			if err := f.work(t); err != nil {
				t.Fatal(err)
			}
			if f.counted == nil || f.counted.Total != c.total || f.counted.At.IsZero() {
				t.Errorf("counted %+v, want %d", f.counted, c.total)
			}
			// The first call is before the run: it finds none of submissions.
			if anew := len(f.called("ListRejections")) > 1; anew != c.anew || anew != (len(sent) > 0) {
				t.Errorf("counted anew: %v; %d batches", anew, len(sent))
			}
		})
	}
}
