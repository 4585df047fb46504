package connectors

import (
	"net/http"

	"openg2p.org/mts-connector/shared/api"
)

// Deployment is what people may know about it. All of it may be empty.
type Deployment struct {
	Stack, Region, Issuer string
	Dashboard, Runbook    string // addresses of pages
}

type meDocument struct {
	Name  string   `json:"name"`            // as the token has it; else the id
	Claim string   `json:"claim,omitempty"` // that says who it is
	Roles []string `json:"roles"`           // from the lowest up
	// May are the operations of the document, by operationId.
	May        []string           `json:"may"`
	Deployment deploymentDocument `json:"deployment"`
	Links      linksDocument      `json:"links"`
}

type deploymentDocument struct {
	Stack  string `json:"stack,omitempty"`
	Region string `json:"region,omitempty"`
	Issuer string `json:"issuer,omitempty"`
	// Version is that of the document. Which build is deployed is not known here: zips of
	// one commit are the same wherever they are made, and hold no number of it.
	Version string `json:"api_version"`
}

type linksDocument struct {
	Document  string `json:"document"`
	Dashboard string `json:"dashboard,omitempty"`
	Runbook   string `json:"runbook,omitempty"`
}

// me says who makes the request and what they may do.
func (s *service) me(w http.ResponseWriter, r *http.Request) error {
	caller := s.Caller(r)
	operations, version, err := Document().Operations()
	if err != nil {
		return err
	}
	d := meDocument{
		Name: caller.Shown, Claim: caller.Claim, Roles: []string{}, May: []string{},
		Deployment: deploymentDocument{s.Deployment.Stack, s.Deployment.Region, s.Deployment.Issuer, version},
		Links:      linksDocument{"/openapi.json", s.Deployment.Dashboard, s.Deployment.Runbook},
	}
	if d.Name == "" {
		d.Name = caller.Name
	}
	for role := Viewer; role <= caller.Role; role++ {
		d.Roles = append(d.Roles, role.String())
	}
	for _, o := range operations {
		if o.Role == "" || s.needs(r, roleNamed(o.Role)) == nil {
			d.May = append(d.May, o.ID)
		}
	}
	api.Reply(w, http.StatusOK, d)
	return nil
}
