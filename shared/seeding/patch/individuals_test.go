package patch

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// An Output Format makes the registrant of a submission. Its input is the submission as
// MTS reads it, its output as MTS would give it.
func TestOutputFormatsOfSubmissions(t *testing.T) {
	const token = `{id_type: "MOSIP UIN TOKEN", value: .output.token}`
	for name, format := range map[string]string{
		"an individual": `{name: .input.person.name, gender: .input.person.gender, birthdate: .input.person.dob, phone_numbers: [{phone_no: .input.person.phone, date_collected: "2026-11-01"}],
			ids: [` + token + `, {id_type: "NATIONAL ID", value: ("N-" + .input.__id), expiry_date: "2030-01-02"}]}`,
		"in a list, with an updateId that is the VID": `[{updateId: .output.vid, id_type: "MOSIP VID", name: .input.person.name, gender: "F", birthdate: "1990/11/02",
			phone_numbers: [{phone_no: .input.person.phone, date_collected: "2026-11-01"}],
			ids: [` + token + `, {id_type: "MOSIP VID", value: .input.vid}, {id_type: "NATIONAL ID", value: ("N-" + .input.__id), expiry_date: "2030-01-02"}]}]`,
		"with the id of the submission": `{updateId: .input.__id, id_type: "ODK SUBMISSION", name: .input.person.name, gender: "F", birthdate: "1990-11-02",
			phone_numbers: [{phone_no: .input.person.phone, date_collected: "2026-11-01"}],
			ids: [` + token + `, {id_type: "ODK SUBMISSION", value: .input.__id}, {id_type: "NATIONAL ID", value: ("N-" + .input.__id), expiry_date: "2030-01-02"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newForm(2)
			f.connector.Output.Format = format
			f.registry.later = true
			f.patch(t)
			f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2"}, map[string]string{}, seeding.Totals{Sent: 2, Tokenised: 2})
			for i, n := range f.registry.newcomers {
				want := seeding.NewRegistrant{
					Submission: idOf(i + 1), Token: seeding.NewToken{Value: fmt.Sprintf("T%d", i+1)},
					Values:      map[string]string{"name": fmt.Sprintf("Ana %d", i+1), "gender": "Female", "birthdate": "1990-11-02", "phone": fmt.Sprintf("+63917%d", i+1)},
					Phones:      []seeding.Phone{{Number: fmt.Sprintf("+63917%d", i+1), Collected: "2026-11-01"}},
					Identifiers: []seeding.NewIdentifier{{Type: someTypes["NATIONAL ID"], Values: map[string]string{"value": "N-" + idOf(i+1), "expiry_date": "2030-01-02"}}},
				}
				if fmt.Sprint(n) != fmt.Sprint(want) {
					t.Errorf("made %+v\nnot  %+v", n, want)
				}
			}
		})
	}
}

// A result of which no registrant can be made is a rejection of its submission with a
// code of its own; nothing of it is written, and the others become registrants.
func TestResultsOfWhichNoRegistrantCanBeMade(t *testing.T) {
	const token = `{id_type: "MOSIP UIN TOKEN", value: .output.token}`
	good := `{name: .input.person.name, ids: [` + token + `]}`
	of2 := func(then string) string { return `if .input.__id == "uuid:2" then ` + then + ` else ` + good + ` end` }
	for _, c := range []struct{ name, format, code string }{
		{"no name", of2(`{given_name: "Ana", ids: [` + token + `]}`), "MTSC-OUTPUT-VALUE:name"},
		{"a name of blanks", of2(`{name: "  ", ids: [` + token + `]}`), "MTSC-OUTPUT-VALUE:name"},
		{"no token", of2(`{name: "Ana"}`), "MTSC-OUTPUT-TOKEN"},
		{"another token", of2(`{name: "Ana", ids: [{id_type: "MOSIP UIN TOKEN", value: "T9"}]}`), "MTSC-OUTPUT-TOKEN:value"},
		{"the update of an identifier", of2(`{partner_id: 7, id_type: "MOSIP UIN TOKEN", value: .output.token}`), "MTSC-OUTPUT-OTHER:partner_id"},
		{"another registrant", of2(`{id: 7, name: "Ana", ids: [` + token + `]}`), "MTSC-OUTPUT-OTHER:partner_id"},
		{"another VID", of2(`{name: "Ana", ids: [` + token + `, {id_type: "MOSIP VID", value: "612"}]}`), "MTSC-OUTPUT-OTHER:ids"},
		{"another submission", of2(`{name: "Ana", ids: [` + token + `, {id_type: "ODK SUBMISSION", value: "uuid:1"}]}`), "MTSC-OUTPUT-OTHER:ids"},
		{"an updateId of nobody", of2(`{updateId: "P-9", name: "Ana", ids: [` + token + `]}`), "MTSC-OUTPUT-OTHER:updateId"},
		{"an updateId of somebody", of2(`{updateId: "P-7", name: "Ana", ids: [` + token + `]}`), "MTSC-OUTPUT-OTHER:updateId"},
		{"an identifier that somebody holds", of2(`{name: "Ana", ids: [` + token + `, {id_type: "PASSPORT", value: "P-7"}]}`), "MTSC-OUTPUT-OTHER:ids"},
		{"an unknown type", of2(`{name: "Ana", ids: [` + token + `, {id_type: "NOSUCH", value: "x"}]}`), "MTSC-OUTPUT-VALUE:id_type"},
		{"an unknown gender", of2(`{name: "Ana", gender: "Robot", ids: [` + token + `]}`), "MTSC-OUTPUT-VALUE:gender"},
		{"it fails", of2(`error("Ana")`), "MTSC-OUTPUT-FAILED"},
		{"nothing", of2(`null`), "MTSC-OUTPUT-EMPTY"},
		{"too much work", of2(`[range(1000000)]`), "MTSC-OUTPUT-WORK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newForm(3)
			f.connector.Output.Format = c.format
			f.registry.others = []seeding.HeldIdentifier{heldOther(7, "PASSPORT", "P-7")}
			f.patch(t)
			f.accounts().check(t, map[string]string{"T1": "uuid:1", "T3": "uuid:3"}, map[string]string{"uuid:2": "refused " + c.code + " 0"}, seeding.Totals{Sent: 3, Tokenised: 2, Refused: 1})
			if f.called("Write") > 0 || len(f.answers) > 0 {
				t.Errorf("calls %v", f.calls)
			}
		})
	}
	f := newForm(largerAnswer) // of nobody: that is the Output Format's fault
	f.connector.Output.Format = `{ids: [` + token + `]}`
	f.patch(t)
	if _, raised := f.state.Problems[seeding.ProblemWrite]; !raised || len(f.rejections) > 0 || len(f.answers) != 1 {
		t.Errorf("problems %v, %d rejections", f.state.Problems, len(f.rejections))
	}
	f = newForm(2) // two submissions with one other identifier
	f.connector.Output.Format = `{name: .input.person.name, ids: [` + token + `, {id_type: "PASSPORT", value: "P-1"}]}`
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1"}, map[string]string{"uuid:2": "refused MTSC-OUTPUT-OTHER:ids 0"}, seeding.Totals{Sent: 2, Tokenised: 1, Refused: 1})
}

// Without an Output Format the mapped fields make the registrant. What the registry would
// refuse of them is left out: MTS gave a token for it.
func TestIndividualsOfMappedFields(t *testing.T) {
	text := func(s string) seeding.Value { return seeding.Value{Text: s, Present: true} }
	for _, c := range []struct {
		name string
		d    seeding.Demographics
		want map[string]string
	}{
		{"all", seeding.Demographics{VID: text("6123"), Name: text(" Ana Cruz "), Gender: text("F"), DOB: text("1990/1/2"), PhoneNumber: text("+63"), EmailID: text("a@b.c"), FullAddress: text("1 Rizal St, Quezon City")},
			map[string]string{"name": "Ana Cruz", "gender": "F", "birthdate": "1990-01-02", "phone": "+63", "email": "a@b.c", "address": "1 Rizal St, Quezon City"}},
		{"a date of a form", seeding.Demographics{Name: text("A"), DOB: text("1990-11-02")}, map[string]string{"name": "A", "birthdate": "1990-11-02"}},
		{"what is no date", seeding.Demographics{Name: text("A"), DOB: text("02/11/1990")}, map[string]string{"name": "A"}},
		{"what is no text", seeding.Demographics{Name: text("A"), EmailID: seeding.Value{Present: true, NotText: true}}, map[string]string{"name": "A"}},
		{"nothing", seeding.Demographics{}, map[string]string{}},
	} {
		u := individualOf(c.d)
		if !maps.Equal(u.Fields, c.want) || (len(u.Phones) == 1) != (c.want["phone"] != "") || len(u.Identifiers) > 0 {
			t.Errorf("%s: %+v", c.name, u)
		}
	}
	f := newForm(3)
	person := func(n int) map[string]any { p, _ := f.form[n-1].Record["person"].(map[string]any); return p }
	person(1)["gender"], person(1)["email"], person(1)["dob"] = "Robot", "none", "2 November"
	person(2)["name"] = nil
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T3": "uuid:3"}, map[string]string{"uuid:2": "refused MTSC-OUTPUT-VALUE:name 0"}, seeding.Totals{Sent: 3, Tokenised: 2, Refused: 1})
	if got := f.registry.newcomers[0].Values; !maps.Equal(got, map[string]string{"name": "Ana 1", "phone": "+639171", "address": "1 Rizal St"}) {
		t.Errorf("%v", got)
	}
}

// Whoever was there before and is completed gets what is missing, by the same rules, and
// what shows that it is done last.
func TestRegistrantsAreCompleted(t *testing.T) {
	f := newForm(2)
	f.connector.Output.Format = `{name: .input.person.name, birthdate: .input.person.dob, phone_numbers: [{phone_no: .input.person.phone}],
		ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token, expiry_date: "2030-01-02"}, {id_type: "NATIONAL ID", value: ("N-" + .input.__id)}]}`
	f.registry.tokens, f.registry.submissions = identifiers{holds(7, "T1")}, identifiers{keeps(8, "uuid:2")}
	f.registry.persons[7], f.registry.persons[8] = map[string]string{"name": "Ana 1"}, map[string]string{"birthdate": "1980-01-01"}
	f.registry.others = []seeding.HeldIdentifier{heldOther(8, "NATIONAL ID", "old")}
	var order []string
	f.registry.takes = func(edits []seeding.Edit) error {
		for _, e := range edits {
			order = append(order, fmt.Sprintf("%d %d %s", e.Kind, e.ID, e.Values["value"]))
		}
		return nil
	}
	f.patch(t)
	f.accounts().check(t, map[string]string{"T1": "uuid:1", "T2": "uuid:2"}, map[string]string{}, seeding.Totals{Sent: 2, Tokenised: 2})
	if f.called("CreateRegistrants") > 0 || f.registry.persons[8]["birthdate"] != "1990-11-02" || f.registry.persons[8]["name"] != "Ana 2" || len(f.registry.phones[7]) != 1 {
		t.Errorf("%v, %v, phones %v", f.registry.persons[7], f.registry.persons[8], f.registry.phones)
	}
	if last := order[len(order)-1]; last != fmt.Sprintf("%d 7 uuid:1", seeding.AddIdentifier) {
		t.Errorf("order %v", order)
	}
	if got := f.registry.taken; len(got) != 1 || got[0].Registrant != 8 || got[0].Expiry != "2030-01-02" {
		t.Errorf("tokens %+v", got)
	}

	// Somebody else writes another token at the same moment.
	f = newForm(1)
	f.registry.submissions, f.registry.persons[8] = identifiers{keeps(8, "uuid:1")}, map[string]string{}
	f.after["Create"] = func() error {
		f.registry.tokens = append(f.registry.tokens, seeding.Identifier{ID: 999, Registrant: 8, Value: "X"})
		return nil
	}
	f.patch(t)
	if d := f.accounts(); d.rejections["uuid:1"] != "conflict MTSC-OTHER-TOKEN 0" || d.totals != (seeding.Totals{Sent: 1, Tokenised: 1}) {
		t.Errorf("%+v", d)
	}

	// Who is completed is not seen by the connector's user: it stays pending.
	f = newForm(1)
	f.registry.submissions = identifiers{keeps(8, "uuid:1")}
	f.patch(t)
	if d := f.accounts(); len(d.tokens) > 0 || len(d.rejections) > 0 || d.totals.Pending() != 1 {
		t.Errorf("%+v", d)
	}
}

// Nothing of a person reaches the log, an error, a rejection or a problem, whatever goes
// wrong.
func TestNothingOfAPersonIsLogged(t *testing.T) {
	for _, breaks := range []func(*fake){
		func(*fake) {},
		func(f *fake) {
			f.during["Read"] = func() error { return &seeding.Fault{Kind: seeding.Unreachable, Code: "Silent"} }
		},
		func(f *fake) {
			f.during["CreateRegistrants"] = func() error { return &seeding.Fault{Kind: seeding.Unknown, Code: "ConnectionLost"} }
		},
		func(f *fake) { f.during["Close"] = func() error { return errStorage } },
		func(f *fake) { f.connector.Output.Format = `error(.input.person.name)` },
		func(f *fake) {
			f.registry.refuseNew = func(seeding.NewRegistrant) error {
				return &seeding.Fault{Kind: seeding.RefusedData, Code: "ValidationError"}
			}
		},
		func(f *fake) {
			f.registry.tokens = identifiers{holds(7, "T1")}
			f.registry.submissions = identifiers{keeps(7, "uuid:9")}
		},
	} {
		f := newForm(3)
		breaks(f)
		var log bytes.Buffer
		p := f.patcher()
		p.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		err := p.Patch(t.Context(), registryKey)
		all := log.String() + fmt.Sprint(err, f.state.Problems, f.rejections)
		for _, secret := range []string{"Ana", "61234567890", "+63917", "Rizal", "1990-11-02", "reader@odk"} {
			if strings.Contains(all, secret) {
				t.Errorf("%q is in %s", secret, all)
			}
		}
	}
}

// What a patcher keeps of a window does not grow with what its submissions say: each is
// used as it comes.
func TestLargeSubmissionsAreNotKept(t *testing.T) {
	const large = 200 << 10
	f := newForm(seeding.MaxBatch)
	small := f.form
	f.form = nil
	f.connector.Output.TokenShape = shortTokens
	var most uint64
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	p := f.patcher()
	p.Forms = growing{fake: f, small: small, each: func(n int) {
		if n%250 == 249 {
			most = max(most, heap())
		}
	}, bytes: large}
	if err := p.Patch(t.Context(), registryKey); err != nil {
		t.Fatal(err)
	}
	if len(f.registry.newcomers) != seeding.MaxBatch {
		t.Fatalf("%d created", len(f.registry.newcomers))
	}
	kept := int64(most) - int64(before)
	t.Logf("%d KB kept of %d MB", kept>>10, seeding.MaxBatch*large>>20)
	if kept > 16<<20 {
		t.Errorf("%d MB kept of %d MB", kept>>20, seeding.MaxBatch*large>>20)
	}
}

// growing is the form of a fake, each of whose submissions has a large text, made as it
// is read.
type growing struct {
	*fake
	small []seeding.Submission
	each  func(n int)
	bytes int
}

func (g growing) OpenForm(context.Context, seeding.Connector) (seeding.Form, error) {
	return growingForm{growing: g}, nil
}

type growingForm struct {
	seeding.Form
	growing growing
}

func (r growingForm) Read(_ context.Context, _ seeding.Window, each func(seeding.Submission) error) error {
	for n, s := range r.growing.small {
		s.Record = maps.Clone(s.Record)
		s.Record["remarks"] = strings.Repeat("x", r.growing.bytes)
		if err := each(s); err != nil {
			return err
		}
		r.growing.each(n)
	}
	return nil
}
