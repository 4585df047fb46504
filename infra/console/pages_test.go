package console_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
)

// view is a page as somebody sees it.
type view struct {
	name string // of its pictures
	as   console.Person
	// at is its address behind #. {Household registry} stands for the id of that
	// connector, {registrant} for somebody whom that of households has rejected, {run} for
	// the first run of that of schools, {survey} for that of surveys.
	at string
	// see is there when it is ready, in English.
	see []browser.Element
	// prepare does what is needed to see it, once per language. It finds elements by
	// role, because their names are in any language.
	prepare func(*browser.Page)
	// picture is the one in infra/pictures, if there is one, and how high it is.
	picture string
	height  int64
}

// pictures is for who changed what the pictures of README.md and infra/operators.md show,
// and, without the last part of -run, for who wants to see all views:
//
//	go test ./infra/console -run '^TestEveryPage$/^pictured' -pictures
var pictures = flag.Bool("pictures", false, "renew the pictures in infra/pictures, and make those of all views in .cache/console")

// pictured is where the picture of a view for the documents is written.
func (v view) pictured(t *testing.T) string {
	t.Helper()
	if *pictures {
		return filepath.Join(root(t), "infra/pictures", v.picture+".png")
	}
	return picture(t, "pictured", v.picture)
}

// views are all pages that there are. A new page is a new line.
var views = []view{
	{name: "pictured-list", picture: "list", height: 460, as: console.Ada, at: "/", see: []browser.Element{browser.Heading("Connectors"), browser.Link(console.Households), browser.Link("New connector")}},
	{name: "connectors-viewer", as: console.Vera, at: "/connectors", see: []browser.Element{browser.Link(console.Fishers)}},
	{name: "overview-stopped", as: console.Omar, at: "/connectors/{سجل الصيادين}"},
	{name: "new", as: console.Ada, at: "/new"},
	{name: "new-refused", as: console.Ada, at: "/new", prepare: func(page *browser.Page) {
		browser.Evaluate[any](page, `document.querySelector(".save button").click()`)
		page.Until("what is wrong is told", `document.querySelector("[aria-labelledby=wrong] li") !== null`)
	}},
	{name: "settings-viewer", as: console.Vera, at: "/connectors/{Household registry}/settings"},
	{name: "settings-previewed", as: console.Omar, at: "/connectors/{Household registry}/settings", prepare: func(page *browser.Page) {
		browser.Evaluate[any](page, `document.querySelectorAll("aside .actions button")[1].click()`)
		page.Until("the preview", `document.querySelector("table.cards") !== null`)
	}},
	{name: "settings", as: console.Ada, at: "/connectors/{Household registry}/settings"},
	{name: "pictured-rejections", picture: "rejections", height: 900, as: console.Omar, at: "/connectors/{Household registry}/rejections"},
	{name: "pictured-form", picture: "form", height: 980, as: console.Ada, at: "/connectors/{Household registry}/settings", prepare: func(page *browser.Page) {
		browser.Evaluate[any](page, `document.querySelectorAll("aside .actions button")[0].click()`)
		page.Until("the check is over", `document.querySelector("[role=status]").textContent !== ""`)
	}},
	{name: "rejections-list", as: console.Omar, at: "/connectors/{Household registry}/rejections?kind=invalid"},
	{name: "rejections-retry", as: console.Omar, at: "/connectors/{Household registry}/rejections", prepare: func(page *browser.Page) {
		browser.Evaluate[any](page, `document.querySelectorAll(".row-actions button")[1].click()`)
		page.Until("the question", `document.querySelector("dialog strong") !== null`)
	}},
	{name: "duplicates", as: console.Omar, at: "/connectors/{Household registry}/duplicates"},
	{name: "pictured-registrant", picture: "registrant", height: 700, as: console.Omar, at: "/connectors/{Household registry}/registrants/{registrant}"},
	{name: "registrant-asked", as: console.Omar, at: "/connectors/{Household registry}/registrants/{registrant}", prepare: func(page *browser.Page) {
		browser.Evaluate[any](page, `[...document.querySelectorAll("main .actions")].at(-1).querySelectorAll("button")[1].click()`)
		page.Until("the registry's answer", `document.querySelectorAll(".lines li").length >= 6`)
	}},
	{name: "registrant-anywhere", as: console.Vera, at: "/registrants/{registrant}"},
	{name: "overview", as: console.Ada, at: "/connectors/{Household registry}", see: []browser.Element{browser.Heading(console.Households), browser.Heading("Most frequent rejections"), browser.Heading("History")}},
	{name: "overview-problem", as: console.Vera, at: "/connectors/{Pension register}", see: []browser.Element{browser.Link("Change password")}},
	{name: "pictured-run", picture: "run", height: 980, as: console.Omar, at: "/connectors/{School meals}", see: []browser.Element{browser.Button("Pause")}, prepare: func(page *browser.Page) {
		page.Until("the batches", `(document.querySelector("details.disclosure:not([open]) > summary")?.click(), document.querySelectorAll("details.disclosure tbody tr").length > 0)`)
	}},
	{name: "delete", as: console.Ada, at: "/connectors/{Household registry}", prepare: func(page *browser.Page) {
		page.Until("the menu", `(document.querySelector(".head summary")?.click(), document.querySelector(".head details button")?.click(), document.querySelector("dialog[open]") !== null)`)
	}},
	{name: "runs", as: console.Vera, at: "/connectors/{Household registry}/runs", see: []browser.Element{browser.Link("").Like("2026|20")}},
	{name: "run", as: console.Omar, at: "/connectors/{School meals}/runs/{run}", see: []browser.Element{browser.Heading("Pace"), browser.Heading("Who was looked at")}},
	{name: "imports", as: console.Omar, at: "/connectors/{Household registry}/imports", see: []browser.Element{browser.Heading("All imports")}, prepare: func(page *browser.Page) {
		page.Until("the list is chosen", `(document.querySelectorAll("input[type=radio]")[1]?.click(), document.querySelector("textarea") !== null)`)
	}},
	{name: "changes", as: console.Vera, at: "/connectors/{Household registry}/changes", see: []browser.Element{browser.Text("Ada Administrator")}},
	{name: "odk-new", as: console.Ada, at: "/new?from={Field registration}", see: []browser.Element{browser.Field("ODK OData URL")}},
	{name: "odk-settings-checked", as: console.Omar, at: "/connectors/{Field registration}/settings", prepare: func(page *browser.Page) {
		browser.Evaluate[any](page, `document.querySelectorAll("aside .actions button")[0].click()`)
		page.Until("the check is over", `document.querySelector("[role=status]").textContent !== ""`)
	}},
	{name: "odk-settings-previewed", as: console.Omar, at: "/connectors/{Field registration}/settings", prepare: func(page *browser.Page) {
		browser.Evaluate[any](page, `document.querySelectorAll("aside .actions button")[1].click()`)
		page.Until("the preview", `document.querySelector("table.cards") !== null`)
	}},
	{name: "odk-overview", as: console.Ada, at: "/connectors/{Field registration}", see: []browser.Element{browser.Heading(console.Surveys), browser.Role("StaticText", "").Like("^What ODK Central received before ")}},
	{name: "odk-run", as: console.Vera, at: "/connectors/{Field registration}/runs/{survey}", see: []browser.Element{browser.Heading("Submissions to look at"), browser.Heading("What was looked at")}, prepare: func(page *browser.Page) {
		page.Until("the batches", `(document.querySelector("details.disclosure:not([open]) > summary")?.click(), document.querySelectorAll("details.disclosure tbody tr").length > 0)`)
	}},
	{name: "odk-imports", as: console.Omar, at: "/connectors/{Field registration}/imports", see: []browser.Element{browser.Heading("All imports")}, prepare: func(page *browser.Page) {
		page.Until("the window is chosen", `(document.querySelectorAll("input[type=radio]")[1]?.click(), document.querySelector("input[type=datetime-local]") !== null)`)
	}},
	{name: "odk-rejections", as: console.Omar, at: "/connectors/{Field registration}/rejections"},
	{name: "odk-rejections-list", as: console.Omar, at: "/connectors/{Field registration}/rejections?view=list", see: []browser.Element{browser.Role("rowheader", "").Like("^uuid:")}},
	{name: "odk-duplicates", as: console.Omar, at: "/connectors/{Field registration}/duplicates", see: []browser.Element{browser.Role("rowheader", "").Like("^uuid:")}},
	{name: "api", as: console.Vera, at: "/api", see: []browser.Element{browser.Heading("Before the first call")}, prepare: func(page *browser.Page) {
		page.Until("the commands", `(document.querySelectorAll("main details:not([open]) > summary").forEach((one) => one.click()), document.querySelectorAll("pre").length > 10)`)
	}},
	{name: "shortcuts", as: console.Vera, at: "/", prepare: func(page *browser.Page) { page.Press("?"); page.See(browser.Role("dialog", "")) }},
	{name: "lost", as: console.Vera, at: "/nothing/here", see: []browser.Element{browser.Heading("There is no such page")}},
	{name: "sign-in", as: console.Vera, at: "/sign-in?reason=expired", see: []browser.Element{browser.Link("Sign in")}},
	{name: "signed-out", as: console.Vera, at: "/signed-out", see: []browser.Element{browser.Heading("You are signed out")}},
	{name: "signed-in", as: console.Vera, at: "/signed-in", see: []browser.Element{browser.Heading("You are signed in")}},
}

