package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"openg2p.org/mts-connector/infra/browser"
	"openg2p.org/mts-connector/infra/console"
)

// counted is what the API says of the rejections of a connector.
type counted struct {
	Total  int
	Groups []struct {
		Kind, Code, Reason string
		Count              int
		Registrants        []int64
	}
}

func groupsOf(t *testing.T, w *console.World, name string) (found counted) {
	t.Helper()
	ask(t, w, "/connectors/"+w.Connectors[name]+"/rejections/groups", &found)
	return found
}

// rejectionsOf is the link of the list to the rejections of a connector.
func rejectionsOf(name string) browser.Element {
	return browser.Role("link", "").Like("^[0-9,]+ rejections of " + name + "$")
}

// saved makes the page keep what it saves as a file.
const saved = `{ const make = URL.createObjectURL; URL.createObjectURL = (file) => { globalThis.saved = file.text(); return make.call(URL, file); }; }`

// rows are the rows of the file that was saved last, without the line of names.
func rows(t *testing.T, page *browser.Page) [][]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(browser.Evaluate[string](page, "saved"))).ReadAll()
	if err != nil || len(all) == 0 || all[0][1] != "registrant" {
		t.Fatal(err, all)
	}
	return all[1:]
}

// What became of 4711: type the number, press Enter.
func TestWhatBecameOfARegistrant(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	who := rejected(t, w, console.Households)
	page := signedIn(t, b, w, console.Omar, "/")
	clicks := page.Clicks(func() {
		page.Press("/", fmt.Sprint(who), kb.Enter)
		page.See(browser.Role("StaticText", "").Like(fmt.Sprintf("^%d has no token. MOSIP refused on ", who)))
	})
	if clicks > 1 {
		t.Errorf("%d clicks", clicks)
	}
	// Those who know something come first, and lead to more.
	page.Click(browser.Link(console.Households))
	page.See(browser.Button("Ask the registry"))
	record := page.Names(browser.Role("link", "").Like("open the record in the registry$"))
	if len(record) != 1 {
		t.Errorf("links to the record: %q", record)
	}
	if at, want := browser.Evaluate[string](page, `document.querySelector('a[target="_blank"]').href`), fmt.Sprintf("https://%s/mail/view?model=res.partner&res_id=%d", console.RegistryOf[console.Households], who); at != want {
		t.Errorf("the record is at %s, want %s", at, want)
	}
	page.Click(browser.Button("Ask the registry"))
	page.See(browser.Text("The registry shows the registrant to the connector's user."), browser.Text("It has a VID."))
	page.See(browser.Role("StaticText", "").Like(`^It was rejected, and is sent again at [A-Z][a-z]{2} \d`)) // as people write times
	page.See(browser.Text("It looks through some hundred batches at a time."))
	page.Click(browser.Button("Search older batches"))
	page.See(browser.Role("StaticText", "").Like("^All batches are searched: [1-9]"))
	page.See(browser.Text("Sent to MTS in a batch."))
	// Nothing of the person is on the page, but the number.
	registry := w.Registries[console.RegistryOf[console.Households]]
	text := browser.Evaluate[string](page, "document.documentElement.outerHTML")
	fields, phones := registry.Registrant(who)
	for _, identifier := range registry.Identifiers(who) {
		phones = append(phones, identifier.Value)
	}
	for _, value := range append(phones, fields["name"], fields["birthdate"]) {
		if value != "" && strings.Contains(text, value) {
			t.Error("the page shows something of the registrant")
		}
	}
	clean(t, w, page)
}

// Nobody is known under a number that is none, and where no connector knows it.
func TestARegistrantThatNobodyKnows(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := signedIn(t, b, w, console.Vera, "/registrants/2147483647")
	page.See(browser.Heading("No connector knows 2147483647 now"), browser.Link(console.Fishers))
	page.Click(browser.Link(console.Pensions))
	page.See(browser.Role("StaticText", "").Like("^2147483647 is not rejected, and is in no open batch"))
	if s := page.State(browser.Button("Ask the registry")); !s.Disabled || s.Description != "Needs the role operator. Yours is viewer." {
		t.Errorf("%+v", s)
	}
	page.Open(w.Address + "#/registrants/x4711")
	page.See(browser.Text("Type the number that the registry has for the registrant, such as 4711."))
	clean(t, w, page)
}

