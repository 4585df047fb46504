package submit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// post is a POST that is to be made.
type post struct {
	bytes int // of its request
	send  func() error
}

// posts are the POSTs that one call of Work began.
type posts struct {
	read     passRead            // beside them, by the steps
	rejected []seeding.Rejection // of submissions, as the last plan read them
	formPage formPage            // by the steps, too
	all      sync.WaitGroup
	mu       sync.Mutex
	count    int  // under way
	bytes    int  // of their requests
	raised   bool // one of them raised "mts" or "mts_reply"; the states that were read do not have it
	failed   error
}

// begin runs a POST beside the others.
func (p *posts) begin(start func(func()), one post) {
	p.all.Add(1)
	p.mu.Lock()
	p.count++
	p.bytes += one.bytes
	p.mu.Unlock()
	start(func() {
		defer p.all.Done()
		err := one.send()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.count--
		p.bytes -= one.bytes
		p.failed = errors.Join(p.failed, err)
	})
}

// raises notes that a POST is about to raise "mts" or "mts_reply".
func (p *posts) raises() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.raised = true
}

// haveRaised reports whether one of them did, or is about to.
func (p *posts) haveRaised() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.raised
}

// open is how many are under way.
func (p *posts) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// left is how many bytes the next wave may take.
func (p *posts) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maxPosted - p.bytes
}

// heavy reports whether those under way leave too little for another wave: its
// batches would be small.
func (p *posts) heavy() bool { return p.left() < maxPosted/2 }

// wait waits for those under way.
func (p *posts) wait() { p.all.Wait() }

// failure returns the failures of the storage that they met, once.
func (p *posts) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.failed
	p.failed = nil
	return err
}

// tokenProbe is how many registrants a probe has while MTS sends rubbish for tokens.
// One row does not show that MTS has one token for everybody, or a few.
const tokenProbe = 10

// send chooses registrants, claims batches of them, and begins their POSTs
// together. It waits for the POST of a probe, whose outcome decides what comes
// next.
func (s *Submitter) send(ctx context.Context, v view) (next, error) {
	now := s.Clock.Now()
	// Only a connector that shows the problem waits. So every connector comes to
	// show it, and one that a person starts or changes makes an attempt at once.
	if _, raised := v.state.Problems[seeding.ProblemMTS]; raised && v.mts.NotBefore.After(now) {
		return next{due: v.mts.NotBefore}, nil
	}
	sizes := v.sizes(now)
	room := room{sizes.total(), v.posts.left()}
	blocked, _ := v.state.Blocked()
	probe := blocked || v.mts.Attempts > 0
	if probe {
		room.candidates = 1
		if _, rubbish := v.state.Problems[seeding.ProblemTokens]; rubbish && v.mts.Attempts == 0 {
			room.candidates = tokenProbe
		}
	}
	parts, looked, err := s.parts(ctx, v, room, sizes)
	if err != nil {
		return s.chooseFailed(ctx, v, err)
	}
	if len(parts) == 0 {
		moved, err := s.saveRun(ctx, looked)
		return next{due: now, again: true, moved: moved}, errors.Join(err, s.endWaiting(ctx, v), s.probeMTS(ctx, v))
	}
	wave, n, err := s.claimWave(ctx, v, parts, sizes)
	for _, one := range wave {
		v.posts.begin(s.Go, one)
	}
	if probe {
		v.posts.wait()
	}
	return n, err
}

// parts are the batches of a wave, and the run if there are none.
func (s *Submitter) parts(ctx context.Context, v view, room room, sizes sizes) (parts []part, looked seeding.Run, err error) {
	if v.connector.FromODK() {
		return s.partsOfSubmissions(ctx, v, room.candidates, sizes)
	}
	chosen, err := s.choose(ctx, v, room)
	if err != nil {
		return nil, seeding.Run{}, err
	}
	for _, one := range chosen.split(sizes) {
		parts = append(parts, s.partOf(v.connector, one))
	}
	return parts, chosen.run, nil
}

