package odk

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"openg2p.org/mts-connector/shared/seeding"
)

// Address names a form of a Central in the one form in which it is compared, stored
// and given to MTS. Texts that lead to the same submissions give the same Address.
type Address struct {
	Base    seeding.Address // of Central, without /v1
	Project int
	Form    string // its id, as it is and not encoded
	// Columns is what an address may choose of its submissions: "", or parameters such
	// as $select=__id,vid or $expand=*.
	Columns string
}

// ParseBase reads the address of a Central. A slash or /v1 at its end is left out. Its
// error is a *seeding.AddressError.
func ParseBase(text string) (seeding.Address, error) {
	address, err := seeding.ParseAddress(strings.TrimSpace(text))
	if err != nil {
		return seeding.Address{}, err
	}
	address.Path = strings.TrimSuffix(address.Path, "/v1")
	return address, nil
}

// ParseAddress reads the OData address of a form: its service, as Central shows it for
// other programs (…/forms/{id}.svc), or its submissions (…/forms/{id}.svc/Submissions).
// It must lie below base, the address of Central. Its error is a *seeding.AddressError.
func ParseAddress(base, odata string) (Address, error) {
	central, err := ParseBase(base)
	if err != nil {
		return Address{}, err
	}
	return parseAddress(central, strings.TrimSpace(odata))
}

// Addresses are the addresses of a Central and of a form of it in the form in which they
// are compared and stored; for the error see ParseAddress.
func Addresses(base, odata string) (baseURL, odataURL string, err error) {
	a, err := ParseAddress(base, odata)
	if err != nil {
		return "", "", err
	}
	return a.Base.String(), a.String(), nil
}

// example is how an address looks.
const example = "one such as https://central.example.org/v1/projects/1/forms/registration.svc"

func wrong(reason string) (Address, error) { return Address{}, &seeding.AddressError{Reason: reason} }

func parseAddress(central seeding.Address, odata string) (Address, error) {
	text, query, _ := strings.Cut(odata, "?")
	switch {
	case strings.Contains(odata, "/#/"):
		return wrong("is that of a page of Central: it must be the OData link that the page of the form's submissions shows, " + example)
	case strings.Contains(odata, "#"):
		return wrong("must end before #")
	case !utf8.ValidString(odata) || strings.ContainsFunc(odata, unicode.IsControl):
		return wrong("must not hold a control character")
	}
	_, rest, found := strings.Cut(text, "://")
	if !found {
		return wrong("must be " + example)
	}
	scheme := text[:len(text)-len(rest)]
	before, path, found := strings.Cut(rest, "/v1/")
	if !found {
		return wrong("must be " + example + ": it has no /v1/ (in small letters)")
	}
	base, err := ParseBase(scheme + before)
	if err != nil {
		return Address{}, err
	}
	if base != central {
		return wrong("must lie below the base URL: scheme, host, port and path before /v1/ must be the same")
	}
	a := Address{Base: central}
	if a.Project, a.Form, err = parsePath(strings.TrimRight(path, "/")); err != nil {
		return Address{}, err
	}
	if a.Columns, err = parseColumns(query); err != nil {
		return Address{}, err
	}
	return a, nil
}

// parsePath reads what follows /v1/.
func parsePath(path string) (project int, form string, err error) {
	refuse := func(reason string) (int, string, error) {
		_, err := wrong(reason)
		return 0, "", err
	}
	parts := strings.Split(path, "/")
	switch {
	case parts[0] == "key" || parts[0] == "test":
		return refuse("holds the token of an app user or of a draft: it must be " + example)
	case len(parts) >= 3 && parts[0] == "projects" && parts[2] == "datasets":
		return refuse("is that of an entity list: it must be that of a form, " + example)
	case len(parts) < 4 || parts[0] != "projects" || parts[2] != "forms":
		return refuse("must be " + example)
	}
	project, err = strconv.Atoi(parts[1])
	if err != nil || project < 1 || project > 1<<31-1 || strings.Trim(parts[1], "0123456789") != "" {
		return refuse("must have the number of a project after /projects/")
	}
	name, isService := strings.CutSuffix(parts[3], ".svc")
	rest := strings.Join(parts[4:], "/")
	switch {
	case !isService && parts[3] != "" && (strings.HasPrefix(rest, "draft.svc") || rest == "draft"):
		return refuse("is that of a draft, whose submissions are for trying it: it must be that of the published form, " + example)
	case !isService || name == "":
		return refuse("must have the id of a form and .svc after /forms/: " + example)
	case rest == "" || rest == "Submissions":
	case strings.HasPrefix(rest, "Submissions.") || strings.HasPrefix(rest, "Submissions(") && strings.Contains(rest, ")/"):
		return refuse("is that of the rows of a repeat: it must end in .svc or .svc/Submissions, and ?$expand=* adds the repeats")
	case strings.HasPrefix(rest, "Submissions("):
		return refuse("is that of one submission: it must end in .svc or .svc/Submissions")
	default:
		return refuse("must end in .svc or .svc/Submissions")
	}
	form, err = url.PathUnescape(name)
	if err != nil || form == "" || len(form) > maxFormID || !utf8.ValidString(form) || strings.ContainsFunc(form, unicode.IsControl) {
		return refuse("has an id of a form that cannot be one")
	}
	return project, form, nil
}

