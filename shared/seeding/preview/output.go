package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// output applies the Output Format of a configuration to a made answer about a
// registrant; nil without one. Where MTS applies it, for a direct callback, any result
// may be meant, and it sees what is sent there.
func (p *Previewer) output(ctx context.Context, c seeding.Connector, registry seeding.Registry, f seeding.Foreseen) (*seeding.PreviewOutput, error) {
	if c.Output.Format == "" {
		return nil, nil //nolint:nilnil // there is nothing to show
	}
	program, err := p.Outputs.CompileOutput(c.Output.Format)
	if err != nil {
		return refused(err), nil
	}
	vid, token := seeding.CleanVID(f.Value), madeToken(c.Output.TokenShape.OrMOSIP())
	kinds, err := registry.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	sent := seeding.SentDirectly(f.Record, kinds, vid)
	result, err := program.Evaluate(seeding.OutputDocument{Input: sent, VID: f.Demographics.VID.Text, Status: "processed", Token: token})
	if err != nil {
		return refused(err), nil
	}
	shown := &seeding.PreviewOutput{Result: masked(result, vid, f.Demographics.VID.Text)}
	if c.IsDirect() {
		return shown, nil
	}
	update, err := seeding.ReadUpdate(result)
	if err == nil {
		shown.Shape = string(update.Shape)
		_, err = update.Resolve(seeding.OutputOwner{
			Registrant: f.Registrant, VID: vid, Token: token, VIDType: c.Registry.VIDType, TokenType: c.Registry.TokenType,
		})
	}
	if err != nil {
		w := refused(err)
		shown.Wrong, shown.Code, shown.Params = w.Wrong, w.Code, w.Params
	}
	return shown, nil
}

// refused says of an error of the program what saving it would say, and of an error on
// a record, or of a result, what the rejection would say.
func refused(err error) *seeding.PreviewOutput {
	if f, ok := errors.AsType[*seeding.Flaw](err); ok {
		return &seeding.PreviewOutput{Wrong: f.Text, Code: f.Code, Params: f.Params}
	}
	shown := &seeding.PreviewOutput{Code: "expression_refused", Wrong: "cannot be used"}
	for code, members := range seeding.SplitCodes(seeding.OutputCode(err)) {
		if reason := seeding.ReasonOf(code, members); reason != "" {
			shown.Code, shown.Wrong = code, reason
		}
		if len(members) > 0 {
			shown.Params = map[string]any{"fields": members}
		}
	}
	return shown
}

// madeToken is a token of a shape that belongs to nobody.
func madeToken(shape seeding.TokenShape) string {
	const digits = "1234567890"
	length := min(max(shape.Shortest, 36), shape.Longest)
	return strings.Repeat(digits, length/len(digits)+1)[:length]
}

// masked is a result as JSON, without the VID.
func masked(result any, vids ...string) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(result) != nil {
		return ""
	}
	shown := strings.TrimSpace(text.String())
	for _, vid := range vids {
		if len(vid) >= 4 {
			shown = strings.ReplaceAll(shown, vid, seeding.MaskVID(vid))
		}
	}
	const most = 16 << 10
	if len(shown) > most {
		return strings.ToValidUTF8(shown[:most], "") + " …"
	}
	return shown
}
