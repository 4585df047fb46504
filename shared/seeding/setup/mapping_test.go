package setup_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// person is a record as Odoo sends it: empty fields are false, a relation is its
// number and name, and several are their numbers.
const person = `{"id":17,"vid":"6104203947251938","name":"CRUZ, JOSÉ MARÍA","given_name":"José María","addl_name":false,"family_name":"Cruz","gender":"male","sex":"Lalaki",
	"gender_id":[2,"Male"],"birthdate":"1990-11-02","dob_text":"02/11/1990","dob_long":"2 November 1990","birth_at":"1990-11-02 16:00:00","birth_year":1990,"birth_month":11,"birth_day":2,"age":"36","phone":"+63 (917) 123-4567","mobile":false,"phone_number":639171234567,
	"phone_number_ids":[4,9],"email":"Jose@Example.ORG","address":"12 Rizal Ave.\nBrgy. San José,  Calamba","street":"12 Rizal Ave.","street2":false,"city":"Calamba","state_id":[5,"Laguna (PH)"],"country_id":[171,"Philippines"],"zip":"4027","zip_number":4027,"district":[3,"District 3"],
	"tags":[1,2,3],"is_group":false,"notes":"VID: 6104203947251938; ref AB-12","json_text":"{\"given\":\"Ana\",\"family\":\"Reyes\"}","full":"Cruz|José|María","company_id":false}`

