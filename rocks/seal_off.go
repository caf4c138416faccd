//go:build !invariants

package rocks

// seal proves, in tests, that nobody changed entries since they were frozen.
type seal struct{}

func sealOf(entries) seal { return seal{} }

func (seal) check(entries) {}
