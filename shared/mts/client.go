// Package mts is a client of MOSIP Token Seeder's HTTP API (facts/mts.md 1).
package mts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Client is a seeding.MTS. Each of its errors is a *seeding.Fault without any
// text of the server.
type Client struct {
	http *http.Client
	now  func() time.Time
}

// New returns a client on an HTTP client that bounds response bodies. Contexts
// limit the time.
func New(client *http.Client, now func() time.Time) *Client {
	return &Client{http: client, now: now}
}

var _ seeding.MTS = (*Client)(nil)

// Submit posts a batch: records or where to fetch them in, one bulk JSON callback out.
// The POST is never repeated here, because MTS would process it again (facts/mts.md
// W19). MTS fetches before it answers; a failure of that kind is a 400 ATS-REQ-23, "no
// submissions", or a 500 (facts/odk.md 15.2).
func (c *Client) Submit(ctx context.Context, s seeding.Request) (string, error) {
	// Who sends bounds what the requests take together, so a buffer holds each.
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // it would make six bytes of each "<"
	if err := encoder.Encode(c.envelope(s)); err != nil {
		return "", &seeding.Fault{Kind: seeding.RefusedRequest, Code: "Encoding", Cause: err}
	}
	path := "json"
	if s.Pull != nil {
		path = "odk"
	}
	status, response, err := c.call(ctx, http.MethodPost, s.MTSURL, &body, path)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", refusal(status, response)
	}
	// ATS-REQ-101, every record invalid, comes with an identifier: the batch is
	// delivered like any other (facts/mts.md 2.5).
	if id := response.Response.RequestIdentifier; identifier.MatchString(id) {
		return id, nil
	}
	code := response.code()
	if len(response.Errors) == 0 { // MTS gives one of the two
		code = "BadAnswer"
	}
	return "", &seeding.Fault{Kind: seeding.Unknown, Code: code}
}

// Status asks for MTS's status of a whole request.
func (c *Client) Status(ctx context.Context, mtsURL, requestID string) (seeding.MTSStatus, error) {
	if !identifier.MatchString(requestID) {
		return seeding.StatusUnknown, nil // MTS cannot have given it
	}
	status, response, err := c.call(ctx, http.MethodGet, mtsURL, nil, "status", requestID)
	switch {
	case err != nil:
		return seeding.StatusUnknown, err
	case status == http.StatusNotFound && response.code() == "ATS-REQ-016":
		return seeding.StatusUnknown, nil
	case status != http.StatusOK:
		return seeding.StatusUnknown, refusal(status, response)
	}
	switch word := response.Response.Status; {
	case strings.HasPrefix(word, "submitted"), word == "processing":
		return seeding.StatusWorking, nil
	case word == "processed":
		return seeding.StatusFinished, nil
	case strings.HasPrefix(word, "processed"):
		return seeding.StatusPartly, nil
	case strings.HasPrefix(word, "error_"):
		return seeding.StatusFailed, nil
	}
	return seeding.StatusUnknown, &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
}

// maxReply bounds a reply, which is a few hundred bytes.
const maxReply = 64 << 10

// call makes one exchange. err is set if there was no reply, or a 200 that
// cannot be read.
func (c *Client) call(ctx context.Context, method, base string, body io.Reader, path ...string) (int, reply, error) {
	resp, err := c.send(ctx, method, base, "/authtoken/"+strings.Join(path, "/"), body)
	if err != nil {
		return 0, reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	var r reply
	err = json.NewDecoder(io.LimitReader(resp.Body, maxReply)).Decode(&r)
	if err != nil && resp.StatusCode == http.StatusOK {
		fault := noReply(err)
		if fault.Code == "" {
			fault.Code = "BadAnswer"
		}
		return 0, reply{}, fault
	}
	return resp.StatusCode, r, nil
}

// send sends a request to a path below a configured address, which may have a path
// and end in a slash. MTS answers a double slash with 404 (facts/mts.md 1.0).
func (c *Client) send(ctx context.Context, method, base, path string, body io.Reader) (*http.Response, error) {
	address, err := seeding.ParseAddress(base)
	if err != nil {
		return nil, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAddress", Cause: err}
	}
	req, err := http.NewRequestWithContext(ctx, method, address.String()+path, body)
	if err != nil {
		return nil, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAddress", Cause: err}
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, noReply(err)
	}
	return resp, nil
}

// reply is the part of MTS's envelope that we read. Messages are not read.
type reply struct {
	Errors []struct {
		Code string `json:"errorCode"`
	} `json:"errors"`
	Response struct {
		RequestIdentifier string `json:"request_identifier"`
		Status            string `json:"status"`
	} `json:"response"`
}

var (
	identifier = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z-]{0,63}$`)
	// In a 500 the code can be any text of an exception (facts/mts.md 1.0).
	ownCode = regexp.MustCompile(`^ATS-REQ-[0-9]{2,3}$`)
)

func (r reply) code() string {
	for _, e := range r.Errors {
		if ownCode.MatchString(e.Code) {
			return e.Code
		}
	}
	return ""
}

// refusal is the fault of a reply that is not 200. After any 3xx or 4xx, of MTS
// or of a proxy before it, the batch was not taken (infra/decisions.md); after a
// 5xx it may have been.
func refusal(status int, r reply) error {
	fault := &seeding.Fault{Kind: seeding.RefusedRequest, Code: r.code()}
	if status < 300 || status >= 500 {
		fault.Kind = seeding.Unknown
	}
	if fault.Code == "" {
		fault.Code = seeding.HTTPCode(status)
	}
	return fault
}

// noReply is Unreachable only if the client knows that nothing was sent.
func noReply(err error) *seeding.Fault {
	fault := &seeding.Fault{Kind: seeding.Unknown, Cause: err}
	failed, ok := errors.AsType[interface {
		error
		NotSent() bool
		Code() string
	}](err)
	if !ok {
		return fault
	}
	fault.Code = failed.Code()
	if failed.NotSent() {
		fault.Kind = seeding.Unreachable
	}
	return fault
}
