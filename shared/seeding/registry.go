package seeding

import (
	"context"
	"time"
)

// RegistryState is what the functions share about one registry.
type RegistryState struct {
	Key     string
	Counter int64 // grows with every claim
	Patch   Lease // one writer, because two can break Odoo's rule of one identifier per type (facts/odoo.md A6)

	OutageUntil    time.Time // no call before
	OutageAttempts int

	Create time.Duration // measured time per record of a create; 0 means never measured

	// RefusedAlike counts single records that were refused with RefusedCode
	// since the last accepted one.
	RefusedAlike int
	RefusedCode  string
}

// Registries opens the registry of a connector. It may read the connector's
// secrets, but makes no call to the registry.
type Registries interface {
	Open(ctx context.Context, c Connector) (Registry, error)
}

// Registry is what the functions call of an OpenG2P registry. Every error is a
// *Fault. Identifier types are found by name, once per process unless they
// disappear. Lists have no order unless it is stated.
type Registry interface {
	// VIDs returns up to limit identifiers of the VID type with id > after,
	// valid and not expired, ordered by id.
	VIDs(ctx context.Context, after int64, limit int) ([]Identifier, error)
	// CountVIDs returns how many VIDs would return without a limit.
	CountVIDs(ctx context.Context, after int64) (int, error)
	// VIDsOf returns those that the registrants hold of what VIDs would return,
	// ordered by id.
	VIDsOf(ctx context.Context, registrants []int64) ([]Identifier, error)
	// Registrants reads the connector's fields of those registrants that its
	// domain selects. A record holds the fields as Odoo sends them, without
	// empty ones, and always "id".
	Registrants(ctx context.Context, ids []int64) (map[int64]Record, error)
	// Visible returns those of the registrants that the user sees without the
	// domain: in use, and archived.
	Visible(ctx context.Context, ids []int64) (inUse, archived []int64, err error)
	// Tokens returns the identifiers of the token type that the registrants hold.
	Tokens(ctx context.Context, registrants []int64) ([]Identifier, error)
	// Identifiers returns the identifiers of VID and token type that the
	// registrants hold, with the time of their entry.
	Identifiers(ctx context.Context, registrants []int64) (vids, tokens []Identifier, err error)
	// TokenHolders returns the identifiers of the token type whose value, cleaned
	// (CleanToken), is one of the tokens. Where more than 2,000 values of the type
	// are longer than the shortest of the tokens, of those only the TokenSpellings
	// are found: an adapter need not read more.
	TokenHolders(ctx context.Context, tokens []string) ([]Identifier, error)
	// Create writes the tokens, all or none of them, in one call.
	Create(ctx context.Context, tokens []NewToken) error
	// Remove deletes the identifiers in one call; those that do not exist are
	// no error.
	Remove(ctx context.Context, identifiers []int64) error
}

// OutageEnd is until when nobody calls a registry that could not be reached;
// before counts the failed attempts before this one.
func OutageEnd(now time.Time, before int, times Times) time.Time {
	return now.Add(BackOff(times.ProbeFirst, times.ProbeMax/4, before))
}

// Record is a registrant as the registry sent it: field to JSON value.
type Record map[string]any

// Identifier is a g2p.reg.id of a registrant.
type Identifier struct {
	ID         int64
	Registrant int64
	Value      string
	Created    time.Time // when it was entered; only Registry.Identifiers reads it
}

// NewToken is a token to be written.
type NewToken struct {
	Registrant int64
	Value      string
}

// ByRegistrant groups identifiers by the registrants that hold them.
func ByRegistrant(identifiers []Identifier) map[int64][]Identifier {
	m := map[int64][]Identifier{}
	for _, i := range identifiers {
		m[i.Registrant] = append(m[i.Registrant], i)
	}
	return m
}
