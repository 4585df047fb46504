package dynamotest

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// WithoutPauses makes a client repeat failed calls at once.
func WithoutPauses(o *dynamodb.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}

// LostReply loses the reply to the first write of a client; the write takes
// effect. The client then repeats it.
type LostReply struct{ lost atomic.Bool }

// Options makes a client lose the reply.
func (l *LostReply) Options(o *dynamodb.Options) {
	o.HTTPClient = &losing{HTTPClient: o.HTTPClient, lost: &l.lost}
}

// Lost reports whether a reply was lost.
func (l *LostReply) Lost() bool { return l.lost.Load() }

type losing struct {
	dynamodb.HTTPClient
	lost *atomic.Bool
}

func (l *losing) Do(request *http.Request) (*http.Response, error) {
	response, err := l.HTTPClient.Do(request)
	reading := isOperation(request, "GetItem") || isOperation(request, "Query")
	if err != nil || reading || l.lost.Swap(true) {
		return response, err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return nil, &connectionReset{}
}

type connectionReset struct{}

func (*connectionReset) Error() string   { return "connection reset by peer" }
func (*connectionReset) Timeout() bool   { return true }
func (*connectionReset) Temporary() bool { return true }

// Before calls do before the first request of an operation, for instance
// "UpdateItem": between a caller's read and its write.
func Before(operation string, do func()) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.HTTPClient = &interrupted{HTTPClient: o.HTTPClient, operation: operation, do: do}
	}
}

type interrupted struct {
	dynamodb.HTTPClient
	operation string
	do        func()
	once      sync.Once
}

func (i *interrupted) Do(request *http.Request) (*http.Response, error) {
	if isOperation(request, i.operation) {
		i.once.Do(i.do)
	}
	return i.HTTPClient.Do(request)
}

func isOperation(request *http.Request, operation string) bool {
	return strings.HasSuffix(request.Header.Get("X-Amz-Target"), "."+operation)
}
