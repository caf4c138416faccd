package rocks

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/tidemark/tidemark/engine/state"
)

// StoreName is how a checkpoint names this local store.
const StoreName = "rocksdb"

// tableFormat is the version of RocksDB's block-based tables that is written.
const tableFormat = 5

// contents remembers what the local checkpoints hold that Contents has not
// described yet.
type contents struct {
	mu    sync.Mutex
	byDir map[string][]state.TableFile
}

// put also forgets checkpoints that were removed without being asked about.
func (c *contents) put(dir string, tables []state.TableFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.byDir, func(old string, _ []state.TableFile) bool {
		_, err := os.Stat(old)
		return errors.Is(err, os.ErrNotExist)
	})
	if c.byDir == nil {
		c.byDir = map[string][]state.TableFile{}
	}
	c.byDir[dir] = tables
}

// Contents describes the local checkpoint in dir, which must have been written
// without an error. Any goroutine may call it, once for each checkpoint.
func (d *DB) Contents(dir string) (state.Contents, error) {
	d.contents.mu.Lock()
	tables, ok := d.contents.byDir[dir]
	delete(d.contents.byDir, dir)
	d.contents.mu.Unlock()
	if !ok {
		return state.Contents{}, &Error{Op: "describe checkpoint", Dir: dir, Message: "there is none, or it was described before", Err: ErrUsage}
	}
	l := Linked()
	out := state.Contents{Store: StoreName, Version: l.Version, Format: l.TableFormat, Tables: tables}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.columns {
		if s, ok := strings.CutPrefix(name, columnPrefix); ok {
			out.Columns = append(out.Columns, state.StoredColumn{Name: name, State: s})
		}
	}
	return out, nil
}

// tableFiles describes the table files of the database as it is now.
func (s flusher) tableFiles() []state.TableFile {
	var length C.size_t
	buf := C.tm_tables(cDB(s.db), &length)
	defer C.free(unsafe.Pointer(buf))
	b := unsafe.Slice((*byte)(unsafe.Pointer(buf)), int(length))
	var all []state.TableFile
	for len(b) > 0 {
		var texts [4][]byte
		var n [7]uint64
		rest := b[4*len(texts)+8*len(n):]
		for i := range texts {
			length := binary.NativeEndian.Uint32(b[4*i:])
			texts[i], rest = slices.Clone(rest[:length]), rest[length:]
		}
		for i := range n {
			n[i] = binary.NativeEndian.Uint64(b[4*len(texts)+8*i:])
		}
		all = append(all, state.TableFile{
			Name: string(texts[0]), Column: string(texts[1]), Smallest: texts[2], Largest: texts[3],
			Level: int(n[0]), SmallestSeqno: n[1], LargestSeqno: n[2], CreatedUnix: int64(n[3]), Entries: n[4], Deletions: n[5], Epoch: n[6],
		})
		b = rest
	}
	return all
}

// tableNames returns the names of the table files in dir.
func tableNames(dir string) ([]string, error) { return fs.Glob(os.DirFS(dir), "*.sst") }

// tablesIn picks the descriptions of a checkpoint's table files from what the
// database held before and after the checkpoint was made. It reports false
// where one is missing: a compaction made the file and another consumed it in
// between. What is described never changes while a file lives, its level
// neither: universal compaction rewrites files, and does not move them.
func tablesIn(dir string, lists ...[]state.TableFile) ([]state.TableFile, bool, error) {
	names, err := tableNames(dir)
	if err != nil {
		return nil, false, err
	}
	known := map[string]state.TableFile{}
	for _, list := range lists {
		for _, t := range list {
			known[t.Name] = t
		}
	}
	tables := make([]state.TableFile, len(names))
	for i, name := range names {
		t, ok := known[name]
		if !ok {
			return nil, false, nil
		}
		tables[i] = t
	}
	return tables, true, nil
}

// checkpointTries bounds how often a checkpoint is made anew because one of its
// files could not be described.
const checkpointTries = 5

// checkpoint makes dir a copy of the database, write buffers included, and
// remembers what it holds.
func (s flusher) checkpoint(dir string) error {
	for range checkpointTries {
		before := s.tableFiles()
		if err := s.copyTo(dir); err != nil {
			return err
		}
		tables, ok, err := tablesIn(dir, before, s.tableFiles())
		if err != nil {
			return &Error{Op: "checkpoint", Dir: s.dir, Message: err.Error(), Err: ErrIO}
		}
		if ok {
			s.contents.put(dir, tables)
			return nil
		}
		if err := os.RemoveAll(dir); err != nil {
			return &Error{Op: "checkpoint", Dir: s.dir, Message: err.Error(), Err: ErrIO}
		}
	}
	return &Error{Op: "checkpoint", Dir: s.dir, Message: fmt.Sprintf("compactions replaced files during each of %d tries", checkpointTries), Err: ErrIO}
}
