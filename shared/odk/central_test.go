package odk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

const (
	reader   = "reader@example.org"
	password = "a secret of the reader"
)

// start is the moment at which the clocks of tests begin.
var start = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// everything is a window that holds all that tests submit.
var everything = seeding.Window{From: start.Add(-24 * time.Hour), To: start.Add(24 * time.Hour)}

// central is a simulated Central with the form reg, and the client that is tested, over
// real HTTP.
type central struct {
	*centralsim.Server
	t     *testing.T
	http  *httptest.Server
	form  *centralsim.Form
	users *odk.Client
	at    *odk.Central

	mu     sync.Mutex
	before func(*http.Request) // called before each request is answered
	asked  []string
	clock  atomic.Int64 // of the database, in microseconds
}

func newCentral(t *testing.T, o centralsim.Options) *central {
	t.Helper()
	c := &central{t: t}
	c.clock.Store(start.UnixMicro())
	if o.Now == nil {
		o.Now = func() time.Time { return time.UnixMicro(c.clock.Load()) }
	}
	c.Server = centralsim.New(o)
	project := c.AddProject("Registration")
	c.AddUser(reader, password)
	c.Assign(reader, project, centralsim.Viewer)
	c.form = c.AddForm(project, centralsim.Definition{ID: "reg", Fields: centralsim.Registration()})
	c.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		before := c.before
		c.asked = append(c.asked, r.Method+" "+r.URL.RequestURI())
		c.mu.Unlock()
		if before != nil {
			before(r)
		}
		c.ServeHTTP(w, r)
	}))
	c.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(c.http.Close)
	c.users = newClient(func() time.Time { return start })
	c.open("reg", password)
	return c
}

func newClient(now func() time.Time) *odk.Client {
	client := odk.New(outgoing.New(outgoing.Options{
		AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond,
	}), now)
	client.Limits.Silence = 10 * time.Minute
	return client
}

// open makes the client read a form.
func (c *central) open(form, password string) {
	c.t.Helper()
	address, err := odk.ParseAddress(c.http.URL, c.http.URL+"/v1/projects/1/forms/"+form+".svc")
	if err != nil {
		c.t.Fatal(err)
	}
	c.at = c.users.Open(address, reader, password)
}

// hook is called before each request of the client is answered.
func (c *central) hook(f func(*http.Request)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = f
}

// requests returns those since it was called last.
func (c *central) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

// submit adds submissions s0, s1, … a second apart, the first at the start.
func (c *central) submit(n int) {
	for i := range n {
		c.form.Submit(centralsim.Submission{ID: fmt.Sprintf("s%d", i), At: start.Add(time.Duration(i) * time.Second),
			Answers: map[string]string{"vid": fmt.Sprintf("%016d", i)}})
	}
}

// read returns the ids of a window, in the order in which they were given.
func (c *central) read(w seeding.Window) (ids []string, err error) {
	err = c.at.Read(c.t.Context(), w, func(s seeding.Submission) error {
		ids = append(ids, s.ID)
		return nil
	})
	return ids, err
}

func codeOf(err error) string {
	f, ok := errors.AsType[*seeding.Fault](err)
	switch {
	case err == nil:
		return ""
	case !ok:
		return "no fault: " + err.Error()
	}
	return f.Code
}

func TestCount(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(5)
	for _, test := range []struct {
		window seeding.Window
		want   int
	}{
		{everything, 5},
		{seeding.Window{From: start, To: start}, 0},
		{seeding.Window{From: start, To: start.Add(time.Second)}, 1},
		{seeding.Window{From: start.Add(time.Millisecond), To: start.Add(time.Second + time.Millisecond)}, 1},
		{seeding.Window{From: start.In(time.FixedZone("", 8*3600)), To: start.Add(2*time.Second + time.Microsecond)}, 2},
	} {
		got, err := c.at.Count(t.Context(), test.window)
		if got != test.want || err != nil {
			t.Errorf("%v: %d, %v", test.window, got, err)
		}
	}
	if asked := c.requests(); len(asked) != 6 || !strings.HasPrefix(asked[0], "POST /v1/sessions") {
		t.Error("one session for all calls, and one call for each count:", asked)
	}
}

