package odoosim

import "slices"

// Entry is one registrant as Populate made it, and what it holds now.
type Entry struct {
	Registrant  int64        `json:"registrant"`
	Kind        Kind         `json:"kind"` // "" if Populate did not make it
	Identifiers []Identifier `json:"identifiers"`
}

// Entries are all registrants by id: a Snapshot with what each of them is, so
// that an account can be made from outside.
func (s *Server) Entries() []Entry {
	held := s.Snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]Entry, 0, len(held))
	for id, identifiers := range held {
		entries = append(entries, Entry{Registrant: id, Kind: s.kinds[id], Identifiers: identifiers})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return int(a.Registrant - b.Registrant) })
	return entries
}

// keep remembers what Populate made of each registrant.
func (s *Server) keep(kinds map[int64]Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, kind := range kinds {
		s.kinds[id] = kind
	}
}
