package odoosim_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

const (
	mtsDomain  = `[["is_registrant", "=", true], ["reg_ids.id_type", "=like", "MOSIP VID"], "!", ["reg_ids.id_type", "=like", "MOSIP UIN TOKEN"]]`
	regGroups  = "This operation is allowed for the following groups:\n\t- OpenG2P Module Access/Administrator\n\t- OpenG2P Module Access/Registrar\n\nContact your administrator to request access if necessary."
	noSet      = "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n- Delete: another model requires the record being deleted. If possible, archive it instead.\n\nModel: Registrant ID (g2p.reg.id), Field: "
	fkey       = "!odoo.exceptions.ValidationError|The operation cannot be completed: another model requires the record being deleted. If possible, archive it instead.\n\nModel: Registrant ID (g2p.reg.id), Constraint: "
	errorPage  = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n<p>The server encountered an internal error and was unable to complete your request. Either the server is overloaded or there is an error in the application.</p>\n"
	badRequest = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n<p>%s</p>\n"
)

// Whole bodies, byte for byte as they were recorded.
func TestRecordedBodies(t *testing.T) {
	c := registry(t, odoosim.Options{})
	version := `{"server_version": "14.0", "server_version_info": [14, 0, 0, "final", 0, ""], "server_serie": "14.0", "protocol_version": 1}`
	common := func(method, args, id string) string {
		return `{"params": {"service": "common", "method": "` + method + `", "args": ` + args + `}` + id + `}`
	}
	for _, each := range []struct{ name, body, contentType, want string }{
		{"version", common("version", "[]", `, "id": 5`), "", `{"jsonrpc": "2.0", "id": 5, "result": ` + version + `}`},
		{"another method is ignored", `{"method": "whatever", "id": "abc", "params": {"service": "common", "method": "version", "args": []}}`, "",
			`{"jsonrpc": "2.0", "id": "abc", "result": ` + version + `}`},
		{"no id", common("version", "[]", ""), "application/json; charset=utf-8", `{"jsonrpc": "2.0", "id": null, "result": ` + version + `}`},
		{"login", common("login", `["g2p", "admin", "admin"]`, `, "id": 6`), "", `{"jsonrpc": "2.0", "id": 6, "result": 2}`},
		{"login of the registrar", common("authenticate", `["g2p", "registrar", "registrarpw1", {}]`, `, "id": 7`), "", `{"jsonrpc": "2.0", "id": 7, "result": 7}`},
		{"wrong password", common("login", `["g2p", "admin", "nope"]`, `, "id": 9`), "", `{"jsonrpc": "2.0", "id": 9, "result": false}`},
		{"unknown user", common("authenticate", `["g2p", "nobody", "nope", {}]`, `, "id": 11`), "", `{"jsonrpc": "2.0", "id": 11, "result": false}`},
		{"wrong database", common("login", `["nodb", "admin", "admin"]`, `, "id": 12`), "",
			`{"jsonrpc": "2.0", "id": 12, "error": {"code": 200, "message": "Odoo Server Error", "data": {"name": "psycopg2.OperationalError", "message": "FATAL:  database \"nodb\" does not exist\n", "arguments": ["FATAL:  database \"nodb\" does not exist\n"], "context": {}}}}`},
		{"non-ASCII is escaped", execute(`2, "admin"`, `"res.partner", "search_read", [[["family_name", "=", "Ñúñez"]]], {"fields": ["family_name", "id"]}`), "",
			`{"jsonrpc": "2.0", "id": 1, "result": [{"id": 8, "family_name": "\u00d1\u00fa\u00f1ez"}]}`},
		{"not JSON", "hello", "", fmt.Sprintf(badRequest, "Invalid JSON data: 'hello'")},
		{"a batch", `[{"params": {"service": "common", "method": "version", "args": []}, "id": 71}]`, "", errorPage},
		{"text/plain", common("version", "[]", ""), "text/plain", fmt.Sprintf(badRequest, "Session expired (invalid CSRF token)")},
		{"a form", common("version", "[]", ""), "application/x-www-form-urlencoded", fmt.Sprintf(badRequest, "Session expired (invalid CSRF token)")},
	} {
		var header []string
		if each.contentType != "" {
			header = []string{"Content-Type", each.contentType}
		}
		got := c.send("POST", "/jsonrpc", each.body, header...)
		if body := debug.ReplaceAllString(got.body, ""); body != each.want {
			t.Errorf("%s:\n got %s\nwant %s", each.name, body, each.want)
		}
		if got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: /jsonrpc sets no cookie", each.name)
		}
	}
}

