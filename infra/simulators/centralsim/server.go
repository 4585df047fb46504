package centralsim

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Lengths of an address from which nginx, and Node without it, refuse it.
const longForNginx, longForNode = 8 << 10, 16 << 10

var otherVersion = regexp.MustCompile(`^/v[0-9]+/`)

// ServeHTTP answers as Central does; below /_simulator/ it is the simulator's own
// administration.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_simulator/") {
		s.admin.ServeHTTP(w, r)
		return
	}
	faults := s.Faults()
	if faults.Down {
		hangUp(w)
		return
	}
	if faults.DelayMS > 0 {
		s.options.Sleep(time.Duration(faults.DelayMS) * time.Millisecond)
	}
	w.Header().Set("Date", s.options.Now().Add(time.Duration(faults.DateAheadMS)*time.Millisecond).UTC().Format(http.TimeFormat))
	s.mu.Lock()
	s.counters.Requests++
	s.mu.Unlock()
	long := len(r.URL.RequestURI())
	switch {
	case faults.Page != 0:
		page(w, faults.Page)
		return
	case !s.options.Bare && long > longForNginx:
		page(w, http.StatusRequestURITooLong)
		return
	case long > longForNode:
		w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
		return
	case !s.options.Bare && s.front(w, r):
		return
	}
	path := r.URL.EscapedPath()
	switch {
	case otherVersion.MatchString(path) && !strings.HasPrefix(path, "/v1/"):
		errOtherVersion.send(w)
		return
	case !strings.HasPrefix(path, "/v1/"):
		errNoVersion.send(w)
		return
	}
	s.api(w, r, strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/v1/"), "/"), "/"))
}

// front answers what nginx has itself.
func (s *Server) front(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/client-config.json":
		s.mu.Lock()
		on := s.singleSignOn
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		writeJSON(w, map[string]bool{"oidcEnabled": on})
	case "/version.txt":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("versions:\n0000000000000000000000000000000000000000 (v" + s.options.Release + ".0)\n"))
	default:
		return false
	}
	return true
}

// api answers below /v1/; parts are those of the path, still escaped.
func (s *Server) api(w http.ResponseWriter, r *http.Request, parts []string) {
	s.mu.Lock()
	singleSignOn := s.singleSignOn
	s.mu.Unlock()
	signIn := len(parts) == 1 && parts[0] == "sessions" && r.Method == http.MethodPost && !singleSignOn
	if !signIn && r.Header.Get("Authorization") == "" && parts[0] != "sessions" {
		errCredentials.send(w)
		return
	}
	if s.failing() {
		errInternal.send(w)
		return
	}
	isCurrent := len(parts) == 2 && parts[0] == "sessions"
	switch {
	case signIn:
		s.signIn(w, r)
		return
	case isCurrent && parts[1] == "restore" && r.Method == http.MethodGet, isCurrent && parts[1] == "current" && r.Method == http.MethodDelete:
		s.currentSession(w, r, r.Method == http.MethodDelete)
		return
	case parts[0] == "sessions":
		errNotFound.send(w)
		return
	case parts[0] == "key":
		errNoRight.send(w)
		return
	}
	s.mu.Lock()
	u, refused := s.authenticate(r)
	s.mu.Unlock()
	switch {
	case refused != nil:
		refused.send(w)
		return
	case parts[0] != "projects" || len(parts) < 2 || r.Method != http.MethodGet && r.Method != http.MethodHead:
		errNotFound.send(w)
		return
	}
	project, err := strconv.Atoi(parts[1])
	if err != nil {
		errNotANumber.send(w)
		return
	}
	switch {
	case len(parts) == 2:
		s.showProject(w, r, u, project)
	case len(parts) >= 4 && parts[2] == "forms":
		s.showForm(w, r, u, project, parts[3:])
	default:
		errNotFound.send(w)
	}
}

// view is a form as a request sees it.
type view struct {
	project   int
	id        string
	encrypted bool
	release   release
	fields    []Field
	tree      *node
	path      string // of its .svc, escaped
	list      []*submission
	known     func(ids ...string) map[string]*submission
}

// see takes what a request needs of a table.
func (s *Server) see(f *Form, t *Table, path string) *view {
	return &view{
		project: f.project.id, id: f.id, encrypted: f.encrypted, release: s.release, fields: f.fields, tree: f.tree, path: path, list: t.list,
		known: func(ids ...string) map[string]*submission {
			s.mu.Lock()
			defer s.mu.Unlock()
			found := map[string]*submission{}
			for _, id := range ids {
				if x := t.byID[id]; x != nil {
					found[id] = x
				}
			}
			return found
		},
	}
}

