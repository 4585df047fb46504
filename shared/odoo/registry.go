// Package odoo is a client of OpenG2P registries. A user with a password gets a
// session of Odoo's JSON-RPC (facts/odoo.md A): its cookie halves the fixed cost of
// a call, and with it Odoo's errors can be understood even on a server with several
// databases. One with an API key uses JSON-2, or execute_kw before Odoo 19.
package odoo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"openg2p.org/mts-connector/shared/seeding"
)

// Registries opens registries. Sessions are kept per connector for the life of
// the process.
type Registries struct {
	// SignedIn, if there is one, is told of every sign-in: the connector's id, and
	// which way its calls take, "session", "execute_kw" or "json2".
	SignedIn func(connector, way string)

	client    *http.Client
	passwords func(context.Context, seeding.Connector) (string, error)
	now       func() time.Time

	mu       sync.Mutex
	sessions map[string]*session // by connector
}

// New returns registries on an HTTP client that bounds response bodies. Contexts
// limit the time. passwords returns the registry password of a connector; it
// should cache it.
func New(client *http.Client, passwords func(ctx context.Context, c seeding.Connector) (string, error), now func() time.Time) *Registries {
	return &Registries{client: client, passwords: passwords, now: now, sessions: map[string]*session{}}
}

var (
	_ seeding.Registries = (*Registries)(nil)
	_ seeding.Registry   = (*Registry)(nil)
)

// Open makes no call to the registry. Its errors are about the configuration
// (such as a *DomainError) or the password, so none is a *seeding.Fault.
func (r *Registries) Open(ctx context.Context, c seeding.Connector) (seeding.Registry, error) {
	registry, err := r.open(ctx, c)
	if err != nil {
		return nil, err
	}
	return registry, nil
}

func (r *Registries) open(ctx context.Context, c seeding.Connector) (*Registry, error) {
	return r.openWith(c, func() (string, error) { return r.passwords(ctx, c) })
}

func (r *Registries) openWith(c seeding.Connector, secret func() (string, error)) (*Registry, error) {
	var domain Domain
	var err error
	if !c.FromODK() { // of which it does not count
		if domain, err = ParseDomain(c.Source.Domain); err != nil {
			return nil, err
		}
	}
	address, err := seeding.ParseAddress(c.Registry.URL)
	if err != nil {
		return nil, err
	}
	password, err := secret()
	if err != nil {
		return nil, fmt.Errorf("password of the registry: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[c.ID]
	if s == nil || s.access != c.Registry || s.password != password {
		s = &session{client: r.client, base: address.String(), access: c.Registry, password: password, signed: r.signedIn(c.ID)}
		r.sessions[c.ID] = s
	}
	return &Registry{session: s, domain: domain, fields: withID(c.Source.Fields), oneByOne: c.Source.OneByOne, now: r.now}, nil
}

func (r *Registries) signedIn(connector string) func(way string) {
	return func(way string) {
		if r.SignedIn != nil {
			r.SignedIn(connector, way)
		}
	}
}

// Registry is the registry of one connector. Its errors are *seeding.Fault and
// hold no text of the server. Without a reply, a read is Unreachable and a write
// Unknown, unless surely nothing was sent.
type Registry struct {
	session *session
	domain  Domain
	fields  []string
	// oneByOne reads each registrant in a call of its own.
	oneByOne bool
	now      func() time.Time
}

// VIDs pages by id, 40 ms per 1,000 at any depth (facts/odoo.md B3).
func (r *Registry) VIDs(ctx context.Context, after int64, limit int) ([]seeding.Identifier, error) {
	if after == 0 {
		// A pass begins. To a warm process that keeps an outdated schema, a
		// registry whose VID type was renamed would look empty for ever.
		r.session.forget()
	}
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return nil, err
	}
	var list []seeding.Identifier
	for range 10 { // what is left out of a page must not make it look like the last one
		most := limit - len(list)
		rows := rowsOf[row](most, len(identifierFields), most)
		if err := r.identifiers(ctx, r.vidsAfter(after, schema), map[string]any{"limit": most, "order": "id"}, rows); err != nil {
			return nil, err
		}
		for _, row := range rows.list {
			if row.ID <= after {
				return nil, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAnswer"} // not in order: the pass would have no end
			}
			after = row.ID
		}
		list = append(list, identifiers(rows.list, schema.vid)...)
		if len(rows.list) < most || len(list) == limit {
			return list, nil
		}
	}
	return nil, &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAnswer"} // no VIDs among as many rows
}

// CountVIDs is one call, which reads the whole table where id_type has no index.
func (r *Registry) CountVIDs(ctx context.Context, after int64) (int, error) {
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return 0, err
	}
	var count *int
	err = r.session.call(ctx, request{model: identifierModel, method: "search_count", arg: r.vidsAfter(after, schema)}, &count)
	switch {
	case err != nil:
		return 0, err
	case count == nil || *count < 0 || *count > math.MaxInt32: // Odoo's ids have 31 bits
		return 0, unanswered(false, "BadAnswer", nil)
	}
	return *count, nil
}

