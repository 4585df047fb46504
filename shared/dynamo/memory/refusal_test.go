package memory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const refusals = "refusals"

func at(pk, sk string) item { return item{"pk": text(pk), "sk": text(sk)} }

func with(it item, name string, v types.AttributeValue) item {
	it[name] = v
	return it
}

func puts(it item) *dynamodb.PutItemInput {
	return &dynamodb.PutItemInput{TableName: aws.String(refusals), Item: it}
}

// putIf has the condition with #a, :v and :w as far as they are given.
func putIf(condition string, names map[string]string, values item) *dynamodb.PutItemInput {
	in := puts(at("p", "s"))
	in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = &condition, names, values
	return in
}

func updates(expression string, names map[string]string, values item) *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{
		TableName: aws.String(refusals), Key: at("p", "there"), UpdateExpression: &expression,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
}

func queries(condition string, names map[string]string, values item) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: aws.String(refusals), KeyConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
}

func transacts(items ...types.TransactWriteItem) *dynamodb.TransactWriteItemsInput {
	return &dynamodb.TransactWriteItemsInput{TransactItems: items}
}

func putting(it item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: aws.String(refusals), Item: it}}
}

// What DynamoDB refuses is refused in memory too, for the same reason: a mistake in
// an expression cannot pass there and fail in production.
func TestRefusesAsDynamoDBLocal(t *testing.T) {
	local, inMemory := engines(t, refusals)
	a, ab := map[string]string{"#a": "a"}, map[string]string{"#a": "a", "#b": "b"}
	v := item{":v": text("x")}
	key := map[string]string{"#pk": "pk", "#sk": "sk"}
	elsewhere := puts(at("p", "s"))
	elsewhere.TableName = aws.String("nowhere")
	cases := map[string]any{
		"an unknown table":                                elsewhere,
		"an unknown table in a transaction":               transacts(types.TransactWriteItem{Put: &types.Put{TableName: aws.String("nowhere"), Item: at("p", "s")}}),
		"an item without sk":                              puts(item{"pk": text("p")}),
		"a key that is a number":                          puts(item{"pk": text("p"), "sk": number("1")}),
		"an empty key":                                    puts(at("p", "")),
		"a long pk":                                       puts(at(strings.Repeat("p", 2049), "s")),
		"a long sk":                                       puts(at("p", strings.Repeat("s", 1025))),
		"a key with more than the key":                    &dynamodb.GetItemInput{TableName: aws.String(refusals), Key: with(at("p", "s"), "a", text("x"))},
		"a key with less":                                 &dynamodb.GetItemInput{TableName: aws.String(refusals), Key: item{"pk": text("p")}},
		"an empty set":                                    puts(with(at("p", "s"), "a", set())),
		"an empty set within":                             puts(with(at("p", "s"), "a", object(item{"b": set()}))),
		"a set that holds something twice":                puts(with(at("p", "s"), "a", set("x", "x"))),
		"no number":                                       puts(with(at("p", "s"), "a", number("x"))),
		"a number of 39 digits":                           puts(with(at("p", "s"), "a", number(strings.Repeat("7", 39)))),
		"an item of more than 400 KB":                     puts(with(at("p", "s"), "a", text(strings.Repeat("x", 400*1024)))),
		"an empty condition":                              putIf("", nil, nil),
		"a condition of blanks":                           putIf(" ", nil, nil),
		"a name that is not given":                        putIf("attribute_exists(#a)", nil, nil),
		"a value that is not given":                       putIf("#a = :v", a, nil),
		"a name that is not used":                         putIf("attribute_exists(#a)", ab, nil),
		"a value that is not used":                        putIf("attribute_exists(#a)", a, v),
		"no names":                                        putIf("attribute_exists(pk)", map[string]string{}, nil),
		"no values":                                       putIf("attribute_exists(pk)", nil, item{}),
		"a name of nothing":                               putIf("attribute_exists(#a)", map[string]string{"#a": ""}, nil),
		"names without an expression":                     &dynamodb.PutItemInput{TableName: aws.String(refusals), Item: at("p", "s"), ExpressionAttributeNames: a},
		"values without an expression":                    &dynamodb.PutItemInput{TableName: aws.String(refusals), Item: at("p", "s"), ExpressionAttributeValues: v},
		"a reserved word":                                 putIf("attribute_exists(status)", nil, nil),
		"a value where a path must be":                    putIf("attribute_exists(:v)", nil, v),
		"a path without a test":                           putIf("#a", a, nil),
		"half a comparison":                               putIf("#a =", a, nil),
		"two comparisons without a word":                  putIf("#a = :v #a = :v", a, v),
		"an open parenthesis":                             putIf("(#a = :v", a, v),
		"a closed parenthesis":                            putIf("#a = :v)", a, v),
		"parentheses twice":                               putIf("((#a = :v))", a, v),
		"parentheses twice around a pair":                 putIf("((#a = :v AND attribute_exists(#a)))", a, v),
		"an unknown function":                             putIf("exists(#a)", a, nil),
		"a function in capitals":                          putIf("ATTRIBUTE_EXISTS(#a)", a, nil),
		"a function with too much":                        putIf("attribute_exists(#a, #b)", ab, nil),
		"an unknown operator":                             putIf("#a == :v", a, v),
		"an order of flags":                               putIf("#a < :v", a, item{":v": flag(true)}),
		"an order of sets":                                putIf("#a >= :v", a, item{":v": set("x")}),
		"a range that is upside down":                     putIf("#a BETWEEN :v AND :w", a, item{":v": number("2"), ":w": number("1")}),
		"a range of two types":                            putIf("#a BETWEEN :v AND :w", a, item{":v": number("1"), ":w": text("2")}),
		"a path compared with itself":                     putIf("#a = #a", a, nil),
		"a path compared with its other name":             putIf("#a = #b", map[string]string{"#a": "a", "#b": "a"}, nil),
		"a path in itself":                                putIf("contains(#a, #a)", a, nil),
		"a size of a size":                                putIf("size(size(#a)) = :v", a, item{":v": number("1")}),
		"a long condition":                                putIf("#a = :v"+strings.Repeat(" OR #a = :v", 400), a, v),
		"151 comparisons with OR between":                 putIf(repeat("#a = :v", " OR ", 151), a, v),
		"101 sizes with OR between":                       putIf(repeat("size(#a) = :v", " OR ", 101), a, v),
		"76 comparisons of two sizes":                     putIf(repeat("size(#a) = size(pk)", " OR ", 76), a, nil),
		"101 negations with AND between":                  putIf(repeat("NOT pk = :v", " AND ", 101), nil, v),
		"300 negations of a comparison":                   putIf(repeat("NOT", " ", 300)+" pk = :v", nil, v),
		"151 functions with AND between":                  putIf(repeat("contains(#a, :v)", " AND ", 151), a, v),
		"151 ranges with OR between":                      putIf(repeat("pk BETWEEN :v AND :v", " OR ", 151), nil, v),
		"301 sums":                                        updates(assignments(301, ":v+:v"), aliases(301), item{":v": number("1")}),
		"a value in 32 maps":                              puts(with(at("p", "s"), "a", nested(32))),
		"a value in 32 maps that is set":                  updates("SET #a = :v", a, item{":v": nested(32)}),
		"a value in 33 maps in an expression":             putIf("#a = :v", a, item{":v": nested(33)}),
		"a path of 33":                                    putIf("attribute_exists("+repeat("#a", ".", 33)+")", a, nil),
		"an attribute without a name":                     puts(with(at("p", "s"), "", text("x"))),
		"an attribute without a name within":              puts(with(at("p", "s"), "a", object(item{"": text("x")}))),
		"an attribute with a name of 64 KB":               puts(with(at("p", "s"), strings.Repeat("a", 64*1024), text("x"))),
		"an attribute with a name of 64 KB within":        puts(with(at("p", "s"), "a", object(item{strings.Repeat("a", 64*1024): text("x")}))),
		"a name of 64 KB":                                 putIf("attribute_exists(#a)", map[string]string{"#a": strings.Repeat("a", 64*1024)}, nil),
		"an alias of 256":                                 putIf("attribute_exists(#"+strings.Repeat("a", 255)+")", map[string]string{"#" + strings.Repeat("a", 255): "a"}, nil),
		"a name of a value of 256":                        putIf("pk = :"+strings.Repeat("a", 255), nil, item{":" + strings.Repeat("a", 255): text("x")}),
		"an expression of more than 1 MB with its values": putIf("#a = :v OR #a = :w", a, values(1<<20-15)),
		"a value of half a megabyte twice":                putIf("#a = :v OR #a = :v", a, item{":v": text(strings.Repeat("x", 1<<19-9))}),
		"names and values of more than 2 MB":              putIf("#a = :v OR #a = :w", a, values(2<<20+1-len("#aa"))),
		"no bytes":                                        puts(with(at("p", "s"), "a", &types.AttributeValueMemberB{})),
		"no bytes in an expression":                       putIf("#a = :v", a, item{":v": &types.AttributeValueMemberB{}}),
		"a token of 37":                                   withToken(37),
		"a table name of two characters":                  putIn("ab"),
		"a table name of 256 characters":                  putIn(strings.Repeat("t", 256)),
		"a table name with a blank":                       putIn("a table"),
		"no table name in a transaction":                  transacts(types.TransactWriteItem{Put: &types.Put{TableName: aws.String("ab"), Item: at("p", "s")}}),
		"an empty update":                                 updates("", nil, nil),
		"an update without a clause":                      updates("#a = :v", a, v),
		"a clause twice":                                  updates("SET #a = :v SET #b = :v", ab, v),
		"a clause without an action":                      updates("SET #a = :v REMOVE", a, v),
		"a comma too many":                                updates("SET #a = :v,", a, v),
		"a path twice":                                    updates("SET #a = :v, #a = :v", a, v),
		"a path under two names":                          updates("SET #a = :v REMOVE #b", map[string]string{"#a": "a", "#b": "a"}, v),
		"a path within another":                           updates("SET #a = :v REMOVE #a.#b", ab, v),
		"a key that is set":                               updates("SET #a = :v", map[string]string{"#a": "sk"}, v),
		"a key that is removed":                           updates("REMOVE #a", map[string]string{"#a": "pk"}, nil),
		"an empty set that is set":                        updates("SET #a = :v", a, item{":v": set()}),
		"a path that leads nowhere":                       updates("SET #a.#b = :v", ab, v),
		"a removal that leads nowhere":                    updates("REMOVE #a.#b", ab, nil),
		"a path through a text":                           updates("SET #a.#b = :v", map[string]string{"#a": "text", "#b": "b"}, v),
		"an attribute that is not there":                  updates("SET #a = #b", ab, nil),
		"a sum of texts":                                  updates("SET #a = :v + :v", a, v),
		"a sum with a text of the item":                   updates("SET #a = #b + :v", map[string]string{"#a": "a", "#b": "text"}, item{":v": number("1")}),
		"a sum of three":                                  updates("SET #a = :v + :v + :v", a, item{":v": number("1")}),
		"a text that is added":                            updates("ADD #a :v", a, v),
		"a number added to a text":                        updates("ADD #a :v", map[string]string{"#a": "text"}, item{":v": number("1")}),
		"a number deleted":                                updates("DELETE #a :v", a, item{":v": number("1")}),
		"a set deleted from a text":                       updates("DELETE #a :v", map[string]string{"#a": "text"}, item{":v": set("x")}),
		"a path that is added":                            updates("ADD #a #b", ab, nil),
		"a condition in an update":                        updates("SET #a = attribute_exists(#b)", ab, nil),
		"a path that stands in for itself":                updates("SET #a = if_not_exists(#b, #b)", ab, nil),
		"an update that grows too large":                  updates("SET #a = :v", a, item{":v": text(strings.Repeat("x", 400*1024))}),
		"a query without a condition":                     queries("", nil, nil),
		"a query of everything":                           queries("#sk = :v", map[string]string{"#sk": "sk"}, v),
		"a query of many partitions":                      queries("#pk > :v", map[string]string{"#pk": "pk"}, v),
		"a query of one of two":                           queries("#pk = :v OR #sk = :v", key, v),
		"a query of what is no key":                       queries("#pk = :v AND #a = :v", map[string]string{"#pk": "pk", "#a": "a"}, v),
		"a query of other sort keys":                      queries("#pk = :v AND #sk <> :v", key, v),
		"a query of a number":                             queries("#pk = :v", map[string]string{"#pk": "pk"}, item{":v": number("1")}),
		"a query of an empty key":                         queries("#pk = :v", map[string]string{"#pk": "pk"}, item{":v": text("")}),
		"a query from an empty key":                       queries("#pk = :v AND #sk >= :w", key, item{":v": text("p"), ":w": text("")}),
		"a query that is upside down":                     queries("#pk = :v AND #sk BETWEEN :w AND :v", key, item{":v": text("p"), ":w": text("q")}),
		"a page of nothing":                               &dynamodb.QueryInput{TableName: aws.String(refusals), KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: v, Limit: aws.Int32(0)},
		"a start in another partition":                    &dynamodb.QueryInput{TableName: aws.String(refusals), KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: v, ExclusiveStartKey: at("p", "s")},
		"a start that is no key":                          &dynamodb.QueryInput{TableName: aws.String(refusals), KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: v, ExclusiveStartKey: item{"pk": text("x")}},
		"a transaction of nothing":                        transacts(),
		"a transaction of 101 writes":                     transacts(many(101)...),
		"a transaction that writes twice":                 transacts(putting(at("p", "s")), putting(at("p", "s"))),
		"a write of two kinds":                            transacts(types.TransactWriteItem{Put: putting(at("p", "s")).Put, Delete: &types.Delete{TableName: aws.String(refusals), Key: at("p", "s")}}),
		"a write of no kind":                              transacts(types.TransactWriteItem{}),
		"a check of nothing":                              transacts(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: aws.String(refusals), Key: at("p", "s")}}),
		"an empty set in a transaction":                   transacts(putting(with(at("p", "s"), "a", set()))),
		"a large item in a transaction":                   transacts(putting(with(at("p", "s"), "a", text(strings.Repeat("x", 400*1024))))),
		"a transaction of more than 4 MB":                 transacts(large(11)...),
		"ALL_NEW of a put":                                &dynamodb.PutItemInput{TableName: aws.String(refusals), Item: at("p", "s"), ReturnValues: types.ReturnValueAllNew},
		"ALL_NEW of a delete":                             &dynamodb.DeleteItemInput{TableName: aws.String(refusals), Key: at("p", "s"), ReturnValues: types.ReturnValueAllNew},
	}
	for _, e := range []engine{local, inMemory} {
		if out := outcome(t.Context(), e, puts(with(at("p", "there"), "text", text("x")))); out != "{}" {
			t.Fatal(out)
		}
	}
	for name, request := range cases {
		t.Run(name, func(t *testing.T) {
			want, got := outcome(t.Context(), local, request), outcome(t.Context(), inMemory, request)
			if got != want || got != "ValidationException" && got != "ResourceNotFoundException" {
				t.Errorf("memory: %s\n%s\nlocal:  %s\n%s", got, message(t.Context(), inMemory, request), want, message(t.Context(), local, request))
			}
		})
	}
	for name, request := range withinLimits() {
		t.Run(name, func(t *testing.T) {
			want, got := outcome(t.Context(), local, request), outcome(t.Context(), inMemory, request)
			if got != want || got == "ValidationException" {
				t.Errorf("memory: %.300s\nlocal:  %.300s", got, want)
			}
		})
	}
}

