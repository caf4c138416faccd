package rawstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// Server is where to put objects, and as whom.
type Server struct {
	Endpoint, Region, Bucket     string
	AccessKeyID, SecretAccessKey string
}

// Client puts and gets. It may be used by one goroutine at a time.
type Client struct {
	server Server
	s3     *s3.Client
	bytes  []byte // what objects are made of; as long as the longest
}

// New makes a client. It sends no request.
func New(ctx context.Context, s Server) (*Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, "")))
	if err != nil {
		return nil, fmt.Errorf("S3 client for %s: %w", s.Endpoint, err)
	}
	return &Client{server: s, s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &s.Endpoint, true })}, nil
}

// Prepare makes the bytes for objects of up to that size, so that Put does not
// take the time.
func (c *Client) Prepare(size int64) {
	rng := rand.NewChaCha8([32]byte{})
	c.bytes = make([]byte, size)
	_, _ = rng.Read(c.bytes) // cannot fail
}

// Put puts objects of these sizes under prefix, several at once.
func (c *Client) Put(ctx context.Context, prefix string, sizes []int64, parallel int) error {
	for _, size := range sizes {
		if size > int64(len(c.bytes)) {
			return fmt.Errorf("object of %d bytes: only %d are prepared", size, len(c.bytes))
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, size := range sizes {
		g.Go(func() error {
			name := fmt.Sprintf("%s/%d", prefix, i)
			_, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.server.Bucket, Key: &name, Body: bytes.NewReader(c.bytes[:size])})
			if err != nil {
				return fmt.Errorf("put %s: %w", name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// Get gets objects into files of dir, several at once, and returns their bytes.
func (c *Client) Get(ctx context.Context, names []string, dir string, parallel int) (int64, error) {
	sizes := make([]int64, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, name := range names {
		g.Go(func() (err error) {
			sizes[i], err = c.get(ctx, name, filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				return fmt.Errorf("get %s: %w", name, err)
			}
			return nil
		})
	}
	err := g.Wait()
	var total int64
	for _, n := range sizes {
		total += n
	}
	return total, err
}

const copyBytes = 256 << 10

func (c *Client) get(ctx context.Context, name, path string) (int64, error) {
	out, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.server.Bucket, Key: &name})
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	// A file's own way to copy reads in small pieces, which takes twice the time.
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, out.Body, make([]byte, copyBytes))
	if err = errors.Join(err, f.Close()); err != nil {
		return n, err
	}
	if want := aws.ToInt64(out.ContentLength); n != want {
		return n, fmt.Errorf("%d bytes came of %d", n, want)
	}
	return n, nil
}
