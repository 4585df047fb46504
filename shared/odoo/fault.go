package odoo

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// rpcError is an application error of Odoo (facts/odoo.md A1). Its message stays
// in this file, because it may hold identifier values.
type rpcError struct {
	Code   int `json:"code"`
	status int // of JSON-2, which has no code (facts/odoo.md C)
	Data   struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	} `json:"data"`
}

// lostSession reports that the call was not executed because it had no session.
// Odoo replies 404 where it cannot know the database without one, and once after
// PostgreSQL was down (facts/odoo.md A1.4, A4).
func (e *rpcError) lostSession() bool {
	return e.Code == codeSessionExpired || e.Code == http.StatusNotFound
}

const codeSessionExpired = 100

// Codes of a refused sign-in; seeding has a text for each. What Odoo does not tell
// apart has one code: a key that is wrong, was removed, has expired, or is of a
// user who is not active (facts/odoo.md F1).
const (
	accessDenied = "AccessDenied"
	keyRefused   = "KeyRefused"
	keyOfAnother = "KeyOfAnotherUser"
	secondFactor = "SecondFactor"
	tooManyTries = "TooManyAttempts"
)

func refusedSignIn(code string) *seeding.Fault {
	return &seeding.Fault{Kind: seeding.RefusedSignIn, Code: code}
}

// refusedKey reports that the call was not executed because Odoo refused the
// password or key that came with it.
func (e *rpcError) refusedKey(w way) bool {
	switch w.(type) {
	case *executeWay:
		return e.class() == accessDenied && !e.cooling()
	case *bearerWay:
		return e.status == http.StatusUnauthorized
	}
	return false
}

// cooling reports that Odoo refuses everybody for a while. Only the message, in
// English as a rule, shows it (facts/odoo.md F2).
func (e *rpcError) cooling() bool {
	return e.class() == accessDenied && strings.HasPrefix(e.Data.Message, "Too many login failures")
}

// classes give the meaning of Python exceptions. After any other exception the
// outcome of a write is unknown: Odoo rolls back on every error, but the commit
// itself may be what failed.
var classes = map[string]seeding.FaultKind{
	"AccessDenied": seeding.RefusedSignIn,
	"AccessError":  seeding.RefusedRights,

	"ValidationError": seeding.RefusedData,
	"UserError":       seeding.RefusedData,
	"RedirectWarning": seeding.RefusedData,
	"MissingError":    seeding.RefusedData,
	"ValueError":      seeding.RefusedData,

	"AttributeError": seeding.RefusedSchema,
	"KeyError":       seeding.RefusedSchema, // call_kw on a model that does not exist
	"TypeError":      seeding.RefusedSchema,
	"AssertionError": seeding.RefusedSchema, // not a domain

	// Of JSON-2.
	"NotFound":            seeding.RefusedSchema, // a model or method that does not exist
	"UnprocessableEntity": seeding.RefusedSchema, // an argument that does not exist
	"Unauthorized":        seeding.RefusedSignIn,

	// Exceptions of psycopg2, which Odoo passes on in some places.
	"IntegrityError":            seeding.RefusedData,
	"UniqueViolation":           seeding.RefusedData,
	"ForeignKeyViolation":       seeding.RefusedData,
	"NotNullViolation":          seeding.RefusedData,
	"CheckViolation":            seeding.RefusedData,
	"ExclusionViolation":        seeding.RefusedData,
	"DataError":                 seeding.RefusedData,
	"DatetimeFieldOverflow":     seeding.RefusedData,
	"InvalidDatetimeFormat":     seeding.RefusedData,
	"InvalidTextRepresentation": seeding.RefusedData,
	"NumericValueOutOfRange":    seeding.RefusedData,
	"StringDataRightTruncation": seeding.RefusedData,
	"ProgrammingError":          seeding.RefusedSchema,
	"UndefinedColumn":           seeding.RefusedSchema,
	"UndefinedFunction":         seeding.RefusedSchema,
	"UndefinedTable":            seeding.RefusedSchema,
	"InsufficientPrivilege":     seeding.RefusedRights,
}

// schemaWords begin the message of a ValueError for a missing field or a wrong
// domain, and of a UserError for a missing model (facts/odoo.md A1.7).
var schemaWords = map[string][]string{
	"ValueError": {"Invalid field ", "Invalid leaf ", "Invalid domain ", "Invalid operator ", "Domain() "}, // the last two are Odoo 19's
	"UserError":  {"Object "},
}

// fault is the meaning of the error for a call, which writes or only reads.
func (e *rpcError) fault(writes bool) *seeding.Fault {
	class := e.class()
	kind, known := classes[class]
	for _, words := range schemaWords[class] {
		if strings.HasPrefix(e.Data.Message, words) {
			kind = seeding.RefusedSchema
		}
	}
	switch {
	case e.cooling():
		class = tooManyTries
	case e.Code == http.StatusNotFound:
		kind, class = seeding.RefusedSchema, seeding.HTTPCode(e.Code) // Odoo 19's reply for a model that does not exist
	case e.Code == codeSessionExpired:
		kind = seeding.RefusedSignIn
	case known:
	case writes:
		kind = seeding.Unknown
	case strings.HasPrefix(e.Data.Name, "psycopg2."):
		kind = seeding.Unreachable // Odoo has no database
	default:
		kind = seeding.RefusedRequest
	}
	return &seeding.Fault{Kind: kind, Code: class, Cause: e.blamed()}
}

