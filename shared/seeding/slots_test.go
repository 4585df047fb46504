package seeding_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"pgregory.net/rapid"
)

var (
	slotsNow     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	slotsEarlier = slotsNow.Add(-time.Hour)
	slotsLater   = slotsNow.Add(time.Hour)
)

// mtsChange alters an MTS that has many workers, was heard of now, and has nothing
// under way. Its size is 100, which was answered in time.
type mtsChange func(*seeding.MTSState)

func mtsOf(changes ...mtsChange) seeding.MTSState {
	m := seeding.MTSState{Heard: slotsNow, Pace: workers(100, seeding.Pace{Size: 100, Proved: 100})}
	for _, change := range changes {
		change(&m)
	}
	return m
}

// workers is the pace at an MTS that has so many.
func workers(n int, p seeding.Pace) seeding.Pace {
	p.Single, p.Interval = time.Second, time.Second/time.Duration(n)
	return p
}

// slot is one of a connector, with so many records, which is not overdue.
func slot(connector string, records int) mtsChange {
	return func(m *seeding.MTSState) {
		m.Slots = append(m.Slots, seeding.Slot{
			Batch: fmt.Sprint(len(m.Slots)), Connector: connector, Count: records, Claimed: slotsEarlier, Overdue: slotsLater, Ends: slotsLater,
		})
	}
}

// overdue and toBePatched change the last slot.
func overdue(m *seeding.MTSState)     { m.Slots[len(m.Slots)-1].Overdue = slotsNow }
func toBePatched(m *seeding.MTSState) { m.Slots[len(m.Slots)-1].Answered = true }

// notHeard says that nothing came since the slots were taken.
func notHeard(m *seeding.MTSState) { m.Heard = slotsEarlier.Add(-1) }

// waits is the mark of a connector that waits since and until some time.
func waits(connector string, since, until time.Time) mtsChange {
	return func(m *seeding.MTSState) {
		m.Waiting = append(m.Waiting, seeding.Waiting{Connector: connector, Since: since, Until: until})
	}
}

func pace(p seeding.Pace) mtsChange { return func(m *seeding.MTSState) { m.Pace = p } }

// What is overdue is not under way, unless its answer waits to be patched.
func TestWhatIsUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		mts              []mtsChange
		batches, records int
	}{
		"nothing":                      {},
		"two batches":                  {[]mtsChange{slot("a", 7), slot("b", 5)}, 2, 12},
		"one that is overdue does not": {[]mtsChange{slot("a", 7), slot("b", 5), overdue}, 1, 7},
		"it does with its answer":      {[]mtsChange{slot("a", 7), slot("b", 5), overdue, toBePatched}, 2, 12},
	} {
		t.Run(name, func(t *testing.T) {
			if batches, records := mtsOf(c.mts...).UnderWay(slotsNow); batches != c.batches || records != c.records {
				t.Errorf("%d batches of %d records, want %d of %d", batches, records, c.batches, c.records)
			}
		})
	}
}

// An MTS is silent, and gets one small batch after the other, while a batch is
// overdue and nothing came since it was claimed.
func TestASilentMTSGetsOneBatchAfterTheOther(t *testing.T) {
	for name, c := range map[string]struct {
		mts    []mtsChange
		silent bool
	}{
		"nothing is under way":                      {[]mtsChange{notHeard}, false},
		"nothing is overdue":                        {[]mtsChange{slot("a", 1), notHeard}, false},
		"one is overdue":                            {[]mtsChange{slot("a", 1), overdue, notHeard}, true},
		"one is overdue, and its answer is there":   {[]mtsChange{slot("a", 1), overdue, toBePatched, notHeard}, false},
		"one is overdue, and another came since":    {[]mtsChange{slot("a", 1), overdue}, false},
		"one is overdue, another came just with it": {[]mtsChange{slot("a", 1), overdue, func(m *seeding.MTSState) { m.Heard = slotsEarlier }}, false},
		"one of two is overdue":                     {[]mtsChange{slot("a", 1), slot("a", 1), overdue, notHeard}, true},
		"never heard of at all":                     {[]mtsChange{slot("a", 1), overdue, func(m *seeding.MTSState) { m.Heard = time.Time{} }}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := mtsOf(c.mts...)
			width, free := m.WidthNow(slotsNow, 8), m.Free("c", slotsNow, 8, 0)
			first, others := m.Next(slotsNow, 1000)
			if silent := width == 1; silent != c.silent || !silent && width != 8 {
				t.Errorf("width %d", width)
			}
			if small := first == seeding.FirstBatchSize && others == first; small != c.silent {
				t.Errorf("sizes %d, %d", first, others)
			}
			if live, _ := m.UnderWay(slotsNow); free != width-live {
				t.Errorf("%d are free of %d with %d", free, width, live)
			}
		})
	}
}

