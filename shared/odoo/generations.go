package odoo

// What differs between the generations of Odoo (14 to 19) and the lines of OpenG2P's
// modules (15.0, and 17.0 for all later ones) stands in the tables of this file. Nothing
// asks for a version: a registry is asked what it has, because proxies and modules
// change more than a version says. The way in which calls are made differs, too: way.go.

// operators has the generation of Odoo that brought each: 14 for all that are
// older (odoo/osv/expression.py of 14 to 18, odoo/orm/domains.py of 19).
var operators = map[string]int{
	"=": 14, "!=": 14, "<": 14, "<=": 14, ">": 14, ">=": 14, "=?": 14,
	"like": 14, "not like": 14, "ilike": 14, "not ilike": 14, "=like": 14, "=ilike": 14,
	"in": 14, "not in": 14, "child_of": 14, "parent_of": 14,
	"any": 17, "not any": 17,
	"not =like": 19, "not =ilike": 19,
}

// spellings are written in the one way that every generation takes: Odoo 14 to 18
// have no "==", and "<>" is to go after 19.
var spellings = map[string]string{"==": "=", "<>": "!="}

// Odoo 19 uses these itself, and refuses them in a domain that comes from outside
// (odoo/orm/domains.py, INTERNAL_CONDITION_OPERATORS).
var internal = map[string]string{"any!": "any", "not any!": "not any"}

// laterFields are the fields of identifiers that lines after 15.0 have. Whether a
// registry has the first one decides about all (facts/odoo.md D2).
var laterFields = []string{"status", "description"}

// Methods that say what a user may do: with a model, and with a record of it. Both are
// in 14 to 19; newAccess takes their place, and is in 18 and later.
const (
	accessRights = "check_access_rights"
	accessRule   = "check_access_rule"
	newAccess    = "has_access"
)
