package setup

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Fields of a connector of ODK that have rules.
const (
	ODK            Field = "odk"
	ODKBaseURL     Field = "odk_base_url"
	ODKODataURL    Field = "odk_odata_url"
	ODKEmail       Field = "odk_email"
	ODKPassword    Field = "odk_password"
	ODKReceived    Field = "odk_received"
	SubmissionType Field = "submission_type"
	OneByOne       Field = "read_one_by_one"
)

// DefaultSubmissionType is the identifier type of submissions unless another is named.
const DefaultSubmissionType = "ODK SUBMISSION"

// Normalise is setup.Normalise, also of the addresses of a form. What cannot be read
// stays as it is.
func (r Rules) Normalise(c seeding.Connector) seeding.Connector {
	c = Normalise(c)
	if !c.FromODK() || r.FormAddress == nil {
		return c
	}
	if base, odata, err := r.FormAddress(c.ODK.BaseURL, c.ODK.ODataURL); err == nil {
		c.ODK.BaseURL, c.ODK.ODataURL = base, odata
	}
	return c
}

// checkODK checks what only a connector of ODK has, and that it has nothing that only
// one of the registry has.
func (r Rules) checkODK(p Proposal) (wrong []Finding) {
	c := p.Connector
	if !c.FromODK() {
		return nil
	}
	if p.readable(ODKBaseURL, ODKODataURL) && r.FormAddress != nil && c.ODK.BaseURL != "" && c.ODK.ODataURL != "" {
		if _, _, err := r.FormAddress(c.ODK.BaseURL, c.ODK.ODataURL); err != nil {
			wrong = append(wrong, find(ODKODataURL, "odata_url", strings.TrimPrefix(err.Error(), "the address ")))
		} else if left := r.unselected(c); left != "" && p.readable(Mapping) {
			wrong = append(wrong, find(ODKODataURL, "odk_select",
				fmt.Sprintf("leaves out %q in $select, which the mapping reads: MTS would get no value for anybody. Add it, or leave $select out", left), "field", left))
		}
	}
	if base, err := seeding.ParseAddress(c.ODK.BaseURL); err == nil && r.CheckAddress != nil && p.readable(ODKBaseURL) {
		if err := r.CheckAddress(base); err != nil {
			wrong = append(wrong, because(ODKBaseURL, err, "address_refused"))
		}
	}
	wrong = append(wrong, r.checkODKPassword(p)...)
	for _, other := range []struct{ name, is string }{{"vid_type", c.Registry.VIDType}, {"token_type", c.Registry.TokenType}} {
		if c.Registry.SubmissionType == other.is && p.readable(ODK, SubmissionType, VIDType, TokenType) {
			wrong = append(wrong, find(SubmissionType, "submission_type", "must be another identifier type than registry."+other.name, "type", other.is))
		}
	}
	if p.Callback.URL != "" && p.readable(CallbackURL) {
		wrong = append(wrong, find(CallbackURL, "odk_direct", "must be left out with input_type odk: the registrants that come of submissions are created by the connector, so it must get the answers itself"))
	}
	const instead = "does not count with input_type odk, where the form decides what there is; leave it out"
	if c.Source.Domain != "" && p.readable(Domain) {
		wrong = append(wrong, find(Domain, "odk_unused", instead))
	}
	if len(c.Source.Fields) > 0 && p.readable(Fields) {
		wrong = append(wrong, find(Fields, "odk_unused", instead))
	}
	if c.Source.OneByOne && p.readable(OneByOne) {
		wrong = append(wrong, find(OneByOne, "odk_unused", instead))
	}
	return wrong
}

// doubtODK: a form may be one for days to come, or the day was mistyped.
func doubtODK(p Proposal) []Finding {
	if !p.Connector.FromODK() || !p.readable(ODKReceived) || !p.Connector.ODK.Received.After(p.Now) {
		return nil
	}
	return []Finding{find(ODKReceived, "received_future", "is in the future; until then no submission is taken")}
}

// unselected is a field that the mapping reads and that the $select of the form's
// address leaves out; "" for none. What is selected brings all that is within it.
func (r Rules) unselected(c seeding.Connector) string {
	address, err := url.Parse(c.ODK.ODataURL)
	if err != nil {
		return ""
	}
	chosen := strings.Split(address.Query().Get("$select"), ",")
	if len(chosen) == 1 && (chosen[0] == "" || chosen[0] == "*") {
		return ""
	}
	_, paths := r.FormPaths(c)
	for _, path := range paths {
		wanted := seeding.FieldPath(path)
		if !slices.ContainsFunc(chosen, func(name string) bool {
			name = strings.TrimSpace(name)
			return wanted == name || strings.HasPrefix(wanted, name+"/") || strings.HasPrefix(name, wanted+"/")
		}) {
			return path
		}
	}
	return ""
}

