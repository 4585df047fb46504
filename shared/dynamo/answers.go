package dynamo

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// Inbox implements seeding.AnswerInbox. It is apart from Store because the
// public function may do this one call and nothing else.
type Inbox struct {
	client  Putter
	answers string
}

// Putter is all that the inbox calls of *dynamodb.Client.
type Putter interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
}

// NewInbox returns the inbox on the answers table, given by name.
func NewInbox(client Putter, answersTable string) *Inbox {
	return &Inbox{client: client, answers: answersTable}
}

// PutPart implements seeding.AnswerInbox. The key holds the hash of the rows,
// so what is there under this key is this part.
func (i *Inbox) PutPart(ctx context.Context, part seeding.AnswerPart) error {
	it := lean(item{
		"connector": text(part.Ref.Connector), "run": text(part.Ref.Run),
		"received": instant(part.Received), "rows": binary(part.Packed),
		"expires": number(part.Expires.Unix()), // TTL wants seconds
	})
	c := change{key: answerKey(part), item: it, when: "attribute_not_exists(#pk)"}
	err := steadily(ctx, func() error {
		_, err := i.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &i.answers, Item: c.full(),
			ConditionExpression: &c.when, ExpressionAttributeNames: c.names(),
		})
		return err
	})
	if _, there := errors.AsType[*types.ConditionalCheckFailedException](err); there {
		return nil
	}
	return translate("put answer", err)
}

// NextAnswer implements seeding.Answers.
func (s *Store) NextAnswer(ctx context.Context, registry, after string) (ref seeding.BatchRef, found bool, err error) {
	sp := span{table: s.answers, pk: registry, limit: 1}
	if after != "" {
		sp.from = afterAll(after)
	}
	err = s.each(ctx, sp, func(it item) (bool, error) {
		part, err := decodePart(it, registry)
		ref, found = part.Ref, true
		return false, err
	})
	return ref, found && err == nil, err
}

// HasAnswer implements seeding.Answers.
func (s *Store) HasAnswer(ctx context.Context, registry, batch string) (found bool, err error) {
	sp := partsOf(s.answers, registry, batch)
	sp.limit = 1
	err = s.each(ctx, sp, func(item) (bool, error) {
		found = true
		return false, nil
	})
	return found, err
}

// AnswerParts implements seeding.Answers.
func (s *Store) AnswerParts(ctx context.Context, registry, batch string) ([]seeding.AnswerPart, error) {
	return all(ctx, s, partsOf(s.answers, registry, batch), func(it item) (seeding.AnswerPart, error) {
		return decodePart(it, registry)
	})
}

// DeleteParts implements seeding.Answers. It needs no condition: what stands
// under the key of a part never changes.
func (s *Store) DeleteParts(ctx context.Context, parts []seeding.AnswerPart) error {
	return parallel(ctx, parts, func(ctx context.Context, part seeding.AnswerPart) error {
		return translate("delete answer", steadily(ctx, func() error {
			_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: aws.String(s.answers), Key: answerKey(part).item(),
			})
			return err
		}))
	})
}

func partsOf(table, registry, batch string) span {
	return span{table: table, pk: registry, from: batch + "#", to: afterAll(batch)}
}

func decodePart(it item, registry string) (seeding.AnswerPart, error) {
	r := &reader{item: it}
	part := seeding.AnswerPart{
		Ref:      seeding.BatchRef{Registry: registry, Connector: r.text("connector"), Run: r.text("run")},
		Received: r.instant("received"),
		Packed:   r.binary("rows"),
	}
	if seconds := r.number("expires"); seconds != 0 {
		part.Expires = time.Unix(seconds, 0).UTC()
	}
	names, ok := parseSort(sortKey(it), 4)
	if !ok {
		r.damaged("sk")
		return decoded(r, part)
	}
	number, err1 := strconv.Atoi(names[2])
	of, err2 := strconv.Atoi(names[3])
	if err1 != nil || err2 != nil {
		r.damaged("sk")
	}
	part.Ref.Batch, part.Content, part.Part, part.Of = names[0], names[1], number, of
	return decoded(r, part)
}
