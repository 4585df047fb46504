package e2e_test

import (
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// A refusal that has nothing to do with anybody's data rejects nobody. It
// shows, and when it is mended all goes on by itself.
func TestProblemsShowRejectNobodyAndEnd(t *testing.T) {
	t.Parallel()
	refusal := func(code string) func(*world) {
		return func(w *world) {
			w.seeder.SetFaults(mtssim.Faults{Refusal: &mtssim.Refusal{Code: code, Message: "refused"}})
		}
	}
	healthy := func(w *world) { w.seeder.SetFaults(mtssim.Faults{}) }
	cases := map[string]struct {
		source        seeding.Source
		provoke, mend func(w *world)
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
			ids := w.plain(60)
			p.provoke(w)
			c := w.started()
			c.shows(p.source)
			w.ticks(4) // and goes on trying, with single registrants
			expect(t, "rejections", len(c.rejections()), 0)
			expect(t, "tokens", w.tokenised(), 0)
			p.mend(w)
			c.isClear()
			c.until("everybody is tokenised", func() bool { return w.registry.State().VIDs == 0 && c.quiet() })
			w.done(ids)
			expect(t, "rejections after all", len(c.rejections()), 0)
			expect(t, "problems after all", len(c.view().Problems), 0)
		})
	}
}

// Without the right to remove identifiers tokens are written all the same; the
// VIDs follow when the right is there.
func TestVIDsAreRemovedWhenTheyMayBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	ids := w.plain(60)
	w.registry.Deny("g2p.reg.id", "unlink")
	c := w.started()
	c.shows(seeding.ProblemUnlink)
	c.settled(1)
	w.check()
	expect(t, "tokens", w.tokenised(), len(ids))
	expect(t, "VIDs", w.registry.State().VIDs, len(ids))

	// The next run finds the same, and sends nobody.
	posts := len(w.front.all())
	c.again()
	c.settled(2)
	expect(t, "VIDs after a second run", w.registry.State().VIDs, len(ids))
	c.shows(seeding.ProblemUnlink)

	w.registry.Allow("g2p.reg.id", "unlink")
	c.until("the VIDs are gone", func() bool {
		if w.registry.State().VIDs > 0 && c.quiet() {
			c.again()
		}
		return w.registry.State().VIDs == 0 && c.quiet()
	})
	c.isClear()
	w.done(ids)
	expect(t, "POSTs since the first run", len(w.front.all())-posts, 0)
	expect(t, "rejections", len(c.rejections()), 0)
}
