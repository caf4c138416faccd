//go:build !invariants

package rocks

// leakCheck does nothing without the build tag invariants.
type leakCheck struct{}

func (*leakCheck) watch(*DB) {}

func (*leakCheck) closed() {}
