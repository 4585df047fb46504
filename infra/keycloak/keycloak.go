// Package keycloak runs a real Keycloak with the realm that a country imports, and signs
// people in to it, for the tests of `make test-login`.
package keycloak

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/infra/world/visitor"
)

// realm is what a country imports. It has two placeholders, which Keycloak fills from
// the environment when it imports at its start: CONSOLE_BASE, the base address of the
// API, and CONSOLE_SECRET, the client secret of the console.
//
//go:embed realm.json
var realm []byte

// Realm is the name of the realm.
const Realm = "openg2p"

// Client is the id of the console's client in it.
const Client = "mts-console"

// Roles are those of the realm. There is a person of each.
var Roles = []string{"viewer", "operator", "administrator"}

// names of the people, by their roles.
var names = map[string][3]string{
	"viewer": {"vera", "Vera", "Viewer"}, "operator": {"omar", "Omar", "Operator"}, "administrator": {"ada", "Ada", "Administrator"},
}

// Server is a running Keycloak, whose database is in memory.
type Server struct {
	Secret string // of the console's client

	address   string
	passwords map[string]string // by role
	password  string            // of the administrator of Keycloak
	process   *exec.Cmd
	ended     chan struct{}
	lock      *os.File
	output    *os.File
}

// Start starts Keycloak with the realm, a person of each role, and a console at the base
// address of an API. It takes half a minute on an idle machine. infra/tools/fetch
// keycloak brings it.
func Start(ctx context.Context, console string) (*Server, error) {
	root, err := template.Root()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(root, ".cache", "keycloak")
	if _, err := os.Stat(filepath.Join(home, "stamp")); err != nil {
		return nil, errors.New("there is no Keycloak: infra/tools/fetch keycloak")
	}
	s := &Server{Secret: rand.Text(), password: rand.Text(), passwords: map[string]string{}, ended: make(chan struct{})}
	if s.lock, err = os.Create(filepath.Join(home, "lock")); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX); err != nil { // one at a time reads what to import
		return nil, fmt.Errorf("locking %s: %w", s.lock.Name(), err)
	}
	if err := s.run(ctx, home, console); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) run(ctx context.Context, home, console string) error {
	text, err := s.populated()
	if err != nil {
		return err
	}
	folder := filepath.Join(home, "data", "import")
	if err := errors.Join(os.MkdirAll(folder, 0o750), os.WriteFile(filepath.Join(folder, Realm+"-realm.json"), text, 0o600)); err != nil {
		return err
	}
	if s.output, err = os.Create(filepath.Join(home, "output")); err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	s.address = "http://127.0.0.1:" + port
	s.process = exec.CommandContext(ctx, "sh", filepath.Join(home, "bin", "kc.sh"), "start", "--optimized", "--import-realm",
		"--http-enabled=true", "--http-host=127.0.0.1", "--http-port="+port, "--hostname="+s.address)
	s.process.Env = append(os.Environ(), "CONSOLE_BASE="+console, "CONSOLE_SECRET="+s.Secret,
		"KC_BOOTSTRAP_ADMIN_USERNAME="+administrator, "KC_BOOTSTRAP_ADMIN_PASSWORD="+s.password)
	s.process.Stdout, s.process.Stderr = s.output, s.output
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.process.Cancel = s.kill
	if err := s.process.Start(); err != nil {
		return err
	}
	go func() {
		defer close(s.ended)
		_ = s.process.Wait()
	}()
	return s.ready(ctx)
}

// populated is the realm with people.
func (s *Server) populated() ([]byte, error) {
	var document map[string]any
	if err := json.Unmarshal(realm, &document); err != nil {
		return nil, fmt.Errorf("realm.json: %w", err)
	}
	var users []any
	for _, role := range Roles {
		s.passwords[role] = rand.Text()
		users = append(users, map[string]any{
			"username": names[role][0], "firstName": names[role][1], "lastName": names[role][2], "email": names[role][0] + "@example.org",
			"enabled": true, "emailVerified": true, "realmRoles": []string{role},
			"credentials": []any{map[string]any{"type": "password", "value": s.passwords[role]}},
		})
	}
	document["users"] = users
	return json.Marshal(document)
}

// ready waits until the realm is served.
func (s *Server) ready(ctx context.Context) error {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			said, _ := os.ReadFile(s.output.Name())
			return fmt.Errorf("Keycloak ended: %s", said[max(0, len(said)-2000):]) //nolint:staticcheck // a name
		case <-ticker.C:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Issuer()+"/.well-known/openid-configuration", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
}

func freePort(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// kill ends the shell and the Java process that it started.
func (s *Server) kill() error { return syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL) }

// Stop ends Keycloak; its data are gone.
func (s *Server) Stop() {
	if s.process != nil && s.process.Process != nil {
		_ = s.kill()
		<-s.ended
	}
	for _, file := range []*os.File{s.output, s.lock} {
		if file != nil {
			_ = file.Close()
		}
	}
}

// Issuer is the issuer of the realm.
func (s *Server) Issuer() string { return s.address + "/realms/" + Realm }

// Credentials are the user name and the password of the person of a role.
func (s *Server) Credentials(role string) (name, password string) {
	return names[role][0], s.passwords[role]
}

var form = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// Enter fills Keycloak's sign-in page as the person of a role, for Visitor.SignIn. seen
// gets the page.
func (s *Server) Enter(ctx context.Context, v *visitor.Visitor, role string, seen func(page string)) func(string) (string, error) {
	return func(address string) (string, error) {
		page, err := v.Get(ctx, address)
		if err != nil {
			return "", err
		}
		if page.Status == http.StatusFound { // signed in already
			return page.Header.Get("Location"), nil
		}
		seen(page.Body)
		action := form.FindStringSubmatch(page.Body)
		if action == nil {
			return "", fmt.Errorf("no form: %d %s", page.Status, page.Body)
		}
		name, password := s.Credentials(role)
		entered, err := v.Submit(ctx, html.UnescapeString(action[1]), url.Values{"username": {name}, "password": {password}})
		if err != nil {
			return "", err
		}
		if entered.Status != http.StatusFound {
			return "", fmt.Errorf("not signed in: %d %s", entered.Status, entered.Body)
		}
		return entered.Header.Get("Location"), nil
	}
}
