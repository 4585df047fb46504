package connectors

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// Pages of rejections.
const (
	mostRejections = 500    // of a page as JSON
	mostRows       = 10_000 // of one as CSV
	// rowsAtOnce, and one more to see whether others follow, are a request of the store.
	rowsAtOnce = 990
	// enoughCSV is when a page as CSV ends, in bytes: with the next thousand rows, and
	// as JSON, in which a quote takes two bytes, it is below the 6 MB that Lambda sends.
	enoughCSV = 7 << 19
	// mostCounted is how many rejections are counted for a reply; where there are more
	// the count of the last run is given.
	mostCounted = 2000
)

// How many calls of ListRejections one request makes: a registry may have any number of
// rejections of other connectors, and of those that a filter leaves out, and each call
// reads some ten thousand, which are 2 MB.
const (
	callsOfPage  = 4
	callsOfCount = 2 // groups are polled
	callsOfCSV   = mostRows/rowsAtOnce + 1
	callsOfRetry = 10
)

// listRejections reads rejections of a connector, up to limit, by a bounded number of calls. next
// is where it ended, "" if there are no more.
func (s *service) listRejections(ctx context.Context, registry, connector string, filter seeding.RejectionFilter, after string, limit, calls int) (list []seeding.Rejection, next string, err error) {
	for next = after; calls > 0 && len(list) < limit; calls-- {
		var found []seeding.Rejection
		found, next, err = s.Store.ListRejections(ctx, registry, connector, filter, next, limit-len(list))
		if err != nil {
			return nil, "", err
		}
		if list = append(list, found...); next == "" {
			break
		}
	}
	return list, next, nil
}

// rejections replies with a page, as JSON or as CSV.
func (s *service) rejections(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	asCSV, most := accepts(r, "application/json", "text/csv") == "text/csv", mostRejections
	if asCSV {
		most = mostRows
	}
	page, filter, err := readRejectionPage(r, c, most)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	if asCSV {
		if !r.URL.Query().Has("limit") {
			page.Limit = mostRows
		}
		return s.replyCSV(w, r, c, page, filter)
	}
	list, next, err := s.rejectionDocuments(r.Context(), c, filter, page.mark, page.Limit)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusOK, struct {
		Rejections []rejectionDocument `json:"rejections"`
		Next       string              `json:"next,omitempty"`
	}{list, page.next(next)})
	return nil
}

// rejectionDocuments are a page of a connector's rejections, from a mark of the store to
// the next one.
func (s *service) rejectionDocuments(ctx context.Context, c seeding.Connector, filter seeding.RejectionFilter, mark string, limit int) (list []rejectionDocument, next string, err error) {
	found, next, err := s.listRejections(ctx, c.RegistryKey(), c.ID, filter, mark, limit, callsOfPage)
	if err != nil {
		return nil, "", err
	}
	attempts, err := s.attemptsOf(ctx, c.ID)
	if err != nil {
		return nil, "", err
	}
	return newRejectionDocuments(found, c, attempts), next, nil
}

func newRejectionDocuments(found []seeding.Rejection, c seeding.Connector, attempts seeding.Attempts) []rejectionDocument {
	list := []rejectionDocument{}
	for _, x := range found {
		list = append(list, newRejectionDocument(x, c, attempts))
	}
	return list
}

// attemptsOf reads when a connector makes its next attempts.
func (s *service) attemptsOf(ctx context.Context, connector string) (seeding.Attempts, error) {
	state, err := s.Store.State(ctx, connector)
	return s.attemptsNow(state), err
}

// accepts is the media type, of those that are offered, that a request prefers; the
// first one if it says nothing.
func accepts(r *http.Request, offered ...string) string {
	best, quality := offered[0], 0.0
	for accepted := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		name, parameters, _ := strings.Cut(accepted, ";")
		q := 1.0
		for parameter := range strings.SplitSeq(parameters, ";") {
			if value, is := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q="); is {
				q, _ = strconv.ParseFloat(value, 64)
			}
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if q > quality && slices.Contains(offered, name) {
			best, quality = name, q
		}
	}
	return best
}

