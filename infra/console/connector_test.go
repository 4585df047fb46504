package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
)

// still is a world in which nothing moves but what a test ticks.
var still = console.Options{Tick: time.Hour}

// What people do most takes as few clicks as this.
func TestClicksOfAConnector(t *testing.T) {
	built(t)
	w, b := started(t, still), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/")
	for _, c := range []struct {
		wish   string
		clicks int
		do     func()
	}{
		{"read why it needs somebody, and what to do", 1, func() {
			page.Click(browser.Link(console.Pensions))
			page.See(browser.Heading(console.Pensions), browser.Text("The registry refuses user name or password, or the user is not active."), browser.Link("Change password"))
		}},
		{"who changed a setting, from a connector", 1, func() {
			page.Open(w.Address + "#" + addressed(t, w, "/connectors/{Household registry}"))
			page.Click(browser.Link("Changes"))
			page.See(browser.Row("Ada Administrator changed the settings").Having(browser.Text("Most records in a batch")))
		}},
		{"stop, from the list", 2, func() {
			page.Open(w.Address + "#/")
			page.Click(browser.Link(console.Households))
			page.Click(browser.Button("Stop"))
			page.See(browser.Text("Stopped. Nobody is sent until it is started again."), browser.Text("It is stopped. Nobody is sent until it is started."))
		}},
		{"and start", 1, func() {
			page.Click(browser.Button("Start"))
			page.See(browser.Button("Stop")) // its run may be over already, and said so
		}},
		{"import a list of numbers, from a connector", 3, func() {
			page.Click(browser.Link("Import now"))
			page.Click(browser.Field("Registrants whose numbers you have"))
			page.Fill(browser.Field("Numbers of registrants"), "12, 14\n15 14")
			page.See(browser.Text("3 registrants, each counted once"))
			page.Click(browser.Button("Import"))
			page.See(browser.Text("The import is opened. Import of 3 listed registrants.")) // it may be over already
		}},
	} {
		if clicks := page.Clicks(c.do); clicks != c.clicks {
			t.Errorf("%s: %d clicks, want %d", c.wish, clicks, c.clicks)
		}
	}
	clean(t, w, page)
}

// A run that ends while one looks says so once, and stands there ended.
func TestARunEndsWhileOneLooks(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	path := "/connectors/" + w.Connectors[console.Fishers]
	registry := w.Registries[console.RegistryOf[console.Fishers]]
	registry.SetDown(true) // it cannot end before somebody looks
	var run struct{ ID string }
	if err := w.As(t.Context(), console.Omar, http.MethodPost, path+"/imports", map[string]any{}, &run); err != nil {
		t.Fatal(err)
	}
	page := signedIn(t, b, w, console.Omar, path+"/runs/"+run.ID)
	open := browser.Text("Under way")
	page.See(open, browser.Heading("Import of everybody whom the connector selects"))
	registry.SetDown(false)
	w.Pass(time.Hour)
	ended := browser.Role("StaticText", "").Like(`^Run finished: [\d,]+ tokenised, [\d,]+ rejected\.$`)
	page.See(ended, browser.Text("Finished"))
	page.Gone(open)
	announced(page, "Run finished:")
	clean(t, w, page)
}

// announced waits until readers hear what begins with a text, in the region for it.
func announced(page *browser.Page, text string) {
	page.Until("it is announced", `document.querySelector("[role=status]").textContent.startsWith("`+text+`")`)
}

// The overview says what keeps a run from going on; it goes, and the run ends, while
// one looks.
func TestAProblemOfAConnectorGoesAndItsRunEnds(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, addressed(t, w, "/connectors/{Pension register}"))
	problem := browser.Link("Change password")
	page.See(problem, browser.Text("Nobody is sent until the problem of the connector is over."))
	w.Registries[console.RegistryOf[console.Pensions]].SetPassword("admin", "admin")
	w.Pass(time.Hour)
	page.Gone(problem)
	page.See(browser.Role("StaticText", "").Like(`^Run finished: [\d,]+ tokenised, [\d,]+ rejected\.$`), browser.Role("StaticText", "").Like("^Everyone who has a VID has been dealt with"))
	announced(page, "Run finished:")
	clean(t, w, page)
}

