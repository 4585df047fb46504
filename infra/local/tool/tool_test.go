package tool_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/local/tool"
)

// The test binary runs a second time as a parent process that will be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PARENT_OF"); dir != "" {
		p, err := group(dir)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.Group())
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// group is a program with a child process. Both ignore signals that ask them to
// end.
func group(dir string) (*tool.Process, error) {
	return tool.Start(dir, os.Environ(), "sh", "-c", `trap "" TERM HUP; echo up; sleep 1000 & sleep 1000`)
}

// patience is how long a killed group may take to end.
const patience = time.Minute

func gone(t *testing.T, id int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if !alive(id) {
			return
		}
	}
	t.Errorf("group %d still runs", id)
}

// alive reports whether a process of the group is more than a zombie.
func alive(id int) bool {
	out, _ := exec.Command("ps", "-A", "-o", "pgid=,stat=").Output()
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == strconv.Itoa(id) && f[1][0] != 'Z' {
			return true
		}
	}
	return false
}

func TestStopEndsTheWholeGroupAndRemovesItsFolder(t *testing.T) {
	dir := t.TempDir()
	p, err := group(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !alive(p.Group()) {
		t.Fatal("it does not run")
	}
	p.Stop()
	p.Stop() // a second time does nothing
	gone(t, p.Group())
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestTheGroupOfAKilledParentEnds(t *testing.T) {
	dir := t.TempDir()
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), "PARENT_OF="+dir)
	stdin, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line)
	}
	if !alive(id) {
		t.Fatal("it does not run")
	}
	if err := parent.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone(t, id)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		limit  time.Duration
		probe  bool
		want   string // part of the error
	}{
		"ready":      {"sleep 1000", time.Minute, true, ""},
		"dies first": {"echo port is taken; exit 3", time.Minute, false, "port is taken"},
		"never":      {"echo thinking; sleep 1000", 200 * time.Millisecond, false, "not ready"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := tool.Start(t.TempDir(), os.Environ(), "sh", "-c", c.script)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Stop()
			if strings.Contains(c.script, "exit") {
				gone(t, p.Group())
			}
			err = p.Ready(t.Context(), c.limit, func(context.Context) bool { return c.probe })
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestStartOfAMissingProgram(t *testing.T) {
	dir := t.TempDir()
	if _, err := tool.Start(dir, nil, "no-such-program"); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestFetchOfAnUnknownTool(t *testing.T) {
	err := tool.Fetch(t.Context(), nil, "no-such-tool")
	if err == nil || !strings.Contains(err.Error(), "no-such-tool") {
		t.Errorf("got %v, want an error that names it", err)
	}
}