// What people write in the field is accepted, and gives what they mean.
func TestExpressionsOfTheFieldAreAccepted(t *testing.T) {
	var record seeding.Record
	decoder := json.NewDecoder(strings.NewReader(person))
	decoder.UseNumber()
	if err := decoder.Decode(&record); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for field := range record {
		if field != "vid" {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	for expression, want := range map[string]string{
		// Names.
		`given_name`:                                                   "José María",
		`given_name | ascii_upcase`:                                    "JOSé MARíA",
		`name | split(", ")[1]`:                                        "JOSÉ MARÍA",
		`name | split(",")[0] | ascii_downcase`:                        "cruz",
		`name | split(", ") | reverse | join(" ")`:                     "JOSÉ MARÍA CRUZ",
		`name | capture("^(?<family>[^,]+), *(?<given>.+)$") | .given`: "JOSÉ MARÍA",
		`name | capture("(?<f>\\w+), (?<g>\\w+)").g`:                   "JOSÉ",
		`|[.given_name, .addl_name, .family_name] | map(select(. != false and . != "")) | join(" ")`: "José María Cruz",
		`given_name + " " + .family_name`:                                              "José María Cruz",
		`|"\(.given_name) \(.family_name)"`:                                            "José María Cruz",
		`addl_name // .given_name`:                                                     "José María",
		`full | split("|") | .[1:] | join(" ")`:                                        "José María",
		`given_name | gsub("^\\s+|\\s+$"; "")`:                                         "José María",
		`given_name | sub("(?<first>\\p{L}+).*"; "\(.first)")`:                         "José",
		`given_name | [scan("\\w+")][0]`:                                               "José",
		`given_name | explode | implode`:                                               "José María",
		`given_name[0:4]`:                                                              "José",
		`name | test("^CRUZ") as $c | if $c then "Cruz" else null end`:                 "Cruz",
		`|if .name | test("^CRUZ"; "i") then .family_name else .given_name end`:        "Cruz",
		`json_text | fromjson | .given + " " + .family`:                                "Ana Reyes",
		`|.given_name as $g | .family_name as $f | "\($f), \($g)"`:                     "Cruz, José María",
		`given_name | split(" ") | map(.[0:1] + (.[1:] | ascii_downcase)) | join(" ")`: "José María",
		`name | splits(", ")`:                                                          "CRUZ",
		`|[.family_name, .given_name] | @text "\(.[0]) \(.[1])"`:                       "Cruz José María",
		`name | ltrimstr("CRUZ, ")`:                                                    "JOSÉ MARÍA",
		// Gender.
		`gender | if . == "male" then "Male" elif . == "female" then "Female" else null end`: "Male",
		`sex | {"Lalaki": "Male", "Babae": "Female"}[.]`:                                     "Male",
		`gender_id[1]`:                   "Male",
		`gender | .[0:1] | ascii_upcase`: "M",
		`sex as $s | {Lalaki: "Male", Babae: "Female"} | .[$s]`: "Male",
		`gender_id | if type == "array" then .[1] else "" end`:  "Male",
		`gender // "Others"`: "male",
		`gender | ascii_downcase | select(. == "male" or . == "female")`: "male",
		`gender | sub("^m"; "M")`:                                "Male",
		`sex | if startswith("L") then "Male" else "Female" end`: "Male",
		// Dates of birth.
		`birthdate`: "1990-11-02",
		`birthdate | strptime("%Y-%m-%d") | strftime("%Y/%m/%d")`:                            "1990/11/02",
		`dob_text | strptime("%d/%m/%Y") | strftime("%Y/%m/%d")`:                             "1990/11/02",
		`dob_text | strptime("%d/%m/%Y") | mktime | strftime("%Y-%m-%d")`:                    "1990-11-02",
		`dob_text | capture("(?<d>\\d{2})/(?<m>\\d{2})/(?<y>\\d{4})") | "\(.y)/\(.m)/\(.d)"`: "1990/11/02",
		`dob_text | split("/") | reverse | join("/")`:                                        "1990/11/02",
		`dob_text | [.[6:10], .[3:5], .[0:2]] | join("-")`:                                   "1990-11-02",
		`birth_at | .[0:10]`:                                                                                           "1990-11-02",
		`birth_at | split(" ")[0] | gsub("-"; "/")`:                                                                    "1990/11/02",
		`dob_long | strptime("%d %B %Y") | strftime("%Y/%m/%d")`:                                                       "1990/11/02",
		`birthdate | if . then gsub("-"; "/") else null end`:                                                           "1990/11/02",
		`birthdate | select(. != false) | gsub("-"; "/")`:                                                              "1990/11/02",
		`|"\(.birth_year)/\(.birth_month)/\(.birth_day)"`:                                                              "1990/11/2",
		`birth_at | sub(" "; "T") + "Z" | fromdateiso8601 | todate | .[0:10]`:                                          "1990-11-02",
		`dob_text | match("(\\d+)/(\\d+)/(\\d+)") | .captures | map(.string) | reverse | join("/")`:                    "1990/11/02",
		`|[.birth_year, .birth_month, .birth_day] | map(tostring | if length < 2 then "0" + . else . end) | join("/")`: "1990/11/02",
		`dob_text | try strptime("%Y") catch "x"`:                                                                      "x",
		// VIDs, numbers and addresses.
		`vid`:                                                          "6104203947251938",
		`vid | select(test("^[0-9]{16}$"))`:                            "6104203947251938",
		`vid | gsub("[^0-9]"; "")`:                                     "6104203947251938",
		`vid | tostring`:                                               "6104203947251938",
		`notes | capture("VID: *(?<v>[0-9]+)").v`:                      "6104203947251938",
		`vid | if length == 16 then . else empty end`:                  "6104203947251938",
		`vid | rtrimstr(" ")`:                                          "6104203947251938",
		`phone | gsub("[^0-9+]"; "")`:                                  "+639171234567",
		`phone | gsub("\\D"; "") | "0" + .[2:]`:                        "09171234567",
		`mobile // .phone`:                                             "+63 (917) 123-4567",
		`phone_number | tostring`:                                      "639171234567",
		`phone_number_ids | length | tostring`:                         "2",
		`email | ascii_downcase`:                                       "jose@example.org",
		`email | select(contains("@"))`:                                "Jose@Example.ORG",
		`phone | explode | map(select(. >= 48 and . <= 57)) | implode`: "639171234567",
		`address | gsub("\\s+"; " ")`:                                  "12 Rizal Ave. Brgy. San José, Calamba",
		`address | split("\n") | join(", ")`:                           "12 Rizal Ave., Brgy. San José,  Calamba",
		`state_id[1]`:                                                  "Laguna (PH)",
		`state_id[1] | sub(" \\(.*\\)$"; "")`:                          "Laguna",
		`street + ", " + .city + ", " + .country_id[1]`:                "12 Rizal Ave., Calamba, Philippines",
		`zip_number | tostring`:                                        "4027",
		`country_id | .[1]? // ""`:                                     "Philippines",
		`|[.street, .street2, .city, .state_id[1], .zip] | map(select(.)) | join(", ")`:    "12 Rizal Ave., Calamba, Laguna (PH), 4027",
		`company_id | if . then .[1] else "" end`:                                          "",
		`|[.["street", "city"]] | join(", ")`:                                              "12 Rizal Ave., Calamba",
		`district | last`:                                                                  "District 3",
		`|to_entries | map(select(.key == "city").value) | .[0]`:                           "Calamba",
		`|. as $r | ["street", "city"] | map($r[.]) | join(" ")`:                           "12 Rizal Ave. Calamba",
		`address | ascii_downcase | test("rizal") | if . then "Rizal" else "" end`:         "Rizal",
		`|with_entries(select(.key | startswith("street"))) | [.[] | strings] | join(" ")`: "12 Rizal Ave.",
		`|del(.vid) | .city`:                                                               "Calamba",
		`city |= ascii_upcase | .city`:                                                     "CALAMBA",
		`|reduce (.street, .city) as $p (""; . + $p + ";")`:                                "12 Rizal Ave.;Calamba;",
		`|first(.street2, .city | select(.))`:                                              "Calamba",
		`|any(.tags[]; . == 2) | if . then "two" else "" end`:                              "two",
		`address | @json | fromjson | .[0:2]`:                                              "12",
		`|getpath(["state_id", 1])`:                                                        "Laguna (PH)",
		`|def clean: gsub("[.,]"; ""); .street | clean`:                                    "12 Rizal Ave",
		`street | limit(1; splits(" "))`:                                                   "12",
		`street | [match("[A-Z]"; "g").offset] | map(tostring) | join(",")`:                "3,9",
		`street | indices(" ") | length | tostring`:                                        "2",
		`city | . as $c | $c | length | if . > 3 then $c else "" end`:                      "Calamba",
		// Conditions, and what other registries hold in a field of the same name.
		`gender | if type == "array" then .[1] else . end`:                                   "male",
		`gender | (arrays | .[1]) // .`:                                                      "male",
		`gender | if type == "boolean" then "Others" else . end`:                             "male",
		`gender | select(. != null and . != false and . != "")`:                              "male",
		`gender | values | strings`:                                                          "male",
		`gender | if . == false or . == "" then "Others" else . end`:                         "male",
		`gender | if . == null then "Others" elif . == "male" then "Male" else "Female" end`: "Male",
		`gender | scalars | tostring`:                                                        "male",
		`gender | select(. == "male") | "Male"`:                                              "Male",
		`gender | if . then "Known" else "Unknown" end`:                                      "Known",
		`gender as $g | if $g == "male" then "Male" else null end`:                           "Male",
		`addl_name | if . then . else "" end`:                                                "",
		`birthdate | if type == "number" then todate else . end`:                             "1990-11-02",
		`birthdate | try todate catch "1990"`:                                                "1990",
		`birthdate | (tonumber | todate)? // "unknown"`:                                      "unknown",
		`birthdate | strptime("%Y-%m-%d") | todate | .[:10]`:                                 "1990-11-02",
		`birthdate | split("-") | join("/")`:                                                 "1990/11/02",
		`birth_year | tostring + "/01/01"`:                                                   "1990/01/01",
		`birth_year - 1 | tostring`:                                                          "1989",
		`phone_number_ids | if length > 0 then "yes" else "no" end`:                          "yes",
		`state_id | if . then .[1] else "" end`:                                              "Laguna (PH)",
		`state_id | select(.) | .[1] | ascii_upcase`:                                         "LAGUNA (PH)",
		`state_id | last // ""`:                                                              "Laguna (PH)",
		`state_id[-1]`:                                                                       "Laguna (PH)",
		`state_id | nth(1)`:                                                                  "Laguna (PH)",
		`state_id[1:] | join("")`:                                                            "Laguna (PH)",
		`state_id as [$id, $name] | $name`:                                                   "Laguna (PH)",
		`state_id | map(strings) | .[0]`:                                                     "Laguna (PH)",
		`state_id | .[] | strings`:                                                           "Laguna (PH)",
		`|"\(.city), \(.state_id[1])"`:                                                       "Calamba, Laguna (PH)",
		`|[.city, .company_id, .zip] - [false] | join(", ")`:                                 "Calamba, 4027",
		`|[.given_name, .addl_name, .family_name] | map(. // empty) | join(" ")`:             "José María Cruz",
		`|[.given_name, .addl_name, .family_name | strings] | join(" ")`:                     "José María Cruz",
		`address / "\n" | join(", ")`:                                                        "12 Rizal Ave., Brgy. San José,  Calamba",
		`address | explode | map(if . == 10 then 32 else . end) | implode | .[:14]`:          "12 Rizal Ave. B"[:14],
		`given_name | sub("(?<a>\\w+) (?<b>\\w+)"; "\(.b) \(.a)")`:                           "María José",
		`given_name | gsub("(?<a>í)"; "i")`:                                                  "José Maria",
		`|if .is_group then .name else .given_name end`:                                      "José María",
		`|.given_name // .name // ""`:                                                        "José María",
		`|if (.phone | type) == "string" then .phone else "" end`:                            "+63 (917) 123-4567",
		`vid | tonumber | tostring`:                                                          "6104203947251938",
		`id | tostring`:                                                                      "17",
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Fields = fields
		p.Connector.Source.Mapping = seeding.Mapping{VID: "vid", Name: []string{"given_name"}, Gender: "gender", DOB: expression, PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"address"}}
		if found := append(wrong(p), doubtful(p)...); len(found) > 0 {
			t.Errorf("%s: %v", expression, found)
			continue
		}
		mapper, err := jq.Mappings{}.Compile(p.Connector.Source.Mapping)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got := mapper.Map(record).DOB; got != (seeding.Value{Text: want, Present: true}) {
			t.Errorf("%s: %+v, want %q", expression, got, want)
		}
	}
}

// A relation has no names below it: that can be saved, because a field of JSON
// has, and is said.
func TestANameBelowARelationIsAWarning(t *testing.T) {
	for expression, want := range map[string]string{
		`state_id.name`:                   "state_id[1]",
		`|.state_id["name"]`:              "state_id[1]",
		`state_id | .name | ascii_upcase`: "state_id[1]",
		`state_id[1]`:                     "",
		`|.state_id.name // .city`:        "no usual value of state_id, city", // it fails, and // does not help
		`json_text | fromjson.name`:       "",
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Fields = []string{"id", "given_name", "state_id", "city", "json_text"}
		p.Connector.Source.Mandatory = nil
		p.Connector.Source.Mapping.DOB = expression
		if found := wrong(p); len(found) > 0 {
			t.Errorf("%s: %v", expression, found)
		}
		warnings := doubtful(p)
		if want == "" && len(warnings) > 0 || want != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].Text, want)) {
			t.Errorf("%s: %v", expression, warnings)
		}
	}
}

