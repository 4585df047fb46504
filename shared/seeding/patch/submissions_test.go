package patch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// newForm is newFake for a connector of ODK, whose form has submissions uuid:1 to uuid:n,
// received a minute after one another. Batch b1 is the window of all of them, and the
// answer to it has a token for each: "T1", "T2" and so on.
func newForm(n int) *fake {
	f := newFake()
	f.connector.ODK = seeding.ODKSource{BaseURL: "https://odk.example", ODataURL: "https://odk.example/v1/projects/1/forms/reg.svc/Submissions", Email: "reader@odk.example"}
	f.connector.Registry.VIDType, f.connector.Registry.TokenType, f.connector.Registry.SubmissionType = "MOSIP VID", "MOSIP UIN TOKEN", submissionType
	f.connector.Source = seeding.RegistrySource{Mapping: seeding.Mapping{
		VID: "vid", Name: []string{"person.name"}, Gender: "person.gender", DOB: "person.dob", PhoneNumber: "person.phone", EmailID: "person.email", FullAddress: []string{"where"},
	}}
	f.registry.vids, f.registry.persons, f.registry.phones = nil, map[int64]map[string]string{}, map[int64][]string{}
	var rows []seeding.Row
	for i := range n {
		f.form = append(f.form, submissionOf(i+1))
		rows = append(rows, f.tokenFor(i+1))
	}
	f.asked()
	f.says(rows...)
	return f
}

// asked makes batch b1 of the window of all submissions, or of those with some ids.
func (f *fake) asked(ids ...string) {
	f.sent()
	b := f.batches[batch]
	b.Window, b.Submissions, b.Count = seeding.Window{From: receivedOf(1), To: receivedOf(len(f.form)).Add(time.Millisecond)}, ids, len(f.form)
	if len(ids) > 0 {
		b.Count = len(ids)
	}
	f.batches[batch] = b
}

func idOf(n int) string { return fmt.Sprintf("uuid:%d", n) }

func receivedOf(n int) time.Time { return now.Add(time.Duration(n-1000) * time.Minute) }

func submissionOf(n int) seeding.Submission {
	return seeding.Submission{
		SubmissionRef: seeding.SubmissionRef{ID: idOf(n), Received: receivedOf(n)},
		Record: seeding.Record{
			"__id": idOf(n), "vid": fmt.Sprintf("612345678901%04d", n),
			"person": map[string]any{"name": fmt.Sprintf("Ana %d", n), "gender": "F", "dob": "1990-11-02", "phone": fmt.Sprintf("+63917%d", n), "email": nil},
			"where":  "1 Rizal St",
		},
	}
}

// rowOf is the row of a submission as MTS sends it: it was never edited.
func (f *fake) rowOf(n int) seeding.Row {
	return seeding.Row{Subject: seeding.Subject{Submission: idOf(n)}, MAC: seeding.WindowMACOf(key, batch, f.connector), Fingerprint: seeding.EditsFingerprint(0)}
}

func (f *fake) tokenFor(n int) seeding.Row {
	return says(f.rowOf(n), seeding.RowProcessed, fmt.Sprintf("T%d", n), "")
}

// accounts are what the registry and the store say of a patched form, in words.
type accounts struct {
	tokens     map[string]string // "T1" → the submission that its holder keeps; "" for none
	rejections map[string]string // by submission: kind, code and holder
	totals     seeding.Totals
}

func (f *fake) accounts() accounts {
	d := accounts{map[string]string{}, map[string]string{}, f.batches[batch].Totals}
	for _, i := range f.registry.tokens {
		kept := ""
		for _, s := range f.registry.submissions {
			if s.Registrant == i.Registrant {
				kept += s.Value
			}
		}
		if before, twice := d.tokens[i.Value]; twice {
			kept = before + "+" + kept
		}
		d.tokens[i.Value] = kept
	}
	for _, r := range f.rejections {
		d.rejections[r.Submission] = strings.TrimSpace(fmt.Sprintf("%s %s %d", r.Kind, r.Code, r.Holder))
	}
	return d
}

