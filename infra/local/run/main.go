// Program run is `make run`: it starts the whole connector on this machine,
// with a simulated MTS and a simulated registry as programs of their own,
// lets a demo connector work off the registry, and accounts for every
// registrant. Then it stays up, or ends if it was told ONCE=1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// How often the schedules tick; deployed it is every minute.
const (
	tickAtWork = time.Second
	tickAtRest = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run fails when something cannot be started, or, with ONCE=1, when the
// account is not as it should be.
func run(ctx context.Context, env func(string) string, out io.Writer) error {
	s, err := readSettings(env)
	if err != nil {
		return err
	}
	show := newProgress(out)
	d, err := start(ctx, s, show)
	if err == nil {
		defer d.stop()
		err = d.present(ctx, show, out)
	}
	switch {
	case ctx.Err() != nil && s.once:
		return errors.New("interrupted before the end of the account")
	case ctx.Err() != nil:
		show.say("stopped")
		return nil
	}
	return err
}

// present runs the demo, prints its account, and stays up unless told not to.
func (d *demo) present(ctx context.Context, show *progress, out io.Writer) error {
	a, err := d.play(ctx, show)
	if err != nil {
		return err
	}
	a.print(out)
	if d.settings.once {
		return a.verdict()
	}
	if err := a.verdict(); err != nil {
		show.say(err.Error())
	}
	d.explain(out)
	d.tick(ctx, tickAtRest, show)
	return nil
}
