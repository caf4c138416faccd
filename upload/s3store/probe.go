package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/probe"
)

// Probe checks at start what would otherwise fail, or lose data, later: that the bucket
// exists, that the credentials may list, write, read and delete, that the server compares
// and swaps in one step, and that it takes and gives up multipart uploads. It tries again
// where a failure may pass. It leaves nothing behind, and removes what a probe that was
// killed left. Its errors say what to do; what the server lacks and a job can do without
// goes to Options.Logger.
func (s *Store) Probe(ctx context.Context) error {
	checks := append([]probe.Check{probe.Conditions, probe.Swap(probe.StartRaces), probe.Range}, s.checks([]byte("an object in parts"))...)
	if err := probe.Start(ctx, s, checks, s.o.Logger); err != nil {
		return fmt.Errorf("probe: %w; %s", err, s.advice(ctx, err))
	}
	return nil
}

// Checks are those of an S3 server, for an analysis. One uploads an object in two parts.
func (s *Store) Checks() []probe.Check {
	return s.checks(bytes.Repeat([]byte("parts"), int(s.o.PartBytes)/len("parts")+1))
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

// checks returns those of an S3 server; content is uploaded in parts.
func (s *Store) checks(content []byte) []probe.Check {
	var listed *bool  // whether an unfinished upload was; nil: not known
	var whole *string // the name of the object in parts; nil: there is none
	checks := []probe.Check{
		{
			Name: "multipart_abort", Required: true,
			Allows: "an upload that is given up costs nothing",
			Run: func(ctx context.Context, p *probe.Probe) (string, error) {
				found, err := s.abortOne(ctx, p.Name())
				if err != nil {
					return "", fmt.Errorf("multipart upload that is given up: %w", err)
				}
				listed = &found
				return "", nil
			},
		},
		{
			Name:   "list_uploads",
			Allows: "a sweep ends the uploads that a killed process leaves",
			Run: func(context.Context, *probe.Probe) (string, error) {
				if listed == nil {
					return "", errors.New("no upload was begun")
				}
				if !*listed {
					return "", fmt.Errorf("%w: the store does not list unfinished uploads, so those that a killed process leaves stay: have the server end them, by a lifecycle rule", upload.ErrUnsupported)
				}
				return "", nil
			},
		},
		{
			Name: "multipart", Required: true,
			Allows: fmt.Sprintf("objects of more than %d MiB", s.o.MultipartBytes/mib),
			Run: func(ctx context.Context, p *probe.Probe) (string, error) {
				name := p.Name()
				if _, err := s.putParts(ctx, aws.String(s.prefix+name), upload.BodyFromBytes(content), conditions{}); err != nil {
					return "", err
				}
				whole = &name
				return fmt.Sprintf("%d parts", len(split(int64(len(content)), s.o.PartBytes))), nil
			},
		},
		{
			Name:   "full_object_checksums",
			Allows: "damage to an object in parts is found when it is read",
			Run: func(ctx context.Context, _ *probe.Probe) (string, error) {
				if whole == nil {
					return "", errors.New("there is no object in parts")
				}
				info, err := s.Head(ctx, *whole)
				if err != nil {
					return "", fmt.Errorf("multipart upload: %w", err)
				}
				if info.HasCRC32C && info.CRC32C != upload.CRC32C(content) {
					s.mislabels.Store(true)
					return "", fmt.Errorf("%w: the store gives objects a checksum that is not that of their bytes: only those in manifests count", upload.ErrUnsupported)
				}
				if !info.HasCRC32C {
					return "", fmt.Errorf("%w: the store keeps no checksum of an object in parts: only those in manifests count", upload.ErrUnsupported)
				}
				return "CRC32C", nil
			},
		},
	}
	if s.o.SSE != "" {
		checks = append(checks, probe.Check{
			Name: "encryption", Required: true,
			Allows: "objects are encrypted as --s3-sse " + s.o.SSE + " asks",
			Run:    s.encrypts,
		})
	}
	return checks
}

// encrypts catches a server that ignores the wish to encrypt.
func (s *Store) encrypts(ctx context.Context, p *probe.Probe) (string, error) {
	name := p.Name()
	_, err := s.Put(ctx, name, upload.BodyFromBytes(nil), upload.PutOptions{})
	if err != nil {
		return "", fmt.Errorf("put: %w", err)
	}
	out, err := s.head(ctx, aws.String(s.prefix+name))
	if err == nil && out.ServerSideEncryption == "" {
		err = fmt.Errorf("%w: the server does not encrypt objects, and was asked to (%s)", upload.ErrUnsupported, s.o.SSE)
	}
	if err != nil {
		return "", fmt.Errorf("encryption: %w", err)
	}
	return string(out.ServerSideEncryption), nil
}

// abortOne begins a multipart upload and gives it up, and those that probes which were
// killed left. It reports whether a sweep would have found it.
func (s *Store) abortOne(ctx context.Context, name string) (listed bool, err error) {
	m, err := s.create(ctx, aws.String(s.prefix+name), true)
	if err != nil {
		return false, err
	}
	for u, lerr := range s.uploads(ctx, probe.Prefix) {
		if err = errors.Join(err, lerr); lerr != nil {
			break
		}
		found := strings.TrimPrefix(aws.ToString(u.Key), s.prefix)
		listed = listed || found == name
		if probe.Left(found, aws.ToTime(u.Initiated)) {
			err = errors.Join(err, multipart{s, u.Key, u.UploadId}.abort(ctx))
		}
	}
	return listed, errors.Join(err, m.abort(ctx))
}
