package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

const (
	ana = "0000000001000100" // VIDs of two persons
	ben = "0000000002000100"
)

// entry is a registrant with these VIDs and tokens.
func entry(id int64, kind odoosim.Kind, vids, tokens []string) odoosim.Entry {
	e := odoosim.Entry{Registrant: id, Kind: kind}
	for _, v := range vids {
		e.Identifiers = append(e.Identifiers, odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: v})
	}
	for _, v := range tokens {
		e.Identifiers = append(e.Identifiers, odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: v})
	}
	return e
}

func TestEveryRegistrantIsInItsLine(t *testing.T) {
	none, anas := []string(nil), mtssim.Token(ana)
	for name, c := range map[string]struct {
		kind         odoosim.Kind
		vids, tokens []string // before
		nowV, nowT   []string
		rejected     *rejection
		changed      bool // it was given ben's VID under way
		is           line
		right        bool
	}{
		"tokenised":             {odoosim.Plain, []string{ana}, none, none, []string{anas}, nil, false, line{outcome: tokenised}, true},
		"VID still there":       {odoosim.Plain, []string{ana}, none, []string{ana}, []string{anas}, nil, false, line{outcome: kept}, false},
		"another's token":       {odoosim.Plain, []string{ana}, none, none, []string{mtssim.Token(ben)}, nil, false, line{outcome: foreign}, false},
		"token twice":           {odoosim.Plain, []string{ana}, none, none, []string{anas, anas}, nil, false, line{outcome: several}, false},
		"VID gone, no token":    {odoosim.Plain, []string{ana}, none, none, none, nil, false, line{outcome: bereft}, false},
		"nothing happened":      {odoosim.Plain, []string{ana}, none, []string{ana}, none, nil, false, line{outcome: pending}, false},
		"new VID's token":       {odoosim.Plain, []string{ana}, none, none, []string{mtssim.Token(ben)}, nil, true, line{outcome: tokenisedAnew}, true},
		"former VID's token":    {odoosim.Plain, []string{ana}, none, none, []string{anas}, nil, true, line{outcome: foreign}, false},
		"new VID pending":       {odoosim.Plain, []string{ana}, none, []string{ben}, none, nil, true, line{outcome: pending}, false},
		"relieved":              {odoosim.TokenisedVID, []string{ana}, []string{"9"}, none, []string{"9"}, nil, false, line{outcome: relieved}, true},
		"not relieved":          {odoosim.TokenisedVID, []string{ana}, []string{"9"}, []string{ana}, []string{"9"}, nil, false, line{outcome: kept}, false},
		"token replaced":        {odoosim.TokenisedVID, []string{ana}, []string{"9"}, none, []string{"8"}, nil, false, line{outcome: foreign}, false},
		"token lost":            {odoosim.Tokenised, none, []string{"9"}, none, none, nil, false, line{outcome: bereft}, false},
		"holds a token already": {odoosim.Tokenised, none, []string{"9"}, none, []string{"9"}, nil, false, line{outcome: untouched, kind: idle(odoosim.Tokenised)}, true},
		"rejected":              {odoosim.NoGender, []string{ana}, none, []string{ana}, none, &rejection{Kind: "invalid", Code: "ATS-REQ-011"}, false, line{rejected, "invalid", "ATS-REQ-011"}, true},
		"rejected by either":    {odoosim.BlankAddress, []string{ana}, none, []string{ana}, none, &rejection{Kind: "invalid", Code: "ATS-REQ-008"}, false, line{rejected, "invalid", "ATS-REQ-008"}, true},
		"rejected for another":  {odoosim.NoGender, []string{ana}, none, []string{ana}, none, &rejection{Kind: "invalid", Code: "ATS-REQ-012"}, false, line{rejected, "invalid", "ATS-REQ-012"}, false},
		"rejected though well":  {odoosim.Plain, []string{ana}, none, []string{ana}, none, &rejection{Kind: "refused", Code: "IDA-MLC-009"}, false, line{rejected, "refused", "IDA-MLC-009"}, false},
		"tokenised though not":  {odoosim.RefusedVID, []string{ana}, none, none, []string{anas}, nil, false, line{outcome: tokenised}, false},
		"expired":               {odoosim.ExpiredVID, []string{ana}, none, []string{ana}, none, nil, false, line{outcome: untouched, kind: idle(odoosim.ExpiredVID)}, true},
		"expired, yet sent":     {odoosim.ExpiredVID, []string{ana}, none, none, []string{anas}, nil, false, line{outcome: tokenised}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence{
				before: []odoosim.Entry{entry(7, c.kind, c.vids, c.tokens)},
				after:  []odoosim.Entry{entry(7, c.kind, c.nowV, c.nowT)},
			}
			if c.rejected != nil {
				c.rejected.Registrant = 7
				e.rejections = []rejection{*c.rejected}
			}
			if c.changed {
				e.changed = change{7, ben}
			}
			lines, misplaced := e.registrants()
			if (misplaced == 0) != c.right {
				t.Errorf("%d misplaced", misplaced)
			}
			for _, l := range lines {
				if want := l.line == c.is; want != (l.is == 1) || (l.is == l.should) != c.right {
					t.Errorf("%d, should be %d: %s", l.is, l.should, l.text(nil))
				}
			}
		})
	}
}

