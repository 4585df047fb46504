package dynamo

import "time"

// Lease is the right to work alone on the subject of an item, until a time. It
// is in the attributes owner, until and fence of the item. Fence grows with
// every taking, and every write under the lease is conditional on it, so that an
// earlier holder cannot write any more.
type Lease struct {
	Owner string
	Until time.Time
	Fence int64
}

// Expressions about the lease of an item. An owner is one invocation: if it has
// the lease already, it renews it, or the reply to its first call was lost. The
// expressions compare the time, because DynamoDB's TTL deletes days late
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
