// Package deployed_test runs the binaries as they are deployed, from template.yaml as
// it is deployed, on an emulator of AWS that enforces each function's own role.
// MTS and the registry are the simulators; everything is asked for through the
// API, with a token of a real issuer.
package deployed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/template"
)

// The waiting times of the protocol, short enough to wait for.
const times = "page_limit=4s,post_base=4s,post_per_record=2ms,answer_wait=1s,poll=50ms," +
	"deadline_base=4s,record_first=2ms,probe_first=500ms,probe_max=2s,patch_work=6s,commit_grace=2s,rejected_again=1h"

var (
	stack   *local.Stack
	paused  sync.RWMutex // held for writing by who must not be ticked
	replies seen         // everything that the API said
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var err error
	if stack, err = local.Start(ctx, local.Options{Times: times}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stack.Stop()
	var ticking sync.WaitGroup
	ticking.Go(func() {
		for ctx.Err() == nil {
			paused.RLock()
			if err := stack.Tick(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "tick:", err)
			}
			paused.RUnlock()
			time.Sleep(200 * time.Millisecond)
		}
	})
	status := m.Run()
	cancel()
	ticking.Wait()
	if status == 0 && flag.Lookup("test.run").Value.String() == "" {
		status = unused()
	}
	return status
}

// unused is 1 if a role may do what no test made its function do.
func unused() int {
	rights, err := template.Rights()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	left, err := stack.UnusedRights(rights)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := 0
	for _, right := range left {
		if !right.UsedByAWSOnly() {
			fmt.Fprintf(os.Stderr, "no run used the right %v: take it away, or test what needs it\n", right)
			status = 1
		}
	}
	return status
}

// seen keeps texts in which something may have leaked.
type seen struct {
	mu    sync.Mutex
	texts []string
}

func (s *seen) add(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, text)
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.texts...)
}

// place is a registry and an MTS of a test's own.
type place struct {
	*testing.T
	registry *odoosim.Server
	seeder   *mtssim.Server
	odooURL  string
	mtsURL   string
	posts    seen         // bodies of POSTs to MTS
	onPost   atomic.Value // func(): called at every POST, before MTS has it
}

func newPlace(t *testing.T, o odoosim.Options) *place {
	p := &place{T: t, registry: odoosim.New(o), seeder: mtssim.New(mtssim.Options{})}
	p.odooURL = serve(t, p.registry)
	p.mtsURL = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost {
			p.posts.add(string(body))
			if f, ok := p.onPost.Load().(func()); ok {
				f()
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/mosiptokenseeder")
		p.seeder.ServeHTTP(w, r)
	}))
	t.Cleanup(p.seeder.Close)
	return p
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// object is JSON.
type object map[string]any

// call asks the API and returns status, headers and the JSON of the reply.
func call(t *testing.T, method, path string, body any, headers ...string) (int, http.Header, object) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	status, header, reply := send(t, method, stack.APIURL()+path, text, append([]string{
		"Authorization", "Bearer " + stack.Token(), "Content-Type", "application/json"}, headers...)...)
	replies.add(reply)
	var o object
	if reply != "" && json.Unmarshal([]byte(reply), &o) != nil {
		t.Fatalf("%s %s: %d %s", method, path, status, reply)
	}
	return status, header, o
}

func send(t *testing.T, method, url string, body []byte, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	reply, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(reply)
}

// configuration is the least that a connector needs.
func (p *place) configuration() object {
	return object{
		"name": "e2e", "mts_url": p.mtsURL,
		"registry": object{"url": p.odooURL, "database": "g2p", "username": "admin", "password": "admin"},
	}
}

// start creates and starts a connector and returns its id; it is stopped at the
// end of the test.
func (p *place) start(change func(object)) string {
	p.Helper()
	c := p.configuration()
	if change != nil {
		change(c)
	}
	status, _, reply := call(p.T, "POST", "/connectors", c)
	if status != http.StatusCreated {
		p.Fatalf("create: %d %v", status, reply)
	}
	id := reply["id"].(string)
	if status, _, reply := call(p.T, "POST", "/connectors/"+id+"/start", nil); status != http.StatusOK {
		p.Fatalf("start: %d %v", status, reply)
	}
	p.Cleanup(func() { call(p.T, "POST", "/connectors/"+id+"/stop", nil) })
	return id
}

// await waits until what is true.
func (p *place) await(what string, is func() bool) {
	p.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if is() {
			return
		}
	}
	p.Fatalf("still not: %s (%+v, MTS %+v)", what, p.registry.State(), p.seeder.Counters())
}

// vidsLeft counts VIDs.
func (p *place) vidsLeft() int { return p.registry.State().VIDs }

func (p *place) problems(id string) object {
	p.Helper()
	_, _, reply := call(p.T, "GET", "/connectors/"+id, nil)
	problems, _ := reply["problems"].(map[string]any)
	return problems
}

// runOver tells whether the newest run is completed and nothing of it is open.
func (p *place) runOver(id string) bool {
	p.Helper()
	_, _, reply := call(p.T, "GET", "/connectors/"+id+"/runs?limit=1", nil)
	runs, _ := reply["runs"].([]any)
	if len(runs) == 0 {
		return false
	}
	run := runs[0].(map[string]any)
	return run["state"] == "completed" && run["open_batches"].(float64) == 0
}

// rejections reads all pages.
func (p *place) rejections(id string) (all []map[string]any) {
	p.Helper()
	query := "?limit=7"
	for {
		status, _, reply := call(p.T, "GET", "/connectors/"+id+"/rejections"+query, nil)
		if status != http.StatusOK {
			p.Fatalf("rejections: %d %v", status, reply)
		}
		for _, r := range reply["rejections"].([]any) {
			all = append(all, r.(map[string]any))
		}
		next, more := reply["next"].(string)
		if !more {
			return all
		}
		query = "?limit=7&cursor=" + next
	}
}

// plain adds registrants that should all get a token.
func (p *place) plain(n int) (ids []int64) {
	for i := range n {
		id := p.registry.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: fmt.Sprintf("Doe %d", i), Gender: "Female",
			Birthdate: "1990-02-03", Address: fmt.Sprintf("%d Long Street", i),
		})
		p.registry.AddIdentifier(odoosim.Identifier{
			Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(int64(4000+i), 1, odoosim.Normal)})
		ids = append(ids, id)
	}
	return ids
}

// clean checks that everybody has one token, its own, and nobody was sent twice
// after success more often than most times.
func (p *place) clean(vids map[int64]string, most int) {
	p.Helper()
	for id, identifiers := range p.registry.Snapshot() {
		var tokens []string
		for _, i := range identifiers {
			if i.Type == odoosim.TokenType {
				tokens = append(tokens, i.Value)
			}
		}
		if vids[id] != "" && (len(tokens) != 1 || tokens[0] != mtssim.Token(vids[id])) {
			p.Errorf("registrant %d holds %d tokens, or not its own", id, len(tokens))
		}
	}
	for vid, times := range p.seeder.TokensGiven() {
		if times > most {
			p.Errorf("the VID ending in %s was tokenised %d times", vid[12:], times)
		}
	}
}

func (p *place) vids() map[int64]string {
	vids := map[int64]string{}
	for id, identifiers := range p.registry.Snapshot() {
		for _, i := range identifiers {
			if i.Type == odoosim.VIDType {
				vids[id] = i.Value
			}
		}
	}
	return vids
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