// post sends a claimed batch. A POST is never repeated. The error is a failure of
// the storage.
func (s *Submitter) post(ctx context.Context, v view, batch seeding.Batch, request seeding.Request) error {
	log := s.log(v).With("run", batch.Ref.Run, "batch", batch.Ref.Batch, "count", batch.Count)
	log.Info("batch claimed")
	limited, cancel := context.WithTimeout(ctx, s.postLimit(batch))
	requestID, err := s.MTS.Submit(limited, request)
	cancel()
	if err != nil {
		fault := seeding.FaultOf(err)
		if request.Pull != nil && fault.Kind == seeding.RefusedRequest && fault.Code == seeding.CodeNothingPulled {
			return s.nothingPulled(ctx, v, batch, log)
		}
		if fault.Kind == seeding.Unreachable || fault.Kind == seeding.RefusedRequest {
			return s.notTaken(ctx, v, batch, fault, log)
		}
		// MTS may have taken the batch. It stays claimed until its answer or its
		// deadline.
		log.Warn("outcome of the POST is unknown", "fault", fault.Error())
		v.posts.raises()
		problem := v.state.Raise(seeding.ProblemReply, s.Clock.Now(), seeding.ReplyProblem(fault, request.Pull != nil), s.Times)
		return s.Store.RaiseProblem(ctx, v.state.Connector, seeding.ProblemReply, problem)
	}
	// A conflict: the answer came first, and the batch is closed.
	err = s.Store.MarkSubmitted(ctx, batch.Ref, requestID, s.Clock.Now())
	if seeding.IgnoreConflict(err) != nil && !seeding.IsNotFound(err) {
		return err
	}
	log.Info("batch submitted")
	s.Meter.Measure(seeding.MetricSubmitted, float64(batch.Count), "")
	if v.mts.Attempts > 0 || !v.mts.NotBefore.IsZero() || v.posts.haveRaised() {
		if err := s.Store.NoteMTS(ctx, v.mts.Key, time.Time{}, 0); err != nil {
			return err
		}
	}
	if request.Pull != nil {
		if err := s.Store.ClearProblems(ctx, v.state.Connector, v.state.Raised(seeding.ProblemODK), s.Clock.Now()); err != nil {
			return err
		}
	}
	return s.clearMTS(ctx, v)
}

// clearMTS clears what MTS's reply shows to be over, also where another POST raised it
// since the state was read.
func (s *Submitter) clearMTS(ctx context.Context, v view) error {
	over := []seeding.Source{seeding.ProblemMTS, seeding.ProblemReply}
	if !v.posts.haveRaised() {
		over = v.state.Raised(over...)
	}
	return s.Store.ClearProblems(ctx, v.state.Connector, over, s.Clock.Now())
}

// probeMTS clears the problems "mts" and "mts_reply" if MTS replies again, for a
// connector that has nobody left to send.
func (s *Submitter) probeMTS(ctx context.Context, v view) error {
	if len(v.state.Raised(seeding.ProblemMTS, seeding.ProblemReply)) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, seeding.StatusLimit)
	defer cancel()
	if status, err := s.MTS.Status(limited, v.connector.MTS.URL, "none"); err != nil || status != seeding.StatusUnknown {
		return nil // the problem stays
	}
	return s.clearMTS(ctx, v)
}

// prepare makes the batch, and its request. full is how many a batch may have now.
func (s *Submitter) prepare(ctx context.Context, v view, p part, full int) (seeding.Batch, seeding.Request, error) {
	c, batch := v.connector, p.batch
	batch.Ref = seeding.BatchRef{Registry: c.RegistryKey(), Connector: c.ID, Run: p.run.ID, Batch: s.NewID()}
	batch.State, batch.MTS, batch.MTSURL, batch.Size = seeding.Claimed, v.mts.Key, c.MTS.URL, full
	request := seeding.Request{MTSURL: c.MTS.URL, Language: c.MTS.Language, TimeoutSeconds: c.Delivery.TimeoutSeconds}
	if err := p.ask(ctx, &batch, &request); err != nil {
		return seeding.Batch{}, seeding.Request{}, err
	}
	return batch, request, nil
}

// partOf is the batch of registrants that were chosen for one.
func (s *Submitter) partOf(c seeding.Connector, chosen selection) part {
	batch := seeding.Batch{FingerprintKey: chosen.fingerprintKey, Count: len(chosen.chosen)}
	for _, x := range chosen.chosen {
		batch.Members = append(batch.Members, x.member)
	}
	ask := func(ctx context.Context, b *seeding.Batch, r *seeding.Request) error {
		if c.IsDirect() {
			return s.askDirectly(ctx, c, chosen.chosen, b, r)
		}
		keys, err := s.answeredHere(ctx, b, r)
		if err != nil {
			return err
		}
		r.OutputFormat = seeding.OutputFormat
		for _, x := range chosen.chosen {
			r.Records = append(r.Records, record(x, keys.row, keys.capability, b.Ref.Batch))
		}
		return nil
	}
	return part{batch: batch, run: chosen.run, counter: chosen.counter, bytes: bytesOf(chosen.chosen), ask: ask}
}

