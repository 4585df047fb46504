package seedingdb

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

// An inquiry is two items. The one that all open ones share a partition with is
// small, because each tick reads them: its place, lease and times. The other holds
// what was asked and the answer, and is deleted by TTL.
const (
	openInquiries = "inquiries"
	foundOut      = "found"
)

func placeKey(subject string, place int) dynamo.Key {
	return dynamo.Key{Partition: openInquiries, Sort: subject + "#" + strconv.Itoa(place)}
}

func inquiryKey(id string) dynamo.Key { return dynamo.Key{Partition: "I#" + id, Sort: "inquiry"} }

// Ask implements seeding.Inquiries.
func (s *Store) Ask(ctx context.Context, q seeding.Inquiry) (seeding.Inquiry, error) {
	q.State = seeding.InquiryWaiting
	err := dynamo.RetryRefused(func() error {
		open, err := readable(ctx, s, dynamo.Span{Partition: openInquiries, From: q.Subject() + "#", To: dynamo.AfterAll(q.Subject())}, decodeOpenInquiry)
		if seeding.IgnoreDamaged(err) != nil {
			return err
		}
		taken := map[int]bool{}
		for _, o := range open {
			taken[o.Place] = true
		}
		for q.Place = 1; taken[q.Place]; q.Place++ {
		}
		if q.Place > seeding.InquiryPlaces {
			return seeding.ErrManyInquiries
		}
		body, err := encodeInquiry(q)
		if err != nil {
			return err
		}
		return dynamo.Transact(ctx, s.client,
			s.connectors.ToPut(dynamo.Change{Key: placeKey(q.Subject(), q.Place), Condition: dynamo.Absent, Item: dynamo.OmitZero(dynamo.Item{
				"id": dynamo.Text(q.ID), "kind": dynamo.Text(string(q.Kind)), "given": dynamo.Flag(q.Given),
				"asked": dynamo.Instant(q.Asked), "expires": dynamo.Number(q.Expires().Unix()),
			})}),
			s.connectors.ToPut(dynamo.Change{Key: inquiryKey(q.ID), Item: body, Condition: dynamo.Absent}),
		)
	})
	return q, dynamo.Explain(err, seeding.ErrManyInquiries, seeding.ErrManyInquiries) // others took each place that was free
}

// Inquiry implements seeding.Inquiries. It compares the time itself, because TTL
// deletes days late.
func (s *Store) Inquiry(ctx context.Context, id string, now time.Time) (seeding.Inquiry, error) {
	if id == "" {
		return seeding.Inquiry{}, seeding.ErrNotFound
	}
	q, err := get(ctx, s, inquiryKey(id), decodeInquiry)
	if err == nil && !q.Expires().After(now) {
		return seeding.Inquiry{}, seeding.ErrNotFound
	}
	return q, err
}

// OpenInquiries implements seeding.Inquiries.
func (s *Store) OpenInquiries(ctx context.Context) ([]seeding.OpenInquiry, error) {
	return readable(ctx, s, dynamo.Span{Partition: openInquiries}, decodeOpenInquiry)
}

// TakeInquiry implements seeding.Inquiries.
func (s *Store) TakeInquiry(ctx context.Context, q seeding.Inquiry, owner string, now, until time.Time) (seeding.OpenInquiry, error) {
	values := dynamo.LeaseValues(owner, now, until)
	values[":id"] = dynamo.Text(q.ID)
	it, err := s.connectors.Update(ctx, dynamo.Change{
		Key:       placeKey(q.Subject(), q.Place),
		Update:    "SET " + dynamo.LeaseSet + " ADD " + dynamo.LeaseAdd + ", #begun :one",
		Condition: "#id = :id AND attribute_not_exists(#fetch) AND " + dynamo.LeaseFree,
		Values:    values,
	})
	if err != nil {
		err = dynamo.Explain(err, seeding.ErrNotFound, seeding.ErrLeaseHeld)
		if err == seeding.ErrLeaseHeld { //nolint:errorlint // just made
			if open, readErr := get(ctx, s, placeKey(q.Subject(), q.Place), decodeOpenInquiry); readErr == nil && (open.ID != q.ID || !open.FetchUpTo.IsZero()) {
				err = seeding.ErrNotFound
			}
		}
		return seeding.OpenInquiry{}, err
	}
	return decodeOpenInquiry(it)
}

// KeepInquiry implements seeding.Inquiries.
func (s *Store) KeepInquiry(ctx context.Context, open seeding.OpenInquiry, until time.Time) error {
	_, err := s.connectors.Update(ctx, dynamo.Change{
		Key: placeKey(open.Subject, open.Place), Update: "SET #until = :until", Condition: "#id = :id AND #fence = :fence",
		Values: dynamo.Item{":id": dynamo.Text(open.ID), ":fence": dynamo.Number(open.Lease.Fence), ":until": dynamo.Instant(until)},
	})
	return conflict(err)
}

