// Package tool fetches the third-party programs that the local stack needs, and
// runs programs so that they end with the process that started them.
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

// Fetch fetches the programs that infra/tools/fetch knows by these names into
// the cache, unless they are there. Its output goes to progress, which may be
// nil. If a program is missing on this machine, the error is one sentence that
// says what to install.
func Fetch(ctx context.Context, progress io.Writer, names ...string) error {
	root, err := template.Root()
	if err != nil {
		return err
	}
	var output bytes.Buffer
	var out io.Writer = &output
	if progress != nil {
		out = io.MultiWriter(&output, progress)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "infra", "tools", "fetch"), names...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(output.String()); text != "" && ctx.Err() == nil {
			return errors.New(text)
		}
		return fmt.Errorf("infra/tools/fetch: %w", err)
	}
	return nil
}

// Process is a program that runs beside this one, in a process group of its own
// with everything that it starts.
type Process struct {
	cmd   *exec.Cmd
	pipe  io.Closer // the group is killed when it is closed, also by our death
	dir   string
	ended chan struct{}
}

// supervisor is the shell script that leads a process group. It reads a pipe
// whose other end only we have open, so however we end, even by SIGKILL, it
// reads the end of the pipe, removes the program's folder and kills the group:
// the program, what the program started, and itself. (The system's own signal on
// a parent's death would reach the program only, and would come as soon as the
// thread that started it ends.)
const supervisor = `dir=$1; shift; ("$@" </dev/null; kill -KILL 0) & read -r _; rm -rf "$dir"; kill -KILL 0`

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

	cmd := exec.Command("/bin/sh", append([]string{"-c", supervisor, "supervisor", dir, program}, args...)...)
	cmd.Env, cmd.Dir = env, dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = write.Close()
		return nil, err
	}
	p := &Process{cmd: cmd, pipe: write, dir: dir, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // it is always killed; errors of the program are in its log
		close(p.ended)
	}()
	return p, nil
}

// Group is the id of the process group that the program and its children are in.
func (p *Process) Group() int { return p.cmd.Process.Pid }

// Stop kills the program and everything that it started, and removes its folder.
func (p *Process) Stop() {
	_ = p.pipe.Close()
	<-p.ended
	_ = os.RemoveAll(p.dir) // if the program died by itself, the supervisor had no time to do it
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
			// If the program failed because its port was taken, the answer came
			// from the program that has the port.
			select {
			case <-p.ended:
			default:
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("ended before it was ready; its log:\n%s", p.tail())
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w; its log:\n%s", ctx.Err(), p.tail())
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

// Port is a loopback port that was free a moment ago, for a program that cannot
// choose a free port itself.
func Port() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// UpToThreeTimes starts a server, with up to three attempts:
// a port that was free a moment ago may be taken by now.
func UpToThreeTimes[T any](ctx context.Context, start func(context.Context) (T, error)) (server T, err error) {
	for range 3 {
		if server, err = start(ctx); err == nil || ctx.Err() != nil {
			return server, err
		}
	}
	return server, err
}
