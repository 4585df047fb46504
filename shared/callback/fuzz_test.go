package callback_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/callback"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/receive"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// parts keeps what is stored.
type parts []seeding.AnswerPart

func (p *parts) PutPart(_ context.Context, part seeding.AnswerPart) error {
	*p = append(*p, part)
	return nil
}

// endpointOf is the endpoint on a store, with the bearer of a batch of two.
func endpointOf(store receive.Answers) (handler http.Handler, bearer string, rows []seeding.Row, sealed []string) {
	key := seedingtest.Key("k1")
	ref := seeding.BatchRef{Registry: "r", Connector: "c", Run: "u", Batch: "b1"}
	bearer = seeding.Capability(key, ref, 2, seedingtest.Now.Add(time.Hour))
	rows = seedingtest.Rows(2)
	for _, r := range rows {
		sealed = append(sealed, seeding.Seal(key, ref.Batch, seeding.CorrelationKey(r.Member, r.MAC, r.Fingerprint)))
	}
	inbox := &receive.Inbox{CapabilityKeys: seedingtest.Keyring{key}, Answers: store, Clock: seedingtest.Clock{Time: seedingtest.Now}, Times: seeding.DefaultTimes()}
	return callback.New(inbox, slog.New(slog.DiscardHandler)), bearer, rows, sealed
}

// Whatever the body of a callback is: nothing panics, the reply is 200 or a refusal,
// what is stored are rows of members of the batch, or of submissions under its own key,
// none twice, and it takes little memory. In the seeds and what is made of them, KEY1
// and KEY2 stand for the correlation keys of its members, WINDOW for that of submissions.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`[["KEY1","processed","123456789012345678901234567890123456",null,null],["KEY2","error",null,"IDA-MLC-009","Invalid VID"]]`,
		`[["KEY1","error",null,"ATS-REQ-103","IDA-MLC-009::Invalid VID,IDA-DEA-001::name Ana"],null]`, `[["KEY1","invalid","1","ATS-REQ-012","dob"],["KEY1","processed","",null,null]]`,
		`[["KEY1","processed",12,null,null]]`, `[["KEY2","processed","1",null]]`, `{"KEY1":[]}`, `[["KEY1x","processed","1",null,null]]`, `[]`, `null`, `[[[[["KEY1"]]]]]`, `["KEY1"]`, "\ufeff[]",
		`[["KEY1","processed","1",null,null],["KEY1","processed","2",null,null],["KEY2","processed","3",null,null],["KEY2","error","","",""]]`, `[["7.9.AAAAAAAAAAAAAAAA","processed","1",null,null]]`,
		`[["WINDOW","uuid:1","0","processed","1",null,null],["WINDOW","uuid:1","2","error",null,"IDA-MLC-009","x"],["WINDOW","b","null","invalid",null,null,null]]`,
		`[["WINDOW","","0","processed","1",null,null],["KEY1","b","0","processed","1",null,null],["WINDOW","processed","1",null,null],["WINDOW","\u0000","-1","processed","1",null,null]]`,
	} {
		f.Add([]byte(body), "application/json", false)
		f.Add([]byte(body), "text/plain", true)
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string, chunked bool) {
		var stored parts
		handler, bearer, rows, sealed := endpointOf(&stored)
		for i, key := range sealed {
			body = bytes.ReplaceAll(body, fmt.Appendf(nil, "KEY%d", i+1), []byte(key))
		}
		body = bytes.ReplaceAll(body, []byte("WINDOW"), []byte(seeding.Seal(seedingtest.Key("k1"), "b1", seeding.WindowKey(windowMAC))))
		r := httptest.NewRequest(http.MethodPost, "/callback/b1", bytes.NewReader(body))
		r.Header["Content-Type"], r.Header["Authorization"] = []string{contentType}, []string{"Bearer " + bearer}
		if chunked {
			r.ContentLength = -1
		}
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		handler.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20+8*uint64(len(body)) {
			t.Errorf("%d KB for a body of %d", took>>10, len(body))
		}
		checkStored(t, w, stored, rows)
	})
}

var windowMAC = seeding.RowMAC{1, 2, 3, 4, 5, 6, 7, 8}

