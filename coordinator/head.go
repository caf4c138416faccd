package coordinator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// HeadFormat is the version of head's format that this package writes, and
// the newest that it reads.
const HeadFormat = 1

// maxHeadBytes bounds what is read of a head.
const maxHeadBytes = 16 << 20

// Errors of the head register.
var (
	// ErrHeadFormat: head cannot be understood. Nothing is written or deleted.
	ErrHeadFormat = errors.New("head is not readable")
	// ErrHeadMissing: there is no head although there are objects that only a
	// head could account for.
	ErrHeadMissing = errors.New("head is missing")
)

// Head is the register of a job: what exists, and who leads. It is the only
// object of a job that ever changes, and does so by compare-and-swap only.
type Head struct {
	// Version rises by one with every write, so that no two heads are equal.
	Version uint64           `json:"version"`
	Epoch   checkpoint.Epoch `json:"epoch"`
	NextID  checkpoint.ID    `json:"next_id"`
	// Writer is the nonce of the leader that took Epoch.
	Writer string `json:"writer"`
	// Retained are the committed checkpoints, in the order of their ids.
	Retained []Retained `json:"retained"`
	Pins     []Pin      `json:"pins"`
	Claims   []Claim    `json:"claims"`
}

// Retained is a checkpoint that exists.
type Retained struct {
	ID        checkpoint.ID    `json:"id"`
	Epoch     checkpoint.Epoch `json:"epoch"`
	Base      checkpoint.ID    `json:"base"`
	Kind      Kind             `json:"kind"`
	Triggered time.Time        `json:"triggered"`
	Created   time.Time        `json:"created"`
	// KeptBy says why retention kept it when head was last written: "newest",
	// "count", "base:43", "pin:release-3", …
	KeptBy    []string `json:"kept_by"`
	FullBytes int64    `json:"full_bytes"`
	NewBytes  int64    `json:"new_bytes"`
}

// Ref names a checkpoint.
type Ref = checkpoint.Ref

// manifestName returns the name of a checkpoint's manifest.
func manifestName(r Ref) string { return incremental.ManifestName(r.ID, r.Epoch) }

// Ref returns the name of the checkpoint.
func (r Retained) Ref() Ref { return Ref{ID: r.ID, Epoch: r.Epoch} }

// Pin keeps a checkpoint for a reason of its own until it is taken away.
type Pin struct {
	Name       string        `json:"name"`
	Checkpoint checkpoint.ID `json:"checkpoint"`
}

// Claim keeps a checkpoint for another job that shares its objects.
type Claim struct {
	Job        string        `json:"job"`
	Checkpoint checkpoint.ID `json:"checkpoint"`
}