// withinLimits are requests that are just not refused.
func withinLimits() map[string]any {
	a, v := map[string]string{"#a": "a"}, item{":v": text("x")}
	return map[string]any{
		"150 comparisons with OR between":       putIf(repeat("#a = :v", " OR ", 150), a, v),
		"100 sizes with OR between":             putIf(repeat("size(#a) = :v", " OR ", 100), a, v),
		"75 comparisons of two sizes":           putIf(repeat("size(#a) = size(pk)", " OR ", 75), a, nil),
		"100 negations with AND between":        putIf(repeat("NOT pk = :v", " AND ", 100), nil, v),
		"299 negations of a comparison":         putIf(repeat("NOT", " ", 299)+" pk = :v", nil, v),
		"150 functions with AND between":        putIf(repeat("contains(#a, :v)", " AND ", 150), a, v),
		"146 absent attributes with OR between": putIf(repeat("attribute_not_exists(pk)", " OR ", 146), nil, nil),
		"150 paths of three with OR between":    putIf(repeat("#a.#a.#a = :v", " OR ", 150), a, v),
		"150 ranges with OR between":            putIf(repeat("pk BETWEEN :v AND :v", " OR ", 150), nil, v),
		"300 sums":                              updates(assignments(300, ":v+:v"), aliases(300), item{":v": number("1")}),
		"400 assignments":                       updates(assignments(400, ":v"), aliases(400), v),
		"a value in 31 maps":                    puts(with(at("p", "s"), "a", nested(31))),
		"a value in 31 maps that is set":        updates("SET #a = :v", a, item{":v": nested(31)}),
		"a value in 32 maps in an expression":   putIf("#a = :v", a, item{":v": nested(32)}),
		"a path of 32":                          putIf("attribute_exists("+repeat("#a", ".", 32)+")", a, nil),
		"an attribute with a long name":         puts(with(at("p", "s"), strings.Repeat("a", 64*1024-1), text("x"))),
		"an alias of 255":                       putIf("attribute_exists(#"+strings.Repeat("a", 254)+")", map[string]string{"#" + strings.Repeat("a", 254): "b"}, nil),
		"a name of a value of 255":              putIf("pk = :"+strings.Repeat("a", 254), nil, item{":" + strings.Repeat("a", 254): text("x")}),
		"an expression of 1 MB with its values": putIf("#a = :v OR #a = :w", a, values(1<<20-16)),
		"an empty binary":                       puts(with(at("p", "s"), "a", &types.AttributeValueMemberB{Value: []byte{}})),
		"a token of 36":                         withToken(36),
	}
}

