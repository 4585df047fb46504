package odk

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"

	"openg2p.org/mts-connector/shared/seeding"
)

// Codes of faults, which a check tells apart. Besides them there are those of the HTTP
// client, such as ConnectionRefused and Timeout, HTTP-502 for the status of a reply
// that is not Central's or says no more, and ODK-400.18 for another error of Central.
const (
	// WrongPassword: e-mail address or password are wrong; Central does not tell which.
	WrongPassword = "WrongPassword"
	// SingleSignOn: this Central lets nobody sign in with a password.
	SingleSignOn = "SingleSignOn"
	// SessionRefused: a session that was just begun is not accepted.
	SessionRefused = "SessionRefused"
	// NoRight: the form is there, and the account may not read its submissions.
	NoRight = "NoRight"
	// NoForm: there is no such project, or no such published form in it.
	NoForm = "NoForm"
	// NotCentral: something else than Central answers.
	NotCentral = "NotCentral"
	// EncryptedForm: nothing can be read of its submissions.
	EncryptedForm = "EncryptedForm"
	// NoField: the form has no such field.
	NoField = "NoField"
	// NumericField: the form asks for a number, whose last digits Central changes.
	NumericField = "NumericField"
	// NoTextField: the field holds no text, or is in a repeat.
	NoTextField = "NoTextField"
	// NoColumn: $select names a field that the form has not.
	NoColumn = "ODK-400.23"
	// ColumnOfRepeat: $select names a field within a repeat.
	ColumnOfRepeat = "ODK-400.24"
	// ClockApart: the clock of Central is far from this one.
	ClockApart = "ClockApart"
	// Silent: Central sent nothing for too long.
	Silent = "Silent"
	// BrokenReply: a reply ended before its end, as when Central loses its database.
	BrokenReply = "BrokenReply"
	// BadAnswer: a reply is not what was asked for.
	BadAnswer = "BadAnswer"
	// WindowChanged: submissions came or went while the window was read.
	WindowChanged = "WindowChanged"
	// NotAskable: an id that a filter cannot name.
	NotAskable = "NotAskable"
)

func fault(kind seeding.FaultKind, code string) *seeding.Fault {
	return &seeding.Fault{Kind: kind, Code: code}
}

// refusal is a reply other than the expected one. Central's own errors have a code
// whose whole part is the status; an unforeseen one has none (facts/odk.md 1).
type refusal struct {
	status  int
	code    string // "401.2"; "" for none
	central bool   // JSON with a message
}

var codePattern = regexp.MustCompile(`^[0-9]{3}\.[0-9]{1,2}$`)

const maxError = 64 << 10 // bytes

// readRefusal keeps nothing of the message, which may repeat what was sent.
func readRefusal(resp *http.Response) refusal {
	r := refusal{status: resp.StatusCode}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" {
		return r
	}
	var body struct {
		Message *string     `json:"message"`
		Code    json.Number `json:"code"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&body) == nil && body.Message != nil {
		r.central = true
		if codePattern.MatchString(body.Code.String()) {
			r.code = body.Code.String()
		}
	}
	return r
}

// ofSignIn is what it means as the reply to a sign-in.
func (r refusal) ofSignIn() *seeding.Fault {
	switch r.code {
	case "401.2":
		return fault(seeding.RefusedSignIn, WrongPassword)
	case "404.1":
		return fault(seeding.RefusedSignIn, SingleSignOn)
	}
	return r.fault()
}

// ofData is what it means where a form or its submissions are read.
func (r refusal) ofData() *seeding.Fault {
	switch r.code {
	case "403.1":
		return fault(seeding.RefusedRights, NoRight)
	case "404.1":
		return fault(seeding.RefusedSchema, NoForm)
	}
	return r.fault()
}

func (r refusal) fault() *seeding.Fault {
	switch {
	case r.status >= 500 && r.status != http.StatusNotImplemented || r.status == http.StatusTooManyRequests:
		return fault(seeding.Unreachable, seeding.HTTPCode(r.status))
	case r.code == "404.2", r.code == "404.3", !r.central && (r.status == http.StatusNotFound || r.status < 300):
		return fault(seeding.RefusedRequest, NotCentral)
	case r.code != "":
		return fault(seeding.RefusedRequest, "ODK-"+r.code)
	}
	return fault(seeding.RefusedRequest, seeding.HTTPCode(r.status))
}

// noReply is the fault of a call that only reads and got no reply, or one that breaks
// off.
func noReply(err error) *seeding.Fault {
	if f, ok := errors.AsType[*seeding.Fault](err); ok {
		return f
	}
	failed, ok := errors.AsType[interface {
		error
		Code() string
	}](err)
	f := &seeding.Fault{Kind: seeding.Unreachable, Cause: err}
	switch {
	case ok && failed.Code() == seeding.CodeTooLarge:
		f.Kind, f.Code = seeding.RefusedRequest, seeding.CodeTooLarge
	case ok:
		f.Code = failed.Code()
	case errors.Is(err, context.DeadlineExceeded):
		f.Code = "Timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.Code = BrokenReply
	default:
		f.Kind, f.Code = seeding.RefusedRequest, BadAnswer
	}
	return f
}
