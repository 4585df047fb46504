// Package layout holds tests of how the code is laid out: which package may
// import which, and that a use case asks for no more of a store than it calls.
package layout
