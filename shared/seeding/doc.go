// Package seeding holds the words, rules and ports of the seeding: how
// registrants of an OpenG2P registry get a MOSIP auth token in the place of
// their VID. It imports the standard library only.
//
// What moves where, each in a package of its own below this one:
//
//	submit     registry page -> Batch -> MOSIP Token Seeder (MTS)
//	receive    callback of MTS -> Answer, made durable and nothing else
//	patch      Answer -> tokens created, VIDs removed, Batch closed
//	reconcile  invokes patch for answers that wait, closes lost batches
//	setup      what a connector's configuration must be
//
// A Batch is the unit of state. A registrant costs a write of its own only
// when it is rejected. Every state change is a conditional write from an
// expected state, and recovery runs the normal path: a registrant whose batch
// was lost still has its VID, so the next pass finds it.
//
// In each package reading comes first, then a decision, which is a function of
// plain values and has a table of cases, then writing. The contracts of the
// stores stand in store.go; a package declares the methods that it calls.
package seeding
