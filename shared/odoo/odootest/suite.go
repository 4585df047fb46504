package odootest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// suite has identifier types of its own, so that it meets only its own
// registrants.
type suite struct {
	*admin
	vidType, tokenType int64
	connector          seeding.Connector
	registry           seeding.Registry
	persons            int
}

func newSuite(t *testing.T, target Target) *suite {
	t.Helper()
	s := &suite{admin: newAdmin(t, target)}
	mark := rand.Text()[:8]
	s.connector = seeding.Connector{
		ID: "contract-" + mark, Version: 1,
		Source: seeding.RegistrySource{Fields: []string{"name", "given_name", "birthdate", "address", "is_group", "company_id", "reg_ids"}},
		Registry: seeding.RegistryAccess{URL: target.URL, Database: target.Database, Username: target.Username,
			VIDType: "VID " + mark, TokenType: "TOKEN " + mark},
	}
	access := s.connector.Registry
	s.connector.Source.Domain = fmt.Sprintf(
		`[["is_registrant","=",true],["reg_ids.id_type","=like",%q],"!",["reg_ids.id_type","=like",%q]]`, access.VIDType, access.TokenType)
	s.vidType = s.create("g2p.id.type", map[string]any{"name": access.VIDType, "id_validation": `^\d{16}$`})
	s.tokenType = s.create("g2p.id.type", map[string]any{"name": access.TokenType})
	s.registry = s.open(s.connector)
	return s
}

func (s *suite) open(c seeding.Connector) seeding.Registry {
	s.t.Helper()
	r, err := s.target.Registries.Open(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// registrant makes a registrant with a VID and returns the ids of both.
func (s *suite) registrant(vid string, more map[string]any) (registrant, identifier int64) {
	s.t.Helper()
	s.persons++
	values := map[string]any{"name": fmt.Sprintf("NÚÑEZ, ANA %d", s.persons), "given_name": "Ana", "is_registrant": true}
	for name, value := range more {
		values[name] = value
	}
	registrant = s.create("res.partner", values)
	// A registrant with identifiers cannot be deleted.
	s.t.Cleanup(func() { s.unlinkWhere("g2p.reg.id", []any{[]any{"partner_id", "=", registrant}}) })
	return registrant, s.identifier(registrant, s.vidType, vid, nil)
}

func (s *suite) identifier(registrant, idType int64, value string, more map[string]any) int64 {
	s.t.Helper()
	values := map[string]any{"partner_id": registrant, "id_type": idType, "value": value}
	for name, value := range more {
		values[name] = value
	}
	return s.create("g2p.reg.id", values)
}

func (s *suite) check(what string, err error, kind seeding.FaultKind, code string) {
	s.t.Helper()
	fault, ok := errors.AsType[*seeding.Fault](err)
	if !ok || fault.Kind != kind || (code != "" && fault.Code != code) {
		s.t.Errorf("%s: got %v, want %s (%s)", what, err, kind, code)
	}
}

// must fails the test at once.
func (s *suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func vid(n int) string { return fmt.Sprintf("40000000000%05d", n) }

func ids(list []seeding.Identifier) []int64 {
	var found []int64
	for _, i := range list {
		found = append(found, i.ID)
	}
	slices.Sort(found)
	return found
}

func day(offset int) string { return time.Now().UTC().AddDate(0, 0, offset).Format(time.DateOnly) }

// keys of a map, sorted.
func keys(m map[int64]seeding.Record) []int64 {
	var found []int64
	for id := range m {
		found = append(found, id)
	}
	slices.Sort(found)
	return found
}
