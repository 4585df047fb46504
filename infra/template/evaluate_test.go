package template_test

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// These tests evaluate the alarms of the template by CloudWatch's own rules over
// simulated metrics: what is raised, how often, and what is not.

type alarmState string

const (
	ok           alarmState = "OK"
	inAlarm      alarmState = "ALARM"
	insufficient alarmState = "INSUFFICIENT_DATA"
)

// point is what a period of a metric says.
type point byte

const (
	missing   point = '-'
	within    point = '0'
	breaching point = 'X'
)

// evaluated returns the state of an alarm that needs m breaching points of n. The
// points are those of its evaluation range, which is a little longer than n
// periods, the oldest first.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func evaluated(points []point, m, n int, treatment string, before alarmState) alarmState {
	known := slices.DeleteFunc(slices.Clone(points), func(p point) bool { return p == missing })
	known = known[max(0, len(known)-n):]
	beyond := 0
	for _, p := range known {
		if p == breaching {
			beyond++
		}
	}
	lacking := n - len(known)
	switch {
	case treatment == "breaching":
		beyond += lacking
	case treatment == "missing" && len(known) == 0:
		return insufficient
	case treatment == "missing":
		m = min(m, len(known))
	case treatment == "ignore" && beyond < m && beyond == len(known):
		return before
	}
	if beyond >= m {
		return inAlarm
	}
	return ok
}

// The examples of that page, in its order.
func TestEvaluationIsThatOfCloudWatch(t *testing.T) {
	const retained = alarmState("retained")
	for _, c := range []struct {
		m, n                               int
		points                             string
		missing, ignore, breaching, within alarmState
	}{
		{3, 3, "0-X-X", ok, ok, ok, ok},
		{3, 3, "0----", ok, ok, ok, ok},
		{3, 3, "-----", insufficient, retained, inAlarm, ok},
		{3, 3, "0XX-X", inAlarm, inAlarm, inAlarm, inAlarm},
		{3, 3, "--X--", inAlarm, retained, inAlarm, ok},
		{2, 3, "0-X-X", inAlarm, inAlarm, inAlarm, inAlarm},
		{2, 3, "00X0X", inAlarm, inAlarm, inAlarm, inAlarm},
		{2, 3, "0-X--", ok, ok, inAlarm, ok},
		{2, 3, "----0", ok, ok, inAlarm, ok},
		{2, 3, "----X", inAlarm, retained, inAlarm, ok},
	} {
		for treatment, want := range map[string]alarmState{"missing": c.missing, "ignore": c.ignore, "breaching": c.breaching, "notBreaching": c.within} {
			if got := evaluated([]point(c.points), c.m, c.n, treatment, retained); got != want {
				t.Errorf("%d of %d, %s, %s: %s, want %s", c.m, c.n, c.points, treatment, got, want)
			}
		}
	}
}

// deployment is what the conditions of the template depend on.
type deployment struct{ ticking, topic bool }

// resolved is the value of a property, with Fn::If decided.
func (d deployment) resolved(value any) any {
	choice := list(at(value, "Fn::If"))
	if choice == nil {
		return value
	}
	holds := map[string]bool{"Ticking": d.ticking, "HasAlarmTopic": d.topic}[text(choice[0])]
	if holds {
		return d.resolved(choice[1])
	}
	return d.resolved(choice[2])
}

// series holds the samples of a metric by the minute in which they are made.
type series map[int][]float64

// every makes a sample each minute, from one minute to before another.
func (s series) every(from, to int, value float64) series {
	for minute := from; minute < to; minute++ {
		s[minute] = append(s[minute], value)
	}
	return s
}

// watched is an alarm with its past.
type watched struct {
	t          *testing.T
	properties map[string]any
	deployment deployment
	state      alarmState
	rung       int // notifications of a person, without those of an end
}

// over evaluates the alarm at the end of each of its periods. It is created at
// minute 0, before which there is nothing.
func (w *watched) over(s series, minutes int) *watched {
	p := w.properties
	whole := func(name string) int { return number(w.t, text(p[name])) }
	period, n := whole("Period")/60, whole("EvaluationPeriods")
	m := n
	if p["DatapointsToAlarm"] != nil {
		m = whole("DatapointsToAlarm")
	}
	threshold, err := strconv.ParseFloat(text(p["Threshold"]), 64)
	if err != nil {
		w.t.Fatal(err)
	}
	treatment := text(w.deployment.resolved(p["TreatMissingData"]))
	w.state = insufficient
	for end := period; end <= minutes; end += period {
		var points []point
		for i := n + 1; i >= 0; i-- { // two more than n
			points = append(points, w.point(s, end-(i+1)*period, end-i*period, threshold))
		}
		state := evaluated(points, m, n, treatment, w.state)
		if state != w.state {
			actions := map[alarmState]string{inAlarm: "AlarmActions", insufficient: "InsufficientDataActions"}[state]
			w.rung += len(list(w.deployment.resolved(p[actions])))
		}
		w.state = state
	}
	return w
}

