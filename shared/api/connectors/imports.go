package connectors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

const (
	// keyLife is how long an Idempotency-Key is kept.
	keyLife = 24 * time.Hour
	// longestKey is in bytes.
	longestKey = 255
	// orderAttempts is how often an import is tried to be opened while others change
	// the connector.
	orderAttempts = 5
	// mostRunsRead is how many runs a page of imports looks through.
	mostRunsRead = 500
)

// importBody says whom an import takes; with nothing, everybody whom the
// connector's domain selects.
type importBody struct {
	Registrants []int64         `json:"registrants"`
	Domain      json.RawMessage `json:"domain"`
	Window      *windowBody     `json:"window"`
}

// openImport opens an import, also of a connector that is stopped.
func (s *service) openImport(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	registrants, selection, err := s.readImport(w, r, c)
	if err != nil {
		return err
	}
	order := seeding.Order{
		Registrants: registrants, Key: key, Digest: digestOf(registrants, selection),
		Run: seeding.Run{ID: s.NewID(), Kind: seeding.Import, Selection: selection},
	}
	change := s.change(r, seeding.ChangeImport, c)
	change.Run = order.Run.ID
	run, opened, err := s.order(r, c.ID, order, change)
	if opened || err != nil {
		s.changed(r, "import", c, err, "run", run.ID)
	}
	if err != nil {
		return err
	}
	if opened {
		s.invokeSubmit(r.Context(), c.ID)
	}
	w.Header().Set("Location", "/connectors/"+c.ID+"/runs/"+run.ID)
	return s.replyRun(w, r, http.StatusAccepted, run)
}

// idempotencyKey is that of a request; "" if it has none.
func idempotencyKey(r *http.Request) (string, error) {
	const name = "Idempotency-Key"
	given := r.Header.Values(name)
	if len(given) == 0 {
		return "", nil
	}
	if len(given) > 1 || given[0] == "" || len(given[0]) > longestKey || strings.ContainsFunc(given[0], func(c rune) bool { return c < ' ' || c > '~' }) {
		return "", api.NewProblem(api.WrongParameters, "The header "+name+" cannot be used.", api.FieldError{Parameter: name, Flaw: api.Flaw{
			Code: "idempotency_key", Params: api.Params{"most": longestKey}, Detail: "must be given once, with 1 to 255 printable characters of ASCII",
		}})
	}
	return given[0], nil
}

// readImport reads whom an import is to take. The registrants are sorted, each once.
func (s *service) readImport(w http.ResponseWriter, r *http.Request, c seeding.Connector) (registrants []int64, selection seeding.Selection, err error) {
	var body importBody
	wrong, err := openapi.Read(w, r, &body)
	if err != nil {
		return nil, selection, err
	}
	checkSource(c, &wrong, map[string]bool{"/registrants": body.Registrants != nil, "/domain": body.Domain != nil}, map[string]bool{"/window": body.Window != nil})
	if body.Domain != nil && body.Registrants != nil {
		wrong.Add("/domain", api.Flaw{Code: "together", Params: api.Params{"with": "registrants"}, Detail: "cannot be given together with registrants"})
	}
	domain, flaw := domainOf(body.Domain, "")
	if flaw != nil {
		wrong.Add("/domain", *flaw)
	}
	if domain != "" && !wrong.Touch("/domain") {
		own := c
		own.Source.Domain = domain
		found, _ := s.rules().Check(setup.Proposal{Connector: own, Before: &c, Now: s.Now()})
		for _, finding := range found {
			if finding.Field == setup.Domain {
				wrong.Add("/domain", flawOf(finding))
			}
		}
	}
	registrants = distinct(body.Registrants)
	window := body.Window.read(&wrong)
	return registrants, seeding.Selection{Listed: len(registrants), Domain: domain, Window: window}, wrong.Err()
}

