// Package outgoing makes the one HTTP client that calls MTS and registries.
//
// Users configure the addresses, so the client decides what may be called, when
// it dials and by the resolved address (Options). It promises its callers:
//
//   - Redirects are not followed: a 3xx is returned as it is, without a Location
//     that is no address.
//   - Reading a body beyond a limit fails with a *TooLarge.
//   - A request is repeated only if it is idempotent: a GET, or a POST marked as
//     in net/http, by req.Header["Idempotency-Key"] = []string{}, which is not
//     sent.
//   - A request without a reply fails with a *Failure, which knows whether
//     anything of it was sent; so does reading a body that breaks off.
//   - A byte order mark before a body is left out.
//   - Every request has a connection of its own. Odoo closes connections anyway
//     (facts/odoo.md A5), and on one that died while Lambda was frozen a write
//     would have an unknown outcome.
//
// Only the context limits the time of a call.
package outgoing
