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

// Failure is a request that got no answer. Adapters do not import this package;
// they look for the methods NotSent and Code.
type Failure struct {
	cause error
	sent  bool
	took  time.Duration
}

func (f *Failure) Error() string { return f.cause.Error() }
func (f *Failure) Unwrap() error { return f.cause }

// NotSent tells that no byte of the request went out: address not allowed, name
// unknown, connection refused, TLS not agreed, or no time left before that.
func (f *Failure) NotSent() bool { return !f.sent }

// Code is one word for what happened, without any address or text of a server.
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

// TooLarge is the error of reading an answer above its limit.
type TooLarge struct{ Limit int64 }

func (t *TooLarge) Error() string { return fmt.Sprintf("answer is larger than %d bytes", t.Limit) }

// NotSent is false: there was an answer.
func (t *TooLarge) NotSent() bool { return false }

// Code is as that of a Failure.
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

// body is the answer of a server, bounded.
type body struct {
	io.ReadCloser
	left, limit int64
	took        time.Duration // until the header was there
}

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &TooLarge{Limit: b.limit}
	}
	if int64(len(p)) > b.left+1 { // one more than allowed, to tell the end from the excess
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, &TooLarge{Limit: b.limit}
	}
	return n, err
}
