package mtssim

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file is Python's requests 2.28.1 as far as MTS uses it: one connection
// per call, a time limit on connecting and on each read, redirects followed.

const maxRedirects = 30

var clientFunctions = []string{"get", "options", "head", "post", "put", "patch", "delete"}

// outgoing is a call of requests.
type outgoing struct {
	method      string
	url         string
	extra       map[string]any // headers, which win
	contentType string         // "" is JSON
	bearer      string
	cookies     string
}

// noLimit is the time limit of a call that has none.
const noLimit = time.Duration(0)

// httpAnswer is the last answer to a call.
type httpAnswer struct {
	status int
	header http.Header
	body   []byte
}

func (a *httpAnswer) cookies() []*http.Cookie { return (&http.Response{Header: a.header}).Cookies() }

// send makes one HTTP call. Any HTTP answer, whatever its status, is a success;
// errors are those that requests raises. A nil body is none.
func send(ctx context.Context, dial dialer, c outgoing, timeout time.Duration, body []byte) (*httpAnswer, error) {
	function := strings.ToLower(c.method)
	target, err := url.Parse(c.url)
	if err != nil {
		return nil, err
	}
	headers, err := c.headers(target, body)
	if err != nil {
		return nil, err
	}
	method := strings.ToUpper(function)
	for range maxRedirects + 1 {
		answer, err := exchange(ctx, dial, method, target, headers, timeout, body)
		if err != nil {
			return nil, err
		}
		location := answer.header.Get("Location")
		if location == "" || function == "head" {
			return answer, nil
		}
		switch answer.status {
		case http.StatusMovedPermanently:
			if method == http.MethodPost {
				method = http.MethodGet
			}
			body = nil
		case http.StatusFound, http.StatusSeeOther:
			method, body = http.MethodGet, nil
		case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return answer, nil
		}
		next, err := target.Parse(location)
		if err != nil {
			return nil, err
		}
		if next.Scheme != target.Scheme || next.Host != target.Host {
			headers.remove("Authorization")
		}
		if body == nil {
			headers.remove("Content-Type")
		}
		target = next
	}
	return nil, errors.New("exceeded 30 redirects")
}

// headerList keeps order and the spelling of names, which compare without case.
type headerList []headerLine

type headerLine struct{ name, value string }

func (l *headerList) set(name, value string) {
	l.remove(name)
	*l = append(*l, headerLine{name, value})
}

func (l *headerList) remove(name string) {
	*l = slices.DeleteFunc(*l, func(h headerLine) bool { return strings.EqualFold(h.name, name) })
}

func (l headerList) has(name string) bool {
	return slices.ContainsFunc(l, func(h headerLine) bool { return strings.EqualFold(h.name, name) })
}

var (
	headerName  = regexp.MustCompile(`^[^:\s][^:\r\n]*$`)
	headerValue = regexp.MustCompile(`^\S[^\r\n]*$|^$`)
)

// headers are those of requests, the bearer, and at last extraHeaders, which
// win. A null value removes a header, one that is no text raises.
func (c outgoing) headers(target *url.URL, body []byte) (headerList, error) {
	l := headerList{
		{"User-Agent", "python-requests/2.28.1"},
		{"Accept-Encoding", "gzip, deflate"},
		{"Accept", "*/*"},
		{"Connection", "keep-alive"},
	}
	if c.bearer != "" {
		l.set("Authorization", "Bearer "+c.bearer)
	}
	if c.contentType != "" {
		l.set("Content-Type", c.contentType)
	}
	if c.cookies != "" {
		l.set("Cookie", c.cookies)
	}
	for name, v := range c.extra {
		if v == nil {
			l.remove(name)
			continue
		}
		value, ok := v.(string)
		if !ok || !headerName.MatchString(name) || !headerValue.MatchString(value) || !isLatin1(value) {
			return nil, errors.New("header name or value is not valid")
		}
		l.set(name, value)
	}
	for _, h := range l {
		if !headerValue.MatchString(h.value) || !isLatin1(h.value) {
			return nil, errors.New("header name or value is not valid")
		}
	}
	if body != nil && !l.has("Content-Type") {
		l.set("Content-Type", "application/json")
	}
	if target.User != nil {
		l.set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(target.User.String())))
	}
	return l, nil
}

func isLatin1(s string) bool {
	for _, r := range s {
		if r > 0xff {
			return false
		}
	}
	return true
}

// exchange makes one request on a connection of its own and reads the answer to
// its end.
func exchange(ctx context.Context, dial dialer, method string, target *url.URL, headers headerList, timeout time.Duration, body []byte) (*httpAnswer, error) {
	conn, err := connect(ctx, dial, target, timeout)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	if _, err := conn.Write(message(method, target, headers, body)); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) && answer.ContentLength >= 0 {
		err = nil // a body shorter than announced goes unnoticed
	}
	return &httpAnswer{answer.StatusCode, answer.Header, read}, err
}

// dialer is a net.Dialer's DialContext.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

func connect(ctx context.Context, dial dialer, target *url.URL, timeout time.Duration) (net.Conn, error) {
	port := target.Port()
	switch target.Scheme {
	case "http":
		port = orDefault(port, "80")
	case "https":
		port = orDefault(port, "443")
	default:
		return nil, errors.New("no connection adapters were found")
	}
	if timeout != noLimit {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	raw, err := dial(ctx, "tcp", net.JoinHostPort(target.Hostname(), port))
	if err != nil {
		return nil, err
	}
	conn := raw
	if timeout != noLimit {
		conn = impatient{raw, timeout}
	}
	if target.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: target.Hostname()})
	}
	return conn, nil
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// impatient is a connection with a time limit on each read and write: a slow
// but steady answer takes as long as it takes.
type impatient struct {
	net.Conn
	timeout time.Duration
}

func (c impatient) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c impatient) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func message(method string, target *url.URL, headers headerList, body []byte) []byte {
	headers = slices.Clone(headers)
	headers.remove("Content-Length")
	if body != nil || method != http.MethodGet && method != http.MethodHead {
		headers.set("Content-Length", strconv.Itoa(len(body)))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target.RequestURI())
	if !headers.has("Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", target.Host)
	}
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, latin1(h.value))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

func latin1(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}
