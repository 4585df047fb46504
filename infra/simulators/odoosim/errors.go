package odoosim

import (
	"fmt"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// exception is a Python exception that the client receives. On the wire it is HTTP
// 200 with an error object (facts/odoo.md A1.1), unless the server does not
// know the database of the request (facts/odoo.md A1.4).
type exception struct {
	name    string // class with module, as in data.name
	message string
	args    []any // data.arguments; nil: the message alone
	code    int   // 200, 100 (session) or 404
	// about has the arguments of the call. It goes into data.debug, where Odoo has a
	// traceback with SQL and values, so that a client that logs it is found out.
	about string
}

func (e *exception) Error() string { return e.name + ": " + e.message }

func raise(name, format string, args ...any) *exception {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	return &exception{name: name, message: message, code: 200}
}

func invalid(format string, args ...any) *exception {
	return raise("odoo.exceptions.ValidationError", format, args...)
}

func valueError(format string, args ...any) *exception {
	return raise("builtins.ValueError", format, args...)
}

func accessDenied() *exception { return raise("odoo.exceptions.AccessDenied", "Access Denied") }

func noDatabase(name string) *exception {
	return raise("psycopg2.OperationalError", "FATAL:  database %q does not exist\n", name)
}

func sessionExpired() *exception {
	e := raise("odoo.http.SessionExpiredException", "Session expired")
	e.code = 100
	return e
}

const notFoundText = "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again."

func notFound() *exception {
	e := raise("werkzeug.exceptions.NotFound", "404 Not Found: "+notFoundText)
	e.code, e.args = 404, []any{}
	return e
}

func missingRecord(model string, user int64, ids ...int64) *exception {
	return raise("odoo.exceptions.MissingError", "Record does not exist or has been deleted.\n(Record: %s, User: %d)",
		recordset(model, ids...), user)
}

// recordset prints a model's records as Odoo names them in its errors.
func recordset(model string, ids ...int64) string {
	return model + python.ReprTuple(ids)
}

// notSet is a violation of NOT NULL, as Odoo words it.
func notSet(m *model, f *field) *exception {
	return invalid("The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n"+
		"- Delete: another model requires the record being deleted. If possible, archive it instead.\n\n"+
		"Model: %s (%s), Field: %s (%s)", m.label, m.name, f.label, f.name)
}

// stillUsed is a violation of a foreign key, as Odoo words it.
func stillUsed(m *model, constraint string) *exception {
	return invalid("The operation cannot be completed: another model requires the record being deleted. "+
		"If possible, archive it instead.\n\nModel: %s (%s), Constraint: %s", m.label, m.name, constraint)
}

// serializationFailure is SQLSTATE 40001 (facts/odoo.md A6).
func serializationFailure() *exception {
	return raise("psycopg2.errors.SerializationFailure", "could not serialize access due to concurrent update\n")
}

// document is the value of "error" in the reply.
func (e *exception) document() python.Dict {
	message := map[int]string{100: "Odoo Session Expired", 404: "404: Not Found"}[e.code]
	if message == "" {
		message = "Odoo Server Error"
	}
	args := e.args
	if args == nil {
		args = []any{e.message}
	}
	doc := python.Dict{
		{"code", e.code},
		{"message", message},
		{"data", python.Dict{
			{"name", e.name},
			{"debug", e.traceback()},
			{"message", e.message},
			{"arguments", args},
			{"context", python.Dict{}},
		}},
	}
	if e.code == 404 {
		doc = append(doc, python.Item{"http_status", 404})
	}
	return doc
}

func (e *exception) traceback() string {
	var b strings.Builder
	b.WriteString("Traceback (most recent call last):\n")
	if e.about != "" {
		b.WriteString("  parameters: " + e.about + "\n")
	}
	fmt.Fprintf(&b, "%s: %s\n", strings.TrimPrefix(e.name, "builtins."), e.message)
	return b.String()
}
