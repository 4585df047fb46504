// Package openapitest holds an API against its document: the document itself, and
// every reply that a test gets.
package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"openg2p.org/mts-connector/shared/api"
)

// Contract is a document that replies are held against. It may be used at once by
// several tests.
type Contract struct {
	tree     map[string]any
	paths    *http.ServeMux
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

const base = "document:///openapi.json"

// New is the contract of a document in JSON.
func New(document []byte) (*Contract, error) {
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	tree, ok := read.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the document is no object")
	}
	c := &Contract{tree: tree, paths: http.NewServeMux(), compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	c.compiler.AssertFormat()
	for path := range c.object("paths") {
		c.paths.HandleFunc(path, func(http.ResponseWriter, *http.Request) {})
	}
	return c, c.compiler.AddResource(base, tree)
}

// at is what a path of names leads to; references are followed.
func (c *Contract) at(names ...string) (v any, pointer string) {
	v = c.tree
	for _, name := range names {
		if list, ok := v.([]any); ok {
			i, _ := strconv.Atoi(name)
			v, pointer = list[i], pointer+"/"+name
		} else {
			members, _ := v.(map[string]any)
			v, pointer = members[name], pointer+"/"+escaped.Replace(name)
		}
		v, pointer = c.follow(v, pointer)
	}
	return v, pointer
}

func (c *Contract) follow(v any, pointer string) (any, string) {
	members, _ := v.(map[string]any)
	if reference, ok := members["$ref"].(string); ok {
		var names []string
		for name := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
			names = append(names, unescaped.Replace(name))
		}
		return c.at(names...)
	}
	return v, pointer
}

var escaped, unescaped = strings.NewReplacer("~", "~0", "/", "~1"), strings.NewReplacer("~1", "/", "~0", "~")

func (c *Contract) object(names ...string) map[string]any {
	v, _ := c.at(names...)
	members, _ := v.(map[string]any)
	return members
}

// Validate checks a value by the schema at a JSON pointer of the document.
func (c *Contract) Validate(pointer string, v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	schema := c.compiled[pointer]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile(base + "#" + (&url.URL{Path: pointer}).EscapedPath()); err != nil {
			return err
		}
		c.compiled[pointer] = schema
	}
	return schema.Validate(v)
}

// Path is the path of the document that serves an address, "" if none does.
func (c *Contract) Path(address *url.URL) string {
	_, pattern := c.paths.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: address.Path}})
	return pattern
}

