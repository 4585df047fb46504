package api

import (
	"net/http"
	"strconv"
	"strings"
)

// ETag is the tag of a version.
func ETag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// IfMatch compares the header If-Match with the tag of what is stored. given is
// false without the header.
func IfMatch(r *http.Request, tag string) (given, matches bool) {
	header := strings.Join(r.Header.Values("If-Match"), ",")
	if strings.TrimSpace(header) == "" {
		return false, false
	}
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || one == tag {
			return true, true
		}
	}
	return true, false
}
