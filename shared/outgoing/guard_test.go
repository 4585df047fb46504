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
		{"127.0.0.0/8, ::1", "::1", true},
		{"127.0.0.0/8, ::1", "127.9.9.9", true},
		{"127.0.0.0/8, ::1", "::2", false},
		{"192.168.7.7", "192.168.7.7", true},
		{"192.168.7.7", "192.168.7.8", false},
		{"fd12::/16", "fd12::1", true},
		{"fd12::/16", "fd13::1", false},
		{"::ffff:10.0.0.0/104", "10.9.9.9", true},
		{"64:ff9b::/96", "64:ff9b::8.8.8.8", true},

		// Never, whatever the ranges.
		{everything, "8.8.8.8", true},
		{everything, "127.0.0.1", true},
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
			if got := outgoing.Allows(ranges(t, test.ranges), netip.MustParseAddr(test.address)); got != test.allowed {
				t.Errorf("allowed: %v", got)
			}
		})
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
		{"name of loopback", "loopback.example.org", "", "AddressNotAllowed"},
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
			client := outgoing.New(outgoing.Options{AllowedRanges: ranges(t, test.ranges), Resolver: resolver})
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
	addresses, known := names[strings.TrimSuffix(name.String(), ".")]
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
