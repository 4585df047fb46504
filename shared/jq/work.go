package jq

import "errors"

// Limits of the evaluation of one record, all expressions of a mapping together.
// They count work and not time, so that a record gives the same on a busy and on
// an idle machine: fingerprints depend on it.
const (
	// maxWork is in units: one for each step of a program, each value that is
	// made, compared or copied, and each 8 bytes of text. Each unit costs a
	// bounded time and a bounded memory, so this bounds both.
	maxWork = 50_000
	// maxDepth bounds how deep steps are nested, and with that Go's stack.
	maxDepth = 2_000
)

// errSpent ends an evaluation whose limits are reached. A program cannot catch it.
var errSpent = errors.New("needs too much work")

// spend takes units from the work that is left.
func (e *evaluation) spend(units int) error {
	if units < 0 || units > e.left {
		e.left = 0
		e.spent = true
		return errSpent
	}
	e.left -= units
	return nil
}

func unitsOf(text string) int { return 1 + len(text)/8 }

// weigh spends the units of a whole value. It must be called before anything
// walks through the value: parts that are shared make it larger than memory.
func (e *evaluation) weigh(v any) error {
	switch v := v.(type) {
	case string:
		return e.spend(unitsOf(v))
	case []any:
		if err := e.spend(1 + len(v)); err != nil {
			return err
		}
		for _, element := range v {
			if err := e.weigh(element); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		if err := e.spend(1 + len(v)); err != nil {
			return err
		}
		for key, member := range v {
			if err := e.spend(unitsOf(key)); err != nil {
				return err
			}
			if err := e.weigh(member); err != nil {
				return err
			}
		}
		return nil
	default:
		return e.spend(1)
	}
}

// weighed returns how many units a value has, and spends them.
func (e *evaluation) weighed(v any) (int, error) {
	before := e.left
	err := e.weigh(v)
	return before - e.left, err
}
