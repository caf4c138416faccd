package parquet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// chunk is the pages of a column chunk, one after the other and decompressed.
type chunk struct {
	codec   format.CompressionCodec
	width   int // bytes of each value in a plain page; 0: it depends
	r       *bufio.Reader
	headers *thrift.Decoder
	left    int64 // values in the pages to come
	skip    int64 // leave out pages that lie wholly in the first skip values
	skipped int64 // values that were left out
	at      int64 // bytes that were read of the decompressed pages
	page    []byte
	err     error
}

const (
	readBytes = 64 << 10
	// maxPageBytes bounds the memory of a page. Writers make pages of about 1 MiB.
	maxPageBytes = 256 << 20
)

func newChunk(r io.ReaderAt, meta *format.ColumnMetaData) *chunk {
	start := meta.DataPageOffset
	if d := meta.DictionaryPageOffset; d > 0 && d < start {
		start = d
	}
	c := &chunk{codec: meta.Codec, left: meta.NumValues}
	// Some writers state a size without the dictionary, so it bounds nothing here:
	// the chunk ends with its last value.
	c.r = bufio.NewReaderSize(io.NewSectionReader(r, start, math.MaxInt64-start), readBytes)
	c.headers = thrift.NewDecoder(protocol().NewReader(c.r))
	return c
}

// readAt reads on: off must be where the last call ended.
func (c *chunk) readAt(p []byte, off int64) (n int, err error) {
	if off != c.at {
		return 0, fmt.Errorf("read of a column chunk at %d, and not at %d", off, c.at)
	}
	for n < len(p) {
		if len(c.page) == 0 {
			if c.err == nil {
				c.page, c.err = c.next()
			}
			if c.err != nil {
				return n, c.err
			}
		}
		done := copy(p[n:], c.page)
		c.page = c.page[done:]
		c.at += int64(done)
		n += done
	}
	return n, nil
}

// next returns the next page, header and all.
func (c *chunk) next() ([]byte, error) {
	for c.left > 0 {
		h := new(format.PageHeader)
		if err := guard(func() error { return c.headers.Decode(h) }); err != nil {
			return nil, fmt.Errorf("page header: %w", noEOF(err))
		}
		values, err := valuesOf(h)
		if err != nil {
			return nil, err
		}
		if values > c.left || h.CompressedPageSize < 0 || h.UncompressedPageSize < 0 {
			return nil, fmt.Errorf("page of %d values in %d bytes, where %d values are left", values, h.CompressedPageSize, c.left)
		}
		if size := max(h.CompressedPageSize, h.UncompressedPageSize); size > maxPageBytes {
			return nil, fmt.Errorf("page of %d bytes, the most is %d: write the file with smaller pages", size, maxPageBytes)
		}
		c.left -= values
		if h.Type == format.IndexPage || h.Type != format.DictionaryPage && values <= c.skip {
			c.skip -= values
			c.skipped += values
			if _, err := c.r.Discard(int(h.CompressedPageSize)); err != nil {
				return nil, noEOF(err)
			}
			continue
		}
		if h.Type != format.DictionaryPage {
			c.skip = 0 // the reader leaves out the rest
		}
		data, err := c.decompressed(h)
		if err != nil {
			return nil, err
		}
		if plain(h) && int64(len(data)) < values*int64(c.width) {
			return nil, fmt.Errorf("page of %d bytes, too few for %d values", len(data), values) // the library would make some up
		}
		h.CompressedPageSize, h.UncompressedPageSize, h.CRC = int32(len(data)), int32(len(data)), 0
		h.DataPageHeaderV2.V.IsCompressed.Set(false)
		header, err := thrift.Marshal(protocol(), h)
		return append(header, data...), err
	}
	return nil, io.EOF
}

// plain reports whether the page's values lie one after the other.
func plain(h *format.PageHeader) bool {
	return h.DataPageHeader.Valid && h.DataPageHeader.V.Encoding == format.Plain ||
		h.DataPageHeaderV2.Valid && h.DataPageHeaderV2.V.Encoding == format.Plain
}

