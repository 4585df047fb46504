// Package openapi checks requests of an API by its OpenAPI document: parameters of
// the address, and bodies.
package openapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"openg2p.org/mts-connector/shared/api"
)

// Document is an OpenAPI 3.1 document that requests are checked by. It is read when
// the first request needs it, and a schema is compiled when the first request with
// a body, or with parameters, of its operation comes.
type Document struct {
	text    []byte
	formats []Format
	read    func() (contents, error)
	hidden  func() map[string]bool

	mu       sync.Mutex // of the compiler, and of what it has compiled
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// Format is a word of the keyword "format" that the document uses for texts. Check
// returns what is wrong with a text as a api.Flaw, or nil.
type Format struct {
	Name  string
	Check func(text string) error
}

type contents struct {
	tree       map[string]any
	operations map[string]map[string]*operation // by path and method
}

// operation is what the document says about a method of a path.
type operation struct {
	document   *Document
	id, role   string
	parameters []parameter
	body       string // location of the schema of its body; "" if it has none
}

// parameter is one of the query of an address.
type parameter struct {
	name     string
	location string // of its schema
	schema   map[string]any
}

// NewDocument is a document in JSON.
func NewDocument(text []byte, formats ...Format) *Document {
	d := &Document{text: text, formats: append([]Format{{"line", CheckLine}}, formats...), compiled: map[string]*jsonschema.Schema{}}
	d.read = sync.OnceValues(d.contents)
	d.hidden = sync.OnceValue(d.findHidden)
	return d
}

// Text is the document as it is served.
func (d *Document) Text() []byte { return d.text }

// base is where the compiler has the document.
const base = "document:///openapi.json"

func (d *Document) contents() (contents, error) {
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.text))
	if err != nil {
		return contents{}, err
	}
	tree, _ := read.(map[string]any)
	c := contents{tree, map[string]map[string]*operation{}}
	paths, _ := tree["paths"].(map[string]any)
	for path, item := range paths {
		members, _ := item.(map[string]any)
		c.operations[path] = map[string]*operation{}
		ofPath := "/paths/" + pointerEscapes.Replace(path)
		for method, said := range members {
			if !slices.Contains(methods, method) {
				continue
			}
			at := ofPath + "/" + method
			o := &operation{document: d}
			o.id, _ = member(said, "operationId").(string)
			o.role, _ = member(said, "x-role").(string)
			o.parameters = append(c.parameters(ofPath+"/parameters"), c.parameters(at+"/parameters")...)
			if body := at + "/requestBody/content/application~1json/schema"; lookUp(tree, body) != nil {
				o.body = body
			}
			c.operations[path][strings.ToUpper(method)] = o
		}
	}
	return c, nil
}

var methods = []string{"get", "put", "post", "delete", "patch"}

// parameters are those of the query among a list of the document.
func (c contents) parameters(at string) (list []parameter) {
	entries, _ := lookUp(c.tree, at).([]any)
	for i, entry := range entries {
		at := at + "/" + strconv.Itoa(i)
		if reference, ok := member(entry, "$ref").(string); ok {
			at = strings.TrimPrefix(reference, "#")
		}
		said := lookUp(c.tree, at)
		if member(said, "in") != "query" {
			continue
		}
		name, _ := member(said, "name").(string)
		schema, _ := c.resolved(member(said, "schema"))
		list = append(list, parameter{name, at + "/schema", schema})
	}
	return list
}

// resolved is a schema of the document, or the one that it refers to.
func (c contents) resolved(schema any) (map[string]any, bool) {
	for range 10 {
		reference, ok := member(schema, "$ref").(string)
		if !ok {
			break
		}
		schema = lookUp(c.tree, strings.TrimPrefix(reference, "#"))
	}
	members, ok := schema.(map[string]any)
	return members, ok
}

// member is one of an object, or nil.
func member(v any, name string) any {
	members, _ := v.(map[string]any)
	return members[name]
}

var pointerNames = strings.NewReplacer("~1", "/", "~0", "~")

// lookUp is what a JSON pointer leads to, or nil.
func lookUp(v any, pointer string) any {
	for element := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		v = inside(v, pointerNames.Replace(element))
	}
	return v
}

// inside is a member of an object, or an entry of a list, or nil.
func inside(v any, name string) any {
	switch in := v.(type) {
	case map[string]any:
		return in[name]
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(in) {
			return in[i]
		}
	}
	return nil
}

// Role is the role that a request needs, as x-role of the document says; "" if it is
// public.
func (d *Document) Role(path, method string) (string, error) {
	o, err := d.operation(path, method)
	if err != nil {
		return "", err
	}
	return o.role, nil
}

// Operation is one of the document.
type Operation struct{ ID, Role string }

// Operations are those of the document, by their ids, and its version.
func (d *Document) Operations() (list []Operation, version string, err error) {
	c, err := d.read()
	if err != nil {
		return nil, "", err
	}
	for _, methods := range c.operations {
		for _, o := range methods {
			list = append(list, Operation{o.id, o.role})
		}
	}
	slices.SortFunc(list, func(a, b Operation) int { return strings.Compare(a.ID, b.ID) })
	version, _ = member(c.tree["info"], "version").(string)
	return list, version, nil
}

// operation is what the document says about a request.
func (d *Document) operation(path, method string) (*operation, error) {
	c, err := d.read()
	if err != nil {
		return nil, err
	}
	o := c.operations[path][method]
	if o == nil {
		return nil, fmt.Errorf("the document has no %s of %s", method, path)
	}
	return o, nil
}

