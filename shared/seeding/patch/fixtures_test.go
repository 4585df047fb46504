package patch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// The registry of these tests, the batch, and the key of its rows.
var (
	access      = seeding.RegistryAccess{URL: "http://registry", Database: "g2p"}
	registryKey = seeding.RegistryKey(access.URL, access.Database)
)

const batch = "b1"

var key = seedingtest.Key("k1")

// shortTokens is the shape of the tokens of these tests, which are single letters.
var shortTokens = seeding.TokenShape{Alphabet: seeding.Base64URL, Shortest: 1, Longest: 64}

type identifiers = []seeding.Identifier

// sentVID is the VID of a registrant that the batch was made from.
func sentVID(registrant int64) seeding.Identifier {
	return seeding.Identifier{ID: 100 + registrant, Registrant: registrant, Value: fmt.Sprintf("vid-%d", registrant)}
}

// correctedVID is the same identifier after a registrar corrected its value.
func correctedVID(registrant int64) seeding.Identifier {
	return seeding.Identifier{ID: 100 + registrant, Registrant: registrant, Value: fmt.Sprintf("corrected-%d", registrant)}
}

// newVID is another identifier, which a registrar entered in the place of the
// one that was sent.
func newVID(registrant int64) seeding.Identifier {
	return seeding.Identifier{ID: 200 + registrant, Registrant: registrant, Value: fmt.Sprintf("new-%d", registrant)}
}

// holds is a token identifier of a registrant.
func holds(registrant int64, token string) seeding.Identifier {
	return seeding.Identifier{ID: 300 + registrant, Registrant: registrant, Value: token}
}

// rowMade is a row without MTS's word, made as submit makes it.
func rowMade(k seeding.Key, batch string, m seeding.Member, vid string) seeding.Row {
	r := seeding.Row{Subject: m.Subject(), Fingerprint: seeding.Fingerprint{1, 2, 3, 4}}
	r.MAC = seeding.RowMACOf(k, batch, m, vid, r.Fingerprint)
	return r
}

// sentRow is the row of a registrant as the batch made it.
func sentRow(registrant int64) seeding.Row {
	vid := sentVID(registrant)
	return rowMade(key, batch, seeding.Member{Registrant: registrant, Identifier: vid.ID}, vid.Value)
}

// says returns the row with what MTS says of it.
func says(r seeding.Row, status seeding.RowStatus, token, code string) seeding.Row {
	r.Status, r.Token, r.Code = status, token, code
	return r
}

// withToken is the row of a registrant that was given a token; "" is none,
// although it was processed.
func withToken(registrant int64, token string) seeding.Row {
	return says(sentRow(registrant), seeding.RowProcessed, token, "")
}

// withError is the row of a registrant that MOSIP refuses.
func withError(registrant int64, code string) seeding.Row {
	return says(sentRow(registrant), seeding.RowError, "", code)
}

// withInvalid is the row of a registrant that MTS itself refuses.
func withInvalid(registrant int64, code string) seeding.Row {
	return says(sentRow(registrant), seeding.RowInvalid, "", code)
}

// registry is one in memory, with the identifiers of both types. Methods that
// these tests do not need are nil.
type registry struct {
	seeding.Registry
	vids, tokens identifiers
	submissions  identifiers // ids of submissions that registrants keep
	newcomers    []seeding.NewRegistrant
	refuseNew    func(seeding.NewRegistrant) error // nil takes everybody

	// For Output Formats. Whoever is not in persons is not seen.
	persons map[int64]map[string]string // texts by name, as the registry has them
	others  []seeding.HeldIdentifier    // besides VIDs and tokens
	phones  map[int64][]string
	later   bool
	asked   []seeding.Wanted
	written [][]seeding.Edit                   // that took effect, by call
	taken   []seeding.NewToken                 // the same
	takes   func(changes []seeding.Edit) error // of a write, before it takes effect; nil takes everything

	looked  func(registrants []int64)       // of a look-up; may be nil
	refuses func(registrants []int64) error // the same
	create  func([]seeding.NewToken) error  // of a create, before anything is written; nil takes everything
	begin   func(call string) error         // of every call; nil lets them go on
	end     func(call string) error         // of a write that took effect; nil lets them end
}

func (r *registry) begins(call string) error {
	if r.begin == nil {
		return nil
	}
	return r.begin(call)
}

func (r *registry) ends(call string) error {
	if r.end == nil {
		return nil
	}
	return r.end(call)
}

