package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"openg2p.org/mts-connector/infra/template"
)

// prices in USD, by their names in infra/facts/aws.md.
type prices map[string]float64

var priceRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([0-9.]+) \\|")

// names of all prices that are needed.
var names = []string{
	"alarm", "metric", "dashboard", "key", "secret", "schedule_million", "request_million", "gigabyte_second",
	"write_million", "read_million", "log_gigabyte", "api_million", "egress_gigabyte",
}

// pricesIn reads the table of prices.
func pricesIn(facts string) (prices, error) {
	p := prices{}
	for _, row := range priceRow.FindAllStringSubmatch(facts, -1) {
		price, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			return nil, fmt.Errorf("infra/facts/aws.md: %s: %w", row[0], err)
		}
		p[row[1]] = price
	}
	for _, name := range names {
		if _, known := p[name]; !known {
			return nil, fmt.Errorf("infra/facts/aws.md has no price %s", name)
		}
	}
	return p, nil
}

// line is an item of a bill.
type line struct {
	what     string
	quantity string
	usd      float64
}

func sum(lines []line) (usd float64) {
	for _, l := range lines {
		usd += l.usd
	}
	return usd
}

const (
	// minutes of a month of 30 days, each with a tick of submit and of reconcile.
	minutes = 30 * 24 * 60
	million = 1e6
	// processor is the memory in MB at which a function has one whole processor
	// (facts/aws.md 1).
	processor = 1769
	// platform are the bytes that Lambda itself logs of an invocation.
	platform = 900
	// storage is how long a call of DynamoDB takes, in seconds; virtual time has none
	// for it.
	storage = 0.005
)

// idle is the bill of a month in which nothing is seeded.
func idle(m measured, d template.Deployed, p prices) []line {
	ticks := float64(minutes)
	gigabyteSeconds := ticks * (m.Idle.SubmitCalls*storage*gigabytes(d, "Submit") + m.Idle.ReconcileCalls*storage*gigabytes(d, "Reconcile"))
	logged := ticks * (m.Idle.Logged + 2*platform) / 1e9
	count := func(kind string) float64 { return float64(d.Count[kind]) }
	return []line{
		{"alarms", fmt.Sprintf("%d", d.Count["AWS::CloudWatch::Alarm"]), count("AWS::CloudWatch::Alarm") * p["alarm"]},
		{"metrics that are written every minute", fmt.Sprintf("%d", m.Idle.Metrics), float64(m.Idle.Metrics) * p["metric"]},
		{"secrets of the deployment", fmt.Sprintf("%d", d.Count["AWS::SecretsManager::Secret"]), count("AWS::SecretsManager::Secret") * p["secret"]},
		{"key of the tables", fmt.Sprintf("%d", d.Count["AWS::KMS::Key"]), count("AWS::KMS::Key") * p["key"]},
		{"ticks by the scheduler", fmt.Sprintf("%.0f", 2*ticks), 2 * ticks / million * p["schedule_million"]},
		{"their invocations", fmt.Sprintf("%.0f", 2*ticks), 2 * ticks / million * p["request_million"]},
		{"their time", fmt.Sprintf("%.0f GB s", gigabyteSeconds), gigabyteSeconds * p["gigabyte_second"]},
		{"their reads", fmt.Sprintf("%.0f units", ticks*m.Idle.Reads), ticks * m.Idle.Reads / million * p["read_million"]},
		{"their log", fmt.Sprintf("%.2f GB", logged), logged * p["log_gigabyte"]},
	}
}

func gigabytes(d template.Deployed, function string) float64 {
	return float64(d.Memory[function]) / 1024
}

