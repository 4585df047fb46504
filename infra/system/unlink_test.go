package system_test

import (
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// A refused unlink keeps nobody from a token; it is tried once per back-off, and
// when it succeeds the VIDs go and the problem is over.
func TestRefusedUnlinkIsTriedOncePerBackOff(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(250)
	w.registry.Deny("g2p.reg.id", "unlink")
	c := w.connector(func(c *seeding.Connector) { c.Schedule.Interval = 61 * time.Minute }) // longer than the back-off
	w.finish(20, c)
	expect(t, "tokenised", w.tokenised(), 250)
	w.registry.ResetTallies()
	for range 6 { // runs of several pages each
		tries := w.problems(c)[seeding.ProblemUnlink].Attempts
		w.finishNextRun(20, c)
		p := w.problems(c)[seeding.ProblemUnlink]
		expect(t, "tries", p.Attempts, tries+1)
		if !p.Next.After(w.clock.Now().Add(-2 * time.Minute)) {
			t.Errorf("the next try was due %v ago", w.clock.Now().Sub(p.Next))
		}
	}
	expect(t, "unlinks refused in six runs", w.registry.Calls("g2p.reg.id.unlink").Calls, 6)
	expect(t, "VIDs left", len(w.vids()), 250)
	w.registry.Allow("g2p.reg.id", "unlink")
	w.finishNextRun(20, c)
	expect(t, "problems", len(w.problems(c)), 0)
	w.finishNextRun(20, c) // the run before still tried one at a time
	expect(t, "VIDs left", len(w.vids()), 0)
}

// Where the setting leaves VIDs of others alone they stay, and only the VID
// that was sent goes.
func TestVIDsOfOthersStayWhereTheyMust(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: ids[3], Type: odoosim.TokenType, Value: strings.Repeat("6", 36)})
	c := w.connector(func(c *seeding.Connector) { c.Output.RemoveVIDs = false })
	w.finish(20, c)
	w.finishNextRun(20, c)
	expect(t, "VIDs left", len(w.vids()), 1)
	expect(t, "VID of one tokenised by others", w.vidOf(ids[3]).Value != "", true)
	expect(t, "tokens", w.registry.State().Tokens, 20)
}

// Where the setting leaves VIDs of others alone, a VID that was sent still goes
// once the registry lets it, and meanwhile nothing else is done twice.
func TestRefusedUnlinkOfWhatWasSent(t *testing.T) {
	w := newWorld(t, options{})
	w.setBatchSize(50) // so that the first create is for all
	ids := w.addRegistrants(20)
	others, refused, corrected, twice := ids[3], ids[4], ids[5], ids[6]
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: others, Type: odoosim.TokenType, Value: strings.Repeat("6", 36)})
	w.registry.SetVID(refused, odoosim.DemoVID(424242, 1, 94))
	w.registry.Deny("g2p.reg.id", "unlink")
	w.atFirst(odoosim.Checked, "g2p.reg.id", "create", func() {
		w.registry.SetVID(corrected, odoosim.DemoVID(777777, 1, odoosim.Normal))
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: twice, Type: odoosim.TokenType, Value: strings.Repeat("8", 36)})
	})
	c := w.connector(func(c *seeding.Connector) { c.Output.RemoveVIDs = false })
	hour := func() {
		for range 60 {
			w.tick()
		}
	}
	hour()
	expect(t, "tokenised", w.tokenised(), 19)
	expect(t, "VIDs while it is refused", len(w.vids()), 20)
	_, stands := w.problems(c)[seeding.ProblemUnlink]
	expect(t, "problem", stands, true)

	for i, id := range w.addRegistrants(60) { // come while it stands: other answers that wait
		w.registry.SetVID(id, odoosim.DemoVID(int64(5000+i), 1, odoosim.Normal))
	}
	w.clock.Advance(24 * time.Hour)
	w.tick()
	expect(t, "tokenised though the problem stands", w.tokenised(), 79)
	w.registry.ResetTallies()
	hour()
	hour()
	if tries := w.registry.Calls("g2p.reg.id.unlink").Calls; tries < 1 || tries > 3 {
		t.Errorf("tried %d times in two hours", tries)
	}
	if looks := w.registry.Calls("g2p.reg.id.search_read").Calls; looks > 60 {
		t.Errorf("looked up %d times in two hours", looks)
	}
	_, all := w.rejections(c)
	expect(t, "rejections", len(all), 3)
	if err := w.store.Retry(t.Context(), c.ID, seeding.Group{Kind: seeding.Refused}, w.clock.Now()); err != nil {
		t.Fatal(err)
	}

	w.registry.Allow("g2p.reg.id", "unlink")
	hour()
	w.finish(20, c)
	expect(t, "problems", len(w.problems(c)), 0)
	for id, vid := range w.vids() {
		if id != others && id != refused && id != corrected && id != twice {
			t.Errorf("registrant %d still has the VID that was sent, ending in %s", id, vid[12:])
		}
	}
	expect(t, "VIDs left", len(w.vids()), 4)
	_, all = w.rejections(c)
	expect(t, "rejections", len(all), 3)
	expect(t, "code of the corrected", all[corrected].Code, seeding.CodeVIDChanged)
	expect(t, "code of the one with two tokens", all[twice].Code, seeding.CodeOtherToken)
	expect(t, "attempts of the refused", all[refused].Attempts, 3) // the first, a day later, by hand
	sum := 0
	batches, _ := w.batches(c)
	for _, b := range batches {
		sum += b.Totals.Tokenised
	}
	expect(t, "tokenised in the totals", sum, 78)
	w.checkSent(1)
}

// A refused unlink is over as well when people have removed the VIDs.
func TestRefusedUnlinkIsOverWithoutVIDs(t *testing.T) {
	for name, setting := range map[string]bool{"of all": true, "of what was sent": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			ids := w.addRegistrants(20)
			w.registry.Deny("g2p.reg.id", "unlink")
			c := w.connector(func(c *seeding.Connector) { c.Output.RemoveVIDs = setting })
			w.tick()
			since := w.problems(c)[seeding.ProblemUnlink].Since
			for range 250 { // four hourly runs
				w.tick()
			}
			expect(t, "no problem", since.IsZero(), false)
			expect(t, "beginning of the problem", w.problems(c)[seeding.ProblemUnlink].Since, since)
			for _, id := range ids {
				w.registry.DeleteIdentifier(w.vidOf(id).ID)
			}
			for range 190 {
				w.tick()
			}
			expect(t, "problems", len(w.problems(c)), 0)
			w.checkInvariants(c)
		})
	}
}
