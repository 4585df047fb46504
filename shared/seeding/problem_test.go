package seeding_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// faultKinds are all kinds of a fault.
var faultKinds = []seeding.FaultKind{
	seeding.Unknown, seeding.Unreachable, seeding.RefusedData, seeding.RefusedRights, seeding.RefusedSchema,
	seeding.RefusedTypes, seeding.RefusedSignIn, seeding.RefusedRequest,
}

// The problem of a failed call to the registry: by what failed, or else by
// what was asked for. It shows a text and advice, and of the server
// only the code, and only if the server refused.
func TestProblemOfARegistry(t *testing.T) {
	const code = "SomeCode"
	secret := errors.New("Identifier 1234567890 exists already")
	by := map[seeding.FaultKind]seeding.Source{ // whatever was asked for
		seeding.Unknown: seeding.ProblemRegistry, seeding.Unreachable: seeding.ProblemRegistry,
		seeding.RefusedSignIn: seeding.ProblemSignIn, seeding.RefusedTypes: seeding.ProblemTypes,
	}
	texts := map[seeding.Source]string{}
	for _, kind := range faultKinds {
		for _, op := range []seeding.Source{seeding.ProblemRead, seeding.ProblemWrite, seeding.ProblemUnlink} {
			want := op
			if source, known := by[kind]; known {
				want = source
			}
			source, d := seeding.RegistryProblem(&seeding.Fault{Kind: kind, Code: code, Cause: secret}, op)
			if source != want {
				t.Errorf("%s of %s is the problem %s, want %s", kind, op, source, want)
			}
			checkDescription(t, string(source), d)
			if strings.Contains(d.Text+d.Remedy, secret.Error()) {
				t.Errorf("%s of %s shows what the server wrote", kind, op)
			}
			shown := want != seeding.ProblemRegistry && want != seeding.ProblemSignIn
			if strings.Contains(d.Text, code) != shown || strings.Contains(d.Remedy, code) {
				t.Errorf("%s of %s: %q, %q; with the code %v", kind, op, d.Text, d.Remedy, shown)
			}
			if before, known := texts[source]; known && before != d.Text {
				t.Errorf("the problem %s has two texts: %q and %q", source, before, d.Text)
			}
			texts[source] = d.Text
		}
	}
	// Each problem has a text of its own.
	if got := slices.Compact(slices.Sorted(maps.Values(texts))); len(got) != len(texts) {
		t.Errorf("%d problems have %d texts", len(texts), len(got))
	}
	// What is asked for and is none of these three is a reading.
	if source, _ := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.RefusedRights}, seeding.ProblemConfig); source != seeding.ProblemRead {
		t.Errorf("another operation is the problem %s", source)
	}
}

func TestProblemOfAnMTS(t *testing.T) {
	secret := errors.New("1234567890 is no VID")
	for _, c := range []struct {
		kind seeding.FaultKind
		text string
	}{
		{seeding.Unreachable, "MTS cannot be reached."},
		{seeding.RefusedRequest, "MTS refuses our request (ATS-REQ-102)."},
		{seeding.RefusedData, "MTS refuses our request (ATS-REQ-102)."},
	} {
		d := seeding.MTSProblem(&seeding.Fault{Kind: c.kind, Code: "ATS-REQ-102", Cause: secret})
		checkDescription(t, c.kind.String(), d)
		if d.Text != c.text || strings.Contains(d.Remedy, secret.Error()) {
			t.Errorf("%s: %q, want %q", c.kind, d.Text, c.text)
		}
	}
}

// An Unusable says what to do, keeps its cause for the program, and shows
// nothing of it.
func TestWhatCannotBeRun(t *testing.T) {
	cause := errors.New("access to secret X is denied")
	_, address := seeding.ParseAddress("https://user:secret@o.example")
	texts := map[string]bool{}
	for name, u := range map[string]*seeding.Unusable{
		"keys":              seeding.KeysUnusable(cause),
		"mapping":           seeding.MappingUnusable(cause),
		"registry":          seeding.RegistryUnusable(cause),
		"registry password": seeding.RegistryUnusable(errors.Join(cause, seeding.ErrNotFound)),
		"registry address":  seeding.RegistryUnusable(errors.Join(cause, address)),
	} {
		checkDescription(t, name, u.Description)
		if !errors.Is(u, cause) || u.Error() != u.Text || strings.Contains(u.Text+u.Remedy, cause.Error()) {
			t.Errorf("%s: %q, caused by %v", name, u.Error(), errors.Unwrap(u))
		}
		texts[u.Text] = true
	}
	if len(texts) != 5 {
		t.Errorf("five causes have %d texts", len(texts))
	}
	for name, d := range map[string]seeding.Description{
		"identity": seeding.IdentityRefused, "policy": seeding.TokensDiffer, "answers": seeding.AnswersMissing,
		"alike": seeding.RefusedAlike.SaidBy("IDA-DEA-001:gender"), "identity, by a code": seeding.IdentityRefused.SaidBy("IDA-MLC-025"),
		"identity, by an unknown code": seeding.IdentityRefused.SaidBy("XYZ-ABC-1"), "identity, without a code": seeding.IdentityRefused.SaidBy(""),
	} {
		checkDescription(t, name, d)
	}
}

