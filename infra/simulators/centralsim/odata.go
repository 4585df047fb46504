package centralsim

import (
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var one = regexp.MustCompile(`^Submissions\('((?:uuid:)?[A-Za-z0-9-]+)'\)$`)

// data answers below the .svc of a form.
func (s *Server) data(w http.ResponseWriter, r *http.Request, v *view, rest []string) {
	w.Header().Set("OData-Version", "4.0")
	path, err := url.PathUnescape(strings.Join(rest, "/"))
	single := one.FindStringSubmatch(path)
	switch {
	case err != nil:
		errNotFound.send(w)
	case path == "":
		s.service(w, v)
	case path == "$metadata":
		header(w, "application/xml")
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0"></edmx:Edmx>`)
	case path == "Submissions":
		s.submissions(w, r, v)
	case single != nil:
		s.single(w, r, v, single[1])
	default:
		s.repeats(w, r, v, path)
	}
}

func (v *view) repeatTables() (tables []string) {
	for _, f := range v.fields {
		if f.Type == "repeat" {
			tables = append(tables, "Submissions"+strings.ReplaceAll(f.Path, "/", "."))
		}
	}
	return tables
}

func (s *Server) service(w http.ResponseWriter, v *view) {
	type set struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
		URL  string `json:"url"`
	}
	sets := []set{{"Submissions", "EntitySet", "Submissions"}}
	for _, t := range v.repeatTables() {
		sets = append(sets, set{t, "EntitySet", t})
	}
	header(w, "application/json; charset=utf-8")
	writeJSON(w, struct {
		Context string `json:"@odata.context"`
		Value   []set  `json:"value"`
	}{s.context(v, ""), sets})
}

func (s *Server) context(v *view, table string) string {
	return s.options.Domain + v.path + "/$metadata" + table
}

// submissions is the list, whole, a window or a page.
func (s *Server) submissions(w http.ResponseWriter, r *http.Request, v *view) {
	q, refused := s.parseQuery(r, v, "Submissions")
	if refused != nil {
		refused.send(w)
		return
	}
	found := q.run(v.list, v.known(q.anchor))
	tail := `],"@odata.context":` + quote(s.context(v, "#Submissions"))
	if found.more {
		tail += `,"@odata.nextLink":` + quote(s.nextLink(v.path+"/Submissions", q, found))
	}
	if q.count {
		tail += `,"@odata.count":` + strconv.Itoa(found.matching)
	}
	tail += "}"
	s.mu.Lock()
	if q.top == 0 {
		s.counters.Counts++
	} else {
		s.counters.Lists++
	}
	s.mu.Unlock()
	if q.top == 0 && q.count {
		s.whole(w, r, `{"value":[`+tail)
		return
	}
	if tag := s.eventTag(found.page); tag != "" {
		w.Header().Set("ETag", tag)
		if same(r, tag) {
			s.notModified(w)
			return
		}
	}
	q.shape.pad = s.Faults().PadBytes
	s.stream(w, r, v, q.shape, found.page, tail)
}

func quote(text string) string {
	w := &writer{}
	w.text(text)
	return string(w.b)
}

// eventTag changes with the submissions that were selected; "" before there were tags.
func (s *Server) eventTag(page []*submission) string {
	if s.release < withETags {
		return ""
	}
	if len(page) == 0 {
		return `W/"eventhash:` + strings.Repeat("0", 32) + `"`
	}
	hash := md5.New()
	for _, x := range page {
		fmt.Fprintf(hash, "%d %d,", x.number, x.event)
	}
	return `W/"eventhash:` + hex.EncodeToString(hash.Sum(nil)) + `"`
}

// same reports whether a request has exactly this tag, weak or strong.
func same(r *http.Request, tag string) bool {
	return strings.TrimPrefix(r.Header.Get("If-None-Match"), "W/") == strings.TrimPrefix(tag, "W/")
}

func (s *Server) notModified(w http.ResponseWriter) {
	s.mu.Lock()
	s.counters.NotModified++
	s.mu.Unlock()
	header(w, "application/json; charset=utf-8")
	w.Header().Del("Content-Type")
	w.WriteHeader(http.StatusNotModified)
}

// whole sends a small reply, whose tag is that of its bytes.
func (s *Server) whole(w http.ResponseWriter, r *http.Request, body string) {
	sum := sha1.Sum([]byte(body))
	tag := fmt.Sprintf(`W/"%x-%s"`, len(body), hex.EncodeToString(sum[:])[:27])
	w.Header().Set("ETag", tag)
	if same(r, tag) {
		s.notModified(w)
		return
	}
	header(w, "application/json; charset=utf-8")
	_, _ = io.WriteString(w, body)
}

// single is one submission. A $filter is ignored.
func (s *Server) single(w http.ResponseWriter, r *http.Request, v *view, id string) {
	values, _ := url.ParseQuery(r.URL.RawQuery)
	values.Del("$filter")
	stripped := r.Clone(r.Context())
	stripped.URL.RawQuery = values.Encode()
	q, refused := s.parseQuery(stripped, v, "Submissions")
	x := v.known(id)[id]
	switch {
	case refused != nil:
		refused.send(w)
	case x == nil || x.hidden || x.deleted != 0:
		errNotFound.send(w)
	default:
		s.whole(w, r, `{"value":[`+string(appendRecord(nil, v, x, q.shape))+`],"@odata.context":`+quote(s.context(v, "#Submissions"))+"}")
	}
}