func TestRecordedOutcomes(t *testing.T) {
	c := registry(t, odoosim.Options{})
	registrant := `"fields": ["id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"]`
	for _, each := range [][2]string{
		{`"res.partner", "search_read", [` + mtsDomain + `], {` + registrant + `, "limit": 2, "order": "id"}`,
			`[{"id": 7, "given_name": "Amina", "family_name": "Mendoza", "birthdate": "1990-11-02", "gender": "Male", "address": "0 Rizal St\nBrgy 0\nQuezon City", "email": "r00000@example.org", "phone": "+639170000000"}, ` +
				`{"id": 8, "given_name": "Ana", "family_name": "\u00d1\u00fa\u00f1ez", "birthdate": false, "gender": false, "address": false, "email": false, "phone": false}]`},
		{`"res.partner", "search", [[["is_registrant", "=", true], ["id", ">", 7]]], {"limit": 2, "order": "id"}`, `[8, 9]`},
		{`"res.partner", "search_read", [[["id", ">", 99999999]]], {"fields": ["no_such"]}`, `[]`},
		{`"res.partner", "search_read", [[["id", "=", 7]]], {"fields": ["id", "name", "display_name", "is_registrant", "is_group", "company_id", "parent_id", "country_id", "reg_ids", "category_id", "tags_ids", "birthdate", "registration_date", "disabled", "create_date", "write_date", "write_uid", "gender", "type", "age", "income", "color", "image_128", "comment", "street", "lang", "tz"]}`,
			`[{"id": 7, "name": "MENDOZA, AMINA", "display_name": "MENDOZA, AMINA", "is_registrant": true, "is_group": false, "company_id": [1, "My Company"], "parent_id": false, "country_id": false, "reg_ids": [1], "category_id": [], "tags_ids": [], "birthdate": "1990-11-02", "registration_date": "2026-11-21", "disabled": false, "create_date": "2026-11-21 12:00:00", "write_date": "2026-11-21 12:00:00", "write_uid": [2, "Administrator"], "gender": "Male", "type": "contact", "age": "36", "income": 0.0, "color": 0, "image_128": false, "comment": false, "street": false, "lang": "en_US", "tz": false}]`},
		{`"g2p.reg.id", "search_read", [[["id_type", "=", 1]]], {"fields": ["id", "partner_id", "id_type", "value", "expiry_date", "id_type_as_str", "display_name"], "limit": 1, "order": "id"}`,
			`[{"id": 1, "partner_id": [7, "MENDOZA, AMINA"], "id_type": [1, "MOSIP VID"], "value": "4000000001583807", "expiry_date": false, "id_type_as_str": "MOSIP VID", "display_name": "MENDOZA, AMINA"}]`},
		{`"g2p.reg.id", "search", [[]], {}`, `[3, 2, 1]`},
		{`"g2p.reg.id", "read", [[2], ["partner_id", "id_type", "value"]], {"load": ""}`, `[{"id": 2, "partner_id": 8, "id_type": 1, "value": "4000000001583808"}]`},
		{`"g2p.reg.id", "read", [[99, 3, 1], ["value"]], {}`, `[{"id": 3, "value": "4000000001583809"}, {"id": 1, "value": "4000000001583807"}]`},
		{`"res.partner", "fields_get", [["birthdate", "gender", "reg_ids", "write_date", "company_id"]], {"attributes": ["type", "string", "required", "readonly", "relation", "selection", "store"]}`,
			`{"reg_ids": {"type": "one2many", "readonly": false, "relation": "g2p.reg.id", "required": false, "store": true, "string": "Registrant IDs"}, "company_id": {"type": "many2one", "readonly": false, "relation": "res.company", "required": true, "store": true, "string": "Company"}, "birthdate": {"type": "date", "readonly": false, "required": false, "store": true, "string": "Date of Birth"}, "gender": {"type": "selection", "readonly": false, "required": false, "selection": [["Male", "Male"], ["Female", "Female"], ["Other", "Other"]], "store": true, "string": "Gender"}, "write_date": {"type": "datetime", "readonly": true, "required": false, "store": true, "string": "Last Updated on"}}`},
		{`"g2p.id.type", "name_search", [], {"name": "MOSIP VID", "operator": "=like"}`, `[[1, "MOSIP VID"]]`},
		{`"g2p.reg.id", "read_group", [[], ["id_type"], ["id_type"]], {}`, `[{"id_type_count": 3, "id_type": [1, "MOSIP VID"], "__domain": [["id_type", "=", 1]]}]`},
		{`"g2p.reg.id", "check_access_rights", ["unlink"], {"raise_exception": false}`, `true`},
		{`"res.partner", "enable_registrant", [[7]], {}`, `none`},

		// What goes wrong.
		{`"res.partner", "search_read", [[]], {"fields": ["id", "no_such"], "limit": 1}`, `!builtins.ValueError|Invalid field 'no_such' on model 'res.partner'`},
		{`"res.partner", "search_read", [[["no_such", "=", 1]]], {}`, `!builtins.ValueError|Invalid field res.partner.no_such in leaf ('no_such', '=', 1)`},
		{`"res.partner", "search_read", [[["reg_ids.no_such", "=", 1]]], {}`, `!builtins.ValueError|Invalid field g2p.reg.id.no_such in leaf ('no_such', '=', 1)`},
		{`"res.partner", "search_read", [[["name", "like like", "x"]]], {}`, `!builtins.ValueError|Invalid leaf ('name', 'like like', 'x')`},
		{`"res.partner", "search_read", [["!", ["reg_ids", "any", []]]], {}`, `!builtins.TypeError|unhashable type: 'list'`},
		{`"res.partner", "search_read", [["!"]], {}`, `!builtins.AssertionError|This domain is syntactically not correct: ['!']`},
		{`"res.partner", "search_read", [[]], {"order": "no_such"}`, `!builtins.ValueError|Invalid field 'no_such' on model 'res.partner'`},
		{`"res.partner", "search_read", [[]], {"order": "id; drop"}`, `!odoo.exceptions.UserError|Invalid "order" specified (id; drop). A valid "order" specification is a comma-separated list of valid field names (optionally followed by asc/desc for the direction)`},
		{`"no.such", "search_read", [[]], {}`, `!odoo.exceptions.UserError|Object no.such doesn't exist`},
		{`"res.partner", "no_such_method", [[]], {}`, `!builtins.AttributeError|type object 'res.partner' has no attribute 'no_such_method'`},
		{`"res.partner", "_search", [[]], {}`, `!odoo.exceptions.AccessError|Private methods (such as _search) cannot be called remotely.`},
		{`"res.partner", "search_read", [[], [], 0, 1, "id", 7], {}`, `!builtins.TypeError|search_read() takes from 1 to 6 positional arguments but 7 were given`},
		{`"res.partner", "search_read", [[]], {"fieldz": ["id"]}`, `!builtins.TypeError|search_read() got an unexpected keyword argument 'fieldz'`},
		{`"res.partner", "write", [[7]], {}`, `!builtins.TypeError|write() missing 1 required positional argument: 'vals'`},
		{`"res.partner", "write", [[99999999], {"phone": "1"}], {}`, "!odoo.exceptions.MissingError|Record does not exist or has been deleted.\n(Record: res.partner(99999999,), User: 2)"},
		{`"res.partner", "create", [{"name": "X", "gender": "Robot"}], {}`, `!builtins.ValueError|Wrong value for res.partner.gender: 'Robot'`},
		{`"res.partner", "create", [{"name": "X", "birthdate": "1990/01/02"}], {}`, `!builtins.ValueError|time data '1990/01/02' does not match format '%Y-%m-%d'`},
		{`"res.partner", "create", [{"name": "X", "birthdate": "1990-02-31"}], {}`, `!psycopg2.errors.DatetimeFieldOverflow|date/time field value out of range: "1990-02-31"…`},
		{`"res.partner", "create", [{"name": "X", "no_such": 1}], {}`, `!builtins.ValueError|Invalid field 'no_such' on model 'res.partner'`},
		{`"res.partner", "create", [{"given_name": "A", "is_registrant": true}], {}`, `!odoo.exceptions.ValidationError|res_partner_check_name`},
		{`"res.partner", "unlink", [[7]], {}`, fkey + `g2p_reg_id_partner_id_fkey`},
		{`"res.partner", "unlink", [[99999999]], {}`, "!odoo.exceptions.MissingError|Record does not exist or has been deleted.\n(Record: res.partner(99999999,), User: 2)"},
		{`"g2p.reg.id", "create", [{"partner_id": 10, "id_type": 2, "value": "x", "expiry_date": "soon"}], {}`, `!psycopg2.errors.InvalidDatetimeFormat|invalid input syntax for type date: "soon"…`},
		{`"g2p.id.type", "unlink", [[1]], {}`, fkey + `g2p_reg_id_id_type_fkey`},
		{`"g2p.id.type", "create", [{"name": "mosip vid"}], {}`, `!odoo.exceptions.ValidationError|Id type already exists`},
		{`"g2p.id.type", "create", [[{"name": "a"}, {"name": "b"}]], {}`, `!builtins.ValueError|Expected singleton: g2p.id.type(5, 6)`},
		{`"g2p.reg.id", "create", [{"partner_id": 7, "id_type": 1, "value": "12AB"}], {}`, `!odoo.exceptions.ValidationError|ID Type must be unique.`},
		{`"g2p.reg.id", "write", [[1], {"value": "12AB"}], {}`, `!odoo.exceptions.ValidationError|The provided MOSIP VID ID '12AB' is invalid.`},
		{`"g2p.reg.id", "create", [{"partner_id": 10, "value": "1"}], {}`, `!odoo.exceptions.ValidationError|` + noSet + `ID Type (id_type)`},
		{`"g2p.reg.id", "create", [{"id_type": 2, "value": "1"}], {}`, `!odoo.exceptions.ValidationError|` + noSet + `Registrant (partner_id)`},
		{`"g2p.reg.id", "create", [{"partner_id": 99999999, "id_type": 2, "value": "x"}], {}`, fkey + `g2p_reg_id_partner_id_fkey`},
		{`"g2p.reg.id", "create", [{"partner_id": 10, "id_type": 99999, "value": "x"}], {}`, fkey + `g2p_reg_id_id_type_fkey`},
		{`"g2p.reg.id", "create", [{"partner_id": [10, "S10-1"], "id_type": 2, "value": "x"}], {}`, `!psycopg2.errors.InvalidTextRepresentation|invalid input syntax for type integer: "S10-1"…`},
		{`"g2p.reg.id", "create", [{"partner_id": 10, "id_type": "MOSIP VID", "value": "x"}], {}`, `!psycopg2.errors.InvalidTextRepresentation|invalid input syntax for type integer: "MOSIP VID"…`},
		{`"g2p.reg.id", "write", [[99], {"value": "3333333333333333"}], {}`, "!odoo.exceptions.MissingError|Record does not exist or has been deleted.\n(Record: g2p.reg.id(99,), User: 2)"},
	} {
		c.want(each[0], each[1])
	}
	state := c.sim.State()
	if state.VIDs != 3 || state.Registrants != 4 {
		t.Errorf("errors left something behind: %+v", state)
	}
}

