package submit

import (
	"maps"
	"reflect"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

var (
	now     = seedingtest.Now
	earlier = now.Add(-time.Hour)
	later   = now.Add(time.Hour)

	formerKey  = seedingtest.Key("former")
	currentKey = seedingtest.Key("current")
)

// fieldMapper finds the VID, the name and the date of birth in the fields of
// these names.
type fieldMapper struct{}

func (fieldMapper) Map(r seeding.Record) seeding.Demographics {
	value := func(field string) seeding.Value {
		text, present := r[field].(string)
		return seeding.Value{Text: text, Present: present}
	}
	return seeding.Demographics{VID: value("vid"), Name: value("name"), DOB: value("birthdate")}
}

// aToken has the shape of MOSIP's tokens.
const aToken = "312100000000000000000000000000000000"

// The registrant of these tests, its data, and the connector's rules.
var (
	joVID        = seeding.Identifier{ID: 71, Registrant: 7, Value: "5028"}
	joMember     = seeding.Member{Registrant: 7, Identifier: 71}
	joDemography = seeding.Demographics{VID: present("5028"), Name: present("Jo"), DOB: present("1990-02-03")}
	joToken      = []seeding.Identifier{{ID: 72, Registrant: 7, Value: aToken}}
	emptyToken   = []seeding.Identifier{{ID: 73, Registrant: 7}}
)

func present(text string) seeding.Value { return seeding.Value{Text: text, Present: true} }

func joRecord() seeding.Record {
	return seeding.Record{"id": 7.0, "name": "Jo", "birthdate": "1990-02-03"}
}

func testRules() rules {
	return rules{
		registry: "r", connector: "c", configured: 3, mandatory: []string{"name", "dob"}, removeVIDs: true,
		mapper: fieldMapper{}, fingerprintKey: currentKey,
		fingerprintKeys: map[string]seeding.Key{formerKey.ID: formerKey, currentKey.ID: currentKey},
		times:           seeding.DefaultTimes(),
	}
}

// waiting is a rejection of Jo's data as they are, which nothing makes due.
func waiting(kind seeding.RejectionKind) seeding.Rejection {
	return seeding.Rejection{
		Registry: "r", Connector: "c", Subject: joMember.Subject(), Kind: kind, Code: "CODE",
		Fingerprint: seeding.FingerprintOf(formerKey, joDemography), FingerprintKey: formerKey.ID,
		Configured: 3, Attempts: 1, LastAttempt: earlier, Version: 5,
	}
}

// joTaken is the decision to send Jo.
var joTaken = decision{choice: take, candidate: candidate{
	member: joMember, vid: joVID.Value, demographics: joDemography, fingerprint: seeding.FingerprintOf(currentKey, joDemography),
}}

// The questions about a VID are asked in one order; the first that applies
// decides.
func TestTheFirstQuestionThatAppliesDecides(t *testing.T) {
	refused, invalid := waiting(seeding.Refused), seeding.Record{"id": 7.0}
	for name, c := range map[string]struct {
		facts facts
		want  choice
	}{
		"under way comes before not selected":           {facts{taken: true}, skip},
		"under way comes before holding a token":        {facts{taken: true, record: joRecord(), tokens: joToken}, skip},
		"under way comes before being rejected":         {facts{taken: true, before: refused}, skip},
		"under way comes before all that is well":       {facts{taken: true, record: joRecord()}, skip},
		"not selected comes before holding a token":     {facts{tokens: joToken}, forget},
		"not selected comes before an empty token":      {facts{tokens: emptyToken}, forget},
		"not selected comes before being rejected":      {facts{before: refused}, forget},
		"not selected and without a rejection":          {facts{}, forget},
		"holding a token comes before being rejected":   {facts{record: joRecord(), tokens: joToken, before: refused}, remove},
		"holding a token comes before invalid data":     {facts{record: invalid, tokens: joToken}, remove},
		"being rejected comes before invalid data":      {facts{record: invalid, before: seeding.Rejection{Kind: seeding.Invalid, Configured: 3}}, skip},
		"invalid data come before being sent":           {facts{record: invalid}, reject},
		"nothing of all that applies":                   {facts{record: joRecord()}, take},
		"a conflict of others without a token is none":  {facts{record: joRecord(), conflict: true}, take},
		"tokens of another registrant are none of this": {facts{record: joRecord(), holderTokens: joToken}, take},
	} {
		t.Run(name, func(t *testing.T) {
			if got := testRules().decide(joVID, c.facts, now); got.choice != c.want {
				t.Errorf("choice %d, want %d", got.choice, c.want)
			}
		})
	}
}

// Who holds a token that another registrant held first is a duplicate and keeps its
// VID, until one of both holds another token, or none.
func TestVIDStaysBesideATokenThatAnotherHeldFirst(t *testing.T) {
	f := facts{record: joRecord(), tokens: joToken, heldBefore: 4, before: waiting(seeding.NoToken)}
	d := testRules().decide(joVID, f, now)
	if d.choice != reject || d.cause.Kind != seeding.Duplicate || d.cause.Code != seeding.CodeHeldByOther || d.cause.Holder != 4 {
		t.Fatalf("%+v", d)
	}
	f.before = d.cause.Reject("r", "c", joMember.Subject(), 3, f.before, now, seeding.DefaultTimes())
	if !f.before.Next.IsZero() {
		t.Errorf("tried again at %s", f.before.Next)
	}
	for name, c := range map[string]struct {
		change func(*facts)
		want   choice
	}{
		"as before":                                   {func(*facts) {}, skip},
		"somebody else was first":                     {func(f *facts) { f.heldBefore = 3 }, reject},
		"the first has it no more":                    {func(f *facts) { f.heldBefore = 0 }, remove},
		"it holds none itself, and the first does":    {func(f *facts) { f.tokens, f.heldBefore, f.holderTokens = nil, 0, joToken }, skip},
		"nobody of them holds one":                    {func(f *facts) { f.tokens, f.heldBefore = nil, 0 }, take},
		"what it holds is no token":                   {func(f *facts) { f.tokens = emptyToken }, reject},
		"another connector has a conflict on the VID": {func(f *facts) { f.conflict = true }, skip},
	} {
		f := f
		c.change(&f)
		if d := testRules().decide(joVID, f, now.Add(48*time.Hour)); d.choice != c.want {
			t.Errorf("%s: choice %d, want %d", name, d.choice, c.want)
		}
	}
}

// What a registrant holds of the token type may be no token: nobody loses a VID for
// that, and it is listed once.
func TestVIDStaysBesideWhatIsNoToken(t *testing.T) {
	for _, value := range []string{"", " ", "\u200b", "pending", "a", "0", joVID.Value, "5028503920182736", aToken + "x", joVID.Value + joVID.Value, "٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣"} {
		held := []seeding.Identifier{{ID: 72, Registrant: 7, Value: value}}
		for name, tokens := range map[string][]seeding.Identifier{"alone": held, "beside a token": append(held, joToken...)} {
			f := facts{record: joRecord(), tokens: tokens}
			d := testRules().decide(joVID, f, now)
			if d.choice != reject || d.cause.Kind != seeding.Conflict || d.cause.Code != seeding.MOSIPTokens.HeldCode(tokens, joVID.Value) {
				t.Fatalf("%q %s: %+v", value, name, d)
			}
			f.before, f.conflict = d.cause.Reject("r", "c", joMember.Subject(), 3, seeding.Rejection{}, now, seeding.DefaultTimes()), true
			if d := testRules().decide(joVID, f, now.Add(48*time.Hour)); d.choice != skip {
				t.Errorf("%q %s, listed: %+v", value, name, d)
			}
			f.tokens = joToken
			if d := testRules().decide(joVID, f, now); d.choice != forget {
				t.Errorf("%q %s, corrected since: %+v", value, name, d)
			}
			f.tokens = nil
			if d := testRules().decide(joVID, f, now); d.choice != take {
				t.Errorf("%q %s, deleted since: %+v", value, name, d)
			}
		}
	}
	withSpace := []seeding.Identifier{{ID: 72, Registrant: 7, Value: "\ufeff" + aToken + " "}}
	if d := testRules().decide(joVID, facts{record: joRecord(), tokens: withSpace}, now); d.choice != remove {
		t.Errorf("a token with a space and a mark that nobody sees: %+v", d)
	}
}

// A registrant that holds a token is never sent.
func TestWhoHoldsAToken(t *testing.T) {
	emptyHeld := waiting(seeding.Conflict)
	emptyHeld.Code = seeding.CodeEmptyHeld
	listed := decision{choice: reject, cause: seeding.Cause{
		Kind: seeding.Conflict, Code: seeding.CodeEmptyHeld, FingerprintKey: currentKey.ID,
	}}
	oneOfTwoEmpty := append([]seeding.Identifier{joToken[0]}, emptyToken...)
	for name, c := range map[string]struct {
		tokens   []seeding.Identifier
		before   seeding.Rejection
		conflict bool
		keepVIDs bool
		want     decision
	}{
		"its VID is removed":                                      {tokens: joToken, want: decision{choice: remove}},
		"its VID is removed although it was refused":              {tokens: joToken, before: waiting(seeding.Refused), want: decision{choice: remove}},
		"its VID is removed when an empty token was mended":       {tokens: joToken, before: emptyHeld, want: decision{choice: remove}},
		"its VID stays where VIDs are kept":                       {tokens: joToken, keepVIDs: true, want: decision{choice: forget}},
		"its VID stays while anybody has a conflict over it":      {tokens: joToken, conflict: true, want: decision{choice: skip}},
		"its conflict stays where VIDs are kept":                  {tokens: joToken, conflict: true, keepVIDs: true, want: decision{choice: skip}},
		"an empty token is a conflict":                            {tokens: emptyToken, want: listed},
		"an empty token is a conflict where VIDs are kept":        {tokens: emptyToken, keepVIDs: true, want: listed},
		"an empty token is a conflict beside a good one":          {tokens: oneOfTwoEmpty, want: listed},
		"an empty token is listed in the place of another reason": {tokens: emptyToken, before: waiting(seeding.Refused), want: listed},
		"an empty token is listed beside a conflict of others":    {tokens: emptyToken, conflict: true, want: listed},
		"an empty token that is listed already is left":           {tokens: emptyToken, before: emptyHeld, conflict: true, want: decision{choice: skip}},
		"an empty token that is listed is left beside a good one": {tokens: oneOfTwoEmpty, before: emptyHeld, conflict: true, want: decision{choice: skip}},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRules()
			r.removeVIDs = !c.keepVIDs
			f := facts{record: joRecord(), tokens: c.tokens, before: c.before, conflict: c.conflict}
			if got := r.decide(joVID, f, now); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// A rejected registrant waits until one of the reasons makes it due.
func TestWhoWasRejected(t *testing.T) {
	type retried = seeding.Retried
	otherData := seeding.FingerprintOf(formerKey, seeding.Demographics{VID: joDemography.VID})
	for name, c := range map[string]struct {
		kind         seeding.RejectionKind // refused unless said
		change       func(*seeding.Rejection)
		retried      retried
		holderTokens []seeding.Identifier
		sent         bool
	}{
		"waits while nothing changed":                  {},
		"waits as invalid":                             {kind: seeding.Invalid},
		"waits when no answer came":                    {kind: seeding.NoToken},
		"waits when its answer was set aside":          {kind: seeding.SetAside},
		"waits as a duplicate while the holder has it": {kind: seeding.Duplicate, holderTokens: joToken},

		"is sent as a duplicate once the holder has none": {kind: seeding.Duplicate, sent: true},
		"is sent after a conflict once its token is gone": {kind: seeding.Conflict, sent: true},

		"is sent when its data changed": {change: func(r *seeding.Rejection) { r.Fingerprint = otherData }, sent: true},
		"is sent as a duplicate when its data changed": {
			kind: seeding.Duplicate, holderTokens: joToken, change: func(r *seeding.Rejection) { r.Fingerprint = otherData }, sent: true,
		},
		"is sent when the key of its fingerprint is gone": {change: func(r *seeding.Rejection) { r.FingerprintKey = "gone" }, sent: true},
		"waits when its data were never known":            {change: func(r *seeding.Rejection) { r.Fingerprint = seeding.Fingerprint{} }},
		"waits when neither its data nor the key is known": {
			change: func(r *seeding.Rejection) { r.Fingerprint, r.FingerprintKey = seeding.Fingerprint{}, "gone" },
		},

		"is sent when its time has come":    {change: func(r *seeding.Rejection) { r.Next = now }, sent: true},
		"is sent when its time is past":     {change: func(r *seeding.Rejection) { r.Next = earlier }, sent: true},
		"waits for its time":                {change: func(r *seeding.Rejection) { r.Next = now.Add(time.Millisecond) }},
		"is sent after a new configuration": {change: func(r *seeding.Rejection) { r.Configured = 2 }, sent: true},

		"is sent when its kind was retried":              {retried: retried{{Kind: seeding.Refused}: now}, sent: true},
		"is sent when all kinds were retried":            {retried: retried{{}: now}, sent: true},
		"waits when another kind was retried":            {retried: retried{{Kind: seeding.NoToken}: now}},
		"waits when its kind was retried before it":      {retried: retried{{Kind: seeding.Refused}: earlier.Add(-time.Minute)}},
		"waits when all were retried in the same moment": {retried: retried{{}: earlier}},
	} {
		t.Run(name, func(t *testing.T) {
			before := waiting(seeding.Refused)
			if c.kind != "" {
				before.Kind = c.kind
			}
			if c.change != nil {
				c.change(&before)
			}
			r := testRules()
			r.retried = c.retried
			want := decision{choice: skip}
			if c.sent {
				want = joTaken
			}
			if got := r.decide(joVID, facts{record: joRecord(), before: before, holderTokens: c.holderTokens}, now); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// What is sent, or rejected unsent, and with which fingerprint.
func TestWhatIsSentOrRejectedUnsent(t *testing.T) {
	nameless := seeding.Demographics{VID: present("5028"), DOB: present("1990-02-03")}
	invalid := func(code string, d seeding.Demographics) decision {
		return decision{choice: reject, cause: seeding.Cause{
			Kind: seeding.Invalid, Code: code, Fingerprint: seeding.FingerprintOf(currentKey, d), FingerprintKey: currentKey.ID,
		}}
	}
	dueInvalid := waiting(seeding.Invalid)
	dueInvalid.Configured = 2
	for name, c := range map[string]struct {
		record    seeding.Record
		vid       string
		mandatory []string
		before    seeding.Rejection
		want      decision
	}{
		"complete data are sent": {record: joRecord(), vid: "5028", mandatory: []string{"name", "dob"}, want: joTaken},
		"data that lack a mandatory field are rejected": {
			record: seeding.Record{"birthdate": "1990-02-03"}, vid: "5028", mandatory: []string{"name", "dob"}, want: invalid("ATS-REQ-010", nameless),
		},
		"data that lack another field are sent": {
			record: seeding.Record{"birthdate": "1990-02-03"}, vid: "5028", mandatory: []string{"dob"},
			want: decision{choice: take, candidate: candidate{member: joMember, vid: joVID.Value, demographics: nameless, fingerprint: seeding.FingerprintOf(currentKey, nameless)}},
		},
		"an empty VID is rejected though no field is mandatory": {
			record: joRecord(), vid: "", want: invalid("ATS-REQ-009", seeding.Demographics{VID: present(""), Name: joDemography.Name, DOB: joDemography.DOB}),
		},
		"the VID is the identifier's, whatever the record says of it": {
			record: seeding.Record{"vid": "another", "name": "Jo", "birthdate": "1990-02-03"}, vid: "5028", want: joTaken,
		},
		"data that are due and still invalid are rejected again": {
			record: seeding.Record{"birthdate": "1990-02-03"}, vid: "5028", mandatory: []string{"name"}, before: dueInvalid, want: invalid("ATS-REQ-010", nameless),
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRules()
			r.mandatory = c.mandatory
			vid, before := joVID, maps.Clone(c.record)
			vid.Value = c.vid
			if got := r.decide(vid, facts{record: c.record, before: c.before}, now); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if !reflect.DeepEqual(c.record, before) {
				t.Errorf("the record is changed: %v, was %v", c.record, before)
			}
		})
	}
}

// spaced are ways in which a VID is entered with characters that nobody sees.
var spaced = map[string]string{
	"a space before": " 5028", "spaces behind": "5028  ", "a tab and a line break": "\t5028\r\n", "a no-break space": "5028\u00a0",
	"a thin space": "\u20095028", "a zero-width space": "\u200b5028", "a byte order mark": "\ufeff5028", "a direction mark": "5028\u200e",
	"a soft hyphen": "50\u00ad28", "all of them": "\ufeff \u200b5028\u00a0\u200f ",
}

// Spaces around a VID, and marks that nobody sees, are not sent; the MAC fits the
// VID as the registry has it, as it is now and once it is corrected.
func TestVIDIsSentWithoutWhatNobodySees(t *testing.T) {
	for name, text := range spaced {
		t.Run(name, func(t *testing.T) {
			vid := joVID
			vid.Value = text
			got := testRules().decide(vid, facts{record: joRecord()}, now)
			want := joTaken
			want.candidate.vid = text
			if got != want {
				t.Fatalf("%+v, want %+v", got, want)
			}
			row := seedingtest.Key("row")
			sent := record(got.candidate, row, seedingtest.Key("capability"), "b")
			if sent.VID != "5028" {
				t.Errorf("sends %q", sent.VID)
			}
			for _, held := range []string{text, "5028"} {
				mac := seeding.RowMACOf(row, "b", joMember, held, got.candidate.fingerprint)
				if key := seeding.Seal(seedingtest.Key("capability"), "b", seeding.CorrelationKey(joMember, mac, got.candidate.fingerprint)); key != sent.Key {
					t.Errorf("the row does not fit the VID %q", held)
				}
			}
		})
	}
	vid := joVID
	vid.Value = " \u200b"
	if got := testRules().decide(vid, facts{record: joRecord()}, now); got.cause.Code != "ATS-REQ-009" {
		t.Errorf("a VID of spaces: %+v", got)
	}
}

// prefixed is a mapping that sends another VID than the registry has.
type prefixed struct{ fieldMapper }

func (p prefixed) Map(r seeding.Record) seeding.Demographics {
	d := p.fieldMapper.Map(r)
	d.VID.Text = "00" + d.VID.Text + " "
	return d
}

// A mapping may change the VID that is sent. The row still fits: patch knows the
// VID of the registry only.
func TestRowFitsTheVIDOfTheRegistryWhateverIsSent(t *testing.T) {
	r := testRules()
	r.mapper = prefixed{}
	x := r.decide(joVID, facts{record: joRecord()}, now).candidate
	row := seedingtest.Key("row")
	sent := record(x, row, seedingtest.Key("capability"), "b")
	mac := seeding.RowMACOf(row, "b", joMember, joVID.Value, x.fingerprint)
	if want := seeding.Seal(seedingtest.Key("capability"), "b", seeding.CorrelationKey(joMember, mac, x.fingerprint)); sent.VID != "005028" || sent.Key != want {
		t.Errorf("sends %q with %s, want %s", sent.VID, sent.Key, want)
	}
}
