package incremental

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Where things lie below <store>/<job>/.
const (
	HeadName       = "head"
	ManifestPrefix = "manifests/"
	DataPrefix     = "data/"
	// CopyMarkName is the mark of a copy that is not finished.
	CopyMarkName = "copying"
	// SavepointPrefix is where self-contained savepoints lie.
	SavepointPrefix = "savepoints/"
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
	return DataPrefix + spread(base) + "/" + base
}

// spread returns two hexadecimal digits: of the FNV-1a hash of base, the first
// byte xor the last.
func spread(base string) string {
	h := uint32(2166136261)
	for i := range len(base) {
		h = (h ^ uint32(base[i])) * 16777619
	}
	const digits = "0123456789abcdef"
	b := byte(h>>24 ^ h)
	return string([]byte{digits[b>>4], digits[b&15]})
}

// ParseObjectName parses what ObjectName.String renders, and nothing else.
func ParseObjectName(name string) (ObjectName, bool) {
	base, ok := strings.CutPrefix(name, DataPrefix)
	if !ok || len(base) < 3 || base[2] != '/' || base[:2] != spread(base[3:]) {
		return ObjectName{}, false
	}
	return parseObjectBase(base[3:])
}

// ValidObjectName reports whether an object may be named in a manifest: a data
// object, or one of a savepoint, "savepoints/<name>/" and then the base name of
// a data object.
func ValidObjectName(name string) bool {
	if rest, ok := strings.CutPrefix(name, SavepointPrefix); ok {
		savepoint, base, _ := strings.Cut(rest, "/")
		_, ok := parseObjectBase(base)
		return ok && checkpoint.ValidOperatorID(checkpoint.OperatorID(savepoint))
	}
	_, ok := ParseObjectName(name)
	return ok
}

// parseObjectBase parses <epoch>-<id>-<operator>.<index>-<attempt>-<random>. An
// operator's name may hold '-', so the last parts are cut from the end.
func parseObjectBase(s string) (n ObjectName, ok bool) {
	epoch, s, _ := strings.Cut(s, "-")
	id, s, _ := strings.Cut(s, "-")
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 {
		return ObjectName{}, false
	}
	operator, s := s[:dot], s[dot+1:]
	index, s, _ := strings.Cut(s, "-")
	attempt, random, _ := strings.Cut(s, "-")
	e, ok1 := decimal(epoch, 63)
	c, ok2 := decimal(id, 63)
	i, ok3 := decimal(index, 16)
	a, ok4 := decimal(attempt, 32)
	n = ObjectName{
		Epoch: checkpoint.Epoch(e), Checkpoint: checkpoint.ID(c), Operator: checkpoint.OperatorID(operator),
		Index: int(i), Attempt: checkpoint.Attempt(a), Random: random,
	}
	return n, ok1 && ok2 && ok3 && ok4 && checkpoint.ValidOperatorID(n.Operator) && hexadecimal(random)
}

// hexadecimal reports whether s is 16 hexadecimal digits in lower case.
func hexadecimal(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 16
}

// ParseManifestName parses what ManifestName returns, and nothing else.
func ParseManifestName(name string) (checkpoint.ID, checkpoint.Epoch, bool) {
	s, ok := strings.CutPrefix(name, ManifestPrefix)
	id, epoch, _ := strings.Cut(s, "-")
	c, ok1 := decimal(id, 63)
	e, ok2 := decimal(epoch, 63)
	return checkpoint.ID(c), checkpoint.Epoch(e), ok && ok1 && ok2
}

// decimal parses a number of at most that many bits, in the one spelling in which it is
// printed.
func decimal(s string, bits int) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, bits)
	return n, err == nil && (s[0] != '0' || len(s) == 1) && s[0] != '+'
}
