package incremental

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The header of a manifest. FORMAT.md describes it.
const (
	manifestMagic  = "TDMKMANI"
	versionOffset  = len(manifestMagic)
	lengthOffset   = versionOffset + 4
	checksumOffset = lengthOffset + 8
	headerBytes    = checksumOffset + 4
)

// MaxManifestBytes bounds the body of a manifest, and so the memory that
// reading one takes: enough for a million files.
const MaxManifestBytes = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EncodeManifest renders m in the current format. Equal manifests have equal
// bodies. It refuses a manifest that DecodeManifest would refuse.
func EncodeManifest(m *Manifest) ([]byte, error) {
	if err := validate(m); err != nil {
		return nil, fmt.Errorf("encode manifest of checkpoint %d: %w", m.Checkpoint, err)
	}
	body, err := marshalBody(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest of checkpoint %d: %w", m.Checkpoint, err)
	}
	if len(body) > MaxManifestBytes {
		return nil, fmt.Errorf("encode manifest of checkpoint %d: %d bytes exceed the bound of %d", m.Checkpoint, len(body), MaxManifestBytes)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("encode manifest of checkpoint %d: %w", m.Checkpoint, err)
	}
	b := make([]byte, headerBytes, headerBytes+len(body)/4)
	copy(b, manifestMagic)
	binary.BigEndian.PutUint32(b[versionOffset:], FormatVersion)
	binary.BigEndian.PutUint64(b[lengthOffset:], uint64(len(body)))
	b = enc.EncodeAll(body, b)
	binary.BigEndian.PutUint32(b[checksumOffset:], manifestChecksum(b))
	return b, nil
}

// DecodeManifest reads what EncodeManifest wrote, and refuses everything else:
// with ErrNewerVersion where a newer program wrote it, with a
// *CorruptManifestError otherwise. It takes memory in proportion to
// MaxManifestBytes at most.
func DecodeManifest(b []byte) (*Manifest, error) {
	if len(b) < headerBytes || string(b[:versionOffset]) != manifestMagic {
		return nil, corrupt("header", errors.New("not a manifest"))
	}
	switch v := binary.BigEndian.Uint32(b[versionOffset:]); {
	case v > FormatVersion:
		return nil, fmt.Errorf("%w: version %d, this program reads up to %d; run the program that wrote it, or a newer one", ErrNewerVersion, v, FormatVersion)
	case v == 0:
		return nil, corrupt("header", errors.New("version 0"))
	}
	if got, want := manifestChecksum(b), binary.BigEndian.Uint32(b[checksumOffset:]); got != want {
		return nil, corrupt("checksum", fmt.Errorf("CRC32C is %08x, the header says %08x", got, want))
	}
	body, err := decompressBody(b[headerBytes:], binary.BigEndian.Uint64(b[lengthOffset:]))
	if err != nil {
		return nil, corrupt("body", err)
	}
	m, err := unmarshalBody(body)
	if err != nil {
		return nil, corrupt("body", err)
	}
	if err := validate(m); err != nil {
		if i, ok := errors.AsType[*invalidError](err); ok {
			return nil, corrupt(i.where, i.err)
		}
		return nil, corrupt("body", err)
	}
	// One manifest has one body. Whatever was spelled in another way (doubled
	// or differently cased fields, spaces, trailing bytes) was not written by
	// EncodeManifest.
	again, err := marshalBody(m)
	if err != nil {
		return nil, corrupt("body", err)
	}
	if !bytes.Equal(again, body) {
		return nil, corrupt("body", errors.New("not in canonical form"))
	}
	return m, nil
}

// manifestChecksum is over all of b but the place of the checksum itself.
func manifestChecksum(b []byte) uint32 {
	c := crc32.Update(0, castagnoli, b[:checksumOffset])
	return crc32.Update(c, castagnoli, b[headerBytes:])
}

// decompressBody reads one body of the stated length and nothing behind it.
func decompressBody(b []byte, length uint64) ([]byte, error) {
	if length > MaxManifestBytes {
		return nil, fmt.Errorf("a length of %d bytes exceeds the bound of %d", length, MaxManifestBytes)
	}
	dec, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	body, err := io.ReadAll(io.LimitReader(dec, int64(length)+1))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if uint64(len(body)) != length {
		return nil, fmt.Errorf("the length is not the %d bytes that the header says", length)
	}
	return body, nil
}

func corrupt(where string, err error) error {
	return &CorruptManifestError{Where: where, Err: err}
}
