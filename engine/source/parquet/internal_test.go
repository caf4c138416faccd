package parquet

import (
	"bufio"
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// A page v2 of nulls alone has levels and no bytes to decompress, not even those
// that a codec writes for none. pyarrow writes some; other writers do not.
func TestPageWithoutValues(t *testing.T) {
	h := &format.PageHeader{Type: format.DataPageV2, CompressedPageSize: 2, UncompressedPageSize: 2}
	h.DataPageHeaderV2.Set(format.DataPageHeaderV2{NumValues: 1, NumNulls: 1, DefinitionLevelsByteLength: 2})
	for _, codec := range []format.CompressionCodec{format.Snappy, format.Gzip, format.Zstd, format.Lz4Raw, format.Brotli, format.Lz4} {
		c := &chunk{codec: codec, r: bufio.NewReader(bytes.NewReader([]byte{2, 0}))}
		if got, err := c.decompressed(h); err != nil || !bytes.Equal(got, []byte{2, 0}) {
			t.Errorf("%v: got %v, %v", codec, got, err)
		}
	}
}

// The old shapes of lists, of the format's "backward compatibility" rules.
func TestListShapes(t *testing.T) {
	required, repeated := thrift.New(format.Required), thrift.New(format.Repeated)
	leaf := func(name string, r thrift.Null[format.FieldRepetitionType]) format.SchemaElement {
		return format.SchemaElement{Name: name, RepetitionType: r, Type: thrift.New(format.Int32)}
	}
	group := func(name string, r thrift.Null[format.FieldRepetitionType], children int32) format.SchemaElement {
		return format.SchemaElement{Name: name, RepetitionType: r, NumChildren: thrift.New(children)}
	}
	list := group("l", required, 1)
	list.ConvertedType = thrift.New(deprecated.List)
	for _, c := range []struct {
		below []format.SchemaElement
		item  string // "": the repeated element itself
	}{
		{[]format.SchemaElement{leaf("element", repeated)}, ""},
		{[]format.SchemaElement{group("element", repeated, 2), leaf("a", required), leaf("b", required)}, ""},
		{[]format.SchemaElement{group("array", repeated, 1), leaf("a", required)}, ""},
		{[]format.SchemaElement{group("l_tuple", repeated, 1), leaf("a", required)}, ""},
		{[]format.SchemaElement{group("element", repeated, 1), leaf("a", required)}, "a"},
		{[]format.SchemaElement{group("list", repeated, 1), leaf("a", repeated)}, ""},
	} {
		root, err := schemaOf(append([]format.SchemaElement{group("schema", required, 1), list}, c.below...))
		if err != nil {
			t.Fatal(err)
		}
		r, item, ok := root.children[0].list()
		name := ""
		if item != nil {
			name = item.Name
		}
		if !ok || r != root.children[0].children[0] || name != c.item {
			t.Errorf("%s: item %q, want %q", r.Name, name, c.item)
		}
	}
}

// A page that would take too much memory is refused, whatever its header says.
func TestPageTooLarge(t *testing.T) {
	h := &format.PageHeader{Type: format.DataPage, CompressedPageSize: 10, UncompressedPageSize: 1 << 30}
	h.DataPageHeader.Set(format.DataPageHeader{NumValues: 1})
	header, err := thrift.Marshal(protocol(), h)
	if err != nil {
		t.Fatal(err)
	}
	c := newChunk(bytes.NewReader(append(make([]byte, 4), header...)), &format.ColumnMetaData{DataPageOffset: 4, NumValues: 1})
	if _, err := c.next(); err == nil || !strings.Contains(err.Error(), "page of 1073741824 bytes, the most is") {
		t.Errorf("got %v", err)
	}
}

// I16: where a file has more or fewer values than rows, no record is made up.
func TestDamagedCounts(t *testing.T) {
	for name, says := range map[string]string{
		"ARROW-GH-45185": `column "x.list.element" goes on with the record before`,
		"ARROW-GH-47662": `page of 364 bytes, too few for 100 values`,
	} {
		type record struct {
			X []int64 `parquet:"x"`
		}
		typ := reflect.TypeFor[record]()
		if name == "ARROW-GH-47662" {
			typ = reflect.TypeFor[struct {
				V []byte `parquet:"flba_field"`
			}]()
		}
		_, _, err := readAny("../../../testdata/parquet/"+name+".parquet", typ)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
}
