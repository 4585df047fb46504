package odoosim

import (
	"crypto/rand"
	"maps"
	"slices"
)

// What tests and demonstrations change in the registry past Odoo, or as another
// user of it would. These methods work on the first database, check no rules, and
// set the write dates of what they change.

// The identifier types of every new database, and one with Options.Submissions.
const (
	VIDType        int64 = 1 // "MOSIP VID", ^\d{16}$
	TokenType      int64 = 2 // "MOSIP UIN TOKEN"
	NationalType   int64 = 3 // "NATIONAL ID"
	SubmissionType int64 = 4 // "ODK SUBMISSION"
)

// Registrant is a partner to add; empty text is an empty field.
type Registrant struct {
	Name, GivenName, FamilyName, AddlName string
	Birthdate                             string // YYYY-MM-DD
	Gender, Address, Email, Phone         string
	Group, Archived                       bool
	Company                               int64 // 0: MyCompany
}

// Identifier is one row of g2p.reg.id.
type Identifier struct {
	ID         int64 `json:"id"`
	Registrant int64 `json:"registrant"`
	Type       int64 `json:"type"`
	// Value "" is an empty one.
	Value string `json:"value"`
	// Expiry is YYYY-MM-DD or "".
	Expiry string `json:"expiry,omitempty"`
	// Status is "valid", "invalid" or ""; only with Options.Status.
	Status string `json:"status,omitempty"`
}

func (db *database) seedSystem(now stamp, submissions bool) {
	named := func(tab *table, id int64, values map[string]any) {
		r := &row{id: id, v: make([]any, tab.model.width)}
		for k, v := range values {
			r.v[tab.model.column(k)] = v
		}
		for _, k := range []string{"create", "write"} {
			r.v[tab.model.column(k+"_uid")], r.v[tab.model.column(k+"_date")] = int64(2), now
		}
		tab.put(r)
		tab.last.Store(max(tab.last.Load(), id))
	}
	named(db.tables[companyModel], MyCompany, map[string]any{nameField: "My Company"})
	named(db.tables[companyModel], OtherCompany, map[string]any{nameField: "Other Co"})
	db.users = defaultUsers()
	for _, u := range db.users {
		named(db.tables[userModel], u.id, map[string]any{nameField: u.name, "login": u.login})
	}
	for id, name := range map[int64]string{1: "My Company", 2: "OdooBot", 3: "Administrator", 4: "Public user", 5: "clerk", 6: "registrar"} {
		named(db.partners, id, map[string]any{nameField: name, "active": id != 2 && id != 4, "type": "contact", "lang": "en_US",
			"company_id": MyCompany, "is_registrant": false, "is_group": false, "color": int64(0)})
	}
	named(db.types, VIDType, map[string]any{nameField: "MOSIP VID", "id_validation": `^\d{16}$`})
	named(db.types, TokenType, map[string]any{nameField: "MOSIP UIN TOKEN"})
	named(db.types, NationalType, map[string]any{nameField: "NATIONAL ID"})
	if submissions {
		named(db.types, SubmissionType, map[string]any{nameField: "ODK SUBMISSION"})
	}
	named(db.tables[parameterModel], 1, map[string]any{"key": "database.uuid", "value": rand.Text()})
	if db.tables[connectorModel] != nil {
		db.seedMTS(named)
	}
	for id, code := range []string{"M", "F", "O"} {
		named(db.tables[genderModel], int64(id+1), map[string]any{"code": code, "value": genders[code], "active": true})
	}
}

func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// AddRegistrant returns the id of the new registrant.
func (s *Server) AddRegistrant(r Registrant) int64 {
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	return s.main.addRegistrant(r, s.clock())
}

func (db *database) addRegistrant(r Registrant, now stamp) int64 {
	m := db.partners.model
	if r.Company == 0 {
		r.Company = MyCompany
	}
	stored := &row{id: db.partners.last.Add(1), v: make([]any, m.width)}
	for name, v := range map[string]any{
		nameField: r.Name, "given_name": optional(r.GivenName), "family_name": optional(r.FamilyName), "addl_name": optional(r.AddlName),
		"birthdate": optional(r.Birthdate), "gender": optional(r.Gender), "address": optional(r.Address),
		"email": optional(r.Email), "phone": optional(r.Phone),
		"is_registrant": true, "is_group": r.Group, "active": !r.Archived, "company_id": r.Company,
		"type": "contact", "lang": "en_US", "color": int64(0), "registration_date": now.time().Format("2006-01-02"),
		"create_uid": int64(2), "create_date": now, "write_uid": int64(2), "write_date": now,
	} {
		stored.v[m.column(name)] = v
	}
	db.partners.put(stored)
	return stored.id
}

