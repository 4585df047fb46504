// Package function has what every Lambda function needs: its environment, log,
// metrics, clock, ids, and what functions send each other.
package function

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Env reads the variables that template.yaml gives a function, and reports all
// that are missing at once.
type Env struct{ missing []string }

// Need returns a variable that must be set.
func (e *Env) Need(name string) string {
	v := os.Getenv(name)
	if v == "" {
		e.missing = append(e.missing, name)
	}
	return v
}

// Stack returns the name of the deployment.
func (e *Env) Stack() Stack { return Stack(e.Need("STACK")) }

// Err names every variable that is missing.
func (e *Env) Err() error {
	if len(e.missing) == 0 {
		return nil
	}
	return fmt.Errorf("environment: %s not set", strings.Join(e.missing, ", "))
}

// AWS is the configuration of the SDK that Lambda gives a function: its region, and the
// credentials of its role, which are those of the environment for as long as it lives.
// AWS_ENDPOINT_URL leads to an emulator. The SDK's own loader looks for credentials in
// files, in the metadata of machines and at three services, all of which would be part
// of each function, half a megabyte.
func AWS() (aws.Config, error) {
	var env Env
	cfg := aws.Config{
		Region: env.Need("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			env.Need("AWS_ACCESS_KEY_ID"), env.Need("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	}
	if endpoint := os.Getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return cfg, env.Err()
}

// Clock is the system's clock.
type Clock struct{}

// Now returns the time in UTC.
func (Clock) Now() time.Time { return time.Now().UTC() }

// Sleep waits, or returns the context's error if that ends first.
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Every calls do at every interval, beside the others, until stop is called, which
// waits for a call under way.
func Every(interval time.Duration, do func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				do()
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

var idEncoding = base32.HexEncoding.WithPadding(base32.NoPadding)

// NewID makes an id of 26 characters: the time in milliseconds, so that ids sort
// by it, and 80 random bits.
func NewID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(time.Now().UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails
	return strings.ToLower(idEncoding.EncodeToString(b[:]))
}

// SubmitEvent is the input of the submit function: a tick, one connector, or one
// inquiry.
type SubmitEvent struct {
	Tick      bool   `json:"tick,omitempty"`
	Connector string `json:"connector,omitempty"`
	Inquiry   string `json:"inquiry,omitempty"`
}

// PatchEvent is the asynchronous input of the patch function.
type PatchEvent struct {
	Registry string `json:"registry"`
	Looks    bool   `json:"looks,omitempty"` // also for the tokens of direct batches
}

// Until is when the work of an invocation must be over: a little before Lambda
// ends it, so that leases are given back.
func Until(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(time.Hour)
	}
	return deadline.Add(-5 * time.Second)
}

// Must ends the process if there is an error, and logs them all.
func Must(log *slog.Logger, errs ...error) {
	if err := errors.Join(errs...); err != nil {
		log.Error("function cannot start", "fault", err.Error())
		os.Exit(1)
	}
}
