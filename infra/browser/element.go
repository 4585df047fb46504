package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Element is what is looked for: a role of ARIA and an accessible name.
type Element struct {
	roles  []string
	name   string // "": any
	like   *regexp.Regexp
	within *Element
	having *Element
}

// Role is an element of a role, with exactly a name; "" is any name.
func Role(role, name string) Element { return Element{roles: []string{role}, name: name} }

// Button is a button by its name.
func Button(name string) Element { return Role("button", name) }

// Link is a link by its name.
func Link(name string) Element { return Role("link", name) }

// Heading is a heading by its name.
func Heading(name string) Element { return Role("heading", name) }

// Text is a piece of text, as it stands between tags.
func Text(text string) Element { return Role("StaticText", text) }

// Field is a control into which something is typed or chosen.
func Field(name string) Element {
	return Element{roles: []string{"textbox", "searchbox", "spinbutton", "combobox", "checkbox", "radio"}, name: name}
}

// Like is the element with a name that an expression fits.
func (e Element) Like(expression string) Element {
	e.name, e.like = "", regexp.MustCompile(expression)
	return e
}

// Row is the row of a table whose header, or any other cell, has a name. Browsers give
// rows none.
func Row(name string) Element {
	return Role("row", "").Having(Element{roles: []string{"rowheader", "columnheader", "cell", "gridcell"}, name: name})
}

// Having is the element that has another one inside.
func (e Element) Having(inner Element) Element {
	e.having = &inner
	return e
}

// In is the element inside another one.
func (e Element) In(outer Element) Element {
	e.within = &outer
	return e
}

func (e Element) String() string {
	text := strings.Join(e.roles, " or ")
	switch {
	case e.like != nil:
		text += " like " + e.like.String()
	case e.name != "":
		text += fmt.Sprintf(" %q", e.name)
	}
	if e.having != nil {
		text += " with " + e.having.String()
	}
	if e.within != nil {
		text += " in " + e.within.String()
	}
	return text
}

// found are the nodes that e is now, in the order of the document.
func (e Element) found(ctx context.Context) ([]*accessibility.Node, error) {
	if e.within == nil {
		page, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "document", ObjectGroup: "browser"})
		if err != nil {
			return nil, err
		}
		return e.below(ctx, accessibility.QueryAXTreeParams{ObjectID: page.Result.ObjectID})
	}
	outer, err := e.within.found(ctx)
	if err != nil {
		return nil, err
	}
	var all []*accessibility.Node
	for _, node := range outer {
		inner, err := e.below(ctx, accessibility.QueryAXTreeParams{BackendNodeID: node.BackendDOMNodeID})
		if err != nil {
			return nil, err
		}
		all = append(all, inner...)
	}
	return all, nil
}

func (e Element) below(ctx context.Context, where accessibility.QueryAXTreeParams) (all []*accessibility.Node, err error) {
	for _, role := range e.roles {
		where.Role, where.AccessibleName = role, e.name
		reply, err := chromedp.Call(ctx, accessibility.QueryAXTree, where)
		if err != nil {
			return nil, err
		}
		for _, node := range reply.Nodes {
			if node.Ignored || e.like != nil && !e.like.MatchString(textOf(node.Name)) {
				continue
			}
			if e.having != nil {
				inner, err := e.having.below(ctx, accessibility.QueryAXTreeParams{BackendNodeID: node.BackendDOMNodeID})
				if err != nil {
					return nil, err
				}
				if len(inner) == 0 {
					continue
				}
			}
			all = append(all, node)
		}
	}
	return all, nil
}

// textOf is a value of the accessibility tree as text.
func textOf(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var text any
	if json.Unmarshal([]byte(v.Value), &text) != nil || text == nil {
		return ""
	}
	return fmt.Sprint(text)
}

// property of a node, such as "disabled"; "" if it has none.
func property(node *accessibility.Node, name accessibility.PropertyName) string {
	at := slices.IndexFunc(node.Properties, func(p *accessibility.Property) bool { return p.Name == name })
	if at < 0 {
		return ""
	}
	return textOf(node.Properties[at].Value)
}

// object is the handle of an element in the page.
func object(ctx context.Context, node cdp.BackendNodeID) (runtime.RemoteObjectID, error) {
	reply, err := chromedp.Call(ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node, ObjectGroup: "browser"})
	if err != nil {
		return "", err
	}
	return reply.Object.ObjectID, nil
}

// on calls a function of JavaScript on an element. A promise is waited for.
func on[T any](ctx context.Context, node cdp.BackendNodeID, function string, args ...any) (result T, err error) {
	handle, err := object(ctx, node)
	if err != nil {
		return result, err
	}
	wait := true
	return chromedp.Run(ctx, chromedp.CallFunctionOn[T](function, func(p *runtime.CallFunctionOnParams) { p.ObjectID, p.AwaitPromise = handle, &wait }, args...))
}

// outline is what can be found on a page, for who reads why a test failed.
func outline(ctx context.Context) string {
	tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	seen := map[string]bool{}
	for _, node := range tree.Nodes {
		name := textOf(node.Name)
		role := textOf(node.Role)
		if node.Ignored || name == "" || role == "InlineTextBox" || role == "StaticText" && seen[name] {
			continue
		}
		seen[name] = true
		fmt.Fprintf(&text, "  %s %q", role, name)
		if value := textOf(node.Value); value != "" {
			fmt.Fprintf(&text, " = %q", value)
		}
		if property(node, "disabled") == "true" {
			text.WriteString(" (disabled)")
		}
		text.WriteString("\n")
	}
	return text.String()
}
