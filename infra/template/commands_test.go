package template_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

// awsCommands are the commands of AWS in a document, one in a line, those within
// others too.
func awsCommands(text string) (commands []string) {
	text = regexp.MustCompile(` *\\\n *`).ReplaceAllString(text, " ")
	inner := regexp.MustCompile(`\$\((aws [^()]*(?:\([^()]*\)[^()]*)*)\)`)
	for _, found := range inner.FindAllStringSubmatch(text, -1) {
		commands = append(commands, found[1])
	}
	text = inner.ReplaceAllString(text, "VALUE")
	for _, found := range regexp.MustCompile("(?m)(?:^ *|`)(aws [^`\n]*)").FindAllStringSubmatch(text, -1) {
		commands = append(commands, strings.ReplaceAll(found[1], `"VALUE"`, "VALUE"))
	}
	return commands
}

// A command that people type in need must exist.
func TestCommandsOfTheRunbookExist(t *testing.T) {
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	commands := append(awsCommands(document(t, "infra/runbook.md")), awsCommands(document(t, "README.md"))...)
	if len(commands) < 20 {
		t.Fatalf("found only %q", commands)
	}
	check := func(lines ...string) string {
		program, err := os.ReadFile("commands.py")
		if err != nil {
			t.Fatal(err)
		}
		python := exec.CommandContext(t.Context(), filepath.Join(root, ".cache/venv-ministack/bin/python"), "-c", string(program))
		python.Stdin = strings.NewReader(strings.Join(lines, "\n"))
		out, err := python.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if wrong := check(commands...); wrong != "" {
		t.Error(wrong)
	}
	for _, wrong := range []string{"aws dynamodb restore-table --table-name x", "aws dynamodb delete-table --table x", "aws dynamodb wait table-is-there --table-name x"} {
		if check(wrong) == "" {
			t.Errorf("not found: %s", wrong)
		}
	}
	outputs := regexp.MustCompile(`OutputKey=='(\w+)'`).FindAllStringSubmatch(document(t, "infra/runbook.md"), -1)
	if len(outputs) == 0 {
		t.Fatal("no outputs")
	}
	for _, output := range outputs {
		if !strings.Contains(document(t, "template.yaml"), "\n  "+output[1]+":\n    Description:") {
			t.Errorf("there is no output %s", output[1])
		}
	}
}

func TestRunbookHasAnEntryForEachTurnOfADeployment(t *testing.T) {
	entries, _, _ := runbook(t)
	for heading, command := range map[string]string{
		"Rolling back":               "sam deploy --stack-name $STACK",
		"Restoring a backup":         "go run ./infra/restore -from $STACK-restored -to $TABLE -replace",
		"Taking a deployment down":   "aws cloudformation delete-stack --stack-name $STACK",
		"Protecting tables and keys": "file://infra/stack-policy.json",
		"Rotating the keys":          "put-secret-value",
	} {
		if !strings.Contains(entries[heading], command) {
			t.Errorf("%q has no command %s", heading, command)
		}
	}
}

// An update must not replace or delete what holds data, or what makes them readable.
func TestTheStackPolicyProtectsWhatHoldsData(t *testing.T) {
	s := load(t)
	var policy struct {
		Statement []struct {
			Effect, Principal string
			Action, Resource  any
		}
	}
	if err := json.Unmarshal([]byte(document(t, "infra/stack-policy.json")), &policy); err != nil {
		t.Fatal(err)
	}
	var protected []string
	allowed := false
	for _, statement := range policy.Statement {
		actions, resources := texts(statement.Action), texts(statement.Resource)
		if statement.Principal != "*" {
			t.Errorf("a stack policy has no other principal than *: %s", statement.Principal)
		}
		switch statement.Effect {
		case "Allow": // else no update is allowed at all
			allowed = slices.Equal(actions, []string{"Update:*"}) && slices.Equal(resources, []string{"*"})
		case "Deny":
			if !slices.Equal(actions, []string{"Update:Replace", "Update:Delete"}) {
				t.Errorf("denied are %v", actions)
			}
			protected = append(protected, resources...)
		}
	}
	if !allowed {
		t.Error("the policy does not allow other updates")
	}
	for name, r := range s.Resources {
		// The secrets of the console come and go with its parameter.
		holds := r.Condition != "HasConsoleClient" && slices.Contains([]string{"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SecretsManager::Secret"}, r.Type)
		if is := slices.Contains(protected, "LogicalResourceId/"+name); is != holds {
			t.Errorf("%s is protected: %v", name, is)
		}
	}
	if len(protected) < 6 {
		t.Errorf("protected are %v", protected)
	}
}
