package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// part is a part of a mapping; list: it has several expressions.
type part struct {
	name string
	list bool
}

func (p part) form() string {
	if p.list {
		return "list of texts"
	}
	return "text"
}

const mustBe = "MTS refuses every request with it: it must be a %s"

// parts are those of MTS's mapping, with MTS's own defaults, which Odoo's connector
// relies on (facts/mts.md 2.3). The API has others.
var parts = []part{{"vid", false}, {"name", true}, {"gender", false}, {"dob", false}, {"phoneNumber", false}, {"emailId", false}, {"fullAddress", true}}

// mapping carries the mapping over, part by part. selected are the fields that Odoo's
// connector sends of registrants; of a submission MTS has all.
func (p *planner) mapping(selected []string) {
	const field = "mapping"
	given, kind, why := readMapping(p.old[field])
	if kind == missing {
		p.say(missing, field, field, "%s", why)
		return
	}
	mapping := map[string]any{}
	for _, part := range parts {
		here := field + "." + part.name
		value, isThere := given[part.name]
		switch value := value.(type) {
		case nil:
			mapping[part.name] = part.name
			if part.list {
				mapping[part.name] = []any{part.name}
			}
			if isThere {
				p.say(changed, here, field, "null, with which MTS refuses every request; this is MTS's default")
			} else {
				p.say(changed, here, field, "it is not there; this is MTS's default")
			}
		case string:
			if p.blank(here, field, value) {
				continue
			}
			mapping[part.name] = value
			if part.list {
				mapping[part.name] = []any{value}
				p.say(changed, here, field, "a text, with which MTS refuses every request; it must be a list")
			}
		case []any:
			if !part.list || !allTexts(value) {
				p.say(missing, here, field, mustBe, part.form())
				continue
			}
			if slices.ContainsFunc(value, func(entry any) bool { return strings.TrimSpace(entry.(string)) == "" }) {
				p.blank(here, field, "")
				continue
			}
			mapping[part.name] = value
		default:
			p.say(missing, here, field, mustBe, part.form())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(parts, func(part part) bool { return part.name == name }) {
			p.say(left, "", field, "MTS has no %q in its mapping, and passes over it", name)
		}
	}
	if !p.odk && p.neverWorked(mapping, selected) {
		p.say(changed, field, field, "it is Odoo's default, which reads dob and fullAddress. Odoo's connector does not send them, so MTS refuses everybody; the default of this connector fits the fields")
		return
	}
	if !p.odk {
		p.unselected(mapping, selected)
	}
	switch {
	case kind == changed:
		p.change(field, field, mapping, "%s", why)
	case slices.ContainsFunc(p.Steps, func(s step) bool { return strings.HasPrefix(s.Here, field+".") }):
		p.change(field, field, mapping, "but for the parts that are named it is as in Odoo")
	default:
		p.take(field, field, mapping)
	}
	if !p.odk {
		p.doubts(mapping)
	}
}

// blank reports whether an expression is, and says so.
func (p *planner) blank(here, there, expression string) bool {
	if strings.TrimSpace(expression) != "" {
		return false
	}
	p.say(missing, here, there, "it is blank, which is the whole record to MTS")
	return true
}

func allTexts(list []any) bool {
	for _, entry := range list {
		if _, isText := entry.(string); !isText {
			return false
		}
	}
	return true
}

// readMapping reads a mapping: JSON as Odoo demands it, or the same with Python's
// quotes. kind is missing if it is no object.
func readMapping(stored any) (mapping map[string]any, kind stepKind, why string) {
	switch v := stored.(type) {
	case map[string]any: // of a version that keeps JSON
		return v, taken, ""
	case string:
		if strings.TrimSpace(v) == "" {
			return nil, changed, "it is empty; these are MTS's defaults"
		}
		if json.Unmarshal([]byte(v), &mapping) == nil && mapping != nil {
			return mapping, taken, ""
		}
		if !strings.Contains(v, `"`) && json.Unmarshal([]byte(strings.ReplaceAll(v, "'", `"`)), &mapping) == nil && mapping != nil {
			return mapping, changed, "it is Python and no JSON"
		}
		return nil, missing, "it is no JSON object, so MTS refuses every request with it"
	case nil, bool:
		return nil, changed, "it is empty; these are MTS's defaults"
	}
	return nil, missing, "it is no text"
}

// neverWorked reports whether a mapping is Odoo's default, with fields that it cannot
// work with and the API's default can (facts/mts.md D11).
func (p *planner) neverWorked(mapping map[string]any, selected []string) bool {
	for _, part := range parts {
		if text, isText := mapping[part.name].(string); !part.list && (!isText || text != part.name) {
			return false
		}
		if list, isList := mapping[part.name].([]any); part.list && (!isList || len(list) != 1 || list[0] != any(part.name)) {
			return false
		}
	}
	if slices.Contains(selected, "dob") && slices.Contains(selected, "fullAddress") {
		return false
	}
	return !slices.ContainsFunc(defaultMapping, func(field string) bool { return !slices.Contains(selected, field) })
}

// ofDefault are the fields that the API's default sends for parts that MTS can do without.
var ofDefault = map[string]string{"phoneNumber": "phone", "emailId": "email"}

// path is an expression that only leads to a value, and begins with a field.
var path = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)[A-Za-z0-9_.\[\]]*$`)

// unselected finds what a mapping reads and Odoo's connector does not send: to MTS it is
// absent, and the API refuses it.
func (p *planner) unselected(mapping map[string]any, selected []string) {
	absent := func(expression string) bool {
		found := path.FindStringSubmatch(expression)
		return found != nil && found[1] != "vid" && !slices.Contains(selected, found[1])
	}
	for _, part := range parts {
		here := "mapping." + part.name
		switch value := mapping[part.name].(type) {
		case string:
			switch {
			case !absent(value):
			case ofDefault[part.name] == "":
				delete(mapping, part.name)
				p.forget(here)
				p.say(missing, here, "mapping", "it reads %q, which is not selected, so MTS refuses everybody", value)
			default:
				delete(mapping, part.name)
				p.forget(here)
				p.keepBack(part.name, value, ofDefault[part.name], mapping, selected)
			}
		case []any:
			sent := slices.DeleteFunc(slices.Clone(value), func(entry any) bool { return absent(entry.(string)) })
			switch {
			case len(value) > 0 && len(sent) == 0:
				delete(mapping, part.name)
				p.forget(here)
				p.say(missing, here, "mapping", "nothing of what it reads is selected, so MTS refuses everybody")
			case len(sent) < len(value):
				mapping[part.name] = sent
				p.say(changed, here, "mapping", "without what is not selected, which is absent to MTS")
			}
		}
	}
}

// keepBack sees to it that a part which Odoo's connector does not send is not sent here
// either: MOSIP compares what it gets. The API's default sends a field of its own if
// that is selected.
func (p *planner) keepBack(part, expression, field string, mapping map[string]any, selected []string) {
	here, readers := "mapping."+part, p.old.text("output_format")
	for _, others := range mapping {
		readers += fmt.Sprint(" ", others)
	}
	kept := slices.DeleteFunc(slices.Clone(selected), func(name string) bool { return name == field })
	switch {
	case len(kept) == len(selected):
		p.say(left, here, "mapping", "it reads %q, which is not selected: MTS gets none, as from Odoo", expression)
	case regexp.MustCompile(`\b` + field + `\b`).MatchString(readers):
		p.say(missing, here, "mapping", "it reads %q, which is not selected, so MOSIP gets none from Odoo's connector; %s is selected, and read elsewhere, and would be sent: give %q if that is right", expression, field, field)
	default:
		p.say(left, here, "mapping", "it reads %q, which is not selected: MTS gets none, as from Odoo", expression)
		p.set("fields", slices.DeleteFunc(p.selected(), func(name string) bool { return name == field }))
		p.Steps = slices.DeleteFunc(p.Steps, func(s step) bool { return s.Here == "fields" && s.Kind == taken })
		p.say(changed, "fields", "g2p_selected_fields", "without %s, which nothing reads", field)
	}
}

// forget takes back what was said of a member before, unless it is left out or missing.
func (p *planner) forget(here string) {
	p.Steps = slices.DeleteFunc(p.Steps, func(s step) bool { return s.Here == here && (s.Kind == taken || s.Kind == changed) })
}

// selected are the fields that the plan has so far.
func (p *planner) selected() []string {
	if fields, set := p.Body["fields"].([]string); set {
		return slices.Clone(fields)
	}
	return slices.Clone(defaultFields)
}

// plainPath is an expression that gives a field as it is.
var plainPath = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var relations = []string{"many2one", "one2many", "many2many", "reference"}

// doubts finds expressions about fields that look otherwise in the record of this
// connector than in that of Odoo's (facts/mts.md 5.4).
func (p *planner) doubts(mapping map[string]any) {
	for _, part := range parts {
		var expressions []string
		switch v := mapping[part.name].(type) {
		case string:
			expressions = []string{v}
		case []any:
			for _, entry := range v {
				expressions = append(expressions, entry.(string))
			}
		}
		for _, expression := range expressions {
			for _, field := range slices.Sorted(maps.Keys(p.site.Registrants)) {
				kind := p.site.Registrants[field]
				if !regexp.MustCompile(`\b` + regexp.QuoteMeta(field) + `\b`).MatchString(expression) {
					continue
				}
				switch {
				case (kind == "date" || kind == "datetime") && !plainPath.MatchString(expression):
					p.say(changed, "mapping."+part.name, "mapping", "look at it: %s is 1990-01-31 in the record here, and was 1990/01/31", field)
				case slices.Contains(relations, kind):
					p.say(changed, "mapping."+part.name, "mapping", "look at it: %s is a list in the record here, for instance [3, \"Name\"], and was a text such as res.country(3,)", field)
				}
			}
		}
	}
}