func TestLogins(t *testing.T) {
	c := registry(t, odoosim.Options{})
	other := amina()
	other.Name, other.Company = "S10-other", odoosim.OtherCompany
	hidden := c.sim.AddRegistrant(other)
	clerk, registrar := `6, "clerkpw1"`, `7, "registrarpw1"`
	for _, each := range [][3]string{
		{`2, "nope"`, `"res.partner", "search_count", [[]], {}`, `!odoo.exceptions.AccessDenied|Access Denied`},
		{`9999, "admin"`, `"res.partner", "search_count", [[]], {}`, "!odoo.exceptions.MissingError|Record does not exist or has been deleted.\n(Record: res.users(9999,), User: 9999)"},
		{clerk, `"res.partner", "search_count", [[["is_registrant", "=", true]]], {}`, `4`},
		{clerk, `"g2p.reg.id", "search_read", [[]], {"fields": ["value"], "limit": 1}`, "!odoo.exceptions.AccessError|You are not allowed to access 'Registrant ID' (g2p.reg.id) records.\n\n" + regGroups},
		{clerk, `"res.partner", "search_read", [` + mtsDomain + `], {"fields": ["id"]}`, "!odoo.exceptions.AccessError|You are not allowed to access 'Registrant ID' (g2p.reg.id) records.\n\n" + regGroups},
		{clerk, `"res.partner", "search_read", [[]], {"fields": ["id", "reg_ids"], "limit": 1}`, "!odoo.exceptions.AccessError|You are not allowed to access 'Registrant ID' (g2p.reg.id) records.\n\n" + regGroups},
		{clerk, `"res.partner", "write", [[7], {"phone": "1"}], {}`, "!odoo.exceptions.AccessError|You are not allowed to modify 'Contact' (res.partner) records.\n\nThis operation is allowed for the following groups:\n\t- Extra Rights/Contact Creation\n\t- OpenG2P Module Access/Registrar\n\nContact your administrator to request access if necessary."},
		{registrar, `"res.partner", "search_count", [` + mtsDomain + `], {}`, `3`},
		{registrar, `"g2p.reg.id", "create", [{"partner_id": 10, "id_type": 3, "value": "n"}], {}`, `4`},
		{registrar, `"g2p.reg.id", "write", [[4], {"value": "m"}], {}`, `true`},
		{registrar, `"g2p.reg.id", "unlink", [[4]], {}`, "!odoo.exceptions.AccessError|You are not allowed to delete 'Registrant ID' (g2p.reg.id) records.\n\nThis operation is allowed for the following groups:\n\t- OpenG2P Module Access/Administrator\n\nContact your administrator to request access if necessary."},
		{registrar, `"res.partner", "write", [[10], {"reg_ids": [[2, 4]]}], {}`, "!odoo.exceptions.AccessError|You are not allowed to delete 'Registrant ID' (g2p.reg.id) records.\n\nThis operation is allowed for the following groups:\n\t- OpenG2P Module Access/Administrator\n\nContact your administrator to request access if necessary."},
		{registrar, fmt.Sprintf(`"res.partner", "read", [[%d], ["name"]], {}`, hidden), "!odoo.exceptions.AccessError|Due to security restrictions, you are not allowed to access 'Contact' (res.partner) records.\n\nRecords: S10-other (id=11)\nUser: registrar (id=7)\n\nThis restriction is due to the following rules:\n- res.partner company\n\nNote: this might be a multi-company issue.\n\nContact your administrator to request access if necessary."},
		{registrar, fmt.Sprintf(`"res.partner", "search_read", [[["id", "=", %d]]], {"fields": ["name"]}`, hidden), `[]`},
		{`2, "admin"`, fmt.Sprintf(`"res.partner", "search", [[["id", "=", %d]]], {}`, hidden), `[11]`},
	} {
		if got := c.send("POST", "/jsonrpc", execute(each[0], each[1])).outcome(); got != each[2] {
			t.Errorf("%s %s\n got %s\nwant %s", each[0], each[1], got, each[2])
		}
	}
	c.sim.Deactivate("clerk")
	if got := c.send("POST", "/jsonrpc", execute(clerk, `"res.partner", "search_count", [[]], {}`)).outcome(); got != `!odoo.exceptions.AccessDenied|Access Denied` {
		t.Error("a locked clerk:", got)
	}
}

