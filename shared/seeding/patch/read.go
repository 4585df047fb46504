package patch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"openg2p.org/mts-connector/shared/seeding"
)

// Anybody with a capability of the form before can store rows, as many as fit into
// 5 MB, for up to 7 days. So an answer is read part by part, twice: first whom it
// is about, then, once the registry was looked at, those of its rows that were
// made from what is there. Only these are kept, one for each subject.

const (
	// mostLooked is how many registrants, or tokens, one call looks up.
	mostLooked = 1000
	// mostCounted is how many parts the totals of a batch count. An MTS answers a
	// batch once; what comes beyond this is not read.
	mostCounted = 1000
)

// subjectsOf returns whom the rows of an answer are about, members of the batch
// only. A closed batch has no members any more; then at most as many subjects as
// it had records, and none if there are more.
func subjectsOf(parts []seeding.AnswerPart, b seeding.Batch) (map[seeding.Subject]bool, error) {
	members := map[seeding.Subject]bool{}
	for _, m := range b.Members {
		members[m.Subject()] = true
	}
	subjects := map[seeding.Subject]bool{}
	for _, part := range parts {
		rows, err := seeding.UnpackRows(part.Packed)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if !b.State.Open() || members[row.Subject] {
				subjects[row.Subject] = true
			}
		}
		if !b.State.Open() && len(subjects) > b.Count {
			return nil, nil
		}
	}
	return subjects, nil
}

// genuine returns the rows of an answer that were made from what the registry
// holds, or whose token is held already; one for each subject, in the order of
// registrants. It checks before it compares: a forged row with a token beats no
// genuine one. Of several the one that fits the VID counts, then one with a token,
// then the first that was read.
func genuine(parts []seeding.AnswerPart, subjects map[seeding.Subject]bool, h holdings, p proof, shape seeding.TokenShape) ([]seeding.Row, error) {
	type found struct {
		row  seeding.Row
		fits bool
	}
	best := map[seeding.Subject]found{}
	for _, part := range parts {
		rows, err := seeding.UnpackRows(part.Packed)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if !subjects[row.Subject] {
				continue
			}
			fits := p.fits(row, h)
			if !fits && len(h.tokens[row.Registrant]) == 0 {
				continue
			}
			row = withoutRubbish(row, h.vids[row.Identifier].Value, shape)
			if !fits && (row.Token == "" || !h.holdsOnly(row.Registrant, row.Token)) {
				continue
			}
			before, known := best[row.Subject]
			if !known || fits && !before.fits || fits == before.fits && before.row.Token == "" && row.Token != "" {
				best[row.Subject] = found{row, fits}
			}
		}
	}
	kept := make([]seeding.Row, 0, len(best))
	for f := range maps.Values(best) {
		kept = append(kept, f.row)
	}
	withoutShared(kept, func(row seeding.Row) string { return h.vids[row.Identifier].Value })
	slices.SortFunc(kept, func(x, y seeding.Row) int {
		return cmp.Or(cmp.Compare(x.Registrant, y.Registrant), cmp.Compare(x.Identifier, y.Identifier))
	})
	return kept, nil
}

// withoutRubbish cleans the token of a row. One that has not the shape of a token, or
// is made of the VID, is replaced by the code of that, so nothing can be written or
// removed for it.
func withoutRubbish(row seeding.Row, vid string, shape seeding.TokenShape) seeding.Row {
	switch row.Token = seeding.CleanToken(row.Token); {
	case row.Token == "":
	case !shape.Fits(row.Token):
		row.Token, row.Code = "", seeding.CodeTokenShape
	case seeding.IsMade(row.Token, seeding.CleanVID(vid)):
		row.Token, row.Code = "", seeding.CodeTokenMade
	}
	return row
}

