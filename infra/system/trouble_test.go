package system_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
		// neither of the two; who holds the VID now is asked for anew.
		"registrant merged into another before the answer": {"", merge,
			func(t *testing.T, w *world, _ seeding.Connector, id int64) {
				expect(t, "token of the one that was sent", w.tokenOf(id), "")
				expect(t, "token of the one that holds the VID now", w.tokenOf(id+1), mtssim.Token(w.start.VID(id)))
				expect(t, "VIDs left", len(w.vids()), 0)
				expect(t, "times that the VID was sent", w.mts.TokensGiven()[w.start.VID(id)], 2)
			}},
		"registrant merged into another before the create": {create, merge,
			func(t *testing.T, w *world, c seeding.Connector, id int64) {
				// Too late to stop the create; the VID stays, and who looks after
				// the registrant that holds it now is told.
				expect(t, "VID of the one that holds it now", w.vidOf(id+1).Value, w.start.VID(id))
				_, all := w.rejections(c)
				expect(t, "code", all[id+1].Code, seeding.CodeVIDChanged)
				expect(t, "rejected identifier", all[id+1].Identifier, w.vidOf(id+1).ID)
			}},
		"VID corrected before the create": {create, func(w *world, id int64) { w.registry.SetVID(id, other) },
			func(t *testing.T, w *world, c seeding.Connector, id int64) {
				// Odoo has no conditional write: the token of the VID that was sent
				// is there, the corrected VID too, and somebody is told.
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
			ids := w.addRegistrants(30)
			before := w.now()
			w.start = before
			target := ids[7]
			if f.method == "" {
				var done sync.Once
				w.onCallback = func(*http.Request) { done.Do(func() { f.change(w, target) }) }
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

// Rows of another batch, brought with a good capability, fit nobody.
func TestRowsOfAnotherBatchFitNobody(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	before := w.now()
	c := w.connector(nil)
	w.finish(20, c)
	// Rows for new registrants, forged without the row key.
	ids := w.addRegistrants(5)
	var rows []string
	for _, id := range ids {
		m := seeding.Member{Registrant: id, Identifier: w.vidOf(id).ID}
		key := seeding.CorrelationKey(m, seeding.RowMAC{1, 2, 3}, seeding.Fingerprint{4})
		rows = append(rows, fmt.Sprintf(`["%s","processed","%036d",null,null]`, key, id))
	}
	expect(t, "status", w.deliver(w.last.Load(), "["+strings.Join(rows, ",")+"]"), http.StatusOK)
	for _, id := range ids {
		expect(t, "token of a registrant that was never sent", w.tokenOf(id), "")
	}
	w.finishNextRun(20, c)
	w.checkInvariants(c, before)
}

// A refusal that has nothing to do with data rejects nobody, shows, and is over
// by itself once it is mended.
func TestProblemsRejectNobodyAndEndByThemselves(t *testing.T) {
	cases := map[string]struct {
		source  seeding.Source
		provoke func(w *world)
		mend    func(w *world)
	}{
		"create denied": {seeding.ProblemWrite,
			func(w *world) { w.registry.Deny("g2p.reg.id", "create") }, func(w *world) { w.registry.Allow("g2p.reg.id", "create") }},
		"read denied": {seeding.ProblemRead,
			func(w *world) { w.registry.Deny("res.partner", "read") }, func(w *world) { w.registry.Allow("res.partner", "read") }},
		"unlink denied": {seeding.ProblemUnlink,
			func(w *world) { w.registry.Deny("g2p.reg.id", "unlink") }, func(w *world) { w.registry.Allow("g2p.reg.id", "unlink") }},
		"VID type renamed": {seeding.ProblemTypes,
			func(w *world) { w.registry.RenameType(odoosim.VIDType, "VID") }, func(w *world) { w.registry.RenameType(odoosim.VIDType, "MOSIP VID") }},
		"token type refuses everything": {seeding.ProblemWrite,
			func(w *world) { w.registry.SetValidation(odoosim.TokenType, `^x$`) }, func(w *world) { w.registry.SetValidation(odoosim.TokenType, "") }},
		"password changed": {seeding.ProblemSignIn,
			func(w *world) { w.registry.SetPassword("admin", "other") }, func(w *world) { w.registry.SetPassword("admin", "admin") }},
		"registry down": {seeding.ProblemRegistry,
			func(w *world) { w.registry.SetDown(true) }, func(w *world) { w.registry.SetDown(false) }},
		"MTS down": {seeding.ProblemMTS,
			func(w *world) { w.mtsDown.Store(true) }, func(w *world) { w.mtsDown.Store(false) }},
		"licence expired": {seeding.ProblemIdentity,
			func(w *world) {
				w.mts.SetFaults(mtssim.Faults{Refusal: &mtssim.Refusal{Code: "IDA-MPA-005", Message: "License of MISP has expired"}})
			}, func(w *world) { w.mts.SetFaults(mtssim.Faults{}) }},
		"identity service down": {seeding.ProblemIdentity,
			func(w *world) {
				w.mts.SetFaults(mtssim.Faults{Refusal: &mtssim.Refusal{Code: "AUT_BAS_001"}})
			}, func(w *world) { w.mts.SetFaults(mtssim.Faults{}) }},
		"password not stored": {seeding.ProblemConfig,
			func(w *world) { w.passwordLost.Store(true) }, func(w *world) { w.passwordLost.Store(false) }},
		"password lost while a batch is under way": {seeding.ProblemConfig,
			func(w *world) { w.onCallback = func(*http.Request) { w.passwordLost.Store(true) } },
			func(w *world) { w.onCallback = nil; w.passwordLost.Store(false) }},
		"MTS never answers": {seeding.ProblemAnswers,
			func(w *world) { w.mts.SetFaults(mtssim.Faults{LoseNext: -1}) }, func(w *world) { w.mts.SetFaults(mtssim.Faults{}) }},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(150)
			before := w.now()
			f.provoke(w)
			c := w.connector(nil)
			for range 240 {
				w.tick()
				if len(w.problems(c)) > 0 {
					break
				}
			}
			p, shown := w.problems(c)[f.source]
			if !shown || p.Text == "" || p.Remedy == "" || p.Since.IsZero() {
				t.Fatalf("problems: %+v", w.problems(c))
			}
			for range 30 {
				w.tick()
			}
			byKind, all := w.rejections(c)
			delete(byKind, "no_token "+seeding.CodeNoAnswer) // lost alone: due again at once
			if f.source != seeding.ProblemWrite || name == "create denied" {
				expect(t, "rejections of kinds "+fmt.Sprint(byKind), len(byKind), 0)
			} else if len(all) > 2 { // before the third it may have been an accident
				t.Errorf("%d rejected", len(all))
			}
			f.mend(w)
			for range 200 {
				w.tick()
				if len(w.vids()) == 0 && len(w.problems(c)) == 0 && w.done(c) {
					break
				}
				if w.done(c) { // nobody starts it again, which would clear the problems
					w.clock.Advance(time.Hour)
				}
			}
			w.checkInvariants(c, before)
			expect(t, "problems left", fmt.Sprint(w.problems(c)), "map[]")
			if waiting := len(w.vids()); waiting > 2 {
				t.Errorf("%d VIDs left", waiting)
			}
		})
	}
}

// Every problem of a running connector is counted by a gauge that rings, and by
// none when it is over.
func TestEveryProblemRings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.connector(nil)
	w.finish(5, c)
	gauges := func() (counted []string) {
		w.Helper()
		if err := w.reconciler.Tick(w.Context()); err != nil {
			w.Fatal(err)
		}
		for _, gauge := range []seeding.Metric{seeding.MetricStalledConnectors, seeding.MetricProblemConnectors, seeding.MetricNeedPerson,
			seeding.MetricUnreachable, seeding.MetricSignInsRefused} {
			if value, _ := w.metrics.Last(gauge); value > 0 {
				counted = append(counted, string(gauge))
			}
		}
		return counted
	}
	for source, want := range map[seeding.Source]string{
		seeding.ProblemRegistry: "[ProblemConnectors UnreachableServers]",
		seeding.ProblemSignIn:   "[ProblemConnectors SignInsRefused]",
		seeding.ProblemRead:     "[ProblemConnectors]",
		seeding.ProblemTypes:    "[ProblemConnectors]",
		seeding.ProblemWrite:    "[ProblemConnectors]",
		seeding.ProblemUnlink:   "[ConnectorsNeedHand]",
		seeding.ProblemMTS:      "[ProblemConnectors UnreachableServers]",
		seeding.ProblemAnswers:  "[ProblemConnectors]",
		seeding.ProblemIdentity: "[ProblemConnectors]",
		seeding.ProblemPolicy:   "[ConnectorsNeedHand]",
		seeding.ProblemConfig:   "[ProblemConnectors]",
	} {
		if err := w.store.RaiseProblem(t.Context(), c.ID, source, seeding.Problem{Text: "x", Since: w.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		expect(t, string(source), fmt.Sprint(gauges()), want)
		if err := w.store.ClearProblems(t.Context(), c.ID, []seeding.Source{source}, w.clock.Now()); err != nil {
			t.Fatal(err)
		}
		expect(t, string(source)+", cleared", fmt.Sprint(gauges()), "[]")
	}
}

// A problem that only an answer would clear is over when nobody is left who
// waits for one, though its cause stands and nobody starts the connector again.
// As long as somebody waits it stays.
func TestProblemsEndWhenNobodyWaits(t *testing.T) {
	cases := map[seeding.Source]func(w *world){
		seeding.ProblemWrite: func(w *world) { w.registry.Deny("g2p.reg.id", "create") },
		seeding.ProblemIdentity: func(w *world) {
			w.mts.SetFaults(mtssim.Faults{Refusal: &mtssim.Refusal{Code: "IDA-MPA-005"}})
		},
		seeding.ProblemAnswers: func(w *world) { w.mts.SetFaults(mtssim.Faults{LoseNext: -1}) },
	}
	for source, provoke := range cases {
		t.Run(string(source), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			ids := w.addRegistrants(3)
			w.setBatchSize(1) // where losses are the fault of MTS
			provoke(w)
			c := w.connector(nil)
			shown := func() bool {
				_, stands := w.problems(c)[source]
				return stands
			}
			for range 240 {
				if w.tick(); shown() {
					break
				}
			}
			since := w.problems(c)[source].Since
			for i := range 120 {
				if w.tick(); !w.problems(c)[source].Since.Equal(since) || since.IsZero() {
					t.Fatalf("the problem is over after %d ticks, and its cause stands", i)
				}
			}
			for _, id := range ids {
				w.registry.DeleteIdentifier(w.vidOf(id).ID)
			}
			for range 150 { // two probes at least, and for answers that go on being lost their deadlines
				w.tick()
			}
			if w.done(c) {
				w.finishNextRun(20, c)
			}
			expect(t, "problems", fmt.Sprint(w.problems(c)), "map[]")
			w.checkInvariants(c)
		})
	}
}

// Nor is a problem over while an answer to a lost batch waits with it, though
// there is nobody to send.
func TestProblemStaysWithALateAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	ids := w.addRegistrants(3)
	withheld := w.withholdFirst()
	c := w.connector(nil)
	w.tick()
	for _, id := range ids {
		w.registry.SetRegistrant(id, map[string]any{"is_registrant": false})
	}
	w.finish(30, c)
	w.registry.Deny("g2p.reg.id", "create")
	w.deliver(withheld.Load(), string(withheld.Load().body))
	since := w.problems(c)[seeding.ProblemWrite].Since
	expect(t, "no problem", since.IsZero(), false)
	for range 150 { // two hourly runs at least
		w.tick()
	}
	expect(t, "beginning of the problem while the answer waits", w.problems(c)[seeding.ProblemWrite].Since, since)
	w.registry.Allow("g2p.reg.id", "create")
	for range 70 {
		w.tick()
	}
	for _, id := range ids {
		expect(t, "token", w.tokenOf(id) == "", false)
	}
	expect(t, "problems", len(w.problems(c)), 0)
}

