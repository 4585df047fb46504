package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/invariants"
)

// submissions are those of a form at ODK Central. The registry is empty at the start.
type submissions struct {
	mts, registry, central          deployed.Client // of the simulators' administration
	mtsURL, registryURL, centralURL string

	start    invariants.Registry
	expected centralsim.Expectation
	before   []centralsim.Entry
	edited   string // the submission that was edited during the run; "" if none was
}

func (s *submissions) populate(ctx context.Context, n int) error {
	order := map[string]int{"submissions": n, "seed": seed}
	if err := s.central.Call(ctx, http.MethodPost, "/_simulator/populate", order, &s.expected); err != nil {
		return err
	}
	if err := s.central.Call(ctx, http.MethodGet, "/_simulator/submissions", nil, &s.before); err != nil {
		return err
	}
	var err error
	s.start, err = s.registryNow(ctx)
	return err
}

func (s *submissions) registryNow(ctx context.Context) (invariants.Registry, error) {
	var entries []odoosim.Entry
	err := s.registry.Call(ctx, http.MethodGet, "/_simulator/registrants", nil, &entries)
	return registryOf(entries), err
}

func (s *submissions) configuration() map[string]any {
	return deployed.ODKConfiguration(deployed.Configuration("Demo", s.mtsURL, s.registryURL, "g2p", "admin"),
		s.centralURL, centralsim.DemoForm, centralsim.DemoUser, centralsim.DemoPassword)
}

func (s *submissions) tokenised(now odoosim.State) int { return now.Tokens }

func (s *submissions) pending(odoosim.State) int { return 0 }

// disturb edits one submission after MTS was asked for it and before the answer is
// processed: it has the VID of another person since then. The newest ones are sent
// first.
func (s *submissions) disturb(ctx context.Context) error {
	i := len(s.before) - 1
	for i >= 0 && s.before[i].Kind != centralsim.Plain {
		i--
	}
	if i < 0 || !firstPost(ctx, s.mts) {
		return nil
	}
	one := s.before[i]
	answers := maps.Clone(one.Answers)
	answers["vid"] = centralsim.DemoVID(9_999_999_999, 1, 0)
	s.edited = one.ID
	order := map[string]any{"project": 1, "form": centralsim.DemoForm, "id": one.ID, "answers": answers}
	return s.central.Call(ctx, http.MethodPost, "/_simulator/edit", order, nil)
}

func (s *submissions) account(ctx context.Context, rejections []deployed.RejectionDocument, run deployed.RunDocument, received int) (a account, err error) {
	e := formEvidence{start: s.start, before: s.before, edited: s.edited, rejections: rejections}
	if e.now, err = s.registryNow(ctx); err != nil {
		return a, err
	}
	if err = s.central.Call(ctx, http.MethodGet, "/_simulator/submissions", nil, &e.after); err != nil {
		return a, err
	}
	var state centralsim.State
	if err = s.central.Call(ctx, http.MethodGet, "/_simulator/state", nil, &state); err != nil {
		return a, err
	}
	a = account{who: "submissions", all: s.expected.Submissions, toSend: s.expected.Submissions, reasons: reasons(rejections)}
	a.lines, a.misplaced = e.submissions()
	a.registry = e.registry(s.expected)
	a.totals = invariants.Totals(run.Outcome(), invariants.Observe(e.now, e.start, invariants.SentKinds(deployed.ByKind(rejections)), received, s.expected.Submissions))
	a.effort = []string{fmt.Sprintf("Central   %s calls of everybody, %.1f per 1,000 submissions; of them %s counts, %s lists and %s sign-ins",
		number(state.Counters.Requests), 1000*float64(state.Counters.Requests)/float64(max(s.expected.Submissions, 1)),
		number(state.Counters.Counts), number(state.Counters.Lists), number(state.Counters.SignIns))}
	return a, nil
}

// formEvidence is everything that the report on submissions is made from.
type formEvidence struct {
	start, now    invariants.Registry
	before, after []centralsim.Entry // the form at the start and now
	edited        string             // the submission that was edited meanwhile
	rejections    []deployed.RejectionDocument
}

