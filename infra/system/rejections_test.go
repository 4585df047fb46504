package system_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// facts/mts.md D8: the first hundred were taken again and again, so that those who
// never got a token kept everybody behind them waiting. Here who is rejected, for its
// data or by MOSIP, stands in nobody's way and is not sent again before its time.
func TestD08RejectedRegistrantsKeepNobodyWaiting(t *testing.T) {
	w := newWorld(t, options{})
	refused := w.addRefused(120)
	for i := range 300 { // stand first, and lack what MTS demands
		id := w.registry.AddRegistrant(odoosim.Registrant{Name: "X", GivenName: fmt.Sprintf("Jo %d", i), Gender: "Male", Address: "Street"})
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(int64(500000+i), 1, odoosim.Normal)})
	}
	ids := w.addRegistrants(60)
	before := w.now()
	c := w.connector(nil)
	w.finish(20, c)
	w.checkInvariants(c, before)
	for _, id := range ids {
		if w.tokenOf(id) == "" {
			t.Errorf("registrant %d waits", id)
		}
	}
	byKind, _ := w.rejections(c)
	expect(t, "rejected for want of a date of birth", byKind["invalid ATS-REQ-012"], 300)
	expect(t, "refused by MOSIP", len(w.rejectedAs(c, seeding.Refused)), len(refused))
	expect(t, "records at MTS", w.mts.Counters().RecordsReceived, 60+len(refused))
	w.finishNextRun(20, c)
	expect(t, "records at MTS after another run", w.mts.Counters().RecordsReceived, 60+len(refused))
}

// rejectedAs are the registrants that are rejected for a kind of reason.
func (w *world) rejectedAs(c seeding.Connector, kind seeding.RejectionKind) (registrants []int64) {
	w.Helper()
	_, all := w.rejections(c)
	for id, r := range all {
		if r.Kind == kind {
			registrants = append(registrants, id)
		}
	}
	return registrants
}

// A rejection lives as long as its cause, or until somebody says try again.
func TestRejectionsEndWithTheirCause(t *testing.T) {
	w := newWorld(t, options{})
	e := w.registry.Populate(300, 5)
	before := w.now()
	c := w.connector(nil)
	w.finish(20, c)
	posts := func() int { return w.mts.Counters().RecordsReceived }
	sent := posts()
	w.finishNextRun(20, c)
	expect(t, "sent again though nothing changed", posts()-sent, 0)

	_, all := w.rejections(c)
	refused := 0
	for _, r := range all {
		if r.Kind == seeding.Refused {
			refused++
		}
	}
	sent = posts()
	if err := w.store.Retry(t.Context(), c.ID, seeding.Group{Kind: seeding.Refused}, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.finishNextRun(20, c)
	expect(t, "sent again by hand, of a kind", posts()-sent, refused)
	_, now := w.rejections(c)
	for id, r := range now {
		if r.Kind == seeding.Refused && r.Attempts != all[id].Attempts+1 {
			t.Errorf("attempts of %d: %d", id, r.Attempts)
		}
	}

	var one seeding.Rejection
	for _, r := range now {
		if r.Kind == seeding.Duplicate {
			one = r
		}
	}
	sent = posts()
	missing := one
	missing.Identifier = 999999
	found, err := w.store.RetryRejections(t.Context(), []seeding.Rejection{one, missing}, w.clock.Now(), seeding.Change{Connector: c.ID, ID: "again", At: w.clock.Now(), Kind: seeding.ChangeRetry})
	if err != nil || found != 1 {
		t.Fatalf("%d, %v", found, err)
	}
	w.finishNextRun(20, c)
	expect(t, "sent again by hand, one", posts()-sent, 1)

	// The holder of the duplicate's token goes: it is a duplicate no more.
	w.registry.DeleteRegistrant(one.Holder)
	w.finishNextRun(20, c)
	expect(t, "token of the duplicate", w.tokenOf(one.Registrant), mtssim.Token(before.VID(one.Registrant)))

	// Another setting may let pass what was rejected.
	c = w.change(c, func(c *seeding.Connector) { c.Source.Mandatory = []string{"name", "gender", "fullAddress"} })
	w.finishNextRun(20, c)
	byKind, _ := w.rejections(c)
	expect(t, "invalid for want of a date of birth", byKind["invalid ATS-REQ-012"], 0)
	expect(t, "invalid for want of a gender", byKind["invalid ATS-REQ-011"], e.Invalid[odoosim.NoGender])
}

// A registrant that was sent alone and lost is sent once more at once, and then
// waits as rejected, whatever it was rejected for before.
func TestLostAloneTwice(t *testing.T) {
	for name, refused := range map[string]bool{"never rejected": false, "refused before": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			ids := w.addRegistrants(3)
			target := ids[1]
			if refused {
				w.registry.SetVID(target, odoosim.DemoVID(1001, 1, odoosim.Refused))
			}
			c := w.connector(func(c *seeding.Connector) { c.MTS.BatchMaximum = 1 })
			lose := func(_ *http.Request, body []byte) bool {
				return strings.Contains(string(body), fmt.Sprintf(`"%d.`, target))
			}
			if refused {
				w.finish(30, c)
				if err := w.store.Retry(t.Context(), c.ID, seeding.Group{}, w.clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
			w.withhold = lose
			_, before := w.batches(c)
			w.finish(60, c)
			_, states := w.batches(c)
			expect(t, "batches lost", states[seeding.Lost]-before[seeding.Lost], 2)
			expect(t, "tokenised", w.tokenised(), 2)
			_, all := w.rejections(c)
			r := all[target]
			expect(t, "kind", r.Kind, seeding.NoToken)
			expect(t, "attempts", r.Attempts, 2)
			expect(t, "wait", r.Next.Sub(r.LastAttempt), time.Hour)
			runs, _, err := w.store.ListRuns(t.Context(), c.ID, "", 1)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "passes", runs[0].Passes, 2)
			expect(t, "pending", runs[0].Totals.Pending(), 1) // of the first loss
			expect(t, "no token", runs[0].Totals.NoToken, 1)
			w.withhold = nil
			w.registry.SetVID(target, odoosim.DemoVID(1001, 1, odoosim.Normal))
			w.finishNextRun(30, c)
			expect(t, "tokenised before the wait is over", w.tokenised(), 2)
			w.finishNextRun(30, c)
			expect(t, "tokenised in the end", w.tokenised(), 3)
		})
	}
}

