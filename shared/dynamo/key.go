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

// valid is false for a key that DynamoDB would not take and that therefore no
// item has; parts of keys may come from requests.
func (k Key) valid() bool {
	return k.Partition != "" && k.Sort != "" && len(k.Partition) <= longestPartition && len(k.Sort) <= longestSort
}

// What DynamoDB allows, in bytes.
const (
	longestPartition = 2048
	longestSort      = 1024
)

func (k Key) item() Item { return Item{partitionName: Text(k.Partition), sortName: Text(k.Sort)} }

// SortKey of an item that was read.
func SortKey(it Item) string { return NewReader(it).Text(sortName) }

// SplitSort splits a sort key at its "#"; ok is false unless there are as many
// parts as wanted.
func SplitSort(sort string, parts int) (list []string, ok bool) {
	list = strings.Split(sort, "#")
	return list, len(list) == parts
}

// AfterAll sorts behind every key that begins with prefix and "#", and before
// every other key behind those: '$' is the character that follows '#'.
func AfterAll(prefix string) string { return prefix + "$" }

// Padded writes an id so that texts sort as numbers do; what is out of the
// range of 16 digits becomes the nearest that is in it.
func Padded(id int64) string {
	const digits = 16
	return fmt.Sprintf("%0*d", digits, max(0, min(id, int64(math.Pow10(digits))-1)))
}
