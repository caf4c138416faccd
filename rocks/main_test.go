package rocks_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes the random tests short enough for every day, unless
// -rapid.checks asks for more.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}
