package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/template"
)

// world is the servers of one test: a registry with people in it, and an MTS.
type world struct {
	*testing.T
	registry *odoosim.Server
	seeder   *mtssim.Server
	front    *front
	private  *search // what may stand nowhere, of this world alone

	registryURL, mtsURL string
	database, password  string

	rng    *rand.Rand
	person int64            // the last one made up
	vids   map[int64]string // that registrants ever had
	held   map[int64]string // tokens that were there from the beginning
	deaths atomic.Int64     // of functions that worked for this world
}

type options struct {
	mts   mtssim.Options
	odoo  odoosim.Options
	path  string // context path of the MTS, "" or "/…"
	hosts [2]string
}

var worlds atomic.Int64

// sources looks at what the stack was built from. That happened before the
// tests began, so go test did not see it, and would call a result good that
// other sources gave.
var sources = sync.OnceFunc(func() {
	root, err := template.Root()
	if err != nil {
		panic(err)
	}
	if _, err := os.Stat(filepath.Join(root, "template.yaml")); err != nil {
		panic(err)
	}
	for _, folder := range []string{"functions", "shared", "infra/local"} {
		// go test notes every folder that is read, with what is in it.
		if err := filepath.WalkDir(filepath.Join(root, folder), func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			panic(err)
		}
	}
})

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	sources()
	n := worlds.Add(1)
	w := &world{
		T: t, registry: odoosim.New(o.odoo), seeder: mtssim.New(o.mts), database: "g2p",
		rng: rand.New(rand.NewPCG(uint64(n), 7)), person: 4_000_000_000 + n*1_000_000,
		private: newSearch(), vids: map[int64]string{}, held: map[int64]string{},
	}
	if len(o.odoo.Databases) > 0 {
		w.database = o.odoo.Databases[0]
	}
	w.password = "Sesame-" + w.word()
	w.hide("password", w.password)
	w.registry.SetPassword("admin", w.password)
	w.front = &front{behind: w.seeder, path: o.path, hide: w.hide}
	w.registryURL = serve(t, o.hosts[0], w.registry)
	w.mtsURL = serve(t, o.hosts[1], w.front) + o.path
	t.Cleanup(w.seeder.Close)
	return w
}

// serve answers at a free port of a loopback address.
func serve(t *testing.T, host string, h http.Handler) string {
	t.Helper()
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// hide adds to what may stand nowhere.
func (w *world) hide(kind, text string) {
	w.private.add(kind, text)
	vault.add(kind, text)
}

// nothingTells checks that nothing of this world can be found in the stack,
// when all of it is done.
func (w *world) nothingTells() {
	w.Helper()
	found, err := searchStack(w.Context(), w.private)
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range found {
		w.Error(f)
	}
}

// word is one that stands nowhere else.
func (w *world) word() string {
	letters := make([]byte, 12)
	for i := range letters {
		letters[i] = "bcdfghjklmnpqrstvwxz"[w.rng.IntN(20)]
		if i%2 == 1 {
			letters[i] = "aeiouy"[w.rng.IntN(6)]
		}
	}
	return strings.ToUpper(string(letters[:1])) + string(letters[1:])
}

// someone is a registrant of whom every field could be found again.
func (w *world) someone() odoosim.Registrant {
	r := odoosim.Registrant{
		GivenName: w.word(), FamilyName: w.word(), Gender: "Female",
		Birthdate: fmt.Sprintf("%d-%02d-%02d", 1930+w.rng.IntN(70), 1+w.rng.IntN(12), 1+w.rng.IntN(28)),
		Address:   fmt.Sprintf("%d %s Street\n%s", 1+w.rng.IntN(400), w.word(), w.word()),
		Email:     strings.ToLower(w.word()) + "@example.org",
		Phone:     fmt.Sprintf("+63917%07d", w.rng.IntN(1e7)),
	}
	r.Name = strings.ToUpper(r.FamilyName + ", " + r.GivenName)
	w.hide("given name", r.GivenName)
	w.hide("family name", r.FamilyName)
	w.hide("birth date", r.Birthdate)
	w.hide("birth date", strings.ReplaceAll(r.Birthdate, "-", "/")) // as MTS writes it
	for part := range strings.FieldsSeq(r.Address) {
		if len(part) == 12 {
			w.hide("address", part)
		}
	}
	w.hide("e-mail", r.Email)
	w.hide("phone", r.Phone[1:])
	return r
}

// keepVID remembers a VID, with the token that it leads to.
func (w *world) keepVID(registrant int64, vid string) {
	w.vids[registrant] = vid
	for _, s := range []*search{w.private, vault} {
		s.addNumber("VID", vid)
		s.addNumber("token", mtssim.Token(vid))
	}
}

// nextVID is that of a new person.
func (w *world) nextVID(behaviour int) string {
	w.person++
	return odoosim.DemoVID(w.person, 1, behaviour)
}

// plain adds n registrants who should all get a token; change alters them first.
func (w *world) plain(n int, change ...func(*odoosim.Registrant)) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		r := w.someone()
		for _, f := range change {
			f(&r)
		}
		ids[i] = w.registry.AddRegistrant(r)
		vid := w.nextVID(odoosim.Normal)
		w.keepVID(ids[i], vid)
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: ids[i], Type: odoosim.VIDType, Value: vid})
	}
	return ids
}

