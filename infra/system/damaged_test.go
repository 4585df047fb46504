package system_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/shared/dynamo"
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
