package browser

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A page may change at any moment: between looking where an element is and pressing the
// mouse there, it moves, or another one takes its place. So each act is tried until it is
// seen to have met the element, and what would meet another one is stopped before the
// page learns of it.

// frames has drawn(), which resolves after the next frame and what waited for it. A page
// that nobody sees draws none.
const frames = `const drawn = () => new Promise((resolve) => {
	const late = setTimeout(resolve, 250);
	requestAnimationFrame(() => { clearTimeout(late); setTimeout(resolve); });
});
`

// still brings an element into view and returns its middle, once it does not move; hit
// says whether a click there meets it.
const still = `async function () {
	` + frames + `
	const element = this.nodeType === Node.TEXT_NODE ? this.parentElement : this;
	const where = () => [...element.getClientRects()].find((one) => one.width > 0 && one.height > 0);
	element.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
	const before = where();
	await drawn();
	const box = where();
	if (!before || !box || ["left", "top", "width", "height"].some((side) => before[side] !== box[side])) return { x: 0, y: 0, hit: false };
	const x = box.left + box.width / 2, y = box.top + box.height / 2;
	const at = document.elementFromPoint(x, y);
	return { x, y, hit: at !== null && (element.contains(at) || [...(element.labels ?? [])].some((label) => label.contains(at))) };
}`

// guard lets events of some kinds through if they are for an element, for what is inside
// it or its label, and stops the others. It returns a function that ends this and tells
// whether the event for which all was done has met the element.
const guard = `function (kinds, last) {
	const element = this.nodeType === Node.TEXT_NODE ? this.parentElement : this;
	let met = false;
	const seen = (event) => {
		if (!event.isTrusted) return;
		const at = event.composedPath()[0];
		if (element.contains(at) || [...(element.labels ?? [])].some((label) => label.contains(at))) {
			met ||= event.type === last;
			return;
		}
		event.preventDefault();
		event.stopImmediatePropagation();
	};
	for (const kind of kinds) addEventListener(kind, seen, { capture: true, passive: false });
	return () => {
		for (const kind of kinds) removeEventListener(kind, seen, { capture: true });
		return met;
	};
}`

// met does something to an element while a guard stands at it, and reports whether it
// met. If the document goes away by it, it did: what does not meet is stopped.
func met(ctx context.Context, node cdp.BackendNodeID, kinds []string, last string, act func() error) (bool, error) {
	handle, err := object(ctx, node)
	if err != nil {
		return false, err
	}
	end, err := chromedp.Run(ctx, chromedp.CallFunctionOn[*runtime.RemoteObject](guard, func(p *runtime.CallFunctionOnParams) { p.ObjectID = handle }, kinds, last))
	if err != nil {
		return false, err
	}
	if err := act(); err != nil {
		return false, err
	}
	met, err := chromedp.Run(ctx, chromedp.CallFunctionOn[bool](`function () { return this(); }`, func(p *runtime.CallFunctionOnParams) { p.ObjectID = end.ObjectID }))
	if err != nil && ctx.Err() == nil {
		return true, nil
	}
	return met, err
}

// Click clicks an element, once a click meets it.
func (p *Page) Click(e Element) {
	p.t.Helper()
	p.until("a click on "+e.String(), func(ctx context.Context) (bool, error) {
		all, err := e.found(ctx)
		if err != nil || len(all) == 0 || property(all[0], "disabled") == "true" {
			return false, err
		}
		place, err := on[struct {
			X, Y float64
			Hit  bool
		}](ctx, all[0].BackendDOMNodeID, still)
		if err != nil || !place.Hit {
			return false, err
		}
		return met(ctx, all[0].BackendDOMNodeID, []string{"pointerdown", "mousedown", "pointerup", "mouseup", "click"}, "click", func() error {
			for _, kind := range []input.DispatchMouseEventType{"mouseMoved", "mousePressed", "mouseReleased"} {
				if _, err := chromedp.Call(ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: place.X, Y: place.Y, Button: "left", ClickCount: 1}); err != nil {
					return err
				}
			}
			return nil
		})
	})
	p.clicked()
}

// Focus gives an element the focus.
func (p *Page) Focus(e Element) {
	p.t.Helper()
	p.until("focus on "+e.String(), func(ctx context.Context) (bool, error) {
		all, err := e.found(ctx)
		if err != nil || len(all) == 0 {
			return false, err
		}
		return on[bool](ctx, all[0].BackendDOMNodeID, `function () { this.focus(); return document.activeElement === this; }`)
	})
	p.acted()
}

// Fill replaces what is in a field.
func (p *Page) Fill(e Element, text string) {
	p.t.Helper()
	p.until("text in "+e.String(), func(ctx context.Context) (bool, error) {
		all, err := e.found(ctx)
		if err != nil || len(all) == 0 || property(all[0], "disabled") == "true" {
			return false, err
		}
		node := all[0].BackendDOMNodeID
		field, err := on[struct{ Ready, Empty bool }](ctx, node, `function () {
			this.focus();
			this.select();
			return { Ready: document.activeElement === this && !this.readOnly, Empty: this.value === "" };
		}`)
		if err != nil || !field.Ready || text == "" && field.Empty {
			return field.Ready, err
		}
		return met(ctx, node, []string{"keydown", "keyup", "beforeinput", "input"}, "input", func() error {
			if text == "" {
				return press(ctx, kb.Delete)
			}
			_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
			return err
		})
	})
	p.acted()
}

// Choose chooses an option of a select by its text.
func (p *Page) Choose(e Element, option string) {
	p.t.Helper()
	p.until("the option "+option+" of "+e.String(), func(ctx context.Context) (bool, error) {
		all, err := e.found(ctx)
		if err != nil || len(all) == 0 {
			return false, err
		}
		return on[bool](ctx, all[0].BackendDOMNodeID, `function (text) {
			const option = [...this.options].find((one) => one.text === text);
			if (!option || this.disabled || !this.isConnected) return false;
			this.value = option.value;
			this.dispatchEvent(new Event("input", { bubbles: true }));
			this.dispatchEvent(new Event("change", { bubbles: true }));
			return true;
		}`, option)
	})
	p.acted()
}
