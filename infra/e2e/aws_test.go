package e2e_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// deployer is what clients of the one who deploys are made of.
func deployer() aws.Config {
	config := stack.AWS()
	config.HTTPClient = patient{&http.Client{Transport: &http.Transport{IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 32}}}
	return config
}

// patient sends a copy of every body. The SDK closes a body as soon as there is
// an answer. The emulator is so near that this may be before the transport has
// seen the body's end, and then it drops the connection and the answer with it.
type patient struct{ client *http.Client }

func (p patient) Do(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	return p.client.Do(request)
}

// logs are all lines of all logs. They are asked for again where the same
// befalls a client that is not ours.
func logs(ctx context.Context) (lines []string, err error) {
	for range 5 {
		if lines, err = stack.Logs(ctx); err == nil {
			break
		}
	}
	return lines, err
}
