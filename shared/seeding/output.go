package seeding

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OutputShape is which request of OpenG2P's registry API a result of an Output
// Format is (facts/odoo.md D).
type OutputShape string

const (
	IdentifierShape   OutputShape = "identifier"               // partner_id, id_type, value: line 15.0
	IndividualShape   OutputShape = "individual"               // what a registrant is, with its ids: both lines
	ByIdentifierShape OutputShape = "individual_by_identifier" // an individual with updateId: line 17.0
	DependsShape      OutputShape = "depends"                  // on the record, as far as can be told when it is saved
)

// Outputs compiles Output Formats.
type Outputs interface {
	// CompileOutput fails for what is no program of jq 1.5; the error says why and
	// where, in words for the user.
	CompileOutput(format string) (OutputProgram, error)
}

// OutputProgram is a compiled Output Format. One may serve any number of goroutines.
type OutputProgram interface {
	// Foresee is given the types of the fields of .input, which has no others.
	Foresee(fields map[string]Types) Outcome
	// Evaluate returns the first result; nil is null, or none. The error is
	// ErrOutputFailed or ErrOutputSpent.
	Evaluate(d OutputDocument) (any, error)
}

// Errors of an Output Format on one record.
var (
	ErrOutputFailed = errors.New("the Output Format fails")
	ErrOutputSpent  = errors.New("the Output Format needs too much work")
)

// OutputDocument is what an Output Format sees (facts/mts.md 3.4). Empty texts are
// null.
type OutputDocument struct {
	Input                                       Record // as Odoo's connector sends a record, with its VID (facts/mts.md 5.4)
	VID, Status, Token, ErrorCode, ErrorMessage string
}

// NeedsRecord reports whether an Output Format sees more of .input than the id and
// the VID of its registrant, which are known without the record.
func NeedsRecord(o Outcome) bool {
	return o.ReadsAny || slices.ContainsFunc(o.Reads, func(field string) bool { return field != "id" && field != "vid" })
}

// Codes of our own, of rejections by what an Output Format gives for a record.
const (
	CodeOutputFailed = "MTSC-OUTPUT-FAILED" // the expression fails
	CodeOutputSpent  = "MTSC-OUTPUT-WORK"   // it needs too much work
	CodeOutputEmpty  = "MTSC-OUTPUT-EMPTY"  // it gives null, or nothing
	CodeOutputShape  = "MTSC-OUTPUT-SHAPE"  // what it gives has none of the shapes, or a member of a wrong type
	CodeOutputOther  = "MTSC-OUTPUT-OTHER"  // it names another registrant, or an identifier of one
	CodeOutputToken  = "MTSC-OUTPUT-TOKEN"  // not the token of the answer under the connector's token type
	CodeOutputValue  = "MTSC-OUTPUT-VALUE"  // a value that the registry's API would refuse

	CodeOutputRefused = "MTSC-OUTPUT-REFUSED" // the registry refuses a value that it sets
)

// OutputError is why a result of an Output Format cannot be written.
type OutputError struct {
	Code   string
	Member string // that it is about, or ""
}

func (e *OutputError) Error() string { return e.CodeText() }

// CodeText is the code with the member (JoinCodes).
func (e *OutputError) CodeText() string {
	if e.Member == "" {
		return e.Code
	}
	return e.Code + ":" + e.Member
}

// OutputCode is the code text of an error of a program or of its result; "" for any
// other error.
func OutputCode(err error) string {
	switch e, ok := errors.AsType[*OutputError](err); {
	case ok:
		return e.CodeText()
	case errors.Is(err, ErrOutputSpent):
		return CodeOutputSpent
	case errors.Is(err, ErrOutputFailed):
		return CodeOutputFailed
	}
	return ""
}

func outputError(code, member string) *OutputError { return &OutputError{code, member} }

