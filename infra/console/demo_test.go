package console_test

import (
	"net/http"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/console"
	"openg2p.org/mts-connector/infra/world/waiting"
)

// started starts a world for a test.
func started(t *testing.T, o console.Options) *console.World {
	t.Helper()
	world, err := console.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	return world
}

func ask(t *testing.T, w *console.World, path string, reply any) {
	t.Helper()
	if err := w.As(t.Context(), console.Vera, http.MethodGet, path, nil, reply); err != nil {
		t.Fatal(err)
	}
}

// Each page of the console has something to show.
func TestTheDemoHasDataForEveryPage(t *testing.T) {
	w := started(t, console.Options{})
	shown := func(name string) (c struct {
		Status   string
		Problems map[string]struct{ Code string }
		Run      string
		Figures  struct{ Tokenised, Rejected int }
	}) {
		ask(t, w, "/connectors/"+w.Connectors[name], &c)
		return c
	}
	if c := shown(console.Households); c.Status != "running" || len(c.Problems) != 0 || c.Figures.Tokenised < 2000 || c.Figures.Rejected < 150 {
		t.Errorf("%s: %+v", console.Households, c)
	}
	if c := shown(console.Pensions); c.Problems["sign_in"].Code != "access_denied" || c.Figures.Tokenised == 0 {
		t.Errorf("%s: %+v", console.Pensions, c)
	}
	for looked := 0; shown(console.Schools).Run == ""; looked++ { // it begins with the next tick
		if looked == 15_000 {
			t.Fatalf("%s: %+v", console.Schools, shown(console.Schools))
		}
		waiting.Pause(t.Context(), 20*time.Millisecond)
	}
	if c := shown(console.Fishers); c.Status != "stopped" || c.Figures.Tokenised == 0 {
		t.Errorf("%s: %+v", console.Fishers, c)
	}
	if c := shown(console.Surveys); c.Status != "running" || len(c.Problems) != 0 || c.Figures.Tokenised < 300 || c.Figures.Rejected < 20 {
		t.Errorf("%s: %+v", console.Surveys, c)
	}
	of := "/connectors/" + w.Connectors[console.Households]
	var list struct {
		Groups                             []struct{ Kind, Code string }
		Duplicates, Imports, Changes, Runs []any
	}
	for _, path := range []string{"/rejections/groups", "/duplicates", "/imports", "/changes", "/runs"} {
		ask(t, w, of+path, &list)
	}
	kinds := map[string]int{}
	for _, g := range list.Groups {
		kinds[g.Kind]++
	}
	if kinds["invalid"] < 2 || kinds["refused"] < 2 || kinds["duplicate"] != 1 || len(list.Duplicates) == 0 || len(list.Imports) == 0 || len(list.Changes) < 3 || len(list.Runs) < 2 {
		t.Errorf("%v, %d duplicates, %d imports, %d changes, %d runs", kinds, len(list.Duplicates), len(list.Imports), len(list.Changes), len(list.Runs))
	}
	for _, err := range w.Failures() {
		t.Error(err)
	}
}
