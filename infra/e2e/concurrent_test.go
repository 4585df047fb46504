package e2e_test

import (
	"testing"

	"openg2p.org/mts-connector/infra/world/deployed"
)

// Two connectors on one registry, each with its own MTS so that only the rules for
// a registry keep them apart, and ten ticks at once.
func TestNobodyIsSubmittedOrPatchedTwice(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t, options{}), newWorld(t, options{})
	ids := w.addRegistrants(300)
	first := w.create(with("batch_maximum", 40))
	second := other.create(with("batch_maximum", 60), withRegistry("url", w.registryURL), withRegistry("password", w.password))
	first.start()
	second.start()
	w.until("both are done", func() bool {
		failed := make(chan error)
		for range 10 {
			go func() { failed <- stack.Tick(t.Context()) }()
		}
		for range 10 {
			for _, err := range deployed.FunctionErrors(<-failed) {
				t.Error(err)
			}
		}
		return w.tokenised() == len(ids) && first.idle() && second.idle()
	})
	w.checkTokenised(ids)
	expect(t, "registrants with many tokens", w.registry.State().ManyTokens, 0)
	expect(t, "VIDs submitted", checkSent(t, w.recorder, other.recorder), len(ids))
	sent := 0
	for _, c := range []*connector{first, second} {
		for _, r := range c.runs() {
			expect(t, "pending", r.Totals.Pending, 0)
			sent += r.Totals.Sent
		}
		expect(t, "rejections", len(c.rejections()), 0)
	}
	expect(t, "sent by both", sent, len(ids))
}
