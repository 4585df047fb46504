package template_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"openg2p.org/mts-connector/infra/template"
)

// block is a part of template.yaml under one banner.
type block struct {
	title     string
	resources []string // in the order of the file
}

// order is the order of the kinds of resources in a function's block.
var order = []string{
	"AWS::Lambda::Function",
	"AWS::IAM::Role",
	"AWS::Logs::LogGroup",
	"AWS::Lambda::Permission",
	"AWS::ApiGatewayV2::Integration",
	"AWS::ApiGatewayV2::Route",
	"AWS::Scheduler::Schedule",
	"AWS::Lambda::EventSourceMapping",
	"AWS::Lambda::EventInvokeConfig",
	"AWS::CloudWatch::Alarm on Errors",
	"AWS::CloudWatch::Alarm on Duration",
	"AWS::CloudWatch::Alarm", // on a metric of our own that this function emits
}

// kind is what order knows a resource by.
func (s stack) kind(name string) string {
	r := s.Resources[name]
	if r.Type == "AWS::CloudWatch::Alarm" && text(r.Properties["Namespace"]) == "AWS/Lambda" {
		return r.Type + " on " + text(r.Properties["MetricName"])
	}
	return r.Type
}

// owner is the function that a resource belongs to, "" if it belongs to none or
// to several.
func (s stack) owner(name string) string {
	r := s.Resources[name]
	p := r.Properties
	switch r.Type {
	case "AWS::Lambda::Function":
		return name
	case "AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig":
		return bare(text(p["FunctionName"]))
	case "AWS::ApiGatewayV2::Integration":
		return bare(text(p["IntegrationUri"]))
	case "AWS::ApiGatewayV2::Route":
		return s.owner(bare(strings.TrimPrefix(text(p["Target"]), "integrations/")))
	case "AWS::Scheduler::Schedule":
		return bare(text(at(p, "Target", "Arn")))
	case "AWS::CloudWatch::Alarm":
		for _, d := range list(p["Dimensions"]) {
			if text(at(d, "Name")) == "FunctionName" {
				return bare(text(at(d, "Value")))
			}
		}
	case "AWS::IAM::Role", "AWS::Logs::LogGroup":
		for function, f := range s.Resources {
			if f.Type == "AWS::Lambda::Function" &&
				(bare(text(f.Properties["Role"])) == name || bare(text(at(f.Properties, "LoggingConfig", "LogGroup"))) == name) {
				return function
			}
		}
	}
	return ""
}

// orderMistakes compares the blocks with the one order of a function's block.
func orderMistakes(s stack, blocks []block) (mistakes []string) {
	say := func(format string, args ...any) { mistakes = append(mistakes, fmt.Sprintf(format, args...)) }
	functions := map[string]string{} // by the title of their block
	for name, r := range s.Resources {
		if r.Type == "AWS::Lambda::Function" {
			functions[short(name)] = name
		}
	}
	titles := map[string]bool{}
	for _, b := range blocks {
		if titles[b.title] {
			say("two blocks have the title %s", b.title)
		}
		titles[b.title] = true
		function := functions[b.title]
		before := 0
		for _, name := range b.resources {
			owner := s.owner(name)
			if function == "" { // a block of what functions share
				if owner != "" {
					say("%s belongs to %s and is under %q", name, owner, b.title)
				}
				if text(s.Resources[name].Properties["Namespace"]) == "MTSConnector" {
					say("%s is not in the block of the function that emits its metric", name)
				}
				continue
			}
			place := slices.Index(order, s.kind(name))
			switch {
			case owner != function && (owner != "" || s.kind(name) != "AWS::CloudWatch::Alarm"):
				say("%s does not belong to %s", name, function)
			case place < 0:
				say("%s: a %s has no place in the block of a function", name, s.kind(name))
			case place < before:
				say("%s is below a %s", name, order[before])
			}
			before = max(before, place)
		}
	}
	for title := range functions {
		if !titles[title] {
			say("there is no block with the title %s", title)
		}
	}
	return mistakes
}

// blocks returns the resources of template.yaml by banner, in their order.
func blocks(t *testing.T) []block {
	t.Helper()
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Resources yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(source, &document); err != nil {
		t.Fatal(err)
	}
	names := map[int]string{} // by line
	for i := 0; i < len(document.Resources.Content); i += 2 {
		names[document.Resources.Content[i].Line] = document.Resources.Content[i].Value
	}
	banner := regexp.MustCompile(`^  # -{64} (\S.*)$`)
	var all []block
	for i, line := range strings.Split(string(source), "\n") {
		switch title := banner.FindStringSubmatch(line); {
		case title != nil:
			all = append(all, block{title: title[1]})
		case strings.Contains(line, "# --"):
			t.Errorf("line %d is not a banner like the others", i+1)
		case names[i+1] != "":
			if len(all) == 0 {
				t.Fatalf("%s is above the first banner", names[i+1])
			}
			last := &all[len(all)-1]
			last.resources = append(last.resources, names[i+1])
		}
	}
	return all
}

func TestEachFunctionHasABlockInTheOneOrder(t *testing.T) {
	s, all := load(t), blocks(t)
	var names []string
	for _, b := range all {
		names = append(names, b.resources...)
	}
	slices.Sort(names)
	if want := slices.Sorted(maps.Keys(s.Resources)); !slices.Equal(names, want) {
		t.Errorf("the blocks hold %v, the template %v", names, want)
	}
	for _, mistake := range orderMistakes(s, all) {
		t.Error(mistake)
	}
}

func TestBlocksOutOfOrderAreFound(t *testing.T) {
	s := load(t)
	for what, mutate := range map[string]func(all []block) []block{
		"function without a block": func(all []block) []block {
			return slices.DeleteFunc(all, func(b block) bool { return b.title == "patch" })
		},
		"two blocks of one function": func(all []block) []block { return append(all, block{title: "patch"}) },
		"log group above the role": func(all []block) []block {
			return moved(all, "SubmitRole", "submit", 2)
		},
		"alarm above the event source": func(all []block) []block { return moved(all, "PatchFailing", "patch", 3) },
		"alarms in another order":      func(all []block) []block { return moved(all, "SubmitFailing", "submit", 2) },
		"own metric above Lambda's":    func(all []block) []block { return moved(all, "AnswersSetAside", "patch", 4) },
		"route in another block":       func(all []block) []block { return moved(all, "CallbackRoute", "HTTP API", 1) },
		"alarm of another function":    func(all []block) []block { return moved(all, "SubmitFailing", "callback", 6) },
		"own metric beside no function": func(all []block) []block {
			return moved(all, "BatchesLost", "dashboard", 0)
		},
		"table in the block of a function": func(all []block) []block { return moved(all, "AnswersTable", "patch", 2) },
	} {
		if len(orderMistakes(s, mutate(blocks(t)))) == 0 {
			t.Errorf("not found: %s", what)
		}
	}
}

// moved returns the blocks with one resource at another place.
func moved(all []block, resource, title string, place int) []block {
	for i := range all {
		all[i].resources = slices.DeleteFunc(all[i].resources, func(name string) bool { return name == resource })
	}
	for i := range all {
		if all[i].title == title {
			all[i].resources = slices.Insert(all[i].resources, place, resource)
		}
	}
	return all
}
