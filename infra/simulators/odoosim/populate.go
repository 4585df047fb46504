package odoosim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind is the demo kind of a registrant that Populate made.
type Kind string

const (
	Plain     Kind = "plain"      // complete, with a VID: gets a token
	GivenOnly Kind = "given name" // no family name, which is enough: gets a token
	// SharedPerson: two registrants with VIDs of one person. The first gets the
	// token, the second is a duplicate.
	SharedPerson Kind = "shared person"

	NoBirthdate  Kind = "no birth date" // with a VID, and rejected because of the missing field
	NoGender     Kind = "no gender"
	NoName       Kind = "no name"
	BlankAddress Kind = "blank address" // empty, or an empty text

	RefusedVID Kind = "refused VID" // the identity system answers IDA-MLC-009
	GoneUIN    Kind = "gone UIN"    // … IDA-MLC-002
	ManyErrors Kind = "many errors" // … several errors: ATS-REQ-103
	EmptyToken Kind = "empty token" // … accepted, without a token

	TokenisedVID Kind = "tokenised with VID" // has a token, and the VID is to be removed
	Tokenised    Kind = "tokenised"          // has a token and no VID
	ExpiredVID   Kind = "expired VID"        // a run does not touch it, like all that follow
	InvalidVID   Kind = "invalid VID"        // status "invalid"; only with Options.Status
	ArchivedVID  Kind = "archived"
	GroupWithVID Kind = "group with VID"
	NoVID        Kind = "no VID"
	Group        Kind = "group"
)

// shares are per thousand; the rest, about 800, is Plain.
var shares = []struct {
	kind  Kind
	share int
}{
	{GivenOnly, 20}, {SharedPerson, 10},
	{NoBirthdate, 8}, {NoGender, 8}, {NoName, 6}, {BlankAddress, 8}, {GroupWithVID, 5},
	{RefusedVID, 10}, {GoneUIN, 5}, {ManyErrors, 5}, {EmptyToken, 5},
	{TokenisedVID, 20}, {Tokenised, 30}, {ExpiredVID, 10}, {InvalidVID, 5}, {ArchivedVID, 5}, {NoVID, 30}, {Group, 15},
}

// Expectation is what a complete run should leave behind, with the domain
// "individuals in use with a VID and no token", valid identifiers only, name, gender,
// birth date and address mandatory, and VIDs removed where there is a token.
type Expectation struct {
	Registrants int          `json:"registrants"`
	Made        map[Kind]int `json:"made"`
	VIDs        int          `json:"vids"`       // at the start, all kinds
	NewTokens   int          `json:"new_tokens"` // made by the run
	Tokens      int          `json:"tokens"`     // at the end
	Removed     int          `json:"removed"`    // VIDs that are removed
	VIDsLeft    int          `json:"vids_left"`  // VIDs at the end
	// Submitted is how many are to be sent to MTS: those that get a token,
	// duplicates, and those that the identity system refuses.
	Submitted int `json:"submitted"`
	// Invalid are rejected before submission, Refused by the identity system;
	// Duplicates are second registrants of one person.
	Invalid    map[Kind]int `json:"invalid"`
	Refused    map[Kind]int `json:"refused"`
	Duplicates int          `json:"duplicates"`
	// Untouched are those that a run does not touch.
	Untouched map[Kind]int `json:"untouched"`
	// Kinds has the kind of each registrant.
	Kinds map[int64]Kind `json:"-"`
}

// Rejected is how many end as rejections.
func (e Expectation) Rejected() int {
	n := e.Duplicates
	for _, m := range []map[Kind]int{e.Invalid, e.Refused} {
		for _, k := range m {
			n += k
		}
	}
	return n
}

func (e Expectation) String() string {
	return fmt.Sprintf("%d registrants, %d VIDs: %d new tokens (%d in all), %d VIDs removed (%d left), %d invalid, %d refused, %d duplicates",
		e.Registrants, e.VIDs, e.NewTokens, e.Tokens, e.Removed, e.VIDsLeft, total(e.Invalid), total(e.Refused), e.Duplicates)
}

