package connectors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/seeding"
)

// direct15 and direct17 are callbacks by OpenG2P's REST API.
var (
	direct15 = map[string]any{
		"url": "https://registry.example.org/api/v1/registry/individual/updateIdentification", "http_method": "PATCH", "auth_type": "odoo",
		"auth_url": "https://registry.example.org/web/session/authenticate", "auth_database": "g2p", "auth_username": "mts", "auth_password": "hunter2",
	}
	direct17 = map[string]any{
		"url": "https://registry.example.org/api/v1/registry/update_individual?id_type=MOSIP%20VID", "http_method": "PUT", "auth_type": "none",
		"extra_headers": map[string]any{"Authorization": "Basic aHVudGVyMg=="},
	}
)

func TestDirectCallbackIsSavedAndShownWithoutSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		callback map[string]any
		want     string
		stored   map[string]string
	}{
		"line 15.0": {direct15, "map[auth_client_id: auth_client_secret_set:false auth_database:g2p auth_password_set:true auth_token_set:false auth_type:odoo " +
			"auth_url:https://registry.example.org/web/session/authenticate auth_username:mts extra_headers_set:[] http_method:PATCH in_bulk:false timeout_seconds:30 " +
			"url:https://registry.example.org/api/v1/registry/individual/updateIdentification]", map[string]string{seeding.CallbackPassword: "hunter2"}},
		"line 17.0": {direct17, "map[auth_client_id: auth_client_secret_set:false auth_database: auth_password_set:false auth_token_set:false auth_type:none " +
			"auth_url: auth_username: extra_headers_set:[Authorization] http_method:PUT in_bulk:false timeout_seconds:30 " +
			"url:https://registry.example.org/api/v1/registry/update_individual?id_type=MOSIP%20VID]", map[string]string{seeding.CallbackHeaders: `{"Authorization":"Basic aHVudGVyMg=="}`}},
		"a bearer, in MTS's word": {map[string]any{"url": "https://receiver.example.org/", "auth_type": "staticBearer", "auth_token": "hunter2", "in_bulk": true, "timeout_seconds": 5},
			"map[auth_client_id: auth_client_secret_set:false auth_database: auth_password_set:false auth_token_set:true auth_type:static_bearer " +
				"auth_url: auth_username: extra_headers_set:[] http_method:POST in_bulk:true timeout_seconds:5 url:https://receiver.example.org/]",
			map[string]string{seeding.CallbackToken: "hunter2"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			a := s.want(201, "POST", "/connectors", with("callback", c.callback))
			id := a.body["id"].(string)
			if got := fmt.Sprint(a.body["callback"]); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			for field, value := range c.stored {
				if got := s.secrets.values[id+"/"+field]; !slices.Contains(got, value) {
					t.Errorf("%s is %q", field, got)
				}
			}
			if len(s.secrets.values) != 1+len(c.stored) {
				t.Errorf("%d secrets", len(s.secrets.values))
			}
			// What was read can be sent back: secrets stay, and no version is stored.
			before := s.store.connectors[id].Secrets
			body, err := json.Marshal(a.body)
			if err != nil {
				t.Fatal(err)
			}
			shown := s.want(200, "PUT", "/connectors/"+id, string(body), "If-Match", `"1"`)
			if fmt.Sprint(shown.body["callback"]) != c.want || fmt.Sprint(s.store.connectors[id].Secrets) != fmt.Sprint(before) {
				t.Errorf("sent back: %v, secrets %v, before %v", shown.body["callback"], s.store.connectors[id].Secrets, before)
			}
			if text := s.log.String() + a.Body.String() + shown.Body.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
				t.Error("a secret is shown or logged")
			}
		})
	}
}

