package seeding_test

import (
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Each cause has sentences of its own, with a next step.
func TestRefusedSignInIsSaidAsWhatItIs(t *testing.T) {
	texts := map[string]string{}
	for code, word := range map[string]string{
		"AccessDenied":            "registry.password",
		"KeyRefused":              "has not expired",
		"KeyOfAnotherUser":        "registry.username",
		"SecondFactor":            "Create an API key for this user",
		"TooManyAttempts":         "by itself",
		"NoDatabase":              "registry.database",
		"SessionExpiredException": "session storage",
		"AnythingElse":            "database, user name and password",
	} {
		source, d := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.RefusedSignIn, Code: code}, seeding.ProblemRead)
		checkDescription(t, code, d)
		if source != seeding.ProblemSignIn || !strings.Contains(d.Remedy, word) {
			t.Errorf("%s: %s, %q", code, source, d.Remedy)
		}
		if other, known := texts[d.Text]; known {
			t.Errorf("%s and %s have one text", code, other)
		}
		texts[d.Text] = code
	}
}

// A database that is away is not an address that is not allowed.
func TestARegistryWithoutItsDatabaseIsSaidAsThat(t *testing.T) {
	for code, words := range map[string]string{"OperationalError": "registry.database", "InterfaceError": "PostgreSQL", "SerializationFailure": "busy"} {
		source, d := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.Unreachable, Code: code}, seeding.ProblemRead)
		checkDescription(t, code, d)
		if source != seeding.ProblemRegistry || !strings.Contains(d.Text+d.Remedy, words) || strings.Contains(d.Remedy, "allowed ranges") {
			t.Errorf("%s: %s, %q, %q", code, source, d.Text, d.Remedy)
		}
	}
}

// An error without a class leaves no empty brackets.
func TestAnErrorWithoutACodeHasNoBrackets(t *testing.T) {
	for _, op := range []seeding.Source{seeding.ProblemRead, seeding.ProblemWrite, seeding.ProblemUnlink} {
		if _, d := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.RefusedRequest}, op); strings.Contains(d.Text, "()") {
			t.Errorf("%q", d.Text)
		}
	}
}

// What answers in place of the registry is said as what it is, whatever was asked
// for; a refusal of one's rights it is not.
func TestWhatAnswersInPlaceOfTheRegistry(t *testing.T) {
	texts := map[string]string{}
	for code, word := range map[string]string{
		"RedirectHTTPS":     "begins with https",
		"RedirectHTTPSPort": "leave the port out",
		"RedirectHost":      "registry.url",
		"RedirectLogin":     "proxy",
		"RedirectDatabases": "registry.database",
		"RedirectPath":      "such as /web",
		"ProxyPassword":     "without one",
		"HTTP-400":          "https",
		"HTTP-403":          "/web/session/authenticate",
		"HTTP-404":          "path in registry.url",
		"HTTP-405":          "registry.url",
		"HTTP-413":          "client_max_body_size",
		"HTTP-421":          "host in registry.url",
		"HTTP-426":          "begins with https",
		"HTTP-451":          "registry.url",
		"HTTP-429":          "Raise the limit",
		"HTTP-500":          "registry.database",
		"HTTP-502":          "proxy has its right address",
		"HTTP-503":          "maintenance",
		"HTTP-504":          "time limit",
		"HTTP-525":          "Odoo is up",
		"WebPage":           "registry.url",
		"NotJSONRPC":        "registry.url",
		"NoSession":         "cookies",
	} {
		for _, kind := range []seeding.FaultKind{seeding.RefusedRequest, seeding.Unreachable, seeding.Unknown} {
			for _, op := range []seeding.Source{seeding.ProblemRead, seeding.ProblemWrite, seeding.ProblemUnlink} {
				want := op
				if kind != seeding.RefusedRequest {
					want = seeding.ProblemRegistry
				}
				source, d := seeding.RegistryProblem(&seeding.Fault{Kind: kind, Code: code}, op)
				checkDescription(t, code, d)
				if source != want || !strings.Contains(d.Remedy, word) || strings.Contains(d.Remedy, "rights") {
					t.Errorf("%s of %s, %s: %s, %q", kind, op, code, source, d.Remedy)
				}
				if other, known := texts[d.Text]; known && other != code {
					t.Errorf("%s and %s have one text", code, other)
				}
				texts[d.Text] = code
			}
		}
	}
}