// A code of the system for a few, while others are answered, is listed with them
// and keeps nobody else: each is sent twice in a run, and then ever more seldom.
func TestSystemCodesOfAFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	ids := w.addRegistrants(60)
	w.registry.SetVID(ids[7], odoosim.DemoVID(700007, 1, 96))
	w.registry.SetVID(ids[8], odoosim.DemoVID(700008, 1, 97))
	c := w.connector(nil)
	w.finish(20, c)
	expect(t, "tokenised", w.tokenised(), 58)
	expect(t, "records at MTS", w.mts.Counters().RecordsReceived, 60+2)
	byKind, all := w.rejections(c)
	expect(t, "rejections", fmt.Sprint(byKind), "map[refused AUT_BAS_001:1 refused IDA-MPA-005:1]")
	if next := all[ids[7]].Next.Sub(w.clock.Now()); next < 50*time.Minute || next > time.Hour {
		t.Errorf("due in %v", next)
	}
	sum := seeding.Totals{}
	batches, _ := w.batches(c)
	for _, b := range batches {
		sum = sum.Plus(b.Totals)
	}
	expect(t, "totals", sum, seeding.Totals{Sent: 62, Tokenised: 58, Refused: 2})
	for start := w.clock.Now(); w.clock.Now().Sub(start) < 24*time.Hour; {
		w.finishNextRun(20, c)
		expect(t, "problems", len(w.problems(c)), 0)
	}
	if more := w.mts.Counters().RecordsReceived - 62; more < 2*3 || more > 2*5 { // after 1, 2, 4, 8 hours and so on
		t.Errorf("%d more records in a day", more)
	}
	w.registry.SetVID(ids[7], odoosim.DemoVID(700007, 2, odoosim.Normal))
	w.registry.SetVID(ids[8], odoosim.DemoVID(700008, 2, odoosim.Normal))
	w.finishNextRun(20, c)
	expect(t, "tokenised once it is mended", w.tokenised(), 60)
	byKind, _ = w.rejections(c)
	expect(t, "rejections", len(byKind), 0)
}

