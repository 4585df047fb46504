package main

import (
	"strings"
	"time"
)

// odkFields are those that Odoo's connector uses with ODK as input, and registryFields
// those that it uses with registrants.
var (
	odkFields      = []string{"odk_base_url", "odk_odata_url", "odk_email", "odk_password"}
	registryFields = []string{"g2p_search_domain", "g2p_selected_fields"}
)

// submissionType is the API's default.
const submissionType = "ODK SUBMISSION"

// form is the form at ODK Central whose submissions are taken.
func (p *planner) form() {
	for _, there := range odkFields {
		here, value := "odk."+strings.TrimPrefix(there, "odk_"), p.old.text(there)
		if there == "odk_password" { // spaces may be part of it
			value, _ = p.old[there].(string)
		}
		if value == "" {
			p.say(missing, here, there, "it is empty in Odoo")
			continue
		}
		p.take(here, there, value)
	}
	p.set("odk.submission_type", submissionType)
	p.say(added, "odk.submission_type", "", "the default: the registry must have an identifier type of this name, under which registrants keep the id of their submission")
	p.since()
}

// since is where the next window of Odoo's connector would begin: it stores the end of
// the last one (facts/mts.md 5.3).
func (p *planner) since() {
	const here, there = "odk.received_from", "end_datetime"
	if !p.old.empty("start_datetime") {
		p.say(left, "", "start_datetime", "Odoo's connector does not use it: its windows begin at end_datetime")
	}
	text := p.old.text(there)
	if text == "" {
		p.say(changed, here, there, "it is empty, with which the windows of Odoo's connector begin when it is started; here they begin with the first submission, unless another moment is given")
		return
	}
	at, err := time.Parse(time.DateTime, text) // Odoo's times are in UTC
	if err != nil {
		p.say(missing, here, there, "%q is no date and time", text)
		return
	}
	p.change(here, there, at.Format(time.RFC3339), "the last window of Odoo's connector ended there; what MTS did not take in before was lost in Odoo, and is taken here with an earlier moment")
}

// received is who takes the answers of MTS: always the connector itself.
func (p *planner) received() {
	address := p.old.text("callback_url")
	switch {
	case address == "":
		p.managed("it is empty in Odoo, so nobody gets the tokens; the connector takes the answers of MTS itself, and creates registrants")
	case isRegistryAPI(address) && p.wish.Direct:
		p.managed("it cannot be kept with -direct: with ODK the connector takes the answers of MTS itself, and creates the registrant that output_format gives")
	case isRegistryAPI(address):
		p.managed("it is OpenG2P's own API: the connector takes the answers of MTS itself, and creates the registrant that output_format gives")
	default:
		p.managed("look at it: it is no API of OpenG2P. With ODK the connector takes the answers of MTS itself, and writes registrants into the Odoo that is read")
	}
	p.timeout()
	if p.old.text("output_format") == "" {
		p.say(changed, "output_format", "output_format", "it is empty, with which every call of Odoo's connector has an empty body; here a registrant is made of the mapped fields, with its token")
	}
}