// SaveLines implements seeding.Inquiries.
func (s *Store) SaveLines(ctx context.Context, q seeding.Inquiry) error {
	change, err := progressOf(q)
	if err != nil {
		return err
	}
	_, err = s.connectors.Update(ctx, change)
	return conflict(err)
}

// progressOf writes what submit knows by now, unless a later holder of the lease
// wrote, or the inquiry is over.
func progressOf(q seeding.Inquiry) (dynamo.Change, error) {
	lines, err := encodeLines(q.Lines)
	return dynamo.Change{
		Key:       inquiryKey(q.ID),
		Update:    "SET #state = :state, #lines = :lines, #fence = :fence",
		Condition: "(#state = :waiting OR #state = :working) AND #fence <= :fence",
		Values: dynamo.Item{
			":state": dynamo.Text(string(q.State)), ":lines": dynamo.Text(lines), ":fence": dynamo.Number(q.Fence),
			":waiting": dynamo.Text(string(seeding.InquiryWaiting)), ":working": dynamo.Text(string(seeding.InquiryWorking)),
		},
	}, err
}

// EndInquiry implements seeding.Inquiries.
func (s *Store) EndInquiry(ctx context.Context, q seeding.Inquiry) error {
	end, err := progressOf(q)
	if err != nil {
		return err
	}
	end.Update += ", #ended = :ended"
	end.Values[":ended"] = dynamo.Instant(q.Ended)
	place := dynamo.Change{
		Key: placeKey(q.Subject(), q.Place), Condition: "#id = :id AND #fence = :fence",
		Values: dynamo.Item{":id": dynamo.Text(q.ID), ":fence": dynamo.Number(q.Fence), ":fetch": dynamo.Instant(q.FetchUpTo)},
	}
	free := s.connectors.ToDelete(place)
	if len(q.Sealed) > 0 {
		end.Update += ", #sealed = :sealed, #fetch = :fetch"
		end.Values[":sealed"], end.Values[":fetch"] = dynamo.Binary(q.Sealed), dynamo.Instant(q.FetchUpTo)
		place.Update = "SET #fetch = :fetch REMOVE #owner, #until"
		free = s.connectors.ToUpdate(place)
	}
	return conflict(dynamo.Transact(ctx, s.client, s.connectors.ToUpdate(end), free))
}

// FetchInquiry implements seeding.Inquiries.
func (s *Store) FetchInquiry(ctx context.Context, q seeding.Inquiry, state seeding.InquiryState, now time.Time) error {
	return conflict(dynamo.Transact(ctx, s.client,
		s.connectors.ToUpdate(dynamo.Change{
			Key:       inquiryKey(q.ID),
			Update:    "SET #state = :state, #fetched = :now REMOVE #sealed",
			Condition: "#state = :answered AND attribute_exists(#sealed)",
			Values: dynamo.Item{
				":state": dynamo.Text(string(state)), ":answered": dynamo.Text(string(seeding.InquiryAnswered)), ":now": dynamo.Instant(now),
			},
		}),
		s.connectors.ToDelete(dynamo.Change{
			Key: placeKey(q.Subject(), q.Place), Condition: "#id = :id", Values: dynamo.Item{":id": dynamo.Text(q.ID)},
		}),
	))
}

// NoteFound implements seeding.Inquiries. It has no condition, because what was
// found last is right.
func (s *Store) NoteFound(ctx context.Context, f seeding.RegistryFound) error {
	return s.connectors.Put(ctx, dynamo.Change{Key: foundKey(f.Registry), Item: dynamo.OmitZero(dynamo.Item{
		"identity": dynamo.Text(f.Identity), "exact": dynamo.Flag(f.Exact), "odoo": dynamo.Text(f.Odoo), "line": dynamo.Text(f.Line),
		"checked": dynamo.Instant(f.Checked),
	})})
}

// Found implements seeding.Inquiries.
func (s *Store) Found(ctx context.Context, registry string) (seeding.RegistryFound, error) {
	return get(ctx, s, foundKey(registry), decodeFound)
}

// AllFound implements seeding.Inquiries.
func (s *Store) AllFound(ctx context.Context) ([]seeding.RegistryFound, error) {
	return readable(ctx, s, dynamo.Span{Partition: foundOut}, decodeFound)
}

func foundKey(registry string) dynamo.Key { return dynamo.Key{Partition: foundOut, Sort: registry} }

