package s3store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tidemark/tidemark/upload/probe"
)

// advice says what the settings do to the objects below prefix. What destroys comes first.
func (b bucketSettings) advice(prefix string) []probe.Advice {
	a := []probe.Advice{}
	add := func(setting string, effect probe.Effect, format string, args ...any) {
		a = append(a, probe.Advice{Setting: setting, Effect: effect, Text: fmt.Sprintf(format, args...)})
	}
	for _, r := range b.lifecycle {
		if r.Status == types.ExpirationStatusEnabled && touches(rulePrefix(r), prefix) {
			adviseRule(r, add)
		}
	}
	b.adviseVersions(prefix, add)
	if days := lockDays(b.lock); days > 0 {
		add("object_lock", probe.PilesUp, "each object is stored and paid for at least %d days, since what is deleted is only hidden until then: lock for days, not for years", days)
	} else if lockText(b.lock) != "" {
		add("object_lock", probe.Harmless, "objects are locked only if somebody locks them; what is locked is hidden when it is deleted, and paid for")
	}
	for _, r := range b.replication {
		if r.Status != types.ReplicationRuleStatusEnabled || !touches(replicationPrefix(r), prefix) {
			continue
		}
		add("replication", probe.Harmless, "objects reach the copy in any order, so its head may name what is not there yet: start from the copy with --restore")
		if m := r.DeleteMarkerReplication; m == nil || m.Status != types.DeleteMarkerReplicationStatusEnabled {
			add("replication", probe.PilesUp, "what is deleted here stays in the copy: replicate delete markers, too")
		}
	}
	if text := encryptionText(b.encryption); strings.HasPrefix(text, "aws:kms") {
		add("encryption", probe.Harmless, "the credentials need kms:GenerateDataKey and kms:Decrypt; without the key nothing can be read")
	}
	order := []probe.Effect{probe.Destroys, probe.PilesUp, probe.Lacks, probe.Harmless}
	slices.SortStableFunc(a, func(x, y probe.Advice) int {
		return cmp.Compare(slices.Index(order, x.Effect), slices.Index(order, y.Effect))
	})
	return a
}

type adder func(setting string, effect probe.Effect, format string, args ...any)

// adviseVersions says what becomes of versions that are overwritten or deleted.
func (b bucketSettings) adviseVersions(prefix string, add adder) {
	if !b.has("versioning") {
		return
	}
	if b.versioning != types.BucketVersioningStatusEnabled {
		add("versioning", probe.Lacks, "a head that is overwritten or deleted by mistake cannot be put back: turn versioning on, with a lifecycle rule for noncurrent versions")
	}
	if b.versioning == "" || !b.has("lifecycle") {
		return
	}
	expires, markers := false, false
	for _, r := range b.lifecycle {
		if r.Status != types.ExpirationStatusEnabled || !strings.HasPrefix(prefix, rulePrefix(r)) || tagged(r) {
			continue
		}
		expires = expires || r.NoncurrentVersionExpiration != nil
		markers = markers || r.Expiration != nil && aws.ToBool(r.Expiration.ExpiredObjectDeleteMarker)
	}
	if !expires {
		add("versioning", probe.PilesUp, "every object that is deleted, and every head, stays as a noncurrent version, and is paid for: add a lifecycle rule with NoncurrentVersionExpiration, or delete them by checkpoints gc --apply")
	}
	if !markers {
		add("versioning", probe.PilesUp, "every deletion leaves a delete marker, which slows listings down: add a lifecycle rule with ExpiredObjectDeleteMarker, or delete them by checkpoints gc --apply")
	}
}

// adviseRule says what a lifecycle rule does that covers objects of a job.
func adviseRule(r types.LifecycleRule, add adder) {
	name := "lifecycle rule " + aws.ToString(r.ID)
	if tagged(r) {
		add(name, probe.Harmless, "it is for objects with a tag, and those of a job have none")
		return
	}
	if e := r.Expiration; e != nil && (e.Days != nil || e.Date != nil) {
		add(name, probe.Destroys, "it deletes objects by age, and a checkpoint needs objects of any age: remove Expiration, or keep it away by a prefix")
	}
	for _, t := range r.Transitions {
		switch t.StorageClass {
		case types.TransitionStorageClassGlacier, types.TransitionStorageClassDeepArchive:
			add(name, probe.Destroys, "it moves objects to %s, where they cannot be read for hours, so no checkpoint can be restored: remove the transition", t.StorageClass)
		default:
			add(name, probe.Harmless, "it moves objects to %s: they can be read, but many of a checkpoint's live for less than the class charges for", t.StorageClass)
		}
	}
	if n := r.NoncurrentVersionExpiration; n != nil {
		add(name, probe.Harmless, "noncurrent versions go after %d days; until then a lost head can be put back", aws.ToInt32(n.NoncurrentDays))
	}
	if u := r.AbortIncompleteMultipartUpload; u != nil {
		add(name, probe.Harmless, "uploads end that were not finished within %d days, which no living checkpoint needs", aws.ToInt32(u.DaysAfterInitiation))
	}
}

// touches reports whether a rule for one prefix is for any object below the other.
func touches(rule, prefix string) bool {
	return strings.HasPrefix(rule, prefix) || strings.HasPrefix(prefix, rule)
}

func rulePrefix(r types.LifecycleRule) string {
	switch f := r.Filter; {
	case f == nil:
		return aws.ToString(r.Prefix) //nolint:staticcheck // old rules have it here
	case f.And != nil:
		return aws.ToString(f.And.Prefix)
	default:
		return aws.ToString(f.Prefix)
	}
}

// tagged reports whether a rule is only for objects with a tag.
func tagged(r types.LifecycleRule) bool {
	return r.Filter != nil && (r.Filter.Tag != nil || r.Filter.And != nil && len(r.Filter.And.Tags) > 0)
}

func replicationPrefix(r types.ReplicationRule) string {
	switch f := r.Filter; {
	case f == nil:
		return aws.ToString(r.Prefix) //nolint:staticcheck // old rules have it here
	case f.And != nil:
		return aws.ToString(f.And.Prefix)
	default:
		return aws.ToString(f.Prefix)
	}
}
