package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
)

func TestTheAPIRequiresAToken(t *testing.T) {
	t.Parallel()
	claims := func(change string, value any) map[string]any {
		c := map[string]any{"iss": stack.Issuer().Address(), "aud": local.Audience, "sub": "e2e", "exp": time.Now().Add(time.Hour).Unix()}
		c[change] = value
		return c
	}
	tokens := map[string]string{
		"none":           "",
		"a word":         "Bearer word",
		"expired":        "Bearer " + stack.Issuer().Sign(claims("exp", time.Now().Add(-time.Minute).Unix())),
		"other audience": "Bearer " + stack.Issuer().Sign(claims("aud", "others")),
		"other issuer":   "Bearer " + stack.Issuer().Sign(claims("iss", "http://127.0.0.1:9")),
	}
	for _, path := range []string{"/connectors", "/connectors/x", "/connectors/x/start", "/connectors/x/rejections"} {
		for name, token := range tokens {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
				var headers []string
				if token != "" {
					headers = []string{"Authorization: " + token}
				}
				if got := send(t, method, path, []byte("{}"), headers...); got.Status != http.StatusUnauthorized {
					t.Errorf("%s %s with token %s: %d %s", method, path, name, got.Status, got.Body)
				}
			}
		}
	}
	// A token from the issuer's token endpoint, as a program gets it, is accepted.
	id, secret := stack.Issuer().Client()
	response, err := web.PostForm(stack.Issuer().Address()+"/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var given struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&given); err != nil {
		t.Fatal(err)
	}
	forbiddenTexts.add("token of the API", given.Token)
	expect(t, "status with a valid token", send(t, "GET", "/connectors", nil, "Authorization: Bearer "+given.Token).Status, http.StatusOK)
}

// Each role may what the document says, from the claims of a real token on.
func TestRolesOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.create()
	claims := map[string]any{
		"iss": stack.Issuer().Address(), "aud": local.Audience, "sub": "e2e", "exp": time.Now().Add(time.Hour).Unix(),
		"realm_access": map[string]any{"roles": []string{"administrator"}}, "nonce": "n-0S6_WzA2Mj",
	}
	tokens := map[string]string{
		"no role": stack.Issuer().Token("e2e", nil), "viewer": stack.TokenOf("viewer"), "operator": stack.TokenOf("operator"),
		"administrator": stack.TokenOf("administrator"), "ID": stack.Issuer().Sign(claims),
	}
	for name, token := range tokens {
		forbiddenTexts.add("token of "+name, token)
	}
	forbidden, allowed := http.StatusForbidden, http.StatusOK
	for _, call := range []struct {
		method, path, body string
		want               map[string]int
	}{
		{"GET", "/me", "", map[string]int{"no role": allowed, "viewer": allowed, "operator": allowed, "administrator": allowed, "ID": 401}},
		{"GET", c.path(""), "", map[string]int{"no role": forbidden, "viewer": allowed, "operator": allowed, "administrator": allowed, "ID": 401}},
		{"POST", c.path("/stop"), "", map[string]int{"no role": forbidden, "viewer": forbidden, "operator": allowed, "administrator": allowed, "ID": 401}},
		{"POST", c.path("/rejections/retry"), "{}", map[string]int{"no role": forbidden, "viewer": forbidden, "operator": 202, "administrator": 202, "ID": 401}},
		{"PUT", c.path(""), "{}", map[string]int{"no role": forbidden, "viewer": forbidden, "operator": forbidden, "administrator": 428, "ID": 401}},
		{"DELETE", c.path(""), "", map[string]int{"no role": forbidden, "viewer": forbidden, "operator": forbidden, "administrator": 428, "ID": 401}},
		{"POST", "/connectors", "{}", map[string]int{"no role": forbidden, "viewer": forbidden, "operator": forbidden, "administrator": 422, "ID": 401}},
		{"GET", "/openapi.json", "", map[string]int{"no role": allowed}},
	} {
		for role, want := range call.want {
			got := send(t, call.method, call.path, []byte(call.body), "Authorization: Bearer "+tokens[role], "Content-Type: application/json")
			if got.Status != want {
				t.Errorf("%s %s by %s: %d %s, want %d", call.method, call.path, role, got.Status, got.Body, want)
			}
		}
	}
	// The document needs no token at all.
	expect(t, "status of the document", send(t, "GET", "/openapi.json", nil).Status, http.StatusOK)
}

