package input

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Content is an open input file. Where it cannot be read it says so with a
// DiskError: any other error of a source follows from what the file holds.
type Content struct{ f *os.File }

// NewContent returns the content of f, which stays the caller's to close.
func NewContent(f *os.File) *Content { return &Content{f} }

// DiskError is an error of the disk or the network, which may pass.
type DiskError struct{ Err error }

func (e *DiskError) Error() string { return e.Err.Error() }
func (e *DiskError) Unwrap() error { return e.Err }

func disk(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &DiskError{err}
}

// Read implements io.Reader.
func (c *Content) Read(p []byte) (int, error) {
	n, err := c.f.Read(p)
	return n, disk(err)
}

// ReadAt implements io.ReaderAt.
func (c *Content) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.f.ReadAt(p, off)
	return n, disk(err)
}

// Errors of what a file holds.
var (
	ErrCompression = errors.New("unsupported compression")
	ErrEncoding    = errors.New("unsupported encoding")
)

// kinds are what the first bytes of a file tell of it. err: such a file is refused.
var kinds = []struct {
	first string
	name  string
	err   error
}{
	{"\x1f\x8b", "gzip", nil},
	{"\x28\xb5\x2f\xfd", "zstd", nil},
	{"\xfd7zXZ\x00", "xz", ErrCompression},
	{"\x04\x22\x4d\x18", "lz4", ErrCompression},
	{"\xff\x06\x00\x00sNaPpY", "snappy", ErrCompression},
	{"PK\x03\x04", "zip", ErrCompression},
	{"7z\xbc\xaf\x27\x1c", "7z", ErrCompression},
	{"\x1f\x9d", "compress (.Z)", ErrCompression},
	{"\xff\xfe\x00\x00", "UTF-32", ErrEncoding},
	{"\x00\x00\xfe\xff", "UTF-32", ErrEncoding},
	{"\xff\xfe", "UTF-16", ErrEncoding},
	{"\xfe\xff", "UTF-16", ErrEncoding},
}

// promises are the names of files that have to be compressed.
var promises = []struct{ suffix, kind string }{{".gz", "gzip"}, {".zst", "zstd"}, {".zstd", "zstd"}}

// kindBytes is how many bytes tell what a file is.
const kindBytes = 10

// compression returns how a file is compressed: "gzip", "zstd", or "".
func (c *Content) compression() (string, error) {
	b := make([]byte, kindBytes)
	n, err := c.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	b = b[:n]
	kind, err := kindOf(b)
	if err != nil {
		return "", err
	}
	for _, p := range promises {
		if strings.HasSuffix(c.f.Name(), p.suffix) && kind != p.kind {
			return "", fmt.Errorf("%w: its name says %s, and its first bytes %x do not: was it cut short, or misnamed?", ErrCompression, p.kind, b)
		}
	}
	return kind, nil
}

func kindOf(b []byte) (string, error) {
	if halved(b, 0) || halved(b, 1) {
		return "", refused("UTF-16", ErrEncoding) // without a mark
	}
	if len(b) >= 10 && string(b[:3]) == "BZh" && string(b[4:10]) == "1AY&SY" {
		return "", refused("bzip2", ErrCompression)
	}
	if len(b) >= 4 && b[0]&0xf0 == 0x50 && string(b[1:4]) == "\x2a\x4d\x18" {
		return "zstd", nil // begins with a skippable frame
	}
	for _, k := range kinds {
		if bytes.HasPrefix(b, []byte(k.first)) {
			if k.err != nil {
				return "", refused(k.name, k.err)
			}
			return k.name, nil
		}
	}
	return "", nil
}

// halved reports whether every second byte, from the first or the second on, is zero,
// and no other: so UTF-16 has it.
func halved(b []byte, first int) bool {
	for i := range b {
		if (b[i] == 0) != (i%2 == first) {
			return false
		}
	}
	return len(b) >= 8
}

// unpacked returns an error if what was compressed is not text: the beginning of a tar
// archive, or another compression.
func unpacked(r *bufio.Reader) error {
	const at, magic = 257, "ustar"
	b, _ := r.Peek(at + len(magic)) // an error comes again behind what was read
	if len(b) == at+len(magic) && string(b[at:]) == magic {
		return fmt.Errorf("%w: it holds a tar archive: unpack it", ErrCompression)
	}
	kind, err := kindOf(b[:min(len(b), kindBytes)])
	if err == nil && kind != "" {
		err = fmt.Errorf("%w: it holds a file that is compressed again (%s): decompress it", ErrCompression, kind)
	}
	return err
}

func refused(name string, err error) error {
	if err == ErrEncoding {
		return fmt.Errorf("%w: the file is %s: convert it to UTF-8", err, name)
	}
	return fmt.Errorf("%w: the file is %s: decompress it, or use gzip or zstd", err, name)
}

// Divisible reports whether reading can begin inside the file. What is wrong with
// its content is found when it is read.
func (f File) Divisible() (bool, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	kind, err := (&Content{file}).compression()
	var bad *DiskError
	if errors.As(err, &bad) {
		return false, fmt.Errorf("read input %s: %w", f.Path, err)
	}
	return kind == "" && err == nil, nil
}

// maxWindow bounds the memory of a zstd decoder.
const maxWindow = 128 << 20

// Bytes returns the file's uncompressed bytes from offset on. Where the file is
// shorter than the split says, reading gives io.ErrUnexpectedEOF.
func Bytes(s Split, c *Content, offset int64) (io.Reader, error) {
	kind, err := c.compression()
	if err != nil {
		return nil, err
	}
	if kind == "" {
		left := s.File.Size - offset
		return &exact{io.NewSectionReader(c, offset, left), left}, nil
	}
	if _, err := c.f.Seek(0, io.SeekStart); err != nil {
		return nil, disk(err)
	}
	var r io.Reader
	if kind == "gzip" {
		r, err = gzip.NewReader(c)
	} else {
		r, err = zstd.NewReader(c, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	}
	if err != nil {
		return nil, fmt.Errorf("decompress (%s): %w", kind, err)
	}
	r = &decompressor{r, kind}
	if offset == 0 {
		buffered := bufio.NewReader(r)
		return buffered, unpacked(buffered)
	}
	if n, err := io.CopyN(io.Discard, r, offset); err == io.EOF {
		return nil, fmt.Errorf("skip to byte %d: it ends at %d", offset, n)
	} else if err != nil {
		return nil, fmt.Errorf("skip to byte %d: %w", offset, err)
	}
	return r, nil
}

// decompressor names the compression in errors.
type decompressor struct {
	r    io.Reader
	kind string
}

func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("decompress (%s): %w", d.kind, err)
	}
	return n, err
}

// exact reads left bytes and turns an earlier end into an error.
type exact struct {
	r    io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
