package template_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

// runbook returns the entries of infra/runbook.md by the names in their
// headings, the anchors of all headings, and the whole text.
func runbook(t *testing.T) (entries map[string]string, anchors []string, whole string) {
	t.Helper()
	whole = document(t, "infra/runbook.md")
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

// document returns the text of a file of the repository.
func document(t *testing.T, name string) string {
	t.Helper()
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

func TestRunbookHasAnEntryForEachAlarmAndProblem(t *testing.T) {
	entries, _, _ := runbook(t)
	names := load(t).all(t, "AWS::CloudWatch::Alarm")
	for _, source := range constants(t, "Source") {
		names = append(names, source)
	}
	for _, name := range names {
		body, ok := entries[name]
		if !ok {
			t.Errorf("there is no entry for %s", name)
			continue
		}
		for _, part := range []string{"- **Means:** ", "- **See:** ", "- **Do:** ", "- **Ends:** "} {
			if !strings.Contains(body, part) {
				t.Errorf("%s has no %s", name, part)
			}
		}
	}
	// An entry goes with its alarm or problem.
	for name := range entries {
		if single := !strings.Contains(name, " "); single && strings.Contains(entries[name], "**Means:**") && !slices.Contains(names, name) {
			t.Errorf("%s is neither an alarm nor a problem", name)
		}
	}
}

func TestLinksInTheRunbook(t *testing.T) {
	_, anchors, whole := runbook(t)
	links := regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(whole, -1)
	if len(links) == 0 {
		t.Fatal("no links")
	}
	for _, link := range links {
		if !slices.Contains(anchors, link[1]) {
			t.Errorf("no heading has the anchor #%s", link[1])
		}
	}
}

// The runbook quotes log messages, by which people search.
func TestLogMessagesInTheRunbook(t *testing.T) {
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	_, _, whole := runbook(t)
	quoted := regexp.MustCompile(`(?:msg = |\()"([^"]+)"`).FindAllStringSubmatch(whole, -1)
	if len(quoted) == 0 {
		t.Fatal("no log messages")
	}
	var source strings.Builder
	err = filepath.WalkDir(filepath.Join(root, "shared"), func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		source.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range quoted {
		if !strings.Contains(source.String(), strconv.Quote(message[1])) {
			t.Errorf("nothing logs %q", message[1])
		}
	}
}
