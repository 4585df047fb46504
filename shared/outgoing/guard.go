package outgoing

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// Blocked says that an address may not be called. Nothing was sent.
type Blocked struct{ Addr netip.Addr }

func (b *Blocked) Error() string {
	if within(never, b.Addr) || within(loopback, b.Addr) {
		return fmt.Sprintf("must be another address: %s is on the machine or the network of the connector itself, and is never called", b.Addr)
	}
	return fmt.Sprintf("must be an address that the deployment allows: %s is private, or AllowedRanges is set and does not list it (add 0.0.0.0/0 for public addresses)", b.Addr)
}

// Code is a name of the reason, for programs.
func (*Blocked) Code() string { return "address_blocked" }

// PlainHTTP says that an address may be called by https only. Nothing was sent.
type PlainHTTP struct{}

func (*PlainHTTP) Error() string {
	return "must begin with https://: plain http is for addresses in AllowedRanges of the deployment only, public ones in a range of /16 or narrower (IPv6: /32)"
}

// Code is a name of the reason, for programs.
func (*PlainHTTP) Code() string { return "address_plain_http" }

// HostNotAllowed says that a host is not in AllowedHosts. Nothing was sent.
type HostNotAllowed struct{}

func (*HostNotAllowed) Error() string {
	return "must have a host that the deployment allows: it is not in AllowedHosts"
}

// Code is a name of the reason, for programs.
func (*HostNotAllowed) Code() string { return "address_not_allowed" }

// never lists what no configuration allows: this host as "any address",
// link-local addresses (on AWS the metadata of instance and task, and Lambda's
// own runtime), multicast and broadcast, and a local translation prefix and
// Teredo, whose target cannot be known.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32",
	"::/128", "fe80::/10", "ff00::/8", "64:ff9b:1::/48", "2001::/32",
	"fd00:ec2::/32", // AWS's services inside a VPC: metadata at fd00:ec2::254
)

// loopback is where Lambda's runtime interface listens. Only the local stack may
// call it.
var loopback = prefixes("127.0.0.0/8", "::1/128")

// Public are all of IPv4 and, of IPv6, 2000::/3, both without the ranges in
// notPublic (IANA's special-purpose registries).
var (
	globalV6  = netip.MustParsePrefix("2000::/3")
	notPublic = prefixes(
		"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "3fff::/20",
	)
)

// Forms of IPv6 that lead to an IPv4 address.
var (
	compatible = netip.MustParsePrefix("::/96")
	translated = netip.MustParsePrefix("::ffff:0:0:0/96")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

// Check returns why a server must not be called, as far as that is known before
// its name is resolved: a *HostNotAllowed, *Blocked or *PlainHTTP with a text for
// the user, which continues "the address …". host is in small letters; an IP
// address is without brackets.
func (o Options) Check(scheme, host string) error {
	if !o.AllowedHosts.Allow(host) {
		return &HostNotAllowed{}
	}
	plain := scheme != "https"
	if ip, err := netip.ParseAddr(host); err == nil {
		return o.check(ip, plain)
	}
	if isLocalhost := host == "localhost" || strings.HasSuffix(host, ".localhost"); isLocalhost && !o.Loopback {
		return &Blocked{Addr: netip.MustParseAddr("127.0.0.1")}
	}
	if plain && len(o.AllowedRanges) == 0 {
		return &PlainHTTP{}
	}
	return nil
}

// control makes a net.Dialer.ControlContext for plain http or for https. It
// checks every address of a dial after the name was resolved, so that no name can
// resolve to one address for the check and to another for the call.
func (o Options) control(plain bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil || (network != "tcp4" && network != "tcp6") {
			return &Blocked{}
		}
		return o.check(target.Addr(), plain)
	}
}

func (o Options) check(a netip.Addr, plain bool) error {
	a = a.Unmap().WithZone("")
	// An address that holds an IPv4 address may lead there, or anywhere: who owns
	// a network chooses the last bits of its addresses. So what it holds can forbid
	// a call and never allow one. Only a NAT64 is the network's own.
	held, holds := embeddedV4(a)
	target := a
	if !holds {
		held = a
	}
	if nat64.Contains(a) {
		target = held
	}
	for _, form := range []netip.Addr{a, held} {
		if within(never, form) || !o.Loopback && within(loopback, form) {
			return &Blocked{Addr: a}
		}
	}
	if len(o.AllowedRanges) == 0 && (!isPublic(target) || !isPublic(held)) {
		return &Blocked{Addr: a}
	}
	if len(o.AllowedRanges) > 0 && !within(o.AllowedRanges, a, target) {
		return &Blocked{Addr: a}
	}
	if plain && (isPublic(target) || isPublic(held)) && !within(o.networks(), a, target) {
		return &PlainHTTP{}
	}
	return nil
}

// networks are the ranges that can be somebody's own network: whoever lists
// 0.0.0.0/0, or its two halves, did not say that their data may go through the
// internet for everybody to read.
func (o Options) networks() []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(o.AllowedRanges), func(p netip.Prefix) bool {
		least := narrowV6
		switch {
		case p.Addr().Is4():
			least = narrowV4
		case slices.ContainsFunc([]netip.Prefix{compatible, translated, nat64}, func(form netip.Prefix) bool { return form.Contains(p.Addr()) }):
			least = 96 + narrowV4 // of the IPv4 addresses in it
		}
		return p.Bits() < least
	})
}

// A range of public addresses is a network up to this size. A registry of the
// internet gives an organisation no more as a rule (65,536 addresses of IPv4), and
// the parameter has no room for enough of them to make up the internet.
const (
	narrowV4 = 16
	narrowV6 = 32
)

func isPublic(a netip.Addr) bool {
	return (a.Is4() || globalV6.Contains(a)) && !within(notPublic, a)
}

// embeddedV4 returns the IPv4 address that a form of IPv6 holds.
func embeddedV4(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	switch {
	case a.Is4() || a == netip.IPv6Unspecified() || a == netip.IPv6Loopback():
		return netip.Addr{}, false
	case compatible.Contains(a), translated.Contains(a), nat64.Contains(a), isatap(b):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// isatap is true for an interface identifier of RFC 5214.
func isatap(b [16]byte) bool {
	return b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

func within(list []netip.Prefix, forms ...netip.Addr) bool {
	for _, p := range list {
		if slices.ContainsFunc(forms, p.Contains) {
			return true
		}
	}
	return false
}

// ParseRanges reads a comma-separated list of address ranges ("10.0.0.0/8") and
// single addresses. An empty text is no range: public addresses only.
func ParseRanges(text string) ([]netip.Prefix, error) {
	var ranges []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			single, errSingle := netip.ParseAddr(part)
			if errSingle != nil || single.Zone() != "" {
				return nil, fmt.Errorf("allowed ranges: %q is not a range such as 10.0.0.0/8", part)
			}
			p = netip.PrefixFrom(single, single.BitLen())
		}
		if p.Addr().Is4In6() { // the guard checks the IPv4 address in it
			if p.Bits() < 96 {
				return nil, fmt.Errorf("allowed ranges: %q is wider than all of IPv4", part)
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		ranges = append(ranges, p.Masked())
	}
	return ranges, nil
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}