// A batch is overdue before its own time is over when nothing came for long from an
// MTS that had it.
func TestWhenABatchHoldsUpNobody(t *testing.T) {
	const s = time.Second
	times := seeding.Times{OverdueBase: 10 * s}
	at := func(seconds int) time.Time { return slotsEarlier.Add(time.Duration(seconds) * s) }
	for name, c := range map[string]struct {
		single, handling time.Duration
		heard, overdue   time.Time
		want             time.Time
	}{
		"its time is over first":                    {s, 0, at(0), at(34), at(34)},
		"nothing came since it was claimed":         {s, 0, at(-100), at(60), at(35)},
		"nothing came at all":                       {s, 0, time.Time{}, at(60), at(35)},
		"nothing came since an answer":              {s, 0, at(3), at(60), at(38)},
		"answers wait for patch as long on average": {s, 4 * s, at(3), at(60), at(42)},
		"both at once":                              {s, 0, at(0), at(35), at(35)},
		"the time of a record is not known":         {0, 0, at(0), at(60), at(60)},
	} {
		t.Run(name, func(t *testing.T) {
			m := seeding.MTSState{Heard: c.heard, Pace: seeding.Pace{Size: 20, Single: c.single, Handling: c.handling}}
			if got := m.OverdueAt(seeding.Slot{Count: 7, Claimed: slotsEarlier, Overdue: c.overdue}, times); !got.Equal(c.want) {
				t.Errorf("after %v, want %v", got.Sub(slotsEarlier), c.want.Sub(slotsEarlier))
			}
		})
	}
}

// The size of the first batch of a wave, and of the others. At most one is larger
// than any that was answered in time.
func TestTheSizesOfAWave(t *testing.T) {
	growing := pace(workers(100, seeding.Pace{Size: 200, Proved: 100}))
	nothingProved := pace(workers(100, seeding.Pace{Size: 200}))
	for name, c := range map[string]struct {
		mts           []mtsChange
		maximum       int
		first, others int
		takes         bool // the first one now
	}{
		"never used":                                   {[]mtsChange{pace(seeding.Pace{})}, 1000, seeding.FirstBatchSize, seeding.FirstBatchSize, true},
		"never used, with a batch under way":           {[]mtsChange{pace(seeding.Pace{}), slot("b", 50)}, 1000, seeding.FirstBatchSize, seeding.FirstBatchSize, true},
		"never used, and the connector takes fewer":    {[]mtsChange{pace(seeding.Pace{})}, 1, 1, 1, true},
		"a size that was answered":                     {nil, 1000, 100, 100, true},
		"the connector takes fewer":                    {nil, 60, 60, 60, true},
		"a size that was not answered":                 {[]mtsChange{growing}, 1000, 200, 100, true},
		"one up to the connector's maximum":            {[]mtsChange{growing}, 150, 150, 100, true},
		"the connector takes fewer than was answered":  {[]mtsChange{growing}, 80, 80, 80, true},
		"behind one that is no larger than an answer":  {[]mtsChange{growing, slot("b", 100)}, 1000, 200, 100, true},
		"behind one that is larger":                    {[]mtsChange{growing, slot("b", 101)}, 1000, 100, 100, true},
		"behind a larger one that is overdue":          {[]mtsChange{growing, slot("b", 101), overdue}, 1000, 200, 100, true},
		"behind a larger one whose answer is there":    {[]mtsChange{growing, slot("b", 101), overdue, toBePatched}, 1000, 100, 100, true},
		"no size was ever answered":                    {[]mtsChange{nothingProved}, 1000, 200, 0, true},
		"no size was ever answered, and one under way": {[]mtsChange{nothingProved, slot("b", 1)}, 1000, 200, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := mtsOf(c.mts...)
			first, others := m.Next(slotsNow, c.maximum)
			if first != c.first || others != c.others {
				t.Errorf("%d and %d, want %d and %d", first, others, c.first, c.others)
			}
			if takes := m.Takes(first, slotsNow, 8); takes != c.takes {
				t.Errorf("takes the first: %v", takes)
			}
		})
	}
}

