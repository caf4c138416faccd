package s3store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/probe"
)

// bucketSettings are a bucket's settings that matter to a job. What was not read is zero.
type bucketSettings struct {
	versioning  types.BucketVersioningStatus // empty: never turned on
	lifecycle   []types.LifecycleRule
	lock        *types.ObjectLockConfiguration
	replication []types.ReplicationRule
	encryption  []types.ServerSideEncryptionRule
	// read has the names of the settings that are known.
	read []string
}

// Settings reads the bucket's settings as far as the credentials and the server permit,
// and says what they do to a job.
func (s *Store) Settings(ctx context.Context) (probe.Settings, error) {
	var b bucketSettings
	out := probe.Settings{Read: []probe.Setting{}, Unread: []probe.Setting{}}
	bucket := &s.o.Bucket
	for _, setting := range []struct {
		name string
		none string // the code of the answer if there is none
		get  func() (value string, err error)
	}{
		{"versioning", "", func() (string, error) {
			v, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket})
			if err != nil {
				return "", err
			}
			b.versioning = v.Status
			return strings.ToLower(string(v.Status)), nil
		}},
		{"lifecycle", "NoSuchLifecycleConfiguration", func() (string, error) {
			l, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
			if err != nil {
				return "", err
			}
			b.lifecycle = l.Rules
			return fmt.Sprintf("%d rules", len(l.Rules)), nil
		}},
		{"object_lock", "ObjectLockConfigurationNotFoundError", func() (string, error) {
			l, err := s.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: bucket})
			if err != nil {
				return "", err
			}
			b.lock = l.ObjectLockConfiguration
			return lockText(b.lock), nil
		}},
		{"replication", "ReplicationConfigurationNotFoundError", func() (string, error) {
			r, err := s.client.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: bucket})
			if err != nil {
				return "", err
			}
			if r.ReplicationConfiguration != nil {
				b.replication = r.ReplicationConfiguration.Rules
			}
			return fmt.Sprintf("%d rules", len(b.replication)), nil
		}},
		{"encryption", "ServerSideEncryptionConfigurationNotFoundError", func() (string, error) {
			e, err := s.client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: bucket})
			if err != nil {
				return "", err
			}
			if e.ServerSideEncryptionConfiguration != nil {
				b.encryption = e.ServerSideEncryptionConfiguration.Rules
			}
			return encryptionText(b.encryption), nil
		}},
	} {
		value, err := setting.get()
		if err != nil && setting.none != "" && codeOf(err) == setting.none {
			err = nil
		}
		if err != nil {
			if ctx.Err() != nil {
				return out, s.fail("settings", "", ctx.Err())
			}
			why := classify(ctx, err)
			switch {
			case errors.Is(why, upload.ErrDenied):
				value = "not permitted"
			case errors.Is(why, upload.ErrUnsupported):
				value = "the server has no such setting"
				b.read = append(b.read, setting.name) // so there is none
			default:
				value = cmp.Or(codeOf(err), why.Error())
			}
			out.Unread = append(out.Unread, probe.Setting{Name: setting.name, Value: value})
			continue
		}
		if value == "" {
			value = "none"
		}
		b.read = append(b.read, setting.name)
		out.Read = append(out.Read, probe.Setting{Name: setting.name, Value: value})
	}
	owner := "not checked; see --s3-bucket-owner"
	if s.o.BucketOwner != "" {
		owner = s.o.BucketOwner + ", as expected"
	}
	out.Read = append(out.Read, probe.Setting{Name: "bucket_owner", Value: owner})
	out.Advice = b.advice(s.prefix)
	return out, nil
}

func (b bucketSettings) has(name string) bool { return slices.Contains(b.read, name) }

func lockText(l *types.ObjectLockConfiguration) string {
	if l == nil || l.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
		return ""
	}
	if days := lockDays(l); days > 0 {
		return fmt.Sprintf("%s, %d days", strings.ToLower(string(l.Rule.DefaultRetention.Mode)), days)
	}
	return "on, without a default"
}

// lockDays is how long each new object is locked.
func lockDays(l *types.ObjectLockConfiguration) int32 {
	if l == nil || l.Rule == nil || l.Rule.DefaultRetention == nil {
		return 0
	}
	r := l.Rule.DefaultRetention
	return aws.ToInt32(r.Days) + 365*aws.ToInt32(r.Years)
}

func encryptionText(rules []types.ServerSideEncryptionRule) string {
	for _, r := range rules {
		if d := r.ApplyServerSideEncryptionByDefault; d != nil {
			return strings.TrimSpace(string(d.SSEAlgorithm) + " " + aws.ToString(d.KMSMasterKeyID))
		}
	}
	return ""
}