// An identity service that goes away in the middle of a batch costs nobody a
// day: the next pass asks again. If it is still away, that is the problem.
func TestIdentityServiceGoesAwayInABatch(t *testing.T) {
	for name, forLong := range map[string]bool{"for a while": false, "for long": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			var mended atomic.Bool
			w := newWorld(t, options{mts: mtssim.Options{Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
				if n := asked.Add(1); n > 10 && (n <= 30 || forLong) && !mended.Load() {
					return mtssim.Verdict{ErrorCode: "AUT_BAS_001"}
				}
				return mtssim.Rules(ctx, a)
			}}})
			w.addRegistrants(40)
			before := w.now()
			c := w.connector(nil)
			if forLong {
				for range 60 {
					w.tick()
				}
				_, stands := w.problems(c)[seeding.ProblemIdentity]
				expect(t, "problem", stands, true)
				expect(t, "tokenised", w.tokenised(), 10)
				mended.Store(true)
				for range 70 {
					w.tick()
				}
			}
			w.finish(20, c)
			w.checkInvariants(c, before)
			expect(t, "problems", len(w.problems(c)), 0)
			if late := 40 - w.tokenised(); late != 0 && !forLong {
				t.Errorf("%d wait for another day", late)
			} else if late > 8 { // probes while it was away
				t.Errorf("%d wait because they were probes", late)
			}
		})
	}
}

