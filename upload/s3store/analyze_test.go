package s3store_test

import (
	"path"
	"slices"
	"testing"

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
