package mtssim

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
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
	Size     Size           `json:"size"`
	Replicas []ReplicaState `json:"replicas"`
	Requests map[string]int `json:"requests"` // by status, over all replicas
	Open     int            `json:"open"`     // queued or being processed
	VIDs     struct {
		Processed        int `json:"processed"`        // VIDs that the identity system decided about
		RepeatedAttempts int `json:"repeatedAttempts"` // decisions beyond the first per VID
		Tokenised        int `json:"tokenised"`        // VIDs that got a token
		RepeatedTokens   int `json:"repeatedTokens"`   // tokens beyond the first per VID
	} `json:"vids"`
}

// ReplicaState is one replica; its number is its place in the list.
type ReplicaState struct {
	Runs    bool          `json:"runs"` // false after KillReplica
	Workers []WorkerState `json:"workers"`
}

// WorkerState is one worker since it was started; its number is its place in the
// list.
type WorkerState struct {
	Blocked bool `json:"blocked"` // handles an HTTP request
	Handled int  `json:"handled"` // HTTP requests before that
	Open    int  `json:"open"`    // requests queued or being processed
}

// State returns the present state.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := State{Counters: s.counters, Faults: s.faults, Size: s.size, Requests: map[string]int{}, Open: s.open()}
	for _, r := range s.replicas {
		for _, q := range r.requests {
			state.Requests[q.status]++
		}
		state.Replicas = append(state.Replicas, r.state())
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

func (r *replica) state() ReplicaState {
	state := ReplicaState{Runs: r.runs(), Workers: []WorkerState{}}
	if state.Runs {
		for _, w := range r.workers {
			state.Workers = append(state.Workers, WorkerState{w.blocked, w.handled, w.open()})
		}
	}
	return state
}

// serveAdministration answers also while POSTs block the token seeder. Replicas
// and workers have the numbers that the State shows:
//
//	GET  /_simulator/state                     the State
//	POST /_simulator/faults                    Faults as JSON; what is left out stays as it is
//	POST /_simulator/size                      Size as JSON; what is left out stays as it is
//	POST /_simulator/restart                   Restart
//	POST /_simulator/restart?replica=0         RestartReplica
//	POST /_simulator/replace                   Replace
//	POST /_simulator/replace?replica=0         ReplaceReplica
//	POST /_simulator/kill?replica=0            KillReplica
//	POST /_simulator/kill?replica=0&worker=0   KillWorker
//	POST /_simulator/forget                    Forget
//
// Each answers with the State; 400 is for a value that makes no sense, 404 for an
// action, a replica or a worker that is not there.
func (s *Server) serveAdministration(w http.ResponseWriter, r *http.Request) {
	err := s.administer(r)
	switch {
	case errors.Is(err, errNotThere):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.State()) //nolint:errcheck // the client is gone
}

var errNotThere = errors.New("no such action, replica or worker")

func (s *Server) administer(r *http.Request) error {
	query := r.URL.Query()
	replica, one, err := number(query, "replica")
	if err != nil {
		return err
	}
	worker, oneWorker, err := number(query, "worker")
	if err != nil {
		return err
	}
	found := true
	switch action := r.Method + " " + strings.TrimPrefix(r.URL.Path, administration); {
	case action == "POST kill" && one && oneWorker:
		found = s.KillWorker(replica, worker)
	case oneWorker:
		found = false
	case action == "GET state":
	case action == "POST faults":
		return s.changeFaults(r)
	case action == "POST size":
		return s.changeSize(r)
	case action == "POST restart" && one:
		found = s.RestartReplica(replica)
	case action == "POST restart":
		s.Restart()
	case action == "POST replace" && one:
		found = s.ReplaceReplica(replica)
	case action == "POST replace":
		s.Replace()
	case action == "POST kill" && one:
		found = s.KillReplica(replica)
	case action == "POST forget":
		s.Forget()
	default:
		found = false
	}
	if !found {
		return errNotThere
	}
	return nil
}

func number(query url.Values, name string) (n int, given bool, err error) {
	if !query.Has(name) {
		return 0, false, nil
	}
	n, err = strconv.Atoi(query.Get(name))
	return n, true, err
}

// read decodes the body over a value: what is left out stays as it is.
func read(r *http.Request, value any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	return decoder.Decode(value)
}

func (s *Server) changeFaults(r *http.Request) error {
	faults := s.Faults()
	if err := read(r, &faults); err != nil {
		return err
	}
	s.SetFaults(faults)
	return nil
}

func (s *Server) changeSize(r *http.Request) error {
	size := s.Size()
	if err := read(r, &size); err != nil {
		return err
	}
	if size.Workers < 1 || size.Replicas < 1 || size.Processors < 1 || size.MaxRequests < 0 {
		return errors.New("there is at least one worker, replica and processor, and maxRequests is not negative")
	}
	s.SetSize(size)
	return nil
}
