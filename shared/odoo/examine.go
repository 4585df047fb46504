package odoo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// What a check asks of a registry, besides what every run asks. Nothing here writes,
// and nothing that is returned is a text of the server.

// Examine is Open for a check: with a password of its own, and without a session of
// before, so that what it finds is what is true now.
func Examine(client *http.Client, c seeding.Connector, password string, now func() time.Time) (*Registry, error) {
	return New(client, nil, now).openWith(c, func() (string, error) { return password, nil })
}

var serie = regexp.MustCompile(`^(saas[~-])?([0-9]{1,2}\.[0-9]{1,2})`)

// Version returns the version of Odoo, such as "17.0", without signing in; "" if
// there is an Odoo that does not say.
func (r *Registry) Version(ctx context.Context) (string, error) {
	var told struct {
		Serie text `json:"server_serie"`
	}
	response, err := r.session.service(ctx, "common", "version", "", false, []any{}, &told)
	if absent(err) { // a firewall may let the calls of one page pass, and not those of the other
		response, err = r.session.rpc(ctx, "/web/webclient/version_info", "", false, map[string]any{}, &told)
	}
	switch {
	case err != nil:
		return "", seeding.FaultOf(err)
	case response.err != nil:
		return "", nil // an Odoo answered
	}
	if found := serie.FindStringSubmatch(string(told.Serie)); found != nil {
		return found[2], nil
	}
	return "", nil
}

// SignIn returns which way the user's calls take: "session", "execute_kw" or
// "json2".
func (r *Registry) SignIn(ctx context.Context) (way string, err error) {
	found, err := r.session.freshWay(ctx, nil)
	if err != nil {
		return "", err
	}
	return found.name(), nil
}

// Identity tells databases apart. It is made of Odoo's own database.uuid, which only
// its administrators may read, and then exact; else of the database's name, and
// when its first identifier type was entered, to the second. A copy of a database has
// the identity of its original, unless Odoo itself made the copy.
func (r *Registry) Identity(ctx context.Context) (identity string, exact bool, err error) {
	var uuid text
	err = r.session.call(ctx, request{model: "ir.config_parameter", method: "get_param", arg: "database.uuid"}, &uuid)
	if err == nil && uuid != "" {
		return fingerprint("uuid", string(uuid)), true, nil
	}
	if fault := seeding.FaultOf(err); err != nil && (fault.Kind == seeding.Unreachable || fault.Kind == seeding.RefusedSignIn) {
		return "", false, err
	}
	rows := rowsOf[struct {
		ID      int64 `json:"id"`
		Created text  `json:"create_date"`
	}](1, 2, 1)
	err = r.session.searchRead(ctx, typeModel, []any{}, map[string]any{"fields": []string{"id", "create_date"}, "order": "id", "limit": 1}, rows)
	if err != nil || len(rows.list) == 0 || rows.list[0].Created == "" {
		return "", false, err
	}
	return fingerprint("first type", r.session.access.Database, string(rows.list[0].Created)), false, nil
}

func fingerprint(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		sum.Write([]byte(part + "\x00"))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// Line finds the identifier types, and returns the line of OpenG2P's modules: "17.0"
// also for later ones.
func (r *Registry) Line(ctx context.Context) (string, error) {
	found, err := r.session.loadSchema(ctx)
	switch {
	case err != nil:
		return "", err
	case found.later:
		return "17.0", nil
	}
	return "15.0", nil
}

// Encrypting reports whether the module is there that encrypts registrants.
func (r *Registry) Encrypting(ctx context.Context) (bool, error) {
	return r.session.isEncrypting(ctx, r.fields)
}

// kinds are the types of fields that Odoo has.
var kinds = []string{"boolean", "integer", "float", "monetary", "char", "text", "html", "date", "datetime", "binary", "selection",
	"reference", "many2one", "many2one_reference", "one2many", "many2many", "json", "properties", "properties_definition"}

// FieldKinds returns the types of those of the connector's fields that registrants
// have and the user may read; "other" is one that Odoo itself does not have.
func (r *Registry) FieldKinds(ctx context.Context) (map[string]string, error) {
	var fields map[string]struct {
		Type text `json:"type"`
	}
	err := r.session.call(ctx, request{model: partnerModel, method: "fields_get",
		arg: r.fields, kwargs: map[string]any{"attributes": []string{"type"}}}, &fields)
	if err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, unanswered(false, "BadAnswer", nil)
	}
	found := map[string]string{}
	for _, name := range r.fields {
		if f, there := fields[name]; there {
			found[name] = "other"
			if slices.Contains(kinds, string(f.Type)) {
				found[name] = string(f.Type)
			}
		}
	}
	return found, nil
}

