package inprocess

import (
	"bytes"
	"strings"
	"sync"

	"openg2p.org/mts-connector/shared/seeding"
)

// Metrics keeps what the functions measure. It implements seeding.Meter.
type Metrics struct {
	mu         sync.Mutex
	sums, last map[string]float64 // by metric, behind which stands the kind
}

// NewMetrics makes an empty one.
func NewMetrics() *Metrics { return &Metrics{sums: map[string]float64{}, last: map[string]float64{}} }

// Measure implements seeding.Meter.
func (m *Metrics) Measure(metric seeding.Metric, value float64, kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if kind != "" {
		metric += " " + kind
	}
	m.sums[metric] += value
	m.last[metric] = value
}

// Sum is the sum of all values of a count.
func (m *Metrics) Sum(metric seeding.Metric) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sums[metric]
}

// SumOfKinds is the sum of all values of a count that has kinds.
func (m *Metrics) SumOfKinds(metric seeding.Metric) (sum float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, value := range m.sums {
		if strings.HasPrefix(name, metric+" ") {
			sum += value
		}
	}
	return sum
}

// Last is the last value of a gauge; measured is false if there is none.
func (m *Metrics) Last(metric seeding.Metric) (value float64, measured bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, measured = m.last[metric]
	return value, measured
}

// Log keeps what is logged. It implements io.Writer.
type Log struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(text)
}

// Count is how often a text was logged.
func (l *Log) Count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.lines.Bytes(), []byte(text))
}

// Tail are the last lines.
func (l *Log) Tail(lines int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(l.lines.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
