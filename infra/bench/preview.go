package main

import (
	"context"
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/seeding"
)

// preview measures a preview of ten, as submit works it off: with an Output Format, so
// that everything that a preview may ask is asked.
func (m *measurer) preview(ctx context.Context, r *report) error {
	m.say("previewing ten registrants")
	h, err := newHarness(ctx, m.db, setup{times: seeding.DefaultTimes(), pending: pending, registrants: registrants})
	if err != nil {
		return err
	}
	defer h.close()
	c := h.connector
	c.Version, c.Output.Format = 2, `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token, description: .input.given_name}`
	if err := h.direct.ReplaceConnector(ctx, c, time.Now()); err != nil {
		return err
	}
	calls := [2]int64{}
	for i := range calls {
		h.registry.ResetTallies()
		q := seeding.Inquiry{ID: function.NewID(), Kind: seeding.PreviewInquiry, Connector: c.ID, Count: 10, Asked: time.Now()}
		if err := h.inquiries.MakeKey(ctx, q.ID); err != nil {
			return err
		}
		if q, err = h.direct.Ask(ctx, q); err != nil {
			return err
		}
		if err := h.Desk.Work(ctx, q.ID, time.Now().Add(time.Hour)); err != nil {
			return err
		}
		if q, err = h.direct.Inquiry(ctx, q.ID, time.Now()); err != nil || len(q.Sealed) == 0 {
			return fmt.Errorf("no preview was made: %+v, %w", q.Lines, err)
		}
		calls[i] = h.registry.State().Total.Calls
	}
	r.add("registry calls of a preview of 10, a sample of 200 and an Output Format (login and schema excluded)",
		"≤ 4", calls[1] <= 4, "%d (%d in a fresh process with sign-in, identifier types, their model and fields)", calls[1], calls[0])
	return nil
}
