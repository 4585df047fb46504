package centralsim

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// State is what GET /_simulator/state answers. It names nobody.
type State struct {
	Counters Counters    `json:"counters"`
	Faults   Faults      `json:"faults"`
	Sessions int         `json:"sessions"`
	Forms    []FormState `json:"forms"`
}

// FormState is a form with its submissions.
type FormState struct {
	Project     int    `json:"project"`
	ID          string `json:"id"`
	State       string `json:"state"`
	Submissions int    `json:"submissions"`
}

// State returns the present state.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := State{Counters: s.counters, Faults: s.faults, Sessions: len(s.sessions), Forms: []FormState{}}
	for _, p := range s.projects {
		for _, f := range p.forms {
			n, _ := f.sum()
			state.Forms = append(state.Forms, FormState{p.id, f.id, f.state, n})
		}
	}
	return state
}

// The administration below /_simulator/: the Go methods, for other processes. Bodies
// and answers are JSON; a POST without a result answers 204, one that names a form or a
// submission that is not there 400. Bodies that concern a form name it by "project" and
// "form".
//
//	GET  state
//	POST faults           Faults; what is left out stays as it is
//	GET  submissions      of DemoForm: every Entry
//	POST populate         {"submissions", "seed"}: answers the Expectation
//	POST users            {"email", "password", "project", "role"}
//	POST password         {"email", "password"}
//	POST end-sessions
//	POST single-sign-on   {"on"}
//	POST state            {"project", "form", "state"}
//	POST submit           {"project", "form", "id", "answers", "hidden"}: answers {"id"}
//	POST show, delete, restore, purge, attach   {"project", "form", "id"}
//	POST review           {"project", "form", "id", "state"}
//	POST edit             {"project", "form", "id", "answers"}
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_simulator/state", func(w http.ResponseWriter, _ *http.Request) { answerWith(w, s.State(), true) })
	mux.HandleFunc("GET /_simulator/submissions", func(w http.ResponseWriter, _ *http.Request) {
		if form := s.Form(1, DemoForm); form != nil {
			answerWith(w, form.Entries(), true)
			return
		}
		answerWith(w, nil, false)
	})
	mux.HandleFunc("POST /_simulator/faults", func(w http.ResponseWriter, r *http.Request) {
		faults := s.Faults()
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&faults); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.SetFaults(faults)
		answerWith(w, s.State(), true)
	})
	handle := func(path string, f func(order) (any, bool)) {
		mux.HandleFunc("POST /_simulator/"+path, func(w http.ResponseWriter, r *http.Request) {
			var o order
			if err := json.NewDecoder(r.Body).Decode(&o); err != nil && r.ContentLength != 0 {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			result, ok := f(o)
			answerWith(w, result, ok)
		})
	}
	onForm := func(path string, f func(*Form, order) (any, bool)) {
		handle(path, func(o order) (any, bool) {
			form := s.Form(o.Project, o.Form)
			if form == nil {
				return nil, false
			}
			return f(form, o)
		})
	}
	handle("populate", func(o order) (any, bool) { return s.Populate(o.Submissions, o.Seed), o.Submissions > 0 })
	handle("users", func(o order) (any, bool) {
		s.AddUser(o.Email, o.Password)
		s.Assign(o.Email, o.Project, o.Role)
		return nil, o.Email != ""
	})
	handle("password", func(o order) (any, bool) { s.SetPassword(o.Email, o.Password); return nil, true })
	handle("end-sessions", func(order) (any, bool) { s.EndSessions(); return nil, true })
	handle("single-sign-on", func(o order) (any, bool) { s.SetSingleSignOn(o.On); return nil, true })
	onForm("state", func(f *Form, o order) (any, bool) { f.SetState(o.State); return nil, true })
	onForm("submit", func(f *Form, o order) (any, bool) {
		return map[string]string{"id": f.Submit(Submission{ID: o.ID, Answers: o.Answers, Hidden: o.Hidden})}, true
	})
	onForm("show", func(f *Form, o order) (any, bool) { return nil, f.Show(o.ID) })
	onForm("delete", func(f *Form, o order) (any, bool) { return nil, f.Delete(o.ID) })
	onForm("restore", func(f *Form, o order) (any, bool) { return nil, f.Restore(o.ID) })
	onForm("purge", func(f *Form, o order) (any, bool) { return nil, f.Purge(o.ID) })
	onForm("attach", func(f *Form, o order) (any, bool) { return nil, f.Attach(o.ID) })
	onForm("review", func(f *Form, o order) (any, bool) { return nil, f.Review(o.ID, o.State) })
	onForm("edit", func(f *Form, o order) (any, bool) { return nil, f.Edit(o.ID, o.Answers) })
	return mux
}

// order is the body of a POST.
type order struct {
	Project     int               `json:"project"`
	Form        string            `json:"form"`
	ID          string            `json:"id"`
	Answers     map[string]string `json:"answers"`
	Hidden      bool              `json:"hidden"`
	State       string            `json:"state"`
	Email       string            `json:"email"`
	Password    string            `json:"password"`
	Role        Role              `json:"role"`
	On          bool              `json:"on"`
	Submissions int               `json:"submissions"`
	Seed        uint64            `json:"seed"`
}

func answerWith(w http.ResponseWriter, result any, ok bool) {
	switch {
	case !ok:
		http.Error(w, "unknown form or submission, or invalid body", http.StatusBadRequest)
	case result == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		body, err := json.Marshal(result)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}
}
