package mtssim

// Size is how large the token seeder is; see the options of the same names.
type Size struct {
	Workers     int `json:"workers"` // of each replica
	Replicas    int `json:"replicas"`
	Processors  int `json:"processors"`  // of each replica
	MaxRequests int `json:"maxRequests"` // 0 is no limit
}

// Size returns the present size.
func (s *Server) Size() Size {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// SetSize changes the size while the token seeder runs. Fewer than one worker,
// replica or processor means one. What is added starts empty. The last workers
// and the last replicas are removed, as by SIGKILL: a worker loses its queue, and
// a replica its database too. Kubernetes may give a replica some time to finish
// its queue (SIGTERM, facts/mts.md 9); the stricter end is simulated.
func (s *Server) SetSize(size Size) {
	size.Workers, size.Replicas, size.Processors = max(size.Workers, 1), max(size.Replicas, 1), max(size.Processors, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	s.size = size
	for len(s.replicas) > size.Replicas {
		last := len(s.replicas) - 1
		s.replicas[last].end()
		s.replicas = s.replicas[:last]
	}
	for _, r := range s.replicas {
		if r.runs() {
			r.processors.setCount(size.Processors)
			r.setWorkers(size.Workers)
			r.replaceWorkersAtLimit()
		}
	}
	for len(s.replicas) < size.Replicas {
		s.replicas = append(s.replicas, s.startReplica(map[string]*request{}))
	}
	s.closeConnections()
}

// Restart is SIGKILL of every replica and a start on the same database:
// connections are closed, POSTs being handled leave nothing behind, what was
// queued or running is lost and keeps its status until clean-up (facts/mts.md W1).
// A replica that was killed before starts too.
func (s *Server) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.replicas {
		s.restart(i, true)
	}
}

// Replace is Restart on new databases, as new containers have them
// (facts/mts.md W9).
func (s *Server) Replace() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.replicas {
		s.restart(i, false)
	}
}

// RestartReplica is Restart for one replica, from 0. It reports false when there
// is no such replica.
func (s *Server) RestartReplica(replica int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restart(replica, true)
}

// ReplaceReplica is Replace for one replica, from 0. It reports false when there
// is no such replica.
func (s *Server) ReplaceReplica(replica int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restart(replica, false)
}

// restart ends a replica, if it runs, and starts it. The caller holds Server.mu.
func (s *Server) restart(replica int, sameDatabase bool) bool {
	if s.ctx.Err() != nil || replica < 0 || replica >= len(s.replicas) {
		return false
	}
	requests := map[string]*request{}
	if sameDatabase {
		requests = s.replicas[replica].requests
	}
	s.replicas[replica].end()
	s.replicas[replica] = s.startReplica(requests)
	s.counters.Restarts += s.size.Workers
	s.closeConnections()
	return true
}

// KillReplica is SIGKILL of one replica, from 0, that nobody starts again until
// RestartReplica or ReplaceReplica: connections go to the other replicas, and
// are closed when there is none. It reports false when there is no such replica.
func (s *Server) KillReplica(replica int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if replica < 0 || replica >= len(s.replicas) {
		return false
	}
	s.replicas[replica].end()
	s.closeConnections()
	return true
}

// KillWorker is SIGKILL of one worker of one replica, both from 0: it is replaced
// (assumed: at once), and what it had queued or running is lost and keeps its status until
// clean-up. It reports false when there is no such worker.
func (s *Server) KillWorker(replica, worker int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if replica < 0 || replica >= len(s.replicas) || !s.replicas[replica].runs() {
		return false
	}
	r := s.replicas[replica]
	if worker < 0 || worker >= len(r.workers) {
		return false
	}
	r.replaceWorker(r.workers[worker])
	s.closeConnections()
	return true
}

// Forget deletes every request of every replica from the databases, while the
// workers go on.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.replicas {
		clear(r.requests)
	}
}