// May reports whether the user has a right: to records of the model at all, and to the
// given one by the rules for records, unless it is 0. Odoo is asked
// and nothing is tried.
func (r *Registry) May(ctx context.Context, right seeding.Right, record int64) (bool, error) {
	allowed, err := r.asks(ctx, request{model: right.Model, method: accessRights, arg: right.Operation, kwargs: map[string]any{"raise_exception": false}})
	if isSchema(err) {
		allowed, err = r.asks(ctx, hasAccess(right, []int64{}))
	}
	if err != nil || !allowed || record == 0 {
		return allowed, err
	}
	one := []int64{record}
	err = r.session.call(ctx, request{model: right.Model, method: accessRule, arg: one, kwargs: map[string]any{"operation": right.Operation}}, nil)
	switch {
	case err == nil:
		return true, nil
	case isSchema(err):
		return r.asks(ctx, hasAccess(right, one))
	case seeding.FaultOf(err).Kind == seeding.RefusedRights:
		return false, nil
	case seeding.FaultOf(err).Kind == seeding.RefusedData: // it was deleted since it was read
		return true, nil
	}
	return false, err
}

func hasAccess(right seeding.Right, ids []int64) request {
	return request{model: right.Model, method: newAccess, arg: ids, kwargs: map[string]any{"operation": right.Operation}}
}

// asks makes a call that is answered with yes or no. A refusal for want of rights is
// a no.
func (r *Registry) asks(ctx context.Context, q request) (bool, error) {
	var yes *bool
	err := r.session.call(ctx, q, &yes)
	switch {
	case err != nil && seeding.FaultOf(err).Kind == seeding.RefusedRights:
		return false, nil
	case err != nil:
		return false, err
	case yes == nil:
		return false, unanswered(false, "BadAnswer", nil)
	}
	return *yes, nil
}

func isSchema(err error) bool {
	return err != nil && seeding.FaultOf(err).Kind == seeding.RefusedSchema
}

// lookUpRounds is how often each look-up is made. The fastest counts: other work of
// the server makes some slower and none faster.
const lookUpRounds = 3

// LookUps measures how long the registry needs to find the identifiers of a
// registrant, and one by its value, beside one that it finds by its id. Without an
// index it reads the whole table (facts/odoo.md B3).
func (r *Registry) LookUps(ctx context.Context, registrant int64) (l seeding.LookUps, err error) {
	if l.Identifiers, err = r.count(ctx, []any{}); err != nil {
		return l, err
	}
	for range lookUpRounds {
		for _, look := range []struct {
			fastest *time.Duration
			term    []any
		}{
			{&l.ByID, []any{"id", "in", []int64{1}}},
			{&l.ByRegistrant, []any{"partner_id", "in", []int64{registrant}}},
			{&l.ByValue, []any{"value", "in", []string{"mts-connector looks for an index"}}},
		} {
			began := r.now()
			if _, err := r.count(ctx, []any{look.term}); err != nil {
				return l, err
			}
			if took := r.now().Sub(began); *look.fastest == 0 || took < *look.fastest {
				*look.fastest = took
			}
		}
	}
	return l, nil
}

// count counts identifiers.
func (r *Registry) count(ctx context.Context, domain []any) (int, error) {
	var count *int
	err := r.session.call(ctx, request{model: identifierModel, method: "search_count", arg: domain}, &count)
	switch {
	case err != nil:
		return 0, err
	case count == nil || *count < 0:
		return 0, unanswered(false, "BadAnswer", nil)
	}
	return *count, nil
}

// ReadOnly makes Registrants read these fields only.
func (r *Registry) ReadOnly(fields []string) { r.fields = withID(fields) }

// Known is Open, with what a check asks besides.
func (r *Registries) Known(ctx context.Context, c seeding.Connector) (*Registry, error) {
	return r.open(ctx, c)
}
