package deployed_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// deliveries are address and capability of every POST that MTS got.
func (p *place) deliveries() (urls, bearers []string) {
	for _, body := range p.posts.all() {
		var request struct {
			Request struct {
				CallbackProperties struct {
					URL              string `json:"url"`
					AuthStaticBearer struct {
						Token string `json:"token"`
					} `json:"authStaticBearer"`
				} `json:"callbackProperties"`
			} `json:"request"`
		}
		if err := json.Unmarshal([]byte(body), &request); err == nil {
			urls = append(urls, request.Request.CallbackProperties.URL)
			bearers = append(bearers, request.Request.CallbackProperties.AuthStaticBearer.Token)
		}
	}
	return urls, bearers
}

func answers(t *testing.T) int {
	t.Helper()
	out, err := stack.DynamoDB().Scan(t.Context(), &dynamodb.ScanInput{
		TableName: aws.String(stack.Output("AnswersTable")), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Items)
}

// The public door lets nobody in without the capability of the very batch.
func TestCallbackDoor(t *testing.T) {
	p := newPlace(t, odoosim.Options{})
	p.plain(70) // two batches at least
	vids := p.vids()
	p.seeder.SetFaults(mtssim.Faults{Copies: 10, Parallel: true})
	id := p.start(nil)
	p.await("all VIDs gone", func() bool { return p.vidsLeft() == 0 && p.runOver(id) })
	p.clean(vids, 1)

	urls, bearers := p.deliveries()
	if len(urls) < 2 {
		t.Fatalf("%d batches", len(urls))
	}
	paused.Lock()
	defer paused.Unlock()
	stored := answers(t)
	forged := bearers[0][:len(bearers[0])-3] + "AAA"
	row := `[["7.9.AAAAAAAAAAAAAAAA","processed","123",null,null]]`
	for name, c := range map[string]struct {
		url, authorization, body string
		want                     int
	}{
		"without a capability":             {urls[0], "", row, http.StatusUnauthorized},
		"with another kind of credentials": {urls[0], "Basic QTpC", row, http.StatusUnauthorized},
		"with a wrong one":                 {urls[0], "Bearer " + forged, row, http.StatusUnauthorized},
		"with that of another batch":       {urls[0], "Bearer " + bearers[1], row, http.StatusUnauthorized},
		"with a token of the API":          {urls[0], "Bearer " + stack.Token(), row, http.StatusUnauthorized},
		"an unknown batch":                 {strings.TrimSuffix(urls[0], urls[0][len(urls[0])-4:]) + "zzzz", "Bearer " + bearers[0], row, http.StatusUnauthorized},
		"not JSON":                         {urls[0], "Bearer " + bearers[0], "pong", http.StatusBadRequest},
		"empty":                            {urls[0], "Bearer " + bearers[0], "", http.StatusBadRequest},
		"no rows":                          {urls[0], "Bearer " + bearers[0], "[null, 1, {}]", http.StatusBadRequest},
		"5 MB of nothing":                  {urls[0], "Bearer " + bearers[0], "[" + strings.Repeat(" ", 5<<20-2) + "]", http.StatusBadRequest},
		"more than 5 MB":                   {urls[0], "Bearer " + bearers[0], "[" + strings.Repeat(" ", 5<<20) + "]", http.StatusRequestEntityTooLarge},
	} {
		status, _, reply := send(t, "POST", c.url, []byte(c.body), "Authorization", c.authorization)
		if status != c.want {
			t.Errorf("%s: %d %s, want %d", name, status, reply, c.want)
		}
	}
	expect(t, "answers stored", answers(t), stored)

	// A row that nobody signed is taken, and fits nobody.
	ids := p.plain(1)
	status, _, _ := send(t, "POST", urls[0], []byte(strings.ReplaceAll(row, "7.9.", "1.2.")), "Authorization", "Bearer "+bearers[0])
	expect(t, "status", status, http.StatusOK)
	p.await("the forged row is worked off", func() bool { return answers(t) == stored })
	for _, i := range p.registry.Identifiers(ids[0]) {
		expect(t, "type of the identifier", i.Type, odoosim.VIDType)
	}
}

func TestConnectorsAPI(t *testing.T) {
	t.Parallel()
	p := newPlace(t, odoosim.Options{})
	p.plain(5)

	status, _, _ := send(t, "GET", stack.APIURL()+"/connectors", nil)
	expect(t, "without a token", status, http.StatusUnauthorized)
	status, _, _ = send(t, "GET", stack.APIURL()+"/connectors", nil, "Authorization", "Bearer x.y.z")
	expect(t, "with nonsense", status, http.StatusUnauthorized)

	// Every wrong field has its own error, all in one reply.
	wrong := p.configuration()
	wrong["name"], wrong["interval_minutes"], wrong["domain"], wrong["colour"] = "", 0, `[["a","~",1]]`, "red"
	wrong["mapping"] = object{"vid": "my-vid"}
	wrong["callback"] = object{"url": "http://example.org"}
	wrong["output_format"], wrong["job_type"], wrong["input_type"] = ".output", "onetime", "odk"
	status, header, reply := call(t, "POST", "/connectors", wrong)
	expect(t, "wrong fields", status, http.StatusUnprocessableEntity)
	expect(t, "content type", header.Get("Content-Type"), "application/problem+json")
	var pointers []string
	list, _ := reply["errors"].([]any)
	for _, e := range list {
		pointers = append(pointers, e.(map[string]any)["pointer"].(string))
	}
	for _, want := range []string{"/name", "/interval_minutes", "/domain", "/colour", "/mapping/vid", "/callback/url",
		"/output_format", "/job_type", "/input_type"} {
		if !slices.Contains(pointers, want) {
			t.Errorf("no error for %s among %v", want, pointers)
		}
	}

	status, header, created := call(t, "POST", "/connectors", p.configuration())
	expect(t, "created", status, http.StatusCreated)
	path := "/connectors/" + created["id"].(string)
	registry := created["registry"].(map[string]any)
	expect(t, "password in the reply", registry["password"], nil)
	expect(t, "password is set", registry["password_set"], any(true))

	// Another host asks for the password again, or it could be sent there.
	moved := p.configuration()
	delete(moved["registry"].(object), "password")
	moved["registry"].(object)["url"] = "http://127.0.0.1:1"
	status, _, reply = call(t, "PUT", path, moved, "If-Match", header.Get("ETag"))
	expect(t, "moved without the password", status, http.StatusUnprocessableEntity)
	if text, _ := json.Marshal(reply); !strings.Contains(string(text), "/registry/password") {
		t.Errorf("%s", text)
	}
	status, header, _ = call(t, "PUT", path, p.configuration(), "If-Match", header.Get("ETag")) // with the password anew
	expect(t, "replaced with the password", status, http.StatusOK)
	renamed := p.configuration()
	delete(renamed["registry"].(object), "password")
	renamed["name"] = "Renamed"
	status, _, _ = call(t, "PUT", path, renamed)
	expect(t, "without If-Match", status, http.StatusPreconditionRequired)
	status, _, _ = call(t, "PUT", path, renamed, "If-Match", header.Get("ETag"))
	expect(t, "renamed", status, http.StatusOK)
	status, _, _ = call(t, "PUT", path, renamed, "If-Match", `"1"`)
	expect(t, "with an old ETag", status, http.StatusPreconditionFailed)

	// Started it works; stopped it makes no new batches; with an open batch it
	// cannot be deleted.
	p.seeder.SetFaults(mtssim.Faults{LoseNext: -1})
	status, _, _ = call(t, "POST", path+"/start", nil)
	expect(t, "started", status, http.StatusOK)
	p.await("a batch is open", func() bool { return p.seeder.Counters().CallbacksLost > 0 })
	_, header, _ = call(t, "GET", path, nil)
	status, _, _ = call(t, "DELETE", path, nil, "If-Match", header.Get("ETag"))
	expect(t, "deleted with an open batch", status, http.StatusConflict)
	status, _, _ = call(t, "POST", path+"/stop", nil)
	expect(t, "stopped", status, http.StatusOK)
	p.await("its batches are closed", func() bool { return p.runOver(created["id"].(string)) })
	posts := p.seeder.Counters().Posts
	for range 3 {
		if err := stack.Tick(t.Context()); err != nil {
			t.Error(err)
		}
	}
	expect(t, "POSTs of a stopped connector", p.seeder.Counters().Posts, posts)
	p.seeder.SetFaults(mtssim.Faults{})
	call(t, "POST", path+"/start", nil)
	p.await("all VIDs gone", func() bool { return p.vidsLeft() == 0 && p.runOver(created["id"].(string)) })
	_, _, runs := call(t, "GET", path+"/runs", nil)
	if n := len(runs["runs"].([]any)); n != 2 {
		t.Errorf("%d runs", n)
	}
	run := runs["runs"].([]any)[0].(map[string]any)["id"].(string)
	_, _, batches := call(t, "GET", path+"/runs/"+run+"/batches", nil)
	if n := len(batches["batches"].([]any)); n == 0 {
		t.Error("a run without batches")
	}
	status, _, _ = call(t, "DELETE", path, nil, "If-Match", header.Get("ETag"))
	expect(t, "deleted", status, http.StatusNoContent)
	status, _, _ = call(t, "GET", path, nil)
	expect(t, "after that", status, http.StatusNotFound)
}
