// Package registrant finds out what the registry says of one registrant now, and what
// the next pass would do with it. It writes nothing, and its lines hold nothing of the
// person but ids (infra/protocol.md, "Inquiries").
package registrant

import (
	"context"
	"errors"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Registry is what is asked of a registry.
type Registry interface {
	seeding.Registry
	// Unmet returns which conditions of the domain a registrant does not meet, each
	// asked for alone.
	Unmet(ctx context.Context, registrant int64) ([]seeding.Unmet, error)
}

// Store is what this package calls of the stores.
type Store interface {
	Connector(ctx context.Context, id string) (seeding.Connector, error)
	State(ctx context.Context, connector string) (seeding.State, error)
}

// Checker answers inquiries about registrants.
type Checker struct {
	Store Store
	// Open opens the registry of a stored connector as runs do.
	Open     func(ctx context.Context, c seeding.Connector) (Registry, error)
	Foreseer seeding.Foreseer
}

// readLimit is how long reading may take; the desk's limit of an answer is longer.
const readLimit = 100 * time.Second

// found is what was found of a registrant.
type found struct {
	there, archived bool // the user sees it, in use or archived
	selected        bool // by the domain
	unmet           []seeding.Unmet
	vids            []seeding.Identifier // that count
	otherVIDs       int                  // of the VID type that do not count: expired, invalid
	tokens          []seeding.Identifier // of the token type
	foreseen        []seeding.Foreseen
	unforeseen      error // why it is not known what a pass would do
}

// Answer implements inquire.Answerer.
func (k *Checker) Answer(ctx context.Context, q seeding.Inquiry, _ map[string]string, _ func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	c, err := k.Store.Connector(ctx, q.Connector)
	var state seeding.State
	if err == nil {
		state, err = k.Store.State(ctx, q.Connector)
	}
	switch {
	case seeding.IsNotFound(err):
		return []seeding.Line{seeding.ConnectorGone}, nil, nil
	case err != nil:
		return nil, nil, err
	}
	if c.FromODK() {
		return []seeding.Line{fromForm}, nil, nil
	}
	registry, err := k.Open(ctx, c)
	if err != nil {
		return []seeding.Line{seeding.RegistryUnusable(err).Line(person, "registry_url")}, nil, nil
	}
	f, err := k.look(ctx, c, registry, q.Registrants[0])
	if fault, ok := errors.AsType[*seeding.Fault](err); ok {
		return []seeding.Line{seeding.RegistryLine(person, err, seeding.ProblemRead, seeding.FieldOf(fault))}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return lines(f, c, state), nil, nil
}

// fromForm is the line of a connector that takes no registrants of the registry.
var fromForm = seeding.Line{Name: person, Result: seeding.LineNotTried, Code: "from_form", Description: seeding.Description{
	Text:   "Not tried: the connector takes submissions to a form, and sends no registrants of the registry.",
	Remedy: "Look at the preview of the connector, and at the rejections of its submissions.",
}}

// look reads what there is of a registrant. The error is a *seeding.Fault, or of the
// storage.
func (k *Checker) look(ctx context.Context, c seeding.Connector, registry Registry, id int64) (f found, err error) {
	one := []int64{id}
	inUse, archived, err := registry.Visible(ctx, one)
	if f.there, f.archived = len(inUse)+len(archived) > 0, len(archived) > 0; err != nil || !f.there {
		return f, err
	}
	all, tokens, err := registry.Identifiers(ctx, one)
	if err != nil {
		return f, err
	}
	f.tokens = tokens
	if len(all) > 0 {
		if f.vids, err = registry.VIDsOf(ctx, one); err != nil {
			return f, err
		}
	}
	f.otherVIDs = len(all) - len(f.vids)
	records, err := registry.Registrants(ctx, one)
	if err != nil {
		return f, err
	}
	if f.selected = records[id] != nil; !f.selected && !f.archived {
		if f.unmet, err = registry.Unmet(ctx, id); err != nil {
			return f, err
		}
	}
	if len(f.vids) > 0 {
		f.foreseen, err = k.Foreseer.Foresee(ctx, c, false, registry, f.vids)
		_, refused := errors.AsType[*seeding.Fault](err)
		_, useless := errors.AsType[*seeding.Unusable](err)
		if refused || useless {
			f.unforeseen, err = err, nil
		}
	}
	return f, err
}