func (d accounts) check(t *testing.T, tokens, rejections map[string]string, totals seeding.Totals) {
	t.Helper()
	if !maps.Equal(d.tokens, tokens) || !maps.Equal(d.rejections, rejections) || d.totals != totals {
		t.Errorf("tokens %v, want %v\nrejections %v, want %v\ntotals %+v, want %+v", d.tokens, tokens, d.rejections, rejections, d.totals, totals)
	}
}

// Each submission with a token becomes a registrant, in one call, with its token and the
// id of the submission, and never with its VID. The form is read once.
func TestSubmissionsBecomeRegistrants(t *testing.T) {
	f := newForm(3)
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2", "T3": "uuid:3"}, map[string]string{}, seeding.Totals{Sent: 3, Tokenised: 3})
	if f.called("CreateRegistrants") != 1 || f.called("Read") != 1 || f.called("Write") > 0 || f.called("Remove") > 0 || len(f.answers) > 0 || f.batches[batch].State != seeding.Patched {
		t.Errorf("calls %v, %d answers left, batch %s", f.calls, len(f.answers), f.batches[batch].State)
	}
	first := f.registry.newcomers[0]
	want := map[string]string{"name": "Ana 1", "gender": "Female", "birthdate": "1990-11-02", "phone": "+639171", "address": "1 Rizal St"}
	if !maps.Equal(first.Values, want) || len(first.Phones) != 1 || first.Phones[0].Number != "+639171" || len(first.Identifiers) > 0 {
		t.Errorf("%+v", first)
	}
	if got := f.measured[seeding.MetricSecondsToToken]; got != now.Sub(receivedOf(2)).Seconds() {
		t.Errorf("%v seconds to a token", got)
	}
}

// What the registry holds decides: the table of infra/protocol.md, "Answers about submissions".
func TestWhatARegistryHoldsOfASubmission(t *testing.T) {
	one := map[string]string{"T1": "uuid:1"}
	tokenised := seeding.Totals{Sent: 1, Tokenised: 1}
	for _, c := range []struct {
		name        string
		tokens      identifiers
		submissions identifiers
		want        map[string]string
		rejection   string
		totals      seeding.Totals
		created     int
		writes      int
	}{
		{"nobody: created", nil, nil, one, "", tokenised, 1, 0},
		{"somebody with the token: completed", identifiers{holds(7, "T1")}, nil, one, "", tokenised, 0, 3},
		{"with the token, of another submission: a duplicate", identifiers{holds(7, "T1")}, identifiers{keeps(7, "uuid:9")},
			map[string]string{"T1": "uuid:9"}, "duplicate MTSC-HELD 7", seeding.Totals{Sent: 1, Duplicate: 1}, 0, 0},
		{"several with the token, one of another submission", identifiers{holds(6, "T1"), holds(7, "T1")}, identifiers{keeps(7, "uuid:9")},
			map[string]string{"T1": "+uuid:9"}, "duplicate MTSC-HELD 7", seeding.Totals{Sent: 1, Duplicate: 1}, 0, 0},
		{"several with the token, of none: the first is completed", identifiers{holds(7, "T1"), holds(6, "T1")}, nil, map[string]string{"T1": "+uuid:1"}, "", tokenised, 0, 3},
		{"somebody with the submission, without a token: completed", nil, identifiers{keeps(7, "uuid:1")}, one, "", tokenised, 0, 2},
		{"with both: done before", identifiers{holds(7, "T1")}, identifiers{keeps(7, "uuid:1")}, one, "", tokenised, 0, 0},
		{"with the token as people enter it", identifiers{holds(7, " T1\u200b")}, identifiers{keeps(7, "uuid:1")}, map[string]string{" T1\u200b": "uuid:1"}, "", tokenised, 0, 0},
		{"with another token: a conflict", identifiers{holds(7, "X")}, identifiers{keeps(7, "uuid:1")}, map[string]string{"X": "uuid:1"},
			"conflict MTSC-OTHER-TOKEN 0", seeding.Totals{Sent: 1, Conflict: 1}, 0, 0},
		{"with something that is no token", identifiers{holds(7, "not a token")}, identifiers{keeps(7, "uuid:1")}, map[string]string{"not a token": "uuid:1"},
			"conflict MTSC-NOT-TOKEN 0", seeding.Totals{Sent: 1, Conflict: 1}, 0, 0},
		{"with the submission, and another has the token", identifiers{holds(8, "T1")}, identifiers{keeps(7, "uuid:1")}, map[string]string{"T1": ""},
			"duplicate MTSC-HELD 8", seeding.Totals{Sent: 1, Duplicate: 1}, 0, 0},
		{"several with the submission: who has the token counts", identifiers{holds(8, "T1")}, identifiers{keeps(7, "uuid:1"), keeps(8, "uuid:1")}, one, "", tokenised, 0, 0},
		{"several with the submission, one with another token", identifiers{holds(8, "X")}, identifiers{keeps(7, "uuid:1"), keeps(8, "uuid:1")}, map[string]string{"X": "uuid:1"},
			"conflict MTSC-OTHER-TOKEN 0", seeding.Totals{Sent: 1, Conflict: 1}, 0, 0},
		{"several with the submission, none with a token: the first", nil, identifiers{keeps(8, "uuid:1"), keeps(7, "uuid:1")}, one, "", tokenised, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newForm(1)
			f.registry.tokens, f.registry.submissions = c.tokens, c.submissions
			for _, id := range []int64{6, 7, 8} {
				f.registry.persons[id] = map[string]string{"name": "Former", "gender": "Female", "birthdate": "1990-11-02", "phone": "+639171", "address": "1 Rizal St"}
			}
			f.patch(t)
			rejections := map[string]string{}
			if c.rejection != "" {
				rejections["uuid:1"] = c.rejection
			}
			f.accounts().check(t, c.want, rejections, c.totals)
			if f.called("CreateRegistrants") != c.created || f.called("Write") != c.writes || len(f.answers) > 0 {
				t.Errorf("calls %v", f.calls)
			}
			for _, r := range f.rejections {
				if !r.Received.Equal(receivedOf(1)) || r.Fingerprint != seeding.EditsFingerprint(0) || r.Connector != "c" {
					t.Errorf("%+v", r)
				}
			}
			if name := f.registry.persons[7]["name"]; c.writes > 0 && c.want["T1"] == "uuid:1" && name != "Ana 1" {
				t.Errorf("completed as %q", name)
			}
		})
	}
}

