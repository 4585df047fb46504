package mts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

var now = time.Date(2026, 1, 5, 17, 30, 0, 123456789, time.FixedZone("Manila", 8*3600))

func client() *mts.Client {
	local := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	return mts.New(local, func() time.Time { return now })
}

func server(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	return s
}

var submission = seeding.Request{
	Language:       "eng",
	CallbackURL:    "https://connector.example.org/callback/b1",
	Bearer:         "capability",
	TimeoutSeconds: 30,
	OutputFormat:   seeding.OutputFormat,
	Records: []seeding.RequestRecord{
		{VID: "4000000000000001", Name: "Ana Ñúñez", Gender: "Female", DOB: "1990/11/02", PhoneNumber: "+63917",
			EmailID: "a@example.org", FullAddress: "1 Rizal St, Quezon City", Key: "7.8.AAAA"},
		{VID: "4000000000000002", Key: "9.10.BBBB"},
	},
}

// Escaped for HTML each of these signs would be six bytes.
func TestSignsOfHTMLAreSentAsTheyAre(t *testing.T) {
	var got []byte
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"response":{"request_identifier":"00c0ffee-1111-4222-8333-444455556666"}}`)
	})
	sent := submission
	sent.MTSURL, sent.Records = s.URL, []seeding.RequestRecord{{VID: "4000000000000001", Name: "<Ana> & Ben"}}
	if _, err := client().Submit(t.Context(), sent); err != nil || !bytes.Contains(got, []byte(`"name":"<Ana> & Ben"`)) {
		t.Errorf("%v: %s", err, got)
	}
}

func TestEnvelope(t *testing.T) {
	var got []byte
	var method, contentType string
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		method, contentType = r.Method, r.Header.Get("Content-Type")
		got, _ = io.ReadAll(r.Body)
		if r.ContentLength != int64(len(got)) {
			t.Errorf("Content-Length %d of %d", r.ContentLength, len(got))
		}
		_, _ = io.WriteString(w, `{"errors":null,"response":{"request_identifier":"00c0ffee-1111-4222-8333-444455556666"}}`)
	})
	sent := submission
	sent.MTSURL = s.URL
	id, err := client().Submit(t.Context(), sent)
	if err != nil || id != "00c0ffee-1111-4222-8333-444455556666" {
		t.Fatalf("got %q, %v", id, err)
	}
	if method != http.MethodPost || contentType != "application/json" {
		t.Errorf("%s %s", method, contentType)
	}
	want := `{"id":"mosip.token.seeder","version":"1.0","metadata":"","requesttime":"2026-01-05T09:30:00.123Z","request":{
		"output":"json","deliverytype":"callback","lang":"eng",
		"outputFormat":"[.input.key,.output.status,.output.token,.output.errorCode,.output.errorMessage]",
		"callbackProperties":{"url":"https://connector.example.org/callback/b1","httpMethod":"POST","timeoutSeconds":30,
			"callInBulk":true,"authType":"staticBearer","authStaticBearer":{"token":"capability"}},
		"authdata":[
			{"vid":"4000000000000001","name":"Ana Ñúñez","gender":"Female","dob":"1990/11/02","phoneNumber":"+63917",
				"emailId":"a@example.org","fullAddress":"1 Rizal St, Quezon City","key":"7.8.AAAA"},
			{"vid":"4000000000000002","key":"9.10.BBBB"}]}}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(got)) != compact.String() {
		t.Errorf("sent\n%s\nnot\n%s", got, compact.String())
	}
}

