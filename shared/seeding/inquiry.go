package seeding

import (
	"context"
	"errors"
	"slices"
	"time"
)

// InquiryKind is what a person asks about a configuration.
type InquiryKind string

const (
	CheckInquiry   InquiryKind = "check"   // whether it would work
	PreviewInquiry InquiryKind = "preview" // what it would send
	// RegistrantInquiry: what the registry says of one registrant now, and what the next
	// pass does with it. It is about a stored connector, and answered by lines.
	RegistrantInquiry InquiryKind = "registrant"
)

// InquiryState is how far an inquiry is.
type InquiryState string

const (
	InquiryWaiting  InquiryState = "waiting"  // for submit
	InquiryWorking  InquiryState = "working"  // submit works on it
	InquiryAnswered InquiryState = "answered" // all of its answer is there
	InquiryFetched  InquiryState = "fetched"  // a preview that was delivered, which is done once
	InquiryDropped  InquiryState = "dropped"  // a preview that nobody fetched in time, or whose work died
)

// Inquiry is a question about a configuration, stored or a draft, that a person
// asks through the API and submit answers, because only submit may call servers and
// read secrets.
type Inquiry struct {
	ID        string
	Kind      InquiryKind
	Connector string // that it is about; "" for a draft of a new one
	// Draft is the configuration that is asked about, without secrets; nil is that of
	// the connector as it is stored when submit looks.
	Draft *Connector
	// Given says that secrets came with the draft. They are kept apart, under the id
	// of the inquiry, and deleted when it ends.
	Given bool
	Asker string // who may fetch a preview: the caller's claim and name
	Place int    // from 1: which of the places of its connector it has
	Asked time.Time

	Count       int     // of a preview: how many registrants it shows
	Registrants []int64 // of a preview: these, not the first ones; or the one registrant that it is about

	State InquiryState
	Ended time.Time
	Lines []Line // of a check, in the order in which they became known

	Sealed    []byte // the answer of a preview, encrypted (SealAnswer) with a key of its own
	FetchUpTo time.Time
	FetchedAt time.Time // or dropped

	Fence int64 // of the lease under which it is worked on
}

// Subject is what inquiries are bounded by: their connector, or all drafts of new
// ones together.
func (q Inquiry) Subject() string {
	if q.Connector == "" {
		return "new"
	}
	return q.Connector
}

// PasswordSource is where the password comes from with which an inquiry signs in.
type PasswordSource string

const (
	PasswordGiven   PasswordSource = "given"            // with the draft
	PasswordStored  PasswordSource = "stored"           // that of the connector
	PasswordOfOther PasswordSource = "another_registry" // there is one, stored for another registry
	PasswordMissing PasswordSource = "no_password"
)

// Passwords are where the passwords come from with which an inquiry signs in.
type Passwords struct{ Registry, ODK PasswordSource }

// About is the configuration that the inquiry is about, and where its passwords come
// from. stored is its connector as it is now, zero for a draft of a new one, and given
// are the secrets that came with the draft. A stored password goes only to the registry,
// or the account of ODK Central, that it was stored for, or whoever may ask could send it
// to a server of their own.
func (q Inquiry) About(stored Connector, given map[string]string) (Connector, Passwords) {
	if q.Draft == nil {
		return stored, Passwords{PasswordStored, PasswordStored}
	}
	c := *q.Draft
	c.ID, c.Version, c.Secrets = q.ID, 0, map[string]string{}
	if q.Connector != "" {
		c.ID, c.Version = q.Connector, stored.Version
	}
	source := func(name string, same bool) PasswordSource {
		switch {
		case given[name] != "":
			return PasswordGiven
		case stored.Secrets[name] == "":
			return PasswordMissing
		case !same:
			return PasswordOfOther
		}
		c.Secrets[name] = stored.Secrets[name]
		return PasswordStored
	}
	return c, Passwords{
		Registry: source(RegistryPassword, stored.Registry.SameRegistry(c.Registry)),
		ODK:      source(ODKPassword, SameODKAccount(stored, c)),
	}
}

// AskedStore reads the connector that an inquiry is about.
type AskedStore interface {
	Connector(ctx context.Context, id string) (Connector, error)
}

// AskedAbout is Inquiry.About with the connector as it is stored now; ErrNotFound if it
// was deleted meanwhile.
func AskedAbout(ctx context.Context, store AskedStore, q Inquiry, given map[string]string) (Connector, Passwords, error) {
	var stored Connector
	if q.Connector != "" {
		var err error
		if stored, err = store.Connector(ctx, q.Connector); err != nil {
			return Connector{}, Passwords{}, err
		}
	}
	c, passwords := q.About(stored, given)
	return c, passwords, nil
}

// OpenInquiry is what the functions share about an inquiry that is not over: one
// that waits for submit or that submit works on, or a preview that was not fetched.
type OpenInquiry struct {
	ID        string
	Kind      InquiryKind
	Subject   string
	Place     int
	Given     bool
	Asked     time.Time
	Lease     Lease     // of the invocation that works on it
	Begun     int       // how many invocations began to work on it
	FetchUpTo time.Time // zero until its answer is there
}

