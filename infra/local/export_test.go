package local

// BuildFlags for the test that compares them with the Makefile's.
var BuildFlags = buildFlags
