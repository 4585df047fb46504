package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	out, write := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-submissions", "20", "-release", "2023.3"}, write) }()
	lines := bufio.NewScanner(out)
	var printed []string
	for len(printed) < 2 && lines.Scan() {
		printed = append(printed, lines.Text())
	}
	if len(printed) < 2 || !strings.HasPrefix(printed[0], `expected {"submissions":20,`) {
		t.Fatal(printed)
	}
	address, ok := strings.CutPrefix(printed[1], "listening ")
	if !ok {
		t.Fatal(printed)
	}
	answer, err := http.Get(address + "/_simulator/state")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); !strings.Contains(string(body), `"submissions":20`) {
		t.Errorf("%s", body)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := run(context.Background(), []string{"-no-such-flag"}, io.Discard); err == nil {
		t.Error("an unknown flag is no error")
	}
}
