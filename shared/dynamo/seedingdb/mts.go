package seedingdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

func mtsKey(id string) dynamo.Key { return dynamo.Key{Partition: "seeders", Sort: id} }

// MTSState implements seeding.MTSStates.
func (s *Store) MTSState(ctx context.Context, id string) (seeding.MTSState, error) {
	m, err := get(ctx, s, mtsKey(id), decodeMTS)
	if errors.Is(err, seeding.ErrNotFound) {
		return seeding.MTSState{Key: id}, nil
	}
	return m, err
}

// The slot of a batch, and the mark of a connector that waits, are attributes of
// their own, named by its id, so that changes of different ones do not meet.
const (
	slotPrefix    = "slot_"
	waitingPrefix = "waiting_"
)

// takeSlot is the change by which a claim takes its slot, on condition that nobody
// claimed one since the state of the MTS was read. The connector does not wait
// any more.
func takeSlot(c seeding.Claim) dynamo.Change {
	b := c.Batch
	take := dynamo.Change{
		Key:       mtsKey(b.MTS),
		Update:    "SET #claims = :next, #slot = :slot REMOVE #waiting",
		Condition: "#claims = :read",
		Names:     map[string]string{"#slot": slotPrefix + b.Ref.Batch, "#waiting": waitingPrefix + b.Ref.Connector},
		Values: dynamo.Item{
			":read": dynamo.Number(c.Claims), ":next": dynamo.Number(c.Claims + 1),
			":slot": dynamo.Map(slotItem(dynamo.Item{
				"connector": dynamo.Text(b.Ref.Connector), "registry": dynamo.Text(b.Ref.Registry), "count": dynamo.Number(b.Count),
				"width": dynamo.Number(c.Width), "claimed": dynamo.Instant(b.Claimed), "overdue": dynamo.Instant(b.Overdue), "ends": dynamo.Instant(b.GiveUpAt()),
			}, b.Direct)),
		},
	}
	if c.Claims == 0 {
		take.Condition = "attribute_not_exists(#claims)"
	}
	remove := func(prefix string, ids []string, already string) { // a path may be named once
		for i, id := range ids {
			if id != already {
				alias := fmt.Sprintf("#%s%d", prefix, i)
				take.Update += ", " + alias
				take.Names[alias] = prefix + id
			}
		}
	}
	remove(slotPrefix, c.LeftSlots, b.Ref.Batch)
	remove(waitingPrefix, c.LeftMarks, b.Ref.Connector)
	return take
}

// slotItem adds what only the slot of a direct batch has.
func slotItem(slot dynamo.Item, direct bool) dynamo.Item {
	if direct {
		slot["direct"] = dynamo.Flag(true)
	}
	return slot
}

// freeSlot is the change by which closing a batch frees its slot.
func freeSlot(b seeding.Batch) dynamo.Change {
	free := dynamo.Change{
		Key: mtsKey(b.MTS), Update: "REMOVE #slot",
		Names: map[string]string{"#slot": slotPrefix + b.Ref.Batch},
	}
	if b.State == seeding.Patched {
		free.Update += " SET #heard = :heard ADD #delivered :count"
		free.Values = dynamo.Item{":heard": dynamo.Instant(b.Closed), ":count": dynamo.Number(b.Count)}
	}
	return free
}

// WaitForMTS implements seeding.MTSStates. It states what its caller just met, so
// it has no condition.
func (s *Store) WaitForMTS(ctx context.Context, id string, w seeding.Waiting) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:    mtsKey(id),
		Update: "SET #waiting = :waiting",
		Names:  map[string]string{"#waiting": waitingPrefix + w.Connector},
		Values: dynamo.Item{":waiting": dynamo.Map(dynamo.Item{
			"since": dynamo.Instant(w.Since), "until": dynamo.Instant(w.Until),
		})},
	})
	return err
}

// NoteMTS implements seeding.MTSStates. It has no condition, as WaitForMTS.
func (s *Store) NoteMTS(ctx context.Context, id string, notBefore time.Time, attempts int) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key:    mtsKey(id),
		Update: "SET #notBefore = :notBefore, #tries = :tries",
		Values: dynamo.Item{":notBefore": dynamo.Instant(notBefore), ":tries": dynamo.Number(attempts)},
	})
	return err
}

