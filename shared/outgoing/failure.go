package outgoing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Failure is the error of a request without a reply. Adapters do not import this
// package; they look for the methods NotSent and Code.
type Failure struct {
	cause error
	sent  bool
	took  time.Duration
}

func (f *Failure) Error() string { return f.cause.Error() }
func (f *Failure) Unwrap() error { return f.cause }

// NotSent reports that no byte of the request was sent: address not allowed,
// name unknown, connection refused, TLS failed, or time over before that.
func (f *Failure) NotSent() bool { return !f.sent }

// Code is one word for the failure, without any address or text of a server.
func (f *Failure) Code() string {
	switch _, blocked := errors.AsType[*Blocked](f.cause); {
	case blocked:
		return "AddressNotAllowed"
	case isHostUnknown(f.cause):
		return "HostUnknown"
	case isCertificate(f.cause):
		return "CertificateRefused"
	case errors.Is(f.cause, syscall.ECONNREFUSED):
		return "ConnectionRefused"
	case isTimeout(f.cause):
		return "Timeout"
	case f.sent:
		return "ConnectionLost"
	}
	return "ConnectionFailed"
}

// TooLarge is the error of reading a body beyond its limit.
type TooLarge struct{ Limit int64 }

func (t *TooLarge) Error() string { return fmt.Sprintf("reply is larger than %d bytes", t.Limit) }

// NotSent is false, because there was a reply.
func (t *TooLarge) NotSent() bool { return false }

// Code is like that of a Failure.
func (t *TooLarge) Code() string { return "AnswerTooLarge" }

func isHostUnknown(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

func isCertificate(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	return verification || name
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// body is the bounded body of a reply.
type body struct {
	io.ReadCloser
	left, limit int64
	took        time.Duration // until the header was there
}

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &TooLarge{Limit: b.limit}
	}
	if int64(len(p)) > b.left+1 { // one more byte shows whether the body ends at the limit
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, &TooLarge{Limit: b.limit}
	}
	return n, err
}