// The bytes of an answer: HTTP/1.0, and the connection is over.
func TestTransport(t *testing.T) {
	c := serve(t, odoosim.Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"params": {"service": "common", "method": "version", "args": []}, "id": 1}`
	fmt.Fprintf(conn, "POST /jsonrpc HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nAccept-Encoding: gzip\r\nContent-Encoding: gzip\r\n"+
		"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	all, err := io.ReadAll(bufio.NewReader(conn)) // ends because the server closes
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(all), "\r\n\r\n")
	if want := "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 163\r\nServer: Werkzeug/1.0.1 Python/3.9.2\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT"; head != want {
		t.Errorf("head\n%s\nwant\n%s", head, want)
	}
	if len(rest) != 163 {
		t.Errorf("%d bytes of body", len(rest))
	}
	if got := c.send("GET", "/jsonrpc", ""); got.status != 400 || !strings.Contains(got.body, "Function declared as capable of handling request of type 'json'") {
		t.Errorf("GET without a body: %d %s", got.status, got.body)
	}
	if got := c.send("POST", "/no/such/path", body); got.status != 404 || got.outcome() != "!werkzeug.exceptions.NotFound|404 Not Found: The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again." {
		t.Errorf("unknown path: %d %s", got.status, got.body)
	}
}

// A traceback holds what the call was about: whoever logs it is found out.
func TestDebugIsPersonal(t *testing.T) {
	c := registry(t, odoosim.Options{})
	got := c.rpc(`"g2p.reg.id", "create", [{"partner_id": 10, "id_type": 1, "value": "1234-secret"}], {}`)
	if field := debug.FindString(got.body); strings.Count(field, "1234-secret") < 2 {
		t.Error(field)
	}
}

// With two databases and no session, errors are hidden (facts/odoo.md A1.4).
func TestTwoDatabases(t *testing.T) {
	c := registry(t, odoosim.Options{Databases: []string{"g2p", "g2pbig"}})
	cookie := c.login("admin", "admin")
	count := `"res.partner", "search_count", [[["is_registrant", "=", true]]], {}`
	wrong := execute(`2, "admin"`, `"g2p.reg.id", "create", [{"partner_id": 7, "id_type": 1, "value": "12AB"}], {}`)
	unknownCookie := "session_id=0123456789abcdef0123456789abcdef01234567"
	for _, each := range []struct {
		path, body, cookie, want string
		status                   int
	}{
		{"/jsonrpc", execute(`2, "admin"`, count), "", "4", 200},
		{"/jsonrpc", execute(`2, "no"`, count), "", "HTTP 500", 500},
		{"/jsonrpc", wrong, "", "HTTP 500", 500},
		{"/jsonrpc", wrong, unknownCookie, "HTTP 500", 500},
		{"/jsonrpc", wrong, cookie, "!odoo.exceptions.ValidationError|ID Type must be unique.", 200},
		{"/jsonrpc", `{"params": {"service": "common", "method": "login", "args": ["g2p", "admin", "no"]}}`, "", "false", 200},
		{"/jsonrpc", `{"params": {"service": "common", "method": "login", "args": ["nodb", "admin", "no"]}}`, "", "HTTP 500", 500},
		{"/jsonrpc", `{"params": {"service": "db", "method": "list", "args": []}}`, "", `["g2p", "g2pbig"]`, 200},
		{"/web/dataset/call_kw", `{"params": {"model": "res.partner", "method": "search_count", "args": [[]], "kwargs": {}}}`, "", "!werkzeug.exceptions.NotFound|404…", 404},
		{"/web/dataset/call_kw", `{"params": {"model": "res.partner", "method": "search_count", "args": [[]], "kwargs": {}}}`, unknownCookie, "!werkzeug.exceptions.NotFound|404…", 404},
		{"/web/dataset/call_kw", `{"params": {"model": "res.partner", "method": "search_count", "args": [[["is_registrant", "=", true]]], "kwargs": {}}}`, cookie, "4", 200},
	} {
		got := c.send("POST", each.path, each.body, "Cookie", each.cookie)
		if got.status != each.status || !fits(got.outcome(), each.want) {
			t.Errorf("%s %s %q: %d %s", each.path, each.body, each.cookie, got.status, got.outcome())
		}
	}
}
