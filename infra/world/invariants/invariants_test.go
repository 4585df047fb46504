package invariants

import (
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

const (
	ana = "0000000001000100" // VIDs of two persons
	ben = "0000000002000100"
)

var (
	anas = mtssim.Token(ana)
	bens = mtssim.Token(ben)
)

func vid(values ...string) Holding   { return Holding{VIDs: values} }
func token(values ...string) Holding { return Holding{Tokens: values} }

// rules are the rules that are violated, in the order in which they were found.
func rules(list []Violation) (found []Rule) {
	for _, v := range list {
		found = append(found, v.Rule)
	}
	return found
}

func TestIdentifiers(t *testing.T) {
	for name, c := range map[string]struct {
		before []Registry
		now    Registry
		want   []Rule
	}{
		"nothing happened": {[]Registry{{7: vid(ana)}}, Registry{7: vid(ana)}, nil},
		"tokenised":        {[]Registry{{7: vid(ana)}}, Registry{7: token(anas)}, nil},
		"tokenised, the VID not removed yet": {
			[]Registry{{7: vid(ana)}}, Registry{7: {VIDs: []string{ana}, Tokens: []string{anas}}}, nil,
		},
		"token kept": {[]Registry{{7: token("9")}}, Registry{7: token("9")}, nil},
		"token kept, and the VID removed": {
			[]Registry{{7: {VIDs: []string{ana}, Tokens: []string{"9"}}}}, Registry{7: token("9")}, nil,
		},
		"token of a VID that it was given later": {[]Registry{{7: vid(ana)}, {7: vid(ben)}}, Registry{7: token(bens)}, nil},
		"token of the VID that it had first":     {[]Registry{{7: vid(ana)}, {7: vid(ben)}}, Registry{7: token(anas)}, nil},
		"token given by somebody else":           {[]Registry{{7: vid(ana)}, {7: token("9")}}, Registry{7: token("9")}, nil},
		"added later":                            {[]Registry{{}, {7: vid(ana)}}, Registry{7: token(anas)}, nil},
		"unknown before":                         {[]Registry{{}}, Registry{7: token("9")}, nil},
		"gone now":                               {[]Registry{{7: vid(ana)}}, Registry{}, nil},

		"two tokens":                 {[]Registry{{7: vid(ana)}}, Registry{7: token(anas, anas)}, []Rule{SecondToken}},
		"two tokens, unknown before": {nil, Registry{7: token("8", "9")}, []Rule{SecondToken}},
		"somebody else's token":      {[]Registry{{7: vid(ana)}}, Registry{7: token(bens)}, []Rule{WrongToken}},
		"token out of nothing":       {[]Registry{{7: vid()}}, Registry{7: token(bens)}, []Rule{WrongToken}},
		"token replaced":             {[]Registry{{7: token("9")}}, Registry{7: token("8")}, []Rule{WrongToken}},
		"token replaced by the one of its VID": {
			[]Registry{{7: {VIDs: []string{ana}, Tokens: []string{"9"}}}}, Registry{7: token(anas)}, []Rule{WrongToken},
		},
		"second token, of somebody else": {[]Registry{{7: vid(ana)}}, Registry{7: token(anas, bens)}, []Rule{SecondToken, WrongToken}},
		"one token at two registrants": {
			[]Registry{{7: vid(ana), 8: vid(ana)}}, Registry{7: token(anas), 8: token(anas)}, []Rule{SharedToken},
		},
		"one token at two registrants, unknown before": {nil, Registry{7: token("9"), 8: token("9")}, []Rule{SharedToken}},
		"VID gone":              {[]Registry{{7: vid(ana)}}, Registry{7: {}}, []Rule{Loss}},
		"one of two VIDs gone":  {[]Registry{{7: vid(ana, ben)}}, Registry{7: vid(ana)}, []Rule{Loss}},
		"token gone":            {[]Registry{{7: token("9")}}, Registry{7: {}}, []Rule{Loss}},
		"later VID gone":        {[]Registry{{7: {}}, {7: vid(ana)}}, Registry{7: {}}, []Rule{Loss}},
		"other identifier gone": {[]Registry{{7: {VIDs: []string{ana}, Others: []string{"N1"}}}}, Registry{7: token(anas)}, []Rule{OtherGone}},
		"other identifier changed": {
			[]Registry{{7: {Others: []string{"N1"}}}}, Registry{7: {Others: []string{"N2"}}}, []Rule{OtherGone},
		},
	} {
		list := Identifiers(c.now, c.before...)
		if !slices.Equal(rules(list), c.want) {
			t.Errorf("%s: %v", name, list)
		}
		for _, v := range list {
			if v.Registrant < 7 || !strings.HasPrefix(v.String(), "registrant ") || strings.Contains(v.Text, anas) || strings.Contains(v.Text, ana) {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
}

func TestRegistrants(t *testing.T) {
	list := Registrants(Registry{1: {}, 3: {}}, Registry{1: vid(ana), 2: {}})
	if !slices.Equal(rules(list), []Rule{Missing, Added}) || list[0].Registrant != 2 || list[1].Registrant != 3 {
		t.Errorf("%+v", list)
	}
}

func TestRejections(t *testing.T) {
	soon := time.Now()
	rejection := func(kind seeding.RejectionKind, next time.Time) []seeding.Rejection {
		return []seeding.Rejection{{Subject: seeding.Member{Registrant: 7}.Subject(), Kind: kind, Next: next}}
	}
	kinds := map[int64]odoosim.Kind{7: odoosim.Plain, 8: odoosim.ExpiredVID}
	for name, c := range map[string]struct {
		now        Registry
		rejections []seeding.Rejection
		want       []Rule
	}{
		"tokenised":                         {Registry{7: token(anas)}, nil, nil},
		"without a VID":                     {Registry{7: {}}, nil, nil},
		"expired":                           {Registry{8: vid(ana)}, nil, nil},
		"invalid data":                      {Registry{7: vid(ana)}, rejection(seeding.Invalid, time.Time{}), nil},
		"duplicate":                         {Registry{7: vid(ana)}, rejection(seeding.Duplicate, time.Time{}), nil},
		"refused, to be tried again":        {Registry{7: vid(ana)}, rejection(seeding.Refused, soon), nil},
		"has a VID, and nothing is decided": {Registry{7: vid(ana)}, nil, []Rule{Undecided}},
		"refused for ever":                  {Registry{7: vid(ana)}, rejection(seeding.Refused, time.Time{}), []Rule{Forgotten}},
		"unanswered for ever":               {Registry{7: vid(ana)}, rejection(seeding.NoToken, time.Time{}), []Rule{Forgotten}},
		"set aside for ever":                {Registry{7: vid(ana)}, rejection(seeding.SetAside, time.Time{}), []Rule{Forgotten}},
	} {
		if list := Rejections(c.now, c.rejections, kinds); !slices.Equal(rules(list), c.want) {
			t.Errorf("%s: %v", name, list)
		}
	}
	if list := Rejections(Registry{8: vid(ana)}, nil, nil); !slices.Equal(rules(list), []Rule{Undecided}) {
		t.Errorf("of an unknown kind: %v", list)
	}
}

func TestSent(t *testing.T) {
	times := map[string]int{ana: 1, ben: 2}
	if list := Sent(times, 2); len(list) > 0 {
		t.Errorf("%v", list)
	}
	if list := Sent(times, 1); !slices.Equal(rules(list), []Rule{SentAgain}) || strings.Contains(list[0].Text, ben) {
		t.Errorf("%v", list)
	}
}

// Every violation that can happen in a populated registry is found, by the
// functions that look at registrants or by the figures of the whole.
func TestSpoiledRegistry(t *testing.T) {
	type registry = *odoosim.Server
	for name, c := range map[string]struct {
		spoil   func(r registry, id int64, vid odoosim.Identifier)
		rules   []Rule
		figures []string // that differ from those of the untouched registry
	}{
		"nothing": {func(registry, int64, odoosim.Identifier) {}, nil, nil},
		"tokenised": {func(r registry, id int64, vid odoosim.Identifier) {
			r.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: mtssim.Token(vid.Value)})
			r.DeleteIdentifier(vid.ID)
		}, nil, []string{"tokens", "different tokens", "VIDs left"}},
		"a VID gone without a token": {func(r registry, _ int64, vid odoosim.Identifier) {
			r.DeleteIdentifier(vid.ID)
		}, []Rule{Loss}, []string{"VIDs left"}},
		"two tokens": {func(r registry, id int64, vid odoosim.Identifier) {
			for range 2 {
				r.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: mtssim.Token(vid.Value)})
			}
		}, []Rule{SecondToken}, []string{"tokens", "different tokens", "registrants with more than one token", "registrants with a token and a VID"}},
		"a registrant gone": {func(r registry, id int64, _ odoosim.Identifier) {
			r.DeleteRegistrant(id)
		}, []Rule{Missing}, []string{"VIDs left", "registrants"}},
		"a registrant added": {func(r registry, _ int64, _ odoosim.Identifier) {
			r.AddRegistrant(odoosim.Registrant{Name: "X"})
		}, []Rule{Added}, []string{"registrants"}},
	} {
		server := odoosim.New(odoosim.Options{})
		expected := server.Populate(200, 1)
		start := RegistryOf(server.Snapshot())
		untouched := Counts(start, expected)
		for _, entry := range server.Entries() {
			if i := slices.IndexFunc(entry.Identifiers, func(i odoosim.Identifier) bool { return i.Type == odoosim.VIDType }); entry.Kind == odoosim.Plain {
				c.spoil(server, entry.Registrant, entry.Identifiers[i])
				break
			}
		}
		now := RegistryOf(server.Snapshot())
		if found := rules(slices.Concat(Identifiers(now, start), Registrants(now, start))); !slices.Equal(found, c.rules) {
			t.Errorf("%s: %v", name, found)
		}
		var changed []string
		for i, f := range Counts(now, expected) {
			if f != untouched[i] {
				changed = append(changed, f.What)
			}
		}
		if !slices.Equal(changed, c.figures) {
			t.Errorf("%s: %v", name, changed)
		}
	}
}
