package seeding

import (
	"fmt"
	"strings"
	"time"
)

// Times are the waiting times of the protocol. They are parameters, so that
// tests need not wait as long.
type Times struct {
	PageLimit      time.Duration // time limit for reading one page of the registry
	WindowLag      time.Duration // by which windows of ODK end before Central's now
	PostBase       time.Duration // time limit of a POST: base plus a share per record
	PostPerRecord  time.Duration
	DeadlineBase   time.Duration // of a batch: base plus four times the measured time per record
	OverdueBase    time.Duration // until a batch is overdue: base plus twice the measured time per record
	RecordFirst    time.Duration // time per record of an MTS that was never measured
	RunLease       time.Duration // of the run lease, which is renewed in time: how long a dead holder has it
	TickLimit      time.Duration // how long a tick may look again; less than until the next one
	Turn           time.Duration // after which submit leaves its place to a connector that waits for one
	RestMax        time.Duration // the longest rest after invocations that died
	AnswerWait     time.Duration // how long submit waits for a batch to be closed, or for a slot at MTS
	Poll           time.Duration // between two reads while waiting
	PatchWork      time.Duration // working time of a patcher
	PatchLease     time.Duration // of the patch lease while nothing is written; renewed as the work goes on
	CommitGrace    time.Duration // how long after our time limit Odoo may still commit (facts/odoo.md A6)
	ProbeFirst     time.Duration // back-off of probes
	ProbeMax       time.Duration
	RejectedAgain  time.Duration // until the next attempt for a registrant that MOSIP refused
	CallAim        time.Duration // how long a bulk call to the registry should last
	CapabilityLife time.Duration // longer than any deadline, because late answers are applied too
	AnswerLife     time.Duration // after which an answer that nobody could patch is deleted
}

// DefaultTimes are the figures of the protocol.
func DefaultTimes() Times {
	return Times{
		PageLimit:      60 * time.Second,
		WindowLag:      time.Minute,
		PostBase:       30 * time.Second,
		PostPerRecord:  60 * time.Millisecond,
		DeadlineBase:   2 * time.Minute,
		OverdueBase:    15 * time.Second,
		RecordFirst:    60 * time.Millisecond,
		RunLease:       20 * time.Second,
		TickLimit:      50 * time.Second,
		Turn:           time.Minute,
		RestMax:        5 * time.Minute,
		AnswerWait:     30 * time.Second,
		Poll:           500 * time.Millisecond,
		PatchWork:      2 * time.Minute,
		PatchLease:     45 * time.Second,
		CommitGrace:    240 * time.Second,
		ProbeFirst:     time.Minute,
		ProbeMax:       time.Hour,
		RejectedAgain:  24 * time.Hour,
		CallAim:        5 * time.Second,
		CapabilityLife: 7 * 24 * time.Hour,
		AnswerLife:     14 * 24 * time.Hour,
	}
}

// BackOff is the wait after a failure: first, doubled for every failure before,
// up to limit.
func BackOff(first, limit time.Duration, before int) time.Duration {
	d := first
	for range before {
		if d *= 2; d >= limit {
			return limit
		}
	}
	return min(d, limit)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Average is a moving average of the time per record: a quarter of what was
// measured now, three quarters of before, which is 0 if it is not known.
func Average(before, elapsed time.Duration, records int) time.Duration {
	measured := max(elapsed/time.Duration(max(records, 1)), time.Microsecond)
	if before == 0 {
		return measured
	}
	return (3*before + measured) / 4
}

// ParseTimes reads "name=duration,…", for instance
// "deadline_base=5s,commit_grace=2s". Others have their defaults.
func ParseTimes(text string) (Times, error) {
	t := DefaultTimes()
	names := map[string]*time.Duration{
		"page_limit": &t.PageLimit, "window_lag": &t.WindowLag, "post_base": &t.PostBase, "post_per_record": &t.PostPerRecord,
		"deadline_base": &t.DeadlineBase, "overdue_base": &t.OverdueBase, "record_first": &t.RecordFirst,
		"run_lease": &t.RunLease, "tick_limit": &t.TickLimit, "turn": &t.Turn, "rest_max": &t.RestMax,
		"answer_wait": &t.AnswerWait, "poll": &t.Poll,
		"patch_work": &t.PatchWork, "patch_lease": &t.PatchLease, "commit_grace": &t.CommitGrace,
		"probe_first": &t.ProbeFirst, "probe_max": &t.ProbeMax,
		"rejected_again": &t.RejectedAgain, "call_aim": &t.CallAim,
		"capability_life": &t.CapabilityLife, "answer_life": &t.AnswerLife,
	}
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		target, known := names[name]
		if !known {
			return Times{}, fmt.Errorf("times: there is no waiting time named %q", name)
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return Times{}, fmt.Errorf("times: %s=%q is not a positive duration such as 30s", name, value)
		}
		*target = d
	}
	return t, nil
}