// With one connector the search is answered by its page at once.
func TestARegistrantOfTheOnlyConnector(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{Empty: true}), browser.Start(t)
	var made struct{ ID string }
	if err := w.As(t.Context(), console.Ada, http.MethodPost, "/connectors", console.Configuration("Only", console.MTS, console.Fresh), &made); err != nil {
		t.Fatal(err)
	}
	page := signedIn(t, b, w, console.Vera, "/connectors")
	page.Press("/", "4711", kb.Enter)
	page.See(browser.Heading("Only · Registrant 4711"))
	if at := page.Address(); at != w.Address+"#/connectors/"+made.ID+"/registrants/4711" {
		t.Error(at)
	}
	page.Back() // and not to where it was only passed on
	page.See(browser.Heading("Connectors"))
}

// The list of rejected people for the field office, as a file: two clicks.
func TestRejectionsAsAFileInTwoClicks(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	page := window(t, b, w, "/")
	page.Before(saved)
	page.Open(w.Address)
	page.Click(browser.Button(console.Vera.Button))
	loaded(page)
	clicks := page.Clicks(func() {
		page.Click(rejectionsOf(console.Households))
		page.Click(browser.Button("Download CSV"))
	})
	if clicks != 2 {
		t.Errorf("%d clicks", clicks)
	}
	all := groupsOf(t, w, console.Households)
	page.See(browser.Text(fmt.Sprintf("%d rows downloaded. Their times are UTC.", all.Total)))
	if got := rows(t, page); len(got) != all.Total {
		t.Errorf("%d rows, want %d", len(got), all.Total)
	}
	// A group has a file of its own.
	group := all.Groups[0]
	page.Click(browser.Button("Download CSV: " + group.Reason))
	page.See(browser.Text(fmt.Sprintf("%d rows downloaded. Their times are UTC.", group.Count)))
	for _, row := range rows(t, page) {
		if row[2] != group.Kind || row[3] != group.Code {
			t.Errorf("%q is not of the group", row)
		}
	}
	clean(t, w, page)
}

// The filter is in the address: it is there after a reload, for who gets the link, and
// goes by its chips.
func TestRejectionsAreFiltered(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	all := groupsOf(t, w, console.Households)
	group := all.Groups[0]
	page := signedIn(t, b, w, console.Vera, addressed(t, w, "/connectors/{Household registry}/rejections"))
	page.Click(browser.Link("Show: " + group.Reason))
	whole := func(n int) browser.Element { return browser.Text(fmt.Sprintf("These are all %d.", n)) }
	page.See(browser.Heading(group.Reason), whole(group.Count))
	if focus := page.Focused(); focus != fmt.Sprintf("heading %q", group.Reason) {
		t.Errorf("the focus is on %s", focus)
	}
	page.Reload()
	page.See(whole(group.Count))
	page.Click(browser.Link("Remove the filter: " + group.Code))
	ofKind := 0
	for _, one := range all.Groups {
		if one.Kind == group.Kind {
			ofKind += one.Count
		}
	}
	if ofKind > 50 {
		page.See(browser.Text(fmt.Sprintf("1–50 of about %d", ofKind)))
		page.Click(browser.Button("Load more"))
	}
	page.See(whole(ofKind))
	page.Click(browser.Role("DisclosureTriangle", "Filter"))
	page.Fill(browser.Field("Registrant number").In(browser.Role("main", "")), fmt.Sprint(group.Registrants[0]))
	page.Press(kb.Enter)
	page.See(browser.Link(fmt.Sprintf("Remove the filter: registrant %d", group.Registrants[0])), browser.Text("That is all: 1."))
	page.Back()
	page.Gone(browser.Link(fmt.Sprintf("Remove the filter: registrant %d", group.Registrants[0])))
	page.See(browser.Button(fmt.Sprintf("Try again: all %d that match", ofKind)))
	// Who may not try anybody again sees why.
	if s := page.State(browser.Button("Try again: 0 selected")); !s.Disabled || s.Description != "Select some in the list first." {
		t.Errorf("%+v", s)
	}
	page.Click(browser.Link("All rejections by their reason"))
	page.See(browser.Text(fmt.Sprintf("%d registrants are rejected.", all.Total)))
	if s := page.State(browser.Button("Try again: " + group.Reason)); !s.Disabled || s.Description != "Needs the role operator. Yours is viewer." {
		t.Errorf("%+v", s)
	}
	clean(t, w, page)
}

