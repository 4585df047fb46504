package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// secretMembers are members of a configuration whose values nobody is shown.
var secretMembers = []string{"password", "auth_password", "auth_client_secret", "auth_token", "extra_headers"}

// text is what a plan prints for a value of its body.
func (p plan) text(here string) string {
	if here == "" {
		return ""
	}
	var value any = p.Body
	leaf := here
	for name := range strings.SplitSeq(here, ".") {
		object, isObject := value.(map[string]any)
		if !isObject || object[name] == nil {
			return ""
		}
		value, leaf = object[name], name
	}
	for _, secret := range secretMembers {
		if leaf == secret {
			return "(not shown)"
		}
	}
	if text, isText := value.(string); isText {
		if strings.HasSuffix(leaf, "url") {
			return withoutSecrets(text)
		}
		return text
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return strings.TrimSpace(text.String())
}

// withoutSecrets is an address without user, password and the values of its query, which
// may be keys.
func withoutSecrets(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "(an address that cannot be read)"
	}
	if parsed.User != nil {
		parsed.User = url.User("...")
	}
	if parsed.RawQuery != "" {
		var names []string
		for pair := range strings.SplitSeq(parsed.RawQuery, "&") {
			name, _, _ := strings.Cut(pair, "=")
			names = append(names, name+"=...")
		}
		parsed.RawQuery = strings.Join(names, "&")
	}
	return parsed.String()
}

// headline names a connector of Odoo.
func (p plan) headline() string {
	status := p.Status
	if status == "" {
		status = "no status"
	}
	return fmt.Sprintf("#%d %q (in Odoo: %s)", p.ID, p.Name, status)
}

// show prints a plan, and what the API says about it.
func (m move) show(out io.Writer) {
	fmt.Fprintf(out, "\n%s\n", m.headline())
	if m.Refused != "" {
		fmt.Fprintf(out, "  %s\n", m.Refused)
		return
	}
	for _, kind := range []stepKind{missing, changed, left, added, given, taken} {
		m.list(out, kind)
	}
	for _, e := range m.Wrong {
		fmt.Fprintf(out, "  the API refuses %s: %s\n", e.Pointer, oneLine(e.Detail))
	}
	for _, w := range m.Doubtful {
		fmt.Fprintf(out, "  the API warns of %s: %s\n", w.Pointer, oneLine(w.Detail))
	}
	if m.Existing != "" {
		fmt.Fprintf(out, "  it is here already: %s\n", m.Existing)
	}
}

// list prints the steps of a kind: what it is called here, its value, what it is called
// in Odoo, and why.
func (m move) list(out io.Writer, kind stepKind) {
	first := true
	for _, s := range m.Steps {
		if s.Kind != kind {
			continue
		}
		if first {
			fmt.Fprintf(out, "  %s\n", kind)
			first = false
		}
		line := s.Here
		if line == "" {
			line = s.There
		}
		if value := m.text(s.Here); value != "" && kind != left && kind != missing {
			line += " = " + value
		} else if kind == changed {
			line += " = (default)"
		}
		if s.Here != "" && s.There != "" && s.There != s.Here {
			line += " (" + s.There + ")"
		}
		if s.Why != "" {
			line += ": " + s.Why
		}
		fmt.Fprintf(out, "    %s\n", oneLine(line))
	}
}

// oneLine keeps a line a line, and a terminal as it is.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
