// Package realodoo starts a real Odoo with a PostgreSQL of its own, from
// Debian's packages in the cache, with a small addon that has the models of
// OpenG2P's registry. Its tests, `make test-registry`, run the registry client,
// the whole connector and the registry simulator against it.
package realodoo

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/local/tool"
	"openg2p.org/mts-connector/infra/template"
)

// The database of a server, and its users. The clerk may not see identifiers; the
// registrar has all rights to them but to delete.
const (
	Database = "g2p"

	Admin, AdminPassword         = "admin", "admin"
	Clerk, ClerkPassword         = "clerk", "clerkpw1"
	Registrar, RegistrarPassword = "registrar", "registrarpw1"
)

//go:embed addon/mts_registry/*.py addon/mts_registry/*/*
var addon embed.FS

// Odoo is an installed Odoo.
type Odoo struct {
	Line    string // 19 or 14
	Version string // of Debian's package

	place place
}

// Fetch fetches the Odoo of a line into the cache: 25 s for 19 and 80 s for 14 if
// it is not there. Its messages go to progress. If it is not available, the error
// says why.
func Fetch(ctx context.Context, line string, progress io.Writer) (*Odoo, error) {
	root, err := template.Root()
	if err != nil {
		return nil, err
	}
	var folder, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(root, "infra", "realodoo", "fetch"), line)
	cmd.Stdout, cmd.Stderr = &folder, io.MultiWriter(&messages, progress)
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(messages.String()); text != "" {
			err = errors.New(text)
		}
		return nil, fmt.Errorf("fetching Odoo %s: %w", line, err)
	}
	at := strings.TrimSpace(folder.String())
	o := &Odoo{Line: line, Version: filepath.Base(at)}
	if line == "14" {
		o.place = inFolder{filepath.Join(at, "root")}
		return o, nil
	}
	o.place, err = here(at, filepath.Join(root, ".cache", "venv-odoo"))
	return o, err
}

// Server is a running Odoo. It ends with the process that started it.
type Server struct {
	*Odoo
	URL string

	dir            string
	psql           string
	database, odoo *tool.Process
}

