package odoosim

import "slices"

// Entry is a registrant, with the kind that Populate made and the identifiers that
// it has now.
type Entry struct {
	Registrant  int64        `json:"registrant"`
	Kind        Kind         `json:"kind"` // "" if Populate did not make it
	Identifiers []Identifier `json:"identifiers"`
}

// Entries are all registrants by id: a Snapshot with their kinds, from which a
// program can make a reconciliation report.
func (s *Server) Entries() []Entry {
	snapshot := s.Snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]Entry, 0, len(snapshot))
	for id, identifiers := range snapshot {
		entries = append(entries, Entry{Registrant: id, Kind: s.kinds[id], Identifiers: identifiers})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return int(a.Registrant - b.Registrant) })
	return entries
}

// rememberKinds stores the kind of each registrant that Populate made.
func (s *Server) rememberKinds(kinds map[int64]Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, kind := range kinds {
		s.kinds[id] = kind
	}
}
