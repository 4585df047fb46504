package system_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// An MTS that makes something of the shape of a token out of what it is sent, or has
// one for everybody, replaces no VID by it.
func TestMadeUpTokensReplaceNoVID(t *testing.T) {
	vids := []string{"0000001003", "0000001017", "0000001031"}
	for name, c := range map[string]struct {
		token func(vid string) string
		text  string
	}{
		"the VID twice":           {func(vid string) string { return vid + vid }, seeding.TokensMade.Text},
		"the VID between zeros":   {func(vid string) string { return strings.Repeat("0", 10) + vid + strings.Repeat("0", 10) }, seeding.TokensMade.Text},
		"the VID and zeros":       {func(vid string) string { return vid + strings.Repeat("0", 16) }, seeding.TokensMade.Text},
		"the VID in random ones":  {func(vid string) string { return mtssim.Token(vid)[:10] + vid + mtssim.Token(vid)[:10] }, seeding.TokensMade.Text},
		"one digit":               {func(string) string { return strings.Repeat("1", 36) }, seeding.TokensMade.Text},
		"one token for all":       {func(string) string { return mtssim.Token(vids[0]) }, seeding.TokensAlike.Text},
		"three tokens for all":    {func(vid string) string { return mtssim.Token(vids[int(vid[9]+vid[11])%3]) }, seeding.TokensAlike.Text},
		"one token, marked apart": {func(vid string) string { return mtssim.Token(vids[0]) + strings.Repeat("\u200b", int(vid[9]-'0')) }, seeding.TokensAlike.Text},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkReplaceNoVID(t, 20, c.token, c.text)
		})
	}
}

// checkReplaceNoVID checks that tokens of an MTS replace no VID for as many ticks, that
// a problem has the text, and that all is well once MTS gives tokens.
func checkReplaceNoVID(t *testing.T, ticks int, token func(vid string) string, text string) {
	t.Helper()
	var broken atomic.Bool
	broken.Store(true)
	w := newWorld(t, options{mts: mtssim.Options{Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
		if broken.Load() {
			return mtssim.Verdict{Token: token(a.VID)}
		}
		return mtssim.Rules(ctx, a)
	}}})
	w.addRegistrants(60)
	before := w.now()
	c := w.connector(nil)
	w.ticks(ticks)
	expect(t, "tokens at the registry", w.registry.State().Tokens, 0)
	expect(t, "VIDs left", len(w.vids()), 60)
	expect(t, "tokenised in the totals", w.totals(c).Tokenised, 0)
	_, rejected := w.rejections(c)
	expect(t, "rejections", len(rejected), 0)
	problems := w.problems(c)
	expect(t, "problem", problems[seeding.ProblemTokens].Text, text)
	if _, blocked := problems[seeding.ProblemIdentity]; !blocked {
		t.Error("registrants are sent as if all were well")
	}
	broken.Store(false)
	w.finish(120, c)
	w.checkInvariants(c, before)
	expect(t, "tokenised in the end", w.tokenised(), 60)
	expect(t, "problems in the end", len(w.problems(c)), 0)
}

// Registrants of one person get one token: one holds it, the others are duplicates,
// and MTS is not to blame.
func TestRegistrantsOfOnePersonAreNoFaultOfMTS(t *testing.T) {
	for name, c := range map[string]struct{ alike, others int }{"a pair": {2, 0}, "a pair and another": {2, 1}, "five among others": {5, 15}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{mts: mtssim.Options{Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
				if a.VID < odoosim.DemoVID(1000+int64(c.alike), 0, 0) {
					a.VID = odoosim.DemoVID(1000, 1, odoosim.Normal)
				}
				return mtssim.Rules(ctx, a)
			}}})
			w.addRegistrants(c.alike + c.others)
			w.setBatchSize(20)
			connector := w.connector(nil)
			w.finish(30, connector)
			expect(t, "tokenised", w.tokenised(), 1+c.others)
			_, rejected := w.rejections(connector)
			for _, r := range rejected {
				expect(t, "kind", r.Kind, seeding.Duplicate)
			}
			expect(t, "duplicates", len(rejected), c.alike-1)
			expect(t, "problems", len(w.problems(connector)), 0)
		})
	}
}

// An MTS that sends anything but tokens replaces no VID by it: nothing is written,
// nobody is counted, and the connector says so and only probes until tokens come.
func TestRubbishReplacesNoVID(t *testing.T) {
	for name, rubbish := range map[string]func(vid string) string{
		"a letter":           func(string) string { return "a" },
		"the VID itself":     func(vid string) string { return vid },
		"a word":             func(string) string { return "null" },
		"markup":             func(string) string { return "<b>" + strings.Repeat("1", 36) + "</b>" },
		"a token of letters": func(string) string { return "Ym5GGleokCv3PQdcUz6PR-8BktVdmr9ZTFkwoZpU6Z4" },
		"a number too long":  func(string) string { return strings.Repeat("1", 90) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkReplaceNoVID(t, 10, rubbish, seeding.TokensMisshapen.Text)
		})
	}
}

