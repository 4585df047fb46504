package inquire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/inquire"
)

// world is a desk on the stores in memory, with answers of its own.
type world struct {
	*testing.T
	store   *seedingdb.Store
	secrets *secrets.InquirySecrets
	manager *secretstest.Manager
	now     time.Time
	asked   int
	invoked []string
	beats   []func()

	// answer answers an inquiry; killed ends the invocation without any more writes.
	answer func(ctx context.Context, q seeding.Inquiry, given map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error)
}

var errKilled = errors.New("killed")

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC), manager: secretstest.New()}
	client := memory.New()
	names := inprocess.TablesFor(t, client)
	w.store = seedingdb.New(client, names.Connectors, names.Answers)
	w.secrets = secrets.Inquiries(w.manager, "stack/inquiries/")
	w.answer = func(_ context.Context, q seeding.Inquiry, _ map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
		lines := []seeding.Line{line("first")}
		if err := show(lines); err != nil {
			return nil, nil, err
		}
		if q.Kind == seeding.PreviewInquiry {
			return nil, []byte(`{"VIDs":7}`), nil
		}
		return append(lines, line("second")), nil, nil
	}
	return w
}

func line(name string) seeding.Line {
	return seeding.Line{Name: name, Result: seeding.LineOK, Code: "fine", Description: seeding.Description{Text: "Fine."}}
}

// Answer, Now, Sleep and InvokeInquiry are what the desk calls.
func (w *world) Answer(ctx context.Context, q seeding.Inquiry, given map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
	return w.answer(ctx, q, given, show)
}
func (w *world) Now() time.Time                             { return w.now }
func (w *world) Sleep(context.Context, time.Duration) error { return nil }
func (w *world) InvokeInquiry(_ context.Context, id string) error {
	w.invoked = append(w.invoked, id)
	return nil
}

var ids struct {
	sync.Mutex
	n int
}

func newID() string {
	ids.Lock()
	defer ids.Unlock()
	ids.n++
	return fmt.Sprintf("id%04d", ids.n)
}

// desk is that of one invocation.
func (w *world) desk() *inquire.Desk {
	return &inquire.Desk{
		Store: w.store, Answerers: map[seeding.InquiryKind]inquire.Answerer{seeding.CheckInquiry: w, seeding.PreviewInquiry: w}, Secrets: w.secrets,
		Invoker: w, Clock: w, Times: seeding.DefaultTimes(), NewID: newID, Log: slog.New(slog.DiscardHandler),
		Every: func(_ time.Duration, do func()) func() {
			w.beats = append(w.beats, do)
			return func() { w.beats = nil }
		},
	}
}

func (w *world) ask(q seeding.Inquiry) seeding.Inquiry {
	w.Helper()
	w.asked++
	q.ID, q.Asked = fmt.Sprintf("inquiry%d", w.asked), w.now
	if q.Kind == "" {
		q.Kind = seeding.CheckInquiry
	}
	if q.Connector == "" {
		q.Connector = "c"
	}
	if q.Kind == seeding.PreviewInquiry {
		if err := w.secrets.MakeKey(w.Context(), q.ID); err != nil {
			w.Fatal(err)
		}
	}
	q, err := w.store.Ask(w.Context(), q)
	if err != nil {
		w.Fatal(err)
	}
	return q
}

func (w *world) work(id string) {
	w.Helper()
	if err := w.desk().Work(w.Context(), id, w.now.Add(15*time.Minute)); err != nil {
		w.Fatal(err)
	}
}

func (w *world) tick() []string {
	w.Helper()
	w.invoked = nil
	if err := w.desk().Tick(w.Context()); err != nil {
		w.Fatal(err)
	}
	return w.invoked
}

func (w *world) read(id string) seeding.Inquiry {
	w.Helper()
	q, err := w.store.Inquiry(w.Context(), id, w.now)
	if err != nil {
		w.Fatal(err)
	}
	return q
}

func names(lines []seeding.Line) (list []string) {
	for _, l := range lines {
		list = append(list, l.Name+" "+l.Code)
	}
	return list
}

func (w *world) want(id string, state seeding.InquiryState, lines ...string) {
	w.Helper()
	if q := w.read(id); q.State != state || !slices.Equal(names(q.Lines), lines) {
		w.Errorf("%s, %v; want %s, %v", q.State, names(q.Lines), state, lines)
	}
}

func TestACheckIsAnswered(t *testing.T) {
	w := newWorld(t)
	q := w.ask(seeding.Inquiry{})
	answer := w.answer
	w.answer = func(ctx context.Context, q seeding.Inquiry, given map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
		w.want(q.ID, seeding.InquiryWorking)
		lines, text, err := answer(ctx, q, given, show)
		w.want(q.ID, seeding.InquiryWorking, "first fine") // lines are seen as they become known
		return lines, text, err
	}
	w.work(q.ID)
	w.want(q.ID, seeding.InquiryAnswered, "first fine", "second fine")
	w.work(q.ID) // a second invocation finds nothing to do
	w.want(q.ID, seeding.InquiryAnswered, "first fine", "second fine")
	if got := w.tick(); len(got) > 0 {
		t.Errorf("invoked %v", got)
	}
}

