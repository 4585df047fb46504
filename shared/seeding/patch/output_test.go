package patch

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Output Formats as configurations of lines 15.0 and 17.0 have them.
const (
	line15 = `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`
	line17 = `[{updateId: .input.vid, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token, status: "valid", description: "seeded"}]}]`
	whole  = `{name: (.input.family_name + ", " + .input.given_name), gender: "F", birthdate: .input.birthdate,
		phone_numbers: [{phone_no: .input.phone}], ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}, {id_type: "NATIONAL ID", value: ("N-" + .input.given_name)}]}`
)

// newOutput is newFake with three registrants and an Output Format.
func newOutput(format string) *fake {
	f := newFake()
	f.connector.Registry.VIDType, f.connector.Registry.TokenType = "MOSIP VID", "MOSIP UIN TOKEN"
	f.connector.Source = seeding.RegistrySource{Fields: []string{"id", "given_name", "family_name", "gender", "birthdate", "phone"}, Mapping: seeding.Mapping{VID: "vid"}}
	f.connector.Output.Format = format
	f.registry.vids = append(f.registry.vids, sentVID(3))
	f.registry.persons, f.registry.phones = map[int64]map[string]string{}, map[int64][]string{}
	for id := range int64(3) {
		f.registry.persons[id+1] = map[string]string{
			"given_name": fmt.Sprintf("Ana%d", id+1), "family_name": "Cruz", "birthdate": "1990-11-02", "phone": fmt.Sprintf("+63%d", id+1),
		}
	}
	f.sent(1, 2, 3)
	f.says(withToken(1, "A"), withToken(2, "B"), withToken(3, "C"))
	return f
}

// codes are the rejections of a fake, by registrant.
func (f *fake) codes() map[int64]string {
	found := map[int64]string{}
	for _, r := range f.rejections {
		found[r.Registrant] = r.Code
	}
	return found
}

// tokensOf are the tokens of the registry, by registrant.
func (f *fake) tokensOf() map[int64]string {
	found := map[int64]string{}
	for _, i := range f.registry.tokens {
		found[i.Registrant] += i.Value
	}
	return found
}

var allTokens = map[int64]string{1: "A", 2: "B", 3: "C"}

// The plain updates of both lines write the token as no Output Format does, without a
// further call, and with what they say of it.
func TestPlainOutputFormatsCostNothing(t *testing.T) {
	for _, format := range []string{
		"", line15, line17,
		`if .output.status == "processed" then ` + line15 + ` else null end`,
		`select(.output.status == "processed") | {partner_id: (.input.id | tostring), id_type: "MOSIP UIN TOKEN", value: (" " + .output.token)}`,
		`{updateId: .output.vid, ids: [{id_type: "MOSIP VID", value: .input.vid}, {id_type: "MOSIP UIN TOKEN", value: .output.token}]}`,
		`{ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`,
		`{updateId: .input.vid, id_type: "MOSIP VID", name: null, gender: "", birthdate: false, phone_numbers: [], ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`,
	} {
		f := newOutput(format)
		f.patch(t)
		for _, call := range []string{"Inputs", "Details", "Write"} {
			if f.called(call) > 0 {
				t.Errorf("%s: %s is called", format, call)
			}
		}
		if !maps.Equal(f.tokensOf(), allTokens) || len(f.registry.vids) > 0 || len(f.rejections) > 0 || f.batches[batch].Totals != (seeding.Totals{Sent: 3, Tokenised: 3}) {
			t.Errorf("%s: tokens %v, VIDs %v, rejections %v, %+v", format, f.tokensOf(), f.registry.vids, f.codes(), f.batches[batch].Totals)
		}
		want := seeding.NewToken{Registrant: 1, Value: "A"}
		if format == line17 {
			want.Status, want.Description = "valid", "seeded"
		}
		if f.registry.taken[0] != want {
			t.Errorf("%s: %+v", format, f.registry.taken[0])
		}
	}
}

