package mtssim_test

import (
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

const (
	required  = "ATS-REQ-102 Invalid Input. field required"
	none      = "ATS-REQ-102 Invalid Input. none is not an allowed value"
	notJSON   = "ATS-REQ-102 Invalid Input. malformed JSON"
	noText    = "ATS-REQ-102 Invalid Input. str type expected"
	noDict    = "ATS-REQ-102 Invalid Input. value is not a valid dict"
	noList    = "ATS-REQ-102 Invalid Input. value is not a valid list"
	noInteger = "ATS-REQ-102 Invalid Input. value is not a valid integer"
	noBoolean = "ATS-REQ-102 Invalid Input. value could not be parsed to a boolean"
	badTime   = "ATS-REQ-102 invalid input. requesttime is not in valid format"
)

// facts/mts.md 1.0, body parsing.
func TestBody(t *testing.T) {
	_, base := start(t, mtssim.Options{})
	good := encode(t, submission(nil, valid("2000000000000001")))
	const missing = "ATS-REQ-102 invalid input. missing request body"
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		errors                  []string
	}{
		{"good", "application/json", good, 200, nil},
		{"charset", "Application/JSON; charset=utf-8", good, 200, nil},
		{"suffix", "application/vnd.x+json", good, 200, nil},
		{"no body", "application/json", "", 400, []string{missing}},
		{"null", "application/json", "null", 400, []string{missing}},
		{"malformed", "application/json", "{a", 422, []string{notJSON}},
		{"trailing", "application/json", "{} x", 422, []string{notJSON}},
		{"not UTF-8", "application/json", "\"\xff\"", 400, nil}, // without envelope
		{"plain", "text/plain", good, 422, []string{noDict}},
		{"form", "application/x-www-form-urlencoded", good, 422, []string{noDict}},
		{"untyped", "", good, 422, []string{noDict}},
		{"list", "application/json", "[]", 422, []string{noDict}},
		{"text", "application/json", `"x"`, 422, []string{noDict}},
		{"empty object", "application/json", "{}", 422, []string{required, required, required, required, required}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := mustDo(t, "POST", base+"/authtoken/json", c.contentType, c.body)
			if got := r.errors(t); r.status != c.status || !slices.Equal(got, c.errors) {
				t.Errorf("got %d %q", r.status, got)
			}
		})
	}
}

// set changes one place of a submission: "requesttime", "request.output",
// "request.callbackProperties.url". A nil function value means: leave it out.
func set(e object, path string, value any) object {
	at := e
	keys := strings.Split(path, ".")
	for _, k := range keys[:len(keys)-1] {
		at = at[k].(object)
	}
	if value == leftOut {
		delete(at, keys[len(keys)-1])
	} else {
		at[keys[len(keys)-1]] = value
	}
	return e
}

type omission struct{}

var leftOut = omission{}

type change struct {
	path  string
	value any
}

type refusal struct {
	changes []change
	status  int
	errors  []string
}

func (c refusal) name(t *testing.T) string {
	var names []string
	for _, ch := range c.changes {
		names = append(names, ch.path+"="+encode(t, ch.value))
	}
	return strings.Join(names, " ")
}

func one(path string, value any, status int, errors ...string) refusal {
	return refusal{[]change{{path, value}}, status, errors}
}

func check(t *testing.T, base string, fresh func() object, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name(t), func(t *testing.T) {
			e := fresh()
			for _, ch := range c.changes {
				set(e, ch.path, ch.value)
			}
			r := post(t, base, e)
			if got := r.errors(t); r.status != c.status || !slices.Equal(got, c.errors) {
				t.Errorf("got %d %q", r.status, got)
			}
		})
	}
}

