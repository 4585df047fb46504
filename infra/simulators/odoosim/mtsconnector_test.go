package odoosim_test

import (
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// Each call follows the one before it.
func TestMTSConnectors(t *testing.T) {
	const (
		create  = `"mts.connector", "create", `
		least   = `"name": "c", "input_type": "custom", "output_type": "json", "delivery_type": "callback", "is_recurring": `
		press   = `"mts.connector", "mts_action_trigger", [[1]], {}`
		invalid = "!odoo.exceptions.ValidationError|"
	)
	read := func(fields string) string { return `"mts.connector", "read", [[1], [` + fields + `]], {}` }
	jobs := `"ir.cron", "search_read", [[["code", "like", "mts_onetime_action"]], ["name", "interval_number", "active"]], {}`
	c := serve(t, odoosim.Options{MTS: true})
	for _, each := range [][2]string{
		{create + `[{` + least + `"recurring", "interval_minutes": 5}], {}`, "1"},
		{read(`"job_status", "callback_timeout", "lang_code", "cron_id", "output_format", "start_datetime"`),
			`[{"id": 1, "job_status": "draft", "callback_timeout": 10, "lang_code": "eng", "cron_id": false, "output_format": false, "start_datetime": false}]`},
		// Stored texts are JSON, selections are those of the module, nothing required is empty.
		{`"mts.connector", "write", [[1], {"mapping": "vid"}], {}`, invalid + "Mapping is not valid json."},
		{`"mts.connector", "write", [[1], {"mapping": false}], {}`, invalid + "…"},
		{`"mts.connector", "write", [[1], {"g2p_search_domain": "[('a', '=', 1)]"}], {}`, invalid + "…"},
		{`"mts.connector", "write", [[1], {"output_type": "csv"}], {}`, "!builtins.ValueError|…"},
		{`"mts.connector", "write", [[1], {"end_datetime": "2030-01-01 00:00:00"}], {}`, invalid + "…"},
		{`"mts.connector", "write", [[1], {"start_datetime": "2026-01-02 00:00:00", "end_datetime": "2026-01-01 00:00:00"}], {}`, invalid + "…"},
		// The button starts, stops and starts again; while it runs nobody deletes it.
		{press, "none"},
		{read(`"job_status", "cron_id", "start_datetime", "end_datetime"`),
			`[{"id": 1, "job_status": "running", "cron_id": [2, "MTS Cron c #1"], "start_datetime": "2026-11-21 11:55:00", "end_datetime": "2026-11-21 12:00:00"}]`},
		{jobs, `[{"id": 2, "name": "MTS Cron c #1", "interval_number": 5, "active": true}]`},
		{`"mts.connector", "unlink", [[1]], {}`, "!odoo.exceptions.AccessError|…"},
		{press, "none"},
		{read(`"job_status", "cron_id"`), `[{"id": 1, "job_status": "completed", "cron_id": false}]`},
		{jobs, "[]"},
		{press, "none"},
		{read(`"job_status", "cron_id"`), `[{"id": 1, "job_status": "running", "cron_id": [3, "MTS Cron c #1"]}]`},
		{press, "none"},
		// A one-time job is queued, and never has a job of its own.
		{`"mts.connector", "write", [[1], {"is_recurring": "onetime"}], {}`, "true"},
		{press, "none"},
		{read(`"job_status", "cron_id"`), `[{"id": 1, "job_status": "started", "cron_id": false}]`},
		{press, "none"},
		{`"mts.connector", "unlink", [[1]], {}`, "true"},
		{`"mts.connector", "mts_action_trigger", [[1]], {}`, "!odoo.exceptions.MissingError|…"},
		{`"res.partner", "mts_action_trigger", [[1]], {}`, "!builtins.AttributeError|…"},
		// The settings and the job of the module.
		{`"ir.config_parameter", "get_param", ["g2p_mts.vid_id_type"], {}`, `"1"`},
		{`"ir.cron", "search_count", [[["code", "like", "delete_vids_if_token"]]], {}`, "0"}, // it is off
		{`"ir.cron", "search_read", [[["code", "like", "delete_vids_if_token"]], ["active"]], {"context": {"active_test": false}}`, `[{"id": 1, "active": false}]`},
	} {
		c.want(each[0], each[1])
	}
}

// Every internal user may do everything with connectors, and nothing with settings and
// jobs, though the button makes and ends jobs for them.
func TestRightsToMTSConnectors(t *testing.T) {
	c := serve(t, odoosim.Options{MTS: true})
	id := c.sim.AddMTSConnector(map[string]any{"name": "c", "input_type": "custom", "output_type": "json", "delivery_type": "callback", "is_recurring": "recurring", "interval_minutes": int64(5)})
	clerk := func(call string) answer { return c.send("POST", "/jsonrpc", execute(`6, "clerkpw1"`, call)) }
	for _, each := range [][2]string{
		{`"mts.connector", "search_read", [[], ["callback_auth_password"]], {}`, `[{"id": 1, "callback_auth_password": false}]`},
		{`"mts.connector", "mts_action_trigger", [[1]], {}`, "none"},
		{`"ir.cron", "search_count", [[]], {}`, "!odoo.exceptions.AccessError|…"},
		{`"ir.config_parameter", "get_param", ["g2p_mts.vid_id_type"], {}`, "!odoo.exceptions.AccessError|…"},
	} {
		if got := clerk(each[0]).outcome(); !fits(got, each[1]) {
			t.Errorf("%s: %s, want %s", each[0], got, each[1])
		}
	}
	if status, job := c.sim.MTSConnector(id); status != "running" || !job {
		t.Errorf("%s, with a job: %v", status, job)
	}
}

// An Odoo without the modules has none of their models.
func TestWithoutTheMTSModules(t *testing.T) {
	c := serve(t, odoosim.Options{})
	for _, model := range []string{"mts.connector", "ir.cron"} {
		c.want(`"`+model+`", "search", [[]], {}`, "!odoo.exceptions.UserError|…")
	}
}
