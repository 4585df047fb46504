package seeding

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Description is what people read about a problem: what is wrong, and what they
// can do. It holds no text of a server, which may contain identifier values
// (facts/odoo.md A1.7).
type Description struct {
	Text, Remedy string
	// Code tells descriptions of a source apart, for programs; it never changes.
	Code  string
	Named Named
}

// Named is what text and remedy of a description name, where it differs from one to
// the next. Its members are empty otherwise.
type Named struct {
	Fault   string // code of a server, a client, MTS or MOSIP
	Field   string // of the registry or MTS, or what else the configuration names
	Server  string // registry or mts
	Address string
	Count   int
}

// Params are its members that are not empty, by the names that replies have.
func (n Named) Params() map[string]any {
	params := map[string]any{}
	for name, value := range map[string]string{"fault": n.Fault, "field": n.Field, "server": n.Server, "address": n.Address} {
		if value != "" {
			params[name] = value
		}
	}
	if n.Count != 0 {
		params["count"] = n.Count
	}
	return params
}

func describe(code, text, remedy string) Description {
	return Description{Text: text, Remedy: remedy, Code: code}
}

// naming is the description with what it names.
func (d Description) naming(n Named) Description {
	d.Named = n
	return d
}

// texts are a description in a table of faults. Its code is that of the fault.
type texts struct{ text, remedy string }

func (t texts) of(fault string) Description {
	return describe(snake(fault), t.text, t.remedy).naming(Named{Fault: fault})
}

// snake writes a code of a fault as codes of descriptions are: http_502 for HTTP-502,
// not_tls for NotTLS.
func snake(code string) string {
	var b strings.Builder
	isUpper := func(i int) bool { return code[i] >= 'A' && code[i] <= 'Z' }
	isLower := func(i int) bool { return i < len(code) && code[i] >= 'a' && code[i] <= 'z' }
	for i := range len(code) {
		switch {
		case code[i] == '-':
			b.WriteByte('_')
			continue
		case isUpper(i) && i > 0 && code[i-1] != '-' && (!isUpper(i-1) || isLower(i+1)):
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(code[i : i+1]))
	}
	return b.String()
}

// All texts of problems are in this file and in problem_causes.go.
var (
	// IdentityRefused is the problem "identity".
	IdentityRefused = describe("identity_refused",
		"MOSIP refuses every registrant alike: its service, or the licence, partner or policy that MTS uses.",
		"Check MTS's connection to the MOSIP identity service, its licence key, partner and policy. While it answers for nobody, nobody new is rejected for this; who met it while others were answered is listed as refused, and is sent again by itself. Work goes on by itself.",
	)
	// TokensMisshapen, TokensMade and TokensAlike are the problem "token_shape", and
	// also "identity" if an answer has no other tokens.
	TokensMisshapen = describe("tokens_misshapen",
		"MTS gives tokens that have not the shape of a MOSIP token. They are not written, and nobody loses a VID for them.",
		"Check that mts_url is the address of your MTS, and which identity system is behind it. If it makes tokens of another shape, set token_shape in the connector's configuration.",
	)
	TokensMade = describe("tokens_made",
		"MTS gives tokens that are made of the VIDs, or of a few digits again and again. They are not written, and nobody loses a VID for them.",
		"Check that mts_url is the address of your MTS, and which identity system is behind it: a test system or a proxy may answer in its place.",
	)
	TokensAlike = describe("tokens_alike",
		"MTS gives one and the same token to most of a batch, for different VIDs. It is not written, and nobody loses a VID for it.",
		"Check that mts_url is the address of your MTS, and which identity system is behind it. If the registrants are indeed registrations of one person, delete all but one of them.",
	)
	// TokensDiffer is the problem "policy".
	TokensDiffer = describe("tokens_differ",
		"Many registrants hold another token than MOSIP gives now.",
		"Check that the policy of the MOSIP partner has token type \"partner\" or \"policy\", not \"random\".",
	)
	// AnswerUnprocessed is the problem "set_aside".
	AnswerUnprocessed = describe("answer_unprocessed",
		"An answer of MTS could not be read or processed. Other answers go on.",
		"Nothing needs to be done for the registrants: it is tried again, and after the tenth time they are rejected as set_aside and sent again. The runbook, entry set_aside, says where the cause is logged.",
	)
	// AnswersMissing is the problem "answers".
	AnswersMissing = describe("answers_missing",
		"MTS takes requests and never answers.",
		"Check that MTS can reach the callback address of this deployment, and that its clean-up does not delete requests before they are processed.",
	)
)

