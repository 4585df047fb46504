// Package callback is the public endpoint: HTTP in front of the inbox.
package callback

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding/receive"
)

// New serves POST /callback/{batch} with a bearer that is a capability for that
// batch. Replies: 200 stored, with {"rows": n}; problems 400 no row of the batch
// in the body, 401 no capability for this batch, 413 body too large, 500 not
// stored. They are for people: MTS ignores them (facts/mts.md W4).
func New(inbox *receive.Inbox, log *slog.Logger) http.Handler {
	return api.API{
		Routes:     map[string]api.Methods{"/callback/{batch}": {"POST": endpoint{inbox, log}.store}},
		Elsewhere:  "There is nothing at this path.",
		Translate:  translate,
		Log:        slog.New(slog.DiscardHandler), // store logs each of its replies
		Attributes: func(*http.Request) []any { return nil },
	}.Handler()
}

type endpoint struct {
	inbox *receive.Inbox
	log   *slog.Logger
}

func (e endpoint) store(w http.ResponseWriter, r *http.Request) error {
	rows, err := e.receive(w, r)
	if err == nil {
		e.log.InfoContext(r.Context(), "callback", "batch", r.PathValue("batch"), "status", http.StatusOK, "rows", rows)
		api.Reply(w, http.StatusOK, map[string]int{"rows": rows})
		return nil
	}
	problem := translate(r, err)
	switch problem.Status {
	case http.StatusInternalServerError:
		e.log.ErrorContext(r.Context(), "answer not stored", "batch", r.PathValue("batch"), "fault", err.Error())
	default:
		e.log.InfoContext(r.Context(), "callback", "status", problem.Status, "rows", 0)
	}
	if problem.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	return problem
}

func (e endpoint) receive(w http.ResponseWriter, r *http.Request) (rows int, err error) {
	bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return 0, receive.ErrUnauthorised
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, receive.MaxBody))
	if err != nil {
		return 0, errTooLarge
	}
	return e.inbox.Receive(r.Context(), r.PathValue("batch"), bearer, body)
}

var errTooLarge = errors.New("the body is larger than a callback can be")

func translate(_ *http.Request, err error) *api.Problem {
	switch {
	case errors.Is(err, receive.ErrUnauthorised):
		return api.NewProblem(api.Blank(http.StatusUnauthorized), "The bearer is no capability for this batch, or it has expired. MTS gets one with each request.")
	case errors.Is(err, receive.ErrMalformed):
		return api.NewProblem(api.Blank(http.StatusBadRequest), "The body is not one whole JSON array with a row of this batch.")
	case errors.Is(err, errTooLarge):
		return api.NewProblem(api.Blank(http.StatusRequestEntityTooLarge), "The body is larger than a callback can be.")
	}
	return api.NewProblem(api.Blank(http.StatusInternalServerError), "The answer was not stored.")
}
