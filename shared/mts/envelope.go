package mts

import "openg2p.org/mts-connector/shared/seeding"

// envelope of POST authtoken/json (facts/mts.md 1.1). The mapping is left out:
// records carry MTS's own names already.
type envelope struct {
	ID          string  `json:"id"`
	Version     string  `json:"version"`
	Metadata    string  `json:"metadata"` // a text, not an object
	RequestTime string  `json:"requesttime"`
	Request     request `json:"request"`
}

type request struct {
	Output       string             `json:"output"`
	DeliveryType string             `json:"deliverytype"`
	Language     string             `json:"lang,omitempty"`
	OutputFormat string             `json:"outputFormat,omitempty"`
	Callback     callbackProperties `json:"callbackProperties"`
	Records      []record           `json:"authdata"`
}

type callbackProperties struct {
	URL            string       `json:"url"`
	Method         string       `json:"httpMethod"`
	TimeoutSeconds int          `json:"timeoutSeconds,omitempty"` // MTS's default is 10; 0 would kill the delivery
	InBulk         bool         `json:"callInBulk"`
	AuthType       string       `json:"authType"`
	StaticBearer   staticBearer `json:"authStaticBearer"`
}

type staticBearer struct {
	Token string `json:"token"`
}

// record holds texts only: one number or boolean makes MTS fail the whole batch
// (facts/mts.md W12), and numbers lose digits in its jq (facts/mts.md W13).
type record struct {
	VID         string `json:"vid,omitempty"`
	Name        string `json:"name,omitempty"`
	Gender      string `json:"gender,omitempty"`
	DOB         string `json:"dob,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
	EmailID     string `json:"emailId,omitempty"`
	FullAddress string `json:"fullAddress,omitempty"`
	Key         string `json:"key"`
}

// requestTime is MTS's own: a fraction is mandatory and the zone is Z
// (facts/mts.md 2.1).
const requestTime = "2006-01-02T15:04:05.000Z"

func (c *Client) envelope(s seeding.Request) envelope {
	records := make([]record, len(s.Records))
	for i, r := range s.Records {
		records[i] = record(r)
	}
	return envelope{
		ID:          "mosip.token.seeder",
		Version:     "1.0",
		RequestTime: c.now().UTC().Format(requestTime),
		Request: request{
			Output:       "json",
			DeliveryType: "callback",
			Language:     s.Language,
			OutputFormat: s.OutputFormat,
			Callback: callbackProperties{
				URL:            s.CallbackURL,
				Method:         "POST",
				TimeoutSeconds: max(0, s.TimeoutSeconds),
				InBulk:         true,
				AuthType:       "staticBearer",
				StaticBearer:   staticBearer{Token: s.Bearer},
			},
			Records: records,
		},
	}
}
