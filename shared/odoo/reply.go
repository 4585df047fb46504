package odoo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"openg2p.org/mts-connector/shared/seeding"
)

// A registry is not trusted: it may be broken, taken over, or not the registry at
// all. What a reply costs in memory and time is therefore bounded by what was
// asked for, and reading ends at the first thing too many.

const (
	replyBytes = 1 << 20 // of a reply without rows, and of one with rows as a base
	fieldBytes = 1 << 10 // of a field of a row, on average; a name or an address is shorter
	replyParts = 10_000  // values in lists and objects, as a base
	rowParts   = 50      // of a row besides its fields, on average: the entries of a one2many
	maxNesting = 32      // Odoo sends lists in rows; only its JSON fields nest deeper
	maxDigits  = 400     // of a number; that of the largest float has 309
)

// notAsked is the error of a reply that is larger than, or other than, what was
// asked for. Its texts are for programmers.
type notAsked struct {
	code string
	text string
}

func (e *notAsked) Error() string { return e.text }

// NotSent is false, because there was a reply.
func (e *notAsked) NotSent() bool { return false }

// Code is like that of a failure of the HTTP client.
func (e *notAsked) Code() string { return e.code }

func tooLarge(text string, args ...any) error {
	return &notAsked{seeding.CodeTooLarge, fmt.Sprintf(text, args...)}
}

func unexpected(text string) error { return &notAsked{"BadAnswer", text} }

// rows is the result of a search_read that returns at most a number of rows. They
// are read one by one.
type rows[T any] struct {
	most   int   // more are refused
	bytes  int64 // of the whole reply
	parts  int   // left for the rows that follow
	list   []T
	listed bool // there was a list
}

// rowsOf expects rows for things that were asked for by their number: asked of
// them, with this many fields, and at most rows.
func rowsOf[T any](asked, fields, most int) *rows[T] {
	return &rows[T]{
		most:  most,
		bytes: replyBytes + int64(asked)*int64(fields)*fieldBytes,
		parts: replyParts + asked*(fields+rowParts),
	}
}

// result is what is read from a stream, within a size of the whole reply.
type result interface {
	size() int64
	read(d *json.Decoder) error
	missing() bool // there was none
}

func (r *rows[T]) size() int64   { return r.bytes }
func (r *rows[T]) missing() bool { return !r.listed }

// read reads a list of rows, or null.
func (r *rows[T]) read(d *json.Decoder) error {
	open, err := d.Token()
	if err != nil || open == nil {
		return err
	}
	if open != json.Delim('[') {
		return errNoList
	}
	r.listed = true
	var raw json.RawMessage // its memory is used again
	for d.More() {
		if len(r.list) == r.most {
			return tooLarge("more than %d rows", r.most)
		}
		if err := d.Decode(&raw); err != nil {
			return err
		}
		row, err := readRow[T](raw, &r.parts)
		if err != nil {
			return err
		}
		r.list = append(r.list, row)
	}
	_, err = d.Token()
	return err
}

var errNoList = errors.New("not a list of rows")

func readRow[T any](raw []byte, parts *int) (row T, err error) {
	if !utf8.Valid(raw) {
		return row, unexpected("not UTF-8")
	}
	w := weigh(raw)
	switch *parts -= w.parts; {
	case *parts < 0:
		return row, tooLarge("too many values")
	case w.nesting > maxNesting:
		return row, unexpected("nested too deep")
	case w.digits > maxDigits:
		return row, unexpected("number too long")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&row) != nil {
		return row, unexpected("row of another type")
	}
	return row, nil
}

// weight is what a text of JSON costs to be read.
type weight struct {
	parts   int // values in lists and objects, or somewhat more
	nesting int
	digits  int // characters of the longest number
}

// weigh looks through valid JSON and allocates nothing.
func weigh(text []byte) (w weight) {
	depth, run := 0, 0
	quoted, escaped := false, false
	for _, c := range text {
		if quoted {
			quoted, escaped = escaped || c != '"', !escaped && c == '\\'
			continue
		}
		run++
		switch c {
		case '"':
			quoted, run = true, 0
		case '[', '{':
			w.parts++
			depth++
			w.nesting, run = max(w.nesting, depth), 0
		case ']', '}':
			depth--
			run = 0
		case ',':
			w.parts++
			run = 0
		case ':', ' ', '\t', '\n', '\r':
			run = 0
		}
		w.digits = max(w.digits, run)
	}
	return w
}

// message is a reply of JSON-RPC or JSON-2. The result stays as it is if there was
// none.
type message struct {
	result any
	err    *rpcError
}

// decoder reads no more of a body than a reply of this result may have.
func (m *message) decoder(body io.Reader) *json.Decoder {
	most := int64(replyBytes)
	if streamed, isStream := m.result.(result); isStream {
		most = streamed.size()
	}
	d := json.NewDecoder(&bounded{body, most})
	d.UseNumber()
	return d
}

// read reads a reply of JSON-RPC from a body.
func (m *message) read(body io.Reader) error {
	d := m.decoder(body)
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errors.Join(errNotRPC, err)
	}
	isReply := false
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		isReply = isReply || name == "jsonrpc" || name == "result" || name == "error"
		switch name {
		case "error":
			err = d.Decode(&m.err)
		case "result":
			err = m.decodeResult(d)
		default:
			err = d.Decode(&ignored{})
		}
		if err != nil {
			return err
		}
	}
	if !isReply {
		return errNotRPC
	}
	_, err := d.Token()
	return err
}

// readResult reads a reply of JSON-2, which is the result.
func (m *message) readResult(body io.Reader) error { return m.decodeResult(m.decoder(body)) }

// readError reads an error of JSON-2.
func (m *message) readError(body io.Reader) error { return m.decoder(body).Decode(&m.err.Data) }

func (m *message) decodeResult(d *json.Decoder) error {
	if streamed, isStream := m.result.(result); isStream {
		return streamed.read(d)
	}
	if m.result == nil {
		return d.Decode(&ignored{})
	}
	return d.Decode(m.result)
}

// ignored takes any value and keeps nothing of it.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

// bounded fails after a number of bytes.
type bounded struct {
	io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLarge("reply too large")
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left+1)]) // one more shows whether it ends here
	if b.left -= int64(n); b.left < 0 {
		return n - 1, tooLarge("reply too large")
	}
	return n, err
}