// Of several submissions with one token the first that was received gets it.
func TestSubmissionsWithOneToken(t *testing.T) {
	f := newForm(4)
	twin := func(n int) seeding.Row {
		f.form[n-1].Record["vid"] = f.form[0].Record["vid"]
		return says(f.rowOf(n), seeding.RowProcessed, "T1", "")
	}
	f.says(twin(3), twin(2), twin(1), f.tokenFor(4))
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T4": "uuid:4"},
		map[string]string{"uuid:2": "duplicate MTSC-HELD 1000", "uuid:3": "duplicate MTSC-HELD 1000"}, seeding.Totals{Sent: 4, Tokenised: 2, Duplicate: 2})

	// And somebody who holds the tokens of two submissions is completed once.
	f = newForm(2)
	f.registry.tokens = identifiers{holds(7, "T1"), {ID: 999, Registrant: 7, Value: "T2"}}
	f.registry.persons[7] = map[string]string{}
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:1"}, map[string]string{"uuid:2": "duplicate MTSC-HELD 7"}, seeding.Totals{Sent: 2, Tokenised: 1, Duplicate: 1})
}

// Rows without a token are rejected as those of registrants are.
func TestSubmissionsWithoutToken(t *testing.T) {
	f := newForm(5)
	f.says(f.tokenFor(1), says(f.rowOf(2), seeding.RowError, "", "IDA-MLC-009:vid"), says(f.rowOf(3), seeding.RowInvalid, "", "ATS-REQ-012"),
		says(f.rowOf(4), seeding.RowProcessed, "", ""), says(f.rowOf(5), seeding.RowProcessed, "not a token", ""))
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1"}, map[string]string{
		"uuid:2": "refused IDA-MLC-009:vid 0", "uuid:3": "invalid ATS-REQ-012 0", "uuid:4": "refused MTSC-EMPTY-TOKEN 0", "uuid:5": "refused MTSC-TOKEN-SHAPE 0",
	}, seeding.Totals{Sent: 5, Tokenised: 1, Refused: 3})
	if _, raised := f.state.Problems[seeding.ProblemTokens]; !raised {
		t.Errorf("problems %v", f.state.Problems)
	}

	f = newForm(3) // MOSIP refuses everybody: a problem, and nobody is rejected
	for n := range 3 {
		f.says(says(f.rowOf(1), seeding.RowError, "", "IDA-MPA-005"), says(f.rowOf(2), seeding.RowError, "", "IDA-MPA-005"), says(f.rowOf(n+1), seeding.RowError, "", "IDA-MPA-005"))
	}
	f.patch(t)
	if _, raised := f.state.Problems[seeding.ProblemIdentity]; !raised || len(f.rejections) > 0 {
		t.Errorf("problems %v, rejections %v", f.state.Problems, f.rejections)
	}
}

