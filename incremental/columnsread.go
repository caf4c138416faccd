package incremental

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental/format"
)

// keyedReader deals out the handles of a body.
type keyedReader struct {
	in       *format.Keyed
	states   []state.Descriptor
	backends []BackendInfo
	objects  []Object
	files    []File
	tables   []Table

	handles, uses, filesRead, tablesRead int // how many were dealt out
	order                                firstUse
}

// firstUse checks that numbers of a table come first in ascending order, and
// all of them: a table has no other spelling.
type firstUse struct{ states, backends, objects, stems, places int }

var errOrder = errors.New("not in canonical form: a table's entries are not in the order of their use")

func (*firstUse) check(seen *int, n uint32, of int) error {
	switch {
	case int(n) >= of:
		return fmt.Errorf("entry %d of a table of %d", n, of)
	case int(n) > *seen:
		return errOrder
	case int(n) == *seen:
		*seen++
	}
	return nil
}

func newKeyedReader(b *format.Keyed) (*keyedReader, error) {
	if b == nil {
		b = &format.Keyed{}
	} else if len(b.Handles) == 0 && b.Objects == nil {
		return nil, errors.New("not in canonical form: tables without handles")
	}
	k := &keyedReader{in: b}
	k.states = mapped(b.States, func(s *format.State) state.Descriptor {
		return state.Descriptor{Name: s.Name, Kind: state.Kind(s.Kind), Key: s.Key, Namespace: s.Namespace, MapKey: s.MapKey, Value: s.Value}
	})
	k.backends = mapped(b.Backends, func(s *format.Backend) BackendInfo { return BackendInfo{s.Name, s.Version, int(s.Format)} })
	if err := errors.Join(distinct(k.states), distinct(k.backends)); err != nil {
		return nil, err
	}
	return k, errors.Join(k.readObjects(), k.readFiles(), k.readTables())
}

// distinct returns an error where a table holds a value twice.
func distinct[T comparable](values []T) error {
	seen := make(map[T]struct{}, len(values))
	for _, v := range values {
		seen[v] = struct{}{}
	}
	if len(seen) != len(values) {
		return errors.New("not in canonical form: a table holds an entry twice")
	}
	return nil
}

// columnsOf checks that columns have the same length.
func columnsOf(what string, lengths ...int) error {
	for _, n := range lengths {
		if n != lengths[0] {
			return fmt.Errorf("columns of %s have %d and %d values", what, lengths[0], n)
		}
	}
	return nil
}

func (k *keyedReader) readObjects() error {
	b := k.in.Objects
	places := append([]Place{{}}, mapped(k.in.Places, func(p *format.Place) Place { return Place{p.Store, p.Job} })...)
	if err := errors.Join(distinct(places), distinct(b.GetStems())); err != nil {
		return err
	}
	if b == nil {
		if len(places) > 1 {
			return errOrder
		}
		return nil
	}
	n := len(b.Stem)
	if err := columnsOf("objects", n, len(b.Random), len(b.Bytes), len(b.Crc32C), len(b.Place)); err != nil {
		return err
	}
	k.order.places = 1
	k.objects = make([]Object, n)
	seen := make(map[objectKey]struct{}, n)
	for i := range n {
		err := errors.Join(k.order.check(&k.order.stems, b.Stem[i], len(b.Stems)), k.order.check(&k.order.places, b.Place[i], len(places)))
		if err != nil {
			return err
		}
		stem := b.Stems[b.Stem[i]]
		o := Object{Name: objectNameOf(stem, b.Random[i]), Size: int64(b.Bytes[i]), CRC32C: b.Crc32C[i], Place: places[b.Place[i]]}
		if again, _ := cutObjectName(o.Name); again != stem {
			return fmt.Errorf("not in canonical form: the stem %q of object %s", stem, o.Name)
		}
		k.objects[i] = o
		seen[objectKey{o.Name, o.Size, o.CRC32C, b.Place[i]}] = struct{}{}
	}
	if len(seen) != n {
		return errors.New("not in canonical form: an object twice")
	}
	if k.order.stems != len(b.Stems) || k.order.places != len(places) {
		return errOrder
	}
	return nil
}

func (k *keyedReader) readFiles() error {
	b := k.in.Files
	if b == nil {
		return nil
	}
	n := len(b.Name)
	if err := columnsOf("files", n, len(b.Immutable), len(b.Use), len(b.Offset), len(b.Bytes), len(b.Crc32C), len(b.ChunksCrc32C), len(b.Instance)); err != nil {
		return err
	}
	k.files = make([]File, n)
	for i := range n {
		k.files[i] = File{Name: b.Name[i], Immutable: b.Immutable[i], Instance: int(b.Instance[i]), Ref: FileRef{
			Offset: int64(b.Offset[i]), Length: int64(b.Bytes[i]), CRC32C: b.Crc32C[i], ChunksCRC32C: b.ChunksCrc32C[i],
		}}
	}
	return nil
}

