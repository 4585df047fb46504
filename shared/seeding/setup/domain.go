package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// DefaultDomain is the one of the Odoo module (facts/mts.md 5.1), with the
// identifier types of this registry, and without groups and who is disabled
// (facts/mts.md D13): individuals that have a VID and no token.
func DefaultDomain(r seeding.RegistryAccess) string { return domainOf(r.VIDType, r.TokenType) }

func domainOf(vidType, tokenType string) string {
	return compact([]any{
		[]any{"is_registrant", "=", true},
		[]any{"is_group", "=", false},
		[]any{"disabled", "=", false},
		[]any{"reg_ids.id_type", "=like", vidType},
		"!", []any{"reg_ids.id_type", "=like", tokenType},
	})
}

// checkDomain: the registry client can evaluate it, and it was not built for
// other identifier types.
func (r Rules) checkDomain(p Proposal) (found, doubtful []Finding) {
	domain, registry := p.Connector.Source.Domain, p.Connector.Registry
	if !p.readable(Domain) || domain == DefaultDomain(registry) || p.Connector.FromODK() {
		return nil, nil
	}
	if err := r.CheckDomain(domain); err != nil {
		return []Finding{because(Domain, err, "domain_refused")}, nil
	}
	if r.Conditions == nil || !p.readable(VIDType, TokenType) {
		return nil, nil
	}
	conditions := r.Conditions(domain)
	if NamesOtherTypes(conditions, registry) {
		return []Finding{find(Domain, "domain_other_types", "names other identifier types than registry.vid_type and registry.token_type, so it would select nobody, or everybody; "+
			"leave it out to have it built from them")}, nil
	}
	return nil, unusualTypes(conditions, registry)
}

// NamesOtherTypes recognises the conditions of a default domain for other identifier
// types, in whatever form they are written: the types were changed, and the domain
// was sent back as it was read (facts/mts.md D12).
func NamesOtherTypes(conditions []seeding.Condition, r seeding.RegistryAccess) bool {
	var has, hasNot, hasVIDs, hasNoToken bool
	for _, c := range conditions {
		named := typesNamed(c)
		switch {
		case len(named) == 0 && !isUsual(c):
			return false
		case len(named) == 0:
		case c.Negated:
			hasNot, hasNoToken = true, hasNoToken || may(c, named, r.TokenType)
		default:
			has, hasVIDs = true, hasVIDs || may(c, named, r.VIDType)
		}
	}
	return has && hasNot && (!hasVIDs || !hasNoToken)
}

// unusualTypes says which condition about identifier types is probably not meant. Who
// selects by another type as well may mean it.
func unusualTypes(conditions []seeding.Condition, r seeding.RegistryAccess) []Finding {
	doubt := func(code, text, named string) []Finding {
		return []Finding{find(Domain, code, text, "type", named, "vid_type", r.VIDType, "token_type", r.TokenType)}
	}
	selectsVIDs := slices.ContainsFunc(conditions, func(c seeding.Condition) bool { return !c.Negated && may(c, typesNamed(c), r.VIDType) })
	for _, c := range conditions {
		named := typesNamed(c)
		switch ofVIDs, ofTokens := may(c, named, r.VIDType), may(c, named, r.TokenType); {
		case len(named) == 0:
		case c.Negated && ofVIDs && !ofTokens:
			return doubt("domain_without_vids", fmt.Sprintf("leaves out everybody who has an identifier of vid_type (%q), so it selects nobody who could be sent", r.VIDType), r.VIDType)
		case !c.Negated && ofTokens && !ofVIDs:
			return doubt("domain_with_tokens", fmt.Sprintf("selects only registrants who have an identifier of token_type (%q) already, so nobody is sent", r.TokenType), r.TokenType)
		case !c.Negated && !ofVIDs && !ofTokens && !selectsVIDs:
			return doubt("domain_third_type", fmt.Sprintf("selects only registrants who have an identifier of the type %q, which is neither vid_type (%q) nor token_type (%q); if it stands for one of them, write that",
				named[0], r.VIDType, r.TokenType), named[0])
		}
	}
	return nil
}

// typesNamed are the names of identifier types that a condition compares with; none
// if it is about something else, or in a way that says nothing of them.
func typesNamed(c seeding.Condition) (names []string) {
	switch c.Path {
	case "reg_ids.id_type", "reg_ids.id_type.name", "reg_ids.id_type.display_name":
	default:
		return nil
	}
	switch c.Operator {
	case "=", "=like", "=ilike", "like", "ilike":
		if name, isText := c.Value.(string); isText && name != "" {
			return []string{name}
		}
	case "in":
		list, _ := c.Value.([]any)
		for _, value := range list {
			name, isText := value.(string)
			if !isText || name == "" {
				return nil
			}
			names = append(names, name)
		}
	}
	return names
}

// may reports whether a condition with these names can hold for a type.
func may(c seeding.Condition, names []string, typeName string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		switch c.Operator {
		case "=", "in":
			return name == typeName
		case "=like", "like":
			return name == typeName || strings.ContainsAny(name, `%\`) || c.Operator == "like" && strings.Contains(typeName, name)
		}
		return strings.ContainsAny(name, `%\`) || strings.EqualFold(name, typeName) || c.Operator == "ilike" && strings.Contains(strings.ToLower(typeName), strings.ToLower(name))
	})
}

// isUsual recognises the conditions about nothing but identifiers that every default
// has, or had in Odoo's connector: a registrant, no group, not disabled.
func isUsual(c seeding.Condition) bool {
	isTrue := c.Operator == "=" && c.Value == true || c.Operator == "!=" && c.Value == false
	isFalse := c.Operator == "=" && c.Value == false || c.Operator == "!=" && c.Value == true
	switch c.Path {
	case "is_registrant":
		return isTrue && !c.Negated
	case "is_group":
		return isFalse && !c.Negated
	case "disabled":
		return c.Operator == "=" && c.Value == false && !c.Negated
	}
	return false
}

func compact(v any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(v) != nil { // cannot be for what was read from JSON
		return ""
	}
	return string(bytes.TrimSpace(text.Bytes()))
}
