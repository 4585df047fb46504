package outgoing

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Options of the client. The zero value calls public addresses only, by https.
type Options struct {
	// AllowedRanges are the only addresses that may be called; none means
	// public addresses. Only these may be called by plain http, public ones only in
	// a range of /16 or narrower (IPv6: /32).
	AllowedRanges []netip.Prefix
	// AllowedHosts are the only hosts that may be called; none means every host.
	AllowedHosts Hosts
	// Loopback lets AllowedRanges admit loopback, where Lambda's own runtime
	// interface listens. For the local stack and tests only.
	Loopback bool
	// RootCAs are trusted instead of the system's.
	RootCAs *x509.CertPool
	// MaxBody bounds a body after decompression, in bytes; default 16 MiB.
	// A page of 1,000 registrants with ten fields is 0.3 MB (facts/odoo.md B2).
	// Decoded it takes several times its size, and a function has a few
	// hundred MB.
	MaxBody int64
	// RetryWait is the pause before the first repetition, doubling; default 250 ms.
	RetryWait time.Duration
	// Resolver resolves names instead of the system's.
	Resolver *net.Resolver
}

// FromEnvironment reads the options that a deployment sets: ALLOWED_RANGES,
// ALLOWED_HOSTS and CERTIFICATE_AUTHORITIES are parameters of template.yaml;
// LOCAL_STACK is set by infra/local only, and lets loopback be called. The error
// names every variable that cannot be read.
func FromEnvironment(getenv func(string) string) (Options, error) {
	ranges, err1 := ParseRanges(getenv("ALLOWED_RANGES"))
	hosts, err2 := ParseHosts(getenv("ALLOWED_HOSTS"))
	roots, err3 := ParseCertificates(getenv("CERTIFICATE_AUTHORITIES"))
	return Options{AllowedRanges: ranges, AllowedHosts: hosts, RootCAs: roots, Loopback: getenv("LOCAL_STACK") == "true"},
		errors.Join(err1, err2, err3)
}

// ForIssuer are the options for calls of the issuer of tokens, which the deployment
// names and the gateway reaches from the internet: public addresses by https, and on the
// local stack loopback. ALLOWED_RANGES is about MTS and registries.
func ForIssuer(getenv func(string) string) Options {
	const most = 1 << 20 // bytes; a discovery document of Keycloak has 7 KB
	if getenv("LOCAL_STACK") == "true" {
		return Options{AllowedRanges: loopback, Loopback: true, MaxBody: most}
	}
	return Options{MaxBody: most}
}

// Hosts are names of hosts; one that begins with "*." means every name that ends
// in the rest. None is every host.
type Hosts []string

var hostPattern = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// ParseHosts reads a comma-separated list of hosts: names, "*.example.org" for
// all names below example.org, and IP addresses.
func ParseHosts(text string) (Hosts, error) {
	var hosts Hosts
	for part := range strings.SplitSeq(text, ",") {
		host := strings.ToLower(strings.TrimSpace(part))
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		switch {
		case host == "":
			continue
		case err == nil && ip.Zone() == "":
			host = ip.Unmap().String()
		case !hostPattern.MatchString(host):
			return nil, fmt.Errorf("allowed hosts: %q is not a host such as mts.example.org or *.example.org", part)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// Allow reports whether a host, in small letters, is in the list.
func (h Hosts) Allow(host string) bool {
	for _, one := range h {
		below, wild := strings.CutPrefix(one, "*")
		if one == host || wild && strings.HasSuffix(host, below) && len(host) > len(below) {
			return true
		}
	}
	return len(h) == 0
}

var certificate = regexp.MustCompile(`-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----`)

// ParseCertificates reads certificates in PEM and returns them with those that
// the system trusts. Parameters of a deployment lose line ends, so any white
// space, or \n as two characters, stands between and in them. An empty text is
// nil: the system's alone.
func ParseCertificates(text string) (*x509.CertPool, error) {
	text = strings.ReplaceAll(text, `\n`, "\n")
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if rest := strings.TrimSpace(certificate.ReplaceAllString(text, "")); rest != "" {
		return nil, errors.New("certificate authorities: something is not a certificate from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for i, block := range certificate.FindAllStringSubmatch(text, -1) {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(block[1]), ""))
		if err != nil {
			return nil, fmt.Errorf("certificate authorities: certificate %d is damaged", i+1)
		}
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities: certificate %d cannot be read", i+1)
		}
		roots.AddCert(root)
	}
	return roots, nil
}
