package centralsim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

type project struct {
	id      int
	name    string
	forms   map[string]*Form
	deleted bool
}

// Field is a field, group or repeat of a form, as GET …/fields lists it. Path begins
// with "/", and those of a group or repeat follow it.
type Field struct {
	Path           string `json:"path"`
	Name           string `json:"name"`
	Type           string `json:"type"` // string, int, decimal, date, dateTime, time, geopoint, geotrace, binary, structure, repeat
	Binary         *bool  `json:"binary"`
	SelectMultiple *bool  `json:"selectMultiple"`
}

// Definition is a form as it is made.
type Definition struct {
	ID, Name, Version string
	// Fields are in the order of the form; "/meta" is added at the end.
	Fields []Field
	// Encrypted forms show nothing of a submission but its id and system fields.
	Encrypted bool
	// Unpublished forms have a draft only.
	Unpublished bool
}

// The states of a form.
const (
	Open    = "open"
	Closing = "closing"
	Closed  = "closed"
)

// Form is a form of a project; its Table has the submissions.
type Form struct {
	*Table
	draft   *Table
	project *project

	// Guarded by Server.mu.
	id, name, version string
	state             string
	encrypted         bool
	published         int64 // 0: never
	deleted           bool
	fields            []Field
	tree              *node
}

// node is a field with those in it.
type node struct {
	Field
	children []*node
}

// AddProject adds a project and returns its number.
func (s *Server) AddProject(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &project{id: len(s.projects) + 1, name: name, forms: map[string]*Form{}}
	s.projects = append(s.projects, p)
	return p.id
}

// DeleteProject makes a project and its forms unknown.
func (s *Server) DeleteProject(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.project(id); p != nil {
		p.deleted = true
	}
}

// AddForm adds an open form to a project that exists.
func (s *Server) AddForm(project int, d Definition) *Form {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(project)
	if p == nil {
		panic(fmt.Sprintf("centralsim: no project %d", project))
	}
	f := &Form{
		project: p, id: d.ID, name: cmp.Or(d.Name, d.ID), state: Open, encrypted: d.Encrypted,
		Table: &Table{sim: s, byID: map[string]*submission{}}, draft: &Table{sim: s, byID: map[string]*submission{}},
	}
	f.form, f.draft.form = f, f
	f.define(cmp.Or(d.Version, "1"), d.Fields)
	if !d.Unpublished {
		f.published = s.micros()
	}
	p.forms[d.ID] = f
	return f
}

// Form is a form of a project, or nil.
func (s *Server) Form(project int, id string) *Form {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.form(project, id)
}

// project is called with mu held.
func (s *Server) project(id int) *project {
	if id < 1 || id > len(s.projects) || s.projects[id-1].deleted {
		return nil
	}
	return s.projects[id-1]
}

// form is called with mu held.
func (s *Server) form(project int, id string) *Form {
	p := s.project(project)
	if p == nil || p.forms[id] == nil || p.forms[id].deleted {
		return nil
	}
	return p.forms[id]
}

// define is called with mu held.
func (f *Form) define(version string, fields []Field) {
	yes, no := true, false
	f.version = version
	f.fields = nil
	for _, field := range slices.Concat(fields, []Field{
		{Path: "/meta", Type: "structure"}, {Path: "/meta/instanceID", Type: "string"}, {Path: "/meta/instanceName", Type: "string"},
	}) {
		field.Name = field.Path[strings.LastIndexByte(field.Path, '/')+1:]
		if field.Binary == nil && field.Type == "binary" {
			field.Binary = &yes
		}
		if field.SelectMultiple == nil && field.Type == "select" {
			field.Type, field.SelectMultiple = "string", &no
		}
		f.fields = append(f.fields, field)
	}
	f.tree = &node{}
	at := map[string]*node{"": f.tree}
	for _, field := range f.fields {
		n := &node{Field: field}
		parent := at[field.Path[:strings.LastIndexByte(field.Path, '/')]]
		parent.children = append(parent.children, n)
		at[field.Path] = n
	}
}

// Publish makes a version of the form the present one, in whose shape all submissions
// are shown. The submissions to the draft are gone then.
func (f *Form) Publish(version string, fields []Field) {
	f.sim.mu.Lock()
	defer f.sim.mu.Unlock()
	f.define(version, fields)
	f.published = f.sim.micros()
	f.draft.list, f.draft.byID = nil, map[string]*submission{}
}

