package dynamo

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item is what DynamoDB calls an item, or the values of an expression.
type item = map[string]types.AttributeValue

func number[N int | int64](v N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(v), 10)}
}

func instant(t time.Time) types.AttributeValue {
	if t.IsZero() {
		return number(0)
	}
	return number(t.UnixMilli())
}

func duration(d time.Duration) types.AttributeValue { return number(d.Microseconds()) }
func flag(v bool) types.AttributeValue              { return &types.AttributeValueMemberBOOL{Value: v} }
func binary(v []byte) types.AttributeValue          { return &types.AttributeValueMemberB{Value: v} }
func set(v []string) types.AttributeValue           { return &types.AttributeValueMemberSS{Value: v} }

// lean drops what reads the same when it is absent.
func lean(it item) item {
	for name, value := range it {
		switch v := value.(type) {
		case *types.AttributeValueMemberN:
			if v.Value == "0" {
				delete(it, name)
			}
		case *types.AttributeValueMemberS:
			if v.Value == "" {
				delete(it, name)
			}
		case *types.AttributeValueMemberBOOL:
			if !v.Value {
				delete(it, name)
			}
		case *types.AttributeValueMemberB:
			if len(v.Value) == 0 {
				delete(it, name)
			}
		case *types.AttributeValueMemberSS: // DynamoDB knows no empty set
			if len(v.Value) == 0 {
				delete(it, name)
			}
		}
	}
	return it
}

// reader reads attributes and keeps the first error, which names the attribute
// and never its value.
type reader struct {
	item item
	err  error
}

func (r *reader) damaged(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("dynamo: damaged item: attribute %q", name)
	}
}

// attribute is nil when it is absent; one of another type than wanted is damage.
func attribute[T types.AttributeValue](r *reader, name string) (value T, ok bool) {
	raw, present := r.item[name]
	if !present {
		return value, false
	}
	if value, ok = raw.(T); !ok {
		r.damaged(name)
	}
	return value, ok
}

func (r *reader) text(name string) string {
	if v, ok := attribute[*types.AttributeValueMemberS](r, name); ok {
		return v.Value
	}
	return ""
}

func (r *reader) number(name string) int64 {
	v, ok := attribute[*types.AttributeValueMemberN](r, name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		r.damaged(name)
	}
	return n
}

func (r *reader) count(name string) int { return int(r.number(name)) }

func (r *reader) instant(name string) time.Time {
	if ms := r.number(name); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

func (r *reader) duration(name string) time.Duration {
	return time.Duration(r.number(name)) * time.Microsecond
}

func (r *reader) flag(name string) bool {
	v, ok := attribute[*types.AttributeValueMemberBOOL](r, name)
	return ok && v.Value
}

func (r *reader) binary(name string) []byte {
	if v, ok := attribute[*types.AttributeValueMemberB](r, name); ok {
		return v.Value
	}
	return nil
}

// set is sorted, because DynamoDB keeps no order.
func (r *reader) set(name string) []string {
	if v, ok := attribute[*types.AttributeValueMemberSS](r, name); ok {
		return slices.Sorted(slices.Values(v.Value))
	}
	return nil
}

// within reads a map attribute; what is damaged in it is damage of the item.
func (r *reader) within(name string, read func(*reader)) {
	v, ok := attribute[*types.AttributeValueMemberM](r, name)
	if !ok {
		return
	}
	inner := &reader{item: v.Value}
	read(inner)
	if inner.err != nil {
		r.damaged(name)
	}
}

// decoded is the end of every decoder.
func decoded[T any](r *reader, v T) (T, error) {
	if r.err != nil {
		var none T
		return none, r.err
	}
	return v, nil
}
