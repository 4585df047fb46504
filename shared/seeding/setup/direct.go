package setup

import (
	"errors"

	"openg2p.org/mts-connector/shared/seeding"
)

// tryDirect tries the Output Format of a direct callback on made-up records: one with a
// token, one that MOSIP refused. MTS has no limits of its own, and makes a call for
// either (facts/mts.md 3.3, W11).
func tryDirect(program seeding.OutputProgram, c seeding.Connector) (wrong, doubtful []Finding) {
	gives := func(d seeding.OutputDocument) (result any, err error) {
		for _, record := range madeUp(c.Source.Fields) {
			d.Input, d.VID = record, madeUpVID
			if result, err = program.Evaluate(d); result != nil || errors.Is(err, seeding.ErrOutputSpent) {
				break
			}
		}
		return result, err
	}
	good, err := gives(seeding.OutputDocument{Status: "processed", Token: madeUpToken(c)})
	if errors.Is(err, seeding.ErrOutputSpent) {
		return []Finding{find(OutputFormat, "output_work", "needs too much work: it makes something too large, or does not end, and MTS would not stop it")}, nil
	}
	if err != nil || good == nil {
		doubtful = append(doubtful, find(OutputFormat, "output_no_body", "gave nothing for made-up records with a token; MTS then calls without a body"))
	}
	bad, err := gives(seeding.OutputDocument{Status: "error", ErrorCode: "IDA-MLC-009", ErrorMessage: "Invalid VID"})
	if errors.Is(err, seeding.ErrOutputSpent) {
		return []Finding{find(OutputFormat, "output_work", "needs too much work for a record that MOSIP refused, and MTS would not stop it")}, nil
	}
	if o, isObject := bad.(map[string]any); isObject && writesNothing(o) {
		doubtful = append(doubtful, find(OutputFormat, "output_null_value", "makes a body for a record without a token as well, with null as value, which the receiver may write; "+
			"put \"if .output.token then … else null end\" around it"))
	}
	return nil, doubtful
}

// writesNothing reports whether an identifier update has no value.
func writesNothing(o map[string]any) bool {
	value, there := o["value"]
	return there && value == nil
}
