package mtssim_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

// scriptedCentral answers sign-in and data with fixed texts, and records what was asked.
type scriptedCentral struct {
	*httptest.Server
	signIn, data string
	status       int
	packed       bool

	mu    sync.Mutex
	asked []string
}

func script(t *testing.T, signIn, data string) *scriptedCentral {
	t.Helper()
	c := &scriptedCentral{signIn: signIn, data: data, status: 200}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *scriptedCentral) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.asked = append(c.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization")+" "+string(body)))
	c.mu.Unlock()
	text := c.data
	if r.Method == http.MethodPost {
		text = c.signIn
	}
	if c.packed {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(c.status)
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, text)
		_ = z.Close()
		return
	}
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, text)
}

func (c *scriptedCentral) calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

const signedIn = `{"token":"t0ken"}`

// pull posts to /authtoken/odk. Configurations are merged.
func pull(t *testing.T, base string, properties object, mapping object, configurations ...object) reply {
	t.Helper()
	e := submission(properties)
	config := object{"email": "a@b", "password": "p"}
	for _, c := range configurations {
		for k, v := range c {
			config[k] = v
		}
	}
	request := e["request"].(object)
	delete(request, "authdata")
	request["odkconfig"] = config
	if mapping != nil {
		request["mapping"] = mapping
	}
	r, _ := mustDo(t, "POST", base+"/authtoken/odk", "application/json", encode(t, e))
	return r
}

// The calls that MTS makes (facts/mts.md 2.6).
func TestPullAsks(t *testing.T) {
	window := object{"startdate": "2026-01-01T00:00:00.000Z", "enddate": "2026-01-02T00:00:00.000+05:30"}
	const filter = "$filter=__system/submissionDate%20ge%202026-01-01T00:00:00.000Z%20and%20__system/submissionDate%20lt%202026-01-02T00:00:00.000+05:30"
	_, base := start(t, mtssim.Options{})
	for name, test := range map[string]struct {
		config object
		want   string // after the server
	}{
		"built":                  {object{"projectid": 1, "formid": "a b"}, "/v1/projects/1/forms/a%20b.svc/Submissions"},
		"a window":               {object{"projectid": "1", "formid": "reg", "startdate": window["startdate"], "enddate": window["enddate"]}, "/v1/projects/1/forms/reg.svc/Submissions?" + filter},
		"verbatim":               {object{"odataurl": "/x.svc"}, "/x.svc"},
		"verbatim with a window": {object{"odataurl": "/x?$select=__id,vid", "startdate": window["startdate"], "enddate": window["enddate"]}, "/x?$select=__id,vid&" + filter},
		"what must be encoded":   {object{"odataurl": "/é?$filter=__id eq 'a'%20"}, "/%C3%A9?$filter=__id%20eq%20'a'%20"},
		"one date is no window":  {object{"odataurl": "/x", "startdate": window["startdate"], "enddate": ""}, "/x"},
	} {
		central := script(t, signedIn, `{"value":[{"vid":"1"}]}`)
		config := object{"baseurl": central.URL}
		for k, v := range test.config {
			config[k] = v
		}
		if address, ok := config["odataurl"].(string); ok {
			config["odataurl"] = central.URL + address
		}
		pull(t, base, nil, nil, config).requestIDOrInvalid(t)
		want := []string{`POST /v1/sessions  {"email":"a@b","password":"p"}`, "GET " + test.want + " Bearer t0ken"}
		if got := central.calls(); !slices.Equal(got, want) {
			t.Errorf("%s:\n%q\n%q", name, got, want)
		}
	}
}

func (r reply) requestIDOrInvalid(t *testing.T) {
	t.Helper()
	if r.status != 200 || !strings.Contains(r.body, "request_identifier") {
		t.Errorf("not accepted: %d %s", r.status, r.body)
	}
}

