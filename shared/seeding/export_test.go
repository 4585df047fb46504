package seeding

// Figures of the pace that tests refer to, so that they hold when these change.
const (
	FirstWave    = firstWave
	PerWorker    = perWorker
	RoundsToLift = roundsToLift
	Fade         = fade
	BatchTime    = batchTime
)
