package odk_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/seeding"
)

// scripted answers sign-ins, and everything else with one body, without a network.
type scripted struct {
	body   func() io.Reader
	status int
	asked  int
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	resp := &http.Response{StatusCode: s.status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	if r.Method == http.MethodPost {
		resp.StatusCode = http.StatusOK
		resp.Body = io.NopCloser(strings.NewReader(`{"token":"0123456789abcdef","createdAt":"2026-11-27T12:00:00.000Z"}`))
		return resp, nil
	}
	resp.Body = io.NopCloser(s.body())
	return resp, nil
}

// reading opens a form of a scripted Central.
func reading(t testing.TB, s *scripted, limits odk.Limits) *odk.Central {
	t.Helper()
	if s.status == 0 {
		s.status = http.StatusOK
	}
	client := odk.New(&http.Client{Transport: s}, func() time.Time { return start })
	client.Limits = limits
	address, err := odk.ParseAddress(base, base+"/v1/projects/1/forms/reg.svc")
	if err != nil {
		t.Fatal(err)
	}
	return client.Open(address, reader, password)
}

// endless is a text and then another one for ever.
type endless struct {
	first, then string
	given       *int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.first == "" {
		e.first = e.then
	}
	n := copy(p, e.first)
	e.first = e.first[n:]
	*e.given += int64(n)
	return n, nil
}

// A reply without an end is read up to a limit, whatever it consists of.
func TestEndlessReplies(t *testing.T) {
	limits := odk.Limits{PageRows: 100, PageBytes: 256 << 10, RecordBytes: 32 << 10, Silence: time.Hour}
	for name, text := range map[string][2]string{
		"blanks":           {"", "   "},
		"blanks in a list": {`{"value":[`, "   "},
		"a text":           {`{"value":[{"vid":"`, "xxxx"},
		"a number":         {`{"value":[{"n":`, "9999"},
		"members":          {`{"value":[{"a":1`, `,"a":1`},
		"depth":            {`{"value":[{"a":`, "["},
		"rows":             {`{"value":[{"__id":"a"}`, `,{"__id":"a"}`},
		"rows without ids": {`{"value":[{}`, `,{}`},
		"other members":    {`{"x":1`, `,"x":1`},
		"a name":           {`{"`, "xxxx"},
		"a context":        {`{"value":[],"@odata.context":"`, "xxxx"},
		"what follows":     {`{"value":[],"@odata.context":"x","@odata.count":0}`, " "},
	} {
		var given int64
		s := &scripted{body: func() io.Reader { return &endless{text[0], strings.Repeat(text[1], 1000), &given} }}
		central := reading(t, s, limits)
		asked := map[string]func() error{
			"Count": func() error { _, err := central.Count(t.Context(), everything); return err },
			"Read": func() error {
				return central.Read(t.Context(), everything, func(seeding.Submission) error { return nil })
			},
			"ByID": func() error {
				return central.ReadSome(t.Context(), []string{"a", "b"}, func(seeding.Submission) error { return nil })
			},
			"Form": func() error { _, err := central.Form(t.Context()); return err },
		}
		for method, call := range asked {
			given, s.asked = 0, 0
			err := call()
			f, ok := errors.AsType[*seeding.Fault](err)
			if !ok || f.Kind != seeding.RefusedRequest {
				t.Errorf("%s, %s: %v", name, method, err)
			}
			if most := int64(s.asked) * (4<<20 + 64<<10); given > most {
				t.Errorf("%s, %s: %d bytes read in %d calls", name, method, given, s.asked)
			}
		}
	}
}

// What is no list of submissions is none, however near it comes.
func TestWrongReplies(t *testing.T) {
	const context = `"@odata.context":"x"`
	for text, want := range map[string]string{
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":1}`:                          "",
		`{"@odata.count":1,` + context + `,"other":{"a":[1]},"value":[{"__id":"a"}]}`:        "",
		`{"value":[{"__id":"a"}],` + context + `,"@odata.nextLink":null,"@odata.count":1}  `: "",
		``:                             odk.BrokenReply,
		`{`:                            odk.BrokenReply,
		`{"value":[{"__id":"a"}`:       odk.BrokenReply,
		`{"value":[{"__id":"a"}]`:      odk.BrokenReply,
		`{"value":[{"__id":"a"},`:      odk.BrokenReply,
		`{"value":[{"__id":"a"`:        odk.BrokenReply,
		`{"value":[{"__id":"a"}],"@od`: odk.BrokenReply,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":1`:                        odk.BrokenReply,
		`{"value":[{"__id":"a"}],"@odata.count":1}`:                                       odk.BadAnswer,
		`{"value":[{"__id":"a"}],` + context + `}`:                                        odk.BadAnswer,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":"1"}`:                     odk.BadAnswer,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":-1}`:                      odk.BadAnswer,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":1.5}`:                     odk.BadAnswer,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":2}`:                       odk.WindowChanged,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":0}`:                       odk.WindowChanged,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.nextLink":"x","@odata.count":2}`: odk.BadAnswer, // the same page for ever
		`{"value":[{"__id":"a"}],"value":[],` + context + `,"@odata.count":1}`:            odk.BadAnswer,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":1,"@odata.count":1}`:      odk.BadAnswer,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":1}{}`:                     odk.BadAnswer,
		`{"value":[{"__id":"a"}],` + context + `,"@odata.count":1}x`:                      odk.BadAnswer,
		`{"value":null,` + context + `,"@odata.count":0}`:                                 odk.BadAnswer,
		`{"value":{},` + context + `,"@odata.count":0}`:                                   odk.BadAnswer,
		`{"value":["a"],` + context + `,"@odata.count":1}`:                                odk.BadAnswer,
		`{"value":[null],` + context + `,"@odata.count":1}`:                               odk.BadAnswer,
		`{"value":[{"name":"Submissions","kind":"EntitySet"}],` + context + `}`:           odk.BadAnswer,
		`{"value":[{"__id":5}],` + context + `,"@odata.count":1}`:                         odk.BadAnswer,
		`{"value":[{"__id":""}],` + context + `,"@odata.count":1}`:                        odk.BadAnswer,
		"{\"value\":[{\"__id\":\"a\xff\"}]," + context + `,"@odata.count":1}`:             odk.BadAnswer,
		`{"value":[{"__id":"a","n":` + strings.Repeat("9", 500) + `}],` + context + `}`:   odk.BadAnswer,
		`{"value":[{"__id":"a","__system":{"submissionDate":"soon"}}],` + context + `}`:   odk.BadAnswer,
		`{"value":[{"__id":"a","__system":{"edits":-1}}],` + context + `}`:                odk.BadAnswer,
		`[]`: odk.BadAnswer, `null`: odk.BadAnswer, `"x"`: odk.BadAnswer, `<html>`: odk.BadAnswer, `{"message":"x"}`: odk.BadAnswer,
	} {
		central := reading(t, &scripted{body: func() io.Reader { return strings.NewReader(text) }}, odk.DefaultLimits)
		err := central.Read(t.Context(), everything, func(seeding.Submission) error { return nil })
		if codeOf(err) != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// Whatever Central sends, no call panics, and a window counts as read only if the reply
// was a whole list with as many submissions as it says.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		`{"value":[{"__id":"a","__system":{"submissionDate":"2026-11-27T12:00:00.000Z","edits":1}}],"@odata.context":"x","@odata.count":1}`,
		`{"value":[],"@odata.context":"x","@odata.nextLink":"y","@odata.count":0}`, `{"message":"m","code":403.1}`, `{"value":[{"__id":"a"}`,
		`{"oidcEnabled":true}`, `[{"path":"/vid","type":"string"}]`,
	} {
		f.Add(seed, 200)
	}
	f.Add(`{"message":"m","code":404.1}`, 404)
	limits := odk.Limits{PageRows: 3, PageBytes: 4096, RecordBytes: 512, Silence: time.Hour}
	f.Fuzz(func(t *testing.T, text string, status int) {
		if status < 200 || status > 599 {
			return
		}
		central := reading(t, &scripted{body: func() io.Reader { return strings.NewReader(text) }, status: status}, limits)
		given := 0
		err := central.Read(t.Context(), everything, func(s seeding.Submission) error {
			if s.ID == "" || s.Record["__id"] != s.ID {
				t.Errorf("a submission without its id")
			}
			given++
			return nil
		})
		if err == nil {
			var whole map[string]json.RawMessage // with names as they are, not in whatever case
			var list []json.RawMessage
			var count *int
			if json.Unmarshal([]byte(text), &whole) != nil || json.Unmarshal(whole["value"], &list) != nil ||
				json.Unmarshal(whole["@odata.count"], &count) != nil || len(list) != given || *count != given {
				t.Errorf("%q counts as read", text)
			}
		}
		errs := []error{err}
		_, err = central.Count(t.Context(), everything)
		errs = append(errs, err)
		_, err = central.Form(t.Context())
		errs = append(errs, err)
		_, _, err = central.Tag(t.Context(), everything, `W/"eventhash:0"`)
		errs = append(errs, err)
		_, _, err = central.SingleSignOn(t.Context())
		errs = append(errs, err, central.ReadSome(t.Context(), []string{"a"}, func(seeding.Submission) error { return nil }))
		for _, err := range errs {
			if f, ok := errors.AsType[*seeding.Fault](err); err != nil && (!ok || f.Code == "" || len(f.Code) > 40) {
				t.Errorf("%v", err)
			}
		}
	})
}
