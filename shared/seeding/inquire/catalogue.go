package inquire

import (
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Lines are all lines about the work on an inquiry, with made-up values of their
// parameters: for the document of the API.
func Lines() []seeding.Line {
	return []seeding.Line{workDied(3), tookTooLong(90 * time.Second), secretsGone, notSealed}
}
