package centralsim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// What Populate makes: a project with the form and two users.
const (
	DemoForm     = "reg"
	DemoUser     = "viewer@example.org" // a project viewer, the least that may read
	DemoPassword = "viewerpassword1"
	DemoAdmin    = "admin@example.org"
	AdminSecret  = "adminpassword1"
)

// Kind is the demo kind of a submission that Populate made.
type Kind string

const (
	Plain Kind = "plain" // complete: gets a token
	// SharedPerson: two submissions with VIDs of one person, so with one token.
	SharedPerson Kind = "shared person"

	NoBirthdate Kind = "no birth date" // invalid at MTS because of the missing field
	NoGender    Kind = "no gender"
	NoName      Kind = "no name"
	NoAddress   Kind = "no address"
	NoVID       Kind = "no VID"

	RefusedVID Kind = "refused VID" // the identity system answers IDA-MLC-009
	GoneUIN    Kind = "gone UIN"    // … IDA-MLC-002
	ManyErrors Kind = "many errors" // … several errors: ATS-REQ-103
	EmptyToken Kind = "empty token" // … accepted, without a token
)

// shares are per thousand; the rest, about 900, is Plain.
var shares = []struct {
	kind  Kind
	share int
}{
	{SharedPerson, 20}, {NoBirthdate, 10}, {NoGender, 10}, {NoName, 8}, {NoAddress, 10}, {NoVID, 12},
	{RefusedVID, 10}, {GoneUIN, 5}, {ManyErrors, 5}, {EmptyToken, 5},
}

// behaviours are the last two digits of a VID that make the simulated identity system
// refuse it (mtssim.Rules); below 88 they are normal.
var behaviours = map[Kind]int{RefusedVID: 90, GoneUIN: 91, ManyErrors: 92, EmptyToken: 93}

// Expectation is what MTS should say of all submissions that Populate made, with name,
// gender, birth date and address mandatory.
type Expectation struct {
	Submissions int          `json:"submissions"`
	Made        map[Kind]int `json:"made"`
	Tokens      int          `json:"tokens"`     // submissions that get one, duplicates included
	Duplicates  int          `json:"duplicates"` // of them, those whose person has one already
	Invalid     map[Kind]int `json:"invalid"`    // by MTS itself
	Refused     map[Kind]int `json:"refused"`    // by the identity system
	// From is the date of the first, To a moment after the last.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Kinds has the kind of each submission, by its id.
	Kinds map[string]Kind `json:"-"`
}

// DemoVID makes a VID of 16 digits: ten of the person, four of a serial, two of the
// behaviour. The MTS simulator reads them in this way.
func DemoVID(person int64, serial, behaviour int) string {
	return fmt.Sprintf("%010d%04d%02d", person%1e10, serial%1e4, behaviour%100)
}

// Registration is a form like one that registers people.
func Registration() []Field {
	return []Field{
		{Path: "/vid", Type: "string"},
		{Path: "/person", Type: "structure"},
		{Path: "/person/name", Type: "string"},
		{Path: "/person/gender", Type: "string"},
		{Path: "/person/dob", Type: "date"},
		{Path: "/person/phone", Type: "string"},
		{Path: "/person/email", Type: "string"},
		{Path: "/person/age", Type: "int"},
		{Path: "/person/income", Type: "decimal"},
		{Path: "/person/big", Type: "int"},
		{Path: "/where", Type: "structure"},
		{Path: "/where/address", Type: "string"},
		{Path: "/where/geopoint", Type: "geopoint"},
		{Path: "/where/geotrace", Type: "geotrace"},
		{Path: "/needs", Type: "string"},
		{Path: "/photo", Type: "binary"},
		{Path: "/visited", Type: "dateTime"},
		{Path: "/at", Type: "time"},
		{Path: "/child", Type: "repeat"},
		{Path: "/child/name", Type: "string"},
		{Path: "/child/toy", Type: "repeat"},
		{Path: "/child/toy/name", Type: "string"},
	}
}

