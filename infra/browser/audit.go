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
// protocol, so the content security policy stays as it is.
func (p *Page) Violations(axe string) []string {
	p.t.Helper()
	if !Evaluate[bool](p, "typeof axe === 'object'") {
		p.do("axe", chromedp.Do(p.ctx, chromedp.Evaluate[chromedp.Void](axe+";void 0")))
	}
	// The rules of WCAG 2.2 up to AA, and those that axe calls best practice.
	found := Evaluate[[]struct {
		ID, Help string
		Nodes    []struct {
			HTML    string
			Summary string
		}
	}](p, `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.map((v) => ({
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
	beyond := true
	size := Evaluate[struct{ Width, Height float64 }](p, `({ Width: document.documentElement.clientWidth,
		Height: Math.min(document.documentElement.scrollHeight, 6000) })`)
	shot, err := chromedp.Call(p.ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond, Clip: &cdppage.Viewport{Width: size.Width, Height: size.Height, Scale: 1},
	})
	p.do("screenshot", err)
	p.do("screenshot", os.MkdirAll(filepath.Dir(path), 0o755))
	p.do("screenshot", os.WriteFile(path, shot.Data, 0o644))
}
