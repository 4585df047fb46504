package realodoo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// place is where the programs of an Odoo are, and how they are run there. A list
// is a program with its first arguments.
type place interface {
	odoo() []string
	postgres(program string) []string
	addons() string // Odoo's own
	// path is a path in a server's folder for its programs.
	path(dir string, path ...string) string
	// command runs a program as the servers' user.
	command(dir string, program []string, args ...string) (string, []string)
	environment(dir string) []string
	// chown makes the servers' user the owner of a server's folder.
	chown(dir string) error
}

// nobody is the user of the servers if this process is root's: PostgreSQL refuses
// to run as root, and Odoo should.
const nobody = 65534

func chown(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
}

func environment(home string, more ...string) []string {
	return append(more, "HOME="+home, "TMPDIR="+home, "LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}

// unpacked is a package unpacked into a folder; Python and PostgreSQL are this
// machine's.
type unpacked struct {
	root, python, binaries string
}

func here(folder, venv string) (place, error) {
	// Debian has PostgreSQL's servers beside the PATH.
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return nil, err
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			found = append(found, filepath.Join(dir, "initdb"))
		}
	}
	if len(found) == 0 {
		return nil, errors.New("PostgreSQL is missing: install it (on Debian: apt-get install postgresql)")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return unpacked{filepath.Join(folder, "root"), filepath.Join(venv, "bin", "python"), filepath.Dir(newest)}, nil
}

func (u unpacked) packages() string { return filepath.Join(u.root, "usr/lib/python3/dist-packages") }

func (u unpacked) odoo() []string { return []string{u.python, filepath.Join(u.root, "usr/bin/odoo")} }

func (u unpacked) postgres(program string) []string {
	return []string{filepath.Join(u.binaries, program)}
}

func (u unpacked) addons() string { return filepath.Join(u.packages(), "odoo", "addons") }

func (u unpacked) path(dir string, path ...string) string {
	return filepath.Join(append([]string{dir}, path...)...)
}

// command gives the servers' user the right to read all files: the repository, or
// the Python of its virtual environment, may be in a folder closed to others.
func (u unpacked) command(_ string, program []string, args ...string) (string, []string) {
	line := slices.Concat(program, args)
	if os.Geteuid() == 0 {
		line = append([]string{"setpriv", fmt.Sprintf("--reuid=%d", nobody), fmt.Sprintf("--regid=%d", nobody), "--clear-groups",
			"--no-new-privs", "--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"}, line...)
	}
	return line[0], line[1:]
}

func (u unpacked) environment(dir string) []string {
	return environment(dir, "PYTHONPATH="+u.packages(), "PYTHONDONTWRITEBYTECODE=1")
}

func (u unpacked) chown(dir string) error { return chown(dir) }

// inFolder is a whole Debian in a folder, with a server's folder as its /mnt.
type inFolder struct{ root string }

// enter makes a root with /proc, which both servers need.
const enter = `root=$1 dir=$2; shift 2
mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --bind "$dir" "$root/mnt" &&
exec chroot --userspec=65534:65534 --groups= "$root" "$@"`

func (f inFolder) odoo() []string { return []string{"/usr/bin/odoo"} }

func (f inFolder) postgres(program string) []string {
	return []string{"/usr/lib/postgresql/13/bin/" + program} // bullseye's
}

func (f inFolder) addons() string { return "/usr/lib/python3/dist-packages/odoo/addons" }

func (f inFolder) path(_ string, path ...string) string {
	return filepath.Join(append([]string{"/mnt"}, path...)...)
}

func (f inFolder) command(dir string, program []string, args ...string) (string, []string) {
	return "unshare", slices.Concat([]string{"--mount", "/bin/sh", "-c", enter, "enter", f.root, dir}, program, args)
}

func (f inFolder) environment(string) []string { return environment("/mnt") }

func (f inFolder) chown(dir string) error { return chown(dir) }