// Update is a result of an Output Format, read.
type Update struct {
	Shape      OutputShape
	Registrant int64  // that it names, 0 if it names none
	UpdateID   string // the value of an identifier that it names
	UpdateType string // the name of the type of that, if it says so
	// Fields are those of the registrant that are to be set, none of them empty, by
	// their names in res.partner. A gender is a code yet.
	Fields      map[string]string
	Phones      []Phone
	Identifiers []TypedValue
}

// Phone is a phone number of a registrant.
type Phone struct {
	Number    string
	Collected string // YYYY-MM-DD, or "" for today
}

// TypedValue is an identifier by the name of its type. What is empty is not given.
type TypedValue struct {
	Type, Value         string
	Expiry              string // YYYY-MM-DD
	Status, Description string // lines after 15.0 have them
}

// Limits of a result, beyond those of its evaluation.
const (
	mostOutputList = 20       // identifiers, or phone numbers
	mostOutputText = 1 << 10  // bytes of a text
	mostOutput     = 16 << 10 // bytes of all texts
)

// textFields are the texts of an individual, which have the same names in
// res.partner; dateFields its dates.
var (
	textFields = []string{"name", "given_name", "family_name", "addl_name", "gender", "birth_place", "email", "address"}
	dateFields = []string{"birthdate", "registration_date"}
)

// outputMembers are what the shapes have, in the objects where they have it.
var (
	individualMembers = slices.Concat(textFields, dateFields, []string{"partner_id", "id", "updateId", "id_type", "is_group", "ids", "phone_numbers"})
	identifierMembers = []string{"partner_id", "id_type", "value", "expiry_date", "status", "description"}
	phoneMembers      = []string{"phone_no", "date_collected"}
)

// ReadUpdate reads a result of an Output Format. The error is an *OutputError.
func ReadUpdate(result any) (Update, error) {
	if list, ok := result.([]any); ok { // of one, as line 17.0 wants it
		switch len(list) {
		case 0:
			return Update{}, outputError(CodeOutputEmpty, "")
		case 1:
			result = list[0]
		default:
			return Update{}, outputError(CodeOutputShape, "")
		}
	}
	if result == nil {
		return Update{}, outputError(CodeOutputEmpty, "")
	}
	object, ok := result.(map[string]any)
	if !ok {
		return Update{}, outputError(CodeOutputShape, "")
	}
	r := &outputReader{left: mostOutput}
	_, named := object["partner_id"]
	_, valued := object["value"]
	var u Update
	switch {
	case named && valued:
		u = r.identifierUpdate(object)
	case has(object, individualMembers...):
		u = r.individual(object)
	default:
		r.fail("")
	}
	if r.failed != nil {
		return Update{}, r.failed
	}
	return u, nil
}

func has(object map[string]any, members ...string) bool {
	return slices.ContainsFunc(members, func(m string) bool { _, there := object[m]; return there })
}

// outputReader reads the members of a result, and keeps the first that is wrong.
type outputReader struct {
	left   int // bytes
	failed *OutputError
}

func (r *outputReader) fail(member string) { r.failWith(CodeOutputShape, member) }

func (r *outputReader) failWith(code, member string) {
	if r.failed == nil {
		r.failed = outputError(code, member)
	}
}

func (r *outputReader) identifierUpdate(o map[string]any) Update {
	u := Update{Shape: IdentifierShape, Registrant: r.id(o, "partner_id")}
	if u.Registrant == 0 {
		r.fail("partner_id")
	}
	u.Identifiers = []TypedValue{r.typedValue(o)}
	return u
}

