package system_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/receive"
)

// callbacks is what a test does with the callbacks of MTS before the function
// receives them.
type callbacks struct {
	onCallback func(*http.Request)                     // sees every callback
	withhold   func(r *http.Request, body []byte) bool // keeps a callback from the function, if it reports true
	last       atomic.Pointer[delivery]                // the last of the largest callbacks
	foreign    chan bool                               // has an element when MTS called back for a POST of somebody else
}

// delivery is a callback that can be delivered again.
type delivery struct {
	path, bearer string
	body         []byte
}

// receive hands a callback to the function.
func (w *world) receive(rw http.ResponseWriter, r *http.Request) {
	if w.onCallback != nil {
		w.onCallback(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || w.withhold != nil && w.withhold(r, body) {
		return
	}
	if last := w.last.Load(); last == nil || len(body) >= len(last.body) {
		w.last.Store(newDelivery(r, body))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.callback.ServeHTTP(rw, r.WithContext(newInvocation(r.Context(), "callback")))
}

func newDelivery(r *http.Request, body []byte) *delivery {
	return &delivery{r.URL.Path, r.Header.Get("Authorization"), body}
}

// atFirstCallback does something while the first callback is on its way.
func (w *world) atFirstCallback(f func()) {
	var once sync.Once
	w.onCallback = func(*http.Request) { once.Do(f) }
}

// withholdFirst keeps the first callback from the function, to be delivered later.
func (w *world) withholdFirst() *atomic.Pointer[delivery] {
	var withheld atomic.Pointer[delivery]
	w.withhold = func(r *http.Request, body []byte) bool {
		return withheld.CompareAndSwap(nil, newDelivery(r, body))
	}
	return &withheld
}

// withholdAll keeps every callback from the function. What it returns are those
// that came so far, in their order.
func (w *world) withholdAll() func() []*delivery {
	var mu sync.Mutex
	var withheld []*delivery
	w.withhold = func(r *http.Request, body []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		withheld = append(withheld, newDelivery(r, body))
		return true
	}
	return func() []*delivery {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(withheld)
	}
}

// deliver posts a callback with this body, and waits for all that follows from it.
func (w *world) deliver(d *delivery, body string) (status int) {
	w.Helper()
	status = w.post(d, body)
	w.invoker.Wait()
	return status
}

// post posts a callback, and waits for nothing that follows from it.
func (w *world) post(d *delivery, body string) (status int) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.callbackURL+d.path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Authorization", d.bearer)
	client := http.DefaultClient
	if _, virtual := w.network.(inprocess.Memory); virtual {
		client = w.calls
	}
	response, err := client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// repeatLast delivers a part of the last callback again: another content, late. Where
// MTS calls others there is none.
func (w *world) repeatLast() {
	w.Helper()
	last := w.last.Load()
	if last == nil {
		return
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(last.body, &rows); err != nil {
		w.Fatal(err)
	}
	half, err := json.Marshal(rows[:(len(rows)+1)/2])
	if err != nil {
		w.Fatal(err)
	}
	expect(w.T, "status of a repeated callback", w.deliver(last, string(half)), http.StatusOK)
}

// partOf makes of a callback the answer that the function would store, and stores
// none.
func (w *world) partOf(d *delivery) seeding.AnswerPart {
	w.Helper()
	var parts collected
	inbox := receive.Inbox{CapabilityKeys: inprocess.Keyring("capability"), Answers: &parts, Clock: w.clock, Times: seeding.DefaultTimes()}
	_, batch, _ := strings.Cut(d.path, "/callback/")
	if _, err := inbox.Receive(w.Context(), batch, strings.TrimPrefix(d.bearer, "Bearer "), d.body); err != nil {
		w.Fatal(err)
	}
	return parts[0]
}

// split makes two parts of an answer, as the version before did of a long one:
// the first has n rows.
func (w *world) split(whole seeding.AnswerPart, n int) []seeding.AnswerPart {
	w.Helper()
	rows, err := seeding.UnpackRows(whole.Packed)
	if err != nil {
		w.Fatal(err)
	}
	first, second := whole, whole
	first.Part, first.Of, first.Packed = 1, 2, seeding.PackRows(rows[:n])
	second.Part, second.Of, second.Packed = 2, 2, seeding.PackRows(rows[n:])
	return []seeding.AnswerPart{first, second}
}

// collected is an inbox that keeps parts.
type collected []seeding.AnswerPart

func (c *collected) PutPart(_ context.Context, p seeding.AnswerPart) error {
	*c = append(*c, p)
	return nil
}

// patchPart stores a part of an answer, and patches it.
func (w *world) patchPart(p seeding.AnswerPart) {
	w.Helper()
	if err := seedingdb.NewInbox(w.client, w.tables.Answers).PutPart(w.Context(), p); err != nil {
		w.Fatal(err)
	}
	if err := w.patcher.Patch(w.Context(), p.Ref.Registry); err != nil {
		w.Fatal(err)
	}
}