func (r *registry) Identifiers(_ context.Context, registrants []int64) (vids, tokens []seeding.Identifier, err error) {
	if err := r.begins("Identifiers"); err != nil {
		return nil, nil, err
	}
	if r.looked != nil {
		r.looked(registrants)
	}
	if r.refuses != nil {
		if err := r.refuses(registrants); err != nil {
			return nil, nil, err
		}
	}
	of := func(i seeding.Identifier) bool { return slices.Contains(registrants, i.Registrant) }
	return filter(r.vids, of), filter(r.tokens, of), nil
}

func (r *registry) TokenHolders(_ context.Context, tokens []string) ([]seeding.Identifier, error) {
	if err := r.begins("TokenHolders"); err != nil {
		return nil, err
	}
	return filter(r.tokens, func(i seeding.Identifier) bool {
		return slices.Contains(tokens, seeding.CleanToken(i.Value))
	}), nil
}

func (r *registry) UsualHolders(_ context.Context, tokens []string) ([]seeding.Identifier, error) {
	if err := r.begins("UsualHolders"); err != nil {
		return nil, err
	}
	return filter(r.tokens, func(i seeding.Identifier) bool {
		return slices.Contains(tokens, seeding.CleanToken(i.Value))
	}), nil
}

func (r *registry) Create(_ context.Context, tokens []seeding.NewToken) error {
	err := r.begins("Create")
	if err == nil && r.create != nil {
		err = r.create(tokens)
	}
	if err != nil {
		return err
	}
	r.write(tokens)
	return r.ends("Create")
}

// Types and genders of this registry.
var (
	someTypes = map[string]int64{"NATIONAL ID": 3, "PASSPORT": 4, submissionType: 5}
	someCodes = map[string]string{"M": "Male", "F": "Female"}
)

// submissionType is the type of the ids of submissions.
const submissionType = "ODK SUBMISSION"

func (r *registry) Tokens(_ context.Context, registrants []int64) ([]seeding.Identifier, error) {
	if err := r.begins("Tokens"); err != nil {
		return nil, err
	}
	return filter(r.tokens, func(i seeding.Identifier) bool { return slices.Contains(registrants, i.Registrant) }), nil
}

func (r *registry) Submissions(_ context.Context, ids []string) ([]seeding.Identifier, error) {
	if err := r.begins("Submissions"); err != nil {
		return nil, err
	}
	return filter(r.submissions, func(i seeding.Identifier) bool { return slices.Contains(ids, i.Value) }), nil
}

// firstNew is the id of the first registrant that is created.
const firstNew = 1000

func (r *registry) CreateRegistrants(_ context.Context, list []seeding.NewRegistrant) (ids []int64, err error) {
	if err := r.begins("CreateRegistrants"); err != nil {
		return nil, err
	}
	for _, one := range list {
		if r.refuseNew != nil {
			if err := r.refuseNew(one); err != nil {
				return nil, err
			}
		}
	}
	for _, one := range list {
		id := int64(firstNew + len(r.newcomers))
		r.newcomers = append(r.newcomers, one)
		r.tokens = append(r.tokens, holds(id, one.Token.Value))
		r.submissions = append(r.submissions, keeps(id, one.Submission))
		if r.persons == nil {
			r.persons = map[int64]map[string]string{}
		}
		r.persons[id] = one.Values
		ids = append(ids, id)
	}
	return ids, r.ends("CreateRegistrants")
}

// keeps is the id of a submission that a registrant keeps.
func keeps(registrant int64, submission string) seeding.Identifier {
	return seeding.Identifier{ID: 5000 + registrant, Registrant: registrant, Value: submission}
}

func (r *registry) Inputs(_ context.Context, ids []int64) (map[int64]seeding.Input, error) {
	if err := r.begins("Inputs"); err != nil {
		return nil, err
	}
	inputs := map[int64]seeding.Input{}
	for _, id := range ids {
		person, seen := r.persons[id]
		if !seen {
			continue
		}
		record := seeding.Record{"id": int(id)}
		for name, text := range person {
			record[name] = text
		}
		inputs[id] = seeding.Input{Record: record, Sent: maps.Clone(record)}
	}
	return inputs, nil
}