func valuesOf(h *format.PageHeader) (int64, error) {
	n := int32(0)
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		n = h.DataPageHeader.V.NumValues
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		n = h.DataPageHeaderV2.V.NumValues
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid, h.Type == format.IndexPage:
	default:
		return 0, fmt.Errorf("page of unknown type %v", h.Type)
	}
	if n < 0 {
		return 0, fmt.Errorf("page of %d values", n)
	}
	return int64(n), nil
}

// decompressed reads the page's bytes.
func (c *chunk) decompressed(h *format.PageHeader) ([]byte, error) {
	stored, err := c.read(int(h.CompressedPageSize))
	if err != nil {
		return nil, err
	}
	if sum := crc32.ChecksumIEEE(stored); h.CRC != 0 && sum != uint32(h.CRC) {
		return nil, fmt.Errorf("page has checksum %08x, want %08x: it is damaged", sum, uint32(h.CRC))
	}
	levels := 0 // the levels of a page v2 come first and are never compressed
	if h.Type == format.DataPageV2 {
		v2 := &h.DataPageHeaderV2.V
		levels = int(v2.RepetitionLevelsByteLength) + int(v2.DefinitionLevelsByteLength)
		if v2.RepetitionLevelsByteLength < 0 || v2.DefinitionLevelsByteLength < 0 || levels > len(stored) {
			return nil, fmt.Errorf("page of %d bytes with levels of %d and %d", len(stored), v2.RepetitionLevelsByteLength, v2.DefinitionLevelsByteLength)
		}
		if v2.IsCompressed.Valid && !v2.IsCompressed.V {
			return stored, nil
		}
	}
	if c.codec == format.Uncompressed {
		return stored, nil
	}
	size := int(h.UncompressedPageSize) - levels
	if size <= 0 { // nothing was compressed
		return stored[:levels], nil
	}
	var values []byte
	if err := guard(func() (err error) { values, err = decompress(c.codec, stored[levels:], size); return err }); err != nil {
		return nil, fmt.Errorf("decompress page (%v): %w", c.codec, noEOF(err))
	}
	if len(values) != size {
		return nil, fmt.Errorf("decompress page (%v): %d bytes, want %d", c.codec, len(values), size)
	}
	if levels == 0 {
		return values, nil
	}
	return append(append(make([]byte, 0, levels+size), stored[:levels]...), values...), nil
}

func decompress(codec format.CompressionCodec, src []byte, size int) ([]byte, error) {
	switch codec {
	case format.Snappy, format.Gzip, format.Brotli, format.Zstd, format.Lz4Raw:
		return parquet.LookupCompressionCodec(codec).Decode(make([]byte, 0, size), src)
	case format.Lz4: // undefined by the format: as Hadoop frames it, or raw
		if values, ok := hadoopLZ4(src, size); ok {
			return values, nil
		}
		return parquet.Lz4Raw.Decode(make([]byte, 0, size), src)
	}
	return nil, errors.New("not supported")
}

// hadoopLZ4 decompresses blocks that follow their lengths, decompressed and
// compressed.
func hadoopLZ4(src []byte, size int) (values []byte, ok bool) {
	for len(src) >= 8 {
		plain, n := int(binary.BigEndian.Uint32(src)), int(binary.BigEndian.Uint32(src[4:]))
		src = src[8:]
		if n > len(src) || plain > size-len(values) {
			return nil, false
		}
		block, err := parquet.Lz4Raw.Decode(make([]byte, 0, plain), src[:n])
		if err != nil || len(block) != plain {
			return nil, false
		}
		values, src = append(values, block...), src[n:]
	}
	return values, len(src) == 0 && len(values) == size
}

// read reads n bytes. Memory grows with what was read, not with what a header says.
func (c *chunk) read(n int) ([]byte, error) {
	const first = 16 << 20
	b := make([]byte, min(n, first))
	if _, err := io.ReadFull(c.r, b); err != nil {
		return nil, noEOF(err)
	}
	for len(b) < n {
		more := min(n-len(b), len(b))
		b = append(b, make([]byte, more)...)
		if _, err := io.ReadFull(c.r, b[len(b)-more:]); err != nil {
			return nil, noEOF(err)
		}
	}
	return b, nil
}

// noEOF keeps the end of a file from being taken for the end of the rows.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
