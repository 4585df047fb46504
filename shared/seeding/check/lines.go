package check

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Names of lines, in their order.
const (
	mts      = "mts"
	tokens   = "token_endpoint" // of a direct callback that MTS signs in for
	server   = "registry"
	signIn   = "sign_in"
	version  = "version"
	database = "database"
	types    = "types"
	modules  = "modules"
	fields   = "fields"
	read     = "read"
	selects  = "selects"
	create   = "create"
	remove   = "remove"
	write    = "write" // of what an Output Format gives

	byRegistrant = "index_registrant"
	byValue      = "index_value"
)

// Fields of the configuration, as in setup.
const (
	mtsURL        = "mts_url"
	registryURL   = "registry_url"
	registryUser  = "registry_username"
	vidType       = "vid_type"
	oneByOne      = "read_one_by_one"
	selectedField = "fields"
	domain        = "domain"
	outputFormat  = "output_format"
)

// behindRegistry are the lines that need a registry that is reached.
func behindRegistry(c seeding.Connector) []string {
	if c.FromODK() {
		return append([]string{signIn, version, database, types}, behindTypes(c)...)
	}
	return append([]string{signIn, version, database, types, modules, fields}, behindTypes(c)...)
}

// behindTypes are the lines that need the identifier types.
func behindTypes(c seeding.Connector) []string {
	lines := []string{read, selects, create, remove}
	if c.FromODK() {
		lines = []string{create, registrants}
	}
	if writesMore(c) {
		lines = append(lines, write)
	}
	return append(lines, byRegistrant, byValue)
}

// why a line was not tried.
type why struct {
	code string
	seeding.Description
}

var (
	notReached  = why{"not_reached", seeding.Description{Text: "Not tried, because the registry was not reached.", Remedy: "See the line above."}}
	notSignedIn = why{"not_signed_in", seeding.Description{Text: "Not tried, because the user is not signed in.", Remedy: "See the line above."}}
	noTypes     = why{"no_types", seeding.Description{Text: "Not tried, because the identifier types were not found.", Remedy: "See the line above."}}
	noResult    = why{"no_result", seeding.Description{Text: "Not tried: output_format gave nothing for made-up records, so it cannot be told what it writes.",
		Remedy: "See that the user has the rights for what it sets: to write res.partner and g2p.reg.id, to read gender.type, to read and create g2p.phone.number."}}
	notRead = why{"not_read", seeding.Description{Text: "Not tried, because registrants cannot be read.", Remedy: "See the line above."}}
)

func notTried(w why, names ...string) (lines []seeding.Line) {
	for _, name := range names {
		lines = append(lines, seeding.Line{Name: name, Result: seeding.LineNotTried, Code: w.code, Description: w.Description})
	}
	return lines
}

func ok(name, code, text string, params map[string]any) seeding.Line {
	return seeding.Line{Name: name, Result: seeding.LineOK, Code: code, Params: params, Description: seeding.Description{Text: text}}
}

func failed(name, code string, d seeding.Description, field string) seeding.Line {
	return seeding.Line{Name: name, Result: seeding.LineFailure, Code: code, Description: d, Field: field}
}

func mtsLine(err error) seeding.Line {
	if err != nil {
		return seeding.MTSProblem(seeding.FaultOf(err)).Line(mts, mtsURL)
	}
	return ok(mts, "reached", "MTS answers, and so does its database.", nil)
}

// tokenLine only warns: MTS calls the endpoint, from a network of its own.
func tokenLine(err error) seeding.Line {
	if err != nil {
		l := seeding.EndpointProblem(seeding.FaultOf(err)).Line(tokens, "callback_auth_url")
		l.Result = seeding.LineWarning
		return l
	}
	return ok(tokens, "reached", "A web server answers at callback.auth_url, where MTS signs in. Whether it accepts MTS is seen with the first batch.", nil)
}

func registryLine(err error) seeding.Line {
	if err != nil {
		return seeding.RegistryLine(server, err, seeding.ProblemRead, registryURL)
	}
	return ok(server, "reached", "An Odoo answers at the address of the registry.", nil)
}

var ways = map[string]string{
	"session":    "with a password",
	"execute_kw": "with what is sent along each call (execute_kw)",
	"json2":      "with an API key (JSON-2)",
}

