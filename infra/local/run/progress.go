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
)

// snapshot is how the demo stands at a moment.
type snapshot struct {
	phase     string
	batches   int // sent to MTS
	tokenised int // by the registry, since the start
	rejected  int // by the API
	pending   int // VIDs in the registry that should go
	looked    int // VIDs that the run looked at

	problems map[string]standingIssue
	run      seedingRun
	registry odoosim.State
	mts      mtssim.State
	answers  int  // left in the table, once the run is completed
	settled  bool // the run is completed, and nothing is under way
}

// line is a snapshot in words, short enough for a terminal.
func (s snapshot) line() string {
	return fmt.Sprintf("%-7s %3s batches %7s tokenised %6s rejected %7s pending VIDs",
		s.phase, number(s.batches), number(s.tokenised), number(s.rejected), number(s.pending))
}

// look takes a snapshot.
func (d *demo) look(ctx context.Context) (s snapshot, err error) {
	var c connector
	if err := d.api.call(ctx, http.MethodGet, "/connectors/"+d.connector, nil, &c); err != nil {
		return s, err
	}
	runs, err := pages[seedingRun](ctx, d.api, "/connectors/"+d.connector+"/runs", "runs", 100)
	if err != nil {
		return s, err
	}
	if err := d.registry.call(ctx, http.MethodGet, "/_simulator/state", nil, &s.registry); err != nil {
		return s, err
	}
	if err := d.mts.call(ctx, http.MethodGet, "/_simulator/state", nil, &s.mts); err != nil {
		return s, err
	}
	s.phase, s.problems = "waiting", c.Problems
	if len(runs) > 0 {
		s.run = runs[len(runs)-1] // the first: a second one finds nothing to do
		s.phase = fmt.Sprintf("pass %d", s.run.Passes)
	}
	if s.run.State == "completed" && s.run.OpenBatches == 0 {
		s.phase = "closing"
		if s.answers, err = d.answersLeft(ctx); err != nil {
			return s, err
		}
		if s.settled = s.answers == 0; s.settled {
			s.phase = "done"
		}
	}
	s.batches = s.mts.Counters.PostsAccepted
	s.tokenised = s.registry.Tokens - (d.expected.Tokens - d.expected.NewTokens)
	s.rejected = s.run.Tally.Invalid + s.run.Totals.rejected()
	s.pending = max(0, s.registry.VIDs-d.expected.VIDsLeft)
	s.looked = s.run.Tally.Looked
	return s, nil
}

// watch shows how the demo goes on until it is settled, or until nothing moved
// for longer than anybody waits. It returns the last it saw.
func (d *demo) watch(ctx context.Context, show *progress) (snapshot, error) {
	moved, before := time.Now(), ""
	said := map[string]bool{}
	for {
		s, err := d.look(ctx)
		if err != nil {
			return s, err
		}
		for _, source := range slices.Sorted(maps.Keys(s.problems)) {
			if p := s.problems[source]; !said[p.Text] {
				said[p.Text] = true
				show.say("the connector has a problem: " + p.Text + " " + p.Remedy)
			}
		}
		show.show(s.line(), s.settled)
		if now := fmt.Sprint(s.line(), s.looked, s.answers); now != before {
			moved, before = time.Now(), now
		}
		if s.settled || time.Since(moved) > patience {
			return s, nil
		}
		if !pause(ctx, 500*time.Millisecond) {
			return s, ctx.Err()
		}
	}
}

// progress writes lines, and one that moves if somebody watches.
type progress struct {
	mu       sync.Mutex
	out      io.Writer
	moving   bool
	standing bool // the moving line stands in the terminal
	began    time.Time
	shown    string
	at       time.Time
}

// between is the least time between two plain lines of progress.
const between = 3 * time.Second

func newProgress(out io.Writer) *progress { return &progress{out: out, moving: isTerminal(out)} }

func isTerminal(out io.Writer) bool {
	file, is := out.(*os.File)
	if !is {
		return false
	}
	about, err := file.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}

// start begins to count the time.
func (p *progress) start() { p.began = time.Now() }

// show shows how things stand: on the moving line, or as a line of its own if
// something changed. The last one is always shown.
func (p *progress) show(text string, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("%5s %s", time.Since(p.began).Round(time.Second), text)
	switch {
	case p.moving:
		fmt.Fprint(p.out, "\r"+wide(line))
		if p.standing = !last; last {
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
	if p.standing {
		fmt.Fprint(p.out, "\r"+wide("")+"\r")
		p.standing = false
	}
	fmt.Fprintln(p.out, line)
}

// Write lets others write their lines.
func (p *progress) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		p.say(strings.TrimRight(line, "\n"))
	}
	return len(text), nil
}

// wide makes a text fill the line of a small terminal, and no more.
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
