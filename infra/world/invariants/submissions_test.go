package invariants

import (
	"slices"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
)

func TestSubmissions(t *testing.T) {
	came := func(submission string, tokens ...string) Holding {
		return Holding{Submissions: []string{submission}, Tokens: tokens}
	}
	central := func(vids ...string) (moment []centralsim.Entry) {
		for i, vid := range vids {
			moment = append(moment, centralsim.Entry{ID: string(rune('a' + i)), Answers: map[string]string{"vid": vid}})
		}
		return moment
	}
	type moments = [][]centralsim.Entry
	for name, c := range map[string]struct {
		start, now Registry
		rejected   map[string]bool
		moments    moments
		want       []Rule
	}{
		"a new registrant":              {nil, Registry{7: came("a", anas)}, nil, moments{central(ana)}, nil},
		"rejected":                      {nil, nil, map[string]bool{"a": true}, moments{central(ana)}, nil},
		"one who had the token":         {Registry{7: token(anas)}, Registry{7: came("a", anas)}, nil, moments{central(ana)}, nil},
		"one who had a token of before": {Registry{7: token("9")}, Registry{7: came("a", "9")}, nil, moments{central(ana)}, nil},
		"edited, the VID too":           {nil, Registry{7: came("a", bens)}, nil, moments{central(ana), central(ben)}, nil},
		"edited too late":               {nil, Registry{7: came("a", anas)}, nil, moments{central(ana), central(ben)}, nil},
		"deleted, and done before":      {nil, Registry{7: came("a", anas)}, nil, moments{central(ana), central()}, nil},
		"deleted":                       {nil, nil, nil, moments{central(ana), central()}, nil},
		"of nobody's submission":        {Registry{7: vid(ana)}, Registry{7: vid(ana)}, nil, moments{central()}, nil},

		"nothing happened":          {nil, nil, nil, moments{central(ana)}, []Rule{Undecided}},
		"no token":                  {nil, Registry{7: came("a")}, nil, moments{central(ana)}, []Rule{Undecided}},
		"done and rejected":         {nil, Registry{7: came("a", anas)}, map[string]bool{"a": true}, moments{central(ana)}, []Rule{DecidedTwice}},
		"two of one":                {nil, Registry{7: came("a", anas), 8: came("a", anas)}, nil, moments{central(ana)}, []Rule{SecondPerson}},
		"one of two":                {nil, Registry{7: {Submissions: []string{"a", "b"}, Tokens: []string{anas}}}, nil, moments{central(ana, ana)}, []Rule{SecondPerson}},
		"another's token":           {nil, Registry{7: came("a", bens)}, nil, moments{central(ana)}, []Rule{WrongToken}},
		"of no submission":          {nil, Registry{7: token(anas)}, nil, moments{central()}, []Rule{Added}},
		"its VID too":               {nil, Registry{7: {Submissions: []string{"a"}, Tokens: []string{anas}, VIDs: []string{ana}}}, nil, moments{central(ana)}, []Rule{VIDStored}},
		"of a submission not there": {nil, Registry{7: came("x", anas)}, nil, moments{central()}, []Rule{WrongToken}},
	} {
		if got := rules(Submissions(c.now, c.start, c.rejected, c.moments...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
