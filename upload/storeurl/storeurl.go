// Package storeurl answers: which store does this URL mean?
//
//	file:///absolute/path, file://relative/path or a path without a scheme
//	s3://bucket/prefix?endpoint=http://127.0.0.1:7070&region=eu-central-1&virtual-hosted=true
//	s3://bucket/prefix?bucket-owner=111122223333&sse=kms
//	mem://name        in this process, for tests; the same name is the same store
//
// # Invariants
//
//   - An unknown scheme, parameter or part of a URL is an error, never ignored.
//   - A URL contains no secret: one with a user or password is refused.
package storeurl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/filestore"
	"github.com/tidemark/tidemark/upload/memstore"
	"github.com/tidemark/tidemark/upload/s3store"
)

// Options of Open. The zero value opens what exists.
type Options struct {
	// Create makes the directory of a file store that does not exist.
	Create bool
	// Probe checks an S3 store before it is returned; see s3store.Store.Probe.
	Probe bool
	// Retry bounds the tries of each operation. Attempts of one: a single try.
	Retry upload.RetryOptions
	// Limits bound the transfers of the store, and of its views. The store's throttling
	// slows all of them.
	Limits upload.Limits
	// File completes a file:// URL. Its Create counts as well.
	File filestore.Options
	// S3 completes an s3:// URL. Bucket and Prefix come from the URL; so does what its
	// parameters name.
	S3 s3store.Options
}

// Open opens the store of a URL, with limits and retries.
func Open(ctx context.Context, rawURL string, o Options) (upload.Store, error) {
	if err := errors.Join(o.Retry.Validate(), o.Limits.Validate()); err != nil {
		return nil, err
	}
	limiter := upload.NewLimiter(o.Limits)
	o.S3.Throttled = limiter.Throttled
	s, err := Bare(ctx, rawURL, o)
	if err != nil {
		return nil, err
	}
	return upload.Retrying(upload.Limited(s, limiter), o.Retry), nil
}

// Bare opens the store of a URL, without limits and retries.
func Bare(ctx context.Context, rawURL string, o Options) (upload.Store, error) {
	s, err := open(ctx, rawURL, o)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", redacted(rawURL), err)
	}
	return s, nil
}

// Dir returns the directory of a file store, and whether the URL means one.
func Dir(rawURL string) (string, bool) {
	scheme, rest := split(rawURL)
	return rest, scheme == "file"
}

// Common returns the URL of the bucket that two s3:// URLs are in, and their prefixes there.
// It returns false if they are not in one, or not reached in the same way.
func Common(a, b string) (bucket, prefixA, prefixB string, ok bool) {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	if errA != nil || errB != nil || ua.Scheme != "s3" || ub.Scheme != "s3" || ua.Host != ub.Host || ua.RawQuery != ub.RawQuery {
		return "", "", "", false
	}
	root := *ua
	root.Path, root.RawPath = "", ""
	return root.String(), strings.Trim(ua.Path, "/"), strings.Trim(ub.Path, "/"), true
}

// split cuts a URL at its scheme, which is "file" where there is none.
func split(rawURL string) (scheme, rest string) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return "file", rawURL
	}
	return scheme, rest
}

func open(ctx context.Context, rawURL string, o Options) (upload.Store, error) {
	scheme, rest := split(rawURL)
	switch scheme {
	case "file":
		if rest == "" {
			return nil, errors.New("no path: write file:///path/of/directory")
		}
		o.File.Create = o.File.Create || o.Create
		return filestore.Open(rest, o.File)
	case "mem":
		return named(rest), nil
	case "s3":
		so, err := s3Options(rawURL, o.S3)
		if err != nil {
			return nil, err
		}
		s, err := s3store.Open(ctx, so)
		if err != nil {
			return nil, err
		}
		if o.Probe {
			if err := s.Probe(ctx); err != nil {
				return nil, errors.Join(err, s.Close())
			}
		}
		return s, nil
	}
	return nil, fmt.Errorf("unknown scheme %q: use file://, s3:// or mem://", scheme)
}

func s3Options(rawURL string, o s3store.Options) (s3store.Options, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return o, errors.New("not a URL: escape what is special in it, as in s3://bucket/a%20prefix")
	case u.User != nil:
		return o, errors.New("a URL must not hold credentials: use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")
	case u.Fragment != "":
		return o, fmt.Errorf("fragment %q: escape # as %%23", u.Fragment)
	}
	o.Bucket, o.Prefix = u.Host, u.Path
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "endpoint":
			o.Endpoint = value
		case "region":
			o.Region = value
		case "bucket-owner":
			o.BucketOwner = value
		case "sse":
			o.SSE = value
		case "virtual-hosted":
			if o.VirtualHosted, err = strconv.ParseBool(value); err != nil {
				return o, fmt.Errorf("virtual-hosted=%s: write true or false", value)
			}
		default:
			return o, fmt.Errorf("unknown parameter %q: there are endpoint, region, virtual-hosted, bucket-owner and sse", name)
		}
	}
	return o, nil
}

// redacted hides what might be a password.
func redacted(rawURL string) string {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); ok && scheme != "file" && at >= 0 {
		return scheme + "://***" + authority[at:] + "/" + path
	}
	return rawURL
}

var (
	memory   = map[string]*memstore.Store{}
	memoryMu sync.Mutex
)

// named returns the memory store of that name, a new one for none.
func named(name string) *memstore.Store {
	if name == "" {
		return memstore.New()
	}
	memoryMu.Lock()
	defer memoryMu.Unlock()
	s, ok := memory[name]
	if !ok {
		s = memstore.Named(name)
		memory[name] = s
	}
	return s
}