// schema compiles the schema at a location of the document.
func (d *Document) schema(location string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := d.compiled[location]; found != nil {
		return found, nil
	}
	c, err := d.read()
	if err != nil {
		return nil, err
	}
	if d.compiler == nil {
		d.compiler = jsonschema.NewCompiler()
		d.compiler.AssertFormat()
		for _, f := range d.formats {
			d.compiler.RegisterFormat(&jsonschema.Format{Name: f.Name, Validate: func(v any) error {
				if text, ok := v.(string); ok {
					return f.Check(text)
				}
				return nil
			}})
		}
		if err := d.compiler.AddResource(base, c.tree); err != nil {
			return nil, err
		}
	}
	made, err := d.compiler.Compile(base + "#" + (&url.URL{Path: location}).EscapedPath())
	if err == nil {
		d.compiled[location] = made
	}
	return made, err
}

// validate checks a value by the schema at a location and says what is wrong with
// it. The other errors are about the document.
func (d *Document) validate(location string, v any) ([]mistake, error) {
	schema, err := d.schema(location)
	if err != nil {
		return nil, err
	}
	c, _ := d.read()
	err = schema.Validate(bounded(v))
	if wrong, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		says := speaker{contents: c, value: v}
		says.walk(wrong)
		return says.sorted(), nil
	}
	return nil, err
}

// MostEntries is the longest list that the document can allow in a body. A longer
// one is only looked at so far: each entry may be wrong, and has an error then.
const MostEntries = 10_000

// bounded is a value whose lists are cut off behind the first entry that no schema
// allows.
func bounded(v any) any {
	switch v := v.(type) {
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, value := range v {
			members[name] = bounded(value)
		}
		return members
	case []any:
		v = v[:min(len(v), MostEntries+1)]
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = bounded(value)
		}
		return list
	}
	return v
}

// operationKey is for the operation of a request, in its context.
type operationKey struct{}

// Check checks the parameters of a request for a path, and returns the request as
// Read takes it.
func (d *Document) Check(r *http.Request, path string) (*http.Request, error) {
	operation, err := d.operation(path, r.Method)
	if err != nil {
		return nil, err
	}
	if err := operation.checkQuery(r); err != nil {
		return nil, err
	}
	return r.WithContext(context.WithValue(r.Context(), operationKey{}, operation)), nil
}

// checkQuery refuses a parameter that the operation does not take, that is given
// twice, or that is not what its schema says: left aside, a misspelt "limit" would
// seem to work.
func (o *operation) checkQuery(r *http.Request) error {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return api.NewProblem(api.Unreadable, "What follows ? in the address cannot be read.")
	}
	var known []string
	for _, p := range o.parameters {
		known = append(known, p.name)
	}
	var wrong api.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(o.parameters, func(p parameter) bool { return p.name == name })
		switch {
		case i < 0:
			flaw := api.Flaw{Code: "unknown_parameter", Detail: "is not a parameter of this request"}
			if meant := likely(name, known); meant != "" {
				flaw.Params, flaw.Detail = api.Params{"meant": meant}, flaw.Detail+`; do you mean "`+meant+`"?`
			}
			wrong = append(wrong, api.FieldError{Parameter: cmp.Or(visible(name), "(without a name)"), Flaw: flaw})
		case len(given[name]) > 1:
			wrong = append(wrong, api.FieldError{Parameter: name, Flaw: api.Flaw{Code: "twice", Detail: "is given twice"}})
		default:
			found, err := o.document.validate(o.parameters[i].location, o.parameters[i].value(given.Get(name)))
			if err != nil {
				return err
			}
			for _, m := range found {
				wrong = append(wrong, api.FieldError{Parameter: name, Flaw: m.flaw})
			}
		}
	}
	if len(wrong) > 0 {
		return api.NewProblem(api.WrongParameters, "The address has wrong parameters; errors says which, and what each needs.", wrong...)
	}
	return nil
}

// value is what a text of the address is taken for by its schema.
func (p parameter) value(text string) any {
	switch p.schema["type"] {
	case "integer":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		return outOfRange // so that the limits are said
	case "boolean":
		if b, err := strconv.ParseBool(text); err == nil && len(text) > 1 {
			return b
		}
	}
	return text
}

// outOfRange is below every minimum.
const outOfRange int64 = -1 << 62

// sorted puts the mistakes of a body into the order of their places, with one for
// each place: of what is wrong with a value, the first that people should mend.
func (s *speaker) sorted() []mistake {
	slices.SortStableFunc(s.found, func(a, b mistake) int {
		return cmp.Or(slices.CompareFunc(a.at, b.at, compareElements), cmp.Compare(a.rank, b.rank))
	})
	return slices.CompactFunc(s.found, func(a, b mistake) bool { return slices.Equal(a.at, b.at) })
}

// compareElements orders entries of lists by their number.
func compareElements(a, b string) int {
	n, err1 := strconv.Atoi(a)
	m, err2 := strconv.Atoi(b)
	if err1 == nil && err2 == nil {
		return cmp.Compare(n, m)
	}
	return strings.Compare(a, b)
}

// Serve answers with the document. It changes with a deployment only.
func (d *Document) Serve(w http.ResponseWriter, r *http.Request) error {
	sum := sha256.Sum256(d.text)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if _, same := api.IfNoneMatch(r, tag); same {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(d.text) // the client may be gone
	return nil
}