// Rubbish for one registrant among others keeps nobody else from a token. The
// registrant keeps its VID, is listed, and is asked for again more and more rarely.
func TestRubbishForOneStopsNobodyElse(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	target := odoosim.DemoVID(1007, 1, odoosim.Normal)
	w := newWorld(t, options{mts: mtssim.Options{Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
		if a.VID == target && broken.Load() {
			return mtssim.Verdict{Token: "0000"}
		}
		return mtssim.Rules(ctx, a)
	}}})
	ids := w.addRegistrants(60)
	before := w.now()
	c := w.connector(nil)
	w.finish(30, c)
	expect(t, "tokenised", w.tokenised(), 59)
	expect(t, "VIDs left", len(w.vids()), 1)
	_, rejected := w.rejections(c)
	expect(t, "code", rejected[ids[7]].Code, seeding.CodeTokenShape)
	if _, shown := w.problems(c)[seeding.ProblemTokens]; !shown {
		t.Error("no problem is shown")
	}
	broken.Store(false)
	w.clock.Advance(25 * time.Hour)
	w.finishNextRun(30, c)
	w.checkInvariants(c, before)
	expect(t, "tokenised in the end", w.tokenised(), 60)
	expect(t, "problems in the end", len(w.problems(c)), 0)
}

// Spaces and marks that nobody sees around a token of MTS are not written, and two
// registrants of one person are one person whatever is around the token.
func TestTokenIsWrittenWithoutWhatNobodySees(t *testing.T) {
	around := map[string][2]string{
		odoosim.DemoVID(1000, 1, odoosim.Normal): {"", " "}, odoosim.DemoVID(1001, 1, odoosim.Normal): {"\ufeff", "\u200b"},
		odoosim.DemoVID(1002, 1, odoosim.Normal): {"\u200e ", "\u00a0"},
	}
	w := newWorld(t, options{mts: mtssim.Options{Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
		v := mtssim.Rules(ctx, a)
		v.Token = around[a.VID][0] + v.Token + around[a.VID][1]
		return v
	}}})
	w.addRegistrants(5)
	twice := w.registry.AddRegistrant(odoosim.Registrant{Name: "Twice", GivenName: "Twice", Gender: "Male", Birthdate: "1980-01-01", Address: "1 Long Street"})
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: twice, Type: odoosim.VIDType, Value: odoosim.DemoVID(1001, 2, odoosim.Normal)})
	before := w.now()
	c := w.connector(nil)
	w.finish(30, c)
	w.checkInvariants(c, before)
	expect(t, "tokenised", w.tokenised(), 5)
	_, rejected := w.rejections(c)
	expect(t, "kind of the second registrant of a person", rejected[twice].Kind, seeding.Duplicate)
}

// Nobody loses a VID for something of the token type that is no token, whoever
// wrote it and when.
func TestVIDStaysBesideWhatIsNoToken(t *testing.T) {
	for name, when := range map[string]string{"before the run": "before", "while MTS works": "callback"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			ids := w.addRegistrants(30)
			values := map[int64]string{ids[3]: "pending", ids[4]: "a", ids[5]: strings.Repeat("1", 16), ids[6]: "-"}
			add := func() {
				for id, value := range values {
					w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: value})
				}
			}
			before := w.now()
			if when == "before" {
				add()
			} else {
				w.atFirstCallback(add)
				w.setBatchSize(30)
			}
			c := w.connector(func(c *seeding.Connector) { c.Source.Domain = `[["is_registrant","=",true]]` })
			w.finish(30, c)
			w.finishNextRun(30, c)
			_, rejected := w.rejections(c)
			for id := range values {
				expect(t, "kind", rejected[id].Kind, seeding.Conflict)
				expect(t, "code", rejected[id].Code, seeding.CodeNotToken)
				expect(t, "VID", w.vidOf(id).Value, before.VID(id))
			}
			expect(t, "VIDs left", len(w.vids()), len(values))
		})
	}
}

// A registrant whose token was entered with a mark that nobody sees holds it: a
// second registrant of the same person is a duplicate, and gets no token.
func TestDuplicateOfATokenWithASpaceIsFound(t *testing.T) {
	for name, held := range map[string]func(token string) string{
		"a space behind":    func(token string) string { return token + " " },
		"a mark before":     func(token string) string { return "\ufeff" + token },
		"a zero width mark": func(token string) string { return token + "\u200b" },
		"two spaces":        func(token string) string { return token + "  " },
		"spaces around":     func(token string) string { return " " + token + " " },
		"a tab":             func(token string) string { return token + "\t" },
		"a line break":      func(token string) string { return token + "\n" },
		"two of them":       func(token string) string { return token + "\r\n" },
		"a soft hyphen":     func(token string) string { return token + "\u00ad" },
		"a mark within":     func(token string) string { return token[:5] + "\u200b" + token[5:] },
		"a direction":       func(token string) string { return "\u202a" + token + "\u202c" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{})
			vid := odoosim.DemoVID(1000, 2, odoosim.Normal)
			token := mtssim.Rules(t.Context(), mtssim.Applicant{VID: vid}).Token
			person := odoosim.Registrant{Name: "Ana", GivenName: "Ana", Gender: "Male", Birthdate: "1980-01-01", Address: "1 Long Street"}
			first, second := w.registry.AddRegistrant(person), w.registry.AddRegistrant(person)
			w.registry.AddIdentifier(odoosim.Identifier{Registrant: first, Type: odoosim.TokenType, Value: held(token)})
			w.registry.AddIdentifier(odoosim.Identifier{Registrant: second, Type: odoosim.VIDType, Value: vid})
			c := w.connector(nil)
			w.finish(30, c)

			_, rejections := w.rejections(c)
			if r := rejections[second]; r.Kind != seeding.Duplicate || r.Holder != first {
				t.Errorf("%q, holder %d of %d", r.Kind, r.Holder, first)
			}
			for _, i := range w.registry.Identifiers(second) {
				if i.Type != odoosim.VIDType {
					t.Error("the second registrant got a token")
				}
			}
		})
	}
}