const maxFormID = 255 // bytes; Central gives no limit

// column matches the path of a field. It is compiled when it is needed, because
// classes of all letters would take a part of each start of a function.
var column = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_.\-]*(/[\p{L}_][\p{L}\p{N}_.\-]*)*$`)
})

// parseColumns reads the parameters that choose what of a submission is shown. All
// others would change which submissions are read.
func parseColumns(query string) (string, error) {
	refuse := func(reason string) (string, error) {
		_, err := wrong(reason)
		return "", err
	}
	chosen := map[string]string{}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(rawName)
		value, err2 := url.QueryUnescape(rawValue)
		_, twice := chosen[name]
		switch {
		case err1 != nil || err2 != nil:
			return refuse("has a % that is not followed by two hexadecimal digits")
		case twice:
			return refuse("must have each parameter once")
		}
		switch name {
		case "$select", "$expand", "$wkt", "$format", "$count":
			chosen[name] = value
		case "$filter", "$top", "$skip", "$skiptoken", "$orderby", "$search":
			return refuse("must not have " + name + ": which submissions are read is decided by their time")
		default:
			return refuse("must have no parameters but $select, $expand and $wkt")
		}
	}
	columns, expand := chosen["$select"], chosen["$expand"]
	if format := chosen["$format"]; format != "" && format != "json" && format != "application/json" {
		return refuse("must not have another $format than json")
	}
	var parts []string
	if columns != "" && columns != "*" {
		names := strings.Split(columns, ",")
		hasID := false
		for i, name := range names {
			names[i] = strings.TrimSpace(name)
			if !column().MatchString(names[i]) {
				return refuse("must have names of fields in $select, separated by commas")
			}
			hasID = hasID || names[i] == "__id"
		}
		if !hasID { // without it no answer could be matched (facts/odk.md 15.4)
			names = append(names, "__id")
		}
		parts = append(parts, "$select="+escapeColumns(names))
	}
	switch {
	case expand == "":
	case expand != "*":
		return refuse("must not have another $expand than *")
	case parts != nil:
		return refuse("must not have both $select and $expand")
	default:
		parts = append(parts, "$expand=*")
	}
	if strings.EqualFold(chosen["$wkt"], "true") {
		parts = append(parts, "$wkt=true")
	}
	return strings.Join(parts, "&"), nil
}

// String is the address of the submissions that MTS is given, which takes it as it is.
func (a Address) String() string {
	if a.Columns == "" {
		return a.submissions()
	}
	return a.submissions() + "?" + a.Columns
}

func (a Address) project() string { return a.Base.String() + "/v1/projects/" + strconv.Itoa(a.Project) }

func (a Address) form() string { return a.project() + "/forms/" + url.PathEscape(a.Form) }

func (a Address) submissions() string { return a.form() + ".svc/Submissions" }

func escapeColumns(names []string) string {
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = strings.ReplaceAll(url.QueryEscape(name), "%2F", "/")
	}
	return strings.Join(escaped, ",")
}

// columns are the chosen ones, with those of the system added, by which an edit is seen.
func (a Address) columns() string {
	if !strings.HasPrefix(a.Columns, "$select=") {
		return a.Columns
	}
	columns, rest, more := strings.Cut(a.Columns, "&")
	if !strings.Contains(columns+",", "__system,") {
		columns += ",__system"
	}
	if more {
		columns += "&" + rest
	}
	return columns
}

// chosen are the fields of the form that $select names.
func (a Address) chosen() (fields []string) {
	parameters, err := url.ParseQuery(a.Columns)
	if err != nil {
		return nil
	}
	for name := range strings.SplitSeq(parameters.Get("$select"), ",") {
		if name != "" && !strings.HasPrefix(name, "__") {
			fields = append(fields, name)
		}
	}
	return fields
}

// own is the address of submissions for reading them here, with the parameters that
// are given.
func (a Address) own(parameters ...string) string {
	all := a.submissions() + "?" + strings.Join(parameters, "&")
	if columns := a.columns(); columns != "" {
		all += "&" + columns
	}
	return all
}
