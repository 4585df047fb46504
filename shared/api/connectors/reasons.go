package connectors

import (
	"maps"
	"regexp"
	"strings"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

// sayingDocument is a sentence with the code and the parameters that programs
// translate it by.
type sayingDocument struct {
	Code   string     `json:"code"`
	Params api.Params `json:"params,omitempty"` // what the text names
	Text   string     `json:"text"`
}

// reasonsDocument is why a registrant gets no token, in words: as one text, and
// sentence by sentence.
type reasonsDocument struct {
	Reason  string           `json:"reason,omitempty"`
	Reasons []sayingDocument `json:"reasons,omitempty"`
}

// reasonsOf says why a registrant was rejected and what would help. Several codes,
// joined by commas, give several reasons; a code that is not in the tables gives the
// reason of its kind. What is missing is said with what the mapping reads, if c still
// is the configuration that it was rejected with.
func reasonsOf(x seeding.Rejection, c seeding.Connector) reasonsDocument {
	var all []sayingDocument
	for code, fields := range seeding.SplitCodes(x.Code) {
		said := sayingDocument{Code: code, Text: reasons[code]}
		if said.Text == "" {
			said.Text = seeding.ReasonOf(code, fields)
		}
		if said.Text == "" {
			continue
		}
		if len(fields) > 0 {
			said.Params = api.Params{"fields": fields}
		}
		all = append(all, said)
		if x.Configured == c.Version {
			all = append(all, reads(code, c.Source.Mapping)...)
		}
	}
	if len(all) == 0 {
		all = append(all, sayingDocument{Code: string(x.Kind), Text: kindReasons[x.Kind]})
	}
	if x.Systemic() {
		all = append(all, sayingDocument{Code: reasonTriedAgain, Text: furtherReasons[reasonTriedAgain]})
	}
	texts := make([]string, 0, len(all))
	for _, said := range all {
		texts = append(texts, said.Text)
	}
	return reasonsDocument{strings.Join(texts, " "), all}
}

// Reasons are all sentences of reasons by their codes, but for those that
// seeding.Meanings has. What stands in braces is a parameter. As Notes they are for the
// document of the API.
func Reasons() map[string]string {
	all := maps.Clone(reasons)
	for kind, text := range kindReasons {
		all[string(kind)] = text
	}
	maps.Copy(all, furtherReasons)
	return all
}

// Notes are all notes of runs, and of retries, by their codes. Words in braces are
// parameters.
func Notes() map[string]string {
	all := map[string]string{}
	for code, text := range departures {
		all[string(code)] = text
	}
	for code, text := range notes {
		all[string(code)] = text
	}
	return all
}

// Codes of sentences that stand behind others.
const (
	reasonReads      = "mapping_reads"
	reasonWholeName  = "whole_name"
	reasonTriedAgain = "tried_again"
)

// furtherReasons are these sentences; {expressions} stands for what the mapping reads.
var furtherReasons = map[string]string{
	reasonReads:      "The mapping reads it from: {expressions}.",
	reasonWholeName:  "A group has a whole name only: map \"name\" too, or leave groups out by the domain.",
	reasonTriedAgain: "Others were answered, so this person is tried again.",
}

// reads says from what the mapping takes a field that is missing or empty; nothing for
// any other code.
func reads(code string, m seeding.Mapping) (all []sayingDocument) {
	var from []string
	switch code {
	case "ATS-REQ-003", "ATS-REQ-010":
		from = m.Name
	case "ATS-REQ-004", "ATS-REQ-011":
		from = []string{m.Gender}
	case "ATS-REQ-006", "ATS-REQ-012":
		from = []string{m.DOB}
	case "ATS-REQ-008", "ATS-REQ-015":
		from = m.FullAddress
	case "ATS-REQ-009":
		from = []string{m.VID}
	case "ATS-REQ-013":
		from = []string{m.PhoneNumber}
	case "ATS-REQ-014":
		from = []string{m.EmailID}
	}
	expressions := strings.Join(from, ", ")
	if expressions == "" {
		return nil
	}
	all = append(all, sayingDocument{reasonReads, api.Params{"expressions": from}, strings.ReplaceAll(furtherReasons[reasonReads], "{expressions}", expressions)})
	if code == "ATS-REQ-010" && !wholeName.MatchString(expressions) {
		all = append(all, sayingDocument{Code: reasonWholeName, Text: furtherReasons[reasonWholeName]})
	}
	return all
}

// wholeName is Odoo's field "name" in an expression.
var wholeName = regexp.MustCompile(`\bname\b`)

// note is why a run finds nobody to send; nil if it finds some.
func note(n seeding.Nobody) *sayingDocument {
	if n == "" {
		return nil
	}
	return &sayingDocument{Code: string(n), Text: notes[n]}
}

// notes say why a run finds nobody to send, or next to nobody.
var notes = map[seeding.Nobody]string{
	seeding.NotSelected: "The domain selects next to none of the registrants that were looked at, though its user sees them. Check the domain.",
	seeding.Archived:    "Next to all registrants that were looked at are archived in the registry, and archived ones are not read. Restore them, or leave them out: remove their VIDs, or do not list them.",
	seeding.NotVisible: "The registry shows its user next to none of the registrants that were looked at, also without the domain: company or record rules hide them. " +
		"Give the user the companies of these registrants, and the group that may read them.",
	seeding.UnseenCause: "The registry shows next to none of the registrants that were looked at, and did not say why. Check the domain, and the companies and groups of its user.",
	seeding.NoVID: "The registry lists no VID, so nobody is to be sent: everybody has a token, or nobody brought a VID. " +
		"Otherwise check registry.vid_type, the status and expiry of these identifiers, and whether the registry's user may read them.",
	seeding.NothingNew:   "ODK Central has no submission that is new, or was edited, since the run before, so none is sent.",
	seeding.NoneReceived: "ODK Central has no submission that it received in the time that this import takes, so none is sent.",
	seeding.InBatch: "Next to all that were looked at are in an open batch already, of this connector or of another that uses the registry, " +
		"and nobody is sent twice. The next run sends those who get no token by it; GET …/runs/…/batches of either shows it.",
	seeding.Holding: "Next to all that were looked at have a token in the registry, or something else of its type, and are not sent. " +
		"With input_type registry and remove_vids their VIDs are removed; /rejections shows what is in the way of that.",
	seeding.Rejected: "Next to all that were looked at are rejected, and are not due for another attempt. " +
		"/rejections says why and until when; /rejections/retry makes an attempt with the next run.",
	seeding.AllInvalid: "Next to all registrants that were looked at lack what MTS demands, and were rejected unsent. /rejections says what; check the mapping, or correct them in the registry.",
	seeding.PassedOver: "Nobody was left to be sent, for several reasons: the tally counts who is in an open batch, holds a token, was rejected before, or is passed over otherwise.",
	seeding.EndedEarly: "The run ended before it had sent anybody, because it was cancelled, or the connector was stopped or changed. The next recurring run looks at everybody anew; an import does so if it is opened again.",
	seeding.NotFound:   "The registry shows its user next to none of the registrants that were listed. Check their ids, and the companies and groups of the user.",
	seeding.NoneListed: "Next to all registrants that were listed have no VID that is valid, and no token. Check their identifiers, their status and expiry.",
}

// kindReasons are for rejections whose code is not in reasons.
var kindReasons = map[seeding.RejectionKind]string{
	seeding.Invalid:   "Data that MTS demands is missing.",
	seeding.Refused:   "MOSIP, or the registry, does not accept this person's data.",
	seeding.Duplicate: "Somebody else in the registry holds this person's token: both are probably one person. Look at both, and merge them or remove one; if they are two persons, correct the VID that is wrong.",
	seeding.Conflict:  "The registrant holds another token than MOSIP gives now.",
	seeding.NoToken:   "MTS took this person's data and never answered.",
	seeding.SetAside:  "The answer for this person could not be processed; it is asked for again.",
}

// reasons by code of our own and of the registry; seeding.ReasonOf has those of
// MTS and MOSIP.
var reasons = map[string]string{
	seeding.CodeNotText:     "A mapped field gives a number, a list or an object where MTS takes text only, or a text of more than 1 KB (name, address) or 256 bytes (the others). Choose another field, or take a part of it: \"country_id[1]\" is the name in a relation.",
	seeding.CodeTooMuchWork: "The mapping needs too much work for this person's data, so it was stopped. Make it simpler, or shorten the value.",
	seeding.CodeEmptyHeld:   "The registrant has a token identifier without a value. Delete it in the registry.",
	seeding.CodeNotToken:    "The registrant has an identifier of the token type that is no MOSIP token. Correct or delete it in the registry.",
	seeding.CodeOtherToken:  "The registrant holds another token than MOSIP gives now. Check whose VID it is; delete whichever is wrong.",
	seeding.CodeVIDChanged:  "The VID was changed while the token for the former one was written. Check which is right; if it is the new VID, delete the token.",
	seeding.CodeHeldByOther: "Somebody else in the registry holds this person's token: both are probably one person. Look at both, and merge them or remove one; if they are two persons, correct the VID that is wrong.",
	seeding.CodeNotArrived: "MTS is done with this person's data, and no token arrived in the registry. With a direct callback only the receiving API is told why: " +
		"look into its log for the errorCode of MOSIP, or for what it refused itself. What is corrected in the registry is sent at once.",
	seeding.CodeNoAnswer: "MTS took this person's data, alone, and never answered.",
	seeding.CodeSetAside: "The answer for this person could not be processed; it is asked for again.",

	"ODOO-ValidationError": "The registry's rules refuse this token for this person.",
	"ODOO-UserError":       "The registry refuses this token for this person.",
	"ODOO-ValueError":      "The registry cannot take this value as a token.",
}
