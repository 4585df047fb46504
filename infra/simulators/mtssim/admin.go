package mtssim

import (
	"encoding/json"
	"net/http"
	"strings"
)

const administration = "/_simulator/"

func isAdministration(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, administration)
}

// State is what GET /_simulator/state answers. It names no VID.
type State struct {
	Counters Counters       `json:"counters"`
	Faults   Faults         `json:"faults"`
	Requests map[string]int `json:"requests"` // by status, as GET /authtoken/status would say
	Open     int            `json:"open"`     // queued or being processed
	VIDs     struct {
		Processed        int `json:"processed"`        // VIDs that the identity system decided about
		RepeatedAttempts int `json:"repeatedAttempts"` // decisions beyond the first per VID
		Tokenised        int `json:"tokenised"`        // VIDs that got a token
		RepeatedTokens   int `json:"repeatedTokens"`   // tokens beyond the first per VID
	} `json:"vids"`
}

// State returns the present state.
func (s *Server) State() State {
	state := State{Requests: map[string]int{}, Open: s.Open()}
	s.mu.Lock()
	defer s.mu.Unlock()
	state.Counters, state.Faults = s.counters, s.faults
	for _, r := range s.requests {
		state.Requests[r.status]++
	}
	sum := func(counts map[string]int) (vids, repeated int) {
		for _, n := range counts {
			repeated += n - 1
		}
		return len(counts), repeated
	}
	state.VIDs.Processed, state.VIDs.RepeatedAttempts = sum(s.attempts)
	state.VIDs.Tokenised, state.VIDs.RepeatedTokens = sum(s.tokens)
	return state
}

// serveAdministration answers also while a POST blocks the token seeder:
//
//	GET  /_simulator/state    the State
//	POST /_simulator/faults   Faults as JSON; what is left out stays as it is
//	POST /_simulator/restart  Restart
//	POST /_simulator/forget   Forget
//
// Each answers with the State.
func (s *Server) serveAdministration(w http.ResponseWriter, r *http.Request) {
	action := r.Method + " " + strings.TrimPrefix(r.URL.Path, administration)
	switch action {
	case "GET state":
	case "POST faults":
		if err := s.changeFaults(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	case "POST restart":
		s.Restart()
	case "POST forget":
		s.Forget()
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.State()) //nolint:errcheck // the client is gone
}

func (s *Server) changeFaults(r *http.Request) error {
	faults := s.Faults()
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&faults); err != nil {
		return err
	}
	s.SetFaults(faults)
	return nil
}
