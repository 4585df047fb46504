package setup_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

func rules() setup.Rules {
	return setup.Rules{
		Mappings: jq.Mappings{},
		CheckDomain: func(domain string) error {
			if strings.Contains(domain, "child_of") {
				return errors.New("child_of is not supported")
			}
			return nil
		},
		Conditions:  odoo.Conditions,
		FormAddress: odk.Addresses,
		Distance:    openapi.Distance,
	}
}

// wrong is what is wrong with a proposal, and doubtful what can be saved nevertheless.
func wrong(p setup.Proposal) []setup.Finding {
	found, _ := rules().Check(p)
	mustBeExplained(found)
	return found
}

// mustBeExplained: the document of the API explains every code that a rule gives.
func mustBeExplained(found []setup.Finding) {
	for _, f := range found {
		if f.Text == "" || !strings.Contains(explained(), "\n  "+f.Code+": ") {
			panic(fmt.Sprintf("%s: the code %q is not explained, or there is no text: %q", f.Field, f.Code, f.Text))
		}
	}
}

var explained = sync.OnceValue(func() string {
	text, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		panic(err)
	}
	_, codes, _ := strings.Cut(string(text), "\nx-codes:")
	return codes
})

func doubtful(p setup.Proposal) []setup.Finding {
	_, found := rules().Check(p)
	mustBeExplained(found)
	return found
}

// complete is a configuration with the defaults and all other fields.
func complete() seeding.Connector {
	c := setup.Defaults()
	c.Name, c.MTS.URL = "Registry of Laguna", "https://mts.example.org"
	c.Registry.URL, c.Registry.Database, c.Registry.Username = "https://registry.example.org", "g2p", "connector"
	c.Source.Domain = setup.DefaultDomain(c.Registry)
	return c
}

