package coordinator

// rule is one of the rules that keep retained checkpoints whole. The code asks
// for each by name where it follows it, so that a test can switch one off and
// see a checkpoint lose objects. PROTOCOL.md says what each is for.
type rule uint16

const (
	// baseNamed: a barrier names its base, and an acknowledgement reuses
	// objects of that checkpoint alone.
	baseNamed rule = 1 << iota
	// baseKept: retention keeps the base of a pending checkpoint, and no
	// checkpoint starts on a base that an unresolved swap of head drops.
	baseKept
	// headDecides: a commit in doubt is over only once head holds it, or has
	// moved on without it.
	headDecides
	// sameHead: a swap is sent again only while head has the ETag that the swap
	// was planned on. Otherwise it would overwrite an edit whose tool forgot to
	// raise the version.
	sameHead
	// deadEpochsOnly: a sweep by a process that does not lead touches only
	// objects of epochs before head's.
	deadEpochsOnly
	// namesOnce: an id, and so an object's name, is used once, also after an
	// abort.
	namesOnce
	// ownCommit: what a swap of head drops is deleted once the swap won, not
	// when it was sent.
	ownCommit
	// sparesPending: a leader's sweep spares the objects of checkpoints that
	// are pending or whose commit is in doubt.
	sparesPending
	// closesLast: a leader that closes waits for its commit in doubt before the
	// last sweep.
	closesLast
	// rebasesOnBase: after a tool edited head, a checkpoint is committed only if
	// its base is still in head.
	rebasesOnBase
	// deniedFirst: a denial proves that a commit was not applied only where it
	// answers the only request, and head is as before; an earlier one may still
	// be on its way.
	deniedFirst
	// executionNamed: a notice names epoch and id. A sink publishes what it
	// holds for that checkpoint and for earlier ones of the same epoch, and
	// nothing of another epoch.
	executionNamed
)

// rules holds the rules that are off: none, but in a test.
type rules struct{ off rule }

func (r rules) on(q rule) bool { return r.off&q == 0 }
