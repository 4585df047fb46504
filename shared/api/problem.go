package api

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Problem is a reply of type application/problem+json (RFC 9457).
type Problem struct {
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []Fault `json:"errors,omitempty"`
}

// Fault is one thing that is wrong with a request: in its body, at a JSON
// pointer ("" is the whole body), or in a parameter of its address.
type Fault struct {
	Pointer   *string `json:"pointer,omitempty"`
	Parameter string  `json:"parameter,omitempty"`
	Detail    string  `json:"detail"`
}

func (p *Problem) Error() string { return p.Title }

func problem(status int, detail string, faults ...Fault) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Errors: faults}
}

// reply writes v as JSON. What the API tells is current only now.
func reply(w http.ResponseWriter, status int, v any) {
	contentType := "application/json"
	if _, is := v.(*Problem); is {
		contentType = "application/problem+json"
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // not for the types of this package
		status, contentType = http.StatusInternalServerError, "application/problem+json"
		text.Reset()
		text.WriteString(`{"title":"Internal Server Error","status":500,"detail":"The reply cannot be written."}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // the client may be gone; nothing to do then
}
