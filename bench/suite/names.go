package suite

import (
	"fmt"

	"github.com/tidemark/tidemark/cmd/jobs"
)

// What several experiments call the same.
const (
	tidemarkArm    = "Tidemark"
	stateBytes     = "state bytes"
	checkpointSize = 1000 // bytes of a value: a state of 1 GB has a million keys
	keyBytes       = 8
)

// known is the digest of a seeded job, if it is known.
func known(job string, events, keys int64) string {
	digest, _ := jobs.KnownDigest(job, jobs.Options{Events: events, Keys: keys})
	return digest
}

// sizeName renders a size for the name of an arm.
func sizeName(bytes int64) string {
	if bytes >= 1e9 {
		return fmt.Sprintf("%.3g GB", float64(bytes)/1e9)
	}
	return fmt.Sprintf("%.3g MB", float64(bytes)/1e6)
}