// spoken shows a page that is open in another language.
func spoken(page *browser.Page, language, tag, direction string) {
	browser.Evaluate[any](page, fmt.Sprintf(`(localStorage.setItem("language", %q), dispatchEvent(new StorageEvent("storage", { key: "language", newValue: %[1]q })))`, language))
	page.Until("the page is in "+language, fmt.Sprintf(`document.documentElement.lang === %q && document.documentElement.dir === %q`, tag, direction))
}

// inTheDark looks at a view in its dark colours. They change nothing that the other rules
// look at, and are the same in every language.
func (v view) inTheDark(t *testing.T, page *browser.Page, rules string) {
	t.Helper()
	page.Prefer("prefers-color-scheme", "dark")
	defer page.Prefer("prefers-color-scheme", "light")
	for _, width := range []int64{420, 1200} {
		page.Size(width, 900)
		for _, violation := range page.Violations(rules, "color-contrast", "link-in-text-block") {
			t.Errorf("%d, dark: %s", width, violation)
		}
	}
	if *pictures {
		page.Screenshot(picture(t, v.name, "en-dark"))
	}
}

// Every page in both directions of writing, colours and widths: nothing that axe-core
// finds, nothing that stands out sideways even if texts are long, nothing against the
// content security policy, nothing stored.
func TestEveryPage(t *testing.T) {
	w, b, rules := sharedWorld(t), browser.Start(t), axe(t)
	pages := map[console.Person]*browser.Page{}
	for _, person := range console.Persons {
		pages[person] = signedIn(t, b, w, person, "/")
	}
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			page := pages[v.as].For(t)
			for i, l := range []struct{ language, tag, direction string }{{"en", "en", "ltr"}, {"ar", "ar", "rtl"}, {"qps-long", "en", "ltr"}} {
				page.Size(1200, 900)
				spoken(page, l.language, l.tag, l.direction)
				// What was said before is in the language of then, so what prepares a
				// page is done again.
				if i == 0 || v.prepare != nil {
					anew(page, w, addressed(t, w, v.at))
				}
				loaded(page)
				if v.prepare != nil {
					v.prepare(page)
				}
				if l.language == "en" {
					page.See(v.see...)
				}
				if v.picture != "" && l.language == "en" {
					page.Size(1200, v.height)
					page.ScreenshotOfWindow(v.pictured(t))
				}
				for _, width := range []int64{1200, 420} {
					page.Size(width, 900)
					for _, out := range page.Overflow() {
						t.Errorf("%s, %d: %s", l.language, width, out)
					}
					if l.language == "qps-long" { // nobody reads it; only its length counts
						continue
					}
					for _, violation := range page.Violations(rules) {
						t.Errorf("%s, %d: %s", l.language, width, violation)
					}
					if *pictures {
						page.Screenshot(picture(t, v.name, l.language, width))
					}
				}
				if l.language == "en" {
					v.inTheDark(t, page, rules)
				}
				clean(t, w, page)
			}
			page.Size(1200, 900)
		})
	}
}

