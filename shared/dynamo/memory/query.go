package memory

import (
	"context"
	"regexp"
	"slices"
	"sort"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// largestPage bounds a page, in bytes of items.
const largestPage = 1024 * 1024

// span is the range of a key condition: a partition, or its sort keys between
// two.
type span struct {
	pk       string
	from, to *string // both included; nil is open
}

// goesOn reports whether a page may begin after sk, which is not the last of the
// span.
func (r span) goesOn(sk string, forward bool) bool {
	return (r.from == nil || sk > *r.from || forward && sk == *r.from) && (r.to == nil || sk < *r.to || !forward && sk == *r.to)
}

// Query reads a page of the items of one partition. Its key condition is
//
//	#pk = :pk
//	#pk = :pk AND #sk >= :from, and <=
//	#pk = :pk AND #sk BETWEEN :from AND :to
//
// A filter is a condition on other attributes.
func (c *Client) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if err := only(in, "TableName", "ConsistentRead", "ExclusiveStartKey", "ExpressionAttributeNames", "ExpressionAttributeValues",
		"FilterExpression", "KeyConditionExpression", "Limit", "ReturnConsumedCapacity", "ScanIndexForward"); err != nil {
		return nil, err
	}
	if in.Limit != nil && *in.Limit < 1 {
		return nil, invalid("Limit must be 1 or more")
	}
	r, passes, err := spanOf(in)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.table(in.TableName)
	if err != nil {
		return nil, err
	}
	p := t[r.pk]
	if p == nil {
		p = &partition{}
	}
	forward := in.ScanIndexForward == nil || *in.ScanIndexForward
	keys, err := r.keys(p, in.ExclusiveStartKey, forward)
	if err != nil {
		return nil, err
	}
	out, bytes := &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{}}, 0
	read := int32(0)
	for i, sk := range keys {
		it := p.items[sk]
		bytes += Size(it)
		read++
		if passes(it) {
			out.Items = append(out.Items, clone(it))
		}
		full := bytes >= largestPage && i < len(keys)-1
		if full || in.Limit != nil && read == *in.Limit {
			if r.goesOn(sk, forward) {
				out.LastEvaluatedKey = key{r.pk, sk}.item()
			}
			break
		}
	}
	out.Count, out.ScannedCount = int32(len(out.Items)), read //nolint:gosec // a page is small
	units := readUnits(bytes, in.ConsistentRead)
	if bytes == 0 {
		units = 0
	}
	out.ConsumedCapacity, err = capacity(in.ReturnConsumedCapacity, in.TableName, units)
	return out, err
}

// keys are the sort keys of the span after start, in the requested order.
func (r span) keys(p *partition, start item, forward bool) ([]string, error) {
	low, high := 0, len(p.order)
	if r.from != nil {
		low = sort.SearchStrings(p.order, *r.from)
	}
	if r.to != nil {
		high = sort.Search(len(p.order), func(i int) bool { return p.order[i] > *r.to })
	}
	if start != nil {
		k, err := keyOf(start)
		if err != nil {
			return nil, err
		}
		if k.pk != r.pk || !r.goesOn(k.sk, forward) {
			return nil, invalid("The provided starting key is outside query boundaries based on provided conditions")
		}
		if forward {
			low = max(low, sort.Search(len(p.order), func(i int) bool { return p.order[i] > k.sk }))
		} else {
			high = min(high, sort.SearchStrings(p.order, k.sk))
		}
	}
	keys := slices.Clone(p.order[low:max(low, high)])
	if !forward {
		slices.Reverse(keys)
	}
	return keys, nil
}

// spanOf is the span of a key condition, and whether an item of it passes the filter.
func spanOf(in *dynamodb.QueryInput) (r span, passes func(item) bool, err error) {
	expressions := []*expression{parseCondition(aws.ToString(in.KeyConditionExpression))}
	passes = func(item) bool { return true }
	if in.FilterExpression != nil {
		expressions = append(expressions, parseCondition(*in.FilterExpression))
	}
	s, err := bind(in.ExpressionAttributeNames, in.ExpressionAttributeValues, expressions...)
	if err != nil {
		return span{}, nil, err
	}
	if in.FilterExpression != nil {
		filter := expressions[1]
		aboutKey := func(name string) bool { return s.names[name] == "pk" || s.names[name] == "sk" }
		if bareKey.MatchString(*in.FilterExpression) || slices.ContainsFunc(filter.used, aboutKey) {
			return span{}, nil, invalid("Filter Expression can only contain non-primary key attributes")
		}
		passes = func(it item) bool {
			return filter.condition.holds(&scope{item: it, names: s.names, values: s.values})
		}
	}
	r, err = s.span(expressions[0])
	return r, passes, err
}

// bareKey is a key attribute that is written without #.
var bareKey = regexp.MustCompile(`(?:^|[^#:\w])(?:pk|sk)\b`)

// span is that of a key condition.
func (s *scope) span(e *expression) (r span, err error) {
	of, more := e.condition, condition(nil)
	if pair, ok := of.(both); ok {
		of, more = pair.a, pair.b
	}
	partition, ok := of.(comparison)
	pk, isText := s.keyValue(partition.b)
	if !ok || !isText || partition.operator != "=" || !s.isKey(partition.a, "pk") {
		return span{}, invalid("Query condition missed key schema element: pk")
	}
	r.pk = *pk
	valid := true
	switch sorted := more.(type) {
	case nil:
	case comparison:
		bound, isText := s.keyValue(sorted.b)
		valid = isText && s.isKey(sorted.a, "sk")
		switch sorted.operator {
		case ">=":
			r.from = bound
		case "<=":
			r.to = bound
		default:
			valid = false
		}
	case between:
		var isText, areTexts bool
		r.from, isText = s.keyValue(sorted.from)
		r.to, areTexts = s.keyValue(sorted.to)
		valid = isText && areTexts && s.isKey(sorted.v, "sk")
	default:
		valid = false
	}
	if !valid {
		return span{}, invalid("this DynamoDB does not know the key condition")
	}
	for _, sk := range []*string{r.from, r.to} {
		if err := (key{r.pk, aws.ToString(orSome(sk))}).check(); err != nil {
			return span{}, err
		}
	}
	return r, nil
}

// orSome replaces an absent sort key.
func orSome(sk *string) *string {
	if sk == nil {
		return aws.String(" ")
	}
	return sk
}

// isKey reports whether an operand is the key attribute of that name.
func (s *scope) isKey(o operand, name string) bool {
	p, ok := o.(path)
	return ok && len(p) == 1 && s.nameOf(p[0]) == name
}

// keyValue is the text of a :value.
func (s *scope) keyValue(o operand) (*string, bool) {
	v, ok := o.(value)
	if !ok {
		return nil, false
	}
	text, ok := v.in(s).(*types.AttributeValueMemberS)
	if !ok {
		return nil, false
	}
	return &text.Value, true
}
