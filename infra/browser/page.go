package browser

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Page is a tab of the browser. Its methods fail the test if the page is not as they
// need it; what may still come is waited for.
type Page struct {
	t T
	*tab
}

type tab struct {
	ctx context.Context

	mu         sync.Mutex
	clicks     int
	undrawn    bool // what was done last may not be drawn yet
	complaints []string
	addresses  []string
	tokens     map[string]bool
}

func open(parent context.Context, t T, options ...chromedp.ContextOption) *Page {
	t.Helper()
	ctx, stop := chromedp.NewContext(parent, options...)
	t.Cleanup(stop)
	p := &Page{t, &tab{ctx: ctx, tokens: map[string]bool{}}}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, p.note); err != nil {
		t.Fatal(err)
	}
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, audits.Enable, cdp.Empty{}); return err },
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); return err },
		// Each page is as if it were the one in front: it has the focus and can be seen.
		func() error {
			_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
			return err
		},
	} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// For is the page for another test, such as a part of the one that opened it.
func (p *Page) For(t T) *Page { return &Page{t, p.tab} }

// note keeps what the browser complains about, and where the page sends requests.
func (p *Page) note(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	complain := func(format string, args ...any) { p.complaints = append(p.complaints, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		complain("exception: %s", text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var texts []string
			for _, arg := range e.Args {
				texts = append(texts, string(arg.Value)+arg.Description)
			}
			complain("console.%s: %s", e.Type, strings.Join(texts, " "))
		}
	case *log.EventEntryAdded:
		// That a reply is 401 or a network is away belongs to the tests.
		if e.Entry.Source != "network" && (e.Entry.Level == "error" || e.Entry.Level == "warning") {
			complain("%s: %s", e.Entry.Source, e.Entry.Text)
		}
	case *cdppage.EventJavascriptDialogOpening:
		// A page that asks before it is left is left. Others ask nothing this way.
		if e.Type != "beforeunload" {
			complain("dialog: %s", e.Message)
		}
		go func() { // it is answered while events go on
			_, _ = chromedp.Call(p.ctx, cdppage.HandleJavaScriptDialog, cdppage.HandleJavaScriptDialogParams{Accept: true})
		}()
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			complain("content security policy: %s, %s", d.ViolatedDirective, d.BlockedURL)
		}
	case *network.EventRequestWillBeSent:
		p.addresses = append(p.addresses, e.Request.URL+e.Request.URLFragment)
		for name, value := range e.Request.Headers {
			if token, is := strings.CutPrefix(fmt.Sprint(value), "Bearer "); is && strings.EqualFold(name, "Authorization") {
				p.tokens[token] = true
			}
		}
	}
}

// Complaints are errors and warnings of scripts and of the browser so far: exceptions,
// the console, the content security policy.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.complaints...)
}

// Addresses are all to which the page has sent requests, and Tokens the bearers that
// were in them.
func (p *Page) Addresses() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.addresses...)
}

// Tokens are the bearers that the page has sent.
func (p *Page) Tokens() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for token := range p.tokens {
		all = append(all, token)
	}
	return all
}

// Clicks counts the clicks that count makes.
func (p *Page) Clicks(count func()) int {
	p.mu.Lock()
	before := p.clicks
	p.mu.Unlock()
	count()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clicks - before
}

func (p *Page) clicked() { p.mu.Lock(); p.clicks, p.undrawn = p.clicks+1, true; p.mu.Unlock() }

func (p *Page) do(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// Evaluate returns what an expression of JavaScript gives. A promise is waited for.
func Evaluate[T any](p *Page, expression string) T {
	p.t.Helper()
	result, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	p.do(expression, err)
	return result
}

// Open goes to an address.
func (p *Page) Open(address string) {
	p.t.Helper()
	p.do(address, chromedp.Do(p.ctx, chromedp.Navigate(address)))
	p.acted()
}

// acted says that what the page shows from now on may be the answer to what was done.
func (p *Page) acted() { p.mu.Lock(); p.undrawn = true; p.mu.Unlock() }

// drawn waits, after something was done, until the page has drawn what that set off by
// itself: so what it showed before, such as the page at another address behind #, is not
// taken for the answer. What needs a reply of a server comes later.
func (p *Page) drawn() {
	p.mu.Lock()
	undrawn := p.undrawn
	p.undrawn = false
	p.mu.Unlock()
	if !undrawn {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	// If the page goes elsewhere, there is nothing to wait for.
	_, _ = chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void]("(async () => {"+frames+"await drawn(); await drawn() })()", chromedp.EvalAwaitPromise))
}

// redrawn waits until the page has drawn what changed last, whoever changed it.
func (p *Page) redrawn() {
	p.acted()
	p.drawn()
}

// Reload loads the page again.
func (p *Page) Reload() {
	p.t.Helper()
	p.do("reload", chromedp.Do(p.ctx, chromedp.Reload()))
	p.acted()
}

// Back goes back in the history.
func (p *Page) Back() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	// Where another document comes, the promise ends with this one.
	_, _ = chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](`new Promise((done) => {
		addEventListener("popstate", done, { once: true });
		history.back();
	})`, chromedp.EvalAwaitPromise))
	p.do("back", ctx.Err())
	p.acted()
}

// Address is where the page is.
func (p *Page) Address() string {
	p.t.Helper()
	p.drawn()
	return Evaluate[string](p, "location.href")
}

// Before runs a script in each document of the page from the next one on, before its
// own.
func (p *Page) Before(script string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	p.do("script", err)
}

