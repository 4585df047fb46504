package system_test

import (
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// Registrars go on working while a batch is under way.
func TestNoTokenReachesSomebodyElse(t *testing.T) {
	other := odoosim.DemoVID(777777, 1, odoosim.Normal)
	regID, create, unlink := "g2p.reg.id", "create", "unlink"
	merge := func(w *world, id int64) {
		w.registry.DeleteIdentifier(w.vidOf(id + 1).ID)
		w.registry.MoveIdentifier(w.vidOf(id).ID, id+1)
	}
	cases := map[string]struct {
		// at is when the change comes: before the patcher looks, or after it
		// looked and before it creates or removes.
		method string
		change func(w *world, registrant int64)
		verify func(t *testing.T, w *world, c seeding.Connector, registrant int64)
	}{
		"VID corrected before the answer": {"", func(w *world, id int64) { w.registry.SetVID(id, other) },
			func(t *testing.T, w *world, _ seeding.Connector, id int64) {
				expect(t, "token", w.tokenOf(id), mtssim.Token(other))
			}},
		"VID replaced before the answer": {"", func(w *world, id int64) {
			w.registry.DeleteIdentifier(w.vidOf(id).ID)
			w.registry.SetVID(id, other)
		}, func(t *testing.T, w *world, _ seeding.Connector, id int64) {
			expect(t, "token", w.tokenOf(id), mtssim.Token(other))
		}},
		"registrant deleted before the answer": {"", func(w *world, id int64) { w.registry.DeleteRegistrant(id) },
			func(t *testing.T, w *world, _ seeding.Connector, id int64) {
				expect(t, "identifiers", len(w.registry.Identifiers(id)), 0)
			}},
		"registrant deleted before the create": {create, func(w *world, id int64) { w.registry.DeleteRegistrant(id) },
			func(t *testing.T, w *world, _ seeding.Connector, id int64) {
				expect(t, "identifiers", len(w.registry.Identifiers(id)), 0)
			}},
		"VID moved to another registrant": {"", func(w *world, id int64) {
			vid := w.vidOf(id)
			w.registry.DeleteIdentifier(vid.ID)
			w.registry.SetVID(id+1, vid.Value)
		}, func(t *testing.T, w *world, _ seeding.Connector, id int64) {
			expect(t, "token of the one without a VID", w.tokenOf(id), "")
			if token := w.tokenOf(id + 1); token != mtssim.Token(w.start.VID(id)) && token != mtssim.Token(w.start.VID(id+1)) {
				t.Error("the neighbour has a token of neither VID")
			}
		}},
		// A merge in Odoo: the identifier keeps its id and has another registrant.
		// The row was made for registrant and identifier together, so it fits
		// neither of the two; who has the VID now is asked for anew.
		"registrant merged into another before the answer": {"", merge,
			func(t *testing.T, w *world, _ seeding.Connector, id int64) {
				expect(t, "token of the one that was sent", w.tokenOf(id), "")
				expect(t, "token of the one that has the VID now", w.tokenOf(id+1), mtssim.Token(w.start.VID(id)))
				expect(t, "VIDs left", len(w.vids()), 0)
				expect(t, "times that the VID was sent", w.mts.TokensGiven()[w.start.VID(id)], 2)
			}},
		"registrant merged into another before the create": {create, merge,
			func(t *testing.T, w *world, c seeding.Connector, id int64) {
				// Too late to stop the create; the VID stays, and who looks after
				// the registrant that has it now is rejected, with a reason.
				expect(t, "VID of the one that has it now", w.vidOf(id+1).Value, w.start.VID(id))
				_, all := w.rejections(c)
				expect(t, "code", all[id+1].Code, seeding.CodeVIDChanged)
				expect(t, "rejected identifier", all[id+1].Identifier, w.vidOf(id+1).ID)
			}},
		"VID corrected before the create": {create, func(w *world, id int64) { w.registry.SetVID(id, other) },
			func(t *testing.T, w *world, c seeding.Connector, id int64) {
				// Odoo has no conditional write: the token of the VID that was sent
				// is there, the corrected VID too, and a rejection says so.
				expect(t, "corrected VID", w.vidOf(id).Value, other)
				_, all := w.rejections(c)
				expect(t, "rejection", all[id].Kind, seeding.Conflict)
				expect(t, "code", all[id].Code, seeding.CodeVIDChanged)
			}},
		"tokenised by somebody else before the create": {create, func(w *world, id int64) {
			w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: strings.Repeat("7", 36)})
		}, func(t *testing.T, w *world, c seeding.Connector, id int64) {
			expect(t, "token", w.tokenOf(id), strings.Repeat("7", 36))
		}},
		"VID replaced before the create": {create, func(w *world, id int64) {
			w.registry.DeleteIdentifier(w.vidOf(id).ID)
			w.registry.SetVID(id, other)
		}, func(t *testing.T, w *world, c seeding.Connector, id int64) {
			w.finishNextRun(20, c)
			expect(t, "new VID", w.vidOf(id).Value, other)
			_, all := w.rejections(c)
			expect(t, "code", all[id].Code, seeding.CodeVIDChanged)
			expect(t, "rejected identifier", all[id].Identifier, w.vidOf(id).ID)
		}},
		"tokenised by somebody else before the answer": {"", func(w *world, id int64) {
			w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: strings.Repeat("7", 36)})
		}, func(t *testing.T, w *world, c seeding.Connector, id int64) {
			w.finishNextRun(20, c)
			expect(t, "identifiers", len(w.registry.Identifiers(id)), 2)
			expect(t, "token", w.tokenOf(id), strings.Repeat("7", 36))
			_, all := w.rejections(c)
			expect(t, "code", all[id].Code, seeding.CodeOtherToken)
			for _, i := range w.registry.Identifiers(id) { // somebody decides that it was wrong
				if i.Type == odoosim.TokenType {
					w.registry.DeleteIdentifier(i.ID)
				}
			}
			w.finishNextRun(20, c)
			expect(t, "token once the conflict is over", w.tokenOf(id), mtssim.Token(w.start.VID(id)))
			_, all = w.rejections(c)
			expect(t, "rejections once the conflict is over", len(all), 0)
		}},
		"registrant deleted before the unlink": {unlink, func(w *world, id int64) { w.registry.DeleteRegistrant(id) },
			func(t *testing.T, w *world, _ seeding.Connector, id int64) {
				expect(t, "identifiers", len(w.registry.Identifiers(id)), 0)
			}},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.setBatchSize(50)
			ids := w.addRegistrants(30)
			before := w.now()
			w.start = before
			target := ids[7]
			if f.method == "" {
				w.atFirstCallback(func() { f.change(w, target) })
			} else {
				w.atFirst(odoosim.Before, regID, f.method, func() { f.change(w, target) })
			}
			c := w.connector(nil)
			w.finish(30, c)
			w.changedByOthers = map[int64]bool{target: true, target + 1: true}
			w.checkInvariants(c, before)
			for _, id := range ids {
				if id != target && id != target+1 && w.tokenOf(id) != mtssim.Token(before.VID(id)) {
					t.Errorf("registrant %d has not its token", id)
				}
			}
			f.verify(t, w, c, target)
		})
	}
}