// Uncollected reports whether it is a preview that nobody fetched in time.
func (o OpenInquiry) Uncollected(now time.Time) bool {
	return !o.FetchUpTo.IsZero() && !o.FetchUpTo.After(now)
}

// Limits of inquiries.
const (
	// InquiryPlaces is how many inquiries of one connector may be open.
	InquiryPlaces = 4
	// InquiriesAtWork is how many inquiries are worked on at once: a new account of
	// AWS runs ten functions, and callbacks and the work of connectors come first.
	InquiriesAtWork = 2
	// InquiryBegins is how often an inquiry is begun until it counts as dead.
	InquiryBegins = 2
	// InquiryLife is how long the answer of a check is kept.
	InquiryLife = 24 * time.Hour
	// PreviewLife is how long a preview waits to be fetched.
	PreviewLife = 10 * time.Minute
	// PreviewMost is how many registrants a preview shows at most.
	PreviewMost = 20
)

// Expires is when an inquiry is gone, whether or not DynamoDB has deleted it.
func (q Inquiry) Expires() time.Time { return q.Asked.Add(InquiryLife) }

// Over reports whether the inquiry will not change any more by work.
func (q Inquiry) Over() bool { return q.State != InquiryWaiting && q.State != InquiryWorking }

// ErrManyInquiries: all places of the inquiries of a connector are taken.
var ErrManyInquiries = errors.New("too many inquiries are open")

// Inquiries keeps inquiries. Each has a place of its subject while it is open, and
// a place can be taken once: so their number is bounded exactly.
type Inquiries interface {
	// Ask stores a new inquiry at a free place of its subject, and returns it with its
	// place; ErrManyInquiries if there is none.
	Ask(ctx context.Context, q Inquiry) (Inquiry, error)
	// Inquiry returns an inquiry; ErrNotFound also for one that has expired.
	Inquiry(ctx context.Context, id string, now time.Time) (Inquiry, error)
	// OpenInquiries returns those that can be read; ErrDamaged as for States.
	OpenInquiries(ctx context.Context) ([]OpenInquiry, error)
	// TakeInquiry takes the lease of an inquiry that nobody answered yet, and counts
	// one more begin. ErrLeaseHeld if somebody has it, ErrNotFound if it is answered.
	TakeInquiry(ctx context.Context, q Inquiry, owner string, now, until time.Time) (OpenInquiry, error)
	// KeepInquiry makes the lease last until the given time; ErrConflict if somebody
	// took it since, or the inquiry is answered.
	KeepInquiry(ctx context.Context, open OpenInquiry, until time.Time) error
	// SaveLines writes state and lines of an inquiry, unless a later fence wrote some;
	// then it is ErrConflict.
	SaveLines(ctx context.Context, q Inquiry) error
	// EndInquiry writes the answer under the fence of the lease, and frees the place;
	// that of a preview which is to be fetched stays taken until FetchUpTo.
	EndInquiry(ctx context.Context, q Inquiry) error
	// FetchInquiry ends a preview: its state is the given one, and its sealed answer
	// is deleted. ErrConflict if that was done before.
	FetchInquiry(ctx context.Context, q Inquiry, state InquiryState, now time.Time) error
	// NoteFound writes what a check found out about a registry, for others to compare.
	NoteFound(ctx context.Context, f RegistryFound) error
	// Found returns what is known of a registry; ErrNotFound if nothing is.
	Found(ctx context.Context, registry string) (RegistryFound, error)
	// AllFound returns what is known of all registries; ErrDamaged as for States.
	AllFound(ctx context.Context) ([]RegistryFound, error)
}

// RegistryFound is what a check found out about a registry.
type RegistryFound struct {
	Registry string // RegistryKey
	// Identity is the same for two addresses of one database; "" if it is not known. Exact says that it is
	// Odoo's own; otherwise it is made of what two databases hardly have in common.
	Identity string
	Exact    bool
	Odoo     string // version, such as "17.0"
	Line     string // of OpenG2P's modules: "15.0", or "17.0" for later ones
	Checked  time.Time
}

// Unmet is a condition of a domain that a registrant does not meet.
type Unmet struct {
	Condition int    // its position among those that must all hold, from 1
	Path      string // of the field that it is about; "" for what is put together with "or"
}

// LineResult is the result of a line.
type LineResult string

const (
	LineOK       LineResult = "ok"
	LineWarning  LineResult = "warning"
	LineFailure  LineResult = "failure"
	LineNotTried LineResult = "not_tried"
)

// Line is one finding of a check. It holds nothing of a person and no text of a
// server: Params are numbers, names of the configuration and names of fields.
type Line struct {
	Name   string // what was looked at
	Result LineResult
	Code   string // of the finding
	Params map[string]any
	Description
	Field string // of the configuration that is to blame, as in setup; "" for none
}