// Populate adds n submissions to DemoForm of the first project, which it makes if there
// is none, with the users. The same seed makes the same submissions, one a second until
// two minutes ago, so that a window that ends a little before now has them all; every
// twentieth shares its millisecond with the one before.
func (s *Server) Populate(n int, seed uint64) Expectation {
	form := s.demoForm()
	rng := rand.New(rand.NewPCG(seed, 0x6f646b))
	kinds := make([]Kind, 0, n)
	for _, each := range shares {
		k := (n*each.share + 500) / 1000
		if k == 0 && n >= 200 {
			k = 1
		}
		if each.kind == SharedPerson {
			k += k % 2
		}
		kinds = append(kinds, slices.Repeat([]Kind{each.kind}, min(k, n-len(kinds)))...)
	}
	kinds = append(kinds, slices.Repeat([]Kind{Plain}, n-len(kinds))...)
	rng.Shuffle(n, func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })

	s.mu.Lock()
	people := s.people
	s.people += int64(n)
	s.mu.Unlock()
	end := s.options.Now().Add(-2 * time.Minute).Truncate(time.Millisecond)
	e := Expectation{Submissions: n, Made: map[Kind]int{}, Invalid: map[Kind]int{}, Refused: map[Kind]int{},
		From: end.Add(-time.Duration(n) * time.Second), To: end, Kinds: make(map[string]Kind, n)}
	at := e.From
	waiting := int64(0) // the person whose second submission is still to come
	for i, kind := range kinds {
		people++
		person := people
		e.Made[kind]++
		switch kind {
		case Plain:
			e.Tokens++
		case SharedPerson:
			e.Tokens++
			if waiting != 0 {
				person, waiting = waiting, 0
				e.Duplicates++
			} else {
				waiting = person
			}
		case RefusedVID, GoneUIN, ManyErrors, EmptyToken:
			e.Refused[kind]++
		default:
			e.Invalid[kind]++
		}
		if i%20 != 19 {
			at = e.From.Add(time.Duration(i) * time.Second)
		}
		id := form.Submit(makeSubmission(rng, kind, person, i, at))
		e.Kinds[id] = kind
	}
	return e
}

// demoForm finds or makes the project, the form and the users.
func (s *Server) demoForm() *Form {
	if form := s.Form(1, DemoForm); form != nil {
		return form
	}
	project := s.AddProject("Registration")
	s.AddUser(DemoUser, DemoPassword)
	s.Assign(DemoUser, project, Viewer)
	s.AddUser(DemoAdmin, AdminSecret)
	s.Assign(DemoAdmin, project, Administrator)
	return s.AddForm(project, Definition{ID: DemoForm, Name: "Registration of households", Fields: Registration()})
}

var (
	givenNames = map[string][]string{
		"Female": {"Amina", "Ana", "Fatou", "Maria", "Leila", "Zoé", "Chipo", "Ngozi", "Sofía", "Divya", "Mei", "Hiwot"},
		"Male":   {"José", "Juan", "Kofi", "Ramon", "Idrissa", "Björn", "Tendai", "Emeka", "Arjun", "Wei", "Dawit"},
	}
	familyNames = []string{"Mendoza", "Ñúñez", "Silva", "Dela Cruz", "Okafor", "Diallo", "Traoré", "Tesfaye", "Ncube", "Rao", "O'Hara", "Haile", "محمد"}
	streets     = []string{"Rizal St", "Mabini Ave", "Market Rd", "Church St", "Luna St"}
	cities      = []string{"Quezon City", "Cebu City", "Iloilo City", "Baguio"}
)

func makeSubmission(rng *rand.Rand, kind Kind, person int64, i int, at time.Time) Submission {
	pick := func(list []string) string { return list[rng.IntN(len(list))] }
	gender := "Female"
	if rng.IntN(2) == 0 {
		gender = "Male"
	}
	behaviour, special := behaviours[kind]
	if normal := rng.IntN(88); !special {
		behaviour = normal
	}
	born := time.Date(1940, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rng.IntN(66*365))
	answers := map[string]string{
		"vid":           DemoVID(person, rng.IntN(10000), behaviour),
		"person/name":   pick(givenNames[gender]) + " " + pick(familyNames),
		"person/gender": gender,
		"person/dob":    born.Format(time.DateOnly),
		"person/phone":  fmt.Sprintf("+63917%07d", i%10_000_000),
		"person/age":    fmt.Sprint(2026 - born.Year()),
		"where/address": fmt.Sprintf("%d %s, Brgy %d, %s", 1+rng.IntN(400), pick(streets), 1+rng.IntN(150), pick(cities)),
		"visited":       at.UTC().Format("2006-01-02T15:04:05.000") + "+08",
	}
	if rng.IntN(4) == 0 {
		answers["person/email"] = fmt.Sprintf("s%06d@example.org", i)
	}
	if missing := map[Kind]string{NoBirthdate: "person/dob", NoGender: "person/gender", NoName: "person/name",
		NoAddress: "where/address", NoVID: "vid"}[kind]; missing != "" {
		delete(answers, missing)
	}
	one := Submission{kind: kind, Answers: answers, At: at, ID: fmt.Sprintf("uuid:%08x-%04x-4000-8000-%012x", rng.Uint32(), rng.IntN(1<<16), person)}
	if rng.IntN(5) == 0 {
		one.Rows = map[string][]Row{"child": {{Answers: map[string]string{"name": pick(givenNames["Male"])}}}}
	}
	return one
}
