package patch

import (
	"context"
	"slices"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
	"pgregory.net/rapid"
)

// lookedAt is what the registry holds, and who holds the tokens of rows.
func lookedAt(t interface{ Fatal(...any) }, r *registry, rows []seeding.Row) holdings {
	vids, tokens, err := readerOf(r).look(context.Background(), registrantsOf(subjectSet(rows)))
	if err != nil {
		t.Fatal(err)
	}
	holders, err := readerOf(r).holdersOf(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	return newHoldings(vids, tokens, holders)
}

// judged looks at the registry and judges rows that were sent in the batch.
func judged(t testing.TB, r *registry, k seeding.Key, open bool, rows ...seeding.Row) []verdict {
	t.Helper()
	h := lookedAt(t, r, rows)
	return judge(rows, h, proof{key: k, batch: batch}, shortTokens, open)
}

// The decision about one row, in the order of infra/protocol.md, "Patch" 3.
func TestVerdictOnARow(t *testing.T) {
	for _, c := range []struct {
		name         string
		vids, tokens identifiers
		row          seeding.Row
		closed       bool // the batch
		want         verdict
	}{
		// The registrant holds this token and no other.
		{"the token is there and the VID fits: tokenised before",
			identifiers{sentVID(1)}, identifiers{holds(1, "A")}, withToken(1, "A"), false, verdict{kind: held}},
		{"the token is there and the VID fits, of a closed batch: tokenised before",
			identifiers{sentVID(1)}, identifiers{holds(1, "A")}, withToken(1, "A"), true, verdict{kind: held}},
		{"the token is there, and the VID that fits is one of two: tokenised before",
			identifiers{sentVID(1), newVID(1)}, identifiers{holds(1, "A")}, withToken(1, "A"), false, verdict{kind: held}},
		{"the token is there twice and the VID fits: tokenised before",
			identifiers{sentVID(1)}, identifiers{holds(1, "A"), holds(1, "A")}, withToken(1, "A"), false, verdict{kind: held}},
		{"the token is there, also at another registrant: still tokenised before",
			identifiers{sentVID(1)}, identifiers{holds(1, "A"), holds(2, "A")}, withToken(1, "A"), false, verdict{kind: held}},
		{"the token is there and the VID is gone: done before",
			nil, identifiers{holds(1, "A")}, withToken(1, "A"), false, verdict{kind: done}},
		{"the token is there and the VID is gone, of a closed batch: done before",
			nil, identifiers{holds(1, "A")}, withToken(1, "A"), true, verdict{kind: done}},
		{"the token is there and another VID, of an open batch: a conflict on that VID",
			identifiers{newVID(1)}, identifiers{holds(1, "A")}, withToken(1, "A"), false, verdict{kind: vidReplaced, at: newVID(1).ID}},
		{"the token is there and the VID was corrected, of an open batch: a conflict on it",
			identifiers{correctedVID(1)}, identifiers{holds(1, "A")}, withToken(1, "A"), false, verdict{kind: vidReplaced, at: sentVID(1).ID}},
		{"the token is there and another VID, of a closed batch: not for us to judge",
			identifiers{newVID(1)}, identifiers{holds(1, "A")}, withToken(1, "A"), true, verdict{kind: replaced}},

		// The MAC does not fit: whatever MTS says, and whatever is held.
		{"the VID is another one: pending",
			identifiers{newVID(1)}, nil, withToken(1, "A"), false, verdict{kind: pending}},
		{"the VID is gone: pending",
			nil, nil, withToken(1, "A"), false, verdict{kind: pending}},
		{"the VID is another one and another token is there: pending, no conflict",
			identifiers{newVID(1)}, identifiers{holds(1, "B")}, withToken(1, "A"), false, verdict{kind: pending}},
		{"the VID is another one and somebody holds the token: pending, no duplicate",
			identifiers{newVID(1)}, identifiers{holds(2, "A")}, withToken(1, "A"), false, verdict{kind: pending}},
		{"the VID is another one and no token came: pending",
			identifiers{newVID(1)}, nil, withToken(1, ""), false, verdict{kind: pending}},
		{"the VID is another one than MOSIP refused: pending",
			identifiers{newVID(1)}, nil, withError(1, "IDA-MLC-004"), false, verdict{kind: pending}},
		{"the VID is another one and the code blames the system: pending",
			identifiers{newVID(1)}, nil, withError(1, "IDA-MPA-005"), false, verdict{kind: pending}},

		// The registrant holds another token.
		{"another token is there: a conflict",
			identifiers{sentVID(1)}, identifiers{holds(1, "B")}, withToken(1, "A"), false, verdict{kind: otherToken}},
		{"this token is there and another one: a conflict",
			identifiers{sentVID(1)}, identifiers{holds(1, "A"), holds(1, "B")}, withToken(1, "A"), false, verdict{kind: otherToken}},
		{"a token without a value is there: a conflict",
			identifiers{sentVID(1)}, identifiers{holds(1, "")}, withToken(1, "A"), false, verdict{kind: notToken, code: seeding.CodeEmptyHeld}},
		{"a word is there that is no token: a conflict of its own",
			identifiers{sentVID(1)}, identifiers{holds(1, "no token")}, withToken(1, "A"), false, verdict{kind: notToken, code: seeding.CodeNotToken}},
		{"a word is there beside this token: a conflict of its own",
			identifiers{sentVID(1)}, identifiers{holds(1, "A"), holds(1, "no token")}, withToken(1, "A"), false, verdict{kind: notToken, code: seeding.CodeNotToken}},
		{"a word is there and none came: nothing",
			identifiers{sentVID(1)}, identifiers{holds(1, "no token")}, withToken(1, ""), false, verdict{kind: pending}},
		{"another token is there, and somebody holds this one: a conflict, no duplicate",
			identifiers{sentVID(1)}, identifiers{holds(1, "B"), holds(2, "A")}, withToken(1, "A"), false, verdict{kind: otherToken}},
		{"another token is there and none came: nothing",
			identifiers{sentVID(1)}, identifiers{holds(1, "B")}, withToken(1, ""), false, verdict{kind: pending}},
		{"a token without a value is there and none came: nothing",
			identifiers{sentVID(1)}, identifiers{holds(1, "")}, withToken(1, ""), false, verdict{kind: pending}},
		{"a token is there, and MOSIP refuses: nothing",
			identifiers{sentVID(1)}, identifiers{holds(1, "B")}, withError(1, "IDA-MLC-004"), false, verdict{kind: pending}},
		{"a token is there, and the code blames the system: nothing",
			identifiers{sentVID(1)}, identifiers{holds(1, "B")}, withError(1, "IDA-MPA-005"), false, verdict{kind: pending}},

		// The row has a token that the registrant may get.
		{"another registrant holds the token: a duplicate",
			identifiers{sentVID(1)}, identifiers{holds(2, "A")}, withToken(1, "A"), false, verdict{kind: duplicate, holder: 2}},
		{"another registrant holds the token with a space behind it: a duplicate",
			identifiers{sentVID(1)}, identifiers{holds(2, "A ")}, withToken(1, "A"), false, verdict{kind: duplicate, holder: 2}},
		{"nobody holds the token: to be created",
			identifiers{sentVID(1)}, nil, withToken(1, "A"), false, verdict{kind: create}},
		{"nobody holds the token, of a closed batch: to be created",
			identifiers{sentVID(1)}, nil, withToken(1, "A"), true, verdict{kind: create}},
		{"another registrant holds another token: to be created",
			identifiers{sentVID(1)}, identifiers{holds(2, "B")}, withToken(1, "A"), false, verdict{kind: create}},

		// The row has none.
		{"processed without a token: refused",
			identifiers{sentVID(1)}, nil, withToken(1, ""), false, verdict{kind: emptyToken}},
		{"processed without a token, whatever the code: refused",
			identifiers{sentVID(1)}, nil, says(sentRow(1), seeding.RowProcessed, "", "IDA-MPA-005"), false, verdict{kind: emptyToken}},
		{"MOSIP's licence, partner or policy code: the system's",
			identifiers{sentVID(1)}, nil, withError(1, "IDA-MPA-005"), false, verdict{kind: systemic}},
		{"MTS did not reach MOSIP: the system's",
			identifiers{sentVID(1)}, nil, withError(1, "AUT_BAS_001"), false, verdict{kind: systemic}},
		{"a code of the data and one of the system: the system's",
			identifiers{sentVID(1)}, nil, withError(1, "IDA-MLC-004,IDA-MPA-005"), false, verdict{kind: systemic}},
		{"MOSIP refuses the data: refused",
			identifiers{sentVID(1)}, nil, withError(1, "IDA-MLC-004"), false, verdict{kind: refused}},
		{"MTS refuses the data: refused",
			identifiers{sentVID(1)}, nil, withInvalid(1, "ATS-REQ-012"), false, verdict{kind: refused}},
		{"an unclear code of one row: refused",
			identifiers{sentVID(1)}, nil, withError(1, "IDA-MLC-007"), false, verdict{kind: refused}},
		{"a code that nobody knows: refused",
			identifiers{sentVID(1)}, nil, withError(1, "XYZ-1"), false, verdict{kind: refused}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.row = c.row
			got := judged(t, &registry{vids: c.vids, tokens: c.tokens}, key, !c.closed, c.row)
			if !slices.Equal(got, []verdict{c.want}) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A row that was not made from what the registry holds now stays pending. Only
// the first of these is what the batch sent.
func TestRowCountsOnlyForWhatItWasMadeFrom(t *testing.T) {
	me, vid := seeding.Member{Registrant: 1, Identifier: sentVID(1).ID}, sentVID(1).Value
	changed := func(change func(*seeding.Row)) seeding.Row {
		r := sentRow(1)
		change(&r)
		return r
	}
	for _, c := range []struct {
		name string
		vids identifiers
		key  seeding.Key
		row  seeding.Row
		fits bool
	}{
		{"as it was sent", identifiers{sentVID(1)}, key, sentRow(1), true},
		{"made in another batch", identifiers{sentVID(1)}, key, rowMade(key, "b2", me, vid), false},
		{"made with another key", identifiers{sentVID(1)}, key, rowMade(seedingtest.Key("k2"), batch, me, vid), false},
		{"its key is gone", identifiers{sentVID(1)}, seeding.Key{}, sentRow(1), false},
		{"its key is gone, and somebody made it without one", identifiers{sentVID(1)}, seeding.Key{}, rowMade(seeding.Key{}, batch, me, vid), false},
		{"made from another VID", identifiers{sentVID(1)}, key, rowMade(key, batch, me, "vid-2"), false},
		{"its VID was corrected since", identifiers{correctedVID(1)}, key, sentRow(1), false},
		{"its VID is in another identifier now", identifiers{{ID: newVID(1).ID, Registrant: 1, Value: vid}}, key, sentRow(1), false},
		{"its identifier belongs to another registrant now", identifiers{{ID: sentVID(1).ID, Registrant: 2, Value: vid}}, key, sentRow(1), false},
		{"the row of another registrant, under this one's name", identifiers{sentVID(1), {ID: sentVID(2).ID, Registrant: 1, Value: sentVID(2).Value}}, key,
			changed(func(r *seeding.Row) { r.MAC, r.Identifier = sentRow(2).MAC, sentVID(2).ID }), false},
		{"the row of another identifier, under this one's name", identifiers{sentVID(1), {ID: newVID(1).ID, Registrant: 1, Value: vid}}, key,
			changed(func(r *seeding.Row) { r.Identifier = newVID(1).ID }), false},
		{"with the fingerprint of other data", identifiers{sentVID(1)}, key,
			changed(func(r *seeding.Row) { r.Fingerprint[3]++ }), false},
		{"with a MAC of nothing", identifiers{sentVID(1)}, key,
			changed(func(r *seeding.Row) { r.MAC = seeding.RowMAC{} }), false},
	} {
		for _, variant := range []struct {
			name string
			row  seeding.Row
			want kind // of a row that fits
		}{
			{"a token", says(c.row, seeding.RowProcessed, "A", ""), create},
			{"no token", says(c.row, seeding.RowProcessed, "", ""), emptyToken},
			{"a refusal", says(c.row, seeding.RowError, "", "IDA-MLC-004"), refused},
			{"a code of the system", says(c.row, seeding.RowError, "", "AUT_BAS_001"), systemic},
		} {
			t.Run(c.name+", "+variant.name, func(t *testing.T) {
				want := verdict{row: variant.row, kind: pending}
				if c.fits {
					want.kind = variant.want
				}
				// Another registrant's VID is looked at with the identifier.
				h := newHoldings(c.vids, nil, nil)
				if got := judge([]seeding.Row{variant.row}, h, proof{key: c.key, batch: batch}, shortTokens, true); !slices.Equal(got, []verdict{want}) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

// Rows of one answer are judged in the light of each other: several with one
// token, and unclear codes that all of them carry.
func TestVerdictsOnSeveralRows(t *testing.T) {
	everybody := identifiers{sentVID(1), sentVID(2), sentVID(3), sentVID(4)}
	for _, c := range []struct {
		name         string
		vids, tokens identifiers
		rows         []seeding.Row
		want         []kind
	}{
		{"two tokens, two registrants: both are created", everybody, nil,
			[]seeding.Row{withToken(1, "A"), withToken(2, "B")}, []kind{create, create}},
		{"one token, two registrants: the lower one gets it", everybody, nil,
			[]seeding.Row{withToken(1, "A"), withToken(2, "A")}, []kind{create, twin}},
		{"one token, three registrants: the lowest one gets it", everybody, nil,
			[]seeding.Row{withToken(1, "A"), withToken(2, "A"), withToken(3, "A")}, []kind{create, twin, twin}},
		{"two pairs of twins", everybody, nil,
			[]seeding.Row{withToken(1, "A"), withToken(2, "B"), withToken(3, "A"), withToken(4, "B")}, []kind{create, create, twin, twin}},
		{"the lowest one's VID changed: the next one gets the token", identifiers{newVID(1), sentVID(2), sentVID(3)}, nil,
			[]seeding.Row{withToken(1, "A"), withToken(2, "A"), withToken(3, "A")}, []kind{pending, create, twin}},
		{"the lowest one holds another token: the next one gets it", everybody, identifiers{holds(1, "B")},
			[]seeding.Row{withToken(1, "A"), withToken(2, "A")}, []kind{otherToken, create}},
		{"the lower one holds it already: the other is a duplicate", everybody, identifiers{holds(1, "A")},
			[]seeding.Row{withToken(1, "A"), withToken(2, "A")}, []kind{held, duplicate}},
		{"the higher one holds it already: the other is a duplicate", everybody, identifiers{holds(2, "A")},
			[]seeding.Row{withToken(1, "A"), withToken(2, "A")}, []kind{duplicate, held}},
		{"somebody else holds it: both are duplicates", everybody, identifiers{holds(4, "A")},
			[]seeding.Row{withToken(1, "A"), withToken(2, "A")}, []kind{duplicate, duplicate}},

		{"two rows with an unclear code: the data's", everybody, nil,
			[]seeding.Row{withError(1, "IDA-MLC-007"), withError(2, "IDA-MLC-007")}, []kind{refused, refused}},
		{"three rows with one unclear code: the system's", everybody, nil,
			[]seeding.Row{withError(1, "IDA-MLC-007"), withError(2, "IDA-MLC-007"), withError(3, "IDA-MLC-007")}, []kind{systemic, systemic, systemic}},
		{"three rows with one code that nobody knows: the system's", everybody, nil,
			[]seeding.Row{withError(1, "XYZ-1"), withError(2, "XYZ-1"), withError(3, "XYZ-1")}, []kind{systemic, systemic, systemic}},
		{"three rows with one code of MTS that is unclear: the system's", everybody, nil,
			[]seeding.Row{withInvalid(1, "ATS-REQ-100"), withInvalid(2, "ATS-REQ-100"), withInvalid(3, "ATS-REQ-100")}, []kind{systemic, systemic, systemic}},
		{"three rows with two unclear codes: the data's", everybody, nil,
			[]seeding.Row{withError(1, "IDA-MLC-007"), withError(2, "IDA-MLC-007"), withError(3, "XYZ-1")}, []kind{refused, refused, refused}},
		{"three rows with one unclear code, a fourth with another code: the data's", everybody, nil,
			[]seeding.Row{withError(1, "IDA-MLC-007"), withError(2, "IDA-MLC-007"), withError(3, "IDA-MLC-007"), withError(4, "IDA-MLC-004")},
			[]kind{refused, refused, refused, refused}},
		{"three rows with one unclear code, a fourth with a token: the data's", everybody, nil,
			[]seeding.Row{withError(1, "IDA-MLC-007"), withError(2, "IDA-MLC-007"), withError(3, "IDA-MLC-007"), withToken(4, "A")},
			[]kind{refused, refused, refused, create}},
		{"three rows with one code of the data: the data's", everybody, nil,
			[]seeding.Row{withError(1, "IDA-MLC-004"), withError(2, "IDA-MLC-004"), withError(3, "IDA-MLC-004")}, []kind{refused, refused, refused}},
		{"three rows processed without a token: refused", everybody, nil,
			[]seeding.Row{withToken(1, ""), withToken(2, ""), withToken(3, "")}, []kind{emptyToken, emptyToken, emptyToken}},
		{"a code of the system beside a token: the system's, to be decided with the others", everybody, nil,
			[]seeding.Row{withToken(1, "A"), withError(2, "IDA-MPA-005")}, []kind{create, systemic}},
		{"no rows: no verdicts", everybody, nil, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []verdict
			for i, k := range c.want {
				want = append(want, verdict{row: c.rows[i], kind: k})
			}
			got := judged(t, &registry{vids: c.vids, tokens: c.tokens}, key, true, c.rows...)
			for i := range got {
				got[i].holder = 0 // TestVerdictOnARow says who it is
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// What another look says of tokens that were just written (infra/protocol.md,
// "Patch" 4, Look again).
func TestVerdictOnAWrittenToken(t *testing.T) {
	for _, c := range []struct {
		name         string
		vids, tokens identifiers
		want         verdict
	}{
		{"the VID is the one that was sent: written",
			identifiers{sentVID(1)}, identifiers{holds(1, "A")}, verdict{kind: written}},
		{"the VID that was sent is one of two: written",
			identifiers{sentVID(1), newVID(1)}, identifiers{holds(1, "A")}, verdict{kind: written}},
		{"the VID is gone: written, and nothing is left to remove",
			nil, identifiers{holds(1, "A")}, verdict{kind: writtenVIDGone}},
		{"the VID is another one: written, and a conflict on it",
			identifiers{newVID(1)}, identifiers{holds(1, "A")}, verdict{kind: writtenReplaced, at: newVID(1).ID}},
		{"the VID was corrected: written, and a conflict on it",
			identifiers{correctedVID(1)}, identifiers{holds(1, "A")}, verdict{kind: writtenReplaced, at: sentVID(1).ID}},
		{"somebody wrote another token too: a conflict on the VID that was sent",
			identifiers{sentVID(1)}, identifiers{holds(1, "A"), holds(1, "B")}, verdict{kind: contested, at: sentVID(1).ID}},
		{"somebody wrote another token too, and the VID is another one: a conflict on it",
			identifiers{newVID(1)}, identifiers{holds(1, "A"), holds(1, "B")}, verdict{kind: contested, at: newVID(1).ID}},
		{"somebody wrote another token too, and removed the VID: nothing is left to list a conflict on",
			nil, identifiers{holds(1, "A"), holds(1, "B")}, verdict{kind: writtenVIDGone}},
		{"somebody took the token away at once: a conflict on the VID, which stays",
			identifiers{sentVID(1)}, nil, verdict{kind: contested, at: sentVID(1).ID}},
	} {
		t.Run(c.name, func(t *testing.T) {
			row := withToken(1, "A")
			c.want.row = row
			got := confirm([]seeding.Row{row}, newHoldings(c.vids, c.tokens, nil), proof{key: key, batch: batch})
			if !slices.Equal(got, []verdict{c.want}) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	if got := confirm(nil, newHoldings(nil, nil, nil), proof{key: key, batch: batch}); len(got) > 0 {
		t.Errorf("nothing was written, and got %v", got)
	}
}

// Of several registrants with one token the others are duplicates once the
// lowest one got it.
func TestVerdictOnTwins(t *testing.T) {
	one, two, three, other := withToken(1, "A"), withToken(2, "A"), withToken(3, "A"), withToken(4, "B")
	for _, c := range []struct {
		name     string
		verdicts []verdict
		created  []seeding.Row
		want     []verdict
	}{
		{"the lower one got the token: the other is its duplicate",
			[]verdict{{row: one, kind: create}, {row: two, kind: twin}}, []seeding.Row{one},
			[]verdict{{row: two, kind: twinOfWritten, holder: 1}}},
		{"the lowest of three got it: both others are its duplicates",
			[]verdict{{row: one, kind: create}, {row: two, kind: twin}, {row: three, kind: twin}}, []seeding.Row{one},
			[]verdict{{row: two, kind: twinOfWritten, holder: 1}, {row: three, kind: twinOfWritten, holder: 1}}},
		{"the lower one was refused: the other waits for the next pass",
			[]verdict{{row: one, kind: create}, {row: two, kind: twin}}, nil, nil},
		{"another token was written: the twin waits",
			[]verdict{{row: one, kind: create}, {row: two, kind: twin}, {row: other, kind: create}}, []seeding.Row{other}, nil},
		{"there are no twins",
			[]verdict{{row: one, kind: create}, {row: other, kind: create}}, []seeding.Row{one, other}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judgeTwins(c.verdicts, c.created); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Whatever the registry holds and whoever sends rows: a token is created for the
// lowest registrant whose VID it was made from, who holds none, and if nobody
// holds it; and for nobody else. Once the tokens are written, all or some of
// them, the same answer creates only what is missing.
func TestNothingIsCreatedTwiceOrForAnotherOne(t *testing.T) {
	const registrants = 5
	tokens := []string{"A", "B", "C"}
	rapid.Check(t, func(t *rapid.T) {
		r, honest := &registry{}, map[seeding.Subject]bool{}
		var rows []seeding.Row
		for id := range int64(registrants) {
			id++
			vids := []identifiers{{sentVID(id)}, {sentVID(id), newVID(id)}, {newVID(id)}, {correctedVID(id)}, nil}
			unchanged := []bool{true, true, false, false, false}
			now := rapid.IntRange(0, len(vids)-1).Draw(t, "VIDs")
			r.vids = append(r.vids, vids[now]...)
			for _, token := range rapid.SliceOfN(rapid.SampledFrom(append(tokens, "")), 0, 2).Draw(t, "tokens held") {
				r.tokens = append(r.tokens, holds(id, token))
			}
			row := rapid.SampledFrom([]seeding.Row{
				withToken(id, "A"), withToken(id, "B"), withToken(id, "C"), withToken(id, ""), withError(id, "IDA-MLC-004"), withError(id, "IDA-MPA-005"),
			}).Draw(t, "row")
			forged := rapid.Bool().Draw(t, "forged")
			if forged {
				what := rapid.IntRange(0, 3).Draw(t, "what is forged")
				m, vid := row.Member, sentVID(id).Value
				row.MAC = []seeding.RowMAC{
					rowMade(key, "b2", m, vid).MAC, rowMade(seedingtest.Key("k2"), batch, m, vid).MAC,
					rowMade(key, batch, m, "x").MAC, sentRow(id%registrants + 1).MAC,
				}[what]
			}
			honest[row.Subject] = unchanged[now] && !forged
			rows = append(rows, row)
		}
		open := rapid.Bool().Draw(t, "batch is open")
		creates := func() []seeding.Row {
			h := lookedAt(t, r, rows)
			return rowsOf(judge(rows, h, proof{key: key, batch: batch}, shortTokens, open), create)
		}

		first := creates()
		var want []seeding.Row
		taken := map[string]bool{}
		for _, row := range rows { // from the lowest registrant up
			holdsOne := slices.ContainsFunc(r.tokens, func(i seeding.Identifier) bool { return i.Registrant == row.Registrant })
			held := slices.ContainsFunc(r.tokens, func(i seeding.Identifier) bool { return i.Value == row.Token })
			if honest[row.Subject] && row.Token != "" && !holdsOne && !held && !taken[row.Token] {
				taken[row.Token] = true
				want = append(want, row)
			}
		}
		if !slices.Equal(first, want) {
			t.Fatalf("creates %v, want %v", first, want)
		}
		var missing []seeding.Row
		for _, row := range first {
			if rapid.Bool().Draw(t, "written before the patcher died") {
				r.tokens = append(r.tokens, holds(row.Registrant, row.Token))
			} else {
				missing = append(missing, row)
			}
		}
		if again := creates(); !slices.Equal(again, missing) {
			t.Fatalf("%d are missing, and the same answer creates %d", len(missing), len(again))
		}
		for _, row := range missing {
			r.tokens = append(r.tokens, holds(row.Registrant, row.Token))
		}
		if again := creates(); len(again) > 0 {
			t.Fatalf("all is written, and the same answer creates %d more", len(again))
		}
	})
}

// Spaces around a token, and what nobody sees in it, hide no holder.
func TestHolderIsFoundWhateverSurroundsItsToken(t *testing.T) {
	for _, value := range []string{"A", " A", "A\u00a0", "\ufeffA", "A\u200b"} {
		h := newHoldings(nil, nil, identifiers{holds(1, value)})
		if holder, found := h.otherHolder("A", 2); !found || holder != 1 {
			t.Errorf("%q: %d, %v", value, holder, found)
		}
	}
}
