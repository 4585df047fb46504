package function

import (
	"encoding/json"
	"io"
	"strings"
	"time"
)

// Meter writes embedded metrics: log lines of which CloudWatch makes metrics,
// without a call. Every metric has the dimension Stack; Rejected has Kind too.
type Meter struct {
	Out   io.Writer
	Stack string
	Now   func() time.Time
}

// namespace of our metrics; template.yaml's alarms name it too.
const namespace = "MTSConnector"

// Measure writes one figure: seconds if the metric's name has that word in it,
// else a count. kind may be "".
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
	// One write per line: Lambda makes a log event of each.
	if text, err := json.Marshal(line); err == nil {
		_, _ = m.Out.Write(append(text, '\n'))
	}
}