// Of a preview only the sealed answer is stored, and only for minutes.
func TestAPreviewIsSealedAndDropped(t *testing.T) {
	w := newWorld(t)
	q := w.ask(seeding.Inquiry{Kind: seeding.PreviewInquiry})
	w.work(q.ID)
	got := w.read(q.ID)
	key, err := w.secrets.Key(t.Context(), q.ID)
	if err != nil {
		t.Fatal(err)
	}
	text, err := seeding.OpenAnswer(key, q.ID, got.Sealed)
	var answer seeding.PreviewAnswer
	if err != nil || json.Unmarshal(text, &answer) != nil || answer.VIDs != 7 || got.State != seeding.InquiryAnswered {
		t.Errorf("%+v, %v", got, err)
	}
	w.now = w.now.Add(seeding.PreviewLife - time.Second)
	w.tick()
	w.want(q.ID, seeding.InquiryAnswered)
	w.now = w.now.Add(time.Second)
	w.tick()
	if got := w.read(q.ID); got.State != seeding.InquiryDropped || got.Sealed != nil || len(w.manager.Names()) > 0 {
		t.Errorf("%+v, left over %v", got, w.manager.Names())
	}
}

// A lost invocation is made up for by the tick, and one that died is followed; one
// that dies each time ends, and says so.
func TestLostAndDeadInvocations(t *testing.T) {
	w := newWorld(t)
	q := w.ask(seeding.Inquiry{})
	if got := w.tick(); len(got) > 0 {
		t.Errorf("invoked at once: %v", got)
	}
	w.now = w.now.Add(20 * time.Second)
	if got := w.tick(); !slices.Equal(got, []string{q.ID}) {
		t.Errorf("a lost invocation: %v", got)
	}
	dies := func() {
		defer func() { _ = recover() }()
		w.answer = func(_ context.Context, _ seeding.Inquiry, _ map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
			_ = show([]seeding.Line{line("first")})
			panic(errKilled)
		}
		w.work(q.ID)
	}
	for range seeding.InquiryBegins {
		dies()
		w.want(q.ID, seeding.InquiryWorking, "first fine")
		w.now = w.now.Add(19 * time.Second)
		if got := w.tick(); len(got) > 0 {
			t.Errorf("invoked while the lease lasts: %v", got)
		}
		w.now = w.now.Add(time.Second)
		if got := w.tick(); !slices.Equal(got, []string{q.ID}) {
			t.Errorf("after a death: %v", got)
		}
	}
	w.work(q.ID)
	w.want(q.ID, seeding.InquiryDropped, "first fine", "work died")
	if got := w.tick(); len(got) > 0 {
		t.Errorf("invoked afterwards: %v", got)
	}
}

