package outgoing_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/outgoing"
)

func TestGuard(t *testing.T) {
	everything := "0.0.0.0/0,::/0"
	for _, test := range []struct {
		ranges  string
		address string
		allowed bool
	}{
		// Without ranges: public unicast only.
		{"", "8.8.8.8", true},
		{"", "223.255.255.255", true},
		{"", "2606:4700::1111", true},
		{"", "::ffff:8.8.8.8", true},
		{"", "64:ff9b::8.8.8.8", true}, // how an IPv6-only subnet reaches IPv4
		{"", "2002:0808:0808::1", true},
		{"", "127.0.0.1", false},
		{"", "10.1.2.3", false},
		{"", "172.16.0.1", false},
		{"", "172.31.255.255", false},
		{"", "172.32.0.1", true},
		{"", "192.168.1.1", false},
		{"", "100.64.0.1", false},
		{"", "192.0.2.1", false},
		{"", "198.19.0.1", false},
		{"", "240.0.0.1", false},
		{"", "0.0.0.0", false},
		{"", "0.1.2.3", false},
		{"", "255.255.255.255", false},
		{"", "224.0.0.1", false},
		{"", "169.254.169.254", false},
		{"", "::", false},
		{"", "::1", false},
		{"", "fc00::1", false},
		{"", "fd12:3456::1", false},
		{"", "fec0::1", false},
		{"", "fe80::1", false},
		{"", "fe80::1%eth0", false},
		{"", "ff02::1", false},
		{"", "2001:db8::1", false},
		{"", "2001:0:1::1", false}, // Teredo
		{"", "100::1", false},
		{"", "::ffff:127.0.0.1", false},
		{"", "::ffff:10.0.0.1", false},
		{"", "::127.0.0.1", false},
		{"", "64:ff9b::10.0.0.1", false},
		{"", "64:ff9b::169.254.169.254", false},
		{"", "64:ff9b:1::8.8.8.8", false},
		{"", "2002:7f00:0001::1", false}, // 127.0.0.1
		{"", "2002:a9fe:a9fe::", false},  // 169.254.169.254

		// With ranges: exactly those.
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"10.0.0.0/8", "64:ff9b::10.1.2.3", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/8", "8.8.8.8", false},
		{"10.0.0.0/8", "::1", false},
		{"192.168.7.7", "192.168.7.7", true},
		{"192.168.7.7", "192.168.7.8", false},
		{"fd12::/16", "fd12::1", true},
		{"fd12::/16", "fd13::1", false},
		{"::ffff:10.0.0.0/104", "10.9.9.9", true},
		{"64:ff9b::/96", "64:ff9b::8.8.8.8", true},
		// Anybody may own an address that holds one of the range.
		{"10.0.0.0/8", "2a01:4f8:1:2:0:5efe:10.0.0.1", false},
		{"10.0.0.0/8", "2a01:4f8:1:2:200:5efe:10.0.0.1", false},
		{"10.0.0.0/8", "2002:a00:1::1", false},
		{"10.0.0.0/8", "::10.0.0.1", false},
		{"10.0.0.0/8", "::ffff:0:10.0.0.1", false},

		// Never, whatever the ranges.
		{everything, "8.8.8.8", true},
		{everything, "10.0.0.1", true},
		{everything, "127.0.0.1", false},
		{everything, "127.255.255.254", false},
		{everything, "::1", false},
		{everything, "::ffff:127.0.0.1", false},
		{everything, "::ffff:0:127.0.0.1", false},
		{everything, "::127.0.0.1", false},
		{everything, "64:ff9b::127.0.0.1", false},
		{everything, "2002:7f00:1::", false},
		{everything, "2001:0:4136:e378:8000:63bf:80ff:fffe", false}, // Teredo
		{everything, "2606:4700::5efe:127.0.0.1", false},            // ISATAP
		{everything, "2606:4700::200:5efe:169.254.169.254", false},
		{"127.0.0.0/8, ::1", "127.0.0.1", false},
		{"127.0.0.0/8, ::1", "::1", false},
		{everything, "169.254.169.254", false},
		{everything, "169.254.79.129", false},
		{everything, "169.254.170.2", false},
		{everything, "::ffff:169.254.169.254", false},
		{everything, "64:ff9b::a9fe:a9fe", false},
		{everything, "64:ff9b:1::a9fe:a9fe", false},
		{everything, "2002:a9fe:a9fe::1", false},
		{everything, "::a9fe:a9fe", false},
		{everything, "fd00:ec2::254", false},
		{everything, "fe80::1", false},
		{everything, "febf::1%eth0", false},
		{everything, "0.0.0.0", false},
		{everything, "::", false},
		{everything, "224.0.0.251", false},
		{everything, "239.1.1.1", false},
		{everything, "ff05::2", false},
		{everything, "255.255.255.255", false},
		{"169.254.169.254/32", "169.254.169.254", false},
		{"fd00:ec2::254", "fd00:ec2::254", false},
	} {
		t.Run(test.ranges+" "+test.address, func(t *testing.T) {
			if got := outgoing.Allows(outgoing.Options{AllowedRanges: ranges(t, test.ranges)}, false, netip.MustParseAddr(test.address)); got != test.allowed {
				t.Errorf("allowed: %v", got)
			}
		})
	}
}

