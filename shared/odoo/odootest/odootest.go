// Package odootest is the contract of a registry, as tests that run against any:
// a simulator, or a real Odoo with OpenG2P's registry modules.
package odootest

import (
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Target is the registry to test.
type Target struct {
	Registries seeding.Registries // with the passwords of PasswordOf

	Odoo               int // its generation; 0: not known, so that is not tested in what generations differ
	URL, Database      string
	Username, Password string // of a user with all rights to registrants and identifier types; the password may be an API key

	// Clerk may not read identifiers; Registrar has all rights to them but to
	// delete. Without the two, rights are not tested.
	Clerk, Registrar User
}

// User is a login with its password.
type User struct{ Login, Password string }

// PasswordOf is the password with which the Registries of a Target sign in.
func (t Target) PasswordOf(c seeding.Connector) string {
	given, isGiven := strings.CutPrefix(c.ID, passwordIs)
	switch {
	case isGiven:
		return given
	case c.ID == wrongPassword:
		return "not " + t.Password
	case c.Registry.Username == t.Clerk.Login:
		return t.Clerk.Password
	case c.Registry.Username == t.Registrar.Login:
		return t.Registrar.Password
	}
	return t.Password
}

const (
	wrongPassword = "wrong-password"
	passwordIs    = "password " // before the password, in the id of a connector
)

// Run makes registrants and identifier types of its own, under unique names, and
// removes them in the end.
func Run(t *testing.T, target Target) {
	for name, test := range map[string]func(*suite, *testing.T){
		"VIDs are paged by id":               (*suite).pages,
		"VIDs that do not count":             (*suite).notValid,
		"registrants through the domain":     (*suite).registrants,
		"domains keep their meaning":         (*suite).domains,
		"operators of later generations":     (*suite).newOperators,
		"a token takes the place of a VID":   (*suite).replaceVID,
		"tokens with marks around them":      (*suite).spellings,
		"all tokens or none":                 (*suite).allOrNone,
		"refusals":                           (*suite).refusals,
		"identifier types by name":           (*suite).types,
		"identifier types that change":       (*suite).changingTypes,
		"rights":                             (*suite).rights,
		"what a check asks":                  (*suite).examination,
		"what a check asks about rights":     (*suite).examinationOfRights,
		"a large page and a large bulk call": (*suite).bulk,
		"what an Output Format sees":         (*suite).inputs,
		"what an Output Format writes":       (*suite).individuals,
		"a token with its details":           (*suite).tokenDetails,
		"registrants of submissions":         (*suite).submissions,
		"submissions without a VID type":     (*suite).submissionsWithoutVIDs,
		"new registrants, all or none":       (*suite).newRegistrants,
	} {
		t.Run(name, func(t *testing.T) { test(newSuite(t, target), t) })
	}
}
