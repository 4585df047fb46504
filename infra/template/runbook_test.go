package template_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

// runbook returns the entries of infra/runbook.md by the names in their
// headings, and what links can lead to.
func runbook(t *testing.T) (entries map[string]string, anchors []string, whole string) {
	t.Helper()
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, "infra/runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	whole = string(source)
	entries = map[string]string{}
	for section := range strings.SplitSeq(whole, "\n##") {
		heading, body, _ := strings.Cut(section, "\n")
		heading = strings.TrimSpace(strings.TrimLeft(heading, "#"))
		anchor := strings.ReplaceAll(strings.ToLower(heading), " ", "-")
		anchors = append(anchors, regexp.MustCompile(`[^\w-]`).ReplaceAllString(anchor, ""))
		for name := range strings.SplitSeq(heading, ", ") {
			entries[name] = body
		}
	}
	return entries, anchors, whole
}

func TestRunbookHasAnEntryForWhateverMayShow(t *testing.T) {
	entries, _, _ := runbook(t)
	names := load(t).all(t, "AWS::CloudWatch::Alarm")
	for _, source := range constants(t, "Source") {
		names = append(names, source)
	}
	for _, name := range names {
		body, there := entries[name]
		if !there {
			t.Errorf("there is no entry for %s", name)
			continue
		}
		for _, part := range []string{"- **Means:** ", "- **See:** ", "- **Do:** ", "- **Ends:** "} {
			if !strings.Contains(body, part) {
				t.Errorf("%s: nothing under %s", name, part)
			}
		}
	}
	// Whoever removes an alarm or a problem removes its entry.
	for name := range entries {
		if single := !strings.Contains(name, " "); single && strings.Contains(entries[name], "**Means:**") && !slices.Contains(names, name) {
			t.Errorf("nothing shows %s", name)
		}
	}
}

func TestRunbookLeadsSomewhere(t *testing.T) {
	_, anchors, whole := runbook(t)
	links := regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(whole, -1)
	if len(links) == 0 {
		t.Fatal("no links")
	}
	for _, link := range links {
		if !slices.Contains(anchors, link[1]) {
			t.Errorf("#%s is nowhere", link[1])
		}
	}
}
