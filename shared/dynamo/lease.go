package dynamo

import "time"

// Lease is the right to work alone on what an item is about, until a time. It
// is kept in the attributes owner, until and fence of the item. Fence grows
// with every taking, and every write under the lease names it, so a holder who
// was thought dead cannot write any more.
type Lease struct {
	Owner string
	Until time.Time
	Fence int64
}

// Expressions about the lease of an item. Owners are unique per invocation: a
// lease of this very owner is being renewed, or was taken by a call whose reply
// was lost. The time is compared here: expiry by DynamoDB's TTL comes days late
// (facts/aws.md 1).
const (
	LeaseFree = "(attribute_not_exists(#owner) OR #until <= :now)" // condition
	LeaseMine = "#owner = :owner"                                  // condition
	LeaseSet  = "#owner = :owner, #until = :until"                 // of the SET that takes it
	LeaseAdd  = "#fence :one"                                      // of the ADD that takes it
)

// LeaseValues are the values of these expressions.
func LeaseValues(owner string, now, until time.Time) Item {
	return Item{":owner": Text(owner), ":now": Instant(now), ":until": Instant(until), ":one": Number(1)}
}

// Lease reads the lease of an item.
func (r *Reader) Lease() Lease {
	return Lease{Owner: r.Text("owner"), Until: r.Instant("until"), Fence: r.Number("fence")}
}
