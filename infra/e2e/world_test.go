package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
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
	"openg2p.org/mts-connector/infra/world/invariants"
)

// world has the servers of one test: a registry with registrants, and an MTS.
type world struct {
	*testing.T
	registry  *odoosim.Server
	mts       *mtssim.Server
	recorder  *recorder
	forbidden *search // texts of this world that the stack must not store, log or reply

	registryURL, mtsURL string
	database, password  string

	rng    *rand.Rand
	person int64               // number of the last person that was made up
	before invariants.Registry // what registrants had before, with the VIDs that tests gave them later
	kills  atomic.Int64        // of functions that worked for this world
}

type options struct {
	mts   mtssim.Options
	odoo  odoosim.Options
	path  string // context path of the MTS, "" or "/…"
	hosts [2]string
}

var worlds atomic.Int64

// sources reads the folders that the stack was built from, so that go test knows
// that the result depends on them. The build itself happened before the tests
// began, where go test does not notice it, and would cache a result of older
// sources.
var sources = sync.OnceFunc(func() {
	root, err := template.Root()
	if err != nil {
		panic(err)
	}
	if _, err := os.Stat(filepath.Join(root, "template.yaml")); err != nil {
		panic(err)
	}
	for _, folder := range []string{"functions", "shared", "infra/local"} {
		// go test records every folder that is read, with its content.
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
		T: t, registry: odoosim.New(o.odoo), mts: mtssim.New(o.mts), database: "g2p",
		rng: rand.New(rand.NewPCG(uint64(n), 7)), person: 4_000_000_000 + n*1_000_000,
		forbidden: newSearch(), before: invariants.Registry{},
	}
	if len(o.odoo.Databases) > 0 {
		w.database = o.odoo.Databases[0]
	}
	w.password = "Password-" + w.word()
	w.forbid("password", w.password)
	w.registry.SetPassword("admin", w.password)
	w.recorder = &recorder{mts: w.mts, path: o.path, forbid: w.forbid}
	w.registryURL = serve(t, o.hosts[0], w.registry)
	w.mtsURL = serve(t, o.hosts[1], w.recorder) + o.path
	t.Cleanup(w.mts.Close)
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

// forbid adds a text that the stack must not store, log or reply.
func (w *world) forbid(kind, text string) {
	w.forbidden.add(kind, text)
	forbiddenTexts.add(kind, text)
}

// checkNothingLeaked checks, after a run, that the stack contains none of the
// forbidden texts of this world.
func (w *world) checkNothingLeaked() {
	w.Helper()
	found, err := searchStack(w.Context(), w.forbidden)
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range found {
		w.Error(f)
	}
}

// word is a random word that occurs nowhere else.
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

// newRegistrant is a registrant with unique texts in every field, all forbidden.
func (w *world) newRegistrant() odoosim.Registrant {
	r := odoosim.Registrant{
		GivenName: w.word(), FamilyName: w.word(), Gender: "Female",
		Birthdate: fmt.Sprintf("%d-%02d-%02d", 1930+w.rng.IntN(70), 1+w.rng.IntN(12), 1+w.rng.IntN(28)),
		Address:   fmt.Sprintf("%d %s Street\n%s", 1+w.rng.IntN(400), w.word(), w.word()),
		Email:     strings.ToLower(w.word()) + "@example.org",
		Phone:     fmt.Sprintf("+63917%07d", w.rng.IntN(1e7)),
	}
	r.Name = strings.ToUpper(r.FamilyName + ", " + r.GivenName)
	w.forbid("given name", r.GivenName)
	w.forbid("family name", r.FamilyName)
	w.forbid("birth date", r.Birthdate)
	w.forbid("birth date", strings.ReplaceAll(r.Birthdate, "-", "/")) // as MTS writes it
	for part := range strings.FieldsSeq(r.Address) {
		if len(part) == 12 {
			w.forbid("address", part)
		}
	}
	w.forbid("e-mail", r.Email)
	w.forbid("phone", r.Phone[1:])
	return r
}

// rememberVID remembers the VID of a registrant, and forbids it and its token.
func (w *world) rememberVID(registrant int64, vid string) {
	had := w.before[registrant]
	had.VIDs = []string{vid}
	w.before[registrant] = had
	for _, s := range []*search{w.forbidden, forbiddenTexts} {
		s.addNumber("VID", vid)
		s.addNumber("token", mtssim.Token(vid))
	}
}

// vid is the VID that a registrant was given last.
func (w *world) vid(registrant int64) string {
	w.Helper()
	vids := w.before[registrant].VIDs
	if len(vids) != 1 {
		w.Fatalf("registrant %d was given %d VIDs", registrant, len(vids))
	}
	return vids[0]
}

// nextVID is the VID of a new person.
func (w *world) nextVID(behaviour int) string {
	w.person++
	return odoosim.DemoVID(w.person, 1, behaviour)
}

// addRegistrants adds n registrants who should all get a token; change alters them
// before.
func (w *world) addRegistrants(n int, change ...func(*odoosim.Registrant)) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		r := w.newRegistrant()
		for _, f := range change {
			f(&r)
		}
		ids[i] = w.registry.AddRegistrant(r)
		vid := w.nextVID(odoosim.Normal)
		w.rememberVID(ids[i], vid)
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: ids[i], Type: odoosim.VIDType, Value: vid})
	}
	return ids
}

