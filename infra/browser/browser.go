// Package browser is Chromium for tests. A page is read and used as its users do:
// elements are found by role and accessible name in the accessibility tree, so what a
// screen reader could not find, a test does not find either.
package browser

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// patience is how long anything is waited for. It only has to be shorter than the
// limit of go test: a machine may be busy. Who writes a test may set BROWSER_PATIENCE.
var patience = func() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("BROWSER_PATIENCE")); err == nil {
		return d
	}
	return 3 * time.Minute
}()

// errMissing says what to install.
var errMissing = errors.New("chromium is missing: install it (on Debian: apt-get install chromium), or name its program in the variable CHROMIUM")

// program is the path of Chromium.
func program() (string, error) {
	path, err := exec.LookPath(cmp.Or(os.Getenv("CHROMIUM"), "chromium"))
	if err != nil {
		return "", errMissing
	}
	return path, nil
}

// T is what uses a browser: a test, or what measures something in a page. Fatal and
// Fatalf do not return.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(do func())
	Logf(format string, a ...any)
	Fatal(a ...any)
	Fatalf(format string, a ...any)
}

// Browser is Chromium with a profile of its own.
type Browser struct {
	t   T
	ctx context.Context
}

// Start starts Chromium for a test, at whose end it ends.
func Start(t T) *Browser {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	// chromedp's options, without what would call servers of Google's.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // as root it has none
	}
	// The context of a test ends before what is cleaned up.
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, stop := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		stop()
		end()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return &Browser{t, ctx}
}

// Window opens an empty page with cookies and storage of its own, like a private
// window.
func (b *Browser) Window() *Page {
	b.t.Helper()
	return open(b.ctx, b.t, chromedp.WithNewBrowserContext())
}

// Tab opens an empty page beside another one, with the same cookies and storage.
func (p *Page) Tab() *Page {
	p.t.Helper()
	return open(p.ctx, p.t)
}

// Opens returns the page that act opens in a new tab.
func (p *Page) Opens(act func()) *Page {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	opened := chromedp.WaitNewTarget(ctx, func(i *target.Info) bool { return i.URL != "" })
	act()
	select {
	case id := <-opened:
		return open(p.ctx, p.t, chromedp.WithTargetID(id))
	case <-ctx.Done():
		p.t.Fatal("no new tab opens")
		return nil
	}
}