// Pages are put together, whatever their size.
func TestReadPages(t *testing.T) {
	for _, release := range []string{"2026.2", "2023.4", "2023.3", "2022.3"} {
		for _, rows := range []int{1, 2, 3, 6, 7, 100} {
			c := newCentral(t, centralsim.Options{Release: release})
			c.submit(6)
			c.users.Limits.PageRows = rows
			c.open("reg", password)
			ids, err := c.read(everything)
			if want := "s5 s4 s3 s2 s1 s0"; strings.Join(ids, " ") != want || err != nil {
				t.Errorf("%s, pages of %d: %v, %v", release, rows, ids, err)
			}
		}
	}
}

// What is given of a submission, as MTS sees it too.
func TestReadGivesRecords(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	id := c.form.Submit(centralsim.Submission{Answers: map[string]string{"vid": "0000000000000001", "person/name": "Zoé <b>", "person/big": "9007199254740993"}})
	c.form.Edit(id, map[string]string{"vid": "0000000000000002", "person/name": "Zoé <b>", "person/big": "9007199254740993"})
	var got seeding.Submission
	if err := c.at.Read(t.Context(), everything, func(s seeding.Submission) error { got = s; return nil }); err != nil {
		t.Fatal(err)
	}
	person, _ := got.Record["person"].(map[string]any)
	if got.ID != id || !got.Received.Equal(start) || got.Edits != 1 || got.Record["vid"] != "0000000000000002" ||
		person["name"] != "Zoé <b>" || fmt.Sprint(person["big"]) != "9007199254740992" {
		t.Errorf("%+v %v", got, got.Record)
	}
	if text := fmt.Sprint(got); strings.Contains(text, "Zoé") || strings.Contains(text, "0002") {
		t.Error("a submission prints what is in it:", text)
	}
	c.requests()
	none := seeding.Window{From: start.Add(time.Hour), To: start.Add(2 * time.Hour)}
	if ids, err := c.read(none); err != nil || ids != nil || len(c.requests()) != 1 {
		t.Error("an empty window:", ids, err)
	}
	stop := errors.New("enough")
	if err := c.at.Read(t.Context(), everything, func(seeding.Submission) error { return stop }); !errors.Is(err, stop) {
		t.Error("the error of the function:", err)
	}
}

