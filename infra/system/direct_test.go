package system_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/seeding"
)

// Direct callbacks: MTS calls the registry's own REST API, with what users have in
// their configurations today (facts/odoo.md D), and nobody tells us.

// The Output Formats of the two lines. A record without a token makes no body that
// writes anything.
const (
	format15 = `if .output.token then {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} else null end`
	format17 = `if .output.token then [{updateId: .input.vid, name: null, given_name: null, gender: null, birth_place: null, ` +
		`ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}] else [] end`
)

// direct makes the connector one whose callback goes to the REST API of the registry.
func (w *world) direct(line string) func(c *seeding.Connector) {
	return func(c *seeding.Connector) {
		c.Delivery = seeding.Delivery{TimeoutSeconds: 10, Direct: &seeding.DirectDelivery{
			URL: w.registryURL + "/api/v1/registry/individual/updateIdentification", Method: "PATCH",
			Auth: seeding.DirectAuth{Type: seeding.AuthOdoo, URL: w.registryURL + "/web/session/authenticate", Database: "g2p", Username: "admin"},
		}}
		c.Output.Format = format15
		if line == odoosim.REST17 {
			c.Delivery.Direct = &seeding.DirectDelivery{
				URL: w.registryURL + "/api/v1/registry/update_individual?id_type=" + url.PathEscape("MOSIP VID"), Method: "PUT",
				Headers: []string{"Authorization"}, Auth: seeding.DirectAuth{Type: seeding.AuthNone},
			}
			c.Output.Format = format17
		}
	}
}

var secrets15 = seeding.CallbackSecrets{Password: "admin"}

var secrets17 = seeding.CallbackSecrets{Headers: map[string]string{
	"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:admin")),
}}

func newDirectWorld(t *testing.T, line string, o options) *world {
	t.Helper()
	o.odoo.REST = line
	o.callback = func(context.Context, seeding.Connector) (seeding.CallbackSecrets, error) {
		if line == odoosim.REST17 {
			return secrets17, nil
		}
		return secrets15, nil
	}
	return newWorld(t, o)
}

// addRefused adds registrants whom the identity system refuses.
func (w *world) addRefused(n int) (ids []int64) {
	for i := range n {
		id := w.registry.AddRegistrant(odoosim.Registrant{
			Name: "ROE, RU", GivenName: "Ru", FamilyName: fmt.Sprintf("Roe %d", i), Gender: "Male", Birthdate: "1991-02-03", Address: "1 Short Street",
		})
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(refusedPerson+int64(i), 1, 90)})
		ids = append(ids, id)
	}
	return ids
}

// refusedPerson is the first of those persons.
const refusedPerson = 500_000

// checkNotArrived checks who is rejected, because no token arrived.
func (w *world) checkNotArrived(c seeding.Connector, want ...int64) {
	w.Helper()
	_, all := w.rejections(c)
	for id, r := range all {
		if r.Kind != seeding.NoToken || r.Code != seeding.CodeNotArrived || r.Fingerprint == (seeding.Fingerprint{}) {
			w.Errorf("registrant %d is rejected: %s %s", id, r.Kind, r.Code)
		}
	}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		w.Errorf("rejected: %v, want %v", got, want)
	}
}

