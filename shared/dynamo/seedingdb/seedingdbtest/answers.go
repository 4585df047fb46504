package seedingdbtest

import (
	"bytes"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

func (s *suite) part(batch, content string, part, of int) seeding.AnswerPart {
	return seeding.AnswerPart{
		Ref:     seeding.BatchRef{Registry: s.id("registry"), Connector: "c", Run: "r", Batch: batch},
		Content: content, Part: part, Of: of,
		Received: t0, Expires: time.Unix(1_800_000_000, 0).UTC(), Packed: []byte(content),
	}
}

func (s *suite) answers() {
	registry := s.id("registry")
	put := func(parts ...seeding.AnswerPart) {
		s.Helper()
		for _, part := range parts {
			s.ok(s.inbox.PutPart(s.ctx, part), "put")
		}
	}
	batches := func() (names []string) {
		s.Helper()
		for after := ""; ; after = names[len(names)-1] {
			ref, found, err := s.store.NextAnswer(s.ctx, registry, after)
			s.ok(err, "next")
			if !found {
				return names
			}
			s.same(ref, seeding.BatchRef{Registry: registry, Connector: "c", Run: "r", Batch: ref.Batch}, "batch of an answer")
			names = append(names, ref.Batch)
		}
	}
	s.same(batches(), []string(nil), "batches with answers before any")

	first := s.part("b1", "hash", 1, 12)
	put(first)
	repeat := first
	repeat.Received = after(time.Hour)
	put(repeat)
	got, more, err := s.store.AnswerParts(s.ctx, registry, "b1", "")
	s.ok(err, "parts")
	s.same(got, []seeding.AnswerPart{first}, "a part put twice")
	s.same(more, false, "another answer")

	raw, err := s.tables.Client.Query(s.ctx, &dynamodb.QueryInput{
		TableName: &s.tables.Answers, KeyConditionExpression: aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: registry}},
		ConsistentRead:            aws.Bool(true),
	})
	s.ok(err, "query")
	expires, ok := raw.Items[0]["expires"].(*types.AttributeValueMemberN)
	if !ok || expires.Value != strconv.Itoa(1_800_000_000) {
		s.Errorf("expires is %#v, not Unix seconds", raw.Items[0]["expires"])
	}

	want := []seeding.AnswerPart{first}
	for part := range 11 {
		p := s.part("b1", "hash", part+2, 12)
		want = append(want, p)
	}
	put(want[8:]...)
	put(want[1:8]...)
	put(s.part("b10", "h", 1, 1), s.part("b0", "h", 1, 1), s.part("b2", "h", 1, 1), s.part("b2", "g", 1, 1))
	got, more, err = s.store.AnswerParts(s.ctx, registry, "b1", "")
	s.ok(err, "parts")
	s.same(got, want, "parts in order")
	s.same(more, false, "another answer to the batch")
	var contents []string
	for after, more := "", true; more; after = contents[len(contents)-1] {
		got, more, err = s.store.AnswerParts(s.ctx, registry, "b2", after)
		s.ok(err, "parts")
		s.same(len(got), 1, "parts of one answer")
		contents = append(contents, got[0].Content)
	}
	s.same(contents, []string{"g", "h"}, "answers to a batch, one by one")
	got, more, err = s.store.AnswerParts(s.ctx, registry, "b2", "h")
	s.ok(err, "parts")
	s.same(len(got), 0, "answers behind the last")
	s.same(more, false, "another behind the last")
	s.same(batches(), []string{"b0", "b1", "b10", "b2"}, "batches with answers")

	s.ok(s.store.DeleteParts(s.ctx, want), "delete")
	s.ok(s.store.DeleteParts(s.ctx, want), "delete again")
	for batch, want := range map[string]bool{"b1": false, "b10": true, "b": false, "b2": true} {
		has, err := s.store.HasAnswer(s.ctx, registry, batch)
		s.ok(err, "has")
		s.same(has, want, "answer of "+batch)
	}
	s.same(batches(), []string{"b0", "b10", "b2"}, "batches with answers")
	has, err := s.store.HasAnswer(s.ctx, s.id("nobody"), "b2")
	s.ok(err, "has")
	s.same(has, false, "answer for another registry")
}

// bigAnswers: one answer of several parts that fill DynamoDB's pages of 1 MB.
func (s *suite) bigAnswers() {
	registry := s.id("registry")
	var want []seeding.AnswerPart
	for part := range 4 {
		p := s.part("b", "hash", part+1, 4)
		p.Packed = bytes.Repeat([]byte{byte(part & 0xff)}, 390_000)
		want = append(want, p)
		s.ok(s.inbox.PutPart(s.ctx, p), "put")
	}
	got, more, err := s.store.AnswerParts(s.ctx, registry, "b", "")
	s.ok(err, "parts")
	s.same(got, want, "parts of 1.5 MB")
	s.same(more, false, "another answer behind 1.5 MB")
	too := s.part("b", "hash", 5, 5)
	too.Packed = bytes.Repeat([]byte{1}, 410_000)
	if s.inbox.PutPart(s.ctx, too) == nil {
		s.Error("a part that DynamoDB cannot hold was a success")
	}
}