func (w *watched) point(s series, from, to int, threshold float64) point {
	var samples []float64
	for minute := from; minute < to; minute++ {
		samples = append(samples, s[minute]...)
	}
	if len(samples) == 0 {
		return missing
	}
	slices.Sort(samples)
	value := 0.
	switch statistic := text(w.properties["Statistic"]) + text(w.properties["ExtendedStatistic"]); statistic {
	case "Sum":
		for _, sample := range samples {
			value += sample
		}
	case "Maximum":
		value = samples[len(samples)-1]
	case "SampleCount":
		value = float64(len(samples))
	case "p99":
		value = samples[int(math.Ceil(0.99*float64(len(samples))))-1]
	default:
		w.t.Fatalf("the statistic %s is not simulated", statistic)
	}
	beyond := value > threshold
	if text(w.properties["ComparisonOperator"]) == "LessThanThreshold" {
		beyond = value < threshold
	}
	if beyond {
		return breaching
	}
	return within
}

const hour, day = 60, 24 * 60

// quiet are the metrics of a stack in which nothing fails, as they are when
// functions tick from one minute to before another: gauges of reconcile, errors and
// throttles of functions that are invoked. Of what is not used there is no data.
func quiet(properties map[string]any, from, to int) series {
	m := alarmed(properties)
	ticks := m.namespace == "MTSConnector" && m.quantity() == gauge || m.namespace == "AWS/Lambda" && m.quantity() == count
	if !ticks {
		return series{}
	}
	return series{}.every(from, to, 0)
}

func alarms(t *testing.T) map[string]map[string]any {
	s := load(t)
	found := map[string]map[string]any{}
	for _, name := range s.all(t, "AWS::CloudWatch::Alarm") {
		found[name] = s.Resources[name].Properties
	}
	return found
}

var running = deployment{ticking: true, topic: true}

func TestAFirstDeploymentRingsNothing(t *testing.T) {
	for name, p := range alarms(t) {
		for first := range 30 { // the first tick, minutes after the alarm
			w := &watched{t: t, properties: p, deployment: running}
			if w.over(quiet(p, first, 3*hour), 3*hour); w.rung > 0 {
				t.Errorf("%s rings %d times when the first tick comes after %d minutes", name, w.rung, first)
			}
		}
	}
}

func TestStoppedSchedulesRingNothing(t *testing.T) {
	for name, p := range alarms(t) {
		w := &watched{t: t, properties: p, deployment: deployment{ticking: false, topic: true}}
		if w.over(quiet(p, 0, hour), 2*day); w.rung > 0 {
			t.Errorf("%s rings %d times", name, w.rung)
		}
	}
}

func TestOneAlarmRingsWhenReconcileIsDead(t *testing.T) {
	var rings []string
	for name, p := range alarms(t) {
		w := &watched{t: t, properties: p, deployment: running}
		if w.over(quiet(p, 0, hour), 2*day); w.rung > 0 {
			rings = append(rings, name)
		}
		if w.rung > 1 {
			t.Errorf("%s rings %d times", name, w.rung)
		}
		// A short gap is no silence.
		w = &watched{t: t, properties: p, deployment: running}
		gap := quiet(p, 0, hour)
		maps.Copy(gap, quiet(p, hour+5, day))
		if w.over(gap, day); w.rung > 0 {
			t.Errorf("%s rings %d times for a gap of five minutes", name, w.rung)
		}
	}
	if len(rings) != 1 || rings[0] != "ReconcileSilent" {
		t.Errorf("%v ring", rings)
	}
}

func TestGaugesKeepTheirAlarmsWhileReconcileIsSilent(t *testing.T) {
	for name, p := range alarms(t) {
		m := alarmed(p)
		if m.namespace != "MTSConnector" || m.quantity() != gauge || name == "ReconcileSilent" {
			continue
		}
		w := &watched{t: t, properties: p, deployment: running}
		if w.over(series{}.every(0, 2*hour, 1e6), day); w.state != inAlarm || w.rung != 1 {
			t.Errorf("%s was raised, then reconcile died: %s, rang %d times", name, w.state, w.rung)
		}
	}
}