// Pairs of registrants lead to the registry, where they are merged or not.
func TestDuplicatesAreShownAsPairs(t *testing.T) {
	w, b := sharedWorld(t), browser.Start(t)
	var found struct {
		Duplicates []struct{ Registrants []int64 }
	}
	ask(t, w, "/connectors/"+w.Connectors[console.Households]+"/duplicates", &found)
	page := signedIn(t, b, w, console.Vera, addressed(t, w, "/connectors/{Household registry}/rejections"))
	page.Click(browser.Link("Look at the pairs"))
	for _, pair := range found.Duplicates {
		row := browser.Row(fmt.Sprintf("%d: open the record in the registry", pair.Registrants[0]))
		page.See(browser.Link(fmt.Sprintf("%d: open the record in the registry", pair.Registrants[1])).In(row))
	}
	if len(found.Duplicates) == 0 {
		t.Error("there are no duplicates")
	}
	clean(t, w, page)
}

// A group is sent again in three clicks, with the number shown before, and the page
// says what became of it.
func TestAGroupIsSentAgain(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	const code, reason = "ATS-REQ-011", "The gender is missing."
	var found struct{ Rejections []struct{ Registrant int64 } }
	ask(t, w, "/connectors/"+w.Connectors[console.Households]+"/rejections?kind=invalid&code="+code+"&limit=500", &found)
	count := len(found.Rejections)
	if count < 4 {
		t.Fatal("the demo has too few for this test")
	}
	corrected := count / 2
	for _, one := range found.Rejections[:corrected] {
		w.Registries[console.RegistryOf[console.Households]].SetRegistrant(one.Registrant, map[string]any{"gender": "Female"})
	}
	page := signedIn(t, b, w, console.Omar, "/")
	clicks := page.Clicks(func() {
		page.Click(rejectionsOf(console.Households))
		page.Click(browser.Button("Try again: " + reason))
		dialog := browser.Role("dialog", "Try again")
		page.See(browser.Text(fmt.Sprintf("Send %d registrants again?", count)).In(dialog), browser.Text("Those whose data are unchanged will be rejected again.").In(dialog))
		page.Click(browser.Button("Try again").In(dialog))
	})
	if clicks != 3 {
		t.Errorf("%d clicks", clicks)
	}
	page.See(browser.Role("StaticText", "").Like(fmt.Sprintf("^%d registrants are tried again. They go out with ", count)))
	page.See(browser.Role("StaticText", "").Like(fmt.Sprintf("^%d tried again .*: %d no longer rejected for this, %d rejected again.$", count, corrected, count-corrected)))
	if focus := page.Focused(); focus != fmt.Sprintf("button %q", "Try again: "+reason) {
		t.Errorf("the focus is on %s", focus)
	}
	clean(t, w, page)
}

// A group has one code. That all of it are refused again for that is no problem of the
// connector.
func TestAGroupThatIsRefusedAgainIsNoProblem(t *testing.T) {
	w := started(t, console.Options{})
	at := "/connectors/" + w.Connectors[console.Households]
	const code = "IDA-MLC-009"
	var retried struct{ Registrants int }
	if err := w.As(t.Context(), console.Omar, http.MethodPost, at+"/rejections/retry", map[string]any{"kind": "refused", "code": code}, &retried); err != nil {
		t.Fatal(err)
	}
	for asked := true; asked; {
		w.Tick(t.Context())
		var reply struct {
			Groups []struct {
				Code       string
				Count      int
				AskedAgain *time.Time `json:"asked_again"`
			}
		}
		ask(t, w, at+"/rejections/groups", &reply)
		asked = false
		for _, group := range reply.Groups {
			if group.Code != code {
				continue
			}
			asked = group.AskedAgain != nil
			if group.Count < 10 {
				t.Fatal("the demo has too few for this test")
			}
		}
	}
	var connector struct {
		Problems map[string]any
		Figures  struct {
			LastRun struct{ Totals struct{ Sent, Refused int } } `json:"last_run"`
		}
	}
	ask(t, w, at, &connector)
	if len(connector.Problems) > 0 {
		t.Errorf("problems %v", connector.Problems)
	}
	if totals := connector.Figures.LastRun.Totals; totals.Sent < 10 || totals.Refused != totals.Sent {
		t.Errorf("the last run: %+v; it should have sent the group, and all are refused", totals)
	}
}

