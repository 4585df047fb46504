package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// Connector implements seeding.Connectors and seeding.Administration.
func (s *Store) Connector(ctx context.Context, id string) (seeding.Connector, error) {
	it, err := s.get(ctx, configKey(id))
	if err != nil {
		return seeding.Connector{}, err
	}
	return decodeConnector(it)
}

// State implements seeding.Connectors and seeding.Administration.
func (s *Store) State(ctx context.Context, id string) (seeding.State, error) {
	it, err := s.get(ctx, stateKey(id))
	if err != nil {
		return seeding.State{}, err
	}
	return decodeState(it)
}

// States implements seeding.Connectors.
func (s *Store) States(ctx context.Context) ([]seeding.State, error) {
	return all(ctx, s, span{table: s.connectors, pk: states}, decodeState)
}

// The due time is two attributes, so that nobody who wants submit to look
// earlier is overheard by a holder of the run lease, and neither needs a write
// more: "due" is set by whoever leaves the lease, "nudge" by everybody else.
// What counts is the earlier of the two. Taking the lease makes the nudge the
// due time, so it outlives a taker who dies; leaving leaves a nudge alone that
// came since.
const foldNudge = "#due = if_not_exists(#nudge, #due)"

// TakeRun implements seeding.Connectors.
func (s *Store) TakeRun(ctx context.Context, id, owner string, now, until, moved time.Time) (seeding.State, error) {
	take := change{
		key:    stateKey(id),
		update: "SET #owner = :owner, #until = :until, " + foldNudge,
		when:   "attribute_exists(#pk) AND (" + leaseMine + " OR " + leaseFree + ")",
		values: item{":owner": text(owner), ":until": instant(until), ":now": instant(now), ":one": number(1)},
	}
	take.note(moved)
	take.update += " REMOVE #nudge ADD #fence :one"
	it, err := s.update(ctx, take)
	if err != nil {
		return seeding.State{}, held(settle(err, seeding.ErrNotFound, nil))
	}
	return decodeState(it)
}

// LeaveRun implements seeding.Connectors.
func (s *Store) LeaveRun(ctx context.Context, id string, fence int64, due, moved time.Time) error {
	leave := change{
		key:    stateKey(id),
		update: "SET #due = :due",
		when:   "#fence = :fence",
		values: item{":due": instant(due), ":fence": number(fence)},
	}
	leave.note(moved)
	leave.update += " REMOVE #owner, #until"
	_, err := s.update(ctx, leave)
	return settle(err, seeding.ErrNotFound, nil)
}

// note adds when the run moved last to what is set, if it did.
func (c *change) note(moved time.Time) {
	if !moved.IsZero() {
		c.update += ", #moved = :moved"
		c.values[":moved"] = instant(moved)
	}
}

// Conditions for taking a lease. The time is compared here, as seeding.Lease.Live
// does. Owners are unique per invocation: a lease of this very owner is being
// renewed, or was taken by a call whose reply was lost.
const (
	leaseFree = "(attribute_not_exists(#owner) OR #until <= :now)"
	leaseMine = "#owner = :owner"
)

// held is what a conflict over a lease is called.
func held(err error) error {
	if errors.Is(err, seeding.ErrConflict) {
		return seeding.ErrHeld
	}
	return err
}

// RaiseProblem implements seeding.Connectors.
func (s *Store) RaiseProblem(ctx context.Context, id string, source seeding.Source, p seeding.Problem) error {
	_, err := s.update(ctx, change{
		key:    stateKey(id),
		update: "SET " + problem(source) + " = :problem",
		when:   "attribute_exists(#pk)",
		values: item{":problem": encodeProblem(p)},
	})
	return settle(err, seeding.ErrNotFound, nil)
}

// ClearProblems implements seeding.Connectors. Where none of the sources has a
// problem there is nothing to look at earlier either: else every success would
// make its connector due.
func (s *Store) ClearProblems(ctx context.Context, id string, sources []seeding.Source, now time.Time) error {
	if len(sources) == 0 {
		return nil
	}
	var paths, standing []string
	for _, source := range sources {
		paths = append(paths, problem(source))
		standing = append(standing, "attribute_exists("+problem(source)+")")
	}
	_, err := s.update(ctx, change{
		key:    stateKey(id),
		update: "SET #nudge = :now, #moved = :now REMOVE " + strings.Join(paths, ", "),
		when:   strings.Join(standing, " OR "),
		values: item{":now": instant(now)},
	})
	return settle(err, seeding.ErrNotFound, func(*reader) bool { return true })
}

// problem is the path of a problem; sources are words of our own.
func problem(source seeding.Source) string { return "#problems.#" + string(source) }

