package local

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"openg2p.org/mts-connector/infra/template"
)

// Use is a right that a role used. The emulator evaluates the role's policies
// before every call that a function signs.
type Use struct {
	Role     string // name of its resource in the template: "SubmitRole"
	Action   string // "dynamodb:PutItem"; of a transaction, one for each of its items
	Resource string // its ARN
}

// UsedRights are the rights that were used until now, each once.
func (s *Stack) UsedRights() ([]Use, error) {
	text, err := os.ReadFile(s.emulator.notes)
	if err != nil {
		return nil, err
	}
	roles := map[string]string{}
	for logical, physical := range s.resources {
		roles[physical] = logical
	}
	var uses []Use
	for line := range strings.Lines(string(text)) {
		part := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(part) != 3 {
			return nil, fmt.Errorf("unreadable note of a used right: %q", line)
		}
		// arn:aws:sts::<account>:assumed-role/<role>/<session>, or :role/<role>
		_, role, _ := strings.Cut(part[0], "role/")
		role, _, _ = strings.Cut(role, "/")
		uses = append(uses, Use{roles[role], part[1], part[2]})
	}
	return uses, nil
}

// UnusedRights returns those of the given rights of the template that were not
// used until now.
func (s *Stack) UnusedRights(rights []template.Right) ([]template.Right, error) {
	uses, err := s.UsedRights()
	if err != nil {
		return nil, err
	}
	var unused []template.Right
	for _, right := range rights {
		pattern, used := s.arn(right.Resource), false
		for _, use := range uses {
			used = used || use.Role == right.Role && use.Action == right.Action && pattern.MatchString(use.Resource)
		}
		if !used {
			unused = append(unused, right)
		}
	}
	return unused, nil
}

var reference = regexp.MustCompile(`\$\{[\w:.]+\}|\*`)

// arn matches the ARNs of a resource that the template names: "${Table.Arn}",
// or an ARN with parts of the kind "${AWS::StackName}", "*" for anything.
func (s *Stack) arn(resource string) *regexp.Regexp {
	pattern := "^"
	for last := 0; ; {
		at := reference.FindStringIndex(resource[last:])
		if at == nil {
			return regexp.MustCompile(pattern + regexp.QuoteMeta(resource[last:]) + "$")
		}
		pattern += regexp.QuoteMeta(resource[last : last+at[0]])
		switch name := strings.Trim(resource[last+at[0]:last+at[1]], "${}"); name {
		case "*":
			pattern += ".*"
		case "AWS::StackName":
			pattern += regexp.QuoteMeta(s.name)
		case "AWS::Partition", "AWS::Region", "AWS::AccountId", "AWS::URLSuffix":
			pattern += "[^:/]*"
		default: // a resource: its ARN ends with its name; that of a secret has six random letters behind it
			name, _, _ = strings.Cut(name, ".")
			pattern += ".*[:/]" + regexp.QuoteMeta(s.resources[name]) + `(-\w{6})?`
		}
		last += at[1]
	}
}
