package connectors

import (
	"cmp"
	"net/http"
	"slices"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
)

// retryBody says which rejections are meant; with nothing, all of them.
type retryBody struct {
	Kind        seeding.RejectionKind `json:"kind"`
	Identifiers []int64               `json:"identifiers"`
}

// retry makes rejections due now: those of the given identifiers, those of a
// kind, or, with {}, all of them. Who was rejected for its data is rejected
// again if they did not change.
func (s *service) retry(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	var body retryBody
	wrong, err := openapi.Read(w, r, &body)
	if err != nil {
		return err
	}
	if body.Kind != "" && body.Identifiers != nil {
		wrong.Add("/identifiers", api.Flaw{Code: "together", Params: api.Params{"with": "kind"}, Detail: "cannot be given together with a kind"})
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	if body.Identifiers == nil {
		change := s.change(r, seeding.ChangeRetry, c)
		change.Again.Kind = body.Kind
		err := s.Store.Retry(r.Context(), c.ID, change.Again, s.Now().UTC(), change)
		s.changed(r, "retry", c, err, "rejections", cmp.Or(string(body.Kind), "all"))
		if err != nil {
			return err
		}
		api.Reply(w, http.StatusAccepted, map[string]string{"retry": string(body.Kind)})
		return nil
	}
	var list []seeding.Rejection
	for _, identifier := range slices.Compact(slices.Sorted(slices.Values(body.Identifiers))) {
		list = append(list, seeding.Rejection{Registry: c.RegistryKey(), Connector: c.ID, Subject: seeding.Member{Identifier: identifier}.Subject()})
	}
	found, err := s.Store.RetryRejections(r.Context(), list, s.Now().UTC(), s.change(r, seeding.ChangeRetry, c))
	s.changed(r, "retry", c, err, "rejections", "some", "count", found)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusAccepted, map[string]int{"identifiers": found})
	return nil
}
