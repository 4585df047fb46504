package setup_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// So it is with the secrets of a direct callback, each of which MTS sends as it is.
func TestSecretsOfACallbackWithWhatNobodySeesAreWarnings(t *testing.T) {
	odoo := setup.Callback{URL: "https://r.example/api", Method: "PATCH", AuthType: seeding.AuthOdoo, AuthURL: "https://r.example/in", Database: "g2p", Username: "mts", Password: "hunter"}
	oauth := setup.Callback{URL: "https://r.example/api", Method: "POST", AuthType: seeding.AuthOAuth, AuthURL: "https://r.example/in", ClientID: "id", ClientSecret: "hunter"}
	bearer := setup.Callback{URL: "https://r.example/api", Method: "POST", AuthType: seeding.AuthStaticBearer, Token: "hunter"}
	basic := setup.Callback{URL: "https://r.example/api", Method: "PUT", AuthType: seeding.AuthNone}
	const header = setup.CallbackHeaders + "/Authorization"
	encoded := func(text string) map[string]string {
		return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(text))}
	}
	for text, what := range map[string]string{
		"hunter\n": "line_break", " hunter": "space_before", "hunter\u00a0": "space_after", "hun\u200bter": "character", "hunter": "", "hun ter": "",
	} {
		for field, change := range map[setup.Field]func(*setup.Callback){
			setup.CallbackPassword: func(c *setup.Callback) { *c = odoo; c.Password = text }, setup.CallbackUsername: func(c *setup.Callback) { *c = odoo; c.Username = text },
			setup.CallbackDatabase: func(c *setup.Callback) { *c = odoo; c.Database = text }, setup.CallbackClientID: func(c *setup.Callback) { *c = oauth; c.ClientID = text },
			setup.CallbackClientSecret: func(c *setup.Callback) { *c = oauth; c.ClientSecret = text }, setup.CallbackToken: func(c *setup.Callback) { *c = bearer; c.Token = text },
			header: func(c *setup.Callback) { *c = basic; c.Headers = encoded("mts:" + text) },
		} {
			if field == header && what == "space_before" { // that is within user:password
				continue
			}
			p := setup.Proposal{Connector: complete(), PasswordGiven: true}
			change(&p.Callback)
			p.Connector.Delivery = p.Callback.Delivery(nil)
			if found := wrong(p); len(found) > 0 {
				t.Errorf("%s %q: %v", field, text, found)
			}
			var unseen []setup.Finding
			for _, f := range doubtful(p) {
				if f.Code == "unseen" {
					unseen = append(unseen, f)
				}
			}
			if what == "" && len(unseen) > 0 || what != "" && (len(unseen) != 1 || unseen[0].Field != field || unseen[0].Params["what"] != what || strings.Contains(unseen[0].Text, "hun")) {
				t.Errorf("%s %q: %v", field, text, unseen)
			}
		}
	}
	for _, value := range []string{"Basic !", "Basic", "Bearer " + base64.StdEncoding.EncodeToString([]byte("a\n"))} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true, Callback: basic}
		p.Callback.Headers = map[string]string{"Authorization": value}
		p.Connector.Delivery = p.Callback.Delivery(nil)
		if found := doubtful(p); len(found) > 0 {
			t.Errorf("%s: %v", value, found)
		}
	}
}

// What was copied with a password or a user name is said, and can be saved.
func TestCredentialsWithWhatNobodySeesAreWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"admin\n": "line break", "admin\r\n": "line break", "ad\nmin": "line break",
		" admin": "begins with a space", "\u00a0admin": "begins with a space", "admin ": "ends with a space", "admin\t": "ends with a space",
		"admin\u200b": "nobody sees", "\ufeffadmin": "nobody sees", "admin\u200e": "nobody sees", " \ufeffadmin": "nobody sees", "ad\u00admin": "nobody sees",
		"ad min": "", "pässwörd": "", "密码": "", "\"quoted\"": "",
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true, Password: text}
		for _, field := range []setup.Field{setup.RegistryPassword, setup.RegistryUsername} {
			if field == setup.RegistryUsername {
				p.Password, p.Connector.Registry.Username = "", text
			}
			if found := wrong(p); len(found) > 0 {
				t.Errorf("%q: %v", text, found)
			}
			found := doubtful(p)
			if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || found[0].Field != field || !strings.Contains(found[0].Text, want)) {
				t.Errorf("%s %q: %v", field, text, found)
			}
			for _, f := range found {
				if strings.Contains(f.Text, "admin") {
					t.Errorf("the text repeats what was given: %q", f.Text)
				}
			}
		}
	}
}
