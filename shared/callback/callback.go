// Package callback is the public endpoint: HTTP in front of the inbox.
package callback

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"openg2p.org/mts-connector/shared/seeding/receive"
)

// New serves POST /callback/{batch} with a bearer that is a capability for that
// batch. Replies: 200 stored, 400 no row in the body, 401 no capability for this
// batch, 413 body too large, 500 not stored. They are for people: MTS ignores
// them (facts/mts.md W4).
func New(inbox *receive.Inbox, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /callback/{batch}", func(w http.ResponseWriter, r *http.Request) {
		status, rows, err := store(inbox, w, r)
		if status == http.StatusInternalServerError {
			log.Error("answer not stored", "batch", r.PathValue("batch"), "fault", err.Error())
		} else {
			log.Info("callback", "status", status, "rows", rows)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]int{"rows": rows}) // MTS does not read it
	})
	return mux
}

func store(inbox *receive.Inbox, w http.ResponseWriter, r *http.Request) (status, rows int, err error) {
	bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return http.StatusUnauthorized, 0, receive.ErrUnauthorised
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, receive.MaxBody))
	if err != nil {
		return http.StatusRequestEntityTooLarge, 0, err
	}
	rows, err = inbox.Receive(r.Context(), r.PathValue("batch"), bearer, body)
	switch {
	case err == nil:
		return http.StatusOK, rows, nil
	case errors.Is(err, receive.ErrUnauthorised):
		return http.StatusUnauthorized, 0, err
	case errors.Is(err, receive.ErrMalformed):
		return http.StatusBadRequest, 0, err
	}
	return http.StatusInternalServerError, 0, err
}