// A new key of fingerprints makes nobody's data look changed while the old one
// is there. When it is gone they count as changed, once.
func TestNewFingerprintKey(t *testing.T) {
	w := newWorld(t, options{})
	e := w.registry.Populate(300, 5)
	keys := &keyring{{ID: "first", Secret: []byte("first")}}
	w.submitter.FingerprintKeys = keys
	c := w.connector(nil)
	w.finish(20, c)
	_, all := w.rejections(c)
	expect(t, "rejected", len(all), e.Rejected())
	sent := func() int {
		before := w.mts.Counters().RecordsReceived
		w.finishNextRun(20, c)
		return w.mts.Counters().RecordsReceived - before
	}
	*keys = append(*keys, seeding.Key{ID: "second", Secret: []byte("second")})
	expect(t, "sent again with a new key", sent(), 0)
	*keys = (*keys)[1:]
	again := 0
	for _, r := range all {
		if r.Kind == seeding.Refused || r.Kind == seeding.Duplicate {
			again++
		}
	}
	expect(t, "sent again without the old key", sent(), again)
	expect(t, "sent again after that", sent(), 0)
	_, all = w.rejections(c)
	for id, r := range all {
		expect(t, fmt.Sprintf("attempts of %d", id), r.Attempts, 2)
	}
}

// keyring is a keyring in memory; the last key is current.
type keyring []seeding.Key

func (k *keyring) Current(context.Context) (seeding.Key, error) { return (*k)[len(*k)-1], nil }

func (k *keyring) ByID(_ context.Context, id string) (seeding.Key, error) {
	for _, key := range *k {
		if key.ID == id {
			return key, nil
		}
	}
	return seeding.Key{}, seeding.ErrNotFound
}

// What a deleted connector left behind disturbs no other connector.
func TestDeletedConnectorLeavesNothingInTheWay(t *testing.T) {
	w := newWorld(t, options{})
	w.setBatchSize(50)
	ids := w.addRegistrants(20)
	w.atFirst(odoosim.Before, "g2p.reg.id", "create", func() { w.registry.SetVID(ids[3], odoosim.DemoVID(888888, 1, odoosim.Normal)) })
	first := w.connector(nil)
	w.finish(20, first)
	_, all := w.rejections(first)
	expect(t, "rejection", all[ids[3]].Kind, seeding.Conflict)
	second := w.connector(nil)
	w.finish(20, second)
	expect(t, "VIDs left while there is a conflict", len(w.vids()), 1)

	state, err := w.store.State(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.DeleteConnector(t.Context(), first.ID, state.Version, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.finishNextRun(20, second)
	expect(t, "VIDs left after the connector is gone", len(w.vids()), 0)
	_, all = w.rejections(first)
	expect(t, "rejections of nobody", len(all), 0)
}
