//go:build invariants

package rocks

import (
	"fmt"
	"runtime"
)

// leakCheck panics when a database that was never closed is collected.
type leakCheck struct{ cleanup runtime.Cleanup }

func (l *leakCheck) watch(d *DB) {
	l.cleanup = runtime.AddCleanup(d, func(dir string) {
		panic(fmt.Sprintf("rocks: database %s was never closed", dir))
	}, d.dir)
}

func (l *leakCheck) closed() { l.cleanup.Stop() }