// The problems of a direct callback.
var (
	// DeliveryFailed is the problem "delivery" of an address that MTS could not call.
	DeliveryFailed = describe("delivery_failed",
		"MTS could not deliver its answers to the callback address of the connector (error_making_callback_request).",
		"Check callback.url and callback.timeout_seconds, and callback.auth_url with the user that signs in there: MTS must reach both, trust their certificates, and get a reply in time. With auth_type oauth the access token must be a JWT that MTS can read (the README, Direct callbacks, says which). Nobody is rejected for this: one registrant at a time is tried, until a token arrives. Start the connector again to try at once.",
	)
	// DeliveryFruitless is the problem "delivery" of an address that took everybody's
	// token and wrote none.
	DeliveryFruitless = describe("delivery_fruitless",
		"MTS has a token for everybody in a batch and called the callback address of the connector, but none of the tokens is in the registry.",
		"MTS takes no notice of what the receiving API replies, so look into that API's log: it may refuse the sign-in (401), the body that output_format makes, or an identifier type; with callback.in_bulk it must take a list of what output_format makes, of the refused too; if it takes one record, leave callback.in_bulk out. Check that token_type is the type under which it writes. Nobody is rejected for this: one registrant at a time is tried, until a token arrives. Start the connector again to try at once.",
	)
	// NobodyArrived is the problem "arrival".
	NobodyArrived = describe("nobody_arrived",
		"MTS called the callback address of the connector, and no token of a whole batch arrived in the registry.",
		"Either MOSIP refused everybody in it, or the receiving API writes nothing: look into its log, and check callback.auth_type with its members, callback.in_bulk, output_format and token_type. The registrants are rejected as no_token and tried again later. When the cause is mended, save the connector, or ask for another attempt of all.",
	)
)

// CallbackSilent is the problem "callback" of a deployment with this base address
// of callbacks, which is no secret. People copy the address and try it, so it is one
// that answers, and a space follows it.
func CallbackSilent(base string) Description {
	address := CallbackAddress(base, "x")
	return describe("callback_silent",
		"MTS took a batch, and its answer did not arrive at "+address+" (x stands for the batch).",
		"Check that MTS reaches this address: name, route, firewall, proxy, and whether it trusts the certificate. From the machine of MTS, a POST to "+address+" must be answered with 401. If MTS has to use another address, set the deployment's parameter CallbackBase. The batches are sent again meanwhile.",
	).naming(Named{Address: address})
}

// InvocationsDied is the problem "invocation" after so many in a row.
func InvocationsDied(inARow int) Description {
	return describe("invocations_died",
		"The work for this connector ended without a result "+strconv.Itoa(inARow)+" times in a row: it was killed, ran out of memory or time, failed, or could not begin.",
		"Look into the log of submit for the cause; the runbook, entry invocation, says how. What was sent until then is not lost. It is tried again every few minutes, and a start tries it at once.",
	).naming(Named{Count: inARow})
}

// SaidBy is the description with a code text of MOSIP or MTS, and what its codes
// mean.
func (d Description) SaidBy(codes string) Description {
	d.Named.Fault = codes
	for code, fields := range SplitCodes(codes) {
		if code != "" {
			d.Text += " " + code + ": " + cmp.Or(ReasonOf(code, fields), "this code is in no list of MOSIP's.")
		}
	}
	return d
}