// LookUps is how long a registry needs, with Identifiers identifiers in all, to find
// one by its id, those of a registrant, and one by its value.
type LookUps struct {
	Identifiers                 int
	ByID, ByRegistrant, ByValue time.Duration
}

// Line is the line of a sign-in at the registry that is not tried; tried is true if there
// is a password to try. unread is why a stored one could not be read.
func (s PasswordSource) Line(unread error) (l Line, tried bool) {
	l = Line{Name: "sign_in", Result: LineNotTried, Code: string(s), Field: "registry_password"}
	switch {
	case s == PasswordOfOther:
		l.Description = Description{
			Text:   "Not tried: the password is stored for another address or database.",
			Remedy: "Give the password with the draft. A stored one is sent only to the address and database that it was stored for.",
		}
	case s == PasswordMissing:
		l.Description = Description{
			Text:   "Not tried: there is no password.",
			Remedy: "Give the password, or an API key, with the draft.",
		}
	case unread != nil:
		return RegistryUnusable(unread).Line("sign_in", l.Field), false
	default:
		return Line{}, true
	}
	return l, false
}

// ODKLine is the same of the sign-in at ODK Central.
func (s PasswordSource) ODKLine(unread error) (l Line, tried bool) {
	l = Line{Name: "odk_sign_in", Result: LineNotTried, Code: string(s), Field: "odk_password"}
	switch {
	case s == PasswordOfOther:
		l.Code = "another_account"
		l.Description = Description{
			Text:   "Not tried: the password is stored for another Central, account or MTS.",
			Remedy: "Give the password with the draft. A stored one is sent only to the Central that it was stored for, and to its MTS.",
		}
	case s == PasswordMissing:
		l.Description = Description{
			Text:   "Not tried: there is no password.",
			Remedy: "Give the password of the account with the draft.",
		}
	case unread != nil:
		return FormUnusable(unread).Line("odk_sign_in", l.Field), false
	default:
		return Line{}, true
	}
	return l, false
}

// ConnectorGone is the line of an inquiry whose connector was deleted meanwhile.
var ConnectorGone = Line{Name: "work", Result: LineFailure, Code: "no_connector", Description: Description{
	Text: "The connector was deleted meanwhile.", Remedy: "Nothing.",
}}

// RegistryLine is the line of a call to the registry that failed. op is what was
// refused: reading, writing or removing.
func RegistryLine(name string, err error, op Source, field string) Line {
	fault := FaultOf(err)
	source, d := RegistryProblem(fault, op)
	if source == ProblemRegistry {
		field = "registry_url"
	}
	return d.Line(name, field)
}

// Line is the line about a failure that a description is about, with the code and the
// parameters of that.
func (d Description) Line(name, field string) Line {
	return Line{Name: name, Result: LineFailure, Code: d.Code, Params: d.Named.Params(), Description: d, Field: field}
}

// FieldOf is the field of the configuration that a fault of reading registrants is
// about, as in setup; "" if none is.
func FieldOf(f *Fault) string {
	switch {
	case f.Kind == RefusedTypes && f.Code == "token_type":
		return "token_type"
	case f.Kind == RefusedTypes && f.Code == "submission_type":
		return "submission_type"
	case f.Kind == RefusedTypes:
		return "vid_type"
	case f.Code == "NoSuchDomainField", f.Code == "NoSuchOperator", slices.Contains(valueRefusals, f.Code):
		return "domain"
	case f.Code == "NoSuchField", f.Code == "FieldDenied", f.Code == CodeTooLarge:
		return "fields"
	case f.Code == Encrypted, f.Code == StillEncrypted:
		return "read_one_by_one"
	case f.Code == "NoDatabase", f.Code == NoSuchModel, f.Kind == RefusedSignIn && f.Code == "OperationalError":
		return "registry_database"
	case f.Code == "KeyOfAnotherUser":
		return "registry_username"
	case f.Kind == RefusedSignIn:
		return "registry_password"
	}
	return ""
}

// Incomplete are the lines of servers that a draft does not name yet. The API leaves
// the address of a registry out if its database or its user are missing.
var (
	NoMTS = Line{Name: "mts", Result: LineNotTried, Code: "missing", Field: "mts_url", Description: Description{
		Text: "Not tried: the address of MTS is missing.", Remedy: "Write it into mts_url.",
	}}
	NoRegistry = Line{Name: "registry", Result: LineNotTried, Code: "missing", Field: "registry_url", Description: Description{
		Text: "Not tried: address, database or user of the registry are missing.", Remedy: "Write registry.url, registry.database and registry.username.",
	}}
	NoODK = Line{Name: "odk_reach", Result: LineNotTried, Code: "missing", Field: "odk_base_url", Description: Description{
		Text: "Not tried: address, form or account of ODK Central are missing.", Remedy: "Write odk.base_url, odk.odata_url and odk.email.",
	}}
)