// AddIdentifier returns the id of the new identifier. It checks nothing: a second
// identifier of a type is possible, as it is in Odoo (facts/odoo.md A6).
func (s *Server) AddIdentifier(i Identifier) int64 {
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	return s.main.addIdentifier(i, s.clock())
}

func (db *database) addIdentifier(i Identifier, now stamp) int64 {
	m := db.regs.model
	stored := &row{id: db.regs.last.Add(1), v: make([]any, m.width)}
	for name, v := range map[string]any{
		"partner_id": i.Registrant, "id_type": i.Type, "value": optional(i.Value), "expiry_date": optional(i.Expiry),
		"create_uid": int64(2), "create_date": now, "write_uid": int64(2), "write_date": now,
	} {
		stored.v[m.column(name)] = v
	}
	if f := m.named["status"]; f != nil {
		stored.v[f.column] = optional(i.Status)
	}
	db.regs.put(stored)
	return stored.id
}

// change replaces columns of a row; false if it does not exist. The caller holds
// the lock.
func (tab *table) change(id int64, now stamp, values map[string]any) bool {
	r := tab.rows[id]
	if r == nil {
		return false
	}
	r = r.clone()
	for name, v := range values {
		r.v[tab.model.column(name)] = v
	}
	r.v[tab.model.column("write_date")] = now
	tab.put(r)
	return true
}

func (s *Server) change(tab *table, id int64, values map[string]any) bool {
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	return tab.change(id, s.clock(), values)
}

// SetValue corrects one identifier.
func (s *Server) SetValue(identifier int64, value string) bool {
	return s.change(s.main.regs, identifier, map[string]any{"value": optional(value)})
}

// MoveIdentifier gives an identifier, with its id, to another registrant, as
// Odoo's partner merge does: by SQL, past the rule that a type is held once.
func (s *Server) MoveIdentifier(identifier, registrant int64) bool {
	return s.change(s.main.regs, identifier, map[string]any{"partner_id": registrant})
}

// SetVID changes a registrant's VID, or gives it one.
func (s *Server) SetVID(registrant int64, value string) bool {
	for _, i := range s.Identifiers(registrant) {
		if i.Type == VIDType {
			return s.SetValue(i.ID, value)
		}
	}
	s.AddIdentifier(Identifier{Registrant: registrant, Type: VIDType, Value: value})
	return true
}

// SetExpiry sets an identifier's expiry date, YYYY-MM-DD, or removes it.
func (s *Server) SetExpiry(identifier int64, date string) bool {
	return s.change(s.main.regs, identifier, map[string]any{"expiry_date": optional(date)})
}

// SetRegistrant changes text fields of a registrant (given_name, birthdate, …);
// nil empties one, true and false switch active, is_group and is_registrant.
func (s *Server) SetRegistrant(registrant int64, values map[string]any) bool {
	return s.change(s.main.partners, registrant, values)
}

// RenameType changes an identifier type's name.
func (s *Server) RenameType(id int64, name string) bool {
	return s.change(s.main.types, id, map[string]any{nameField: name})
}

// SetValidation changes an identifier type's expression; "" checks nothing.
func (s *Server) SetValidation(id int64, expression string) bool {
	return s.change(s.main.types, id, map[string]any{"id_validation": optional(expression)})
}

// DeleteIdentifier removes one identifier; false if it does not exist.
func (s *Server) DeleteIdentifier(id int64) bool {
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	found := s.main.regs.rows[id] != nil
	s.main.regs.drop(map[int64]bool{id: true})
	return found
}

// DeleteRegistrant removes a registrant with its identifiers.
func (s *Server) DeleteRegistrant(id int64) bool {
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	for _, held := range []*table{s.main.regs, s.main.phones} {
		ids, _ := held.having(held.model.column("partner_id"), id)
		gone := map[int64]bool{}
		for _, one := range ids {
			gone[one] = true
		}
		held.drop(gone)
	}
	found := s.main.partners.rows[id] != nil
	s.main.partners.drop(map[int64]bool{id: true})
	return found
}

// SetPassword changes a login's password; its sessions end.
func (s *Server) SetPassword(login, password string) {
	s.changeUser(login, func(u *user) { u.password = password })
}

// Deactivate locks a login out; its sessions end.
func (s *Server) Deactivate(login string) { s.changeUser(login, func(u *user) { u.active = false }) }

func (s *Server) changeUser(login string, f func(*user)) {
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	for i, u := range s.main.users {
		if u.login == login {
			next := *u
			f(&next)
			s.main.users[i] = &next
		}
	}
}

