// Package outgoing makes the one HTTP client that calls MTS and registries.
//
// The addresses it calls are typed in by users, so it decides by itself what
// may be reached, at the moment of the dial and on the resolved address. What
// it promises to its callers besides:
//
//   - redirects are not followed: a 3xx is the answer;
//   - an answer is cut off above a size, with a *TooLarge;
//   - a request is repeated only if it is idempotent: GET, or a POST that its
//     caller marked in net/http's way, req.Header["Idempotency-Key"] =
//     []string{}, which never goes over the wire;
//   - a request without an answer fails with a *Failure, which knows whether
//     anything of it was sent;
//   - every request has a connection of its own. Odoo closes them anyway
//     (facts/odoo.md A5), and a Lambda that was frozen would write into
//     connections that are dead by now: an unknown outcome for nothing.
//
// The time limit of a call is its context's, nothing else's.
package outgoing
