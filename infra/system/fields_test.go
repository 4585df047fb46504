package system_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/seeding"
)

// receiver is a server that MTS calls directly, and where it signs in at /web.
func (w *world) receiver() (url string, calls *received) {
	calls = &received{}
	return w.network.Serve("receiver", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		calls.add(r)
		http.SetCookie(rw, &http.Cookie{Name: "session_id", Value: "s"})
		_, _ = io.WriteString(rw, "{}")
	})), calls
}

// effects are what each field of the seeds does, by its member of the API. Each
// is saved through the API and seen at MTS, at the registry or where MTS calls.
var effects = map[string]func(t *testing.T, a *administrator){
	"name": func(t *testing.T, a *administrator) {
		a.created(map[string]any{"name": "Registry of Laguna"})
		_, list, _ := a.send(http.MethodGet, "/connectors", nil)
		expect(t, "name in the list", list["connectors"].([]any)[0].(map[string]any)["name"], any("Registry of Laguna"))
	},
	"mts_url": func(t *testing.T, a *administrator) {
		other := mtssim.New(mtssim.Options{})
		t.Cleanup(other.Close)
		url := a.network.Serve("other", http.StripPrefix("/seeder", other))
		a.finish(20, a.started(a.created(map[string]any{"mts_url": url + "/seeder/"})))
		expect(t, "records at this MTS", other.Counters().RecordsReceived, 5)
		expect(t, "records at another", a.mts.Counters().RecordsReceived, 0)
	},
	"input_type": func(t *testing.T, a *administrator) {
		a.finish(20, a.started(a.created(map[string]any{"input_type": "registry"})))
		expect(t, "sent from the registry", a.mts.Counters().RecordsReceived, 5)
		a.refused("input_type", "csv")
		a.fillMany(4)
		a.finish(20, a.started(a.created(a.fromODK(nil))))
		expect(t, "registrants that came of submissions", len(a.now()), 5+4)
	},
	"mapping": func(t *testing.T, a *administrator) {
		sent := a.sent(map[string]any{"mapping": map[string]any{"name": []string{"family_name"}, "gender": "gender | ascii_downcase"}})
		expect(t, "name", sent["name"], any("Doe 0"))
		expect(t, "gender", sent["gender"], any("female"))
	},
	"output_type": func(t *testing.T, a *administrator) {
		posts := a.watchPosts()
		a.finish(20, a.started(a.created(map[string]any{"output_type": "json"})))
		expect(t, "output", posts.list()[0].request(t)["output"], any("json"))
		a.refused("output_type", "csv")
	},
	"output_format": func(t *testing.T, a *administrator) {
		id := slices.Min(slices.Collect(maps.Keys(a.now())))
		a.finish(20, a.started(a.created(map[string]any{
			"output_format": `{given_name: (.input.given_name | ascii_upcase), ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`,
		})))
		fields, _ := a.registry.Registrant(id)
		expect(t, "given name", fields["given_name"], "JO")
		expect(t, "tokenised", a.tokenised(), 5)
	},
	"delivery_type": func(t *testing.T, a *administrator) {
		posts := a.watchPosts()
		a.finish(20, a.started(a.created(map[string]any{"delivery_type": "callback"})))
		expect(t, "delivery type", posts.list()[0].request(t)["deliverytype"], any("callback"))
		a.refused("delivery_type", "download")
	},
	"job_type": func(t *testing.T, a *administrator) {
		for kind, status := range map[string]seeding.Status{"one_time": seeding.Completed, "onetime": seeding.Completed, "recurring": seeding.Running} {
			c := a.started(a.created(map[string]any{"job_type": kind, "interval_minutes": map[bool]any{true: 60}[kind == "recurring"]}))
			a.finish(20, c)
			expect(t, "status of a job that is "+kind, a.state(c).Status, status)
		}
	},
	"language": func(t *testing.T, a *administrator) {
		posts := a.watchPosts()
		a.finish(20, a.started(a.created(map[string]any{"language": "fra"})))
		expect(t, "language", posts.list()[0].request(t)["lang"], any("fra"))
	},
	"interval_minutes": func(t *testing.T, a *administrator) {
		began := a.clock.Now()
		c := a.started(a.created(map[string]any{"interval_minutes": 15}))
		a.ticks(32)
		a.checkBegan(c, began, began.Add(15*time.Minute), began.Add(30*time.Minute))
	},
	"domain": func(t *testing.T, a *administrator) {
		id := slices.Min(slices.Collect(maps.Keys(a.now())))
		a.registry.SetRegistrant(id, map[string]any{"given_name": "Chosen"})
		a.finish(20, a.started(a.created(map[string]any{"domain": `[("given_name", "=", "Chosen")]`})))
		expect(t, "tokenised", a.tokenised(), 1)
		expect(t, "the chosen one has a token", a.tokenOf(id) != "", true)
	},
	"fields": func(t *testing.T, a *administrator) {
		changes := map[string]any{"mapping": map[string]any{"fullAddress": []string{"company_id[1]"}}}
		status, reply := a.tryCreate(changes)
		if status != http.StatusUnprocessableEntity || !slices.Equal(pointers(reply), []string{"/mapping/fullAddress/0"}) {
			t.Errorf("without the field: %d %v", status, reply["errors"])
		}
		changes["fields"] = []string{"id", "given_name", "family_name", "birthdate", "gender", "email", "phone", "company_id"}
		expect(t, "address", a.sent(changes)["fullAddress"], any("My Company"))
	},
	"odk.base_url": func(t *testing.T, a *administrator) {
		other := centralsim.New(centralsim.Options{Now: a.clock.Now})
		other.Populate(0, 1)
		url := a.network.Serve("other", other)
		other.Form(1, centralsim.DemoForm).Submit(centralsim.Submission{At: a.clock.Now().Add(-time.Hour), Answers: answersOf(vidOfPerson(1))})
		a.finish(20, a.started(a.created(a.fromODK(map[string]any{"base_url": url + "/v1/", "odata_url": url + "/v1/projects/1/forms/" + centralsim.DemoForm + ".svc"}))))
		expect(t, "registrants", len(a.now()), 5+1)
		expect(t, "requests at another Central", a.central.Counters().Requests, 0)
		a.refusedByODK("base_url", "central.example.org")
	},
	"odk.odata_url": func(t *testing.T, a *administrator) {
		form := a.central.AddForm(1, centralsim.Definition{ID: "other form", Fields: centralsim.Registration()})
		form.Submit(centralsim.Submission{At: a.clock.Now().Add(-time.Hour), Answers: answersOf(vidOfPerson(1))})
		a.fillMany(3)
		a.finish(20, a.started(a.created(a.fromODK(map[string]any{"odata_url": a.centralURL + "/v1/projects/1/forms/other%20form.svc"}))))
		expect(t, "registrants", len(a.now()), 5+1)
		a.refusedByODK("odata_url", a.centralURL+"/v1/projects/1/forms/reg/submissions")
	},
	"odk.email": func(t *testing.T, a *administrator) {
		a.central.AddUser("other@example.org", "other password 7")
		a.central.Assign("other@example.org", 1, centralsim.Viewer)
		a.fillMany(3)
		a.finish(20, a.started(a.created(a.fromODK(map[string]any{"email": "other@example.org", "password": "other password 7"}))))
		expect(t, "registrants", len(a.now()), 5+3)
	},
	"odk.password": func(t *testing.T, a *administrator) {
		a.central.SetPassword(centralsim.DemoUser, "new password 7")
		a.fillMany(3)
		wrong := a.started(a.created(a.fromODK(nil)))
		a.ticks(3)
		expect(t, "problem with the former password", a.problems(wrong)[seeding.ProblemODK].Code != "", true)
		a.finish(20, a.started(a.created(a.fromODK(map[string]any{"password": "new password 7"}))))
		expect(t, "registrants", len(a.now()), 5+3)
	},
	"callback.url": func(t *testing.T, a *administrator) {
		expect(t, "path", a.calledBack(nil)[0].path, "/in?from=mts")
	},
	"callback.http_method": func(t *testing.T, a *administrator) {
		for _, method := range []string{"POST", "PUT", "GET", "PATCH"} {
			expect(t, "method", a.calledBack(map[string]any{"http_method": method})[0].method, method)
		}
	},
	"callback.timeout_seconds": func(t *testing.T, a *administrator) {
		posts := a.watchPosts()
		a.calledBack(map[string]any{"timeout_seconds": 7})
		properties := posts.list()[0].request(t)["callbackProperties"].(map[string]any)
		expect(t, "seconds", properties["timeoutSeconds"], any(7.0))
	},
	"callback.auth_type": func(t *testing.T, a *administrator) {
		expect(t, "authorization of none", a.calledBack(nil)[0].authorization, "")
		expect(t, "authorization of static_bearer", a.calledBack(map[string]any{"auth_type": "static_bearer", "auth_token": "t"})[0].authorization, "Bearer t")
	},
	"callback.auth_url":      func(t *testing.T, a *administrator) { expect(t, "path", a.signIn().path, "/web/session") },
	"callback.auth_database": func(t *testing.T, a *administrator) { a.signedInWith("db", "callback-db") },
	"callback.auth_username": func(t *testing.T, a *administrator) { a.signedInWith("login", "callback-user") },
	"callback.auth_password": func(t *testing.T, a *administrator) { a.signedInWith("password", "callback-password") },
}

