package submit

import (
	"net/url"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// A batch of submissions is a window where nearly all in it are to be sent, or has their
// ids. A window is as short for any number, and MTS and Central read it at once; ids
// must fit into an address.
const (
	maxIDs      = 100  // of a batch
	maxIDsBytes = 6700 // that they take in an address (shared/odk)
)

// batchCut is a batch that is cut out of submissions.
type batchCut struct {
	rows   []row // the newest first; those of a window are all in it
	window bool
	cursor time.Time // down to which the run has looked, after it
	rest   bool      // others are to be sent after it, or it is not known
}

// batch has what the batch holds, and nothing else.
func (c batchCut) batch() seeding.Batch {
	b := seeding.Batch{
		Count:  len(c.rows),
		Window: seeding.Window{From: millisecond(c.rows[len(c.rows)-1].Received).From, To: millisecond(c.rows[0].Received).To},
	}
	if c.window {
		return b
	}
	for _, r := range c.rows {
		b.Submissions = append(b.Submissions, r.ID)
	}
	return b
}

// unit is what goes into one batch: all of a millisecond, or one submission by its id.
type unit struct {
	from, to int // of the rows
	window   bool
	segment  int // units of one segment follow one another, and one window may have them
	sends    int
}

// cut makes the batches of a wave, the newest submissions first: at most as many as there
// is room for, and so many submissions together. What is not in them is looked at again.
// One that can be named by no address, and stands beside one that is in a batch already,
// is a fault.
func cut(rows []row, z sizes, wanted int) (cuts []batchCut, err error) {
	left, err := units(rows)
	if err != nil {
		return nil, err
	}
	shares := shares{sizes: z}
	for i := 0; i < z.count && wanted > 0; i++ {
		for len(left) > 0 && left[0].sends == 0 { // only between others it is worth to be in a window
			left = left[1:]
		}
		if len(left) == 0 {
			break
		}
		most := min(z.of(i), wanted)
		for left[0].window && left[0].size() > most && !mustBeWindow(rows, left[0]) {
			if len(cuts) > 0 {
				return cuts, nil
			}
			left = slices.Concat(singly(rows, left[0]), left[1:])
		}
		var taken []unit
		taken, left = fill(rows, left, min(most, shares.next(min(wanted, sizeOf(left)))))
		one := batchCut{window: taken[0].window}
		for _, u := range taken {
			one.rows = append(one.rows, rows[u.from:u.to]...)
		}
		wanted -= len(one.rows)
		one.window = one.window && len(one.rows) > 1
		for len(left) > 0 && left[0].sends == 0 {
			left = left[1:]
		}
		last := millisecond(one.rows[len(one.rows)-1].Received)
		if one.cursor, one.rest = last.From, len(left) > 0; one.rest && last.Has(rows[left[0].from].Received) {
			one.cursor = last.To
		}
		cuts = append(cuts, one)
	}
	return cuts, nil
}

// fill takes the units of one batch of about the size, at least one.
func fill(rows []row, units []unit, size int) (taken, left []unit) {
	first, count, bytes := units[0], 0, 0
	for len(units) > 0 {
		u := units[0]
		if u.window != first.window || u.window && u.segment != first.segment {
			break
		}
		if count > 0 && count+u.size() > size {
			break
		}
		if !u.window {
			if bytes += len(condition) + len(url.QueryEscape(rows[u.from].ID)); count > 0 && (count == maxIDs || bytes > maxIDsBytes) {
				break
			}
		}
		taken, units, count = append(taken, u), units[1:], count+u.size()
	}
	end := len(taken)
	for end > 1 && taken[end-1].sends == 0 {
		end--
	}
	return taken[:end], units
}

// condition is what an id takes in an address besides itself.
const condition = "__id%20eq%20''%20or%20"

func (u unit) size() int { return u.to - u.from }

func sizeOf(units []unit) (n int) {
	for _, u := range units {
		n += u.size()
	}
	return n
}

// group are the rows of one millisecond.
type group struct {
	from, to, sends  int
	blocked, unnamed bool // one is in a batch; one that is to be sent cannot be named
}

// stuck reports whether one can be sent neither by its id nor with a window.
func (g group) stuck() bool { return g.unnamed && (g.blocked || g.to-g.from > seeding.MaxBatch) }

func groups(rows []row) (list []group) {
	for i, r := range rows {
		if n := len(list); n == 0 || r.apart || !millisecond(r.Received).Has(rows[list[n-1].from].Received) {
			list = append(list, group{from: i})
		}
		g := &list[len(list)-1]
		g.to = i + 1
		switch r.fate {
		case toSend:
			g.sends++
			g.unnamed = g.unnamed || !seeding.Askable(r.ID)
		case inBatch:
			g.blocked = true
		}
	}
	return list
}

// units cuts rows at what no window may have in it: a submission that is in a batch, and
// what nobody has looked at. Between two such places, and from the first that is to be
// sent to the last, all is a window if at least three quarters of it are to be sent.
func units(rows []row) (list []unit, err error) {
	all, segment := groups(rows), 0
	for len(all) > 0 {
		if all[0].stuck() {
			return nil, &seeding.Fault{Kind: seeding.RefusedData, Code: seeding.CodeNotAskable}
		}
		if all[0].blocked {
			list, all = append(list, singly(rows, unit{from: all[0].from, to: all[0].to})...), all[1:]
			continue
		}
		end := 1
		for end < len(all) && !all[end].blocked && !rows[all[end].from].apart && !all[end].stuck() {
			end++
		}
		segment++
		list = append(list, unitsOf(rows, trimmed(all[:end]), segment)...)
		all = all[end:]
	}
	return list, nil
}

// trimmed leaves out groups at both ends of which nothing is to be sent.
func trimmed(list []group) []group {
	idle := func(g group) bool { return g.sends == 0 }
	for len(list) > 0 && idle(list[0]) {
		list = list[1:]
	}
	for len(list) > 0 && idle(list[len(list)-1]) {
		list = list[:len(list)-1]
	}
	return list
}

func unitsOf(rows []row, list []group, segment int) (units []unit) {
	size, sends := 0, 0
	for _, g := range list {
		size, sends = size+g.to-g.from, sends+g.sends
	}
	dense := 4*sends >= 3*size
	for _, g := range list {
		u := unit{from: g.from, to: g.to, window: true, segment: segment, sends: g.sends}
		if u.size() <= seeding.MaxBatch && (dense || g.unnamed) {
			units = append(units, u)
		} else {
			units = append(units, singly(rows, u)...)
		}
	}
	return units
}

// singly are the submissions of a unit that are to be sent, each by its id.
func singly(rows []row, u unit) (list []unit) {
	for i := u.from; i < u.to; i++ {
		if rows[i].fate == toSend {
			list = append(list, unit{from: i, to: i + 1, sends: 1})
		}
	}
	return list
}

// mustBeWindow reports whether one of a millisecond cannot be named.
func mustBeWindow(rows []row, u unit) bool {
	return slices.ContainsFunc(rows[u.from:u.to], func(r row) bool { return r.fate == toSend && !seeding.Askable(r.ID) })
}

func bytesOfIDs(c batchCut) (n int) {
	for _, r := range c.rows {
		n += len(r.ID)
	}
	return n
}

// after is the run after some of its batches are claimed, from the tally before. It has
// looked at everything if they are all that is to be sent.
func (l looked) after(cuts []batchCut, before seeding.Tally) seeding.Run {
	run, down := l.run, time.Time{}
	if n := len(cuts); n > 0 && cuts[n-1].rest {
		down = cuts[n-1].cursor
		run.Cursor, run.PassOver = down.UnixMilli(), false
	}
	sent := map[string]bool{}
	for _, c := range cuts {
		for _, r := range c.rows {
			sent[r.ID] = true
		}
	}
	run.Tally = before
	for _, r := range l.rows {
		switch {
		case sent[r.ID]:
			run.Tally.Looked++
			continue
		case r.Received.Before(down): // looked at again
			continue
		}
		run.Tally.Looked++
		switch r.fate {
		case done:
			run.Tally.Holding++
		case inBatch:
			run.Tally.InBatch++
		case staysRejected:
			run.Tally.Rejected++
		}
	}
	return run
}
