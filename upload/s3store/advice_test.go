package s3store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestAdvice(t *testing.T) {
	rule := func(prefix string, change func(*types.LifecycleRule)) types.LifecycleRule {
		r := types.LifecycleRule{ID: aws.String("r"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: &prefix}}
		change(&r)
		return r
	}
	expire := func(r *types.LifecycleRule) { r.Expiration = &types.LifecycleExpiration{Days: aws.Int32(30)} }
	archive := func(r *types.LifecycleRule) {
		r.Transitions = []types.Transition{{Days: aws.Int32(1), StorageClass: types.TransitionStorageClassDeepArchive}}
	}
	cool := func(r *types.LifecycleRule) {
		r.Transitions = []types.Transition{{Days: aws.Int32(30), StorageClass: types.TransitionStorageClassStandardIa}}
	}
	noncurrent := func(r *types.LifecycleRule) {
		r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(7)}
	}
	markers := func(r *types.LifecycleRule) {
		r.Expiration = &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}
	}
	uploads := func(r *types.LifecycleRule) {
		r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)}
	}
	versioned := func(rules ...types.LifecycleRule) bucketSettings {
		return bucketSettings{versioning: types.BucketVersioningStatusEnabled, lifecycle: rules, read: []string{"versioning", "lifecycle"}}
	}
	locked := func(days int32) *types.ObjectLockConfiguration {
		l := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
		if days > 0 {
			l.Rule = &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeCompliance, Days: &days}}
		}
		return l
	}
	replicated := func(status types.DeleteMarkerReplicationStatus) []types.ReplicationRule {
		return []types.ReplicationRule{{Status: types.ReplicationRuleStatusEnabled, Filter: &types.ReplicationRuleFilter{}, DeleteMarkerReplication: &types.DeleteMarkerReplication{Status: status}}}
	}
	old := func(r *types.LifecycleRule) {
		expire(r)
		r.Filter, r.Prefix = nil, aws.String("jobs/") //nolint:staticcheck // rules of before 2016 have it
	}
	tidy := []types.LifecycleRule{rule("", noncurrent), rule("", markers)}
	for what, c := range map[string]struct {
		b    bucketSettings
		want []string // effect and setting, with a word of the text
	}{
		"nothing read":              {bucketSettings{}, nil},
		"not versioned":             {bucketSettings{read: []string{"versioning", "lifecycle"}}, []string{"lacks versioning put back"}},
		"suspended":                 {bucketSettings{versioning: types.BucketVersioningStatusSuspended, lifecycle: tidy, read: []string{"versioning", "lifecycle"}}, []string{"lacks versioning put back", "harmless lifecycle rule r 7 days"}},
		"versioned":                 {versioned(), []string{"piles_up versioning NoncurrentVersionExpiration", "piles_up versioning ExpiredObjectDeleteMarker"}},
		"versioned, rules not read": {bucketSettings{versioning: types.BucketVersioningStatusEnabled, read: []string{"versioning"}}, nil},
		"versioned and tidy":        {versioned(tidy...), []string{"harmless lifecycle rule r 7 days"}},
		"tidy only elsewhere":       {versioned(rule("jobs/a/data/", noncurrent), rule("other/", markers)), []string{"piles_up versioning Noncurrent", "piles_up versioning Expired", "harmless lifecycle rule r 7 days"}},
		"expires":                   {versioned(append(tidy, rule("", expire))...), []string{"destroys lifecycle rule r by age", "harmless lifecycle rule r 7 days"}},
		"expires a part":            {versioned(append(tidy, rule("jobs/a/data/", expire))...), []string{"destroys lifecycle rule r by age", "harmless"}},
		"expires others":            {versioned(append(tidy, rule("logs/", expire))...), []string{"harmless"}},
		"turned off":                {versioned(append(tidy, rule("", func(r *types.LifecycleRule) { expire(r); r.Status = types.ExpirationStatusDisabled }))...), []string{"harmless"}},
		"expires by an old field":   {versioned(append(tidy, rule("", old))...), []string{"destroys", "harmless"}},
		"expires what has a tag":    {versioned(append(tidy, rule("", func(r *types.LifecycleRule) { expire(r); r.Filter.Tag = &types.Tag{} }))...), []string{"harmless lifecycle rule r 7 days", "harmless lifecycle rule r with a tag"}},
		"expires by prefix and size": {versioned(append(tidy, rule("", func(r *types.LifecycleRule) {
			expire(r)
			r.Filter = &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("jobs/")}}
		}))...), []string{"destroys", "harmless"}},
		"archives":                    {versioned(append(tidy, rule("", archive))...), []string{"destroys lifecycle rule r DEEP_ARCHIVE", "harmless"}},
		"cools":                       {versioned(append(tidy, rule("", cool))...), []string{"harmless lifecycle rule r 7 days", "harmless lifecycle rule r STANDARD_IA"}},
		"ends uploads":                {versioned(append(tidy, rule("", uploads))...), []string{"harmless lifecycle rule r 7 days", "harmless lifecycle rule r not finished within 1 days"}},
		"locked":                      {bucketSettings{lock: locked(3)}, []string{"piles_up object_lock 3 days"}},
		"locked by hand":              {bucketSettings{lock: locked(0)}, []string{"harmless object_lock"}},
		"replicated":                  {bucketSettings{replication: replicated(types.DeleteMarkerReplicationStatusEnabled)}, []string{"harmless replication --restore"}},
		"replicated without markers":  {bucketSettings{replication: replicated(types.DeleteMarkerReplicationStatusDisabled)}, []string{"piles_up replication delete markers", "harmless replication --restore"}},
		"encrypted with a key of KMS": {bucketSettings{encryption: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms}}}}, []string{"harmless encryption kms:Decrypt"}},
	} {
		var got []string
		for _, a := range c.b.advice("jobs/a/") {
			got = append(got, fmt.Sprintf("%s %s %s", a.Effect, a.Setting, a.Text))
		}
		ok := len(got) == len(c.want)
		for i := 0; ok && i < len(got); i++ {
			words := strings.Fields(c.want[i])
			for _, w := range words {
				ok = ok && strings.Contains(got[i], w)
			}
			ok = ok && strings.HasPrefix(got[i], words[0])
		}
		if !ok {
			t.Errorf("%s: got\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
		}
	}
}