func TestDirectCallbacks(t *testing.T) {
	for _, line := range []string{odoosim.REST15, odoosim.REST17} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			w := newDirectWorld(t, line, options{local: line == odoosim.REST15})
			w.addRegistrants(150)
			refused := w.addRefused(7)
			before := w.now()
			c := w.connector(w.direct(line))
			w.finish(60, c)
			w.checkInvariants(c, before)
			w.checkSent(1)
			expect(t, "tokenised", w.tokenised(), 150)
			expect(t, "VIDs left", len(w.vids()), 7)
			expect(t, "totals", w.totals(c), seeding.Totals{Sent: 157, Tokenised: 150, NoToken: 7})
			expect(t, "problems", len(w.problems(c)), 0)
			expect(t, "metric: tokenised", int(w.metrics.Sum(seeding.MetricTokenised)), 150)
			w.checkNotArrived(c, refused...)
			all, states := w.batches(c)
			expect(t, "patched", states[seeding.Patched], len(all))
			w.checkFreed(c)

			// Nobody is sent again before the back-off, and then with a longer one.
			posts := w.mts.Counters().Posts
			w.finishNextRun(20, c)
			expect(t, "POSTs of the second run", w.mts.Counters().Posts, posts)
			w.clock.Advance(time.Hour)
			w.finishNextRun(20, c)
			_, rejected := w.rejections(c)
			expect(t, "attempts", rejected[refused[0]].Attempts, 2)
			expect(t, "back-off", rejected[refused[0]].Next.Sub(rejected[refused[0]].LastAttempt), 2*time.Hour)

			// Data that were corrected are sent at once, the others are not.
			w.registry.SetVID(refused[0], odoosim.DemoVID(refusedPerson, 2, odoosim.Normal))
			w.finishNextRun(20, c)
			expect(t, "tokenised after the correction", w.tokenised(), 151)
			w.checkNotArrived(c, refused[1:]...)
		})
	}
}

// bulk17 is an Output Format for line 17.0 in bulk: its call takes a list of individuals,
// and one without identifiers sets nothing.
const bulk17 = `{updateId: .input.vid, name: null, given_name: null, gender: null, birth_place: null, ` +
	`ids: (if .output.token then [{id_type: "MOSIP UIN TOKEN", value: .output.token}] else [] end)}`

// In bulk MTS calls once for a batch. OpenG2P's call of line 17.0 takes such a list, and
// not one individual by itself.
func TestDirectCallbacksInBulk(t *testing.T) {
	w := newDirectWorld(t, odoosim.REST17, options{})
	w.addRegistrants(150)
	refused := w.addRefused(7)
	before := w.now()
	c := w.connector(func(c *seeding.Connector) {
		w.direct(odoosim.REST17)(c)
		c.Delivery.Direct.InBulk = true
		c.Output.Format = bulk17
	})
	w.finish(60, c)
	w.checkInvariants(c, before)
	w.checkSent(1)
	expect(t, "totals", w.totals(c), seeding.Totals{Sent: 157, Tokenised: 150, NoToken: 7})
	expect(t, "VIDs left", len(w.vids()), 7)
	expect(t, "problems", len(w.problems(c)), 0)
	w.checkNotArrived(c, refused...)
}