// The local stack calls loopback, and nothing else of what is never called.
func TestLoopbackIsForTheLocalStackOnly(t *testing.T) {
	for _, test := range []struct {
		ranges, address string
		allowed         bool
	}{
		{"127.0.0.0/8, ::1", "::1", true},
		{"127.0.0.0/8, ::1", "127.9.9.9", true},
		{"127.0.0.0/8, ::1", "::ffff:127.0.0.1", true},
		{"127.0.0.0/8, ::1", "::2", false},
		{"127.0.0.0/8", "::1", false},
		{"0.0.0.0/0, ::/0", "127.0.0.1", true},
		{"0.0.0.0/0, ::/0", "169.254.169.254", false},
		{"0.0.0.0/0, ::/0", "0.0.0.0", false},
		{"10.0.0.0/8", "127.0.0.1", false},
		{"", "127.0.0.1", false},
		{"", "::1", false},
	} {
		o := outgoing.Options{AllowedRanges: ranges(t, test.ranges), Loopback: true}
		if got := outgoing.Allows(o, true, netip.MustParseAddr(test.address)); got != test.allowed {
			t.Errorf("%q, %s: %v", test.ranges, test.address, got)
		}
	}
}

// Plain http shows the data to everybody on the way, so it is for networks that
// the deployment names.
func TestPlainHTTPIsForAllowedRangesOnly(t *testing.T) {
	for _, test := range []struct {
		ranges, address string
		allowed         bool
	}{
		{"", "8.8.8.8", false},
		{"", "2606:4700::1111", false},
		{"", "64:ff9b::8.8.8.8", false},
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "64:ff9b::10.1.2.3", true},
		{"8.8.0.0/16", "8.8.8.8", true}, // a public range that somebody uses inside
		{"0.0.0.0/0, ::/0", "8.8.8.8", false},
		{"10.0.0.0/8, ::/0", "2a01:4f8:1:2:0:5efe:10.0.0.1", false},
		{"0.0.0.0/0, ::/0", "2a01:4f8:1:2:0:5efe:10.0.0.1", false},
		{"0.0.0.0/0, ::/0", "2606:4700::1111", false},
		{"0.0.0.0/0, ::/0", "64:ff9b::8.8.8.8", false},
		{"0.0.0.0/0, 8.8.0.0/16", "8.8.8.8", true},
		// Ranges that are nobody's network, however the internet is cut into them.
		{"0.0.0.0/1, 128.0.0.0/1", "8.8.8.8", false},
		{"8.0.0.0/7", "8.8.8.8", false},
		{"8.0.0.0/8", "8.8.8.8", false},
		{"8.8.0.0/15", "8.8.8.8", false},
		{"::ffff:0.0.0.0/97", "8.8.8.8", false},
		{"::ffff:8.8.0.0/112", "8.8.8.8", true},
		{"2000::/3", "2606:4700::1111", false},
		{"::/1", "2606:4700::1111", false},
		{"2606::/16", "2606:4700::1111", false},
		{"2606:4700::/31", "2606:4700::1111", false},
		{"2606:4700::/32", "2606:4700::1111", true},
		{"64:ff9b::/96", "64:ff9b::8.8.8.8", false},
		{"64:ff9b::/97", "64:ff9b::8.8.8.8", false},
		{"64:ff9b::808:0/112", "64:ff9b::8.8.8.8", true},
		{"8.8.0.0/16, 64:ff9b::/96", "64:ff9b::8.8.8.8", true},
		{"2002::/16", "2002:808:808::1", false},
		{"0.0.0.0/1", "10.1.2.3", true}, // private
		{"fc00::/7", "fd12::1", true},
		{"0.0.0.0/0, ::/0", "10.1.2.3", true},
		{"0.0.0.0/0, ::/0", "fd12::1", true},
	} {
		o := outgoing.Options{AllowedRanges: ranges(t, test.ranges)}
		if got := outgoing.Allows(o, true, netip.MustParseAddr(test.address)); got != test.allowed {
			t.Errorf("%q, %s: %v", test.ranges, test.address, got)
		}
		if !outgoing.Allows(o, false, netip.MustParseAddr(test.address)) {
			t.Errorf("%q, %s: refused by https", test.ranges, test.address)
		}
	}
}

