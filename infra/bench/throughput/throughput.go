// Package throughput measures how fast a connector is at an MTS of some size, and
// how fast the best fixed width and batch size are there. Its runs are in virtual
// time, in which only computing costs time: a run of half an hour takes a second.
//
// A run needs a synctest bubble, and so a test: the tests of this package make
// the runs, and Workers are processes of those tests.
package throughput

import "time"

// Conditions are those of one row of the table.
type Conditions struct {
	Workers  int           // of MTS, in all replicas
	Replicas int           // of MTS
	Latency  time.Duration // of the identity system, per record
	CleanUp  time.Duration // the age at which MTS deletes a batch, and how often it looks; 0 is never
}

// Fixed are a width and a batch size that do not change. The zero value is what
// the connector finds by itself.
type Fixed struct {
	Width, Size int
	Waves       bool // batches are sent when half of the width is free, and not when one is
}

// Run is one run to be measured, from a registry and an MTS that were never used.
type Run struct {
	Conditions
	Fixed
	Chance      int   // runs that differ in it differ in nothing but what chance decides, such as the worker that takes a POST
	Registrants int   // who all get a token
	Warmed      int   // the rest of the run begins when MTS has asked about so many of them
	Limit       Times // the run may be given up when it takes longer by both; zero is no limit
	Sampled     bool  // samples are wanted

	// Found says that MTS was measured before: batches have 1,000 records, and its
	// workers are known.
	Found   bool
	Maximum int // of the connector's width; 0 is the default
	Metered bool
}

// Times are how long a run took.
type Times struct {
	Whole time.Duration // from the start of the connector to the last token

	// Rest is from the moment at which the identity system had been asked about the
	// first registrants (Run.Warmed) to the last token. It does not begin with a
	// token: those of large batches come hundreds at once, and what was at work
	// at that moment would be done for nothing.
	Rest time.Duration
}

// Result is what was measured of a run.
type Result struct {
	Times       // zero if the run was given up
	Sent    int // records that MTS took
	Samples []Sample
	Consumed
}

// Consumed is what a metered run takes of AWS. Computing takes no virtual time, so
// the time of invocations is what they wait for MTS, registry and each other.
type Consumed struct {
	Reads, Writes float64 // units of DynamoDB
	Submits       int     // invocations
	Submitting    time.Duration
	Patches       int
	Patching      time.Duration
	Callbacks     int
	CPU           time.Duration // of the process, which is also MTS, registry and DynamoDB
	SentBytes     int64         // of requests to MTS and registry
	LoggedBytes   int64         // metrics included
}

// Sample is what is known at a time of a run.
type Sample struct {
	At        time.Duration // since the start of the connector
	Open      int           // batches
	Size      int           // of the next batch
	Tokenised int
}

// What MTS needs for a record at least, besides the identity system
// (facts/mts.md 9).
const (
	post    = 16 * time.Millisecond // first, for all records of a batch
	process = 12 * time.Millisecond
)

// floor is less than any run takes that never has more than its fixed width under
// way and loses no batch: MTS works on one record of a batch at a time.
func (r Run) floor() Times {
	if r.Width == 0 || r.CleanUp > 0 {
		return Times{}
	}
	return Times{
		Whole: time.Duration(r.Registrants) * (post + process + r.Latency) / time.Duration(r.Width),
		Rest:  time.Duration(r.Registrants-r.Warmed) * (process + r.Latency) / time.Duration(r.Width),
	}
}