func (r *registry) Details(_ context.Context, w seeding.Wanted) (seeding.Details, error) {
	r.asked = append(r.asked, w)
	d := seeding.Details{Fields: map[int64]map[string]string{}, Types: map[string]int64{}, Genders: map[string]string{}, Phones: r.phones, Later: r.later}
	if err := r.begins("Details"); err != nil {
		return d, err
	}
	for _, id := range w.Registrants {
		if person, seen := r.persons[id]; seen {
			d.Fields[id] = person
		}
	}
	for _, name := range w.Types {
		if id, there := someTypes[name]; there {
			d.Types[name] = id
		}
	}
	for _, code := range w.Genders {
		if value, there := someCodes[code]; there {
			d.Genders[code] = value
		}
	}
	for _, i := range r.submissions {
		if w.Held && slices.Contains(w.Registrants, i.Registrant) {
			d.Identifiers = append(d.Identifiers, seeding.HeldIdentifier{Identifier: i, Type: submissionType})
		}
	}
	for _, i := range r.others {
		if w.Held && slices.Contains(w.Registrants, i.Registrant) || slices.Contains(w.Values, i.Value) {
			d.Identifiers = append(d.Identifiers, i)
		}
	}
	return d, nil
}

func (r *registry) Write(_ context.Context, changes []seeding.Edit) error {
	err := r.begins("Write")
	if err == nil && r.takes != nil {
		err = r.takes(changes)
	}
	if err != nil {
		return err
	}
	r.written = append(r.written, changes)
	for _, c := range changes {
		switch c.Kind {
		case seeding.SetRegistrant:
			maps.Copy(r.persons[c.ID], c.Values)
		case seeding.SetIdentifier:
			for i := range r.others {
				if r.others[i].ID == c.ID {
					r.others[i].Value = c.Values["value"]
				}
			}
		case seeding.AddIdentifier:
			for name, id := range someTypes {
				switch {
				case id != c.Type:
				case name == submissionType:
					r.submissions = append(r.submissions, keeps(c.ID, c.Values["value"]))
				default:
					r.others = append(r.others, heldOther(c.ID, name, c.Values["value"]))
				}
			}
		case seeding.AddPhone:
			r.phones[c.ID] = append(r.phones[c.ID], c.Values["phone_no"])
		}
	}
	return r.ends("Write")
}

// heldOther is an identifier of a registrant that is neither VID nor token.
func heldOther(registrant int64, idType, value string) seeding.HeldIdentifier {
	return seeding.HeldIdentifier{Identifier: seeding.Identifier{ID: 400 + 10*registrant + someTypes[idType], Registrant: registrant, Value: value}, Type: idType}
}

func (r *registry) write(tokens []seeding.NewToken) {
	r.taken = append(r.taken, tokens...)
	for _, t := range tokens {
		r.tokens = append(r.tokens, holds(t.Registrant, t.Value))
	}
}

func (r *registry) Remove(_ context.Context, ids []int64) error {
	if err := r.begins("Remove"); err != nil {
		return err
	}
	r.vids = filter(r.vids, func(i seeding.Identifier) bool { return !slices.Contains(ids, i.ID) })
	return r.ends("Remove")
}

// readerOf reads a registry under a lease that lasts.
func readerOf(r *registry) reader {
	p := newFake().patcher()
	return reader{p, &turn{registry: seeding.RegistryState{Patch: seeding.Lease{Until: now.Add(time.Hour)}}}, r}
}

func filter(list identifiers, keep func(seeding.Identifier) bool) identifiers {
	return slices.DeleteFunc(slices.Clone(list), func(i seeding.Identifier) bool { return !keep(i) })
}

func (k kind) String() string {
	return [...]string{
		pending: "pending", gone: "gone", held: "held", done: "done", replaced: "replaced", vidReplaced: "vidReplaced",
		otherToken: "otherToken", notToken: "notToken", duplicate: "duplicate", twin: "twin", create: "create", emptyToken: "emptyToken",
		refused: "refused", systemic: "systemic", written: "written", writtenVIDGone: "writtenVIDGone",
		writtenReplaced: "writtenReplaced", contested: "contested", notWritten: "notWritten", notSet: "notSet", unusable: "unusable", twinOfWritten: "twinOfWritten",
	}[k]
}

// String leaves out MAC and fingerprint, which nobody can read.
func (v verdict) String() string {
	text := fmt.Sprintf("registrant %d: %s", v.row.Registrant, v.kind)
	if v.at != 0 {
		text += fmt.Sprintf(" at identifier %d", v.at)
	}
	if v.holder != 0 {
		text += fmt.Sprintf(", held by %d", v.holder)
	}
	if v.code != "" {
		text += ", code " + v.code
	}
	return text
}
