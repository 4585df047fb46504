package centralsim

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// parameter is one of a query, in its order.
type parameter struct{ name, value string }

func parameters(raw string) (list []parameter) {
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		list = append(list, parameter{unescaped(name), unescaped(value)})
	}
	return list
}

func unescaped(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	return s
}

// query is what is asked of a table of OData.
type query struct {
	list      []parameter
	top       int // -1: all
	skip      int
	paged     bool // $top or $skip is given
	skips     bool // $skip is given
	anchored  bool // $skiptoken is given
	anchor    string
	count     bool
	condition *condition
	order     []ordering
	shape     shape
}

type ordering struct {
	of         operand
	descending bool
}

var knownParameters = []string{"$format", "$count", "$skip", "$top", "$filter", "$wkt", "$expand", "$select", "$skiptoken", "$orderby", "$search"}

// supports reports whether the release knows a parameter.
func (r release) supports(name string) bool {
	since := map[string]release{"$select": withSelect, "$skiptoken": withSkipToken, "$orderby": withOrderBy}
	return slices.Contains(knownParameters, name) && r >= since[name]
}

// parseQuery checks a query as Central does; table is "Submissions" or a repeat.
func (s *Server) parseQuery(r *http.Request, f *view, table string) (query, *refusal) {
	q := query{top: -1, list: parameters(r.URL.RawQuery)}
	given := map[string]string{}
	filters := 0
	for _, p := range q.list {
		if !s.release.supports(p.name) {
			return q, errParameter
		}
		if p.name == "$filter" {
			filters++
		}
		given[p.name] = p.value
	}
	if refused := acceptable(r, given["$format"]); refused != nil {
		return q, refused
	}
	_, ordered := given["$orderby"]
	_, q.anchored = given["$skiptoken"]
	if ordered && q.anchored {
		return q, errParameter
	}
	for name, to := range map[string]*int{"$top": &q.top, "$skip": &q.skip} {
		text, ok := given[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return q, errNotANumber
		}
		*to, q.paged = int(n), true
		q.skips = q.skips || name == "$skip"
	}
	q.count = strings.EqualFold(given["$count"], "true")
	q.shape.wkt = given["$wkt"] == "true"
	if refused := q.columns(f, given); refused != nil {
		return q, refused
	}
	reading := filterParser{release: s.release, zone: s.options.Zone, now: s.micros(), table: table}
	if filter, ok := given["$filter"]; ok {
		if filters > 1 {
			return q, errFilterSyntax
		}
		var refused *refusal
		if q.condition, refused = parseFilter(filter, reading); refused != nil {
			return q, refused
		}
	}
	if ordered {
		var refused *refusal
		if q.order, refused = parseOrder(given["$orderby"], reading); refused != nil {
			return q, refused
		}
	}
	if q.anchored {
		var ok bool
		if q.anchor, ok = parseSkipToken(given["$skiptoken"]); !ok {
			return q, errSkipToken
		}
	}
	if q.top < -1 || q.top == -1 && given["$top"] != "" || q.skip < 0 {
		return q, errInternal
	}
	return q, nil
}

func acceptable(r *http.Request, format string) *refusal {
	if v := r.Header.Get("OData-MaxVersion"); v != "" && v < "4.0" {
		return errNotFound
	}
	accept := r.Header.Get("Accept")
	if format != "" && format != "json" && format != "application/json" ||
		format == "" && strings.Contains(accept, "xml") && !strings.Contains(accept, "json") && !strings.Contains(accept, "*/*") {
		return errFormat
	}
	return nil
}

// columns reads $expand and $select.
func (q *query) columns(f *view, given map[string]string) *refusal {
	expand := given["$expand"]
	choice := given["$select"]
	if choice == "*" {
		choice = ""
	}
	switch {
	case expand != "" && expand != "*":
		return errExpand
	case expand != "" && choice != "":
		return errExpandSelect
	}
	q.shape.expand = expand == "*"
	if choice == "" {
		return nil
	}
	q.shape.chosen = map[string]bool{}
	for name := range strings.SplitSeq(choice, ",") {
		name = strings.TrimSpace(name)
		if inner, ok := strings.CutPrefix(name, "__system/"); name == "__id" || name == "__system" || ok && slices.Contains(systemFields, inner) {
			q.shape.chosen[name] = true
			continue
		}
		i := slices.IndexFunc(f.fields, func(field Field) bool { return field.Path == "/"+name })
		if i < 0 {
			return errNoSuchColumn
		}
		for _, field := range f.fields {
			if field.Type == "repeat" && strings.HasPrefix("/"+name, field.Path+"/") {
				return errColumnOfRepeat
			}
		}
		q.shape.chosen["/"+name] = true
	}
	return nil
}

