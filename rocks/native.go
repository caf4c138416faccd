package rocks

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/linxGnu/grocksdb"
)

// Package grocksdb keeps the C handle in the first field of its types and
// hands it to nobody. The shim needs it. Should a version of grocksdb differ,
// the program says so when it starts instead of crashing when it runs.
func init() {
	for _, t := range []reflect.Type{
		reflect.TypeFor[grocksdb.DB](), reflect.TypeFor[grocksdb.Options](),
		reflect.TypeFor[grocksdb.Cache](), reflect.TypeFor[grocksdb.LRUCacheOptions](), reflect.TypeFor[grocksdb.BlockBasedTableOptions](), reflect.TypeFor[grocksdb.ColumnFamilyHandle](),
	} {
		if f := t.Field(0); f.Name != "c" || f.Type.Kind() != reflect.Pointer {
			panic(fmt.Sprintf("rocks: %v does not begin with its C handle: adapt native.go to this version of grocksdb", t))
		}
	}
	// The shim reads RocksDB's structs, whose layout is that of the headers.
	if is, was := taken(C.tm_version()), taken(C.tm_compiled_version()); is != was {
		panic(fmt.Sprintf("rocks: linked with RocksDB %s and compiled with the headers of %s: give the compiler the headers of the library (CGO_CPPFLAGS), or the linker the library of the headers (CGO_LDFLAGS)", is, was))
	}
}

func handle[T any](p *T) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(p)) }

func cDB(d *grocksdb.DB) *C.rocksdb_t { return (*C.rocksdb_t)(handle(d)) }

func cOptions(o *grocksdb.Options) *C.rocksdb_options_t { return (*C.rocksdb_options_t)(handle(o)) }

func cCache(c *grocksdb.Cache) *C.rocksdb_cache_t { return (*C.rocksdb_cache_t)(handle(c)) }

func cCacheOptions(o *grocksdb.LRUCacheOptions) *C.rocksdb_lru_cache_options_t {
	return (*C.rocksdb_lru_cache_options_t)(handle(o))
}

func cTableOptions(o *grocksdb.BlockBasedTableOptions) *C.rocksdb_block_based_table_options_t {
	return (*C.rocksdb_block_based_table_options_t)(handle(o))
}

func cColumn(h *grocksdb.ColumnFamilyHandle) *C.rocksdb_column_family_handle_t {
	return (*C.rocksdb_column_family_handle_t)(handle(h))
}

// bytesOf returns where b begins, for a call that does not retain it.
func bytesOf(b []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))) }

// taken returns the message as a Go string and frees it.
func taken(message *C.char) string {
	defer C.free(unsafe.Pointer(message))
	return C.GoString(message)
}