// SavePace implements seeding.MTSStates.
func (s *Store) SavePace(ctx context.Context, id string, read, next seeding.Pace) error {
	c := dynamo.Change{
		Key:       mtsKey(id),
		Update:    "SET #pace = :pace, #width = :width",
		Condition: "#pace = :readPace AND #width = :readWidth",
		Values: dynamo.Item{
			":pace": encodePace(next), ":readPace": encodePace(read),
			":width": dynamo.Map(encodeWidth(next)), ":readWidth": dynamo.Map(encodeWidth(read)),
		},
	}
	if read == (seeding.Pace{}) {
		c.Condition = "attribute_not_exists(#pace)"
	} else if len(encodeWidth(read)) == 0 { // as one that the version before saved
		c.Condition = "#pace = :readPace AND (attribute_not_exists(#width) OR #width = :readWidth)"
	}
	_, err := s.connectors.Update(ctx, c)
	saved := func(old dynamo.Item) bool {
		wanted := dynamo.Item{"pace": c.Values[":pace"], "width": c.Values[":width"]}
		return decodePace(dynamo.NewReader(old)) == decodePace(dynamo.NewReader(wanted))
	}
	return conflict(dynamo.Already(err, saved))
}

func decodeMTS(it dynamo.Item) (seeding.MTSState, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	return dynamo.Decoded(r, seeding.MTSState{
		Key:       r.Key().Sort,
		Claims:    r.Number("claims"),
		Slots:     decodeSlots(r),
		Waiting:   decodeWaiting(r),
		Delivered: r.Number("delivered"),
		Heard:     r.Instant("heard"),
		Pace:      decodePace(r),
		NotBefore: r.Instant("notBefore"),
		Attempts:  r.Int("tries"),
	})
}

// decodeSlots returns the slots in the order of their batches.
func decodeSlots(r *dynamo.Reader) (slots []seeding.Slot) {
	for _, name := range r.Names() {
		if batch, ok := strings.CutPrefix(name, slotPrefix); ok {
			r.Map(name, func(r *dynamo.Reader) {
				slots = append(slots, seeding.Slot{
					Batch: batch, Connector: r.Text("connector"), Registry: r.Text("registry"),
					Count: r.Int("count"), Width: r.Int("width"), Claimed: r.Instant("claimed"), Overdue: r.Instant("overdue"), Ends: r.Instant("ends"), Direct: r.Flag("direct"),
				})
			})
		}
	}
	return slots
}

// decodeWaiting returns the marks in the order of their connectors.
func decodeWaiting(r *dynamo.Reader) (waiting []seeding.Waiting) {
	for _, name := range r.Names() {
		if connector, ok := strings.CutPrefix(name, waitingPrefix); ok {
			r.Map(name, func(r *dynamo.Reader) {
				waiting = append(waiting, seeding.Waiting{
					Connector: connector, Since: r.Instant("since"), Until: r.Instant("until"),
				})
			})
		}
	}
	return waiting
}

// encodePace writes every member about the batch size, so that equal paces are
// equal attributes. What a pace has besides is in the attribute width: the version
// before compares this one with the members that it knows, and could not move the
// pace if there were others.
func encodePace(p seeding.Pace) types.AttributeValue {
	return dynamo.Map(dynamo.Item{
		"size": dynamo.Number(p.Size), "ceiling": dynamo.Number(p.Ceiling), "timely": dynamo.Number(p.Timely),
		"proved": dynamo.Number(p.Proved), "suspect": dynamo.Number(p.Suspect), "losses": dynamo.Number(p.Losses),
		"perRecord": dynamo.Duration(p.PerRecord),
	})
}

func encodeWidth(p seeding.Pace) dynamo.Item {
	return dynamo.OmitZero(dynamo.Item{
		"single": dynamo.Duration(p.Single), "singleAt": dynamo.Number(p.SingleAt), "interval": dynamo.Duration(p.Interval),
		"handling": dynamo.Duration(p.Handling), "limit": dynamo.Number(p.Limit), "raising": dynamo.Number(p.Raising), "limitedAt": dynamo.Number(p.LimitedAt),
	})
}

func decodePace(r *dynamo.Reader) (p seeding.Pace) {
	r.Map("pace", func(r *dynamo.Reader) {
		p.Size, p.Ceiling, p.Timely = r.Int("size"), r.Int("ceiling"), r.Int("timely")
		p.Proved, p.Suspect, p.Losses, p.PerRecord = r.Int("proved"), r.Int("suspect"), r.Int("losses"), r.Duration("perRecord")
	})
	r.Map("width", func(r *dynamo.Reader) {
		p.Single, p.SingleAt, p.Interval = r.Duration("single"), r.Number("singleAt"), r.Duration("interval")
		p.Handling = r.Duration("handling")
		p.Limit, p.Raising, p.LimitedAt = r.Int("limit"), r.Int("raising"), r.Number("limitedAt")
	})
	return p
}
