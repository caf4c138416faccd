package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/filestore"
)

// increments is how often each process of TestProcesses counts.
const increments = 50

// increment makes the object head longer by one byte, many times. It runs in a
// process of its own, and returns its exit status.
func increment(dir string) int {
	s, err := filestore.Open(dir, filestore.Options{WithoutSync: true})
	ctx := context.Background()
	for n := 0; err == nil && n < increments; {
		var b []byte
		var info upload.Info
		if b, info, err = upload.ReadAll(ctx, s, "head", 1<<20); err != nil {
			break
		}
		_, err = s.Put(ctx, "head", upload.BodyFromBytes(append(b, 'x')), upload.PutOptions{IfMatch: info.Version})
		switch {
		case err == nil:
			n++
		case errors.Is(err, upload.ErrPrecondition):
			err = nil
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
