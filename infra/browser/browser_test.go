package browser_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"openg2p.org/mts-connector/infra/browser"
)

const document = `<!doctype html><html lang="en"><head><title>A page</title><meta name="viewport" content="width=device-width">
<style>.far { margin-top: 3000px } .hidden { display: none } .wide { width: 900px }
#cover { position: fixed; inset: 0; background: white } @media (prefers-color-scheme: dark) { body { background: black; color: white } }</style></head>
<body><main><h1>Title</h1>
<p><label>Name <input></label> <label>Animal <select><option value="c">Cat</option><option value="d">Dog</option></select></label></p>
<button class="hidden">Save</button><button class="far" onclick="said.textContent = 'saved ' + ++times">Save</button>
<button disabled>Locked</button>
<table><tr><th scope="row">one</th><td><a href="#one">Show</a></td></tr><tr><th scope="row">two</th><td><a href="#two">Show</a></td></tr></table>
<p id="said" role="status"></p><p><a href="/other" target="_blank">Other</a></p></main>
<script>let times = 0;
setTimeout(() => { document.body.insertAdjacentHTML("beforeend", "<aside><button id='late' onclick='said.textContent=animal()'>Late</button></aside>") }, 300);
function animal() { return document.querySelector("select").selectedOptions[0].text + " " + document.querySelector("input").value }</script>
</body></html>`

func opened(t *testing.T, b *browser.Browser, change ...string) *browser.Page {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/other" {
			_, _ = io.WriteString(w, "<!doctype html><title>Other</title><h1>Another page</h1>")
			return
		}
		if len(change) > 2 {
			w.Header().Set("Content-Security-Policy", change[2])
		}
		text := document
		if len(change) > 1 {
			text = strings.Replace(text, change[0], change[1], 1)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	page := b.Window().For(t)
	page.Open(server.URL)
	return page
}

// of opens a page with a body and a script.
func of(t *testing.T, b *browser.Browser, body, script string) *browser.Page {
	t.Helper()
	return opened(t, b, document, `<!doctype html><html lang="en"><title>A page</title><body><p id="said"></p><main>`+body+`</main><script>
		const said = (text) => { document.getElementById("said").textContent += text + " "; };
		const once = (on, kind, act) => on.addEventListener(kind, act, { once: true, capture: true });
		const save = () => document.getElementById("save");`+script+`</script></body></html>`)
}