// An address may choose columns; what the client needs itself is added.
func TestChosenColumns(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(3)
	address, err := odk.ParseAddress(c.http.URL, c.http.URL+"/v1/projects/1/forms/reg.svc?$select=vid")
	if err != nil {
		t.Fatal(err)
	}
	chosen := c.users.Open(address, reader, password)
	err = chosen.Read(t.Context(), everything, func(s seeding.Submission) error {
		if s.ID == "" || s.Received.IsZero() || len(s.Record) != 3 {
			t.Error(s.Record)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n, err := chosen.Count(t.Context(), everything); n != 3 || err != nil {
		t.Error(n, err)
	}
}

// between calls f once, before the second page is answered.
func (c *central) between(f func()) {
	c.users.Limits.PageRows = 2
	c.open("reg", password)
	var once sync.Once
	c.hook(func(r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "$skiptoken=") {
			once.Do(f)
		}
	})
}

// Submissions that arrive while a window is read are newer than it.
func TestArrivalsDuringPaging(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(5)
	c.between(func() {
		for range 3 {
			c.form.Submit(centralsim.Submission{At: start.Add(time.Hour)})
		}
	})
	ids, err := c.read(seeding.Window{From: start, To: start.Add(time.Hour)})
	if strings.Join(ids, " ") != "s4 s3 s2 s1 s0" || err != nil {
		t.Error(ids, err)
	}
}

// One that becomes readable late is read if it belongs to what is still to come.
// Elsewhere it is noticed that something is missing.
func TestLateCommits(t *testing.T) {
	for name, test := range map[string]struct {
		at   time.Duration
		want string
		code string
	}{
		"before the place": {1500 * time.Millisecond, "s4 s3 s2 late s1 s0", ""},
		"behind the place": {3500 * time.Millisecond, "s4 s3 s2 s1 s0", odk.WindowChanged},
	} {
		c := newCentral(t, centralsim.Options{})
		c.submit(5)
		c.form.Submit(centralsim.Submission{ID: "late", Hidden: true, At: start.Add(test.at)})
		c.between(func() { c.form.Show("late") })
		ids, err := c.read(everything)
		if strings.Join(ids, " ") != test.want || codeOf(err) != test.code {
			t.Errorf("%s: %v, %v", name, ids, err)
		}
		if ids, err := c.read(everything); len(ids) != 6 || err != nil {
			t.Errorf("%s, again: %v, %v", name, ids, err)
		}
	}
}

// Submissions of one millisecond are neither lost nor doubled at a page's end.
func TestSharedMilliseconds(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.users.Limits.PageRows = 2
	c.open("reg", password)
	want := 7
	for i := range want {
		c.form.Submit(centralsim.Submission{ID: fmt.Sprintf("s%d", i), At: start})
	}
	ids, err := c.read(seeding.Window{From: start, To: start.Add(time.Millisecond)})
	if slices.Sort(ids); len(ids) != want || len(slices.Compact(ids)) != want || err != nil {
		t.Error(ids, err)
	}
}

// The submission after which a page begins may be deleted meanwhile. One that was read
// and is gone is noticed, and so is one that is purged, from which no page begins.
func TestDeletedAnchor(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*central)
		want   string
		code   string
	}{
		"deleted":             {func(c *central) { c.form.Delete("s3") }, "s4 s3 s2 s1 s0", odk.WindowChanged},
		"deleted, to come":    {func(c *central) { c.form.Delete("s1") }, "s4 s3 s2 s0", ""},
		"deleted, and back":   {func(c *central) { c.form.Delete("s3"); c.form.Restore("s3") }, "s4 s3 s2 s1 s0", ""},
		"purged":              {func(c *central) { c.form.Purge("s3") }, "s4 s3", odk.WindowChanged},
		"edited and read":     {func(c *central) { c.form.Edit("s4", nil) }, "s4 s3 s2 s1 s0", ""},
		"edited, to come":     {func(c *central) { c.form.Edit("s0", nil) }, "s4 s3 s2 s1 s0", ""},
		"reviewed, an anchor": {func(c *central) { c.form.Review("s3", "approved") }, "s4 s3 s2 s1 s0", ""},
	} {
		c := newCentral(t, centralsim.Options{})
		c.submit(5)
		c.between(func() { test.change(c) })
		ids, err := c.read(everything)
		if strings.Join(ids, " ") != test.want || codeOf(err) != test.code {
			t.Errorf("%s: %v, %v", name, ids, err)
		}
	}
}

// Neighbouring windows share no submission and lose none, also where an older release
// stores more digits than it shows.
func TestWindowsAddUp(t *testing.T) {
	for _, release := range []string{"2026.2", "2022.3"} {
		c := newCentral(t, centralsim.Options{Release: release})
		for i := range 40 {
			c.form.Submit(centralsim.Submission{ID: fmt.Sprintf("s%d", i), At: start.Add(time.Duration(i) * 300 * time.Microsecond)})
		}
		var all []string
		for ms := range 15 {
			from := start.Add(time.Duration(ms) * time.Millisecond)
			ids, err := c.read(seeding.Window{From: from, To: from.Add(time.Millisecond)})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, ids...)
		}
		if slices.Sort(all); len(all) != 40 || len(slices.Compact(all)) != 40 {
			t.Errorf("%s: %v", release, all)
		}
	}
}

