package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/infra/world/waiting"
)

// page measures the console as a browser shows it, and how long it takes to build.
func (m *measurer) page(ctx context.Context, r *report) error {
	if err := m.build(ctx, r); err != nil {
		return err
	}
	return inBrowser(ctx, func(t *visitor) { m.visit(t, r) }) //nolint:contextcheck // a page has the context of the visitor
}

// visit measures what somebody sees who is signed in.
func (m *measurer) visit(t *visitor, r *report) {
	w, err := console.Start(t.ctx, console.Options{Empty: true})
	t.must(err)
	t.Cleanup(w.Close)
	m.say("rejecting %d registrants", rejections)
	t.must(reject(t.ctx, w))
	page := browser.Start(t).Window()
	page.Size(1200, 900)
	page.Open(w.Address)
	page.Click(browser.Button(console.Omar.Button))
	list := browser.Link(rejecting)
	page.See(list)
	t.must(m.firstContent(r, w, page, list))
	m.scroll(r, w, page)
}

// build builds a copy of the console's sources, of which nothing is built yet.
func (m *measurer) build(ctx context.Context, r *report) error {
	const most = 60 * time.Second
	m.say("building the console from nothing")
	root, err := template.Root()
	if err != nil {
		return err
	}
	const web, document = "shared/console/web", "shared/api/connectors/openapi.json"
	from := os.DirFS(root)
	copied := func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == web+"/node_modules" || path == web+"/src/generated"):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(m.dir, "web", path), 0o755)
		}
		content, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(m.dir, "web", path), content, 0o644)
	}
	for _, name := range []string{web, filepath.Dir(document)} {
		if err := os.MkdirAll(filepath.Join(m.dir, "web", name), 0o755); err != nil {
			return err
		}
		if err := fs.WalkDir(from, name, copied); err != nil {
			return err
		}
	}
	folder := filepath.Join(m.dir, "web", web)
	if err := os.Symlink(filepath.Join(root, web, "node_modules"), filepath.Join(folder, "node_modules")); err != nil {
		return err
	}
	began := time.Now()
	command := exec.CommandContext(ctx, filepath.Join(root, ".cache/venv-node/bin/node"), "build.mjs")
	command.Dir = folder
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the console: %w\n%s", err, said)
	}
	took := time.Since(began)
	if _, err := os.Stat(filepath.Join(folder, "../dist/stamp")); err != nil {
		return err
	}
	r.add("`make console`: built from nothing, beside the download", "≤ 60 s", took <= most, "%.1f s", took.Seconds())
	return nil
}

const (
	rejecting  = "Rejecting"
	rejections = 1_050
)

