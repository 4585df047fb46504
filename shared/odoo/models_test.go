package odoo_test

import (
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/seeding"
)

// All models can be used by each way to sign in.
func TestModels(t *testing.T) {
	for way, o := range map[string]odoosim.Options{"session": {MTS: true}, "execute_kw": {MTS: true}, "json2": {MTS: true, JSON2: true}} {
		t.Run(way, func(t *testing.T) {
			sim := odoosim.New(o)
			server := httptest.NewServer(sim)
			defer server.Close()
			password := "admin"
			if way != "session" {
				password = sim.AddKey("admin", time.Time{})
			}
			registry, err := odoo.Examine(server.Client(), seeding.Connector{
				Registry: seeding.RegistryAccess{URL: server.URL, Database: "g2p", Username: "admin"}, Source: seeding.RegistrySource{Domain: "[]"},
			}, password, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if found, err := registry.SignIn(t.Context()); err != nil || found != way {
				t.Fatalf("%s %v", found, err)
			}
			models := registry.Models()
			id := sim.AddMTSConnector(map[string]any{"name": "c", "is_recurring": "recurring", "interval_minutes": int64(5)})

			// An archived record is read too; numbers are numbers.
			rows, err := models.Read(t.Context(), "ir.cron", []any{[]any{"code", "like", "delete_vids"}}, []string{"active", "interval_number"}, 10)
			if want := []map[string]any{{"id": 1, "active": false, "interval_number": 5}}; err != nil || !reflect.DeepEqual(rows, want) {
				t.Errorf("%v %v", rows, err)
			}
			if _, err = models.Read(t.Context(), "g2p.id.type", []any{}, []string{"name"}, 2); !seeding.FaultOf(err).TooLarge() {
				t.Errorf("more rows than were asked for: %v", err)
			}
			types, err := models.FieldTypes(t.Context(), "mts.connector")
			if err != nil || types["mapping"] != "text" || types["cron_id"] != "many2one" || types["nothing"] != "" {
				t.Errorf("%v %v", slices.Sorted(maps.Keys(types)), err)
			}
			for key, want := range map[string]string{"g2p_mts.vid_id_type": "1", "not.set": ""} {
				if value, err := models.Parameter(t.Context(), key); err != nil || value != want {
					t.Errorf("%s: %q %v", key, value, err)
				}
			}
			if err := models.Press(t.Context(), "mts.connector", "mts_action_trigger", id); err != nil {
				t.Error(err)
			}
			if status, job := sim.MTSConnector(id); status != "running" || !job {
				t.Errorf("%s, with a job: %v", status, job)
			}

			// Refusals are faults.
			for what, call := range map[string]struct {
				do   func() error
				want seeding.FaultKind
			}{
				"no model":  {func() error { _, err := models.FieldTypes(t.Context(), "no.model"); return err }, seeding.RefusedSchema},
				"no method": {func() error { return models.Press(t.Context(), "mts.connector", "no_method", id) }, seeding.RefusedSchema},
				"no record": {func() error { return models.Press(t.Context(), "mts.connector", "mts_action_trigger", 99) }, seeding.RefusedData},
				"no right": {func() error {
					sim.Deny("ir.cron", "read")
					_, err := models.Read(t.Context(), "ir.cron", []any{}, []string{"name"}, 10)
					return err
				}, seeding.RefusedRights},
			} {
				if err := call.do(); seeding.FaultOf(err).Kind != call.want || err == nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			server.Close()
			if err := models.Press(t.Context(), "mts.connector", "mts_action_trigger", id); err == nil || seeding.FaultOf(err).Kind != seeding.Unknown {
				t.Errorf("a button without a reply: %v", err)
			}
		})
	}
}
