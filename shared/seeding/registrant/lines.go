package registrant

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Names of lines, in their order.
const (
	person   = "registrant"
	selected = "selected"
	vid      = "vid"
	token    = "token"
	data     = "data"
	pass     = "next_pass"
)

func line(name string, result seeding.LineResult, code, text, remedy string) seeding.Line {
	return seeding.Line{Name: name, Result: result, Code: code, Description: seeding.Description{Text: text, Remedy: remedy}}
}

func ok(name, code, text string) seeding.Line {
	return line(name, seeding.LineOK, code, text, "")
}

// lines say what was found of a registrant.
func lines(f found, c seeding.Connector, state seeding.State) []seeding.Line {
	if !f.there {
		list := []seeding.Line{line(person, seeding.LineFailure, "not_found",
			"The registry has no such registrant, or does not show it to the connector's user.",
			"Check its number, and the companies and record rules of the registry's user.")}
		for _, name := range []string{selected, vid, token, data, pass} {
			list = append(list, line(name, seeding.LineNotTried, "no_registrant", "Not tried, because the registrant was not found.", "See the line above."))
		}
		return list
	}
	there := ok(person, "found", "The registry shows the registrant to the connector's user.")
	if f.archived {
		there = line(person, seeding.LineWarning, "archived", "The registrant is archived in the registry.", "Unarchive it, if it is to get a token.")
	}
	return []seeding.Line{there, selectedLine(f), vidLine(f, c.Registry), tokenLine(f, c), dataLine(f, c), passLine(f, c, state)}
}

// selectedLine says whether the domain selects the registrant, and which of its
// conditions do not hold.
func selectedLine(f found) seeding.Line {
	if f.selected {
		return ok(selected, "selected", "The domain selects it.")
	}
	l := line(selected, seeding.LineWarning, "not_selected", "The domain does not select it.", "Check the terms of the domain one by one.")
	l.Field = "domain"
	if f.archived {
		l.Code, l.Text = "archived", "The domain does not select it, because it is archived."
		l.Remedy = `Unarchive it, or add ["active","in",[true,false]] to the domain if archived registrants are to get tokens.`
		return l
	}
	var named []string
	var params []any
	for _, u := range f.unmet {
		name := "condition " + strconv.Itoa(u.Condition)
		if u.Path != "" {
			name += " (" + u.Path + ")"
		}
		named = append(named, name)
		params = append(params, map[string]any{"condition": u.Condition, "path": u.Path})
	}
	if len(named) > 0 {
		l.Text += fmt.Sprintf(" Of its conditions these do not hold: %s.", strings.Join(named, ", "))
		l.Remedy = "Correct the registrant, or the domain."
		l.Params = map[string]any{"unmet": params}
	}
	return l
}

func vidLine(f found, r seeding.RegistryAccess) seeding.Line {
	params := map[string]any{"valid": len(f.vids), "others": f.otherVIDs}
	l := ok(vid, "valid", "It has a VID.")
	switch {
	case len(f.vids) > 0:
	case f.otherVIDs > 0:
		l = line(vid, seeding.LineWarning, "not_valid", "Its VID has expired, or is marked as invalid.", "Enter a VID that is valid.")
	case len(f.tokens) > 0:
		l = ok(vid, "none", "It has no VID, and needs none: it holds a token.")
	default:
		params["vid_type"] = r.VIDType
		l = line(vid, seeding.LineWarning, "missing", "It has no VID: no identifier of the type "+strconv.Quote(r.VIDType)+".", "Enter its VID as an identifier of this type.")
	}
	l.Params = params
	return l
}

func tokenLine(f found, c seeding.Connector) seeding.Line {
	if len(f.tokens) == 0 {
		return ok(token, "none", "It holds no token.")
	}
	value := ""
	if len(f.vids) > 0 {
		value = f.vids[0].Value
	}
	if code := c.Output.TokenShape.HeldCode(f.tokens, value); code != "" {
		l := line(token, seeding.LineFailure, "no_token", "It holds an identifier of the token type that is no token, so it is never sent.", "Correct or delete that in the registry.")
		l.Params = map[string]any{"code": code}
		return l
	}
	return ok(token, "held", "It holds a token.")
}

// unfit says what MTS does not take, by codes that have no sentence of MTS.
var unfit = map[string]string{
	seeding.CodeNotText:     "A mapped field gives what is no text, or a text that is too long.",
	seeding.CodeTooMuchWork: "The mapping needs too much work for its data.",
}

