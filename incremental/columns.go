package incremental

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental/format"
)

// table numbers values in the order in which they come first: in a body, what
// recurs is written once.
type table[T comparable] struct {
	number map[T]uint32
	values []T
}

func (t *table[T]) of(v T) uint32 {
	n, ok := t.number[v]
	if !ok {
		if t.number == nil {
			t.number = map[T]uint32{}
		}
		n = uint32(len(t.values))
		t.number[v] = n
		t.values = append(t.values, v)
	}
	return n
}

// objectKey is an Object but for what differs between handles.
type objectKey struct {
	name   string
	size   int64
	crc32c uint32
	place  uint32
}

// keyedWriter gathers the handles of a body as columns.
type keyedWriter struct {
	out      format.Keyed
	states   table[state.Descriptor]
	backends table[BackendInfo]
	places   table[Place]
	// objects finds an object by its random number, others those few that have
	// the number of a different one.
	objects map[uint64]uint32
	others  map[objectKey]uint32
	count   uint32
	stems   table[string]
}

// newKeyedWriter makes room for the handles of the subtasks.
func newKeyedWriter(subtasks []Subtask) *keyedWriter {
	var objects, files, tables int
	for _, s := range subtasks {
		if s.Keyed == nil {
			continue
		}
		objects += len(s.Keyed.Objects)
		files += len(s.Keyed.Files)
		for i := range s.Keyed.Files {
			if s.Keyed.Files[i].Table != nil {
				tables++
			}
		}
	}
	k := &keyedWriter{objects: make(map[uint64]uint32, objects), others: map[objectKey]uint32{}}
	k.places.of(Place{}) // number 0 is the job's own
	k.out.Objects = &format.Objects{
		Stem: make([]uint32, 0, objects), Random: make([]uint64, 0, objects), Bytes: make([]uint64, 0, objects),
		Crc32C: make([]uint32, 0, objects), Place: make([]uint32, 0, objects),
	}
	k.out.Uses = &format.Uses{Object: make([]uint32, 0, objects), AdoptedBytes: make([]uint64, 0, objects)}
	k.out.Files = &format.Files{
		Name: make([]string, 0, files), Immutable: make([]bool, 0, files), Use: make([]uint32, 0, files), Offset: make([]uint64, 0, files),
		Bytes: make([]uint64, 0, files), Crc32C: make([]uint32, 0, files), ChunksCrc32C: make([]uint32, 0, files),
		Instance: make([]uint32, 0, files),
	}
	k.out.Tables = &format.Tables{
		File: make([]uint32, 0, tables), Shard: make([]uint32, 0, tables), Level: make([]uint32, 0, tables),
		SmallestSeqno: make([]uint64, 0, tables), LargestSeqno: make([]uint64, 0, tables), Epoch: make([]uint64, 0, tables),
		CreatedS: make([]uint64, 0, tables), Entries: make([]uint64, 0, tables), Deletions: make([]uint64, 0, tables),
		FirstGroup: make([]uint32, 0, tables), EndGroup: make([]uint32, 0, tables),
		SmallestKey: make([][]byte, 0, tables), LargestKey: make([][]byte, 0, tables),
	}
	return k
}

// add appends a handle, which must be valid.
func (k *keyedWriter) add(h *Handle) {
	b := &format.Handle{
		Operator: string(h.Operator), Index: uint32(h.Index), Groups: groupsBody(h.Range), Checkpoint: uint64(h.Checkpoint),
		UploadedBytes: uint64(h.Uploaded), Backend: k.backends.of(h.Backend),
		States: mapped(h.States, k.states.of), Uses: uint32(len(h.Objects)), Files: uint32(len(h.Files)),
	}
	for _, o := range h.Objects {
		k.out.Uses.Object = append(k.out.Uses.Object, k.object(o))
		k.out.Uses.AdoptedBytes = append(k.out.Uses.AdoptedBytes, uint64(o.Adopted))
	}
	f, find := k.out.Files, h.objectFinder()
	for i := range h.Files {
		file := &h.Files[i]
		f.Name = append(f.Name, file.Name)
		f.Immutable = append(f.Immutable, file.Immutable)
		f.Use = append(f.Use, uint32(find(file.Ref.Object)))
		f.Offset = append(f.Offset, uint64(file.Ref.Offset))
		f.Bytes = append(f.Bytes, uint64(file.Ref.Length))
		f.Crc32C = append(f.Crc32C, file.Ref.CRC32C)
		f.ChunksCrc32C = append(f.ChunksCrc32C, file.Ref.ChunksCRC32C)
		f.Instance = append(f.Instance, uint32(file.Instance))
		if file.Table != nil {
			b.Tables++
			k.table(uint32(i), uint32(h.shardOf(file)), file.Table)
		}
	}
	for _, sh := range h.Shards {
		n, _ := slices.BinarySearchFunc(h.States, sh.State, func(d state.Descriptor, name string) int { return cmp.Compare(d.Name, name) })
		b.Shards = append(b.Shards, &format.Shard{State: uint32(n), Column: sh.Column, Groups: groupsBody(sh.Groups), Instance: uint32(sh.Instance)})
	}
	for _, a := range h.Auxiliary {
		b.Auxiliary = append(b.Auxiliary, &format.Auxiliary{State: a.State, Purpose: a.Purpose, File: a.File})
	}
	k.out.Handles = append(k.out.Handles, b)
}

