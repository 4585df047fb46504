package connectors

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
)

// Role is what somebody may do. Each may do what those before it may.
type Role int

// The zero Role may see who it is, and nothing else.
const (
	NoRole Role = iota
	Viewer
	Operator
	Administrator
)

// roleNames are those of x-role in the document. "any" is whoever has a token.
var roleNames = []string{"any", "viewer", "operator", "administrator"}

func (r Role) String() string {
	if r > Administrator {
		return "unknown"
	}
	return roleNames[r]
}

// roleNamed is a role of the document. One that is not known is one that nobody has.
func roleNamed(name string) Role {
	if i := slices.Index(roleNames, name); i >= 0 {
		return Role(i)
	}
	return Administrator + 1
}

// RoleNames are what an issuer calls the roles.
type RoleNames struct{ Viewer, Operator, Administrator string }

// Of is the highest role among names from a token.
func (n RoleNames) Of(names []string) Role {
	for role := Administrator; role > NoRole; role-- {
		if name := n.name(role); name != "" && slices.Contains(names, name) {
			return role
		}
	}
	return NoRole
}

func (n RoleNames) name(r Role) string {
	switch r {
	case Viewer:
		return n.Viewer
	case Operator:
		return n.Operator
	case Administrator:
		return n.Administrator
	}
	return ""
}

// Types of problems about who makes a request.
var (
	otherToken = api.ProblemType{Name: "token", Status: http.StatusUnauthorized, Title: "An access token is needed"}
	otherRole  = api.ProblemType{Name: "role", Status: http.StatusForbidden, Title: "Another role is needed"}
)

// guarded is the document with what it says about roles.
type guarded struct {
	*openapi.Document
	s *service
}

// Check refuses who may not make a request before anything else of it is looked at.
func (g guarded) Check(r *http.Request, path string) (*http.Request, error) {
	name, err := g.Role(path, r.Method)
	if err != nil {
		return nil, err
	}
	if name != "" {
		if err := g.s.needs(r, roleNamed(name)); err != nil {
			return nil, err
		}
	}
	return g.Document.Check(r, path)
}

// needs is nil if whoever makes a request has a role, or a higher one. It is for what
// only a part of an operation's requests needs; what all need is x-role of the
// document.
func (s *service) needs(r *http.Request, needed Role) error {
	caller := s.Caller(r)
	switch {
	case caller.Misused:
		return api.NewProblem(otherToken, "This is no access token: an ID token or a refresh token is for other programs. Send the access token that the issuer gave together with it.")
	case caller.Role >= needed:
		return nil
	}
	problem := api.NewProblem(otherRole, fmt.Sprintf("Needs the role %s%s. Yours is %s.", needed, s.calledByTheIssuer(needed), caller.Role))
	problem.Params = api.Params{"needs": needed.String(), "has": caller.Role.String()}
	if caller.Role == NoRole {
		problem.Detail = fmt.Sprintf("Needs the role %s%s. You have none.", needed, s.calledByTheIssuer(needed))
		problem.Params["has"] = nil
	}
	return problem
}

// calledByTheIssuer is the name of a role in tokens if that is another one, so that
// people know what to ask for.
func (s *service) calledByTheIssuer(r Role) string {
	if name := s.RoleNames.name(r); name != "" && !strings.EqualFold(name, r.String()) {
		return fmt.Sprintf(", which the issuer calls %q", name)
	}
	return ""
}