// facts/mts.md D11: with the defaults of Odoo's connector every record was invalid.
func TestD11DefaultsFitEachOther(t *testing.T) {
	if found := wrong(setup.Proposal{Connector: complete(), PasswordGiven: true}); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// Each case changes a complete configuration, and names the fields that are
// then wrong.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*setup.Proposal)
		want   string
	}{
		"same types": {func(p *setup.Proposal) {
			p.Connector.Registry.VIDType, p.Connector.Registry.TokenType = "X", "X"
			p.Connector.Source.Domain = setup.DefaultDomain(p.Connector.Registry)
		}, "token_type"},
		"same types, one of them unread": {func(p *setup.Proposal) {
			p.Connector.Registry.VIDType, p.Connector.Registry.TokenType = "", ""
			p.Connector.Source.Domain = setup.DefaultDomain(p.Connector.Registry)
			p.Unread = only(setup.VIDType)
		}, ""},
		"no password":            {func(p *setup.Proposal) { p.PasswordGiven = false }, "registry_password"},
		"password unread":        {func(p *setup.Proposal) { p.PasswordGiven, p.Unread = false, only(setup.RegistryPassword) }, ""},
		"password kept":          {replacing("https://REGISTRY.example.org:443/odoo/", false), ""},
		"another host":           {replacing("https://registry.example.org.evil.example", false), "registry_password"},
		"another host, password": {replacing("https://registry.example.org.evil.example", true), ""},
		"another tenant":         {replacing("https://registry.example.org/evil/tenant", false), "registry_password"},
		"a page of the same":     {replacing("https://registry.example.org/web/login", false), ""},
		"address unread": {func(p *setup.Proposal) {
			replacing("", false)(p)
			p.Unread = only(setup.RegistryURL)
		}, ""},
		"domain refused":     {func(p *setup.Proposal) { p.Connector.Source.Domain = `[["id","child_of",1]]` }, "domain"},
		"domain unread":      {func(p *setup.Proposal) { p.Connector.Source.Domain, p.Unread = "child_of", only(setup.Domain) }, ""},
		"domain of its own":  {func(p *setup.Proposal) { p.Connector.Source.Domain = `[["age",">=",18]]` }, ""},
		"another type":       {func(p *setup.Proposal) { p.Connector.Registry.VIDType = "VID" }, "domain"},
		"another type of it": {func(p *setup.Proposal) { p.Connector.Registry.VIDType, p.Unread = "", only(setup.VIDType) }, ""},
		"no field":           {func(p *setup.Proposal) { p.Connector.Source.Fields, p.Connector.Source.Mandatory = nil, nil }, "fields"},
		"fields unread":      {func(p *setup.Proposal) { p.Connector.Source.Fields, p.Unread = nil, only(setup.Fields) }, ""},
		"not jq": {func(p *setup.Proposal) {
			p.Connector.Source.Mapping.VID, p.Connector.Source.Mapping.Name = ".vid", []string{"given_name", "family_name |"}
		}, "mapping/vid mapping/name/1"},
		"not jq, one unread": {func(p *setup.Proposal) {
			p.Connector.Source.Mapping.VID, p.Connector.Source.Mapping.Name = "", []string{"family_name |"}
			p.Unread = only(setup.MappingOf("vid"))
		}, "mapping/name/0"},
		"unknown mandatory field": {func(p *setup.Proposal) { p.Connector.Source.Mandatory = []string{"shoe_size"} }, "mapping/shoe_size"},
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		c.change(&p)
		var fields []string
		for _, f := range wrong(p) {
			fields = append(fields, string(f.Field))
		}
		if got := strings.Join(fields, " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// only reports that one field could not be read, and none below it.
func only(unread setup.Field) func(setup.Field) bool {
	return func(f setup.Field) bool { return f == unread }
}

func replacing(address string, password bool) func(*setup.Proposal) {
	return func(p *setup.Proposal) {
		before := complete()
		p.Before, p.Connector.Registry.URL, p.PasswordGiven = &before, address, password
	}
}

// A default domain for other identifier types is recognised in every form in which it
// can be written.
func TestNamesOtherTypes(t *testing.T) {
	own := seeding.RegistryAccess{VIDType: `VID "new" <1>`, TokenType: "Token"}
	for name, c := range map[string]struct {
		domain string
		want   bool
	}{
		"its own default":         {setup.DefaultDomain(own), false},
		"default of other types":  {setup.DefaultDomain(seeding.RegistryAccess{VIDType: "VID", TokenType: "Token"}), true},
		"types exchanged":         {setup.DefaultDomain(seeding.RegistryAccess{VIDType: own.TokenType, TokenType: own.VIDType}), true},
		"with spaces":             {strings.ReplaceAll(setup.DefaultDomain(seeding.RegistryAccess{VIDType: "A", TokenType: "B"}), ",", " , "), true},
		"Python":                  {`[('is_registrant','=',True),('reg_ids.id_type','=like','A'),'!',('reg_ids.id_type','=like','B')]`, true},
		"its own in Python":       {`[('is_registrant','=',True),('reg_ids.id_type','=like','VID "new" <1>'),'!',('reg_ids.id_type','=like','Token')]`, false},
		"with &":                  {`['&',('is_registrant','=',True),'&',('reg_ids.id_type','=like','A'),'!',('reg_ids.id_type','=like','B')]`, true},
		"=":                       {`[["is_registrant","=",true],["reg_ids.id_type","=","A"],"!",["reg_ids.id_type","=","B"]]`, true},
		"other operators":         {`[["reg_ids.id_type.name","ilike","A."],"!",["reg_ids.id_type","in",["B"]]]`, true},
		"without is_registrant":   {`[["reg_ids.id_type","=like","A"],"!",["reg_ids.id_type","=like","B"]]`, true},
		"in another order":        {`["!",["reg_ids.id_type","=like","B"],["reg_ids.id_type","=like","A"],["is_registrant","=",true]]`, true},
		"any":                     {`[["is_registrant","=",true],["reg_ids","any",[["id_type.name","=","A"]]],"!",["reg_ids","any",[["id_type.name","=","B"]]]]`, true},
		"not any":                 {`[["reg_ids","any",[["id_type","=","A"]]],["reg_ids","not any",[["id_type","=","B"]]]]`, true},
		"its own by any":          {`[["reg_ids","any",[["id_type","=","VID \"new\" <1>"]]],["reg_ids","not any",[["id_type","=","Token"]]]]`, false},
		"its own by other means":  {`[["reg_ids.id_type","ilike","vid"],"!",["reg_ids.id_type.name","=ilike","TOKEN"]]`, false},
		"another condition":       {`[["is_registrant","=",true],["age",">=",18],"!",["reg_ids.id_type","=like","B"]]`, false},
		"one more":                {`[["is_registrant","=",true],["reg_ids.id_type","=like","A"],"!",["reg_ids.id_type","=like","B"],["age",">=",18]]`, false},
		"one of both":             {`["|",["reg_ids.id_type","=like","A"],["reg_ids.id_type","=like","B"]]`, false},
		"one type":                {`[["reg_ids.id_type","=like","A"]]`, false},
		"types by their numbers":  {`[["reg_ids.id_type","=",4],"!",["reg_ids.id_type","=",5]]`, false},
		"a wildcard":              {`[["reg_ids.id_type","=like","%"],"!",["reg_ids.id_type","=like","To%"]]`, false},
		"everybody":               {`[]`, false},
		"everybody, written long": {`[[1,"=",1]]`, false},
	} {
		if got := setup.NamesOtherTypes(odoo.Conditions(c.domain), own); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Registry.VIDType, p.Connector.Registry.TokenType, p.Connector.Source.Domain = own.VIDType, own.TokenType, c.domain
		if found := wrong(p); c.want != (len(found) == 1 && found[0].Field == setup.Domain) || !c.want && len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// A condition about identifier types that leaves nobody to send can be saved, and is
// said.
func TestUnusualTypesInADomainAreAWarning(t *testing.T) {
	for domain, want := range map[string]string{
		`[["is_registrant","=",true],["reg_ids.id_type.name","=","OLD VID"]]`:                         `of the type "OLD VID"`,
		`[('age','>',18),('reg_ids.id_type','=like','OLD VID')]`:                                      `of the type "OLD VID"`,
		`[["reg_ids.id_type","=","MOSIP UIN TOKEN"]]`:                                                 "already, so nobody is sent",
		`["!",["reg_ids.id_type","=like","MOSIP VID"]]`:                                               "selects nobody",
		`[["reg_ids.id_type","=","MOSIP VID"],["reg_ids.id_type","=","National ID"]]`:                 "",
		`[["reg_ids.id_type","in",["MOSIP VID","National ID"]]]`:                                      "",
		`[["is_registrant","=",true],["reg_ids.id_type","ilike","mosip"]]`:                            "",
		`["!",["reg_ids.id_type","=like","National ID"]]`:                                             "",
		`["|",["reg_ids.id_type","=like","National ID"],["reg_ids.id_type","=like","Passport"]]`:      "",
		`[["reg_ids.id_type","!=","National ID"],["reg_ids.value","=","4"],["category_id","in",[4]]]`: "",
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Domain = domain
		if found := wrong(p); len(found) > 0 {
			t.Errorf("%s: %v", domain, found)
		}
		found := doubtful(p)
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || found[0].Field != setup.Domain || !strings.Contains(found[0].Text, want)) {
			t.Errorf("%s: %v, want %q", domain, found, want)
		}
	}
}

func TestNormalise(t *testing.T) {
	c := complete()
	c.MTS.URL, c.Registry.URL = "HTTPS://MTS.example.org:443/seeder//", "http://10.0.0.7:8069/"
	n := setup.Normalise(c)
	if n.MTS.URL != "https://mts.example.org/seeder" || n.Registry.URL != "http://10.0.0.7:8069" {
		t.Errorf("%s %s", n.MTS.URL, n.Registry.URL)
	}
}

// People copy the address of a page, or of a call of another client.
func TestAddressOfAnOdooPageBecomesThatOfTheServer(t *testing.T) {
	for address, want := range map[string]string{
		"https://o.example/web":                    "https://o.example",
		"https://o.example/web/login":              "https://o.example",
		"https://o.example/web/database/selector/": "https://o.example",
		"https://o.example:8069/odoo":              "https://o.example:8069",
		"https://o.example/odoo/action-123":        "https://o.example",
		"https://o.example/jsonrpc":                "https://o.example",
		"https://o.example/xmlrpc/2":               "https://o.example",
		"https://o.example/xmlrpc/2/common":        "https://o.example",
		"https://o.example/json/2":                 "https://o.example",
		"https://o.example/Web":                    "https://o.example",
		"https://o.example/registry/web/login":     "https://o.example/registry",
		"https://o.example/en/web/login":           "https://o.example",
		"https://o.example/pt_BR/my/home":          "https://o.example",
		"https://o.example/my/home":                "https://o.example",
		"https://o.example/website/login":          "https://o.example",
		"https://o.example/my/account":             "https://o.example",
		"https://o.example/en/my/security":         "https://o.example",
		"https://o.example/web/index.html":         "https://o.example",
		"https://o.example/en":                     "https://o.example/en",
		"https://o.example/erp/web/login":          "https://o.example/erp",
		"https://o.example/odoo16":                 "https://o.example/odoo16",
		"https://o.example/website":                "https://o.example/website",
	} {
		c := complete()
		c.Registry.URL = address
		if got := setup.Normalise(c).Registry.URL; got != want {
			t.Errorf("%s becomes %s, want %s", address, got, want)
		}
	}
}

// Where a tenant may be served below a path of this name, it is only said.
func TestAddressThatIsPerhapsAPageIsAWarning(t *testing.T) {
	for address, base := range map[string]string{
		"https://o.example/my":                 "https://o.example",
		"https://o.example/en":                 "https://o.example",
		"https://o.example/pt_BR/":             "https://o.example",
		"https://o.example/registry/my":        "https://o.example/registry",
		"https://o.example/my/purchase":        "https://o.example",
		"https://o.example/shop":               "https://o.example",
		"https://o.example/contactus":          "https://o.example",
		"https://o.example/discuss":            "https://o.example",
		"https://o.example/auth_oauth/signin":  "https://o.example",
		"https://o.example/scoped_app":         "https://o.example",
		"https://o.example":                    "",
		"https://o.example/openg2p":            "",
		"https://o.example/odoo16":             "",
		"https://o.example/web/login":          "", // trimmed
		"https://o.example/tenants/phil":       "",
		"https://o.example/my/account/web":     "",
		"https://o.example/registry/jsonrpc":   "",
		"https://o.example/national-id/social": "",
	} {
		c := complete()
		c.Registry.URL = address
		p := setup.Proposal{Connector: c, PasswordGiven: true}
		if found := wrong(p); len(found) > 0 {
			t.Errorf("%s: %v", address, found)
		}
		found := doubtful(p)
		if base == "" && len(found) > 0 || base != "" && (len(found) != 1 || found[0].Field != setup.RegistryURL || !strings.HasSuffix(found[0].Text, "write "+base)) {
			t.Errorf("%s: %v", address, found)
		}
	}
}

// A file is no server, of MTS or of a registry.
func TestAddressOfAFileIsRefused(t *testing.T) {
	for path, base := range map[string]string{
		"/web.html": "", "/index.php": "", "/erp/index.html": "/erp", "/favicon.ico": "", "/login.aspx": "", "/Default.ASPX": "", "/en/web.html": "/en",
	} {
		c := complete()
		c.Registry.URL, c.MTS.URL = "https://o.example"+path, "https://mts.example"+path
		found := wrong(setup.Proposal{Connector: c, PasswordGiven: true})
		if len(found) != 2 || found[0].Field != setup.MTSURL || !strings.HasSuffix(found[0].Text, ": https://mts.example"+base) ||
			found[1].Field != setup.RegistryURL || !strings.HasSuffix(found[1].Text, ": https://o.example"+base) {
			t.Errorf("%s: %v", path, found)
		}
	}
}

func TestAddressOfACallOfMTSIsRefused(t *testing.T) {
	for address, base := range map[string]string{
		"https://mts.example/authtoken/json":        "https://mts.example",
		"https://mts.example/seeder/authtoken":      "https://mts.example/seeder",
		"https://mts.example/seeder/docs":           "https://mts.example/seeder",
		"https://mts.example/ping":                  "https://mts.example",
		"https://mts.example/seeder/openapi.json":   "https://mts.example/seeder",
		"https://mts.example/seeder/authtoken-test": "",
	} {
		c := complete()
		c.MTS.URL = address
		found := wrong(setup.Proposal{Connector: c, PasswordGiven: true})
		if base == "" && len(found) == 0 {
			continue
		}
		if len(found) != 1 || found[0].Field != setup.MTSURL || !strings.HasSuffix(found[0].Text, ": "+base) {
			t.Errorf("%s: %+v", address, found)
		}
	}
}

// A rule of the deployment is asked about every address that can be read.
func TestDeploymentDecidesWhichAddressesAreCalled(t *testing.T) {
	r := rules()
	var asked []string
	r.CheckAddress = func(a seeding.Address) error {
		asked = append(asked, a.String())
		return errors.New("must not be called")
	}
	c := complete()
	c.MTS.URL, c.Registry.URL = "https://MTS.example/", "https://o.example/web"
	found, _ := r.Check(setup.Proposal{Connector: c, PasswordGiven: true})
	refused := seeding.Flaw{Code: "address_refused", Text: "must not be called"}
	want := []setup.Finding{{setup.MTSURL, refused}, {setup.RegistryURL, refused}}
	if !reflect.DeepEqual(found, want) || !slices.Equal(asked, []string{"https://mts.example", "https://o.example/web"}) {
		t.Errorf("%+v, asked %v", found, asked)
	}
	found, _ = r.Check(setup.Proposal{Connector: c, PasswordGiven: true, Unread: only(setup.MTSURL)})
	if !reflect.DeepEqual(found, want[1:]) {
		t.Errorf("one unread: %+v", found)
	}
	// A refusal may have a code of its own.
	r.CheckAddress = func(seeding.Address) error { return &outgoing.PlainHTTP{} }
	if found, _ = r.Check(setup.Proposal{Connector: c, PasswordGiven: true}); len(found) != 2 || found[0].Code != "address_plain_http" {
		t.Errorf("%+v", found)
	}
}

// An expression must be able to give a text from the selected fields, whatever
// the registry keeps there.
func TestWhatAMappingCanGive(t *testing.T) {
	for _, c := range []struct {
		gender string   // the expression
		fields []string // that are selected
		want   bool
	}{
		{"gender", []string{"gender"}, true},
		{"gender", []string{"sex"}, false},
		{"vid", []string{"sex"}, true}, // is in every record
		{"id", []string{"sex"}, false}, // is a number
		{"id|tostring", []string{"sex"}, true},
		{"gender|length", []string{"gender"}, false},
		{"gender_id[1]", []string{"gender_id"}, true}, // a relation: number and name
		{`gender | if . == "Babae" then "Female" else null end`, []string{"gender"}, true},
		{`birthdate | strptime("%Y-%m-%d") | strftime("%Y/%m/%d")`, []string{"birthdate"}, true},
		{"zip|tostring", []string{"zip"}, true},
		{"alive | if . == true then \"x\" else null end", []string{"alive"}, true},
		{"a[1] + .b[1] + .c + .d", []string{"a", "b", "c", "d", "e"}, true},
		{"a + .missing[1]", []string{"a"}, true}, // null adds nothing
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Fields, p.Connector.Source.Mandatory = c.fields, []string{"gender"}
		p.Connector.Source.Mapping.Gender = c.gender
		found := wrong(p)
		if given := len(found) == 0; given != c.want || !given && found[0].Field != setup.MappingOf("gender") {
			t.Errorf("%s of %v: %v", c.gender, c.fields, found)
		}
	}
}

// Every field of MTS can be mandatory, and each is found missing by itself.
func TestEveryFieldOfMTS(t *testing.T) {
	for _, field := range seeding.MTSFields[1:] {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Mandatory = []string{field}
		if found := wrong(p); len(found) > 0 {
			t.Errorf("%s: %v", field, found)
		}
		p.Connector.Source.Fields = []string{"nothing_of_use"}
		found := wrong(p)
		if len(found) == 0 || slices.ContainsFunc(found, func(f setup.Finding) bool { return !strings.HasPrefix(string(f.Field), string(setup.MappingOf(field))) }) {
			t.Errorf("%s: %v", field, found)
		}
	}
}
