package mtssim

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"
)

// What Python's parser says, character by character.
func TestSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":              "Expecting value: line 1 column 1 (char 0)",
		" nul":          "Expecting value: line 1 column 2 (char 1)",
		"{a":            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
		`{"a" 1}`:       "Expecting ':' delimiter: line 1 column 6 (char 5)",
		"{\"é\":1\n 2}": "Expecting ',' delimiter: line 2 column 2 (char 8)",
		`{"a":1,}`:      "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
		"[1,]":          "Expecting value: line 1 column 4 (char 3)",
		"[1 2]":         "Expecting ',' delimiter: line 1 column 4 (char 3)",
		`"a`:            "Unterminated string starting at: line 1 column 1 (char 0)",
		"\"a\nb\"":      "Invalid control character at: line 1 column 3 (char 2)",
		`"a\xb"`:        `Invalid \escape: line 1 column 3 (char 2)`,
		`"\u12g4"`:      `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		"01":            "Extra data: line 1 column 2 (char 1)",
		"NaN":           "Expecting value: line 1 column 1 (char 0)",
	} {
		if _, err := parseJSON([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if _, err := parseJSON([]byte("\"\xff\"")); !errors.Is(err, errUnparsable) {
		t.Errorf("got %v", err)
	}
}

func TestValues(t *testing.T) {
	got, err := parseJSON([]byte(` {"a": [1, -2.50, 1e2, true, false, null], "b": {"\u00e9\ud83d\ude00\/": "\n\\"}, "c": 123456789012345678901 } `))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"a": []any{1, -2.5, 100, true, false, nil},
		"b": map[string]any{"é😀/": "\n\\"},
		"c": 1.2345678901234568e+20,
	}
	if got = asJQNumbers(got); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

// The time limit is on each read, not on the whole.
func TestTimeLimits(t *testing.T) {
	const limit = 60 * time.Millisecond
	drip := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 4 {
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			time.Sleep(limit / 3)
		}
	}))
	defer drip.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	try := func(url string) error {
		return send(context.Background(), new(net.Dialer).DialContext, &callback{url: url, method: "POST", authType: authNone}, limit, []byte("{}"))
	}
	if err := try(drip.URL); err != nil {
		t.Errorf("slow but steady: %v", err)
	}
	start := time.Now()
	if err := try("http://" + silent.Addr().String()); err == nil || time.Since(start) < limit {
		t.Errorf("silent: %v after %v", err, time.Since(start))
	}
}
