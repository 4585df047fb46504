package setup

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// directCallback is one by OpenG2P's REST API, line 15.0.
func directCallback() Callback {
	return Callback{
		URL: "https://registry.example.org/api/v1/registry/individual/updateIdentification", Method: "PATCH", TimeoutSeconds: 30,
		AuthType: seeding.AuthOdoo, AuthURL: "https://registry.example.org/web/session/authenticate", Database: "g2p", Username: "mts", Password: "secret",
	}
}

// proposed is a connector with a callback; stored are the secrets of the one that it
// replaces, if there are any.
func proposed(c Callback, before *seeding.Connector) Proposal {
	connector := seeding.Connector{MTS: seeding.MTSAccess{URL: "https://mts.example.org"}}
	connector.Delivery = c.Delivery(before)
	return Proposal{Connector: connector, Before: before, Callback: c}
}

func textsOf(found []Finding) map[Field]string {
	m := map[Field]string{}
	for _, f := range found {
		m[f.Field] = f.Text
	}
	return m
}

func TestCallbackRules(t *testing.T) {
	rules := Rules{CheckAddress: func(a seeding.Address) error {
		if a.Host == "metadata.example.org" {
			return errors.New("must not be called")
		}
		return nil
	}}
	for name, c := range map[string]struct {
		change   func(*Callback)
		wrong    map[Field]string // a part of each text
		doubtful map[Field]string
	}{
		"line 15.0": {func(*Callback) {}, nil, nil},
		"line 17.0": {func(c *Callback) {
			*c = Callback{URL: "https://registry.example.org/api/v1/registry/update_individual?id_type=MOSIP%20VID", Method: "PUT", TimeoutSeconds: 30,
				AuthType: seeding.AuthNone, Headers: map[string]string{"Authorization": "Basic bXRzOnNlY3JldA=="}}
		}, nil, nil},
		"oauth": {func(c *Callback) {
			c.AuthType, c.Database, c.Username, c.Password, c.ClientID, c.ClientSecret = seeding.AuthOAuth, "", "", "", "c", "s"
		}, nil, map[Field]string{CallbackAuthType: "must be a JWT"}},
		"oauth of a public client": {func(c *Callback) {
			c.AuthType, c.Database, c.Username, c.Password, c.ClientID = seeding.AuthOAuth, "", "", "", "c"
		}, nil, map[Field]string{CallbackAuthType: "must be a JWT"}},
		"bearer": {func(c *Callback) {
			*c = Callback{URL: c.URL, Method: "POST", AuthType: seeding.AuthStaticBearer, Token: "t"}
		}, nil, nil},
		"none without anything": {func(c *Callback) { *c = Callback{URL: c.URL, Method: "POST", AuthType: seeding.AuthNone} },
			nil, map[Field]string{CallbackAuthType: "signs in nowhere"}},
		"GET": {func(c *Callback) { c.Method = "GET" }, nil, map[Field]string{CallbackMethod: "with a body"}},

		"managed": {func(c *Callback) {
			*c = Callback{Method: "POST", TimeoutSeconds: 30, AuthType: seeding.AuthStaticBearer}
		}, nil, nil},
		"GET with the managed address":   {func(c *Callback) { *c = Callback{Method: "GET"} }, map[Field]string{CallbackMethod: "a GET is not meant to have"}, nil},
		"PATCH with the managed address": {func(c *Callback) { *c = Callback{Method: "PATCH"} }, map[Field]string{CallbackMethod: "must be POST"}, nil},
		"fields of a direct callback with the managed address": {func(c *Callback) {
			c.URL, c.Method, c.InBulk, c.ClientID, c.ClientSecret, c.Token, c.Headers = "", "POST", true, "c", "s", "t", map[string]string{"X": "y"}
		}, map[Field]string{
			CallbackAuthType: `must be "static_bearer"`, CallbackAuthURL: "belongs to a direct", CallbackDatabase: "belongs to a direct", CallbackUsername: "belongs to a direct",
			CallbackPassword: "belongs to a direct", CallbackClientID: "belongs to a direct", CallbackClientSecret: "belongs to a direct", CallbackToken: "belongs to a direct",
			CallbackHeaders: "belongs to a direct", CallbackInBulk: "belongs to a direct",
		}, nil},

		"odoo without its fields": {func(c *Callback) { c.AuthURL, c.Database, c.Username, c.Password = "", "", "", "" }, map[Field]string{
			CallbackAuthURL: "required for auth_type odoo", CallbackDatabase: "required", CallbackUsername: "required", CallbackPassword: "required",
		}, nil},
		"fields of another auth_type": {func(c *Callback) { c.AuthType, c.Token = seeding.AuthStaticBearer, "t" }, map[Field]string{
			CallbackAuthURL: "another auth_type", CallbackDatabase: "another auth_type", CallbackUsername: "another auth_type", CallbackPassword: "another auth_type",
		}, nil},
		"none with a password": {func(c *Callback) {
			*c = Callback{URL: c.URL, AuthType: seeding.AuthNone, Password: "p", Headers: map[string]string{"authorization": "x"}}
		},
			map[Field]string{CallbackPassword: "another auth_type"}, nil},
		"oauth for nobody": {func(c *Callback) { c.AuthType, c.Database, c.Username, c.Password = seeding.AuthOAuth, "", "", "" },
			map[Field]string{CallbackClientID: "for whom"}, map[Field]string{CallbackAuthType: "JWT"}},
		"oauth, half of each": {func(c *Callback) { c.AuthType, c.Database, c.Username, c.ClientSecret = seeding.AuthOAuth, "", "", "s" },
			map[Field]string{CallbackClientID: "auth_client_secret", CallbackUsername: "auth_password"}, map[Field]string{CallbackAuthType: "JWT"}},
		"oauth of a user without a password": {func(c *Callback) { c.AuthType, c.Database, c.Password = seeding.AuthOAuth, "", "" },
			map[Field]string{CallbackPassword: "required"}, map[Field]string{CallbackAuthType: "JWT"}},
		"bearer without a token": {func(c *Callback) { *c = Callback{URL: c.URL, AuthType: seeding.AuthStaticBearer} }, map[Field]string{CallbackToken: "required"}, nil},

		"addresses that must not be called": {func(c *Callback) {
			c.URL, c.AuthURL = "https://metadata.example.org/a", "https://metadata.example.org/b"
		}, map[Field]string{CallbackURL: "must not be called", CallbackAuthURL: "must not be called"}, nil},
		"no addresses": {func(c *Callback) { c.URL, c.AuthURL = "ftp://registry.example.org", "https://0x7f.1/a" },
			map[Field]string{CallbackURL: "must be one such as", CallbackAuthURL: "IPv4"}, nil},

		"headers that break the call": {func(c *Callback) {
			c.Headers = map[string]string{"X Y": "a", "X-A": "a\r\nX-B: c", "X-C": " a", "X-D": "", "X-E": "\u00e9", "Content-Type": "text/plain", "content-length": "5", "Host": "x", "Cookie": "a=b", "X-F": "1", "x-f": "2"}
		}, map[Field]string{
			CallbackHeaders: "no header has", CallbackHeaders + "/X-A": "one line", CallbackHeaders + "/X-C": "one line", CallbackHeaders + "/X-D": "one line",
			CallbackHeaders + "/X-E": "one line", CallbackHeaders + "/Content-Type": "could not read", CallbackHeaders + "/content-length": "belongs to the call",
			CallbackHeaders + "/Host": "belongs to the call", CallbackHeaders + "/Cookie": "session", CallbackHeaders + "/x-f": "twice",
		}, nil},
		"Authorization beside a bearer": {func(c *Callback) {
			*c = Callback{URL: c.URL, AuthType: seeding.AuthStaticBearer, Token: "t", Headers: map[string]string{"AUTHORIZATION": "x"}}
		}, map[Field]string{CallbackHeaders + "/AUTHORIZATION": "place of the bearer"}, nil},
		"Authorization beside a session": {func(c *Callback) { c.Headers = map[string]string{"Authorization": "x"} }, nil,
			map[Field]string{CallbackHeaders + "/Authorization": "one of the two"}},
		"too much": {func(c *Callback) { c.Headers = map[string]string{"X": strings.Repeat("a", 4000)} }, map[Field]string{CallbackHeaders: "4000 characters"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			callback := directCallback()
			c.change(&callback)
			wrong, doubtful := rules.checkCallback(proposed(callback, nil))
			for what, pair := range map[string]struct{ got, want map[Field]string }{"wrong": {textsOf(wrong), c.wrong}, "doubtful": {textsOf(doubtful), c.doubtful}} {
				if got, want := slices.Sorted(maps.Keys(pair.got)), slices.Sorted(maps.Keys(pair.want)); !slices.Equal(got, want) {
					t.Errorf("%s: %v", what, pair.got)
				}
				for field, part := range pair.want {
					if !strings.Contains(pair.got[field], part) {
						t.Errorf("%s: %s: %q", what, field, pair.got[field])
					}
				}
			}
			for _, f := range wrong {
				for _, value := range callback.Headers {
					if len(value) > 2 && strings.Contains(f.Text, value) || strings.Contains(f.Text, "secret") && f.Field != CallbackClientID {
						t.Errorf("%s repeats a value: %s", f.Field, f.Text)
					}
				}
			}
		})
	}
}