// RubbishTokens is the problem of a code that IsRubbish.
func RubbishTokens(code string) Description {
	switch code {
	case CodeTokenMade:
		return TokensMade
	case CodeSameToken:
		return TokensAlike
	}
	return TokensMisshapen
}

// RefusedAlike is the problem "alike". The code is SaidBy.
var RefusedAlike = describe("refused_alike",
	"Everybody in a batch was refused with the same code.",
	"That is seldom the data of each: check the mapping and the language of the connector, whom it takes, and what MTS and MOSIP demand. Everybody in the batch is rejected. When the cause is mended, save the connector, or ask for another attempt of all.",
)

// RegistryProblem is the problem of a failed call to the registry. op is the
// source of a refusal: reading, writing or removing.
func RegistryProblem(f *Fault, op Source) (Source, Description) {
	source, d := registryProblem(f, op)
	return source, d.naming(Named{Fault: f.Code, Field: f.Field, Server: registryServer.code})
}

func registryProblem(f *Fault, op Source) (Source, Description) {
	switch f.Kind {
	case Unknown, Unreachable:
		if d, known := answeredInstead(f); known {
			return ProblemRegistry, d
		}
		switch f.Code {
		case "OperationalError", "InterfaceError":
			return ProblemRegistry, describe("database_unavailable",
				"Odoo answers, but has no connection to its database, or there is none of the configured name ("+f.Code+").",
				"Check that PostgreSQL is up and takes Odoo's connections, and registry.database in the connector's configuration. Work goes on by itself once the database answers.",
			)
		case "SerializationFailure", "DeadlockDetected", "LockNotAvailable", "QueryCanceled":
			return ProblemRegistry, describe("database_busy",
				"Odoo answers, but its database did not finish the call, because it is busy with others ("+f.Code+").",
				"Check what else writes to the registry, and how busy its database is. Work goes on by itself.",
			)
		case "BadAnswer":
			return ProblemRegistry, describe("answer_unreadable",
				"What the registry answers cannot be understood.",
				"Check that registry.url is the address at which Odoo itself is served, and that no proxy before it changes or cuts answers.",
			)
		}
		if d, known := registryServer.describe(f.Code); known {
			return ProblemRegistry, d
		}
		return ProblemRegistry, describe("registry_unreachable",
			"The registry cannot be reached, or does not answer in time.",
			"Check that the registry is up and that its address is within the allowed ranges of the deployment. Work goes on by itself once it answers.",
		)
	case RefusedSignIn:
		return ProblemSignIn, signInRefusal(f)
	case RefusedRequest:
		if d, known := answeredInstead(f); known {
			return refusedOf(op), d
		}
	case RefusedTypes:
		return ProblemTypes, typesMissing(f)
	case RefusedSchema:
		if f.Code == NoSuchModel {
			return refusedOf(op), describe("no_such_model",
				"The registry has no model "+strconv.Quote(f.Field)+": OpenG2P's module g2p_registry_base is not installed in its database.",
				"Check registry.url and registry.database in the connector's configuration: this is an Odoo without OpenG2P. If they are right, have g2p_registry_base installed in that database, with the modules that it belongs to.",
			)
		}
	}
	switch op {
	case ProblemUnlink:
		return op, describe("removal_refused",
			"The registry refuses to remove VIDs"+bracketed(f.Code)+".",
			"Give the connector's user the right to delete registrant identifiers (g2p.reg.id); of OpenG2P's own groups only the administrator's has it (g2p_registry_base.group_g2p_admin). Tokens are written nevertheless.",
		)
	case ProblemWrite:
		return op, describe("creation_refused",
			"The registry refuses to create tokens, whoever they are for"+bracketed(f.Code)+".",
			"Give the connector's user the right to create registrant identifiers (g2p.reg.id), and check the rules of the token's identifier type.",
		)
	default:
		return ProblemRead, unreadable(f)
	}
}

