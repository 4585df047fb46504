package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// SDK returns the SDK's own client on this DynamoDB, with the SDK's retries and
// options. An HTTPClient around the one in its options can lose requests and
// replies, or reply instead of DynamoDB.
func (c *Client) SDK() *dynamodb.Client {
	t := &transport{client: c}
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://memory.invalid"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: t, APIOptions: []func(*middleware.Stack) error{t.install},
	})
}

// transport carries requests and replies between an SDK client and a Client. It
// sends only the number of the call, not its contents.
type transport struct {
	client   *Client
	calls    atomic.Int64
	requests sync.Map // by number of the call
	replies  sync.Map
}

const callHeader = "X-Memory-Call"

// install replaces the SDK's writing of requests and reading of replies.
func (t *transport) install(stack *middleware.Stack) error {
	if _, err := stack.Serialize.Swap("OperationSerializer", middleware.SerializeMiddlewareFunc("OperationSerializer", t.send)); err != nil {
		return err
	}
	read, ok := stack.Deserialize.Get("OperationDeserializer")
	if !ok {
		return errors.New("memory: this SDK reads its replies elsewhere")
	}
	_, err := stack.Deserialize.Swap("OperationDeserializer", middleware.DeserializeMiddlewareFunc("OperationDeserializer",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return t.receive(ctx, in, next, read)
		}))
	return err
}

func (t *transport) send(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("memory: a request of type %T", in.Request)
	}
	call := strconv.FormatInt(t.calls.Add(1), 10)
	t.requests.Store(call, in.Parameters)
	request.Method = http.MethodPost
	request.Header.Set(callHeader, call)
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+middleware.GetOperationName(ctx))
	return next.HandleSerialize(ctx, in)
}

// receive returns the reply to a call; read decodes the replies of others.
func (t *transport) receive(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler, read middleware.DeserializeMiddleware) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if !ok || err != nil {
		return out, metadata, err
	}
	stored, ok := t.replies.LoadAndDelete(response.Header.Get(callHeader))
	if !ok {
		received := middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return out, metadata, nil
		})
		return read.HandleDeserialize(ctx, in, received)
	}
	reply := stored.(reply)
	if reply.err == nil {
		out.Result = reply.out
	}
	return out, metadata, reply.err
}

// Do implements dynamodb.HTTPClient.
func (t *transport) Do(request *http.Request) (*http.Response, error) {
	call := request.Header.Get(callHeader)
	in, _ := t.requests.Load(call)
	out, err := t.client.reply(request.Context(), in)
	if ended := request.Context().Err(); ended != nil {
		return nil, ended
	}
	t.replies.Store(call, reply{out, err})
	status := http.StatusOK
	if err != nil {
		status = http.StatusBadRequest
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
		Header: http.Header{callHeader: {call}}, Body: io.NopCloser(strings.NewReader("")),
	}, nil
}

type reply struct {
	out any
	err error
}

func (c *Client) reply(ctx context.Context, in any) (any, error) {
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		return c.GetItem(ctx, in)
	case *dynamodb.QueryInput:
		return c.Query(ctx, in)
	case *dynamodb.PutItemInput:
		return c.PutItem(ctx, in)
	case *dynamodb.UpdateItemInput:
		return c.UpdateItem(ctx, in)
	case *dynamodb.DeleteItemInput:
		return c.DeleteItem(ctx, in)
	case *dynamodb.TransactWriteItemsInput:
		return c.TransactWriteItems(ctx, in)
	}
	return nil, invalid("this DynamoDB has no request %T", in)
}
