package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

// host is a simulator under a name: of MTS, of ODK Central, or else of a registry of so
// many registrants.
type host struct {
	name        string
	mts         *mtssim.Options
	central     bool
	registrants int
	seed        int64
}

// Names of connectors of the demo, and of what they are connected to.
const (
	Households = "Household registry" // up to date, with rejections of all kinds, imports and changes
	Pensions   = "Pension register"   // the registry refuses its password
	Schools    = "School meals"       // in the middle of a run
	Fishers    = "سجل الصيادين"       // stopped
	Surveys    = "Field registration" // of ODK: with registrants of submissions, and rejections

	MTS     = "mts.example"
	SlowMTS = "mts.slow.example" // takes 1 s for each record
	Fresh   = "registry.example" // a registry that no connector of the demo has
	Central = "central.example"  // with one form
)

var hosts = []host{
	{name: MTS, mts: &mtssim.Options{Workers: 4}},
	{name: SlowMTS, mts: &mtssim.Options{Workers: 2, IdentityLatency: time.Second}},
	{name: Central, central: true},
	{name: Fresh, registrants: 250, seed: 5},
	{name: "households.example", registrants: 3000, seed: 1},
	{name: "pensions.example", registrants: 250, seed: 2},
	{name: "schools.example", registrants: 5000, seed: 3}, // its run lasts longer than all tests
	{name: "fishers.example", registrants: 250, seed: 4},
	{name: "surveys.example"},
}

// RegistryOf has the host of a connector's registry, by its name.
var RegistryOf = map[string]string{
	Households: "households.example", Pensions: "pensions.example", Schools: "schools.example", Fishers: "fishers.example",
	Surveys: "surveys.example",
}

// Configuration is a connector with the defaults, as a person would send it.
func Configuration(name, mts, registry string) map[string]any {
	return map[string]any{
		"name": name, "mts_url": "https://" + mts,
		"registry": map[string]any{"url": "https://" + registry, "database": "g2p", "username": "admin", "password": "admin"},
	}
}

// Form is the OData address of the form of Central, as a person copies it there. MTS
// reaches it without TLS.
const Form = "http://" + Central + "/v1/projects/1/forms/" + centralsim.DemoForm + ".svc"

// OfODK is a connector of the form with the defaults, as a person would send it.
func OfODK(name, mts, registry string) map[string]any {
	c := Configuration(name, mts, registry)
	c["input_type"] = "odk"
	c["odk"] = map[string]any{"base_url": "http://" + Central, "odata_url": Form, "email": centralsim.DemoUser, "password": centralsim.DemoPassword}
	c["mapping"] = map[string]any{
		"vid": "vid", "name": []string{"person.name"}, "gender": "person.gender", "dob": "person.dob",
		"phoneNumber": "person.phone", "emailId": "person.email", "fullAddress": []string{"where.address"},
	}
	return c
}

// As makes a call of the API as a person, past the network. reply may be nil.
func (w *World) As(ctx context.Context, p Person, method, path string, body, reply any, headers ...string) error {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	r := httptest.NewRequestWithContext(context.WithValue(ctx, callerKey{}, p.caller()), method, path, &sent)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got := httptest.NewRecorder()
	w.api.ServeHTTP(got, r)
	if got.Code >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, got.Code, got.Body)
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(got.Body.Bytes(), reply)
}

// create makes a connector, and remembers it by its name.
func (w *World) create(ctx context.Context, configuration map[string]any) error {
	var made struct{ ID string }
	if err := w.As(ctx, Ada, http.MethodPost, "/connectors", configuration, &made); err != nil {
		return err
	}
	w.Connectors[configuration["name"].(string)] = made.ID
	return nil
}

// Change changes members of the configuration of a connector.
func (w *World) Change(ctx context.Context, p Person, name string, change func(map[string]any)) error {
	path := "/connectors/" + w.Connectors[name]
	var read map[string]any
	if err := w.As(ctx, p, http.MethodGet, path, nil, &read); err != nil {
		return err
	}
	change(read)
	return w.As(ctx, p, http.MethodPut, path, read, nil, "If-Match", fmt.Sprintf(`"%v"`, read["version"]))
}

// run lets the schedules pass until nothing is under way.
func (w *World) run(ctx context.Context, ticks int) {
	for range ticks {
		w.Tick(ctx)
		w.invoker.Wait()
		w.clock.Advance(time.Minute)
	}
}

// past makes what happened in the last days.
func (w *World) past(ctx context.Context) error {
	now := time.Now().UTC()
	post := func(p Person, name, call string, body any) error {
		return w.As(ctx, p, http.MethodPost, "/connectors/"+w.Connectors[name]+call, body, nil)
	}
	today := func(before time.Duration) { w.clock.at(now.Add(-before)) }

	today(75 * time.Hour)
	for _, c := range [][2]string{{Households, MTS}, {Pensions, MTS}, {Fishers, MTS}, {Schools, SlowMTS}} {
		if err := w.create(ctx, Configuration(c[0], c[1], RegistryOf[c[0]])); err != nil {
			return err
		}
	}
	if err := w.create(ctx, OfODK(Surveys, MTS, RegistryOf[Surveys])); err != nil {
		return err
	}
	today(74 * time.Hour)
	w.Centrals[Central].Populate(400, 6)
	for _, name := range []string{Households, Pensions, Fishers, Surveys} {
		if err := post(Omar, name, "/start", nil); err != nil {
			return err
		}
	}
	w.run(ctx, 3)
	today(50 * time.Hour)
	if err := w.Change(ctx, Ada, Households, func(c map[string]any) { c["batch_maximum"], c["width_maximum"] = 500, 8 }); err != nil {
		return err
	}
	if err := post(Omar, Fishers, "/stop", nil); err != nil {
		return err
	}
	today(26 * time.Hour)
	if err := post(Omar, Households, "/imports", map[string]any{}); err != nil {
		return err
	}
	w.Centrals[Central].Populate(20, 7)
	window := map[string]any{"from": now.Add(-80 * time.Hour).Truncate(time.Second), "to": now.Add(-70 * time.Hour).Truncate(time.Second)}
	if err := post(Omar, Surveys, "/imports", map[string]any{"window": window}); err != nil {
		return err
	}
	w.run(ctx, 2)
	today(3 * time.Hour)
	w.Registries[RegistryOf[Pensions]].SetPassword("admin", "another")
	if err := post(Omar, Pensions, "/imports", map[string]any{}); err != nil {
		return err
	}
	w.run(ctx, 2)
	today(time.Minute)
	w.run(ctx, 1)
	return nil
}

// present begins what is under way.
func (w *World) present(ctx context.Context) error {
	return w.As(ctx, Omar, http.MethodPost, "/connectors/"+w.Connectors[Schools]+"/start", nil, nil)
}
