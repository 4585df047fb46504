package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"openg2p.org/mts-connector/shared/odoo"
)

// plan is what becomes of one of Odoo's connectors.
type plan struct {
	ID      int64
	Name    string // in Odoo
	Status  string // in Odoo
	Refused string // why the connector is not carried over at all
	Body    map[string]any
	Steps   []step
}

// step is what becomes of a field.
type step struct {
	Kind  stepKind
	Here  string // member of the API, such as "callback.url"; "" if there is none
	There string // field of Odoo; "" if there is none
	Why   string
}

type stepKind string

const (
	taken   stepKind = "taken over"
	changed stepKind = "changed"
	added   stepKind = "added" // Odoo's connector does not have it
	left    stepKind = "left out"
	missing stepKind = "to be entered"
	given   stepKind = "given" // by the person
)

// Missing are the steps without which the connector cannot be created.
func (p plan) Missing() (steps []step) {
	for _, s := range p.Steps {
		if s.Kind == missing {
			steps = append(steps, s)
		}
	}
	return steps
}

// planner makes one plan.
type planner struct {
	plan
	old  record
	site site
	wish wishes
	odk  bool // it takes submissions, and no registrants
}

// planOf decides what becomes of a connector. It knows no server.
func planOf(old record, s site, w wishes) plan {
	id, _ := old["id"].(int)
	p := &planner{plan: plan{ID: int64(id), Name: old.text("name"), Status: old.text("job_status"), Body: map[string]any{}}, old: old, site: s, wish: w}
	p.odk = old.text("input_type") == "odk"
	switch input := old.text("input_type"); {
	case p.odk:
		p.take("input_type", "input_type", "odk")
	case input == "custom":
		p.take("input_type", "input_type", "registry")
	default:
		p.Refused = fmt.Sprintf("not carried over: input_type is %q, which is none that the module mts_connector has", input)
		return p.plan
	}
	p.name()
	p.mtsURL()
	p.language()
	p.schedule()
	if p.odk {
		p.form()
		p.mapping(nil)
		p.outputs()
		p.received()
	} else {
		p.bounds()
		p.domain()
		selected := p.fields()
		p.mapping(selected)
		p.outputs()
		p.callback()
	}
	p.registry()
	if !p.odk {
		p.deletion()
	}
	p.unused()
	return p.plan
}

func (p *planner) say(kind stepKind, here, there, format string, args ...any) {
	p.Steps = append(p.Steps, step{kind, here, there, fmt.Sprintf(format, args...)})
}

// set sets a member of the body; a dot leads into an object.
func (p *planner) set(here string, value any) {
	at := p.Body
	for {
		name, rest, deeper := strings.Cut(here, ".")
		if !deeper {
			at[name] = value
			return
		}
		if _, there := at[name].(map[string]any); !there {
			at[name] = map[string]any{}
		}
		at, here = at[name].(map[string]any), rest
	}
}

func (p *planner) take(here, there string, value any) {
	p.set(here, value)
	p.say(taken, here, there, "")
}

func (p *planner) change(here, there string, value any, format string, args ...any) {
	p.set(here, value)
	p.say(changed, here, there, format, args...)
}

const longestName = 100

func (p *planner) name() {
	name := strings.Join(strings.FieldsFunc(p.old.text("name"), func(r rune) bool { return unicode.IsControl(r) }), " ")
	switch runes := []rune(name); {
	case name == "":
		p.change("name", "name", fmt.Sprintf("Odoo connector #%d", p.ID), "it has no name in Odoo")
	case len(runes) > longestName:
		p.change("name", "name", strings.TrimSpace(string(runes[:longestName])), "a name has at most %d characters", longestName)
	case name != p.old.text("name"):
		p.change("name", "name", name, "a name is one line")
	default:
		p.take("name", "name", name)
	}
}

func (p *planner) mtsURL() {
	if url := p.old.text("mts_url"); url != "" {
		p.take("mts_url", "mts_url", url)
		return
	}
	p.say(missing, "mts_url", "mts_url", "it is empty in Odoo")
}

var languageCode = regexp.MustCompile(`^[a-z]{3}$`)

func (p *planner) language() {
	switch code := p.old.text("lang_code"); {
	case languageCode.MatchString(code):
		p.take("language", "lang_code", code)
	case code == "":
		p.change("language", "lang_code", "eng", "it is empty in Odoo, which MTS takes for eng")
	case languageCode.MatchString(strings.ToLower(code)):
		p.change("language", "lang_code", strings.ToLower(code), "MOSIP writes languages in small letters")
	default:
		p.say(missing, "language", "lang_code", "%q is no language code of three letters, such as eng", code)
	}
}

const (
	usualMinutes = 60
	mostMinutes  = 10080 // a week
)

func (p *planner) schedule() {
	switch job := p.old.text("is_recurring"); job {
	case "recurring":
		p.take("job_type", "is_recurring", "recurring")
		p.interval()
	case "onetime":
		p.take("job_type", "is_recurring", "one_time")
		if !p.old.empty("interval_minutes") {
			p.say(left, "interval_minutes", "interval_minutes", "a one-time job has no interval, in Odoo neither")
		}
	default:
		p.say(missing, "job_type", "is_recurring", "%q is none of recurring and onetime", job)
		if !p.old.empty("interval_minutes") {
			p.say(left, "interval_minutes", "interval_minutes", "only a recurring job has one")
		}
	}
}

func (p *planner) bounds() {
	for _, bound := range []string{"start_datetime", "end_datetime"} {
		if !p.old.empty(bound) {
			p.say(left, "", bound, "with registrants as input Odoo's connector does not use it; as starts or ends here it would keep runs from beginning, because it is past")
		}
	}
}

