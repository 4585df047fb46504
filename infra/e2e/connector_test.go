package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/shared/seeding"
)

// transcript records every reply of the API that a test has received.
var transcript = &recording{}

type recording struct {
	mu      sync.Mutex
	replies [][]byte
}

// RoundTrip implements http.RoundTripper.
func (r *recording) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	r.add(text)
	for _, values := range response.Header {
		r.add([]byte(strings.Join(values, " ")))
	}
	return response, nil
}

func (r *recording) add(text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replies = append(r.replies, text)
}

func (r *recording) all() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.replies)
}

// reply is a reply of the API.
type reply struct{ deployed.Reply }

// send makes a request to the stack without a token. A header is "Name: value".
func send(t testing.TB, method, path string, body []byte, headers ...string) reply {
	t.Helper()
	got, err := stack.API.Send(context.WithoutCancel(t.Context()), method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return reply{got}
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
	got, err := stack.API.Ask(context.WithoutCancel(t.Context()), method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return reply{got}
}

// into decodes a reply, which must have this status.
func (r reply) into(t testing.TB, status int, v any) {
	t.Helper()
	if r.Status != status {
		t.Fatalf("%d %s, want %d", r.Status, r.Body, status)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
}

// connector is a connector that was created through the API.
type connector struct {
	*world
	id  string
	key string // of its registry in the tables
	api *deployed.Connector
}

// body is what a user sends to create a connector; change alters it.
func (w *world) body(change ...func(body map[string]any)) map[string]any {
	body := deployed.Configuration(w.Name(), w.mtsURL, w.registryURL, w.database, w.password)
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
	made, err := stack.API.Create(w.Context(), body)
	if err != nil {
		w.Fatal(err)
	}
	registry := body["registry"].(map[string]any)
	c := &connector{
		world: w, id: made.ID, api: made,
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

func (c *connector) path(below string) string { return c.api.Path(below) }

func (c *connector) start() { c.Helper(); c.must(c.api.Start(c.ctx())) }

func (c *connector) stop() { c.Helper(); c.must(c.api.Stop(c.ctx())) }

func (c *connector) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *connector) document() deployed.ConnectorDocument {
	c.Helper()
	d, err := c.api.Document(c.ctx())
	c.must(err)
	return d
}

// pages reads all pages of a list of the connector, of at most limit entries each.
func pages[T any](c *connector, below, name string, limit int) []T {
	c.Helper()
	all, err := deployed.Pages[T](c.ctx(), stack.API, c.path(below), name, limit)
	c.must(err)
	return all
}

func (c *connector) runs() []deployed.RunDocument {
	c.Helper()
	runs, err := c.api.Runs(c.ctx())
	c.must(err)
	return runs
}

func (c *connector) batches(run string) []deployed.BatchDocument {
	c.Helper()
	batches, err := c.api.Batches(c.ctx(), run)
	c.must(err)
	return batches
}

func (c *connector) rejections() []deployed.RejectionDocument {
	c.Helper()
	rejections, err := c.api.Rejections(c.ctx())
	c.must(err)
	return rejections
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

// idle reports whether nothing is under way: no run, no batch, no answer, and no
// submitter.
func (c *connector) idle() bool {
	c.Helper()
	underWay, err := stack.UnderWay(c.ctx(), c.id, c.key)
	c.must(err)
	return len(underWay) == 0 && !c.state().Lease.Live(time.Now())
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
		err := store.LeaveRun(c.ctx(), c.id, state.Lease.Fence, time.Now(), time.Now(), time.Time{})
		if err != nil && !errors.Is(err, seeding.ErrConflict) { // a tick was faster
			c.Fatal(err)
		}
		return err == nil
	})
}

// waitForProblem waits until the connector has a problem, and checks that the API
// shows its text, its remedy and its time.
func (c *connector) waitForProblem(source seeding.Source) deployed.ProblemDocument {
	c.Helper()
	c.until("problem "+string(source), func() bool { _, exists := c.state().Problems[source]; return exists })
	p, shown := c.document().Problems[string(source)]
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
func byKind(list []deployed.RejectionDocument) map[string]int {
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
