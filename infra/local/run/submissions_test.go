package main

import (
	"maps"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/invariants"
)

// came is a registrant that came of a submission.
func came(submission, vid string) invariants.Holding {
	return invariants.Holding{Submissions: []string{submission}, Tokens: []string{mtssim.Token(vid)}}
}

func TestLineOfASubmission(t *testing.T) {
	submission := func(kind centralsim.Kind, vid string) []centralsim.Entry {
		return []centralsim.Entry{{ID: "a", Kind: kind, Answers: map[string]string{"vid": vid}}}
	}
	for name, c := range map[string]struct {
		kind     centralsim.Kind
		now      invariants.Registry
		rejected *deployed.RejectionDocument
		edited   bool // it has ben's VID now
		found    line
		right    bool // it is the line where the submission should be
	}{
		"created":                {centralsim.Plain, invariants.Registry{7: came("a", ana)}, nil, false, line{outcome: created}, true},
		"nothing happened":       {centralsim.Plain, nil, nil, false, line{outcome: undecided}, false},
		"without a token":        {centralsim.Plain, invariants.Registry{7: {Submissions: []string{"a"}}}, nil, false, line{outcome: undecided}, false},
		"another's token":        {centralsim.Plain, invariants.Registry{7: came("a", ben)}, nil, false, line{outcome: wronglyCreated}, false},
		"created twice":          {centralsim.Plain, invariants.Registry{7: came("a", ana), 8: came("a", ana)}, nil, false, line{outcome: wronglyCreated}, false},
		"created and rejected":   {centralsim.Plain, invariants.Registry{7: came("a", ana)}, &deployed.RejectionDocument{Kind: "refused", Code: "IDA-MLC-009"}, false, line{outcome: wronglyCreated}, false},
		"rejected":               {centralsim.NoGender, nil, &deployed.RejectionDocument{Kind: "invalid", Code: "ATS-REQ-011"}, false, line{rejected, "invalid", "ATS-REQ-011"}, true},
		"rejected for another":   {centralsim.NoGender, nil, &deployed.RejectionDocument{Kind: "invalid", Code: "ATS-REQ-012"}, false, line{rejected, "invalid", "ATS-REQ-012"}, false},
		"rejected without cause": {centralsim.Plain, nil, &deployed.RejectionDocument{Kind: "refused", Code: "IDA-MLC-009"}, false, line{rejected, "refused", "IDA-MLC-009"}, false},
		"created, not rejected":  {centralsim.RefusedVID, invariants.Registry{7: came("a", ana)}, nil, false, line{outcome: created}, false},
		"edited":                 {centralsim.Plain, invariants.Registry{7: came("a", ben)}, nil, true, line{outcome: createdEdited}, true},
		"former VID's token":     {centralsim.Plain, invariants.Registry{7: came("a", ana)}, nil, true, line{outcome: created}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := formEvidence{now: c.now, before: submission(c.kind, ana), after: submission(c.kind, ana)}
			if c.rejected != nil {
				c.rejected.Submission = "a"
				e.rejections = []deployed.RejectionDocument{*c.rejected}
			}
			if c.edited {
				e.after, e.edited = submission(c.kind, ben), "a"
			}
			lines, misplaced := e.submissions()
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

// Of two submissions of one person either may lead to the registrant. The other is a
// duplicate, and a rejection says so.
func TestSecondSubmissionOfAPersonIsADuplicate(t *testing.T) {
	vids := map[string]string{"a": ana, "b": "0000000001777700"}
	var form []centralsim.Entry
	for _, id := range []string{"a", "b"} {
		form = append(form, centralsim.Entry{ID: id, Kind: centralsim.SharedPerson, Answers: map[string]string{"vid": vids[id]}})
	}
	for name, c := range map[string]struct {
		created   []string
		rejected  []string
		misplaced int
	}{
		"the first":            {[]string{"a"}, []string{"b"}, 0},
		"the second":           {[]string{"b"}, []string{"a"}, 0},
		"no rejection says so": {[]string{"a"}, nil, 1},
		"both are duplicates":  {nil, []string{"a", "b"}, 1},
		"neither is anything":  {nil, nil, 2},
		"both":                 {[]string{"a", "b"}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := formEvidence{now: invariants.Registry{}, before: form, after: form}
			for i, id := range c.created {
				maps.Copy(e.now, invariants.Registry{int64(7 + i): came(id, vids[id])})
			}
			for _, id := range c.rejected {
				e.rejections = append(e.rejections, deployed.RejectionDocument{Submission: id, Kind: "duplicate", Code: "MTSC-HELD"})
			}
			if lines, misplaced := e.submissions(); misplaced != c.misplaced {
				t.Errorf("%d misplaced in %v, want %d", misplaced, lines, c.misplaced)
			}
		})
	}
}

// Whatever happened, the sum of the lines is the number of submissions, and one of a
// registrant that came of none.
func TestTheReportOfAFormAddsUp(t *testing.T) {
	central := centralsim.New(centralsim.Options{})
	expected := central.Populate(500, 1)
	all := central.Form(1, centralsim.DemoForm).Entries()
	for name, c := range map[string]struct {
		now invariants.Registry
		sum int
	}{
		"nothing happened":    {nil, 500},
		"a stranger was made": {invariants.Registry{7: {Tokens: []string{mtssim.Token(ana)}}}, 501},
	} {
		lines, misplaced := formEvidence{now: c.now, before: all, after: all}.submissions()
		sum, right := 0, 0
		for _, l := range lines {
			sum, right = sum+l.actual, right+l.expected
		}
		if sum != c.sum || right != 500 || misplaced != c.sum {
			t.Errorf("%s: %d in the lines, %d expected, %d misplaced of %d", name, sum, right, misplaced, expected.Submissions)
		}
	}
}

// The variables are those of the guide, with the address that the demo's connector has.
func TestVariablesOfTheGuide(t *testing.T) {
	want := "  export CENTRAL=http://127.0.0.1:4 FORM=http://127.0.0.1:4/v1/projects/1/forms/" + centralsim.DemoForm + ".svc" +
		" ODK_USER=" + centralsim.DemoUser + " ODK_PASSWORD=" + centralsim.DemoPassword
	if got := odkVariables("http://127.0.0.1:4"); got != want {
		t.Errorf("%q, not %q", got, want)
	}
	odk := (&submissions{centralURL: "http://127.0.0.1:4"}).configuration()["odk"].(map[string]any)
	if !strings.Contains(want, " FORM="+odk["odata_url"].(string)+" ") {
		t.Errorf("the connector of the demo has %v", odk)
	}
}
