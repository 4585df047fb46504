package outgoing

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// Blocked says that an address may not be called. Nothing was sent.
type Blocked struct{ Addr netip.Addr }

func (b *Blocked) Error() string { return fmt.Sprintf("calls to %s are not allowed", b.Addr) }

// never lists what no configuration allows: this host as "any address",
// link-local addresses (on AWS the metadata of instance and task, and Lambda's
// own runtime), multicast and broadcast, and a local translation prefix, whose
// target cannot be known.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32",
	"::/128", "fe80::/10", "ff00::/8", "64:ff9b:1::/48",
	"fd00:ec2::/32", // AWS's services inside a VPC: metadata at fd00:ec2::254
)

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
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

// guard holds the ranges that may be called; none means public addresses only.
type guard []netip.Prefix

// control is a net.Dialer.ControlContext. It checks every address of a dial
// after the name was resolved, so that no name can resolve to one address for
// the check and to another for the call.
func (g guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return &Blocked{}
	}
	if !g.allows(target.Addr()) {
		return &Blocked{Addr: target.Addr()}
	}
	return nil
}

func (g guard) allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	v4, embedded := embeddedV4(a)
	if within(never, a) || embedded && within(never, v4) {
		return false
	}
	if len(g) > 0 {
		return within(g, a) || embedded && within(g, v4)
	}
	if embedded {
		a = v4
	}
	return (a.Is4() || globalV6.Contains(a)) && !within(notPublic, a)
}

func embeddedV4(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	switch {
	case a.Is4() || a == netip.IPv6Unspecified() || a == netip.IPv6Loopback():
		return netip.Addr{}, false
	case compatible.Contains(a), nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
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