// The overview of a connector follows its run, and stands still while it is paused. The
// run can be cancelled, which asks.
func TestTheOverviewFollowsARun(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Omar, addressed(t, w, "/connectors/{School meals}"))
	waiting := browser.Link("waiting at MTS")
	page.See(waiting)
	page.Click(browser.Role("DisclosureTriangle", "Batches"))
	page.See(browser.Role("StaticText", "").Like(`^waiting for MTS, due by `))
	page.Click(browser.Button("Pause"))
	page.See(browser.Button("Go on"), browser.Text("These figures stand still until you go on. The run goes on."))
	// What was under way when it was paused may still come; after that, nothing for
	// longer than any wait between two readings.
	browser.Evaluate[any](page, `new Promise((done) => setTimeout(done, 900))`)
	requests := len(page.Addresses())
	browser.Evaluate[any](page, `new Promise((done) => setTimeout(done, 900))`)
	if more := page.Addresses()[requests:]; len(more) > 0 {
		t.Errorf("paused, and it reads %v", more)
	}
	page.Click(browser.Button("Go on"))
	page.See(waiting, browser.Button("Pause"))
	page.Click(waiting)
	cancel := browser.Button("").Like("^Cancel the run: Recurring run")
	page.Click(cancel)
	page.Click(browser.Button("Let it go on"))
	page.Gone(browser.Role("dialog", ""))
	page.Click(cancel)
	page.See(browser.Text("Nobody else is sent. Batches under way are still answered and written."))
	page.Click(browser.Button("Cancel the run").In(browser.Role("dialog", "Cancel the run?")))
	page.See(browser.Text("The run is cancelled. Answers under way are still written."), browser.Text("Ends with the batches under way"))
	page.Gone(cancel)
	page.Until("the focus is not lost", `document.activeElement.matches("h1")`)
	clean(t, w, page)
}

// Start asks again only if the last check failed.
func TestStartAsksAgainAfterAFailedCheck(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Omar, addressed(t, w, "/connectors/{Pension register}"))
	// Its import ends too, so it asks.
	page.Click(browser.Button("Stop"))
	page.See(browser.Text("An import is under way. It ends too; answers under way are still written."))
	page.Click(browser.Button("Stop").In(browser.Role("dialog", "Stop the connector?")))
	page.See(browser.Button("Start"))
	page.Click(browser.Button("Check"))
	page.See(browser.Role("StaticText", "").Like(`^\d+ lines? of the check failed\.$`))
	page.Click(browser.Button("Start"))
	asks := browser.Role("dialog", "Start although the last check failed?")
	page.See(asks, browser.Text("Failed").In(asks))
	page.Press(kb.Escape)
	page.Gone(asks)
	if focus := page.Focused(); focus != `button "Start"` {
		t.Errorf("the focus is on %s", focus)
	}
	page.See(browser.Button("Start"))
	page.Click(browser.Button("Start"))
	page.Click(browser.Button("Start all the same"))
	page.See(browser.Button("Stop"))
	clean(t, w, page)
}

// Deleting asks with the name, is refused while batches are under way with what to do,
// and says on the list what is deleted.
func TestDeletingAConnector(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, addressed(t, w, "/connectors/{School meals}"))
	page.See(browser.Link("waiting at MTS"))
	remove := func(name string) {
		page.Click(browser.Role("DisclosureTriangle", "More"))
		page.Click(browser.Button("Delete"))
		page.Click(browser.Button("Delete").In(browser.Role("dialog", "Delete “"+name+"”?")))
	}
	remove(console.Schools)
	page.See(browser.Role("StaticText", "").Like(`under way\. Stop it, wait until .* answered, then delete\.$`))
	page.Click(browser.Button("Cancel"))
	page.Open(w.Address + "#" + addressed(t, w, "/connectors/{"+console.Fishers+"}"))
	remove(console.Fishers)
	page.See(browser.Heading("Connectors"), browser.Text("“"+console.Fishers+"” is deleted. Tokens that it wrote stay in the registry."), browser.Link(console.Households))
	page.Gone(browser.Link(console.Fishers))
	// Who looks at it now learns that it is gone.
	page.Open(w.Address + "#" + addressed(t, w, "/connectors/{"+console.Fishers+"}/changes"))
	page.See(browser.Text("There is no such connector, or run of it."))
}

// Who may not do something sees the button, and why it does nothing.
func TestAViewerSeesWhyButtonsDoNothing(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, addressed(t, w, "/connectors/{School meals}"))
	for _, name := range []string{"Stop", "Check", "Import now"} {
		s := page.State(browser.Button(name))
		if !s.Disabled || s.Description != "Needs the role operator. Yours is viewer." {
			t.Errorf("%+v", s)
		}
	}
	page.Click(browser.Role("DisclosureTriangle", "More"))
	for _, name := range []string{"Edit", "Copy", "Delete"} {
		s := page.State(browser.Button(name))
		if !s.Disabled || s.Description != "Needs the role administrator. Yours is viewer." {
			t.Errorf("%+v", s)
		}
	}
	page.Size(420, 900)
	if inside := browser.Evaluate[bool](page, `(({ left, right }) => left >= 0 && right <= innerWidth)(document.querySelector("main details[open] > div").getBoundingClientRect())`); !inside {
		t.Error("the menu stands out of a narrow page")
	}
	page.Open(w.Address + "#" + addressed(t, w, "/connectors/{School meals}/imports"))
	if s := page.State(browser.Button("Import")); !s.Disabled {
		t.Errorf("%+v", s)
	}
	clean(t, w, page)
}

