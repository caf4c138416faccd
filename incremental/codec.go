package incremental

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental/format"
	"github.com/tidemark/tidemark/upload"
)

// The header of a manifest. FORMAT.md describes it.
const (
	manifestMagic  = "TDMKMANI"
	versionOffset  = len(manifestMagic)
	lengthOffset   = versionOffset + 4
	checksumOffset = lengthOffset + 8
	headerBytes    = checksumOffset + 4
)

// Bounds of what is written and read, and so of the memory that reading takes.
const (
	MaxManifestBytes = 256 << 20 // of a manifest's body: enough for a million files
	MaxHandleBytes   = 16 << 20  // of an encoded handle
)

// EncodeManifest renders m. Equal manifests have equal bodies. It refuses a
// manifest that DecodeManifest would refuse.
func EncodeManifest(m *Manifest) ([]byte, error) {
	b, err := encodeManifest(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest of checkpoint %d: %w", m.Checkpoint, err)
	}
	return b, nil
}

func encodeManifest(m *Manifest) ([]byte, error) {
	if err := validate(m); err != nil {
		return nil, err
	}
	body, err := format.Marshal(bodyOf(m))
	if err != nil {
		return nil, err
	}
	if len(body) > MaxManifestBytes {
		return nil, fmt.Errorf("%d bytes exceed the bound of %d", len(body), MaxManifestBytes)
	}
	// The fastest level: half of a body is random numbers, checksums and keys.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerBytes, headerBytes+len(body)/2+1024)
	copy(b, manifestMagic)
	binary.BigEndian.PutUint32(b[versionOffset:], FormatVersion)
	binary.BigEndian.PutUint64(b[lengthOffset:], uint64(len(body)))
	b = enc.EncodeAll(body, b)
	binary.BigEndian.PutUint32(b[checksumOffset:], manifestChecksum(b))
	return b, nil
}

// DecodeManifest reads what EncodeManifest wrote, and refuses everything else:
// with ErrNewerVersion where a newer program wrote it, with a
// *CorruptManifestError otherwise. The memory that it takes is bounded.
func DecodeManifest(b []byte) (*Manifest, error) {
	if len(b) < headerBytes || string(b[:versionOffset]) != manifestMagic {
		return nil, corrupt("header", errors.New("not a manifest"))
	}
	switch v := binary.BigEndian.Uint32(b[versionOffset:]); {
	case v > FormatVersion:
		return nil, fmt.Errorf("%w: version %d, and this program reads %d only; run the program that wrote it, or a newer one", ErrNewerVersion, v, FormatVersion)
	case v < FormatVersion:
		return nil, corrupt("header", fmt.Errorf("version %d, which no release wrote; this program reads %d only", v, FormatVersion))
	}
	if got, want := manifestChecksum(b), binary.BigEndian.Uint32(b[checksumOffset:]); got != want {
		return nil, corrupt("checksum", fmt.Errorf("CRC32C is %08x, the header says %08x", got, want))
	}
	body, err := decompressBody(b[headerBytes:], binary.BigEndian.Uint64(b[lengthOffset:]))
	if err != nil {
		return nil, corrupt("body", err)
	}
	message := &format.Manifest{}
	if err := format.Unmarshal(body, message); err != nil {
		return nil, corrupt("body", err)
	}
	m, err := manifestOf(message)
	if err == nil {
		err = validate(m)
	}
	if i, ok := errors.AsType[*invalidError](err); ok {
		return nil, corrupt(i.where, i.err)
	}
	if err != nil {
		return nil, corrupt("body", err)
	}
	return m, nil
}

// manifestChecksum is over all of b but the place of the checksum itself.
func manifestChecksum(b []byte) uint32 {
	return upload.ExtendCRC32C(upload.CRC32C(b[:checksumOffset]), b[headerBytes:])
}

// decompressBody reads one body of the stated length and nothing behind it.
func decompressBody(b []byte, length uint64) ([]byte, error) {
	if length > MaxManifestBytes {
		return nil, fmt.Errorf("a length of %d bytes exceeds the bound of %d", length, MaxManifestBytes)
	}
	dec, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	body := bytes.NewBuffer(make([]byte, 0, min(length+bytes.MinRead, 16*uint64(len(b))+bytes.MinRead)))
	if _, err := body.ReadFrom(io.LimitReader(dec, int64(length)+1)); err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if uint64(body.Len()) != length {
		return nil, fmt.Errorf("the length is not the %d bytes that the header says", length)
	}
	return body.Bytes(), nil
}

func corrupt(where string, err error) error {
	return &CorruptManifestError{Where: where, Err: err}
}

// EncodeHandle appends a handle to dst, as it travels in acknowledgements and
// deployments. It refuses one that DecodeHandle would refuse.
func EncodeHandle(dst []byte, h *Handle) ([]byte, error) {
	if err := validateHandle("handle", h); err != nil {
		return nil, fmt.Errorf("encode handle: %w", err)
	}
	k := newKeyedWriter([]Subtask{{Keyed: h}})
	k.add(h)
	body, err := format.Marshal(k.body())
	if err != nil {
		return nil, fmt.Errorf("encode handle: %w", err)
	}
	if len(body) >= MaxHandleBytes {
		return nil, fmt.Errorf("encode handle: %w: %d bytes exceed the bound of %d", ErrHandleSize, len(body), MaxHandleBytes)
	}
	return append(append(dst, FormatVersion), body...), nil
}

// DecodeHandle reads what EncodeHandle appended, and refuses everything else
// with an error that wraps ErrHandle.
func DecodeHandle(b []byte) (*Handle, error) {
	h, err := decodeHandle(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandle, err)
	}
	return h, nil
}

func decodeHandle(b []byte) (*Handle, error) {
	switch {
	case len(b) == 0:
		return nil, io.ErrUnexpectedEOF
	case b[0] != FormatVersion:
		return nil, fmt.Errorf("version %d, and this program reads %d only", b[0], FormatVersion)
	case len(b) > MaxHandleBytes:
		return nil, fmt.Errorf("%w: %d bytes exceed the bound of %d", ErrHandleSize, len(b), MaxHandleBytes)
	}
	body := &format.Keyed{}
	if err := format.Unmarshal(b[1:], body); err != nil {
		return nil, err
	}
	k, err := newKeyedReader(body)
	if err != nil {
		return nil, err
	}
	h, err := k.next()
	if err != nil {
		return nil, err
	}
	return h, errors.Join(k.done(), validateHandle("handle", h))
}

// HandleCodec encodes and decodes handles for packages that carry them and do not know
// their type.
type HandleCodec struct{}

// EncodeHandle encodes a *Handle.
func (HandleCodec) EncodeHandle(s checkpoint.StateHandle) ([]byte, error) {
	h, ok := s.(*Handle)
	if !ok || h == nil {
		return nil, fmt.Errorf("encode handle: it is a %T, want an *incremental.Handle", s)
	}
	return EncodeHandle(nil, h)
}

// DecodeHandle decodes a *Handle.
func (HandleCodec) DecodeHandle(b []byte) (checkpoint.StateHandle, error) {
	h, err := DecodeHandle(b)
	if err != nil {
		return nil, err
	}
	return h, nil
}
