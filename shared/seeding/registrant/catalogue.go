package registrant

import (
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Lines are all lines of its own that a check of a registrant can have, with made-up
// values of their parameters: for the document of the API.
func Lines() (all []seeding.Line) {
	var (
		running = seeding.State{Status: seeding.Running}
		blocked = seeding.State{Status: seeding.Running, Problems: map[seeding.Source]seeding.Problem{seeding.ProblemMTS: {}}}
		c       = seeding.Connector{Registry: seeding.RegistryAccess{VIDType: "{vid_type}"}, Source: seeding.RegistrySource{Mandatory: []string{"dob"}}}
		vids    = []seeding.Identifier{{Value: "1"}}
		rejects = seeding.Rejection{Kind: seeding.Refused, Code: "IDA-DEA-001"}
		later   = rejects
	)
	all = append(all, fromForm)
	later.Next = time.Date(2026, time.December, 1, 6, 0, 0, 0, time.UTC)
	fate := func(f seeding.Fate, r seeding.Rejection) found {
		return found{there: true, selected: true, vids: vids, foreseen: []seeding.Foreseen{{Fate: f, Rejection: r}}}
	}
	ready := fate(seeding.WouldBeSent, seeding.Rejection{})
	ready.foreseen[0].Demographics.VID = seeding.Value{Text: "1", Present: true}
	for _, one := range []struct {
		found
		state seeding.State
	}{
		{found{}, running},
		{found{there: true, archived: true}, running},
		{found{there: true, otherVIDs: 1}, running},
		{found{there: true, vids: vids, unmet: []seeding.Unmet{{Condition: 2, Path: "disabled"}}}, running},
		{found{there: true, vids: vids}, running},
		{found{there: true, selected: true, tokens: []seeding.Identifier{{}}}, running},
		{found{there: true, selected: true, tokens: []seeding.Identifier{{Value: "1234567890123456789012345"}}}, running},
		{found{there: true, selected: true, vids: vids, unforeseen: &seeding.Unusable{}}, running},
		{fate(seeding.NotSelectedNow, rejects), running},
		{fate(seeding.HoldsToken, rejects), running},
		{fate(seeding.IsInBatch, rejects), running},
		{fate(seeding.WouldBeInvalid, rejects), running},
		{fate(seeding.StaysRejected, rejects), running},
		{fate(seeding.StaysRejected, later), running},
		{ready, running}, {ready, blocked}, {ready, seeding.State{Status: seeding.Stopped}},
	} {
		for _, l := range lines(one.found, c, one.state) {
			if l.Code != "" { // that of a connector that cannot be used has the code of its problem
				all = append(all, braced(l))
			}
		}
	}
	c.Source.Mandatory = nil
	return append(all, dataLine(ready, c))
}

// braced is a line with the names of its parameters where its text lists them in words.
func braced(l seeding.Line) seeding.Line {
	switch {
	case l.Params["codes"] != nil:
		l.Text = "MTS would not take it: {codes}. What these codes mean is in x-rejection-codes."
	case l.Params["unmet"] != nil:
		l.Text = strings.Replace(l.Text, "condition 2 (disabled)", "{unmet}", 1)
	}
	return l
}