func parseOrder(text string, p filterParser) (list []ordering, refused *refusal) {
	for clause := range strings.SplitSeq(text, ",") {
		words := strings.Fields(clause)
		if len(words) == 0 || len(words) > 2 {
			return nil, errFilterSyntax
		}
		one := ordering{of: p.field(words[0])}
		if len(words) == 2 {
			one.descending = strings.EqualFold(words[1], "desc")
			if !one.descending && !strings.EqualFold(words[1], "asc") {
				return nil, errFilterSyntax
			}
		}
		list = append(list, one)
	}
	return list, p.unsupported
}

// A $skiptoken is 01 and the base64 of {"instanceId": …}, the last id of the page
// before.
func skipToken(id any) string {
	text, _ := json.Marshal(map[string]any{"instanceId": id})
	return "01" + base64.StdEncoding.EncodeToString(text)
}

// parseSkipToken returns "" for a token without an id, which leads nowhere.
func parseSkipToken(token string) (id string, ok bool) {
	encoded, ok := strings.CutPrefix(token, "01")
	if !ok {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		raw, err = base64.RawURLEncoding.DecodeString(encoded)
	}
	var content map[string]any
	if err != nil || json.Unmarshal(raw, &content) != nil {
		return "", false
	}
	id, _ = content["instanceId"].(string)
	return id, true
}

// selection is what a query has found.
type selection struct {
	page     []*submission
	matching int
	more     bool // there is a nextLink
}

// run finds the page of a query in the list of a table. known has the anchors, deleted
// ones too.
func (q *query) run(list []*submission, known map[string]*submission) selection {
	matching := make([]*submission, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- { // newest first
		x := list[i]
		if x.hidden || x.deleted != 0 && (q.condition == nil || !q.condition.namesDeleted) {
			continue
		}
		if q.condition == nil || q.condition.holds(x) == yes {
			matching = append(matching, x)
		}
	}
	if q.order != nil {
		slices.SortStableFunc(matching, q.before)
	}
	found := selection{matching: len(matching)}
	var rest []*submission
	switch {
	case q.anchored:
		anchor := known[q.anchor]
		if anchor != nil && !anchor.hidden {
			i, _ := slices.BinarySearchFunc(matching, anchor, func(a, b *submission) int { return byDate(b, a) })
			for i < len(matching) && byDate(matching[i], anchor) >= 0 {
				i++
			}
			rest = matching[i:]
		}
	default:
		rest = matching[min(q.skip, len(matching)):]
	}
	found.page = rest
	if q.top >= 0 {
		found.page = rest[:min(q.top, len(rest))]
	}
	if q.paged && q.top != 0 {
		found.more = len(found.page) < len(rest)
		if q.skips && !q.anchored { // what remains is worked out without what was skipped
			found.more = len(found.page) < len(matching)
		}
	}
	return found
}

func (q *query) before(a, b *submission) int {
	for _, o := range q.order {
		v, thereV := o.of.get(a)
		w, thereW := o.of.get(b)
		var c int
		switch {
		case thereV != thereW: // nothing is last, as in PostgreSQL
			c = 1
			if thereV {
				c = -1
			}
		default:
			c = cmp.Or(cmp.Compare(v.number, w.number), strings.Compare(v.text, w.text))
		}
		if o.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(a.number, b.number)
}

// nextLink is the address of the page that follows, on Central's own domain. Its
// parameters are those of the request.
func (s *Server) nextLink(path string, q query, found selection) string {
	var parts []string
	add := func(name, value string) { parts = append(parts, url.QueryEscape(name)+"="+url.QueryEscape(value)) }
	for _, p := range q.list {
		if p.name != "$skip" && p.name != "$skiptoken" {
			add(p.name, p.value)
		}
	}
	if s.release < withSkipToken {
		add("$skip", strconv.Itoa(q.skip+len(found.page)))
	} else {
		var last any
		if len(found.page) > 0 {
			last = found.page[len(found.page)-1].id
		}
		add("$skiptoken", skipToken(last))
	}
	return s.options.Domain + path + "?" + strings.Join(parts, "&")
}