// SetState opens or closes the form for new submissions.
func (f *Form) SetState(state string) {
	f.sim.mu.Lock()
	defer f.sim.mu.Unlock()
	f.state = state
}

// Remove deletes the form.
func (f *Form) Remove() {
	f.sim.mu.Lock()
	defer f.sim.mu.Unlock()
	f.deleted = true
}

// Draft has the submissions to the draft of the form.
func (f *Form) Draft() *Table { return f.draft }

// Table is the submissions to a form or to its draft.
type Table struct {
	sim  *Server
	form *Form

	// Guarded by Server.mu. A submission in them is never changed, only replaced, so
	// that a list may be read without the lock.
	list []*submission // by date and number
	byID map[string]*submission
}

// Row is an entry of a repeat.
type Row struct {
	Answers map[string]string // by name, or by path below the repeat: "name", "home/street"
	Rows    map[string][]Row  // of repeats in it, by name
}

// Submission is what a person has filled in.
type Submission struct {
	ID      string            // "": one is made
	Answers map[string]string // by path without the first slash: "person/name"
	Rows    map[string][]Row  // of repeats, by path without the first slash
	At      time.Time         // when it was received; zero is now
	// Hidden ones have their date already and can be read only after Show, as one whose
	// transaction is not committed (facts/odk.md 11).
	Hidden      bool
	By          string // e-mail address of who sent it; "" is nobody known
	Attachments int    // expected, and none is there yet

	kind Kind
}

type submission struct {
	id       string // of the first version
	instance string // of the present version
	number   int64
	date     int64 // microseconds, as all times here
	updated  int64
	deleted  int64
	event    int64 // the last that changes an ETag
	edits    int
	present  int // attachments
	expected int
	review   string
	version  string
	by       *user
	kind     Kind
	hidden   bool
	answers  string // packed
	rows     []row
}

type row struct {
	path    string // of the repeat, with the first slash
	answers string
	rows    []row
}

// Answers are kept as one text, because there may be 50,000 submissions.
const endOfPath, endOfAnswer = "\x1f", "\x1e"

