package seeding

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Codes of our own, beside those of MTS and MOSIP.
const (
	CodeEmptyToken  = "MTSC-EMPTY-TOKEN" // processed, but no token came
	CodeEmptyHeld   = "MTSC-EMPTY-HELD"  // the registrant holds a token identifier without a value
	CodeNotToken    = "MTSC-NOT-TOKEN"   // what it holds of the token type has not the shape of a token
	CodeTokenShape  = "MTSC-TOKEN-SHAPE" // the token that came has not the shape of a token
	CodeTokenMade   = "MTSC-TOKEN-MADE"  // it is made of the VID that was sent, or of a pattern
	CodeSameToken   = "MTSC-SAME-TOKEN"  // most of an answer has this token
	CodeOtherToken  = "MTSC-OTHER-TOKEN" // the registrant holds another token
	CodeVIDChanged  = "MTSC-VID-CHANGED" // its VID was changed while the token was written
	CodeHeldByOther = "MTSC-HELD"        // another registrant holds the token
	CodeNoAnswer    = "MTSC-NO-ANSWER"   // sent alone, and MTS never answered
	CodeNotArrived  = "MTSC-NOT-ARRIVED" // MTS was done with it, and no token arrived by the direct callback
	CodeSetAside    = "MTSC-SET-ASIDE"   // the answer could not be processed
)

// IsRubbish reports whether a code says that what came is no token. It is a fault of
// MTS: nothing is written, and the VID stays.
func IsRubbish(code string) bool {
	return code == CodeTokenShape || code == CodeTokenMade || code == CodeSameToken
}

// Blame is the reason for which MTS or MOSIP gives no token, by its code.
type Blame int

const (
	BlameData    Blame = iota // this registrant's data: a rejection
	BlameSystem               // licence, partner, policy, service: a problem, unless others were answered
	BlameUnclear              // data, unless every row of an answer says the same
)

// meaning is what a code of a row says.
type meaning struct {
	blame Blame
	text  string // a sentence for people
	// of is the sentence if the fields are known, with %s for their names. Then the
	// code blames the data.
	of string
}

// A code text, as it is stored, is codes joined by commas, each with the fields
// that it is about, if they are known: "IDA-DEA-001:dob+gender,IDA-MLC-004".

// JoinCodes makes a code text of codes with their fields, which may be none. It
// is sorted.
func JoinCodes(codes map[string][]string) string {
	var entries []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if fields := slices.Compact(slices.Sorted(slices.Values(codes[code]))); len(fields) > 0 {
			code += ":" + strings.Join(fields, "+")
		}
		entries = append(entries, code)
	}
	return strings.Join(entries, ",")
}

// SplitCodes yields the codes of a code text with their fields, in their order.
func SplitCodes(text string) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for entry := range strings.SplitSeq(text, ",") {
			code, list, found := strings.Cut(strings.TrimSpace(entry), ":")
			var fields []string
			if found {
				fields = strings.Split(list, "+")
			}
			if !yield(code, fields) {
				return
			}
		}
	}
}

// BlameOf is whom a code text blames. A code that is not in the table is unclear.
func BlameOf(text string) Blame {
	blame := BlameUnclear
	for code, fields := range SplitCodes(text) {
		m, known := meanings[code]
		switch {
		case !known:
		case m.blame == BlameSystem:
			return BlameSystem
		case m.blame == BlameData || m.of != "" && len(fields) > 0:
			blame = BlameData
		}
	}
	return blame
}

// ReasonOf says in words what a code of a row means; it is empty for a code that
// is not in the table.
func ReasonOf(code string, fields []string) string {
	m := meanings[code]
	if m.of == "" || len(fields) == 0 {
		return m.text
	}
	var names []string
	for _, field := range fields {
		names = append(names, cmp.Or(fieldNames[field], field))
	}
	return fmt.Sprintf(m.of, strings.Join(names, ", "))
}

// fieldNames are MTS's fields in words.
var fieldNames = map[string]string{
	"vid": "VID", "name": "name", "gender": "gender", "dob": "date of birth",
	"phoneNumber": "phone number", "emailId": "e-mail address", "fullAddress": "address",
}

// FieldsOf are those of MTS's fields that the message of a code names, if its
// meaning is about fields. They come from a closed list, so that nothing else of
// a message, which may quote what was sent, is kept. A path that ends in the
// language of a field ("name/0/language") is about the language, which is the
// connector's and no field.
func FieldsOf(code, message string) (fields []string) {
	if meanings[code].of == "" {
		return nil
	}
	message = languagePath.ReplaceAllString(strings.ToLower(message), "")
	mail := false
	for word := range strings.FieldsFuncSeq(message, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		field := fieldWords[word]
		if mail && word == "address" { // an e-mail address is none of the person
			field = ""
		}
		if field != "" && !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
		mail = field == "emailId"
	}
	return fields
}

var languagePath = regexp.MustCompile(`[^\s,;:]*/language\b`)

// fieldWords are the words by which MOSIP and MTS name the fields, in lower case.
var fieldWords = map[string]string{
	"vid": "vid", "individualid": "vid", "uin": "vid",
	"name": "name", "fullname": "name", "firstname": "name", "middlename": "name", "lastname": "name",
	"gender": "gender", "sex": "gender",
	"dob": "dob", "dateofbirth": "dob", "birth": "dob", "birthdate": "dob", "dobtype": "dob", "age": "dob",
	"phonenumber": "phoneNumber", "phone": "phoneNumber", "mobile": "phoneNumber", "mobilenumber": "phoneNumber",
	"emailid": "emailId", "email": "emailId", "mail": "emailId",
	"fulladdress": "fullAddress", "address": "fullAddress", "addressline1": "fullAddress", "addressline2": "fullAddress", "addressline3": "fullAddress",
	"location1": "fullAddress", "location2": "fullAddress", "location3": "fullAddress", "postalcode": "fullAddress", "pincode": "fullAddress",
}