// What can never give a text is refused, wherever it stands and whether or not
// its field is mandatory, and named.
func TestEveryPartOfAMappingIsCheckedAlone(t *testing.T) {
	fields := []string{"id", "given_name", "family_name", "gender", "birthdate", "phone", "country_id", "dob_text"}
	for _, c := range []struct{ expression, want string }{
		{`famly_name`, "reads famly_name, which is not among the selected fields"},
		{`famly_name`, "is family_name meant?"},
		{`famliy_name`, "is family_name meant?"},
		{`family_nam | ascii_upcase`, "is family_name meant?"},
		{`given_name + " " + .famly_name`, "is family_name meant?"},
		{`"family-name"`, "is family_name meant?"},
		{`["famly_name"]`, "is family_name meant?"},
		{`|"\(.surname)"`, "reads surname"},
		{`surname // .nickname`, "reads surname, nickname"},
		{`surname // "unknown"`, "reads surname"},
		{`|if .surname then .surname else "none" end`, "reads surname"},
		{`|[.surname, .nickname] | join(" ")`, "reads surname, nickname"},
		{`|{a: .surname} | .a`, "reads surname"},
		{`|{surname} | .surname`, "reads surname"},
		{`|. as {surname: $s} | $s`, "reads surname"},
		{`|. as {$surname} | $surname`, "reads surname"},
		{`|. as $r | $r.surname`, "reads surname"},
		{`|getpath(["surname"])`, "reads surname"},
		{`|def f: .surname; f`, "reads surname"},
		{`|first(.surname, .nickname)`, "reads surname, nickname"},
		{`surname | tostring`, "reads surname"},
		{`surname | try error catch "x"`, "reads surname"},
		{`country[1]`, "reads country"},
		{`|"Female"`, "reads no field"},
		{`|empty`, "reads no field"},
		{`|1 + 1 | tostring`, "reads no field"},
		{`|error`, "gives nothing"},
		{`given_name | empty`, "gives nothing"},
		{`given_name | error`, "gives nothing"},
		{`given_name | select(. == "x") | null`, "gives nothing"},
		// A condition that lets nothing through, or only what is no text.
		{`gender | select(false)`, "lets nothing through"},
		{`gender | select(. == null)`, "lets nothing through"},
		{`gender | select(null == .)`, "gives nothing"},
		{`gender | nulls`, "gives nothing"},
		{`gender | select(. and false)`, "gives nothing"},
		{`gender | select(1 == 2)`, "gives nothing"},
		{`gender | if false then . else empty end`, "gives nothing"},
		{`gender | if . == null then . else null end`, "gives nothing"},
		{`gender | if . then empty else null end`, "gives nothing"},
		{`gender | select(. != null | not)`, "gives nothing"},
		{`gender | select(. == false)`, "gives true or false; make a text of it"},
		{`gender | select(not)`, "gives true or false"},
		{`gender | select(type == "number")`, "gives a number"},
		{`gender | select(type != "string")`, "a number or a list or an object"},
		{`gender | arrays`, "gives a list"},
		{`gender | iterables`, "gives a list or an object"},
		{`gender | select(. == "")`, "no text but an empty one"},
		// A text that has nothing in it, or that everybody gets.
		{`""`, "reads a field that has no name"},
		{`"" // ""`, "reads a field that has no name"},
		{`" "`, "reads a field that has no name"},
		{`|""`, "reads no field"},
		{`|"" // .gender`, "the same for everybody"},
		{`gender | ""`, "no text but an empty one"},
		{`gender | " "`, "no text but an empty one"},
		{`gender | "" // ""`, "no text but an empty one"},
		{`gender | "" + " "`, "no text but an empty one"},
		{`gender | "\("")"`, "no text but an empty one"},
		{`gender | if . then "" else "" end`, "no text but an empty one"},
		{`gender | if . then "" else null end`, "no text but an empty one"},
		{`gender | [] | join(", ")`, "no text but an empty one"},
		{`gender | "" | ascii_upcase`, "no text but an empty one"},
		{`gender | "Female"`, "the same for everybody"},
		{`gender as $g | "Female"`, "the same for everybody"},
		{`gender | "Fe" + "male"`, "the same for everybody"},
		{`gender | "Female" // .`, "the same for everybody"},
		{`gender | if . == "f" then "Female" else "Female" end`, "the same for everybody"},
		{`given_name - "x"`, "gives nothing"},
		{`vid | todate`, "gives nothing"},
		{`vid | implode`, "gives nothing"},
		{`vid | join(", ")`, "gives nothing"},
		{`vid | strftime("%Y")`, "gives nothing"},
		{`vid | map(.) | join("")`, "gives nothing"},
		{`vid | @csv`, "gives nothing"},
		{`vid | .[0].x`, "gives nothing"},
		{`vid | keys`, "gives nothing"},
		{`given_name | getpath("x")`, "gives nothing"},
		{`dob_text | strptime(["%Y"]) | strftime("%Y/%m/%d")`, "gives nothing"},
		{`dob_text | strptime("%Y") | strftime(["%Y"])`, "gives nothing"},
		{`given_name | split(1)[0]`, "gives nothing"},
		{`given_name | length`, "gives a number"},
		{`given_name | split(" ")`, "gives a list"},
		{`given_name | test("a")`, "gives true or false"},
		{`given_name == "a"`, "gives true or false"},
		{`given_name | capture("(?<a>.)")`, "gives an object"},
		{`id`, "gives a number"},
		{`id | ascii_downcase`, "gives nothing"},
		{`dob_text | strptime("%d/%m/%Y")`, "gives a list"},
		{`dob_text | strptime("%d/%m/%Y") | mktime`, "gives a number"},
		{`dob_text | strptime("DD/MM/YYYY") | strftime("%Y")`, "no directive"},
		{`dob_text | strptime("%Q") | strftime("%Y")`, "unknown directive"},
		{`given_name | test("(?=a)") | tostring`, "lookahead (?=…), which is not available here"},
		{`given_name | sub("(?<!a)b"; "c")`, "lookbehind (?<!…), which is not available here"},
		{`given_name | gsub("(?<=a)b"; "c")`, "lookbehind (?<=…)"},
		{`given_name | sub("(?!a)b"; "c"; "g")`, "lookahead (?!…)"},
		{`given_name | capture("(?<a>.)\\k<a>").a`, `\k`},
		{`given_name | match("(.)\\1").string`, `back reference such as \1`},
		{`given_name | [scan("(?>a)b")][0]`, "atomic group"},
		{`given_name | splits("a++")`, "possessive"},
		{`given_name | split("a\\Z"; null)[0]`, `\Z`},
		{`given_name | test(["(a", "i"]) | tostring`, "regular expression of test is not valid: missing closing )"},
		{`given_name | sub("[a"; "")`, "missing closing ]"},
		{`given_name | sub("a"; "b"; "x")`, "flag x"},
		{`given_name | sub("a"; "b"; "q")`, "unknown flag"},
		{"given_name\x00 | upper", "holds a NUL character"},
		{`given_name | upper`, "there is no function upper here"},
		{`given_name | family_name`, "a field of the record has a dot in front: .family_name (at character 14)"},
		{`given_name | substr(0; 3)`, "there is no function substr with 2 arguments"},
		{`given_name | split`, "another number of arguments"},
		{`given_name | $x`, "there is no variable $x"},
		{`given_name | @foo`, "there is no format @foo"},
		{`given_name | _match("a"; null)`, "there is no function _match"},
		{`given_name | break $out`, "there is no label $out"},
		{`given_name | import "a" as a; .`, "not valid jq"},
		{`given_name as [$a] ?// $a | $a`, "1.5"},
		{`given_name | env.HOME`, "env is not available"},
		{`given_name | now | todate`, "now is not available"},
		{`given_name | input`, "input is not available"},
		{`given_name | $ENV.PATH`, "$ENV is not available"},
		{`given_name)`, "after character"},
		{`given_name | "a" * 2e9`, "needs too much work"},
		{`|.given_name as $x | [range(1e9)] | $x`, "needs too much work"},
		{`given_name | reduce range(100) as $i ("a"; . + .)`, "needs too much work"},
		{`given_name | last(repeat("a"))`, "needs too much work"},
		{`given_name | def f: f; f`, "needs too much work"},
	} {
		for _, field := range []string{"name/1", "fullAddress/1", "dob", "gender"} {
			p := setup.Proposal{Connector: complete(), PasswordGiven: true}
			p.Connector.Source.Fields, p.Connector.Source.Mandatory = fields, []string{"name"}
			m := &p.Connector.Source.Mapping
			switch field {
			case "name/1":
				m.Name = []string{"given_name", c.expression}
			case "fullAddress/1":
				m.FullAddress = []string{"given_name", c.expression}
			case "dob":
				m.DOB = c.expression
			case "gender":
				m.Gender = c.expression
			}
			found := wrong(p)
			if len(found) != 1 || found[0].Field != setup.MappingOf(field) || !strings.Contains(found[0].Text, c.want) {
				t.Errorf("%s of %s: %v, want %q", c.expression, field, found, c.want)
			}
		}
	}
}