// OutputUnusable is the problem "write" of an Output Format that gives nothing usable
// for anybody in an answer, by the code text of what is wrong.
func OutputUnusable(code string) Description {
	return describe(
		"output_unusable",
		"The Output Format gives for nobody what can be written into the registry.",
		"Correct output_format in the connector's configuration. The tokens are kept, and are written when it is saved; nobody is rejected for this.",
	).SaidBy(code).naming(Named{Fault: code, Field: "output_format"})
}

// OutputRefused is the problem "write" of what an Output Format writes besides tokens.
func OutputRefused(f *Fault) Description {
	return describe(
		"output_not_written",
		"The registry refuses what the Output Format writes besides the tokens, whoever it is for"+bracketed(f.Code)+".",
		"Give the connector's user the right to write registrants (res.partner), to create and write their identifiers (g2p.reg.id), to read and create their phone numbers (g2p.phone.number) and to read genders (gender.type), as far as the Output Format sets them. Or take out of output_format what the registry does not take.",
	).naming(Named{Fault: f.Code, Server: registryServer.code})
}

// RegistrantsRefused is the problem "write" of registrants that come of submissions.
func RegistrantsRefused(f *Fault) Description {
	return describe(
		"registrants_not_written",
		"The registry refuses that submissions become registrants, whoever it is for"+bracketed(f.Code)+".",
		"Give the connector's user the rights to create and write registrants (res.partner), to create and write their identifiers (g2p.reg.id), to read and create their phone numbers (g2p.phone.number) and to read genders (gender.type). If it has them, look into the registry's log for the rule or field that refuses; output_format may say what else a registrant is made of.",
	).naming(Named{Fault: f.Code, Server: registryServer.code})
}

// bracketed is a code after words, nothing if an error has none.
func bracketed(code string) string {
	if code == "" {
		return ""
	}
	return " (" + code + ")"
}

// valueRefusals are errors of PostgreSQL about a value; a call that only reads has
// those of its domain.
var valueRefusals = []string{"DataError", "DatetimeFieldOverflow", "InvalidDatetimeFormat", "InvalidTextRepresentation", "NumericValueOutOfRange", "UndefinedFunction"}

