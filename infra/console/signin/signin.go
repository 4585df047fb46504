// Package signin has the tests of signing in to the console in a browser, which are the
// same whoever the issuer is: the local one in infra/console, a real Keycloak in
// infra/keycloak.
package signin

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
	"openg2p.org/mts-connector/infra/template"
)

// Issuer is what the tests need of one.
type Issuer struct {
	// Start is Options.Issuer of a world.
	Start func(ctx context.Context, base string, bearer time.Duration) (console.Issuer, error)
	// Enter signs a person in on the issuer's page, on which Asks stands.
	Enter func(page *browser.Page, as console.Person)
	Asks  browser.Element
	// Age lets the sessions of everybody end by their age; nil: the issuer has no such
	// end.
	Age func(context.Context) error
	// Reuse is how often a refresh token may come again (see Options.Reuse of a world).
	Reuse int
}

// Quick makes the page's longer waits 20 times shorter, so that what is polled every
// 10 s comes every half.
const Quick = `{ const wait = setTimeout; globalThis.setTimeout = (f, ms, ...args) => wait(f, ms > 1000 ? ms / 20 : ms, ...args); }`

// Window opens the console at an address behind #, where nobody is signed in.
func Window(t *testing.T, b *browser.Browser, w *console.World, at string) *browser.Page {
	t.Helper()
	page := b.Window().For(t)
	page.Before(Quick)
	page.Size(1200, 900)
	page.Open(w.Address + "#" + at)
	return page
}

// Loaded waits until the page shows what it reads.
func Loaded(page *browser.Page) {
	page.Until("the page is loaded", `document.querySelector("#page main h1") !== null && document.querySelector("[aria-busy=true]") === null`)
}

// Clean fails the test if a page broke what holds for every page: no error and no
// breach of the content security policy; nothing stored but settings; no token in any
// address; no request to anybody else.
func Clean(t *testing.T, w *console.World, page *browser.Page) {
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
		if !slices.Contains([]string{origin(w.Address), origin(w.Issuer())}, origin(address)) && !strings.HasPrefix(address, "data:") {
			t.Errorf("a request leaves the deployment: %s", address)
		}
	}
}

// origin is the first part of an address: "http://127.0.0.1:8080".
func origin(address string) string {
	parts := strings.SplitN(address, "/", 4)
	return strings.Join(parts[:min(3, len(parts))], "/")
}

// Built fails a test where nothing was built that a browser could show.
func Built(t *testing.T) {
	t.Helper()
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "shared/console/dist/index.html.br")); err != nil {
		t.Fatal("the console was not built: make console")
	}
}

