package system_test

import (
	"fmt"
	"sync"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
)

// addRegistrants adds n registrants that should all get a token, and returns their
// ids.
func (w *world) addRegistrants(n int) []int64 { return w.addPersons(1000, n) }

// addPersons is addRegistrants for the n persons that begin with this number.
func (w *world) addPersons(person, n int) []int64 { return addPersonsTo(w.registry, person, n) }

func addPersonsTo(registry *odoosim.Server, person, n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = registry.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: fmt.Sprintf("Doe %d", i), Gender: "Female",
			Birthdate: "1990-02-03", Address: fmt.Sprintf("%d Long Street", i), Email: "jo@example.org", Phone: "+15550100",
		})
		registry.AddIdentifier(odoosim.Identifier{Registrant: ids[i], Type: odoosim.VIDType, Value: odoosim.DemoVID(int64(person+i), 1, odoosim.Normal)})
	}
	return ids
}

// now is what registrants have now.
func (w *world) now() invariants.Registry { return invariants.RegistryOf(w.registry.Snapshot()) }

// only is what these registrants have now.
func (w *world) only(registrants []int64) invariants.Registry {
	now := invariants.Registry{}
	for _, id := range registrants {
		now[id] = invariants.HoldingOf(w.registry.Identifiers(id))
	}
	return now
}

// vids are the VIDs that registrants have now.
func (w *world) vids() map[int64]string {
	vids := map[int64]string{}
	for id, has := range w.now() {
		for _, vid := range has.VIDs {
			vids[id] = vid
		}
	}
	return vids
}

// tokenised counts registrants that have a token.
func (w *world) tokenised() int { return tokenisedAt(w.registry) }

func tokenisedAt(registry *odoosim.Server) (n int) {
	for _, has := range invariants.RegistryOf(registry.Snapshot()) {
		n += min(1, len(has.Tokens))
	}
	return n
}

// tokenOf is the token of a registrant, the first one if it has several; "" if it
// has none.
func (w *world) tokenOf(registrant int64) string {
	return w.identifier(registrant, odoosim.TokenType).Value
}

// vidOf is the identifier with the VID of a registrant.
func (w *world) vidOf(registrant int64) odoosim.Identifier {
	return w.identifier(registrant, odoosim.VIDType)
}

func (w *world) identifier(registrant, identifierType int64) odoosim.Identifier {
	for _, i := range w.registry.Identifiers(registrant) {
		if i.Type == identifierType {
			return i
		}
	}
	return odoosim.Identifier{}
}

// atFirst calls f at a moment of the first call of a method, and only then.
func (w *world) atFirst(at odoosim.Moment, model, method string, f func()) {
	var once sync.Once
	w.registry.Hook(at, func(m, n string) {
		if m == model && n == method {
			once.Do(f)
		}
	})
}

// failedRegistryCalls is how often a call to the registry failed.
func (w *world) failedRegistryCalls() int { return w.log.Count(`"registry call failed"`) }