// populate adds n registrants of all kinds, and gives every one of them words
// and numbers of its own.
func (w *world) populate(n int) odoosim.Expectation {
	e := w.registry.Populate(n, 1)
	persons := map[string]int64{} // by the VIDs that Populate made: some share one
	for _, entry := range w.registry.Entries() {
		w.rename(entry)
		for _, i := range entry.Identifiers {
			switch i.Type {
			case odoosim.VIDType:
				person, known := persons[i.Value[:10]]
				if !known {
					w.person++
					person = w.person
					persons[i.Value[:10]] = person
				}
				vid := fmt.Sprintf("%010d", person) + i.Value[10:]
				w.keepVID(entry.Registrant, vid)
				w.registry.SetValue(i.ID, vid)
			case odoosim.TokenType:
				w.held[entry.Registrant] = i.Value
				w.hide("token", i.Value)
			}
		}
	}
	return e
}

// rename fills the fields that a registrant of its kind has.
func (w *world) rename(entry odoosim.Entry) {
	r := w.someone()
	values := map[string]any{
		"name": r.Name, "given_name": r.GivenName, "family_name": r.FamilyName, "birthdate": r.Birthdate,
		"address": r.Address, "email": r.Email, "phone": r.Phone,
	}
	for kind, missing := range map[odoosim.Kind][]string{
		odoosim.GivenOnly:    {"family_name"},
		odoosim.NoName:       {"given_name", "family_name"},
		odoosim.NoBirthdate:  {"birthdate"},
		odoosim.BlankAddress: {"address"},
		odoosim.Group:        {"given_name", "family_name", "birthdate"},
		odoosim.GroupWithVID: {"given_name", "family_name", "birthdate"},
	} {
		for _, field := range missing {
			if entry.Kind == kind {
				delete(values, field)
			}
		}
	}
	if !w.registry.SetRegistrant(entry.Registrant, values) {
		w.Fatalf("registrant %d is not there", entry.Registrant)
	}
}

// holds are the values of one type that a registrant has.
func (w *world) holds(registrant, idType int64) (values []string) {
	for _, i := range w.registry.Identifiers(registrant) {
		if i.Type == idType {
			values = append(values, i.Value)
		}
	}
	return values
}

// tokenised counts registrants with a token.
func (w *world) tokenised() (n int) {
	for _, entry := range w.registry.Entries() {
		if slices.ContainsFunc(entry.Identifiers, func(i odoosim.Identifier) bool { return i.Type == odoosim.TokenType }) {
			n++
		}
	}
	return n
}

// check holds the registry to what must be true whatever went wrong: nobody has
// two tokens, one that was not made for it, or has lost the VID for nothing.
func (w *world) check() {
	w.Helper()
	holder := map[string]int64{}
	for _, entry := range w.registry.Entries() {
		id := entry.Registrant
		tokens := w.holds(id, odoosim.TokenType)
		if len(tokens) > 1 {
			w.Errorf("registrant %d holds %d tokens", id, len(tokens))
		}
		for _, token := range tokens {
			if token != w.held[id] && (w.vids[id] == "" || token != mtssim.Token(w.vids[id])) {
				w.Errorf("registrant %d holds a token that was not made for it", id)
			}
			if other, twice := holder[token]; twice {
				w.Errorf("registrants %d and %d hold one token", id, other)
			}
			holder[token] = id
		}
		if w.vids[id] != "" && len(tokens) == 0 && len(w.holds(id, odoosim.VIDType)) == 0 {
			w.Errorf("registrant %d lost its VID and has no token", id)
		}
	}
}