// facts/mts.md 1.1, 2.1, 2.3.
func TestRequestValidation(t *testing.T) {
	_, base := start(t, mtssim.Options{})
	fresh := func() object { return submission(nil, valid("2000000000000001")) }
	check(t, base, fresh, []refusal{
		one("id", "", 200),
		one("id", 5, 200),
		one("id", false, 200),
		one("id", leftOut, 422, required),
		one("id", nil, 422, none),
		one("version", nil, 422, none),
		one("metadata", object{}, 422, noText),
		one("metadata", []any{}, 422, noText),
		one("unknown", 1, 200),

		one("requesttime", "2024-01-01T00:00:00.1Z", 200),
		one("requesttime", "2024-01-01T00:00:00.123456Z", 200),
		one("requesttime", "2024-1-1T0:0:0.0Z", 200),
		one("requesttime", "2024-01-01t00:00:00.000z", 200),
		one("requesttime", "2024-02-29T00:00:00.000Z", 200),
		one("requesttime", "2023-02-29T00:00:00.000Z", 400, badTime),
		one("requesttime", "2024-01-01T00:00:00Z", 400, badTime),
		one("requesttime", "2024-01-01T00:00:00.123456789Z", 400, badTime),
		one("requesttime", "2024-01-01T00:00:00.000+00:00", 400, badTime),
		one("requesttime", "2024-01-01 00:00:00.000Z", 400, badTime),
		one("requesttime", " 2024-01-01T00:00:00.000Z", 400, badTime),
		one("requesttime", "2024-01-01T24:00:00.000Z", 400, badTime),
		one("requesttime", "", 400, badTime),
		one("requesttime", nil, 400, badTime),
		one("requesttime", 5, 400, badTime),
		one("requesttime", leftOut, 422, required),

		one("request", leftOut, 422, required),
		one("request", nil, 422, none),
		one("request", "x", 422, noDict),
		one("request", object{}, 500, "ATS-REQ-100 'deliverytype'"),

		one("request.output", leftOut, 422, required),
		one("request.output", "", 400, "ATS-REQ-102 invalid input. output type is not mentioned"),
		one("request.output", false, 400, "ATS-REQ-102 invalid input. output type is not mentioned"),
		one("request.output", nil, 400, "ATS-REQ-102 invalid input. output type is not mentioned"),
		one("request.output", "JSON", 400, "ATS-REQ-102 invalid input. output type is not supported"),
		one("request.output", "csv", 200),
		one("request.deliverytype", leftOut, 500, "ATS-REQ-100 'deliverytype'"),
		one("request.deliverytype", []any{}, 400, "ATS-REQ-102 invalid input. delivery type is not mentioned"),
		one("request.deliverytype", "Callback", 400, "ATS-REQ-102 invalid input. delivery type is not supported"),

		one("request.mapping", nil, 422, none),
		one("request.mapping", "x", 422, noDict),
		one("request.mapping", object{}, 200),
		one("request.mapping", object{"name": "x"}, 422, noList),
		one("request.mapping", object{"fullAddress": "x"}, 422, noList),
		one("request.mapping", object{"name": []any{nil}}, 422, none),
		one("request.mapping", object{"name": []any{[]any{}}}, 422, noText),
		one("request.mapping", object{"name": nil}, 422, none),
		one("request.mapping", object{"vid": nil, "dob": []any{}}, 422, none, noText),

		one("request.lang", nil, 200),
		one("request.lang", "", 200),
		one("request.lang", "xyz", 200),
		one("request.lang", []any{}, 422, noText),

		one("request.outputFormat", nil, 200),
		one("request.outputFormat", "", 200),
		one("request.outputFormat", false, 200),
		one("request.outputFormat", ".input.a", 200),
		one("request.outputFormat", ".input.", 400, "ATS-REQ-103 outputFormat is not a valid jq expression"),
		one("request.outputFormat", "nonsense", 400, "ATS-REQ-103 outputFormat is not a valid jq expression"),
		one("request.outputFormat", "False", 400, "ATS-REQ-103 outputFormat is not a valid jq expression"),
		one("request.outputFormat", "$ENV.HOME", 400, "ATS-REQ-103 outputFormat is not a valid jq expression"),

		one("request.callbackProperties", object{"url": 5}, 200),

		one("request.authdata", leftOut, 400, "ATS-REQ-102 invalid input. authdata missing"),
		one("request.authdata", nil, 400, "ATS-REQ-102 invalid input. authdata missing"),
		one("request.authdata", []any{}, 400, "ATS-REQ-102 invalid input. authdata missing"),
		one("request.authdata", "x", 422, noList),
		one("request.authdata", object{"a": 1}, 422, noList),
		one("request.authdata", []any{nil, "x"}, 422, none, noDict),

		// What MTS words itself beats schema errors, also those before it.
		{[]change{{"id", nil}, {"requesttime", ""}}, 400, []string{badTime}},
		{[]change{{"id", nil}, {"request.authdata", nil}}, 400, []string{"ATS-REQ-102 invalid input. authdata missing"}},
		{[]change{{"request.output", ""}, {"request.deliverytype", ""}}, 400, []string{"ATS-REQ-102 invalid input. output type is not mentioned"}},
		{[]change{{"request.outputFormat", "("}, {"request.deliverytype", leftOut}}, 400, []string{"ATS-REQ-103 outputFormat is not a valid jq expression"}},
		{[]change{{"request.deliverytype", leftOut}, {"request.authdata", nil}}, 500, []string{"ATS-REQ-100 'deliverytype'"}},
		{[]change{{"id", nil}, {"metadata", object{}}, {"request.lang", object{}}}, 422, []string{none, noText, noText}},
	})
}