// A batch is taken while there is a slot, whoever waits: it may be one of a wave
// that has begun.
func TestABatchIsTaken(t *testing.T) {
	for name, c := range map[string]struct {
		mts     []mtsChange
		records int
		want    bool
	}{
		"the first":                              {nil, 100, true},
		"the last that there is room for":        {[]mtsChange{slot("a", 1), slot("a", 1), waits("b", slotsEarlier, slotsLater)}, 100, true},
		"one more than there is room for":        {[]mtsChange{slot("a", 1), slot("a", 1), slot("b", 1)}, 1, false},
		"one more, when another is overdue":      {[]mtsChange{slot("a", 1), slot("a", 1), slot("b", 1), overdue}, 1, true},
		"one larger than any that was answered":  {[]mtsChange{slot("a", 100)}, 101, true},
		"another that is larger":                 {[]mtsChange{slot("a", 101)}, 101, false},
		"one that is not, beside one larger":     {[]mtsChange{slot("a", 101)}, 100, true},
		"a larger one, when another is overdue":  {[]mtsChange{slot("a", 101), overdue}, 101, true},
		"one beside one that nobody hears about": {[]mtsChange{slot("a", 1), overdue, slot("a", 1), notHeard}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mtsOf(c.mts...).Takes(c.records, slotsNow, 3); got != c.want {
				t.Errorf("%v", got)
			}
		})
	}
}

