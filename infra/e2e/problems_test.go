package e2e_test

import (
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// A refusal that has nothing to do with a registrant's data rejects no registrant.
// The connector shows a problem, and continues by itself when the cause is removed.
func TestProblemsAreShownRejectNobodyAndEnd(t *testing.T) {
	t.Parallel()
	refusal := func(code string) func(*world) {
		return func(w *world) {
			w.mts.SetFaults(mtssim.Faults{Refusal: &mtssim.Refusal{Code: code, Message: "refused"}})
		}
	}
	healthy := func(w *world) { w.mts.SetFaults(mtssim.Faults{}) }
	cases := map[string]struct {
		source          seeding.Source
		provoke, repair func(w *world)
	}{
		"create denied": {seeding.ProblemWrite,
			func(w *world) { w.registry.Deny("g2p.reg.id", "create") }, func(w *world) { w.registry.Allow("g2p.reg.id", "create") }},
		"read denied": {seeding.ProblemRead,
			func(w *world) { w.registry.Deny("res.partner", "read") }, func(w *world) { w.registry.Allow("res.partner", "read") }},
		"VID type renamed": {seeding.ProblemTypes,
			func(w *world) { w.registry.RenameType(odoosim.VIDType, "VID") }, func(w *world) { w.registry.RenameType(odoosim.VIDType, "MOSIP VID") }},
		"token type renamed": {seeding.ProblemTypes,
			func(w *world) { w.registry.RenameType(odoosim.TokenType, "T") }, func(w *world) { w.registry.RenameType(odoosim.TokenType, "MOSIP UIN TOKEN") }},
		"password changed": {seeding.ProblemSignIn,
			func(w *world) { w.registry.SetPassword("admin", "another") }, func(w *world) { w.registry.SetPassword("admin", w.password) }},
		"registry down": {seeding.ProblemRegistry,
			func(w *world) { w.registry.SetDown(true) }, func(w *world) { w.registry.SetDown(false) }},
		"licence expired":               {seeding.ProblemIdentity, refusal("IDA-MPA-005"), healthy},
		"identity service out of reach": {seeding.ProblemIdentity, refusal("AUT_BAS_001"), healthy},
	}
	for name, p := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			ids := w.addRegistrants(60)
			p.provoke(w)
			c := w.createStarted()
			c.waitForProblem(p.source)
			w.ticks(4) // and it keeps trying, with single registrants
			expect(t, "rejections", len(c.rejections()), 0)
			expect(t, "tokens", w.tokenised(), 0)
			p.repair(w)
			c.waitForNoProblem()
			c.until("everybody is tokenised", func() bool { return w.registry.State().VIDs == 0 && c.idle() })
			w.checkTokenised(ids)
			expect(t, "rejections after all", len(c.rejections()), 0)
			expect(t, "problems after all", len(c.document().Problems), 0)
		})
	}
}

// Without the right to remove identifiers the tokens are written all the same; the
// VIDs are removed when the right is given.
func TestVIDsAreRemovedOnceTheRightIsGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	ids := w.addRegistrants(60)
	w.registry.Deny("g2p.reg.id", "unlink")
	c := w.createStarted()
	c.waitForProblem(seeding.ProblemUnlink)
	c.waitForRuns(1)
	w.checkInvariants()
	expect(t, "tokens", w.tokenised(), len(ids))
	expect(t, "VIDs", w.registry.State().VIDs, len(ids))

	// The next run finds the same, and sends no registrant.
	posts := len(w.recorder.all())
	c.makeDue()
	c.waitForRuns(2)
	expect(t, "VIDs after a second run", w.registry.State().VIDs, len(ids))
	c.waitForProblem(seeding.ProblemUnlink)

	w.registry.Allow("g2p.reg.id", "unlink")
	c.until("the VIDs are removed", func() bool {
		if w.registry.State().VIDs > 0 && c.idle() {
			c.makeDue()
		}
		return w.registry.State().VIDs == 0 && c.idle()
	})
	c.waitForNoProblem()
	w.checkTokenised(ids)
	expect(t, "POSTs since the first run", len(w.recorder.all())-posts, 0)
	expect(t, "rejections", len(c.rejections()), 0)
}
