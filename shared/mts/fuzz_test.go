package mts_test

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/seeding"
)

// answering answers each request alike, without a network.
type answering struct {
	status int
	body   string
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// Whatever an MTS answers: nothing panics, an identifier is one that can stand in an
// address, and an error is a fault without a text of the server. Only a refusal says
// that a batch was not taken.
func FuzzReplies(f *testing.F) {
	for _, body := range []string{
		`{"response":{"request_identifier":"00c0ffee-1111-4222-8333-444455556666"}}`, `{"errors":[{"errorCode":"ATS-REQ-101","errorMessage":"x"}],"response":{"request_identifier":"a"}}`,
		`{"response":{"status":"submitted"}}`, `{"response":{"status":"processed_with_errors"}}`, `{"response":{"status":"error_making_callback_request"}}`, `{"response":null,"errors":null}`,
		`{"errors":[{"errorCode":"ATS-REQ-016"}]}`, `{"errors":[{"errorCode":5}]}`, `{"response":{"request_identifier":"../../x"}}`, `"Pong"`, `"pong"`, `null`, `[]`, ``, `<html>`, `{"response":{"request_identifier":"a\u0000"}}`,
	} {
		for _, status := range []uint16{200, 201, 307, 400, 404, 413, 500, 502} {
			f.Add(status, []byte(body))
		}
	}
	safe := regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	code := regexp.MustCompile(`^[0-9A-Za-z-]{0,20}$`)
	f.Fuzz(func(t *testing.T, status uint16, body []byte) {
		if status < 200 || status > 999 {
			return // HTTP has none
		}
		c := mts.New(&http.Client{Transport: answering{int(status), string(body)}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, func() time.Time { return now })
		sent := submission
		sent.MTSURL = "https://mts.example.org/mts"
		id, err := c.Submit(t.Context(), sent)
		fault, isFault := errors.AsType[*seeding.Fault](err)
		switch {
		case err == nil && (status != 200 || !safe.MatchString(id)):
			t.Errorf("%d: %q", status, id)
		case err != nil && (!isFault || id != "" || !code.MatchString(fault.Code)):
			t.Errorf("%d: %q %T %v", status, id, err, err)
		case err != nil && fault.Kind != seeding.Unknown && (status < 300 || status >= 500):
			t.Errorf("%d: %v, but the batch may have been taken", status, err)
		}
		known, err := c.Status(t.Context(), sent.MTSURL, "00c0ffee-1111-4222-8333-444455556666")
		if fault, isFault = errors.AsType[*seeding.Fault](err); err != nil && (!isFault || known != seeding.StatusUnknown || !code.MatchString(fault.Code)) {
			t.Errorf("status %d: %v %T %v", status, known, err, err)
		}
		if err = c.Ping(t.Context(), sent.MTSURL); err != nil {
			if fault, isFault = errors.AsType[*seeding.Fault](err); !isFault || !code.MatchString(fault.Code) {
				t.Errorf("ping %d: %T %v", status, err, err)
			}
		}
	})
}
