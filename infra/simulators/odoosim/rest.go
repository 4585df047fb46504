package odoosim

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// The module g2p_registry_rest_api, as far as a callback of MTS is shaped for it
// (facts/odoo.md D): what it receives, what it writes and what it answers.

// Lines of the REST API; a registry has one of them, or none.
const (
	REST15 = "15.0" // an Odoo session; facts/odoo.md D1
	REST17 = "17.0" // HTTP Basic; facts/odoo.md D2
)

const restRoot = "/api/v1/registry"

// genders are the rows of gender.type, which the registry of this simulator has
// filled: code to value.
var genders = map[string]string{"M": "Male", "F": "Female", "O": "Other"}

// restError is a refusal of the API.
type restError struct {
	status      int
	code        string // G2P-REQ-0nn; "" is an error of the framework
	description string
}

func (e *restError) Error() string { return e.code + ": " + e.description }

// refusals are the texts of the API's codes.
var refusals = map[string]string{
	"G2P-REQ-002": "Mandatory field is not provided.",
	"G2P-REQ-005": "ID type is invalid.",
	"G2P-REQ-007": "Email is invalid.",
	"G2P-REQ-008": "Gender is invalid.",
	"G2P-REQ-010": "Record not found.",
	"G2P-REQ-011": "Date is in the future.",
	"G2P-REQ-012": "Field is required.",
	"G2P-REQ-013": "Registrant not found.",
}

func g2p(code, description string) *restError {
	return &restError{http.StatusBadRequest, code, description}
}

// rest answers a request of the REST API.
func (x *exchange) rest(r *http.Request, body []byte) *reply {
	route := r.Method + " " + strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, restRoot), "/")
	u, failed := x.restUser(r)
	if failed != nil {
		return failed
	}
	db := x.server.databases[x.database]
	var handle func(t *tx, body any) (any, error)
	var method string
	switch {
	case x.server.options.REST == REST15 && route == "PATCH /individual/updateIdentification":
		method, handle = "rest_update_identification", updateIdentification
	case x.server.options.REST == REST15 && route == "POST /individual":
		method, handle = "rest_create", createIndividual15
	case x.server.options.REST == REST17 && route == "PUT /update_individual":
		idType := r.URL.Query().Get("id_type")
		method, handle = "rest_update", func(t *tx, body any) (any, error) { return updateIndividuals(t, body, idType) }
	case x.server.options.REST == REST17 && route == "POST /individual":
		method, handle = "rest_create", createIndividual17
	default:
		return jsonReply(http.StatusNotFound, python.Dict{{"detail", "Not Found"}})
	}
	given, ok := decode(body)
	if !ok {
		return x.refused(&restError{status: http.StatusBadRequest, description: "the body is not JSON"})
	}
	var answer any
	_, err := x.server.perform(call{db: db, model: partnerModel, method: method, fixed: x.server.options.Latency.Session, about: excerpt(string(body))},
		func(w *work) (any, *tx, *exception) {
			t := newTx(x.server.newEnv(db, u, w))
			var err error
			if answer, err = handle(t, given); err != nil {
				if e, ok := errors.AsType[*exception](err); ok {
					return nil, nil, e
				}
				return nil, nil, &exception{name: restRefusal, message: err.Error(), args: []any{err}, code: http.StatusOK}
			}
			return nil, t, nil
		})
	if err != nil {
		return x.refused(err)
	}
	return &reply{status: http.StatusOK, header: [][2]string{{"Content-Type", "application/json"}}, body: python.AppendJSON(nil, answer)}
}

// restRefusal marks an exception that carries a restError.
const restRefusal = "odoosim.rest"

