package mtssim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

// 50,000 records at pace 0, from the POST to the end of the bulk callback.
func BenchmarkFiftyThousandRecords(b *testing.B) {
	to := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}))
	defer to.Close()
	e := submission(object{"url": to.URL, "callInBulk": true}, people(50_000)...)
	e["request"].(object)["outputFormat"] = "[.input.key, .output.status, .output.token, .output.errorCode, .output.errorMessage]"
	body, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s := mtssim.New(mtssim.Options{})
		r := httptest.NewRequest("POST", "/authtoken/json", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		s.ServeHTTP(httptest.NewRecorder(), r)
		for s.Open() > 0 {
			time.Sleep(time.Millisecond)
		}
		if c := s.Counters(); c.CallbacksSent != 1 || c.RecordsProcessed != 50_000 {
			b.Fatalf("%+v", c)
		}
		s.Close()
	}
}
