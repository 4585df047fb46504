// Package programs runs the simulators as programs of their own.
package programs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/local/tool"
	"openg2p.org/mts-connector/infra/template"
)

// Simulator is a running program of infra/simulators/cmd.
type Simulator struct {
	Address string
	process *tool.Process
}

// Start builds a simulator into a folder of its own, starts it there
// and waits until it prints its address. It ends with this process.
func Start(ctx context.Context, name string, args ...string) (*Simulator, error) {
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		return nil, err
	}
	program := filepath.Join(dir, name)
	if err := build(ctx, program, "./infra/simulators/cmd/"+name); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	process, err := tool.Start(dir, []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir}, program, args...)
	if err != nil {
		return nil, err
	}
	s := &Simulator{process: process}
	err = process.Ready(ctx, 5*time.Minute, func(context.Context) bool {
		s.Address = listening(filepath.Join(dir, "log"))
		return s.Address != ""
	})
	if err != nil {
		process.Stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Stop ends it; nil is one that was never started.
func (s *Simulator) Stop() {
	if s != nil {
		s.process.Stop()
	}
}

func build(ctx context.Context, program, source string) error {
	root, err := template.Root()
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, source)
	command.Dir, command.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", source, err, bytes.TrimSpace(output))
	}
	return nil
}

// listening finds the address in the log of a simulator; "" if it is not there yet.
func listening(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if address, found := strings.CutPrefix(line, "listening "); found && strings.HasSuffix(address, "\n") {
			return strings.TrimSpace(address)
		}
	}
	return ""
}
