package table

// Below is what a table lies above: a sorted map of bytes. In production it is a
// column family of RocksDB, in package memstate a tree. A Below belongs to the
// goroutine of its table, except where a method says otherwise.
type Below interface {
	// Get appends the value of key to dst.
	Get(dst, key []byte) (value []byte, found bool, err error)
	// Reader returns a reader of many keys at a time. Any goroutine may call it.
	Reader() Reader
	// Scan returns the entries with start ≤ key < end; a nil end is the end of the
	// map. The iterator sees the map as it was when Scan was called. Any goroutine may
	// call it. once says that hardly anybody will read the same soon, so a cache should
	// not keep it.
	Scan(start, end []byte, once bool) Iterator
	// Write writes the entries of a flush, all or none. It reads them with e.Each, and
	// makes them visible to readers inside of e.Publish. It runs in a goroutine of the
	// flush, while the table's goroutine calls the other methods. A table has one
	// Write at a time.
	Write(e *Entries) error
}

// Reader reads many keys at a time. It belongs to one goroutine.
type Reader interface {
	// Read looks up n keys, which ascend, and calls found for each of them in order.
	// stored is valid until found returns; nil: there is no such key. Read ends with
	// found's first error.
	Read(n int, key func(i int) []byte, found func(i int, stored []byte) error) error
}

// Iterator is a position in a sorted map, before the first entry at first.
type Iterator interface {
	// Next moves to the next entry; false at the end and on an error.
	Next() bool
	// Seek moves to the first entry from key on, which is behind the current one; false
	// as for Next. It does not read what lies between.
	Seek(key []byte) bool
	// Key and Value are valid until Next, Seek or Close.
	Key() []byte
	Value() []byte
	Err() error
	// Close may be called again, to no effect.
	Close() error
}
