// Fuzz searches for inputs that break something: by the fuzz targets of all packages,
// and by schemathesis, which makes requests from the document of the API.
//
//	go run ./infra/fuzz -each 30s -api 2m
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/template"
)

func main() {
	each := flag.Duration("each", 30*time.Second, "for each fuzz target; 0 leaves them out")
	perRole := flag.Duration("api", time.Minute, "for the API, by each role; 0 leaves it out")
	seed := flag.Int("seed", int(time.Now().Unix()%1_000_000), "of the requests to the API")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *each, *perRole, *seed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, each, perRole time.Duration, seed int) error {
	root, err := template.Root()
	if err != nil {
		return err
	}
	targets, err := targetsBelow(root)
	if err != nil {
		return err
	}
	if each == 0 {
		targets = nil // a fuzz time of 0 would have no end
	}
	for _, t := range targets {
		fmt.Printf("%s %s, %s\n", t.folder, t.name, each)
		// Unlimited, making one long input shorter takes all of the target's time.
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$",
			"-fuzztime", each.String(), "-fuzzminimizetime", "2s", "./"+t.folder)
		cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s %s: %w", t.folder, t.name, err)
		}
	}
	for _, role := range []string{"viewer", "operator", "administrator"} {
		if perRole == 0 {
			break
		}
		fmt.Printf("API by %s, %s, seed %d\n", role, perRole, seed)
		if said, err := schemathesis(ctx, role, seed, "--max-time", fmt.Sprint(int(perRole.Seconds()))); err != nil {
			return fmt.Errorf("%s: %w", said, err)
		}
	}
	return nil
}

// target is a fuzz target of a package.
type target struct{ folder, name string }

var declared = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// targetsBelow finds the fuzz targets of the module.
func targetsBelow(root string) (found []target, err error) {
	for _, place := range []string{"functions", "infra", "shared"} {
		err = filepath.WalkDir(filepath.Join(root, place), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, name := range declared.FindAllStringSubmatch(string(text), -1) {
				folder, err := filepath.Rel(root, filepath.Dir(path))
				if err != nil {
					return err
				}
				found = append(found, target{filepath.ToSlash(folder), name[1]})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b target) int { return strings.Compare(a.folder+a.name, b.folder+b.name) })
	return found, nil
}
