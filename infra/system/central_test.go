package system_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/infra/world/invariants"
	"openg2p.org/mts-connector/shared/seeding"
)

// startCentral starts an ODK Central with an empty form. Its clock is that of the world,
// or ahead of it.
func (w *world) startCentral() {
	now := func() time.Time { return w.clock.Now().Add(time.Duration(w.centralAhead.Load())) }
	w.central = centralsim.New(centralsim.Options{Now: now})
	w.central.Populate(0, 1)
	w.form = w.central.Form(1, centralsim.DemoForm)
	w.centralURL = w.network.Serve("central", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if before := w.onCentral.Load(); before != nil {
			(*before)(r)
		}
		w.central.ServeHTTP(rw, r)
	}))
}

// centralCalls are what a test does when Central is asked.
type centralCalls struct {
	onCentral    atomic.Pointer[func(*http.Request)] // sees every request
	centralAhead atomic.Int64                        // by how much its clock is ahead of ours, as a duration
}

// formConnector creates and starts a connector of the form, as the API would; change
// alters it first.
func (w *world) formConnector(change func(*seeding.Connector)) seeding.Connector {
	w.Helper()
	return w.connector(func(c *seeding.Connector) {
		if err := inprocess.FromODK(c, w.centralURL); err != nil {
			w.Fatal(err)
		}
		if change != nil {
			change(c)
		}
	})
}

// answersOf are the answers of somebody who may get a token with this VID.
func answersOf(vid string) map[string]string {
	return map[string]string{
		"vid": vid, "person/name": "Ana Mendoza", "person/gender": "Female", "person/dob": "1990-11-02", "where/address": "1 Rizal St, Quezon City",
	}
}

// vidOfPerson is a VID of a person whom MOSIP knows, from the numbers that Populate does
// not use.
func vidOfPerson(person int) string { return centralsim.DemoVID(int64(5_000_000+person), 1, 0) }

// fill submits the form for a person, as received so long ago. The id names the person.
func (w *world) fill(person int, ago time.Duration) (id string) {
	return w.form.Submit(centralsim.Submission{ID: fmt.Sprintf("uuid:%06d", person), At: w.clock.Now().Add(-ago), Answers: answersOf(vidOfPerson(person))})
}

// fillMany does so for n persons, the first one first, a second between them; the last
// one two minutes ago.
func (w *world) fillMany(n int) (ids []string) {
	for i := range n {
		ids = append(ids, w.fill(i, 2*time.Minute+time.Duration(n-i)*time.Second))
	}
	return ids
}

// correct edits a submission, with the VID of another person.
func (w *world) correct(id string, person int) {
	w.Helper()
	if !w.form.Edit(id, answersOf(vidOfPerson(person))) {
		w.Errorf("there is no submission %s", id)
	}
}

// formRejections are those of submissions, by their ids.
func (w *world) formRejections(c seeding.Connector) map[string]seeding.Rejection {
	w.Helper()
	all, after := map[string]seeding.Rejection{}, ""
	for {
		list, next, err := w.store.ListRejections(context.WithoutCancel(w.Context()), c.RegistryKey(), c.ID, seeding.RejectionFilter{}, after, 500)
		if err != nil {
			w.Fatal(err)
		}
		for _, r := range list {
			all[r.Submission] = r
		}
		if after = next; next == "" {
			return all
		}
	}
}

// checkSubmissions checks what must be true of submissions and registrants whatever
// went wrong: no function failed, nothing is under way, each submission led to one
// registrant with its token or to a rejection. moments are what Central had.
func (w *world) checkSubmissions(c seeding.Connector, start invariants.Registry, moments ...[]centralsim.Entry) {
	w.Helper()
	for len(w.failures) > 0 {
		w.Errorf("a function failed: %v", <-w.failures)
	}
	if left := w.underWay(c); len(left) > 0 {
		w.Errorf("something is still under way: %v", left)
	}
	rejected := map[string]bool{}
	for id, r := range w.formRejections(c) {
		rejected[id] = true
		if r.Next.IsZero() && (r.Kind == seeding.Refused || r.Kind == seeding.NoToken || r.Kind == seeding.SetAside) {
			w.Errorf("submission %s is rejected (%s) without a next attempt", id, r.Kind)
		}
	}
	now := w.now()
	for _, v := range invariants.Submissions(now, start, rejected, append(moments, w.form.Entries())...) {
		w.Error(v)
	}
	holders := map[string]int64{}
	for id, has := range now {
		if len(has.Tokens) > 1 {
			w.Errorf("registrant %d has %d tokens", id, len(has.Tokens))
		}
		for _, token := range has.Tokens {
			if other, shared := holders[token]; shared {
				w.Errorf("registrants %d and %d have the same token", id, other)
			}
			holders[token] = id
		}
	}
}

// tokensOf are the tokens of who came of a submission; of several registrants, all.
func (w *world) tokensOf(submission string) (tokens []string) {
	for _, has := range w.now() {
		for _, id := range has.Submissions {
			if id == submission {
				tokens = append(tokens, has.Tokens...)
			}
		}
	}
	return tokens
}

// writtenTexts are all texts that the store wrote.
type writtenTexts struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (t *writtenTexts) add(values ...map[string]types.AttributeValue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, value := range values {
		for _, text := range texts(&types.AttributeValueMemberM{Value: value}) {
			t.all.Write(text)
			t.all.WriteByte('\n')
		}
	}
}

func (t *writtenTexts) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all.String()
}
