package submit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Names that are all the same are no names.
func TestNamesThatAreHidden(t *testing.T) {
	for name, c := range map[string]struct {
		names []string
		first bool // the first page of a pass
		want  bool
	}{
		"three alike":                    {[]string{"encrypted encrypted", "encrypted encrypted", "encrypted encrypted"}, true, true},
		"three alike on a later page":    {[]string{"***", "***", "***"}, false, false},
		"ten alike on a later page":      {slices.Repeat([]string{"***"}, 10), false, true},
		"nine alike on a later page":     {slices.Repeat([]string{"***"}, 9), false, false},
		"99 namesakes":                   {slices.Repeat([]string{"Ana Cruz"}, 99), true, false},
		"100 namesakes":                  {slices.Repeat([]string{"Ana Cruz"}, 100), true, true},
		"100 namesakes on a later page":  {slices.Repeat([]string{"Ana Cruz"}, 100), false, true},
		"two alike":                      {[]string{"Ana", "Ana"}, true, false},
		"three alike, and some without":  {[]string{"***", "", "***", "***"}, true, true},
		"one is another":                 {[]string{"***", "***", "***", "Ana"}, true, false},
		"no names at all":                {[]string{"", "", ""}, true, false},
		"nobody":                         {nil, true, false},
		"three of which one is the same": {[]string{"Ana", "Ana", "Ben"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := page{records: map[int64]seeding.Record{}}
			for i, n := range c.names {
				id := int64(i + 1)
				p.vids = append(p.vids, seeding.Identifier{ID: 10 + id, Registrant: id, Value: "5028"})
				p.records[id] = joRecord()
				p.records[id]["name"] = n
			}
			// A second VID of one registrant is no second name, and who is not
			// selected has none.
			p.vids = append(p.vids, seeding.Identifier{ID: 500, Registrant: 1, Value: "5029"}, seeding.Identifier{ID: 501, Registrant: 999, Value: "5030"})
			err := testRules().hidden(p, c.first, false)
			if (err != nil) != c.want || err != nil && seeding.FaultOf(err).Code != seeding.Encrypted {
				t.Error(err)
			}
		})
	}
}

// A registry that hides names is a problem that blocks, and stays one: nobody is
// sent, also by the probes, and no rejection is written.
func TestNobodyIsSentWhereNamesAreHidden(t *testing.T) {
	f := newFake()
	f.add(1, 2, 3, 4, 5)
	for _, record := range f.records {
		record["name"] = "encrypted"
	}
	for range 3 {
		if err := f.oneStep(t); err != nil {
			t.Fatal(err)
		}
		problem, raised := f.state.Problems[seeding.ProblemRead]
		if !raised || !strings.Contains(problem.Remedy, "read_one_by_one") || len(f.open) != 0 || len(f.rejections) != 0 {
			t.Fatalf("%+v, %d batches, %d rejections", f.state.Problems, len(f.open), len(f.rejections))
		}
		f.now = problem.Next.Add(time.Second) // the probe
	}
	for id, record := range f.records {
		record["name"] = []string{"Ana", "Ben", "Cor", "Dan", "Eva"}[id-1]
	}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	if _, raised := f.state.Problems[seeding.ProblemRead]; raised || len(f.open) != 1 {
		t.Errorf("afterwards: %+v, %d batches", f.state.Problems, len(f.open))
	}
}

// Many of one name in a row are looked at together with those who follow, before
// anybody is sent: the text of a module that hides names may look like a name.
func TestNamesakesInARowAreLookedAtAgain(t *testing.T) {
	for name, c := range map[string]struct {
		alike int64 // of 150 registrants
		sent  bool
	}{
		"some of them": {alike: 60, sent: true},
		"all of them":  {alike: 150, sent: false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			for id := int64(1); id <= 150; id++ {
				f.add(id)
				f.records[id]["name"] = fmt.Sprintf("Ana %d", id)
				if id <= c.alike {
					f.records[id]["name"] = "Ana"
				}
			}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			if _, raised := f.state.Problems[seeding.ProblemRead]; raised == c.sent || len(f.open) > 0 != c.sent {
				t.Errorf("%d batches, %+v", len(f.open), f.state.Problems)
			}
		})
	}
}

// Registrants that are read one by one take the time of a page. It ends behind the
// last that was read, and the next begins there.
func TestReadingOneByOneKeepsItsPlace(t *testing.T) {
	f := newFake()
	f.connector.Source.OneByOne = true
	f.mts.Size = 1000
	for id := range int64(60) {
		f.add(id + 1)
	}
	f.during["Registrants"] = func() error {
		f.now = f.now.Add(8 * time.Second) // for up to 16
		return nil
	}
	if err := f.oneStep(t); err != nil {
		t.Fatal(err)
	}
	// 1, 2, 4 and 8 take 32 s, which is more than half of the page's time; the
	// identifier of the 15th is 25.
	sent := 0
	for _, b := range f.open {
		sent += len(b.Members)
	}
	if calls := f.called("Registrants"); len(calls) != 4 || sent != 15 {
		t.Errorf("%d calls, %d sent", len(calls), sent)
	}
	for _, run := range f.runs {
		if run.Cursor != 25 || run.PassOver || run.Tally.Looked != 15 {
			t.Errorf("%+v", run)
		}
	}
}

// A run that looks at VIDs and finds no registrant asks once why, and keeps the
// answer.
func TestARunThatFindsNoRegistrantSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		selected int64 // of 30 registrants
		unseen   seeding.Nobody
		fails    bool
		want     seeding.Nobody
		asked    int
	}{
		"hidden by rules":      {0, seeding.NotVisible, false, seeding.NotVisible, 1},
		"archived":             {0, seeding.Archived, false, seeding.Archived, 1},
		"the domain":           {0, seeding.NotSelected, false, seeding.NotSelected, 1},
		"no answer":            {0, seeding.NotSelected, true, seeding.UnseenCause, 1},
		"one of them is found": {1, seeding.NotVisible, false, seeding.NotVisible, 1},
		"two of them":          {2, seeding.NotVisible, false, "", 1}, // there was a page without any
		"all of them":          {30, "", false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.unseen = map[int64]seeding.Nobody{}
			for id := int64(1); id <= 30; id++ {
				f.add(id)
				if id > c.selected {
					delete(f.records, id)
					f.unseen[id] = c.unseen
				}
			}
			if c.fails {
				f.during["Visible"] = func() error { return &seeding.Fault{Kind: seeding.RefusedRights} }
			}
			if err := f.oneStep(t); err != nil {
				t.Fatal(err)
			}
			for _, run := range f.runs {
				if run.WhyNobody() != c.want || run.Tally.NotSelected != int(30-c.selected) && c.selected < 3 {
					t.Errorf("%q, %+v", run.WhyNobody(), run.Tally)
				}
			}
			if asked := f.called("Visible"); len(asked) != c.asked || len(f.runs) == 0 {
				t.Errorf("%v, %d runs", asked, len(f.runs))
			}
		})
	}
}