// A token that was made of the VID, or that submissions with several VIDs have in common,
// is none.
func TestTokensThatAreMadeUp(t *testing.T) {
	f := newForm(5)
	f.connector.Output.TokenShape = seeding.MOSIPTokens
	all := "123456789012345678901234567890123456"
	vid, _ := f.form[0].Record["vid"].(string)
	f.says(says(f.rowOf(1), seeding.RowProcessed, "77777"+vid+"777777777777777", ""), says(f.rowOf(2), seeding.RowProcessed, "940512345678901234567890123456789012", ""))
	f.patch(t)
	if d := f.accounts(); len(d.tokens) != 1 || !strings.Contains(d.rejections["uuid:1"], seeding.CodeTokenMade) {
		t.Errorf("%+v", d)
	}
	f = newForm(5)
	f.connector.Output.TokenShape = seeding.MOSIPTokens
	var rows []seeding.Row
	for n := range 5 {
		rows = append(rows, says(f.rowOf(n+1), seeding.RowProcessed, "9405"+all[:32], ""))
	}
	f.says(rows...)
	f.patch(t)
	if _, raised := f.state.Problems[seeding.ProblemIdentity]; !raised || len(f.registry.newcomers) > 0 {
		t.Errorf("%+v, problems %v", f.accounts(), f.state.Problems)
	}
}

// A submission that was deleted is forgotten, one that was edited is sent again, and one
// that came since is not of the batch. Restored, it is as it was.
func TestSubmissionsThatChangedMeanwhile(t *testing.T) {
	f := newForm(4)
	f.rejections = []seeding.Rejection{
		{Registry: registryKey, Connector: "c", Subject: seeding.Subject{Submission: "uuid:1"}, Received: receivedOf(1), Kind: seeding.Refused, Version: 1},
		{Registry: registryKey, Connector: "c", Subject: seeding.Subject{Submission: "uuid:2"}, Received: receivedOf(2), Kind: seeding.Refused, Version: 1},
		{Registry: registryKey, Connector: "c", Subject: seeding.Subject{Submission: "uuid:3"}, Received: receivedOf(3), Kind: seeding.Refused, Version: 1},
	}
	deleted := f.form[0]
	f.form = f.form[1:]
	f.form[0].Edits = 1
	f.patch(t)
	f.accounts().check(t, map[string]string{"T3": "uuid:3", "T4": "uuid:4"}, map[string]string{"uuid:2": "refused  0"}, seeding.Totals{Sent: 3, Tokenised: 2})
	if pending := f.batches[batch].Totals.Pending(); pending != 1 {
		t.Errorf("%d pending", pending)
	}

	f = newForm(2) // of a batch by its ids, too
	f.asked("uuid:1", "uuid:2")
	f.says(f.tokenFor(1), f.tokenFor(2))
	f.form = f.form[1:]
	f.patch(t)
	f.accounts().check(t, map[string]string{"T2": "uuid:2"}, map[string]string{}, seeding.Totals{Sent: 1, Tokenised: 1})
	if f.called("ReadSome") != 1 || f.called("Read") > 0 {
		t.Errorf("calls %v", f.calls)
	}
	f.form = append([]seeding.Submission{deleted}, f.form...)
	f.asked("uuid:1")
	f.says(f.tokenFor(1))
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2"}, map[string]string{}, seeding.Totals{Sent: 1, Tokenised: 1})
}

