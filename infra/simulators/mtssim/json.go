package mtssim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

var errTrailing = errors.New("text after the JSON value")

// decodeJSON reads a text that is one JSON value. Numbers stay as they were
// written, because what they become depends on where they stand: see asText and
// asJQNumbers. Stricter than Python: NaN and Infinity are no values.
func decodeJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return v, nil
}

// isWhole reports whether Python reads n as an int.
func isWhole(n json.Number) bool { return !strings.ContainsAny(n.String(), ".eE") }

// asFloat is infinite for a number that is too large.
func asFloat(n json.Number) float64 {
	f, _ := n.Float64() // the only error is that it is out of range
	return f
}
