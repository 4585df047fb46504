// Package console is the console with all that stands behind it in one process, for
// tests in a browser and for who makes its pages: the API and the functions on tables
// in memory, simulators of MTS and of registries, sign-in, and data for every page.
package console

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/mts"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
	"openg2p.org/mts-connector/shared/seeding"
)

// Options of a world. What is empty has a default.
type Options struct {
	Listen string        // address; by default a free port of loopback
	Label  string        // of the deployment
	Bearer time.Duration // how long an access token is valid; 5 minutes by default
	Tick   time.Duration // how often what the schedules do every minute is done; 1 s by default
	Empty  bool          // there is no connector
	Log    io.Writer     // of the functions; nowhere by default

	// Issuer starts where people sign in to the console at a base address, with access
	// tokens of a lifetime; by default the local one. Reuse is how often that one takes a
	// refresh token again (see local.IssuerOptions).
	Issuer func(ctx context.Context, base string, bearer time.Duration) (Issuer, error)
	Reuse  int
}

// World is what stands behind a console.
type World struct {
	Address string // where the console is: "http://127.0.0.1:8080/console"

	// The simulators, by the names of their hosts (see hosts). A connector reaches
	// them, and nothing else, at https://NAME.
	Registries map[string]*odoosim.Server
	MTS        map[string]*mtssim.Server
	Centrals   map[string]*centralsim.Server
	// Connectors has the ids of those of the demo, by name.
	Connectors map[string]string

	// Away: the API does not answer, as when the network fails. The console's own
	// files and calls do.
	Away atomic.Bool
	// Before is the status with which what stands before the API replies, as a gateway or
	// a firewall does; 0: the API replies.
	Before atomic.Int32

	api     http.Handler
	signIn  *signIn
	clock   *clock
	invoker *inprocess.Invoker
	wired   inprocess.Functions
	server  *http.Server
	stop    context.CancelFunc
	ticking sync.Mutex
	ended   sync.WaitGroup

	mu       sync.Mutex
	requests []string
	failed   []error
}

