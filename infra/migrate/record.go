package main

import (
	"fmt"
	"strings"
)

// record is an mts.connector as Odoo sends it: false for what is empty.
type record map[string]any

// text is a field without the spaces around it, "" if it is empty.
func (r record) text(field string) string {
	switch v := r[field].(type) {
	case nil, bool:
		return ""
	case string:
		return strings.TrimSpace(v)
	default:
		return fmt.Sprint(v)
	}
}

// number is a field, 0 if it is empty.
func (r record) number(field string) int {
	n, _ := r[field].(int)
	return n
}

// empty reports whether a field has no value.
func (r record) empty(field string) bool {
	switch v := r[field].(type) {
	case nil:
		return true
	case bool:
		return !v
	case int:
		return v == 0
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	}
	return false
}

// connectorFields are the fields of the modules mts_connector and g2p_mts
// (facts/mts.md 5.1). The lines 15.0 and 17.0 have the same ones.
var connectorFields = []string{
	"name", "mts_url", "input_type", "mapping", "output_type", "output_format", "delivery_type", "lang_code", "job_status", "is_recurring",
	"cron_id", "start_datetime", "end_datetime", "interval_minutes", "odk_base_url", "odk_odata_url", "odk_email", "odk_password",
	"callback_url", "callback_httpmethod", "callback_timeout", "callback_authtype", "callback_auth_url", "callback_auth_database",
	"callback_auth_username", "callback_auth_password", "g2p_search_domain", "g2p_selected_fields",
}

// ownOfOdoo are fields that Odoo gives every model, or every one with a history.
func ownOfOdoo(field string) bool {
	switch field {
	case "id", "display_name", "create_uid", "create_date", "write_uid", "write_date", "__last_update":
		return true
	}
	return strings.HasPrefix(field, "message_") || strings.HasPrefix(field, "activity_") || strings.HasPrefix(field, "website_message_")
}

// site is what plans need to know of the Odoo around the connectors.
type site struct {
	URL, Database string
	Odoo          string // version, such as "17.0"; "" if it does not say
	Line          string // of OpenG2P's modules: "15.0", or "17.0" for later ones
	// VIDType and TokenType are the names of the identifier types of the settings; ""
	// if they are not set, or the user may not read them.
	VIDType, TokenType string
	Deletes            *bool             // whether the job that deletes VIDs is on; nil if the user may not see it
	DeleteDomain       bool              // whether that job has another search domain than the default
	Registrants        map[string]string // types of the fields of registrants by name; nil if the user may not see them
}

// wishes are what the person says about all new connectors.
type wishes struct {
	RegistryURL, Username, Password string
	Direct                          bool // calls of OpenG2P's own API stay calls of it
}