// seeding is the bill of a million registrants at one MTS, besides the idle one.
func (r measuredRun) seeding(d template.Deployed, p prices) []line {
	times := million / float64(r.Registrants)
	consumed := r.Consumed
	submitting := times * consumed.Submitting.Seconds() * gigabytes(d, "Submit")
	patching := times * consumed.Patching.Seconds() * gigabytes(d, "Patch")
	// Computing costs the same at any memory: half of it is half of a processor.
	computing := times * consumed.CPU.Seconds() * processor / 1024
	invocations := times * float64(consumed.Submits+consumed.Patches+consumed.Callbacks)
	writes, reads := times*consumed.Writes, times*consumed.Reads
	logged := times*(float64(consumed.LoggedBytes))/1e9 + invocations*platform/1e9
	sent := times * float64(consumed.SentBytes) / 1e9
	return []line{
		{"waiting of `submit`", fmt.Sprintf("%.0f GB s", submitting), submitting * p["gigabyte_second"]},
		{"waiting of `patch`", fmt.Sprintf("%.0f GB s", patching), patching * p["gigabyte_second"]},
		{"computing", fmt.Sprintf("%.0f GB s", computing), computing * p["gigabyte_second"]},
		{"invocations", fmt.Sprintf("%.0f", invocations), invocations/million*p["request_million"] + times*float64(consumed.Callbacks)/million*p["api_million"]},
		{"DynamoDB, written", fmt.Sprintf("%.0f units", writes), writes / million * p["write_million"]},
		{"DynamoDB, read", fmt.Sprintf("%.0f units", reads), reads / million * p["read_million"]},
		{"logs", fmt.Sprintf("%.3f GB", logged), logged * p["log_gigabyte"]},
		{"sent to MTS and registry", fmt.Sprintf("%.2f GB", sent), sent * p["egress_gigabyte"]},
	}
}

func write(m measured, d template.Deployed, p prices) string {
	var b strings.Builder
	say := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	table := func(lines []line) {
		say("| What | How much | USD |\n|---|---|---|")
		for _, l := range lines {
			say("| %s | %s | %.3f |", l.what, l.quantity, l.usd)
		}
		say("| **all** | | **%.2f** |\n", sum(lines))
	}
	say("# What it costs\n")
	say("Written by `go run ./infra/cost`; do not edit. It is computed from `infra/cost/measured.json` (measured %s by `go run ./infra/cost -measure`), `template.yaml`, and the prices in `facts/aws.md` 7: us-east-1, arm64, in USD, without the free allowances of an account except for the dashboard.\n", m.Date)
	say("## A month in which nothing is seeded\n")
	table(idle(m, d, p))
	say("The dashboard costs nothing while it is one of the first three of an account, with up to 50 metrics each; any further one costs %.2f a month (parameter `DashboardState=DISABLED` leaves it out). Each connector has one secret more, for %.2f a month; sign-in to the console needs %d, for %.2f. AWS allows every account 10 alarms and 10 metrics for nothing, so the first deployment of an account costs about half of this. In months with seeding up to 13 more metrics are written, for %.2f each, and only for the hours in which they are. Endpoints or NAT of subnets are in the README.\n", p["dashboard"], p["secret"], d.Console["AWS::SecretsManager::Secret"], float64(d.Console["AWS::SecretsManager::Secret"])*p["secret"], p["metric"])
	say("## A million registrants\n")
	say("Runs of %d registrants in virtual time, who all get a token, at an MTS that was measured before (batches of 1,000). *Width* is how many batches may be under way at once.\n", m.Runs[0].Registrants)
	say("| MTS | Width | Records per second | USD per million |\n|---|---|---|---|")
	for _, r := range m.Runs {
		say("| %s | %s | %.1f | **%.2f** |", r.mts(), r.width(), float64(r.Registrants)/r.Took.Seconds(), sum(r.seeding(d, p)))
	}
	say("\nThe first row in detail. Waiting is for MTS, registry and each other. Computing is an upper limit: it is that of the whole process, in which MTS, registry and DynamoDB are simulated. *Sent* costs only what leaves the AWS region.\n")
	table(m.Runs[0].seeding(d, p))
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func (r measuredRun) mts() string {
	workers := "1 worker"
	if r.Workers > 1 {
		workers = fmt.Sprintf("%d workers", r.Workers)
	}
	return fmt.Sprintf("%s, identity service %d ms", workers, r.Latency.Milliseconds())
}

func (r measuredRun) width() string {
	if r.Maximum > 0 {
		return fmt.Sprintf("%d, set", r.Maximum)
	}
	return "two for each worker, and the next"
}
