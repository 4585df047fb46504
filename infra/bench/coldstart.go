package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/local/dynamolocal"
	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
)

// starts is how often each function is started; the median counts.
const starts = 20

// warming is how many queries DynamoDB Local is asked before. Its first 250 took
// 5.2 ms each and those after 1,250 took 1.0 ms, because Java compiles what is used
// often. That is no part of a function's start, and DynamoDB itself has none of it.
const warming = 1_500

// binary is a built function.
type binary struct {
	name   string
	zipped int // bytes
	path   string
	event  string // one to which it replies at once
	reply  string // what its reply must contain
	took   []time.Duration

	variables []string              // that the template gives it, by name
	look      func(*exec.Cmd) error // reads from the process after its reply
}

// median from the start of the process to its first reply.
func (b *binary) median() time.Duration {
	slices.Sort(b.took)
	return (b.took[(len(b.took)-1)/2] + b.took[len(b.took)/2]) / 2
}

const hello = "hello"

// firstEvents are events that cause no remote call, or, for functions that begin
// with a query, one query of an empty table.
var firstEvents = map[string]struct{ event, reply string }{
	hello:        {`{}`, `"hello"`},
	"callback":   {httpEvent("POST", "/callback/none"), `"statusCode":401`},
	"console":    {httpEvent("GET", "/console"), `content-security-policy`},
	"connectors": {httpEvent("GET", "/nothing"), `"statusCode":404`},
	"patch":      {`{"Records":[]}`, `null`},
	"submit":     {`{"tick":true}`, `null`},
	"reconcile":  {`{"tick":true}`, `null`},
}

func httpEvent(method, path string) string {
	return fmt.Sprintf(`{"version":"2.0","routeKey":"%[1]s %[2]s","rawPath":"%[2]s","rawQueryString":"","headers":{"accept":"*/*"},`+
		`"requestContext":{"accountId":"123456789012","apiId":"a","domainName":"example.org","http":{"method":"%[1]s","path":"%[2]s",`+
		`"protocol":"HTTP/1.1","sourceIp":"192.0.2.1","userAgent":"bench"},"requestId":"1","routeKey":"%[1]s %[2]s","stage":"$default"},`+
		`"isBase64Encoded":false}`, method, path)
}

// build makes the packages of all functions, and of hello with the same flags,
// and writes their binaries to dir.
func build(ctx context.Context, dir string) ([]*binary, error) {
	root, err := template.Root()
	if err != nil {
		return nil, err
	}
	resources, err := template.Variables()
	if err != nil {
		return nil, err
	}
	variables := map[string][]string{}
	for resource, names := range resources {
		variables[strings.ToLower(resource)] = names
	}
	var list []*binary
	for _, from := range []string{filepath.Join(root, "infra", "bench"), filepath.Join(root, "functions")} {
		packages, err := local.BuildFunctions(ctx, from)
		if err != nil {
			return nil, err
		}
		for name, zipped := range packages {
			first, known := firstEvents[name]
			if !known {
				return nil, fmt.Errorf("no event is known to which the function %s replies at once", name)
			}
			b := &binary{
				name: name, zipped: len(zipped), path: filepath.Join(dir, name), event: first.event, reply: first.reply, variables: variables[name],
			}
			if err := unpack(zipped, b.path); err != nil {
				return nil, err
			}
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b *binary) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

func unpack(zipped []byte, path string) error {
	archive, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil {
		return err
	}
	file, err := archive.Open("bootstrap")
	if err != nil {
		return err
	}
	code, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	return os.WriteFile(path, code, 0o700)
}

// coldStarts starts all functions in turn, so that other work on the machine
// affects them equally. The first round fills the machine's caches and does not
// count.
func coldStarts(ctx context.Context, db *dynamolocal.Server, list []*binary) error {
	tables, err := inprocess.CreateTables(ctx, db.Client())
	if err != nil {
		return err
	}
	defer tables.Drop(ctx, db.Client())
	store := seedingdb.New(db.Client(), tables.Connectors, tables.Answers)
	for range warming {
		if _, err := store.States(ctx); err != nil { // what submit begins with
			return err
		}
	}
	for round := range starts + 1 {
		for _, b := range list {
			took, err := b.start(ctx, db.Endpoint(), tables)
			if err != nil {
				return fmt.Errorf("cold start of %s: %w", b.name, err)
			}
			if round > 0 {
				b.took = append(b.took, took)
			}
		}
	}
	return nil
}

// deployed is the environment that the template gives the function, as far as it is
// not empty by default.
func (b *binary) deployed(tables inprocess.Tables) (environment []string) {
	values := map[string]string{
		"CONNECTORS_TABLE": tables.Connectors, "ANSWERS_TABLE": tables.Answers, "CAPABILITY_KEY": "capability", "CALLBACK_BASE": "https://example.org",
		"ALLOWED_RANGES": "", "ALLOWED_HOSTS": "", "CERTIFICATE_AUTHORITIES": "", "TIMES": "",
	}
	for _, name := range b.variables {
		value, known := values[name]
		if !known {
			value = "bench"
		}
		environment = append(environment, name+"="+value)
	}
	return environment
}

// start runs the function once behind a bare Runtime API: one event, and then
// nothing more. It returns the time from the start of the process to the reply.
func (b *binary) start(ctx context.Context, endpoint string, tables inprocess.Tables) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	type reply struct {
		at   time.Time
		path string
		body []byte
	}
	replies := make(chan reply, 10)
	var given atomic.Bool
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		const base = "/2018-06-01/runtime/invocation/"
		switch {
		case r.URL.Path != base+"next":
			body, _ := io.ReadAll(r.Body)
			replies <- reply{at, strings.TrimPrefix(r.URL.Path, base), body}
			w.WriteHeader(http.StatusAccepted)
		case given.Swap(true):
			<-r.Context().Done()
		default:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(at.Add(10*time.Second).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:"+b.name)
			_, _ = io.WriteString(w, b.event)
		}
	}))
	defer api.Close()

	function := exec.CommandContext(ctx, b.path)
	function.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=" + b.name,
		"_HANDLER=bootstrap", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_ENDPOINT_URL=" + endpoint,
	}, b.deployed(tables)...)
	var said bytes.Buffer // why it ended, if it did
	function.Stdout, function.Stderr = &said, &said
	started := time.Now()
	if err := function.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = function.Wait()
	}()
	defer func() {
		_ = function.Process.Kill()
		<-ended
	}()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-ended:
		return 0, fmt.Errorf("it ended before it replied: %s", said.Bytes())
	case r := <-replies:
		if r.path != "1/response" || !bytes.Contains(r.body, []byte(b.reply)) {
			return 0, fmt.Errorf("it replied to %s: %s", r.path, r.body)
		}
		if b.look != nil {
			return r.at.Sub(started), b.look(function)
		}
		return r.at.Sub(started), nil
	}
}