// vidsAfter is the domain of the VIDs that are valid and not expired.
func (r *Registry) vidsAfter(after int64, s schema) []any {
	domain := []any{
		[]any{"id_type", "=", s.vid},
		[]any{"id", ">", after},
		"|", []any{"expiry_date", "=", false}, []any{"expiry_date", ">=", r.now().UTC().Format(time.DateOnly)},
	}
	if s.later {
		domain = append(domain, "|", []any{"status", "=", false}, []any{"status", "=", "valid"})
	}
	return domain
}

// Registrants asks for those of the ids that the domain lets through.
func (r *Registry) Registrants(ctx context.Context, ids []int64) (map[int64]seeding.Record, error) {
	if len(ids) == 0 {
		return map[int64]seeding.Record{}, nil
	}
	access := r.session.access
	return r.records(ctx, r.domain.Among(ids, access.VIDType, access.TokenType), ids, nil)
}

// records reads the fields of those of the ids that a domain selects.
func (r *Registry) records(ctx context.Context, domain []any, ids []int64, callContext map[string]any) (map[int64]seeding.Record, error) {
	encrypting, err := r.session.isEncrypting(ctx, r.fields)
	if err != nil {
		return nil, err
	}
	fields := r.fields
	if encrypting {
		fields = withMark(fields)
	}
	rows, err := r.read(ctx, domain, len(ids), fields, callContext)
	if err != nil {
		return nil, err
	}
	if err := r.readable(rows); err != nil {
		return nil, err
	}
	asked := make(map[int64]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	records := make(map[int64]seeding.Record, len(ids))
	for _, row := range rows {
		registrant := r.record(row)
		if id, ok := registrant["id"].(int); ok && asked[int64(id)] {
			records[int64(id)] = registrant
		}
	}
	return records, nil
}

// read reads the fields of the registrants that a domain selects, at most asked, in a
// context of Odoo, or none.
func (r *Registry) read(ctx context.Context, domain []any, asked int, fields []string, callContext map[string]any) ([]map[string]any, error) {
	if r.oneByOne {
		return r.readOne(ctx, domain, asked, fields, callContext)
	}
	rows := rowsOf[map[string]any](asked, len(fields), asked)
	err := r.session.searchRead(ctx, partnerModel, domain, within(callContext, fields), rows)
	if err != nil {
		return nil, r.blame(err, rows.list)
	}
	return rows.list, nil
}

// within are the options of a search_read of fields, in a context.
func within(callContext map[string]any, fields []string) map[string]any {
	options := map[string]any{"fields": fields}
	if callContext != nil {
		options["context"] = callContext
	}
	return options
}

// blame finds what of the connector's own configuration made reading fail: the
// field that takes most of a reply that was too large, or a field or an operator
// that the registry does not have.
func (r *Registry) blame(err error, read []map[string]any) error {
	fault := seeding.FaultOf(err)
	if fault.Code == seeding.CodeTooLarge {
		fault.Field = largest(r.fields, read)
		return fault
	}
	b, ok := errors.AsType[*blamed](err)
	if !ok {
		return fault
	}
	for _, name := range b.fields {
		switch {
		case slices.Contains(r.fields, name) && fault.Kind == seeding.RefusedRights:
			fault.Code, fault.Field = "FieldDenied", name
		case slices.Contains(r.fields, name):
			fault.Code, fault.Field = "NoSuchField", name
		default:
			r.domain.walk(func(path, _ string) {
				if fault.Field == "" && slices.Contains(strings.Split(path, "."), name) {
					fault.Code, fault.Field = "NoSuchDomainField", path
				}
			})
		}
		if fault.Field != "" {
			return fault
		}
	}
	if b.operator {
		if operator := r.domain.newest(); operator != "" {
			fault.Code, fault.Field = "NoSuchOperator", operator
		}
	}
	return fault
}

// largest is the field with the longest values in all rows together.
func largest(fields []string, rows []map[string]any) (name string) {
	most := 0
	for _, f := range fields {
		size := 0
		for _, row := range rows {
			size += sizeOf(row[f])
		}
		if size > most {
			most, name = size, f
		}
	}
	return name
}

// VIDsOf is one call. Where none is found it is repeated with a schema that is read
// anew: to a warm process that keeps an outdated one nobody has a VID.
func (r *Registry) VIDsOf(ctx context.Context, registrants []int64) ([]seeding.Identifier, error) {
	if len(registrants) == 0 {
		return nil, nil
	}
	list, err := r.vidsOf(ctx, registrants)
	if err == nil && len(list) == 0 {
		r.session.forget()
		list, err = r.vidsOf(ctx, registrants)
	}
	return list, err
}

func (r *Registry) vidsOf(ctx context.Context, registrants []int64) ([]seeding.Identifier, error) {
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return nil, err
	}
	rows := lookUp(len(registrants))
	domain := append(r.vidsAfter(0, schema), []any{"partner_id", "in", registrants})
	err = r.identifiers(ctx, domain, map[string]any{"order": "id"}, rows)
	list := heldBy(registrants, identifiers(rows.list, schema.vid))
	slices.SortFunc(list, func(a, b seeding.Identifier) int { return cmp.Compare(a.ID, b.ID) })
	return list, err
}