func repeat(text, between string, n int) string { return text + strings.Repeat(between+text, n-1) }

// aliases are n attributes; assignments sets each of them.
func aliases(n int) map[string]string {
	names := map[string]string{}
	for i := range n {
		names[fmt.Sprintf("#%d", i)] = fmt.Sprintf("a%d", i)
	}
	return names
}

func assignments(n int, value string) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("#%d=%s", i, value))
	}
	return "SET " + strings.Join(list, ",")
}

// nested is a value in n maps.
func nested(n int) types.AttributeValue {
	v := text("x")
	for range n {
		v = object(item{"a": v})
	}
	return v
}

// values are :v and :w of so many bytes, with their names.
func values(bytes int) item {
	bytes -= len(":v:w")
	return item{":v": text(strings.Repeat("x", bytes/2)), ":w": text(strings.Repeat("x", bytes-bytes/2))}
}

func withToken(length int) *dynamodb.TransactWriteItemsInput {
	in := transacts(putting(at("p", "token")))
	in.ClientRequestToken = aws.String(strings.Repeat("t", length))
	return in
}

func putIn(table string) *dynamodb.PutItemInput {
	in := puts(at("p", "s"))
	in.TableName = &table
	return in
}

func many(n int) (list []types.TransactWriteItem) {
	for i := range n {
		list = append(list, putting(at("p", fmt.Sprintf("s%d", i))))
	}
	return list
}

// large are n puts of 390 KB each.
func large(n int) (list []types.TransactWriteItem) {
	for i := range n {
		list = append(list, putting(with(at("large", fmt.Sprintf("s%d", i)), "a", text(strings.Repeat("x", 390*1024)))))
	}
	return list
}
