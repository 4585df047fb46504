package main

import (
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/invariants"
)

const (
	ana = "0000000001000100" // VIDs of two persons
	ben = "0000000002000100"
)

// entry is a registrant with these VIDs and tokens.
func entry(id int64, kind odoosim.Kind, vids, tokens []string) odoosim.Entry {
	e := odoosim.Entry{Registrant: id, Kind: kind}
	for _, v := range vids {
		e.Identifiers = append(e.Identifiers, odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: v})
	}
	for _, v := range tokens {
		e.Identifiers = append(e.Identifiers, odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: v})
	}
	return e
}

func TestLineOfARegistrant(t *testing.T) {
	none, anas := []string(nil), mtssim.Token(ana)
	for name, c := range map[string]struct {
		kind         odoosim.Kind
		vids, tokens []string // before
		nowV, nowT   []string // after
		rejected     *deployed.RejectionDocument
		changed      bool // it was given ben's VID during the run
		found        line
		right        bool // it is the line where the registrant should be
	}{
		"tokenised":               {odoosim.Plain, []string{ana}, none, none, []string{anas}, nil, false, line{outcome: tokenised}, true},
		"VID still there":         {odoosim.Plain, []string{ana}, none, []string{ana}, []string{anas}, nil, false, line{outcome: vidKept}, false},
		"another's token":         {odoosim.Plain, []string{ana}, none, none, []string{mtssim.Token(ben)}, nil, false, line{outcome: wrongToken}, false},
		"token twice":             {odoosim.Plain, []string{ana}, none, none, []string{anas, anas}, nil, false, line{outcome: severalTokens}, false},
		"VID gone, no token":      {odoosim.Plain, []string{ana}, none, none, none, nil, false, line{outcome: lost}, false},
		"nothing happened":        {odoosim.Plain, []string{ana}, none, []string{ana}, none, nil, false, line{outcome: pending}, false},
		"new VID's token":         {odoosim.Plain, []string{ana}, none, none, []string{mtssim.Token(ben)}, nil, true, line{outcome: newVIDTokenised}, true},
		"former VID's token":      {odoosim.Plain, []string{ana}, none, none, []string{anas}, nil, true, line{outcome: wrongToken}, false},
		"new VID pending":         {odoosim.Plain, []string{ana}, none, []string{ben}, none, nil, true, line{outcome: pending}, false},
		"VID removed":             {odoosim.TokenisedVID, []string{ana}, []string{"9"}, none, []string{"9"}, nil, false, line{outcome: vidRemoved}, true},
		"VID not removed":         {odoosim.TokenisedVID, []string{ana}, []string{"9"}, []string{ana}, []string{"9"}, nil, false, line{outcome: vidKept}, false},
		"token replaced":          {odoosim.TokenisedVID, []string{ana}, []string{"9"}, none, []string{"8"}, nil, false, line{outcome: wrongToken}, false},
		"token lost":              {odoosim.Tokenised, none, []string{"9"}, none, none, nil, false, line{outcome: lost}, false},
		"has a token already":     {odoosim.Tokenised, none, []string{"9"}, none, []string{"9"}, nil, false, line{outcome: untouched, kind: invariants.WhyUntouched(odoosim.Tokenised)}, true},
		"rejected":                {odoosim.NoGender, []string{ana}, none, []string{ana}, none, &deployed.RejectionDocument{Kind: "invalid", Code: "ATS-REQ-011"}, false, line{rejected, "invalid", "ATS-REQ-011"}, true},
		"rejected by either":      {odoosim.BlankAddress, []string{ana}, none, []string{ana}, none, &deployed.RejectionDocument{Kind: "invalid", Code: "ATS-REQ-008"}, false, line{rejected, "invalid", "ATS-REQ-008"}, true},
		"rejected for another":    {odoosim.NoGender, []string{ana}, none, []string{ana}, none, &deployed.RejectionDocument{Kind: "invalid", Code: "ATS-REQ-012"}, false, line{rejected, "invalid", "ATS-REQ-012"}, false},
		"rejected without cause":  {odoosim.Plain, []string{ana}, none, []string{ana}, none, &deployed.RejectionDocument{Kind: "refused", Code: "IDA-MLC-009"}, false, line{rejected, "refused", "IDA-MLC-009"}, false},
		"tokenised, not rejected": {odoosim.RefusedVID, []string{ana}, none, none, []string{anas}, nil, false, line{outcome: tokenised}, false},
		"expired":                 {odoosim.ExpiredVID, []string{ana}, none, []string{ana}, none, nil, false, line{outcome: untouched, kind: invariants.WhyUntouched(odoosim.ExpiredVID)}, true},
		"expired, yet sent":       {odoosim.ExpiredVID, []string{ana}, none, none, []string{anas}, nil, false, line{outcome: tokenised}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence{
				before: []odoosim.Entry{entry(7, c.kind, c.vids, c.tokens)},
				after:  []odoosim.Entry{entry(7, c.kind, c.nowV, c.nowT)},
			}
			if c.rejected != nil {
				c.rejected.Registrant = 7
				e.rejections = []deployed.RejectionDocument{*c.rejected}
			}
			if c.changed {
				e.changed = change{7, ben}
			}
			lines, misplaced := e.registrants()
			if (misplaced == 0) != c.right {
				t.Errorf("%d misplaced", misplaced)
			}
			for _, l := range lines {
				if want := l.line == c.found; want != (l.actual == 1) || (l.actual == l.expected) != c.right {
					t.Errorf("%d, expected %d: %s", l.actual, l.expected, l.text(nil))
				}
			}
		})
	}
}

