package history

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// Prefix is where the histories of a job lie, below its place.
const Prefix = "history/"

// Format is the version of the format that this package reads and writes.
const Format = 1

// maxBytes bounds an encoded history. A larger one is neither written nor read.
const maxBytes = 16 << 20

// Errors of histories.
var (
	// ErrFormat: a history cannot be decoded.
	ErrFormat = errors.New("history is not readable")
	// ErrNewer: a newer program wrote a history. It is never replaced.
	ErrNewer = errors.New("history was written by a newer program")
)

// Name names the object of a history.
type Name struct {
	Epoch  checkpoint.Epoch // of the leader that wrote it
	Number uint64           // rises with each that the leader writes
}

// String renders the object's name.
func (n Name) String() string { return fmt.Sprintf("%s%d-%d", Prefix, n.Epoch, n.Number) }

// Compare orders names: of two histories the greater one counts.
func (n Name) Compare(o Name) int {
	return cmp.Or(cmp.Compare(n.Epoch, o.Epoch), cmp.Compare(n.Number, o.Number))
}

// ParseName reads what String renders, and nothing else.
func ParseName(s string) (Name, bool) {
	epoch, number, _ := strings.Cut(strings.TrimPrefix(s, Prefix), "-")
	e, _ := strconv.ParseUint(epoch, 10, 64)
	i, _ := strconv.ParseUint(number, 10, 64)
	n := Name{checkpoint.Epoch(e), i}
	return n, n.String() == s
}

// Newest returns the name of the history that counts; false if there is none.
func Newest(ctx context.Context, r upload.Reader) (newest Name, ok bool, err error) {
	all, err := list(ctx, r)
	for _, n := range all {
		if !ok || n.Compare(newest) > 0 {
			newest, ok = n, true
		}
	}
	return newest, ok, err
}

func list(ctx context.Context, r upload.Reader) (names []Name, err error) {
	for info, err := range r.List(ctx, Prefix) {
		if err != nil {
			return nil, fmt.Errorf("look for a history: %w", err)
		}
		if n, ok := ParseName(info.Name); ok {
			names = append(names, n)
		}
	}
	return names, nil
}

// maxReadings bounds how often Read looks again because a leader has replaced what it
// was about to read.
const maxReadings = 4

// Read reads the history of the job whose store r is. It is empty if there is none. It
// may lag behind a leader by WriteEvery. The error wraps ErrFormat or ErrNewer if it
// cannot be decoded.
func Read(ctx context.Context, r upload.Reader) (History, error) {
	for try := 1; ; try++ {
		n, ok, err := Newest(ctx, r)
		if err != nil || !ok {
			return History{}, err
		}
		b, _, err := upload.ReadAll(ctx, r, n.String(), maxBytes)
		if errors.Is(err, upload.ErrNotExist) && try < maxReadings {
			continue
		}
		if err != nil {
			return History{}, fmt.Errorf("read history: %w", err)
		}
		h, err := decode(b)
		if err != nil {
			return History{}, fmt.Errorf("read %s/%s: %w", r, n, err)
		}
		return h, nil
	}
}

// Put puts a history into the store of its job. The name must be new.
func Put(ctx context.Context, s upload.Store, n Name, h History) error {
	b, err := encode(h)
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, n.String(), upload.BodyFromBytes(b), upload.PutOptions{})
	return err
}

const magic = "tidemark-history"

// encode renders a history: a line with format and checksum, then JSON.
func encode(h History) ([]byte, error) {
	body, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	b := append(fmt.Appendf(nil, "%s %d %08x\n", magic, Format, upload.CRC32C(body)), body...)
	if len(b) > maxBytes {
		return nil, fmt.Errorf("history has %d bytes, and at most %d are allowed", len(b), maxBytes)
	}
	return b, nil
}

func decode(b []byte) (h History, err error) {
	line, body, _ := bytes.Cut(b, []byte("\n"))
	var format int
	var crc uint32
	if _, err := fmt.Sscanf(string(line[:min(len(line), 64)]), magic+" %d %x", &format, &crc); err != nil || format < 1 {
		return h, fmt.Errorf("%w: it does not start with %q, format and checksum", ErrFormat, magic)
	}
	if format > Format {
		return h, fmt.Errorf("%w: its format is %d, and this program reads %d only", ErrNewer, format, Format)
	}
	if upload.CRC32C(body) != crc {
		return h, fmt.Errorf("%w: its checksum is wrong", ErrFormat)
	}
	if err := json.Unmarshal(body, &h); err != nil {
		return History{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return h, nil
}
