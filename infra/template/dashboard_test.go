package template_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

type widget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title, Region, Stat, View string
		Period                    int
		Metrics                   [][]any
		Alarms                    []string
	}
}

// graphs returns the metrics of a widget and the statistic shown of each. "."
// repeats the word in the row above, "..." all words that are left out.
func (w widget) graphs() (shown []measured, stats []string, err error) {
	var above []string
	for _, row := range w.Properties.Metrics {
		stat := w.Properties.Stat
		var words []string
		for _, cell := range row {
			switch cell := cell.(type) {
			case string:
				words = append(words, cell)
			case map[string]any:
				if own, ok := cell["stat"]; ok {
					stat = text(own)
				}
			default:
				return nil, nil, fmt.Errorf("%v is neither a word nor options", cell)
			}
		}
		if len(words) > 0 && words[0] == "..." {
			rest := words[1:]
			if len(rest) > len(above) {
				return nil, nil, fmt.Errorf("%v repeats nothing", row)
			}
			words = append(slices.Clone(above[:len(above)-len(rest)]), rest...)
		}
		for i, word := range words {
			if word == "." && i < len(above) {
				words[i] = above[i]
			}
		}
		if len(words) < 2 {
			return nil, nil, fmt.Errorf("%v names no metric", row)
		}
		above = words
		shown = append(shown, measured{words[0], words[1], words[2:]})
		stats = append(stats, stat)
	}
	return shown, stats, nil
}

// dashboardMistakes lists what the dashboard would show wrongly, or not at all.
func dashboardMistakes(s stack) (mistakes []string) {
	say := func(format string, args ...any) { mistakes = append(mistakes, fmt.Sprintf(format, args...)) }
	if got := s.get("Dashboard", "DashboardName"); got != "${AWS::StackName}" {
		say("it is named %s", got)
	}
	var board struct{ Widgets []widget }
	if err := json.Unmarshal([]byte(s.get("Dashboard", "DashboardBody")), &board); err != nil {
		return append(mistakes, err.Error())
	}
	seen, alarms, graphs := map[string]bool{}, map[string]bool{}, 0
	taken := map[[2]int]string{}
	for i, w := range board.Widgets {
		title := w.Properties.Title
		if title == "" {
			say("widget %d has no title", i)
		}
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x > 23 {
					say("%s overlaps %q or lies outside", title, other)
				}
				taken[[2]int{x, y}] = title
			}
		}
		for _, arn := range w.Properties.Alarms {
			if s.Resources[bare(arn)].Type != "AWS::CloudWatch::Alarm" || arn != "${"+bare(arn)+".Arn}" {
				say("%s shows %s", title, arn)
			}
			alarms[bare(arn)] = true
		}
		switch w.Type {
		case "alarm":
			continue
		case "metric":
		default:
			say("%s is a %s", title, w.Type)
		}
		if w.Properties.Region != "${AWS::Region}" {
			say("%s has the region %s", title, w.Properties.Region)
		}
		if w.Properties.View != "singleValue" && w.Properties.Period < 60 {
			say("%s has the period %d", title, w.Properties.Period)
		}
		shown, stats, err := w.graphs()
		graphs += len(shown)
		if err != nil || len(shown) == 0 {
			say("%s: %v", title, err)
		}
		for j, m := range shown {
			for _, mistake := range m.mistakes(s) {
				say("%s: %s", title, mistake)
			}
			if !slices.Contains(statistics[m.quantity()], stats[j]) {
				say("%s shows the %q of %s", title, stats[j], m.name)
			}
			key := m.namespace + " " + m.name
			seen[key] = true
			if m.namespace == "MTSConnector" && m.name == "Rejected" {
				seen[key+" "+m.dimensions[len(m.dimensions)-1]] = true
			}
			// Registrants first, then alarms and connectors, then functions.
			if w.Y < 9 && m.namespace != "MTSConnector" {
				say("%s shows %s above the registrants", title, m)
			}
		}
	}
	for key := range emitted {
		word := strings.Fields(key)
		if !seen[word[0]+" "+word[1]] {
			say("no widget shows %s %s", word[0], word[1])
		}
	}
	for _, kind := range s.kinds {
		if !seen["MTSConnector Rejected "+kind] {
			say("no widget shows registrants rejected as %s", kind)
		}
	}
	for name, r := range s.Resources {
		if r.Type == "AWS::CloudWatch::Alarm" && !alarms[name] {
			say("no widget shows the alarm %s", name)
		}
	}
	if graphs > 50 {
		say("it has %d metrics, and costs nothing with up to 50 only (facts/aws.md 7)", graphs)
	}
	if got := s.Resources["Dashboard"].Condition + text(s.Conditions["HasDashboard"]); got != `HasDashboard{"Fn::Equals":[{"Ref":"DashboardState"},"ENABLED"]}` || text(s.Parameters["DashboardState"]["Default"]) != "ENABLED" {
		say("it is there if %s", got)
	}
	slices.Sort(mistakes)
	return mistakes
}

func TestDashboard(t *testing.T) {
	for _, mistake := range dashboardMistakes(load(t)) {
		t.Error(mistake)
	}
}

func TestMistakesInDashboardsAreFound(t *testing.T) {
	for what, change := range map[string][2]string{
		"no JSON":                     {`]}`, `]`},
		"misspelt metric":             {`"Submitted"`, `"Submited"`},
		"unknown dimension":           {`"Kind","invalid"`, `"Kind","Invalid"`},
		"wrong dimension":             {`"QueueName"`, `"Queue"`},
		"unknown function":            {`"${Patch}"`, `"${PatchRole}"`},
		"sum of gauges":               {`"stat":"Maximum","period":60,"metrics":[["MTSConnector","OldestAnswerSeconds"`, `"stat":"Sum","period":60,"metrics":[["MTSConnector","OldestAnswerSeconds"`},
		"kind left out":               {`["...","conflict",{"label":"conflict"}],`, ``},
		"alarm left out":              {`"${BatchesLost.Arn}",`, ``},
		"one widget over another":     {`"x":6,"y":3`, `"x":5,"y":3`},
		"functions above registrants": {`"y":19,`, `"y":0,`},
		"another region":              {`"region":"${AWS::Region}"`, `"region":"us-east-1"`},
	} {
		s := copied(t, load(t))
		body := s.get("Dashboard", "DashboardBody")
		if !strings.Contains(body, change[0]) {
			t.Fatalf("%s: there is no %s", what, change[0])
		}
		s.Resources["Dashboard"].Properties["DashboardBody"] = strings.Replace(body, change[0], change[1], 1)
		if len(dashboardMistakes(s)) == 0 {
			t.Errorf("not found: %s", what)
		}
	}
}
