package coordinator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/upload"
)

// HeadFormat is the version of head's format that this package reads and
// writes.
const HeadFormat = 2

// MaxHeadBytes bounds an encoded head. A larger one is neither written nor read.
const MaxHeadBytes = 16 << 20

// Errors of the head register.
var (
	// ErrHeadFormat: head cannot be decoded. Nothing is written or deleted.
	ErrHeadFormat = errors.New("head is not readable")
	// ErrNoHead: there is no head. Headless tells what that means.
	ErrNoHead = errors.New("there is no head")
	// ErrHeadMissing: there is no head, but there are objects of its checkpoints.
	ErrHeadMissing = errors.New("head is missing")
	// ErrNoJob: there is neither head nor an object of a checkpoint.
	ErrNoJob = errors.New("there is no job here")
	// ErrHeadSize: head would exceed MaxHeadBytes.
	ErrHeadSize = errors.New("head is too large")
)

const headMagic = "tidemark-head"

// EncodeHead renders a head: a line with format and checksum, then JSON that a
// person can read. Equal heads have equal bytes. It refuses a head that
// DecodeHead would refuse.
func EncodeHead(h Head) ([]byte, error) {
	if err := h.validate(); err != nil {
		return nil, fmt.Errorf("encode head: %w", err)
	}
	b, err := renderHead(h)
	if err != nil {
		return nil, fmt.Errorf("encode head: %w", err)
	}
	if len(b) > MaxHeadBytes {
		return nil, fmt.Errorf("encode head of job %q: %w: %d bytes, at most %d are allowed; %d checkpoints are retained: keep fewer, or remove pins and tags",
			h.Job, ErrHeadSize, len(b), MaxHeadBytes, len(h.Retained))
	}
	return b, nil
}

func renderHead(h Head) ([]byte, error) {
	h.Retained = list(h.Retained)
	h.Savepoints, h.Tags, h.Pins, h.Claims, h.Borrows = list(h.Savepoints), list(h.Tags), list(h.Pins), list(h.Claims), list(h.Borrows)
	for i := range h.Retained {
		h.Retained[i].KeptBy = list(h.Retained[i].KeptBy)
	}
	body, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	return append(fmt.Appendf(nil, "%s %d %08x\n", headMagic, HeadFormat, upload.CRC32C(body)), body...), nil
}

// list copies s. An empty list is never null in JSON.
func list[T any](s []T) []T { return append([]T{}, s...) }

// DecodeHead parses what EncodeHead renders. It refuses everything else with
// an ErrHeadFormat.
func DecodeHead(b []byte) (Head, error) {
	bad := func(do, format string, args ...any) (Head, error) {
		return Head{}, fmt.Errorf("%w: %s; nothing was changed or deleted: %s", ErrHeadFormat, fmt.Sprintf(format, args...), do)
	}
	const (
		repair = `put back an intact copy of the object "head" (a bucket with versions has one)`
		writer = "use the program that wrote it"
	)
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
		return bad("use the newer program that wrote it", "its format is %d, and this program reads %d only", format, HeadFormat)
	case format < HeadFormat:
		return bad("start the job in another place", "its format is %d, which no release wrote, and this program reads %d only", format, HeadFormat)
	case len(b) > MaxHeadBytes:
		return bad(writer, "it has %d bytes, and at most %d are allowed", len(b), MaxHeadBytes)
	case len(fields) != 3 || fmt.Sprintf("%08x", upload.CRC32C(body)) != fields[2]:
		return bad(repair, "its checksum is wrong")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var h Head
	if err := d.Decode(&h); err != nil {
		return bad(writer, "%v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad(repair, "there is something behind its end")
	}
	if err := h.validate(); err != nil {
		return bad(writer, "%v", err)
	}
	// JSON has many spellings of one head: other cases, doubled or missing
	// fields, spaces. EncodeHead writes one.
	if again, err := renderHead(h); err != nil || !bytes.Equal(again, b) {
		return bad(writer, "it is not in the form in which this program writes it")
	}
	return h, nil
}
