package crash

// NewContainer is for tests.
var NewContainer = newContainer

// Add, Killed and Close are for tests.
func (c *container) Add(pid int) error      { return c.add(pid) }
func (c *container) Killed() (int64, error) { return c.killed() }
func (c *container) Close() error           { return c.close() }
