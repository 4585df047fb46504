package jq

import (
	"context"
	"time"
)

// budget bounds the evaluation of one record. It counts the steps of the
// interpreter, so that the outcome does not depend on how busy the machine is;
// the time limit is for single steps that are slow. gojq calls Done before every
// step.
type budget struct {
	context.Context
	steps int
	until time.Time
	spent bool
}

const (
	maxSteps = 100_000
	maxTime  = time.Second
)

var done = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func newBudget() *budget {
	return &budget{Context: context.Background(), steps: maxSteps, until: time.Now().Add(maxTime)}
}

// Done is closed once the budget is spent.
func (b *budget) Done() <-chan struct{} {
	b.steps--
	if b.steps < 0 || b.steps%256 == 0 && time.Now().After(b.until) {
		b.spent = true
	}
	if b.spent {
		return done
	}
	return nil
}

// Err is an error once the budget is spent.
func (b *budget) Err() error {
	if b.spent {
		return context.DeadlineExceeded
	}
	return nil
}
