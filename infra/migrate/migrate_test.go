package main

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// addRegistrants adds registrants whom Odoo's connector sends: each fifth is refused,
// each seventh is a group or disabled, which Odoo's domain selects too.
func (w *world) addRegistrants(n int) (ids []int64) {
	for i := range n {
		id := w.odoo.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: "Doe", Gender: "Female", Birthdate: "1990-01-31", Address: "1 Long Street",
			Email: "jo@example.org", Phone: "5550100", Group: i%7 == 6,
		})
		ending := odoosim.Normal
		if i%5 == 4 {
			ending = 90
		}
		w.odoo.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(int64(1000+i), 1, ending)})
		ids = append(ids, id)
	}
	return ids
}

// tokens are those of the registry, by registrant.
func (w *world) tokens() map[int64]string {
	tokens := map[int64]string{}
	for registrant, identifiers := range w.odoo.Snapshot() {
		for _, i := range identifiers {
			if i.Type == odoosim.TokenType {
				tokens[registrant] = i.Value
			}
		}
	}
	return tokens
}

// vids are the registrants that have one.
func (w *world) vids() (list []int64) {
	for registrant, identifiers := range w.odoo.Snapshot() {
		if slices.ContainsFunc(identifiers, func(i odoosim.Identifier) bool { return i.Type == odoosim.VIDType }) {
			list = append(list, registrant)
		}
	}
	slices.Sort(list)
	return list
}

// A connector of each line is migrated, and after its run every registrant has the token
// that Odoo's connector would have had delivered, and no other.
func TestAConnectorOfEachLineIsMigratedAndGivesTheSameTokens(t *testing.T) {
	for line := range lines {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, line)
			w.addRegistrants(40)
			w.odoo.SetMTSDeletion(true)
			id := w.addConnector(line, nil)
			want := w.runOdoos(id)
			if len(want) != 32 || len(w.tokens()) != 0 {
				t.Fatalf("Odoo's connector gave %d tokens, and wrote %d", len(want), len(w.tokens()))
			}
			w.press(id) // it runs in Odoo
			printed, err := w.migrate(nil, "-create", "-stop-old", "-start")
			if err != nil {
				t.Fatalf("%v\n%s", err, printed)
			}
			if status, job := w.odoo.MTSConnector(id); status != "completed" || job {
				t.Errorf("in Odoo it is %s, with a job: %v", status, job)
			}
			all := w.connectors()
			c := all[recorded(t, line)[0].text("name")]
			if len(all) != 1 || c == nil || c["status"] != "running" || len(c["problems"].(map[string]any)) > 0 {
				t.Fatalf("connectors: %v", all)
			}
			for range 30 {
				w.tick()
			}
			if got := w.tokens(); !maps.Equal(got, want) {
				t.Errorf("tokens: %v, want %v", got, want)
			}
			if left := w.vids(); len(left) != 8 {
				t.Errorf("VIDs left: %v, of those that MOSIP refuses", left)
			}
			for vid, asked := range w.applicants {
				if len(asked) != 2 || asked[0] != asked[1] {
					t.Errorf("MOSIP was asked %v for the VID that ends in %s", asked, vid[len(vid)-2:])
				}
			}
		})
	}
}

// What Odoo's connector does not send is not sent here either, although the defaults of
// the two differ: MOSIP compares what it gets.
func TestMOSIPIsAskedTheSame(t *testing.T) {
	for name, mapping := range map[string]string{"common": commonMapping("address"), "less": `{"name": ["family_name"], "dob": "birthdate", "fullAddress": ["address"]}`} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "15.0")
			w.addRegistrants(4)
			id := w.addConnector("15.0", map[string]any{"mapping": mapping, "g2p_selected_fields": odoosim.MTSDefaultFields})
			if want := w.runOdoos(id); len(want) != 4 {
				t.Fatalf("%d tokens", len(want))
			}
			w.press(id)
			if printed, err := w.migrate(nil, "-create", "-stop-old", "-start"); err != nil {
				t.Fatalf("%v\n%s", err, printed)
			}
			for range 30 {
				w.tick()
			}
			for _, asked := range w.applicants {
				if len(asked) != 2 || asked[0] != asked[1] || asked[0].PhoneNumber != "" {
					t.Errorf("MOSIP was asked %v", asked)
				}
			}
		})
	}
}