// What is known before a name is resolved is said when a connector is saved.
func TestAddressIsCheckedBeforeItIsResolved(t *testing.T) {
	for _, test := range []struct {
		scheme, host, ranges, hosts string
		want                        string // a part of the error; empty: none
	}{
		{"https", "mts.example.org", "", "", ""},
		{"http", "mts.example.org", "", "", "must begin with https://"},
		{"http", "mts.example.org", "10.0.0.0/8", "", ""}, // what it resolves to is checked when it is called
		{"http", "8.8.8.8", "", "", "must begin with https://"},
		{"http", "8.8.8.8", "10.0.0.0/8", "", "AllowedRanges"},
		{"http", "8.8.8.8", "0.0.0.0/0", "", "must begin with https://"},
		{"https", "8.8.8.8", "", "", ""},
		{"https", "8.8.8.8", "10.0.0.0/8", "", "AllowedRanges"},
		{"https", "10.0.0.1", "", "", "AllowedRanges"},
		{"http", "10.0.0.1", "10.0.0.0/8", "", ""},
		{"https", "169.254.169.254", "0.0.0.0/0", "", "never called"},
		{"https", "127.0.0.1", "127.0.0.0/8", "", "never called"},
		{"https", "localhost", "127.0.0.0/8", "", "never called"},
		{"https", "a.localhost", "", "", "never called"},
		{"https", "::1", "", "", "never called"},
		{"https", "mts.example.org", "", "mts.example.org", ""},
		{"https", "registry.example.org", "", "mts.example.org, registry.example.org", ""},
		{"https", "evil.example.org", "", "mts.example.org", "AllowedHosts"},
		{"https", "mts.example.org.evil.example", "", "mts.example.org", "AllowedHosts"},
		{"https", "xmts.example.org", "", "mts.example.org", "AllowedHosts"},
		{"https", "a.example.org", "", "*.example.org", ""},
		{"https", "b.a.example.org", "", "*.example.org", ""},
		{"https", "example.org", "", "*.example.org", "AllowedHosts"},
		{"https", "evilexample.org", "", "*.example.org", "AllowedHosts"},
		{"https", "8.8.8.8", "", "*.example.org", "AllowedHosts"},
		{"https", "8.8.8.8", "", "8.8.8.8", ""},
		{"http", "mts.example.org", "", "mts.example.org", "must begin with https://"},
	} {
		hosts, err := outgoing.ParseHosts(test.hosts)
		if err != nil {
			t.Fatal(err)
		}
		o := outgoing.Options{AllowedRanges: ranges(t, test.ranges), AllowedHosts: hosts}
		switch err := o.Check(test.scheme, test.host); {
		case err == nil && test.want != "", err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s://%s, %q, %q: %v, want %q", test.scheme, test.host, test.ranges, test.hosts, err, test.want)
		}
	}
}

func TestParseHosts(t *testing.T) {
	got, err := outgoing.ParseHosts(" MTS.example.org,*.Gov.example, 10.0.0.1 ,[FD12::A],, my_mts ")
	if want := (outgoing.Hosts{"mts.example.org", "*.gov.example", "10.0.0.1", "fd12::a", "my_mts"}); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := outgoing.ParseHosts(" , "); err != nil || got != nil {
		t.Errorf("nothing: got %v, %v", got, err)
	}
	for _, bad := range []string{"*", "*.", "*example.org", "a.*.org", "https://mts.example.org", "mts.example.org:443", "mts.example.org/x", ".example.org", "example.org.", "a..b", "r\u0435gistry.example"} {
		if got, err := outgoing.ParseHosts(bad); err == nil {
			t.Errorf("%s: got %v", bad, got)
		}
	}
}

