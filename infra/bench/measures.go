package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/console"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/seeding"
)

// measurer measures runs. It keeps the requests of one of them, to submit them
// back to back.
type measurer struct {
	db          *dynamolocal.Server
	say         func(format string, a ...any)
	dir         string // for binaries
	widths      string // of the MTSs whose width over time is noted, a part of the name; "" is none
	built       []*binary
	submissions []seeding.Request
}

// binaries are those of all functions, and of hello. They are built once.
func (m *measurer) binaries(ctx context.Context) (_ []*binary, err error) {
	if m.built == nil {
		m.say("building the functions")
		m.built, err = build(ctx, m.dir)
	}
	return m.built, err
}

// Most goals are about a run of 3,000 valid registrants, in a registry with three
// times as many others.
const (
	pending     = 3_000
	registrants = 12_000
)

// measured runs a harness and calls look before it closes it.
func (m *measurer) measured(ctx context.Context, s setup, look func(h *harness, took time.Duration) error) error {
	if s.times == (seeding.Times{}) {
		s.times = seeding.DefaultTimes()
	}
	h, err := newHarness(ctx, m.db, s)
	if err != nil {
		return err
	}
	defer h.close()
	took, err := h.run(ctx)
	if err != nil {
		return err
	}
	return look(h, took)
}

// counted are the registrants of the run whose calls and writes are counted.
const counted = 4 * batchSize

// cost counts calls and write units of a run.
func (m *measurer) cost(ctx context.Context, r *report) error {
	m.say("counting what %d registrants cost", counted)
	return m.measured(ctx, setup{pending: counted, registrants: registrants, found: true}, func(h *harness, _ time.Duration) error {
		const thousands = counted / 1000.
		calls := 0.
		var kinds []string
		made := h.registry.State().Calls
		for _, method := range slices.Sorted(maps.Keys(made)) {
			kinds = append(kinds, fmt.Sprintf("%s %d", method, made[method].Calls))
			if !isLogin(method) {
				calls += float64(made[method].Calls)
			}
		}
		r.add("registry calls per 1,000 registrants tokenised (4,000 valid ones, four batches of 1,000 under way at once, login excluded)",
			"≤ 12", calls/thousands <= 12, "%.1f", calls/thousands)
		m.say("registry calls: %s", strings.Join(kinds, ", "))

		list, sum := h.units.writes()
		r.add("DynamoDB write units per 1,000 in the same run (transactions counted double)",
			"≤ 110", sum.units/thousands <= 110, "%.1f", sum.units/thousands)
		var table strings.Builder
		fmt.Fprintf(&table, "Write units of that run, by what was written (a refused write has a condition that was not met; its units are not reported):\n\n"+
			"| | writes | of them refused | units per 1,000 |\n|---|---|---|---|")
		for _, s := range append(list, sum) {
			fmt.Fprintf(&table, "\n| %s | %d | %d | %.1f |", s.kind, s.writes+s.refused, s.refused, s.units/thousands)
		}
		r.note("%s", table.String())
		m.keep(h)
		return nil
	})
}

func isLogin(method string) bool {
	return method == "session.authenticate" || strings.HasPrefix(method, "common.")
}

// keep keeps as many requests of a run as the runs send that are compared with them.
func (m *measurer) keep(h *harness) { m.submissions = h.sent.submissions[:pending/batchSize] }

// speed compares whole runs with the time that MTS needs alone.
func (m *measurer) speed(ctx context.Context, r *report) error {
	if m.submissions == nil { // the step before was left out
		err := m.measured(ctx, setup{pending: counted, registrants: registrants, found: true}, func(h *harness, _ time.Duration) error {
			m.keep(h)
			return nil
		})
		if err != nil {
			return err
		}
	}
	m.say("submitting the same records back to back, at MTS's real pace")
	alone, err := backToBack(ctx, 1, m.submissions)
	if err != nil {
		return err
	}
	m.say("MTS alone: %.1f s; the same by a whole run", alone.Seconds())
	err = m.measured(ctx, setup{pace: 1, pending: pending, registrants: registrants, found: true}, func(h *harness, took time.Duration) error {
		ratio := took.Seconds() / alone.Seconds()
		r.add("whole run of 3,000 with MTS and registry at their real pace, over what MTS needs for the same records submitted back to back",
			"≤ 1.10", ratio <= 1.10, "%.3f (%.1f s / %.1f s)", ratio, took.Seconds(), alone.Seconds())
		m.say("whole run: %.1f s, %d invocation(s) of submit", took.Seconds(), h.invoker.Count("submit"))
		return nil
	})
	if err != nil {
		return err
	}

	// Four times as fast, waits included, to save time.
	const faster = 4
	times := seeding.DefaultTimes()
	times.Poll /= faster
	times.AnswerWait /= faster
	m.say("the same from a batch size of %d, %d times as fast", seeding.FirstBatchSize, faster)
	return m.measured(ctx, setup{pace: 1. / faster, times: times, pending: pending, registrants: registrants}, func(h *harness, took time.Duration) error {
		r.note("An MTS and a registry that were never measured, from a batch size of %d up: %.3f times what MTS needs alone, with %d batches (simulated %d times as fast).",
			seeding.FirstBatchSize, faster*took.Seconds()/alone.Seconds(), len(h.sent.submissions), faster)
		m.say("from scratch: %.1f s, %d invocation(s) of submit", took.Seconds(), h.invoker.Count("submit"))
		return nil
	})
}

