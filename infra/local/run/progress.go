package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/waiting"
)

// snapshot is the state of the demo at one moment.
type snapshot struct {
	phase     string
	batches   int           // sent to MTS
	tokenised int           // by the registry, since the start
	rejected  int           // by the API
	pending   int           // VIDs in the registry that are to be removed
	looked    int           // VIDs or submissions that the run has read
	width     int           // how many batches may be under way at MTS
	underWay  int           // how many are
	timeLeft  time.Duration // to the expected end; 0 while it is not known

	problems map[string]deployed.ProblemDocument
	run      deployed.RunDocument
	registry odoosim.State
	mts      mtssim.State
	answers  int  // left in the table, once the run is completed
	finished bool // the run is completed, and nothing is under way
}

// legend says what the lines of snapshots show.
const legend = "time, pass, registrants with a new token, VIDs still to be removed, batches under way / how many may be, records per second now, time to the expected end"

// line is a snapshot in words, short enough for a terminal.
func (s snapshot) line() string {
	speed, left := "", ""
	if now := s.run.RecordsPerSecond; now > 0 {
		speed = fmt.Sprintf("%.1f/s", now)
	}
	if s.timeLeft > 0 {
		left = s.timeLeft.Round(time.Second).String() + " left"
	}
	return strings.TrimRight(fmt.Sprintf("%-7s %7s tokenised %7s VIDs %5s batches %7s %s", s.phase, number(s.tokenised), number(s.pending),
		fmt.Sprintf("%d/%d", s.underWay, s.width), speed, left), " ")
}

// state is what changes while the demo gets on.
func (s snapshot) state() string {
	return fmt.Sprint(s.phase, s.batches, s.tokenised, s.rejected, s.pending, s.looked, s.answers)
}

// look takes a snapshot.
func (d *demo) look(ctx context.Context) (s snapshot, err error) {
	document, err := d.connector.Document(ctx)
	if err != nil {
		return s, err
	}
	runs, err := d.connector.Runs(ctx)
	if err != nil {
		return s, err
	}
	if err := d.registry.Call(ctx, http.MethodGet, "/_simulator/state", nil, &s.registry); err != nil {
		return s, err
	}
	if err := d.mts.Call(ctx, http.MethodGet, "/_simulator/state", nil, &s.mts); err != nil {
		return s, err
	}
	s.phase, s.problems = "waiting", document.Problems
	if len(runs) > 0 {
		s.run = runs[len(runs)-1] // the first run: a second one has nothing to do
		s.phase = fmt.Sprintf("pass %d", s.run.Passes)
	}
	if s.run.State == "completed" && s.run.OpenBatches == 0 {
		s.phase = "closing"
		if s.answers, err = d.world.AnswersLeft(ctx); err != nil {
			return s, err
		}
		if s.finished = s.answers == 0; s.finished {
			s.phase = "done"
		}
	}
	s.batches = s.mts.Counters.PostsAccepted
	s.tokenised = d.people.tokenised(s.registry)
	s.rejected = s.run.Tally.Invalid + s.run.Totals.Rejected()
	s.pending = d.people.pending(s.registry)
	s.looked = s.run.Tally.Looked
	s.width, s.underWay = document.Width, document.UnderWay.All
	if end := s.run.ExpectedEnd; end != nil {
		s.timeLeft = time.Until(*end)
	}
	return s, nil
}

// watch shows the progress until the demo is finished, or until nothing has
// changed for as long as patience. It returns the last snapshot, with the largest
// width and the most batches under way of all.
func (d *demo) watch(ctx context.Context, show *progress) (snapshot, error) {
	changed, before := time.Now(), ""
	shown := map[string]bool{} // texts of problems
	width, underWay := 0, 0
	show.say(legend)
	for {
		s, err := d.look(ctx)
		if err != nil {
			return s, err
		}
		width, underWay = max(width, s.width), max(underWay, s.underWay)
		for _, source := range slices.Sorted(maps.Keys(s.problems)) {
			if p := s.problems[source]; !shown[p.Text] {
				shown[p.Text] = true
				show.say("the connector has a problem: " + p.Text + " " + p.Remedy)
			}
		}
		show.show(s.line(), s.finished)
		if now := s.state(); now != before {
			changed, before = time.Now(), now
		}
		if s.finished || time.Since(changed) > patience {
			s.width, s.underWay = width, underWay
			return s, nil
		}
		if !waiting.Pause(ctx, 500*time.Millisecond) {
			return s, ctx.Err()
		}
	}
}

// progress writes lines. On a terminal it also keeps one status line that is
// overwritten.
type progress struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	status   bool // the last line of the terminal is the status line
	began    time.Time
	shown    string    // without a terminal: the last status that was written,
	at       time.Time // and when
}

// between is the least time between two statuses without a terminal.
const between = 3 * time.Second

func newProgress(out io.Writer) *progress { return &progress{out: out, terminal: isTerminal(out)} }

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	about, err := file.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}

// start starts the clock of the status.
func (p *progress) start() { p.began = time.Now() }

// show shows a status: on the status line of a terminal, otherwise as a line of
// its own if it has changed. The last one is always shown.
func (p *progress) show(text string, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("%5s %s", time.Since(p.began).Round(time.Second), text)
	switch {
	case p.terminal:
		fmt.Fprint(p.out, "\r"+wide(line))
		if p.status = !last; last {
			fmt.Fprintln(p.out)
		}
	case last, text != p.shown && time.Since(p.at) >= between:
		fmt.Fprintln(p.out, line)
		p.shown, p.at = text, time.Now()
	}
}

// say writes a line.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status {
		fmt.Fprint(p.out, "\r"+wide("")+"\r")
		p.status = false
	}
	fmt.Fprintln(p.out, line)
}

// Write writes the lines of other writers.
func (p *progress) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		p.say(strings.TrimRight(line, "\n"))
	}
	return len(text), nil
}

// wide pads or cuts a text to the width of a small terminal.
func wide(text string) string {
	const width = 79
	if n := utf8.RuneCountInString(text); n < width {
		return text + strings.Repeat(" ", width-n)
	}
	return string([]rune(text)[:width])
}

// number writes 12,345.
func number[N int | int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