// One reply names every wrong field with its place.
func TestOneReplyNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	got := call(t, "POST", "/connectors", map[string]any{
		"name": "", "mts_url": "ftp://mts", "input_type": "csv", "output_type": "csv", "output_format": "{unclosed",
		"delivery_type": "download", "job_type": "sometimes", "language": "english", "interval_minutes": 0,
		"batch_maximum": "many", "remove_vids": "yes", "fields": []any{"id", "id", "no field", 7},
		"domain":           `[["reg_ids.nothing","~~",1]]`,
		"mandatory_fields": []string{"name", "shoe_size"},
		"mapping":          map[string]any{"gender": "[unclosed", "name": []string{"given_name", "a |"}},
		"callback":         map[string]any{"url": "elsewhere", "http_method": "DELETE", "auth_type": "digest", "timeout_seconds": 0},
		"registry":         map[string]any{"url": "odoo", "database": 5, "vid_type": "A", "token_type": "A", "password": w.password},
		"colour":           "blue",
	})
	expect(t, "content type", got.Header.Get("Content-Type"), "application/problem+json")
	var problem struct {
		Errors []struct{ Pointer, Detail string } `json:"errors"`
	}
	got.into(t, http.StatusUnprocessableEntity, &problem)
	var pointers []string
	for _, e := range problem.Errors {
		pointers = append(pointers, e.Pointer)
		if e.Detail == "" {
			t.Errorf("%s: no detail", e.Pointer)
		}
	}
	for _, want := range []string{
		"/name", "/mts_url", "/input_type", "/output_type", "/output_format", "/delivery_type", "/job_type", "/language",
		"/interval_minutes", "/batch_maximum", "/remove_vids", "/fields/1", "/fields/2", "/fields/3", "/domain", "/mandatory_fields/1",
		"/mapping/gender", "/mapping/name/1", "/callback/url", "/callback/http_method", "/callback/auth_type", "/callback/timeout_seconds",
		"/registry/url", "/registry/database", "/registry/username", "/registry/token_type", "/colour",
	} {
		if !slices.Contains(pointers, want) {
			t.Errorf("%s is not named; named are %v", want, pointers)
		}
	}
	if text := string(got.Body); strings.Contains(text, w.password) {
		t.Error("the reply contains the password")
	}
}

// The API never shows the password, and uses it for its host only.
func TestThePasswordBelongsToItsHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	c := w.create()
	var shown map[string]any
	read := func() (etag string) {
		t.Helper()
		got := call(t, "GET", c.path(""), nil)
		shown = nil
		got.into(t, http.StatusOK, &shown)
		return got.Header.Get("ETag")
	}
	etag := read()
	registry := shown["registry"].(map[string]any)
	if _, shown := registry["password"]; shown || registry["password_set"] != true {
		t.Errorf("registry is shown as %v", registry)
	}

	// A configuration may be sent back as it was read.
	shown["name"] = "renamed"
	expect(t, "status without the ETag", call(t, "PUT", c.path(""), shown).Status, http.StatusPreconditionRequired)
	call(t, "PUT", c.path(""), shown, "If-Match: "+etag).into(t, http.StatusOK, nil)
	expect(t, "status with an old ETag", call(t, "PUT", c.path(""), shown, "If-Match: "+etag).Status, http.StatusPreconditionFailed)

	// Another host must not receive the password of this one.
	etag = read()
	moved := newWorld(t, options{hosts: [2]string{"127.0.0.9", ""}})
	shown["registry"].(map[string]any)["url"] = moved.registryURL
	var problem struct {
		Errors []struct{ Pointer string } `json:"errors"`
	}
	call(t, "PUT", c.path(""), shown, "If-Match: "+etag).into(t, http.StatusUnprocessableEntity, &problem)
	if len(problem.Errors) != 1 || problem.Errors[0].Pointer != "/registry/password" {
		t.Errorf("named are %v", problem.Errors)
	}
	c.start()
	c.waitForRuns(1)
	w.checkTokenised(ids)
	expect(t, "requests to the other host", moved.registry.State().Requests, 0)

	// With its own password the new host is used, from now on.
	etag = read()
	registry = shown["registry"].(map[string]any)
	registry["url"], registry["password"] = moved.registryURL, moved.password
	others := moved.addRegistrants(20)
	call(t, "PUT", c.path(""), shown, "If-Match: "+etag).into(t, http.StatusOK, nil)
	moved.until("the new registry is processed", func() bool { return moved.registry.State().VIDs == 0 && c.idle() })
	moved.checkTokenised(others)

	call(t, "POST", c.path("/stop"), nil).into(t, http.StatusOK, nil)
	w.until("the connector is idle", c.idle)
	etag = read()
	call(t, "DELETE", c.path(""), nil, "If-Match: "+etag).into(t, http.StatusNoContent, nil)
	expect(t, "status after the deletion", call(t, "GET", c.path(""), nil).Status, http.StatusNotFound)
}

