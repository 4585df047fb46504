package check

// IndexLines is for tests.
var IndexLines = indexLines
