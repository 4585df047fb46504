package setup

import (
	"errors"

	"openg2p.org/mts-connector/shared/seeding"
)

// tryDirect tries the Output Format of a direct callback on made-up records: one with a
// token, one that MOSIP refused. MTS has no limits of its own, and makes a call for
// either (facts/mts.md 3.3, W11).
func tryDirect(program seeding.OutputProgram, c seeding.Connector) (wrong, doubtful []Finding) {
	records := madeUp(c.Source)
	gives := func(d seeding.OutputDocument) (result any, err error) {
		for _, record := range records {
			d.Input, d.VID = record, madeUpVID
			if result, err = program.Evaluate(d); result != nil || errors.Is(err, seeding.ErrOutputSpent) {
				break
			}
		}
		return result, err
	}
	tokenised := seeding.OutputDocument{Status: "processed", Token: madeUpToken(c)}
	good, err := gives(tokenised)
	if errors.Is(err, seeding.ErrOutputSpent) {
		return []Finding{find(OutputFormat, "output_work", "needs too much work: it makes something too large, or does not end, and MTS would not stop it")}, nil
	}
	if err != nil || good == nil {
		doubtful = append(doubtful, find(OutputFormat, "output_no_body", "gave nothing for made-up records with a token; MTS then calls without a body"))
	} else {
		tokenised.Input, tokenised.VID = records[len(records)-1], madeUpVID
		if _, err := program.Evaluate(tokenised); errors.Is(err, seeding.ErrOutputFailed) {
			doubtful = append(doubtful, Finding{OutputFormat, *failsForSome()})
		}
	}
	bad, err := gives(seeding.OutputDocument{Status: "error", ErrorCode: "IDA-MLC-009", ErrorMessage: "Invalid VID"})
	if errors.Is(err, seeding.ErrOutputSpent) {
		return []Finding{find(OutputFormat, "output_work", "needs too much work for a record that MOSIP refused, and MTS would not stop it")}, nil
	}
	if o, isObject := bad.(map[string]any); isObject && writesNothing(o) {
		doubtful = append(doubtful, find(OutputFormat, "output_null_value", "makes a body for a record without a token as well, with null as value, which the receiver may write; "+
			"put \"if .output.token then … else null end\" around it"))
	}
	if c.Delivery.Direct.InBulk {
		doubtful = append(doubtful, doubtBulk(good, bad)...)
	}
	return nil, doubtful
}

// doubtBulk: in bulk MTS puts all results into one list, null where there is none
// (facts/mts.md 3.3, 3.5).
func doubtBulk(good, bad any) (doubtful []Finding) {
	if _, isList := good.([]any); isList {
		doubtful = append(doubtful, find(CallbackInBulk, "bulk_list", "makes a list of what output_format gives, which is a list already: the receiver would get a list of lists. "+
			"Let output_format give what stands in the list, or leave this out"))
	}
	if good != nil && bad == nil {
		doubtful = append(doubtful, find(CallbackInBulk, "bulk_null", "puts null into the list for each record without a token, because output_format gives nothing for it; a receiver that refuses null refuses the whole batch. "+
			"Let output_format give something for it that writes nothing, or leave this out"))
	}
	return doubtful
}

// writesNothing reports whether an identifier update has no value.
func writesNothing(o map[string]any) bool {
	value, there := o["value"]
	return there && value == nil
}
