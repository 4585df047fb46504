package check_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/check"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// world is a checker, a simulated registry and a simulated MTS.
type world struct {
	*testing.T
	registry  *odoosim.Server
	store     *seedingdb.Store
	checker   *check.Checker
	connector seeding.Connector // stored
	now       time.Time
	shown     [][]seeding.Line
}

func newWorld(t *testing.T, options odoosim.Options) *world {
	w := &world{T: t, now: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)}
	client := memory.New()
	names := inprocess.TablesFor(t, client)
	w.store = seedingdb.New(client, names.Connectors, names.Answers)
	options.Now = func() time.Time { return w.now }
	options.Sleep = func(d time.Duration) { w.now = w.now.Add(d) }
	options.Window = -1
	w.registry = odoosim.New(options)
	sim := mtssim.New(mtssim.Options{})
	seeder := w.serve(sim)
	t.Cleanup(sim.Close)
	calls := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	w.checker = &check.Checker{
		Store: w.store,
		Open: func(c seeding.Connector, password string) (check.Registry, error) {
			return odoo.Examine(calls, c, password, w.Now)
		},
		OutputRights: setup.Rules{Mappings: jq.Mappings{}}.OutputRights,
		Password:     func(context.Context, seeding.Connector) (string, error) { return "admin", nil },
		Ping:         mts.New(calls, time.Now).Ping,
		Reach:        mts.New(calls, time.Now).Reach,
		Clock:        w,
	}
	w.connector = inprocess.Connector("stored", seeder, w.serve(w.registry), w.now)
	if err := w.store.CreateConnector(t.Context(), w.connector); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) serve(h http.Handler) string {
	server := httptest.NewServer(h)
	w.Cleanup(server.Close)
	return server.URL
}

// Now and Sleep are its clock, which moves by what the registry's work takes.
func (w *world) Now() time.Time                             { return w.now }
func (w *world) Sleep(context.Context, time.Duration) error { return nil }

// people adds registrants with a VID each, and returns their ids.
func (w *world) people(n int, more odoosim.Registrant) (ids []int64) {
	for i := range int64(n) {
		r := more
		r.Name, r.GivenName, r.FamilyName, r.Birthdate, r.Gender, r.Address = "REYES, ANA", "Ana", "Reyes", "1990-11-02", "Female", "1 Rizal St"
		id := w.registry.AddRegistrant(r)
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(i, 1, odoosim.Normal)})
		ids = append(ids, id)
	}
	return ids
}

// check asks, and returns the lines by name.
func (w *world) check(q seeding.Inquiry, secrets map[string]string) map[string]seeding.Line {
	w.Helper()
	w.shown = nil
	q.Kind, q.ID = seeding.CheckInquiry, "i1"
	before := w.everything()
	lines, answer, err := w.checker.Answer(w.Context(), q, secrets, func(lines []seeding.Line) error {
		w.shown = append(w.shown, slices.Clone(lines))
		return nil
	})
	if err != nil || answer != nil {
		w.Fatalf("%v, an answer of %d bytes", err, len(answer))
	}
	if after := w.everything(); after != before {
		w.Errorf("the check left a trace: %s became %s", before, after)
	}
	seedingtest.LinesAreListed(w.T, lines, check.Lines())
	found := map[string]seeding.Line{}
	for i, l := range lines {
		found[l.Name] = l
		if l.Text == "" || l.Code == "" || l.Result != seeding.LineOK && l.Remedy == "" {
			w.Errorf("incomplete: %+v", l)
		}
		if i > 0 && len(w.shown) > 0 && len(w.shown[0]) >= len(lines) {
			w.Error("all lines are shown at once")
		}
		text, _ := json.Marshal(l)
		for _, secret := range []string{"REYES", "Reyes", "Rizal", "1990-11-02", "hunter2", odoosim.DemoVID(0, 1, odoosim.Normal)} {
			if strings.Contains(string(text), secret) {
				w.Errorf("%s holds %q", text, secret)
			}
		}
	}
	return found
}