// No row counts that was not asked for with this batch, under the form and the mapping
// that the connector has, and no row of a submission of another window.
func TestRowsOfSubmissionsThatAreNotOfTheBatch(t *testing.T) {
	other := func(f *fake, change func(*seeding.Row)) []seeding.Row {
		rows := []seeding.Row{f.tokenFor(1), f.tokenFor(2)}
		change(&rows[1])
		return rows
	}
	for name, c := range map[string]struct {
		change func(f *fake, row *seeding.Row)
		want   map[string]string
	}{
		"a forged MAC":             {func(_ *fake, row *seeding.Row) { row.MAC[0]++ }, map[string]string{"T1": "uuid:1"}},
		"of another batch":         {func(f *fake, row *seeding.Row) { row.MAC = seeding.WindowMACOf(key, "b2", f.connector) }, map[string]string{"T1": "uuid:1"}},
		"of a registrant":          {func(_ *fake, row *seeding.Row) { row.Subject = seeding.Member{Registrant: 7, Identifier: 7}.Subject() }, map[string]string{"T1": "uuid:1"}},
		"a submission that is not": {func(_ *fake, row *seeding.Row) { row.Submission = "uuid:none" }, map[string]string{"T1": "uuid:1"}},
		"of another window": {func(f *fake, row *seeding.Row) {
			f.form[1].Received = f.form[1].Received.Add(time.Hour)
		}, map[string]string{"T1": "uuid:1"}},
		"the mapping changed since": {func(f *fake, _ *seeding.Row) { f.connector.Source.Mapping.VID = "person.vid" }, map[string]string{}},
		"the form changed since":    {func(f *fake, _ *seeding.Row) { f.connector.ODK.ODataURL += "?$select=vid" }, map[string]string{}},
		"the row key is gone": {func(f *fake, _ *seeding.Row) {
			b := f.batches[batch]
			b.RowKey = "k9"
			f.batches[batch] = b
		}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForm(2)
			f.says(other(f, func(row *seeding.Row) { c.change(f, row) })...)
			f.patch(t)
			if got := f.accounts(); !maps.Equal(got.tokens, c.want) || len(got.rejections) > 0 || len(f.answers) > 0 {
				t.Errorf("tokens %v, want %v; rejections %v, %d answers left", got.tokens, c.want, got.rejections, len(f.answers))
			}
			if f.batches[batch].State != seeding.Patched || len(c.want) == 0 && f.batches[batch].Totals.Pending() != 2 {
				t.Errorf("%s, %+v", f.batches[batch].State, f.batches[batch].Totals)
			}
		})
	}
	f := newForm(2) // and nothing at all of the batch closes nothing
	f.says(seeding.Row{Subject: seeding.Subject{Submission: "uuid:1"}, Status: 'p', Token: "T1"})
	f.patch(t)
	if !f.batches[batch].State.Open() || len(f.answers) > 0 || len(f.registry.newcomers) > 0 {
		t.Errorf("batch %s, %d answers", f.batches[batch].State, len(f.answers))
	}
}

