package submit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/seeding"
)

// wide is a connector with many registrants, at an MTS that takes 64 batches of
// 1,000 at once. Its POSTs are held.
func wide(registrants int) *fake {
	f := newFake()
	for id := range int64(registrants) {
		f.add(id + 1)
	}
	f.connector.MTS.WidthMaximum, f.mts.Heard, f.holds = 64, now, true
	f.mts.Pace = manyWorkers(seeding.Pace{Size: 1000, Proved: 1000, PerRecord: time.Minute})
	return f
}

// A wave is read in pages, however wide it is, and is full where there is somebody
// to fill it.
func TestAWideWaveIsReadInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := wide(12_000)
		f.connector.MTS.WidthMaximum = 4
		f.begins(t)
		var want []string
		for page := range 4 {
			want = append(want, fmt.Sprintf("VIDs %d %d", max(0, 10+page*maxPage), maxPage))
		}
		want[0] = fmt.Sprintf("VIDs 0 %d", maxPage)
		if got := f.called("VIDs"); strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%q, want %q", got, want)
		}
		for _, r := range f.posts {
			if len(r.Records) != 1000 {
				t.Errorf("a batch of %d", len(r.Records))
			}
		}
	})
}

// However long the records are, the requests that are under way at once are bounded
// in all, and everybody is sent, in batches that are not small.
func TestTheRequestsUnderWayAreBoundedTogether(t *testing.T) {
	const longest = 6 * 4 << 10 // of a record, about
	synctest.Test(t, func(t *testing.T) {
		f := wide(8_000)
		for id, r := range f.records {
			r["name"] = fmt.Sprint(id) + strings.Repeat("\x01", 1000)
		}
		posted := 0
		ended := f.begins(t)
		for len(f.vids) > 0 {
			if len(f.held) == 0 { // the invocation is over
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				f.state.Due = f.now
				if ended = f.begins(t); len(f.held) == 0 {
					t.Fatalf("%d registrants are not sent", len(f.vids))
				}
			}
			under := 0
			for _, r := range f.posts[len(f.posts)-len(f.held):] {
				under += len(r.Records) * len(`"name":""`) // and what JSON makes of the name:
				for _, record := range r.Records {
					under += 6 * len(record.Name)
				}
			}
			if under > maxPosted+longest {
				t.Fatalf("%d MB are under way in %d POSTs", under>>20, len(f.held))
			}
			posted = max(posted, under)
			for range len(f.held) { // the batches of one wave
				f.letGo(0)
			}
			for len(f.open) > 0 {
				f.patched(0)
			}
			f.waitForWork()
		}
		if posted < maxPosted/2 {
			t.Errorf("no more than %d MB were under way", posted>>20)
		}
		seen := map[string]int{}
		for _, r := range f.posts {
			for _, record := range r.Records {
				seen[record.VID]++
			}
		}
		if len(seen) != 8_000 || len(f.posts) > 40 {
			t.Errorf("%d registrants in %d batches", len(seen), len(f.posts))
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// realMapper is the fake with the mapping of the connector.
type realMapper struct{ mapping seeding.Mapping }

func (m realMapper) Compile(seeding.Mapping) (seeding.Mapper, error) {
	return jq.Mappings{}.Compile(m.mapping)
}

// transport holds each request, with its body, as the fake does.
type transport struct{ fake *fake }

func (p transport) RoundTrip(r *http.Request) (*http.Response, error) {
	_, err := p.fake.Submit(r.Context(), seeding.Request{})
	_ = r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"response":{"request_identifier":"request"}}`)),
	}, err
}

// inUse is what cannot be collected.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Whatever a mapping makes of a record, the batches that are posted at once fit into
// the memory of the function.
func TestSixtyFourBatchesOfTheLongestRecordsFitIntoMemory(t *testing.T) {
	template, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)CodeUri: functions/submit\n.*?MemorySize: (\d+)`).FindSubmatch(template)
	size, err := strconv.ParseUint(string(found[1]), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	limit := size << 20 * 6 / 10
	for name, c := range map[string]struct {
		text        string
		registrants int
	}{
		"signs that HTML escapes": {`"<" * 8000 | .[:%d]`, 9000},
		"signs that JSON escapes": {`"\u0001" * 8000 | .[:%d]`, 2000},
		"cut to little":           {`"x" * 8000 | .[:%d/250]`, 12_000},
	} {
		t.Run(name, func(t *testing.T) {
			long, short := fmt.Sprintf(c.text, 1000), fmt.Sprintf(c.text, 250)
			mapping := seeding.Mapping{
				VID: "vid", Name: []string{`"\(.name) \(` + long + `)" | .[:1000]`}, Gender: "name as $n|" + short, DOB: "name as $n|" + short,
				PhoneNumber: "name as $n|" + short, EmailID: "name as $n|" + short, FullAddress: []string{"name as $n|" + long},
			}
			synctest.Test(t, func(t *testing.T) {
				f := wide(c.registrants)
				s := f.submitter()
				s.Mappings, s.MTS = realMapper{mapping}, mts.New(&http.Client{Transport: transport{f}}, f.Now)
				before := inUse()
				ended := make(chan error, 1)
				go func() { ended <- s.Work(context.Background(), "c", f.now.Add(s.stepLimit()+postMaximum)) }()
				f.waitForWork()
				took := max(inUse(), before) - before
				t.Logf("%d POSTs at once, %d MB", len(f.held), took>>20)
				if took > limit || len(f.held) == 0 {
					t.Errorf("%d MB of %d, for %d POSTs", took>>20, limit>>20, len(f.held))
				}
				f.letAllGo()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