// Start starts a world. It ends with ctx, or when it is closed.
func Start(ctx context.Context, o Options) (*World, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Bearer == 0 {
		o.Bearer = 5 * time.Minute
	}
	if o.Tick == 0 {
		o.Tick = time.Second
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	w := &World{
		Address: "http://" + listener.Addr().String() + "/console", Registries: map[string]*odoosim.Server{}, MTS: map[string]*mtssim.Server{},
		Centrals: map[string]*centralsim.Server{}, Connectors: map[string]string{},
	}
	ctx, w.stop = context.WithCancel(ctx)
	base := strings.TrimSuffix(w.Address, "/console")
	if w.signIn, err = startSignIn(ctx, base, o); err != nil {
		w.Close()
		return nil, err
	}
	w.clock = newClock(func() bool {
		for _, server := range w.MTS {
			if server.Open() > 0 {
				return true
			}
		}
		return false
	})
	if err := w.wire(ctx, o); err != nil {
		w.Close()
		return nil, err
	}
	if !o.Empty {
		if err := w.past(ctx); err != nil {
			w.Close()
			return nil, err
		}
	}
	w.clock.live.Store(true)
	if !o.Empty {
		if err := w.present(ctx); err != nil {
			w.Close()
			return nil, err
		}
	}
	pages, err := w.console(base, o)
	if err != nil {
		w.Close()
		return nil, err
	}
	w.server = &http.Server{Handler: w.handler(pages), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = w.server.Serve(listener) }()
	w.ended.Go(func() { w.ticks(ctx, o.Tick) })
	return w, nil
}

// Close ends everything.
func (w *World) Close() {
	w.stop()
	if w.server != nil {
		_ = w.server.Close()
	}
	w.ended.Wait()
	if w.signIn != nil {
		w.signIn.Stop()
	}
	for _, server := range w.MTS {
		server.Close()
	}
	if w.invoker != nil {
		w.invoker.Wait()
	}
}

// wire makes simulators, functions and the API.
func (w *World) wire(ctx context.Context, o Options) error {
	network := inprocess.Memory{}
	for _, h := range hosts {
		switch {
		case h.mts != nil:
			simulator := *h.mts
			simulator.Dial = network.Dial
			w.MTS[h.name] = mtssim.New(simulator)
			network.Serve(h.name, w.MTS[h.name])
		case h.central:
			w.Centrals[h.name] = centralsim.New(centralsim.Options{Domain: "http://" + h.name, Now: w.clock.Now})
			network.Serve(h.name, w.Centrals[h.name])
		default:
			w.Registries[h.name] = odoosim.New(odoosim.Options{Now: w.clock.Now, Submissions: true})
			w.Registries[h.name].Populate(h.registrants, h.seed)
			network.Serve(h.name, w.Registries[h.name])
		}
	}
	client := memory.New()
	tables, err := inprocess.CreateTables(ctx, client)
	if err != nil {
		return err
	}
	store := seedingdb.New(client, tables.Connectors, tables.Answers)
	manager := secretstest.New()
	manager.Now = w.clock.Now
	kept, inquiries := secrets.Connectors(manager, "demo/connectors/"), secrets.Inquiries(manager, "demo/inquiries/")
	calls := &http.Client{Transport: network}
	w.invoker = inprocess.NewInvoker(w.clock, w.note)
	w.invoker.Context = func(context.Context, string) context.Context { return ctx }
	times := seeding.DefaultTimes()
	times.TickLimit = time.Millisecond // a tick looks once
	log := function.Log(o.Log)
	w.wired = inprocess.Wire(inprocess.Surroundings{
		Store: store, Inbox: seedingdb.NewInbox(client, tables.Answers), Stream: w.invoker.InvokePatch,
		MTS: mts.New(calls, w.clock.Now), Calls: calls, Password: kept.RegistryPassword, ODKPassword: kept.ODKPassword, CallbackSecrets: kept.Callback,
		Inquiries: inquiries, Invoker: w.invoker, Meter: inprocess.NewMetrics(), Clock: w.clock, Times: times, Log: log,
	})
	callback := network.Serve("callback.example", w.wired.Callback)
	w.wired.Submitter.CallbackBase, w.wired.Reconciler.CallbackBase = callback, callback
	w.api = connectors.New(connectors.Options{
		Store: store, Secrets: kept, InquirySecrets: inquiries, Mappings: jq.Mappings{}, Conditions: odoo.Conditions,
		CheckDomain: func(domain string) error {
			_, err := odoo.ParseDomain(domain)
			return err
		},
		FormAddress: odk.Addresses,
		Invoker:     w.invoker, Now: w.clock.Now, NewID: function.NewID, Log: log,
		Caller: func(r *http.Request) connectors.Caller {
			if c, given := r.Context().Value(callerKey{}).(connectors.Caller); given {
				return c
			}
			c, _ := w.signIn.caller(bearerOf(r))
			return c
		},
		RoleNames:  roles,
		Deployment: connectors.Deployment{Stack: "mts-connector", Region: "local", Issuer: w.signIn.Address()},
	})
	return nil
}

// callerKey is the key of a connectors.Caller in the context of a request that needs
// no bearer.
type callerKey struct{}

func bearerOf(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// handler is what the HTTP API serves: the console for everybody, the API for who has
// a token.
func (w *World) handler(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.Method+" "+r.URL.RequestURI())
		w.mu.Unlock()
		switch {
		case r.URL.Path == "/console" || strings.HasPrefix(r.URL.Path, "/console/"):
			pages.ServeHTTP(rw, r)
		case w.Away.Load():
			panic(http.ErrAbortHandler)
		case w.Before.Load() != 0:
			status := int(w.Before.Load())
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, `{"message":"`+http.StatusText(status)+`"}`)
		default:
			if _, known := w.signIn.caller(bearerOf(r)); !known && r.URL.Path != "/openapi.json" {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(rw, `{"message":"Unauthorized"}`)
				return
			}
			w.api.ServeHTTP(rw, r)
		}
	})
}

// Pass puts the clock of the functions and of the API forward.
func (w *World) Pass(d time.Duration) { w.clock.forward.Add(int64(d)) }

// EndSessions ends the sessions of everybody at the issuer, and no access token is valid
// any more.
func (w *World) EndSessions(ctx context.Context) error {
	defer w.Expire()
	return w.signIn.EndSessions(ctx)
}

// Expire lets the access tokens that were used so far end.
func (w *World) Expire() { w.signIn.expire() }

// Issuer is the address of the issuer of tokens.
func (w *World) Issuer() string { return w.signIn.Address() }

// Requests are all requests so far, as a log of access has them: "GET /me".
func (w *World) Requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.requests...)
}

// Failures are the errors of functions so far.
func (w *World) Failures() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]error(nil), w.failed...)
}

func (w *World) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failed) < 1000 {
		w.failed = append(w.failed, err)
	}
}

// Tick does once what the schedules do every minute.
func (w *World) Tick(ctx context.Context) {
	w.ticking.Lock()
	defer w.ticking.Unlock()
	for _, tick := range []func(context.Context) error{w.wired.Desk.Tick, w.wired.Submitter.Tick, w.wired.Reconciler.Tick} {
		if err := tick(ctx); err != nil && ctx.Err() == nil {
			w.note(err)
		}
	}
}

func (w *World) ticks(ctx context.Context, every time.Duration) {
	beat := time.NewTicker(every)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			w.Tick(ctx)
		}
	}
}