func total(m map[Kind]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}

// Behaviours of a demo VID: its last two digits. 0 to 87 are normal. The MTS
// simulator has more behaviours than Populate uses (mtssim.Rules).
const (
	Normal         = 0
	Refused        = 90 // IDA-MLC-009
	UINUnavailable = 91 // IDA-MLC-002
	SeveralErrors  = 92 // ATS-REQ-103
	WithoutToken   = 93 // processed, with an empty token
)

// DemoVID makes a VID of 16 digits: ten of the person, four of a serial, two of
// the behaviour. The MTS simulator reads them in this way.
func DemoVID(person int64, serial, behaviour int) string {
	return fmt.Sprintf("%010d%04d%02d", person%1e10, serial%1e4, behaviour%100)
}

// heldToken is a token that a person has from before: random digits, as MOSIP's are,
// in which no VID is found.
func heldToken(person, random int64) string {
	return fmt.Sprintf("9%017d%018d", rand.New(rand.NewPCG(uint64(person), 0)).Int64N(1e17), random)
}

// Populate adds n registrants, the same for the same seed. From n = 200 on
// there is at least one of every kind.
func (s *Server) Populate(n int, seed int64) Expectation {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x6f646f6f))
	kinds := make([]Kind, 0, n)
	for _, each := range shares {
		k := (n*each.share + 500) / 1000
		if k == 0 && n >= 200 {
			k = 1
		}
		if each.kind == SharedPerson {
			k += k % 2
		}
		if each.kind == InvalidVID && !s.options.Status {
			k = 0
		}
		kinds = append(kinds, slices.Repeat([]Kind{each.kind}, min(k, n-len(kinds)))...)
	}
	kinds = append(kinds, slices.Repeat([]Kind{Plain}, n-len(kinds))...)
	rng.Shuffle(n, func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })

	s.mu.Lock()
	people := s.persons
	s.persons += int64(n)
	s.mu.Unlock()

	e := Expectation{Registrants: n, Made: map[Kind]int{}, Invalid: map[Kind]int{}, Refused: map[Kind]int{},
		Untouched: map[Kind]int{}, Kinds: make(map[int64]Kind, n)}
	now := s.clock()
	defer s.rememberKinds(e.Kinds)
	var waiting int64 // the person whose second registrant is still to come
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	for i, kind := range kinds {
		people++
		person, second := people, false
		if kind == SharedPerson {
			if second = waiting != 0; second {
				person, waiting = waiting, 0
			} else {
				waiting = person
			}
		}
		id := s.main.addRegistrant(makeRegistrant(rng, kind, i), now)
		if kind == BlankAddress && rng.IntN(2) == 0 {
			s.main.partners.change(id, now, map[string]any{"address": ""})
		}
		e.Kinds[id] = kind
		e.Made[kind]++
		if rng.IntN(5) == 0 || kind == NoVID {
			s.main.addIdentifier(Identifier{Registrant: id, Type: NationalType, Value: fmt.Sprintf("N%09d", person)}, now)
		}
		if kind == Tokenised || kind == TokenisedVID {
			s.main.addIdentifier(Identifier{Registrant: id, Type: TokenType, Value: heldToken(person, rng.Int64N(1e18))}, now)
			e.Tokens++
		}
		vid := Identifier{Registrant: id, Type: VIDType, Status: "valid"}
		behaviour := rng.IntN(88)
		switch kind {
		case Plain, GivenOnly:
			e.NewTokens++
		case SharedPerson:
			if second {
				e.Duplicates++
			} else {
				e.NewTokens++
			}
		case NoBirthdate, NoGender, NoName, BlankAddress:
			e.Invalid[kind]++
		case RefusedVID, GoneUIN, ManyErrors, EmptyToken:
			behaviour = map[Kind]int{RefusedVID: Refused, GoneUIN: UINUnavailable, ManyErrors: SeveralErrors, EmptyToken: WithoutToken}[kind]
			e.Refused[kind]++
		case TokenisedVID:
			e.Removed++
		case ExpiredVID:
			vid.Expiry = "2020-01-31"
			e.Untouched[kind]++
		case InvalidVID:
			vid.Status = "invalid"
			e.Untouched[kind]++
		default:
			e.Untouched[kind]++
		}
		if kind == Tokenised || kind == NoVID || kind == Group {
			continue
		}
		vid.Value = DemoVID(person, rng.IntN(10000), behaviour)
		s.main.addIdentifier(vid, now)
		e.VIDs++
	}
	if waiting != 0 { // n is reached before the second
		e.Made[SharedPerson]--
		e.Made[Plain]++
	}
	e.Tokens += e.NewTokens
	e.Removed += e.NewTokens
	e.VIDsLeft = e.VIDs - e.Removed
	e.Submitted = e.NewTokens + e.Duplicates + total(e.Refused)
	return e
}