// everything is all that the registry holds.
func (w *world) everything() string {
	state := w.registry.State()
	writes := map[string]odoosim.Tally{}
	for name, calls := range state.Calls {
		if method := name[strings.LastIndex(name, ".")+1:]; method == "create" || method == "write" || method == "unlink" {
			writes[name] = calls
		}
	}
	text, err := json.Marshal(map[string]any{"identifiers": w.registry.Snapshot(), "people": state.Registrants, "writes": writes})
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// want compares results and codes of lines, "result code".
func (w *world) want(lines map[string]seeding.Line, want map[string]string) {
	w.Helper()
	for name, result := range want {
		if got := string(lines[name].Result) + " " + lines[name].Code; got != result {
			w.Errorf("%s: %s, want %s: %s", name, got, result, lines[name].Text)
		}
	}
}

func TestAConnectorThatWorks(t *testing.T) {
	w := newWorld(t, odoosim.Options{})
	w.people(3, odoosim.Registrant{})
	lines := w.check(seeding.Inquiry{Connector: w.connector.ID}, nil)
	w.want(lines, map[string]string{
		"mts": "ok reached", "registry": "ok reached", "sign_in": "ok signed_in", "version": "ok known", "database": "ok alone", "types": "ok found",
		"modules": "ok none", "fields": "ok known", "read": "ok read", "selects": "ok some", "create": "ok allowed", "remove": "ok allowed",
		"index_registrant": "ok fast", "index_value": "ok fast",
	})
	if len(lines) != 14 {
		t.Errorf("%d lines", len(lines))
	}
	if p := lines["selects"].Params; p["vids"] != 3 || p["selected"] != 3 || p["holding"] != 0 {
		t.Errorf("%v", p)
	}
	if p := lines["version"].Params; p["odoo"] != "14.0" || p["openg2p"] != "15.0" || p["way"] != "session" {
		t.Errorf("%v", p)
	}
}

// Each kind of what is wrong is told from the others, names what to do and the field
// to blame, and does not hide what else can be found out.
func TestWhatIsWrong(t *testing.T) {
	status := func(code int, header ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		})
	}
	type draft = *seeding.Connector
	for _, test := range []struct {
		name    string
		options odoosim.Options
		nobody  bool // without registrants
		change  func(w *world, c draft)
		want    map[string]string
		field   string // that is blamed
	}{
		{"a form that is empty yet", odoosim.Options{}, false, func(_ *world, c draft) { c.MTS.URL, c.Registry.URL = "", "" },
			map[string]string{"mts": "not_tried missing", "registry": "not_tried missing", "sign_in": "not_tried not_reached"}, ""},
		{"a form with a registry", odoosim.Options{}, false, func(_ *world, c draft) { c.MTS.URL = "" },
			map[string]string{"mts": "not_tried missing", "remove": "ok allowed"}, ""},
		{"MTS is down", odoosim.Options{}, false, func(w *world, c draft) { c.MTS.URL = "http://127.0.0.1:1" },
			map[string]string{"mts": "failure connection_refused", "remove": "ok allowed"}, "mts_url"},
		{"MTS has another certificate", odoosim.Options{}, false, func(w *world, c draft) {
			server := httptest.NewTLSServer(status(200))
			w.Cleanup(server.Close)
			c.MTS.URL = server.URL
		}, map[string]string{"mts": "failure certificate_unknown", "registry": "ok reached"}, "mts_url"},
		{"MTS is elsewhere", odoosim.Options{}, false, func(w *world, c draft) { c.MTS.URL = w.serve(status(302, "Location", "https://x.example/")) },
			map[string]string{"mts": "failure http_302"}, "mts_url"},
		{"MTS has no name", odoosim.Options{}, false, func(w *world, c draft) { c.MTS.URL = "https://10.9.9.9" },
			map[string]string{"mts": "failure address_not_allowed"}, "mts_url"},
		{"the address of MTS is the registry's", odoosim.Options{}, false, func(w *world, c draft) { c.MTS.URL = c.Registry.URL },
			map[string]string{"mts": "failure http_404"}, "mts_url"},
		{"the registry is down", odoosim.Options{}, false, func(w *world, c draft) { c.Registry.URL = "http://127.0.0.1:1" },
			map[string]string{"registry": "failure connection_refused", "sign_in": "not_tried not_reached", "index_value": "not_tried not_reached", "mts": "ok reached"}, "registry_url"},
		{"the registry moved to https", odoosim.Options{}, false, func(w *world, c draft) {
			c.Registry.URL = w.serve(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				http.Redirect(out, r, "https://"+r.Host+r.URL.Path, http.StatusMovedPermanently)
			}))
		}, map[string]string{"registry": "failure redirect_https"}, "registry_url"},
		{"no Odoo there", odoosim.Options{}, false, func(w *world, c draft) { c.Registry.URL = w.serve(status(404)) },
			map[string]string{"registry": "failure http_404"}, "registry_url"},
		{"another web page", odoosim.Options{}, false, func(w *world, c draft) { c.Registry.URL = w.serve(status(200, "Content-Type", "text/html")) },
			map[string]string{"registry": "failure web_page"}, "registry_url"},
		{"the password changed", odoosim.Options{}, false, func(w *world, c draft) { w.registry.SetPassword("admin", "new") },
			map[string]string{"sign_in": "failure access_denied", "version": "ok known", "types": "not_tried not_signed_in"}, "registry_password"},
		{"a second factor", odoosim.Options{}, false, func(w *world, c draft) { w.registry.SetSecondFactor("admin", true) },
			map[string]string{"sign_in": "failure second_factor"}, "registry_password"},
		{"too many attempts", odoosim.Options{}, false, func(w *world, c draft) {
			for range 12 {
				registry, err := w.checker.Open(w.connector, "wrong")
				if err != nil {
					w.Fatal(err)
				}
				_, _ = registry.SignIn(w.Context())
			}
		}, map[string]string{"sign_in": "failure too_many_attempts"}, "registry_password"},
		{"another database", odoosim.Options{}, false, func(w *world, c draft) { c.Registry.Database = "nodb" },
			map[string]string{"sign_in": "failure no_database"}, "registry_database"},
		{"no such VID type", odoosim.Options{}, false, func(w *world, c draft) { c.Registry.VIDType = "VID" },
			map[string]string{"types": "failure no_such_type", "fields": "ok known", "read": "not_tried no_types"}, "vid_type"},
		{"no such token type", odoosim.Options{}, false, func(w *world, c draft) { c.Registry.TokenType = "Token" },
			map[string]string{"types": "failure no_such_type"}, "token_type"},
		{"encrypted", odoosim.Options{Encrypted: true}, false, func(w *world, c draft) {},
			map[string]string{"modules": "warning encrypts_lists", "read": "failure encrypted", "create": "ok allowed"}, "read_one_by_one"},
		{"encrypted, read one by one", odoosim.Options{Encrypted: true}, false, func(w *world, c draft) { c.Source.OneByOne = true },
			map[string]string{"modules": "ok encrypting", "read": "ok read", "selects": "ok some"}, ""},
		{"encrypted, not decrypted", odoosim.Options{Encrypted: true}, false, func(w *world, c draft) { c.Source.OneByOne = true; w.registry.SetDecryption(false) },
			map[string]string{"read": "failure still_encrypted"}, "read_one_by_one"},
		{"unknown fields, and the domain is looked at nevertheless", odoosim.Options{}, false, func(w *world, c draft) {
			c.Source.Fields = append(c.Source.Fields, "no_such", "nor_such")
			c.Source.Domain = `[["no_field","=",1]]`
		}, map[string]string{"fields": "failure no_such_field", "read": "failure no_such_domain_field", "selects": "not_tried not_read", "remove": "ok allowed"}, "fields"},
		{"a picture", odoosim.Options{}, false, func(w *world, c draft) { c.Source.Fields = append(c.Source.Fields, "image_128") },
			map[string]string{"fields": "warning large"}, "fields"},
		{"an unknown field in the domain, and nobody has a VID", odoosim.Options{}, true, func(w *world, c draft) { c.Source.Domain = `[["no_field","=",1]]` },
			map[string]string{"read": "failure no_such_domain_field"}, "domain"},
		{"no VIDs", odoosim.Options{}, true, func(w *world, c draft) {},
			map[string]string{"read": "ok read", "selects": "warning no_vids", "create": "ok allowed", "remove": "ok allowed"}, "vid_type"},
		{"the domain selects nobody", odoosim.Options{}, false, func(w *world, c draft) { c.Source.Domain = `[["gender","=","Male"]]` },
			map[string]string{"selects": "warning not_selected"}, "domain"},
		{"archived", odoosim.Options{}, true, func(w *world, c draft) { w.people(3, odoosim.Registrant{Archived: true}) },
			map[string]string{"selects": "warning archived"}, "domain"},
		{"of another company", odoosim.Options{}, true, func(w *world, c draft) {
			w.people(3, odoosim.Registrant{Company: odoosim.OtherCompany})
			c.Registry.Username = "registrar"
			w.registry.SetPassword("registrar", "admin")
		}, map[string]string{"selects": "warning not_visible"}, "registry_username"},
		{"may not read registrants", odoosim.Options{}, false, func(w *world, c draft) { w.registry.Deny("res.partner", "read") },
			map[string]string{"read": "failure reading_denied", "create": "ok allowed"}, ""},
		{"may not read identifiers", odoosim.Options{}, false, func(w *world, c draft) { w.registry.Deny("g2p.reg.id", "read") },
			map[string]string{"read": "failure reading_denied"}, ""},
		{"may not read types", odoosim.Options{}, false, func(w *world, c draft) { w.registry.Deny("g2p.id.type", "read") },
			map[string]string{"types": "failure reading_denied", "read": "not_tried no_types"}, ""},
		{"may not create", odoosim.Options{}, false, func(w *world, c draft) { w.registry.Deny("g2p.reg.id", "create") },
			map[string]string{"create": "failure denied", "remove": "ok allowed"}, "registry_username"},
		{"may not remove", odoosim.Options{}, false, func(w *world, c draft) { w.registry.Deny("g2p.reg.id", "unlink") },
			map[string]string{"create": "ok allowed", "remove": "failure denied"}, "registry_username"},
		{"need not remove", odoosim.Options{}, false, func(w *world, c draft) {
			w.registry.Deny("g2p.reg.id", "unlink")
			c.Output.RemoveVIDs = false
		}, map[string]string{"remove": "warning denied"}, "registry_username"},
		{"need not create for a direct callback", odoosim.Options{}, false, func(w *world, c draft) {
			w.registry.Deny("g2p.reg.id", "create")
			c.Delivery.Direct = &seeding.DirectDelivery{URL: "https://registry.example/api", Method: "PUT"}
			c.Output.Format = "{given_name: .input.given_name}"
		}, map[string]string{"create": "warning denied"}, "registry_username"},
		{"not signed in, with an Output Format", odoosim.Options{}, false, func(w *world, c draft) {
			c.Registry.Database = "nodb"
			c.Output.Format = namesAll
		}, map[string]string{"sign_in": "failure no_database", "write": "not_tried not_signed_in"}, "registry_database"},
		{"an Output Format that gives nothing for made-up records", odoosim.Options{}, false, func(w *world, c draft) {
			c.Output.Format = "if .input.given_name == \"Robot\" then " + namesAll + " else null end"
		}, map[string]string{"write": "not_tried no_result"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, test.options)
			if !test.nobody {
				w.people(3, odoosim.Registrant{})
			}
			c := w.connector
			test.change(w, &c)
			lines := w.check(seeding.Inquiry{Connector: w.connector.ID, Draft: &c, Given: true}, map[string]string{seeding.RegistryPassword: "admin"})
			w.want(lines, test.want)
			blamed := test.field == ""
			for name := range test.want {
				l := lines[name]
				blamed = blamed || (l.Result == seeding.LineFailure || l.Result == seeding.LineWarning) && l.Field == test.field
			}
			if !blamed {
				t.Errorf("nothing blames %q", test.field)
			}
			_, ofOutput := lines["write"]
			if further := c.Output.Format != "" && !c.IsDirect(); ofOutput != further || !further && len(lines) != 14 {
				t.Errorf("%d lines, one about output_format: %t", len(lines), ofOutput)
			}
		})
	}
}

