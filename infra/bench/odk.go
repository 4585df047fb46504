package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/infra/world/programs"
	"openg2p.org/mts-connector/shared/seeding"
)

// form is a simulated Central with submissions that all get a token.
type form struct {
	*centralsim.Server
	url  string
	size int
}

func newForm(n int) (f form, stop func()) {
	f = form{Server: centralsim.New(centralsim.Options{}), size: n}
	f.Populate(0, 1)
	now := time.Now()
	for i := range n {
		f.Form(1, centralsim.DemoForm).Submit(centralsim.Submission{
			ID: fmt.Sprintf("uuid:%08x-0000-4000-8000-%012x", i, i), At: now.Add(-2*time.Minute - time.Duration(n-i)*250*time.Millisecond),
			Answers: map[string]string{
				"vid": centralsim.DemoVID(int64(i), 1, 0), "person/name": fmt.Sprintf("Jo Doe %d", i), "person/gender": "Female", "person/dob": "1990-02-03",
				"person/phone": "+15550100", "person/email": fmt.Sprintf("jo%d@example.org", i), "where/address": fmt.Sprintf("%d Long Street, Quezon City", i),
			},
		})
	}
	server := httptest.NewServer(f.Server)
	f.url = server.URL
	return f, server.Close
}

func (f form) change(c *seeding.Connector) error { return inprocess.FromODK(c, f.url) }

// wrong lists what is wrong after a run, in which a registrant comes of everybody.
func (f form) wrong(h *harness) []string {
	words := invariants.Words(invariants.Submissions(h.now(), nil, nil, f.Form(1, centralsim.DemoForm).Entries()))
	if n := len(h.now()); n != f.size {
		words = append(words, fmt.Sprintf("%d registrants of %d", n, f.size))
	}
	return words
}

// submissionsOfODK compares a run over a form with the time that MTS needs alone, and
// counts the calls at Central.
func (m *measurer) submissionsOfODK(ctx context.Context, r *report) error {
	const submissions, faster = 10_000, 4 // times as fast, waits included, to save time
	f, stop := newForm(submissions)
	defer stop()
	times := seeding.DefaultTimes()
	times.Poll /= faster
	times.AnswerWait /= faster
	m.say("running over a form of %d submissions, %d times as fast", submissions, faster)
	s := setup{pace: 1. / faster, times: times, found: true, limit: 8 * time.Minute, change: f.change, wrong: f.wrong}
	return m.measured(ctx, s, func(h *harness, took time.Duration) error {
		calls := f.Counters()
		each := 1000 * float64(calls.Requests) / submissions
		r.add(fmt.Sprintf("ODK: calls at Central per 1,000 submissions, those of MTS included (a form of %d)", submissions), "≤ 6", each <= 6, "%.1f", each)
		m.say("calls at Central: %d, of them %d sign-ins, %d counts, %d lists; %d batches", calls.Requests, calls.SignIns, calls.Counts, calls.Lists, len(h.sent.submissions))
		alone, err := backToBack(ctx, 1./faster, h.sent.submissions)
		if err != nil {
			return err
		}
		ratio := took.Seconds() / alone.Seconds()
		r.add(fmt.Sprintf("ODK: a run over a form of %d submissions, over what MTS needs for the same batches submitted back to back (simulated %d times as fast)", submissions, faster),
			"≤ 1.10", ratio <= 1.10, "%.3f (%.1f s / %.1f s)", ratio, took.Seconds(), alone.Seconds())
		return nil
	})
}

// memoryOfODK looks at the memory that a run over a large form takes. The simulators are
// programs of their own; all functions are together in this process, so patch alone
// takes less.
func (m *measurer) memoryOfODK(ctx context.Context, r *report) error {
	const submissions = 50_000
	deployed, err := template.Read()
	if err != nil {
		return err
	}
	setting := float64(deployed.Memory["Patch"]) * (1 << 20)
	m.say("running over a form of %d submissions, with the simulators as programs", submissions)
	addresses := map[string]string{}
	for name, args := range map[string][]string{
		"mtssim": nil, "odoosim": {"-submissions"}, "centralsim": {"-submissions", fmt.Sprint(submissions)},
	} {
		simulator, err := programs.Start(ctx, name, args...)
		if err != nil {
			return err
		}
		defer simulator.Stop()
		addresses[name] = simulator.Address
	}
	registrants := 0
	s := setup{times: seeding.DefaultTimes(), found: true, limit: 20 * time.Minute,
		change: func(c *seeding.Connector) error {
			c.MTS.URL, c.Registry.URL = addresses["mtssim"], addresses["odoosim"]
			return inprocess.FromODK(c, addresses["centralsim"])
		},
		wrong: func(*harness) []string {
			var state struct{ Tokens int }
			if err := look(ctx, addresses["odoosim"]+"/_simulator/state", &state); err != nil {
				return []string{err.Error()}
			}
			registrants = state.Tokens
			return nil
		},
	}
	h, err := newHarness(ctx, m.db, s)
	if err != nil {
		return err
	}
	defer h.close()
	var took time.Duration
	most, err := whileSampling(func() (err error) {
		took, err = h.run(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if registrants < submissions*85/100 {
		return fmt.Errorf("%d registrants came of %d submissions", registrants, submissions)
	}
	m.say("%d registrants in %.0f s", registrants, took.Seconds())
	r.add(fmt.Sprintf("ODK: memory of live objects that a run over a form of %d submissions takes at most, of all functions together, over the memory of patch", submissions),
		"≤ 0.60", float64(most) <= 0.60*setting, "%.2f (%.0f MB / %.0f MB)", float64(most)/setting, float64(most)/1e6, setting/1e6)
	return nil
}

func look(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