// storedConnector is the document of a configuration in its item. Members that
// no function reads are written as they always were, so that the program of
// before can still read what this one writes.
type storedConnector struct {
	ID      string `json:"id"`
	Version int    `json:"version"`

	Name            string        `json:"name"`
	MTSURL          string        `json:"mts_url"`
	InputType       string        `json:"input_type"` // "registry"
	Mapping         storedMapping `json:"mapping"`
	OutputType      string        `json:"output_type"`   // "json"
	OutputFormat    string        `json:"output_format"` // ""
	DeliveryType    string        `json:"delivery_type"` // "callback"
	JobType         string        `json:"job_type"`      // "recurring"
	Language        string        `json:"language"`
	IntervalMinutes int           `json:"interval_minutes"`
	Domain          string        `json:"domain"`
	Fields          []string      `json:"fields"`

	Callback storedCallback `json:"callback"`
	Registry storedRegistry `json:"registry"`

	MandatoryFields []string `json:"mandatory_fields"`
	BatchMaximum    int      `json:"batch_maximum"`
	RemoveVIDs      bool     `json:"remove_vids"`

	Secrets map[string]string `json:"secrets"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

type storedMapping struct {
	VID         string   `json:"vid"`
	Name        []string `json:"name"`
	Gender      string   `json:"gender"`
	DOB         string   `json:"dob"`
	PhoneNumber string   `json:"phoneNumber"`
	EmailID     string   `json:"emailId"`
	FullAddress []string `json:"fullAddress"`
}

type storedCallback struct {
	URL            string `json:"url"`         // ""
	HTTPMethod     string `json:"http_method"` // "POST"
	TimeoutSeconds int    `json:"timeout_seconds"`
	AuthType       string `json:"auth_type"`     // "static_bearer"
	AuthDatabase   string `json:"auth_database"` // ""
	AuthUsername   string `json:"auth_username"` // ""
}

type storedRegistry struct {
	URL       string `json:"url"`
	Database  string `json:"database"`
	Username  string `json:"username"`
	VIDType   string `json:"vid_type"`
	TokenType string `json:"token_type"`
}

func encodeConnector(c seeding.Connector) (item, error) {
	config, err := json.Marshal(storedConnector{
		ID: c.ID, Version: c.Version, Name: c.Name,
		MTSURL: c.MTS.URL, Language: c.MTS.Language, BatchMaximum: c.MTS.BatchMaximum,
		Registry:  storedRegistry(c.Registry),
		InputType: "registry", Domain: c.Source.Domain, Fields: c.Source.Fields,
		Mapping: storedMapping(c.Source.Mapping), MandatoryFields: c.Source.Mandatory,
		DeliveryType: "callback",
		Callback:     storedCallback{HTTPMethod: "POST", TimeoutSeconds: c.Delivery.TimeoutSeconds, AuthType: "static_bearer"},
		JobType:      "recurring", IntervalMinutes: int(c.Schedule.Interval / time.Minute),
		OutputType: "json", RemoveVIDs: c.Output.RemoveVIDs,
		Secrets: c.Secrets, Created: c.Created, Updated: c.Updated,
	})
	if err != nil {
		return nil, err
	}
	return item{"version": number(c.Version), "config": text(string(config))}, nil
}

func decodeConnector(it item) (seeding.Connector, error) {
	r := &reader{item: it}
	var c storedConnector
	if err := json.Unmarshal([]byte(r.text("config")), &c); err != nil {
		r.damaged("config") // the error would quote the configuration
	}
	return decoded(r, seeding.Connector{
		ID: c.ID, Version: c.Version, Name: c.Name,
		MTS:      seeding.MTSAccess{URL: c.MTSURL, Language: c.Language, BatchMaximum: c.BatchMaximum},
		Registry: seeding.RegistryAccess(c.Registry),
		Source: seeding.RegistrySource{
			Domain: c.Domain, Fields: c.Fields, Mapping: seeding.Mapping(c.Mapping), Mandatory: c.MandatoryFields,
		},
		Delivery: seeding.Delivery{TimeoutSeconds: c.Callback.TimeoutSeconds},
		Schedule: seeding.Schedule{Interval: time.Duration(c.IntervalMinutes) * time.Minute},
		Output:   seeding.Output{RemoveVIDs: c.RemoveVIDs},
		Secrets:  c.Secrets, Created: c.Created, Updated: c.Updated,
	})
}

// newState is the state that a connector begins with. The map of problems must
// exist before one can be put into it.
func newState(c seeding.Connector) item {
	return item{
		"registry": text(c.RegistryKey()), "mts": text(c.MTSKey()),
		"version": number(c.Version), "status": text(string(seeding.Stopped)),
		"due": number(0), "fence": number(0), "problems": noProblems(),
	}
}

func noProblems() types.AttributeValue { return &types.AttributeValueMemberM{Value: item{}} }

func decodeState(it item) (seeding.State, error) {
	r := &reader{item: it}
	state := seeding.State{
		Connector: sortKey(it),
		Registry:  r.text("registry"),
		MTS:       r.text("mts"),
		Version:   r.count("version"),
		Status:    seeding.Status(r.text("status")),
		Due:       r.instant("due"),
		Run:       r.text("run"),
		Moved:     r.instant("moved"),
		Lease:     decodeLease(r),
		Problems:  map[seeding.Source]seeding.Problem{},
	}
	for _, kind := range append([]seeding.RejectionKind{""}, seeding.RejectionKinds...) {
		if at := r.instant(againOf(kind)); !at.IsZero() {
			if state.Again == nil {
				state.Again = map[seeding.RejectionKind]time.Time{}
			}
			state.Again[kind] = at
		}
	}
	if nudge := r.instant("nudge"); !nudge.IsZero() && nudge.Before(state.Due) {
		state.Due = nudge
	}
	r.within("problems", func(r *reader) {
		for source := range r.item {
			r.within(source, func(r *reader) { state.Problems[seeding.Source(source)] = decodeProblem(r) })
		}
	})
	return decoded(r, state)
}

// againOf is the attribute with the time of "try again" of a kind.
func againOf(kind seeding.RejectionKind) string { return "again_" + string(kind) }

func decodeLease(r *reader) seeding.Lease {
	return seeding.Lease{Owner: r.text("owner"), Until: r.instant("until"), Fence: r.number("fence")}
}

func encodeProblem(p seeding.Problem) types.AttributeValue {
	return &types.AttributeValueMemberM{Value: lean(item{
		"text": text(p.Text), "remedy": text(p.Remedy),
		"since": instant(p.Since), "tries": number(p.Tries), "next": instant(p.Next),
	})}
}

func decodeProblem(r *reader) seeding.Problem {
	return seeding.Problem{
		Text: r.text("text"), Remedy: r.text("remedy"),
		Since: r.instant("since"), Tries: r.count("tries"), Next: r.instant("next"),
	}
}
