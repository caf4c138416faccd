package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// BodyFromBytes returns a Body of b. b must not change while the Body is in use.
func BodyFromBytes(b []byte) Body {
	return Body{Size: int64(len(b)), CRC32C: CRC32C(b), Open: func() (io.ReadSeekCloser, error) {
		return nopCloser{bytes.NewReader(b)}, nil
	}}
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// Section is a piece of a local file, or of memory, whose checksum is known.
type Section struct {
	Path   string
	Bytes  []byte // where Path is empty: all of them, from Offset zero
	Offset int64
	Length int64
	CRC32C uint32 // of these bytes
}

// BytesSection returns the section that is b, which must not change while it is
// in use.
func BytesSection(b []byte) Section {
	return Section{Bytes: b, Length: int64(len(b)), CRC32C: CRC32C(b)}
}

// FileSection returns a whole file as a section. It reads the file once for the
// checksum.
func FileSection(ctx context.Context, path string) (s Section, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Section{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, crc, err := checksumReader(ctx, f)
	if err != nil {
		return Section{}, fmt.Errorf("checksum %s: %w", path, err)
	}
	return Section{Path: path, Length: n, CRC32C: crc}, nil
}

// BodyFromFile returns a Body of a file. It reads the file once for the checksum.
func BodyFromFile(ctx context.Context, path string) (Body, error) {
	s, err := FileSection(ctx, path)
	if err != nil {
		return Body{}, err
	}
	return BodyFromSections(s), nil
}

// BodyFromFiles returns a Body of the files one after another, and each file's
// section, in order. It reads each file once for the checksum.
func BodyFromFiles(ctx context.Context, paths ...string) (Body, []Section, error) {
	sections := make([]Section, len(paths))
	for i, path := range paths {
		s, err := FileSection(ctx, path)
		if err != nil {
			return Body{}, nil, err
		}
		sections[i] = s
	}
	return BodyFromSections(sections...), sections, nil
}

// BodyFromSections returns a Body of the sections one after another. It reads
// nothing: the checksum is combined from theirs. The files must not change while
// the Body is in use. A reader has one of them open at a time.
func BodyFromSections(sections ...Section) Body {
	b := Body{}
	for _, s := range sections {
		b.CRC32C = CombineCRC32C(b.CRC32C, s.CRC32C, s.Length)
		b.Size += s.Length
	}
	size := b.Size
	b.Open = func() (io.ReadSeekCloser, error) {
		return &sectionsReader{sections: sections, size: size}, nil
	}
	return b
}

// sectionsReader reads sections as one sequence of bytes.
type sectionsReader struct {
	sections []Section
	size     int64
	pos      int64

	file      io.ReadSeekCloser // of the section at index current; nil: none open
	current   int
	remaining int64 // of the open section
}

func (r *sectionsReader) Read(p []byte) (int, error) {
	for {
		if len(p) == 0 {
			return 0, nil
		}
		if r.pos >= r.size {
			return 0, io.EOF
		}
		if r.file == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.file.Read(p[:min(int64(len(p)), r.remaining)])
		r.pos += int64(n)
		r.remaining -= int64(n)
		if err == io.EOF && r.remaining > 0 {
			s := r.sections[r.current]
			return n, fmt.Errorf("%w: file %s is shorter than %d bytes", ErrCorrupt, s.Path, s.Offset+s.Length)
		}
		if r.remaining == 0 {
			if cerr := r.Close(); err == nil || err == io.EOF {
				err = cerr
			}
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// open opens the section that holds pos, which is below size.
func (r *sectionsReader) open() error {
	start := int64(0)
	for i, s := range r.sections {
		if r.pos >= start+s.Length {
			start += s.Length
			continue
		}
		f, err := s.open()
		if err != nil {
			return err
		}
		skip := r.pos - start
		if _, err := f.Seek(s.Offset+skip, io.SeekStart); err != nil {
			return errors.Join(err, f.Close())
		}
		r.file, r.current, r.remaining = f, i, s.Length-skip
		return nil
	}
	return io.ErrUnexpectedEOF
}

func (s Section) open() (io.ReadSeekCloser, error) {
	if s.Path == "" {
		return nopCloser{bytes.NewReader(s.Bytes)}, nil
	}
	return os.Open(s.Path)
}

func (r *sectionsReader) Seek(offset int64, whence int) (int64, error) {
	to, err := seekTarget(r.pos, r.size, offset, whence)
	if err != nil || to == r.pos {
		return to, err
	}
	r.pos = to
	return to, r.Close()
}

// Close closes the open file. A later Read opens it again.
func (r *sectionsReader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}

func seekTarget(pos, size, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += pos
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 {
		return pos, errors.New("seek before the start")
	}
	return offset, nil
}
