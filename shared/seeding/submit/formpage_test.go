package submit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// at is a moment of a form.
func at(milliseconds int) time.Time {
	return time.UnixMilli(int64(milliseconds)).UTC().Add(300 * time.Microsecond)
}

// Looks at a page end between milliseconds, and together they are the page.
func TestPageOfAFormIsLookedAtInParts(t *testing.T) {
	page := formPage{in: seeding.Window{From: time.UnixMilli(1), To: time.UnixMilli(100)}}
	for i, ms := range []int{90, 80, 70, 70, 70, 60, 50, 40, 40} {
		page.refs = append(page.refs, seeding.SubmissionRef{ID: fmt.Sprint(i), Received: at(ms)})
	}
	for most, want := range map[int]string{
		1: "0|90 1|80 234|70 5|60 6|50 78|1", 2: "01|80 234|70 56|50 78|1", 3: "01|71 234|70 56|41 78|1", 5: "01234|70 5678|1", 8: "0123456|41 78|1", 9: "012345678|1",
	} {
		var got []string
		for to := page.in.To; to.After(page.in.From); {
			refs, down := page.below(to, most)
			ids := ""
			for _, r := range refs {
				ids += r.ID
				if r.Received.Before(down) || !r.Received.Before(to) {
					t.Errorf("%s is not between %s and %s", r.ID, down, to)
				}
			}
			if got = append(got, fmt.Sprintf("%s|%d", ids, down.UnixMilli())); !down.Before(to) {
				t.Fatalf("%d: %v comes no further", most, got)
			}
			to = down
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d at a time: %s", most, strings.Join(got, " "))
		}
	}
}

// A page is of one pass of one run, and of what is just below the moment.
func TestPageOfAFormIsOfOnePass(t *testing.T) {
	pass := at(500)
	page := formPage{run: "a", pass: pass, in: seeding.Window{From: time.UnixMilli(50), To: time.UnixMilli(100)}}
	window := func(from, to int) seeding.Window {
		return seeding.Window{From: time.UnixMilli(int64(from)), To: time.UnixMilli(int64(to))}
	}
	run := seeding.Run{ID: "a", PassStarted: pass}
	for _, c := range []struct {
		run  seeding.Run
		w    seeding.Window
		want bool
	}{
		{run, window(0, 100), true}, {run, window(50, 60), true}, {run, window(0, 51), true},
		{run, window(0, 50), false}, {run, window(0, 101), false}, {run, window(60, 100), false},
		{seeding.Run{ID: "b", PassStarted: pass}, window(0, 100), false},
		{seeding.Run{ID: "a", PassStarted: pass.Add(time.Second)}, window(0, 100), false},
	} {
		if page.reaches(c.run, c.w) != c.want {
			t.Errorf("%v of %+v: not %t", c.w, c.run, c.want)
		}
	}
}