// unreadable describes why registrants cannot be read.
func unreadable(f *Fault) Description {
	name := strconv.Quote(f.Field)
	switch {
	case f.Code == Encrypted:
		return describe("encrypted",
			"The registry shows placeholders in place of names or other data: its registrants are encrypted (g2p_registry_encryption), and lists of them are not decrypted. Nobody is sent.",
			"Set read_one_by_one in the registry part of the connector's configuration, and allow decryption in the registry's settings. Reading takes longer then.",
		)
	case f.Code == StillEncrypted:
		return describe("still_encrypted",
			"The registry shows one and the same text in place of names, although registrants are read one by one. Nobody is sent.",
			"Allow decryption in the registry's settings (g2p_registry_encryption.decrypt_registry), and check its encryption provider.",
		)
	case f.Code == "NoSuchField":
		return describe("no_such_field",
			"The registry has no field "+name+", which the connector's field list names.",
			"Take it out of the field list and out of the mapping, or name the field that took its place. (Odoo 18 has no \"mobile\" any more, only \"phone\".)",
		)
	case f.Code == "FieldDenied":
		return describe("field_denied",
			"The registry's user may not read the field "+name+", which the connector's field list names.",
			"Give the user the group that may read this field, or take it out of the field list and out of the mapping.",
		)
	case f.Code == "NoSuchDomainField":
		return describe("no_such_domain_field",
			"The registry has no field "+name+", which the connector's domain names.",
			"Correct the domain. A path is followed from registrants (res.partner), such as \"reg_ids.id_type\".",
		)
	case f.Code == "NoSuchOperator":
		return describe("no_such_operator",
			"The registry's version of Odoo does not know the operator "+name+" of the connector's domain.",
			"Write the domain without it: \"any\" and \"not any\" came with Odoo 17, \"not =like\" and \"not =ilike\" with Odoo 19.",
		)
	case slices.Contains(valueRefusals, f.Code):
		return describe("domain_value_refused",
			"The registry refuses a value of the connector's domain: its database cannot compare it with the field ("+f.Code+").",
			"Correct the values in the connector's domain: a date is written \"1990-11-02\", a date with time \"1990-11-02 16:00:00\", a number without quotes, within the field's range.",
		)
	case f.Code == "AnswerTooLarge" && f.Field != "":
		return describe("field_too_large",
			"A reply of the registry is larger than the connector reads; the field "+name+" takes most of it.",
			"Take this field out of the connector's field list. Fields that hold pictures, documents, messages or long lists do not belong there.",
		)
	case f.Code == "AnswerTooLarge":
		return describe("answer_too_large",
			"A reply of the registry is larger than what the connector asked for.",
			"Take fields that hold pictures, documents, messages or long lists out of the connector's field list, and check that the address is that of the registry itself.",
		)
	case f.Code == "BadAnswer":
		return describe("rows_unexpected",
			"The registry sends rows that are no answer to what the connector asked for.",
			"Check that the address is that of the registry itself, and whether a module of the registry changes what is read.",
		)
	}
	code, remedy := "reading_refused", "Check the user's rights, and that domain and field list name fields which the registry has."
	switch f.Kind {
	case RefusedSchema:
		code, remedy = "schema_refused", "Check that registry.database is that of OpenG2P, with its module g2p_registry_base, which has the models g2p.reg.id and g2p.id.type, and that domain and field list name fields which the registry has."
	case RefusedRights:
		code, remedy = "reading_denied", "Give the connector's user the right to read registrants (res.partner), their identifiers (g2p.reg.id) and identifier types (g2p.id.type), and what else domain and field list lead to."
	}
	return describe(code, "The registry refuses to let registrants be read"+bracketed(f.Code)+".", remedy)
}

// refusedOf is the problem of a refusal; whatever is not writing or removing is
// reading.
func refusedOf(op Source) Source {
	if op == ProblemWrite || op == ProblemUnlink {
		return op
	}
	return ProblemRead
}

// typesMissing names the setting, and what it says: a text of the user's own.
func typesMissing(f *Fault) Description {
	if f.Field == "" {
		return describe("type_not_once",
			"An identifier type of the configuration is not in the registry exactly once: "+f.Code+".",
			"Name the identifier types in the configuration as the registry names them.",
		)
	}
	return describe("no_such_type",
		"The registry has no identifier type "+strconv.Quote(f.Field)+", or several of this name ("+f.Code+").",
		"Write "+f.Code+" of the connector as the registry's list of identifier types has it, small and capital letters too. Of two types with one name, rename one.",
	)
}

// MTSProblem describes the problem of an MTS that surely did not take a request.
func MTSProblem(f *Fault) Description {
	return mtsProblem(f).naming(Named{Fault: f.Code, Server: mtsServer.code})
}

func mtsProblem(f *Fault) Description {
	if d, known := mtsCause(f.Code); known {
		return d
	}
	if f.Kind == Unreachable {
		return describe("mts_unreachable",
			"MTS cannot be reached.",
			"Check that MTS is up and that its address is within the allowed ranges of the deployment.",
		)
	}
	return describe("mts_refuses",
		"MTS refuses our request"+bracketed(f.Code)+".",
		"Check that the address is that of an MTS of version 1.1 (develop), with its context path.",
	)
}

// ReplyProblem describes the problem of an MTS that may have taken a request; pulls
// reports that it was to fetch submissions for it.
func ReplyProblem(f *Fault, pulls bool) Description {
	return replyProblem(f, pulls).naming(Named{Fault: f.Code, Server: mtsServer.code})
}

