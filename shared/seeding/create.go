package seeding

import (
	"context"
	"errors"
	"time"
)

// errTimeUp: the working time is not enough for another call.
var errTimeUp = errors.New("working time is over")

// refusedAll is a refusal that has nothing to do with one record's data.
type refusedAll struct{ fault *Fault }

func (e *refusedAll) Error() string { return e.fault.Error() }

// create writes the tokens in as few calls as the measured speed allows. A
// refused bulk call does not say which record it was (facts/odoo.md A2): it is
// halved until single records are refused, and those are rejected. Several
// single records refused alike with none accepted between them are a problem,
// and reject nobody.
func (a *application) create(ctx context.Context, rows []Row) (created []Row, err error) {
	queue := a.chunks(rows)
	var refused []Row
	var codes []string
	for len(queue) > 0 {
		chunk := queue[0]
		queue = queue[1:]
		if a.left() < a.Times.PatchWork/4 {
			return nil, errTimeUp
		}
		tokens := make([]NewToken, len(chunk))
		for i, row := range chunk {
			tokens[i] = NewToken{Registrant: row.Registrant, Value: row.Token}
		}
		started := a.Clock.Now()
		err := a.wire.Create(ctx, tokens)
		if err == nil {
			a.registry.Create = average(a.registry.Create, a.Clock.Now().Sub(started), len(chunk))
			a.registry.RefusedAlike, a.registry.RefusedCode = 0, ""
			created = append(created, chunk...)
			if rest := flatten(queue); len(queue) > 1 && len(codes) == 0 {
				queue = a.chunks(rest) // the speed is known better now
			}
			continue
		}
		fault := FaultOf(err)
		switch {
		case fault.Kind == Unknown:
			a.registry.Create = halved(a.registry.Create, a.Times.CallAim, len(chunk))
			return nil, fault
		case fault.Kind != RefusedData:
			return nil, fault
		case len(chunk) > 1:
			half := len(chunk) / 2
			queue = append([][]Row{chunk[:half], chunk[half:]}, queue...)
			continue
		}
		if fault.Code != a.registry.RefusedCode {
			a.registry.RefusedAlike, a.registry.RefusedCode = 0, fault.Code
		}
		a.registry.RefusedAlike++
		if _, stands := a.state.Problems[ProblemWrite]; stands || a.registry.RefusedAlike >= refusedAlikeLimit {
			return nil, &refusedAll{fault}
		}
		refused, codes = append(refused, chunk[0]), append(codes, fault.Code)
	}
	for i, row := range refused {
		a.reject(row, Refused, "ODOO-"+codes[i], 0)
		a.add.Refused++
	}
	return created, nil
}

// halved is the time per record to reckon with after a call of unknown outcome:
// the next call has at most half as many records as that one, also at a registry
// that was never measured. A single record is the least, whatever it takes.
func halved(before, aim time.Duration, records int) time.Duration {
	return min(max(2*before, 2*aim/time.Duration(records)), aim)
}

// chunks splits by the measured time per record, aiming at CallAim per call.
func (a *application) chunks(rows []Row) [][]Row {
	size := firstCreate
	if a.registry.Create > 0 {
		size = min(max(int(a.Times.CallAim/a.registry.Create), 1), 1000)
	}
	var chunks [][]Row
	for len(rows) > 0 {
		n := min(size, len(rows))
		chunks = append(chunks, rows[:n:n])
		rows = rows[n:]
	}
	return chunks
}

func flatten(chunks [][]Row) []Row {
	var rows []Row
	for _, c := range chunks {
		rows = append(rows, c...)
	}
	return rows
}

// createFailed ends the batch for now; what was created is found as held when
// the answer is worked off again.
func (a *application) createFailed(ctx context.Context, err error) (outcome, error) {
	if errors.Is(err, errTimeUp) {
		return endRound, nil
	}
	if all, ok := errors.AsType[*refusedAll](err); ok {
		return a.refusedFor(ctx, ProblemWrite, all.fault)
	}
	return a.callFailed(ctx, err, ProblemWrite, true)
}

// callFailed turns a failed call into what it means: an outage of the registry,
// which nobody tries before it is over, or a problem of the connector, with
// which its answer waits. write tells whether the call may have changed the
// registry.
func (a *application) callFailed(ctx context.Context, err error, op Source, write bool) (outcome, error) {
	fault := FaultOf(err)
	a.log.Warn("registry call failed", "fault", fault.Error(), "problem", string(op))
	if fault.Kind != Unknown && fault.Kind != Unreachable {
		return a.refusedFor(ctx, op, fault)
	}
	_, text, remedy := registryProblem(fault, op)
	a.registry.OutageUntil = outage(a.Clock.Now(), a.registry.OutageTries, a.Times)
	a.registry.OutageTries++
	end := endRound
	if write && fault.Kind == Unknown {
		end = endUnknown
	}
	return end, a.raise(ctx, ProblemRegistry, text, remedy)
}

// refusedFor leaves the answer where it is until the next probe of the problem.
func (a *application) refusedFor(ctx context.Context, op Source, fault *Fault) (outcome, error) {
	source, text, remedy := registryProblem(fault, op)
	if err := a.raise(ctx, source, text, remedy); err != nil {
		return goOn, err
	}
	return goOn, a.wait(ctx, source)
}

func (a *application) unusable(ctx context.Context, u *unusable) (outcome, error) {
	if err := a.raise(ctx, ProblemConfig, u.text, u.remedy); err != nil {
		return goOn, err
	}
	return goOn, a.wait(ctx, ProblemConfig)
}

func (a *application) wait(ctx context.Context, source Source) error {
	return ignoreConflict(a.Store.Postpone(ctx, a.b, a.b.Failures, a.state.Problems[source].Next))
}

func (a *application) raise(ctx context.Context, source Source, text, remedy string) error {
	p := a.state.Problems[source].again(a.Clock.Now(), text, remedy, a.Times)
	if a.state.Problems == nil {
		a.state.Problems = map[Source]Problem{}
	}
	a.state.Problems[source] = p
	return a.Store.RaiseProblem(ctx, a.c.ID, source, p)
}

// settleProblems clears what this answer proves to be over, and raises what it
// shows. All of it looks at the whole answer, never at one row.
func (a *application) settleProblems(ctx context.Context, wrote, closed bool) error {
	over := []Source{ProblemRegistry, ProblemSignIn, ProblemRead, ProblemTypes, ProblemConfig}
	if wrote {
		over = append(over, ProblemWrite)
	}
	if closed {
		over = append(over, ProblemAnswers)
	}
	if a.spoke {
		over = append(over, ProblemIdentity)
	}
	if wrote && a.add.Conflict == 0 {
		over = append(over, ProblemPolicy)
	}
	if err := clearStanding(ctx, a.Store, a.state, a.Clock.Now(), over...); err != nil {
		return err
	}
	a.registry.OutageUntil, a.registry.OutageTries = time.Time{}, 0
	if a.system {
		return a.raise(ctx, ProblemIdentity,
			"MOSIP refuses every registrant alike: its service, or the licence, partner or policy that MTS uses.",
			"Check MTS's connection to the MOSIP identity service, its licence key, partner and policy. Nobody is rejected for this; work goes on by itself.")
	}
	if a.add.Conflict >= 3 && a.add.Conflict > a.add.Tokenised {
		return a.raise(ctx, ProblemPolicy,
			"Many registrants hold another token than MOSIP gives now.",
			"Check that the policy of the MOSIP partner has token type \"partner\" or \"policy\", not \"random\".")
	}
	return nil
}