func (db *database) identifier(id int64) Identifier {
	r, m := db.regs.rows[id], db.regs.model
	str := func(name string) string {
		f := m.named[name]
		if f == nil {
			return ""
		}
		v, _ := r.v[f.column].(string)
		return v
	}
	return Identifier{ID: id, Registrant: r.v[m.column("partner_id")].(int64), Type: r.v[m.column("id_type")].(int64),
		Value: str("value"), Expiry: str("expiry_date"), Status: str("status")}
}

// Identifiers are those of one registrant, oldest first.
func (s *Server) Identifiers(registrant int64) []Identifier {
	s.main.mu.RLock()
	defer s.main.mu.RUnlock()
	return s.main.identifiers(registrant)
}

func (db *database) identifiers(registrant int64) []Identifier {
	regIDs, _ := db.regs.having(db.regs.model.column("partner_id"), registrant)
	list := make([]Identifier, len(regIDs))
	for i, id := range regIDs {
		list[i] = db.identifier(id)
	}
	return list
}

// Registrant returns text fields of a registrant by name, and its phone numbers,
// oldest first; what is empty is left out.
func (s *Server) Registrant(id int64) (fields map[string]string, phones []string) {
	s.main.mu.RLock()
	defer s.main.mu.RUnlock()
	fields = map[string]string{}
	r := s.main.partners.rows[id]
	for _, f := range s.main.partners.model.fields {
		if r == nil {
			break
		}
		if text, ok := f.get(r).(string); ok && text != "" {
			fields[f.name] = text
		}
	}
	m := s.main.phones.model
	numbers, _ := s.main.phones.having(m.column("partner_id"), id)
	for _, phone := range numbers {
		text, _ := s.main.phones.rows[phone].v[m.column("phone_no")].(string)
		phones = append(phones, text)
	}
	return fields, phones
}

// Snapshot is every registrant's identifiers, archived registrants and those
// without any included.
func (s *Server) Snapshot() map[int64][]Identifier {
	s.main.mu.RLock()
	defer s.main.mu.RUnlock()
	m := s.main.partners.model
	all := make(map[int64][]Identifier, len(s.main.partners.ids))
	for _, id := range s.main.partners.ids {
		if s.main.partners.rows[id].v[m.column("is_registrant")] == true {
			all[id] = s.main.identifiers(id)
		}
	}
	return all
}

// State counts what the registry has and what was done.
type State struct {
	Registrants int `json:"registrants"`
	VIDs        int `json:"vids"`
	Tokens      int `json:"tokens"`
	// ManyTokens are registrants with more than one token; Both have a VID and a
	// token; DistinctTokens are the different values of tokens.
	ManyTokens     int              `json:"registrants_with_many_tokens"`
	Both           int              `json:"registrants_with_vid_and_token"`
	DistinctTokens int              `json:"distinct_tokens"`
	Calls          map[string]Tally `json:"calls"` // by "model.method"
	Total          Tally            `json:"total"`
	Requests       int64            `json:"requests"`
	MostInFlight   int              `json:"most_in_flight"`
}

// State counts; at 200,000 registrants it takes a moment.
func (s *Server) State() State {
	state := State{Calls: map[string]Tally{}}
	s.main.mu.RLock()
	m := s.main.partners.model
	values := map[string]bool{}
	for _, id := range s.main.partners.ids {
		if s.main.partners.rows[id].v[m.column("is_registrant")] != true {
			continue
		}
		state.Registrants++
		vids, tokens := 0, 0
		for _, i := range s.main.identifiers(id) {
			switch i.Type {
			case VIDType:
				vids++
			case TokenType:
				tokens++
				values[i.Value] = true
			}
		}
		state.VIDs += vids
		state.Tokens += tokens
		if tokens > 1 {
			state.ManyTokens++
		}
		if tokens > 0 && vids > 0 {
			state.Both++
		}
	}
	state.DistinctTokens = len(values)
	s.main.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(s.tallies)) {
		t := *s.tallies[key]
		state.Calls[key] = t
		state.Total.Calls += t.Calls
		state.Total.Failed += t.Failed
		state.Total.Returned += t.Returned
		state.Total.Examined += t.Examined
		state.Total.Created += t.Created
		state.Total.Written += t.Written
		state.Total.Deleted += t.Deleted
	}
	state.Requests, state.MostInFlight = s.requests, s.most
	return state
}

// Calls is the tally of one method, such as "g2p.reg.id.create".
func (s *Server) Calls(key string) Tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tallies[key]; t != nil {
		return *t
	}
	return Tally{}
}

// ResetTallies starts counting anew.
func (s *Server) ResetTallies() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tallies, s.requests, s.most = map[string]*Tally{}, 0, s.inFlight
}
