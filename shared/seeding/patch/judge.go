package patch

import (
	"slices"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// holdings are the identifiers of registrants as the registry has them now.
type holdings struct {
	vids    map[int64]seeding.Identifier   // by identifier
	vidOf   map[int64]seeding.Identifier   // by registrant; one of several
	tokens  map[int64][]seeding.Identifier // by registrant
	holders map[string][]int64             // registrants by the token that they hold
}

func newHoldings(vids, tokens, holders []seeding.Identifier) holdings {
	h := holdings{
		vids: map[int64]seeding.Identifier{}, vidOf: map[int64]seeding.Identifier{},
		tokens: seeding.ByRegistrant(tokens), holders: map[string][]int64{},
	}
	for _, v := range vids {
		h.vids[v.ID], h.vidOf[v.Registrant] = v, v
	}
	return h.with(holders)
}

// with adds who holds which tokens.
func (h holdings) with(holders []seeding.Identifier) holdings {
	for _, i := range holders {
		token := seeding.CleanToken(i.Value)
		h.holders[token] = append(h.holders[token], i.Registrant)
	}
	return h
}

// holdsOnly reports whether the registrant holds this token, and no other.
func (h holdings) holdsOnly(registrant int64, token string) bool {
	held := h.tokens[registrant]
	return len(held) > 0 && !slices.ContainsFunc(held, func(i seeding.Identifier) bool { return seeding.CleanToken(i.Value) != token })
}

// otherHolder is a registrant other than this one that holds the token.
func (h holdings) otherHolder(token string, registrant int64) (holder int64, found bool) {
	for _, r := range h.holders[token] {
		if r != registrant {
			return r, true
		}
	}
	return 0, false
}

// proof is what a row is checked with: the batch in which it was sent, and the
// key of its rows. With the zero Key, for one that does not exist any more, no
// row fits.
type proof struct {
	key   seeding.Key
	batch string
}

// fits reports whether the row was made from the VID that the registrant has now.
func (p proof) fits(row seeding.Row, h holdings) bool {
	vid, there := h.vids[row.Identifier]
	return there && vid.Registrant == row.Registrant && p.key.ID != "" &&
		seeding.RowMACOf(p.key, p.batch, row.Member, vid.Value, row.Fingerprint).Fits(row.MAC)
}

// kind of a verdict: what becomes of a row.
type kind int

const (
	// Decided by the look-up.
	pending     kind = iota // nothing: a later pass finds its registrant
	gone                    // a submission that is not there any more: nobody is left to be decided about
	held                    // the registrant holds this token, and its VID still fits: tokenised before
	done                    // it holds this token, and no VID
	replaced                // it holds this token, and another VID than was sent; no decision
	vidReplaced             // the same, of an open batch: we wrote the token, and the VID changed since
	otherToken              // it holds another token
	notToken                // it holds something of the token type that is no token
	duplicate               // another registrant holds the token
	twin                    // a registrant with a lower id in this answer is to get the token
	create                  // the token is to be written
	emptyToken              // MOSIP accepted the registrant and gave no token
	refused                 // for its data
	systemic                // its code blames the system
	unusable                // a token came, and the Output Format gives nothing for it that can be written

	// Decided when tokens were written.
	written         // the token is there, and the VID still fits
	writtenVIDGone  // the token is there, and no VID
	writtenReplaced // the token is there, and another VID than was sent
	contested       // somebody else wrote a token at the same moment
	notWritten      // the registry refused the token for its data
	notSet          // the registry refused what the Output Format sets besides
	twinOfWritten   // the registrant with the lower id got the token
)

// verdict is what becomes of one row.
type verdict struct {
	row    seeding.Row
	kind   kind
	at     int64  // identifier under which a conflict is listed, if not the row's
	holder int64  // of a duplicate: who holds the token
	code   string // of the registry's refusal, of what is held and is no token, or of the Output Format's result

	received time.Time // of a submission
}

// judge gives a verdict for each row. Rows that are forged, or older than what
// the registry holds, stay pending.
func judge(rows []seeding.Row, h holdings, p proof, shape seeding.TokenShape, open bool) []verdict {
	blameOf := blamesOf(rows)
	wanted := map[string]bool{} // tokens that a registrant with a lower id is to get
	verdicts := make([]verdict, 0, len(rows))
	for _, row := range rows {
		v := judgeRow(row, h, p, shape, open, blameOf(row))
		if v.kind == create {
			if wanted[row.Token] {
				v.kind = twin
			}
			wanted[row.Token] = true
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

func judgeRow(row seeding.Row, h holdings, p proof, shape seeding.TokenShape, open bool, blame seeding.Blame) verdict {
	v := verdict{row: row}
	fits := p.fits(row, h)
	switch {
	case row.Token != "" && h.holdsOnly(row.Registrant, row.Token):
		// First, because an earlier attempt may have removed the VID that the
		// MAC needs.
		vid, there := h.vidOf[row.Registrant]
		switch {
		case fits:
			v.kind = held
		case !there:
			v.kind = done
		case open:
			// An earlier attempt wrote the token and did not look again, or the
			// reply to it was lost.
			v.kind, v.at = vidReplaced, vid.ID
		default:
			v.kind = replaced
		}
	case !fits:
		v.kind = pending
	case seeding.IsRubbish(row.Code):
		v.kind = systemic
	case len(h.tokens[row.Registrant]) > 0:
		if row.Token != "" {
			v.kind = otherToken
			if v.code = shape.HeldCode(h.tokens[row.Registrant], h.vids[row.Identifier].Value); v.code != "" {
				v.kind = notToken
			}
		}
	case row.Token != "":
		v.kind = create
		if other, found := h.otherHolder(row.Token, row.Registrant); found {
			v.kind, v.holder = duplicate, other
		}
	default:
		v.kind = withoutToken(row, blame)
	}
	return v
}

// withoutToken is what becomes of a row without a token.
func withoutToken(row seeding.Row, blame seeding.Blame) kind {
	switch {
	case row.Status == seeding.RowProcessed:
		return emptyToken
	case blame == seeding.BlameSystem:
		return systemic
	}
	return refused
}

// alikeLimit is how many rows with the same code blame the system and not single
// registrants.
const alikeLimit = 3

// blamesOf returns the blame of each row of one answer, also of unclear codes: a
// code that all of at least three rows have blames the system and not the data.
func blamesOf(rows []seeding.Row) func(seeding.Row) seeding.Blame {
	alike := len(rows) >= alikeLimit
	for _, r := range rows {
		alike = alike && r.Token == "" && r.Code == rows[0].Code
	}
	return func(r seeding.Row) seeding.Blame {
		blame := seeding.BlameOf(r.Code)
		switch {
		case blame != seeding.BlameUnclear:
			return blame
		case alike:
			return seeding.BlameSystem
		}
		return seeding.BlameData
	}
}

// confirm gives the verdicts on rows whose tokens were written, after reading
// again, because Odoo has no conditional write. A VID that is no longer the one
// that was sent stays, and gets a conflict for people to decide.
func confirm(created []seeding.Row, h holdings, p proof) []verdict {
	verdicts := make([]verdict, 0, len(created))
	for _, row := range created {
		v := verdict{row: row}
		single := len(h.tokens[row.Registrant]) == 1
		vid, there := h.vidOf[row.Registrant]
		switch {
		case single && p.fits(row, h):
			v.kind = written
		case there && single:
			v.kind, v.at = writtenReplaced, vid.ID
		case there:
			v.kind, v.at = contested, vid.ID
		default:
			v.kind = writtenVIDGone
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// judgeTwins: of several registrants with one token the one with the lowest id
// got it; then the others are its duplicates.
func judgeTwins(verdicts []verdict, created []seeding.Row) []verdict {
	holder := map[string]int64{}
	for _, row := range created {
		holder[row.Token] = row.Registrant
	}
	return duplicatesOf(holder, verdicts)
}

// duplicatesOf gives the verdicts on twins of which somebody holds the token now.
func duplicatesOf(holder map[string]int64, verdicts []verdict) (twins []verdict) {
	for _, v := range verdicts {
		if got, known := holder[v.row.Token]; known && v.kind == twin {
			twins = append(twins, verdict{row: v.row, kind: twinOfWritten, holder: got})
		}
	}
	return twins
}

// rowsOf are the rows with a verdict of a kind.
func rowsOf(verdicts []verdict, k kind) (rows []seeding.Row) {
	for _, v := range verdicts {
		if v.kind == k {
			rows = append(rows, v.row)
		}
	}
	return rows
}
