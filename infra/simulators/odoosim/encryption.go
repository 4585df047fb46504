package odoosim

import (
	"slices"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// The module g2p_registry_encryption of OpenG2P (models/partner.py): what it
// encrypts is a placeholder in the columns, and is decrypted by _fetch_query where
// that is called on exactly one registrant. search_read calls it on none.

const placeholder = "encrypted"

// encryptedFields are the provider's default.
var encryptedFields = []string{"name", "family_name", "given_name", "addl_name", "display_name", "address", "birth_place"}

// hides reports whether a field of a registrant shows the placeholder.
func (e *env) hides(m *model, r *row, f *field, v any) bool {
	return e.encrypted && !e.decrypts && m.name == partnerModel && m.named["is_registrant"].get(r) == true &&
		slices.Contains(encryptedFields, f.name) && python.Truthy(v)
}

// SetDecryption allows or forbids an encrypted registry to decrypt what is read
// alone: the setting decrypt_registry.
func (s *Server) SetDecryption(allowed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = !allowed
}

func (s *Server) isLocked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked
}
