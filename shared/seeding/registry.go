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
	// UsualHolders are those of TokenHolders whose value is one of the TokenSpellings,
	// in one call.
	UsualHolders(ctx context.Context, tokens []string) ([]Identifier, error)
	// Create writes the tokens, all or none of them, in one call.
	Create(ctx context.Context, tokens []NewToken) error
	// Remove deletes the identifiers in one call; those that do not exist are
	// no error.
	Remove(ctx context.Context, identifiers []int64) error

	// Submissions returns the identifiers of the connector's submission type whose value
	// is one of the ids, whoever holds them.
	Submissions(ctx context.Context, ids []string) ([]Identifier, error)
	// CreateRegistrants creates registrants with all that they hold, all or none of them,
	// in one call, and returns their ids in the same order.
	CreateRegistrants(ctx context.Context, list []NewRegistrant) ([]int64, error)

	// Kinds returns what the connector's fields are; those that registrants do not have
	// are left out.
	Kinds(ctx context.Context) (map[string]FieldKind, error)
	// Inputs reads the connector's fields of registrants, whatever its domain says of
	// them. Those that the user does not see are left out.
	Inputs(ctx context.Context, ids []int64) (map[int64]Input, error)
	// Details reads what an individual that is to be written is compared with.
	Details(ctx context.Context, w Wanted) (Details, error)
	// Write makes changes, all or none of them, in one call. All are of one kind, and
	// name the same values.
	Write(ctx context.Context, changes []Edit) error
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
	// What an Output Format says besides; "" says nothing. A line that has no status
	// and description of identifiers leaves them out.
	Expiry              string // YYYY-MM-DD
	Status, Description string
}

// NewRegistrant is an individual that is created of a submission.
type NewRegistrant struct {
	Submission  string            // id, which it keeps under the connector's submission type
	Token       NewToken          // without a registrant
	Values      map[string]string // by the registry's names of fields; none is empty, and a name is there
	Phones      []Phone
	Identifiers []NewIdentifier // of other types
}

// NewIdentifier is an identifier of a registrant that is to be created.
type NewIdentifier struct {
	Type   int64
	Values map[string]string // by the registry's names of fields; none is empty
}

// Input is a registrant for an Output Format.
type Input struct {
	Record Record // as Registrants returns it
	Sent   Record // as Odoo's connector sends it to MTS (Record.Sent)
}

// Wanted says what Details is to read.
type Wanted struct {
	Registrants []int64
	Fields      []string // of the registrants: texts, dates, and selections by their values
	Held        bool     // what identifiers they hold
	Types       []string // of identifiers, by their names
	Values      []string // identifiers with these values, whoever holds them
	Genders     []string // codes
	Phones      bool
}

// Details are what Details read.
type Details struct {
	// Fields by registrant, if some were asked for; "" is empty. Who is not seen is
	// not in it.
	Fields      map[int64]map[string]string
	Types       map[string]int64 // those that are there exactly once
	Identifiers []HeldIdentifier
	Genders     map[string]string  // values that are stored, by code
	Phones      map[int64][]string // numbers by registrant
	Later       bool               // a line after 15.0, whose identifiers have a status and a description
}

// HeldIdentifier is an identifier of any type, with the type's name.
type HeldIdentifier struct {
	Identifier
	Type string
}

// EditKind is what an Edit changes. The kinds are in the order in which they are
// written: what a registrant is comes last, because an Output Format may read it again.
type EditKind int

const (
	SetIdentifier EditKind = iota
	AddIdentifier
	AddPhone
	SetRegistrant
)

// Right is one that a registry gives its users: an operation (read, create, write,
// unlink) on the records of a model.
type Right struct {
	Model     string // by Odoo's name
	Operation string
}

func (r Right) String() string { return r.Model + " " + r.Operation }

// Rights that the writing of tokens and the removal of VIDs need.
var (
	CreateIdentifiers = Right{"g2p.reg.id", "create"}
	RemoveIdentifiers = Right{"g2p.reg.id", "unlink"}
)

// Edit is a write into the registry besides tokens and VIDs.
type Edit struct {
	Kind   EditKind
	ID     int64             // of what is changed; of what is added, its registrant
	Type   int64             // of an identifier that is added
	Values map[string]string // by the registry's names of fields; none is empty
}

// ByRegistrant groups identifiers by the registrants that hold them.
func ByRegistrant(identifiers []Identifier) map[int64][]Identifier {
	m := map[int64][]Identifier{}
	for _, i := range identifiers {
		m[i.Registrant] = append(m[i.Registrant], i)
	}
	return m
}

// Condition is one of those of a domain that must all hold.
type Condition struct {
	Negated  bool
	Path     string // "reg_ids.id_type"; empty for what is put together with "or"
	Operator string // "=like"
	Value    any    // as JSON has it, numbers as json.Number
}