// Visible reads one field of each.
func (r *Registry) Visible(ctx context.Context, ids []int64) (inUse, archived []int64, err error) {
	if len(ids) == 0 {
		return nil, nil, nil
	}
	type partner struct {
		ID     int64 `json:"id"`
		Active bool  `json:"active"`
	}
	rows := rowsOf[partner](len(ids), 2, len(ids))
	err = r.session.searchRead(ctx, partnerModel, []any{[]any{"id", "in", ids}}, within(withArchived, []string{"id", "active"}), rows)
	for _, row := range rows.list {
		if !slices.Contains(ids, row.ID) {
			continue
		}
		if row.Active {
			inUse = append(inUse, row.ID)
		} else {
			archived = append(archived, row.ID)
		}
	}
	return inUse, archived, err
}

// mostUnmet bounds the conditions that Unmet asks for: each is a call.
const mostUnmet = 30

// Unmet returns which conditions of the domain a registrant does not meet, each asked
// for alone; those that Among leaves out are not among them.
func (r *Registry) Unmet(ctx context.Context, registrant int64) (unmet []seeding.Unmet, err error) {
	access := r.session.access
	for i, condition := range r.domain.conjuncts[:min(len(r.domain.conjuncts), mostUnmet)] {
		if isKnown(condition, access.VIDType, access.TokenType) {
			continue
		}
		domain := append(append([]any{"&"}, condition...), []any{"id", "in", []int64{registrant}})
		var count *int
		err := r.session.call(ctx, request{model: partnerModel, method: "search_count", arg: domain}, &count)
		switch {
		case err != nil:
			return nil, r.blame(err, nil)
		case count == nil:
			return nil, unanswered(false, "BadAnswer", nil)
		case *count == 0:
			unmet = append(unmet, seeding.Unmet{Condition: i + 1, Path: pathOf(condition)})
		}
	}
	return unmet, nil
}

// Tokens reads the token type only.
func (r *Registry) Tokens(ctx context.Context, registrants []int64) ([]seeding.Identifier, error) {
	if len(registrants) == 0 {
		return nil, nil
	}
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return nil, err
	}
	rows := lookUp(len(registrants))
	err = r.identifiers(ctx, []any{[]any{"partner_id", "in", registrants}, []any{"id_type", "=", schema.token}}, nil, rows)
	return heldBy(registrants, identifiers(rows.list, schema.token)), err
}

