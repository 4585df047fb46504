package seeding

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// Row is what MTS said of one record.
type Row struct {
	Subject
	MAC         RowMAC
	Fingerprint Fingerprint
	Status      RowStatus
	Token       string // of a processed row
	Code        string // of any other; several, joined by commas, when MOSIP gave several
}

// RowStatus is MTS's word for a record (facts/mts.md 4.2).
type RowStatus byte

const (
	RowProcessed RowStatus = 'p'
	RowError     RowStatus = 'e'
	RowInvalid   RowStatus = 'i'
)

// AnswerPart is a part of the answer in one callback: at most 1,500 rows that can
// be read without the other parts. New answers are in one part; those of the
// version before may have several.
type AnswerPart struct {
	Ref      BatchRef
	Content  string // hash of all rows of the callback; a repeated one has the same
	Part, Of int    // from 1
	Received time.Time
	Expires  time.Time
	Packed   []byte // rows, by PackRows
}

// ID names the part within its batch.
func (a AnswerPart) ID() string { return fmt.Sprintf("%s.%d.%d", a.Content, a.Part, a.Of) }

// AnswerFinder is what AnsweredBatches calls of Answers.
type AnswerFinder interface {
	NextAnswer(ctx context.Context, registry, after string) (ref BatchRef, found bool, err error)
}

// AnsweredBatches goes through the batches of a registry that have an answer, in
// the order of their ids. It reads the next one when it is asked for it. It goes on
// after a *DamagedAnswer, which it yields without a batch, and ends after any other
// error.
func AnsweredBatches(ctx context.Context, store AnswerFinder, registry string) iter.Seq2[BatchRef, error] {
	return func(yield func(BatchRef, error) bool) {
		for after := ""; ; {
			ref, found, err := store.NextAnswer(ctx, registry, after)
			if err != nil && (!yield(BatchRef{}, err) || IgnoreDamaged(err) != nil) {
				return
			}
			if !found || !yield(ref, nil) {
				return
			}
			after = ref.Batch
		}
	}
}

// DamagedAnswer is the error of a stored answer that cannot be read.
type DamagedAnswer struct {
	Connector string // "" if even that cannot be read
	Batch     string // the same
}

func (d *DamagedAnswer) Error() string { return "a stored answer cannot be read" }

// Unwrap makes it an ErrDamaged.
func (d *DamagedAnswer) Unwrap() error { return ErrDamaged }
