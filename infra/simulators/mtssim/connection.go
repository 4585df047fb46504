package mtssim

import (
	"context"
	"net"
	"net/http"
)

// connection is what a client sends its requests over, one at a time.
type connection struct {
	idle   bool         // kept open between two requests
	worker *worker      // that took the connection; nil until one does
	turn   chan *worker // the worker, when it begins with the request; nil when the connection is closed instead
}

type connectionKey struct{}

func newConnection() *connection { return &connection{turn: make(chan *worker, 1)} }

// Attach tells the simulator which requests of an HTTP server come over the same
// connection, by setting ConnContext and ConnState: a connection that is kept
// open stays with the worker that took it, waits while that worker is blocked,
// and is closed when it ends. Without Attach each request counts as a connection
// of its own.
func (s *Server) Attach(server *http.Server) {
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		c := newConnection()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.connections[conn] = c
		return context.WithValue(ctx, connectionKey{}, c)
	}
	server.ConnState = s.note
}

// note follows the state of a connection of an attached server.
func (s *Server) note(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connections[conn]
	if !ok {
		return
	}
	switch state {
	case http.StateNew, http.StateActive:
		c.idle = false
	case http.StateIdle:
		c.idle = true
		c.closeWithWorker(conn)
	case http.StateHijacked, http.StateClosed:
		delete(s.connections, conn)
	}
}

// closeWithWorker closes an idle connection whose worker has ended. One that is
// not idle is closed by the handler of its request.
func (c *connection) closeWithWorker(conn net.Conn) {
	if c.idle && c.worker != nil && c.worker.ctx.Err() != nil {
		conn.Close()
	}
}

// closeConnections closes those that workers have left behind. The caller holds
// Server.mu.
func (s *Server) closeConnections() {
	for conn, c := range s.connections {
		c.closeWithWorker(conn)
	}
}

// accept waits until a worker handles a request and returns it. It returns nil
// when the connection is closed instead: no replica runs, or the worker or the
// replica that it waits for ends.
func (s *Server) accept(r *http.Request) *worker {
	c, ok := r.Context().Value(connectionKey{}).(*connection)
	if !ok {
		c = newConnection()
	}
	s.mu.Lock()
	to := s.replicaFor(c)
	if to == nil {
		s.mu.Unlock()
		return nil
	}
	to.take(c)
	s.mu.Unlock()
	return <-c.turn
}

// replicaFor is the replica that has a connection. A new connection goes to any
// replica that runs, whether its workers are blocked or not: assumed is what a
// Kubernetes Service does by default, which draws one. The caller holds Server.mu.
func (s *Server) replicaFor(c *connection) *replica {
	if c.worker != nil {
		if c.worker.ctx.Err() != nil {
			return nil
		}
		return c.worker.replica
	}
	var running []*replica
	for _, r := range s.replicas {
		if r.runs() {
			running = append(running, r)
		}
	}
	if len(running) == 0 {
		return nil
	}
	return running[s.random.IntN(len(running))]
}

// release ends a worker's work on an HTTP request. It reports whether that was
// the worker's last, because it has reached its limit: it is then to be replaced
// once the reply is written.
func (s *Server) release(w *worker) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.handled++
	w.replica.handleNext(w)
	return w.ctx.Err() == nil && !w.blocked && w.atLimit()
}

// replace kills a worker, by its own doing or because it has reached its limit.
func (s *Server) replace(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.replica.replaceWorker(w)
	s.closeConnections()
}