// An individual is written whole before its token is, in a number of calls that does
// not grow with the registrants, and what is as it should be is left as it is.
func TestAnIndividualIsWritten(t *testing.T) {
	f := newOutput(whole)
	f.registry.persons[2]["name"] = "Cruz, Ana2"
	f.registry.others = []seeding.HeldIdentifier{heldOther(2, "NATIONAL ID", "N-Ana2"), heldOther(3, "NATIONAL ID", "old")}
	f.registry.phones[3] = []string{"+633"}
	before := len(f.calls)
	f.patch(t)
	calls := slices.DeleteFunc(slices.Clone(f.calls[before:]), func(call string) bool {
		return !slices.Contains([]string{"Identifiers", "TokenHolders", "Inputs", "Details", "Write", "Create", "Remove", "Close"}, call)
	})
	if want := []string{"Identifiers", "TokenHolders", "Inputs", "Details", "Write", "Write", "Write", "Write", "Write", "Create", "Identifiers", "Close", "Remove"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q", calls)
	}
	for id := range int64(3) {
		person := f.registry.persons[id+1]
		if person["name"] != fmt.Sprintf("Cruz, Ana%d", id+1) || person["gender"] != "Female" || len(f.registry.phones[id+1]) != 1 {
			t.Errorf("%d is %v, phones %v", id+1, person, f.registry.phones[id+1])
		}
	}
	values := map[int64]string{}
	for _, i := range f.registry.others {
		values[i.Registrant] += i.Value
	}
	if !maps.Equal(values, map[int64]string{1: "N-Ana1", 2: "N-Ana2", 3: "N-Ana3"}) || !maps.Equal(f.tokensOf(), allTokens) || len(f.registry.vids) > 0 {
		t.Errorf("identifiers %v, tokens %v, VIDs %v", values, f.tokensOf(), f.registry.vids)
	}
	for _, changes := range f.registry.written {
		for _, c := range changes {
			if c.ID == 2 && c.Kind == seeding.SetRegistrant && c.Values["name"] != "" || c.Kind == seeding.AddIdentifier && c.ID != 1 || c.Kind == seeding.AddPhone && c.ID == 3 {
				t.Errorf("written though it was so: %+v", c)
			}
		}
	}
}

