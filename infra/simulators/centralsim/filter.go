package centralsim

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// truth is SQL's: a comparison with nothing is neither true nor false.
type truth int

const (
	no truth = iota
	yes
	unknown
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// condition is a $filter, read. It has been checked against the release and the types,
// as the database would when it runs it, also on an empty table.
type condition struct {
	holds        func(*submission) truth
	namesDeleted bool // so that deleted ones are not left out
}

// kind is the type of a value in a filter.
type kind int

const (
	moment  kind = iota // microseconds
	text                //
	whole               //
	quoted              // a literal in quotes, of whatever type the other side has
	day                 // a literal date
	nothing             // null
	other               // a literal that is compared with nothing
	broken              // what the database cannot work out
)

// operand is a side of a comparison.
type operand struct {
	kind    kind
	literal string
	get     func(*submission) (value, bool) // false: null
}

type value struct {
	number int64
	text   string
}

// filterParser reads the grammar of OData that Central takes (facts/odk.md 5).
type filterParser struct {
	rest         string
	release      release
	zone         *time.Location
	now          int64
	table        string // "Submissions", or a repeat, whose rows need $root
	namesDeleted bool
	unsupported  *refusal // the first function or field that is not supported
	failing      bool     // the database cannot run it
}

// parseFilter reads a whole expression. What cannot be parsed is refused first, then
// what is not supported, then what the database fails on.
func parseFilter(expression string, p filterParser) (*condition, *refusal) {
	p.rest = expression
	holds, ok := p.disjunction()
	switch {
	case !ok || p.rest != "":
		return nil, errFilterSyntax
	case p.unsupported != nil:
		return nil, p.unsupported
	case p.failing:
		return nil, errInternal
	}
	return &condition{holds, p.namesDeleted}, nil
}

// word takes a word with blanks around it.
func (p *filterParser) word(w string) bool {
	rest := strings.TrimLeft(p.rest, " \t")
	after, ok := strings.CutPrefix(rest, w)
	trimmed := strings.TrimLeft(after, " \t")
	if !ok || rest == p.rest || trimmed == after {
		return false
	}
	p.rest = trimmed
	return true
}

func (p *filterParser) disjunction() (func(*submission) truth, bool) {
	left, ok := p.conjunction()
	for ok && p.word("or") {
		one := left
		var next func(*submission) truth
		next, ok = p.conjunction()
		left = func(x *submission) truth {
			a, b := one(x), next(x)
			switch {
			case a == yes || b == yes:
				return yes
			case a == unknown || b == unknown:
				return unknown
			}
			return no
		}
	}
	return left, ok
}

func (p *filterParser) conjunction() (func(*submission) truth, bool) {
	left, ok := p.negation()
	for ok && p.word("and") {
		one := left
		var next func(*submission) truth
		next, ok = p.negation()
		left = func(x *submission) truth {
			a, b := one(x), next(x)
			switch {
			case a == no || b == no:
				return no
			case a == unknown || b == unknown:
				return unknown
			}
			return yes
		}
	}
	return left, ok
}

func (p *filterParser) negation() (func(*submission) truth, bool) {
	if after, ok := strings.CutPrefix(p.rest, "not"); ok && strings.TrimLeft(after, " \t(") != after {
		p.rest = strings.TrimLeft(after, " \t")
		inner, ok := p.negation()
		return func(x *submission) truth {
			switch inner(x) {
			case yes:
				return no
			case no:
				return yes
			}
			return unknown
		}, ok
	}
	if after, ok := strings.CutPrefix(p.rest, "("); ok {
		p.rest = strings.TrimLeft(after, " \t")
		inner, ok := p.disjunction()
		p.rest = strings.TrimLeft(p.rest, " \t")
		after, closed := strings.CutPrefix(p.rest, ")")
		p.rest = after
		return inner, ok && closed
	}
	return p.comparison()
}

var operators = []string{"eq", "ne", "gt", "ge", "lt", "le"}

func (p *filterParser) comparison() (func(*submission) truth, bool) {
	left, ok := p.operand()
	if !ok {
		return nil, false
	}
	for _, operator := range operators {
		if !p.word(operator) {
			continue
		}
		right, ok := p.operand()
		if !ok {
			return nil, false
		}
		return p.compare(left, operator, right), true
	}
	if left.kind == broken { // a function alone
		p.failing = true
		return func(*submission) truth { return no }, true
	}
	return nil, false
}

var (
	functionCall = regexp.MustCompile(`^([a-z]+)\(([^()']*(?:'[^']*'[^()']*)*)\)`)
	fieldPath    = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$./-]*`)
	text1        = regexp.MustCompile(`^'[^']*'`)
	timeLiteral  = regexp.MustCompile(`^-?[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,12})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`)
	dateLiteral  = regexp.MustCompile(`^-?[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`)
	numeral      = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?`)
)

// operand reads one side of a comparison. What follows a literal must be its end.
func (p *filterParser) operand() (operand, bool) {
	if call := functionCall.FindStringSubmatch(p.rest); call != nil {
		p.rest = p.rest[len(call[0]):]
		return p.function(call[1], call[2]), true
	}
	for _, literal := range []struct {
		pattern *regexp.Regexp
		kind    kind
	}{{text1, quoted}, {timeLiteral, moment}, {dateLiteral, day}, {numeral, other}} {
		found := literal.pattern.FindString(p.rest)
		if found == "" {
			continue
		}
		after := p.rest[len(found):]
		if after != "" && !strings.ContainsAny(after[:1], " \t)") {
			continue
		}
		p.rest = after
		return operand{kind: literal.kind, literal: found}, true
	}
	path := fieldPath.FindString(p.rest)
	if path == "" {
		return operand{}, false
	}
	p.rest = p.rest[len(path):]
	switch path {
	case "null":
		return operand{kind: nothing}, true
	case "true", "false":
		return operand{kind: other}, true
	case "and", "or", "not":
		return operand{}, false
	}
	return p.field(path), true
}

// field is a field that can be filtered on; any other is refused later.
func (p *filterParser) field(path string) operand {
	own, rooted := strings.CutPrefix(path, "$root/Submissions/")
	if !rooted && p.table != "Submissions" {
		own = ""
	}
	since := map[string]release{"__id": withIDFilter, "__system/deletedAt": withDeletion}
	if p.release < since[own] {
		own = ""
	}
	atMoment := func(of func(*submission) int64) operand {
		return operand{kind: moment, get: func(x *submission) (value, bool) { n := of(x); return value{number: n}, n != 0 }}
	}
	switch own {
	case "__id":
		return operand{kind: text, get: func(x *submission) (value, bool) { return value{text: x.id}, true }}
	case "__system/submissionDate":
		return atMoment(func(x *submission) int64 { return x.date })
	case "__system/updatedAt":
		return atMoment(func(x *submission) int64 { return x.updated })
	case "__system/deletedAt":
		p.namesDeleted = true
		return atMoment(func(x *submission) int64 { return x.deleted })
	case "__system/submitterId":
		return operand{kind: whole, get: func(x *submission) (value, bool) {
			if x.by == nil {
				return value{}, false
			}
			return value{number: int64(x.by.id)}, true
		}}
	case "__system/reviewState":
		return operand{kind: text, get: func(x *submission) (value, bool) { return value{text: x.review}, x.review != "" }}
	}
	p.refuse(errField)
	return operand{kind: broken}
}

func (p *filterParser) refuse(e *refusal) {
	if p.unsupported == nil {
		p.unsupported = e
	}
}

// function is a part of a date, or now().
func (p *filterParser) function(name, argument string) operand {
	parts := map[string]func(time.Time) int{
		"year": time.Time.Year, "month": func(t time.Time) int { return int(t.Month()) }, "day": time.Time.Day,
		"hour": time.Time.Hour, "minute": time.Time.Minute, "second": time.Time.Second,
	}
	part := parts[name]
	switch {
	case name == "now" && strings.TrimSpace(argument) == "":
		if p.release >= withDeletion {
			return operand{kind: broken}
		}
		now := p.now
		return operand{kind: moment, get: func(*submission) (value, bool) { return value{number: now}, true }}
	case part == nil:
		p.refuse(errFunction)
		return operand{kind: broken}
	}
	of := p.field(strings.TrimSpace(argument))
	if of.kind != moment {
		return operand{kind: broken}
	}
	return operand{kind: whole, get: func(x *submission) (value, bool) {
		v, ok := of.get(x)
		return value{number: int64(part(time.UnixMicro(v.number).In(p.zone)))}, ok
	}}
}

// compare is the comparison of two operands, of which the literals take the type of
// the other side.
func (p *filterParser) compare(left operand, operator string, right operand) func(*submission) truth {
	never := func(*submission) truth { return unknown }
	if left.kind == nothing {
		left, right = right, left
	}
	if right.kind == nothing {
		if left.get == nil {
			p.failing = p.failing || left.kind == broken
			return never
		}
		switch operator {
		case "eq", "ne":
			return func(x *submission) truth {
				_, there := left.get(x)
				return truthOf(there == (operator == "ne"))
			}
		}
		return never
	}
	of := left.kind
	if left.get == nil {
		of = right.kind
	}
	a, okA := p.typed(left, of)
	b, okB := p.typed(right, of)
	if !okA || !okB {
		p.failing = true
		return never
	}
	return func(x *submission) truth {
		v, thereV := a(x)
		w, thereW := b(x)
		if !thereV || !thereW {
			return unknown
		}
		c := cmp.Or(cmp.Compare(v.number, w.number), strings.Compare(v.text, w.text))
		switch operator {
		case "eq":
			return truthOf(c == 0)
		case "ne":
			return truthOf(c != 0)
		case "gt":
			return truthOf(c > 0)
		case "ge":
			return truthOf(c >= 0)
		case "lt":
			return truthOf(c < 0)
		}
		return truthOf(c <= 0)
	}
}

// typed is an operand as a value of a type; false is what the database refuses.
func (p *filterParser) typed(o operand, of kind) (func(*submission) (value, bool), bool) {
	if o.get != nil {
		return o.get, o.kind == of
	}
	var v value
	ok := false
	content := strings.Trim(o.literal, "'")
	switch {
	case of == moment && (o.kind == moment || o.kind == day || o.kind == quoted):
		v.number, ok = p.moment(content)
	case of == text && o.kind == quoted:
		v.text, ok = content, true
	case of == whole && (o.kind == other || o.kind == quoted):
		n, err := strconv.ParseInt(content, 10, 64)
		v.number, ok = n, err == nil
	case of == o.kind && of == quoted:
		v.text, ok = content, true
	}
	return func(*submission) (value, bool) { return v, true }, ok
}

// moment is what PostgreSQL makes of a text. Without a zone it is one of the session's.
func (p *filterParser) moment(content string) (int64, bool) {
	today := time.UnixMicro(p.now).In(p.zone)
	midnight := time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, p.zone)
	switch strings.ToLower(strings.TrimSpace(content)) {
	case "now":
		return p.now, true
	case "today":
		return midnight.UnixMicro(), true
	case "yesterday":
		return midnight.AddDate(0, 0, -1).UnixMicro(), true
	case "tomorrow":
		return midnight.AddDate(0, 0, 1).UnixMicro(), true
	case "epoch":
		return 0, true
	}
	for _, layout := range []string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02",
		"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04",
	} {
		if t, err := time.ParseInLocation(layout, content, p.zone); err == nil {
			return t.Round(time.Microsecond).UnixMicro(), true
		}
	}
	return 0, false
}
