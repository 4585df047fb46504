package connectors

import (
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// reason says in words why a registrant was rejected and what would help.
// Several codes, joined by commas, give several reasons; a code that is not in
// the table gives the reason of its kind.
func reason(kind seeding.RejectionKind, code string) string {
	var texts []string
	for c := range strings.SplitSeq(code, ",") {
		if text, known := reasons[strings.TrimSpace(c)]; known {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 && seeding.BlameOf(code) == seeding.BlameSystem {
		return "MOSIP refused the partner, its licence or its policy for this registrant, while others were answered. It is tried again."
	}
	if len(texts) == 0 {
		return kindReasons[kind]
	}
	return strings.Join(texts, " ")
}

// notes say why a run finds next to no registrant for the VIDs that it looks at.
var notes = map[seeding.Unseen]string{
	seeding.NotSelected: "The connector's domain selects next to none of the registrants that hold these VIDs, though its user sees them. Check the domain.",
	seeding.Archived:    "Next to all registrants that hold these VIDs are archived in the registry, and archived ones are not read. Restore them, or remove their VIDs.",
	seeding.NotVisible: "The registry shows its user next to none of the registrants that hold these VIDs, also without the domain: company or record rules hide them. " +
		"Give the user the companies of these registrants, and the group that may read them.",
	seeding.UnseenCause: "The registry shows next to none of the registrants that hold these VIDs, and did not say why. Check the domain, and the companies and groups of its user.",
}

// kindReasons are for rejections whose code is not in reasons.
var kindReasons = map[seeding.RejectionKind]string{
	seeding.Invalid:   "Data that MTS demands is missing.",
	seeding.Refused:   "MOSIP, or the registry, does not accept this registrant's data.",
	seeding.Duplicate: "Another registrant holds this person's token: both are probably one person.",
	seeding.Conflict:  "The registrant holds another token than MOSIP gives now.",
	seeding.NoToken:   "MTS took this registrant's data and never answered.",
	seeding.SetAside:  "The answer for this registrant could not be processed; it is asked for again.",
}

// reasons by code: ours, those of MTS (facts/mts.md 2.7) and those of MOSIP's
// identity service that a demographic authentication can meet.
var reasons = map[string]string{
	seeding.CodeNotText:     "A mapped field gives a number, a list or an object where MTS takes text only. Choose another field, or take a part of it: \"country_id[1]\" is the name in a relation.",
	seeding.CodeTooMuchWork: "The mapping needs too much work for this registrant's data, so it was stopped. Make it simpler, or shorten the value.",
	seeding.CodeEmptyToken:  "MOSIP accepted the registrant, but gave no token. Ask the operator of MOSIP about the partner's policy.",
	seeding.CodeEmptyHeld:   "The registrant has a token identifier without a value. Delete it in the registry.",
	seeding.CodeNotToken:    "The registrant has an identifier of the token type that is no MOSIP token. Correct or delete it in the registry.",
	seeding.CodeTokenShape:  "MTS gave this registrant a token that has not the shape of a MOSIP token, while others got one. It was not written. It is tried again.",
	seeding.CodeOtherToken:  "The registrant holds another token than MOSIP gives now. Check whose VID it is; delete whichever is wrong.",
	seeding.CodeVIDChanged:  "The VID was changed while the token for the former one was written. Check which is right; if it is the new VID, delete the token.",
	seeding.CodeHeldByOther: "Another registrant holds this person's token: both are probably one person.",
	seeding.CodeNoAnswer:    "MTS took this registrant's data, alone, and never answered.",
	seeding.CodeSetAside:    "The answer for this registrant could not be processed; it is asked for again.",

	"ATS-REQ-003": "The name is empty.",
	"ATS-REQ-004": "The gender is empty.",
	"ATS-REQ-006": "The date of birth is empty.",
	"ATS-REQ-008": "The address is empty.",
	"ATS-REQ-009": "The VID is missing or empty.",
	"ATS-REQ-010": "The name is missing.",
	"ATS-REQ-011": "The gender is missing.",
	"ATS-REQ-012": "The date of birth is missing.",
	"ATS-REQ-013": "The phone number is missing.",
	"ATS-REQ-014": "The e-mail address is missing.",
	"ATS-REQ-015": "The address is missing.",
	"ATS-REQ-100": "MTS did not understand MOSIP's reply.",
	"ATS-REQ-103": "MOSIP gave several reasons at once.",
	"AUT_BAS_001": "MTS could not reach MOSIP's identity service for this registrant, while others were answered. It is tried again.",

	"IDA-MLC-001": "MOSIP found the request too old or too new. Check the clock of the machine that MTS runs on.",
	"IDA-MLC-002": "MOSIP does not know this number as an identity number.",
	"IDA-MLC-003": "The identity behind the VID is deactivated.",
	"IDA-MLC-004": "MOSIP does not know this VID.",
	"IDA-MLC-005": "The VID has expired. The person needs a new one.",
	"IDA-MLC-006": "A value that MOSIP demands is missing.",
	"IDA-MLC-007": "MOSIP could not process the request.",
	"IDA-MLC-009": "MOSIP does not accept one of the values, most often the VID: check its digits.",
	"IDA-MLC-010": "The identity behind the VID is deactivated.",
	"IDA-MLC-011": "MOSIP does not authenticate by these fields.",
	"IDA-MLC-012": "The person's consent is not recorded in MOSIP.",
	"IDA-MLC-015": "MOSIP does not accept VIDs here.",
	"IDA-MLC-018": "MOSIP has no such VID. It may be mistyped, or revoked, or not have reached the identity service yet.",
	"IDA-MLC-019": "The person has locked demographic authentication.",
	"IDA-MLC-022": "The identity behind the VID is deactivated or blocked.",
	"IDA-MLC-023": "The VID has expired or was revoked. The person needs a new one.",
	"IDA-MLC-026": "The VID has a wrong number of digits.",
	"IDA-MLC-027": "The VID's check digit is wrong: it is mistyped.",
	"IDA-MLC-028": "The VID has a wrong number of digits.",
	"IDA-MLC-029": "The VID's check digit is wrong: it is mistyped.",
	"IDA-DEA-001": "Name, gender, date of birth or another field differs from what MOSIP has for this VID.",
	"IDA-DEA-002": "MOSIP does not have the connector's language.",
	"IDA-DEA-003": "MOSIP does not have one of the fields for this person.",

	"ODOO-ValidationError": "The registry's rules refuse this token for this registrant.",
	"ODOO-UserError":       "The registry refuses this token for this registrant.",
	"ODOO-ValueError":      "The registry cannot take this value as a token.",
}
