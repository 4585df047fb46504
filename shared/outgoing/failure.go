package outgoing

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Failure is the error of a request without a reply, or with one that breaks off.
// Adapters do not import this package; they look for the methods NotSent and Code.
type Failure struct {
	cause error
	sent  bool
	took  time.Duration
}

func (f *Failure) Error() string { return f.cause.Error() }
func (f *Failure) Unwrap() error { return f.cause }

// NotSent reports that no server read a byte of the request: address not allowed,
// name unknown, connection refused, TLS failed, or time over before that. With TLS
// 1.3 the request is on its way when the server refuses the handshake; it has no
// key to read it with then.
func (f *Failure) NotSent() bool { return !f.sent || refusedHandshake(f.cause) }

// Code is one word for the cause, without any address or text of a server. The
// words are part of what adapters promise (seeding.Fault).
func (f *Failure) Code() string {
	for _, c := range causes {
		if c.is(f.cause) {
			return c.code
		}
	}
	if f.sent {
		return "ConnectionLost"
	}
	return "ConnectionFailed"
}

// lasting reports whether a repetition surely fails alike.
func (f *Failure) lasting() bool {
	for _, c := range causes {
		if c.is(f.cause) {
			return c.lasting
		}
	}
	return false
}

// causes are tried in their order.
var causes = []struct {
	code    string
	lasting bool
	is      func(error) bool
}{
	{"AddressNotAllowed", true, has[*Blocked]},
	{"HostNotAllowed", true, has[*HostNotAllowed]},
	{"PlainHTTP", true, has[*PlainHTTP]},
	{"HostUnknown", true, func(err error) bool { dns, ok := errors.AsType[*net.DNSError](err); return ok && dns.IsNotFound }},
	{"HostNotResolved", false, has[*net.DNSError]},
	{"CertificateUnknown", true, has[x509.UnknownAuthorityError]},
	{"CertificateName", true, has[x509.HostnameError]},
	{"CertificateExpired", true, func(err error) bool {
		invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
		return ok && invalid.Reason == x509.Expired // or not valid yet
	}},
	{"CertificateRefused", true, has[*tls.CertificateVerificationError]},
	{"NotTLS", true, has[tls.RecordHeaderError]},
	{"ClientCertificate", true, func(err error) bool { return isAlert(err, "certificate required") }},
	{"TLSVersion", true, func(err error) bool { return isTLS(err) && strings.Contains(err.Error(), "protocol version") }},
	{"TLSFailed", false, isTLS},
	{"ConnectionRefused", false, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
	{"NetworkUnreachable", false, func(err error) bool {
		return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
	}},
	{"Timeout", false, func(err error) bool {
		timeout, ok := errors.AsType[net.Error](err)
		return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
	}},
	{"NotHTTP", false, func(err error) bool { // of net/http, without a type
		return strings.Contains(err.Error(), "malformed ") || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)
	}},
}

func has[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// isAlert is true for an alert of the server with one of these descriptions.
// Alerts have no type.
func isAlert(err error, descriptions ...string) bool {
	operation, ok := errors.AsType[*net.OpError](err)
	return ok && operation.Op == "remote error" && slices.ContainsFunc(descriptions, func(d string) bool {
		return operation.Err.Error() == "tls: "+d
	})
}

// refusedHandshake is true for the alerts by which a server ends a handshake (RFC
// 8446 6.2), and never a connection after it: this client takes part in no
// renegotiation and in no authentication after the handshake.
func refusedHandshake(err error) bool {
	return isAlert(err, "certificate required", "bad certificate", "unsupported certificate", "revoked certificate",
		"expired certificate", "unknown certificate", "unknown certificate authority", "access denied", "handshake failure")
}

// isTLS is true for an alert of the server, and for what crypto/tls itself finds;
// neither has a type.
func isTLS(err error) bool {
	operation, ok := errors.AsType[*net.OpError](err)
	return ok && operation.Op == "remote error" || strings.HasPrefix(err.Error(), "tls: ")
}

// TooLarge is the error of reading a body beyond its limit.
type TooLarge struct{ Limit int64 }

func (t *TooLarge) Error() string { return fmt.Sprintf("reply is larger than %d bytes", t.Limit) }

// NotSent is false, because there was a reply.
func (t *TooLarge) NotSent() bool { return false }

// Code is like that of a Failure.
func (t *TooLarge) Code() string { return "AnswerTooLarge" }

// body is the bounded body of a reply, without a byte order mark, which some
// servers put before their JSON. A reader may leave it out (RFC 8259 8.1).
type body struct {
	io.Closer
	ctx         context.Context // of the request, whose time limits reading too
	text        *bufio.Reader
	begun       bool
	left, limit int64
	took        time.Duration // until the header was there
}

func newBody(ctx context.Context, of io.ReadCloser, limit int64, took time.Duration) *body {
	return &body{Closer: of, ctx: ctx, text: bufio.NewReader(of), left: limit, limit: limit, took: took}
}

const byteOrderMark = "\ufeff"

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &TooLarge{Limit: b.limit}
	}
	if !b.begun {
		b.begun = true
		if first, _ := b.text.Peek(len(byteOrderMark)); string(first) == byteOrderMark {
			_, _ = b.text.Discard(len(first))
		}
	}
	if int64(len(p)) > b.left+1 { // one more byte shows whether the body ends at the limit
		p = p[:b.left+1]
	}
	n, err := b.text.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, &TooLarge{Limit: b.limit}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		// Only the context surely says that its time is over.
		err = &Failure{cause: cmp.Or(b.ctx.Err(), err), sent: true, took: b.took}
	}
	return n, err
}