func TestReadSome(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	var ids []string
	for i := range 400 {
		ids = append(ids, fmt.Sprintf("uuid:00000000-0000-4000-8000-%012d", i))
		c.form.Submit(centralsim.Submission{ID: ids[i]})
	}
	odd := []string{"plain-id_1", "a/b c+d&e%", "ñ", "uuid:none", "deleted"}
	for _, id := range []string{odd[0], odd[1], odd[2], odd[4]} {
		c.form.Submit(centralsim.Submission{ID: id})
	}
	c.form.Delete("deleted")
	c.requests()
	found := map[string]int{}
	err := c.at.ReadSome(t.Context(), slices.Concat(ids, odd, ids[:3]), func(s seeding.Submission) error { found[s.ID]++; return nil })
	if len(found) != 403 || err != nil {
		t.Error(len(found), err)
	}
	for id, n := range found {
		if n != 1 || id == "deleted" {
			t.Error(id, n)
		}
	}
	for _, address := range c.requests() {
		if len(address) > 8000 {
			t.Errorf("%d bytes", len(address))
		}
	}
	if err := c.at.ReadSome(t.Context(), []string{"a", "b'c"}, nil); codeOf(err) != odk.NotAskable || len(c.requests()) != 0 {
		t.Error(err)
	}
	if err := c.at.ReadSome(t.Context(), nil, nil); err != nil || len(c.requests()) != 0 {
		t.Error(err)
	}
}

// A tag tells whether a window has changed, and its absence that a release has none.
func TestTag(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(3)
	tag := func(known string) (string, bool) {
		t.Helper()
		got, same, err := c.at.Tag(t.Context(), everything, known)
		if err != nil {
			t.Fatal(err)
		}
		return got, same
	}
	first, same := tag("")
	if first == "" || same {
		t.Fatal(first, same)
	}
	if again, same := tag(first); again != first || !same || c.Counters().NotModified != 1 {
		t.Error(again, same)
	}
	for name, change := range map[string]func(string) bool{
		"edited":   func(id string) bool { return c.form.Edit(id, nil) },
		"deleted":  c.form.Delete,
		"restored": c.form.Restore,
		"arrived":  func(string) bool { return c.form.Submit(centralsim.Submission{}) != "" },
	} {
		before, _ := tag("")
		if !change("s1") {
			t.Fatal(name)
		}
		if after, same := tag(before); after == before || same {
			t.Errorf("%s: not seen", name)
		}
	}
	if got, same := tag("\"x\"\r\nEvil: 1"); got == "" || same {
		t.Error("what is no tag is not sent:", got, same)
	}
	old := newCentral(t, centralsim.Options{Release: "2025.3"})
	if got, same, err := old.at.Tag(t.Context(), everything, first); got != "" || same || err != nil {
		t.Error("a release without tags:", got, same, err)
	}
}

func TestForm(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(3)
	f, err := c.at.Form(t.Context())
	if err != nil || f.Name != "reg" || f.Version != "1" || !f.Open || f.Encrypted || !f.Published || !f.Readable || f.Submissions != 3 ||
		!f.Last.Equal(start.Add(2*time.Second)) || !slices.Contains(f.Fields, odk.Field{Path: "/person/dob", Type: "date"}) {
		t.Errorf("%+v %v", f, err)
	}
	c.form.SetState(centralsim.Closed)
	if f, err := c.at.Form(t.Context()); err != nil || f.Open {
		t.Error("closed:", err)
	}
	if n, err := c.at.Count(t.Context(), everything); n != 3 || err != nil {
		t.Error("a closed form is read as before:", n, err)
	}
	c.AddForm(1, centralsim.Definition{ID: "sealed ñ", Encrypted: true})
	c.open("sealed%20%C3%B1", password)
	if f, err := c.at.Form(t.Context()); err != nil || !f.Encrypted {
		t.Error("encrypted:", err)
	}
}