// Identifiers reads both types in one call, with the date of entry, which other
// look-ups do not need.
func (r *Registry) Identifiers(ctx context.Context, registrants []int64) (vids, tokens []seeding.Identifier, err error) {
	if len(registrants) == 0 {
		return nil, nil, nil
	}
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return nil, nil, err
	}
	rows := lookUp(2 * len(registrants))
	err = r.identifiers(ctx, []any{
		[]any{"partner_id", "in", registrants}, []any{"id_type", "in", []int64{schema.vid, schema.token}}},
		map[string]any{"fields": append(slices.Clone(identifierFields), "create_date")}, rows)
	return heldBy(registrants, identifiers(rows.list, schema.vid)), heldBy(registrants, identifiers(rows.list, schema.token)), err
}

// mostMarked is how many values that are longer than a token are read.
const mostMarked = 2000

// TokenHolders finds tokens by value, in all spellings in one call: 9 for each
// token, below the 1 MB that proxies take as a rule for 1,000 tokens. A second call
// finds whatever else CleanToken takes away: it makes a value longer than the token,
// and all tokens of MOSIP are of one length, so next to nothing is. Odoo's operators
// know no other way to ask for characters that are not listed. It reads the table
// once, 0.3 s for 750,000 identifiers.
func (r *Registry) TokenHolders(ctx context.Context, tokens []string) ([]seeding.Identifier, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return nil, err
	}
	spelt, err := r.spelt(ctx, tokens, schema)
	if err != nil {
		return nil, err
	}
	longer := strings.Repeat("_", shortest(tokens)+1) + "%"
	marked := rowsOf[row](mostMarked, len(identifierFields), mostMarked)
	err = r.identifiers(ctx, []any{[]any{"value", "=like", longer}, []any{"id_type", "=", schema.token}},
		map[string]any{"limit": mostMarked}, marked)
	if err != nil {
		return nil, err
	}
	return holding(tokens, identifiers(append(spelt, marked.list...), schema.token)), nil
}

// UsualHolders is the first call of TokenHolders.
func (r *Registry) UsualHolders(ctx context.Context, tokens []string) ([]seeding.Identifier, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	schema, err := r.session.loadSchema(ctx)
	if err != nil {
		return nil, err
	}
	spelt, err := r.spelt(ctx, tokens, schema)
	return holding(tokens, identifiers(spelt, schema.token)), err
}

// spelt reads identifiers of the token type by all spellings of tokens.
func (r *Registry) spelt(ctx context.Context, tokens []string, s schema) ([]row, error) {
	spellings := make([]string, 0, 9*len(tokens))
	for _, token := range tokens {
		spellings = append(spellings, seeding.TokenSpellings(token)...)
	}
	rows := lookUp(len(tokens))
	err := r.identifiers(ctx, []any{[]any{"value", "in", spellings}, []any{"id_type", "=", s.token}}, nil, rows)
	return rows.list, err
}

// holding are those identifiers that hold one of the tokens.
func holding(tokens []string, list []seeding.Identifier) []seeding.Identifier {
	wanted := make(map[string]bool, len(tokens))
	for _, token := range tokens {
		wanted[token] = true
	}
	return slices.DeleteFunc(list, func(i seeding.Identifier) bool { return !wanted[seeding.CleanToken(i.Value)] })
}

// shortest is the length of the shortest token, in characters.
func shortest(tokens []string) int {
	least := math.MaxInt
	for _, token := range tokens {
		least = min(least, utf8.RuneCountInString(token))
	}
	return least
}

// Create is one transaction of Odoo: one refused token refuses all, and Odoo
// does not say which (facts/odoo.md A2).
func (r *Registry) Create(ctx context.Context, tokens []seeding.NewToken) error {
	if len(tokens) == 0 {
		return nil
	}
	return r.session.writeTyped(ctx, func(s schema) error { return r.create(ctx, tokens, s) })
}

// writeTyped makes a call that writes identifiers of the schema's types. If it is
// refused, either a type does not exist any more, or the data is bad: Odoo's error is
// the same. So the schema is read again, and with another one the call is repeated.
func (s *session) writeTyped(ctx context.Context, write func(schema) error) error {
	before, err := s.loadSchema(ctx)
	if err != nil {
		return err
	}
	refused := write(before)
	if kind := seeding.FaultOf(refused).Kind; refused == nil || (kind != seeding.RefusedData && kind != seeding.RefusedSchema) {
		return refused
	}
	s.forget()
	now, err := s.loadSchema(ctx)
	switch {
	case err != nil && seeding.FaultOf(err).Kind == seeding.RefusedTypes:
		return err
	case err != nil || now == before:
		return refused
	}
	return write(now)
}

