// Package seeding holds the words, rules and ports of the seeding: how
// registrants of an OpenG2P registry get a MOSIP auth token in the place of
// their VID. It imports the standard library only.
//
// The packages below this one:
//
//	submit     registry page -> Batch -> MOSIP Token Seeder (MTS)
//	receive    callback of MTS -> Answer, stored and nothing else
//	patch      Answer -> tokens created, VIDs removed, Batch closed
//	reconcile  invokes patch for answers that wait, closes lost batches
//	setup      rules for a connector's configuration
//	inquire    works off what people ask about configurations:
//	check      what can be reached, what is allowed, what is selected
//	preview    what would be sent
//
// A Batch is the unit of state. A registrant costs a write of its own only
// when it is rejected. Every change of state is a conditional write from an
// expected state. Recovery is the normal path: a registrant whose batch was lost
// still has its VID, so the next pass finds it.
//
// Each package reads first, then decides, with a function of plain values that
// has a table of cases, and then writes. The contracts of the stores are in
// store.go; each package declares the methods that it calls.
package seeding
