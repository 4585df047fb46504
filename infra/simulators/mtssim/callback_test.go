package mtssim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

const (
	ann     = "2000000001000100"
	ben     = "2000000002000100"
	unknown = "7700000000000390"
)

func row(vid, status, token, code, message string) string {
	null := func(s string) string {
		if s == "" {
			return "null"
		}
		return `"` + s + `"`
	}
	return fmt.Sprintf(`{"vid": %s, "status": %s, "token": %s, "errorCode": %s, "errorMessage": %s}`,
		null(vid), null(status), null(token), null(code), null(message))
}

// Every record is delivered, invalid ones too, in the order of submission.
func TestDefaultOutput(t *testing.T) {
	records := []any{valid(ann), valid(unknown), without(valid(ben), "name")}
	want := []string{
		row(ann, "processed", mtssim.Token(ann), "", ""),
		row(unknown, "error", "", "IDA-MLC-009", "Invalid VID"),
		row(ben, "invalid", "", "ATS-REQ-010", "name or its mapping not present"),
	}
	t.Run("one call per record", func(t *testing.T) {
		to := receive(t, nil)
		status := deliver(t, object{"url": to.url + "/a?b=c%20d"}, nil, records...)
		if got := to.bodies(); !slices.Equal(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if c := to.got()[0]; c.method != "POST" || c.path != "/a?b=c%20d" || c.length != int64(len(want[0])) || status != "processed_with_errors" {
			t.Errorf("%+v %s", c, status)
		}
	})
	t.Run("in bulk", func(t *testing.T) {
		to := receive(t, nil)
		deliver(t, object{"url": to.url, "callInBulk": true}, nil, records...)
		if got := to.bodies(); len(got) != 1 || got[0] != "["+want[0]+", "+want[1]+", "+want[2]+"]" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("all invalid", func(t *testing.T) {
		to := receive(t, nil)
		s, base := start(t, mtssim.Options{})
		r := post(t, base, submission(object{"url": to.url}, records[2], object{}))
		if got := r.errors(t); !slices.Equal(got, []string{"ATS-REQ-101 none of the record form a valid request"}) {
			t.Errorf("got %q", got)
		}
		waitForStatus(t, s, r.requestID(t), "processed_with_errors")
		wantEmpty := row("", "invalid", "", "ATS-REQ-009", "vid or its mapping not present")
		if got := to.bodies(); !slices.Equal(got, []string{want[2], wantEmpty}) {
			t.Errorf("got %s", got)
		}
		if len(s.Attempts()) != 0 {
			t.Error("an invalid record was authenticated")
		}
	})
}

// facts/mts.md 3.4, 3.5.
func TestOutputFormat(t *testing.T) {
	record := with(with(with(valid(ann), "key", "r1"), "é", "ñ\n€😀\x7f"), "n", []any{12345678901, 3.0, 2.5, -7, 1e16, 2147483647})
	for format, want := range map[any]string{
		"[.input.key, .output.status, .output.token, .output.errorCode, .output.errorMessage]": `["r1", "processed", "` + mtssim.Token(ann) + `", null, null]`,
		".input.n":                   "[12345678901.0, 3, 2.5, -7, 1e+16, 2147483647]",
		`.input["é"]`:                `"\u00f1\n\u20ac\ud83d\ude00\u007f"`,
		".input.key, .output.status": `"r1"`,
		".output.vid == .input.vid":  "true",
		"false":                      "false",
		"keys":                       `["input", "output"]`,
		"2147483647 + 1":             "2147483648.0",
		`{a: (.input.x // "none")}`:  `{"a": "none"}`,
		"env.HOME":                   "",
		".input.absent":              "", // null, no result, a run error: an empty request
		"empty":                      "",
		".input.key.x":               "",
		`.input.key, error("x")`:     "",
		false:                        "", // stored as the program False
		0:                            "0",
	} {
		t.Run(fmt.Sprint(format), func(t *testing.T) {
			to := receive(t, nil)
			status := deliver(t, object{"url": to.url}, format, record)
			got := to.got()
			if len(got) != 1 || got[0].body != want || status != "processed" {
				t.Fatalf("got %s, want %s (%s)", to.bodies(), want, status)
			}
			kind, lengths := got[0].header.Get("Content-Type"), got[0].header["Content-Length"]
			if want == "" && (kind != "" || !slices.Equal(lengths, []string{"0"})) || want != "" && kind != "application/json" {
				t.Errorf("Content-Type %q, Content-Length %q", kind, lengths)
			}
		})
	}
	t.Run("null in bulk", func(t *testing.T) {
		to := receive(t, nil)
		deliver(t, object{"url": to.url, "callInBulk": true}, "if .output.token then .input.key else null end", record, valid(unknown))
		if got := to.bodies(); !slices.Equal(got, []string{`["r1", null]`}) {
			t.Errorf("got %s", got)
		}
	})
	t.Run("not printable", func(t *testing.T) {
		to := receive(t, nil)
		for _, format := range []any{"nan", "[1, nan]", "{a: [nan]}"} {
			if status := deliver(t, object{"url": to.url}, format, record); status != "error_making_callback_request" {
				t.Errorf("%s: %s", format, status)
			}
		}
		infinite := with(without(record, "name"), "vid", json.Number("1"+strings.Repeat("0", 400)))
		if status := deliver(t, object{"url": to.url}, nil, record, infinite); status != "error_making_callback_request" || len(to.got()) != 1 {
			t.Errorf("no format: %s after %d", status, len(to.got()))
		}
	})
}

// What jq 1.5 does not compile is refused although a newer jq would take it.
func TestOnlyJQ15(t *testing.T) {
	_, base := start(t, mtssim.Options{})
	for format, status := range map[string]int{
		"$ENV": 400, "$__loc__": 400, ".input | walk(.)": 400, "[.input.a[] | abs]": 400, `"a" | ltrim`: 400,
		"if .input.a then 1 end": 400, "{a: .input.b // 1}": 400, "{a: 1 + 1}": 400, "{a: 1,}": 400, ".input.[\"a\"]": 400,
		". as [$a] ?// $a | $a": 400, `"YQ==" | @base64d`: 400, "[.input.a | limit(1; .[])]": 200, "{a: (1 + 1)}": 200,
		"{a: .input.b | tostring}": 200, "{a: -1}": 200, "def abs: 1; abs": 200, ".input as {$a} | $a": 200,
		"reduce .input[] as $x (0; . + 1)": 200, "try error(1) catch .": 200, ".input.a?": 200, `"\(.input.a) x"`: 200,
	} {
		e := submission(nil, valid(ann))
		e["request"].(object)["outputFormat"] = format
		if r := post(t, base, e); r.status != status {
			t.Errorf("%s: got %d, want %d", format, r.status, status)
		}
	}
}

func TestCallbackHeaders(t *testing.T) {
	bearer := object{"token": "secret"}
	for name, c := range map[string]struct {
		properties object
		want       map[string]string // "" means absent
		failed     bool
	}{
		"plain": {object{}, map[string]string{"User-Agent": "python-requests/2.28.1", "Accept": "*/*",
			"Accept-Encoding": "gzip, deflate", "Content-Type": "application/json", "Authorization": ""}, false},
		"bearer":            {object{"authType": "staticBearer", "authStaticBearer": bearer}, map[string]string{"Authorization": "Bearer secret"}, false},
		"extra headers win": {object{"authType": "staticBearer", "authStaticBearer": bearer, "extraHeaders": object{"authorization": "x", "Content-Type": "text/x", "X-A": "b"}}, map[string]string{"Authorization": "x", "Content-Type": "text/x", "X-A": "b"}, false},
		"null header":       {object{"extraHeaders": object{"X-A": nil}}, map[string]string{"X-A": ""}, false},
		"number header":     {object{"extraHeaders": object{"X-A": 5}}, nil, true},
		"broken header":     {object{"extraHeaders": object{"X-A": "a\nb"}}, nil, true},
		"no time":           {object{"timeoutSeconds": 0}, nil, true},
		"unknown method":    {object{"httpMethod": "brew"}, nil, true},
		"odoo": {object{"authType": "odoo", "authOdoo": object{"authUrl": "http://127.0.0.1:9/a", "database": "d", "username": "u", "password": "p"}},
			nil, true}, // nobody is there
		"oauth": {object{"authType": "oauth", "authOauth": object{"clientId": "c"}}, nil, true}, // without an address
	} {
		t.Run(name, func(t *testing.T) {
			to := receive(t, nil)
			c.properties["url"] = to.url
			status := deliver(t, c.properties, nil, valid(ann))
			if c.failed {
				if status != "error_making_callback_request" || len(to.got()) != 0 {
					t.Errorf("got %s and %d calls", status, len(to.got()))
				}
				return
			}
			for header, want := range c.want {
				if got := to.got()[0].header.Get(header); got != want {
					t.Errorf("%s: got %q, want %q", header, got, want)
				}
			}
		})
	}
}

// facts/mts.md 3.6: what ends a delivery and what does not.
func TestDeliveryFailures(t *testing.T) {
	hangUpOn := func(n int) http.HandlerFunc {
		seen := 0
		return func(http.ResponseWriter, *http.Request) {
			if seen++; seen == n {
				panic(http.ErrAbortHandler)
			}
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	records := []any{valid(ann), valid(ben), valid("2000000000000003")}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		calls  int
		status string
	}{
		"401 counts as delivered":     {status(401), 3, "processed"},
		"500 counts as delivered":     {status(500), 3, "processed"},
		"a closed connection aborts":  {hangUpOn(2), 2, "error_making_callback_request"},
		"nothing after the last call": {hangUpOn(3), 3, "error_making_callback_request"},
	} {
		t.Run(name, func(t *testing.T) {
			to := receive(t, c.answer)
			status := deliver(t, object{"url": to.url}, nil, records...)
			if status != c.status || len(to.got()) != c.calls {
				t.Errorf("got %s after %d calls", status, len(to.got()))
			}
		})
	}
	for _, url := range []string{"http://127.0.0.1:1/x", "ftp://127.0.0.1/x"} {
		if status := deliver(t, object{"url": url}, nil, records...); status != "error_making_callback_request" {
			t.Errorf("%s: got %s", url, status)
		}
	}
}

// facts/mts.md 3.3: a 302 turns the POST into a GET without body, a 307 repeats it.
func TestRedirects(t *testing.T) {
	for code, want := range map[int][]string{302: {"POST /", "GET /new"}, 307: {"POST /", "POST /new"}} {
		to := receive(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header().Set("Location", "/new")
				w.WriteHeader(code)
			}
		})
		status := deliver(t, object{"url": to.url + "/"}, ".input.vid", valid(ann))
		var got []string
		for _, c := range to.got() {
			got = append(got, c.method+" "+c.path)
		}
		last := to.bodies()[len(to.bodies())-1]
		if !slices.Equal(got, want) || status != "processed" || (last == "") != (code == 302) {
			t.Errorf("%d: got %s, last body %q, %s", code, got, last, status)
		}
	}
}

func TestDownloadIsProcessed(t *testing.T) {
	if status := deliver(t, nil, nil, valid(ann)); status != "processed" {
		t.Errorf("got %s", status)
	}
}