// A stored password goes only to where it was stored for.
func TestStoredPasswordIsNotSentToAnotherRegistry(t *testing.T) {
	w := newWorld(t, odoosim.Options{})
	var asked int
	password := w.checker.Password
	w.checker.Password = func(ctx context.Context, c seeding.Connector) (string, error) {
		asked++
		return password(ctx, c)
	}
	for name, test := range map[string]struct {
		change func(c *seeding.Connector)
		given  map[string]string
		new    bool // a draft of a new connector
		want   string
		reads  int
	}{
		"the same registry":           {func(c *seeding.Connector) { c.Registry.URL += "/" }, nil, false, "ok signed_in", 1},
		"another database":            {func(c *seeding.Connector) { c.Registry.Database = "evil" }, nil, false, "not_tried another_registry", 0},
		"another tenant":              {func(c *seeding.Connector) { c.Registry.URL += "/evil" }, nil, false, "not_tried another_registry", 0},
		"another host":                {func(c *seeding.Connector) { c.Registry.URL = w.serve(w.registry) }, nil, false, "not_tried another_registry", 0},
		"another host, with password": {func(c *seeding.Connector) { c.Registry.URL = w.serve(w.registry) }, map[string]string{seeding.RegistryPassword: "admin"}, false, "ok signed_in", 0},
		"a new one":                   {func(*seeding.Connector) {}, nil, true, "not_tried no_password", 0},
		"a new one, with password":    {func(*seeding.Connector) {}, map[string]string{seeding.RegistryPassword: "admin"}, true, "ok signed_in", 0},
		"a new one, with a wrong one": {func(*seeding.Connector) {}, map[string]string{seeding.RegistryPassword: "hunter2"}, true, "failure access_denied", 0},
	} {
		c := w.connector
		c.Secrets = nil
		test.change(&c)
		q := seeding.Inquiry{Connector: w.connector.ID, Draft: &c, Given: test.given != nil}
		if test.new {
			q.Connector = ""
		}
		asked = 0
		w.want(w.check(q, test.given), map[string]string{"sign_in": test.want})
		if asked != test.reads {
			t.Errorf("%s: the stored password was read %d times", name, asked)
		}
	}
}

