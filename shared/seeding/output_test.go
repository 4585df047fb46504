package seeding_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// Results are read as OpenG2P's API reads a body (facts/odoo.md D): empty members are
// not given, a number counts as its digits, and dates may be written as .input has them.
func TestAResultIsRead(t *testing.T) {
	for text, want := range map[string]seeding.Update{
		`{"partner_id": 17, "id_type": "T", "value": "987", "expiry_date": "2030/1/2"}`: {Shape: seeding.IdentifierShape, Registrant: 17,
			Identifiers: []seeding.TypedValue{{Type: "T", Value: "987", Expiry: "2030-01-02"}}},
		`{"partner_id": "17", "id_type": " T ", "value": 987, "expiry_date": null}`: {Shape: seeding.IdentifierShape, Registrant: 17,
			Identifiers: []seeding.TypedValue{{Type: "T", Value: "987"}}},
		`{"partner_id": 17.0, "id_type": "T", "value": "9"}`: {Shape: seeding.IdentifierShape, Registrant: 17, Identifiers: []seeding.TypedValue{{Type: "T", Value: "9"}}},
		`{"name": "A B", "given_name": "A", "addl_name": "", "gender": null, "birthdate": "1990/11/02", "email": false, "address": "  ", "is_group": false, "ids": []}`: {
			Shape: seeding.IndividualShape, Fields: map[string]string{"name": "A B", "given_name": "A", "birthdate": "1990-11-02"}},
		`[{"updateId": 6104, "id_type": "VID", "phone_numbers": [{"phone_no": "+63", "date_collected": "2026-1-2"}, {"phone_no": ""}], "ids": [{"id_type": "T", "value": "9", "status": "valid", "description": "d"}]}]`: {
			Shape: seeding.ByIdentifierShape, UpdateID: "6104", UpdateType: "VID", Fields: map[string]string{"phone": "+63"}, Phones: []seeding.Phone{{Number: "+63", Collected: "2026-01-02"}},
			Identifiers: []seeding.TypedValue{{Type: "T", Value: "9", Status: "valid", Description: "d"}}},
		`{"id": 5, "ids": null}`: {Shape: seeding.IndividualShape, Registrant: 5, Fields: map[string]string{}},
	} {
		got, err := seeding.ReadUpdate(value(t, text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	long := strings.Repeat("x", 1000)
	for text, want := range map[string]string{
		`null`: "MTSC-OUTPUT-EMPTY", `[]`: "MTSC-OUTPUT-EMPTY", `[null]`: "MTSC-OUTPUT-EMPTY", `false`: "MTSC-OUTPUT-SHAPE", `[[]]`: "MTSC-OUTPUT-SHAPE", `{}`: "MTSC-OUTPUT-SHAPE", `7`: "MTSC-OUTPUT-SHAPE",
		`{"vid": "1", "token": "2"}`:                                                    "MTSC-OUTPUT-SHAPE",
		`{"partner_id": 1.5, "id_type": "T", "value": "9"}`:                             "MTSC-OUTPUT-SHAPE:partner_id",
		`{"partner_id": -1, "id_type": "T", "value": "9"}`:                              "MTSC-OUTPUT-SHAPE:partner_id",
		`{"partner_id": "17a", "id_type": "T", "value": "9"}`:                           "MTSC-OUTPUT-SHAPE:partner_id",
		`{"partner_id": [17, "Ana"], "id_type": "T", "value": "9"}`:                     "MTSC-OUTPUT-SHAPE:partner_id",
		`{"partner_id": 99999999999999999999, "id_type": "T", "value": "9"}`:            "MTSC-OUTPUT-SHAPE:partner_id",
		`{"partner_id": 1, "id": 2, "ids": []}`:                                         "MTSC-OUTPUT-OTHER:id",
		`{"name": {}}`:                                                                  "MTSC-OUTPUT-SHAPE:name",
		`{"birthdate": "1990-02-30"}`:                                                   "MTSC-OUTPUT-VALUE:birthdate",
		`{"ids": [1]}`:                                                                  "MTSC-OUTPUT-SHAPE:ids",
		`{"ids": {}}`:                                                                   "MTSC-OUTPUT-SHAPE:ids",
		`{"phone_numbers": ["+63"]}`:                                                    "MTSC-OUTPUT-SHAPE:phone_numbers",
		`{"ids": [` + strings.Repeat(`{},`, 20) + `{}]}`:                                "MTSC-OUTPUT-SHAPE:ids",
		`{"phone_numbers": [` + strings.Repeat(`{"phone_no":"`+long+`"},`, 18) + `{}]}`: "MTSC-OUTPUT-SHAPE:phone_no",
	} {
		_, err := seeding.ReadUpdate(value(t, text))
		if e, ok := errors.AsType[*seeding.OutputError](err); !ok || e.CodeText() != want {
			t.Errorf("%.80s: %v, want %s", text, err, want)
		}
	}
}

// value is JSON as an Output Format gives it.
func value(t *testing.T, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Every code of a result has its words, with the member and without, and blames the data.
func TestCodesOfOutputFormatsHaveReasons(t *testing.T) {
	for _, code := range []string{
		seeding.CodeOutputFailed, seeding.CodeOutputSpent, seeding.CodeOutputEmpty, seeding.CodeOutputShape, seeding.CodeOutputOther, seeding.CodeOutputToken,
		seeding.CodeOutputValue, seeding.CodeOutputRefused,
	} {
		if seeding.ReasonOf(code, nil) == "" || seeding.BlameOf(code) != seeding.BlameData || seeding.BlameOf(code+":ids") != seeding.BlameData {
			t.Errorf("%s: %q", code, seeding.ReasonOf(code, nil))
		}
	}
	if text := seeding.ReasonOf(seeding.CodeOutputOther, []string{"partner_id"}); !strings.Contains(text, "partner_id") {
		t.Error(text)
	}
}
