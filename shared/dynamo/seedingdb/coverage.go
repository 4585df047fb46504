package seedingdb

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

func coverageKey(connector string) dynamo.Key {
	return dynamo.Key{Partition: runs(connector), Sort: "coverage"}
}

// Coverage implements seeding.Coverages.
func (s *Store) Coverage(ctx context.Context, connector string) (seeding.Coverage, error) {
	c, err := get(ctx, s, coverageKey(connector), decodeCoverage(connector))
	if seeding.IsNotFound(err) {
		return seeding.Coverage{Connector: connector}, nil
	}
	return c, err
}

// SaveCoverage implements seeding.Coverages.
func (s *Store) SaveCoverage(ctx context.Context, c seeding.Coverage) error {
	change := dynamo.Change{
		Key: coverageKey(c.Connector),
		Item: dynamo.OmitZero(dynamo.Item{
			"odkForm": dynamo.Text(c.Form), "mark": dynamo.Text(c.Mark), "spans": encodeSpans(c.Spans), "version": dynamo.Number(c.Version + 1),
		}),
		Condition: "#version = :version", Values: dynamo.Item{":version": dynamo.Number(c.Version)},
	}
	if c.Version == 0 {
		change.Condition = dynamo.Absent
	}
	written := func(old dynamo.Item) bool {
		r := dynamo.NewReader(old)
		return r.Int("version") == c.Version+1 && r.Text("odkForm") == c.Form && r.Text("mark") == c.Mark
	}
	return conflict(dynamo.Already(s.connectors.Put(ctx, change), written))
}

func decodeCoverage(connector string) func(dynamo.Item) (seeding.Coverage, error) {
	return func(it dynamo.Item) (seeding.Coverage, error) {
		r := dynamo.NewReader(it)
		r.Form(1)
		c := seeding.Coverage{
			Connector: connector, Form: r.Text("odkForm"), Mark: r.Text("mark"), Spans: decodeSpans(r, "spans"), Version: r.Int("version"),
		}
		return dynamo.Decoded(r, c)
	}
}

// encodeLooks writes what a run looks at, beside its other attributes, as a document.
func encodeLooks(l seeding.Looks) types.AttributeValue {
	text, _ := json.Marshal(storedLooks{l.Until.UnixMilli(), l.Mark, storedSpans(l.Spans)}) // as for spans
	return dynamo.Text(string(text))
}

type storedLooks struct {
	Until int64        `json:"until"`
	Mark  string       `json:"mark,omitempty"`
	Spans []storedSpan `json:"spans"`
}

func decodeLooks(r *dynamo.Reader) seeding.Looks {
	text := r.Text("looks")
	if text == "" {
		return seeding.Looks{}
	}
	var l storedLooks
	if json.Unmarshal([]byte(text), &l) != nil || len(l.Spans) > seeding.MaxSpans {
		r.Damaged("looks")
		return seeding.Looks{}
	}
	return seeding.Looks{Planned: true, Until: time.UnixMilli(l.Until).UTC(), Mark: l.Mark, Spans: spansOf(l.Spans)}
}

// storedSpan is a span; its times are milliseconds since 1970, as stores keep them.
type storedSpan struct {
	From  int64  `json:"from"`
	To    int64  `json:"to"`
	Mark  string `json:"mark,omitempty"`
	Count int    `json:"count,omitempty"`
}

// encodeSpans is empty without a span.
func encodeSpans(spans []seeding.Span) types.AttributeValue {
	if len(spans) == 0 {
		return dynamo.Text("")
	}
	text, _ := json.Marshal(storedSpans(spans)) // numbers and texts can be written
	return dynamo.Text(string(text))
}

func decodeSpans(r *dynamo.Reader, name string) []seeding.Span {
	text := r.Text(name)
	if text == "" {
		return nil
	}
	var list []storedSpan
	if json.Unmarshal([]byte(text), &list) != nil || len(list) > seeding.MaxSpans {
		r.Damaged(name)
		return nil
	}
	return spansOf(list)
}

func storedSpans(spans []seeding.Span) []storedSpan {
	list := make([]storedSpan, len(spans))
	for i, s := range spans {
		list[i] = storedSpan{s.From.UnixMilli(), s.To.UnixMilli(), s.Mark, s.Count}
	}
	return list
}

func spansOf(list []storedSpan) (spans []seeding.Span) {
	for _, s := range list {
		window := seeding.Window{From: time.UnixMilli(s.From).UTC(), To: time.UnixMilli(s.To).UTC()}
		spans = append(spans, seeding.Span{Window: window, Mark: s.Mark, Count: s.Count})
	}
	return spans
}

// RejectionsOfSubmissions implements seeding.RejectionsOfSubmissions.
func (s *Store) RejectionsOfSubmissions(ctx context.Context, registry, connector string, ids []string) (found []seeding.Rejection, err error) {
	sorts := make([]string, len(ids))
	for i, id := range ids {
		sorts[i] = rejectionKey(seeding.Rejection{Connector: connector, Subject: seeding.Subject{Submission: id}}).Sort
	}
	items, err := s.connectors.GetSome(ctx, rejections(registry), sorts)
	if err != nil {
		return nil, err
	}
	var damaged error
	for _, it := range items {
		r, err := decodeRejection(registry)(it)
		if err != nil {
			damaged = err
			continue
		}
		found = append(found, r)
	}
	slices.SortFunc(found, func(a, b seeding.Rejection) int { return cmp.Compare(a.Submission, b.Submission) })
	return found, damaged
}
