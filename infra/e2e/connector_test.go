package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// transcript contains every reply of the API that a test has received.
var transcript struct {
	sync.Mutex
	replies [][]byte
}

// reply is a reply of the API.
type reply struct {
	status int
	header http.Header
	body   []byte
}

var web = &http.Client{Timeout: time.Minute}

// send makes a request to the stack. A header is "Name: value".
func send(t testing.TB, method, path string, body []byte, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequest(method, stack.APIURL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	response, err := web.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	transcript.Lock()
	defer transcript.Unlock()
	transcript.replies = append(transcript.replies, text)
	for _, values := range response.Header {
		transcript.replies = append(transcript.replies, []byte(strings.Join(values, " ")))
	}
	return reply{response.StatusCode, response.Header, text}
}

var token = sync.OnceValue(func() string {
	token := stack.Token()
	forbiddenTexts.add("token of the API", token)
	return token
})

// call makes a request to the API with a valid token; body is encoded as JSON
// unless it is nil.
func call(t testing.TB, method, path string, body any, headers ...string) reply {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
		headers = append(headers, "Content-Type: application/json")
	}
	return send(t, method, path, text, append(headers, "Authorization: Bearer "+token())...)
}

// into decodes a reply, which must have this status.
func (r reply) into(t testing.TB, status int, v any) {
	t.Helper()
	if r.status != status {
		t.Fatalf("%d %s, want %d", r.status, r.body, status)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
}

// The parts of the API's replies that the tests read.
type (
	connectorView struct {
		ID       string             `json:"id"`
		Version  int                `json:"version"`
		Status   string             `json:"status"`
		Run      string             `json:"run"`
		Problems map[string]problem `json:"problems"`
	}
	problem struct {
		Text   string    `json:"text"`
		Remedy string    `json:"remedy"`
		Since  time.Time `json:"since"`
	}
	tally struct {
		Looked  int `json:"looked"`
		Invalid int `json:"invalid"`
		Removed int `json:"removed"`
	}
	totals struct {
		Sent      int `json:"sent"`
		Tokenised int `json:"tokenised"`
		Refused   int `json:"refused"`
		Duplicate int `json:"duplicate"`
		Conflict  int `json:"conflict"`
		NoToken   int `json:"no_token"`
		Pending   int `json:"pending"`
	}
	runView struct {
		ID          string `json:"id"`
		State       string `json:"state"`
		Passes      int    `json:"passes"`
		Tally       tally  `json:"tally"`
		Totals      totals `json:"totals"`
		OpenBatches int    `json:"open_batches"`
	}
	batchView struct {
		ID     string `json:"id"`
		State  string `json:"state"`
		Count  int    `json:"count"`
		Totals totals `json:"totals"`
	}
	rejectionView struct {
		Identifier int64  `json:"identifier"`
		Registrant int64  `json:"registrant"`
		Kind       string `json:"kind"`
		Code       string `json:"code"`
		Reason     string `json:"reason"`
		Attempts   int    `json:"attempts"`
		Holder     int64  `json:"holder"`
	}
)

// connector is a connector that was created through the API.
type connector struct {
	*world
	id  string
	key string // of its registry in the tables
}

// body is what a user sends to create a connector; change alters it.
func (w *world) body(change ...func(body map[string]any)) map[string]any {
	body := map[string]any{
		"name": w.Name(), "mts_url": w.mtsURL,
		"registry": map[string]any{"url": w.registryURL, "database": w.database, "username": "admin", "password": w.password},
	}
	for _, f := range change {
		f(body)
	}
	return body
}

func with(name string, value any) func(map[string]any) {
	return func(body map[string]any) { body[name] = value }
}

func withRegistry(name string, value any) func(map[string]any) {
	return func(body map[string]any) { body["registry"].(map[string]any)[name] = value }
}

// create creates a connector, which is stopped at first.
func (w *world) create(change ...func(map[string]any)) *connector {
	w.Helper()
	body := w.body(change...)
	var made connectorView
	call(w, "POST", "/connectors", body).into(w, http.StatusCreated, &made)
	registry := body["registry"].(map[string]any)
	c := &connector{
		world: w, id: made.ID,
		key: seeding.RegistryKey(strings.TrimRight(registry["url"].(string), "/"), registry["database"].(string)),
	}
	w.Cleanup(c.cleanUp)
	return c
}

// cleanUp stops the connector before its servers end, so that no function waits for
// them, and logs its state if the test failed.
func (c *connector) cleanUp() {
	if c.Failed() {
		c.logState()
	}
	call(c, "POST", c.path("/stop"), nil)
	within(15*time.Second, func() bool {
		state, err := store.State(c.ctx(), c.id)
		return err != nil || state.Run == "" // an error: it was deleted
	})
}

// createStarted creates a connector and starts it.
func (w *world) createStarted(change ...func(map[string]any)) *connector {
	w.Helper()
	c := w.create(change...)
	c.start()
	return c
}

func (c *connector) path(below string) string { return "/connectors/" + c.id + below }

func (c *connector) start() {
	c.Helper()
	call(c, "POST", c.path("/start"), nil).into(c, http.StatusOK, nil)
}

func (c *connector) stop() {
	c.Helper()
	call(c, "POST", c.path("/stop"), nil).into(c, http.StatusOK, nil)
}

func (c *connector) view() (v connectorView) {
	c.Helper()
	call(c, "GET", c.path(""), nil).into(c, http.StatusOK, &v)
	return v
}

// pages reads all pages of a list of the connector, of at most limit entries each.
func pages[T any](c *connector, below, name string, limit int) (all []T) {
	c.Helper()
	query := url.Values{"limit": {fmt.Sprint(limit)}}
	for {
		var page map[string]json.RawMessage
		call(c, "GET", c.path(below)+"?"+query.Encode(), nil).into(c, http.StatusOK, &page)
		var list []T
		if err := json.Unmarshal(page[name], &list); err != nil {
			c.Fatalf("%s: %v", below, err)
		}
		if len(list) > limit || len(list) == 0 && len(page["next"]) > 0 {
			c.Errorf("%s: a page of %d entries, of at most %d", below, len(list), limit)
		}
		all = append(all, list...)
		if len(page["next"]) == 0 {
			return all
		}
		var next string
		if err := json.Unmarshal(page["next"], &next); err != nil || next == "" {
			c.Fatalf("%s: next is %s", below, page["next"])
		}
		query.Set("cursor", next)
	}
}

func (c *connector) runs() []runView { c.Helper(); return pages[runView](c, "/runs", "runs", 50) }

func (c *connector) batches(run string) []batchView {
	c.Helper()
	return pages[batchView](c, "/runs/"+run+"/batches", "batches", 100)
}

func (c *connector) rejections() []rejectionView {
	c.Helper()
	return pages[rejectionView](c, "/rejections", "rejections", 200)
}

// ctx outlives the test, because connectors are stopped in its clean-up.
func (c *connector) ctx() context.Context { return context.WithoutCancel(c.Context()) }

// state is the stored state of the connector.
func (c *connector) state() seeding.State {
	c.Helper()
	state, err := store.State(c.ctx(), c.id)
	if err != nil {
		c.Fatal(err)
	}
	return state
}

// idle reports whether nothing is under way: no run, no batch, no answer.
func (c *connector) idle() bool {
	c.Helper()
	if state := c.state(); state.Run != "" || state.Lease.Live(time.Now()) {
		return false
	}
	open, err := store.OpenBatches(c.ctx(), c.key)
	if err != nil {
		c.Fatal(err)
	}
	answers, err := answersOf(c.ctx(), c.key)
	if err != nil {
		c.Fatal(err)
	}
	return len(open) == 0 && len(answers) == 0
}

// waitForRuns waits until n runs are complete and nothing is under way.
func (c *connector) waitForRuns(n int) {
	c.Helper()
	if !within(patience, func() bool {
		list, _, err := store.ListRuns(c.ctx(), c.id, "", n)
		if err != nil {
			c.Fatal(err)
		}
		return len(list) == n && c.idle()
	}) {
		c.Fatalf("%d runs are not complete", n)
	}
}

// makeDue makes the connector's next run due now.
func (c *connector) makeDue() {
	c.Helper()
	c.until("the connector is idle", func() bool {
		state := c.state()
		if state.Lease.Live(time.Now()) {
			return false
		}
		err := store.LeaveRun(c.ctx(), c.id, state.Lease.Fence, time.Now(), time.Time{})
		if err != nil && !errors.Is(err, seeding.ErrConflict) { // a tick was faster
			c.Fatal(err)
		}
		return err == nil
	})
}

// waitForProblem waits until the connector has a problem, and checks that the API
// shows its text, its remedy and its time.
func (c *connector) waitForProblem(source seeding.Source) problem {
	c.Helper()
	c.until("problem "+string(source), func() bool { _, exists := c.state().Problems[source]; return exists })
	p, shown := c.view().Problems[string(source)]
	if !shown || p.Text == "" || p.Remedy == "" || p.Since.IsZero() {
		c.Errorf("problem %s is shown as %+v", source, p)
	}
	return p
}

// waitForNoProblem waits until the connector has no problem.
func (c *connector) waitForNoProblem() {
	c.Helper()
	c.until("the connector has no problem", func() bool { return len(c.state().Problems) == 0 })
}

// byKind counts rejections by kind and code.
func byKind(list []rejectionView) map[string]int {
	n := map[string]int{}
	for _, r := range list {
		n[r.Kind+" "+r.Code]++
	}
	return n
}

// logState logs the state, the runs and the latest log lines of the connector.
func (c *connector) logState() {
	state, err := store.State(c.ctx(), c.id)
	if err != nil {
		return // deleted
	}
	c.Logf("connector %s: %s, run %q, due in %v, lease live %v, problems %v", c.id, state.Status, state.Run,
		time.Until(state.Due).Round(time.Millisecond), state.Lease.Live(time.Now()), slices.Collect(maps.Keys(state.Problems)))
	for _, r := range c.runs() {
		c.Logf("run %s: %+v, batches %+v", r.ID, r, c.batches(r.ID))
	}
	lines, err := stack.Logs(c.ctx())
	if err != nil {
		return
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, c.id) && !strings.Contains(line, c.key) })
	c.Logf("log:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
}
