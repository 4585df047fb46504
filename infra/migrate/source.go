package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/seeding"
)

// source is the Odoo that is moved out of.
type source struct {
	access   seeding.RegistryAccess
	registry *odoo.Registry
	models   *odoo.Models
}

const connectorModel = "mts.connector"

// openSource makes no call yet.
func openSource(client *http.Client, access seeding.RegistryAccess, password string) (*source, error) {
	c := seeding.Connector{Registry: access, Source: seeding.RegistrySource{Domain: "[]"}}
	registry, err := odoo.Examine(client, c, password, time.Now)
	if err != nil {
		return nil, fmt.Errorf("-odoo: %w", err)
	}
	return &source{access, registry, registry.Models()}, nil
}

// told is an error of Odoo in words for the person. about is what was asked for.
func told(err error, about string) error {
	switch fault := seeding.FaultOf(err); fault.Kind {
	case seeding.RefusedRights:
		return fmt.Errorf("%s: the user may not do this in Odoo", about)
	case seeding.RefusedSchema:
		return fmt.Errorf("%s: this Odoo does not have it (%s)", about, fault.Named())
	default:
		_, d := seeding.RegistryProblem(fault, seeding.ProblemRead)
		return fmt.Errorf("%s: %s", about, asFlags.Replace(d.Text+" "+d.Remedy))
	}
}

// asFlags turns members of a connector's configuration into what the command calls them.
var asFlags = strings.NewReplacer(
	"registry.url", "-odoo", "registry.database", "-database", "registry.username", "-user", "registry.password", "ODOO_PASSWORD",
	" in the connector's configuration", "",
)

// mostConnectors is how many connectors are read: each has a few kilobytes.
const mostConnectors = 500

// connectors reads all of Odoo's connectors, with every field that can be read as text.
func (s *source) connectors(ctx context.Context) ([]record, error) {
	types, err := s.models.FieldTypes(ctx, connectorModel)
	if fault := seeding.FaultOf(err); err != nil && fault.Kind == seeding.RefusedSchema {
		return nil, fmt.Errorf("database %s has no model %s: the module mts_connector is not installed there", s.access.Database, connectorModel)
	}
	if err != nil {
		return nil, told(err, "the connectors of Odoo")
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if types[name] != "binary" && !ownOfOdoo(name) {
			fields = append(fields, name)
		}
	}
	rows, err := s.models.Read(ctx, connectorModel, []any{}, fields, mostConnectors)
	if err != nil {
		return nil, told(err, "the connectors of Odoo")
	}
	records := make([]record, len(rows))
	for i, row := range rows {
		records[i] = row
	}
	return records, nil
}

// status reads the status of one connector anew.
func (s *source) status(ctx context.Context, id int64) (string, error) {
	rows, err := s.models.Read(ctx, connectorModel, []any{[]any{"id", "=", id}}, []string{"job_status"}, 1)
	switch {
	case err != nil:
		return "", told(err, "its status in Odoo")
	case len(rows) == 0:
		return "", errors.New("it is not in Odoo any more")
	}
	return record(rows[0]).text("job_status"), nil
}

// atWork reports whether a connector with this status runs, or is to.
func atWork(status string) bool { return status == "started" || status == "running" }

// stop presses the button of a connector, which starts the one that is stopped, so it
// looks before and after.
func (s *source) stop(ctx context.Context, id int64) error {
	before, err := s.status(ctx, id)
	if err != nil || !atWork(before) {
		return err
	}
	if err := s.models.Press(ctx, connectorModel, "mts_action_trigger", id); err != nil {
		return told(err, "stopping it in Odoo")
	}
	after, err := s.status(ctx, id)
	if err != nil {
		return err
	}
	if atWork(after) {
		return errors.New("somebody stopped it in Odoo at the same moment, and so it was started again there: stop it in Odoo")
	}
	return nil
}

// Settings of g2p_mts, and what its job runs (facts/mts.md 5.1, 5.5).
const (
	vidSetting    = "g2p_mts.vid_id_type"
	tokenSetting  = "g2p_mts.uin_token_id_type"
	deleteSetting = "g2p_mts.vid_delete_search_domain"
	deleteMethod  = "delete_vids_if_token"
)

// site reads what plans need besides. What the user may not read is not known.
func (s *source) site(ctx context.Context) (site, error) {
	found := site{URL: s.access.URL, Database: s.access.Database}
	version, err := s.registry.Version(ctx)
	if err != nil {
		return found, told(err, "the version of Odoo")
	}
	found.Odoo = version
	identifiers, err := s.models.FieldTypes(ctx, "g2p.reg.id")
	if err != nil {
		return found, told(err, "the identifiers of registrants (g2p.reg.id)")
	}
	found.Line = "15.0"
	if identifiers["status"] != "" {
		found.Line = "17.0"
	}
	if found.Registrants, err = s.models.FieldTypes(ctx, "res.partner"); err != nil {
		return found, told(err, "the fields of registrants (res.partner)")
	}
	for setting, name := range map[string]*string{vidSetting: &found.VIDType, tokenSetting: &found.TokenType} {
		if *name, err = s.typeOf(ctx, setting); err != nil {
			return found, err
		}
	}
	domain, err := s.models.Parameter(ctx, deleteSetting)
	if err = unlessRights(err, deleteSetting); err != nil {
		return found, err
	}
	found.DeleteDomain = domain != "" && !isUsualDeletion(domain)
	jobs, err := s.models.Read(ctx, "ir.cron", []any{[]any{"code", "like", deleteMethod}}, []string{"active"}, 100)
	if err == nil && len(jobs) > 0 {
		deletes := slices.ContainsFunc(jobs, func(job map[string]any) bool { return job["active"] == true })
		found.Deletes = &deletes
	}
	return found, unlessRights(err, "the jobs of Odoo (ir.cron)")
}

// unlessRights is the error of a call, unless it is that the user may not read this.
func unlessRights(err error, about string) error {
	if err == nil || seeding.FaultOf(err).Kind == seeding.RefusedRights {
		return nil
	}
	return told(err, about)
}

// typeOf is the name of the identifier type of a setting, "" if it is not known.
func (s *source) typeOf(ctx context.Context, setting string) (string, error) {
	value, err := s.models.Parameter(ctx, setting)
	if err != nil {
		return "", unlessRights(err, setting)
	}
	id, _ := strconv.ParseInt(value, 10, 64)
	if id < 1 { // it is not set, or no number
		return "", nil
	}
	types, err := s.models.Read(ctx, "g2p.id.type", []any{[]any{"id", "=", id}}, []string{"name"}, 1)
	if err != nil || len(types) == 0 {
		return "", unlessRights(err, "the identifier types (g2p.id.type)")
	}
	return record(types[0]).text("name"), nil
}

// isUsualDeletion reports whether a domain is the default of the job that deletes VIDs.
func isUsualDeletion(text string) bool {
	conditions := odoo.Conditions(text)
	usual := odoo.Conditions(`[["is_registrant","=",true],["reg_ids.id_type","=like","MOSIP VID"],["reg_ids.id_type","=like","MOSIP UIN TOKEN"]]`)
	return slices.EqualFunc(conditions, usual, func(a, b seeding.Condition) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
}
