package odk

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"openg2p.org/mts-connector/shared/seeding"
)

// page is what one reply was, besides its submissions.
type page struct {
	rows  int
	count int    // of all that match the filter; -1 if it was not said
	more  bool   // there is a nextLink
	last  string // id
	first string
}

const (
	maxNesting = 64
	maxDigits  = 400 // of a number; that of the largest float has 309
)

// tooLarge is the error of a reply beyond its limits. Code is like that of a failure of
// the HTTP client.
type tooLarge struct{ record bool }

func (*tooLarge) Error() string { return "reply too large" }

// Code is the code of the fault.
func (*tooLarge) Code() string { return seeding.CodeTooLarge }

// wanting is a reply that is JSON and not what was asked for. Its text is for
// programmers and has nothing of the reply.
func wanting(text string) error { return errors.New(text) }

// stopped is an error of the function that is given the submissions.
type stopped struct{ cause error }

func (s *stopped) Error() string { return s.cause.Error() }
func (s *stopped) Unwrap() error { return s.cause }

// budget bounds what is read: all of a reply, and between two calls of next. The
// decoder holds what it has read of one value, so that bounds its memory too.
type budget struct {
	io.Reader
	all, step int64
	left      int64 // of the step
}

func (b *budget) next() { b.left = b.step }

func (b *budget) Read(p []byte) (int, error) {
	switch {
	case b.all <= 0:
		return 0, &tooLarge{}
	case b.left <= 0:
		return 0, &tooLarge{record: true}
	}
	p = p[:min(int64(len(p)), b.all, b.left)]
	var err error
	n := 0
	// The decoder looks again at blanks that it has seen whenever it is given more, so
	// small pieces would cost it the square of their number.
	for n < len(p) && err == nil {
		var piece int
		piece, err = b.Reader.Read(p[n:])
		n += piece
	}
	b.all -= int64(n)
	b.left -= int64(n)
	return n, err
}

// readPage reads a list to its end and gives each submission to a function as it comes.
// What was given before an error is right, and may not be all. Only a reply that ends
// where its JSON ends, with the context that stands after the list, is without error
// (facts/odk.md 14). A page is returned with an error too: how far it came.
func readPage(body io.Reader, limits Limits, most int, each func(seeding.Submission) error) (page, error) {
	p := page{count: -1}
	b := &budget{Reader: body, all: limits.PageBytes, step: limits.RecordBytes}
	b.next()
	d := json.NewDecoder(b)
	d.UseNumber()
	if err := expect(d, '{'); err != nil {
		return p, err
	}
	seen := map[string]bool{}
	for d.More() {
		b.next()
		token, err := d.Token()
		if err != nil {
			return p, err
		}
		name, _ := token.(string)
		if seen[name] && name[0] == '@' || seen["value"] && name == "value" {
			return p, wanting("a member twice")
		}
		switch name {
		case "value":
			err = p.readList(d, b, limits, most, each)
		case "@odata.context":
			var context string
			err = d.Decode(&context)
		case "@odata.nextLink":
			var link *string
			err = d.Decode(&link)
			p.more = link != nil
		case "@odata.count":
			var token json.Token
			if token, err = d.Token(); err == nil {
				p.count, err = wholeNumber(token)
			}
		default:
			err = d.Decode(&ignored{})
		}
		if err != nil {
			return p, err
		}
		if name != "" && len(seen) < 100 {
			seen[name] = true
		}
	}
	if err := expect(d, '}'); err != nil {
		return p, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = wanting("more than one value")
		}
		return p, err
	}
	if !seen["value"] || !seen["@odata.context"] {
		return p, wanting("no list of OData")
	}
	return p, nil
}

func expect(d *json.Decoder, delimiter json.Delim) error {
	token, err := d.Token()
	if err == nil && token != delimiter {
		err = wanting("another value")
	}
	return err
}

// wholeNumber is that of a count.
func wholeNumber(v any) (int, error) {
	n, _ := v.(json.Number)
	i, err := n.Int64()
	if err != nil || i < 0 || i > 1<<40 {
		return -1, wanting("no count")
	}
	return int(i), nil
}

// ignored takes any value and keeps nothing of it.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

func (p *page) readList(d *json.Decoder, b *budget, limits Limits, most int, each func(seeding.Submission) error) error {
	if err := expect(d, '['); err != nil {
		return err
	}
	var raw json.RawMessage // its memory is used again
	for d.More() {
		if p.rows == most {
			return wanting("more rows than were asked for")
		}
		b.next()
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if int64(len(raw)) > limits.RecordBytes {
			return &tooLarge{record: true}
		}
		one, err := readSubmission(raw)
		if err != nil {
			return err
		}
		if err := each(one); err != nil {
			return &stopped{err}
		}
		if p.rows == 0 {
			p.first = one.ID
		}
		p.rows++
		p.last = one.ID
	}
	b.next()
	return expect(d, ']')
}

// readSubmission reads a record. One without an id is none: a service document has rows
// too.
func readSubmission(raw []byte) (s seeding.Submission, err error) {
	if !utf8.Valid(raw) {
		return s, wanting("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&s.Record) != nil || s.Record == nil || !acceptable(map[string]any(s.Record), 1) {
		return s, wanting("a row that is no record")
	}
	s.ID, _ = s.Record["__id"].(string)
	if s.ID == "" || utf8.RuneCountInString(s.ID) > seeding.MaxSubmissionID {
		return s, wanting("a row without an id")
	}
	system, _ := s.Record["__system"].(map[string]any)
	if date, ok := system["submissionDate"].(string); ok {
		t, err := time.Parse(time.RFC3339Nano, date)
		if err != nil {
			return s, wanting("a date that is none")
		}
		s.Received = t
	}
	if n, ok := system["edits"].(json.Number); ok {
		if s.Edits, err = wholeNumber(n); err != nil {
			return s, err
		}
	}
	return s, nil
}

// acceptable refuses what only costs: depth, and numbers that no program reads.
func acceptable(v any, depth int) bool {
	if depth > maxNesting {
		return false
	}
	switch v := v.(type) {
	case json.Number:
		return len(v) <= maxDigits
	case []any:
		for _, e := range v {
			if !acceptable(e, depth+1) {
				return false
			}
		}
	case map[string]any:
		for _, e := range v {
			if !acceptable(e, depth+1) {
				return false
			}
		}
	}
	return true
}
