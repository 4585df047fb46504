package dynamo

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item holds the attributes of an item, or the values of an expression.
type Item = map[string]types.AttributeValue

// Text is a string attribute.
func Text(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

// Number is a number attribute.
func Number[N int | int64](v N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(v), 10)}
}

// Instant is a time in Unix milliseconds; the zero time is 0.
func Instant(t time.Time) types.AttributeValue {
	if t.IsZero() {
		return Number(0)
	}
	return Number(t.UnixMilli())
}

// Duration is a duration in microseconds.
func Duration(d time.Duration) types.AttributeValue { return Number(d.Microseconds()) }

// Flag is a boolean attribute.
func Flag(v bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: v} }

// Binary is an attribute of bytes.
func Binary(v []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: v} }

// Set is a set of strings, without an order.
func Set(v []string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: v} }

// Map is an attribute that holds attributes.
func Map(v Item) types.AttributeValue { return &types.AttributeValueMemberM{Value: v} }

// OmitZero removes attributes that read the same when they are absent, and
// returns the item. DynamoDB would refuse an empty set.
func OmitZero(it Item) Item {
	maps.DeleteFunc(it, func(_ string, value types.AttributeValue) bool { return isZero(value) })
	return it
}

func isZero(value types.AttributeValue) bool {
	switch v := value.(type) {
	case *types.AttributeValueMemberN:
		return v.Value == "0"
	case *types.AttributeValueMemberS:
		return v.Value == ""
	case *types.AttributeValueMemberBOOL:
		return !v.Value
	case *types.AttributeValueMemberB:
		return len(v.Value) == 0
	case *types.AttributeValueMemberSS:
		return len(v.Value) == 0
	}
	return false
}

// DamagedError is the error of an item that cannot be decoded. It names the first
// damaged attribute and not its value.
type DamagedError struct{ Attribute string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("dynamo: damaged item: attribute %q", e.Attribute)
}

// Reader reads the attributes of an item. An absent attribute reads as the zero
// value; one that cannot be read makes the item damaged. A decoder reads
// everything and returns through Decoded.
type Reader struct {
	item Item
	err  error
}

// NewReader returns a reader of the item.
func NewReader(it Item) *Reader { return &Reader{item: it} }

// Decoded returns v, or the *DamagedError of a damaged item.
func Decoded[T any](r *Reader, v T) (T, error) {
	if r.err != nil {
		var zero T
		return zero, r.err
	}
	return v, nil
}

// Damaged records that an attribute cannot be read.
func (r *Reader) Damaged(name string) {
	if r.err == nil {
		r.err = &DamagedError{name}
	}
}

// Key is the key of the item, zero where the item has none.
func (r *Reader) Key() Key { return Key{r.Text(partitionName), r.Text(sortName)} }

// Form is the number of the form in which the item is stored: its attribute
// form, or 1 without one. A form beyond newest is damage, because its decoder
// would misread it.
func (r *Reader) Form(newest int) int {
	form := max(1, r.Int("form"))
	if form > newest {
		r.Damaged("form")
	}
	return form
}

// Names are the names of all attributes, sorted.
func (r *Reader) Names() []string { return slices.Sorted(maps.Keys(r.item)) }

// attribute returns ok false if it is absent; another type is damage.
func attribute[T types.AttributeValue](r *Reader, name string) (value T, ok bool) {
	raw, present := r.item[name]
	if !present {
		return value, false
	}
	if value, ok = raw.(T); !ok {
		r.Damaged(name)
	}
	return value, ok
}

// Text reads a string.
func (r *Reader) Text(name string) string {
	if v, ok := attribute[*types.AttributeValueMemberS](r, name); ok {
		return v.Value
	}
	return ""
}

// Number reads a whole number.
func (r *Reader) Number(name string) int64 {
	v, ok := attribute[*types.AttributeValueMemberN](r, name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		r.Damaged(name)
	}
	return n
}

// Int reads a whole number as an int.
func (r *Reader) Int(name string) int { return int(r.Number(name)) }

// Instant reads a time, in UTC.
func (r *Reader) Instant(name string) time.Time {
	if ms := r.Number(name); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// Duration reads a duration.
func (r *Reader) Duration(name string) time.Duration {
	return time.Duration(r.Number(name)) * time.Microsecond
}

// Flag reads a boolean.
func (r *Reader) Flag(name string) bool {
	v, ok := attribute[*types.AttributeValueMemberBOOL](r, name)
	return ok && v.Value
}

// Binary reads bytes.
func (r *Reader) Binary(name string) []byte {
	if v, ok := attribute[*types.AttributeValueMemberB](r, name); ok {
		return v.Value
	}
	return nil
}

// Set reads a set of strings, sorted.
func (r *Reader) Set(name string) []string {
	if v, ok := attribute[*types.AttributeValueMemberSS](r, name); ok {
		return slices.Sorted(slices.Values(v.Value))
	}
	return nil
}

// Map calls read with the attributes in a map, unless it is absent. Damage in
// the map is damage of its attribute.
func (r *Reader) Map(name string, read func(*Reader)) {
	v, ok := attribute[*types.AttributeValueMemberM](r, name)
	if !ok {
		return
	}
	inner := NewReader(v.Value)
	read(inner)
	if inner.err != nil {
		r.Damaged(name)
	}
}
