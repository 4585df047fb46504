package odk

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Count is how many submissions a window has now. It is one call, cheap at any size,
// and proves that account, right, form and filter are in order (facts/odk.md 6).
func (c *Central) Count(ctx context.Context, w seeding.Window) (int, error) {
	p, err := c.page(ctx, c.address.submissions()+"?$top=0&$count=true&$filter="+filterOf(w), 0, c.limits, nil)
	if err == nil && p.count < 0 {
		err = fault(seeding.RefusedRequest, BadAnswer)
	}
	return p.count, err
}

// Read gives each submission of a window to a function, the newest first, page after
// page. One that arrives meanwhile is not in a window that has ended. When Read fails,
// or the function does, what was given is right and may not be all; the error of the
// function is returned as it is. Without an error what was given is all, as many as
// Central counted at the last page; a Tag shows whether some came while as many went.
// Otherwise the fault is WindowChanged, or says what is wrong with the reply.
func (c *Central) Read(ctx context.Context, w seeding.Window, each func(seeding.Submission) error) error {
	r := reading{central: c, filter: filterOf(w), each: each, rows: c.limits.PageRows, firsts: map[string]bool{}}
	for {
		done, err := r.next(ctx)
		switch {
		case err != nil && isCode(err, "ODK-501.1") && r.given == r.firstPage && r.given > 0:
			return r.whole(ctx)
		case err != nil || done:
			return err
		}
	}
}

// reading is a window that is being read.
type reading struct {
	central *Central
	filter  string
	each    func(seeding.Submission) error

	rows      int // of a page
	last      string
	given     int
	firstPage int
	ids       map[string]bool // of the first page
	firsts    map[string]bool // of every page, which shows a list without an end
}

// next reads a page. It reports whether that was the last.
func (r *reading) next(ctx context.Context) (done bool, err error) {
	c := r.central
	parameters := []string{"$top=" + strconv.Itoa(r.rows), "$count=true", "$filter=" + r.filter}
	if r.last != "" {
		parameters = append(parameters, "$skiptoken="+url.QueryEscape(skipToken(r.last)))
	}
	keep := r.last == ""
	if keep {
		r.ids = map[string]bool{}
	}
	p, err := c.page(ctx, c.address.own(parameters...), r.rows, c.limits, func(s seeding.Submission) error {
		if keep {
			r.ids[s.ID] = true
		}
		return r.each(s)
	})
	r.given += p.rows
	if keep {
		r.firstPage = p.rows
	}
	if p.rows > 0 {
		if r.firsts[p.first] {
			return false, fault(seeding.RefusedRequest, BadAnswer)
		}
		r.firsts[p.first], r.last = true, p.last
	}
	over, isLarge := errors.AsType[*tooLarge](err)
	switch {
	case isLarge && !over.record && r.rows > 1: // from there on in smaller pages
		r.rows = max(1, min(r.rows/2, max(p.rows, 1)))
		return false, nil
	case err != nil:
		return false, err
	case p.count < 0:
		return false, fault(seeding.RefusedRequest, BadAnswer)
	case p.rows > 0 && p.more: // the number alone may fit although some were deleted and others are to come
		return false, nil
	case r.given != p.count:
		return false, fault(seeding.Unreachable, WindowChanged)
	}
	return true, nil
}

// whole reads everything in one reply, without what was given already: releases before
// 2023.4 have no pages that stay where they are when submissions come or go.
func (r *reading) whole(ctx context.Context) error {
	c := r.central
	count, err := c.count(ctx, r.filter)
	if err != nil {
		return err
	}
	limits := c.limits
	limits.PageBytes *= int64(count/max(1, limits.PageRows) + 1)
	p, err := c.page(ctx, c.address.own("$count=true", "$filter="+r.filter), count+limits.PageRows, limits, func(s seeding.Submission) error {
		if r.ids[s.ID] {
			return nil
		}
		r.given++
		return r.each(s)
	})
	switch {
	case err != nil:
		return err
	case r.given != p.count || p.rows != p.count:
		return fault(seeding.Unreachable, WindowChanged)
	}
	return nil
}

func (c *Central) count(ctx context.Context, filter string) (int, error) {
	p, err := c.page(ctx, c.address.submissions()+"?$top=0&$count=true&$filter="+filter, 0, c.limits, nil)
	return max(p.count, 0), err
}

