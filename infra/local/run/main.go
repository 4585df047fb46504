// Program run is `make run`: it starts the whole connector on this machine, with
// a simulated MTS and a simulated registry as separate programs, lets a demo
// connector process the registry, or with SOURCE=odk the submissions of a simulated
// ODK Central, and prints a reconciliation report about everyone. Then it keeps
// running, or ends with ONCE=1.
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

// Time between two ticks of the schedules; deployed it is a minute.
const (
	tickDuringRun = time.Second
	tickAfterRun  = 5 * time.Second
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
// reconciliation report is not as it should be.
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
		return errors.New("interrupted before the reconciliation report")
	case ctx.Err() != nil:
		show.say("stopped")
		return nil
	}
	return err
}

// present runs the demo, prints its report, and keeps running unless ONCE=1.
func (d *demo) present(ctx context.Context, show *progress, out io.Writer) error {
	r, err := d.run(ctx, show)
	if err != nil {
		return err
	}
	r.print(out)
	if d.settings.once {
		return r.verdict()
	}
	if err := r.verdict(); err != nil {
		show.say(err.Error())
	}
	d.explain(out)
	d.tick(ctx, tickAfterRun, show)
	return nil
}
