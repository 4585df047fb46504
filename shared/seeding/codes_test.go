package seeding_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// A code blames the registrant's data, the system, or is unclear.
func TestWhatACodeBlames(t *testing.T) {
	for _, c := range []struct {
		name, codes string
		want        seeding.Blame
	}{
		{"MTS could not reach the identity service", "AUT_BAS_001", seeding.BlameSystem},
		{"licence, partner or policy", "IDA-MPA-005", seeding.BlameSystem},
		{"MTS's own check of a record", "ATS-REQ-009", seeding.BlameData},
		{"MTS could not make sense of the answer", "ATS-REQ-100", seeding.BlameUnclear},
		{"a VID that MOSIP does not know", "IDA-MLC-004", seeding.BlameData},
		{"MOSIP could not process the request", "IDA-MLC-007", seeding.BlameUnclear},
		{"demographics that differ", "IDA-DEA-001", seeding.BlameData},
		{"no token came", seeding.CodeEmptyToken, seeding.BlameData},
		{"a code that is not in the table", "XYZ-1", seeding.BlameUnclear},
		{"no code", "", seeding.BlameUnclear},
		{"a code of MOSIP that is not in the table", "IDA-MPA-099", seeding.BlameUnclear},
		{"a code of MTS that is not in the table", "ATS-REQ-099", seeding.BlameUnclear},
		{"the partner's certificate", "IDA-MLC-025", seeding.BlameSystem},
		{"the clock of MTS", "IDA-MLC-001", seeding.BlameSystem},
		{"no authentication type", "IDA-MLC-008", seeding.BlameSystem},
		{"an authentication type that is not supported", "IDA-MLC-011", seeding.BlameSystem},
		{"a missing attribute of the type", "IDA-MLC-013", seeding.BlameSystem},
		{"an identity type that is not configured", "IDA-MLC-015", seeding.BlameSystem},
		{"encryption", "IDA-MLC-020", seeding.BlameSystem},
		{"the key store", "IDA-MLC-021", seeding.BlameSystem},
		{"the language", "IDA-DEA-002", seeding.BlameSystem},
		{"demographics that MOSIP does not have", "IDA-DEA-003", seeding.BlameData},
		{"a VID that ended", "IDA-MLC-005", seeding.BlameData},
		{"a value that is one of the fields", "IDA-MLC-009:dob", seeding.BlameData},
		{"a value that is none of the fields", "IDA-MLC-009", seeding.BlameUnclear},
		{"demographics that differ, with their fields", "IDA-DEA-001:dob+gender", seeding.BlameData},
		{"several with fields, one of the system", "IDA-DEA-001:dob+gender,IDA-MPA-007", seeding.BlameSystem},
		{"one like that of the identity service", "AUT_BAS_0011", seeding.BlameUnclear},
		{"several, all of the data", "IDA-MLC-004,IDA-DEA-001", seeding.BlameData},
		{"several, one of them unclear", "IDA-MLC-007,IDA-DEA-001", seeding.BlameData},
		{"several, the last one unclear", "IDA-DEA-001,IDA-MLC-007", seeding.BlameData},
		{"several, all of them unclear", "IDA-MLC-007,XYZ-1", seeding.BlameUnclear},
		{"several, the last one of the system", "IDA-DEA-001,IDA-MPA-005", seeding.BlameSystem},
		{"several, the first one of the system", "IDA-MPA-005,IDA-DEA-001", seeding.BlameSystem},
	} {
		if got := seeding.BlameOf(c.codes); got != c.want {
			t.Errorf("%s (%q): %d, want %d", c.name, c.codes, got, c.want)
		}
	}
}

// Every code that the identity service has is in the table, with a sentence. The
// numbers are those of facts/mts.md 10.
func TestEveryCodeOfMOSIPIsKnown(t *testing.T) {
	seen := 0
	for area, last := range map[string]int{
		"IDA-MLC": 31, "IDA-DEA": 3, "IDA-MPA": 37, "IDA-BIA": 18, "IDA-OTA": 11, "IDA-SPA": 2, "IDA-EKA": 2, "IDA-KBT": 3,
		"IDA-RST": 9, "IDA-DPM": 4, "IDA-KYE": 7, "IDA-IKB": 5, "IDA-TOA": 1, "IDA-VCI": 5, "IDA-IDV": 1,
	} {
		for i := range last {
			code := fmt.Sprintf("%s-%03d", area, i+1)
			if text := seeding.ReasonOf(code, nil); len(text) < 15 || !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q", code, text)
			}
			seen++
		}
	}
	if seen != 139 {
		t.Errorf("%d codes", seen)
	}
	if text := seeding.ReasonOf("IDA-MLC-099", nil); text != "" {
		t.Errorf("a code that does not exist: %q", text)
	}
	if text := seeding.ReasonOf("IDA-DEA-001", []string{"gender", "dob"}); !strings.Contains(text, "gender, date of birth") {
		t.Error(text)
	}
	// The registrant is blamed for nothing that is the deployment's.
	for _, code := range []string{"IDA-MLC-001", "IDA-MLC-025", "IDA-DEA-002", "IDA-MPA-007"} {
		if text := seeding.ReasonOf(code, nil); strings.Contains(text, "registrant") || strings.Contains(text, "digits") {
			t.Errorf("%s: %s", code, text)
		}
	}
}

func TestCodesComeBackAsTheyWereJoined(t *testing.T) {
	text := seeding.JoinCodes(map[string][]string{"IDA-MLC-004": nil, "IDA-DEA-001": {"gender", "dob", "gender"}})
	if text != "IDA-DEA-001:dob+gender,IDA-MLC-004" {
		t.Fatal(text)
	}
	back := map[string][]string{}
	for code, fields := range seeding.SplitCodes(text) {
		back[code] = fields
	}
	if seeding.JoinCodes(back) != text || len(back) != 2 {
		t.Errorf("%v", back)
	}
}

// MOSIP names the language of a field by a path: the field itself is right.
func TestLanguageOfAFieldBlamesNoField(t *testing.T) {
	for message, want := range map[string][]string{
		"Missing Input Parameter - name/0/language":                   nil,
		"Invalid Input Parameter - demographics/address/language":     nil,
		"Invalid Input Parameter - Demographics/FullAddress/Language": nil,
		"name/0/language,gender":                                      {"gender"},
		"gender,name/0/language":                                      {"gender"},
		"Missing Input Parameter - name/0/value":                      {"name"},
		"Invalid Input Parameter - demographics/dob":                  {"dob"},
	} {
		for _, code := range []string{"IDA-MLC-006", "IDA-MLC-009"} {
			if got := seeding.FieldsOf(code, message); !slices.Equal(got, want) {
				t.Errorf("%s %q blames %v, want %v", code, message, got, want)
			}
		}
	}
}