func (k *keyedReader) readTables() error {
	b := k.in.Tables
	if b == nil {
		return nil
	}
	n := len(b.File)
	err := columnsOf("tables", n, len(b.Shard), len(b.Level), len(b.SmallestSeqno), len(b.LargestSeqno), len(b.Epoch), len(b.FirstGroup), len(b.EndGroup),
		len(b.SmallestKey), len(b.LargestKey), len(b.CreatedS), len(b.Entries), len(b.Deletions))
	if err != nil {
		return err
	}
	k.tables = make([]Table, n)
	for i := range n {
		k.tables[i] = Table{
			TableFile: state.TableFile{
				Level: int(b.Level[i]), SmallestSeqno: b.SmallestSeqno[i], LargestSeqno: b.LargestSeqno[i], Epoch: b.Epoch[i],
				Smallest: b.SmallestKey[i], Largest: b.LargestKey[i], CreatedUnix: int64(b.CreatedS[i]), Entries: b.Entries[i], Deletions: b.Deletions[i],
			},
			Groups: keygroup.Range{Start: int(b.FirstGroup[i]), End: int(b.EndGroup[i])},
		}
	}
	return nil
}

// next returns the next handle.
func (k *keyedReader) next() (*Handle, error) {
	if k.handles == len(k.in.Handles) {
		return nil, errors.New("its keyed state is missing")
	}
	b := k.in.Handles[k.handles]
	k.handles++
	h := &Handle{
		Operator: checkpoint.OperatorID(b.Operator), Index: int(b.Index), Range: groupsOf(b.Groups),
		Checkpoint: checkpoint.ID(b.Checkpoint), Uploaded: int64(b.UploadedBytes),
	}
	if err := k.order.check(&k.order.backends, b.Backend, len(k.backends)); err != nil {
		return nil, err
	}
	h.Backend = k.backends[b.Backend]
	for _, s := range b.States {
		if err := k.order.check(&k.order.states, s, len(k.states)); err != nil {
			return nil, err
		}
		h.States = append(h.States, k.states[s])
	}
	for _, sh := range b.Shards {
		if int(sh.State) >= len(h.States) {
			return nil, fmt.Errorf("shard of state %d of %d", sh.State, len(h.States))
		}
		h.Shards = append(h.Shards, Shard{State: h.States[sh.State].Name, Column: sh.Column, Groups: groupsOf(sh.Groups), Instance: int(sh.Instance)})
	}
	if err := errors.Join(k.dealObjects(h, int(b.Uses)), k.dealFiles(h, int(b.Files), int(b.Tables))); err != nil {
		return nil, err
	}
	for _, a := range b.Auxiliary {
		h.Auxiliary = append(h.Auxiliary, Auxiliary{State: a.State, Purpose: a.Purpose, File: a.File})
	}
	return h, nil
}

func (k *keyedReader) dealObjects(h *Handle, n int) error {
	b := k.in.Uses
	if err := columnsOf("uses", len(b.GetObject()), len(b.GetAdoptedBytes())); err != nil || n > len(b.GetObject())-k.uses {
		return errors.Join(err, fmt.Errorf("%d objects of %d", n, len(b.GetObject())-k.uses))
	}
	if n == 0 {
		return nil
	}
	h.Objects = make([]Object, n)
	for i := range n {
		o, err := k.object(b.Object[k.uses])
		if err != nil {
			return err
		}
		o.Adopted = int64(b.AdoptedBytes[k.uses])
		h.Objects[i] = o
		k.uses++
	}
	return nil
}

// object returns an object by its number.
func (k *keyedReader) object(n uint32) (Object, error) {
	if err := k.order.check(&k.order.objects, n, len(k.objects)); err != nil {
		return Object{}, err
	}
	return k.objects[n], nil
}

// dealFiles gives a handle its files. The slice is the handle's own, so that
// one handle does not keep the files of all in memory.
func (k *keyedReader) dealFiles(h *Handle, files, tables int) error {
	if files > len(k.files)-k.filesRead || tables > len(k.tables)-k.tablesRead {
		return fmt.Errorf("%d files of %d, %d tables of %d", files, len(k.files)-k.filesRead, tables, len(k.tables)-k.tablesRead)
	}
	if files == 0 && tables == 0 {
		return nil
	}
	use := k.in.Files.GetUse()[k.filesRead:]
	h.Files = append([]File(nil), k.files[k.filesRead:k.filesRead+files]...)
	for i := range h.Files {
		if int(use[i]) >= len(h.Objects) {
			return fmt.Errorf("file %.80q lies in object %d of %d", h.Files[i].Name, use[i], len(h.Objects))
		}
		h.Files[i].Ref.Object = h.Objects[use[i]].Name
	}
	last := -1
	for range tables {
		file := int(k.in.Tables.File[k.tablesRead])
		if file <= last || file >= files {
			return fmt.Errorf("not in canonical form: table of file %d behind that of file %d, of %d", file, last, files)
		}
		t, shard := k.tables[k.tablesRead], int(k.in.Tables.Shard[k.tablesRead])
		if shard >= len(h.Shards) {
			return fmt.Errorf("table in shard %d of %d", shard, len(h.Shards))
		}
		t.Column = h.Shards[shard].Column
		h.Files[file].Table = &t
		if h.shardOf(&h.Files[file]) != shard {
			return fmt.Errorf("table of file %.80q in a shard of another column", h.Files[file].Name)
		}
		last = file
		k.tablesRead++
	}
	k.filesRead += files
	return nil
}

// done checks that everything was dealt out.
func (k *keyedReader) done() error {
	if k.handles != len(k.in.Handles) || k.uses != len(k.in.Uses.GetObject()) || k.filesRead != len(k.files) || k.tablesRead != len(k.tables) {
		return errors.New("there are handles, objects, files or tables that belong to no subtask")
	}
	if k.order.states != len(k.states) || k.order.backends != len(k.backends) || k.order.objects != len(k.objects) {
		return errOrder
	}
	return nil
}
