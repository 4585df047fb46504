package seeding

import "fmt"

// Flaw is what is wrong with a part of a configuration, or what of it is probably not
// meant. The rule that finds it gives its code, and x-codes of the API's document
// explains that: programs translate by it.
type Flaw struct {
	Code   string
	Params map[string]any // what Text names: numbers, and names of the configuration, never a secret
	Text   string         // in words for people, whose subject is the part
}

// NewFlaw is a flaw whose text is formatted as by fmt.Sprintf.
func NewFlaw(code string, params map[string]any, format string, args ...any) *Flaw {
	return &Flaw{Code: code, Params: params, Text: fmt.Sprintf(format, args...)}
}

func (f *Flaw) Error() string { return f.Text }

// Flaw is the flaw itself, for what is one in other forms.
func (f *Flaw) Flaw() Flaw { return *f }
