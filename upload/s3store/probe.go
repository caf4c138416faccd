package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/tidemark/tidemark/upload"
)

const (
	// probePrefix is how the names of a probe's objects begin. What lies there for longer
	// than probeStale was left by a probe that was killed.
	probePrefix = "tidemark-probe-"
	probeStale  = time.Hour

	probeTries = 3
	probePause = 300 * time.Millisecond // before the second try; then twice that
)

// probeName is a name that a probe gave.
var probeName = regexp.MustCompile(`^` + probePrefix + `[A-Z2-7]{26}-[a-z0-9]+$`)

// Probe checks at start what would otherwise fail, or lose data, later: that the bucket
// exists, that the credentials may list, write, read and delete, that the server compares
// and swaps in one step, and that it takes and gives up multipart uploads. It tries again
// where a failure may pass. It leaves nothing behind, and removes what a probe that was
// killed left. Its errors say what to do; what the server lacks and a job can do without
// goes to Options.Logger.
func (s *Store) Probe(ctx context.Context) error {
	for try := 1; ; try++ {
		err := s.probe(ctx)
		if err == nil {
			return nil
		}
		if try == probeTries || !upload.Retryable(err) || ctx.Err() != nil {
			return fmt.Errorf("probe: %w; %s", err, s.advice(ctx, err))
		}
		t := time.NewTimer(probePause << (try - 1))
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// advice says what to do about a probe's error.
func (s *Store) advice(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, upload.ErrNoBucket):
		return "create the bucket " + s.o.Bucket + ", or name another"
	case errors.Is(err, upload.ErrClock):
		return "set the clock of this machine (NTP)"
	case errors.Is(err, upload.ErrKey):
		return "see that the key exists and is enabled, and that the credentials have kms:GenerateDataKey and kms:Decrypt"
	case errors.Is(err, upload.ErrDenied) && s.o.BucketOwner != "":
		return "check the credentials, and that account " + s.o.BucketOwner + " owns the bucket " + s.o.Bucket
	case errors.Is(err, upload.ErrDenied):
		return "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or the profile, and that they may list, get, put and delete in " + s.String()
	case errors.Is(err, upload.ErrUnsupported):
		return "use another server, or a version of this one that can"
	case ctx.Err() != nil:
		return "it took too long; check the endpoint and the network"
	}
	return "check the endpoint and the network"
}

// probe does what Probe says, once.
func (s *Store) probe(ctx context.Context) error {
	var names []string
	base := probePrefix + rand.Text() + "-"
	for i := range raceObjects {
		names = append(names, fmt.Sprintf("%s%d", base, i))
	}
	conditions, parts := base+"conditions", base+"parts"
	names = append(names, conditions, parts)

	left, err := s.objectsLeft(ctx)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	// Who may not delete must find out before anything is put.
	if err := s.Delete(ctx, append(left, names...)...); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	for _, step := range []func() error{
		func() error { return s.probeConditions(ctx, conditions) },
		func() error { return s.probeEncryption(ctx, conditions) },
		func() error { return s.race(ctx, names[:raceObjects]) },
		func() error { return s.probeRange(ctx, conditions) },
		func() error { return s.probeAbort(ctx, base+"abort") },
		func() error { return s.probeParts(ctx, parts) },
	} {
		if err = step(); err != nil {
			break
		}
	}
	longer, cancel := outlive(ctx)
	defer cancel()
	if derr := s.Delete(longer, names...); derr != nil && err == nil {
		err = fmt.Errorf("delete: %w", derr)
	}
	return err
}

// left reports whether a probe that was killed left what has the name.
func left(name string, at time.Time) bool {
	return probeName.MatchString(name) && time.Since(at) > probeStale
}

// objectsLeft returns the objects that probes which were killed left.
func (s *Store) objectsLeft(ctx context.Context) (names []string, err error) {
	for info, err := range s.List(ctx, probePrefix) {
		if err != nil {
			return nil, err
		}
		if left(info.Name, info.Modified) {
			names = append(names, info.Name)
		}
	}
	return names, nil
}