// Two addresses of one database have two patch leases.
func TestTwoAddressesOfOneDatabaseAreNoticed(t *testing.T) {
	for _, test := range []struct {
		login string
		exact bool
	}{{"admin", true}, {"registrar", false}} {
		w := newWorld(t, odoosim.Options{})
		w.people(1, odoosim.Registrant{})
		w.registry.SetPassword(test.login, "admin")
		add := func(name, address string) seeding.Connector {
			c := inprocess.Connector(name, w.connector.MTS.URL, address, w.now)
			c.Registry.Username = test.login
			if err := w.store.CreateConnector(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			return c
		}
		first := add("first", w.serve(w.registry))
		other := odoosim.New(odoosim.Options{Now: func() time.Time { return w.now.Add(time.Hour) }})
		other.SetPassword(test.login, "admin")
		elsewhere := add("elsewhere", w.serve(other))
		same := first
		same.ID = "same-address"
		if err := w.store.CreateConnector(t.Context(), same); err != nil {
			t.Fatal(err)
		}
		line := w.check(seeding.Inquiry{Connector: first.ID}, nil)["database"]
		if line.Code != "alone" || line.Params["exact"] != test.exact || line.Params["unchecked"] != 2 {
			t.Errorf("%s: %+v", test.login, line)
		}
		for _, c := range []seeding.Connector{same, elsewhere} {
			w.want(w.check(seeding.Inquiry{Connector: c.ID}, nil), map[string]string{"database": "ok alone"})
		}
		draft := first // of another address, before it is saved
		draft.Registry.URL = w.serve(w.registry)
		line = w.check(seeding.Inquiry{Draft: &draft, Given: true}, map[string]string{seeding.RegistryPassword: "admin"})["database"]
		connectors, _ := line.Params["connectors"].([]any)
		if line.Result != seeding.LineWarning || line.Code != "two_addresses" || len(connectors) != 2 || !slices.Contains(connectors, any(first.ID)) {
			t.Errorf("%s: %+v", test.login, line)
		}
		all, err := w.store.AllFound(t.Context())
		if err != nil || len(all) != 2 {
			t.Errorf("what was found of a draft is noted: %+v, %v", all, err)
		}
	}
}

// The missing index is measured, by the time that the simulated registry needs: that
// of a real one (facts/odoo.md B3) with ten times as many identifiers.
func TestMissingIndexIsMeasured(t *testing.T) {
	for _, test := range []struct {
		without bool
		people  int
		want    string
	}{{true, 20_000, "warning slow"}, {false, 20_000, "ok fast"}, {true, 200, "ok fast"}} {
		latency := odoosim.Measured()
		latency.Scan *= 10
		w := newWorld(t, odoosim.Options{NoIndex: test.without, Pace: 1, Latency: latency})
		w.people(test.people, odoosim.Registrant{})
		c := w.connector
		c.Source.Domain = `[["is_registrant","=",true]]`
		registry, err := w.checker.Open(c, "admin")
		if err != nil {
			t.Fatal(err)
		}
		looks, err := registry.LookUps(t.Context(), 7)
		lines := map[string]seeding.Line{}
		for _, l := range check.IndexLines(looks, err) {
			lines[l.Name] = l
		}
		w.want(lines, map[string]string{"index_registrant": test.want, "index_value": test.want})
		t.Logf("index missing: %t, %d identifiers: by id %v, by registrant %v, by value %v", test.without, looks.Identifiers, looks.ByID, looks.ByRegistrant, looks.ByValue)
	}
}

// Among few identifiers no index is missing, however slow a busy server is.
func TestSlowAmongFewIsNoMissingIndex(t *testing.T) {
	for identifiers, want := range map[int]seeding.LineResult{27: seeding.LineOK, 5000: seeding.LineOK, 5001: seeding.LineWarning} {
		looks := seeding.LookUps{Identifiers: identifiers, ByID: 28 * time.Millisecond, ByRegistrant: 62 * time.Millisecond, ByValue: 62 * time.Millisecond}
		for _, l := range check.IndexLines(looks, nil) {
			if l.Result != want {
				t.Errorf("%s among %d: %s", l.Name, identifiers, l.Result)
			}
		}
	}
}

// A connector that is deleted while it waits to be checked.
func TestDeletedConnector(t *testing.T) {
	w := newWorld(t, odoosim.Options{})
	lines := w.check(seeding.Inquiry{Connector: "gone"}, nil)
	w.want(lines, map[string]string{"work": "failure no_connector"})
}

// Where MTS signs in for a direct callback is dialled, without a secret; what is wrong
// there only warns, because MTS calls it and not we.
func TestTokenEndpoint(t *testing.T) {
	var got []string
	endpoint := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization"))
		out.WriteHeader(http.StatusMethodNotAllowed)
	})
	w := newWorld(t, odoosim.Options{})
	w.people(1, odoosim.Registrant{})
	c := w.connector
	for address, want := range map[string]string{
		w.serve(endpoint) + "/token?realm=a": "ok reached", "http://127.0.0.1:1/token": "warning connection_refused", "https://10.9.9.9/token": "warning address_not_allowed", "": " ",
	} {
		c.Delivery.Direct = &seeding.DirectDelivery{URL: "https://registry.example/api", Method: "POST", Auth: seeding.DirectAuth{Type: seeding.AuthOAuth, URL: address, ClientID: "mts"}}
		w.want(w.check(seeding.Inquiry{Connector: w.connector.ID, Draft: &c, Given: true}, map[string]string{seeding.RegistryPassword: "admin"}), map[string]string{"token_endpoint": want})
	}
	if want := []string{"GET /token?realm=a "}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// namesAll is an Output Format that sets a text, a gender, a phone number and an
