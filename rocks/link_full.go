//go:build grocksdb_clean_link && tidemark_static

package rocks

// For a program without any shared library, as in the container image: build
// with -ldflags '-linkmode external -extldflags "-static"' as well.

// #cgo LDFLAGS: -lrocksdb -lsnappy -llz4 -lzstd -lbz2 -lz -lstdc++ -lm -ldl -lpthread
import "C"
