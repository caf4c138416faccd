package sink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Errors of the file sinks.
var (
	// ErrOutputLost: a part that a checkpoint holds is gone.
	ErrOutputLost = errors.New("output lost")
	// ErrForeignOutput: the directory holds parts that the restored checkpoint
	// does not know.
	ErrForeignOutput = errors.New("output directory holds the parts of another run")
	// ErrPending: a checkpoint's description of pending output cannot be read.
	ErrPending = errors.New("pending output is unreadable")
)

// part is a file of output.
type part struct {
	operator   checkpoint.OperatorID
	checkpoint checkpoint.ID // it was prepared for; 0: checkpoints are off
	epoch      checkpoint.Epoch
	attempt    checkpoint.Attempt
	index      int
	number     uint64 // counts the subtask's parts in this attempt, from 0
	bytes      int64
}

const extension = ".jsonl"

// tempName is the part's name under .pending. It begins with tempPrefix.
func (p part) tempName() string {
	return fmt.Sprintf("%s%d-%d-%d-%d%s", tempPrefix(p.operator), p.epoch, p.attempt, p.index, p.number, extension)
}

// finalName is the part's name in the directory.
func (p part) finalName() string {
	return fmt.Sprintf("%s%08d-%d-%d-%04d-%d%s", finalPrefix(p.operator), p.checkpoint, p.epoch, p.attempt, p.index, p.number, extension)
}

// An operator's id has no '.', so no prefix is the beginning of another.
func tempPrefix(id checkpoint.OperatorID) string  { return string(id) + "." }
func finalPrefix(id checkpoint.OperatorID) string { return "part-" + string(id) + "." }

// checkpointOf returns the checkpoint in a final name; not ok: the name is not
// that of a part of the operator.
func checkpointOf(name string, operator checkpoint.OperatorID) (id checkpoint.ID, ok bool) {
	rest, ok := strings.CutPrefix(name, finalPrefix(operator))
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return checkpoint.ID(n), ok && err == nil
}

// epochOfTemp returns the epoch in a name under .pending; not ok: the name is not
// that of a part of the operator.
func epochOfTemp(name string, operator checkpoint.OperatorID) (epoch checkpoint.Epoch, ok bool) {
	rest, ok := strings.CutPrefix(name, tempPrefix(operator))
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return checkpoint.Epoch(n), ok && err == nil
}

// known reports whether the restored checkpoint knows a part with this id: the
// part was prepared for it, or for one before it.
func known(id, restored checkpoint.ID) bool { return id != 0 && id <= restored }

// pendingVersion is the first byte of encoded parts. What follows, as uvarints:
// their number, and of each the checkpoint, epoch, attempt, index, number and
// bytes.
const pendingVersion = 1

func encodeParts(parts []part) []byte {
	b := binary.AppendUvarint([]byte{pendingVersion}, uint64(len(parts)))
	for _, p := range parts {
		for _, v := range [...]uint64{uint64(p.checkpoint), uint64(p.epoch), uint64(p.attempt), uint64(p.index), p.number, uint64(p.bytes)} {
			b = binary.AppendUvarint(b, v)
		}
	}
	return b
}

func decodeParts(b []byte, operator checkpoint.OperatorID) ([]part, error) {
	d := decoder{rest: b}
	d.version(pendingVersion)
	n := d.uvarint()
	var parts []part
	for ; n > 0 && d.err == nil; n-- {
		parts = append(parts, part{
			operator:   operator,
			checkpoint: checkpoint.ID(d.uvarint()),
			epoch:      checkpoint.Epoch(d.uvarint()),
			attempt:    checkpoint.Attempt(d.uvarint()),
			index:      int(d.uvarint()),
			number:     d.uvarint(),
			bytes:      int64(d.uvarint()),
		})
	}
	return parts, d.end()
}

// decoder reads what a sink left in a checkpoint. It keeps its first error, which
// wraps ErrPending.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) version(want byte) {
	if len(d.rest) == 0 || d.rest[0] != want {
		d.fail("unknown encoding %.16x: the checkpoint is of another sink or a newer version", d.rest)
		return
	}
	d.rest = d.rest[1:]
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("cut short")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail("cut short")
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrPending, fmt.Sprintf(format, args...))
	}
	d.rest = nil
}

// end checks that all has been read.
func (d *decoder) end() error {
	if len(d.rest) > 0 {
		d.fail("%d bytes too long", len(d.rest))
	}
	return d.err
}