// world starts a world for a test.
func (i Issuer) world(t *testing.T, o console.Options) *console.World {
	t.Helper()
	o.Issuer, o.Reuse = i.Start, i.Reuse
	w, err := console.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// signedIn opens the console at an address behind #, and signs in.
func (i Issuer) signedIn(t *testing.T, b *browser.Browser, w *console.World, as console.Person, at string) *browser.Page {
	t.Helper()
	page := Window(t, b, w, at)
	i.Enter(page, as)
	Loaded(page)
	return page
}

// tab opens the console beside a page.
func tab(t *testing.T, w *console.World, beside *browser.Page) *browser.Page {
	t.Helper()
	page := beside.Tab().For(t)
	page.Before(Quick)
	page.Open(w.Address)
	Loaded(page)
	return page
}

var (
	over      = browser.Text("You were away for a while. Sign in again; what you typed is still here.")
	other     = browser.Role("StaticText", "").Like("^Somebody else has signed in in this browser")
	signedOut = browser.Heading("You are signed out")
	signIn    = browser.Link("Sign in")
	signOut   = browser.Button("Sign out")
	name      = browser.Field("Name")
	save      = browser.Button("Save")
)

// Test runs all tests.
func (i Issuer) Test(t *testing.T) {
	Built(t)
	b := browser.Start(t)
	w := i.world(t, console.Options{Label: "TEST"})
	for _, one := range []struct {
		name string
		test func(*testing.T, *browser.Browser, *console.World)
	}{
		{"each role", i.eachRole},
		{"a deep link", i.deepLink},
		{"signing out", i.signingOut},
		{"signing out of two tabs", i.signingOutOfTwoTabs},
		{"signing out in mid-form", i.signingOutInMidForm},
		{"signing out that fails", i.signingOutThatFails},
		{"a page that is loaded again quickly", i.loadedAgainQuickly},
		{"two tabs that are loaded again", i.twoTabsLoadedAgain},
		{"somebody else signs in", i.somebodyElse},
	} {
		t.Run(one.name, func(t *testing.T) { one.test(t, b, w) })
	}
	// These end the sessions of everybody.
	for how, end := range map[string]func(context.Context) error{"by an administrator": w.EndSessions, "by its age": i.Age} {
		if end == nil || how == "by its age" && i.Age == nil {
			continue
		}
		t.Run("a session that ends "+how, func(t *testing.T) { i.ended(t, b, w, end) })
	}
	// These have a world of their own.
	t.Run("two tabs that renew", i.twoTabsThatRenew)
	if i.Reuse > 0 {
		t.Run("a renewal that is cut short", i.CutShort)
	}
}

func (i Issuer) eachRole(t *testing.T, b *browser.Browser, w *console.World) {
	for _, person := range console.Persons {
		t.Run(person.Button, func(t *testing.T) {
			page := i.signedIn(t, b, w, person, "/")
			page.See(browser.Text(person.Name), browser.Heading("Connectors"), browser.Link(console.Households))
			if may := page.Count(browser.Link("New connector")) == 1; may != (person == console.Ada) {
				t.Errorf("%s has a link to a new connector: %v", person.Name, may)
			}
			page.Reload()
			page.See(browser.Text(person.Name))
			page.Click(browser.Link(console.Fishers))
			if start := page.State(browser.Button("Start")); start.Disabled != (person == console.Vera) {
				t.Errorf("%s: %+v", person.Name, start)
			}
			Clean(t, w, page)
		})
	}
}

func (i Issuer) deepLink(t *testing.T, b *browser.Browser, w *console.World) {
	page := i.signedIn(t, b, w, console.Vera, "/nothing/4711?kind=refused&code=a%20b")
	page.See(browser.Heading("There is no such page"))
	if at := page.Address(); at != w.Address+"#/nothing/4711?kind=refused&code=a%20b" {
		t.Error(at)
	}
	page.Click(browser.Link("Connectors").In(browser.Role("navigation", "Main")))
	page.See(browser.Heading("Connectors"))
	if focus := page.Focused(); focus != `heading "Connectors"` {
		t.Errorf("the focus is on %s", focus)
	}
	page.Back()
	page.See(browser.Heading("There is no such page"))
	Clean(t, w, page)
}

// leaves signs out.
func leaves(page *browser.Page) {
	page.Click(signOut)
	page.See(signedOut)
}

// The page says so, and the issuer has ended its own session: it asks again.
func (i Issuer) signingOut(t *testing.T, b *browser.Browser, w *console.World) {
	page := i.signedIn(t, b, w, console.Omar, "/connectors/"+w.Connectors[console.Fishers])
	leaves(page)
	if at := page.Address(); at != w.Address+"#/signed-out" {
		t.Error(at)
	}
	Clean(t, w, page)
	page.Click(signIn)
	page.See(i.Asks)
	page.Open(w.Address)
	i.Enter(page, console.Ada)
	page.See(browser.Text("Ada Administrator"))
}

// What the other tab shows of a person is gone as well.
func (i Issuer) signingOutOfTwoTabs(t *testing.T, b *browser.Browser, w *console.World) {
	one := i.signedIn(t, b, w, console.Ada, "/connectors/"+w.Connectors[console.Households])
	two := tab(t, w, one)
	leaves(two)
	one.See(signedOut)
	if one.Count(browser.Text("Ada Administrator")) > 0 || one.Count(browser.Heading(console.Households)) > 0 {
		t.Error("the other tab still shows what somebody saw who has signed out")
	}
	Clean(t, w, one)
	one.Click(signIn)
	one.See(i.Asks)
}

// Nobody loses what is typed without being asked.
func (i Issuer) signingOutInMidForm(t *testing.T, b *browser.Browser, w *console.World) {
	page := i.signedIn(t, b, w, console.Ada, "/new")
	page.Fill(name, "Typed before")
	page.Click(signOut)
	dialog := browser.Role("dialog", "")
	page.Click(browser.Button("Stay here").In(dialog))
	page.Gone(dialog)
	if typed := page.State(name).Value; typed != "Typed before" {
		t.Errorf("what was typed is now %q", typed)
	}
	page.Click(signOut)
	browser.Evaluate[any](page, `addEventListener("beforeunload", (event) => { if (event.defaultPrevented) console.error("it asks a second time"); })`)
	page.Click(browser.Button("Leave without saving").In(dialog))
	page.See(signedOut)
	Clean(t, w, page)
}

// Nobody believes to be signed out who is not.
func (i Issuer) signingOutThatFails(t *testing.T, b *browser.Browser, w *console.World) {
	page := i.signedIn(t, b, w, console.Omar, "/")
	browser.Evaluate[any](page, `{ const real = fetch; globalThis.fetch = (address, init) => String(address).includes("logout") ? Promise.reject(new TypeError()) : real(address, init); }`)
	page.Click(signOut)
	page.See(browser.Role("StaticText", "").Like("^You are still signed in"), browser.Text("Omar Operator"))
	page.Reload()
	leaves(page)
}

// impatient loads the page again as soon as it has asked for a token, as often as
// window.name says.
const impatient = `{
	const real = fetch;
	globalThis.fetch = (address, init) => {
		const reply = real(address, init);
		if (String(address).includes("/session/token") && Number(window.name) > 0) {
			window.name = String(Number(window.name) - 1);
			location.reload();
		}
		return reply;
	};
}`

// hurry loads the page again and again.
func hurry(t *testing.T, page *browser.Page, times string) {
	t.Helper()
	page.Until("it is loaded again", `(window.name = "`+times+`") !== ""`)
	page.Reload()
	page.Until("it is loaded for the last time", `window.name === "0"`)
	page.See(browser.Link(console.Households), browser.Text("Omar Operator"))
}

// No refresh token is used while an access token is valid, so none is used twice.
func (i Issuer) loadedAgainQuickly(t *testing.T, b *browser.Browser, w *console.World) {
	page := i.signedIn(t, b, w, console.Omar, "/")
	page.Before(impatient)
	hurry(t, page, "20")
	Clean(t, w, page)
}

// CutShort tests a page that is left while it renews, while the next one renews at once:
// the refresh token comes twice. The session goes on at an issuer that takes it again.
func (i Issuer) CutShort(t *testing.T) {
	b, w := browser.Start(t), i.world(t, console.Options{})
	page := i.signedIn(t, b, w, console.Omar, "/")
	page.Before(impatient)
	for range 10 {
		page.Forget("__Host-access") // the access token is over
		hurry(t, page, "1")
	}
	Clean(t, w, page)
}

// Both are loaded again and again at the same time.
func (i Issuer) twoTabsLoadedAgain(t *testing.T, b *browser.Browser, w *console.World) {
	one := i.signedIn(t, b, w, console.Omar, "/")
	two := tab(t, w, one)
	for range 4 {
		one.Reload()
		two.Reload()
		for _, page := range []*browser.Page{one, two} {
			page.See(browser.Link(console.Households), browser.Text("Omar Operator"))
		}
	}
}

// Two tabs share a session whose refresh token changes each time that it is used, and
// which ends if one is used twice.
func (i Issuer) twoTabsThatRenew(t *testing.T) {
	// The page renews what is valid for 30 s or less, and the function hands out what is
	// valid for 10 s: here, nearly each call asks the issuer for a new token.
	b, w := browser.Start(t), i.world(t, console.Options{Bearer: 11 * time.Second})
	one := i.signedIn(t, b, w, console.Omar, "/")
	two := tab(t, w, one)
	for _, page := range []*browser.Page{one, two} {
		page.Until("it reads again and again", `performance.getEntriesByType("resource").filter((one) => one.name.includes("/console/session/token")).length > 8`)
	}
	for _, page := range []*browser.Page{one, two} {
		page.See(browser.Link(console.Households), browser.Text("Omar Operator"))
		if page.Count(signIn) > 0 {
			t.Error("the session is over")
		}
		Clean(t, w, page)
	}
}

// A session that ends leaves the page as it is; signing in in another tab goes on.
func (i Issuer) ended(t *testing.T, b *browser.Browser, w *console.World, end func(context.Context) error) {
	page := i.signedIn(t, b, w, console.Ada, "/new")
	page.Fill(name, "Typed before")
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Expire()
	page.Click(save)
	page.See(over, browser.Role("StaticText", "").Like("^Nothing was saved, because your session is over"))
	if typed := page.State(name).Value; typed != "Typed before" {
		t.Errorf("what was typed is now %q", typed)
	}
	again := page.Opens(func() { page.Click(signIn) }).For(t)
	i.Enter(again, console.Ada)
	again.See(browser.Heading("You are signed in"))
	page.Gone(over)
	if typed := page.State(name).Value; typed != "Typed before" {
		t.Errorf("what was typed is now %q", typed)
	}
	page.Click(save)
	page.See(browser.Heading("").Like("needs? a look. Nothing was saved.$"))
	page.See(browser.Text("Ada Administrator"))
	Clean(t, w, page)

	// A page that shows nothing yet leads to the sign-in.
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Expire()
	again.Open(w.Address)
	again.See(i.Asks)
}

// A page is of one person: after somebody else has signed in in another tab, it says so,
// keeps what is typed, and saves nothing as that one.
func (i Issuer) somebodyElse(t *testing.T, b *browser.Browser, w *console.World) {
	one := i.signedIn(t, b, w, console.Ada, "/new")
	one.Fill(name, "Typed by Ada")
	if err := w.EndSessions(t.Context()); err != nil { // which this tab has not noticed
		t.Fatal(err)
	}
	two := one.Tab().For(t)
	two.Open(w.Address + "/session/login")
	i.Enter(two, console.Vera)
	two.See(browser.Text("Vera Viewer"))
	one.See(other)
	if one.Count(browser.Text("Ada Administrator")) > 0 {
		t.Error("the page still has the name of who was signed in before")
	}
	one.Click(save)
	one.See(browser.Role("StaticText", "").Like("^Nothing was saved"))
	if typed := one.State(name).Value; typed != "Typed by Ada" {
		t.Errorf("what was typed is now %q", typed)
	}
	Clean(t, w, one)

	// Who was signed in before goes on.
	leaves(two)
	one.See(signedOut)

	// Without a form it is loaded again.
	three := i.signedIn(t, b, w, console.Omar, "/")
	if err := w.EndSessions(t.Context()); err != nil {
		t.Fatal(err)
	}
	four := three.Tab().For(t)
	four.Open(w.Address + "/session/login")
	i.Enter(four, console.Vera)
	four.See(browser.Text("Vera Viewer"))
	three.Click(browser.Button("Load the page again"))
	three.See(browser.Text("Vera Viewer"))
	three.Gone(other)
}
