package odoo

import (
	"context"

	"openg2p.org/mts-connector/shared/seeding"
)

// schema is what must be known of a registry before identifiers can be read.
type schema struct {
	vid, token int64 // the identifier types
	hasStatus  bool  // lines after 15.0 mark identifiers valid or invalid
}

// loadSchema returns the schema. It asks the registry only if it is not known.
func (s *session) loadSchema(ctx context.Context) (schema, error) {
	s.mu.Lock()
	known := s.schema
	s.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	var found schema
	var err error
	if found.vid, found.token, err = s.types(ctx); err != nil {
		return schema{}, err
	}
	var fields map[string]any
	err = s.call(ctx, request{model: identifierModel, method: "fields_get",
		arg: []string{"status"}, kwargs: map[string]any{"attributes": []string{"type"}}}, &fields)
	if err != nil {
		return schema{}, err
	}
	if fields == nil {
		return schema{}, unanswered(false, "BadAnswer", nil)
	}
	_, found.hasStatus = fields["status"]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schema = &found
	return found, nil
}

// types finds the two identifier types by their names. Each name must be there
// exactly once; otherwise tokens could be written under a wrong type.
func (s *session) types(ctx context.Context) (vid, token int64, err error) {
	found, err := s.typesByName(ctx, []string{s.access.VIDType, s.access.TokenType}, 100)
	if err != nil {
		return 0, 0, err
	}
	vids, tokens := found[s.access.VIDType], found[s.access.TokenType]
	switch {
	case len(vids) != 1:
		return 0, 0, &seeding.Fault{Kind: seeding.RefusedTypes, Code: "vid_type", Field: s.access.VIDType}
	case len(tokens) != 1 || tokens[0] == vids[0]:
		return 0, 0, &seeding.Fault{Kind: seeding.RefusedTypes, Code: "token_type", Field: s.access.TokenType}
	}
	return vids[0], tokens[0], nil
}

// typesByName returns all identifier types of each name, which are at most so many.
func (s *session) typesByName(ctx context.Context, names []string, most int) (map[string][]int64, error) {
	type idType struct {
		ID   int64 `json:"id"`
		Name text  `json:"name"`
	}
	rows := rowsOf[idType](len(names), 2, most)
	err := s.searchRead(ctx, typeModel, []any{[]any{"name", "in", names}}, map[string]any{"fields": []string{"id", "name"}}, rows)
	if err != nil {
		return nil, err
	}
	found := map[string][]int64{}
	for _, row := range rows.list {
		found[string(row.Name)] = append(found[string(row.Name)], row.ID)
	}
	return found, nil
}

// forget makes the next call read the schema again.
func (s *session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schema, s.kinds = nil, nil
}

// searchRead reads the records that a domain selects into rows.
func (s *session) searchRead(ctx context.Context, model string, domain []any, options map[string]any, rows result) error {
	err := s.call(ctx, request{model: model, method: "search_read", arg: domain, kwargs: options}, rows)
	if err == nil && rows.missing() { // without any record Odoo sends an empty list
		err = unanswered(false, "BadAnswer", nil)
	}
	return err
}
