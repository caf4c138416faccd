package tidemarkcmd_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// In a bucket with versions gc plans what nobody needs, deletes it with the reason, and
// leaves the checkpoints and the versions of head. The other job of the bucket keeps its
// versions.
func TestCollectVersions(t *testing.T) { // I2, I5
	server := s3(t)
	if err := server.CreateBucket("versions"); err != nil {
		t.Fatal(err)
	}
	client := awss3.New(awss3.Options{
		BaseEndpoint: aws.String(server.Endpoint()), Region: s3server.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s3server.AccessKey, s3server.SecretKey, ""),
	})
	_, err := client.PutBucketVersioning(t.Context(), &awss3.PutBucketVersioningInput{
		Bucket: aws.String("versions"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	noncurrent := func(prefix string) (heads, others int) {
		t.Helper()
		all, err := client.ListObjectVersions(t.Context(), &awss3.ListObjectVersionsInput{Bucket: aws.String("versions"), Prefix: &prefix})
		if err != nil || aws.ToBool(all.IsTruncated) {
			t.Fatal(all, err)
		}
		for _, v := range all.Versions {
			switch {
			case aws.ToBool(v.IsLatest):
			case strings.HasSuffix(*v.Key, "/head"):
				heads++
			default:
				others++
			}
		}
		return heads, others + len(all.DeleteMarkers)
	}
	p := place{t.TempDir()}
	ok(t, p.run("--checkpoint-store", "s3://versions/a", "--rate-limit", "40000")...)
	ok(t, p.run("--checkpoint-store", "s3://versions/a", "--job-id", "other", "--output", p.dir+"/other", "--rate-limit", "40000")...)
	heads, others := noncurrent("a/count/")
	_, foreign := noncurrent("a/other/")
	if heads < 2 || others < 2 || foreign < 2 {
		t.Fatalf("the jobs left %d versions of head, %d others and %d of the other job", heads, others, foreign)
	}
	plan := ok(t, "checkpoints", "gc", "s3://versions/a/count")
	for _, part := range []string{"\nold versions ", "\ndelete markers ", "\nversions of head, kept ", "nothing was changed"} {
		if !strings.Contains(plan, part) {
			t.Errorf("the plan lacks %q: %s", part, plan)
		}
	}
	if strings.Contains(plan, "old versions of head") {
		t.Errorf("versions of head are to go: %s", plan)
	}
	done := ok(t, "checkpoints", "gc", "s3://versions/a/count", "--apply")
	if n := strings.Count(done, "deleted data/") + strings.Count(done, "deleted manifests/") + strings.Count(done, "deleted history/"); n != others || !strings.Contains(done, ": delete marker, and no version is below it\n") {
		t.Errorf("%d of %d were deleted: %s", n, others, done)
	}
	if h, o := noncurrent("a/count/"); h != heads || o != 0 {
		t.Errorf("%d versions of head and %d others are left, want %d and none", h, o, heads)
	}
	if _, o := noncurrent("a/other/"); o != foreign {
		t.Errorf("the other job has %d versions, had %d", o, foreign)
	}
	ok(t, "checkpoints", "verify", "--all", "s3://versions/a")
	if again := ok(t, "checkpoints", "gc", "s3://versions/a/count"); !strings.Contains(again, "nothing to delete") {
		t.Errorf("another plan: %s", again)
	}
	time.Sleep(time.Second)
	if text := ok(t, "checkpoints", "gc", "s3://versions/a/count", "--head-versions", "1s", "--apply"); !strings.Contains(text, "deleted head version ") {
		t.Errorf("with --head-versions 1s: %s", text)
	}
}