// One person who is registered twice gets one token twice: the receiving API takes both.
// The later one is found, when its token arrives or by a later pass, and keeps its VID
// until people have decided.
func TestDirectCallbacksShowOnePersonTwice(t *testing.T) {
	for _, line := range []string{odoosim.REST15, odoosim.REST17} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			w := newDirectWorld(t, line, options{})
			others := w.addRegistrants(20)
			var twins []int64
			for serial := range 2 {
				id := w.registry.AddRegistrant(odoosim.Registrant{
					Name: "CRUZ, ANA", GivenName: "Ana", FamilyName: "Cruz", Gender: "Female", Birthdate: "1991-02-03", Address: "1 Short Street",
				})
				w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(refusedPerson, serial+1, odoosim.Normal)})
				twins = append(twins, id)
			}
			c := w.connector(w.direct(line))
			w.finish(60, c)
			expect(t, "totals", w.totals(c), seeding.Totals{Sent: 22, Tokenised: 21, Duplicate: 1})

			tokenOf := func(id int64) odoosim.Identifier {
				for _, i := range w.registry.Identifiers(id) {
					if i.Type == odoosim.TokenType {
						return i
					}
				}
				t.Fatalf("registrant %d has no token", id)
				return odoosim.Identifier{}
			}
			first, later := tokenOf(twins[0]), tokenOf(twins[1])
			if first.Value != later.Value {
				t.Fatal("two persons")
			}
			if later.ID < first.ID {
				first, later = later, first
			}
			check := func(when string, holders map[int64]int64) {
				t.Helper()
				_, rejected := w.rejections(c)
				for id, holder := range holders {
					if r := rejected[id]; r.Kind != seeding.Duplicate || r.Code != seeding.CodeHeldByOther || r.Holder != holder {
						t.Errorf("%s: registrant %d is rejected: %+v", when, id, r)
					}
				}
				if len(rejected) != len(holders) || len(w.vids()) != len(holders) {
					t.Errorf("%s: %d are rejected and %d have a VID, want %d", when, len(rejected), len(w.vids()), len(holders))
				}
			}
			check("at once", map[int64]int64{later.Registrant: first.Registrant})

			// Somebody enters a registrant anew, with a token that another one holds.
			again := w.registry.AddRegistrant(odoosim.Registrant{Name: "ROE, RU", GivenName: "Ru", FamilyName: "Roe", Gender: "Male", Birthdate: "1991-02-03", Address: "2 Short Street"})
			w.registry.AddIdentifier(odoosim.Identifier{Registrant: again, Type: odoosim.VIDType, Value: odoosim.DemoVID(refusedPerson+1, 1, odoosim.Normal)})
			w.registry.AddIdentifier(odoosim.Identifier{Registrant: again, Type: odoosim.TokenType, Value: tokenOf(others[0]).Value})
			posts := w.mts.Counters().Posts
			for range 2 {
				w.finishNextRun(20, c)
				check("by a later pass", map[int64]int64{later.Registrant: first.Registrant, again: others[0]})
			}
			expect(t, "POSTs of later passes", w.mts.Counters().Posts, posts)

			// People decide that the first is not that person.
			w.registry.DeleteIdentifier(first.ID)
			w.finishNextRun(20, c)
			check("after the decision", map[int64]int64{again: others[0]})
		})
	}
}

// Batches grow although nobody says when MTS was done.
func TestDirectBatchesGrow(t *testing.T) {
	t.Parallel()
	w := newDirectWorld(t, odoosim.REST15, options{})
	w.addRegistrants(900)
	c := w.connector(w.direct(odoosim.REST15))
	w.finish(40, c)
	expect(t, "tokenised", w.tokenised(), 900)
	all, _ := w.batches(c)
	largest := 0
	for _, b := range all {
		largest = max(largest, b.Count)
	}
	if largest < 80 {
		t.Errorf("the largest of %d batches has %d records", len(all), largest)
	}
	if pace := w.mtsState(c.MTSKey()).Pace; pace.Single != 0 || pace.PerRecord != 0 || pace.Interval != 0 {
		t.Errorf("a time was measured that nobody knows: %+v", pace)
	}
}

// What MTS cannot deliver, or what nobody writes down, is a problem of the connector
// and not of the registrants.
func TestDirectCallbackThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		change          func(c *seeding.Connector)
		people, refused int
		source          seeding.Source
	}{
		"nobody listens":        {func(c *seeding.Connector) { c.Delivery.Direct.URL = "http://127.0.0.1:1/" }, 30, 0, seeding.ProblemDelivery},
		"a wrong password":      {func(c *seeding.Connector) { c.Delivery.Direct.Auth.Username = "nobody" }, 30, 0, seeding.ProblemDelivery},
		"one registrant, alone": {func(c *seeding.Connector) { c.Delivery.Direct.Auth.Username = "nobody" }, 1, 0, seeding.ProblemDelivery},
		"nobody has a token":    {func(*seeding.Connector) {}, 0, 12, seeding.ProblemArrival},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDirectWorld(t, odoosim.REST15, options{})
			w.addRegistrants(c.people)
			refused := w.addRefused(c.refused)
			before := w.now()
			w.setUnprovedSize(50)
			connector := w.connector(func(x *seeding.Connector) {
				w.direct(odoosim.REST15)(x)
				c.change(x)
			})
			for range 12 {
				w.tick()
			}
			p, shown := w.problems(connector)[c.source]
			if !shown {
				t.Fatalf("problems %v", w.problems(connector))
			}
			w.checkNotArrived(connector, refused...)
			if c.source == seeding.ProblemArrival {
				return
			}
			if p.Attempts < 3 {
				t.Errorf("%d attempts", p.Attempts)
			}
			if sent := w.mts.Counters().RecordsReceived; sent > c.people+6 {
				t.Errorf("%d records were sent while nothing arrives", sent)
			}
			w.change(connector, w.direct(odoosim.REST15))
			w.finish(60, connector)
			w.finishNextRun(20, connector)
			w.checkInvariants(connector, before)
			expect(t, "tokenised", w.tokenised(), c.people)
			expect(t, "problems", len(w.problems(connector)), 0)
			w.checkNotArrived(connector)
		})
	}
}

