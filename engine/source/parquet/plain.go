package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// plainFile is a row group as a file without compression, for the library to decode.
// The library must not decompress: it loses the bytes of a page whose codec needed
// another buffer than the one it was given, which happens with LZ4_RAW, and it
// fails at pages that hold nothing.
//
// Each column chunk has a region of the file to itself, and is read once, from its
// beginning on.
type plainFile struct {
	chunks []*chunk // by leaf
	footer []byte
}

const (
	regionBits = 40      // of offsets inside a chunk's region
	plainSize  = 1 << 62 // the footer lies at the end
)

// openPlain returns readers of the pages of row group g.
func openPlain(r io.ReaderAt, meta *format.FileMetaData, g int) (*plainFile, []parquet.ColumnChunk, error) {
	told := *meta
	group := meta.RowGroups[g]
	columns := group.Columns
	group.Columns = make([]format.ColumnChunk, len(columns))
	v := &plainFile{}
	for i := range columns {
		c := columns[i]
		v.chunks = append(v.chunks, newChunk(r, &columns[i].MetaData))
		c.MetaData.Codec = format.Uncompressed
		c.MetaData.DictionaryPageOffset = 0 // the library finds the page by itself
		c.MetaData.DataPageOffset = int64(i+1) << regionBits
		c.MetaData.TotalCompressedSize = 1 << regionBits
		c.OffsetIndexOffset, c.OffsetIndexLength, c.ColumnIndexOffset, c.ColumnIndexLength = 0, 0, 0, 0
		group.Columns[i] = c
	}
	group.Ordinal = 0
	told.RowGroups = []format.RowGroup{group}
	var file *parquet.File
	err := guard(func() (err error) {
		if v.footer, err = thrift.Marshal(protocol(), &told); err != nil {
			return err
		}
		v.footer = binary.LittleEndian.AppendUint32(v.footer, uint32(len(v.footer)))
		v.footer = append(v.footer, magic...)
		file, err = parquet.OpenFile(v, plainSize, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return v, file.RowGroups()[0].ColumnChunks(), nil
}

func (v *plainFile) ReadAt(p []byte, off int64) (int, error) {
	if off == 0 {
		return copy(p, magic), nil
	}
	if at := off - (plainSize - int64(len(v.footer))); at >= 0 {
		n := copy(p, v.footer[at:])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	i := int(off>>regionBits) - 1
	if i < 0 || i >= len(v.chunks) {
		return 0, fmt.Errorf("read at %d, where no column lies", off)
	}
	return v.chunks[i].readAt(p, off&(1<<regionBits-1))
}