// A page may change between looking where something is and acting there. What is done
// meets what was meant, once, and nothing else.
func TestAnActMeetsWhatIsMeant(t *testing.T) {
	const two = `<p><button id="save" onclick="said('saved')">Save</button></p><p><button onclick="said('deleted')">Delete</button></p>`
	click := func(p *browser.Page) { p.Click(browser.Button("Save")) }
	fill := func(p *browser.Page) {
		p.Fill(browser.Field("Name"), "Tom")
		p.Until("", "(said([...document.querySelectorAll('input')].map((one) => one.value).join('/')), true)")
	}
	const fields = `<p><label>Name <input id="name"></label> <label>Other <input id="other"></label></p>`
	b := browser.Start(t)
	for name, c := range map[string]struct {
		body, script string
		do           func(*browser.Page)
		want         string
	}{
		"all moves down as the mouse comes": {
			two, `once(document, "mousemove", () => save().closest("main").prepend(save().closest("p").nextElementSibling))`, click, "saved ",
		},
		"all moves down as the mouse is pressed": {
			two, `once(window, "mousedown", () => save().closest("main").prepend(save().closest("p").nextElementSibling))`, click, "saved ",
		},
		"it is drawn anew as the mouse is pressed": {two, `once(window, "mousedown", () => save().replaceWith(save().cloneNode(true)))`, click, "saved "},
		"it moves for a while": {
			`<div id="space"></div>` + two, `let n = 0; (function move() { if (n++ < 30) { space.style.height = n * 20 + "px"; requestAnimationFrame(move); } })()`, click, "saved ",
		},
		"it is covered for a while": {
			two + `<div id="cover" style="position: fixed; inset: 0"></div>`, `setTimeout(() => cover.remove(), 300)`, click, "saved ",
		},
		"a label is clicked for its box": {
			`<label><input type="checkbox" id="save" style="position: absolute; opacity: 0; pointer-events: none" onclick="said('chosen')">Fast</label>`, "",
			func(p *browser.Page) { p.Click(browser.Field("Fast")) }, "chosen ",
		},
		"a field is drawn anew as it gets the focus": {fields, `const field = document.getElementById("name"); once(field, "focus", () => field.replaceWith(field.cloneNode(true)))`, fill, "Tom/ "},
		"the focus goes elsewhere once":              {fields, `once(document.getElementById("name"), "select", () => document.getElementById("other").focus())`, fill, "Tom/ "},
		"a field is emptied": {`<label>Name <input value="old"></label>`, "", func(p *browser.Page) {
			p.Fill(browser.Field("Name"), "")
			p.Fill(browser.Field("Name"), "") // it is
			p.Until("", "(said('<' + document.querySelector('input').value + '>'), true)")
		}, "<> "},
		"an option comes later": {
			`<label>Animal <select onchange="said(this.value)"></select></label>`, `setTimeout(() => document.querySelector("select").add(new Option("Dog")), 300)`,
			func(p *browser.Page) { p.Choose(browser.Field("Animal"), "Dog") }, "Dog ",
		},
		"another address behind #": {
			`<button onclick="said('at ' + this.title)">Show</button>`,
			`onhashchange = () => requestAnimationFrame(() => setTimeout(() => { document.querySelector("button").title = location.hash; }))`,
			func(p *browser.Page) {
				p.Open(p.Address() + "#one")
				p.Click(browser.Button("Show"))
				p.Open(strings.Replace(p.Address(), "#one", "#two", 1))
				p.Click(browser.Button("Show"))
				p.Back()
				p.Click(browser.Button("Show"))
			}, "at #one at #two at #one ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			page := of(t, b, c.body, c.script).For(t)
			if clicks := page.Clicks(func() { c.do(page) }); clicks > 1 && clicks != strings.Count(c.want, "at ") {
				t.Errorf("%d clicks", clicks)
			}
			if got := browser.Evaluate[string](page, "document.getElementById('said').textContent"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A click that leads to another document has met, and a page that asks before it is left
// is left.
func TestAPageIsLeft(t *testing.T) {
	page := of(t, browser.Start(t), `<button onclick="location = '/other'">Leave</button> <label>Name <input></label>`, `onbeforeunload = (event) => event.preventDefault()`)
	address := page.Address()
	page.Fill(browser.Field("Name"), "Tom")
	if clicks := page.Clicks(func() { page.Click(browser.Button("Leave")) }); clicks != 1 {
		t.Errorf("%d clicks", clicks)
	}
	page.See(browser.Heading("Another page"))
	page.Open(address)
	page.Fill(browser.Field("Name"), "Tom")
	page.Open(address + "other")
	page.See(browser.Heading("Another page"))
	if complaints := page.Complaints(); len(complaints) != 0 {
		t.Error(complaints)
	}
}

func axe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../shared/console/web/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal("axe-core is missing: make console")
	}
	return string(text)
}

func TestAPageIsUsedByRolesAndNames(t *testing.T) {
	page := opened(t, browser.Start(t))
	page.See(browser.Heading("Title"), browser.Button("Late"))
	page.Fill(browser.Field("Name"), "old")
	page.Fill(browser.Field("Name"), "Tom")
	page.Choose(browser.Field("Animal"), "Dog")
	if clicks := page.Clicks(func() {
		page.Click(browser.Button("Save")) // the one that is hidden is not meant
		page.Click(browser.Button("Late"))
	}); clicks != 2 {
		t.Errorf("%d clicks", clicks)
	}
	page.See(browser.Text("Dog Tom"))
	page.Click(browser.Link("Show").In(browser.Row("two")))
	if address := page.Address(); !strings.HasSuffix(address, "#two") {
		t.Error(address)
	}
	page.Back()
	page.See(browser.Heading("Title"))
	if page.Count(browser.Link("Show")) != 2 || !slices.Equal(page.Names(browser.Role("rowheader", "")), []string{"one", "two"}) {
		t.Errorf("%d, %q", page.Count(browser.Link("Show")), page.Names(browser.Role("rowheader", "")))
	}
	if s := page.State(browser.Button("Locked")); !s.Disabled {
		t.Errorf("%+v", s)
	}
	page.Focus(browser.Field("Name"))
	page.Press(kb.Tab)
	if focused := page.Focused(); focused != `combobox "Animal"` {
		t.Error(focused)
	}
	other := page.Opens(func() { page.Click(browser.Link("Other")) })
	other.See(browser.Heading("Another page"))
	if complaints := page.Complaints(); len(complaints) != 0 {
		t.Error(complaints)
	}
}

func TestWhatIsWrongWithAPageIsSeen(t *testing.T) {
	rules, b := axe(t), browser.Start(t)
	for name, c := range map[string]struct {
		change []string
		wrong  func(*browser.Page) []string
		want   string
	}{
		"a field without a name": {[]string{"<label>Name <input></label>", "<input>"}, func(p *browser.Page) []string { return p.Violations(rules) }, "label:"},
		"an element too wide":    {[]string{"<h1>Title</h1>", `<h1 class="wide">Title</h1>`}, (*browser.Page).Overflow, "the page is"},
		"an exception":           {[]string{"let times = 0", "nothing()"}, (*browser.Page).Complaints, "nothing is not defined"},
		"console.error":          {[]string{"let times = 0", "console.error('broken')"}, (*browser.Page).Complaints, "broken"},
		"what the policy forbids": {
			[]string{"", "", "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'none'"}, (*browser.Page).Complaints, "style-src",
		},
		"what is kept": {[]string{"let times = 0", "localStorage.setItem('a', 1)"}, (*browser.Page).Stored, "localStorage a"},
		"a cookie":     {[]string{"let times = 0", "document.cookie = 'b=1'"}, (*browser.Page).Stored, "cookie b"},
	} {
		t.Run(name, func(t *testing.T) {
			page := opened(t, b, c.change...)
			page.Size(420, 800)
			page.See(browser.Role("heading", "Title"))
			if found := strings.Join(c.wrong(page), "\n"); !strings.Contains(found, c.want) {
				t.Errorf("%q is not in %q", c.want, found)
			}
		})
	}
	page := opened(t, b)
	page.Size(420, 800)
	page.Prefer("prefers-color-scheme", "dark")
	page.See(browser.Button("Late"))
	for _, found := range [][]string{page.Overflow(), page.Complaints(), page.Stored()} {
		if len(found) != 0 {
			t.Error(found)
		}
	}
	file := filepath.Join(t.TempDir(), "folder", "shot.png")
	page.Screenshot(file)
	if shot, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(shot), "\x89PNG") {
		t.Errorf("%.20q %v", shot, err)
	}
}

func TestMissingChromiumIsSaid(t *testing.T) {
	t.Setenv("CHROMIUM", filepath.Join(t.TempDir(), "chromium"))
	if _, err := browser.Program(); err == nil || !strings.Contains(err.Error(), "apt-get install chromium") {
		t.Error(err)
	}
}
