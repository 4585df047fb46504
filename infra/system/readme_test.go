package system_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// The two direct callbacks of the README, by copy and paste: from nothing to tokens in
// the registry. What is replaced are the servers and the passwords.
func TestDirectCallbacksOfTheReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "### Direct callbacks\n")
	part, _, _ = strings.Cut(part, "\n### ")
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(part, -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples", len(examples))
	}
	for i, line := range []string{odoosim.REST15, odoosim.REST17} {
		t.Run(line, func(t *testing.T) {
			a := newAdministratorOf(t, options{odoo: odoosim.Options{REST: line}})
			a.addRegistrants(30)
			a.addRefused(3)
			before := a.now()
			example := strings.NewReplacer(
				"https://mts.example.org/mosiptokenseeder", a.mtsURL, "https://registry.example.org", a.registryURL,
				"Basic …", secrets17.Headers["Authorization"], `"…"`, `"admin"`, `"mts-connector"`, `"admin"`, `"openg2p"`, `"g2p"`,
			).Replace(examples[i][1])
			var body map[string]any
			if err := json.Unmarshal([]byte(example), &body); err != nil {
				t.Fatal(err)
			}
			status, reply, _ := a.send(http.MethodPost, "/connectors", body)
			if status != http.StatusCreated || reply["warnings"] != nil {
				t.Fatalf("%d %v", status, reply)
			}
			id, _ := reply["id"].(string)
			if status, reply, _ := a.send(http.MethodPost, "/connectors/"+id+"/start", nil); status != http.StatusOK {
				t.Fatalf("%d %v", status, reply)
			}
			c, err := a.store.Connector(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			a.finish(60, c)
			a.checkInvariants(c, before)
			expect(t, "tokenised", a.tokenised(), 30)
			expect(t, "VIDs left", len(a.vids()), 3)
			expect(t, "problems", len(a.problems(c)), 0)
		})
	}
}