// Reply is nil if the document allows the reply to a request. A path or method that
// is not in it must be refused with a problem.
func (c *Contract) Reply(request *http.Request, status int, header http.Header, body []byte) error {
	path := c.Path(request.URL)
	operation := c.object("paths", path, strings.ToLower(request.Method))
	where := fmt.Sprintf("%s %s: %d", request.Method, request.URL.Path, status)
	if operation == nil {
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed && status != http.StatusUnauthorized {
			return fmt.Errorf("%s, but the document has no such operation", where)
		}
		return c.unlisted(where, status, header, body)
	}
	names := []string{"paths", path, strings.ToLower(request.Method), "responses", strconv.Itoa(status)}
	response := c.object(names...)
	if response == nil {
		return fmt.Errorf("%s is not among the replies of the document", where)
	}
	for name := range c.object(append(names, "headers")...) {
		if c.object(append(names, "headers", name)...)["required"] == true && header.Get(name) == "" {
			return fmt.Errorf("%s without the header %s", where, name)
		}
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("%s with a body, which the document does not have", where)
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		return fmt.Errorf("%s of type %q, which the document does not have", where, header.Get("Content-Type"))
	}
	if kind != "application/json" && kind != "application/problem+json" {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	_, pointer := c.at(append(names, "content", kind, "schema")...)
	if err := c.Validate(pointer, v); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if kind == "application/problem+json" {
		return c.problem(where, status, body)
	}
	return c.codes(where, v)
}

// unlisted checks a refusal of what is not in the document.
func (c *Contract) unlisted(where string, status int, header http.Header, body []byte) error {
	if header.Get("Content-Type") != "application/problem+json" {
		return nil // of the gateway
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if err := c.Validate("/components/schemas/Problem", v); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return c.problem(where, status, body)
}

// problem checks that type and codes of a problem are explained.
func (c *Contract) problem(where string, status int, body []byte) error {
	var p api.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if p.Status != status {
		return fmt.Errorf("%s, but the problem says %d", where, p.Status)
	}
	for _, e := range p.Errors {
		if c.object("x-codes")[e.Code] == nil {
			return fmt.Errorf("%s: the code %q is not in x-codes", where, e.Code)
		}
	}
	if p.Type == "about:blank" {
		return nil
	}
	name, found := strings.CutPrefix(p.Type, api.ProblemTypes)
	said := c.object("x-problems", name)
	if !found || said == nil {
		return fmt.Errorf("%s: the type %q is not in x-problems", where, p.Type)
	}
	if fmt.Sprint(said["status"]) != strconv.Itoa(status) || said["title"] != p.Title {
		return fmt.Errorf("%s: %q is %v %v in x-problems", where, p.Type, said["status"], said["title"])
	}
	return nil
}

// sentences checks that each code beside a text, anywhere in a reply, is in a list of the
// document.
func (c *Contract) sentences(where string, v any) error {
	switch v := v.(type) {
	case []any:
		for _, entry := range v {
			if err := c.sentences(where, entry); err != nil {
				return err
			}
		}
	case map[string]any:
		code, coded := v["code"].(string)
		if _, says := v["text"].(string); coded && says && !c.lists(v, code) {
			return fmt.Errorf("%s: the code %q of %q, with its result and parameters, is in no list of the document", where, code, v["text"])
		}
		for _, member := range v {
			if err := c.sentences(where, member); err != nil {
				return err
			}
		}
	}
	return nil
}

// lists reports whether the lists of codes have the code of an object.
func (c *Contract) lists(object map[string]any, code string) bool {
	code = status.ReplaceAllString(code, "http_{status}")
	lists := []map[string]any{c.object("x-problem-codes"), c.object("x-rejection-codes"), c.object("x-note-codes"), c.object("x-codes")}
	if line, ok := object["line"].(string); ok {
		entries, _ := c.object("x-line-codes", line)[code].([]any)
		return c.object("x-problem-codes")[code] != nil || slices.ContainsFunc(entries, func(entry any) bool { return listed(object, entry) })
	}
	return code == object["source"] || // of a problem that was stored before there were codes
		slices.ContainsFunc(lists, func(list map[string]any) bool {
			entry, isSaid := list[code].(map[string]any)
			return list[code] != nil && (!isSaid || listed(object, entry))
		})
}

// listed reports whether an entry of a list is what an object says: it has its result,
// it names all its parameters, and the object has all that stand in braces in its text.
func listed(object map[string]any, entry any) bool {
	said, _ := entry.(map[string]any)
	if said["result"] != object["result"] {
		return false
	}
	names, _ := said["params"].([]any)
	params, _ := object["params"].(map[string]any)
	for name := range params {
		if !slices.Contains(names, any(name)) {
			return false
		}
	}
	text, _ := said["text"].(string)
	remedy, _ := said["remedy"].(string)
	return !slices.ContainsFunc(names, func(name any) bool {
		key, _ := name.(string)
		return params[key] == nil && strings.Contains(text+remedy, "{"+key+"}")
	})
}

// status is a code for any status of HTTP; those that have sentences of their own are
// listed beside it.
var status = regexp.MustCompile(`^http_[1-5][0-9][0-9]$`)

// codes checks that the codes of errors and warnings in a reply that is no problem are
// explained.
func (c *Contract) codes(where string, v any) error {
	if err := c.sentences(where, v); err != nil {
		return err
	}
	members, _ := v.(map[string]any)
	for _, name := range []string{"errors", "warnings"} {
		list, _ := members[name].([]any)
		for _, entry := range list {
			said, _ := entry.(map[string]any)
			if code, ok := said["code"].(string); ok && c.object("x-codes")[code] == nil {
				return fmt.Errorf("%s: the code %q is not in x-codes", where, code)
			}
		}
	}
	return nil
}