// restUser is who calls: by the session, or by HTTP Basic. The later line works with
// the rights of the system itself.
func (x *exchange) restUser(r *http.Request) (*user, *reply) {
	unauthorized := func(detail string, header ...[2]string) *reply {
		answer := jsonReply(http.StatusUnauthorized, python.Dict{{"detail", detail}})
		answer.header = append(answer.header, header...)
		return answer
	}
	if x.server.options.REST == REST15 {
		u := x.server.holder(x.session)
		if u == nil {
			return nil, jsonReply(http.StatusUnauthorized, python.Dict{{"code", http.StatusUnauthorized}, {"name", "Unauthorized"}})
		}
		return u, nil
	}
	db := x.server.databases[x.database]
	login, password, given := r.BasicAuth()
	if db == nil || !given {
		return nil, unauthorized("Not authenticated", [2]string{"WWW-Authenticate", "Basic"})
	}
	u := db.byLogin(login)
	if x.server.attempt(x.source, func() bool { return u != nil && u.accepts(password, x.server.options.Now()) }) != nil {
		return nil, unauthorized("Incorrect username or password", [2]string{"WWW-Authenticate", "Basic"})
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.user(defaultUsers()[0].id), nil
}

// refused is the reply of a call that failed.
func (x *exchange) refused(err error) *reply {
	if e, ok := errors.AsType[*exception](err); ok && e.name == restRefusal {
		err, _ = e.args[0].(error)
	}
	if e, ok := errors.AsType[*restError](err); ok {
		if e.code == "" {
			return jsonReply(e.status, python.Dict{{"detail", e.description}})
		}
		return jsonReply(e.status, python.Dict{{"errorCode", e.code}, {"errorMessage", refusals[e.code]}, {"errorDescription", e.description}})
	}
	if errors.Is(err, errClosed) {
		return nil
	}
	if whole, ok := errors.AsType[*reply](err); ok {
		return whole
	}
	return internal()
}

// unprocessable is what the framework answers to a body of another form.
func unprocessable(description string) *restError {
	return &restError{status: http.StatusUnprocessableEntity, description: description}
}

// typeNamed finds an identifier type; 0 if there is none.
func (t *tx) typeNamed(name string) int64 {
	column := t.db.types.model.column(nameField)
	for _, id := range t.db.types.ids {
		if t.db.types.rows[id].v[column] == name {
			return id
		}
	}
	return 0
}

// person is a registrant in use that is no group, whom the user sees.
func (t *tx) person(id int64) *row {
	m, r := t.db.partners.model, t.get(t.db.partners, id)
	if r == nil || r.v[m.column("is_registrant")] != true || r.v[m.column("is_group")] == true || r.v[m.column("active")] != true || !t.user.sees(m, r) {
		return nil
	}
	return r
}

// updateIdentification is PATCH individual/updateIdentification of line 15.0.
func updateIdentification(t *tx, body any) (any, error) {
	given, ok := body.(map[string]any)
	if !ok {
		return nil, &restError{status: http.StatusBadRequest, description: "BadRequest: value is not a valid dict"}
	}
	number, ok := given["partner_id"].(json.Number)
	partner, err := strconv.ParseInt(number.String(), 10, 64)
	if !ok || err != nil {
		return nil, &restError{status: http.StatusBadRequest, description: "BadRequest: partner_id is not a valid integer"}
	}
	name, _ := given["id_type"].(string)
	idType := t.typeNamed(name)
	if idType == 0 {
		return nil, g2p("G2P-REQ-005", "ID type - "+name+" is not present in the database.")
	}
	if t.person(partner) == nil {
		return nil, g2p("G2P-REQ-013", "Registrant is not present in the database.")
	}
	values := map[string]any{"partner_id": jsonID(partner), "id_type": jsonID(idType), "value": orFalse(given["value"]), "expiry_date": orFalse(given["expiry_date"])}
	id, failed := t.putIdentifier(partner, idType, values)
	if failed != nil {
		return nil, failed
	}
	return python.Dict{{"id", id}, {"id_type", name}, {"value", given["value"]}, {"expiry_date", given["expiry_date"]}, {"partner_id", partner}}, nil
}

// putIdentifier changes the identifier of a type that a registrant holds, or adds one.
func (t *tx) putIdentifier(partner, idType int64, values map[string]any) (int64, *exception) {
	regs := t.db.regs.model
	for _, held := range t.identifiers(partner) {
		if held.v[regs.column("id_type")] == idType {
			return held.id, t.write(regs, []int64{held.id}, values)
		}
	}
	ids, err := t.create(regs, []map[string]any{values})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

func orFalse(v any) any {
	if v == nil {
		return false
	}
	return v
}

// createIndividual15 is POST individual/ of line 15.0.
func createIndividual15(t *tx, body any) (any, error) {
	given, ok := body.(map[string]any)
	if !ok {
		return nil, &restError{status: http.StatusBadRequest, description: "BadRequest: value is not a valid dict"}
	}
	for _, name := range []string{"name", "family_name"} {
		if text, _ := given[name].(string); strings.TrimSpace(text) == "" {
			return nil, g2p("G2P-REQ-012", name+" is required.")
		}
	}
	return createIndividual(t, given)
}

// createIndividual17 is POST /individual of line 17.0.
func createIndividual17(t *tx, body any) (any, error) {
	given, ok := body.(map[string]any)
	if !ok {
		return nil, unprocessable("Input should be a valid dictionary")
	}
	for _, name := range []string{"name", "given_name"} {
		if text, _ := given[name].(string); text == "" {
			return nil, unprocessable(name + ": Input should be a valid string")
		}
	}
	if _, there := given["ids"]; !there {
		return nil, unprocessable("ids: Field required")
	}
	if err := present(given); err != nil {
		return nil, err
	}
	return createIndividual(t, given)
}

func createIndividual(t *tx, given map[string]any) (any, error) {
	values, ids, err := individual(t, given)
	if err != nil {
		return nil, err
	}
	created, failed := t.create(t.db.partners.model, []map[string]any{values})
	if failed != nil {
		return nil, failed
	}
	for _, id := range ids {
		id["partner_id"] = jsonID(created[0])
		if _, failed := t.create(t.db.regs.model, []map[string]any{id}); failed != nil {
			return nil, failed
		}
	}
	return python.Dict{{"id", created[0]}, {"name", given["name"]}}, nil
}

// present: these must be there, and may be null (facts/odoo.md D2).
func present(given map[string]any) error {
	for _, name := range []string{"gender", "birth_place"} {
		if _, there := given[name]; !there {
			return unprocessable(name + ": Field required")
		}
	}
	return nil
}

// updateIndividuals is PUT /update_individual of line 17.0: a list, of which one
// failing item fails all.
func updateIndividuals(t *tx, body any, idType string) (any, error) {
	list, ok := body.([]any)
	if !ok {
		return nil, unprocessable("Input should be a valid list")
	}
	var items []map[string]any
	for _, item := range list {
		given, ok := item.(map[string]any)
		if !ok {
			return nil, unprocessable("Input should be a valid dictionary")
		}
		if _, text := given["updateId"].(string); !text {
			return nil, unprocessable("updateId: Input should be a valid string")
		}
		for _, name := range []string{"name", "given_name"} {
			if _, there := given[name]; !there {
				return nil, unprocessable(name + ": Field required")
			}
		}
		if err := present(given); err != nil {
			return nil, err
		}
		items = append(items, given)
	}
	results := []any{}
	for _, given := range items {
		id, err := updateIndividual(t, given, idType)
		if err != nil {
			return nil, g2p("G2P-REQ-010", err.Error())
		}
		results = append(results, python.Dict{{"id", id}, {"name", given["name"]}})
	}
	return results, nil
}

func updateIndividual(t *tx, given map[string]any, idType string) (int64, error) {
	wanted := t.typeNamed(idType)
	partner := t.holderOf(wanted, given["updateId"])
	if wanted == 0 || partner == 0 {
		return 0, errors.New("individual with the given ID not found")
	}
	values, ids, err := individual(t, given)
	if err != nil {
		return 0, err
	}
	if failed := t.write(t.db.partners.model, []int64{partner}, values); failed != nil {
		return 0, failed
	}
	for _, id := range ids {
		kind, _ := id["id_type"].(json.Number).Int64()
		id["partner_id"] = jsonID(partner)
		if _, failed := t.putIdentifier(partner, kind, id); failed != nil {
			return 0, failed
		}
	}
	return partner, nil
}

// holderOf finds who holds an identifier.
func (t *tx) holderOf(idType int64, value any) int64 {
	regs := t.db.regs.model
	holding, _ := t.db.regs.having(regs.column("value"), value)
	for _, id := range holding {
		r := t.get(t.db.regs, id)
		if r == nil || r.v[regs.column("id_type")] != idType {
			continue
		}
		if partner, ok := r.v[regs.column("partner_id")].(int64); ok && t.person(partner) != nil {
			return partner
		}
	}
	return 0
}

// individual reads the values and the identifiers of an individual. What is empty is
// left out.
func individual(t *tx, given map[string]any) (values map[string]any, ids []map[string]any, err error) {
	values = map[string]any{"is_registrant": true, "is_group": false}
	for _, name := range []string{"name", "given_name", "family_name", "addl_name", "birth_place", "birthdate", "registration_date", "email", "address"} {
		if v := given[name]; python.Truthy(v) {
			values[name] = v
		}
	}
	for _, name := range []string{"birthdate", "registration_date"} {
		text, isText := values[name].(string)
		if !isText {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, nil, unprocessable(name + ": Value error, the date is not YYYY-MM-DD")
		}
		if name == "registration_date" && day.After(t.began.time()) {
			return nil, nil, g2p("G2P-REQ-011", "Registration date is in the future.")
		}
	}
	if email, isText := values["email"].(string); isText && !strings.Contains(email, "@") {
		return nil, nil, g2p("G2P-REQ-007", "Email - "+email+" is invalid.")
	}
	if code, isText := given["gender"].(string); isText && code != "" {
		value, known := genders[code]
		if !known {
			return nil, nil, g2p("G2P-REQ-008", "Gender - "+code+" is not present in the database.")
		}
		values["gender"] = value
	}
	phones, _ := given["phone_numbers"].([]any)
	for _, item := range slices.Backward(phones) {
		phone, _ := item.(map[string]any)
		if python.Truthy(phone["phone_no"]) {
			values["phone"] = phone["phone_no"] // the first one
		}
	}
	list, _ := given["ids"].([]any)
	for _, item := range list {
		id, _ := item.(map[string]any)
		name, _ := id["id_type"].(string)
		value, _ := id["value"].(string)
		if name == "" || value == "" {
			return nil, nil, unprocessable("ids: Value error, id_type and value cannot be empty")
		}
		idType := t.typeNamed(name)
		if idType == 0 {
			return nil, nil, g2p("G2P-REQ-005", "ID type - "+name+" is not present in the database.")
		}
		read := map[string]any{"id_type": jsonID(idType), "value": value}
		for _, more := range []string{"expiry_date", "status", "description"} {
			if v := id[more]; python.Truthy(v) && t.db.regs.model.named[more] != nil {
				read[more] = v
			}
		}
		ids = append(ids, read)
	}
	return values, ids, nil
}
