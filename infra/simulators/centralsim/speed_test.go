package centralsim_test

import (
	"runtime"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
)

// 50,000 submissions fit into the memory of a test.
func TestSize(t *testing.T) {
	const submissions, most = 50_000, 1500 // bytes for each
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	s := centralsim.New(centralsim.Options{Now: noon().now})
	s.Populate(submissions, 1)
	each := (heap() - before) / submissions
	runtime.KeepAlive(s)
	t.Logf("%d bytes each", each)
	if each > most {
		t.Errorf("%d bytes for each submission, want %d at most", each, most)
	}
}
