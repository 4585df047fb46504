package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// ETag is the tag of a version.
func ETag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// Proxies that compress a reply mark its tag as weak, or put the name of the
// compression behind it, each in its own way ("3-gzip", "3--x-gzip", "3-df"); people
// leave out the quotes.
var (
	givenTag    = regexp.MustCompile(`^(?:[Ww]/)?("?)([^"]*)("?)$`)
	compression = regexp.MustCompile(`[-;:/]{1,2}(?:[Xx]-)?[A-Za-z][A-Za-z0-9]+$`)
)

// maxProxies may each have put a word behind a tag.
const maxProxies = 3

// IfMatch compares the header If-Match with the tag of what is stored. given is
// false without the header. A weak tag counts, although the comparison of RFC
// 9110, 13.1.1 is strong: behind a proxy that compresses there is no other, and a
// tag of ours tells versions apart in either form.
//
// The tag that GET gives has behind the version what tells apart states in which one
// version was shown; it names the version all the same.
func IfMatch(r *http.Request, tag string) (given, same bool) {
	return matches(r, "If-Match", func(given string) bool {
		version, state, found := strings.Cut(given, ".")
		return given == tag || found && len(state) == 2*stateBytes+1 && version+`"` == tag
	})
}

// tagging is the writer of a reply to GET.
type tagging struct {
	http.ResponseWriter
	request *http.Request
}

// stateBytes of the checksum of a reply are in its tag.
const stateBytes = 8

// unchanged sets the tag of a reply, behind the version if its endpoint has set one,
// and reports whether the client has this reply already.
func (t *tagging) unchanged(body []byte) bool {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:stateBytes]) + `"`
	if version := t.Header().Get("ETag"); version != "" {
		tag = strings.TrimSuffix(version, `"`) + "." + tag[1:]
	}
	t.Header().Set("ETag", tag)
	_, same := IfNoneMatch(t.request, tag)
	return same
}

// IfNoneMatch compares the header If-None-Match with the tag of what is there.
func IfNoneMatch(r *http.Request, tag string) (given, same bool) {
	return matches(r, "If-None-Match", func(given string) bool { return given == tag })
}

// matches reports whether a header that lists tags has one that is meant.
func matches(r *http.Request, name string, is func(tag string) bool) (given, same bool) {
	header := strings.Join(r.Header.Values(name), ",")
	if strings.TrimSpace(header) == "" {
		return false, false
	}
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" {
			return true, true
		}
		parts := givenTag.FindStringSubmatch(one)
		if parts == nil || parts[1] != parts[3] {
			continue
		}
		value := parts[2]
		for range 1 + maxProxies {
			if is(`"` + value + `"`) {
				return true, true
			}
			value = compression.ReplaceAllString(value, "")
		}
	}
	return true, false
}