// A stopped connector makes no new batches, but its open batches are patched; a
// connector with open batches cannot be deleted; a started one continues.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	ids := w.addRegistrants(200)
	c := w.create(with("batch_maximum", 10))
	releaseLease := c.holdPatchLease() // an answered batch stays open until it is patched
	c.start()
	w.until("an answer is stored", func() bool { return c.answerParts() > 0 })
	c.stop()
	etag := call(t, "GET", c.path(""), nil).Header.Get("ETag")
	w.until("the submitter is idle", func() bool { return !c.state().Lease.Live(time.Now()) })
	got := call(t, "DELETE", c.path(""), nil, "If-Match: "+etag)
	expect(t, "status of a deletion while a batch is open", got.Status, http.StatusConflict)
	posts := w.recorder.all()
	w.ticks(5)
	expect(t, "batches since it was stopped", len(w.recorder.all()), len(posts))
	expect(t, "tokens before the patch", w.tokenised(), 0)

	releaseLease()
	w.until("the answers are patched", c.idle)
	sent := 0
	for _, p := range posts {
		sent += len(p.Records)
	}
	expect(t, "tokenised while it is stopped", w.tokenised(), sent)
	w.ticks(5)
	expect(t, "batches since it was stopped", len(w.recorder.all()), len(posts))
	expect(t, "status", c.document().Status, "stopped")

	c.start()
	c.until("everybody is tokenised", func() bool { return w.registry.State().VIDs == 0 && c.idle() })
	w.checkTokenised(ids)
	w.checkSentOnce()

	// What the API shows of it, in pages of one entry.
	runs := pages[deployed.RunDocument](c, "/runs", "runs", 1)
	expect(t, "runs", len(runs), 2)
	total := 0
	for _, run := range runs {
		batches := pages[deployed.BatchDocument](c, "/runs/"+run.ID+"/batches", "batches", 1)
		of := 0
		for _, b := range batches {
			expect(t, "state of a batch", b.State, "patched")
			expect(t, "tokenised of a batch", b.Totals.Tokenised, b.Count)
			of += b.Count
		}
		expect(t, "sent", run.Totals.Sent, of)
		expect(t, "state", run.State, "completed")
		expect(t, "open batches", run.OpenBatches, 0)
		var alone deployed.RunDocument
		call(t, "GET", c.path("/runs/"+run.ID), nil).into(t, http.StatusOK, &alone)
		expect(t, "a run alone", alone, run)
		total += of
	}
	expect(t, "sent in all runs", total, len(ids))
	if !slices.ContainsFunc(listed(t), func(v deployed.ConnectorDocument) bool { return v.ID == c.id }) {
		t.Error("the connector is not listed")
	}
}

// listed are all connectors, in pages of two.
func listed(t *testing.T) (all []deployed.ConnectorDocument) {
	t.Helper()
	query := url.Values{"limit": {"2"}}
	for {
		var page struct {
			Connectors []deployed.ConnectorDocument `json:"connectors"`
			Next       string                       `json:"next"`
		}
		call(t, "GET", "/connectors?"+query.Encode(), nil).into(t, http.StatusOK, &page)
		all = append(all, page.Connectors...)
		if page.Next == "" {
			return all
		}
		query.Set("cursor", page.Next)
	}
}

// Rejected registrants do not delay the others, are listed with kind and reason,
// and are sent again when their data has changed, and only then.
func TestRejectionsAreListedAndCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	incomplete := w.addRegistrants(25, func(r *odoosim.Registrant) { r.Birthdate = "" })
	ids := w.addRegistrants(30)
	var unknown []int64
	for range 3 {
		id := w.registry.AddRegistrant(w.newRegistrant())
		vid := w.nextVID(odoosim.Refused)
		w.rememberVID(id, vid)
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: vid})
		unknown = append(unknown, id)
	}
	c := w.createStarted()
	c.waitForRuns(1)
	w.checkTokenised(ids)
	list := pages[deployed.RejectionDocument](c, "/rejections", "rejections", 10)
	want := map[string]int{"invalid ATS-REQ-012": len(incomplete), "refused IDA-MLC-009": len(unknown)}
	expect(t, "rejections", fmt.Sprint(byKind(list)), fmt.Sprint(want))
	seen := map[int64]bool{}
	for _, r := range list {
		if seen[r.Identifier] || r.Reason == "" {
			t.Errorf("rejection %+v", r)
		}
		seen[r.Identifier] = true
	}
	expect(t, "status with an invalid cursor", call(t, "GET", c.path("/rejections?cursor=x"), nil).Status, http.StatusBadRequest)

	for _, id := range incomplete[:5] {
		w.registry.SetRegistrant(id, map[string]any{"birthdate": "1971-08-09"})
	}
	corrected := w.nextVID(odoosim.Normal)
	w.rememberVID(unknown[0], corrected)
	w.registry.SetVID(unknown[0], corrected)
	c.makeDue()
	c.waitForRuns(2)
	w.checkTokenised(append(incomplete[:5:5], unknown[0]))
	want = map[string]int{"invalid ATS-REQ-012": len(incomplete) - 5, "refused IDA-MLC-009": len(unknown) - 1}
	expect(t, "rejections after the correction", fmt.Sprint(byKind(c.rejections())), fmt.Sprint(want))
	w.checkSentOnce()
}