// showForm answers below /v1/projects/{p}/forms/.
func (s *Server) showForm(w http.ResponseWriter, r *http.Request, u *user, project int, parts []string) {
	name, isData := strings.CutSuffix(parts[0], ".svc")
	draft := len(parts) > 1 && !isData && (parts[1] == "draft" || parts[1] == "draft.svc")
	if draft {
		isData = parts[1] == "draft.svc"
	}
	id, err := url.PathUnescape(name)
	s.mu.Lock()
	f := s.form(project, id)
	if err != nil || f == nil {
		s.mu.Unlock()
		errNotFound.send(w)
		return
	}
	verb := readForm
	if isData || len(parts) > 1 && parts[1] == "submissions" {
		verb = readSubmissions
	}
	switch {
	case isData && !draft && f.published == 0:
		s.mu.Unlock()
		errNotFound.send(w)
		return
	case !u.may(project, verb), f.published == 0 && !u.may(project, "form.update"):
		s.mu.Unlock()
		errNoRight.send(w)
		return
	}
	table, place := f.Table, "/v1/projects/"+strconv.Itoa(project)+"/forms/"+url.PathEscape(f.id)
	if draft {
		table, place = f.draft, place+"/draft"
		parts = parts[1:]
	}
	v := s.see(f, table, place+".svc")
	meta := f.metadata(u)
	s.mu.Unlock()
	rest := parts[1:]
	switch {
	case isData:
		s.data(w, r, v, rest)
	case len(rest) == 0:
		s.showMetadata(w, r, v, meta)
	case len(rest) == 1 && rest[0] == "fields":
		header(w, "application/json; charset=utf-8")
		writeJSON(w, v.fields)
	case len(rest) == 2 && rest[0] == "submissions":
		s.showSubmission(w, v, rest[1])
	default:
		errNotFound.send(w)
	}
}

// extended reports whether a request asks for more of a project or a form.
func extended(r *http.Request) bool { return r.Header.Get("X-Extended-Metadata") == "true" }

func (s *Server) showProject(w http.ResponseWriter, r *http.Request, u *user, id int) {
	s.mu.Lock()
	p := s.project(id)
	if p == nil || !u.may(id, "project.read") {
		s.mu.Unlock()
		if p == nil {
			errNotFound.send(w)
		} else {
			errNoRight.send(w)
		}
		return
	}
	body := map[string]any{"id": p.id, "name": p.name, "archived": nil, "keyId": nil}
	if extended(r) {
		forms, last := 0, int64(0)
		for _, f := range p.forms {
			if !f.deleted {
				forms++
				_, newest := f.sum()
				last = max(last, newest)
			}
		}
		body["verbs"], body["forms"], body["appUsers"], body["lastSubmission"] = u.verbs(id), forms, 0, shownOrNull(last)
	}
	s.mu.Unlock()
	header(w, "application/json; charset=utf-8")
	writeJSON(w, body)
}

// sum is how many submissions there are, and the date of the newest. The caller holds
// Server.mu.
func (t *Table) sum() (n int, newest int64) {
	for _, x := range t.list {
		if !x.hidden && x.deleted == 0 {
			n++
			newest = x.date
		}
	}
	return n, newest
}

// metadata is called with Server.mu held.
func (f *Form) metadata(*user) map[string]any {
	meta := map[string]any{
		"projectId": f.project.id, "xmlFormId": f.id, "name": f.name, "version": f.version, "state": f.state,
		"publishedAt": shownOrNull(f.published), "keyId": nil, "hash": "", "enketoId": nil,
	}
	if f.encrypted {
		meta["keyId"] = 1
	}
	return meta
}

func (s *Server) showMetadata(w http.ResponseWriter, r *http.Request, v *view, meta map[string]any) {
	if extended(r) {
		n, newest := 0, int64(0)
		states := map[string]int{"received": 0, "hasIssues": 0, "edited": 0}
		for _, x := range v.list {
			if x.hidden || x.deleted != 0 {
				continue
			}
			n, newest = n+1, x.date
			switch x.review {
			case "":
				states["received"]++
			case "hasIssues", "edited":
				states[x.review]++
			}
		}
		meta["submissions"], meta["lastSubmission"], meta["reviewStates"] = n, shownOrNull(newest), states
	}
	header(w, "application/json; charset=utf-8")
	writeJSON(w, meta)
}

// showSubmission is GET …/submissions/{id}, for ids of every form.
func (s *Server) showSubmission(w http.ResponseWriter, v *view, escaped string) {
	id, _ := url.PathUnescape(escaped)
	x := v.known(id)[id]
	if x == nil || x.hidden {
		errNotFound.send(w)
		return
	}
	header(w, "application/json; charset=utf-8")
	writeJSON(w, map[string]any{
		"instanceId": x.id, "createdAt": shown(x.date), "updatedAt": shownOrNull(x.updated), "deletedAt": shownOrNull(x.deleted),
		"reviewState": orNull(x.review), "currentVersion": map[string]any{"instanceId": x.instance, "current": true},
	})
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