// A connector that was saved before the deployment named its hosts or ranges is
// not called either.
func TestHostsAndSchemesAreCheckedAtEachCall(t *testing.T) {
	var hits int
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer server.Close()
	resolver := fakeDNS(t, map[string][]string{"mts.example.org": {"127.0.0.1"}, "evil.example.org": {"127.0.0.1"}})
	for _, test := range []struct{ host, ranges, hosts, code string }{
		{"mts.example.org", "127.0.0.0/8", "mts.example.org", ""},
		{"MTS.example.org", "127.0.0.0/8", "mts.example.org", ""},
		{"evil.example.org", "127.0.0.0/8", "mts.example.org", "HostNotAllowed"},
		{"mts.example.org.", "127.0.0.0/8", "mts.example.org", "HostNotAllowed"},
		{"127.0.0.1", "127.0.0.0/8", "mts.example.org", "HostNotAllowed"},
		{"mts.example.org", "", "mts.example.org", "PlainHTTP"},
	} {
		hits = 0
		hosts, _ := outgoing.ParseHosts(test.hosts)
		client := outgoing.New(outgoing.Options{AllowedRanges: ranges(t, test.ranges), AllowedHosts: hosts, Loopback: true, Resolver: resolver})
		resp, err := client.Post("http://"+test.host+":"+serverPort(server)+"/", "text/plain", strings.NewReader("x"))
		if err == nil {
			_ = resp.Body.Close()
		}
		if _, code := outcome(err); code != test.code || (hits == 1) != (test.code == "") {
			t.Errorf("%s: %q (%v), %d hits", test.host, code, err, hits)
		}
	}
}

// Options of a deployment come from its environment; loopback only from a
// variable that no parameter sets.
func TestFromEnvironment(t *testing.T) {
	read := func(pairs ...string) (outgoing.Options, error) {
		return outgoing.FromEnvironment(func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		})
	}
	if o, err := read(); err != nil || len(o.AllowedRanges)+len(o.AllowedHosts) > 0 || o.RootCAs != nil || o.Loopback {
		t.Errorf("nothing: %+v, %v", o, err)
	}
	o, err := read("ALLOWED_RANGES", "127.0.0.0/8", "ALLOWED_HOSTS", "mts.example.org")
	if err != nil || o.Loopback || !slices.Equal(o.AllowedHosts, []string{"mts.example.org"}) || len(o.AllowedRanges) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := read("LOCAL_STACK", "true"); err != nil || !o.Loopback {
		t.Errorf("local stack: %+v, %v", o, err)
	}
	_, err = read("ALLOWED_RANGES", "ten", "ALLOWED_HOSTS", "*", "CERTIFICATE_AUTHORITIES", "x")
	for _, part := range []string{"allowed ranges", "allowed hosts", "certificate authorities"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
}

func TestParseRanges(t *testing.T) {
	got, err := outgoing.ParseRanges(" 10.1.2.3/8 ,fd00::/8,, 192.168.0.1 ")
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.168.0.1/32")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := outgoing.ParseRanges(" , "); err != nil || got != nil {
		t.Errorf("nothing: got %v, %v", got, err)
	}
	for _, bad := range []string{"10.0.0.0/33", "ten", "10.0.0.0-10.0.0.9", "fe80::1%eth0", "::ffff:0.0.0.0/90", "10.0.0.0/8;11.0.0.0/8"} {
		if got, err := outgoing.ParseRanges(bad); err == nil {
			t.Errorf("%s: got %v", bad, got)
		}
	}
}

// The guard decides by the address that a name resolves to.
func TestResolvedAddressIsGuarded(t *testing.T) {
	var hits int
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer server.Close()
	port := serverPort(server)
	resolver := fakeDNS(t, map[string][]string{
		"loopback.example.org": {"127.0.0.1"},
		"metadata.example.org": {"169.254.169.254"},
		"mixed.example.org":    {"169.254.169.254", "127.0.0.1"},
	})
	for _, test := range []struct {
		name, host, ranges, code string
	}{
		{"name of loopback", "loopback.example.org", "10.0.0.0/8", "AddressNotAllowed"},
		{"no plain http", "loopback.example.org", "", "PlainHTTP"},
		{"name of loopback, allowed", "loopback.example.org", "127.0.0.0/8", ""},
		{"name of metadata", "metadata.example.org", "0.0.0.0/0", "AddressNotAllowed"},
		{"second address allowed", "mixed.example.org", "127.0.0.0/8", ""},
		{"no such name", "nobody.example.org", "127.0.0.0/8", "HostUnknown"},
		{"literal", "127.0.0.1", "", "AddressNotAllowed"},
		{"literal, allowed", "127.0.0.1", "127.0.0.1", ""},
		{"mapped", "[::ffff:127.0.0.1]", "", "AddressNotAllowed"},
		{"mapped, allowed", "[::ffff:127.0.0.1]", "127.0.0.0/8", ""},
		{"localhost", "localhost", "10.0.0.0/8", "AddressNotAllowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			hits = 0
			client := outgoing.New(outgoing.Options{AllowedRanges: ranges(t, test.ranges), Loopback: test.ranges != "", Resolver: resolver})
			resp, err := client.Post("http://"+test.host+":"+port+"/", "text/plain", strings.NewReader("x"))
			if err == nil {
				_ = resp.Body.Close()
			}
			if test.code == "" {
				if err != nil || hits != 1 {
					t.Fatalf("err %v, hits %d", err, hits)
				}
				return
			}
			if sent, code := outcome(err); sent || code != test.code || hits != 0 {
				t.Errorf("got %q (%v), sent %v, hits %d", code, err, sent, hits)
			}
			_, blocked := errors.AsType[*outgoing.Blocked](err)
			if blocked != (test.code == "AddressNotAllowed") {
				t.Errorf("blocked: %v (%v)", blocked, err)
			}
		})
	}
}