// skipToken leads to what follows a submission in the order of a list, also when that
// is deleted meanwhile (facts/odk.md 7).
func skipToken(id string) string {
	text, err := json.Marshal(map[string]string{"instanceId": id})
	if err != nil {
		return ""
	}
	return "01" + base64.StdEncoding.EncodeToString(text)
}

func isCode(err error, code string) bool {
	f, ok := errors.AsType[*seeding.Fault](err)
	return ok && f.Code == code
}

// page reads one list. How far it came is said also with an error, which is a fault
// but for that of the function.
func (c *Central) page(ctx context.Context, address string, most int, limits Limits, each func(seeding.Submission) error) (page, error) {
	p := page{count: -1}
	err := c.session.get(ctx, address, nil, func(resp *http.Response) (err error) {
		if resp.StatusCode != http.StatusOK {
			return readRefusal(resp).ofData()
		}
		if !isJSON(resp) {
			return fault(seeding.RefusedRequest, NotCentral)
		}
		p, err = readPage(resp.Body, limits, most, each)
		if own, ok := errors.AsType[*stopped](err); ok {
			return own
		}
		if err != nil {
			return noReply(err)
		}
		return nil
	})
	if own, ok := errors.AsType[*stopped](err); ok {
		return p, own.cause
	}
	return p, err
}

func isJSON(resp *http.Response) bool {
	kind := resp.Header.Get("Content-Type")
	return strings.HasPrefix(kind, "application/json")
}

// maxAddress is how long an address may be: nginx refuses one above 8 KB, and the
// request line has more in it.
const maxAddress = 7500

// ReadSome gives those of some submissions that are there to a function, in as few calls as
// addresses may be long. Those that are not given are deleted or not there. For its
// errors see Read; an id that is not seeding.Askable is refused before any call.
func (c *Central) ReadSome(ctx context.Context, ids []string, each func(seeding.Submission) error) error {
	for _, id := range ids {
		if !seeding.Askable(id) {
			return fault(seeding.RefusedData, NotAskable)
		}
	}
	for _, group := range c.groups(ids) {
		p, err := c.page(ctx, c.address.own("$count=true", "$filter="+group.filter), group.size, c.limits, each)
		switch {
		case err != nil:
			return err
		case p.count != p.rows:
			return fault(seeding.RefusedRequest, BadAnswer)
		}
	}
	return nil
}

type group struct {
	filter string
	size   int
}

// or stands between the conditions of a filter.
const or = "%20or%20"

// named is the condition that a submission has an id.
func named(id string) string {
	return "__id%20eq%20'" + strings.ReplaceAll(url.QueryEscape(id), "+", "%20") + "'"
}

// groups puts ids into filters that an address can hold. An id that is there twice is
// asked for once.
func (c *Central) groups(ids []string) (all []group) {
	room := maxAddress - len(c.address.own("$count=true", "$filter="))
	seen := map[string]bool{}
	var g group
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		condition := named(id)
		if g.size > 0 && (len(g.filter)+len(or)+len(condition) > room || g.size == c.limits.PageRows) {
			all, g = append(all, g), group{}
		}
		if g.size > 0 {
			g.filter += or
		}
		g.filter += condition
		g.size++
	}
	if g.size > 0 {
		all = append(all, g)
	}
	return all
}

var tagPattern = regexp.MustCompile(`^(W/)?"eventhash:[0-9A-Za-z_-]{1,100}"$`)

// Tag is a text that changes with a window: with a submission that arrives late, is
// edited, reviewed, deleted or restored (facts/odk.md 10). known is one from before, or
// "". same is true if nothing has changed since, which Central says in a moment at any
// size. A release before 2026.1 has no tags: "".
func (c *Central) Tag(ctx context.Context, w seeding.Window, known string) (tag string, same bool, err error) {
	var header http.Header
	if tagPattern.MatchString(known) {
		header = http.Header{"If-None-Match": {known}}
	}
	err = c.session.get(ctx, c.address.submissions()+"?$filter="+filterOf(w), header, func(resp *http.Response) error {
		switch {
		case resp.StatusCode == http.StatusNotModified && header != nil:
			tag, same = known, true
			return nil
		case resp.StatusCode != http.StatusOK:
			return readRefusal(resp).ofData()
		case !isJSON(resp):
			return fault(seeding.RefusedRequest, NotCentral)
		}
		if given := resp.Header.Get("ETag"); tagPattern.MatchString(given) {
			tag = given // the list itself is not read
		}
		return nil
	})
	return tag, same, err
}