// What MTS answers to what Central says, whatever its status (facts/odk.md 15.2).
func TestPullAnswers(t *testing.T) {
	_, base := start(t, mtssim.Options{})
	nothing := "400 ATS-REQ-23 no submissions found for odk pull"
	for name, test := range map[string]struct {
		signIn, data string
		config       object
		want         string
	}{
		"nothing":             {signedIn, `{"value":[]}`, nil, nothing},
		"null":                {signedIn, `{"value":null}`, nil, nothing},
		"an error of Central": {signedIn, `{"message":"no","code":403.1}`, nil, nothing},
		"wrong password":      {`{"message":"no","code":401.2}`, "", nil, "500 ATS-REQ-100 'token'"},
		"page of a proxy":     {"<html>", "", nil, "500 ATS-REQ-100 Expecting value: line 1 column 1 (char 0)"},
		"data of a proxy":     {signedIn, "<html>", nil, "500 ATS-REQ-100 Expecting value: line 1 column 1 (char 0)"},
		"cut":                 {signedIn, `{"value":[{"vid":"1"}`, nil, "500 ATS-REQ-100 Expecting ',' delimiter: line 1 column 22 (char 21)"},
		"no project":          {signedIn, "", object{"odataurl": nil, "formid": "x"}, "400 ATS-REQ-21 no odk project id provided"},
		"no form":             {signedIn, "", object{"odataurl": "", "projectid": "1"}, "400 ATS-REQ-22 no odk form id provided"},
		"no base URL":         {"", "", object{"baseurl": ""}, "400 ATS-REQ-18 no odk baseurl provided"},
		"no e-mail":           {"", "", object{"email": ""}, "400 ATS-REQ-19 no email provided"},
		"no password":         {"", "", object{"password": ""}, "400 ATS-REQ-20 no password provided"},
		"null e-mail":         {"", "", object{"email": nil}, "422 ATS-REQ-102 Invalid Input. none is not an allowed value"},
		"a service document":  {signedIn, `{"value":[{"name":"Submissions","kind":"EntitySet","url":"Submissions"}]}`, nil, "200 ATS-REQ-101 none of the record form a valid request"},
	} {
		for _, status := range []int{200, 403, 500} {
			central := script(t, test.signIn, test.data)
			central.status = status
			config := object{"baseurl": central.URL, "odataurl": central.URL + "/x"}
			r := pull(t, base, nil, nil, config, test.config)
			got := statusText(r.status) + " " + strings.Join(r.errors(t), ", ")
			if got != test.want {
				t.Errorf("%s, %d: %s, want %s", name, status, got, test.want)
			}
		}
	}
	gone := script(t, "", "")
	gone.Close()
	if r := pull(t, base, nil, nil, object{"baseurl": gone.URL, "odataurl": gone.URL}); r.status != 500 {
		t.Error("nobody there:", r)
	}
	for _, body := range []string{"", "null"} {
		r, _ := mustDo(t, "POST", base+"/authtoken/odk", "application/json", body)
		if r.status != 500 || !slices.Equal(r.errors(t), []string{"ATS-REQ-100 'NoneType' object has no attribute 'request'"}) {
			t.Errorf("body %q: %v", body, r)
		}
	}
	e := submission(nil)
	r, _ := mustDo(t, "POST", base+"/authtoken/odk", "application/json", encode(t, e))
	if r.status != 422 || !slices.Equal(r.errors(t), []string{"ATS-REQ-102 Invalid Input. field required"}) {
		t.Error("without odkconfig:", r)
	}
}

func statusText(status int) string {
	return map[int]string{200: "200", 400: "400", 422: "422", 500: "500"}[status]
}

// What was pulled is processed and called back as records that were posted are; the
// output sees the whole submission.
func TestPullIsProcessed(t *testing.T) {
	for _, packed := range []bool{false, true} {
		to := receive(t, nil)
		s, base := start(t, mtssim.Options{})
		central := script(t, signedIn, `{"value":[
			{"__id":"uuid:1","vid":"`+ann+`","person":{"name":"Ana","gender":"Female","dob":"1990-01-02"},"where":{"address":"1 Main Road"},"n":9007199254740992},
			{"__id":"uuid:2","vid":null,"person":{"name":"Ben","gender":"Male","dob":"1990-01-02"},"where":{"address":"1 Main Road"}}]}`)
		central.packed = packed
		mapping := object{"name": []string{"person.name"}, "gender": "person.gender", "dob": "person.dob", "fullAddress": []string{"where.address"}}
		r := pull(t, base, object{"url": to.url, "callInBulk": true}, mapping,
			object{"baseurl": central.URL, "odataurl": central.URL + "/x"})
		id := r.requestID(t)
		waitFor(t, "the worker", func() bool { return s.Open() == 0 })
		want := "[" + row(ann, "processed", mtssim.Token(ann), "", "") + ", " + row("", "invalid", "", "ATS-REQ-009", "vid or its mapping not present") + "]"
		if got := to.bodies(); len(got) != 1 || got[0] != want {
			t.Errorf("%s\n%s", got, want)
		}
		if status, _ := s.Status(id); status != "processed_with_errors" {
			t.Error(status)
		}
		if c := s.Counters(); c.RecordsReceived != 2 || c.RecordsInvalid != 1 || c.PostsAccepted != 1 {
			t.Errorf("%+v", c)
		}
	}
}

// A Central that does not answer blocks the worker that pulls, and a restart ends that
// (facts/mts.md W18).
func TestPullBlocks(t *testing.T) {
	s, base := start(t, mtssim.Options{})
	reached := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	done := make(chan error, 2)
	body := submission(nil)
	delete(body["request"].(object), "authdata")
	body["request"].(object)["odkconfig"] = object{"baseurl": silent.URL, "odataurl": silent.URL, "email": "a", "password": "b"}
	go func() {
		_, _, err := do(t, "POST", base+"/authtoken/odk", "application/json", encode(t, body))
		done <- err
	}()
	<-reached
	if !s.State().Replicas[0].Workers[0].Blocked {
		t.Error("the worker is free")
	}
	s.Restart()
	if err := <-done; err == nil {
		t.Error("answered after a restart")
	}
}