// net/http reads the proxies of the environment once per process.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:9"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	_, err := outgoing.New(outgoing.Options{}).Get("http://10.0.0.1/")
	if blocked, ok := errors.AsType[*outgoing.Blocked](err); !ok || blocked.Addr.String() != "10.0.0.1" {
		t.Errorf("got %v", err)
	}
}

func ranges(t *testing.T, text string) []netip.Prefix {
	t.Helper()
	list, err := outgoing.ParseRanges(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func serverPort(s *httptest.Server) string {
	u, _ := url.Parse(s.URL)
	return u.Port()
}

// outcome reads an error as the adapters do.
func outcome(err error) (sent bool, code string) {
	failed, ok := errors.AsType[interface {
		error
		NotSent() bool
		Code() string
	}](err)
	if !ok {
		return true, ""
	}
	return !failed.NotSent(), failed.Code()
}

// fakeDNS resolves the names given to IPv4 addresses, over real DNS messages on
// loopback.
func fakeDNS(t *testing.T, names map[string][]string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(dnsAnswer(buf[:n], names), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func dnsAnswer(query []byte, names map[string][]string) []byte {
	const header = 12
	var name strings.Builder
	at := header
	for query[at] != 0 {
		length := int(query[at])
		name.Write(query[at+1 : at+1+length])
		name.WriteByte('.')
		at += 1 + length
	}
	at++
	isA := binary.BigEndian.Uint16(query[at:]) == 1
	answer := slices.Clone(query[:at+4]) // with the question, without what follows it
	addresses, known := names[strings.ToLower(strings.TrimSuffix(name.String(), "."))]
	answer[2], answer[3] = 0x81, 0x80 // a response, recursion available
	if !known {
		answer[3] |= 3 // no such name
	}
	clear(answer[6:header])
	if isA {
		answer[7] = byte(len(addresses))
		for _, a := range addresses {
			answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4) // the name asked for, A, IN, 1 s, 4 bytes
			answer = append(answer, netip.MustParseAddr(a).AsSlice()...)
		}
	}
	return answer
}

// The issuer is on the internet, whatever ranges MTS and registries are in, and on the
// local stack on loopback.
func TestTheIssuerIsPublic(t *testing.T) {
	for name, c := range map[string]struct {
		environment map[string]string
		address     string
		allowed     bool
	}{
		"public":                    {nil, "https://93.184.216.34", true},
		"public, ranges are set":    {map[string]string{"ALLOWED_RANGES": "10.0.0.0/8", "ALLOWED_HOSTS": "mts.example.org"}, "https://93.184.216.34", true},
		"plain http":                {nil, "http://93.184.216.34", false},
		"private":                   {map[string]string{"ALLOWED_RANGES": "10.0.0.0/8"}, "https://10.1.2.3", false},
		"loopback of a deployment":  {nil, "http://127.0.0.1", false},
		"loopback, locally":         {map[string]string{"LOCAL_STACK": "true"}, "http://127.0.0.1", true},
		"metadata, locally":         {map[string]string{"LOCAL_STACK": "true"}, "http://169.254.169.254", false},
		"something public, locally": {map[string]string{"LOCAL_STACK": "true"}, "https://93.184.216.34", false},
	} {
		o := outgoing.ForIssuer(func(name string) string { return c.environment[name] })
		scheme, host, _ := strings.Cut(c.address, "://")
		if err := o.Check(scheme, host); (err == nil) != c.allowed {
			t.Errorf("%s: %v", name, err)
		}
	}
}