func decodeFound(it dynamo.Item) (seeding.RegistryFound, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	return dynamo.Decoded(r, seeding.RegistryFound{
		Registry: r.Key().Sort, Identity: r.Text("identity"), Exact: r.Flag("exact"), Odoo: r.Text("odoo"), Line: r.Text("line"),
		Checked: r.Instant("checked"),
	})
}

func decodeOpenInquiry(it dynamo.Item) (seeding.OpenInquiry, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	o := seeding.OpenInquiry{
		ID: r.Text("id"), Kind: seeding.InquiryKind(r.Text("kind")), Given: r.Flag("given"), Asked: r.Instant("asked"),
		Lease: seeding.Lease(r.Lease()), Begun: r.Int("begun"), FetchUpTo: r.Instant("fetch"),
	}
	parts, ok := dynamo.SplitSort(r.Key().Sort, 2)
	if !ok {
		r.Damaged("sk")
		return dynamo.Decoded(r, o)
	}
	var err error
	o.Subject = parts[0]
	if o.Place, err = strconv.Atoi(parts[1]); err != nil {
		r.Damaged("sk")
	}
	return dynamo.Decoded(r, o)
}

// storedLine is a line as it is stored.
type storedLine struct {
	Name   string             `json:"name"`
	Result seeding.LineResult `json:"result"`
	Code   string             `json:"code"`
	Params map[string]any     `json:"params,omitempty"`
	Text   string             `json:"text"`
	Remedy string             `json:"remedy,omitempty"`
	Field  string             `json:"field,omitempty"`
}

func encodeLines(lines []seeding.Line) (string, error) {
	stored := make([]storedLine, len(lines))
	for i, l := range lines {
		stored[i] = storedLine{l.Name, l.Result, l.Code, l.Params, l.Text, l.Remedy, l.Field}
	}
	text, err := json.Marshal(stored)
	return string(text), err
}

func decodeLines(r *dynamo.Reader) (lines []seeding.Line) {
	if r.Text("lines") == "" {
		return nil
	}
	for _, l := range readJSON[[]storedLine](r, "lines") {
		lines = append(lines, seeding.Line{
			Name: l.Name, Result: l.Result, Code: l.Code, Params: l.Params, Description: seeding.Description{Text: l.Text, Remedy: l.Remedy}, Field: l.Field,
		})
	}
	return lines
}

// encodeInquiry is a new inquiry. The fence is there even if it is 0, because
// conditions compare it.
func encodeInquiry(q seeding.Inquiry) (dynamo.Item, error) {
	draft, registrants := "", ""
	if q.Draft != nil {
		document, err := json.Marshal(configurationOf(*q.Draft))
		if err != nil {
			return nil, err
		}
		draft = string(document)
	}
	if len(q.Registrants) > 0 {
		list, err := json.Marshal(q.Registrants)
		if err != nil {
			return nil, err
		}
		registrants = string(list)
	}
	it := dynamo.OmitZero(dynamo.Item{
		"kind": dynamo.Text(string(q.Kind)), "connector": dynamo.Text(q.Connector), "place": dynamo.Number(q.Place),
		"draft": dynamo.Text(draft), "given": dynamo.Flag(q.Given), "asker": dynamo.Text(q.Asker), "asked": dynamo.Instant(q.Asked),
		"count": dynamo.Number(q.Count), "registrants": dynamo.Text(registrants),
		"state": dynamo.Text(string(q.State)), "expires": dynamo.Number(q.Expires().Unix()), // TTL takes seconds
	})
	it["fence"] = dynamo.Number(q.Fence)
	return it, nil
}

func decodeInquiry(it dynamo.Item) (seeding.Inquiry, error) {
	r := dynamo.NewReader(it)
	r.Form(1)
	q := seeding.Inquiry{
		ID: r.Key().Partition[len("I#"):], Kind: seeding.InquiryKind(r.Text("kind")), Connector: r.Text("connector"), Place: r.Int("place"),
		Given: r.Flag("given"), Asker: r.Text("asker"), Asked: r.Instant("asked"), Count: r.Int("count"),
		State: seeding.InquiryState(r.Text("state")), Ended: r.Instant("ended"), Lines: decodeLines(r),
		Sealed: r.Binary("sealed"), FetchUpTo: r.Instant("fetch"), FetchedAt: r.Instant("fetched"), Fence: r.Number("fence"),
	}
	if r.Text("draft") != "" {
		c := readJSON[configuration](r, "draft").connector()
		q.Draft = &c
	}
	if r.Text("registrants") != "" {
		q.Registrants = readJSON[[]int64](r, "registrants")
	}
	return dynamo.Decoded(r, q)
}
