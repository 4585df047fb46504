package seeding_test

import (
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
