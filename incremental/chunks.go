package incremental

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/upload"
)

// sumsBytes is the length of the chunk sums of a file: CRC32C, big-endian, of
// each chunk. A file of one chunk has none: its own checksum says the same.
func (r FileRef) sumsBytes() int64 {
	if r.Length <= ChunkBytes {
		return 0
	}
	return (r.Length + ChunkBytes - 1) / ChunkBytes * 4
}

// groupsOfKeys is the range of key groups from the one that smallest begins
// with to that of largest.
func groupsOfKeys(smallest, largest []byte) keygroup.Range {
	group := func(key []byte) int {
		if len(key) < 2 {
			return 0
		}
		return int(binary.BigEndian.Uint16(key))
	}
	return keygroup.Range{Start: group(smallest), End: group(largest) + 1}
}

// chunkSums is a writer that sums the chunks of what it is given, and all of it.
type chunkSums struct {
	whole uint32
	chunk uint32 // of the chunk at hand
	n     int64  // bytes of it
	done  []byte // sums of the chunks before it, big-endian
}

// Write implements io.Writer; it never fails.
func (s *chunkSums) Write(p []byte) (int, error) {
	s.whole = upload.ExtendCRC32C(s.whole, p)
	for rest := p; len(rest) > 0; {
		part := rest[:min(int64(len(rest)), ChunkBytes-s.n)]
		s.chunk, s.n = upload.ExtendCRC32C(s.chunk, part), s.n+int64(len(part))
		if s.n == ChunkBytes {
			s.end()
		}
		rest = rest[len(part):]
	}
	return len(p), nil
}

// end ends the chunk at hand.
func (s *chunkSums) end() {
	s.done = binary.BigEndian.AppendUint32(s.done, s.chunk)
	s.chunk, s.n = 0, 0
}

// sums returns the sums of all chunks.
func (s *chunkSums) sums() []byte {
	if s.n > 0 {
		s.end()
	}
	return s.done
}

// settle waits until the disk has the bytes of a file, but not for the file system's
// journal. The local store syncs nothing, and what the disk did not take may read as
// something else later.
func settle(f *os.File) error {
	const written = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	err := unix.SyncFileRange(int(f.Fd()), 0, 0, written)
	if errors.Is(err, unix.ENOSYS) {
		return f.Sync()
	}
	return err
}

// sectionsOf reads a file once, and returns what an object holds for it: its
// chunk sums, if it has more than one chunk, and its bytes. ref lacks the
// object.
func sectionsOf(ctx context.Context, path string, at int64) (ref FileRef, sections []upload.Section, err error) {
	f, err := os.Open(path)
	if err != nil {
		return FileRef{}, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return FileRef{}, nil, err
	}
	if err := settle(f); err != nil {
		return FileRef{}, nil, fmt.Errorf("write %s to the disk: %w", path, err)
	}
	var sums chunkSums
	buf := make([]byte, min(copyBytes, info.Size()+1))
	for {
		if ctx.Err() != nil {
			return FileRef{}, nil, context.Cause(ctx)
		}
		n, err := f.Read(buf)
		_, _ = sums.Write(buf[:n])
		ref.Length += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return FileRef{}, nil, fmt.Errorf("checksum %s: %w", path, err)
		}
	}
	ref.Offset, ref.CRC32C = at, sums.whole
	if n := ref.sumsBytes(); n > 0 {
		s := upload.BytesSection(sums.sums())
		ref.Offset, ref.ChunksCRC32C = at+n, s.CRC32C
		sections = append(sections, s)
	}
	return ref, append(sections, upload.Section{Path: path, Length: ref.Length, CRC32C: ref.CRC32C}), nil
}
