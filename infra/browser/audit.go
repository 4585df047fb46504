package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Violations are what axe-core finds in the page: a rule, its help and the first
// elements. axe is the text of axe.min.js. It is run in the page by the debugger's
// protocol, so the content security policy stays as it is. Only some rules are applied if
// they are named.
func (p *Page) Violations(axe string, rules ...string) []string {
	p.t.Helper()
	p.redrawn()
	if !Evaluate[bool](p, "typeof axe === 'object'") {
		p.do("axe", chromedp.Do(p.ctx, chromedp.Evaluate[chromedp.Void](axe+";void 0")))
	}
	// The rules of WCAG 2.2 up to AA, and those that axe calls best practice.
	options := `resultTypes: ["violations"]`
	if len(rules) > 0 {
		options += `, runOnly: ["` + strings.Join(rules, `", "`) + `"]`
	}
	found := Evaluate[[]struct {
		ID, Help string
		Nodes    []struct {
			HTML    string
			Summary string
		}
	}](p, `axe.run(document, { `+options+` }).then((r) => r.violations.map((v) => ({
		ID: v.id, Help: v.help, Nodes: v.nodes.map((n) => ({ HTML: n.html, Summary: n.failureSummary })),
	})))`)
	var all []string
	for _, v := range found {
		text := fmt.Sprintf("%s: %s (%d)", v.ID, v.Help, len(v.Nodes))
		for _, n := range v.Nodes[:min(3, len(v.Nodes))] {
			text += fmt.Sprintf("\n  %.300s\n  %s", n.HTML, strings.ReplaceAll(n.Summary, "\n", " "))
		}
		all = append(all, text)
	}
	return all
}

// Overflow are the elements that stand out of the page sideways. What scrolls inside a
// box of its own does not.
func (p *Page) Overflow() []string {
	p.t.Helper()
	p.redrawn()
	return Evaluate[[]string](p, `(() => {
		const root = document.documentElement;
		if (root.scrollWidth <= root.clientWidth) return [];
		const out = [...document.querySelectorAll("body *")].filter((one) => {
			const box = one.getBoundingClientRect();
			return box.width > 0 && (box.right > root.clientWidth + 1 || box.left < -1);
		});
		return ["the page is " + root.scrollWidth + " wide and shows " + root.clientWidth,
			...out.slice(0, 5).map((one) => one.outerHTML.slice(0, 200))];
	})()`)
}

// Stored is all that the page keeps in the browser and script can read: "localStorage
// language".
func (p *Page) Stored() []string {
	p.t.Helper()
	return Evaluate[[]string](p, `(async () => [
		...Object.keys(localStorage).map((key) => "localStorage " + key),
		...Object.keys(sessionStorage).map((key) => "sessionStorage " + key),
		...(await indexedDB.databases()).map((one) => "indexedDB " + one.name),
		...(await (globalThis.caches?.keys() ?? [])).map((key) => "cache " + key),
		...document.cookie.split("; ").filter(Boolean).map((one) => "cookie " + one.split("=")[0]),
		...(await (navigator.serviceWorker?.getRegistrations() ?? [])).map((one) => "service worker " + one.scope),
	])()`)
}

// Screenshot writes the whole page into a file, and makes its folder.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	size := Evaluate[struct {
		Width, Height float64
		Fits          bool
	}](p, `({ Width: document.documentElement.clientWidth, Height: Math.min(document.documentElement.scrollHeight, 6000),
		Fits: document.documentElement.scrollHeight <= innerHeight })`)
	if size.Fits { // Chromium puts the clip beside such a page, if it is from right to left
		p.ScreenshotOfWindow(path)
		return
	}
	beyond := true
	p.capture(path, cdppage.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond, Clip: &cdppage.Viewport{Width: size.Width, Height: size.Height, Scale: 1},
	})
}

// ScreenshotOfWindow writes what the window shows of the page into a file.
func (p *Page) ScreenshotOfWindow(path string) {
	p.t.Helper()
	p.capture(path, cdppage.CaptureScreenshotParams{})
}

func (p *Page) capture(path string, what cdppage.CaptureScreenshotParams) {
	p.t.Helper()
	p.redrawn()
	shot, err := chromedp.Call(p.ctx, cdppage.CaptureScreenshot, what)
	p.do("screenshot", err)
	p.do("screenshot", os.MkdirAll(filepath.Dir(path), 0o755))
	p.do("screenshot", os.WriteFile(path, shot.Data, 0o644))
}