// What people call things, and what they select, may have no place to break.
func TestLongWordsFitEverywhere(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	err := w.Change(t.Context(), console.Ada, console.Households, func(c map[string]any) {
		c["name"], c["domain"] = strings.Repeat("W", 100), `[["name", "!=", "`+strings.Repeat("W", 300)+`"]]`
	})
	if err != nil {
		t.Fatal(err)
	}
	page := signedIn(t, b, w, console.Omar, "/")
	at := "/connectors/" + w.Connectors[console.Households]
	for _, address := range []string{"/", at, at + "/changes", at + "/rejections", at + "/imports"} {
		anew(page, w, address)
		loaded(page)
		page.See(browser.Text("").Like("^W{100}$"))
		for _, width := range []int64{1200, 420, 320} {
			page.Size(width, 900)
			for _, out := range page.Overflow() {
				t.Errorf("%s, %d: %s", address, width, out)
			}
		}
	}
}

// The first page of a deployment without connectors.
func TestFirstRun(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{Empty: true}), browser.Start(t)
	page := signedIn(t, b, w, console.Ada, "/")
	page.See(browser.Link("Tell it where the registry and MTS are"))
	for _, violation := range page.Violations(axe(t)) {
		t.Error(violation)
	}
	page.Screenshot(picture(t, "first-run"))
	clean(t, w, page)
}

