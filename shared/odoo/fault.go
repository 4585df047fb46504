package odoo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// rpcError is an application error of Odoo (facts/odoo.md A1). The message is
// looked at here and goes nowhere: it may hold identifier values.
type rpcError struct {
	Code int `json:"code"`
	Data struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	} `json:"data"`
}

// lostSession tells that the call was not executed for want of a session. Code
// 404 says it where Odoo cannot tell the database without one, and once after
// PostgreSQL was down (facts/odoo.md A1.4, A4).
func (e *rpcError) lostSession() bool {
	return e.Code == codeSessionExpired || e.Code == http.StatusNotFound
}

const codeSessionExpired = 100

// classes say what a Python exception means. What is not here is of no known
// meaning: of a write the outcome is unknown, though Odoo rolls back on every
// error, because the commit itself can be what failed.
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
	"AssertionError": seeding.RefusedSchema, // a domain that is none

	// psycopg2, which Odoo passes on where it has no words of its own.
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

// schemaWords are the only marks of a missing field or a wrong domain among
// ValueErrors, and of a missing model among UserErrors (facts/odoo.md A1.7).
var schemaWords = map[string][]string{
	"ValueError": {"Invalid field ", "Invalid leaf ", "Invalid domain ", "Invalid operator ", "Domain() "}, // the last two are Odoo 19's
	"UserError":  {"Object "},
}

// fault is what the error means for a call that writes or only reads.
func (e *rpcError) fault(writes bool) *seeding.Fault {
	class := e.class()
	kind, known := classes[class]
	for _, words := range schemaWords[class] {
		if strings.HasPrefix(e.Data.Message, words) {
			kind = seeding.RefusedSchema
		}
	}
	switch {
	case e.Code == http.StatusNotFound:
		kind, class = seeding.RefusedSchema, httpCode(e.Code) // Odoo 19 of a model that does not exist
	case e.Code == codeSessionExpired:
		kind = seeding.RefusedSignIn
	case known:
	case writes:
		kind = seeding.Unknown
	case strings.HasPrefix(e.Data.Name, "psycopg2."):
		kind = seeding.Unreachable // there is no database behind it
	default:
		kind = seeding.RefusedRequest
	}
	return &seeding.Fault{Kind: kind, Code: class}
}

// signInFault is what the error means for signing in to a database. One that
// does not exist has the same class as one that is down; in another language
// than English the two stay alike.
func (e *rpcError) signInFault(database string) *seeding.Fault {
	switch {
	case e.class() == "OperationalError" &&
		strings.Contains(e.Data.Message, strconv.Quote(database)) && strings.Contains(e.Data.Message, "does not exist"):
		return noDatabase()
	case e.class() == "AccessError" && strings.HasPrefix(e.Data.Message, "Database not found"): // Odoo 19
		return noDatabase()
	case e.Code == http.StatusNotFound:
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: httpCode(e.Code)}
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

// broken is the fault of a call whose outcome no answer of Odoo tells. Reads
// change nothing, so of them it only says that the registry does not serve.
func broken(writes bool, code string, cause error) *seeding.Fault {
	if writes {
		return &seeding.Fault{Kind: seeding.Unknown, Code: code, Cause: cause}
	}
	return &seeding.Fault{Kind: seeding.Unreachable, Code: code, Cause: cause}
}

// noAnswer translates an error of the HTTP client, which may know that nothing
// was sent.
func noAnswer(writes bool, err error) error {
	failed, ok := errors.AsType[interface {
		error
		NotSent() bool
		Code() string
	}](err)
	switch {
	case ok:
		return broken(writes && !failed.NotSent(), failed.Code(), err)
	case errors.Is(err, context.DeadlineExceeded):
		return broken(writes, "Timeout", err)
	}
	return broken(writes, "BadAnswer", err)
}

// notOdoo translates an answer that is none of Odoo's JSON-RPC.
func notOdoo(writes bool, status int) error {
	switch {
	case status == http.StatusTooManyRequests:
		return &seeding.Fault{Kind: seeding.Unreachable, Code: httpCode(status)}
	case status >= 300 && status < 500 && status != http.StatusRequestTimeout:
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: httpCode(status)}
	case status < 300:
		return broken(writes, "BadAnswer", nil)
	}
	return broken(writes, httpCode(status), nil) // for instance Odoo's 500 in HTML (facts/odoo.md A1.4)
}

func httpCode(status int) string { return fmt.Sprintf("HTTP-%d", status) }
