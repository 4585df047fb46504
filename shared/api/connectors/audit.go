package connectors

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// Every change through the API is one line of the log: who, what, which
// connector, its version, and the names of the fields that changed. Values are in
// no line, except the host of MTS and of the registry where it is a new one: all
// registrants' data go there.

// Caller is who made a request.
type Caller struct {
	Name  string // "" if nobody knows
	Claim string // of the token that has the name: "sub", or "client_id" where there is no sub
	Shown string // what people call them, for themselves only; it is in no log
	Role  Role
	// Misused: the token is none for this API, though the issuer and the audience fit.
	Misused bool
}

// longestName of a caller in the log. A sub has up to 255 characters (OpenID
// Connect Core 2); API Gateway takes longer ones too.
const longestName = 255

// legible is a text that others chose, so that it can neither break a line nor
// look like another text: printable ASCII, everything else escaped.
func legible(text string) string {
	quoted := strconv.QuoteToASCII(text)
	if text = quoted[1 : len(quoted)-1]; len(text) > longestName {
		return text[:longestName] + "..."
	}
	return text
}

// changed logs a change that the store was asked for. err is the store's: an
// unknown one may have come after the change. A change that was surely refused is
// none.
func (s *service) changed(r *http.Request, change string, c seeding.Connector, err error, more ...any) {
	for _, refusal := range []error{seeding.ErrConflict, seeding.ErrNotFound, seeding.ErrOpenBatches, seeding.ErrLeaseHeld} {
		if errors.Is(err, refusal) {
			return
		}
	}
	caller := s.Caller(r)
	log := s.Log.With("change", change, "connector", c.ID, "version", c.Version,
		"caller", legible(caller.Name), "caller_claim", caller.Claim).With(more...)
	if err != nil {
		log.WarnContext(r.Context(), "connector perhaps changed", "kind", api.Kind(err))
		return
	}
	log.InfoContext(r.Context(), "connector changed")
}

// newHosts are the attributes of the hosts that registrants' data go to after a
// change, and did not go to before.
func newHosts(before, after seeding.Connector) (attributes []any) {
	for _, host := range []struct{ name, before, after string }{
		{"mts_host", before.MTS.URL, after.MTS.URL},
		{"registry_host", before.Registry.URL, after.Registry.URL},
		{"callback_host", direct(before).URL, direct(after).URL},
		{"callback_auth_host", direct(before).Auth.URL, direct(after).Auth.URL},
	} {
		if origin := seeding.CallOrigin(host.after); origin != "" && origin != seeding.CallOrigin(host.before) {
			attributes = append(attributes, host.name, legible(origin))
		}
	}
	return attributes
}

// direct is the direct callback of a connector, empty if it has none.
func direct(c seeding.Connector) seeding.DirectDelivery {
	if !c.IsDirect() {
		return seeding.DirectDelivery{}
	}
	return *c.Delivery.Direct
}

// changedFields names what differs between two configurations, as in the API's
// document: "registry.url".
func changedFields(before, after seeding.Connector, given map[string]string) (names []string) {
	names = differences("", fieldsOf(before), fieldsOf(after))
	for _, f := range secretFields {
		if given[f.field] != "" {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	return names
}

// fieldsOf are the members of a connector's document that its configuration decides.
func fieldsOf(c seeding.Connector) map[string]any {
	c.ID, c.Version, c.Created, c.Updated = "", 0, time.Time{}, time.Time{}
	var members map[string]any
	encoded, err := json.Marshal(newConnectorDocument(c, seeding.Attempts{}))
	if err != nil || json.Unmarshal(encoded, &members) != nil {
		return nil
	}
	delete(members, "width") // follows from width_maximum
	return members
}

func differences(prefix string, before, after map[string]any) (names []string) {
	all := maps.Clone(after)
	maps.Copy(all, before)
	for name := range all {
		inner, isObject := before[name].(map[string]any)
		innerAfter, staysObject := after[name].(map[string]any)
		switch {
		case isObject && staysObject:
			names = append(names, differences(prefix+name+".", inner, innerAfter)...)
		case !reflect.DeepEqual(before[name], after[name]):
			names = append(names, prefix+name)
		}
	}
	return names
}
