package throughput

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
)

// TestServe makes the runs that it reads, for Workers. It is no test: without them
// there is nothing to read.
func TestServe(t *testing.T) {
	if os.Getenv(serving) == "" {
		return
	}
	runs, results := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r Run
		if err := runs.Decode(&r); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		result, err := measure(t, r)
		answer := reply{Result: result}
		if err != nil {
			answer.Error = err.Error()
		}
		if err := results.Encode(answer); err != nil {
			t.Fatal(err)
		}
	}
}