// What keeps VIDs from being read is said before a submission is sent.
func TestFlaws(t *testing.T) {
	fields := []odk.Field{{"/vid", "string"}, {"/number", "int"}, {"/income", "decimal"}, {"/born", "date"}, {"/person", "structure"},
		{"/person/vid", "string"}, {"/child", "repeat"}, {"/child/vid", "string"}, {"/photo", "binary"}, {"/place", "geopoint"}}
	good := odk.Form{Published: true, Readable: true, Open: true, Fields: fields}
	with := func(change func(*odk.Form)) odk.Form { f := good; change(&f); return f }
	for name, test := range map[string]struct {
		form odk.Form
		path string
		want string
	}{
		"fine":           {good, "vid", ""},
		"in a group":     {good, "person/vid", ""},
		"slashes":        {good, "/person/vid/", ""},
		"closed":         {with(func(f *odk.Form) { f.Open = false }), "vid", ""},
		"a date":         {good, "born", ""},
		"integer":        {good, "number", odk.NumericField},
		"decimal":        {good, "income", odk.NumericField},
		"missing":        {good, "uin", odk.NoField},
		"group":          {good, "person", odk.NoTextField},
		"in a repeat":    {good, "child/vid", odk.NoTextField},
		"photo":          {good, "photo", odk.NoTextField},
		"place":          {good, "place", odk.NoTextField},
		"encrypted":      {with(func(f *odk.Form) { f.Encrypted = true }), "vid", odk.EncryptedForm},
		"no right":       {with(func(f *odk.Form) { f.Readable = false }), "vid", odk.NoRight},
		"not published":  {with(func(f *odk.Form) { f.Published = false }), "vid", odk.NoForm},
		"right is first": {with(func(f *odk.Form) { f.Readable, f.Encrypted = false, true }), "uin", odk.NoRight},
	} {
		got := test.form.Flaw(test.path)
		if got == nil && test.want != "" || got != nil && got.Code != test.want {
			t.Errorf("%s: %v, want %q", name, got, test.want)
		}
	}
}