// Which fields are read may depend on the record. Then nothing is refused.
func TestDynamicReadsMayReadAnything(t *testing.T) {
	for _, expression := range []string{
		`|to_entries | map(select(.key | test("name$")).value) | join(" ")`, `|.[]`, `|[.[] | strings] | .[0]`, `|keys[0]`, `|. as $r | ["a"] | map($r[.]) | .[0]`, `|getpath(["a", "b"] | .[0:1])`,
		`|.[("sur", "nick") + "name"]`, `|tojson`, `|"\(.)"`, `|..|strings`, `|paths | .[0]`, `|with_entries(.value |= tostring) | .x`, `|. + {} | .x`, `|map_values(tostring) | .x`, `|[.] | .[0].x`, `|{r: .} | .r.x`, `|reduce .[] as $x (""; . + ($x | tostring))`,
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Mapping.Gender = expression
		if found := append(wrong(p), doubtful(p)...); len(found) > 0 {
			t.Errorf("%s: %v", expression, found)
		}
	}
}

// A field that is not selected beside one that is, is doubtful and no error; and
// what nobody wrote and nobody needs is neither.
func TestDoubtfulReadsAreWarnings(t *testing.T) {
	p := setup.Proposal{Connector: complete(), PasswordGiven: true}
	p.Connector.Source.Fields = []string{"given_name", "family_name", "gender", "birthdate", "street"}
	p.Connector.Source.Mapping.FullAddress = []string{`street + (.quarter // "")`}
	if found := wrong(p); len(found) > 0 {
		t.Errorf("%v", found)
	}
	found := doubtful(p)
	if len(found) != 1 || found[0].Field != "mapping/fullAddress/0" || !strings.Contains(found[0].Text, "reads quarter,") {
		t.Errorf("%v", found)
	}
}

