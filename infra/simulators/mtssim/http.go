package mtssim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// wireError is an item of "errors".
type wireError struct {
	Code    string  `json:"errorCode"`
	Message *string `json:"errorMessage"`
}

// envelope is the form of all replies that MTS makes itself (facts/mts.md 1.0).
type envelope struct {
	ID           string      `json:"id"`
	Version      string      `json:"version"`
	Metadata     struct{}    `json:"metadata"`
	ResponseTime string      `json:"responsetime"`
	Errors       []wireError `json:"errors"`
	Response     any         `json:"response"`
}

// reply is a status with the value that is printed as JSON.
type reply struct {
	status   int
	body     any
	location string
}

// detail is a reply of the framework, without envelope.
func detail(status int, text string) reply {
	return reply{status: status, body: map[string]string{"detail": text}}
}

func (w *worker) enveloped(status int, errors []wireError, response any) reply {
	return reply{status: status, body: envelope{
		ID:           "mosip.token.seeder",
		Version:      "1.1.0",
		ResponseTime: w.started,
		Errors:       errors,
		Response:     response,
	}}
}

func (w *worker) errorReply(e *errorReply) reply { return w.enveloped(e.status, e.errors, nil) }

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// serve has a request handled by a worker, which handles one at a time: a POST
// blocks everything else that its worker has accepted, /ping included
// (facts/mts.md W18). A request is handled even if its client has given up.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.isDown() {
		hangUp(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		hangUp(w)
		return
	}
	if !sleep(s.ctx, s.delay()) { //nolint:contextcheck // the server ends the wait, not the client
		hangUp(w)
		return
	}
	worker := s.accept(r)
	if worker == nil {
		hangUp(w)
		return
	}
	out, accepted := worker.route(r, body)
	if last := s.release(worker); last {
		w.Header().Set("Connection", "close")
		defer s.replace(worker)
	}

	if accepted != nil {
		out = worker.answer(r, accepted, out)
	}
	if out.status == 0 || worker.ctx.Err() != nil {
		hangUp(w)
		return
	}
	write(w, out)
}

// answer applies the faults to the answer to an accepted POST.
func (w *worker) answer(r *http.Request, accepted *request, out reply) reply {
	plan := w.sim.planAnswer()
	if plan.callbackFirst {
		select {
		case <-accepted.over:
		case <-w.ctx.Done():
		case <-r.Context().Done():
		}
	}
	switch {
	case plan.mute:
		select {
		case <-w.ctx.Done():
		case <-r.Context().Done():
		}
		return reply{}
	case plan.fail:
		return w.errorReply(internal("a fault of the simulator"))
	}
	return out
}

func write(w http.ResponseWriter, out reply) {
	if out.location != "" {
		w.Header().Set("Location", out.location)
		w.WriteHeader(out.status)
		return
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out.body); err != nil {
		panic(err) // a reply is always printable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(out.status)
	w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n"))) //nolint:errcheck // the client is gone
}

const statusPath, odkPath = "/authtoken/status/", "/authtoken/odk"

// methodOf is the one method of a known path. Paths are taken literally.
func methodOf(path string) (method string, known bool) {
	switch {
	case path == "/ping":
		return http.MethodGet, true
	case path == "/authtoken/json", path == odkPath:
		return http.MethodPost, true
	case strings.HasPrefix(path, statusPath):
		id := path[len(statusPath):]
		return http.MethodGet, id != "" && !strings.Contains(id, "/")
	}
	return "", false
}

// route handles one request. A reply of status 0 is a closed connection;
// accepted is the request that a POST has put in the queue.
func (w *worker) route(r *http.Request, body []byte) (out reply, accepted *request) {
	path := r.URL.Path
	method, known := methodOf(path)
	if !known {
		if _, ok := methodOf(strings.TrimSuffix(path, "/")); ok && strings.HasSuffix(path, "/") {
			// The framework's redirect is wrong: its target is a 404.
			return reply{status: http.StatusTemporaryRedirect, location: slashRedirect(r)}, nil
		}
		return detail(http.StatusNotFound, "Not Found"), nil
	}
	if r.Method != method {
		return detail(http.StatusMethodNotAllowed, "Method Not Allowed"), nil
	}
	switch {
	case path == "/ping":
		return reply{status: http.StatusOK, body: fmt.Sprintf("[0 - %d] pong", w.number)}, nil
	case strings.HasPrefix(path, statusPath):
		return w.status(path[len(statusPath):]), nil
	}
	return w.post(r.Header.Get("Content-Type"), body, path == odkPath)
}

func slashRedirect(r *http.Request) string {
	target := "http://" + r.Host + "/" + strings.TrimSuffix(r.URL.EscapedPath(), "/")
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	return target
}

func (w *worker) status(id string) reply {
	w.sim.count(func(c *Counters) { c.StatusRequests++ })
	status, ok := w.replica.status(id)
	if !ok {
		return w.errorReply(refused(http.StatusNotFound, "ATS-REQ-016", "no auth request found for the given identifier"))
	}
	return w.enveloped(http.StatusOK, nil, map[string]string{"status": status})
}