// withoutShared does the same to tokens that different VIDs have in common, each at
// least three, if they are on most of the rows that have one. Two registrants of one
// person have one token, and so have many with one VID.
func withoutShared(rows []seeding.Row, vidOf func(seeding.Row) string) {
	tokens := 0
	vids := map[string]map[string]bool{}
	for _, row := range rows {
		if row.Token == "" {
			continue
		}
		tokens++
		if vids[row.Token] == nil {
			vids[row.Token] = map[string]bool{}
		}
		if vid := seeding.CleanVID(vidOf(row)); vid != "" {
			vids[row.Token][vid] = true
		}
	}
	isShared := func(row seeding.Row) bool { return len(vids[row.Token]) >= alikeLimit }
	shared := 0
	for _, row := range rows {
		if isShared(row) {
			shared++
		}
	}
	if 2*shared <= tokens {
		return
	}
	for i, row := range rows {
		if isShared(row) {
			rows[i].Token, rows[i].Code = "", seeding.CodeSameToken
		}
	}
}

// reader looks things up in a registry, under the patch lease.
type reader struct {
	patcher  *Patcher
	turn     *turn
	registry seeding.Registry
}

// read makes one call.
func (r reader) read(ctx context.Context, call func(context.Context) error) error {
	if err := r.patcher.beforeReading(ctx, r.turn); err != nil {
		return &leaseError{err}
	}
	limited, cancel := context.WithTimeout(ctx, r.patcher.readLimit())
	defer cancel()
	return call(limited)
}

// leaseError is an error of the lease and not of the registry.
type leaseError struct{ error }

func (e *leaseError) Unwrap() error { return e.error }

// look reads what registrants hold now.
func (r reader) look(ctx context.Context, registrants []int64) (vids, tokens []seeding.Identifier, err error) {
	for some := range slices.Chunk(registrants, mostLooked) {
		v, t, err := r.lookAtSome(ctx, some)
		if err != nil {
			return nil, nil, err
		}
		vids, tokens = append(vids, v...), append(tokens, t...)
	}
	return vids, tokens, nil
}

// lookAtSome halves a call whose reply is too large. A single registrant whose
// identifiers are too many to be read holds nothing, as far as is known, so its
// rows fit nothing and it stays pending.
func (r reader) lookAtSome(ctx context.Context, registrants []int64) (vids, tokens []seeding.Identifier, err error) {
	err = r.read(ctx, func(ctx context.Context) (err error) {
		vids, tokens, err = r.registry.Identifiers(ctx, registrants)
		return err
	})
	if _, lease := errors.AsType[*leaseError](err); err == nil || lease || !seeding.FaultOf(err).TooLarge() {
		return vids, tokens, err
	}
	if len(registrants) == 1 {
		return nil, nil, nil
	}
	half := len(registrants) / 2
	v1, t1, err := r.lookAtSome(ctx, registrants[:half])
	if err != nil {
		return nil, nil, err
	}
	v2, t2, err := r.lookAtSome(ctx, registrants[half:])
	return append(v1, v2...), append(t1, t2...), err
}

// holdersOf reads who holds the tokens of rows.
func (r reader) holdersOf(ctx context.Context, rows []seeding.Row) (holders []seeding.Identifier, err error) {
	var wanted []string
	for _, row := range rows {
		if row.Token != "" {
			wanted = append(wanted, row.Token)
		}
	}
	return inParts(ctx, r, wanted, r.registry.TokenHolders)
}

// inParts looks a list up, each entry once, in as many calls as its length needs.
func inParts[T cmp.Ordered, R any](ctx context.Context, r reader, list []T, lookUp func(context.Context, []T) ([]R, error)) (all []R, err error) {
	list = slices.Compact(slices.Sorted(slices.Values(list)))
	for some := range slices.Chunk(list, mostLooked) {
		err := r.read(ctx, func(ctx context.Context) error {
			found, err := lookUp(ctx, some)
			all = append(all, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// firstHolders reads who held tokens first, by their usual spellings.
func (r reader) firstHolders(ctx context.Context, held []seeding.Identifier) (seeding.FirstHolders, error) {
	all, err := inParts(ctx, r, seeding.TokensOf(held), r.registry.UsualHolders)
	if err != nil {
		return nil, err
	}
	return seeding.FirstHoldersOf(all), nil
}

// registrantsOf returns the registrants of subjects, each once, in their order.
func registrantsOf(subjects map[seeding.Subject]bool) []int64 {
	registrants := make([]int64, 0, len(subjects))
	for s := range maps.Keys(subjects) {
		registrants = append(registrants, s.Registrant)
	}
	slices.Sort(registrants)
	return slices.Compact(registrants)
}
