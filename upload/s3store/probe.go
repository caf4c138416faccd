package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/upload"
)

// Probe checks at start what would otherwise fail, or lose data, later: that the
// bucket exists, that the credentials may list, write, read and delete, and that
// the server honours conditional writes. It leaves nothing behind. Its errors say
// what to do.
func (s *Store) Probe(ctx context.Context) (err error) {
	name := "probe-" + rand.Text()
	explain := func(step string, err error) error {
		advice := "check the endpoint and the network"
		switch {
		case errors.Is(err, upload.ErrNoBucket):
			advice = "create the bucket " + s.o.Bucket + ", or name another"
		case errors.Is(err, upload.ErrDenied):
			advice = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or the profile, and that they may list, get, put and delete in " + s.String()
		case errors.Is(err, upload.ErrUnsupported):
			advice = "use a store that supports conditional writes and CRC32C checksums"
		case ctx.Err() != nil:
			advice = "it took too long; check the endpoint and the network"
		}
		return fmt.Errorf("probe: %s: %w; %s", step, err, advice)
	}
	for _, err := range s.List(ctx, name) {
		if err != nil {
			return explain("list", err)
		}
	}
	absent := upload.PutOptions{IfAbsent: true}
	first, err := s.Put(ctx, name, upload.BodyFromBytes([]byte("first")), absent)
	if err != nil {
		return explain("put", err)
	}
	defer func() {
		longer, cancel := outlive(ctx)
		defer cancel()
		if derr := s.Delete(longer, name); derr != nil && err == nil {
			err = explain("delete", derr)
		}
	}()
	refused := func(step string, o upload.PutOptions) error {
		_, err := s.Put(ctx, name, upload.BodyFromBytes([]byte(step)), o)
		if err == nil {
			return explain(step, fmt.Errorf("%w: the server ignores the condition of a write, so two writers would overwrite each other", upload.ErrUnsupported))
		}
		if !errors.Is(err, upload.ErrPrecondition) {
			return explain(step, err)
		}
		return nil
	}
	if err := refused("second put where none may be", absent); err != nil {
		return err
	}
	second, err := s.Put(ctx, name, upload.BodyFromBytes([]byte("second")), upload.PutOptions{IfMatch: first.Version})
	if err != nil {
		return explain("put on its version", err)
	}
	if second.Version == first.Version {
		return explain("put on its version", fmt.Errorf("%w: two contents have the same ETag %s", upload.ErrUnsupported, first.Version))
	}
	if err := refused("put on an old version", upload.PutOptions{IfMatch: first.Version}); err != nil {
		return err
	}
	b, _, err := upload.ReadAll(ctx, s, name, 100)
	if err != nil {
		return explain("get", err)
	}
	if string(b) != "second" {
		return explain("get", fmt.Errorf("%w: read %q, not what was put last", upload.ErrUnsupported, b))
	}
	return nil
}