// Some that are selected, and all that a filter selects which no single request means.
func TestSomeAreSentAgain(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	group := groupsOf(t, w, console.Pensions).Groups[0]
	at := addressed(t, w, fmt.Sprintf("/connectors/{Pension register}/rejections?kind=%s&code=%s", group.Kind, group.Code))
	page := signedIn(t, b, w, console.Omar, at)
	first := group.Registrants[0]
	page.Click(browser.Role("checkbox", fmt.Sprintf("Select %d", first)))
	page.Click(browser.Button("Try again: 1 selected"))
	dialog := browser.Role("dialog", "Try again")
	page.See(browser.Text("Send 1 registrant again?").In(dialog))
	page.Press(kb.Escape)
	page.Gone(dialog)
	page.Click(browser.Button("Try again: 1 selected"))
	page.Click(browser.Button("Try again").In(dialog))
	page.See(browser.Role("StaticText", "").Like("^1 registrant is tried again"))
	page.See(browser.Role("cell", "").Like("^asked for again ").In(browser.Row(fmt.Sprint(first))))
	page.Open(w.Address + "#" + at + "&since=2020-01-01T00:00:00Z")
	page.Click(browser.Role("button", "").Like("that match"))
	page.See(browser.Role("StaticText", "").Like(fmt.Sprintf("^Send %d registrants? again", group.Count)).In(dialog))
	clean(t, w, page)
}

// Who corrects a registrant, tries again and waits, sees how it ends.
func TestARegistrantIsFollowedToItsToken(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	var found struct{ Rejections []struct{ Registrant int64 } }
	ask(t, w, "/connectors/"+w.Connectors[console.Households]+"/rejections?kind=invalid&code=ATS-REQ-011&limit=1", &found)
	who := found.Rejections[0].Registrant
	page := signedIn(t, b, w, console.Omar, addressed(t, w, fmt.Sprintf("/connectors/{Household registry}/registrants/%d", who)))
	page.See(browser.Role("StaticText", "").Like(fmt.Sprintf(`^%d has no token\. It was not sent`, who)))
	w.Registries[console.RegistryOf[console.Households]].SetRegistrant(who, map[string]any{"gender": "Female"})
	page.Click(browser.Button("Try again"))
	dialog := browser.Role("dialog", "Try again")
	page.See(browser.Text("Send 1 registrant again?").In(dialog))
	page.Click(browser.Button("Try again").In(dialog))
	page.See(browser.Role("StaticText", "").Like("^1 registrant is tried again"))
	// Nobody asked for older batches: the page looks for how it ended.
	page.See(browser.Role("StaticText", "").Like(fmt.Sprintf("^%d (got a token on|was answered on) ", who)))
	page.Gone(browser.Button("Try again"))
	page.Click(browser.Button("Ask the registry"))
	page.See(browser.Text("It holds a token."))
	clean(t, w, page)
}

// reach brings the focus by the key Tab alone to an element, as Focused names it, and
// presses Enter.
func reach(t *testing.T, page *browser.Page, element string) {
	t.Helper()
	for range 150 {
		if strings.HasSuffix(page.Focused(), element) {
			page.Press(kb.Enter)
			return
		}
		page.Press(kb.Tab)
	}
	t.Fatalf("Tab does not come to %s", element)
}

// Without a mouse: the file, and a group that is sent again.
func TestRejectionsByKeyboard(t *testing.T) {
	built(t)
	w, b := started(t, console.Options{}), browser.Start(t)
	page := window(t, b, w, "/")
	page.Before(saved)
	page.Open(w.Address)
	page.Click(browser.Button(console.Omar.Button))
	loaded(page)
	group := groupsOf(t, w, console.Fishers).Groups[0]
	page.See(browser.Link(console.Fishers))
	reach(t, page, `rejections of `+console.Fishers+`"`)
	page.See(browser.Button("Download CSV"))
	reach(t, page, `button "Download CSV"`)
	page.See(browser.Role("StaticText", "").Like("rows downloaded"))
	if len(rows(t, page)) == 0 {
		t.Error("the file is empty")
	}
	again := fmt.Sprintf("button %q", "Try again: "+group.Reason)
	reach(t, page, again)
	page.See(browser.Button("Try again").In(browser.Role("dialog", "Try again")))
	reach(t, page, `button "Try again"`)
	// It is stopped, and the answer says so.
	page.See(browser.Role("StaticText", "").Like("again. The connector is stopped, so they go out once it is started"))
	if focus := page.Focused(); focus != again {
		t.Errorf("the focus is on %s", focus)
	}
	clean(t, w, page)
}
