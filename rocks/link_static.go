//go:build grocksdb_clean_link && !tidemark_static

package rocks

// The libraries are linked statically; only those of the C runtime are not.

// #cgo LDFLAGS: -Wl,-Bstatic -lrocksdb -lsnappy -llz4 -lzstd -lbz2 -lz -Wl,-Bdynamic -lstdc++ -lm -ldl -lpthread
import "C"
