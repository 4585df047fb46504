package seedingdb

import (
	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// totals by their attributes, in runs and batches.
func totals(t seeding.Totals) map[string]int {
	return map[string]int{
		"sent": t.Sent, "tokenised": t.Tokenised, "refused": t.Refused,
		"duplicate": t.Duplicate, "conflict": t.Conflict, "noToken": t.NoToken,
	}
}

// withTotals adds totals to an item.
func withTotals(it dynamo.Item, t seeding.Totals) dynamo.Item {
	for name, n := range totals(t) {
		it[name] = dynamo.Number(n)
	}
	return it
}

func decodeTotals(r *dynamo.Reader) seeding.Totals {
	return seeding.Totals{
		Sent: r.Int("sent"), Tokenised: r.Int("tokenised"), Refused: r.Int("refused"),
		Duplicate: r.Int("duplicate"), Conflict: r.Int("conflict"), NoToken: r.Int("noToken"),
	}
}
