package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const magic = "PAR1"

var errEncrypted = errors.New("the file is encrypted, which is not supported")

// readFooter decodes the footer of a file of size bytes.
func readFooter(r io.ReaderAt, size int64) (*format.FileMetaData, error) {
	var head [4]byte
	var tail [8]byte
	if size < int64(len(head)+len(tail)) {
		return nil, fmt.Errorf("%d bytes are no parquet file", size)
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	if _, err := r.ReadAt(tail[:], size-int64(len(tail))); err != nil {
		return nil, err
	}
	if string(head[:]) == "PARE" || string(tail[4:]) == "PARE" {
		return nil, errEncrypted
	}
	if string(head[:]) != magic || string(tail[4:]) != magic {
		return nil, fmt.Errorf("magic bytes %q and %q, want %q twice: it is no parquet file, or was cut short", head[:], tail[4:], magic)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	start := size - int64(len(tail)) - length
	if start < int64(len(head)) {
		return nil, fmt.Errorf("a footer of %d bytes in a file of %d", length, size)
	}
	b := make([]byte, length)
	if _, err := r.ReadAt(b, start); err != nil {
		return nil, err
	}
	meta := new(format.FileMetaData)
	if err := guard(func() error { return thrift.Unmarshal(protocol(), b, meta) }); err != nil {
		if meta.EncryptionAlgorithm.Value != nil { // the footer is plain, and signed
			return nil, errEncrypted
		}
		return nil, err
	}
	return meta, nil
}

func protocol() thrift.Protocol { return new(thrift.CompactProtocol) }

// guard turns a panic of the library, which damaged files provoke, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	return f()
}
