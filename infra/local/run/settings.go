package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// settings are the variables of `make run`.
type settings struct {
	once         bool
	odk          bool    // people come of submissions at ODK Central, and not from the registry
	registrants  int     // or submissions
	pace         float64 // of the MTS: 0 is at once, 1 is the real one's
	workers      int     // of each replica of the MTS
	replicas     int     // of the MTS
	ranges       string  // that functions may reach, loopback included
	callbackBase string  // "" is the API's address
	listen       string  // preferred address of the API
}

const (
	loopback        = "127.0.0.0/8"
	preferred       = "127.0.0.1:8080"
	mostRegistrants = 1_000_000
	mostWorkers     = 64 // of a replica, and replicas
	// processors are those that the workers of a replica share.
	processors = 4
)

// readSettings reads the environment variables that the Makefile sets; every
// error is one sentence about the setting as the user wrote it.
func readSettings(env func(string) string) (s settings, err error) {
	switch text := env("MTSC_ONCE"); text {
	case "", "0":
	case "1":
		s.once = true
	default:
		return s, fmt.Errorf("ONCE=%s: write ONCE=1, or leave it out", text)
	}
	switch text := env("MTSC_SOURCE"); text {
	case "", "registry":
	case "odk":
		s.odk = true
	default:
		return s, fmt.Errorf("SOURCE=%s: write SOURCE=odk, or leave it out", text)
	}
	for _, n := range []struct {
		name     string
		value    *int
		standard int
		most     int
	}{
		{"REGISTRANTS", &s.registrants, 2000, mostRegistrants},
		{"WORKERS", &s.workers, 1, mostWorkers},
		{"REPLICAS", &s.replicas, 1, mostWorkers},
	} {
		if *n.value, err = readNumber(env("MTSC_"+n.name), n.standard, n.most); err != nil {
			return s, fmt.Errorf("%s=%s: %w", n.name, env("MTSC_"+n.name), err)
		}
	}
	if s.pace, err = readPace(env("MTSC_PACE")); err != nil {
		return s, err
	}
	if s.ranges, err = readRanges(env("MTSC_ALLOW")); err != nil {
		return s, err
	}
	s.callbackBase, s.listen, err = readBase(env("MTSC_CALLBACK_BASE"))
	return s, err
}

// readNumber reads a number from 1 up; without a text it is the standard.
func readNumber(text string, standard, most int) (int, error) {
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("write a number from 1 to %d", most)
	}
	return n, nil
}

func readPace(text string) (float64, error) {
	switch text {
	case "":
		return 0, nil
	case "real":
		return 1, nil
	}
	pace, err := strconv.ParseFloat(text, 64)
	if err != nil || !(pace >= 0 && pace <= 10) {
		return 0, fmt.Errorf("PACE=%s: write real, or a number from 0 (at once) to 10, where 1 is real", text)
	}
	return pace, nil
}

func readRanges(text string) (string, error) {
	ranges := []string{loopback}
	for one := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		if _, err := netip.ParsePrefix(one); err != nil {
			return "", fmt.Errorf("ALLOW=%s: %s is not an address range such as 10.0.0.0/8", text, one)
		}
		ranges = append(ranges, one)
	}
	return strings.Join(ranges, ","), nil
}

// readBase returns the base address of callbacks and the address where the API
// listens: the same if it is an address of this machine; otherwise loopback, and
// the user forwards callbacks to it.
func readBase(text string) (base, listen string, err error) {
	if text == "" {
		return "", preferred, nil
	}
	base = strings.TrimRight(text, "/")
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", "", fmt.Errorf("CALLBACK_BASE=%s: write an address such as http://10.1.2.3:8080", text)
	}
	if u.Scheme == "http" && ofThisMachine(u.Hostname()) {
		port := u.Port()
		if port == "" {
			port = "80"
		}
		return base, net.JoinHostPort(u.Hostname(), port), nil
	}
	return base, preferred, nil
}

func ofThisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if address.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, one := range own {
		if prefix, err := netip.ParsePrefix(one.String()); err == nil && prefix.Addr() == address {
			return true
		}
	}
	return false
}
