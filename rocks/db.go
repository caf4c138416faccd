package rocks

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/linxGnu/grocksdb"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks/column"
	"github.com/tidemark/tidemark/rocks/table"
)

// defaultColumn exists in every database. It stays empty.
const defaultColumn = "default"

// columnPrefix keeps the names of states apart from RocksDB's own.
const columnPrefix = "s-"

// DB is a database in a local directory. It belongs to one goroutine, except
// where a method says otherwise.
type DB struct {
	flusher   // its options are for columns that are made later, too
	resources *Resources
	columns   map[string]*column.Column // by the name of the column family
	tables    *table.Tables

	// mu guards what Metrics and Contents read in other goroutines.
	mu      sync.Mutex
	handles []*grocksdb.ColumnFamilyHandle // of columns, in no order
	closed  bool
	leak    leakCheck
}

// Open opens the database in dir, or makes an empty one where there is none. It
// has the columns that are there, and one for each of the states; of a state only
// the name matters here. The DB must be closed.
func Open(dir string, r *Resources, states []state.Descriptor) (_ *DB, err error) {
	if err := r.acquire(); err != nil {
		return nil, &Error{Op: "open", Dir: dir, Message: err.Error(), Err: ErrClosed}
	}
	options, expiry := r.newOptions(), newExpiry(r.options.Clock)
	expiry.attach(options, r.options.RewriteAfter)
	defer func() {
		if err != nil {
			options.Destroy()
			expiry.free()
			r.release()
		}
	}()
	if err := override(options, r.options.Override); err != nil {
		return nil, &Error{Op: "open", Dir: dir, Message: err.Error(), Err: ErrUsage}
	}
	names, err := listColumns(options, dir)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		names = append(names, columnPrefix+s.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	files, err := tableNames(dir)
	if err != nil {
		return nil, &Error{Op: "open", Dir: dir, Message: err.Error(), Err: ErrIO}
	}
	options.SetMaxManifestFileSize(manifestLimit(len(files), len(names)))
	all := make([]*grocksdb.Options, len(names))
	for i := range all {
		all[i] = options
	}
	if err := os.MkdirAll(filepath.Join(dir, flushName), 0o755); err != nil {
		return nil, &Error{Op: "open", Dir: dir, Message: err.Error(), Err: classifyOS(err)}
	}
	db, handles, err := grocksdb.OpenDbColumnFamilies(options, dir, names, all)
	if err != nil {
		return nil, failure("open", dir, err.Error())
	}
	d := &DB{flusher: flusher{dir, db, options, disks[r.options.Disk], expiry, &contents{}}, resources: r, handles: handles, columns: map[string]*column.Column{}}
	expiry.start(d.tableFiles())
	d.tables = r.tables.NewTables(d.writer(""))
	for i, name := range names {
		d.columns[name] = d.newColumn(name, handles[i])
	}
	openHandles.Add(1)
	d.leak.watch(d)
	r.opened(d)
	return d, nil
}

// States returns the names of the states that have a column, in order.
func (d *DB) States() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(d.columns)) {
		if s, ok := strings.CutPrefix(name, columnPrefix); ok {
			names = append(names, s)
		}
	}
	return names
}

// Column returns the column of a state, and makes one if there is none. It is
// valid until Close.
func (d *DB) Column(s state.Descriptor) (state.Column, error) {
	if d.closed {
		return nil, d.closedError("open column")
	}
	name := columnPrefix + s.Name
	if c, ok := d.columns[name]; ok {
		return c, nil
	}
	h, err := d.db.CreateColumnFamily(d.options, name)
	if err != nil {
		return nil, failure("open column "+s.Name, d.dir, err.Error())
	}
	c := d.newColumn(name, h)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handles = append(d.handles, h)
	d.columns[name] = c
	return c, nil
}

// Drop removes the column of a state, with its files. Call it before the DB is used.
func (d *DB) Drop(state string) error {
	if d.closed {
		return d.closedError("drop column")
	}
	name := columnPrefix + state
	i := slices.IndexFunc(d.handles, func(h *grocksdb.ColumnFamilyHandle) bool { return h.Name() == name })
	if c := d.columns[name]; i < 0 || c.Used() {
		return &Error{Op: "drop column " + state, Dir: d.dir, Message: "it is used, or there is none", Err: ErrUsage}
	}
	if err := d.db.DropColumnFamily(d.handles[i]); err != nil {
		return failure("drop column "+state, d.dir, err.Error())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handles[i].Destroy()
	d.handles = slices.Delete(d.handles, i, i+1)
	delete(d.columns, name)
	return nil
}

func (d *DB) newColumn(name string, h *grocksdb.ColumnFamilyHandle) *column.Column {
	return column.New(strings.TrimPrefix(name, columnPrefix), d.tables, family{d.flusher, h, new(int64)})
}

// Close frees the database and leaves its files. Writes that no local checkpoint
// holds may be lost. Iterators must be closed before; Close closes those that are
// open, and returns an error that says so. A second Close fails with ErrClosed.
func (d *DB) Close() error {
	if d.closed {
		return d.closedError("close")
	}
	var err error
	if n := d.tables.Close(d.closedError("use")); n > 0 {
		err = &Error{Op: "close", Dir: d.dir, Message: fmt.Sprintf("%d iterators were open", n), Err: ErrUsage}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.db.CancelAllBackgroundWork(true)
	for _, h := range d.handles {
		h.Destroy()
	}
	d.db.Close()
	d.options.Destroy()
	d.expiry.free()
	d.resources.forget(d)
	d.resources.release()
	openHandles.Add(-1)
	d.leak.closed()
	return err
}

func (d *DB) closedError(op string) error { return &Error{Op: op, Dir: d.dir, Err: ErrClosed} }

// listColumns returns the columns of the database in dir, or the default one
// where there is no database.
func listColumns(o *grocksdb.Options, dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, "CURRENT")); errors.Is(err, os.ErrNotExist) {
		return []string{defaultColumn}, nil
	} else if err != nil {
		return nil, &Error{Op: "open", Dir: dir, Message: err.Error(), Err: ErrIO}
	}
	names, err := grocksdb.ListColumnFamilies(o, dir)
	if err != nil {
		return nil, failure("open", dir, err.Error())
	}
	return names, nil
}
