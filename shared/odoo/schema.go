package odoo

import (
	"context"
	"slices"

	"openg2p.org/mts-connector/shared/seeding"
)

// schema is what must be known of a registry before identifiers can be read.
type schema struct {
	vid, token int64 // the identifier types
	submission int64 // 0 of a connector without ODK
	later      bool  // it has laterFields
}

// has reports whether identifiers have a field that some lines have not.
func (s schema) has(field string) bool { return s.later || !slices.Contains(laterFields, field) }

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
	if found.vid, found.token, found.submission, err = s.types(ctx); err != nil {
		return schema{}, err
	}
	var fields map[string]any
	err = s.call(ctx, request{model: identifierModel, method: "fields_get",
		arg: laterFields[:1], kwargs: map[string]any{"attributes": []string{"type"}}}, &fields)
	if err != nil {
		return schema{}, err
	}
	if fields == nil {
		return schema{}, unanswered(false, "BadAnswer", nil)
	}
	_, found.later = fields[laterFields[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schema = &found
	return found, nil
}

// types finds the identifier types by their names. Each name must be there exactly
// once; otherwise tokens could be written under a wrong type. Registrants of ODK hold no
// VID, so there its type need not be there.
func (s *session) types(ctx context.Context) (vid, token, submission int64, err error) {
	a := s.access
	names := []string{a.VIDType, a.TokenType}
	if a.SubmissionType != "" {
		names = append(names, a.SubmissionType)
	}
	found, err := s.typesByName(ctx, names, 100)
	if err != nil {
		return 0, 0, 0, err
	}
	single := func(name string) int64 {
		if ids := found[name]; len(ids) == 1 {
			return ids[0]
		}
		return 0
	}
	missing := func(code, name string) (int64, int64, int64, error) {
		return 0, 0, 0, &seeding.Fault{Kind: seeding.RefusedTypes, Code: code, Field: name}
	}
	vid, token, submission = single(a.VIDType), single(a.TokenType), single(a.SubmissionType)
	switch {
	case vid == 0 && a.SubmissionType == "":
		return missing("vid_type", a.VIDType)
	case token == 0, token == vid:
		return missing("token_type", a.TokenType)
	case a.SubmissionType != "" && (submission == 0 || submission == token || submission == vid):
		return missing("submission_type", a.SubmissionType)
	}
	return vid, token, submission, nil
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
