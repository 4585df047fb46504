package seeding

import (
	"strconv"
	"strings"
)

// odkServer is ODK Central, from which MTS pulls submissions, and where we count and
// read them.
var odkServer = server{"odk", "ODK Central", "ODK Central", "odk.base_url"}

// CodeNothingPulled is the code with which MTS says that it pulled no submission
// (facts/mts.md 2.6). There is no request then.
const CodeNothingPulled = "ATS-REQ-23"

// codeUnexpected is the code of whatever MTS did not foresee, such as an ODK Central that
// it does not reach (facts/mts.md 2.1).
const codeUnexpected = "ATS-REQ-100"

// ODKSignInLine is the line of a sign-in at ODK Central that failed, with the field that
// is to be corrected.
func ODKSignInLine(f *Fault) Line {
	field := "odk_base_url"
	if f.Code == "WrongPassword" {
		field = "odk_password"
	}
	return ODKProblem(f).Line("odk_sign_in", field)
}

// CodeNotAskable is the code of a submission whose id no address can name (Askable).
const CodeNotAskable = "NotAskable"

// NoSubmissions is the code of a fault of an MTS that reads no submission in a window in
// which ODK Central counts some (facts/odk.md 15.2).
const NoSubmissions = "NoSubmissions"

// ODKProblem describes the problem "odk": what keeps a form of ODK Central from being
// read, or MTS from reading it. Codes are those of shared/odk, and of the HTTP client.
func ODKProblem(f *Fault) Description {
	return odkProblem(f).naming(Named{Fault: f.Code, Field: f.Field, Server: odkServer.code})
}

func odkProblem(f *Fault) Description {
	if said, known := odkCauses[f.Code]; known {
		return texts{strings.ReplaceAll(said.text, "{name}", strconv.Quote(f.Field)), said.remedy}.of(f.Code)
	}
	if d, known := odkServer.describe(f.Code); known {
		return d
	}
	switch {
	case strings.HasPrefix(f.Code, "ODK-"):
		return describe("odk_refuses",
			"ODK Central refuses our request ("+f.Code+").",
			"Check odk.odata_url: it must be the OData link that Central shows for the form, of the same Central. If it is right, report the code: this release of Central may be one that the connector does not know.",
		)
	case strings.HasPrefix(f.Code, "HTTP-"):
		return describe("odk_answered_instead",
			"A web server or proxy answers in place of ODK Central ("+f.Code+").",
			"Check that Central is up, that odk.base_url is its address, and that what stands before it lets all calls below /v1 pass.",
		)
	case f.Kind == Unreachable || f.Kind == Unknown:
		return describe("odk_unreachable",
			"ODK Central cannot be reached, or does not answer in time.",
			"Check that Central is up and that odk.base_url is within the allowed ranges of the deployment. Work goes on by itself once it answers.",
		)
	}
	return describe("odk_refused",
		"ODK Central refuses that the form is read"+bracketed(f.Code)+".",
		"Check odk.odata_url, and which rights the account of odk.email has in the form's project of Central.",
	)
}