// What MTS's jq has not is refused, and the field and the word are named; a mapping that
// was saved before goes on.
func TestAMappingIsOfTheJqOfMTS(t *testing.T) {
	for expression, want := range map[string]string{
		`given_name | trim`:                          "trim",
		`given_name | ltrim`:                         "ltrim",
		`given_name | trimstr("x")`:                  "trimstr",
		`given_name | @base64 | @base64d`:            "@base64d",
		`given_name | @base32`:                       "@base32",
		`street | if . == "x" then "y" end`:          "if without else",
		`given_name | walk(.)`:                       "walk",
		`|first(.given_name | select(IN("a", "b")))`: "IN",
		`given_name | [splits(" ")] | add(.[])`:      "add",
		`given_name | ascii_downcase | @uri`:         "",
		`given_name | ltrimstr("x") | @base64`:       "",
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Mapping.Gender = expression
		p.Connector.Source.Fields = append(p.Connector.Source.Fields, "street")
		got := ""
		for _, f := range wrong(p) {
			if f.Field == "mapping/gender" && f.Code == "expression_later_jq" {
				got = f.Text
			}
		}
		if (got == "") != (want == "") || !strings.HasPrefix(strings.TrimPrefix(got, "the format "), want) {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
		if _, err := (jq.Mappings{}).Compile(p.Connector.Source.Mapping); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
}

// What gives nothing from what a field usually holds is said, and the part and the
// field are named. It can be saved, because a module may have the field otherwise.
func TestWhatNoUsualValueFitsIsAWarning(t *testing.T) {
	const text, numbers, pair = "holds a text, or false if it is empty", "holds the numbers of records, [4, 9]", "holds the number and the name of a record"
	for _, group := range []struct {
		want        string
		expressions []string
	}{
		{"given_name " + text, []string{
			`given_name | implode`, `given_name | join(", ")`, `given_name | keys | join(",")`, `given_name | map(.) | join(" ")`, `given_name | sort | join(" ")`, `given_name | add`, `given_name | min`, `given_name[]`, `|first(.given_name[])`, `given_name | flatten | join("")`, `given_name | to_entries | map(.value) | join("")`,
			`given_name | with_entries(.) | .x`, `given_name | from_entries | .x`, `given_name | map_values(.) | .x`, `given_name | group_by(.) | .[0][0]`, `given_name | transpose | .[0]`, `given_name.x`, `given_name | @csv`, `given_name | @tsv`, `given_name | has("x") | tostring`, `given_name | -(.) | tostring`, `given_name + 1 | tostring`, `given_name | .[] |= . | .x`, `given_name | arrays | .[1]`,
		}},
		{"birthdate " + text, []string{`birthdate | todate`, `birthdate | mktime | todate`, `birthdate | todateiso8601`, `birthdate | strftime("%Y/%m/%d")`, `birthdate | gmtime | strftime("%Y")`, `birthdate | floor | tostring`}},
		{"gender " + text, []string{`gender | strftime("%Y")`, `gender | implode`, `gender | join("")`}},
		{"address " + text, []string{`address | join("\n")`, `address | join(", ") | ascii_upcase`, `address | map(select(. != "")) | join(", ")`}},
		{"phone_number_ids " + numbers, []string{
			`phone_number_ids[0].phone_no`, `phone_number_ids[].phone_no`, `phone_number_ids | map(.phone_no) | join(", ")`, `phone_number_ids | first | .phone_no`, `phone_number_ids | last.phone_no`, `phone_number_ids[-1]["phone_no"]`, `phone_number_ids[0].phone_no // ""`, `phone_number_ids[0].phone_no?`, `phone_number_ids.phone_no`, `phone_number_ids | sort_by(.id) | .[0].phone_no`, `phone_number_ids | map(select(.primary)) | .[0].phone_no`,
			`|first(.phone_number_ids[] | .phone_no)`, `phone_number_ids | max_by(.id) | .phone_no`, `phone_number_ids[0][1]`, `phone_number_ids | join(", ")`, `phone_number_ids | tostring`, `|"\(.phone_number_ids)"`, `phone_number_ids | implode`, `phone_number_ids | ascii_upcase`,
		}},
		{"state_id " + pair, []string{`state_id`, `state_id[0]`, `state_id[2]`, `state_id.name`, `state_id.display_name`, `state_id | tostring`, `state_id | join(" ")`, `state_id | ascii_upcase`, `state_id | sub("a"; "b")`, `|"\(.state_id)"`}},
		{"so the name is state_id[1]", []string{`district.name`, `district | implode`, `district | join(", ")`, `district | mktime | todate`, `phones[0].phone_no`, `phones | map(.phone_no) | join(" ")`}},
	} {
		for _, expression := range group.expressions {
			for _, field := range []string{"gender", "dob", "fullAddress/0"} {
				p := setup.Proposal{Connector: complete(), PasswordGiven: true}
				p.Connector.Source.Fields = []string{"given_name", "birthdate", "gender", "address", "phone_number_ids", "state_id", "district", "phones"}
				p.Connector.Source.Mandatory = nil
				switch m := &p.Connector.Source.Mapping; field {
				case "gender":
					m.Gender = expression
				case "dob":
					m.DOB = expression
				default:
					m.FullAddress = []string{expression}
				}
				if found := wrong(p); len(found) > 0 {
					t.Errorf("%s of %s: refused: %v", expression, field, found)
				}
				if found := doubtful(p); len(found) != 1 || found[0].Field != setup.MappingOf(field) || !strings.Contains(found[0].Text, group.want) {
					t.Errorf("%s of %s: %v, want %q", expression, field, found, group.want)
				}
			}
		}
	}
}

// What types do not tell shows on made records: dates in another form, names and
// positions that are not there, conditions that nothing meets, and what is put
// together with null.
func TestWhatNoUsualRecordFitsIsAWarning(t *testing.T) {
	const never, null, blank, same = "no usual value of", `writes "null"`, "nothing but an empty text", "the same for everybody"
	for _, group := range []struct {
		want        string
		expressions []string
	}{
		{never, []string{
			`birthdate | strptime("%d/%m/%Y") | strftime("%Y/%m/%d")`, `birthdate | strptime("%Y-%m-%dT%H:%M:%SZ") | mktime | todate`, `birthdate | fromdate | strftime("%Y/%m/%d")`, `birthdate | fromdateiso8601 | todate`,
			`birthdate | split("/")[2]`, `birthdate | select(test("/"))`, `birthdate | capture("(?<d>\\d+)/(?<m>\\d+)/(?<y>\\d+)") | "\(.y)-\(.m)-\(.d)"`, `birthdate | tonumber | tostring`, `birthdate | fromjson | tostring`,
			`given_name | capture("(?<given>\\w+)").givn`, `given_name | match("(\\w+)").captures[1].string`, `given_name | match("x").strings`, `given_name | [scan("(a)(b)")][0][2]`,
			`|{a: .given_name} | .b`, `|{given_name} | .givn`, `|[.given_name, .family_name][2]`, `|[.given_name, .family_name] | .[5]`, `|[.given_name, .family_name] as [$a, $b, $c] | $c`, `|{a: {b: .given_name}} | .a.c`,
			`gender | ["Male", "Female"][.]`, `gender as $g | ["Male", "Female"] | .[$g]`, `gender | ascii_upcase | {"male": "Male", "female": "Female"}[.]`, `gender | ascii_downcase | select(. == "Male")`, `gender | ascii_downcase | if . == "M" then "Male" elif . == "F" then "Female" else null end`,
			`gender | select(. == "male" and . == "female")`, `gender | select(length < 0)`, `gender | select(startswith("m") and endswith("M") and length == 1)`, `gender | {male: "Male"} | .gender`,
			`given_name | limit(0; .)`, `given_name | ltrimstr("x") as [$a] | $a`,
		}},
		{null, []string{
			`birthdate | split("/") | "\(.[2])-\(.[1])-\(.[0])"`, `given_name | sub("(?<a>.)"; "\(.b)")`, `given_name | sub("(?<a>.)"; "\(.A)")`, `|{a: .given_name} | "\(.a) \(.b)"`, `|[.given_name, .family_name] | "\(.[1]) \(.[2])"`, `given_name | split("/") | "\(.[0]) \(.[9])"`,
		}},
		{blank, []string{`given_name[0:0]`, `given_name | .[1:1]`, `given_name[5:2]`, `given_name | sub("(?s).*"; "")`, `given_name | gsub("(?<a>.)"; .b)`, `given_name | split(" ") | .[0:0] | join(" ")`, `gender | select(test("^$"))`}},
		{same, []string{`gender | 0 | tostring`, `gender | [1, 2] | tojson`, `gender | {a: 1} | .a | tostring`, `gender | [.] | length | tostring`}},
	} {
		for _, expression := range group.expressions {
			for _, field := range []string{"gender", "dob", "name/1"} {
				p := setup.Proposal{Connector: complete(), PasswordGiven: true}
				p.Connector.Source.Fields = []string{"given_name", "family_name", "birthdate", "gender"}
				p.Connector.Source.Mandatory = nil
				switch m := &p.Connector.Source.Mapping; field {
				case "gender":
					m.Gender = expression
				case "dob":
					m.DOB = expression
				default:
					m.Name = []string{"family_name", expression}
				}
				if found := wrong(p); len(found) > 0 {
					t.Errorf("%s of %s: refused: %v", expression, field, found)
				}
				if found := doubtful(p); len(found) != 1 || found[0].Field != setup.MappingOf(field) || !strings.Contains(found[0].Text, group.want) {
					t.Errorf("%s of %s: %v, want %q", expression, field, found, group.want)
				}
			}
		}
	}
}

// The number of a record means nothing outside of the registry. An expression that
// makes a text of one is said, however it does that, and for a field of MTS that takes
// numbers as well.
func TestANumberOfARecordForATextIsAWarning(t *testing.T) {
	const several, one = "holds the numbers of records, [4, 9]", "so its name is "
	for expression, want := range map[string]string{
		`phone_number_ids[0] | tostring`:                                 several,
		`phone_number_ids | first | tostring`:                            several,
		`phone_number_ids[-1] | tojson`:                                  several,
		`phone_number_ids[0] | @text`:                                    several,
		`phone_number_ids | map(tostring) | join(" ")`:                   several,
		`phone_number_ids | map(tostring) | .[0]`:                        several,
		`phone_number_ids as [$first] | $first | tostring`:               several,
		`phone_number_ids | max | tostring`:                              several,
		`phone_number_ids | sort | .[0] | tostring`:                      several,
		`phone_number_ids | add | tostring`:                              several,
		`phone_number_ids[0] + 1 | tostring`:                             several,
		`phone_number_ids[0] | tostring | .[-4:]`:                        several,
		`|"+63\(.phone_number_ids[0])"`:                                  several,
		`|"+63" + (.phone_number_ids[0] | tostring)`:                     several,
		`phone // (.phone_number_ids[0] | tostring)`:                     several,
		`|"\(.given_name) \(.phone_number_ids[0])"`:                      several,
		`|"\(.given_name) \(.phone_number_ids)"`:                         several,
		`|[.given_name, (.tag_ids[] | tostring)] | join(" ")`:            several,
		`|if .phone then .phone else .tag_ids[0] | tostring end`:         several,
		`phone_number_ids | length | tostring`:                           "",
		`phone_number_ids | if length > 0 then "yes" else "no" end`:      "",
		`|if (.tag_ids | index(4)) then "four" else .given_name end`:     "",
		`tag_ids | if any(.[]; . == 2) then "two" else "other" end`:      "",
		`state_id[0] | tostring`:                                         one + "state_id[1]",
		`state_id | .[0] | @json`:                                        one + "state_id[1]",
		`state_id | map(tostring) | .[0]`:                                one + "state_id[1]",
		`state_id | map(tostring) | join(" ")`:                           one + "state_id[1]",
		`state_id as [$id] | "\($id)"`:                                   one + "state_id[1]",
		`|"\(.given_name), \(.state_id)"`:                                one + "state_id[1]",
		`state_id | first | tostring`:                                    one + "state_id[1]",
		`district_id[0] | tostring`:                                      one + "district_id[1]",
		`|"\(.given_name) \(.district_id[0])"`:                           one + "district_id[1]",
		`district_id[1]`:                                                 "",
		`state_id[0] | if . == 5 then "Laguna" else "Rizal" end`:         "",
		`state_id[0] | tostring | {"5": "Laguna", "6": "Rizal"}[.]`:      "",
		`state_id[0] as $id | {"5": "Laguna"}["\($id)"] // .state_id[1]`: "",
		`national_id | tostring`:                                         "",
		`national_id`:                                                    "",
		`parts[0]`:                                                       "",
	} {
		for _, field := range []string{"gender", "name/1", "phoneNumber", "emailId"} {
			p := setup.Proposal{Connector: complete(), PasswordGiven: true}
			p.Connector.Source.Fields = []string{"given_name", "family_name", "gender", "phone", "phone_number_ids", "tag_ids", "state_id", "district_id", "national_id", "parts"}
			p.Connector.Source.Mandatory = nil
			switch m := &p.Connector.Source.Mapping; field {
			case "gender":
				m.Gender = expression
			case "phoneNumber":
				m.PhoneNumber = expression
			case "emailId":
				m.EmailID = expression
			default:
				m.Name = []string{"family_name", expression}
			}
			if found := wrong(p); len(found) > 0 {
				t.Errorf("%s of %s: refused: %v", expression, field, found)
			}
			found := doubtful(p)
			if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || found[0].Field != setup.MappingOf(field) || !strings.Contains(found[0].Text, want)) {
				t.Errorf("%s of %s: %v, want %q", expression, field, found, want)
			}
		}
	}
	// A field of MTS that takes numbers takes them as they are.
	for _, expression := range []string{`phone_number_ids[0]`, `phone_number_ids | last`, `state_id[0]`, `phone_number_ids | min`} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Fields = []string{"given_name", "family_name", "gender", "birthdate", "phone_number_ids", "state_id"}
		p.Connector.Source.Mandatory, p.Connector.Source.Mapping.PhoneNumber = nil, expression
		if found := doubtful(p); len(found) != 1 || !strings.Contains(found[0].Text, "the number of a record of Odoo") {
			t.Errorf("%s: %v", expression, found)
		}
	}
}

