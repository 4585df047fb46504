package odoosim

import (
	"encoding/json"
	"fmt"
	"slices"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// The modules mts_connector and g2p_mts: the connector that Odoo has itself
// (facts/mts.md 5). Their Python is the same in the lines 15.0 and 17.0. The connectors
// are there to be read, written, started and stopped; they send nothing.

const (
	connectorModel = "mts.connector"
	cronModel      = "ir.cron"
)

// MTSDefaultMapping is the default of mapping, which is MTS's own (facts/mts.md 2.3).
const MTSDefaultMapping = `{"vid": "vid", "name": ["name"], "gender": "gender", "dob": "dob", "phoneNumber": "phoneNumber", ` +
	`"emailId": "emailId", "fullAddress": ["fullAddress"]}`

// MTSDefaultDomain and MTSDefaultFields are the defaults of g2p_mts.
const (
	MTSDefaultDomain = `[["is_registrant", "=", true], ["reg_ids.id_type", "=like", "MOSIP VID"], "!", ["reg_ids.id_type", "=like", "MOSIP UIN TOKEN"]]`
	MTSDefaultFields = `["id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"]`
)

// deleteCode is what the job "Delete MOSIP VID Ids" runs.
const deleteCode = "model.delete_vids_if_token()"

func newMTSConnectorModel() *model {
	return newModel(connectorModel, "MTS Connector", "id",
		field{name: "name", label: "Name", kind: charKind, required: true},
		field{name: "mts_url", label: "URL to reach MTS", kind: charKind, required: true},
		field{name: "input_type", label: "MTS Input Type", kind: selectionKind, selection: []string{"odk", "custom"}, required: true},
		field{name: "mapping", label: "Mapping", kind: textKind, required: true},
		field{name: "output_type", label: "MTS Output Type", kind: selectionKind, selection: []string{"json"}, required: true},
		field{name: "output_format", label: "MTS Output Format", kind: textKind},
		field{name: "delivery_type", label: "MTS Delivery Type", kind: selectionKind, selection: []string{"callback"}, required: true},
		field{name: "lang_code", label: "Mosip Language", kind: charKind, required: true},
		field{name: "job_status", label: "Status", kind: selectionKind, selection: []string{"draft", "started", "running", "completed"}, required: true},
		field{name: "is_recurring", label: "Job Type", kind: selectionKind, selection: []string{"recurring", "onetime"}, required: true},
		field{name: "cron_id", label: "Cron Job", kind: many2one, relation: cronModel},
		field{name: "start_datetime", label: "Start Time", kind: datetimeKind},
		field{name: "end_datetime", label: "End Time", kind: datetimeKind},
		field{name: "interval_minutes", label: "Interval in minutes", kind: intKind},
		field{name: "odk_base_url", label: "ODK Base Url", kind: charKind},
		field{name: "odk_odata_url", label: "ODK ODATA Url", kind: charKind},
		field{name: "odk_email", label: "ODK User email", kind: charKind},
		field{name: "odk_password", label: "ODK User password", kind: charKind},
		field{name: "callback_url", label: "Callback URL", kind: charKind},
		field{name: "callback_httpmethod", label: "Callback HTTP Method", kind: selectionKind, selection: []string{"POST", "PUT", "GET", "PATCH"}},
		field{name: "callback_timeout", label: "Callback Timeout", kind: intKind},
		field{name: "callback_authtype", label: "Callback Auth Type", kind: selectionKind, selection: []string{"odoo"}},
		field{name: "callback_auth_url", label: "Callback Auth Url", kind: charKind},
		field{name: "callback_auth_database", label: "Callback Auth Database", kind: charKind},
		field{name: "callback_auth_username", label: "Callback Auth Username", kind: charKind},
		field{name: "callback_auth_password", label: "Callback Auth Password", kind: charKind},
		field{name: "g2p_search_domain", label: "Filters to apply to Registry", kind: textKind},
		field{name: "g2p_selected_fields", label: "List of fields to be used", kind: textKind},
	)
}

func newCronModel() *model {
	return newModel(cronModel, "Scheduled Actions", "id",
		field{name: "name", label: "Name", kind: charKind},
		field{name: "code", label: "Python Code", kind: textKind},
		field{name: "active", label: "Active", kind: boolKind},
		field{name: "interval_number", label: "Interval Number", kind: intKind},
		field{name: "interval_type", label: "Interval Unit", kind: selectionKind, selection: []string{"minutes", "hours", "days"}},
		field{name: "numbercall", label: "Number of Calls", kind: intKind})
}

// mtsTables are the tables that the modules add.
func mtsTables() map[string]*table {
	return map[string]*table{connectorModel: newTable(newMTSConnectorModel()), cronModel: newTable(newCronModel())}
}

// seedMTS makes the job of the modules, and their settings, which name the types of
// VIDs and tokens.
func (db *database) seedMTS(named func(tab *table, id int64, values map[string]any)) {
	named(db.tables[cronModel], 1, map[string]any{
		"name": "Delete MOSIP VID Ids", "code": deleteCode, "active": false, "interval_number": int64(5), "interval_type": "minutes", "numbercall": int64(-1)})
	for i, setting := range [][2]string{{"g2p_mts.vid_id_type", fmt.Sprint(VIDType)}, {"g2p_mts.uin_token_id_type", fmt.Sprint(TokenType)}} {
		named(db.tables[parameterModel], int64(2+i), map[string]any{"key": setting[0], "value": setting[1]})
	}
}

// connectorDefaults are those of a new connector.
func connectorDefaults() map[string]any {
	return map[string]any{
		"mts_url": "http://mosip-token-seeder.mosip-token-seeder", "mapping": MTSDefaultMapping, "lang_code": "eng", "job_status": "draft",
		"callback_timeout": int64(10), "g2p_search_domain": MTSDefaultDomain, "g2p_selected_fields": MTSDefaultFields,
	}
}

// connectorRules are the constraints of the model that concern its texts and times.
// Whether output_format is jq is not looked at.
func (t *tx) connectorRules(ids []int64) *exception {
	tab := t.db.tables[connectorModel]
	for _, id := range ids {
		r := t.get(tab, id)
		for name, refusal := range map[string]string{
			"mapping": "Mapping is not valid json.", "g2p_search_domain": "Search Domain is not valid json.", "g2p_selected_fields": "Selected Fields is not valid json.",
		} {
			text, _ := r.v[tab.model.column(name)].(string)
			if text != "" && !json.Valid([]byte(text)) {
				return invalid("%s", refusal)
			}
		}
		start, _ := r.v[tab.model.column("start_datetime")].(stamp)
		end, _ := r.v[tab.model.column("end_datetime")].(stamp)
		switch {
		case start > t.began:
			return invalid("Start Time cannot be after the current time.")
		case end > t.began:
			return invalid("End Time cannot be after the current time.")
		case start != 0 && end != 0 && end < start:
			return invalid("Start Time cannot be after End Time.")
		}
	}
	return nil
}

// atWork reports whether a connector is started or running: it must not be deleted.
func (t *tx) atWork(r *row) bool {
	status := r.v[t.db.tables[connectorModel].model.column("job_status")]
	return status == "started" || status == "running"
}

// trigger is the button of a connector, which starts, stops and starts again
// (facts/mts.md 5.2). The job is created with the rights of the system.
func (t *tx) trigger(ids []int64) *exception {
	tab, crons := t.db.tables[connectorModel], t.db.tables[cronModel]
	if err := t.may("write", tab.model); err != nil {
		return err
	}
	column := tab.model.column
	for _, id := range ids {
		r := t.get(tab, id)
		if r == nil {
			return missingRecord(connectorModel, t.user.id, id)
		}
		r = r.clone()
		cron, _ := r.v[column("cron_id")].(int64)
		switch {
		case t.atWork(r):
			r.v[column("job_status")], r.v[column("cron_id")] = "completed", nil
			if cron != 0 {
				t.set(crons, cron, nil)
			}
		case r.v[column("is_recurring")] == "recurring":
			minutes, _ := r.v[column("interval_minutes")].(int64)
			job := &row{id: crons.last.Add(1), v: make([]any, crons.model.width)}
			for name, v := range map[string]any{
				"name": fmt.Sprintf("MTS Cron %s #%d", python.Str(r.v[column("name")]), id), "code": fmt.Sprintf("model.mts_onetime_action(%d)", id),
				"active": true, "interval_number": minutes, "interval_type": "minutes", "numbercall": int64(-1),
			} {
				job.v[crons.model.column(name)] = v
			}
			t.set(crons, job.id, job)
			r.v[column("job_status")], r.v[column("cron_id")] = "running", job.id
			r.v[column("start_datetime")], r.v[column("end_datetime")] = t.began-stamp(minutes*60_000_000), t.began
		default:
			r.v[column("job_status")] = "started"
		}
		t.set(tab, id, r)
		t.work.wrote++
	}
	return nil
}

// AddMTSConnector adds a connector with Odoo's defaults. It checks nothing, so that one
// can be as an older version of the module, an import or SQL left it. Values are texts,
// int64, or nil for an empty field.
func (s *Server) AddMTSConnector(values map[string]any) int64 {
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	tab := s.main.tables[connectorModel]
	r := &row{id: tab.last.Add(1), v: make([]any, tab.model.width)}
	for _, all := range []map[string]any{connectorDefaults(), values} {
		for name, v := range all {
			if text, ok := v.(string); ok && tab.model.named[name].kind == datetimeKind {
				at, err := parseStamp(text, s.options.Now())
				if err != nil {
					panic("odoosim: " + name + ": " + err.Error())
				}
				v = at
			}
			r.v[tab.model.column(name)] = v
		}
	}
	tab.put(r)
	return r.id
}

// MTSConnector returns the status of a connector, and whether it has a job.
func (s *Server) MTSConnector(id int64) (status string, job bool) {
	s.main.mu.RLock()
	defer s.main.mu.RUnlock()
	tab := s.main.tables[connectorModel]
	status, _ = tab.rows[id].v[tab.model.column("job_status")].(string)
	cron, _ := tab.rows[id].v[tab.model.column("cron_id")].(int64)
	return status, slices.Contains(s.main.tables[cronModel].ids, cron)
}

// SetMTSDeletion switches the job that deletes VIDs on or off.
func (s *Server) SetMTSDeletion(on bool) {
	s.change(s.main.tables[cronModel], 1, map[string]any{"active": on})
}

// SetParameter sets a system parameter; false if there is none of the key.
func (s *Server) SetParameter(key, value string) bool {
	tab := s.main.tables[parameterModel]
	for id, r := range tab.rows {
		if r.v[tab.model.column("key")] == key {
			return s.change(tab, id, map[string]any{"value": optional(value)})
		}
	}
	return false
}