// Start makes a database with the addon and serves it on loopback: 8 s. Odoo and
// PostgreSQL run as an unprivileged user. PostgreSQL does not wait for the disk;
// all else is Debian's default.
func (o *Odoo) Start(ctx context.Context) (*Server, error) {
	dir, err := os.MkdirTemp("", "odoo-"+o.Line+"-")
	if err != nil {
		return nil, err
	}
	s := &Server{Odoo: o, dir: dir}
	if err := s.start(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("Odoo %s: %w", o.Version, err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) (err error) {
	if s.psql, err = exec.LookPath("psql"); err != nil {
		return errors.New("psql is missing: install it (on Debian: apt-get install postgresql)")
	}
	port, err := tool.Port()
	if err != nil {
		return err
	}
	s.URL = "http://127.0.0.1:" + strconv.Itoa(port)
	if err := s.fillFolder(port); err != nil {
		return err
	}
	if err := s.startDatabase(ctx); err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	config := "--config=" + s.place.path(s.dir, "odoo.conf")
	if err := s.do(ctx, 5*time.Minute, s.place.odoo(), config, "--init=mts_registry", "--stop-after-init"); err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	program, args := s.place.command(s.dir, s.place.odoo(), config)
	if s.odoo, err = tool.Start(s.dir, s.place.environment(s.dir), program, args...); err != nil {
		return err
	}
	return s.odoo.Ready(ctx, time.Minute, s.ready)
}

// fillFolder fills the folder of the server: data, addon, configuration.
func (s *Server) fillFolder(port int) error {
	for _, folder := range []string{"data", "postgres", "addons/mts_registry/data", "addons/mts_registry/security"} {
		if err := os.MkdirAll(filepath.Join(s.dir, folder), 0o700); err != nil {
			return err
		}
	}
	err := fs.WalkDir(addon, "addon", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := addon.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(s.dir, "addons", strings.TrimPrefix(path, "addon/")), text, 0o600)
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`[options]
addons_path = %s,%s
data_dir = %s
db_host = %s
db_user = odoo
db_name = %s
dbfilter = ^%[5]s$
list_db = False
http_interface = 127.0.0.1
http_port = %d
max_cron_threads = 0
without_demo = %s
`, s.place.addons(), s.place.path(s.dir, "addons"), s.place.path(s.dir, "data"), s.place.path(s.dir, "postgres"),
		Database, port, map[string]string{"14": "all"}[s.Line]+map[string]string{"19": "True"}[s.Line])
	if err := os.WriteFile(filepath.Join(s.dir, "odoo.conf"), []byte(text), 0o600); err != nil {
		return err
	}
	return s.place.chown(s.dir)
}

func (s *Server) startDatabase(ctx context.Context) error {
	data := s.place.path(s.dir, "postgres", "data")
	if err := s.do(ctx, time.Minute, s.place.postgres("initdb"), "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
		"--no-sync", "--username=odoo", "--pgdata="+data); err != nil {
		return err
	}
	program, args := s.place.command(s.dir, s.place.postgres("postgres"), "-D", data,
		"-c", "listen_addresses=", "-c", "unix_socket_directories="+s.place.path(s.dir, "postgres"),
		"-c", "fsync=off", "-c", "dynamic_shared_memory_type=mmap")
	var err error
	if s.database, err = tool.Start(filepath.Join(s.dir, "postgres"), s.place.environment(s.dir), program, args...); err != nil {
		return err
	}
	return s.database.Ready(ctx, time.Minute, func(ctx context.Context) bool {
		_, err := s.sql(ctx, "postgres", "SELECT 1")
		return err == nil
	})
}

// do runs a program to its end as the servers' user.
func (s *Server) do(ctx context.Context, limit time.Duration, program []string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name, args := s.place.command(s.dir, program, args...)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.dir, s.place.environment(s.dir), time.Second
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w; its output:\n%s", filepath.Base(program[len(program)-1]), err, output[max(0, len(output)-4<<10):])
	}
	return nil
}

// ready signs in; the web page does not work in an unpacked package.
func (s *Server) ready(ctx context.Context) bool {
	body := fmt.Sprintf(`{"params": {"service": "common", "method": "login", "args": [%q, %q, %q]}}`, Database, Admin, AdminPassword)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/jsonrpc", strings.NewReader(body))
	if err != nil {
		return false
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	var reply struct {
		Result any `json:"result"`
	}
	isNumber := func(v any) bool { _, ok := v.(float64); return ok }
	return json.NewDecoder(response.Body).Decode(&reply) == nil && isNumber(reply.Result)
}

// SQL runs statements on the database, one transaction each, without Odoo, and
// returns what they print. It gives up after five minutes.
func (s *Server) SQL(ctx context.Context, statements ...string) (string, error) {
	return s.sql(ctx, Database, statements...)
}

func (s *Server) sql(ctx context.Context, database string, statements ...string) (string, error) {
	args := []string{"--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
		"--host=" + filepath.Join(s.dir, "postgres"), "--username=odoo", "--dbname=" + database}
	for _, statement := range statements {
		args = append(args, "--command="+statement)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.psql, args...)
	cmd.WaitDelay = time.Second
	output, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, bytes.TrimSpace(output))
	}
	return strings.TrimSpace(string(output)), nil
}

// Stop ends both servers; the data are gone.
func (s *Server) Stop() {
	if s.database != nil {
		s.endDatabase() // first, because Odoo's end removes its folder
	}
	for _, process := range []*tool.Process{s.odoo, s.database} {
		if process != nil {
			process.Stop()
		}
	}
	_ = os.RemoveAll(s.dir)
}

// endDatabase asks PostgreSQL to end: if it is killed it leaves shared memory
// behind.
func (s *Server) endDatabase() {
	text, err := os.ReadFile(filepath.Join(s.dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil || syscall.Kill(pid, syscall.SIGINT) != nil {
		return
	}
	for range 100 {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
