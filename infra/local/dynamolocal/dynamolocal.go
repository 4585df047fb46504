// Package dynamolocal runs DynamoDB Local, AWS's own, for tests that need
// exact conditions and units.
package dynamolocal

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/local/tool"
	"openg2p.org/mts-connector/infra/template"
)

// Server is a DynamoDB Local in memory, about 290 MB. It listens on all
// interfaces: it has no option for that.
type Server struct {
	process  *tool.Process
	endpoint string
}

// Shared is the server of this process, started by the first call. It ends
// with the process. Tests that share it use table names of their own.
var Shared = sync.OnceValues(func() (*Server, error) {
	return Start(context.Background())
})

// Start starts a server on a free port and waits until it answers, 1.4 s if
// its jars are in the cache.
func Start(ctx context.Context) (*Server, error) {
	if err := tool.Fetch(ctx, nil, "dynamodb-local"); err != nil {
		return nil, err
	}
	return tool.UpToThreeTimes(ctx, start)
}

func start(ctx context.Context) (*Server, error) {
	root, err := template.Root()
	if err != nil {
		return nil, err
	}
	port, err := tool.Port()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dynamodb-local-")
	if err != nil {
		return nil, err
	}
	// The second compiler costs more in the minutes of a test than it gains.
	process, err := tool.Start(dir, os.Environ(), "java",
		"-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData",
		"-Djava.io.tmpdir="+dir, // where it unpacks its native library
		"-cp", filepath.Join(root, ".cache", "dynamodb-local", "*"),
		"software.amazon.dynamodb.services.local.main.ServerRunner",
		"-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	s := &Server{process: process, endpoint: "http://127.0.0.1:" + strconv.Itoa(port)}
	if err := process.Ready(ctx, 5*time.Minute, s.answers); err != nil {
		s.Stop()
		return nil, fmt.Errorf("DynamoDB Local: %w", err)
	}
	return s, nil
}

// answers is whether anything comes back; an unsigned request gets a 400.
func (s *Server) answers(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}

// Endpoint is the server's address.
func (s *Server) Endpoint() string { return s.endpoint }

// Client is a new client of the server.
func (s *Server) Client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(s.endpoint),
		// DynamoDB Local takes letters and digits only.
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		// Its checksums of refusals are wrong; the SDK would warn at each.
		DisableValidateResponseChecksum: true,
	})
}

// Stop ends the server; what it holds is gone.
func (s *Server) Stop() { s.process.Stop() }
