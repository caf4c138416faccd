package s3store_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/probe"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// fails are the checks that an analysis finds a server to fail; cmd/OPERATIONS.md has them
// in its table.
var fails = map[string][]string{
	"MinIO":   {"list_uploads"},
	"moto":    {"server_side_copy", "full_object_checksums"},
	"S3Mock":  {"compare_and_swap"},
	"S3Proxy": {"compare_and_swap", "multipart"},
	"rclone":  {"conditional_writes", "compare_and_swap", "full_object_checksums"},
	"s3rver":  {"conditional_writes", "compare_and_swap", "multipart_abort", "full_object_checksums"},
}

// analyze analyzes a store, and returns the checks that it fails.
func analyze(t *testing.T, s *s3store.Store) (r probe.Report, no []string) {
	t.Helper()
	r, err := probe.Analyze(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Logf("%s: %s %s", f.Check, f.Verdict, f.Detail)
		if f.Verdict == probe.No {
			no = append(no, f.Check)
		}
	}
	if r.Left != "" {
		t.Errorf("objects are left: %s", r.Left)
	}
	for info, err := range s.List(t.Context(), "") {
		t.Errorf("the store holds %s; %v", info.Name, err)
	}
	return r, no
}

func TestAnalyze(t *testing.T) { // I5
	if _, no := analyze(t, open(t, options(t, s3server.ForTest(t)))); len(no) > 0 {
		t.Errorf("versitygw fails %q", no)
	}
}

// Where versions are kept, those of a probe's objects go, too.
func TestProbesOfVersions(t *testing.T) { // I5
	s := open(t, versioned(t, options(t, s3server.ForTest(t))))
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, _ := analyze(t, s)
	for v, err := range s.Versions(t.Context(), "") {
		t.Errorf("version %+v is left, %v", v, err)
	}
	if a := r.Settings.Advice; len(a) == 0 || a[0].Effect != probe.PilesUp || a[0].Setting != "versioning" {
		t.Errorf("advice %+v", a)
	}
}

// In a bucket that locks objects for a day, a delete hides them, and their versions stay.
func TestLockServers(t *testing.T) { // I5, I11
	on(t, []string{"MinIO"}, func(t *testing.T, _ *s3server.Server, o s3store.Options) {
		o.Bucket += "-locked"
		if _, err := client(o).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &o.Bucket, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		_, err := client(o).PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
			Bucket: &o.Bucket, ObjectLockConfiguration: &types.ObjectLockConfiguration{
				ObjectLockEnabled: types.ObjectLockEnabledEnabled,
				Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeCompliance, Days: aws.Int32(1)}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, o)
		if err := s.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		useAll(t, s)
		r, err := probe.Analyze(t.Context(), s)
		if err != nil || len(r.Unfit()) > 0 || !strings.Contains(r.Left, "delete versions") {
			t.Errorf("not fit for %q, left %q, %v", r.Unfit(), r.Left, err)
		}
		text := fmt.Sprint(r.Settings)
		for _, want := range []string{"compliance, 1 days", "at least 1 days", "NoncurrentVersionExpiration"} {
			if !strings.Contains(text, want) {
				t.Errorf("settings %s lack %q", text, want)
			}
		}
		var all []upload.Version
		for v, err := range s.Versions(t.Context(), "small") {
			if err != nil {
				t.Fatal(err)
			}
			if !v.Marker {
				all = append(all, v)
			}
		}
		err = s.DeleteVersions(t.Context(), all...)
		if names, ok := upload.DeniedNames(err); !ok || len(names) != len(all) || len(all) == 0 {
			t.Errorf("of %d locked versions %q are denied: %v", len(all), names, err)
		}
	})
}

func TestAnalyzeServers(t *testing.T) { // I5
	on(t, nil, func(t *testing.T, server *s3server.Server, o s3store.Options) {
		kind := path.Base(t.Name())
		_, no := analyze(t, open(t, o))
		if seldom[kind] {
			no = slices.DeleteFunc(no, func(check string) bool { return check == "compare_and_swap" })
		}
		if !slices.Equal(no, fails[kind]) {
			t.Errorf("it fails %q, want %q: %s", no, fails[kind], server.Log())
		}
	})
}