func (r *outputReader) individual(o map[string]any) Update {
	u := Update{Shape: IndividualShape, Registrant: r.id(o, "partner_id"), Fields: map[string]string{}}
	if other := r.id(o, "id"); u.Registrant == 0 {
		u.Registrant = other
	} else if other != 0 && other != u.Registrant {
		r.failWith(CodeOutputOther, "id")
	}
	if _, there := o["updateId"]; there {
		u.Shape = ByIdentifierShape
		u.UpdateID, u.UpdateType = strings.TrimSpace(r.text(o, "updateId")), strings.TrimSpace(r.text(o, "id_type"))
		if u.UpdateID == "" {
			r.failWith(CodeOutputOther, "updateId") // it names nobody
		}
	}
	for _, name := range textFields {
		if text := r.text(o, name); strings.TrimSpace(text) != "" {
			u.Fields[name] = text
		}
	}
	for _, name := range dateFields {
		if date := r.date(o, name); date != "" {
			u.Fields[name] = date
		}
	}
	for _, one := range r.list(o, "phone_numbers") {
		if number := strings.TrimSpace(r.text(one, "phone_no")); number != "" {
			u.Phones = append(u.Phones, Phone{number, r.date(one, "date_collected")})
		}
	}
	if len(u.Phones) > 0 {
		u.Fields["phone"] = u.Phones[0].Number // as the API does
	}
	types := map[string]bool{}
	for _, one := range r.list(o, "ids") {
		v := r.typedValue(one)
		if types[v.Type] { // a registrant holds one of a type
			r.failWith(CodeOutputValue, "ids")
		}
		types[v.Type] = true
		u.Identifiers = append(u.Identifiers, v)
	}
	return u
}

func (r *outputReader) typedValue(o map[string]any) TypedValue {
	v := TypedValue{
		Type: strings.TrimSpace(r.text(o, "id_type")), Value: strings.TrimSpace(r.text(o, "value")), Expiry: r.date(o, "expiry_date"),
		Status: r.text(o, "status"), Description: r.text(o, "description"),
	}
	if v.Type == "" {
		r.failWith(CodeOutputValue, "id_type") // as the API refuses it
	}
	if v.Value == "" {
		r.failWith(CodeOutputValue, "value")
	}
	return v
}

// list reads a member that is a list of objects; null, false and nothing are empty.
func (r *outputReader) list(o map[string]any, member string) (objects []map[string]any) {
	v := o[member]
	if v == nil || v == false {
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) > mostOutputList {
		r.fail(member)
		return nil
	}
	for _, element := range list {
		object, ok := element.(map[string]any)
		if !ok {
			r.fail(member)
			return nil
		}
		objects = append(objects, object)
	}
	return objects
}

// text reads a member that is a text, or a whole number, which is written as its
// digits; null, false and nothing are empty.
func (r *outputReader) text(o map[string]any, member string) string {
	v := o[member]
	text, ok := v.(string)
	if !ok && v != nil && v != false {
		if text, ok = wholeNumber(v); !ok {
			r.fail(member)
			return ""
		}
	}
	if r.left -= len(text); len(text) > mostOutputText || r.left < 0 {
		r.fail(member)
		return ""
	}
	return text
}

// id reads a member that is the id of a record; 0 is none.
func (r *outputReader) id(o map[string]any, member string) int64 {
	text := strings.TrimSpace(r.text(o, member))
	if text == "" {
		return 0
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		r.fail(member)
		return 0
	}
	return id
}

// date reads a date, as the API takes it or as .input has it, and returns it as
// Odoo takes it.
func (r *outputReader) date(o map[string]any, member string) string {
	text := strings.TrimSpace(r.text(o, member))
	if text == "" {
		return ""
	}
	date := DateOf(text)
	if date == "" {
		r.failWith(CodeOutputValue, member)
	}
	return date
}

// DateOf is a date, with hyphens or in the form of MTS with slashes, as Odoo takes it; ""
// for what is none.
func DateOf(text string) string {
	for _, layout := range []string{"2006-1-2", "2006/1/2"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Format(time.DateOnly)
		}
	}
	return ""
}

// wholeNumber are the digits of a number without a fraction.
func wholeNumber(v any) (string, bool) {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), true
		}
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return v.String(), true
		}
		if f, err := v.Float64(); err == nil {
			return wholeNumber(f)
		}
	}
	return "", false
}

