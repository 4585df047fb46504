package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/infra/world/programs"
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
	mtsSimulator      *programs.Simulator
	registrySimulator *programs.Simulator
	centralSimulator  *programs.Simulator // nil without SOURCE=odk

	mts, registry deployed.Client // of the simulators' administration
	startedIn     time.Duration

	people    people
	connector *deployed.Connector
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
		d.mtsSimulator, err = programs.Start(ctx2, "mtssim", "-pace", fmt.Sprint(s.pace),
			"-workers", fmt.Sprint(s.workers), "-replicas", fmt.Sprint(s.replicas), "-processors", fmt.Sprint(processors))
		return err
	})
	group.Go(func() (err error) {
		d.registrySimulator, err = programs.Start(ctx2, "odoosim", "-submissions")
		return err
	})
	if s.odk {
		group.Go(func() (err error) {
			d.centralSimulator, err = programs.Start(ctx2, "centralsim")
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		d.mts = deployed.Client{Name: "the MTS simulator", Address: d.mtsSimulator.Address}
		d.registry = deployed.Client{Name: "the registry simulator", Address: d.registrySimulator.Address}
		d.people = d.source()
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
	d.mtsSimulator.Stop()
	d.registrySimulator.Stop()
	d.centralSimulator.Stop()
}

// source is where the people are.
func (d *demo) source() people {
	if d.settings.odk {
		return &submissions{
			mts: d.mts, registry: d.registry, central: deployed.Client{Name: "the ODK Central simulator", Address: d.centralSimulator.Address},
			mtsURL: d.mtsSimulator.Address, registryURL: d.registrySimulator.Address, centralURL: d.centralSimulator.Address,
		}
	}
	return &registrants{mts: d.mts, registry: d.registry, mtsURL: d.mtsSimulator.Address, registryURL: d.registrySimulator.Address}
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

// run makes the people, lets a connector process them, and makes the report.
func (d *demo) run(ctx context.Context, show *progress) (*report, error) {
	what := "a registry of %s registrants"
	if d.settings.odk {
		what = "an ODK Central with %s submissions, and an empty registry"
	}
	show.say(fmt.Sprintf(what, number(d.settings.registrants)))
	if err := d.people.populate(ctx, d.settings.registrants); err != nil {
		return nil, err
	}
	if err := d.registry.Call(ctx, http.MethodPost, "/_simulator/reset-tallies", nil, nil); err != nil {
		return nil, err
	}
	var err error
	if d.connector, err = d.world.API.Create(ctx, d.people.configuration()); err != nil {
		return nil, err
	}
	ticking, stop := context.WithCancel(ctx)
	group, ticking := errgroup.WithContext(ticking)
	defer stop()
	group.Go(func() error {
		if err := d.people.disturb(ticking); err != nil && ticking.Err() == nil {
			return err
		}
		return nil
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
	return d.report(ctx, last, took)
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
