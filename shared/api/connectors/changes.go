package connectors

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// changeDocument is a change of a connector by a person.
type changeDocument struct {
	At      time.Time           `json:"at"`
	Change  seeding.ChangeKind  `json:"change"`
	Version int                 `json:"version"` // of the configuration after it
	By      personDocument      `json:"by"`
	Fields  []fieldDocument     `json:"fields,omitempty"`     // of a create: the hosts; of a replace: all that differ
	Again   *askedAgainDocument `json:"rejections,omitempty"` // of a retry
	Run     string              `json:"run,omitempty"`        // of an import, or that was cancelled
}

type personDocument struct {
	Subject string `json:"subject,omitempty"`
	Claim   string `json:"claim,omitempty"` // of the token that holds the subject
	Name    string `json:"name,omitempty"`
}

type fieldDocument struct {
	Name   string          `json:"name"`             // "registry.url"
	Before json.RawMessage `json:"before,omitempty"` // only of numbers, switches and words of a list; of an address its origin
	After  json.RawMessage `json:"after,omitempty"`
}

type askedAgainDocument struct {
	Kind  seeding.RejectionKind `json:"kind,omitempty"`
	Code  string                `json:"code,omitempty"`
	Count int                   `json:"count,omitempty"` // of some; absent: all, or all of the kind and code
}

func newChangeDocument(c seeding.Change) changeDocument {
	document := changeDocument{At: c.At, Change: c.Kind, Version: c.Version, By: personDocument(c.By), Run: c.Run}
	for _, f := range c.Fields {
		document.Fields = append(document.Fields, fieldDocument{f.Name, json.RawMessage(f.Before), json.RawMessage(f.After)})
	}
	if c.Kind == seeding.ChangeRetry {
		document.Again = &askedAgainDocument{c.Again.Kind, c.Again.Code, c.Count}
	}
	return document
}

// listChanges replies with a page of the changes of a connector, newest first, also
// of one that was deleted.
func (s *service) listChanges(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if !connectorID.MatchString(id) {
		return seeding.ErrNotFound
	}
	page, err := api.ReadPage(r, "changes of "+id, 100)
	if err != nil {
		return err
	}
	found, next, err := s.Store.ListChanges(r.Context(), id, page.Mark, page.Limit)
	if err != nil {
		return err
	}
	if len(found) == 0 && page.Mark == "" { // of a version that kept none, or there never was one
		if _, err := s.Store.State(r.Context(), id); errors.Is(err, seeding.ErrNotFound) {
			return err
		}
	}
	list := []changeDocument{}
	for _, c := range found {
		list = append(list, newChangeDocument(c))
	}
	api.Reply(w, http.StatusOK, struct {
		Changes []changeDocument `json:"changes"`
		Next    string           `json:"next,omitempty"`
	}{list, page.Cursor(next)})
	return nil
}
