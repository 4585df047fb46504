// Package setup holds the rules about the meaning of a connector's configuration:
// what must fit together. Its form (types, lengths, limits) is checked by the
// reader of the document.
package setup

import (
	"fmt"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Field names a field of a configuration. Fields of the mapping are below it, as
// in a JSON pointer: "mapping/name/0".
type Field string

// Fields that have rules.
const (
	MTSURL           Field = "mts_url"
	RegistryURL      Field = "registry_url"
	RegistryDatabase Field = "registry_database"
	RegistryUsername Field = "registry_username"
	RegistryPassword Field = "registry_password"
	VIDType          Field = "vid_type"
	TokenType        Field = "token_type"
	Domain           Field = "domain"
	Fields           Field = "fields"
	Mandatory        Field = "mandatory"
	Mapping          Field = "mapping"
	Interval         Field = "interval"
	Daily            Field = "daily"
	Zone             Field = "zone"
	Starts           Field = "starts"
	Ends             Field = "ends"
)

// MappingOf is the mapping of one of MTS's fields, or an expression of it.
func MappingOf(field string) Field { return Mapping + "/" + Field(field) }

// Finding is what is wrong with a field, or what of it is probably not meant.
type Finding struct {
	Field Field
	seeding.Flaw
}

// find is a finding of a rule. names are what the text names: a name and its value in
// turn.
func find(f Field, code, text string, names ...any) Finding {
	var params map[string]any
	for pair := range slices.Chunk(names, 2) {
		if params == nil {
			params = map[string]any{}
		}
		name, _ := pair[0].(string)
		params[name] = pair[len(pair)-1]
	}
	return Finding{f, seeding.Flaw{Code: code, Params: params, Text: text}}
}

// because is the finding of a rule of somebody else's: an error may have a code of its
// own, and parameters.
func because(f Field, err error, code string) Finding {
	if own, ok := err.(interface{ Flaw() seeding.Flaw }); ok {
		return Finding{f, own.Flaw()}
	}
	if own, ok := err.(interface{ Code() string }); ok {
		code = own.Code()
	}
	return find(f, code, err.Error())
}

// Proposal is a configuration that somebody wants to save.
type Proposal struct {
	Connector     seeding.Connector
	Before        *seeding.Connector // what it replaces; nil for a new connector
	PasswordGiven bool               // a new password of the registry comes with it
	Password      string             // this password, if one is given and known
	// The same of ODK Central.
	ODKPasswordGiven bool
	ODKPassword      string
	Callback         Callback // what the connector's Delivery is made of
	// Unread reports whether a field, or a part of it, has the wrong form. A
	// rule that needs such a field finds nothing. nil: all could be read.
	Unread func(Field) bool
	Now    time.Time
}

// readable reports whether all of the fields could be read.
func (p Proposal) readable(fields ...Field) bool {
	for _, f := range fields {
		if p.Unread != nil && p.Unread(f) {
			return false
		}
	}
	return true
}

// Expressions foresees what the expressions of a mapping can give.
type Expressions interface {
	// Foresee is given the types of a record's fields; it has no others. The
	// error says what is wrong with the expression, in words for the user.
	Foresee(expression string, fields map[string]seeding.Types) (seeding.Outcome, error)
	// Try returns the result for each record, nil where there is none. ok is false
	// if that takes too much work.
	Try(expression string, records []seeding.Record) (results []any, ok bool)
	Sought(expression string) seeding.Sought

	seeding.Outputs
}

// Rules are what a configuration is checked with.
type Rules struct {
	Mappings Expressions
	// CheckDomain returns why a domain cannot be used, in words for the user.
	CheckDomain func(domain string) error
	// Conditions returns those of a domain that can be used. nil: they are not looked at.
	Conditions func(domain string) []seeding.Condition
	// CheckAddress returns why an address must not be called, as far as that is
	// known before it is resolved, in words for the user. nil: any may be called.
	CheckAddress func(seeding.Address) error
	// FormAddress gives the addresses of an ODK Central, and of a form of it, the form in
	// which they are compared and stored; its error is a *seeding.AddressError about the
	// second. nil: they are not looked at.
	FormAddress func(base, odata string) (baseURL, odataURL string, err error)
	// Distance is how many letters two names, of 64 bytes at most, are apart:
	// most+1 if more than most.
	Distance func(a, b string, most int) int
}

// Check finds everything that is wrong with a proposal, and what can be saved but
// is probably not meant.
func (r Rules) Check(p Proposal) (wrong, doubtful []Finding) {
	wrong = append(wrong, r.checkAddresses(p)...)
	wrong = append(wrong, r.checkODK(p)...)
	wrong = append(wrong, checkTypes(p)...)
	wrong = append(wrong, checkPassword(p)...)
	wrong = append(wrong, checkSchedule(p)...)
	ofDomain, doubtful := r.checkDomain(p)
	ofMapping, doubtfulMapping := r.checkMapping(p)
	ofCallback, doubtfulCallback := r.checkCallback(p)
	ofOutput, doubtfulOutput := r.checkOutput(p)
	wrong = slices.Concat(wrong, ofDomain, ofMapping, ofCallback, ofOutput, checkFields(p))
	return wrong, slices.Concat(doubtAddress(p), doubtODK(p), doubtful, doubtfulMapping, doubtfulCallback, doubtfulOutput, checkCredentials(p))
}

// checkTypes: of the same type, a VID and a token could not be distinguished.
func checkTypes(p Proposal) []Finding {
	registry := p.Connector.Registry
	if p.readable(VIDType, TokenType) && registry.VIDType == registry.TokenType {
		return []Finding{find(TokenType, "same_types", fmt.Sprintf("must be another identifier type than vid_type; both are %q", registry.VIDType), "type", registry.VIDType)}
	}
	return nil
}

// checkPassword: it is needed once, and again for another registry, so that nobody
// who may change a configuration can send the stored password to a server, or to a
// tenant of the same server, of their own.
func checkPassword(p Proposal) []Finding {
	switch {
	case p.PasswordGiven || !p.readable(RegistryPassword):
	case p.Before == nil:
		return []Finding{find(RegistryPassword, "password_required", "is required")}
	case p.readable(RegistryURL, RegistryDatabase) && !Normalise(*p.Before).Registry.SameRegistry(Normalise(p.Connector).Registry):
		return []Finding{find(RegistryPassword, "password_again", "is required again, because the registry has another address or database now")}
	}
	return nil
}

// checkFields: without one there is nothing to map.
func checkFields(p Proposal) []Finding {
	if p.readable(Fields) && len(p.Connector.Source.Fields) == 0 && !p.Connector.FromODK() {
		return []Finding{find(Fields, "no_fields", "must name one field at least")}
	}
	return nil
}
