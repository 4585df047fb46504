package connectors

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// retryMost bounds how many identifiers one request may name.
const retryMost = 100

// retry makes rejections due now: those of the given identifiers, those of a
// kind, or, with {}, all of them. Who was rejected for its data is rejected
// again if they did not change.
func (s *service) retry(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	body, err := api.ReadJSON(w, r)
	if err != nil {
		return err
	}
	var wrong api.FieldErrors
	o := api.NewObject(&wrong, "", body)
	kind := seeding.RejectionKind(o.Text("kind", "", 20, kindOfRejection))
	identifiers, named := readIdentifiers(o, "identifiers")
	o.Rest()
	if kind != "" && named {
		o.Add("identifiers", "cannot be given together with a kind")
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	if !named {
		err := s.Store.Retry(r.Context(), c.ID, kind, s.Now().UTC())
		s.changed(r, "retry", c, err, "rejections", cmp.Or(string(kind), "all"))
		if err != nil {
			return err
		}
		api.Reply(w, http.StatusAccepted, map[string]string{"retry": string(kind)})
		return nil
	}
	found, err := s.Store.RetryIdentifiers(r.Context(), c.RegistryKey(), c.ID, identifiers, s.Now().UTC())
	s.changed(r, "retry", c, err, "rejections", "some", "count", found)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusAccepted, map[string]int{"identifiers": found})
	return nil
}

// kindOfRejection is an api.Check.
func kindOfRejection(text string) string {
	if slices.Contains(seeding.RejectionKinds, seeding.RejectionKind(text)) {
		return ""
	}
	var kinds []string
	for _, kind := range seeding.RejectionKinds {
		kinds = append(kinds, string(kind))
	}
	return "must be one of " + strings.Join(kinds, ", ")
}

// readIdentifiers reads a list of ids of identifiers.
func readIdentifiers(o *api.Object, name string) (ids []int64, given bool) {
	v, given := o.Take(name)
	if !given {
		return nil, false
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 || len(list) > retryMost {
		o.Add(name, fmt.Sprintf("must be a list of 1 to %d identifiers", retryMost))
		return nil, true
	}
	for i, entry := range list {
		number, ok := entry.(json.Number)
		id, err := number.Int64()
		if !ok || err != nil || id < 1 {
			o.AddEntry(name, i, "must be the number of an identifier")
			continue
		}
		ids = append(ids, id)
	}
	return ids, true
}
