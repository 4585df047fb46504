package connectors_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The README lists every member that can be left out, with its default.
func TestReadmeHasEveryDefault(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "### What can be left out\n")
	table, _, _ = strings.Cut(table, "\n### ")
	written := map[string]string{} // by member: the beginning of the second column
	name := regexp.MustCompile("`([a-z_.]+)`")
	for line := range strings.Lines(table) {
		columns := strings.SplitN(strings.Trim(line, "| \n"), " | ", 2)
		if len(columns) < 2 {
			continue
		}
		for _, member := range name.FindAllStringSubmatch(columns[0], -1) {
			written[member[1]] = columns[1]
		}
	}

	s := newService(t)
	document := s.want(201, "POST", "/connectors", with()).body
	members := []string{"job_type", "language", "interval_minutes", "batch_maximum", "width_maximum", "remove_vids", "token_shape", "output_format", "fields", "mapping",
		"mandatory_fields", "domain", "registry.vid_type", "registry.token_type", "registry.read_one_by_one", "callback.timeout_seconds",
		"callback.url", "callback.http_method", "callback.in_bulk", "callback.auth_type"}
	for _, member := range members {
		var value any = document
		for part := range strings.SplitSeq(member, ".") {
			object, _ := value.(map[string]any)
			value = object[part]
		}
		if !says(written[member], value) && member != "domain" || written[member] == "" {
			t.Errorf("%s: %q, is %v", member, written[member], value)
		}
	}
	optional := []string{"daily_at", "time_zone", "starts", "ends"} // none is shown unless it was given
	for _, member := range optional {
		if !strings.HasPrefix(written[member], "none") {
			t.Errorf("%s: %q, is none", member, written[member])
		}
	}
	for member := range written {
		if !slices.Contains(members, member) && !slices.Contains(optional, member) {
			t.Errorf("%s is no member that can be left out", member)
		}
	}
}

// The defaults of the README's table of fields are those that the API gives.
func TestReadmeHasTheDefaultsOfFields(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "<!-- fields:")
	table, _, _ = strings.Cut(table, "<!-- end of fields -->")
	rows := regexp.MustCompile("(?m)^\\| \\d+ \\| [^|]+ \\| [^|]+ \\| `([^`]+)` \\| (?:`([^|]+)`|(none[^|]*)) \\|").FindAllStringSubmatch(table, -1)
	if len(rows) != 23 {
		t.Errorf("the table has %d fields", len(rows))
	}
	s := newService(t)
	document := s.want(201, "POST", "/connectors", with()).body
	for _, row := range rows {
		member, shown, none := row[1], row[2], row[3]
		var value any = document
		for part := range strings.SplitSeq(member, ".") {
			object, _ := value.(map[string]any)
			value = object[part]
		}
		switch none {
		case "none: it must be given":
			s.want(422, "POST", "/connectors", with(member, nil))
		case "none":
			if value != nil {
				t.Errorf("%s is %v, in the README none", member, value)
			}
		default:
			var want any = shown
			if member != "domain" { // whose value is a text, which holds JSON
				if err := json.Unmarshal([]byte(shown), &want); err != nil {
					t.Errorf("%s: %s: %v", member, shown, err)
				}
			}
			if fmt.Sprint(value) != fmt.Sprint(want) {
				t.Errorf("%s is %v, in the README %v", member, value, want)
			}
		}
	}
}

// says reports whether a text names a value: a number with commas at its
// beginning, or a text, JSON or not, in backquotes.
func says(text string, value any) bool {
	if plain, _, _ := strings.Cut(text, ";"); strings.ReplaceAll(plain, ",", "") == fmt.Sprint(value) {
		return true
	}
	for i, part := range strings.Split(text, "`") {
		if i%2 == 0 {
			continue
		}
		var read any
		if json.Unmarshal([]byte(part), &read) != nil {
			read = part
		}
		if fmt.Sprint(read) == fmt.Sprint(value) {
			return true
		}
	}
	return false
}

// What the runbook tells people to correct in a connector is a member of it.
func TestRunbookNamesMembersOfAConnector(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "infra/runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	document := newService(t).want(201, "POST", "/connectors", with()).body
	places := regexp.MustCompile("((?:`[a-z_.]+`(?:, | and | or )?)+) of the connector").FindAllStringSubmatch(string(text), -1)
	for _, place := range places {
		for _, member := range regexp.MustCompile("`([a-z_.]+)`").FindAllStringSubmatch(place[1], -1) {
			outer, name, nested := strings.Cut(member[1], ".")
			object := document
			if nested {
				object, _ = document[outer].(map[string]any)
			} else {
				name = outer
			}
			registry, _ := document["registry"].(map[string]any) // its types go without the prefix
			if object[name] == nil && registry[name] == nil {
				t.Errorf("a connector has no member %s", member[1])
			}
		}
	}
	if len(places) < 3 {
		t.Errorf("only %d places were found", len(places))
	}
}
