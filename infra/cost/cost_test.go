package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

func TestTheDocumentIsWhatIsComputed(t *testing.T) {
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	want, err := document(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, written))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what `go run ./infra/cost` writes", written)
	}
}

func bills(t *testing.T) (measured, template.Deployed, prices) {
	t.Helper()
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	var m measured
	text, err := os.ReadFile(filepath.Join(root, measurements))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	facts, err := os.ReadFile(filepath.Join(root, "infra/facts/aws.md"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pricesIn(string(facts))
	if err != nil {
		t.Fatal(err)
	}
	d, err := template.Read()
	if err != nil {
		t.Fatal(err)
	}
	return m, d, p
}

func TestAnIdleMonthCostsSixDollarsAtMost(t *testing.T) {
	m, d, p := bills(t)
	if usd := sum(idle(m, d, p)); usd > 6 {
		t.Errorf("%.2f USD", usd)
	}
}

func TestAMillionRegistrantsCostAQuarterAtWidthFour(t *testing.T) {
	m, d, p := bills(t)
	found := 0
	for _, r := range m.Runs {
		if r.Maximum != 4 {
			continue
		}
		found++
		if usd := sum(r.seeding(d, p)); usd > 0.25 {
			t.Errorf("%s: %.3f USD", r.mts(), usd)
		}
	}
	if found < 3 {
		t.Errorf("%d runs at width 4", found)
	}
}

// What is measured of an idle tick is what the code does today.
func TestAnIdleTickIsAsMeasured(t *testing.T) {
	m, _, _ := bills(t)
	tick, err := idleTick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tick.Metrics != m.Idle.Metrics || tick.Reads > 1.5*m.Idle.Reads || tick.SubmitCalls > m.Idle.SubmitCalls+1 || tick.ReconcileCalls > m.Idle.ReconcileCalls+2 || tick.Logged > 1.5*m.Idle.Logged {
		t.Errorf("%+v, measured was %+v: run `go run ./infra/cost -measure`", tick, m.Idle)
	}
}

func TestPricesAreRead(t *testing.T) {
	var table strings.Builder
	for _, name := range names {
		table.WriteString("| `" + name + "` | 0.5 | a thing |\n")
	}
	p, err := pricesIn(table.String())
	if err != nil || p["alarm"] != 0.5 || len(p) != len(names) {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := pricesIn(strings.Replace(table.String(), "alarm", "alarms", 1)); err == nil {
		t.Error("a price that is missing is not missed")
	}
}
