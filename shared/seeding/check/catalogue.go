package check

import (
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Lines are all lines of its own that a check can have, each code once for a name, with
// made-up values of their parameters: for the document of the API.
func Lines() (all []seeding.Line) {
	all = append(all, mtsLine(nil), tokenLine(nil), registryLine(nil))
	all = append(all, odkLines()...)
	lines := behindRegistry(seeding.Connector{Output: seeding.Output{Format: "."}})
	lines = append(lines, registrants)
	for _, w := range []why{notReached, notSignedIn, noTypes, notRead} {
		all = append(all, notTried(w, lines...)...)
	}
	all = append(all, notTried(noResult, write)...)
	for _, d := range seeding.EndpointProblems() {
		l := d.Line(tokens, "")
		l.Result = seeding.LineWarning
		all = append(all, l)
	}
	all = append(all,
		signInLine(seeding.Connector{}, "session", nil),
		versionLine("18.0", "17.0", "session"), versionLine("16.0", "15.0", "session"), versionLine("14.0", "", "session"),
		versionLine("", "17.0", "session"), versionLine("99.0", "17.0", "session"),
		databaseLine(seeding.RegistryFound{Registry: "r", Identity: "i"}, nil, nil, nil),
		databaseLine(seeding.RegistryFound{}, nil, nil, nil),
		databaseLine(seeding.RegistryFound{Registry: "r", Identity: "i", Exact: true}, nil,
			[]seeding.RegistryFound{{Registry: "s", Identity: "i", Exact: true}}, []seeding.State{{Registry: "s", Connector: "c"}}),
		typesLine(false, nil),
		modulesLine(false, false, nil), modulesLine(true, true, nil), modulesLine(true, false, nil),
		readLine(seen{looked: 200}, nil),
	)
	kinds := map[string]string{"image_1920": "binary", "name": "char"}
	for _, selected := range [][]string{{"name"}, {"image_1920"}, {"no_such_field"}} {
		l, _ := fieldsLine(selected, kinds, nil)
		all = append(all, l)
	}
	for _, s := range []seen{
		{}, {unseen: seeding.Archived}, {unseen: seeding.NotVisible}, {unseen: seeding.NotSelected}, {unseen: seeding.UnseenCause}, {holding: 77},
	} {
		if s.unseen != "" || s.holding > 0 {
			s.all, s.looked, s.selected = 3100, 200, 188
		}
		all = append(all, selectsLine(s, "{vid_type}"))
	}
	rights := []seeding.Right{{Model: "res.partner", Operation: "write"}}
	all = append(all, createLine(true, false, nil), createLine(false, false, nil), createLine(false, true, nil),
		removeLine(true, true, nil), removeLine(false, true, nil), removeLine(false, false, nil), writeLine(nil, nil))
	for _, l := range []seeding.Line{writeLine(rights, nil), writeLine(rights, rights)} {
		l.Text = strings.Replace(l.Text, inWords(rights), "{rights}", 1)
		all = append(all, l)
	}
	all = append(all, indexLines(seeding.LookUps{Identifiers: 750000, ByID: time.Millisecond, ByRegistrant: time.Millisecond, ByValue: time.Millisecond}, nil)...)
	return append(all, indexLines(seeding.LookUps{Identifiers: 750000, ByID: time.Millisecond, ByRegistrant: 815 * time.Millisecond, ByValue: 815 * time.Millisecond}, nil)...)
}