func signInLine(c seeding.Connector, way string, err error) seeding.Line {
	if err == nil {
		return ok(signIn, "signed_in", "The user is signed in "+ways[way]+".", map[string]any{"way": way})
	}
	fault := seeding.FaultOf(err)
	line := seeding.RegistryLine(signIn, err, seeding.ProblemSignIn, seeding.FieldOf(fault))
	if fault.Code == "NoDatabase" {
		line.Params["database"] = c.Registry.Database
	}
	return line
}

// Lines of Odoo that this was made for.
const oldest, newest = 14, 19

func versionLine(odoo, module, way string) seeding.Line {
	params := map[string]any{}
	for name, value := range map[string]string{"odoo": odoo, "openg2p": module, "way": way} {
		if value != "" {
			params[name] = value
		}
	}
	digits, _, _ := strings.Cut(odoo, ".")
	major, err := strconv.Atoi(digits)
	if err != nil {
		return seeding.Line{Name: version, Result: seeding.LineWarning, Code: "unknown", Params: params, Description: seeding.Description{
			Text:   "The registry does not say which version of Odoo it is.",
			Remedy: "Nothing, if everything else here is in order.",
		}}
	}
	if major < oldest || major > newest {
		return seeding.Line{Name: version, Result: seeding.LineWarning, Code: "untried", Params: params, Description: seeding.Description{
			Text:   fmt.Sprintf("The registry is Odoo %s. This connector was made for Odoo %d to %d.", odoo, oldest, newest),
			Remedy: "Look at the lines below, and at the first runs.",
		}}
	}
	text := "The registry is Odoo " + odoo
	switch module {
	case "15.0":
		text += ", with OpenG2P's models as in its line 15.0"
	case "17.0":
		text += ", with OpenG2P's models as in its lines from 17.0 on"
	}
	return ok(version, "known", text+".", params)
}

// databaseLine compares the database with those of other connectors' registries.
func databaseLine(found seeding.RegistryFound, err error, all []seeding.RegistryFound, states []seeding.State) seeding.Line {
	users := map[string][]any{} // connectors by registry
	for _, s := range states {
		users[s.Registry] = append(users[s.Registry], s.Connector)
	}
	delete(users, found.Registry)
	if err != nil || found.Identity == "" {
		return seeding.Line{Name: database, Result: seeding.LineNotTried, Code: "unknown", Description: seeding.Description{
			Text:   "It is not known whether other connectors write into this database under another address.",
			Remedy: "Give all connectors of one registry the same address and database name.",
		}}
	}
	var twins []any
	for _, other := range all {
		if connectors := users[other.Registry]; len(connectors) > 0 {
			if other.Exact == found.Exact && other.Identity == found.Identity {
				twins = append(twins, connectors...)
			}
			delete(users, other.Registry)
		}
	}
	if len(twins) > 0 {
		text := "Other connectors name the same database by another address."
		if !found.Exact {
			text = "Other connectors seem to name the same database by another address: its first identifier type was entered at the same second."
		}
		return seeding.Line{Name: database, Result: seeding.LineWarning, Code: "two_addresses", Params: map[string]any{"connectors": twins, "exact": found.Exact},
			Field: registryURL, Description: seeding.Description{
				Text:   text,
				Remedy: "Write the same registry.url and registry.database in all of them. Otherwise two functions write into it at once, and a registrant may get two tokens.",
			}}
	}
	return ok(database, "alone", "No other connector is known to name this database by another address.",
		map[string]any{"exact": found.Exact, "unchecked": len(users)})
}

func typesLine(three bool, err error) seeding.Line {
	if err == nil && three {
		return ok(types, "all_found", "All three identifier types are there, each once.", nil)
	}
	if err == nil {
		return ok(types, "found", "Both identifier types are there, each once.", nil)
	}
	return seeding.RegistryLine(types, err, seeding.ProblemRead, seeding.FieldOf(seeding.FaultOf(err)))
}

func modulesLine(encrypting, readsOneByOne bool, err error) seeding.Line {
	switch {
	case err != nil:
		return seeding.RegistryLine(modules, err, seeding.ProblemRead, "")
	case encrypting && !readsOneByOne:
		_, d := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.RefusedRequest, Code: seeding.Encrypted}, seeding.ProblemRead)
		d.Text = "The registry can encrypt registrants (g2p_registry_encryption). It shows those who are encrypted with one text in place of their names, unless each is read alone."
		return seeding.Line{Name: modules, Result: seeding.LineWarning, Code: "encrypts_lists", Description: d, Field: oneByOne}
	case encrypting:
		return ok(modules, "encrypting", "The registry can encrypt registrants (g2p_registry_encryption), and each is read alone, so that it decrypts them.", nil)
	}
	return ok(modules, "none", "The registry does not encrypt registrants.", nil)
}

