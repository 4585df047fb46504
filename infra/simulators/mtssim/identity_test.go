package mtssim_test

import (
	"context"
	"regexp"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

func TestRules(t *testing.T) {
	token := regexp.MustCompile(`^\d{36}$`)
	rule := func(vid string) mtssim.Verdict {
		return mtssim.Rules(t.Context(), mtssim.Applicant{VID: vid})
	}
	for vid, want := range map[string]string{
		"": "IDA-MLC-009", "123": "IDA-MLC-009", "20000000000000012": "IDA-MLC-009", "200000000000000x": "IDA-MLC-009",
		"7700000000000190": "IDA-MLC-009", "7700000000000191": "IDA-MLC-002", "7700000000000189": "IDA-MLC-005",
		"7700000000000194": "IDA-DEA-001", "7700000000000192": "ATS-REQ-103", "7700000000000195": "ATS-REQ-100",
		"7700000000000188": "ATS-REQ-100", "7700000000000196": "AUT_BAS_001", "7700000000000197": "IDA-MPA-005",
		"7700000000000193": "", "77000000000001": "IDA-MLC-009",
	} {
		if got := rule(vid); got.ErrorCode != want || got.Token != "" {
			t.Errorf("%s: got %+v, want %s", vid, got, want)
		}
	}
	for _, vid := range []string{ann, "0000000001000100", "7700000000000198"} {
		if got := rule(vid); !token.MatchString(got.Token) || got.ErrorCode != "" {
			t.Errorf("%s: got %+v", vid, got)
		}
	}
	if rule(ann).Token != mtssim.Token(ann) || rule(ann).Token == rule(ben).Token {
		t.Error("a token belongs to one person and is always the same")
	}
	if rule("0000000001000100").Token != rule("0000000001007700").Token || rule("0000000001000100").Token == rule("0000000002000100").Token {
		t.Error("the VIDs of one person have one token")
	}
	if first, second := rule("7700000000000198"), rule("7700000000000198"); first.Token == second.Token {
		t.Error("a random token came twice")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if got := mtssim.Rules(ctx, mtssim.Applicant{VID: "7700000000000199"}); got != (mtssim.Verdict{}) || ctx.Err() == nil {
		t.Error("an answer that should never come")
	}
}

func TestVerdictsOnTheWire(t *testing.T) {
	for vid, want := range map[string]string{
		"7700000000000192": row("7700000000000192", "error", "", "ATS-REQ-103",
			"IDA-DEA-001::Demographic data name in eng did not match,IDA-DEA-001::Demographic data dob did not match"),
		"7700000000000195": row("7700000000000195", "error", "", "ATS-REQ-100", ""),
		"7700000000000196": row("7700000000000196", "error", "", "AUT_BAS_001", "Not Able to process auth request."),
		"7700000000000193": row("7700000000000193", "processed", "", "", ""),
	} {
		to := receive(t, nil)
		deliver(t, object{"url": to.url}, nil, valid(vid))
		if got := to.bodies(); len(got) != 1 || got[0] != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}