// OutputOwner is whose token came: a registrant, as the registry has it, or a
// submission, and the registrant that it completes, 0 for a new one.
type OutputOwner struct {
	Registrant int64
	VID, Token string // as CleanVID and CleanToken return them
	Submission string

	VIDType, TokenType, SubmissionType string
}

// Resolve decides whether an update is about its own registrant, as far as that can be
// told without the registry, and gives it the token of the answer. The error is an
// *OutputError.
func (u Update) Resolve(o OutputOwner) (NewToken, error) {
	if u.Registrant != 0 && u.Registrant != o.Registrant {
		return NewToken{}, outputError(CodeOutputOther, "partner_id")
	}
	token, found := NewToken{Registrant: o.Registrant, Value: o.Token}, false
	for _, i := range u.Identifiers {
		switch i.Type {
		case o.TokenType:
			if CleanToken(i.Value) != o.Token {
				return token, outputError(CodeOutputToken, "value")
			}
			token.Expiry, token.Status, token.Description = i.Expiry, i.Status, i.Description
			found = true
		case o.VIDType: // which goes away
			if CleanVID(i.Value) != o.VID {
				return token, outputError(CodeOutputOther, "ids")
			}
		case o.SubmissionType:
			if i.Value != o.Submission {
				return token, outputError(CodeOutputOther, "ids")
			}
		}
	}
	if !found {
		return token, outputError(CodeOutputToken, "")
	}
	return token, nil
}

// Others are the identifiers that an update sets besides the token, the VID and the id
// of the submission.
func (u Update) Others(o OutputOwner) []TypedValue {
	return slices.DeleteFunc(slices.Clone(u.Identifiers), func(i TypedValue) bool {
		return i.Type == o.TokenType || i.Type == o.VIDType || i.Type == o.SubmissionType
	})
}

// Rights are those that writing an update needs, besides those that every token needs.
// An identifier that its registrant may hold already is changed.
func (u Update) Rights(o OutputOwner) (rights []Right) {
	if len(u.Fields) > 0 {
		rights = append(rights, Right{"res.partner", "write"})
	}
	if u.Fields["gender"] != "" {
		rights = append(rights, Right{"gender.type", "read"})
	}
	if len(u.Phones) > 0 {
		rights = append(rights, Right{"g2p.phone.number", "read"}, Right{"g2p.phone.number", "create"})
	}
	if len(u.Others(o)) > 0 {
		rights = append(rights, Right{"g2p.reg.id", "write"})
	}
	return rights
}

// NamesOwn reports whether an update with an updateId names its owner by it: its VID, or
// its submission.
func (u Update) NamesOwn(o OutputOwner) bool {
	return CleanVID(u.UpdateID) == o.VID && (u.UpdateType == "" || u.UpdateType == o.VIDType) ||
		o.Submission != "" && u.UpdateID == o.Submission && (u.UpdateType == "" || u.UpdateType == o.SubmissionType)
}

// Unread are the members of a result that are in none of its shapes, so that nobody
// reads them: each once, in their order.
func Unread(result any) (members []string) {
	if list, ok := result.([]any); ok && len(list) == 1 {
		result = list[0]
	}
	add := func(v any, known []string) {
		object, _ := v.(map[string]any)
		for member := range object {
			if !slices.Contains(known, member) && !slices.Contains(members, member) {
				members = append(members, member)
			}
		}
	}
	object, _ := result.(map[string]any)
	known := individualMembers
	if has(object, "partner_id") && has(object, "value") {
		known = identifierMembers
	}
	add(object, known)
	for member, inner := range map[string][]string{"ids": identifierMembers, "phone_numbers": phoneMembers} {
		list, _ := object[member].([]any)
		for _, element := range list {
			add(element, inner)
		}
	}
	slices.Sort(members)
	return members
}
