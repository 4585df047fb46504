package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding"
)

// sources are the sources of the programs of folders, without tests.
func sources(t *testing.T, folders ...string) string {
	var all strings.Builder
	for _, folder := range folders {
		files, err := filepath.Glob("../../shared/" + folder + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") {
				all.Write(text)
			}
		}
	}
	return all.String()
}

// The document lists every code of a problem, and every source that has problems.
func TestEveryProblemIsListed(t *testing.T) {
	listed := problemCodes()
	text := sources(t, "seeding")
	found := regexp.MustCompile(`(?:\bdescribe\(\s*|\bcode, remedy :?= )"([a-z_0-9]+)"`).FindAllStringSubmatch(text, -1)
	for _, one := range found {
		if one[1] != "endpoint_unreachable" && listed[one[1]] == nil { // only lines of checks have that
			t.Errorf("%s is not listed", one[1])
		}
	}
	if len(found) < 40 {
		t.Errorf("only %d were found", len(found))
	}
	raised := map[seeding.Source]bool{}
	for code, list := range listed {
		for _, s := range list {
			if s.Text == "" || s.Remedy == "" {
				t.Errorf("%s: %+v", code, s)
			}
			for _, source := range s.Sources {
				raised[source] = true
			}
		}
	}
	names := regexp.MustCompile(`(?m)^\tProblem\w+ +Source = "(\w+)"`).FindAllStringSubmatch(text, -1)
	for _, one := range names {
		if !raised[seeding.Source(one[1])] {
			t.Errorf("the source %s has no problem", one[1])
		}
	}
	if len(names) != len(raised) {
		t.Errorf("%d of %d sources", len(raised), len(names))
	}
}

// The document lists every code that a line gives.
func TestEveryLineIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, list := range Codes()["x-line-codes"].(map[string]map[string][]said) {
		for code, all := range list {
			listed[code] = true
			for _, s := range all {
				if s.Text == "" || s.Result == seeding.LineFailure && s.Remedy == "" {
					t.Errorf("%s: %+v", code, s)
				}
			}
		}
	}
	text := sources(t, "seeding/check", "seeding/inquire", "seeding/registrant", "seeding/preview") + sources(t, "seeding")
	found := regexp.MustCompile(`(?:\b(?:ok|failed|line|nobody)\((?:\w+, )?(?:seeding\.Line\w+, )?|Line\{[^}]*\bCode: +|why\{|l\.Code(?:, l\.\w+)* = )"([a-z_0-9]+)"`).FindAllStringSubmatch(text, -1)
	for _, one := range found {
		if !listed[one[1]] {
			t.Errorf("%s is not listed", one[1])
		}
	}
	if len(found) < 50 {
		t.Errorf("only %d were found", len(found))
	}
}

// The document lists every code of our own of a rejection.
func TestEveryRejectionIsListed(t *testing.T) {
	listed := rejectionCodes()
	found := regexp.MustCompile(`"(MTSC-[A-Z-]+)"`).FindAllStringSubmatch(sources(t, "seeding"), -1)
	for _, one := range found {
		if listed[one[1]].Text == "" {
			t.Errorf("%s is not listed", one[1])
		}
	}
	if len(found) < 20 {
		t.Errorf("only %d were found", len(found))
	}
}

func TestParametersOfALineAreInBraces(t *testing.T) {
	l := seeding.Line{Params: map[string]any{"looked": 20, "selected": 2, "fields": []any{"mobile"}, "none": 0}}
	l.Text = `Of 20 VIDs, 2 belong to 0 who have "mobile", as in 2020.`
	if got, _ := bracedLine(l); got != "Of {looked} VIDs, {selected} belong to 0 who have {fields}, as in 2020." {
		t.Error(got)
	}
}

// A member that holds a sentence has a code beside it, so that programs can translate
// it; any other text that may be anything is named here.
func TestEverySentenceHasACode(t *testing.T) {
	text, err := os.ReadFile("../../shared/api/connectors/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	sentences := []string{"text", "remedy", "detail", "reason", "title"}
	data := []string{
		"address", "api_version", "batch", "claim", "code", "connector", "domain", "fault", "field", "id", "issuer", "mts_host", "name", "odk_form", "odk_host", "odoo", "openg2p",
		"output_format", "parameter", "pointer", "region", "registry_host", "result", "retry", "shape", "stack", "subject", "submission",
	}
	found := map[string]bool{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		schema, _ := v.(map[string]any)
		properties, _ := schema["properties"].(map[string]any)
		for name, property := range properties {
			p, _ := property.(map[string]any)
			free := p["type"] == "string" && p["format"] == nil && p["pattern"] == nil && p["writeOnly"] == nil
			isSentence := slices.Contains(sentences, name)
			if isSentence {
				found[name] = true
				if properties["code"] == nil && properties["type"] == nil {
					t.Errorf("%s/%s has no code beside it", at, name)
				}
			}
			if free && !isSentence && !slices.Contains(data, name) {
				t.Errorf("%s/%s is a sentence, or data?", at, name)
			}
		}
		for name, property := range properties {
			walk(at+"/"+name, property)
		}
		for _, name := range []string{"items", "additionalProperties"} {
			if schema[name] != nil {
				walk(at+"/"+name, schema[name])
			}
		}
	}
	schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
	for name, schema := range schemas {
		walk(name, schema)
	}
	if len(found) != len(sentences) {
		t.Errorf("found %v", found)
	}
}

// No sentence of a line has a value of one case where the parameter belongs.
func TestLinesNameTheirParameters(t *testing.T) {
	lines := Codes()["x-line-codes"].(map[string]map[string][]said)
	for at, want := range map[[2]string]string{
		{"data", "invalid"}:          "{codes}",
		{"selected", "not_selected"}: "{unmet}",
		{"write", "denied"}:          "{rights}",
		{"write", "allowed"}:         "{rights}",
		{"version", "known"}:         "{odoo}",
		{"vid", "missing"}:           "{vid_type}",
		{"selects", "no_vids"}:       "{vid_type}",
	} {
		for _, s := range lines[at[0]][at[1]] {
			if len(s.Params) > 0 && !strings.Contains(s.Text, want) {
				t.Errorf("%v lacks %s: %s", at, want, s.Text)
			}
		}
	}
	for _, name := range []string{"create", "remove"} { // a warning where the connector does not need the right
		if n := len(lines[name]["denied"]); n != 2 {
			t.Errorf("%s: %d results", name, n)
		}
	}
}