func (r *Registry) create(ctx context.Context, tokens []seeding.NewToken, s schema) error {
	values := make([]map[string]any, len(tokens))
	for i, t := range tokens {
		values[i] = tokenValues(t, s)
		values[i]["partner_id"] = t.Registrant
	}
	var ids []int64
	err := r.session.call(ctx, request{model: identifierModel, method: "create", arg: values, writes: true}, &ids)
	if err == nil && len(ids) != len(tokens) {
		return &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
	}
	return err
}

// tokenValues are the fields of a token, as far as the registry has them.
func tokenValues(t seeding.NewToken, s schema) map[string]any {
	values := map[string]any{"id_type": s.token, "value": t.Value}
	for name, value := range map[string]string{"expiry_date": t.Expiry, "status": t.Status, "description": t.Description} {
		if value != "" && s.has(name) {
			values[name] = value
		}
	}
	return values
}

// Remove succeeds even if some identifiers do not exist any more
// (facts/odoo.md A2).
func (r *Registry) Remove(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	var done bool
	err := r.session.call(ctx, request{model: identifierModel, method: "unlink", arg: ids, writes: true}, &done)
	if err == nil && !done {
		return &seeding.Fault{Kind: seeding.Unknown, Code: "BadAnswer"}
	}
	return err
}

const (
	identifierModel = "g2p.reg.id"
	partnerModel    = "res.partner"
)

// row is a g2p.reg.id.
type row struct {
	ID      int64     `json:"id"`
	Partner reference `json:"partner_id"`
	Type    reference `json:"id_type"`
	Value   text      `json:"value"`
	Created moment    `json:"create_date"`
}

var identifierFields = []string{"id", "partner_id", "id_type", "value"}

// lookUp expects the identifiers of a number of registrants, or tokens. Each has
// one as a rule, and a few where two writers broke it (facts/odoo.md A6), or where
// others registered a person several times.
func lookUp(asked int) *rows[row] {
	return rowsOf[row](asked, len(identifierFields)+1, 1000+10*asked)
}

func (r *Registry) identifiers(ctx context.Context, domain []any, more map[string]any, rows *rows[row]) error {
	options := map[string]any{"fields": identifierFields}
	for name, value := range more {
		options[name] = value
	}
	err := r.session.searchRead(ctx, identifierModel, domain, options, rows)
	if err != nil && seeding.FaultOf(err).Kind == seeding.RefusedSchema {
		r.session.forget() // the registry may have been upgraded
	}
	return err
}

// identifiers converts the rows of one type, each once.
func identifiers(rows []row, idType int64) []seeding.Identifier {
	var list []seeding.Identifier
	seen := make(map[int64]bool, len(rows))
	for _, row := range rows {
		if int64(row.Type) == idType && row.Partner > 0 && row.ID > 0 && !seen[row.ID] {
			seen[row.ID] = true
			list = append(list, seeding.Identifier{ID: row.ID, Registrant: int64(row.Partner), Value: string(row.Value), Created: time.Time(row.Created)})
		}
	}
	return list
}

// heldBy leaves out what nobody asked for.
func heldBy(registrants []int64, list []seeding.Identifier) []seeding.Identifier {
	asked := make(map[int64]bool, len(registrants))
	for _, id := range registrants {
		asked[id] = true
	}
	return slices.DeleteFunc(list, func(i seeding.Identifier) bool { return !asked[i.Registrant] })
}

// record keeps the fields that were asked for and are not empty, with numbers of
// the types that gojq has.
func (r *Registry) record(row map[string]any) seeding.Record {
	record := make(seeding.Record, len(r.fields))
	for _, name := range r.fields {
		if value := row[name]; value != nil && value != false {
			record[name] = plain(value)
		}
	}
	return record
}

// withID returns a new list that begins with "id".
func withID(fields []string) []string {
	list := []string{"id"}
	for _, f := range fields {
		if f != "id" {
			list = append(list, f)
		}
	}
	return list
}
