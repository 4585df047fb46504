package callback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/callback"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/receive"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// answers is an inbox that fails with an error, or takes everything.
type answers struct{ fail error }

func (a answers) PutPart(context.Context, seeding.AnswerPart) error { return a.fail }

// Every error of the endpoint is a problem that says what is wrong, and none
// holds a text of the store.
func TestRepliesOfTheCallback(t *testing.T) {
	key := seedingtest.Key("k1")
	bearer := seeding.Capability(key, seeding.BatchRef{Registry: "r", Connector: "c", Run: "u", Batch: "b1"}, 1, seedingtest.Now.Add(time.Hour))
	row := fmt.Sprintf(`[[%q,"processed","1",null,null]]`, seeding.Seal(key, "b1", "7.9.AAAAAAAAAAAAAAAA"))
	for name, c := range map[string]struct {
		method, path, bearer, body string
		fail                       error
		status                     int
		header                     [2]string
	}{
		"stored":              {"POST", "/callback/b1", "Bearer " + bearer, row, nil, 200, [2]string{}},
		"no row":              {"POST", "/callback/b1", "Bearer " + bearer, "[]", nil, 400, [2]string{}},
		"no capability":       {"POST", "/callback/b1", "", row, nil, 401, [2]string{"WWW-Authenticate", "Bearer"}},
		"another batch":       {"POST", "/callback/b2", "Bearer " + bearer, row, nil, 401, [2]string{"WWW-Authenticate", "Bearer"}},
		"another method":      {"GET", "/callback/b1", "Bearer " + bearer, "", nil, 405, [2]string{"Allow", "POST"}},
		"another path":        {"POST", "/callbacks", "Bearer " + bearer, row, nil, 404, [2]string{}},
		"too large":           {"POST", "/callback/b1", "Bearer " + bearer, strings.Repeat(" ", receive.MaxBody+1), nil, 413, [2]string{}},
		"the store is broken": {"POST", "/callback/b1", "Bearer " + bearer, row, errors.New("text of the store"), 500, [2]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			handler := callback.New(&receive.Inbox{
				CapabilityKeys: seedingtest.Keyring{key}, Answers: answers{c.fail},
				Clock: seedingtest.Clock{Time: seedingtest.Now}, Times: seeding.DefaultTimes(),
			}, slog.New(slog.DiscardHandler))
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			if c.bearer != "" {
				r.Header.Set("Authorization", c.bearer)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != c.status || c.header[0] != "" && w.Header().Get(c.header[0]) != c.header[1] || strings.Contains(w.Body.String(), "text of the store") {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			var reply struct {
				Rows, Status  int
				Title, Detail string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
				t.Fatal(err)
			}
			switch {
			case c.status == http.StatusOK:
				if reply.Rows != 1 || w.Header().Get("Content-Type") != "application/json" {
					t.Errorf("%v %s", w.Header(), w.Body)
				}
			case reply.Status != c.status || reply.Title == "" || reply.Detail == "" || w.Header().Get("Content-Type") != "application/problem+json":
				t.Errorf("%v %s", w.Header(), w.Body)
			}
		})
	}
}