// repeats is a repeat table, or the rows of one submission. It reads everything.
func (s *Server) repeats(w http.ResponseWriter, r *http.Request, v *view, path string) {
	table := path
	var of string
	if first, after, ok := strings.Cut(path, "/"); ok && one.MatchString(first) && !strings.Contains(after, "/") {
		of, table = one.FindStringSubmatch(first)[1], "Submissions."+after
	}
	if !slices.Contains(v.repeatTables(), table) {
		errNotFound.send(w)
		return
	}
	q, refused := s.parseQuery(r, v, table)
	if refused != nil {
		refused.send(w)
		return
	}
	field := strings.ReplaceAll(strings.TrimPrefix(table, "Submissions"), ".", "/")
	all := query{top: -1, condition: q.condition}
	var rows [][]byte
	for _, x := range all.run(v.list, nil).page {
		if of == "" || x.id == of {
			rows = append(rows, v.rowsOf(x, field)...)
		}
	}
	page := rows[min(q.skip, len(rows)):]
	if q.top >= 0 {
		page = page[:min(q.top, len(page))]
	}
	var body strings.Builder
	body.WriteString(`{"value":[`)
	for i, row := range page {
		if i > 0 {
			body.WriteByte(',')
		}
		body.Write(row)
	}
	body.WriteString(`],"@odata.context":` + quote(s.context(v, "#"+table)))
	if q.count {
		body.WriteString(`,"@odata.count":` + strconv.Itoa(len(rows)))
	}
	body.WriteByte('}')
	header(w, "application/json; charset=utf-8")
	_, _ = io.WriteString(w, body.String())
}

// rowsOf are the rows of a submission in a repeat, at whatever depth.
func (v *view) rowsOf(x *submission, path string) (rows [][]byte) {
	var walk func(list []*node, in []row, link string, parent, parentTable string)
	walk = func(list []*node, in []row, link, parent, parentTable string) {
		for _, n := range list {
			if n.Type == "structure" {
				walk(n.children, in, link, parent, parentTable)
			}
			if n.Type != "repeat" || path != n.Path && !strings.HasPrefix(path, n.Path+"/") {
				continue
			}
			place := 0
			for i := range in {
				if in[i].path != n.Path {
					continue
				}
				id := rowID(x.id, link, n.Path, place)
				place++
				deeper := link + "/" + n.Name + "('" + id + "')"
				if path == n.Path {
					w := &writer{[]byte{'{'}}
					w.key("__id")
					w.text(id)
					w.key("__" + parentTable + "-id")
					w.text(parent)
					w.fields(n.children, in[i].answers, in[i].rows, x, n.Path, deeper, shape{})
					rows = append(rows, append(w.b, '}'))
					continue
				}
				walk(n.children, in[i].rows, deeper, id, "Submissions"+strings.ReplaceAll(n.Path, "/", "-"))
			}
		}
	}
	walk(v.tree.children, x.rows, "Submissions('"+url.PathEscape(x.id)+"')", x.id, "Submissions")
	return rows
}

// stream sends a list in chunks, record by record, with the faults of the moment.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, v *view, shape shape, page []*submission, tail string) {
	stop, after := s.stopping()
	slow := time.Duration(s.Faults().SlowMS) * time.Millisecond
	header(w, "application/json; charset=utf-8")
	out, flush, end := s.body(w, r)
	buffer := []byte(`{"value":[`)
	send := func() {
		_, _ = out.Write(buffer) // the client is gone
		buffer = buffer[:0]
	}
	flush() // chunked from the first byte, without a Content-Length
	for i, x := range page {
		if stop != "" && i >= after {
			break
		}
		if i > 0 {
			buffer = append(buffer, ',')
		}
		buffer = appendRecord(buffer, v, x, shape)
		if slow > 0 {
			send()
			flush()
			s.options.Sleep(slow)
		} else if len(buffer) > 32<<10 {
			send()
		}
		if r.Context().Err() != nil {
			return
		}
	}
	if stop == "" {
		buffer = append(buffer, tail...)
		send()
		end()
		return
	}
	send()
	flush()
	if silence := s.Faults().SilenceMS; stop == Silence && silence > 0 {
		s.options.Sleep(millis(silence))
		stop = Ended
	} else if stop == Silence {
		<-r.Context().Done() // until the client hangs up
	}
	if stop == Ended {
		end()
		return
	}
	hangUp(w)
}

// body is where a list is written: compressed by nginx for a client that takes it.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (out io.Writer, flush, end func()) {
	direct := func() { _ = http.NewResponseController(w).Flush() }
	if s.options.Bare || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return w, direct, func() {}
	}
	w.Header().Set("Content-Encoding", "gzip")
	z, _ := gzip.NewWriterLevel(w, 1) // nginx takes 6, which only costs the tests more
	return z, func() { _ = z.Flush(); direct() }, func() { _ = z.Close() }
}