// A mapping that was saved and no longer compiles is shown with what is wrong.
func TestStoredMappingThatNoLongerCompilesIsNamed(t *testing.T) {
	u := seeding.MappingUnusable(errors.Join(
		&seeding.MappingError{Field: "name/1", Text: "now is not available"}, &seeding.MappingError{Field: "dob", Text: "is empty"}))
	checkDescription(t, "mapping", u.Description)
	if !strings.Contains(u.Text, "name/1: now is not available") {
		t.Errorf("%s", u.Text)
	}
}

// checkDescription demands sentences that say what is wrong, and what to do.
func checkDescription(t *testing.T, name string, d seeding.Description) {
	t.Helper()
	for _, sentence := range []string{d.Text, d.Remedy} {
		if len(sentence) < 20 || !strings.HasSuffix(sentence, ".") || strings.ToUpper(sentence[:1]) != sentence[:1] {
			t.Errorf("%s: %q is not a sentence", name, sentence)
		}
	}
	if d.Text == d.Remedy {
		t.Errorf("%s: the advice repeats the text", name)
	}
}

// A problem keeps its beginning, and is probed less and less often.
func TestRaisedProblem(t *testing.T) {
	times := seeding.DefaultTimes()
	d := seeding.Description{Text: "new text", Remedy: "new advice"}
	for _, c := range []struct {
		name   string
		before seeding.Problem
		want   seeding.Problem
	}{
		{"it is new", seeding.Problem{},
			seeding.Problem{Text: "new text", Remedy: "new advice", Since: now, Attempts: 1, Next: now.Add(time.Minute)}},
		{"it had another text", seeding.Problem{Text: "old", Remedy: "old", Since: now.Add(-time.Hour), Attempts: 2, Next: now},
			seeding.Problem{Text: "new text", Remedy: "new advice", Since: now.Add(-time.Hour), Attempts: 3, Next: now.Add(4 * time.Minute)}},
		{"it was there for long", seeding.Problem{Since: now.Add(-time.Hour), Attempts: 50},
			seeding.Problem{Text: "new text", Remedy: "new advice", Since: now.Add(-time.Hour), Attempts: 51, Next: now.Add(time.Hour)}},
	} {
		state := seeding.State{Problems: map[seeding.Source]seeding.Problem{}}
		if c.before != (seeding.Problem{}) {
			state.Problems[seeding.ProblemMTS] = c.before
		}
		if got := state.Raise(seeding.ProblemMTS, now, d, times); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Whoever raises it: a problem that delays nothing tells no attempt, because nobody
// makes one.
func TestProblemThatIsOnlyShownTellsNoAttempt(t *testing.T) {
	times, d := seeding.DefaultTimes(), seeding.Description{Text: "text", Remedy: "advice"}
	for _, source := range seeding.OnlyShown {
		state := seeding.State{Problems: map[seeding.Source]seeding.Problem{}}
		for attempts := 1; attempts < 3; attempts++ {
			want := seeding.Problem{Text: "text", Remedy: "advice", Since: now, Attempts: attempts}
			got := state.Raise(source, now.Add(time.Duration(attempts-1)*time.Hour), d, times)
			if got.Next.IsZero() == source.Delays() {
				t.Errorf("%s: next %s", source, got.Next)
			}
			if got.Next = (time.Time{}); got != want {
				t.Errorf("%s: %+v, want %+v", source, got, want)
			}
			state.Problems[source] = got
		}
	}
}

func TestErrorWithoutACodeShowsNoEmptyBrackets(t *testing.T) {
	for _, kind := range faultKinds {
		for _, op := range []seeding.Source{seeding.ProblemRead, seeding.ProblemWrite, seeding.ProblemUnlink} {
			_, d := seeding.RegistryProblem(&seeding.Fault{Kind: kind}, op)
			if text := d.Text + seeding.MTSProblem(&seeding.Fault{Kind: kind}).Text; strings.Contains(text, "()") {
				t.Errorf("%s of %s: %s", kind, op, text)
			}
		}
	}
}