// Nothing is known of the values of a field of a registry's own, so what an
// expression looks for in it is taken to be there.
func TestWhatAnOwnFieldMayHoldIsNoWarning(t *testing.T) {
	for _, expression := range []string{
		`sex_code | {"1": "Male", "2": "Female"}[.]`, `sex_code | ["Male", "Female"][.]`, `sex_code | ["Male", "Female"][. - 1]`, `sex_code | ["Male", "Female"][tonumber]`, `sex_code | if . == 1 then "Male" elif . == 2 then "Female" else null end`,
		`birth_text | strptime("%d.%m.%y") | strftime("%Y/%m/%d")`, `birth_text | strptime("%A, %d %B %Y") | mktime | strftime("%Y/%m/%d")`, `birth_text | split(".") | "\(.[2])/\(.[1])/\(.[0])"`, `birth_text | capture("^(?<d>[0-9]{1,2})-(?<m>[A-Z]{3})-(?<y>[0-9]{4})$") | "\(.y) \(.m) \(.d)"`,
		`birth_at | fromdate | todate | .[:10]`, `birth_text | select(test("^B\\d{4}/[IVX]+$"))`, `birth_text | select(startswith("19") and endswith("Z") and contains("T"))`,
		`profile | fromjson.name.given`, `profile | fromjson | .[0].text`, `profile | fromjson | to_entries[0].value`, `profile | fromjson | map(select(.type == "home"))[0].text`,
		`parts[2]`, `is_male | if . then "Male" else "Female" end`, `|if .is_male then "Male" elif .is_female then "Female" else "Other" end`,
		`|select(.sex_code == "X" and .parts == "Y") | .birth_text`, `year_of_birth | "\(.)/01/01"`, `year_of_birth | select(. > 1900 and . < 2100) | tostring`, `year_of_birth | select(. == 123456) | tostring`,
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Fields = append(p.Connector.Source.Fields, "sex_code", "birth_text", "birth_at", "profile", "parts", "is_male", "is_female", "year_of_birth")
		p.Connector.Source.Mapping.Gender = expression
		if found := append(wrong(p), doubtful(p)...); len(found) > 0 {
			t.Errorf("%s: %v", expression, found)
		}
	}
}

