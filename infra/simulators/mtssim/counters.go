package mtssim

import "maps"

// Counters say what the simulator has seen since it was made; a restart keeps
// them.
type Counters struct {
	Posts             int   `json:"posts"`             // POSTs to /authtoken/json and /authtoken/odk
	PostsAccepted     int   `json:"postsAccepted"`     // of them, those that got a request identifier
	BytesReceived     int64 `json:"bytesReceived"`     // bodies of those POSTs
	RecordsReceived   int   `json:"recordsReceived"`   // in accepted POSTs, invalid ones included
	RecordsInvalid    int   `json:"recordsInvalid"`    // of them
	RecordsProcessed  int   `json:"recordsProcessed"`  // that the identity system decided about
	MaxRecordsPerPost int   `json:"maxRecordsPerPost"` // accepted POSTs only
	StatusRequests    int   `json:"statusRequests"`
	CallbacksSent     int   `json:"callbacksSent"`   // got any HTTP answer; copies count
	CallbacksLost     int   `json:"callbacksLost"`   // withheld by a fault
	CallbacksFailed   int   `json:"callbacksFailed"` // requests that ended as error_making_callback_request
	BytesSent         int64 `json:"bytesSent"`       // bodies of the callbacks sent
	Restarts          int   `json:"restarts"`        // workers started in the place of one that ended
	CleanedUp         int   `json:"cleanedUp"`       // requests deleted by age
}

// Counters returns a copy of what was counted so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters
}

func (s *Server) count(f func(*Counters)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counters)
}

// Attempts is how often the identity system decided about each VID.
func (s *Server) Attempts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.attempts)
}

// TokensGiven is how often each VID got a token. A value above 1 is a
// registrant who was submitted again after success.
func (s *Server) TokensGiven() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.tokens)
}

// Open is the number of requests that the workers have not finished, those that
// a dead worker left behind not included.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open()
}

func (s *Server) open() (open int) {
	for _, r := range s.replicas {
		if r.runs() {
			for _, w := range r.workers {
				open += w.open()
			}
		}
	}
	return open
}