func TestSecondRegistrantOfAPersonIsADuplicate(t *testing.T) {
	before := []odoosim.Entry{
		entry(7, odoosim.SharedPerson, []string{ana}, nil),
		entry(8, odoosim.SharedPerson, []string{"0000000001777700"}, nil),
	}
	won, lost := entry(7, odoosim.SharedPerson, nil, []string{mtssim.Token(ana)}), before[1]
	e := evidence{
		before: before, after: []odoosim.Entry{won, lost},
		rejections: []rejection{{Registrant: 8, Kind: "duplicate", Code: "MTSC-HELD"}},
	}
	if lines, misplaced := e.registrants(); misplaced != 0 || len(lines) != 2 {
		t.Errorf("%d misplaced in %v", misplaced, lines)
	}
	e.rejections = nil
	if _, misplaced := e.registrants(); misplaced != 1 {
		t.Errorf("%d misplaced, want 1: nobody said that it is a duplicate", misplaced)
	}
}

// Whatever happened, the lines add up to the registrants.
func TestTheAccountAddsUp(t *testing.T) {
	registry := odoosim.New(odoosim.Options{})
	expected := registry.Populate(500, 1)
	e := evidence{before: registry.Entries()}
	for _, c := range []struct {
		name string
		do   func()
		sum  int // one more for somebody new
	}{
		{"untouched", func() {}, 500},
		{"one deleted", func() { registry.DeleteRegistrant(e.before[3].Registrant) }, 500},
		{"one added", func() { registry.AddRegistrant(odoosim.Registrant{Name: "X"}) }, 501},
	} {
		c.do()
		e.after = registry.Entries()
		lines, misplaced := e.registrants()
		sum, should := 0, 0
		for _, l := range lines {
			sum, should = sum+l.is, should+l.should
		}
		if sum != c.sum || should != 500 {
			t.Errorf("%s: %d in the lines, %d should be", c.name, sum, should)
		}
		idle := expected.Made[odoosim.Tokenised] + expected.Made[odoosim.ExpiredVID] + expected.Made[odoosim.ArchivedVID] +
			expected.Made[odoosim.NoVID] + expected.Made[odoosim.Group]
		if c.name == "untouched" && misplaced != 500-idle {
			t.Errorf("%d misplaced, want all but %d", misplaced, idle)
		}
	}
}

func TestVerdict(t *testing.T) {
	good := func() *account {
		return &account{
			lines:    []counted{{line{outcome: tokenised}, 9, 9}, {line{rejected, "invalid", "ATS-REQ-012"}, 1, 1}},
			registry: []figure{{"tokens", 9, 9}}, under: []figure{{"open batches", 0, 0}},
			batches:  []figure{{"tokenised", 8, 9}}, // may miss
			expected: odoosim.Expectation{Registrants: 10}, last: snapshot{settled: true},
		}
	}
	if err := good().verdict(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*account){
		"2 registrants are not where they should be (8 instead of 9 tokenised": func(a *account) {
			a.misplaced = 2
			a.lines[0].is, a.lines[1].is = 8, 2
		},
		"tokens: 8 instead of 9":            func(a *account) { a.registry[0].is = 8 },
		"open batches: 1 instead of 0":      func(a *account) { a.under[0].is = 1 },
		"the account has 9 registrants":     func(a *account) { a.lines = a.lines[:1] },
		"nothing had moved for 15m0s":       func(a *account) { a.last.settled = false },
		"not as it should be: open batches": func(a *account) { a.under[0].is = 1 },
	} {
		a := good()
		spoil(a)
		if err := a.verdict(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestProgressOfNoTerminalSpeaksOnlyOfChanges(t *testing.T) {
	var out bytes.Buffer
	show := newProgress(&out)
	show.start()
	for _, text := range []string{"one", "one", "two", "two"} { // all within a moment
		show.show(text, false)
	}
	show.show("end", true)
	show.say("after")
	var said []string
	for line := range strings.Lines(out.String()) {
		said = append(said, strings.TrimPrefix(strings.TrimSpace(line), "0s "))
	}
	if !slices.Equal(said, []string{"one", "end", "after"}) {
		t.Errorf("%q", said)
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 50000: "50,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}

func TestSettings(t *testing.T) {
	read := func(pairs ...string) (settings, error) {
		return readSettings(func(name string) string {
			if i := slices.Index(pairs, name); i >= 0 {
				return pairs[i+1]
			}
			return ""
		})
	}
	for _, c := range []struct {
		name  string
		given []string
		want  settings
	}{
		{"nothing", nil, settings{false, 2000, 0, "127.0.0.0/8", "", "127.0.0.1:8080"}},
		{"all", []string{"MTSC_ONCE", "1", "MTSC_REGISTRANTS", "50000", "MTSC_PACE", "real", "MTSC_ALLOW", "10.0.0.0/8, ::1/128"},
			settings{true, 50000, 1, "127.0.0.0/8,10.0.0.0/8,::1/128", "", "127.0.0.1:8080"}},
		{"callbacks of this machine", []string{"MTSC_CALLBACK_BASE", "http://127.0.0.2:9000/"},
			settings{false, 2000, 0, "127.0.0.0/8", "http://127.0.0.2:9000", "127.0.0.2:9000"}},
		{"callbacks of another", []string{"MTSC_CALLBACK_BASE", "https://hooks.example.org/a"},
			settings{false, 2000, 0, "127.0.0.0/8", "https://hooks.example.org/a", "127.0.0.1:8080"}},
	} {
		if got, err := read(c.given...); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	for _, wrong := range [][2]string{
		{"ONCE", "yes"}, {"REGISTRANTS", "0"}, {"REGISTRANTS", "2k"}, {"PACE", "fast"}, {"PACE", "-1"}, {"PACE", "NaN"},
		{"ALLOW", "10.0.0.1"}, {"CALLBACK_BASE", "here"}, {"CALLBACK_BASE", "ftp://here"},
	} {
		if _, err := read("MTSC_"+wrong[0], wrong[1]); err == nil || !strings.HasPrefix(err.Error(), wrong[0]+"="+wrong[1]+":") {
			t.Errorf("%s=%s: %v", wrong[0], wrong[1], err)
		}
	}
}