func (p *planner) interval() {
	switch minutes := p.old.number("interval_minutes"); {
	case minutes < 1:
		p.change("interval_minutes", "interval_minutes", usualMinutes, "%d is no interval; %d is the default", minutes, usualMinutes)
	case minutes > mostMinutes:
		p.change("interval_minutes", "interval_minutes", mostMinutes, "%d is longer than the longest interval, a week", minutes)
	default:
		p.take("interval_minutes", "interval_minutes", minutes)
	}
}

func (p *planner) domain() {
	text := p.old.text("g2p_search_domain")
	if text == "" {
		p.say(changed, "domain", "g2p_search_domain", "it is empty, with which Odoo's connector cannot run; the default is used: registrants with a VID and no token, without groups and who is disabled")
		return
	}
	if _, err := odoo.ParseDomain(text); err != nil {
		p.say(missing, "domain", "g2p_search_domain", "%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "domain: "), "domain, "))
		return
	}
	p.take("domain", "g2p_search_domain", text)
}

var (
	fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// looseList is a list of names as people write it who do not write JSON.
	looseList = regexp.MustCompile(`^[\[(]?[A-Za-z0-9_'",\s]*[\])]?$`)
)

// readNames reads a list of names: JSON, or what is probably meant. strict reports that
// it is JSON.
func readNames(text string) (names []string, strict, ok bool) {
	var list []any
	if json.Unmarshal([]byte(text), &list) == nil {
		for _, entry := range list {
			name, isText := entry.(string)
			if !isText {
				return nil, true, false
			}
			names = append(names, strings.TrimSpace(name))
		}
		return names, true, true
	}
	if !looseList.MatchString(text) {
		return nil, false, false
	}
	names = strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`[]()'",`, r) })
	return names, false, true
}

// fields returns the fields that are read of each registrant.
func (p *planner) fields() []string {
	const here, there = "fields", "g2p_selected_fields"
	text := p.old.text(there)
	if list, isList := p.old[there].([]any); isList { // of a version that keeps JSON
		encoded, _ := json.Marshal(list)
		text = string(encoded)
	}
	if text == "" {
		p.say(changed, here, there, "it is empty, with which Odoo's connector cannot run; the default is used")
		return defaultFields
	}
	names, strict, ok := readNames(text)
	if !ok {
		p.say(missing, here, there, "it is no list of names")
		return nil
	}
	var kept []string
	for _, name := range names {
		switch {
		case name == "" || slices.Contains(kept, name):
		case name == "vid":
			p.say(left, here, there, "vid is put into every record by the connector")
		case !fieldName.MatchString(name):
			p.say(left, here, there, "%q is no name of a field; Odoo's connector passes over it", name)
		case p.site.Registrants != nil && p.site.Registrants[name] == "":
			p.say(left, here, there, "registrants have no field %q; Odoo's connector passes over it", name)
		default:
			kept = append(kept, name)
		}
	}
	switch {
	case len(kept) == 0:
		p.say(changed, here, there, "it names no field of registrants; the default is used")
		return defaultFields
	case !strict:
		p.change(here, there, kept, "it is no JSON; these are the names in it")
	case len(kept) != len(names):
		p.change(here, there, kept, "without what is left out, and each once")
	default:
		p.take(here, there, kept)
	}
	return kept
}

// defaultFields and defaultMapping are what the API takes where nothing is given.
var (
	defaultFields  = []string{"id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"}
	defaultMapping = []string{"given_name", "family_name", "birthdate", "gender", "address"} // what its mandatory parts read
)

// outputs are how MTS answers, and what is written.
func (p *planner) outputs() {
	for _, f := range []struct{ field, only string }{{"output_type", "json"}, {"delivery_type", "callback"}} {
		if value := p.old.text(f.field); value == f.only {
			p.take(f.field, f.field, f.only)
		} else {
			p.change(f.field, f.field, f.only, "%q is not possible here", value)
		}
	}
	if format := p.old.text("output_format"); format != "" {
		p.take("output_format", "output_format", format)
	}
}

// unused are fields that have no counterpart.
func (p *planner) unused() {
	others, why := odkFields, "this connector reads registrants, and Odoo does not use it then"
	if p.odk {
		others, why = registryFields, "this connector takes submissions, and Odoo does not use it then"
	}
	for _, field := range others {
		if !p.old.empty(field) {
			p.say(left, "", field, "%s", why)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(p.old)) {
		if !slices.Contains(connectorFields, field) && !ownOfOdoo(field) && !p.old.empty(field) {
			p.say(left, "", field, "it is no field of mts_connector or g2p_mts, and has no counterpart here")
		}
	}
}

// distinct gives connectors of the same name different ones, as Odoo does with its jobs:
// the first keeps its name. Who moves in a second time gets the same names.
func distinct(plans []plan) {
	seen := map[string]bool{}
	for i := range plans {
		name, _ := plans[i].Body["name"].(string)
		if name == "" {
			continue
		}
		if seen[strings.ToLower(name)] {
			suffix := fmt.Sprintf(" #%d", plans[i].ID)
			runes := []rune(name)
			name = strings.TrimSpace(string(runes[:min(len(runes), longestName-len(suffix))])) + suffix
			plans[i].Body["name"] = name
			for j, s := range plans[i].Steps {
				if s.Here == "name" {
					plans[i].Steps[j] = step{changed, "name", s.There, "another of Odoo's connectors has the same name"}
				}
			}
		}
		seen[strings.ToLower(name)] = true
	}
}
