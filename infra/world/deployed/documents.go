package deployed

import (
	"time"

	"openg2p.org/mts-connector/infra/world/invariants"
)

// The API's documents, as a client reads them: written here once more and not
// taken from shared/api, so that a member that is renamed there is noticed.

// ConnectorDocument is a connector without its configuration.
type ConnectorDocument struct {
	ID       string                     `json:"id"`
	Version  int                        `json:"version"`
	Status   string                     `json:"status"`
	Run      string                     `json:"run"`
	Width    int                        `json:"width"`
	UnderWay UnderWayDocument           `json:"under_way"`
	Problems map[string]ProblemDocument `json:"problems"`
}

// UnderWayDocument counts the batches at the MTS of a connector.
type UnderWayDocument struct {
	All int `json:"all"`
	Own int `json:"own"`
}

// ProblemDocument is a problem of a connector.
type ProblemDocument struct {
	Text   string    `json:"text"`
	Remedy string    `json:"remedy"`
	Since  time.Time `json:"since"`
}

// RunDocument is a run, open or completed.
type RunDocument struct {
	ID          string         `json:"id"`
	State       string         `json:"state"`
	Passes      int            `json:"passes"`
	Tally       TallyDocument  `json:"tally"`
	Totals      TotalsDocument `json:"totals"`
	OpenBatches int            `json:"open_batches"`

	RecordsPerSecond float64    `json:"records_per_second"` // 0 while it is not known
	ExpectedEnd      *time.Time `json:"expected_end"`       // nil while it is not known
}

// TallyDocument counts what a run decided without MTS.
type TallyDocument struct {
	Looked  int `json:"looked"`
	Invalid int `json:"invalid"`
	Removed int `json:"removed"`
}

// TotalsDocument counts what became of the records of a batch or a run.
type TotalsDocument struct {
	Sent      int `json:"sent"`
	Tokenised int `json:"tokenised"`
	Refused   int `json:"refused"`
	Duplicate int `json:"duplicate"`
	Conflict  int `json:"conflict"`
	NoToken   int `json:"no_token"`
	Pending   int `json:"pending"`
}

// Rejected is how many were rejected after they were sent.
func (t TotalsDocument) Rejected() int { return t.Refused + t.Duplicate + t.Conflict + t.NoToken }

// Outcome is what the run says became of its registrants.
func (r RunDocument) Outcome() invariants.Outcome {
	return invariants.Outcome{
		Sent: r.Totals.Sent, Pending: r.Totals.Pending, Tokenised: r.Totals.Tokenised, Refused: r.Totals.Refused,
		Duplicate: r.Totals.Duplicate, Conflict: r.Totals.Conflict, NoToken: r.Totals.NoToken,
		Invalid: r.Tally.Invalid, Removed: r.Tally.Removed,
	}
}

// BatchDocument is a batch of a run.
type BatchDocument struct {
	ID     string         `json:"id"`
	State  string         `json:"state"`
	Count  int            `json:"count"`
	Totals TotalsDocument `json:"totals"`
}

// RejectionDocument is a registrant that is rejected, or a submission.
type RejectionDocument struct {
	Submission string `json:"submission"`
	Identifier int64  `json:"identifier"`
	Registrant int64  `json:"registrant"`
	Kind       string `json:"kind"`
	Code       string `json:"code"`
	Reason     string `json:"reason"`
	Attempts   int    `json:"attempts"`
	Holder     int64  `json:"holder"`
}

// Configuration is what a user sends to create a connector with all defaults.
// The user admin signs in to the registry.
func Configuration(name, mtsURL, registryURL, database, password string) map[string]any {
	return map[string]any{
		"name": name, "mts_url": mtsURL,
		"registry": map[string]any{"url": registryURL, "database": database, "username": "admin", "password": password},
	}
}

// ODataURL is the OData address of a form of the first project of an ODK Central.
func ODataURL(centralURL, form string) string {
	return centralURL + "/v1/projects/1/forms/" + form + ".svc"
}

// ODKConfiguration is the same with submissions to a form of the first project of an
// ODK Central. The form has the fields of centralsim.Registration.
func ODKConfiguration(configuration map[string]any, centralURL, form, email, password string) map[string]any {
	configuration["input_type"] = "odk"
	configuration["odk"] = map[string]any{
		"base_url": centralURL, "odata_url": ODataURL(centralURL, form), "email": email, "password": password,
	}
	configuration["mapping"] = map[string]any{
		"vid": "vid", "name": []string{"person.name"}, "gender": "person.gender", "dob": "person.dob",
		"phoneNumber": "person.phone", "emailId": "person.email", "fullAddress": []string{"where.address"},
	}
	return configuration
}
