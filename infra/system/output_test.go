package system_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// Output Formats as users of OpenG2P have them, and one that writes much else.
const (
	formatOf15 = `{partner_id: .input.id, id_type: "MOSIP UIN TOKEN", value: .output.token}`
	formatOf17 = `[{updateId: .input.vid, ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token, status: "valid", description: "MTS"}]}]`
	formatIf   = `if .output.status == "processed" then ` + formatOf15 + ` else null end`
	formatMuch = `{updateId: .input.vid, given_name: (.input.given_name // "" | ascii_upcase), address: (if .input.address then "now: " + (.input.address | ltrimstr("now: ")) else null end),
		birthdate: .input.birthdate, gender: "O", phone_numbers: [{phone_no: ("+1" + .input.vid)}],
		ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`
)

// withFormat is a connector with an Output Format, as it would be saved.
func withFormat(format string) func(*seeding.Connector) {
	return func(c *seeding.Connector) { c.Output.Format = format }
}

// With an Output Format every registrant ends as without one, in either line, and what
// the Output Format says is in the registry.
func TestEveryRegistrantIsReconciledWithAnOutputFormat(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		later  bool
	}{
		"line 15.0": {formatOf15, false}, "none, line 17.0": {"", true}, "line 17.0": {formatOf17, true}, "line 17.0 at line 15.0": {formatOf17, false}, "on condition": {formatIf, false},
		"an individual": {formatMuch, false}, "an individual, line 17.0": {formatMuch, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{odoo: odoosim.Options{Status: c.later}})
			e := w.registry.Populate(400, 5)
			before := w.now()
			connector := w.connector(withFormat(c.format))
			w.finish(30, connector)
			w.checkInvariants(connector, before)
			w.checkSent(1)
			_, all := w.rejections(connector)
			kinds := invariants.ByKind(slices.Collect(maps.Values(all)))
			for _, d := range invariants.Differences(slices.Concat(invariants.Counts(w.now(), e), invariants.Rejected(kinds, e))) {
				t.Error(d)
			}
			expect(t, "problems", len(w.problems(connector)), 0)
			if c.format != formatMuch {
				return
			}
			written := 0
			for id, now := range w.now() {
				vid := before.VID(id)
				fields, phones := w.registry.Registrant(id)
				isNew := len(now.Tokens) == 1 && len(before[id].Tokens) == 0
				want := []string(nil)
				if isNew {
					written++
					want = []string{"+1" + vid}
				}
				if !slices.Equal(phones, want) || isNew != (fields["gender"] == "Other" && fields["phone"] == "+1"+vid) || isNew && strings.ContainsAny(fields["given_name"], "abcdefghijklmnopqrstuvwxyz") {
					t.Errorf("registrant %d: %v, phones %v, tokenised %t", id, fields, phones, isNew)
				}
			}
			expect(t, "written", written, e.NewTokens)
		})
	}
}

// Crashes at whatever an Output Format adds to a run: in the end each registrant is as
// without a crash, with everything of it once.
func TestCrashPointsWithAnOutputFormat(t *testing.T) {
	t.Parallel()
	ends := func(w *world, c seeding.Connector, before invariants.Registry) map[int64]string {
		found := w.finishAndCheck(c, before)
		for id := range found {
			fields, phones := w.registry.Registrant(id)
			found[id] += fmt.Sprintf(", %s, %s, phones %v", fields["given_name"], fields["address"], phones)
		}
		return found
	}
	w, c, before := eventful(t, false, withFormat(formatMuch))
	want := ends(w, c, before)
	var points []string
	for _, point := range slices.Sorted(maps.Keys(w.faults.seen)) {
		if strings.HasPrefix(point, "patch: ") {
			points = append(points, point)
		}
	}
	for _, needed := range []string{"patch: registry load", "patch: registry create", "patch: dynamodb Close"} {
		if !slices.Contains(points, needed) {
			t.Fatalf("no crash is tried at %s: %v", needed, points)
		}
	}
	eachCrash(t, points, func(t *testing.T, point string, m mode) {
		w, c, before := eventful(t, false, withFormat(formatMuch))
		w.faults.armed[point] = m
		w.checkEnds(want, ends(w, c, before))
		w.faults.checkAllCame(t)
	})
}

// The Output Formats of these tests can be saved.
func TestOutputFormatsOfTheseTestsCanBeSaved(t *testing.T) {
	w := newWorld(t, options{})
	rules := setup.Rules{Mappings: w.patcher.Expressions.(setup.Expressions), CheckDomain: func(string) error { return nil }}
	for format, shape := range map[string]seeding.OutputShape{
		formatOf15: seeding.IdentifierShape, formatOf17: seeding.ByIdentifierShape, formatIf: seeding.IdentifierShape, formatMuch: seeding.ByIdentifierShape,
	} {
		c := w.connector(withFormat(format))
		if wrong, doubtful := rules.Check(setup.Proposal{Connector: c, PasswordGiven: true}); len(wrong)+len(doubtful) > 0 || rules.Shape(c) != shape {
			t.Errorf("%s: %v, %v, %s", format, wrong, doubtful, rules.Shape(c))
		}
	}
}

// Each right without which the registry refuses what an Output Format sets is found by a
// check before the first run, which would write no token.
func TestACheckFindsTheRightsThatAnOutputFormatNeeds(t *testing.T) {
	const format = `{given_name: "X", gender: "O", phone_numbers: [{phone_no: ("+1" + .input.vid)}], ids: [{id_type: "MOSIP UIN TOKEN", value: .output.token}]}`
	for _, right := range []string{"", "res.partner write", "gender.type read", "g2p.phone.number read", "g2p.phone.number create"} {
		t.Run("without "+right, func(t *testing.T) {
			t.Parallel()
			a := newAdministratorOf(t, options{})
			a.addRegistrants(12)
			if model, operation, isOne := strings.Cut(right, " "); isOne {
				a.registry.Deny(model, operation)
			}
			c := a.created(map[string]any{"output_format": format})
			_, asked, _ := a.send("POST", "/connectors/"+c.ID+"/check", nil)
			a.tick()
			_, reply, _ := a.send("GET", fmt.Sprint("/checks/", asked["id"]), nil)
			lines, _ := reply["lines"].([]any)
			found := map[string]any{}
			for _, l := range lines {
				line, _ := l.(map[string]any)
				if line["result"] != "ok" {
					t.Logf("%v", line)
				}
				if line["line"] == "write" {
					found = line
				}
			}
			a.started(c)
			a.ticks(8)
			if right == "" {
				expect(t, "line", fmt.Sprint(found["result"], " ", found["code"]), "ok allowed")
				expect(t, "tokenised", a.tokenised(), 12)
				return
			}
			expect(t, "line", fmt.Sprint(found["result"], " ", found["code"], " ", found["pointer"]), "failure denied /output_format")
			expect(t, "tokenised", a.tokenised(), 0)
		})
	}
}