// A VID that is corrected after the create whose reply is lost stays, and shows:
// the next attempt finds its token there, and nobody has looked again.
func TestCorrectedVIDIsNotTakenForTheOneThatWasSent(t *testing.T) {
	t.Parallel()
	other := odoosim.DemoVID(777777, 1, odoosim.Normal)
	for _, remove := range []bool{true, false} {
		w := newWorld(t, options{})
		w.setBatchSize(50)
		ids := w.addRegistrants(20)
		w.registry.Inject(odoosim.Fault{Model: "g2p.reg.id", Method: "create", Times: 1, Point: odoosim.Reply, Outcome: odoosim.Closed})
		w.atFirst(odoosim.After, "g2p.reg.id", "create", func() { w.registry.SetVID(ids[3], other) })
		c := w.connector(func(c *seeding.Connector) { c.Output.RemoveVIDs = remove })
		w.finish(20, c)
		w.finishNextRun(20, c)
		expect(t, "corrected VID", w.vidOf(ids[3]).Value, other)
		expect(t, "VIDs left", len(w.vids()), 1)
		expect(t, "tokens", w.registry.State().Tokens, 20)
		_, all := w.rejections(c)
		expect(t, "rejections", len(all), 1)
		expect(t, "code", all[ids[3]].Code, seeding.CodeVIDChanged)
	}
}