func TestAFailedEventRingsOnEachDayAnew(t *testing.T) {
	p := alarms(t)["FailureQueueFilled"]
	once := &watched{t: t, properties: p, deployment: running}
	if once.over(series{hour: {1}}, day); once.rung != 1 || once.state != ok {
		t.Errorf("one failure: rings %d times, then %s", once.rung, once.state)
	}
	// Nobody empties the queue: its messages stay for 14 days.
	again := &watched{t: t, properties: p, deployment: running}
	if again.over(series{hour: {1}, day + hour: {1, 1}, 2*day + 7: {1}, 5 * day: {1}}, 6*day); again.rung != 4 {
		t.Errorf("failures on four days: rings %d times", again.rung)
	}
	// The first metrics of a queue that slept come up to a quarter of an hour late,
	// all at once.
	for late := range 16 {
		w := &watched{t: t, properties: p, deployment: running, state: ok}
		if w.lateBy(late); w.rung != 1 {
			t.Errorf("%d minutes late: rings %d times", late, w.rung)
		}
	}
}

// lateBy evaluates an alarm each minute on one sample, of which CloudWatch knows
// only some minutes after it was made.
func (w *watched) lateBy(late int) {
	const sample = 2 * hour
	for now := hour; now < 3*hour; now++ {
		visible := series{}
		if now >= sample+late {
			visible[sample] = []float64{1}
		}
		look := &watched{t: w.t, properties: w.properties, deployment: w.deployment}
		state := look.over(visible, now).state
		if state == inAlarm && w.state != inAlarm {
			w.rung++
		}
		w.state = state
	}
}

// What raises each alarm, what does not, and that it ends.
func TestEachAlarmRingsForWhatItIsFor(t *testing.T) {
	type trial struct{ raises, spares series }
	gauged := func(minutes, spared int) trial {
		with := func(n int) series { return series{}.every(0, hour, 0).every(hour, hour+n, 1).every(hour+n, day, 0) }
		return trial{with(minutes), with(spared)}
	}
	failing := trial{
		series{}.every(0, day, 0).every(hour, hour+20, 1),
		series{}.every(0, day, 0).every(hour, hour+1, 1),
	}
	trials := map[string]trial{
		"FailureQueueFilled": {series{hour: {1}}, series{}},
		"FunctionsThrottled": failing,
		"ApiFailing":         failing,
		"SubmitFailing":      failing,
		"PatchFailing":       failing,
		"ReconcileFailing":   failing,
		"CallbackSlow":       {series{}.every(0, day, 40).every(hour, hour+15, 8000), series{}.every(0, day, 4000).every(hour, hour+1, 8000)},
		"AnswersSetAside":    {series{hour: {1}}, series{}},
		"BatchesLost":        {series{hour: {1}, hour + 10: {1}, hour + 25: {1}, hour + 50: {1}}, series{hour: {1}, hour + 1: {2}, hour + 6: {1}}},
		"ReconcileSilent":    {series{}.every(0, hour, 0).every(3*hour, day, 0), series{}.every(0, day, 3)},
		"ConnectorsStalled":  gauged(10, 3),
		"ConnectorsBlocked":  gauged(40, 20),
		"ConnectorsNeedHand": gauged(20, 10),
		"ServersUnreachable": gauged(15, 8),
		"SignInsRefused":     gauged(8, 3),
		"AnswersWaiting": {
			series{}.every(0, hour, 0).every(hour, hour+10, 2000).every(hour+10, day, 0),
			series{}.every(0, hour, 0).every(hour, day, 1500),
		},
	}
	for name, p := range alarms(t) {
		c, known := trials[name]
		if !known {
			t.Errorf("the test does not know %s", name)
			continue
		}
		w := &watched{t: t, properties: p, deployment: running}
		if w.over(c.raises, day); w.rung != 1 || w.state != ok {
			t.Errorf("%s rings %d times, then it is %s", name, w.rung, w.state)
		}
		w = &watched{t: t, properties: p, deployment: running}
		if w.over(c.spares, day); w.rung > 0 {
			t.Errorf("%s rings %d times for what is no failure", name, w.rung)
		}
		w = &watched{t: t, properties: p, deployment: deployment{ticking: true}}
		if w.over(c.raises, day); w.rung > 0 {
			t.Errorf("%s rings without a topic", name)
		}
		delete(trials, name)
	}
	for name := range trials {
		t.Errorf("there is no alarm %s", name)
	}
}

// The alarm of an account must not be one of a function, and the other way round.
func TestThrottlingHasOneAlarmForTheAccount(t *testing.T) {
	var names []string
	for name, p := range alarms(t) {
		if strings.HasPrefix(alarmed(p).String(), "AWS/Lambda Throttles") {
			names = append(names, name)
			if p["Dimensions"] != nil {
				t.Errorf("%s watches one function", name)
			}
		}
	}
	if len(names) != 1 {
		t.Errorf("%v watch throttling", names)
	}
}