// An answer that waits with a problem is tried once per back-off and not with
// every ring, and at once when a person has changed the configuration.
func TestAnAnswerWaitsWithItsProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addRegistrants(30)
	before := w.now()
	w.registry.Deny("g2p.reg.id", "create")
	c := w.connector(nil)
	for range 60 {
		w.tick()
	}
	if tries := w.registry.Calls("g2p.reg.id.create").Calls; tries < 4 || tries > 8 { // after 0, 1, 3, 7, 15, 31 minutes
		t.Errorf("tried %d times in an hour", tries)
	}
	w.registry.Allow("g2p.reg.id", "create")
	c.Version++
	if err := w.store.ReplaceConnector(t.Context(), c, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.tick()
	expect(t, "tokenised after the change", w.tokenised(), 30)
	w.finish(10, c)
	w.checkInvariants(c, before)
}

// An MTS that is away shows at every connector that needs it, and whoever mends
// it need not wait for the next probe.
func TestMTSThatIsAwayShowsEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addRegistrants(30)
	before := w.now()
	w.mtsDown.Store(true)
	first := w.connector(nil)
	for range 200 {
		w.tick()
	}
	second := w.connector(nil)
	for range 3 {
		w.tick()
	}
	for _, c := range []seeding.Connector{first, second} {
		if _, shown := w.problems(c)[seeding.ProblemMTS]; !shown {
			t.Errorf("problems: %v", w.problems(c))
		}
	}
	w.mtsDown.Store(false)
	if err := w.store.SetStatus(t.Context(), first.ID, seeding.Running, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.tick()
	expect(t, "tokenised once it is started", w.tokenised(), 30)
	w.finish(70, first, second)
	w.checkInvariants(first, before)
	expect(t, "problems left", len(w.problems(first))+len(w.problems(second)), 0)
}

