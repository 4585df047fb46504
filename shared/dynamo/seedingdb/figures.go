package seedingdb

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// addFigures is the change, of the state of a connector, by which a run that ends
// goes into its figures.
func addFigures(r seeding.Run, rejections *seeding.RejectionCount) dynamo.Change {
	c := dynamo.Change{Update: "ADD #tokenised :tokenised", Values: dynamo.Item{":tokenised": dynamo.Number(r.Totals.Tokenised)}}
	var sets []string
	if r.Kind != seeding.Import {
		last := dynamo.OmitZero(withTotals(dynamo.Item{
			"id": dynamo.Text(r.ID), "started": dynamo.Instant(r.Started), "completed": dynamo.Instant(r.Completed), "again": dynamo.Number(r.Again),
		}, r.Totals))
		sets, c.Values[":last"] = append(sets, "#last = :last"), dynamo.Map(last)
	}
	if rejections != nil {
		sets = append(sets, "#rejected = :rejected", "#counted = :counted")
		c.Values[":rejected"], c.Values[":counted"] = dynamo.Number(rejections.Total), dynamo.Instant(rejections.At)
	}
	if len(sets) > 0 {
		c.Update += " SET " + strings.Join(sets, ", ")
	}
	return c
}

func decodeFigures(r *dynamo.Reader) seeding.Figures {
	f := seeding.Figures{Tokenised: r.Int("tokenised"), Rejected: r.Int("rejected"), Counted: r.Instant("counted")}
	r.Map("last", func(r *dynamo.Reader) {
		f.Last = seeding.LastRun{
			ID: r.Text("id"), Started: r.Instant("started"), Completed: r.Instant("completed"), Totals: decodeTotals(r), Again: r.Int("again"),
		}
	})
	return f
}

func decodeOpenRun(r *dynamo.Reader) (open seeding.OpenRun) {
	r.Map("open", func(r *dynamo.Reader) {
		open = seeding.OpenRun{
			ID: r.Text("id"), At: r.Instant("at"), Looked: r.Int("looked"), Expected: r.Int("expected"), Totals: decodeTotals(r),
			Progress: seeding.Progress{PerSecond: float64(r.Int("rate")) / 1000, End: r.Instant("end")},
		}
	})
	return open
}

// encodeOpenRun keeps rates as thousandths.
func encodeOpenRun(o seeding.OpenRun) types.AttributeValue {
	return dynamo.Map(dynamo.OmitZero(withTotals(dynamo.Item{
		"id": dynamo.Text(o.ID), "at": dynamo.Instant(o.At), "looked": dynamo.Number(o.Looked), "expected": dynamo.Number(o.Expected),
		"rate": dynamo.Number(int(1000 * o.Progress.PerSecond)), "end": dynamo.Instant(o.Progress.End),
	}, o.Totals)))
}

// countKey is that of the count of a connector's rejections.
func countKey(connector string) dynamo.Key {
	return dynamo.Key{Partition: runs(connector), Sort: "rejections"}
}

// CountedRejections implements the store of the connectors API.
func (s *Store) CountedRejections(ctx context.Context, connector string) (seeding.RejectionCount, error) {
	c, err := get(ctx, s, countKey(connector), decodeCount)
	if errors.Is(err, seeding.ErrNotFound) {
		return seeding.RejectionCount{}, nil
	}
	return c, err
}

// storedGroup is a seeding.GroupCount in an item. Names are short, so that all
// groups are read with one unit; with ids of submissions it takes a few.
type storedGroup struct {
	Kind        seeding.RejectionKind `json:"k"`
	Code        string                `json:"c,omitempty"`
	Count       int                   `json:"n"`
	FirstTried  int64                 `json:"o"` // Unix milliseconds
	LastTried   int64                 `json:"w"`
	Oldest      int64                 `json:"s,omitempty"` // without these two they are as those
	Newest      int64                 `json:"l,omitempty"`
	Next        int64                 `json:"t,omitempty"` // 0 is never
	Registrants []int64               `json:"r,omitempty"`
	Submissions []string              `json:"u,omitempty"`
}

func encodeCount(c seeding.RejectionCount) (dynamo.Item, error) {
	groups := []storedGroup{}
	for _, g := range c.Groups() {
		stored := storedGroup{
			Kind: g.Kind, Code: g.Code, Count: g.Count, Registrants: g.Registrants, Submissions: g.Submissions,
			FirstTried: g.FirstTried.UnixMilli(), LastTried: g.LastTried.UnixMilli(),
		}
		if oldest, newest := g.Oldest.UnixMilli(), g.Newest.UnixMilli(); oldest != stored.FirstTried || newest != stored.LastTried {
			stored.Oldest, stored.Newest = oldest, newest
		}
		if !g.Next.IsZero() {
			stored.Next = g.Next.UnixMilli()
		}
		groups = append(groups, stored)
	}
	text, err := json.Marshal(groups)
	return dynamo.Item{"at": dynamo.Instant(c.At), "total": dynamo.Number(c.Total), "groups": dynamo.Text(string(text))}, err
}

func decodeCount(it dynamo.Item) (seeding.RejectionCount, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	var groups []seeding.GroupCount
	for _, g := range readJSON[[]storedGroup](r, "groups") {
		count := seeding.GroupCount{
			Group: seeding.Group{Kind: g.Kind, Code: g.Code}, Count: g.Count, Registrants: g.Registrants, Submissions: g.Submissions,
			FirstTried: time.UnixMilli(g.FirstTried).UTC(), LastTried: time.UnixMilli(g.LastTried).UTC(),
		}
		count.Oldest, count.Newest = count.FirstTried, count.LastTried
		if g.Oldest != 0 {
			count.Oldest, count.Newest = time.UnixMilli(g.Oldest).UTC(), time.UnixMilli(g.Newest).UTC()
		}
		if g.Next != 0 {
			count.Next = time.UnixMilli(g.Next).UTC()
		}
		groups = append(groups, count)
	}
	return dynamo.Decoded(r, seeding.CountOf(r.Instant("at"), r.Int("total"), groups))
}