// Other languages write a group of a regular expression as $1 or \1. jq writes
// that into every name.
func TestReferencesThatJqDoesNotHaveAreWarnings(t *testing.T) {
	for expression, want := range map[string]string{
		`given_name | sub("(.)"; "$1")`: "writes $1 as it stands", `given_name | gsub("(a)(b)"; "$2$1")`: "writes $2", `given_name | sub("(.)"; "\\1")`: `writes \1`, `given_name | sub("(?<x>.)"; "${x}")`: "writes ${x}",
		`given_name | sub("(?<x>.)"; "$x")`: "writes $x", `given_name | gsub("a"; "$0 \(.x)")`: "writes $0", `given_name | sub("(.)"; "$1" + "x"; "g")`: "writes $1", `given_name | sub("(.)"; "\\g<1>")`: `writes \g<1>`, `given_name | sub("(?<x>.)"; "\\k<x>")`: `writes \k<x>`,
		`given_name | sub("(a)"; "&")`: "writes &", `given_name | gsub("([a-z]+)"; "%1")`: "writes %1", `given_name | sub("(?<x>.)"; "&&")`: "writes &",
		`given_name | gsub(" (and) "; " & ")`: "", `given_name | gsub("\\("; "&")`: "", `given_name | sub("a(b)?"; "100%")`: "",
		`given_name | sub("(?<x>.)"; "\(.x)")`: "", `given_name | sub("(?<x>.)"; "\(.x)$")`: "", `given_name | sub("x"; "US$")`: "", `given_name | ltrimstr("$1")`: "",
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Mapping.Name = []string{"family_name", expression}
		if found := wrong(p); len(found) > 0 {
			t.Errorf("%s: %v", expression, found)
		}
		found := doubtful(p)
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || found[0].Field != "mapping/name/1" || !strings.Contains(found[0].Text, want)) {
			t.Errorf("%s: %v", expression, found)
		}
	}
}

