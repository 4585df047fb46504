package console_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
	"openg2p.org/mts-connector/infra/simulators/centralsim"
)

// chooseODK makes a form one of a connector of ODK.
func chooseODK(page *browser.Page) {
	page.Click(browser.Role("radio", "ODK Central"))
	page.See(browser.Field("ODK OData URL"))
}

// fillInODK types what a connector of ODK needs besides.
func fillInODK(page *browser.Page) {
	for _, field := range [][2]string{
		{"ODK Base URL", "http://" + console.Central},
		{"ODK OData URL", console.Form},
		{"ODK User email", centralsim.DemoUser},
		{"ODK User password", centralsim.DemoPassword},
	} {
		page.Fill(browser.Field(field[0]), field[1])
	}
	for _, field := range [][2]string{
		{"Full name", "person.name"},
		{"Gender", "person.gender"},
		{"Date of birth", "person.dob"},
		{"Phone number", "person.phone"},
		{"E-mail address", "person.email"},
		{"Full address", "where.address"},
	} {
		page.Fill(browser.Field(field[0]).In(form), field[1])
	}
}

// From nothing to registrants of submissions: the form, a check and a preview of the
// draft, the run, and what was rejected.
func TestTheFirstODKConnectorRunsFromTheForm(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{Empty: true}), browser.Start(t)
	w.Centrals[console.Central].Populate(100, 3)
	page := signedIn(t, b, w, console.Ada, "/")
	page.Click(browser.Link("Tell it where the registry and MTS are"))
	chooseODK(page)
	fillIn(page, "First survey")
	fillInODK(page)
	page.Click(browser.Button("Check the form"))
	page.See(browser.Text("The check found nothing that keeps it from working."))
	page.Click(browser.Button("Preview"))
	page.See(browser.Role("table", "The newest submissions, as MTS would get them"))
	if shown := browser.Evaluate[bool](page, `[...document.querySelectorAll("table.cards th[scope=row]")].every((one) => /^uuid:\S+\s+\S/.test(one.innerText))`); !shown {
		t.Error("the preview does not tell submissions and when they came")
	}
	if whole := browser.Evaluate[bool](page, `/\b\d{16}\b/.test(document.querySelector("table.cards").innerText)`); whole {
		t.Error("a whole VID is shown")
	}
	page.Click(save)
	page.See(browser.Text("Saved, not started."))
	page.Click(browser.Button("Start"))
	page.Until("its submissions are done", `/[1-9]\d* tokenised/.test(document.querySelector("main").innerText) || /Tokenised: [1-9]/.test(document.querySelector("main").innerText)`)
	made := called(t, w, "First survey")
	if len(made) != 1 || made[0].Status != "running" || len(made[0].Problems) > 0 {
		t.Fatalf("%+v", made)
	}
	page.See(browser.Role("StaticText", "").Like("^What ODK Central received before .* is done"))
	page.Click(browser.Link("Rejections"))
	page.See(browser.Role("StaticText", "").Like(`^\d+ submissions are rejected\.$`))
	page.Click(browser.Link("Show all in one list"))
	page.See(browser.Role("rowheader", "").Like("^uuid:"))
	clean(t, w, page)
}

// Only what counts for the source is in the form, and its fields lead back to it.
func TestTheSourceOfAFormIsSwitched(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/new")
	filters, direct := browser.Field("Filters to apply to Registry"), browser.Role("radio", "An address of your own (direct callback)")
	page.See(filters, direct)
	chooseODK(page)
	page.Gone(filters)
	page.Gone(direct)
	fillIn(page, "Half typed")
	page.Fill(browser.Field("ODK User email"), centralsim.DemoUser)
	page.Click(save)
	wrong := browser.Role("group", "").Like(`^\d+ fields need a look\. Nothing was saved\.$`)
	page.See(wrong)
	for name, field := range map[string]string{
		"ODK Base URL is required":      "ODK Base URL",
		"ODK OData URL is required":     "ODK OData URL",
		"ODK User password is required": "ODK User password",
	} {
		page.Click(browser.Link("").Like("^" + name).In(wrong))
		if s := page.State(browser.Field(field)); !s.Focused || !s.Invalid {
			t.Errorf("%s: %+v", field, s)
		}
	}
	page.Click(browser.Role("radio", "OpenG2P registry"))
	page.See(filters, direct)
	page.Gone(browser.Field("ODK OData URL"))
	if made := called(t, w, "Half typed"); len(made) > 0 {
		t.Errorf("%+v", made)
	}
	clean(t, w, page)
}