// An MTS that forgets what it was given before it is done: those are sent again.
func TestDirectBatchThatMTSForgets(t *testing.T) {
	t.Parallel()
	w := newDirectWorld(t, odoosim.REST15, options{})
	w.addRegistrants(20)
	before := w.now()
	w.setUnprovedSize(50)
	w.mts.SetFaults(mtssim.Faults{LoseEvery: 1})
	var once sync.Once
	w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			once.Do(func() {
				w.mts.Forget()
				w.mts.SetFaults(mtssim.Faults{})
			})
		}
		return false
	}
	c := w.connector(w.direct(odoosim.REST15))
	w.finish(60, c)
	w.checkInvariants(c, before)
	_, states := w.batches(c)
	if states[seeding.Lost] == 0 {
		t.Errorf("batches %v", states)
	}
	expect(t, "tokenised", w.tokenised(), 20)
	w.checkNotArrived(c)
}

// Where VIDs are not to be removed they stay.
func TestDirectCallbackKeepsVIDs(t *testing.T) {
	t.Parallel()
	w := newDirectWorld(t, odoosim.REST17, options{})
	w.addRegistrants(15)
	c := w.connector(func(c *seeding.Connector) {
		w.direct(odoosim.REST17)(c)
		c.Output.RemoveVIDs = false
	})
	w.finish(30, c)
	w.finishNextRun(10, c)
	expect(t, "tokenised", w.tokenised(), 15)
	expect(t, "VIDs", len(w.vids()), 15)
	w.checkSent(1)
}

// eventfulDirect is a run with direct callbacks in which all that such a run can write
// is written.
func eventfulDirect(t *testing.T, local bool) (*world, seeding.Connector, invariants.Registry) {
	w := newDirectWorld(t, odoosim.REST15, options{faults: newFaults(), local: local})
	w.addRegistrants(40)
	w.addRefused(5)
	before := w.now()
	w.turnAwayPost(3)
	c := w.connector(func(c *seeding.Connector) {
		w.direct(odoosim.REST15)(c)
		c.MTS.BatchMaximum = 20
	})
	return w, c, before
}

func TestCrashPointsOfDirectCallbacks(t *testing.T) {
	t.Parallel()
	w, c, before := eventfulDirect(t, true)
	want := w.finishAndCheck(c, before)
	points := slices.Sorted(maps.Keys(w.faults.seen))
	checkTried(t, points, "Track", "Postpone", "Close", "PutRejections", "Claim")
	t.Logf("%d points: %s", len(points), strings.Join(points, ", "))
	eachCrash(t, points, func(t *testing.T, point string, m mode) {
		w, c, before := eventfulDirect(t, false)
		w.faults.armed[point] = m
		w.checkEnds(want, w.finishAndCheck(c, before))
		w.faults.checkAllCame(t)
	})
	eachPair(t, points, 28, 8, func(t *testing.T, _ int, arm func(*faults)) {
		w, c, before := eventfulDirect(t, false)
		arm(w.faults)
		w.checkEnds(want, w.finishAndCheck(c, before))
	})
}