// An answer that takes longer than it may ends, and what is known by then stays.
func TestAnAnswerHasATimeLimit(t *testing.T) {
	w := newWorld(t)
	w.answer = func(ctx context.Context, _ seeding.Inquiry, _ map[string]string, _ func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
		<-ctx.Done()
		return []seeding.Line{line("first")}, []byte("half of it"), nil
	}
	q := w.ask(seeding.Inquiry{Kind: seeding.PreviewInquiry})
	desk := w.desk()
	desk.Limit = time.Nanosecond
	if err := desk.Work(t.Context(), q.ID, w.now.Add(15*time.Minute)); err != nil {
		t.Fatal(err)
	}
	w.want(q.ID, seeding.InquiryAnswered, "first fine", "work time_over")
	if w.read(q.ID).Sealed != nil {
		t.Error("half an answer is given")
	}
	late := w.ask(seeding.Inquiry{})
	if err := w.desk().Work(t.Context(), late.ID, w.now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	w.want(late.ID, seeding.InquiryWaiting) // nothing begins that could not end
}

// While an answer is worked on its lease is kept, and nobody else begins.
func TestLeaseIsKept(t *testing.T) {
	w := newWorld(t)
	q := w.ask(seeding.Inquiry{})
	w.answer = func(_ context.Context, q seeding.Inquiry, _ map[string]string, _ func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
		for range 8 {
			w.now = w.now.Add(5 * time.Second)
			for _, beat := range w.beats {
				beat()
			}
			if got := w.tick(); len(got) > 0 {
				t.Errorf("invoked %v", got)
			}
		}
		return []seeding.Line{line("only")}, nil, nil
	}
	w.work(q.ID)
	w.want(q.ID, seeding.InquiryAnswered, "only fine")
}

// Who comes back after its lease ended changes nothing that another one wrote.
func TestLateInvocationChangesNothing(t *testing.T) {
	w := newWorld(t)
	q := w.ask(seeding.Inquiry{})
	answer := w.answer
	w.answer = func(ctx context.Context, _ seeding.Inquiry, _ map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
		w.now = w.now.Add(time.Minute) // it was frozen
		w.answer = answer
		w.work(q.ID)
		if err := show([]seeding.Line{line("late")}); !errors.Is(err, seeding.ErrConflict) {
			t.Errorf("shown late: %v", err)
		}
		return []seeding.Line{line("late")}, nil, nil
	}
	w.work(q.ID)
	w.want(q.ID, seeding.InquiryAnswered, "first fine", "second fine")
}

// Few are worked on at once, and who ends goes on with what waits, oldest first.
func TestFewAreWorkedOnAtOnce(t *testing.T) {
	w := newWorld(t)
	var order []string
	answer := w.answer
	w.answer = func(ctx context.Context, q seeding.Inquiry, given map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
		order = append(order, q.ID)
		return answer(ctx, q, given, show)
	}
	var all []seeding.Inquiry
	for i := range 5 {
		all = append(all, w.ask(seeding.Inquiry{Connector: fmt.Sprint("c", i)}))
		w.now = w.now.Add(time.Second)
	}
	for _, q := range all[:seeding.InquiriesAtWork] {
		if _, err := w.store.TakeInquiry(t.Context(), q, "another", w.now, w.now.Add(20*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	w.work(all[4].ID)
	w.now = w.now.Add(19 * time.Second)
	if got := w.tick(); len(order) > 0 || len(got) > 0 {
		t.Errorf("worked on %v, invoked %v", order, got)
	}
	w.now = w.now.Add(time.Second)
	if got := w.tick(); !slices.Equal(got, []string{all[0].ID, all[1].ID}) {
		t.Errorf("invoked %v", got)
	}
	w.work(all[4].ID)
	if want := []string{all[4].ID, all[0].ID, all[1].ID, all[2].ID, all[3].ID}; !slices.Equal(order, want) {
		t.Errorf("%v, want %v", order, want)
	}
}

// The secrets of a draft are read once and deleted with its end, whatever that is.
func TestSecretsOfADraftAreDeleted(t *testing.T) {
	for name, dies := range map[string]int{"answered": 0, "died once": 1, "died each time": seeding.InquiryBegins} {
		w := newWorld(t)
		q := w.ask(seeding.Inquiry{Given: true, Draft: &seeding.Connector{Name: "draft"}})
		if err := w.secrets.KeepGiven(t.Context(), q.ID, map[string]string{seeding.RegistryPassword: "hunter2"}); err != nil {
			t.Fatal(err)
		}
		begun := 0
		answer := w.answer
		w.answer = func(ctx context.Context, q seeding.Inquiry, given map[string]string, show func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
			if given[seeding.RegistryPassword] != "hunter2" {
				t.Errorf("%s: given %v", name, given)
			}
			if begun++; begun <= dies {
				panic(errKilled)
			}
			return answer(ctx, q, given, show)
		}
		for range dies + 1 {
			func() {
				defer func() { _ = recover() }()
				w.work(q.ID)
			}()
			w.now = w.now.Add(20 * time.Second)
		}
		if got := w.read(q.ID); !got.Over() || len(w.manager.Names()) > 0 {
			t.Errorf("%s: %s, left over %v", name, got.State, w.manager.Names())
		}
	}
}

// While Secrets Manager is away the draft waits; nothing is said to be wrong with it.
func TestSecretsManagerIsAway(t *testing.T) {
	w := newWorld(t)
	q := w.ask(seeding.Inquiry{Given: true})
	if err := w.secrets.KeepGiven(t.Context(), q.ID, map[string]string{}); err != nil {
		t.Fatal(err)
	}
	w.manager.Fail(errors.New("away"))
	if err := w.desk().Work(t.Context(), q.ID, w.now.Add(15*time.Minute)); err == nil {
		t.Error("no error")
	}
	w.manager.Fail(nil)
	w.now = w.now.Add(20 * time.Second)
	w.work(w.tick()[0])
	w.want(q.ID, seeding.InquiryAnswered, "first fine", "second fine")
}

// Without its key a preview is not stored at all; one that fails needs none.
func TestPreviewWithoutKey(t *testing.T) {
	w := newWorld(t)
	q := w.ask(seeding.Inquiry{Kind: seeding.PreviewInquiry})
	if err := w.secrets.ForgetKey(t.Context(), q.ID); err != nil {
		t.Fatal(err)
	}
	w.work(q.ID)
	w.want(q.ID, seeding.InquiryDropped, "work not_sealed")

	w.answer = func(context.Context, seeding.Inquiry, map[string]string, func([]seeding.Line) error) ([]seeding.Line, []byte, error) {
		return []seeding.Line{line("read")}, nil, nil
	}
	failed := w.ask(seeding.Inquiry{Kind: seeding.PreviewInquiry})
	w.work(failed.ID)
	w.want(failed.ID, seeding.InquiryAnswered, "read fine")
	if left := w.manager.Names(); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
