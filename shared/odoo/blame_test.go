package odoo_test

import (
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// What of the configuration is to blame is named, and nothing else of Odoo's
// message.
func TestFieldsAndOperatorsThatTheRegistryDoesNotHaveAreNamed(t *testing.T) {
	valueError, accessError := "builtins.ValueError", "odoo.exceptions.AccessError"
	for _, test := range []struct{ name, class, message, code, field string }{
		{"field", valueError, "Invalid field 'mobile' on model 'res.partner'", "NoSuchField", "mobile"},
		{"field in Odoo 19", valueError, "Invalid field 'mobile' in 'res.partner'", "NoSuchField", "mobile"},
		{"a field of somebody else", valueError, "Invalid field '" + private + "' on model 'res.partner'", "ValueError", ""},
		{"a field that is part of another", valueError, "Invalid field 'mob' on model 'res.partner'", "ValueError", ""},
		{"field of the domain", valueError, "Invalid field res.partner.is_registrant in leaf ('is_registrant', '=', True)", "NoSuchDomainField", "is_registrant"},
		{"field of the domain in Odoo 19", valueError, "Invalid field res.partner.is_registrant in condition ('is_registrant', '=', True)", "NoSuchDomainField", "is_registrant"},
		{"end of a path", valueError, "Invalid field g2p.reg.id.id_type in leaf ('id_type', '=like', 'MOSIP VID')", "NoSuchDomainField", "reg_ids.id_type"},
		{"within a domain", valueError, "Invalid field g2p.reg.id.value in leaf ('value', 'not =like', '" + private + "')", "NoSuchDomainField", "value"},
		{"operator", valueError, "Invalid leaf ('value', 'not =like', '" + private + "')", "NoSuchOperator", "not =like"},
		{"operator in Odoo 19", valueError, "Domain() invalid item in domain: ('value', 'x', '" + private + "')", "NoSuchOperator", "not =like"},
		{"an operator that Odoo 14 takes for ids", "builtins.TypeError", "'<' not supported between instances of 'list' and 'int'", "NoSuchOperator", "not =like"},
		{"no date", "psycopg2.errors.InvalidDatetimeFormat", "invalid input syntax for type date: \"" + private + "\"", "InvalidDatetimeFormat", ""},
		{"an impossible date", "psycopg2.errors.DatetimeFieldOverflow", "date/time field value out of range: \"" + private + "\"", "DatetimeFieldOverflow", ""},
		{"a text for a number", "psycopg2.errors.InvalidTextRepresentation", "invalid input syntax for type integer: \"" + private + "\"", "InvalidTextRepresentation", ""},
		{"a number for a text", "psycopg2.errors.UndefinedFunction", "operator does not exist: character varying = integer", "UndefinedFunction", ""},
		{"rights on a field", accessError, `You do not have enough rights to access the fields "title,mobile" on Contact (res.partner). Please contact your system administrator.`, "FieldDenied", "mobile"},
		{"rights on a field in Odoo 19", accessError, `You do not have enough rights to access the field "mobile" on Contact (res.partner).`, "FieldDenied", "mobile"},
		{"rights on the model", accessError, "You are not allowed to access 'Contact' (res.partner) records: mobile", "AccessError", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, wellKnown(func(call) reply { return refusal(200, test.class, test.message) }))
			c := f.connector()
			c.Source.Fields = []string{"given_name", "mobile"}
			c.Source.Domain = `[["is_registrant","=",true],["reg_ids.id_type","=like","X"],["reg_ids","any",[["value","not =like","x"]]]]`
			_, err := open(t, c).Registrants(t.Context(), []int64{7})
			fault := seeding.FaultOf(err)
			if err == nil || fault.Code != test.code || fault.Field != test.field {
				t.Fatalf("%v, field %q", err, fault.Field)
			}
			source, d := seeding.RegistryProblem(fault, seeding.ProblemRead)
			if strings.HasPrefix(test.class, "psycopg2.") && !strings.Contains(d.Remedy, "values in the connector's domain") {
				t.Errorf("%q", d.Remedy)
			}
			if source != seeding.ProblemRead || !strings.Contains(d.Text, test.field) || strings.Contains(d.Text+d.Remedy, private) {
				t.Errorf("%s: %q", source, d.Text)
			}
		})
	}
}
