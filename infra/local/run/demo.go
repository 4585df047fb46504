package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/waiting"
)

// seed of the demo's registry, which is the same every time.
const seed = 1

// patience is how long the demo waits while nothing changes. It is longer than
// the protocol ever waits for one batch.
const patience = 15 * time.Minute

// demo is everything that runs, and the connector that processes the registry.
type demo struct {
	settings          settings
	world             *deployed.World
	mtsSimulator      *simulator
	registrySimulator *simulator

	mts, registry deployed.Client // of the simulators' administration
	startedIn     time.Duration

	connector *deployed.Connector
	expected  odoosim.Expectation
	before    []odoosim.Entry
}

// start builds and starts everything, concurrently.
func start(ctx context.Context, s settings, show *progress) (*demo, error) {
	began := time.Now()
	d := &demo{settings: s}
	group, ctx2 := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		d.world, err = deployed.Start(ctx2, local.Options{
			Listen: s.listen, CallbackBase: s.callbackBase, AllowedRanges: s.ranges, Progress: show,
		})
		return err
	})
	group.Go(func() (err error) {
		d.mtsSimulator, err = startSimulator(ctx2, "mtssim", "-pace", fmt.Sprint(s.pace),
			"-workers", fmt.Sprint(s.workers), "-replicas", fmt.Sprint(s.replicas), "-processors", fmt.Sprint(processors))
		return err
	})
	group.Go(func() (err error) {
		d.registrySimulator, err = startSimulator(ctx2, "odoosim")
		return err
	})
	err := group.Wait()
	if err == nil {
		d.mts = deployed.Client{Name: "the MTS simulator", Address: d.mtsSimulator.address}
		d.registry = deployed.Client{Name: "the registry simulator", Address: d.registrySimulator.address}
		err = d.checkCallbackBase(ctx)
	}
	if err != nil {
		d.stop()
		return nil, err
	}
	d.startedIn = time.Since(began)
	return d, nil
}

func (d *demo) stop() {
	if d.world != nil {
		d.world.Stop()
	}
	d.mtsSimulator.stop()
	d.registrySimulator.stop()
}

// checkCallbackBase makes sure that the callback address that the user gave leads
// to this API, which refuses a callback without a capability with 401.
func (d *demo) checkCallbackBase(ctx context.Context) error {
	base := d.settings.callbackBase
	if base == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	reply, err := deployed.Client{Address: base}.Send(ctx, http.MethodPost, "/callback/check", []byte("{}"))
	if err != nil || reply.Status != http.StatusUnauthorized {
		return fmt.Errorf("CALLBACK_BASE=%s does not lead here: forward it to %s, where the API listens, and start again", base, d.world.APIURL())
	}
	return nil
}

// run populates the registry, lets a connector process it, and makes the report.
func (d *demo) run(ctx context.Context, show *progress) (*report, error) {
	show.say(fmt.Sprintf("a registry of %s registrants", number(d.settings.registrants)))
	if err := d.populate(ctx); err != nil {
		return nil, err
	}
	if err := d.create(ctx); err != nil {
		return nil, err
	}
	ticking, stop := context.WithCancel(ctx)
	group, ticking := errgroup.WithContext(ticking)
	defer stop()
	changed := make(chan change, 1)
	group.Go(func() error {
		c, err := d.changeVIDDuringRun(ticking)
		changed <- c
		return err
	})
	group.Go(func() error { d.tick(ticking, tickDuringRun, show); return nil })

	began := time.Now()
	show.start()
	if err := d.connector.Start(ctx); err != nil {
		return nil, err
	}
	last, err := d.watch(ticking, show)
	took := time.Since(began)
	stop()
	if failed := group.Wait(); failed != nil {
		err = failed // and watch ended because of it
	}
	if err != nil {
		return nil, err
	}
	return d.report(ctx, last, <-changed, took)
}

// populate makes the registrants and remembers them.
func (d *demo) populate(ctx context.Context) error {
	order := map[string]int{"registrants": d.settings.registrants, "seed": seed}
	if err := d.registry.Call(ctx, http.MethodPost, "/_simulator/populate", order, &d.expected); err != nil {
		return err
	}
	if err := d.registry.Call(ctx, http.MethodGet, "/_simulator/registrants", nil, &d.before); err != nil {
		return err
	}
	return d.registry.Call(ctx, http.MethodPost, "/_simulator/reset-tallies", nil, nil)
}

// create creates the demo connector; everything else has its default.
func (d *demo) create(ctx context.Context) (err error) {
	d.connector, err = d.world.API.Create(ctx,
		deployed.Configuration("Demo", d.mtsSimulator.address, d.registrySimulator.address, "g2p", "admin"))
	return err
}

// changeVIDDuringRun gives one registrant another person's VID after it was sent
// and before it is answered. The lowest VIDs are sent first, so the registrant
// with the lowest VID that can get a token is in the first batch; and that batch
// is claimed before MTS receives its first POST.
func (d *demo) changeVIDDuringRun(ctx context.Context) (change, error) {
	c := change{vid: odoosim.DemoVID(9_999_999_999, 1, odoosim.Normal)}
	lowest := int64(0)
	for _, entry := range d.before {
		for _, i := range entry.Identifiers {
			if entry.Kind == odoosim.Plain && i.Type == odoosim.VIDType && (lowest == 0 || i.ID < lowest) {
				lowest, c.registrant = i.ID, entry.Registrant
			}
		}
	}
	if c.registrant == 0 {
		return change{}, nil
	}
	for ctx.Err() == nil {
		var state mtssim.State
		err := d.mts.Call(ctx, http.MethodGet, "/_simulator/state", nil, &state)
		if err != nil && ctx.Err() == nil {
			return change{}, err
		}
		if state.Counters.Posts > 0 {
			path := fmt.Sprintf("/_simulator/registrants/%d/vid", c.registrant)
			return c, d.registry.Call(ctx, http.MethodPost, path, map[string]string{"value": c.vid}, nil)
		}
		waiting.Pause(ctx, 5*time.Millisecond)
	}
	return change{}, nil // the run ended, and nothing was sent
}

// tick does what the schedules do, until ctx ends. A tick that fails is shown;
// the next one may succeed.
func (d *demo) tick(ctx context.Context, every time.Duration, show *progress) {
	last := "" // error that was shown
	schedule := &deployed.Schedule{World: d.world, Every: every, Failed: func(err error) {
		if err.Error() != last {
			last = err.Error()
			show.say("a tick failed: " + last)
		}
	}}
	schedule.Run(ctx)
}