// A result that cannot be written is a rejection of its registrant with its own code:
// nothing of it is written, the VID stays, and the others get their tokens.
func TestAResultThatCannotBeWritten(t *testing.T) {
	of2 := func(then string) string { return `if .input.id == 2 then ` + then + ` else ` + line15 + ` end` }
	token := `{id_type: "MOSIP UIN TOKEN", value: .output.token}`
	for _, c := range []struct {
		name, format, code string
	}{
		{"the expression fails", of2(`error("x")`), "MTSC-OUTPUT-FAILED"},
		{"it fails after a result", of2(`(` + line15 + `, error("x"))`), "MTSC-OUTPUT-FAILED"},
		{"null", of2(`null`), "MTSC-OUTPUT-EMPTY"},
		{"no result", of2(`empty`), "MTSC-OUTPUT-EMPTY"},
		{"an empty list", of2(`[]`), "MTSC-OUTPUT-EMPTY"},
		{"too much work", of2(`[range(1000000)]`), "MTSC-OUTPUT-WORK"},
		{"false", of2(`false`), "MTSC-OUTPUT-SHAPE"},
		{"a text", of2(`.output.token`), "MTSC-OUTPUT-SHAPE"},
		{"MTS's own output", of2(`.output`), "MTSC-OUTPUT-SHAPE"},
		{"a list of two", of2(`[{ids: [` + token + `]}, {ids: [` + token + `]}]`), "MTSC-OUTPUT-SHAPE"},
		{"a name that is a list", of2(`{name: ["x"], ids: [` + token + `]}`), "MTSC-OUTPUT-SHAPE:name"},
		{"true for a text", of2(`{name: true, ids: [` + token + `]}`), "MTSC-OUTPUT-SHAPE:name"},
		{"ids that are none", of2(`{ids: "x"}`), "MTSC-OUTPUT-SHAPE:ids"},
		{"a text too long", of2(`{name: ("x" * 2000), ids: [` + token + `]}`), "MTSC-OUTPUT-SHAPE:name"},
		{"no partner", of2(`{partner_id: null, id_type: "MOSIP UIN TOKEN", value: .output.token}`), "MTSC-OUTPUT-SHAPE:partner_id"},
		{"another partner", of2(`{partner_id: 3, id_type: "MOSIP UIN TOKEN", value: .output.token}`), "MTSC-OUTPUT-OTHER:partner_id"},
		{"another partner of an individual", of2(`{id: 3, ids: [` + token + `]}`), "MTSC-OUTPUT-OTHER:partner_id"},
		{"an updateId of somebody else", of2(`{updateId: "vid-3", ids: [` + token + `]}`), "MTSC-OUTPUT-OTHER:updateId"},
		{"an updateId of nobody", of2(`{updateId: null, ids: [` + token + `]}`), "MTSC-OUTPUT-OTHER:updateId"},
		{"its updateId under another type", of2(`{updateId: .input.vid, id_type: "PASSPORT", ids: [` + token + `]}`), "MTSC-OUTPUT-OTHER:updateId"},
		{"somebody else's identifier as updateId", of2(`{updateId: "P-3", ids: [` + token + `]}`), "MTSC-OUTPUT-OTHER:updateId"},
		{"another VID", of2(`{ids: [` + token + `, {id_type: "MOSIP VID", value: "vid-3"}]}`), "MTSC-OUTPUT-OTHER:ids"},
		{"an identifier that another holds", of2(`{ids: [` + token + `, {id_type: "PASSPORT", value: "P-3"}]}`), "MTSC-OUTPUT-OTHER:ids"},
		{"no token", of2(`{name: "x"}`), "MTSC-OUTPUT-TOKEN"},
		{"the token under another type", of2(`{partner_id: 2, id_type: "PASSPORT", value: .output.token}`), "MTSC-OUTPUT-TOKEN"},
		{"the token of another", of2(`{partner_id: 2, id_type: "MOSIP UIN TOKEN", value: "C"}`), "MTSC-OUTPUT-TOKEN:value"},
		{"a token that was changed", of2(`{partner_id: 2, id_type: "MOSIP UIN TOKEN", value: (.output.token + "x")}`), "MTSC-OUTPUT-TOKEN:value"},
		{"an unknown gender", of2(`{gender: "Female", ids: [` + token + `]}`), "MTSC-OUTPUT-VALUE:gender"},
		{"no e-mail address", of2(`{email: "none", ids: [` + token + `]}`), "MTSC-OUTPUT-VALUE:email"},
		{"a registration in the future", of2(`{registration_date: "2100-01-01", ids: [` + token + `]}`), "MTSC-OUTPUT-VALUE:registration_date"},
		{"no date", of2(`{birthdate: "2 November", ids: [` + token + `]}`), "MTSC-OUTPUT-VALUE:birthdate"},
		{"an unknown type", of2(`{ids: [` + token + `, {id_type: "NOSUCH", value: "x"}]}`), "MTSC-OUTPUT-VALUE:id_type"},
		{"no type", of2(`{ids: [` + token + `, {value: "x"}]}`), "MTSC-OUTPUT-VALUE:id_type"},
		{"an empty value", of2(`{ids: [` + token + `, {id_type: "PASSPORT", value: ""}]}`), "MTSC-OUTPUT-VALUE:value"},
		{"a type twice", of2(`{ids: [` + token + `, ` + token + `]}`), "MTSC-OUTPUT-VALUE:ids"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newOutput(c.format)
			f.registry.others = []seeding.HeldIdentifier{heldOther(3, "PASSPORT", "P-3")}
			f.patch(t)
			if !maps.Equal(f.codes(), map[int64]string{2: c.code}) || !maps.Equal(f.tokensOf(), map[int64]string{1: "A", 3: "C"}) || len(f.registry.written) > 0 {
				t.Errorf("rejections %v, tokens %v, written %v", f.codes(), f.tokensOf(), f.registry.written)
			}
			if len(f.registry.vids) != 1 || f.registry.vids[0].Registrant != 2 || f.batches[batch].Totals != (seeding.Totals{Sent: 3, Tokenised: 2, Refused: 1}) || len(f.answers) > 0 {
				t.Errorf("VIDs %v, %+v, %d answers left", f.registry.vids, f.batches[batch].Totals, len(f.answers))
			}
			if r := f.rejections[0]; r.Kind != seeding.Refused || r.Next.IsZero() || reasonOf(r.Code) == "" {
				t.Errorf("%+v has no reason or no next attempt", r)
			}
			if len(f.state.Problems) > 0 {
				t.Errorf("problems %+v", f.state.Problems)
			}
		})
	}
}