// reject makes a connector that has rejected registrants, because they have no gender.
func reject(ctx context.Context, w *console.World) error {
	registry := w.Registries[console.Fresh]
	for n := int64(100_000); n < 100_000+rejections; n++ {
		id := registry.AddRegistrant(odoosim.Registrant{
			Name: "DOE, JO", GivenName: "Jo", FamilyName: fmt.Sprintf("Doe %d", n), Birthdate: "1990-02-03", Address: "1 Long Street",
		})
		registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: odoosim.DemoVID(n, 1, odoosim.Normal)})
	}
	var made struct{ ID string }
	if err := w.As(ctx, console.Ada, http.MethodPost, "/connectors", console.Configuration(rejecting, console.MTS, console.Fresh), &made); err != nil {
		return err
	}
	w.Connectors[rejecting] = made.ID
	if err := w.As(ctx, console.Omar, http.MethodPost, "/connectors/"+made.ID+"/start", nil, nil); err != nil {
		return err
	}
	for {
		var counted struct{ Figures struct{ Rejected int } }
		if err := w.As(ctx, console.Omar, http.MethodGet, "/connectors/"+made.ID, nil, &counted); err != nil || counted.Figures.Rejected >= rejections {
			return err
		}
		if !waiting.Pause(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// firstContent counts the requests until the list of connectors stands there, for
// somebody who is signed in and whose browser has the files.
func (m *measurer) firstContent(r *report, w *console.World, page *browser.Page, list browser.Element) error {
	const most = 3
	page.Open("about:blank")
	page.Before(fmt.Sprintf(`new MutationObserver((_, seen) => {
		if (!document.querySelector('main a[href$="/connectors/%s"]')) return;
		globalThis.drawn = performance.now();
		seen.disconnect();
	}).observe(document, { subtree: true, childList: true })`, w.Connectors[rejecting]))
	before := len(w.Requests())
	page.Open(w.Address)
	page.See(list)
	// What began before the list was drawn, and came from a server.
	paths := browser.Evaluate[[]string](page, `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
		.filter((one) => one.startTime < drawn && one.transferSize > 0).map((one) => new URL(one.name).pathname)`)
	if made := len(w.Requests()) - before; made < len(paths) {
		return fmt.Errorf("the browser made %d requests, and %d came", len(paths), made)
	}
	r.add("console: requests to the list of connectors, signed in, with a warm cache", "≤ 3", len(paths) <= most, "%d (%s)", len(paths), strings.Join(paths, ", "))
	return nil
}

// scroll scrolls through a page of a thousand rejections, and looks for long tasks. Other
// work on the machine makes tasks longer, so the best of three passes counts.
func (m *measurer) scroll(r *report, w *console.World, page *browser.Page) {
	const most, rows = 50., 1_000
	m.say("scrolling through %d rejections", rows)
	page.Open(w.Address + "#/connectors/" + w.Connectors[rejecting] + "/rejections?view=list")
	shown := 0
	for shown < rows {
		page.Click(browser.Button("Load more"))
		page.Until("more rows", fmt.Sprintf(`document.querySelectorAll("main tbody tr").length > %d`, shown))
		shown = browser.Evaluate[int](page, `document.querySelectorAll("main tbody tr").length`)
	}
	longest := math.Inf(1)
	for range 3 {
		longest = min(longest, browser.Evaluate[float64](page, `(async () => {
			const frame = () => new Promise(requestAnimationFrame), wait = (ms) => new Promise((done) => setTimeout(done, ms));
			let longest = 0;
			scrollTo({ top: 0, behavior: "instant" });
			await wait(1000); // what loading set off is over
			const seen = new PerformanceObserver((list) => { for (const task of list.getEntries()) longest = Math.max(longest, task.duration); });
			seen.observe({ type: "longtask" });
			for (let at = 0; at < document.documentElement.scrollHeight; at += 400) { scrollTo({ top: at, behavior: "instant" }); await frame(); }
			await wait(200); // the last ones are told
			seen.disconnect();
			return longest;
		})()`))
	}
	measured := "no task over 50 ms"
	if longest > 0 {
		measured = fmt.Sprintf("%.0f ms", longest)
	}
	r.add(fmt.Sprintf("console: longest task while a page of %d rejections scrolls, best of 3", shown), "≤ 50 ms", longest <= most, "%s", measured)
}

// visitor is what uses a browser here, in place of a test.
type visitor struct {
	ctx   context.Context
	after []func()
}

type failure struct{ error }

func (v *visitor) Helper()                        {}
func (v *visitor) Context() context.Context       { return v.ctx }
func (v *visitor) Logf(string, ...any)            {}
func (v *visitor) Cleanup(do func())              { v.after = append(v.after, do) }
func (v *visitor) Fatal(a ...any)                 { panic(failure{errors.New(fmt.Sprint(a...))}) }
func (v *visitor) Fatalf(format string, a ...any) { panic(failure{fmt.Errorf(format, a...)}) }

func (v *visitor) must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// inBrowser returns the first failure of what is done in a browser.
func inBrowser(ctx context.Context, do func(*visitor)) (err error) {
	v := &visitor{ctx: ctx}
	defer func() {
		for len(v.after) > 0 {
			last := v.after[len(v.after)-1]
			v.after = v.after[:len(v.after)-1]
			last()
		}
	}()
	defer func() {
		if failed := recover(); failed != nil {
			f, known := failed.(failure)
			if !known {
				panic(failed)
			}
			err = f.error
		}
	}()
	do(v)
	return nil
}
