package local

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"openg2p.org/mts-connector/infra/local/tool"
	"openg2p.org/mts-connector/infra/template"
)

const region = "us-east-1"

// Emulator is a running MiniStack, an emulator of AWS, on loopback. It holds
// everything in memory and ends with the process that started it.
type Emulator struct {
	process  *tool.Process
	endpoint string
	notes    string // the file that lists the rights that were used
}

//go:embed emulator.py
var notingRights string

// EnsureMiniStack fetches MiniStack into the cache, with all its dependencies
// pinned by hash; that takes 20 s if it is not there. Its output goes to
// progress, which may be nil.
func EnsureMiniStack(ctx context.Context, progress io.Writer) error {
	return tool.Fetch(ctx, progress, "ministack")
}

// StartEmulator starts MiniStack, which must be in the cache, on a free port,
// with the rights of roles enforced, and waits until it answers.
func StartEmulator(ctx context.Context) (*Emulator, error) {
	return tool.UpToThreeTimes(ctx, startEmulator)
}

func startEmulator(ctx context.Context) (*Emulator, error) {
	root, err := template.Root()
	if err != nil {
		return nil, err
	}
	port, err := tool.Port()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ministack-")
	if err != nil {
		return nil, err
	}
	e := &Emulator{endpoint: "http://127.0.0.1:" + strconv.Itoa(port), notes: filepath.Join(dir, "rights")}
	// Functions inherit the emulator's environment, so it contains nothing of
	// this process's.
	e.process, err = tool.Start(dir, []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"HOME=" + dir,
		"TMPDIR=" + dir,
		"STATE_DIR=" + dir, // some keys are written here, whatever the settings
		"LANG=C.UTF-8",
		"AUTH=true",
		"BIND_HOST=127.0.0.1",
		"GATEWAY_PORT=" + strconv.Itoa(port),
		"IOT_MTLS_ENABLED=0", // it would listen on all interfaces
		"MINISTACK_REGION=" + region,
		"AWS_ENDPOINT_URL=" + e.endpoint,
	}, filepath.Join(root, ".cache", "venv-ministack", "bin", "python"), "-c", notingRights, e.notes)
	if err != nil {
		return nil, err
	}
	if err := e.process.Ready(ctx, 5*time.Minute, e.healthy); err != nil {
		e.Stop()
		return nil, fmt.Errorf("MiniStack: %w", err)
	}
	return e, nil
}

func (e *Emulator) healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.endpoint+"/_ministack/health", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// AWS is what any client of the SDK needs to reach the emulator with the rights
// of whoever deploys, which are all. (For S3, set UsePathStyle too.)
func (e *Emulator) AWS() aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(e.endpoint),
		HTTPClient:   bodyCopier{&http.Client{Transport: &http.Transport{IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 32}}},
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		// A test must see a call that fails, and must not have a call repeated
		// that it made once.
		RetryMaxAttempts: 1,
	}
}

// Stop ends the emulator with all its functions; its data is gone.
func (e *Emulator) Stop() { e.process.Stop() }

// bodyCopier sends a copy of every body. The SDK closes a body as soon as there
// is an answer. The emulator answers so fast that this may be before the
// transport has seen the end of the body, and then the transport drops the
// connection and the answer with it. Idle connections are closed before the
// emulator closes them after 75 s, because no call is repeated.
type bodyCopier struct{ client *http.Client }

func (c bodyCopier) Do(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	return c.client.Do(request)
}
