package outgoing_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/outgoing"
)

// authority is a private certificate authority.
type authority struct {
	*testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, root(), root(), &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{t, certificate, key}
}

func root() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root of the Ministry of Registration", Organization: []string{"Republic of Examples"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

// serve starts a server with a certificate for 127.0.0.1, after changes.
func (a authority) serve(change func(*x509.Certificate), configure func(*tls.Config)) string {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(leaf)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		a.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	if configure != nil {
		configure(server.TLS)
	}
	server.StartTLS()
	a.Cleanup(server.Close)
	return server.URL
}

func (a authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
}

// Each cause of a failed call has a code of its own, by which people are told
// what to do.
func TestEachCauseHasACode(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	answers := func(text string) string { // to every connection
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 1000)) // the request, or the handshake
				_, _ = io.WriteString(conn, text)
				_ = conn.Close()
			}
		}()
		return "http://" + listener.Addr().String()
	}
	for name, test := range map[string]struct{ url, code string }{
		"private authority, trusted": {ours.serve(nil, nil), ""},
		"private authority, unknown": {foreign.serve(nil, nil), "CertificateUnknown"},
		"expired":                    {ours.serve(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, nil), "CertificateExpired"},
		"not valid yet":              {ours.serve(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, nil), "CertificateExpired"},
		"for another name":           {ours.serve(func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"mts.example.org"} }, nil), "CertificateName"},
		"for clients": {ours.serve(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, nil), "CertificateRefused"},
		"old TLS": {ours.serve(nil, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), "TLSVersion"},
		"wants a certificate": {ours.serve(nil, func(c *tls.Config) {
			c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
		}), "TLSFailed"},
		"wants a certificate, TLS 1.3": {ours.serve(nil, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }), "ClientCertificate"},
		"other ciphers": {ours.serve(nil, func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		}), "TLSFailed"},
		"plain server":       {strings.Replace(answers("HTTP/1.0 400 Bad Request\r\n\r\n"), "http", "https", 1), "NotTLS"},
		"no HTTP":            {answers("220 mail.example.org ESMTP\r\n"), "NotHTTP"},
		"unknown host":       {"https://nobody.example.org/", "HostUnknown"},
		"link-local":         {"https://169.254.169.254/", "AddressNotAllowed"},
		"outside the ranges": {"https://8.8.8.8/", "AddressNotAllowed"},
	} {
		t.Run(name, func(t *testing.T) {
			options := local(t)
			options.Resolver = fakeDNS(t, nil)
			var err error
			if options.RootCAs, err = outgoing.ParseCertificates(ours.pem()); err != nil {
				t.Fatal(err)
			}
			resp, err := outgoing.New(options).Post(test.url, "text/plain", strings.NewReader("x"))
			if err == nil {
				_ = resp.Body.Close()
			}
			if _, code := outcome(err); code != test.code {
				t.Errorf("%q (%v), want %q", code, err, test.code)
			}
		})
	}
}

// With TLS 1.3 a client has sent its request before it sees that the server
// refuses the handshake. That server cannot read it, so nothing was taken.
func TestRequestOfARefusedHandshakeIsNotTaken(t *testing.T) {
	a := newAuthority(t)
	clients := x509.NewCertPool()
	clients.AddCert(a.certificate)
	for name, configure := range map[string]func(*tls.Config){
		"TLS 1.2": func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 },
		"TLS 1.3": func(c *tls.Config) { c.ClientAuth, c.MinVersion = tls.RequireAnyClientCert, tls.VersionTLS13 },
		"of an authority": func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs, c.MinVersion = tls.RequireAndVerifyClientCert, clients, tls.VersionTLS13
		},
		"by a rule of its own": func(c *tls.Config) {
			c.MinVersion, c.ClientAuth = tls.VersionTLS13, tls.RequestClientCert
			c.VerifyConnection = func(tls.ConnectionState) error { return errors.New("no certificate") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			options := local(t)
			var err error
			if options.RootCAs, err = outgoing.ParseCertificates(a.pem()); err != nil {
				t.Fatal(err)
			}
			_, err = outgoing.New(options).Post(a.serve(nil, configure), "text/plain", strings.NewReader("x"))
			if sent, code := outcome(err); sent || code != "TLSFailed" && code != "ClientCertificate" {
				t.Errorf("sent %v, %q (%v)", sent, code, err)
			}
		})
	}
}

// Parameters of a deployment lose line ends.
func TestPrivateCertificateAuthorityIsTrusted(t *testing.T) {
	one, two := newAuthority(t), newAuthority(t)
	for name, text := range map[string]string{
		"as it is":         one.pem() + two.pem(),
		"in one line":      strings.ReplaceAll(one.pem()+two.pem(), "\n", " "),
		"without ends":     strings.ReplaceAll(one.pem()+two.pem(), "\n", ""),
		"with escapes":     strings.ReplaceAll(one.pem()+two.pem(), "\n", `\n`),
		"with CRLF":        strings.ReplaceAll(two.pem()+one.pem(), "\n", "\r\n"),
		"with blank lines": "\n\n" + one.pem() + "\n\n" + two.pem() + "\n",
	} {
		roots, err := outgoing.ParseCertificates(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, a := range []authority{one, two} {
			if _, err := a.certificate.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		system, err := x509.SystemCertPool()
		if err != nil {
			t.Fatal(err)
		}
		system.AddCert(one.certificate)
		system.AddCert(two.certificate)
		if !roots.Equal(system) {
			t.Errorf("%s: the system's certificates are not trusted any more", name)
		}
	}
	for name, text := range map[string]string{
		"no PEM":         "MIIB",
		"cut off":        one.pem()[:200],
		"something else": one.pem() + "x",
		"a key":          "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
		"damaged":        "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
		"not DER":        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
	} {
		if roots, err := outgoing.ParseCertificates(text); err == nil || roots != nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// template.yaml takes 2,048 characters: the root of a usual size fits. It is
// signed with a short key here, because a long one takes seconds to be made.
func TestRootWithALongKeyFits(t *testing.T) {
	a := newAuthority(t)
	long := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 4095, 1), E: 65537}
	der, err := x509.CreateCertificate(rand.Reader, root(), a.certificate, long, a.key)
	if err != nil {
		t.Fatal(err)
	}
	own := make([]byte, len(der)+4096/8-len(a.certificate.Signature)) // with the signature of its own key
	if text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own}); len(text) > 2048 {
		t.Errorf("%d characters", len(text))
	}
}