// rejectionPage is a page of rejections, whose cursor holds their filter.
type rejectionPage struct {
	api.Page
	prefix string // of the marks: the filter
	mark   string // of the store
}

func (p rejectionPage) next(mark string) string {
	if mark == "" {
		return ""
	}
	return p.Cursor(p.prefix + mark)
}

// readRejectionPage reads page and filter from the address. A cursor holds the
// filter; beside it another one is an error.
func readRejectionPage(r *http.Request, c seeding.Connector, most int) (p rejectionPage, f seeding.RejectionFilter, err error) {
	if p.Page, err = api.ReadPage(r, "rejections of "+c.ID, most); err != nil {
		return p, f, err
	}
	other := "submission"
	if c.FromODK() {
		other = "registrant"
	}
	if r.URL.Query().Has(other) {
		return p, f, api.NewProblem(api.WrongParameters, "The connector has no rejections of this kind.", api.FieldError{Parameter: other, Flaw: otherSource(c)})
	}
	f = readFilter(r.URL.Query())
	f.Subjects = c.Subjects()
	p.prefix = encodeFilter(f)
	if p.Mark == "" {
		return p, f, nil
	}
	parts := strings.SplitAfterN(p.Mark, "\n", filterParts+1)
	if len(parts) != filterParts+1 {
		return p, f, api.BadCursor()
	}
	held := strings.Join(parts[:filterParts], "")
	if given := p.prefix; given != encodeFilter(seeding.RejectionFilter{}) && given != held {
		return p, f, api.BadCursor()
	}
	p.prefix, p.mark = held, parts[filterParts]
	f = decodeFilter(held)
	f.Subjects = c.Subjects()
	return p, f, nil
}

// readFilter reads parameters that the document has checked.
func readFilter(query url.Values) seeding.RejectionFilter {
	since := strings.ToUpper(query.Get("since"))    // t and z are allowed, too
	since = strings.Replace(since, ":60", ":59", 1) // and a leap second, which Go does not read
	return newFilter(query.Get("kind"), query.Get("code"), since, subjectOf(query.Get("registrant"), query.Get("submission")))
}

// newFilter is a filter of texts; what is empty, or cannot be read, filters nothing.
func newFilter(kind, code, since, subject string) (f seeding.RejectionFilter) {
	f.Group = seeding.Group{Kind: seeding.RejectionKind(kind), Code: code}
	f.Since, _ = time.Parse(time.RFC3339, since)
	f.Since = f.Since.UTC()
	if submission, is := strings.CutPrefix(subject, submissionPrefix); is {
		f.Submission, _ = url.QueryUnescape(submission)
	} else if id, err := strconv.ParseInt(subject, 10, 64); err == nil {
		f.Registrants = []int64{id}
	}
	return f
}

const submissionPrefix = "s:"

// subjectOf is whom a filter selects, in one line.
func subjectOf(registrant, submission string) string {
	if submission != "" {
		return submissionPrefix + url.QueryEscape(submission)
	}
	return registrant
}

// filterParts are the lines of a filter in a cursor.
const filterParts = 4

func encodeFilter(f seeding.RejectionFilter) string {
	since, registrant := "", ""
	if !f.Since.IsZero() {
		since = f.Since.Format(time.RFC3339Nano)
	}
	if len(f.Registrants) > 0 {
		registrant = strconv.FormatInt(f.Registrants[0], 10)
	}
	return string(f.Kind) + "\n" + f.Code + "\n" + since + "\n" + subjectOf(registrant, f.Submission) + "\n"
}

// decodeFilter is the inverse of encodeFilter.
func decodeFilter(text string) seeding.RejectionFilter {
	parts := strings.Split(text, "\n")
	return newFilter(parts[0], parts[1], parts[2], parts[3])
}