// checkStored checks a reply, and that what was stored are rows of the batch.
func checkStored(t *testing.T, w *httptest.ResponseRecorder, stored parts, members []seeding.Row) {
	t.Helper()
	if (w.Code == http.StatusOK) != (len(stored) == 1) || w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge && w.Code != http.StatusUnauthorized {
		t.Fatalf("%d %s with %d parts stored", w.Code, w.Body, len(stored))
	}
	var problem struct {
		Status int
		Detail string
	}
	if w.Code != http.StatusOK && (json.Unmarshal(w.Body.Bytes(), &problem) != nil || problem.Status != w.Code || problem.Detail == "") {
		t.Errorf("no problem: %s", w.Body)
	}
	for _, part := range stored {
		found, err := seeding.UnpackRows(part.Packed)
		if err != nil || len(found) == 0 || len(found) > len(members) {
			t.Fatalf("%d rows, %v", len(found), err)
		}
		seen := map[seeding.Subject]bool{}
		for _, row := range found {
			known := row.Submission != "" && row.Member == seeding.Member{} && row.MAC == windowMAC && row.Fingerprint != seeding.Fingerprint{}
			for _, m := range members {
				known = known || m.Member == row.Member && m.MAC == row.MAC && m.Fingerprint == row.Fingerprint
			}
			if !known || seen[row.Subject] || len(row.Token) > seeding.MostToken+1 || strings.ContainsAny(row.Code, " \n") {
				t.Errorf("a row for nobody, a second one, or a text: %+v", row)
			}
			seen[row.Subject] = true
		}
	}
}

// The public endpoint refuses every hostile request, and none costs much.
func TestHostileCallbacksAreRefused(t *testing.T) {
	const marked = "Xq7marked7qX"
	_, right, _, sealed := endpointOf(&parts{})
	row := fmt.Sprintf(`[%q,"processed","1",null,null]`, sealed[0])
	large := "[" + row + `,"` + marked + strings.Repeat("a", 10<<20) + `"]`
	for name, c := range map[string]struct {
		path, bearer, body string
		headers            http.Header
		chunked            bool
		want               int
	}{
		"10 MB":                      {"", right, large, nil, false, 413},
		"10 MB without a length":     {"", right, large, nil, true, 413},
		"10 MB of somebody else":     {"", "x" + marked, large, nil, true, 413},
		"5 MB of spaces":             {"", right, strings.Repeat(" ", receive.MaxBody), nil, false, 400},
		"10,000 lists":               {"", right, strings.Repeat("[", 10_000) + row + strings.Repeat("]", 10_000), nil, false, 400},
		"9,000 lists":                {"", right, strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000), nil, false, 400},
		"100,000 rows":               {"", right, "[" + strings.Repeat("null,", 100_000) + row + "]", nil, false, 400},
		"UTF-16":                     {"", right, "\xff\xfe[\x00]\x00", nil, false, 400},
		"a byte order mark":          {"", right, "\ufeff[" + row + "]", nil, false, 400},
		"no UTF-8 in a key":          {"", right, "[[\"" + sealed[0] + "\xff\",\"processed\",\"1\",null,null]]", nil, false, 400},
		"gzip":                       {"", right, "\x1f\x8b\x08\x00" + marked, http.Header{"Content-Encoding": {"gzip"}}, false, 400},
		"NUL behind a key":           {"", right, `[["` + sealed[0] + `\u0000","processed","1",null,null]]`, nil, false, 400},
		"half a character for a key": {"", right, `[["\ud83d","processed","1",null,null]]`, nil, false, 400},
		"numbers":                    {"", right, `[1e400,-0,1e-400,` + strings.Repeat("9", 100_000) + `]`, nil, false, 400},
		"an object":                  {"", right, `{"` + marked + `":1}`, nil, false, 400},
		"nothing":                    {"", right, "", nil, false, 400},
		"two answers":                {"", right, "[" + row + "][" + row + "]", nil, false, 400},
		"cut off":                    {"", right, "[" + row, nil, false, 400},
		"no bearer":                  {"", "", "[" + row + "]", nil, false, 401},
		"a long bearer":              {"", right + strings.Repeat("a", 1<<20), "[" + row + "]", nil, false, 401},
		"a bearer that is no text":   {"", "\xff\x00", "[" + row + "]", nil, false, 401},
		"a long batch":               {"/callback/" + strings.Repeat("a", 100_000), right, "[" + row + "]", nil, false, 401},
		"a batch that is no text":    {"/callback/%ff%00", right, "[" + row + "]", nil, false, 401},
		"another path":               {"/callback/b1/x", right, "[" + row + "]", nil, false, 404},
	} {
		t.Run(name, func(t *testing.T) {
			var stored parts
			handler, _, _, _ := endpointOf(&stored)
			if c.path == "" {
				c.path = "/callback/b1"
			}
			r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
			if c.headers != nil {
				r.Header = c.headers
			}
			if c.chunked {
				r.ContentLength = -1
			}
			if c.bearer != "" {
				r.Header["Authorization"] = []string{"Bearer " + c.bearer}
			}
			w := httptest.NewRecorder()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			handler.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			if w.Code != c.want || len(stored) > 0 || w.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(w.Body.String(), marked) {
				t.Errorf("%d, want %d: %v %.300s", w.Code, c.want, w.Header(), w.Body)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
				t.Errorf("%d KB", took>>10)
			}
		})
	}
}
