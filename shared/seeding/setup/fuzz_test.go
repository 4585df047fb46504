package setup_test

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// Whatever somebody writes into a mapping: checking it ends and takes bounded memory,
// what is accepted can be run on any record, gives the same every time, in bounded
// memory, and a text that can be sent.
func FuzzMapping(f *testing.F) {
	for _, expression := range []string{
		`given_name`, `name | split(", ")[1]`, `name | capture("(?<f>\\w+), (?<g>\\w+)").g`, `|"\(.given_name) \(.family_name)"`, `addl_name // .given_name`, `gender_id[1]`, `phone_number_ids[0] | tostring`,
		`dob_text | strptime("%d/%m/%Y") | strftime("%Y/%m/%d")`, `json_text | fromjson | .given`, `|[.street, .city] | map(select(.)) | join(", ")`, `sex | {"Lalaki": "Male"}[.]`, `phone | gsub("[^0-9]"; "")`,
		`|def clean: gsub("[.,]"; ""); .street | clean`, `street | limit(1; splits(" "))`, `|with_entries(select(.key | startswith("street"))) | [.[] | strings] | join(" ")`, `|reduce (.street, .city) as $p (""; . + $p)`,
		`given_name | explode | implode`, `name | @base64 | @base64d`, `|try error("x") catch .`, `name | .[1:2]`, `name as [$a] | $a`, `|label $f | .name, break $f`, `given_name | sub("(?<x>.)"; "\(.x)")`, `zip_number | tostring`, `|first(.street2, .city)`, `|{a: .b, "c": 1} | .a`,
	} {
		f.Add(expression, uint8(0), []byte(person))
		f.Add(expression, uint8(5), []byte(`{"name":["a",{"b":[1,null]}],"given_name":"\u0000é😀","zip_number":123456789012345678901234567890}`))
	}
	var record map[string]any
	if err := json.Unmarshal([]byte(person), &record); err != nil {
		f.Fatal(err)
	}
	var fields []string
	for field := range record {
		if field != "vid" {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	f.Fuzz(func(t *testing.T, expression string, field uint8, given []byte) {
		var record seeding.Record
		decoder := json.NewDecoder(strings.NewReader(string(given)))
		decoder.UseNumber()
		if len(given) > 100_000 || decoder.Decode(&record) != nil {
			return
		}
		p := setup.Proposal{Connector: complete(), PasswordGiven: true}
		p.Connector.Source.Fields = fields
		m := &p.Connector.Source.Mapping
		name := seeding.MTSFields[int(field)%len(seeding.MTSFields)]
		switch name {
		case "vid":
			m.VID = expression
		case "name":
			m.Name = []string{expression}
		case "gender":
			m.Gender = expression
		case "dob":
			m.DOB = expression
		case "phoneNumber":
			m.PhoneNumber = expression
		case "emailId":
			m.EmailID = expression
		default:
			m.FullAddress = []string{"address", expression}
		}
		var found []setup.Finding
		if took := allocated(func() { found = wrong(p) }); took > 96<<20 {
			t.Errorf("checking it takes %d MB", took>>20)
		}
		if len(found) > 0 {
			return
		}
		mapper, err := jq.Mappings{}.Compile(*m)
		if err != nil {
			t.Fatalf("is accepted, and then refused: %v", err)
		}
		var got seeding.Demographics
		if took := allocated(func() { got = mapper.Map(record) }); took > 24<<20+64*uint64(len(given)) {
			t.Errorf("a record takes %d MB", took>>20)
		}
		if again := mapper.Map(record); again != got {
			t.Errorf("%+v, then %+v", got, again)
		}
		for _, v := range []seeding.Value{got.VID, got.Name, got.Gender, got.DOB, got.PhoneNumber, got.EmailID, got.FullAddress} {
			if !utf8.ValidString(v.Text) || len(v.Text) > 1<<10 || v.Text != "" && (v.NotText || v.Spent || !v.Present) {
				t.Errorf("%+v", v)
			}
		}
	})
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