func TestAnotherHostAsksForTheCallbacksSecrets(t *testing.T) {
	s := newService(t)
	a := s.want(201, "POST", "/connectors", with("callback", direct15))
	id := a.body["id"].(string)
	change := func(name, value string) map[string]any {
		c := map[string]any{}
		for k, v := range direct15 {
			c[k] = v
		}
		delete(c, "auth_password")
		c[name] = value
		return c
	}
	for _, c := range []map[string]any{change("url", "https://evil.example.org/"), change("auth_url", "https://evil.example.org/web/session/authenticate")} {
		refused := s.want(422, "PUT", "/connectors/"+id, with("callback", c), "If-Match", `"1"`)
		if found := refused.fieldErrors(); len(found) != 1 || !strings.Contains(found["/callback/auth_password"], "required again") {
			t.Errorf("%v", found)
		}
	}
	refused := s.want(422, "PUT", "/connectors/"+id, with("callback", change("url", direct15["url"].(string)), "mts_url", "https://evil.example.org"), "If-Match", `"1"`)
	if found := refused.fieldErrors(); !strings.Contains(found["/callback/auth_password"], "required again") {
		t.Errorf("%v", found)
	}
	moved := change("url", "https://other.example.org/api")
	moved["auth_password"] = "hunter3"
	s.want(200, "PUT", "/connectors/"+id, with("callback", moved), "If-Match", `"1"`)
	lines := s.changes()
	line := lines[len(lines)-1]
	if line["callback_host"] != "https://other.example.org:443" || line["callback_auth_host"] != nil || !strings.Contains(fmt.Sprint(line["fields"]), "callback.auth_password") {
		t.Errorf("%v", line)
	}
	// Back to the managed callback: its secret goes, the registry's stays.
	s.want(200, "PUT", "/connectors/"+id, with(), "If-Match", `"2"`)
	if got := s.store.connectors[id]; got.IsDirect() || len(got.Secrets) != 1 || len(s.secrets.values) != 1 {
		t.Errorf("%+v, %d secrets", got.Secrets, len(s.secrets.values))
	}
}

// Deleting a connector leaves no secret, nor does one that could not be created.
func TestSecretsOfACallbackAreDeleted(t *testing.T) {
	s := newService(t)
	a := s.want(201, "POST", "/connectors", with("callback", direct17))
	s.want(http.StatusNoContent, "DELETE", "/connectors/"+a.body["id"].(string), "", "If-Match", `"1"`)
	if len(s.secrets.values) != 0 {
		t.Errorf("left: %d secrets", len(s.secrets.values))
	}
}

// racingStore saves another configuration as soon as one is saved.
type racingStore struct {
	*store
	then func()
}

func (s racingStore) ReplaceConnector(ctx context.Context, c seeding.Connector, now time.Time, changes ...seeding.Change) error {
	err := s.store.ReplaceConnector(ctx, c, now, changes...)
	s.then()
	return err
}

// A secret that a newer configuration names is not deleted by an older one that does not.
func TestASecretOfANewerConfigurationStays(t *testing.T) {
	for _, newer := range []bool{false, true} {
		s := newService(t)
		id := fmt.Sprint(s.want(201, "POST", "/connectors", with("callback", direct15)).body["id"])
		s.options.Store = racingStore{s.store, func() {
			if !newer {
				return
			}
			c := s.store.connectors[id]
			c.Secrets = map[string]string{seeding.RegistryPassword: "version-1", seeding.CallbackPassword: "version-2"}
			s.store.connectors[id] = c
		}}
		s.handler = contract().Handler(t, connectors.New(s.options))
		s.want(200, "PUT", "/connectors/"+id, with("registry.password", nil), "If-Match", `"1"`)
		if _, there := s.secrets.values[id+"/"+seeding.CallbackPassword]; there != newer {
			t.Errorf("named by a newer configuration: %t; there: %t", newer, there)
		}
	}
}

// Back from a direct callback to the managed one: what GET showed, with an empty callback.
func TestBackToTheManagedCallback(t *testing.T) {
	s := newService(t)
	shown := s.want(201, "POST", "/connectors", with("callback", direct15, "output_format", `if .output.token then {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} else null end`))
	path := fmt.Sprint("/connectors/", shown.body["id"])
	put := func(status int, callback map[string]any) response {
		shown.body["callback"] = callback
		text, err := json.Marshal(shown.body)
		if err != nil {
			t.Fatal(err)
		}
		return s.want(status, "PUT", path, string(text), "If-Match", `"1"`)
	}
	emptied := maps.Clone(shown.body["callback"].(map[string]any))
	emptied["url"] = ""
	refused := put(422, emptied)
	for pointer, text := range refused.fieldErrors() {
		if !strings.Contains(text, "left out") && !strings.Contains(text, "leave this out") {
			t.Errorf("%s: %s", pointer, text)
		}
	}
	if managed, _ := put(200, map[string]any{}).body["callback"].(map[string]any); managed["url"] != "" || managed["auth_type"] != "static_bearer" {
		t.Errorf("%v", managed)
	}
	if _, there := s.secrets.values[strings.TrimPrefix(path, "/connectors/")+"/"+seeding.CallbackPassword]; there {
		t.Error("the password of the direct callback is left over")
	}
}
