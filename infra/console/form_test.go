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

// stored is what the API shows of a connector.
type stored struct {
	ID, Name        string
	Version         int
	Status          string
	IntervalMinutes int `json:"interval_minutes"`
	BatchMaximum    int `json:"batch_maximum"`
	WidthMaximum    int `json:"width_maximum"`
	Fields          []string
	Problems        map[string]any
}

func read(t *testing.T, w *console.World, id string) (c stored) {
	t.Helper()
	if err := w.As(t.Context(), console.Ada, http.MethodGet, "/connectors/"+id, nil, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// called are the connectors of a name.
func called(t *testing.T, w *console.World, name string) (found []stored) {
	t.Helper()
	var all struct{ Connectors []stored }
	if err := w.As(t.Context(), console.Ada, http.MethodGet, "/connectors?limit=100", nil, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all.Connectors {
		if c.Name == name {
			found = append(found, c)
		}
	}
	return found
}

func settings(w *console.World, name string) string {
	return "/connectors/" + w.Connectors[name] + "/settings"
}

// fillIn types what a new connector needs, the registry's password among it.
func fillIn(page *browser.Page, name string) {
	for _, field := range [][2]string{
		{"Name", name},
		{"URL to reach MTS", "https://" + console.MTS},
		{"Address of the registry", "https://" + console.Fresh},
		{"Database", "g2p"},
		{"User", "admin"},
		{"Password", "admin"},
	} {
		page.Fill(browser.Field(field[0]), field[1])
	}
}

var (
	form = browser.Role("form", "")
	save = browser.Button("Save")
)

func TestTheFirstConnectorRunsAfterFourClicks(t *testing.T) {
	w, b := started(t, console.Options{Empty: true}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/")
	clicks := page.Clicks(func() {
		page.Click(browser.Link("Tell it where the registry and MTS are"))
		fillIn(page, "First registry")
		page.Click(browser.Button("Check the form"))
		page.See(browser.Text("The check found nothing that keeps it from working."))
		page.Click(save)
		page.See(browser.Text("Saved, not started."))
		page.Click(browser.Button("Start"))
		page.Until("it has a token for each who is well", `/[1-9]\d* tokenised/.test(document.querySelector("main").innerText)`)
	})
	if clicks != 4 {
		t.Errorf("%d clicks", clicks)
	}
	if made := called(t, w, "First registry"); len(made) != 1 || made[0].Status != "running" || len(made[0].Problems) > 0 {
		t.Errorf("%+v", made)
	}
	clean(t, w, page)
}

func TestThePasswordIsCorrectedInThreeClicks(t *testing.T) {
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/")
	clicks := page.Clicks(func() {
		page.Click(browser.Link(console.Pensions))
		page.Click(browser.Link("Change password"))
		page.Until("the field has the focus", `document.activeElement?.type === "password"`)
		page.Press("another")
		page.Click(save)
		page.See(browser.Text("Saved. It takes effect with the next batch."))
	})
	if clicks != 3 {
		t.Errorf("%d clicks", clicks)
	}
	page.Until("the problem is gone", `!document.querySelector("main").innerText.includes("Needs you")`)
	if typed := page.State(browser.Field("Password")).Value; typed != "" {
		t.Error("the password is still in the form")
	}
	clean(t, w, page)
}

// Everything that is wrong is told at once, with links to the fields, where it is told
// again.
func TestAllErrorsAreToldAtOnce(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/new")
	page.Fill(browser.Field("List of fields to be used"), "id, given_name, first-name")
	page.Fill(browser.Field("Gender").In(form), "gender | nothing")
	page.Click(browser.Role("radio", "Recurring, daily at a time"))
	page.Click(browser.Role("radio", "An address of your own (direct callback)"))
	page.Click(save)
	wrong := browser.Role("group", "").Like(`^\d+ fields need a look\. Nothing was saved\.$`)
	page.See(wrong)
	if at := page.Focused(); at != `group "`+page.State(wrong).Name+`"` {
		t.Errorf("the focus is on %s", at)
	}
	for name, field := range map[string]string{
		"Name is required":                    "Name",
		"URL to reach MTS is required":        "URL to reach MTS",
		"Address of the registry is required": "Address of the registry",
		"Database is required":                "Database",
		"User is required":                    "User",
		"Callback URL is required":            "Callback URL",
	} {
		page.Click(browser.Link(name).In(wrong))
		if s := page.State(browser.Field(field)); !s.Focused || !s.Invalid {
			t.Errorf("%s: %+v", field, s)
		} else if want := name; !strings.Contains(s.Description, want) {
			t.Errorf("%s is described by %q", field, s.Description)
		}
	}
	for _, about := range []string{"^first-name is not the name of a field", "^Gender ", "^Time of day must be a time of day"} {
		page.See(browser.Role("link", "").Like(about).In(wrong))
	}
	if made := called(t, w, ""); len(made) > 0 {
		t.Errorf("%+v", made)
	}
	clean(t, w, page)
}

// What is wrong is told when a field is left, and is gone when it is right; what is
// only missing is no error before somebody saves.
func TestAFieldThatIsLeftIsChecked(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/new")
	interval := browser.Field("Interval in minutes")
	page.Focus(browser.Field("Name"))
	page.Press(kb.Tab)
	page.Fill(interval, "0")
	page.Press(kb.Tab)
	told := browser.Role("StaticText", "").Like("must be from 1 to 10080")
	page.See(told)
	if s := page.State(interval); !s.Invalid || !strings.Contains(s.Description, "must be from 1 to 10080") {
		t.Errorf("%+v", s)
	}
	if s := page.State(browser.Field("Name")); s.Invalid {
		t.Error("a name that is still missing is told as an error")
	}
	page.Fill(interval, "٣٠") // 30
	page.Press(kb.Tab)
	page.Gone(told)
	page.Fill(browser.Field("Date of birth").In(form), "birthdate | todate")
	page.Press(kb.Tab)
	page.See(browser.Role("StaticText", "").Like("^Probably not meant:"))
	if s := page.State(browser.Field("Date of birth").In(form)); s.Invalid {
		t.Error("a warning is told as an error")
	}
	clean(t, w, page)
}

func TestAConflictIsSettledFieldByField(t *testing.T) {
	w, b := started(t, console.Options{}), browser.Start(t)
	id := w.Connectors[console.Fishers]
	page := signedIn(t, b, w, console.Ada, settings(w, console.Fishers))
	page.Fill(browser.Field("Interval in minutes"), "45")
	page.Fill(browser.Field("List of fields to be used"), "id, given_name, family_name, birthdate, gender, address")
	if err := w.Change(t.Context(), console.Ada, console.Fishers, func(c map[string]any) {
		c["interval_minutes"], c["width_maximum"], c["batch_maximum"] = 30, 8, 700
	}); err != nil {
		t.Fatal(err)
	}
	page.Click(save)
	conflict := browser.Role("region", "Ada Administrator changed this while you edited")
	page.See(conflict)
	if at := page.Focused(); at != `region "Ada Administrator changed this while you edited"` {
		t.Errorf("the focus is on %s", at)
	}
	settle := browser.Button("Save with these choices")
	if s := page.State(settle); !s.Disabled || s.Description != "1 field is still to be chosen." {
		t.Errorf("%+v", s)
	}
	page.Click(browser.Role("radio", "Keep mine").In(browser.Role("group", "Interval in minutes").In(conflict)))
	page.Click(browser.Role("radio", "Keep mine").In(browser.Role("group", "Most batches at once").In(conflict)))
	page.Click(settle)
	page.See(browser.Text("Saved."))
	page.Gone(conflict)
	if now := read(t, w, id); now.IntervalMinutes != 45 || now.WidthMaximum != 16 || now.BatchMaximum != 700 || len(now.Fields) != 6 {
		t.Errorf("%+v", now)
	}
	clean(t, w, page)
}

// A session that ends in mid-form takes nothing of what was typed, a password neither.
func TestASessionThatEndsInMidForm(t *testing.T) {
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/new")
	fillIn(page, "Typed before")
	if err := w.EndSessions(t.Context()); err != nil {
		t.Fatal(err)
	}
	page.Click(save)
	over := browser.Text("You were away for a while. Sign in again; what you typed is still here.")
	page.See(over, browser.Role("StaticText", "").Like("^Nothing was saved, because your session is over"))
	other := page.Opens(func() { page.Click(browser.Link("Sign in")) })
	other.Click(browser.Button("Administrator"))
	other.See(browser.Heading("You are signed in"))
	page.Gone(over)
	if s := page.State(browser.Field("Name")); s.Value != "Typed before" {
		t.Errorf("%+v", s)
	}
	page.Click(save)
	page.See(browser.Text("Saved, not started."))
	if made := called(t, w, "Typed before"); len(made) != 1 {
		t.Errorf("%+v", made)
	}
	clean(t, w, page)
}

// losing lets the page lose the reply of the next request of a method to a path.
func losing(page *browser.Page, method, path string) {
	browser.Evaluate[any](page, `{
		const real = fetch;
		globalThis.fetch = async (address, init) => {
			const reply = await real(address, init);
			if (init?.method !== "`+method+`" || !String(address).includes("`+path+`")) return reply;
			globalThis.fetch = real;
			throw new TypeError("the network is away");
		};
	}`)
}

// A reply that is lost leaves one connector, not two.
func TestALostReplySavesNothingTwice(t *testing.T) {
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/new")
	fillIn(page, "Saved unseen")
	losing(page, "POST", "/connectors")
	page.Click(save)
	page.See(browser.Role("StaticText", "").Like("^No reply came, so it may or may not have been saved"))
	page.Click(save)
	page.See(browser.Role("StaticText", "").Like("^There is a connector of this name"))
	if made := called(t, w, "Saved unseen"); len(made) != 1 {
		t.Errorf("%+v", made)
	}
}

// Nor is a change that was saved unseen taken for somebody else's.
func TestAChangeWhoseReplyIsLost(t *testing.T) {
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, settings(w, console.Fishers))
	before := read(t, w, w.Connectors[console.Fishers])
	page.Fill(browser.Field("Interval in minutes"), "45")
	losing(page, "PUT", "/connectors")
	page.Click(save)
	page.See(browser.Role("StaticText", "").Like("^No reply came, so it may or may not have been saved"))
	page.Click(save)
	page.See(browser.Text("Saved."))
	if now := read(t, w, before.ID); now.IntervalMinutes != 45 || now.Version != before.Version+1 {
		t.Errorf("%+v", now)
	}
}

// What is typed is not lost by a link, by going back, or by a search.
func TestLeavingAFormAsks(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/connectors")
	page.Click(browser.Link("New connector"))
	page.See(browser.Heading("New connector"))
	asks := browser.Role("dialog", "Leave without saving?")
	page.Click(browser.Link("Connectors").In(browser.Role("navigation", "Main")))
	page.See(browser.Heading("Connectors")) // nothing was typed
	page.Back()
	page.See(browser.Heading("New connector"))
	page.Fill(browser.Field("Name"), "Half typed")
	for what, leave := range map[string]func(){
		"a link": func() { page.Click(browser.Link("Connectors").In(browser.Role("navigation", "Main"))) },
		"back":   func() { browser.Evaluate[any](page, "history.back()") },
		"search": func() { page.Fill(browser.Field("Registrant number"), "4711"); page.Press(kb.Enter) },
	} {
		leave()
		page.See(asks)
		page.Press(kb.Escape)
		page.Gone(asks)
		if at := page.Address(); at != w.Address+"#/new" {
			t.Errorf("%s: %s", what, at)
		}
		if s := page.State(browser.Field("Name")); s.Value != "Half typed" {
			t.Errorf("%s: %+v", what, s)
		}
	}
	browser.Evaluate[any](page, "history.back()")
	page.Click(browser.Button("Leave without saving"))
	page.See(browser.Heading("Connectors"))
	clean(t, w, page)
}

// A preview shows who would be sent, with masked VIDs, and leaves nothing behind.
func TestAPreviewIsShownOnce(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Omar, settings(w, console.Households))
	page.Click(browser.Button("Preview"))
	page.See(browser.Role("table", "The first registrants, as MTS would get them"))
	if masked := browser.Evaluate[bool](page, `[...document.querySelectorAll("table.cards dd")].some((one) => /^•{6}\d{4}$/.test(one.innerText))`); !masked {
		t.Error("no masked VID is shown")
	}
	if whole := browser.Evaluate[bool](page, `/\d{16}/.test(document.querySelector("table.cards").innerText)`); whole {
		t.Error("a whole VID is shown")
	}
	clean(t, w, page)
}

// Who may not change a connector reads the form, and sees why; an operator may check
// what is stored.
func TestTheFormByRole(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	for person, role := range map[console.Person]string{console.Vera: "viewer", console.Omar: "operator"} {
		page := signedIn(t, b, w, person, settings(w, console.Households))
		why := "Needs the role administrator. Yours is " + role + "."
		page.See(browser.Role("StaticText", "").Like("^You can read this, and not change it"))
		if s := page.State(save); !s.Disabled || !strings.Contains(s.Description, why) {
			t.Errorf("%s: %+v", role, s)
		}
		page.Focus(browser.Field("Name"))
		page.Press("typed")
		if s := page.State(browser.Field("Name")); s.Value != console.Households {
			t.Errorf("%s: %+v", role, s)
		}
		if s := page.State(browser.Button("Check the form")); s.Disabled != (person == console.Vera) {
			t.Errorf("%s: %+v", role, s)
		}
		if open := browser.Evaluate[int](page, `document.querySelectorAll("form :is(select, input[type=radio], input[type=checkbox]):not(:disabled)").length`); open > 0 {
			t.Errorf("%s may choose in %d places", role, open)
		}
		anew(page, w, "/new")
		page.See(browser.Text(why))
		if page.Count(save) > 0 {
			t.Errorf("%s may save a new connector", role)
		}
		clean(t, w, page)
	}
}

// While batches are open, their answers belong where they were sent from: the fields that
// say where that is cannot be changed, and say why. Others can.
func TestFieldsAreLockedWhileBatchesAreOpen(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, settings(w, console.Schools))
	why := browser.Role("StaticText", "").Like(`^It cannot be changed now: \d+ batch(es are| is) under way`)
	page.See(why)
	for _, name := range []string{"Address of the registry", "Database"} {
		field := browser.Field(name)
		before := page.State(field)
		page.Focus(field)
		page.Press("typed")
		if s := page.State(field); s.Value != before.Value || !strings.Contains(s.Description, "It cannot be changed now") {
			t.Errorf("%s: %+v", name, s)
		}
	}
	direct := browser.Role("radio", "An address of your own (direct callback)")
	if s := page.State(direct); !s.Disabled {
		t.Errorf("%+v", s)
	}
	page.Fill(browser.Field("Interval in minutes"), "45")
	page.Click(save)
	page.See(browser.Text("Saved. It takes effect with the next batch."))
	// Nothing more is sent, and what was sent is lost after a while.
	if err := w.As(t.Context(), console.Omar, http.MethodPost, "/connectors/"+w.Connectors[console.Schools]+"/stop", nil, nil); err != nil {
		t.Fatal(err)
	}
	w.MTS[console.SlowMTS].Restart()
	w.Pass(time.Hour)
	page.Gone(why)
	page.Fill(browser.Field("Database"), "another")
	page.Click(direct)
	if s := page.State(direct); !s.Checked {
		t.Errorf("%+v", s)
	}
	if now := read(t, w, w.Connectors[console.Schools]); now.IntervalMinutes != 45 {
		t.Errorf("%+v", now)
	}
	clean(t, w, page)
}

// A copy has everything but the name and secrets.
func TestACopyAsksForThePassword(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/new?from="+w.Connectors[console.Households])
	page.See(browser.Heading("Copy of a connector"))
	if s := page.State(browser.Field("Name")); s.Value != "Copy of "+console.Households {
		t.Errorf("%+v", s)
	}
	page.Click(browser.Role("DisclosureTriangle", "Advanced"))
	if s := page.State(browser.Field("Most records in a batch")); s.Value != "500" {
		t.Errorf("%+v", s)
	}
	page.Click(save)
	page.See(browser.Role("link", "").Like("^Password is required"))
	clean(t, w, page)
}