// A rule without a line would count its violations as tokenised.
func TestEveryRuleAboutARegistrantHasALine(t *testing.T) {
	for rule := invariants.SecondToken; rule <= invariants.Added; rule++ {
		if o := violated[rule]; o < pending || outcomeTexts[o] == "" {
			t.Errorf("rule %d: %q", rule, outcomeTexts[o])
		}
	}
}

// Of two registrants who are one person either may have the token. The other is a
// duplicate, and a rejection says so.
func TestSecondRegistrantOfAPersonIsADuplicate(t *testing.T) {
	vids := map[int64]string{7: ana, 8: "0000000001777700"}
	held := func(id int64) odoosim.Entry { return entry(id, odoosim.SharedPerson, []string{vids[id]}, nil) }
	tokenised := func(id int64) odoosim.Entry {
		return entry(id, odoosim.SharedPerson, nil, []string{mtssim.Token(vids[id])})
	}
	duplicate := func(id int64) deployed.RejectionDocument {
		return deployed.RejectionDocument{Registrant: id, Kind: "duplicate", Code: "MTSC-HELD"}
	}
	for name, c := range map[string]struct {
		after     []odoosim.Entry
		rejected  []deployed.RejectionDocument
		misplaced int
	}{
		"the first has it":       {[]odoosim.Entry{tokenised(7), held(8)}, []deployed.RejectionDocument{duplicate(8)}, 0},
		"the second has it":      {[]odoosim.Entry{held(7), tokenised(8)}, []deployed.RejectionDocument{duplicate(7)}, 0},
		"no rejection says so":   {[]odoosim.Entry{tokenised(7), held(8)}, nil, 1},
		"none of the other does": {[]odoosim.Entry{held(7), tokenised(8)}, nil, 1},
		"both are duplicates":    {[]odoosim.Entry{held(7), held(8)}, []deployed.RejectionDocument{duplicate(7), duplicate(8)}, 1},
		"neither is anything":    {[]odoosim.Entry{held(7), held(8)}, nil, 2},
		"both have it":           {[]odoosim.Entry{tokenised(7), tokenised(8)}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence{before: []odoosim.Entry{held(7), held(8)}, after: c.after, rejections: c.rejected}
			if lines, misplaced := e.registrants(); misplaced != c.misplaced {
				t.Errorf("%d misplaced in %v, want %d", misplaced, lines, c.misplaced)
			}
		})
	}
}

// Whatever happened, the sum of the lines is the number of registrants.
func TestTheReportAddsUp(t *testing.T) {
	registry := odoosim.New(odoosim.Options{})
	expected := registry.Populate(500, 1)
	e := evidence{before: registry.Entries()}
	for _, c := range []struct {
		name string
		do   func()
		sum  int // one more for an added registrant
	}{
		{"untouched", func() {}, 500},
		{"one deleted", func() { registry.DeleteRegistrant(e.before[3].Registrant) }, 500},
		{"one added", func() { registry.AddRegistrant(odoosim.Registrant{Name: "X"}) }, 501},
	} {
		c.do()
		e.after = registry.Entries()
		lines, misplaced := e.registrants()
		sum, right := 0, 0
		for _, l := range lines {
			sum, right = sum+l.actual, right+l.expected
		}
		if sum != c.sum || right != 500 {
			t.Errorf("%s: %d in the lines, %d expected", c.name, sum, right)
		}
		untouched := expected.Made[odoosim.Tokenised] + expected.Made[odoosim.ExpiredVID] + expected.Made[odoosim.ArchivedVID] +
			expected.Made[odoosim.NoVID] + expected.Made[odoosim.Group] + expected.Made[odoosim.GroupWithVID]
		if c.name == "untouched" && misplaced != 500-untouched {
			t.Errorf("%d misplaced, want all but %d", misplaced, untouched)
		}
	}
}
