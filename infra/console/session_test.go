package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
	"openg2p.org/mts-connector/infra/console/signin"
	"openg2p.org/mts-connector/infra/local"
)

// At the local issuer, whose sessions end when a refresh token comes twice, and at one
// that takes it again.
func TestSignIn(t *testing.T) {
	issuer := signin.Issuer{
		Enter: func(page *browser.Page, as console.Person) { page.Click(browser.Button(as.Button)) },
		Asks:  browser.Button("Viewer"),
	}
	issuer.Test(t)
	issuer.Reuse = local.Reuse
	t.Run("a renewal that is cut short", issuer.CutShort)
}

// The browser keeps a page that was left, for its button Back. Of who signed out nothing
// is there any more.
func TestBackAfterSignOutShowsNothing(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Omar, "/")
	page.Click(browser.Button("Sign out"))
	page.See(browser.Heading("You are signed out"))
	browser.Evaluate[any](page, `globalThis.here = true`)
	page.Back()
	page.Until("another page is shown", `globalThis.here === undefined`)
	page.See(browser.Button("Viewer")) // it asks again
}

// Who cannot be signed out is told so, and sees no page that says the contrary.
func TestSignOutThatFails(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Omar, "/")
	browser.Evaluate[any](page, `{ const all = fetch; globalThis.fetch = (at, ...rest) => String(at).includes("logout") ? Promise.resolve(new Response("", { status: 503 })) : all(at, ...rest); }`)
	page.Click(browser.Button("Sign out"))
	page.See(browser.Text("You are still signed in: signing out did not work. Try again, or close the browser."), browser.Text("Omar Operator"))
}

// What stands before the API replies with nothing that the API documents.
func TestRepliesThatAreNotOfTheAPI(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, "/")
	for status, title := range map[int32]string{
		429: "There are too many requests at once", 503: "The server could not answer", 403: "The request was refused on its way",
	} {
		w.Before.Store(status)
		page.Reload()
		page.See(browser.Text(title), browser.Button("Sign out"))
		if page.Count(browser.Button("Try again")) != 1 && status != 403 {
			t.Errorf("after %d nobody can try again", status)
		}
		w.Before.Store(0)
		page.Reload()
		page.See(browser.Text("Vera Viewer"), browser.Link(console.Households))
	}
	// Who it is becomes known once the API tells it, without loading the page again.
	w.Before.Store(503)
	page.Reload()
	page.See(browser.Text("The server could not answer"))
	w.Before.Store(0)
	page.See(browser.Text("Vera Viewer"), browser.Link(console.Households))
}

// A clock of the browser that is hours wrong changes neither what is told of times, nor
// how often a token is asked for.
func TestTheClockOfTheBrowserIsWrong(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	for _, hours := range []string{"5", "-5"} {
		page := b.Window().For(t)
		page.Before(signin.Quick)
		page.Before(`{ const right = Date; globalThis.Date = class extends right {
			constructor(...at) { at.length ? super(...at) : super(Date.now()); }
			static now() { return right.now() + ` + hours + ` * 3600000; }
		}; }`)
		page.Open(w.Address)
		page.Click(browser.Button(console.Vera.Button))
		loaded(page)
		page.See(browser.Role("cell", "").Like(`^in \d+ minutes?$`).In(browser.Row(console.Households)))
		page.Until("the list is read again and again", `performance.getEntriesByType("resource").filter((one) => /\/connectors(\?|$)/.test(one.name)).length > 4`)
		if asked := browser.Evaluate[int](page, `performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/console/session/token")).length`); asked > 2 {
			t.Errorf("%s hours: asked for %d tokens", hours, asked)
		}
	}
}

// What somebody sets holds in all tabs, at once and when the page is loaded again.
func TestASettingHoldsInAllTabs(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	one := signedIn(t, b, w, console.Vera, "/")
	two := one.Tab()
	two.Open(w.Address)
	two.See(browser.Heading("Connectors"))
	one.Click(browser.Role("DisclosureTriangle", "Settings"))
	one.Choose(browser.Field("Language"), "العربية")
	two.See(browser.Heading("الموصِّلات"))
	one.See(browser.Heading("الموصِّلات"))
	two.Reload()
	two.See(browser.Heading("الموصِّلات"))
	clean(t, w, one)
	clean(t, w, two)
}

// Figures that cannot be read again stay, and say of when they are.
func TestTheAPIIsAwayAndComesBack(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, "/")
	w.Away.Store(true)
	stale := browser.Role("StaticText", "").Like("^No connection since .* These figures are from then")
	page.See(stale, browser.Link(console.Households))
	w.Away.Store(false)
	page.Gone(stale)
	page.See(browser.Link(console.Households))
}

// A problem appears without loading the page again, and goes when it is solved.
func TestAProblemComesAndGoes(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, "/")
	row := browser.Row(console.Households)
	page.See(browser.Text("Up to date").In(row))
	registry := w.Registries[console.RegistryOf[console.Households]]
	registry.SetDown(true)
	w.Pass(time.Hour) // the next run is due
	page.See(browser.Text("Needs you").In(row))
	registry.SetDown(false)
	w.Pass(2 * time.Minute) // it is tried again
	page.See(browser.Text("Up to date").In(row))
	// The rows are where they were: they do not move under who reads them.
	if first := page.Names(browser.Role("rowheader", ""))[0]; first != console.Pensions {
		t.Errorf("first is %s", first)
	}
}

// The search leads to a registrant, by keyboard alone.
func TestSearchByKeyboard(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, "/")
	page.Press("/", "x", kb.Enter)
	page.See(browser.Role("alert", ""))
	if s := page.State(browser.Field("Registrant number")); !s.Invalid || !s.Focused {
		t.Errorf("%+v", s)
	}
	page.Press(kb.Backspace, "4711", kb.Enter)
	page.Until("the registrant", `location.hash === "#/registrants/4711"`)
	for _, address := range append(page.Addresses(), w.Requests()...) {
		if strings.Contains(address, "#") && !strings.HasPrefix(address, w.Address) {
			t.Error(address)
		}
	}
}
