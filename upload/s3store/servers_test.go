package s3store_test

import (
	"errors"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// lacks is what the probe says of servers that it refuses. cmd/OPERATIONS.md has the same
// in its table.
var lacks = map[string]string{
	"S3Mock":  "two steps",
	"S3Proxy": "two steps",
	"rclone":  "ignores the condition",
	"s3rver":  "ignores the condition",
}

// seldom are servers that check and write in two steps, so quickly that most probes pass.
var seldom = map[string]bool{"moto": true}

// differs are the tests of the suite that a server fails, and why a job can do without.
var differs = map[string]map[string]string{
	"moto": {"if_absent_large": "it ignores the conditions of an upload in parts; none of ours has any"},
	"SeaweedFS": {
		"names": "it takes \\ for /; none of our names has one",
		"list":  "it sorts by the parts of a name; so verify --all fails where one job's name begins with another's and a hyphen",
	},
}

// probed probes a server, again where it passes most times.
func probed(t *testing.T, s *s3store.Store, name string) (err error) {
	for try := 0; try == 0 || try < 5 && seldom[name] && errors.Is(err, upload.ErrUnsupported); try++ {
		err = s.Probe(t.Context())
	}
	return err
}

// started starts a server of the kind for the test.
func started(t *testing.T, kind s3server.Kind) *s3server.Server {
	t.Helper()
	server, err := s3server.Start(t.Context(), s3server.Options{Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// on runs a test on each of the kinds that are named, where make servers installed them.
func on(t *testing.T, names []string, test func(*testing.T, *s3server.Server, s3store.Options)) {
	if os.Getenv(s3server.ToolsEnv) == "" {
		t.Skip("make servers installs other S3 servers, and names their directory in " + s3server.ToolsEnv)
	}
	for _, kind := range s3server.Others() {
		if len(names) > 0 && !slices.Contains(names, kind.Name) {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			server := started(t, kind)
			o := options(t, server)
			o.AccessKeyID, o.SecretAccessKey = kind.AccessKey, kind.SecretKey
			test(t, server, o)
		})
	}
}

// Servers that encrypt take every way to ask for it, and deny a key that is not there.
func TestEncryptionServers(t *testing.T) { // I11
	on(t, []string{"MinIO"}, func(t *testing.T, server *s3server.Server, o s3store.Options) {
		for _, o.SSE = range []string{"s3", "kms", "kms:" + s3server.KMSKey} {
			s := open(t, o)
			if err := s.Probe(t.Context()); err != nil {
				t.Errorf("%s: %v: %s", o.SSE, err, server.Log())
				continue
			}
			useAll(t, s)
		}
		o.SSE = "kms:no-such-key"
		if err := open(t, o).Probe(t.Context()); !errors.Is(err, upload.ErrKey) {
			t.Errorf("a key that is not there: %v", err)
		}
	})
}

// TestServers runs the probe and, on the servers that pass it, the store suite.
func TestServers(t *testing.T) { // I1, I4
	on(t, nil, func(t *testing.T, server *s3server.Server, o s3store.Options) {
		kind := path.Base(t.Name())
		start := time.Now()
		err := probed(t, open(t, o), kind)
		t.Logf("probe in %v: %v", time.Since(start), err)
		if want := lacks[kind]; want != "" {
			if !errors.Is(err, upload.ErrUnsupported) || !strings.Contains(err.Error(), want) {
				t.Errorf("the probe says %v, want %q", err, want)
			}
			return
		}
		if seldom[kind] && errors.Is(err, upload.ErrUnsupported) {
			t.Skip("caught five times, as it should be")
		}
		if err != nil {
			t.Fatalf("%v: %s", err, server.Log())
		}
		storetest.Run(t, func(t *testing.T) upload.Store {
			if why := differs[kind][path.Base(t.Name())]; why != "" {
				t.Skip(why)
			}
			o := o
			o.Logger = slog.New(slog.DiscardHandler)          // it said so already
			o.Prefix = strings.ReplaceAll(t.Name(), "/", "-") // a bucket is dear on some servers
			s := open(t, o)
			if err := probed(t, s, kind); err != nil && seldom[kind] {
				t.Skipf("caught: %v", err)
			} else if err != nil {
				t.Fatal(err)
			}
			return upload.Retrying(s, quick)
		})
	})
}
