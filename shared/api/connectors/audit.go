package connectors

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// Every change through the API is stored with what it changes (seeding.Change), and is
// one line of the log: who, what, which
// connector, its version, and the names of the fields that changed. Values are in
// no line, except the host of MTS and of the registry where it is a new one: all
// registrants' data go there.

// Caller is who made a request.
type Caller struct {
	Name  string // "" if nobody knows
	Claim string // of the token that has the name: "sub", or "client_id" where there is no sub
	Shown string // what people call them, and changes name them by; it is in no log
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
		{"odk_host", before.ODK.BaseURL, after.ODK.BaseURL},
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

// change is the change that a request asks for, to be stored with it.
func (s *service) change(r *http.Request, kind seeding.ChangeKind, c seeding.Connector, fields ...seeding.FieldChange) seeding.Change {
	caller := s.Caller(r)
	return seeding.Change{
		Connector: c.ID, ID: s.NewID(), At: s.Now().UTC(), Kind: kind, Version: c.Version, Fields: fields,
		By: seeding.Person{Subject: legible(caller.Name), Claim: caller.Claim, Name: readable(caller.Shown)},
	}
}

// readable is a name that others chose, without characters that nobody sees or that
// change the direction of writing, and not longer than names are.
func readable(name string) string {
	const longest = 100
	runes := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name))
	return strings.TrimSpace(string(runes[:min(len(runes), longest)]))
}

// namesOf are the names of changed fields.
func namesOf(changes []seeding.FieldChange) (names []string) {
	for _, f := range changes {
		names = append(names, f.Name)
	}
	return names
}

// fieldChanges are the fields that differ between two configurations, named as in the
// API's document: "registry.url".
func fieldChanges(before, after seeding.Connector, given map[string]string) (changes []seeding.FieldChange) {
	changes = differences("", fieldsOf(before), fieldsOf(after))
	for _, f := range secretFields {
		if given[f.field] != "" {
			changes = append(changes, seeding.FieldChange{Name: f.name})
		}
	}
	slices.SortFunc(changes, func(a, b seeding.FieldChange) int { return strings.Compare(a.Name, b.Name) })
	return changes
}

// hostChanges are the addresses of a new connector.
func hostChanges(c seeding.Connector) (changes []seeding.FieldChange) {
	for _, f := range fieldChanges(seeding.Connector{}, c, nil) {
		if isAddress(f.Name) && f.After != "" {
			changes = append(changes, seeding.FieldChange{Name: f.Name, After: f.After})
		}
	}
	return changes
}

// shownWords are fields whose texts are words of a list, times or zones.
var shownWords = []string{
	"input_type", "language", "job_type", "daily_at", "time_zone", "starts", "ends", "odk.received_from",
	"callback.http_method", "callback.auth_type", "token_shape.alphabet",
}

func isAddress(field string) bool { return strings.HasSuffix(field, "url") }

// shown is a value of a field as a change tells it, as JSON: a number, a switch, a
// word of a list, or the origin of an address. All others may be secret, or name a
// person: they are "".
func shown(field string, value any) string {
	switch v := value.(type) {
	case bool, float64:
	case string:
		if isAddress(field) {
			server, _, err := seeding.ParseCallURL(v) // as newHosts does: that of a callback may have a query
			if err != nil {
				return ""
			}
			value = server.Origin()
		} else if !slices.Contains(shownWords, field) {
			return ""
		}
	default:
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
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

func differences(prefix string, before, after map[string]any) (changes []seeding.FieldChange) {
	all := map[string]any{}
	maps.Copy(all, after)
	maps.Copy(all, before)
	for name := range all {
		inner, isObject := before[name].(map[string]any)
		innerAfter, staysObject := after[name].(map[string]any)
		switch {
		case isObject && (staysObject || after[name] == nil), staysObject && before[name] == nil:
			changes = append(changes, differences(prefix+name+".", inner, innerAfter)...)
		case !reflect.DeepEqual(before[name], after[name]):
			change := seeding.FieldChange{Name: prefix + name, Before: shown(prefix+name, before[name]), After: shown(prefix+name, after[name])}
			if change.Before == change.After { // another path at the same host
				change.Before, change.After = "", ""
			}
			changes = append(changes, change)
		}
	}
	return changes
}
