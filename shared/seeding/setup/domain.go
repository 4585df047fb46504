package setup

import (
	"bytes"
	"encoding/json"

	"openg2p.org/mts-connector/shared/seeding"
)

// DefaultDomain is the one of the Odoo module (facts/mts.md 5.1), with the
// identifier types of this registry: registrants that have a VID and no token.
func DefaultDomain(r seeding.RegistryAccess) string { return domainOf(r.VIDType, r.TokenType) }

func domainOf(vidType, tokenType string) string {
	return compact([]any{
		[]any{"is_registrant", "=", true},
		[]any{"reg_ids.id_type", "=like", vidType},
		"!", []any{"reg_ids.id_type", "=like", tokenType},
	})
}

// checkDomain: the registry client can evaluate it, and it was not built for
// other identifier types.
func (r Rules) checkDomain(p Proposal) []Finding {
	domain, registry := p.Connector.Source.Domain, p.Connector.Registry
	if !p.readable(Domain) || domain == DefaultDomain(registry) {
		return nil
	}
	if err := r.CheckDomain(domain); err != nil {
		return []Finding{{Domain, err.Error()}}
	}
	if p.readable(VIDType, TokenType) && NamesOtherTypes(domain, registry) {
		return []Finding{{Domain, "names other identifier types than registry.vid_type and registry.token_type, so it would select nobody, or everybody; " +
			"leave it out to have it built from them"}}
	}
	return nil
}

// NamesOtherTypes recognises a default domain that was built for other identifier
// types: the types were changed, and the domain was sent back as it was read
// (facts/mts.md D12).
func NamesOtherTypes(domain string, r seeding.RegistryAccess) bool {
	var terms []any
	if json.Unmarshal([]byte(domain), &terms) != nil || len(terms) != 4 {
		return false
	}
	named := domainOf(operand(terms[1]), operand(terms[3]))
	return compact(terms) == named && named != DefaultDomain(r)
}

// operand is the text that a condition compares with, or "".
func operand(term any) string {
	condition, _ := term.([]any)
	if len(condition) != 3 {
		return ""
	}
	text, _ := condition[2].(string)
	return text
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
