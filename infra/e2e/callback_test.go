package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/receive"
)

// The public callback endpoint. Two connectors have one open batch each, of the
// same registrants in two registries with the same ids, so that their rows differ
// by the batch only. MTS never answers, and nothing is patched before the test
// allows it, so that the test can see what is stored.
func TestCallbackEndpoint(t *testing.T) {
	t.Parallel()
	a, b := newWorld(t, options{}), newWorld(t, options{})
	idsA, idsB := a.addRegistrants(seeding.FirstBatchSize), b.addRegistrants(seeding.FirstBatchSize)
	for i, id := range idsB {
		expect(t, "registrant", id, idsA[i])
		b.rememberVID(id, a.vid(idsA[i]))
		b.registry.SetVID(id, a.vid(idsA[i]))
	}
	alone := func(document map[string]any) { document["width_maximum"] = 1 } // all in one batch
	cA, cB := a.create(alone), b.create(alone)
	releaseA, releaseB := cA.holdPatchLease(), cB.holdPatchLease()
	for _, w := range []*world{a, b} {
		w.mts.SetFaults(mtssim.Faults{LoseNext: -1})
	}
	cA.start()
	cB.start()
	postA, postB := a.firstPost(), b.firstPost()
	cA.stop() // nothing more is sent; open batches may still be answered
	cB.stop()
	d := delivery{T: t, post: postA, stored: func() int { return cA.answerParts() + cB.answerParts() }}

	t.Run("without a valid capability", func(t *testing.T) {
		d := d.in(t)
		good := postA.Callback.Bearer.Token
		ref := seeding.BatchRef{Registry: cA.key, Connector: cA.id, Run: cA.runs()[0].ID, Batch: postA.batch()}
		key := deploymentKey(t, "CapabilityKeySecret")
		hour := time.Now().Add(time.Hour)
		claims, signature, _ := strings.Cut(good, ".")
		otherClaims, otherSignature, _ := strings.Cut(postB.Callback.Bearer.Token, ".")
		for name, bearer := range map[string]string{
			"none":                      "",
			"a word":                    "Bearer word",
			"a token of the API":        "Bearer " + token(),
			"another scheme":            "Basic " + good,
			"no signature":              "Bearer " + claims + ".",
			"cut short":                 "Bearer " + good[:len(good)-2],
			"another's signature":       "Bearer " + claims + "." + otherSignature,
			"another's claims":          "Bearer " + otherClaims + "." + signature,
			"another batch's":           "Bearer " + postB.Callback.Bearer.Token,
			"expired a second ago":      "Bearer " + seeding.Capability(key, ref, seeding.FirstBatchSize, time.Now().Add(-time.Second)),
			"of the key of rows":        "Bearer " + seeding.Capability(deploymentKey(t, "RowKeySecret"), ref, seeding.FirstBatchSize, hour),
			"of an unknown key":         "Bearer " + seeding.Capability(seeding.Key{ID: "k", Secret: key.Secret}, ref, seeding.FirstBatchSize, hour),
			"of an unknown key's bytes": "Bearer " + seeding.Capability(seeding.Key{ID: key.ID, Secret: []byte("x")}, ref, seeding.FirstBatchSize, hour),
		} {
			a.forbid("capability", strings.TrimPrefix(bearer, "Bearer "))
			d.refused(name, http.StatusUnauthorized, d.post.path(), bearer, bulk(postA.rows()))
		}
		d.refused("for another batch", http.StatusUnauthorized, postB.path(), "Bearer "+good, bulk(postA.rows()))
		d.refused("for no batch", http.StatusUnauthorized, "/callback/x", "Bearer "+good, bulk(postA.rows()))
	})

	t.Run("without a well-formed row", func(t *testing.T) {
		d := d.in(t)
		row := postA.rows()[0]
		whole := bulk(postA.rows())
		garbage := `["` + strings.Repeat("g", 90) + `","processed","1",null,null],`
		for name, body := range map[string][]byte{
			"empty":                     nil,
			"not JSON":                  []byte("token=1"),
			"an object":                 []byte(`{"rows":[` + row + `]}`),
			"a row without its list":    []byte(row),
			"an empty list":             []byte("[]"),
			"nulls, as of a failed jq":  []byte("[null,null]"),
			"a row of numbers":          []byte("[[1,2,3,4,5]]"),
			"a row of four":             []byte(`[["` + postA.Records[0].Key + `","processed","1",null]]`),
			"an unknown key":            []byte(`[["12","processed","1",null,null]]`),
			"an unknown status":         []byte(`[["` + postA.Records[0].Key + `","done","1",null,null]]`),
			"cut short":                 whole[:len(whole)-1],
			"two documents":             append(slices.Clone(whole), whole...),
			"5 MB of unknown rows":      []byte("[" + strings.Repeat(garbage, receive.MaxBody/len(garbage)-1) + "null]"),
			"5 MB that are not JSON":    bytes.Repeat([]byte("x"), receive.MaxBody),
			"5 MB of binary, not UTF-8": bytes.Repeat([]byte{0xff, 0x00}, receive.MaxBody/2),
		} {
			d.refused(name, http.StatusBadRequest, d.post.path(), d.bearer(), body)
		}
		for name, body := range map[string][]byte{
			"one byte more than 5 MB": append(slices.Clone(whole), bytes.Repeat([]byte(" "), receive.MaxBody+1-len(whole))...),
			"6 MB":                    append(slices.Clone(whole), bytes.Repeat([]byte(" "), 6<<20)...),
		} {
			d.refused(name, http.StatusRequestEntityTooLarge, d.post.path(), d.bearer(), body)
		}
	})

	t.Run("ten times, in another order, in parallel", func(t *testing.T) {
		d := d.in(t)
		var all sync.WaitGroup
		for i := range 10 {
			rows := postA.rows()
			rows = slices.Concat(rows[i:], rows[:i])
			if i%2 == 1 {
				slices.Reverse(rows)
				rows = append(rows, "null", rows[0]) // and a row that is none, and one twice
			}
			all.Go(func() {
				if got := send(t, "POST", d.post.path(), bulk(rows), "Authorization: "+d.bearer()); got.Status != http.StatusOK {
					t.Errorf("%d %s", got.Status, got.Body)
				}
			})
		}
		all.Wait()
		expect(t, "answers stored", d.stored(), 1)
	})

	t.Run("with some of the rows, padded to 5 MB", func(t *testing.T) {
		d := d.in(t)
		some := bulk(postA.rows()[:4])
		some = append(some, bytes.Repeat([]byte(" "), receive.MaxBody-len(some))...)
		expect(t, "status", send(t, "POST", d.post.path(), some, "Authorization: "+d.bearer()).Status, http.StatusOK)
		expect(t, "answers stored", d.stored(), 2)
	})

	t.Run("with rows of another batch", func(t *testing.T) {
		d := d.in(t)
		d.refused("sealed for it", http.StatusBadRequest, postB.path(), "Bearer "+postB.Callback.Bearer.Token, bulk(postA.rows()))
	})

	releaseA()
	releaseB()
	a.until("everybody is tokenised", func() bool { return a.registry.State().VIDs == 0 && cA.idle() })
	a.checkTokenised(idsA)
	// The totals of a run are frozen when it ends, which was perhaps before the
	// answer came; those of its batch are not.
	expect(t, "tokenised", cA.batches(cA.runs()[0].ID)[0].Totals.Tokenised, len(idsA))
	expect(t, "rejections", len(cA.rejections()), 0)

	b.until("the rows of the other batch are ignored", cB.idle)
	b.ticks(2)
	expect(t, "tokens in the other registry", b.registry.State().Tokens, 0)
	expect(t, "VIDs in the other registry", b.registry.State().VIDs, len(idsB))
	expect(t, "rejections of the other", len(cB.rejections()), 0)

	// No harm is done: the next run tokenises them.
	b.mts.SetFaults(mtssim.Faults{})
	cB.start()
	b.until("everybody is tokenised", func() bool { return b.registry.State().VIDs == 0 && cB.idle() })
	b.checkTokenised(idsB)
	a.checkNothingLeaked()
	b.checkNothingLeaked()
}

