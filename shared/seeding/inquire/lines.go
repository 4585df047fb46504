package inquire

import (
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// work is the name of the lines about the work on an inquiry itself.
const work = "work"

func workDied(times int) seeding.Line {
	return seeding.Line{Name: work, Result: seeding.LineFailure, Code: "died", Params: map[string]any{"times": times}, Description: seeding.Description{
		Text:   fmt.Sprintf("The work on this ended %d times without a result, so what is missing here is not known.", times),
		Remedy: "Ask again. If it ends so again, look into the log of the function submit, and at its memory.",
	}}
}

func tookTooLong(limit time.Duration) seeding.Line {
	return seeding.Line{Name: work, Result: seeding.LineFailure, Code: "time_over", Params: map[string]any{"seconds": int(limit.Seconds())}, Description: seeding.Description{
		Text:   fmt.Sprintf("It was ended after %.0f seconds, so what is missing here is not known.", limit.Seconds()),
		Remedy: "Look at the lines that took long: a server that answers slowly. Then ask again.",
	}}
}

var secretsGone = seeding.Line{Name: work, Result: seeding.LineFailure, Code: "secrets_deleted", Description: seeding.Description{
	Text:   "The password that came with the draft is deleted already, because the work on this was interrupted.",
	Remedy: "If lines are missing, ask again, with the password.",
}}

var notSealed = seeding.Line{Name: work, Result: seeding.LineFailure, Code: "not_sealed", Description: seeding.Description{
	Text:   "The preview was made and thrown away, because the key that encrypts it cannot be read.",
	Remedy: "Ask again. If it ends so again, check submit's right to read the secrets of inquiries in Secrets Manager.",
}}