// An MTS that answers one request again and again, each time with something else, counts
// nobody twice: a token counts in place of what was said before, and anything else only
// of those of whom nothing was said yet.
func TestAnswersOfOneRequestCountEachSubmissionOnce(t *testing.T) {
	refuses := func(code string) func(f *fake, n int) seeding.Row {
		return func(f *fake, n int) seeding.Row { return says(f.rowOf(n), seeding.RowError, "", code) }
	}
	gives := func(token string) func(f *fake, n int) seeding.Row {
		return func(f *fake, n int) seeding.Row {
			return says(f.rowOf(n), seeding.RowProcessed, fmt.Sprintf(token, n), "")
		}
	}
	const n = 3
	for name, c := range map[string]struct {
		answers []func(f *fake, n int) seeding.Row
		totals  seeding.Totals
	}{
		"the same refusal in five spellings": {[]func(*fake, int) seeding.Row{refuses("IDA-MLC-009:vid"), refuses("IDA-MLC-009"), refuses("ATS-REQ-012"), refuses("IDA-MLC-002"), refuses("IDA-MLC-018")},
			seeding.Totals{Sent: n, Refused: n}},
		"five tokens for each": {[]func(*fake, int) seeding.Row{gives("T%d"), gives("U%d"), gives("V%d"), gives("W%d"), gives("X%d")},
			seeding.Totals{Sent: n, Tokenised: n}},
		"refused, and then tokens": {[]func(*fake, int) seeding.Row{refuses("IDA-MLC-009:vid"), gives("T%d"), refuses("IDA-MLC-002"), gives("U%d"), gives("T%d")},
			seeding.Totals{Sent: n, Tokenised: n}},
	} {
		f := newForm(n)
		for i, answer := range c.answers {
			var rows []seeding.Row
			for one := range n {
				rows = append(rows, answer(f, one+1))
			}
			delete(f.answers, batch)
			f.answered(part(fmt.Sprint("x", i), 1, 1), rows...)
			f.patch(t)
		}
		if got := f.batches[batch].Totals; got != c.totals || len(f.answers) > 0 {
			t.Errorf("%s: %+v, want %+v", name, got, c.totals)
		}
	}
}

// An answer that comes late, or again, is applied like any other and counts once; what is
// there is not created again.
func TestLateAndRepeatedAnswersOfSubmissions(t *testing.T) {
	f := newForm(2)
	b := f.batches[batch]
	b.State, b.Closed, b.Totals = seeding.Lost, now, seeding.Totals{Sent: 2}
	f.batches[batch] = b
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2"}, map[string]string{}, seeding.Totals{Sent: 2, Tokenised: 2})
	for range 2 { // the same part; then another callback
		f.says(f.tokenFor(1), f.tokenFor(2))
		f.patch(t)
		f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2"}, map[string]string{}, seeding.Totals{Sent: 2, Tokenised: 2})
		delete(f.answers, batch)
		f.answered(part("y", 1, 1), f.tokenFor(1), f.tokenFor(2))
	}
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2"}, map[string]string{}, seeding.Totals{Sent: 2, Tokenised: 2})
	if len(f.registry.newcomers) != 2 {
		t.Errorf("%d created", len(f.registry.newcomers))
	}

	// A late answer beside the one to the batch that was sent again.
	f = newForm(1)
	late := f.batches[batch]
	late.Ref.Batch, late.State, late.Totals = "b0", seeding.Lost, seeding.Totals{Sent: 1}
	f.batches["b0"] = late
	row := f.tokenFor(1)
	row.MAC = seeding.WindowMACOf(key, "b0", f.connector)
	f.answers["b0"] = []seeding.AnswerPart{{Ref: late.Ref, Content: "l", Part: 1, Of: 1, Received: now, Packed: seeding.PackRows([]seeding.Row{row})}}
	f.patch(t)
	if len(f.registry.newcomers) != 1 || f.batches["b0"].Totals.Tokenised != 1 || f.batches[batch].State != seeding.Patched {
		t.Errorf("%d created, %+v and %+v", len(f.registry.newcomers), f.batches["b0"].Totals, f.batches[batch].Totals)
	}
}

