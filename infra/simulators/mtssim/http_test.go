package mtssim_test

import (
	"regexp"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

// facts/mts.md 1.0, 1.4, 1.7.
func TestRoutes(t *testing.T) {
	_, base := start(t, mtssim.Options{})
	const notFound, notAllowed = `{"detail":"Not Found"}`, `{"detail":"Method Not Allowed"}`
	for _, c := range []struct {
		method, path string
		status       int
		body         string
		location     string
	}{
		{"GET", "/ping", 200, `"[0 - 0] pong"`, ""},
		{"POST", "/ping", 405, notAllowed, ""},
		{"GET", "/authtoken/json", 405, notAllowed, ""},
		{"PUT", "/authtoken/json", 405, notAllowed, ""},
		{"POST", "/authtoken/status/x", 405, notAllowed, ""},
		{"GET", "/", 404, notFound, ""},
		{"POST", "//authtoken/json", 404, notFound, ""},
		{"POST", "/authtoken/csv", 404, notFound, ""},
		{"GET", "/authtoken/file/x", 404, notFound, ""},
		{"GET", "/authtoken/status", 404, notFound, ""},
		{"GET", "/authtoken/status/", 404, notFound, ""},
		{"GET", "/authtoken/status/a/b", 404, notFound, ""},
		{"POST", "/authtoken/json/", 307, "", base + "//authtoken/json"},
		{"POST", "/authtoken/json/?a=b", 307, "", base + "//authtoken/json?a=b"},
		{"GET", "/authtoken/status/x/", 307, "", base + "//authtoken/status/x"},
		{"GET", "/authtoken/csv/", 404, notFound, ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			r, header := mustDo(t, c.method, base+c.path, "", "")
			if r.status != c.status || r.body != c.body || header.Get("Location") != c.location {
				t.Errorf("got %d %s %q", r.status, r.body, header.Get("Location"))
			}
		})
	}
}

func TestEnvelope(t *testing.T) {
	s, base := start(t, mtssim.Options{})
	time := regexp.MustCompile(`"responsetime":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"`)
	form := func(r reply) (anonymous, responseTime string) {
		t.Helper()
		m := time.FindStringSubmatch(r.body)
		if m == nil {
			t.Fatalf("no responsetime in %s", r.body)
		}
		return strings.Replace(r.body, m[1], "T", 1), m[1]
	}

	accepted := post(t, base, submission(nil, valid("2000000000000001")))
	id := accepted.requestID(t)
	if !regexp.MustCompile(`^00[0-9a-f]{6}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("request identifier %s", id)
	}
	got, frozen := form(accepted)
	want := `{"id":"mosip.token.seeder","version":"1.1.0","metadata":{},"responsetime":"T","errors":null,` +
		`"response":{"request_identifier":"` + id + `"}}`
	if got != want {
		t.Errorf("accepted:\n got %s\nwant %s", got, want)
	}

	waitForStatus(t, s, id, "processed")
	status, _ := mustDo(t, "GET", base+"/authtoken/status/"+id, "", "")
	if got, when := form(status); when != frozen || status.status != 200 || !strings.HasSuffix(got, `"errors":null,"response":{"status":"processed"}}`) {
		t.Errorf("status: %d %s", status.status, got)
	}

	unknown, _ := mustDo(t, "GET", base+"/authtoken/status/unknown", "", "")
	want = `"errors":[{"errorCode":"ATS-REQ-016","errorMessage":"no auth request found for the given identifier"}],"response":null}`
	if got, when := form(unknown); when != frozen || unknown.status != 404 || !strings.HasSuffix(got, want) {
		t.Errorf("unknown: %d %s", unknown.status, got)
	}
}