// Line 17.0 leaves out a gender that it does not know, and takes any e-mail address.
func TestALaterLineTakesMore(t *testing.T) {
	f := newOutput(`{gender: "Female", email: "none", ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`)
	f.registry.later = true
	f.patch(t)
	if len(f.rejections) > 0 || f.registry.persons[1]["email"] != "none" || f.registry.persons[1]["gender"] != "" {
		t.Errorf("rejections %v, %v", f.codes(), f.registry.persons[1])
	}
}

// Who is held by another identifier of its own is found by it.
func TestAnotherIdentifierOfItsOwnIsAnUpdateID(t *testing.T) {
	f := newOutput(`{updateId: ("P-" + (.input.id | tostring)), id_type: "PASSPORT", ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`)
	f.registry.others = []seeding.HeldIdentifier{heldOther(1, "PASSPORT", "P-1"), heldOther(2, "NATIONAL ID", "P-2")}
	f.patch(t)
	if !maps.Equal(f.tokensOf(), map[int64]string{1: "A"}) || !maps.Equal(f.codes(), map[int64]string{2: "MTSC-OUTPUT-OTHER:updateId", 3: "MTSC-OUTPUT-OTHER:updateId"}) {
		t.Errorf("tokens %v, rejections %v", f.tokensOf(), f.codes())
	}
}

// A phone number that a result has twice is added once.
func TestOnePhoneNumberTwice(t *testing.T) {
	f := newOutput(`{phone_numbers: [{phone_no: "0912"}, {phone_no: "0913"}, {phone_no: "0912"}], ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`)
	f.patch(t)
	added := map[int64]int{}
	for _, call := range f.registry.written {
		for _, c := range call {
			if c.Kind == seeding.AddPhone {
				added[c.ID]++
			}
		}
	}
	if !maps.Equal(added, map[int64]int{1: 2, 2: 2, 3: 2}) {
		t.Errorf("added %v", added)
	}
}

// Two registrants of one answer cannot get one identifier.
func TestOneIdentifierForTwo(t *testing.T) {
	f := newOutput(`{ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}, {id_type: "PASSPORT", value: "same"}]}`)
	f.patch(t)
	if !maps.Equal(f.tokensOf(), map[int64]string{1: "A"}) || f.codes()[2] != "MTSC-OUTPUT-OTHER:ids" || len(f.registry.others) != 1 {
		t.Errorf("tokens %v, rejections %v, %v", f.tokensOf(), f.codes(), f.registry.others)
	}
}

// A registrant whom the user does not see stays pending, and the VID stays.
func TestARegistrantWhoIsNotSeen(t *testing.T) {
	for _, format := range []string{whole, `{name: "x", ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`} {
		f := newOutput(format)
		delete(f.registry.persons, 2)
		f.patch(t)
		if !maps.Equal(f.tokensOf(), map[int64]string{1: "A", 3: "C"}) || len(f.rejections) > 0 || len(f.registry.vids) != 1 || f.batches[batch].Totals.Pending() != 1 {
			t.Errorf("tokens %v, rejections %v, VIDs %v", f.tokensOf(), f.codes(), f.registry.vids)
		}
	}
}

// Rows without a token are decided as without an Output Format, which is not asked.
func TestRowsWithoutATokenAreNotEvaluated(t *testing.T) {
	f := newOutput(`error("never for them") , ` + line15)
	f.says(withError(1, "IDA-MLC-004"), withInvalid(2, "ATS-REQ-012"), withToken(3, ""))
	f.patch(t)
	want := map[int64]string{1: "IDA-MLC-004", 2: "ATS-REQ-012", 3: seeding.CodeEmptyToken}
	if !maps.Equal(f.codes(), want) || f.called("Inputs") > 0 {
		t.Errorf("rejections %v", f.codes())
	}
}

// .output.vid is what the mapping made of the VID; .input is the registry's.
func TestTheDocumentHasTheMappedVID(t *testing.T) {
	f := newOutput(`if .output == {vid: ("X" + .input.vid), status: "processed", token: .output.token, errorCode: null, errorMessage: null} then ` + line15 + ` else null end`)
	f.connector.Source.Mapping = seeding.Mapping{VID: `vid | "X" + .`, Gender: "gender", DOB: "birthdate", PhoneNumber: "phone", EmailID: "phone"}
	f.patch(t)
	if !maps.Equal(f.tokensOf(), allTokens) || len(f.rejections) > 0 {
		t.Errorf("tokens %v, rejections %v", f.tokensOf(), f.codes())
	}
}

