package s3server

import (
	"context"
	"errors"
	"os"
)

// TB is what ForTest needs of a testing.TB.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// ForTest starts a server that ends with the test. Without a binary the test is
// skipped, or fails where RequireEnv says so.
func ForTest(t TB) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{})
	switch {
	case errors.Is(err, ErrNoBinary) && os.Getenv(RequireEnv) != "1":
		t.Skipf("%v", err)
	case err != nil:
		t.Fatalf("start S3 server: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close S3 server: %v", err)
		}
	})
	return s
}
