package invariants

import (
	"maps"
	"slices"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// WhyUntouched says why a run does not touch registrants of a demo kind; "" if it
// does.
func WhyUntouched(kind odoosim.Kind) string {
	return map[odoosim.Kind]string{
		odoosim.Tokenised:    "has a token already, and no VID",
		odoosim.ExpiredVID:   "the VID has expired",
		odoosim.InvalidVID:   "the VID is marked invalid",
		odoosim.ArchivedVID:  "archived",
		odoosim.GroupWithVID: "a group",
		odoosim.NoVID:        "has no VID",
		odoosim.Group:        "a group without a VID",
	}[kind]
}

// Rejections returns what is wrong with the rejections of a registry when nothing
// is under way: every registrant with a VID has a token, or is rejected, or needs
// nothing by its kind (kinds may be nil); and a rejection that is not about the
// registrant's own data has a next attempt.
func Rejections(now Registry, rejections []seeding.Rejection, kinds map[int64]odoosim.Kind) (list []Violation) {
	rejected := map[int64]bool{}
	for _, r := range rejections {
		rejected[r.Registrant] = true
		if r.Next.IsZero() && (r.Kind == seeding.Refused || r.Kind == seeding.NoToken || r.Kind == seeding.SetAside) {
			list = append(list, violation(Forgotten, r.Registrant, "is rejected (%s) without a next attempt", r.Kind))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if has := now[id]; len(has.VIDs) > 0 && len(has.Tokens) == 0 && !rejected[id] && WhyUntouched(kinds[id]) == "" {
			list = append(list, violation(Undecided, id, "has a VID, and neither a token nor a rejection"))
		}
	}
	return list
}
