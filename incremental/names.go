package incremental

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Where things lie below <store>/<job>/.
const (
	HeadName       = "head"
	ManifestPrefix = "manifests/"
	DataPrefix     = "data/"
)

// ManifestName returns the name of a checkpoint's manifest.
func ManifestName(id checkpoint.ID, e checkpoint.Epoch) string {
	return fmt.Sprintf("%s%d-%d", ManifestPrefix, id, e)
}

// ObjectName is the identity of a data object, written in its name. A name is
// used once, for one content (I7): the random part differs even where
// everything else is the same.
type ObjectName struct {
	Epoch      checkpoint.Epoch
	Checkpoint checkpoint.ID
	Operator   checkpoint.OperatorID
	Index      int
	Attempt    checkpoint.Attempt
	Random     string // 16 hexadecimal digits
}

// NewObjectName returns a name that was never used before.
func NewObjectName(e checkpoint.Epoch, id checkpoint.ID, op checkpoint.OperatorID, index int, a checkpoint.Attempt) ObjectName {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return ObjectName{e, id, op, index, a, hex.EncodeToString(b[:])}
}

// String renders data/<xx>/<epoch>-<id>-<operator>.<index>-<attempt>-<random>,
// where xx spreads the names over 256 prefixes.
func (n ObjectName) String() string {
	base := fmt.Sprintf("%d-%d-%s.%d-%d-%s", n.Epoch, n.Checkpoint, n.Operator, n.Index, n.Attempt, n.Random)
	h := fnv.New32a()
	_, _ = h.Write([]byte(base))
	return fmt.Sprintf("%s%02x/%s", DataPrefix, byte(h.Sum32()>>24^h.Sum32()), base)
}

var (
	objectPattern   = regexp.MustCompile(`^data/[0-9a-f]{2}/(\d{1,19})-(\d{1,19})-([a-z0-9][a-z0-9_-]{0,63})\.(\d{1,6})-(\d{1,10})-([0-9a-f]{16})$`)
	manifestPattern = regexp.MustCompile(`^manifests/(\d{1,19})-(\d{1,19})$`)
)

// ParseObjectName parses what ObjectName.String renders, and nothing else.
func ParseObjectName(name string) (ObjectName, bool) {
	m := objectPattern.FindStringSubmatch(name)
	if m == nil {
		return ObjectName{}, false
	}
	attempt, err := strconv.ParseUint(m[5], 10, 32)
	if err != nil {
		return ObjectName{}, false
	}
	index, _ := strconv.Atoi(m[4])
	n := ObjectName{
		Epoch: checkpoint.Epoch(number(m[1])), Checkpoint: checkpoint.ID(number(m[2])),
		Operator: checkpoint.OperatorID(m[3]), Index: index, Attempt: checkpoint.Attempt(attempt), Random: m[6],
	}
	return n, n.String() == name
}

// ParseManifestName parses what ManifestName returns, and nothing else.
func ParseManifestName(name string) (checkpoint.ID, checkpoint.Epoch, bool) {
	m := manifestPattern.FindStringSubmatch(name)
	if m == nil {
		return 0, 0, false
	}
	id, e := checkpoint.ID(number(m[1])), checkpoint.Epoch(number(m[2]))
	return id, e, ManifestName(id, e) == name
}

// number parses up to 19 digits, which always fit.
func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}