// A one-time job that is queued in Odoo is stopped there, and started here.
func TestAOneTimeJob(t *testing.T) {
	w := newWorld(t, "15.0")
	w.addRegistrants(3)
	id := w.addConnector("15.0", map[string]any{"is_recurring": "onetime"})
	w.press(id)
	printed, err := w.migrate(nil, "-create", "-stop-old", "-start")
	if err != nil || !strings.Contains(printed, "Odoo's queue may hold its job still") {
		t.Fatalf("%v\n%s", err, printed)
	}
	if status, _ := w.odoo.MTSConnector(id); status != "completed" {
		t.Errorf("in Odoo it is %s", status)
	}
	for range 30 {
		w.tick()
	}
	if c := w.connectors()["Household registry"]; c["job_type"] != "one_time" || c["status"] != "completed" || len(w.tokens()) != 3 {
		t.Errorf("%v", c)
	}
}

// With -direct the call stays: OpenG2P's API of line 15.0 writes the same tokens.
func TestACallOfOpenG2PsAPIIsKeptOnRequest(t *testing.T) {
	w := newWorld(t, "15.0")
	w.addRegistrants(6)
	id := w.addConnector("15.0", map[string]any{
		"callback_url": w.odooURL + "/api/v1/registry/individual/updateIdentification", "callback_auth_url": w.odooURL + "/web/session/authenticate",
		"callback_auth_username": "admin", "callback_auth_password": "admin",
		"output_format": `if .output.token then {partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token} else null end`,
	})
	want := w.runOdoos(id)
	w.press(id)
	if printed, err := w.migrate(nil, "-create", "-stop-old", "-start", "-direct"); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	for range 30 {
		w.tick()
	}
	if got := w.tokens(); len(want) != 5 || !maps.Equal(got, want) {
		t.Errorf("tokens: %v, want %v", got, want)
	}
	callback := w.connectors()["Household registry"]["callback"].(map[string]any)
	if callback["auth_username"] != "admin" || callback["auth_password_set"] != true || callback["http_method"] != "PATCH" {
		t.Errorf("callback: %v", callback)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	w := newWorld(t, "15.0")
	id := w.addConnector("15.0", nil)
	w.addConnector("15.0", map[string]any{"name": "Survey", "input_type": "odk", "odk_password": "central secret"})
	w.press(id)
	w.odoo.ResetTallies()
	printed, err := w.migrate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"Household registry" (in Odoo: running)`, "interval_minutes = 5", "(g2p_search_domain)", "left out", "callback_auth_password", "OpenG2P's own API",
		`"Survey"`, "odk.submission_type", "Nothing was changed",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("no %q in\n%s", want, printed)
		}
	}
	if writes := w.writes(); len(writes) > 0 {
		t.Errorf("requests to the API: %v", writes)
	}
	if total := w.odoo.State().Total; total.Written+total.Created+total.Deleted > 0 {
		t.Errorf("changes in Odoo: %+v", total)
	}
	if status, _ := w.odoo.MTSConnector(id); status != "running" {
		t.Errorf("in Odoo it is %s", status)
	}

	if !strings.Contains(printed, "Odoo 14.0, OpenG2P's line 15.0, 2 connectors") {
		t.Errorf("%s", printed)
	}

	// Without an API it says what Odoo alone tells.
	again, err := w.migrate(map[string]string{"API": ""})
	if err != nil || !strings.Contains(again, "interval_minutes") {
		t.Errorf("%v\n%s", err, again)
	}
}

// Whoever calls it again, or gets no reply, gets no second connector; and what is here
// already is not changed.
func TestNoConnectorIsCreatedTwice(t *testing.T) {
	w := newWorld(t, "15.0")
	w.addConnector("15.0", nil)
	w.addConnector("15.0", nil)
	w.addConnector("15.0", map[string]any{"name": "Cavite"})
	w.loseReplies = true
	printed, err := w.migrate(nil, "-create")
	if err != nil || strings.Count(printed, "created as") != 3 {
		t.Fatalf("%v\n%s", err, printed)
	}
	w.loseReplies = false
	before := w.connectors()
	if names := slices.Sorted(maps.Keys(before)); !slices.Equal(names, []string{"Cavite", "Household registry", "Household registry #2"}) {
		t.Errorf("names: %v", names)
	}
	for name, c := range before {
		if c["status"] != "stopped" {
			t.Errorf("%s is %v", name, c["status"])
		}
	}
	printed, err = w.migrate(nil, "-create")
	if err != nil || strings.Count(printed, "is here already, as") != 3 {
		t.Errorf("%v\n%s", err, printed)
	}
	// The same Odoo under a page of it.
	if printed, err = w.migrate(nil, "-create", "-registry-url", w.odooURL+"/web/login"); err != nil {
		t.Errorf("%v\n%s", err, printed)
	}
	after := w.connectors()
	for name, c := range before {
		if after[name]["id"] != c["id"] || after[name]["version"] != c["version"] {
			t.Errorf("%s: %v", name, after[name])
		}
	}
	if len(after) != 3 {
		t.Errorf("%d connectors", len(after))
	}
}

// Odoo's connector is stopped on request only, once the new one exists and its check is
// green; and no two of them run.
func TestOdoosConnectorIsStoppedOnlyAfterAGreenCheck(t *testing.T) {
	w := newWorld(t, "17.0")
	w.addRegistrants(3)
	id := w.addConnector("17.0", nil)
	w.press(id)
	runsInOdoo := func(want bool) {
		t.Helper()
		if status, job := w.odoo.MTSConnector(id); (status == "running") != want || job != want {
			t.Errorf("in Odoo it is %s, with a job: %v", status, job)
		}
	}
	status := func() any { return w.connectors()["Registry of Laguna"]["status"] }

	// It is not here.
	printed, err := w.migrate(nil, "-stop-old")
	if err == nil || !strings.Contains(printed, "it is not here") {
		t.Errorf("%v\n%s", err, printed)
	}
	runsInOdoo(true)

	// The check fails: the registry refuses the password.
	printed, err = w.migrate(map[string]string{"REGISTRY_PASSWORD": "wrong"}, "-registry-user", "registrar", "-create", "-stop-old", "-start")
	if err == nil || !strings.Contains(printed, "created as") || !strings.Contains(printed, "check of sign_in") || !strings.Contains(printed, "it was not started, and Odoo's was not stopped") {
		t.Errorf("%v\n%s", err, printed)
	}
	runsInOdoo(true)
	if got := status(); got != "stopped" {
		t.Errorf("it is %v", got)
	}
	w.odoo.SetPassword("registrar", "wrong")

	// It is green. Both must not run.
	printed, err = w.migrate(nil, "-create", "-start")
	if err == nil || !strings.Contains(printed, "-stop-old stops it there") {
		t.Errorf("%v\n%s", err, printed)
	}
	runsInOdoo(true)
	if got := status(); got != "stopped" {
		t.Errorf("it is %v", got)
	}
	printed, err = w.migrate(nil, "-stop-old", "-start")
	if err != nil || !strings.Contains(printed, "stopped in Odoo") || !strings.Contains(printed, "started") {
		t.Errorf("%v\n%s", err, printed)
	}
	runsInOdoo(false)
	if got := status(); got != "running" {
		t.Errorf("it is %v", got)
	}

	// The button of one that is stopped would start it: it is not pressed.
	if printed, err = w.migrate(nil, "-stop-old", "-start"); err != nil || !strings.Contains(printed, "not started: it does not run in Odoo") {
		t.Errorf("%v\n%s", err, printed)
	}
	runsInOdoo(false)
}

// A refusal names the connector and the field, and the others are created.
func TestARefusalNamesConnectorAndField(t *testing.T) {
	w := newWorld(t, "15.0")
	w.addConnector("15.0", nil)
	w.addConnector("15.0", map[string]any{"name": "Domain", "g2p_search_domain": "[('create_uid', '=', uid)]"})
	w.addConnector("15.0", map[string]any{"name": "Format", "output_format": "{value: "})
	w.addConnector("15.0", map[string]any{"name": "Address", "mts_url": "mts"})
	w.addConnector("15.0", map[string]any{"name": "Own", "callback_url": "https://tokens.example.org/take", "callback_auth_password": nil})
	printed, err := w.migrate(nil, "-create")
	if err == nil || !strings.Contains(err.Error(), "4 of 5 connectors are not done") {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		`#2 "Domain" (in Odoo: draft): domain is to be entered: `, `#3 "Format" (in Odoo: draft): /output_format `,
		`#4 "Address" (in Odoo: draft): /mts_url `, `#5 "Own" (in Odoo: draft): callback.auth_password is to be entered: `,
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("no %q in\n%s", want, printed)
		}
	}
	if all := w.connectors(); len(all) != 1 || all["Household registry"] == nil {
		t.Errorf("connectors: %v", all)
	}

	// What is given helps.
	file := filepath.Join(t.TempDir(), "changes.json")
	text := `{"2": {"domain": [["create_uid", "=", 2]]}, "3": {"output_format": ""}, "4": {"mts_url": "` + w.mtsURL + `"}, "5": {"callback": {"auth_password": "entered here"}}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, err = w.migrate(nil, "-create", "-changes", file)
	if err != nil || strings.Contains(printed, "entered here") {
		t.Errorf("%v\n%s", err, printed)
	}
	if all := w.connectors(); len(all) != 5 {
		t.Errorf("connectors: %v", slices.Sorted(maps.Keys(all)))
	}
}

// The Output Formats that OpenG2P's API takes (facts/odoo.md D) are taken as they are.
func TestOutputFormatsOfOpenG2PsAPIAreTakenAsTheyAre(t *testing.T) {
	const id = `id_type: "MOSIP UIN TOKEN", value: .output.token`
	w := newWorld(t, "15.0")
	formats := map[string]string{
		"an update":         `{partner_id: .input.id, ` + id + `}`,
		"an update, dated":  `{partner_id: .input.id, ` + id + `, expiry_date: null}`,
		"on condition":      `if .output.status == "processed" then {partner_id: .input.id, ` + id + `} else null end`,
		"an individual":     `{given_name: .input.given_name, family_name: .input.family_name, name: .input.given_name, ids: [{` + id + `}]}`,
		"a list of one":     `[{updateId: .input.vid, ids: [{` + id + `, status: "valid"}]}]`,
		"with a phone":      `{name: .input.given_name, phone_numbers: [{phone_no: .input.phone}], ids: [{` + id + `}]}`,
		"with line breaks":  "{partner_id: .input.id,\r\n" + id + "}",
		"nothing but false": "",
	}
	for name, format := range formats {
		w.addConnector("15.0", map[string]any{"name": name, "output_format": format})
	}
	if printed, err := w.migrate(nil, "-create"); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	for name, c := range w.connectors() {
		if c["output_format"] != strings.ReplaceAll(formats[name], "\r", "") {
			t.Errorf("%s: %v", name, c["output_format"])
		}
	}
}

// Some connectors only.
func TestOnlySomeAreMoved(t *testing.T) {
	w := newWorld(t, "15.0")
	w.addConnector("15.0", nil)
	second := w.addConnector("15.0", nil)
	if printed, err := w.migrate(nil, "-create", "-only", "2"); err != nil || strings.Contains(printed, "#1 ") {
		t.Errorf("%v\n%s", err, printed)
	}
	if all := w.connectors(); second != 2 || len(all) != 1 || all["Household registry #2"] == nil {
		t.Errorf("connectors: %v", all)
	}
	if _, err := w.migrate(nil, "-create", "-only", "7"); err == nil || !strings.Contains(err.Error(), "no connector 7") {
		t.Errorf("%v", err)
	}
}

// A user who may not read settings and jobs moves connectors too: what they say is told
// as unknown, and no VID is removed for it.
func TestAUserWithFewRights(t *testing.T) {
	w := newWorld(t, "15.0")
	w.odoo.SetMTSDeletion(true)
	w.addConnector("15.0", nil)
	printed, err := w.migrate(map[string]string{"ODOO_PASSWORD": "registrarpw1"}, "-user", "registrar", "-create")
	if err != nil || !strings.Contains(printed, "may not see whether Odoo's job deletes VIDs") {
		t.Errorf("%v\n%s", err, printed)
	}
	c := w.connectors()["Household registry"]
	if registry := c["registry"].(map[string]any); c["remove_vids"] != false || registry["vid_type"] != "MOSIP VID" || registry["username"] != "registrar" {
		t.Errorf("%v", c)
	}
}

// The settings of Odoo say which types are meant, and whether VIDs are removed.
func TestTheSettingsOfOdooAreCarriedOver(t *testing.T) {
	w := newWorld(t, "15.0")
	w.odoo.RenameType(odoosim.VIDType, "VID")
	w.odoo.SetParameter("g2p_mts.uin_token_id_type", "3")
	w.addConnector("15.0", map[string]any{"output_format": nil, "g2p_search_domain": "[]"})
	if printed, err := w.migrate(nil, "-create"); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	c := w.connectors()["Household registry"]
	if registry := c["registry"].(map[string]any); registry["vid_type"] != "VID" || registry["token_type"] != "NATIONAL ID" || c["remove_vids"] != false {
		t.Errorf("%v", c)
	}
}

// What is wrong with the Odoo that is named is said so.
func TestWhatIsWrongWithOdooIsSaid(t *testing.T) {
	w := newWorld(t, "15.0")
	other := newOdoo(t, odoosim.Options{})
	for name, c := range map[string]struct {
		environment map[string]string
		args        []string
		want        string
	}{
		"the password":       {environment: map[string]string{"ODOO_PASSWORD": "wrong"}, want: "(-user, ODOO_PASSWORD)"},
		"the database":       {args: []string{"-database", "other"}, want: "Check -database"},
		"no module":          {args: []string{"-odoo", other}, want: "mts_connector is not installed"},
		"nobody is there":    {args: []string{"-odoo", "http://127.0.0.1:9"}, want: "connectors of Odoo"},
		"no address":         {args: []string{"-odoo", "odoo"}, want: "-odoo: the address must be one such as"},
		"an unknown client":  {environment: map[string]string{"CLIENT_SECRET": "another"}, want: "401"},
		"no API to create":   {environment: map[string]string{"API": ""}, args: []string{"-create"}, want: "API is not set"},
		"no issuer":          {environment: map[string]string{"TOKEN_URL": ""}, want: "TOKEN_URL"},
		"no password":        {environment: map[string]string{"ODOO_PASSWORD": ""}, want: "ODOO_PASSWORD is not set"},
		"no database":        {args: []string{"-database", ""}, want: "-database is missing"},
		"a word":             {args: []string{"create"}, want: `"create" is no flag`},
		"a file that is not": {args: []string{"-changes", "/nowhere"}, want: "-changes"},
		"a name for an id":   {args: []string{"-only", "first"}, want: `"first" is no id`},
	} {
		t.Run(name, func(t *testing.T) {
			if printed, err := w.migrate(c.environment, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\n%s", err, printed)
			}
		})
	}
	if len(w.writes()) > 0 {
		t.Errorf("requests: %v", w.writes())
	}
}

// The README's fields are all of them carried over, with registrants or with ODK as input.
func TestEachFieldOfOdoosConnectorIsInThePlan(t *testing.T) {
	w := newWorld(t, "15.0")
	w.addConnector("15.0", nil)
	if printed, err := w.migrate(nil, "-create", "-direct"); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	wish := wishes{RegistryURL: w.odooURL, Username: "admin", Password: "admin", Direct: true}
	p, ofODK := planOf(recorded(t, "15.0")[0], siteOf("15.0"), wish), planOf(recorded(t, "15.0")[1], siteOf("15.0"), wish)
	for here, member := range seeds(t) {
		if at(p.Body, here) == nil && at(ofODK.Body, here) == nil {
			t.Errorf("%s (%s) is not in the plan", here, member)
		}
	}
}

func newOdoo(t *testing.T, o odoosim.Options) (address string) {
	t.Helper()
	network := serve(t, odoosim.New(o))
	return network
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := newServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