// Fields and expressions of the greatest length are checked without a table of
// each pair of their letters: such tables take 14 GB here.
func TestLongNamesInAMappingCostLittle(t *testing.T) {
	p := setup.Proposal{Connector: complete(), PasswordGiven: true}
	p.Connector.Source.Fields = nil
	for i := range 200 {
		p.Connector.Source.Fields = append(p.Connector.Source.Fields, fmt.Sprintf("%s%03d", strings.Repeat("a", 991), i))
	}
	p.Connector.Source.Mapping = seeding.Mapping{VID: "vid", Gender: "gender", DOB: "birthdate", PhoneNumber: "phone", EmailID: "email"}
	for i := range 9 {
		p.Connector.Source.Mapping.Name = append(p.Connector.Source.Mapping.Name, fmt.Sprintf("%s%03d", strings.Repeat("b", 981), i))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found := wrong(p)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
		t.Errorf("%d MB", took>>20)
	}
	if len(found) < 9 || strings.Contains(found[0].Text, "meant") {
		t.Errorf("%d findings", len(found))
	}
}

func TestMappingWithoutSelectedFieldsNamesWhatThereIs(t *testing.T) {
	p := setup.Proposal{Connector: complete(), PasswordGiven: true}
	p.Connector.Source.Fields, p.Connector.Source.Mapping.Gender = nil, "gender"
	for _, f := range wrong(p) {
		if f.Field == setup.MappingOf("gender") && strings.HasSuffix(f.Text, "not among the selected fields (vid)") {
			return
		}
	}
	t.Errorf("%v", wrong(p))
}
