package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ProblemType is a kind of problem, which x-problems of the document explains.
type ProblemType struct {
	Name   string
	Status int
	Title  string
}

// Types of problems that every API has.
var (
	Unreadable      = ProblemType{"unreadable", http.StatusBadRequest, "The request cannot be read"}
	WrongParameters = ProblemType{"parameters", http.StatusBadRequest, "Wrong parameters"}
	NotFound        = ProblemType{"not_found", http.StatusNotFound, "Not found"}
	NoSuchPath      = ProblemType{"no_such_path", http.StatusNotFound, "No such path"}
	OtherMethod     = ProblemType{"method", http.StatusMethodNotAllowed, "Another method is needed"}
	Changed         = ProblemType{"changed", http.StatusConflict, "Changed at the same moment"}
	Outdated        = ProblemType{"outdated", http.StatusPreconditionFailed, "Changed meanwhile"}
	TooLarge        = ProblemType{"too_large", http.StatusRequestEntityTooLarge, "Too large"}
	NoJSON          = ProblemType{"media_type", http.StatusUnsupportedMediaType, "Not sent as JSON"}
	Invalid         = ProblemType{"invalid", http.StatusUnprocessableEntity, "Fields are wrong"}
	Precondition    = ProblemType{"precondition", http.StatusPreconditionRequired, "If-Match is needed"}
	Busy            = ProblemType{"busy", http.StatusServiceUnavailable, "Too busy"}
	Failed          = ProblemType{"failed", http.StatusInternalServerError, "Something went wrong here"}
)

// ProblemTypes are where a type of a problem is explained, before its name.
const ProblemTypes = "/openapi.json#/x-problems/"

// Blank is the type of a problem that says no more than its status.
func Blank(status int) ProblemType { return ProblemType{"", status, http.StatusText(status)} }

// Problem is a reply of type application/problem+json (RFC 9457).
type Problem struct {
	Type   string      `json:"type"` // below ProblemTypes
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Params Params      `json:"params,omitempty"` // what Detail names
	Errors FieldErrors `json:"errors,omitempty"`

	RetryAfter int `json:"-"` // seconds, for the header; 0 is none
}

func (p *Problem) Error() string { return p.Title }

// NewProblem makes a problem of a type.
func NewProblem(t ProblemType, detail string, errors ...FieldError) *Problem {
	problem := &Problem{Type: "about:blank", Title: t.Title, Status: t.Status, Detail: detail, Errors: errors}
	if t.Name != "" {
		problem.Type = ProblemTypes + t.Name
	}
	return problem
}

// Flaw is what is wrong with a field of a request.
type Flaw struct {
	Code   string `json:"code"`             // never changes; x-codes of the document explains it
	Params Params `json:"params,omitempty"` // what Detail names besides the field
	Detail string `json:"detail"`           // in English; the field is its subject
}

// Params are never a value of the request.
type Params map[string]any

func (f *Flaw) Error() string { return f.Detail }

// FieldError is one thing that is wrong with a request: in its body, at a JSON
// pointer ("" is the whole body), or in a parameter of its address.
type FieldError struct {
	Pointer   *string `json:"pointer,omitempty"`
	Parameter string  `json:"parameter,omitempty"`
	Flaw
}

// FieldErrors collects everything that is wrong with a body.
type FieldErrors []FieldError

// Add notes what is wrong at a pointer.
func (e *FieldErrors) Add(pointer string, flaw Flaw) {
	*e = append(*e, FieldError{Pointer: &pointer, Flaw: flaw})
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
	MostErrors = 200
	mostText   = 1 << 20 // bytes of their pointers and details
)

// Full reports that a reply does not show another error.
func (e FieldErrors) Full() bool { return len(e) >= MostErrors }

// Shown are those that fit into a reply.
func (e FieldErrors) Shown() FieldErrors {
	size := 0
	for i, x := range e {
		size += len(x.Parameter) + len(x.Detail)
		if x.Pointer != nil {
			size += len(*x.Pointer)
		}
		if i == MostErrors || i > 0 && size > mostText {
			return e[:i]
		}
	}
	return e
}

// Err is nil if nothing is wrong, else a *Problem with the errors, as many as fit
// into a reply.
func (e FieldErrors) Err() error {
	shown := e.Shown()
	detail := fmt.Sprintf("%d fields are wrong; errors says which and what each needs. Nothing was saved.", len(e))
	switch {
	case len(e) == 0:
		return nil
	case len(e) == 1:
		detail = "One field is wrong; errors says which and what it needs. Nothing was saved."
	case len(shown) < len(e):
		detail = fmt.Sprintf("%d fields are wrong; errors says which the first %d are and what each needs. Nothing was saved.", len(e), len(shown))
	}
	return NewProblem(Invalid, detail, shown...)
}

// Reply writes v as JSON, and what is an error, a *Problem or what embeds one, as a
// problem. No cache may keep it, because it may change at any time. What GET shows has a
// tag: whoever sends it as If-None-Match is told with 304 that nothing has changed.
func Reply(w http.ResponseWriter, status int, v any) {
	contentType := "application/json"
	if _, ok := v.(error); ok {
		contentType = "application/problem+json"
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // only for a type that JSON cannot hold
		status, contentType = http.StatusInternalServerError, "application/problem+json"
		text.Reset()
		text.WriteString(`{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"The reply cannot be written."}`)
	}
	w.Header().Set("Cache-Control", "no-store")
	if t, ok := w.(*tagging); ok && status == http.StatusOK && t.unchanged(text.Bytes()) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // the client may be gone; nothing to do then
}