// odkCauses are what codes of shared/odk mean. {name} is the field that the fault names.
var odkCauses = map[string]texts{
	// Sign-in.
	"WrongPassword": {
		"ODK Central refuses e-mail address or password of the connector; it does not say which.",
		"Correct odk.email and odk.password. Try both on Central's own login page: the password may have been changed, or the user deleted. After a change, save the connector with the new password.",
	},
	"SingleSignOn": {
		"This ODK Central lets nobody sign in with a password: it uses single sign-on. So neither the connector nor MTS can read it.",
		"Ask the operator of Central whether it can be run without single sign-on (OIDC), or have the form's submissions in a Central with passwords. No setting of the connector helps.",
	},
	"SessionRefused": {
		"ODK Central lets the connector sign in, and then does not accept the session that it has just given.",
		"Check that odk.base_url leads to one Central and not to several by turns, and that no proxy before it takes the header Authorization away.",
	},
	// Rights and form.
	"NoRight": {
		"The form is there, and the account of odk.email may not read its submissions.",
		"In Central, on the page of the project under \"Project Roles\", give the account the role Project Viewer: it is the least that reads submissions. Data Collector is not enough, and an App User cannot.",
	},
	"NoForm": {
		"ODK Central has no such project, or no such published form in it.",
		"Check odk.odata_url: copy it from Central, from the page of the form's submissions, \"Analyze via OData\". Small and capital letters count. A form that is only a draft must be published first; a deleted form can be restored in Central for 30 days.",
	},
	"NotCentral": {
		"What answers at odk.base_url is not ODK Central.",
		"Check odk.base_url: it is the address in the browser on Central's login page, without what follows the host, such as https://central.example.org.",
	},
	"EncryptedForm": {
		"The form is encrypted: of its submissions ODK Central gives nothing that can be read by OData.",
		"Use a form without encryption: in Central encryption by a key of the project cannot be taken back, so it needs the form in a project without it.",
	},
	"NoField": {
		"The form has no field {name}, which the mapping names.",
		"Correct the mapping. A field within a group is written with a dot, such as person.vid, in small and capital letters as the form has them.",
	},
	"NumericField": {
		"The form asks for {name} as a number. ODK Central changes the last digits of long numbers, so VIDs come out wrong.",
		"Ask for it as a text (type text, with appearance numbers and a constraint for the digits). Central cannot change the type of a field: add a field with another name to the next version of the form, and map that one.",
	},
	"NoTextField": {
		"The field {name} of the form holds no text, or is in a repeat, so it cannot be the VID of a submission.",
		"Map a field of type text that each submission has once. Of a repeat a submission has any number of rows, and one submission becomes one registrant.",
	},
	"ODK-400.23": {
		"The form has no such field as $select of odk.odata_url names (ODK-400.23).",
		"Correct the names in $select, or leave it out. A field within a group is written with / there, such as person/vid.",
	},
	"ODK-400.24": {
		"$select of odk.odata_url names a field within a repeat (ODK-400.24).",
		"Take it out of $select. Of a repeat a submission has any number of rows, and one submission becomes one registrant; $expand=* in place of $select adds the repeats.",
	},
	// What comes.
	"ClockApart": {
		"The clock of ODK Central is more than five minutes from the connector's.",
		"Set the clock of Central's machine, and of its database, by the network (NTP). Windows of submissions go by Central's clock, so nothing is lost; but times that are shown do not fit.",
	},
	"Silent": {
		"ODK Central began to answer and then sent nothing for too long.",
		"Look into Central's log: its database may have been restarted, or have too many readers. Work goes on by itself once it answers.",
	},
	"BrokenReply": {
		"A reply of ODK Central ended before its end, as when Central loses its database, or is restarted.",
		"Nothing needs to be done if that was once; it is tried again. Otherwise look into the logs of Central and of the proxies before it: a limit of time or size cuts replies.",
	},
	"BadAnswer": {
		"A reply of ODK Central is not what was asked for.",
		"Check that odk.base_url leads to Central itself and that nothing before it changes replies. If it is right, this release of Central may be one that the connector does not know.",
	},
	"AnswerTooLarge": {
		"A reply of ODK Central, or one submission in it, is larger than the connector reads.",
		"Choose the fields that are needed by $select in odk.odata_url, such as …/Submissions?$select=__id,vid,person; repeats that are not needed should not be read by $expand.",
	},
	"WindowChanged": {
		"Submissions came or went while ODK Central was read.",
		"Nothing needs to be done: it is read again. If that does not end, look for what restores, deletes or imports submissions of the form all the time.",
	},
	CodeNotAskable: {
		"A submission of the form has an id that cannot be asked for at ODK Central, such as one with an apostrophe.",
		"Let the form make the ids of its submissions itself (meta/instanceID), as forms do if nothing is said of it. Submissions with such ids must be sent anew, with other ids.",
	},
	NoSubmissions: {
		"MTS reads no submissions of the form, and ODK Central counts some in the same window.",
		"MTS says so of every failure: it cannot reach odk.base_url from its own network, does not trust Central's certificate, or may not read the form. From the machine of MTS, the page of Central must open. Then start the connector again to try at once.",
	},
}
