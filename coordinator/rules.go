package coordinator

// rule is one of the rules that keep retained checkpoints whole. Each is
// followed at the places that ask for it by name, so that a test can switch it
// off there and see a checkpoint lose objects.
type rule uint8

const (
	// baseNamed: a barrier names its base, and an acknowledgement reuses
	// objects of that checkpoint alone.
	baseNamed rule = 1 << iota
	// baseKept: retention keeps a checkpoint while one that is based on it is
	// pending, and none starts on one that an unresolved swap of head drops.
	baseKept
	// fenceUnknown: a commit of unknown outcome is over only once a later swap
	// of this leader succeeded.
	fenceUnknown
	// uniqueVersion: no two contents of head are equal, so no ETag returns.
	uniqueVersion
	// deadEpochsOnly: who does not lead touches objects of epochs before head's
	// alone.
	deadEpochsOnly
	// namesOnce: an id, and so an object's name, is used once, also after an
	// abort.
	namesOnce
	// ownCommit: what a swap of head drops is deleted once the swap won, not
	// when it was sent.
	ownCommit
)

// rules holds the rules that are off: none, but in a test.
type rules struct{ off rule }

func (r rules) on(q rule) bool { return r.off&q == 0 }