// done checks that each of these has its token and lost its VID.
func (w *world) done(registrants []int64) {
	w.Helper()
	w.check()
	for _, id := range registrants {
		if got := w.holds(id, odoosim.TokenType); !slices.Equal(got, []string{mtssim.Token(w.vids[id])}) {
			w.Errorf("registrant %d has %d tokens, and not its own alone", id, len(got))
		}
		if vids := w.holds(id, odoosim.VIDType); len(vids) > 0 {
			w.Errorf("registrant %d still has its VID", id)
		}
	}
}

// sentOnce checks that no VID came to the MTS more than once.
func (w *world) sentOnce() {
	w.Helper()
	times := map[string]int{}
	for _, p := range w.front.all() {
		for _, r := range p.Records {
			if times[r.VID]++; times[r.VID] == 2 {
				w.Errorf("a VID was submitted more than once, in POST %d too", p.number)
			}
		}
	}
}

// front stands before an MTS, at its context path, and sees what comes.
type front struct {
	behind http.Handler
	path   string
	hide   func(kind, text string)

	mu     sync.Mutex
	posts  []post
	onPost func(post) (pass bool) // one that does not pass is never answered, and reaches nobody
}

// post is a submission.
type post struct {
	number   int // from 1
	Callback struct {
		URL    string `json:"url"`
		Bearer struct {
			Token string `json:"token"`
		} `json:"authStaticBearer"`
	} `json:"callbackProperties"`
	Records []struct {
		VID string `json:"vid"`
		Key string `json:"key"`
	} `json:"authdata"`
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	inner := strings.TrimPrefix(r.URL.Path, f.path)
	if f.path != "" && inner == r.URL.Path {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Method == http.MethodPost && inner == "/authtoken/json" && !f.saw(body) {
		<-r.Context().Done()
		return
	}
	r.URL.Path, r.URL.RawPath, r.Body = inner, "", io.NopCloser(bytes.NewReader(body))
	f.behind.ServeHTTP(w, r)
}

func (f *front) saw(body []byte) (pass bool) {
	var envelope struct {
		Request post `json:"request"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return true
	}
	p := envelope.Request
	f.hide("capability", p.Callback.Bearer.Token)
	for part := range strings.SplitSeq(p.Callback.Bearer.Token, ".") {
		f.hide("part of a capability", part)
	}
	f.mu.Lock()
	p.number = len(f.posts) + 1
	f.posts = append(f.posts, p)
	on := f.onPost
	f.mu.Unlock()
	return on == nil || on(p)
}

func (f *front) watch(on func(post) (pass bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onPost = on
}

func (f *front) all() []post {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.posts)
}

// first waits for the first POST.
func (w *world) first() post {
	w.Helper()
	w.until("a POST comes to the MTS", func() bool { return len(w.front.all()) > 0 })
	return w.front.all()[0]
}

// rows are what the MTS would call back with.
func (p post) rows() []string {
	rows := make([]string, len(p.Records))
	for i, r := range p.Records {
		rows[i] = fmt.Sprintf(`[%q,"processed",%q,null,null]`, r.Key, mtssim.Token(r.VID))
	}
	return rows
}

func bulk(rows []string) []byte { return []byte("[" + strings.Join(rows, ",") + "]") }

// patience is how long a test waits for what must come. It is never waited in
// vain but by a test that fails.
const patience = 2 * time.Minute

// until waits for what comes by itself.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	if !within(patience, is) {
		w.Fatalf("it does not come to this: %s", what)
	}
}

func within(limit time.Duration, is func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(40 * time.Millisecond) {
		if is() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// ticks waits until n more ticks are over, from the first to the last.
func (w *world) ticks(n int64) {
	w.Helper()
	from := ticker.count.Load()
	w.until("the ticks go on", func() bool { return ticker.count.Load() > from+n })
}

func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