// identifier besides the token.
const namesAll = `{given_name: "X", gender: "Female", phone_numbers: [{phone_no: "1"}], ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}, {id_type: "National ID", value: "N1"}]}`

// The rights that an Output Format needs are asked for, those that it does not need are
// not, and what is missing is named. In the end a run would be refused what is missing.
func TestRightsOfAnOutputFormat(t *testing.T) {
	const token = `ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]`
	for name, test := range map[string]struct {
		format string
		needs  []string
	}{
		"the token alone":           {`{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`, nil},
		"by updateId":               {`[{updateId: .input.vid, ` + token + `}]`, nil},
		"a name":                    {`{given_name: "X", ` + token + `}`, []string{"res.partner write"}},
		"a gender":                  {`{gender: "Female", ` + token + `}`, []string{"res.partner write", "gender.type read"}},
		"a phone number":            {`{phone_numbers: [{phone_no: "1"}], ` + token + `}`, []string{"res.partner write", "g2p.phone.number read", "g2p.phone.number create"}},
		"all":                       {namesAll, []string{"res.partner write", "gender.type read", "g2p.phone.number read", "g2p.phone.number create", "g2p.reg.id write"}},
		"a name for those with one": {`if .input.given_name then {given_name: "X", ` + token + `} else {` + token + `} end`, []string{"res.partner write"}},
		"a name for those without":  {`if .input.given_name then {` + token + `} else {given_name: "X", ` + token + `} end`, []string{"res.partner write"}},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(denied string) seeding.Line {
				w := newWorld(t, odoosim.Options{})
				w.people(3, odoosim.Registrant{})
				if model, operation, isOne := strings.Cut(denied, " "); isOne {
					w.registry.Deny(model, operation)
				}
				c := w.connector
				c.Output.Format = test.format
				return w.check(seeding.Inquiry{Connector: w.connector.ID, Draft: &c, Given: true}, map[string]string{seeding.RegistryPassword: "admin"})["write"]
			}
			line := check("")
			if rights, _ := line.Params["rights"].([]any); line.Result != seeding.LineOK || !slices.Equal(rights, anyOf(test.needs)) {
				t.Errorf("%+v", line)
			}
			for _, right := range []string{"res.partner write", "gender.type read", "g2p.phone.number read", "g2p.phone.number create", "g2p.reg.id write"} {
				line := check(right)
				if !slices.Contains(test.needs, right) {
					if line.Result != seeding.LineOK {
						t.Errorf("without %s, which is not needed: %+v", right, line)
					}
					continue
				}
				missing, _ := line.Params["rights"].([]any)
				if line.Result != seeding.LineFailure || line.Code != "denied" || line.Field != "output_format" || !slices.Equal(missing, []any{right}) ||
					!strings.Contains(line.Text, right[:strings.Index(right, " ")]) {
					t.Errorf("without %s: %+v", right, line)
				}
			}
		})
	}
}

func anyOf(texts []string) (all []any) {
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}