// An import says what is wrong with it where that was typed, and nothing is sent.
func TestAnImportThatCannotBe(t *testing.T) {
	built(t)
	w, b := started(t, still), browser.Start(t)
	page := signedIn(t, b, w, console.Omar, addressed(t, w, "/connectors/{"+console.Fishers+"}/imports"))
	page.Click(browser.Field("Registrants whose numbers you have"))
	page.Click(browser.Button("Import"))
	page.See(browser.Text("Paste the numbers of the registrants."))
	numbers := browser.Field("Numbers of registrants")
	page.Fill(numbers, "12 Ali 13")
	page.Click(browser.Button("Import"))
	page.See(browser.Text("Not a number of a registrant: Ali. Correct or remove it."))
	if s := page.State(numbers); !s.Invalid || !strings.Contains(s.Description, "Ali") || s.Value != "12 Ali 13" {
		t.Errorf("%+v", s)
	}
	page.Click(browser.Field("Whom a filter of its own selects"))
	filter := browser.Field("Filter")
	page.Fill(filter, `[["name" "="]]`)
	page.Click(browser.Button("Import"))
	page.Until("the filter is wrong", `document.querySelector("textarea[aria-invalid=true]") !== null`)
	if s := page.State(filter); !strings.Contains(s.Value, "name") || s.Description == "" {
		t.Errorf("%+v", s)
	}
	var list struct{ Imports []any }
	ask(t, w, "/connectors/"+w.Connectors[console.Fishers]+"/imports", &list)
	if len(list.Imports) > 0 {
		t.Errorf("it was opened: %v", list.Imports)
	}
	for _, address := range append(page.Addresses(), page.Address()) {
		if strings.Contains(address, "Ali") {
			t.Errorf("what was typed is in %s", address)
		}
	}
}

// Before the first connector, and until it was started, three steps lead on.
func TestTheFirstRun(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{Empty: true}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/")
	page.See(browser.Text("There is no connector yet. Three steps lead to the first tokens."), browser.Link("Tell it where the registry and MTS are"), browser.Text("To do now"))
	for _, violation := range page.Violations(axe(t)) {
		t.Error(violation)
	}
	page.Screenshot(picture(t, "first-run"))
	var made struct{ ID string }
	if err := w.As(t.Context(), console.Ada, http.MethodPost, "/connectors", console.Configuration("First", console.MTS, console.Fresh), &made); err != nil {
		t.Fatal(err)
	}
	page.Click(browser.Link("First"))
	page.See(browser.Text("Not started"), browser.Text("It was never started. Two steps lead to the first tokens."), browser.Text("Done"), browser.Text("To do now"), browser.Text("Afterwards"))
	page.Click(browser.Button("Check"))
	page.See(browser.Text("The check found nothing that keeps it from working."))
	page.Gone(browser.Text("Afterwards"))
	for _, violation := range page.Violations(axe(t)) {
		t.Error(violation)
	}
	page.Click(browser.Button("Start"))
	page.See(browser.Role("StaticText", "").Like("^The last run ended "))
	clean(t, w, page)
}

// The key ? lists the shortcuts, which can be switched off; none of them is taken from
// who types.
func TestShortcuts(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, "/")
	list := browser.Role("dialog", "Keyboard shortcuts")
	search := browser.Field("Registrant number")
	page.Press("?")
	page.See(list)
	page.Press(kb.Escape)
	page.Gone(list)
	page.Press("/", "?")
	if s := page.State(search); s.Value != "?" || page.Count(list) > 0 {
		t.Errorf("typed %q, and %d lists", s.Value, page.Count(list))
	}
	page.Click(browser.Button("Keyboard shortcuts"))
	page.Click(browser.Field("Use / and ?"))
	page.Press(kb.Escape)
	page.Gone(list)
	page.Press("?", "/")
	if page.Count(list) > 0 || page.State(search).Focused {
		t.Error("a shortcut that is switched off works")
	}
	clean(t, w, page)
}

// The page of the API has a command for each call.
func TestCommandsOfTheAPI(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, "/")
	page.Click(browser.Link("API"))
	page.Click(browser.Role("DisclosureTriangle", "Command for GET /connectors/{id}/runs"))
	page.See(browser.Role("region", "GET /connectors/{id}/runs"))
	command := browser.Evaluate[string](page, `document.querySelector("details[open] pre").textContent`)
	if !strings.Contains(command, `"$API/connectors/$CONNECTOR/runs"`) || !strings.Contains(command, "$TOKEN") {
		t.Error(command)
	}
	clean(t, w, page)
}

// What the last run came to is one figure, wherever it stands: who was rejected unsent
// counts, too.
func TestTheLastRunHasTheSameFiguresEverywhere(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, addressed(t, w, "/connectors/{"+console.Fishers+"}"))
	told := browser.Role("StaticText", "").Like(`^\s*Tokenised: `)
	page.Until("above and in the history", `document.querySelector("main").innerText.split("Tokenised: ").length > 2`)
	figures := page.Names(told)
	for _, one := range figures {
		if strings.TrimSpace(one) != strings.TrimSpace(figures[0]) {
			t.Errorf("one run has the figures %q", figures)
		}
	}
	clean(t, w, page)
}