// What is stored can be saved as it is; who changes where Central is gives the password
// again.
func TestSettingsOfODKAreChanged(t *testing.T) {
	built(t)
	w, b := started(t, still), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, settings(w, console.Surveys))
	page.Fill(browser.Field("Name"), "Renamed")
	page.Click(save)
	page.See(browser.Role("StaticText", "").Like("^Saved"))
	if s := page.State(browser.Field("ODK User password")); s.Value != "" {
		t.Error("a password is in the form")
	}
	page.Fill(browser.Field("ODK User email"), "other@example.org")
	page.Click(save)
	again := browser.Role("link", "").Like("^ODK User password ")
	page.See(again)
	page.Click(again)
	page.Press(centralsim.DemoPassword)
	page.Click(save)
	page.See(browser.Role("StaticText", "").Like("^Saved"))
	var now struct {
		Name string
		ODK  struct{ Email string }
	}
	ask(t, w, "/connectors/"+w.Connectors[console.Surveys], &now)
	if now.Name != "Renamed" || now.ODK.Email != "other@example.org" {
		t.Errorf("%+v", now)
	}
	clean(t, w, page)
}

// A window of time is imported, in the zone of the page.
func TestAWindowIsImported(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Omar, "/connectors/"+w.Connectors[console.Surveys]+"/imports")
	page.Click(browser.Role("radio", "Submissions that Central received within a time"))
	page.Click(browser.Button("Import"))
	page.See(browser.Text("Give both times."))
	set := func(end int, value string) {
		browser.Evaluate[any](page, fmt.Sprintf(`(() => {
			const field = document.querySelectorAll("input[type=datetime-local]")[%d];
			field.value = %q;
			field.dispatchEvent(new Event("input", { bubbles: true }));
		})()`, end, value))
	}
	set(0, "2026-01-02T00:00")
	set(1, "2026-01-01T00:00")
	page.Click(browser.Button("Import"))
	page.Until("the end is wrong", `document.querySelector("input[aria-invalid=true]") !== null && document.querySelector(".error p") !== null`)
	set(1, "2099-01-01T00:00")
	page.Click(browser.Button("Import"))
	page.See(browser.Role("StaticText", "").Like("^The import is opened. Import of what Central received: "))
	var list struct {
		Imports []struct {
			Selection struct {
				Window struct{ From, To string }
			}
		}
	}
	ask(t, w, "/connectors/"+w.Connectors[console.Surveys]+"/imports", &list)
	if len(list.Imports) != 2 || list.Imports[0].Selection.Window.From == "" {
		t.Errorf("%+v", list)
	}
	clean(t, w, page)
}

// A rejected submission is found by its id, and some are tried again by theirs.
func TestSubmissionsAreTriedAgain(t *testing.T) {
	built(t)
	w, b := started(t, still), browser.Start(t)
	page := signedIn(t, b, w, console.Omar, "/connectors/"+w.Connectors[console.Surveys]+"/rejections?kind=invalid")
	one := browser.Role("checkbox", "").Like("^Select uuid:")
	page.See(one)
	browser.Evaluate[any](page, `document.querySelectorAll("tbody input[type=checkbox]")[0].click()`)
	page.Click(browser.Button("Try again: 1 selected"))
	page.See(browser.Text("Send 1 submission again?"))
	page.Click(browser.Button("Try again").In(browser.Role("dialog", "Try again")))
	page.See(browser.Role("StaticText", "").Like("^1 submission is tried again"))
	page.Press(kb.Escape)
	id := browser.Evaluate[string](page, `document.querySelectorAll("tbody th .whole")[1].textContent`)
	page.Click(browser.Role("DisclosureTriangle", "Filter"))
	page.Fill(browser.Field("Submission ID"), " "+id+" ")
	page.Press(kb.Enter)
	page.See(browser.Link("Remove the filter: submission "+id), browser.Text("That is all: 1."), one)
	page.Reload()
	page.See(browser.Text("That is all: 1."))
	clean(t, w, page)
}

// The list tells where submissions come from, and what keeps a connector of ODK from
// working leads to its fields.
func TestAProblemAtCentral(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/")
	page.See(browser.Row(console.Surveys).Having(browser.Role("StaticText", "").Like(centralsim.DemoForm)))
	w.Centrals[console.Central].SetPassword(centralsim.DemoUser, "another password 1")
	w.Centrals[console.Central].EndSessions()
	path := "/connectors/" + w.Connectors[console.Surveys]
	if err := w.As(t.Context(), console.Omar, http.MethodPost, path+"/imports", map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	page.Open(w.Address + "#" + path)
	page.Click(browser.Link("Change the ODK settings"))
	page.Until("the field has the focus", `document.activeElement?.id === "field-odk-base_url"`)
	clean(t, w, page)
}
