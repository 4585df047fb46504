package connectors

import (
	"encoding/json"
	"errors"
	"net/http"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
)

// draftBody is a configuration that is not to be saved: of a new connector, or of one
// that exists.
type draftBody struct {
	Connector     string          `json:"connector"`
	Configuration json.RawMessage `json:"configuration"`
}

// before is the connector that a draft is of, nil for a new one.
func (s *service) before(r *http.Request, id string) (*seeding.Connector, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // a new one replaces none
	}
	c, err := s.Store.Connector(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

type validationDocument struct {
	Errors   api.FieldErrors   `json:"errors"`
	Warnings []warningDocument `json:"warnings"`
}

// validate checks a configuration as saving it would, and saves nothing.
func (s *service) validate(w http.ResponseWriter, r *http.Request) error {
	var body draftBody
	wrong, err := openapi.Read(w, r, &body)
	if err == nil {
		err = wrong.Err()
	}
	if err != nil {
		return err
	}
	before, err := s.before(r, body.Connector)
	if err != nil {
		return err
	}
	d, err := s.draftOf(body.Configuration, before)
	if err != nil {
		return err
	}
	if before != nil && !d.wrong.Touch("/registry") && !d.wrong.Touch("/callback") && !d.wrong.Touch("/odk") && !d.wrong.Touch("/input_type") {
		err := s.checkOpenBatches(r.Context(), *before, d.connector)
		if errors.Is(err, seeding.ErrOpenBatches) {
			place, belong := "/registry", "the registry"
			switch {
			case before.RegistryKey() != d.connector.RegistryKey():
			case before.FromODK() != d.connector.FromODK():
				place, belong = "/input_type", "the form"
			case before.FormKey() != d.connector.FormKey():
				place, belong = "/odk/odata_url", "the form"
			default:
				place, belong = "/callback/url", "the callback"
			}
			d.wrong.Add(place, api.Flaw{Code: "open_batches",
				Detail: "cannot be another one now: batches are under way, and their answers belong to " + belong + " as it is. Stop the connector, and wait until none is open"})
		} else if err != nil {
			return err
		}
	}
	api.Reply(w, http.StatusOK, validationDocument{list(d.wrong.Shown()), list(d.doubtful)})
	return nil
}