// populate adds n registrants of all demo kinds, each with unique texts and
// numbers.
func (w *world) populate(n int) odoosim.Expectation {
	e := w.registry.Populate(n, 1)
	persons := map[string]int64{} // by the VIDs that Populate made: some registrants share a person
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
				w.rememberVID(entry.Registrant, vid)
				w.registry.SetValue(i.ID, vid)
			case odoosim.TokenType:
				w.forbid("token", i.Value)
			}
		}
	}
	maps.Copy(w.before, w.now())
	return e
}

// rename puts unique texts into the fields that a registrant of its kind has.
func (w *world) rename(entry odoosim.Entry) {
	r := w.newRegistrant()
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
		w.Fatalf("registrant %d does not exist", entry.Registrant)
	}
}

// values are those of a registrant's identifiers of one type.
func (w *world) values(registrant, idType int64) (list []string) {
	for _, i := range w.registry.Identifiers(registrant) {
		if i.Type == idType {
			list = append(list, i.Value)
		}
	}
	return list
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

// now is what registrants have now.
func (w *world) now() invariants.Registry { return invariants.RegistryOf(w.registry.Snapshot()) }

// checkInvariants checks what must be true of identifiers whatever went wrong.
func (w *world) checkInvariants() {
	w.Helper()
	for _, v := range invariants.Identifiers(w.now(), w.before) {
		w.Error(v)
	}
}

// checkTokenised checks that each of these has its token and no VID any more.
func (w *world) checkTokenised(registrants []int64) {
	w.Helper()
	w.checkInvariants()
	for _, id := range registrants {
		if got := w.values(id, odoosim.TokenType); !slices.Equal(got, []string{mtssim.Token(w.vid(id))}) {
			w.Errorf("registrant %d has %d tokens, and not only its own", id, len(got))
		}
		if vids := w.values(id, odoosim.VIDType); len(vids) > 0 {
			w.Errorf("registrant %d still has its VID", id)
		}
	}
}

// checkSentOnce checks that the MTS received no VID more than once.
func (w *world) checkSentOnce() {
	w.Helper()
	checkSent(w, w.recorder)
}

// checkSent checks that these recorders together received no VID more than once,
// and returns how many VIDs they received.
func checkSent(t testing.TB, recorders ...*recorder) int {
	t.Helper()
	times := map[string]int{}
	for _, r := range recorders {
		for _, p := range r.all() {
			for _, record := range p.Records {
				times[record.VID]++
			}
		}
	}
	for _, v := range invariants.Sent(times, 1) {
		t.Error(v)
	}
	return len(times)
}

// recorder serves an MTS below a context path, and records what it receives.
type recorder struct {
	mts    http.Handler
	path   string
	forbid func(kind, text string)

	mu     sync.Mutex
	posts  []post
	onPost func(post) (pass bool) // false: the POST does not reach MTS and is never answered
}

// post is a POST of records.
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

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	inner := strings.TrimPrefix(request.URL.Path, r.path)
	if r.path != "" && inner == request.URL.Path {
		http.NotFound(w, request)
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	if request.Method == http.MethodPost && inner == "/authtoken/json" && !r.record(body) {
		<-request.Context().Done()
		return
	}
	request.URL.Path, request.URL.RawPath, request.Body = inner, "", io.NopCloser(bytes.NewReader(body))
	r.mts.ServeHTTP(w, request)
}

func (r *recorder) record(body []byte) (pass bool) {
	var envelope struct {
		Request post `json:"request"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return true
	}
	p := envelope.Request
	r.forbid("capability", p.Callback.Bearer.Token)
	for part := range strings.SplitSeq(p.Callback.Bearer.Token, ".") {
		r.forbid("part of a capability", part)
	}
	r.mu.Lock()
	p.number = len(r.posts) + 1
	r.posts = append(r.posts, p)
	on := r.onPost
	r.mu.Unlock()
	return on == nil || on(p)
}

// watch calls on for every POST from now on.
func (r *recorder) watch(on func(post) (pass bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onPost = on
}

func (r *recorder) all() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

// firstPost waits for the first POST.
func (w *world) firstPost() post {
	w.Helper()
	w.until("the MTS receives a POST", func() bool { return len(w.recorder.all()) > 0 })
	return w.recorder.all()[0]
}

// rows are the rows of the answer that the MTS would give.
func (p post) rows() []string {
	rows := make([]string, len(p.Records))
	for i, r := range p.Records {
		rows[i] = fmt.Sprintf(`[%q,"processed",%q,null,null]`, r.Key, mtssim.Token(r.VID))
	}
	return rows
}

func bulk(rows []string) []byte { return []byte("[" + strings.Join(rows, ",") + "]") }

// patience is how long a test waits for what must happen. Only a test that fails
// waits that long.
const patience = 5 * time.Minute

// until waits until a condition is true.
func (w *world) until(what string, condition func() bool) {
	w.Helper()
	if !within(patience, condition) {
		w.Fatalf("waited in vain: %s", what)
	}
}

// within reports whether a condition becomes true within the limit.
func within(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(40 * time.Millisecond) {
		if condition() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// ticks waits until n whole ticks have passed.
func (w *world) ticks(n int64) {
	w.Helper()
	from := schedule.Ticks()
	w.until("the ticks continue", func() bool { return schedule.Ticks() > from+n })
}

func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
