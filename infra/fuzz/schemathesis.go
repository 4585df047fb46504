package main

import (
	"context"
	_ "embed" // of the settings
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/infra/template"
)

// What schemathesis makes of the formats that only this document has, and of null.
//
//go:embed hooks.py
var hooks []byte

//go:embed schemathesis.toml
var settings string

// schemathesis makes requests with the token of a role to an API of its own, and
// returns what it said. The error is nil if it found nothing.
func schemathesis(ctx context.Context, role string, seed int, options ...string) (said string, err error) {
	root, err := template.Root()
	if err != nil {
		return "", err
	}
	address, connector, stop, err := serve(ctx)
	if err != nil {
		return "", err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "schemathesis")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "hooks.py"), hooks, 0o600); err != nil {
		return "", err
	}
	text := strings.ReplaceAll(settings, "{connector}", connector)
	if err := os.WriteFile(filepath.Join(dir, "schemathesis.toml"), []byte(text), 0o600); err != nil {
		return "", err
	}
	arguments := append([]string{
		"--config-file", filepath.Join(dir, "schemathesis.toml"), "run", address + "/openapi.json", "--url", address,
		"--header", "Authorization:Bearer " + role, "--seed", strconv.Itoa(seed), "--no-color",
		"--suppress-health-check", "too_slow", // a busy machine is no fault of the API
	}, options...)
	cmd := exec.CommandContext(ctx, filepath.Join(root, ".cache", "venv-schemathesis", "bin", "schemathesis"), arguments...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS=hooks", "PYTHONPATH="+dir)
	output, err := cmd.CombinedOutput()
	return string(output), err
}