// What cannot hold VIDs is told from the form's fields, which are read once.
func TestFieldOfVIDs(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.Assign(reader, 1, centralsim.Viewer)
	for path, want := range map[string]string{"vid": "", "person/name": "", "person/big": odk.NumericField, "person/income": odk.NumericField, "person": odk.NoTextField, "uin": odk.NoField} {
		err := c.at.CheckVID(t.Context(), path)
		if want == "" && err != nil || want != "" && (err == nil || seeding.FaultOf(err).Code != want || seeding.FaultOf(err).Field != path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	asked := 0
	for _, request := range c.requests() {
		if strings.Contains(request, "/fields") {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// The clock that stamps submissions is read to the millisecond, apart from Central's
// other one.
func TestClock(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.clock.Store(start.Add(90*time.Second + 137*time.Millisecond).UnixMicro())
	clock, err := c.at.Clock(t.Context())
	ahead, doubt := clock.Ahead()
	if err != nil || ahead != 90*time.Second+137*time.Millisecond || doubt != 0 || !clock.Now(start.Add(time.Hour)).Equal(start.Add(time.Hour+ahead)) {
		t.Error(ahead, doubt, err)
	}
	if clock.Apart(2*time.Minute) != nil {
		t.Error("apart")
	}
	if got := clock.Apart(time.Minute); got == nil || got.Code != odk.ClockApart {
		t.Error(got)
	}
	c.requests()
	if _, err := c.at.Clock(t.Context()); err != nil || len(c.requests()) != 0 {
		t.Error("the clock is read again:", err)
	}

	other := newCentral(t, centralsim.Options{})
	other.SetFaults(centralsim.Faults{DateAheadMS: 3_600_000})
	clock, err = other.at.Clock(t.Context())
	if got := clock.Apart(time.Minute); err != nil || got == nil || clock.Server.Sub(clock.Database) != time.Hour {
		t.Error("Central's own clocks are apart:", clock, err)
	}
	unsure := odk.Clock{Before: start, After: start.Add(4 * time.Second), Database: start.Add(62 * time.Second)}
	if ahead, doubt := unsure.Ahead(); ahead != time.Minute || doubt != 2*time.Second || unsure.Apart(59*time.Second) != nil {
		t.Error("what is not sure is no fault:", ahead, doubt)
	}
}

func TestSingleSignOn(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	if on, known, err := c.at.SingleSignOn(t.Context()); on || !known || err != nil {
		t.Error(on, known, err)
	}
	c.SetSingleSignOn(true)
	if on, known, err := c.at.SingleSignOn(t.Context()); !on || !known || err != nil {
		t.Error(on, known, err)
	}
	bare := newCentral(t, centralsim.Options{Bare: true})
	if _, known, err := bare.at.SingleSignOn(t.Context()); known || err != nil {
		t.Error(known, err)
	}
	bare.SetFaults(centralsim.Faults{Page: 502})
	if _, _, err := bare.at.SingleSignOn(t.Context()); codeOf(err) != "HTTP-502" {
		t.Error(err)
	}
}

// A session that has ended is begun again once, and no call signs in twice.
func TestSessions(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(5)
	c.users.Limits.PageRows = 2
	c.open("reg", password)
	count := func() string {
		_, err := c.at.Count(t.Context(), everything)
		return codeOf(err)
	}
	signIns := func() int {
		return len(slices.DeleteFunc(c.requests(), func(asked string) bool { return !strings.HasPrefix(asked, "POST") }))
	}
	if got := count(); got != "" || signIns() != 1 {
		t.Fatal(got)
	}
	c.EndSessions()
	if got := count(); got != "" || signIns() != 1 {
		t.Error("an ended session:", got)
	}
	c.clock.Add((25 * time.Hour).Microseconds())
	if got := count(); got != "" || signIns() != 1 {
		t.Error("a session that is too old:", got)
	}
	// In the middle of a window.
	var once sync.Once
	c.hook(func(r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "$skiptoken=") {
			once.Do(c.EndSessions)
		}
	})
	if ids, err := c.read(everything); len(ids) != 5 || err != nil || signIns() != 1 {
		t.Error("ended between pages:", ids, err)
	}
	// A Central that accepts no session.
	c.hook(func(r *http.Request) {
		if r.Method == http.MethodGet {
			c.EndSessions()
		}
	})
	if got := count(); got != odk.SessionRefused || signIns() != 1 {
		t.Error("every session is refused:", got)
	}
	c.hook(nil)
	// A password that was changed.
	c.SetPassword(reader, "another one")
	if got := count(); got != odk.WrongPassword || signIns() != 1 {
		t.Error("the password was changed:", got)
	}
	if got := count(); got != odk.WrongPassword || signIns() != 1 {
		t.Error("the same again:", got)
	}
	c.open("reg", "another one")
	if got := count(); got != "" || signIns() != 1 {
		t.Error("the new password:", got)
	}
	c.AddForm(1, centralsim.Definition{ID: "second"})
	c.open("second", "another one")
	if got := count(); got != "" || signIns() != 0 {
		t.Error("another form of the same Central:", got)
	}
}

// Callers at the same time share one sign-in.
func TestSignInIsShared(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(1)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if n, err := c.at.Count(t.Context(), everything); n != 1 || err != nil {
				t.Error(n, err)
			}
		})
	}
	group.Wait()
	if n := c.Counters().SignIns; n != 1 {
		t.Errorf("%d sign-ins", n)
	}
}

// Everything that a check must tell apart has a code of its own, and no error holds a
// secret or a value.
func TestCauses(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, end := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer end()
	for name, test := range map[string]struct {
		prepare func(*central)
		ctx     context.Context
		kind    seeding.FaultKind
		code    string
	}{
		"wrong password":  {func(c *central) { c.SetPassword(reader, "x") }, nil, seeding.RefusedSignIn, odk.WrongPassword},
		"no such user":    {func(c *central) { c.DeleteUser(reader) }, nil, seeding.RefusedSignIn, odk.WrongPassword},
		"single sign-on":  {func(c *central) { c.SetSingleSignOn(true) }, nil, seeding.RefusedSignIn, odk.SingleSignOn},
		"collector":       {func(c *central) { c.Assign(reader, 1, centralsim.Collector) }, nil, seeding.RefusedRights, odk.NoRight},
		"no role":         {func(c *central) { c.Assign(reader, 1, centralsim.None) }, nil, seeding.RefusedRights, odk.NoRight},
		"unknown form":    {func(c *central) { c.open("none", password) }, nil, seeding.RefusedSchema, odk.NoForm},
		"other case":      {func(c *central) { c.open("REG", password) }, nil, seeding.RefusedSchema, odk.NoForm},
		"removed form":    {func(c *central) { c.form.Remove() }, nil, seeding.RefusedSchema, odk.NoForm},
		"removed project": {func(c *central) { c.DeleteProject(1) }, nil, seeding.RefusedSchema, odk.NoForm},
		"not published": {func(c *central) {
			c.AddForm(1, centralsim.Definition{ID: "new", Unpublished: true})
			c.open("new", password)
		}, nil, seeding.RefusedSchema, odk.NoForm},
		"database down":        {func(c *central) { c.SetFaults(centralsim.Faults{DatabaseDown: true}) }, nil, seeding.Unreachable, "HTTP-500"},
		"nginx alone":          {func(c *central) { c.SetFaults(centralsim.Faults{Page: 502}) }, nil, seeding.Unreachable, "HTTP-502"},
		"nginx waited":         {func(c *central) { c.SetFaults(centralsim.Faults{Page: 504}) }, nil, seeding.Unreachable, "HTTP-504"},
		"another host":         {func(c *central) { c.SetFaults(centralsim.Faults{Page: 421}) }, nil, seeding.RefusedRequest, "HTTP-421"},
		"page of another site": {func(c *central) { c.SetFaults(centralsim.Faults{Page: 404}) }, nil, seeding.RefusedRequest, odk.NotCentral},
		"welcome page":         {func(c *central) { c.SetFaults(centralsim.Faults{Page: 200}) }, nil, seeding.RefusedRequest, odk.NotCentral},
		"closed connections":   {func(c *central) { c.SetFaults(centralsim.Faults{Down: true}) }, nil, seeding.Unreachable, "ConnectionLost"},
		"nobody listens":       {func(c *central) { c.http.Close() }, nil, seeding.Unreachable, "ConnectionRefused"},
		"cut":                  {func(c *central) { c.stop(centralsim.Cut) }, nil, seeding.Unreachable, "ConnectionLost"},
		"ended before its end": {func(c *central) { c.stop(centralsim.Ended) }, nil, seeding.Unreachable, odk.BrokenReply},
		"silent": {func(c *central) {
			c.stop(centralsim.Silence)
			c.users.Limits.Silence = 300 * time.Millisecond
			c.reopen()
		}, nil, seeding.Unreachable, odk.Silent},
		"too large a record": {func(c *central) { c.SetFaults(centralsim.Faults{PadBytes: 2 << 20}) }, nil, seeding.RefusedRequest, "AnswerTooLarge"},
		"encrypted": {func(c *central) {
			c.AddForm(1, centralsim.Definition{ID: "new", Encrypted: true})
			c.open("new", password)
		}, nil, 0, ""},
		"no time":             {func(*central) {}, expired, seeding.Unreachable, "Timeout"},
		"the caller has gone": {func(*central) {}, cancelled, seeding.Unreachable, ""},
		"closed form":         {func(c *central) { c.form.SetState(centralsim.Closed) }, nil, 0, ""},
		"pool used up":        {func(c *central) { c.SetFaults(centralsim.Faults{PoolMS: 1}) }, nil, seeding.Unreachable, "HTTP-500"},
		"fails once":          {func(c *central) { c.SetFaults(centralsim.Faults{FailNext: 1}) }, nil, seeding.Unreachable, "HTTP-500"},
		"all is well":         {func(*central) {}, nil, 0, ""},
		"slow but not silent": {func(c *central) { c.SetFaults(centralsim.Faults{SlowMS: 1}) }, nil, 0, ""},
		"a large page": {func(c *central) {
			c.SetFaults(centralsim.Faults{PadBytes: 200_000})
			c.users.Limits.PageBytes = 450_000
			c.reopen()
		}, nil, 0, ""},
		"sign-in says no token":      {func(c *central) { c.http.Config.Handler = saying(`{"token":5}`) }, nil, seeding.RefusedRequest, odk.NotCentral},
		"sign-in says a token of 15": {func(c *central) { c.http.Config.Handler = saying(`{"token":"0123456789abcde"}`) }, nil, seeding.RefusedRequest, odk.NotCentral},
		"sign-in says a token of 257": {func(c *central) { c.http.Config.Handler = saying(`{"token":"` + strings.Repeat("a", 257) + `"}`) },
			nil, seeding.RefusedRequest, odk.NotCentral},
		"sign-in says a token of two lines": {func(c *central) { c.http.Config.Handler = saying(`{"token":"0123456789abcdef\n"}`) }, nil, seeding.RefusedRequest, odk.NotCentral},
		"another program":                   {func(c *central) { c.http.Config.Handler = saying(`{"message":"x","code":404.2}`, 404) }, nil, seeding.RefusedRequest, odk.NotCentral},
		"asks to slow down":                 {func(c *central) { c.http.Config.Handler = saying(`{}`, 429) }, nil, seeding.Unreachable, "HTTP-429"},
		"leads elsewhere":                   {func(c *central) { c.http.Config.Handler = saying(``, 302) }, nil, seeding.RefusedRequest, "HTTP-302"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t, centralsim.Options{})
			c.submit(5)
			test.prepare(c)
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			read := 0
			err := c.at.Read(ctx, everything, func(seeding.Submission) error { read++; return nil })
			f, ok := errors.AsType[*seeding.Fault](err)
			switch {
			case err == nil:
				if test.kind != 0 || read != 5 && name != "encrypted" {
					t.Fatalf("no error, %d read", read)
				}
				return
			case !ok:
				t.Fatalf("%v is no fault", err)
			case f.Kind != test.kind || f.Code != test.code && test.code != "":
				t.Errorf("%v, want %s (%s)", f, test.kind, test.code)
			}
			for _, secret := range []string{password, reader, "0000000000000001", "127.0.0.1"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v holds %q", err, secret)
				}
			}
		})
	}
}

