package system_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
)

// An item that cannot be read, or that a later release wrote before it was rolled
// back, stops nobody but whom it belongs to; and every tick reports it.
func TestDamagedItemsStopNobodyElse(t *testing.T) {
	for name, damaged := range map[string]dynamo.Item{
		"a state in a form of a later release":    {"pk": dynamo.Text("states"), "sk": dynamo.Text("another"), "form": dynamo.Number(99)},
		"a state whose due time is a text":        {"pk": dynamo.Text("states"), "sk": dynamo.Text("another"), "due": dynamo.Text("soon")},
		"a registry in a form of a later release": {"pk": dynamo.Text("registries"), "sk": dynamo.Text("another"), "form": dynamo.Number(99)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(30)
			if _, err := w.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.tables.Connectors, Item: damaged}); err != nil {
				t.Fatal(err)
			}
			c := w.connector(nil)
			w.streamOff.Store(true) // so reconcile has to find the answers
			for range 20 {
				w.tick()
			}
			expect(t, "tokenised", w.tokenised(), 30)
			expect(t, "problems", len(w.problems(c)), 0)
			if _, measured := w.metrics.Last(seeding.MetricOldestAnswer); !measured {
				t.Error("no gauge was taken")
			}
			reported := 0
			for len(w.failures) > 0 {
				if err := <-w.failures; errors.Is(err, seeding.ErrDamaged) {
					reported++
				} else {
					t.Error(err)
				}
			}
			if reported < 20 {
				t.Errorf("%d ticks of 20 reported it", reported)
			}
		})
	}
}

// An answer that cannot be read stays for days. It begins no run before its time, and
// is shown as one problem.
func TestAnswerThatCannotBeReadBeginsNoRuns(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(3)
	c := w.connector(nil)
	it := dynamo.Item{
		"pk": dynamo.Text(c.RegistryKey()), "sk": dynamo.Text("0#00ff#0001#0001"),
		"form": dynamo.Number(99), "connector": dynamo.Text(c.ID), "run": dynamo.Text("run"),
	}
	if _, err := w.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.tables.Answers, Item: it}); err != nil {
		t.Fatal(err)
	}
	var since time.Time
	for end := w.clock.Now().Add(2 * c.Schedule.Interval); w.clock.Now().Before(end); {
		w.tick()
		w.forgetFailures()
		if p, shown := w.problems(c)[seeding.ProblemSetAside]; since.IsZero() && shown {
			since = p.Since
		}
	}
	expect(t, "tokenised", w.tokenised(), 3)
	if runs := len(w.runsBegan(c)); runs < 2 || runs > 3 { // the third one begins with the last tick, or does not
		t.Errorf("%d runs in two intervals", runs)
	}
	if p := w.problems(c)[seeding.ProblemSetAside]; since.IsZero() || !p.Since.Equal(since) {
		t.Errorf("shown since %v, first since %v", p.Since, since)
	}
}