// fieldsLine is about the fields that are selected, and returns those that can be
// read.
func fieldsLine(selected []string, kinds map[string]string, err error) (line seeding.Line, known []string) {
	if err != nil {
		return seeding.RegistryLine(fields, err, seeding.ProblemRead, selectedField), nil
	}
	var missing, large []string
	for _, name := range selected {
		switch kind, there := kinds[name]; {
		case !there:
			missing = append(missing, name)
			continue
		case kind == "binary":
			large = append(large, name)
		}
		known = append(known, name)
	}
	if len(missing) > 0 {
		line = failed(fields, "no_such_field", seeding.Description{
			Text:   "The registry has no such fields of registrants, or its user may not read them: " + list(missing) + ".",
			Remedy: "Take them out of the field list and out of the mapping, name the fields that took their place, or give the user the group that may read them. (Odoo 18 has no \"mobile\" any more, only \"phone\".)",
		}, selectedField)
		line.Params = map[string]any{"fields": anyOf(missing)}
		return line, known
	}
	if len(large) > 0 {
		return seeding.Line{Name: fields, Result: seeding.LineWarning, Code: "large", Params: map[string]any{"fields": anyOf(large)}, Field: selectedField,
			Description: seeding.Description{
				Text:   "These fields hold pictures or documents: " + list(large) + ".",
				Remedy: "Take them out of the field list. A reply that is too large is not read.",
			}}, known
	}
	return ok(fields, "known", fmt.Sprintf("The registry has all %d fields of the field list.", len(selected)), map[string]any{"fields": len(selected)}), known
}

// list writes names of fields, which are the configuration's own.
func list(names []string) string {
	const most = 10
	quoted := make([]string, 0, most)
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, strconv.Quote(name))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

func anyOf(names []string) (all []any) {
	for _, name := range names {
		all = append(all, name)
	}
	return all
}

func readLine(s seen, err error) seeding.Line {
	if err == nil {
		return ok(read, "read", "Registrants, identifiers and identifier types can be read, and the registry accepts the domain.", map[string]any{"looked": s.looked})
	}
	return seeding.RegistryLine(read, err, seeding.ProblemRead, seeding.FieldOf(seeding.FaultOf(err)))
}

// selectsLine says how many the domain selects, and why nobody if that is so.
func selectsLine(s seen, vids string) seeding.Line {
	params := map[string]any{"looked": s.looked, "selected": s.selected, "holding": s.holding}
	if s.all >= 0 {
		params["vids"] = s.all
	}
	nobody := func(code, field string, d seeding.Description) seeding.Line {
		return seeding.Line{Name: selects, Result: seeding.LineWarning, Code: code, Params: params, Description: d, Field: field}
	}
	looked := fmt.Sprintf("Of %d VIDs, %d belong to registrants whom the domain selects", s.looked, s.selected)
	if s.all > s.looked {
		looked = fmt.Sprintf("Of the first %d of %d VIDs, %d belong to registrants whom the domain selects", s.looked, s.all, s.selected)
	}
	switch {
	case s.looked == 0:
		params["vid_type"] = vids
		return nobody("no_vids", vidType, seeding.Description{
			Text:   "Nobody has a VID: the registry has no valid identifier of the type " + strconv.Quote(vids) + ".",
			Remedy: "Enter the VIDs of registrants as identifiers of this type, or correct vid_type. Identifiers that have expired, or are marked invalid, do not count.",
		})
	case s.unseen == seeding.Archived:
		return nobody(string(s.unseen), domain, seeding.Description{
			Text:   looked + ": most of the others are archived.",
			Remedy: `Unarchive them, or add ["active","in",[true,false]] to the domain if archived registrants are to get tokens.`,
		})
	case s.unseen == seeding.NotVisible:
		return nobody(string(s.unseen), registryUser, seeding.Description{
			Text:   looked + ": the registry does not show most of the others to its user.",
			Remedy: "Check the companies and record rules of the registry's user.",
		})
	case s.unseen != "":
		return nobody(string(s.unseen), domain, seeding.Description{
			Text:   looked + ": it leaves most of the others out.",
			Remedy: "Check the terms of the domain one by one.",
		})
	}
	if s.holding > 0 {
		looked += fmt.Sprintf("; %d of these hold a token already and are not sent", s.holding)
	}
	return ok(selects, "some", looked+".", params)
}

