package incremental

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/upload"
)

// verifyTarget is an object, and the files that should lie in it.
type verifyTarget struct {
	object Object
	files  []verifyFile // by offset
}

// verifyFile is a piece of an object with a checksum: a file, its chunk sums, or
// records in flight.
type verifyFile struct {
	label string // "operator/index name"
	ref   FileRef
}

// piece is what of the object the file is.
func (f verifyFile) piece() FileRef {
	f.ref.Object = ""
	return f.ref
}

// verifyTargets lists what to read, by object name, and the damage that shows
// in the manifest itself: handles that disagree about an object.
func verifyTargets(m *Manifest) ([]*verifyTarget, []Damage) {
	targets := map[string]*verifyTarget{}
	disputed := map[string]Damage{}
	add := func(o Object) {
		o.Adopted = 0 // differs between handles
		if t, ok := targets[o.Name]; !ok {
			targets[o.Name] = &verifyTarget{object: o}
		} else if t.object != o {
			err := fmt.Errorf("%w: one handle says %d bytes and CRC32C %08x, another %d and %08x", upload.ErrCorrupt, t.object.Size, t.object.CRC32C, o.Size, o.CRC32C)
			disputed[o.Name] = Damage{Object: o.Name, Err: &CorruptStateError{Object: o.Name, Err: err}}
		}
	}
	for _, s := range m.Subtasks {
		for _, f := range s.InFlight {
			if p := f.Piece; p != (Piece{}) {
				add(p.Object)
				t := targets[p.Object.Name]
				t.files = append(t.files, verifyFile{fmt.Sprintf("%s/%d records in flight", s.Operator, s.Index), FileRef{Offset: p.Offset, Length: p.Length, CRC32C: p.CRC32C}})
			}
		}
		if s.Keyed == nil {
			continue
		}
		for _, o := range s.Keyed.Objects {
			add(o)
		}
		for _, f := range s.Keyed.Files {
			t := targets[f.Ref.Object]
			label := fmt.Sprintf("%s/%d %s", s.Operator, s.Index, f.Name)
			if n := f.Ref.sumsBytes(); n > 0 {
				t.files = append(t.files, verifyFile{label + " (chunk sums)", FileRef{Offset: f.Ref.Offset - n, Length: n, CRC32C: f.Ref.ChunksCRC32C}})
			}
			t.files = append(t.files, verifyFile{label, f.Ref})
		}
	}
	for name := range disputed {
		delete(targets, name)
	}
	list := slices.SortedFunc(maps.Values(targets), func(a, b *verifyTarget) int { return cmp.Compare(a.object.Name, b.object.Name) })
	for _, t := range list {
		slices.SortFunc(t.files, func(a, b verifyFile) int { return cmp.Compare(a.ref.Offset, b.ref.Offset) })
	}
	return list, slices.Collect(maps.Values(disputed))
}

// verify reads the object, and once more if it is damaged: bytes may have been changed on
// their way, or the checksum that the store keeps may be wrong. The second time only the
// manifest's counts. An error is one of the store, not of the object.
func (t *verifyTarget) verify(ctx context.Context, r upload.Reader) (int64, *Damage, error) {
	n, d, err := t.read(func() (io.ReadCloser, upload.Info, error) { return r.Get(ctx, t.object.Name) })
	if err != nil || d == nil || errors.Is(d.Err, upload.ErrNotExist) {
		return n, d, err
	}
	return t.read(func() (io.ReadCloser, upload.Info, error) {
		info, err := r.Head(ctx, t.object.Name)
		if err != nil {
			return nil, info, err
		}
		body, err := r.GetRange(ctx, t.object.Name, 0, info.Size)
		return body, info, err
	})
}

func (t *verifyTarget) read(open func() (io.ReadCloser, upload.Info, error)) (n int64, _ *Damage, err error) {
	body, info, err := open()
	if errors.Is(err, upload.ErrNotExist) || errors.Is(err, upload.ErrCorrupt) {
		return 0, t.damage(err, nil), nil
	}
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	sums := fileSums{files: t.files, crc: make([]uint32, len(t.files)), chunks: make([]chunkSums, len(t.files))}
	n, err = io.CopyBuffer(&sums, body, make([]byte, 256<<10))
	if err != nil && !errors.Is(err, upload.ErrCorrupt) {
		return n, nil, fmt.Errorf("read %s: %w", t.object.Name, err)
	}
	switch bad := sums.mismatches(); {
	case err != nil:
		return n, t.damage(err, bad), nil
	case n != t.object.Size:
		err := fmt.Errorf("%w: %d bytes (the store says %d), the manifest says %d", upload.ErrCorrupt, n, info.Size, t.object.Size)
		return n, t.damage(err, bad), nil
	case sums.whole != t.object.CRC32C:
		err := fmt.Errorf("%w: CRC32C is %08x, the manifest says %08x", upload.ErrCorrupt, sums.whole, t.object.CRC32C)
		return n, t.damage(err, bad), nil
	case len(bad) > 0:
		return n, t.damage(fmt.Errorf("%w: the object is as it was put, but files in it are not what the manifest says", upload.ErrCorrupt), bad), nil
	}
	return n, nil, nil
}

// damage describes the object; nil files means all of them.
func (t *verifyTarget) damage(err error, files []string) *Damage {
	if files == nil {
		for _, f := range t.files {
			files = append(files, f.label)
		}
	}
	slices.Sort(files)
	return &Damage{Object: t.object.Name, Files: files, Err: &CorruptStateError{Object: t.object.Name, Err: err}}
}

// fileSums is a writer that sums an object and, as they pass by, the files in
// it.
type fileSums struct {
	files []verifyFile // by offset
	crc   []uint32
	// chunks are the sums of the chunks of each file that has more than one.
	chunks []chunkSums
	whole  uint32
	at     int64
	done   int // files before this one have passed
}

// Write implements io.Writer; it never fails.
func (s *fileSums) Write(p []byte) (int, error) {
	end := s.at + int64(len(p))
	for i := s.done; i < len(s.files) && s.files[i].ref.Offset < end; i++ {
		ref := s.files[i].ref
		from, to := max(ref.Offset, s.at), min(ref.Offset+ref.Length, end)
		if from < to {
			if ref.ChunksCRC32C != 0 {
				_, _ = s.chunks[i].Write(p[from-s.at : to-s.at])
			}
			s.crc[i] = upload.ExtendCRC32C(s.crc[i], p[from-s.at:to-s.at])
		}
		if i == s.done && ref.Offset+ref.Length <= end {
			s.done++
		}
	}
	s.whole = upload.ExtendCRC32C(s.whole, p)
	s.at = end
	return len(p), nil
}

// mismatches returns the labels of files that are cut off or have another
// checksum; it is never nil.
func (s *fileSums) mismatches() []string {
	bad := []string{}
	for i, f := range s.files {
		chunks := f.ref.ChunksCRC32C
		if f.ref.Offset+f.ref.Length > s.at || s.crc[i] != f.ref.CRC32C || chunks != 0 && upload.CRC32C(s.chunks[i].sums()) != chunks {
			bad = append(bad, f.label)
		}
	}
	return bad
}