func TestRejectedRegistrantsKeepNobodyWaiting(t *testing.T) {
	w := newWorld(t, options{})
	for i := range 300 { // stand first, and lack what MTS demands
		id := w.registry.AddRegistrant(odoosim.Registrant{Name: "X", GivenName: "Jo", Gender: "Male", Address: "Street"})
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
	expect(t, "records at MTS", w.mts.Counters().RecordsReceived, 60)
}

func TestMTSRestartLosesNobody(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(300)
	before := w.now()
	w.restartWhenFull(w.mts.Forget)
	c := w.connector(nil)
	w.finish(60, c)
	w.checkInvariants(c, before)
	expect(t, "restarts", w.mts.Counters().Restarts, 1)
	_, states := w.batches(c)
	expect(t, "batches lost", states[seeding.Lost], 2)
	expect(t, "tokenised", w.tokenised(), 300)
}

func TestOneRegistrantIsSentByOneConnectorOnce(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(500)
	before := w.now()
	a, b := w.connector(nil), w.connector(nil)
	for range 30 {
		var together sync.WaitGroup
		for range 4 { // ticks doubled and doubled again
			together.Go(func() {
				if err := w.submitter.Tick(t.Context()); err != nil {
					t.Error(err)
				}
				if err := w.reconciler.Tick(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
		w.tick()
		if w.done(a, b) {
			break
		}
	}
	w.checkInvariants(a, before)
	w.checkInvariants(b, before)
	w.checkSent(1)
	expect(t, "tokenised", w.tokenised(), 500)
}

func TestLateAnswerIsStillApplied(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(40)
	before := w.now()
	withheld := w.withholdFirst()
	c := w.connector(nil)
	w.tick()
	for range 30 { // the batch is closed as lost
		w.tick()
		if open, _ := w.store.OpenBatches(t.Context(), c.RegistryKey()); len(open) == 0 {
			break
		}
	}
	late := withheld.Load()
	if late == nil {
		t.Fatal("no callback was withheld back")
	}
	w.finish(60, c)
	expect(t, "status", w.deliver(late, string(late.body)), http.StatusOK)
	w.checkInvariants(c, before)
	expect(t, "tokenised", w.tokenised(), 40)
	expect(t, "VIDs left", len(w.vids()), 0)
}

// A VID that is corrected after the create whose reply is lost stays, and shows:
// the next attempt finds its token there, and nobody has looked again.
func TestCorrectedVIDIsNotTakenForTheOneThatWasSent(t *testing.T) {
	t.Parallel()
	other := odoosim.DemoVID(777777, 1, odoosim.Normal)
	for _, remove := range []bool{true, false} {
		w := newWorld(t, options{})
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

// An answer of several parts closes its batch when the last of them is there,
// in whatever order they come, or at the deadline; each is counted once.
func TestAnswerOfSeveralParts(t *testing.T) {
	cases := map[string]struct {
		order []int // of the two parts; one that is named twice is put twice
		late  bool  // the first comes after the deadline
		open  []bool
		done  []int // tokenised, after each
		sent  int   // times that a VID may be submitted
	}{
		"in order":           {[]int{0, 1}, false, []bool{true, false}, []int{10, 20}, 1},
		"the last one first": {[]int{1, 0}, false, []bool{true, false}, []int{10, 20}, 1},
		"one of them twice":  {[]int{0, 0, 1, 1}, false, []bool{true, true, false, false}, []int{10, 10, 20, 20}, 1},
		"one only":           {[]int{0}, false, []bool{true}, []int{10}, 2},
		"one, too late":      {[]int{0, 1}, true, []bool{false, false}, []int{10, 20}, 1},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			ids := w.addRegistrants(20)
			before := w.now()
			withheld := w.withholdFirst()
			c := w.connector(nil)
			w.tick()
			var rows []json.RawMessage
			if err := json.Unmarshal(withheld.Load().body, &rows); err != nil {
				t.Fatal(err)
			}
			for i := range 1490 { // rows that fit nobody fill the first part up to the tenth
				forged := seeding.CorrelationKey(seeding.Member{Registrant: 1, Identifier: 1}, seeding.RowMAC{byte(i), byte(i >> 8)}, seeding.Fingerprint{1})
				rows = append(rows, json.RawMessage(`["`+forged+`","processed","1",null,null]`))
			}
			body, err := json.Marshal(rows)
			if err != nil {
				t.Fatal(err)
			}
			parts := w.partsOf(withheld.Load(), string(body))
			expect(t, "parts", len(parts), 2)
			if f.late {
				w.clock.Advance(time.Hour)
			}
			for i, k := range f.order {
				w.patchPart(parts[k])
				b, err := w.store.Batch(t.Context(), parts[k].Ref)
				if err != nil {
					t.Fatal(err)
				}
				expect(t, fmt.Sprintf("open after %d", i+1), b.State.Open(), f.open[i])
				expect(t, fmt.Sprintf("counted after %d", i+1), b.Totals.Tokenised, f.done[i])
				expect(t, fmt.Sprintf("tokenised after %d", i+1), w.tokenised(), f.done[i])
			}
			w.finish(30, c)
			w.checkInvariants(c, before)
			w.checkSent(f.sent)
			expect(t, "tokenised", w.tokenised(), len(ids))
			sum := 0
			all, _ := w.batches(c)
			for _, b := range all {
				sum += b.Totals.Tokenised
			}
			expect(t, "tokenised in the totals of all batches", sum, len(ids))
		})
	}
}

// An answer that cannot be worked off is tried ten times, ever more seldom, and
// then set aside: its batch is closed, and its registrants wait with a reason
// and are asked for again.
func TestAnswerThatCannotBeWorkedOffIsSetAside(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	before := w.now()
	withheld := w.withholdFirst()
	c := w.connector(nil)
	// One of them was set aside before, and is due.
	if _, err := w.store.PutRejections(t.Context(), []seeding.Rejection{{
		Registry: c.RegistryKey(), Connector: c.ID, Subject: seeding.Member{Registrant: ids[0], Identifier: w.vidOf(ids[0]).ID}.Subject(), Kind: seeding.SetAside,
		Code: seeding.CodeSetAside, Configured: c.Version, Attempts: 3, Since: w.clock.Now().Add(-time.Hour), Next: w.clock.Now().Add(-time.Minute),
	}}); err != nil {
		t.Fatal(err)
	}
	w.tick()
	part := w.partsOf(withheld.Load(), string(withheld.Load().body))[0]
	part.Packed = []byte("no rows")
	start := w.clock.Now()
	w.patchPart(part)
	failures := func() int {
		b, err := w.store.Batch(t.Context(), part.Ref)
		if err != nil {
			t.Fatal(err)
		}
		return b.Attempts
	}
	expect(t, "failures", failures(), 1)
	for range 300 {
		_, found, err := w.store.NextAnswer(t.Context(), c.RegistryKey(), "")
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			break
		}
		w.tick()
	}
	expect(t, "failures", failures(), 9)
	// One, two, four minutes and so on, an hour at most; the first was at once.
	if took := w.clock.Now().Sub(start); took < 200*time.Minute || took > 300*time.Minute {
		t.Errorf("set aside after %v", took)
	}
	all, states := w.batches(c)
	expect(t, "batches", len(all), 1)
	expect(t, "batches closed as failed", states[seeding.Failed], 1)
	expect(t, "pending", all[0].Totals.Pending(), 20)
	byKind, rejected := w.rejections(c)
	expect(t, "set aside", byKind["set_aside "+seeding.CodeSetAside], 20)
	for _, id := range ids {
		if r := rejected[id]; !r.Next.After(w.clock.Now()) {
			t.Fatalf("the next attempt of %d is %v ago", id, w.clock.Now().Sub(r.Next))
		}
	}
	expect(t, "attempts of one that was set aside before", rejected[ids[0]].Attempts, 4)
	expect(t, "attempts of another", rejected[ids[1]].Attempts, 1)
	w.finish(20, c)
	expect(t, "tokenised while they wait", w.tokenised(), 0)
	w.finishNextRun(20, c)
	w.clock.Advance(24 * time.Hour) // the one that was set aside before waits longer
	w.finishNextRun(20, c)
	w.checkInvariants(c, before)
	w.checkSent(2)
	expect(t, "tokenised", w.tokenised(), 20)
	_, rejected = w.rejections(c)
	expect(t, "rejections left", len(rejected), 0)
}

// An answer to a batch that nobody knows, or whose connector is gone, is deleted.
func TestAnswerThatNobodyWaitsFor(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	withheld := w.withholdFirst()
	c := w.connector(nil)
	w.tick()
	part := w.partsOf(withheld.Load(), string(withheld.Load().body))[0]
	if err := w.store.SetStatus(t.Context(), c.ID, seeding.Stopped, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	for range 10 { // the batch is lost, and the run ends
		w.tick()
	}
	if err := w.store.DeleteConnector(t.Context(), c.ID, c.Version, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	unknown := part
	unknown.Ref.Batch = "unknown"
	for name, p := range map[string]seeding.AnswerPart{"deleted connector": part, "unknown batch": unknown} {
		w.patchPart(p)
		has, err := w.store.HasAnswer(t.Context(), p.Ref.Registry, p.Ref.Batch)
		if err != nil || has {
			t.Errorf("%s: the answer is still there, %v", name, err)
		}
	}
	expect(t, "tokenised", w.tokenised(), 0)
}

// What comes while reconcile makes up its mind, or while patch is at work, is
// neither lost nor counted twice.
func TestAnswerAndLossAtTheSameMoment(t *testing.T) {
	cases := map[string]struct {
		meet  func(w *world, withheld *atomic.Pointer[delivery], c func() seeding.Connector)
		state seeding.BatchState
	}{
		"the answer comes while MTS is asked": {func(w *world, withheld *atomic.Pointer[delivery], _ func() seeding.Connector) {
			w.streamOff.Store(true)
			var once sync.Once
			w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/status/") {
					once.Do(func() { w.post(withheld.Load(), string(withheld.Load().body)) })
				}
				return false
			}
		}, seeding.Patched},
		"the batch is lost while its tokens are written": {func(w *world, withheld *atomic.Pointer[delivery], c func() seeding.Connector) {
			w.atFirst(odoosim.Before, "g2p.reg.id", "create", func() {
				open, err := w.store.OpenBatches(w.Context(), c().RegistryKey())
				if err != nil || len(open) != 1 {
					w.Errorf("%d open batches, %v", len(open), err)
					return
				}
				b := open[0]
				b.State, b.Closed, b.Totals = seeding.Lost, w.clock.Now(), seeding.Totals{Sent: b.Count}
				if err := w.store.Close(w.Context(), b); err != nil {
					w.Error(err)
				}
			})
			w.withhold = nil
		}, seeding.Lost},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(20)
			before := w.now()
			withheld := w.withholdFirst()
			var c seeding.Connector
			f.meet(w, withheld, func() seeding.Connector { return c })
			c = w.connector(nil)
			w.finish(30, c)
			w.checkInvariants(c, before)
			w.checkSent(1)
			expect(t, "tokenised", w.tokenised(), 20)
			all, _ := w.batches(c)
			if len(all) != 1 {
				t.Fatalf("%d batches", len(all))
			}
			expect(t, "state", all[0].State, f.state)
			expect(t, "totals", all[0].Totals, seeding.Totals{Sent: 20, Tokenised: 20})
		})
	}
}

// What a deleted connector left behind keeps no other from its work.
func TestDeletedConnectorLeavesNothingInTheWay(t *testing.T) {
	w := newWorld(t, options{})
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

// Nothing that a registrar does makes a rejection stand for ever, or takes a VID
// from somebody without a token.
func TestRegistrarsAtWork(t *testing.T) {
	cases := map[string]struct {
		change  func(w *world, registrant int64) // of one who lacks a date of birth
		code    string                           // of the rejection then, "" for none
		vid     bool                             // whether the VID is still there
		mend    func(w *world, registrant int64)
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
			f.mend(w, target)
			w.registry.SetRegistrant(target, map[string]any{"birthdate": "1980-01-01"})
			w.finishNextRun(20, c)
			_, all = w.rejections(c)
			expect(t, "rejections in the end", len(all), 0)
			expect(t, "token in the end", w.tokenOf(target) == "", f.without)
		})
	}
}

// A refused unlink keeps nobody from a token; it is tried once per back-off, and
// when it succeeds the VIDs go and the problem is over.
func TestRefusedUnlinkIsTriedOncePerBackOff(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(250)
	w.registry.Deny("g2p.reg.id", "unlink")
	c := w.connector(nil)
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
	if err := w.store.Retry(t.Context(), c.ID, seeding.Refused, w.clock.Now()); err != nil {
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

	byKind, all := w.rejections(c)
	refused := byKind["refused IDA-MLC-009"] + byKind["refused IDA-MLC-002"] + byKind["refused IDA-DEA-001"] + byKind["refused "+seeding.CodeEmptyToken]
	sent = posts()
	if err := w.store.Retry(t.Context(), c.ID, seeding.Refused, w.clock.Now()); err != nil {
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
	found, err := w.store.RetryIdentifiers(t.Context(), c.RegistryKey(), c.ID, []int64{one.Identifier, 999999}, w.clock.Now())
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
	c.Version, c.Source.Mandatory = 2, []string{"name", "gender", "fullAddress"}
	if err := w.store.ReplaceConnector(t.Context(), c, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.finishNextRun(20, c)
	byKind, _ = w.rejections(c)
	expect(t, "invalid for want of a date of birth", byKind["invalid ATS-REQ-012"], 0)
	expect(t, "invalid for want of a gender", byKind["invalid ATS-REQ-011"], e.Invalid[odoosim.NoGender])
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

// Of two registrants of one person the second is no duplicate when the first got
// nothing.
func TestTwinOfOneThatGotNothing(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	w.registry.SetVID(ids[9], odoosim.DemoVID(1003, 2, odoosim.Normal)) // the person of ids[3]
	before := w.now()
	w.atFirst(odoosim.Before, "g2p.reg.id", "create", func() { w.registry.DeleteRegistrant(ids[3]) })
	c := w.connector(nil)
	w.finish(20, c)
	w.checkInvariants(c, before)
	expect(t, "token of the twin", w.tokenOf(ids[9]), mtssim.Token(before.VID(ids[9])))
	all, _ := w.batches(c)
	for _, b := range all {
		expect(t, "duplicates", b.Totals.Duplicate, 0)
	}
}

// What dies after the tokens were written and before the batch was closed is
// counted once, by the next patcher.
func TestTotalsSurviveADeathBeforeTheClose(t *testing.T) {
	w := newWorld(t, options{faults: newFaults()})
	w.addRegistrants(20)
	w.faults.armed["patch: dynamodb Close"] = mode{after: false, kill: true}
	c := w.connector(nil)
	w.finish(20, c)
	all, _ := w.batches(c)
	expect(t, "batches", len(all), 1)
	expect(t, "totals", all[0].Totals, seeding.Totals{Sent: 20, Tokenised: 20})
	expect(t, "VIDs left", len(w.vids()), 0)
	w.faults.checkAllCame(t)
}

// An answer that comes while a patcher is at work is found by that one, and does
// not wait for the next minute.
func TestAnswerDuringAPatchIsFoundAfterIt(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(40)
	before := w.now()
	came := w.withholdAll()
	w.setBatchSize(20)
	c := w.connector(nil)
	w.tick()
	withheld := came()
	expect(t, "answers withheld back", len(withheld), 2)
	w.withhold = nil
	w.atFirst(odoosim.Before, "g2p.reg.id", "create", func() { w.post(withheld[0], string(withheld[0].body)) })
	w.deliver(withheld[1], string(withheld[1].body)) // the later one, behind which a patcher finds nothing
	expect(t, "tokenised", w.tokenised(), 40)
	expect(t, "most records at once", w.mts.Counters().MaxRecordsPerPost, 20)
	w.finish(20, c)
	w.checkInvariants(c, before)
}

// Tokens of others that stand in the way of many are a problem of MOSIP's policy,
// which stops nobody and ends when tokens fit again; those of a few are none.
func TestPolicyProblem(t *testing.T) {
	for name, f := range map[string]struct {
		all, others int
		shown       bool
	}{"a few": {3, 2, false}, "less than half": {20, 8, false}, "many": {20, 12, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			ids := w.addRegistrants(f.all)
			var once sync.Once
			w.onCallback = func(*http.Request) {
				once.Do(func() {
					for i, id := range ids[:f.others] {
						w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: fmt.Sprintf("%036d", 7000+i)})
					}
				})
			}
			c := w.connector(nil)
			w.finish(20, c)
			_, shown := w.problems(c)[seeding.ProblemPolicy]
			expect(t, "shown", shown, f.shown)
			expect(t, "tokens", w.registry.State().Tokens, f.all)
			w.addPersons(5000, 5)
			w.finishNextRun(20, c)
			expect(t, "tokens", w.registry.State().Tokens, f.all+5)
			expect(t, "problems", len(w.problems(c)), 0)
		})
	}
}

// A problem of the registry ends though nobody is there to be sent, and though
// the connector was stopped meanwhile.
func TestProblemEndsWithoutABatch(t *testing.T) {
	t.Run("by a page", func(t *testing.T) {
		w := newWorld(t, options{})
		w.registry.Deny("g2p.reg.id", "read")
		c := w.connector(nil)
		for range 300 {
			w.tick()
		}
		expect(t, "shown", w.problems(c)[seeding.ProblemRead].Text != "", true)
		if tries := w.failedRegistryCalls(); tries < 8 || tries > 14 { // 1, 2, 4 … 60 minutes
			t.Errorf("%d tries in five hours", tries)
		}
		w.registry.Allow("g2p.reg.id", "read")
		w.finish(20, c)
		expect(t, "problems", len(w.problems(c)), 0)
	})
	t.Run("by a patch", func(t *testing.T) {
		w := newWorld(t, options{})
		w.addRegistrants(20)
		w.onCallback = func(*http.Request) { w.passwordLost.Store(true) }
		c := w.connector(nil)
		w.tick()
		w.setStatus(seeding.Stopped, c)
		expect(t, "shown", w.problems(c)[seeding.ProblemConfig].Text != "", true)
		w.passwordLost.Store(false)
		for range 10 {
			w.tick()
		}
		expect(t, "tokenised", w.tokenised(), 20)
		expect(t, "problems", len(w.problems(c)), 0)
	})
}

// While a problem stands its probes go out when nothing else is under way.
func TestProbeGoesOutAlone(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(60)
	w.setBatchSize(20)
	var posts atomic.Int64
	w.withhold = func(*http.Request, []byte) bool { return true }
	w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/authtoken/json") || posts.Add(1) != 2 {
			return false
		}
		http.NotFound(rw, r)
		return true
	}
	c := w.connector(nil)
	w.tick() // the first is taken, the second is not
	expect(t, "shown", w.problems(c)[seeding.ProblemMTS].Text != "", true)
	w.tick()
	expect(t, "POSTs while the first is under way", posts.Load(), 2)
	for range 5 { // it is lost
		w.tick()
	}
	if posts.Load() < 3 {
		t.Error("no probe went out")
	}
	all, _ := w.batches(c)
	expect(t, "records of the probe", all[2].Count, 1)
}