// probeConditions catches a server that ignores conditions, one after the other.
func (s *Store) probeConditions(ctx context.Context, name string) error {
	put := func(content string, o upload.PutOptions) (upload.Info, error) {
		return s.Put(ctx, name, upload.BodyFromBytes([]byte(content)), o)
	}
	refused := func(what string, o upload.PutOptions) error {
		_, err := put(what, o)
		switch {
		case err == nil:
			return fmt.Errorf("%s: %w: the server ignores the condition of a write, so two writers would overwrite each other", what, upload.ErrUnsupported)
		case !errors.Is(err, upload.ErrPrecondition):
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	absent := upload.PutOptions{IfAbsent: true}
	first, err := put("first", absent)
	if err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := refused("second put where none may be", absent); err != nil {
		return err
	}
	second, err := put("second", upload.PutOptions{IfMatch: first.Version})
	if err != nil {
		return fmt.Errorf("put on its version: %w", err)
	}
	if second.Version == first.Version {
		return fmt.Errorf("put on its version: %w: two contents have the same ETag %s", upload.ErrUnsupported, first.Version)
	}
	return refused("put on an old version", upload.PutOptions{IfMatch: first.Version})
}

// probeEncryption catches a server that ignores the wish to encrypt.
func (s *Store) probeEncryption(ctx context.Context, name string) error {
	if s.o.SSE == "" {
		return nil
	}
	out, err := s.head(ctx, aws.String(s.prefix+name))
	if err == nil && out.ServerSideEncryption == "" {
		err = fmt.Errorf("%w: the server does not encrypt objects, and was asked to (%s)", upload.ErrUnsupported, s.o.SSE)
	}
	if err != nil {
		return fmt.Errorf("encryption: %w", err)
	}
	return nil
}

// probeRange reads a part of an object.
func (s *Store) probeRange(ctx context.Context, name string) error {
	whole, _, err := upload.ReadAll(ctx, s, name, 100)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	const from, length = 2, 3
	r, err := s.GetRange(ctx, name, from, length)
	if err != nil {
		return fmt.Errorf("get of a range: %w", err)
	}
	b, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err == nil && string(b) != string(whole[from:from+length]) {
		err = fmt.Errorf("%w: read %q, not %q", upload.ErrUnsupported, b, whole[from:from+length])
	}
	if err != nil {
		return fmt.Errorf("get of a range: %w", err)
	}
	return nil
}

// probeAbort gives a multipart upload up, and those that probes which were killed left. It
// looks whether a sweep would find one.
func (s *Store) probeAbort(ctx context.Context, name string) error {
	m, err := s.create(ctx, aws.String(s.prefix+name), true)
	if err != nil {
		return err
	}
	listed := false
	for u, lerr := range s.uploads(ctx, probePrefix) {
		if err = errors.Join(err, lerr); lerr != nil {
			break
		}
		found := strings.TrimPrefix(aws.ToString(u.Key), s.prefix)
		listed = listed || found == name
		if left(found, aws.ToTime(u.Initiated)) {
			err = errors.Join(err, multipart{s, u.Key, u.UploadId}.abort(ctx))
		}
	}
	if err := errors.Join(err, m.abort(ctx)); err != nil {
		return fmt.Errorf("multipart upload that is given up: %w", err)
	}
	if !listed {
		s.o.Logger.Warn("the store does not list unfinished uploads, so those that a killed process leaves stay: have the server end them, by a lifecycle rule", "store", s.String())
	}
	return nil
}

// probeParts uploads an object in one part, as a large one is in several.
func (s *Store) probeParts(ctx context.Context, name string) error {
	body := upload.BodyFromBytes([]byte("an object in parts"))
	if _, err := s.putParts(ctx, aws.String(s.prefix+name), body, conditions{}); err != nil {
		return err
	}
	info, err := s.Head(ctx, name)
	if err != nil {
		return fmt.Errorf("multipart upload: %w", err)
	}
	if info.HasCRC32C && info.CRC32C != body.CRC32C {
		s.mislabels.Store(true)
		s.o.Logger.Warn("the store gives objects a checksum that is not that of their bytes: only those in manifests count", "store", s.String())
	}
	return nil
}