// refused checks that the API takes no such value, and says so at the member.
func (a *administrator) refused(member, value string) {
	a.Helper()
	status, reply := a.tryCreate(map[string]any{member: value})
	if status != http.StatusUnprocessableEntity || !slices.Equal(pointers(reply), []string{"/" + member}) {
		a.Errorf("%s %s: %d %v", member, value, status, reply["errors"])
	}
}

// refusedByODK does so for a member of odk.
func (a *administrator) refusedByODK(member, value string) {
	a.Helper()
	status, reply := a.tryCreate(a.fromODK(map[string]any{member: value}))
	if status != http.StatusUnprocessableEntity || !slices.Contains(pointers(reply), "/odk/"+member) {
		a.Errorf("%s %s: %d %v", member, value, status, reply["errors"])
	}
}

// sent is the first record that MTS is sent.
func (a *administrator) sent(changes map[string]any) map[string]any {
	a.Helper()
	posts := a.watchPosts()
	a.finish(20, a.started(a.created(changes)))
	records := posts.list()[0].request(a.T)["authdata"].([]any)
	return records[0].(map[string]any)
}

// calledBack are the calls that MTS makes to a receiver with this callback.
func (a *administrator) calledBack(callback map[string]any) []exchange {
	a.Helper()
	url, calls := a.receiver()
	all := map[string]any{"url": url + "/in?from=mts", "auth_type": "none"}
	maps.Copy(all, callback)
	if all["auth_type"] == "odoo" {
		all["auth_url"] = url + "/web/session"
	}
	c := a.started(a.created(map[string]any{"callback": all}))
	for range 10 {
		if a.tick(); len(calls.list()) > 1 {
			break
		}
	}
	if status, _, _ := a.send(http.MethodPost, "/connectors/"+c.ID+"/stop", nil); status != http.StatusOK {
		a.Fatalf("%d", status)
	}
	a.clock.Advance(24 * time.Hour)
	a.ticks(10)
	if len(calls.list()) == 0 {
		a.Fatal("MTS did not call")
	}
	return calls.list()
}

