package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
	"openg2p.org/mts-connector/infra/console/signin"
	"openg2p.org/mts-connector/infra/template"
)

// shared is one world for all tests that change nothing in it. It ends with the tests.
var shared = sync.OnceValues(func() (*console.World, error) {
	return console.Start(context.Background(), console.Options{Label: "TEST"})
})

func sharedWorld(t *testing.T) *console.World {
	t.Helper()
	built(t)
	w, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// root is the folder of the repository.
func root(t *testing.T) string {
	t.Helper()
	folder, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func built(t *testing.T) {
	t.Helper()
	signin.Built(t)
}

// axe is the text of axe-core.
func axe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "shared/console/web/node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal("the console was not built: make console")
	}
	return string(text)
}

func window(t *testing.T, b *browser.Browser, w *console.World, at string) *browser.Page {
	t.Helper()
	return signin.Window(t, b, w, at)
}

// signedIn opens the console at an address behind #, and signs in.
func signedIn(t *testing.T, b *browser.Browser, w *console.World, as console.Person, at string) *browser.Page {
	t.Helper()
	page := window(t, b, w, at)
	page.Click(browser.Button(as.Button))
	loaded(page)
	return page
}

// anew loads the console again, at an address behind #. The page shows the console.
func anew(page *browser.Page, w *console.World, at string) {
	browser.Evaluate[any](page, fmt.Sprintf(`history.replaceState(null, "", %q)`, w.Address+"#"+at))
	page.Reload()
}

func loaded(page *browser.Page) { signin.Loaded(page) }

func clean(t *testing.T, w *console.World, page *browser.Page) {
	t.Helper()
	signin.Clean(t, w, page)
}

func picture(t *testing.T, parts ...any) string {
	t.Helper()
	name := strings.TrimSuffix(fmt.Sprintln(parts...), "\n")
	return filepath.Join(root(t), ".cache/console", strings.ReplaceAll(name, " ", "-")+".png")
}

// addressed is an address behind # with what its braces stand for (see view).
func addressed(t *testing.T, w *console.World, at string) string {
	t.Helper()
	for name, id := range w.Connectors {
		at = strings.ReplaceAll(at, "{"+name+"}", id)
	}
	if strings.Contains(at, "{registrant}") {
		at = strings.ReplaceAll(at, "{registrant}", fmt.Sprint(rejected(t, w, console.Households)))
	}
	for name, of := range map[string]string{"{run}": console.Schools, "{survey}": console.Surveys} {
		if strings.Contains(at, name) {
			var list struct{ Runs []struct{ ID string } }
			ask(t, w, "/connectors/"+w.Connectors[of]+"/runs", &list)
			at = strings.ReplaceAll(at, name, list.Runs[len(list.Runs)-1].ID)
		}
	}
	return at
}

// rejected is somebody whom MOSIP refused a token, of a connector by its name.
func rejected(t *testing.T, w *console.World, name string) int64 {
	t.Helper()
	var list struct{ Rejections []struct{ Registrant int64 } }
	ask(t, w, "/connectors/"+w.Connectors[name]+"/rejections?kind=refused&limit=1", &list)
	return list.Rejections[0].Registrant
}
