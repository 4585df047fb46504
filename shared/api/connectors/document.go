package connectors

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// Values of input_type.
const (
	fromRegistry = "registry"
	fromODK      = "odk"
)

// Members that have one value today. Others come with later features.
const (
	outputType   = "json"
	deliveryType = "callback"
	httpMethod   = "POST" // of the managed callback, as the next
	authType     = "static_bearer"
)

// connectorDocument is a connector as the API shows it: its configuration, which
// may be sent back as it is, and its state. Secrets are not in it, only whether
// they are set.
type connectorDocument struct {
	ID       string                             `json:"id"`
	Version  int                                `json:"version"`
	Status   seeding.Status                     `json:"status"`
	Problems map[seeding.Source]problemDocument `json:"problems"`
	Due      *time.Time                         `json:"due,omitempty"`       // when submit looks at it next
	NextRuns []time.Time                        `json:"next_runs,omitempty"` // those to come
	Served   *time.Time                         `json:"served,omitempty"`    // when a tick last invoked submit for it, or submit last left it
	Run      string                             `json:"run,omitempty"`       // the open recurring run
	Imports  []string                           `json:"imports,omitempty"`   // those that are open
	OpenRun  *runDocument                       `json:"open_run,omitempty"`
	Figures  figuresDocument                    `json:"figures"`
	Width    int                                `json:"width"` // how many batches may be under way at its MTS now
	UnderWay underWayDocument                   `json:"under_way"`
	Warnings []warningDocument                  `json:"warnings,omitempty"` // of what was saved just now
	// RegistryVersion is what a check found out about the registry; absent before one.
	RegistryVersion *versionDocument `json:"registry_version,omitempty"`
	// OutputShape is which shape output_format gives, as far as could be told when it
	// was saved; absent without one.
	OutputShape seeding.OutputShape `json:"output_shape,omitempty"`

	configurationDocument

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// versionDocument is which software a registry is.
type versionDocument struct {
	Odoo    string    `json:"odoo,omitempty"`    // version, such as "17.0"
	OpenG2P string    `json:"openg2p,omitempty"` // line of its modules: "15.0", or "17.0" for later ones
	Checked time.Time `json:"checked"`
}

// newVersionDocument is nil if nothing is known.
func newVersionDocument(f seeding.RegistryFound) *versionDocument {
	if f.Odoo == "" && f.Line == "" {
		return nil
	}
	return &versionDocument{f.Odoo, f.Line, f.Checked}
}

// configurationDocument is the configuration of a connector, as it is sent and shown.
type configurationDocument struct {
	scheduleDocument

	Name            string           `json:"name"`
	MTSURL          string           `json:"mts_url"`
	InputType       string           `json:"input_type"`
	Mapping         mappingDocument  `json:"mapping"`
	OutputType      string           `json:"output_type"`
	OutputFormat    string           `json:"output_format"`
	DeliveryType    string           `json:"delivery_type"`
	Language        string           `json:"language"`
	Domain          string           `json:"domain"`
	Fields          []string         `json:"fields"`
	Callback        callbackDocument `json:"callback"`
	Registry        registryDocument `json:"registry"`
	ODK             *odkDocument     `json:"odk,omitempty"`
	MandatoryFields []string         `json:"mandatory_fields"`
	BatchMaximum    int              `json:"batch_maximum"`
	WidthMaximum    int              `json:"width_maximum"`
	RemoveVIDs      bool             `json:"remove_vids"`
	TokenShape      shapeDocument    `json:"token_shape"`
}

// warningDocument is about a part of a configuration that was saved, and is
// probably not meant.
type warningDocument struct {
	Pointer string `json:"pointer"`
	api.Flaw
}

// underWayDocument counts the batches that are at the MTS of a connector now, and
// are not overdue.
type underWayDocument struct {
	All int `json:"all"` // of all connectors that use the MTS
	Own int `json:"own"` // of this connector
}

type mappingDocument struct {
	VID         string   `json:"vid"`
	Name        []string `json:"name"`
	Gender      string   `json:"gender"`
	DOB         string   `json:"dob"`
	PhoneNumber string   `json:"phoneNumber"`
	EmailID     string   `json:"emailId"`
	FullAddress []string `json:"fullAddress"`
}

type callbackDocument struct {
	URL            string `json:"url"`
	HTTPMethod     string `json:"http_method"`
	TimeoutSeconds int    `json:"timeout_seconds"`
	InBulk         bool   `json:"in_bulk"`
	AuthType       string `json:"auth_type"`
	AuthURL        string `json:"auth_url"`
	AuthDatabase   string `json:"auth_database"`
	AuthUsername   string `json:"auth_username"`
	AuthClientID   string `json:"auth_client_id"`

	PasswordSet     bool     `json:"auth_password_set"`
	ClientSecretSet bool     `json:"auth_client_secret_set"`
	TokenSet        bool     `json:"auth_token_set"`
	HeadersSet      []string `json:"extra_headers_set"`
}

type registryDocument struct {
	URL         string `json:"url"`
	Database    string `json:"database"`
	Username    string `json:"username"`
	VIDType     string `json:"vid_type"`
	TokenType   string `json:"token_type"`
	OneByOne    bool   `json:"read_one_by_one"`
	PasswordSet bool   `json:"password_set"`
}

// shapeDocument is what a token looks like; lengths are in characters.
type shapeDocument struct {
	Alphabet seeding.TokenAlphabet `json:"alphabet"`
	Shortest int                   `json:"shortest"`
	Longest  int                   `json:"longest"`
}

type problemDocument struct {
	Source    seeding.Source `json:"source"`
	Code      string         `json:"code"`             // with source it names text and remedy
	Params    api.Params     `json:"params,omitempty"` // what they name
	Text      string         `json:"text"`
	Remedy    string         `json:"remedy"`
	Since     time.Time      `json:"since"`
	NextProbe *time.Time     `json:"next_probe,omitempty"`
}

func newConnectorDocument(c seeding.Connector, a seeding.Attempts) connectorDocument {
	s, mts, now := a.State, a.MTS, a.Now
	underWay, _ := mts.UnderWay(now)
	due, next := dates(c, a)
	return connectorDocument{
		ID: c.ID, Version: c.Version, Status: s.Status, Problems: newProblemDocuments(a), Due: due, NextRuns: next, Run: s.Run, Imports: s.Imports, Served: moment(s.Served),
		Figures: newFiguresDocument(s.Figures),
		Width:   mts.WidthNow(now, c.MTS.WidthMaximum), UnderWay: underWayDocument{All: underWay, Own: mts.Held(c.ID, now)},
		OutputShape: c.Output.Shape, configurationDocument: newConfigurationDocument(c),
		Created: c.Created, Updated: c.Updated,
	}
}

func newProblemDocuments(a seeding.Attempts) map[seeding.Source]problemDocument {
	problems := map[seeding.Source]problemDocument{}
	for source, p := range a.State.Problems {
		problems[source] = problemDocument{Source: source, Code: cmp.Or(p.Code, string(source)), Params: p.Named.Params(), Text: p.Text, Remedy: p.Remedy, Since: p.Since, NextProbe: moment(a.Probe(source))}
	}
	return problems
}

func newConfigurationDocument(c seeding.Connector) configurationDocument {
	m := c.Source.Mapping
	d := configurationDocument{
		Name: c.Name, MTSURL: c.MTS.URL, InputType: fromRegistry,
		Mapping: mappingDocument{
			VID: m.VID, Name: list(m.Name), Gender: m.Gender, DOB: m.DOB,
			PhoneNumber: m.PhoneNumber, EmailID: m.EmailID, FullAddress: list(m.FullAddress),
		},
		OutputType: outputType, OutputFormat: c.Output.Format, DeliveryType: deliveryType, Language: c.MTS.Language,
		scheduleDocument: newScheduleDocument(c.Schedule), Domain: c.Source.Domain, Fields: list(c.Source.Fields),
		Callback: newCallbackDocument(c),
		Registry: registryDocument{
			URL: c.Registry.URL, Database: c.Registry.Database, Username: c.Registry.Username,
			VIDType: c.Registry.VIDType, TokenType: c.Registry.TokenType, OneByOne: c.Source.OneByOne,
			PasswordSet: c.Secrets[seeding.RegistryPassword] != "",
		},
		MandatoryFields: list(c.Source.Mandatory), BatchMaximum: c.MTS.BatchMaximum, WidthMaximum: c.MTS.WidthMaximum, RemoveVIDs: c.Output.RemoveVIDs,
		TokenShape: shapeDocument(c.Output.TokenShape.OrMOSIP()),
	}
	if c.FromODK() {
		d.InputType, d.ODK = fromODK, newODKDocument(c)
		d.Domain, d.Fields = setup.DefaultDomain(c.Registry), setup.Defaults().Source.Fields // they do not count
	}
	return d
}

// list is never null, because in a request null means the default.
func list[S ~[]E, E any](entries S) S {
	if entries == nil {
		return S{}
	}
	return entries
}

// moment leaves out the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

type runDocument struct {
	ID        string             `json:"id"`
	Kind      seeding.RunKind    `json:"kind"`
	Selection *selectionDocument `json:"selection,omitempty"` // of an import
	Looks     *looksDocument     `json:"looks,omitempty"`     // of a connector of ODK
	State     string             `json:"state"`               // open, completed or cancelled
	EndedBy   seeding.Ending     `json:"ended_by,omitempty"`  // if it had not looked at everybody
	Cancelled bool               `json:"cancelled,omitempty"` // an open run that ends with the batches under way
	Version   int                `json:"version"`             // of the configuration that it ran under
	Started   time.Time          `json:"started"`
	Completed *time.Time         `json:"completed,omitempty"`
	Passes    int                `json:"passes"`
	Tally     tallyDocument      `json:"tally"`
	Note      *sayingDocument    `json:"note,omitempty"` // why the run finds nobody
	Totals    totalsDocument     `json:"totals"`
	// OpenBatches counts those under way; their records are sent and pending.
	OpenBatches int `json:"open_batches"`
	// Left of an open run counts VIDs that its pass has not looked at yet, or records
	// that a later one has yet to send again; absent if nobody knows.
	Left *int `json:"left,omitempty"`
	// RecordsPerSecond is the rate at which records of an open run were patched
	// lately; absent if none were.
	RecordsPerSecond float64 `json:"records_per_second,omitempty"`
	// ExpectedEnd of an open run is an estimate; absent while none can be made.
	ExpectedEnd *time.Time `json:"expected_end,omitempty"`
}

// selectionDocument is whom an import takes.
type selectionDocument struct {
	Registrants int             `json:"registrants,omitempty"` // how many were listed
	Domain      string          `json:"domain,omitempty"`
	Window      *windowDocument `json:"window,omitempty"` // of a connector of ODK
}

type tallyDocument struct {
	Looked      int `json:"looked"`
	NotSelected int `json:"not_selected,omitempty"` // of those, what the registry did not show through the domain
	InBatch     int `json:"in_batch,omitempty"`     // of registrants in an open batch, of any connector of the registry
	Holding     int `json:"holding,omitempty"`      // of those that hold a token, or something of its type
	Rejected    int `json:"rejected,omitempty"`     // of those that stay rejected
	NotFound    int `json:"not_found,omitempty"`    // of registrants that were listed
	NoVID       int `json:"no_vid,omitempty"`       // of registrants that were listed
	Invalid     int `json:"invalid"`
	Removed     int `json:"removed"`
}

type totalsDocument struct {
	Sent      int `json:"sent"`
	Tokenised int `json:"tokenised"`
	Refused   int `json:"refused"`
	Duplicate int `json:"duplicate"`
	Conflict  int `json:"conflict"`
	NoToken   int `json:"no_token"`
	Pending   int `json:"pending"`
	// SentAgain of a run counts records that a pass before its last sent and left
	// pending: their registrants were sent again.
	SentAgain int `json:"sent_again,omitempty"`
}

func newTotalsDocument(t seeding.Totals, again int) totalsDocument {
	again = min(again, t.Pending())
	return totalsDocument{
		Sent: t.Sent, Tokenised: t.Tokenised, Refused: t.Refused, Duplicate: t.Duplicate,
		Conflict: t.Conflict, NoToken: t.NoToken, Pending: t.Pending() - again, SentAgain: again,
	}
}

func newRunDocument(r seeding.Run, p seeding.Progress) runDocument {
	state, open := "completed", 0
	var left *int
	switch {
	case r.Completed.IsZero():
		state, open = "open", r.Open()
		if n, known := r.Left(); known {
			left = &n
		}
	case r.Ending == seeding.EndedByCancel:
		state = "cancelled"
	}
	var selection *selectionDocument
	if r.Kind == seeding.Import {
		selection = &selectionDocument{Registrants: r.Selection.Listed, Domain: r.Selection.Domain, Window: newWindowDocument(r.Selection.Window)}
	}
	return runDocument{
		ID: r.ID, Kind: cmp.Or(r.Kind, seeding.Recurring), Selection: selection, Looks: newLooksDocument(r.Looks), State: state, EndedBy: r.Ending, Version: r.Version,
		Started: r.Started, Completed: moment(r.Completed), Passes: r.Passes,
		Tally: tallyDocument(r.Tally), Note: note(r.WhyNobody()), Totals: newTotalsDocument(r.Totals, r.Again), OpenBatches: open, Left: left,
		RecordsPerSecond: thousandths(p.PerSecond), ExpectedEnd: wholeSecond(p.End),
	}
}

func thousandths(n float64) float64 { return math.Round(1000*n) / 1000 }

// wholeSecond is the estimate of a time: no fraction of a second is known.
func wholeSecond(t time.Time) *time.Time {
	return moment(t.Add(time.Second - 1).Truncate(time.Second))
}

type batchDocument struct {
	ID    string             `json:"id"`
	State seeding.BatchState `json:"state"`
	Count int                `json:"count"`
	// Of a connector of ODK: one of the two.
	Window      *windowDocument `json:"window,omitempty"`
	Submissions int             `json:"submissions,omitempty"`

	Totals   totalsDocument `json:"totals"`
	Claimed  time.Time      `json:"claimed"`
	Deadline time.Time      `json:"deadline"`
	Closed   *time.Time     `json:"closed,omitempty"`
}

func newBatchDocument(b seeding.Batch) batchDocument {
	if len(b.Submissions) > 0 { // it has not all of its window
		b.Window = seeding.Window{}
	}
	return batchDocument{
		ID: b.Ref.Batch, State: b.State, Count: b.Count, Window: newWindowDocument(b.Window), Submissions: len(b.Submissions), Totals: newTotalsDocument(b.SoFar(), 0),
		Claimed: b.Claimed, Deadline: b.Deadline, Closed: moment(b.Closed),
	}
}

type rejectionDocument struct {
	Identifier  *int64                `json:"identifier,omitempty"` // in the registry, that holds the VID
	Registrant  *int64                `json:"registrant,omitempty"`
	Submission  string                `json:"submission,omitempty"` // in place of both, of a connector of ODK
	Received    *time.Time            `json:"received,omitempty"`
	Kind        seeding.RejectionKind `json:"kind"`
	Code        string                `json:"code,omitempty"`   // several are joined by commas
	Fields      []string              `json:"fields,omitempty"` // those of MTS's fields that MOSIP named
	Attempts    int                   `json:"attempts"`
	NextAttempt *time.Time            `json:"next_attempt,omitempty"` // none: only if its data change, or on request
	Since       time.Time             `json:"since"`                  // of this kind
	LastAttempt time.Time             `json:"last_attempt"`
	Holder      int64                 `json:"holder,omitempty"` // the registrant that has the token of this one

	reasonsDocument
}

func newRejectionDocument(x seeding.Rejection, c seeding.Connector, a seeding.Attempts) rejectionDocument {
	var codes, named []string
	for code, fields := range seeding.SplitCodes(x.Code) {
		codes, named = append(codes, code), append(named, fields...)
	}
	slices.Sort(named)
	d := rejectionDocument{
		Kind: x.Kind,
		Code: strings.Join(codes, ","), Fields: slices.Compact(named), reasonsDocument: reasonsOf(x, c),
		Attempts: x.Attempts, NextAttempt: moment(a.Rejected(x)), Since: x.Since, LastAttempt: x.LastAttempt, Holder: x.Holder,
	}
	if x.Submission != "" {
		d.Submission, d.Received = x.Submission, moment(x.Received)
	} else {
		d.Identifier, d.Registrant = &x.Identifier, &x.Registrant
	}
	return d
}
