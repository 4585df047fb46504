package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Problem is a reply of type application/problem+json (RFC 9457).
type Problem struct {
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Errors FieldErrors `json:"errors,omitempty"`
}

func (p *Problem) Error() string { return p.Title }

// NewProblem takes its title from the status.
func NewProblem(status int, detail string, errors ...FieldError) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Errors: errors}
}

// FieldError is one thing that is wrong with a request: in its body, at a JSON
// pointer ("" is the whole body), or in a parameter of its address.
type FieldError struct {
	Pointer   *string `json:"pointer,omitempty"`
	Parameter string  `json:"parameter,omitempty"`
	Detail    string  `json:"detail"`
}

// FieldErrors collects everything that is wrong with a body.
type FieldErrors []FieldError

// Add notes what is wrong at a pointer.
func (e *FieldErrors) Add(pointer, detail string) {
	*e = append(*e, FieldError{Pointer: &pointer, Detail: detail})
}

// Touch reports whether something is wrong at a pointer, below it, or with what
// holds it.
func (e FieldErrors) Touch(pointer string) bool {
	return slices.ContainsFunc(e, func(x FieldError) bool {
		return *x.Pointer == pointer || strings.HasPrefix(*x.Pointer, pointer+"/") || strings.HasPrefix(pointer, *x.Pointer+"/")
	})
}

// Limits of a reply: a body can have tens of thousands of wrong members with long
// names, and Lambda sends 6 MB.
const (
	mostErrors = 200
	mostText   = 1 << 20 // bytes of their pointers and details
)

// full reports that a reply does not show another error.
func (e FieldErrors) full() bool { return len(e) >= mostErrors }

// shown are those that fit into a reply.
func (e FieldErrors) shown() FieldErrors {
	size := 0
	for i, x := range e {
		size += len(x.Parameter) + len(x.Detail)
		if x.Pointer != nil {
			size += len(*x.Pointer)
		}
		if i == mostErrors || i > 0 && size > mostText {
			return e[:i]
		}
	}
	return e
}

// Err is nil if nothing is wrong, else a *Problem with the errors, as many as fit
// into a reply.
func (e FieldErrors) Err() error {
	shown := e.shown()
	detail := fmt.Sprintf("%d fields are wrong; errors says which and what each needs. Nothing was saved.", len(e))
	switch {
	case len(e) == 0:
		return nil
	case len(e) == 1:
		detail = "One field is wrong; errors says which and what it needs. Nothing was saved."
	case len(shown) < len(e):
		detail = fmt.Sprintf("%d fields are wrong; errors says which the first %d are and what each needs. Nothing was saved.", len(e), len(shown))
	}
	return NewProblem(http.StatusUnprocessableEntity, detail, shown...)
}

// Reply writes v as JSON. No cache may keep it, because it may change at any
// time.
func Reply(w http.ResponseWriter, status int, v any) {
	contentType := "application/json"
	if _, ok := v.(*Problem); ok {
		contentType = "application/problem+json"
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // only for a type that JSON cannot hold
		status, contentType = http.StatusInternalServerError, "application/problem+json"
		text.Reset()
		text.WriteString(`{"title":"Internal Server Error","status":500,"detail":"The reply cannot be written."}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // the client may be gone; nothing to do then
}
