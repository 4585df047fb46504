package seeding

import (
	"context"
	"time"
)

// Fate is what a run would do with a VID now, in the words of Tally and Unsent.
type Fate string

const (
	WouldBeSent    Fate = "sent"
	WouldBeInvalid Fate = "invalid"      // rejected unsent, for what it holds or lacks
	StaysRejected  Fate = "rejected"     // until its data change, its next attempt, or somebody asks
	IsInBatch      Fate = "in_batch"     // in an open batch, or further up with another VID
	HoldsToken     Fate = "holding"      // so it is never sent
	NotSelectedNow Fate = "not_selected" // the domain does not select it, or the user does not see it
	HasNoVID       Fate = "no_vid"       // it was asked for, and has no valid VID
)

// Foreseer decides about VIDs as a run does. Each rejection of a draft is due.
type Foreseer interface {
	Foresee(ctx context.Context, c Connector, draft bool, registry Registry, vids []Identifier) ([]Foreseen, error)
}

// Foreseen is what a run would do with one VID. It holds data of a person and is
// never stored.
type Foreseen struct {
	Identifier
	Fate Fate
	// Rejection is the one that is there, or would be made, if it is invalid or stays
	// rejected.
	Rejection    Rejection
	Demographics Demographics // what would be sent; zero without a record
	Record       Record       // with "vid", as the mapping sees it; nil if it is not selected
}

// PreviewAnswer is the answer of a preview. It holds data of persons and is stored
// only sealed.
type PreviewAnswer struct {
	Rows    []PreviewRow
	Parts   []PartEmpty // each part of the mapping
	Sampled int         // registrants that Parts are about
	VIDs    int         // that were looked at
	Fates   map[Fate]int
	Output  *PreviewOutput // nil without an Output Format
}

// PreviewRow is a registrant as it would be sent. Its VID is masked, wherever it
// stands.
type PreviewRow struct {
	Registrant, Identifier int64
	Submission             string    // of a connector of ODK, in place of both
	Received               time.Time // by ODK Central
	Fate                   Fate
	Kind                   RejectionKind // of a rejection
	Code                   string
	Holder                 int64
	Next                   time.Time
	VID                    string
	Fields                 map[string]PreviewField // by MTS's names; without vid
}

// PreviewField is what MTS would get for one field.
type PreviewField struct {
	Text    string
	Present bool // it is sent; Text may be empty
	NotText bool // it gives something that MTS cannot take
}

// PartEmpty is how often a part of the mapping gave nothing.
type PartEmpty struct {
	Part    string // "vid", "name/0", …: as in a MappingError
	Empty   int    // null, or an empty text
	NotText int    // something that MTS cannot take
	Failed  int    // too much work
}

// PreviewOutput is what the Output Format makes of a made answer about the first
// registrant that would be sent.
type PreviewOutput struct {
	Shape  string // which of its shapes it is; "" if none
	Result string // as JSON
	Wrong  string // why it would be refused, in words for the user; "" if it would be written
	// Code of Wrong, and what it names: of a rejection, or of a flaw of the program.
	Code   string
	Params map[string]any
}

// MaskVID keeps the last four characters of a VID.
func MaskVID(vid string) string {
	runes := []rune(vid)
	const shown, dots = 4, "••••••"
	if len(runes) < 2*shown {
		return dots
	}
	return dots + string(runes[len(runes)-shown:])
}