func replyProblem(f *Fault, pulls bool) Description {
	if d, known := mtsCause(f.Code); known {
		return d
	}
	if pulls && f.Code == codeUnexpected {
		return describe("pull_failed",
			"MTS failed when it was to fetch submissions, so it is not known whether it took the request.",
			"Most often MTS does not reach ODK Central: from the machine of MTS, odk.base_url must lead to Central. Otherwise look into the log of MTS.",
		)
	}
	return describe("reply_unclear",
		"The reply of MTS to a request makes no sense, so it is not known whether MTS took it.",
		"Look into the log of MTS, and at what stands before it.",
	)
}

func mtsCause(code string) (Description, bool) {
	if said, known := mtsCauses[code]; known {
		return said.of(code), true
	}
	if d, known := mtsServer.describe(code); known {
		return d, true
	}
	if strings.HasPrefix(code, "HTTP-") {
		return anotherServer(code), true
	}
	return Description{}, false
}

// Unusable is the error of a connector, or a deployment, that cannot be run as it
// is configured: the problem "config".
type Unusable struct {
	Description
	cause error
}

func (u *Unusable) Error() string { return u.Text }
func (u *Unusable) Unwrap() error { return u.cause }

// KeysUnusable is the error of keys that cannot be read.
func KeysUnusable(cause error) *Unusable {
	return &Unusable{describe("keys_unreadable",
		"The keys of the deployment cannot be read.",
		"Check the key secrets of the deployment and the role's right to read them.",
	), cause}
}

// MappingUnusable is the error of a mapping that does not compile, though it was
// saved: by a former release, for instance. It names the first expression.
func MappingUnusable(cause error) *Unusable {
	text, named := "The mapping cannot be used.", Named{}
	if e, ok := errors.AsType[*MappingError](cause); ok {
		text = "The mapping cannot be used. Its expression for " + e.Field + ": " + e.Text + "."
		named.Field = e.Field
	}
	return &Unusable{describe("mapping_unusable", text, "Change the expression in the connector's configuration, and save it.").naming(named), cause}
}

// CallbackUnusable is the error of a direct callback whose secrets cannot be read.
func CallbackUnusable(cause error) *Unusable {
	return &Unusable{describe("callback_secrets_missing",
		"The secrets of the connector's callback are not stored, or cannot be read.",
		"Enter the secrets of the callback in the connector's configuration again.",
	), cause}
}

// RegistryUnusable is the error of a registry that cannot be opened: its password
// is missing, or its configuration cannot be used.
func RegistryUnusable(cause error) *Unusable {
	if IsNotFound(cause) {
		return &Unusable{describe("password_missing",
			"The registry's password is not stored.",
			"Enter the password in the connector's configuration again.",
		), cause}
	}
	if wrong, ok := errors.AsType[*AddressError](cause); ok {
		return &Unusable{describe("address_unusable",
			"The registry is not called, because the address in the connector's configuration "+wrong.Reason+".",
			"Save the connector with the registry's address in another form, with the password.",
		), cause}
	}
	return &Unusable{describe("registry_unusable",
		"The registry cannot be opened as it is configured, or its password cannot be read.",
		"Save the connector's configuration anew, with the password.",
	), cause}
}

// FormUnusable is the error of a form of ODK Central that cannot be opened: the password
// is missing, or the addresses cannot be used.
func FormUnusable(cause error) *Unusable {
	if IsNotFound(cause) {
		return &Unusable{describe("odk_password_missing",
			"The password of ODK Central is not stored.",
			"Enter odk.password in the connector's configuration again.",
		), cause}
	}
	return &Unusable{describe("odk_unusable",
		"The form of ODK Central cannot be opened as it is configured, or the password cannot be read.",
		"Save the connector's configuration anew, with odk.odata_url as Central shows it and with odk.password.",
	), cause}
}