// checkODKPassword: it is needed once, and again where it would go to somebody else. MTS
// gets it too.
func (r Rules) checkODKPassword(p Proposal) []Finding {
	if p.ODKPasswordGiven || !p.readable(ODKPassword) {
		return nil
	}
	if p.Before == nil || p.Before.Secrets[seeding.ODKPassword] == "" {
		return []Finding{find(ODKPassword, "password_required", "is required")}
	}
	if p.readable(ODKBaseURL, ODKODataURL, ODKEmail, MTSURL) && !seeding.SameODKAccount(*p.Before, r.Normalise(p.Connector)) {
		return []Finding{find(ODKPassword, "secret_again", "is required again, because odk.base_url, odk.email or mts_url is another one now")}
	}
	return nil
}

// Paths that are simple: those of a mapping, and those that an Output Format reads.
var (
	simplePath = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)
	inputPath  = regexp.MustCompile(`\.input((?:\.[A-Za-z_]\w*)+)`)
)

const madeUpSubmission = "uuid:6d1f0b2e-3c55-4a3b-9a5e-0d7a4c1f2b90"

// madeUpSubmissions are submissions as ODK Central gives them, with what mapping and
// Output Format read: one in which all is filled, and one in which only that is of
// which a mandatory field of MTS is made alone.
func madeUpSubmissions(c seeding.Connector) []seeding.Record {
	full, least := emptySubmission(), emptySubmission()
	put := func(record seeding.Record, path string, value any) {
		group, names := map[string]any(record), strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			inner, isGroup := group[name].(map[string]any)
			if !isGroup {
				inner = map[string]any{}
				group[name] = inner
			}
			group = inner
		}
		if _, there := group[names[len(names)-1]].(map[string]any); !there {
			group[names[len(names)-1]] = value
		}
	}
	usual := func(path string) any {
		if path == c.Source.Mapping.VID {
			return madeUpVID
		}
		value := usualValue(path[strings.LastIndexByte(path, '.')+1:])
		if text, isText := value.(string); isText && strings.HasPrefix(text, "1990/") {
			return strings.ReplaceAll(text, "/", "-") // as a form has it
		}
		return value
	}
	for _, match := range inputPath.FindAllStringSubmatch(c.Output.Format, -1) {
		path := match[1][1:]
		if strings.HasPrefix(path, "__") {
			continue
		}
		put(full, path, usual(path))
		put(least, path, nil)
	}
	for _, field := range seeding.MTSFields {
		expressions := expressionsOf(c.Source.Mapping, field)
		for _, path := range expressions {
			if !simplePath.MatchString(path) {
				continue
			}
			put(full, path, usual(path))
			if len(expressions) == 1 && (field == "vid" || slices.Contains(c.Source.Mandatory, field)) {
				put(least, path, usual(path))
			}
		}
	}
	return []seeding.Record{full, least}
}

func emptySubmission() seeding.Record {
	return seeding.Record{"__id": madeUpSubmission, "__system": map[string]any{
		"submissionDate": "2026-11-28T09:00:00.000Z", "edits": 0, "submitterName": "Ana", "reviewState": nil,
	}}
}

// FormPaths are the fields of the form that a mapping reads, each once, such as
// person.name, as far as its expressions tell. What is not mandatory and mapped as by
// default, here or in MTS, need not be there. The field of VIDs is "" if they may come of
// several, or of an element of a list.
func (r Rules) FormPaths(c seeding.Connector) (vid string, paths []string) {
	for _, field := range seeding.MTSFields {
		expressions := expressionsOf(c.Source.Mapping, field)
		byDefault := slices.Equal(expressions, expressionsOf(Defaults().Source.Mapping, field)) || slices.Equal(expressions, []string{field})
		if field != "vid" && !slices.Contains(c.Source.Mandatory, field) && byDefault {
			continue
		}
		for _, expression := range expressions {
			outcome, err := r.Mappings.Foresee(expression, r.readBy(expression))
			if err != nil {
				continue
			}
			paths = append(paths, outcome.Paths...)
			if field == "vid" {
				vid = onlyField(expression, outcome)
			}
		}
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return strings.HasPrefix(path, "__") })
	slices.Sort(paths)
	return vid, slices.Compact(paths)
}

// VIDField is the path of the field that FormPaths has for VIDs, such as person/vid.
func (r Rules) VIDField(c seeding.Connector) string {
	outcome, err := r.Mappings.Foresee(c.Source.Mapping.VID, r.readBy(c.Source.Mapping.VID))
	if err != nil {
		return ""
	}
	return seeding.FieldPath(onlyField(c.Source.Mapping.VID, outcome))
}

// onlyField is the field that an expression takes its value from; "" if there may be
// several, or if it takes an element of a list.
func onlyField(expression string, outcome seeding.Outcome) string {
	if len(outcome.Paths) != 1 || element.MatchString(expression) {
		return ""
	}
	return outcome.Paths[0]
}

// element matches what takes elements of a list.
var element = regexp.MustCompile(`\[\s*[0-9:\]]`)

var errNamesRegistrant = errors.New("names a registrant")

// ofNobody checks that an update is an individual: a submission has no registrant yet
// that an update could be of.
func ofNobody(u seeding.Update) error {
	switch {
	case u.Shape != seeding.IndividualShape || u.Registrant != 0:
		return errNamesRegistrant
	case u.Fields["name"]+u.Fields["given_name"]+u.Fields["family_name"] == "":
		return &seeding.OutputError{Code: seeding.CodeOutputValue, Member: "name"}
	}
	return nil
}