// createLine only warns about a direct callback, whose receiver writes the tokens.
func createLine(may, direct bool, err error) seeding.Line {
	line := rightLine(create, "The user may create identifiers.", seeding.ProblemWrite, may, err)
	if direct && line.Code == denied {
		line.Result = seeding.LineWarning
	}
	return line
}

// removeLine only warns if VIDs stay.
func removeLine(may, removes bool, err error) seeding.Line {
	line := rightLine(remove, "The user may remove identifiers.", seeding.ProblemUnlink, may, err)
	if !removes && line.Code == denied {
		line.Result = seeding.LineWarning
	}
	return line
}

const denied = "denied"

// rightLine is about a right to identifiers.
func rightLine(name, text string, op seeding.Source, may bool, err error) seeding.Line {
	switch {
	case err != nil:
		return seeding.RegistryLine(name, err, op, registryUser)
	case may:
		return ok(name, "allowed", text, nil)
	}
	_, d := seeding.RegistryProblem(&seeding.Fault{Kind: seeding.RefusedRights}, op)
	return failed(name, denied, d, registryUser)
}

// writeLine is about the rights that an Output Format needs.
func writeLine(needed, missing []seeding.Right) seeding.Line {
	switch {
	case len(missing) > 0:
		line := failed(write, denied, seeding.Description{
			Text:   "output_format sets what the user has no right to: " + inWords(missing) + ". Its tokens would not be written.",
			Remedy: "Give the user's group these rights in the registry (access rights, and record rules if there are any), or take what needs them out of output_format.",
		}, outputFormat)
		line.Params = map[string]any{"rights": rightNames(missing)}
		return line
	case len(needed) == 0:
		return ok(write, "token_alone", "output_format sets nothing but the token, which needs no further right.", nil)
	}
	return ok(write, "allowed", "The user has the rights that output_format needs: "+inWords(needed)+".", map[string]any{"rights": rightNames(needed)})
}

func inWords(rights []seeding.Right) string {
	words := make([]string, len(rights))
	for i, r := range rights {
		words[i] = "to " + r.Operation + " " + r.Model
	}
	return strings.Join(words, ", ")
}

func rightNames(rights []seeding.Right) (names []any) {
	for _, r := range rights {
		names = append(names, r.String())
	}
	return names
}

// slower is by how much a look-up is slower than one by id if an index is missing. A
// thousand tokens take as many seconds more as it has milliseconds.
const slower = 10 * time.Millisecond

// few identifiers are read in less than slower without an index too: 750,000 take 0.8 s
// (facts/odoo.md B3). What is slow among few is other work of the server.
const few = 5000

// indexLines compare look-ups with one by id, which has an index in any case.
func indexLines(l seeding.LookUps, err error) (lines []seeding.Line) {
	for _, one := range []struct {
		name, column, needs string
		took                time.Duration
	}{
		{byRegistrant, "partner_id", "Each token that is written takes about %d ms more than it would with an index.", l.ByRegistrant},
		{byValue, "value", "Each search for holders of tokens reads all identifiers, which takes %d ms more than it would with an index.", l.ByValue},
	} {
		params := map[string]any{
			"identifiers": l.Identifiers, "milliseconds": int(one.took.Milliseconds()), "by_id_milliseconds": int(l.ByID.Milliseconds()), "column": one.column,
		}
		more := one.took - l.ByID
		missing := more >= slower && l.Identifiers > few
		if missing {
			params["more_milliseconds"] = int(more.Milliseconds())
		}
		switch {
		case err != nil:
			lines = append(lines, seeding.RegistryLine(one.name, err, seeding.ProblemRead, ""))
		case !missing:
			lines = append(lines, ok(one.name, "fast", fmt.Sprintf("Identifiers are found by %s as fast as by id, among %d.", one.column, l.Identifiers), params))
		default:
			lines = append(lines, seeding.Line{Name: one.name, Result: seeding.LineWarning, Code: "slow", Params: params, Description: seeding.Description{
				Text:   fmt.Sprintf("An index is missing: among %d identifiers one is found by %s in %d ms, and by id in %d ms. ", l.Identifiers, one.column, one.took.Milliseconds(), l.ByID.Milliseconds()) + fmt.Sprintf(one.needs, more.Milliseconds()),
				Remedy: "Have the registry's database create it: CREATE INDEX CONCURRENTLY ON g2p_reg_id (" + one.column + ");",
			}})
		}
	}
	return lines
}
