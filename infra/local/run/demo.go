package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// The demo's registry is the same every time.
const seed = 1

// patience is how long nothing may move before the demo is given up. The
// longest that the protocol waits for one batch is shorter.
const patience = 15 * time.Minute

// demo is everything that runs, and the connector that works it off.
type demo struct {
	settings settings
	stack    *local.Stack
	seeder   *simulator // MTS
	office   *simulator // the registry

	api, mts, registry client
	startedIn          time.Duration

	connector string
	expected  odoosim.Expectation
	before    []odoosim.Entry
}

// start builds and starts everything, side by side.
func start(ctx context.Context, s settings, show *progress) (*demo, error) {
	began := time.Now()
	d := &demo{settings: s}
	group, ctx2 := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		d.stack, err = local.Start(ctx2, local.Options{
			Listen: s.listen, CallbackBase: s.callbackBase, AllowedRanges: s.ranges, Progress: show,
		})
		return err
	})
	group.Go(func() (err error) {
		d.seeder, err = startSimulator(ctx2, "mtssim", "-pace", fmt.Sprint(s.pace))
		return err
	})
	group.Go(func() (err error) {
		d.office, err = startSimulator(ctx2, "odoosim")
		return err
	})
	err := group.Wait()
	if err == nil {
		d.api = client{"the API", d.stack.APIURL(), d.stack.Token}
		d.mts = client{"the MTS simulator", d.seeder.address, nil}
		d.registry = client{"the registry simulator", d.office.address, nil}
		err = d.calledBack(ctx)
	}
	if err != nil {
		d.stop()
		return nil, err
	}
	d.startedIn = time.Since(began)
	return d, nil
}

func (d *demo) stop() {
	if d.stack != nil {
		d.stack.Stop()
	}
	d.seeder.stop()
	d.office.stop()
}

// calledBack makes sure that a callback address given by the user leads here:
// to where a callback without a capability is refused.
func (d *demo) calledBack(ctx context.Context) error {
	base := d.settings.callbackBase
	if base == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/callback/check", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	response, err := web.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("CALLBACK_BASE=%s does not lead here: forward it to %s, where the API listens, and start again", base, d.stack.APIURL())
	}
	return nil
}

// play fills the registry, lets a connector work it off, and gives the account.
func (d *demo) play(ctx context.Context, show *progress) (*account, error) {
	show.say(fmt.Sprintf("a registry of %s registrants", number(d.settings.registrants)))
	if err := d.fill(ctx); err != nil {
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
		c, err := d.changeUnderWay(ticking)
		changed <- c
		return err
	})
	group.Go(func() error { d.tick(ticking, tickAtWork, show); return nil })

	began := time.Now()
	show.start()
	if err := d.api.call(ctx, http.MethodPost, "/connectors/"+d.connector+"/start", nil, nil); err != nil {
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
	return d.account(ctx, last, <-changed, took)
}

// fill populates the registry and remembers how it was.
func (d *demo) fill(ctx context.Context) error {
	order := map[string]int{"registrants": d.settings.registrants, "seed": seed}
	if err := d.registry.call(ctx, http.MethodPost, "/_simulator/populate", order, &d.expected); err != nil {
		return err
	}
	if err := d.registry.call(ctx, http.MethodGet, "/_simulator/registrants", nil, &d.before); err != nil {
		return err
	}
	return d.registry.call(ctx, http.MethodPost, "/_simulator/reset-tallies", nil, nil)
}

// create makes the demo connector; all that is not given has its default.
func (d *demo) create(ctx context.Context) error {
	var made connector
	err := d.api.call(ctx, http.MethodPost, "/connectors", map[string]any{
		"name": "Demo", "mts_url": d.seeder.address,
		"registry": map[string]any{"url": d.office.address, "database": "g2p", "username": "admin", "password": "admin"},
	}, &made)
	d.connector = made.ID
	return err
}

// changeUnderWay gives one registrant another person's VID while its answer is
// on the way. The lowest VIDs are sent first, so the lowest of a registrant
// that will get a token is in the first batch; and MTS has that batch, claimed
// before, when it has its first POST.
func (d *demo) changeUnderWay(ctx context.Context) (change, error) {
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
		err := d.mts.call(ctx, http.MethodGet, "/_simulator/state", nil, &state)
		if err != nil && ctx.Err() == nil {
			return change{}, err
		}
		if state.Counters.Posts > 0 {
			path := fmt.Sprintf("/_simulator/registrants/%d/vid", c.registrant)
			return c, d.registry.call(ctx, http.MethodPost, path, map[string]string{"value": c.vid}, nil)
		}
		pause(ctx, 5*time.Millisecond)
	}
	return change{}, nil // the demo is over, and nothing was sent
}

// tick does what the schedules do, until it is told to end. A tick that fails
// is shown; the next one may go well.
func (d *demo) tick(ctx context.Context, every time.Duration, show *progress) {
	said := ""
	for {
		if err := d.stack.Tick(ctx); err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			show.say("a tick failed: " + said)
		}
		if !pause(ctx, every) {
			return
		}
	}
}

// pause waits; it is false when there is nothing to wait for any more.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// answersLeft counts what waits in the answers table, as the one who deploys.
func (d *demo) answersLeft(ctx context.Context) (int, error) {
	pages := dynamodb.NewScanPaginator(d.stack.DynamoDB(), &dynamodb.ScanInput{
		TableName: aws.String(d.stack.Output("AnswersTable")), Select: types.SelectCount, ConsistentRead: aws.Bool(true),
	})
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("the answers table: %w", err)
		}
		n += int(page.Count)
	}
	return n, nil
}
