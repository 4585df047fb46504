package seeding

import (
	"context"
	"strings"
	"time"
)

// CallbackAddress is the address to which MTS calls back for a batch, below the base
// address of the deployment.
func CallbackAddress(base, batch string) string {
	return strings.TrimRight(base, "/") + "/callback/" + batch
}

// MTS is what the functions call of an MTS. Errors are *Fault; after Unreachable
// and RefusedRequest the request was surely not taken.
type MTS interface {
	// Submit sends one request and returns MTS's request identifier. A reply
	// that says every record is invalid (ATS-REQ-101) is a success, because
	// MTS delivers such a batch too (facts/mts.md 2.5).
	Submit(ctx context.Context, s Request) (requestID string, err error)
	// Status returns what became of a request.
	Status(ctx context.Context, mtsURL, requestID string) (MTSStatus, error)
}

// Request is a POST of one batch: one bulk JSON callback to us with a bearer, or
// callbacks to an address of the connector's own.
type Request struct {
	MTSURL         string
	Language       string
	CallbackURL    string
	Bearer         string
	Direct         *DirectCallback // in place of CallbackURL and Bearer
	TimeoutSeconds int
	OutputFormat   string
	Records        []RequestRecord
	Pull           *Pull // in place of Records
}

// RequestRecord is one registrant for MTS: its seven canonical fields as texts,
// absent ones empty, and the correlation key. Anything but a text would make MTS
// refuse the whole batch (facts/mts.md W12).
type RequestRecord struct {
	VID         string
	Name        string
	Gender      string
	DOB         string
	PhoneNumber string
	EmailID     string
	FullAddress string
	Key         string
	Fields      map[string]any // of a direct callback: what else the record holds
}

// MTSStatus is MTS's status of a request (facts/mts.md 4.1).
type MTSStatus int

const (
	StatusWorking  MTSStatus = iota // submitted…, processing
	StatusFinished                  // processed: every record has a token
	StatusFailed                    // error_…
	StatusUnknown                   // 404: cleaned up, lost, another replica
	StatusPartly                    // processed_with_errors: a record at least has no token
)

// StatusLimit is the time limit of a status call. If it takes longer, MTS is busy
// with a POST, or cannot be reached (facts/mts.md 9).
const StatusLimit = 5 * time.Second

var mtsStatusNames = [...]string{"working", "finished", "failed", "unknown", "finished with errors"}

func (s MTSStatus) String() string { return mtsStatusNames[s] }

// OutputFormat is the jq program that MTS gets for the managed callback: a short row
// per record. Users' jq is sent to MTS for a direct callback only, after it was
// checked: there it could crash the worker or read its environment (facts/mts.md W11).
const OutputFormat = `[.input.key,.output.status,.output.token,.output.errorCode,.output.errorMessage]`

// WindowFormat is the jq program for a batch of submissions: the same cells, with the
// sealed WindowKey, and the id and the edits of the submission in front of them. The
// sealed key has no character that jq's texts write otherwise.
func WindowFormat(sealed string) string {
	return `["` + sealed + `",.input.__id,(.input.__system.edits|tostring),.output.status,.output.token,.output.errorCode,.output.errorMessage]`
}