// How many batches a connector may send together, of a width of four: it is a
// matter of free slots, and of who waits.
func TestAWaveOfBatches(t *testing.T) {
	four := func(connectors ...string) mtsChange {
		return func(m *seeding.MTSState) {
			for _, c := range connectors {
				slot(c, 1)(m)
			}
		}
	}
	since := func(d time.Duration) time.Time { return slotsNow.Add(-d) }
	for name, c := range map[string]struct {
		mts  []mtsChange
		want int
	}{
		"all that are free":                        {nil, 4},
		"all that are free, of any connector's":    {[]mtsChange{four("d")}, 3},
		"half are free":                            {[]mtsChange{four("c", "d")}, 2},
		"one is free":                              {[]mtsChange{four("c", "d", "d")}, 1},
		"one is under way at the only worker":      {[]mtsChange{pace(workers(1, seeding.Pace{Size: 100, Proved: 100})), four("d")}, 1},
		"more are under way than workers":          {[]mtsChange{pace(workers(1, seeding.Pace{Size: 100, Proved: 100})), four("d", "d")}, 0},
		"none is free":                             {[]mtsChange{four("c", "d", "d", "d")}, 0},
		"more are under way than may be":           {[]mtsChange{four("c", "d", "d", "d", "d")}, 0},
		"one is overdue":                           {[]mtsChange{four("c", "d", "d"), overdue}, 2},
		"no more than there are workers":           {[]mtsChange{pace(workers(1, seeding.Pace{Size: 100, Proved: 100}))}, 1},
		"somebody waits":                           {[]mtsChange{waits("d", since(1), slotsLater)}, 0},
		"somebody waited":                          {[]mtsChange{waits("d", since(1), slotsNow)}, 4},
		"somebody waits as well, for less time":    {[]mtsChange{waits("c", since(2), slotsLater), waits("d", since(1), slotsLater)}, 4},
		"somebody waits as well, for more time":    {[]mtsChange{waits("c", since(1), slotsLater), waits("d", since(2), slotsLater)}, 0},
		"both wait alike, and the other is first":  {[]mtsChange{waits("c", since(1), slotsLater), waits("b", since(1), slotsLater)}, 0},
		"both wait alike, and the other is second": {[]mtsChange{waits("c", since(1), slotsLater), waits("d", since(1), slotsLater)}, 4},
		"it has waited, but waits no more":         {[]mtsChange{waits("c", since(9), slotsNow), waits("d", since(1), slotsLater)}, 0},
		"who waits holds more":                     {[]mtsChange{four("d"), waits("d", since(1), slotsLater)}, 3},
		"who waits holds as many":                  {[]mtsChange{four("c", "d"), waits("d", since(1), slotsLater)}, 0},
		"who waits holds fewer, for less time":     {[]mtsChange{four("c"), waits("c", since(9), slotsLater), waits("d", since(1), slotsLater)}, 0},
		"who waits holds more that is overdue":     {[]mtsChange{four("d"), overdue, waits("d", since(1), slotsLater)}, 0},
		"one of several who wait comes before":     {[]mtsChange{four("e"), waits("c", since(2), slotsLater), waits("e", since(3), slotsLater), waits("d", since(3), slotsLater)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mtsOf(c.mts...).Free("c", slotsNow, 4, 0); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

// A connector says that it waits only where others use the MTS, and renews its mark
// when half of it is over. It keeps its place.
func TestHowLongAnMTSHasEnoughToDo(t *testing.T) {
	// 4 workers and a record each 250 ms.
	four := pace(workers(4, seeding.Pace{Size: 100, Proved: 100}))
	full := func(more ...mtsChange) []mtsChange {
		changes := []mtsChange{four}
		for range 7 {
			changes = append(changes, slot("c", 100))
		}
		return append(changes, more...)
	}
	for name, c := range map[string]struct {
		changes []mtsChange
		want    time.Duration
	}{
		"nothing is there":            {[]mtsChange{four}, 0},
		"each worker has one":         {full()[:5], 0},
		"three batches wait":          {full(), 75 * time.Second},
		"they are of different sizes": {full(slot("c", 900)), 200 * time.Second},
		"a batch is overdue":          {full(slot("c", 900), overdue), 0},
		"an MTS that is silent":       {full(slot("c", 900), overdue, notHeard), 0},
		"another connector is there":  {full(slot("d", 100)), 0},
		"another connector waits":     {full(waits("d", slotsEarlier, slotsLater)), 0},
		"its wait is over":            {full(waits("d", slotsEarlier, slotsNow)), 75 * time.Second},
		"it stood still before":       {full(pace(seeding.Pace{Size: 100, Proved: 100, Single: 100 * time.Millisecond, Interval: 2 * time.Second})), 60 * time.Second},
		"nobody knows how fast it is": {full(pace(seeding.Pace{Size: 100, Proved: 100})), 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mtsOf(c.changes...).Supplied("c", slotsNow); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestTheMarkOfAWaitingConnector(t *testing.T) {
	const lasts = 30 * time.Second
	in := func(d time.Duration) time.Time { return slotsNow.Add(d) }
	for name, c := range map[string]struct {
		mts   []mtsChange
		since time.Time
		ok    bool
	}{
		"nobody else is there":                      {nil, slotsNow, false},
		"only its own batches are under way":        {[]mtsChange{slot("c", 1)}, slotsNow, false},
		"another's batch is under way":              {[]mtsChange{slot("d", 1)}, slotsNow, true},
		"another's batch is overdue":                {[]mtsChange{slot("d", 1), overdue}, slotsNow, false},
		"another waits":                             {[]mtsChange{waits("d", slotsEarlier, slotsLater)}, slotsNow, true},
		"another waited":                            {[]mtsChange{waits("d", slotsEarlier, slotsNow)}, slotsNow, false},
		"its mark is fresh":                         {[]mtsChange{slot("d", 1), waits("c", slotsEarlier, in(lasts))}, slotsEarlier, false},
		"its mark lasts for more than half":         {[]mtsChange{slot("d", 1), waits("c", slotsEarlier, in(lasts/2+1))}, slotsEarlier, false},
		"its mark lasts for half":                   {[]mtsChange{slot("d", 1), waits("c", slotsEarlier, in(lasts/2))}, slotsEarlier, true},
		"its mark has ended":                        {[]mtsChange{slot("d", 1), waits("c", slotsEarlier, slotsNow)}, slotsNow, true},
		"its mark lasts for half, and it is alone":  {[]mtsChange{slot("c", 1), waits("c", slotsEarlier, in(lasts/2))}, slotsEarlier, false},
		"its mark is fresh, and another waits, too": {[]mtsChange{waits("d", slotsEarlier, slotsLater), waits("c", slotsEarlier, in(lasts))}, slotsEarlier, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, ok := mtsOf(c.mts...).Wait("c", slotsNow, lasts)
			want := seeding.Waiting{Connector: "c", Since: c.since, Until: in(lasts)}
			if ok != c.ok || w != want {
				t.Errorf("%+v, %v; want %+v, %v", w, ok, want, c.ok)
			}
		})
	}
}

// Batches that are overdue hold up nobody, but an MTS that never ends one is not
// given batches without end.
func TestOverdueBatchesHaveALimit(t *testing.T) {
	m := mtsOf()
	const width = 3
	for m.Free("c", slotsNow, width, 0) > 0 {
		slot("c", 1)(&m)
		overdue(&m)
		if len(m.Slots) > 1000 {
			t.Fatal("there is no limit")
		}
	}
	if len(m.Slots) < 3*width {
		t.Errorf("only %d", len(m.Slots))
	}
}

// sharedMTS is one MTS and connectors with different maxima that all have more to
// send. Each asks after everything that happens, in any order.
type sharedMTS struct {
	seeding.MTSState
	now        time.Time
	connectors []asker
}

type asker struct {
	id           string
	width, batch int // its maxima
	dead         bool
	passedOver   int // slots that became free while it had none and asked
}

const markLasts = 30 * time.Second

// Several connectors at one MTS: never are more batches under way than the
// width of who claims allows; who holds no slot and keeps asking gets one after a
// bounded number of frees, whatever the others' maxima are and whoever is quicker; an
// MTS that is free is used; and who dies while it waits is forgotten.
func TestConnectorsShareAnMTS(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &sharedMTS{now: slotsNow}
		most := 0
		for i := range rapid.IntRange(1, 4).Draw(t, "connectors") {
			c := asker{id: fmt.Sprintf("c%d", i), width: rapid.IntRange(1, 9).Draw(t, "width"), batch: rapid.SampledFrom([]int{1, 20, 1000}).Draw(t, "batch")}
			most = max(most, c.width)
			w.connectors = append(w.connectors, c)
		}
		bound := len(w.connectors) * most
		t.Repeat(map[string]func(*rapid.T){
			"answered": func(t *rapid.T) {
				live := w.indices(true)
				if len(live) == 0 {
					t.Skip("nothing is under way")
				}
				i := rapid.SampledFrom(live).Draw(t, "slot")
				w.Proved, w.Heard = max(w.Proved, w.Slots[i].Count), w.now
				w.free(i)
			},
			"closed": func(t *rapid.T) {
				dead := w.indices(false)
				if len(dead) == 0 {
					t.Skip("nothing is overdue")
				}
				w.free(rapid.SampledFrom(dead).Draw(t, "slot"))
			},
			"time": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.Int64Range(1, int64(markLasts/3)).Draw(t, "passes")))
			},
			"pace": func(t *rapid.T) {
				w.Pace = workers(rapid.IntRange(1, 5).Draw(t, "workers"), seeding.Pace{
					Size: rapid.SampledFrom([]int{1, 10, 100, 1000}).Draw(t, "size"), Proved: w.Proved,
				})
			},
			"dies": func(t *rapid.T) {
				i := rapid.IntRange(0, len(w.connectors)-1).Draw(t, "connector")
				w.connectors[i].dead = true
			},
			"lives": func(t *rapid.T) {
				i := rapid.IntRange(0, len(w.connectors)-1).Draw(t, "connector")
				w.connectors[i].dead = false
			},
			"": func(t *rapid.T) {
				alive := 0
				for _, i := range rapid.Permutation(seq(len(w.connectors))).Draw(t, "order") {
					if c := &w.connectors[i]; !c.dead {
						alive++
						w.now = w.now.Add(time.Millisecond)
						w.ask(t, c)
						if c.passedOver > bound {
							t.Fatalf("%s was passed over %d times: %+v", c.id, c.passedOver, w.MTSState)
						}
					}
				}
				live, _ := w.UnderWay(w.now)
				marked := slices.ContainsFunc(w.connectors, func(c asker) bool {
					_, waits := w.Waits(c.id, w.now)
					return c.dead && waits
				})
				if alive > 0 && live == 0 && !marked && len(w.Slots) == 0 {
					t.Fatalf("nobody uses it: %+v", w.MTSState)
				}
			},
		})
	})
}

// ask lets a connector claim a wave, or say that it waits.
func (w *sharedMTS) ask(t *rapid.T, c *asker) {
	first, others := w.Next(w.now, c.batch)
	free := w.Free(c.id, w.now, c.width, 0)
	if free == 0 || !w.Takes(first, w.now, c.width) {
		if mark, ok := w.Wait(c.id, w.now, markLasts); ok {
			w.endWaiting(c.id)
			w.Waiting = append(w.Waiting, mark)
		}
		return
	}
	c.passedOver = 0
	w.endWaiting(c.id)
	for i := range free {
		size := first
		if i > 0 {
			size = others
		}
		live, _ := w.UnderWay(w.now)
		if size == 0 || !w.Takes(size, w.now, c.width) {
			break
		}
		allowed, held, widest := w.WidthNow(w.now, c.width), 0, c.width
		for _, s := range w.Slots {
			if s.Overdue.After(w.now) || s.Answered {
				widest = max(widest, s.Width)
				if s.Connector == c.id {
					held++
				}
			}
		}
		if live >= allowed || live >= widest || held >= c.width {
			t.Fatalf("%d are under way, %d of them of %s, which claims with at most %d of %d", live, held, c.id, c.width, allowed)
		}
		w.Claims++
		w.Slots = append(w.Slots, seeding.Slot{
			Batch: fmt.Sprint(w.Claims), Connector: c.id, Count: size, Width: c.width, Claimed: w.now, Overdue: w.now.Add(time.Minute), Ends: w.now.Add(time.Hour),
		})
	}
	larger := 0
	for _, i := range w.indices(true) {
		if w.Size > 0 && w.Slots[i].Count > w.Proved && w.Slots[i].Claimed.Equal(w.now) && w.Slots[i].Connector == c.id {
			larger++
		}
	}
	if larger > 1 {
		t.Fatalf("%d batches of a wave are larger than any that was answered: %+v", larger, w.MTSState)
	}
}

func (w *sharedMTS) endWaiting(connector string) {
	w.Waiting = slices.DeleteFunc(w.Waiting, func(m seeding.Waiting) bool { return m.Connector == connector })
}

// free frees a slot, which may be anybody's next.
func (w *sharedMTS) free(i int) {
	w.Slots = slices.Delete(w.Slots, i, i+1)
	for i := range w.connectors {
		c := &w.connectors[i]
		if _, waits := w.Waits(c.id, w.now); waits && !c.dead && !w.holds(c.id) {
			c.passedOver++
		}
	}
}

func (w *sharedMTS) holds(connector string) bool {
	return slices.ContainsFunc(w.indices(true), func(i int) bool { return w.Slots[i].Connector == connector })
}

// indices are those of the slots that are not overdue, or of those that are.
func (w *sharedMTS) indices(live bool) (found []int) {
	for i, s := range w.Slots {
		if s.Overdue.After(w.now) == live {
			found = append(found, i)
		}
	}
	return found
}

// seq is the numbers below n.
func seq(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, i)
	}
	return numbers
}
