package seeding

import "slices"

// Mappings compiles the mapping of a connector.
type Mappings interface {
	// Compile fails with a *MappingError if an expression is not valid.
	Compile(m Mapping) (Mapper, error)
}

// Types is a set of types of values.
type Types uint16

// Text and List may be any; what stands behind them is only told where it is known.
const (
	Null Types = 1 << iota
	False
	True
	Number
	Text
	Blank   // a text that has nothing but spaces
	Written // a text of what a relation holds: "4, 9", "[5, \"Laguna\"]"
	List
	Empty   // a list without elements
	Numbers // a relation to several: the numbers of their records
	Pair    // a relation to one: the number and the name of its record
	Object

	Boolean = False | True
	AnyText = Text | Blank | Written
	AnyList = List | Empty | Numbers | Pair
	AnyType = Null | Boolean | Number | Text | List | Object
)

// Outcome is what an expression of a mapping can give, whatever a record holds.
type Outcome struct {
	Gives Types    // of its results; 0 if it always fails or gives nothing
	Reads []string // the fields of the record that it reads by their names, in order
	// Paths are the same fields with what is read within them, such as person.name or
	// person."full name", as far as the expression tells.
	Paths    []string
	ReadsAny bool   // it reads others too: which, depends on the record
	Same     bool   // it gives the same for every record
	Doubts   []Flaw // what in it is probably not meant
}

// Texts is the mapping for a record of which MTS, and not we, evaluates the fields: each
// result is a text or null. A number becomes its digits. One other value would make MTS
// fail the whole batch (facts/mts.md W12). The line break ends a comment.
func (m Mapping) Texts() Mapping {
	text := func(program string) string {
		return program + "\n|if type==\"string\" then . elif type==\"number\" then tostring else null end"
	}
	texts := func(programs []string) []string {
		all := make([]string, len(programs))
		for i, program := range programs {
			all[i] = text(program)
		}
		return all
	}
	return Mapping{
		VID: text(m.VID), Name: texts(m.Name), Gender: text(m.Gender), DOB: text(m.DOB),
		PhoneNumber: text(m.PhoneNumber), EmailID: text(m.EmailID), FullAddress: texts(m.FullAddress),
	}
}

// Sought is what an expression looks for in a record. Records in which it stands
// are more likely to fit than any others.
type Sought struct {
	Texts   []string // which fit its comparisons, regular expressions and forms of time
	Names   []string // of members of objects
	Numbers []float64
}

// Mapper finds MTS's seven fields in a registry record by MTS's own rules
// (facts/mts.md 2.3).
type Mapper interface {
	Map(record Record) Demographics
}

// MappingError is an expression that cannot be used.
type MappingError struct {
	Field string // "vid", "name/0", …: a JSON pointer below the mapping
	Text  string // what is wrong with it, in words for the user
}

func (e *MappingError) Error() string { return "mapping " + e.Field + ": " + e.Text }

// Value is what a mapping gives for one field.
type Value struct {
	Text    string
	Present bool // the result is not null; it may be an empty text
	NotText bool // a list, an object, a text too long for the field, or a number or boolean where MTS would fail the whole batch (facts/mts.md W12)
	Spent   bool // not known: the mapping needs more work than one record may
}

// Demographics are the seven fields of one registrant. They are never stored.
type Demographics struct {
	VID, Name, Gender, DOB, PhoneNumber, EmailID, FullAddress Value
}

// MTSFields are MTS's fields by their canonical names, in the order of its
// checks.
var MTSFields = []string{"vid", "name", "gender", "dob", "phoneNumber", "emailId", "fullAddress"}

// CodeNotText is a code of our own: a mapped value is not a text, or too long.
const CodeNotText = "MTSC-NOT-TEXT"

// CodeTooMuchWork is a code of our own: the mapping needs too much work for the
// record.
const CodeTooMuchWork = "MTSC-TOO-MUCH-WORK"

// Invalid returns the code with which MTS would reject the record, or "". It
// checks in MTS's order (facts/mts.md 2.4).
func (d Demographics) Invalid(mandatory []string) string {
	if codes := d.Lacks(mandatory); len(codes) > 0 {
		return codes[0]
	}
	return ""
}

// Lacks are the codes of everything for which MTS would not take the record, in the
// order of its fields.
func (d Demographics) Lacks(mandatory []string) (codes []string) {
	add := func(code string) {
		if !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	must := map[string]bool{"vid": true}
	for _, name := range mandatory {
		must[name] = true
	}
	for _, check := range []struct {
		field         string
		value         Value
		absent, empty string
	}{
		{"vid", d.VID, "ATS-REQ-009", "ATS-REQ-009"},
		{"name", d.Name, "ATS-REQ-010", "ATS-REQ-003"},
		{"gender", d.Gender, "ATS-REQ-011", "ATS-REQ-004"},
		{"dob", d.DOB, "ATS-REQ-012", "ATS-REQ-006"},
		{"phoneNumber", d.PhoneNumber, "ATS-REQ-013", ""},
		{"emailId", d.EmailID, "ATS-REQ-014", ""},
		{"fullAddress", d.FullAddress, "ATS-REQ-015", "ATS-REQ-008"},
	} {
		switch {
		case check.value.Spent:
			add(CodeTooMuchWork)
		case check.value.NotText:
			add(CodeNotText)
		case !must[check.field]:
		case !check.value.Present:
			add(check.absent)
		case check.value.Text == "" && check.empty != "":
			add(check.empty)
		}
	}
	return codes
}