// digestOf tells requests for imports apart.
func digestOf(registrants []int64, s seeding.Selection) string {
	text := fmt.Appendf(nil, "%d\n%s", registrants, s.Domain)
	if s.Window != (seeding.Window{}) {
		text = fmt.Appendf(text, "\n%d %d", s.Window.From.UnixMilli(), s.Window.To.UnixMilli())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// order opens an import, or finds the one that a request with the same key opened.
func (s *service) order(r *http.Request, connector string, o seeding.Order, change seeding.Change) (run seeding.Run, opened bool, err error) {
	ctx := r.Context()
	for range orderAttempts {
		if o.Key != "" {
			if run, err = s.ordered(ctx, connector, o); !errors.Is(err, seeding.ErrNotFound) {
				return run, false, err
			}
		}
		c, err := s.Store.Connector(ctx, connector)
		if err != nil {
			return run, false, err
		}
		state, err := s.Store.State(ctx, connector)
		if err != nil {
			return run, false, err
		}
		if len(state.Imports) >= seeding.MaxImports {
			return run, false, api.NewProblem(manyImports, fmt.Sprintf(
				"%d imports of this connector are open, which is the most. Wait until one is completed, or cancel one: POST /connectors/%s/runs/{run}/cancel.", len(state.Imports), connector))
		}
		now := s.Now().UTC().Truncate(time.Millisecond)
		if !now.After(state.Halted) { // the clocks of two functions differ, and it is opened after the stop
			now = state.Halted.Add(time.Millisecond)
		}
		o.Expires = now.Add(keyLife)
		o.Run.Connector, o.Run.Registry, o.Run.Version = connector, c.RegistryKey(), c.Version
		change.Version = c.Version
		o.Run.Started, o.Run.Passes, o.Run.PassStarted, o.Run.Expected = now, 1, now, len(o.Registrants)
		if err = s.Store.OpenImport(ctx, o, now, change); !errors.Is(err, seeding.ErrConflict) {
			return o.Run, err == nil, err
		}
	}
	return run, false, seeding.ErrConflict
}

// ordered finds the import of a key.
func (s *service) ordered(ctx context.Context, connector string, o seeding.Order) (seeding.Run, error) {
	id, digest, err := s.Store.OrderedImport(ctx, connector, o.Key, s.Now())
	if err != nil {
		return seeding.Run{}, err
	}
	if digest != o.Digest {
		return seeding.Run{}, api.NewProblem(otherRequest, "This Idempotency-Key was sent with another body within the last day, and opened the import "+id+". Send a new key for another import.")
	}
	return s.Store.Run(ctx, connector, id)
}

// replyRun writes the document of a run.
func (s *service) replyRun(w http.ResponseWriter, r *http.Request, status int, run seeding.Run) error {
	state, err := s.Store.State(r.Context(), run.Connector)
	if err != nil {
		return err
	}
	document, err := s.describe(r.Context(), state, run)
	if err != nil {
		return err
	}
	api.Reply(w, status, document)
	return nil
}

// imports lists the imports of a connector, newest first.
func (s *service) imports(w http.ResponseWriter, r *http.Request) error {
	state, err := s.loadState(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "imports of "+state.Connector, 100)
	if err != nil {
		return err
	}
	list, mark := []runDocument{}, page.Mark
	for read := 0; read < mostRunsRead; {
		found, next, err := s.Store.ListRuns(r.Context(), state.Connector, mark, 100)
		if err != nil {
			return err
		}
		read += len(found)
		for i, run := range found {
			mark = run.ID
			if run.Kind != seeding.Import {
				continue
			}
			document, err := s.describe(r.Context(), state, run)
			if err != nil {
				return err
			}
			if list = append(list, document); len(list) == page.Limit && (i+1 < len(found) || next != "") {
				return replyImports(w, list, page.Cursor(mark))
			}
		}
		if next == "" {
			return replyImports(w, list, "")
		}
	}
	return replyImports(w, list, page.Cursor(mark))
}

func replyImports(w http.ResponseWriter, list []runDocument, next string) error {
	api.Reply(w, http.StatusOK, struct {
		Imports []runDocument `json:"imports"`
		Next    string        `json:"next,omitempty"`
	}{list, next})
	return nil
}

// cancel ends an open run: it makes no batch any more, and those under way are still
// answered and counted.
func (s *service) cancel(w http.ResponseWriter, r *http.Request) error {
	_, run, err := s.loadRun(r)
	if err != nil {
		return err
	}
	if !run.Completed.IsZero() {
		if run.Ending == seeding.EndedByCancel {
			return s.replyRun(w, r, http.StatusAccepted, run)
		}
		return runIsOver()
	}
	c, err := s.load(r)
	if err != nil {
		return err
	}
	change := s.change(r, seeding.ChangeCancel, c)
	change.Run = run.ID
	err = s.Store.CancelRun(r.Context(), run, s.Now().UTC(), change)
	if errors.Is(err, seeding.ErrConflict) { // it ended meanwhile
		return runIsOver()
	}
	s.changed(r, "cancel", c, err, "run", run.ID)
	if err != nil {
		return err
	}
	s.invokeSubmit(r.Context(), c.ID)
	return s.replyRun(w, r, http.StatusAccepted, run)
}

func runIsOver() *api.Problem {
	return api.NewProblem(runOver, "The run is completed, so there is nothing to cancel. Read it to see what became of it.")
}

// listedDocument is what became of a registrant that was listed for an import.
type listedDocument struct {
	Registrant int64              `json:"registrant"`
	Identifier int64              `json:"identifier,omitempty"` // that holds its VID
	Outcome    string             `json:"outcome"`
	Rejection  *rejectionDocument `json:"rejection,omitempty"`
}

// Outcomes that are no seeding.Unsent.
const (
	outcomeWaiting   = "waiting"     // the run has not come to it
	outcomeLeft      = "not_reached" // the run ended before it came to it
	outcomeSent      = "sent"
	outcomeTokenised = "tokenised"
)

// listed tells what became of the registrants that were listed for an import.
func (s *service) listed(w http.ResponseWriter, r *http.Request) error {
	state, run, err := s.loadRun(r)
	if err != nil {
		return err
	}
	page, err := api.ReadPage(r, "registrants of "+run.Connector+" "+run.ID, 100)
	if err != nil {
		return err
	}
	after, err := strconv.ParseInt("0"+page.Mark, 10, 64)
	if err != nil {
		return api.BadCursor()
	}
	var entries []seeding.Listed
	more := run.Selection.Listed > 0
	for more && len(entries) <= page.Limit {
		part, found, err := s.Store.ListedPart(r.Context(), run.Connector, run.ID, after)
		if err != nil {
			return err
		}
		for _, entry := range part.Entries {
			if entry.Registrant > after {
				entries = append(entries, entry)
			}
		}
		if len(entries) > 0 {
			after = entries[len(entries)-1].Registrant
		}
		more = found && !part.Last
	}
	next := ""
	if len(entries) > page.Limit {
		entries = entries[:page.Limit]
		next = strconv.FormatInt(entries[page.Limit-1].Registrant, 10)
	}
	c, err := s.load(r)
	if err != nil {
		return err
	}
	list, err := s.describeListed(r.Context(), c, state, run, entries)
	if err != nil {
		return err
	}
	api.Reply(w, http.StatusOK, struct {
		Registrants []listedDocument `json:"registrants"`
		Next        string           `json:"next,omitempty"`
	}{list, page.Cursor(next)})
	return nil
}

func (s *service) describeListed(ctx context.Context, c seeding.Connector, state seeding.State, run seeding.Run, entries []seeding.Listed) ([]listedDocument, error) {
	var vids []int64
	for _, entry := range entries {
		if entry.Identifier > 0 {
			vids = append(vids, entry.Identifier)
		}
	}
	mine, err := s.ownRejections(ctx, run, vids)
	if err != nil {
		return nil, err
	}
	known, err := s.knowsTokenised(ctx, run)
	if err != nil {
		return nil, err
	}
	attempts := s.attemptsNow(state)
	list := []listedDocument{}
	for _, entry := range entries {
		x, rejected := mine[entry.Identifier]
		document := listedDocument{Registrant: entry.Registrant, Identifier: entry.Identifier, Outcome: outcomeOf(run, entry, x, known)}
		if rejected && document.Outcome == string(seeding.UnsentRejected) {
			of := newRejectionDocument(x, c, attempts)
			document.Rejection = &of
		}
		list = append(list, document)
	}
	return list, nil
}

// ownRejections are the rejections of a run's connector at these identifiers.
func (s *service) ownRejections(ctx context.Context, run seeding.Run, identifiers []int64) (map[int64]seeding.Rejection, error) {
	rejections, err := s.Store.RejectionsAt(ctx, run.Registry, identifiers)
	if seeding.IgnoreDamaged(err) != nil {
		return nil, err
	}
	mine := map[int64]seeding.Rejection{}
	for _, x := range rejections {
		if x.Connector == run.Connector {
			mine[x.Identifier] = x
		}
	}
	return mine, nil
}

// knowsTokenised reports whether everybody of a list who was sent, and has no rejection
// of the run, was tokenised. A rejection goes without a token when its registrant is not
// selected any more, and who was in a lost batch may not be sent again: then nothing
// tells who it was, and only the number of tokens shows that there is somebody.
func (s *service) knowsTokenised(ctx context.Context, run seeding.Run) (bool, error) {
	switch {
	case run.Completed.IsZero() || run.Totals.Pending() > run.Again: // those of lost batches were sent again
		return false, nil
	case run.Totals.Tokenised == run.Totals.Sent:
		return true, nil
	}
	var sent []int64
	for after, more := int64(0), run.Selection.Listed > 0; more; {
		part, found, err := s.Store.ListedPart(ctx, run.Connector, run.ID, after)
		if err != nil {
			return false, err
		}
		for _, entry := range part.Entries {
			if after = entry.Registrant; entry.Unsent == "" && entry.Identifier > 0 {
				sent = append(sent, entry.Identifier)
			}
		}
		more = found && !part.Last
	}
	missing := len(sent) - run.Totals.Tokenised
	for some := range slices.Chunk(sent, seeding.MaxListedPart) {
		if missing <= 0 {
			break
		}
		mine, err := s.ownRejections(ctx, run, some)
		if err != nil {
			return false, err
		}
		for _, identifier := range some {
			if isOf(run, mine[identifier]) {
				missing--
			}
		}
	}
	return missing <= 0, nil
}

// isOf reports whether a rejection is one since the run began.
func isOf(run seeding.Run, x seeding.Rejection) bool {
	return x.Kind != "" && !x.LastAttempt.Before(run.Started)
}

// outcomeOf is what became of a listed registrant, whose rejection is before. known says
// that who was sent and has none was tokenised.
func outcomeOf(run seeding.Run, entry seeding.Listed, rejection seeding.Rejection, known bool) string {
	over := !run.Completed.IsZero()
	switch reached := !run.FirstPass() || entry.Registrant <= run.Cursor; {
	case !reached && over:
		return outcomeLeft
	case !reached:
		return outcomeWaiting
	case entry.Unsent != "":
		return string(entry.Unsent)
	case isOf(run, rejection):
		return string(seeding.UnsentRejected)
	case known:
		return outcomeTokenised
	}
	return outcomeSent
}
