package seeding

import (
	"slices"
	"time"
)

// Selection is whom an import takes. The zero Selection is everybody whom the
// connector's domain selects.
type Selection struct {
	Listed int    // how many registrants a person listed; 0 if a domain selects them
	Domain string // of the import alone, as in RegistrySource; "" is the connector's
	Window Window // of a connector of ODK; the zero Window is everything
}

// Whole reports whether the run looks at everybody whom the connector may send.
func (s Selection) Whole() bool { return s == Selection{} }

const (
	// MaxListed is how many registrants a person may list for an import: their ids
	// fit into the body of a request, and into the transaction that opens it.
	MaxListed = 10_000
	// MaxListedPart is how many of them are stored, read and written as one.
	MaxListedPart = 1000
	// MaxImports is how many imports of a connector may be open.
	MaxImports = 5
)

// Listed is a registrant that a person listed for an import. Without Unsent it was
// sent, once the run has looked at it.
type Listed struct {
	Registrant int64
	Identifier int64 // that holds its VID, as far as the run looked at one
	Unsent     Unsent
}

// ListedPart is a part of the list of an import, in the order of registrants.
type ListedPart struct {
	Entries []Listed
	Last    bool // no other part comes after it
}

// PartsOf cuts the list of an import into its parts. The registrants are sorted, and
// each is in the list once.
func PartsOf(registrants []int64) (parts []ListedPart) {
	for chunk := range slices.Chunk(registrants, MaxListedPart) {
		part := ListedPart{}
		for _, id := range chunk {
			part.Entries = append(part.Entries, Listed{Registrant: id})
		}
		parts = append(parts, part)
	}
	if len(parts) > 0 {
		parts[len(parts)-1].Last = true
	}
	return parts
}

// Unsent is why an import does not send a registrant that was listed for it.
type Unsent string

const (
	UnsentNotFound    Unsent = "not_found"    // the registry shows its user no such registrant
	UnsentArchived    Unsent = "archived"     // it is archived
	UnsentNotSelected Unsent = "not_selected" // the connector's domain does not select it
	UnsentNoVID       Unsent = "no_vid"       // it has no VID that is valid, and no token
	UnsentHolding     Unsent = "holding"      // it holds a token, or something else of its type
	UnsentInBatch     Unsent = "in_batch"     // it is in an open batch already
	UnsentRejected    Unsent = "rejected"     // it is rejected; its rejection says why
)

// unsents are stored by their place in the list: new ones are added at its end.
var unsents = []Unsent{
	"", UnsentNotFound, UnsentArchived, UnsentNotSelected, UnsentNoVID, UnsentHolding, UnsentInBatch, UnsentRejected,
}

// PackListed packs a part of a list: two to four bytes for each registrant.
func PackListed(list []Listed) []byte {
	members := make([]Member, len(list))
	for i, l := range list {
		members[i] = Member{Registrant: l.Registrant, Identifier: l.Identifier}
	}
	plain := appendMembers(nil, members)
	for _, l := range list {
		plain = append(plain, byte(max(0, slices.Index(unsents, l.Unsent)))) //nolint:gosec // there are eight
	}
	return deflate(plain)
}

// UnpackListed is the inverse of PackListed. Of a reason that a later version added
// it says nothing.
func UnpackListed(packed []byte) ([]Listed, error) {
	form, rest, members, err := unpack(packed)
	if err != nil || form != packedForm2 || rest.Len() != len(members) {
		return nil, ErrDamaged
	}
	list := make([]Listed, len(members))
	for i, m := range members {
		list[i] = Listed{Registrant: m.Registrant, Identifier: m.Identifier}
		if code, _ := rest.ReadByte(); int(code) < len(unsents) {
			list[i].Unsent = unsents[code]
		}
	}
	return list, nil
}

// Order is the wish of a person for an import.
type Order struct {
	Run         Run     // an import
	Registrants []int64 // that are listed: sorted, each once
	// Key is the Idempotency-Key of the request, "" for none: until it expires, a
	// repetition of the request finds the run by it. Digest is that of what the
	// request asked for.
	Key     string
	Digest  string
	Expires time.Time
}