// submissions counts for every line the submissions that are in it and those that
// should be. misplaced is how many are in another line than they should be.
func (e formEvidence) submissions() (lines []counted, misplaced int) {
	isRejected, byID := map[string]bool{}, map[string]deployed.RejectionDocument{}
	for _, r := range e.rejections {
		isRejected[r.Submission], byID[r.Submission] = true, r
	}
	actual, expected := map[line]int{}, map[line]int{}
	wrong := map[int64]bool{} // registrants
	for _, v := range invariants.Submissions(e.now, e.start, isRejected, e.before, e.after) {
		wrong[v.Registrant] = true
		if v.Rule == invariants.Added {
			actual[line{outcome: strange}]++
			misplaced++
		}
	}
	done, holders := invariants.Done(e.now), e.holders()
	for _, one := range e.after {
		found := line{outcome: undecided}
		switch r, known := byID[one.ID]; {
		case len(done[one.ID]) > 1 || len(done[one.ID]) == 1 && (wrong[done[one.ID][0]] || known):
			found.outcome = wronglyCreated
		case len(done[one.ID]) == 1 && one.ID == e.edited && slices.Contains(e.now[done[one.ID][0]].Tokens, mtssim.Token(one.Answers["vid"])):
			found.outcome = createdEdited
		case len(done[one.ID]) == 1:
			found.outcome = created
		case known:
			found = line{rejected, r.Kind, r.Code}
		}
		right := e.expect(one, holders[vidPerson(one)] != one.ID)
		actual[found]++
		expected[right]++
		if found != right {
			misplaced++
		}
	}
	return sorted(actual, expected), misplaced
}

// holders are, by person, which of its submissions should have led to a registrant: one
// that did, or the first.
func (e formEvidence) holders() map[string]string {
	holders, done := map[string]string{}, invariants.Done(e.now)
	for _, one := range e.after {
		who := vidPerson(one)
		before, known := holders[who]
		if !known || len(done[before]) == 0 && len(done[one.ID]) > 0 {
			holders[who] = one.ID
		}
	}
	return holders
}

// vidPerson is the part of a demo VID that names the person.
func vidPerson(one centralsim.Entry) string {
	vid := one.Answers["vid"]
	return vid[:min(10, len(vid))]
}

// expect is the line in which a submission should be, by its demo kind. second means
// that another one of the same person led to a registrant.
func (e formEvidence) expect(one centralsim.Entry, second bool) line {
	right, isRejected := formToReject[one.Kind]
	switch {
	case one.ID == e.edited:
		return line{outcome: createdEdited}
	case one.Kind == centralsim.SharedPerson && second:
		return line{rejected, "duplicate", "MTSC-HELD"}
	case isRejected:
		return right
	}
	return line{outcome: created}
}

// formToReject are the demo kinds that should be rejected, and how (facts/mts.md 2.4,
// 2.7).
var formToReject = map[centralsim.Kind]line{
	centralsim.NoVID:       {rejected, "invalid", "ATS-REQ-009"},
	centralsim.NoName:      {rejected, "invalid", "ATS-REQ-010"},
	centralsim.NoGender:    {rejected, "invalid", "ATS-REQ-011"},
	centralsim.NoBirthdate: {rejected, "invalid", "ATS-REQ-012"},
	centralsim.NoAddress:   {rejected, "invalid", "ATS-REQ-015"},
	centralsim.RefusedVID:  {rejected, "refused", "IDA-MLC-009"},
	centralsim.GoneUIN:     {rejected, "refused", "IDA-MLC-002"},
	centralsim.ManyErrors:  {rejected, "refused", "IDA-DEA-001"},
	centralsim.EmptyToken:  {rejected, "refused", "MTSC-EMPTY-TOKEN"},
}

// registry are the figures of the registry as a whole.
func (e formEvidence) registry(expected centralsim.Expectation) []invariants.Figure {
	tokens, vids, different := 0, 0, map[string]bool{}
	for _, has := range e.now {
		tokens += len(has.Tokens)
		vids += len(has.VIDs)
		for _, token := range has.Tokens {
			different[token] = true
		}
	}
	persons := expected.Tokens - expected.Duplicates
	return []invariants.Figure{
		{What: "registrants", Actual: len(e.now), Expected: persons},
		{What: "tokens", Actual: tokens, Expected: persons},
		{What: "different tokens", Actual: len(different), Expected: persons},
		{What: "submissions that a registrant came of", Actual: len(invariants.Done(e.now)), Expected: persons},
		{What: "VIDs in the registry", Actual: vids},
		{What: "rejections that the API lists", Actual: len(e.rejections), Expected: expected.Submissions - persons},
	}
}
