// Package check finds out whether a configuration would work, stored or a draft: what
// can be reached, what the registry's user may do, and what would be selected. It
// writes nothing to any server (infra/protocol.md, "Inquiries").
package check

import (
	"context"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Registry is what a check asks of a registry. It signs in anew, so that what is
// found is true now. No method writes, and nothing that is returned is a text of the
// server; errors are *seeding.Fault.
type Registry interface {
	// Version returns the version of Odoo, such as "17.0", without signing in; "" if
	// there is an Odoo that does not say.
	Version(ctx context.Context) (string, error)
	// SignIn returns which way the user's calls take: "session", "execute_kw", "json2".
	SignIn(ctx context.Context) (way string, err error)
	// Identity is the same for two addresses of one database; "" if it is not known.
	// exact says that it is Odoo's own.
	Identity(ctx context.Context) (identity string, exact bool, err error)
	// Line finds the identifier types, and returns the line of OpenG2P's modules:
	// "15.0", or "17.0" for later ones.
	Line(ctx context.Context) (string, error)
	// Encrypting reports whether the module is there that encrypts registrants.
	Encrypting(ctx context.Context) (bool, error)
	// FieldKinds returns Odoo's types of those of the connector's fields that
	// registrants have and the user may read.
	FieldKinds(ctx context.Context) (map[string]string, error)
	// ReadOnly makes Registrants read these fields only.
	ReadOnly(fields []string)
	// May reports whether the user has a right, also to the given record of the model,
	// unless it is 0. It asks and does not try.
	May(ctx context.Context, right seeding.Right, record int64) (bool, error)
	// LookUps measures how long it takes to find identifiers.
	LookUps(ctx context.Context, registrant int64) (seeding.LookUps, error)

	VIDs(ctx context.Context, after int64, limit int) ([]seeding.Identifier, error)
	CountVIDs(ctx context.Context, after int64) (int, error)
	Registrants(ctx context.Context, ids []int64) (map[int64]seeding.Record, error)
	Visible(ctx context.Context, ids []int64) (inUse, archived []int64, err error)
	Tokens(ctx context.Context, registrants []int64) ([]seeding.Identifier, error)
}

// Store is what a check calls of the stores.
type Store interface {
	Connector(ctx context.Context, id string) (seeding.Connector, error)
	States(ctx context.Context) ([]seeding.State, error)
	AllFound(ctx context.Context) ([]seeding.RegistryFound, error)
	NoteFound(ctx context.Context, f seeding.RegistryFound) error
}

// Checker answers checks.
type Checker struct {
	Store Store
	// Open opens the registry of a configuration with a password. It makes no call.
	Open func(c seeding.Connector, password string) (Registry, error)
	// Password returns the stored password that a configuration names.
	Password func(ctx context.Context, c seeding.Connector) (string, error)
	// Ping asks whether there is an MTS at an address.
	Ping func(ctx context.Context, mtsURL string) error
	// Reach asks whether a web server answers at an address, and sends no secret there.
	Reach func(ctx context.Context, address string) error
	// OpenODK opens the form of a configuration with a password. It makes no call.
	OpenODK func(c seeding.Connector, password string) (Central, error)
	// ODKPassword is Password, of ODK Central.
	ODKPassword func(ctx context.Context, c seeding.Connector) (string, error)
	// FormPaths are the fields of the form that a mapping reads, as far as they can be
	// told; that of VIDs is "" if it cannot.
	FormPaths func(c seeding.Connector) (vid string, paths []string)
	// OutputRights are the rights that writing what an Output Format gives needs, besides
	// those that every token needs. known is false if that cannot be told.
	OutputRights func(c seeding.Connector) (rights []seeding.Right, known bool)
	Clock        seeding.Clock
}

const (
	// callLimit is how long one call, or a few that belong together, may take.
	callLimit = 25 * time.Second
	// sample is how many VIDs are looked at through the domain, and sampleOneByOne
	// where each registrant is read alone.
	sample         = 1000
	sampleOneByOne = 20
)

// report collects lines.
type report struct {
	lines []seeding.Line
	show  func([]seeding.Line) error
	err   error // of showing
}

func (r *report) add(lines ...seeding.Line) {
	r.lines = append(r.lines, lines...)
	if r.err == nil {
		r.err = r.show(r.lines)
	}
}

// Answer implements inquire.Answerer.
func (k *Checker) Answer(ctx context.Context, q seeding.Inquiry, secrets map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
	c, passwords, err := seeding.AskedAbout(ctx, k.Store, q, secrets)
	if seeding.IsNotFound(err) {
		return []seeding.Line{seeding.ConnectorGone}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	r := &report{show: show}
	if c.MTS.URL == "" {
		r.add(seeding.NoMTS)
	} else {
		r.add(mtsLine(limited(ctx, func(ctx context.Context) error { return k.Ping(ctx, c.MTS.URL) })))
	}
	if direct := c.Delivery.Direct; direct != nil && direct.Auth.URL != "" {
		r.add(tokenLine(limited(ctx, func(ctx context.Context) error { return k.Reach(ctx, direct.Auth.URL) })))
	}
	if c.FromODK() {
		k.odk(ctx, r, c, passwords.ODK, secrets)
	}
	err = k.registry(ctx, r, c, passwords.Registry, secrets)
	if err == nil {
		err = r.err
	}
	return r.lines, nil, err
}

// limited calls do with a time limit of its own.
func limited(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return do(ctx)
}

// registry looks at the registry, as far as each finding allows the next.
func (k *Checker) registry(ctx context.Context, r *report, c seeding.Connector, source seeding.PasswordSource, secrets map[string]string) error {
	if c.Registry.URL == "" {
		r.add(seeding.NoRegistry)
		r.add(notTried(notReached, behindRegistry(c)...)...)
		return nil
	}
	password := secrets[seeding.RegistryPassword]
	var unread error
	if source == seeding.PasswordStored {
		password, unread = k.Password(ctx, c)
	}
	registry, err := k.Open(c, password)
	if err != nil {
		r.add(seeding.RegistryUnusable(err).Line(server, registryURL))
		r.add(notTried(notReached, behindRegistry(c)...)...)
		return nil
	}
	var odoo string
	err = limited(ctx, func(ctx context.Context) (err error) { odoo, err = registry.Version(ctx); return err })
	r.add(registryLine(err))
	if err != nil {
		r.add(notTried(notReached, behindRegistry(c)...)...)
		return nil //nolint:nilerr // it is what was found
	}
	var way string
	line, tried := source.Line(unread)
	if tried {
		err = limited(ctx, func(ctx context.Context) (err error) { way, err = registry.SignIn(ctx); return err })
		line = signInLine(c, way, err)
	}
	r.add(line)
	if line.Result != seeding.LineOK {
		r.add(versionLine(odoo, "", ""))
		r.add(notTried(notSignedIn, behindRegistry(c)[2:]...)...)
		return nil
	}
	var module string
	typesErr := limited(ctx, func(ctx context.Context) (err error) { module, err = registry.Line(ctx); return err })
	r.add(versionLine(odoo, module, way))
	found := seeding.RegistryFound{Registry: c.RegistryKey(), Odoo: odoo, Line: module, Checked: k.Clock.Now()}
	err = limited(ctx, func(ctx context.Context) (err error) {
		found.Identity, found.Exact, err = registry.Identity(ctx)
		return err
	})
	if err := k.compare(ctx, r, found, err); err != nil {
		return err
	}
	r.add(typesLine(c.FromODK(), typesErr))
	if c.FromODK() {
		k.creating(ctx, r, c, registry, typesErr)
	} else {
		k.reading(ctx, r, c, registry, typesErr)
	}
	return nil
}

// compare adds the line about the identity of the database, and notes what was found
// of a registry that a connector has: others are compared with it, and people are shown
// what it is.
func (k *Checker) compare(ctx context.Context, r *report, found seeding.RegistryFound, failed error) error {
	states, err := k.Store.States(ctx)
	if seeding.IgnoreDamaged(err) != nil {
		return err
	}
	all, err := k.Store.AllFound(ctx)
	if seeding.IgnoreDamaged(err) != nil {
		return err
	}
	r.add(databaseLine(found, failed, all, states))
	for _, s := range states {
		if s.Registry == found.Registry && (found.Identity != "" || found.Odoo != "") {
			return k.Store.NoteFound(ctx, found)
		}
	}
	return nil
}

// creating looks at the rights to create registrants of submissions.
func (k *Checker) creating(ctx context.Context, r *report, c seeding.Connector, registry Registry, typesErr error) {
	if typesErr != nil {
		r.add(notTried(noTypes, behindTypes(c)...)...)
		return
	}
	may := func(right seeding.Right) (may bool, err error) {
		err = limited(ctx, func(ctx context.Context) (err error) { may, err = registry.May(ctx, right, 0); return err })
		return may, err
	}
	creates, err := may(seeding.CreateIdentifiers)
	r.add(createLine(creates, false, err))
	all := true
	for _, right := range rightsToRegistrants {
		if allowed, failed := may(right); failed != nil {
			err = failed
		} else if !allowed {
			all = false
		}
	}
	r.add(registrantsLine(all, err))
	switch {
	case !writesMore(c):
	case !all:
		r.add(notTried(noRegistrants, write)...)
	default:
		r.add(k.writes(c, may))
	}
	var looks seeding.LookUps
	err = limited(ctx, func(ctx context.Context) (err error) { looks, err = registry.LookUps(ctx, 0); return err })
	r.add(indexLines(looks, err)...)
}

// reading looks at what is read of registrants, and at the rights to write.
func (k *Checker) reading(ctx context.Context, r *report, c seeding.Connector, registry Registry, typesErr error) {
	var encrypting bool
	err := limited(ctx, func(ctx context.Context) (err error) { encrypting, err = registry.Encrypting(ctx); return err })
	r.add(modulesLine(encrypting, c.Source.OneByOne, err))
	var kinds map[string]string
	err = limited(ctx, func(ctx context.Context) (err error) { kinds, err = registry.FieldKinds(ctx); return err })
	line, known := fieldsLine(c.Source.Fields, kinds, err)
	r.add(line)
	if typesErr != nil {
		r.add(notTried(noTypes, behindTypes(c)...)...)
		return
	}
	if line.Result == seeding.LineFailure {
		registry.ReadOnly(known) // so that what else is wrong is found now
	}
	s, err := k.sample(ctx, c, registry)
	r.add(readLine(s, err))
	if err != nil {
		r.add(notTried(notRead, selects)...)
	} else {
		r.add(selectsLine(s, c.Registry.VIDType))
	}
	may := func(right seeding.Right) (may bool, err error) {
		of := s.firstVID // of a record, 0 for any
		switch right.Model {
		case seeding.CreateIdentifiers.Model:
		case "res.partner":
			of = s.firstHolder
		default:
			of = 0
		}
		err = limited(ctx, func(ctx context.Context) (err error) { may, err = registry.May(ctx, right, of); return err })
		return may, err
	}
	creates, err := may(seeding.CreateIdentifiers)
	r.add(createLine(creates, c.IsDirect(), err))
	removes, err := may(seeding.RemoveIdentifiers)
	r.add(removeLine(removes, c.Output.RemoveVIDs, err))
	if writesMore(c) {
		r.add(k.writes(c, may))
	}
	var looks seeding.LookUps
	err = limited(ctx, func(ctx context.Context) (err error) { looks, err = registry.LookUps(ctx, s.firstHolder); return err })
	r.add(indexLines(looks, err)...)
}

// writesMore reports whether an Output Format may write more than the token.
func writesMore(c seeding.Connector) bool { return c.Output.Format != "" && !c.IsDirect() }

// writes asks for the rights that the Output Format needs.
func (k *Checker) writes(c seeding.Connector, may func(seeding.Right) (bool, error)) seeding.Line {
	rights, known := k.OutputRights(c)
	if !known {
		return notTried(noResult, write)[0]
	}
	var denied []seeding.Right
	for _, right := range rights {
		switch allowed, err := may(right); {
		case err != nil:
			return seeding.RegistryLine(write, err, seeding.ProblemWrite, outputFormat)
		case !allowed:
			denied = append(denied, right)
		}
	}
	return writeLine(rights, denied)
}

// seen is what a sample of VIDs shows.
type seen struct {
	all                   int // VIDs of the registry, -1 if it did not count them
	looked                int // VIDs of the sample
	selected              int // of these, VIDs of registrants whom the domain selects
	holding               int // of these, VIDs of registrants who hold something of the token type
	unseen                seeding.Nobody
	firstVID, firstHolder int64 // ids of the first VID and of its registrant; 0 if there is none
}

// sample looks at the first VIDs as a run does. So its cost is bounded, which that of
// asking the registry for all whom the domain selects is not (facts/odoo.md B3).
func (k *Checker) sample(ctx context.Context, c seeding.Connector, registry Registry) (s seen, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callLimit)
	defer cancel()
	limit := sample
	if c.Source.OneByOne {
		limit = sampleOneByOne
	}
	vids, err := registry.VIDs(ctx, 0, limit)
	if err != nil {
		return s, err
	}
	s.looked = len(vids)
	if s.all = len(vids); len(vids) == limit {
		behind, err := registry.CountVIDs(ctx, vids[limit-1].ID)
		if s.all += behind; err != nil {
			s.all = -1
		}
	}
	ids := []int64{}
	for _, v := range vids {
		ids = append(ids, v.Registrant)
	}
	if len(ids) == 0 {
		ids = []int64{0} // nobody; but the registry says whether it accepts the domain
	} else {
		s.firstVID, s.firstHolder = vids[0].ID, vids[0].Registrant
	}
	records, err := registry.Registrants(ctx, ids)
	if err != nil {
		return s, err
	}
	held, err := registry.Tokens(ctx, ids)
	if err != nil {
		return s, err
	}
	tokens := seeding.ByRegistrant(held)
	var absent []int64
	for _, v := range vids {
		if records[v.Registrant] == nil {
			absent = append(absent, v.Registrant)
			continue
		}
		s.selected++
		if len(tokens[v.Registrant]) > 0 {
			s.holding++
		}
	}
	if seeding.FindsNobody(s.looked, len(absent)) {
		s.unseen = seeding.UnseenCause
		if inUse, archived, err := registry.Visible(ctx, absent); err == nil {
			s.unseen = seeding.UnseenOf(len(absent), len(inUse), len(archived))
		}
	}
	return s, nil
}
