package system_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// A refusal that has nothing to do with the data of registrants rejects nobody. It
// is shown, and it ends by itself when its cause is removed.
func TestProblemsRejectNobodyAndEndByThemselves(t *testing.T) {
	cases := map[string]struct {
		source  seeding.Source
		provoke func(w *world)
		repair  func(w *world)
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
			func(w *world) { w.atFirstCallback(func() { w.passwordLost.Store(true) }) },
			func(w *world) { w.passwordLost.Store(false) }},
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
			var warned []seeding.Source
			if f.source == seeding.ProblemAnswers { // the first answer that does not come is shown before
				warned = append(warned, seeding.ProblemCallback)
			}
			for range 240 {
				w.tick()
				if len(w.problemsBut(c, warned...)) > 0 {
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
			f.repair(w)
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

// Every problem of a running connector is counted by a gauge that has an alarm, and
// by none when it is over.
func TestEveryProblemIsCounted(t *testing.T) {
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
				counted = append(counted, gauge)
			}
		}
		return counted
	}
	for source, want := range map[seeding.Source]string{
		seeding.ProblemReply:    "[ConnectorsNeedHand]",
		seeding.ProblemCallback: "[ConnectorsNeedHand]",
		seeding.ProblemAlike:    "[ConnectorsNeedHand]",
		seeding.ProblemTokens:   "[ConnectorsNeedHand]",
		seeding.ProblemSetAside: "[ConnectorsNeedHand]",
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
		w.setBatchSize(20) // one answer: nobody waits for those of a stopped connector
		w.addRegistrants(20)
		w.atFirstCallback(func() { w.passwordLost.Store(true) })
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

// An answer that waits with a problem is tried once per back-off and not with
// every invocation, and at once when a person has changed the configuration.
func TestAnAnswerWaitsWithItsProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.setBatchSize(50)
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
	c = w.change(c, func(*seeding.Connector) {})
	w.tick()
	expect(t, "tokenised after the change", w.tokenised(), 30)
	w.finish(10, c)
	w.checkInvariants(c, before)
}

// An MTS that is away is shown at every connector that needs it, and whoever repairs
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

// A code of the system for a few, while others are answered, is listed with them
// and delays nobody else: each is sent twice in a run, and then ever more seldom.
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
	expect(t, "tokenised once it is repaired", w.tokenised(), 60)
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
			var repaired atomic.Bool
			w := newWorld(t, options{mts: mtssim.Options{Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
				if n := asked.Add(1); n > 10 && (n <= 30 || forLong) && !repaired.Load() {
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
				repaired.Store(true)
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
			w.setBatchSize(50) // all of them in one answer
			ids := w.addRegistrants(f.all)
			w.atFirstCallback(func() {
				for i, id := range ids[:f.others] {
					w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: fmt.Sprintf("%036d", 7000+i)})
				}
			})
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

// A wrong mapping or language lets MOSIP refuse everybody with one code of the
// data. They are rejected as such, and the connector shows a warning with the code
// and the field until an answer has something else.
func TestOneCodeForEverybodyIsAWarning(t *testing.T) {
	var repaired atomic.Bool
	w := newWorld(t, options{mts: mtssim.Options{Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
		if !repaired.Load() {
			return mtssim.Verdict{ErrorCode: "IDA-DEA-001", ErrorMessage: "Demographic data gender in eng did not match"}
		}
		return mtssim.Rules(ctx, a)
	}}})
	w.addRegistrants(60)
	before := w.now()
	c := w.connector(nil)
	w.finish(60, c)
	byKind, _ := w.rejections(c)
	expect(t, "refused", byKind["refused IDA-DEA-001:gender"], 60)
	problem, shown := w.problems(c)[seeding.ProblemAlike]
	if !shown || !strings.Contains(problem.Text, "IDA-DEA-001") || !strings.Contains(problem.Text, "gender") {
		t.Errorf("%v %+v", shown, problem)
	}
	expect(t, "problems", len(w.problems(c)), 1)
	repaired.Store(true)
	w.clock.Advance(24 * time.Hour)
	w.finishNextRun(60, c)
	w.checkInvariants(c, before)
	expect(t, "tokenised", w.tokenised(), 60)
	expect(t, "problems left", len(w.problems(c)), 0)
}

// The deployment's own mistakes are no registrant's: whatever such code everybody
// gets, nobody is rejected, and the problem says what the code means.
func TestCodeOfTheDeploymentRejectsNobody(t *testing.T) {
	for _, code := range []string{"IDA-MLC-001", "IDA-MLC-008", "IDA-MLC-011", "IDA-MLC-013", "IDA-MLC-015", "IDA-MLC-020", "IDA-MLC-021", "IDA-MLC-025", "IDA-DEA-002"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{mts: mtssim.Options{Identify: func(context.Context, mtssim.Applicant) mtssim.Verdict {
				return mtssim.Verdict{ErrorCode: code, ErrorMessage: "of no registrant"}
			}}})
			w.addRegistrants(40)
			c := w.connector(nil)
			for range 10 {
				w.tick()
			}
			_, rejected := w.rejections(c)
			expect(t, "rejections", len(rejected), 0)
			if p, shown := w.problems(c)[seeding.ProblemIdentity]; !shown || !strings.Contains(p.Text, code+": "+seeding.ReasonOf(code, nil)) {
				t.Errorf("%v %+v", shown, p)
			}
		})
	}
}