// saying answers everything with one text.
func saying(body string, status ...int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if status != nil {
			w.WriteHeader(status[0])
		}
		_, _ = io.WriteString(w, body)
	})
}

func (c *central) stop(how centralsim.Stop) {
	c.SetFaults(centralsim.Faults{Stop: how, StopNext: -1, StopAfter: 3})
}

// reopen makes the client take changed limits.
func (c *central) reopen() {
	limits := c.users.Limits
	c.users = newClient(func() time.Time { return start })
	c.users.Limits = limits
	c.open("reg", password)
}

// A page that is too large is read in smaller ones, each submission once.
func TestLargePages(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(20)
	c.SetFaults(centralsim.Faults{PadBytes: 10_000})
	for _, bytes := range []int64{12_000, 25_000, 60_000, 150_000, 1 << 20} {
		c.users.Limits.PageBytes = bytes
		c.open("reg", password)
		ids, err := c.read(everything)
		if len(ids) != 20 || err != nil || !slices.IsSortedFunc(ids, func(a, b string) int { return len(b) - len(a) }) {
			t.Errorf("%d bytes: %v, %v", bytes, ids, err)
		}
	}
	c.users.Limits.PageBytes = 9_000
	c.open("reg", password)
	if _, err := c.read(everything); codeOf(err) != "AnswerTooLarge" {
		t.Error("less than one submission:", err)
	}
}

// A window costs few calls: here sign-in, count and one page.
func TestCallsForAWindow(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(1000)
	n, err := c.at.Count(t.Context(), everything)
	ids, errRead := c.read(everything)
	if n != 1000 || len(ids) != 1000 || err != nil || errRead != nil {
		t.Fatal(n, len(ids), err, errRead)
	}
	if asked := c.requests(); len(asked) != 3 {
		t.Errorf("%d calls: %v", len(asked), asked)
	}
}

// What a window takes does not grow with it: no more is held than a page's reply could
// be, whatever the number of submissions.
func TestMemoryOfAWindow(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.Populate(10_000, 1)
	c.Assign(reader, 1, centralsim.Viewer)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most, read := heap(), int64(0), 0
	err := c.at.Read(t.Context(), everything, func(seeding.Submission) error {
		if read++; read%500 == 250 {
			most = max(most, heap()-before)
		}
		return nil
	})
	if err != nil || read != 10_000 {
		t.Fatal(read, err)
	}
	t.Logf("%d KB at most", most>>10)
	if most > 12<<20 { // a page is 1 MB of text, the window 10 MB, and each several times that when read
		t.Errorf("%d bytes are held while 10,000 submissions are read", most)
	}
}