// A stored secret stays, unless it would be sent to another host.
func TestCallbackSecretsAreKept(t *testing.T) {
	before := func(c Callback, secrets map[string]string) *seeding.Connector {
		stored := proposed(c, nil).Connector
		stored.Secrets = secrets
		return &stored
	}
	odoo := before(directCallback(), map[string]string{seeding.RegistryPassword: "r1", seeding.CallbackPassword: "p1"})
	withHeaders := directCallback()
	withHeaders.Headers = map[string]string{"X-Key": "k"}
	headers := before(withHeaders, map[string]string{seeding.CallbackPassword: "p1", seeding.CallbackHeaders: "h1"})
	for name, c := range map[string]struct {
		before *seeding.Connector
		change func(*Proposal)
		kept   []string
		wrong  []Field
	}{
		"nothing else changes": {odoo, nil, []string{seeding.CallbackPassword}, nil},
		"another form": {odoo, func(p *Proposal) {
			p.Callback.URL = strings.Replace(p.Callback.URL, "https://registry.example.org", "HTTPS://Registry.example.org:443", 1)
		}, []string{seeding.CallbackPassword}, nil},
		"another tenant, by query":    {odoo, func(p *Proposal) { p.Callback.URL += "?db=theirs" }, []string{seeding.CallbackPassword}, []Field{CallbackPassword}},
		"another tenant of sign-in":   {odoo, func(p *Proposal) { p.Callback.AuthURL += "?db=theirs" }, []string{seeding.CallbackPassword}, []Field{CallbackPassword}},
		"another tenant, by path":     {odoo, func(p *Proposal) { p.Callback.URL = "https://registry.example.org/other" }, []string{seeding.CallbackPassword}, []Field{CallbackPassword}},
		"another tenant, by database": {odoo, func(p *Proposal) { p.Callback.Database = "other" }, []string{seeding.CallbackPassword}, []Field{CallbackPassword}},
		"another host":                {odoo, func(p *Proposal) { p.Callback.URL = "https://other.example.org/" }, []string{seeding.CallbackPassword}, []Field{CallbackPassword}},
		"another port":                {odoo, func(p *Proposal) { p.Callback.URL = "https://registry.example.org:8443/" }, []string{seeding.CallbackPassword}, []Field{CallbackPassword}},
		"another sign-in":             {odoo, func(p *Proposal) { p.Callback.AuthURL = "https://other.example.org/" }, []string{seeding.CallbackPassword}, []Field{CallbackPassword}},
		"another MTS":                 {odoo, func(p *Proposal) { p.Connector.MTS.URL = "https://other.example.org" }, []string{seeding.CallbackPassword}, []Field{CallbackPassword}},
		"another host, entered":       {odoo, func(p *Proposal) { p.Callback.URL, p.Callback.Password = "https://other.example.org/", "q" }, nil, nil},
		"a new password":              {odoo, func(p *Proposal) { p.Callback.Password = "q" }, nil, nil},
		"headers stay":                {headers, nil, []string{seeding.CallbackHeaders, seeding.CallbackPassword}, nil},
		"headers are taken away":      {headers, func(p *Proposal) { p.Callback.Headers = map[string]string{} }, []string{seeding.CallbackPassword}, nil},
		"headers at another host": {headers, func(p *Proposal) { p.Callback.URL, p.Callback.Password = "https://other.example.org/", "q" },
			[]string{seeding.CallbackHeaders}, []Field{CallbackHeaders}},
		"managed from now on": {headers, func(p *Proposal) { p.Callback = Callback{Method: "POST"} }, nil, nil},
		"another auth_type": {odoo, func(p *Proposal) {
			p.Callback.AuthType, p.Callback.AuthURL, p.Callback.Database, p.Callback.Username, p.Callback.Token = seeding.AuthStaticBearer, "", "", "", "t"
		}, nil, nil},
		"direct from now on": {before(Callback{}, map[string]string{seeding.RegistryPassword: "r1"}), nil, nil, []Field{CallbackPassword}},
	} {
		t.Run(name, func(t *testing.T) {
			callback := directCallback()
			callback.Password = ""
			p := proposed(callback, c.before)
			if c.change != nil {
				c.change(&p)
			}
			p.Connector.Delivery = p.Callback.Delivery(c.before)
			if kept := slices.Sorted(maps.Keys(p.Kept())); !slices.Equal(kept, c.kept) {
				t.Errorf("kept %v", kept)
			}
			wrong, _ := Rules{}.checkCallback(p)
			if got := slices.Sorted(maps.Keys(textsOf(wrong))); !slices.Equal(got, c.wrong) {
				t.Errorf("%v", wrong)
			}
		})
	}
}

