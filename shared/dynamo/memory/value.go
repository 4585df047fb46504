package memory

import (
	"bytes"
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// longestName bounds the name of an attribute, in bytes.
const longestName = 65535

// clone is a deep copy of a valid item.
func clone(it item) item {
	copied, _ := validItem(it)
	return copied
}

// validItem returns a deep copy of an item of a request, or why it is not valid.
func validItem(it item) (item, error) {
	if it == nil {
		return nil, nil
	}
	copied := make(item, len(it))
	for name, value := range it {
		if name == "" || len(name) > longestName {
			return nil, invalid("an attribute name has 1 to %d bytes", longestName)
		}
		v, err := validValue(value)
		if err != nil {
			return nil, err
		}
		copied[name] = v
	}
	return copied, nil
}

func validValue(value types.AttributeValue) (types.AttributeValue, error) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return &types.AttributeValueMemberS{Value: v.Value}, nil
	case *types.AttributeValueMemberN:
		n, err := wholeNumber(v.Value)
		return &types.AttributeValueMemberN{Value: n}, err
	case *types.AttributeValueMemberB:
		if v.Value == nil {
			return nil, invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
		}
		return &types.AttributeValueMemberB{Value: append([]byte{}, v.Value...)}, nil
	case *types.AttributeValueMemberBOOL:
		return &types.AttributeValueMemberBOOL{Value: v.Value}, nil
	case *types.AttributeValueMemberSS:
		set := slices.Sorted(slices.Values(v.Value))
		if len(set) == 0 {
			return nil, invalid("One or more parameter values were invalid: An string set  may not be empty")
		}
		if len(slices.Compact(slices.Clone(set))) < len(set) {
			return nil, invalid("One or more parameter values were invalid: Input collection contains duplicates")
		}
		return &types.AttributeValueMemberSS{Value: set}, nil
	case *types.AttributeValueMemberM:
		m, err := validItem(v.Value)
		if m == nil {
			m = item{}
		}
		return &types.AttributeValueMemberM{Value: m}, err
	}
	return nil, invalid("this DynamoDB has no values of type %T", value)
}

// wholeNumber is a number as DynamoDB writes it. DynamoDB takes fractions too,
// but no store here has any.
func wholeNumber(text string) (string, error) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.String() != text {
		return "", invalid("this DynamoDB takes whole numbers only: %q", text)
	}
	if len(strings.TrimPrefix(text, "-")) > 38 {
		return "", invalid("Attempting to store more than 38 significant digits in a Number")
	}
	return text, nil
}

// sum of two numbers, the second times sign.
func sum(a, b types.AttributeValue, sign int64) (types.AttributeValue, error) {
	x, ok1 := a.(*types.AttributeValueMemberN)
	y, ok2 := b.(*types.AttributeValueMemberN)
	if !ok1 || !ok2 {
		return nil, errOperandType
	}
	total := new(big.Int).Mul(bigInt(y), big.NewInt(sign))
	text, err := wholeNumber(total.Add(total, bigInt(x)).String())
	return &types.AttributeValueMemberN{Value: text}, err
}

func bigInt(v *types.AttributeValueMemberN) *big.Int {
	n, _ := new(big.Int).SetString(v.Value, 10)
	return n
}

// order compares two values of one type that has an order.
func order(a, b types.AttributeValue) (sign int, ok bool) {
	switch x := a.(type) {
	case *types.AttributeValueMemberS:
		if y, ok := b.(*types.AttributeValueMemberS); ok {
			return cmp.Compare(x.Value, y.Value), true
		}
	case *types.AttributeValueMemberN:
		if y, ok := b.(*types.AttributeValueMemberN); ok {
			return bigInt(x).Cmp(bigInt(y)), true
		}
	case *types.AttributeValueMemberB:
		if y, ok := b.(*types.AttributeValueMemberB); ok {
			return bytes.Compare(x.Value, y.Value), true
		}
	}
	return 0, false
}

func equal(a, b types.AttributeValue) bool {
	switch x := a.(type) {
	case *types.AttributeValueMemberBOOL:
		y, ok := b.(*types.AttributeValueMemberBOOL)
		return ok && x.Value == y.Value
	case *types.AttributeValueMemberSS:
		y, ok := b.(*types.AttributeValueMemberSS)
		return ok && slices.Equal(x.Value, y.Value) // sorted, see validValue
	case *types.AttributeValueMemberM:
		y, ok := b.(*types.AttributeValueMemberM)
		return ok && maps.EqualFunc(x.Value, y.Value, equal)
	}
	sign, ok := order(a, b)
	return ok && sign == 0
}

// depth is how many maps of an item are inside one another.
func depth(it item) (maps int) {
	for _, value := range it {
		if m, ok := value.(*types.AttributeValueMemberM); ok {
			maps = max(maps, 1+depth(m.Value))
		}
	}
	return maps
}

// Size of an item as DynamoDB counts it, in bytes.
func Size(it map[string]types.AttributeValue) (bytes int) {
	for name, value := range it {
		bytes += len(name) + valueSize(value)
	}
	return bytes
}

func valueSize(value types.AttributeValue) (bytes int) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(strings.Trim(v.Value, "-0."))/2 + 2
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberSS:
		for _, member := range v.Value {
			bytes += len(member)
		}
		return bytes
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + Size(v.Value)
	default: // booleans
		return 1
	}
}

// length is the size() of a value, nil if it has none.
func length(value types.AttributeValue) types.AttributeValue {
	var n int
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		n = len(utf16.Encode([]rune(v.Value)))
	case *types.AttributeValueMemberB:
		n = len(v.Value)
	case *types.AttributeValueMemberSS:
		n = len(v.Value)
	case *types.AttributeValueMemberM:
		n = len(v.Value)
	default:
		return nil
	}
	return &types.AttributeValueMemberN{Value: big.NewInt(int64(n)).String()}
}
