package state_test

import (
	"errors"
	"testing"

	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// benchKeys is how many keys the benchmarks of states go round.
const benchKeys = 100_000

func benchContexts() []*at {
	all := make([]*at, benchKeys)
	for i := range all {
		all[i] = atKey(int64(i))
	}
	return all
}

func BenchmarkValueMemstate(b *testing.B) {
	s := newSubtask(b, "int64")
	v := state.NewValue[int64](s, "v")
	keys := benchContexts()
	for i, k := range keys {
		if err := errors.Join(s.registry.Err(), v.Set(k, int64(i))); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, found, err := v.Get(keys[i*7919%benchKeys]); !found || err != nil {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if err := v.Set(keys[i*7919%benchKeys], int64(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("count", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			k := keys[i*7919%benchKeys]
			n, _, err := v.Get(k)
			if err == nil {
				err = v.Set(k, n+1)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

type benchRow struct {
	Count, Sum int64
	Max        float64
	Name       string
}

func BenchmarkCodec(b *testing.B) {
	c := codecOf[benchRow](b)
	row := benchRow{123456, -99999, 1.5, "a name of a row"}
	stored := encode(b, c, row)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for range b.N {
			buf, _ = c.Append(buf[:0], row)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if err := c.Decode(stored, &row); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkKeyCodec(b *testing.B) {
	benchKey(b, "int64", int64(123456789))
	benchKey(b, "string", "a key of some length")
	benchKey(b, "struct", route{"AMS", "JFK", 20})
}

func benchKey[K comparable](b *testing.B, name string, k K) {
	c := keyCodecOf[K](b)
	b.Run(name+"/append", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for range b.N {
			buf = c.Append(buf[:0], k)
		}
	})
	b.Run(name+"/hash", func(b *testing.B) {
		b.ReportAllocs()
		sum := uint64(0)
		for range b.N {
			sum += c.Hash(k)
		}
		if keygroup.Of(sum, 128) > 127 {
			b.Fatal("out of range")
		}
	})
}