// backToBack is the time that MTS needs, from the first POST to the last callback,
// for a client that does not wait for answers.
func backToBack(ctx context.Context, pace float64, submissions []seeding.Request) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	simulator := mtssim.New(mtssim.Options{Pace: pace})
	server := httptest.NewServer(simulator)
	defer server.Close()
	defer simulator.Close()
	answered := make(chan struct{}, len(submissions))
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answered <- struct{}{}
	}))
	defer receiver.Close()

	client := mts.New(loopback(), time.Now)
	started := time.Now()
	for _, s := range submissions {
		s.MTSURL, s.CallbackURL = server.URL, receiver.URL
		if _, err := client.Submit(ctx, s); err != nil {
			return 0, fmt.Errorf("submitting back to back: %w", err)
		}
	}
	for range submissions {
		select {
		case <-answered:
		case <-ctx.Done():
			return 0, fmt.Errorf("MTS does not answer: %w", ctx.Err())
		}
	}
	return time.Since(started), nil
}

// reads compares the reads of a small and of a large registry.
func (m *measurer) reads(ctx context.Context, r *report) error {
	const few = 2_000
	var read, examined [2]int64
	for i, size := range []int{10_000, 200_000} {
		m.say("reading a registry of %d", size)
		err := m.measured(ctx, setup{pending: few, registrants: size, found: true}, func(h *harness, _ time.Duration) error {
			for method, tally := range h.registry.State().Calls {
				if strings.HasSuffix(method, ".search_read") {
					read[i] += tally.Returned
					examined[i] += tally.Examined
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	each := func(n int64) float64 { return float64(n) / few }
	r.add("registry rows read per registrant tokenised, 2,000 pending in a registry of 10,000 and of 200,000",
		"equal", read[0] == read[1], "%.3f and %.3f", each(read[0]), each(read[1]))
	r.note("To return those rows the registry itself, with identifiers indexed by registrant and value, examined %.1f and %.1f rows per registrant; "+
		"they differ because each pass walks once along all identifiers, in the order of their ids.", each(examined[0]), each(examined[1]))
	return nil
}

// coldStarts measures the binaries of the functions.
func (m *measurer) coldStarts(ctx context.Context, r *report) error {
	list, err := m.binaries(ctx)
	if err != nil {
		return err
	}
	m.say("starting each of them %d times", starts)
	if err := coldStarts(ctx, m.db, list); err != nil {
		return err
	}
	functions(r, list)
	return served(r, list)
}

// served reports on the function of the console, and on what a browser loads from it.
func served(r *report, list []*binary) error {
	const allowed, largest, loaded = 15 * time.Millisecond, 4_000_000, 60_000
	at := func(name string) *binary {
		return list[slices.IndexFunc(list, func(b *binary) bool { return b.name == name })]
	}
	function, more := at("console"), at("console").median()-at(hello).median()
	r.add("console: cold start", "hello + 15 ms", more <= allowed, "+ %.1f ms", milliseconds(more))
	r.add("console: zipped", "≤ 4 MB", function.zipped <= largest, "%.2f MB", megabytes(function.zipped))
	files, err := console.Built()
	if err != nil {
		return err
	}
	// A browser loads the files of one language; what says that something failed, was
	// refused or is of ODK only where it is.
	every, always, failed := 0, map[string]int{}, map[string]int{}
	for name, size := range files.Sizes() {
		parts := strings.Split(name, "-")
		language := parts[max(0, len(parts)-2)]
		switch {
		case parts[0] == "words", parts[0] == "sentences" && (parts[1] == "rejections" || parts[1] == "lines"):
			always[language] += size
		case parts[0] == "sentences":
			failed[language] += size
		default:
			every += size
		}
	}
	if every == 0 {
		return errors.New("the console was not built: make console")
	}
	most := slices.MaxFunc(slices.Collect(maps.Keys(always)), func(a, b string) int { return cmp.Compare(always[a], always[b]) })
	r.add("console: all that a browser loads of every page where nothing failed, compressed, in English; in the language that has most", "≤ 60 kB",
		every+always[most] <= loaded, "%.1f kB; %.1f kB (%s)", float64(every+always["en"])/1e3, float64(every+always[most])/1e3, most)
	most = slices.MaxFunc(slices.Collect(maps.Keys(failed)), func(a, b string) int { return cmp.Compare(failed[a], failed[b]) })
	r.note("What the console says of problems, checks that failed, refusals and connectors of ODK is loaded when one is shown: %.1f kB more for all of it (%s).", float64(failed[most])/1e3, most)
	return nil
}

// functions reports on the binaries.
func functions(r *report, list []*binary) {
	const allowed, largest = 25 * time.Millisecond, 6_000_000
	var bare, slowest, biggest *binary
	var table strings.Builder
	table.WriteString("| function | cold start | zipped |\n|---|---|---|")
	for _, b := range list {
		fmt.Fprintf(&table, "\n| %s | %.1f ms | %.2f MB |", b.name, milliseconds(b.median()), megabytes(b.zipped))
		switch {
		case b.name == hello:
			bare = b
			continue
		case slowest == nil || b.median() > slowest.median():
			slowest = b
		}
		if biggest == nil || b.zipped > biggest.zipped {
			biggest = b
		}
	}
	more := slowest.median() - bare.median()
	r.add(fmt.Sprintf("cold start: process start to first reply behind a bare Runtime API, beside a warm DynamoDB Local, median of %d, slowest function", starts),
		"hello of aws-lambda-go + 25 ms", more <= allowed, "%.1f ms + %.1f ms (%s)", milliseconds(bare.median()), milliseconds(more), slowest.name)
	r.add("zipped function, each", "≤ 6 MB", biggest.zipped <= largest, "at most %.2f MB (%s)", megabytes(biggest.zipped), biggest.name)
	r.note("%s", table.String())
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func megabytes(n int) float64 { return float64(n) / 1e6 }
