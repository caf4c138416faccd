package incremental

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

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