// What the registry refuses of one registrant rejects that one, and no other; with a
// refusal of rights nobody is.
func TestTheRegistryRefusesAValue(t *testing.T) {
	f := newOutput(whole)
	f.registry.takes = func(changes []seeding.Edit) error {
		if slices.ContainsFunc(changes, func(c seeding.Edit) bool { return c.Kind == seeding.SetRegistrant && c.ID == 2 }) {
			return &seeding.Fault{Kind: seeding.RefusedData, Code: "ValidationError"}
		}
		return nil
	}
	f.patch(t)
	if !maps.Equal(f.codes(), map[int64]string{2: "MTSC-OUTPUT-REFUSED:ValidationError"}) || !maps.Equal(f.tokensOf(), map[int64]string{1: "A", 3: "C"}) {
		t.Errorf("rejections %v, tokens %v", f.codes(), f.tokensOf())
	}
	if len(f.registry.vids) != 1 || f.registry.persons[2]["name"] != "" {
		t.Errorf("VIDs %v, %v", f.registry.vids, f.registry.persons[2])
	}

	for _, call := range []string{"Write", "Details"} {
		f := newOutput(whole)
		f.during[call] = func() error { return &seeding.Fault{Kind: seeding.RefusedRights, Code: "AccessError"} }
		f.patch(t)
		problem := f.state.Problems[seeding.ProblemWrite]
		if problem.Text != seeding.OutputRefused(&seeding.Fault{Code: "AccessError"}).Text || len(f.rejections) > 0 || len(f.answers) != 1 || len(f.registry.tokens) > 0 || len(f.registry.vids) != 3 {
			t.Errorf("%s: problems %+v, rejections %v, %d answers", call, f.state.Problems, f.codes(), len(f.answers))
		}
		delete(f.during, call)
		f.now = problem.Next
		f.patch(t)
		if !maps.Equal(f.tokensOf(), allTokens) || len(f.state.Problems) > 0 {
			t.Errorf("%s, afterwards: tokens %v, problems %+v", call, f.tokensOf(), f.state.Problems)
		}
	}
}

// What fails for everybody of a larger answer is a problem of the connector. Nobody is
// rejected, and the answer is kept until the Output Format is corrected.
func TestAnOutputFormatThatIsUselessForEverybody(t *testing.T) {
	f := newOutput(`.input.nosuch.x.y`)
	var sent []int64
	var rows []seeding.Row
	for id := range int64(largerAnswer) {
		sent, rows = append(sent, id+1), append(rows, withToken(id+1, fmt.Sprintf("T%d", id)))
		f.registry.persons[id+1] = map[string]string{"given_name": "Ana"}
		if id >= 3 {
			f.registry.vids = append(f.registry.vids, sentVID(id+1))
		}
	}
	f.sent(sent...)
	f.says(rows...)
	f.patch(t)
	problem := f.state.Problems[seeding.ProblemWrite]
	if problem.Text != seeding.OutputUnusable(seeding.CodeOutputEmpty).Text || len(f.rejections) > 0 || len(f.answers) != 1 || len(f.registry.tokens) > 0 {
		t.Fatalf("problems %+v, rejections %v, %d answers", f.state.Problems, f.codes(), len(f.answers))
	}
	f.connector.Output.Format, f.now = line15, problem.Next
	f.patch(t)
	if len(f.registry.tokens) != largerAnswer || len(f.registry.vids) > 0 || len(f.state.Problems) > 0 || f.batches[batch].Totals.Tokenised != largerAnswer {
		t.Errorf("%d tokens, %d VIDs, problems %+v", len(f.registry.tokens), len(f.registry.vids), f.state.Problems)
	}
}

// An Output Format that this release cannot read, though it was saved, loses nothing.
func TestAnOutputFormatThatCannotBeCompiled(t *testing.T) {
	f := newOutput(`nosuch(1)`)
	f.patch(t)
	if _, raised := f.state.Problems[seeding.ProblemWrite]; !raised || len(f.answers) != 1 || len(f.rejections) > 0 {
		t.Errorf("problems %+v, %d answers", f.state.Problems, len(f.answers))
	}
}