// Of one's own registry too: an answer, an open or closed batch, a rejection or a
// configuration that cannot be read keeps nobody else waiting. Answers are named at
// their connector, as far as it can be told whose they are.
func TestDamagedItemsOfARegistryStopNobodyElse(t *testing.T) {
	later := func(it dynamo.Item) dynamo.Item { it["form"] = dynamo.Number(99); return it }
	answer := func(batch string, it dynamo.Item) func(c seeding.Connector) (sort string, _ dynamo.Item) {
		return func(c seeding.Connector) (string, dynamo.Item) {
			it["connector"], it["run"] = dynamo.Text(c.ID), dynamo.Text("run")
			return batch + "#00ff#0001#0001", it
		}
	}
	for name, d := range map[string]struct {
		answer   func(c seeding.Connector) (sort string, it dynamo.Item)
		item     func(c seeding.Connector) dynamo.Item // of the other table
		shown    bool                                  // as a problem of the connector
		reported bool                                  // with every tick
	}{
		"an answer in a form of a later release": {answer: answer("0", later(dynamo.Item{})), shown: true, reported: true},
		"an answer whose rows are a text":        {answer: answer("0", dynamo.Item{"rows": dynamo.Text("x")}), shown: true, reported: true},
		"an answer behind all others":            {answer: answer("z", later(dynamo.Item{})), shown: true, reported: true},
		"an answer of a batch without a name":    {answer: answer("", dynamo.Item{"rows": dynamo.Binary([]byte("x"))}), shown: true, reported: true},
		"an answer whose rows are no rows":       {answer: answer("0", dynamo.Item{"rows": dynamo.Binary([]byte("x"))})}, // of no batch
		"an answer whose key is a word": {answer: func(c seeding.Connector) (string, dynamo.Item) {
			return "word", dynamo.Item{"connector": dynamo.Number(7)}
		}, reported: true},
		"an open batch in a form of a later release": {item: func(c seeding.Connector) dynamo.Item {
			return later(dynamo.Item{"pk": dynamo.Text("R#" + c.RegistryKey() + "#open"), "sk": dynamo.Text("0"), "state": dynamo.Text("claimed")})
		}, reported: true},
		"an open batch without members": {item: func(c seeding.Connector) dynamo.Item {
			return dynamo.Item{"pk": dynamo.Text("R#" + c.RegistryKey() + "#open"), "sk": dynamo.Text("z"),
				"state": dynamo.Text("submitted"), "connector": dynamo.Text(c.ID), "members": dynamo.Binary([]byte("x"))}
		}, reported: true},
		"a rejection in a form of a later release": {item: func(c seeding.Connector) dynamo.Item {
			return later(dynamo.Item{"pk": dynamo.Text("R#" + c.RegistryKey() + "#rejections"), "sk": dynamo.Text(dynamo.Padded(1) + "#another")})
		}},
		"another configuration": {item: func(seeding.Connector) dynamo.Item {
			return later(dynamo.Item{"pk": dynamo.Text("connectors"), "sk": dynamo.Text("0")})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(30)
			c := w.connector(nil)
			table := &w.tables.Answers
			var it dynamo.Item
			if d.item != nil {
				table, it = &w.tables.Connectors, d.item(c)
			} else {
				sort, rest := d.answer(c)
				it = rest
				it["pk"], it["sk"] = dynamo.Text(c.RegistryKey()), dynamo.Text(sort)
			}
			if _, err := w.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: it}); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				w.tick()
			}
			expect(t, "tokenised", w.tokenised(), 30)
			_, shown := w.problems(c)[seeding.ProblemSetAside]
			expect(t, "shown", shown, d.shown)
			reported := 0
			for len(w.failures) > 0 {
				if err := <-w.failures; errors.Is(err, seeding.ErrDamaged) {
					reported++
				} else {
					t.Error(err)
				}
			}
			if d.reported && reported < 18 {
				t.Errorf("%d ticks of 20 reported it", reported)
			}
			if runs, _, err := w.store.ListRuns(t.Context(), c.ID, "", 10); err != nil || len(runs) == 0 || runs[len(runs)-1].Completed.IsZero() {
				t.Errorf("runs %+v, %v", runs, err)
			}
			if list, _, err := w.store.ListStates(t.Context(), "", 10); err != nil || len(list) != 1 {
				t.Errorf("%d connectors are listed, %v", len(list), err)
			}
			// Once it is gone, and another answer was processed, nothing is shown.
			key := dynamo.Item{"pk": it["pk"], "sk": it["sk"]}
			if _, err := w.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: table, Key: key}); err != nil {
				t.Fatal(err)
			}
			w.addPersons(5000, 5)
			w.finishNextRun(20, c)
			expect(t, "tokenised afterwards", w.tokenised(), 35)
			expect(t, "problems afterwards", len(w.problems(c)), 0)
		})
	}
}

