package odoo

import (
	"context"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// OpenG2P's module g2p_registry_encryption stores names and addresses encrypted in
// one field, and a placeholder in their place. It decrypts where exactly one
// registrant is read, and the registry's setting allows it: a search_read returns
// placeholders, also of a single registrant (models/partner.py, _fetch_query). Which
// fields are encrypted, and what the placeholder says, a registry can change.

// encryptionMark is the module's field of res.partner: this registrant is encrypted.
// Of one that was read alone it does not say whether it is decrypted.
const encryptionMark = "is_encrypted"

// placeholder is the module's default, which a registry can change.
const placeholder = "encrypted"

// encryptedNames are the fields of names that the module encrypts by default.
var encryptedNames = map[string]bool{"name": true, "family_name": true, "given_name": true, "addl_name": true, "display_name": true}

// withMark adds the mark to fields.
func withMark(fields []string) []string {
	if slices.Contains(fields, encryptionMark) {
		return fields
	}
	return append(slices.Clone(fields), encryptionMark)
}

// isEncrypting reports whether the module is installed. If that is not known it asks the
// registry, and for the kinds of fields in the same call.
func (s *session) isEncrypting(ctx context.Context, fields []string) (bool, error) {
	s.mu.Lock()
	known := s.kinds
	s.mu.Unlock()
	if known != nil {
		return known.encrypted, nil
	}
	found, err := s.readKinds(ctx, fields)
	return found.encrypted, err
}

// isMarked reports whether one of the rows is of an encrypted registrant.
func isMarked(rows []map[string]any) bool {
	return slices.ContainsFunc(rows, func(row map[string]any) bool { return row[encryptionMark] == true })
}

// hidden reports whether rows of encrypted registrants that were read one by one hold
// placeholders: the module's own, or one value in all names of so many of them that it
// is no chance.
// A registrant counts once: the given name may be the family name.
func hidden(rows []map[string]any, fields []string) bool {
	first, alike, same := "", 0, true
	for _, row := range rows {
		if row[encryptionMark] != true {
			continue
		}
		named := false
		for _, f := range fields {
			text, _ := row[f].(string)
			if text = strings.TrimSpace(text); strings.EqualFold(text, placeholder) {
				return true
			}
			if text == "" || !encryptedNames[f] {
				continue
			}
			if first == "" {
				first = text
			}
			named, same = true, same && text == first
		}
		if named {
			alike++
		}
	}
	return same && alike > 0 && alike >= seeding.LeastAlike(first)
}

// readable is an error if what was read are placeholders. In a list everything that is
// encrypted is one, whatever it says.
func (r *Registry) readable(rows []map[string]any) error {
	switch {
	case !r.oneByOne && isMarked(rows):
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.Encrypted}
	case r.oneByOne && hidden(rows, r.fields):
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.StillEncrypted}
	}
	return nil
}

// readOne reads each of the registrants that the domain selects in a call of its
// own.
func (r *Registry) readOne(ctx context.Context, domain []any, asked int, fields []string, callContext map[string]any) ([]map[string]any, error) {
	selected := rowsOf[struct {
		ID int64 `json:"id"`
	}](asked, 1, asked)
	if err := r.session.searchRead(ctx, partnerModel, domain, within(callContext, []string{"id"}), selected); err != nil {
		return nil, r.blame(err, nil)
	}
	var list []map[string]any
	for _, row := range selected.list {
		rows := rowsOf[map[string]any](1, len(fields), 1)
		err := r.session.call(ctx, request{model: partnerModel, method: "read", arg: []int64{row.ID}, kwargs: map[string]any{"fields": fields}}, rows)
		if seeding.FaultOf(err).Code == "MissingError" {
			continue // deleted since
		}
		if err == nil && rows.missing() {
			err = unanswered(false, "BadAnswer", nil)
		}
		if err != nil {
			return nil, r.blame(err, rows.list)
		}
		list = append(list, rows.list...)
	}
	return list, nil
}
