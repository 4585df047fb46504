package local

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/infra/template"
)

// The flags of `make build`. The emulator runs functions as processes of this
// machine, so they are built for it.
var (
	buildFlags = []string{"-tags=lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"}
	buildEnv   = []string{"CGO_ENABLED=0", "GOFLAGS=", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH}
)

// BuildFunctions builds every function, a folder of dir, and returns its
// deployment package, a zip with the file bootstrap, by the folder's name. The
// same source gives the same bytes.
func BuildFunctions(ctx context.Context, dir string) (map[string][]byte, error) {
	mains, err := filepath.Glob(filepath.Join(dir, "*", "main.go"))
	if err != nil {
		return nil, err
	}
	if len(mains) == 0 {
		return nil, fmt.Errorf("no function in %s", dir)
	}
	var names, packages []string
	for _, m := range mains {
		name := filepath.Base(filepath.Dir(m))
		names, packages = append(names, name), append(packages, "./"+name)
	}

	out, release, err := binaries(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	// One command for all of them: they share most of their packages.
	args := append([]string{"build", "-o", out + string(filepath.Separator)}, buildFlags...)
	build := exec.CommandContext(ctx, "go", append(args, packages...)...)
	build.Dir, build.Env = dir, append(os.Environ(), buildEnv...)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, bytes.TrimSpace(output))
	}

	packed := make([][]byte, len(names))
	var group errgroup.Group
	for i, name := range names {
		group.Go(func() (err error) {
			packed[i], err = pack(filepath.Join(out, name))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	zips := map[string][]byte{}
	for i, name := range names {
		zips[name] = packed[i]
	}
	return zips, nil
}

// binaries is the folder in the cache for the binaries of the functions of
// dir. It is kept, because go build does not link again what is up to date. It
// is locked against other processes until it is released.
func binaries(dir string) (folder string, release func(), err error) {
	root, err := template.Root()
	if err != nil {
		return "", nil, err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	folder = filepath.Join(root, ".cache", "functions", fmt.Sprintf("%.4x", sha256.Sum256([]byte(absolute))))
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", nil, err
	}
	lock, err := os.Create(filepath.Join(folder, "lock"))
	if err != nil {
		return "", nil, err
	}
	release = func() { _ = lock.Close() }
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		release()
		return "", nil, fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	return folder, release, nil
}

// pack puts a binary into a deployment package.
func pack(binary string) ([]byte, error) {
	code, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	header := &zip.FileHeader{
		Name:     "bootstrap",
		Method:   zip.Deflate,
		Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), // the oldest time that a zip can express
	}
	header.SetMode(0o755)
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression) // which makes it about as small as SAM does
	})
	file, err := archive.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(code); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