// Answers of the version before, whose callback stored as many rows as came: three
// of 45,000 forged rows each are deleted without a call to the registry, for an
// open batch and for a closed one, and neither its own registrants nor those of
// another connector wait.
func TestForgedAnswersStopNobody(t *testing.T) {
	for name, closed := range map[string]bool{"of an open batch": false, "of a closed batch": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(40)
			w.setBatchSize(40)
			before := w.now()
			withheld := w.withholdFirst()
			c := w.connector(nil)
			w.tick()
			open, err := w.store.OpenBatches(t.Context(), c.RegistryKey())
			if err != nil || len(open) == 0 {
				t.Fatalf("%d open batches, %v", len(open), err)
			}
			ref := open[0].Ref
			if closed {
				b := open[0]
				b.State = seeding.Lost
				if err := w.store.Close(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			calls := w.registry.Calls("g2p.reg.id.search_read").Calls
			inbox := seedingdb.NewInbox(w.client, w.tables.Answers)
			for i := range 3 {
				const parts = 30
				for k := range parts {
					rows := make([]seeding.Row, 1500)
					for j := range rows {
						id := int64(1_000_000 + 1500*k + j)
						rows[j] = seeding.Row{Subject: seeding.Member{Registrant: id, Identifier: id}.Subject(), Status: seeding.RowProcessed, Token: strings.Repeat("6", 36)}
						rows[j].MAC[0] = byte(i)
					}
					part := seeding.AnswerPart{Ref: ref, Content: fmt.Sprintf("%024d", i), Part: k + 1, Of: parts, Received: w.clock.Now(), Packed: seeding.PackRows(rows)}
					if err := inbox.PutPart(t.Context(), part); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.patcher.Patch(t.Context(), ref.Registry); err != nil {
				t.Fatal(err)
			}
			expect(t, "look-ups for forged rows", w.registry.Calls("g2p.reg.id.search_read").Calls-calls, 0)
			state, err := w.store.RegistryState(t.Context(), ref.Registry)
			if err != nil || !state.OutageUntil.IsZero() {
				t.Errorf("an outage until %v, %v", state.OutageUntil, err)
			}
			_, left, err := w.store.NextAnswer(t.Context(), ref.Registry, "")
			expect(t, "answers left", left, false)
			if err != nil {
				t.Error(err)
			}
			expect(t, "status of the genuine answer", w.deliver(withheld.Load(), string(withheld.Load().body)), http.StatusOK)
			w.finish(20, c)
			w.checkInvariants(c, before)
			expect(t, "tokenised", w.tokenised(), 40)
			expect(t, "problems", len(w.problems(c)), 0)
		})
	}
}

// A late answer in more parts than an expression of DynamoDB can name is counted
// once, and its tokens are written.
func TestLateAnswerOfManyPartsIsCountedOnce(t *testing.T) {
	w := newWorld(t, options{local: true})
	w.addRegistrants(40)
	w.setBatchSize(40)
	before := w.now()
	withheld := w.withholdFirst()
	c := w.connector(nil)
	w.tick()
	open, err := w.store.OpenBatches(t.Context(), c.RegistryKey())
	if err != nil || len(open) != 1 {
		t.Fatalf("%d open batches, %v", len(open), err)
	}
	lost := open[0]
	lost.State, lost.Totals.Sent, lost.Closed = seeding.Lost, lost.Count, w.clock.Now()
	if err := w.store.Close(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	whole := w.partOf(withheld.Load())
	rows, err := seeding.UnpackRows(whole.Packed)
	if err != nil {
		t.Fatal(err)
	}
	inbox := seedingdb.NewInbox(w.client, w.tables.Answers)
	const parts = 154
	for range 2 { // and once more: nothing is counted again
		for k := range parts {
			part := whole
			part.Part, part.Of, part.Packed = k+1, parts, seeding.PackRows(rows[k%len(rows):k%len(rows)+1])
			if err := inbox.PutPart(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.patcher.Patch(t.Context(), lost.Ref.Registry); err != nil {
			t.Fatal(err)
		}
		got, err := w.store.Batch(t.Context(), lost.Ref)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "parts counted", len(got.Parts), parts)
		expect(t, "totals", got.Totals, seeding.Totals{Sent: 40, Tokenised: 40})
	}
	w.finish(20, c)
	w.checkInvariants(c, before)
	w.checkSent(1)
}