// dataLine says whether MTS would take what is mapped of the registrant, and what it
// lacks.
func dataLine(f found, c seeding.Connector) seeding.Line {
	if u, ok := errors.AsType[*seeding.Unusable](f.unforeseen); ok {
		return u.Line(data, "mapping")
	}
	if f.unforeseen != nil {
		return seeding.RegistryLine(data, f.unforeseen, seeding.ProblemRead, seeding.FieldOf(seeding.FaultOf(f.unforeseen)))
	}
	switch {
	case len(f.vids) == 0:
		return line(data, seeding.LineNotTried, "no_vid", "Not tried, because it has no VID to be sent with.", "")
	case !f.selected:
		return line(data, seeding.LineNotTried, "not_selected", "Not tried, because the domain does not select it.", "")
	}
	codes := would(f.foreseen).Demographics.Lacks(c.Source.Mandatory)
	if len(codes) == 0 {
		return ok(data, "complete", "What is mapped of it is what MTS takes.")
	}
	var texts []string
	var list []any
	for _, code := range codes {
		texts = append(texts, cmp.Or(unfit[code], seeding.ReasonOf(code, nil), "A mapped field is not what MTS takes."))
		list = append(list, code)
	}
	l := line(data, seeding.LineFailure, "invalid", "MTS would not take it: "+strings.Join(texts, " "), "Correct its data in the registry, or the mapping.")
	l.Params, l.Field = map[string]any{"codes": list}, "mapping"
	return l
}

// would is what the next pass does with a registrant: with that of its VIDs which is
// sent, or else with the first.
func would(foreseen []seeding.Foreseen) seeding.Foreseen {
	for _, one := range foreseen {
		if one.Fate == seeding.WouldBeSent {
			return one
		}
	}
	if len(foreseen) == 0 {
		return seeding.Foreseen{}
	}
	return foreseen[0]
}

// passLine says what the next pass does with the registrant.
func passLine(f found, c seeding.Connector, state seeding.State) seeding.Line {
	if f.unforeseen != nil {
		return line(pass, seeding.LineNotTried, "unknown", "It is not known what the next pass does with it.", "See the line above.")
	}
	one := would(f.foreseen)
	rejection := map[string]any{"kind": string(one.Rejection.Kind), "code": one.Rejection.Code}
	blocked, _ := state.Blocked()
	switch {
	case len(f.vids) == 0 && len(f.tokens) > 0, one.Fate == seeding.HoldsToken:
		return ok(pass, string(seeding.HoldsToken), "It is not sent, because it holds a token.")
	case len(f.vids) == 0:
		return line(pass, seeding.LineWarning, "no_vid", "It is not sent, because it has no VID that is valid.", "See the line about its VID.")
	case one.Fate == seeding.NotSelectedNow:
		return line(pass, seeding.LineWarning, "not_selected", "It is not sent, because the domain does not select it.", "See the line about the domain.")
	case one.Fate == seeding.IsInBatch:
		return ok(pass, string(seeding.IsInBatch), "It is in an open batch, and its answer is waited for.")
	case one.Fate == seeding.WouldBeInvalid:
		l := line(pass, seeding.LineFailure, string(seeding.WouldBeInvalid), "The next pass rejects it without sending it.", "See the lines above.")
		l.Params = rejection
		return l
	case one.Fate == seeding.StaysRejected:
		l := line(pass, seeding.LineWarning, "rejected", "It was rejected, and is not due for another attempt.",
			"Correct what its rejection says in the registry, or ask for another attempt (rejections/retry).")
		if next := one.Rejection.Next; !next.IsZero() {
			l.Code = "rejected_until"
			l.Text = "It was rejected, and is sent again at " + next.UTC().Format(time.RFC3339) + " unless something is corrected before."
			rejection["next_attempt"] = next.UTC().Format(time.RFC3339)
		}
		l.Params = rejection
		return l
	case state.Status != seeding.Running:
		return line(pass, seeding.LineWarning, "not_running", "It is ready to be sent, but the connector does not run.", "Start the connector, or import the registrant.")
	case blocked:
		return line(pass, seeding.LineWarning, "blocked", "It is ready to be sent, but a problem keeps the connector from sending.", "See the problems of the connector.")
	}
	return ok(pass, "sent", "The next pass sends it.")
}