// missesModel reports whether the error is that the model does not exist. The models
// are OpenG2P's, or every Odoo has them. The message has the model's name in every
// language (facts/odoo.md A1.7); the 404 of Odoo 19 has none.
func (e *rpcError) missesModel(model string) bool {
	if !strings.HasPrefix(model, "g2p.") {
		return false
	}
	switch e.class() {
	case "KeyError", "NotFound":
		return strings.Contains(e.Data.Message, model) || e.Code == http.StatusNotFound
	case "UserError":
		return strings.HasPrefix(e.Data.Message, "Object "+model)
	}
	return e.Code == http.StatusNotFound
}

// blamed is what a message blames: names that are shown only if they are the
// configuration's own.
type blamed struct {
	fields   []string
	operator bool // an operator of the domain, or its form
}

func (*blamed) Error() string { return "names of the configuration are to blame" }

// The messages of Odoo 14 to 19 about a field that does not exist, of which a path
// has its last name, and about fields that the user may not read.
var (
	noField     = regexp.MustCompile(`^Invalid field '?(?:[A-Za-z0-9_]+\.)*([A-Za-z0-9_]+)`)
	deniedField = regexp.MustCompile(`access the fields? "([A-Za-z0-9_, ]+)"`)
	noOperator  = regexp.MustCompile(`^(Invalid leaf|Invalid operator|Domain\(\) invalid item)\b`)
)

func (e *rpcError) blamed() error {
	var b blamed
	switch e.class() {
	case "TypeError", "AssertionError":
		b.operator = true // Odoo 14 takes an operator's domain for ids (facts/odoo-recorded.md 1b)
	case "ValueError":
		if found := noField.FindStringSubmatch(e.Data.Message); found != nil {
			b.fields = found[1:]
		}
		b.operator = noOperator.MatchString(e.Data.Message)
	case "AccessError":
		if found := deniedField.FindStringSubmatch(e.Data.Message); found != nil {
			b.fields = strings.FieldsFunc(found[1], func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	if b.fields == nil && !b.operator {
		return nil
	}
	return &b
}

// signInFault is the meaning of the error for signing in to a database. The
// class is the same for a database that does not exist and for one that is down;
// only an English message tells them apart.
func (e *rpcError) signInFault(database string) *seeding.Fault {
	switch {
	case e.class() == "OperationalError" &&
		strings.Contains(e.Data.Message, strconv.Quote(database)) && strings.Contains(e.Data.Message, "does not exist"):
		return noDatabase()
	case e.class() == "AccessError" && strings.HasPrefix(e.Data.Message, "Database not found"): // Odoo 19
		return noDatabase()
	case e.Code == http.StatusNotFound:
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.HTTPCode(e.Code)}
	}
	fault := e.fault(false)
	if fault.Kind == seeding.RefusedRights || fault.Kind == seeding.RefusedData {
		fault.Kind = seeding.RefusedSignIn
	}
	return fault
}

func noDatabase() *seeding.Fault {
	return &seeding.Fault{Kind: seeding.RefusedSignIn, Code: "NoDatabase"}
}

var className = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// class is the name of the exception without its module.
func (e *rpcError) class() string {
	name := e.Data.Name[strings.LastIndexByte(e.Data.Name, '.')+1:]
	if !className.MatchString(name) {
		return ""
	}
	return name
}

// unanswered is the fault of a call without a usable reply of Odoo. The outcome
// of a write is unknown; a read has changed nothing.
func unanswered(writes bool, code string, cause error) *seeding.Fault {
	if writes {
		return &seeding.Fault{Kind: seeding.Unknown, Code: code, Cause: cause}
	}
	return &seeding.Fault{Kind: seeding.Unreachable, Code: code, Cause: cause}
}

// noReply translates an error of the HTTP client, which may know that nothing
// was sent.
func noReply(writes bool, err error) error {
	failed, ok := errors.AsType[interface {
		error
		NotSent() bool
		Code() string
	}](err)
	_, wrong := errors.AsType[*notAsked](err)
	switch {
	case !writes && (wrong || ok && failed.Code() == seeding.CodeTooLarge):
		// It is there, and what it sends cannot be used. That is no outage: it
		// concerns this call, and keeps no other connector waiting.
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: failed.Code(), Cause: err}
	case ok:
		return unanswered(writes && !failed.NotSent(), failed.Code(), err)
	case errors.Is(err, context.DeadlineExceeded):
		return unanswered(writes, "Timeout", err)
	case errors.Is(err, errNotRPC):
		return unanswered(writes, notRPC, err)
	}
	return unanswered(writes, "BadAnswer", err)
}
