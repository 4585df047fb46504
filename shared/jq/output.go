package jq

import (
	"errors"
	"strings"

	"github.com/itchyny/gojq"

	"openg2p.org/mts-connector/shared/seeding"
)

// maxOutput bounds an Output Format, in bytes. Its nesting is bounded too.
const maxOutput = 10_000

// nul is where gojq takes a program for ended, whatever follows.
const nul = "\x00"

// output is a compiled Output Format.
type output struct{ program *program }

// CompileOutput compiles an Output Format. It must be a program of jq 1.5, because
// that is what MTS has, and what configurations were written for; the error says
// in words for the user what is wrong, and where.
func (Mappings) CompileOutput(text string) (seeding.OutputProgram, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, wrong("expression_empty", nil, "is empty")
	case len(text) > maxOutput:
		return nil, wrong("expression_too_long", params{"most": maxOutput}, "is longer than %d bytes", maxOutput)
	case strings.Contains(text, nul):
		return nil, wrong("control_character", nil, "holds a NUL character")
	}
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, notValidOutput(text, err)
	}
	if err := readAs15(text, 0); err != nil {
		return nil, err
	}
	c := checker{text: text, patterns: map[patternKey]*pattern{}, sees: ".input and .output", only15: true}
	c.query(query, nil)
	if c.wrong != nil {
		return nil, c.wrong
	}
	return output{&program{query, c.patterns, c.doubts}}, nil
}

// Foresee says what the program can give, and which fields of .input it reads.
func (o output) Foresee(fields map[string]seeding.Types) seeding.Outcome {
	return o.program.foresee(fields, tDocument)
}

// Evaluate returns the first result, which is null if there is none
// (facts/mts.md 3.5). Its limits are those of a mapping.
func (o output) Evaluate(d seeding.OutputDocument) (any, error) {
	e := &evaluation{left: maxWork}
	result, err := e.run(o.program, map[string]any{
		"input": plain(map[string]any(d.Input)),
		"output": map[string]any{
			"vid": d.VID, "status": d.Status, "token": orNull(d.Token), "errorCode": orNull(d.ErrorCode), "errorMessage": orNull(d.ErrorMessage),
		},
	})
	switch {
	case e.spent || errors.Is(err, errSpent):
		return nil, seeding.ErrOutputSpent
	case err != nil:
		return nil, seeding.ErrOutputFailed
	}
	// What a program has made may share its parts, and be larger than memory when it
	// is walked through.
	if e.weigh(result) != nil {
		return nil, seeding.ErrOutputSpent
	}
	return result, nil
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
