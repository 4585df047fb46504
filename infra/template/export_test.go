package template

// Stack is the expanded template, for the tests.
type Stack = stack

var (
	Expanded = expanded
	Demands  = demands
	At       = at
	Text     = text
	List     = list
	Bare     = bare
	Texts    = texts
)