// Forget lets the browser lose the cookie of a name that the page's address has.
func (p *Page) Forget(cookie string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: cookie, URL: p.Address()})
	p.do("forget "+cookie, err)
}

// Size sets the size of the window, in CSS pixels.
func (p *Page) Size(width, height int64) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	p.do("size", err)
}

// Prefer sets what the person prefers, as media features: "prefers-color-scheme", "dark".
func (p *Page) Prefer(features ...string) {
	p.t.Helper()
	var all []*emulation.MediaFeature
	for i := 0; i+1 < len(features); i += 2 {
		all = append(all, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: all})
	p.do("media features", err)
}

// change resolves at the next change of the document, and a moment later if there is
// none: what was looked for may have come before it was called.
const change = `new Promise((resolve) => {
	const seen = new MutationObserver(done);
	const late = setTimeout(done, 200);
	function done() { seen.disconnect(); clearTimeout(late); resolve(); }
	seen.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
})`

// until waits until try reports true. While the page goes elsewhere, try may fail.
func (p *Page) until(what string, try func(context.Context) (bool, error)) {
	p.t.Helper()
	p.drawn()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		done, err := try(ctx)
		if err == nil && done {
			return
		}
		if _, failed := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](change, chromedp.EvalAwaitPromise)); failed != nil && ctx.Err() == nil {
			_, _ = chromedp.Run(ctx, chromedp.Evaluate[string]("document.readyState")) // a new document begins
		}
		if ctx.Err() != nil {
			if err != nil {
				what += ": " + err.Error()
			}
			p.t.Fatalf("not there after %v: %s\n%s\n%s", patience, what, p.tried("location.href"), outline(p.ctx))
		}
	}
}

func (p *Page) tried(expression string) string {
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		return err.Error()
	}
	return text
}

// Until waits until an expression of JavaScript is true. What people see is better waited
// for with See.
func (p *Page) Until(what, expression string) {
	p.t.Helper()
	p.until(what, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
	})
}

// node waits until an element is there.
func (p *Page) node(e Element) (found *accessibility.Node) {
	p.t.Helper()
	p.until(e.String(), func(ctx context.Context) (bool, error) {
		all, err := e.found(ctx)
		if err != nil || len(all) == 0 {
			return false, err
		}
		found = all[0]
		return true, nil
	})
	return found
}

// See waits until all elements are there.
func (p *Page) See(elements ...Element) {
	p.t.Helper()
	for _, e := range elements {
		p.node(e)
	}
}

// Gone waits until an element is not there.
func (p *Page) Gone(e Element) {
	p.t.Helper()
	p.until("no "+e.String(), func(ctx context.Context) (bool, error) {
		all, err := e.found(ctx)
		return len(all) == 0, err
	})
}

// Count is how many of an element are there now.
func (p *Page) Count(e Element) int {
	p.t.Helper()
	p.drawn()
	all, err := e.found(p.ctx)
	p.do(e.String(), err)
	return len(all)
}

// Names are the names of all that an element is now.
func (p *Page) Names(e Element) (names []string) {
	p.t.Helper()
	p.drawn()
	all, err := e.found(p.ctx)
	p.do(e.String(), err)
	for _, node := range all {
		names = append(names, textOf(node.Name))
	}
	return names
}

// State is what a reader is told of an element, once it is there.
type State struct {
	Name, Description, Value string
	Disabled, Focused        bool
	Checked, Expanded        bool
	Invalid                  bool
}

// State returns it.
func (p *Page) State(e Element) State {
	p.t.Helper()
	node := p.node(e)
	is := func(name accessibility.PropertyName) bool { return property(node, name) == "true" }
	return State{
		Name: textOf(node.Name), Description: textOf(node.Description), Value: textOf(node.Value),
		Disabled: is("disabled"), Focused: is("focused"), Checked: is("checked"), Expanded: is("expanded"), Invalid: is("invalid"),
	}
}

// Press presses keys one after the other, as kb names them: "abc", kb.Tab, kb.Enter.
// They go to what has the focus.
func (p *Page) Press(keys ...string) {
	p.t.Helper()
	p.do("press", press(p.ctx, keys...))
	p.acted()
}

func press(ctx context.Context, keys ...string) error {
	for _, key := range strings.Join(keys, "") {
		events := kb.Encode(key)
		for i, event := range events {
			if event.Type == kb.KeyChar {
				continue
			}
			// A key that types something does so unless the page prevents it, as in a
			// browser; kb has an event of its own for that, which nothing prevents.
			if i+1 < len(events) && events[i+1].Type == kb.KeyChar {
				event.Type, event.Text, event.UnmodifiedText = kb.KeyDown, events[i+1].Text, events[i+1].UnmodifiedText
			}
			if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, *event); err != nil {
				return err
			}
		}
	}
	return nil
}

// PressWith presses a key while modifiers are held.
func (p *Page) PressWith(key string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do("press", chromedp.Do(p.ctx, chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...))))
	p.acted()
}

// Focused is the element that has the focus: "link \"Connectors\"".
func (p *Page) Focused() string {
	p.t.Helper()
	p.drawn()
	focus, err := chromedp.Call(p.ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "document.activeElement", ObjectGroup: "browser"})
	p.do("focus", err)
	tree, err := chromedp.Call(p.ctx, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: focus.Result.ObjectID, FetchRelatives: new(bool)})
	p.do("focus", err)
	if len(tree.Nodes) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %q", textOf(tree.Nodes[0].Role), textOf(tree.Nodes[0].Name))
}