// Odoo's one-identifier rule races (facts/odoo.md A6): somebody else's token may
// pass its check beside ours. Nothing is removed then, and a rejection says so.
func TestSecondWriterAtTheSameMoment(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	target := ids[4]
	w.changedByOthers = map[int64]bool{target: true}
	before := w.now()
	w.atFirst(odoosim.Checked, "g2p.reg.id", "create", func() {
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: target, Type: odoosim.TokenType, Value: strings.Repeat("8", 36)})
	})
	c := w.connector(nil)
	w.finish(20, c)
	w.checkInvariants(c, before)
	_, all := w.rejections(c)
	expect(t, "rejection", all[target].Kind, seeding.Conflict)
	expect(t, "VID", w.vidOf(target).Value, before.VID(target))
}

// Nothing that a registrar does makes a rejection stand for ever, or takes a VID
// from somebody without a token.
func TestRegistrarsAtWork(t *testing.T) {
	cases := map[string]struct {
		change  func(w *world, registrant int64) // of one who lacks a date of birth
		code    string                           // of the rejection then, "" for none
		vid     bool                             // whether the VID is still there
		repair  func(w *world, registrant int64)
		without bool // a token in the end
	}{
		"the VID is deleted": {
			func(w *world, id int64) { w.registry.DeleteIdentifier(w.vidOf(id).ID) }, "", false,
			func(w *world, id int64) { w.registry.SetVID(id, odoosim.DemoVID(555555, 1, odoosim.Normal)) }, false},
		"the registrant is none any more": {
			func(w *world, id int64) { w.registry.SetRegistrant(id, map[string]any{"is_registrant": false}) }, "", true,
			func(w *world, id int64) { w.registry.SetRegistrant(id, map[string]any{"is_registrant": true}) }, false},
		"the registrant is deleted": {
			func(w *world, id int64) { w.registry.DeleteRegistrant(id) }, "", false, func(*world, int64) {}, true},
		"a token identifier without a value": {
			func(w *world, id int64) {
				w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType})
			}, seeding.CodeEmptyHeld, true,
			func(w *world, id int64) {
				for _, i := range w.registry.Identifiers(id) {
					if i.Type == odoosim.TokenType {
						w.registry.DeleteIdentifier(i.ID)
					}
				}
			}, false},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			ids := w.addRegistrants(120) // more than one page
			target := ids[60]
			w.registry.SetRegistrant(target, map[string]any{"birthdate": nil})
			c := w.connector(nil)
			w.finish(20, c)
			_, all := w.rejections(c)
			expect(t, "code before", all[target].Code, "ATS-REQ-012")

			f.change(w, target)
			for range 2 { // the second run changes nothing
				w.finishNextRun(20, c)
				byKind, all := w.rejections(c)
				expect(t, "code", all[target].Code, f.code)
				if f.code != "" {
					expect(t, "rejections", len(byKind), 1)
					expect(t, "version of the rejection", all[target].Version, 2)
				}
				expect(t, "VID", w.vidOf(target).Value != "", f.vid)
			}
			f.repair(w, target)
			w.registry.SetRegistrant(target, map[string]any{"birthdate": "1980-01-01"})
			w.finishNextRun(20, c)
			_, all = w.rejections(c)
			expect(t, "rejections in the end", len(all), 0)
			expect(t, "token in the end", w.tokenOf(target) == "", f.without)
		})
	}
}

// A registrant with two VIDs, which Odoo's rule lets through when it races, is
// sent once and is nobody's duplicate.
func TestTwoVIDsOfOneRegistrant(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: ids[3], Type: odoosim.VIDType, Value: odoosim.DemoVID(1003, 2, odoosim.Normal)})
	c := w.connector(nil)
	w.finish(20, c)
	w.finishNextRun(20, c)
	expect(t, "records at MTS", w.mts.Counters().RecordsReceived, 20)
	expect(t, "tokens", w.registry.State().Tokens, 20)
	expect(t, "VIDs left", len(w.vids()), 0)
	_, all := w.rejections(c)
	expect(t, "rejections", len(all), 0)
}

// Of two registrants of one person the second is no duplicate when the first got
// nothing.
func TestSecondRegistrantOfAPersonWhoseFirstGotNothing(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	w.registry.SetVID(ids[9], odoosim.DemoVID(1003, 2, odoosim.Normal)) // the person of ids[3]
	before := w.now()
	w.atFirst(odoosim.Before, "g2p.reg.id", "create", func() { w.registry.DeleteRegistrant(ids[3]) })
	c := w.connector(nil)
	w.finish(20, c)
	w.checkInvariants(c, before)
	expect(t, "token of the second", w.tokenOf(ids[9]), mtssim.Token(before.VID(ids[9])))
	all, _ := w.batches(c)
	for _, b := range all {
		expect(t, "duplicates", b.Totals.Duplicate, 0)
	}
}
