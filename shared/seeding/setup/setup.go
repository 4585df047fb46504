// Package setup holds the rules of a connector's configuration that have a
// meaning: what has to fit together, whoever brings the configuration. Its form
// (types, lengths, limits) is checked by whoever reads it.
package setup

import (
	"openg2p.org/mts-connector/shared/seeding"
)

// Field names a field of a configuration. The fields of the mapping go on below
// it, as in a JSON pointer: "mapping/name/0".
type Field string

// Fields that rules look at.
const (
	RegistryURL      Field = "registry_url"
	RegistryPassword Field = "registry_password"
	VIDType          Field = "vid_type"
	TokenType        Field = "token_type"
	Domain           Field = "domain"
	Fields           Field = "fields"
	Mandatory        Field = "mandatory"
	Mapping          Field = "mapping"
)

// MappingOf is the mapping of one of MTS's fields, or an expression of it.
func MappingOf(field string) Field { return Mapping + "/" + Field(field) }

// Finding is what is wrong with a field, in words for the user.
type Finding struct {
	Field Field
	Text  string
}

// Proposal is a configuration that somebody wants to save.
type Proposal struct {
	Connector     seeding.Connector
	Before        *seeding.Connector // what it replaces; nil for a new connector
	PasswordGiven bool               // a new password of the registry comes with it
	// Unread tells of a field whether it, or a part of it, could not be read
	// for its form. A rule that needs such a field finds nothing. nil: all
	// could be read.
	Unread func(Field) bool
}

// readable tells whether all of the fields could be read.
func (p Proposal) readable(fields ...Field) bool {
	for _, f := range fields {
		if p.Unread != nil && p.Unread(f) {
			return false
		}
	}
	return true
}

// Rules are what a configuration is checked with.
type Rules struct {
	Mappings seeding.Mappings
	// CheckDomain tells, in words for the user, why a domain cannot be used.
	CheckDomain func(domain string) error
	// Expired tells that the mapping was tried for long enough: what was not
	// tried until then is taken on trust. nil: never.
	Expired func() bool
}

// Check finds everything that is wrong with a proposal.
func (r Rules) Check(p Proposal) []Finding {
	var found []Finding
	found = append(found, types(p)...)
	found = append(found, password(p)...)
	found = append(found, r.domain(p)...)
	found = append(found, r.mapping(p)...)
	return append(found, fields(p)...)
}

// types: a VID and a token of the same type could not be told apart.
func types(p Proposal) []Finding {
	registry := p.Connector.Registry
	if p.readable(VIDType, TokenType) && registry.VIDType == registry.TokenType {
		return []Finding{{TokenType, "must be another identifier type than vid_type"}}
	}
	return nil
}

// password: it is needed once, and again when the registry has another host.
// Whoever may change a configuration must not be able to send the stored
// password to a host of their own.
func password(p Proposal) []Finding {
	switch {
	case p.PasswordGiven || !p.readable(RegistryPassword):
	case p.Before == nil:
		return []Finding{{RegistryPassword, "is required"}}
	case p.readable(RegistryURL) && !SameHost(p.Before.Registry.URL, p.Connector.Registry.URL):
		return []Finding{{RegistryPassword, "is required again, because the registry has another host now"}}
	}
	return nil
}

// fields: without one there is nothing to map.
func fields(p Proposal) []Finding {
	if p.readable(Fields) && len(p.Connector.Source.Fields) == 0 {
		return []Finding{{Fields, "must name one field at least"}}
	}
	return nil
}
