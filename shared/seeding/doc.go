// Package seeding is the domain of the connector: how registrants of an
// OpenG2P registry get a MOSIP auth token in the place of their VID.
//
// What moves where:
//
//	Submitter   registry page -> Batch -> MOSIP Token Seeder (MTS)
//	Inbox       callback of MTS -> Answer, made durable and nothing else
//	Patcher     Answer -> tokens created, VIDs removed, Batch closed
//	Reconciler  rings the Patcher for answers that wait, closes lost batches
//
// A Batch is the unit of state. A registrant costs a write of its own only
// when it is rejected. Every state change is a conditional write from an
// expected state, and recovery runs the normal path: a registrant whose batch
// was lost still has its VID, so the next pass finds it.
//
// The package imports the standard library only. What it needs from outside
// stands here as small interfaces; adapters implement them.
package seeding
