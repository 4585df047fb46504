package odootest

import (
	"fmt"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Credentials are what users of a Target sign in with, besides passwords.
type Credentials struct {
	Key     string // of Username
	Expired string // a key of Username that has expired; "" where keys do not expire
	Other   string // a key of another user
	// TwoFactor has a second factor, and a key of its own. It need not be able to
	// read anything.
	TwoFactor    User
	TwoFactorKey string
	// Inactive is locked out; so is its key.
	Inactive    User
	InactiveKey string

	KeyWay string        // which way keys take
	Way    func() string // which way the last sign-in found
	// Failures is how many failed sign-ins the registry counted; nil if it cannot
	// be known.
	Failures func() int
}

// SignIns checks how users sign in, and what is said of those who cannot.
func SignIns(t *testing.T, target Target, c Credentials) {
	absent := "0123456789abcdef0123456789abcdef01234567" // has the form of a key
	another := "KeyOfAnotherUser"
	if c.KeyWay != "json2" {
		another = "KeyRefused" // Odoo does not say more
	}
	for _, test := range []struct {
		name            string
		login, password string
		way             string // "": refused
		code            string // of the refusal
		failures        int    // at most
	}{
		{"a password opens a session", target.Username, target.Password, "session", "", 0},
		{"an API key takes the way of keys", target.Username, c.Key, c.KeyWay, "", 0},
		{"an API key that was pasted with white space", target.Username, " " + c.Key + "\n", c.KeyWay, "", 0},
		{"a wrong password", target.Username, "not it", "", "AccessDenied", 1},
		{"an unknown user", "nobody", target.Password, "", "AccessDenied", 1},
		{"a key that does not exist", target.Username, absent, "", "KeyRefused", 1},
		{"a key that has expired", target.Username, c.Expired, "", "KeyRefused", 1},
		{"a key of another user", target.Username, c.Other, "", another, 1},
		{"a second factor with the right password", c.TwoFactor.Login, c.TwoFactor.Password, "", "SecondFactor", 0},
		{"a second factor with a wrong password", c.TwoFactor.Login, "not it", "", "AccessDenied", 1},
		{"a second factor with an API key", c.TwoFactor.Login, c.TwoFactorKey, c.KeyWay, "", 0},
		{"a user who is not active", c.Inactive.Login, c.Inactive.Password, "", "AccessDenied", 1},
		{"a user who is not active, with a key", c.Inactive.Login, c.InactiveKey, "", "KeyRefused", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.password == "" {
				t.Log("the target has no such credential")
				return
			}
			s := newSuite(t, target)
			before := 0
			if c.Failures != nil {
				before = c.Failures()
			}
			connector := s.connector
			connector.ID, connector.Registry.Username = passwordIs+test.password, test.login
			_, err := s.open(connector).Tokens(t.Context(), []int64{1})
			if test.way != "" {
				// A user who signed in may still lack rights.
				if err != nil && seeding.FaultOf(err).Kind != seeding.RefusedRights || c.Way() != test.way {
					t.Errorf("way %q, %v; want %q", c.Way(), err, test.way)
				}
				return
			}
			s.check(fmt.Sprintf("signing in as %s", test.login), err, seeding.RefusedSignIn, test.code)
			if c.Failures != nil && c.Failures()-before > test.failures {
				t.Errorf("%d failed attempts counted", c.Failures()-before)
			}
		})
	}
}
