package outgoing

import (
	"context"
	"net/http"
	"net/netip"
	"time"
)

// Pause is the wait before the next attempt.
var Pause = pause

// Allows is the decision of the guard, without a dial.
func Allows(o Options, plain bool, a netip.Addr) bool { return o.check(a, plain) == nil }

// WorthRepeating is the decision after an attempt that failed with err, or with
// 502 if that is nil, after the given time.
func WorthRepeating(ctx context.Context, err error, took time.Duration) bool {
	var resp *http.Response
	if err != nil {
		err = &Failure{cause: err, sent: true, took: took}
	} else {
		resp = &http.Response{StatusCode: http.StatusBadGateway, Body: newBody(ctx, http.NoBody, 0, took)}
	}
	again, _ := worthRepeating(ctx, resp, err)
	return again
}
