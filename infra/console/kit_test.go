package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
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

// built fails a test where nothing was built that a browser could show.
func built(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root(t), "shared/console/dist/index.html.br")); err != nil {
		t.Fatal("the console was not built: make console")
	}
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

// quick makes the page's longer waits 20 times shorter, so that what is polled every
// 10 s comes every half.
const quick = `{ const wait = setTimeout; globalThis.setTimeout = (f, ms, ...args) => wait(f, ms > 1000 ? ms / 20 : ms, ...args); }`

// window opens the console at an address behind #, where nobody is signed in.
func window(t *testing.T, b *browser.Browser, w *console.World, at string) *browser.Page {
	t.Helper()
	page := b.Window().For(t)
	page.Before(quick)
	page.Size(1200, 900)
	page.Open(w.Address + "#" + at)
	return page
}

// signedIn opens the console at an address behind #, and signs in.
func signedIn(t *testing.T, b *browser.Browser, w *console.World, as console.Person, at string) *browser.Page {
	t.Helper()
	page := window(t, b, w, at)
	page.Click(browser.Button(as.Button))
	loaded(page)
	return page
}

// loaded waits until the page shows what it reads.
func loaded(page *browser.Page) {
	page.Until("the page is loaded", `document.querySelector("#page main h1") !== null && document.querySelector("[aria-busy=true]") === null`)
}

// clean fails the test if a page broke what holds for every page: no error and no
// breach of the content security policy; nothing stored but settings; no token in any
// address.
func clean(t *testing.T, w *console.World, page *browser.Page) {
	t.Helper()
	for _, complaint := range page.Complaints() {
		t.Error(complaint)
	}
	for _, kept := range page.Stored() {
		if !slices.Contains([]string{"localStorage language", "localStorage theme", "localStorage time-zone"}, kept) {
			t.Errorf("the browser keeps %s", kept)
		}
	}
	for _, token := range page.Tokens() {
		for _, address := range slices.Concat(page.Addresses(), w.Requests(), []string{page.Address()}) {
			if strings.Contains(address, token) {
				t.Errorf("%s has an access token", strings.ReplaceAll(address, token, "TOKEN"))
			}
		}
	}
	for _, address := range page.Addresses() {
		if !strings.HasPrefix(address, strings.TrimSuffix(w.Address, "/console")) && !strings.HasPrefix(address, w.Issuer()) && !strings.HasPrefix(address, "data:") {
			t.Errorf("a request leaves the deployment: %s", address)
		}
	}
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
	if strings.Contains(at, "{run}") {
		var list struct{ Runs []struct{ ID string } }
		ask(t, w, "/connectors/"+w.Connectors[console.Schools]+"/runs", &list)
		at = strings.ReplaceAll(at, "{run}", list.Runs[0].ID)
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
