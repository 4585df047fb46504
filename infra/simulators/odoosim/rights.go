package odoosim

import "slices"

// Who may do what: the three logins of facts/odoo.md and their groups.

const (
	groupAdmin     = "OpenG2P Module Access/Administrator"
	groupRegistrar = "OpenG2P Module Access/Registrar"
	groupContacts  = "Extra Rights/Contact Creation"
	groupInternal  = "User types/Internal User"
	groupSettings  = "Administration/Settings"
)

// The companies; a record rule hides registrants of companies that are not the
// user's.
const (
	MyCompany    int64 = 1
	OtherCompany int64 = 2
)

// user is immutable: a change replaces it.
type user struct {
	id              int64
	login, password string
	name            string
	partner         int64
	groups          []string
	companies       []int64
	active          bool
	keys            []apiKey
	secondFactor    bool
}

func defaultUsers() []*user {
	return []*user{
		{id: 2, login: "admin", password: "admin", name: "Administrator", partner: 3, active: true,
			groups: []string{groupAdmin, groupRegistrar, groupContacts, groupInternal, groupSettings}, companies: []int64{OtherCompany, MyCompany}},
		{id: 6, login: "clerk", password: "clerkpw1", name: "clerk", partner: 5, active: true,
			groups: []string{groupInternal}, companies: []int64{MyCompany}},
		{id: 7, login: "registrar", password: "registrarpw1", name: "registrar", partner: 6, active: true,
			groups: []string{groupRegistrar, groupInternal}, companies: []int64{MyCompany}},
	}
}

func (u *user) isAdmin() bool { return slices.Contains(u.groups, groupAdmin) }

func (u *user) everyCompany() bool { return len(u.companies) == 2 }

func (u *user) sees(m *model, r *row) bool {
	if m.name != partnerModel {
		return true
	}
	company, ok := r.v[m.column("company_id")].(int64)
	return !ok || slices.Contains(u.companies, company) || r.id < firstRegistrant
}

// rights: model, operation: the groups that may, in the order of Odoo's message.
var rights = map[string]map[string][]string{
	partnerModel: {
		"read":   {groupInternal, groupRegistrar},
		"write":  {groupContacts, groupRegistrar},
		"create": {groupContacts, groupRegistrar},
		"unlink": {groupContacts},
	},
	regModel: {
		"read":   {groupAdmin, groupRegistrar},
		"write":  {groupAdmin, groupRegistrar},
		"create": {groupAdmin, groupRegistrar},
		"unlink": {groupAdmin},
	},
	typeModel: {
		"read":   {groupAdmin, groupRegistrar},
		"write":  {groupAdmin},
		"create": {groupAdmin},
		"unlink": {groupAdmin},
	},
	phoneModel: {
		"read":   {groupAdmin, groupRegistrar},
		"write":  {groupAdmin, groupRegistrar},
		"create": {groupAdmin, groupRegistrar},
		"unlink": {groupAdmin},
	},
	genderModel: {
		"read":   {groupInternal},
		"write":  {groupAdmin},
		"create": {groupAdmin},
		"unlink": {groupAdmin},
	},
	companyModel: {"read": {groupInternal}},
	userModel:    {"read": {groupInternal}},

	connectorModel: {"read": {groupInternal}, "write": {groupInternal}, "create": {groupInternal}, "unlink": {groupInternal}},
	cronModel:      {"read": {groupSettings}, "write": {groupSettings}, "create": {groupSettings}, "unlink": {groupSettings}},
	parameterModel: {"read": {groupSettings}, "write": {groupSettings}, "create": {groupSettings}, "unlink": {groupSettings}},
}

// may refuses with Odoo's AccessError (facts/odoo.md A1.8).
func (e *env) may(operation string, m *model) *exception {
	groups := rights[m.name][operation]
	denied := e.denied[m.name+" "+operation]
	if !denied && slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(e.user.groups, g) }) {
		return nil
	}
	verb := map[string]string{"read": "access", "write": "modify", "create": "create", "unlink": "delete"}[operation]
	allowed := "No group currently allows this operation."
	if len(groups) > 0 && !denied {
		allowed = "This operation is allowed for the following groups:"
		for _, g := range groups {
			allowed += "\n\t- " + g
		}
	}
	return raise("odoo.exceptions.AccessError", "You are not allowed to %s '%s' (%s) records.\n\n%s\n\nContact your administrator to request access if necessary.",
		verb, m.label, m.name, allowed)
}

// hidden is the refusal by a record rule.
func (e *env) hidden(operation string, m *model, r *row) *exception {
	verb := map[string]string{"read": "access", "write": "modify", "unlink": "delete"}[operation]
	return raise("odoo.exceptions.AccessError", "Due to security restrictions, you are not allowed to %s '%s' (%s) records.\n\n"+
		"Records: %s (id=%d)\nUser: %s (id=%d)\n\nThis restriction is due to the following rules:\n- res.partner company\n\n"+
		"Note: this might be a multi-company issue.\n\nContact your administrator to request access if necessary.",
		verb, m.label, m.name, e.db.nameOf(m.name, r.id), r.id, e.user.name, e.user.id)
}
