package seeding_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

func TestRejectedRegistrantIsDueWhenSomethingChangedOrTimeComes(t *testing.T) {
	old, changed := seeding.Fingerprint{1}, seeding.Fingerprint{2}
	since := now.Add(-time.Hour)
	type times = map[seeding.Group]time.Time
	for name, c := range map[string]struct {
		r       seeding.Rejection
		today   seeding.Fingerprint
		retried times
		want    bool
	}{
		"nothing happened":                  {seeding.Rejection{Fingerprint: old, Next: now.Add(time.Hour)}, old, nil, false},
		"never by time":                     {seeding.Rejection{Fingerprint: old}, old, nil, false},
		"data changed":                      {seeding.Rejection{Fingerprint: old}, changed, nil, true},
		"time has come":                     {seeding.Rejection{Fingerprint: old, Next: now}, old, nil, true},
		"no fingerprint, time ahead":        {seeding.Rejection{Next: now.Add(time.Hour)}, changed, nil, false},
		"configuration changed":             {seeding.Rejection{Fingerprint: old, Configured: 2}, old, nil, true},
		"retry of its kind":                 {seeding.Rejection{Fingerprint: old, Kind: seeding.Refused}, old, times{{Kind: seeding.Refused}: now}, true},
		"retry of another kind":             {seeding.Rejection{Fingerprint: old, Kind: seeding.Refused}, old, times{{Kind: seeding.Conflict}: now}, false},
		"retry of its code":                 {seeding.Rejection{Fingerprint: old, Kind: seeding.Refused, Code: "IDA-MLC-009:dob"}, old, times{{Kind: seeding.Refused, Code: "IDA-MLC-009"}: now}, true},
		"retry of another code":             {seeding.Rejection{Fingerprint: old, Kind: seeding.Refused, Code: "IDA-MLC-009,IDA-MLC-004"}, old, times{{Kind: seeding.Refused, Code: "IDA-MLC-009"}: now}, false},
		"retry of all":                      {seeding.Rejection{Fingerprint: old, Kind: seeding.Refused}, old, times{{}: now}, true},
		"rejected since then":               {seeding.Rejection{Fingerprint: old, Kind: seeding.Refused}, old, times{{}: since.Add(-1), {Kind: seeding.Refused}: since.Add(-1)}, false},
		"no fingerprint, and it never will": {seeding.Rejection{}, changed, nil, false},
	} {
		c.r.Since, c.r.LastAttempt = since.Add(-24*time.Hour), since
		if c.r.Configured == 0 {
			c.r.Configured = 3
		}
		if got := c.r.Due(now, c.today, 3, c.retried); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// One constructor makes every rejection: what it keeps of the one before, and
// how it counts.
func TestReject(t *testing.T) {
	lost, system := seeding.Cause{Kind: seeding.NoToken}, seeding.Cause{Kind: seeding.Refused, Code: "IDA-MPA-005"}
	refused := seeding.Cause{Kind: seeding.Refused, Code: "IDA-MLC-009"}
	for name, c := range map[string]struct {
		cause    seeding.Cause
		before   seeding.Rejection
		attempts int
		wait     time.Duration // -1 for never
	}{
		"the first refusal":                            {refused, seeding.Rejection{}, 1, 24 * time.Hour},
		"refused after invalid":                        {refused, seeding.Rejection{Kind: seeding.Invalid, Attempts: 4}, 5, 24 * time.Hour},
		"lost for the first time":                      {lost, seeding.Rejection{}, 1, 0},
		"lost after a refusal":                         {lost, seeding.Rejection{Kind: seeding.Refused, Attempts: 7}, 1, 0},
		"lost twice":                                   {lost, seeding.Rejection{Kind: seeding.NoToken, Attempts: 1}, 2, time.Hour},
		"set aside after a loss":                       {seeding.Cause{Kind: seeding.SetAside}, seeding.Rejection{Kind: seeding.NoToken, Attempts: 3}, 1, time.Hour},
		"a code of the system":                         {system, seeding.Rejection{}, 1, 0},
		"a code of the system after a refusal":         {system, seeding.Rejection{Kind: seeding.Refused, Code: "IDA-MLC-009", Attempts: 3}, 1, 0},
		"another code of the system":                   {system, seeding.Rejection{Kind: seeding.Refused, Code: "AUT_BAS_001", Attempts: 2}, 3, 2 * time.Hour},
		"refused after a code of the system":           {refused, seeding.Rejection{Kind: seeding.Refused, Code: "AUT_BAS_001", Attempts: 2}, 3, 24 * time.Hour},
		"invalid, which does not end by time":          {seeding.Cause{Kind: seeding.Invalid}, seeding.Rejection{}, 1, -1},
		"duplicate, which its holder may end":          {seeding.Cause{Kind: seeding.Duplicate, Holder: 5}, seeding.Rejection{}, 1, -1},
		"conflict after conflict, which a person ends": {seeding.Cause{Kind: seeding.Conflict}, seeding.Rejection{Kind: seeding.Conflict, Attempts: 1}, 2, -1},
	} {
		c.before.Version = 3
		c.cause.Fingerprint, c.cause.FingerprintKey = seeding.Fingerprint{1}, "k"
		who := seeding.Member{Registrant: 1, Identifier: 2}.Subject()
		want := seeding.Rejection{
			Registry: "r", Connector: "c", Subject: who, Kind: c.cause.Kind, Code: c.cause.Code, Holder: c.cause.Holder,
			Fingerprint: seeding.Fingerprint{1}, FingerprintKey: "k", Configured: 9, Attempts: c.attempts, Since: now, LastAttempt: now, Version: 3,
		}
		c.before.Since, c.before.LastAttempt = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
		if c.before.Kind == c.cause.Kind {
			want.Since = c.before.Since
		}
		if c.wait >= 0 {
			want.Next = now.Add(c.wait)
		}
		if got := c.cause.Reject("r", "c", who, 9, c.before, now, seeding.DefaultTimes()); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// rejections is a store that records the range that is read.
type rejections struct {
	list     []seeding.Rejection
	fails    error
	asked    int
	from, to int64
	ids      []string
}

func (r *rejections) Rejections(_ context.Context, registry string, from, to int64) ([]seeding.Rejection, error) {
	r.asked++
	r.from, r.to = from, to
	return slices.DeleteFunc(slices.Clone(r.list), func(x seeding.Rejection) bool {
		return x.Registry != registry || x.Identifier < from || x.Identifier > to
	}), r.fails
}

func (r *rejections) RejectionsOfSubmissions(_ context.Context, registry, connector string, ids []string) ([]seeding.Rejection, error) {
	r.ids = ids
	return slices.DeleteFunc(slices.Clone(r.list), func(x seeding.Rejection) bool {
		return x.Registry != registry || x.Connector != connector || !slices.Contains(ids, x.Submission)
	}), r.fails
}

// The rejections of a batch's own connector, read with one call.
func TestRejectionsOf(t *testing.T) {
	of := func(connector string, identifier int64) seeding.Rejection {
		return seeding.Rejection{Registry: ref.Registry, Connector: connector, Subject: seeding.Member{Registrant: 1, Identifier: identifier}.Subject()}
	}
	at := func(identifier int64) seeding.Subject { // where another registrant has it by now
		return seeding.Member{Registrant: 2, Identifier: identifier}.Subject()
	}
	mine, others := of(ref.Connector, 5), of("c2", 7)
	storage := errors.New("storage")
	for _, c := range []struct {
		name     string
		subjects []seeding.Subject
		want     []seeding.Rejection
		from, to int64
		fails    error
	}{
		{"of nobody: nothing is asked", nil, nil, 0, 0, nil},
		{"of one who has one", []seeding.Subject{at(5)}, []seeding.Rejection{mine}, 5, 5, nil},
		{"of one whom another connector rejected", []seeding.Subject{at(7)}, nil, 7, 7, nil},
		{"of several, in whatever order", []seeding.Subject{at(9), at(3), at(5)}, []seeding.Rejection{mine}, 3, 9, nil},
		{"the store fails", []seeding.Subject{at(5)}, nil, 5, 5, storage},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &rejections{list: []seeding.Rejection{mine, others}, fails: c.fails}
			got, err := seeding.RejectionsOf(t.Context(), store, ref, c.subjects)
			if !errors.Is(err, c.fails) || c.fails == nil && (err != nil || got == nil) {
				t.Fatalf("%v, error %v", got, err)
			}
			if asked := min(len(c.subjects), 1); store.asked != asked || store.from != c.from || store.to != c.to {
				t.Errorf("asked %d times, for %d to %d", store.asked, store.from, store.to)
			}
			if len(got) != len(c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			for _, want := range c.want {
				if got[want.Key()] != want {
					t.Errorf("of %d %+v, want %+v", want.Identifier, got, want)
				}
			}
		})
	}
}

// Those of submissions are read by their ids, beside those of registrants.
func TestRejectionsOfSubmissions(t *testing.T) {
	of := func(submission string) seeding.Rejection {
		return seeding.Rejection{Registry: ref.Registry, Connector: ref.Connector, Subject: seeding.Subject{Submission: submission}}
	}
	store := &rejections{list: []seeding.Rejection{of("uuid:1"), of("uuid:2"), {Registry: ref.Registry, Connector: ref.Connector, Subject: seeding.Member{Identifier: 5}.Subject()}}}
	who := []seeding.Subject{{Submission: "uuid:1"}, {Submission: "uuid:3"}}
	got, err := seeding.RejectionsOf(t.Context(), store, ref, who)
	if err != nil || len(got) != 1 || got[who[0]] != of("uuid:1") || store.asked > 0 || !slices.Equal(store.ids, []string{"uuid:1", "uuid:3"}) {
		t.Errorf("%v, %v, asked for %q and %d ranges", got, err, store.ids, store.asked)
	}
	got, err = seeding.RejectionsOf(t.Context(), store, ref, append(who, seeding.Member{Registrant: 9, Identifier: 5}.Subject()))
	if err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}