func pack(answers map[string]string) string {
	paths := make([]string, 0, len(answers))
	for path, text := range answers {
		if text != "" {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var b strings.Builder
	for _, path := range paths {
		b.WriteString("/" + path + endOfPath + answers[path] + endOfAnswer)
	}
	return b.String()
}

// answer finds an answer by its path; "" is none.
func answer(packed, path string) string {
	for packed != "" {
		var one string
		one, packed, _ = strings.Cut(packed, endOfAnswer)
		if found, text, _ := strings.Cut(one, endOfPath); found == path {
			return text
		}
	}
	return ""
}

func packRows(parent string, rows map[string][]Row) (packed []row) {
	names := make([]string, 0, len(rows))
	for name := range rows {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path := parent + "/" + name
		for _, r := range rows[name] {
			packed = append(packed, row{path: path, answers: pack(r.Answers), rows: packRows(path, r.Rows)})
		}
	}
	return packed
}

// Submit adds a submission and returns its id. One whose id is there already, also as
// a deleted one, changes nothing.
func (t *Table) Submit(n Submission) string {
	s := t.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.ID == "" {
		n.ID = "uuid:" + s.uuid()
	}
	if t.byID[n.ID] != nil {
		return n.ID
	}
	date := s.micros()
	if !n.At.IsZero() {
		date = s.stored(n.At)
	}
	number := s.next()
	t.insert(&submission{
		id: n.ID, instance: n.ID, number: number, event: number, date: date, hidden: n.Hidden, version: t.form.version,
		by: s.users[strings.ToLower(n.By)], kind: n.kind, answers: pack(n.Answers), rows: packRows("", n.Rows), expected: n.Attachments,
	})
	return n.ID
}

// uuid makes an id. The caller holds mu.
func (s *Server) uuid() string {
	a, b := s.random.Uint64(), s.random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

func byDate(a, b *submission) int {
	return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.number, b.number))
}

// insert is called with mu held. The list is copied if it may be in use.
func (t *Table) insert(one *submission) {
	t.byID[one.id] = one
	i, _ := slices.BinarySearchFunc(t.list, one, byDate)
	if i == len(t.list) {
		t.list = append(t.list, one) // readers of the list see its old length
		return
	}
	t.list = slices.Insert(slices.Clone(t.list), i, one)
}

// change replaces a submission by a changed one. It reports whether there is one.
func (t *Table) change(id string, f func(*submission)) bool {
	s := t.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	before := t.byID[id]
	if before == nil {
		return false
	}
	after := *before
	f(&after)
	i, _ := slices.BinarySearchFunc(t.list, before, byDate)
	t.list = slices.Clone(t.list)
	t.list[i], t.byID[id] = &after, &after
	return true
}

// Show commits a Hidden submission.
func (t *Table) Show(id string) bool {
	return t.change(id, func(x *submission) { x.hidden = false; x.event = t.sim.next() })
}

// Edit replaces the answers of a submission. Its id stays, that of its present version
// changes, and whoever had reviewed it has to do so again.
func (t *Table) Edit(id string, answers map[string]string) bool {
	return t.change(id, func(x *submission) {
		x.answers, x.instance, x.review = pack(answers), "uuid:"+t.sim.uuid(), "edited"
		x.edits++
		x.updated, x.event = t.sim.micros(), t.sim.next()
	})
}

// Review sets the state of review: approved, hasIssues, rejected.
func (t *Table) Review(id, state string) bool {
	return t.change(id, func(x *submission) {
		x.review, x.updated, x.event = state, t.sim.micros(), t.sim.next()
	})
}

// Attach says that a photo has arrived, which changes no date and no ETag.
func (t *Table) Attach(id string) bool {
	return t.change(id, func(x *submission) { x.present++ })
}

// Delete takes a submission out of every window. Its dates stay.
func (t *Table) Delete(id string) bool {
	return t.change(id, func(x *submission) { x.deleted, x.event = t.sim.micros(), t.sim.next() })
}

// Restore brings a deleted submission back into its old window.
func (t *Table) Restore(id string) bool {
	return t.change(id, func(x *submission) { x.deleted, x.event = 0, t.sim.next() })
}

// Purge removes a submission for ever.
func (t *Table) Purge(id string) bool {
	s := t.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	one := t.byID[id]
	if one == nil {
		return false
	}
	delete(t.byID, id)
	t.list = slices.DeleteFunc(slices.Clone(t.list), func(x *submission) bool { return x == one })
	return true
}

// Len is how many submissions can be read.
func (t *Table) Len() (n int) {
	t.sim.mu.Lock()
	defer t.sim.mu.Unlock()
	for _, x := range t.list {
		if !x.hidden && x.deleted == 0 {
			n++
		}
	}
	return n
}

// Entry is a submission as the simulator keeps it.
type Entry struct {
	ID       string            `json:"id"`
	Kind     Kind              `json:"kind"` // "" if Populate did not make it
	Received time.Time         `json:"received"`
	Edits    int               `json:"edits"`
	Answers  map[string]string `json:"answers"`
}

// Entries are the submissions that can be read, the oldest first.
func (t *Table) Entries() []Entry {
	t.sim.mu.Lock()
	defer t.sim.mu.Unlock()
	entries := []Entry{}
	for _, x := range t.list {
		if !x.hidden && x.deleted == 0 {
			entries = append(entries, Entry{x.id, x.kind, time.UnixMicro(x.date).UTC().Truncate(time.Millisecond), x.edits, unpack(x.answers)})
		}
	}
	return entries
}

// Answers are the answers of a submission, and whether there is one.
func (t *Table) Answers(id string) (map[string]string, bool) {
	t.sim.mu.Lock()
	defer t.sim.mu.Unlock()
	one := t.byID[id]
	if one == nil {
		return nil, false
	}
	return unpack(one.answers), true
}

func unpack(packed string) map[string]string {
	all := map[string]string{}
	for packed != "" {
		var pair string
		pair, packed, _ = strings.Cut(packed, endOfAnswer)
		path, text, _ := strings.Cut(pair, endOfPath)
		all[strings.TrimPrefix(path, "/")] = text
	}
	return all
}
