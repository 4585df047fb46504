package mts_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Whatever an MTS sends, reading it takes little memory, and a POST with such a
// reply may have been taken.
func TestHostileRepliesAreBounded(t *testing.T) {
	const size = 16 << 20
	repeat := func(part string) string { return strings.Repeat(part, size/len(part)) }
	for name, body := range map[string]string{
		"a million errors":      `{"errors":[` + repeat(`{},`) + `{}]}`,
		"a long number":         `{"errors":` + repeat(`9`) + `}`,
		"a long text":           `{"response":{"request_identifier":"` + repeat(`x`) + `"}}`,
		"lists in lists":        `{"errors":` + repeat(`[`),
		"a million members":     `{"a":1` + repeat(`,"a":1`) + `}`,
		"spaces without an end": repeat(` `),
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			sent := submission
			sent.MTSURL = s.URL
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			id, err := client().Submit(t.Context(), sent)
			runtime.ReadMemStats(&after)
			if fault := seeding.FaultOf(err); err == nil || id != "" || fault.Kind != seeding.Unknown || fault.Code != "BadAnswer" {
				t.Errorf("%q, %v", id, err)
			}
			// In all, so that it does not matter when the garbage collector runs. The
			// server's copy of the text is in it.
			if took := after.TotalAlloc - before.TotalAlloc; took > 48<<20 {
				t.Errorf("%d MB", took>>20)
			}
		})
	}
}