var columns = []string{"identifier", "registrant", "kind", "code", "fields", "reason", "attempts", "next_attempt", "since", "last_attempt", "holder", "submission", "received"}

// replyCSV writes a page as CSV (RFC 4180), as many rows as fit into a reply. The
// next page is in the header Link.
func (s *service) replyCSV(w http.ResponseWriter, r *http.Request, c seeding.Connector, page rejectionPage, filter seeding.RejectionFilter) error {
	attempts, err := s.attemptsOf(r.Context(), c.ID)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	out.UseCRLF = true
	_ = out.Write(columns) // a buffer takes every write
	mark := page.mark
	for left, calls := page.Limit, callsOfCSV; left > 0 && calls > 0 && text.Len() < enoughCSV; calls-- {
		found, next, err := s.Store.ListRejections(r.Context(), c.RegistryKey(), c.ID, filter, mark, min(left, rowsAtOnce))
		if err != nil {
			return err
		}
		for _, x := range found {
			_ = out.Write(row(newRejectionDocument(x, c, attempts)))
		}
		out.Flush()
		left -= len(found)
		if mark = next; next == "" {
			break
		}
	}
	if mark != "" {
		query := url.Values{"cursor": {page.next(mark)}, "limit": {strconv.Itoa(page.Limit)}}
		w.Header().Set("Link", "<"+r.URL.Path+"?"+query.Encode()+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="rejections.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text.Bytes()) // the client may be gone
	return nil
}

// row is a rejection as a row of CSV.
func row(x rejectionDocument) []string {
	attempt, holder := "", ""
	if x.NextAttempt != nil {
		attempt = x.NextAttempt.Format(time.RFC3339)
	}
	if x.Holder != 0 {
		holder = strconv.FormatInt(x.Holder, 10)
	}
	received := ""
	if x.Received != nil {
		received = x.Received.UTC().Format(time.RFC3339Nano)
	}
	cells := []string{
		number(x.Identifier), number(x.Registrant), string(x.Kind), x.Code, strings.Join(x.Fields, "+"), x.Reason,
		strconv.Itoa(x.Attempts), attempt, x.Since.UTC().Format(time.RFC3339), x.LastAttempt.UTC().Format(time.RFC3339), holder,
		x.Submission, received,
	}
	for i := range cells {
		cells[i] = harmless(cells[i])
	}
	return cells
}

// number is a number as a cell, empty if there is none.
func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// harmless is a cell that no spreadsheet takes for a formula: an apostrophe stands
// before what could be one.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// groupDocument is how many rejections of a kind and a code there are.
type groupDocument struct {
	Kind seeding.RejectionKind `json:"kind"`
	// Code is absent for the rest of a kind: of several codes, each too rare.
	Code        string     `json:"code,omitempty"`
	Count       int        `json:"count"`
	Oldest      time.Time  `json:"oldest"`
	Newest      time.Time  `json:"newest"`
	NextAttempt *time.Time `json:"next_attempt,omitempty"` // of the first of them
	AskedAgain  *time.Time `json:"asked_again,omitempty"`  // when somebody last asked for another attempt
	Registrants []int64    `json:"registrants"`            // up to five of them
	Submissions []string   `json:"submissions,omitempty"`  // instead, of a connector of ODK

	reasonsDocument
}

// groups replies with the counts of rejections by kind and code.
func (s *service) groups(w http.ResponseWriter, r *http.Request) error {
	state, err := s.loadState(r)
	if err != nil {
		return err
	}
	attempts := s.attemptsNow(state)
	count, complete, err := s.count(r.Context(), state)
	if err != nil {
		return err
	}
	found := []groupDocument{}
	for _, g := range count.Groups() {
		example := seeding.Rejection{Kind: g.Kind, Code: g.Code, Next: g.Next, LastAttempt: g.LastTried, Configured: state.Version}
		document := groupDocument{
			Kind: g.Kind, Code: g.Code, Count: g.Count, Oldest: g.Oldest, Newest: g.Newest, Registrants: seen(g.Registrants), Submissions: g.Submissions,
			NextAttempt: moment(attempts.Rejected(example)),
		}
		if g.Code != "" {
			document.reasonsDocument = reasonsOf(seeding.Rejection{Kind: g.Kind, Code: g.Code, Configured: -1}, seeding.Connector{})
		}
		for asked, at := range state.Retried {
			if at.After(g.FirstTried) && asked.Has(example) && (document.AskedAgain == nil || at.After(*document.AskedAgain)) {
				document.AskedAgain = moment(at)
			}
		}
		found = append(found, document)
	}
	api.Reply(w, http.StatusOK, struct {
		Groups   []groupDocument `json:"groups"`
		Total    int             `json:"total"`
		Counted  time.Time       `json:"counted"`
		Complete bool            `json:"complete"` // false: there are more, which nobody has counted yet
	}{found, count.Total, count.At.UTC(), complete})
	return nil
}

// seen are the registrants that are examples of a group; a version before stored 0 for
// a submission.
func seen(registrants []int64) []int64 {
	return list(slices.DeleteFunc(slices.Clone(registrants), func(id int64) bool { return id == 0 }))
}

// count counts the rejections of a connector: afresh if they are few and soon found,
// else as at the end of its last run. complete is false if neither is possible: there
// may be more.
func (s *service) count(ctx context.Context, state seeding.State) (count seeding.RejectionCount, complete bool, err error) {
	if state.Figures.Rejected < mostCounted {
		found, next, err := s.listRejections(ctx, state.Registry, state.Connector, seeding.RejectionFilter{Subjects: state.Subjects()}, "", mostCounted, callsOfCount)
		if err != nil {
			return count, false, err
		}
		for _, x := range found {
			count.Add(x)
		}
		if count.At = s.Now(); next == "" {
			return count, true, nil
		}
	}
	counted, err := s.Store.CountedRejections(ctx, state.Connector)
	if err != nil {
		return count, false, err
	}
	// A run that ended since the state was read has made a later one, which counts as
	// well. One that the state knows nothing of is of a registry before.
	if state.Figures.Counted.IsZero() || counted.At.Before(state.Figures.Counted) || counted.Total < count.Total {
		count.At = s.Now()
		return count, false, nil
	}
	return counted, true, nil
}

type duplicateDocument struct {
	Registrants []int64   `json:"registrants"`          // who is rejected, if it is a registrant, and who holds the token
	Identifier  int64     `json:"identifier,omitempty"` // of the first, that holds its VID
	Submission  string    `json:"submission,omitempty"` // that is rejected, in place of the first
	Since       time.Time `json:"since"`
}

// duplicates replies with a page of pairs of registrants with one token.
func (s *service) duplicates(w http.ResponseWriter, r *http.Request) error {
	state, err := s.loadState(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "duplicates of "+state.Connector, mostRejections)
	if err != nil {
		return err
	}
	filter := seeding.RejectionFilter{Subjects: state.Subjects(), Group: seeding.Group{Kind: seeding.Duplicate}}
	found, next, err := s.listRejections(r.Context(), state.Registry, state.Connector, filter, page.Mark, page.Limit, callsOfPage)
	if err != nil {
		return err
	}
	list := []duplicateDocument{}
	for _, x := range found {
		d := duplicateDocument{Registrants: []int64{x.Registrant, x.Holder}, Identifier: x.Identifier, Since: x.Since}
		if x.Submission != "" {
			d = duplicateDocument{Registrants: []int64{x.Holder}, Submission: x.Submission, Since: x.Since}
		}
		list = append(list, d)
	}
	api.Reply(w, http.StatusOK, struct {
		Duplicates []duplicateDocument `json:"duplicates"`
		Next       string              `json:"next,omitempty"`
	}{list, page.Cursor(next)})
	return nil
}