// Whatever is asked for, an error is a problem and no redirect, also where no
// route is.
func TestPathsThatDoNotExist(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 404}, {"GET", "/nothing", 404}, {"POST", "/callback", 404}, {"GET", "/callback/x", 405}, {"PUT", "/callback/x", 405},
		{"POST", "/callback/x", 401}, {"POST", "/callback/x/", 404}, {"POST", "/callback//x", 404}, {"POST", "//callback/x", 404},
		{"GET", "/connectors/", 404}, {"GET", "/connectors//x", 404}, {"GET", "/connectors/x/../y", 404},
		{"PATCH", "/connectors", 405}, {"GET", "/connectors/x/nothing", 404},
	} {
		got := send(t, c.method, c.path, nil, "Authorization: Bearer "+token())
		if got.Status != c.status || got.Header.Get("Content-Type") != "application/problem+json" || got.Header.Get("Location") != "" {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, got.Status, got.Header, got.Body)
		}
	}
}

// delivery delivers answers to one POST.
type delivery struct {
	*testing.T
	post   post
	stored func() int // parts of answers
}

func (d delivery) in(t *testing.T) delivery { d.T = t; return d }

func (d delivery) bearer() string { return "Bearer " + d.post.Callback.Bearer.Token }

func (d delivery) refused(name string, status int, path, authorization string, body []byte) {
	d.Helper()
	before := d.stored()
	var headers []string
	if authorization != "" {
		headers = []string{"Authorization: " + authorization}
	}
	if got := send(d, "POST", path, body, headers...); got.Status != status {
		d.Errorf("%s: %d %s, want %d", name, got.Status, got.Body, status)
	}
	if now := d.stored(); now != before {
		d.Errorf("%s: %d answers are stored", name, now-before)
	}
}

// path and batch are those of the callback address that the MTS received.
func (p post) path() string { return p.Callback.URL[strings.Index(p.Callback.URL, "/callback/"):] }

func (p post) batch() string { return strings.TrimPrefix(p.path(), "/callback/") }

func (c *connector) answerParts() int {
	c.Helper()
	parts, err := answersOf(c.ctx(), c.key)
	if err != nil {
		c.Fatal(err)
	}
	return len(parts)
}

// holdPatchLease takes the patch lease of the connector's registry, as a patch
// that takes long would, and returns a function that releases it.
func (c *connector) holdPatchLease() (release func()) {
	c.Helper()
	now := time.Now()
	state, err := store.TakePatch(c.ctx(), c.key, fmt.Sprintf("test of %s", c.id), now, now.Add(time.Hour))
	if err != nil {
		c.Fatal(err)
	}
	return func() {
		c.Helper()
		state.Patch.Until = time.Now()
		if err := store.LeavePatch(c.ctx(), state); err != nil {
			c.Fatal(err)
		}
	}
}
