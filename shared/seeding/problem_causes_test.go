package seeding_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// codesOfCalls are the codes of shared/outgoing and of replies that are not the
// server's.
var codesOfCalls = []string{
	"AddressNotAllowed", "HostNotAllowed", "PlainHTTP", "BadAddress", "HostUnknown", "HostNotResolved", "ConnectionRefused",
	"NetworkUnreachable", "ConnectionFailed", "CertificateUnknown", "CertificateExpired", "CertificateName", "CertificateRefused",
	"NotTLS", "TLSVersion", "TLSFailed", "ClientCertificate", "Timeout", "ConnectionLost", "NotHTTP", "BadAnswer", "HTTP-500", "HTTP-502", "HTTP-503", "HTTP-504",
}

// Each cause of a failed call has a text and advice of its own.
func TestEachCauseOfAFailedCallIsNamed(t *testing.T) {
	texts := map[string]string{}
	of := func(server, code string, d seeding.Description) {
		t.Helper()
		checkDescription(t, server+" "+code, d)
		if strings.ContainsAny(d.Text+d.Remedy, "{}") {
			t.Errorf("%s %s: %q %q", server, code, d.Text, d.Remedy)
		}
		if before, known := texts[d.Text]; known {
			t.Errorf("%s has the text of %s: %q", code, before, d.Text)
		}
		texts[d.Text] = server + " " + code
	}
	for _, code := range codesOfCalls {
		fault := &seeding.Fault{Kind: seeding.Unreachable, Code: code}
		source, d := seeding.RegistryProblem(fault, seeding.ProblemRead)
		if source != seeding.ProblemRegistry || strings.Contains(d.Text+d.Remedy, "mts_url") {
			t.Errorf("%s: %s %+v", code, source, d)
		}
		of("registry", code, d)
		d = seeding.MTSProblem(fault)
		if strings.Contains(d.Text+d.Remedy, "registry") {
			t.Errorf("%s: %+v", code, d)
		}
		of("MTS", code, d)
		if unknown := seeding.ReplyProblem(&seeding.Fault{Code: code}, false); unknown != d {
			t.Errorf("%s of a request that may have been taken: %+v", code, unknown)
		}
	}
	for _, code := range append(slices.Clone(codesOfCalls), "HTTP-421", "ODK-501.4", "Nothing known") {
		d := seeding.ODKProblem(&seeding.Fault{Kind: seeding.Unreachable, Code: code})
		if strings.Contains(d.Text+d.Remedy, "registry") || strings.Contains(d.Text+d.Remedy, "mts_url") {
			t.Errorf("%s: %+v", code, d)
		}
		of("ODK Central", code, d)
	}
	of("MTS", "another", seeding.ReplyProblem(&seeding.Fault{}, false))
	for _, code := range []string{"HTTP-301", "HTTP-302", "HTTP-307", "HTTP-401", "HTTP-403", "HTTP-404", "HTTP-413", "AnswerTooLarge"} {
		of("MTS", code, seeding.MTSProblem(&seeding.Fault{Kind: seeding.RefusedRequest, Code: code}))
	}
}

// The problem shows what the configuration says: a wrong letter is seen at once.
func TestMissingIdentifierTypeIsNamed(t *testing.T) {
	for setting, name := range map[string]string{"vid_type": "MOSIP ViD", "token_type": "a\u202eb"} {
		source, d := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.RefusedTypes, Code: setting, Field: name}, seeding.ProblemRead)
		checkDescription(t, setting, d)
		want := strings.ReplaceAll(name, "\u202e", `\u202e`)
		if source != seeding.ProblemTypes || !strings.Contains(d.Text, `"`+want+`"`) || !strings.Contains(d.Text, setting) || !strings.Contains(d.Remedy, setting) {
			t.Errorf("%s: %s %+v", setting, source, d)
		}
	}
}

// Once AllowedRanges is set, a public server may be the one that is not called: the
// advice says how to have both.
func TestRangesThatShutOutPublicAddressesAreExplained(t *testing.T) {
	_, registry := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.Unreachable, Code: "AddressNotAllowed"}, seeding.ProblemRead)
	for server, d := range map[string]seeding.Description{
		"registry": registry, "MTS": seeding.MTSProblem(&seeding.Fault{Kind: seeding.Unreachable, Code: "AddressNotAllowed"}),
	} {
		if !strings.Contains(d.Remedy, "only the ranges in it are called") || !strings.Contains(d.Remedy, "0.0.0.0/0 for public addresses") {
			t.Errorf("%s: %q", server, d.Remedy)
		}
	}
}

// People copy an address with what stands behind it, and try it: it must answer as
// the advice says.
func TestAddressOfASilentCallbackCanBeTried(t *testing.T) {
	d := seeding.CallbackSilent("https://api.example/base/")
	checkDescription(t, "callback", d)
	for _, text := range []string{d.Text, d.Remedy} {
		_, rest, _ := strings.Cut(text, "https://")
		if address, _, _ := strings.Cut(rest, " "); address != "api.example/base/callback/x" {
			t.Errorf("names %q: %s", address, text)
		}
	}
}

// Programs tell descriptions apart by their codes, whatever the fault is called.
func TestEveryDescriptionHasACode(t *testing.T) {
	for fault, want := range map[string]string{
		"HTTP-502": "http_502", "NotTLS": "not_tls", "TLSVersion": "tls_version", "NotJSONRPC": "not_jsonrpc",
		"RedirectHTTPSPort": "redirect_https_port", "AccessDenied": "access_denied", "Timeout": "timeout", "BadAnswer": "bad_answer",
	} {
		if d := seeding.MTSProblem(&seeding.Fault{Code: fault}); strings.HasPrefix(fault, "HTTP") && d.Code != want {
			t.Errorf("%s: %q", fault, d.Code)
		}
		_, d := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.RefusedSignIn, Code: fault}, seeding.ProblemRead)
		_, e := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.Unreachable, Code: fault}, seeding.ProblemRead)
		if d.Code != want && e.Code != want && d.Code != "sign_in_refused" {
			t.Errorf("%s: %q, %q, want %q", fault, d.Code, e.Code, want)
		}
		if e.Named.Fault != fault || e.Named.Server != "registry" {
			t.Errorf("%s: %+v", fault, e.Named)
		}
	}
	code := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, d := range []seeding.Description{
		seeding.IdentityRefused, seeding.TokensMisshapen, seeding.TokensDiffer, seeding.AnswerUnprocessed, seeding.AnswersMissing, seeding.RefusedAlike,
		seeding.CallbackSilent("https://api.example"), seeding.InvocationsDied(3), seeding.ReplyProblem(&seeding.Fault{}, false), seeding.MTSProblem(&seeding.Fault{}),
		seeding.KeysUnusable(nil).Description, seeding.MappingUnusable(nil).Description, seeding.RegistryUnusable(nil).Description,
	} {
		if !code.MatchString(d.Code) {
			t.Errorf("%q: %s", d.Code, d.Text)
		}
	}
	if n := seeding.CallbackSilent("https://api.example").Named; n.Address != "https://api.example/callback/x" {
		t.Errorf("%+v", n)
	}
	if n := seeding.RefusedAlike.SaidBy("IDA-MLC-018").Named; n.Fault != "IDA-MLC-018" {
		t.Errorf("%+v", n)
	}
}