func TestCallbackAddressesAreStoredInOneForm(t *testing.T) {
	c := directCallback()
	c.URL, c.AuthURL = "HTTPS://Registry.example.org:443/api/individual/", "https://registry.example.org:443/web/session/authenticate"
	connector := proposed(c, nil).Connector
	got := Normalise(connector).Delivery.Direct
	if got.URL != "https://registry.example.org/api/individual/" || got.Auth.URL != "https://registry.example.org/web/session/authenticate" {
		t.Errorf("%+v", got)
	}
	if connector.Delivery.Direct.URL != c.URL {
		t.Error("what was given is changed")
	}
}

// A secret in an address would be shown to everybody who may see the connector.
func TestSecretsInTheQueryOfAnAddressAreDoubted(t *testing.T) {
	for query, want := range map[string]bool{
		"": false, "?id_type=MOSIP%20UIN%20TOKEN": false, "?db=openg2p": false, "?monkey=1&turkey=2": false, "?token=": false, "?keyboard=us&passage=2&encoder=3": false,
		"?api_key=abc": true, "?apiKey=abc": true, "?APIKEY=abc": true, "?a=b&access_token=abc": true, "?a=b;secret=abc": true, "?password=abc": true, "?code=abc": true, "?sig=abc": true,
		"?api%5Fkey=abc": true, "?x-api-key=abc": true, "?client_secret=abc": true, "?key=abc": true,
	} {
		for field, change := range map[Field]func(*Callback){
			CallbackURL: func(c *Callback) { c.URL += query }, CallbackAuthURL: func(c *Callback) { c.AuthURL += query },
		} {
			c := directCallback()
			change(&c)
			_, doubtful := Rules{}.checkCallback(proposed(c, nil))
			got := false
			for _, f := range doubtful {
				got = got || f.Field == field && f.Code == "query_secret"
				if strings.Contains(f.Text, "abc") {
					t.Errorf("the value is repeated: %s", f.Text)
				}
			}
			if got != want {
				t.Errorf("%s, %q: %t", field, query, got)
			}
		}
	}
}