// Kind is a checkpoint.Kind that reads and writes as text.
type Kind checkpoint.Kind

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return []byte(checkpoint.Kind(k).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(b []byte) error {
	for _, c := range []checkpoint.Kind{checkpoint.Periodic, checkpoint.Manual, checkpoint.Savepoint, checkpoint.Final} {
		if c.String() == string(b) {
			*k = Kind(c)
			return nil
		}
	}
	return fmt.Errorf("unknown kind of checkpoint %q", b)
}

// find returns the retained checkpoint with the id.
func (h Head) find(id checkpoint.ID) (Retained, bool) {
	i := slices.IndexFunc(h.Retained, func(r Retained) bool { return r.ID == id })
	if i < 0 {
		return Retained{}, false
	}
	return h.Retained[i], true
}

// has reports whether head retains exactly this checkpoint.
func (h Head) has(ref Ref) bool {
	r, ok := h.find(ref.ID)
	return ok && r.Epoch == ref.Epoch
}

// refs lists the retained checkpoints.
func (h Head) refs() []Ref {
	refs := make([]Ref, len(h.Retained))
	for i, r := range h.Retained {
		refs[i] = r.Ref()
	}
	return refs
}

// ids renders the retained ids for a message.
func (h Head) ids() string {
	if len(h.Retained) == 0 {
		return "none"
	}
	var s []string
	for _, r := range h.Retained {
		s = append(s, r.ID.String())
	}
	return strings.Join(s, ", ")
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const headMagic = "tidemark-head"

// EncodeHead renders a head: a line with format and checksum, then JSON that a
// person can read.
func EncodeHead(h Head) ([]byte, error) {
	if err := h.validate(); err != nil {
		return nil, fmt.Errorf("encode head: %w", err)
	}
	h.Retained = append([]Retained{}, h.Retained...) // null is not a list
	h.Pins = append([]Pin{}, h.Pins...)
	h.Claims = append([]Claim{}, h.Claims...)
	for i := range h.Retained {
		h.Retained[i].KeptBy = append([]string{}, h.Retained[i].KeptBy...)
	}
	body, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode head: %w", err)
	}
	body = append(body, '\n')
	return append(fmt.Appendf(nil, "%s %d %08x\n", headMagic, HeadFormat, crc32.Checksum(body, castagnoli)), body...), nil
}

// DecodeHead parses what EncodeHead renders. It refuses what it does not fully
// understand with an ErrHeadFormat.
func DecodeHead(b []byte) (Head, error) {
	bad := func(do, format string, args ...any) (Head, error) {
		return Head{}, fmt.Errorf("%w: %s; nothing was changed or deleted: %s", ErrHeadFormat, fmt.Sprintf(format, args...), do)
	}
	const repair = "put back an intact copy of the object \"head\" (a bucket with versions has one)"
	line, body, ok := bytes.Cut(b, []byte("\n"))
	fields := strings.Fields(string(line[:min(len(line), 64)]))
	if !ok || len(fields) < 2 || fields[0] != headMagic {
		return bad(repair, "it does not start with %q", headMagic)
	}
	format, err := strconv.Atoi(fields[1])
	switch {
	case err != nil || format < 1:
		return bad(repair, "its format is %q", fields[1])
	case format > HeadFormat:
		return bad("use the newer program that wrote it", "its format is %d, and this program reads up to %d", format, HeadFormat)
	case len(fields) != 3 || fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) != fields[2]:
		return bad(repair, "its checksum is wrong")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var h Head
	if err := d.Decode(&h); err != nil {
		return bad("use the program that wrote it", "%v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad(repair, "there is something behind its end")
	}
	if err := h.validate(); err != nil {
		return bad(repair, "%v", err)
	}
	return h, nil
}

// validate checks what every head holds to.
func (h Head) validate() error {
	if h.Version == 0 || h.Epoch == 0 || h.NextID == 0 || h.Writer == "" {
		return fmt.Errorf("version %d, epoch %d, next_id %d and writer %q must all be given", h.Version, h.Epoch, h.NextID, h.Writer)
	}
	var last checkpoint.ID
	for _, r := range h.Retained {
		switch {
		case r.ID <= last:
			return fmt.Errorf("checkpoint %d is retained after checkpoint %d: ids must rise", r.ID, last)
		case r.ID >= h.NextID:
			return fmt.Errorf("checkpoint %d is retained, but next_id is %d", r.ID, h.NextID)
		case r.Epoch == 0 || r.Epoch > h.Epoch:
			return fmt.Errorf("checkpoint %d is of epoch %d, and head of epoch %d", r.ID, r.Epoch, h.Epoch)
		}
		last = r.ID
	}
	for _, p := range h.Pins {
		if _, ok := h.find(p.Checkpoint); !ok {
			return fmt.Errorf("pin %q is on checkpoint %d, which is not retained", p.Name, p.Checkpoint)
		}
	}
	for _, c := range h.Claims {
		if _, ok := h.find(c.Checkpoint); !ok {
			return fmt.Errorf("job %q claims checkpoint %d, which is not retained", c.Job, c.Checkpoint)
		}
	}
	return nil
}
