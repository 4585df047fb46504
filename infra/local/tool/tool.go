// Package tool brings the programs of other people that the local stack needs,
// and runs them so that they end with the one that started them.
package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/template"
)

// Fetch brings what infra/tools/fetch knows under these names into the cache
// and does nothing for what is there. What it says while it works goes to
// progress, which may be nil. Of a missing program the error is one sentence
// that says what to install.
func Fetch(ctx context.Context, progress io.Writer, names ...string) error {
	root, err := template.Root()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	var out io.Writer = &said
	if progress != nil {
		out = io.MultiWriter(&said, progress)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "infra", "tools", "fetch"), names...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(said.String()); text != "" && ctx.Err() == nil {
			return errors.New(text)
		}
		return fmt.Errorf("infra/tools/fetch: %w", err)
	}
	return nil
}

// Process is a program that runs beside this one, with all that it starts
// itself, in a process group of its own.
type Process struct {
	cmd   *exec.Cmd
	hold  io.Closer
	dir   string
	ended chan struct{}
}

// The keeper of a process group. It reads a pipe that only we hold open, so
// however we end, also by SIGKILL, it comes to the end of it, removes the
// program's folder and kills the group: the program, what that started, and
// itself. A signal sent by the system on a parent's death would reach the
// program only, and would come already when the thread that started it ends.
const keeper = `dir=$1; shift; ("$@" </dev/null; kill -KILL 0) & read -r _; rm -rf "$dir"; kill -KILL 0`

// Start starts a program with these arguments and this environment in a folder
// of its own, which is removed with it. Its output goes to the file log there.
// It ends by Stop, or with us.
func Start(dir string, env []string, program string, args ...string) (*Process, error) {
	p, err := start(dir, env, program, args)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(program), err)
	}
	return p, nil
}

func start(dir string, env []string, program string, args []string) (*Process, error) {
	program, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the program has its own copy
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = read.Close() }()

	cmd := exec.Command("/bin/sh", append([]string{"-c", keeper, "keeper", dir, program}, args...)...)
	cmd.Env, cmd.Dir = env, dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = write.Close()
		return nil, err
	}
	p := &Process{cmd: cmd, hold: write, dir: dir, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // always killed; what went wrong is in the log
		close(p.ended)
	}()
	return p, nil
}

// Group is the id of the process group that the program and its children are in.
func (p *Process) Group() int { return p.cmd.Process.Pid }

// Stop kills the program and everything that it started, and removes its folder.
func (p *Process) Stop() {
	_ = p.hold.Close()
	<-p.ended
	_ = os.RemoveAll(p.dir) // the keeper of a program that died by itself had no time to
}

// Ready waits until the probe succeeds. It fails when the program ends before,
// or when it takes longer than the limit, with the end of the program's log.
func (p *Process) Ready(ctx context.Context, limit time.Duration, probe func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if probe(ctx) {
			// A program that could not have its port must not be taken for the
			// one that has it.
			select {
			case <-p.ended:
			default:
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("ended before it was ready; it said:\n%s", p.tail())
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w; it said:\n%s", ctx.Err(), p.tail())
		case <-tick.C:
		}
	}
}

// tail is the end of the log.
func (p *Process) tail() []byte {
	const most = 4 << 10
	text, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-most):]
}

// Port is a loopback port that was free a moment ago, for a program that must
// be told its port.
func Port() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Thrice starts a server, and starts it again if that fails, up to three times:
// a port that was free a moment ago may be taken by now.
func Thrice[T any](ctx context.Context, start func(context.Context) (T, error)) (server T, err error) {
	for range 3 {
		if server, err = start(ctx); err == nil || ctx.Err() != nil {
			return server, err
		}
	}
	return server, err
}