// A person without a mouse reaches every control of every page, sees where the focus
// is, and a reader hears a name for each.
func TestEveryPageByKeyboard(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	pages := map[console.Person]*browser.Page{}
	for _, person := range console.Persons {
		pages[person] = signedIn(t, b, w, person, "/")
	}
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			page := pages[v.as].For(t)
			anew(page, w, addressed(t, w, v.at))
			loaded(page)
			page.See(v.see...)
			if v.prepare != nil {
				v.prepare(page)
			}
			// Radio buttons of one name are one stop.
			left := browser.Evaluate[int](page, `(() => {
				document.activeElement.blur();
				const seen = new Set(), dialog = document.querySelector("dialog:modal");
				globalThis.left = new Set([...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((one) => {
					if (one.tabIndex < 0 || one.matches(":disabled") || !one.checkVisibility({ visibilityProperty: true }) || (dialog && !dialog.contains(one))) return false;
					return one.type !== "radio" || (!seen.has(one.name) && Boolean(seen.add(one.name)));
				}));
				return left.size;
			})()`)
			if left == 0 {
				t.Error("there is no control")
			}
			// A field for a date and a time has a stop for each of its parts.
			for presses := 10 * left; left > 0 && presses > 0; presses-- {
				page.Press(kb.Tab)
				stop := browser.Evaluate[struct {
					Tag  string
					Ring bool
					Left int
				}](page, `(() => {
					const one = document.activeElement, style = getComputedStyle(one);
					for (const other of left) if (other === one || (other.type === "radio" && other.name === one.name)) left.delete(other);
					return { Tag: one.outerHTML.slice(0, 150), Left: left.size, Ring: one === document.body || style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
				})()`)
				if !stop.Ring {
					t.Errorf("nothing shows that the focus is on %s", stop.Tag)
				}
				left = stop.Left
			}
			if left > 0 {
				t.Errorf("the keyboard does not reach %s", browser.Evaluate[[]string](page, `[...left].map((one) => one.outerHTML.slice(0, 150))`))
			}
			clean(t, w, page)
		})
	}
}

// What the API says comes in files that are loaded when they are first needed. Nobody
// sees English before, neither on a page that is opened nor when the language changes.
func TestNoEnglishIsSeenInAnotherLanguage(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	const watch = `globalThis.foreign = [];
		new MutationObserver(() => document.querySelectorAll("#page [lang=en]").forEach((one) => globalThis.foreign.push(one.textContent)))
			.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });`
	pages := map[console.Person]*browser.Page{}
	for _, person := range console.Persons {
		pages[person] = signedIn(t, b, w, person, "/")
		pages[person].Before(watch)
	}
	for _, v := range views {
		if v.name == "api" {
			continue // its calls are described in English, and said to be
		}
		t.Run(v.name, func(t *testing.T) {
			page := pages[v.as].For(t)
			for _, language := range []string{"hi", "en"} {
				browser.Evaluate[any](page, `localStorage.setItem("language", "`+language+`")`)
				anew(page, w, addressed(t, w, v.at))
				loaded(page)
				if v.prepare != nil {
					v.prepare(page)
				}
				if language == "en" {
					browser.Evaluate[any](page, `(() => {
						const choices = document.querySelector("select option[value=fr]").parentElement;
						choices.value = "fr";
						choices.dispatchEvent(new Event("change", { bubbles: true }));
					})()`)
					page.Until("the page is French", `document.documentElement.lang === "fr"`)
				}
				for _, text := range browser.Evaluate[[]string](page, `[...new Set(globalThis.foreign)]`) {
					t.Errorf("from %s: English was seen: %s", language, text)
				}
			}
			clean(t, w, page)
		})
	}
}