// With every failure before or after every call, in every turn, the answer is applied at
// last: every submission has one registrant and no other, and counts once.
func TestSubmissionsSurviveEveryFailure(t *testing.T) {
	world := func() *fake {
		f := newForm(6)
		f.registry.tokens = identifiers{holds(7, "T4")}
		f.registry.submissions = identifiers{keeps(8, "uuid:5")}
		f.registry.persons[7], f.registry.persons[8] = map[string]string{"name": "Former"}, map[string]string{"name": "Former"}
		f.rejections = []seeding.Rejection{{Registry: registryKey, Connector: "c", Subject: seeding.Subject{Submission: "uuid:1"}, Received: receivedOf(1), Kind: seeding.Refused, Version: 1}}
		f.says(f.tokenFor(1), f.tokenFor(2), f.tokenFor(3), f.tokenFor(4), f.tokenFor(5), says(f.rowOf(6), seeding.RowError, "", "IDA-MLC-009:vid"))
		return f
	}
	clean := world()
	clean.patch(t)
	want := clean.accounts()
	want.check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2", "T3": "uuid:3", "T4": "uuid:4", "T5": "uuid:5"}, map[string]string{"uuid:6": "refused IDA-MLC-009:vid 0"},
		seeding.Totals{Sent: 6, Tokenised: 5, Refused: 1})
	var names []string
	for _, call := range clean.calls {
		if !slices.Contains(names, call) {
			names = append(names, call)
		}
	}
	failures := map[string]error{"storage": errStorage, "unknown": &seeding.Fault{Kind: seeding.Unknown, Code: "ConnectionLost"}, "unreachable": &seeding.Fault{Kind: seeding.Unreachable, Code: "ConnectionRefused"}}
	try := func(t *testing.T, name string, arrange func(f *fake)) {
		t.Helper()
		f := world()
		arrange(f)
		for range 40 {
			_ = f.patcher().Patch(t.Context(), registryKey)
			f.now = f.now.Add(2 * time.Hour)
			f.batches[batch] = withDeadline(f.batches[batch], f.now)
			if len(f.answers) == 0 {
				break
			}
		}
		got := f.accounts()
		if !maps.Equal(got.tokens, want.tokens) || !maps.Equal(got.rejections, want.rejections) || got.totals != want.totals || len(f.answers) > 0 || len(f.registry.newcomers) != 3 {
			t.Errorf("%s: %+v, want %+v; %d created, %d answers left, %s", name, got, want, len(f.registry.newcomers), len(f.answers), f.batches[batch].State)
		}
		if person := f.registry.persons[7]; person["name"] != "Ana 4" || person["birthdate"] == "" {
			t.Errorf("%s: completed as %v", name, person)
		}
	}
	for _, first := range names {
		for kind, err := range failures {
			try(t, first+" before, "+kind, func(f *fake) { f.during[first] = once(err) })
			try(t, first+" after, "+kind, func(f *fake) { f.after[first] = once(err) })
			for _, second := range names {
				try(t, first+" before and "+second+" after, "+kind, func(f *fake) {
					f.during[first], f.after[second] = once(err), once(err)
				})
			}
		}
	}
}

func withDeadline(b seeding.Batch, at time.Time) seeding.Batch {
	b.Deadline = at.Add(time.Minute)
	return b
}

// While Central is down, or refuses, the answer waits, nobody is rejected, and other
// connectors' answers go on. When it answers again the problem ends.
func TestCentralFails(t *testing.T) {
	for code, kind := range map[string]seeding.FaultKind{
		"ConnectionRefused": seeding.Unreachable, "Silent": seeding.Unreachable, "WrongPassword": seeding.RefusedSignIn, "NoRight": seeding.RefusedRights, "NoForm": seeding.RefusedSchema,
		"BrokenReply": seeding.Unreachable,
	} {
		for _, at := range []string{"Read", "half"} {
			f := newForm(3)
			fails := error(&seeding.Fault{Kind: kind, Code: code})
			f.during[at] = func() error { return fails }
			f.patch(t)
			problem, raised := f.state.Problems[seeding.ProblemODK]
			if !raised || len(f.registry.newcomers) > 0 || len(f.rejections) > 0 || len(f.answers) != 1 || !f.batches[batch].State.Open() || problem.Text == "" || !f.lease.OutageUntil.IsZero() {
				t.Fatalf("%s at %s: problem %+v, %d created, %d answers", code, at, problem, len(f.registry.newcomers), len(f.answers))
			}
			before := f.called("Read")
			f.patch(t) // it waits for the probe
			if f.called("Read") != before {
				t.Errorf("%s: Central is asked again at once", code)
			}
			fails = nil
			f.now = f.now.Add(time.Hour)
			f.patch(t)
			if _, raised := f.state.Problems[seeding.ProblemODK]; raised || len(f.registry.newcomers) != 3 || len(f.answers) > 0 {
				t.Errorf("%s at %s: problems %v, %d created", code, at, f.state.Problems, len(f.registry.newcomers))
			}
		}
	}
	f := newForm(1)
	f.during["OpenForm"] = func() error { return seeding.ErrNotFound }
	f.patch(t)
	if _, raised := f.state.Problems[seeding.ProblemConfig]; !raised || len(f.answers) != 1 {
		t.Errorf("without its password: problems %v", f.state.Problems)
	}
}