func (k *keyedWriter) table(file, shard uint32, t *Table) {
	o := k.out.Tables
	o.File = append(o.File, file)
	o.Shard = append(o.Shard, shard)
	o.Level = append(o.Level, uint32(t.Level))
	o.SmallestSeqno = append(o.SmallestSeqno, t.SmallestSeqno)
	o.LargestSeqno = append(o.LargestSeqno, t.LargestSeqno)
	o.Epoch = append(o.Epoch, t.Epoch)
	o.CreatedS = append(o.CreatedS, uint64(t.CreatedUnix))
	o.Entries = append(o.Entries, t.Entries)
	o.Deletions = append(o.Deletions, t.Deletions)
	o.FirstGroup = append(o.FirstGroup, uint32(t.Groups.Start))
	o.EndGroup = append(o.EndGroup, uint32(t.Groups.End))
	o.SmallestKey = append(o.SmallestKey, t.Smallest)
	o.LargestKey = append(o.LargestKey, t.Largest)
}

// object returns an object's number, and writes it if it is new.
func (k *keyedWriter) object(o Object) uint32 {
	stem, random := cutObjectName(o.Name)
	b, stemNumber, place := k.out.Objects, k.stems.of(stem), uint32(0)
	if o.Place != (Place{}) {
		place = k.places.of(o.Place)
	}
	n, found := k.objects[random]
	if found && (b.Stem[n] != stemNumber || b.Bytes[n] != uint64(o.Size) || b.Crc32C[n] != o.CRC32C || b.Place[n] != place) {
		key := objectKey{o.Name, o.Size, o.CRC32C, place}
		if n, found = k.others[key]; !found {
			k.others[key] = k.count
		}
	} else if !found {
		k.objects[random] = k.count
	}
	if found {
		return n
	}
	b.Stem = append(b.Stem, stemNumber)
	b.Random = append(b.Random, random)
	b.Bytes = append(b.Bytes, uint64(o.Size))
	b.Crc32C = append(b.Crc32C, o.CRC32C)
	b.Place = append(b.Place, place)
	k.count++
	return k.count - 1
}

// body returns what was gathered, nil where that is nothing.
func (k *keyedWriter) body() *format.Keyed {
	out := &k.out
	out.States = mapped(k.states.values, func(d state.Descriptor) *format.State {
		return &format.State{Name: d.Name, Kind: format.StateKind(d.Kind), Key: d.Key, Namespace: d.Namespace, MapKey: d.MapKey, Value: d.Value}
	})
	out.Backends = mapped(k.backends.values, func(b BackendInfo) *format.Backend {
		return &format.Backend{Name: b.Name, Version: b.Version, Format: uint32(b.Format)}
	})
	out.Places = mapped(k.places.values[1:], func(p Place) *format.Place { return &format.Place{Store: p.Store, Job: p.Job} })
	out.Objects.Stems = k.stems.values
	if len(out.Objects.Stem) == 0 {
		out.Objects = nil
	}
	if len(out.Uses.Object) == 0 {
		out.Uses = nil
	}
	if len(out.Files.Name) == 0 {
		out.Files = nil
	}
	if len(out.Tables.File) == 0 {
		out.Tables = nil
	}
	if len(out.Handles) == 0 && out.Objects == nil {
		return nil
	}
	return out
}

// cutObjectName parts an object's name into what many have in common and the
// random number at its end. What spreads the names of data objects over
// prefixes follows from the rest, and is left out.
func cutObjectName(name string) (stem string, random uint64) {
	random, _ = strconv.ParseUint(name[len(name)-16:], 16, 64)
	stem = name[:len(name)-16]
	if strings.HasPrefix(stem, DataPrefix) {
		return stem[len(DataPrefix)+3:], random
	}
	return stem, random
}

// objectNameOf is the inverse of cutObjectName.
func objectNameOf(stem string, random uint64) string {
	var digits [16]byte
	for i := range digits {
		digits[i] = "0123456789abcdef"[random>>(60-4*i)&15]
	}
	if strings.Contains(stem, "/") {
		return stem + string(digits[:])
	}
	base := stem + string(digits[:])
	return DataPrefix + spread(base) + "/" + base
}

func groupsBody(r keygroup.Range) *format.Groups {
	if r == (keygroup.Range{}) {
		return nil
	}
	return &format.Groups{First: uint32(r.Start), End: uint32(r.End)}
}

func groupsOf(b *format.Groups) keygroup.Range {
	return keygroup.Range{Start: int(b.GetFirst()), End: int(b.GetEnd())}
}

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
		o := Object{Name: objectNameOf(b.Stems[b.Stem[i]], b.Random[i]), Size: int64(b.Bytes[i]), CRC32C: b.Crc32C[i], Place: places[b.Place[i]]}
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