// facts/mts.md 1.1.1.
func TestCallbackPropertiesValidation(t *testing.T) {
	_, base := start(t, mtssim.Options{})
	fresh := func() object {
		return submission(object{"url": "http://127.0.0.1:9/x", "requestFileName": "f"}, valid("2000000000000001"))
	}
	const p = "request.callbackProperties"
	const empty = "ATS-REQ-024 callbackProperties cannot be empty for deliverytype callback"
	odoo := func(change ...any) object {
		o := object{"authUrl": "http://o/web", "database": "d", "username": "u", "password": "p"}
		for i := 0; i < len(change); i += 2 {
			set(o, change[i].(string), change[i+1])
		}
		return o
	}
	csv := change{"request.output", "csv"}
	check(t, base, fresh, []refusal{
		one(p, leftOut, 400, empty),
		one(p, nil, 400, empty),
		one(p, object{}, 400, empty),
		one(p, "x", 422, noDict),
		one("request.output", leftOut, 500, "ATS-REQ-100 'output'"),
		{[]change{csv, {p, "x"}}, 500, []string{"ATS-REQ-100 'str' object has no attribute 'get'"}},
		{[]change{csv, {p + ".requestFileName", ""}}, 400, []string{"ATS-REQ-025 requestFileName is not valid in callbackProperties"}},
		{[]change{csv}, 400, []string{"ATS-REQ-026 callInBulk cannot be false for csv output"}},
		{[]change{csv, {p + ".callInBulk", "false"}}, 200, nil},

		one(p+".url", leftOut, 422, required),
		one(p+".url", nil, 422, none),
		one(p+".url", "", 422, "ATS-REQ-102 Invalid Input. ensure this value has at least 1 characters"),
		one(p+".url", "host/path", 422, "ATS-REQ-102 Invalid Input. invalid or missing URL scheme"),
		one(p+".url", "http:///path", 422, "ATS-REQ-102 Invalid Input. URL host invalid"),
		one(p+".url", "ftp://x/y", 200),
		one(p+".httpMethod", "nonsense", 200),
		one(p+".httpMethod", nil, 422, none),
		one(p+".extraHeaders", nil, 422, none),
		one(p+".extraHeaders", []any{}, 422, noDict),
		one(p+".extraHeaders", object{"a": 5, "b": nil}, 200),
		one(p+".timeoutSeconds", "5", 200),
		one(p+".timeoutSeconds", 2.7, 200),
		one(p+".timeoutSeconds", 0, 200),
		one(p+".timeoutSeconds", "x", 422, noInteger),
		one(p+".timeoutSeconds", nil, 422, none),
		one(p+".callInBulk", "yes", 200),
		one(p+".callInBulk", 1, 200),
		one(p+".callInBulk", 2, 422, noBoolean),
		one(p+".callInBulk", "maybe", 422, noBoolean),

		one(p+".authType", nil, 400, "ATS-REQ-027 unsupported authType in CallbackProperties"),
		one(p+".authType", "None", 400, "ATS-REQ-027 unsupported authType in CallbackProperties"),
		one(p+".authType", false, 400, "ATS-REQ-027 unsupported authType in CallbackProperties"),
		one(p+".authType", "odoo", 400, "ATS-REQ-028 authOdoo cannot be empty for authType odoo"),
		one(p+".authType", "oauth", 400, "ATS-REQ-029 authOauth cannot be empty for authType oauth"),
		one(p+".authType", "staticBearer", 400, "ATS-REQ-030 authStaticBearer cannot be empty for authType staticBearer"),

		one(p+".authOdoo", nil, 200),
		one(p+".authOdoo", odoo(), 200),
		one(p+".authOdoo", odoo("authUrl", ""), 400, "ATS-REQ-031 authUrl in authOdoo, cannot be empty for authType odoo"),
		one(p+".authOdoo", odoo("authUrl", false), 400, "ATS-REQ-031 authUrl in authOdoo, cannot be empty for authType odoo"),
		one(p+".authOdoo", odoo("authUrl", leftOut), 400, "ATS-REQ-031 authUrl in authOdoo, cannot be empty for authType odoo"),
		one(p+".authOdoo", odoo("authUrl", "x"), 422, "ATS-REQ-102 Invalid Input. invalid or missing URL scheme"),
		one(p+".authOdoo", odoo("username", nil), 400, "ATS-REQ-032 username in authOdoo, cannot be empty for authType odoo"),
		one(p+".authOdoo", odoo("username", leftOut), 422, required),
		one(p+".authOdoo", odoo("database", ""), 400, "ATS-REQ-033 database in authOdoo, cannot be empty for authType odoo"),
		one(p+".authOdoo", odoo("password", leftOut), 422, required),
		one(p+".authOdoo", odoo("password", nil), 422, none),
		one(p+".authOdoo", odoo("password", ""), 200),
		one(p+".authOauth", object{}, 200),
		one(p+".authOauth", object{"clientId": nil}, 422, none),
		one(p+".authStaticBearer", object{"token": ""}, 400, "ATS-REQ-034 token in authStaticBearer cannot be empty for authType staticBearer"),
		one(p+".authStaticBearer", object{}, 422, required),
		one(p+".authStaticBearer", "x", 422, noDict),
		{[]change{{p + ".url", ""}, {p + ".authStaticBearer", object{"token": nil}}}, 400,
			[]string{"ATS-REQ-034 token in authStaticBearer cannot be empty for authType staticBearer"}},
		{[]change{{p + ".authOdoo", odoo()}, {p + ".authType", "odoo"}}, 200, nil},
		{[]change{{p + ".authOauth", object{"clientId": "c"}}, {p + ".authType", "oauth"}}, 200, nil},
	})
}
