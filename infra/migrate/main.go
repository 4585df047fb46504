// Migrate moves the connectors of an Odoo with the modules mts_connector and g2p_mts into
// this connector, by its API. Without -create it changes nothing: it prints, for each
// connector, what becomes of each field, and what the person must enter.
//
//	ODOO_PASSWORD=… go run ./infra/migrate -odoo https://odoo.example.org -database g2p -user admin
//
// README, "Moving in", has the whole of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"openg2p.org/mts-connector/infra/world/deployed"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	o, err := readOptions(os.Args[1:], os.Getenv, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

// options are what the person asks for.
type options struct {
	access   seeding.RegistryAccess // of Odoo
	password string
	wishes   wishes
	changes  changes
	only     []int64 // ids in Odoo; none is all

	create, stopOld, start bool

	odoo *http.Client
	// api is nil if there is none: then nothing but Odoo is asked.
	api   *deployed.Client
	pause func(context.Context) error
}

// everywhere: the person is at a machine of their own, and says which Odoo is called.
var everywhere = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::/0"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7"),
}

func readOptions(args []string, getenv func(string) string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.access.URL, "odoo", "", "address of the Odoo whose connectors are moved")
	flags.StringVar(&o.access.Database, "database", "", "its database")
	flags.StringVar(&o.access.Username, "user", "", "a user who may read its settings; the password is in ODOO_PASSWORD")
	flags.StringVar(&o.wishes.RegistryURL, "registry-url", "", "address at which the new connectors reach that Odoo, if it is another one")
	flags.StringVar(&o.wishes.Username, "registry-user", "", "user of the new connectors, if it is another one; the password is in REGISTRY_PASSWORD")
	flags.BoolVar(&o.wishes.Direct, "direct", false, "MTS goes on calling OpenG2P's own API")
	file := flags.String("changes", "", `file of JSON with members that take the place of planned ones, by the id in Odoo: {"7": {"domain": []}, "*": {…}}`)
	only := flags.String("only", "", "ids in Odoo of the connectors that are moved, such as 3,7")
	flags.BoolVar(&o.create, "create", false, "create the connectors, stopped")
	flags.BoolVar(&o.stopOld, "stop-old", false, "stop each of Odoo's connectors whose new one exists and is checked without a failure")
	flags.BoolVar(&o.start, "start", false, "start the new ones of those that ran in Odoo and are stopped there now")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; -help lists them", flags.Arg(0))
	}
	for name, value := range map[string]string{"-odoo": o.access.URL, "-database": o.access.Database, "-user": o.access.Username} {
		if value == "" {
			return o, fmt.Errorf("%s is missing; -help says what it is", name)
		}
	}
	if o.password = getenv("ODOO_PASSWORD"); o.password == "" {
		return o, errors.New("ODOO_PASSWORD is not set: the password, or an API key, of -user")
	}
	o.wishes.Password = getenv("REGISTRY_PASSWORD")
	if o.wishes.RegistryURL == "" {
		o.wishes.RegistryURL = o.access.URL
	}
	if o.wishes.Username == "" {
		o.wishes.Username = o.access.Username
	}
	if o.wishes.Password == "" && o.wishes.Username == o.access.Username {
		o.wishes.Password = o.password
	}
	if *file != "" {
		text, err := os.ReadFile(*file)
		if err != nil {
			return o, fmt.Errorf("-changes: %w", err)
		}
		if o.changes, err = readChanges(text); err != nil {
			return o, fmt.Errorf("-changes: the file %w", err)
		}
	}
	for id := range strings.FieldsFuncSeq(*only, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return o, fmt.Errorf("-only: %q is no id", id)
		}
		o.only = append(o.only, n)
	}
	o.odoo = outgoing.New(outgoing.Options{AllowedRanges: everywhere, Loopback: true})
	o.pause = func(ctx context.Context) error {
		select {
		case <-time.After(time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return o, o.readAPI(getenv)
}

// readAPI reads where the API is, and who asks it, as the README's first connector has
// them.
func (o *options) readAPI(getenv func(string) string) error {
	address := strings.TrimRight(getenv("API"), "/")
	if address == "" {
		if o.create || o.stopOld || o.start {
			return errors.New("API is not set: the output ApiAddress of the stack; with it TOKEN_URL, CLIENT_ID and CLIENT_SECRET")
		}
		return nil
	}
	config := clientcredentials.Config{TokenURL: getenv("TOKEN_URL"), ClientID: getenv("CLIENT_ID"), ClientSecret: getenv("CLIENT_SECRET")}
	if config.TokenURL == "" || config.ClientID == "" {
		return errors.New("TOKEN_URL, CLIENT_ID and CLIENT_SECRET are not set: the token endpoint of the issuer, and a client whose tokens have the role administrator")
	}
	plain := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	client := config.Client(context.WithValue(context.Background(), oauth2.HTTPClient, plain))
	client.Timeout, client.CheckRedirect = plain.Timeout, plain.CheckRedirect
	o.api = &deployed.Client{Name: "the API", Address: address, HTTP: client}
	return nil
}

// move is a plan, with what the API knows of it.
type move struct {
	plan
	Existing        string // id of the connector that is here already
	Wrong, Doubtful []finding
}

// possible returns why the connector cannot be created, nil if it can.
func (m move) possible() error {
	if m.Refused != "" {
		return errors.New(m.Refused)
	}
	var failed []error
	for _, s := range m.Missing() {
		failed = append(failed, fmt.Errorf("%s is to be entered: %s", s.Here, s.Why))
	}
	for _, e := range m.Wrong {
		failed = append(failed, fmt.Errorf("%s %s", e.Pointer, e.Detail))
	}
	return errors.Join(failed...)
}

func run(ctx context.Context, o options, out io.Writer) error {
	from, err := openSource(o.odoo, o.access, o.password)
	if err != nil {
		return err
	}
	place, moves, err := o.plan(ctx, from)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, database %s: Odoo %s, OpenG2P's line %s, %s.\n", withoutSecrets(place.URL), place.Database, place.Odoo, place.Line, counted(len(moves)))
	var to *target
	if o.api != nil {
		to = &target{*o.api, o.pause}
		if err := to.know(ctx, moves); err != nil {
			return err
		}
	}
	for _, m := range moves {
		m.show(out)
	}
	fmt.Fprintln(out)
	if place.Deletes != nil && *place.Deletes {
		fmt.Fprintln(out, "Odoo's job that deletes VIDs stays on: switch it off in Odoo's settings once its connectors are stopped.")
	}
	if !o.create && !o.stopOld && !o.start {
		fmt.Fprintln(out, "Nothing was changed. -create creates the connectors, stopped.")
		return nil
	}
	failures := 0
	for _, m := range moves {
		if err := o.carry(ctx, from, *to, m, out); err != nil {
			failures++
			for text := range strings.Lines(err.Error()) {
				fmt.Fprintf(out, "%s: %s\n", m.headline(), oneLine(strings.TrimSpace(text)))
			}
		}
	}
	if failures > 0 {
		return fmt.Errorf("%d of %d connectors are not done; the lines above say why. When that is mended, the same command does what is left", failures, len(moves))
	}
	return nil
}

// plan reads Odoo and plans.
func (o options) plan(ctx context.Context, from *source) (site, []move, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	records, err := from.connectors(ctx)
	if err != nil {
		return site{}, nil, err
	}
	place, err := from.site(ctx)
	if err != nil {
		return site{}, nil, err
	}
	plans := make([]plan, len(records))
	for i, r := range records {
		plans[i] = planOf(r, place, o.wishes)
	}
	distinct(plans)
	var moves []move
	for _, p := range plans {
		if len(o.only) == 0 || slices.Contains(o.only, p.ID) {
			moves = append(moves, move{plan: o.changes.apply(p)})
		}
	}
	for _, id := range o.only {
		if !slices.ContainsFunc(plans, func(p plan) bool { return p.ID == id }) {
			return site{}, nil, fmt.Errorf("-only: Odoo has no connector %d", id)
		}
	}
	for id := range o.changes {
		if id != everyConnector && !slices.ContainsFunc(plans, func(p plan) bool { return strconv.FormatInt(p.ID, 10) == id }) {
			return site{}, nil, fmt.Errorf("-changes: Odoo has no connector %s", id)
		}
	}
	return place, moves, nil
}

// patience is how long reading Odoo may take, and each step of moving a connector.
const patience = 5 * time.Minute

func counted(connectors int) string {
	if connectors == 1 {
		return "1 connector"
	}
	return fmt.Sprintf("%d connectors", connectors)
}

// know asks the API what it has of the moves, and what it would say.
func (t target) know(ctx context.Context, moves []move) error {
	all, err := t.list(ctx)
	if err != nil {
		return err
	}
	for i := range moves {
		m := &moves[i]
		if m.Refused != "" {
			continue
		}
		if m.Existing, err = t.existing(ctx, all, m.Body); err != nil {
			return err
		}
		if m.Existing != "" {
			continue
		}
		if m.Wrong, m.Doubtful, err = t.validate(ctx, m.Body); err != nil {
			return fmt.Errorf("%s: %w", m.headline(), err)
		}
	}
	return nil
}

// carry does for one connector what was asked for.
func (o options) carry(ctx context.Context, from *source, to target, m move, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	say := func(format string, args ...any) {
		fmt.Fprintf(out, "%s: %s\n", m.headline(), fmt.Sprintf(format, args...))
	}
	id := m.Existing
	switch {
	case id != "":
		say("is here already, as %s; nothing was changed in it", id)
	case !o.create:
		if m.Refused != "" {
			return errors.New(m.Refused)
		}
		return errors.New("it is not here; -create creates it")
	default:
		if err := m.possible(); err != nil {
			return err
		}
		var err error
		if id, err = to.create(ctx, m.Body); err != nil {
			return err
		}
		say("created as %s, stopped", id)
	}
	if !o.stopOld && !o.start {
		return nil
	}
	bad, err := to.check(ctx, id)
	if err != nil {
		return err
	}
	if len(bad) > 0 {
		var failed []error
		for _, l := range bad {
			failed = append(failed, errors.New(strings.TrimSpace("check of "+l.Line+": "+l.Text+" "+l.Remedy)))
		}
		return errors.Join(append(failed, errors.New("it was not started, and Odoo's was not stopped"))...)
	}
	say("checked without a failure")
	if o.stopOld {
		if err := from.stop(ctx, m.ID); err != nil {
			return err
		}
		if atWork(m.Status) {
			say("stopped in Odoo")
			if m.Body["job_type"] == "one_time" {
				say("Odoo's queue may hold its job still, and a stop does not take it out")
			}
		}
	}
	if !o.start {
		return nil
	}
	return o.begin(ctx, from, to, m, id, say)
}

// begin starts the new connector of one that ran in Odoo, once that one is stopped.
func (o options) begin(ctx context.Context, from *source, to target, m move, id string, say func(string, ...any)) error {
	if !atWork(m.Status) {
		say("not started: it does not run in Odoo")
		return nil
	}
	now, err := from.status(ctx, m.ID)
	if err != nil {
		return err
	}
	if atWork(now) {
		return errors.New("not started: it runs in Odoo still, and both would send the same registrants; -stop-old stops it there")
	}
	if err := to.start(ctx, id); err != nil {
		return fmt.Errorf("it is stopped in Odoo and did not start here; start connector %s in the console: %w", id, err)
	}
	say("started")
	return nil
}