var (
	givenNames = map[string][]string{
		"Female": {"Amina", "Ana", "Fatou", "Maria", "Rosario", "Leila", "Zoé", "Chipo", "Ngozi", "Sofía", "Divya", "Mei", "Hiwot", "Esther", "Lualhati"},
		"Male":   {"José", "Juan", "Kofi", "Ramon", "Samuel", "Idrissa", "Björn", "Tendai", "Emeka", "Andrés", "Arjun", "Wei", "Dawit", "Moses", "Crisanto"},
	}
	additionalNames = []string{"", "", "", "", "Santos", "Luz", "Abebe", "Kwame", "de la Paz"}
	familyNames     = []string{"Mendoza", "Ñúñez", "Silva", "Reyes", "Abad", "Dela Cruz", "Bautista", "Okafor", "Mensah", "Diallo", "Traoré",
		"Tesfaye", "Moyo", "Ncube", "Sharma", "Rao", "Perera", "O'Hara", "García", "Santos", "Villanueva", "Okello", "Kamau", "Haile", "Sesay"}
	streets = []string{"Rizal St", "Mabini Ave", "Bonifacio Rd", "Market Rd", "Church St", "Independence Ave", "Luna St"}
	cities  = []string{"Quezon City", "Cebu City", "Davao City", "Iloilo City", "Baguio", "Zamboanga City"}
)

func makeRegistrant(rng *rand.Rand, kind Kind, i int) Registrant {
	pick := func(list []string) string { return list[rng.IntN(len(list))] }
	gender := "Female"
	if rng.IntN(2) == 0 {
		gender = "Male"
	}
	born := time.Date(1940, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rng.IntN(66*365))
	r := Registrant{
		GivenName: pick(givenNames[gender]), AddlName: pick(additionalNames), FamilyName: pick(familyNames),
		Gender: gender, Birthdate: born.Format(time.DateOnly),
		Address: fmt.Sprintf("%d %s\nBrgy %d\n%s", 1+rng.IntN(400), pick(streets), 1+rng.IntN(150), pick(cities)),
		Email:   fmt.Sprintf("r%06d@example.org", i),
		Phone:   fmt.Sprintf("+63917%07d", i%10_000_000),
	}
	if rng.IntN(100) == 0 {
		r.Gender = "Other"
	}
	if rng.IntN(4) == 0 {
		r.Email = ""
	}
	if rng.IntN(10) == 0 {
		r.Phone = ""
	}
	switch kind {
	case GivenOnly:
		r.FamilyName, r.AddlName = "", ""
	case NoName:
		r.GivenName, r.FamilyName, r.AddlName = "", "", ""
	case NoBirthdate:
		r.Birthdate = ""
	case NoGender:
		r.Gender = ""
	case BlankAddress:
		r.Address = ""
	case ArchivedVID:
		r.Archived = true
	case Group, GroupWithVID:
		return Registrant{Name: strings.ToUpper(r.FamilyName) + " HOUSEHOLD", Group: true, Address: r.Address, Phone: r.Phone}
	}
	r.Name = strings.ToUpper(strings.Trim(r.FamilyName+", "+strings.TrimSpace(r.GivenName+" "+r.AddlName), ", "))
	if r.Name == "" {
		r.Name = "UNKNOWN"
	}
	return r
}