// batchKeys are those under which a batch is sent that is answered here.
type batchKeys struct{ capability, row seeding.Key }

// answeredHere has MTS call us back, with a capability for the batch.
func (s *Submitter) answeredHere(ctx context.Context, b *seeding.Batch, r *seeding.Request) (batchKeys, error) {
	capability, err1 := s.CapabilityKeys.Current(ctx)
	rowKey, err2 := s.RowKeys.Current(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return batchKeys{}, seeding.KeysUnusable(err)
	}
	b.RowKey = rowKey.ID
	r.CallbackURL = seeding.CallbackAddress(s.CallbackBase, b.Ref.Batch)
	r.Bearer = seeding.Capability(capability, b.Ref, b.Count, s.Clock.Now().Add(s.Times.CapabilityLife))
	return batchKeys{capability, rowKey}, nil
}

// askDirectly makes the request of a direct callback. There is no capability and no
// correlation key, because nothing comes back to us.
func (s *Submitter) askDirectly(ctx context.Context, c seeding.Connector, chosen []candidate, b *seeding.Batch, r *seeding.Request) error {
	secrets, err := s.CallbackSecrets(ctx, c)
	if err != nil {
		return seeding.CallbackUnusable(err)
	}
	b.Direct, b.Tracking = true, c.Delivery.Tracking(b.Count)
	r.OutputFormat = c.Output.Format
	r.Direct = &seeding.DirectCallback{Delivery: *c.Delivery.Direct, Secrets: secrets, Names: seeding.DirectNames(c.Source.Fields)}
	for _, x := range chosen {
		b.Fingerprints = append(b.Fingerprints, x.fingerprint)
		sent := demographicsOf(x)
		sent.Fields = x.extra.fields
		r.Records = append(r.Records, sent)
	}
	return nil
}

// record is the record of a registrant for MTS.
func record(x candidate, rowKey, capability seeding.Key, batch string) seeding.RequestRecord {
	mac := seeding.RowMACOf(rowKey, batch, x.member, x.vid, x.fingerprint)
	sent := demographicsOf(x)
	sent.Key = seeding.Seal(capability, batch, seeding.CorrelationKey(x.member, mac, x.fingerprint))
	return sent
}

func demographicsOf(x candidate) seeding.RequestRecord {
	d := x.demographics
	return seeding.RequestRecord{
		VID: d.VID.Text, Name: d.Name.Text, Gender: d.Gender.Text, DOB: d.DOB.Text,
		PhoneNumber: d.PhoneNumber.Text, EmailID: d.EmailID.Text, FullAddress: d.FullAddress.Text,
	}
}

// notTaken closes a batch that MTS surely did not take. The next pass finds its
// registrants again.
func (s *Submitter) notTaken(ctx context.Context, v view, batch seeding.Batch, fault *seeding.Fault, log *slog.Logger) error {
	now := s.Clock.Now()
	log.Warn("batch not taken by MTS", "fault", fault.Error())
	s.Meter.Measure(seeding.MetricBatchesFailed, 1, "")
	batch.State, batch.Closed = seeding.Failed, now // nothing of it was sent
	if err := seeding.IgnoreConflict(s.Store.Close(ctx, batch)); err != nil {
		return err
	}
	if fault.Kind == seeding.RefusedRequest { // an unreachable MTS says nothing about the size
		refused := func(mts seeding.MTSState) (seeding.Pace, bool) { return mts.AfterLoss(batch, false) }
		if err := seeding.MovePace(ctx, s.Store, v.mts.Key, refused); err != nil {
			return err
		}
	}
	v.posts.raises()
	wait := seeding.BackOff(s.Times.ProbeFirst, s.Times.ProbeMax, v.mts.Attempts)
	if err := s.Store.NoteMTS(ctx, v.mts.Key, now.Add(wait), v.mts.Attempts+1); err != nil {
		return err
	}
	_, err := s.raise(ctx, v, seeding.ProblemMTS, seeding.MTSProblem(fault))
	return err
}

func (s *Submitter) log(v view) *slog.Logger { return s.Log.With("connector", v.state.Connector) }
