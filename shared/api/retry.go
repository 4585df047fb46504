package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"openg2p.org/mts-connector/shared/seeding"
)

// retryMost bounds how many identifiers one request may name.
const retryMost = 100

// retry makes rejections due now: those of the identifiers named, those of a
// kind, or, with {}, all of them. What was rejected for its data is rejected
// again if nothing changed.
func (a *api) retry(w http.ResponseWriter, r *http.Request) error {
	c, err := a.load(r)
	if err != nil {
		return err
	}
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	var f faults
	o := newObject(&f, "", body)
	kind := seeding.RejectionKind(o.text("kind", "", 20, kindOfRejection))
	identifiers, named := o.identifiers("identifiers")
	o.rest()
	if kind != "" && named {
		f.add("/identifiers", "cannot be given together with a kind")
	}
	if len(f) > 0 {
		return invalid(f)
	}
	if !named {
		if err := a.Store.TryAgain(r.Context(), c.ID, kind, a.Now().UTC()); err != nil {
			return err
		}
		reply(w, http.StatusAccepted, map[string]string{"retry": string(kind)})
		return nil
	}
	found, err := a.Store.TryAgainOf(r.Context(), c.RegistryKey(), c.ID, identifiers, a.Now().UTC())
	if err != nil {
		return err
	}
	reply(w, http.StatusAccepted, map[string]int{"identifiers": found})
	return nil
}

func kindOfRejection(text string) string {
	if slices.Contains(seeding.RejectionKinds, seeding.RejectionKind(text)) {
		return ""
	}
	return fmt.Sprintf("must be one of %v", seeding.RejectionKinds)
}

// identifiers reads a list of ids.
func (o *object) identifiers(name string) (ids []int64, given bool) {
	v, given := o.take(name)
	if !given {
		return nil, false
	}
	list, is := v.([]any)
	if !is || len(list) == 0 || len(list) > retryMost {
		o.faults.add(o.at(name), fmt.Sprintf("must be a list of 1 to %d identifiers", retryMost))
		return nil, true
	}
	for i, entry := range list {
		number, is := entry.(json.Number)
		id, err := number.Int64()
		if !is || err != nil || id < 1 {
			o.faults.add(fmt.Sprintf("%s/%d", o.at(name), i), "must be the number of an identifier")
			continue
		}
		ids = append(ids, id)
	}
	return ids, true
}