// signIn is MTS's first request with a sign-in of Odoo.
func (a *administrator) signIn() exchange {
	a.Helper()
	return a.calledBack(map[string]any{
		"auth_type": "odoo", "auth_database": "callback-db", "auth_username": "callback-user", "auth_password": "callback-password",
	})[0]
}

func (a *administrator) signedInWith(member, value string) {
	a.Helper()
	var body struct{ Params map[string]any }
	if err := json.Unmarshal([]byte(a.signIn().body), &body); err != nil || body.Params[member] != value {
		a.Errorf("MTS signs in with %v as %s, %v", body.Params[member], member, err)
	}
}

// Every field that users have in Odoo's connector can be set, and has its effect.
func TestEachFieldTakesEffect(t *testing.T) {
	for member, effect := range effects {
		t.Run(member, func(t *testing.T) {
			t.Parallel()
			a := newAdministratorOf(t, options{odk: true})
			a.addRegistrants(5)
			effect(t, a)
			a.forgetFailures()
		})
	}
	for member := range fieldsOfSeeds(t) {
		if effects[member] == nil {
			t.Errorf("%s: no test of its effect", member)
		}
	}
}

// fieldsOfSeeds are the members of a configuration that the document has a seed for,
// with the name of their test.
func fieldsOfSeeds(t *testing.T) map[string]string {
	t.Helper()
	type schema struct {
		Ref        string `json:"$ref"`
		Properties map[string]schema
		Seed       *struct{ Test string } `json:"x-seed"`
	}
	var document struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(connectors.Document().Text(), &document); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	var walk func(prefix string, s schema)
	walk = func(prefix string, s schema) {
		if s.Ref != "" {
			s.Properties = document.Components.Schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]].Properties
		}
		for name, property := range s.Properties {
			if property.Seed != nil {
				found[prefix+name] = property.Seed.Test
				expect(t, "test of "+prefix+name, property.Seed.Test, fmt.Sprintf("TestEachFieldTakesEffect/%s%s", prefix, name))
			}
			walk(prefix+name+".", property)
		}
	}
	walk("", document.Components.Schemas["NewConnector"])
	if len(found) != 23 {
		t.Errorf("the document has %d fields of seeds", len(found))
	}
	return found
}
