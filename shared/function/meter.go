package function

import (
	"encoding/json"
	"io"
	"strings"
	"time"
)

// Meter writes metrics in CloudWatch's embedded format: log lines, so that no
// call is needed. Every metric has the dimension Stack; Rejected also has Kind.
type Meter struct {
	Out   io.Writer
	Stack string
	Now   func() time.Time
}

// namespace of our metrics; template.yaml's alarms name it too.
const namespace = "MTSConnector"

// Measure writes one figure. Its unit is seconds if the metric's name contains
// that word, else a count. kind may be "".
func (m Meter) Measure(metric string, value float64, kind string) {
	dimensions := []string{"Stack"}
	line := map[string]any{"Stack": m.Stack, metric: value}
	if kind != "" {
		dimensions = append(dimensions, "Kind")
		line["Kind"] = kind
	}
	unit := "Count"
	if strings.Contains(metric, "Seconds") {
		unit = "Seconds"
	}
	line["_aws"] = map[string]any{
		"Timestamp": m.Now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  namespace,
			"Dimensions": []any{dimensions},
			"Metrics":    []any{map[string]string{"Name": metric, "Unit": unit}},
		}},
	}
	// Lambda makes a log event of each write.
	if text, err := json.Marshal(line); err == nil {
		_, _ = m.Out.Write(append(text, '\n'))
	}
}