// Whatever call fails, once, before it took effect or after: in the end each has what
// the Output Format says once, its token once, and no VID.
func TestAnyCallMayFailWithAnOutputFormat(t *testing.T) {
	prepare := func() *fake {
		f := newOutput(whole)
		f.registry.others = []seeding.HeldIdentifier{heldOther(3, "NATIONAL ID", "old")}
		f.says(withToken(1, "A"), withToken(2, "B"), withToken(3, "B")) // 3 is a duplicate of 2
		return f
	}
	plain := prepare()
	plain.patch(t)
	calls := slices.Compact(slices.Sorted(slices.Values(plain.calls)))
	for _, failure := range []error{errStorage, &seeding.Fault{Kind: seeding.Unknown, Code: "X"}, &seeding.Fault{Kind: seeding.Unreachable, Code: "X"}} {
		for _, call := range calls {
			for name, when := range map[string]func(*fake) map[string]func() error{
				"before": func(f *fake) map[string]func() error { return f.during },
				"after":  func(f *fake) map[string]func() error { return f.after },
			} {
				for nth := range 5 {
					f := prepare()
					n := 0
					when(f)[call] = func() error {
						if n++; n == nth+1 {
							return failure
						}
						return nil
					}
					for range 6 {
						_ = f.patcher().Patch(t.Context(), registryKey)
						f.now = f.now.Add(7 * time.Minute)
						if _, isFault := errors.AsType[*seeding.Fault](failure); isFault {
							f.now = f.now.Add(time.Hour)
						}
					}
					about := fmt.Sprintf("%v: %s, call %d, %s", failure, call, nth+1, name)
					if !maps.Equal(f.tokensOf(), map[int64]string{1: "A", 2: "B"}) || len(f.registry.vids) != 1 || len(f.answers) > 0 {
						t.Errorf("%s: tokens %v, VIDs %v, %d answers", about, f.tokensOf(), f.registry.vids, len(f.answers))
					}
					if len(f.registry.others) != 3 || len(f.registry.phones[1]) != 1 || len(f.registry.phones[2]) != 1 || f.registry.persons[2]["name"] != "Cruz, Ana2" {
						t.Errorf("%s: %v, %v, %v", about, f.registry.others, f.registry.phones, f.registry.persons)
					}
					if f.registry.persons[3]["name"] != "" || len(f.registry.phones[3]) > 0 {
						t.Errorf("%s: a duplicate was written: %v", about, f.registry.persons[3])
					}
				}
			}
		}
	}
}

// Changes of one kind that name the same values go into one call; where these differ
// much, each value has a call of its own. Nothing is lost by that.
func TestChangesAreGrouped(t *testing.T) {
	fields := []string{"address", "birthdate", "email", "name"}
	of := func(registrant int64, names ...string) plan {
		values := map[string]string{}
		for _, name := range names {
			values[name] = fmt.Sprintf("%s of %d", name, registrant)
		}
		return plan{row: sentRow(registrant), changes: []seeding.Edit{{Kind: seeding.SetRegistrant, ID: registrant, Values: values}}}
	}
	var alike, mixed []plan
	for n := range int64(40) {
		alike = append(alike, of(n, fields...))
		var some []string
		for i, name := range fields {
			if (n+1)>>i&1 == 1 {
				some = append(some, name)
			}
		}
		if len(some) > 0 {
			mixed = append(mixed, of(n, some...))
		}
	}
	for _, c := range []struct {
		plans []plan
		calls int
	}{{alike, 1}, {mixed, 4}, {append(slices.Clone(alike), of(50, "name")), 2}, {nil, 0}} {
		all := groups(c.plans)
		if len(all) != c.calls {
			t.Errorf("%d calls, want %d", len(all), c.calls)
		}
		got, want := map[int64]map[string]string{}, map[int64]map[string]string{}
		for _, g := range all {
			for _, one := range g {
				if got[one.change.ID] == nil {
					got[one.change.ID] = map[string]string{}
				}
				maps.Copy(got[one.change.ID], one.change.Values)
				if !slices.Equal(slices.Sorted(maps.Keys(one.change.Values)), slices.Sorted(maps.Keys(g[0].change.Values))) || one.row.Registrant != one.change.ID {
					t.Errorf("a call of %v and %v", one.change, g[0].change)
				}
			}
		}
		for _, p := range c.plans {
			want[p.row.Registrant] = p.changes[0].Values
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// reasonOf is what people read about a code text.
func reasonOf(text string) (reason string) {
	for code, fields := range seeding.SplitCodes(text) {
		reason += seeding.ReasonOf(code, fields)
	}
	return reason
}
