package dynamo

import (
	"fmt"
	"math"
	"strings"
)

// Names of the key attributes of every table.
const (
	partitionName = "pk"
	sortName      = "sk"
)

// Key is the primary key of an item.
type Key struct{ Partition, Sort string }

// valid is false for a key that DynamoDB refuses, and that no item can have.
// Parts of a key may come from a request.
func (k Key) valid() bool {
	return k.Partition != "" && k.Sort != "" && len(k.Partition) <= longestPartition && len(k.Sort) <= longestSort
}

// What DynamoDB allows, in bytes.
const (
	longestPartition = 2048
	longestSort      = 1024
)

func (k Key) item() Item { return Item{partitionName: Text(k.Partition), sortName: Text(k.Sort)} }

// SortKey returns the sort key of an item that was read.
func SortKey(it Item) string { return NewReader(it).Text(sortName) }

// SplitSort splits a sort key at every "#"; ok is false unless it has that many
// parts.
func SplitSort(sort string, parts int) (list []string, ok bool) {
	list = strings.Split(sort, "#")
	return list, len(list) == parts
}

// AfterAll sorts directly after all keys that begin with prefix and "#": '$' is
// the character after '#'.
func AfterAll(prefix string) string { return prefix + "$" }

// Padded writes an id with 16 digits, so that texts sort as numbers do. Ids
// outside of that range become the nearest one inside.
func Padded(id int64) string {
	const digits = 16
	return fmt.Sprintf("%0*d", digits, max(0, min(id, int64(math.Pow10(digits))-1)))
}
