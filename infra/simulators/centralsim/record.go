package centralsim

import (
	"crypto/sha1"
	"encoding/hex"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shape says what of a record is shown.
type shape struct {
	expand bool
	wkt    bool            // points as text
	chosen map[string]bool // by $select, with a leading slash for fields; nil: everything
	pad    int             // bytes of padding, by a fault
}

// writer appends JSON in the order of Central.
type writer struct{ b []byte }

func (w *writer) key(name string) {
	if last := w.b[len(w.b)-1]; last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
	w.text(name)
	w.b = append(w.b, ':')
}

// text is JSON.stringify of a text: UTF-8, and only what must be is escaped.
func (w *writer) text(s string) {
	w.b = append(w.b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b = append(w.b, '\\', byte(r))
		case r == '\n':
			w.b = append(w.b, `\n`...)
		case r == '\r':
			w.b = append(w.b, `\r`...)
		case r == '\t':
			w.b = append(w.b, `\t`...)
		case r < ' ':
			w.b = append(w.b, `\u00`...)
			w.b = append(w.b, hex.EncodeToString([]byte{byte(r)})...)
		default:
			w.b = utf8.AppendRune(w.b, r)
		}
	}
	w.b = append(w.b, '"')
}

func (w *writer) textOrNull(s string) {
	if s == "" {
		w.b = append(w.b, "null"...)
		return
	}
	w.text(s)
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

func (w *writer) number(n int) { w.b = strconv.AppendInt(w.b, int64(n), 10) }

func (w *writer) momentOrNull(micros int64) {
	if micros == 0 {
		w.raw("null")
		return
	}
	w.text(shown(micros))
}

// appendRecord appends a submission as OData shows it (facts/odk.md 8).
func appendRecord(b []byte, f *view, x *submission, s shape) []byte {
	w := &writer{append(b, '{')}
	if !f.encrypted {
		w.fields(f.tree.children, x.answers, x.rows, x, "", "Submissions('"+url.PathEscape(x.id)+"')", s)
	}
	if s.pad > 0 {
		w.key("padding")
		w.text(strings.Repeat("x", s.pad))
	}
	if s.chosen == nil || s.chosen["__id"] {
		w.key("__id")
		w.text(x.id)
	}
	w.system(f, x, s.chosen)
	w.raw("}")
	return w.b
}

// fields appends the members of a group, a record or a row.
func (w *writer) fields(list []*node, answers string, rows []row, x *submission, prefix, link string, s shape) {
	for _, n := range list {
		path := strings.TrimPrefix(n.Path, prefix)
		switch {
		case n.Type == "repeat":
			if s.chosen == nil {
				w.repeat(n, rows, x, link, s)
			}
		case !s.shows(n.Path, n.Type == "structure"):
		case n.Type == "structure":
			w.key(n.Name)
			w.raw("{")
			w.fields(n.children, answers, rows, x, prefix, link, s)
			w.raw("}")
		default:
			w.key(n.Name)
			text := answer(answers, path)
			if n.Path == "/meta/instanceID" {
				text = x.instance
			}
			w.value(n.Type, text, s.wkt)
		}
	}
}

// repeat appends the rows of a repeat: a link, and only if there are some.
func (w *writer) repeat(n *node, rows []row, x *submission, link string, s shape) {
	count := 0
	for i := range rows {
		if rows[i].path != n.Path {
			continue
		}
		if s.expand {
			if count == 0 {
				w.key(n.Name)
				w.raw("[")
			} else {
				w.raw(",")
			}
			id := rowID(x.id, link, n.Path, count)
			w.raw("{")
			w.key("__id")
			w.text(id)
			w.fields(n.children, rows[i].answers, rows[i].rows, x, n.Path, link+"/"+n.Name+"('"+id+"')", s)
			w.raw("}")
		}
		count++
	}
	if count == 0 {
		return
	}
	if s.expand {
		w.raw("]")
	}
	w.key(n.Name + "@odata.navigationLink")
	w.text(link + "/" + n.Name)
}

// rowID is the id of a row: 40 hexadecimal digits, the same as long as it is there.
func rowID(submission, link, path string, place int) string {
	sum := sha1.Sum([]byte(submission + link + path + strconv.Itoa(place)))
	return hex.EncodeToString(sum[:])
}

// shows reports whether a field was chosen, or something in or around it.
func (s shape) shows(path string, group bool) bool {
	if s.chosen == nil {
		return true
	}
	for p := path; p != ""; p = p[:strings.LastIndexByte(p, '/')] {
		if s.chosen[p] {
			return true
		}
	}
	for p := range s.chosen {
		if group && strings.HasPrefix(p, path+"/") {
			return true
		}
	}
	return false
}

// systemFields are those of __system, in their order.
var systemFields = []string{"submissionDate", "updatedAt", "submitterId", "submitterName", "attachmentsPresent", "attachmentsExpected",
	"status", "reviewState", "deviceId", "edits", "formVersion", "deletedAt"}

func (w *writer) system(f *view, x *submission, chosen map[string]bool) {
	opened := false
	for _, name := range systemFields {
		if chosen != nil && !chosen["__system"] && !chosen["__system/"+name] || name == "deletedAt" && f.release < withDeletion {
			continue
		}
		if !opened {
			w.key("__system")
			w.raw("{")
			opened = true
		}
		w.key(name)
		switch name {
		case "submissionDate":
			w.momentOrNull(x.date)
		case "updatedAt":
			w.momentOrNull(x.updated)
		case "deletedAt":
			w.momentOrNull(x.deleted)
		case "submitterId", "submitterName":
			switch {
			case x.by == nil:
				w.raw("null")
			case name == "submitterId":
				w.text(x.by.number())
			default:
				w.text(x.by.email)
			}
		case "attachmentsPresent":
			w.number(x.present)
		case "attachmentsExpected":
			w.number(x.expected)
		case "status":
			switch {
			case f.encrypted && x.present < x.expected:
				w.text("missingEncryptedFormData")
			case f.encrypted:
				w.text("notDecrypted")
			default:
				w.raw("null")
			}
		case "reviewState":
			w.textOrNull(x.review)
		case "edits":
			w.number(x.edits)
		case "formVersion":
			w.text(x.version)
		default:
			w.raw("null")
		}
	}
	if opened {
		w.raw("}")
	}
}

// value appends an answer as a field of its type shows it.
func (w *writer) value(kind, text string, wkt bool) {
	if text == "" {
		w.raw("null")
		return
	}
	switch kind {
	case "int":
		w.raw(double(wholePrefix.FindString(strings.TrimSpace(text))))
	case "decimal":
		w.raw(double(decimalPrefix.FindString(strings.TrimSpace(text))))
	case "dateTime":
		if shortOffset.MatchString(text) {
			text += ":00"
		}
		w.text(text)
	case "geopoint", "geotrace":
		w.raw(geography(kind, text, wkt))
	default:
		w.text(text)
	}
}

var (
	wholePrefix   = regexp.MustCompile(`^[+-]?[0-9]+`)
	decimalPrefix = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`)
	shortOffset   = regexp.MustCompile(`T.*[+-][0-9]{2}$`)
)

// double is what JavaScript prints for a number: a double, so that 16 digits may come
// out as others; null for none.
func double(text string) string {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) {
		return "null"
	}
	if size := math.Abs(n); size != 0 && (size >= 1e21 || size < 1e-6) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(n, 'e', -1, 64), "e")
		return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
	}
	return strconv.FormatFloat(n+0, 'f', -1, 64)
}

// geography is a geopoint ("latitude longitude altitude accuracy") or a geotrace, which
// is several with ";" between them; null for what cannot be read.
func geography(kind, text string, wkt bool) string {
	var points, plain []string
	properties := ""
	for part := range strings.SplitSeq(strings.TrimRight(strings.TrimSpace(text), ";"), ";") {
		numbers := strings.Fields(part)
		if len(numbers) < 2 {
			return "null"
		}
		for _, n := range numbers {
			if _, err := strconv.ParseFloat(n, 64); err != nil {
				return "null"
			}
		}
		point := []string{double(numbers[1]), double(numbers[0])}
		if len(numbers) > 2 {
			point = append(point, double(numbers[2]))
		}
		if len(numbers) > 3 && kind == "geopoint" {
			properties = `,"properties":{"accuracy":` + double(numbers[3]) + `}`
		}
		points = append(points, "["+strings.Join(point, ",")+"]")
		plain = append(plain, strings.Join(point, " "))
	}
	switch {
	case kind == "geopoint" && len(points) != 1 || kind == "geotrace" && len(points) < 2:
		return "null"
	case wkt && kind == "geopoint":
		return `"POINT (` + plain[0] + `)"`
	case wkt:
		return `"LINESTRING (` + strings.Join(plain, ",") + `)"`
	case kind == "geopoint":
		return `{"type":"Point","coordinates":` + points[0] + properties + "}"
	}
	return `{"type":"LineString","coordinates":[` + strings.Join(points, ",") + "]}"
}
