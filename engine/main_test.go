package engine_test

import (
	"testing"

	"go.uber.org/goleak"
)

// I12: no goroutine outlives the tests of this package.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
