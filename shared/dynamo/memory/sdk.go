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

// SDK is the SDK's own client on this DynamoDB, with the SDK's retries and its
// options. An HTTPClient that is put before the one of its options can lose
// requests and replies, and answer in the place of DynamoDB.
func (c *Client) SDK() *dynamodb.Client {
	w := &wire{client: c}
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://memory.invalid"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: w, APIOptions: []func(*middleware.Stack) error{w.install},
	})
}

// wire carries requests and replies between an SDK client and a Client: not their
// text, which is the SDK's affair, but the number of the call.
type wire struct {
	client   *Client
	calls    atomic.Int64
	requests sync.Map // by number of the call
	replies  sync.Map
}

const callHeader = "X-Memory-Call"

// install puts the wire where the SDK writes requests and reads replies.
func (w *wire) install(stack *middleware.Stack) error {
	if _, err := stack.Serialize.Swap("OperationSerializer", middleware.SerializeMiddlewareFunc("OperationSerializer", w.send)); err != nil {
		return err
	}
	read, ok := stack.Deserialize.Get("OperationDeserializer")
	if !ok {
		return errors.New("memory: this SDK reads its replies elsewhere")
	}
	_, err := stack.Deserialize.Swap("OperationDeserializer", middleware.DeserializeMiddlewareFunc("OperationDeserializer",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return w.receive(ctx, in, next, read)
		}))
	return err
}

func (w *wire) send(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("memory: a request of type %T", in.Request)
	}
	call := strconv.FormatInt(w.calls.Add(1), 10)
	w.requests.Store(call, in.Parameters)
	request.Method = http.MethodPost
	request.Header.Set(callHeader, call)
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+middleware.GetOperationName(ctx))
	return next.HandleSerialize(ctx, in)
}

// receive hands out the reply to a call; read is for the replies of others.
func (w *wire) receive(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler, read middleware.DeserializeMiddleware) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if !ok || err != nil {
		return out, metadata, err
	}
	answered, ok := w.replies.LoadAndDelete(response.Header.Get(callHeader))
	if !ok {
		came := middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return out, metadata, nil
		})
		return read.HandleDeserialize(ctx, in, came)
	}
	reply := answered.(reply)
	if reply.err == nil {
		out.Result = reply.out
	}
	return out, metadata, reply.err
}

// Do implements dynamodb.HTTPClient.
func (w *wire) Do(request *http.Request) (*http.Response, error) {
	call := request.Header.Get(callHeader)
	in, _ := w.requests.Load(call)
	out, err := w.client.answer(request.Context(), in)
	if ended := request.Context().Err(); ended != nil {
		return nil, ended
	}
	w.replies.Store(call, reply{out, err})
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

func (c *Client) answer(ctx context.Context, in any) (any, error) {
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
	return nil, invalid("this DynamoDB knows no request %T", in)
}
