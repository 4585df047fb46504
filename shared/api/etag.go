package api

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// ETag is the tag of a version.
func ETag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// Proxies that compress a reply mark its tag as weak, or put the name of the
// compression behind it; people leave out the quotes.
var changedTag = regexp.MustCompile(`^(?:[Ww]/)?("?)([^"]*?)(?:[-;:/]{1,2}(?i:gzip|br|zstd|deflate))?("?)$`)

// IfMatch compares the header If-Match with the tag of what is stored. given is
// false without the header. A weak tag counts, although the comparison of RFC
// 9110, 13.1.1 is strong: behind a proxy that compresses there is no other, and a
// tag of ours tells versions apart in either form.
func IfMatch(r *http.Request, tag string) (given, same bool) { return matches(r, "If-Match", tag) }

// IfNoneMatch compares the header If-None-Match with the tag of what is there.
func IfNoneMatch(r *http.Request, tag string) (given, same bool) {
	return matches(r, "If-None-Match", tag)
}

// matches compares a header that lists tags with the tag of what is there.
func matches(r *http.Request, name, tag string) (given, same bool) {
	header := strings.Join(r.Header.Values(name), ",")
	if strings.TrimSpace(header) == "" {
		return false, false
	}
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" {
			return true, true
		}
		parts := changedTag.FindStringSubmatch(one)
		if parts != nil && parts[1] == parts[3] && `"`+parts[2]+`"` == tag {
			return true, true
		}
	}
	return true, false
}
