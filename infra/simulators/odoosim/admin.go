package odoosim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// The administration below /_simulator/: the Go methods, for other processes.
// Bodies and answers are JSON; a POST without a result answers 204.
//
//	GET    state
//	POST   populate              {"registrants": n, "seed": s}: answers the Expectation
//	POST   reset-tallies
//	POST   faults                a Fault (delay in nanoseconds)
//	DELETE faults                all of them, and the denied rights and the throttle
//	POST   commit-late           answers {"calls"}
//	POST   down, database-down   {"on": true}
//	POST   restart, lose-sessions
//	POST   throttle              {"per_second": n}
//	POST   rights                {"model", "operation", "denied": true}
//	POST   types/{id}            {"name"}
//	GET    registrants           every Entry
//	GET    registrants/{id}      its identifiers
//	DELETE registrants/{id}
//	POST   registrants/{id}      fields to change; null empties
//	POST   registrants/{id}/vid  {"value"}
//	POST   identifiers           an Identifier: answers {"id"}
//	POST   identifiers/{id}      {"value"}
//	DELETE identifiers/{id}
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(id int64, body *json.Decoder) (any, bool)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /_simulator/"+path, func(w http.ResponseWriter, r *http.Request) {
			id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
			answer, ok := f(id, json.NewDecoder(r.Body))
			switch {
			case !ok:
				http.Error(w, "unknown id, or invalid body", http.StatusBadRequest)
			case answer == nil:
				w.WriteHeader(http.StatusNoContent)
			default:
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(answer)
			}
		})
	}
	do := func(f func()) func(int64, *json.Decoder) (any, bool) {
		return func(int64, *json.Decoder) (any, bool) { f(); return nil, true }
	}
	with := func(f func(p parameters) (any, bool)) func(int64, *json.Decoder) (any, bool) {
		return func(id int64, body *json.Decoder) (any, bool) {
			var p parameters
			if body.Decode(&p) != nil {
				return nil, false
			}
			p.id = id
			return f(p)
		}
	}
	handle("GET state", func(int64, *json.Decoder) (any, bool) { return s.State(), true })
	handle("POST populate", with(func(p parameters) (any, bool) { return s.Populate(p.Registrants, p.Seed), p.Registrants > 0 }))
	handle("POST reset-tallies", do(s.ResetTallies))
	handle("POST faults", func(_ int64, body *json.Decoder) (any, bool) {
		var f Fault
		if body.Decode(&f) != nil {
			return nil, false
		}
		s.Inject(f)
		return nil, true
	})
	handle("DELETE faults", do(s.LiftAll))
	handle("POST commit-late", func(int64, *json.Decoder) (any, bool) { return map[string]int{"calls": s.CommitLate()}, true })
	handle("POST down", with(func(p parameters) (any, bool) { s.SetDown(p.On); return nil, true }))
	handle("POST database-down", with(func(p parameters) (any, bool) { s.SetDatabaseDown(p.On); return nil, true }))
	handle("POST restart", do(s.Restart))
	handle("POST lose-sessions", do(s.LoseSessions))
	handle("POST throttle", with(func(p parameters) (any, bool) { s.Throttle(p.PerSecond); return nil, true }))
	handle("POST rights", with(func(p parameters) (any, bool) {
		s.setDenied(p.Model, p.Operation, p.Denied)
		return nil, rights[p.Model] != nil
	}))
	handle("POST types/{id}", with(func(p parameters) (any, bool) { return nil, s.RenameType(p.id, p.Name) }))
	handle("GET registrants", func(int64, *json.Decoder) (any, bool) { return s.Entries(), true })
	handle("GET registrants/{id}", func(id int64, _ *json.Decoder) (any, bool) { return s.Identifiers(id), true })
	handle("DELETE registrants/{id}", func(id int64, _ *json.Decoder) (any, bool) { return nil, s.DeleteRegistrant(id) })
	handle("POST registrants/{id}", func(id int64, body *json.Decoder) (any, bool) {
		var values map[string]any
		if body.Decode(&values) != nil {
			return nil, false
		}
		for name, v := range values {
			f := s.main.partners.model.named[name]
			_, number := v.(float64)
			if f == nil || f.column < 0 || number {
				return nil, false
			}
		}
		return nil, s.SetRegistrant(id, values)
	})
	handle("POST registrants/{id}/vid", with(func(p parameters) (any, bool) { return nil, s.SetVID(p.id, p.Value) }))
	handle("POST identifiers", func(_ int64, body *json.Decoder) (any, bool) {
		var i Identifier
		if body.Decode(&i) != nil || i.Registrant == 0 || i.Type == 0 {
			return nil, false
		}
		return map[string]int64{"id": s.AddIdentifier(i)}, true
	})
	handle("POST identifiers/{id}", with(func(p parameters) (any, bool) { return nil, s.SetValue(p.id, p.Value) }))
	handle("DELETE identifiers/{id}", func(id int64, _ *json.Decoder) (any, bool) { return nil, s.DeleteIdentifier(id) })
	return mux
}

// parameters are the body of a POST with a few values.
type parameters struct {
	id          int64
	On          bool   `json:"on"`
	PerSecond   int    `json:"per_second"`
	Model       string `json:"model"`
	Operation   string `json:"operation"`
	Denied      bool   `json:"denied"`
	Name        string `json:"name"`
	Value       string `json:"value"`
	Registrants int    `json:"registrants"`
	Seed        int64  `json:"seed"`
}