// facts/mts.md D23: a slash at the end of MTS's address made another address of it,
// which MTS does not have.
func TestD23SlashesAtTheEndOfAnAddressChangeNothing(t *testing.T) {
	var path string
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.RequestURI()
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"response":{"request_identifier":"00c0"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"response":{"status":"processed"}}`)
	})
	for _, test := range []struct{ suffix, base string }{
		{"", ""}, {"/", ""}, {"//", ""},
		{"/mosiptokenseeder", "/mosiptokenseeder"}, {"/mosiptokenseeder/", "/mosiptokenseeder"}, {"/a/b//", "/a/b"},
	} {
		sent := submission
		sent.MTSURL = s.URL + test.suffix
		if _, err := client().Submit(t.Context(), sent); err != nil || path != test.base+"/authtoken/json" {
			t.Errorf("%s: %s, %v", test.suffix, path, err)
		}
		if _, err := client().Status(t.Context(), s.URL+test.suffix, "00c0"); err != nil || path != test.base+"/authtoken/status/00c0" {
			t.Errorf("%s: %s, %v", test.suffix, path, err)
		}
	}
	for _, bad := range []string{"", "mts.example.org", "ftp://127.0.0.1/", "http://", "http://a b/", ":",
		s.URL + "?a=b", s.URL + "#x", s.URL + "//a", s.URL + "/a/../b", "http://127.0.0.1.:80", "http://mt\u0130.example.org", "http://0177.0.0.1"} {
		sent := submission
		sent.MTSURL = bad
		_, err := client().Submit(t.Context(), sent)
		if f := seeding.FaultOf(err); f.Kind != seeding.RefusedRequest || f.Code != "BadAddress" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func envelope(code, message, response string) string {
	errors := "null"
	if code != "" {
		errors = `[{"errorCode":"` + code + `","errorMessage":"` + message + `"}]`
	}
	return `{"id":"mosip.token.seeder","version":"1.1.0","metadata":{},"responsetime":"2026-01-05T09:00:00.123Z","errors":` + errors + `,"response":` + response + `}`
}

const id = "00c0ffee-1111-4222-8333-444455556666"

func TestSubmitOutcomes(t *testing.T) {
	given := `{"request_identifier":"` + id + `"}`
	const private = "4000000000000001"
	for _, test := range []struct {
		name   string
		status int
		body   string
		id     string
		kind   seeding.FaultKind
		code   string
	}{
		{"taken", 200, envelope("", "", given), id, 0, ""},
		{"taken, every record invalid", 200, envelope("ATS-REQ-101", "none of the record form a valid request", given), id, 0, ""},
		{"200 without identifier", 200, envelope("", "", "null"), "", seeding.Unknown, "BadAnswer"},
		{"200 of another service", 200, `{"status":"UP"}`, "", seeding.Unknown, "BadAnswer"},
		{"200 with an error of no code", 200, envelope("KeyError", "x", "null"), "", seeding.Unknown, ""},
		{"200 with an error only", 200, envelope("ATS-REQ-102", "x", "null"), "", seeding.Unknown, "ATS-REQ-102"},
		{"200 with a strange identifier", 200, envelope("", "", `{"request_identifier":"../../ping"}`), "", seeding.Unknown, "BadAnswer"},
		{"200 with an endless identifier", 200, envelope("", "", `{"request_identifier":"`+strings.Repeat("a", 100)+`"}`), "", seeding.Unknown, "BadAnswer"},
		{"200, no JSON", 200, "<html>" + private, "", seeding.Unknown, "BadAnswer"},
		{"200, cut off", 200, `{"response":{"request_ident`, "", seeding.Unknown, "BadAnswer"},
		{"200, other shape", 200, `["` + private + `"]`, "", seeding.Unknown, "BadAnswer"},
		{"200, without end", 200, `{"response":` + given + `,"x":"` + strings.Repeat("x", 2<<20) + `"}`, "", seeding.Unknown, "BadAnswer"},
		{"202", 202, envelope("ATS-REQ-017", "x", "null"), "", seeding.Unknown, "ATS-REQ-017"},
		{"400", 400, envelope("ATS-REQ-034", "token cannot be empty", "null"), "", seeding.RefusedRequest, "ATS-REQ-034"},
		{"422", 422, envelope("ATS-REQ-102", "Invalid Input. "+private, "null"), "", seeding.RefusedRequest, "ATS-REQ-102"},
		{"404 of the framework", 404, `{"detail":"Not Found"}`, "", seeding.RefusedRequest, "HTTP-404"},
		{"405", 405, `{"detail":"Method Not Allowed"}`, "", seeding.RefusedRequest, "HTTP-405"},
		{"404 of a proxy", 404, "<html>default backend", "", seeding.RefusedRequest, "HTTP-404"},
		{"413 of a proxy", 413, "too large", "", seeding.RefusedRequest, "HTTP-413"},
		{"307", 307, "", "", seeding.RefusedRequest, "HTTP-307"},
		{"302", 302, "", "", seeding.RefusedRequest, "HTTP-302"},
		{"500", 500, envelope("ATS-REQ-100", "'"+private+"'", "null"), "", seeding.Unknown, "ATS-REQ-100"},
		{"500, code from an exception", 500, envelope(private, "x", "null"), "", seeding.Unknown, "HTTP-500"},
		{"502", 502, "<html>", "", seeding.Unknown, "HTTP-502"},
		{"503", 503, "", "", seeding.Unknown, "HTTP-503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			calls := 0
			s := server(t, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				if test.status/100 == 3 {
					w.Header().Set("Location", "//authtoken/json")
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			sent := submission
			sent.MTSURL = s.URL
			got, err := client().Submit(t.Context(), sent)
			if got != test.id || calls != 1 {
				t.Errorf("id %q after %d calls", got, calls)
			}
			check(t, err, test.id != "", test.kind, test.code)
			if err != nil && strings.Contains(err.Error(), private) {
				t.Errorf("text of the server in %q", err)
			}
		})
	}
}

func TestSubmitWithoutAnswer(t *testing.T) {
	release := make(chan struct{})
	var calls atomic.Int32
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		switch r.URL.Path {
		case "/slow/authtoken/json":
			<-release
		case "/lost/authtoken/json":
			panic(http.ErrAbortHandler)
		case "/nowhere/authtoken/json":
			w.Header().Set("Location", "https://login.example.org/%zz")
			w.WriteHeader(http.StatusFound)
		case "/half/authtoken/json":
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"response":`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	defer close(release)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, test := range []struct {
		name, url string
		kind      seeding.FaultKind
		code      string
	}{
		{"nobody there", gone.URL, seeding.Unreachable, "ConnectionRefused"},
		{"not allowed", "http://169.254.169.254/", seeding.Unreachable, "AddressNotAllowed"},
		{"no TLS there", strings.Replace(s.URL, "http:", "https:", 1), seeding.Unreachable, "NotTLS"},
		{"too slow", s.URL + "/slow", seeding.Unknown, "Timeout"},
		{"connection lost", s.URL + "/lost", seeding.Unknown, "ConnectionLost"},
		{"redirected to no address", s.URL + "/nowhere", seeding.RefusedRequest, "HTTP-302"}, // surely not taken
		{"lost in the middle", s.URL + "/half", seeding.Unknown, "ConnectionLost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			calls.Store(0)
			limit := time.Minute
			if test.code == "Timeout" {
				limit = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			sent := submission
			sent.MTSURL = test.url
			_, err := client().Submit(ctx, sent)
			check(t, err, false, test.kind, test.code)
			if calls.Load() > 1 {
				t.Errorf("%d calls", calls.Load())
			}
		})
	}
}

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   seeding.MTSStatus
		ok     bool
		kind   seeding.FaultKind
		code   string
	}{
		{"submitted", 200, word("submitted"), seeding.StatusWorking, true, 0, ""},
		{"submitted with errors", 200, word("submitted_with_errors"), seeding.StatusWorking, true, 0, ""},
		{"processing", 200, word("processing"), seeding.StatusWorking, true, 0, ""},
		{"processed", 200, word("processed"), seeding.StatusFinished, true, 0, ""},
		{"processed with errors", 200, word("processed_with_errors"), seeding.StatusPartly, true, 0, ""},
		{"callback failed", 200, word("error_making_callback_request"), seeding.StatusFailed, true, 0, ""},
		{"unknown word", 200, word("thinking"), 0, false, seeding.Unknown, "BadAnswer"},
		{"no word", 200, envelope("", "", "null"), 0, false, seeding.Unknown, "BadAnswer"},
		{"forgotten", 404, envelope("ATS-REQ-016", "no auth request found for the given identifier", "null"), seeding.StatusUnknown, true, 0, ""},
		{"404 of somebody else", 404, `{"detail":"Not Found"}`, 0, false, seeding.RefusedRequest, "HTTP-404"},
		{"500", 500, envelope("ATS-REQ-100", "x", "null"), 0, false, seeding.Unknown, "ATS-REQ-100"},
		{"redirect", 307, "", 0, false, seeding.RefusedRequest, "HTTP-307"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := server(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/authtoken/status/"+id {
					t.Errorf("%s %s", r.Method, r.URL.Path)
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			got, err := client().Status(t.Context(), s.URL, id)
			if test.ok && got != test.want {
				t.Errorf("got %s", got)
			}
			check(t, err, test.ok, test.kind, test.code)
		})
	}
	if got, err := client().Status(t.Context(), "http://127.0.0.1:9", "../ping"); got != seeding.StatusUnknown || err != nil {
		t.Errorf("an identifier that MTS cannot have given: %s, %v", got, err)
	}
	_, err := client().Status(t.Context(), "http://10.0.0.1", id)
	check(t, err, false, seeding.Unreachable, "AddressNotAllowed")
}

// A status call may be repeated, a submission may not.
func TestStatusIsRepeated(t *testing.T) {
	calls := 0
	s := server(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, word("processing"))
	})
	if got, err := client().Status(t.Context(), s.URL, id); got != seeding.StatusWorking || err != nil || calls != 2 {
		t.Errorf("%s, %v after %d calls", got, err, calls)
	}
}

func word(status string) string { return envelope("", "", `{"status":"`+status+`"}`) }

func check(t *testing.T, err error, ok bool, kind seeding.FaultKind, code string) {
	t.Helper()
	if ok {
		if err != nil {
			t.Errorf("got %v", err)
		}
		return
	}
	fault, isFault := errors.AsType[*seeding.Fault](err)
	if !isFault || fault.Kind != kind || fault.Code != code {
		t.Errorf("got %v, want %s (%s)", err, kind, code)
	}
}