// A patcher that lost its lease while the form was read writes nothing.
func TestALeaseThatEndsWhileTheFormIsRead(t *testing.T) {
	f := newForm(3)
	f.during["half"] = func() error {
		f.now = f.now.Add(time.Minute)
		f.lease.Patch = seeding.Lease{Owner: "other", Until: f.now.Add(time.Hour), Fence: f.lease.Patch.Fence + 1}
		return nil
	}
	f.patch(t)
	if len(f.registry.newcomers) > 0 || len(f.rejections) > 0 || len(f.answers) != 1 || len(f.state.Problems) > 0 {
		t.Errorf("%d created, problems %v", len(f.registry.newcomers), f.state.Problems)
	}
}

// The registry refuses single registrants for their data: they are rejected, and the
// others are created. What it refuses of everybody is a problem.
func TestRegistrantsThatTheRegistryRefuses(t *testing.T) {
	f := newForm(5)
	f.registry.refuseNew = func(n seeding.NewRegistrant) error {
		if n.Submission == "uuid:3" {
			return &seeding.Fault{Kind: seeding.RefusedData, Code: "ValidationError"}
		}
		return nil
	}
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2", "T4": "uuid:4", "T5": "uuid:5"}, map[string]string{"uuid:3": "refused ODOO-ValidationError 0"},
		seeding.Totals{Sent: 5, Tokenised: 4, Refused: 1})
	for _, kind := range []seeding.FaultKind{seeding.RefusedRights, seeding.RefusedData} {
		f = newForm(5)
		f.registry.refuseNew = func(seeding.NewRegistrant) error { return &seeding.Fault{Kind: kind, Code: "AccessError"} }
		f.patch(t)
		if p := f.state.Problems[seeding.ProblemWrite]; p.Code != "registrants_not_written" || len(f.rejections) > 0 || len(f.answers) != 1 {
			t.Errorf("%s: problems %v, rejections %v", kind, f.state.Problems, f.rejections)
		}
	}
}

// Nothing of a person is in an error, and what is set aside is the submission that was
// sent alone.
func TestASubmissionIsSetAside(t *testing.T) {
	for _, c := range []struct {
		ids  []string
		want int
	}{{[]string{"uuid:1"}, 1}, {[]string{"uuid:1", "uuid:2"}, 0}, {nil, 0}} {
		f := newForm(2)
		f.asked(c.ids...)
		f.during["CountParts"] = func() error { return errStorage }
		f.during["Close"] = func() error {
			if f.batches[batch].Attempts < setAsideAfter-1 {
				return errStorage
			}
			return nil
		}
		f.during["PutRejections"] = nil
		for range 2 * setAsideAfter {
			_ = f.patcher().Patch(t.Context(), registryKey)
			f.now = f.now.Add(2 * time.Hour)
			f.batches[batch] = withDeadline(f.batches[batch], f.now)
		}
		if len(f.answers) > 0 {
			t.Errorf("%v: %d answers left, %s, attempts %d", c.ids, len(f.answers), f.batches[batch].State, f.batches[batch].Attempts)
		}
	}
	f := newForm(2)
	f.asked("uuid:1")
	list, err := f.patcher().setAside(t.Context(), f.batches[batch], f.now)
	if err != nil || len(list) != 1 || list[0].Submission != "uuid:1" || !list[0].Received.Equal(receivedOf(1)) || list[0].Kind != seeding.SetAside {
		t.Errorf("%+v, %v", list, err)
	}
	f.asked()
	if list, err := f.patcher().setAside(t.Context(), f.batches[batch], f.now); err != nil || len(list) > 0 {
		t.Errorf("of a window: %+v, %v", list, err)
	}
}
