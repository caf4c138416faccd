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

// writer is an operator of a job. Earlier versions left the job out.
type writer struct {
	job      string // empty: of an earlier version
	operator checkpoint.OperatorID
}

// String begins the name of a part. Neither name has a '.', and a number follows, so no
// part of one writer is one of another.
func (w writer) String() string {
	if w.job == "" {
		return string(w.operator) + "."
	}
	return w.job + "." + string(w.operator) + "."
}

// part is a file of output.
type part struct {
	writer
	checkpoint checkpoint.ID // it was prepared for; 0: checkpoints are off
	epoch      checkpoint.Epoch
	attempt    checkpoint.Attempt
	index      int
	number     uint64 // counts the subtask's parts in this attempt, from 0
	bytes      int64
}

const (
	extension  = ".jsonl"
	partPrefix = "part-" // of what is published
)

// tempName is the part's name under .pending.
func (p part) tempName() string {
	return fmt.Sprintf("%s%d-%d-%d-%d%s", p.writer, p.epoch, p.attempt, p.index, p.number, extension)
}

// finalName is the part's name in the directory.
func (p part) finalName() string {
	return fmt.Sprintf("%s%s%08d-%d-%d-%04d-%d%s", partPrefix, p.writer, p.checkpoint, p.epoch, p.attempt, p.index, p.number, extension)
}

// checkpointOf returns the checkpoint in a final name; not ok: the name is not
// that of a part of w, or of its operator in an earlier version.
func checkpointOf(name string, w writer) (checkpoint.ID, bool) {
	n, ok := numberBehind(name, partPrefix+w.String())
	if !ok {
		n, ok = numberBehind(name, partPrefix+writer{operator: w.operator}.String())
	}
	return checkpoint.ID(n), ok
}

// epochOfTemp returns the epoch in a name under .pending; not ok: the name is not
// that of a part of w. What an earlier version left there does not say whose it is.
func epochOfTemp(name string, w writer) (checkpoint.Epoch, bool) {
	n, ok := numberBehind(name, w.String())
	return checkpoint.Epoch(n), ok
}

func numberBehind(name, prefix string) (uint64, bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	digits, others, dash := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	// Else the number begins the name of an operator, and the job's is as prefix.
	last := !strings.Contains(strings.TrimSuffix(others, extension), ".")
	return n, ok && dash && last && err == nil
}

// known reports whether the restored checkpoint knows a part with this id: the
// part was prepared for it, or for one before it.
func known(id, restored checkpoint.ID) bool { return id != 0 && id <= restored }

// pendingVersion is the first byte of encoded parts. What follows, as uvarints:
// their number, and of each the checkpoint, epoch, attempt, index, number and
// bytes. Version 1 was the same, of parts without the job in their names.
const pendingVersion = 2

func encodeParts(parts []part) []byte {
	b := binary.AppendUvarint([]byte{pendingVersion}, uint64(len(parts)))
	for _, p := range parts {
		for _, v := range [...]uint64{uint64(p.checkpoint), uint64(p.epoch), uint64(p.attempt), uint64(p.index), p.number, uint64(p.bytes)} {
			b = binary.AppendUvarint(b, v)
		}
	}
	return b
}

func decodeParts(b []byte, w writer) ([]part, error) {
	d := decoder{rest: b}
	if len(b) > 0 && b[0] == 1 {
		d.version(1)
		w.job = ""
	} else {
		d.version(pendingVersion)
	}
	n := d.uvarint()
	var parts []part
	for ; n > 0 && d.err == nil; n-- {
		parts = append(parts, part{
			writer:     w,
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
